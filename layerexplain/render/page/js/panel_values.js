// The values of a run: outputs as pictures, the spread of each weight.

import { make } from "./dom.js";
import { numberText } from "./element_words.js";
import { openArray } from "./values.js";

/** @typedef {{values: ArrayLike<number>, count: number, rows: number, columns: number, label: string}} Tiles */

/** So many channels are drawn. */
const MOST_TILES = 16;

/**
 * What a layer gives, as pictures.
 * @param {any} layer @param {any} data @param {HTMLElement} element
 */
export function panelValues(layer, data, element) {
  if (!data.run) return;
  const form = data.forms[layer.forms?.[0]];
  const numbers = layer.numbers?.[0] ?? {};
  if (form) {
    const first = form.tensors.length;
    const results = form.results.map((/** @type {number} */ one) => one + first);
    const others = Object.keys(numbers).map(Number).filter((of) => of >= first && !results.includes(of));
    for (const of of [...results, ...others]) {
      if (!(of in numbers)) continue;
      const line = form.lines[of - first];
      element.append(tilesFigure(line.name, tilesOf(openArray(data.arrays[numbers[of]]), line)));
    }
  }
  for (const picture of layer.pictures ?? []) {
    const every = picture.every[0] * picture.every[1] > 1 ? `every ${picture.every.join(" × ")} places` : "";
    const shown = picture.shape.length > 2 && picture.tiles < picture.shape[picture.shape.length - 1] ? `the first ${picture.tiles} of ${picture.shape[picture.shape.length - 1]} channels` : "";
    element.append(tilesFigure(picture.name ?? "", [coded(picture)], [shown, every].filter(Boolean).join(", ")));
  }
  if (layer.unnumbered) element.append(make("p", "quiet", `Without numbers: ${layer.unnumbered}.`));
}

/**
 * How the values of weights are spread.
 * @param {any} layer @param {any} _ @param {HTMLElement} element
 */
export function panelSpreads(layer, _, element) {
  for (const one of layer.spreads ?? []) {
    const words = `${numberText(one.low)} to ${numberText(one.high)}, mean ${numberText(one.mean)}, standard deviation ${numberText(one.std)}`;
    const picture = coded({ ...one, low: one.picture_low, high: one.picture_high });
    const scale = Math.max(1, Math.min(10, Math.floor(84 / Math.max(picture.rows, picture.columns))));
    element.append(make("div", "spread", make("b", "", one.name), histogram(one), tilesCanvas(picture, scale), make("span", "quiet", words)));
  }
}

/** @param {any} picture @returns {Tiles} */
function coded(picture) {
  const bytes = Uint8Array.from(atob(picture.data), (one) => one.charCodeAt(0));
  const values = Float32Array.from(bytes, (one) => (one === 255 ? NaN : picture.low + (one / 254) * (picture.high - picture.low)));
  return { values, count: picture.tiles, rows: picture.rows, columns: picture.columns, label: "" };
}

/**
 * The slices of an array as tiles, by the axes that its line is drawn by.
 * @param {import("./values.js").OpenArray} array @param {any} line @returns {Tiles[]}
 */
function tilesOf(array, line) {
  const [r, c] = line.grid;
  const rows = r === null ? 1 : array.shape[r];
  const columns = c === null ? 1 : array.shape[c];
  const hidden = array.shape.map((_, axis) => axis).filter((axis) => axis !== r && axis !== c && array.shape[axis] > 1);
  const last = hidden[hidden.length - 1];
  const count = last === undefined ? 1 : Math.min(array.shape[last], MOST_TILES);
  const values = new Float32Array(count * rows * columns);
  for (let k = 0, at = 0; k < count; k++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        values[at++] = array.values[(last === undefined ? 0 : k * array.strides[last]) + (r === null ? 0 : i * array.strides[r]) + (c === null ? 0 : j * array.strides[c])];
      }
    }
  }
  const role = last === undefined ? "" : line.letters[last][2] || "slices";
  const more = last !== undefined && count < array.shape[last] ? `the first ${count} of ${array.shape[last]} ${role}` : count > 1 ? `${count} ${role}` : "";
  return [{ values, count, rows, columns, label: more }];
}

/** @param {string} name @param {Tiles[]} tiles @param {string} [words] */
function tilesFigure(name, tiles, words = "") {
  const [first] = tiles;
  const scale = Math.max(1, Math.min(12, Math.floor(first.count > 1 ? 72 / first.columns : 320 / first.columns), Math.floor(220 / first.rows)));
  const [low, high] = range(first.values);
  const title = make("figcaption", "", name ? make("b", "", name) : "", make("span", "quiet", ` ${[`${numberText(low)} to ${numberText(high)}`, first.label, words].filter(Boolean).join(", ")}`));
  return make("figure", "tilesfigure", title, tilesCanvas(first, scale));
}

/** @param {ArrayLike<number>} values @returns {[number, number]} */
function range(values) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return low > high ? [NaN, NaN] : [low, high];
}

/** Tiles in rows on a canvas; values below 0 are blue, above it orange. @param {Tiles} tiles @param {number} scale */
function tilesCanvas({ values, count, rows, columns }, scale) {
  const canvas = make("canvas", "tiles");
  const gap = count > 1 ? 4 : 0;
  const across = Math.max(1, Math.min(count, Math.floor(430 / (columns * scale + gap))));
  const down = Math.ceil(count / across);
  canvas.width = across * (columns * scale + gap);
  canvas.height = down * (rows * scale + gap);
  const [low, high] = range(values);
  const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${count > 1 ? `${count} pictures` : "a picture"} of ${rows} × ${columns} values from ${numberText(low)} to ${numberText(high)}`);
  const pen = canvas.getContext("2d");
  if (!pen) return canvas;
  for (let k = 0, at = 0; k < count; k++) {
    const x = (k % across) * (columns * scale + gap);
    const y = Math.floor(k / across) * (rows * scale + gap);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++, at++) {
        pen.fillStyle = heatColour(values[at] / most);
        pen.fillRect(x + j * scale, y + i * scale, scale, scale);
      }
    }
    pen.strokeStyle = "#8886";
    pen.strokeRect(x + 0.5, y + 0.5, columns * scale - 1, rows * scale - 1);
  }
  return canvas;
}

/** The colour of a value between -1 and 1, as cells have it: at 0 that of the page. @param {number} value */
function heatColour(value) {
  if (value !== value) return "#808080";
  const part = Math.min(1, Math.abs(value));
  return `rgb(${value < 0 ? "52 122 200" : "224 84 28"} / ${Math.sqrt(part).toFixed(2)})`;
}

/** @param {{counts: number[], low: number, high: number}} spread */
function histogram({ counts, low, high }) {
  const most = Math.max(...counts) || 1;
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "histogram");
  svg.setAttribute("width", `${counts.length * 7}`);
  svg.setAttribute("height", "46");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `histogram from ${numberText(low)} to ${numberText(high)}`);
  counts.forEach((count, at) => {
    const bar = document.createElementNS(space, "rect");
    const height = count ? Math.max(1, (count / most) * 44) : 0;
    for (const [name, value] of Object.entries({ x: at * 7, y: 46 - height, width: 6, height })) bar.setAttribute(name, `${value}`);
    svg.append(bar);
  });
  return svg;
}
