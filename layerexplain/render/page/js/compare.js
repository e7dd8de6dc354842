/** Two models side by side: their graphs move together, what differs is marked, and a table tells it. */
import { printsAs, themeButton, whenRead } from "./document.js";
import { button, count, make, points, table } from "./dom.js";
import { GraphView } from "./graph_view.js";
import { printedGraph } from "./printed_graph.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {[string, number | null, number | null, string, string, [string, string, string][]]} Change */
/** @typedef {{title: string, names: [string, string], before: Data, after: Data, changes: Change[], pairs: (number | null)[]}} Compared */

/** @param {Data} data @param {number | null} layer @returns {number[]} */
function callsOf(data, layer) {
  return data.calls.flatMap(([at], call) => (at === layer ? [call] : []));
}

/** @param {Compared} data */
function start(data) {
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
    view.look.found = changed.size ? changed : null;
    return view;
  });
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
    data.changes.length ? changes : points(["Nothing differs."]), chosen);

  /** The layers that are chosen, beside each other. @param {number | null} before @param {number | null} after @param {number} [row] */
  function showChosen(before, after, row) {
    const at = row ?? data.changes.findIndex((one) => (before !== null && one[1] === before) || (after !== null && one[2] === after));
    rows.forEach((one, i) => one.closest("tr")?.classList.toggle("chosen-row", i === at));
    if (at >= 0) rows[at].scrollIntoView({ block: "nearest" });
    const layers = [before, after].map((layer, side) => (layer === null || layer < 0 ? null : sides[side].layers[layer]));
    const line = (/** @type {string} */ what, /** @type {(layer: import("./types.js").Layer) => string} */ text) => [what, ...layers.map((layer) => (layer ? text(layer) : "not there"))];
    chosen.replaceChildren(...(layers.some(Boolean) ? [make("h3", "", "The chosen layer"), table(["", ...data.names], [line("name", (one) => one.path),
      line("type", (one) => one.type), line("operation", (one) => one.operation), line("shape", (one) => one.shape), line("parameters", (one) => count(one.params)), line("MACs", (one) => count(one.macs))])] : []));
  }

  /** The second view goes where the first one went: to the same part of the graph, as large. @param {number} from */
  function follow(from) {
    const [one, other] = [views[from], views[1 - from]];
    const wholes = [one.whole().scale, other.whole().scale];
    const middle = { x: one.view.x + one.canvas.clientWidth / 2 / one.wide, y: one.view.y + one.canvas.clientHeight / 2 / one.view.scale };
    other.lookAt((one.view.scale * wholes[1]) / wholes[0], (middle.x / one.drawing.width) * other.drawing.width, (middle.y / one.drawing.height) * other.drawing.height);
  }
  let moved = "";
  const state = (/** @type {number} */ side) => JSON.stringify(views[side].view);
  views.forEach((view, side) => view.onDraw.push(() => {
    const now = state(0) + state(1);
    if (now === moved || busy) return;
    if (side === view.lastMoved) follow(side);
    moved = state(0) + state(1);
  }));
  const frames = views.map((view, side) => {
    const frame = make("div", "graph-frame", view.element, view.tools.element);
    for (const kind of ["pointerdown", "wheel", "keydown"]) frame.addEventListener(kind, () => views.forEach((one) => (one.lastMoved = side)), { capture: true, passive: true });
    return make("section", "one-side", make("h2", "", data.names[side]), frame);
  });
  const recoloured = () => views.forEach((view) => {
    view.picture.readColours();
    view.redraw();
  });
  document.body.append(make("header", "bar", make("h1", "", data.title), button("Fit", () => views.forEach((view) => view.fit())), themeButton(recoloured)),
    make("main", "", make("div", "sides", ...frames), pane));
  views.forEach((view) => view.fit());
  moved = state(0) + state(1);
  printsAs(() => make("div", "printed", make("h1", "", data.title), ...[...pane.childNodes].map((one) => one.cloneNode(true)),
    ...sides.flatMap((own, side) => [make("h2", "", data.names[side]), printedGraph(own)])));
  document.body.classList.add("ready");
  Object.assign(window, { layerexplain: { data, views } });
}

whenRead(start);
