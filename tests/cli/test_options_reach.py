"""What each option of a command becomes of the call of the interface that the command makes, and nothing else changes.

The functions of the interface are exchanged for one that keeps what it is given, and ends the command with an error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from layerexplain import api
from layerexplain.cli.main import program
from layerexplain.errors import LayerExplainError

SPEC = "name: m\ninputs: {a: [null], b: [3]}\nlayers:\n  - Dense: 5\n    name: first\n    from: b\n  - Dense: 3\n    name: second\n"
FILES = {
    "m.yaml": SPEC, "n.yaml": SPEC, "words.txt": "the\ncat\n", "ms.json": '{"first": 3}',
    **{f"{name}.yaml": f"define:\n  {name.title()}:\n    formula: y = x\n" for name in ("own", "more")},
}  # fmt: skip
BASE = {
    "summary": ("m.yaml", "explain", {
        "inputs": {}, "detail": False, "receptive_field": False, "backward": False, "batch": None, "optimizer": None,
        "dtype": None, "weights_dtype": None, "hardware": None, "code": (), "partial": True}),
    "explain": ("m.yaml", "explain", {
        "inputs": {}, "gradient": False, "layers": ["a", "b", "first", "second"], "training": False, "backward": False, "code": (),
        "partial": True}),
    "check": ("m.yaml", "check", {
        "inputs": {}, "code": (), "select": (), "ignore": (), "budgets": {}, "weights": False, "data": {}, "run": False, "seed": 0}),
    "weights": ("m.yaml", "list_weights", {"stats": False, "inputs": {}, "code": (), "progress": None}),
    "verify": ("m.yaml", "verify", {
        "inputs": {}, "tolerance": 1e-4, "seed": 0, "drawn": False, "code": (), "gradient": False, "training": None,
        "progress": None, "run_code": False}),
    "diff": ("m.yaml n.yaml", "diff", {"inputs": {}, "code": (), "weights": False}),
    "convert": ("m.yaml out.py", "convert", {
        "to": None, "force": False, "inputs": {}, "code": (), "weights": None, "backend": None}),
    "trace": ("m.yaml", "trace_statistics", {
        "seed": 0, "max_memory": None, "progress": None, "partial": False, "layers": None, "save": None}),
    "trace --at": ("m.yaml first --at 0,1", "trace_element", {
        "seed": 0, "max_memory": None, "progress": None, "output": 0, "call": 0, "keras": False}),
    "trace --gradient": ("m.yaml --gradient", "gradient_statistics", {
        "seed": 0, "max_memory": None, "progress": None, "partial": False, "layers": None, "save": None, "step": False,
        "loss": None, "optimizer": None, "training": True}),
    "trace --gradient --at": ("m.yaml first --gradient --at 0,1", "gradient_element", {
        "seed": 0, "max_memory": None, "progress": None, "of": "", "call": 0, "keras": False, "loss": None, "optimizer": None,
        "training": True}),
    "page": ("m.yaml", "explain", {"gradient": False, "inputs": {}, "code": (), "partial": True}),
    "page --vs": ("m.yaml --vs n.yaml", "page", {"gradient": False, "inputs": {}, "code": (), "vs": "n.yaml", "fold": True}),
    "page --input": ("m.yaml --input random", "page", {
        "gradient": False, "inputs": {}, "code": (), "fold": True, "values": ["a", "b"], "layers": None, "max_values": None,
        "weights": "half", "labels": (), "vocabulary": (), "overlay": None}),
    "draw": ("m.yaml", "explain", {"inputs": {}, "detail": False, "code": (), "partial": True}),
    "layer": ("Dense 3 --input 5", "explain_layer", {"gradient": False, "input_shape": [(None, 5)], "code": ()}),
}  # fmt: skip
"""Command → its arguments, the function that it calls, and what that is given without options."""
TRAINED = {"loss": {"mse": {}}, "optimizer": {"SGD": {"momentum": 0.9, "nesterov": True}}}

ROWS: list[tuple[str, str, dict[str, Any]]] = [
    *[(command, "--input b=7 --input 5", {"inputs": {"b": (7,), "a": (5,)}}) for command in ("summary", "explain", "check", "weights", "verify", "diff", "convert", "draw", "page")],
    *[(command, "--code own.yaml --code more.yaml", {"code": ("own.yaml", "more.yaml")})
      for command in ("summary", "explain", "check", "weights", "verify", "diff", "convert", "draw", "page", "page --vs", "page --input", "layer")],
    *[(command, "--gradient", {"gradient": True}) for command in ("page", "page --vs", "page --input", "layer")],
    *[(command, "--seed 7", {"seed": 7}) for command in ("check", "verify", "trace", "trace --at", "trace --gradient", "trace --gradient --at")],
    *[(command, "--no-fold", {"fold": False}) for command in ("page --vs", "page --input")],
    ("summary", "--training", {"backward": True}), ("summary", "--columns receptive_field", {"receptive_field": True}),
    ("summary", "--columns layer,backward_macs", {"backward": True}), ("summary", "--columns layer,params", {}), ("summary", "--nested", {}),
    ("summary", "--batch 13", {"batch": 13}), ("summary", "--optimizer adam", {"optimizer": "adam"}), ("summary", "--optimizer ADAM", {"optimizer": "adam"}),
    ("summary", "--dtype bf16 --weights-dtype int4 --hardware 80GB", {"dtype": "bf16", "weights_dtype": "int4", "hardware": "80GB"}),
    ("explain", "--gradient", {"gradient": True, "backward": True}), ("explain", "--training", {"training": {}, "backward": True}),
    ("explain", "--training --loss mse --optimizer SGD momentum=0.9 nesterov=true", {"training": TRAINED, "backward": True}),
    ("explain", "--training --loss first=mse --loss second=Huber delta=2", {"training": {"loss": {"first": {"mse": {}}, "second": {"Huber": {"delta": 2}}}}, "backward": True}),
    ("explain", "first", {"layers": ["first"]}), ("explain", "Dense", {"layers": ["first", "second"]}), ("explain", "-1", {"layers": ["second"]}), ("explain", "--full", {}),
    ("check", "--select dead-units,equal-layers --select one-step", {"select": ("dead-units", "equal-layers", "one-step")}), ("check", "--ignore dead-units,", {"ignore": ("dead-units",)}),
    ("check", "--max params=5e6,memory=2MB --max macs=7", {"budgets": {"params": 5e6, "memory": 2e6, "macs": 7.0}}),
    ("check", "--weights --run", {"weights": True, "run": True}), ("check", "--data X=7,3 --data y=y.npy", {"data": {"X": (7, 3), "y": "y.npy"}}),
    ("weights", "--stats", {"stats": True}), ("weights", "--state", {}),
    ("verify", "--tolerance 0.01 --drawn-weights --run-code", {"tolerance": 0.01, "drawn": True, "run_code": True}),
    ("verify", "--gradient --loss mse --optimizer SGD momentum=0.9 nesterov=true", {"gradient": True, "training": TRAINED}), ("verify", "--gradient", {"gradient": True}),
    ("diff", "--weights", {"weights": True}),
    ("convert", "--to yaml --force --weights w.h5 --backend theano", {"to": "yaml", "force": True, "weights": "w.h5", "backend": "theano"}),
    ("trace", "first sec*", {"layers": ("first", "sec*")}), ("trace", "--partial --save a.npz", {"partial": True, "save": "a.npz"}),
    ("trace", "--max-memory 0.5", {"max_memory": 500_000_000}), ("trace --at", "--max-memory 2MiB", {"max_memory": 2 << 20}),
    ("trace --at", "--call 3 --result 2 --keras", {"call": 3, "output": 2, "keras": True}), ("trace --at", "--no-keras --terms 3", {"keras": False}),
    ("trace --gradient", "--step --inference --loss mse --optimizer SGD momentum=0.9 nesterov=true", {"step": True, "training": False, **TRAINED}),
    ("trace --gradient", "--partial --save a.npz", {"partial": True, "save": "a.npz"}), ("trace --gradient --at", "--call 2 --inference", {"call": 2, "training": False}),
    ("page --input", "--values first --values s* --max-values 3", {"layers": ("first", "s*"), "max_values": 3_000_000}), ("page --input", "--max-values 5kB", {"max_values": 5_000}),
    ("page --input", "--weights none --labels words.txt", {"weights": "none", "labels": ("the", "cat")}), ("page --input", "--vocabulary words.txt", {"vocabulary": ("the", "cat")}),
    ("page --input", "--overlay ms.json", {"overlay": {"title": "ms", "values": {"first": 3}}}),
    ("page --input", "--input b=7", {"inputs": {"b": (7,)}}), ("draw", "--depth 3 --show type", {}),
    ("layer", "activation=relu", {}), ("layer", "--input None,7", {"input_shape": [(None, 5), (None, 7)]}),
]  # fmt: skip
POSITIONAL: list[tuple[str, str, tuple[Any, ...]]] = [
    # Positional arguments of the call: the source, the inputs, the position of an element.
    ("summary", "", ("m.yaml",)), ("diff", "", ("m.yaml", "n.yaml")), ("convert", "", ("m.yaml", "out.py")), ("weights", "", ("m.yaml",)),
    ("trace", "", ("m.yaml", "model", ("inputs",))), ("trace --at", "", ("m.yaml", "model", ("inputs",), "first", (0, 1))),
    ("trace --gradient", "--target random --target b=zeros", ("m.yaml", "model", ("inputs",), ("random", "b=zeros"))),
    ("trace --gradient --at", "--target random", ("m.yaml", "model", ("inputs",), "first", (0, 1), ("random",))),
    ("layer", "activation=relu", ("Dense", {"units": 3, "activation": "relu"})), ("page --vs", "", ("m.yaml",)), ("page --input", "", ("m.yaml",)),
]  # fmt: skip
MADE = [
    # What `make_inputs` is asked for.
    (
        "trace",
        "--input zeros --input b=ones --size 7 --batch 3",
        (("zeros", "b=ones"), {"sizes": {"a": (7,)}, "batch": 3, "max_memory": None}),
    ),
    ("trace", "", ((), {"sizes": {}, "batch": 1, "max_memory": None})),
    ("trace --gradient", "--max-memory 1", ((), {"sizes": {}, "batch": 32, "max_memory": 1_000_000_000})),
    ("trace --gradient", "--batch 5", ((), {"sizes": {}, "batch": 5, "max_memory": None})),
    ("page --input", "--input 7", (["random"], {"sizes": {"a": (7,)}})),
]


class Kept(LayerExplainError):
    """What ends a command whose call was kept."""


@pytest.fixture
def called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], tuple[str, tuple[Any, ...], dict[str, Any], Any]]:
    """Run a command with options; return the function that it called, its arguments, and what the inputs came from."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    found: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
    given_inputs: list[Any] = []
    model = api.read(SPEC.encode())

    def plain(name: str, value: Any) -> Any:
        if name == "inputs" or name == "sizes":
            return dict(value(model)) if callable(value) else value
        if name == "layers" and callable(value):
            return [layer.name for layer in model.layers if value(layer.name)]
        return value

    def keep(function: str) -> Callable[..., Any]:
        def kept(*given: Any, **named: Any) -> Any:
            found.append((function, given, {name: plain(name, value) for name, value in named.items()}))
            raise Kept("kept")

        return kept

    def make_inputs(of: Any, values: Any, **named: Any) -> Any:
        given_inputs.append((values, {name: plain(name, value) for name, value in named.items()}))
        return ["a", "b"]

    def run(command: str, options: str) -> Any:
        arguments, function, _ = BASE[command]
        monkeypatch.setattr(api, function, keep(function))
        monkeypatch.setattr(api, "make_inputs", make_inputs)
        monkeypatch.setattr("layerexplain.model.Model.on", lambda self, arrays: self)
        if command.startswith("trace"):
            monkeypatch.setattr(api, "make_inputs", lambda *given, **named: make_inputs(*given, **named) and ())
        result = CliRunner().invoke(
            program, f"{command.partition(' ')[0]} {arguments} {options}", prog_name="layerexplain"
        )
        assert found, result.output
        function, given, named = found[0]
        return function, given, named, given_inputs[0] if given_inputs else None

    return run


def shown(value: Any) -> Any:
    """A value, or a word for what is no plain value."""
    if isinstance(value, api.Model):
        return "model"
    return ("inputs",) if value == () else str(value) if isinstance(value, Path) else value


@pytest.mark.parametrize("command", BASE)
def test_a_command_without_options_asks_for_the_usual(command: str, called: Any) -> None:
    _, function, usual = BASE[command]
    assert called(command, "")[0::2][:2] == (function, usual)


@pytest.mark.parametrize(
    ("command", "options", "changed"), ROWS, ids=[f"{command} {options}" for command, options, _ in ROWS]
)
def test_an_option_changes_what_it_says_alone(command: str, options: str, changed: dict[str, Any], called: Any) -> None:
    _, _, named, _ = called(command, options)
    assert named == {**BASE[command][2], **changed}


@pytest.mark.parametrize(
    ("command", "options", "first"), POSITIONAL, ids=[f"{command} {options}" for command, options, _ in POSITIONAL]
)
def test_what_a_command_gives_in_front(command: str, options: str, first: tuple[Any, ...], called: Any) -> None:
    _, given, _, _ = called(command, options)
    assert tuple(map(shown, given)) == first


@pytest.mark.parametrize(("command", "options", "asked"), MADE)
def test_which_inputs_a_command_makes(command: str, options: str, asked: Any, called: Any) -> None:
    assert called(command, options)[3] == asked
