// A model that runs with each change: its inputs, what shows its values, and when it runs.

import { button, count, make } from "../dom.js";
import { placeText } from "../element_words.js";
import { contributions, gradientsOf } from "./contributions.js";
import { exampleChoice, inputWidget } from "./inputs.js";
import { outputViews } from "./outputs.js";
import { Program, addressOf } from "./program.js";
import { placesOfNaN, reachOf } from "./reach.js";
import { layerThumbnails } from "./thumbnails.js";
import { readWeights } from "./weights.js";

/** @typedef {import("../types.js").Data} Data */
/** @typedef {import("../types.js").Layer} Layer */
/** @typedef {import("./program.js").ProgramData} ProgramData */
/** @typedef {import("./program.js").RunCall} RunCall */

/** With more multiply-accumulates, a model runs when it is asked to, not with each change. */
const MOST_LIVE_MACS = 300e6;

export class Live {
  /** @param {Data} data @param {number} [side] its number among several models in the page */
  constructor(data, side = 0) {
    this.data = data;
    this.side = side;
    /** @type {() => void} called before it runs */
    this.onStart = () => {};
    this.about = /** @type {ProgramData} */ (data.program);
    this.element = make("section", "play");
    this.element.setAttribute("aria-label", "Run the model");
    this.status = make("p", "playstatus");
    this.status.setAttribute("role", "status");
    /** @type {Program | null} */
    this.program = null;
    this.hasRun = false;
    this.isLive = (this.about.macs ?? 0) <= MOST_LIVE_MACS;
    /** @type {Promise<Program>} */
    this.ready = this.load();
    /** @type {Set<() => boolean>} what shows values; it says whether it is still there */
    this.shown = new Set();
    /** @type {import("../graph_view.js").GraphView | null} */
    this.view = null;
    /** @type {Map<number, import("./reach.js").Places> | null} what the element depends on that was asked for, by tensors */
    this.reach = null;
    /** @type {Map<number, import("./reach.js").Places> | null} the same of what the pointer is at */
    this.hovered = null;
    this.reachWords = make("div", "playreach");
    this.busy = false;
    this.dirty = false;
    /** @type {(() => void)[]} who waits for the model to be idle */
    this.queue = [];
    this.drawn = false;
    /** The call that was asked for last. @type {{layer: Layer, call: number, at: number, found: RunCall} | null} */
    this.last = null;
    /** @type {{buffer: import("./tree.js").Buffer, at: number, value: number}[]} weights as they were before they were changed */
    this.before = [];
  }

  /** @returns {Promise<Program>} */
  async load() {
    const weights = await readWeights(this.about.weights ?? [], `weights${this.side || ""}`);
    this.program = new Program(this.about, this.data.forms ?? [], weights, this.data.layers.map((one) => one.path));
    return this.program;
  }

  /** Offers the inputs, and runs the model on the first ones. */
  async begin() {
    const program = await this.ready;
    this.widgets = this.about.inputs.map((one, at) => inputWidget(one, at, this, program));
    const outputs = outputViews(this, program);
    const buttons = make("div", "playbuttons", exampleChoice(this, this.widgets), this.isLive ? "" : this.runButton());
    this.element.append(make("div", "playinputs", ...this.widgets.map((one) => one.element)), make("div", "playoutputs", ...outputs), buttons, this.reachWords, this.status);
    this.change();
  }

  runButton() {
    const made = make("button", "main", "Run");
    made.type = "button";
    made.title = `${count(Math.round((this.about.macs ?? 0) / 1e6))} million multiply-accumulates: too many to run with each change`;
    made.addEventListener("click", () => this.start());
    return made;
  }

  /** Something has changed: the model runs anew. */
  change() {
    if (this.isLive) this.start();
    else this.status.textContent = "Changed; press Run.";
  }

  /** Runs the model, anew if it is running on what was there before. */
  async start() {
    this.dirty = true;
    this.onStart();
    if (this.busy) return;
    this.busy = true;
    const program = await this.ready;
    while (this.dirty) {
      this.dirty = false;
      const begin = performance.now();
      const total = this.about.calls.length;
      const whole = await program.runSliced(() => this.dirty, () => {
        if (performance.now() - begin > 150) this.status.textContent = `Running: ${program.at} of ${total} layers …`;
      });
      if (whole) this.finished(performance.now() - begin);
    }
    this.busy = false;
    this.queue.splice(0).forEach((go) => go());
  }

  /** @param {number} time how long the run took, in milliseconds */
  finished(time) {
    this.hasRun = true;
    const refused = [...(this.program?.refused ?? [])];
    const words = refused.length ? ` Not run here: ${refused.slice(0, 3).map(([path, why]) => `${path} (${why})`).join("; ")}${refused.length > 3 ? `; ${refused.length - 3} more` : ""}.` : "";
    this.status.textContent = `Ran in ${time < 10 ? time.toFixed(1) : Math.round(time)} ms.${words}`;
    if (this.drawn) return;
    this.drawn = true;
    requestAnimationFrame(() => {
      this.drawn = false;
      this.renew();
    });
  }

  /** Shows the values of the last run. */
  renew() {
    for (const show of [...this.shown]) if (!show()) this.shown.delete(show);
  }

  /** @param {() => boolean} show called after each run, as long as it gives true */
  onRun(show) {
    this.shown.add(show);
  }

  /** The calls of a layer that have run, by their numbers. @param {Layer} layer its entry in the data @param {number} call @returns {RunCall | undefined} */
  callOf(layer, call) {
    const calls = this.hasRun && this.program?.calls;
    if (!calls) return undefined;
    const { last } = this;
    if (last && last.layer === layer && last.call === call && calls[last.at] === last.found) return last.found;
    const of = this.data.layers.indexOf(layer);
    const at = calls.findIndex((one) => one.layer === of && one.call === call && !one.refusal);
    if (at >= 0) this.last = { layer, call, at, found: calls[at] };
    return calls[at];
  }

  /** Shows what an element depends on, through all layers; without one, everything again. @param {number} [tensor] @param {number[]} [index] @param {string} [name] */
  showReach(tensor, index = [], name = "") {
    const { program } = this;
    const reach = tensor === undefined || !program || !this.hasRun ? null : reachOf(program, tensor, index);
    const inputs = this.about.inputs.map((one, at) => reachedWords(reach?.get(at), one.shape, one.name));
    this.light(reach, reach ? `${placeText(name, index)} depends on at most ${inputs.join(", ")}; what it does not depend on is grey. ` : "",
      reach && program && tensor !== undefined ? contributions(this, program, tensor, index, name) : null);
  }

  /** Shows what a number touches, through all layers: the model runs with none in its place, and what becomes none hangs on it. @param {number} tensor @param {number[]} index @param {string} name */
  async showTouched(tensor, index, name) {
    const program = await this.ready;
    while (this.busy) await new Promise((resolve) => this.queue.push(() => resolve(undefined)));
    this.busy = true;
    /** @type {Map<number, import("./reach.js").Places>} */
    const reach = new Map();
    const owner = program.calls.find((one) => tensor >= one.first && tensor < one.first + one.gives);
    const { buffer } = program.tensors[tensor];
    const before = { set: program.set.get(tensor), value: buffer ? buffer.values[addressOf(buffer, index)] : 0 };
    try {
      if (owner) program.setElement(owner, tensor - owner.first, index, NaN);
      else if (buffer) buffer.values[addressOf(buffer, index)] = NaN;
      await program.runSliced(() => false);
      program.tensors.forEach(({ buffer: own }, at) => {
        const places = own && placesOfNaN(own);
        if (places) reach.set(at, places);
      });
    } finally {
      if (!owner && buffer) buffer.values[addressOf(buffer, index)] = before.value;
      else if (before.set) program.set.set(tensor, before.set);
      else program.set.delete(tensor);
      await program.runSliced(() => false);
      this.busy = false;
      this.queue.splice(0).forEach((go) => go());
    }
    const ends = this.about.outputs.flatMap(([label, of]) => (of === null ? [] : [reachedWords(reach.get(of), program.tensors[of].buffer?.sizes ?? [], label)]));
    this.light(reach, `${placeText(name, index)} touches ${ends.join(", ")}; what it does not touch is grey. `);
    if (this.dirty) this.start();
  }

  /** The gradients of an element by what it depends on, by tensors. @param {number} tensor @param {number[]} index */
  async gradients(tensor, index) {
    return gradientsOf(await this.ready, tensor, index, () => false);
  }

  /** Lights what is reached, in the graph, in the inputs and in what layers give. @param {Map<number, import("./reach.js").Places> | null} reach @param {string} words @param {HTMLElement | null} [more] */
  light(reach, words, more = null) {
    this.reach = reach;
    this.reachWords.replaceChildren(...(reach ? [words, button("Show all", () => this.showReach()), more ?? ""] : []));
    if (this.view) {
      this.view.look.found = reach ? this.reachedCalls(reach) : this.view.rest;
      this.view.redraw();
    }
    this.widgets?.forEach((one) => one.renew());
    this.renew();
  }

  /** The calls of the graph that give or take what is reached. @param {Map<number, import("./reach.js").Places>} reach @returns {Set<number>} */
  reachedCalls(reach) {
    const reached = new Set();
    for (const one of this.program?.calls ?? []) for (let i = 0; i < one.gives; i++) if (reach.has(one.first + i)) reached.add(`${one.layer} ${one.call}`);
    for (const [layer, call, tensors] of this.about.same ?? []) if (tensors.some((one) => one !== null && reach.has(one))) reached.add(`${layer} ${call}`);
    return new Set(this.data.calls.flatMap(([layer, call], number) => (reached.has(`${layer} ${call}`) ? [number] : [])));
  }

  /** The places of a tensor of a call that are reached; all where nothing was asked. @param {RunCall} call @param {number} of its number in the form @returns {import("./reach.js").Places | undefined} */
  placesOf(call, of) {
    if (!this.reach || typeof call.form !== "number") return undefined;
    const form = this.data.forms?.[call.form];
    const result = form?.results.indexOf(of - form.tensors.length) ?? -1;
    const tensor = result >= 0 ? call.first + result : call.reads[of];
    if (tensor === undefined || tensor === null) return undefined;
    return this.reach.get(tensor) ?? this.program?.tensors[tensor].buffer?.sizes.map((size) => new Uint8Array(size));
  }

  /** Shows an element of a call of a layer. @param {number} layer @param {number} call @param {string} line @param {number[]} index */
  open(layer, call, line, index) {
    this.data.element = line ? { line, index } : undefined;
    this.view?.chooseCall(this.data.calls.findIndex((one) => one[0] === layer && one[1] === call));
    this.data.element = undefined;
  }

  /** What each layer gives, in small. */
  thumbnails() {
    return layerThumbnails(this);
  }

  /** What changes numbers of a call: a weight, or an element of a result. @param {Layer} layer @param {number} call @returns {import("../panel_reads.js").Changes} */
  changes(layer, call) {
    const named = (/** @type {string} */ name) => `${layer.name}: ${name}`;
    return {
      activation: (result, index, to) => {
        const own = this.callOf(layer, call);
        if (!own) return;
        this.program?.setElement(own, result, index, to);
        this.change();
      },
      reach: (result, index, name) => {
        const own = this.callOf(layer, call);
        if (own) this.showReach(own.first + result, index, named(name));
      },
      touched: (of, index, name) => {
        const own = this.callOf(layer, call);
        const form = typeof own?.form === "number" ? this.data.forms?.[own.form] : undefined;
        if (!own || !form) return;
        const result = form.results.indexOf(of - form.tensors.length);
        const tensor = result >= 0 ? own.first + result : own.reads[of];
        if (tensor !== undefined && tensor !== null) this.showTouched(tensor, index, named(name));
      },
      weight: (tensor, index, to) => {
        const buffer = this.callOf(layer, call)?.buffers.get(tensor);
        if (!buffer) return;
        const at = addressOf(buffer, index);
        if (!this.before.some((one) => one.buffer === buffer && one.at === at)) this.before.push({ buffer, at, value: buffer.values[at] });
        buffer.values[at] = to;
        this.change();
      },
      undo: () => {
        for (const { buffer, at, value } of this.before) buffer.values[at] = value;
        this.before = [];
        this.program?.set.clear();
        this.change();
      },
    };
  }

  /** Runs the model on inputs by their names; throws where they do not fit. @param {Record<string, any>} inputs @returns {Promise<Record<string, any>>} what each layer gives, by its path */
  run(inputs) {
    const listed = this.about.inputs.map((one) => `'${one.name}'`).join(", ");
    for (const name of Object.keys(inputs)) {
      if (!this.about.inputs.some((one) => one.name === name)) throw new Error(`the model has no input '${name}'; its inputs are ${listed}`);
    }
    const missing = this.about.inputs.find((one) => !Object.hasOwn(inputs, one.name));
    if (missing) throw new Error(`the input '${missing.name}' is not given; the inputs are ${listed}`);
    return this.runOn(inputs);
  }

  /** @param {Record<string, any>} inputs */
  async runOn(inputs) {
    const program = await this.ready;
    while (this.busy) await new Promise((resolve) => this.queue.push(() => resolve(undefined)));
    this.busy = true;
    try {
      for (const [name, value] of Object.entries(inputs)) program.setInput(name, value);
      const begin = performance.now();
      await program.runSliced(() => false);
      this.widgets?.forEach((one) => one.renew());
      this.finished(performance.now() - begin);
      return program.outputs();
    } finally {
      this.busy = false;
      this.queue.splice(0).forEach((go) => go());
      if (this.dirty) this.start();
    }
  }
}

/** How many numbers of a tensor are reached. @param {import("./reach.js").Places | undefined} places @param {number[]} sizes @param {string} name */
function reachedWords(places, sizes, name) {
  const total = sizes.reduce((a, b) => a * b, 1);
  const read = (places ?? [new Uint8Array(1)]).reduce((count, axis) => count * axis.reduce((a, b) => a + b, 0), 1);
  return `${count(read)} of ${count(total)} numbers of ${name}`;
}
