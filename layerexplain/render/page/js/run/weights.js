// The weights of a model as they stand in the page: float32 and half precision, in planes of bytes (run/page_program.py).

import { byId } from "../dom.js";

/** @typedef {import("./tree.js").Buffer} Buffer */

/** @param {number[]} sizes @param {Float64Array} values @returns {Buffer} */
export function packedBuffer(sizes, values) {
  return { values, sizes, strides: sizes.map((_, axis) => sizes.slice(axis + 1).reduce((a, b) => a * b, 1)), offset: 0 };
}

/** @param {[number[], number][]} table the shape of each, and whether it is in half precision @returns {Promise<Buffer[]>} */
export async function readWeights(table) {
  if (!table.length) return [];
  const packed = Uint8Array.from(atob(byId("weights").textContent || ""), (sign) => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = (/** @type {number} */ half) => table.reduce((sum, [sizes, own]) => sum + (own === half ? sizes.reduce((a, b) => a * b, 1) : 0), 0);
  const [singles, halves] = [count(0), count(1)];
  const single = new Float32Array(joined(bytes.subarray(0, 4 * singles), singles, 4).buffer);
  const half = new Uint16Array(joined(bytes.subarray(4 * singles), halves, 2).buffer);
  const places = [0, 0];
  return table.map(([sizes, own]) => {
    const size = sizes.reduce((a, b) => a * b, 1);
    const from = places[own];
    places[own] += size;
    const values = own ? Float64Array.from(half.subarray(from, from + size), halfValue) : Float64Array.from(single.subarray(from, from + size));
    return packedBuffer(sizes, values);
  });
}

/** Numbers whose bytes stand in planes, each whole. @param {Uint8Array} planes @param {number} count @param {number} width @returns {Uint8Array} */
function joined(planes, count, width) {
  const made = new Uint8Array(count * width);
  for (let plane = 0; plane < width; plane++) for (let i = 0; i < count; i++) made[i * width + plane] = planes[plane * count + i];
  return made;
}

/** A number in half precision by its bits. @param {number} bits */
function halfValue(bits) {
  const [sign, exponent, rest] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (!exponent) return sign * rest * 2 ** -24;
  if (exponent === 31) return rest ? NaN : sign * Infinity;
  return sign * (1 + rest / 1024) * 2 ** (exponent - 15);
}
