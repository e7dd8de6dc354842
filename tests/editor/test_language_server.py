"""What the language server answers, over pipes."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

from tests.support.language_client import EVERYWHERE, Client, language_server

pytest.importorskip("pygls", reason="pygls is not installed: layerexplain[editor]")

KERAS = """\
import keras
from keras import layers

model = keras.Sequential()
model.add(keras.Input((13,)))
model.add(layers.Dense(7, activation="relu"))
model.add(layers.Dense(5))
"""
HINTS = {
    "model.add(keras.Input((13,)))": "→ (None, 13)",
    'model.add(layers.Dense(7, activation="relu"))': "→ (None, 7) · 98",
    "model.add(layers.Dense(5))": "→ (None, 5) · 40",
}
TORCH = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(13, 7)

    def forward(self, x):
        return self.fc(x)

Net()(torch.zeros(2, 13))
"""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with language_server() as one:
        yield one
        assert one.logged == []


@pytest.fixture
def uri(request: pytest.FixtureRequest, client: Client) -> Iterator[str]:
    one = f"file:///nowhere/{request.node.name}.py"
    yield one
    if one in client.texts:
        client.close(one)


def test_initialize_says_what_there_is(client: Client) -> None:
    said = client.initialized["capabilities"]
    assert {"inlayHintProvider", "hoverProvider", "codeActionProvider", "codeLensProvider"} < said.keys()
    assert said["positionEncoding"] == "utf-16" and said["textDocumentSync"]["change"] == 2  # incremental
    assert "layerexplain.showPage" in said["executeCommandProvider"]["commands"]


def test_a_hint_has_the_layers_of_its_line_as_its_tooltip(client: Client, uri: str) -> None:
    client.open(uri, KERAS.replace("layers.Dense(5)", "layers.Dense(n)"))
    first, second = client.of(
        "inlayHint", uri, range={"start": {"line": 5, "character": 0}, "end": {"line": 6, "character": 9}}
    )
    assert first["tooltip"] == "dense: (None, 7), 98 parameters, 91 MACs" and first["paddingLeft"]
    assert second["label"] == "→ (None, n) · 8·n" and "8·n parameters" in second["tooltip"]


@pytest.mark.parametrize(
    "text",
    [
        "import os\nx = [1, 2\n",
        "print('keras')\n",
        "import keras\nx = keras.Input((3,))\ny = 1 / 0\n",
        "",
        "import torch\nx = torch.zeros(3)\n",
    ],
)
def test_a_file_without_a_model_is_left_alone(client: Client, uri: str, text: str) -> None:
    client.open(uri, text)
    assert client.hints(uri) == {} and client.problems(uri) == [] and client.lenses(uri) == []


def test_yaml_that_is_no_spec_is_left_alone(client: Client) -> None:
    uri = "file:///nowhere/settings.yaml"
    client.open(uri, "name: [x\nservices: {web: {image: nginx}}\n", "yaml")
    assert client.hints(uri) == {} and client.problems(uri) == []


def test_hints_stay_while_the_text_does_not_parse(client: Client, uri: str) -> None:
    client.open(uri, KERAS)
    assert client.hints(uri) == HINTS
    client.edit(uri, "model.add(layers.Dense(5))", "\n\nmodel.add(layers.Dense(5")
    *kept, _ = HINTS.items()
    assert client.hints(uri) == dict(kept)  # the line that is edited has none
    client.edit(uri, "import keras\n", "import keras\n\n\n")
    assert client.hints(uri) == dict(kept)
    client.edit(uri, "layers.Dense(5", "layers.Dense(5))")
    assert client.hints(uri) == HINTS and client.problems(uri) == []


def test_problems_stay_while_the_text_does_not_parse(client: Client, uri: str) -> None:
    client.open(uri, KERAS.replace("Dense(5)", "Conv1D(5, 2)"))
    assert client.problems(uri) == [(1, "layer-at-fault", "layers.Conv1D(5, 2)")]
    published = client.diagnostics[uri]
    client.edit(uri, "import keras\n", "import keras as\n")
    client.hints(uri)
    assert client.diagnostics[uri] is published


def test_the_whole_text_may_be_sent(client: Client, uri: str) -> None:
    client.open(uri, "import keras\n")
    assert client.hints(uri) == {}
    client.replace(uri, KERAS)
    assert client.hints(uri) == HINTS and client.problems(uri) == []
    assert client.diagnostics[uri]["version"] == 2


def test_lines_are_those_of_the_editor(client: Client, uri: str) -> None:
    client.open(uri, "# a\x0cb\u2028c\x85d\n" + KERAS)
    client.edit(uri, "layers.Dense(5)", "layers.Dense(6)")
    assert list(client.hints(uri).values()) == ["→ (None, 13)", "→ (None, 7) · 98", "→ (None, 6) · 48"]


def test_changes_that_come_quickly_are_read_once(client: Client, uri: str) -> None:
    client.open(uri, KERAS)
    for units in range(5, 45):
        client.edit(uri, f"layers.Dense({units})", f"layers.Dense({units + 1})")
    assert client.hints(uri)["model.add(layers.Dense(45))"] == "→ (None, 45) · 360"  # 7 · 45 + 45
    seen = []
    client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    while not client._came.empty():
        seen.append(client._next())
    assert len([one for one in seen if one.get("method") == "textDocument/publishDiagnostics"]) < 20


def test_the_client_is_asked_to_ask_again(client: Client, uri: str) -> None:
    client.asked.clear()
    client.open(uri, KERAS)
    client.lenses(uri)
    client.lenses(uri)
    assert {"workspace/inlayHint/refresh", "workspace/codeLens/refresh"} <= set(client.asked)


def test_problems_name_their_rule_with_its_page_and_other_places(client: Client, uri: str) -> None:
    client.open(uri, KERAS.replace("Dense(5)", "LSTM(5)"))
    client.problems(uri)
    (one,) = client.published(uri)
    page = urlparse(one["codeDescription"]["href"])
    assert f"### {page.fragment}" in Path(unquote(page.path)).read_text().split("\n")
    assert page.fragment == one["code"] == "no-sequence" and one["source"] == "layerexplain"
    (related,) = one["relatedInformation"]
    assert related["message"] == "'dense' gives (None, 7)"
    assert client.part(uri, related["location"]["range"]) == 'layers.Dense(7, activation="relu")'


def test_a_layer_with_sizes_is_put_into_a_spec(client: Client) -> None:
    uri = "file:///nowhere/between.yaml"
    client.open(uri, "input: [13]\nlayers:\n  - Dense: 7\n  - LSTM: 5\n", "yaml")
    assert client.problems(uri) == [(1, "no-sequence", "- LSTM: 5")]
    fixes = client.actions(uri, "LSTM")
    assert fixes == {
        "Put Reshape((7, 1)) in between": client.texts[uri].replace("Dense: 7\n", "Dense: 7\n  - Reshape: [7, 1]\n")
    }
    client.replace(uri, next(iter(fixes.values())))
    assert client.hints(uri)["- LSTM: 5"] == "→ (None, 5) · 140" and client.problems(uri) == []  # 4 · 5 · (1 + 5 + 1)
    client.close(uri)


def test_a_closed_file_has_no_problems(client: Client, uri: str) -> None:
    client.open(uri, KERAS.replace("Dense(5)", "LSTM(5)"))
    assert client.problems(uri)
    client.close(uri)
    client.open(uri + "x.py", KERAS)
    client.hints(uri + "x.py")
    assert client.published(uri) == []


# Hover ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "parts"),
    [
        (KERAS, "layers.Dense(7", ["`dense`", "Each of the 7 outputs is a weighted sum of all 13 inputs", "relu(dot(x, W) + b)", "98 = 13 × 7 + 7"]),
        (TORCH, "self.fc(x)", ["`fc`", "y = linear(x, W) + b", "98 = 7 × 13 + 7"]),
        (
            "# layerexplain: input=13\n" + KERAS.replace("model.add(keras.Input((13,)))\n", ""),
            "layers.Dense(7",
            ["98 = 13 × 7 + 7"],
        ),
        (KERAS.replace("Dense(7", "Dense(name='a[0]*', units=7"), "layers.Dense(name", ["98 = 13 × 7 + 7"]),
        (TORCH, "nn.Linear", ["torch.nn.Linear", "`in_features`", "an integer ≥ 1; required"]),
        ("import keras\nfrom keras import layers\nmake = layers.LSTM\n", "layers.LSTM", ["LSTM", "`return_sequences`"]),
        ("import keras\nmake = keras.layers.Conv2D\n", "keras.layers.Conv2D", ["Conv2D", "`kernel_size`"]),
        ("from keras.layers import GRU\n", "GRU", ["GRU", "`units`"]),
        ("import keras\nbroken = keras.layers.Dense(3\n", "Dense", ["Dense", "`units`"]),
    ],
)  # fmt: skip
def test_hover_shows_a_layer_or_what_its_type_takes(
    client: Client, uri: str, text: str, at: str, parts: list[str]
) -> None:
    client.open(uri, text)
    shown = client.hover(uri, at, at.rfind(".") + 1)
    assert shown is not None and all(part in shown for part in parts), shown


@pytest.mark.parametrize("at", ["import", "model =", "relu"])
def test_hover_shows_nothing_elsewhere(client: Client, uri: str, at: str) -> None:
    client.open(uri, KERAS.replace("model.add(", "if 1: model.add("))
    assert client.hover(uri, at) is None or at == "relu"


# Settings and values ----------------------------------------------------------------------------------------------------


def test_settings_say_what_hints_show(client: Client, uri: str) -> None:
    client.open(uri, KERAS)
    shown = {"shapes": False, "parameters": False, "macs": True}
    client.notify("workspace/didChangeConfiguration", {"settings": {"layerexplain": {"hints": shown}}})
    assert client.hints(uri) == {line: f"{macs} MACs" for line, macs in zip([*HINTS][1:], (91, 35), strict=True)}
    shown = {"shapes": True, "parameters": True, "macs": False, "colour": True}
    client.notify("workspace/didChangeConfiguration", {"settings": {"layerexplain": {"hints": shown, "values": 3}}})
    assert client.hints(uri) == HINTS


def test_values_come_from_a_comment_or_from_the_settings() -> None:
    text = KERAS.replace("Dense(7", "Dense(n_hidden").replace("model.add(keras.Input((13,)))\n", "")
    with language_server(options={"values": {"n_hidden": 7, "input": [13]}}) as client:
        client.open("file:///nowhere/a.py", text)
        labels = list(client.hints("file:///nowhere/a.py").values())
        assert labels == ["→ (None, 7) · 98", "→ (None, 5) · 40"]
        client.open("file:///nowhere/b.py", "# layerexplain: n_hidden=11\n" + text)  # goes before the settings
        assert next(iter(client.hints("file:///nowhere/b.py").values())) == "→ (None, 11) · 154"


# Models -----------------------------------------------------------------------------------------------------------------


def test_a_lens_over_each_model_has_its_totals(client: Client, uri: str) -> None:
    client.open(uri, KERAS + "other = keras.Sequential([keras.Input((3,)), layers.Dense(2)])\n")
    assert client.lenses(uri) == [
        ("model = keras.Sequential()", "3 layers · 138 parameters · 126 MACs"),
        ("model = keras.Sequential()", "show page"),
        ("other = keras.Sequential([keras.Input((3,)), layers.Dense(2)])", "2 layers · 8 parameters · 6 MACs"),
        ("other = keras.Sequential([keras.Input((3,)), layers.Dense(2)])", "show page"),
    ]


@pytest.mark.slow
def test_show_page_starts_view_once_and_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(KERAS)
    with language_server() as client:
        ask = {"command": "layerexplain.showPage", "arguments": [str(path), "model"]}
        address = client.request("workspace/executeCommand", ask)
        assert client.request("workspace/executeCommand", ask) == address
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address)


# Notebooks --------------------------------------------------------------------------------------------------------------

NOTEBOOK = ["import keras\nn = 7\n", "# A model", "%matplotlib inline\nx = keras.Input((13,))\nh = keras.layers.Dense(n)(x)", "y = keras.layers.Dense(5)(h)\nmodel = keras.Model(x, y)"]  # fmt: skip


def _open_notebook(client: Client, uri: str) -> list[str]:
    cells = [f"vscode-notebook-cell:{uri}#{i}" for i in range(len(NOTEBOOK))]
    client.texts.update(zip(cells, NOTEBOOK, strict=True))
    client.versions.update(dict.fromkeys(cells, 1))
    kinds = [1 if text.startswith("# A") else 2 for text in NOTEBOOK]
    notebook = {
        "uri": uri, "notebookType": "jupyter-notebook", "version": 1,
        "cells": [{"kind": kind, "document": cell} for kind, cell in zip(kinds, cells, strict=True)],
    }  # fmt: skip
    texts = [
        {"uri": cell, "languageId": "python", "version": 1, "text": text}
        for cell, text in zip(cells, NOTEBOOK, strict=True)
    ]
    client.notify("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": texts})
    return cells


def _change_cell(client: Client, uri: str, cell: str, text: str) -> None:
    client.texts[cell] = text
    client.versions[cell] += 1
    change: dict[str, Any] = {"document": {"uri": cell, "version": client.versions[cell]}, "changes": [{"text": text}]}
    document = {"uri": uri, "version": client.versions[cell]}
    client.notify(
        "notebookDocument/didChange", {"notebookDocument": document, "change": {"cells": {"textContent": [change]}}}
    )


def test_a_notebook_is_read_cell_by_cell(client: Client) -> None:
    uri = "file:///nowhere/notebook.ipynb"
    cells = _open_notebook(client, uri)
    first = {"x = keras.Input((13,))": "→ (None, 13)", "h = keras.layers.Dense(n)(x)": "→ (None, 7) · 98"}
    second = {"y = keras.layers.Dense(5)(h)": "→ (None, 5) · 40"}
    assert [client.hints(cell) for cell in cells] == [{}, {}, first, second]
    assert "7 outputs" in (client.hover(cells[2], "layers.Dense", 8) or "")
    assert [line for line, _ in client.lenses(cells[3])] == ["model = keras.Model(x, y)"] * 2
    _change_cell(client, uri, cells[3], NOTEBOOK[3].replace("Dense(5)", "LSTM(5)"))
    assert client.problems(cells[3]) == [(1, "no-sequence", "keras.layers.LSTM(5)")]
    assert client.published(cells[3])[0]["relatedInformation"][0]["location"]["uri"] == cells[2]
    _change_cell(client, uri, cells[3], NOTEBOOK[3])
    assert client.problems(cells[3]) == []
    _change_cell(client, uri, cells[3], NOTEBOOK[3].replace("(h)", "(h"))  # it alone does not parse
    assert [client.hints(cell) for cell in cells] == [{}, {}, first, {}]
    client.notify("notebookDocument/didClose", {"notebookDocument": {"uri": uri}, "cellTextDocuments": []})


# Whatever is written ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "import keras\n" + "(" * 5000,
        "import keras\n" + "x = " + "[" * 90 + "]" * 90 + "\n",
        "import keras\nx = keras.Input((10**30,))\ny = keras.layers.Dense(10**30)(x)\nm = keras.Model(x, y)\n",
        "import keras\nwhile True:\n    x = keras.Input((3,))\n",
        "import keras\nclass A(keras.layers.Layer):\n    def call(self, x): return self(x)\nx = A()(keras.Input((3,)))\n",
        'import keras\nm = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="\\x1b]0;x\\x07")])\n',
        "import keras\nm = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation=\0)])\n",
        "import keras\n" + "m = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n" * 60,
        "import torch\nfrom torch import nn\nclass N(nn.Module):\n    def forward(self, x): return self(x)\nN()(torch.zeros(1, 2))\n",
    ],
)
def test_no_text_ends_the_server(client: Client, uri: str, text: str) -> None:
    client.open(uri, text)
    for method, more in (
        ("inlayHint", {"range": EVERYWHERE}),
        ("codeLens", {}),
        ("hover", {"position": {"line": 1, "character": 9}}),
    ):
        client.of(method, uri, **more)
    assert len(client.logged) <= 1
    client.logged.clear()
    client.replace(uri, KERAS)
    assert client.hints(uri) == HINTS


@pytest.mark.parametrize("start", ["https://", "https:/", "//", "hf://", "sftp://", "untitled:https://"])
def test_what_the_server_says_of_a_text_has_no_password(client: Client, start: str) -> None:
    uri = f"{start}u:wombat@host/net.py"
    client.open(uri, KERAS.replace('"relu"', f'"{start}u:wombat@host/f"'))
    assert client.problems(uri)
    said = [client.of("codeLens", uri), client.of("inlayHint", uri, range=EVERYWHERE), client.published(uri)]
    client.close(uri)
    assert "wombat" not in json.dumps([said, client.logged])
    client.open(uri, KERAS)
    assert (lenses := client.of("codeLens", uri)) and "wombat" not in json.dumps(lenses)
    client.close(uri)
