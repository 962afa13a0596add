// How the regions panel shows what it has: the picture, its boxes and masks, and a line for each region.
(function () {
  "use strict";

  const { element, RegionsPanel } = window.finisher;
  // Above a box that begins higher up than this there is no room for its number.
  const LABEL = 0.08;

  Object.assign(RegionsPanel.prototype, {
    showBefore(on) {
      this.before = on;
      this.draw();
    },

    draw() {
      const focused = document.activeElement && this.root.contains(document.activeElement) ? document.activeElement.id : "";
      this.root.classList.toggle("finisher-busy", this.busy);
      const shows = (part, when) => { part.hidden = !when; };
      const { detect, redraw, stop, compare, save, input } = this.parts;
      for (const part of [detect, redraw, save, input, this.parts.close]) part.disabled = this.busy;
      shows(redraw, this.seen && this.seen.rows.length);
      redraw.disabled = this.busy || !this.seen || !this.seen.masks.length;
      shows(stop, this.task);
      shows(this.bar, this.task);
      shows(this.last, this.seen);
      shows(compare, this.result);
      shows(save, this.result);
      shows(input, this.result);
      compare.setAttribute("aria-pressed", String(Boolean(this.before)));
      this.status.textContent = this.told || "";
      this.status.classList.toggle("finisher-wrong", Boolean(this.wrong));
      shows(this.status, this.told);
      shows(this.figure, this.seen);
      shows(this.list, this.seen);
      this.layers();
      this.rows();
      const again = focused && document.getElementById(focused);
      if (again) again.focus({ preventScroll: true });
    },

    layers() {
      if (!this.seen) { this.figure.replaceChildren(); return; }
      const [width, height] = this.seen.size, after = this.result && !this.before;
      const image = element("img", { src: after ? this.result.image : this.picture.url, alt: after ? "The result" : "The picture", draggable: "false" });
      const holding = (on) => () => { if (this.result && this.holding !== on) { this.holding = on; image.src = on ? this.picture.url : (this.before ? this.picture.url : this.result.image); } };
      image.addEventListener("pointerdown", holding(true));
      for (const end of ["pointerup", "pointerleave", "pointercancel"]) image.addEventListener(end, holding(false));
      const placed = (node, [left, top, right, bottom]) => {
        Object.assign(node.style, {
          left: `${100 * left / width}%`, top: `${100 * top / height}%`,
          width: `${100 * (right - left) / width}%`, height: `${100 * (bottom - top) / height}%`,
        });
        return node;
      };
      const over = [];
      if (this.boxes && !after) {
        over.push(...this.seen.masks.map((mask) => placed(element("img", { src: mask.image, class: "finisher-regions-mask", alt: "" }), mask.box)));
      }
      if (this.boxes) {
        over.push(...this.seen.rows.map((row) => placed(element("div", {
          class: `finisher-regions-box${row.redrawn ? "" : " finisher-left"}${row.box[1] < LABEL * height ? " finisher-high" : ""}`,
        }, row.number === null ? null : element("span", {}, String(row.number))), row.box)));
      }
      const clip = element("div", { class: "finisher-regions-clip" }, ...over);
      this.figure.replaceChildren(element("div", { class: "finisher-regions-stage" }, image, clip));
    },

    rows() {
      if (!this.seen) { this.list.replaceChildren(); return; }
      this.list.replaceChildren(...this.seen.rows.map((row, index) => this.row(row, index)));
    },

    row(row, index) {
      const what = `${row.label} ${row.confidence.toFixed(2)}, ${row.size[0]} × ${row.size[1]} px`;
      const why = this.result && this.result.refused[index] ? `not used: ${this.result.refused[index]}` : row.why;
      const told = [element("span", {}, what), why ? element("small", {}, why) : null];
      if (row.number === null) return element("li", { class: "finisher-left" }, ...told);
      const id = `${this.id}-tick-${row.number}`;
      const act = (name, text, title, pressed, go) => element("button", {
        type: "button", id: `${this.id}-${name}-${row.number}`, title: `${title} (${row.label} ${row.number})`, disabled: this.busy,
        "aria-pressed": pressed === null ? undefined : String(pressed), onclick: () => this.run(go),
      }, text);
      const buttons = this.result ? element("span", { class: "finisher-regions-acts" },
        act("keep", "Keep", "The redraw stays", row.ticked, async () => { if (!row.ticked) await this.tick(row, true); }),
        act("undo", "Undo", "The picture as it was, here", !row.ticked, async () => { if (row.ticked) await this.tick(row, false); }),
        act("again", "Try again", "With another seed", null, () => this.another(row))) : null;
      const tick = element("input", { type: "checkbox", id, checked: row.ticked, disabled: this.busy,
        onchange: (event) => { const on = event.target.checked; this.run(() => this.tick(row, on)); } });
      return element("li", { class: row.redrawn ? "" : "finisher-left" },
        element("label", { for: id }, tick, element("b", {}, String(row.number)), ...told), buttons);
    },
  });
})();
