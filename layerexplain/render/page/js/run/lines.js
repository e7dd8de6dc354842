// The lines of a call as closures in the order in which they can run; recurrences run step by step.

import { count } from "../dom.js";
import { addressSum, sumDependsOn } from "./address.js";
import { foldLoops, ownPlace, resultAddress, rowLetter } from "./folds.js";
import { loopsOver } from "./loops.js";
import { loweredLines } from "./lower.js";
import { productLoops } from "./products.js";
import { LONGEST_ROW, rowOf, scalarOf } from "./rows.js";
import { CannotRun, FormTrees, RunLine, linesRead, rebuiltTree, walkTree } from "./tree.js";

/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {import("./tree.js").Buffer} Buffer */
/** @typedef {import("./tree.js").RunLetter} RunLetter */
/** @typedef {import("./tree.js").Sum} Sum */
/** @typedef {import("./tree.js").Source} Source */
/** @typedef {import("./address.js").Env} Env */

/**
 * A compiled call: closures that run one after the other, and the buffers of its lines by their numbers in the form
 * (without those that have other numbers here), with the bytes that they take.
 * @typedef {{steps: (() => void)[], buffers: Map<number, Buffer>, bytes: number}} CompiledCall
 */

/** @param {import("../scalars.js").Form} form @param {Source[]} tensors @param {number[]} wanted the numbers of the lines that are results @param {boolean} apart whether results have buffers of their own @returns {CompiledCall} */
export function compiledCall(form, tensors, wanted, apart = false) {
  const trees = new FormTrees(form, tensors);
  const results = wanted.map((of) => trees.source(of));
  const lines = loweredLines([...trees.lines], () => trees.slots++);
  const env = { at: new Int32Array(trees.slots), row: { first: 0 }, fixed: new Set() };
  let bytes = 0;
  /** @type {(() => void)[]} */
  const steps = [];
  for (const group of groupsOf(lines)) {
    const loops = group.length > 1 || linesRead(group[0].tree).some(([line]) => line === group[0]);
    if (loops) {
      for (const line of group) bytes += allocated(line);
      steps.push(recurrence(group, env));
    } else {
      const [line] = group;
      const same = line.start || (apart && results.includes(line)) ? null : sameNumbers(line);
      if (same) line.buffer = same;
      else {
        bytes += allocated(line);
        if (line.start) steps.push(...startSteps(line, env));
        steps.push(...lineLoops(line, line.letters, env));
      }
    }
  }
  /** @type {Map<number, Buffer>} */
  const buffers = new Map();
  trees.sources.forEach((source, of) => {
    if (source instanceof RunLine && source.buffer && (!source.shifted || results.includes(source))) buffers.set(of, source.buffer);
  });
  return { steps, buffers, bytes };
}

/** Gives a line its buffer; a recurrence has one place more along its steps, for its start. @param {RunLine} line @returns {number} its bytes */
function allocated(line) {
  const sizes = line.letters.map((one) => one.size);
  const room = sizes.map((size, axis) => size + (line.start && axis === line.step ? 1 : 0));
  const strides = room.map((_, axis) => room.slice(axis + 1).reduce((a, b) => a * b, 1));
  const total = room.reduce((a, b) => a * b, 1);
  if (total > 16e6) throw new CannotRun(`${line.name} has ${count(total)} numbers, which is too many for a page`);
  line.buffer = { values: new Float64Array(total), sizes, strides, offset: line.start && !line.backwards ? strides[line.step] : 0 };
  return 8 * total;
}

/** The buffer of another tensor that already has a line's numbers: what only moves data takes no room. @param {RunLine} line @returns {Buffer | null} */
function sameNumbers(line) {
  const { tree } = line;
  if (tree.kind !== "read" || !tree.source.buffer) return null;
  const sum = addressSum(tree.source.buffer, tree.index);
  if (sum.odd.length) return null;
  const strides = line.letters.map((letter) => sum.terms.find(([one]) => one === letter)?.[1] ?? 0);
  return { values: tree.source.buffer.values, sizes: line.letters.map((one) => one.size), strides, offset: sum.base };
}

// One line --------------------------------------------------------------------------------------------------------

/** @param {RunLine} line @param {RunLetter[]} letters those that are looped over @param {Env} env @returns {(() => void)[]} */
function lineLoops(line, letters, env) {
  const place = ownPlace(line.letters);
  const to = /** @type {Buffer} */ (line.buffer);
  if (line.tree.kind === "fold") return productLoops(line.tree, letters, to, place, env) ?? [foldLoops(line.tree, letters, to, place, env)];
  return [treeLoops(line.tree, letters, to, place, env)];
}

/** @param {Tree} formula @param {RunLetter[]} all @param {Buffer} buffer @param {Sum[]} at @param {Env} env @returns {() => void} */
function treeLoops(formula, all, buffer, at, env) {
  const { tree, letters, to, place } = joinedLetters(formula, all, buffer, at);
  const row = rowLetter(letters, tree);
  const body = rowOf(tree, row, env);
  const address = resultAddress(to, place, env);
  const step = addressSum(to, place).terms.find(([one]) => one === row)?.[1] ?? 0;
  const { values } = to;
  const size = row?.size ?? 1;
  const scalar = (/** @type {Tree} */ one) => scalarOf(one, env);
  return loopsOver(letters.filter((one) => one !== row), [], env, scalar, () => {
    if (row) env.at[row.slot] = 0;
    const start = address();
    for (let first = 0; first < size; first += LONGEST_ROW) {
      const count = Math.min(LONGEST_ROW, size - first);
      env.row.first = first;
      body.run(0, count);
      if (body.same) stored(values, start + step * first, step, body.number, count);
      else moved(values, start + step * first, step, body.out, count);
    }
  });
}

/** A tree in which letters are one where all that is read and written goes on evenly from the one to the other: a relu of an image is one long row. @param {Tree} formula @param {RunLetter[]} letters @param {Buffer} buffer @param {Sum[]} place */
function joinedLetters(formula, letters, buffer, place) {
  let tree = flatReads(formula);
  let out = addressSum(buffer, place);
  const left = letters.filter((one) => one.size > 1);
  for (let i = left.length - 2; i >= 0; i--) {
    const [outer, inner] = [left[i], left[i + 1]];
    const sums = [out];
    walkTree(tree, () => {}, (sum) => sums.push(sum));
    const even = sums.every((sum) => factorOf(sum, outer) === factorOf(sum, inner) * inner.size && !sum.odd.some(([atom]) => sumDependsOn({ base: 0, terms: [], odd: [[atom, 1]] }, outer) || sumDependsOn({ base: 0, terms: [], odd: [[atom, 1]] }, inner)));
    if (!even) continue;
    const joined = { size: outer.size * inner.size, slot: inner.slot };
    const moved = (/** @type {RunLetter} */ one) => (one === inner ? joined : one === outer ? GONE : one);
    const renamed = (/** @type {Tree} */ part) => /** @type {Tree} */ (rebuiltTree(part, renamed, moved));
    tree = renamed(tree);
    out = { ...out, terms: out.terms.map(([letter, factor]) => [moved(letter), factor]) };
    left.splice(i, 2, joined);
  }
  const flat = { values: buffer.values, sizes: [buffer.values.length], strides: [1], offset: 0 };
  return { tree, letters: left, to: flat, place: [out] };
}

/** In place of a letter that was joined to another. @type {RunLetter} */
const GONE = { size: 1, slot: 0 };

/** @param {Sum} sum @param {RunLetter} letter */
const factorOf = (sum, letter) => sum.terms.find(([one]) => one === letter)?.[1] ?? 0;

/** A tree whose reads are addresses, but for those that look up. @param {Tree} tree @returns {Tree} */
function flatReads(tree) {
  const made = /** @type {Tree} */ (rebuiltTree(tree, flatReads));
  if (made.kind !== "read" || !made.source.buffer || made.index.some((sum) => sum.odd.some(([atom]) => atom.kind === "v"))) return made;
  const { buffer } = made.source;
  const flat = { values: buffer.values, sizes: [buffer.values.length], strides: [1], offset: 0 };
  return { kind: "read", source: { buffer: flat }, index: [addressSum(buffer, made.index)] };
}

/** @param {Float64Array} values @param {number} at @param {number} step @param {number} number @param {number} count */
function stored(values, at, step, number, count) {
  for (let i = 0; i < count; i++, at += step) values[at] = number;
}

/** @param {Float64Array} values @param {number} at @param {number} step @param {Float64Array} row @param {number} count */
function moved(values, at, step, row, count) {
  for (let i = 0; i < count; i++, at += step) values[at] = row[i];
}

// Recurrences -----------------------------------------------------------------------------------------------------

/** Lines that need each other, which run step by step. @param {RunLine[]} group @param {Env} env @returns {() => void} */
function recurrence(group, env) {
  const state = group.find((line) => line.start);
  if (!state) throw new CannotRun(`${group[0].name} needs itself`);
  const axes = stepAxes(group);
  const letters = group.map((line) => /** @type {RunLetter | null} */ (line.letters[axes.get(line) ?? -1] ?? null));
  const begins = group.flatMap((line) => startSteps(line, env));
  for (const letter of letters) if (letter) env.fixed.add(letter);
  const order = orderInStep(group, axes);
  const runs = order.flatMap((line) => lineLoops(line, line.letters.filter((_, axis) => axis !== axes.get(line)), env));
  const slots = [...new Set(letters.flatMap((one) => (one ? [one.slot] : [])))];
  const count = state.letters[state.step].size;
  const { at } = env;
  const { backwards } = state;
  return () => {
    for (const begin of begins) begin();
    for (let i = 0; i < count; i++) {
      const t = backwards ? count - 1 - i : i;
      for (const slot of slots) at[slot] = t;
      for (const run of runs) run();
    }
    for (const slot of slots) at[slot] = 0;
  };
}

/** Sets a state to what it is before the first step. @param {RunLine} line @param {Env} env @returns {(() => void)[]} */
function startSteps(line, env) {
  if (!line.start) return [];
  const step = line.letters[line.step];
  const others = line.letters.filter((one) => one !== step);
  const to = /** @type {Buffer} */ (line.buffer);
  const before = line.backwards ? step.size : -1;
  const place = ownPlace(line.letters).map((sum, axis) => (axis === line.step ? { base: before, terms: [], odd: [] } : sum));
  return [treeLoops(line.start, others, to, place, env)];
}

/** The axis of the steps in each line: that of a state is known, that of a line that reads it has the same letter. @param {RunLine[]} group @returns {Map<RunLine, number>} */
function stepAxes(group) {
  /** @type {Map<RunLine, number>} */
  const found = new Map();
  for (const line of group) if (line.start) found.set(line, line.step);
  for (let again = true; again;) {
    again = false;
    for (const line of group) {
      if (found.has(line)) continue;
      for (const [read, index] of linesRead(line.tree)) {
        const sum = found.has(read) ? index[/** @type {number} */ (found.get(read))] : undefined;
        const axis = sum?.terms.length === 1 ? line.letters.indexOf(sum.terms[0][0]) : -1;
        if (axis < 0) continue;
        found.set(line, axis);
        again = true;
        break;
      }
    }
  }
  return found;
}

/** The lines of a step in an order in which each has what it reads of the same step. @param {RunLine[]} group @param {Map<RunLine, number>} axes @returns {RunLine[]} */
function orderInStep(group, axes) {
  /** @type {RunLine[]} */
  const found = [];
  /** @type {Set<RunLine>} */
  const open = new Set();
  const visit = (/** @type {RunLine} */ line) => {
    if (found.includes(line)) return;
    if (open.has(line)) throw new CannotRun(`${line.name} needs itself in the same step`);
    open.add(line);
    for (const [read, index] of linesRead(line.tree)) {
      if (!group.includes(read)) continue;
      const axis = axes.get(read);
      if (axis === undefined || index[axis].base === 0) visit(read);
    }
    open.delete(line);
    found.push(line);
  };
  group.forEach(visit);
  return found;
}

// Their order -----------------------------------------------------------------------------------------------------

/** The lines in groups of those that need each other, each group behind what it reads. @param {RunLine[]} lines @returns {RunLine[][]} */
function groupsOf(lines) {
  /** @type {Map<RunLine, {number: number, low: number, open: boolean}>} */
  const seen = new Map();
  /** @type {RunLine[]} */
  const stack = [];
  /** @type {RunLine[][]} */
  const groups = [];
  const visit = (/** @type {RunLine} */ line) => {
    const own = { number: seen.size, low: seen.size, open: true };
    seen.set(line, own);
    stack.push(line);
    for (const [read] of [line.tree, ...(line.start ? [line.start] : [])].flatMap(linesRead)) {
      const other = seen.get(read);
      if (!other) own.low = Math.min(own.low, visit(read));
      else if (other.open) own.low = Math.min(own.low, other.number);
    }
    if (own.low === own.number) {
      const group = stack.splice(stack.indexOf(line));
      for (const one of group) /** @type {{open: boolean}} */ (seen.get(one)).open = false;
      groups.push(group);
    }
    return own.low;
  };
  for (const line of lines) if (!seen.has(line)) visit(line);
  return groups;
}
