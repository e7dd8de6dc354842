// The forms of a scalar as derive/element/data.py writes them: their types, how they are told apart, and their parts.

/** @typedef {number | boolean | Compound} Scalar */
/** @typedef {Special | Argument | Element | Fold | Choice | Position | Call | Cast | Operation} Compound */
/** @typedef {["#", string]} Special an infinity or NaN, by its name */
/** @typedef {["$", number]} Argument one of the function around */
/** @typedef {[number, ...Index[]]} Element of a tensor or a line */
/** @typedef {["fold", string, Letter[], Condition[], Scalar]} Fold */
/** @typedef {["if", Condition[], Scalar, Scalar]} Choice */
/** @typedef {["at", Index]} Position an index as a value */
/** @typedef {["f", number, ...Scalar[]]} Call of a function */
/** @typedef {["cast", Scalar, string]} Cast */
/** @typedef {[string, ...Scalar[]]} Operation */
/**
 * What else data.py writes.
 * @typedef {number | string | Affine} Index a number, a letter, or a sum
 * @typedef {[number, ...(number | Atom)[]]} Affine a constant, then factors and atoms in turn
 * @typedef {string | ["/" | "%", Index, number] | ["v", Scalar, Template]} Atom
 * @typedef {["in", Index, number, number | null, number] | ["by", Index, number] | ["is", Scalar]} Condition
 * @typedef {(string | number | boolean | [Index] | [Condition[], Template, Template, Template])[]} Template
 * @typedef {[string, number | null, string]} Letter its name, how many numbers it runs over, its role
 */
/** @typedef {number | boolean | Special | null | {[at: number]: Constant}} Constant a number or nested lists of them; null where they are left out */
/** @typedef {{name: string, letters: Letter[], grid: (number | null)[], value?: Scalar, refusal?: string, text: Template, numbers?: Template, start?: Scalar, step?: number, after?: Index}} Line */
/** @typedef {{params: number, tensors: [string, (number | null)[], string[], (number | null)[]][], lines: Line[], results: number[], values?: Record<string, Constant>, functions?: [string, Scalar][]}} Form */

/** @param {Scalar | undefined} e @returns {e is Special} */
export const isSpecial = (e) => Array.isArray(e) && e[0] === "#";

/** @param {Scalar | undefined} e @returns {e is Argument} */
export const isArgument = (e) => Array.isArray(e) && e[0] === "$";

/** @param {Scalar | undefined} e @returns {e is Element} */
export const isElement = (e) => Array.isArray(e) && typeof e[0] === "number";

/** @param {Scalar | undefined} e @returns {e is Fold} */
export const isFold = (e) => Array.isArray(e) && e[0] === "fold";

/** @param {Scalar | undefined} e @returns {e is Choice} */
export const isChoice = (e) => Array.isArray(e) && e[0] === "if";

/** @param {Scalar | undefined} e @returns {e is Position} */
export const isPosition = (e) => Array.isArray(e) && e[0] === "at";

/** @param {Scalar | undefined} e @returns {e is Call} */
export const isCall = (e) => Array.isArray(e) && e[0] === "f";

/** @param {Scalar | undefined} e @returns {e is Cast} */
export const isCast = (e) => Array.isArray(e) && e[0] === "cast";

/** The number that a special one stands for. @param {Special} e */
export function specialNumber(e) {
  return e[1] === "inf" ? Infinity : e[1] === "-inf" ? -Infinity : NaN;
}

/** The scalars that one is made of directly; what indices and conditions have in them is not among them. @param {Scalar | undefined} e @returns {Scalar[]} */
export function partsOf(e) {
  if (!Array.isArray(e) || isSpecial(e) || isArgument(e) || isElement(e) || isPosition(e)) return [];
  if (isFold(e)) return [e[4]];
  if (isChoice(e)) return [e[2], e[3]];
  if (isCast(e)) return [e[1]];
  return /** @type {Scalar[]} */ (e.slice(isCall(e) ? 2 : 1));
}

/** The factors of a product; the scalar itself if it is none. @param {Scalar} e @returns {Scalar[]} */
export function factorsOf(e) {
  return Array.isArray(e) && e[0] === "*" ? partsOf(e).flatMap(factorsOf) : [e];
}

/** The folds and elements of a scalar outside folds, in its order: the numbers of its template `numbers`. @param {Scalar | undefined} e @returns {(Fold | Element)[]} */
export function valuesIn(e) {
  return isElement(e) || isFold(e) ? [e] : partsOf(e).flatMap(valuesIn);
}
