/** The page of a model that does not run. */
import { whenRead } from "./document.js";
import { startPage } from "./model_page.js";

whenRead(startPage);
