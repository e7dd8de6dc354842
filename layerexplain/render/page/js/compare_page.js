/** Two models side by side: their graphs move together, what differs is marked, and a table tells it. */
import { nextSlice } from "./bytes.js";
import { pageKeys, printsAs, themeButton } from "./document.js";
import { divider } from "./divider.js";
import { button, count, make, points, table } from "./dom.js";
import { graphTools } from "./graph_tools.js";
import { GraphView } from "./graph_view.js";
import { printedGraph } from "./printed_graph.js";
import { search } from "./search.js";
import { sheet } from "./sheet.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {[string, number | null, number | null, string, string, [string, string, string][]]} Change */
/** @typedef {{title: string, names: [string, string], before: Data, after: Data, changes: Change[], pairs: (number | null)[]}} Compared */

/** @param {Data} data @param {number | null} layer @returns {number[]} */
function callsOf(data, layer) {
  return data.calls.flatMap(([at], call) => (at === layer ? [call] : []));
}

/** @typedef {{element: HTMLElement, differences: (choose: (layer: number) => void) => HTMLElement, pictures: (before: number, after: number) => HTMLElement}} Running what runs both models: their inputs and outputs, how far all layers differ, and one layer in pictures */

/** Builds the page, in steps that are short enough not to hold it up. @param {Compared} data @param {Running} [running] */
export async function startComparison(data, running) {
  const pane = make("aside", "pane");
  pane.id = "pane";
  pane.tabIndex = 0;
  pane.setAttribute("aria-label", "What differs");
  const sides = [data.before, data.after];
  /** Which layer of the other model goes with a layer of one. @param {number} side @param {number} layer */
  const partner = (side, layer) => (side === 0 ? data.pairs[layer] : data.pairs.indexOf(layer));
  let busy = false;
  const views = sides.map((own, side) => {
    const view = new GraphView(own, (item) => {
      if (busy || !item) return item || showChosen(null, null);
      const layer = item.call >= 0 ? own.calls[item.call][0] : null;
      const other = layer === null ? null : partner(side, layer);
      if (other !== null && other >= 0) chooseQuietly(1 - side, other);
      showChosen(side === 0 ? layer : other, side === 0 ? other : layer);
    });
    view.prefix = side ? "after-" : "before-";
    view.element.id = `${view.prefix}graph`;
    view.element.setAttribute("aria-label", `Graph of ${data.names[side]}`);
    const changed = new Set(data.changes.flatMap((one) => callsOf(own, /** @type {number | null} */ (one[1 + side]))));
    view.look.found = view.rest = changed.size ? changed : null;
    return view;
  });
  await nextSlice();
  /** @param {number} side @param {number} layer */
  function chooseQuietly(side, layer) {
    const [call] = callsOf(sides[side], layer);
    if (call === undefined) return;
    busy = true;
    views[side].chooseCall(call);
    busy = false;
  }
  const rows = data.changes.map(([, before, after, name], at) => button(name, () => {
    [before, after].forEach((layer, side) => layer !== null && chooseQuietly(side, layer));
    showChosen(before, after, at);
  }, "link"));
  const changes = table(["Layer", "What", "Before → after"], data.changes.flatMap(([kind, , , , type, parts], at) => {
    const listed = parts.length ? parts : [/** @type {[string, string, string]} */ ([kind, "", ""])];
    return listed.map(([what, before, after], place) => [
      place ? "" : make("div", "", rows[at], make("div", "type", type)), kind === "changed" || kind === "model" || place ? what : `${kind}${what === kind ? "" : `, ${what}`}`, [before, after].filter(Boolean).join(" → ")]);
  }));
  changes.classList.add("changes");
  const chosen = make("section", "panel chosen");
  const totals = ["params", "macs"].map((key) => [key === "params" ? "parameters" : "MACs", ...sides.map((one) => count(one.model.totals[key]))]);
  pane.append(make("header", "title", make("h2", "", "What differs")), table(["", ...data.names], totals, [1, 2]),
    data.changes.length ? changes : make("p", "", `No layer, argument or shape differs. ${running ? "What the layers give is compared below." : "Weights are not compared."}`));
  const still = [...new Set(sides.flatMap((one, side) => (one.model.still ? [`${data.names[side]} does not run in the page: ${one.model.still}.`] : [])))];
  if (still.length) pane.append(points(still, "quiet"));
  pane.append(chosen);
  if (running) {
    pane.append(make("h3", "", "How far the layers differ"), running.differences((layer) => {
      chooseQuietly(0, layer);
      chooseQuietly(1, partner(0, layer) ?? -1);
      showChosen(layer, partner(0, layer));
    }));
  }

  /** The layers that are chosen, beside each other. @param {number | null} before @param {number | null} after @param {number} [row] */
  function showChosen(before, after, row) {
    const at = row ?? data.changes.findIndex((one) => (before !== null && one[1] === before) || (after !== null && one[2] === after));
    rows.forEach((one, i) => one.closest("tr")?.classList.toggle("chosen-row", i === at));
    if (at >= 0) rows[at].scrollIntoView({ block: "nearest" });
    const layers = [before, after].map((layer, side) => (layer === null || layer < 0 ? null : sides[side].layers[layer]));
    const line = (/** @type {string} */ what, /** @type {(layer: import("./types.js").Layer) => string} */ text) => [what, ...layers.map((layer) => (layer ? text(layer) : "not there"))];
    chosen.replaceChildren(...(layers.some(Boolean) ? [make("h3", "", [...new Set(layers.flatMap((layer) => layer?.path ?? []))].join(" → ")),
      running && layers.every(Boolean) ? running.pictures(/** @type {number} */ (before), /** @type {number} */ (after)) : "", table(["", ...data.names],
        [line("type", (one) => one.type), line("operation", (one) => one.operation), line("shape", (one) => one.shape), line("parameters", (one) => count(one.params)), line("MACs", (one) => count(one.macs))])] : []));
    if (layers.some(Boolean)) chosen.scrollIntoView({ block: "nearest" });
  }

  /** The second view goes where the first one went: to the same part of the graph, as large. @param {number} from */
  function follow(from) {
    const [one, other] = [views[from], views[1 - from]];
    const middle = { x: one.view.x + one.canvas.clientWidth / 2 / one.wide, y: one.view.y + one.canvas.clientHeight / 2 / one.view.scale };
    other.lookAt(one.view.scale, (middle.x / one.drawing.width) * other.drawing.width, (middle.y / one.drawing.height) * other.drawing.height);
  }
  [views[0].twin, views[1].twin] = [views[1], views[0]];
  let moved = "";
  const state = (/** @type {number} */ side) => JSON.stringify(views[side].view);
  views.forEach((view, side) => view.onDraw.push(() => {
    const now = state(0) + state(1);
    if (now === moved || busy) return;
    if (side === view.lastMoved) follow(side);
    moved = state(0) + state(1);
  }));
  const frames = views.map((view, side) => {
    const frame = make("div", "graph-frame", view.element);
    for (const kind of ["pointerdown", "wheel", "keydown"]) frame.addEventListener(kind, () => views.forEach((one) => (one.lastMoved = side)), { capture: true, passive: true });
    return make("section", "one-side", make("h2", "", data.names[side]), frame);
  });
  const recoloured = () => views.forEach((view) => {
    view.picture.readColours();
    view.redraw();
  });
  await nextSlice();
  const lower = sheet(pane, views, chosen);
  const right = running ? make("div", "beside", running.element, lower) : pane;
  const left = make("div", "sides", make("div", "two-graphs", ...frames), graphTools(views));
  document.body.append(make("header", "bar", make("h1", "", data.title), search(views, (layer) => data.pairs.indexOf(layer)), themeButton(recoloured), button("Print", () => window.print(), "print")),
    make("main", "sheeted", left, divider(left, right), running ? right : lower));
  pageKeys(views);
  await nextSlice();
  views.forEach((view) => view.fit());
  moved = state(0) + state(1);
  printsAs(() => make("div", "printed", make("h1", "", data.title), ...[...pane.childNodes].map(printedPart), ...sides.flatMap((own, side) => [make("h2", "", data.names[side]), printedGraph(own)])));
  document.body.classList.add("ready");
  const page = { data, views };
  Object.assign(window, { layerexplain: page });
  return page;
}

/** A part of the page as it is printed: a copy of a canvas is empty. @param {Node} part */
function printedPart(part) {
  const copy = part.cloneNode(true);
  const canvases = (/** @type {Node} */ of) => (of instanceof Element ? [...of.querySelectorAll("canvas")] : []);
  canvases(copy).forEach((to, at) => to.getContext("2d")?.drawImage(canvases(part)[at], 0, 0));
  return copy;
}
