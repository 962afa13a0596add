// What finishing would cost, under all stages: asked for when it is opened, and anew while it is open.
(function () {
  "use strict";

  const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
  const find = (selector) => root().querySelector(selector);
  const { element, times } = window.finisher;
  const QUIET = 700;
  const NO_PICTURE = 'Not counted: "Resize by" reckons from the size of the picture, and this tab shows none.';

  // What a model gives back has sides of whole latent cells.
  const cells = (side) => Math.floor(side / 8) * 8;

  // As the host's calculate_target_resolution, and what its second pass cuts off at the edges.
  function hires([width, height], scale, wanted) {
    // Its old way takes the sliders for the size after the second pass.
    const [x, y] = typeof opts === "object" && opts.use_old_hires_fix_width_height ? [width, height] : wanted;
    if (!x && !y) return [cells(Math.trunc(width * scale)), cells(Math.trunc(height * scale))];
    const byWidth = x && (!y || width / height < x / y);
    const enlarged = byWidth ? [x, Math.floor(x * height / width)] : [Math.floor(y * width / height), y];
    return enlarged.map((side, axis) => cells(side) - (x && y ? cells(side - [x, y][axis]) : 0));
  }

  const spent = (seconds) => `about ${seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`}`;

  class Cost {
    constructor(editor) {
      this.editor = editor;
      this.id = `finisher-${editor.tab}-cost`;
      this.short = element("small");
      this.body = element("div", { role: "status", id: `${this.id}-told` });
      this.root = element("details", {
        class: "finisher-group finisher-cost", id: this.id,
        ontoggle: (event) => {
          this.open = event.target.open;
          clearInterval(this.watching);
          if (!this.open) return;
          this.ask();
          this.watching = setInterval(() => this.look(), QUIET);
        },
      }, element("summary", {}, "Cost", this.short), this.body);
    }

    // Finish only takes the picture as it is; otherwise the host's fields say how large it will be. Null where they
    // reckon from a picture that the page does not show.
    size() {
      const { tab, table, values } = this.editor;
      const number = (name) => Number((find(`#${tab}_${name} input[type=number]`) || {}).value);
      const sliders = [number("width"), number("height")].map(Math.round);
      if (tab === "txt2img") {
        const twice = (find("#txt2img_hr-checkbox input") || {}).checked;
        return twice ? hires(sliders, number("hr_scale"), [number("hr_resize_x"), number("hr_resize_y")]) : sliders.map(cells);
      }
      const picture = window.finisher.page.given(), by = find("#img2img_tab_resize_by");
      if (table.base && values.value(table.base, { name: "finish_only", default: false })) {
        return picture ? [picture.naturalWidth, picture.naturalHeight] : sliders;
      }
      if (!by || by.style.display === "none") return sliders.map(cells);
      return picture ? [picture.naturalWidth, picture.naturalHeight].map((side) => cells(Math.trunc(side * number("scale")))) : null;
    }

    // What the host's own fields say.
    base() {
      const steps = window.finisher.page.fieldsOf(this.editor.tab).steps;
      return { size: this.size(), ...(steps ? { steps } : {}) };
    }

    // Those fields tell nobody when the server sets them. What is still being typed is not asked for.
    look() {
      if (this.busy || this.root.offsetParent === null) return;
      const now = JSON.stringify(this.base());
      if (now !== this.asked && now === this.seen) this.ask();
      this.seen = now;
    }

    later() {
      clearTimeout(this.waiting);
      if (this.open) this.waiting = setTimeout(() => this.ask(), QUIET);
    }

    async ask() {
      if (this.busy) { this.later(); return; }
      const base = this.base();
      this.asked = JSON.stringify(base);
      if (!base.size) { this.tell({ problems: [NO_PICTURE] }); return; }
      this.busy = true;
      this.root.classList.add("finisher-left");
      const request = { recipe: this.editor.recipe, ...base };
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
      const { total } = answer, work = total.megapixel_steps;
      this.short.textContent = ` ${[
        total.seconds === null ? "" : spent(total.seconds), `${answer.before.join(" × ")} → ${answer.size.join(" × ")}`,
        total.host_calls ? times(total.host_calls, "model call") : "no sampling",
      ].filter(Boolean).join(", ")}`;
      const share = (step) => (total.seconds === null || !work || !step.megapixel_steps ? "" : spent(total.seconds * step.megapixel_steps / work));
      const steps = answer.steps.filter((step) => step.runs || step.estimate);
      // A column in which nothing stands is left out.
      const columns = [
        ["stage", (step) => step.label], ["time", share], ["size after", (step) => step.size.join(" × ")],
        ["crops", (step) => step.patches || ""], ["model calls", (step) => step.host_calls || ""],
        ["sampling work", (step) => (step.megapixel_steps ? step.megapixel_steps.toFixed(1) : "")], ["note", (step) => step.reason],
      ].map(([head, of]) => [head, steps.map((step) => String(of(step)))]).filter(([, texts]) => texts.some(Boolean));
      const row = (tag, texts) => element("tr", {}, ...texts.map((text, index) => element(tag, { "data-head": columns[index][0] }, text)));
      this.body.replaceChildren(
        element("table", {}, element("thead", {}, row("th", columns.map(([head]) => head))),
          element("tbody", {}, ...steps.map((_, index) => row("td", columns.map(([, texts]) => texts[index]))))),
        element("p", { class: "finisher-help" }, [
          "Sampling work is megapixels times steps.", total.seconds === null ? "How long it takes is known after the first run on this machine." : "",
          "Detail is not counted: how many faces there will be is known only then.",
        ].filter(Boolean).join(" ")));
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
