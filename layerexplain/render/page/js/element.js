// What one element reads, and its value: works on the data of derive/element/data.py, and knows no layer.

import { factorsOf, isArgument, isCall, isCast, isChoice, isElement, isFold, isPosition, isSpecial, partsOf, specialNumber } from "./scalars.js";

/** @typedef {import("./scalars.js").Scalar} Scalar */
/** @typedef {import("./scalars.js").Fold} Fold */
/** @typedef {import("./scalars.js").Index} Index */
/** @typedef {import("./scalars.js").Atom} Atom */
/** @typedef {import("./scalars.js").Condition} Condition */
/** @typedef {import("./scalars.js").Letter} Letter */
/** @typedef {import("./scalars.js").Line} Line */
/** @typedef {import("./scalars.js").Form} Form */
/** @typedef {import("./scalars.js").Constant} Constant */
/** @typedef {Record<string, number>} Place the numbers of letters */
/** @typedef {"read" | "maybe" | "padding"} How "maybe": it depends on a value that is not known */
/** @typedef {{of: number, index: number[], how: How}} Read a cell of a tensor, or of a line; NaN is an unknown place */
/** @typedef {(of: number, index: number[]) => number | undefined} Values the values that are known */
/** @typedef {Map<string | number, Read>} Found cells that are read, each once */
/** @typedef {number | boolean | undefined} Value undefined where it is not known */
/** @typedef {{place: Place, factors: Value[], value: Value}} Term */

/** A fold with more terms is cut off; the reader then says so. */
export const MOST_TERMS = 300000;
/** Evaluating one element takes at most so many elements. */
const MOST_STEPS = 2000000;

/** @typedef {(...values: number[]) => number | boolean} Op a truth value counts as 0 or 1 */
/** @type {Record<string, Op>} the elementwise ops that have a value here */
export const OPS = {
  "+": (a, b) => +a + +b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  floor_divide: (a, b) => Math.floor(a / b),
  mod: (a, b) => a - b * Math.floor(a / b),
  fmod: (a, b) => a % b,
  power: (a, b) => Math.pow(a, b),
  negative: (a) => -a,
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
  round: (a) => (Math.abs(a % 1) === 0.5 ? 2 * Math.round(a / 2) : Math.round(a)),
  erf: (a) => errorFunction(a),
  equal: (a, b) => +a === +b,
  not_equal: (a, b) => +a !== +b,
  less: (a, b) => a < b,
  less_equal: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greater_equal: (a, b) => a >= b,
  logical_and: (a, b) => !!a && !!b,
  logical_or: (a, b) => !!a || !!b,
  logical_xor: (a, b) => !a !== !b,
  logical_not: (a) => !a,
  isnan: (a) => Number.isNaN(a),
  isinf: (a) => Math.abs(a) === Infinity,
  isfinite: (a) => Number.isFinite(a),
  where: (c, a, b) => (c ? a : b),
  bitwise_and: (a, b) => a & b,
  bitwise_or: (a, b) => a | b,
  bitwise_xor: (a, b) => a ^ b,
  bitwise_not: (a) => ~a,
  left_shift: (a, b) => a * 2 ** b,
  right_shift: (a, b) => Math.floor(a / 2 ** b),
  signbit: (a) => a < 0 || Object.is(a, -0),
  arcsin: Math.asin,
  arccos: Math.acos,
  arctan: Math.atan,
  arctan2: Math.atan2,
  arcsinh: Math.asinh,
  arccosh: Math.acosh,
  arctanh: Math.atanh,
};
for (const name of /** @type {const} */ (["abs", "sign", "floor", "ceil", "exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "log2", "log10", "trunc", "cbrt"])) {
  OPS[name] = Math[name];
}

/** A value in another dtype; undefined for one that is not known here. @param {number | boolean} a @param {string} to */
export function castTo(a, to) {
  return to === "bool" ? Boolean(a) || a !== a : /int/.test(to) ? Math.trunc(+a) : /float/.test(to) ? +a : undefined;
}

/** @type {Record<string, (value: number) => number>} functions of which large numbers would overflow as they are written */
export const STABLE = {
  tanh: Math.tanh,
  softplus: (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))),
  log_sigmoid: (a) => Math.min(a, 0) - Math.log1p(Math.exp(-Math.abs(a))),
};

/** @type {Record<string, (terms: number[]) => number | boolean>} a truth value counts as 0 or 1 */
const FOLDS = {
  sum: (terms) => terms.reduce((a, b) => a + +b, 0),
  mean: (terms) => terms.reduce((a, b) => a + +b, 0) / terms.length,
  prod: (terms) => terms.reduce((a, b) => a * +b, 1),
  max: (terms) => terms.reduce((a, b) => (b > a || b !== b ? +b : a), -Infinity),
  min: (terms) => terms.reduce((a, b) => (b < a || b !== b ? +b : a), Infinity),
  any: (terms) => terms.some(Boolean),
  all: (terms) => terms.every(Boolean),
};

/** The error function, within 1e-13: its series near 0, a continued fraction further out. @param {number} x */
function errorFunction(x) {
  const z = Math.abs(x);
  if (!(z < 6)) return Math.sign(x);
  if (z < 2.5) {
    let term = z;
    let total = z;
    for (let n = 1; Math.abs(term) > 1e-17 * total; n++) total += (term *= (-z * z) / n) / (2 * n + 1);
    return (Math.sign(x) * 2 * total) / Math.sqrt(Math.PI);
  }
  let below = z;
  for (let n = 60; n > 0; n--) below = z + n / 2 / below;
  return Math.sign(x) * (1 - Math.exp(-z * z) / below / Math.sqrt(Math.PI));
}

/** Enumerates what elements of a form read, and evaluates them. */
export class ElementReader {
  /** @param {Form} form @param {Values} [values] the values of its tensors, and of its lines where they are known @param {number} [unknown] what stands in for a size that is not known */
  constructor(form, values = () => undefined, unknown = 8) {
    this.form = form;
    this.first = form.tensors.length;
    this.given = values;
    this.unknown = unknown;
    /** @type {Map<string, Value>} */
    this.known = new Map();
    /** What was read last. @type {{key: string, cells: Read[], cut: boolean} | null} */
    this.last = null;
    this.steps = 0;
    this.cut = false;
    /** @type {number[][]} the sizes of tensors and lines of which cells were read */
    this.allSizes = [];
  }

  /** How many numbers a letter runs over. @param {Letter} letter */
  size(letter) {
    return letter[1] ?? (letter[2] === "batch" ? 1 : this.unknown);
  }

  /** The sizes of a tensor or a line. @param {number} of @returns {number[]} */
  sizes(of) {
    const line = this.form.lines[of - this.first];
    if (line) return line.letters.map((one) => this.size(one));
    return this.form.tensors[of][1].map((size, axis) => size ?? (axis ? this.unknown : 1));
  }

  /** The letters of a line at an index. @param {Line} line @param {number[]} index @returns {Place} */
  letters(line, index) {
    return Object.fromEntries(line.letters.map((one, axis) => [one[0], index[axis]]));
  }

  /** What defines a line at an index: at steps before the first, its start. @param {Line} line @param {number[]} index */
  formula(line, index) {
    if (line.start === undefined) return line.value;
    const step = index[line.step ?? 0];
    const before = line.after === undefined ? step < 0 : step >= this.index(line.after, {});
    return before ? line.start : line.value;
  }

  /** An index as a number; NaN where it needs a value that is not known. @param {Index} index @param {Place} at */
  index(index, at) {
    if (typeof index === "number") return index;
    if (typeof index === "string") return at[index] ?? (index === "T" ? this.unknown - 1 : NaN);
    let total = index[0];
    for (let i = 1; i < index.length; i += 2) {
      const atom = /** @type {Atom} */ (index[i + 1]);
      let value;
      if (typeof atom === "string") value = this.index(atom, at);
      else if (atom[0] === "v") value = Math.trunc(Number(this.value(atom[1], at) ?? NaN));
      else {
        const of = this.index(atom[1], at);
        value = Math.floor(of / atom[2]);
        if (atom[0] === "%") value = of - value * atom[2];
      }
      total += /** @type {number} */ (index[i]) * value;
    }
    return total;
  }

  /** Whether conditions hold: undefined where that depends on a value that is not known. @param {Condition[]} conditions @param {Place} at */
  hold(conditions, at) {
    let sure = true;
    for (const one of conditions) {
      const value = Number(one[0] === "is" ? this.value(one[1], at) : this.index(one[1], at));
      if (value !== value) sure = false;
      else if (one[0] === "is" ? !value : one[0] === "by" ? value % one[2] : value < one[2] || value >= (one[3] ?? this.unknown)) return false;
    }
    return sure ? true : undefined;
  }

  /** The places of a fold's terms, one after the other in the same object, with whether their conditions hold. @param {Fold} fold @param {Place} at @returns {Generator<[Place, boolean | undefined]>} */
  *places(fold, at) {
    const letters = fold[2];
    const sizes = letters.map((one) => this.size(one));
    const count = sizes.reduce((a, b) => a * b, 1);
    if (count > MOST_TERMS) this.cut = true;
    const place = { ...at };
    for (const [letter] of letters) place[letter] = 0;
    for (let n = 0; n < Math.min(count, MOST_TERMS); n++) {
      yield [place, this.hold(fold[3], place)];
      for (let i = letters.length - 1; i >= 0 && ++place[letters[i][0]] === sizes[i]; i--) place[letters[i][0]] = 0;
    }
  }

  // What an element reads --------------------------------------------------------------------------------------

  /** The cells that an element of a line reads, each once. @param {number} line its number @param {number[]} index @returns {Read[]} */
  reads(line, index) {
    const key = `${line}:${index}`;
    this.steps = 0;
    this.cut = this.last?.key === key && this.last.cut;
    if (this.last?.key === key) return this.last.cells;
    /** @type {Found} */
    const found = new Map();
    const of = this.form.lines[line];
    const scalar = this.formula(of, index);
    if (scalar !== undefined) this.walk(scalar, this.letters(of, index), "read", found);
    this.last = { key, cells: [...found.values()], cut: this.cut };
    return this.last.cells;
  }

  /** Other values are known: nothing that was found stays. */
  renew() {
    this.known.clear();
    this.last = null;
  }

  /** @param {Scalar} e @param {Place} at @param {How} how @param {Found} found */
  walk(e, at, how, found) {
    if (isElement(e)) {
      /** @type {number[]} */
      const index = [];
      for (let i = 1; i < e.length; i++) index.push(this.lookedUp(e[i], at, how, found));
      const known = index.every((one) => one === one);
      const key = this.cellKey(e[0], index);
      const before = found.get(key);
      if (!before || before.how !== "read") found.set(key, { of: e[0], index, how: known || how !== "read" ? how : "maybe" });
    } else if (isFold(e)) {
      for (const [place, holds] of this.places(e, at)) {
        this.asked(e[3], place, how, found);
        if (holds !== false) this.walk(e[4], place, holds ? how : "maybe", found);
        else if (this.pads(e[3], place)) this.outside(e[4], place, found);
      }
    } else if (isChoice(e)) {
      const holds = this.hold(e[1], at);
      this.asked(e[1], at, how, found);
      if (holds !== false) this.walk(e[2], at, holds ? how : "maybe", found);
      if (holds !== true) this.walk(e[3], at, holds === false ? how : "maybe", found);
      if (holds === false && !Array.isArray(e[3])) this.outside(e[2], at, found);
    } else if (isPosition(e)) this.lookedUp(e[1], at, how, found);
    else if (!this.isZero(e, at)) for (const part of partsOf(e)) this.walk(part, at, how, found);
  }

  /** What tells a cell from all others: a number where it is one of its tensor. @param {number} of @param {number[]} index */
  cellKey(of, index) {
    const sizes = (this.allSizes[of] ??= this.sizes(of));
    let key = 0;
    for (let axis = 0; axis < index.length; axis++) {
      if (!(index[axis] >= 0 && index[axis] < sizes[axis])) return `${of}:${index}`;
      key = key * sizes[axis] + index[axis];
    }
    return key * (this.first + this.form.lines.length) + of;
  }

  /** Whether a scalar is a product that is 0 whatever is read: a factor that reads nothing is 0. @param {Scalar} e @param {Place} at */
  isZero(e, at) {
    return fixedFactors(e).some((one) => this.value(one, at) === 0);
  }

  /** An index, and what it looks up. @param {Index} index @param {Place} at @param {How} how @param {Found} found */
  lookedUp(index, at, how, found) {
    if (Array.isArray(index)) {
      for (let i = 2; i < index.length; i += 2) {
        const atom = index[i];
        if (Array.isArray(atom)) atom[0] === "v" ? this.walk(atom[1], at, how, found) : this.lookedUp(atom[1], at, how, found);
      }
    }
    return this.index(index, at);
  }

  /** What conditions read until one fails. @param {Condition[]} conditions @param {Place} at @param {How} how @param {Found} found */
  asked(conditions, at, how, found) {
    for (const one of conditions) {
      if (one[0] === "is") this.walk(one[1], at, how, found);
      else this.lookedUp(one[1], at, how, found);
      if (this.hold([one], at) === false) return;
    }
  }

  /** Whether only windows reach out of their tensor. @param {Condition[]} conditions @param {Place} at */
  pads(conditions, at) {
    return conditions.every((one) => (one[0] === "in" && one[4] === 1) || this.hold([one], at) !== false);
  }

  /** Cells of a scalar that lie outside their tensor. @param {Scalar} e @param {Place} at @param {Found} found */
  outside(e, at, found) {
    /** @type {Found} */
    const cells = new Map();
    this.walk(e, at, "padding", cells);
    for (const [key, cell] of cells) {
      const sizes = this.sizes(cell.of);
      if (cell.of < this.first && cell.index.some((one, axis) => one < 0 || one >= sizes[axis]) && !found.has(key)) found.set(key, cell);
    }
  }

  // Its value --------------------------------------------------------------------------------------------------

  /** The value of an element; undefined where one that it needs is not known. @param {number} of @param {number[]} index @returns {Value} */
  element(of, index) {
    const line = this.form.lines[of - this.first];
    if (index.some((one) => one !== one)) return undefined;
    const given = this.given(of, index);
    if (given !== undefined || !line) return given ?? this.constant(of, index);
    const key = of + ":" + index;
    if (this.known.has(key) || this.steps > MOST_STEPS) return this.known.get(key);
    if (line.start !== undefined) {
      // Steps are computed from the first one on, so that nothing nests deeply.
      const step = line.step ?? 0;
      const back = line.after === undefined ? 1 : -1;
      const begin = back > 0 ? 0 : this.index(/** @type {Index} */ (line.after), {}) - 1;
      for (let t = begin; (index[step] - t) * back > 0; t += back) this.element(of, index.map((one, axis) => (axis === step ? t : one)));
    }
    this.known.set(key, undefined);
    const formula = this.formula(line, index);
    const found = formula === undefined ? undefined : this.value(formula, this.letters(line, index));
    if (this.steps <= MOST_STEPS) this.known.set(key, found);
    return found;
  }

  /** An element of a constant tensor. @param {number} of @param {number[]} index @returns {Value} */
  constant(of, index) {
    let value = this.form.values?.[of];
    for (const i of index) value = Array.isArray(value) ? value[i] : undefined;
    return value === undefined || value === null ? undefined : this.value(/** @type {Scalar} */ (value), {});
  }

  /** The value of a scalar. @param {Scalar} e @param {Place} at @param {Value[]} [args] @returns {Value} */
  value(e, at, args = []) {
    if (!Array.isArray(e)) return e;
    this.steps++;
    if (isElement(e)) {
      const index = [];
      for (let i = 1; i < e.length; i++) index.push(this.index(e[i], at));
      return this.element(e[0], index);
    }
    if (isSpecial(e)) return specialNumber(e);
    if (isArgument(e)) return args[e[1]];
    if (isPosition(e)) return this.index(e[1], at);
    if (isChoice(e)) {
      const holds = this.hold(e[1], at);
      return holds === undefined ? undefined : this.value(holds ? e[2] : e[3], at, args);
    }
    if (isFold(e)) {
      const values = [];
      for (const [place, holds] of this.places(e, at)) {
        if (holds === undefined || this.steps > MOST_STEPS) return undefined;
        if (holds) values.push(this.value(e[4], place));
      }
      return this.cut || values.includes(undefined) ? undefined : FOLDS[e[1]](/** @type {number[]} */ (values));
    }
    const values = partsOf(e).map((part) => this.value(part, at, args));
    if (values.includes(undefined)) return undefined;
    const numbers = /** @type {number[]} */ (values);
    if (isCast(e)) return castTo(numbers[0], e[2]);
    if (!isCall(e)) return OPS[e[0]]?.(...numbers);
    const [name, body] = this.form.functions?.[e[1]] ?? ["", NaN];
    return STABLE[name] ? STABLE[name](numbers[0]) : this.value(body, {}, values);
  }

  /** The first terms of a fold whose conditions hold, with their factors, and how many there are. @param {Fold} fold @param {Place} at @param {number} most @returns {{terms: Term[], count: number}} */
  terms(fold, at, most) {
    const found = [];
    const factors = factorsOf(fold[4]);
    const all = !fold[3].length && !(fold[1] === "sum" && fixedFactors(fold[4]).length);
    let count = 0;
    for (const [now, holds] of this.places(fold, at)) {
      if (all && count === most) return { terms: found, count: Math.min(fold[2].reduce((a, b) => a * this.size(b), 1), MOST_TERMS) };
      if (holds === false || (this.isZero(fold[4], now) && fold[1] === "sum") || ++count > most) continue;
      const place = { ...now };
      found.push({ place, factors: factors.map((one) => this.value(one, place)), value: this.value(fold[4], place) });
    }
    return { terms: found, count };
  }
}

/** @type {WeakMap<object, Scalar[]>} */
const FIXED = new WeakMap();

/** The factors of a product that read nothing; none of what is no product. @param {Scalar} e @returns {Scalar[]} */
function fixedFactors(e) {
  if (!Array.isArray(e) || e[0] !== "*") return [];
  let found = FIXED.get(e);
  if (!found) FIXED.set(e, (found = factorsOf(e).filter((one) => !readsSomething(one))));
  return found;
}

/** Whether the value of a scalar depends on an element. @param {Scalar} e @returns {boolean} */
function readsSomething(e) {
  if (!Array.isArray(e) || isSpecial(e)) return false;
  if (isPosition(e)) return JSON.stringify(e).includes('["v",');
  if (["+", "-", "*", "/", "abs", "max", "min", "negative"].includes(/** @type {string} */ (e[0]))) return partsOf(e).some(readsSomething);
  return true;
}
