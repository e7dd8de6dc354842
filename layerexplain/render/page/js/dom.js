/** Elements, made without markup: what a model calls its layers is text and nothing else. */

/** @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {string} [kind] its classes @param {...(Node | string | null | undefined)} inside @returns {HTMLElementTagNameMap[T]} */
export function make(tag, kind, ...inside) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  for (const one of inside) if (one !== null && one !== undefined && one !== "") made.append(one);
  return made;
}

/** A button that does something. @param {string} label @param {() => void} does @param {string} [kind] @returns {HTMLButtonElement} */
export function button(label, does, kind) {
  const made = make("button", kind, label);
  made.type = "button";
  made.addEventListener("click", does);
  return made;
}

/** A button that copies a text. @param {string} label @param {() => string} text */
export function copy(label, text) {
  const made = button(label, async () => {
    const held = make("textarea", "unseen");
    held.value = text();
    document.body.append(held);
    held.select();
    const copied = document.execCommand("copy");
    held.remove();
    made.focus();
    made.textContent = copied ? "copied" : "not allowed here";
    setTimeout(() => (made.textContent = label), 1200);
  }, "copy");
  return made;
}

/** A command as text that is broken between words only, as long as they are short. @param {string} text @returns {(Node | string)[]} */
export function unbroken(text) {
  return text.split(/( +)/).map((word) => (word.trim() && word.length < 30 ? make("span", "whole", word) : word));
}

/** A name that may be broken behind `/` and `_`, before a dot and before a capital letter. @param {string} name */
export function breakable(name) {
  const made = make("span");
  name.split(/(?<=[/_])(?=\D)|(?<=[a-z])(?=[A-Z][a-z])|(?=\.)/).forEach((part, at) => made.append(...(at ? [make("wbr")] : []), part));
  return made;
}

/** A link or a button with a name that may be broken; who hears it hears it whole. @template {HTMLElement} T @param {T} element @param {string} name */
export function named(element, name) {
  element.append(breakable(name));
  element.setAttribute("aria-label", name);
  return element;
}

const watched = new ResizeObserver((changes) => {
  for (const { target } of changes) {
    const isLong = target.scrollHeight > target.clientHeight + 1 && getComputedStyle(target).overflowY === "auto";
    if (isLong || target.scrollWidth > target.clientWidth + 1) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
  }
});

/** A box that the keyboard reaches where it has more than it shows. @template {HTMLElement} T @param {T} box */
export function scrolls(box) {
  watched.observe(box);
  return box;
}

/** A list of texts. @param {string[]} texts @param {string} [kind] */
export function points(texts, kind) {
  return make("ul", kind, ...texts.map((text) => make("li", "", text)));
}

/** A table in a box that scrolls. @param {string[]} headings @param {(Node | string)[][]} rows @param {number[]} right the columns that are aligned at the right */
export function table(headings, rows, right = []) {
  const kind = (/** @type {number} */ at) => (right.includes(at) ? "right" : "");
  const heads = (/** @type {"col" | "row"} */ scope, /** @type {Node | string} */ text, /** @type {string} */ of) => {
    const cell = make("th", of, text);
    cell.scope = scope;
    return cell;
  };
  const head = make("tr", "", ...headings.map((text, at) => (text ? heads("col", text, kind(at)) : make("td"))));
  // A first column without a heading has those of the rows.
  const body = rows.map((cells) => make("tr", "", ...cells.map((cell, at) => (at || headings[0] ? make("td", kind(at), cell) : heads("row", cell, "")))));
  const box = scrolls(make("div", "table", make("table", "", headings.some(Boolean) ? make("thead", "", head) : "", make("tbody", "", ...body))));
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", headings.filter(Boolean).join(", ") || "Figures");
  return box;
}

/** A whole number for people: 25,636,712. A browser's own formatter takes 25 ms to start. @param {number | null | undefined} value */
export function count(value) {
  return value === null || value === undefined ? "?" : String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A number in little room: 25.6 M. @param {number | null | undefined} value */
export function short(value) {
  if (value === null || value === undefined) return "?";
  for (const [unit, size] of /** @type {[string, number][]} */ ([["G", 1e9], ["M", 1e6], ["k", 1e3]])) {
    if (value >= size * 0.9995) return `${(value / size).toPrecision(3)} ${unit}`;
  }
  return String(value);
}

/** The element with an id that the page itself has made. @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id}`);
  return found;
}
