/** A graph as it is printed: on a sheet of its own, light, with what its colours mean. */
import { Picture } from "./canvas.js";
import { make } from "./dom.js";
import { barsOf, coloursOf } from "./graph_tools.js";
import { place } from "./placing.js";

/** A graph with more points along or across is drawn as from afar, on a sheet of so many. */
const TALLEST = 2400;
const SHEET = { width: 1000, height: 1400 };

/** @param {import("./types.js").Data} data the graph with all boxes closed */
export function printedGraph(data) {
  const drawing = place(data.graph, new Map());
  const canvas = make("canvas", "picture");
  // Paper is light, whatever the page is.
  const root = document.documentElement;
  const look = root.className;
  root.className = "light";
  const shown = new Picture(canvas, data);
  root.className = look;
  shown.show(drawing);
  /** @type {import("./canvas.js").Look} */
  const plain = { measure: "", active: null, hovered: null, found: null, masks: false };
  // What would be too small to be read on a sheet is drawn as from afar.
  if (drawing.height > TALLEST || drawing.width > TALLEST) shown.sheet(plain, SHEET.width, SHEET.height);
  else shown.still(plain, 16);
  return make("figure", "", canvas, coloursOf([data.graph]), barsOf([shown], make("p", "legend")));
}
