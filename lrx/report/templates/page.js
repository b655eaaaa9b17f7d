"use strict";
// The runs of a sweep: columns of the page's data as an object for each run.
function expanded(data) {
  const run = (name, i) => ({
    name,
    group: data.groups[0][data.groups[1][i]],
    state: data.states[0][data.states[1][i]],
    settings: data.settings.map(([texts, places]) => texts[places[i]]),
    values: data.values.map((column) => column[i]),
    errors: data.errors.map((column) => column && column[i]),
    remarks: data.remarks[i] ?? {},
  });
  return { scores: data.scores, assays: data.assays, groups: data.groups[0], runs: data.names.map(run) };
}
const stored = document.getElementById("runs");
const data = stored && expanded(JSON.parse(stored.textContent));

// Tables: a head sorts its column, numbers by value before words, empty cells last; once more turns it round. Of long ones a
// page of rows is shown, and a field keeps the rows that have its words, or its values: beta=4, mig>0.3.
const PAGE = 100, FEW = 20;
const order = new Intl.Collator("en", { numeric: true });

function made(name, parent, text = "", attributes = {}) {
  const node = Object.assign(document.createElement(name), { textContent: text, ...attributes });
  parent.append(node);
  return node;
}

function rowInPage(row) {  // value: undefined for texts, null for a number that is not there
  const number = (cell) => cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  const cells = [...row.cells].map((cell) => ({ text: cell.textContent, value: cell.classList.contains("number") ? number(cell) : undefined }));
  return { cells, node: () => row };
}

function rowOfRun(run, places, hasRemarks) {
  const digits = (value, count) => String(Number(value.toPrecision(count)));
  const score = (place) => {
    const [value, error] = [run.values[place], run.errors[place]];
    const text = value === null ? "–" : digits(value, 4) + (error ? ` ± ${digits(error, 2)}` : "");
    return { text, value, remark: run.remarks[data.assays[place]] };
  };
  const cells = [run.name, ...run.settings, run.state].map((text) => ({ text, value: undefined }));
  cells.push(...places.map(score));
  if (hasRemarks) cells.push({ text: Object.keys(run.remarks).join(", "), remarks: Object.values(run.remarks).join("; ") });
  const link = (parent, text, title) => made("a", parent, text, { href: "#remarks", title });
  const node = () => {
    const row = document.createElement("tr");
    cells.forEach(({ text, value, remark, remarks }, column) => {
      const cell = made(column ? "td" : "th", row, remarks ? "" : text, { className: value === undefined ? "" : "number" });
      if (!column) cell.scope = "row";
      if (remark) { cell.append(" "); link(cell, "*", remark); }
      if (remarks) link(cell, text, remarks);
    });
    row.className = Object.keys(run.remarks).length ? "remarked" : "";
    return row;
  };
  return { cells, node };
}

function sorted({ text, value }) {  // the number to sort a cell by: also of settings, which are texts; undefined for words
  if (value !== undefined) return value;
  const number = Number(text);
  return text === "" || text === "–" ? null : Number.isNaN(number) ? undefined : number;
}

function columnOf(key, heads) {  // the head that is a key, or else ends in it as a word, or in a part of its last word
  const whole = (head) => [head === key, head.endsWith(`.${key}`), head.endsWith(` ${key}`), head.endsWith(`_${key}`)];
  const places = heads.map((head) => whole(head.toLowerCase()).indexOf(true));
  const best = Math.min(...places.filter((place) => place >= 0));
  return places.indexOf(best);
}

function keeps(words, heads) {  // a function that tells whether a row has all the words
  const tests = words.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const [, key, sign, wanted] = /^(.+?)(<=|>=|=|<|>)(.+)$/.exec(word) ?? [];
    const column = key === undefined ? -1 : columnOf(key, heads);
    if (column < 0) return (cells) => cells.some((cell) => cell.text.toLowerCase().includes(word));
    const holds = { "=": (a, b) => a === b, "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b }[sign];
    return (cells) => {
      const { text, value } = cells[column];
      const number = value === undefined && text !== "" ? Number(text) : value ?? NaN;
      return sign === "=" && text.toLowerCase() === wanted || holds(number, Number(wanted));
    };
  });
  return (row) => tests.every((test) => test(row.cells));
}

function setUp(table) {
  const heads = [...table.tHead.rows[0].cells], names = heads.map((head) => head.textContent.trim());
  const places = table.dataset.scores && JSON.parse(table.dataset.scores), body = table.tBodies[0];
  const all = places ? data.runs.map((run) => rowOfRun(run, places, names.at(-1) === "remark")) : [...body.rows].map(rowInPage);
  let rows = all, first = 0, shown = () => {};
  const draw = () => {
    body.replaceChildren(...rows.slice(first, first + PAGE).map((row) => row.node()));
    shown();
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const compare = (one, other) => {
      const [u, v] = [one, other].map(sorted);
      if (u === null || v === null) return (u === null) - (v === null);
      const words = (u === undefined) - (v === undefined) || order.compare(one.text, other.text);
      return (u === undefined || v === undefined ? words : u - v) * (down ? -1 : 1);
    };
    for (const list of new Set([all, rows])) list.sort((a, b) => compare(a.cells[column], b.cells[column]));
    first = 0;
    draw();
  }));
  if (all.length > FEW) {
    const bar = document.createElement("div");
    bar.className = "choice";
    table.parentNode.before(bar);
    const words = made("input", made("label", bar, "rows with "), "", { type: "search", placeholder: "words, beta=4, mig>0.3" });
    const turn = (text, by) => made("button", bar, text, { type: "button", onclick: () => { first += by; draw(); } });
    const before = turn("previous", -PAGE), after = turn("next", PAGE), count = made("span", bar);
    count.setAttribute("role", "status");
    words.addEventListener("input", () => {
      rows = words.value.trim() ? all.filter(keeps(words.value, names)) : all;
      first = 0;
      draw();
    });
    shown = () => {
      const last = Math.min(first + PAGE, rows.length), number = (value) => value.toLocaleString("en");
      count.textContent = `${rows.length ? number(first + 1) : 0}–${number(last)} of ${number(rows.length)}` + (rows === all ? "" : `, of ${number(all.length)} in all`);
      before.disabled = first === 0;
      after.disabled = last === rows.length;
      before.hidden = after.hidden = rows.length <= PAGE;
    };
  }
  draw();
}

for (const table of document.querySelectorAll("table.sortable")) {
  const closed = table.closest("details:not([open])");  // drawn when it is opened
  if (closed && table.dataset.scores) closed.addEventListener("toggle", () => setUp(table), { once: true });
  else setUp(table);
}

// Scores against each other. Colours of Okabe and Ito, which colour-blind eyes tell apart; shapes beside them.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8d91"];
const SHAPES = ["M-5,0a5,5 0 1 0 10,0a5,5 0 1 0 -10,0", "M-4.5,-4.5h9v9h-9z", "M0,-6L5.5,4.5H-5.5z", "M0,-6.5L6,0L0,6.5L-6,0z", "M0,6L5.5,-4.5H-5.5z"];

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
    let low = Infinity, up = -Infinity;
    for (const { values, errors } of runs) {
      low = Math.min(low, values[score] - (errors[score] ?? 0));
      up = Math.max(up, values[score] + (errors[score] ?? 0));
    }
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
    const remark = Object.entries(run.remarks).map(([assay, text]) => `${assay}: ${text}`).join("; ");
    element("title", {}, mark(group, u, v, drawn, remark), remark ? `${run.name}: ${remark}` : run.name);
  }
}

if (document.getElementById("scatter")) {
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
