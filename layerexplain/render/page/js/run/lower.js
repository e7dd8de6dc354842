// Lines taken apart so that each is one fold or none, and so that nothing is computed again for letters it does not have.

import { RunLine, letterSum, lettersOfTree, linesRead, rebuiltTree, walkTree } from "./tree.js";

/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {import("./tree.js").RunLetter} RunLetter */
/** @typedef {import("./tree.js").FoldTree} FoldTree */

/** The lines, with those that were taken out of them in front. @param {RunLine[]} lines @param {() => number} slot gives a new slot @returns {RunLine[]} */
export function loweredLines(lines, slot) {
  /** @type {RunLine[]} */
  const found = [];
  for (const line of lines) {
    const out = new Taken(line.name, found);
    const alone = line.tree.kind === "fold" ? { ...line.tree, body: out.changed(line.tree.body, [...line.letters, ...line.tree.letters]) } : null;
    line.tree = alone ?? out.changed(line.tree, line.letters);
    if (line.start) line.start = out.changed(line.start, line.letters.filter((_, axis) => axis !== line.step));
    found.push(line);
  }
  return [...found, ...shiftedExponentials(found, slot)];
}

/** What is taken out of a line. */
class Taken {
  /** @param {string} name @param {RunLine[]} to */
  constructor(name, to) {
    this.name = name;
    this.to = to;
  }

  /** A tree in which folds, and what has fewer letters than are in scope, are lines of their own. @param {Tree} tree @param {RunLetter[]} scope @returns {Tree} */
  changed(tree, scope) {
    if (tree.kind === "fold") {
      const body = this.changed(tree.body, [...scope, ...tree.letters]);
      const conditions = tree.conditions.map((one) => (one.kind === "is" ? { ...one, value: this.changed(one.value, [...scope, ...tree.letters]) } : one));
      return this.taken({ ...tree, conditions, body }, scope);
    }
    const made = rebuiltTree(tree, (part) => this.changed(part, scope));
    if (tree.kind !== "op" && tree.kind !== "function") return made;
    const own = lettersOfTree(made);
    const less = scope.some((one) => one.size > 1 && !own.has(one));
    return less && this.costs(made) ? this.taken(made, scope) : made;
  }

  /** Whether computing it anew for each element would show. @param {Tree} tree */
  costs(tree) {
    let ops = 0;
    walkTree(tree, (one) => { if (one.kind === "function" || (one.kind === "op" && !"+-*/".includes(one.name))) ops += 2; else if (one.kind === "op") ops++; });
    return ops > 1;
  }

  /** A tree as a line of its own, read. @param {Tree} tree @param {RunLetter[]} scope @returns {Tree} */
  taken(tree, scope) {
    const own = lettersOfTree(tree);
    const letters = scope.filter((one) => own.has(one));
    const line = new RunLine(`part of ${this.name}`, letters, tree);
    this.to.push(line);
    return { kind: "read", source: line, index: letters.map(letterSum) };
  }
}

// Exponentials that are summed -----------------------------------------------------------------------------------

/**
 * A line e = exp(z) of which others take only shares, e / Σ e, or logarithms of sums, log Σ e, has e shifted: exp(z - m)
 * with the largest m of the sum, so that it neither overflows nor leaves 0 / 0. Gives the lines of these m.
 * @param {RunLine[]} lines @param {() => number} slot @returns {RunLine[]}
 */
function shiftedExponentials(lines, slot) {
  /** @type {RunLine[]} */
  const made = [];
  for (const line of lines) {
    if (line.tree.kind !== "op" || line.tree.name !== "exp" || line.start) continue;
    const uses = lines.flatMap((one) => [one.tree, ...(one.start ? [one.start] : [])].flatMap(linesRead).filter(([read]) => read === line)).length;
    const shares = sharesOf(line, lines);
    if (!shares || shares.uses !== uses) continue;
    made.push(shifted(line, shares, slot));
  }
  return made;
}

/** @typedef {{axes: number[], uses: number, logs: [RunLine, Tree & {kind: "op"}, RunLine][]}} Shares */

/** How a line is used, where that is in sums along the same axes only. @param {RunLine} line @param {RunLine[]} lines @returns {Shares | null} */
function sharesOf(line, lines) {
  const sums = lines.filter((one) => one.tree.kind === "fold" && one.tree.fold === "sum" && !one.tree.conditions.length && one.tree.body.kind === "read" && one.tree.body.source === line);
  if (!sums.length) return null;
  const axes = summedAxes(sums[0]);
  /** @type {Shares} */
  const found = { axes, uses: sums.length, logs: [] };
  for (const sum of sums) {
    if (summedAxes(sum).join() !== axes.join()) return null;
    for (const reader of lines) {
      let bad = false;
      const seen = (/** @type {Tree} */ one, /** @type {Tree | null} */ above) => {
        if (one.kind === "read" && one.source === sum) {
          if (above?.kind === "op" && above.name === "/" && above.args[1] === one && above.args[0].kind === "read" && above.args[0].source === line) found.uses++;
          else if (above?.kind === "op" && above.name === "log") found.logs.push([reader, above, sum]);
          else bad = true;
        }
        walkChildren(one, (child) => seen(child, one));
      };
      seen(reader.tree, null);
      if (bad) return null;
    }
  }
  return found;
}

/** @param {Tree} tree @param {(tree: Tree) => void} seen */
function walkChildren(tree, seen) {
  rebuiltTree(tree, (part) => (seen(part), part));
}

/** The axes of the line that a fold sums whole. @param {RunLine} sum @returns {number[]} */
function summedAxes(sum) {
  const { letters, body } = /** @type {FoldTree} */ (sum.tree);
  if (body.kind !== "read") return [];
  return body.index.flatMap((one, axis) => (one.terms.length === 1 && letters.includes(one.terms[0][0]) ? [axis] : []));
}

/** @param {RunLine} line @param {Shares} shares @param {() => number} slot @returns {RunLine} */
function shifted(line, { axes, logs }, slot) {
  const z = /** @type {Tree & {kind: "op"}} */ (line.tree).args[0];
  const over = axes.map((axis) => ({ size: line.letters[axis].size, slot: slot() }));
  /** @param {RunLetter} letter */
  const moved = (letter) => {
    const at = axes.findIndex((axis) => line.letters[axis] === letter);
    return at < 0 ? letter : over[at];
  };
  const renamed = (/** @type {Tree} */ tree) => /** @type {Tree} */ (rebuiltTree(tree, renamed, moved));
  const rest = line.letters.filter((_, axis) => !axes.includes(axis));
  const largest = new RunLine(`the largest of ${line.name}`, rest, { kind: "fold", fold: "max", letters: over, conditions: [], body: renamed(z) });
  line.tree = { kind: "op", name: "exp", args: [{ kind: "op", name: "-", args: [z, { kind: "read", source: largest, index: rest.map(letterSum) }] }] };
  line.shifted = true;
  for (const [reader, log, sum] of logs) {
    const read = log.args[0];
    if (read.kind !== "read") continue;
    const kept = /** @type {FoldTree} */ (sum.tree).body;
    const places = kept.kind === "read" ? kept.index.filter((_, axis) => !axes.includes(axis)) : [];
    // Each letter of the sum stands where the reader reads it.
    const index = places.map((place) => {
      const at = sum.letters.findIndex((letter) => place.terms.length === 1 && place.terms[0][0] === letter);
      return at < 0 ? place : read.index[at];
    });
    const whole = /** @type {Tree} */ ({ kind: "op", name: "+", args: [log, { kind: "read", source: largest, index }] });
    const swapped = (/** @type {Tree} */ tree) => (tree === log ? whole : /** @type {Tree} */ (rebuiltTree(tree, swapped)));
    reader.tree = swapped(reader.tree);
  }
  return largest;
}
