// Whether something in the accordion is being pressed. What comes by itself waits until that is over: drawn between
// press and release it would take the pressed element away, and the click would be lost.
(function () {
  "use strict";

  const PLACE = ".finisher-editor";
  // A touch's click comes some time after its release, in a task of its own.
  const CLICK_LATEST = 50;
  const waiting = [];
  let held = "", pressed = null, ending = null;

  function end(later) {
    clearTimeout(ending);
    ending = setTimeout(() => {
      held = "";
      for (const run of waiting.splice(0)) {
        // One that fails keeps none of the others from running.
        try { run(); } catch (error) { console.error(error); }
      }
    }, later);
  }

  function press(by, event) {
    if (!event.composedPath().some((node) => node.matches && node.matches(PLACE))) return;
    clearTimeout(ending);
    held = by;
    pressed = event.composedPath()[0];
  }

  function watch(kinds, act) {
    for (const kind of kinds) window.addEventListener(kind, (event) => { if (event.isTrusted) act(event); }, true);
  }

  watch(["pointerdown"], (event) => press("pointer", event));
  watch(["keydown"], (event) => { if (held !== "pointer") press("key", event); });
  watch(["pointerup", "pointercancel", "dragend"], () => { if (held === "pointer") end(CLICK_LATEST); });
  watch(["keyup"], () => { if (held === "key") end(0); });
  watch(["click"], () => { if (held) end(0); });
  // The release may have been another window's, or that of the list or dialog that was opened.
  watch(["pointermove"], (event) => { if (held === "pointer" && !event.buttons) end(CLICK_LATEST); });
  watch(["blur", "change"], (event) => {
    const opened = event.target === pressed && pressed.matches("select, input[type=file]");
    if (held && (event.target === window || opened)) end(0);
  });

  function whenFree(run) {
    if (held) waiting.push(run);
    else run();
  }

  window.finisher.hold = { whenFree, free: () => new Promise(whenFree) };
})();
