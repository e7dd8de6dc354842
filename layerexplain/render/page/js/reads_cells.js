// The cells that the chosen element reads: of the line's formula, or of the inputs through all lines.

import { mayPad } from "./element_uses.js";
import { throughLines } from "./run/reach.js";

/** @typedef {import("./panel_reads.js").ReadsView} ReadsView */
/** @typedef {import("./element.js").Read} Read */

/** Of more cells that are read through all lines, one of each row and column is told. */
const MOST_CELLS = 20000;

/** The places of the inputs that the chosen element reads through all lines; null where they cannot be told. @param {ReadsView} view */
export function inputPlaces(view) {
  return throughLines(view.form, view.form.tensors.map((_, of) => view.reader.sizes(of)), view.line, view.index);
}

/** The cells that the chosen element reads. @returns {Read[]} @param {ReadsView} view */
export function cellsRead(view) {
  if (!view.through) return view.reader.reads(view.line, view.index);
  return [...(inputPlaces(view) ?? [])].filter(([of]) => of < view.form.params).flatMap(([of, places]) => {
    const own = places.map((axis) => [...axis].flatMap((on, i) => (on ? [i] : [])));
    const total = own.reduce((product, axis) => product * axis.length, 1);
    // Very many: along each axis all places, at the first one of the others.
    const indices = total <= MOST_CELLS ? own.reduce((found, axis) => found.flatMap((one) => axis.map((i) => [...one, i])), /** @type {number[][]} */ ([[]]))
      : own.flatMap((axis, at) => axis.map((i) => own.map((other, k) => (k === at ? i : other[0]))));
    return indices.map((index) => /** @type {Read} */ ({ of, index, how: "read" }));
  });
}

/** How far each tensor is read beyond its ends, from what the first and the last element read. @param {ReadsView} view */
export function paddingOf(view) {
  /** @type {Map<number, [number, number][]>} */
  const found = new Map();
  const ends = [view.sizes.map(() => 0), view.sizes.map((size) => size - 1)];
  for (const of of view.tensors) found.set(of, view.reader.sizes(of).map((size) => [0, size]));
  for (const end of view.through || !mayPad(view.form.lines[view.line].value) ? [] : ends) {
    for (const read of view.reader.reads(view.line, end)) {
      read.index.forEach((at, axis) => {
        const reach = found.get(read.of)?.[axis];
        if (reach && at === at) found.get(read.of)?.splice(axis, 1, [Math.min(reach[0], at), Math.max(reach[1], at + 1)]);
      });
    }
  }
  return found;
}
