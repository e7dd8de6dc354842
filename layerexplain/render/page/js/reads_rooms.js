// How wide the grids of what an element reads may be.

import { shared, wantedWidth } from "./cells.js";

/** @typedef {import("./panel_reads.js").ReadsView} ReadsView */

/** A grid beside others has at least so much room; otherwise it has a row of its own. */
const LEAST_ROOM = 110;
/** So much room the words below a grid need. */
const LEAST_WORDS = 120;

/** How wide each grid may be, by its tensor; the output, which is -1, stands beside the inputs where there is room for it. @param {ReadsView} view */
export function gridRooms(view) {
  const alone = Math.min(340, view.values.known && view.width < 460 ? view.width - 24 : (view.width - 50) / 2);
  const found = new Map([...view.tensors, -1].map((of) => [of, alone]));
  const beside = [...view.tensors.filter((of) => of < view.form.params || of >= view.first), -1];
  const wanted = beside.map((of) => {
    const axes = of < 0 ? view.form.lines[view.line].grid : view.gridOf(of);
    const reach = axes.map((axis) => /** @type {[number, number]} */ (axis === null ? [0, 1] : of < 0 ? [0, view.sizes[axis]] : view.pads.get(of)?.[axis]));
    return Math.max(LEAST_WORDS, Math.min(340, wantedWidth(reach, view.tall(of), view.shows(of < 0 ? view.first + view.line : of))));
  });
  const rooms = shared(wanted, view.width - 24 * beside.length - 18);
  if (beside.length > 1 && Math.min(...rooms) >= LEAST_ROOM) beside.forEach((of, i) => found.set(of, rooms[i]));
  return found;
}
