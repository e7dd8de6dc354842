/** Formulas typeset: the trees of formula_tree.py as MathML. */
import { make } from "./dom.js";

const SPACE = "http://www.w3.org/1998/Math/MathML";
const LARGE = ["∑", "∏"];

/**
 * @param {string} tag
 * @param {(Node | string)[]} inside
 * @returns {MathMLElement}
 */
function node(tag, ...inside) {
  const made = /** @type {MathMLElement} */ (document.createElementNS(SPACE, tag));
  made.append(...inside);
  return made;
}

/** @param {string} text @param {boolean} fence */
function sign(text, fence = false) {
  const made = node("mo", text);
  if (LARGE.includes(text)) made.setAttribute("class", "large");
  if (!fence && "()[]|".includes(text)) made.setAttribute("stretchy", "false");
  return made;
}

/** @param {string} width */
function space(width) {
  const made = node("mspace");
  made.setAttribute("width", width);
  return made;
}

/**
 * @param {any} tree
 * @returns {MathMLElement}
 */
function built(tree) {
  if (typeof tree === "string") return node("mi", tree);
  const [kind, ...parts] = tree;
  const all = () => parts.map(built);
  switch (kind) {
    case "o": return sign(parts[0]);
    case "n": return node("mn", parts[0]);
    case "t": return node("mtext", parts[0].replace(/^ | $/g, "\u00a0"));
    case "s": return space("1em");
    case "p": return space("0.17em");
    case "f": {
      const name = node("mi", parts[0]);
      name.setAttribute("mathvariant", "normal");
      return name;
    }
    case "sub": return node("msub", ...all());
    case "sup": return node("msup", ...all());
    case "both": return node("msubsup", ...all());
    case "under": return typeof parts[0] === "string" || parts[0][0] !== "f" ? node("munder", ...all()) : node("mrow", node("munder", ...all()), space("0.17em"));
    case "frac": return node("mfrac", ...all());
    case "root": return node("msqrt", ...all());
    case "fence": return node("mrow", sign(parts[0], true), ...parts.slice(2).map(built), ...(parts[1] ? [sign(parts[1], true)] : []));
    case "cases": {
      const rows = parts.map((/** @type {any} */ [value, condition]) => node("mtr", node("mtd", built(value)), node("mtd", built(condition))));
      const cases = node("mtable", ...rows);
      cases.setAttribute("class", "cases");
      return cases;
    }
    default: return node("mrow", ...all());
  }
}

/**
 * A line, and what stands beside it in LaTeX, behind a wide space: it stands below it.
 * @param {any} tree
 * @returns {any[]}
 */
function parts(tree) {
  if (!Array.isArray(tree) || tree[0] !== "row") return [tree];
  /** @type {any[][]} */
  const found = [["row"]];
  const wide = (/** @type {any} */ one) => Array.isArray(one) && one[0] === "s";
  for (const one of tree.slice(1)) {
    const last = found[found.length - 1];
    if (wide(one) && last.slice(1).some((before) => !wide(before))) found.push(["row"]);
    else last.push(one);
  }
  return found;
}

/**
 * Lines of a formula, one below the other.
 * @param {any[]} trees
 * @param {string[]} texts the same as text, for who cannot see them
 */
export function typeset(trees, texts) {
  const noted = new Set();
  const lines = trees.flatMap((tree, at) => parts(tree).filter((part, number) => {
    // What was said beside a line above is not said again.
    const said = JSON.stringify(part);
    return !number || !(noted.has(said) || !noted.add(said));
  }).map((part, number) => {
    const math = node("math", built(part));
    if (!number) math.setAttribute("display", "block");
    if (texts[at] && !number) math.setAttribute("aria-label", texts[at]);
    return make("div", number ? "math-line side" : "math-line", math);
  }));
  const box = make("div", "math", ...lines);
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "Formula");
  return box;
}
