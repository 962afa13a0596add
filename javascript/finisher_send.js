// "Send to Finisher" beside the gallery: the chosen picture and its infotext go to img2img, to be finished only.
(function () {
  "use strict";

  const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
  const find = (selector) => root().querySelector(selector);
  const TABS = ["txt2img", "img2img"];
  const PATIENCE = 10000, SHORT = 2000;

  function until(ready, patience = PATIENCE) {
    return new Promise((resolve) => {
      const end = Date.now() + patience;
      const look = () => (ready() || Date.now() > end ? resolve() : setTimeout(look, 50));
      look();
    });
  }

  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  function type(field, text) {
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // The host shows the infotext of the chosen picture as text under the gallery.
  function infotext(tab) {
    const shown = find(`#html_info_${tab}`);
    return shown ? shown.innerText.trim() : "";
  }

  function source(selector) {
    const image = find(selector);
    return image ? image.src : "";
  }

  async function takeOver(text) {
    const prompt = find("#img2img_prompt textarea"), paste = find("#tab_img2img #paste, #img2img_tools #paste");
    if (!text || !prompt || !paste) return;
    type(prompt, text);
    // The page sends what is typed a moment later.
    await pause(300);
    paste.click();
    await until(() => prompt.value !== text);
    await pause(200);
  }

  // Opening the host's accordion ticks it as well, unless its box was clicked before.
  function enable() {
    const label = find("#finisher_img2img .label-wrap");
    if (label && !label.classList.contains("open")) label.click();
    const box = find("#finisher_img2img .input-accordion-checkbox") || find("#finisher_img2img-checkbox input");
    if (box && !box.checked) box.click();
  }

  async function send(tab) {
    const host = find(`#${tab}_send_to_img2img`), text = infotext(tab), before = source("#img2img_image img");
    if (!host) return;
    host.click();
    // The same picture once more brings no change to wait for.
    await until(() => source("#img2img_image img") !== before, before ? SHORT : PATIENCE);
    await pause(300);
    await takeOver(text);
    window.finisher.set("img2img", "base", "finish_only", true);
    enable();
    const accordion = find("#finisher_img2img");
    if (accordion) accordion.scrollIntoView({ block: "nearest" });
  }

  function addButtons() {
    for (const tab of TABS) {
      const neighbour = find(`#${tab}_send_to_img2img`);
      if (!neighbour || find(`#${tab}_send_to_finisher`)) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.id = `${tab}_send_to_finisher`;
      button.className = neighbour.className;
      button.title = "Send to Finisher: the picture and its generation parameters, to be finished only.";
      button.textContent = "🏁";
      button.addEventListener("click", async () => {
        button.disabled = true;
        try {
          await send(tab);
        } finally {
          button.disabled = false;
        }
      });
      neighbour.after(button);
    }
  }

  if (typeof onUiLoaded === "function") onUiLoaded(addButtons);
})();
