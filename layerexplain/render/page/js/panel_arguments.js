/** All arguments of the chosen layer: those that were set first, then those at their defaults. */
import { breakable, make, table } from "./dom.js";

/** @param {import("./types.js").Layer} layer @param {import("./types.js").Data} data @param {HTMLElement} element */
export function panelArguments(layer, data, element) {
  if (layer.configuration === undefined) return;
  const [, listed] = data.configurations[layer.configuration];
  const rows = (/** @type {boolean} */ set) => listed.filter((one) => one[2] === set).map(([name, value]) => [make("code", "", name), breakable(value)]);
  const [own, usual] = [rows(true), rows(false)];
  if (own.length) element.append(table(["Set", "Value"], own));
  if (usual.length) element.append(table(["At its default", "Value"], usual));
}
