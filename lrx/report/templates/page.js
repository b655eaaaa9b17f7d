"use strict";
// Tables: a head sorts its column, numbers by value, empty cells last; once more turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const key = (row) => {
      const cell = row.cells[column];
      if (cell.classList.contains("number")) return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
      return cell.textContent;
    };
    const compare = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
    const rows = [...body.rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null) : compare(a, b) * (down ? -1 : 1));
    body.append(...rows.map(([, row]) => row));
  }));
}

// Scores against each other. Colours of Okabe and Ito, which colour-blind eyes tell apart; shapes beside them.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8d91"];
const SHAPES = ["M-5,0a5,5 0 1 0 10,0a5,5 0 1 0 -10,0", "M-4.5,-4.5h9v9h-9z", "M0,-6L5.5,4.5H-5.5z", "M0,-6.5L6,0L0,6.5L-6,0z"];

function element(name, attributes, parent, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function mark(group, x, y, parent, hollow) {
  const colour = COLOURS[group % COLOURS.length], shape = SHAPES[Math.floor(group / COLOURS.length) % SHAPES.length];
  return element("path", { d: shape, fill: colour, "fill-opacity": hollow ? 0 : 0.9, stroke: hollow ? colour : "none", "stroke-width": 1.5, transform: `translate(${x},${y})` }, parent);
}

function ticks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= rough);
  const values = [];
  for (let tick = Math.ceil(low / step); tick * step <= high; tick++) values.push(Number((tick * step).toPrecision(12)));
  return values;
}

function scatter(data) {
  const box = document.getElementById("scatter");
  const [x, y] = ["x", "y"].map((axis) => Number(document.getElementById(axis).value));
  const runs = data.runs.filter((run) => run.values[x] !== null && run.values[y] !== null);
  const wide = box.clientWidth, high = Math.max(280, Math.min(460, wide * 0.6));
  const left = 62, right = 12, top = 12, bottom = 44;
  const scale = (score, from, to) => {
    const ends = runs.flatMap((run) => [-1, 1].map((side) => run.values[score] + side * (run.errors[score] ?? 0)));
    let low = Math.min(...ends), up = Math.max(...ends);
    const margin = (up - low) * 0.06 || Math.abs(up) * 0.1 || 1;
    low -= margin; up += margin;
    return { at: (value) => from + (to - from) * (value - low) / (up - low), ticks: ticks(low, up) };
  };
  box.replaceChildren();
  const lacking = data.runs.length - runs.length;
  document.getElementById("lacking").textContent = lacking ? `${lacking} of ${data.runs.length} runs lack one of these scores.` : "";
  const drawn = element("svg", { width: wide, height: high, role: "img", "aria-label": `${data.scores[y]} against ${data.scores[x]}, ${runs.length} runs` }, box);
  if (!runs.length) {
    element("text", { x: 10, y: 30 }, drawn, "no run has both scores");
    return;
  }
  const across = scale(x, left, wide - right), up = scale(y, high - bottom, top);
  for (const tick of across.ticks) {
    element("path", { d: `M${across.at(tick)},${top}V${high - bottom}`, stroke: "currentColor", "stroke-opacity": 0.12 }, drawn);
    element("text", { x: across.at(tick), y: high - bottom + 16, "text-anchor": "middle" }, drawn, tick);
  }
  for (const tick of up.ticks) {
    element("path", { d: `M${left},${up.at(tick)}H${wide - right}`, stroke: "currentColor", "stroke-opacity": 0.12 }, drawn);
    element("text", { x: left - 6, y: up.at(tick) + 4, "text-anchor": "end" }, drawn, tick);
  }
  element("text", { x: (left + wide - right) / 2, y: high - 8, "text-anchor": "middle" }, drawn, data.scores[x]);
  element("text", { transform: `translate(14,${(top + high - bottom) / 2})rotate(-90)`, "text-anchor": "middle" }, drawn, data.scores[y]);
  for (const run of runs) {
    const group = data.groups.indexOf(run.group);
    const [u, v] = [across.at(run.values[x]), up.at(run.values[y])];
    const colour = COLOURS[group % COLOURS.length];
    if (run.errors[x]) element("path", { d: `M${across.at(run.values[x] - run.errors[x])},${v}H${across.at(run.values[x] + run.errors[x])}`, stroke: colour }, drawn);
    if (run.errors[y]) element("path", { d: `M${u},${up.at(run.values[y] - run.errors[y])}V${up.at(run.values[y] + run.errors[y])}`, stroke: colour }, drawn);
    element("title", {}, mark(group, u, v, drawn, run.remark), run.remark ? `${run.name}: ${run.remark}` : run.name);
  }
}

const plotData = document.getElementById("runs");
if (plotData) {
  const data = JSON.parse(plotData.textContent);
  const legend = document.getElementById("legend");
  data.groups.forEach((name, group) => {
    const item = document.createElement("li");
    mark(group, 7, 7, element("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, item));
    item.append(name);
    legend.append(item);
  });
  for (const axis of ["x", "y"]) document.getElementById(axis).addEventListener("change", () => scatter(data));
  window.addEventListener("resize", () => scatter(data));
  scatter(data);
}

// On paper everything is open.
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
