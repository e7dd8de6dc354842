/** The page of a model that does not run. */
import { whenRead } from "./document.js";
import { startPage } from "./model_page.js";
import { ModelSizes } from "./model_sizes.js";

whenRead(async (/** @type {import("./types.js").Data} */ data) => {
  const sizes = data.open && new ModelSizes(data, data.open);
  const page = await startPage(data, sizes?.element);
  if (sizes) sizes.view = page.view;
});
