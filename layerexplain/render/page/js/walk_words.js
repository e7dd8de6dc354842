/** What a step of the walk says of a box: one to three sentences, from what is known of its layers. */
import { amount, amountText } from "./amounts.js";

/** @typedef {import("./types.js").Data} Data */
/** @typedef {import("./placing.js").Item} Item */

/** A hint that is longer is not said on the way. */
const LONGEST_HINT = 220;
/** What another framework calls it, and how it stores weights, is no step of the way. */
const ELSEWHERE = /^(In )?(PyTorch|Keras)\b/;

/** The sentences on a box. @param {Item} item @param {Data} data @returns {string[]} */
export function stepWords(item, data) {
  return item.call >= 0 ? layerWords(item, data) : blockWords(item, data);
}

/** @param {Item} item @param {Data} data */
function layerWords(item, data) {
  const [number, call] = data.calls[item.call];
  const layer = data.layers[number];
  const told = layer.definition === undefined ? undefined : data.definitions[layer.definition];
  const said = told?.sentence ? [told.sentence] : [];
  if (layer.faults) return [...said, ...layer.faults];
  const copies = item.box.copies?.length || 0;
  if (copies > 1) said.push(`It stands here ${copies} times in a row${ownWeights(layer.params)}.`);
  const changed = (told?.axes || []).filter(([, before, after, why]) => before !== after && !why.startsWith("kept"));
  const shapes = shapeChange(layer, call);
  if (changed.length && shapes) said.push(`${shapes}: ${changed.map(axisWords).join("; ")}.`);
  const hint = [...(layer.notes || []), ...(layer.hints || [])].find((one) => one.length <= LONGEST_HINT && !ELSEWHERE.test(one));
  if (hint && said.length < 3) said.push(hint);
  return said;
}

/** @param {number | null} params */
function ownWeights(params) {
  return params ? ", each time with weights of its own" : "";
}

/** Which shape becomes which; "" where it stays, as that of queries which attend to others. @param {import("./types.js").Layer} layer @param {number} call */
function shapeChange(layer, call) {
  const from = layer.calls?.[call]?.from[0]?.[1].match(/\(.*\)$/)?.[0];
  const to = layer.calls?.[call]?.to;
  if (from && from === to) return "";
  return from && to ? `${from} becomes ${to}` : "The shape changes";
}

/** @param {[string, string, string, string]} axis */
function axisWords([role, before, after, why]) {
  const verb = role.endsWith("s") ? "are" : "is";
  if (after === "removed") return `the ${role} ${verb} gone (${why.split("; from")[0]})`;
  if (before === "new") return `${role} ${verb} new (${why})`;
  return `${role} ${before} → ${after} (${why.split("; from")[0]})`;
}

/** @param {Item} item @param {Data} data */
function blockWords(item, data) {
  const copies = item.box.copies || [item.calls];
  const kinds = item.box.lines.find((line) => /[A-Z]/.test(line) && line !== item.box.lines[0] && !line.endsWith("parameters"));
  const own = copies[0].length;
  const layers = `${own} layer${own === 1 ? "" : "s"}`;
  const said = [item.box.single ? `${copies.length} times in a row${ownWeights(amount(data, item.calls, "params"))}: ${kinds || layers}.` : copies.length > 1 ? `A block of ${layers} that repeats ${copies.length} times${kinds ? `: ${kinds}` : ""}.` : `A block of ${layers}${kinds ? `: ${kinds}` : ""}.`];
  const shares = /** @type {[string, string][]} */ ([["macs", "multiply-accumulates"], ["params", "parameters"]]).flatMap(([key, words]) => {
    const [part, whole] = [amount(data, item.calls, key), data.model.totals[key]];
    return part && whole ? [`${((100 * part) / whole).toFixed(part / whole < 0.1 ? 1 : 0)} % of the ${words} (${amountText(part, key)})`] : [];
  });
  if (shares.length) said.push(`It has ${shares.join(" and ")}.`);
  if (item.box.makes) said.push(`It gives ${item.box.makes} for each example.`);
  return said;
}
