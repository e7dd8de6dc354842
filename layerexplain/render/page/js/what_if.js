/** One layer with controls for its arguments and a slider for each size: the data holds it with its sizes open. */
import { argumentTable } from "./arguments.js";
import { address, setAddress, themeButton, whenRead } from "./document.js";
import { button, copy, count, make, scrolls, table, unbroken } from "./dom.js";
import { OpenSizes } from "./open_sizes.js";
import { showLayer } from "./pane.js";

/**
 * @typedef {[string, [string, string][], number, string]} Choice name, values as text and as typed, the given one, words
 * @typedef {[string, number, number, number, string, string[]]} Slider label, lowest, highest, given, words, arguments
 * @typedef {[import("./open_sizes.js").Condition[], string | {[key: string]: import("./open_sizes.js").Shown}]} Case
 * @typedef {{type: string, about: string, choices: Choice[], sliders: Slider[], given: string[], cases: Case[][],
 *   command: [string, [string, boolean, string, number[]][], string], nodes: import("./open_sizes.js").Node[],
 *   arguments: [string, string, string][]}} Choices
 * @typedef {import("./types.js").Data & Choices} WhatIf
 * @typedef {{values: number[], sizes: number[]}} State the numbers of the values that are chosen, and the sizes
 */

const A_NUMBER = "a number";

/** @type {[string, (layer: import("./types.js").Layer) => string][]} */
const COMPARED = [
  ["output", (layer) => layer.calls?.[0]?.to ?? "?"],
  ["parameters", (layer) => count(layer.params)],
  ["MACs", (layer) => count(layer.macs)],
  ["FLOPs", (layer) => count(layer.flops)],
];

/** @param {WhatIf} data */
function start(data) {
  const { choices, sliders } = data;
  /** @type {State} */
  const given = { values: choices.map((one) => one[2]), sizes: sliders.map((one) => one[3]) };
  // The element that is chosen stays chosen, whatever the arguments are.
  const element = {};
  let now = given;
  const pane = make("section", "pane");
  pane.tabIndex = 0;
  pane.id = "pane";
  pane.setAttribute("aria-label", "The layer with these arguments");
  const compared = make("div", "compared");
  const status = make("p", "said-now");
  status.setAttribute("role", "status");
  const command = scrolls(make("pre", "listing"));
  const groups = choices.map(([name, values, , words], at) => {
    const options = values.map(([text], value) => {
      const input = make("input");
      input.type = "radio";
      input.name = name;
      input.addEventListener("change", () => show({ ...now, values: replaced(now.values, at, value) }));
      return { input, label: make("label", "", input, make("span", "", text)) };
    });
    const group = make("fieldset", "control", make("legend", "", name), make("div", "values", ...options.map((one) => one.label)));
    group.title = words;
    return { group, options };
  });
  const sizes = sliders.map(([label, low, high, , words], at) => {
    const input = make("input");
    Object.assign(input, { type: "range", name: label, min: `${low}`, max: `${high}` });
    input.addEventListener("input", () => show({ ...now, sizes: replaced(now.sizes, at, +input.value) }));
    const value = make("output");
    const group = make("label", "control size", make("span", "", label), input, value);
    group.title = words;
    return { input, value, group };
  });
  const reset = button("Back to what was given", () => show(given));
  const fixed = data.given.length ? make("p", "quiet", `Given: ${data.given.join(", ")}`) : null;
  const isFixed = !choices.length && !sliders.length;
  const none = isFixed ? make("p", "quiet", "It has no size, and no argument that is a choice, a number, or yes and no.") : null;
  const sides = make("aside", "side-list", ...sizes.map((one) => one.group), ...groups.map((one) => one.group), none, fixed, reset, compared, status,
    make("h2", "", "Command"), command, make("p", "copies", copy("Copy the command", () => command.textContent || "")));
  sides.setAttribute("aria-label", "Arguments");
  reset.hidden = isFixed;
  document.body.classList.add("single");
  document.body.append(make("header", "bar", make("h1", "", data.model.title), themeButton()), make("main", "", sides, pane));

  /** @param {State} state */
  const open = (state) => new OpenSizes(data.nodes, Object.fromEntries(sliders.map(([label], at) => [label, state.sizes[at]])));

  /** What is shown of the layer; null where the page does not hold it. @param {State} state */
  function found(state) {
    const place = state.values.reduce((sum, value, at) => sum * choices[at][1].length + value, 0);
    const there = open(state);
    const one = data.cases[place].find(([conditions]) => there.hold(conditions));
    return one ? there.filled(one[1]) : null;
  }

  /** The data with the layer as it is now. @param {import("./open_sizes.js").Shown} shown @returns {import("./types.js").Data | null} */
  const dataWith = (shown) => (shown && typeof shown === "object" ? Object.assign({}, data, shown, { element }) : null);

  /** What the panels of the given arguments say, part by part; made when it is first compared. @type {Set<string> | null} */
  let asGiven = null;
  const before = /** @type {import("./types.js").Data} */ (dataWith(found(given)));
  /** Marks in the pane what the given arguments do not say. */
  function markChanges() {
    if (!asGiven) {
      const hidden = make("div", "unseen");
      document.body.append(hidden);
      showLayer(hidden, 0, Object.assign({}, before, { element: {} }));
      asGiven = new Set(saidIn(hidden).map(([key]) => key));
      hidden.remove();
    }
    for (const [key, part] of saidIn(pane)) part.classList.toggle("changed", !asGiven.has(key));
  }

  /** Whether a slider says nothing, since its argument is none. @param {State} state @param {number} at */
  const isIdle = (state, at) => sliders[at][5].every((name) => {
    const of = choices.findIndex((one) => one[0] === name);
    return of >= 0 && choices[of][1][state.values[of]][0] !== A_NUMBER;
  });

  /** @param {State} state */
  function commandOf(state) {
    const [front, words, behind] = data.command;
    const there = open(state);
    const typed = words.map(([name, isTyped, word, of]) => {
      const choice = choices.findIndex((one) => one[0] === name);
      const [text, chosen] = choice < 0 ? [A_NUMBER, ""] : choices[choice][1][state.values[choice]];
      if (text !== A_NUMBER) return chosen;
      return isTyped || choice >= 0 || of.some((at) => state.sizes[at] !== given.sizes[at]) ? there.text(word) : "";
    });
    return [front, ...typed, there.text(behind)].filter(Boolean).join(" ");
  }

  /** @param {State} state */
  function show(state) {
    now = state;
    groups.forEach(({ options }, at) => options.forEach(({ input, label }, value) => {
      input.checked = state.values[at] === value;
      const refused = typeof found({ ...state, values: replaced(state.values, at, value) }) === "string";
      label.classList.toggle("refused", refused);
      label.title = refused ? "refused beside the other arguments" : "";
    }));
    sizes.forEach(({ input, value, group }, at) => {
      input.value = `${state.sizes[at]}`;
      input.disabled = isIdle(state, at);
      value.textContent = input.disabled ? "–" : input.value;
      group.classList.toggle("moved", state.sizes[at] !== given.sizes[at]);
    });
    const isGiven = state.values.join() === given.values.join() && state.sizes.join() === given.sizes.join();
    const shown = found(state);
    const here = dataWith(shown);
    const rows = COMPARED.map(([what, text]) => [what, here ? text(here.layers[0]) : shown === null ? "?" : "refused", text(before.layers[0])]);
    compared.replaceChildren(table(["", "now", "as given"], rows, [1, 2]));
    reset.disabled = isGiven;
    command.replaceChildren(...unbroken(commandOf(state)));
    setAddress([
      ...state.values.flatMap((value, at) => (value === given.values[at] ? [] : [`${choices[at][0]}=${choices[at][1][value][0]}`])),
      ...state.sizes.flatMap((size, at) => (size === given.sizes[at] ? [] : [`${sliders[at][0]}=${size}`])),
    ].join("&"));
    const { scrollTop } = pane;
    if (here) {
      showLayer(pane, 0, here);
      pane.querySelector(".title")?.replaceChildren(make("h2", "", data.type), make("span", "quiet", isGiven ? "" : "changed"));
    } else {
      const isRefused = shown !== null;
      pane.replaceChildren(make("header", "title", make("h2", "", data.type), make("span", "quiet", isRefused ? "refuses these arguments" : "not in the page")),
        make("p", "warning", isRefused ? `${shown}` : "The page does not hold the layer with all of these sizes at once; the command explains it."));
    }
    if (here && !isGiven) markChanges();
    if (here && here.layers[0].definition === undefined && before.layers[0].definition !== undefined)
      pane.append(make("p", "quiet", "For these sizes the page has the numbers alone; the command explains the rest."));
    status.textContent = here ? here.layers[0].shape : shown === null ? "not in the page" : "refused";
    pane.append(make("section", "panel", make("h3", "", "All arguments"), argumentTable(data.arguments)));
    pane.scrollTop = scrollTop;
  }

  /** What the address says; a value that is none of an argument's leaves it as given. */
  function follow() {
    const asked = new Map(address().split("&").map((one) => /** @type {[string, string]} */ (one.split(/=(?=[^=]*$)/s))));
    const values = choices.map(([name, options], at) => {
      const value = options.findIndex(([text]) => text === asked.get(name));
      return value < 0 ? given.values[at] : value;
    });
    show({ values, sizes: sliders.map(([label, low, high, first]) => {
      const size = Number(asked.get(label));
      return Number.isInteger(size) && asked.has(label) && low <= size && size <= high ? size : first;
    }) });
  }
  // What tests compare with the layer as it is explained alone.
  Object.assign(window, { layerexplain: { data, found } });
  window.addEventListener("hashchange", follow);
  follow();
  document.body.classList.add("ready");
}

/** @param {number[]} list @param {number} at @param {number} value */
function replaced(list, at, value) {
  return list.map((one, i) => (i === at ? value : one));
}

/** The lines and cells of panels with what each says, named by its panel. @param {HTMLElement} pane @returns {[string, Element][]} */
function saidIn(pane) {
  return [...pane.querySelectorAll(".panel:not(.reads)")].flatMap((panel) =>
    [...panel.querySelectorAll("td, .math-line, .line, li, .wiring")].map((one) => /** @type {[string, Element]} */ ([`${panel.className} ${one.textContent}`, one])));
}

whenRead(start);
