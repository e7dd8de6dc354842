/** On a phone, what is chosen is a sheet over the lower half: a swipe makes it whole, or puts it away. */
import { button, make } from "./dom.js";

/** @typedef {import("./graph_view.js").GraphView} GraphView */

/** How high the sheet may be, in parts of the screen: its handle alone, half, nearly all. */
const HEIGHTS = [0, 0.5, 0.92];
/** A pointer that moves less has pressed. */
const LEAST_SWIPE = 8;

/** @param {HTMLElement} pane what is in it @param {GraphView[]} views the graphs below, in which what is chosen stays in sight @param {HTMLElement} [chosen] the part of it that what is chosen fills */
export function sheet(pane, views, chosen = pane) {
  const title = make("span", "sheettitle");
  const handle = button("", () => {}, "sheethandle");
  handle.append(make("span", "grip"), title);
  const element = make("div", "sheet", handle, pane);
  const phone = window.matchMedia("(max-width: 760px)");
  let at = 0;
  const put = (/** @type {number} */ to) => {
    at = Math.max(0, Math.min(to, HEIGHTS.length - 1));
    element.dataset.at = `${at}`;
    element.style.removeProperty("height");
    handle.setAttribute("aria-expanded", `${at > 0}`);
    const [name, kind] = [":is(h2, h3)", ".title .type"].map((part) => (chosen.querySelector(part) ?? pane.querySelector(part))?.textContent ?? "");
    title.replaceChildren(name, " ", make("span", "type", at ? kind : "tap for more"));
    for (const view of views) {
      const before = view.covered;
      view.covered = at && phone.matches ? Math.max(0, view.canvas.getBoundingClientRect().bottom - (1 - HEIGHTS[1]) * window.innerHeight) : 0;
      // Elsewhere than on a phone nothing is covered, and to ask for places would lay out at once what is in the pane.
      if (view.covered !== before) view.revealChosen();
    }
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
  new MutationObserver(() => put(views.some(({ look }) => look.active) ? Math.max(at, 1) : 0)).observe(chosen, { childList: true });
  for (const view of views) {
    new ResizeObserver(() => {
      put(at);
      view.revealChosen();
    }).observe(view.canvas);
  }
  put(0);
  return element;
}
