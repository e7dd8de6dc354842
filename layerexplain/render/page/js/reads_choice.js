// Which line of a formula is shown, and which of its elements first.

import { button, make } from "./dom.js";
import { foldLetters, onlyCopies } from "./element_uses.js";
import { inputPlaces } from "./reads_cells.js";

/** @typedef {import("./panel_reads.js").ReadsView} ReadsView */

/** How many lines are offered as buttons; more are a list. */
const MOST_BUTTONS = 14;
/** Of elements that read more, the one in the middle is shown first. */
const MOST_TRIED = 2000;

/** Along axes of these roles a line that sums over all places, for each of them, shows what looks where. */
export const LOOKED_ALONG = ["steps", "rows", "columns", "planes"];

/** Whether each place of a line sums over all places of the same kind, as attention does. @param {import("./scalars.js").Line} line */
function looksAround({ letters, value }) {
  const own = letters.map((letter) => letter[2]).filter((role) => LOOKED_ALONG.includes(role));
  return foldLetters(value).some((letter) => own.includes(letter[2]));
}

/** The line to begin with: the first in which places look at each other; else the result, or where that only copies other lines the first that sums. @param {ReadsView} view */
export function bestLine(view) {
  const looks = view.lines.find((i) => looksAround(view.form.lines[i]));
  if (looks !== undefined) return looks;
  const result = view.form.results[0];
  const copies = view.lines.includes(result) && onlyCopies(view.form.lines[result].value, view.first);
  if (view.lines.includes(result) && !copies) return result;
  const sums = view.lines.find((i) => foldLetters(view.form.lines[i].value).length > 0);
  return sums ?? (copies ? result : view.lines[0]);
}

/** An element near the middle, of four the one that reads most: what a transposed convolution reads differs. @param {(number | null)[]} grid @param {ReadsView} view */
export function middleElement(view, grid) {
  const first = view.sizes.map((size, axis) => (grid.includes(axis) ? Math.floor((size - 1) / 2) : 0));
  let best = first;
  let most = view.reader.reads(view.line, first).length;
  if (most > MOST_TRIED) return first;
  for (const [down, across] of [[1, 1], [0, 1], [1, 0]]) {
    const near = first.map((at, axis) => at + (axis === grid[0] ? down : axis === grid[1] ? across : 0));
    if (near.some((at, axis) => at >= view.sizes[axis])) continue;
    const count = view.reader.reads(view.line, near).length;
    if (count > most) [best, most] = [near, count];
  }
  return best;
}

/** @param {ReadsView} view */
export function offerLines(view) {
  if (view.lines.length < 2) return;
  const names = view.lines.map((i) => view.form.lines[i].name);
  if (view.lines.length > MOST_BUTTONS) {
    const select = make("select", "", ...names.map((name) => make("option", "", name)));
    select.addEventListener("change", () => view.chooseLine(view.lines[select.selectedIndex], undefined, true));
    view.choices.append(make("label", "", "Line of the formula: ", select));
    view.chosen = (/** @type {number} */ line) => { select.selectedIndex = view.lines.indexOf(line); };
  } else {
    const buttons = view.lines.map((line, i) => button(names[i], () => view.chooseLine(line, undefined, true), "readsline"));
    view.choices.append("Line of the formula: ", ...buttons);
    view.chosen = (/** @type {number} */ line) => buttons.forEach((one, i) => one.setAttribute("aria-pressed", `${view.lines[i] === line}`));
  }
}

/** A button that shows what the chosen element reads of the layer's inputs, where the line reads other lines. @param {ReadsView} view */
export function offerThrough(view) {
  view.choices.querySelector(".readsthrough")?.remove();
  const reads = view.tensors.some((of) => of >= view.first) ? inputPlaces(view) : null;
  view.through = view.through && reads !== null;
  if (!reads) return;
  if (view.through) view.tensors = [...reads.keys()].filter((of) => of < view.form.params);
  const made = button("of the inputs, through all lines", () => {
    view.through = !view.through;
    view.chooseLine(view.line, view.index, true);
  }, "readsline readsthrough");
  made.setAttribute("aria-pressed", `${view.through}`);
  view.choices.append(made);
}
