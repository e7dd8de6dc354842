// Runs the model of a page: its calls one after the other, in slices, anew with each change of an input.

import { nextSlice } from "../bytes.js";
import { compiledCall } from "./lines.js";
import { specialNumber } from "../scalars.js";
import { isChannels } from "./pixels.js";
import { CannotRun } from "./tree.js";
import { packedBuffer, SLICE } from "./weights.js";

/** @typedef {import("./tree.js").Buffer} Buffer */
/** @typedef {import("./tree.js").Source} Source */
/** @typedef {[number, number, number | string, (number | null)[], number[], number]} CallData layer, number of its call, form or why there is none, tensors, weights, how many tensors it gives */
/**
 * @typedef {{inputs: {name: string, layer: number, shape: number[], kind: string}[], calls: CallData[], same: [number, number, (number | null)[]][],
 *   outputs: [string, number | null][], weights?: [number[], number][], macs: number | null, examples?: Record<string, import("../values.js").PackedArray>,
 *   labels?: string[], vocabulary?: string[], notes?: string[]}} ProgramData
 */
/** @typedef {{layer: number, call: number, form: number | string, steps: (() => void)[], buffers: Map<number, Buffer>, refusal: string, first: number, gives: number, reads: (number | null)[], weights: number[]}} RunCall */

/** The numbers of all layers take at most so many bytes. */
const MOST_BYTES = 100e6;

export class Program {
  /** @param {ProgramData} data @param {import("../scalars.js").Form[]} forms @param {Buffer[]} weights @param {string[]} paths those of the layers */
  constructor(data, forms, weights, paths) {
    this.data = data;
    this.forms = forms;
    this.weights = weights;
    this.paths = paths;
    this.bytes = 0;
    /** @type {RunCall[]} */
    this.calls = [];
    /** @type {Source[]} by the numbers of tensors */
    this.tensors = data.inputs.map(({ shape }) => ({ buffer: packedBuffer(shape, new Float64Array(shape.reduce((a, b) => a * b, 1))) }));
    /** @type {Map<string, string>} why layers do not run, by their paths */
    this.refused = new Map();
    /** @type {Map<number, {index: number[], value: number}>} elements of results that are set by hand, by the number of the tensor */
    this.set = new Map();
    /** @type {Set<number>} the calls whose results take no buffer of another tensor */
    this.apart = new Set();
    /** The number of the call that runs. */
    this.at = 0;
  }

  /** How a tensor is drawn: as the line that gives it; of one that is given, as what reads it takes it. @param {number} tensor @returns {Pick<import("../scalars.js").Line, "grid" | "letters">} */
  drawnBy(tensor) {
    const giver = this.calls.find((one) => tensor >= one.first && tensor < one.first + one.gives);
    const form = typeof giver?.form === "number" ? this.forms[giver.form] : undefined;
    if (giver && form) return form.lines[form.results[tensor - giver.first]];
    const sizes = this.tensors[tensor].buffer?.sizes ?? [];
    const read = this.data.calls.flatMap(([, , of, reads]) => (typeof of === "number" && reads.includes(tensor) ? [this.forms[of].tensors[reads.indexOf(tensor)][2]] : []));
    const [axes] = read.map((roles) => [roles.indexOf("rows"), roles.indexOf("columns")]).filter((one) => !one.includes(-1));
    const rank = sizes.length;
    const isFirst = rank === 4 && !isChannels(sizes[3]) && isChannels(sizes[1]);
    const usual = rank >= 4 ? [rank - 3, rank - 2] : rank === 3 ? [1, 2] : [null, rank - 1];
    return { grid: isFirst ? [2, 3] : axes ?? usual, letters: sizes.map(() => ["", null, ""]) };
  }

  /** Compiles the next call. @returns {boolean} whether there was one */
  compileNext() {
    const at = this.calls.length;
    if (at === this.data.calls.length) return false;
    const [layer, call, form, reads, weights, gives] = this.data.calls[at];
    const first = this.tensors.length;
    const made = /** @type {RunCall} */ ({ layer, call, form, steps: [], buffers: new Map(), refusal: "", first, gives, reads, weights });
    /** @type {Source[]} */
    let results = Array.from({ length: gives }, () => ({ buffer: null }));
    try {
      if (typeof form === "string") throw new CannotRun(form);
      const sources = reads.map((of) => (of === null ? { buffer: null } : this.tensors[of]));
      const missing = reads.findIndex((_, i) => !sources[i].buffer);
      if (missing >= 0) throw new CannotRun(this.whyMissing(reads[missing]));
      const own = this.forms[form];
      const constants = own.tensors.slice(own.params + weights.length).map((_, i) => constantSource(own, own.params + weights.length + i));
      const wanted = own.results.map((of) => of + own.tensors.length);
      const compiled = compiledCall(own, [...sources, ...weights.map((one) => ({ buffer: this.weights[one] })), ...constants], wanted, this.apart.has(at));
      this.bytes += compiled.bytes;
      if (this.bytes > MOST_BYTES) throw new CannotRun("the numbers of the layers before it take more than 100 MB");
      made.steps = compiled.steps;
      made.buffers = compiled.buffers;
      sources.forEach((source, of) => source.buffer && made.buffers.set(of, source.buffer));
      weights.forEach((one, i) => made.buffers.set(own.params + i, this.weights[one]));
      results = wanted.map((of) => ({ buffer: compiled.buffers.get(of) ?? null }));
    } catch (error) {
      if (!(error instanceof CannotRun)) throw error;
      made.refusal = error.message;
      this.refused.set(this.paths[layer], made.refusal);
    }
    this.tensors.push(...results);
    this.calls.push(made);
    return true;
  }

  /** @param {number | null} tensor */
  whyMissing(tensor) {
    const maker = this.calls.find((one) => tensor !== null && tensor >= one.first && tensor < one.first + one.gives);
    return maker ? `'${this.paths[maker.layer]}' in front of it has no values` : "a layer in front of it has no values";
  }

  /** Sets an input; throws where its shape does not fit. @param {string} name @param {any} value nested arrays with a batch axis of 1 */
  setInput(name, value) {
    const at = this.data.inputs.findIndex((one) => one.name === name);
    if (at < 0) throw new Error(`the model has no input '${name}'; its inputs are ${this.data.inputs.map((one) => `'${one.name}'`).join(", ")}`);
    const { shape } = this.data.inputs[at];
    const { values } = /** @type {Buffer} */ (this.tensors[at].buffer);
    const given = nestedShape(value);
    if (given.join() !== shape.join()) throw new Error(`the input '${name}' needs the shape (${shape.join(", ")}), got (${given.join(", ")})`);
    const flat = value.flat(shape.length - 1);
    if (flat.length !== values.length) throw new Error(`the input '${name}' needs rows of one length`);
    values.set(flat.map(Number));
  }

  /** Sets an element of a result by hand. @param {RunCall} call @param {number} result @param {number[]} index @param {number} value */
  setElement(call, result, index, value) {
    this.set.set(call.first + result, { index, value });
    const at = this.calls.indexOf(call);
    if (at < 0 || this.apart.has(at)) return;
    // Its buffer may be that of another tensor: from here on, the calls are compiled anew.
    this.apart.add(at);
    this.calls.length = at;
    this.tensors.length = call.first;
  }

  /** The steps of a run, each short enough not to hold up the page. @returns {Generator<void>} */
  *steps() {
    for (let at = 0; ; at++) {
      if (at === this.calls.length && !this.compileNext()) return;
      this.at = at;
      const call = this.calls[at];
      for (const step of call.steps) {
        step();
        yield;
      }
      for (let tensor = call.first; tensor < call.first + call.gives; tensor++) {
        const { buffer } = this.tensors[tensor];
        const set = this.set.get(tensor);
        if (buffer && set) buffer.values[addressOf(buffer, set.index)] = set.value;
      }
    }
  }

  /** Runs the model to its end. */
  runNow() {
    const steps = this.steps();
    while (!steps.next().done);
  }

  /** Runs the model in slices. @param {() => boolean} stale whether the run has become useless @param {(done: number) => void} [progress] @returns {Promise<boolean>} whether it came to its end */
  async runSliced(stale, progress = () => {}) {
    let begin = performance.now();
    let done = 0;
    for (const steps = this.steps(); !steps.next().done; done++) {
      if (performance.now() - begin < SLICE) continue;
      progress(done);
      await nextSlice();
      if (stale()) return false;
      begin = performance.now();
    }
    return true;
  }

  /** What layers give, by their paths, as nested arrays: `path`, `path[1]` for a second output, `path (call 2)` for a second call. @returns {Record<string, any>} */
  outputs() {
    /** @type {Map<string, any>} */
    const found = new Map();
    const add = (/** @type {number} */ layer, /** @type {number} */ call, /** @type {(number | null)[]} */ tensors) => {
      tensors.forEach((tensor, output) => {
        const { buffer } = tensor === null ? { buffer: null } : this.tensors[tensor];
        if (buffer) found.set(`${this.paths[layer]}${call ? ` (call ${call + 1})` : ""}${output ? `[${output}]` : ""}`, nested(buffer));
      });
    };
    for (const one of this.calls) add(one.layer, one.call, Array.from({ length: one.gives }, (_, i) => one.first + i));
    for (const [layer, call, tensors] of this.data.same) add(layer, call, tensors);
    return Object.fromEntries(found);
  }
}

/** @param {Buffer} buffer @param {number[]} index */
export function addressOf(buffer, index) {
  return index.reduce((at, one, axis) => at + one * buffer.strides[axis], buffer.offset);
}

/** @param {import("../scalars.js").Form} form @param {number} of @returns {Source} */
function constantSource(form, of) {
  const sizes = form.tensors[of][1].map((size) => size ?? 1);
  const value = form.values?.[of];
  if (value === undefined || value === null) return { buffer: null };
  const flat = (sizes.length ? [value].flat(sizes.length) : [value]).map((one) => (Array.isArray(one) ? specialNumber(/** @type {import("../scalars.js").Special} */ (one)) : Number(one)));
  return { buffer: packedBuffer(sizes, Float64Array.from(flat)) };
}

/** @param {any} value @returns {number[]} */
function nestedShape(value) {
  return Array.isArray(value) ? [value.length, ...nestedShape(value[0])] : [];
}

/** A buffer as nested arrays. @param {Buffer} buffer @param {number} [axis] @param {number} [at] @returns {any} */
export function nested(buffer, axis = 0, at = buffer.offset) {
  if (axis === buffer.sizes.length) return buffer.values[at];
  return Array.from({ length: buffer.sizes[axis] }, (_, i) => nested(buffer, axis + 1, at + i * buffer.strides[axis]));
}
