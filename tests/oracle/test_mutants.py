"""Broken declarations are caught by `verify`, and by values alone: each mutant has the right shapes and weights.

A mutant is a layer's formula, printed, changed in one place and read again in place of what the declaration gives.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from layerexplain.derive.same import same
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.lang.definition import Definition
from layerexplain.lang.text import program
from layerexplain.layers.declaration import Declaration
from layerexplain.network.definitions import DefinitionCache
from layerexplain.network.scope import Scope
from layerexplain.network.trace import trace_at
from layerexplain.ops import load_all
from layerexplain.oracle.keras_files import keras_model_of_layers
from layerexplain.oracle.verify import verify
from tests.support.redefined import redefine
from tests.support.tries import some

load_all()

pytestmark = pytest.mark.keras

SPECS = {
    "dense": "input: [7]\nlayers:\n  - Dense: {units: 5, activation: tanh}\n",
    "conv": "input: [8, 10, 3]\nlayers:\n  - Conv2D: {filters: 5, kernel_size: 3, strides: 2, padding: same}\n",
    "causal": "input: [9, 3]\nlayers:\n  - Conv1D: {filters: 5, kernel_size: 3, padding: causal}\n",
    "transposed": (
        "input: [5, 4, 3]\nlayers:\n  - Conv2DTranspose: {filters: 5, kernel_size: 3, strides: 2, padding: same}\n"
    ),
    "depthwise": "input: [6, 6, 3]\nlayers:\n  - DepthwiseConv2D: {kernel_size: 3, padding: same}\n",
    "separable": "input: [9, 3]\nlayers:\n  - SeparableConv1D: {filters: 5, kernel_size: 3}\n",
    "norm": "input: [4, 5]\nlayers:\n  - BatchNormalization\n",
    "layer_norm": "input: [4, 4]\nlayers:\n  - LayerNormalization\n",
    "group_norm": "input: [5, 4]\nlayers:\n  - GroupNormalization: {groups: 2}\n",
    "pool": "input: [7, 7, 2]\nlayers:\n  - AveragePooling2D: {pool_size: 3, padding: same}\n",
    "max_pool": "input: [7, 7, 2]\nlayers:\n  - MaxPooling2D: {pool_size: 2, padding: same}\n",
    "lstm": (
        "input: {shape: [6], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 11, output_dim: 4, mask_zero: true}\n"
        "  - LSTM: {units: 4, return_sequences: true}\n"
    ),
    "gru": (
        "input: {shape: [6], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 11, output_dim: 4, mask_zero: true}\n"
        "  - GRU: 4\n"
    ),
    "backwards": "input: [6, 4]\nlayers:\n  - SimpleRNN: {units: 4, go_backwards: true}\n",
    "bidirectional": (
        "input: {shape: [6], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 11, output_dim: 4, mask_zero: true}\n"
        "  - Bidirectional: {LSTM: {units: 4, return_sequences: true}}\n"
    ),
    "heads": (
        "inputs: {a: [5, 6], b: [5, 6]}\nlayers:\n"
        "  - MultiHeadAttention: {num_heads: 2, key_dim: 3}\n    from: {query: a, value: b}\n"
    ),
    "attention": (
        "inputs: {a: [5, 6], b: [5, 6]}\nlayers:\n"
        "  - Masking:\n    from: b\n    name: kept\n  - Attention: {use_scale: true}\n    from: [a, kept]\n"
    ),
    "mean": (
        "input: {shape: [6], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 11, output_dim: 4, mask_zero: true}\n"
        "  - GlobalAveragePooling1D\n"
    ),
    "embedding": "input: {shape: [6], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 11, output_dim: 4}\n",
    "permute": "input: [5, 5]\nlayers:\n  - Permute: {dims: [2, 1]}\n",
    "subtract": "inputs: {a: [5], b: [5]}\nlayers:\n  - Subtract:\n    from: [a, b]\n",
    "concatenate": "inputs: {a: [5], b: [5]}\nlayers:\n  - Concatenate:\n    from: [a, b]\n",
    "padding": "input: [5, 3]\nlayers:\n  - ZeroPadding1D: {padding: [1, 2]}\n",
    "cropping": "input: [8, 3]\nlayers:\n  - Cropping1D: {cropping: [1, 2]}\n",
    "prelu": "input: [5]\nlayers:\n  - PReLU\n",
    "steps": "input: [5, 4]\nlayers:\n  - TimeDistributed: {Dense: {units: 3}}\n",
    "upsampling": "input: [4, 4, 2]\nlayers:\n  - UpSampling2D: {size: 2, interpolation: bilinear}\n",
    "repeat": "input: [5]\nlayers:\n  - RepeatVector: 3\n",
}
"""Small models, the mutated layer last in each."""


class Broken:
    """Puts a changed definition in the place of what the declaration of one type gives."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, type_: str, change: Any) -> None:
        declared = DefinitionCache.definition_of
        known: dict[int, Definition] = {}
        kept: list[Definition] = []

        def wrong(definitions: DefinitionCache, scope: Scope, declaration: Declaration, *args: Any) -> Definition:
            right = declared(definitions, scope, declaration, *args)
            if declaration.type != type_:
                return right
            if id(right) not in known:
                known[id(right)] = changed(right, change(program(right)))
                kept.append(right)  # so that no other takes its identity
            return known[id(right)]

        monkeypatch.setattr(DefinitionCache, "definition_of", wrong)


def changed(definition: Definition, text: str) -> Definition:
    """The definition with another formula, and its masks as they are; shapes must not tell them apart."""
    again = redefine(definition, text)
    assert [e.shape for e in again.results.values()] == [e.shape for e in definition.results.values()], text
    return Definition(
        definition.name,
        definition.params,
        definition.weights,
        again.results,
        masks=definition.masks,
        description=definition.description,
        arguments=definition.arguments,
    )


REAL: dict[str, Any] = {}


def real_model(spec: str) -> Any:
    """The Keras model of a spec, built once."""
    if spec not in REAL:
        REAL[spec] = keras_model_of_layers(read(SPECS[spec].encode()))
    return REAL[spec]


@pytest.mark.parametrize("spec", SPECS)
def test_what_is_not_broken_agrees(spec: str) -> None:
    report = verify(real_model(spec), drawn=True)
    assert report.agrees, [check for check in report.layers if check.status != "agrees"]
    assert not report.of("not compared")
    assert report.whole.status == "agrees"


# A sweep: every place of every formula, by rules --------------------------------------------------------------------

RULES = [
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" \* ", " / "),
    (r"\bsigmoid\(", "tanh("),
    (r"\btanh\(", "sigmoid("),
    (r"\b(W|U|b)_i\b(?=[,)])", r"\1_f"),
    (r"\b(W|U|b)_o\b(?=[,)])", r"\1_g"),
    (r"\b(W|U)_z\b(?=[,)])", r"\1_r"),
    (r"_q\b(?=[,)])", "_k"),
    (r"_fwd\b(?=[,)])", "_bwd"),
    (r"reverse\((\w+)\)", r"\1 + 0"),
    (r"\bwhere\(([^,()]+), ([^,()]+), ([^,()]+)\)", r"where(\1, \3, \2)"),
    (r"axis=-1\b", "axis=1"),
    (r"axis=1\b", "axis=-1"),
    (r"0\.001\b", "0.1"),
    (r"\bx\b(?=, W)", "(x * x)"),
    (r"sqrt\(", "exp("),
    (r"\bmean\(", "sum("),
]
EQUIVALENT = (("heads", r"K = .* - b_k"), ("heads", r"K = .* \+ b_q"))
"""Mutants that compute the same: what the key's bias adds to all scores of a query, softmax does not see."""

LEAST = 120
"""So many mutants at least the rules make."""


def mutants_by_rule() -> Iterator[tuple[str, str]]:
    """(model, changed formula) for each place where a rule applies and the shapes stay as they are."""
    for spec, text in SPECS.items():
        model = read(text.encode())
        seen: list[Definition] = []
        network = trace_at(model, linked=True)
        definition = network.calls[-1].definition
        assert definition is not None
        seen.append(definition)
        formula = program(definition)
        for pattern, replacement in RULES:
            for match in re.finditer(pattern, formula, re.MULTILINE):
                mutant = formula[: match.start()] + match.expand(replacement) + formula[match.end() :]
                try:
                    again = redefine(definition, mutant)
                except LayerExplainError:
                    continue
                alike = [again.results[n].shape == e.shape for n, e in definition.results.items()]
                differ = [not same(again.results[n], e) for n, e in definition.results.items()]
                equal = any(spec == where and re.search(how, mutant) for where, how in EQUIVALENT)
                if all(alike) and any(differ) and not equal:
                    yield spec, mutant


def test_mutants_by_rule_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    every = list(mutants_by_rule())
    assert len(every) >= LEAST
    survivors = []
    for spec, formula in some(every):
        with monkeypatch.context() as patch:
            Broken(patch, read(SPECS[spec].encode()).layers[-1].type, lambda _, text=formula: text)
            report = verify(real_model(spec), drawn=True)
            last = report.layers[-1]
            if (
                report.agrees
                or last.status != "differs"
                or not last.output_shapes.agree
                or not last.weight_shapes.agree
            ):
                survivors.append((spec, formula))
    assert not survivors, "\n\n".join(f"{spec}:\n{formula}" for spec, formula in survivors)
