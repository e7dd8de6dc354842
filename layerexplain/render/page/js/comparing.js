/** The page of two models that run in it, on one input. */
import { startComparison } from "./compare_page.js";
import { whenRead } from "./document.js";
import { Both } from "./run/both.js";
import { Live } from "./run/live.js";
import { Maps } from "./run/maps.js";

whenRead(async (/** @type {import("./compare_page.js").Compared} */ data) => {
  const sides = [data.before, data.after];
  const lives = sides.map((own, side) => (own.live = new Live(own, side)));
  const both = new Both(lives, data.names, data.pairs);
  const page = await startComparison(data, both);
  const maps = lives.map((live, side) => new Maps((live.view = page.views[side]) && live, page.views[side], (...element) => live.open(...element)));
  Object.assign(page, { lives, maps, run: (/** @type {Parameters<Live["run"]>[0]} */ inputs) => both.run(inputs) });
  await both.begin();
  maps.forEach((one) => one.light());
});
