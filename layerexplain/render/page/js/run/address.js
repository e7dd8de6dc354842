// Where the elements of a tensor stand: an index as an address, and conditions as ranges of a letter.

import { addSum } from "./tree.js";

/** @typedef {import("./tree.js").Sum} Sum */
/** @typedef {import("./tree.js").Atom} Atom */
/** @typedef {import("./tree.js").Buffer} Buffer */
/** @typedef {import("./tree.js").RunLetter} RunLetter */
/** @typedef {import("./tree.js").Condition} Condition */
/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {() => number} NumberOf */

/**
 * What a compiled call has in common: the numbers of its letters, the first number of the row letter in this row, and
 * the letters that are set from outside, such as the step of a recurrence.
 * @typedef {{at: Int32Array, row: {first: number}, fixed: Set<RunLetter>}} Env
 */

/** @param {Sum} sum @returns {string} a text that is the same for the same sum */
function spelled(sum) {
  const terms = sum.terms.filter(([, factor]) => factor).map(([letter, factor]) => `${factor}*${letter.slot}`);
  return [sum.base, ...terms.sort(), ...sum.odd.map(([atom, factor]) => `${factor}*${atomSpelled(atom)}`).sort()].join("+");
}

/** @param {Atom} atom */
function atomSpelled(atom) {
  return atom.kind === "v" ? `v${JSON.stringify(atom.value, (key, value) => (key === "source" || key === "letters" ? undefined : value))}` : `${atom.kind}${atom.by}(${spelled(atom.of)})`;
}

/** `a // b // c` as one division. @param {Atom} atom @returns {Atom} */
function flatAtom(atom) {
  if (atom.kind === "v") return atom;
  const of = flatSum(atom.of);
  if (atom.kind === "/" && !of.base && !of.terms.length && of.odd.length === 1) {
    const [[inner, factor]] = of.odd;
    if (inner.kind === "/" && factor === 1) return { kind: "/", of: inner.of, by: inner.by * atom.by };
  }
  return { ...atom, of };
}

/** @param {Sum} sum @returns {Sum} */
function flatSum(sum) {
  return { ...sum, odd: sum.odd.map(([atom, factor]) => [flatAtom(atom), factor]) };
}

/** A sum in which `b·(a // b) + a % b` is a, as far as that goes. @param {Sum} sum @returns {Sum} */
export function simpleSum(sum) {
  let now = flatSum(sum);
  for (let again = true; again;) {
    again = false;
    for (const [rest, factor] of now.odd) {
      if (rest.kind !== "%") continue;
      const whole = spelled({ base: 0, terms: [], odd: [[flatAtom({ kind: "/", of: rest.of, by: rest.by }), 1]] });
      const other = now.odd.findIndex(([atom, times]) => atom.kind === "/" && times === factor * rest.by && spelled({ base: 0, terms: [], odd: [[atom, 1]] }) === whole);
      if (other < 0) continue;
      const joined = { base: now.base, terms: now.terms.map(([letter, times]) => /** @type {[RunLetter, number]} */ ([letter, times])), odd: now.odd.filter(([atom], at) => at !== other && atom !== rest) };
      addSum(joined, rest.of, factor);
      now = flatSum(joined);
      again = true;
      break;
    }
  }
  return { ...now, terms: now.terms.filter(([letter, factor]) => factor && letter.size > 1) };
}

/** The address of an index of a buffer as one sum. @param {Buffer} buffer @param {Sum[]} index @returns {Sum} */
export function addressSum(buffer, index) {
  const found = /** @type {Sum} */ ({ base: buffer.offset, terms: [], odd: [] });
  index.forEach((sum, axis) => addSum(found, sum, buffer.strides[axis]));
  return simpleSum(found);
}

/** Whether an atom depends on a letter; a value that is looked up by its scalar. @param {Atom} atom @param {RunLetter} letter @returns {boolean} */
function dependsOn(atom, letter) {
  return atom.kind === "v" ? treeDependsOn(atom.value, letter) : sumDependsOn(atom.of, letter);
}

/** @param {Sum} sum @param {RunLetter} letter @returns {boolean} */
export function sumDependsOn(sum, letter) {
  return sum.terms.some(([one, factor]) => one === letter && factor) || sum.odd.some(([atom]) => dependsOn(atom, letter));
}

/** @param {Tree} tree @param {RunLetter} letter @returns {boolean} */
function treeDependsOn(tree, letter) {
  if (tree.kind === "read") return tree.index.some((one) => sumDependsOn(one, letter));
  if (tree.kind === "at") return sumDependsOn(tree.index, letter);
  if (tree.kind === "op" || tree.kind === "function") return tree.args.some((one) => treeDependsOn(one, letter));
  return tree.kind !== "number" && tree.kind !== "argument";
}

/** Whether an atom depends on one letter alone. @param {Sum} sum @param {RunLetter} letter @returns {boolean} */
function onlyOf(sum, letter) {
  return sum.terms.every(([one]) => one === letter || one.size === 1) && sum.odd.every(([atom]) => atom.kind !== "v" && onlyOf(atom.of, letter));
}

/** @param {Sum} sum @param {Env} env @param {(tree: Tree) => NumberOf} scalar @returns {NumberOf} the value of an index */
export function sumValue(sum, env, scalar) {
  const { at } = env;
  const { base } = sum;
  const slots = sum.terms.map(([letter]) => letter.slot);
  const factors = sum.terms.map(([, factor]) => factor);
  const [s0, s1, s2] = slots;
  const [f0, f1, f2] = factors;
  if (!sum.odd.length) {
    if (slots.length === 0) return () => base;
    if (slots.length === 1) return () => base + f0 * at[s0];
    if (slots.length === 2) return () => base + f0 * at[s0] + f1 * at[s1];
    if (slots.length === 3) return () => base + f0 * at[s0] + f1 * at[s1] + f2 * at[s2];
  }
  const odd = sum.odd.map(([atom, factor]) => ({ value: atomValue(atom, env, scalar), factor }));
  return () => {
    let total = base;
    for (let i = 0; i < slots.length; i++) total += factors[i] * at[slots[i]];
    for (const one of odd) total += one.factor * one.value();
    return total;
  };
}

/** @param {Atom} atom @param {Env} env @param {(tree: Tree) => NumberOf} scalar @returns {NumberOf} */
function atomValue(atom, env, scalar) {
  if (atom.kind === "v") {
    const value = scalar(atom.value);
    return () => Math.trunc(value());
  }
  const of = sumValue(atom.of, env, scalar);
  const { by } = atom;
  if (atom.kind === "/") return () => Math.floor(of() / by);
  return () => {
    const value = of();
    return value - Math.floor(value / by) * by;
  };
}

/**
 * The address of an element along a row: `start()` at the number 0 of the row letter, `step` further for each, or where
 * that is not even, `table[number]` further; `each()`, where it has to be computed for each element.
 * @typedef {{start: NumberOf, step: number, table: Int32Array | null, each: NumberOf | null}} RowAddress
 */

/** @param {Buffer} buffer @param {Sum[]} index @param {RunLetter | null} row @param {Env} env @param {(tree: Tree) => NumberOf} scalar @returns {RowAddress} */
export function rowAddress(buffer, index, row, env, scalar) {
  const looked = index.some((sum) => sum.odd.some(([atom]) => atom.kind === "v"));
  const whole = looked ? checkedAddress(buffer, index, env, scalar) : null;
  const sum = addressSum(buffer, index);
  if (!row) return { start: whole ?? sumValue(sum, env, scalar), step: 0, table: null, each: null };
  const own = sum.odd.filter(([atom]) => dependsOn(atom, row));
  const tabled = own.filter(([atom]) => atom.kind !== "v" && onlyOf(atom.of, row));
  const step = sum.terms.find(([letter]) => letter === row)?.[1] ?? 0;
  if (tabled.length < own.length) return { start: () => 0, step: 0, table: null, each: whole ?? sumValue(sum, env, scalar) };
  const rest = { base: sum.base, terms: sum.terms.filter(([letter]) => letter !== row), odd: sum.odd.filter((one) => !own.includes(one)) };
  let start = sumValue(rest, env, scalar);
  if (whole) {
    const all = whole;
    start = () => {
      // Of what is looked up nothing depends on the row: its place is checked at the number 0.
      env.at[row.slot] = 0;
      return all();
    };
    if (own.length) return { start: () => 0, step: 0, table: null, each: whole };
  }
  if (!own.length) return { start, step, table: null, each: null };
  const value = sumValue({ base: 0, terms: step ? [[row, step]] : [], odd: own }, env, scalar);
  const table = Int32Array.from({ length: row.size }, (_, i) => ((env.at[row.slot] = i), value()));
  const even = table.length < 2 ? 0 : table[1] - table[0];
  if (!table.some((one, i) => one !== table[0] + i * even)) {
    const [first] = table;
    return { start: () => start() + first, step: even, table: null, each: null };
  }
  return { start, step: 0, table, each: null };
}

/** An address that is NaN where what is looked up lies outside. @param {Buffer} buffer @param {Sum[]} index @param {Env} env @param {(tree: Tree) => NumberOf} scalar @returns {NumberOf} */
function checkedAddress(buffer, index, env, scalar) {
  const places = index.map((sum, axis) => ({ value: sumValue(simpleSum(sum), env, scalar), stride: buffer.strides[axis], size: buffer.sizes[axis] }));
  return () => {
    let total = buffer.offset;
    for (const { value, stride, size } of places) {
      const at = value();
      if (!(at >= 0 && at < size)) return NaN;
      total += at * stride;
    }
    return total;
  };
}

/**
 * Conditions, as far as they are known when the letters in front are: `narrow` gives the range of a letter in which
 * those hold that are even in it, `check` says whether those hold that do not depend on it, and `left` are the others.
 * @typedef {{narrow: (from: number, to: number) => void, from: number, to: number, left: Condition[]}} Range
 */

/** @param {Condition[]} conditions @param {RunLetter | null} letter @param {Env} env @param {(tree: Tree) => NumberOf} scalar @returns {Range} */
export function rangeOf(conditions, letter, env, scalar) {
  /** @type {{value: NumberOf, factor: number, low: number, high: number}[]} */
  const even = [];
  /** @type {(() => boolean)[]} */
  const checks = [];
  /** @type {Condition[]} */
  const left = [];
  for (const one of conditions) {
    const sum = one.kind === "is" ? null : simpleSum(one.index);
    const depends = letter !== null && (one.kind === "is" ? treeDependsOn(one.value, letter) : sumDependsOn(simpleSum(one.index), letter));
    if (!depends) checks.push(holds(one, env, scalar));
    else if (one.kind === "in" && sum && letter && !sum.odd.some(([atom]) => dependsOn(atom, letter))) {
      const factor = sum.terms.find(([own]) => own === letter)?.[1] ?? 0;
      even.push({ value: sumValue({ ...sum, terms: sum.terms.filter(([own]) => own !== letter) }, env, scalar), factor, low: one.low, high: one.high });
    } else left.push(one);
  }
  const range = /** @type {Range} */ ({
    from: 0, to: 0, left,
    narrow(from, to) {
      for (const check of checks) if (!check()) to = from;
      for (const { value, factor, low, high } of even) {
        const base = value();
        // low ≤ base + factor · i < high
        const [first, last] = factor > 0 ? [(low - base) / factor, (high - 1 - base) / factor] : [(high - 1 - base) / factor, (low - base) / factor];
        from = Math.max(from, Math.ceil(first));
        to = Math.min(to, Math.floor(last) + 1);
      }
      range.from = from;
      range.to = Math.max(from, to);
    },
  });
  return range;
}

/** @param {Condition} condition @param {Env} env @param {(tree: Tree) => NumberOf} scalar @returns {() => boolean} */
export function holds(condition, env, scalar) {
  if (condition.kind === "is") {
    const value = scalar(condition.value);
    return () => Boolean(value());
  }
  const value = sumValue(simpleSum(condition.index), env, scalar);
  if (condition.kind === "by") return () => value() % condition.by === 0;
  const { low, high } = condition;
  return () => {
    const at = value();
    return at >= low && at < high;
  };
}
