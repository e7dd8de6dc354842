/** What stands below the graph: buttons that zoom, the legend of its colours, and the keys. */
import { FAMILIES } from "./canvas.js";
import { button, make, table } from "./dom.js";

/** @typedef {import("./graph_view.js").GraphView} GraphView */

/** @type {[string, string][]} */
const KEYS = [
  ["arrows", "along the lines; left and right to what stands beside"],
  ["Enter, Space", "open a box, or go into an open one"],
  ["Escape", "close the box around"],
  ["[ ]", "the copy before, the next copy"],
  ["+ - 0", "larger, smaller, all in view"],
  ["Home, End", "the first and the last box"],
  ["/", "search"],
  ["wheel", "zoom where the pointer is; with Shift, move sideways"],
  ["double click", "open or close a box"],
  ["Back", "of the browser: the layer before"],
  ["?", "these keys"],
];

/** @param {GraphView} view @returns {{element: HTMLElement, help: () => void}} what stands below the graph, and what shows the keys */
export function graphTools(view) {
  const dialog = make("dialog", "keys");
  dialog.setAttribute("aria-label", "Keys");
  dialog.append(make("h2", "", "Keys"), table(["", ""], KEYS.map(([key, words]) => [make("kbd", "", key), words])), button("Close", () => dialog.close(), "main"));
  const help = () => {
    if (!dialog.isConnected) document.body.append(dialog);
    if (!dialog.open) dialog.showModal();
  };
  const tool = (/** @type {string} */ sign, /** @type {string} */ words, /** @type {() => void} */ does) => {
    const made = button(sign, does);
    made.title = words;
    made.setAttribute("aria-label", words);
    return made;
  };
  const zooms = make("div", "tools", tool("+", "Larger", () => view.zoom(1.4)), tool("−", "Smaller", () => view.zoom(1 / 1.4)),
    tool("⤢", "All in view", () => view.fit()), tool("?", "Keys", help));
  zooms.setAttribute("role", "group");
  zooms.setAttribute("aria-label", "View");
  zooms.addEventListener("keydown", (event) => event.stopPropagation());
  return { element: make("div", "below", legend(view), costLegend(view), zooms), help };
}

/** The colours that the graph has, in words; hidden where boxes are coloured by an amount. @param {GraphView} view */
function legend(view) {
  const list = coloursOf(view.data.graph);
  view.onDraw.push(() => {
    list.hidden = view.look.measure !== "" || list.children.length < 2;
  });
  return list;
}

/** The colours that a graph has, in words. @param {import("./types.js").Graph} graph */
export function coloursOf(graph) {
  const own = new Set();
  const gather = (/** @type {import("./types.js").Graph} */ one) => one.boxes.forEach((box) => {
    own.add(box.family);
    if (box.inner) gather(box.inner);
  });
  gather(graph);
  const list = make("ul", "legend", ...FAMILIES.filter(([family]) => own.has(family)).map(([family, words]) => make("li", "", make("span", `swatch of-${family}`), words)));
  list.setAttribute("aria-label", "Colours of the boxes");
  return list;
}

/** What the bars at the left of the graph are. @param {GraphView} view */
function costLegend(view) {
  const made = make("p", "legend");
  view.onDraw.push(() => barsOf(view.picture, made));
  return made;
}

/** Says what the bars of a picture are. @param {import("./canvas.js").Picture} picture @param {HTMLElement} made */
export function barsOf({ bars }, made) {
  made.hidden = !bars;
  made.replaceChildren(make("span", "swatch of-cost"), bars ? `share of the ${bars.title}` : "");
  return made;
}
