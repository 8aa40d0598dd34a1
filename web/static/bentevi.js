// Small manners of the pages. What a page shows comes from the server; nothing here builds rows or texts.
"use strict";

const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

// Fields that only belong to one choice of another field: data-show-if="protocol=sip,khomp".
function showFields(root = document) {
  all("[data-show-if]", root).forEach((part) => {
    const [name, words] = part.dataset.showIf.split("=");
    const other = document.querySelector(`[name="${CSS.escape(name)}"]`);
    const unseen = part.classList.contains("field") && other && other.closest(".field[hidden]");  // what it looks at is hidden itself
    const shown = Boolean(other) && !unseen && words.split(",").includes(other.value);
    part.hidden = !shown;
    if (!part.classList.contains("field")) all("input, select, textarea", part).forEach((input) => { input.disabled = !shown; });
  });
}

// The save button appears when nothing required is missing (data-complete).
function showSave() {
  all("form[data-complete]").forEach((form) => {
    const save = form.querySelector("[data-save]");
    if (!save) return;
    save.hidden = !form.checkValidity() || all("[data-required]", form).some((input) => !input.value);
    form.querySelector("[data-incomplete]").hidden = !save.hidden;
  });
}

// Lines inside a row: add (asked of the server), move, remove.
let lineNumber = Date.now() % 1000000;
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const line = button.closest("[data-line]");
  if (button.dataset.add) {
    const lines = button.parentElement.querySelector("[data-lines]");
    const answer = await fetch(`/${button.dataset.add}-${lineNumber++}`, { headers: { "HX-Request": "true" } });
    if (!answer.ok) return;
    const holder = document.createElement("div");
    holder.innerHTML = await answer.text();
    const added = holder.querySelector("[data-line]");
    lines.append(added);
    htmx.process(added);
    showFields(added);
    added.querySelector("input, select").focus();
  } else if (button.dataset.up !== undefined && line.previousElementSibling) {
    line.previousElementSibling.before(line);
  } else if (button.dataset.down !== undefined && line.nextElementSibling) {
    line.nextElementSibling.after(line);
  } else if (button.dataset.remove !== undefined) {
    line.remove();
  } else if (button.dataset.tick !== undefined) {
    const boxes = all("input[type=checkbox]:not(:disabled)", button.closest("fieldset"));
    const on = boxes.some((box) => !box.checked);
    boxes.forEach((box) => { box.checked = on; });
    boxes[0].dispatchEvent(new Event("input", { bubbles: true }));
  } else if (button.dataset.generate) {
    const input = document.getElementById(button.dataset.generate);
    const letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    const random = crypto.getRandomValues(new Uint32Array(14));
    input.value = Array.from(random, (n) => letters[n % letters.length]).join("").replace(/(.)\1+/gi, "$1") + "a7@K";
    input.type = "text";
    input.dispatchEvent(new Event("input", { bubbles: true }));
  } else if (button.dataset.menu !== undefined) {
    const closed = document.querySelector(".page").classList.toggle("menu-closed");
    document.cookie = `menu=${closed ? "closed" : "open"}; path=/; max-age=31536000; samesite=lax`;
    return;
  } else if (button.dataset.keys !== undefined) {
    document.getElementById("keys").showModal();
    return;
  } else if (button.dataset.theme) {
    document.cookie = `theme=${button.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
    location.reload();
    return;
  } else {
    return;
  }
  event.preventDefault();
  changed = true;
});

// Leaving a form that was changed is asked once; sending one says what it does and happens once.
let changed = false;
document.addEventListener("input", (event) => {
  if (event.target.closest("form[data-warn]") && event.target.name !== "try_number") changed = true;
  showFields();
  showSave();
});
document.addEventListener("change", (event) => {
  if (event.target.dataset.fill && event.target.value) {  // a ready mask goes into its field
    document.getElementById(event.target.dataset.fill).value = event.target.value;
    event.target.value = "";
  }
  showFields();
  showSave();
});
addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button && button.dataset.confirm && !confirm(button.dataset.confirm)) { event.preventDefault(); return; }
  changed = false;
  if (button && button.dataset.busy) { button.textContent = button.dataset.busy; setTimeout(() => { button.disabled = true; }); }
});

// The address of a search names what was asked and nothing else.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-tidy]");
  if (form && !event.defaultPrevented) all("input, select", form).forEach((input) => { input.disabled = !input.value; });
});
addEventListener("pageshow", () => all("form[data-tidy] [disabled]").forEach((input) => { input.disabled = false; }));

// Choosing rows of a list brings the bar with what can be done to them.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-bulk]");
  if (!form) return;
  if (event.target.dataset.all !== undefined) all("[name=row]", form).forEach((box) => { box.checked = event.target.checked; });
  const boxes = all("[name=row]", form), count = boxes.filter((box) => box.checked).length;
  const bar = form.querySelector(".bulk"), whole = bar.querySelector("[data-whole-search]");
  if (whole) {  // all of the page chosen: all of the search is offered
    whole.hidden = count < boxes.length;
    if (whole.hidden) whole.querySelector("input").checked = false;
  }
  const every = whole && whole.querySelector("input").checked;
  bar.hidden = count === 0;
  bar.querySelector("[data-chosen]").textContent = every ? whole.querySelector("input").dataset.count : count;
});

// A bulk edit changes the fields that are ticked; giving a value ticks its field.
document.addEventListener("input", (event) => {
  const part = event.target.closest("[data-bulk-field]");
  if (part && event.target.name !== "set") part.querySelector("[name=set]").checked = true;
});

// The export holds what the list shows, also after a search in place.
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-export]"), form = document.querySelector("form.filters");
  if (link && form) link.href = `${link.pathname}?${new URLSearchParams(Array.from(new FormData(form)).filter(([, value]) => value))}`;
});

// A new empty choice grows under the last one, so that lists of any length can be made.
document.addEventListener("change", (event) => {
  const several = event.target.closest("[data-several]");
  if (!several) return;
  const last = several.lastElementChild.querySelector("select, input");
  if (last.value) {
    const next = several.lastElementChild.cloneNode(true);
    const input = next.querySelector("select, input");
    input.value = "";
    input.id = `${input.name}-${lineNumber++}`;
    several.append(next);
  }
});

// Keyboard.
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "k") {
    event.preventDefault();
    document.getElementById("search")?.focus();
    return;
  }
  if (event.key === "Escape") { const found = document.getElementById("found"); if (found) found.replaceChildren(); }
  if (event.target.closest("input, select, textarea, dialog") || event.ctrlKey || event.altKey || event.metaKey) return;
  const target = { "/": "[data-key='/']", n: "[data-key=n]", s: "[data-save]", e: "#form input:not([type=hidden])" }[event.key];
  if (event.key === "?") document.getElementById("keys")?.showModal();
  else if (target) {
    const found = document.querySelector(target);
    if (!found) return;
    event.preventDefault();
    if (event.key === "n" || event.key === "s") found.click(); else found.focus();
  }
});

// A tab has an address; a link to a field opens its tab.
function openTabOf(hash) {
  if (!hash) return;
  const target = document.getElementById(hash.slice(1));
  const pane = target && (target.classList.contains("tab-pane") ? target : target.closest(".tab-pane"));
  if (!pane) return;
  const link = document.querySelector(`a[data-bs-toggle=tab][href="#${pane.id}"]`);
  if (link) link.click();
  if (target !== pane) { target.scrollIntoView({ block: "center" }); target.querySelector("input, select, textarea")?.focus(); }
}
document.addEventListener("shown.bs.tab", (event) => history.replaceState(null, "", event.target.getAttribute("href")));
addEventListener("hashchange", () => openTabOf(location.hash));

document.addEventListener("DOMContentLoaded", () => { showFields(); showSave(); openTabOf(location.hash || (document.querySelector(".alert-danger a[href^='#field-']")?.getAttribute("href") ?? "")); });
document.addEventListener("htmx:afterSwap", () => { showFields(); showSave(); });

/* Recordings: the waveform shows where the sound is, a click jumps there. */
document.addEventListener("click", (event) => {
  const wave = event.target.closest?.("[data-wave]");
  if (!wave) return;
  const audio = wave.closest("[data-player]").querySelector("audio"), box = wave.getBoundingClientRect();
  if (audio.duration) { audio.currentTime = (event.clientX - box.left) / box.width * audio.duration; audio.play(); }
});
document.addEventListener("timeupdate", (event) => {
  const wave = event.target.closest?.("[data-player]")?.querySelector("[data-wave]");
  if (wave && event.target.duration) wave.querySelector(".wave-at").setAttribute("width", event.target.currentTime / event.target.duration * wave.viewBox.baseVal.width);
}, true);

// What support asks for is copied whole; several lines pasted into the table of extensions are put into its rows by the server.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy);
  const chosen = getSelection();
  chosen.selectAllChildren(text);
  if (navigator.clipboard) navigator.clipboard.writeText(text.textContent).catch(() => document.execCommand("copy"));
  else document.execCommand("copy");
});
document.addEventListener("paste", (event) => {
  const sheet = event.target.closest?.("[data-sheet]"), text = event.clipboardData?.getData("text/plain") ?? "";
  if (!sheet || !text.trim().includes("\n")) return;
  event.preventDefault();
  document.getElementById(sheet.dataset.sheet).value = text;
  document.getElementById("take-pasted").click();
});

// A large file, part by part, to an address that says how much it has (data-parts); after a break the same file goes on from there.
const PART_BYTES = 4 * 1024 * 1024;
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-parts]");
  if (!form) return;
  event.preventDefault();
  const file = form.querySelector("input[type=file]").files[0];
  const bar = form.querySelector("progress"), told = form.querySelector("[role=alert]"), button = form.querySelector("button");
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  const mark = `parts-${form.dataset.parts}`, name = `${file.name} ${file.size} ${file.lastModified}`;
  let offset = sessionStorage.getItem(mark) === name ? -1 : 0, failed = 0;
  sessionStorage.setItem(mark, name);
  button.disabled = true; bar.hidden = false; told.hidden = true;
  while (offset < file.size) {
    let answer = null, said = {};
    try {
      const from = Math.max(0, offset);  // where a sending that was broken off stopped is asked for with an empty part that fits nowhere
      const part = offset < 0 ? "" : file.slice(from, from + PART_BYTES);
      answer = await fetch(`${form.dataset.parts}?offset=${offset < 0 ? file.size : from}&size=${file.size}`, { method: "POST", headers, body: part });
      said = await answer.json();
    } catch { answer = null; }
    if (answer && (answer.ok || answer.status === 409)) {
      offset = said.has; failed = 0;
    } else if (answer && answer.status === 422) {
      told.textContent = said.error; told.hidden = false; break;
    } else if (++failed > 5) {
      told.textContent = answer ? `${answer.status}` : "–"; told.hidden = false; break;
    } else {
      await new Promise((done) => setTimeout(done, 1000 * failed));
    }
    bar.value = (100 * Math.max(0, offset)) / file.size;
  }
  button.disabled = false;
  if (offset >= file.size) { sessionStorage.removeItem(mark); location.assign(form.dataset.then); }
});
