// The values of a run: outputs as pictures, the spread of each weight.

import { bytesOf } from "./bytes.js";
import { count, make } from "./dom.js";
import { numberText } from "./element_words.js";
import { tilesCanvas, tilesFigure, tilesOf } from "./tiles.js";
import { layerValues } from "./values.js";

/** @typedef {import("./tiles.js").Tiles} Tiles */

/** What a layer gives, as pictures. @param {import("./types.js").Layer} layer @param {import("./types.js").Data} data @param {HTMLElement} element */
export function panelValues(layer, data, element) {
  const form = data.forms?.[layer.forms?.[0] ?? -1];
  const values = layerValues(layer, data, 0);
  if (form && (values.known || data.live)) {
    const figures = make("div");
    const show = () => figures.replaceChildren(...figuresOf(form, values));
    show();
    element.append(figures);
    data.live?.onRun(() => figures.isConnected && (show(), true));
  }
  for (const picture of layer.pictures ?? []) {
    const every = picture.every[0] * picture.every[1] > 1 ? `every ${picture.every.join(" × ")} places` : "";
    const shown = picture.shape.length > 2 && picture.tiles < picture.shape[picture.shape.length - 1] ? `the first ${picture.tiles} of ${picture.shape[picture.shape.length - 1]} channels` : "";
    element.append(tilesFigure(picture.name ?? "", [coded(picture)], [shown, every].filter(Boolean).join(", ")));
  }
  if (layer.unnumbered) element.append(make("p", "quiet", `Without numbers: ${layer.unnumbered}.`));
}

/** The results of a call as pictures, then its other lines. @param {import("./scalars.js").Form} form @param {ReturnType<typeof layerValues>} values */
function figuresOf(form, values) {
  const first = form.tensors.length;
  const results = form.results.map((one) => one + first);
  const others = values.numbers().filter((of) => of >= first && !results.includes(of));
  return [...results, ...others].flatMap((of) => {
    const array = values.array(of);
    const line = form.lines[of - first];
    return array ? [tilesFigure(line.name, tilesOf(array, line))] : [];
  });
}

/** How the values of weights are spread. @param {import("./types.js").Layer} layer @param {import("./types.js").Data} data @param {HTMLElement} element */
export function panelSpreads(layer, data, element) {
  if (data.live) {
    const spreads = make("div");
    element.append(spreads);
    const show = () => spreads.replaceChildren(...weightSpreads(layer, data));
    show();
    if (!spreads.childNodes.length) data.live.onRun(() => spreads.isConnected && (show(), !spreads.childNodes.length));
  }
  for (const one of layer.spreads ?? []) {
    const words = `${numberText(one.low)} to ${numberText(one.high)}, mean ${numberText(one.mean)}, standard deviation ${numberText(one.std)}`;
    const picture = coded({ ...one, low: one.picture_low, high: one.picture_high });
    const scale = Math.max(1, Math.min(10, Math.floor(84 / Math.max(picture.rows, picture.columns))));
    element.append(make("div", "spread", make("b", "", one.name), histogram(one), tilesCanvas(picture, scale), make("span", "quiet", words)));
  }
}

/** How many bars a histogram has. */
const BINS = 24;

/** The spreads of the weights of a model that runs here. @param {import("./types.js").Layer} layer @param {import("./types.js").Data} data */
function weightSpreads(layer, data) {
  const form = data.forms?.[layer.forms?.[0] ?? -1];
  const values = layerValues(layer, data, 0);
  if (!form || !values.known) return [];
  const weights = form.tensors.slice(form.params).map((_, i) => form.params + i);
  return weights.flatMap((of) => {
    const array = values.array(of);
    if (!array || form.values?.[of] !== undefined) return [];
    const [name, , roles, grid] = form.tensors[of];
    const numbers = Array.from(array.values);
    const [low, high] = numbers.reduce(([a, b], one) => [Math.min(a, one), Math.max(b, one)], [Infinity, -Infinity]);
    const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
    const std = Math.sqrt(numbers.reduce((a, b) => a + (b - mean) ** 2, 0) / numbers.length);
    const counts = new Array(BINS).fill(0);
    for (const one of numbers) counts[Math.min(BINS - 1, Math.floor(((one - low) / (high - low || 1)) * BINS))]++;
    const words = `${numberText(low)} to ${numberText(high)}, mean ${numberText(mean)}, standard deviation ${numberText(std)}`;
    const [picture] = tilesOf(array, { grid, letters: roles.map((/** @type {string} */ role) => ["", null, role]) });
    const scale = Math.max(1, Math.min(10, Math.floor(84 / Math.max(picture.rows, picture.columns))));
    return [make("div", "spread", make("b", "", name), histogram({ counts, low, high }), tilesCanvas(picture, scale), make("span", "quiet", words))];
  });
}

/** @param {Omit<import("./types.js").Picture, "shape" | "every">} picture @returns {Tiles} */
function coded(picture) {
  const bytes = bytesOf(picture.data);
  const values = Float32Array.from(bytes, (one) => (one === 255 ? NaN : picture.low + (one / 254) * (picture.high - picture.low)));
  return { values, count: picture.tiles, rows: picture.rows, columns: picture.columns, label: "" };
}

/** Bars over an axis of values, with how many the highest stands for. @param {{counts: number[], low: number, high: number}} spread */
function histogram({ counts, low, high }) {
  const most = Math.max(...counts) || 1;
  const space = "http://www.w3.org/2000/svg";
  const [width, tall, top, left] = [counts.length * 7, 44, 12, 30];
  const drawn = (/** @type {string} */ tag, /** @type {Record<string, number | string>} */ is, text = "") => {
    const made = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(is)) made.setAttribute(name, `${value}`);
    if (text) made.textContent = text;
    return made;
  };
  const svg = drawn("svg", { class: "histogram", width: width + left + 8, height: top + tall + 16, role: "img",
    "aria-label": `histogram from ${numberText(low)} to ${numberText(high)}, at most ${most} in a bar` });
  counts.forEach((count, at) => {
    const height = count ? Math.max(1, (count / most) * tall) : 0;
    svg.append(drawn("rect", { x: left + at * 7, y: top + tall - height, width: 6, height }));
  });
  const floor = top + tall + 0.5;
  svg.append(drawn("path", { d: `M${left - 0.5} ${top}V${floor}H${left + width}` }));
  svg.append(drawn("text", { x: left - 4, y: top + 8, "text-anchor": "end" }, count(most)), drawn("text", { x: left - 4, y: floor, "text-anchor": "end" }, "0"));
  const ticks = low < 0 && high > 0 ? [low, 0, high] : [low, high];
  ticks.forEach((value, at) => {
    const x = left + (width * (value - low)) / (high - low || 1);
    if (ticks.length > 2 && at === 1 && (x - left < 26 || left + width - x < 26)) return;
    svg.append(drawn("path", { d: `M${x} ${floor}v3` }), drawn("text", { x, y: floor + 13, "text-anchor": at === 0 ? "start" : at === ticks.length - 1 ? "end" : "middle" }, numberText(value)));
  });
  return svg;
}
