// The page: its state is here alone, a view that the server decodes (lrx/explore/view.py), so that each tab has its own.
import { bars, cells, heat, litRow, made, over, picture, short } from "./draw.js";

const SHOWN = 12, LINE = 7, MOST_KEPT = 64;
const digits = (value) => Number(value.toPrecision(4));  // of what sliders and maps set: the same in a command
const at = (id) => document.getElementById(id);
const state = { view: { image: 0, other: null, mix: 0, take: [], set: {} }, shown: [], last: null, base: null, now: null, map: null, kept: [] };
const rows = new Map(), matrixRows = new Map();
let about, unitOf;

async function ask(path, question) {
  let answer;
  try {
    answer = await fetch(path, question && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(question) });
  } catch {
    throw new Error("the server does not answer; was it stopped?");
  }
  if (answer.ok) return answer;
  throw new Error((await answer.json().catch(() => ({}))).error ?? `the server answers ${answer.status}; its terminal says why`);
}
const json = async (path, question) => (await ask(path, question)).json();

function tell(error) {
  at("status").textContent = error?.message ?? "";
}
const guarded = (work) => async (...given) => {
  try {
    await work(...given);
    tell();
  } catch (error) {
    tell(error);
  }
};

// What a view is now, without what has no effect.
function viewNow() {
  const { image, other, mix, take, set } = state.view;
  return other === null ? { image, set } : { image, other, mix, take, set };
}

function caption({ image, other = null, mix = 0, take = [], set = {} }) {
  const parts = [`image ${image}`];
  if (other !== null && mix) parts.push(`${Math.round(100 * mix)} % of image ${other}`);
  if (other !== null && take.length) parts.push(`${take.join(" ")} of image ${other}`);
  return [...parts, ...Object.entries(set).map(([unit, value]) => `${unit} := ${short(value)}`)].join(", ");
}

// One question at a time; what changes meanwhile is asked when it is answered.
let busy = false, waiting = false;
const step = guarded(async () => {
  waiting = true;
  if (busy) return;
  busy = true;
  try {
    while (waiting) {
      waiting = false;
      const began = performance.now(), asked = structuredClone(viewNow());
      const [now] = await json("views", { views: [asked], units: state.shown });
      state.now = { ...now, view: asked };
      drawNow();
      document.body.dataset.step = Math.round(performance.now() - began);
      document.body.dataset.steps = Number(document.body.dataset.steps ?? 0) + 1;
      at("pace").textContent = `A step took ${document.body.dataset.step} ms.`;
    }
  } finally {
    busy = false;
  }
});

function drawNow() {
  const { picture: shown, z, h } = state.now, base = state.base;
  if (!base || z.length !== state.shown.length || base.z.length !== state.shown.length) return;
  picture(at("decoded"), shown, `decoded: ${caption(state.now.view)}`, base.picture);
  state.shown.forEach((unit, i) => {
    const row = rows.get(unit), isSet = unit in state.view.set, changed = isSet || Math.abs(z[i] - base.z[i]) > 1e-6;
    row.value(z[i]);
    row.node.classList.toggle("touched", changed);
    row.slider.setAttribute("aria-valuetext", `${isSet ? "set to" : "at"} ${short(z[i])}, read as ${short(h[i])}`);
    bars(row.svg, unitOf.get(unit), z[i], h[i], base.h[i], changed);
  });
  drawPoint();
}

const loadBase = guarded(async () => {
  const { image } = state.view;
  const [original, [base]] = await Promise.all([json("image", { image }), json("views", { views: [{ image }], units: state.shown })]);
  if (image !== state.view.image) return;
  state.base = base;
  at("image").value = image;
  picture(at("original"), original.picture, `image ${image}`);
  picture(at("reconstruction"), base.picture, `image ${image}, encoded and decoded`, original.picture.map ? original.picture : undefined);
  original.classes.forEach((value, i) => { at(`factor-${i}`).value = value; });
  await step();
});

function setImage(image) {
  state.view.image = Math.max(0, Math.min(about.images - 1, Math.round(image) || 0));
  at("image").value = state.view.image;
  return loadBase();
}

function setUnit(unit, value) {
  state.view.set[unit] = value;
  light(unit);
  return step();
}

// A row for a unit: ticked for a swap, its name, its value, and a slider above its bars.
function rowOf(unit) {
  const { low, high, values } = unitOf.get(unit), node = made("div", at("rows"), "", { className: "row" });
  node.dataset.unit = unit;
  const tick = made("input", node, "", { type: "checkbox", title: "take from the other image" });
  tick.setAttribute("aria-label", `take latent ${unit} from the other image`);
  made("span", node, unit, { className: "name" });
  const number = made("input", node, "", { type: "number", step: "any" });
  number.setAttribute("aria-label", `value of latent ${unit}`);
  const slide = made("span", node, "", { className: "slide" });
  const slider = made("input", slide, "", { type: "range", min: values ? 0 : low, max: values ? values.length - 1 : high, step: values ? 1 : (high - low) / 240 });
  slider.setAttribute("aria-label", `latent ${unit}`);
  const nearest = (value) => values.reduce((best, one, i) => Math.abs(one - value) < Math.abs(values[best] - value) ? i : best, 0);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  slide.append(svg);
  slider.addEventListener("input", () => setUnit(unit, values ? values[slider.value] : digits(Number(slider.value))));
  slider.addEventListener("focus", () => light(unit));
  number.addEventListener("change", () => {
    if (Number.isFinite(number.valueAsNumber)) setUnit(unit, values ? values[nearest(number.valueAsNumber)] : number.valueAsNumber);
  });
  tick.addEventListener("change", () => {
    state.view.take = [...rows].filter(([, row]) => row.tick.checked).map(([one]) => one);
    if (state.view.other === null) tell(new Error("choose another image first, below: ticked latents are taken from it"));
    else step();
  });
  const value = (z) => {
    if (document.activeElement !== number) number.value = short(z);
    if (document.activeElement !== slider || !(unit in state.view.set)) slider.value = values ? nearest(z) : z;
  };
  rows.set(unit, { node, slider, number, svg, tick, value });
}

function show(units) {
  for (const unit of units) if (!rows.has(unit)) {
    state.shown.push(unit);
    rowOf(unit);
  }
  at("more").hidden = state.shown.length >= about.units.length;
  return loadBase();
}

async function light(unit) {
  if (state.last === unit) return;
  state.last = unit;
  if (!about.matrix) return;
  at("cells").light?.(unit);
  if (!matrixRows.has(unit)) matrixRows.set(unit, await json("row", { unit }));
  if (state.last === unit) litRow(at("lit"), unit, matrixRows.get(unit));
}

// The map: computed when asked for, the point follows the view.
const compute = guarded(async () => {
  const [first, second] = ["first", "second"].map((id) => Number(at(id).value));
  at("compute").disabled = true;
  at("map-words").textContent = "computing …";
  try {
    state.map = { first, second, ...await json("plane", { view: viewNow(), first, second }) };
    at("plane").hidden = false;
    drawMap();
  } catch (error) {
    at("map-words").textContent = "no map";
    throw error;
  } finally {
    at("compute").disabled = false;
  }
});

function drawMap() {
  if (!state.map) return;
  const quantity = at("quantity").value, values = state.map[quantity], top = heat(at("heat"), values, quantity);
  const ends = quantity === "divergence" ? `blue −${short(top)}: contracts; red ${short(top)}: expands` : `dark 0, bright ${short(top)} or more`;
  at("map-words").textContent = `Latent ${state.map.first} across, ${state.map.second} up, from ${short(state.map.axis[0])} to ${short(state.map.axis.at(-1))}. ${ends}. Lines lead from dots to where h lies. Click, or use the arrow keys.`;
  drawPoint();
}

function pointNow() {
  return [state.map.first, state.map.second].map((unit) => state.view.set[unit] ?? state.now?.z[state.shown.indexOf(unit)] ?? 0);
}

function drawPoint() {
  if (state.map) over(at("over"), state.map, pointNow(), at("quantity").value === "divergence");
}

function moveTo([first, second]) {
  const { axis } = state.map, inside = (value) => Math.max(axis[0], Math.min(axis.at(-1), value));
  state.view.set[state.map.first] = digits(inside(first));
  state.view.set[state.map.second] = digits(inside(second));
  for (const unit of [state.map.first, state.map.second]) if (!rows.has(unit)) return show([unit]);
  light(state.map.first);
  return step();
}

function clicked(event) {
  if (event.type === "pointermove" && !event.buttons) return;
  const box = at("over").getBoundingClientRect(), { axis } = state.map, side = axis.length;
  const value = (share) => axis[0] + (share * side - 0.5) * (axis[1] - axis[0]);
  moveTo([value((event.clientX - box.left) / box.width), value(1 - (event.clientY - box.top) / box.height)]);
}

function arrowKeys(event) {
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
  if (!by) return;
  event.preventDefault();
  const cell = state.map.axis[1] - state.map.axis[0], point = pointNow();
  moveTo(point.map((value, i) => value + cell * by[i] * (event.shiftKey ? 5 : 1)));
}

// Two images: the line between them, and ticked latents exchanged.
const setOther = guarded(async (image) => {
  const other = Math.max(0, Math.min(about.images - 1, Math.round(image) || 0));
  state.view.other = other;
  at("other").value = other;
  picture(at("other-picture"), (await json("image", { image: other })).picture, `image ${other}`);
  await step();
});

function needOther() {
  if (state.view.other === null) throw new Error("choose another image first: its number, or random");
}

async function thumbs(box, views) {
  const seen = await json("views", { views, units: [] });
  box.replaceChildren();
  seen.forEach(({ picture: shown }, i) => thumb(box, shown, views[i]));
}

function thumb(box, shown, view) {
  const figure = made("figure", box), words = caption(view), button = made("button", figure, "", { type: "button", className: "picture" });
  button.setAttribute("aria-label", `decode ${words}`);
  picture(button, shown, words);
  made("figcaption", figure, words);
  button.addEventListener("click", () => restore(view));
  return figure;
}

function restore({ image, other = null, mix = 0, take = [], set = {} }) {
  Object.assign(state.view, { image, other, mix, take: [...take], set: { ...set } });
  showPair();
  if (other !== null) setOther(other);
  return setImage(image);
}

function showPair() {
  const { other, mix, take } = state.view;
  at("mix").value = mix;
  at("mix-value").textContent = `${Math.round(100 * mix)} %`;
  for (const [unit, row] of rows) row.tick.checked = take.includes(unit);
  if (other === null) {
    at("other").value = "";
    at("other-picture").replaceChildren();
  }
}

const line = guarded(async () => {
  needOther();
  const { image, other, set } = state.view;
  await thumbs(at("line"), Array.from({ length: LINE }, (_, i) => ({ image, other, mix: Number((i / (LINE - 1)).toFixed(3)), set })));
});

const swap = guarded(async () => {
  needOther();
  const { image, other, take } = state.view;
  if (!take.length) throw new Error("tick the latents to swap, beside their sliders");
  await thumbs(at("line"), [{ image }, { image, other, take }, { image: other, other: image, take }, { image: other }]);
});

// The strip: what was kept, drawn by the server as a file, or as the command that draws it.
function drawKept() {
  at("kept").replaceChildren();
  state.kept.forEach(({ view, picture: shown }, i) => {
    const remove = made("button", thumb(at("kept"), shown, view), "remove", { type: "button" });
    remove.addEventListener("click", () => { state.kept.splice(i, 1); drawKept(); });
  });
  for (const button of document.querySelectorAll("[data-save], #clear")) button.disabled = !state.kept.length;
}

const keep = guarded(async () => {
  if (state.kept.length >= MOST_KEPT) throw new Error(`a strip has at most ${MOST_KEPT} views; remove some`);
  const view = structuredClone(viewNow()), [{ picture: shown }] = await json("views", { views: [view], units: [] });
  state.kept.push({ view, picture: shown });
  drawKept();
});

const save = (format) => guarded(async () => {
  const views = state.kept.map(({ view }) => view);
  const touched = views.flatMap(({ take = [], set = {} }) => [...take, ...Object.keys(set).map(Number)]);
  const answer = await ask("strip", { views, units: [...new Set([...touched, ...state.shown])].slice(0, 10), format });
  if (format === "command") {
    at("again").hidden = false;
    at("command").value = (await answer.json()).command;
    return;
  }
  const url = URL.createObjectURL(await answer.blob());
  made("a", document.body, "", { href: url, download: `strip.${format}`, hidden: true }).click();
  document.body.lastChild.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
})();

function setUpFactors() {
  at("by-factors").hidden = !about.factors.length;
  about.factors.forEach(({ name, size, classes }, i) => {
    const label = made("label", at("factors"), `${name} `), named = classes.length === size;
    const input = made(named ? "select" : "input", label, "", named ? {} : { type: "number", min: 0, max: size - 1, step: 1 });
    input.id = `factor-${i}`;
    if (named) classes.forEach((text, value) => made("option", input, text, { value }));
    else made("span", label, ` 0–${size - 1}`, { className: "quiet" });
    input.addEventListener("change", guarded(async () => {
      const wanted = about.factors.map((_, factor) => Number(at(`factor-${factor}`).value));
      const { image } = await json("find", { classes: wanted, changed: i });
      await setImage(image);
    }));
  });
}

function setUpEvents() {
  const random = () => Math.floor(Math.random() * about.images), on = (id, kind, work) => at(id).addEventListener(kind, work);
  on("image", "change", () => setImage(at("image").valueAsNumber));
  on("previous", "click", () => setImage(state.view.image - 1));
  on("next", "click", () => setImage(state.view.image + 1));
  on("random", "click", () => setImage(random()));
  on("reset", "click", () => { Object.assign(state.view, { mix: 0, take: [], set: {} }); showPair(); step(); });
  on("more", "click", () => show(about.units.slice(0, state.shown.length + SHOWN).map(({ unit }) => unit)));
  on("which", "change", guarded(async () => {
    const unit = at("which").valueAsNumber;
    if (!unitOf.has(unit)) throw new Error(`latents are numbered from 0 to ${about.units.length - 1}`);
    await show([unit]);
    rows.get(unit).slider.focus();
  }));
  on("keep", "click", keep);
  on("compute", "click", compute);
  on("quantity", "change", drawMap);
  for (const kind of ["pointerdown", "pointermove"]) on("over", kind, clicked);
  on("plane", "keydown", arrowKeys);
  on("other", "change", () => setOther(at("other").valueAsNumber));
  on("other-random", "click", () => setOther(random()));
  on("mix", "input", () => {
    if (state.view.other === null) return tell(new Error("choose another image first: its number, or random"));
    state.view.mix = Number(at("mix").value);
    showPair();
    return step();
  });
  on("path", "click", line);
  on("swap", "click", swap);
  on("leave", "click", () => { Object.assign(state.view, { other: null, mix: 0, take: [] }); showPair(); step(); });
  on("clear", "click", () => { state.kept = []; drawKept(); });
  on("copy", "click", guarded(async () => { at("command").select(); await navigator.clipboard.writeText(at("command").value); }));
  for (const button of document.querySelectorAll("[data-save]")) button.addEventListener("click", () => save(button.dataset.save));
}

guarded(async () => {
  about = await json("session");
  unitOf = new Map(about.units.map((one) => [one.unit, one]));
  document.title = at("title").textContent = about.title;
  at("source").textContent = `${about.images.toLocaleString("en")} observations, ${about.source}`;
  at("order").textContent = `Sliders by ${about.order_by}.`;
  if (about.unit !== "element") at("sliders-head").textContent = `${about.unit[0].toUpperCase()}${about.unit.slice(1)}s of the code, in standard deviations from their mean`;
  for (const id of ["image", "other"]) at(id).max = about.images - 1;
  at("which").max = about.units.length - 1;
  for (const [id, place] of [["first", 0], ["second", 1]]) {
    for (const { unit } of about.units.slice(0, 256)) made("option", at(id), unit, { value: unit });
    at(id).value = about.units[Math.min(place, about.units.length - 1)].unit;
  }
  at("map").hidden = about.units.length < 2 || about.units[0].values !== null;
  at("matrix-source").textContent = about.matrix
    ? `${about.matrix.source}. The row of the latent that is moved lights up; ± is one standard error.`
    : `No result of this run has one. To measure it: ${about.measure}`;
  if (about.matrix) cells(at("cells"), about.units, about.matrix.values);
  setUpFactors();
  setUpEvents();
  drawKept();
  state.view.image = about.first;
  await show(about.units.slice(0, SHOWN).map(({ unit }) => unit));
  await light(about.units[0].unit);
  document.body.dataset.ready = "true";
})();
