/** The search: what it finds is lit in the graph and listed below the field. */
import { count, make } from "./dom.js";
import { query } from "./query.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./graph_view.js").GraphView} GraphView */

const SHOWN = 40;
const HELP = "a name, a type, 3x3, stride 2, activation=relu, 14x14x256, type:Conv2D, params>10k, macs>1m or note:mask";

/** @param {Data} data @param {GraphView} view @returns {HTMLElement} */
export function search(data, view) {
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
  /** @type {number[]} */
  let found = [];
  let at = -1;
  /** @type {Map<number, number>} */
  const firstCall = new Map();
  data.calls.forEach(([layer], call) => firstCall.has(layer) || firstCall.set(layer, call));

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
    const call = firstCall.get(found[place]);
    if (call !== undefined) view.chooseCall(call);
  };
  const show = (/** @type {boolean} */ open) => {
    popup.hidden = !open;
    list.hidden = !open || !found.length;
    field.setAttribute("aria-expanded", String(!list.hidden));
  };
  const seek = () => {
    const holds = query(field.value, data);
    // What meets the words as a whole comes first.
    const met = data.layers.map((layer) => (holds ? holds(layer) : 0));
    found = met.flatMap((worth, place) => (worth ? [place] : [])).sort((a, b) => met[b] - met[a]);
    at = -1;
    const lit = new Set(found);
    view.look.found = holds ? new Set(data.calls.flatMap(([layer], call) => (lit.has(layer) ? [call] : []))) : null;
    view.redraw();
    const options = found.slice(0, SHOWN).map((layer, place) => {
      const option = make("div", "option", make("span", "", data.layers[layer].path), make("span", "quiet", [data.layers[layer].type, data.configurations[data.layers[layer].configuration ?? -1]?.[0]].filter(Boolean).join(" ")));
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
    said.textContent = holds ? (found.length ? `${count(found.length)} of ${count(data.layers.length)} layers${more}` : `Nothing found. Search for ${HELP}`) : `Search for ${HELP}`;
    mark();
    show(true);
  };
  field.addEventListener("input", seek);
  field.addEventListener("focus", seek);
  field.addEventListener("blur", () => setTimeout(() => show(false), 150));
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const count = Math.min(found.length, SHOWN);
      if (count) go((at + (event.key === "ArrowDown" ? 1 : -1) + count) % count);
      show(true);
    } else if (event.key === "Enter") {
      if (found.length) {
        go(at < 0 ? 0 : at);
        show(false);
        view.element.focus();
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
