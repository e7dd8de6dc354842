/** The graph from afar: blocks of the size of their tensors in the colour of what they do, with names where there is room. */
import { amountText } from "./amounts.js";
import { detailsOf, shortRanges } from "./box_text.js";
import { fillOf, GUTTER, hasGutter } from "./costs.js";

/** @typedef {import("./placing.js").Item} Item */
/** @typedef {import("./canvas.js").Picture} Picture */
/** @typedef {import("./canvas.js").Look} Look */
/** @typedef {import("./canvas.js").View} View */

const NAME = 12;
/** Blocks of so many pixels have a name beside them. */
const LEAST_HEIGHT = 7;
/** Lanes of so many pixels say the shape of what goes along them. */
export const LEAST_LANE = 60;
/** In less room than this many pixels there is no name. */
const LEAST_NAME = 60;

/** @param {Picture} picture @param {View} view @param {Look} look @param {number} ratio @param {number} height of what is seen, in pixels */
export function paintFar(picture, view, look, ratio, height) {
  const { pen, colours } = picture;
  const wide = view.scale * view.stretch;
  const x = (/** @type {number} */ at) => (at - view.x) * wide;
  const y = (/** @type {number} */ at) => (at - view.y) * view.scale;
  const top = view.y;
  const bottom = view.y + height / view.scale;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.lineWidth = 1;
  pen.strokeStyle = colours.frame;
  for (const item of picture.drawing.items) {
    if (!item.open || item.y > bottom || item.y + item.h < top || item.h * view.scale < 6) continue;
    pen.strokeStyle = look.active === item ? colours.accent : colours.frame;
    pen.strokeRect(x(item.x), y(item.y), item.w * wide, item.h * view.scale);
  }
  const lines = picture.seenLines(top, bottom);
  for (const kind of picture.kindsOfLines(lines, look)) {
    pen.beginPath();
    for (const { points } of kind.lines) {
      pen.moveTo(x(points[0]), y(points[1]));
      for (let at = 2; at < points.length; at += 2) pen.lineTo(x(points[at]), y(points[at + 1]));
    }
    pen.strokeStyle = kind.colour;
    pen.lineWidth = kind.width;
    pen.stroke();
  }
  for (const item of picture.drawing.items) {
    if (!item.open || item.y > bottom || item.y + item.h < top || item.h * view.scale < NAME) continue;
    // A title that has no room above the boxes in the frame stands at its right.
    const above = (item.box.th || 0) * view.scale >= NAME + 4;
    let left = above ? x(item.x) + 5 : x(item.x + item.w) + 6;
    pen.textAlign = "left";
    left += picture.corner(item, true, left, y(item.y) + NAME + 2, NAME);
    pen.font = picture.plain(NAME);
    const room = above ? x(item.x + item.w) - left - 5 : picture.across - left - 4;
    if (room > LEAST_NAME) picture.label(picture.fitted(picture.titleOf(item), room), left, y(item.y) + NAME + 2, NAME, colours.quiet);
  }
  const seen = picture.within(top, bottom);
  let before = "";
  for (const item of seen) {
    if (item.box.port) continue;
    // Of blocks that are thinner than a pixel, one is drawn for those at the same place.
    const place = `${Math.round(2 * y(item.y))} ${Math.round(x(item.x + item.w / 2))}`;
    if (place !== before || look.active === item) block(picture, item, look, x, y, wide, view.scale);
    before = place;
  }
  const lanes = lanesOf(lines, x, y, NAME);
  pen.textAlign = "left";
  const first = picture.costs && hasGutter(view) ? GUTTER : 0;
  for (const item of seen) name(picture, item, look, x, y, wide, view.scale, lanes, first);
  skipShapes(picture, lanes.filter((one) => one.bottom - one.top >= LEAST_LANE && one.from.h * view.scale >= NAME), NAME);
}

/** @param {Picture} picture @param {Item} item @param {Look} look @param {(at: number) => number} x @param {(at: number) => number} y @param {number} wide @param {number} scale */
function block(picture, item, look, x, y, wide, scale) {
  const { pen, colours } = picture;
  const w = Math.max((picture.blocks.get(item) || item.w) * wide, 2);
  const h = Math.max(item.h * scale, 1);
  const left = x(item.x + item.w / 2) - w / 2;
  const missed = look.found !== null && !item.calls.some((call) => /** @type {Set<number>} */ (look.found).has(call));
  pen.globalAlpha = missed ? 0.2 : 1;
  if (item.box.copies && item.box.copies.length > 1 && h > 5) {
    pen.fillStyle = colours.line;
    pen.fillRect(left + 2, y(item.y) + 2, w, h);
  }
  const share = look.measure ? (picture.amounts.get(item) || 0) / picture.most : 0;
  pen.fillStyle = look.measure ? colours.plain : fillOf(picture, item.box, left, w, "strong", colours.line);
  pen.fillRect(left, y(item.y), w, h);
  if (look.measure) {
    pen.globalAlpha = (missed ? 0.2 : 1) * (0.1 + 0.9 * Math.sqrt(share));
    pen.fillStyle = colours.accent;
    pen.fillRect(left, y(item.y), w, h);
  }
  pen.globalAlpha = 1;
  const marked = look.found !== null && !missed;
  if (look.active !== item && look.hovered !== item && !marked && !item.box.faulty) return;
  pen.strokeStyle = look.active === item || (marked && !item.box.faulty) ? colours.accent : item.box.faulty ? colours.fault : colours.text;
  pen.lineWidth = 2;
  pen.strokeRect(left - 1, y(item.y) - 1, w + 2, h + 2);
}

/** @typedef {{x: number, top: number, bottom: number, from: Item, below: boolean}} Lane where a line passes by other boxes; `below`: below the box that it comes from */

/** The lanes of lines that pass by other boxes. @param {import("./placing.js").Drawing["lines"]} lines @param {(at: number) => number} x @param {(at: number) => number} y @param {number} least the shortest one that counts */
export function lanesOf(lines, x, y, least) {
  /** @type {Lane[]} */
  const found = [];
  for (const { from, points } of lines) {
    if (points.length < 8) continue;
    let lane = -1;
    let tall = least;
    for (let at = 0; at + 3 < points.length; at += 2) {
      const length = Math.abs(y(points[at + 3]) - y(points[at + 1]));
      if (points[at] === points[at + 2] && length >= tall) [lane, tall] = [at, length];
    }
    const ends = [y(points[lane + 1]), y(points[lane + 3])];
    if (lane >= 0) found.push({ x: x(points[lane]), top: Math.min(...ends), bottom: Math.max(...ends), from, below: lane === 0 });
  }
  return found;
}

/** Where a text may begin at a height: right of the lanes that would cross its first `reach` pixels. @param {Lane[]} lanes @param {number} left @param {number} at @param {number} apart @param {number} [reach] */
function besideLanes(lanes, left, at, apart, reach = 4 * apart) {
  const near = lanes.filter((one) => one.top <= at && one.bottom >= at && one.x > left - apart).map((one) => one.x).sort((a, b) => a - b);
  return near.reduce((from, lane) => (lane < from + reach ? Math.max(from, lane + apart) : from), left);
}

/** The shapes of what goes along lanes, at the bends where they begin. @param {Picture} picture @param {Lane[]} lanes @param {number} size of the letters */
export function skipShapes(picture, lanes, size) {
  const { pen, colours } = picture;
  pen.font = picture.plain(size);
  pen.textAlign = "left";
  /** @type {Set<Item>} */
  const told = new Set();
  for (const { x, top, from, below } of lanes) {
    if (below || !from.box.makes || told.has(from)) continue;
    told.add(from);
    const left = besideLanes(lanes, x + size / 2, top, size / 2);
    picture.label(from.box.makes, left, top + 0.25 * size, size, colours.quiet);
  }
}

/**
 * The name of a box at the right of its block, where it does not reach the next one; else at the left of the first block
 * of a row.
 * @param {Picture} picture
 * @param {Item} item
 * @param {Look} look
 * @param {(at: number) => number} x
 * @param {(at: number) => number} y
 * @param {number} wide
 * @param {number} scale
 * @param {Lane[]} lanes
 * @param {number} first where names may begin
 */
function name(picture, item, look, x, y, wide, scale, lanes, first) {
  if (item.box.port || item.h * scale < LEAST_HEIGHT) return;
  const { pen, colours } = picture;
  pen.font = picture.plain(NAME);
  const w = Math.max((picture.blocks.get(item) || item.w) * wide, 2);
  const beside = x(item.x + item.w / 2) + w / 2 + 7;
  const middle = y(item.y) + (item.h * scale) / 2;
  const [before, next] = picture.beside.get(item) ?? [];
  const title = picture.titleOf(item);
  const end = Math.min(next ? x(next.x) - 5 : Infinity, item.around ? x(item.around.x + item.around.w) - 4 : Infinity, picture.across - 4);
  const whole = besideLanes(lanes, beside, middle, 6, pen.measureText(title).width);
  const left = whole + pen.measureText(title).width <= end ? whole : besideLanes(lanes, beside, middle, 6);
  const room = end - left;
  const [, own = "", ...more] = item.box.lines;
  const about = look.measure ? [amountText(picture.amounts.get(item), look.measure)] : item.call >= 0 ? [own, detailsOf(picture.data, item.call)] : [[own, ...(item.box.single ? more.slice(0, 1) : more.slice(1))].join(", "), own, ...often(item)];
  const titles = [title, ...shortRanges(title)];
  const texts = [...about.filter(Boolean).flatMap((one) => titles.map((name) => `${name}  ${one}`)), ...titles];
  const fits = (/** @type {number} */ width) => texts.find((one) => pen.measureText(one).width <= width);
  const right = x(item.x + item.w / 2) - w / 2 - 7;
  const lane = Math.max(first - 6, ...lanes.filter((one) => one.top <= middle && one.bottom >= middle && one.x < right).map((one) => one.x));
  const atLeft = next && !before ? fits(right - lane - 6) : "";
  const text = fits(room) || atLeft || (room > LEAST_NAME ? cutName(picture, item, title, room) : "");
  if (!text) return;
  const isLeft = text === atLeft && !fits(room);
  pen.textAlign = isLeft ? "right" : "left";
  picture.label(text, isLeft ? right : left, middle + 4, NAME, colours.quiet);
}

/** A name that is cut; of a block that repeats with how often. @param {Picture} picture @param {Item} item @param {string} title @param {number} room */
function cutName(picture, item, title, room) {
  const after = often(item).map((one) => `  ${one}`).join("");
  return picture.fitted(title, room - picture.pen.measureText(after).width) + after;
}

/** How often a block repeats, in as little room as can be. @param {Item} item */
function often({ box }) {
  return box.copies && box.copies.length > 1 ? [`×${box.copies.length}`] : [];
}
