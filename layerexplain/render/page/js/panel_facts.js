/** What else there is to tell of a layer: its place in the model, cost, training, notes, and the way to it in Python. */
import { breakable, make, named, points, table } from "./dom.js";
import { typeset } from "./math.js";
import { listing, spoken } from "./panel_formula.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./types.js").Layer} Layer */

/** A link to a layer of the page. @param {Layer} layer @param {string} [text] */
export function linkTo(layer, text) {
  const link = named(make("a"), text ?? layer.name);
  link.href = `#${encodeURIComponent(layer.path)}`;
  return link;
}

/** @param {Layer} layer @param {Data} data @param {HTMLElement} element */
export function panelWiring(layer, data, element) {
  const calls = layer.calls || [];
  const symbols = (layer.definition === undefined ? undefined : data.definitions[layer.definition])?.inputs || [];
  calls.forEach((call, number) => {
    const line = make("p", "wiring");
    if (calls.length > 1) line.append(`call ${number + 1}: `);
    call.from.forEach(([source, text], at) => {
      if (at) line.append(", ");
      if (symbols[at] && !text.startsWith(`${symbols[at]} `)) line.append(make("b", "", symbols[at]), "\u00a0=\u00a0");
      if (source === null) line.append(text);
      else line.append(linkTo(data.layers[source], text));
    });
    line.append(call.from.length ? " → " : "", call.to.length < 30 ? make("span", "whole", call.to) : call.to);
    element.append(line);
  });
}

/** @param {Layer} layer @param {Data} data @param {HTMLElement} element */
export function panelFaults(layer, data, element) {
  if (layer.faults) element.append(points(layer.faults, "fault"));
}

/** What is wrong with the model, each line leading to its layer. @param {Data} data @returns {HTMLElement[]} */
export function faults(data) {
  const found = data.model.faults || [];
  if (!found.length) return [];
  const lines = found.map(([text, path]) => {
    const layer = data.layers.find((one) => one.path === path);
    return make("li", "", layer ? linkTo(layer, text) : text);
  });
  const banner = make("section", "banner", make("strong", "", "The model has faults; what depends on them is not known."), make("ul", "", ...lines));
  banner.setAttribute("aria-label", "Faults");
  return [banner];
}

/** @param {Layer} layer @param {Data} data @param {HTMLElement} element */
export function panelCost(layer, data, element) {
  const own = data.model.overlay && layer.overlay !== null && layer.overlay !== undefined ? [`${data.model.overlay[0]}: ${layer.overlay}`] : [];
  const said = [...own, ...(layer.cost || []), ...(layer.field || [])];
  if (said.length) element.append(points(said));
}

/** @param {Layer} layer @param {Data} data @param {HTMLElement} element */
export function panelTraining(layer, data, element) {
  const told = layer.definition === undefined ? undefined : data.definitions[layer.definition];
  if (told?.training) element.append(points(told.training));
  const gradient = told?.gradient;
  if (!gradient) return;
  element.append(make("h4", "", "Gradients (dy is that of the output)"));
  if (gradient.unknown) element.append(make("p", "quiet", `not known: ${gradient.unknown}`));
  else if (!gradient.formula) element.append(make("p", "quiet", "no trainable weight and no float input"));
  if (gradient.math) element.append(typeset(gradient.math, spoken(gradient.math, gradient.formula, gradient.tex) || []));
  if (gradient.formula) element.append(listing(gradient.formula));
  if (gradient.kept) element.append(make("h4", "", "Kept from the forward pass"), listing(gradient.kept));
  const said = [...(gradient.facts || [])];
  if (gradient.unreached) said.push(`No gradient reaches ${gradient.unreached.join(", ")}.`);
  if (gradient.cost) said.push(`Backward: ${gradient.cost} per example.`);
  if (said.length) element.append(points(said));
  if (gradient.element) {
    element.append(make("h4", "", "One element of each gradient"), listing(gradient.element.map((text) => [text, 0, "", ""])));
  }
  if (gradient.element_notes) element.append(points(gradient.element_notes, "quiet"));
}

/** @param {Layer} layer @param {Data} data @param {HTMLElement} element */
export function panelNotes(layer, data, element) {
  if (layer.notes) element.append(points(layer.notes, "warning"));
  if (layer.mask) element.append(make("p", "", `Mask: ${layer.mask}`));
}

/** @param {Layer} layer @param {Data} data @param {HTMLElement} element */
export function panelKeras(layer, data, element) {
  const told = layer.definition === undefined ? undefined : data.definitions[layer.definition];
  const rows = (told?.weights || []).filter((weight) => weight[6]).map((weight) => [
    weight[0] || weight[1], make("code", "", breakable((layer.keras || "") + weight[6])),
  ]);
  if (rows.length) element.append(table(["Weight", "Expression"], rows));
}
