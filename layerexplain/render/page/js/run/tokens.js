// An output with a number for each id, at each token of a text: what is likely to follow, and the text with it appended.

import { button, make } from "../dom.js";

/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("./tree.js").Buffer} Buffer */
/** @typedef {import("./inputs.js").InputWidget} InputWidget */

/** So many ids are listed. */
export const MOST_IDS = 10;

/** The input whose text an output continues: of as many ids as it has steps, each one of as many as it has numbers. @param {Live} live @param {Buffer} buffer */
export function continuedText(live, buffer) {
  const [batch, steps, ids] = buffer.sizes;
  const isText = buffer.sizes.length === 3 && batch === 1;
  return isText ? live.widgets?.find((one) => one.text && one.text.values.length === steps && one.text.ids === ids)?.text : undefined;
}

/** How likely each number is at a temperature; of numbers that are no shares their softmax. @param {number[]} numbers @param {number} temperature */
export function likely(numbers, temperature) {
  const isShare = numbers.every((one) => one >= 0) && Math.abs(numbers.reduce((a, b) => a + b, 0) - 1) < 1e-3;
  const logits = isShare ? numbers.map(Math.log) : numbers;
  const most = Math.max(...logits);
  if (!temperature) return logits.map((one) => +(one === most));
  const powers = logits.map((one) => Math.exp((one - most) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((one) => one / sum);
}

/**
 * A row of the tokens, a temperature, and bars of what follows the chosen one; `renew` shows another run.
 * @param {Live} live @param {import("./inputs.js").Text} text
 * @param {(body: HTMLElement, shares: Buffer, step: number) => void} bars shows shares as bars
 */
export function tokensView(live, text, bars) {
  const words = live.about.vocabulary ?? [];
  const row = make("div", "tokens");
  const list = make("div");
  const temperature = make("input");
  Object.assign(temperature, { type: "range", min: "0", max: "2", step: "0.1", value: "1" });
  const degree = make("output", "quiet", "1");
  let chosen = -1;
  /** @type {number[]} */
  let shares = [];
  /** @type {Buffer | null} */
  let last = null;
  const step = () => (chosen < 0 || chosen >= text.length() ? text.length() - 1 : chosen);
  const show = () => {
    if (!last) return;
    const { sizes, strides, values, offset } = last;
    const at = step();
    const numbers = Array.from({ length: sizes[2] }, (_, id) => values[offset + at * strides[1] + id * strides[2]]);
    shares = likely(numbers, +temperature.value);
    bars(list, { sizes: [shares.length], strides: [1], values: Float64Array.from(shares), offset: 0 }, at);
    row.replaceChildren(...Array.from(text.values.subarray(0, text.length()), (id, i) => {
      const token = button(`${words[id] ?? id}`, () => { chosen = i; show(); }, "token");
      token.setAttribute("aria-pressed", String(i === at));
      return token;
    }));
  };
  temperature.addEventListener("input", () => { degree.textContent = temperature.value; show(); });
  const append = button("Append", () => {
    let left = Math.random();
    const drawn = shares.findIndex((share) => (left -= share) < 0);
    chosen = -1;
    text.append(drawn < 0 ? shares.indexOf(Math.max(...shares)) : drawn);
  });
  append.title = "Draws an id by these shares, and runs the model on the text with it";
  const element = make("div", "", row, make("p", "playstatus", "Likeliest after the chosen token:"), list, make("div", "playbuttons", append, make("label", "playslider", "Temperature", temperature, degree)));
  return { element, renew: (/** @type {Buffer} */ buffer) => { last = buffer; show(); } };
}
