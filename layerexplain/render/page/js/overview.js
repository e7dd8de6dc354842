/** A strip beside the graph: all of it in small, with a frame around what is seen; a drag moves the frame. */
import { fillOf } from "./costs.js";
import { make } from "./dom.js";

/** @typedef {import("./graph_view.js").GraphView} GraphView */

const EDGE = 5;

/** @param {GraphView} view */
export function overview(view) {
  const canvas = make("canvas", "overview");
  canvas.setAttribute("aria-hidden", "true");
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const small = document.createElement("canvas");
  /** @type {{state: string, drawing: import("./placing.js").Drawing, found: Set<number> | null} | null} */
  let drawn = null;
  const scales = () => {
    const { width, height } = view.drawing;
    const k = Math.min((canvas.clientWidth - 2 * EDGE) / width, (canvas.clientHeight - 2 * EDGE) / height);
    // A long graph is pressed together along its length rather than shrunk to a thread.
    const x = Math.max(k, Math.min((canvas.clientWidth - 2 * EDGE) / width, 4 * k, 0.12));
    return { x, y: k, left: (canvas.clientWidth - width * x) / 2, top: (canvas.clientHeight - height * k) / 2 };
  };
  const redraw = () => {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = canvas;
    const room = view.canvas;
    canvas.classList.toggle("idle", view.drawing.height * 0.6 < room.clientHeight && view.drawing.width * 0.6 < room.clientWidth);
    if (!clientWidth || !clientHeight) return;
    const at = scales();
    const state = [view.drawing, clientWidth, clientHeight, view.look.found, view.picture.colours.paper, view.look.measure].map(String).join() ;
    if (drawn === null || drawn.state !== state || drawn.drawing !== view.drawing || drawn.found !== view.look.found) {
      canvas.width = small.width = clientWidth * ratio;
      canvas.height = small.height = clientHeight * ratio;
      const brush = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d"));
      brush.scale(ratio, ratio);
      brush.clearRect(0, 0, clientWidth, clientHeight);
      const colours = view.picture.colours;
      brush.strokeStyle = colours.line;
      brush.lineWidth = 0.5;
      brush.beginPath();
      for (const { points } of view.drawing.lines) {
        brush.moveTo(at.left + points[0] * at.x, at.top + points[1] * at.y);
        for (let one = 2; one < points.length; one += 2) brush.lineTo(at.left + points[one] * at.x, at.top + points[one + 1] * at.y);
      }
      brush.stroke();
      for (const item of view.drawing.items) {
        if (item.box.port || item.open) continue;
        const lit = view.look.found && item.calls.some((call) => view.look.found?.has(call));
        brush.globalAlpha = lit || !view.look.found ? 1 : 0.35;
        const w = Math.max((view.picture.blocks.get(item) || item.w) * at.x, 1.5);
        const x = at.left + (item.x + item.w / 2) * at.x - w / 2;
        brush.fillStyle = lit ? colours.accent : fillOf(view.picture, item.box, x, w, "strong", colours.line);
        brush.fillRect(x, at.top + item.y * at.y, w, Math.max(item.h * at.y - 0.4, 0.8));
      }
      drawn = { state, drawing: view.drawing, found: view.look.found };
    }
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(small, 0, 0);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { x, y, scale } = view.view;
    const seen = { w: view.canvas.clientWidth / view.wide, h: view.canvas.clientHeight / scale };
    pen.strokeStyle = view.picture.colours.accent;
    pen.lineWidth = 1.5;
    const left = Math.max(at.left + x * at.x, 1);
    const top = Math.max(at.top + y * at.y, 1);
    const right = Math.min(at.left + (x + seen.w) * at.x, clientWidth - 1);
    const bottom = Math.min(at.top + (y + seen.h) * at.y, clientHeight - 1);
    pen.strokeRect(left, top, Math.max(right - left, 3), Math.max(bottom - top, 3));
  };
  view.onDraw.push(redraw);
  const move = (/** @type {PointerEvent} */ event) => {
    const at = scales();
    const { scale } = view.view;
    view.view.y = (event.offsetY - at.top) / at.y - view.canvas.clientHeight / scale / 2;
    const x = (event.offsetX - at.left) / at.x;
    if (view.drawing.width * view.wide > view.canvas.clientWidth) view.view.x = x - view.canvas.clientWidth / view.wide / 2;
    view.redraw();
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    move(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) move(event);
  });
  return canvas;
}
