// Live parts: one stream per page (data-live), whose messages are HTML made by the server; here they are only put in place.
"use strict";

(() => {
  const RETRY = 1000, SILENCE = 25000, AGAIN = 2000, SAID_AFTER = 1500;
  let source = null, heard = 0, ahead = 0, lostAt = Date.now(), over = false, retry = 0;
  const states = new Map();  // id of an item → its state, for rows of lists (data-follows)

  const place = () => document.querySelector("[data-live]");
  const isOpen = () => source !== null && source.readyState === EventSource.OPEN && lostAt === 0;

  function connect() {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
    if (!place() || over) return;
    heard = Date.now();
    const here = source = new EventSource(place().dataset.live);
    source.addEventListener("clock", (event) => { alive(); ahead = Number(event.data) - Date.now() / 1000; tick(); });
    source.addEventListener("part", (event) => { alive(); take(event.data); });
    source.addEventListener("gone", () => { over = true; source.close(); location.reload(); });
    source.onerror = () => {
      if (here !== source) return;
      lost();
      if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, RETRY * (0.5 + Math.random()));
    };
  }

  function alive() { heard = Date.now(); lostAt = 0; say(); }
  function lost() { if (!lostAt) lostAt = Date.now(); setTimeout(say, SAID_AFTER); }
  function say() {
    const isLost = lostAt !== 0 && Date.now() - lostAt >= SAID_AFTER;
    document.body.classList.toggle("live-lost", isLost);
    const told = document.getElementById("live-lost");
    if (told) told.hidden = !isLost;
  }

  // Every element of a message: the items of a list (data-into), or one that takes the place of the element with its id.
  function take(text) {
    const message = document.createElement("template");
    message.innerHTML = text;
    for (const part of Array.from(message.content.children)) {
      for (const item of part.dataset.into ? part.children : [part]) remember(item);
      if (part.dataset.into) takeList(document.getElementById(part.dataset.into), part);
      else takeOne(part);
    }
    follow();
    filter();
    tick();
  }

  function takeOne(fresh) {
    const here = document.getElementById(fresh.id);
    if (!here) return;
    if (fresh.dataset.over !== undefined) { const steps = here.closest("[data-again]"); if (steps) htmx.trigger(steps, "again"); }
    Idiomorph.morph(here, fresh.outerHTML, { morphStyle: "outerHTML", callbacks: { beforeAttributeUpdated: keep } });
  }

  function takeList(list, part) {
    if (!list) return;
    if (part.dataset.whole !== undefined) {
      const ids = new Set(Array.from(part.children, (item) => item.id));
      for (const item of Array.from(list.children)) if (!ids.has(item.id)) item.remove();
    }
    for (const fresh of Array.from(part.children)) {
      const here = document.getElementById(fresh.id);
      if (fresh.dataset.gone !== undefined) { if (here) here.remove(); continue; }
      if (here) { if (!here.isEqualNode(fresh)) takeOne(fresh); }
      else { insert(list, fresh); htmx.process(fresh); }
    }
  }

  const compare = (a, b) => a.dataset.order.localeCompare(b.dataset.order, undefined, { numeric: true }) || (a.id < b.id ? -1 : 1);
  function insert(list, fresh) {  // most belong at the end
    let after = list.lastElementChild;
    while (after && compare(after, fresh) > 0) after = after.previousElementSibling;
    if (after) after.after(fresh); else list.prepend(fresh);
  }

  // What the person did in the page stays: an opened detail, a filtered cell.
  function keep(name, element) {
    return !(name === "open" && element.tagName === "DETAILS") && !(name === "hidden" && element.dataset.find !== undefined);
  }

  function remember(item) {
    const state = item.querySelector ? item.querySelector(".state") : null;
    if (state) states.set(item.id, state);
    else if (item.dataset.gone !== undefined) states.delete(item.id);
  }
  function follow() {
    for (const row of document.querySelectorAll("[data-follows]")) {
      const state = states.get(row.dataset.follows);
      if (!state) row.replaceChildren();
      else if (!row.firstElementChild || !row.firstElementChild.isEqualNode(state)) row.replaceChildren(state.cloneNode(true));
    }
  }

  const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  function filter() {
    for (const input of document.querySelectorAll("[data-filter]")) {
      const wanted = plain(input.value.trim());
      for (const item of document.getElementById(input.dataset.filter).children) item.hidden = wanted !== "" && !plain(item.dataset.find).includes(wanted);
    }
  }

  const two = (number) => String(number).padStart(2, "0");
  function tick() {
    const now = Date.now() / 1000 + ahead;
    for (const time of document.querySelectorAll("time[data-since]")) {
      const all = Math.max(0, Math.floor(now - Number(time.dataset.since)));
      const hours = Math.floor(all / 3600), minutes = Math.floor(all / 60) % 60;
      const text = hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
      if (time.textContent !== text) time.textContent = text;
    }
  }

  document.addEventListener("input", (event) => { if (event.target.dataset.filter) filter(); });
  document.addEventListener("htmx:afterSwap", () => { 
    follow();
    tick();
    if (place() && (!source || new URL(place().dataset.live, location.href).href !== source.url)) connect();
    else if (!place() && source) { source.close(); source = null; }
  });
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  document.addEventListener("DOMContentLoaded", () => {
    tick();
    if (!place()) return;
    connect();
    setInterval(tick, 1000);
    setInterval(() => { if (Date.now() - heard > SILENCE) { lost(); connect(); } }, 5000);
    setInterval(() => { if (!isOpen()) for (const part of document.querySelectorAll("[data-again]")) htmx.trigger(part, "again"); }, AGAIN);
  });
})();
