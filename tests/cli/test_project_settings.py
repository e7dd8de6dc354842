"""Settings of a project for `check`, in the nearest pyproject.toml; and what the program says where it is not set up."""

from pathlib import Path
from typing import Any

import click
import pytest

from layerexplain.cli.project_settings import use_project_settings
from tests.support.commands import invoke

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
    ("colour = 3\n", "{path}: [tool.layerexplain] has no setting 'colour'; there are select, ignore, fail-on, max, weight-values"),
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


# The program --------------------------------------------------------------------------------------------------------


def test_a_source_is_summarized_and_the_code_of_a_layer_is_explained(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("input: [7]\nlayers: [{Dense: 5}]\n")
    runs = [["summary", str(tmp_path / "m.yaml")], [str(tmp_path / "m.yaml")]]
    first, second = (invoke(*run) for run in runs)
    assert first.stdout == second.stdout != "" and first.exit_code == second.exit_code == 0
    runs = [["layer", "Dense(5)", "--input", "7"], ["explain", "Dense(5)", "--input", "7"]]
    first, second = (invoke(*run) for run in runs)
    assert first.stdout == second.stdout != "" and first.exit_code == second.exit_code == 0
