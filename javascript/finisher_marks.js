// The small mark beside a control that says where its value comes from; the user's own takes it back when pressed.
(function () {
  "use strict";

  const { element } = window.finisher;
  const LETTERS = { everything: "A", family: "F", variant: "V", checkpoint: "C", chosen: "P", you: "•" };

  // Whom a preset is for, as the page says it: "for the family sdxl".
  function forWhom(layer, checkpoint, preset) {
    const about = checkpoint || {};
    const told = {
      everything: "for every checkpoint", family: `for the family ${about.family || "of this checkpoint"}`,
      variant: `for the variant ${(about.variants || []).join(", ") || "of this checkpoint"}`,
      checkpoint: "for this checkpoint", chosen: "chosen by you",
    };
    return layer === "family" && !preset ? `what the family ${about.family || ""} starts from` : told[layer] || "";
  }

  function words(origin, checkpoint) {
    if (origin.layer === "default") return "default";
    const whom = forWhom(origin.layer, checkpoint, origin.preset);
    return origin.preset ? `${origin.preset}, ${whom}` : whom;
  }

  function shown(value) {
    if (typeof value === "boolean") return value ? "on" : "off";
    return value === "" ? "nothing" : String(value);
  }

  function ofQuickChoice(editor, stage, control) {
    const origin = editor.values.origin(stage, control), presets = (editor.values.known || {}).presets || [];
    return origin.layer === "chosen" && presets.some((item) => item.quick && item.name === origin.preset);
  }

  window.finisher.marks = { LETTERS, forWhom, words, shown, ofQuickChoice };

  // The mark of a control, null for a default; `id` is that of the control's field.
  window.finisher.mark = (editor, stage, control, index, id) => {
    const values = editor.values, origin = values.origin(stage, control, index);
    if (origin.layer === "default") return null;
    const checkpoint = values.known && values.known.checkpoint;
    const name = `finisher-mark finisher-mark-${origin.layer}`;
    if (origin.layer !== "you") {
      const told = `From ${words(origin, checkpoint)}`;
      return element("span", { class: name, id: `${id}-mark`, role: "img", title: told, "aria-label": told }, LETTERS[origin.layer]);
    }
    const below = values.below(stage, control, index);
    const from = words(values.originBelow(stage, control, index), checkpoint);
    const told = values.value(stage, control, index) === below ? `Set by you, to what is inherited too (${from}). Press to leave it to that.`
      : `Changed by you. Press to go back to ${shown(below)} (${from}).`;
    return element("button", {
      type: "button", class: name, id: `${id}-mark`, title: told, "aria-label": told,
      onclick: () => {
        editor.change(stage, (settings) => {
          if (index === undefined) delete settings[control.name];
          else {
            settings.passes = values.taken(stage);
            settings.passes[index][control.name] = below;
            if (below === values.passDefault(stage, control.name)) delete settings.passes[index][control.name];
            values.settle(settings, stage);
          }
        });
        editor.draw();
        const field = document.getElementById(id);
        if (field) field.focus();
      },
    }, LETTERS.you);
  };
})();
