// Asks for the page again, gets it where there is something new, and swaps in what has changed: folds stay open, the focus stays, a form that somebody fills in is left alone.
// Arrow keys go from cell to cell in the grid. Without a reply it says so.
"use strict";
const EVERY_MS = 5000;
const live = document.getElementById("live");
const said = document.getElementById("said");

function busy(part) {
  const at = document.activeElement;
  return [...part.querySelectorAll("form")].some((form) => form.contains(at) || [...form.elements].some((field) => field.name && field.type !== "hidden" && field.value !== field.defaultValue && field.type !== "select-one"));
}

function swap(fresh) {
  const open = new Set([...document.querySelectorAll("details[open]")].map((fold) => fold.dataset.key));
  for (const fold of fresh.querySelectorAll("details")) fold.open = open.has(fold.dataset.key);
  let whole = true;
  const at = document.activeElement, place = at && at.closest("[data-live]"), href = at && at.getAttribute("href");
  for (const now of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(now.id);
    if (next && next.outerHTML === now.outerHTML) continue;
    if (busy(now)) { whole = false; continue; }
    if (!next) { now.replaceChildren(); continue; }
    const scrolled = [...now.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
    now.replaceWith(next);
    [...next.querySelectorAll(".scroll")].forEach((box, n) => { box.scrollLeft = scrolled[n] || 0; });
  }
  for (const next of fresh.querySelectorAll("main > [data-live]")) if (!document.getElementById(next.id)) document.getElementById("page").append(next);
  if (place && href && !document.contains(at)) {
    const again = [...document.querySelectorAll(`#${place.id} a`)].find((link) => link.getAttribute("href") === href);
    if (again) again.focus({ preventScroll: true });
  }
  return whole;
}

function tell() {
  const first = document.querySelector("#firing .summary"), verdict = document.querySelector("#verdict .big");
  const words = [verdict && verdict.textContent, first && first.textContent].filter(Boolean).join(": ").trim();
  if (said.dataset.words !== undefined && said.dataset.words !== words) said.textContent = words;
  said.dataset.words = words;
}

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
function span(seconds) {
  const left = Math.max(0, Math.round(seconds)), at = UNITS.findIndex(([size]) => left >= size);
  if (at < 0) return "0 s";
  const [size, unit] = UNITS[at], [part, word] = UNITS[at + 1] || [1, ""], rest = word ? Math.floor(left % size / part) : 0;
  return `${Math.floor(left / size)} ${unit}${rest ? ` ${rest} ${word}` : ""}`;
}

// Nothing is new but that it is later.
function later(now) {
  for (const each of document.querySelectorAll("[data-since]")) each.textContent = span((now - each.dataset.since) / 1000);
  live.textContent = `as of ${new Date(now).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

let seen = "";
async function refresh() {
  try {
    if (!document.hidden) {
      const reply = await fetch(location.pathname + location.search, { cache: "no-store", headers: { "If-None-Match": seen }, signal: AbortSignal.timeout(EVERY_MS) });
      if (reply.status === 304) later(Date.parse(reply.headers.get("Date")));
      else if (!reply.ok) throw new Error(`the page answers ${reply.status}`);
      else {
        const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
        seen = swap(fresh) && reply.headers.get("ETag") || "";
        tell();
        document.title = fresh.title;
        live.textContent = fresh.getElementById("live").textContent;
      }
      live.className = "";
    }
  } catch (error) {
    live.textContent = `no reply since ${live.textContent.replace(/^(no reply since )?(as of )?/, "")}`;
    live.className = "stale";
  }
  setTimeout(refresh, EVERY_MS);
}

const STEPS = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowUp: ["y", -1], ArrowDown: ["y", 1] };
function middle(link) {
  const box = link.getBoundingClientRect();
  return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
}
addEventListener("keydown", (event) => {
  const cell = event.target.closest && event.target.closest("a.cell"), step = STEPS[event.key];
  if (!cell || !step || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  const [along, sign] = step, across = along === "x" ? "y" : "x", from = middle(cell);
  let best = null, least = Infinity;
  for (const link of cell.closest("table").querySelectorAll("a.cell")) {
    const to = middle(link), far = sign * (to[along] - from[along]);
    const cost = far + 10 * Math.abs(to[across] - from[across]);
    if (far > 5 && cost < least) { best = link; least = cost; }
  }
  if (best) { event.preventDefault(); best.focus(); }
});

tell();
setTimeout(refresh, EVERY_MS);
