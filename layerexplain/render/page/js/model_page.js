/** The page of a model: puts its parts together, and keeps the address in step with what is chosen. */
import { bar } from "./bar.js";
import { divider } from "./divider.js";
import { make } from "./dom.js";
import { nextSlice } from "./bytes.js";
import { address, pageKeys, printsAs, setAddress } from "./document.js";
import { graphTools } from "./graph_tools.js";
import { GraphView } from "./graph_view.js";
import { overview } from "./overview.js";
import { faults } from "./panel_facts.js";
import { showBox, showLayerInParts } from "./pane.js";
import { printed } from "./print.js";
import { search } from "./search.js";
import { sheet } from "./sheet.js";
import { Walk } from "./walk.js";

/** @typedef {import("./types.js").Data} Data */

/** Builds the page, in steps that are short enough not to hold it up. @param {Data} data @param {HTMLElement} [above] what stands above what is chosen */
export async function startPage(data, above) {
  const pane = make("aside", "pane");
  pane.id = "pane";
  pane.tabIndex = 0;
  pane.setAttribute("aria-label", "What is chosen");
  const view = new GraphView(data, (item) => {
    walk.end();
    if (item && item.call >= 0) {
      const [layer] = data.calls[item.call];
      showLayerInParts(pane, layer, data);
      setAddress(data.layers[layer].path, true);
    } else if (item) showBox(pane, item, view);
    else {
      walk.model();
      setAddress("", true);
    }
  });
  const walk = new Walk(data, view, pane);
  await nextSlice();
  const field = search([view]);
  const left = make("div", "left", overview(view), make("div", "graph-frame", view.element, graphTools([view])));
  const lower = sheet(pane, [view]);
  const right = above ? make("div", "beside", above, lower) : pane;
  document.body.append(bar(data, view, field, left, walk), ...faults(data), make("main", "sheeted", left, divider(left, right), above ? right : lower));
  await nextSlice();
  view.fit();
  await nextSlice();
  const follow = () => {
    const call = called(data, address());
    if (call >= 0) view.chooseCall(call);
    else if (!address() && view.look.active) view.choose(null);
    else if (!view.look.active) walk.model();
  };
  // Links and the browser's Back: a layer that was chosen before is chosen again, and what is open stays open.
  window.addEventListener("hashchange", follow);
  window.addEventListener("popstate", follow);
  follow();
  pageKeys([view]);
  printsAs(() => printed(data, view));
  document.body.classList.add("ready");
  const page = { data, view, walk };
  Object.assign(window, { layerexplain: page });
  return page;
}

/** The first call of a layer. @param {Data} data @param {string} path */
function called(data, path) {
  const layer = path ? data.layers.findIndex((one) => one.path === path) : -1;
  return data.calls.findIndex(([at]) => at === layer);
}
