// Element forms as trees to compile: letters have slots for their numbers, indices are sums, functions are opened.

import { isArgument, isCall, isCast, isChoice, isElement, isFold, isPosition, isSpecial, partsOf, specialNumber } from "../scalars.js";

/** @typedef {import("../scalars.js").Form} Form */
/** @typedef {import("../scalars.js").Index} Index */
/** @typedef {{size: number, slot: number}} RunLetter a letter; its number stands at `slot` of the numbers of a call */
/** @typedef {{kind: "/" | "%", of: Sum, by: number} | {kind: "v", value: Tree}} Atom */
/** @typedef {{base: number, terms: [RunLetter, number][], odd: [Atom, number][]}} Sum an index: base + Σ factor · letter + Σ factor · atom */
/** @typedef {{kind: "in", index: Sum, low: number, high: number} | {kind: "by", index: Sum, by: number} | {kind: "is", value: Tree}} Condition */
/** @typedef {{values: Float64Array, sizes: number[], strides: number[], offset: number}} Buffer the numbers of a tensor or a line */
/** @typedef {{buffer: Buffer | null}} Source a tensor */
/**
 * @typedef {{kind: "number", value: number}
 *   | {kind: "argument", at: number}
 *   | {kind: "read", source: Source | RunLine, index: Sum[]}
 *   | {kind: "at", index: Sum}
 *   | {kind: "if", conditions: Condition[], then: Tree, otherwise: Tree}
 *   | OpTree
 *   | {kind: "function", name: string, body: Tree, args: Tree[]}
 *   | FoldTree} Tree
 */
/** @typedef {{kind: "op", name: string, args: Tree[], to?: string}} OpTree `to` is the dtype of a cast */
/** @typedef {{kind: "fold", fold: string, letters: RunLetter[], conditions: Condition[], body: Tree}} FoldTree */

/** What the page cannot run, with the reason as its message. */
export class CannotRun extends Error {}

/** One tensor of a formula, as a tree over its letters. */
export class RunLine {
  /** @param {string} name @param {RunLetter[]} letters @param {Tree} tree */
  constructor(name, letters, tree) {
    this.name = name;
    this.letters = letters;
    this.tree = tree;
    /** @type {Tree | null} what a state of a recurrence is before the first step */
    this.start = null;
    /** The axis of the steps of a recurrence; -1 where there is none. */
    this.step = -1;
    this.backwards = false;
    /** Whether it has other numbers here than its formula says. */
    this.shifted = false;
    /** @type {Buffer | null} */
    this.buffer = null;
  }
}

/** @param {number} base @returns {Sum} */
const constantSum = (base) => ({ base, terms: [], odd: [] });

/** @param {RunLetter} letter @returns {Sum} */
export const letterSum = (letter) => ({ base: 0, terms: [[letter, 1]], odd: [] });

/** The lines of a form as trees; `tensors` are its tensors. */
export class FormTrees {
  /** @param {Form} form @param {Source[]} tensors */
  constructor(form, tensors) {
    this.form = form;
    this.first = form.tensors.length;
    this.slots = 0;
    /** @type {(Source | RunLine | undefined)[]} */
    this.sources = [...tensors];
    /** @type {RunLine[]} those that were asked for, each once */
    this.lines = [];
  }

  /** A tensor, or a line by its number behind the tensors. @param {number} of @returns {Source | RunLine} */
  source(of) {
    const known = this.sources[of];
    if (known) return known;
    const line = this.form.lines[of - this.first];
    if (line.value === undefined) throw new CannotRun(`${line.name} has no formula of one element: ${line.refusal}`);
    const made = new RunLine(line.name, line.letters.map((one) => this.letter(one)), { kind: "number", value: 0 });
    this.sources[of] = made;
    const names = Object.fromEntries(line.letters.map((one, axis) => [one[0], made.letters[axis]]));
    made.tree = this.tree(line.value, names);
    if (line.start !== undefined) {
      made.step = line.step ?? 0;
      made.backwards = line.after !== undefined;
      made.start = this.tree(line.start, names);
    }
    this.lines.push(made);
    return made;
  }

  /** @param {import("../scalars.js").Letter} letter @returns {RunLetter} */
  letter([name, size, role]) {
    if (size === null && role !== "batch") throw new CannotRun(`the size of an axis (${role || name}) is not known; give the shape of the input with --input`);
    return { size: size ?? 1, slot: this.slots++ };
  }

  /** @param {import("../scalars.js").Scalar} e @param {Record<string, RunLetter>} names @returns {Tree} */
  tree(e, names) {
    if (!Array.isArray(e)) return { kind: "number", value: +e };
    if (isSpecial(e)) return { kind: "number", value: specialNumber(e) };
    if (isArgument(e)) return { kind: "argument", at: e[1] };
    if (isElement(e)) return { kind: "read", source: this.source(e[0]), index: /** @type {Index[]} */ (e.slice(1)).map((one) => this.sum(one, names)) };
    if (isPosition(e)) return { kind: "at", index: this.sum(e[1], names) };
    if (isChoice(e)) return { kind: "if", conditions: this.conditions(e[1], names), then: this.tree(e[2], names), otherwise: this.tree(e[3], names) };
    if (isFold(e)) {
      const letters = e[2].map((one) => this.letter(one));
      const inside = { ...names, ...Object.fromEntries(letters.map((one, i) => [e[2][i][0], one])) };
      return { kind: "fold", fold: e[1], letters, conditions: this.conditions(e[3], inside), body: this.tree(e[4], inside) };
    }
    const args = partsOf(e).map((part) => this.tree(part, names));
    if (isCall(e)) {
      const [name, body] = this.form.functions?.[e[1]] ?? ["", NaN];
      return { kind: "function", name, body: this.tree(body, {}), args };
    }
    return isCast(e) ? { kind: "op", name: e[0], args, to: e[2] } : { kind: "op", name: e[0], args };
  }

  /** @param {import("../scalars.js").Condition[]} conditions @param {Record<string, RunLetter>} names @returns {Condition[]} */
  conditions(conditions, names) {
    return conditions.map((one) => {
      if (one[0] === "is") return { kind: "is", value: this.tree(one[1], names) };
      const index = this.sum(one[1], names);
      if (one[0] === "by") return { kind: "by", index, by: one[2] };
      if (one[3] === null) throw new CannotRun("the size of an axis is not known; give the shape of the input with --input");
      return { kind: "in", index, low: one[2], high: one[3] };
    });
  }

  /** @param {Index} index @param {Record<string, RunLetter>} names @returns {Sum} */
  sum(index, names) {
    if (typeof index === "number") return constantSum(index);
    if (typeof index === "string") {
      if (!names[index]) throw new CannotRun("the number of steps is not known; give the shape of the input with --input");
      return letterSum(names[index]);
    }
    const found = constantSum(index[0]);
    for (let i = 1; i < index.length; i += 2) {
      const [factor, atom] = /** @type {[number, import("../scalars.js").Atom]} */ ([index[i], index[i + 1]]);
      if (typeof atom === "string") addSum(found, this.sum(atom, names), factor);
      else if (atom[0] === "v") found.odd.push([{ kind: "v", value: this.tree(atom[1], names) }, factor]);
      else found.odd.push([{ kind: atom[0], of: this.sum(atom[1], names), by: atom[2] }, factor]);
    }
    return found;
  }
}

/** Adds a multiple of a sum to one. @param {Sum} to @param {Sum} sum @param {number} factor */
export function addSum(to, sum, factor) {
  to.base += factor * sum.base;
  for (const [letter, times] of sum.terms) {
    const own = to.terms.find(([one]) => one === letter);
    if (own) own[1] += factor * times;
    else to.terms.push([letter, factor * times]);
  }
  for (const [atom, times] of sum.odd) to.odd.push([atom, factor * times]);
}

/** Calls `seen` for each tree, condition and index under a tree, itself included. @param {Tree} tree @param {(tree: Tree) => void} seen @param {(sum: Sum) => void} [sums] */
export function walkTree(tree, seen, sums = () => {}) {
  seen(tree);
  const below = (/** @type {Tree} */ one) => walkTree(one, seen, sums);
  const index = (/** @type {Sum} */ sum) => {
    sums(sum);
    for (const [atom] of sum.odd) atom.kind === "v" ? below(atom.value) : index(atom.of);
  };
  const conditions = (/** @type {Condition[]} */ all) => all.forEach((one) => (one.kind === "is" ? below(one.value) : index(one.index)));
  if (tree.kind === "read") tree.index.forEach(index);
  else if (tree.kind === "at") index(tree.index);
  else if (tree.kind === "op" || tree.kind === "function") tree.args.forEach(below);
  else if (tree.kind === "if") {
    conditions(tree.conditions);
    below(tree.then);
    below(tree.otherwise);
  } else if (tree.kind === "fold") {
    conditions(tree.conditions);
    below(tree.body);
  }
}

/** The same tree with each part below replaced by what `change` gives for it, and indices by what `moved` gives. @param {Tree} tree @param {(tree: Tree) => Tree} change @param {(letter: RunLetter) => RunLetter} [moved] @returns {Tree} */
export function rebuiltTree(tree, change, moved = (letter) => letter) {
  /** @param {Sum} sum @returns {Sum} */
  const index = (sum) => ({
    base: sum.base,
    terms: sum.terms.map(([letter, factor]) => [moved(letter), factor]),
    odd: sum.odd.map(([atom, factor]) => [atom.kind === "v" ? { kind: "v", value: change(atom.value) } : { ...atom, of: index(atom.of) }, factor]),
  });
  const conditions = (/** @type {Condition[]} */ all) => all.map((one) => /** @type {Condition} */ (one.kind === "is" ? { kind: "is", value: change(one.value) } : { ...one, index: index(one.index) }));
  if (tree.kind === "read") return { ...tree, index: tree.index.map(index) };
  if (tree.kind === "at") return { ...tree, index: index(tree.index) };
  if (tree.kind === "op" || tree.kind === "function") return { ...tree, args: tree.args.map(change) };
  if (tree.kind === "if") return { ...tree, conditions: conditions(tree.conditions), then: change(tree.then), otherwise: change(tree.otherwise) };
  if (tree.kind === "fold") return { ...tree, conditions: conditions(tree.conditions), body: change(tree.body) };
  return tree;
}

/** The letters that a tree depends on. @param {Tree} tree @returns {Set<RunLetter>} */
export function lettersOfTree(tree) {
  /** @type {Set<RunLetter>} */
  const found = new Set();
  /** @type {Set<RunLetter>} */
  const bound = new Set();
  walkTree(tree, (one) => one.kind === "fold" && one.letters.forEach((letter) => bound.add(letter)), (sum) => sum.terms.forEach(([letter]) => found.add(letter)));
  for (const letter of bound) found.delete(letter);
  return found;
}

/** The lines that a tree reads. @param {Tree} tree @returns {[RunLine, Sum[]][]} */
export function linesRead(tree) {
  /** @type {[RunLine, Sum[]][]} */
  const found = [];
  walkTree(tree, (one) => {
    if (one.kind === "read" && one.source instanceof RunLine) found.push([one.source, one.index]);
  });
  return found;
}
