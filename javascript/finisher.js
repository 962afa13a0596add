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

  class Editor {
    constructor(mount) {
      this.mount = mount;
      this.tab = mount.dataset.finisherTab;
      this.table = JSON.parse(mount.dataset.finisherTable);
      this.open = new Set();
      this.unfolded = new Set();
      this.chosen = {};
      this.values = new window.finisher.Values(this.table.version);
      this.recipe = this.read();
      mount.addEventListener("focusout", () => { if (this.waiting) setTimeout(() => this.drawWhenQuiet(), SHORT); });
      this.draw();
    }

    get recipe() { return this.values.recipe; }

    set recipe(recipe) { this.values.recipe = recipe; }

    get sections() {
      return this.table.base ? [this.table.base, ...this.table.stages] : this.table.stages;
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
        this.draw();
        for (const told of window.finisher.changed) told(this);
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

    set(stage, ofPass, control, value) {
      this.change(stage, (settings) => {
        const target = this.values.set(settings, stage, control, value, this.at(stage, ofPass));
        this.suggest(target, control, value);
        this.values.settle(settings, stage);
      });
    }

    // Puts another recipe in the place of this one.
    replace(recipe) {
      this.recipe = recipe;
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

    // For what comes by itself: never under the hand of who is typing.
    drawWhenQuiet() {
      const field = document.activeElement;
      const typing = field && this.mount.contains(field) && field.closest(".finisher-row") && field.matches("input:not([type=checkbox]), select");
      this.waiting = Boolean(typing);
      if (!typing) this.draw();
    }

    draw() {
      this.waiting = false;
      const focused = document.activeElement && document.activeElement.id;
      const rows = this.sections.map((stage) => this.row(stage));
      if (this.broken) {
        rows.unshift(element("p", { class: "finisher-broken", role: "alert" },
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

    row(stage) {
      const on = this.values.enabled(stage), open = this.open.has(stage.name);
      const id = `finisher-${this.tab}-${stage.name}`;
      const control = this.values.switchOf(stage);
      const toggle = stage.enabled === undefined ? null : element("input", {
        type: "checkbox", id: `${id}-on`, checked: on, "aria-describedby": `${id}-on-mark`,
        onchange: (event) => { this.set(stage, false, control, event.target.checked); this.draw(); },
      });
      const mark = toggle ? window.finisher.mark(this, stage, control, undefined, `${id}-on`) : null;
      const ofPass = Boolean(stage.passes);
      const fields = (controls, inPass) => controls.filter((control) => control.prominent)
        .map((control) => this.field(stage, inPass, control, `${id}-row`, on));
      const pen = element("button", {
        type: "button", class: "finisher-pen", id: `${id}-pen`, "aria-expanded": String(open),
        "aria-controls": `${id}-more`, title: open ? `Close ${stage.label}` : `All settings of ${stage.label}`,
        onclick: () => { open ? this.open.delete(stage.name) : this.open.add(stage.name); this.draw(); },
      }, "✎");
      const count = ofPass && this.passes(stage).length > 1
        ? element("small", {}, `pass ${this.chosenPass(stage) + 1} of ${this.passes(stage).length}`) : null;
      const name = element(toggle ? "label" : "span", { class: "finisher-stage", title: stage.help }, toggle, element("span", {}, stage.label), count);
      const head = element("div", { class: "finisher-head" },
        mark ? element("div", { class: "finisher-side" }, name, mark) : name,
        element("div", { class: "finisher-prominent" },
          ...(ofPass ? fields(stage.passes.controls, true) : []), ...fields(stage.controls, false)),
        pen);
      return element("div", { class: on ? "finisher-row" : "finisher-row finisher-off" }, head,
        open ? this.details(stage, `${id}-more`) : null);
    }

    details(stage, id) {
      const body = element("div", { class: "finisher-more", id });
      body.append(element("p", { class: "finisher-help" }, stage.help));
      const rest = stage.controls.filter((control) => !control.prominent);
      if (stage.passes) {
        body.append(this.passBar(stage, id));
        for (const more of window.finisher.more[stage.name] || []) body.append(...more(this, stage, id));
        body.append(...this.groups(stage, true, stage.passes.controls.filter((control) => !control.prominent), id));
      }
      body.append(...this.groups(stage, false, rest, id));
      return body;
    }

    // Fields without a group stand first and open; a group is folded, and says how much of it was changed.
    groups(stage, ofPass, controls, id) {
      const named = new Map([["", []]]);
      for (const control of controls) {
        const group = control.group || "";
        if (!named.has(group)) named.set(group, []);
        named.get(group).push(control);
      }
      const at = this.at(stage, ofPass);
      return [...named].filter(([, members]) => members.length).map(([name, members]) => {
        const fields = element("div", { class: "finisher-fields" },
          ...members.map((control) => this.field(stage, ofPass, control, id, true)));
        if (!name) return fields;
        const key = `${stage.name}/${name}`;
        const changed = members.filter((control) => this.values.changed(stage, control, at)).length;
        const summary = element("summary", {}, name, changed ? element("small", {}, ` ${changed} changed`) : "");
        return element("details", {
          class: "finisher-group", id: `${id}-group-${name.toLowerCase().replace(/\W+/g, "-")}`, open: this.unfolded.has(key),
          ontoggle: (event) => { event.target.open ? this.unfolded.add(key) : this.unfolded.delete(key); },
        }, summary, fields);
      });
    }

    passBar(stage, id) {
      const passes = this.passes(stage), chosen = this.chosenPass(stage);
      const select = (index) => { this.chosen[stage.name] = index; this.draw(); };
      // Asked for anew: what was typed since this was drawn counts.
      const replace = (edit, index) => {
        const list = edit(this.values.taken(stage));
        this.change(stage, (settings) => {
          settings.passes = list;
          this.values.settle(settings, stage);
        });
        select(index);
      };
      const bar = element("div", { class: "finisher-passes", role: "tablist", "aria-label": `Passes of ${stage.label}` });
      passes.forEach((one, index) => bar.append(element("button", {
        type: "button", role: "tab", id: `${id}-pass-${index}`, "aria-selected": String(index === chosen),
        onclick: () => select(index),
      }, `Pass ${index + 1}`)));
      bar.append(element("button", {
        type: "button", id: `${id}-add`, title: "Add a copy of this pass", disabled: passes.length >= stage.passes.most,
        onclick: () => replace((now) => [...now.slice(0, chosen + 1), { ...now[chosen] }, ...now.slice(chosen + 1)], chosen + 1),
      }, "+"));
      bar.append(element("button", {
        type: "button", id: `${id}-remove`, title: "Remove this pass", disabled: passes.length < 2,
        onclick: () => replace((now) => now.filter((one, index) => index !== chosen), Math.max(0, chosen - 1)),
      }, "−"));
      return bar;
    }

    field(stage, ofPass, control, prefix, live) {
      const id = `${prefix}-${control.name}`;
      const at = this.at(stage, ofPass), value = this.values.value(stage, control, at);
      const label = element("label", { for: id, title: control.help }, control.label);
      const shell = element("div", { class: "finisher-field" }, label);
      const disabled = !live || Boolean(control.missing);
      const mark = () => {
        const before = shell.querySelector(".finisher-mark"), now = window.finisher.mark(this, stage, control, at, id);
        shell.classList.toggle("finisher-changed", this.values.changed(stage, control, at));
        if (before) before.remove();
        if (now) label.after(now);
      };
      // What is being typed in is never drawn anew: the focus and the next click would be lost.
      const save = (next) => {
        this.set(stage, ofPass, control, next);
        mark();
      };
      if (control.kind === "switch") {
        shell.append(element("input", { id, type: "checkbox", checked: Boolean(value), disabled,
          onchange: (event) => { save(event.target.checked); this.draw(); } }));
      } else if (control.kind === "choice") {
        shell.append(element("select", { id, disabled, onchange: (event) => { save(event.target.value); this.draw(); } },
          ...control.choices.map((choice) => element("option", { value: choice, selected: choice === value }, choice))));
      } else if (control.kind === "text") {
        const offered = control.choices ? `${id}-list` : undefined;
        const field = element("input", { id, type: "text", list: offered, disabled, placeholder: control.empty || "",
          oninput: (event) => save(event.target.value), onchange: () => {
            if (control.suggested) setTimeout(() => this.draw(), SHORT);
          } });
        field.value = String(value);
        shell.append(field);
        if (offered) {
          shell.append(element("datalist", { id: offered },
            ...control.choices.map((choice) => element("option", { value: choice }))));
        }
      } else {
        shell.append(...this.number(id, control, value, disabled, save, () => this.values.below(stage, control, at)));
      }
      shell.append(element("small", { class: "finisher-help" }, control.missing ? "Not on this host." : control.help));
      mark();
      const input = shell.querySelector(`[id="${id}"]`);
      if (input) input.setAttribute("aria-describedby", `${id}-mark`);
      return shell;
    }

    number(id, control, value, disabled, save, plain) {
      const limits = { min: control.minimum, max: control.maximum, step: control.step };
      const slider = element("input", { type: "range", ...limits, disabled, tabindex: "-1", "aria-hidden": "true" });
      const box = element("input", { id, type: "number", ...limits, disabled });
      slider.value = box.value = String(value);
      const band = control.bands ? element("span", { class: "finisher-band" }) : null;
      const tellBand = () => {
        if (band) band.textContent = (control.bands.find(([most]) => Number(slider.value) <= most) || ["", ""])[1];
      };
      tellBand();
      const whole = (typed) => (control.kind === "integer" ? Math.round(typed) : typed);
      slider.addEventListener("input", () => { box.value = slider.value; save(whole(Number(slider.value))); });
      box.addEventListener("input", () => {
        const typed = Number(box.value);
        if (box.value === "" || !(typed >= control.minimum && typed <= control.maximum)) return;
        slider.value = box.value;
        save(whole(typed));
      });
      box.addEventListener("change", () => {
        const typed = Number(box.value);
        const inside = whole(Math.min(control.maximum, Math.max(control.minimum, Number.isFinite(typed) && box.value !== "" ? typed : plain())));
        slider.value = box.value = String(inside);
        save(inside);
      });
      // After the two have agreed.
      for (const part of [slider, box]) for (const kind of ["input", "change"]) part.addEventListener(kind, tellBand);
      return band ? [slider, box, band] : [slider, box];
    }
  }

  const editors = {};

  function mountAll() {
    for (const mount of root().querySelectorAll(".finisher-editor")) {
      const tab = mount.dataset.finisherTab;
      if (!editors[tab] || editors[tab].mount !== mount) {
        if (root().querySelector(`#finisher_${tab}_recipe textarea`)) editors[tab] = new Editor(mount);
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
    editors,
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
      editor.draw();
    },
  };

  if (typeof onUiLoaded === "function") onUiLoaded(mountAll);
  if (typeof onAfterUiUpdate === "function") onAfterUiUpdate(mountAll);
})();
