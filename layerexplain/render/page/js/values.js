// The values of a run that are in the page: arrays of float32, decoded when they are first asked for.

import { bytesOf } from "./bytes.js";

/** @typedef {{shape: number[], kind: string, data: string}} PackedArray base64 of little-endian numbers */
/** @typedef {{shape: number[], strides: number[], values: ArrayLike<number>, offset?: number, places?: ArrayLike<number>[]}} OpenArray `places`: 1 for each place of an axis that counts */

/** @type {WeakMap<PackedArray, OpenArray>} */
const openArrays = new WeakMap();

/** @param {PackedArray} packed @returns {OpenArray} */
export function openArray(packed) {
  let found = openArrays.get(packed);
  if (!found) {
    const bytes = bytesOf(packed.data);
    const values = packed.kind === "b" ? bytes : packed.kind === "i" ? new Int32Array(bytes.buffer) : new Float32Array(bytes.buffer);
    const strides = packed.shape.map((_, axis) => packed.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    openArrays.set(packed, (found = { shape: packed.shape, strides, values }));
  }
  return found;
}

/** The values of one call of a layer, by the numbers of tensors and lines in its form: those of the page, or of the last run of a model that runs in it. @param {import("./types.js").Layer} layer @param {import("./types.js").Data} data @param {number} call */
export function layerValues(layer, data, call) {
  const stored = /** @type {Record<string, number>} */ (layer.numbers?.[call] ?? {});
  const live = () => data.live?.callOf(layer, call)?.buffers;
  /** @param {number} of @returns {OpenArray | undefined} */
  const array = (of) => {
    if (of in stored) return openArray(/** @type {PackedArray[]} */ (data.arrays)[stored[of]]);
    const ran = data.live?.callOf(layer, call);
    const own = ran?.buffers.get(of);
    return ran && own && { shape: own.sizes, strides: own.strides, values: own.values, offset: own.offset, places: data.live?.placesOf(ran, of) };
  };
  /** The arrays of which numbers were asked for, as long as the same run gives them. @type {Map<number, OpenArray | undefined>} */
  const opened = new Map();
  /** @type {import("./run/program.js").RunCall | undefined} */
  let ofRun;
  return {
    get known() { return Object.keys(stored).length > 0 || live() !== undefined; },
    /** The numbers of what has values. @returns {number[]} */
    numbers: () => [...Object.keys(stored).map(Number), ...(live()?.keys() ?? [])],
    has: (/** @type {number} */ of) => of in stored || (live()?.has(of) ?? false),
    array,
    /** @type {import("./element.js").Values} */
    get(of, index) {
      const run = data.live?.callOf(layer, call);
      if (run !== ofRun) opened.clear();
      ofRun = run;
      let found = opened.get(of);
      if (!found) opened.set(of, (found = array(of)));
      if (!found) return undefined;
      let at = found.offset ?? 0;
      for (let axis = 0; axis < index.length; axis++) {
        if (index[axis] < 0 || index[axis] >= found.shape[axis]) return undefined;
        at += index[axis] * found.strides[axis];
      }
      return found.values[at];
    },
  };
}
