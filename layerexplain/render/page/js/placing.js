/** Where boxes and lines are drawn, some boxes being open: what an open box needs more pushes rows and lanes apart. */
/** @typedef {import("./types.js").Box} Box */
/** @typedef {import("./types.js").Graph} Graph */
/**
 * @typedef {{box: Box, x: number, y: number, w: number, h: number, call: number, calls: number[], open: boolean, copy: number, around: Item | null, up: boolean, before: Item[], after: Item[]}} Item a box as it is drawn;
 *   `call`: the call that it stands for, or -1; `calls`: all calls in it; `up`: whether tensors run upwards through it; `before`: the items that feed it; `after`: the items that it feeds
 */
/** @typedef {{items: Item[], lines: {from: Item, to: Item, points: number[], top: number, bottom: number}[], width: number, height: number}} Drawing */
/**
 * @typedef {{tops: number[], centres: number[], width: number, height: number, trunk: number, sizes: {w: number, h: number, anchor: number, inset: number}[]}} Spread how far a graph is pushed apart;
 *   `tops`: of rows; `centres`: of lanes; `sizes`: of boxes; what an open one holds begins at inset
 */

const FRAME = 12;
const NEAR = 0.11;

/** @type {WeakMap<Graph, {row: number[], lane: number[]}>} */
const PLACES = new WeakMap();

/** The last of sorted numbers that is at most `value`, as its place; -1 if there is none. @param {number} count @param {(at: number) => number} of @param {number} value */
export function lastAtMost(count, of, value) {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(middle) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The lane that runs nearest to a point; boxes of two lanes may reach past one another in different rows. @param {Graph} graph @param {number} x */
function laneAt(graph, x) {
  const next = lastAtMost(graph.lanes.length, (lane) => graph.lanes[lane], x) + 1;
  if (next === 0) return 0;
  if (next === graph.lanes.length) return next - 1;
  return x - graph.lanes[next - 1] <= graph.lanes[next] - x ? next - 1 : next;
}

/** @param {Graph} graph the row and the lane of each of its boxes */
function placesOf(graph) {
  let found = PLACES.get(graph);
  if (!found) {
    const rows = graph.boxes.map((box) => lastAtMost(graph.rows.length, (at) => graph.rows[at][0], box.y + NEAR));
    const lanes = graph.boxes.map((box) => laneAt(graph, box.x + box.w / 2));
    found = { row: rows, lane: lanes };
    PLACES.set(graph, found);
  }
  return found;
}

/** @param {Graph} graph @param {Map<Box, number>} open the open boxes, with the number of the copy that shows @returns {Drawing} */
export function place(graph, open) {
  /** @type {Map<Graph, Spread>} */
  const spreads = new Map();
  /** @type {Drawing} */
  const drawing = { items: [], lines: [], width: 0, height: 0 };
  const own = spread(graph, open, spreads);
  add(graph, open, spreads, 0, 0, null, null, drawing);
  drawing.width = own.width;
  drawing.height = own.height;
  return drawing;
}

/** @param {Graph} graph @param {Map<Box, number>} open @param {Map<Graph, Spread>} spreads @returns {Spread} */
function spread(graph, open, spreads) {
  const { row, lane } = placesOf(graph);
  const heights = graph.rows.map(([top, bottom]) => bottom - top);
  const left = graph.lanes.map(() => 0); // by how much a box of each lane needs more room to its left, and to its right
  const right = graph.lanes.map(() => 0);
  const sizes = graph.boxes.map((box, at) => {
    let size = { w: box.w, h: box.h, anchor: box.w / 2, inset: FRAME };
    if (box.inner && open.has(box)) {
      const held = spread(box.inner, open, spreads);
      const w = Math.max(held.width + 2 * FRAME, (box.tw || 0) + 70);
      const inset = (w - held.width) / 2;
      size = { w, h: (box.th || 0) + held.height + FRAME, anchor: inset + held.trunk, inset };
    }
    heights[row[at]] = Math.max(heights[row[at]], size.h);
    left[lane[at]] = Math.max(left[lane[at]], size.anchor - box.w / 2);
    right[lane[at]] = Math.max(right[lane[at]], size.w - size.anchor - box.w / 2);
    return size;
  });
  const tops = [];
  let more = 0;
  for (let at = 0; at < heights.length; at++) {
    tops.push(graph.rows[at][0] + more);
    more += heights[at] - (graph.rows[at][1] - graph.rows[at][0]);
  }
  const centres = [];
  let wider = 0;
  for (let at = 0; at < graph.lanes.length; at++) {
    wider += left[at];
    centres.push(graph.lanes[at] + wider);
    wider += right[at];
  }
  const trunk = graph.lanes.findIndex((centre) => Math.abs(centre - graph.trunk) < NEAR);
  const found = {
    tops, centres, sizes, width: graph.width + wider, height: graph.height + more,
    trunk: trunk < 0 ? graph.trunk : centres[trunk],
  };
  spreads.set(graph, found);
  return found;
}

/**
 * @param {Graph} graph
 * @param {Map<Box, number>} open
 * @param {Map<Graph, Spread>} spreads
 * @param {number} x0
 * @param {number} y0
 * @param {Item | null} around
 * @param {Map<number, number> | null} names which call stands for which of the first copy
 * @param {Drawing} drawing
 */
function add(graph, open, spreads, x0, y0, around, names, drawing) {
  const { row, lane } = placesOf(graph);
  const own = /** @type {Spread} */ (spreads.get(graph));
  const named = (/** @type {number} */ call) => (names ? names.get(call) ?? call : call);
  const items = graph.boxes.map((box, at) => {
    const size = own.sizes[at];
    const calls = box.copies ? box.copies.flat().map(named) : box.call === undefined ? [] : [named(box.call)];
    const copy = box.copies && box.single && open.has(box) ? box.copies[open.get(box) || 0] : undefined;
    const single = copy ? named(copy[0]) : box.call === undefined ? -1 : named(box.call);
    /** @type {Item} */
    const item = {
      box, x: x0 + own.centres[lane[at]] - size.anchor, y: y0 + own.tops[row[at]], w: size.w, h: size.h,
      call: single, calls, open: !!box.inner && open.has(box), copy: open.get(box) ?? 0, around, up: false, before: [], after: [],
    };
    drawing.items.push(item);
    return item;
  });
  const alongOf = (/** @type {number} */ y) => {
    const at = lastAtMost(graph.rows.length, (one) => graph.rows[one][0], y + NEAR);
    if (at < 0) return y;
    const [top, bottom] = graph.rows[at];
    if (y <= bottom + NEAR) return own.tops[at] + y - top;
    const next = at + 1 < own.tops.length ? own.tops[at + 1] - graph.rows[at + 1][0] : own.height - graph.height;
    return y + next;
  };
  for (const line of graph.lines) {
    const from = items[line[0]];
    const to = items[line[1]];
    const up = line[3] <= from.box.y + NEAR;
    const port = up ? 2 : line.length - 2; // it goes with its box; all others run where lanes do
    const acrossOf = (/** @type {number} */ x) => {
      const at = x === line[port] ? lane[line[up ? 0 : 1]] : laneAt(graph, x);
      return own.centres[at] + x - graph.lanes[at];
    };
    const way = [];
    for (let at = 2; at < line.length; at += 2) way.push(x0 + acrossOf(line[at]), y0 + alongOf(line[at + 1]));
    for (const [item, at] of /** @type {[Item, number][]} */ ([[from, 2], [to, line.length - 2]])) {
      const { box } = item;
      if (line[at + 1] <= box.y + NEAR) way[at - 1] = item.y;
      else if (line[at + 1] >= box.y + box.h - NEAR) way[at - 1] = item.y + item.h;
      else way[at - 2] = line[at] <= box.x + NEAR ? item.x : item.x + item.w; // it runs sideways
    }
    const ys = way.filter((_, at) => at % 2);
    drawing.lines.push({ from, to, points: way, top: Math.min(...ys), bottom: Math.max(...ys) });
    from.up ||= up;
    to.up ||= line[line.length - 1] >= to.box.y + to.box.h - NEAR;
    from.after.push(to);
    to.before.push(from);
  }
  for (const [at, item] of items.entries()) {
    if (!item.open || !item.box.inner) continue;
    add(item.box.inner, open, spreads, item.x + own.sizes[at].inset, item.y + (item.box.th || 0), item, copied(item, names), drawing);
  }
}

/** Which call of the copy that shows stands for which of the first one. @param {Item} item @param {Map<number, number> | null} names @returns {Map<number, number> | null} */
function copied(item, names) {
  const copies = item.box.copies;
  if (!copies) return names;
  const shown = copies[item.copy] || copies[0];
  return new Map(copies[0].map((call, at) => [call, names ? names.get(shown[at]) ?? shown[at] : shown[at]]));
}

/** The boxes to open, each with its copy, so that a call shows; null if the graph does not hold it. @param {Graph} graph @param {number} call @returns {[Box, number][] | null} */
export function wayTo(graph, call) {
  for (const box of graph.boxes) {
    if (box.call === call) return [];
    if (box.copies) {
      const copy = box.copies.findIndex((calls) => calls.includes(call));
      if (copy >= 0) {
        if (!box.inner) return [[box, copy]];
        const first = box.copies[0][box.copies[copy].indexOf(call)];
        return [[box, copy], ...(wayTo(box.inner, first) || [])];
      }
    }
    if (box.inner) {
      const inside = wayTo(box.inner, call);
      if (inside) return [[box, 0], ...inside];
    }
  }
  return null;
}
