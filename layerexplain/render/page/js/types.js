/** The data of a page; data.py and graph_data.py say what each part means. */
/**
 * @typedef {{x: number, y: number, w: number, h: number, lines: string[], family?: string, call?: number, copies?: number[][], single?: boolean, inner?: Graph, tw?: number, th?: number,
 *   port?: boolean, input?: boolean, faulty?: boolean, makes?: string}} Box
 */
/** @typedef {{boxes: Box[], lines: number[][], rows: [number, number][], lanes: number[], trunk: number, width: number, height: number}} Graph */
/** @typedef {{from: [number | null, string][], to: string, mask: number | null}} Call */
/** @typedef {[string, number, string, string]} Statement */
/** @typedef {{unknown?: string, formula?: Statement[], tex?: string[], math?: import("./math.js").Tree[], kept?: Statement[], element?: string[], element_notes?: string[], facts?: string[], unreached?: string[], cost?: string}} Gradient */
/**
 * @typedef {{sentence?: string, dtype?: string, formula?: Statement[], where?: string[], tex?: string[], math?: import("./math.js").Tree[], element?: string[],
 *   element_math?: import("./math.js").Tree[], element_same?: boolean, element_notes?: string[], inputs?: string[], axes?: [string, string, string, string][], shape_notes?: string[],
 *   weights?: [string, string, string, string, number, boolean, string][], training?: string[], gradient?: Gradient}} Definition `element_same`: whether the formula is that of one element
 *   already
 */
/**
 * @typedef {{name: string, path: string, type: string, parent: number, operation: string, shape: string, calls?: Call[], params: number | null, trainable: number | null, macs: number | null,
 *   flops: number | null, values: number | null, activations: number | null, bytes: number | null, faults?: string[], hints?: string[], notes?: string[], weights_note?: string,
 *   cost?: string[], mask?: string, field?: string[], keras?: string, place?: string, definition?: number, configuration?: number, overlay?: number | null, forms?: (number | null)[],
 *   numbers?: Record<string, number>[], pictures?: Picture[], spreads?: (Picture & Spread)[], unnumbered?: string}} Layer `forms`: of each call the number of its form; `numbers`: of each call,
 *   for tensors and lines of its form the number of an array; `unnumbered`: why it has no numbers
 */
/** @typedef {{name?: string, shape: number[], tiles: number, rows: number, columns: number, every: [number, number], low: number, high: number, data: string}} Picture tiles in few bytes; run/page_values.py says what is in one */
/** @typedef {{name: string, counts: number[], low: number, high: number, mean: number, std: number, picture_low: number, picture_high: number}} Spread */
/**
 * @typedef {{type?: string, source?: string, keras?: string | null, title: string, totals: Record<string, number | null>, inputs: string[], outputs: string[],
 *   facts: [string, [string, string, string][]][], notes: string[], faults?: [string, string | null][], overlay?: [string, string], still?: string}} Model `facts`: on a language model: titles,
 *   with labels, values and words; `overlay`: what numbers of one's own are, and how those of a box are combined; `still`: why the page does not run it
 */
/**
 * @typedef {{model: Model, layers: Layer[], definitions: Definition[], calls: [number, number][], graph: Graph, letters: [string, number], whole?: Graph, every?: Graph,
 *   configurations: [string, [string, string, boolean][]][], forms?: import("./scalars.js").Form[], arrays?: import("./values.js").PackedArray[],
 *   program?: import("./run/program.js").ProgramData, live?: import("./run/live.js").Live, open?: import("./model_sizes.js").Open, run?: {inputs: string[], weights: string, notes: string[], left?: string},
 *   element?: {line?: string, index?: number[]}}} Data `configurations`: details, and each argument with its value and whether it was set; `program`: what a page that runs its model has;
 *   `live`: the model that runs; `open`: sliders for named sizes; `run`: the run of which it has values; `element`: the element that is chosen, where it is kept for another layer
 */
export {};
