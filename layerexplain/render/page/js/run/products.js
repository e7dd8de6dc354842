// Sums of products of two tensors, which are nearly all that a network costs: dense layers, convolutions, attention.

import { addressSum, rangeOf, simpleSum } from "./address.js";
import { conditionDependsOn, loopsOver } from "./loops.js";
import { scalarOf } from "./rows.js";

/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {import("./tree.js").FoldTree} FoldTree */
/** @typedef {import("./tree.js").Buffer} Buffer */
/** @typedef {import("./tree.js").RunLetter} RunLetter */
/** @typedef {import("./tree.js").Sum} Sum */
/** @typedef {import("./tree.js").Condition} Condition */
/** @typedef {import("./address.js").Env} Env */

/** The letters of a result, by which of the two factors depends on them; each with its steps in both and in the result. */
/** @typedef {{letter: RunLetter, a: number, b: number, out: number}} Axis */

/** A closure of more multiply-accumulates is split, so that the page goes on in between. */
const MOST_AT_ONCE = 8e6;

/** Closures that together compute a sum of products; null where the terms are none, or stand unevenly. @param {FoldTree} fold @param {RunLetter[]} letters @param {Buffer} to @param {Sum[]} place @param {Env} env @returns {(() => void)[] | null} */
export function productLoops(fold, letters, to, place, env) {
  const { body } = fold;
  if (fold.fold !== "sum" || body.kind !== "op" || body.name !== "*") return null;
  const [left, right] = body.args;
  if (left.kind !== "read" || right.kind !== "read" || !left.source.buffer || !right.source.buffer) return null;
  const a = addressSum(left.source.buffer, left.index);
  const b = addressSum(right.source.buffer, right.index);
  if (a.odd.length || b.odd.length || fold.conditions.some((one) => one.kind !== "in" || simpleSum(one.index).odd.length)) return null;
  const out = addressSum(to, place);
  const axes = letters.filter((one) => one.size > 1).map((letter) => ({ letter, a: stepOf(a, letter), b: stepOf(b, letter), out: stepOf(out, letter) }));
  const summed = fold.letters.filter((one) => one.size > 1).map((letter) => ({ letter, a: stepOf(a, letter), b: stepOf(b, letter), out: 0 }));
  const inA = axes.filter((one) => one.a && !one.b);
  const inB = axes.filter((one) => one.b && !one.a);
  const ranges = innerRanges(summed, fold.conditions);
  if (!ranges) return null;
  const [values, others] = [left.source.buffer.values, right.source.buffer.values];
  // Where both depend on a letter along which they and the result are dense, rows run along it: depthwise convolutions.
  const dense = axes.filter((one) => one.a === 1 && one.b === 1 && one.out === 1);
  const together = dense.length > 0 && !(inA.length && inB.length);
  // The rows of the kernel: three places of the one tensor, four of the other.
  const swap = longest(inB) < longest(inA) && longest(inB) < 4;
  const plan = together
    ? { places: inA, units: dense, a, b, A: values, B: others, axes, summed, together }
    : swap
    ? { places: inB.map(swapped), units: inA.map(swapped), a: b, b: a, A: others, B: values, axes: axes.map(swapped), summed: summed.map(swapped), together }
    : { places: inA, units: inB, a, b, A: values, B: others, axes, summed, together };
  // A unit that a condition ties to a sum has no rows in common with the next one: such letters are looped over outside.
  plan.units = plan.units.filter(({ letter }) => !fold.conditions.some((one) => conditionDependsOn(one, letter)));
  if (!plan.places.length && !plan.units.length) return null;
  return new Products(plan, fold.conditions, ranges, to, out, env).loops();
}

/** @param {Axis} axis @returns {Axis} */
const swapped = (axis) => ({ ...axis, a: axis.b, b: axis.a });

/** @param {Axis[]} axes */
const longest = (axes) => axes.reduce((most, one) => Math.max(most, one.letter.size), 0);

/** The last of the longest axes. @param {Axis[]} axes @returns {Axis | null} */
function largestAxis(axes) {
  return axes.reduce((best, one) => (best && best.letter.size > one.letter.size ? best : one), /** @type {Axis | null} */ (null));
}

/** @param {Sum} sum @param {RunLetter} letter */
const stepOf = (sum, letter) => sum.terms.find(([one]) => one === letter)?.[1] ?? 0;

/** The conditions of each summed letter; null where one is not of a single letter. @param {Axis[]} summed @param {Condition[]} conditions @returns {Map<RunLetter, Condition[]> | null} */
function innerRanges(summed, conditions) {
  /** @type {Map<RunLetter, Condition[]>} */
  const found = new Map();
  for (const one of conditions) {
    const own = summed.filter(({ letter }) => conditionDependsOn(one, letter));
    if (own.length !== 1) return null;
    found.set(own[0].letter, [...(found.get(own[0].letter) ?? []), one]);
  }
  return found;
}

/** @typedef {{places: Axis[], units: Axis[], a: Sum, b: Sum, A: Float64Array, B: Float64Array, axes: Axis[], summed: Axis[], together: boolean}} ProductPlan */

class Products {
  /** @param {ProductPlan} plan @param {Condition[]} conditions @param {Map<RunLetter, Condition[]>} ranges @param {Buffer} to @param {Sum} out @param {Env} env */
  constructor(plan, conditions, ranges, to, out, env) {
    this.plan = plan;
    this.env = env;
    this.to = to.values;
    this.out = out;
    const scalar = (/** @type {Tree} */ one) => scalarOf(one, env);
    const place = (this.place = largestAxis(plan.places));
    const unit = (this.unit = largestAxis(plan.units));
    this.outer = plan.axes.filter((one) => one.letter !== place?.letter && one.letter !== unit?.letter);
    this.scalar = scalar;
    // Innermost the letter that is even in both tensors and has no condition that cuts it, so that rows join.
    this.summed = [...plan.summed].sort((one, other) => Math.abs(other.a) * other.letter.size - Math.abs(one.a) * one.letter.size || other.b - one.b);
    this.ranges = this.summed.map(({ letter }) => rangeOf(ranges.get(letter) ?? [], letter, env, scalar));
    this.cuts = this.summed.map(({ letter }) => (ranges.get(letter) ?? []).length > 0);
    this.placed = conditions.some((one) => place && conditionDependsOn(one, place.letter));
    const count = this.summed.length;
    this.from = new Int32Array(count);
    this.until = new Int32Array(count);
    /** Where the rows begin that are summed, in both tensors, and how long they are. */
    this.starts = new Int32Array(64);
    this.others = new Int32Array(64);
    this.rows = 0;
    this.length = 1;
    this.steps = [0, 0];
    this.known = false;
  }

  /** @returns {(() => void)[]} */
  loops() {
    const { env, outer, place, plan } = this;
    const [baseA, baseB, baseOut] = [plan.a, plan.b, this.out].map((sum) => outerValue(sum, outer, env));
    const inner = () => {
      const [a, b, out] = [baseA(), baseB(), baseOut()];
      const places = place?.letter.size ?? 1;
      const [stepA, stepOut] = place ? [place.a, place.out] : [0, 0];
      if (!this.placed) {
        if (place) env.at[place.letter.slot] = 0;
        this.measure();
        this.fill(a, b, out, 0, places, stepA, stepOut);
        return;
      }
      for (let i = 0; i < places;) {
        env.at[/** @type {Axis} */ (place).letter.slot] = i;
        this.measure();
        const key = this.key();
        let end = i + 1;
        for (; end < places; end++) {
          env.at[/** @type {Axis} */ (place).letter.slot] = end;
          this.narrow();
          if (this.key() !== key) break;
        }
        this.fill(a, b, out, i, end, stepA, stepOut);
        i = end;
      }
    };
    const letters = outer.map((one) => one.letter).sort((one, other) => other.size - one.size);
    const [split, ...rest] = letters;
    const products = [...plan.axes, ...plan.summed].reduce((count, one) => count * one.letter.size, 1);
    const parts = split ? Math.min(split.size, Math.ceil(products / MOST_AT_ONCE)) : 1;
    if (parts < 2) return [loopsOver(letters, [], env, this.scalar, inner)];
    const each = loopsOver(rest, [], env, this.scalar, inner);
    return Array.from({ length: parts }, (_, part) => () => {
      const end = Math.round(((part + 1) * split.size) / parts);
      for (let i = Math.round((part * split.size) / parts); i < end; i++) {
        env.at[split.slot] = i;
        each();
      }
    });
  }

  /** The ranges of the summed letters, where the others are. */
  narrow() {
    for (let i = 0; i < this.ranges.length; i++) {
      const range = this.ranges[i];
      range.narrow(0, this.summed[i].letter.size);
      this.from[i] = range.from;
      this.until[i] = range.to;
    }
  }

  key() {
    let key = "";
    for (let i = 0; i < this.from.length; i++) if (this.cuts[i]) key += `${this.from[i]},${this.until[i]};`;
    return key;
  }

  /** Finds the rows that are summed: the innermost letters joined as far as both tensors go on evenly. */
  measure() {
    this.narrow();
    if (this.known && !this.placed && !this.cuts.includes(true)) return;
    this.known = true;
    const { summed, from, until } = this;
    const count = summed.length;
    let last = count - 1;
    this.length = count ? until[last] - from[last] : 1;
    const [stepA, stepB] = count ? [summed[last].a, summed[last].b] : [0, 0];
    let [startA, startB] = count ? [from[last] * stepA, from[last] * stepB] : [0, 0];
    while (last > 0 && !this.cutAt(last) && summed[last - 1].a === stepA * this.length && summed[last - 1].b === stepB * this.length) {
      last--;
      startA += from[last] * summed[last].a;
      startB += from[last] * summed[last].b;
      this.length *= until[last] - from[last];
    }
    this.steps = [stepA, stepB];
    this.rows = 0;
    this.addRows(0, Math.max(last, 0), startA, startB);
  }

  /** Whether a letter does not run over all its numbers. @param {number} i */
  cutAt(i) {
    return this.from[i] !== 0 || this.until[i] !== this.summed[i].letter.size;
  }

  /** @param {number} depth @param {number} last @param {number} a @param {number} b */
  addRows(depth, last, a, b) {
    if (depth >= last) {
      if (this.rows === this.starts.length) {
        this.starts = doubled(this.starts);
        this.others = doubled(this.others);
      }
      this.starts[this.rows] = a;
      this.others[this.rows++] = b;
      return;
    }
    const one = this.summed[depth];
    for (let i = this.from[depth]; i < this.until[depth]; i++) this.addRows(depth + 1, last, a + i * one.a, b + i * one.b);
  }

  /** Computes the units of some places. @param {number} a @param {number} b @param {number} out @param {number} from @param {number} end @param {number} stepA @param {number} stepOut */
  fill(a, b, out, from, end, stepA, stepOut) {
    const { A, B } = this.plan;
    const units = this.unit?.letter.size ?? 1;
    const [stepB, unitOut] = this.unit ? [this.unit.b, this.unit.out] : [0, 0];
    const rows = this.length > 0 ? this.rows : 0;
    const [sa, sb] = this.steps;
    const { starts, others, length, to } = this;
    let i = from;
    if (this.plan.together) {
      for (; i < end; i++) bothUnits(A, B, to, starts, others, rows, length, a + i * stepA, sa, b, sb, out + i * stepOut, units);
      return;
    }
    for (; i + 3 <= end; i += 3) {
      let k = 0;
      for (; k + 4 <= units; k += 4) threeByFour(A, B, to, starts, others, rows, length, a + i * stepA, stepA, sa, b + k * stepB, stepB, sb, out + i * stepOut + k * unitOut, stepOut, unitOut);
      for (; k < units; k++) for (let j = i; j < i + 3; j++) to[out + j * stepOut + k * unitOut] = oneByOne(A, B, starts, others, rows, length, a + j * stepA, sa, b + k * stepB, sb);
    }
    for (; i < end; i++) {
      let k = 0;
      if (stepB === 1 && unitOut === 1 && units >= 8) {
        allUnits(A, B, to, starts, others, rows, length, a + i * stepA, sa, b, sb, out + i * stepOut, units);
        continue;
      }
      for (; k + 4 <= units; k += 4) oneByFour(A, B, to, starts, others, rows, length, a + i * stepA, sa, b + k * stepB, stepB, sb, out + i * stepOut + k * unitOut, unitOut);
      for (; k < units; k++) to[out + i * stepOut + k * unitOut] = oneByOne(A, B, starts, others, rows, length, a + i * stepA, sa, b + k * stepB, sb);
    }
  }
}

/** @param {Int32Array} array */
function doubled(array) {
  const made = new Int32Array(2 * array.length);
  made.set(array);
  return made;
}

/** What a sum is for the letters around, where all others are 0; letters that are set from outside count. @param {Sum} sum @param {Axis[]} outer @param {Env} env @returns {() => number} */
function outerValue(sum, outer, env) {
  const kept = sum.terms.filter(([letter]) => outer.some((one) => one.letter === letter) || env.fixed.has(letter));
  const slots = kept.map(([letter]) => letter.slot);
  const factors = kept.map(([, factor]) => factor);
  const { at } = env;
  return () => {
    let total = sum.base;
    for (let i = 0; i < slots.length; i++) total += factors[i] * at[slots[i]];
    return total;
  };
}

// Kernels: sums in registers --------------------------------------------------------------------------------------

/**
 * @param {Float64Array} A @param {Float64Array} B @param {Float64Array} to @param {Int32Array} starts @param {Int32Array} others
 * @param {number} rows @param {number} length @param {number} a @param {number} da @param {number} sa @param {number} b @param {number} db @param {number} sb
 * @param {number} out @param {number} di @param {number} dk
 */
function threeByFour(A, B, to, starts, others, rows, length, a, da, sa, b, db, sb, out, di, dk) {
  let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0, s20 = 0, s21 = 0, s22 = 0, s23 = 0;
  for (let r = 0; r < rows; r++) {
    let p0 = a + starts[r];
    let p1 = p0 + da;
    let p2 = p1 + da;
    let q = b + others[r];
    for (let n = 0; n < length; n++, p0 += sa, p1 += sa, p2 += sa, q += sb) {
      const x0 = A[p0], x1 = A[p1], x2 = A[p2];
      const y0 = B[q], y1 = B[q + db], y2 = B[q + 2 * db], y3 = B[q + 3 * db];
      s00 += x0 * y0; s01 += x0 * y1; s02 += x0 * y2; s03 += x0 * y3;
      s10 += x1 * y0; s11 += x1 * y1; s12 += x1 * y2; s13 += x1 * y3;
      s20 += x2 * y0; s21 += x2 * y1; s22 += x2 * y2; s23 += x2 * y3;
    }
  }
  to[out] = s00; to[out + dk] = s01; to[out + 2 * dk] = s02; to[out + 3 * dk] = s03;
  out += di;
  to[out] = s10; to[out + dk] = s11; to[out + 2 * dk] = s12; to[out + 3 * dk] = s13;
  out += di;
  to[out] = s20; to[out + dk] = s21; to[out + 2 * dk] = s22; to[out + 3 * dk] = s23;
}

/**
 * @param {Float64Array} A @param {Float64Array} B @param {Float64Array} to @param {Int32Array} starts @param {Int32Array} others
 * @param {number} rows @param {number} length @param {number} a @param {number} sa @param {number} b @param {number} db @param {number} sb @param {number} out @param {number} dk
 */
function oneByFour(A, B, to, starts, others, rows, length, a, sa, b, db, sb, out, dk) {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  for (let r = 0; r < rows; r++) {
    let p = a + starts[r];
    let q = b + others[r];
    for (let n = 0; n < length; n++, p += sa, q += sb) {
      const x = A[p];
      s0 += x * B[q]; s1 += x * B[q + db]; s2 += x * B[q + 2 * db]; s3 += x * B[q + 3 * db];
    }
  }
  to[out] = s0; to[out + dk] = s1; to[out + 2 * dk] = s2; to[out + 3 * dk] = s3;
}

/** @param {Float64Array} A @param {Float64Array} B @param {Int32Array} starts @param {Int32Array} others @param {number} rows @param {number} length @param {number} a @param {number} sa @param {number} b @param {number} sb @returns {number} */
function oneByOne(A, B, starts, others, rows, length, a, sa, b, sb) {
  let sum = 0;
  for (let r = 0; r < rows; r++) {
    let p = a + starts[r];
    let q = b + others[r];
    for (let n = 0; n < length; n++, p += sa, q += sb) sum += A[p] * B[q];
  }
  return sum;
}

/**
 * All units of one place, four terms at a time: the other tensor is read as it stands in memory.
 * @param {Float64Array} A @param {Float64Array} B @param {Float64Array} to @param {Int32Array} starts @param {Int32Array} others
 * @param {number} rows @param {number} length @param {number} a @param {number} sa @param {number} b @param {number} sb @param {number} out @param {number} units
 */
function allUnits(A, B, to, starts, others, rows, length, a, sa, b, sb, out, units) {
  const end = out + units;
  for (let o = out; o < end; o++) to[o] = 0;
  for (let r = 0; r < rows; r++) {
    let p = a + starts[r];
    let q = b + others[r];
    let n = 0;
    for (; n + 4 <= length; n += 4, p += 4 * sa, q += 4 * sb) {
      const x0 = A[p], x1 = A[p + sa], x2 = A[p + 2 * sa], x3 = A[p + 3 * sa];
      let q0 = q, q1 = q + sb, q2 = q1 + sb, q3 = q2 + sb;
      for (let o = out; o < end; o++, q0++, q1++, q2++, q3++) to[o] += x0 * B[q0] + x1 * B[q1] + x2 * B[q2] + x3 * B[q3];
    }
    for (; n < length; n++, p += sa, q += sb) {
      const x = A[p];
      let q0 = q;
      for (let o = out; o < end; o++, q0++) to[o] += x * B[q0];
    }
  }
}

/**
 * All units of one place, where both tensors have them side by side.
 * @param {Float64Array} A @param {Float64Array} B @param {Float64Array} to @param {Int32Array} starts @param {Int32Array} others
 * @param {number} rows @param {number} length @param {number} a @param {number} sa @param {number} b @param {number} sb @param {number} out @param {number} units
 */
function bothUnits(A, B, to, starts, others, rows, length, a, sa, b, sb, out, units) {
  const end = out + units;
  for (let o = out; o < end; o++) to[o] = 0;
  for (let r = 0; r < rows; r++) {
    let p = a + starts[r];
    let q = b + others[r];
    for (let n = 0; n < length; n++, p += sa, q += sb) {
      let p0 = p;
      let q0 = q;
      for (let o = out; o < end; o++, p0++, q0++) to[o] += A[p0] * B[q0];
    }
  }
}
