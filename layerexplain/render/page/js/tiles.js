// Tensors as tiles: a small picture of each of their slices.

import { make } from "./dom.js";
import { numberText } from "./element_words.js";

/** @typedef {{values: ArrayLike<number>, count: number, rows: number, columns: number, label: string, grey?: Uint8Array, index?: (tile: number, row: number, column: number) => number[]}} Tiles `grey` is 1 for a cell that does not count, `index` tells the element that a cell is of */

/** So many channels are drawn. */
const MOST_TILES = 16;

/**
 * The slices of an array as tiles, by the axes that its line is drawn by.
 * @param {import("./values.js").OpenArray} array @param {Pick<import("./scalars.js").Line, "grid" | "letters">} line
 * @param {number} [most] so many tiles @param {number} [side] of longer sides every second place is drawn, or every third … @returns {Tiles[]}
 */
export function tilesOf(array, line, most = MOST_TILES, side = Infinity) {
  const [r, c] = line.grid;
  const [high, wide] = [r === null ? 1 : array.shape[r], c === null ? 1 : array.shape[c]];
  const [down, across] = [high, wide].map((size) => Math.max(1, Math.ceil(size / side)));
  const [rows, columns] = [Math.ceil(high / down), Math.ceil(wide / across)];
  const hidden = array.shape.map((_, axis) => axis).filter((axis) => axis !== r && axis !== c && array.shape[axis] > 1);
  const last = hidden[hidden.length - 1];
  const count = last === undefined ? 1 : Math.min(array.shape[last], most);
  const values = new Float32Array(count * rows * columns);
  const grey = array.places && new Uint8Array(values.length);
  const counts = (/** @type {number | null | undefined} */ axis, /** @type {number} */ place) => axis === null || axis === undefined || array.places?.[axis][place];
  for (let k = 0, at = 0; k < count; k++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        if (grey && !(counts(last, k) && counts(r, i * down) && counts(c, j * across))) grey[at] = 1;
        values[at++] = array.values[(array.offset ?? 0) + (last === undefined ? 0 : k * array.strides[last]) + (r === null ? 0 : i * down * array.strides[r]) + (c === null ? 0 : j * across * array.strides[c])];
      }
    }
  }
  const role = last === undefined ? "" : line.letters[last][2] || "slices";
  const more = last !== undefined && count < array.shape[last] ? `the first ${count} of ${array.shape[last]} ${role}` : count > 1 ? `${count} ${role}` : "";
  const index = (/** @type {number} */ tile, /** @type {number} */ row, /** @type {number} */ column) => array.shape.map((_, axis) => (axis === r ? row * down : axis === c ? column * across : axis === last ? tile : 0));
  return [{ values, count, rows, columns, label: more, grey, index }];
}

/** Tiles below a caption, a sentence of what they are and of their values. @param {string} name @param {Tiles[]} tiles @param {string} [words] */
export function tilesFigure(name, tiles, words = "") {
  const [first] = tiles;
  const scale = Math.max(1, Math.min(12, Math.floor(first.count > 1 ? 72 / first.columns : 320 / first.columns), Math.floor(220 / first.rows)));
  const [low, high] = range(first.values);
  const said = [first.label, `values from ${numberText(low)} to ${numberText(high)}`, words].filter(Boolean).join(", ");
  const title = make("figcaption", "", name ? make("b", "", `${name}: `) : "", make("span", "quiet", `${name ? said : said[0].toUpperCase() + said.slice(1)}.`));
  return make("figure", "tilesfigure", title, tilesCanvas(first, scale));
}

/** The least and the largest of numbers. @param {ArrayLike<number>} values @returns {[number, number]} */
export function range(values) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return low > high ? [NaN, NaN] : [low, high];
}

/** Tiles in rows on a canvas. @param {Tiles} tiles @param {number} scale */
export function tilesCanvas(tiles, scale) {
  const canvas = make("canvas", "tiles");
  drawTiles(canvas, tiles, scale);
  return canvas;
}

/** Tiles one below the other, a pixel for each number; those below 0 are blue, above it orange. @param {Tiles} tiles */
export function strip({ values, count, rows, columns, grey }) {
  const own = document.createElement("canvas");
  own.width = columns;
  own.height = count * rows;
  const cells = own.getContext("2d");
  const image = cells?.createImageData(columns, count * rows);
  if (!cells || !image) return null;
  const [low, high] = range(values);
  const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
  for (let at = 0; at < count * rows * columns; at++) colourCell(image.data, 4 * at, values[at] / most, grey?.[at] === 1);
  cells.putImageData(image, 0, 0);
  return own;
}

/** Draws tiles. @param {HTMLCanvasElement} canvas @param {Tiles} tiles @param {number} scale */
export function drawTiles(canvas, tiles, scale) {
  const { values, count, rows, columns } = tiles;
  const { gap, across } = spacing(count, columns, scale);
  const down = Math.ceil(count / across);
  canvas.width = across * (columns * scale + gap);
  canvas.height = down * (rows * scale + gap);
  const [low, high] = range(values);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${count > 1 ? `${count} pictures` : "a picture"} of ${rows} × ${columns} values from ${numberText(low)} to ${numberText(high)}`);
  const pen = canvas.getContext("2d");
  const own = strip(tiles);
  if (!pen || !own) return;
  pen.imageSmoothingEnabled = false;
  pen.strokeStyle = "#8886";
  for (let k = 0; k < count; k++) {
    const x = (k % across) * (columns * scale + gap);
    const y = Math.floor(k / across) * (rows * scale + gap);
    pen.drawImage(own, 0, k * rows, columns, rows, x, y, columns * scale, rows * scale);
    pen.strokeRect(x + 0.5, y + 0.5, columns * scale - 1, rows * scale - 1);
  }
}

/** How far tiles are apart, and how many stand in a row. @param {number} count @param {number} columns @param {number} scale */
function spacing(count, columns, scale) {
  const gap = count > 1 ? 4 : 0;
  return { gap, across: Math.max(1, Math.min(count, Math.floor(430 / (columns * scale + gap)))) };
}

/** The tile, row and column that a pointer is at; null between tiles. @param {HTMLCanvasElement} canvas @param {Tiles} tiles @param {number} scale @param {MouseEvent} event @returns {[number, number, number] | null} */
export function cellAt(canvas, { count, rows, columns }, scale, event) {
  const { gap, across } = spacing(count, columns, scale);
  const x = (event.offsetX * canvas.width) / canvas.clientWidth;
  const y = (event.offsetY * canvas.height) / canvas.clientHeight;
  const [wide, tall] = [columns * scale + gap, rows * scale + gap];
  const tile = Math.floor(y / tall) * across + Math.floor(x / wide);
  const [row, column] = [Math.floor((y % tall) / scale), Math.floor((x % wide) / scale)];
  return tile >= 0 && tile < count && row < rows && column < columns ? [tile, row, column] : null;
}

/** Gives a pixel the colour of a value between -1 and 1, as cells have it: at 0 that of the page. @param {Uint8ClampedArray} to @param {number} at @param {number} value @param {boolean} grey */
function colourCell(to, at, value, grey) {
  const known = value === value;
  [to[at], to[at + 1], to[at + 2]] = !known || grey ? [128, 128, 128] : value < 0 ? [52, 122, 200] : [224, 84, 28];
  to[at + 3] = grey ? 110 : known ? 255 * Math.sqrt(Math.min(1, Math.abs(value))) : 255;
}
