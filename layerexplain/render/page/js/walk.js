/** The walk through a model: its boxes in order, each with a few sentences and how its output comes about. */
import { titleOf } from "./box_text.js";
import { nextSlice } from "./bytes.js";
import { button, make } from "./dom.js";
import { showModel } from "./pane.js";
import { linkTo } from "./panel_facts.js";
import { panelReads } from "./panel_reads.js";
import { stepWords } from "./walk_words.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./placing.js").Item} Item */
/** @typedef {import("./graph_view.js").GraphView} GraphView */

export class Walk {
  /** @param {Data} data @param {GraphView} view @param {HTMLElement} pane */
  constructor(data, view, pane) {
    this.data = data;
    this.view = view;
    this.pane = pane;
    /** The step that is shown; 0 is the model, and -1 none. */
    this.at = -1;
    this.last = 0;
    document.addEventListener("keydown", (event) => this.key(event));
  }

  /** The boxes that are walked through, in the order in which tensors flow. @returns {Item[]} */
  items() {
    return this.view.drawing.items.filter((item) => !item.box.port && !item.around).sort((a, b) => a.y - b.y || a.x - b.x);
  }

  /** Shows a step; none beyond the last one. @param {number} at */
  show(at) {
    const items = this.items();
    if (at < 0 || at > items.length) return;
    this.at = this.last = at;
    const item = at ? items[at - 1] : null;
    this.view.choose(item, true, false);
    if (item) this.step(item, items.length);
    else this.model();
    this.pane.scrollTop = 0;
  }

  /** The model, from which the walk starts. */
  model() {
    this.at = 0;
    showModel(this.pane, this.data);
    this.pane.prepend(this.controls(this.items().length));
  }

  /** Nothing of it is shown any more. */
  end() {
    this.at = -1;
  }

  /** @param {Item} item @param {number} count */
  step(item, count) {
    const { data, pane } = this;
    const layer = item.call >= 0 ? data.layers[data.calls[item.call][0]] : null;
    const title = make("header", "title", make("h2", "", titleOf(item, data)), make("span", "type", layer ? layer.type : "a block"));
    const words = stepWords(item, data).map((one) => make("p", "walk-words", one));
    const stage = make("section", "panel reads");
    const more = layer ? make("p", "", linkTo(layer, "Everything about this layer")) : button("Open the block", () => this.view.toggle(item));
    pane.replaceChildren(this.controls(count), title, ...words, stage, more);
    // What an element of it reads may be thousands of cells: the words stand first.
    if (layer) nextSlice().then(() => stage.isConnected && panelReads(layer, data, stage, true));
  }

  /** @param {number} count */
  controls(count) {
    const go = (/** @type {string} */ label, /** @type {number} */ by, /** @type {string} */ kind) => {
      const made = button(label, () => this.show(this.at + by), kind);
      made.disabled = this.at + by < 0 || this.at + by > count;
      return made;
    };
    const place = make("span", "", this.at ? `Step ${this.at} of ${count}` : `${count} steps; the arrow keys → and ← go along`);
    place.setAttribute("role", "status");
    const made = make("nav", "walk", go("‹ Back", -1, ""), go(this.at ? "Next ›" : "Walk through ›", 1, "main"), place);
    made.setAttribute("aria-label", "Walk through");
    return made;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const { target } = event;
    const elsewhere = target instanceof Element && target.closest("input, select, textarea, #graph, .cells, .divider, [role=application], canvas");
    if (by === undefined || this.at < 0 || elsewhere || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    event.preventDefault();
    const inPane = this.pane.contains(document.activeElement);
    this.show(this.at + by);
    if (inPane) this.pane.focus({ preventScroll: true });
  }
}
