/** The arguments of a layer type. */
import { make, table } from "./dom.js";

/** @param {[string, string, string][]} rows @returns {HTMLElement} the name of each, what it takes, its default */
export function argumentTable(rows) {
  if (!rows.length) return make("p", "quiet", "It takes no arguments of its own.");
  return table(["Argument", "Takes", "Default"], rows.map(([name, words, standard]) => [make("code", "", name), words, standard]));
}
