/** All layers as a list: what the graph draws, for who would rather read, and for screen readers. */
import { breakable, button, count, make, named, short } from "./dom.js";

/** @typedef {import("./types.js").Data} Data */

/**
 * @param {Data} data
 * @param {(layer: number) => void} choose
 */
export function layerList(data, choose) {
  const depths = data.layers.map(() => 0);
  const rows = data.layers.map((layer, at) => {
    depths[at] = layer.parent < 0 ? 0 : depths[layer.parent] + 1;
    const name = named(button("", () => choose(at), "link"), layer.name);
    name.style.marginInlineStart = `${depths[at]}rem`;
    const gives = layer.calls?.length ? layer.calls[0].to : "";
    const row = make("li", "", name, make("span", "quiet", breakable(layer.type)), make("span", "", gives), make("span", "right", count(layer.params)), make("span", "right", short(layer.macs)));
    row.dataset.layer = String(at);
    return row;
  });
  const head = make("div", "list-head", ...["Layer", "Type", "Output", "Parameters", "MACs"].map((text, at) => make("span", at > 2 ? "right" : "", text)));
  head.setAttribute("aria-hidden", "true");
  const list = make("ul", "layers", ...rows);
  list.setAttribute("aria-label", "All layers: name, type, shape, parameters, MACs");
  return make("div", "list", head, list);
}
