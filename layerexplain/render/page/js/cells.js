// A tensor as a grid of cells: the part of one slice that fits, with edges where there is more.

import { make } from "./dom.js";

/**
 * @typedef {{sizes: number[], axes: (number | null)[], slice: number[], reach: [number, number][], around: number[], room: number, tall: number, numbers: boolean, parts?: boolean}} CellView which part of which tensor a grid shows;
 *   `sizes`: the sizes of the tensor; `axes`: which axes are rows and columns; `slice`: an index of the tensor: the place on all other axes; `reach`: for rows and columns, where they begin
 *   and end, padding included; `around`: rows and columns that should be in sight: first row, last row, first column, last column; `room`: how wide it may be; `tall`: how high it may be;
 *   `numbers`: whether cells show numbers, where all of them fit; `parts`: whether they show numbers also where then a part of them is in sight
 */
/** @typedef {{kind: string, value: number | boolean | undefined}} CellState */

const SVG_SPACE = "http://www.w3.org/2000/svg";
const CELL_EDGE = 12;
/** A cell with a number is so wide and so high. */
const NUMBER_CELL = 30;
const NUMBER_ROW = 22;
/** About how wide a letter of a number is. */
const NUMBER_LETTER = 7;
/** Cells are so large; in a tensor of which a part is in sight they have the middle size. */
const SMALLEST_CELL = 7;
const MIDDLE_CELL = 12;
const LARGEST_CELL = 18;

/** @param {string} tag @param {Record<string, string | number>} is @returns {SVGElement} */
export function drawn(tag, is) {
  const made = document.createElementNS(SVG_SPACE, tag);
  for (const [name, value] of Object.entries(is)) made.setAttribute(name, `${value}`);
  return made;
}

export class CellGrid {
  /** @param {(number | string)[]} of what the grid is of, for `data-of` */
  constructor(of) {
    this.svg = drawn("svg", { "data-of": of.join(" "), class: "cells" });
    /** @type {{rect: SVGElement, text: SVGElement | null, index: number[]}[]} */
    this.cells = [];
    /** @type {[number, number]} the first row and column in sight */
    this.first = [0, 0];
    this.key = "";
    this.width = 0;
    /** How wide a cell is. */
    this.across = 0;
    /** @type {(number | null)[]} which axes are rows and columns, and how many of them are in sight */
    this.axes = [];
    this.counts = [0, 0];
  }

  /** Whether a cell is among the rows and columns in sight, or may be: a place that is not known is anywhere. @param {number[]} index */
  inSight(index) {
    return this.axes.every((axis, i) => axis === null || !(index[axis] < this.first[i] || index[axis] >= this.first[i] + this.counts[i]));
  }

  /** Lays out the cells of a view, unless they are there. @param {CellView} view @param {boolean} [stay] whether what is in sight stays where it can */
  show(view, stay = false) {
    const spans = view.reach.map(([from, to]) => to - from);
    // A picture that numbers would crop has none, unless somebody wants them.
    const numbered = view.numbers && (view.parts || (spans[1] * NUMBER_CELL <= view.room - 2 && spans[0] * NUMBER_ROW <= view.tall));
    const wide = numbered ? Math.max(NUMBER_CELL, Math.min(44, Math.floor((view.room - 2) / spans[1]))) : 0;
    const whole = Math.min(Math.floor((view.room - 2) / spans[1]), Math.floor(view.tall / spans[0]));
    const across = wide || (whole >= SMALLEST_CELL ? Math.min(whole, LARGEST_CELL) : MIDDLE_CELL);
    const down = wide ? NUMBER_ROW : across;
    const fits = [Math.max(3, Math.floor(view.tall / down)), Math.max(2, Math.floor((view.room - 2 * CELL_EDGE) / across))];
    if (!wide && whole < SMALLEST_CELL) fits[0] = Math.min(fits[0], Math.max(fits[1], 10));
    const counts = spans.map((span, i) => (i && span * across <= view.room - 2 ? span : Math.min(span, fits[i])));
    this.first = /** @type {[number, number]} */ (counts.map((count, i) => {
      const [from, to] = view.reach[i];
      const [low, high] = view.around.slice(2 * i, 2 * i + 2);
      const before = Math.min(Math.max(this.first[i], from), to - count);
      if (stay && this.key && low >= before && high < before + count) return before;
      return Math.min(Math.max(Math.floor((low + high + 1 - count) / 2), from), to - count);
    }));
    this.axes = view.axes;
    this.counts = counts;
    this.across = across;
    const key = JSON.stringify([this.first, counts, across, view.slice.filter((_, axis) => !view.axes.includes(axis)), view.sizes]);
    if (key === this.key) return;
    this.key = key;
    this.cells = [];
    const more = view.reach.map(([from, to], i) => [this.first[i] > from, this.first[i] + counts[i] < to]);
    const left = more[1][0] ? CELL_EDGE : 1;
    const top = more[0][0] ? CELL_EDGE : 1;
    this.width = left + counts[1] * across + (more[1][1] ? CELL_EDGE : 1);
    const height = top + counts[0] * down + (more[0][1] ? CELL_EDGE : 1);
    const inside = [];
    for (let r = 0; r < counts[0]; r++) {
      for (let c = 0; c < counts[1]; c++) {
        const place = [this.first[0] + r, this.first[1] + c];
        const index = view.slice.map((at, axis) => (axis === view.axes[0] ? place[0] : axis === view.axes[1] ? place[1] : at));
        const x = left + c * across;
        const y = top + r * down;
        const rect = drawn("rect", { x, y, width: across - 1, height: down - 1, "data-at": index.join() });
        inside.push(rect);
        let text = null;
        if (wide) {
          text = drawn("text", { x: x + across / 2, y: y + down / 2 + 4, lengthAdjust: "spacingAndGlyphs" });
          inside.push(text);
        }
        this.cells.push({ rect, text, index });
      }
    }
    const dots = (/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ sign) => {
      const text = drawn("text", { x, y, class: "more" });
      text.textContent = sign;
      inside.push(text);
    };
    if (more[0][0]) dots(left + (counts[1] * across) / 2, 10, "⋮");
    if (more[0][1]) dots(left + (counts[1] * across) / 2, height - 1, "⋮");
    if (more[1][0]) dots(6, top + (counts[0] * down) / 2 + 3, "⋯");
    if (more[1][1]) dots(this.width - 6, top + (counts[0] * down) / 2 + 3, "⋯");
    this.svg.setAttribute("width", `${this.width}`);
    this.svg.setAttribute("height", `${height}`);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    this.svg.replaceChildren(...inside);
  }

  /** Gives each cell its state. @param {(index: number[]) => CellState} state @param {(value: number | boolean) => string} words @param {number} largest the value that is drawn strongest */
  paint(state, words, largest) {
    for (const cell of this.cells) {
      const { kind, value } = state(cell.index);
      if (cell.rect.getAttribute("class") !== kind) cell.rect.setAttribute("class", kind);
      const strength = value === undefined || !largest ? 0 : Math.min(1, Math.abs(+value) / largest) || 0;
      if (value !== undefined) cell.rect.setAttribute("fill-opacity", strength.toFixed(2));
      else cell.rect.removeAttribute("fill-opacity");
      cell.rect.classList.toggle("heat", value !== undefined);
      cell.rect.classList.toggle("below", value !== undefined && +value < 0);
      if (cell.text) {
        const text = value === undefined || kind.includes("outside") ? "" : words(value);
        cell.text.textContent = text;
        if (text.length * NUMBER_LETTER > this.across - 4) cell.text.setAttribute("textLength", `${this.across - 4}`);
        else cell.text.removeAttribute("textLength");
        cell.text.setAttribute("class", strength > 0.68 ? `strong${strength > 0.9 ? " most" : ""}${+(value ?? 0) < 0 ? " below" : ""}` : "");
      }
    }
  }
}

/** How wide a grid would be if it had the room. @param {[number, number][]} reach @param {number} tall @param {boolean} numbers */
export function wantedWidth(reach, tall, numbers) {
  const [rows, columns] = reach.map(([from, to]) => to - from);
  return columns * (numbers ? NUMBER_CELL : Math.max(MIDDLE_CELL, Math.min(LARGEST_CELL, Math.floor(tall / rows)))) + 2;
}

/** Shares a width: who wants less than an equal share has what it wants, the others have the rest in equal parts. @param {number[]} wanted @param {number} width */
export function shared(wanted, width) {
  let left = width;
  const found = wanted.map(() => 0);
  const order = wanted.map((_, at) => at).sort((a, b) => wanted[a] - wanted[b]);
  order.forEach((at, done) => {
    found[at] = Math.min(wanted[at], left / (order.length - done));
    left -= found[at];
  });
  return found;
}

/** A tensor's grid with its name above and words below. @param {CellGrid} grid @param {Node | string} title */
export function cellFigure(grid, title) {
  const words = make("div", "cellwords");
  return { figure: make("figure", "cellfigure", make("figcaption", "", title), grid.svg, words), words };
}
