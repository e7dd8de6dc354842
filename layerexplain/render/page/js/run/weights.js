// The weights of a model as they stand in the page: float32 and half precision, in planes of bytes (run/page_program.py).

import { nextSlice, unpacked } from "../bytes.js";

/** @typedef {import("./tree.js").Buffer} Buffer */

/** So many numbers are decoded at once, and the page goes on after so many milliseconds. */
const AT_ONCE = 1 << 17;
export const SLICE = 8;

/** @param {number[]} sizes @param {Float64Array} values @returns {Buffer} */
export function packedBuffer(sizes, values) {
  return { values, sizes, strides: sizes.map((_, axis) => sizes.slice(axis + 1).reduce((a, b) => a * b, 1)), offset: 0 };
}

/** @param {[number[], number][]} table the shape of each, and whether it is in half precision @param {string} id of the element in which they stand @returns {Promise<Buffer[]>} */
export async function readWeights(table, id) {
  if (!table.length) return [];
  const bytes = new Uint8Array(await unpacked(id).arrayBuffer());
  const counts = [0, 0];
  for (const [sizes, half] of table) counts[half] += sizes.reduce((a, b) => a * b, 1);
  const planes = [bytes.subarray(0, 4 * counts[0]), bytes.subarray(4 * counts[0])];
  const places = [0, 0];
  const found = [];
  let begin = performance.now();
  for (const [sizes, half] of table) {
    const values = new Float64Array(sizes.reduce((a, b) => a * b, 1));
    for (let from = 0; from < values.length; from += AT_ONCE) {
      const part = values.subarray(from, from + AT_ONCE);
      (half ? fillHalves : fillSingles)(part, planes[half], counts[half], places[half] + from);
      if (performance.now() - begin < SLICE) continue;
      await nextSlice();
      begin = performance.now();
    }
    places[half] += values.length;
    found.push(packedBuffer(sizes, values));
  }
  return found;
}

/** @typedef {(values: Float64Array, planes: Uint8Array, count: number, from: number) => void} Fills fills values with those of `count` numbers in planes of bytes, from one on */

/** @type {Fills} */
function fillSingles(values, planes, count, from) {
  const bits = new Uint32Array(values.length);
  for (let plane = 0; plane < 4; plane++) for (let i = 0, at = plane * count + from; i < bits.length; i++) bits[i] |= planes[at + i] << (8 * plane);
  values.set(new Float32Array(bits.buffer));
}

/** @type {Fills} */
function fillHalves(values, planes, count, from) {
  const bits = new Uint32Array(1);
  const single = new Float32Array(bits.buffer);
  for (let i = 0; i < values.length; i++) {
    const high = planes[count + from + i];
    // As a number in single precision, whose exponent begins 112 lower.
    bits[0] = ((high & 127) << 21) | (planes[from + i] << 13);
    const value = (high & 124) === 124 ? (bits[0] & 0x7fffff ? NaN : Infinity) : single[0] * 2 ** 112;
    values[i] = high & 128 ? -value : value;
  }
}
