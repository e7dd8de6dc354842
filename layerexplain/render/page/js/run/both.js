// Two models that run on one input: what both give beside each other, and how far each layer of one is from that of the other.

import { nextSlice } from "../bytes.js";
import { button, make } from "../dom.js";
import { numberText } from "../element_words.js";
import { drawTiles, tilesFigure, tilesOf } from "../tiles.js";
import { layerValues } from "../values.js";
import { exampleChoice, inputWidget } from "./inputs.js";
import { showBars } from "./outputs.js";
import { resultTiles, scaleOf } from "./thumbnails.js";
import { MOST_IDS, continuedText, likely } from "./tokens.js";
import { SLICE, packedBuffer } from "./weights.js";

/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("./program.js").Program} Program */
/** @typedef {import("./tree.js").Buffer} Buffer */
/** @typedef {import("../values.js").OpenArray} OpenArray */
/** @typedef {{call: number, layers: [number, number], forms: [number, number], row: HTMLElement, canvas: HTMLCanvasElement, words: HTMLElement}} Row a call of a layer that both models have */

/** So many layers are compared in the list. */
const MOST_ROWS = 300;

export class Both {
  /** @param {Live[]} lives @param {[string, string]} names @param {(number | null)[]} pairs of each layer of the first model the number of that of the second */
  constructor(lives, names, pairs) {
    this.lives = lives;
    this.names = names;
    this.pairs = pairs;
    this.element = make("section", "play");
    this.element.setAttribute("aria-label", "Run both models on one input");
    /** @type {Program[]} */
    this.programs = [];
    this.round = 0;
  }

  /** Offers the inputs, those of the second model where they differ from those of the first, and runs both. */
  async begin() {
    const { lives } = this;
    const [first, second] = lives;
    this.programs = await Promise.all(lives.map((one) => one.ready));
    const [own, other] = this.programs;
    first.isLive = second.isLive = lives.every((one) => one.isLive);
    const isShared = (/** @type {number} */ at) => first.about.inputs[at]?.shape.join() === second.about.inputs[at].shape.join();
    first.widgets = first.about.inputs.map((one, at) => inputWidget(one, at, first, own));
    second.widgets = second.about.inputs.flatMap((one, at) => (isShared(at) ? [] : [inputWidget(one, at, second, other)]));
    first.onStart = () => {
      second.about.inputs.forEach((_, at) => isShared(at) && other.tensors[at].buffer?.values.set(/** @type {Buffer} */ (own.tensors[at].buffer).values));
      second.start();
    };
    this.element.append(make("div", "playinputs", ...[...first.widgets, ...second.widgets].map((one) => one.element)), make("div", "playoutputs", ...this.outputs()),
      make("div", "playbuttons", exampleChoice(first, first.widgets), first.isLive ? "" : first.runButton()),
      ...lives.flatMap((one, side) => [one.reachWords, make("div", "playstatus", make("span", "", `${this.names[side]}: `), one.status)]));
    first.change();
  }

  /** Calls what shows numbers of both models after they have run, as long as it gives true. @param {() => boolean} show */
  onRun(show) {
    for (const one of this.lives) one.onRun(() => this.lives.some(({ busy, hasRun }) => busy || !hasRun) || show());
  }

  /** What both models give, in pairs. @returns {HTMLElement[]} */
  outputs() {
    const [first, second] = this.lives;
    return first.about.outputs.map(([name, tensor], at) => {
      const [otherName, otherTensor] = second.about.outputs[at] ?? ["", null];
      const tensors = [tensor, otherTensor];
      const body = make("div");
      this.onRun(() => {
        const [own, other] = tensors.map((of, side) => (of === null ? null : this.programs[side].tensors[of]?.buffer));
        if (!own || !other) return body.replaceChildren(make("p", "quiet", "It does not run in both models.")), true;
        const choose = (/** @type {number[]} */ index) => this.lives.forEach((one, side) => one.showReach(/** @type {number} */ (tensors[side]), index, `${this.names[side]}: ${name}`));
        const isAlike = own.sizes.join() === other.sizes.join();
        const text = isAlike ? continuedText(first, own) : undefined;
        if (text) {
          const step = text.length() - 1;
          const [shares, others] = [own, other].map(({ sizes, strides, values, offset }) => packedBuffer([sizes[2]], Float64Array.from(likely(Array.from({ length: sizes[2] }, (_, id) => values[offset + step * strides[1] + id * strides[2]]), 1))));
          showBars(body, shares, first.about.vocabulary ?? [], (id) => choose([0, step, id]), MOST_IDS, others);
        } else if (isAlike && own.sizes.slice(0, -1).every((size) => size === 1)) showBars(body, own, first.about.labels ?? [], (id) => choose([...own.sizes.slice(1).map(() => 0), id]), undefined, other);
        else body.replaceChildren(this.figures([own, other].map((one) => ({ ...one, shape: one.sizes })), this.programs.map((one, side) => one.drawnBy(/** @type {number} */ (tensors[side])))));
        return true;
      });
      const title = otherName && otherName !== name ? `${name} → ${otherName}` : name;
      return make("div", "playoutput", make("div", "playname", make("b", "", title), make("span", "quiet", ` ${this.names.join(" → ")}`)), body);
    });
  }

  /** How far each layer that both have is from the other, as a map and a number. @param {(layer: number) => void} choose */
  differences(choose) {
    const [first, second] = this.lives;
    const rows = first.about.calls.flatMap(([layer, call, form]) => {
      const twin = this.pairs[layer];
      const other = second.about.calls.find((one) => one[0] === twin && one[1] === call);
      if (typeof form !== "number" || twin === null || typeof other?.[2] !== "number") return [];
      const canvas = make("canvas", "tiles");
      const words = make("span", "quiet");
      const row = make("li", "", make("span", "thumbname", button(first.data.layers[layer].path, () => choose(layer), "link")), canvas, words);
      canvas.addEventListener("click", () => choose(layer));
      return [/** @type {Row} */ ({ call, layers: [layer, twin], forms: [form, other[2]], row, canvas, words })];
    }).slice(0, MOST_ROWS);
    const said = make("p", "", "The models have not run yet.");
    said.setAttribute("role", "status");
    this.onRun(() => (this.compare(rows, said), true));
    return make("div", "differences", said, make("ul", "thumbnails", ...rows.map((one) => one.row)));
  }

  /** The results of the calls of a row. @param {Row} row @returns {(OpenArray | undefined)[]} */
  arrays({ call, layers, forms }) {
    return this.lives.map(({ data }, side) => {
      const form = /** @type {import("../scalars.js").Form[]} */ (data.forms)[forms[side]];
      return layerValues(data.layers[layers[side]], data, call).array(form.results[0] + form.tensors.length);
    });
  }

  /** Fills the list, in parts that are short enough not to hold up the page. @param {Row[]} rows @param {HTMLElement} said */
  async compare(rows, said) {
    const round = ++this.round;
    let begin = performance.now();
    let first = "";
    for (const one of rows) {
      const [own, other] = this.arrays(one);
      const [tiles, others] = one.layers.map((layer, side) => resultTiles(this.lives[side], layer, one.call, one.forms[side])?.tiles);
      one.canvas.hidden = true;
      if (!own || !other || !tiles || !others) one.words.textContent = "not run";
      else if (own.shape.join() !== other.shape.join()) one.words.textContent = `${own.shape.slice(1).join("×")} → ${other.shape.slice(1).join("×")}`;
      else {
        const { most, largest } = distance(own, other);
        one.words.textContent = most ? `${numberText(most)}, ${shareText(most / largest)}` : "equal";
        one.canvas.hidden = !most;
        const change = changed(tiles, others);
        if (most) drawTiles(one.canvas, change, scaleOf(change));
        if (most) first ||= this.lives[0].data.layers[one.layers[0]].path;
      }
      if (performance.now() - begin < SLICE) continue;
      await nextSlice();
      if (round !== this.round) return;
      begin = performance.now();
    }
    said.textContent = first ? `On this input the first layer that gives other numbers is ${first}. Each map is after minus before; the number is the largest difference, and its share of the largest value.` : rows.length ? "On this input all layers that both models have give the same numbers." : "No layer is in both models.";
  }

  /** A layer of both models in pictures. @param {number} before @param {number} after @returns {HTMLElement} */
  pictures(before, after) {
    const element = make("div");
    const [form, other] = this.lives.map(({ about }, side) => about.calls.find((one) => one[0] === (side ? after : before) && one[1] === 0)?.[2]);
    if (typeof form !== "number" || typeof other !== "number") return element;
    const lines = [form, other].map((of, side) => {
      const own = /** @type {import("../scalars.js").Form[]} */ (this.lives[side].data.forms)[of];
      return own.lines[own.results[0]];
    });
    const show = () => {
      const arrays = this.arrays(/** @type {Row} */ ({ call: 0, layers: [before, after], forms: [form, other] }));
      if (arrays.every(Boolean)) element.replaceChildren(this.figures(/** @type {OpenArray[]} */ (arrays), lines));
    };
    show();
    this.onRun(() => element.isConnected && (show(), true));
    return element;
  }

  /** Two arrays as pictures, and how far one is from the other where they have one shape. @param {OpenArray[]} arrays @param {ReturnType<Program["drawnBy"]>[]} lines */
  figures(arrays, lines) {
    const drawn = arrays.map((array, side) => ({ name: this.names[side], tiles: tilesOf(array, lines[side])[0] }));
    const figures = drawn.map(({ name, tiles }) => tilesFigure(name, [tiles]));
    const [own, other] = drawn.map((one) => one.tiles);
    if (arrays[0].shape.join() === arrays[1].shape.join()) {
      const { most, largest } = distance(arrays[0], arrays[1]);
      figures.push(tilesFigure("Difference", [changed(own, other)], most ? `at most ${numberText(most)}, ${shareText(most / largest)}` : "both are equal"));
    }
    return make("div", "comparedfigures", ...figures);
  }

  /** Runs both models on inputs by the names that the first model has for them. @param {Parameters<Live["run"]>[0]} inputs */
  async run(inputs) {
    const [first, second] = this.lives;
    const before = await first.run(inputs);
    return [before, await second.run(Object.fromEntries(second.about.inputs.map(({ name }, at) => [name, inputs[first.about.inputs[at]?.name] ?? inputs[name]])))];
  }
}

/** How tiles have changed. @param {import("../tiles.js").Tiles} before @param {import("../tiles.js").Tiles} after */
const changed = (before, after) => ({ ...before, values: Float32Array.from(before.values, (value, at) => after.values[at] - value), grey: undefined });

/** @param {number} share of the largest value */
function shareText(share) {
  return `${+(100 * share).toPrecision(2)} %`;
}

/** How far two arrays of one shape are apart at most, and their largest absolute value. @param {OpenArray} a @param {OpenArray} b */
function distance(a, b) {
  let [most, largest] = [0, 0];
  const look = (/** @type {number} */ axis, /** @type {number} */ at, /** @type {number} */ place) => {
    const isLast = axis >= a.shape.length - 1;
    for (let i = 0; i < (a.shape[axis] ?? 1); i++, at += a.strides[axis] ?? 0, place += b.strides[axis] ?? 0) {
      if (!isLast) {
        look(axis + 1, at, place);
        continue;
      }
      const [x, y] = [a.values[at], b.values[place]];
      const apart = x === y || (x !== x && y !== y) ? 0 : Math.abs(x - y);
      most = Math.max(most, apart === apart ? apart : Infinity);
      largest = Math.max(largest, Math.abs(x) || 0, Math.abs(y) || 0);
    }
  };
  look(0, a.offset ?? 0, b.offset ?? 0);
  return { most, largest };
}
