// Folds row by row: sums, means, products, the largest and the smallest.

import { addressSum, holds, rangeOf } from "./address.js";
import { conditionDependsOn, loopsOver } from "./loops.js";
import { LONGEST_ROW, rowOf, scalarOf } from "./rows.js";
import { CannotRun, letterSum, walkTree } from "./tree.js";

/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {import("./tree.js").FoldTree} FoldTree */
/** @typedef {import("./tree.js").Buffer} Buffer */
/** @typedef {import("./tree.js").RunLetter} RunLetter */
/** @typedef {import("./address.js").Env} Env */

/** @type {Record<string, number>} what folds begin with */
const BEGIN = { sum: 0, mean: 0, prod: 1, max: -Infinity, min: Infinity, any: 0, all: 1 };

/** Adds a row to what was folded. @type {Record<string, (sums: Float64Array, row: Float64Array, from: number, to: number) => void>} */
const ADD = {
  sum(sums, row, from, to) { for (let i = from; i < to; i++) sums[i] += row[i]; },
  prod(sums, row, from, to) { for (let i = from; i < to; i++) sums[i] *= row[i]; },
  max(sums, row, from, to) { for (let i = from; i < to; i++) sums[i] = Math.max(sums[i], row[i]); },
  min(sums, row, from, to) { for (let i = from; i < to; i++) sums[i] = Math.min(sums[i], row[i]); },
  any(sums, row, from, to) { for (let i = from; i < to; i++) if (row[i]) sums[i] = 1; },
  all(sums, row, from, to) { for (let i = from; i < to; i++) if (!row[i]) sums[i] = 0; },
};
ADD.mean = ADD.sum;

/** Folds a row to one number. @param {string} fold @param {number} sum @param {Float64Array} row @param {number} from @param {number} to @returns {number} */
function foldedRow(fold, sum, row, from, to) {
  if (fold === "sum" || fold === "mean") for (let i = from; i < to; i++) sum += row[i];
  else if (fold === "prod") for (let i = from; i < to; i++) sum *= row[i];
  else if (fold === "max") for (let i = from; i < to; i++) sum = Math.max(sum, row[i]);
  else if (fold === "min") for (let i = from; i < to; i++) sum = Math.min(sum, row[i]);
  else if (fold === "any") for (let i = from; i < to; i++) sum = row[i] ? 1 : sum;
  else for (let i = from; i < to; i++) sum = row[i] ? sum : 0;
  return sum;
}

/** The letter along which rows are longest and even in memory. @param {RunLetter[]} letters @param {Tree} tree @returns {RunLetter | null} */
export function rowLetter(letters, tree) {
  /** @type {Map<RunLetter, number>} */
  const steps = new Map();
  walkTree(tree, (one) => {
    if (one.kind !== "read" || !one.source.buffer) return;
    for (const [letter, step] of addressSum(one.source.buffer, one.index).terms) steps.set(letter, Math.max(steps.get(letter) ?? 0, Math.abs(step)));
  });
  let best = null;
  let most = 1;
  letters.forEach((letter) => {
    const near = (steps.get(letter) ?? 0) <= 1 ? 2 : 1;
    const worth = Math.min(letter.size, 256) * near;
    if (letter.size > 1 && worth >= most) [best, most] = [letter, worth];
  });
  return best;
}

/**
 * A closure that computes a fold for all numbers of some letters into a buffer.
 * @param {FoldTree} fold @param {RunLetter[]} letters those that are looped over here @param {Buffer} to
 * @param {import("./tree.js").Sum[]} place @param {Env} env @returns {() => void}
 */
export function foldLoops(fold, letters, to, place, env) {
  if (!(fold.fold in BEGIN)) throw new CannotRun(`the page has no fold ${fold.fold}`);
  const scalar = (/** @type {Tree} */ one) => scalarOf(one, env);
  const row = rowLetter([...fold.letters, ...letters], fold.body);
  if (row && letters.includes(row)) return alongResult(fold, letters, row, to, place, env);
  const start = BEGIN[fold.fold];
  const address = resultAddress(to, place, env);
  const { values } = to;
  const body = rowOf(fold.body, row, env);
  const late = fold.conditions.filter((one) => row && conditionDependsOn(one, row));
  const range = rangeOf(late, row, env, scalar);
  const checks = range.left.map((one) => holds(one, env, scalar));
  let sum = 0;
  let count = 0;
  const size = row?.size ?? 1;
  const spare = new Float64Array(Math.min(size, LONGEST_ROW));
  const rows = () => {
    for (let first = 0; first < size; first += LONGEST_ROW) {
      env.row.first = first;
      range.narrow(first, Math.min(size, first + LONGEST_ROW));
      const [from, end] = [range.from - first, range.to - first];
      if (from >= end) continue;
      body.run(from, end);
      const out = body.same ? spare.fill(body.number, from, end) : body.out;
      if (!checks.length || !row) {
        sum = foldedRow(fold.fold, sum, out, from, end);
        count += end - from;
        continue;
      }
      for (let i = from; i < end; i++) {
        env.at[row.slot] = first + i;
        if (!checks.every((one) => one())) continue;
        sum = foldedRow(fold.fold, sum, out, i, i + 1);
        count++;
      }
    }
  };
  const early = fold.conditions.filter((one) => !late.includes(one));
  const folded = loopsOver(fold.letters.filter((one) => one !== row), early, env, scalar, rows);
  return loopsOver(letters, [], env, scalar, () => {
    sum = start;
    count = 0;
    folded();
    values[address()] = fold.fold === "mean" ? sum / count : sum;
  });
}

/** @param {Buffer} to @param {import("./tree.js").Sum[]} place @param {Env} env @returns {() => number} */
export function resultAddress(to, place, env) {
  const sum = addressSum(to, place);
  const slots = sum.terms.map(([letter]) => letter.slot);
  const factors = sum.terms.map(([, factor]) => factor);
  const { at } = env;
  return () => {
    let total = sum.base;
    for (let i = 0; i < slots.length; i++) total += factors[i] * at[slots[i]];
    return total;
  };
}

/** Folds whose rows run along a letter of the result. @param {FoldTree} fold @param {RunLetter[]} letters @param {RunLetter} row @param {Buffer} to @param {import("./tree.js").Sum[]} place @param {Env} env @returns {() => void} */
function alongResult(fold, letters, row, to, place, env) {
  const scalar = (/** @type {Tree} */ one) => scalarOf(one, env);
  const begin = BEGIN[fold.fold];
  const add = ADD[fold.fold];
  const { values } = to;
  const address = resultAddress(to, place, env);
  const step = addressSum(to, place).terms.find(([one]) => one === row)?.[1] ?? 0;
  const body = rowOf(fold.body, row, env);
  const late = fold.conditions.filter((one) => conditionDependsOn(one, row));
  const range = rangeOf(late, row, env, scalar);
  const checks = range.left.map((one) => holds(one, env, scalar));
  const length = Math.min(row.size, LONGEST_ROW);
  const sums = new Float64Array(length);
  const counts = new Float64Array(length);
  const spare = new Float64Array(length);
  let first = 0;
  const means = fold.fold === "mean";
  const folded = loopsOver(fold.letters, fold.conditions.filter((one) => !late.includes(one)), env, scalar, () => {
    range.narrow(first, Math.min(row.size, first + LONGEST_ROW));
    const [from, end] = [range.from - first, range.to - first];
    if (from >= end) return;
    body.run(from, end);
    const out = body.same ? spare.fill(body.number, from, end) : body.out;
    if (!checks.length) {
      add(sums, out, from, end);
      if (means) for (let i = from; i < end; i++) counts[i]++;
      return;
    }
    for (let i = from; i < end; i++) {
      env.at[row.slot] = first + i;
      if (!checks.every((one) => one())) continue;
      add(sums, out, i, i + 1);
      counts[i]++;
    }
  });
  return loopsOver(letters.filter((one) => one !== row), [], env, scalar, () => {
    env.at[row.slot] = 0;
    const start = address();
    for (first = 0; first < row.size; first += LONGEST_ROW) {
      const count = Math.min(LONGEST_ROW, row.size - first);
      env.row.first = first;
      sums.fill(begin);
      if (means) counts.fill(0);
      folded();
      for (let i = 0; i < count; i++) values[start + step * (first + i)] = means ? sums[i] / counts[i] : sums[i];
    }
  });
}

/** The index of a line at its own letters. @param {RunLetter[]} letters */
export const ownPlace = (letters) => letters.map(letterSum);
