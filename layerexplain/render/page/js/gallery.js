/** The gallery: a list of layer types, and the example of the chosen one, explained. */
import { argumentTable } from "./arguments.js";
import { address, setAddress, themeButton, whenRead } from "./document.js";
import { copy, make, scrolls, unbroken } from "./dom.js";
import { showLayer } from "./pane.js";

/** @typedef {{type: string, about: string, command: string, arguments: [string, string, string][]}} Type */
/** @typedef {import("./types.js").Data & {families: [string, number[]][], types: Type[]}} Gallery */

/** @param {Gallery} data */
function start(data) {
  const pane = make("section", "pane");
  pane.tabIndex = 0;
  pane.id = "pane";
  pane.setAttribute("aria-label", "The chosen layer type");
  /** @type {HTMLElement[]} */
  const items = [];
  const links = data.types.map((one) => {
    const link = make("a", "", one.type);
    link.href = `#${encodeURIComponent(one.type)}`;
    link.title = one.about;
    items.push(make("li", "", link));
    return link;
  });
  const groups = data.families.map(([family, numbers]) => {
    const list = make("ul", "", ...numbers.map((at) => items[at]));
    return make("section", "", make("h2", "", family), list);
  });
  /** @type {string[]} */
  const families = [];
  for (const [family, numbers] of data.families) for (const at of numbers) families[at] = family;
  const field = make("input");
  field.type = "search";
  field.id = "search";
  field.placeholder = `${data.types.length} types: name or words`;
  field.setAttribute("aria-label", "Search layer types by name or by what they do");
  const none = make("p", "quiet", "Nothing found.");
  none.hidden = true;
  none.setAttribute("role", "status");
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    items.forEach((item, at) => {
      const text = `${data.types[at].type} ${data.types[at].about}`.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
    });
    for (const group of groups) group.hidden = !group.querySelector("li:not([hidden])");
    none.hidden = groups.some((group) => !group.hidden);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const at = items.findIndex((item) => !item.hidden);
    if (at >= 0) choose(at);
  });
  const nav = make("nav", "side-list", make("div", "stays", field), none, ...groups);
  nav.setAttribute("aria-label", "Layer types");
  document.body.classList.add("single");
  document.body.append(make("header", "bar", make("h1", "", data.model.title), themeButton()), make("main", "", nav, pane));

  /** @param {number} at */
  function choose(at) {
    const one = data.types[at];
    links.forEach((link, i) => (i === at ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current")));
    showLayer(pane, at, data);
    const command = scrolls(make("pre", "listing", ...unbroken(one.command)));
    pane.querySelector(".title")?.replaceWith(make("header", "title", make("h2", "", one.type), make("span", "quiet", families[at])),
      command, make("p", "copies", copy("Copy the command", () => one.command)));
    pane.append(make("section", "panel", make("h3", "", "Arguments"), argumentTable(one.arguments)));
    setAddress(one.type);
  }
  const follow = () => choose(Math.max(0, data.types.findIndex((one) => one.type === address())));
  window.addEventListener("hashchange", follow);
  follow();
  document.querySelector("[aria-current]")?.scrollIntoView({ block: "center" });
  document.body.classList.add("ready");
  Object.assign(window, { layerexplain: { data, choose } });
}

whenRead(start);
