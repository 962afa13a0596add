// The rows of the accordion: a stage's switch, name and settings, and behind its pen all the others.
(function () {
  "use strict";

  const { element, Editor } = window.finisher;

  function picture(path) {
    const made = element("span", { class: "finisher-icon", "aria-hidden": "true" });
    made.innerHTML = `<svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"><path d="${path}"/></svg>`;
    return made;
  }
  const PEN = "M2.5 13.5l.7-3L10.5 3.2l2.3 2.3-7.3 7.3-3 .7zM9 4.7L11.3 7";

  Object.assign(Editor.prototype, {
    here(controls) { return controls.filter((control) => !control.tabs || control.tabs.includes(this.tab)); },

    row(stage) {
      const on = this.values.enabled(stage), open = this.open.has(stage.name);
      const id = `finisher-${this.tab}-${stage.name}`;
      const control = this.values.switchOf(stage);
      const toggle = stage.enabled === undefined ? null : element("input", {
        type: "checkbox", id: `${id}-on`, checked: on, "aria-describedby": `${id}-on-mark ${id}-help`,
        onchange: (event) => { this.set(stage, false, control, event.target.checked); this.draw(); },
      });
      // What a quick choice switches stands at the choice itself, which is pressed.
      const quick = toggle && window.finisher.marks.ofQuickChoice(this, stage, control);
      const mark = toggle && !quick ? window.finisher.mark(this, stage, control, undefined, `${id}-on`) : null;
      const ofPass = Boolean(stage.passes);
      const fields = (controls, inPass) => this.here(controls).filter((item) => item.prominent)
        .map((item) => window.finisher.field(this, stage, inPass, item, `${id}-row`, on));
      const count = ofPass && this.passes(stage).length > 1
        ? `Pass ${this.chosenPass(stage) + 1} of ${this.passes(stage).length}. ` : null;
      const pen = element("button", {
        type: "button", class: "finisher-pen", id: `${id}-pen`, "aria-expanded": String(open), "aria-controls": `${id}-more`,
        "aria-label": `All settings of ${stage.label}`, title: open ? `Close ${stage.label}` : `All settings of ${stage.label}`,
        onclick: () => { open ? this.open.delete(stage.name) : this.open.add(stage.name); this.draw(); },
      }, picture(PEN));
      const head = element("div", { class: "finisher-head" },
        element("div", { class: "finisher-name" },
          element(toggle ? "label" : "div", { class: "finisher-stage" }, toggle, element("span", {}, stage.label)), mark),
        element("small", { class: "finisher-help", id: `${id}-help` }, count, stage.help), pen);
      const prominent = [...(ofPass ? fields(stage.passes.controls, true) : []), ...fields(stage.controls, false)];
      return element("div", { class: on ? "finisher-row" : "finisher-row finisher-off", role: "group", "aria-label": stage.label }, head,
        prominent.length ? element("div", { class: "finisher-prominent finisher-fields" }, ...prominent) : null,
        open ? this.details(stage, `${id}-more`) : null);
    },

    details(stage, id) {
      const body = element("div", { class: "finisher-more", id });
      const rest = this.here(stage.controls).filter((control) => !control.prominent);
      if (stage.passes) {
        body.append(this.passBar(stage, id));
        for (const more of window.finisher.more[stage.name] || []) body.append(...more(this, stage, id));
        body.append(...this.groups(stage, true, stage.passes.controls.filter((control) => !control.prominent), id));
      }
      body.append(...this.groups(stage, false, rest, id));
      return body;
    },

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
          ...members.map((control) => window.finisher.field(this, stage, ofPass, control, id, true)));
        if (!name) return fields;
        const key = `${stage.name}/${name}`;
        const changed = members.filter((control) => this.values.changed(stage, control, at)).length;
        const summary = element("summary", {}, name, changed ? element("small", {}, ` ${changed} changed`) : "");
        return element("details", {
          class: "finisher-group", id: `${id}-group-${name.toLowerCase().replace(/\W+/g, "-")}`, open: this.unfolded.has(key),
          ontoggle: (event) => { event.target.open ? this.unfolded.add(key) : this.unfolded.delete(key); },
        }, summary, fields);
      });
    },

    passBar(stage, id) {
      const passes = this.passes(stage), chosen = this.chosenPass(stage);
      const select = (index) => { this.chosen[stage.name] = index; this.draw(); };
      // Asked for anew: what was typed since this was drawn counts.
      const replace = (edit, index) => {
        const list = edit(this.values.taken(stage));
        this.drafts.clear();
        this.change(stage, (settings) => {
          settings.passes = list;
          this.values.settle(settings, stage);
        });
        select(index);
      };
      const bar = element("div", { class: "finisher-passes", role: "group", "aria-label": `Passes of ${stage.label}` });
      passes.forEach((_, index) => bar.append(element("button", {
        type: "button", id: `${id}-pass-${index}`, "aria-pressed": String(index === chosen), onclick: () => select(index),
      }, `Pass ${index + 1}`)));
      bar.append(element("button", {
        type: "button", id: `${id}-add`, "aria-label": "Add a copy of this pass", title: "Add a copy of this pass", disabled: passes.length >= stage.passes.most,
        onclick: () => replace((now) => [...now.slice(0, chosen + 1), { ...now[chosen] }, ...now.slice(chosen + 1)], chosen + 1),
      }, "+"));
      bar.append(element("button", {
        type: "button", id: `${id}-remove`, "aria-label": "Remove this pass", title: "Remove this pass", disabled: passes.length < 2,
        onclick: () => replace((now) => now.filter((_, index) => index !== chosen), Math.max(0, chosen - 1)),
      }, "−"));
      return bar;
    },
  });
})();
