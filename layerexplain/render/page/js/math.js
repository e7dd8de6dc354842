/** Formulas typeset: the trees of lang/latex.py as MathML. */
import { make, scrolls } from "./dom.js";

/** @typedef {string | Leaf | Blank | Around | Fence | Cases} Tree a letter, or a list whose first item says what it is */
/** @typedef {["o" | "n" | "t" | "f" | "name", string]} Leaf */
/** @typedef {["s" | "p"]} Blank */
/** @typedef {["row" | "sub" | "sup" | "both" | "under" | "frac" | "root", ...Tree[]]} Around */
/** @typedef {["fence", string, string, ...Tree[]]} Fence its brackets, the second "" where there is none */
/** @typedef {["cases", ...[Tree, Tree][]]} Cases */

const SPACE = "http://www.w3.org/1998/Math/MathML";
const LARGE = ["∑", "∏"];
const TALL = ["frac", "under", "cases", "root"];
/** A line that is wider, in letters, may be broken. */
const LONGEST_PIECE = 26;

/** @param {string} tag @param {(Node | string)[]} inside @returns {MathMLElement} */
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

/** The trees in a tree. @param {Tree} tree @returns {Tree[]} */
function inside(tree) {
  if (typeof tree === "string") return [];
  switch (tree[0]) {
    case "fence": return /** @type {Tree[]} */ (tree.slice(3));
    case "cases": return /** @type {[Tree, Tree][]} */ (tree.slice(1)).flat();
    case "row": case "sub": case "sup": case "both": case "under": case "frac": case "root": return /** @type {Tree[]} */ (tree.slice(1));
    default: return [];
  }
}

/** Whether a tree is higher than a line. @param {Tree} tree @returns {boolean} */
function isTall(tree) {
  return typeof tree !== "string" && (TALL.includes(tree[0]) || inside(tree).some(isTall));
}

/** @param {string} width */
function space(width) {
  const made = node("mspace");
  made.setAttribute("width", width);
  return made;
}

/** @param {Tree} tree @returns {MathMLElement} */
function built(tree) {
  if (typeof tree === "string") return node("mi", tree);
  const parts = inside(tree);
  const all = () => parts.map(built);
  switch (tree[0]) {
    case "o": return sign(tree[1]);
    case "n": return node("mn", tree[1]);
    case "t": return node("mtext", tree[1].replace(/^ | $/g, "\u00a0"));
    case "s": return space("1em");
    case "p": return space("0.17em");
    case "f":
    case "name": {
      const name = node("mi", tree[1]);
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
      const [, open, close] = tree;
      const tall = parts.some(isTall);
      return node("mrow", bracket(open, tall), ...all(), ...(close ? [bracket(close, tall)] : []));
    }
    case "cases": {
      const rows = rowsOf(tree).map((row) => node("mtr", ...row.map((one) => node("mtd", built(one)))));
      const cases = node("mtable", ...rows);
      cases.setAttribute("class", "cases");
      return cases;
    }
    default: return node("mrow", ...all());
  }
}

/** A line, and what stands beside it in LaTeX, behind a wide space: it stands below it. @param {Tree} tree @returns {Tree[]} */
function parts(tree) {
  if (typeof tree === "string" || tree[0] !== "row") return [tree];
  /** @type {Around[]} */
  const found = [["row"]];
  const wide = (/** @type {Tree} */ one) => typeof one !== "string" && one[0] === "s";
  for (const one of inside(tree)) {
    const last = found[found.length - 1];
    if (wide(one) && inside(last).some((before) => !wide(before))) found.push(["row"]);
    else last.push(one);
  }
  return found;
}

/** The rows of cases: a value, and when it holds. @param {Cases} tree */
const rowsOf = (tree) => /** @type {[Tree, Tree][]} */ (tree.slice(1));

/** @param {Tree[]} trees */
const sumOf = (trees) => trees.map(widthOf).reduce((a, b) => a + b, 0);

/** About how many letters wide a tree is. @param {Tree} tree @returns {number} */
function widthOf(tree) {
  if (typeof tree === "string") return 1;
  switch (tree[0]) {
    case "o": return 2;
    case "n": case "f": case "name": case "t": return tree[1].length;
    case "frac": case "under": return Math.max(...inside(tree).map(widthOf));
    case "cases": return Math.max(...rowsOf(tree).map(sumOf));
    case "fence": return 2 + sumOf(inside(tree));
    default: return sumOf(inside(tree));
  }
}

/** @param {Tree} tree @param {string} signs @returns {tree is Leaf} */
const isSign = (tree, signs) => typeof tree !== "string" && tree[0] === "o" && signs.includes(tree[1]);

/** @param {Tree} tree @returns {tree is Fence} */
const isFence = (tree) => typeof tree !== "string" && tree[0] === "fence";

/**
 * What of a long line may stand on lines of its own: it is cut behind `=` and `,`, before `+` and signs that compare, and between long factors,
 * also inside of brackets that are long themselves. Brackets around what is tall grow as if it stood together.
 * @param {Tree[]} trees
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
    if (isSign(tree, "+−⊙≥≤≠<>") && begun && last().length) {
      const between = sign(tree[1]);
      between.setAttribute("form", "infix");
      found.push([between]);
      since = 0;
      return;
    }
    if (typeof tree !== "string" && tree[0] === "p" && since > LONGEST_PIECE / 2) {
      found.push([]);
      since = 0;
    }
    // An index of brackets stands behind the last of them.
    const [of, index] = typeof tree !== "string" && tree[0] === "sub" ? inside(tree) : [tree];
    const [fence, below] = isFence(of) && of[2] ? [of, index] : [tree];
    const cut = isFence(fence) && widthOf(fence) > LONGEST_PIECE ? pieces(inside(fence)) : [];
    if (!isFence(fence) || cut.length < 2) {
      last().push(built(tree));
      if (isSign(tree, "=,") && last().length > 1) found.push([]);
      return;
    }
    const [, open, close] = fence;
    const whole = inside(fence);
    const tall = whole.some(isTall);
    const unseen = () => (tall ? [held(highest(whole))] : []);
    last().push(node("mrow", bracket(open, tall), ...cut[0], ...unseen()));
    found.push(...cut.slice(1, -1));
    const ended = close ? [bracket(close, tall)] : [];
    const end = below ? [node("msub", ...ended, built(below))] : ended;
    found.push([node("mrow", ...unseen(), ...cut[cut.length - 1], ...end)]);
  });
  return found.filter((one) => one.length);
}

/** The first part that is higher than a line, where there is one. @param {Tree[]} trees @returns {Tree} */
function highest(trees) {
  const found = trees.find(isTall) ?? "";
  return typeof found === "string" || TALL.includes(found[0]) ? found : highest(inside(found));
}

/** Room as high as a tree is, and not wide. @param {Tree} tree */
function held(tree) {
  // With a second part it is no operator, around which there would be room.
  const made = node("mpadded", node("mphantom", node("mi", "\u200b"), built(tree)));
  made.setAttribute("width", "0");
  return made;
}

/** A line of a formula, as parts between which it may be broken. @param {Tree} tree @param {boolean} large */
function mathOf(tree, large) {
  const trees = typeof tree !== "string" && tree[0] === "row" ? inside(tree) : [tree];
  const cut = widthOf(tree) > LONGEST_PIECE ? pieces(trees) : [[built(tree)]];
  return cut.flatMap((piece, at) => {
    const math = node("math", node("mrow", ...piece));
    if (large) math.setAttribute("displaystyle", "true");
    return at ? [make("wbr"), math] : [math];
  });
}

/** Marks the page where no font of the system is one for mathematics. Such fonts say how far down an index stands; without them it stands at the foot of its letter, and the style sheet moves it. */
export function markMathFont() {
  const [letter, index] = [node("mi", "x"), node("mi", "x")];
  const math = node("math", node("msub", letter, index));
  document.body.append(math);
  const { bottom, height } = letter.getBoundingClientRect();
  document.documentElement.classList.toggle("no-math-font", index.getBoundingClientRect().bottom - bottom < 0.4 * height);
  math.remove();
}

/** Formulas become so much smaller at most where they have no room; a wider one is scrolled. */
const SMALLEST_FIT = 0.6;

/** Lines that have no room are smaller. */
const fits = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    for (const line of /** @type {Iterable<HTMLElement>} */ (target.children)) {
      line.style.removeProperty("--fit");
      const indent = parseFloat(getComputedStyle(line).paddingLeft);
      const fit = ((line.clientWidth - indent) / (line.scrollWidth - indent)) * 0.98;
      if (fit < 0.98) line.style.setProperty("--fit", `${Math.max(SMALLEST_FIT, fit)}`);
    }
  }
});

/** Lines of a formula, one below the other. @param {Tree[]} trees @param {string[]} texts the same as text, for who cannot see them */
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
  fits.observe(box);
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "Formula");
  return box;
}
