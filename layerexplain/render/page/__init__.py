"""The page: a model to look at, in one HTML file that works offline.

Whatever needs thought is made here and shipped as data; the scripts in js/ draw, measure and enumerate, and know no
layer. The files: `data` makes the one JSON structure of a page (its docstring says what is in it) and `graph_data` the
graph in it; `scripts` joins the modules of js/; `shell` puts the
style sheet, the script and the data into the file, under a content security policy that names the first two by hash.

Pages of single layers without a model (`layer_data`) have their own scripts, `js/what_if.js` and `js/gallery.js`, which
show the same panels.

**A panel** is a part of what is shown of the chosen layer. To add one:

1. Put its data under a key of its own: in `data.layer_parts` where it differs from layer to layer, in
   `data.definition_parts` where layers that compute the same have the same; what is empty is left out.
2. Write `js/panel_NAME.js` with `export function panelName(layer, data, element)`: `layer` is the entry of the layer in
   `data.layers`, `data` the whole structure, `element` the empty `<section>` that it fills. It returns nothing; a
   section that it leaves empty is not shown. All text goes through `textContent` (`dom.js` has helpers); styles are
   classes of page.css or properties set by script, never attributes: the policy refuses those.
3. Import it in `js/panels.js` and give it a row there: the id of its section, its title, its function. Types of the
   data are in `js/types.js`; `tsc --noEmit -p layerexplain/render/page/js` checks them.

Modules import each other by `import { name } from "./file.js";` on one line, and no two declare the same name.
"""
