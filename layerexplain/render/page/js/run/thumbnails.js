// What each layer gives, in small, renewed with each run.

import { make } from "../dom.js";
import { linkTo } from "../panel_facts.js";
import { cellAt, drawTiles, tilesOf } from "../tiles.js";
import { layerValues } from "../values.js";

/** @typedef {import("./live.js").Live} Live */

/** So many layers are drawn; the others can be chosen one by one. */
const MOST_LAYERS = 80;

/** The first result of a call as tiles; null where it has none, or has not run. @param {Live} live @param {number} layer @param {number} call @param {number} form */
export function resultTiles(live, layer, call, form) {
  const { data } = live;
  const own = data.forms?.[form];
  const [result] = own?.results ?? [];
  const array = own && layerValues(data.layers[layer], data, call).array(result + own.tensors.length);
  return own && array ? { line: own.lines[result].name, tiles: tilesOf(array, own.lines[result])[0] } : null;
}

/** @param {import("../tiles.js").Tiles} tiles */
export const scaleOf = ({ count, rows, columns }) => Math.max(1, Math.min(count === 1 ? 6 : 4, Math.floor((count === 1 ? 320 : 30) / Math.max(rows, columns))));

/** @param {Live} live */
export function layerThumbnails(live) {
  const { data } = live;
  const rows = live.about.calls.slice(0, MOST_LAYERS).flatMap(([layer, call, form]) => {
    if (typeof form !== "number") return [];
    const canvas = make("canvas", "tiles");
    const row = make("li", "", make("span", "thumbname", linkTo(data.layers[layer])), canvas);
    canvas.addEventListener("click", (event) => {
      const shown = resultTiles(live, layer, call, form);
      const cell = shown && cellAt(canvas, shown.tiles, scaleOf(shown.tiles), event);
      if (shown && cell) live.open(layer, call, shown.line, shown.tiles.index?.(...cell) ?? []);
    });
    return [{ layer, call, form, canvas, row }];
  });
  const list = make("ul", "thumbnails", ...rows.map((one) => one.row));
  const show = () => {
    const { top, bottom } = list.parentElement?.getBoundingClientRect() ?? { top: 0, bottom: 0 };
    for (const { layer, call, form, canvas, row } of rows) {
      const box = row.getBoundingClientRect();
      // What is out of sight is drawn when it comes into sight.
      if (box.bottom < top - 200 || box.top > bottom + 200) continue;
      const shown = resultTiles(live, layer, call, form);
      if (shown) drawTiles(canvas, shown.tiles, scaleOf(shown.tiles));
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
