/**
 * What is typed into the search: words and conditions, all of which a layer must meet.
 *
 * `conv relu` are parts of a path or a type; `type:Conv2D` a type; `params>1000`, `macs>=1e6` and `values<10` compare;
 * `note:mask` is a word in a note, `note:` any note.
 */

/** @typedef {import("./types.js").Layer} Layer */

const COMPARED = ["params", "trainable", "macs", "flops", "values", "activations", "bytes"];
const CONDITION = /^(\w+)(<=|>=|<|>|=)([\d.,_]+(?:e\d+)?)([kmg]?)$/i;
/** @type {Record<string, number>} */
const UNITS = { "": 1, k: 1e3, m: 1e6, g: 1e9 };

/**
 * @param {string} typed
 * @returns {((layer: Layer) => boolean) | null} null where nothing is sought
 */
export function query(typed) {
  const terms = typed.toLowerCase().split(/\s+/).filter(Boolean).map(term);
  return terms.length ? (layer) => terms.every((holds) => holds(layer)) : null;
}

/** @param {string} text @returns {(layer: Layer) => boolean} */
function term(text) {
  const compared = CONDITION.exec(text);
  if (compared && COMPARED.includes(compared[1])) {
    const wanted = Number(compared[3].replace(/[,_]/g, "")) * UNITS[compared[4].toLowerCase()];
    return (layer) => {
      const value = /** @type {Record<string, any>} */ (layer)[compared[1]];
      if (value === null || value === undefined) return false;
      return { "<": value < wanted, ">": value > wanted, "<=": value <= wanted, ">=": value >= wanted, "=": value === wanted }[compared[2]] || false;
    };
  }
  if (text.startsWith("type:")) return (layer) => layer.type.toLowerCase() === text.slice(5);
  if (text.startsWith("note:")) return (layer) => [...(layer.faults || []), ...(layer.notes || [])].some((note) => note.toLowerCase().includes(text.slice(5)));
  return (layer) => layer.path.toLowerCase().includes(text) || layer.type.toLowerCase().includes(text);
}
