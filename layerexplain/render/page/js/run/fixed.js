// What an element is whatever tensors hold: what a causal mask forbids is the same for all inputs, and depends on none.

import { OPS } from "../element.js";
import { RunLine } from "./tree.js";

/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {import("./tree.js").Sum} Sum */

/** @type {WeakMap<Tree, boolean>} */
const MAY_BE_FIXED = new WeakMap();

/** Whether a tree has a value for some places that no tensor changes. @param {Tree} tree @returns {boolean} */
export function mayBeFixed(tree) {
  let found = MAY_BE_FIXED.get(tree);
  if (found !== undefined) return found;
  // A line that reads itself is none.
  MAY_BE_FIXED.set(tree, false);
  if (tree.kind === "number" || tree.kind === "at") found = true;
  else if (tree.kind === "read") found = tree.source instanceof RunLine && !tree.source.start && mayBeFixed(tree.source.tree);
  else if (tree.kind === "if") found = [tree.then, tree.otherwise].some(mayBeFixed);
  else if (tree.kind === "op" && tree.name === "where") found = mayBeFixed(tree.args[0]) && tree.args.slice(1).some(mayBeFixed);
  else if (tree.kind === "op" && tree.name === "*") found = tree.args.some(mayBeFixed);
  else if (tree.kind === "op" && tree.name === "/") found = mayBeFixed(tree.args[0]);
  else found = tree.kind === "op" && !tree.to && tree.args.every(mayBeFixed);
  MAY_BE_FIXED.set(tree, found);
  return found;
}

/** The value of a tree where it is the same whatever tensors hold; undefined elsewhere. The numbers of its letters stand in `at`. @param {Tree} tree @param {Int32Array} at @returns {number | undefined} */
export function fixedValue(tree, at) {
  const of = (/** @type {Tree} */ one) => fixedValue(one, at);
  if (!mayBeFixed(tree)) return undefined;
  if (tree.kind === "number") return tree.value;
  if (tree.kind === "at") return placeOf(tree.index, at);
  if (tree.kind === "if") {
    const holds = tree.conditions.map((one) => {
      if (one.kind === "is") return of(one.value);
      const place = placeOf(one.index, at);
      return place === undefined ? undefined : +(one.kind === "by" ? place % one.by === 0 : place >= one.low && place < one.high);
    });
    return holds.includes(undefined) ? undefined : of(holds.every(Boolean) ? tree.then : tree.otherwise);
  }
  if (tree.kind === "read" && tree.source instanceof RunLine) {
    const { letters, tree: line } = tree.source;
    const places = tree.index.map((one) => placeOf(one, at));
    if (places.includes(undefined)) return undefined;
    const before = letters.map(({ slot }) => at[slot]);
    letters.forEach(({ slot }, axis) => (at[slot] = /** @type {number} */ (places[axis])));
    const value = of(line);
    letters.forEach(({ slot }, axis) => (at[slot] = before[axis]));
    return value;
  }
  if (tree.kind !== "op") return undefined;
  if (tree.name === "where") {
    const which = of(tree.args[0]);
    return which === undefined ? undefined : of(tree.args[which ? 1 : 2]);
  }
  const values = tree.args.map(of);
  if ((tree.name === "*" && values.includes(0)) || (tree.name === "/" && values[0] === 0)) return 0;
  return values.includes(undefined) || !OPS[tree.name] ? undefined : +OPS[tree.name](.../** @type {number[]} */ (values));
}

/** @param {Sum} sum @param {Int32Array} at @returns {number | undefined} */
function placeOf(sum, at) {
  let found = sum.base;
  for (const [{ slot }, factor] of sum.terms) found += factor * at[slot];
  for (const [atom, factor] of sum.odd) {
    const of = atom.kind === "v" ? undefined : placeOf(atom.of, at);
    if (of === undefined || atom.kind === "v") return undefined;
    found += factor * (atom.kind === "/" ? Math.floor(of / atom.by) : of - atom.by * Math.floor(of / atom.by));
  }
  return found;
}
