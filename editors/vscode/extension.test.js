"use strict";
// The extension against stand-ins of the editor: which command it starts, for which files, with which settings.

const assert = require("node:assert");
const Module = require("node:module");
const { test } = require("node:test");

/** What the extension asks the stand-ins for. */
const seen = { made: /** @type {any[]} */ ([]), calls: /** @type {string[]} */ ([]) };
let configured = {};

const standIns = {
  vscode: {
    workspace: {
      getConfiguration: (section) => {
        assert.strictEqual(section, "layerexplain");
        return { ...configured, get: (name, otherwise) => configured[name] ?? otherwise };
      },
    },
  },
  "vscode-languageclient/node": {
    LanguageClient: class {
      constructor(...given) {
        seen.made.push(given);
      }
      async start() {
        seen.calls.push("start");
      }
      async stop() {
        seen.calls.push("stop");
      }
    },
  },
};

const load = Module._load;
Module._load = (name, ...rest) => standIns[name] ?? load(name, ...rest);
const { activate, deactivate } = require("./extension.js");
const { contributes, main } = require("./package.json");

test("it starts the server for Python and YAML, and stops it", async () => {
  const [hints, values] = [{ macs: true }, { n: 3 }];
  configured = { hints, values, docs: "" };
  await activate();
  const [, , server, client] = seen.made[0];
  assert.deepStrictEqual(server, { command: "layerexplain", args: ["lsp"] });
  assert.deepStrictEqual(client.documentSelector.map((one) => one.language), ["python", "yaml"]);
  assert.deepStrictEqual(client.initializationOptions, { hints, values, docs: "" });
  assert.strictEqual(client.synchronize.configurationSection, "layerexplain");
  await deactivate();
  assert.deepStrictEqual(seen.calls, ["start", "stop"]);
});

test("the command may be another one", async () => {
  configured = { command: ["python", "-m", "layerexplain", "lsp"] };
  await activate();
  assert.deepStrictEqual(seen.made[1][2], { command: "python", args: ["-m", "layerexplain", "lsp"] });
});

test("the manifest declares what the extension reads", () => {
  const names = Object.keys(contributes.configuration.properties).sort();
  assert.deepStrictEqual(names, ["command", "docs", "hints", "values"].map((name) => `layerexplain.${name}`));
  assert.strictEqual(main, "./extension.js");
});

test("the hint of a loop, with its first and its last pass, is not cut", () => {
  const hint = "→ (None, 112, 112, 128) … (None, 28, 28, 1024) · 12,345,678";
  for (const language of ["[python]", "[yaml]"]) {
    assert.ok(contributes.configurationDefaults[language]["editor.inlayHints.maximumLength"] >= hint.length);
  }
});
