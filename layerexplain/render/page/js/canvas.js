/** The graph on a canvas: only what is in view is drawn, so that ten thousand boxes move as smoothly as ten. */
import { amount, amountText } from "./amounts.js";
import { lastAtMost } from "./placing.js";

/**
 * @typedef {import("./types.js").Data} Data
 * @typedef {import("./placing.js").Item} Item
 * @typedef {import("./placing.js").Drawing} Drawing
 *
 * @typedef {Object} Look what is to be drawn how
 * @property {string} measure "" colours by the kind of layer
 * @property {Item | null} active
 * @property {Item | null} hovered
 * @property {Set<number> | null} found calls that a search found; null where nothing is sought
 * @property {boolean} masks
 *
 * @typedef {Object} View which part is seen: the point at the upper left corner, and pixels per unit
 * @property {number} x
 * @property {number} y
 * @property {number} scale
 */

const TITLE = 13;
const TEXT = 11;
const LABEL = 10;
const LEADING = 1.35;
const PADDING = 9;
const LONG = 3000;
/** So much wider than its room a text may be; it is condensed. */
const CONDENSED = 1.08;
/** So much wider than others bold letters are in the layout. */
const BOLD = 1.12;
const FAMILIES = ["weights", "windows", "shape", "normal", "activation", "sequence", "attention", "join", "random"];
const FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif";

export class Picture {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Data} data
   */
  constructor(canvas, data) {
    this.canvas = canvas;
    this.data = data;
    this.pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    /** @type {Record<string, string>} */
    this.colours = {};
    /** @type {Map<string, string>} */
    this.cut = new Map();
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
    this.measured = "";
    this.title = "";
    this.text = "";
    this.small = "";
    this.readColours();
    this.readFonts();
  }

  /** Boxes are as wide as their texts are in the font that Python counts with; those of a wider one are smaller. */
  readFonts() {
    const [letters, width] = this.data.letters;
    const size = (/** @type {string} */ weight, /** @type {number} */ wanted, /** @type {number} */ wider) => {
      this.pen.font = `${weight}100px ${FONT}`;
      const fits = (CONDENSED * wider * 100 * width) / this.pen.measureText(letters).width;
      return `${weight}${(wanted * Math.min(1, fits)).toFixed(1)}px ${FONT}`;
    };
    this.title = size("600 ", TITLE, BOLD);
    this.text = size("", TEXT, 1);
    this.small = size("", LABEL, 1);
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["paper", "text", "quiet", "line", "frame", "plain", "fault", "accent", "found", ...FAMILIES.map((one) => `of-${one}`)]) {
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
    this.measured = "";
  }

  /** @param {string} measure */
  measure(measure) {
    if (this.measured === measure) return;
    this.measured = measure;
    this.amounts = new Map();
    this.most = 1;
    if (!measure) return;
    for (const item of this.byTop) {
      const value = item.calls.length ? amount(this.data, item.calls, measure) : 0;
      this.amounts.set(item, value);
      this.most = Math.max(this.most, value || 0);
    }
  }

  /**
   * The boxes that a view shows.
   * @param {number} top
   * @param {number} bottom
   * @returns {Item[]}
   */
  within(top, bottom) {
    const first = lastAtMost(this.byTop.length, (at) => this.byTop[at].y, top - this.tallest - 6) + 1;
    const last = lastAtMost(this.byTop.length, (at) => this.byTop[at].y, bottom);
    return this.byTop.slice(first, last + 1).filter((item) => item.y + item.h + 6 >= top);
  }

  /**
   * @param {View} view
   * @param {Look} look
   */
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

  /**
   * All of the graph at twice its size, for paper.
   * @param {Look} look
   * @param {number} margin
   */
  still(look, margin) {
    const { width, height } = this.drawing;
    this.canvas.width = 2 * (width + 2 * margin);
    this.canvas.height = 2 * (height + 2 * margin);
    this.paint({ x: -margin, y: -margin, scale: 1 }, look, 2, height + 2 * margin);
  }

  /**
   * @param {View} view
   * @param {Look} look
   * @param {number} ratio pixels of the canvas for each of the page
   * @param {number} height
   */
  paint(view, look, ratio, height) {
    const { canvas, pen } = this;
    this.measure(look.measure);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = this.colours.paper;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    const k = ratio * view.scale;
    pen.setTransform(k, 0, 0, k, -view.x * k, -view.y * k);
    const top = view.y;
    const bottom = view.y + height / view.scale;
    for (const item of this.drawing.items) {
      if (item.open && item.y <= bottom && item.y + item.h >= top) this.frame(item, look, view.scale);
    }
    this.lines(top, bottom, view.scale, look);
    if (look.masks) this.masks(top, bottom, view.scale);
    const seen = this.within(top, bottom);
    for (const item of seen) this.box(item, look, view.scale);
    if (view.scale >= 0.5) for (const item of seen) this.label(item);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} w
   * @param {number} h
   * @param {number} corner
   */
  rectangle(x, y, w, h, corner) {
    this.pen.beginPath();
    this.pen.roundRect(x, y, w, h, corner);
  }

  /**
   * @param {Item} item
   * @param {Look} look
   * @param {number} scale
   */
  frame(item, look, scale) {
    const { pen, colours } = this;
    this.rectangle(item.x, item.y, item.w, item.h, 8);
    pen.fillStyle = colours.paper;
    pen.fill();
    const { faulty } = item.box;
    pen.strokeStyle = look.active === item ? colours.accent : faulty ? colours.fault : colours.frame;
    pen.lineWidth = look.active === item ? 2.5 : faulty ? 2 : 1;
    pen.setLineDash(item.box.copies ? [5, 3] : []);
    pen.stroke();
    pen.setLineDash([]);
    if (scale < 0.3) return;
    pen.textAlign = "left";
    const lines = item.box.lines;
    const room = item.w - 24 - 62;
    pen.fillStyle = colours.text;
    pen.font = this.title;
    this.write(titleOf(item, this.data), item.x + 12, item.y + PADDING + 11, room);
    pen.fillStyle = colours.quiet;
    pen.font = this.text;
    lines.slice(1).forEach((line, at) => {
      this.write(line, item.x + 12, item.y + PADDING + 11 + (TITLE + TEXT * at) * LEADING, item.w - 24);
    });
    pen.fillStyle = colours.accent;
    pen.textAlign = "right";
    pen.font = `600 ${TEXT}px ${FONT}`;
    pen.fillText("close", item.x + item.w - 12, item.y + PADDING + 10);
    const copies = item.box.copies;
    if (copies && copies.length > 1) {
      pen.fillText(`‹ ${item.copy + 1} of ${copies.length} ›`, item.x + item.w - 12, item.y + PADDING + 10 + 16);
    }
  }

  /**
   * @param {number} top
   * @param {number} bottom
   * @param {number} scale
   * @param {Look} look
   */
  lines(top, bottom, scale, look) {
    const { pen, colours } = this;
    const last = lastAtMost(this.shortLines.length, (at) => this.shortLines[at].top, bottom);
    const first = lastAtMost(this.shortLines.length, (at) => this.shortLines[at].top, top - LONG - 1) + 1;
    const shown = this.shortLines.slice(first, last + 1).filter((line) => line.bottom >= top);
    shown.push(...this.longLines.filter((line) => line.bottom >= top && line.top <= bottom));
    pen.lineJoin = "round";
    for (const lit of [false, true]) {
      pen.beginPath();
      const ends = [];
      for (const { from, to, points } of shown) {
        if ((look.active !== null && (from === look.active || to === look.active)) !== lit) continue;
        pen.moveTo(points[0], points[1]);
        for (let at = 2; at < points.length; at += 2) pen.lineTo(points[at], points[at + 1]);
        ends.push(points[points.length - 2], points[points.length - 1]);
      }
      pen.strokeStyle = pen.fillStyle = lit ? colours.accent : colours.line;
      pen.lineWidth = lit ? 2 : Math.max(1.2, 0.5 / scale);
      pen.stroke();
      if (scale < 0.25) continue;
      pen.beginPath();
      for (let at = 0; at < ends.length; at += 2) {
        pen.moveTo(ends[at], ends[at + 1]);
        pen.lineTo(ends[at] - 3.4, ends[at + 1] - 7);
        pen.lineTo(ends[at] + 3.4, ends[at + 1] - 7);
        pen.closePath();
      }
      pen.fill();
    }
  }

  /**
   * @param {Item} item
   * @param {Look} look
   * @param {number} scale
   */
  box(item, look, scale) {
    const { pen, colours } = this;
    const { x, y, w, h, box } = item;
    if (box.port) {
      pen.beginPath();
      pen.arc(x + w / 2, y + h / 2, 3, 0, 7);
      pen.fillStyle = colours.line;
      pen.fill();
      return;
    }
    const missed = look.found !== null && !item.calls.some((call) => /** @type {Set<number>} */ (look.found).has(call));
    pen.globalAlpha = missed ? 0.28 : 1;
    const corner = box.input ? 12 : 5;
    pen.strokeStyle = box.faulty ? colours.fault : colours.frame;
    pen.lineWidth = box.faulty ? 2 : 1;
    if (box.copies && box.copies.length > 1 && scale >= 0.15) {
      this.rectangle(x + 4, y + 4, w, h, corner);
      pen.fillStyle = colours.paper;
      pen.fill();
      pen.stroke();
    }
    this.rectangle(x, y, w, h, corner);
    pen.fillStyle = look.measure ? colours.plain : colours[`of-${box.family}`] || colours.plain;
    pen.fill();
    const value = this.amounts.get(item);
    if (look.measure && value) {
      const share = value / this.most;
      pen.globalAlpha *= 0.06 + 0.34 * Math.sqrt(share);
      pen.fillStyle = colours.accent;
      pen.fill();
      pen.globalAlpha = missed ? 0.28 : 1;
      pen.fillRect(x + 1, y + h - 4, Math.max((w - 2) * share, 1), 3);
    }
    const marked = look.found !== null && !missed;
    if (look.active === item || look.hovered === item || marked) {
      pen.strokeStyle = look.active === item ? colours.accent : marked ? colours.found : colours.quiet;
      pen.lineWidth = (look.active === item || marked ? 2.5 : 1.5) / Math.min(scale, 1);
    }
    pen.stroke();
    if (scale >= 0.3) this.texts(item, look, value);
    if (box.inner && !item.open && scale >= 0.3) {
      // A plus in the corner: there is something inside.
      pen.strokeStyle = colours.quiet;
      pen.lineWidth = 1.2;
      pen.beginPath();
      pen.moveTo(x + w - 8, y + h - 5.5);
      pen.lineTo(x + w - 3, y + h - 5.5);
      pen.moveTo(x + w - 5.5, y + h - 8);
      pen.lineTo(x + w - 5.5, y + h - 3);
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  /**
   * @param {Item} item
   * @param {Look} look
   * @param {number | null | undefined} value
   */
  texts(item, look, value) {
    const { pen, colours } = this;
    const about = item.box.lines.slice(1);
    const lines = [titleOf(item, this.data), ...(look.measure ? [this.withValue(item, about[0] || "", amountText(value, look.measure))] : about)];
    const tall = TITLE * LEADING + TEXT * LEADING * (lines.length - 1) - 2;
    let y = item.y + Math.max((item.h - tall) / 2, 3) + TITLE - 2;
    pen.textAlign = "center";
    lines.forEach((line, at) => {
      pen.font = at ? this.text : this.title;
      pen.fillStyle = at && !look.measure ? colours.quiet : colours.text;
      this.write(line, item.x + item.w / 2, y, item.w - 2 * PADDING + 4);
      y += (at ? TEXT : TITLE) * LEADING;
    });
  }

  /** @param {Item} item @param {string} about @param {string} value the two of them, or the value alone where there is no room for both */
  withValue(item, about, value) {
    this.pen.font = this.text;
    const both = `${about} · ${value}`;
    return about && this.pen.measureText(both).width <= item.w - 2 * PADDING + 4 ? both : value;
  }

  /** @param {Item} item the shape that it gives, right of the line that leaves it */
  label(item) {
    if (!item.box.makes) return;
    const { pen, colours } = this;
    const anchor = item.x + item.w / 2;
    pen.font = this.small;
    // Where no line leaves, it stands below the middle.
    pen.textAlign = item.after.length ? "left" : "center";
    pen.fillStyle = colours.quiet;
    pen.fillText(item.box.makes, anchor + (item.after.length ? 5 : 0), item.y + item.h + 11 + (item.box.copies && item.box.copies.length > 1 ? 2 : 0));
  }

  /**
   * Where masks go: from the layer that makes one to those that it reaches.
   * @param {number} top
   * @param {number} bottom
   * @param {number} scale
   */
  masks(top, bottom, scale) {
    const { pen, colours, data } = this;
    /** @type {Map<number, Item>} */
    const shownAs = new Map();
    for (const item of this.byTop) for (const call of item.calls) shownAs.set(data.calls[call][0], item);
    pen.setLineDash([4, 4]);
    pen.strokeStyle = colours.found;
    pen.fillStyle = colours.found;
    pen.lineWidth = Math.max(1.4, 0.8 / scale);
    pen.beginPath();
    const heads = new Path2D();
    for (const item of this.byTop) {
      for (const call of item.calls) {
        const [layer, number] = data.calls[call];
        const mask = data.layers[layer].calls?.[number]?.mask;
        const from = mask === null || mask === undefined ? undefined : shownAs.get(mask);
        if (!from || from === item || from.y > bottom || item.y + item.h < top) continue;
        const x = Math.min(edgeOf(from, item), edgeOf(item, from)) - 26 - Math.min(40, (item.y - from.y) / 30);
        pen.moveTo(from.x, from.y + from.h / 2);
        const y = item.y + item.h / 2;
        pen.bezierCurveTo(x, from.y + from.h / 2, x, y, item.x, y);
        heads.moveTo(item.x, y);
        heads.lineTo(item.x - 7, y - 3.4);
        heads.lineTo(item.x - 7, y + 3.4);
        heads.closePath();
      }
    }
    pen.stroke();
    pen.setLineDash([]);
    if (scale >= 0.25) pen.fill(heads);
  }

  /**
   * Writes a text in a room, in the font that is set: a little condensed, then with its middle left out.
   * @param {string} text
   * @param {number} x
   * @param {number} y
   * @param {number} room
   */
  write(text, x, y, room) {
    this.pen.fillText(this.fitted(text, room * CONDENSED), x, y, room);
  }

  /**
   * A text with its last items or its middle left out where it is too wide, in the font that is set.
   * @param {string} text
   * @param {number} room
   */
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
      // Of `first … last` each end is cut.
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

/** A text of at most so many letters: its middle is left out, and two thirds of them are its beginning. @param {string} text @param {number} keep */
function shortened(text, keep) {
  const end = Math.floor(keep / 3);
  return text.length <= keep ? text : `${text.slice(0, keep - end)}…${text.slice(text.length - end)}`;
}

/** @param {Item} item @param {Item} other @returns {number} its left edge, or that of the outermost frame that the other one is not in */
function edgeOf(item, other) {
  const shared = new Set();
  for (let around = other.around; around; around = around.around) shared.add(around.box);
  let edge = item.x;
  for (let around = item.around; around && !shared.has(around.box); around = around.around) edge = Math.min(edge, around.x);
  return edge;
}

/**
 * What a box is called: the layer that it stands for in the copy that shows.
 * @param {Item} item
 * @param {Data} data
 */
export function titleOf(item, data) {
  if (item.call < 0) return item.box.lines[0] || "";
  const [layer, number] = data.calls[item.call];
  const copies = item.box.copies;
  const place = copies && !item.box.inner ? ` (${item.copy + 1} of ${copies.length})` : "";
  return `${data.layers[layer].name}${number ? ` (call ${number + 1})` : ""}${place}`;
}
