/** The page of a model that runs in it. */
import { whenRead } from "./document.js";
import { startPage } from "./model_page.js";
import { Live } from "./run/live.js";
import { Maps } from "./run/maps.js";

/** @typedef {import("./types.js").Data} Data */

whenRead(async (/** @type {Data} */ data) => {
  const live = new Live(data);
  data.live = live;
  const page = await startPage(data, live.element);
  Object.assign(page, {
    run: (/** @type {Record<string, any>} */ inputs) => live.run(inputs),
    refused: () => Object.fromEntries(live.program?.refused ?? []),
  });
  live.view = page.view;
  const maps = new Maps(live, page.view, (...element) => live.open(...element));
  Object.assign(page, { maps });
  await live.begin();
  maps.light();
});
