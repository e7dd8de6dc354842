// What an element depends on, through all layers: for each tensor the places along each axis that are read.

import { simpleSum, sumValue } from "./address.js";
import { fixedValue, mayBeFixed } from "./fixed.js";
import { CannotRun, FormTrees, lettersOfTree, RunLine } from "./tree.js";

/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {import("./tree.js").Sum} Sum */
/** @typedef {import("./tree.js").Source} Source */
/** @typedef {import("./tree.js").RunLetter} RunLetter */
/** @typedef {import("./tree.js").Condition} Condition */
/** @typedef {import("./program.js").Program} Program */
/** @typedef {Uint8Array[]} Places of each axis, 1 for each place that is read */
/** @typedef {Map<RunLetter, Uint8Array>} Letters the numbers that letters take */
/** @typedef {{all: Condition[], hold: boolean, open?: Tree, zero?: boolean}} Ties conditions that all hold, or not all; or a tree that tensors change there, or that is not always 0 */

/** Of letters that are tied together in more ways, all places are taken. */
const MOST_WAYS = 400000;

/** The places of all tensors on which an element of one depends. @param {Program} program whose calls are compiled @param {number} tensor @param {number[]} index @returns {Map<number, Places>} */
export function reachOf(program, tensor, index) {
  /** @type {Map<number, Places>} */
  const found = new Map();
  const buffer = program.tensors[tensor].buffer;
  if (!buffer) return found;
  found.set(tensor, buffer.sizes.map((size, axis) => Uint8Array.from({ length: size }, (_, i) => +(i === index[axis]))));
  for (const call of [...program.calls].reverse()) {
    const results = Array.from({ length: call.gives }, (_, i) => found.get(call.first + i));
    if (call.refusal || typeof call.form !== "number" || !results.some(Boolean)) continue;
    const form = program.forms[call.form];
    const sources = form.tensors.map(([, sizes]) => ({ buffer: null, sizes: sizes.map((size) => size ?? 1) }));
    const reads = new CallReads(new FormTrees(form, sources), results, form.results);
    call.reads.forEach((of, i) => {
      const places = reads.found.get(sources[i]);
      if (places && of !== null) found.set(of, joinedPlaces(found.get(of), places));
    });
  }
  return found;
}

/**
 * The places of its inputs that an element of a line reads, through all lines between; null where that cannot be told.
 * @param {import("../scalars.js").Form} form @param {number[][]} sizes of its tensors @param {number} line @param {number[]} index
 * @returns {Map<number, Places> | null} by the numbers of inputs and weights
 */
export function throughLines(form, sizes, line, index) {
  try {
    const sources = sizes.map((own) => ({ buffer: null, sizes: own }));
    const trees = new FormTrees(form, sources);
    const of = trees.source(trees.first + line);
    if (!(of instanceof RunLine)) return null;
    const places = of.letters.map(({ size }, axis) => Uint8Array.from({ length: size }, (_, i) => +(i === index[axis])));
    const { found } = new CallReads(trees, [places], [line]);
    return new Map(sources.flatMap((source, at) => (found.has(source) ? [[at, /** @type {Places} */ (found.get(source))]] : [])));
  } catch (error) {
    if (error instanceof CannotRun) return null;
    throw error;
  }
}

/** The places along each axis at which the numbers of a buffer are none: those that a number reaches that was made none. @param {import("./tree.js").Buffer} buffer @returns {Places | null} */
export function placesOfNaN({ sizes, strides, values, offset }) {
  const found = sizes.map((size) => new Uint8Array(size));
  let any = false;
  const look = (/** @type {number} */ axis, /** @type {number} */ at, /** @type {number[]} */ index) => {
    if (axis === sizes.length) {
      if (values[at] === values[at]) return;
      any = true;
      index.forEach((place, i) => (found[i][place] = 1));
      return;
    }
    for (let place = 0; place < sizes[axis]; place++) {
      index[axis] = place;
      look(axis + 1, at + place * strides[axis], index);
    }
  };
  look(0, offset, []);
  return any ? found : null;
}

/** @param {Places | undefined} one @param {Places} other */
function joinedPlaces(one, other) {
  return one ? other.map((places, axis) => places.map((place, i) => place | one[axis][i])) : other;
}

/** What the results of a call read, line by line until nothing is new. */
class CallReads {
  /** @param {FormTrees} trees @param {(Places | undefined)[]} results @param {number[]} lines their lines */
  constructor(trees, results, lines) {
    /** @type {Map<Source | RunLine, Places>} */
    this.found = new Map();
    /** @type {Set<RunLine>} */
    this.open = new Set();
    results.forEach((places, i) => {
      const line = trees.source(lines[i] + trees.first);
      if (places && line instanceof RunLine) this.add(line, places);
    });
    this.env = { at: new Int32Array(trees.slots), row: { first: 0 }, fixed: new Set() };
    for (const line of this.open) {
      this.open.delete(line);
      const letters = new Map(line.letters.map((letter, axis) => [letter, /** @type {Places} */ (this.found.get(line))[axis]]));
      this.read(line.tree, letters, []);
      if (line.start) this.read(line.start, letters, []);
    }
  }

  /** @param {Source | RunLine} source @param {Places} places */
  add(source, places) {
    const before = this.found.get(source);
    if (before && places.every((one, axis) => one.every((place, i) => !place || before[axis][i]))) return;
    this.found.set(source, joinedPlaces(before, places));
    if (source instanceof RunLine) this.open.add(source);
  }

  /** @param {Tree} tree @param {Letters} letters @param {Ties[]} ties */
  read(tree, letters, ties) {
    if (tree.kind === "read") this.readElement(tree, letters, ties);
    else if (tree.kind === "at") this.lookedUp(tree.index, letters, ties);
    else if (tree.kind === "op" && tree.name === "where" && mayBeFixed(tree.args[0])) {
      const [asked, ...cases] = tree.args;
      this.read(asked, letters, ties);
      cases.forEach((one, at) => this.read(one, letters, [...ties, { all: [{ kind: "is", value: asked }], hold: !at }]));
    }
    else if (tree.kind === "op" && tree.name === "*") {
      // A factor is not read where another one is 0 whatever tensors hold.
      const zeros = (/** @type {Tree} */ of) => tree.args.filter((one) => one !== of && one.kind === "read" && mayBeFixed(one)).map((open) => ({ all: [], hold: true, open, zero: true }));
      tree.args.forEach((one) => this.read(one, letters, [...ties, ...zeros(one)]));
    } else if (tree.kind === "op" || tree.kind === "function") tree.args.forEach((one) => this.read(one, letters, ties));
    else if (tree.kind === "fold") {
      const inside = new Map([...letters, ...tree.letters.map((one) => /** @type {[RunLetter, Uint8Array]} */ ([one, new Uint8Array(one.size).fill(1)]))]);
      this.asked(tree.conditions, inside, ties);
      this.read(tree.body, inside, [...ties, ...tree.conditions.map((one) => ({ all: [one], hold: true }))]);
    } else if (tree.kind === "if") {
      this.asked(tree.conditions, letters, ties);
      this.read(tree.then, letters, [...ties, ...tree.conditions.map((one) => ({ all: [one], hold: true }))]);
      this.read(tree.otherwise, letters, [...ties, { all: tree.conditions, hold: false }]);
    }
  }

  /** What conditions read. @param {Condition[]} conditions @param {Letters} letters @param {Ties[]} ties */
  asked(conditions, letters, ties) {
    for (const one of conditions) one.kind === "is" ? this.read(one.value, letters, ties) : this.lookedUp(one.index, letters, ties);
  }

  /** What an index looks up. @param {Sum} sum @param {Letters} letters @param {Ties[]} ties */
  lookedUp(sum, letters, ties) {
    for (const [atom] of sum.odd) atom.kind === "v" ? this.read(atom.value, letters, ties) : this.lookedUp(atom.of, letters, ties);
  }

  /** @param {Tree & {kind: "read"}} tree @param {Letters} letters @param {Ties[]} ties */
  readElement(tree, letters, ties) {
    const { source, index } = tree;
    // What is the same whatever tensors hold depends on none.
    if (mayBeFixed(tree)) ties = [...ties, { all: [], hold: true, open: tree }];
    const sizes = source instanceof RunLine ? source.letters.map((one) => one.size) : /** @type {{sizes: number[]}} */ (/** @type {unknown} */ (source)).sizes;
    const places = index.map((sum, axis) => this.placesOf(sum, sizes[axis], letters, ties));
    for (const sum of index) this.lookedUp(sum, letters, ties);
    if (places.every((one) => one.includes(1))) this.add(source, places);
  }

  /** The values that an index takes. @param {Sum} whole @param {number} size @param {Letters} letters @param {Ties[]} ties @returns {Uint8Array} */
  placesOf(whole, size, letters, ties) {
    const sum = simpleSum(whole);
    if (looksUp(sum)) return new Uint8Array(size).fill(1);
    const own = lettersOfSum(sum);
    const tied = ties.map((tie) => ({ tie, letters: this.lettersOf(tie) })).filter((one) => [...one.letters].some((letter) => own.has(letter)));
    const all = new Set([...own, ...tied.flatMap((one) => [...one.letters])]);
    const runs = [...all].map((letter) => ({ slot: letter.slot, numbers: [...(letters.get(letter) ?? [1])].flatMap((on, i) => (on ? [i] : [])) }));
    const found = new Uint8Array(size);
    if (runs.reduce((ways, one) => ways * one.numbers.length, 1) > MOST_WAYS) return found.fill(1);
    const { at } = this.env;
    const value = sumValue(sum, this.env, cannot);
    const checks = tied.map(({ tie }) => this.check(tie));
    const run = (/** @type {number} */ depth) => {
      if (depth === runs.length) {
        if (!checks.every((one) => one())) return;
        const place = value();
        if (place >= 0 && place < size) found[place] = 1;
        return;
      }
      for (const number of runs[depth].numbers) {
        at[runs[depth].slot] = number;
        run(depth + 1);
      }
    };
    run(0);
    return found;
  }

  /** The letters of what can be told of a tie; none where it depends on values. @param {Ties} tie @returns {Set<RunLetter>} */
  lettersOf({ all, open }) {
    if (open) return several(lettersOfTree(open));
    if (!all.length || all.some((one) => (one.kind === "is" ? !mayBeFixed(one.value) : looksUp(one.index)))) return new Set();
    return new Set(all.flatMap((one) => [...(one.kind === "is" ? several(lettersOfTree(one.value)) : lettersOfSum(simpleSum(one.index)))]));
  }

  /** Whether a tie holds at the numbers of letters. @param {Ties} tie @returns {() => boolean} */
  check({ all, hold, open, zero }) {
    const { at } = this.env;
    if (open) return () => {
      const value = fixedValue(open, at);
      return zero ? value !== 0 : value === undefined;
    };
    const conditions = all.map((one) => {
      if (one.kind === "is") return () => fixedValue(one.value, at);
      const value = sumValue(simpleSum(one.index), this.env, cannot);
      return one.kind === "by" ? () => +(value() % one.by === 0) : () => +(value() >= one.low && value() < one.high);
    });
    return () => {
      const values = conditions.map((one) => one());
      return hold ? !values.includes(0) : values.some((one) => !one);
    };
  }
}

/** The letters that take several numbers. @param {Set<RunLetter>} letters */
const several = (letters) => new Set([...letters].filter((one) => one.size > 1));

/** @returns {never} */
function cannot() {
  throw new CannotRun("a place that is looked up depends on values");
}

/** @param {Sum} sum @returns {boolean} */
function looksUp(sum) {
  return sum.odd.some(([atom]) => atom.kind === "v" || looksUp(atom.of));
}

/** The letters of an index. @param {Sum} sum @returns {Set<RunLetter>} */
function lettersOfSum(sum) {
  return new Set([...sum.terms.flatMap(([letter, factor]) => (factor && letter.size > 1 ? [letter] : [])), ...sum.odd.flatMap(([atom]) => (atom.kind === "v" ? [] : [...lettersOfSum(atom.of)]))]);
}
