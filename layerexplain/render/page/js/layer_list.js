/** All layers as a list: what the graph draws, for who would rather read, and for screen readers. */
import { breakable, button, count, make, named, short } from "./dom.js";

/** @typedef {import("./types.js").Data} Data */

/** @param {Data} data @param {(layer: number) => void} choose */
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
  const list = make("ul", "layers", ...rows);
  list.setAttribute("aria-label", "All layers: name, type, shape, parameters, MACs");
  /** @type {[string, (layer: import("./types.js").Layer) => number | string | null][]} */
  const columns = [
    ["Layer", (layer) => layer.path], ["Type", (layer) => layer.type], ["Output", (layer) => layer.values],
    ["Parameters", (layer) => layer.params], ["MACs", (layer) => layer.macs],
  ];
  let sorted = -1;
  let way = 1;
  const heads = columns.map(([text, of], at) => button(text, () => {
    // Numbers begin with the largest, words with the first; a third click brings back the order of the model.
    if (sorted !== at) [sorted, way] = [at, at > 1 ? -1 : 1];
    else if (way === (at > 1 ? -1 : 1)) way = -way;
    else sorted = -1;
    heads.forEach((one, place) => one.setAttribute("aria-label", place === sorted ? `${columns[place][0]}, ${way > 0 ? "ascending" : "descending"}` : `Sort by ${columns[place][0]}`));
    heads.forEach((one, place) => (one.textContent = `${columns[place][0]}${place === sorted ? (way > 0 ? " ▴" : " ▾") : ""}`));
    const order = rows.map((_, place) => place);
    if (sorted >= 0) order.sort((a, b) => way * compare(of(data.layers[a]), of(data.layers[b])) || a - b);
    list.replaceChildren(...order.map((place) => rows[place]));
  }, at > 2 ? "right" : ""));
  return make("div", "list", make("div", "list-head", ...heads), list);
}

/** Numbers by size, what is not known as the least, words by their letters. @param {number | string | null} a @param {number | string | null} b */
function compare(a, b) {
  return typeof a === "string" ? a.localeCompare(String(b), "en", { numeric: true }) : (a ?? -1) - Number(b ?? -1);
}
