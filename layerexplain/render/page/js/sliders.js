// Sliders for axes that no grid shows.

import { make } from "./dom.js";
import { numberText } from "./element_words.js";

/** A slider over the places of an axis. @param {string} label @param {number} size how many places it has @param {number} at @param {string} more words behind the size @param {(at: number) => void} moved */
export function slider(label, size, at, more, moved) {
  const input = make("input");
  input.type = "range";
  input.min = "0";
  input.max = `${size - 1}`;
  input.value = `${at}`;
  const name = make("span", "readsletter");
  const say = () => {
    name.textContent = `${label} = ${input.value}`;
  };
  input.addEventListener("input", () => { say(); moved(+input.value); });
  say();
  return make("label", "readsslider", name, input, make("span", "quiet", `of ${size}${more}`));
}

/** A slider that sets a number. @param {string} label @param {number} value @param {number} largest the largest one around @param {(to: number) => void} moved */
export function setter(label, value, largest, moved) {
  const input = make("input");
  input.type = "range";
  const far = 2 * Math.max(largest, Math.abs(value));
  input.min = `${-far}`;
  input.max = `${far}`;
  input.step = "any";
  input.value = `${value}`;
  const name = make("span", "readsletter");
  const say = () => {
    name.textContent = `${label} = ${numberText(+input.value)}`;
  };
  input.addEventListener("input", () => { say(); moved(+input.value); });
  say();
  return make("label", "readsslider", name, input);
}
