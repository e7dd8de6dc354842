/** What is printed: a document of its own, made when it is asked for. */
import { Picture } from "./canvas.js";
import { count, make, table } from "./dom.js";
import { faults } from "./panel_facts.js";
import { showLayer, showModel } from "./pane.js";
import { place } from "./placing.js";

/** @typedef {import("./types.js").Data} Data */

const MOST_SECTIONS = 200;
const MOST_ROWS = 2000;
const TALLEST = 6000;

/**
 * @param {Data} data
 * @returns {HTMLElement}
 */
export function printed(data) {
  const about = make("section", "about");
  showModel(about, data);
  const parts = [...faults(data), about, picture(data)];
  const rows = data.layers.slice(0, MOST_ROWS).map((layer) => [layer.path, layer.type, layer.shape, count(layer.params), count(layer.macs)]);
  parts.push(make("h2", "", "All layers"), table(["Layer", "Type", "Shape", "Parameters", "MACs"], rows, [3, 4]));
  if (data.layers.length > MOST_ROWS) parts.push(make("p", "quiet", `${count(data.layers.length - MOST_ROWS)} more layers are left out here.`));
  /** @type {Map<number, number[]>} */
  const alike = new Map();
  data.layers.forEach((layer, at) => {
    const key = layer.definition ?? -1 - at;
    alike.set(key, [...(alike.get(key) || []), at]);
  });
  const groups = [...alike.values()];
  for (const group of groups.slice(0, MOST_SECTIONS)) {
    const section = make("article", "layer");
    showLayer(section, group[0], data);
    if (group.length > 1) {
      const names = group.slice(1, 9).map((at) => data.layers[at].path).join(", ");
      section.append(make("p", "quiet", `${group.length - 1} alike: ${names}${group.length > 9 ? ", …" : ""}`));
    }
    parts.push(section);
  }
  if (groups.length > MOST_SECTIONS) parts.push(make("p", "quiet", `${groups.length - MOST_SECTIONS} more kinds of layers are left out here.`));
  const made = make("div", "printed", ...parts);
  made.querySelectorAll("[tabindex]").forEach((one) => one.removeAttribute("tabindex"));
  return made;
}

/** @param {Data} data the graph with all boxes closed */
function picture(data) {
  const drawing = place(data.graph, new Map());
  if (drawing.height > TALLEST || drawing.width > TALLEST) {
    return make("p", "quiet", "The graph is too large for a sheet; layerexplain draw makes a picture of it.");
  }
  const canvas = make("canvas", "picture");
  // Paper is light, whatever the page is.
  const root = document.documentElement;
  const look = root.className;
  root.className = "light";
  const shown = new Picture(canvas, data);
  root.className = look;
  shown.show(drawing);
  shown.still({ measure: "", active: null, hovered: null, found: null, masks: false }, 16);
  return canvas;
}
