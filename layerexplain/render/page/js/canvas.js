/** The graph on a canvas: only what is in view is drawn, so that ten thousand boxes move as smoothly as ten. */
import { amount } from "./amounts.js";
import { shortened, shortRanges, TEXT, TITLE, titleOf } from "./box_text.js";
import { costsOf, GUTTER, hasGutter, paintCosts } from "./costs.js";
import { blockWidths, FAR, mostStretch, neighbours, startOf, stretchAt } from "./distances.js";
import { paintFar } from "./far.js";
import { paintNear } from "./near.js";
import { lastAtMost } from "./placing.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./placing.js").Item} Item */
/** @typedef {import("./placing.js").Drawing} Drawing */
/**
 * @typedef {{measure: string, active: Item | null, hovered: Item | null, found: Set<number> | null, masks: boolean}} Look what is to be drawn how; `measure`: "" colours by the kind of layer;
 *   `found`: calls that a search found; null where nothing is sought
 */
/** @typedef {{x: number, y: number, scale: number, stretch: number}} View which part is seen: the point at the upper left corner, and pixels per unit; `stretch`: pixels per unit across, for each one along; 1 but from afar */

const LONG = 3000;
/** So far apart boxes and lines stay where boxes are wider than their places. */
const APART = 8;
/** So much room there is right of boxes for what they give, at least. */
export const MAP_ROOM = 48;
/** In less room there are no bars of costs beside what boxes give at their left. */
const LEAST_FOR_BARS = 600;
/** So much wider than its room a text may be; it is condensed. */
const CONDENSED = 1.08;
/** So much wider than others bold letters are in the layout. */
const BOLD = 1.12;
/** What boxes are coloured by, in words. @type {[string, string][]} */
export const FAMILIES = [
  ["weights", "convolution, dense"], ["windows", "pooling"], ["normal", "normalization"], ["activation", "activation"], ["sequence", "recurrent"],
  ["attention", "attention"], ["join", "merging"], ["shape", "shape"], ["random", "regularization, preprocessing"],
];
const FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif";

export class Picture {
  /** @param {HTMLCanvasElement} canvas @param {Data} data */
  constructor(canvas, data) {
    this.canvas = canvas;
    this.data = data;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    /** @type {Record<string, string>} */
    this.colours = {};
    /** @type {Map<string, string>} */
    this.cut = new Map();
    /** @type {Map<string, number>} */
    this.widths = new Map();
    /** @type {Drawing} */
    this.drawing = { items: [], lines: [], width: 0, height: 0 };
    /** @type {Item[]} */
    this.byTop = [];
    this.tallest = 0;
    /** @type {Drawing["lines"]} */
    this.shortLines = [];
    /** @type {Drawing["lines"]} */
    this.longLines = [];
    /** @type {Map<Item, number | null>} */
    this.amounts = new Map();
    this.most = 1;
    /** @type {string | null} the measure of `amounts` and `costs` */
    this.measured = null;
    /** @type {{text: string, x: number, y: number, w: number, h: number}[]} the texts that stand outside of boxes, in pixels */
    this.labels = [];
    /** @type {{x: number, y: number, w: number, h: number}[]} the frames that are seen, in pixels */
    this.frames = [];
    /** @type {{item: Item, next: boolean, x: number, y: number, w: number, h: number}[]} what is pressed in the corner of a frame: to close it, or for the next copy */
    this.corners = [];
    /** @type {ReturnType<typeof costsOf>} */
    this.costs = null;
    /** Those of them that are drawn. @type {ReturnType<typeof costsOf>} */
    this.bars = null;
    /** How much smaller bold and plain texts are than wanted, where the browser's font is wider than the layout's. */
    this.fits = { bold: 1, plain: 1 };
    this.title = "";
    this.text = "";
    /** How wide what is seen is, in pixels of the page. */
    this.across = 0;
    /** Left of here boxes do not become wider than their places: there are the bars of costs. */
    this.least = -Infinity;
    /** Right of here neither: there is room for what they give. */
    this.most = Infinity;
    /** @type {Map<Item, number>} the widths of blocks from afar */
    this.blocks = new Map();
    /** @type {ReturnType<typeof neighbours>} */
    this.beside = new Map();
    /** @type {Map<Item, [number, number]>} the room beside boxes, of those that were asked for */
    this.free = new Map();
    /** @type {Set<Drawing["lines"][number]>} the lines along which a mask goes */
    this.masked = new Set();
    /** @type {(ratio: number) => void} draws what boxes give, where a model runs */
    this.maps = () => {};
    this.readColours();
    this.readFonts();
  }

  /** Boxes are as wide as their texts are in the font that Python counts with; those of a wider one are smaller. */
  readFonts() {
    const [letters, width] = this.data.letters;
    const fits = (/** @type {string} */ weight, /** @type {number} */ wider) => {
      this.pen.font = `${weight}100px ${FONT}`;
      return Math.min(1, (CONDENSED * wider * 100 * width) / this.pen.measureText(letters).width);
    };
    this.fits = { bold: fits("600 ", BOLD), plain: fits("", 1) };
    this.title = this.bold(TITLE);
    this.text = this.plain(TEXT);
  }

  /** @param {number} size */
  bold(size) {
    return `600 ${(size * this.fits.bold).toFixed(1)}px ${FONT}`;
  }

  /** @param {number} size */
  plain(size) {
    return `${(size * this.fits.plain).toFixed(1)}px ${FONT}`;
  }

  /** @param {Item} item */
  titleOf(item) {
    return titleOf(item, this.data);
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["paper", "text", "quiet", "line", "frame", "plain", "fault", "accent", ...FAMILIES.flatMap(([one]) => [`of-${one}`, `strong-${one}`])]) {
      this.colours[name] = style.getPropertyValue(`--${name}`).trim();
    }
  }

  /** @param {Drawing} drawing */
  show(drawing) {
    this.drawing = drawing;
    this.byTop = drawing.items.filter((item) => !item.open).sort((a, b) => a.y - b.y);
    this.tallest = this.byTop.reduce((most, item) => Math.max(most, item.h), 0);
    this.shortLines = drawing.lines.filter((line) => line.bottom - line.top <= LONG).sort((a, b) => a.top - b.top);
    this.longLines = drawing.lines.filter((line) => line.bottom - line.top > LONG);
    this.measured = null;
    this.blocks = blockWidths(this.byTop, this.data);
    this.beside = neighbours(drawing.items);
    this.free.clear();
    this.masked = new Set(drawing.lines.filter(({ from, to }) => this.passesMask(from, to)));
  }

  /** Whether boxes stand beside each other. */
  hasRows() {
    return [...this.beside.values()].some(([, next]) => next);
  }

  /** Half of how wide a box can be drawn. @param {Item} item */
  halfAround(item) {
    return item.w / 2 + Math.max(0, Math.min(...this.freeBeside(item)));
  }

  /** How much room is free at the left and at the right of a box: up to half of the way to the next box in its row, to a line, and to the frame around. @param {Item} item @returns {[number, number]} */
  freeBeside(item) {
    const known = this.free.get(item);
    if (known) return known;
    const middle = item.x + item.w / 2;
    const [before, next] = this.beside.get(item) ?? [];
    const { around } = item;
    /** @type {[number, number]} */
    const found = [
      Math.min(before ? (item.x - before.x - before.w - APART) / 2 : Infinity, around ? item.x - around.x - APART : Infinity),
      Math.min(next ? (next.x - item.x - item.w - APART) / 2 : Infinity, around ? around.x + around.w - item.x - item.w - APART : Infinity),
    ];
    for (const { points } of this.seenLines(item.y, item.y + item.h)) {
      for (let at = 0; at + 3 < points.length; at += 2) {
        const [x, first, end, last] = points.slice(at, at + 4);
        if (x !== end || Math.min(first, last) >= item.y + item.h || Math.max(first, last) <= item.y) continue;
        const side = x < middle ? 0 : 1;
        found[side] = Math.min(found[side], Math.abs(x - middle) - item.w / 2 - APART);
      }
    }
    this.free.set(item, found);
    return found;
  }

  /** @param {Item} from @param {Item} to whether the mask that reaches one comes along with the tensor of the other */
  passesMask(from, to) {
    const { data } = this;
    const reaches = new Set(to.calls.map((call) => data.layers[data.calls[call][0]].calls?.[data.calls[call][1]]?.mask ?? -1));
    reaches.delete(-1);
    return reaches.size > 0 && from.calls.some((call) => {
      const [layer, number] = data.calls[call];
      return reaches.has(layer) || reaches.has(data.layers[layer].calls?.[number]?.mask ?? -1);
    });
  }

  /** @param {string} measure */
  measure(measure) {
    if (this.measured === measure) return;
    this.measured = measure;
    this.amounts = new Map();
    this.most = 1;
    this.costs = costsOf(this.data, this.drawing.items, measure);
    if (!measure) return;
    for (const item of this.byTop) {
      const value = item.calls.length ? amount(this.data, item.calls, measure) : 0;
      this.amounts.set(item, value);
      this.most = Math.max(this.most, value || 0);
    }
  }

  /** The boxes that a view shows. @param {number} top @param {number} bottom @returns {Item[]} */
  within(top, bottom) {
    const first = lastAtMost(this.byTop.length, (at) => this.byTop[at].y, top - this.tallest - 6) + 1;
    const last = lastAtMost(this.byTop.length, (at) => this.byTop[at].y, bottom);
    return this.byTop.slice(first, last + 1).filter((item) => item.y + item.h + 6 >= top);
  }

  /** @param {View} view @param {Look} look */
  draw(view, look) {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.paint(view, look, ratio, height);
  }

  /** All of the graph at twice its size, for paper. @param {Look} look @param {number} margin */
  still(look, margin) {
    const { width, height } = this.drawing;
    this.measure(look.measure);
    const left = this.costs ? GUTTER : margin;
    this.canvas.width = 2 * (width + left + margin);
    this.canvas.height = 2 * (height + 2 * margin);
    this.paint({ x: -left, y: -margin, scale: 1, stretch: 1 }, look, 2, height + 2 * margin);
  }

  /** All of the graph as from afar on a sheet of this size, for paper. @param {Look} look @param {number} width @param {number} height */
  sheet(look, width, height) {
    this.canvas.width = 2 * width;
    this.canvas.height = 2 * height;
    const most = mostStretch(this.drawing, 0.6 * width, height - 32);
    const scale = Math.min((height - 32) / this.drawing.height, most > 1 ? Infinity : (width - 32) / this.drawing.width, FAR * 0.99);
    const stretch = stretchAt(scale, most);
    const wide = scale * stretch;
    this.paint({ x: -startOf(width, this.drawing.width * wide, scale, GUTTER, 16) / wide, y: -16 / scale, scale, stretch }, look, 2, height);
  }

  /** @param {View} view @param {Look} look @param {number} ratio pixels of the canvas for each of the page @param {number} height */
  paint(view, look, ratio, height) {
    const { canvas, pen } = this;
    this.across = canvas.width / ratio;
    this.labels = [];
    this.corners = [];
    const bottom = view.y + height / view.scale;
    const open = this.drawing.items.filter((item) => item.open && item.y <= bottom && item.y + item.h >= view.y);
    const wide = view.scale * view.stretch;
    this.frames = open.map((item) => ({ x: (item.x - view.x) * wide, y: (item.y - view.y) * view.scale, w: item.w * wide, h: item.h * view.scale }));
    this.measure(look.measure);
    this.least = this.costs && hasGutter(view) ? view.x + GUTTER / view.scale : -Infinity;
    this.most = this.data.live ? view.x + (this.across - MAP_ROOM) / view.scale : Infinity;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = this.colours.paper;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    // Where there is little room, it is for what boxes give: of those beside each other the first has that at its left.
    this.bars = view.scale >= FAR && this.data.live && this.hasRows() && canvas.clientWidth && canvas.clientWidth < LEAST_FOR_BARS ? null : this.costs;
    if (view.scale < FAR) {
      paintFar(this, view, look, ratio, height);
      paintCosts(this, this.bars, view, ratio, height);
      return;
    }
    paintCosts(this, this.bars, view, ratio, height);
    paintNear(this, view, look, ratio, height);
    this.maps(ratio);
  }

  /** The lines that a view shows. @param {number} top @param {number} bottom */
  seenLines(top, bottom) {
    const last = lastAtMost(this.shortLines.length, (at) => this.shortLines[at].top, bottom);
    const first = lastAtMost(this.shortLines.length, (at) => this.shortLines[at].top, top - LONG - 1) + 1;
    const shown = this.shortLines.slice(first, last + 1).filter((line) => line.bottom >= top);
    shown.push(...this.longLines.filter((line) => line.bottom >= top && line.top <= bottom));
    return shown;
  }

  /** Lines by their colour: those of the chosen box are lit, those along which masks go have a colour where that is wanted. @param {Drawing["lines"]} lines @param {Look} look */
  kindsOfLines(lines, look) {
    const { colours } = this;
    const kinds = [
      { lines: /** @type {Drawing["lines"]} */ ([]), colour: colours.line, width: 1.2 },
      { lines: /** @type {Drawing["lines"]} */ ([]), colour: colours.accent, width: 2.2 },
      { lines: /** @type {Drawing["lines"]} */ ([]), colour: colours.accent, width: 2 },
    ];
    for (const line of lines) {
      const lit = look.active !== null && (line.from === look.active || line.to === look.active);
      kinds[look.masks && this.masked.has(line) ? 1 : lit ? 2 : 0].lines.push(line);
    }
    return kinds.filter((kind) => kind.lines.length);
  }

  /**
   * Writes a text outside of boxes in the font that is set, where it crosses no frame and no other such text.
   * @param {string} text
   * @param {number} x
   * @param {number} y of its base line
   * @param {number} size of its letters
   * @param {string} colour
   * @param {boolean} [whole] whether it is left out where it has no room in what is seen
   * @returns {{x: number, y: number, w: number, h: number} | null} where it stands, in pixels; null where it has no room
   */
  label(text, x, y, size, colour, whole = false) {
    const { pen } = this;
    const { a, d, e, f } = pen.getTransform();
    const ratio = window.devicePixelRatio || 1;
    const w = pen.measureText(text).width;
    const left = pen.textAlign === "right" ? x - w : pen.textAlign === "center" ? x - w / 2 : x;
    const own = { x: (a * left + e) / ratio, y: (d * (y - 0.8 * size) + f) / ratio, w: (a * w) / ratio, h: (d * size) / ratio };
    const touches = (/** @type {typeof own} */ one) => own.x < one.x + one.w && one.x < own.x + own.w && own.y < one.y + one.h && one.y < own.y + own.h;
    const within = (/** @type {typeof own} */ one) => own.x >= one.x && own.x + own.w <= one.x + one.w && own.y >= one.y && own.y + own.h <= one.y + one.h;
    if ((whole && own.x + own.w > this.across) || this.labels.some(touches) || this.frames.some((one) => touches(one) && !within(one))) return null;
    this.labels.push({ text, ...own });
    pen.strokeStyle = this.colours.paper;
    pen.lineWidth = size / 4;
    pen.strokeText(text, x, y);
    pen.fillStyle = colour;
    pen.fillText(text, x, y);
    return own;
  }

  /** What is pressed in the corner of a frame, as large at every scale: "close", or which copy shows, for the next one. @param {Item} item @param {boolean} next @param {number} x @param {number} y @param {number} size @returns {number} how much room it takes */
  corner(item, next, x, y, size) {
    const count = item.box.copies?.length || 0;
    if (next && count < 2) return 0;
    const text = next ? `${item.copy + 1} of ${count} ›` : "close";
    this.pen.font = this.bold(size);
    const place = this.label(text, x, y, size, this.colours.accent);
    if (place) this.corners.push({ item, next, ...place });
    return this.pen.measureText(text).width + size;
  }

  /** How wide a text is in a font. @param {string} text @param {string} font */
  widthOf(text, font) {
    const key = `${font}|${text}`;
    let found = this.widths.get(key);
    if (found === undefined) {
      this.pen.font = font;
      found = this.pen.measureText(text).width;
      if (this.widths.size > 20000) this.widths.clear();
      this.widths.set(key, found);
    }
    return found;
  }

  /** Writes a text in a room, in the font that is set: a little condensed, then with its middle left out. @param {string} text @param {number} x @param {number} y @param {number} room */
  write(text, x, y, room) {
    this.pen.fillText(this.fitted(text, room * CONDENSED), x, y, room);
  }

  /** A text with its last items or its middle left out where it is too wide, in the font that is set. @param {string} text @param {number} room */
  fitted(text, room) {
    const key = `${this.pen.font}|${Math.round(room)}|${text}`;
    let found = this.cut.get(key);
    if (found === undefined) {
      found = text;
      // A list loses whole items first.
      const listed = text.split(", ");
      while (listed.length > 1 && this.pen.measureText(found).width > room) {
        listed.pop();
        found = `${listed.join(", ")}, …`;
      }
      if (found !== text && this.pen.measureText(found).width > room) found = text;
      // Of a range the first name is whole before both ends are cut.
      if (this.pen.measureText(found).width > room) found = [...shortRanges(text), `${text.split(" … ")[0]} …`].find((one) => this.pen.measureText(one).width <= room) ?? found;
      const ends = text.split(" … ");
      let keep = Math.min(200, Math.max(...ends.map((end) => end.length)));
      while (keep > 3 && this.pen.measureText(found).width > room) {
        keep -= Math.max(1, keep >> 4);
        found = ends.map((end) => shortened(end, keep)).join(" … ");
      }
      if (this.cut.size > 20000) this.cut.clear();
      this.cut.set(key, found);
    }
    return found;
  }
}
