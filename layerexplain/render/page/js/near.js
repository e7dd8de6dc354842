/** The graph up close: frames of open boxes, lines with arrows, boxes with what they say, and the shapes between them. */
import { boxTexts, grown, LEADING, LEAST_SEEN, seenSize, TEXT, TITLE } from "./box_text.js";
import { fillOf } from "./costs.js";
import { lanesOf, LEAST_LANE, skipShapes } from "./far.js";

/** @typedef {import("./placing.js").Item} Item */
/** @typedef {import("./canvas.js").Picture} Picture */
/** @typedef {import("./canvas.js").Look} Look */
/** @typedef {import("./canvas.js").View} View */

const LABEL = 12;
/** Shapes are at most so large, in units of the graph: the rows of boxes are not further apart. */
const MOST_LABEL = 22;

/** @param {Picture} picture @param {View} view @param {Look} look @param {number} ratio pixels of the canvas for each of the page @param {number} height of what is seen, in pixels */
export function paintNear(picture, view, look, ratio, height) {
  const { pen } = picture;
  const k = ratio * view.scale;
  pen.setTransform(k, 0, 0, k, -view.x * k, -view.y * k);
  const top = view.y;
  const bottom = view.y + height / view.scale;
  const open = picture.drawing.items.filter((item) => item.open && item.y <= bottom && item.y + item.h >= top);
  for (const item of open) paintFrame(picture, item, look);
  for (const item of open) paintTitle(picture, item, view.scale);
  paintLines(picture, top, bottom, view.scale, look);
  const seen = picture.within(top, bottom);
  for (const item of seen) paintBox(picture, item, look, view.scale);
  for (const item of seen) paintShape(picture, item, view.scale);
  const same = (/** @type {number} */ at) => at;
  skipShapes(picture, lanesOf(picture.seenLines(top, bottom), same, same, (3 * LEAST_LANE) / view.scale), Math.min(MOST_LABEL, seenSize(LABEL, view.scale)));
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {number} w @param {number} h @param {number} corner */
function rectangle(pen, x, y, w, h, corner) {
  pen.beginPath();
  pen.roundRect(x, y, w, h, corner);
}

/** @param {Picture} picture @param {Item} item @param {Look} look */
function paintFrame(picture, item, look) {
  const { pen, colours } = picture;
  rectangle(pen, item.x, item.y, item.w, item.h, 8);
  pen.fillStyle = colours.paper;
  pen.fill();
  const { faulty } = item.box;
  pen.strokeStyle = look.active === item ? colours.accent : faulty ? colours.fault : colours.frame;
  pen.lineWidth = look.active === item ? 2.5 : faulty ? 2 : 1;
  pen.setLineDash(item.box.copies ? [5, 3] : []);
  pen.stroke();
  pen.setLineDash([]);
}

/** What stands in the head of an open box: its name and what is to be said of it, as far as there is room, and what is pressed. @param {Picture} picture @param {Item} item @param {number} scale */
function paintTitle(picture, item, scale) {
  const { pen, colours } = picture;
  const [title, text] = [seenSize(TITLE, scale), seenSize(TEXT, scale)];
  const end = item.y + (item.box.th || 0) - 2;
  let y = item.y + 5 + title;
  const lines = [picture.titleOf(item), ...item.box.lines.slice(1)].filter((_, at) => !at || y + at * text * LEADING <= end);
  const piled = (item.box.copies?.length || 0) > 1;
  lines.forEach((line, at) => {
    pen.textAlign = "right";
    const next = !at && piled;
    const taken = next || at === Number(piled) ? picture.corner(item, next, item.x + item.w - 10, y, LEAST_SEEN / scale) : 0;
    pen.textAlign = "left";
    pen.font = at ? picture.plain(text) : picture.bold(title);
    const room = item.w - 22 - taken;
    if (room > title) picture.label(picture.fitted(line, room), item.x + 12, y, at ? text : title, at ? colours.quiet : colours.text);
    y += text * LEADING;
  });
}

/** @param {Picture} picture @param {number} top @param {number} bottom @param {number} scale @param {Look} look */
function paintLines(picture, top, bottom, scale, look) {
  const { pen } = picture;
  pen.lineJoin = "round";
  for (const { lines, colour, width } of picture.kindsOfLines(picture.seenLines(top, bottom), look)) {
    pen.beginPath();
    for (const { points } of lines) {
      pen.moveTo(points[0], points[1]);
      for (let at = 2; at < points.length; at += 2) pen.lineTo(points[at], points[at + 1]);
    }
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = Math.max(width, 0.5 / scale);
    pen.stroke();
    pen.beginPath();
    for (const { points } of lines) {
      const [a, b, x, y] = points.slice(-4);
      const [dx, dy] = [Math.sign(x - a), Math.sign(y - b)];
      pen.moveTo(x, y);
      pen.lineTo(x - 7 * dx - 3.4 * dy, y - 7 * dy - 3.4 * dx);
      pen.lineTo(x - 7 * dx + 3.4 * dy, y - 7 * dy + 3.4 * dx);
      pen.closePath();
    }
    pen.fill();
  }
}

/** @param {Picture} picture @param {Item} item @param {Look} look @param {number} scale */
function paintBox(picture, item, look, scale) {
  const { pen, colours } = picture;
  const { box } = item;
  const wide = box.port ? item : grown(picture, item, look, scale);
  const { x, y, w, h } = wide;
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
  // What has a colour needs no frame; a pile does.
  const framed = !box.family || look.measure || (box.copies?.length || 0) > 1;
  pen.strokeStyle = box.faulty ? colours.fault : framed ? colours.frame : "transparent";
  pen.lineWidth = box.faulty ? 2 : 1;
  if (box.copies && box.copies.length > 1) {
    rectangle(pen, x + 4, y + 4, w, h, corner);
    pen.fillStyle = colours.paper;
    pen.fill();
    pen.stroke();
  }
  rectangle(pen, x, y, w, h, corner);
  pen.fillStyle = look.measure ? colours.plain : fillOf(picture, box, x, w, "of", colours.plain);
  pen.fill();
  const value = picture.amounts.get(item);
  if (look.measure && value) {
    const share = value / picture.most;
    pen.globalAlpha *= 0.06 + 0.34 * Math.sqrt(share);
    pen.fillStyle = colours.accent;
    pen.fill();
    pen.globalAlpha = missed ? 0.28 : 1;
    pen.fillRect(x + 1, y + h - 4, Math.max((w - 2) * share, 1), 3);
  }
  const marked = look.found !== null && !missed;
  if (look.active === item || look.hovered === item || marked) {
    pen.strokeStyle = look.active === item || marked ? colours.accent : colours.quiet;
    pen.lineWidth = (look.active === item || marked ? 2.5 : 1.5) / Math.min(scale, 1);
  }
  pen.stroke();
  boxTexts(picture, wide, look, value, scale);
  if (box.inner && !item.open) {
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

/** Writes the shape that a box gives, right of the line that leaves it. @param {Picture} picture @param {Item} item @param {number} scale */
function paintShape(picture, item, scale) {
  if (!item.box.makes) return;
  const { pen, colours } = picture;
  const anchor = item.x + item.w / 2;
  const size = Math.min(MOST_LABEL, seenSize(LABEL, scale));
  if (size * scale < LEAST_SEEN - 0.1) return;
  pen.font = picture.plain(size);
  // Where no line leaves, it stands below the middle.
  pen.textAlign = item.after.length ? "left" : "center";
  const pile = item.box.copies && item.box.copies.length > 1 ? 2 : 0;
  picture.label(item.box.makes, anchor + (item.after.length ? 5 : 0), item.up ? item.y - 4 : item.y + item.h + 2 + 0.8 * size + pile, size, colours.quiet, true);
}
