"""What is typed at the command line: shapes, arguments, columns, layer patterns; and what is said of mistakes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from layerexplain import api
from layerexplain.cli.arguments import parse_arguments, parse_value
from layerexplain.cli.main import COMMANDS, program
from layerexplain.cli.options import Renamed
from layerexplain.cli.source_arguments import InputShape, parse_input
from layerexplain.errors import ArgumentError
from layerexplain.frontends.input_shapes import parse_shape
from layerexplain.model import Model, Shape, TensorRef
from tests.support import program_on_reports
from tests.support.commands import invoke
from tests.support.paths import ROOT

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the program on the sources of reports.py, in this process."""
    monkeypatch.setattr(api, "explain", program_on_reports.explain)
    for variable in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)

    def runner(*arguments: str, input: str | None = None, **environment: str) -> Result:
        return invoke(*arguments, input=input, **environment)

    return runner


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("784", (784,)),
        ("224,224,3", (224, 224, 3)),
        ("28x28x1", (28, 28, 1)),
        ("28×28", (28, 28)),
        ("28 X 28", (28, 28)),
        ("None,3", (None, 3)),
        ("?x3", (None, 3)),
        ("none", (None,)),
        ("null,784", (None, 784)),
        ("(28, 28, 1)", (28, 28, 1)),
        ("(784,)", (784,)),
        ("[2, 3]", (2, 3)),
        ("()", ()),
        ("", None),
        ("-1", None),
        ("3,", None),
        ("3,,4", None),
        ("3.5", None),
        ("abc", ("abc",)),
        ("(3", None),
        ("9" * 5000, None),
        ("٣", (3,)),
    ],
)
def test_shapes(text: str, shape: Shape | None) -> None:
    assert parse_shape(text) == shape


def test_named_shapes() -> None:
    assert parse_input("tokens=128") == InputShape("tokens", (128,))
    assert parse_input("a=b=2,3") == InputShape("a=b", (2, 3))
    assert parse_input("5") == InputShape(None, (5,))
    for wrong in ("tokens=", "=128", "tokens=3.5"):
        with pytest.raises(click.BadParameter, match="is not of the form \\[NAME=\\]SHAPE; write 224,224,3"):
            parse_input(wrong)


def model(*inputs: str) -> Model:
    return Model("m", "Functional", (), (), tuple(TensorRef(name) for name in inputs), ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512", 512),
        ("-1", -1),
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ("1.", 1.0),
        ("relu", "relu"),
        ("true", True),
        ("False", False),
        ("None", None),
        ("null", None),
        ("off", "off"),
        ("3,3", (3, 3)),
        ("3x3", (3, 3)),
        ("(3, 3)", (3, 3)),
        ("[3, 3]", [3, 3]),
        ("(3,)", (3,)),
        ("3,", (3,)),
        ("[]", []),
        ("((1, 1), (2, 2))", ((1, 1), (2, 2))),
        ("'true'", "true"),
        ('"a, b"', "a, b"),
        ("{LSTM: {units: 16}}", {"LSTM": {"units": 16}}),
        ('{"LSTM": {"units": 16, "return_sequences": true}}', {"LSTM": {"units": 16, "return_sequences": True}}),
        ("{}", {}),
        ("[{LSTM: 3}, {GRU: {units: 4}}]", [{"LSTM": 3}, {"GRU": {"units": 4}}]),
        ("bqd,bkd->bqk", "bqd,bkd->bqk"),
        ("'bqd,bkd->bqk'", "bqd,bkd->bqk"),
        ("nan", "nan"),
        ("1" * 30, "1" * 30),
    ],
)
def test_values(text: str, value: Any) -> None:
    parsed = parse_value(text, "a")
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(3, 3", "a=(3, 3: '[)]' is missing at the end"),
        ("'open", "the quote at column 1 is not closed"),
        ("(3 3)", "a ',' is missing before '3'"),
        ("{units 3}", "a ':' is missing after 'units'"),
        ("{: 3}", "a name is missing before ':'"),
        ("(3]", "']'"),
        ("(,)", "',' is not expected here"),
        ("{a: ", "'}' is missing at the end"),
        ("[" * 40, "'\\[' is not expected here"),
    ],
)
def test_wrong_values(text: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message.replace("a=(3, 3", "a=\\(3, 3")):
        parse_value(text, "a")


def test_arguments() -> None:
    assert parse_arguments(["units=512", "activation=relu"]) == {"units": 512, "activation": "relu"}
    assert parse_arguments(["equation='a=b'"]) == {"equation": "a=b"}
    for wrong, message in [
        (["512"], "'512' is not of the form ARG=VALUE"),
        (["=5"], "ARG=VALUE"),
        (["a=1", "a=2"], "given twice"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            parse_arguments(wrong)


def test_names_with_brackets_are_names_and_patterns_too(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(
        "input: [7]\nlayers:\n  - Dense: 3\n    name: 'a[0]'\n"
        "  - Sequential:\n      - Dense: 2\n        name: 'b[1]'\n    name: box\n  - Dense: 4\n    name: ab\n"
    )
    expected = {
        "a[0]": ["a[0]"],
        "b[1]": ["box/b[1]"],
        "box/b[1]": ["box/b[1]"],
        "a?": ["ab"],
        "a[b]": ["ab"],
        "*[[]*": ["a[0]", "box/b[1]"],
        "box": ["box"],
    }
    for pattern, paths in expected.items():
        found = invoke("explain", file, pattern).stdout
        assert re.findall(r"^(\S+) · ", found, re.MULTILINE) == paths, pattern


def test_only_the_layers_that_are_asked_for_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    explained = []

    def spied(*arguments: Any, **options: Any) -> api.Report:
        report = explain(*arguments, **options)
        explained.extend([row.layer for row in report.layers if row.explanation is not None])
        return report

    explain = api.explain
    monkeypatch.setattr(api, "explain", spied)
    digits = ROOT / "sample_models" / "digits.keras"
    found = invoke("explain", digits, "strokes_*")
    assert found.exit_code == 0
    assert explained == ["strokes_norm", "strokes_relu"]


@pytest.mark.parametrize("type", ["MultiHeadAttention num_heads=2 key_dim=4", "Attention"])
def test_one_input_of_attention_is_query_and_value(type: str) -> None:
    once = invoke("layer", *type.split(), "--input", "5,6")
    twice = invoke("layer", *type.split(), "--input", "5,6", "--input", "5,6")
    assert (once.exit_code, once.stdout) == (0, twice.stdout)
    assert "query and value are the same tensor, as in self-attention" in once.stderr and not twice.stderr


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_every_command_has_help_with_examples_that_any_terminal_can_print(
    run: Run, command: str | None, option: str
) -> None:
    result = run(*([command] if command else []), option)
    assert result.exit_code == 0
    assert "layerexplain " in result.stdout.split("Options:")[0].split("\n\n", 1)[1]
    result.stdout.encode("ascii")


def test_output_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    result = run("summary", "cnn", "--output", str(file), FORCE_COLOR="1")
    assert (result.exit_code, result.stdout) == (0, "")
    assert file.read_bytes().decode("utf-8") == run("summary", "cnn").stdout
    assert list(tmp_path.iterdir()) == [file]
    before = file.read_bytes()
    assert run("summary", "missing", "--output", str(file)).exit_code == 1
    assert file.read_bytes() == before, "nothing to write: the file stays"
    file.chmod(0o640)
    assert run("summary", "lstm", "-o", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o640
    assert run("summary", "lstm", "--output", "-").stdout == file.read_text("utf-8")


def test_an_interrupt_leaves_the_output_file_as_it_was(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    file.write_text("old")
    assert run("summary", "cnn", "interrupt", "--output", str(file)).exit_code == 130
    assert [(one, one.read_text()) for one in tmp_path.iterdir()] == [(file, "old")]


def test_a_name_of_the_past_still_works_and_no_help_has_it() -> None:
    context = click.Context(program)
    commands = [command for name in COMMANDS if (command := program.get_command(context, name)) is not None]
    renamed = [
        (command, option, former)
        for command in commands
        for option in command.params
        if isinstance(option, Renamed)
        for former in option.formerly
    ]
    assert {former for _, _, former in renamed} >= {"--to", "--size", "--force", "--weights", "--optimizer"}
    for command, option, former in renamed:
        words = [former] if option.is_flag else [former, "7"]
        parsed = command.make_parser(click.Context(command)).parse_args(words)[0]
        assert option.name in parsed and former not in command.get_help(click.Context(command)).split()


def test_a_part_of_a_name_searches_among_the_types() -> None:
    found = invoke("layer", "pool").output
    assert "nn.MaxPool2d" in found and "Dense" not in found and "Takes the maximum of each" in found
