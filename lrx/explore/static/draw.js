// Drawing of what the server answers: pictures, bars with arrows, the matrix and the map. Nothing here is kept.

export function made(name, parent, text = "", attributes = {}) {
  const node = Object.assign(document.createElement(name), { textContent: text, ...attributes });
  parent.append(node);
  return node;
}

export function shape(name, parent, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

export const short = (value) => String(Number(value.toPrecision(3)));

// An image is a data URI, a vector a list of numbers, drawn over that of the base: bars of few, a line of many.
export function picture(box, shown, alt, base = shown) {
  if (typeof shown === "string") {
    const image = box.querySelector("img") ?? box.replaceChildren() ?? made("img", box);
    Object.assign(image, { src: shown, alt });
    return;
  }
  box.replaceChildren();
  const wide = 200, high = 120, both = [...shown, ...base], few = shown.length <= 24;
  const low = Math.min(0, ...both), up = Math.max(0, ...both), span = up - low || 1;
  const svg = shape("svg", box, { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": alt });
  const y = (value) => 4 + (high - 8) * (up - value) / span, step = wide / shown.length;
  shape("line", svg, { x1: 0, x2: wide, y1: y(0), y2: y(0), class: "zero" });
  if (few) shown.forEach((value, i) => {
    shape("rect", svg, { x: (i + 0.15) * step, width: 0.7 * step, y: Math.min(y(value), y(0)), height: Math.abs(y(value) - y(0)), class: "now-bar" });
    shape("line", svg, { x1: (i + 0.05) * step, x2: (i + 0.95) * step, y1: y(base[i]), y2: y(base[i]), class: "at-base" });
  });
  const line = (values) => values.map((value, i) => `${(i + 0.5) * step},${y(value)}`).join(" ");
  if (!few) for (const [values, kind] of [[base, "base-line"], [shown, "now-line"]]) shape("polyline", svg, { points: line(values), class: kind });
}

// Bars of a row: the response h from 0, the response at the base as a line, and where a value was set an arrow to h.
export function bars(svg, { low, high }, z, h, base, isSet) {
  const x = (value) => 100 * Math.max(0, Math.min(1, (value - low) / (high - low))), percent = (value) => `${x(value)}%`;
  const from = Math.min(x(0), x(h)), width = Math.abs(x(h) - x(0));
  svg.replaceChildren();
  shape("line", svg, { x1: percent(0), x2: percent(0), y1: 0, y2: 18, class: "zero" });
  shape("rect", svg, { x: `${from}%`, width: `${width}%`, y: 6, height: 8, class: "bar" });
  shape("line", svg, { x1: percent(base), x2: percent(base), y1: 3, y2: 17, class: "at-base" });
  if (!isSet) return;
  if (Math.abs(x(z) - x(h)) > 1) shape("line", svg, { x1: percent(z), y1: 3, x2: percent(h), y2: 10, class: "arrow", "marker-end": "url(#head)" });
  shape("circle", svg, { cx: percent(z), cy: 3, r: 3, class: "set" });
}

// Colours of cividis, and of a map that diverges from 0: blue where responses contract.
const CIVIDIS = [[0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115], [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56]];
const UNDEFINED = [255, 255, 255];
const DIVERGING = [[33, 102, 172], [103, 169, 207], [247, 247, 247], [239, 138, 98], [178, 24, 43]];

function colour(table, share) {
  const place = Math.max(0, Math.min(1, share)) * (table.length - 1), at = Math.min(table.length - 2, Math.floor(place));
  return table[at].map((value, i) => Math.round(value + (place - at) * (table[at + 1][i] - value)));
}

export function cells(box, units, values) {
  box.replaceChildren();
  if (!values.length) return;
  const side = Math.max(6, Math.min(20, 260 / units.length)), left = 24, names = side >= 9;
  const svg = shape("svg", box, { width: left + side * units.length + 4, height: left + side * units.length + 4, role: "img", "aria-label": "response matrix: a row for each latent that is set, a column for each that responds" });
  units.forEach(({ unit: set }, row) => {
    if (names) shape("text", svg, { x: left - 4, y: left + side * (row + 0.75), "text-anchor": "end" }, set);
    if (names) shape("text", svg, { x: left + side * (row + 0.5), y: left - 5, "text-anchor": "middle" }, set);
    units.forEach(({ unit: read }, column) => {
      const value = values[set][read], [r, g, b] = value === null ? UNDEFINED : colour(CIVIDIS, value);
      const cell = shape("rect", svg, { x: left + side * column, y: left + side * row, width: side, height: side, fill: `rgb(${r},${g},${b})` });
      shape("title", cell, {}, `${set} → ${read}: ${value === null ? "not defined" : short(value)}`);
    });
  });
  const lit = shape("rect", svg, { x: left, width: side * units.length, height: side, class: "lit", visibility: "hidden" });
  box.light = (unit) => {
    lit.setAttribute("y", left + side * units.findIndex((one) => one.unit === unit));
    lit.setAttribute("visibility", "visible");
    lit.dataset.unit = unit;
  };
}

// The row of one latent: a bar for each response, and a whisker of ± one standard error where it is known.
export function litRow(box, unit, { responding, matrix, se }) {
  box.replaceChildren();
  if (!responding.length) return;
  const high = 16, left = 56, wide = 120, most = Math.max(1, ...matrix.map((value, i) => value + se[i]));  // null, of what is not defined, counts as 0
  const svg = shape("svg", box, { viewBox: `0 0 ${left + wide + 120} ${high * responding.length + 4}`, width: left + wide + 120, role: "img", "aria-label": `responses to latent ${unit}` });
  responding.forEach((read, i) => {
    const y = high * i + 8, x = (value) => left + wide * value / most;
    shape("text", svg, { x: left - 6, y: y + 4, "text-anchor": "end" }, `${unit} → ${read}`);
    shape("rect", svg, { x: left, y: y - 4, width: Math.max(0, x(matrix[i]) - left), height: 8, class: "bar" });
    if (se[i] !== null) shape("line", svg, { x1: x(Math.max(0, matrix[i] - se[i])), x2: x(matrix[i] + se[i]), y1: y, y2: y, class: "whisker" });
    const error = se[i] === null ? "" : ` ± ${Number(se[i].toPrecision(2))}`;
    shape("text", svg, { x: left + wide + 8, y: y + 4 }, matrix[i] === null ? "not defined" : `${short(matrix[i])}${error}`);
  });
}

export function heat(canvas, values, quantity) {
  const side = values.length, flat = values.flat(), context = canvas.getContext("2d");
  const sorted = flat.map(Math.abs).sort((a, b) => a - b), top = sorted[Math.floor(0.99 * (sorted.length - 1))] || 1;
  canvas.width = canvas.height = side;
  const pixels = context.createImageData(side, side);
  flat.forEach((value, i) => {
    const share = quantity === "divergence" ? 0.5 + value / (2 * top) : value / top;
    pixels.data.set([...colour(quantity === "divergence" ? DIVERGING : CIVIDIS, share), 255], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
  return top;
}

// Arrows of u over the map, and the point that is decoded.
export function over(svg, { axis, u }, point, dark) {
  const side = axis.length, every = Math.max(1, Math.round(side / 10));
  const place = (value) => 100 * ((value - axis[0]) / (axis[side - 1] - axis[0]) * (side - 1) + 0.5) / side;
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.replaceChildren();
  const longest = Math.max(1e-9, ...u[0].flatMap((row, i) => row.map((value, j) => Math.hypot(value, u[1][i][j]))));
  for (let i = every >> 1; i < side; i += every) for (let j = every >> 1; j < side; j += every) {
    const x = place(axis[j]), y = 100 - place(axis[i]), long = 8 / longest;
    shape("line", svg, { x1: x, y1: y, x2: x + long * u[0][i][j], y2: y - long * u[1][i][j], class: dark ? "flow dark" : "flow", "vector-effect": "non-scaling-stroke" });
    shape("circle", svg, { cx: x, cy: y, r: 0.7, fill: dark ? "#1c1e21" : "#ffffff", opacity: 0.7 });
  }
  const [x, y] = [place(point[0]), 100 - place(point[1])];
  for (const kind of ["ring", "point"]) shape("circle", svg, { cx: x, cy: y, r: 2.4, class: kind, "vector-effect": "non-scaling-stroke" });
}
