/** What is shown of a chosen layer: a section for each panel, in this order. */
import { panelFormula, panelHints, panelWhat } from "./panel_formula.js";
import { panelReads } from "./panel_reads.js";
import { panelSpreads, panelValues } from "./panel_values.js";
import { panelShape, panelWeights } from "./panel_shape.js";
import { panelCost, panelFaults, panelKeras, panelNotes, panelTraining, panelWiring } from "./panel_facts.js";

/**
 * @typedef {import("./types.js").Data} Data
 * @typedef {import("./types.js").Layer} Layer
 * @typedef {(layer: Layer, data: Data, element: HTMLElement) => void} Panel
 */

/** @type {[string, string, Panel][]} the id of the section, its title ("" for none), what fills it */
export const PANELS = [
  ["faults", "", panelFaults],
  ["wiring", "", panelWiring],
  ["what", "", panelWhat],
  ["formula", "Formula", panelFormula],
  ["reads", "What one element reads", panelReads],
  ["values", "Values", panelValues],
  ["shape", "Shape", panelShape],
  ["weights", "Weights", panelWeights],
  ["spreads", "", panelSpreads],
  ["hints", "Worth knowing", panelHints],
  ["cost", "Cost and reach", panelCost],
  ["training", "Training", panelTraining],
  ["notes", "Notes", panelNotes],
  ["keras", "In Keras", panelKeras],
];
