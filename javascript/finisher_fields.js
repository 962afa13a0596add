// One field of the accordion: its label and mark, what it is set with, its help, and what is wrong with it.
(function () {
  "use strict";

  const SHORT = 250;
  const { element } = window.finisher;
  const ENDING = /\.(pth|pt|onnx|safetensors|ckpt|gguf|bin|cube|png|jpe?g|webp)$/;

  // What stays of a name however it is written: no folder, ending, case or hyphens, and untitled no hash. The server is less strict still.
  const untitled = (name) => name.replace(/\[[0-9a-fA-F]{8,64}\]$/, "").trimEnd();
  const bare = (name) => name.toLowerCase().split(/[\\/]/).pop().replace(ENDING, "").replace(/[\W_]+/g, "");

  function unknownNames(control, value) {
    if (!control.offers || !control.choices || typeof value !== "string") return [];
    const there = new Set(control.choices.flatMap((name) => [bare(name), bare(untitled(name))]));
    const names = (control.several ? value.split(",") : [value]).map((name) => name.trim()).filter(Boolean);
    return value === control.default ? [] : names.filter((name) => !there.has(bare(name)) && !there.has(bare(untitled(name))));
  }

  const accepted = (control) => `${control.kind === "integer" ? "a whole number " : ""}from ${control.minimum} to ${control.maximum}`;

  function fits(control, number) {
    return Number.isFinite(number) && number >= control.minimum && number <= control.maximum
      && (control.kind !== "integer" || Number.isInteger(number));
  }

  class Field {
    constructor(editor, stage, ofPass, control, prefix, live) {
      Object.assign(this, { editor, stage, ofPass, control, live });
      this.id = `${prefix}-${control.name}`;
      this.index = editor.at(stage, ofPass);
      this.draft = `${stage.name}.${this.index}.${control.name}`;
      this.value = editor.values.value(stage, control, this.index);
      this.disabled = !live || Boolean(control.missing);
    }

    make() {
      const { control, id } = this;
      this.label = element("label", { for: id }, control.label);
      this.note = control.bands ? element("small", { class: "finisher-band", id: `${id}-band` }) : null;
      this.fault = element("small", { class: "finisher-fault", id: `${id}-fault`, role: "alert" });
      const parts = this.parts();
      const controlLine = element("div", { class: "finisher-control" }, ...parts);
      const top = element("div", { class: "finisher-label" }, this.label, this.note);
      if (control.kind === "switch") controlLine.append(top);
      this.shell = element("div", { class: `finisher-field finisher-is-${control.kind}` },
        ...(control.kind === "switch" ? [controlLine] : [top, controlLine]), this.fault,
        element("small", { class: "finisher-help", id: `${id}-help` }, control.missing ? "Not on this host." : control.help));
      this.input = parts.find((part) => part.id === id);
      this.input.setAttribute("aria-describedby", `${id}-mark`);
      this.mark();
      this.band();
      this.tell(this.wrong());
      return this.shell;
    }

    parts() {
      const { control, id, disabled, value } = this;
      if (control.kind === "switch") {
        return [element("input", { id, type: "checkbox", checked: Boolean(value), disabled,
          onchange: (event) => { this.save(event.target.checked); this.editor.draw(); } })];
      }
      if (control.kind === "choice" || (control.choices && control.choices.length && !control.several)) return [this.select()];
      if (control.kind === "text") return this.text();
      return this.number();
    }

    // What is being typed in is never drawn anew: the focus and the next click would be lost.
    save(next, typed) {
      this.editor.set(this.stage, this.ofPass, this.control, next, typed);
      this.value = next;
      this.mark();
      this.band();
      this.tell(this.wrong());
    }

    mark() {
      const before = this.shell.querySelector(".finisher-mark");
      const now = window.finisher.mark(this.editor, this.stage, this.control, this.index, this.id);
      this.shell.classList.toggle("finisher-changed", this.editor.values.changed(this.stage, this.control, this.index));
      if (before) before.remove();
      if (now) this.label.after(now);
    }

    band() {
      if (!this.note) return;
      const words = (this.control.bands.find(([most]) => Number(this.value) <= most) || ["", ""])[1];
      this.note.textContent = this.draftText() === undefined ? words : "";
    }

    draftText() { return this.editor.drafts.get(this.draft); }

    tell(message) {
      this.fault.textContent = message;
      this.fault.hidden = !message;
      this.shell.classList.toggle("finisher-invalid", Boolean(message));
      if (this.input) this.input.setAttribute("aria-invalid", String(Boolean(message)));
    }

    // Why the value in force cannot be used as it is, "" where it can.
    wrong() {
      const { control, value } = this;
      if (control.kind === "choice" && !control.choices.includes(value)) return `${value}: there is no such choice.`;
      if (["integer", "number"].includes(control.kind)) {
        const typed = this.draftText();
        if (typed !== undefined) return `${typed || "This"} is not ${accepted(control)}. In force: ${this.shown(value)}.`;
        if (!fits(control, value)) return `${value} is not ${accepted(control)}: it is left out.`;
      }
      const unknown = unknownNames(control, value);
      return unknown.length ? `Not here: ${unknown.join(", ")}` : "";
    }

    shown(value) { return this.stands(value) ? this.control.empty : String(value); }

    // Whether a number is the one that stands for something else ("as the base").
    stands(value) { return Boolean(this.control.empty) && value === this.control.minimum; }

    select() {
      const { control, id, disabled, value } = this;
      const texts = [...control.choices];
      if (control.kind === "text" && control.default === "" && !texts.includes("")) texts.unshift("");
      const same = texts.includes(value) ? value : texts.find((text) => text && [bare(text), bare(untitled(text))].includes(bare(untitled(String(value)))));
      if (same === undefined) texts.push(value);
      const label = (text) => (text === "" ? control.empty || "none" : text === value && same === undefined ? `${text} (not here)` : text);
      return element("select", { id, disabled, onchange: (event) => { this.save(event.target.value); this.editor.draw(); } },
        ...texts.map((text) => element("option", { value: text, selected: text === (same === undefined ? value : same) }, label(text))));
    }

    text() {
      const { control, id, disabled, value } = this;
      const later = (draw) => () => { if (control.suggested) setTimeout(draw, SHORT); };
      const left = later(() => this.editor.drawWhenQuiet()), chosen = later(() => window.finisher.hold.whenFree(() => this.editor.draw()));
      const field = element("input", { id, type: "text", disabled, placeholder: control.empty || "",
        oninput: (event) => this.save(event.target.value), onchange: left });
      field.value = String(value);
      if (!control.choices || !control.choices.length) return [field];
      // A list of names that can also be typed: the arrow beside it offers those that are here.
      const names = () => field.value.split(",").map((name) => name.trim()).filter(Boolean);
      const offer = element("select", { class: "finisher-pick", id: `${id}-pick`, disabled, "aria-label": `${control.label}: choose`,
        onchange: (event) => {
          const [how, name] = [event.target.value.slice(0, 1), event.target.value.slice(1)];
          if (name) field.value = how === "+" ? [...names(), name].join(", ") : name;
          event.target.value = "";
          this.save(field.value);
          field.focus();
          chosen();
        } });
      const fill = () => {
        const taken = names();
        const more = control.choices.filter((name) => !taken.includes(name));
        const option = (how) => (name) => element("option", { value: how + name }, name);
        offer.replaceChildren(element("option", { value: "", hidden: true }, ""),
          element("optgroup", { label: "Use" }, ...control.choices.map(option("="))),
          ...(taken.length && more.length ? [element("optgroup", { label: "And also" }, ...more.map(option("+")))] : []));
        offer.value = "";
      };
      fill();
      for (const kind of ["pointerdown", "focus"]) offer.addEventListener(kind, fill);
      return [field, offer];
    }

    number() {
      const { control, id, disabled, value } = this;
      const limits = { min: control.minimum, max: control.maximum, step: control.step };
      const slider = element("input", { type: "range", ...limits, disabled, tabindex: "-1", "aria-hidden": "true" });
      const box = element("input", { id, type: "number", ...limits, disabled, placeholder: control.empty || "", class: control.empty ? "finisher-worded" : undefined });
      const typed = this.draftText(), text = (number) => (this.stands(number) ? "" : String(number));
      // How far the track is filled up to the middle of the knob.
      const fill = () => {
        const share = (Number(slider.value) - control.minimum) / (control.maximum - control.minimum || 1);
        slider.style.setProperty("--f-at", `calc(8px + (100% - 16px) * ${share.toFixed(4)})`);
      };
      slider.value = String(value);
      fill();
      box.value = typed === undefined ? text(value) : typed;
      const take = (number, typed) => { this.editor.drafts.delete(this.draft); this.save(number, typed); fill(); };
      const refuse = () => {
        this.editor.drafts.set(this.draft, box.value);
        this.band();
        this.tell(this.wrong());
      };
      slider.addEventListener("input", () => {
        const number = control.kind === "integer" ? Math.round(Number(slider.value)) : Number(slider.value);
        box.value = text(number);
        take(number);
      });
      // An empty box is what the control's words for it say, or what it would be without the user.
      const emptied = () => (control.empty ? control.minimum : this.editor.values.below(this.stage, control, this.index));
      box.addEventListener("input", () => {
        if (box.validity.badInput) { refuse(); return; }
        if (box.value === "") { if (control.empty) { slider.value = String(control.minimum); take(control.minimum); } return; }
        const number = Number(box.value);
        if (!fits(control, number)) { refuse(); return; }
        slider.value = box.value;
        take(number);
      });
      // Typed where nothing of the user's was, a value is meant, also the one that stood there; typed over the user's
      // own, the inherited one takes that back.
      let own = false, touched = false;
      box.addEventListener("focus", () => { own = this.editor.values.changed(this.stage, control, this.index); touched = false; });
      // A step up and down again is no typing: it has no kind of input.
      box.addEventListener("input", (event) => { touched ||= Boolean(event.inputType); });
      // No browser tells of a change where the text is the same again.
      box.addEventListener("blur", () => {
        if (touched && !own && box.value !== "" && fits(control, Number(box.value))) take(Number(box.value), true);
      });
      box.addEventListener("change", () => {
        if (box.validity.badInput || (box.value !== "" && !fits(control, Number(box.value)))) return;
        const meant = touched && !own && box.value !== "";
        const number = box.value === "" ? emptied() : Number(box.value);
        slider.value = String(number);
        box.value = text(number);
        take(number, meant);
        own = this.editor.values.changed(this.stage, control, this.index);
        touched = false;
      });
      return [slider, box];
    }
  }

  window.finisher.field = (editor, stage, ofPass, control, prefix, live) => new Field(editor, stage, ofPass, control, prefix, live).make();
})();
