// What finishing would cost, under all stages: asked for when it is opened, and anew while it is open.
(function () {
  "use strict";

  const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
  const find = (selector) => root().querySelector(selector);
  const { element } = window.finisher;
  const QUIET = 700;

  class Cost {
    constructor(editor) {
      this.editor = editor;
      this.id = `finisher-${editor.tab}-cost`;
      this.short = element("small");
      this.body = element("div", { role: "status", id: `${this.id}-told` });
      this.root = element("details", {
        class: "finisher-group finisher-cost", id: this.id,
        ontoggle: (event) => { this.open = event.target.open; if (this.open) this.ask(); },
      }, element("summary", {}, "Cost", this.short), this.body);
    }

    // Finish only takes the picture as it is; otherwise the sliders say how large it will be.
    size() {
      const { table, values } = this.editor;
      const only = table.base && values.value(table.base, { name: "finish_only", default: false });
      const picture = this.editor.tab === "img2img" && only ? window.finisher.page.given() : null;
      if (picture) return [picture.naturalWidth, picture.naturalHeight];
      const side = (name) => Math.round(Number((find(`#${this.editor.tab}_${name} input[type=number]`) || {}).value));
      return [side("width"), side("height")];
    }

    later() {
      clearTimeout(this.waiting);
      if (this.open) this.waiting = setTimeout(() => this.ask(), QUIET);
    }

    async ask() {
      if (this.busy) { this.later(); return; }
      this.busy = true;
      this.root.classList.add("finisher-left");
      const steps = window.finisher.page.fieldsOf(this.editor.tab).steps;
      const request = { recipe: this.editor.recipe, size: this.size(), ...(steps ? { steps } : {}) };
      let answer = {};
      try {
        answer = await window.finisher.page.ask(this.editor.tab, "plan", request);
      } catch (error) {
        answer = { problems: [error.message] };
      }
      this.busy = false;
      this.root.classList.remove("finisher-left");
      this.tell(answer);
    }

    tell(answer) {
      if (!answer.steps) {
        this.short.textContent = "";
        this.body.replaceChildren(element("p", { class: "finisher-help" }, (answer.problems || []).join(" ")));
        return;
      }
      const total = answer.total, seconds = total.seconds;
      const time = seconds === null ? "no time known yet on this machine" : `about ${seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`} of sampling`;
      this.short.textContent = ` ${answer.before.join(" × ")} → ${answer.size.join(" × ")}, ${total.host_calls} calls, ${total.megapixel_steps.toFixed(1)} megapixel-steps, ${time}`;
      const cells = (tag, texts) => element("tr", {}, ...texts.map((text) => element(tag, {}, text)));
      const rows = answer.steps.filter((step) => step.runs || step.estimate).map((step) => cells("td", [
        step.label, step.size.join(" × "), step.patches || "", step.host_calls || "", step.megapixel_steps ? step.megapixel_steps.toFixed(1) : "", step.reason,
      ].map(String)));
      this.body.replaceChildren(
        element("table", {}, element("thead", {}, cells("th", ["", "size after", "patches", "calls", "megapixel-steps", ""])), element("tbody", {}, ...rows)),
        element("p", { class: "finisher-help" }, "Detail is counted when faces are known: one canvas of the model's size for each."));
    }
  }

  const kept = {};

  window.finisher.foot.push((editor) => {
    if (!find(`#finisher_${editor.tab}_plan`)) return [];
    const before = kept[editor.tab];
    if (!before || before.editor !== editor) kept[editor.tab] = new Cost(editor);
    return [kept[editor.tab].root];
  });
  window.finisher.changed.push((editor) => { if (kept[editor.tab]) kept[editor.tab].later(); });
})();
