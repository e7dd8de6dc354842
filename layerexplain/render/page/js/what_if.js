/** One layer and controls for its arguments: each combination of their values is in the data, refused ones with why. */
import { argumentTable } from "./arguments.js";
import { address, setAddress, themeButton, whenRead } from "./document.js";
import { button, copy, count, make, scrolls, table, unbroken } from "./dom.js";
import { showLayer } from "./pane.js";

/**
 * @typedef {[string, [string, string][], number, string]} Control name, values as text and as typed, the given one, words
 * @typedef {{type: string, about: string, controls: Control[], given: string[], command: [string, string], table: number[],
 *   refused: string[], arguments: [string, string, string][]}} Choices
 * @typedef {import("./types.js").Data & Choices} WhatIf
 */

/** @type {[string, (layer: import("./types.js").Layer) => string][]} */
const COMPARED = [
  ["output", (layer) => layer.calls?.[0]?.to ?? "?"],
  ["parameters", (layer) => count(layer.params)],
  ["MACs", (layer) => count(layer.macs)],
  ["FLOPs", (layer) => count(layer.flops)],
];

/** @param {WhatIf} data */
function start(data) {
  const { controls } = data;
  const given = controls.map((control) => control[2]);
  // The element that is chosen stays chosen, whatever the arguments are.
  const held = Object.assign(data, { element: {} });
  let now = given;
  const pane = make("section", "pane");
  pane.tabIndex = 0;
  pane.id = "pane";
  pane.setAttribute("aria-label", "The layer with these arguments");
  const compared = make("div", "compared");
  const status = make("p", "said-now");
  status.setAttribute("role", "status");
  const command = scrolls(make("pre", "listing"));
  const groups = controls.map(([name, values, , words], at) => {
    const options = values.map(([text], value) => {
      const input = make("input");
      input.type = "radio";
      input.name = name;
      input.addEventListener("change", () => show(now.map((one, i) => (i === at ? value : one))));
      return { input, label: make("label", "", input, make("span", "", text)) };
    });
    const group = make("fieldset", "control", make("legend", "", name), make("div", "values", ...options.map((one) => one.label)));
    group.title = words;
    return { group, options };
  });
  const reset = button("Back to what was given", () => show(given));
  const fixed = data.given.length ? make("p", "quiet", `Given: ${data.given.join(", ")}`) : null;
  const none = controls.length ? null : make("p", "quiet", "It has no argument that is a small number, a choice or yes and no.");
  const sides = make("aside", "side-list", ...groups.map((one) => one.group), none, fixed, reset, compared, status,
    make("h2", "", "Command"), command, make("p", "copies", copy("Copy the command", () => command.textContent || "")));
  sides.setAttribute("aria-label", "Arguments");
  reset.hidden = !controls.length;
  document.body.classList.add("single");
  document.body.append(make("header", "bar", make("h1", "", data.model.title), themeButton()), make("main", "", sides, pane));

  /** The number of a combination's layer, or below 0 of why it is none. @param {number[]} values */
  const place = (values) => data.table[values.reduce((sum, value, at) => sum * controls[at][1].length + value, 0)];

  /** What the panels of the given arguments say, part by part; made when it is first compared. @type {Set<string> | null} */
  let asGiven = null;
  /** Marks in the pane what the given arguments do not say. */
  function markChanges() {
    if (!asGiven) {
      const hidden = make("div", "unseen");
      document.body.append(hidden);
      showLayer(hidden, place(given), Object.assign({}, data, { element: {} }));
      asGiven = new Set(saidIn(hidden).map(([key]) => key));
      hidden.remove();
    }
    for (const [key, element] of saidIn(pane)) element.classList.toggle("changed", !asGiven.has(key));
  }

  /** @param {number[]} values */
  function show(values) {
    now = values;
    groups.forEach(({ options }, at) => options.forEach(({ input, label }, value) => {
      input.checked = now[at] === value;
      const refused = place(now.map((one, i) => (i === at ? value : one))) < 0;
      label.classList.toggle("refused", refused);
      label.title = refused ? "refused beside the other arguments" : "";
    }));
    const found = place(now);
    const before = data.layers[place(given)];
    const layer = found < 0 ? null : data.layers[found];
    const rows = COMPARED.map(([what, text]) => [what, layer ? text(layer) : "refused", text(before)]);
    compared.replaceChildren(table(["", "now", "as given"], rows, [1, 2]));
    reset.disabled = now.join() === given.join();
    const words = controls.map((control, at) => control[1][now[at]][1]);
    command.replaceChildren(...unbroken([data.command[0], ...words, data.command[1]].filter(Boolean).join(" ")));
    setAddress(now.flatMap((value, at) => (value === given[at] ? [] : [`${controls[at][0]}=${controls[at][1][value][0]}`])).join("&"));
    const { scrollTop } = pane;
    if (layer) {
      showLayer(pane, found, held);
      pane.querySelector(".title")?.replaceChildren(make("h2", "", data.type), make("span", "quiet", now.join() === given.join() ? "" : "changed"));
    } else {
      pane.replaceChildren(make("header", "title", make("h2", "", data.type), make("span", "quiet", "refuses these arguments")),
        make("p", "warning", data.refused[-1 - found]));
    }
    if (layer && now.join() !== given.join()) markChanges();
    status.textContent = layer ? layer.shape : "refused";
    pane.append(make("section", "panel", make("h3", "", "All arguments"), argumentTable(data.arguments)));
    pane.scrollTop = scrollTop;
  }

  /** What the address says; a value that is none of an argument's leaves it as given. */
  function follow() {
    const told = new Map(address().split("&").map((one) => /** @type {[string, string]} */ (one.split(/=(.*)/s).slice(0, 2))));
    show(controls.map(([name, values], at) => {
      const value = values.findIndex(([text]) => text === told.get(name));
      return value < 0 ? given[at] : value;
    }));
  }
  window.addEventListener("hashchange", follow);
  follow();
  document.body.classList.add("ready");
}

/** The lines and cells of panels with what each says, named by its panel. @param {HTMLElement} pane @returns {[string, Element][]} */
function saidIn(pane) {
  return [...pane.querySelectorAll(".panel:not(.reads)")].flatMap((panel) =>
    [...panel.querySelectorAll("td, .math-line, .line, li, .wiring")].map((one) => /** @type {[string, Element]} */ ([`${panel.className} ${one.textContent}`, one])));
}

whenRead(start);
