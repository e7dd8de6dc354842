/** The search: what it finds is lit in the graph and listed below the field. */
import { count, make } from "./dom.js";
import { query } from "./query.js";

/** @typedef {import("./graph_view.js").GraphView} GraphView */

const SHOWN = 40;
const HELP = "a name, a type, 3x3, stride 2, activation=relu, 14x14x256, type:Conv2D, params>10k, macs>1m or note:mask";

/** @param {GraphView[]} views @param {(layer: number) => number} [twin] which layer of the first view a layer of the second goes with: both are listed once @returns {HTMLElement} */
export function search(views, twin = () => -1) {
  const field = make("input");
  field.type = "search";
  field.id = "search";
  field.placeholder = "Search  ( / )";
  field.autocomplete = "off";
  field.spellcheck = false;
  for (const [name, value] of [["role", "combobox"], ["aria-label", `Search layers for ${HELP}`], ["aria-expanded", "false"], ["aria-controls", "found"], ["aria-autocomplete", "list"]]) field.setAttribute(name, value);
  const list = make("div", "found");
  list.id = "found";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Layers found");
  const said = make("p", "said-found quiet");
  said.setAttribute("role", "status");
  const popup = make("div", "popup", said, list);
  popup.hidden = true;
  /** The sides and the numbers of layers, and how well each meets what is sought. @type {[number, number, number][]} */
  let found = [];
  let at = -1;
  const total = views.flatMap(({ data }, side) => data.layers.filter((_, layer) => !side || twin(layer) < 0)).length;

  const mark = () => {
    [...list.children].forEach((one, place) => one.setAttribute("aria-selected", String(place === at)));
    const chosen = list.children[at];
    if (chosen) {
      field.setAttribute("aria-activedescendant", chosen.id);
      chosen.scrollIntoView({ block: "nearest" });
    } else field.removeAttribute("aria-activedescendant");
  };
  const go = (/** @type {number} */ place) => {
    at = place;
    mark();
    const [side, layer] = found[place];
    const call = views[side].data.calls.findIndex((one) => one[0] === layer);
    if (call >= 0) views[side].chooseCall(call);
  };
  const show = (/** @type {boolean} */ open) => {
    popup.hidden = !open;
    list.hidden = !open || !found.length;
    field.setAttribute("aria-expanded", String(!list.hidden));
  };
  const seek = () => {
    let isSought = false;
    found = views.flatMap((view, side) => {
      const { data } = view;
      const holds = query(field.value, data);
      isSought = holds !== null;
      const met = data.layers.map((layer) => (holds ? holds(layer) : 0));
      view.look.found = holds ? new Set(data.calls.flatMap(([layer], call) => (met[layer] ? [call] : []))) : view.rest;
      view.redraw();
      return met.flatMap((worth, layer) => (worth ? [/** @type {[number, number, number]} */ ([side, layer, worth])] : []));
    });
    const first = new Set(found.flatMap(([side, layer]) => (side ? [] : [layer])));
    // What meets the words as a whole comes first.
    found = found.filter(([side, layer]) => !side || !first.has(twin(layer))).sort((a, b) => b[2] - a[2]);
    at = -1;
    const options = found.slice(0, SHOWN).map(([side, number], place) => {
      const { data } = views[side];
      const layer = data.layers[number];
      const option = make("div", "option", make("span", "", layer.path), make("span", "quiet", [layer.type, data.configurations[layer.configuration ?? -1]?.[0]].filter(Boolean).join(" ")));
      option.id = `found-${place}`;
      option.setAttribute("role", "option");
      option.addEventListener("click", () => {
        go(place);
        show(false);
      });
      return option;
    });
    list.replaceChildren(...options);
    const more = found.length > SHOWN ? `, the first ${SHOWN} listed` : "";
    said.textContent = isSought ? (found.length ? `${count(found.length)} of ${count(total)} layers${more}` : `Nothing found. Search for ${HELP}`) : `Search for ${HELP}`;
    mark();
    show(true);
  };
  field.addEventListener("input", seek);
  field.addEventListener("focus", seek);
  field.addEventListener("blur", () => setTimeout(() => document.activeElement === field || show(false), 150)); // it may be back
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const count = Math.min(found.length, SHOWN);
      if (count) go((at + (event.key === "ArrowDown" ? 1 : -1) + count) % count);
      show(true);
    } else if (event.key === "Enter") {
      if (found.length) {
        go(at < 0 ? 0 : at);
        show(false);
        views[found[Math.max(at, 0)][0]].element.focus();
      }
    } else if (event.key === "Escape") {
      if (!field.value) field.blur();
      field.value = "";
      seek();
      show(false);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return make("div", "search", field, popup);
}
