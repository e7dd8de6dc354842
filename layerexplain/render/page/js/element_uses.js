// Which tensors and letters a formula of one element uses, wherever the element is.

/** @typedef {import("./element.js").Letter} Letter */
/** @typedef {import("./element.js").Index} Index */

/** The tensors and lines that scalars read, in the order of the formula. @param {any[]} scalars @returns {number[]} */
export function mentioned(scalars) {
  /** @type {Set<number>} */
  const found = new Set();
  for (const e of scalars) lookThrough(e, (element) => found.add(element[0]));
  return [...found];
}

/** The first element of a tensor in scalars. @param {any[]} scalars @param {number} of @returns {any[] | undefined} */
export function firstUse(scalars, of) {
  /** @type {any[] | undefined} */
  let found;
  for (const e of scalars) lookThrough(e, (element) => { if (element[0] === of) found ??= element; });
  return found;
}

/** Calls `seen` for each element in a scalar. @param {any} e @param {(element: any[]) => void} seen */
export function lookThrough(e, seen) {
  if (!Array.isArray(e) || "#$".includes(e[0])) return;
  if (typeof e[0] === "number") {
    seen(e);
    e.slice(1).forEach((part) => lookedUpIn(part, seen));
  } else if (e[0] === "fold") {
    conditionsIn(e[3], seen);
    lookThrough(e[4], seen);
  } else if (e[0] === "if") {
    conditionsIn(e[1], seen);
    e.slice(2).forEach((part) => lookThrough(part, seen));
  } else if (e[0] === "at") lookedUpIn(e[1], seen);
  else e.slice(e[0] === "f" ? 2 : 1).forEach((part) => lookThrough(part, seen));
}

/** @param {Index} index @param {(element: any[]) => void} seen */
function lookedUpIn(index, seen) {
  if (!Array.isArray(index)) return;
  for (let i = 2; i < index.length; i += 2) {
    const atom = index[i];
    if (Array.isArray(atom)) atom[0] === "v" ? lookThrough(atom[1], seen) : lookedUpIn(atom[1], seen);
  }
}

/** @param {import("./element.js").Condition[]} conditions @param {(element: any[]) => void} seen */
function conditionsIn(conditions, seen) {
  for (const one of conditions) one[0] === "is" ? lookThrough(one[1], seen) : lookedUpIn(one[1], seen);
}

/** The letters of all folds in a scalar. @param {any} e @returns {Letter[]} */
export function foldLetters(e) {
  if (!Array.isArray(e)) return [];
  const own = e[0] === "fold" ? e[2] : [];
  const all = [...own, ...e.flatMap((part, i) => (i ? foldLetters(part) : []))];
  return all.filter((one, i) => all.findIndex((other) => other[0] === one[0]) === i);
}

/** The letters of an index. @param {any} index @returns {string[]} */
export function lettersOf(index) {
  if (typeof index === "string") return [index];
  if (!Array.isArray(index)) return [];
  return index.flatMap((part, i) => (i > 1 && i % 2 === 0 ? (typeof part === "string" ? [part] : lettersOf(part[1])) : []));
}

/** Whether a scalar is an element of another line, or a choice between such. @param {any} e @param {number} first the number of the first line @returns {boolean} */
export function onlyCopies(e, first) {
  if (!Array.isArray(e)) return false;
  return e[0] === "if" ? e.slice(2).some((part) => onlyCopies(part, first)) : typeof e[0] === "number" && e[0] >= first;
}

/** Whether cells that a scalar reads may lie outside their tensor: a letter alone, or a number, is always a place in it. @param {any} e @returns {boolean} */
export function mayPad(e) {
  return Array.isArray(e) && (typeof e[0] === "number" ? e.slice(1).some(Array.isArray) : e.some(mayPad));
}
