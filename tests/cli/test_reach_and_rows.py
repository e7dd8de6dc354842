"""What commands do around the interface: how URLs are reached, where lines go, what files and rows come of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

import layerexplain
from layerexplain import api
from layerexplain.cli.catalogue import ProgressLine
from layerexplain.cli.input_shapes import inputs_of, parse_input, where_they_fit
from layerexplain.cli.main import program
from layerexplain.cli.progress import progress
from layerexplain.cli.source_arguments import located, reach_of
from layerexplain.cli.sources import Answers
from layerexplain.sources.names import Reach

REMOTE = ("https://h.org/m.keras", "a.zip::m.keras")
SPEC = "name: m\ninput: [4]\nlayers:\n  - Sequential: [{Dense: 3, name: inner}]\n    name: body\n  - Dense: 2\n    name: end\n"
ANOTHER = "name: n\ninput: [4]\nlayers:\n  - Dense: 2\n    name: inner\n"
PROGRAM = """import keras
a = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3), keras.layers.GlobalMaxPooling2D()], name="images")
b = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="rows")
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    for name, text in {"m.yaml": SPEC, "n.yaml": ANOTHER, "two.py": PROGRAM}.items():
        Path(name).write_text(text)
    return lambda *words: CliRunner().invoke(program, list(words), prog_name="layerexplain")


def test_without_options_urls_are_reached_as_by_default() -> None:
    ctx = click.Context(click.Command("any"))
    assert reach_of(ctx) == Reach()
    assert located(ctx, "a/b.keras") == "a/b.keras"
    remote = [located(ctx, source) for source in ("https://h.org/m.keras", "zip://m.keras::a.zip")]
    assert [(type(one).__name__, str(one)) for one in remote] == [("Remote", REMOTE[0]), ("Remote", REMOTE[1])]


def test_a_catalogue_tells_its_sum_on_stderr_and_is_given_how_urls_are_reached(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run("catalogue", "m.yaml", "n.yaml", "--to", "t.jsonl")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("2 models in ")
    given: dict[str, Any] = {}
    real = api.catalogue

    def kept(*values: Any, **options: Any) -> Any:
        given.update(options)
        return real(*values, **options)

    monkeypatch.setattr(api, "catalogue", kept)
    assert run("catalogue", "m.yaml", "--to", "u.jsonl").exit_code == 0
    assert given["reach"] == Reach()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_line_of_progress_is_written_over_on_a_terminal_alone(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    monkeypatch.setattr("layerexplain.cli.catalogue.progress_words", lambda now: "half")
    shown = ProgressLine("t.csv", False)
    shown._next = 0
    shown.tell(SimpleNamespace())  # type: ignore[arg-type]
    printed = capsys.readouterr().err
    assert ("t.csv: half\n" in printed, "half" in printed) == (not is_terminal, True)


def test_progress_is_told_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("m", "calls run") as tell:
        assert tell is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress("m", "calls run", True) as tell:
        assert tell is None
    with progress("m", "calls run") as tell:
        assert tell is not None
        tell(1, 2, "end")
    assert "1 of 2 calls run, end" in capsys.readouterr().err


def test_a_picture_is_written_to_its_file(run: Callable[..., Any]) -> None:
    assert run("draw", "m.yaml", "-o", "m.svg").exit_code == 0
    assert "<svg" in Path("m.svg").read_text()
    assert "<svg" in run("draw", "m.yaml").stdout


@pytest.mark.parametrize(
    ("pattern", "said"), [("body/inner", "body/inner"), ("inner", "body/inner"), ("end", "end"), ("body", "body")]
)
def test_layers_inside_are_found_by_path_and_by_name(run: Callable[..., Any], pattern: str, said: str) -> None:
    done = run("explain", "m.yaml", pattern, "--format", "json")
    assert done.exit_code == 0
    assert f'"path": "{said}"' in done.stdout
    if pattern != "body":
        assert "y = dot(x, W) + b" in run("explain", "m.yaml", pattern).stdout


@pytest.mark.parametrize("pattern", ["body/inner", "inner", "INNE"])
def test_only_the_layer_that_is_asked_for_is_written_out(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    wanted: list[bool] = []
    real = api.explain

    def kept(*values: Any, layers: Callable[[str], bool], **options: Any) -> Any:
        found = real(*values, layers=layers, **options)
        wanted.extend(layers(path) for path in ("body/inner", "inner", "body", "end"))
        return found

    monkeypatch.setattr(api, "explain", kept)
    assert run("explain", "m.yaml", pattern).exit_code == 0
    assert wanted == [True, False, False, False]


def test_help_names_what_each_setting_of_training_is(run: Callable[..., Any]) -> None:
    for command, front in (("explain", "training"), ("trace", "gradient"), ("verify", "gradient")):
        printed = " ".join(run(command, "--help").stdout.split())
        for what in ("loss", "optimizer"):
            assert f"With --{front}: the {what}, instead of the one that the model was compiled with." in printed


def test_a_shape_that_one_model_of_a_program_refuses_is_left_out_there(run: Callable[..., Any]) -> None:
    done = run("summary", "two.py", "--input", "8,8,3")
    assert done.exit_code == 0
    assert "(None, 6, 6, 2)" in done.stdout
    assert "--input 8,8,3 is left out for the model 'rows'" in done.stderr
    assert "(None, 2)" in done.stdout


def test_a_shape_that_does_not_fit_gives_no_shapes_and_one_that_fits_all() -> None:
    typed = partial(inputs_of, typed=(parse_input("8,8,3"),), option="--input")
    images, rows = (
        layerexplain.read(b"input: [null, null, 3]\nlayers: [Conv2D: {filters: 2, kernel_size: 3}]\n"),
        layerexplain.read(SPEC.encode()),
    )
    shapes = where_they_fit(typed, ["two.py", "two.py"])
    assert (list(shapes(images).values()), shapes(rows)) == ([(8, 8, 3)], {})
    assert where_they_fit(typed, ["a.py", "b.py"]) is typed


def test_an_input_that_the_model_lacks_is_refused_by_the_name_of_the_option(run: Callable[..., Any]) -> None:
    done = run("summary", "m.yaml", "--input", "zz=4")
    assert done.exit_code != 0
    assert "m.yaml: --input zz=…: the model has no input" in done.stderr


def test_a_chain_of_layers_and_sizes_of_axes_reach_the_interface(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    real = api.explain_layer

    def kept(*values: Any, **options: Any) -> Any:
        given.append((values, options))
        return real(*values, **options)

    monkeypatch.setattr(api, "explain_layer", kept)
    done = run("layer", "einops.Rearrange", "b (h w) -> b h w", "h=2", "--input", "6")
    assert done.exit_code == 0, done.output
    assert "(None, 2, 3)" in done.stdout
    done = run("layer", "Dense 3, ReLU", "--input", "6")
    assert "(None, 6) → (None, 3)" in done.stdout
    assert "computes    dense, then re_lu" in done.stdout
    options = {"gradient": False, "input_shape": [(None, 6)], "code": ()}
    assert given == [
        (("einops.Rearrange", {"pattern": "b (h w) -> b h w", "sizes": {"h": 2}}), options),
        (("Pipeline", {"layers": [{"Dense": {"units": 3}}, {"ReLU": {}}]}), options),
    ]


@pytest.mark.keras
def test_a_verified_model_keeps_its_name(run: Callable[..., Any]) -> None:
    done = run("verify", "m.yaml")
    assert done.exit_code == 0
    assert done.stdout.startswith("m · Sequential · m.yaml (yaml-spec)")


def test_answers_come_from_one_process_unless_more_are_asked_for() -> None:
    assert inspect.signature(Answers.__init__).parameters["jobs"].default == 1
    asked: list[str] = []
    assert list(Answers(["a", "b"], lambda one: asked.append(one) or one.upper())) == ["A", "B"]  # type: ignore[func-returns-value]
    assert asked == ["a", "b"]  # in this process
