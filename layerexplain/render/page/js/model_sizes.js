/** Sliders for the named sizes of a model: boxes, shapes and counts follow from what the data hold with marks. */
import { button, make } from "./dom.js";
import { OpenSizes } from "./open_sizes.js";

/** @typedef {import("./types.js").Data} Data */
/**
 * @typedef {[string, number, number, number, number, string]} ModelSize name, lowest, highest, step, example, words
 * @typedef {{sizes: ModelSize[], nodes: import("./open_sizes.js").Node[], conditions: import("./open_sizes.js").Condition[],
 *   explained: import("./open_sizes.js").Condition[], shown: import("./open_sizes.js").ShownParts}} Open
 */

export class ModelSizes {
  /** @param {Data} data @param {Open} open */
  constructor(data, open) {
    this.data = data;
    this.open = open;
    /** The data with names. */
    this.named = structuredClone({ ...data, open: undefined });
    /** @type {import("./graph_view.js").GraphView | null} */
    this.view = null;
    this.status = make("p", "said-now");
    this.status.setAttribute("role", "status");
    this.inputs = open.sizes.map(([name, low, high, step, example, words]) => {
      const input = make("input");
      Object.assign(input, { type: "range", name, min: `${low}`, max: `${high}`, step: `${step}`, value: `${example}`, disabled: low === high });
      const value = make("output");
      input.addEventListener("input", () => this.move());
      const label = make("label", "control size", make("span", "", name), input, value);
      label.title = `takes: ${words}`;
      return { input, value, label };
    });
    this.back = button("Names", () => this.show(this.named));
    this.back.title = "Shapes and counts as formulas of the names";
    this.element = make("section", "sizes", ...this.inputs.map((one) => one.label), this.back, this.status);
    this.element.setAttribute("aria-label", "Sizes");
  }

  /** Shows the model with the numbers of the sliders. */
  move() {
    const given = Object.fromEntries(this.inputs.map(({ input }) => [input.name, +input.value]));
    for (const { input, value } of this.inputs) value.textContent = input.value;
    const sizes = new OpenSizes(this.open.nodes, given);
    const holds = sizes.hold(this.open.conditions);
    this.status.textContent = holds ? "" : "The model does not take these sizes, or other formulas hold for them.";
    if (!holds) return;
    const shown = /** @type {Data} */ (/** @type {unknown} */ (sizes.filled(this.open.shown)));
    // What is said beyond shapes and counts may need larger sizes.
    if (!sizes.hold(this.open.explained)) for (const layer of shown.layers) Object.assign(layer, { field: undefined, hints: undefined });
    this.show(shown, false);
  }

  /** @param {Data} data @param {boolean} [named] */
  show(data, named = true) {
    if (named) for (const one of [this.status, ...this.inputs.map(({ value }) => value)]) one.textContent = "";
    const { graph, whole, every, open, ...rest } = data;
    for (const [into, from] of [[this.data.graph, graph], [this.data.whole, whole], [this.data.every, every]]) if (into && from) update(into, from);
    Object.assign(this.data, rest);
    this.view?.replace(null);
    window.dispatchEvent(new Event("hashchange"));
  }
}

/** Writes texts and numbers of one structure into another, so that what is open or chosen in it stays. @param {object} into @param {object} from */
function update(into, from) {
  for (const [key, part] of Object.entries(from)) {
    const own = Reflect.get(into, key);
    if (own && part && typeof part === "object") update(own, part);
    else if (own !== undefined) Reflect.set(into, key, part);
  }
}
