/** What is printed: a document of its own, made when it is asked for. */
import { count, make, table } from "./dom.js";
import { faults } from "./panel_facts.js";
import { showLayer, showModel } from "./pane.js";
import { printedGraph } from "./printed_graph.js";

/** @typedef {import("./types.js").Data} Data */

/** A model with so few kinds of layers is printed in full; of others what is chosen, or found. */
const FEW = 8;
const MOST_SECTIONS = 20;
const MOST_ROWS = 2000;

/** The graph on a page, a table of all layers, and in full those that are chosen: the one that is shown, or what a search has found. @param {Data} data @param {import("./graph_view.js").GraphView} view @returns {HTMLElement} */
export function printed(data, view) {
  const about = make("section", "about");
  showModel(about, data);
  const parts = [...faults(data), about, printedGraph(data)];
  const rows = data.layers.slice(0, MOST_ROWS).map((layer) => [layer.path, layer.type, layer.shape, count(layer.params), count(layer.macs)]);
  parts.push(make("h2", "", "All layers"), table(["Layer", "Type", "Shape", "Parameters", "MACs"], rows, [3, 4]));
  if (data.layers.length > MOST_ROWS) parts.push(make("p", "quiet", `${count(data.layers.length - MOST_ROWS)} more layers are left out here.`));
  const groups = kindsOf(data, data.layers.map((_, at) => at));
  const wanted = groups.length <= FEW ? groups : kindsOf(data, chosenLayers(data, view));
  for (const group of wanted.slice(0, MOST_SECTIONS)) {
    const section = make("article", "layer");
    showLayer(section, group[0], data);
    if (group.length > 1) {
      const names = group.slice(1, 9).map((at) => data.layers[at].path).join(", ");
      section.append(make("p", "quiet", `${group.length - 1} alike: ${names}${group.length > 9 ? ", …" : ""}`));
    }
    parts.push(section);
  }
  if (wanted.length > MOST_SECTIONS) parts.push(make("p", "quiet", `${wanted.length - MOST_SECTIONS} more kinds of layers are left out here.`));
  else if (!wanted.length) parts.push(make("p", "quiet", "Layers are printed in full when they are chosen, or found by a search."));
  const made = make("div", "printed", ...parts);
  made.querySelectorAll(".thumbnails").forEach((one) => one.dispatchEvent(new Event("print")));
  made.querySelectorAll("[tabindex]").forEach((one) => one.removeAttribute("tabindex"));
  return made;
}

/** The layers that are chosen: those that a search has found, else the one that is shown. @param {Data} data @param {import("./graph_view.js").GraphView} view */
function chosenLayers(data, view) {
  const calls = view.look.found ? [...view.look.found] : view.look.active && view.look.active.call >= 0 ? [view.look.active.call] : [];
  return [...new Set(calls.map((call) => data.calls[call][0]))];
}

/** Layers by what they compute. @param {Data} data @param {number[]} layers */
function kindsOf(data, layers) {
  /** @type {Map<number, number[]>} */
  const kinds = new Map();
  for (const at of layers) {
    const key = data.layers[at].definition ?? -1 - at;
    kinds.set(key, [...(kinds.get(key) || []), at]);
  }
  return [...kinds.values()];
}
