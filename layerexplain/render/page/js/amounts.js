/** What boxes are compared by: how much of a quantity the layers in a box have. */

import { short } from "./dom.js";

/** @typedef {import("./types.js").Data} Data */

/** @type {[string, string, string][]} key, title, unit */
export const MEASURES = [
  ["params", "parameters", "parameters"],
  ["macs", "MACs", "MACs per example"],
  ["values", "activations (values)", "values per example"],
  ["activations", "activations (bytes)", "bytes of activations per example"],
  ["bytes", "weights (bytes)", "bytes of weights"],
];

/** The measures of a page: with numbers of one's own where it has some. @param {Data} data @returns {[string, string, string][]} */
export function measuresOf(data) {
  const own = data.model.overlay;
  return own ? [["overlay", own[0], own[0]], ...MEASURES] : MEASURES;
}

/** An amount in little room: 25.6 M, or 25.6 MB of a measure that is in bytes. @param {number | null | undefined} value @param {string} measure */
export function amountText(value, measure) {
  const text = measure === "overlay" && value !== null && value !== undefined ? String(+value.toPrecision(4)) : short(value);
  const inBytes = MEASURES.some(([key, , unit]) => key === measure && unit.startsWith("bytes"));
  return !inBytes || text === "?" ? text : `${text}${text.includes(" ") ? "" : " "}B`;
}

/** The sum of a measure over calls; a layer counts once, one inside of another that counts not at all. @param {Data} data @param {number[]} calls @param {string} measure @returns {number | null} null where a part is not known */
export function amount(data, calls, measure) {
  const layers = new Set(calls.map((call) => data.calls[call][0]));
  if (measure === "overlay") return combined([...layers].flatMap((at) => data.layers[at].overlay ?? []), data.model.overlay?.[1] ?? "sum");
  let sum = 0;
  for (const at of layers) {
    const layer = data.layers[at];
    if (layer.parent >= 0 && layers.has(layer.parent)) continue;
    const value = measured(layer, measure);
    if (value === null) return null;
    sum += value;
  }
  return sum;
}

/** What a layer has of a measure; null where that is not known. @param {import("./types.js").Layer} layer @param {string} measure */
export function measured(layer, measure) {
  return /** @type {Record<string, number | null | undefined>} */ (/** @type {unknown} */ (layer))[measure] ?? null;
}

/** The numbers of several layers as one; null where there is none. @param {number[]} numbers @param {string} how */
function combined(numbers, how) {
  if (!numbers.length) return null;
  if (how === "max") return Math.max(...numbers);
  const sum = numbers.reduce((a, b) => a + b, 0);
  return how === "mean" ? sum / numbers.length : sum;
}
