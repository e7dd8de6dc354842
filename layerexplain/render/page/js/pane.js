/** What is told of what is chosen: a layer, a box that holds several, or the model. */
import { amount, amountText, measured, measuresOf } from "./amounts.js";
import { titleOf } from "./box_text.js";
import { nextSlice } from "./bytes.js";
import { button, count, make, points, short, table } from "./dom.js";
import { linkTo } from "./panel_facts.js";
import { PARTS } from "./panels.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./placing.js").Item} Item */
/** @typedef {import("./graph_view.js").GraphView} GraphView */

const COPIES_SHOWN = 60;
const LARGEST = 8;
/** A pane is filled for so many milliseconds before the page answers again. */
const MOST_FILLING = 8;

/** Shows all of a layer at once. @param {HTMLElement} pane @param {number} at the layer @param {Data} data */
export function showLayer(pane, at, data) {
  for (const _ of filling(pane, at, data)) continue;
}

/** Shows a layer part by part, so that the page answers meanwhile; `aria-busy` says that there is more to come. @param {HTMLElement} pane @param {number} at the layer @param {Data} data */
export async function showLayerInParts(pane, at, data) {
  const round = ++rounds;
  pane.setAttribute("aria-busy", "true");
  let begin = performance.now();
  for (const title of filling(pane, at, data)) {
    if (performance.now() - begin < MOST_FILLING) continue;
    await nextSlice();
    if (!title.isConnected) break;
    begin = performance.now();
  }
  if (round === rounds) pane.removeAttribute("aria-busy");
}

let rounds = 0;

/** Fills a pane, and stops behind each panel. @param {HTMLElement} pane @param {number} at the layer @param {Data} data @returns {Generator<HTMLElement>} */
function* filling(pane, at, data) {
  const layer = data.layers[at];
  const front = layer.path.slice(0, layer.path.length - layer.name.length);
  const title = heading(layer.name, layer.type, front ? `in ${front.replace(/\/$/, "")}` : "");
  // Before anything is filled: behind it, the browser would lay out the whole pane at once.
  pane.scrollTop = 0;
  pane.replaceChildren(title);
  // Panels are filled where they stand: some fit themselves into the room that they have.
  for (const [name, rows] of PARTS) {
    const part = name ? make("details", "part", make("summary", "", name)) : pane;
    if (part instanceof HTMLDetailsElement) {
      part.open = !CLOSED.has(name);
      part.addEventListener("toggle", () => (part.open ? CLOSED.delete(name) : CLOSED.add(name)));
      pane.append(part);
    }
    for (const [id, words, panel] of rows) {
      const section = make("section", `panel ${id}`);
      part.append(section);
      panel(layer, data, section);
      if (!section.childNodes.length) section.remove();
      else if (words) section.prepend(make("h3", "", words));
      yield title;
    }
    if (part.childElementCount === 1 && part !== pane) part.remove();
  }
}

/** The parts of layers that somebody has closed: they stay so, whatever layer is chosen. @type {Set<string>} */
const CLOSED = new Set();

/** @param {HTMLElement} pane @param {Item} item @param {GraphView} view */
export function showBox(pane, item, view) {
  const { data } = view;
  const copies = item.box.copies || [item.calls];
  pane.replaceChildren(heading(titleOf(item, data), copies.length > 1 ? `a block that repeats ${copies.length} times` : "a block"));
  // The parameters are in the list below.
  for (const line of item.box.lines.slice(1).filter((one) => !one.endsWith(" parameters"))) pane.append(make("p", "quiet", line));
  const facts = measuresOf(data).map(([key, , unit]) => (key === "overlay" ? `${unit}: ${amountText(amount(data, item.calls, key), key)}` : `${count(amount(data, item.calls, key))} ${unit}`));
  pane.append(points(facts), button(item.open ? "Close the box" : "Open the box", () => view.toggle(item), "main"));
  if (copies.length > 1) {
    const names = copies.slice(0, COPIES_SHOWN).map((calls, copy) => {
      const named = calls.map((call) => data.layers[data.calls[call][0]].name);
      const text = named.length > 1 ? `${named[0]} … ${named[named.length - 1]}` : named[0];
      return make("li", "", button(text, () => view.chooseCall(copies[copy][0]), "link"));
    });
    pane.append(make("h3", "", `Its ${copies.length} copies`), make("ol", "", ...names));
    if (copies.length > COPIES_SHOWN) pane.append(make("p", "quiet", `and ${copies.length - COPIES_SHOWN} more; the list has all`));
  } else {
    const links = copies[0].map((call) => make("li", "", linkTo(data.layers[data.calls[call][0]])));
    pane.append(make("h3", "", "Its layers"), make("ol", "", ...links));
  }
  pane.scrollTop = 0;
}

/** @param {HTMLElement} pane @param {Data} data */
export function showModel(pane, data) {
  const { model } = data;
  const facts = [
    ["layers", count(data.layers.filter((layer) => layer.parent < 0).length)],
    ["parameters", count(model.totals.params)],
    ["trainable", count(model.totals.trainable)],
    ["MACs per example", count(model.totals.macs)],
    ["FLOPs per example", count(model.totals.flops)],
  ];
  pane.replaceChildren(
    heading(model.title, model.type || "", [model.source, model.keras ? `Keras ${model.keras}` : ""].filter(Boolean).join(", ")),
    make("p", "", "Choose a box to see its formula, and what one number of its output is computed from."),
    table(["", ""], facts, [1]),
  );
  for (const [title, ends] of /** @type {[string, string[]][]} */ ([["Inputs", model.inputs], ["Outputs", model.outputs]])) if (ends.length) pane.append(make("h3", "", title), points(ends));
  for (const [title, rows] of model.facts) pane.append(make("h3", "", title), table(["", ""], rows.map(([label, value, words]) => [label, make("span", "", `${value} `, words ? make("span", "quiet", words) : "")])));
  if (model.still) pane.append(make("p", "quiet", `The page does not run the model: ${model.still}.`));
  if (data.program?.notes) pane.append(points(data.program.notes, "warning"));
  if (data.live) pane.append(make("h3", "", "What the layers give"), data.live.thumbnails());
  const { run } = data;
  if (run) {
    // Of weights that are drawn, the notes say why and how.
    const weights = run.weights === "drawn" && run.notes.length ? [] : [`Weights ${run.weights}`];
    pane.append(make("h3", "", "Values"), points([...run.inputs, ...weights, ...run.notes]));
    if (run.left) pane.append(make("p", "warning", run.left));
  }
  if (model.notes.length) pane.append(make("h3", "", "Notes"), points(model.notes, "warning"));
  for (const [key, title] of measuresOf(data).slice(0, model.overlay ? 3 : 2)) {
    const total = model.totals[key] || 0;
    const rows = largest(data, key).map(([layers, sum]) => {
      const more = layers.length - 1;
      const name = make("span", "", linkTo(layers[0]), more ? ` and ${count(more)} alike` : "");
      return [name, layers[0].type, key === "overlay" ? amountText(sum, key) : short(sum), ...(total ? [`${((100 * sum) / total).toFixed(1)} %`] : [])];
    });
    if (rows.length) pane.append(make("h3", "", `Most ${title}`), table(["Layer", "Type", key === "overlay" ? "Value" : "Sum", ...(total ? ["Share"] : [])], rows, [2, 3]));
  }
  pane.scrollTop = 0;
}

/** The kinds of layers that have most of a measure: those that compute the same, and what they have together. @param {Data} data @param {string} measure @returns {[import("./types.js").Layer[], number][]} */
function largest(data, measure) {
  /** @type {Map<number, [import("./types.js").Layer[], number]>} */
  const kinds = new Map();
  data.layers.forEach((layer, at) => {
    const value = measured(layer, measure);
    if (layer.parent >= 0 || !value) return;
    const key = measure === "overlay" ? -1 - at : layer.definition ?? -1 - at;
    const [layers, sum] = kinds.get(key) || [[], 0];
    layers.push(layer);
    kinds.set(key, [layers, sum + value]);
  });
  return [...kinds.values()].sort((a, b) => b[1] - a[1]).slice(0, LARGEST);
}

/** @param {string} title @param {string} type @param {string} [place] */
function heading(title, type, place = "") {
  return make("header", "title", make("h2", "", title), make("span", "type", type), make("span", "quiet", place));
}
