// How an element changes with what it reads: the chain rule over the formula of one element.

import { OPS, STABLE } from "./element.js";
import { isArgument, isCall, isCast, isChoice, isElement, isFold, isPosition, isSpecial, partsOf } from "./scalars.js";

/** @typedef {import("./scalars.js").Scalar} Scalar */
/** @typedef {import("./scalars.js").Index} Index */
/** @typedef {import("./element.js").Value} Value */
/** @typedef {import("./element.js").Place} Place */
/** @typedef {(of: number, index: number[], gradient: number) => void} Adds takes the gradient of an element that is read */

/** The derivatives of ops by each of their arguments; those that have none here are 0 nearly everywhere. @type {Record<string, (a: number, b: number, result: number) => number[]>} */
const DERIVATIVES = {
  "-": () => [1, -1],
  "/": (a, b) => [1 / b, -a / (b * b)],
  power: (a, b, result) => [b === 0 ? 0 : b * Math.pow(a, b - 1), a > 0 ? result * Math.log(a) : 0],
  negative: () => [-1],
  abs: (a) => [Math.sign(a)],
  mod: (a, b) => [1, -Math.floor(a / b)],
  exp: (a, _, result) => [result],
  log: (a) => [1 / a],
  log2: (a) => [1 / (a * Math.LN2)],
  log10: (a) => [1 / (a * Math.LN10)],
  sqrt: (a, _, result) => [0.5 / result],
  cbrt: (a, _, result) => [1 / (3 * result * result)],
  sin: (a) => [Math.cos(a)],
  cos: (a) => [-Math.sin(a)],
  tan: (a, _, result) => [1 + result * result],
  sinh: (a) => [Math.cosh(a)],
  cosh: (a) => [Math.sinh(a)],
  tanh: (a, _, result) => [1 - result * result],
  arcsin: (a) => [1 / Math.sqrt(1 - a * a)],
  arccos: (a) => [-1 / Math.sqrt(1 - a * a)],
  arctan: (a) => [1 / (1 + a * a)],
  arcsinh: (a) => [1 / Math.sqrt(1 + a * a)],
  erf: (a) => [(2 / Math.sqrt(Math.PI)) * Math.exp(-a * a)],
  softplus: (a) => [1 / (1 + Math.exp(-a))],
  log_sigmoid: (a) => [1 / (1 + Math.exp(a))],
};

/** Passes the gradient of elements on to what they read. */
export class ElementGradient {
  /** @param {import("./element.js").ElementReader} reader @param {Adds} adds */
  constructor(reader, adds) {
    this.reader = reader;
    this.adds = adds;
  }

  /** @param {number} line its number @param {number[]} index @param {number} gradient that of this element */
  back(line, index, gradient) {
    const { reader } = this;
    const of = reader.form.lines[line];
    reader.steps = 0;
    const formula = reader.formula(of, index);
    if (formula !== undefined) this.through(formula, reader.letters(of, index), [], [], gradient);
  }

  /** @param {Scalar} e @param {Place} at @param {Value[]} args values @param {number[]} gradients those of `args`, which grow @param {number} gradient */
  through(e, at, args, gradients, gradient) {
    if (!Array.isArray(e) || isSpecial(e) || isPosition(e) || !gradient) return;
    const { reader } = this;
    if (isArgument(e)) gradients[e[1]] += gradient;
    else if (isElement(e)) this.adds(e[0], /** @type {Index[]} */ (e.slice(1)).map((one) => reader.index(one, at)), gradient);
    else if (isChoice(e)) this.through(reader.hold(e[1], at) ? e[2] : e[3], at, args, gradients, gradient);
    else if (isFold(e)) this.fold(e, at, gradient);
    else if (isCall(e)) this.called(e, at, args, gradients, gradient);
    else if (!isCast(e)) this.op(e, at, args, gradients, gradient);
    else if (/float/.test(e[2])) this.through(e[1], at, args, gradients, gradient);
  }

  /** @param {import("./scalars.js").Call} e @param {Place} at @param {Value[]} args @param {number[]} gradients @param {number} gradient */
  called(e, at, args, gradients, gradient) {
    const [name, body] = this.reader.form.functions?.[e[1]] ?? ["", NaN];
    const parts = partsOf(e);
    const values = parts.map((one) => this.reader.value(one, at, args));
    const own = values.map(() => 0);
    if (STABLE[name]) own[0] = gradient * DERIVATIVES[name](Number(values[0]), 0, STABLE[name](Number(values[0])))[0];
    else this.through(body, {}, values, own, gradient);
    parts.forEach((one, i) => this.through(one, at, args, gradients, own[i]));
  }

  /** @param {import("./scalars.js").Operation} e @param {Place} at @param {Value[]} args @param {number[]} gradients @param {number} gradient */
  op(e, at, args, gradients, gradient) {
    const [name] = e;
    const parts = partsOf(e);
    const by = (/** @type {number} */ i, /** @type {number} */ factor) => factor && this.through(parts[i], at, args, gradients, factor * gradient);
    if (name === "+") return parts.forEach((_, i) => by(i, 1));
    const values = parts.map((one) => Number(this.reader.value(one, at, args)));
    const [a, b] = values;
    if (name === "*") values.forEach((_, i) => by(i, productOfOthers(values, i)));
    else if (name === "where") by(a ? 1 : 2, 1);
    else if (name === "max") by(+(b > a), 1);
    else if (name === "min") by(+(b < a), 1);
    else if (DERIVATIVES[name]) DERIVATIVES[name](a, b, Number(OPS[name](...values))).forEach((one, i) => by(i, one));
  }

  /** @param {import("./scalars.js").Fold} fold @param {Place} at @param {number} gradient */
  fold(fold, at, gradient) {
    const { reader } = this;
    const [, kind, , , body] = fold;
    const each = (/** @type {(place: Place) => void} */ does) => {
      for (const [place, holds] of reader.places(fold, at)) if (holds) does(place);
    };
    if (kind === "sum" || kind === "mean") {
      let count = 1;
      if (kind === "mean") {
        count = 0;
        each(() => count++);
      }
      each((place) => this.through(body, place, [], [], gradient / count));
    } else if (kind === "max" || kind === "min" || kind === "prod") {
      /** @type {{value: number, place: Place}[]} */
      const terms = [];
      each((place) => terms.push({ value: Number(reader.value(body, place)), place: { ...place } }));
      if (!terms.length) return;
      if (kind === "prod") terms.forEach(({ place }, i) => this.through(body, place, [], [], gradient * productOfOthers(terms.map((one) => one.value), i)));
      else this.through(body, terms.reduce((best, one) => ((kind === "max" ? one.value > best.value : one.value < best.value) ? one : best)).place, [], [], gradient);
    }
  }
}

/** @param {number[]} factors @param {number} but */
function productOfOthers(factors, but) {
  return factors.reduce((product, one, i) => (i === but ? product : product * one), 1);
}
