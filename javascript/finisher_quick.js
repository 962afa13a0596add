// The quick choices over the line of presets, and what a chosen preset asks for that is not here.
(function () {
  "use strict";

  const { element } = window.finisher;
  const MEGA = 1e6;

  class Quick {
    constructor(presets) {
      this.presets = presets;
      this.editor = presets.editor;
      this.id = `${presets.id}-quick`;
      this.root = element("div", { class: "finisher-quick", role: "group", "aria-label": "Quick choices", id: this.id });
      this.missing = element("div", { class: "finisher-preset-missing", role: "status", id: `${presets.id}-missing` });
    }

    // Drawn anew only when it says something else: a button may have the focus.
    draw() {
      const list = this.presets.presets.filter((item) => item.quick), chosen = this.presets.chosen();
      const state = JSON.stringify([list.map((item) => item.name), chosen]);
      if (state !== this.drawn) {
        this.drawn = state;
        const focused = document.activeElement && this.root.contains(document.activeElement) && document.activeElement.id;
        this.root.replaceChildren(...list.map((item, index) => element("button", {
          type: "button", id: `${this.id}-${index}`, title: item.about, "aria-pressed": String(item.name === chosen),
          onclick: () => this.press(item.name),
        }, item.name)));
        const again = focused && document.getElementById(focused);
        if (again) again.focus();
      }
      this.drawMissing();
    }

    // Pressed again it is let go. What the user has set otherwise and the choice says too gives way to it.
    press(name) {
      const before = this.editor.recipe, { preset, ...rest } = before;
      const letGo = this.presets.chosen() === name;
      this.picked = letGo ? null : { name, before };
      this.presets.tell("");
      this.editor.replace(letGo ? rest : { preset: name, ...rest });
    }

    // The server has told what the choice says.
    settle(answer) {
      const { picked, editor } = this;
      this.picked = null;
      if (!picked || this.presets.chosen() !== picked.name) return;
      const said = Object.entries(answer.inherited_origins).filter(([, origin]) => origin[0] === "chosen").map(([path]) => path);
      const left = {};
      let count = 0;
      for (const [section, value] of Object.entries(editor.recipe)) {
        if (!value || typeof value !== "object" || Array.isArray(value)) { left[section] = value; continue; }
        const kept = Object.entries(value).filter(([name]) => !said.some((path) => path === `${section}.${name}` || path.startsWith(`${section}.${name}.`)));
        count += Object.keys(value).length - kept.length;
        if (kept.length) left[section] = Object.fromEntries(kept);
      }
      if (!count) return;
      editor.recipe = left;
      editor.drafts.clear();
      editor.write();
      this.presets.tell(`${count} of your changes gave way to ${picked.name}.`, () => {
        editor.replace({ ...picked.before, preset: picked.name });
      });
    }

    drawMissing() {
      const { known } = this.presets;
      const state = JSON.stringify([known && known.missing, known && known.notes, this.busy, this.fault]);
      if (state === this.told) return;
      this.told = state;
      const missing = (known && known.missing) || [], notes = (known && known.notes) || [];
      const of = (item) => notes.filter((note) => note.includes(item.name));
      const plain = notes.filter((note) => !missing.some((item) => note.includes(item.name)));
      this.missing.replaceChildren(
        ...missing.map((item) => this.line(of(item).join("; ") || `${item.label} ${item.name} is not here`, item)),
        ...plain.map((note) => this.line(note)),
        ...(this.fault ? [element("small", { class: "finisher-wrong" }, this.fault)] : []));
      this.missing.hidden = !this.missing.childElementCount;
    }

    line(text, item) {
      const size = item && item.size ? ` (${(item.size / MEGA).toFixed(1)} MB)` : "";
      const fetch = item && item.fetch ? element("button", {
        type: "button", disabled: Boolean(this.busy), title: `From ${item.source}`, onclick: () => this.fetch(item.fetch),
      }, this.busy === item.fetch ? `Fetching ${item.fetch}…` : `Fetch ${item.fetch}${size}`) : null;
      return element("div", {}, element("span", { class: "finisher-small" }, `${text}. ${(item && item.how) || ""}`), fetch);
    }

    async fetch(name) {
      this.busy = name;
      this.fault = "";
      this.drawMissing();
      const answer = await window.finisher.fetchDetector(this.editor, name);
      this.busy = "";
      this.fault = (answer.problems || []).join(" ");
      this.drawMissing();
      if (!this.fault) {
        await this.presets.show();
        this.editor.drawWhenQuiet();
      }
    }
  }

  window.finisher.Quick = Quick;
})();
