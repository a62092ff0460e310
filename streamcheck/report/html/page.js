// Draws each chart when it comes near the window, in the colours of the page; again when those change. Before printing, all.
"use strict";
const drawn = new Set();
const dark = matchMedia("(prefers-color-scheme: dark)");
const COLOUR = /colou?r$/i;

function paint(value, name, style) {
  if (typeof value === "string") return COLOUR.test(name) && value.startsWith("$") ? style.getPropertyValue(`--${value.slice(1)}`).trim() : value;
  if (Array.isArray(value)) return value.map((item) => paint(item, name, style));
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, paint(item, key, style)]));
  return value;
}

function layoutOf(layout, style) {
  const axis = { gridcolor: "$grid", linecolor: "$rule", zerolinecolor: "$rule", zeroline: false };
  const all = {
    margin: { l: 10, r: 14, t: 24, b: 10 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: "$ink" },
    hoverlabel: { bgcolor: "$sheet", bordercolor: "$rule", font: { color: "$ink" } }, modebar: { bgcolor: "rgba(0,0,0,0)", color: "$dim", activecolor: "$ink" }, dragmode: "zoom", ...layout,
  };
  for (const key of Object.keys(all)) if (/^[xy]axis/.test(key)) all[key] = { ...axis, ...all[key] };
  return paint(all, "", style);
}

function draw(plot) {
  const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
  const style = getComputedStyle(document.documentElement);
  const options = { responsive: true, displayModeBar: plot.clientWidth > 800 ? "hover" : false, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  Plotly.react(plot, paint(figure.data, "", style), layoutOf(figure.layout, style), options);
  if (!drawn.has(plot)) plot.on("plotly_click", (event) => {
    const id = event.points[0] && event.points[0].customdata;
    if (typeof id === "string" && document.getElementById(id)) location.hash = id;
  });
  drawn.add(plot);
}

const plots = [...document.querySelectorAll(".plot")];
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target); }
}, { rootMargin: "600px" });
for (const plot of plots) near.observe(plot);
dark.addEventListener("change", () => drawn.forEach(draw));
addEventListener("beforeprint", () => plots.forEach(draw));
addEventListener("afterprint", () => plots.forEach(draw));
