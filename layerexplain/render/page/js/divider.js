/** The line between two sides of a page, which is dragged, or moved by the arrow keys. */
import { make } from "./dom.js";

const LEAST = 15;
const MOST = 85;

/** @param {HTMLElement} left @param {HTMLElement} right */
export function divider(left, right) {
  const made = make("div", "divider");
  made.tabIndex = 0;
  for (const [name, value] of [["role", "separator"], ["aria-orientation", "vertical"], ["aria-label", "Width of the graph"], ["aria-valuemin", `${LEAST}`], ["aria-valuemax", `${MOST}`], ["aria-valuenow", "55"]]) made.setAttribute(name, value);
  const put = (/** @type {number} */ share) => {
    const now = Math.min(Math.max(share, LEAST), MOST);
    left.style.flex = `0 0 ${now}%`;
    right.style.flex = "1 1 0";
    made.setAttribute("aria-valuenow", now.toFixed(0));
  };
  made.addEventListener("pointerdown", (event) => made.setPointerCapture(event.pointerId));
  made.addEventListener("pointermove", (event) => {
    const room = made.parentElement?.getBoundingClientRect();
    if (made.hasPointerCapture(event.pointerId) && room) put((100 * (event.clientX - room.left)) / room.width);
  });
  made.addEventListener("dblclick", () => put(55));
  made.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -3, ArrowRight: 3 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    put(Number(made.getAttribute("aria-valuenow")) + by);
  });
  return made;
}
