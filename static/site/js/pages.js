// Comforts that pages work without: menus that close, filters that apply, runs that stay current.
"use strict";

const REFRESH_MS = 3000;
const SLOW_REFRESH_MS = 15000;
const TOLD_PAUSE_MS = 300;

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

for (const select of document.querySelectorAll("form.filters select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

for (const field of document.querySelectorAll("input[data-fill-timezone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}

// A run that is under way is read anew, unless somebody is in the middle of something: when the
// server says that it changed, and every few seconds where no socket is to be had.
async function refresh() {
  const shown = document.querySelector("[data-live]");
  if (!shown) return;
  const busy = shown.contains(document.activeElement) || shown.querySelector("details[open]");
  if (busy || document.hidden) return;
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-run]");
  if (fresh && fresh.innerHTML !== shown.innerHTML) shown.replaceWith(fresh);
}

let isTold = false;

async function poll() {
  if (!document.querySelector("[data-live]")) return;
  await refresh();
  setTimeout(poll, isTold ? SLOW_REFRESH_MS : REFRESH_MS);
}

function listen() {
  const path = document.querySelector("[data-live]")?.dataset.live;
  if (!path || !("WebSocket" in window)) return;
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}${path}`);
  let isWaiting = true; // the first message says what the page shows already
  socket.addEventListener("open", () => {
    isTold = true;
    setTimeout(() => (isWaiting = false), TOLD_PAUSE_MS);
  });
  socket.addEventListener("message", () => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(async () => {
      isWaiting = false;
      await refresh();
    }, TOLD_PAUSE_MS);
  });
  socket.addEventListener("close", () => {
    isTold = false;
    setTimeout(listen, SLOW_REFRESH_MS);
  });
}

setTimeout(poll, REFRESH_MS);
listen();
