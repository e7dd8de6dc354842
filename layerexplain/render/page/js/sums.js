// The chosen element in numbers: each sum term by term, then the formula with the sums put in.

import { button, count, make, table } from "./dom.js";
import { factorsOf, isElement, isFold, valuesIn } from "./scalars.js";
import { filledText, numberText, placeText } from "./element_words.js";

/** So many terms of a sum are listed at first, and at most. */
const FIRST_TERMS = 9;
const ALL_TERMS = 1000;

/** @typedef {{form: import("./scalars.js").Form, reader: import("./element.js").ElementReader, line: number, index: number[], first: number, values: {known: boolean}, name: (of: number) => string, mark: (cells: [number, number[]][]) => void}} View */

/** @type {Record<string, string>} */
const FOLD_NAMES = { sum: "Sum", mean: "Mean", prod: "Product", max: "Largest", min: "Smallest", any: "Any", all: "All" };

/** Fills an element with the numbers of the chosen element; leaves it empty where they are not known. @param {HTMLElement} element @param {View} view @param {Record<string, number>} at */
export function sumsOf(element, view, at) {
  element.replaceChildren();
  const line = view.form.lines[view.line];
  if (!view.values.known || !line.numbers) return;
  const { reader } = view;
  if (reader.formula(line, view.index) !== line.value) return;
  const parts = valuesIn(line.value);
  const values = parts.map((part) => reader.value(part, at));
  const value = reader.element(view.first + view.line, view.index);
  if (value === undefined) return;
  const worked = withSigns(filledText(line.numbers, reader, at, values));
  const place = placeText(line.name, view.index);
  const result = numberText(value);
  element.append(make("p", "sumsresult", `${place} = ${worked === result ? "" : `${worked} = `}`, make("b", "", result)));
  let listed = 0;
  parts.forEach((part, number) => {
    if (isFold(part) && listed < 4) {
      element.append(termsOf(part, view, at, values[number]));
      listed++;
    }
  });
}

/** `0.9 - 0.3` for `0.9 + -0.3`, and brackets around a factor below 0. @param {string} text */
function withSigns(text) {
  const signed = text.replace(/ \+ -(?=[\d.∞])/g, " - ").replace(/ - -(?=[\d.∞])/g, " + ");
  return signed.replace(/(·|\/ )(-[\d.∞]+(?:e[+-]?\d+)?)/g, "$1($2)");
}

/** A fold term by term. @param {import("./scalars.js").Fold} fold @param {View} view @param {Record<string, number>} at @param {import("./element.js").Value} folded its value */
function termsOf(fold, view, at, folded) {
  const first = view.reader.terms(fold, at, FIRST_TERMS);
  const total = first.count;
  const parts = factorsOf(fold[4]);
  const title = `${FOLD_NAMES[fold[1]]} of ${count(total)} term${total === 1 ? "" : "s"}: ${numberText(folded)}`;
  const box = make("details", "sumsterms", make("summary", "", title));
  box.open = true;
  const fill = (/** @type {number} */ most) => {
    const { terms } = most === FIRST_TERMS ? first : view.reader.terms(fold, at, most);
    const rows = terms.map(({ place, factors, value }) => {
      const cells = factors.map((one, i) => `${elementName(parts[i], view, place)}${numberText(one)}`);
      return [...cells, ...(parts.length > 1 ? [numberText(value)] : [])];
    });
    const heads = [...parts.map((part, i) => (isElement(part) ? view.name(part[0]) : parts.length > 1 ? `factor ${i + 1}` : "term")), ...(parts.length > 1 ? ["product"] : [])];
    const shown = table(heads, rows, heads.map((_, i) => i));
    shown.querySelectorAll("tbody tr").forEach((row, i) => {
      row.addEventListener("pointerenter", () => view.mark(parts.filter(isElement).map((part) => [part[0], indexOf(part, view, terms[i].place)])));
      row.addEventListener("pointerleave", () => view.mark([]));
    });
    const rest = Math.min(total, ALL_TERMS);
    const more = most < rest ? [button(rest === total ? `all ${rest} terms` : `the first ${rest} terms`, () => fill(rest))] : [];
    const left = most >= rest && rest < total ? [make("p", "quiet", `${count(total - rest)} more terms are in the sum.`)] : [];
    box.replaceChildren(make("summary", "", title), shown, ...more, ...left);
  };
  fill(FIRST_TERMS);
  return box;
}

/** @param {import("./scalars.js").Element} part @param {View} view @param {Record<string, number>} place @returns {number[]} */
function indexOf(part, view, place) {
  return /** @type {import("./scalars.js").Index[]} */ (part.slice(1)).map((one) => view.reader.index(one, place));
}

/** `x[0, 6, 8, 2] = `. @param {import("./scalars.js").Scalar} part @param {View} view @param {Record<string, number>} place */
function elementName(part, view, place) {
  return isElement(part) ? `${placeText(view.name(part[0]), indexOf(part, view, place))} = ` : "";
}
