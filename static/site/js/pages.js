// Comforts that pages work without: menus that close, filters that apply, runs that stay current.
"use strict";

const REFRESH_MS = 3000;

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

// A run that is under way is read anew, unless somebody is in the middle of something.
async function refresh() {
  const shown = document.querySelector("[data-live]");
  if (!shown) return;
  const busy = shown.contains(document.activeElement) || shown.querySelector("details[open]");
  if (!busy && !document.hidden) {
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.ok && !answer.redirected) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-run]");
      if (fresh && fresh.innerHTML !== shown.innerHTML) shown.replaceWith(fresh);
    }
  }
  setTimeout(refresh, REFRESH_MS);
}

setTimeout(refresh, REFRESH_MS);
