// Slices of tensors, and what they are called.

/** All indices for one with unknown places. @param {number[]} index @param {number[]} sizes @returns {number[][]} */
export function everyPlace(index, sizes) {
  const axis = index.findIndex((one) => one !== one);
  if (axis < 0) return [index];
  return Array.from({ length: Math.min(sizes[axis], 5000) }, (_, i) => everyPlace(index.map((one, k) => (k === axis ? i : one)), sizes)).flat();
}

/** Which slice is shown: `, channel 3 of 64`. @param {(number | null)[]} axes @param {number[]} slice @param {number[]} sizes @param {string[]} roles */
export function sliceWords(axes, slice, sizes, roles) {
  return slice.map((at, axis) => (axes.includes(axis) || sizes[axis] < 2 || roles[axis] === "batch" ? "" : `, ${singular(roles[axis])} ${at}`)).join("");
}

/** @param {string} role */
export function singular(role) {
  return { inputs: "input", classes: "class" }[role] ?? (/[^s]s$/.test(role) ? role.slice(0, -1) : role || "place");
}
