/** How the graph looks from afar and from near: the sizes of blocks, and how far it is drawn out along its length. */

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./placing.js").Item} Item */
/** @typedef {import("./placing.js").Drawing} Drawing */

/** Below this scale boxes are blocks without texts in them. */
export const FAR = 0.36;
/** From this scale on boxes also show values and formulas. */
export const NEAR_SCALE = 1.6;
/** From afar the middle of the graph is at this part of the width. */
const NAMED = 0.36;
/** From afar the graph is at most so much wider than high, so that a long one is no thread. */
const MOST_STRETCH = 4;
/** The smallest block is this part of the widest; sizes go with logarithms, over so many powers of 2 at least. */
const SMALLEST = 0.2;
const LEAST_RANGE = 6;
/** Blocks that stand beside each other are so far apart, in units of the graph. */
const BETWEEN = 10;

/** By how much the graph is wider than high at a scale. @param {number} scale @param {number} most */
export function stretchAt(scale, most) {
  return Math.min(Math.max(FAR / scale, 1), most);
}

/**
 * Where a drawing begins that is all in view: in the middle, from afar more to the left, since names stand at the right of
 * blocks; what is kept free before and after it stays free.
 * @param {number} width of the room
 * @param {number} own width of the drawing
 * @param {number} scale
 * @param {number} before
 * @param {number} after
 */
export function startOf(width, own, scale, before, after) {
  const free = width - own;
  return Math.max(scale < FAR ? Math.min(NAMED * width - own / 2, free - after) : free / 2, Math.min(before, free - after));
}

/** The most that a drawing is drawn out sideways, so that all of it still fits into a room. @param {Drawing} drawing @param {number} width @param {number} height */
export function mostStretch(drawing, width, height) {
  return Math.min(Math.max((width * drawing.height) / (height * drawing.width || 1), 1), MOST_STRETCH);
}

/** How many numbers a box gives, those of its last layer: Infinity where a size is not known until the model runs. @param {Item} item @param {Data} data */
function valuesOf(item, data) {
  const last = item.call >= 0 ? item.call : item.calls[item.calls.length - 1];
  if (last === undefined) return null;
  const layer = data.layers[data.calls[last][0]];
  if (layer.values === null) return /\([^()]*None[^()]*None/.test(layer.shape) ? Infinity : null;
  return layer.values / Math.max(layer.calls?.length || 0, 1);
}

/** The widths of blocks: they grow with the logarithm of how many numbers a box gives, and none leaves its lane. @param {Item[]} items @param {Data} data @returns {Map<Item, number>} */
export function blockWidths(items, data) {
  items = items.filter((item) => !item.box.port);
  /** @type {Map<Item, number>} */
  const logs = new Map();
  let most = 0;
  let least = Infinity;
  let isOpen = false;
  for (const item of items) {
    const values = valuesOf(item, data);
    if (!values) continue;
    const log = Math.log2(values);
    isOpen ||= log === Infinity;
    logs.set(item, log);
    if (log === Infinity) continue;
    most = Math.max(most, log);
    least = Math.min(least, log);
  }
  // Images and sequences of any size are drawn as larger than what has one.
  if (isOpen) most += LEAST_RANGE;
  const range = Math.max(most - least, LEAST_RANGE);
  /** @type {Map<string, number>} */
  const lanes = new Map();
  const laneOf = (/** @type {Item} */ item) => `${Math.round(item.x + item.w / 2)}`;
  for (const item of items) lanes.set(laneOf(item), Math.max(lanes.get(laneOf(item)) || 0, item.w));
  const rooms = [...lanes.values()].sort((a, b) => a - b);
  const usual = rooms[(rooms.length - 1) >> 1] || 0;
  const beside = neighbours(items);
  return new Map(items.map((item) => {
    const middle = item.x + item.w / 2;
    const apart = (beside.get(item) ?? []).map((one) => (one ? Math.abs(one.x + one.w / 2 - middle) - BETWEEN : Infinity));
    const log = logs.get(item);
    const share = log === undefined ? SMALLEST : SMALLEST + (1 - SMALLEST) * (1 - (most - Math.min(log, most)) / range);
    return [item, share * Math.min(...apart, rooms.length > 1 ? usual : Infinity, lanes.get(laneOf(item)) || usual)];
  }));
}

/** What stands at the left and at the right of each box in its row. @param {Item[]} items @returns {Map<Item, [Item | undefined, Item | undefined]>} */
export function neighbours(items) {
  /** @type {Map<string, Item[]>} */
  const rows = new Map();
  for (const item of items) {
    if (item.box.port) continue;
    const key = `${Math.round(item.y)}`;
    const row = rows.get(key);
    if (row) row.push(item);
    else rows.set(key, [item]);
  }
  /** @type {Map<Item, [Item | undefined, Item | undefined]>} */
  const found = new Map();
  for (const row of rows.values()) {
    row.sort((a, b) => a.x - b.x);
    row.forEach((item, at) => found.set(item, [row[at - 1], row[at + 1]]));
  }
  return found;
}
