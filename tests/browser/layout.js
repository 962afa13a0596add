// What is wrong with how the accordion is laid out, as a list of texts; for test_layout_page.py.
(() => {
  "use strict";

  const accordion = document.querySelector("#finisher_txt2img"), editor = accordion.querySelector(".finisher-editor");
  const TEXTS = "label, small, summary, p, td, th, button, .finisher-mark, .finisher-stage span, .finisher-small";
  const CONTROLS = "input, select, textarea, button";
  const name = (node) => `${node.tagName.toLowerCase()}${node.id ? `#${node.id}` : ""}.${node.className} "${(node.textContent || node.value || "").slice(0, 40)}"`;
  const seen = (node) => { const box = node.getBoundingClientRect(); return box.width > 0 && box.height > 0 && getComputedStyle(node).visibility !== "hidden"; };
  const all = (selector, within = editor) => [...within.querySelectorAll(selector)].filter(seen);
  // What the pointer can no longer reach is seen by scrolling within its own box.
  const scrolled = (node) => node.closest(".finisher-catalogue-list");

  function outside() {
    const frame = accordion.getBoundingClientRect();
    return all("*").filter((node) => {
      const box = node.getBoundingClientRect();
      return !scrolled(node) && (box.left < frame.left - 0.5 || box.right > frame.right + 0.5 || box.bottom > frame.bottom + 0.5);
    }).map((node) => `outside: ${name(node)}`);
  }

  // The boxes of the texts themselves, as a block is as wide as its column.
  function boxOf(node) {
    if (node.matches("input, select, textarea, button, .finisher-mark")) return node.getBoundingClientRect();
    const range = document.createRange();
    range.selectNodeContents(node);
    return range.getBoundingClientRect();
  }

  function overlapping() {
    const found = [];
    for (const part of all(".finisher-row, .finisher-presets, .finisher-cost")) {
      const leaves = all(`${TEXTS}, ${CONTROLS}`, part).map((node) => [node, boxOf(node)]);
      leaves.forEach(([one, box], index) => leaves.slice(index + 1).forEach(([other, against]) => {
        if (one.contains(other) || other.contains(one)) return;
        const across = Math.min(box.right, against.right) - Math.max(box.left, against.left);
        const down = Math.min(box.bottom, against.bottom) - Math.max(box.top, against.top);
        if (across > 1 && down > 1) found.push(`overlapping: ${name(one)} and ${name(other)}`);
      }));
    }
    return found;
  }

  const pen = document.createElement("canvas").getContext("2d");

  function width(text, style) {
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    return pen.measureText(text).width;
  }

  // Words of a label or of help that go on in the next line; names of files may.
  function broken() {
    const words = (text) => [...text.data.matchAll(/\p{L}+/gu)].filter((word) => {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1;
    });
    const texts = (node) => [...node.childNodes].filter((child) => child.nodeType === Node.TEXT_NODE);
    return all(TEXTS).filter((node) => !node.matches(".finisher-fault, .finisher-catalogue-list *"))
      .flatMap((node) => texts(node).flatMap(words).map(([word]) => `broken: ${word} in ${name(node)}`));
  }

  function cutOff() {
    const found = all(TEXTS).filter((node) => node.clientWidth && node.scrollWidth > node.clientWidth + 1);
    const fields = all("select:not(.finisher-pick), input[type=number], input[type=text]").filter((field) => {
      const style = getComputedStyle(field);
      // What is typed into a box of text may be longer than the box, and is scrolled in it.
      const text = field.tagName === "SELECT" ? field.selectedOptions[0].textContent : (field.type === "text" ? "" : field.value) || field.placeholder;
      return width(text, style) > field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) + 1;
    });
    return [...[...found, ...fields].map((node) => `cut off: ${name(node)}`), ...broken()];
  }

  function sizes() {
    const found = [];
    for (const node of all("input[type=number], input[type=text], select, .finisher-pen, .finisher-passes button, .finisher-quick button")) {
      const high = node.getBoundingClientRect().height;
      if (Math.abs(high - 32) > 0.5) found.push(`not 32 px high but ${high}: ${name(node)}`);
    }
    for (const node of all(`${TEXTS}, ${CONTROLS}`).filter((item) => !item.matches(".finisher-mark, input[type=range], input[type=checkbox], input[type=file]"))) {
      const size = getComputedStyle(node).fontSize;
      if (!["14px", "12px"].includes(size)) found.push(`text of ${size}: ${name(node)}`);
    }
    const columns = new Set(all(".finisher-prominent .finisher-field").map((node) => Math.round(node.getBoundingClientRect().left)));
    const indent = editor.clientWidth > 440 ? 24 : 0, most = Math.max(1, Math.floor((editor.clientWidth - indent + 16) / 208));
    if (columns.size > most) found.push(`${columns.size} columns where ${most} have room`);
    return found;
  }

  // Contrast as WCAG 2 reckons it.
  const numbers = (text) => {
    if (text.startsWith("color(")) { const parts = text.match(/[\d.]+(e-?\d+)?/g).map(Number); return [...parts.slice(0, 3).map((part) => part * 255), parts.length > 3 ? parts[3] : 1]; }
    const parts = text.match(/[\d.]+/g).map(Number);
    return parts.length > 3 ? parts : [...parts, 1];
  };
  const over = (above, below) => [0, 1, 2].map((part) => above[part] * above[3] + below[part] * (1 - above[3]));
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((part) => { const share = part / 255; return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };

  function ground(node) {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(numbers(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  }

  function contrast(ink, behind) {
    const [light, dark] = [luminance(over(ink, behind)), luminance(behind)].sort((one, other) => other - one);
    return (light + 0.05) / (dark + 0.05);
  }

  function pale() {
    const found = [];
    for (const node of all(`${TEXTS}, select:not(.finisher-pick), input[type=number], input[type=text]`)) {
      if (node.disabled || node.querySelector("svg") || (node.matches("button, label") && node.closest(".finisher-regions-picture"))) continue;
      const behind = ground(node), inks = [getComputedStyle(node).color];
      if (node.placeholder && !node.value) inks.push(getComputedStyle(node, "::placeholder").color);
      for (const ink of inks) {
        const reached = contrast(numbers(ink), behind);
        if (reached < 4.5) found.push(`contrast ${reached.toFixed(2)}: ${name(node)} ${ink} on ${behind.map(Math.round)}`);
      }
    }
    return found;
  }

  window.layoutFaults = { outside, overlapping, cutOff, sizes, pale };
})();
