"""Messages of the language server as they are sent, whole."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("pygls", reason="pygls is not installed: layerexplain[editor]")

from layerexplain import __version__
from layerexplain.editor import server
from layerexplain.editor.texts import Cell, text_of
from tests.support.language_client import EVERYWHERE, WITH_REFRESH, Client, language_server
from tests.support.paths import ROOT

URI = "file:///nowhere/m.py"
LINES = [
    "import keras",
    "from keras import layers",
    "x = i = keras.Input((13,))",
    "x = layers.Dense(7)(x)",
    "x = layers.LSTM(5)(x)",
    "model = keras.Model(i, x)",
    "other = keras.Sequential([keras.Input((3,)), layers.Dense(2)])",
]
TEXT = "\n".join(LINES)


def at(line: int, first: int, last: int) -> dict[str, Any]:
    return {"start": {"line": line, "character": first}, "end": {"line": line, "character": last}}


PAGE = (ROOT / "docs" / "checks.md").as_uri()
WORDS = (
    "LSTM needs an input of (batch, steps, features), got (None, 7), without steps; Reshape to (7, 1) fits; "
    "or RepeatVector(n) repeats it as n equal steps"
)
PROBLEM = {
    "range": at(4, 4, 18),
    "message": WORDS,
    "severity": 1,
    "code": "no-sequence",
    "codeDescription": {"href": f"{PAGE}#no-sequence"},
    "source": "layerexplain",
    "relatedInformation": [{"location": {"uri": URI, "range": at(3, 4, 22)}, "message": "'dense' gives (None, 7)"}],
}
FIX = {
    "title": "Put Reshape((7, 1)) in between",
    "kind": "quickfix",
    "diagnostics": [PROBLEM],
    "isPreferred": True,
    "edit": {
        "changes": {
            URI: [
                {"range": at(3, 4, 4), "newText": "layers.Reshape((7, 1))("},
                {"range": at(3, 22, 22), "newText": ")"},
            ]
        }
    },
}


def hint(line: int, label: str, tooltip: str) -> dict[str, Any]:
    position = {"line": line, "character": len(LINES[line])}
    return {"position": position, "label": label, "tooltip": tooltip, "paddingLeft": True}


HINTS = [
    hint(2, "→ (None, 13)", "input_layer: (None, 13)"),
    hint(3, "→ (None, 7) · 98", "dense: (None, 7), 98 parameters, 91 MACs"),
    hint(4, "→ ?", f"lstm: ?\n?: {WORDS}"),
    hint(6, "→ (None, 2) · 8", "input_layer_1: (None, 3)\ndense_1: (None, 2), 8 parameters, 6 MACs"),
]


def lenses(line: int, title: str, request: str) -> list[dict[str, Any]]:
    page = {"title": "show page", "command": "layerexplain.showPage", "arguments": ["/nowhere/m.py", request]}
    return [{"range": at(line, 0, 0), "command": one} for one in ({"title": title, "command": ""}, page)]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with language_server({**WITH_REFRESH, "notebookDocument": {"synchronization": {}}}) as one:
        one.open(URI, TEXT)
        yield one


def test_initialize_tells_of_cells_of_a_notebook_and_of_all_that_the_server_answers(client: Client) -> None:
    assert client.initialized == {
        "capabilities": {
            "positionEncoding": "utf-16",
            "textDocumentSync": {"openClose": True, "change": 2, "save": False},  # 2: incremental
            "notebookDocumentSync": {"notebookSelector": [{"notebook": "*", "cells": [{"language": "python"}]}]},
            "hoverProvider": True,
            "codeActionProvider": {"codeActionKinds": ["quickfix"]},
            "codeLensProvider": {"resolveProvider": False},
            "executeCommandProvider": {"commands": ["layerexplain.showPage"]},
            "inlayHintProvider": {"resolveProvider": False},
            "workspace": {
                "workspaceFolders": {"supported": True, "changeNotifications": True},
                "fileOperations": {},
            },
        },
        "serverInfo": {"name": "layerexplain", "version": __version__},
    }


@pytest.mark.parametrize(
    ("method", "asked", "answer"),
    [
        ("inlayHint", {"range": EVERYWHERE}, HINTS),
        ("inlayHint", {"range": at(3, 0, 1)}, HINTS[1:2]),
        ("inlayHint", {"range": {**at(3, 0, 0), "end": {"line": 4, "character": 0}}}, HINTS[1:3]),
        ("codeLens", {}, [
            *lenses(5, "3 layers · ? parameters · ? MACs", "model"),
            *lenses(6, "2 layers · 8 parameters · 6 MACs", "other"),
        ]),
        ("codeAction", {"range": at(3, 0, 9), "context": {"diagnostics": []}}, []),
        ("codeAction", {"range": at(4, 0, 0), "context": {"diagnostics": []}}, [FIX]),
        ("codeAction", {"range": at(5, 0, 9), "context": {"diagnostics": []}}, []),
        ("codeAction", {"range": EVERYWHERE, "context": {"diagnostics": []}}, [FIX]),
        ("hover", {"position": {"line": 0, "character": 2}}, None),
    ],
)  # fmt: skip
def test_an_answer(client: Client, method: str, asked: dict[str, Any], answer: Any) -> None:
    assert client.of(method, URI, **asked) == answer


def test_what_is_wrong_is_published_until_the_text_is_closed(client: Client) -> None:
    client.problems(URI)
    assert client.diagnostics[URI] == {"uri": URI, "diagnostics": [PROBLEM], "version": 1}
    other = "file:///nowhere/other.py"
    client.open(other, TEXT)
    client.problems(other)
    client.close(other)
    client.of("codeLens", URI)
    assert client.diagnostics[other] == {"uri": other, "diagnostics": []}
    assert client.of("inlayHint", other, range=EVERYWHERE) is None


@pytest.mark.parametrize(
    ("capabilities", "asked"),
    [
        (WITH_REFRESH, ["workspace/inlayHint/refresh", "workspace/codeLens/refresh"]),
        ({"workspace": {"codeLens": {"refreshSupport": True}}}, ["workspace/codeLens/refresh"]),
        ({}, []),
    ],
)
def test_a_client_that_can_is_asked_to_ask_again_where_hints_change(capabilities: Any, asked: list[str]) -> None:
    with language_server(capabilities) as client:
        client.open(URI, TEXT)
        client.problems(URI)
        client.replace(URI, TEXT + "\n")
        client.problems(URI)
        assert client.asked == asked


def test_settings_change_what_is_shown_of_open_texts() -> None:
    with language_server(options={"hints": {"parameters": False}, "docs": "https://example.org/docs/"}) as client:
        client.open(URI, TEXT)
        assert list(client.hints(URI).values()) == ["→ (None, 13)", "→ (None, 7)", "→ ?", "→ (None, 2)"]
        client.problems(URI)
        (problem,) = client.published(URI)
        assert problem["codeDescription"] == {"href": "https://example.org/docs/checks.md#no-sequence"}
        client.notify("workspace/didChangeConfiguration", {"settings": {"hints": {"macs": True}}})
        labels = ["→ (None, 13)", "→ (None, 7) · 91 MACs", "→ ? · ? MACs", "→ (None, 2) · 6 MACs"]
        assert list(client.hints(URI).values()) == labels


def test_an_older_text_is_not_read_any_further() -> None:
    older, newer = (text_of(URI, "/nowhere/m.py", [Cell(URI, TEXT)], version) for version in (1, 2))
    shown = server.OpenText(newer)
    assert (shown.reading.text, shown.reading.places.text) == (newer, newer)
    shown.stop(newer)
    with pytest.raises(server.Cancelled):
        shown.stop(older)


class View:
    """A process of `view`, which says its address."""

    def __init__(self, begun: list[View], command: list[str], address: str, **options: Any) -> None:
        begun.append(self)
        self.command, self.options, self.done = command, options, list[str]()
        self.stdout = io.StringIO(address)
        self.is_running = True

    def poll(self) -> int | None:
        return None if self.is_running else 1

    def terminate(self) -> None:
        self.done.append("terminate")

    def communicate(self) -> None:
        self.done.append("communicate")


@pytest.mark.parametrize("can_show", [True, False])
def test_a_page_is_shown_once_for_each_model_and_ends_with_the_server(
    can_show: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[View] = []

    def start(command: list[str], **options: Any) -> View:
        return View(begun, command, f"http://127.0.0.1/{len(begun)}\n", **options)

    monkeypatch.setattr(server.subprocess, "Popen", start)
    capabilities = {"window": {"showDocument": {"support": can_show}}}
    with language_server(capabilities) as client:

        def show(*asked: str) -> Any:
            return client.request("workspace/executeCommand", {"command": server.SHOW_PAGE, "arguments": [*asked]})

        assert [show("/m.py", "model"), show("/m.py", "model"), show("/m.py", "")] == [
            "http://127.0.0.1/0",
            "http://127.0.0.1/0",
            "http://127.0.0.1/1",
        ]
        begun[1].is_running = False
        assert show("/m.py", "") == "http://127.0.0.1/2"
        client.of("codeLens", URI)
        assert client.asked == ["window/showDocument"] * (4 if can_show else 0)
    assert [one.command for one in begun] == [
        [sys.executable, "-m", "layerexplain", "view", "--no-browser", source]
        for source in ("/m.py:model", "/m.py", "/m.py")
    ]
    assert begun[0].options == {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    assert [one.done for one in begun] == [["terminate", "communicate"], [], ["terminate", "communicate"]]
