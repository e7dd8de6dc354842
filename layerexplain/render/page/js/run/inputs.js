// The inputs of a model to play with: a pad, sliders, ids or words; each takes files, random numbers and examples.

import { button, count, make } from "../dom.js";
import { lookThrough } from "../element_uses.js";
import { isElement, partsOf } from "../scalars.js";
import { drawTiles, tilesOf } from "../tiles.js";
import { openArray } from "../values.js";
import { readArray } from "./arrays.js";
import { drawingPad, pictureShape, readPicture } from "./pixels.js";

/** @typedef {import("./program.js").ProgramData} ProgramData */
/** @typedef {import("./program.js").Program} Program */
/** @typedef {import("./live.js").Live} Live */
/** @typedef {import("../scalars.js").Form} Form */
/** @typedef {{element: HTMLElement, renew: () => void, begin?: () => void, length?: () => number, append?: (id: number) => void}} Widget `renew` shows the numbers that the input has, `begin` gives it the first ones; of ids `length` is how many are a text */
/** @typedef {{values: Float64Array, ids: number, length: () => number, append: (id: number) => void}} Text ids, of which the first ones are a text */
/** @typedef {Widget & {example: (number: number) => void, text?: Text}} InputWidget `example` gives the input the numbers of an example */

/** An input of more numbers has no sliders. */
const MOST_SLIDERS = 24;

/** @param {ProgramData["inputs"][0]} input @param {number} at its number @param {Live} live @param {Program} program @returns {InputWidget} */
export function inputWidget(input, at, live, program) {
  const values = /** @type {Float64Array} */ (program.tensors[at].buffer?.values);
  const readers = live.about.calls.filter((one) => one[3].includes(at) && typeof one[2] === "number");
  const uses = readers.map((one) => ({ form: program.forms[/** @type {number} */ (one[2])], as: one[3].indexOf(at) }));
  const ids = Math.min(...uses.map(({ form, as }) => tableSize(form, as)));
  const top = Math.max(input.kind === "i" ? 255 : 1, ...uses.map(({ form, as }) => largestPixel(form, as)));
  const line = program.drawnBy(at);
  const packed = Object.hasOwn(live.about.examples ?? {}, input.name) && live.about.examples?.[input.name];
  const examples = packed ? openArray(packed).values : null;
  const example = (/** @type {number} */ number) => {
    if (examples) for (let i = 0; i < values.length; i++) values[i] = Number(examples[number * values.length + i]);
  };
  const changed = () => {
    if (input.kind !== "f") for (let i = 0; i < values.length; i++) values[i] = Math.round(values[i]);
    live.change();
  };
  const random = () => {
    for (let i = 0; i < values.length; i++) values[i] = ids < Infinity ? Math.floor(Math.random() * ids) : picture ? Math.random() * top : input.kind !== "f" ? Math.random() : gaussian();
    renewed();
  };
  const picture = ids < Infinity ? null : pictureShape(input.shape, top, line.grid);
  const counts = (/** @type {number} */ row, /** @type {number} */ column) => {
    const reach = live.hovered ?? live.reach;
    return !reach || Boolean(picture && [row, column].every((place, i) => reach.get(at)?.[picture.axes[i]][place]));
  };
  const widget = picture
    ? padWidget(picture, values, changed, counts)
    : ids < Infinity || input.kind === "i" ? idsWidget(values, ids, live.about.vocabulary ?? [], changed) : values.length <= MOST_SLIDERS ? sliderWidget(values, changed) : plainWidget(values, input.shape, line);
  const renewed = () => {
    widget.renew();
    changed();
  };
  const say = make("p", "quiet");
  const take = async (/** @type {File} */ file) => {
    try {
      if (picture && file.type.startsWith("image/")) await readPicture(file, picture, values);
      else {
        const given = await readArray(file);
        if (given.length !== values.length) throw new Error(`${file.name} has ${count(given.length)} numbers; ${input.name} has ${count(values.length)}: ${input.shape.slice(1).join(" × ")}`);
        values.set(given);
      }
      say.textContent = file.name;
      renewed();
    } catch (error) {
      say.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  const buttons = [button(picture ? "Clear" : "Zeros", () => { values.fill(0); renewed(); }), button("Random", random)];
  const open = make("input");
  open.type = "file";
  open.hidden = true;
  open.addEventListener("change", () => { if (open.files?.[0]) take(open.files[0]); open.value = ""; });
  buttons.push(button("File …", () => open.click()));
  const name = make("b", "", input.name);
  const element = make("div", "playinput", make("div", "playname", name, make("span", "quiet", ` ${input.shape.slice(1).join(" × ")}`)), widget.element, make("div", "playbuttons", ...buttons, open), say);
  takesFiles(element, take);
  if (examples) example(0);
  else if (picture) widget.begin?.();
  else for (let i = 0; i < values.length; i++) values[i] = ids < Infinity ? (i * 7 + 1) % ids : input.kind === "f" ? Math.sin(0.9 * i) : i % 2;
  widget.renew();
  const text = ids < Infinity && input.shape.length === 2 ? { values, ids, length: () => widget.length?.() ?? values.length, append: (/** @type {number} */ id) => { widget.append?.(id); changed(); } } : undefined;
  return { element, renew: widget.renew, example, text };
}

/** The examples that the page has, of which one is given to all inputs. @param {Live} live @param {InputWidget[]} widgets @returns {HTMLElement | ""} */
export function exampleChoice(live, widgets) {
  const [first] = Object.values(live.about.examples ?? {});
  if (!first) return "";
  const [count] = first.shape;
  const choose = (/** @type {number} */ number) => {
    for (const one of widgets) {
      one.example(number);
      one.renew();
    }
    live.change();
  };
  if (count === 1) return button("Example", () => choose(0));
  const choice = make("select", "", ...Array.from({ length: count }, (_, i) => make("option", "", `${i + 1} of ${count}`)));
  choice.addEventListener("change", () => choose(choice.selectedIndex));
  return make("label", "", "Example ", choice);
}

function gaussian() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

/** @param {HTMLElement} element @param {(file: File) => void} take */
function takesFiles(element, take) {
  element.addEventListener("dragover", (event) => { event.preventDefault(); event.stopPropagation(); element.classList.add("over"); });
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    element.classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
}

// What its readers tell of an input -------------------------------------------------------------------------------

/** How many ids an input may have: the size of what it is looked up in; Infinity where it is no id. @param {Form} form @param {number} of @returns {number} */
function tableSize(form, of) {
  let least = Infinity;
  /** @param {import("../scalars.js").Index} index @returns {boolean} */
  const looksUp = (index) => Array.isArray(index) && index.some((atom) => Array.isArray(atom) && (atom[0] === "v" ? isElement(atom[1]) && atom[1][0] === of : looksUp(atom[1])));
  for (const { value } of form.lines) {
    if (value !== undefined) lookThrough(value, ([tensor, ...index]) => index.forEach((one, axis) => {
      if (looksUp(one)) least = Math.min(least, form.tensors[tensor]?.[1][axis] ?? Infinity);
    }));
  }
  return least;
}

/** The largest pixel that an input is made for: 255 where its reader divides by that; 1 where it does not scale. @param {Form} form @param {number} of @returns {number} */
function largestPixel(form, of) {
  let most = 1;
  const seen = (/** @type {import("../scalars.js").Scalar} */ e) => {
    const [a, b] = partsOf(e);
    if (Array.isArray(e) && (e[0] === "*" || e[0] === "/") && isElement(a) && a[0] === of && typeof b === "number" && b > 0) {
      const scale = e[0] === "*" ? 1 / b : b;
      if (scale > 1.5) most = Math.max(most, Math.abs(scale - 127.5) < 1 ? 255 : Math.round(scale));
    }
    partsOf(e).forEach(seen);
  };
  for (const { value } of form.lines) if (value !== undefined) seen(value);
  return most;
}

// Widgets ---------------------------------------------------------------------------------------------------------

/** @param {import("./pixels.js").PictureShape} picture @param {Float64Array} values @param {() => void} changed @param {(row: number, column: number) => boolean} counts @returns {Widget} */
function padWidget(picture, values, changed, counts) {
  const pad = drawingPad(picture, values, changed, counts);
  const hint = make("span", "drawhere", "Draw here");
  hint.setAttribute("aria-hidden", "true");
  for (const kind of ["pointerdown", "keydown"]) pad.element.addEventListener(kind, () => hint.remove());
  return { element: make("div", "playpad", pad.element, hint), renew: pad.show, begin: pad.begin };
}

/** @param {Float64Array} values @param {() => void} changed @returns {Widget} */
function sliderWidget(values, changed) {
  const rows = Array.from(values, (_, i) => {
    const range = make("input");
    range.type = "range";
    range.min = "-3";
    range.max = "3";
    range.step = "any";
    range.setAttribute("aria-label", `number ${i}`);
    const field = make("input", "playnumber");
    field.type = "number";
    field.step = "any";
    field.setAttribute("aria-label", `number ${i}, typed`);
    range.addEventListener("input", () => { values[i] = +range.value; field.value = (+range.value).toPrecision(3); changed(); });
    field.addEventListener("input", () => { values[i] = +field.value || 0; range.value = field.value; changed(); });
    return { range, field, row: make("div", "playslider", make("span", "quiet", `${i}`), range, field) };
  });
  return {
    element: make("div", "playsliders", ...rows.map((one) => one.row)),
    renew() {
      rows.forEach(({ range, field }, i) => {
        const far = Math.max(3, Math.ceil(1.5 * Math.abs(values[i])));
        range.min = `${-far}`;
        range.max = `${far}`;
        range.value = `${values[i]}`;
        field.value = `${+values[i].toPrecision(4)}`;
      });
    },
  };
}

/** @param {Float64Array} values @param {number} ids @param {string[]} vocabulary @param {() => void} changed @returns {Widget} */
function idsWidget(values, ids, vocabulary, changed) {
  const field = make("textarea", "playids");
  field.rows = 3;
  field.setAttribute("aria-label", vocabulary.length ? "Words" : "Ids");
  const say = make("span", "quiet");
  const numbers = new Map(vocabulary.map((word, i) => [word, i]));
  let long = values.length;
  field.addEventListener("input", () => {
    const words = field.value.split(/[\s,]+/).filter(Boolean);
    /** @type {string[]} */
    const unknown = [];
    const found = words.map((word) => {
      const known = numbers.get(word) ?? numbers.get(word.toLowerCase());
      const id = known ?? (/^\d+$/.test(word) ? +word : NaN);
      if (id === id && id < ids) return id;
      unknown.push(word);
      return 0;
    });
    values.fill(0);
    values.set(found.slice(0, values.length));
    long = Math.max(1, Math.min(found.length, values.length));
    const much = words.length > values.length ? `; the first ${values.length} of ${words.length} count` : "";
    say.textContent = `${unknown.length ? `${unknown[0]} is ${ids < Infinity ? `none of the ${count(ids)} ids` : "no whole number"}: 0 stands for it` : `${words.length} of ${values.length}`}${much}`;
    changed();
  });
  return {
    element: make("div", "playwords", field, say),
    renew() {
      if (values.subarray(long).some(Boolean)) long = values.length;
      while (vocabulary.length && long > 1 && !values[long - 1]) long--;
      field.value = Array.from(values.subarray(0, long), (id) => vocabulary[id] ?? id).join(" ");
      say.textContent = ids < Infinity ? `ids from 0 to ${ids - 1}; ${values.length} in all` : `${values.length} whole numbers`;
    },
    length: () => long,
    append(id) {
      // A text that is full loses its first token.
      if (long === values.length) values.copyWithin(0, 1);
      else long++;
      values[long - 1] = id;
      this.renew();
    },
  };
}

/** An input of many numbers, drawn. @param {Float64Array} values @param {number[]} shape @param {ReturnType<Program["drawnBy"]>} line @returns {Widget} */
function plainWidget(values, shape, line) {
  const picture = make("canvas", "tiles");
  const words = make("p", "quiet", `${count(values.length)} numbers: drop an array here (.npy, .csv, .json).`);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  return {
    element: make("div", "", picture, words),
    renew() {
      const [tiles] = tilesOf({ shape, strides, values }, line);
      drawTiles(picture, tiles, Math.max(1, Math.min(8, Math.floor(160 / Math.max(tiles.rows, tiles.columns)))));
    },
  };
}
