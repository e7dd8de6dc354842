// Which tensors and letters a formula of one element uses, wherever the element is.

import { isChoice, isElement, isFold, isPosition, partsOf } from "./scalars.js";

/** @typedef {import("./scalars.js").Scalar} Scalar */
/** @typedef {import("./scalars.js").Element} Element */
/** @typedef {import("./scalars.js").Letter} Letter */
/** @typedef {import("./scalars.js").Index} Index */

/** The tensors and lines that scalars read, in the order of the formula. @param {(Scalar | undefined)[]} scalars @returns {number[]} */
export function mentioned(scalars) {
  /** @type {Set<number>} */
  const found = new Set();
  for (const e of scalars) lookThrough(e, (element) => found.add(element[0]));
  return [...found];
}

/** The first element of a tensor in scalars. @param {(Scalar | undefined)[]} scalars @param {number} of @returns {Element | undefined} */
export function firstUse(scalars, of) {
  /** @type {Element[]} */
  const found = [];
  for (const e of scalars) lookThrough(e, (element) => element[0] === of && found.push(element));
  return found[0];
}

/** Calls `seen` for each element in a scalar. @param {Scalar | undefined} e @param {(element: Element) => void} seen */
export function lookThrough(e, seen) {
  if (isElement(e)) {
    seen(e);
    e.slice(1).forEach((part) => lookedUpIn(part, seen));
  } else if (isPosition(e)) lookedUpIn(e[1], seen);
  else if (isFold(e)) conditionsIn(e[3], seen);
  else if (isChoice(e)) conditionsIn(e[1], seen);
  partsOf(e).forEach((part) => lookThrough(part, seen));
}

/** @param {Index} index @param {(element: Element) => void} seen */
function lookedUpIn(index, seen) {
  if (!Array.isArray(index)) return;
  for (let i = 2; i < index.length; i += 2) {
    const atom = index[i];
    if (Array.isArray(atom)) atom[0] === "v" ? lookThrough(atom[1], seen) : lookedUpIn(atom[1], seen);
  }
}

/** @param {import("./scalars.js").Condition[]} conditions @param {(element: Element) => void} seen */
function conditionsIn(conditions, seen) {
  for (const one of conditions) one[0] === "is" ? lookThrough(one[1], seen) : lookedUpIn(one[1], seen);
}

/** The letters of all folds in a scalar. @param {Scalar | undefined} e @returns {Letter[]} */
export function foldLetters(e) {
  const all = [...(isFold(e) ? e[2] : []), ...partsOf(e).flatMap(foldLetters)];
  return all.filter((one, i) => all.findIndex((other) => other[0] === one[0]) === i);
}

/** The letters of an index, also of what it looks up. @param {Index} index @returns {string[]} */
export function lettersOf(index) {
  if (typeof index === "string") return [index];
  if (!Array.isArray(index)) return [];
  /** @type {string[]} */
  const found = [];
  for (const part of index) {
    if (typeof part === "string") found.push(part);
    else if (typeof part === "number") continue;
    else if (part[0] === "v") lookThrough(part[1], (element) => found.push(...element.slice(1).flatMap(lettersOf)));
    else found.push(...lettersOf(part[1]));
  }
  return found;
}

/** Whether a scalar is an element of another line, or a choice between such. @param {Scalar | undefined} e @param {number} first the number of the first line @returns {boolean} */
export function onlyCopies(e, first) {
  return isChoice(e) ? partsOf(e).some((part) => onlyCopies(part, first)) : isElement(e) && e[0] >= first;
}

/** Whether cells that a scalar reads may lie outside their tensor: a letter alone, or a number, is always a place in it. @param {Scalar | undefined} e @returns {boolean} */
export function mayPad(e) {
  return isElement(e) ? e.slice(1).some(Array.isArray) : partsOf(e).some(mayPad);
}
