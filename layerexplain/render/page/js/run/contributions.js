// What contributes to an element: activation × gradient of each number that it depends on, through all layers.

import { nextSlice } from "../bytes.js";
import { make, table } from "../dom.js";
import { ElementReader } from "../element.js";
import { ElementGradient } from "../element_gradient.js";
import { numberText, placeText } from "../element_words.js";
import { linkTo } from "../panel_facts.js";
import { SLICE } from "./weights.js";

/** @typedef {import("./program.js").Program} Program */
/** @typedef {import("./program.js").RunCall} RunCall */
/** @typedef {{tensor: number, index: number[], value: number, gradient: number}} Contribution */

/** With more multiply-accumulates, nobody would wait for them. */
const MOST_MACS = 2e6;
/** So many numbers of each tensor are listed. */
const MOST_LISTED = 3;

/** The gradients of one line or tensor that are still to be passed on. */
class Pending {
  /** @param {number[]} sizes */
  constructor(sizes) {
    this.sizes = sizes;
    this.values = new Float64Array(sizes.reduce((a, b) => a * b, 1));
    this.listed = new Uint8Array(this.values.length);
    /** @type {number[]} each once */
    this.places = [];
  }

  /** @param {number} place @param {number} gradient */
  add(place, gradient) {
    if (!this.listed[place]) this.places.push(place);
    this.listed[place] = 1;
    this.values[place] += gradient;
  }

  /** @param {number[]} index the place, or -1 outside of it */
  placeOf(index) {
    return index.reduce((place, one, axis) => (place < 0 || !(one >= 0 && one < this.sizes[axis]) ? -1 : place * this.sizes[axis] + one), 0);
  }

  /** @param {number} place */
  indexOf(place) {
    const index = this.sizes.map(() => 0);
    for (let axis = index.length - 1; axis >= 0; place = Math.floor(place / this.sizes[axis]), axis--) index[axis] = place % this.sizes[axis];
    return index;
  }

  /** What is to be passed on, which then is none. @returns {[number[], number][]} */
  take() {
    return this.places.splice(0).map((place) => {
      const gradient = this.values[place];
      this.values[place] = this.listed[place] = 0;
      return [this.indexOf(place), gradient];
    });
  }
}

/**
 * The gradients of an element of a tensor by all numbers that it depends on, as the model has run.
 * @param {Program} program @param {number} tensor @param {number[]} index @param {() => boolean} stale whether nobody waits for it
 * @returns {Promise<Map<number, Pending> | null>} by tensors
 */
export async function gradientsOf(program, tensor, index, stale) {
  /** @type {Map<number, Pending>} */
  const found = new Map();
  const of = (/** @type {number} */ at) => {
    let own = found.get(at);
    if (!own) found.set(at, (own = new Pending(program.tensors[at].buffer?.sizes ?? [])));
    return own;
  };
  of(tensor).add(of(tensor).placeOf(index), 1);
  let begin = performance.now();
  for (const call of [...program.calls].reverse()) {
    const results = Array.from({ length: call.gives }, (_, i) => found.get(call.first + i));
    if (call.refusal || !results.some(Boolean)) continue;
    for (const _ of backThrough(program, call, results, (input, place, gradient) => of(input).add(place, gradient))) {
      if (performance.now() - begin < SLICE) continue;
      await nextSlice();
      if (stale()) return null;
      begin = performance.now();
    }
  }
  return found;
}

/**
 * Passes the gradients of what a call gives on to what it reads; lines go on until nothing is left, as those of a recurrence
 * need each other.
 * @param {Program} program @param {RunCall} call @param {(Pending | undefined)[]} results @param {(tensor: number, place: number, gradient: number) => void} adds
 * @returns {Generator<void>}
 */
function* backThrough(program, call, results, adds) {
  const form = program.forms[/** @type {number} */ (call.form)];
  const first = form.tensors.length;
  const reader = new ElementReader(form, (of, index) => {
    const buffer = call.buffers.get(of);
    if (!buffer || index.some((one, axis) => one < 0 || one >= buffer.sizes[axis])) return undefined;
    return buffer.values[index.reduce((at, one, axis) => at + one * buffer.strides[axis], buffer.offset)];
  });
  const lines = form.lines.map((_, at) => new Pending(reader.sizes(first + at)));
  const inputs = Array.from({ length: form.params }, (_, at) => new Pending(reader.sizes(at)));
  const gradient = new ElementGradient(reader, (of, index, amount) => {
    const to = of >= first ? lines[of - first] : inputs[of];
    const place = to ? to.placeOf(index) : -1;
    const tensor = of < first ? call.reads[of] : null;
    if (place >= 0 && of >= first) to.add(place, amount);
    else if (place >= 0 && tensor !== null && tensor !== undefined) adds(tensor, place, amount);
  });
  form.results.forEach((line, at) => results[at]?.places.forEach((place) => lines[line].add(place, /** @type {Pending} */ (results[at]).values[place])));
  while (lines.some((one) => one.places.length)) {
    for (let line = lines.length - 1; line >= 0; line--) {
      for (const [index, amount] of lines[line].take()) {
        gradient.back(line, index, amount);
        yield;
      }
    }
  }
}

/** The largest contributions at a tensor. @param {Program} program @param {number} tensor @param {Pending} gradients @param {number} most @returns {Contribution[]} */
export function largestContributions(program, tensor, gradients, most) {
  const { buffer } = program.tensors[tensor];
  if (!buffer) return [];
  const all = gradients.places.map((place) => {
    const index = gradients.indexOf(place);
    const value = buffer.values[index.reduce((at, one, axis) => at + one * buffer.strides[axis], buffer.offset)];
    return { tensor, index, value, gradient: gradients.values[place] };
  });
  const size = (/** @type {Contribution} */ one) => Math.abs(one.value * one.gradient);
  return all.filter(size).sort((a, b) => size(b) - size(a)).slice(0, most);
}

/** The numbers of each layer that contribute most to an element, computed when they are asked for. @param {import("./live.js").Live} live @param {Program} program @param {number} tensor @param {number[]} index @param {string} name */
export function contributions(live, program, tensor, index, name) {
  const place = placeText(name, index);
  const shown = make("details", "contributions", make("summary", "", `What contributes most to ${place}`));
  const { macs } = live.about;
  if (macs !== null && macs > MOST_MACS) {
    shown.append(make("p", "quiet", `Contributions are computed for models of up to ${MOST_MACS / 1e6} million multiply-accumulates.`));
    return shown;
  }
  const body = make("div", "", "Computing …");
  shown.append(make("p", "quiet", `Value × gradient: by how much ${place} changes for a change of each number, times the number.`), body);
  let asked = 0;
  const renew = async () => {
    if (!shown.open) return;
    const own = ++asked;
    const gradients = await gradientsOf(program, tensor, index, () => own !== asked || !shown.isConnected);
    if (!gradients) return;
    const isFirst = !body.querySelector("table");
    body.replaceChildren(contributionTable(live, program, gradients));
    if (isFirst) shown.scrollIntoView({ block: "start" });
  };
  shown.addEventListener("toggle", renew);
  live.onRun(() => {
    renew();
    return shown.isConnected;
  });
  return shown;
}

/** @param {import("./live.js").Live} live @param {Program} program @param {Map<number, Pending>} gradients */
function contributionTable(live, program, gradients) {
  const owners = new Map(program.calls.flatMap((call) => Array.from({ length: call.gives }, (_, i) => /** @type {[number, number]} */ ([call.first + i, call.layer]))));
  const rows = [...gradients].sort(([a], [b]) => a - b).flatMap(([tensor, own]) => {
    const layer = live.data.layers[owners.get(tensor) ?? live.about.inputs[tensor].layer];
    return largestContributions(program, tensor, own, MOST_LISTED).map(({ index, value, gradient }, at) =>
      [at ? "" : linkTo(layer), `[${index.join(", ")}]`, numberText(value), numberText(gradient), numberText(value * gradient)]);
  });
  return table(["Layer", "Place", "Value", "Gradient", "Value × gradient"], rows, [2, 3, 4]);
}
