// What each layer gives, in small, renewed with each run.

import { make } from "../dom.js";
import { linkTo } from "../panel_facts.js";
import { drawTiles, tilesOf } from "../tiles.js";
import { layerValues } from "../values.js";

/** @typedef {import("./live.js").Live} Live */

/** So many layers are drawn; the others can be chosen one by one. */
const MOST_LAYERS = 80;

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
      const own = data.forms?.[form];
      const [result] = own?.results ?? [];
      const array = own && layerValues(data.layers[layer], data, call).array(result + own.tensors.length);
      if (!own || !array) continue;
      const [tiles] = tilesOf(array, own.lines[result]);
      const most = Math.max(tiles.rows, tiles.columns);
      drawTiles(canvas, tiles, Math.max(1, Math.min(tiles.count === 1 ? 6 : 4, Math.floor((tiles.count === 1 ? 320 : 30) / most))));
    }
  };
  live.onRun(() => !list.parentElement || (list.isConnected && (show(), true)));
  requestAnimationFrame(() => {
    list.parentElement?.addEventListener("scroll", show, { passive: true });
    show();
  });
  return list;
}
