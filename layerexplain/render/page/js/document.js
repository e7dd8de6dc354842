/** What all pages do: read the data in the file, keep the address, switch between light and dark. */
import { nextSlice, unpacked } from "./bytes.js";
import { markMathFont } from "./math.js";
import { button, byId } from "./dom.js";

/** @returns {Promise<any>} the data, which stands in the page compressed */
async function readData() {
  const data = JSON.parse(await unpacked("data").text());
  await nextSlice();
  return data;
}

/** Starts a page with its data. @param {(data: any) => void} start */
export function whenRead(start) {
  markMathFont();
  readData().then(start);
}

/** What stands behind the # of the address. */
export function address() {
  const text = location.hash.slice(1);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} text what is to stand behind the # @param {boolean} [isNew] whether the browser's Back leads to what stood there before */
export function setAddress(text, isNew = false) {
  const wanted = text ? `#${encodeURIComponent(text)}` : "";
  if (location.hash === wanted) return;
  try {
    history[isNew ? "pushState" : "replaceState"](null, "", wanted || location.pathname + location.search);
  } catch {
    // In a frame without an address of its own there is none to change.
  }
}

/** Keys for all of the page that need no focus on a graph: they search, zoom and list the keys. @param {import("./graph_view.js").GraphView[]} views of which the first one leads */
export function pageKeys(views) {
  window.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, select, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    if (["?", "0", "+", "-"].includes(event.key)) {
      for (const one of views) one.lastMoved = 0;
      views[0].key(event);
    }
    if (event.key !== "/") return;
    event.preventDefault();
    byId("search").focus();
  });
}

/** A button for light and dark, which begins as the system is. @param {() => void} [changed] is told of each change */
export function themeButton(changed = () => {}) {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", changed);
  const made = button("◐", () => {
    const isDark = root.classList.contains("dark") || (dark.matches && !root.classList.contains("light"));
    root.classList.toggle("dark", !isDark);
    root.classList.toggle("light", isDark);
    changed();
  });
  made.className = "theme";
  made.title = "Light or dark";
  made.setAttribute("aria-label", made.title);
  return made;
}

/** What is printed in place of the page: made when it is asked for, and gone afterwards. @param {() => HTMLElement} printed */
export function printsAs(printed) {
  const end = () => document.querySelector(".printed")?.remove();
  window.addEventListener("beforeprint", () => {
    end();
    document.body.append(printed());
  });
  window.addEventListener("afterprint", end);
}
