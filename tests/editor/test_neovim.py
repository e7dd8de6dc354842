"""A real editor: Neovim, without a screen, shows hints and problems, asks for a hover and applies a quick fix."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pygls", reason="pygls is not installed: layerexplain[editor]")

PROGRAM = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 5)
        self.fc = nn.Linear(7, 2)

    def forward(self, x):
        x = self.conv(x).relu()
        return self.fc(torch.flatten(x, 1))  # "ä😀"


Net()(torch.zeros(1, 1, 9, 9))
"""
SCRIPT = """\
local function until_(what) assert(vim.wait(60000, what, 50), "nothing came") end
vim.lsp.start({ name = "layerexplain", cmd = { PYTHON, "-m", "layerexplain", "lsp" }, root_dir = vim.fn.getcwd() })
until_(function() local one = vim.lsp.get_clients({ name = "layerexplain" })[1]; return one and one.initialized end)
vim.lsp.inlay_hint.enable(true)
local function hints()
  local found = {}
  for _, one in ipairs(vim.lsp.inlay_hint.get({ bufnr = 0 })) do
    found[tostring(one.inlay_hint.position.line)] = one.inlay_hint.label
  end
  return found
end
until_(function() return #vim.diagnostic.get(0) > 0 and next(hints()) end)
local before = { hints = hints(), problems = {} }
for _, one in ipairs(vim.diagnostic.get(0)) do
  table.insert(before.problems, { one.severity, one.code, one.lnum, one.col, one.end_col })
end
local at = { textDocument = vim.lsp.util.make_text_document_params(0), position = { line = 11, character = 14 } }
local hover = vim.lsp.buf_request_sync(0, "textDocument/hover", at, 60000)[1].result.contents.value
local range = { start = { line = 12, character = 20 }, ["end"] = { line = 12, character = 20 } }
local ask = { textDocument = at.textDocument, range = range, context = { diagnostics = {} } }
local action = vim.lsp.buf_request_sync(0, "textDocument/codeAction", ask, 60000)[1].result[1]
vim.lsp.util.apply_workspace_edit(action.edit, "utf-16")
until_(function() return #vim.diagnostic.get(0) == 0 and hints()["12"] end)
local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\\n") .. "\\n"
local found = { before = before, hover = hover, title = action.title, after = hints(), text = text }
local file = assert(io.open(ANSWER, "w"))
file:write(vim.json.encode(found))
file:close()
vim.cmd("qall!")
"""


@pytest.mark.slow
def test_neovim_shows_what_the_server_says(tmp_path: Path) -> None:
    program = shutil.which("nvim")
    if program is None:
        pytest.skip("Neovim is not installed")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    if tuple(map(int, version.lstrip("v").partition("-")[0].split("."))) < (0, 10):
        pytest.skip(f"Neovim {version} shows no hints")
    answer = tmp_path / "answer.json"
    names = f"local PYTHON, ANSWER = {json.dumps(sys.executable)}, {json.dumps(str(answer))}\n"
    (tmp_path / "script.lua").write_text(names + SCRIPT)
    (tmp_path / "net.py").write_text(PROGRAM)
    command = [
        program,
        "--headless",
        "-u",
        "NONE",
        "-i",
        "NONE",
        "-n",
        "net.py",
        "-c",
        "luafile script.lua",
        "-c",
        "cquit",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads(answer.read_text())
    assert found["before"]["hints"] == {"11": "→ (None, 3, 5, 5) · 78", "12": "→ (None, 75)"}  # 3 · 25 + 3; 3 · 25
    line = PROGRAM.split("\n")[12]
    start, end = line.index("self.fc"), line.index("  #")
    assert found["before"]["problems"] == [[1, "layer-at-fault", 12, start, end]]
    assert "78 = 3 × 1 × 5 × 5 + 3" in found["hover"]
    assert found["title"] == "Write in_features=75" and found["text"] == PROGRAM.replace("Linear(7,", "Linear(75,")
    assert found["after"] == {"11": "→ (None, 3, 5, 5) · 78", "12": "→ (None, 2) · 152"}  # 75 · 2 + 2
