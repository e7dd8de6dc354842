/** The graph as it is moved, opened and walked through, by pointer, touch and keys. */
import { grown, titleOf } from "./box_text.js";
import { MAP_ROOM, Picture } from "./canvas.js";
import { GUTTER } from "./costs.js";
import { FAR, mostStretch, startOf, stretchAt } from "./distances.js";
import { make } from "./dom.js";
import { place, wayTo } from "./placing.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./types.js").Box} Box */
/** @typedef {import("./placing.js").Item} Item */

/** So much smaller than all in view the graph may become. */
const LEAST_OF_WHOLE = 0.5;
const MOST_SCALE = 3;
const MARGIN = 24;
const LISTED = 12;
const ASIDE = 340;
/** So many pixels around a box that is brought into view are in view, too. */
const AROUND = 60;

/** @param {import("./types.js").Graph} graph @returns {Box[]} the boxes in it that hold others */
function holders(graph) {
  return graph.boxes.flatMap((box) => (box.inner ? [box, ...holders(box.inner)] : []));
}

export class GraphView {
  /** @param {Data} data @param {(item: Item | null) => void} chosen is told of what is chosen */
  constructor(data, chosen) {
    this.data = data;
    this.chosen = chosen;
    this.canvas = make("canvas", "graph");
    this.canvas.setAttribute("aria-hidden", "true");
    this.options = make("div", "unseen");
    this.options.setAttribute("role", "presentation");
    this.element = make("div", "graph-box", this.canvas, this.options);
    this.element.id = "graph";
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "listbox");
    this.element.setAttribute("aria-label", "Graph of the model: arrow keys go along the lines, Enter opens a box, Escape closes it");
    this.picture = new Picture(this.canvas, data);
    /** @type {Map<Box, number>} */
    this.open = new Map();
    /** @type {import("./canvas.js").View} */
    this.view = { x: 0, y: 0, scale: 1, stretch: 1 };
    this.mostStretch = 1;
    /** What its ids begin with, where a page has several. */
    this.prefix = "";
    /** @type {GraphView | null} the view of another model beside this one, which is shown as large */
    this.twin = null;
    /** Of several views that move together, the one that was moved. */
    this.lastMoved = 0;
    /** @type {import("./canvas.js").Look} */
    this.look = { measure: "", active: null, hovered: null, found: null, masks: false };
    /** So many pixels at its foot are covered. */
    this.covered = 0;
    /** What is lit where nothing is sought. @type {Set<number> | null} */
    this.rest = null;
    /** @type {(() => void)[]} */
    this.onDraw = [];
    this.waiting = false;
    /** @type {Map<number, {x: number, y: number}>} */
    this.pointers = new Map();
    /** @type {(x: number, y: number) => boolean} takes a press on what a box gives */
    this.onMap = () => false;
    this.graph = data.graph;
    this.drawing = place(this.graph, this.open);
    /** @type {() => void} what is told where the graph is another one */
    this.onGraph = () => {};
    /** @type {() => void} what is told where boxes were opened or closed */
    this.onOpen = () => {};
    this.help = () => {};
    this.picture.show(this.drawing);
    this.listen();
    this.fitted = "";
    // What is all in view stays so when its room changes.
    new ResizeObserver(() => (this.place() === this.fitted ? this.fit() : this.redraw())).observe(this.element);
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.picture.draw(this.view, this.look);
      for (const told of this.onDraw) told();
    });
  }

  /** Places all boxes anew after one was opened or closed; `kept` stays where it is seen. @param {Item | null} kept */
  replace(kept) {
    const before = kept && { x: kept.x, y: kept.y };
    const active = this.look.active;
    this.drawing = place(this.graph, this.open);
    this.picture.show(this.drawing);
    this.onOpen();
    this.look.hovered = null;
    this.look.active = active && this.same(active);
    const now = kept && this.same(kept);
    if (before && now) {
      this.view.x += now.x - before.x;
      this.view.y += now.y - before.y;
    }
    this.redraw();
  }

  /** @param {Item} item what stands for it in the drawing as it is now */
  same(item) {
    const around = item.around?.box;
    return this.drawing.items.find((one) => one.box === item.box && one.around?.box === around) || null;
  }

  /** Pixels per unit of the graph, across. */
  get wide() {
    return this.view.scale * this.view.stretch;
  }

  /** The scale at which all of the graph is in view, and of one beside it too, and how far it may be drawn out then. */
  whole() {
    const { scale, most } = this.alone();
    return { scale: Math.min(scale, this.twin?.alone().scale ?? scale), most };
  }

  alone() {
    const width = Math.max(this.canvas.clientWidth - this.gutter - (this.data.live ? MAP_ROOM : MARGIN), 1);
    const height = Math.max(this.canvas.clientHeight - 2 * MARGIN, 1);
    const most = mostStretch(this.drawing, width, height);
    const scale = Math.min(height / this.drawing.height, most > 1 ? Infinity : width / this.drawing.width, 1);
    return { scale: scale * stretchAt(scale, most) * this.drawing.width > width ? Math.min(scale, width / this.drawing.width) : scale, most };
  }

  /** Brings all of the graph into view. */
  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const { scale, most } = this.whole();
    this.mostStretch = most;
    this.view.scale = scale;
    this.view.stretch = stretchAt(scale, most);
    const own = this.drawing.width * this.wide;
    const free = width - own - this.gutter - (this.data.live ? MAP_ROOM : MARGIN);
    // Boxes that are drawn wider than their places have room for that at both sides.
    Object.assign(this.picture, { least: -Infinity, most: Infinity });
    const wider = scale < FAR ? 0 : Math.max(0, Math.min(free - this.aside / 3, Math.max(...this.drawing.items.map((item) => grown(this.picture, item, this.look, scale).w - item.w)) * this.wide));
    const aside = scale < FAR ? 0 : Math.max(0, Math.min(this.aside, free - wider));
    this.view.x = -(startOf(width, own + wider + aside, scale, this.gutter, MARGIN) + wider / 2) / this.wide;
    this.view.y = (this.drawing.height - height / scale) / 2;
    this.fitted = this.place();
    this.redraw();
  }

  /** What is seen, to tell whether it has moved. */
  place() {
    return JSON.stringify([this.view, this.drawing.width, this.drawing.height]);
  }

  /** How much of the room at the right of the graph is for what boxes give, in pixels; of boxes beside each other both sides are. */
  get aside() {
    return this.data.live && !this.picture.hasRows() ? ASIDE : 0;
  }

  /** How much of the room is kept at the left of the graph, in pixels: for bars, where there is a cost to show. */
  get gutter() {
    this.picture.measure(this.look.measure);
    return this.picture.costs ? GUTTER : MARGIN;
  }

  /** Brings a point into the middle, at a scale. @param {number} scale @param {number} x @param {number} y */
  lookAt(scale, x, y) {
    this.mostStretch = this.whole().most;
    this.view.scale = scale;
    this.view.stretch = stretchAt(scale, this.mostStretch);
    this.view.x = x - this.canvas.clientWidth / 2 / this.wide;
    this.view.y = y - this.canvas.clientHeight / 2 / scale;
    this.redraw();
  }

  /** @param {Item} item brings it into view, with some of what is around it, where there is something */
  reveal(item) {
    const { view, drawing } = this;
    const along = (/** @type {number} */ from, /** @type {number} */ size, /** @type {number} */ start, /** @type {number} */ room, /** @type {number} */ end, /** @type {number} */ pixel) => {
      const around = Math.min(AROUND * pixel, room / 6);
      const h = Math.min(size, room - 2 * around);
      const seen = Math.max(from - around, Math.min(from, -MARGIN * pixel)) > start - pixel && Math.min(from + h + around, Math.max(from + h, end + MARGIN * pixel)) < start + room + pixel;
      return seen ? start : from + h / 2 - room / 2;
    };
    view.x = along(item.x, item.w, view.x, this.canvas.clientWidth / this.wide, drawing.width, 1 / this.wide);
    view.y = along(item.y, item.h, view.y, (this.canvas.clientHeight - this.covered) / view.scale, drawing.height, 1 / view.scale);
    this.redraw();
  }

  revealChosen() {
    if (this.look.active) this.reveal(this.look.active);
  }

  /** @param {Item | null} item @param {boolean} [show] whether it comes into view @param {boolean} [tells] whether the page shows it */
  choose(item, show = true, tells = true) {
    this.look.active = item;
    this.listOptions();
    if (item && show) this.reveal(item);
    this.redraw();
    if (tells) this.chosen(item);
  }

  /** Opens what is around a call and chooses it. @param {number} call */
  chooseCall(call) {
    if (!wayTo(this.graph, call)) this.showWhole(true);
    for (const [box, copy] of wayTo(this.graph, call) || []) this.open.set(box, copy);
    this.replace(null);
    const found = this.drawing.items.find((item) => item.call === call) || this.drawing.items.find((item) => item.calls.includes(call));
    if (found) this.choose(found);
  }

  /** Draws also what leads to no output, or not. @param {boolean} whole */
  showWhole(whole) {
    const wanted = (whole && this.data.whole) || this.data.graph;
    if (wanted === this.graph) return;
    this.graph = wanted;
    this.look.active = null;
    this.replace(null);
    this.fit();
    this.onGraph();
  }

  /** @param {Item} item */
  toggle(item) {
    if (!item.box.inner && !item.box.copies) return;
    if (this.open.has(item.box)) this.open.delete(item.box);
    else this.open.set(item.box, 0);
    this.replace(item);
    this.choose(this.same(item), false);
  }

  /** Opens all boxes that hold others, with every copy of what repeats where these are not too many, or closes them. @param {boolean} open */
  toggleAll(open) {
    const { graph, every } = this.data;
    const call = this.look.active?.call ?? -1;
    if (every && this.graph !== this.data.whole) this.graph = open ? every : graph;
    this.open.clear();
    if (open) for (const box of holders(this.graph)) this.open.set(box, 0);
    this.replace(null);
    if (call >= 0) this.choose(this.drawing.items.find((item) => item.call === call) ?? null, false, false);
    this.fit();
  }

  allOpen() {
    return (this.graph !== this.data.graph || !this.data.every) && holders(this.graph).every((box) => this.open.has(box));
  }

  /** @param {Item} item @param {number} copy */
  showCopy(item, copy) {
    const count = item.box.copies?.length || 0;
    if (!count) return;
    this.open.set(item.box, (copy + count) % count);
    this.replace(item);
    this.choose(this.same(item), false);
  }

  /** The middle of the chosen box where that is in view, else that of the canvas: what stays where keys and buttons zoom. @returns {[number, number]} */
  middle() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const seen = this.look.active && this.seenAt(this.look.active);
    const [x, y] = seen ? [seen.x + seen.w / 2, seen.y + seen.h / 2] : [-1, -1];
    return x >= 0 && x <= width && y >= 0 && y <= height ? [x, y] : [width / 2, height / 2];
  }

  /** @param {number} factor @param {[number, number]} [stays] the point of the canvas that stays */
  zoom(factor, [px, py] = this.middle()) {
    const { view } = this;
    const whole = this.whole();
    this.mostStretch = whole.most;
    const scale = Math.min(Math.max(view.scale * factor, whole.scale * LEAST_OF_WHOLE), MOST_SCALE);
    const before = this.wide;
    view.y += py / view.scale - py / scale;
    view.scale = scale;
    view.stretch = stretchAt(scale, this.mostStretch);
    view.x += px / before - px / this.wide;
    this.redraw();
  }

  /** @param {number} px @param {number} py @returns {Item | null} the box at a point of the canvas */
  at(px, py) {
    const x = this.view.x + px / this.wide;
    const y = this.view.y + py / this.view.scale;
    const inside = (/** @type {Item} */ item) => x >= item.x && x <= item.x + item.w && y >= item.y && y <= item.y + item.h;
    const closed = this.picture.within(y, y).find((item) => inside(item) && !item.box.port);
    if (closed) return closed;
    const frames = this.drawing.items.filter((item) => item.open && inside(item));
    return frames.length ? frames[frames.length - 1] : null;
  }

  /** Where an item is seen, in pixels of the canvas. @param {Item} item */
  seenAt(item) {
    const { x, y, scale } = this.view;
    return { x: (item.x - x) * this.wide, y: (item.y - y) * scale, w: item.w * this.wide, h: item.h * scale };
  }

  // Pointer ----------------------------------------------------------------------------------------------------

  listen() {
    const { canvas, element } = this;
    let moved = 0;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
      if (this.pointers.size === 1) moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = this.pointers.get(event.pointerId);
      if (!before) {
        this.hover(this.at(event.offsetX, event.offsetY));
        return;
      }
      const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      if (others.length) {
        const [other] = others;
        const apart = (/** @type {{x: number, y: number}} */ a) => Math.hypot(a.x - other.x, a.y - other.y) || 1;
        const here = { x: event.offsetX, y: event.offsetY };
        this.zoom(apart(here) / apart(before), [(here.x + other.x) / 2, (here.y + other.y) / 2]);
        moved += 10;
      } else {
        this.view.x -= (event.offsetX - before.x) / this.wide;
        this.view.y -= (event.offsetY - before.y) / this.view.scale;
        moved += Math.abs(event.offsetX - before.x) + Math.abs(event.offsetY - before.y);
        this.redraw();
      }
      this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    });
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    // Not when the finger is lifted: the browser's click comes later, and would press what has been raised under it.
    let presses = false;
    canvas.addEventListener("mousedown", (event) => event.preventDefault());
    canvas.addEventListener("click", (event) => {
      if (moved >= 6) return;
      presses = true;
      this.element.focus({ preventScroll: true });
      presses = false;
      this.press(event.offsetX, event.offsetY);
    });
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("dblclick", (event) => {
      const item = this.at(event.offsetX, event.offsetY);
      if (item && !item.open) this.toggle(item);
    });
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 20 : 1;
      // A trackpad that is moved sideways, and the shift key, move the graph; the wheel zooms where the pointer is.
      if (!event.shiftKey && (event.ctrlKey || Math.abs(event.deltaY) >= Math.abs(event.deltaX))) {
        const speed = event.ctrlKey ? 0.008 : 0.0016;
        const { left, top } = this.canvas.getBoundingClientRect();
        this.zoom(Math.exp(-event.deltaY * unit * speed), [event.clientX - left, event.clientY - top]);
      } else {
        this.view.x += ((event.deltaX || event.deltaY) * unit) / this.wide;
        this.redraw();
      }
    }, { passive: false });
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("focus", () => {
      if (!this.look.active && !presses) this.choose(this.firstItem(), false);
    });
  }

  /** @param {Item | null} item */
  hover(item) {
    if (this.look.hovered === item) return;
    this.look.hovered = item;
    this.canvas.classList.toggle("over", item !== null);
    const call = item ? item.box.lines.join("\n") : "";
    this.canvas.title = item ? [titleOf(item, this.data), ...item.box.lines.slice(1)].join("\n") : call;
    this.redraw();
  }

  /** @param {number} px @param {number} py */
  press(px, py) {
    if (this.onMap(px, py)) return;
    const corner = this.picture.corners.find((one) => px >= one.x - 4 && px <= one.x + one.w + 4 && py >= one.y - 6 && py <= one.y + one.h + 6);
    if (!corner) return this.choose(this.at(px, py), false);
    if (corner.next) this.showCopy(corner.item, corner.item.copy + 1);
    else this.toggle(corner.item);
  }

  // Keys -------------------------------------------------------------------------------------------------------

  firstItem() {
    return this.drawing.items.find((item) => !item.box.port) || null;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const item = this.look.active || this.firstItem();
    if (!item) return;
    /** @type {Record<string, () => void>} */
    const does = {
      ArrowDown: () => this.choose(along(item, "after") || item),
      ArrowUp: () => this.choose(along(item, "before") || item),
      ArrowLeft: () => this.choose(this.beside(item, -1) || item),
      ArrowRight: () => this.choose(this.beside(item, 1) || item),
      Home: () => this.choose(this.firstItem()),
      End: () => this.choose(this.drawing.items.filter((one) => !one.box.port && !one.around).pop() || item),
      Enter: () => (item.open ? this.choose(this.insideOf(item) || item) : this.toggle(item)),
      " ": () => this.toggle(item),
      Escape: () => {
        const around = this.open.has(item.box) ? item : item.around;
        if (around) this.toggle(around);
      },
      "[": () => this.turn(item, -1),
      "]": () => this.turn(item, 1),
      "+": () => this.zoom(1.25),
      "=": () => this.zoom(1.25),
      "-": () => this.zoom(0.8),
      0: () => this.fit(),
      "?": () => this.help(),
    };
    const act = does[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Shows another copy of the block that an item is or stands in. @param {Item} item @param {number} by */
  turn(item, by) {
    /** @type {Item | null} */
    let around = item;
    while (around && !(this.open.has(around.box) && around.box.copies && around.box.copies.length > 1)) around = around.around;
    if (!around) return;
    const place = item;
    this.showCopy(around, around.copy + by);
    const now = this.same(place);
    if (now) this.choose(now);
  }

  /** @param {Item} item the first box in an open one */
  insideOf(item) {
    return this.drawing.items.find((one) => one.around && one.around.box === item.box && one.around.around?.box === item.around?.box && !one.box.port) || null;
  }

  /** The next box at the left or right, one that reads or feeds the same first. @param {Item} item @param {number} side */
  beside(item, side) {
    let best = null;
    let least = Infinity;
    for (const one of this.drawing.items) {
      if (one === item || one.box.port || one.around?.box !== item.around?.box) continue;
      const dx = (one.x + one.w / 2 - item.x - item.w / 2) * side;
      const dy = Math.abs(one.y + one.h / 2 - item.y - item.h / 2);
      const cost = dx + 3 * dy;
      if (dx > 8 && cost < least && dy < 400) [best, least] = [one, cost];
    }
    return best;
  }

  // What a screen reader is told -------------------------------------------------------------------------------

  /** The boxes around the chosen one as options of a list, each with its place among all. */
  listOptions() {
    const active = this.look.active;
    const all = this.drawing.items.filter((item) => !item.box.port);
    const at = active ? all.indexOf(active) : -1;
    const made = [];
    for (let place = Math.max(at - LISTED, 0); place < Math.min(at + LISTED + 1, all.length) && at >= 0; place++) {
      const item = all[place];
      const held = item.box.inner ? (item.open ? ", open" : ", closed") : "";
      const option = make("div", "", [titleOf(item, this.data), ...item.box.lines.slice(1), item.box.makes || ""].filter(Boolean).join(", ") + held);
      option.id = `${this.prefix}option-${place}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", String(item === active));
      option.setAttribute("aria-posinset", String(place + 1));
      option.setAttribute("aria-setsize", String(all.length));
      made.push(option);
    }
    this.options.replaceChildren(...made);
    if (at >= 0) this.element.setAttribute("aria-activedescendant", `${this.prefix}option-${at}`);
    else this.element.removeAttribute("aria-activedescendant");
  }
}

/** The next box along the lines, the one most straight below or above first; out of an open box behind its last. @param {Item} item @param {"after" | "before"} way @returns {Item | null} */
function along(item, way) {
  const middle = (/** @type {Item} */ one) => one.x + one.w / 2;
  const near = [...item[way]].filter((one) => !one.box.port)
    .sort((a, b) => Math.abs(middle(a) - middle(item)) - Math.abs(middle(b) - middle(item)) || a.y - b.y);
  if (near.length) return near[0];
  return item.around ? (way === "after" ? along(item.around, way) || item.around : item.around) : null;
}
