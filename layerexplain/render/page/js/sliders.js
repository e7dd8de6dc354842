// Sliders for axes that no grid shows.

import { make } from "./dom.js";

/**
 * A slider over the places of an axis.
 * @param {string} label @param {number} size how many places it has @param {number} at @param {string} more words behind the size
 * @param {(at: number) => void} moved
 */
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
