// Draws Finisher's accordion from the table of controls over one JSON value, and edits that value.
(function () {
  "use strict";

  // Later than the click that took the focus away, which would be lost.
  const SHORT = 250;
  const root = () => (typeof gradioApp === "function" ? gradioApp() : document);

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value === true) made.setAttribute(key, "");
      else if (value !== false && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== undefined && child !== null));
    return made;
  }

  // "1 change", "2 changes".
  const times = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

  class Editor {
    constructor(mount) {
      this.tab = mount.dataset.finisherTab;
      this.table = null;
      this.open = new Set();
      this.unfolded = new Set();
      this.chosen = {};
      // What is typed and cannot be used, by the field: it stays to be seen until it is put right.
      this.drafts = new Map();
      this.values = new window.finisher.Values(Number(mount.dataset.finisherVersion));
      this.recipe = this.read();
      // The host may have kept an earlier version's empty recipe as the field's first value (ui-config.json).
      const { version, ...said } = this.recipe;
      this.outdated = !this.broken && version !== this.values.version && !Object.keys(said).length;
      if (this.outdated) this.recipe = this.values.empty();
      this.moveTo(mount);
    }

    // What is open, chosen, unfolded and typed goes along.
    moveTo(mount) {
      this.mount = mount;
      mount.addEventListener("focusout", () => { if (this.waiting) setTimeout(() => this.drawWhenQuiet(), SHORT); });
      if (this.table) this.draw();
      else this.load();
    }

    get recipe() { return this.values.recipe; }

    set recipe(recipe) { this.values.recipe = recipe; }

    get sections() { return this.table ? [this.table.base, ...this.table.stages] : []; }

    async load() {
      this.mount.replaceChildren(element("p", { class: "finisher-help" }, "Loading…"));
      try {
        this.table = await window.finisher.tableFor(this.tab);
      } catch (error) {
        this.mount.replaceChildren(element("p", { class: "finisher-wrong", role: "alert" }, `${error.message} `,
          element("button", { type: "button", onclick: () => this.load() }, "Try again")));
        return;
      }
      this.mount.replaceChildren();
      this.draw();
      if (this.outdated) this.write();
      this.outdated = false;
    }

    textarea() {
      return root().querySelector(`#finisher_${this.tab}_recipe textarea`);
    }

    read() {
      const field = this.textarea();
      this.text = field ? field.value : "";
      this.broken = false;
      try {
        const value = this.text.trim() ? JSON.parse(this.text) : this.values.empty();
        if (value && typeof value === "object" && !Array.isArray(value)) return value;
      } catch (error) { /* said below, on the page */ }
      this.broken = true;
      return this.values.empty();
    }

    write() {
      const field = this.textarea();
      if (!field) return;
      this.text = JSON.stringify(this.recipe);
      this.broken = false;
      field.value = this.text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      for (const told of window.finisher.changed) told(this);
    }

    refresh() {
      const field = this.textarea();
      if (field && field.value !== this.text) {
        this.recipe = this.read();
        this.drafts.clear();
        window.finisher.hold.whenFree(() => {
          this.draw();
          for (const told of window.finisher.changed) told(this);
        });
      }
    }

    passes(stage) {
      return this.values.passes(stage);
    }

    chosenPass(stage) {
      return Math.min(this.chosen[stage.name] || 0, this.passes(stage).length - 1);
    }

    // The pass that a control belongs to, undefined for one of the stage itself.
    at(stage, ofPass) {
      return ofPass ? this.chosenPass(stage) : undefined;
    }

    change(stage, edit) {
      const settings = { ...this.values.own(stage) };
      edit(settings);
      if (Object.keys(settings).length) this.recipe[stage.name] = settings;
      else delete this.recipe[stage.name];
      this.write();
    }

    set(stage, ofPass, control, value, typed) {
      this.change(stage, (settings) => {
        const target = this.values.set(settings, stage, control, value, this.at(stage, ofPass), typed);
        this.suggest(target, control, value);
        this.values.settle(settings, stage);
      });
    }

    // Puts another recipe in the place of this one.
    replace(recipe) {
      this.recipe = recipe;
      this.drafts.clear();
      this.write();
      this.draw();
    }

    // What goes with a choice is set where it still stands as another choice left it.
    suggest(target, control, value) {
      if (!control.suggested) return;
      const next = control.suggested[String(value).split(",")[0].trim()] || {};
      for (const other of Object.values(control.suggested)) {
        for (const [name, set] of Object.entries(other)) {
          if (target[name] === set && next[name] === undefined) delete target[name];
        }
      }
      for (const [name, set] of Object.entries(next)) {
        const taken = target[name] !== undefined && !Object.values(control.suggested).some((other) => other[name] === target[name]);
        if (!taken) target[name] = set;
      }
    }

    // For what comes by itself: never under the hand of who is pressing or typing.
    drawWhenQuiet() {
      window.finisher.hold.whenFree(() => this.drawUnlessTyping());
    }

    drawUnlessTyping() {
      const field = document.activeElement;
      const typing = field && this.mount.contains(field) && field.closest(".finisher-row") && field.matches("input:not([type=checkbox]), select");
      this.waiting = Boolean(typing);
      if (!typing) this.draw();
    }

    draw() {
      this.waiting = false;
      if (!this.table) return;
      const focused = document.activeElement && document.activeElement.id;
      const rows = this.sections.map((stage) => this.row(stage));
      if (this.broken) {
        rows.unshift(element("p", { class: "finisher-broken finisher-wrong", role: "alert" },
          "The recipe is not valid JSON; changing anything here starts a new one."));
      }
      const heads = window.finisher.head.flatMap((head) => head(this));
      const feet = window.finisher.foot.flatMap((foot) => foot(this));
      this.place([...heads, ...rows, ...feet]);
      if (focused && focused.startsWith(`finisher-${this.tab}-`)) {
        const again = document.getElementById(focused);
        if (again) again.focus();
      }
    }

    // What is there already and stays is not moved: it keeps its focus and what is being typed in it.
    place(wanted) {
      for (const child of [...this.mount.children]) if (!wanted.includes(child)) child.remove();
      let at = this.mount.firstElementChild;
      for (const child of wanted) {
        if (child === at) at = at.nextElementSibling;
        else this.mount.insertBefore(child, at);
      }
    }
  }

  const editors = {};
  // The table travels once for all accordions of a page; the lists of a host's choices are shared by all controls.
  let asked = null;

  function tableFor(tab) {
    asked ||= window.finisher.page.ask(tab, "table", {}).then((table) => {
      if (table.problems) throw new Error(table.problems.join(" "));
      const rows = [table.base, ...table.stages].flatMap((stage) => [...stage.controls, ...(stage.passes ? stage.passes.controls : [])]);
      for (const row of rows) if (row.offers) row.choices = table.choices[row.offers];
      return table;
    });
    asked.catch(() => { asked = null; });
    return asked;
  }

  function mountAll() {
    for (const mount of root().querySelectorAll(".finisher-editor")) {
      const tab = mount.dataset.finisherTab;
      if (!editors[tab]) {
        if (root().querySelector(`#finisher_${tab}_recipe textarea`)) editors[tab] = new Editor(mount);
      } else if (!editors[tab].mount.isConnected) {
        editors[tab].moveTo(mount);
        editors[tab].refresh();
      }
    }
  }

  window.finisher = {
    // What other files of this folder add under the passes of a stage, by its name: lists of functions that make
    // elements of (editor, stage, id).
    more: {},
    // What they add over and under all stages: functions that make elements of (editor). And who is told of changes.
    head: [],
    foot: [],
    changed: [],
    element,
    times,
    Editor,
    editors,
    tableFor,
    // The page calls this by name when the recipe's text was changed by the server.
    refresh(tab) {
      if (editors[tab]) editors[tab].refresh();
    },
    // Sets one control outside the passes, as if it had been done by hand.
    set(tab, section, name, value) {
      const editor = editors[tab];
      if (!editor) return;
      editor.refresh();
      editor.change({ name: section }, (settings) => { settings[name] = value; });
      window.finisher.hold.whenFree(() => editor.draw());
    },
  };

  if (typeof onUiLoaded === "function") onUiLoaded(mountAll);
  if (typeof onAfterUiUpdate === "function") onAfterUiUpdate(mountAll);
})();
