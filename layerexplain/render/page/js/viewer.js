/** The frame of `layerexplain view`: shows the page of a source as it changes, what is at fault, and takes files. */
import { button, make } from "./dom.js";

/** @typedef {{version: number, name: string, has_page: boolean, faults: string[], of_values: boolean}} State */

const ARRAYS = /\.(npy|npz|png|jpe?g)$/i;

const name = make("span", "name");
const told = make("div", "told");
told.setAttribute("role", "status");
told.hidden = true;
const frame = make("iframe");
frame.title = "The model";
const empty = make("div", "empty", "Drop a model, a spec or code here.");
const drop = make("div", "told", "Drop it: a model, or an array or image as its input.");
drop.hidden = true;

/** Send a file, or nothing, to the server. @param {string} what @param {File} [file] */
async function send(what, file) {
  tell([`Reading ${file ? file.name : "random values"} …`], "");
  const query = file ? `?name=${encodeURIComponent(file.name)}` : "";
  try {
    const answer = await fetch(`${what}${query}`, { method: "POST", body: file });
    if (answer.status === 413) tell(["The file is larger than 512 MB; give its path to layerexplain view."], "");
    else if (!answer.ok) tell([`The server refused it (${answer.status}).`], "");
  } catch (error) {
    tell([String(error)], "Not sent");
  }
}

/** @param {string[]} lines @param {string} title */
function tell(lines, title) {
  told.replaceChildren(...(title ? [make("strong", "", title)] : []), ...lines.map((line) => make("p", "", line)));
  told.hidden = lines.length === 0;
}

/** @param {State} state */
function show(state) {
  name.textContent = state.name || "layerexplain";
  document.title = state.name || "layerexplain";
  const last = state.of_values ? "These values do not fit. Below is the model without them." : "The source cannot be read as it is now. Below is the last model that could be.";
  tell(state.faults, state.faults.length && !state.has_page ? "The source cannot be read. Its model is shown here as soon as it can be." : last);
  frame.hidden = !state.has_page;
  empty.hidden = state.has_page || state.faults.length > 0;
  // A fault leaves the page as it is, with what is chosen in it.
  if (state.has_page && (state.faults.length === 0 || state.of_values || !frame.src)) {
    let chosen = location.hash;
    try {
      chosen = frame.contentWindow?.location.hash || chosen;
    } catch {
      // Not loaded yet.
    }
    frame.src = `page?${state.version}${chosen}`;
  }
}

/** @param {EventTarget} target */
function takesFiles(target) {
  target.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.hidden = false;
    document.body.classList.add("over");
  });
  for (const end of ["dragleave", "drop"]) {
    target.addEventListener(end, (event) => {
      event.preventDefault();
      drop.hidden = true;
      document.body.classList.remove("over");
      const file = event instanceof DragEvent && end === "drop" ? event.dataTransfer?.files[0] : undefined;
      if (file) take(file);
    });
  }
}

/** @param {File} file */
function take(file) {
  send(ARRAYS.test(file.name) ? "values" : "model", file);
}

const picker = make("input");
picker.type = "file";
picker.hidden = true;
picker.addEventListener("change", () => {
  if (picker.files?.[0]) take(picker.files[0]);
  picker.value = "";
});

const opener = button("Open a file …", () => picker.click());
opener.title = "A model, a spec or code; or an array or image as its input";
document.body.append(
  make("header", "bar", name, opener, button("Random input", () => send("random"))),
  picker, told, drop, empty, frame,
);
takesFiles(window);
// A file that is dropped on the model lands in its frame.
frame.addEventListener("load", () => frame.contentWindow && takesFiles(frame.contentWindow));

const news = new EventSource("events");
news.addEventListener("message", (event) => show(JSON.parse(event.data)));
news.addEventListener("error", () => tell(["layerexplain view has ended; start it again to go on."], ""));
