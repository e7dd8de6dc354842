"""`layerexplain lsp` where pygls is missing, and what of the language server needs no pygls: settings and moved lines."""

import sys

import pytest

from layerexplain.editor.reading import Settings, moved_lines, settings_of, values_in
from tests.support.commands import invoke


def test_without_pygls_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] in ("pygls", "lsprotocol")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "layerexplain.editor.server", raising=False)
    monkeypatch.setitem(sys.modules, "pygls", None)
    monkeypatch.setitem(sys.modules, "lsprotocol", None)
    result = invoke("lsp")
    assert result.exit_code == 2
    assert result.output.endswith("Error: lsp needs pygls: pip install '.[editor]' in a clone\n")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("# layerexplain: n_hidden=128, input=28,28,1\n", {"n_hidden": "128", "input": "28,28,1"}),
        ("x = 1\n    #layerexplain: a.b = 3 , c=(None, 4)", {"a.b": "3", "c": "(None, 4)"}),
        ("# layerexplain: a=1\n# layerexplain: b=2, a=3", {"a": "3", "b": "2"}),
        ("x = 1  # layerexplain: a=1", {}),
        ("# layerexplain: nothing\n# layerexplain:", {}),
        ('# layerexplain: len(words)=5000, config["units"] = 64', {"len(words)": "5000", "config['units']": "64"}),
        ("# layerexplain: c['a,b']=7, y.max()=3, z=f(1, 2)", {"c['a,b']": "7", "y.max()": "3", "z": "f(1, 2)"}),
        ("# layerexplain: x.shape=7,30, n=dict(a=1), d=)2,3", {"x.shape": "7,30", "n": "dict(a=1)", "d": ")2,3"}),
        ("# layerexplain: f(3)=4, n=2", {"n": "2"}),
    ],
)
def test_values_in_comments(text: str, values: dict[str, str]) -> None:
    assert values_in(text) == values


@pytest.mark.parametrize(
    "sent", [None, 3, [], {"layerexplain": 3}, {"hints": 3, "values": []}, {"hints": {"macs": "yes"}}]
)
def test_settings_that_are_none_change_nothing(sent: object) -> None:
    before = Settings(macs=True, values={"a": "1"})
    assert settings_of(sent, before) == before


BEFORE = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        (["a", "b", "c", "d"], [0, 1, 2, 3]),
        (["x", "a", "b", "c", "d"], [1, 2, 3, 4]),
        (["a", "b", "x", "c", "d"], [0, 1, 3, 4]),
        (["a", "x", "c", "d"], [0, None, 2, 3]),
        (["a", "d"], [0, None, None, 1]),
        (["a", "b", "c", "d", "x"], [0, 1, 2, 3]),
        (["a", "b", "c"], [0, 1, 2, None]),
        ([], [None] * 4),
    ],
)
def test_lines_move_with_an_edit(after: list[str], lines: list[int | None]) -> None:
    assert [moved_lines(BEFORE, after).get(line) for line in range(4)] == lines
