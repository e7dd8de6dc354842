/** Formulas typeset: the trees of lang/typeset.py as MathML. */
import { make, scrolls } from "./dom.js";

const SPACE = "http://www.w3.org/1998/Math/MathML";
const LARGE = ["∑", "∏"];
const TALL = ["frac", "under", "cases", "root"];
/** A line that is wider, in letters, may be broken. */
const LONGEST_PIECE = 26;

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

/** @param {string} text */
function sign(text) {
  const made = node("mo", text);
  if (LARGE.includes(text)) made.setAttribute("class", "large");
  if ("()[]|".includes(text)) made.setAttribute("stretchy", "false");
  if (text === "|") for (const side of ["lspace", "rspace"]) made.setAttribute(side, "0");
  return made;
}

/** A bracket, which grows around what is tall alone: one that may grow has room for its largest form. @param {string} text @param {boolean} tall */
function bracket(text, tall) {
  const made = node("mo", text);
  if (!tall) made.setAttribute("stretchy", "false");
  return made;
}

/** Whether a tree is higher than a line. @param {any} tree @returns {boolean} */
function isTall(tree) {
  return Array.isArray(tree) && (TALL.includes(tree[0]) || tree.slice(1).some(isTall));
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
    case "f":
    case "name": {
      const name = node("mi", parts[0]);
      name.setAttribute("mathvariant", "normal");
      return name;
    }
    case "sub": return node("msub", ...all());
    case "sup": return node("msup", ...all());
    case "both": return node("msubsup", ...all());
    case "under": return typeof parts[0] === "string" || parts[0][0] !== "f" ? node("munder", ...all()) : node("mrow", node("munder", ...all()), space("0.17em"));
    case "frac": return node("mfrac", ...all());
    case "root": return node(parts.length > 1 ? "mroot" : "msqrt", ...all());
    case "fence": {
      const [open, close, ...inside] = parts;
      const tall = inside.some(isTall);
      return node("mrow", bracket(open, tall), ...inside.map(built), ...(close ? [bracket(close, tall)] : []));
    }
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

/** About how many letters wide a tree is. @param {any} tree @returns {number} */
function widthOf(tree) {
  if (!Array.isArray(tree)) return 1;
  const [kind, ...rest] = tree;
  if (["o", "n", "f", "name", "t"].includes(kind)) return kind === "o" ? 2 : rest[0].length;
  const widths = rest.map(widthOf);
  const sum = widths.reduce((a, b) => a + b, 0);
  if (kind === "frac" || kind === "under") return Math.max(...widths);
  return kind === "cases" ? Math.max(...rest.map((/** @type {any} */ row) => row.map(widthOf).reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0))) : sum;
}

/** @param {any} tree @param {string} signs */
const isSign = (tree, signs) => Array.isArray(tree) && tree[0] === "o" && signs.includes(tree[1]);

/**
 * What of a long line may stand on lines of its own: it is cut behind `=` and `,`, before `+` and between long factors,
 * also inside of brackets that are long themselves. Brackets around what is tall grow as if it stood together.
 * @param {any[]} trees
 * @returns {Node[][]}
 */
function pieces(trees) {
  /** @type {Node[][]} */
  const found = [[]];
  const last = () => found[found.length - 1];
  let since = 0;
  trees.forEach((tree, at) => {
    since += widthOf(tree);
    const begun = at > 0 && !isSign(trees[at - 1], "=+−,");
    if (isSign(tree, "+−⊙") && begun && last().length) {
      const between = sign(tree[1]);
      between.setAttribute("form", "infix");
      found.push([between]);
      since = 0;
      return;
    }
    if (Array.isArray(tree) && tree[0] === "p" && since > LONGEST_PIECE / 2) {
      found.push([]);
      since = 0;
    }
    // An index of brackets stands behind the last of them.
    const [fence, below] = Array.isArray(tree) && tree[0] === "sub" && tree[1][0] === "fence" && tree[1][2] ? tree.slice(1) : [tree];
    const isLong = Array.isArray(fence) && fence[0] === "fence" && widthOf(fence) > LONGEST_PIECE;
    const inside = isLong ? pieces(fence.slice(3)) : [];
    if (inside.length < 2) {
      last().push(built(tree));
      if (isSign(tree, "=,") && last().length > 1) found.push([]);
      return;
    }
    const [, open, close, ...whole] = fence;
    const tall = whole.some(isTall);
    const unseen = () => (tall ? [held(highest(whole))] : []);
    last().push(node("mrow", bracket(open, tall), ...inside[0], ...unseen()));
    found.push(...inside.slice(1, -1));
    const ended = close ? [bracket(close, tall)] : [];
    const end = below ? [node("msub", ...ended, built(below))] : ended;
    found.push([node("mrow", ...unseen(), ...inside[inside.length - 1], ...end)]);
  });
  return found.filter((one) => one.length);
}

/** The first part that is higher than a line. @param {any} tree @returns {any} */
function highest(tree) {
  return TALL.includes(tree[0]) ? tree : highest(tree.find(isTall));
}

/** Room as high as a tree is, and not wide. @param {any} tree */
function held(tree) {
  // With a second part it is no operator, around which there would be room.
  const made = node("mpadded", node("mphantom", node("mi", "\u200b"), built(tree)));
  made.setAttribute("width", "0");
  return made;
}

/** A line of a formula, as parts between which it may be broken. @param {any} tree @param {boolean} large */
function mathOf(tree, large) {
  const trees = Array.isArray(tree) && tree[0] === "row" ? tree.slice(1) : [tree];
  const cut = widthOf(tree) > LONGEST_PIECE ? pieces(trees) : [[built(tree)]];
  return cut.flatMap((inside, at) => {
    const math = node("math", node("mrow", ...inside));
    if (large) math.setAttribute("displaystyle", "true");
    return at ? [make("wbr"), math] : [math];
  });
}

/**
 * Marks the page where no font of the system is one for mathematics. Such fonts say how far down an index stands; without
 * them it stands at the foot of its letter, and the style sheet moves it.
 */
export function markMathFont() {
  const [letter, index] = [node("mi", "x"), node("mi", "x")];
  const math = node("math", node("msub", letter, index));
  document.body.append(math);
  const { bottom, height } = letter.getBoundingClientRect();
  document.documentElement.classList.toggle("no-math-font", index.getBoundingClientRect().bottom - bottom < 0.4 * height);
  math.remove();
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
    const line = make("div", number ? "math-line side" : "math-line", ...mathOf(part, !number));
    if (texts[at] && !number) {
      line.setAttribute("role", "math");
      line.setAttribute("aria-label", texts[at]);
    }
    return line;
  }));
  const box = scrolls(make("div", "math", ...lines));
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "Formula");
  return box;
}
