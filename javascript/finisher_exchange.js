// Presets as files: exporting them, and bringing them in after a look at what that would do.
(function () {
  "use strict";

  const { element } = window.finisher;
  const STATES = { new: "new", same: "is here already", differs: "another of that name is here", locked: "locked here" };
  const HOW = { keep: "keep mine", replace: "replace mine", rename: "rename the new ones" };

  function download(name, text) {
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    element("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  class Exchange {
    constructor(presets, id) {
      const { button } = window.finisher;
      this.presets = presets;
      this.id = `${id}-exchange`;
      this.text = element("textarea", {
        id: `${this.id}-text`, rows: "3", "aria-label": "Presets as text, or a picture's infotext",
        placeholder: "The text of a preset file, or a picture's infotext",
      });
      this.name = element("input", { type: "text", id: `${this.id}-name`, maxlength: "300", placeholder: "name, where it has none", "aria-label": "Name, where the text has none" });
      this.file = element("input", { type: "file", accept: ".json,.txt", id: `${this.id}-file`, "aria-label": "A file of presets", onchange: () => this.opened() });
      this.told = element("div", { id: `${this.id}-told`, role: "status" });
      this.root = element("div", { class: "finisher-preset-exchange" },
        element("div", { class: "finisher-preset-form" }, button("Export all of mine", `${this.id}-export`, () => this.export(undefined, "finisher presets")),
          element("label", { for: this.file.id }, "Import"), this.file), this.text,
        element("div", { class: "finisher-preset-form" }, this.name, button("Preview", `${this.id}-preview`, () => this.preview()),
          button("From infotext", `${this.id}-infotext`, () => this.fromInfotext(), { title: "A preset of what a picture was finished with" })),
        this.told);
    }

    async export(names, file) {
      const answer = await this.presets.ask({ action: "export", ...(names ? { names } : {}) }).catch((error) => ({ fault: error.message }));
      if (answer.fault) this.presets.tell(answer.fault, null, true);
      else download(`${file.replace(/[^\p{L}\p{N} ._-]/gu, "_")}.json`, answer.text);
    }

    async opened() {
      const [file] = this.file.files;
      if (!file) return;
      this.text.value = await file.text();
      this.name.value = file.name.replace(/\.[^.]*$/, "");
      await this.preview();
    }

    request() {
      const name = this.name.value.trim();
      return { action: "import", text: this.text.value, ...(name ? { name } : {}) };
    }

    async preview() {
      const asked = this.request();
      const answer = await this.presets.ask(asked).catch((error) => ({ fault: error.message }));
      this.told.replaceChildren(...(answer.fault ? [element("p", { class: "finisher-help finisher-wrong" }, answer.fault)] : this.parts(asked, answer.preview)));
    }

    parts(asked, preview) {
      const { button } = window.finisher;
      const boxes = preview.map((item, index) => element("input", {
        type: "checkbox", id: `${this.id}-take-${index}`, checked: ["new", "differs"].includes(item.state), disabled: item.state === "same", "aria-label": `Import ${item.name}`,
      }));
      const rows = preview.map((item, index) => element("tr", {}, element("td", {}, boxes[index]), element("td", {}, item.name),
        element("td", {}, STATES[item.state], ...this.differences(item)),
        element("td", {}, [...item.missing.map((text) => `not here: ${text}`), ...item.notes].join("; "))));
      const how = element("select", { id: `${this.id}-how`, "aria-label": "Where a name is taken" }, ...Object.entries(HOW).map(([value, label]) => element("option", { value }, label)));
      const taken = preview.some((item) => ["differs", "locked"].includes(item.state));
      return [element("table", { id: `${this.id}-table` },
        element("thead", {}, element("tr", {}, ...["", "preset", "here", "what is missing"].map((text) => element("th", {}, text)))), element("tbody", {}, ...rows)),
      element("div", { class: "finisher-preset-form" }, ...(taken ? ["Where a name is taken: ", how] : []),
        button("Import", `${this.id}-go`, () => this.take(asked, preview.filter((item, index) => boxes[index].checked).map((item) => item.name), how.value)),
        button("Cancel", `${this.id}-cancel`, () => this.told.replaceChildren()))];
    }

    differences(item) {
      if (!item.changes.length) return [];
      return [element("details", {}, element("summary", {}, `${item.changes.length} difference${item.changes.length === 1 ? "" : "s"}`),
        this.table(["", "mine", "the new one"], item.changes, ""))];
    }

    async take(asked, names, how) {
      if (!names.length) { this.presets.tell("No preset is ticked.", null, true); return; }
      const answer = await this.presets.act({ ...asked, names, how }, "", "later");
      if (!answer) return;
      const told = answer.imported.map((item) => `${item.name}: ${item.became}`).join(", ");
      this.told.replaceChildren();
      this.text.value = this.file.value = "";
      await this.presets.afterwards(answer, [`Imported. ${told}.`, ...answer.notes].join(" "));
    }

    async fromInfotext() {
      const name = this.name.value.trim() || "From infotext";
      const answer = await this.presets.act({ action: "from infotext", text: this.text.value, name }, "", "later");
      if (!answer) return;
      this.text.value = this.name.value = "";
      await this.presets.afterwards(answer, [`${name} was made of the infotext.`, ...answer.notes].join(" "));
    }

    // Differences side by side, each control by its name on the page.
    table(heads, differences, none) {
      if (!differences.length) return element("p", { class: "finisher-help" }, none);
      const { shown } = window.finisher.marks;
      const cell = (value) => element("td", {}, value === undefined ? "–" : shown(value));
      return element("table", {}, element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", {}, text)))),
        element("tbody", {}, ...differences.map((item) => element("tr", {}, element("td", {}, window.finisher.labelOf(this.presets.editor, item.path)), cell(item.first), cell(item.second)))));
    }
  }

  window.finisher.Exchange = Exchange;
})();
