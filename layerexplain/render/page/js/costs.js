/** Where a model costs: the share of each row of boxes as a bar at the left, and the kinds of layers that share a block's cost. */
import { measured, measuresOf } from "./amounts.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./types.js").Box} Box */
/** @typedef {import("./placing.js").Item} Item */
/** @typedef {import("./canvas.js").Picture} Picture */
/** @typedef {import("./canvas.js").View} View */
/** @typedef {{title: string, rows: Map<number, {share: number, h: number}>, most: number}} Costs what is measured, and the share of each row by where it begins */

/** So many pixels left of the graph are kept for the bars and their numbers. */
export const GUTTER = 92;
const LONGEST_BAR = 40;
const THICKEST_BAR = 10;
const NUMBER = 12;
/** What costs are measured by where nothing was chosen: the first of them that is known of all boxes. */
const USUAL = ["macs", "params"];
/** A kind with a smaller part of a block's cost has no stripe in it. */
const LEAST_STRIPE = 0.08;

/** How much of a measure some calls have; what a layer has is spread evenly over its calls. @param {Data} data @param {number[]} calls @param {string} measure @returns {number | null} null where a part is not known */
function partOf(data, calls, measure) {
  /** @type {Map<number, number>} */
  const layers = new Map();
  for (const call of calls) layers.set(data.calls[call][0], (layers.get(data.calls[call][0]) || 0) + 1);
  let sum = 0;
  for (const [at, own] of layers) {
    const layer = data.layers[at];
    if (layer.parent >= 0 && layers.has(layer.parent)) continue;
    const value = measured(layer, measure);
    if (value === null) return null;
    sum += (value * own) / Math.max(layer.calls?.length || 0, own);
  }
  return sum;
}

/**
 * The parts that several sets of calls have in the first measure that is known of all of them and not 0 in all; null
 * without one.
 * @param {Data} data
 * @param {number[][]} sets
 * @param {string[]} measures
 * @returns {{measure: string, parts: number[], sum: number} | null}
 */
function knownParts(data, sets, measures) {
  for (const measure of measures) {
    /** @type {number[]} */
    const parts = [];
    for (const calls of sets) {
      const part = partOf(data, calls, measure);
      if (part === null) break;
      parts.push(part);
    }
    const sum = parts.reduce((a, b) => a + b, 0);
    if (parts.length === sets.length && sum > 0) return { measure, parts, sum };
  }
  return null;
}

/**
 * The shares of the rows of boxes; null where they are not known, or of numbers that are no sums. The boxes in an open
 * one share what it has: of a block that repeats they stand for all copies, of a model for one of its calls.
 * @param {Data} data
 * @param {Item[]} items each behind the one around it
 * @param {string} chosen a measure, or "" for the usual one
 * @returns {Costs | null}
 */
export function costsOf(data, items, chosen) {
  const found = chosen === "overlay" ? null : knownParts(data, items.map((item) => item.calls), chosen ? [chosen] : USUAL);
  if (!found) return null;
  /** @type {Map<Item | null, number>} */
  const inside = new Map();
  items.forEach(({ around }, at) => inside.set(around, (inside.get(around) || 0) + found.parts[at]));
  /** @type {Map<Item | null, number>} */
  const shares = new Map([[null, 1]]);
  /** @type {Costs["rows"]} */
  const rows = new Map();
  items.forEach((item, at) => {
    const { around, y, h } = item;
    const share = (found.parts[at] * (shares.get(around) || 0)) / (inside.get(around) || 1);
    shares.set(item, share);
    if (item.open) return;
    const before = rows.get(y);
    rows.set(y, { share: (before?.share || 0) + share, h: Math.max(before?.h || 0, h) });
  });
  const most = [...rows.values()].reduce((a, { share }) => Math.max(a, share), 0);
  const repeated = items.some((item) => item.open && (item.box.copies?.length || 0) > 1);
  return { title: `${measuresOf(data).find(([key]) => key === found.measure)?.[1]}${repeated ? ", of all copies" : ""}`, rows, most };
}

/** Whether there is room for the bars left of the graph. @param {View} view */
export function hasGutter({ x, scale, stretch }) {
  return -x * scale * stretch >= GUTTER - 1;
}

/** Draws the bars, where there is room for them left of the graph. @param {Picture} picture @param {Costs | null} costs @param {View} view @param {number} ratio pixels of the canvas for each of the page @param {number} height of what is seen, in pixels */
export function paintCosts(picture, costs, view, ratio, height) {
  if (!costs || !hasGutter(view)) return;
  const { pen, colours } = picture;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colours.quiet;
  pen.textAlign = "left";
  pen.font = picture.plain(NUMBER);
  /** @type {Map<number, number>} rows that are thinner than a pixel, as one */
  const thin = new Map();
  for (const [y, { share, h }] of costs.rows) {
    const middle = (y + h / 2 - view.y) * view.scale;
    if (middle < 0 || middle > height || !share) continue;
    const thick = Math.min(0.7 * h * view.scale, THICKEST_BAR);
    if (thick < 1) {
      thin.set(Math.round(middle), (thin.get(Math.round(middle)) || 0) + share);
      continue;
    }
    const long = (LONGEST_BAR * share) / costs.most;
    pen.fillRect(NUMBER, middle - thick / 2, Math.max(long, 1), thick);
    if (h * view.scale >= NUMBER && share >= 0.005) pen.fillText(`${Math.round(100 * share)} %`, NUMBER + long + 4, middle + 0.36 * NUMBER);
  }
  const most = [...thin.values()].reduce((a, b) => Math.max(a, b), 0);
  for (const [middle, share] of thin) pen.fillRect(NUMBER, middle, (LONGEST_BAR * share) / most, 1);
}

/** The boxes in a graph that hold no others. @param {import("./types.js").Graph} graph @returns {Box[]} */
function leaves(graph) {
  return graph.boxes.flatMap((box) => (box.inner ? leaves(box.inner) : box.port ? [] : [box]));
}

/** @type {WeakMap<Box, [string, number][]>} */
const STRIPES = new WeakMap();

/** The kinds of layers that most of a block's cost goes to, each with its part, the largest first. @param {Data} data @param {Box} box @returns {[string, number][]} */
export function stripesOf(data, box) {
  let found = STRIPES.get(box);
  if (!found) {
    const inside = box.inner ? leaves(box.inner) : [];
    const costs = knownParts(data, inside.map((one) => one.copies?.flat() ?? (one.call === undefined ? [] : [one.call])), USUAL);
    /** @type {Map<string, number>} */
    const kinds = new Map();
    inside.forEach(({ family }, at) => family && costs && kinds.set(family, (kinds.get(family) || 0) + costs.parts[at] / costs.sum));
    const large = [...kinds].filter(([, part]) => part >= LEAST_STRIPE).sort((a, b) => b[1] - a[1]);
    const sum = large.reduce((a, [, part]) => a + part, 0);
    found = large.length > 1 ? large.map(([kind, part]) => [kind, part / sum]) : [[box.family ?? "", 1]];
    STRIPES.set(box, found);
  }
  return found;
}

/**
 * What a box is filled with: the colour of its kind, or of a block one stripe for each kind that costs.
 * @param {Picture} picture
 * @param {Box} box
 * @param {number} x
 * @param {number} w
 * @param {"of" | "strong"} tone
 * @param {string} other the colour of what has no kind
 */
export function fillOf({ pen, colours, data }, box, x, w, tone, other) {
  const stripes = stripesOf(data, box);
  const colour = (/** @type {string} */ kind) => colours[`${tone}-${kind}`] || other;
  if (stripes.length === 1) return colour(stripes[0][0]);
  const made = pen.createLinearGradient(x, 0, x + w, 0);
  let from = 0;
  for (const [kind, part] of stripes) {
    made.addColorStop(from, colour(kind));
    made.addColorStop((from = Math.min(from + part, 1)), colour(kind));
  }
  return made;
}
