/** The graph from afar: blocks of the size of their tensors in the colour of what they do, with names where there is room. */

/**
 * @typedef {import("./placing.js").Item} Item
 * @typedef {import("./canvas.js").Picture} Picture
 * @typedef {import("./canvas.js").Look} Look
 * @typedef {import("./canvas.js").View} View
 */

const NAME = 11;
/** Blocks of so many pixels have a name beside them. */
const LEAST_HEIGHT = 7;
/** In less room than this many pixels there is no name. */
const LEAST_NAME = 60;

/**
 * @param {Picture} picture
 * @param {View} view
 * @param {Look} look
 * @param {number} ratio
 * @param {number} height of what is seen, in pixels
 */
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
    if (item.h * view.scale < 60) continue;
    pen.font = picture.plain(NAME);
    pen.fillStyle = colours.quiet;
    pen.textAlign = "left";
    picture.write(picture.titleOf(item), x(item.x) + 5, y(item.y) + NAME + 2, item.w * wide - 10);
  }
  for (const kind of picture.kindsOfLines(picture.seenLines(top, bottom), look)) {
    pen.beginPath();
    for (const { points } of kind.lines) {
      pen.moveTo(x(points[0]), y(points[1]));
      for (let at = 2; at < points.length; at += 2) pen.lineTo(x(points[at]), y(points[at + 1]));
    }
    pen.strokeStyle = kind.colour;
    pen.lineWidth = kind.width;
    pen.stroke();
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
  pen.textAlign = "left";
  for (const item of seen) name(picture, item, x, y, wide, view.scale);
}

/**
 * @param {Picture} picture
 * @param {Item} item
 * @param {Look} look
 * @param {(at: number) => number} x
 * @param {(at: number) => number} y
 * @param {number} wide
 * @param {number} scale
 */
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
  pen.fillStyle = look.measure ? colours.plain : colours[`strong-${item.box.family}`] || colours.line;
  pen.fillRect(left, y(item.y), w, h);
  if (look.measure) {
    pen.globalAlpha = (missed ? 0.2 : 1) * (0.1 + 0.9 * Math.sqrt(share));
    pen.fillStyle = colours.accent;
    pen.fillRect(left, y(item.y), w, h);
  }
  pen.globalAlpha = 1;
  const marked = look.found !== null && !missed;
  if (look.active !== item && look.hovered !== item && !marked && !item.box.faulty) return;
  pen.strokeStyle = look.active === item ? colours.accent : item.box.faulty ? colours.fault : marked ? colours.found : colours.text;
  pen.lineWidth = 2;
  pen.strokeRect(left - 1, y(item.y) - 1, w + 2, h + 2);
}

/**
 * The name of a box at the right of its block, where it does not reach the next one.
 * @param {Picture} picture
 * @param {Item} item
 * @param {(at: number) => number} x
 * @param {(at: number) => number} y
 * @param {number} wide
 * @param {number} scale
 */
function name(picture, item, x, y, wide, scale) {
  if (item.box.port || item.h * scale < LEAST_HEIGHT) return;
  const { pen, colours } = picture;
  pen.font = picture.plain(NAME);
  const w = Math.max((picture.blocks.get(item) || item.w) * wide, 2);
  const left = x(item.x + item.w / 2) + w / 2 + 7;
  const room = Math.min((picture.rooms.get(item) ?? Infinity) * wide - w / 2 - 12, picture.across - left - 4);
  const title = picture.titleOf(item);
  const text = [`${title}  ${item.box.copies ? "" : item.box.lines[1] || ""}`, title].find((one) => pen.measureText(one).width <= room)
    ?? (room > LEAST_NAME ? picture.fitted(title, room) : "");
  if (!text) return;
  const middle = y(item.y) + (item.h * scale) / 2 + 4;
  pen.strokeStyle = colours.paper;
  pen.lineWidth = 3;
  pen.strokeText(text, left, middle);
  pen.fillStyle = colours.quiet;
  pen.fillText(text, left, middle);
}
