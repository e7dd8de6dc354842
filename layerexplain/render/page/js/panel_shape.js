/** Why a layer's output has its shape, and what its weights are. */
import { breakable, count, make, points, table } from "./dom.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./types.js").Layer} Layer */

/** @param {Layer} layer @param {Data} data @param {HTMLElement} element */
export function panelShape(layer, data, element) {
  const told = layer.definition === undefined ? undefined : data.definitions[layer.definition];
  if (told?.axes) element.append(table(["Axis", "Before", "After", "Why"], told.axes, [1, 2]));
  if (told?.shape_notes) element.append(points(told.shape_notes, "quiet"));
}

/** @param {Layer} layer @param {Data} data @param {HTMLElement} element */
export function panelWeights(layer, data, element) {
  const told = layer.definition === undefined ? undefined : data.definitions[layer.definition];
  if (told?.weights) {
    // Where all are trainable, the line below says so.
    const mixed = told.weights.some((weight) => !weight[5]);
    const rows = told.weights.map(([symbol, name, shape, factors, params, trainable]) => [
      symbol, breakable(name), make("span", "whole", shape), axes(factors), count(params), ...(mixed ? [trainable === null ? "?" : trainable ? "yes" : "no"] : []),
    ]);
    element.append(table(["Symbol", "Weight", "Shape", "Axes", "Parameters", ...(mixed ? ["Trainable"] : [])], rows, [4]));
  }
  if (layer.weights_note) element.append(make("p", "quiet", layer.weights_note));
}

/** `rows 3 × columns 3`: lines break behind a ×, and a role stays beside its size. @param {string} factors */
function axes(factors) {
  return factors.replace(/ /g, "\u00a0").replace(/×\u00a0/g, "× ");
}
