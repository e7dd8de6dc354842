// What the model gives, renewed with each run: bars with labels, or pictures.

import { button, make } from "../dom.js";
import { numberText } from "../element_words.js";
import { cellAt, tilesCanvas, tilesOf } from "../tiles.js";
import { MOST_IDS, continuedText, tokensView } from "./tokens.js";

/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("./program.js").Program} Program */
/** @typedef {import("./tree.js").Buffer} Buffer */

/** So many bars are drawn; of more numbers the largest. */
const MOST_BARS = 12;
const FEW_BARS = 3;

/** @param {Live} live @param {Program} program @returns {HTMLElement[]} */
export function outputViews(live, program) {
  return live.about.outputs.map(([name, tensor]) => {
    const body = make("div");
    const element = make("div", "playoutput", make("div", "playname", make("b", "", name)), body);
    /** @type {ReturnType<typeof tokensView> | undefined} */
    let tokens;
    live.onRun(() => {
      const buffer = tensor === null ? null : program.tensors[tensor]?.buffer;
      if (!buffer) body.replaceChildren(make("p", "quiet", "It does not run in the page."));
      else {
        const choose = (/** @type {number[]} */ index) => live.showReach(/** @type {number} */ (tensor), index, name);
        if (buffer.sizes.slice(0, -1).every((size) => size === 1)) showBars(body, buffer, live.about.labels ?? [], (at) => choose([...buffer.sizes.slice(0, -1).map(() => 0), at]));
        else {
          const text = continuedText(live, buffer);
          if (!text) return body.replaceChildren(pictureOf(buffer, program.drawnBy(/** @type {number} */ (tensor)), choose)), true;
          tokens ??= tokensView(live, text, (list, shares, step) => showBars(list, shares, live.about.vocabulary ?? [], (id) => choose([0, step, id]), MOST_IDS));
          if (!tokens.element.isConnected) body.replaceChildren(tokens.element);
          tokens.renew(buffer);
        }
      }
      return true;
    });
    return element;
  });
}

/** @param {HTMLElement} body @param {Buffer} buffer @param {string[]} labels @param {(at: number) => void} choose @param {number} [listed] @param {Buffer | null} [other] of another model, drawn below each bar */
export function showBars(body, buffer, labels, choose, listed = MOST_BARS, other = null) {
  const rows = [buffer, ...(other ? [other] : [])].map(({ sizes, strides, values, offset }) => Array.from({ length: sizes[sizes.length - 1] ?? 1 }, (_, i) => values[offset + i * (strides[strides.length - 1] ?? 1)]));
  const [numbers] = rows;
  const most = Math.max(...rows.flat().map(Math.abs)) || 1;
  const shares = numbers.every((one) => one >= 0) && Math.abs(numbers.reduce((a, b) => a + b, 0) - 1) < 1e-3;
  const whole = listed < MOST_BARS ? most : shares || (numbers.every((one) => one >= 0) && most <= 1) ? 1 : most;
  let order = numbers.map((_, i) => i);
  // On a phone they stand beside the input.
  if (window.matchMedia("(max-width: 760px)").matches) listed = FEW_BARS;
  if (numbers.length > listed) order = order.sort((a, b) => Math.max(...rows.map((row) => row[b])) - Math.max(...rows.map((row) => row[a]))).slice(0, listed);
  const best = rows.map((row) => row.indexOf(Math.max(...row)));
  if (body.children.length !== order.length || !body.firstElementChild?.classList.contains("playbar")) {
    body.replaceChildren(...order.map(() => make("div", "playbar", button("", () => {}, "link playlabel"), make("div", "playroom", ...rows.map(() => make("div", "playfill"))), make("span", "playvalue"))));
  }
  body.classList.toggle("paired", other !== null);
  order.forEach((number, row) => {
    const bar = body.children[row];
    const [label, room, value] = /** @type {HTMLElement[]} */ ([...bar.children]);
    label.textContent = labels[number] ?? `${number}`;
    label.title = "What it depends on, through all layers";
    label.onclick = () => choose(number);
    value.textContent = rows.map((own) => (shares ? `${(100 * own[number]).toFixed(1)} %` : numberText(own[number]))).join(" → ");
    rows.forEach((own, side) => {
      const fill = /** @type {HTMLElement} */ (room.children[side]);
      fill.style.width = `${(100 * Math.abs(own[number])) / whole || 0}%`;
      fill.classList.toggle("below", own[number] < 0);
    });
    bar.classList.toggle("best", shares && best.includes(number));
  });
}

/** @param {Buffer} buffer @param {ReturnType<Program["drawnBy"]>} line @param {(index: number[]) => void} choose called with the place that is clicked */
function pictureOf(buffer, line, choose) {
  const [tiles] = tilesOf({ shape: buffer.sizes, ...buffer }, line);
  const scale = Math.max(1, Math.floor(160 / Math.max(tiles.rows, tiles.columns)));
  const canvas = tilesCanvas(tiles, scale);
  canvas.classList.add("playplaces");
  canvas.title = "Click a place: what it depends on, through all layers";
  canvas.addEventListener("click", (event) => {
    const cell = cellAt(canvas, tiles, scale, event);
    if (cell && tiles.index) choose(tiles.index(...cell));
  });
  return canvas;
}
