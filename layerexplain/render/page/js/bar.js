/** What stands above the graph: the model, the search, and how the graph is shown. */
import { measuresOf } from "./amounts.js";
import { themeButton } from "./document.js";
import { button, make } from "./dom.js";
import { layerList } from "./layer_list.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./graph_view.js").GraphView} GraphView */

/** @param {Data} data @param {GraphView} view @param {HTMLElement} field the search @param {HTMLElement} left what holds the graph, and the list in its place @param {import("./walk.js").Walk} walk */
export function bar(data, view, field, left, walk) {
  const colours = make("select", "", option("", "by kind"), ...measuresOf(data).map(([key, title]) => option(key, `by ${title}`)));
  colours.id = "measure";
  if (data.model.overlay) colours.value = view.look.measure = "overlay";
  colours.addEventListener("change", () => {
    view.look.measure = colours.value;
    view.redraw();
  });
  const parts = [make("h1", "", data.model.title), field, make("label", "", "Colours ", colours)];
  const walks = button("Walk through", () => walk.show(walk.at < 0 ? walk.last : Math.max(walk.at, 0) + 1));
  walks.title = "The layers one after the other, in a few sentences each";
  parts.push(walks);
  const holds = data.graph.boxes.some((box) => box.inner);
  if (holds) {
    const all = button("Open all", () => view.toggleAll(!view.allOpen()));
    view.onOpen = () => {
      all.textContent = view.allOpen() ? "Close all" : "Open all";
    };
    parts.push(all);
  }
  if (data.layers.some((layer) => layer.calls?.some((call) => call.mask !== null))) {
    parts.push(pressed("Masks", false, (on) => {
      view.look.masks = on;
      view.redraw();
    }));
  }
  if (data.whole) {
    const side = pressed("Side operations", false, (on) => view.showWhole(on));
    side.title = "Layers that lead to no output: operations that compute masks";
    view.onGraph = () => side.setAttribute("aria-pressed", String(view.graph === data.whole));
    parts.push(side);
  }
  const recoloured = () => {
    view.picture.readColours();
    view.redraw();
  };
  parts.push(button("Fit", () => view.fit()), listButton(data, view, left), themeButton(recoloured), button("Print", () => window.print(), "print"));
  return make("header", "bar", ...parts);
}

/** @param {string} value @param {string} text */
function option(value, text) {
  const made = make("option", "", text);
  made.value = value;
  return made;
}

/** @param {string} label @param {boolean} on @param {(on: boolean) => void} does */
function pressed(label, on, does) {
  const made = button(label, () => {
    const now = made.getAttribute("aria-pressed") !== "true";
    made.setAttribute("aria-pressed", String(now));
    does(now);
  });
  made.setAttribute("aria-pressed", String(on));
  return made;
}

/** @param {Data} data @param {GraphView} view @param {HTMLElement} left */
function listButton(data, view, left) {
  /** @type {HTMLElement | null} */
  let list = null;
  return pressed("List", false, (on) => {
    if (!list) {
      list = layerList(data, (layer) => view.chooseCall(data.calls.findIndex(([at]) => at === layer)));
      left.append(list);
    }
    left.classList.toggle("as-list", on);
    view.redraw();
  });
}
