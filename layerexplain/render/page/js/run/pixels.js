// Pictures as inputs: a pad to draw on, and pictures that are dropped on it.

import { make } from "../dom.js";

/** @typedef {import("./tree.js").Buffer} Buffer */
/** @typedef {{rows: number, columns: number, channels: number, top: number, axes: number[], pixel: number, channel: number}} PictureShape how a picture stands in an input: its numbers run from 0 to `top`, `axes` are its rows and columns, `pixel` and `channel` are how far apart the numbers of neighbours are */

/** A pad is about so wide on the screen. */
const PAD = 168;

/** What a pad shows at first, as parts of its width and height. @type {[number, number][]} */
const FIRST_STROKE = [[0.25, 0.12], [0.65, 0.12], [0.7, 0.3], [0.42, 0.47], [0.72, 0.65], [0.66, 0.85], [0.25, 0.88]];

/** How an input is a picture; null if it is none. @param {number[]} shape @param {number} top @param {(number | null)[]} grid by which axes it is drawn @returns {PictureShape | null} */
export function pictureShape(shape, top, grid) {
  if (shape.length < 3 || shape.length > 4) return null;
  const first = shape.length === 4 && grid[0] === 2;
  const [r, c] = first ? [2, 3] : [1, 2];
  const [rows, columns, channels] = [shape[r], shape[c], shape.length === 3 ? 1 : shape[first ? 1 : 3]];
  if (!isChannels(channels) || rows < 6 || columns < 6) return null;
  // Without channels it may be a table, or steps with features: pictures are square.
  if (shape.length === 3 && (rows !== columns || rows < 8 || rows > 64)) return null;
  return { rows, columns, channels, top, axes: [r, c], pixel: r === 2 ? 1 : channels, channel: r === 2 ? rows * columns : 1 };
}

/** @param {number} size whether a picture has so many channels */
export function isChannels(size) {
  return [1, 3, 4].includes(size);
}

/** A pad that shows an input as a picture and is drawn on. @param {PictureShape} shape @param {Float64Array} values @param {() => void} changed @param {(row: number, column: number) => boolean} counts whether a pixel is shown as it is, not in grey */
export function drawingPad({ rows, columns, channels, top, pixel, channel }, values, changed, counts) {
  const canvas = make("canvas", "pad");
  const whole = PAD / Math.max(rows, columns);
  const scale = whole > 3 ? Math.floor(whole) : Math.max(1, whole);
  canvas.width = columns;
  canvas.height = rows;
  canvas.style.width = `${columns * scale}px`;
  canvas.style.height = `${rows * scale}px`;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `A pad of ${rows} × ${columns} pixels: draw on it, or drop a picture; with the keyboard, arrows move, the space bar held down draws and Backspace erases`);
  const pen = canvas.getContext("2d");
  const image = pen?.createImageData(columns, rows);
  const show = () => {
    if (!pen || !image) return;
    for (let i = 0; i < rows * columns; i++) {
      const own = counts(Math.floor(i / columns), i % columns);
      for (let c = 0; c < 3; c++) {
        const light = (255 * values[i * pixel + (channels < 3 ? 0 : c * channel)]) / top;
        image.data[4 * i + c] = own ? light : 90 + light / 4;
      }
      image.data[4 * i + 3] = 255;
    }
    pen.putImageData(image, 0, 0);
    if (!canvas.matches(":focus-visible")) return;
    pen.fillStyle = "#f08c2a";
    pen.fillRect(Math.floor(hand[0]), Math.floor(hand[1]), 1, 1);
  };
  /** Where the keyboard draws, and whether it does. @type {[number, number]} */
  let hand = [Math.floor(columns / 2) + 0.5, Math.floor(rows / 2) + 0.5];
  let isDown = false;
  const width = Math.max(0.9, Math.min(rows, columns) / 22);
  /** @type {[number, number] | null} */
  let before = null;
  const place = (/** @type {PointerEvent} */ event) => /** @type {[number, number]} */ ([(event.offsetX / canvas.clientWidth) * columns, (event.offsetY / canvas.clientHeight) * rows]);
  const draw = (/** @type {PointerEvent} */ event) => {
    const now = place(event);
    stroke(before ?? now, now, event.buttons === 2 || event.shiftKey);
    before = now;
    show();
    changed();
  };
  /** A line with a soft edge. @param {[number, number]} from @param {[number, number]} to @param {boolean} erases */
  const stroke = ([x0, y0], [x1, y1], erases) => {
    const [dx, dy] = [x1 - x0, y1 - y0];
    const long = dx * dx + dy * dy;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const along = long ? Math.max(0, Math.min(1, ((j + 0.5 - x0) * dx + (i + 0.5 - y0) * dy) / long)) : 0;
        const far = Math.hypot(j + 0.5 - x0 - along * dx, i + 0.5 - y0 - along * dy);
        const ink = Math.max(0, Math.min(1, width + 0.5 - far));
        for (let c = 0; ink && c < channels; c++) {
          const at = (i * columns + j) * pixel + c * channel;
          values[at] = erases ? values[at] * (1 - ink) : Math.max(values[at], ink * top);
        }
      }
    }
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    before = null;
    draw(event);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) draw(event); });
  canvas.addEventListener("pointerup", () => { before = null; });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0], Backspace: [0, 0] }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const from = hand;
    hand = [Math.max(0.5, Math.min(columns - 0.5, hand[0] + by[0])), Math.max(0.5, Math.min(rows - 0.5, hand[1] + by[1]))];
    isDown ||= event.key === " ";
    const erases = event.key === "Backspace";
    if (isDown || erases) stroke(from, hand, erases);
    show();
    if (isDown || erases) changed();
  });
  canvas.addEventListener("keyup", (event) => { isDown &&= event.key !== " "; });
  for (const kind of ["focus", "blur"]) canvas.addEventListener(kind, () => { isDown = false; show(); });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  /** What is there before somebody draws: a stroke, or in colours a gradient with an edge. */
  const begin = () => {
    if (channels < 3) FIRST_STROKE.slice(1).forEach(([x, y], at) => stroke([FIRST_STROKE[at][0] * columns, FIRST_STROKE[at][1] * rows], [x * columns, y * rows], false));
    else for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) for (let c = 0; c < channels; c++) {
      const far = Math.hypot(i / rows - 0.5, j / columns - 0.5);
      values[(i * columns + j) * pixel + c * channel] = top * (far < 0.3 ? [0.95, 0.6, 0.15, 1][c] : [0.1 + 0.5 * (j / columns), 0.25 + 0.4 * (i / rows), 0.8 - 0.4 * (j / columns), 1][c]);
    }
  };
  return { element: canvas, show, begin };
}

/** Puts a picture into an input, scaled to its size. @param {File} file @param {PictureShape} shape @param {Float64Array} values */
export async function readPicture(file, { rows, columns, channels, top, pixel, channel }, values) {
  const bitmap = await createImageBitmap(file);
  const canvas = make("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (!pen) throw new Error("this browser draws no pictures");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, columns, rows);
  const { data } = pen.getImageData(0, 0, columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
    const grey = 0.299 * red + 0.587 * green + 0.114 * blue;
    for (let c = 0; c < channels; c++) values[i * pixel + c * channel] = ((channels === 1 ? grey : [red, green, blue, alpha][c]) * top) / 255;
  }
}
