"use strict";
// Starts `layerexplain lsp` for Python files, notebooks and YAML specs, and sends it the settings.

const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

const SECTION = "layerexplain";

/** @type {LanguageClient | undefined} */
let client;

/** Return the settings that the server knows. */
function settings() {
  const { hints, values, docs } = workspace.getConfiguration(SECTION);
  return { hints, values, docs };
}

async function activate() {
  /** @type {string[]} */
  const words = workspace.getConfiguration(SECTION).get("command", ["layerexplain", "lsp"]);
  const [command, ...args] = words;
  client = new LanguageClient(
    SECTION,
    SECTION,
    { command, args },
    {
      documentSelector: [{ language: "python" }, { language: "yaml" }],
      initializationOptions: settings(),
      synchronize: { configurationSection: SECTION },
    },
  );
  await client.start();
}

async function deactivate() {
  await client?.stop();
}

module.exports = { activate, deactivate };
