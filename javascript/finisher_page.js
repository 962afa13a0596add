// What the accordion needs of the page: its pictures, what its fields say, and asking the server.
(function () {
  "use strict";

  const root = () => (typeof gradioApp === "function" ? gradioApp() : document);
  const find = (selector) => root().querySelector(selector);
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const SMALLEST = 16, PATIENCE = 5000, UNHEARD = 500;

  // Pictures of the page

  const visible = (image) => image && image.naturalWidth >= SMALLEST && image.offsetParent !== null;

  function given() {
    const images = [...root().querySelectorAll("#mode_img2img img")].filter(visible);
    return images.find((image) => image.closest("#img2img_image")) || images[0] || null;
  }

  function inGallery(tab) {
    const shown = [...root().querySelectorAll(`#${tab}_gallery img`)].filter((image) => !image.closest(".livePreview"));
    const chosen = shown.find((image) => image.closest(".thumbnail-item.selected"));
    return chosen || shown.find((image) => image.naturalWidth >= SMALLEST) || null;
  }

  function asDataUrl(blob) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(blob);
    });
  }

  // The file itself, not what is drawn: it carries its infotext.
  async function fileOf(url) {
    if (url.startsWith("data:")) return url;
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`The picture could not be read from the page (${answer.status}).`);
    return asDataUrl(await answer.blob());
  }

  // What the tab's own fields say of the base. What cannot be read is left out.
  function fieldsOf(tab) {
    const text = (selector) => (find(selector) || {}).value;
    const fields = {
      prompt: text(`#${tab}_prompt textarea`), negative_prompt: text(`#${tab}_neg_prompt textarea`),
      sampler: text(`#${tab}_sampling input`), scheduler: text(`#${tab}_scheduler input`),
    };
    for (const [name, part] of [["seed", "seed"], ["steps", "steps"], ["cfg_scale", "cfg_scale"]]) {
      const typed = text(`#${tab}_${part} input[type=number]`);
      if (typed !== undefined && typed !== "" && Number.isFinite(Number(typed))) fields[name] = Number(typed);
    }
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== ""));
  }

  function stylesOf(tab) {
    const tokens = root().querySelectorAll(`#${tab}_styles .token`);
    return [...tokens].map((token) => (token.querySelector("span") || token).textContent.trim()).filter(Boolean);
  }

  // As if the picture had been dropped there; the host's own parts do the rest.
  async function intoImg2img(picture) {
    const place = find("#img2img_image");
    if (!place) throw new Error("This page has no img2img tab.");
    const file = new File([await (await fetch(picture)).blob()], "finisher.png", { type: "image/png" });
    if (!place.querySelector('input[type="file"]')) {
      const remove = place.querySelector('button[aria-label="Remove Image"], button[aria-label="Clear"], .modify-upload button + button');
      if (remove) remove.click();
    }
    for (const end = Date.now() + PATIENCE; !place.querySelector('input[type="file"]') && Date.now() < end;) await pause(50);
    const field = place.querySelector('input[type="file"]');
    if (!field) throw new Error("The picture could not be put into img2img; save it and load it there.");
    const files = new DataTransfer();
    files.items.add(file);
    field.files = files.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // Asking the server

  const waiting = {};
  // The task that a tab's panel has under way, by the tab.
  const tasks = {};

  function ask(tab, how, request, task) {
    return new Promise((resolve, reject) => {
      const button = () => find(`#finisher_${tab}_${how}`);
      if (!button()) { reject(new Error("This page has no way to ask the server. Reload it.")); return; }
      const id = Math.random().toString(36).slice(2);
      const asked = waiting[`${tab}/${how}`] = { id, resolve, reject, task, text: JSON.stringify({ ...request, id }) };
      // Before gradio has bound its buttons a click does nothing.
      const press = () => {
        if (asked.taken || waiting[`${tab}/${how}`] !== asked) return;
        // Found anew: the page may have put another in its place.
        const now = button();
        if (now) now.click();
        setTimeout(press, UNHEARD);
      };
      press();
    });
  }

  window.finisher.regions = {
    // The hidden buttons take what they send from here.
    take(tab, how) {
      if (how === "stop") return tasks[tab] || "";
      const asked = waiting[`${tab}/${how}`];
      if (!asked) return how === "draw" ? ["", "{}"] : "{}";
      asked.taken = true;
      return how === "draw" ? [asked.task, asked.text] : asked.text;
    },
    answered(tab, how, text, remark) {
      const asked = waiting[`${tab}/${how}`];
      if (!asked) return;
      delete waiting[`${tab}/${how}`];
      let answer = {};
      try { answer = JSON.parse(text || "{}"); } catch (error) { /* said below */ }
      const { whenFree } = window.finisher.hold;
      if (answer.id === asked.id) { whenFree(() => asked.resolve(answer)); return; }
      const fault = new DOMParser().parseFromString(remark || "", "text/html").querySelector(".error");
      whenFree(() => asked.reject(new Error(fault ? fault.textContent : "The server gave no answer. Its log may say why.")));
    },
  };

  window.finisher.page = { given, inGallery, fileOf, fieldsOf, stylesOf, intoImg2img, ask, tasks };
})();
