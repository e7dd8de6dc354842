/** What stands in a box, as large as can be read at the scale that it is seen at. */
import { amountText } from "./amounts.js";
import { NEAR_SCALE } from "./distances.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./placing.js").Item} Item */
/** @typedef {import("./canvas.js").Picture} Picture */
/** @typedef {import("./canvas.js").Look} Look */

export const TITLE = 13;
export const TEXT = 12;
export const LEADING = 1.35;
export const PADDING = 9;
/** Texts are at least so large on the screen, in pixels, and titles at most, whatever the scale is. */
export const LEAST_SEEN = 12;
const MOST_SEEN = 17;
/** A formula that is shown in a box has at most so many letters. */
const LONGEST_FORMULA = 60;
/** A formula that has no room at this part of the size of other texts is left out: cut, it would say something else. */
const LEAST_FORMULA = 0.7;

/** What a box is called: the layer that it stands for in the copy that shows. @param {Item} item @param {Data} data */
export function titleOf(item, data) {
  if (item.call < 0) return item.box.lines[0] || "";
  const [layer, number] = data.calls[item.call];
  const copies = item.box.copies;
  const place = copies && !item.box.inner ? ` (${item.copy + 1} of ${copies.length})` : "";
  return `${data.layers[layer].name}${number ? ` (call ${number + 1})` : ""}${place}`;
}

/** The size of a text of this size, in units of the graph: such that it can be read, in half steps. @param {number} size @param {number} scale */
export function seenSize(size, scale) {
  const least = LEAST_SEEN / scale;
  const most = (MOST_SEEN * size) / TITLE / scale;
  return size > most ? Math.max(Math.round(4 * most) / 4, 1) : Math.max(size, Math.ceil(2 * least) / 2);
}

/** Writes the texts of a box, those that have room; from near with the formula of the layer. @param {Picture} picture @param {Item} item @param {Look} look @param {number | null | undefined} value @param {number} scale */
export function boxTexts(picture, item, look, value, scale) {
  const { pen, colours, data } = picture;
  const own = shortTitle(picture, item, seenSize(TITLE, scale));
  const title = Math.min(seenSize(TITLE, scale), Math.max((seenSize(TITLE, scale) * roomIn(item)) / titleWidth(picture, own, scale), LEAST_SEEN / scale));
  const text = seenSize(TEXT, scale);
  const about = item.box.lines.slice(1);
  const lines = [own, ...(look.measure ? [withValue(picture, item, about[0] || "", amountText(value, look.measure), text)] : about)];
  const room = linesIn(item, title, text);
  const shown = lines.slice(0, room).map((line, at) => (at ? shortLine(picture, item, line, at, text) : line)).filter(Boolean);
  const near = scale >= NEAR_SCALE && item.call >= 0;
  const operation = near ? data.layers[data.calls[item.call][0]].operation : "";
  const small = Math.min(1, (roomIn(item) * 1.04) / picture.widthOf(operation, picture.plain(text)));
  const hasFormula = near && operation.length <= LONGEST_FORMULA && !item.box.input && small >= LEAST_FORMULA;
  if (hasFormula) shown.push(operation);
  const tall = title * LEADING + text * LEADING * (shown.length - 1) - 2;
  let y = item.y + Math.max((item.h - tall) / 2, 1) + title - 2 * (title / TITLE);
  if (room === 1) return oneLine(picture, item, own, besideTitle(picture, item, look, value), title, text, y);
  pen.textAlign = "center";
  shown.forEach((line, at) => {
    pen.font = at ? picture.plain(hasFormula && at === shown.length - 1 ? small * text : text) : picture.bold(title);
    pen.fillStyle = at && !look.measure ? colours.quiet : colours.text;
    picture.write(line, item.x + item.w / 2, y, roomIn(item));
    y += (at ? text : title) * LEADING;
  });
}

/** How many lines have room in a box. @param {Item} item @param {number} title @param {number} text the sizes of their letters */
function linesIn(item, title, text) {
  return Math.max(1, 1 + Math.floor((item.h - 5 - title * LEADING) / (text * LEADING)));
}

/** What stands beside the title where there is room for one line: what tells the layer apart, or its amount. @param {Picture} picture @param {Item} item @param {Look} look @param {number | null | undefined} value */
function besideTitle(picture, item, look, value) {
  if (look.measure) return amountText(value, look.measure);
  return (item.call >= 0 && detailsOf(picture.data, item.call)) || item.box.lines[1] || "";
}

/** Writes the title of a box, and what tells it apart beside it if that has room. @param {Picture} picture @param {Item} item @param {string} own @param {string} more @param {number} title @param {number} text @param {number} y */
function oneLine(picture, item, own, more, title, text, y) {
  const { pen, colours } = picture;
  const first = picture.widthOf(own, picture.bold(title));
  const wide = first + text / 2 + picture.widthOf(more, picture.plain(text));
  const both = more !== "" && wide <= roomIn(item) + 1;
  const left = item.x + (item.w - wide) / 2;
  pen.textAlign = both ? "left" : "center";
  pen.font = picture.bold(title);
  pen.fillStyle = colours.text;
  picture.write(own, both ? left : item.x + item.w / 2, y, roomIn(item));
  if (!both) return;
  pen.font = picture.plain(text);
  pen.fillStyle = colours.quiet;
  pen.fillText(more, left + first + text / 2, y);
}

/** How wide a text in a box may be. @param {Item} item */
function roomIn(item) {
  return item.w - 2 * PADDING + 4;
}

/** How wide a title is at the size at which it can be read. @param {Picture} picture @param {string} title @param {number} scale */
function titleWidth(picture, title, scale) {
  return picture.widthOf(title, picture.bold(seenSize(TITLE, scale)));
}

/** A box as it is drawn: wider than its place where its first two texts need that and nothing else is near. @param {Picture} picture @param {Item} item @param {Look} look @param {number} scale @returns {Item} */
export function grown(picture, item, look, scale) {
  if (scale >= NEAR_SCALE) return item;
  const text = seenSize(TEXT, scale);
  const widthOf = (/** @type {string} */ about) => picture.widthOf(about, picture.plain(text));
  const title = titleWidth(picture, titleOf(item, picture.data), scale);
  const beside = linesIn(item, seenSize(TITLE, scale), text) === 1 ? besideTitle(picture, item, look, picture.amounts.get(item)) : "";
  const needed = (beside ? title + text / 2 + widthOf(beside) : Math.max(title, widthOf(item.box.lines[1] || ""))) + 2 * PADDING - 4;
  if (needed <= item.w) return item;
  const w = Math.min(needed, 2 * picture.halfAround(item), 2 * (item.x + item.w / 2 - picture.least), Math.max(item.w, 2 * (picture.most - item.x - item.w / 2)));
  return { ...item, x: item.x + (item.w - w) / 2, w };
}

/** What the names in an open box begin with, by the box. @type {WeakMap<Item, string>} */
const BEGINNINGS = new WeakMap();

/** The title of a box; where it has no room, without the beginning that all names in the open box around have: what is cut would be what tells them apart. @param {Picture} picture @param {Item} item @param {number} size */
function shortTitle(picture, item, size) {
  const title = titleOf(item, picture.data);
  const { around } = item;
  if (!around || picture.widthOf(title, picture.bold(size)) <= roomIn(item) * 1.08) return title;
  let begin = BEGINNINGS.get(around);
  if (begin === undefined) {
    const names = picture.drawing.items.filter((one) => one.around === around && one.call >= 0).map((one) => titleOf(one, picture.data));
    const [first] = names;
    let length = 0;
    while (names.length > 1 && length < first.length && names.every((name) => name[length] === first[length])) length++;
    begin = names.length > 1 ? first.slice(0, length).replace(/[^_./]*$/, "") : "";
    BEGINNINGS.set(around, begin);
  }
  return begin.length > 2 && title.length > begin.length ? `…${title.slice(begin.length)}` : title;
}

/**
 * A line of a box that has less room than the layout gave it: what tells the layer apart goes before its type, and an
 * amount that has no room is left out.
 * @param {Picture} picture @param {Item} item @param {string} line @param {number} at @param {number} size
 */
function shortLine(picture, item, line, at, size) {
  if (picture.widthOf(line, picture.plain(size)) <= roomIn(item) * 1.08) return line;
  if (line.endsWith(" parameters")) return "";
  const details = at === 1 && item.call >= 0 ? detailsOf(picture.data, item.call) : "";
  return details && line.endsWith(details) ? details : line;
}

/** What tells a layer from others of its type, in a few words. @param {Data} data @param {number} call */
export function detailsOf(data, call) {
  const number = data.layers[data.calls[call][0]].configuration;
  return number === undefined ? "" : data.configurations[number][0];
}

/** The two of them, or the value alone where there is no room for both. @param {Picture} picture @param {Item} item @param {string} about @param {string} value @param {number} size */
function withValue(picture, item, about, value, size) {
  const both = `${about} · ${value}`;
  return about && picture.widthOf(both, picture.plain(size)) <= roomIn(item) ? both : value;
}

/** A range `conv2_block2 … conv2_block3` in less room: `conv2_block2 … block3`, `conv2_block2 … 3`. @param {string} text @returns {string[]} */
export function shortRanges(text) {
  const [first, last, more] = text.split(" … ");
  if (last === undefined || more !== undefined) return [];
  let same = 0;
  while (same < last.length && first[same] === last[same]) same++;
  while (same > 0 && /\d/.test(last[same - 1])) same--;
  const word = last.slice(0, same).search(/[^_./]*$/);
  return [word, same].filter((at) => at > 0 && at < last.length).map((at) => `${first} … ${last.slice(at)}`);
}

/** A text of at most so many letters: its middle is left out, and two thirds of them are its beginning. @param {string} text @param {number} keep */
export function shortened(text, keep) {
  const end = Math.floor(keep / 3);
  return text.length <= keep ? text : `${text.slice(0, keep - end)}…${text.slice(text.length - end)}`;
}
