// What each layer gives, in small, renewed with each run.

import { make } from "../dom.js";
import { linkTo } from "../panel_facts.js";
import { drawTiles, tilesOf } from "../tiles.js";
import { layerValues } from "../values.js";

/** @typedef {import("./live.js").Live} Live */

/** So many layers are drawn; the others can be chosen one by one. */
const MOST_LAYERS = 80;

/**
 * The first result of a call as tiles; null where it has none, or has not run.
 * @param {Live} live @param {number} layer @param {number} call @param {number} form
 */
function resultTiles(live, layer, call, form) {
  const { data } = live;
  const own = data.forms?.[form];
  const [result] = own?.results ?? [];
  const array = own && layerValues(data.layers[layer], data, call).array(result + own.tensors.length);
  return own && array ? tilesOf(array, own.lines[result])[0] : null;
}

/**
 * Pictures of what the boxes of a graph give, each drawn once a run.
 * @param {Live} live
 * @returns {(item: import("../placing.js").Item) => HTMLCanvasElement | null}
 */
export function boxPictures(live) {
  /** @type {Map<number, HTMLCanvasElement | null>} */
  let drawn = new Map();
  live.onRun(() => {
    drawn = new Map();
    live.view?.redraw();
    return true;
  });
  const draw = (/** @type {number} */ number) => {
    const [layer, call] = live.data.calls[number];
    const form = live.about.calls.find((one) => one[0] === layer && one[1] === call)?.[2];
    const tiles = typeof form === "number" ? resultTiles(live, layer, call, form) : null;
    if (!tiles) return null;
    const canvas = make("canvas", "tiles");
    drawTiles(canvas, tiles, Math.max(1, Math.min(6, Math.floor(96 / Math.max(tiles.rows, tiles.columns)))));
    return canvas;
  };
  return (item) => {
    const found = drawn.get(item.call) ?? draw(item.call);
    drawn.set(item.call, found);
    return found;
  };
}

/** @param {Live} live */
export function layerThumbnails(live) {
  const { data } = live;
  const rows = live.about.calls.slice(0, MOST_LAYERS).flatMap(([layer, call, form]) => {
    if (typeof form !== "number") return [];
    const canvas = make("canvas", "tiles");
    const row = make("li", "", make("span", "thumbname", linkTo(data.layers[layer])), canvas);
    return [{ layer, call, form, canvas, row }];
  });
  const list = make("ul", "thumbnails", ...rows.map((one) => one.row));
  const show = () => {
    const { top, bottom } = list.parentElement?.getBoundingClientRect() ?? { top: 0, bottom: 0 };
    for (const { layer, call, form, canvas, row } of rows) {
      const box = row.getBoundingClientRect();
      // What is out of sight is drawn when it comes into sight.
      if (box.bottom < top - 200 || box.top > bottom + 200) continue;
      const tiles = resultTiles(live, layer, call, form);
      if (!tiles) continue;
      const most = Math.max(tiles.rows, tiles.columns);
      drawTiles(canvas, tiles, Math.max(1, Math.min(tiles.count === 1 ? 6 : 4, Math.floor((tiles.count === 1 ? 320 : 30) / most))));
    }
  };
  live.onRun(() => !list.parentElement || (list.isConnected && (show(), true)));
  list.addEventListener("print", show);
  requestAnimationFrame(() => {
    list.parentElement?.addEventListener("scroll", show, { passive: true });
    show();
  });
  return list;
}
