/** The sentence and the formula of a layer. */
import { copy, make, points, scrolls } from "./dom.js";
import { typeset } from "./math.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./types.js").Layer} Layer */
/** @typedef {import("./types.js").Statement} Statement */

/** @param {Layer} layer @param {Data} data @param {HTMLElement} element */
export function panelWhat(layer, data, element) {
  const told = layer.definition === undefined ? undefined : data.definitions[layer.definition];
  if (told?.sentence) element.append(make("p", "", told.sentence));
}

/** @param {Layer} layer @param {Data} _data @param {HTMLElement} element */
export function panelHints(layer, _data, element) {
  if (layer.hints) element.append(points(layer.hints));
}

/** Statements as they are written in text, with the shapes of what they compute. @param {Statement[]} statements */
export function listing(statements) {
  const box = scrolls(make("pre", "listing"));
  for (const [text, indent, shape, note] of statements) {
    // Deeper lines hang no further: a class each, since an element of the page has no style of its own.
    const line = make("span", `line in-${Math.min(indent, 4)}`, "    ".repeat(indent) + text);
    const said = [shape, note].filter(Boolean).join("  ");
    if (said) line.append(make("span", "said", `  # ${said}`));
    line.append("\n");
    box.append(line);
  }
  return box;
}

/** @param {Layer} layer @param {Data} data @param {HTMLElement} element */
export function panelFormula(layer, data, element) {
  const told = layer.definition === undefined ? undefined : data.definitions[layer.definition];
  if (!told) {
    element.append(listing([[layer.operation, 0, "", ""]]));
    return;
  }
  const statements = told.formula ? listing(told.formula) : null;
  // With the indices in brackets, which read better, where that is the same formula.
  const same = told.element_same && told.element_math;
  if (told.math) element.append(typeset(same || told.math, (same ? told.element : spoken(told.math, told.formula, told.tex)) || []));
  if (statements) {
    if (told.math) element.append(make("h4", "", "The same as code"));
    element.append(statements);
  }
  if (told.where) element.append(make("h4", "", "Where"), listing(told.where.map((text) => [text, 0, "", ""])));
  if (told.element && !(told.math && told.element_same)) {
    element.append(make("h4", "", "One element of the output"));
    if (told.element_math) element.append(typeset(told.element_math, told.element));
    else element.append(listing(told.element.map((text) => [text, 0, "", ""])));
  }
  if (told.element_notes) element.append(points(told.element_notes, "quiet"));
  const copies = make("p", "copies", "Copy as ", told.tex ? copy("LaTeX", () => (told.tex || []).join("\n")) : "",
    copy("Python", () => (told.formula || []).map(([text, indent]) => "    ".repeat(indent) + text).join("\n")),
    copy("text", () => textOf(element)));
  element.append(copies);
}

/** @param {HTMLElement} element what it says, line by line */
function textOf(element) {
  return [...element.querySelectorAll(".listing, h4, li")].map((one) => one.textContent).join("\n");
}

/** What a screen reader says of formulas: their statements, which read better than LaTeX, where each is a line. @param {unknown[]} lines @param {Statement[]} [statements] @param {string[]} [tex] */
export function spoken(lines, statements, tex) {
  return statements?.length === lines.length ? statements.map(([text]) => text) : tex;
}
