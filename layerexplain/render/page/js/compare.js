/** The page of two models that do not run in it. */
import { startComparison } from "./compare_page.js";
import { whenRead } from "./document.js";

whenRead((data) => { startComparison(data); });
