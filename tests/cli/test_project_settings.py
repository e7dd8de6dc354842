"""Settings of a project for `check`, in the nearest pyproject.toml; and what the program says where it is not set up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from layerexplain.cli.main import _is_layer_call, _is_source, program
from layerexplain.cli.project_settings import use_project_settings

HEAD = "[tool.layerexplain]\n"
ROWS: list[tuple[str, dict[str, Any] | str]] = [
    ("", {}),
    ("[tool.other]\nselect = 3\n", {}),
    (HEAD, {}),
    ('select = "a"\n', {"select": ["a"]}),
    ('select = ["a", "b"]\nignore = "c"\n', {"select": ["a", "b"], "ignore": ["c"]}),
    ('fail-on = "wrong"\nweights = true\n', {"fail_on": "wrong", "weights": True}),
    ("max = {params = 7, memory = '3MB'}\n", {"budgets": ["params=7", "memory=3MB"]}),
    ('max = "params=7"\n', {"budgets": ["params=7"]}),
    ("selct = 3\n", "{path}: [tool.layerexplain] has no setting 'selct'; did you mean 'select'?"),
    ("colour = 3\n", "{path}: [tool.layerexplain] has no setting 'colour'; there are select, ignore, fail-on, max, weights"),
    ("select = 3\n", "{path}: the setting 'select' needs a list of texts, got 3"),
    ("ignore = ['a', 3]\n", "{path}: the setting 'ignore' needs a list of texts, got ['a', 3]"),
    ("max = 3\n", "{path}: the setting 'max' needs a list of texts, got [3]"),
    ("select = \n", "{path}: is not TOML: "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ROWS)
@pytest.mark.parametrize("below", [".", "in/it"])
def test_settings_of_the_nearest_project_are_defaults_of_options(
    text: str, expected: dict[str, Any] | str, below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(text if not text or text.startswith("[") else HEAD + text)
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / below)
    parameter = click.Option(["--isolated"])
    context = click.Context(click.Command("check"), default_map=None)
    context.default_map = {"jobs": 3, "select": ["z"]}
    if isinstance(expected, str):
        with pytest.raises(click.UsageError) as caught:
            use_project_settings(context, parameter, False)
        assert caught.value.message.startswith(expected.format(path=path))
        return
    use_project_settings(context, parameter, True)
    assert context.default_map == {"jobs": 3, "select": ["z"]}
    use_project_settings(context, parameter, False)
    assert context.default_map == {"jobs": 3, "select": ["z"], **expected}


def test_bytes_that_are_no_text_are_not_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_bytes(HEAD.encode() + b"select = '\xff'\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.UsageError, match="is not TOML"):
        use_project_settings(click.Context(click.Command("check")), click.Option(["--isolated"]), False)


# The program --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("pygls", "lsp needs pygls: pip install '.[editor]' in a clone"),
        ("pygls.uris", "lsp needs pygls: pip install '.[editor]' in a clone"),
        ("lsprotocol.types", "lsp needs pygls: pip install '.[editor]' in a clone"),
    ],
)
def test_a_language_server_without_its_library_says_what_to_install(
    missing: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Missing:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "layerexplain.editor.server":
                raise ModuleNotFoundError(name=missing)

    monkeypatch.delitem(sys.modules, "layerexplain.editor.server", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    done = CliRunner().invoke(program, ["lsp"])
    assert done.exit_code == 2 and done.stderr.splitlines()[-1] == f"Error: {words}"


COMPLETE = "_LAYEREXPLAIN_COMPLETE"
WANTED = "bash_complete, zsh_complete, fish_complete, which a shell sets; unset it to use layerexplain"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({COMPLETE: "tcsh_complete"}, f"{COMPLETE} is 'tcsh_complete'; it needs to be {WANTED}"),
        ({COMPLETE: "bash"}, f"{COMPLETE} is 'bash'; it needs to be {WANTED}"),
        ({COMPLETE: "bash_run"}, f"{COMPLETE} is 'bash_run'; it needs to be {WANTED}"),
        ({COMPLETE: "zsh_complete"}, f"{COMPLETE} is 'zsh_complete', but COMP_WORDS and COMP_CWORD do not say which word is being typed; unset it to use layerexplain"),
        ({COMPLETE: "zsh_complete", "COMP_WORDS": "layerexplain", "COMP_CWORD": "x"}, f"{COMPLETE} is 'zsh_complete', but COMP_WORDS and COMP_CWORD do not say which word is being typed; unset it to use layerexplain"),
    ],
)  # fmt: skip
def test_completion_that_is_asked_for_in_another_way_is_one_line(environment: dict[str, str], words: str) -> None:
    done = CliRunner().invoke(program, [], prog_name="layerexplain", env=environment)
    assert (done.exit_code, done.stderr) == (1, f"layerexplain: error: {words}\n")


@pytest.mark.parametrize(
    ("word", "is_source", "is_call"),
    [
        ("-", True, False), ("m.keras", True, False), ("in/m", True, False), ("sumary", False, False), ("here", True, False),
        ("layers.Dense(5)", True, True), ("Dense(5)", False, True), ("train.py:build(5)", True, False), ("here(5)", True, False),
    ],
)  # fmt: skip
def test_a_word_that_is_a_source_or_a_layer(
    word: str, is_source: bool, is_call: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("here", "here(5)"):
        Path(name).touch()
    assert (_is_source(word), _is_layer_call(word)) == (is_source, is_call)


def test_a_source_is_summarized_and_the_code_of_a_layer_is_explained(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("input: [7]\nlayers: [{Dense: 5}]\n")
    runs = [["summary", str(tmp_path / "m.yaml")], [str(tmp_path / "m.yaml")]]
    first, second = (CliRunner().invoke(program, run) for run in runs)
    assert first.stdout == second.stdout != "" and first.exit_code == second.exit_code == 0
    runs = [["layer", "Dense(5)", "--input", "7"], ["explain", "Dense(5)", "--input", "7"]]
    first, second = (CliRunner().invoke(program, run) for run in runs)
    assert first.stdout == second.stdout != "" and first.exit_code == second.exit_code == 0
