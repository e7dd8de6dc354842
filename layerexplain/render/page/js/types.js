/**
 * The data of a page; data.py and graph_data.py say what each part means.
 *
 * @typedef {Object} Box
 * @property {number} x
 * @property {number} y
 * @property {number} w
 * @property {number} h
 * @property {string[]} lines
 * @property {string} [family]
 * @property {number} [call]
 * @property {number[][]} [copies]
 * @property {boolean} [single]
 * @property {Graph} [inner]
 * @property {number} [tw]
 * @property {number} [th]
 * @property {boolean} [port]
 * @property {boolean} [input]
 * @property {boolean} [faulty]
 * @property {string} [makes]
 *
 * @typedef {Object} Graph
 * @property {Box[]} boxes
 * @property {number[][]} lines
 * @property {[number, number][]} rows
 * @property {number[]} lanes
 * @property {number} trunk
 * @property {number} width
 * @property {number} height
 *
 * @typedef {Object} Call
 * @property {[number | null, string][]} from
 * @property {string} to
 * @property {number | null} mask
 *
 * @typedef {[string, number, string, string]} Statement
 *
 * @typedef {Object} Gradient
 * @property {string} [unknown]
 * @property {Statement[]} [formula]
 * @property {string[]} [tex]
 * @property {import("./math.js").Tree[]} [math]
 * @property {Statement[]} [kept]
 * @property {string[]} [element]
 * @property {string[]} [element_notes]
 * @property {string[]} [facts]
 * @property {string[]} [unreached]
 * @property {string} [cost]
 *
 * @typedef {Object} Definition
 * @property {string} [sentence]
 * @property {string} [dtype]
 * @property {Statement[]} [formula]
 * @property {string[]} [where]
 * @property {string[]} [tex]
 * @property {import("./math.js").Tree[]} [math]
 * @property {string[]} [element]
 * @property {import("./math.js").Tree[]} [element_math]
 * @property {boolean} [element_same] whether the formula is that of one element already
 * @property {string[]} [element_notes]
 * @property {string[]} [inputs]
 * @property {[string, string, string, string][]} [axes]
 * @property {string[]} [shape_notes]
 * @property {[string, string, string, string, number, boolean, string][]} [weights]
 * @property {string[]} [training]
 * @property {Gradient} [gradient]
 *
 * @typedef {Object} Layer
 * @property {string} name
 * @property {string} path
 * @property {string} type
 * @property {number} parent
 * @property {string} operation
 * @property {string} shape
 * @property {Call[]} [calls]
 * @property {number | null} params
 * @property {number | null} trainable
 * @property {number | null} macs
 * @property {number | null} flops
 * @property {number | null} values
 * @property {number | null} activations
 * @property {number | null} bytes
 * @property {string[]} [faults]
 * @property {string[]} [hints]
 * @property {string[]} [notes]
 * @property {string} [weights_note]
 * @property {string[]} [cost]
 * @property {string} [mask]
 * @property {string[]} [field]
 * @property {string} [keras]
 * @property {string} [place]
 * @property {number} [definition]
 * @property {number} [configuration]
 * @property {number | null} [overlay]
 * @property {(number | null)[]} [forms] of each call the number of its form
 * @property {Record<string, number>[]} [numbers] of each call, for tensors and lines of its form the number of an array
 * @property {Picture[]} [pictures]
 * @property {(Picture & Spread)[]} [spreads]
 * @property {string} [unnumbered] why it has no numbers
 *
 * @typedef {Object} Picture tiles in few bytes; run/page_values.py says what is in one
 * @property {string} [name]
 * @property {number[]} shape
 * @property {number} tiles
 * @property {number} rows
 * @property {number} columns
 * @property {[number, number]} every
 * @property {number} low
 * @property {number} high
 * @property {string} data
 *
 * @typedef {{name: string, counts: number[], low: number, high: number, mean: number, std: number, picture_low: number, picture_high: number}} Spread
 *
 * @typedef {Object} Model
 * @property {string} [type]
 * @property {string} [source]
 * @property {string | null} [keras]
 * @property {string} title
 * @property {Record<string, number | null>} totals
 * @property {string[]} inputs
 * @property {string[]} outputs
 * @property {[string, [string, string, string][]][]} facts on a language model: titles, with labels, values and words
 * @property {string[]} notes
 * @property {[string, string | null][]} [faults]
 * @property {[string, string]} [overlay] what numbers of one's own are, and how those of a box are combined
 * @property {string} [still] why the page does not run it
 *
 * @typedef {Object} Data
 * @property {Model} model
 * @property {Layer[]} layers
 * @property {Definition[]} definitions
 * @property {[number, number][]} calls
 * @property {Graph} graph
 * @property {[string, number]} letters
 * @property {Graph} [whole]
 * @property {Graph} [every]
 * @property {[string, [string, string, boolean][]][]} configurations details, and each argument with its value and whether it was set
 * @property {import("./scalars.js").Form[]} [forms]
 * @property {import("./values.js").PackedArray[]} [arrays]
 * @property {import("./run/program.js").ProgramData} [program] what a page that runs its model has
 * @property {import("./run/live.js").Live} [live] the model that runs
 * @property {{inputs: string[], weights: string, notes: string[], left?: string}} [run] the run of which it has values
 * @property {{line?: string, index?: number[]}} [element] the element that is chosen, where it is kept for another layer
 */
export {};
