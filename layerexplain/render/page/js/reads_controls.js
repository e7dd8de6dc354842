// What is set beside the picture of what an element reads: slices, numbers in cells, a weight or an activation.

import { button, make } from "./dom.js";
import { foldLetters, lettersOf } from "./element_uses.js";
import { placeText } from "./element_words.js";
import { singular } from "./slices.js";
import { setter, slider } from "./sliders.js";

/** @typedef {import("./panel_reads.js").ReadsView} ReadsView */

/** Sliders for the axes of the output that its grid does not show, and for sums over axes that no grid shows. @param {ReadsView} view @param {import("./scalars.js").Line} line */
export function offerSliders(view, line) {
  const rows = [];
  line.letters.forEach((letter, axis) => {
    if (line.grid.includes(axis) || view.sizes[axis] < 2) return;
    rows.push(slider(`${singular(letter[2])} ${letter[0]}`, view.sizes[axis], view.index[axis], "", (at) => view.move(view.index.map((one, i) => (i === axis ? at : one)), false)));
  });
  for (const letter of foldLetters(line.value)) {
    const hidden = (/** @type {number} */ of) => (view.indexOf(of) ?? []).findIndex((part, axis) => !view.gridOf(of).includes(axis) && lettersOf(part).includes(letter[0]));
    const hides = view.tensors.find((of) => hidden(of) >= 0);
    const size = view.reader.size(letter);
    view.summed[letter[0]] = 0;
    if (hides === undefined || size < 2) continue;
    const role = view.roles(hides)[hidden(hides)] || letter[2];
    rows.push(slider(`${singular(role)} ${letter[0]} of ${view.name(hides)}`, size, 0, "; all are read", (at) => { view.summed[letter[0]] = at; view.update(true); }));
  }
  if (view.values.known) {
    const box = make("input");
    box.type = "checkbox";
    box.checked = view.parts;
    box.addEventListener("change", () => { view.parts = box.checked; view.update(false); });
    rows.push(make("label", "readsnumbers", box, " numbers in all cells, where they fit a part of the picture"));
  }
  view.sliders.replaceChildren(...rows);
}

/** Sliders that change the chosen element of a result, and a weight. @param {import("./scalars.js").Line} line @param {number} of @param {string} place @param {ReadsView} view */
export function offerSetters(view, line, of, place) {
  const rows = [];
  const result = view.form.results.indexOf(of - view.first);
  const value = view.reader.element(of, view.index);
  if (result >= 0 && typeof value === "number") {
    const index = view.index;
    const largest = Math.max(view.largest(view.output, of), 1e-6);
    rows.push(setter(`set ${place}`, value, largest, (to) => view.changes?.activation(result, index, to)));
  }
  for (const { of: tensor, grid } of view.grids) {
    if (tensor < view.form.params || tensor >= view.first || view.form.values?.[tensor] !== undefined) continue;
    const index = view.clicked.get(tensor) ?? view.now.find((one) => one.of === tensor)?.index;
    const weight = index && view.values.get(tensor, index);
    if (!index || weight === undefined) continue;
    const largest = Math.max(view.largest(grid, tensor), 1e-6);
    rows.push(setter(placeText(view.name(tensor), index), weight, largest, (to) => view.changes?.weight(tensor, index, to)));
  }
  const back = button("As it was", () => { view.changes?.undo(); offerSetters(view, line, of, place); });
  const whole = make("details", "", make("summary", "", "Change a number"), ...rows, back);
  whole.open = view.settersOpen;
  whole.addEventListener("toggle", () => { view.settersOpen = whole.open; });
  const reach = result < 0 ? [] : [
    button("What it depends on, through all layers", () => view.changes?.reach(result, view.index, line.name)),
    button("What it touches", () => view.changes?.touched(of, view.index, line.name)),
  ];
  for (const [input, index] of view.clicked) {
    if (input < view.form.params && view.tensors.includes(input)) reach.push(button(`What ${placeText(view.name(input), index)} touches`, () => view.changes?.touched(input, index, view.name(input))));
  }
  view.setters.replaceChildren(make("div", "playbuttons", ...reach), whole);
}
