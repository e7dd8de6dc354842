// Numbers in place of sizes that are open: what lang/open_sizes.py has derived is computed here, and no rule of a layer.

/** @typedef {number | string | [string, number, number]} Node a number, the label of a size, or an operation on two nodes */
/** @typedef {[string, number, boolean]} Condition a comparison of a node with 0, and whether it holds */
/** @typedef {{[key: string]: Shown}} ShownParts */
/** @typedef {string | number | boolean | null | ShownList | ShownParts} Shown what JSON has */
/** @typedef {Array<string | number | boolean | null | ShownList | ShownParts>} ShownList */

/** @type {Record<string, (a: number, b: number) => number>} */
const OPERATIONS = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "//": (a, b) => Math.floor(a / b),
  "%": (a, b) => a - b * Math.floor(a / b),
};

/** Sizes with their numbers. */
export class OpenSizes {
  /** @param {Node[]} nodes @param {Record<string, number>} given the numbers by label */
  constructor(nodes, given) {
    this.nodes = nodes;
    this.given = given;
    /** @type {Map<number, number>} */
    this.known = new Map();
  }

  /** The value of a node. @param {number} at @returns {number} */
  value(at) {
    let value = this.known.get(at);
    if (value === undefined) {
      const node = this.nodes[at];
      if (typeof node === "number") value = node;
      else if (typeof node === "string") value = this.given[node];
      else value = OPERATIONS[node[0]](this.value(node[1]), this.value(node[2]));
      this.known.set(at, value);
    }
    return value;
  }

  /** @param {Condition[]} conditions */
  hold(conditions) {
    return conditions.every(([sign, at, holds]) => (sign === "==" ? this.value(at) === 0 : this.value(at) < 0) === holds);
  }

  /** What was written with marks, with numbers in their places. @param {Shown} shown @returns {Shown} */
  filled(shown) {
    if (typeof shown === "string") return shown.startsWith("\ue012") ? this.value(+shown.slice(1)) : this.text(shown);
    if (Array.isArray(shown)) return shown.map((one) => this.filled(one));
    if (!shown || typeof shown !== "object") return shown;
    return Object.fromEntries(Object.entries(shown).map(([key, one]) => [key, this.filled(one)]));
  }

  /** @param {string} text */
  text(text) {
    return text.replace(/\ue010(\d+)(,?)\ue011/g, (_, at, comma) => (comma ? this.value(+at).toLocaleString("en-US") : `${this.value(+at)}`));
  }
}
