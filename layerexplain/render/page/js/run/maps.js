// What the boxes of the graph give, beside each of them: tiles of channels, bars of a vector, a heat map of a sequence.

import { grown } from "../box_text.js";
import { GUTTER, hasGutter } from "../costs.js";
import { NEAR_SCALE } from "../distances.js";
import { make } from "../dom.js";
import { numberText, placeText } from "../element_words.js";
import { drawTiles, range, strip, tilesOf } from "../tiles.js";
import { layerValues } from "../values.js";
import { reachOf } from "./reach.js";

/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("../placing.js").Item} Item */
/** @typedef {import("../graph_view.js").GraphView} GraphView */
/** @typedef {{tiles: import("../tiles.js").Tiles, picture: HTMLCanvasElement | null, layer: number, call: number, line: string, tensor: number}} Shown what a box gives */
/** @typedef {{shown: Shown, item: Item, x: number, y: number, w: number, h: number, tile: number, bars: boolean}} MapPlace where a tile stands, in pixels of the canvas */

/** Tiles are at least and at most so large on the screen where all of a graph is in view, and from near. */
const LEAST_MAP = 24;
const MOST_MAP = 40;
const MOST_MAP_NEAR = 120;
const MAP_GAP = 4;
const MAP_TILES = 8;
/** A side of a tile has at most so many numbers. */
const MAP_SIDE = 64;
/** So much room is kept between a box and what it gives. */
const MAP_APART = 12;
/** Rows of boxes are at least so far apart, in units of the graph. */
const BETWEEN_ROWS = 28;
/** Beside lanes there are shapes. */
const LANE_WORDS = 52;
/** The tile under the pointer is so large beside it. */
const PEEK = 176;
/** How long the model takes to light up, in milliseconds. */
const WAVE = 1500;

/** How many numbers of a row are drawn: all that have a pixel where there is one row. @param {number[]} sizes @param {(number | null)[]} grid */
const sideOf = (sizes, [rows]) => (rows === null || sizes[rows] === 1 ? MAP_TILES * MOST_MAP : MAP_SIDE);

export class Maps {
  /** @param {Live} live @param {GraphView} view @param {(layer: number, call: number, line: string, index: number[]) => void} open shows an element of a layer */
  constructor(live, view, open) {
    this.live = live;
    this.view = view;
    this.open = open;
    /** @type {Map<number, Shown | null>} by calls, those of the last run */
    this.known = new Map();
    /** @type {MapPlace[]} */
    this.places = [];
    /** How far the model has lit up, from 0 to 1. */
    this.wave = 1;
    /** @type {Map<number, import("./reach.js").Places> | null} what the place under the pointer reads, by tensors */
    this.reads = null;
    this.asked = 0;
    this.picture = make("canvas", "tiles");
    this.words = make("p", "quiet");
    this.peek = make("div", "peek", this.picture, this.words);
    this.peek.hidden = true;
    view.element.append(this.peek);
    view.picture.maps = (ratio) => this.paint(ratio);
    live.onRun(() => {
      this.known.clear();
      view.redraw();
      return true;
    });
    view.canvas.addEventListener("pointermove", (event) => this.hover(event));
    view.canvas.addEventListener("pointerleave", () => this.leave());
    view.onMap = (x, y) => {
      const place = this.at(x, y);
      if (place) this.choose(place, x, y);
      return place !== undefined;
    };
  }

  /** Lights the model up from its inputs to its outputs. */
  light() {
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const begin = performance.now();
    const step = () => {
      this.wave = Math.min(1, (performance.now() - begin) / WAVE);
      this.view.redraw();
      if (this.wave < 1) requestAnimationFrame(step);
    };
    step();
  }

  /** What a box gives; of a block its last layer. @param {Item} item @returns {Shown | null} */
  of(item) {
    const number = item.call >= 0 ? item.call : item.calls[item.calls.length - 1];
    if (number === undefined || !this.live.hasRun) return null;
    let found = this.known.get(number);
    if (found === undefined) this.known.set(number, (found = this.shown(...this.live.data.calls[number])));
    return found;
  }

  /** @param {number} layer @param {number} call @returns {Shown | null} */
  shown(layer, call) {
    const { data, about, program } = this.live;
    const own = program?.calls.find((one) => one.layer === layer && one.call === call);
    const form = typeof own?.form === "number" && !own.refusal ? data.forms?.[own.form] : undefined;
    if (own && form) {
      const [result] = form.results;
      const array = layerValues(data.layers[layer], data, call).array(result + form.tensors.length);
      const line = form.lines[result];
      return array ? this.drawn(tilesOf(array, line, MAP_TILES, sideOf(array.shape, line.grid))[0], layer, call, line.name, own.first) : null;
    }
    const [tensor] = about.same?.find((one) => one[0] === layer && one[1] === call)?.[2] ?? [null];
    const buffer = tensor === null ? null : program?.tensors[tensor].buffer;
    if (!program || !buffer || tensor === null) return null;
    const line = program.drawnBy(tensor);
    return this.drawn(tilesOf({ shape: buffer.sizes, ...buffer }, line, MAP_TILES, sideOf(buffer.sizes, line.grid))[0], layer, call, "", tensor);
  }

  /** @param {import("../tiles.js").Tiles} tiles @param {number} layer @param {number} call @param {string} line @param {number} tensor @returns {Shown} */
  drawn(tiles, layer, call, line, tensor) {
    return { tiles, picture: strip(tiles), layer, call, line, tensor };
  }

  /** Draws what the boxes in view give. @param {number} ratio pixels of the canvas for each of the page */
  paint(ratio) {
    const { view } = this;
    const { picture, drawing } = view;
    const { pen, colours } = picture;
    const { scale } = view.view;
    this.places = [];
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.imageSmoothingEnabled = false;
    const most = scale > NEAR_SCALE ? Math.min(60 * scale, MOST_MAP_NEAR) : Math.max(LEAST_MAP, Math.min(MOST_MAP, 56 * scale));
    const end = picture.across - 6;
    const first = picture.bars && hasGutter(view.view) ? GUTTER : 0;
    const drawn = (/** @type {Item} */ item) => view.seenAt(grown(picture, item, view.look, scale));
    const items = picture.within(view.view.y, view.view.y + view.canvas.clientHeight / scale).filter((item) => !item.box.port && (item.h + BETWEEN_ROWS) * scale >= most);
    // What stands alone in its row has its maps in one column; lanes at its right are between.
    const beside = (/** @type {Item} */ item) => picture.beside.get(item) ?? [];
    const alone = items.filter((item) => !beside(item).some(Boolean));
    const right = (/** @type {number} */ at) => (at - view.view.x) * view.wide;
    const column = Math.max(...alone.map(drawn).map(({ x, w }) => x + w)) + MAP_APART;
    const behind = right(drawing.width) + LANE_WORDS;
    const isCrossed = alone.some((item) => picture.freeBeside(item)[1] < Infinity) && behind + 2 * most < end;
    for (const item of items) {
      const shown = this.of(item);
      const lit = (item.y + item.h / 2) / drawing.height;
      if (!shown || lit > this.wave) continue;
      const seen = drawn(item);
      const [before, next] = beside(item);
      const [freeLeft, freeRight] = picture.freeBeside(item);
      const own = before ? seen.x + seen.w + MAP_APART : isCrossed ? behind : column;
      // Of several in a row the first has its maps at its left.
      if (next && !before && freeLeft === Infinity) this.paintBox(item, shown, seen.x - MAP_APART, seen.y + seen.h / 2, most, seen.x - 2 * MAP_APART - first, true);
      else if (next || (before && freeRight < Infinity)) this.paintBox(item, shown, seen.x + seen.w + MAP_APART, seen.y + seen.h / 2, most, freeRight * scale - (seen.w - item.w * scale) / 2 - MAP_APART);
      else this.paintBox(item, shown, own, seen.y + seen.h / 2, most, end - own);
      if (this.wave === 1 || this.wave - lit > 0.12) continue;
      pen.strokeStyle = colours.accent;
      pen.lineWidth = 2;
      pen.strokeRect(seen.x - 2, seen.y - 2, seen.w + 4, seen.h + 4);
    }
  }

  /** @param {Item} item @param {Shown} shown @param {number} x @param {number} middle @param {number} most how high tiles may be @param {number} room @param {boolean} [leftwards] whether they end at `x` */
  paintBox(item, shown, x, middle, most, room, leftwards = false) {
    const { count, rows, columns } = shown.tiles;
    const { pen, colours } = this.view.picture;
    if (room < LEAST_MAP) return;
    const bars = rows * columns === 1 || (rows === 1 && count === 1);
    const numbers = count * rows * columns;
    const side = bars ? Math.min(room, MAP_TILES * most, Math.max(2 * most, 10 * numbers)) : (most * columns) / rows;
    // What is much wider than high is a sequence, of which each cell may be narrow.
    const w = bars ? side : Math.max(count > 1 ? LEAST_MAP / 2 : LEAST_MAP, Math.min(side, count > 1 ? 2 * most : 5 * most, room));
    const h = bars ? most : Math.min(most, Math.max((w * rows) / columns, LEAST_MAP / 2));
    const tiles = bars ? 1 : Math.max(1, Math.min(count, Math.floor((room + MAP_GAP) / (w + MAP_GAP))));
    const y = middle - h / 2;
    for (let tile = 0; tile < tiles; tile++) {
      const place = { shown, item, x: (leftwards ? x - tiles * (w + MAP_GAP) + MAP_GAP : x) + tile * (w + MAP_GAP), y, w, h, tile, bars };
      this.places.push(place);
      pen.fillStyle = colours.paper;
      pen.fillRect(place.x, y, w, h);
      if (bars) this.paintBars(place);
      else if (shown.picture) pen.drawImage(shown.picture, 0, tile * rows, columns, rows, place.x, y, w, h);
      pen.strokeStyle = colours.frame;
      pen.lineWidth = 1;
      if (!bars) pen.strokeRect(place.x - 0.5, y - 0.5, w + 1, h + 1);
      this.mark(place);
    }
  }

  /** @param {MapPlace} place */
  paintBars({ shown, x, y, w, h }) {
    const { values } = shown.tiles;
    const { pen, colours } = this.view.picture;
    const [low, high] = range(values);
    const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
    const zero = y + (low < 0 ? h / 2 : h - 1);
    const tall = low < 0 ? h / 2 : h - 1;
    const wide = w / values.length;
    for (let at = 0; at < values.length; at++) {
      const long = (Math.abs(values[at]) / most) * tall;
      pen.fillStyle = values[at] < 0 ? "rgb(52 122 200)" : "rgb(224 84 28)";
      pen.fillRect(x + at * wide, values[at] < 0 ? zero : zero - long, Math.max(wide - (wide > 3 ? 1 : 0), 0.5), long);
    }
    pen.fillStyle = colours.line;
    pen.fillRect(x, zero, w, 1);
  }

  /** Marks in a tile what the place under the pointer reads. @param {MapPlace} place */
  mark({ shown, tile, x, y, w, h, bars }) {
    const own = this.reads?.get(shown.tensor);
    const { rows, columns, index } = shown.tiles;
    if (!own || bars || !index) return;
    const first = index(0, 0, 0);
    /** The first place along a direction that is read, and the one behind the last. @param {(at: number) => number[]} along @param {number} size */
    const lit = (along, size) => {
      const axis = along(1).findIndex((one, at) => one !== first[at]);
      const on = Array.from({ length: size }, (_, at) => axis < 0 || own[axis][along(at)[axis]] === 1);
      return [on.indexOf(true), on.lastIndexOf(true) + 1];
    };
    const [top, bottom] = lit((at) => index(0, at, 0), rows);
    const [left, right] = lit((at) => index(0, 0, at), columns);
    const channel = index(1, 0, 0).findIndex((one, at) => one !== first[at]);
    if (channel >= 0 && !own[channel][tile]) return;
    const { pen, colours } = this.view.picture;
    pen.strokeStyle = colours.accent;
    pen.lineWidth = 2;
    pen.strokeRect(x + (left * w) / columns, y + (top * h) / rows, Math.max(((right - left) * w) / columns, 2), Math.max(((bottom - top) * h) / rows, 2));
  }

  /** @param {number} x @param {number} y */
  at(x, y) {
    return this.places.find((one) => x >= one.x && x < one.x + one.w && y >= one.y && y < one.y + one.h);
  }

  /** The element of a place under a point. @param {MapPlace} place @param {number} x @param {number} y */
  element({ shown: { tiles }, tile, bars, ...place }, x, y) {
    const { rows, columns, count } = tiles;
    const across = Math.floor(((x - place.x) / place.w) * (bars ? count * columns : columns));
    const cell = /** @type {[number, number, number]} */ (bars ? [columns > 1 ? 0 : across, 0, columns > 1 ? across : 0] : [tile, Math.floor(((y - place.y) / place.h) * rows), across]);
    return { cell, index: tiles.index?.(...cell) ?? [], value: tiles.values[(cell[0] * rows + cell[1]) * columns + cell[2]] };
  }

  /** @param {PointerEvent} event */
  hover(event) {
    const place = event.buttons ? undefined : this.at(event.offsetX, event.offsetY);
    if (!place) return this.leave();
    const { tiles, layer, tensor } = place.shown;
    const { cell, index, value } = this.element(place, event.offsetX, event.offsetY);
    const { rows, columns } = tiles;
    if (!place.bars) {
      const own = { ...tiles, count: 1, values: Array.from({ length: rows * columns }, (_, at) => tiles.values[place.tile * rows * columns + at]) };
      drawTiles(this.picture, own, Math.max(1, Math.floor(PEEK / Math.max(rows, columns))));
    }
    this.picture.hidden = place.bars;
    this.words.textContent = `${placeText(this.live.data.layers[layer].name, index)} = ${numberText(value)}${tiles.count > 1 && !place.bars ? `; tile ${cell[0] + 1} of ${tiles.label.replace(/^the first \d+ of /, "") || tiles.count}` : ""}`;
    this.peek.hidden = false;
    const { clientWidth, clientHeight } = this.view.element;
    const left = event.offsetX + 18 + this.peek.offsetWidth > clientWidth ? event.offsetX - 18 - this.peek.offsetWidth : event.offsetX + 18;
    this.peek.style.left = `${Math.max(0, left)}px`;
    this.peek.style.top = `${Math.max(0, Math.min(event.offsetY + 12, clientHeight - this.peek.offsetHeight - 4))}px`;
    this.view.canvas.classList.add("over");
    clearTimeout(this.asked);
    this.asked = setTimeout(() => this.show(this.live.program ? reachOf(this.live.program, tensor, index) : null), 30);
  }

  leave() {
    clearTimeout(this.asked);
    if (this.peek.hidden) return;
    this.peek.hidden = true;
    this.show(null);
  }

  /** Marks what is read, in the tiles and in the inputs. @param {Map<number, import("./reach.js").Places> | null} reads */
  show(reads) {
    this.reads = reads;
    this.live.hovered = reads;
    this.live.widgets?.forEach((one) => one.renew());
    this.view.redraw();
  }

  /** @param {MapPlace} place @param {number} x @param {number} y */
  choose(place, x, y) {
    this.leave();
    const { layer, call, line } = place.shown;
    this.open(layer, call, line, this.element(place, x, y).index);
  }
}
