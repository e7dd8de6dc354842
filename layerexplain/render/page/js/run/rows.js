// Trees without folds as closures over rows: each op runs over a row of numbers at once.

import { castTo, OPS, STABLE } from "../element.js";
import { holds, rangeOf, rowAddress, sumDependsOn, sumValue } from "./address.js";
import { CannotRun, RunLine } from "./tree.js";

/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {import("./tree.js").Source} Source */
/** @typedef {import("./tree.js").Buffer} Buffer */
/** @typedef {import("./tree.js").RunLetter} RunLetter */
/** @typedef {import("./address.js").Env} Env */
/** @typedef {() => number} NumberOf */
/**
 * A tree over a row: `run` computes it from one place of the row to another, into `out`; or one that is the same all
 * along the row, into `number`.
 * @typedef {{same: boolean, number: number, out: Float64Array, run: (from: number, to: number) => void}} Row
 */

/** A row is at most so long. */
export const LONGEST_ROW = 4096;

/** @param {Source | RunLine} source @returns {Buffer} */
export function bufferOf(source) {
  if (!source.buffer) throw new CannotRun("what it reads is not computed");
  return source.buffer;
}

/** What an op computes. @param {import("./tree.js").OpTree} tree @returns {import("../element.js").Op} */
export function opOf({ name, to }) {
  if (to !== undefined) {
    if (castTo(0, to) === undefined) throw new CannotRun(`the page has no numbers of type ${to}`);
    return (a) => castTo(a, to) ?? NaN;
  }
  const found = name === "erf" ? quickErf : OPS[name];
  if (!found) throw new CannotRun(`the page has no ${name}`);
  return found;
}

/** The error function, within 2e-7 (Abramowitz and Stegun 7.1.26, with a sum of two more terms near 0). @param {number} x */
function quickErf(x) {
  const z = Math.abs(x);
  if (z < 0.5) {
    const s = x * x;
    return x * (1.1283791670955126 - s * (0.37612638903183754 - s * (0.11283791670955126 - s * (0.026866170645131252 - s * (0.005223977625442188 - s * 0.0008548327023450853)))));
  }
  const t = 1 / (1 + 0.5 * z);
  const tail = t * Math.exp(-z * z - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))));
  return x < 0 ? tail - 1 : 1 - tail;
}

// One number at a time --------------------------------------------------------------------------------------------

/** A tree as a closure that gives one number, for the letters as they are. @param {Tree} tree @param {Env} env @param {NumberOf[]} [args] @returns {NumberOf} */
export function scalarOf(tree, env, args = []) {
  const below = (/** @type {Tree} */ one) => scalarOf(one, env, args);
  if (tree.kind === "number") return () => tree.value;
  if (tree.kind === "argument") return args[tree.at];
  if (tree.kind === "at") return sumValue(tree.index, env, below);
  if (tree.kind === "read") {
    const { values } = bufferOf(tree.source);
    const { start } = rowAddress(bufferOf(tree.source), tree.index, null, env, below);
    return () => values[start()];
  }
  if (tree.kind === "if") {
    const conditions = tree.conditions.map((one) => holds(one, env, below));
    const [then, otherwise] = [below(tree.then), below(tree.otherwise)];
    return () => (conditions.every((one) => one()) ? then() : otherwise());
  }
  if (tree.kind === "function") {
    const inner = tree.args.map(below);
    const stable = STABLE[tree.name];
    return stable ? () => stable(inner[0]()) : scalarOf(tree.body, env, inner);
  }
  if (tree.kind === "fold") throw new CannotRun("a sum stands inside an index");
  const op = opOf(tree);
  const parts = tree.args.map(below);
  return () => +op(...parts.map((one) => one()));
}

// Rows ------------------------------------------------------------------------------------------------------------

/** A tree over a row. @param {Tree} tree @param {RunLetter | null} row its letter; without one, rows have one place @param {Env} env @param {Row[]} [args] @returns {Row} */
export function rowOf(tree, row, env, args = []) {
  const below = (/** @type {Tree} */ one) => rowOf(one, row, env, args);
  const scalar = (/** @type {Tree} */ one) => scalarOf(one, env);
  if (tree.kind === "number") return sameRow(() => tree.value, false, tree.value);
  if (tree.kind === "argument") return alreadyRun(args[tree.at]);
  if (tree.kind === "at") {
    if (!row || !sumDependsOn(tree.index, row)) return sameRow(sumValue(tree.index, env, scalar));
    return eachPlace(sumValue(tree.index, env, scalar), row, env);
  }
  if (tree.kind === "read") return readRow(tree, row, env, scalar);
  if (tree.kind === "if") return choiceRow(tree, row, env, scalar, below);
  if (tree.kind === "fold") throw new CannotRun("a sum stands inside a sum");
  if (tree.kind === "function") {
    const inner = tree.args.map(below);
    const stable = STABLE[tree.name];
    if (stable) return opRow(stable, tree.name, inner);
    const body = rowOf(tree.body, row, env, inner);
    return {
      same: body.same, out: body.out, number: 0,
      run(from, to) {
        for (const one of inner) one.run(from, to);
        body.run(from, to);
        this.number = body.number;
      },
    };
  }
  return opRow(opOf(tree), tree.name, tree.args.map(below));
}

/** @param {NumberOf} value @param {boolean} [changes] @param {number} [number] @returns {Row} */
function sameRow(value, changes = true, number = 0) {
  return changes ? { same: true, number, out: NO_ROW, run() { this.number = value(); } } : { same: true, number, out: NO_ROW, run() {} };
}

const NO_ROW = new Float64Array(0);

/** An argument of a function, which has been run when its body is. @param {Row} row @returns {Row} */
function alreadyRun(row) {
  return { same: row.same, out: row.out, get number() { return row.number; }, run() {} };
}

/** @param {RunLetter | null} row */
const newRow = (row) => new Float64Array(Math.min(row?.size ?? 1, LONGEST_ROW));

/** @param {NumberOf} value @param {RunLetter} row @param {Env} env @returns {Row} */
function eachPlace(value, row, env) {
  const out = newRow(row);
  return {
    same: false, number: 0, out,
    run(from, to) {
      for (let i = from; i < to; i++) {
        env.at[row.slot] = env.row.first + i;
        out[i] = value();
      }
    },
  };
}

/** @param {Tree & {kind: "read"}} tree @param {RunLetter | null} row @param {Env} env @param {(tree: Tree) => NumberOf} scalar @returns {Row} */
function readRow(tree, row, env, scalar) {
  const buffer = bufferOf(tree.source);
  const { values } = buffer;
  const { start, step, table, each } = rowAddress(buffer, tree.index, row, env, scalar);
  if (each && row) return eachPlace(() => values[each()], row, env);
  if (!table && !step) return sameRow(() => values[start()]);
  const out = newRow(row);
  return {
    same: false, number: 0, out,
    run(from, to) {
      const address = start();
      if (table) gather(values, address, table, env.row.first, out, from, to);
      else copyRow(values, address + step * (env.row.first + from), step, out, from, to);
    },
  };
}

/** @param {Float64Array} values @param {number} at @param {number} step @param {Float64Array} out @param {number} from @param {number} to */
function copyRow(values, at, step, out, from, to) {
  for (let i = from; i < to; i++, at += step) out[i] = values[at];
}

/** @param {Float64Array} values @param {number} at @param {Int32Array} table @param {number} first @param {Float64Array} out @param {number} from @param {number} to */
function gather(values, at, table, first, out, from, to) {
  for (let i = from; i < to; i++) out[i] = values[at + table[first + i]];
}

/** A row as numbers, also where it is the same all along. @param {Row} row @param {Float64Array} spare @param {number} from @param {number} to @returns {Float64Array} */
function numbersOf(row, spare, from, to) {
  return row.same ? spare.fill(row.number, from, to) : row.out;
}

/** @param {import("../element.js").Op} op @param {string} name @param {Row[]} args @returns {Row} */
function opRow(op, name, args) {
  if (args.every((one) => one.same)) {
    return { same: true, number: 0, out: NO_ROW, run(from, to) {
      for (const one of args) one.run(from, to);
      this.number = +op(...args.map((one) => one.number));
    } };
  }
  const out = new Float64Array(/** @type {Row} */ (args.find((one) => !one.same)).out.length);
  const loop = /** @type {Record<string, (a: Float64Array, b: Float64Array, out: Float64Array, from: number, to: number) => void>} */ (TWO)[name];
  const [a, b, c] = args;
  if (args.length === 1) {
    const one = ONE[name];
    return { same: false, number: 0, out, run(from, to) {
      a.run(from, to);
      if (one) one(a.out, out, from, to);
      else for (let i = from; i < to; i++) out[i] = +op(a.out[i]);
    } };
  }
  const spares = args.map((one) => (one.same ? new Float64Array(out.length) : NO_ROW));
  return { same: false, number: 0, out, run(from, to) {
    for (const one of args) one.run(from, to);
    const x = numbersOf(a, spares[0], from, to);
    const y = numbersOf(b, spares[1], from, to);
    if (loop) loop(x, y, out, from, to);
    else if (args.length === 2) for (let i = from; i < to; i++) out[i] = +op(x[i], y[i]);
    else {
      const z = numbersOf(c, spares[2], from, to);
      for (let i = from; i < to; i++) out[i] = +op(x[i], y[i], z[i]);
    }
  } };
}

/** @type {Record<string, (a: Float64Array, out: Float64Array, from: number, to: number) => void>} */
const ONE = {
  exp(a, out, from, to) { for (let i = from; i < to; i++) out[i] = Math.exp(a[i]); },
  sqrt(a, out, from, to) { for (let i = from; i < to; i++) out[i] = Math.sqrt(a[i]); },
  negative(a, out, from, to) { for (let i = from; i < to; i++) out[i] = -a[i]; },
  abs(a, out, from, to) { for (let i = from; i < to; i++) out[i] = Math.abs(a[i]); },
  tanh(a, out, from, to) { for (let i = from; i < to; i++) out[i] = Math.tanh(a[i]); },
};

/** @type {Record<string, (a: Float64Array, b: Float64Array, out: Float64Array, from: number, to: number) => void>} */
const TWO = {
  "+"(a, b, out, from, to) { for (let i = from; i < to; i++) out[i] = a[i] + b[i]; },
  "-"(a, b, out, from, to) { for (let i = from; i < to; i++) out[i] = a[i] - b[i]; },
  "*"(a, b, out, from, to) { for (let i = from; i < to; i++) out[i] = a[i] * b[i]; },
  "/"(a, b, out, from, to) { for (let i = from; i < to; i++) out[i] = a[i] / b[i]; },
  max(a, b, out, from, to) { for (let i = from; i < to; i++) out[i] = Math.max(a[i], b[i]); },
  min(a, b, out, from, to) { for (let i = from; i < to; i++) out[i] = Math.min(a[i], b[i]); },
};

/** @param {Tree & {kind: "if"}} tree @param {RunLetter | null} row @param {Env} env @param {(tree: Tree) => NumberOf} scalar @param {(tree: Tree) => Row} below @returns {Row} */
function choiceRow(tree, row, env, scalar, below) {
  const range = rangeOf(tree.conditions, row, env, scalar);
  const [then, otherwise] = [below(tree.then), below(tree.otherwise)];
  const rest = range.left.map((one) => holds(one, env, scalar));
  const out = newRow(row);
  const copy = (/** @type {Row} */ from, /** @type {number} */ low, /** @type {number} */ high) => {
    if (low >= high) return;
    from.run(low, high);
    if (from.same) out.fill(from.number, low, high);
    else out.set(from.out.subarray(low, high), low);
  };
  return {
    same: false, number: 0, out,
    run(from, to) {
      const { first } = env.row;
      range.narrow(first + from, first + to);
      const low = Math.min(range.from - first, to);
      const high = Math.min(range.to - first, to);
      copy(otherwise, from, low);
      copy(otherwise, high, to);
      if (!rest.length || !row) return copy(then, low, high);
      copy(otherwise, low, high);
      then.run(low, high);
      for (let i = low; i < high; i++) {
        env.at[row.slot] = first + i;
        if (rest.every((one) => one())) out[i] = then.same ? then.number : then.out[i];
      }
    },
  };
}
