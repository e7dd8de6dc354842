// Loops over letters: the letters around the rows, with the ranges in which conditions hold.

import { holds, rangeOf, simpleSum, sumDependsOn } from "./address.js";
import { lettersOfTree } from "./tree.js";

/** @typedef {import("./tree.js").RunLetter} RunLetter */
/** @typedef {import("./tree.js").Condition} Condition */
/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {import("./address.js").Env} Env */
/** @typedef {() => number} NumberOf */

/** @param {Condition} condition @param {RunLetter} letter */
export function conditionDependsOn(condition, letter) {
  return condition.kind === "is" ? lettersOfTree(condition.value).has(letter) : sumDependsOn(simpleSum(condition.index), letter);
}

/**
 * Runs over letters one inside the other, each in the range in which the conditions hold that depend on no later one.
 * @param {RunLetter[]} letters @param {Condition[]} conditions those that depend on none of `later`
 * @param {Env} env @param {(tree: Tree) => NumberOf} scalar @param {() => void} body @returns {() => void}
 */
export function loopsOver(letters, conditions, env, scalar, body) {
  let rest = conditions;
  /** @type {() => void} */
  let inner = body;
  for (const letter of [...letters].reverse()) {
    const own = rest.filter((one) => conditionDependsOn(one, letter));
    rest = rest.filter((one) => !own.includes(one));
    inner = loopOver(letter, own, env, scalar, inner);
  }
  const checks = rest.map((one) => holds(one, env, scalar));
  if (!checks.length) return inner;
  return () => { if (checks.every((one) => one())) inner(); };
}

/** @param {RunLetter} letter @param {Condition[]} conditions @param {Env} env @param {(tree: Tree) => NumberOf} scalar @param {() => void} body @returns {() => void} */
function loopOver(letter, conditions, env, scalar, body) {
  const { at } = env;
  const { slot, size } = letter;
  if (!conditions.length) {
    return () => {
      for (let i = 0; i < size; i++) {
        at[slot] = i;
        body();
      }
    };
  }
  const range = rangeOf(conditions, letter, env, scalar);
  const checks = range.left.map((one) => holds(one, env, scalar));
  return () => {
    range.narrow(0, size);
    const { to } = range;
    for (let i = range.from; i < to; i++) {
      at[slot] = i;
      if (checks.every((one) => one())) body();
    }
  };
}
