"""Sizes with names: their expressions give, at numbers that meet the conditions, what a run with these numbers gives."""

import contextlib
import json
import random
import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

import pytest

import layerexplain
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.lang.open_sizes import Recording, Sizes
from layerexplain.layers.arguments import RefusedValue
from layerexplain.layers.registry import find, layer_types, torch_type, torch_types
from layerexplain.network.traced import Network
from layerexplain.network.walk import NetworkTracer
from layerexplain.report.one_layer import build_layer
from layerexplain.report.size_names import names_in_arguments, with_named_arguments, with_sizes
from tests.cases import Case
from tests.support.named_cases import named, named_cases
from tests.support.paths import ROOT
from tests.support.tries import some, tries

STEPS = (-16, -9, -8, -3, -2, -1, 1, 2, 4, 5, 8, 24)


def points(report: layerexplain.Report, count: int) -> Iterator[dict[str, int]]:
    """Yield sizes that meet the conditions of a report: moved a little from its examples, all at once."""
    draw = random.Random(7)
    examples = {size.name: size.example for size in report.sizes}
    tried = [examples]
    for round in range(300):
        moved = [name for name in examples if round % 3 == 0 or draw.random() < 0.4]
        tried.append({**examples, **{name: max(1, examples[name] + draw.choice(STEPS)) for name in moved}})
    conditions = [text for size in report.sizes for text in size.conditions]
    yield from islice([at for at in tried[::-1] if all(eval(text, {}, dict(at)) for text in conditions)], count)


def filled(value: Any, at: Mapping[str, int]) -> Any:
    """JSON of a report with named sizes, its expressions computed by Python."""
    if isinstance(value, str):
        return eval(value, {}, dict(at))
    return [filled(item, at) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", list(some(list(named_cases()))), ids=lambda case: case.id)
def test_expressions_are_the_numbers_of_a_run_with_numbers(case: Case) -> None:
    arguments, shapes, _ = named(case)
    try:
        report = layerexplain.explain_layer(case.type, arguments, input_shape=shapes)
    except LayerExplainError as error:
        pytest.skip(f"not named: {error.fact[:80]}")
    row = json.loads(json.dumps(report.to_dict()))["layers"][0]
    tried = 0
    for at in points(report, tries(3, 10)):
        numbers = json.loads(json.dumps(report.at(**at).to_dict()))["layers"][0]
        tried += 1
        for field in ("input_shapes", "output_shapes", "params", "trainable", "non_trainable", "macs", "flops"):
            assert filled(row[field], at) == numbers[field], (field, at)
        shapes_of_weights = [(filled(w["shape"], at), filled(w["params"], at)) for w in row["weights"]]
        assert shapes_of_weights == [(w["shape"], w["params"]) for w in numbers["weights"]], at
    assert tried, [size.conditions for size in report.sizes]


LLAMA = {
    "model_type": "mistral", "architectures": ["MistralForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1000,
    "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "hidden_act": "silu",
}  # fmt: skip


@pytest.mark.parametrize("window", [None, 100])
def test_a_text_of_named_length_costs_what_texts_of_numbers_do(window: int | None) -> None:
    config = LLAMA | {"sliding_window": window}
    report = layerexplain.explain(json.dumps(config).encode(), inputs={"tokens": ("T",)}, detail=False, dtype="bf16")
    named = json.loads(json.dumps(report.to_dict()))
    # 2 tensors of 2 heads of 16 numbers in 3 layers, 2 bytes each
    assert named["serving"]["cache"] == ("384*T" if window is None else "384*min(T, 100)")
    for tokens in (64, 100, 101, 333):
        numbers = layerexplain.explain(
            json.dumps(config).encode(), inputs={"tokens": (tokens,)}, detail=False, dtype="bf16"
        ).to_dict()
        for field in ("macs", "flops", "macs_per_token", "needed_macs_per_token", "flops_per_token"):
            assert filled(named["totals"][field], {"T": tokens}) == numbers["totals"][field], (field, tokens)
        assert filled(named["serving"]["cache"], {"T": tokens}) == numbers["serving"]["cache"]


SPEC = b"""
sizes: {T: 50, u: 64, vocab: 1000}
input: {shape: [T], dtype: int32}
layers:
  - Embedding: {input_dim: vocab, output_dim: 32}
  - LSTM: {units: u}
  - Dense: {units: vocab, activation: softmax}
"""


def test_a_spec_names_sizes() -> None:
    report = layerexplain.explain(SPEC, detail=False)
    # 4 gates of u units over 32 features and u states, with a bias
    assert str(report["lstm"].params) == "4·u² + 132·u" and str(report["dense"].params) == "vocab·(u + 1)"
    numbers = SPEC.replace(b"sizes: {T: 50, u: 64, vocab: 1000}", b"").replace(b"[T]", b"[9]")
    numbers = numbers.replace(b"vocab", b"7").replace(b"units: u", b"units: 5")
    assert report.at(T=9, u=5, vocab=7).totals == layerexplain.explain(numbers, detail=False).totals
    assert layerexplain.check(SPEC).findings == ()  # other commands take the examples


@pytest.mark.parametrize(
    "spec, words",
    [
        (SPEC.replace(b"[T]", b"[rows]"), "has the size 'rows'; sizes are whole numbers from 1, null for unknown, or names"),
        (SPEC.replace(b"[T]", b"[voca]"), "shape has the size 'voca'; did you mean 'vocab'?"),
        (SPEC.replace(b"units: u", b"units: vocba"), "LSTM needs units to be an integer ≥ 1, got units='vocba'; did you mean 'vocab'?"),
        (SPEC.replace(b"units: u", b"units: width"), "got units='width'; for example units=16; or declare a size: sizes: {width: 16}"),
        (SPEC.replace(b"T: 50", b"T: -1"), "sizes: T needs an example, an integer"),
        (SPEC.replace(b"u: 64", b"class: 64"), "sizes: 'class' is no name that a size can have"),
    ],
)  # fmt: skip
def test_names_that_a_spec_does_not_declare_are_refused(spec: bytes, words: str) -> None:
    with pytest.raises(LayerExplainError, match=re.escape(words)):
        layerexplain.explain(spec)


def test_an_argument_that_is_missing_is_no_undeclared_size() -> None:
    with pytest.raises(LayerExplainError) as caught:
        layerexplain.explain(SPEC.replace(b"LSTM: {units: u}", b"LSTM: {}"))
    assert "units" in str(caught.value) and "declare" not in str(caught.value)


def test_numbers_that_a_model_does_not_take_are_refused_in_one_line() -> None:
    spec = b"input: [null, 3]\nlayers:\n  - Conv1D: {filters: 4, kernel_size: 5}\n"
    report = layerexplain.explain(spec, inputs={"input": ("T", 3)})
    assert report.sizes[0].takes == "from 5" and str(report["conv1d"].output_shapes) == "((None, T - 4, 4),)"
    assert report.at(T=9)["conv1d"].output_shapes == ((None, 5, 4),) and report.at(T=9).sizes == ()
    for values, words in (({"T": 4}, "the model takes T: from 5"), ({}, "T is missing"), ({"S": 9}, "no size 'S'")):
        with pytest.raises(LayerExplainError, match=words):
            report.at(**values)
    with pytest.raises(ArgumentError, match="no named sizes"):
        report.at(T=9).at(T=9)
    with pytest.raises(ArgumentError, match="name of Python"):
        layerexplain.explain(spec, inputs={"input": ("class", 3)})


@pytest.mark.parametrize("inputs", [("T", 3), "T,3", {"input": "T,3"}])
def test_a_model_of_one_input_takes_a_shape_alone(inputs: Any) -> None:
    spec = b"input: [null, 3]\nlayers:\n  - Conv1D: {filters: 4, kernel_size: 5}\n"
    assert str(layerexplain.explain(spec, inputs=inputs).outputs[0].shape) == "(None, T - 4, 4)"


def test_a_root_that_is_printed_fixes_no_size() -> None:
    sizes = {"num_heads": "h", "key_dim": "d"}
    report = layerexplain.explain_layer("MultiHeadAttention", sizes, input_shape=[("T", "m"), ("T", "m")])
    assert {size.takes for size in report.sizes} == {"any"}
    assert "/ sqrt(d)" in report.explain()


@pytest.mark.parametrize(
    "type_, arguments, shape, name, words",
    [
        ("AdaptiveAveragePooling1D", {"output_size": "a"}, ("T", 3), "a", "(what windows of unequal length cover has no formula)"),
        ("STFTSpectrogram", {"frame_length": "a"}, (400, 1), "a", "(a power of two has no formula)"),
        ("UpSampling1D", {"size": "a"}, ("T", 3), "a", "any; a receptive field is for a = 31"),
        ("Resizing", {"height": "a", "width": 4, "antialias": True}, ("H", "W", 3), "a", "31 here (the number of pixels that resizing weighs has no formula)"),
    ],
)  # fmt: skip
def test_a_size_that_loses_its_name_says_why(
    type_: str, arguments: dict[str, Any], shape: tuple[Any, ...], name: str, words: str
) -> None:
    report = layerexplain.explain_layer(type_, arguments, input_shape=shape)
    (size,) = [size for size in report.sizes if size.name == name]
    assert words in size.takes and f"{name} == {size.example}" in size.conditions


@pytest.mark.parametrize("type_", ["Conv1D", "MaxPooling1D", "AveragePooling1D"])
def test_a_stride_keeps_its_name(type_: str) -> None:
    arguments = {"filters": 5, "kernel_size": 3} if type_ == "Conv1D" else {"pool_size": 3}
    report = layerexplain.explain_layer(type_, arguments | {"strides": "s"}, input_shape=("T", 2))
    assert [size.takes for size in report.sizes] == ["any", "from 3"]
    text = json.dumps(report.to_dict(), ensure_ascii=False)
    assert "neighbouring elements are s apart" in text and "x[n, s·t+u" in text
    for at in (1, 4):
        assert report.at(s=at, T=19)[0].output_shapes == ((None, (19 - 3) // at + 1, 5 if type_ == "Conv1D" else 2),)


def test_a_calculation_that_is_its_own_result_is_printed_once() -> None:
    report = layerexplain.explain_layer("Conv1D", {"filters": "F", "kernel_size": "k"}, input_shape=("T", "C"))
    assert "steps T → T - k + 1: T - k + 1; 'valid'" in report.explain()


def test_a_word_of_the_framework_is_no_name_of_a_size() -> None:
    for type_, *_ in chain(*layer_types().values(), *torch_types().values()):
        declaration = find((torch_type(type_) or "") if type_.startswith("nn.") else type_)
        assert declaration is not None
        for name, argument in declaration.arguments.items():
            for word in re.findall(r"'(\w+)'", argument.check.words):
                with contextlib.suppress(RefusedValue):
                    argument.check.normal(word)
                    assert not names_in_arguments(declaration, {name: word}), (type_, name, word)
    padding = find("torch.nn.Conv2d")
    assert padding is not None and names_in_arguments(padding, {"padding": "p"}) == ("p",)


@pytest.mark.parametrize("names", ["HWCFk", "ijmuv", "nvuij", "kuvmi"])
def test_no_index_of_a_sum_has_the_name_of_a_size(names: str) -> None:
    rows, columns, channels, filters, window = names
    report = layerexplain.explain_layer(
        "Conv2D", filters=filters, kernel_size=window, input_shape=(rows, columns, channels)
    )
    written = report.layers[0].to_latex()
    summed = re.findall(r"(\w)<(\w)", written.replace("\\,", ""))
    assert [size for _, size in summed][:3] == [window, window, channels]
    assert not {index for index, _ in summed} & set(names)


INDICES = "ijuvwklmnpqrtad"
"""Letters of indices and sums that no tensor has; e is also a number, c a state."""


def letters_in(tree: Any) -> Iterator[str]:
    """The letters of a typeset formula, without its words and numbers."""
    if isinstance(tree, str):
        yield tree
    elif tree[0] not in ("o", "n", "t", "f", "name"):
        yield from chain.from_iterable(map(letters_in, tree[3 if tree[0] == "fence" else 1 :]))


def test_no_index_of_a_formula_has_the_name_of_a_size() -> None:
    written = compared = 0
    for at, case in enumerate(named_cases()):
        arguments, shapes, numbers = named(case)
        letters = INDICES[at % len(INDICES) :] + INDICES[: at % len(INDICES)]
        run = Recording(Sizes())
        # The sizes in what is written are marks as yet: a letter that is the name of a size is an index.
        sizes = {name: run.size(letter, numbers[name]) for name, letter in zip(numbers, letters, strict=False)}
        sizes = {**numbers, **sizes}
        inputs = [with_sizes(shape[1:], sizes) for shape in shapes]
        try:
            report = build_layer(case.type, with_named_arguments(arguments, sizes), inputs)
        except LayerExplainError:
            with pytest.raises(LayerExplainError):  # a case that is refused
                build_layer(case.type, case.config, case.shapes)
            continue
        explained = report.layers[0].explanation
        assert explained is not None
        elements = [re.findall(r"[^\W\d]\w*", line) for line in explained.element]
        typeset = [list(letters_in(line.tree)) for line in (*explained.element_latex, *explained.latex)]
        own = {node for node in run.sizes.nodes if isinstance(node, str)}
        labels = {part for weight in report.layers[0].weights for part in (weight.symbol or "").split("_")}
        labels |= set(re.findall(r"\b\w+(?=[\w, ]* = )", "\n".join(map(str, explained.statements))))
        for line in (*elements, *typeset):
            assert not (own - labels) & set(line), (case.id, own, line)
            compared += len(line) > 3
        written += 1
    assert written > 380 and compared > 1000


def test_a_name_of_the_input_and_of_the_code_is_one_size() -> None:
    code = b"from keras import Sequential, layers\nmodel = Sequential([layers.LSTM(E)])\n"
    report = layerexplain.explain(code, inputs=[("T", "E")])
    assert [size.name for size in report.sizes] == ["T", "E"] and str(report.totals.params) == "8·E² + 4·E"


def test_trials_of_sizes_seek_nothing_that_would_mend_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What mends a refused layer is tried on the whole model, again and again: of a trial it is only asked whether the
    sizes are taken."""
    traces = 0
    walk = NetworkTracer.network

    def counted(self: NetworkTracer) -> Network:
        nonlocal traces
        traces += 1
        return walk(self)

    monkeypatch.setattr(NetworkTracer, "network", counted)
    report = layerexplain.explain(ROOT / "sample_models" / "unet.yaml", inputs={"input": ("H", "W", 3)})
    assert [size.takes for size in report.sizes] == ["multiples of 8", "multiples of 8"]
    assert traces < 40
