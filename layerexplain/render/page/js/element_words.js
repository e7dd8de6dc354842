// Formulas of single elements as text: fills the holes of templates of derive/element/data.py.

/** @typedef {import("./element.js").ElementReader} Reader */
/** @typedef {import("./element.js").Place} Place */
/** @typedef {import("./scalars.js").Index} Index */
/** @typedef {import("./scalars.js").Atom} Atom */
/** @typedef {import("./scalars.js").Template} Template */

/**
 * A template with the numbers of the letters in `at` put in; other letters stay.
 * @param {Template} template @param {Reader} reader @param {Place} at
 * @param {(number | boolean | undefined)[]} [values] the numbers of a template of numbers
 * @param {Template[]} [cases] the two cases of a choice whose template it is
 * @returns {string}
 */
export function filledText(template, reader, at, values = [], cases = []) {
  return template
    .map((part) => {
      if (typeof part === "string") return part.replace(/\{([a-zA-Z]\d*)\}/g, (_, letter) => `${at[letter] ?? letter}`);
      if (typeof part === "number") return numberText(values[part]);
      if (typeof part === "boolean") return filledText(cases[part ? 0 : 1], reader, at, values);
      if (part.length === 1) return indexText(part[0], reader, at);
      const holds = reader.hold(part[0], at);
      return filledText(part[holds === undefined ? 1 : holds ? 2 : 3], reader, at, values, /** @type {Template[]} */ (part.slice(2)));
    })
    .join("");
}

/** An index with the numbers of known letters put in: `6+u`. @param {Index} index @param {Reader} reader @param {Place} at @returns {string} */
export function indexText(index, reader, at) {
  if (typeof index === "number") return `${index}`;
  if (typeof index === "string") return `${at[index] ?? index}`;
  let known = index[0];
  let text = "";
  for (let i = 1; i < index.length; i += 2) {
    const [by, atom] = /** @type {[number, Atom]} */ (index.slice(i, i + 2));
    const value = reader.index([0, 1, atom], at);
    if (value === value && atom !== "T") known += by * value;
    else {
      const factor = Math.abs(by) === 1 ? "" : `${Math.abs(by)}`;
      text += (by < 0 ? "-" : "+") + factor + atomText(atom, reader, at, factor !== "");
    }
  }
  if (known || !text) text = text.startsWith("-") || known < 0 ? known + text.replace(/^(?=\w)/, "+") : text + `+${known}`;
  if (known < 0 && text.startsWith(`${known}+`)) text = text.slice(`${known}+`.length) + known;
  return text.replace(/^\+/, "");
}

/** @param {Atom} atom @param {Reader} reader @param {Place} at @param {boolean} scaled */
function atomText(atom, reader, at, scaled) {
  if (typeof atom === "string") return atom;
  if (atom[0] === "v") return filledText(atom[2], reader, at);
  const of = indexText(atom[1], reader, at);
  const text = `${/^\w+$/.test(of) ? of : `(${of})`}${atom[0] === "%" ? "%" : "//"}${atom[2]}`;
  return scaled ? `(${text})` : text;
}

/** A number in four digits or less. @param {number | boolean | null | undefined} value */
export function numberText(value) {
  if (value === undefined || value === null) return "?";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (!Number.isFinite(value)) return value !== value ? "nan" : value > 0 ? "∞" : "-∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return `${value}`;
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-4 ? value.toExponential(2) : `${+value.toPrecision(4)}`;
}

/** A number in the little room of a cell. @param {number | boolean} value */
export function cellText(value) {
  const size = Math.abs(+value);
  if (typeof value === "boolean" || !Number.isFinite(value) || Number.isInteger(value)) return size < 1e5 ? `${+value}` : numberText(value);
  if (size >= 1e5 || size < 5e-4) return value.toExponential(0).replace("e+", "e");
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3).replace(/^(-?)0\./, "$1.");
}

/** `y[0, 3, 4, 7]`. @param {string} name @param {(number | string)[]} index */
export function placeText(name, index) {
  return index.length ? `${name}[${index.join(", ")}]` : name;
}
