// Fetches the page again and swaps its content in: folds stay open, scrolling stays put, no flash. Without a reply it says so.
"use strict";
const EVERY_MS = 5000;

async function refresh() {
  const live = document.getElementById("live");
  try {
    if (!document.hidden) {
      const reply = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(EVERY_MS) });
      if (!reply.ok) throw new Error(`the page answers ${reply.status}`);
      const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
      const open = new Set([...document.querySelectorAll("details[open]")].map((fold) => fold.dataset.key));
      for (const fold of fresh.querySelectorAll("details")) fold.open = open.has(fold.dataset.key);
      document.getElementById("page").replaceWith(fresh.getElementById("page"));
      document.title = fresh.title;
      live.textContent = fresh.getElementById("live").textContent;
      live.className = "";
    }
  } catch (error) {
    live.textContent = `no reply since ${live.textContent.replace(/^(no reply since )?(as of )?/, "")}`;
    live.className = "stale";
  }
  setTimeout(refresh, EVERY_MS);
}

setTimeout(refresh, EVERY_MS);
