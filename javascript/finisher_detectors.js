// The catalogue of detectors in the open row of Detail: which there are, what each is for, and fetching one when asked.
(function () {
  "use strict";

  const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
  const { element } = window.finisher;
  const MEGA = 1e6;

  // The server's list of detectors, after fetching one where one is named. Every control that takes a detector knows it then.
  async function asked(editor, request) {
    let answer = {};
    try {
      answer = await window.finisher.page.ask(editor.tab, "detectors", request);
    } catch (error) {
      answer = { problems: [error.message] };
    }
    const names = editor.table.choices.detector;
    if (answer.detectors && names) {
      names.splice(0, names.length, ...answer.detectors.filter((item) => item.present).map((item) => item.name));
    }
    return answer;
  }

  class Catalogue {
    constructor(editor, stage, id) {
      this.editor = editor;
      this.stage = stage;
      this.id = `${id}-catalogue`;
      this.status = element("p", { class: "finisher-help", role: "status", id: `${this.id}-status` });
      this.list = element("ul", { class: "finisher-catalogue-list" });
      this.root = element("details", {
        class: "finisher-group finisher-catalogue", id: this.id,
        ontoggle: (event) => { if (event.target.open && !this.known) this.ask({}, "Looking…"); },
      }, element("summary", {}, "Detectors", element("small", {}, " which there are, and fetching more")), this.status, this.list);
    }

    async ask(request, meanwhile) {
      if (this.busy) return;
      this.busy = true;
      this.status.textContent = meanwhile;
      this.draw();
      const answer = await asked(this.editor, request);
      this.busy = false;
      this.status.textContent = (answer.problems || []).join(" ") || (answer.name ? `${answer.name} is here now.` : "");
      if (answer.detectors) {
        this.known = answer.detectors;
        if (answer.name) this.editor.drawWhenQuiet();
      }
      this.draw();
    }

    draw() {
      this.list.replaceChildren(...(this.known || []).map((item) => this.row(item)));
    }

    row(item) {
      const told = [item.target, item.style, item.trade_off].filter(Boolean).join(" · ");
      const origin = [
        item.size ? `${(item.size / MEGA).toFixed(1)} MB` : "", item.source ? `from ${item.source.replace("https://", "")}` : "",
        item.sha256 ? `sha256 ${item.sha256.slice(0, 12)}…` : "", item.licence,
      ].filter(Boolean).join(", ");
      const choose = element("button", {
        type: "button", title: `Use ${item.name} in the selected pass`, disabled: this.busy,
        onclick: () => this.use(item.name),
      }, "Use");
      const fetch = element("button", {
        type: "button", title: `Fetch ${item.name}: ${origin} (${item.sha256})`, disabled: this.busy,
        onclick: () => this.ask({ name: item.name }, `Fetching ${item.name}…`),
      }, "Fetch");
      return element("li", { class: item.present ? "" : "finisher-left" },
        element("span", {}, element("b", {}, item.name), ` ${told}`, element("small", {}, item.why_not || origin),
          !item.present && item.fetchable ? element("small", {}, origin) : null),
        item.present ? choose : item.fetchable ? fetch : null);
    }

    use(name) {
      const control = this.stage.passes.controls.find((item) => item.name === "detector");
      this.editor.set(this.stage, true, control, name);
      this.editor.draw();
    }
  }

  window.finisher.fetchDetector = (editor, name) => asked(editor, { name });

  const kept = {};

  (window.finisher.more.detail ||= []).push((editor, stage, id) => {
    if (!root().querySelector(`#finisher_${editor.tab}_detectors`)) return [];
    const before = kept[editor.tab];
    // The editor draws itself anew at every change; what was asked for stays.
    if (!before || before.editor !== editor) kept[editor.tab] = new Catalogue(editor, stage, id);
    return [kept[editor.tab].root];
  });
})();
