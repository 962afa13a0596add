// What the buttons of the line of presets do: choosing, dropping the user's changes, saving, and taking any of it back.
(function () {
  "use strict";

  const { times, Presets } = window.finisher;

  Object.assign(Presets.prototype, {
    choose() {
      const before = this.editor.recipe, choice = JSON.parse(this.select.value);
      const { preset, ...rest } = before;
      this.editor.replace(choice === "auto" ? rest : { preset: choice, ...rest });
      this.select.focus();
    },

    drop() {
      const before = this.editor.recipe, count = this.count();
      this.editor.replace(this.editor.values.bare());
      this.tell(`${times(count, "change")} dropped.`, () => { this.bringBack(before); this.tell("Your changes are back."); });
      this.status.querySelector("button").focus();
    },

    bringBack(recipe) { this.editor.replace(this.editor.values.restored(recipe)); },

    // Something that changes presets. Answers null where it was refused, which is told.
    async act(request, told, undone) {
      let answer = null;
      this.tell("");
      try {
        answer = await this.ask(request);
      } catch (error) {
        this.tell(error.message, null, true);
        return null;
      }
      for (const other of Object.values(window.finisher.presets)) other.stale = other !== this;
      if (undone !== "later") await this.afterwards(answer, told, undone);
      return answer;
    },

    async afterwards(answer, told, undone) {
      await this.show();
      const undo = answer.undo && answer.undo.length ? () => this.takeBack(answer.undo, undone) : null;
      this.tell(told, undo);
    },

    async takeBack(requests, undone) {
      for (const request of requests) if (!await this.act(request, "", "later")) return;
      if (undone) undone();
      await this.show();
      this.tell("Taken back.");
    },

    async save(target) {
      const before = this.editor.recipe, sent = JSON.stringify(before);
      const answer = await this.act({ action: "save", recipe: before, ...target }, "", "later");
      if (!answer) return false;
      const { name } = answer.saved, { preset, ...rest } = this.editor.recipe;
      const asSent = JSON.stringify(this.editor.recipe) === sent;
      this.editor.recipe = target.layer === "chosen" ? { preset: name, ...rest } : rest;
      const left = JSON.stringify(this.editor.recipe);
      await this.show();
      // Both waits leave time for another change, which is not in the preset.
      const values = this.editor.values, same = asSent && JSON.stringify(this.editor.recipe) === left;
      this.editor.replace(same && !answer.masked.length ? values.bare() : values.pruned(this.editor.sections));
      const whom = window.finisher.marks.forWhom(target.layer, this.known && this.known.checkpoint, name);
      this.tell(`Saved in ${name}, ${target.layer === "chosen" ? "now chosen" : whom}.${this.hidden(answer.masked)}`,
        () => this.takeBack(answer.undo, () => this.bringBack(before)), answer.masked.length > 0);
      return true;
    },

    hidden(masked) {
      if (!masked.length) return "";
      const places = [...new Set(masked.map((item) => window.finisher.labelOf(this.editor, item.path)))];
      const who = [...new Set(masked.map((item) => item.preset).filter(Boolean))].join(", ");
      const more = places.length > 3 ? ` and ${places.length - 3} more` : "";
      return ` ${who || "A stronger preset"} says otherwise and is stronger: ${places.slice(0, 3).join(", ")}${more}. That stays your change.`;
    },
  });
})();
