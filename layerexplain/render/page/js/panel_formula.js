/** The sentence and the formula of a layer. */
import { make, points } from "./dom.js";

/**
 * @typedef {import("./types.js").Data} Data
 * @typedef {import("./types.js").Layer} Layer
 * @typedef {import("./types.js").Statement} Statement
 */

/**
 * @param {Layer} layer
 * @param {Data} data
 * @param {HTMLElement} element
 */
export function panelWhat(layer, data, element) {
  const told = layer.definition === undefined ? undefined : data.definitions[layer.definition];
  const texts = [told?.sentence || "", ...(layer.hints || [])].filter(Boolean);
  for (const text of texts) element.append(make("p", "", text));
}

/**
 * Statements as they are written in text, with the shapes of what they compute.
 * @param {Statement[]} statements
 */
export function listing(statements) {
  const box = make("pre", "listing");
  box.tabIndex = 0;
  for (const [text, indent, shape, note] of statements) {
    const line = make("span", "line", "    ".repeat(indent) + text);
    const said = [shape, note].filter(Boolean).join("  ");
    if (said) line.append(make("span", "said", `  # ${said}`));
    box.append(line, "\n");
  }
  return box;
}

/**
 * @param {Layer} layer
 * @param {Data} data
 * @param {HTMLElement} element
 */
export function panelFormula(layer, data, element) {
  const told = layer.definition === undefined ? undefined : data.definitions[layer.definition];
  if (!told) {
    element.append(listing([[layer.operation, 0, "", ""]]));
    return;
  }
  if (told.formula) element.append(listing(told.formula));
  if (told.where) element.append(make("h4", "", "Where"), listing(told.where.map((text) => [text, 0, "", ""])));
  if (told.element) {
    element.append(make("h4", "", "One element"), listing(told.element.map((text) => [text, 0, "", ""])));
  }
  if (told.element_notes) element.append(points(told.element_notes, "quiet"));
}
