// The regions panel in the open row of Detail: what its selected pass finds, ticks, a redraw of only that, and for each
// region keep, undo or another seed. The server is asked through hidden parts of the accordion (finisher_page.js).
(function () {
  "use strict";

  const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
  const find = (selector) => root().querySelector(selector);
  const { element, page } = window.finisher;
  const { given, inGallery, fileOf, fieldsOf, stylesOf, intoImg2img, ask } = page;
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const EVERY = 400;

  // Texts like "face, 2" and "2=1, 3=4", as the pass's controls hold them.

  const words = (text) => String(text || "").split(",").map((word) => word.trim()).filter(Boolean);
  const isNumber = (word) => /^\d+$/.test(word);

  function withNumber(text, number, present) {
    const kept = words(text).filter((word) => !isNumber(word) || Number(word) !== number);
    if (present) kept.push(String(number));
    const numbers = kept.filter(isNumber).map(Number).sort((one, other) => one - other);
    return [...kept.filter((word) => !isNumber(word)), ...numbers].join(", ");
  }

  function reseeded(text, number) {
    const added = new Map();
    for (const word of words(text)) {
      const [which, much] = word.split("=").map((part) => Number(part.trim()));
      if (Number.isInteger(which) && Number.isInteger(much)) added.set(which, much);
    }
    added.set(number, (added.get(number) || 0) + 1);
    return [...added].sort((one, other) => one[0] - other[0]).map(([which, much]) => `${which}=${much}`).join(", ");
  }

  class Panel {
    constructor(editor, stage, id) {
      this.editor = editor;
      this.tab = editor.tab;
      this.stage = stage;
      this.id = `${id}-regions`;
      this.boxes = true;
      this.busy = false;
      this.task = "";
      this.make();
    }

    make() {
      const button = (name, text, title, act) => element("button", {
        type: "button", id: `${this.id}-${name}`, title, onclick: () => this.run(act),
      }, text);
      this.source = element("select", { id: `${this.id}-source`, "aria-label": "Picture", title: "Which picture is looked at." },
        ...(this.tab === "img2img" ? [["input", "input picture"], ["result", "result in the gallery"]] : [["result", "result in the gallery"]])
          .map(([value, text]) => element("option", { value }, text)));
      this.parts = {
        detect: button("detect", "Detect", "Shows what the selected pass finds, without redrawing anything.", () => this.detect()),
        redraw: button("redraw", "Redraw these", "Redraws the ticked regions of this picture; the other stages stay out.", () => this.redraw()),
        stop: element("button", { type: "button", id: `${this.id}-stop`, onclick: () => this.stop() }, "Stop"),
        compare: element("button", {
          type: "button", id: `${this.id}-compare`, "aria-pressed": "false", title: "Also: hold the picture.",
          onclick: () => this.showBefore(!this.before),
        }, "Show before"),
        save: button("save", "Save", "Saves the result in the tab's output folder.", () => this.save()),
        input: button("input", "Use as input", "Puts the result into img2img.", () => this.useAsInput()),
        close: element("button", { type: "button", id: `${this.id}-close`, onclick: () => this.clear() }, "Close"),
      };
      const boxes = element("input", { type: "checkbox", id: `${this.id}-boxes`, checked: true, onchange: (event) => {
        this.boxes = event.target.checked;
        this.layers();
      } });
      this.boxesLabel = element("label", { for: boxes.id }, boxes, "Boxes");
      this.status = element("p", { class: "finisher-regions-status", role: "status", id: `${this.id}-status` });
      this.bar = element("div", { class: "finisher-regions-bar" }, element("div", {}));
      this.figure = element("div", { class: "finisher-regions-picture" });
      this.list = element("ul", { class: "finisher-regions-list" });
      this.first = element("div", { class: "finisher-regions-bar-of-buttons" },
        element("strong", {}, "Regions"), this.tab === "img2img" ? this.source : null, this.parts.detect, this.parts.redraw, this.parts.stop);
      this.last = element("div", { class: "finisher-regions-bar-of-buttons" },
        this.parts.compare, this.boxesLabel, this.parts.save, this.parts.input, this.parts.close);
      this.root = element("section", { class: "finisher-regions", id: this.id, "aria-label": "Regions" },
        this.first, this.status, this.bar, this.figure, this.list, this.last);
      this.draw();
    }

    // The pass that is selected in the editor, counted from 1.
    pass() { return this.editor.chosenPass(this.stage) + 1; }

    value(name) { return (this.editor.passes(this.stage)[this.pass() - 1] || {})[name] || ""; }

    set(name, value) {
      const control = this.stage.passes.controls.find((item) => item.name === name);
      this.editor.set(this.stage, true, control, value);
      this.editor.draw();
    }

    clear() {
      this.seen = this.result = null;
      this.told = "";
      this.draw();
    }

    // One thing at a time; whatever goes wrong is said in the panel.
    async run(act) {
      if (this.busy) return;
      const had = this.root.contains(document.activeElement) ? document.activeElement.id : "";
      this.busy = true;
      this.draw();
      try {
        await act();
      } catch (error) {
        this.told = error.message || String(error);
        this.wrong = true;
      }
      await window.finisher.hold.free();
      this.busy = false;
      this.task = "";
      this.draw();
      // What is disabled meanwhile loses the focus.
      const again = had && document.activeElement === document.body && document.getElementById(had);
      if (again) again.focus({ preventScroll: true });
    }

    say(text) {
      this.told = text;
      this.wrong = false;
      this.draw();
    }

    async detect() {
      const from = this.tab === "img2img" ? this.source.value : "result";
      const image = from === "input" ? given() : inGallery(this.tab);
      if (!image) {
        throw new Error(from === "input" ? "There is no picture in img2img yet." : "There is no picture in the gallery yet: generate one first.");
      }
      this.say("Looking …");
      const typed = from === "input" && Boolean((fieldsOf(this.tab).prompt || "").trim());
      const shown = find(`#html_info_${this.tab}`);
      const infotext = from === "result" && shown ? shown.innerText.trim() : "";
      const picture = { url: image.src, key: "", typed, infotext };
      this.result = null;
      this.picture = picture;
      this.seen = null;
      await this.look();
    }

    async look() {
      const answer = await this.send("look");
      this.seen = answer;
      const count = answer.rows.filter((row) => row.redrawn).length;
      this.say(answer.rows.length ? `${answer.rows.length} found, ${count} to be redrawn.` : "Nothing was found.");
    }

    async send(how, task) {
      const request = async (whole) => ({
        key: whole ? undefined : this.picture.key, picture: whole ? await fileOf(this.picture.url) : undefined,
        infotext: this.picture.infotext, recipe: this.editor.recipe, pass: this.pass(), base: fieldsOf(this.tab),
        styles: stylesOf(this.tab), typed: this.picture.typed,
      });
      let answer = await ask(this.tab, how, await request(!this.picture.key), task);
      if (answer.forgotten) answer = await ask(this.tab, how, await request(true), task);
      if (answer.problems) throw new Error(answer.problems.join(" "));
      this.picture.key = answer.key;
      return answer;
    }

    async redraw() {
      this.task = page.tasks[this.tab] = `task(finisher-${Math.random().toString(36).slice(2)})`;
      this.say("Redrawing …");
      this.hostButtons(false);
      const following = this.follow(this.task);
      try {
        const answer = await this.send("draw", this.task);
        this.seen = answer;
        this.result = answer;
        this.before = false;
        const did = answer.sampled ? `${answer.sampled} sampled in ${answer.seconds} s` : "nothing had to be sampled";
        this.say([answer.error, answer.told, did].filter(Boolean).join("; ") + ".");
        this.wrong = Boolean(answer.error);
      } finally {
        this.task = page.tasks[this.tab] = "";
        this.hostButtons(true);
        await following;
      }
    }

    // The host's own Interrupt and Skip, while they have something to stop.
    hostButtons(idle) {
      if (typeof showSubmitButtons === "function") showSubmitButtons(this.tab, idle);
    }

    stop() {
      const button = find(`#finisher_${this.tab}_stop`);
      if (button && this.task) button.click();
    }

    async follow(task) {
      const inner = this.bar.firstChild;
      while (this.task === task) {
        try {
          const answer = await fetch("./internal/progress", {
            method: "POST", headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ id_task: task, live_preview: false }),
          });
          const told = await answer.json();
          if (this.task !== task) break;
          inner.style.width = `${Math.round((told.progress || 0) * 100)}%`;
          if (told.queued || told.active) this.status.textContent = told.textinfo || "Redrawing …";
        } catch (error) { /* the answer itself will tell */ }
        await pause(EVERY);
      }
      inner.style.width = "0";
    }

    // Ticks and buttons: the recipe says it, and the picture is composed again where there is a result.

    async tick(row, on) {
      this.set("exclude", withNumber(this.value("exclude"), row.number, !on));
      if (on && words(this.value("only")).some(isNumber)) this.set("only", withNumber(this.value("only"), row.number, true));
      await this.again();
    }

    async another(row) {
      this.set("reseed", reseeded(this.value("reseed"), row.number));
      if (!row.ticked) this.set("exclude", withNumber(this.value("exclude"), row.number, false));
      await this.redraw();
    }

    again() { return this.result ? this.redraw() : this.look(); }

    async save() {
      const answer = await ask(this.tab, "save", { picture: this.result.image });
      if (answer.problems) throw new Error(answer.problems.join(" "));
      this.say(`Saved: ${answer.saved}`);
    }

    async useAsInput() {
      await intoImg2img(this.result.image);
      await window.finisher.hold.free();
      this.say("The result is the input of img2img now.");
    }
  }

  window.finisher.RegionsPanel = Panel;
  const panels = {};

  (window.finisher.more.detail ||= []).push((editor, stage, id) => {
    if (!find(`#finisher_${editor.tab}_look`)) return [];
    const kept = panels[editor.tab];
    // The editor draws itself anew at every change; the panel and what it shows stay.
    if (!kept || kept.editor !== editor) panels[editor.tab] = new Panel(editor, stage, id);
    const panel = panels[editor.tab];
    // What it shows belongs to one pass; a tick must never be written into another.
    if (panel.seen && panel.seen.pass !== panel.pass() && !panel.busy) panel.clear();
    return [panel.root];
  });
})();
