/** Plays how a layer comes by its output: the window moves on, its products appear one by one, and the sum lands. */
import { button } from "./dom.js";

/** @typedef {{line: number, form: import("./scalars.js").Form, index: number[], sizes: number[], sums: HTMLElement, stage: HTMLElement, output: {svg: SVGElement}, element: HTMLElement, move: (index: number[], stay?: boolean) => void, mark: (cells: [number, number[]][]) => void}} Played */

/** So many places are played at most. */
const MOST_PLACES = 24;
/** In milliseconds: between two products, and from one place to the next. */
const PER_PRODUCT = 140;
const PER_PLACE = 650;

/** The places that are played: along the steps of a recurrence, else along the columns and rows of the grid. @param {Played} view @returns {number[][]} */
function playedPlaces(view) {
  const line = view.form.lines[view.line];
  const [rows, columns] = line.grid;
  // Along features there is nothing to see that the first one does not show, where there are steps or rows to go along.
  const isLast = columns === view.sizes.length - 1 && rows !== null && view.sizes[rows] > 1 && view.sizes.length < 4;
  const along = line.step !== undefined ? [line.step] : isLast ? [rows] : [rows, columns].filter((axis) => axis !== null);
  const axes = /** @type {number[]} */ (along);
  const start = view.index.map((at, axis) => (axes.includes(axis) ? 0 : at));
  let places = [start];
  for (const axis of axes) places = places.flatMap((place) => Array.from({ length: Math.min(view.sizes[axis], MOST_PLACES) }, (_, at) => place.map((one, i) => (i === axis ? at : one))));
  return places.slice(0, MOST_PLACES);
}

/** A button that plays what a view shows; `autoplay` presses it. @param {Played} view @param {boolean} autoplay */
export function player(view, autoplay) {
  let run = 0;
  const made = button("▶ Play", () => (run ? stop() : play()), "play-button");
  made.title = "The window moves over the input, products appear, and the sum lands";
  const stop = () => {
    run = 0;
    made.textContent = "▶ Play";
    view.sums.querySelectorAll(".ahead").forEach((one) => one.classList.remove("ahead"));
    view.output.svg.classList.remove("landed");
    view.mark([]);
  };
  /** Brings what moves into view, the last line of the sums first, so that the picture is what stays. */
  const seen = () => [view.sums, view.stage, made].forEach((one) => one.scrollIntoView({ block: "nearest" }));
  const wait = (/** @type {number} */ time) => new Promise((done) => setTimeout(done, time));
  async function play() {
    const own = Date.now() + Math.random();
    run = own;
    made.textContent = "❚❚ Stop";
    const goes = () => run === own && made.isConnected;
    seen();
    for (const place of playedPlaces(view)) {
      view.output.svg.classList.remove("landed");
      view.move(place);
      await products(goes);
      if (!goes()) return;
      view.output.svg.classList.add("landed");
      await wait(PER_PLACE);
      if (!goes()) return;
    }
    stop();
  }
  /** Lets the terms of the first sum appear, then what they add up to. @param {() => boolean} goes */
  async function products(goes) {
    const [first] = view.sums.querySelectorAll(".sumsterms");
    const rows = [...(first?.querySelectorAll("tbody tr") ?? [])];
    const result = view.sums.querySelector(".sumsresult");
    [...rows, result].forEach((one) => one?.classList.add("ahead"));
    for (const row of rows) {
      row.classList.remove("ahead");
      row.dispatchEvent(new Event("pointerenter"));
      await wait(PER_PRODUCT);
      if (!goes()) return;
    }
    view.mark([]);
    result?.classList.remove("ahead");
  }
  view.element.addEventListener("pointerdown", (event) => {
    if (run && event.target !== made) stop();
  });
  if (autoplay && !window.matchMedia("(prefers-reduced-motion: reduce)").matches) setTimeout(() => made.isConnected && play(), 400);
  return made;
}
