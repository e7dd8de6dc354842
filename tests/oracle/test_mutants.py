"""Broken declarations are caught by `verify`, and by values alone: each mutant has the right shapes and weights.

A mutant is a layer's formula, printed, changed in one place and read again in place of what the declaration gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.lang.definition import Definition
from layerexplain.lang.text import program
from layerexplain.layers.declaration import Declaration
from layerexplain.network.definitions import DefinitionCache
from layerexplain.network.scope import Scope
from layerexplain.network.trace import trace_at
from layerexplain.ops import load_all
from layerexplain.oracle.to_keras import to_keras
from layerexplain.oracle.verify import verify
from layerexplain.oracle.verify_report import VerifyReport
from tests.support.redefined import redefine
from tests.support.same import same

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


class Mutant(NamedTuple):
    """What is broken, in which model, and how: a pattern in the layer's formula and what stands there instead."""

    fault: str
    spec: str
    pattern: str
    replacement: str


MUTANTS = [
    Mutant("the bias is dropped", "dense", r" \+ b", ""),
    Mutant("a sign", "dense", r" \+ b", " - b"),
    Mutant("the activation is another", "dense", "tanh", "sigmoid"),
    Mutant("the bias is dropped", "conv", r" \+ b", ""),
    Mutant(
        "the odd row of padding stands in front", "conv",
        r"conv\(x, W, strides=2, padding='same'\)",
        "conv(pad(x, pads=((0, 0), (1, 0), (1, 0), (0, 0))), W, strides=2)",
    ),
    Mutant(
        "padding on both sides in place of the front", "causal", r"padding='causal'", "padding='same'",
    ),
    Mutant("the bias is subtracted", "transposed", r" \+ b", " - b"),
    Mutant(
        "the padding is cut off at the other end", "transposed",
        r"conv_transpose\(x, W, strides=2, padding='same'\)",
        "conv_transpose(x, W, strides=2, padding='valid')[:, 1:, 1:]",
    ),
    Mutant("the input is upside down", "depthwise", r"\(x, ", "(reverse(x), "),
    Mutant("the bias is dropped", "separable", r" \+ b", ""),
    Mutant("the moving mean is ignored", "norm", r"\(x - μ\)", "x"),
    Mutant("the moving variance is ignored", "norm", r" / sqrt\(v \+ 0\.001\)", ""),
    Mutant("no root of the variance", "norm", r"sqrt\(v \+ 0\.001\)", "(v + 0.001)"),
    Mutant("epsilon is another", "norm", r"0\.001", "0.01"),
    Mutant("gamma and beta are swapped", "norm", r"γ \+ β", "β + γ"),
    Mutant("the batch's own mean", "norm", r"μ", "mean(x, axis=0, keepdims=True)"),
    Mutant("an axis is swapped", "layer_norm", r"μ = mean\(x, axis=-1", "μ = mean(x, axis=1"),
    Mutant("gamma is dropped", "layer_norm", r" \* γ", ""),
    Mutant("the groups are interleaved", "group_norm", r"axis=\(1, 3\)", "axis=(1, 2)"),
    Mutant("padding counts in the mean", "pool",
        r"average_pool\(x, size=3, padding='same'\)",
        "average_pool(pad(x, pads=((0, 0), (1, 1), (1, 1), (0, 0))), size=3)",
    ),
    Mutant("windows begin one row before", "max_pool",
        r"max_pool\(x, size=2, padding='same'\)",
        "max_pool(pad(x, pads=((0, 0), (1, 0), (1, 0), (0, 0))), size=2)",
    ),
    Mutant("the order of the gates", "lstm", r"W_i, W_f,", "W_f, W_i,"),
    Mutant("the order of the gates, as in other libraries", "lstm", r"U_g, U_o =", "U_o, U_g ="),
    Mutant("a bias is that of another gate", "lstm", r"b_o\)", "b_f)"),
    Mutant("the mask is ignored", "lstm", r"h = where\(m\[t\], h_new, h\)", "h = h_new + 0"),
    Mutant("the mask is ignored for the cell", "lstm", r"c = where\(m\[t\], c_new, c\)", "c = c_new + 0"),
    Mutant("the mask is the other way round", "lstm", r"where\(m\[t\], h_new, h\)", "where(m[t], h, h_new)"),
    Mutant("the state before is forgotten", "lstm", r"f \* c \+ i \* g", "c + i * g"),
    Mutant("no tanh at the end", "lstm", r"o \* tanh\(c_new\)", "o * c_new"),
    Mutant("update and keep are swapped", "gru", r"z \* h \+ \(1 - z\) \* g", "(1 - z) * h + z * g"),
    Mutant("the order of the gates", "gru", r"U_z, U_r,", "U_r, U_z,"),
    Mutant("reset before the product", "gru",
        r"r \* \(dot\(h, U_g\) \+ bh_g\)", "dot(r * h, U_g) + bh_g",
    ),
    Mutant("a second bias is dropped", "gru", r" \+ bh_z", ""),
    Mutant("the mask is ignored", "gru", r"where\(m\[t\], h_new, h\)", "h_new + 0"),
    Mutant("backwards is forwards", "backwards", r"reverse\(x\)", "x + 0"),
    Mutant("kernels are swapped", "backwards", r"dot\(xr\[t\], W\) \+ dot\(h, U\)", "dot(xr[t], U) + dot(h, W)"),
    Mutant("the second half reads forwards", "bidirectional", r"lstm\(reverse\(x\), reverse\((\w+)\)", r"lstm(x, \1"),
    Mutant("the second half is not turned back", "bidirectional", r"y_bwd = reverse\(y_rev\)", "y_bwd = y_rev + 0"),
    Mutant("the mask is not turned", "bidirectional", r"reverse\(x\), reverse\((\w+)\)", r"reverse(x), \1"),
    Mutant("the halves are swapped", "bidirectional", r"concatenate\(y_fwd, y_bwd\)", "concatenate(y_bwd, y_fwd)"),
    Mutant("the directions share a kernel", "bidirectional", r"W_bwd, U_bwd", "W_fwd, U_bwd"),
    Mutant("the scores are not scaled", "heads", r" / sqrt\(3\.0\)", ""),
    Mutant("keys and values are swapped", "heads", r"K = dot\(value, W_k\) \+ b_k", "K = dot(value, W_v) + b_v"),
    Mutant("the query asks itself", "heads", r"K = dot\(value,", "K = dot(query,"),
    Mutant("softmax over the queries", "heads", r"softmax\(scores\)", "softmax(scores, axis=-2)"),
    Mutant("an output bias is dropped", "heads", r"->nqo'\) \+ b_o", "->nqo')"),
    Mutant("the mask is ignored", "attention", r"where\(logical_not\(\w+\), [^,]*, scores\)", "scores"),
    Mutant("the learned scale is ignored", "attention", r" \* g", ""),
    Mutant("the mask is ignored", "mean", r"y = .*", "y = mean(x, axis=1)"),
    Mutant("masked steps count in the mean", "mean", r"/ sum\(cast\(.*\), axis=1\)", "/ 6"),
    Mutant("the next row of the table", "embedding", r"E\[ids\]", "E[(ids + 1) % 11]"),
    Mutant("axes are not swapped", "permute", r"axes=\(0, 2, 1\)", "axes=(0, 1, 2)"),
    Mutant("the difference is the other way round", "subtract", r"x1 - x2", "x2 - x1"),
    Mutant("a sum", "subtract", r"x1 - x2", "x1 + x2"),
    Mutant("the order of the inputs", "concatenate", r"x1, x2", "x2, x1"),
    Mutant("the sides of the padding", "padding", r"\(1, 2\)", "(2, 1)"),
    Mutant("the sides of what is cut", "cropping", r"1:-2", "2:-1"),
    Mutant("the slope is ignored", "prelu", r"α \* ", ""),
    Mutant("a sign", "prelu", r"relu\(x\) - ", "relu(x) + "),
    Mutant("the steps come backwards", "steps",
        r"for t in steps\(x\):\n    y\[t\] = dense\(x", r"r = reverse(x)\nfor t in steps(r):\n    y[t] = dense(r",
    ),
    Mutant("the nearest pixel", "upsampling", r"y = .*", "y = repeat(repeat(x, times=2, axis=1), times=2, axis=2)"),
    Mutant("half of it", "repeat", r"x\[:, None\]", "x[:, None] / 2"),
]  # fmt: skip


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
        REAL[spec] = to_keras(read(SPECS[spec].encode()))
    return REAL[spec]


def check_killed(report: VerifyReport) -> None:
    """The last layer's values differ, and nothing but its values; the whole model differs with it."""
    last = report.layers[-1]
    assert last.status == "differs"
    assert last.output_shapes.agree
    assert last.weight_shapes.agree
    assert all(check.status == "agrees" for check in report.layers[:-1])
    assert report.whole.status == "differs"
    assert not report.agrees


@pytest.mark.parametrize("spec", SPECS)
def test_what_is_not_broken_agrees(spec: str) -> None:
    report = verify(real_model(spec), drawn=True)
    assert report.agrees, [check for check in report.layers if check.status != "agrees"]
    assert not report.of("not compared")
    assert report.whole.status == "agrees"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.spec}-{m.fault.replace(' ', '_')}")
def test_a_mutant_is_killed_by_its_values(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(text: str) -> str:
        found = re.sub(mutant.pattern, mutant.replacement, text)
        assert found != text, text
        return found

    model = read(SPECS[mutant.spec].encode())
    Broken(monkeypatch, model.layers[-1].type, change)
    check_killed(verify(real_model(mutant.spec), drawn=True))


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
    for spec, formula in every:
        with monkeypatch.context() as patch:
            Broken(patch, read(SPECS[spec].encode()).layers[-1].type, lambda _, text=formula: text)
            report = verify(real_model(spec), drawn=True)
            if report.layers[-1].status != "differs" or not report.layers[-1].output_shapes.agree:
                survivors.append((spec, formula))
    assert not survivors, "\n\n".join(f"{spec}:\n{formula}" for spec, formula in survivors)
