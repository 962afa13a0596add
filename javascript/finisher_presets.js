// The line of presets over all stages: which is chosen, what is in force and why, the user's changes, and saving them.
(function () {
  "use strict";

  const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
  const find = (selector) => root().querySelector(selector);
  const { element, times } = window.finisher;
  // Where the hosts show the checkpoint; Forge's has no id of its own.
  const CHECKPOINT = "#setting_sd_model_checkpoint input, .model_selection input";
  const PATIENCE = 30000, SHORT = 300;

  // What was asked last in each tab.
  const queues = {};
  const text = (value) => (typeof value === "string" ? value.trim().toLowerCase() : "");

  // "auto", "none", a name, or a list that has no simpler form.
  function simple(choice) {
    const list = (Array.isArray(choice) ? choice : [choice]).filter((item) => item && text(item) !== "auto");
    const names = list.filter((item) => text(item) !== "none");
    if (names.length === list.length && names.length < 2) return names.length ? names[0] : "auto";
    return names.length ? list : "none";
  }

  function inTime(promise) {
    const late = new Promise((resolve, reject) => {
      const giveUp = () => reject(new Error("The server has not answered. Its log may say why."));
      setTimeout(() => window.finisher.hold.whenFree(giveUp), PATIENCE);
    });
    return Promise.race([promise, late]);
  }

  class Presets {
    constructor(editor) {
      this.editor = editor;
      editor.values.expected = true;
      this.id = `finisher-${editor.tab}-preset`;
      this.turn = 0;
      this.from = null;
      this.select = element("select", { id: `${this.id}-choice`, onchange: () => this.choose() });
      this.force = element("span", { class: "finisher-preset-force finisher-small finisher-soft", id: `${this.id}-force` });
      this.opener = element("button", {
        type: "button", id: `${this.id}-save`, "aria-expanded": "false", "aria-controls": `${this.id}-menu`, disabled: true,
        onclick: () => this.menu.toggle(),
      }, "Save…");
      this.told = element("span", { class: "finisher-preset-edits finisher-small", id: `${this.id}-edits` });
      this.reset = element("button", { type: "button", id: `${this.id}-reset`, onclick: () => this.drop() });
      this.status = element("p", { class: "finisher-preset-status finisher-small", role: "status", id: `${this.id}-status` });
      this.quick = new window.finisher.Quick(this);
      this.menu = new window.finisher.SaveMenu(this);
      this.manage = new window.finisher.Manage(this);
      this.root = element("div", { class: "finisher-presets" }, this.quick.root,
        element("div", { class: "finisher-preset-line" }, element("label", { for: `${this.id}-choice` }, "Preset"),
          this.select, this.force, this.opener),
        this.menu.root, this.quick.missing,
        element("div", { class: "finisher-preset-line finisher-preset-second" }, this.told, this.reset, this.status),
        this.manage.root);
      this.line();
      // It has a width once its accordion is open, wherever the page is scrolled to.
      new ResizeObserver(() => {
        const before = this.visible;
        this.visible = this.root.offsetParent !== null;
        if (this.visible && !before && this.fault) this.stale = true;
        this.look();
      }).observe(this.root);
    }

    get known() { return this.editor.values.known; }

    get presets() { return this.listed || []; }

    // Asking, one after the other: the page keeps one question at a time.

    ask(request) {
      const send = () => inTime(window.finisher.page.ask(this.editor.tab, "presets", { checkpoint: this.asked || "", ...request }));
      const answer = (queues[this.editor.tab] || Promise.resolve()).then(send);
      queues[this.editor.tab] = answer.catch(() => {});
      return answer.then((told) => {
        if (told.problems) throw new Error(told.problems.join(" "));
        if (told.presets) this.listed = told.presets;
        return told;
      });
    }

    // Asks again where what is shown may not hold any more. Costs nothing otherwise.
    look() {
      if (!this.visible || this.showing) return;
      const now = checkpoint();
      if (now === undefined) return;
      if (this.asked === undefined || this.stale || now !== this.asked || this.choice() !== this.answered) this.show();
    }

    // The preset that is chosen by name, "" for none or several.
    chosen() {
      const now = simple(this.editor.recipe.preset), entry = this.presets.find((item) => text(item.name) === text(now));
      return entry ? entry.name : "";
    }

    choice() {
      return JSON.stringify({ ...this.editor.values.outside(), preset: simple(this.editor.recipe.preset) });
    }

    async show() {
      const turn = ++this.turn, choice = this.choice();
      this.asked = checkpoint() || "";
      this.answered = choice;
      this.stale = false;
      this.showing = true;
      let answer = null;
      try {
        answer = await this.ask({ action: "show", recipe: JSON.parse(choice) });
        this.fault = "";
      } catch (error) {
        this.fault = error.message;
        // The list is needed all the same, to choose another one.
        if (!this.listed) await this.ask({ action: "show" }).catch(() => {});
      }
      if (turn !== this.turn) return;
      this.showing = false;
      if (answer) this.take(answer);
      else this.line();
      this.look();
    }

    take(answer) {
      const before = this.known && this.known.checkpoint.name, now = answer.checkpoint.name;
      this.editor.values.known = answer;
      const count = this.count();
      if (before && before !== now && count) {
        if (!this.from) this.from = { name: before, count };
        else if (this.from.name === now) this.from = null;
      }
      this.quick.settle(answer);
      this.editor.drawWhenQuiet();
      this.line();
    }

    // What the line says

    count() { return this.editor.values.edits(this.editor.sections); }

    line() {
      this.options();
      const told = this.inForce();
      if (this.force.textContent !== told.short) this.force.textContent = told.short;
      this.force.title = told.long;
      this.force.classList.toggle("finisher-wrong", Boolean(this.fault));
      this.opener.disabled = !this.known;
      const count = this.count();
      if (!count) this.from = null;
      const from = !this.from ? "" : `${count === this.from.count ? "," : ", some"} kept from ${this.from.name}`;
      // The line is there all the time: what is below it does not move at the first change.
      this.told.textContent = count ? `${times(count, "change")} of yours${from}` : "No changes of yours.";
      this.told.classList.toggle("finisher-left", !count);
      this.reset.textContent = from ? "Drop them" : "Reset to preset";
      this.reset.title = "Forget your changes; one click brings them back";
      this.reset.hidden = !count;
      this.quick.draw();
      this.menu.draw();
      this.manage.draw();
    }

    options() {
      const now = simple(this.editor.recipe.preset);
      const state = JSON.stringify([now, this.presets.map((item) => [item.name, item.source, item.about])]);
      if (state === this.drawn) return;
      this.drawn = state;
      const option = (value, label, title) => element("option", { value: JSON.stringify(value), title }, label);
      const group = (label, source) => {
        const members = this.presets.filter((item) => item.source === source);
        return members.length ? [element("optgroup", { label }, ...members.map((item) => option(item.name, item.name, item.about)))] : [];
      };
      const known = typeof now === "string" && (["auto", "none"].includes(now) || this.presets.find((item) => text(item.name) === text(now)));
      this.select.replaceChildren(
        option("auto", "Automatic", "The presets that are for this checkpoint"), option("none", "None", "No preset, only what the model's family starts from"),
        ...group("Yours", "yours"), ...group("Built in", "built in"),
        ...(known ? [] : [option(now, Array.isArray(now) ? now.join(" + ") : `${now}${this.listed ? " (not here)" : ""}`)]));
      this.select.value = JSON.stringify(known && known.name ? known.name : now);
      const about = this.presets.find((item) => JSON.stringify(item.name) === this.select.value);
      this.select.title = about ? about.about : "";
    }

    inForce() {
      if (this.fault) return { short: this.fault, long: this.fault };
      if (!this.known) return { short: "", long: "" };
      const { used, checkpoint: about, notes } = this.known, { forWhom } = window.finisher.marks;
      const whole = [`${about.name}${about.family ? `, family ${about.family}` : ""}${about.variants.length ? `, ${about.variants.join(", ")}` : ""}`,
        ...used.map((item) => `${item.name}: ${forWhom(item.layer, about, item.name)}, because ${item.reason}`), ...notes];
      const long = whole.join("\n");
      if (!used.length) return { short: simple(this.editor.recipe.preset) === "none" ? "no preset is used" : "no preset for this checkpoint", long };
      const last = used[used.length - 1], more = used.length > 1 ? ` and ${used.length - 1} more` : "";
      return { short: `${last.name}, ${forWhom(last.layer, about, last.name)}${more}`, long };
    }

    tell(message, undo, wrong) {
      this.status.replaceChildren(message);
      this.status.classList.toggle("finisher-wrong", Boolean(wrong));
      if (undo) {
        this.status.append(" ", element("button", {
          type: "button", id: `${this.id}-undo`, onclick: () => { this.tell("", null); undo(); },
        }, "Undo"));
      }
    }
  }

  // The checkpoint that the host shows, "" where it shows none, undefined while another one is being looked for.
  function checkpoint() {
    const field = find(CHECKPOINT);
    if (!field) return "";
    const list = field.closest("#setting_sd_model_checkpoint, .model_selection");
    return list && list.querySelector("ul.options") ? undefined : field.value;
  }

  const kept = {};
  const lookAll = () => { for (const one of Object.values(kept)) one.look(); };
  const lookSoon = (event) => { if (event.target.matches && event.target.matches(CHECKPOINT)) setTimeout(lookAll, SHORT); };

  window.finisher.head.push((editor) => {
    if (!find(`#finisher_${editor.tab}_presets`)) return [];
    const before = kept[editor.tab];
    if (!before || before.editor !== editor) kept[editor.tab] = new Presets(editor);
    return [kept[editor.tab].root];
  });
  window.finisher.changed.push((editor) => {
    const here = kept[editor.tab];
    if (!here || here.editor !== editor) return;
    here.line();
    here.look();
  });
  Object.assign(window.finisher, { presets: kept, Presets });

  for (const kind of ["change", "input", "focusout"]) document.addEventListener(kind, lookSoon, true);
  if (typeof onAfterUiUpdate === "function") onAfterUiUpdate(lookAll);
  if (typeof onOptionsChanged === "function") {
    onOptionsChanged(() => {
      // Without a field of the checkpoint only the server knows whether it is another one.
      if (!find(CHECKPOINT)) for (const one of Object.values(kept)) one.stale = true;
      lookAll();
    });
  }
})();
