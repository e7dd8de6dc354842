"""Custom layers by formula: their values equal NumPy written out, their shapes, counts and costs those counted by hand."""

import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.derive.cost import Costs
from layerexplain.derive.element.form import element_form
from layerexplain.derive.evaluate import evaluate
from layerexplain.derive.gist import sentence
from layerexplain.derive.same import same_definition
from layerexplain.errors import LayerExplainError, each_of
from layerexplain.frontends.spec.define import read_definitions
from layerexplain.frontends.spec.define_checks import MOST_INSIDE
from layerexplain.frontends.spec.document import read_yaml_spec
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.text import program
from layerexplain.layers.declaration import Declaration, Spec
from tests.support.commands import invoke
from tests.support.own_layer_cases import CASES, B, OwnCase
from tests.support.paths import ROOT
from tests.support.redefined import redefine


def defined(text: str, name: str = "Own") -> Declaration:
    """The declaration of one own layer."""
    return read_definitions(f"define:\n  {name}:\n{indent(text.strip(), '    ')}\n".encode(), "own.yaml")[name]


def traced(case: OwnCase) -> Definition:
    own = defined(case.text)
    specs = [Spec((BATCH, *shape), "float") for shape in case.shapes]
    masks = [Spec((BATCH, case.shapes[0][0]), "bool")] if case.masked else []
    return own.trace(specs, own.bind(case.config, strict=True), masks, training=case.training)


def drawn(definition: Definition) -> tuple[list[Any], list[Any]]:
    """Arrays for the tensors and for the weights of a definition."""
    random = np.random.default_rng(7)
    given = []
    for param in definition.params:
        shape = tuple([B if size is BATCH else size for size in param.shape])
        mask = random.random(shape) < 0.7  # type: ignore[arg-type]
        mask[..., 0] = True
        given.append(mask if param.dtype == "bool" else random.normal(size=shape))  # type: ignore[arg-type]
    return given, [random.normal(size=weight.shape) for weight in definition.weights]  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_values_equal_numpy_written_out(case: OwnCase) -> None:
    definition = traced(case)
    tensors, weights = drawn(definition)
    made = evaluate(definition, tensors, weights)
    by_symbol = {str(leaf.label): array for leaf, array in zip(definition.weights, weights, strict=True)}
    wanted = case.longhand(by_symbol, *tensors)
    for ours, theirs, result in zip(
        made, wanted if isinstance(wanted, tuple) else (wanted,), definition.results.values(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)
        assert tuple([B if size is BATCH else size for size in result.shape]) == theirs.shape


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_parameters_and_costs_are_those_counted_by_hand(case: OwnCase) -> None:
    definition = traced(case)
    assert sum([int(np.prod(weight.shape)) for weight in definition.weights]) == case.params
    assert Costs().cost_of(definition).macs == case.macs


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_text_of_a_traced_definition_parses_to_the_same(case: OwnCase) -> None:
    definition = traced(case)
    assert same_definition(redefine(definition, program(definition)), definition)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_all_that_is_told_of_a_layer_is_told_of_an_own_one(case: OwnCase) -> None:
    definition = traced(case)
    assert element_form(definition) is not None
    assert "{" not in sentence(definition)


def test_weights_of_held_layers_stand_in_the_order_of_the_layers() -> None:
    own = defined("layers: {a: {Dense: 3}, b: {Dense: 2}}\nweights: {g: [1]}\nformula: y = a(b(x)) * g")
    definition = own.trace([Spec((BATCH, 5), "float")], own.bind({}))
    assert [str(leaf.label) for leaf in definition.weights] == ["g", "W_a", "b_a", "W_b", "b_b"]
    assert [leaf.attrs["at"] for leaf in definition.weights] == [(), ("a",), ("a",), ("b",), ("b",)]


# In models --------------------------------------------------------------------------------------------------------

GATE = """
define:
  Gate:
    about: A gate of {units} units.
    arguments: {units: required, scale: 1.0}
    weights: {W: {axes: [inputs, units], name: kernel}, b: units}
    formula: |
      z = dot(x, W) + b
      y = z * sigmoid(scale * z)
"""


def test_a_spec_has_layers_of_its_own() -> None:
    spec = f"{GATE}input: [5]\nlayers:\n  - Gate: 3\n    repeat: 2\n  - TimeDistributed: {{Gate: 2}}\n    from: wide\n"
    spec = spec.replace("input: [5]", "inputs: {x: [5], wide: [4, 7]}").replace("repeat: 2", "repeat: 2\n    from: x")
    report = layerexplain.explain(spec.encode())
    rows = {row.layer: row for row in report.layers}
    assert [(row.type, row.params) for row in report.layers[2:]] == [
        ("Gate", 18),
        ("Gate", 12),
        ("TimeDistributed", 16),
    ]
    assert rows["gate"].operation == "z * sigmoid(1.0 * z)"
    assert rows["gate"].explanation is not None
    assert rows["gate"].explanation.sentence == "A gate of 3 units."
    assert rows["time_distributed"].output_shapes == ((None, 4, 2),)


def test_an_own_layer_is_found_before_one_of_keras() -> None:
    spec = b"define:\n  Dense:\n    formula: y = x + 1\ninput: [4]\nlayers:\n  - Dense\n  - Sequential: [Dense]\n"
    report = layerexplain.explain(spec)
    assert [row.operation for row in report.layers[1:]] == ["x + 1", "sequential(x), 1 layer"]
    assert report.layers[2].layers[-1].operation == "x + 1"


def test_a_mask_goes_as_far_as_the_definition_says() -> None:
    for rule, mask in (("pass", "embedding"), ("stop", None)):
        spec = f"""
define:
  Own: {{formula: y = x * 2, mask: {rule}}}
input: {{shape: [5], dtype: int32}}
layers: [Embedding: {{input_dim: 9, output_dim: 3, mask_zero: true}}, Own, LSTM: 4]
"""
        assert layerexplain.explain(spec.encode()).layers[3].calls[0].mask == mask


def test_values_of_a_spec_are_traced(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"{GATE}input: [5]\nlayers:\n  - Gate: 3\n")
    made = layerexplain.trace(path, np.ones((2, 5), "float32"))
    assert made.outputs[0].shape == (2, 3)


# Faults -----------------------------------------------------------------------------------------------------------


def faults_of(text: str) -> list[str]:
    try:
        read_definitions(text.encode(), "own.yaml")
    except LayerExplainError as error:
        return [f"{one.line}: {one.fact}" for one in each_of(error)]
    return []


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("formula: y = rleu(x)", 3, "there is no function 'rleu'; did you mean 'relu'?"),
        ("formula: |\n  z = x\n\n  y = z + q", 6, "'q' is not defined"),
        ("formula: |\n  z = x\n  y = z +* 2", 5, "not a valid formula"),
        ("formula: y = x.shape", 3, "attribute access is not part of the formula language"),
        ("arguments: {units: required}\nweights: {W: [inputs, unts]}\nformula: y = dot(x, W)", 4, "nothing defines 'unts'"),
        ("weights: {W: [inputs, 4], V: [3]}\nformula: y = dot(x, W)", 3, "does not use the weight V"),
        ("weights: {W: {axes: [inputs], trainabel: false}}\nformula: y = x * W", 3, "did you mean 'trainable'?"),
        ("weights: {W: {axes: [inputs], trainable: 3}}\nformula: y = x * W", 3, "true or false is needed"),
        ("weights: {W: }\nformula: y = x * W", 3, "the weight W has no axes"),
        ("weights: {W: ['inputs +']}\nformula: y = x * W", 3, "not a valid formula"),
        ("weights: {W: [dot(inputs)]}\nformula: y = x * W", 3, "a size is made of numbers, names and"),
        ("weights: {relu: [inputs]}\nformula: y = x * relu", 3, "is a reserved name"),
        ("weights: {x: [inputs]}\nformula: y = x", 3, "'x' in `weights` is a name already"),
        ("wieghts: {W: [3]}\nformula: y = x", 3, "did you mean 'weights'?"),
        ("about: Has {unitz}.\nformula: y = x", 3, "which is not defined"),
        ("inputs: {x: [a, ..., ...]}\nformula: y = x", 3, "has ... twice"),
        ("inputs: {x: [a], c: [b]}\nformula: y = x", 3, "does not use the input c"),
        ("inputs: {c: {axes: [a], optional: true}, x: [b]}\nformula: y = x + c", 3, "comes after an optional one; write it first"),
        ("layers: {f: {Dens: 3}}\nformula: y = f(x)", 3, "did you mean 'Dense'?"),
        ("layers: {f: {Dense: {unit: 3}}}\nformula: y = f(x)", 3, "Dense has no argument 'unit'"),
        ("layers: {f: {Dense: {units: 0}}}\nformula: y = f(x)", 3, "Dense needs units to be an integer ≥ 1"),
        ("layers: {f: {Dense: 3}}\nformula: y = x", 3, "does not use the layer f"),
        ("layers: {f: {Sequential: [{Dense: 3}]}}\nformula: y = f(x)", 3, "'f' is a model"),
        ("layers: {f: {Own: {}}}\nformula: y = f(x)", 2, "Own contains itself (Own → Own)"),
        ("results: [z]\nformula: y = x", 3, "the result 'z' is not assigned"),
        ("mask: on\nformula: y = x", 3, "`pass` passes the mask on"),
        ("arguments: {units: -3}\nweights: {W: [inputs, units]}\nformula: y = dot(x, W)", 3, "an integer ≥ 1"),
        ("arguments: {k: 3}\nformula: y = k(x)", 3, "the name of a Keras activation"),
        ("weights: {W: [3]}", 3, "no `formula:`"),
        ("formula: [y, x]", 3, "a `formula` that is a list"),
        ("formula: |\n  x = 3\n  y = x", 4, "'x' is assigned, but is already a name of the layer"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_before_shapes_are_known(body: str, line: int, words: str) -> None:
    found = faults_of(f"define:\n  Own:\n{indent(body, '    ')}\n")
    assert len(found) == 1 and found[0].startswith(f"{line}: ") and words in found[0], found


def test_all_independent_faults_are_told_in_one_run() -> None:
    text = """
define:
  A:
    weights: {W: [inputs, k]}
    formula: y = dott(x, W)
  B: {layers: {c: {C: {}}}, formula: y = c(x)}
  C: {layers: {b: {B: {}}}, formula: y = b(x)}
  9D: y = x
"""
    found = faults_of(text)
    assert [one.partition(":")[0] for one in found] == ["4", "5", "6", "8"]
    assert "(B → C → B)" in found[2]


@pytest.mark.parametrize(
    ("body", "config", "shapes", "words"),
    [
        ("weights: {W: [3, 4]}\nformula: |\n  z = x\n  y = dot(z, W)", {}, [(5,)], "in own.yaml:6: dot needs the last axis"),
        ("inputs: {x: [a, b]}\nformula: y = x", {}, [(5,)], "Own needs x with the axes (batch, a, b), got (None, 5)"),
        ("inputs: {x: [a], c: [a]}\nformula: y = x + c", {}, [(5,), (4,)], "Own needs a to be 5, got 4 in c"),
        ("arguments: {a: 3}\ninputs: {x: [a]}\nformula: y = x * a", {}, [(5,)], "Own needs a to be 3, got 5 in x"),
        ("arguments: {k: required}\nweights: {W: [inputs // k]}\nformula: y = W", {"k": 9}, [(5,)], "got 0"),
        ("weights: {W: [inputs * 10 ** 18]}\nformula: y = W", {}, [(5,)], "Own needs the size of W"),
        ("weights: {W: [inputs * 999999999999999999]}\nformula: y = W", {}, [(5,)], "an integer from 1 to 10**18"),
        ("weights: {W: [inputs]}\nformula: y = x * W", {}, [(None,)], "give that axis of the input a fixed size"),
        ("formula: y = where(mask[..., None], x, 0)", {}, [(5, 3)], "the formula uses mask, which this call does not have"),
        ("inputs: {x: [a], c: {axes: [b], optional: true}}\nformula: y = x + c", {}, [(5,)], "choose by it: a if c else b"),
        ("formula: y = x if x + 1 else 0", {}, [(5,)], "a condition is made of arguments"),
        ("formula: y = 1 if dot(x, x) else 0", {}, [(5,)], "a condition is made of arguments"),
        ("layers: {f: {Dense: 3}}\nformula: y = f(f(x))", {}, [(5,)], "every call of f needs tensors that fit the same"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_the_place(body: str, config: Any, shapes: Any, words: str) -> None:
    own = defined(body)
    with pytest.raises(LayerExplainError, match=re.escape(words)):
        own.trace([Spec((BATCH, *shape), "float") for shape in shapes], own.bind(config))


def test_what_is_wrong_in_use_is_told_at_the_layer(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"{GATE}input: [5]\nlayers:\n  - Gate\n  - Gate: {{units: 3, scal: 2}}\n  - Gat: 3\n")
    found = read_yaml_spec(path.read_bytes(), str(path)).faults
    assert [(one.line, one.fact.partition(";")[0]) for one in found] == [
        (12, "Gate needs 'units': an integer ≥ 1"),
        (13, "Gate has no argument 'scal', did you mean 'scale'? It takes units, scale"),
        (14, "unknown layer type 'Gat'"),
    ]


def test_layers_that_hold_layers_without_end_are_refused() -> None:
    steps = [
        f"  L{i}: {{layers: {{a: {{L{i - 1}: {{}}}}, b: {{L{i - 1}: {{}}}}}}, formula: y = a(b(x))}}"
        for i in range(1, 60)
    ]
    found = faults_of("\n".join(["define:", "  L0: {formula: y = x}", *steps]))
    assert len(found) == 1 and f"up to {MOST_INSIDE} are explained" in found[0], found


# --code -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def gates(tmp_path: Path) -> str:
    path = tmp_path / "gates.yaml"
    path.write_text(GATE)
    return str(path)


def test_a_layer_of_a_file_is_explained_alone(gates: str) -> None:
    made = invoke("layer", "Gate", "units=4", "--code", gates, "--input", "8")
    assert made.exit_code == 0, made.output
    assert "gate · Gate  (None, 8) → (None, 4)" in made.output and "36 parameters" in made.output
    listed = invoke("layer", "--code", gates)
    assert [line.split() for line in listed.output.splitlines()[:2]] == [["own"], ["Gate"]]
    assert invoke("layer", "Gate", "--code", gates).exit_code == 0
    assert "Gate needs 'units'" in invoke("layer", "Gate", "scale=2", "--code", gates, "--input", "8").output
    assert "did you mean 'Gate'?" in invoke("layer", "Gat", "--code", gates, "--input", "8").output


@pytest.mark.parametrize(
    "command",
    [["summary"], ["explain"], ["weights"], ["check"], ["trace"], ["diff", "{spec}"]],
    ids=lambda words: words[0],
)
def test_every_command_takes_the_file(command: Sequence[str], gates: str, tmp_path: Path) -> None:
    spec = tmp_path / "m.yaml"
    spec.write_text("input: [5]\nlayers:\n  - Gate: 3\n")
    words = [word.format(spec=spec) for word in command]
    made = invoke(*words, str(spec), "--code", gates)
    assert made.exit_code == 0, made.output
    assert "unknown layer type 'Gate'" in invoke(*words, str(spec)).output


def test_a_file_at_fault_ends_the_command(tmp_path: Path, gates: str) -> None:
    spec = tmp_path / "m.yaml"
    spec.write_text("input: [5]\nlayers:\n  - Dense: 3\n")
    bad = tmp_path / "bad.yaml"
    bad.write_text("define:\n  A: y = rleu(x)\n  B: y = z\n")
    made = invoke("summary", str(spec), "--code", str(bad))
    assert made.exit_code == 1
    assert made.output.splitlines() == [
        f"layerexplain: error: {bad}:2: A: there is no function 'rleu'; did you mean 'relu'?",
        f"layerexplain: error: {bad}:3: B: 'z' is not defined",
    ]
    for given, words in (
        (str(tmp_path / "no"), "no such file"),
        (str(tmp_path), "holds no Python file with a class"),
        (str(spec), "`define:`"),
    ):
        made = invoke("summary", str(spec), "--code", given)
        assert made.exit_code == 1 and words in made.output
    assert "defines 'Gate', which" in invoke("summary", str(spec), "--code", gates, "--code", gates).output


def test_the_page_on_specs_tells_what_is_said_of_own_layers() -> None:
    page = (ROOT / "docs" / "spec.md").read_text("utf-8").partition("mistakes of custom layers")[2]
    rows = re.findall(r"^\| `(.*?)` \| `(.*?)` \|$", page, re.MULTILINE)
    assert len(rows) >= 4
    for written, reported in rows:
        rest = (
            ""
            if written.startswith("formula")
            else "\n    formula: y = dot(x, W)"
            if "W" in written
            else "\n    formula: y = x"
        )
        (found,) = faults_of(f"define:\n  Own:\n    arguments: {{units: 3}}\n    {written}{rest}\n")
        assert found.partition(": Own: ")[2] == reported
