// Arrays from files: .npy, or numbers in text.

/** The numbers of a file. @param {File} file @returns {Promise<Float64Array>} */
export async function readArray(file) {
  const bytes = await file.arrayBuffer();
  if (/\.npy$/i.test(file.name)) return npyNumbers(bytes);
  const text = new TextDecoder().decode(bytes);
  const numbers = (text.match(/[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/g) ?? []).map(Number);
  if (!numbers.length) throw new Error(`${file.name} has no numbers; a picture, .npy, .csv or .json can be dropped here`);
  return Float64Array.from(numbers);
}

/** @type {Record<string, new (bytes: ArrayBuffer) => Iterable<number | bigint>>} */
const KINDS = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u4: Uint32Array, i2: Int16Array, u2: Uint16Array, i1: Int8Array, u1: Uint8Array, b1: Uint8Array, i8: BigInt64Array, u8: BigUint64Array };

/** @param {ArrayBuffer} bytes a file of NumPy, format 1 to 3 @returns {Float64Array} */
function npyNumbers(bytes) {
  const view = new DataView(bytes);
  const magic = String.fromCharCode(...new Uint8Array(bytes, 1, 5));
  if (magic !== "NUMPY") throw new Error("the file is no array of NumPy");
  const [length, start] = view.getUint8(6) === 1 ? [view.getUint16(8, true), 10] : [view.getUint32(8, true), 12];
  const head = new TextDecoder("latin1").decode(new Uint8Array(bytes, start, length));
  const kind = head.match(/'descr': '([<|=])(\w\d)'/)?.[2] ?? "";
  if (!KINDS[kind] || /'fortran_order': True/.test(head)) throw new Error("an array of float32, float64 or integers in C order is needed");
  return Float64Array.from(new KINDS[kind](bytes.slice(start + length)), Number);
}
