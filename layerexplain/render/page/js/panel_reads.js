// What one element reads: an element of a line is chosen, and the cells that it reads light up.

import { CellGrid, cellFigure, shared, wantedWidth } from "./cells.js";
import { button, make } from "./dom.js";
import { ElementReader } from "./element.js";
import { firstUse, foldLetters, lettersOf, mentioned, onlyCopies } from "./element_uses.js";
import { cellText, filledText, placeText } from "./element_words.js";
import { player } from "./player.js";
import { throughLines } from "./run/reach.js";
import { everyPlace, singular, sliceWords } from "./slices.js";
import { setter, slider } from "./sliders.js";
import { sumsOf } from "./sums.js";
import { layerValues } from "./values.js";

/** @typedef {import("./element.js").Form} Form */
/** @typedef {import("./element.js").Read} Read */
/** @typedef {import("./element.js").Letter} Letter */

/** How many lines are offered as buttons; more are a list. */
const MOST_BUTTONS = 14;
/** Lines with more elements are not computed for their grids alone. */
const MOST_COMPUTED = 4096;
/** Of elements that read more, the one in the middle is shown first. */
const MOST_TRIED = 2000;
/** A grid beside others has at least so much room; otherwise it has a row of its own. */
const LEAST_ROOM = 110;
/** So much room the words below a grid need. */
const LEAST_WORDS = 120;

/**
 * @param {any} layer @param {any} data @param {HTMLElement} element
 * @param {boolean} [autoplay] whether it plays how the output comes about, without being asked
 */
export function panelReads(layer, data, element, autoplay = false) {
  const calls = /** @type {number[]} */ (layer.forms ?? []);
  if (!calls.length) return;
  const picture = make("div");
  /** @type {ReadsView | null} */
  let view = null;
  let now = 0;
  let played = false;
  const show = (/** @type {number} */ call) => {
    picture.replaceChildren();
    now = call;
    const form = data.forms[calls[call]];
    view = form ? new ReadsView(form, layerValues(layer, data, call), picture, data.element, data.live?.changes(layer, call)) : null;
    if (view && view.lines.length) {
      const shown = view;
      shown.formula.after(player(shown, autoplay && !played));
      played = true;
    }
  };
  data.live?.onRun(() => picture.isConnected && (view?.numbered ? view.renew() : show(now), true));
  if (new Set(calls).size > 1 || (calls.length > 1 && (data.arrays || data.live))) {
    const choice = make("select", "", ...calls.map((_, call) => make("option", "", `call ${call + 1}`)));
    choice.addEventListener("change", () => show(choice.selectedIndex));
    element.append(make("label", "readscall", "Call: ", choice));
  }
  element.append(picture);
  show(0);
}

/** Of more cells that are read through all lines, one of each row and column is told. */
const MOST_CELLS = 20000;

/** @typedef {{activation: (result: number, index: number[], to: number) => void, weight: (tensor: number, index: number[], to: number) => void, undo: () => void, reach: (result: number, index: number[], name: string) => void, touched: (of: number, index: number[], name: string) => void}} Changes */

class ReadsView {
  /**
   * @param {Form} form @param {ReturnType<typeof layerValues>} values @param {HTMLElement} element
   * @param {{line?: string, index?: number[]}} [kept] where the chosen element is kept for another view
   * @param {Changes} [changes] of a model that runs, what changes a weight or an activation
   */
  constructor(form, values, element, kept = {}, changes = undefined) {
    this.form = form;
    this.changes = changes;
    /** Whether it was made with numbers. */
    this.numbered = values.known;
    this.setters = make("div", "readssetters");
    this.settersOpen = false;
    this.renewing = false;
    /** @type {Map<number, number[]>} the cells of inputs and weights that were clicked, by their tensors */
    this.clicked = new Map();
    this.kept = kept;
    this.values = values;
    this.reader = new ElementReader(form, values.get);
    this.element = element;
    this.first = form.tensors.length;
    this.numbers = values.known;
    this.width = element.clientWidth || 640;
    this.line = -1;
    /** Whether what it reads of the inputs is shown, through all lines between. */
    this.through = false;
    /** @type {number[]} the chosen element */
    this.index = [];
    /** @type {number[]} */
    this.sizes = [];
    /** @type {number[]} what the line reads */
    this.tensors = [];
    /** @type {{of: number, grid: CellGrid, figure: HTMLElement, words: HTMLElement}[]} */
    this.grids = [];
    this.output = new CellGrid(["out"]);
    this.outwords = make("div");
    /** @type {Read[]} */
    this.now = [];
    /** @type {Map<number, [number, number][]>} */
    this.pads = new Map();
    /** @type {Record<string, number>} the places of the letters that are summed over */
    this.summed = {};
    /** @type {(line: number) => void} */
    this.chosen = () => {};
    const lines = form.lines.map((_, i) => i).filter((i) => form.lines[i].value !== undefined);
    const refused = form.lines.filter((line) => line.refusal);
    this.lines = lines;
    this.choices = make("div", "readslines");
    this.formula = make("div", "readsformula");
    this.stage = make("div", "readsstage");
    this.sliders = make("div", "readssliders");
    this.status = make("p", "readsstatus");
    this.status.setAttribute("aria-live", "polite");
    this.sums = make("div", "readssums");
    if (lines.length) {
      element.append(this.choices, this.formula, this.stage, this.sliders, this.status, this.sums, this.setters);
      this.offerLines();
      const known = lines.find((i) => form.lines[i].name === kept.line && form.lines[i].letters.length === kept.index?.length);
      this.chooseLine(known ?? this.bestLine(), known === undefined ? undefined : kept.index);
      new ResizeObserver(() => {
        const before = this.width;
        this.width = element.clientWidth || before;
        if (Math.abs(this.width - before) > 8) this.update(false);
      }).observe(element);
    }
    for (const line of refused) element.append(make("p", "quiet", `${line.name} has no formula of one element: ${line.refusal}`));
  }

  /** Shows the numbers of another run. */
  renew() {
    this.reader.known.clear();
    this.renewing = true;
    this.update(true);
    this.renewing = false;
  }

  /** The line to begin with: the result, or where that only copies other lines the first that sums. */
  bestLine() {
    const result = this.form.results[0];
    const copies = this.lines.includes(result) && onlyCopies(this.form.lines[result].value, this.first);
    if (this.lines.includes(result) && !copies) return result;
    const sums = this.lines.find((i) => foldLetters(this.form.lines[i].value).length > 0);
    return sums ?? (copies ? result : this.lines[0]);
  }

  offerLines() {
    if (this.lines.length < 2) return;
    const names = this.lines.map((i) => this.form.lines[i].name);
    if (this.lines.length > MOST_BUTTONS) {
      const select = make("select", "", ...names.map((name) => make("option", "", name)));
      select.addEventListener("change", () => this.chooseLine(this.lines[select.selectedIndex], undefined, true));
      this.choices.append(make("label", "", "Line of the formula: ", select));
      this.chosen = (/** @type {number} */ line) => { select.selectedIndex = this.lines.indexOf(line); };
    } else {
      const buttons = this.lines.map((line, i) => button(names[i], () => this.chooseLine(line, undefined, true), "readsline"));
      this.choices.append("Line of the formula: ", ...buttons);
      this.chosen = (/** @type {number} */ line) => buttons.forEach((one, i) => one.setAttribute("aria-pressed", `${this.lines[i] === line}`));
    }
  }

  /** @param {number} line @param {number[]} [index] its element, the nearest one that there is @param {boolean} [wanted] whether somebody chose it */
  chooseLine(line, index, wanted = false) {
    this.line = line;
    const of = this.form.lines[line];
    this.chosen(line);
    this.sizes = this.reader.sizes(this.first + line);
    this.index = index?.map((at, axis) => Math.max(0, Math.min(at, this.sizes[axis] - 1))) ?? this.middle(of.grid);
    if (wanted) this.keep();
    const rank = (/** @type {number} */ one) => (one < this.form.params ? 0 : one < this.first ? 2 : 1);
    this.tensors = mentioned([of.value, of.start ?? 0]).sort((a, b) => rank(a) - rank(b));
    this.offerThrough();
    this.pads = this.padding();
    this.summed = {};
    this.build();
    this.update(false);
  }

  /** A button that shows what the chosen element reads of the layer's inputs, where the line reads other lines. */
  offerThrough() {
    this.choices.querySelector(".readsthrough")?.remove();
    const reads = this.tensors.some((of) => of >= this.first) ? this.inputPlaces() : null;
    this.through = this.through && reads !== null;
    if (!reads) return;
    if (this.through) this.tensors = [...reads.keys()].filter((of) => of < this.form.params);
    const made = button("of the inputs, through all lines", () => {
      this.through = !this.through;
      this.chooseLine(this.line, this.index, true);
    }, "readsline readsthrough");
    made.setAttribute("aria-pressed", `${this.through}`);
    this.choices.append(made);
  }

  /** The places of the inputs that the chosen element reads through all lines; null where they cannot be told. */
  inputPlaces() {
    return throughLines(this.form, this.form.tensors.map((_, of) => this.reader.sizes(of)), this.line, this.index);
  }

  /** The cells that the chosen element reads. @returns {Read[]} */
  cells() {
    if (!this.through) return this.reader.reads(this.line, this.index);
    return [...(this.inputPlaces() ?? [])].filter(([of]) => of < this.form.params).flatMap(([of, places]) => {
      const own = places.map((axis) => [...axis].flatMap((on, i) => (on ? [i] : [])));
      const total = own.reduce((product, axis) => product * axis.length, 1);
      // Very many: along each axis all places, at the first one of the others.
      const indices = total <= MOST_CELLS ? own.reduce((found, axis) => found.flatMap((one) => axis.map((i) => [...one, i])), /** @type {number[][]} */ ([[]]))
        : own.flatMap((axis, at) => axis.map((i) => own.map((other, k) => (k === at ? i : other[0]))));
      return indices.map((index) => /** @type {Read} */ ({ of, index, how: "read" }));
    });
  }

  /** An element near the middle, of four the one that reads most: what a transposed convolution reads differs. @param {(number | null)[]} grid */
  middle(grid) {
    const first = this.sizes.map((size, axis) => (grid.includes(axis) ? Math.floor((size - 1) / 2) : 0));
    let best = first;
    let most = this.reader.reads(this.line, first).length;
    if (most > MOST_TRIED) return first;
    for (const [down, across] of [[1, 1], [0, 1], [1, 0]]) {
      const near = first.map((at, axis) => at + (axis === grid[0] ? down : axis === grid[1] ? across : 0));
      if (near.some((at, axis) => at >= this.sizes[axis])) continue;
      const count = this.reader.reads(this.line, near).length;
      if (count > most) [best, most] = [near, count];
    }
    return best;
  }

  keep() {
    this.kept.line = this.form.lines[this.line].name;
    this.kept.index = this.index;
  }

  /** How far each tensor is read beyond its ends, from what the first and the last element read. */
  padding() {
    /** @type {Map<number, [number, number][]>} */
    const found = new Map();
    const ends = [this.sizes.map(() => 0), this.sizes.map((size) => size - 1)];
    for (const of of this.tensors) found.set(of, this.reader.sizes(of).map((size) => [0, size]));
    for (const end of this.through ? [] : ends) {
      for (const read of this.reader.reads(this.line, end)) {
        read.index.forEach((at, axis) => {
          const reach = found.get(read.of)?.[axis];
          if (reach && at === at) found.get(read.of)?.splice(axis, 1, [Math.min(reach[0], at), Math.max(reach[1], at + 1)]);
        });
      }
    }
    return found;
  }

  build() {
    const line = this.form.lines[this.line];
    this.grids = this.tensors.map((of) => {
      const grid = new CellGrid([of]);
      const name = this.name(of);
      const open = of >= this.first && this.lines.includes(of - this.first) && of - this.first !== this.line;
      const title = open ? button(name, () => this.follow(of - this.first), "readsfollow") : make("b", "", name);
      if (open) title.title = `How ${name} comes about`;
      const shown = cellFigure(grid, title);
      const kind = of < this.form.params || of >= this.first ? "from" : "by";
      shown.figure.classList.add(kind);
      grid.svg.addEventListener("pointerdown", (event) => {
        const at = /** @type {SVGElement} */ (event.target).dataset?.at;
        if (!at || !this.changes) return;
        this.clicked.set(of, at.split(",").map(Number));
        this.settersOpen = true;
        this.update(true);
      });
      return { of, grid, ...shown };
    });
    this.output = new CellGrid(["out"]);
    const out = cellFigure(this.output, make("b", "", line.name));
    out.figure.classList.add("to");
    this.outwords = out.words;
    const svg = this.output.svg;
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("role", "application");
    const hides = this.sizes.some((size, axis) => size > 1 && !line.grid.includes(axis));
    svg.setAttribute("aria-label", `${line.name}: choose an element with the arrow keys${hides ? ", the slice with Page Up and Page Down" : ""}`);
    const choose = (/** @type {Event} */ event) => {
      const at = /** @type {SVGElement} */ (event.target).dataset?.at;
      if (at) this.move(at.split(",").map(Number));
    };
    svg.addEventListener("pointerover", choose);
    svg.addEventListener("pointerdown", choose);
    svg.addEventListener("keydown", (event) => this.key(/** @type {KeyboardEvent} */ (event)));
    this.stage.replaceChildren(...this.grids.map((one) => one.figure), out.figure, make("div", "readsbreak"));
    this.stage.classList.toggle("alone", !this.tensors.length);
    this.offerSliders(line);
  }

  /** Sliders for the axes of the output that its grid does not show, and for sums over axes that no grid shows. @param {any} line */
  offerSliders(line) {
    const rows = [];
    line.letters.forEach((/** @type {Letter} */ letter, /** @type {number} */ axis) => {
      if (line.grid.includes(axis) || this.sizes[axis] < 2) return;
      rows.push(slider(`${singular(letter[2])} ${letter[0]}`, this.sizes[axis], this.index[axis], "", (at) => this.move(this.index.map((one, i) => (i === axis ? at : one)), false)));
    });
    for (const letter of foldLetters(line.value)) {
      const hidden = (/** @type {number} */ of) => (this.indexOf(of) ?? []).findIndex((part, axis) => !this.gridOf(of).includes(axis) && lettersOf(part).includes(letter[0]));
      const hides = this.tensors.find((of) => hidden(of) >= 0);
      const size = this.reader.size(letter);
      this.summed[letter[0]] = 0;
      if (hides === undefined || size < 2) continue;
      const role = this.roles(hides)[hidden(hides)] || letter[2];
      rows.push(slider(`${singular(role)} ${letter[0]} of ${this.name(hides)}`, size, 0, "; all are read", (at) => { this.summed[letter[0]] = at; this.update(true); }));
    }
    if (this.values.known) {
      const box = make("input");
      box.type = "checkbox";
      box.checked = this.numbers;
      box.addEventListener("change", () => { this.numbers = box.checked; this.update(false); });
      rows.push(make("label", "readsnumbers", box, " numbers in the cells"));
    }
    this.sliders.replaceChildren(...rows);
  }

  /** @param {number} of */
  name(of) {
    return of < this.first ? this.form.tensors[of][0] : this.form.lines[of - this.first].name;
  }

  /** @param {number} of @returns {(number | null)[]} */
  gridOf(of) {
    return of < this.first ? this.form.tensors[of][3] : this.form.lines[of - this.first].grid;
  }

  /** The index by which the line reads a tensor, where it does first. @param {number} of @returns {any[] | undefined} */
  indexOf(of) {
    const line = this.form.lines[this.line];
    return firstUse([line.value, line.start ?? 0], of)?.slice(1);
  }

  /** @param {number} of */
  tall(of) {
    return of < this.first && of >= this.form.params ? 180 : 300;
  }

  /** How wide each grid may be, by its tensor; the output, which is -1, stands beside the inputs where there is room for it. */
  rooms() {
    const alone = Math.min(340, this.numbers && this.width < 460 ? this.width - 24 : (this.width - 50) / 2);
    const found = new Map([...this.tensors, -1].map((of) => [of, alone]));
    const beside = [...this.tensors.filter((of) => of < this.form.params || of >= this.first), -1];
    const wanted = beside.map((of) => {
      const axes = of < 0 ? this.form.lines[this.line].grid : this.gridOf(of);
      const reach = axes.map((axis) => /** @type {[number, number]} */ (axis === null ? [0, 1] : of < 0 ? [0, this.sizes[axis]] : this.pads.get(of)?.[axis]));
      return Math.max(LEAST_WORDS, Math.min(340, wantedWidth(reach, this.tall(of), this.numbers && this.shows(of < 0 ? this.first + this.line : of))));
    });
    const rooms = shared(wanted, this.width - 24 * beside.length - 18);
    if (beside.length > 2 && Math.min(...rooms) >= LEAST_ROOM) beside.forEach((of, i) => found.set(of, rooms[i]));
    return found;
  }

  /** @param {number} line */
  follow(line) {
    const read = this.now.find((one) => one.of === line + this.first);
    const sizes = this.reader.sizes(line + this.first);
    const index = read?.index.map((at, axis) => Math.max(0, Math.min(sizes[axis] - 1, at === at ? at : 0)));
    this.chooseLine(line, index, true);
    this.output.svg.focus();
  }

  /** @param {number[]} index @param {boolean} [stay] */
  move(index, stay = true) {
    if (index.join() === this.index.join()) return;
    this.index = index;
    this.keep();
    this.update(stay);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const line = this.form.lines[this.line];
    const hidden = this.sizes.reduce((last, size, axis) => (size > 1 && !line.grid.includes(axis) ? axis : last), -1);
    const [rows, columns] = line.grid;
    const moves = /** @type {Record<string, [number | null, number]>} */ ({
      ArrowUp: [rows, -1], ArrowDown: [rows, 1], ArrowLeft: [columns, -1], ArrowRight: [columns, 1],
      Home: [columns, -Infinity], End: [columns, Infinity], PageUp: [hidden, -1], PageDown: [hidden, 1],
    });
    const [axis, by] = moves[event.key] ?? [null, 0];
    if (!moves[event.key]) return;
    event.preventDefault();
    if (axis === null || axis < 0) return;
    this.move(this.index.map((at, i) => (i === axis ? Math.max(0, Math.min(this.sizes[i] - 1, at + by)) : at)));
    if (axis === hidden) this.offerSliders(line);
  }

  /** Draws what the chosen element reads. @param {boolean} stay whether grids stay where they are if they can */
  update(stay) {
    const line = this.form.lines[this.line];
    const at = this.reader.letters(line, this.index);
    const reads = this.cells();
    this.now = reads;
    const { width } = this;
    const rooms = this.rooms();
    const counts = [];
    for (const { of, grid, words } of this.grids) {
      const sizes = this.reader.sizes(of);
      const own = reads.filter((one) => one.of === of);
      const axes = this.gridOf(of);
      const used = this.indexOf(of) ?? [];
      const slice = sizes.map((size, axis) => {
        const place = axes.includes(axis) ? 0 : this.reader.index(used[axis] ?? 0, { ...this.summed, ...at });
        return Math.max(0, Math.min(size - 1, place === place ? place : (own[0]?.index[axis] || 0)));
      });
      const seen = own.filter((one) => one.how !== "padding");
      if (seen.length && !seen.some((one) => one.index.every((at, axis) => axes.includes(axis) || at !== at || at === slice[axis]))) {
        // The slice holds nothing that is read: the one of the first cell that is.
        seen[0].index.forEach((at, axis) => { if (!axes.includes(axis) && at === at) slice[axis] = at; });
      }
      const reach = axes.map((axis) => (axis === null ? /** @type {[number, number]} */ ([0, 1]) : /** @type {[number, number][]} */ (this.pads.get(of))[axis]));
      const around = axes.flatMap((axis, i) => {
        const places = axis === null ? [0] : own.map((one) => one.index[axis]).filter((one) => one === one);
        return places.length ? [Math.min(...places.slice(0, 50000)), Math.max(...places.slice(0, 50000))] : [reach[i][0], reach[i][0]];
      });
      grid.show({ sizes, axes, slice, reach, around, room: rooms.get(of) ?? width, tall: this.tall(of), numbers: this.numbers && this.shows(of) }, stay);
      /** @type {Map<string, string>} */
      const lit = new Map();
      for (const one of own) for (const index of everyPlace(one.index, sizes)) lit.set(index.join(), one.how);
      const largest = this.numbers || this.values.known ? this.largest(grid, of) : 0;
      grid.paint((index) => {
        const outside = index.some((one, axis) => one < 0 || one >= sizes[axis]);
        const value = outside ? undefined : this.shows(of) ? this.reader.element(of, index) : undefined;
        return { kind: `${outside ? "outside " : ""}${lit.get(index.join()) ?? "cell"}`, value };
      }, cellText, largest);
      const inside = own.filter((one) => one.how !== "padding" && !one.index.some((i, axis) => i < 0 || i >= sizes[axis]));
      const padded = own.filter((one) => one.how === "padding").length;
      const total = sizes.reduce((a, b) => a * b, 1);
      words.textContent = this.shapeWords(of, sizes) + sliceWords(axes, slice, sizes, this.roles(of));
      const unsure = inside.some((one) => one.how === "maybe");
      const possible = inside.reduce((sum, one) => sum + one.index.reduce((a, at, axis) => a * (at === at ? 1 : sizes[axis]), 1), 0);
      const whole = `${possible.toLocaleString("en-US")} of ${total.toLocaleString("en-US")} in ${this.name(of)}`;
      const many = unsure ? `what values select among ${whole}` : whole;
      if (inside.length || padded) counts.push(`${many}${padded ? ` and ${padded} in the padding` : ""}`);
    }
    const [rows, columns] = line.grid;
    const here = [rows, columns].flatMap((axis) => (axis === null ? [0, 0] : [this.index[axis], this.index[axis]]));
    const reach = [rows, columns].map((axis) => /** @type {[number, number]} */ ([0, axis === null ? 1 : this.sizes[axis]]));
    const of = this.first + this.line;
    const room = rooms.get(-1) ?? width;
    this.output.show({ sizes: this.sizes, axes: line.grid, slice: this.index.map((one, axis) => (line.grid.includes(axis) ? 0 : one)), reach, around: here, room, tall: 300, numbers: this.numbers && this.shows(of) }, stay);
    const largest = this.values.known ? this.largest(this.output, of) : 0;
    const chosen = this.index.join();
    this.output.paint((index) => ({ kind: index.join() === chosen ? "chosen" : "cell", value: this.shows(of) ? this.reader.element(of, index) : undefined }), cellText, largest);
    this.outwords.textContent = this.shapeWords(of, this.sizes) + sliceWords(line.grid, this.index, this.sizes, line.letters.map((one) => one[2]));
    const place = placeText(line.name, this.index);
    this.status.textContent = `${place} reads ${counts.join(", ") || "nothing"}.${this.reader.cut ? " The sum is long; its first terms are drawn." : ""}`;
    this.write(line, at, place);
    sumsOf(this.sums, this, at);
    if (this.changes && this.numbered && !this.renewing) this.offerSetters(line, of, place);
  }

  /** Sliders that change the chosen element of a result, and a weight. @param {any} line @param {number} of @param {string} place */
  offerSetters(line, of, place) {
    const rows = [];
    const result = this.form.results.indexOf(of - this.first);
    const value = this.reader.element(of, this.index);
    if (result >= 0 && typeof value === "number") {
      const index = this.index;
      const largest = Math.max(this.largest(this.output, of), 1e-6);
      rows.push(setter(`set ${place}`, value, largest, (to) => this.changes?.activation(result, index, to)));
    }
    for (const { of: tensor, grid } of this.grids) {
      if (tensor < this.form.params || tensor >= this.first || this.form.values?.[tensor] !== undefined) continue;
      const index = this.clicked.get(tensor) ?? this.now.find((one) => one.of === tensor)?.index;
      const weight = index && this.values.get(tensor, index);
      if (!index || weight === undefined) continue;
      const largest = Math.max(this.largest(grid, tensor), 1e-6);
      rows.push(setter(placeText(this.name(tensor), index), weight, largest, (to) => this.changes?.weight(tensor, index, to)));
    }
    const back = button("As it was", () => { this.changes?.undo(); this.offerSetters(line, of, place); });
    const whole = make("details", "", make("summary", "", "Change a number"), ...rows, back);
    whole.open = this.settersOpen;
    whole.addEventListener("toggle", () => { this.settersOpen = whole.open; });
    const reach = result < 0 ? [] : [
      button("What it depends on, through all layers", () => this.changes?.reach(result, this.index, line.name)),
      button("What it touches", () => this.changes?.touched(of, this.index, line.name)),
    ];
    for (const [input, index] of this.clicked) {
      if (input < this.form.params && this.tensors.includes(input)) reach.push(button(`What ${placeText(this.name(input), index)} touches`, () => this.changes?.touched(input, index, this.name(input))));
    }
    this.setters.replaceChildren(make("div", "playbuttons", ...reach), whole);
  }

  /** @param {any} line @param {Record<string, number>} at @param {string} place */
  write(line, at, place) {
    const general = placeText(line.name, line.letters.map((/** @type {Letter} */ one) => one[0] || 0));
    const before = this.reader.formula(line, this.index) === line.start;
    const lines = [make("div", "readsgeneral", `${general} = ${filledText(line.text, this.reader, {})}`)];
    if (!before) lines.push(make("div", "readshere", `${place} = ${filledText(line.text, this.reader, at)}`));
    this.formula.replaceChildren(...lines);
  }

  /** Marks the cells of one term of a sum; none unmarks them. @param {[number, number[]][]} cells */
  mark(cells) {
    for (const { of, grid } of this.grids) {
      const marked = cells.filter((one) => one[0] === of).map((one) => one[1].join());
      for (const cell of grid.cells) cell.rect.classList.toggle("term", marked.includes(cell.index.join()));
    }
  }

  /** @param {number} of @returns {string[]} */
  roles(of) {
    return of < this.first ? this.form.tensors[of][2] : this.form.lines[of - this.first].letters.map((one) => one[2]);
  }

  /** @param {number} of @param {number[]} sizes */
  shapeWords(of, sizes) {
    const roles = this.roles(of);
    const named = !roles.includes("rows") && (of < this.form.params || of >= this.first);
    const shown = sizes.map((size, axis) => {
      const role = named && roles[axis] ? ` ${size === 1 ? singular(roles[axis]) : roles[axis]}` : "";
      return this.open(of, axis) ? `any number of ${roles[axis]}` : `${size}${role}`;
    });
    return shown.filter((_, axis) => roles[axis] !== "batch").join(" × ") || "one number";
  }

  /** Whether a size is not known before the model runs. @param {number} of @param {number} axis */
  open(of, axis) {
    return (of < this.first ? this.form.tensors[of][1][axis] : this.form.lines[of - this.first].letters[axis][1]) === null;
  }

  /** Whether the numbers of a tensor or a line are known, or quickly computed. @param {number} of */
  shows(of) {
    if (this.values.has(of) || !this.values.known || of < this.first) return this.values.has(of);
    return this.reader.sizes(of).reduce((a, b) => a * b, 1) <= MOST_COMPUTED;
  }

  /** The largest absolute value of a grid's cells. @param {CellGrid} grid @param {number} of */
  largest(grid, of) {
    if (!this.shows(of)) return 0;
    let most = 0;
    for (const cell of grid.cells) {
      const value = Math.abs(Number(this.reader.element(of, cell.index) ?? 0));
      if (value > most && value < Infinity) most = value;
    }
    return most;
  }
}
