// What a control is worth: the user's own value over what the checkpoint inherits, and where each comes from.
(function () {
  "use strict";

  const OUTSIDE = ["preset", "pasted", "version", "family"];
  const PRESETS = ["everything", "variant", "checkpoint", "chosen"];
  const YOU = { layer: "you", preset: "" }, DEFAULT = { layer: "default", preset: "" };

  // `recipe` holds only the user's own values and the chosen presets. `known` is the server's answer to "show" (see
  // lib_finisher/api/presets.py), null until there is one: then the table's defaults are what is inherited; `expected`
  // says that there will be one.
  class Values {
    constructor(version) {
      this.version = version;
      this.recipe = this.empty();
      this.known = null;
      this.expected = false;
    }

    // A recipe that says nothing: what it leaves out has the defaults of today.
    empty() {
      return { version: this.version };
    }

    own(stage) {
      const own = this.recipe[stage.name];
      return own && typeof own === "object" && !Array.isArray(own) ? own : {};
    }

    ownPasses(stage) {
      const own = this.own(stage).passes;
      return Array.isArray(own) && own.length ? own : null;
    }

    inherited(stage) {
      return (this.known && this.known.inherited[stage.name]) || {};
    }

    inheritedPasses(stage) {
      return this.inherited(stage).passes || (stage.passes ? stage.passes.default : []);
    }

    passes(stage) {
      return this.ownPasses(stage) || this.inheritedPasses(stage);
    }

    // What a pass has where the list says nothing.
    passDefault(stage, name) {
      const known = this.known && this.known.pass_defaults[stage.name];
      if (known && name in known) return known[name];
      const control = stage.passes && stage.passes.controls.find((item) => item.name === name);
      return control ? control.default : undefined;
    }

    inheritedInPass(stage, name, index) {
      const item = this.inheritedPasses(stage)[index];
      return item && item[name] !== undefined ? item[name] : this.passDefault(stage, name);
    }

    // What a control is without the user; `index` is the pass it belongs to, undefined for one of the stage.
    below(stage, control, index) {
      if (index !== undefined) return this.inheritedInPass(stage, control.name, index);
      const value = this.inherited(stage)[control.name];
      return value === undefined ? control.default : value;
    }

    value(stage, control, index) {
      const own = index === undefined ? this.own(stage) : (this.ownPasses(stage) || [])[index];
      if (own && own[control.name] !== undefined) return own[control.name];
      // A pass of a list that is the user's follows no preset.
      return own && index !== undefined ? this.passDefault(stage, control.name) : this.below(stage, control, index);
    }

    changed(stage, control, index) {
      if (index === undefined) return this.own(stage)[control.name] !== undefined;
      const list = this.ownPasses(stage);
      return Boolean(list) && this.saysMore(stage, list[index] || {}, index, control.name);
    }

    originBelow(stage, control, index) {
      const origins = this.known ? this.known.inherited_origins : {};
      const found = origins[index === undefined ? `${stage.name}.${control.name}` : `${stage.name}.passes.${index + 1}.${control.name}`];
      return found ? { layer: found[0], preset: found[1] } : DEFAULT;
    }

    origin(stage, control, index) {
      return this.changed(stage, control, index) ? YOU : this.originBelow(stage, control, index);
    }

    enabled(stage) {
      if (stage.enabled === undefined) return true;
      return Boolean(this.value(stage, this.switchOf(stage)));
    }

    switchOf(stage) {
      return { name: "enabled", label: stage.label, kind: "switch", default: stage.enabled };
    }

    // Editing. Each changes `settings`, what the user says of a stage.

    // `typed` says that the value is meant also where it is the inherited one.
    set(settings, stage, control, value, index, typed) {
      // Without the server nobody knows the family's default, so a value that could vary with it stays chosen.
      const free = !typed && (this.known || !(control.varies || this.expected));
      if (index === undefined) {
        if (free && value === this.below(stage, control)) delete settings[control.name];
        else settings[control.name] = value;
        return settings;
      }
      settings.passes = this.taken(stage);
      const target = settings.passes[index];
      if (free && value === this.passDefault(stage, control.name)) delete target[control.name];
      else target[control.name] = value;
      return target;
    }

    // The list of passes as the user's own: each names what it would not have by itself.
    taken(stage) {
      const own = this.ownPasses(stage);
      return own || !this.known ? this.passes(stage).map((item) => ({ ...item })) : this.takenOver(stage);
    }

    takenOver(stage) {
      return this.inheritedPasses(stage).map((item, index) => Object.fromEntries(Object.entries(item).filter(([name, value]) => {
        const control = stage.passes.controls.find((one) => one.name === name) || { name };
        // What a preset says goes on holding when the next checkpoint's family has another default.
        const said = control.varies && (PRESETS.includes(this.originBelow(stage, control, index).layer) || this.originBelow(stage, control, index).preset);
        return said || value !== this.passDefault(stage, name);
      })));
    }

    // A list that became what is inherited is not the user's any more.
    settle(settings, stage) {
      if (settings.passes && this.asInherited(stage, settings.passes)) delete settings.passes;
    }

    asInherited(stage, list) {
      const there = this.inheritedPasses(stage);
      if (!this.known) return JSON.stringify(list) === JSON.stringify(there);
      return list.length === there.length && list.every((item, index) => this.differing(stage, item, index) === 0);
    }

    differing(stage, item, index) {
      const names = new Set([...Object.keys(item), ...Object.keys(this.inheritedPasses(stage)[index] || {})]);
      return [...names].filter((name) => this.saysMore(stage, item, index, name)).length;
    }

    // Whether a pass has another value than is inherited, or names one that it would have anyway: that was typed.
    saysMore(stage, item, index, name) {
      const value = item[name] === undefined ? this.passDefault(stage, name) : item[name];
      if (value !== this.inheritedInPass(stage, name, index)) return true;
      return Boolean(this.known) && item[name] !== undefined && index < this.inheritedPasses(stage).length
        && (this.takenOver(stage)[index] || {})[name] === undefined;
    }

    // All of the user's values together

    sections() {
      return Object.keys(this.recipe).filter((name) => !OUTSIDE.includes(name));
    }

    edits(stages) {
      let count = 0;
      for (const name of this.sections()) {
        const stage = stages.find((item) => item.name === name) || { name };
        const own = this.own(stage), list = this.ownPasses(stage);
        count += Object.keys(own).filter((key) => key !== "passes").length;
        if (!list) continue;
        const there = this.inheritedPasses(stage);
        const inside = list.slice(0, there.length).reduce((sum, item, index) => sum + this.differing(stage, item, index), 0);
        count += Math.max(1, inside + Math.abs(list.length - there.length));
      }
      return count;
    }

    // What the recipe says besides the stages: which presets are chosen, and which version's defaults stand below.
    outside() {
      return Object.fromEntries(Object.entries(this.recipe).filter(([name]) => OUTSIDE.includes(name)));
    }

    // The recipe without the user's values: what is left says which presets are chosen.
    bare() {
      const { preset } = this.recipe;
      return preset === undefined ? this.empty() : { ...this.empty(), preset };
    }

    // What was dropped or saved comes back under what has been changed since, which stays.
    restored(before) {
      const back = { ...before };
      for (const name of this.sections()) back[name] = { ...before[name], ...this.recipe[name] };
      return back;
    }

    // The recipe without those of the user's values that are inherited by now.
    pruned(stages) {
      const left = this.outside();
      for (const name of this.sections()) {
        const stage = stages.find((item) => item.name === name) || { name };
        const own = Object.entries(this.own(stage)).filter(([key, value]) => (key === "passes"
          ? !this.asInherited(stage, value) : value !== this.inherited(stage)[key]));
        if (own.length) left[name] = Object.fromEntries(own);
      }
      return left;
    }
  }

  window.finisher.Values = Values;
})();
