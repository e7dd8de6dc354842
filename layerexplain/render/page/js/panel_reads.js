// What one element reads: an element of a line is chosen, and the cells that it reads light up.

import { nextSlice } from "./bytes.js";
import { CellGrid, cellFigure } from "./cells.js";
import { button, count, make } from "./dom.js";
import { ElementReader } from "./element.js";
import { firstUse, mentioned } from "./element_uses.js";
import { cellText, filledText, placeText } from "./element_words.js";
import { player } from "./player.js";
import { cellsRead, paddingOf } from "./reads_cells.js";
import { bestLine, middleElement, offerLines, offerThrough } from "./reads_choice.js";
import { offerSetters, offerSliders } from "./reads_controls.js";
import { gridRooms } from "./reads_rooms.js";
import { everyPlace, singular, sliceWords } from "./slices.js";
import { sumsOf } from "./sums.js";
import { layerValues } from "./values.js";

/** @typedef {import("./scalars.js").Form} Form */
/** @typedef {import("./element.js").Read} Read */
/** @typedef {import("./scalars.js").Letter} Letter */

/** Lines with more elements are not computed for their grids alone. */
const MOST_COMPUTED = 4096;
/** An element that reads more cells is shown in parts, so that the page answers meanwhile. */
const MOST_CELLS_AT_ONCE = 4000;

/** @param {import("./types.js").Layer} layer @param {import("./types.js").Data} data @param {HTMLElement} element @param {boolean} [autoplay] whether it plays how the output comes about, without being asked */
export function panelReads(layer, data, element, autoplay = false) {
  const calls = layer.forms ?? [];
  if (!calls.length) return;
  const picture = make("div");
  /** @type {ReadsView | null} */
  let view = null;
  let now = 0;
  let played = false;
  const show = (/** @type {number} */ call) => {
    picture.replaceChildren();
    now = call;
    const form = data.forms?.[calls[call] ?? -1];
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


/** @typedef {{activation: (result: number, index: number[], to: number) => void, weight: (tensor: number, index: number[], to: number) => void, undo: () => void, reach: (result: number, index: number[], name: string) => void, touched: (of: number, index: number[], name: string) => void}} Changes */

export class ReadsView {
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
    /** Whether cells have numbers also where a picture is cropped for them. */
    this.parts = false;
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
      offerLines(this);
      const known = lines.find((i) => form.lines[i].name === kept.line && form.lines[i].letters.length === kept.index?.length);
      this.chooseLine(known ?? bestLine(this), known === undefined ? undefined : kept.index);
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
    this.reader.renew();
    this.renewing = true;
    this.update(true);
    this.renewing = false;
  }

  /** @param {number} line @param {number[]} [index] its element, the nearest one that there is @param {boolean} [wanted] whether somebody chose it */
  chooseLine(line, index, wanted = false) {
    this.line = line;
    const of = this.form.lines[line];
    this.chosen(line);
    this.sizes = this.reader.sizes(this.first + line);
    this.index = index?.map((at, axis) => Math.max(0, Math.min(at, this.sizes[axis] - 1))) ?? middleElement(this, of.grid);
    if (wanted) this.keep();
    const rank = (/** @type {number} */ one) => (one < this.form.params ? 0 : one < this.first ? 2 : 1);
    this.tensors = mentioned([of.value, of.start]).sort((a, b) => rank(a) - rank(b));
    offerThrough(this);
    this.pads = paddingOf(this);
    this.summed = {};
    this.build();
    this.soon(() => this.update(false));
  }

  /** Goes on, or where the chosen element reads very many cells, when the page has heard its reader. @param {() => void} next */
  soon(next) {
    if (this.reader.reads(this.line, this.index).length > MOST_CELLS_AT_ONCE) nextSlice().then(next);
    else next();
  }

  keep() {
    this.kept.line = this.form.lines[this.line].name;
    this.kept.index = this.index;
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
    offerSliders(this, line);
  }

  /** @param {number} of */
  name(of) {
    return of < this.first ? this.form.tensors[of][0] : this.form.lines[of - this.first].name;
  }

  /** @param {number} of @returns {(number | null)[]} */
  gridOf(of) {
    return of < this.first ? this.form.tensors[of][3] : this.form.lines[of - this.first].grid;
  }

  /** The index by which the line reads a tensor, where it does first. @param {number} of @returns {import("./scalars.js").Index[] | undefined} */
  indexOf(of) {
    const line = this.form.lines[this.line];
    return /** @type {import("./scalars.js").Index[] | undefined} */ (firstUse([line.value, line.start], of)?.slice(1));
  }

  /** @param {number} of */
  tall(of) {
    return of < this.first && of >= this.form.params ? 180 : 300;
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
    if (axis === hidden) offerSliders(this, line);
  }

  /** Draws what the chosen element reads. @param {boolean} stay whether grids stay where they are if they can */
  update(stay) {
    const line = this.form.lines[this.line];
    const at = this.reader.letters(line, this.index);
    const reads = cellsRead(this);
    this.now = reads;
    const { width } = this;
    const rooms = gridRooms(this);
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
      grid.show({ sizes, axes, slice, reach, around, room: rooms.get(of) ?? width, tall: this.tall(of), numbers: this.shows(of), parts: this.parts }, stay);
      /** @type {Map<string, string>} */
      const lit = new Map();
      for (const one of own) if (grid.inSight(one.index)) for (const index of everyPlace(one.index, sizes)) if (grid.inSight(index)) lit.set(index.join(), one.how);
      const largest = this.values.known ? this.largest(grid, of) : 0;
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
      const whole = `${count(possible)} of ${count(total)} in ${this.name(of)}`;
      const many = unsure ? `what values select among ${whole}` : whole;
      if (inside.length || padded) counts.push(`${many}${padded ? ` and ${padded} in the padding` : ""}`);
    }
    const [rows, columns] = line.grid;
    const here = [rows, columns].flatMap((axis) => (axis === null ? [0, 0] : [this.index[axis], this.index[axis]]));
    const reach = [rows, columns].map((axis) => /** @type {[number, number]} */ ([0, axis === null ? 1 : this.sizes[axis]]));
    const of = this.first + this.line;
    const room = rooms.get(-1) ?? width;
    this.output.show({ sizes: this.sizes, axes: line.grid, slice: this.index.map((one, axis) => (line.grid.includes(axis) ? 0 : one)), reach, around: here, room, tall: 300, numbers: this.shows(of), parts: this.parts }, stay);
    const largest = this.values.known ? this.largest(this.output, of) : 0;
    const chosen = this.index.join();
    this.output.paint((index) => ({ kind: index.join() === chosen ? "chosen" : "cell", value: this.shows(of) ? this.reader.element(of, index) : undefined }), cellText, largest);
    this.outwords.textContent = this.shapeWords(of, this.sizes) + sliceWords(line.grid, this.index, this.sizes, line.letters.map((one) => one[2]));
    const place = placeText(line.name, this.index);
    this.status.textContent = `${place} reads ${counts.join(", ") || "nothing"}.${this.reader.cut ? " The sum is long; its first terms are drawn." : ""}`;
    this.write(line, at, place);
    const { index, renewing } = this;
    this.soon(() => {
      if (this.index !== index || this.form.lines[this.line] !== line) return;
      sumsOf(this.sums, this, at);
      if (this.changes && this.numbered && !renewing) offerSetters(this, line, of, place);
    });
  }

  /** @param {import("./scalars.js").Line} line @param {Record<string, number>} at @param {string} place */
  write(line, at, place) {
    const general = placeText(line.name, line.letters.map((one) => one[0] || 0));
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
