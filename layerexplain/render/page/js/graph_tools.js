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

/** What stands below one graph, or below two that move together. @param {GraphView[]} views */
export function graphTools(views) {
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
  const zoom = (/** @type {number} */ factor) => {
    views.forEach((view) => (view.lastMoved = 0));
    views[0].zoom(factor);
  };
  const zooms = make("div", "tools", tool("+", "Larger", () => zoom(1.4)), tool("−", "Smaller", () => zoom(1 / 1.4)), tool("⤢", "All in view", () => views.forEach((view) => view.fit())), tool("?", "Keys", help));
  zooms.setAttribute("role", "group");
  zooms.setAttribute("aria-label", "View");
  zooms.addEventListener("keydown", (event) => event.stopPropagation());
  views.forEach((view) => (view.help = help));
  const [list, bars] = [coloursOf(views.map(({ data }) => data.graph)), make("p", "legend")];
  // Hidden where boxes are coloured by an amount.
  views.forEach((view) => view.onDraw.push(() => {
    list.hidden = view.look.measure !== "" || list.children.length < 2;
    barsOf(views.map(({ picture }) => picture), bars);
  }));
  return make("div", "below", list, bars, zooms);
}

/** The colours that graphs have, in words. @param {import("./types.js").Graph[]} graphs */
export function coloursOf(graphs) {
  const own = new Set();
  const gather = (/** @type {import("./types.js").Graph} */ one) => one.boxes.forEach((box) => {
    own.add(box.family);
    if (box.inner) gather(box.inner);
  });
  graphs.forEach(gather);
  const list = make("ul", "legend", ...FAMILIES.filter(([family]) => own.has(family)).map(([family, words]) => make("li", "", make("span", `swatch of-${family}`), words)));
  list.setAttribute("aria-label", "Colours of the boxes");
  return list;
}

/** Says what the bars at the left of graphs are. @param {import("./canvas.js").Picture[]} pictures @param {HTMLElement} made */
export function barsOf(pictures, made) {
  const bars = pictures.map((picture) => picture.bars).find(Boolean);
  made.hidden = !bars;
  made.replaceChildren(make("span", "swatch of-cost"), bars ? `share of the ${bars.title}` : "");
  return made;
}
