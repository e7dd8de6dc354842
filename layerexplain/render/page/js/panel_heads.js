/** Where each place of a sequence looks: the maps of all heads in small, and arcs from the chosen place as wide as their shares. */
import { button, make } from "./dom.js";
import { drawn } from "./cells.js";
import { isElement, isFold, partsOf } from "./scalars.js";
import { LOOKED_ALONG } from "./reads_choice.js";
import { singular } from "./slices.js";
import { tilesCanvas, tilesOf } from "./tiles.js";
import { layerValues } from "./values.js";

/** @typedef {import("./scalars.js").Form} Form */

/** A map of a head is so large, and at most so many are drawn. */
const HEAD_MAP = 104;
const MOST_HEADS = 32;
/** Arcs are at most so wide and so high, places at most so far apart, and places with names at least. */
const MOST_WIDE = 14;
const MOST_HIGH = 110;
const MOST_STEP = 46;
const NAME_ROOM = 22;
/** So many of the largest shares are listed in words. */
const MOST_SHARES = 3;

/** The line whose rows are the shares that each place of a sequence gives to others: numbers divided by their sum along the row; -1 where there is none. @param {Form} form */
function sharesLine(form) {
  return form.lines.findIndex(({ value, letters, grid }) => {
    if (!Array.isArray(value) || value[0] !== "/" || !grid.every((axis) => axis !== null && LOOKED_ALONG.includes(letters[axis][2]))) return false;
    const [share, sum] = partsOf(value);
    const [each] = isFold(sum) && sum[1] === "sum" ? partsOf(sum) : [];
    return isElement(share) && isElement(each) && share[0] === each[0];
  });
}

/** @param {import("./types.js").Layer} layer @param {import("./types.js").Data} data @param {HTMLElement} element */
export function panelHeads(layer, data, element) {
  const form = data.forms?.[layer.forms?.[0] ?? -1];
  const at = form ? sharesLine(form) : -1;
  if (!form || at < 0) return;
  const line = form.lines[at];
  const values = layerValues(layer, data, 0);
  if (!values.known && !data.live) return;
  const role = line.letters.find(([, size], axis) => !line.grid.includes(axis) && (size ?? 1) > 1)?.[2] ?? "";
  const maps = make("div", "headmaps");
  const arcs = drawn("svg", { class: "arcs", tabindex: "0", role: "application", "aria-label": "Choose a place with the arrow keys left and right, a head with up and down" });
  const words = make("p", "readsstatus");
  words.setAttribute("aria-live", "polite");
  let [head, chosen] = [0, -1];

  const show = () => {
    const array = values.array(form.tensors.length + at);
    if (!array) return false;
    const tiles = tilesOf(array, line, MOST_HEADS)[0];
    const { count, rows, columns } = tiles;
    head = Math.min(head, count - 1);
    chosen = chosen < 0 ? rows - 1 : Math.max(0, Math.min(chosen, rows - 1));
    const all = Array.from(tiles.values);
    const own = (/** @type {number} */ of) => all.slice(of * rows * columns, (of + 1) * rows * columns);
    // Shares are never 0 by themselves: a mask forbids what has none.
    const isForbidden = (/** @type {number} */ share) => share === 0;
    const choose = (/** @type {number} */ of, /** @type {number} */ place) => { [head, chosen] = [of, place]; show(); };
    maps.replaceChildren(...Array.from({ length: count }, (_, of) => {
      const map = tilesCanvas({ values: own(of), count: 1, rows, columns, label: "", grey: Uint8Array.from(own(of), (share) => +isForbidden(share)) }, Math.max(1, Math.floor(HEAD_MAP / Math.max(rows, columns))));
      const one = button("", () => choose(of, chosen), "headmap");
      one.append(map, count > 1 ? `${singular(role)} ${of}` : "all");
      one.setAttribute("aria-pressed", `${of === head}`);
      map.addEventListener("pointermove", (event) => {
        const row = Math.floor((event.offsetY / map.clientHeight) * rows);
        if (row >= 0 && row < rows && (row !== chosen || of !== head)) { chosen = row; head = of; draw(); }
      });
      return one;
    }));
    const draw = () => {
      [...maps.children].forEach((one, of) => one.setAttribute("aria-pressed", `${of === head}`));
      drawArcs(own(head).slice(chosen * columns, (chosen + 1) * columns), rows, columns, isForbidden, (place) => { chosen = place; draw(); });
    };
    draw();
    return true;
  };

  /** Arcs from the chosen place to what it looks at. @param {number[]} shares @param {number} rows @param {number} columns @param {(share: number) => boolean} isForbidden @param {(place: number) => void} choose */
  function drawArcs(shares, rows, columns, isForbidden, choose) {
    const most = Math.max(rows, columns);
    const step = Math.min(MOST_STEP, (element.clientWidth || 560) / most);
    // Places that look at each other stand in one row, those of two sequences in two.
    const isOne = rows === columns;
    const far = Math.max(...shares.map((_, to) => Math.abs(to - chosen))) * step;
    const high = isOne ? Math.min(MOST_HIGH, 20 + far / 2) : MOST_HIGH;
    const [above, below] = isOne ? [high, high] : [20, 20 + high];
    const x = (/** @type {number} */ place) => (place + 0.5) * step;
    const paths = shares.flatMap((share, to) => {
      if (!(share > 0.002)) return [];
      const up = isOne ? above - Math.min(high - 6, 16 + (Math.abs(to - chosen) * step) / 1.6) * 1.25 : (above + below) / 2;
      const turn = isOne && to === chosen ? step / 3 : 0;
      return [drawn("path", { class: "arc", d: `M${x(chosen)} ${above}C${x(chosen) - turn} ${up} ${x(to) + turn} ${up} ${x(to)} ${below}`, "stroke-width": Math.max(0.8, share * MOST_WIDE), opacity: 0.35 + 0.5 * share })];
    });
    const names = namesOf(data, rows);
    const every = Math.max(1, Math.ceil(NAME_ROOM / step));
    const row = (/** @type {number} */ size, /** @type {number} */ y, /** @type {boolean} */ asks, /** @type {boolean} */ reads, /** @type {string[]} */ words) => Array.from({ length: size }, (_, place) => {
      const forbidden = reads && isForbidden(shares[place]);
      const one = drawn("g", { class: `place${asks && place === chosen ? " asks" : ""}${forbidden ? " forbidden" : ""}` });
      one.append(drawn("rect", { x: place * step + 1, y: y + 2, width: Math.max(1, step - 2), height: 20, rx: 3 }));
      if (place % every === 0 || (asks && place === chosen)) {
        const text = drawn("text", { x: x(place), y: y + 17 });
        text.textContent = (words[place] ?? `${place}`).slice(0, Math.max(2, Math.floor((step * every) / 8)));
        one.append(text);
      }
      if (forbidden) one.append(drawn("path", { class: "bar", d: `M${place * step + 3} ${y + 20}L${(place + 1) * step - 3} ${y + 4}` }));
      if (asks) for (const kind of ["pointermove", "pointerdown"]) one.addEventListener(kind, () => place !== chosen && choose(place));
      return one;
    });
    const places = isOne ? row(rows, above, true, true, names) : [...row(rows, above - 22, true, false, names), ...row(columns, below, false, true, namesOf(data, columns))];
    for (const [name, value] of [["width", most * step], ["height", below + 24]]) arcs.setAttribute(`${name}`, `${value}`);
    arcs.replaceChildren(...paths, ...places);
    const order = shares.map((share, to) => ({ share, to })).sort((a, b) => b.share - a.share).filter(({ share }) => share > 0).slice(0, MOST_SHARES);
    const forbidden = shares.filter(isForbidden).length;
    const place = (/** @type {number} */ of, /** @type {string[]} */ words) => (words[of] ? `${of} (${words[of]})` : `${of}`);
    const kind = singular(line.letters[/** @type {number} */ (line.grid[0])][2]);
    words.textContent = `${kind[0].toUpperCase()}${kind.slice(1)} ${place(chosen, names)} looks at ${order.map(({ share, to }) => `${place(to, namesOf(data, columns))} with ${(100 * share).toFixed(0)} %`).join(", ")}${columns - forbidden > MOST_SHARES ? ` and ${columns - forbidden - MOST_SHARES} more` : ""}${forbidden ? `; ${forbidden} of ${columns} are forbidden by a mask: grey, crossed out` : ""}.`;
  }

  arcs.addEventListener("keydown", (event) => {
    const { key } = /** @type {KeyboardEvent} */ (event);
    const [by, turn] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? [0, 0];
    if (!by && !turn) return;
    event.preventDefault();
    chosen = Math.max(0, chosen + by);
    head = Math.max(0, head + turn);
    show();
  });
  const whole = make("div", "heads", maps, arcs, words);
  whole.hidden = true;
  element.append(whole);
  const renew = () => { whole.hidden = !show(); };
  renew();
  data.live?.onRun(() => whole.isConnected && (renew(), true));
}

/** The words of a text of so many places, where the model has one. @param {import("./types.js").Data} data @param {number} size @returns {string[]} */
function namesOf({ live }, size) {
  const text = live?.widgets?.find((one) => one.text?.values.length === size)?.text;
  return text ? Array.from(text.values, (id) => live?.about.vocabulary?.[id] ?? `${id}`) : [];
}
