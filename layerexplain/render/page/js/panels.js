/** What is shown of a chosen layer: a section for each panel, in this order. */
import { panelArguments } from "./panel_arguments.js";
import { panelFormula, panelHints, panelWhat } from "./panel_formula.js";
import { panelHeads } from "./panel_heads.js";
import { panelReads } from "./panel_reads.js";
import { panelSpreads, panelValues } from "./panel_values.js";
import { panelShape, panelWeights } from "./panel_shape.js";
import { panelCost, panelFaults, panelKeras, panelNotes, panelTraining, panelWiring } from "./panel_facts.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./types.js").Layer} Layer */
/** @typedef {(layer: Layer, data: Data, element: HTMLElement) => void} Panel */

/** @typedef {[string, string, Panel]} Row the id of a section, its title ("" for none), what fills it */

/** What is shown of a layer: what stands above, and three parts. @type {[string, Row[]][]} */
export const PARTS = [
  ["", [["faults", "", panelFaults], ["wiring", "", panelWiring]]],
  ["The idea", [["what", "", panelWhat], ["formula", "Formula", panelFormula], ["looks", "Where it looks", panelHeads], ["reads", "What one element reads", panelReads], ["hints", "Worth knowing", panelHints], ["notes", "Notes", panelNotes]]],
  ["The numbers", [["values", "Values", panelValues], ["shape", "Shape", panelShape], ["weights", "Weights", panelWeights], ["spreads", "", panelSpreads], ["cost", "Cost and reach", panelCost]]],
  ["The reference", [["arguments", "Arguments", panelArguments], ["training", "Training", panelTraining], ["keras", "In Python", panelKeras]]],
];
