/**
 * What is typed into the search: words and conditions, all of which a layer must meet.
 *
 * `conv relu` are parts of a path, a type, a shape or an argument; `3x3`, `stride 2` and `activation=relu` are arguments,
 * `14x14x64` a shape; `type:Conv2D` is a type; `params>1000`, `macs>=1e6` and `values<10` compare; `note:mask` is a word
 * in a note, `note:` any note.
 */

import { measured } from "./amounts.js";

/** @typedef {import("./types.js").Layer} Layer */
/** @typedef {import("./types.js").Data} Data */
/** @typedef {(layer: Layer) => number} Term how well a layer meets it: 0 not at all, 1 within a word, 2 as a whole word, 3 as its name */

const COMPARED = ["params", "trainable", "macs", "flops", "values", "activations", "bytes", "overlay"];
const CONDITION = /^(\w+)(<=|>=|<|>|=)([\d.,_]+(?:e\d+)?)([kmg]?)$/i;
/** @type {Record<string, number>} */
const UNITS = { "": 1, k: 1e3, m: 1e6, g: 1e9 };

/** Words for arguments: what people type, and what Keras and PyTorch call it. @type {Record<string, string[]>} */
const ARGUMENTS = {
  stride: ["strides", "stride"], strides: ["strides", "stride"], kernel: ["kernel_size"], filters: ["filters", "out_channels"],
  units: ["units", "out_features", "hidden_size"], heads: ["num_heads", "nhead"], rate: ["rate", "p"], dilation: ["dilation_rate", "dilation"],
  groups: ["groups"], activation: ["activation"], padding: ["padding"], pool: ["pool_size"],
};

/** @param {string} typed @param {Data} data @returns {Term | null} how well a layer meets all of it, or null where nothing is sought */
export function query(typed, data) {
  const words = typed.toLowerCase().replace(/×/g, "x").split(/\s+/).filter(Boolean);
  /** @type {Term[]} */
  const terms = [];
  for (let at = 0; at < words.length; at++) {
    const named = ARGUMENTS[words[at]];
    const number = named && at + 1 < words.length && /^[\d.]+$/.test(words[at + 1]);
    terms.push(number ? argument(named, words[++at], data) : term(words[at], data));
  }
  if (!terms.length) return null;
  return (layer) => {
    const met = terms.map((one) => one(layer));
    return met.every(Boolean) ? met.reduce((a, b) => a + b, 0) : 0;
  };
}

/** @param {Layer} layer @param {Data} data @returns {[string, string, boolean][]} */
function argumentsOf(layer, data) {
  return layer.configuration === undefined ? [] : data.configurations[layer.configuration][1];
}

/** Whether one of some arguments has a value: `2` also of `(2, 2)` and of `'2'`. @param {string[]} names @param {string} value @param {Data} data @returns {Term} */
function argument(names, value, data) {
  return (layer) => (argumentsOf(layer, data).some((one) => names.includes(one[0]) && plainValue(one[1]).split(",").includes(value)) ? 2 : 0);
}

/** @param {string} text */
function plainValue(text) {
  return text.toLowerCase().replace(/[()'"\s]/g, "");
}

/** @param {string} text @param {Data} data @returns {Term} */
function term(text, data) {
  const compared = CONDITION.exec(text);
  if (compared && COMPARED.includes(compared[1])) {
    const wanted = Number(compared[3].replace(/[,_]/g, "")) * UNITS[compared[4].toLowerCase()];
    return (layer) => {
      const value = measured(layer, compared[1]);
      if (value === null) return 0;
      return Number({ "<": value < wanted, ">": value > wanted, "<=": value <= wanted, ">=": value >= wanted, "=": value === wanted }[compared[2]] || false);
    };
  }
  if (text.startsWith("type:")) return (layer) => (layer.type.toLowerCase() === text.slice(5) ? 2 : 0);
  if (text.startsWith("note:")) return (layer) => Number([...(layer.faults || []), ...(layer.notes || [])].some((note) => note.toLowerCase().includes(text.slice(5))));
  const given = /^(\w+)=(.+)$/.exec(text);
  if (given && !COMPARED.includes(given[1])) return argument(ARGUMENTS[given[1]] || [given[1]], given[2].replace(/[()'"]/g, ""), data);
  return (layer) => {
    const path = layer.path.toLowerCase();
    const type = layer.type.toLowerCase();
    if (path === text || type === text) return 3;
    const details = layer.configuration === undefined ? "" : data.configurations[layer.configuration][0].toLowerCase().replace(/×/g, "x");
    if (path.split(/[^a-z0-9]+/).includes(text) || details.split(/,? /).includes(text) || shapeWords(layer).includes(text)) return 2;
    return Number(path.includes(text) || type.includes(text) || argumentsOf(layer, data).some(([, value, set]) => set && plainValue(value) === text));
  };
}

/** The shapes of a layer as words: `14x14x64`, with the batch left out. @param {Layer} layer */
function shapeWords(layer) {
  return [...layer.shape.matchAll(/\(([^()]*)\)/g)].map(([, sizes]) => sizes.toLowerCase().replace(/^none,?\s*/, "").replace(/,\s*/g, "x"));
}
