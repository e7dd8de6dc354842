/** On a phone, what is chosen is a sheet over the lower half: a swipe makes it whole, or puts it away. */
import { button, make } from "./dom.js";

/** @typedef {import("./graph_view.js").GraphView} GraphView */

/** How high the sheet may be, in parts of the screen: its handle alone, half, nearly all. */
const HEIGHTS = [0, 0.5, 0.92];
/** A pointer that moves less has pressed. */
const LEAST_SWIPE = 8;

/** @param {HTMLElement} pane what is in it @param {GraphView} view the graph below, in which what is chosen stays in sight */
export function sheet(pane, view) {
  const title = make("span", "sheettitle");
  const handle = button("", () => {}, "sheethandle");
  handle.append(make("span", "grip"), title);
  const element = make("div", "sheet", handle, pane);
  const phone = window.matchMedia("(max-width: 760px)");
  let at = 0;
  const reveal = () => view.look.active && view.reveal(view.look.active);
  const put = (/** @type {number} */ to) => {
    at = Math.max(0, Math.min(to, HEIGHTS.length - 1));
    element.dataset.at = `${at}`;
    element.style.removeProperty("height");
    handle.setAttribute("aria-expanded", `${at > 0}`);
    const [name, kind] = ["h2", ".title .type"].map((one) => pane.querySelector(one)?.textContent ?? "");
    title.replaceChildren(name, " ", make("span", "type", at ? kind : "tap for more"));
    const before = view.covered;
    view.covered = at && phone.matches ? Math.max(0, view.canvas.getBoundingClientRect().bottom - (1 - HEIGHTS[1]) * window.innerHeight) : 0;
    // Elsewhere than on a phone nothing is covered, and to ask for places would lay out at once what is in the pane.
    if (view.covered !== before) reveal();
  };
  let from = 0;
  let moved = 0;
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    [from, moved] = [event.clientY, 0];
  });
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    moved = from - event.clientY;
    element.style.height = `${Math.max(48, HEIGHTS[at] * window.innerHeight + moved)}px`;
  });
  handle.addEventListener("pointercancel", () => put(at));
  handle.addEventListener("click", () => {
    put(Math.abs(moved) < LEAST_SWIPE ? (at + 1) % HEIGHTS.length : at + Math.sign(moved));
    moved = 0;
  });
  // What is chosen raises it, the model as a whole lowers it.
  new MutationObserver(() => put(view.look.active ? Math.max(at, 1) : 0)).observe(pane, { childList: true });
  new ResizeObserver(() => {
    put(at);
    reveal();
  }).observe(view.canvas);
  put(0);
  return element;
}
