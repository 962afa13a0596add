// What opens from the line of presets: the menu that saves, and the list where presets are managed and compared.
(function () {
  "use strict";

  const { element } = window.finisher;

  // A control's path in words: "detail.passes.1.confidence" is "Detail, pass 1: Confidence".
  window.finisher.labelOf = (editor, path) => {
    const parts = path.split("."), before = [];
    while (["families", "variants"].includes(parts[0])) before.push(`${parts.splice(0, 2)[1]}: `);
    const stage = editor.sections.find((item) => item.name === parts[0]);
    if (!stage) return before.join("") + (parts[0] === "match" ? `rule: ${parts.slice(1).join(" ")}` : parts.join(" "));
    const last = parts[parts.length - 1];
    const rows = [...stage.controls, ...(stage.passes ? stage.passes.controls : [])];
    const control = rows.find((item) => item.name === last);
    const label = control ? control.label : { enabled: "on", passes: "passes" }[last] || last;
    const pass = parts.length > 3 ? `, pass ${parts[2]}` : parts[1] === "every" ? ", every pass" : "";
    return `${before.join("")}${stage.label}${pass}: ${label}`;
  };

  window.finisher.button = (label, id, act, more) => element("button", { type: "button", id, onclick: act, ...more }, ...[].concat(label));
  const { button } = window.finisher;

  class SaveMenu {
    constructor(presets) {
      this.presets = presets;
      this.id = `${presets.id}-menu`;
      this.root = element("div", {
        class: "finisher-preset-menu", id: this.id, role: "group", "aria-label": "Save what is shown", hidden: true,
        onkeydown: (event) => { if (event.key === "Escape") this.toggle(false); },
      });
    }

    toggle(open = this.root.hidden) {
      this.root.hidden = !open;
      this.presets.opener.setAttribute("aria-expanded", String(open));
      this.naming = false;
      this.drawn = null;
      this.draw();
      if (open) this.root.querySelector("button").focus();
      else this.presets.opener.focus();
    }

    // Drawn anew only when it says something else: a name may be being typed.
    draw() {
      const known = this.presets.known;
      const state = this.root.hidden || !known ? "" : JSON.stringify([known.targets, this.naming, known.checkpoint, this.naming ? "" : this.presets.presets.map((item) => [item.name, item.locked])]);
      if (state === this.drawn) return;
      this.drawn = state;
      this.root.replaceChildren(...(state ? this.parts(known) : []));
    }

    parts(known) {
      const labels = {
        checkpoint: () => "To this checkpoint", everything: () => "For every checkpoint",
        variant: (target) => `To the variant ${target.variant}`, family: () => `To the family ${known.checkpoint.family}`,
      };
      const rows = known.targets.map((target) => {
        const locked = this.presets.presets.some((item) => item.name === target.name && item.locked);
        const told = target.revision ? `in ${target.name}` : `new: ${target.name}`;
        return button([labels[target.layer](target), element("small", {}, ` ${told}`)], `${this.id}-${target.layer}${target.variant ? `-${target.variant}` : ""}`, async () => {
          const { layer, name, revision } = target;
          if (await this.presets.save({ layer, name, expected: revision, ...(target.variant ? { variant: target.variant } : {}) })) this.toggle(false);
        }, { disabled: locked, title: locked ? `${target.name} is locked. Unlock it under Manage presets.` : told });
      });
      const name = button("As a preset to choose…", `${this.id}-chosen`, () => {
        this.naming = true;
        this.draw();
        this.root.querySelector("input").focus();
      }, { "aria-expanded": String(Boolean(this.naming)) });
      return [...rows, name, ...(this.naming ? [this.form()] : [])];
    }

    form() {
      const field = element("input", { type: "text", id: `${this.id}-name`, maxlength: "300", required: true });
      const about = element("input", { type: "text", id: `${this.id}-about`, maxlength: "200", placeholder: "what it is for, if you like" });
      const told = element("small", { class: "finisher-help", role: "status" });
      const there = () => this.presets.presets.find((item) => item.source === "yours" && item.name.trim().toLowerCase() === field.value.trim().toLowerCase());
      const done = button("Save", `${this.id}-name-save`, () => this.asPreset(field.value.trim(), about.value.trim(), there()));
      field.addEventListener("input", () => {
        done.textContent = there() ? "Replace it" : "Save";
        told.textContent = there() ? "There is one of that name." : "";
      });
      const form = element("div", { class: "finisher-preset-form" }, element("label", { for: field.id }, "Name"), field,
        element("label", { for: about.id }, "About"), about, done, told);
      form.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && event.target.matches("input")) { event.preventDefault(); done.click(); }
      });
      return form;
    }

    async asPreset(name, about, there) {
      if (!name) { this.presets.tell("A preset needs a name.", null, true); return; }
      const told = about ? { about } : {};
      if (await this.presets.save({ layer: "chosen", name, expected: there ? there.revision : "", ...told })) this.toggle(false);
    }
  }

  class Manage {
    constructor(presets) {
      this.presets = presets;
      this.id = `${presets.id}-manage`;
      this.body = element("div", { class: "finisher-preset-manage" });
      this.exchange = new window.finisher.Exchange(presets, this.id);
      this.root = element("details", {
        class: "finisher-group", id: this.id, ontoggle: () => { this.drawn = null; this.draw(); },
      }, element("summary", {}, "Manage presets"), this.body);
      this.picked = ["", ""];
    }

    draw() {
      const known = this.presets.known, names = this.presets.presets;
      const state = this.root.open ? JSON.stringify([names, known && known.candidates, known && known.checkpoint, this.renaming]) : "";
      if (state === this.drawn) return;
      this.drawn = state;
      const focused = document.activeElement && this.body.contains(document.activeElement) && document.activeElement.id;
      this.body.replaceChildren(...(state ? [...this.why(known), this.list(names), this.compare(names), this.exchange.root] : []));
      const again = focused && document.getElementById(focused);
      if (again) again.focus();
    }

    // Which presets this checkpoint gets, and why.
    why(known) {
      if (!known) return [];
      const { name, family, variants, reason } = known.checkpoint;
      const rows = known.candidates.map((item) => element("li", { class: item.used ? "" : "finisher-left" }, element("b", {}, item.name),
        ` ${item.used ? "used" : "not used"}: ${item.reason}${item.used ? "" : `, but ${item.before} comes before it`}`));
      return [element("p", { class: "finisher-help", id: `${this.id}-checkpoint`, title: reason },
        `For ${name} (${[family || "unknown family", ...variants].join(", ")})${rows.length ? ":" : ": no preset is for it."}`),
      ...(rows.length ? [element("ul", { class: "finisher-preset-why", id: `${this.id}-why` }, ...rows)] : []),
      ...known.problems_of_files.map((text) => element("p", { class: "finisher-help finisher-wrong" }, text))];
    }

    list(names) {
      return element("ul", { class: "finisher-catalogue-list", id: `${this.id}-list` }, ...names.map((item, index) => this.row(item, index)));
    }

    row(item, index) {
      const { presets } = this, id = `${this.id}-${index}`, own = item.source === "yours", { name, revision } = item;
      if (this.renaming === name) return element("li", {}, this.renameForm(item, id));
      const rules = Object.entries(item.match).map(([rule, value]) => (rule === "everything" ? "every checkpoint" : `${rule}: ${[].concat(value).map((one) => (String(one).length > 40 ? `${String(one).slice(0, 10)}…` : one)).join(", ")}`)).join("; ");
      const told = [item.about, rules ? `for ${rules}` : "", own ? "" : "built in", item.locked ? "locked" : ""].filter(Boolean).join(" · ");
      const acts = [
        button("Use", `${id}-use`, () => { presets.select.value = JSON.stringify(name); presets.choose(); }, { title: `Choose ${name}` }),
        button("Duplicate", `${id}-duplicate`, () => presets.act({ action: "duplicate", name }, `${name} was duplicated.`), { title: `Duplicate ${name}` }),
        button("Export", `${id}-export`, () => this.exchange.export([name], name), { title: `Export ${name} as a file` }),
      ];
      if (own) {
        const locked = { disabled: item.locked };
        acts.push(
          button("Rename", `${id}-rename`, () => this.rename(name), { ...locked, title: `Rename ${name}` }),
          button(item.locked ? "Unlock" : "Lock", `${id}-lock`, () => presets.act({ action: "lock", name, on: !item.locked }, `${name} is ${item.locked ? "unlocked" : "locked"}.`), { title: item.locked ? `Unlock ${name}` : `Lock ${name} against changes` }),
          button("Delete", `${id}-delete`, () => this.remove(name, revision), { ...locked, title: `Delete ${name}` }));
      }
      return element("li", {}, element("span", {}, element("b", {}, name), element("small", {}, told)),
        element("span", { class: "finisher-regions-acts" }, ...acts));
    }

    rename(name) {
      this.renaming = name;
      this.draw();
      const field = this.body.querySelector("input[data-rename]");
      if (field) { field.focus(); field.select(); }
    }

    renameForm(item, id) {
      const field = element("input", { type: "text", id: `${id}-new`, maxlength: "300", "data-rename": "", "aria-label": `New name of ${item.name}` });
      field.value = item.name;
      const end = () => { this.renaming = undefined; this.draw(); };
      const done = async () => {
        const now = field.value.trim();
        if (now && now !== item.name) {
          const chosen = this.presets.select.value === JSON.stringify(item.name), { presets } = this;
          const call = (name) => () => { if (chosen) presets.editor.replace({ ...presets.editor.recipe, preset: name }); };
          const answer = await presets.act({ action: "rename", name: item.name, new: now, expected: item.revision }, "", "later");
          if (!answer) return;
          call(now)();
          await presets.afterwards(answer, `${item.name} is now ${now}.`, call(item.name));
        }
        end();
      };
      field.addEventListener("keydown", (event) => {
        if (event.key === "Enter") { event.preventDefault(); done(); }
        if (event.key === "Escape") end();
      });
      return element("span", { class: "finisher-preset-form" }, field, button("Rename", `${id}-renamed`, done), button("Cancel", `${id}-cancel`, end));
    }

    async remove(name, revision) {
      const { presets } = this, chosen = presets.select.value === JSON.stringify(name), before = presets.editor.recipe;
      const answer = await presets.act({ action: "delete", name, expected: revision }, "", "later");
      if (!answer) return;
      const { preset, ...rest } = before;
      if (chosen) presets.editor.replace(rest);
      await presets.afterwards(answer, `${name} was deleted.`, () => { if (chosen) presets.editor.replace({ ...presets.editor.recipe, preset: name }); });
      presets.status.querySelector("button").focus();
    }

    compare(names) {
      const id = `${this.id}-compare`, told = element("div", { id: `${id}-told`, role: "status" });
      const choose = (place) => {
        const made = element("select", { id: `${id}-${place}`, "aria-label": place ? "Second preset" : "First preset", onchange: (event) => { this.picked[place] = event.target.value; } },
          ...names.map((item) => element("option", { value: item.name, selected: item.name === this.picked[place] }, item.name)));
        if (!this.picked[place] && names[place]) made.value = names[place].name;
        this.picked[place] = made.value;
        return made;
      };
      const selects = [choose(0), choose(1)];
      return element("div", {}, element("div", { class: "finisher-preset-form" }, "Compare ", selects[0], " with ", selects[1],
        button("Compare", `${id}-go`, async () => {
          const answer = await this.presets.ask({ action: "compare", first: selects[0].value, second: selects[1].value }).catch((error) => ({ fault: error.message }));
          told.replaceChildren(answer.fault || this.exchange.table(["", selects[0].value, selects[1].value], answer.differences, "They set the same."));
        })), told);
    }
  }

  Object.assign(window.finisher, { SaveMenu, Manage });
})();
