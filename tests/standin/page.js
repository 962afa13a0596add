// What the host's own page offers to extensions' scripts, and how its buttons work. Written for the stand-in.
(function () {
  "use strict";

  const queues = { update: [], after: [], loaded: [], tab: [], options: [] };
  let loaded = false, timer = null, tab = null;

  window.gradioApp = function () {
    const app = document.getElementsByTagName("gradio-app")[0];
    if (!app) return document;
    app.getElementById = (id) => document.getElementById(id);
    return app.shadowRoot || app;
  };

  function run(queue, told) {
    for (const callback of queue) {
      try { callback(told); } catch (error) { console.error("error running callback", callback, error); }
    }
  }

  window.onUiUpdate = (callback) => queues.update.push(callback);
  window.onAfterUiUpdate = (callback) => queues.after.push(callback);
  window.onUiLoaded = (callback) => queues.loaded.push(callback);
  window.onUiTabChange = (callback) => queues.tab.push(callback);
  window.onOptionsChanged = (callback) => queues.options.push(callback);
  window.onOptionsAvailable = (callback) => callback();
  window.get_uiCurrentTab = () => gradioApp().querySelector("#tabs > .tab-nav > button.selected");
  window.get_uiCurrentTabContent = () =>
    gradioApp().querySelector('#tabs > .tabitem[id^=tab_]:not([style*="display: none"])');

  window.updateInput = function (target) {
    const event = new Event("input", { bubbles: true });
    Object.defineProperty(event, "target", { value: target });
    target.dispatchEvent(event);
  };

  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver((changes) => {
      if (!loaded && gradioApp().querySelector("#txt2img_prompt")) {
        loaded = true;
        run(queues.loaded);
      }
      run(queues.update, changes);
      clearTimeout(timer);
      timer = setTimeout(() => run(queues.after), 200);
      const now = get_uiCurrentTab();
      if (now && now !== tab) {
        tab = now;
        run(queues.tab);
      }
    }).observe(gradioApp(), { childList: true, subtree: true });
  });

  // An accordion with a box in its title, which the hidden box of gradio follows.
  function fold(accordion) {
    const title = accordion.querySelector(".label-wrap");
    const hidden = gradioApp().querySelector(`#${accordion.id}-checkbox input`);
    if (!title || accordion.visibleCheckbox) return;
    const open = () => title.classList.contains("open");
    const box = document.createElement("input");
    let linked = true;
    box.type = "checkbox";
    box.id = `${accordion.id}-visible-checkbox`;
    box.className = "input-accordion-checkbox";
    box.checked = open();
    title.querySelector("span").prepend(box);
    accordion.visibleCheckbox = box;
    accordion.onVisibleCheckboxChange = () => {
      if (linked && open() !== box.checked) title.click();
      if (!hidden) return;
      hidden.checked = box.checked;
      updateInput(hidden);
    };
    // Ticking unties the two; until then opening ticks.
    box.addEventListener("click", (event) => { linked = false; event.stopPropagation(); });
    box.addEventListener("input", accordion.onVisibleCheckboxChange);
    new MutationObserver(() => {
      accordion.classList.toggle("input-accordion-open", open());
      if (linked) {
        box.checked = open();
        accordion.onVisibleCheckboxChange();
      }
    }).observe(title, { attributes: true, attributeFilter: ["class"] });
  }

  window.inputAccordionChecked = (id, checked) => {
    const accordion = document.getElementById(id);
    if (!accordion || !accordion.visibleCheckbox) return;
    accordion.visibleCheckbox.checked = checked;
    accordion.onVisibleCheckboxChange();
  };
  onUiLoaded(() => gradioApp().querySelectorAll(".input-accordion").forEach(fold));

  // Buttons and progress

  function visible(tab, buttons) {
    for (const name of ["interrupt", "skip", "interrupting"]) {
      const button = document.getElementById(`${tab}_${name}`);
      if (button) button.style.display = buttons.includes(name) ? "block" : "none";
    }
  }
  window.showSubmitButtons = (tab, show) => visible(tab, show ? [] : ["interrupt", "skip"]);
  window.showSubmitInterruptingPlaceholder = (tab) => visible(tab, ["skip", "interrupting"]);

  async function ask(task) {
    const answer = await fetch("./internal/progress", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ id_task: task, live_preview: false }),
    });
    return answer.json();
  }

  async function follow(tab, task) {
    const place = document.getElementById(`${tab}_gallery_container`);
    const whole = document.createElement("div"), bar = document.createElement("div");
    whole.className = "progressDiv";
    bar.className = "progress";
    whole.append(bar);
    place.parentNode.insertBefore(whole, place);
    visible(tab, ["interrupt", "skip"]);
    let began = false;
    for (const start = Date.now(); ;) {
      let told = {};
      try { told = await ask(task); } catch (error) { break; }
      if (told.completed || (began && !told.active)) break;
      began = began || told.active;
      if (!began && !told.queued && Date.now() - start > 40000) break;
      const share = Math.round((told.progress || 0) * 100);
      bar.style.width = `${share}%`;
      bar.textContent = `${told.textinfo && !told.textinfo.includes("\n") ? told.textinfo + " " : ""}${share ? share + "%" : ""}`;
      await new Promise((resume) => setTimeout(resume, Math.min(opts.live_preview_refresh_period || 500, 250)));
    }
    whole.remove();
    visible(tab, []);
    localStorage.removeItem(`${tab}_task_id`);
  }

  window.randomId = () => `task(${Math.random().toString(36).slice(2, 12)})`;

  function submitted(tab, given) {
    const task = randomId();
    localStorage.setItem(`${tab}_task_id`, task);
    follow(tab, task);
    const told = Array.from(given);
    told[0] = task;
    return told;
  }
  function selectedIn(id) {
    const buttons = [...document.getElementById(id).querySelector(".tab-nav").querySelectorAll("button")];
    return Math.max(0, buttons.findIndex((button) => button.classList.contains("selected")));
  }
  window.submit = (...given) => submitted("txt2img", given);
  window.submit_img2img = (...given) => {
    const told = submitted("img2img", given);
    told[1] = selectedIn("mode_img2img");
    return told;
  };
  window.submit_txt2img_upscale = (...given) => {
    const told = submitted("txt2img", given);
    told[2] = selected_gallery_index();
    return told;
  };
  function restored(tab) {
    const task = localStorage.getItem(`${tab}_task_id`);
    if (task) follow(tab, task);
    return [task];
  }
  window.restoreProgressTxt2img = () => restored("txt2img");
  window.restoreProgressImg2img = () => restored("img2img");

  // The gallery and the tabs

  window.selected_gallery_index = () => {
    const buttons = [...gradioApp().querySelectorAll(".thumbnail-item.thumbnail-small")].filter((item) => item.offsetParent);
    return buttons.findIndex((item) => item.classList.contains("selected"));
  };
  window.extract_image_from_gallery = (gallery) => {
    if (!gallery || !gallery.length) return [null];
    const index = selected_gallery_index();
    return [[gallery[index >= 0 && index < gallery.length ? index : 0]]];
  };
  function press(id, number) {
    document.getElementById(id).querySelector(".tab-nav").querySelectorAll("button")[number].click();
  }
  window.switch_to_txt2img = (...given) => { press("tabs", 0); return given; };
  window.switch_to_img2img = (...given) => { press("tabs", 1); press("mode_img2img", 0); return given; };
  window.switch_to_inpaint = (...given) => { press("tabs", 1); press("mode_img2img", 2); return given; };
  window.recalculate_prompts_txt2img = (...given) => given;
  window.recalculate_prompts_img2img = (...given) => given;

  window.restart_reload = () => {
    document.body.innerHTML = '<h1 id="reloading">Reloading...</h1>';
    const again = async () => {
      try {
        if ((await fetch("./internal/ping")).ok) { location.reload(); return; }
      } catch (error) { /* not yet there */ }
      setTimeout(again, 300);
    };
    setTimeout(again, 2000);
    return [];
  };
})();
