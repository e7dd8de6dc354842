"""The tour of a model: how many lines it takes, what each layer says, and how what repeats is folded."""

import random
import re
from functools import cache

import pytest

import layerexplain
from layerexplain.render.layout import Look
from layerexplain.report.report import Report
from tests.support.paths import ROOT
from tests.support.printing import explanation

SAMPLES = ROOT / "sample_models"
AT_MOST = {
    "resnet50.json": 150,
    "digits.keras": 60,
    "mnist_mlp.yaml": 40,
    "stacked_lstm_flatten.yaml": 40,
    "transformer.json": 120,
    "efficientnet_b0.json": 180,
}
"""Lines of a tour, at any of the widths."""

EIGHT_LAYERS = b"""
input: [28, 28, 1]
layers:
  - Conv2D: {filters: 32, kernel_size: 3, activation: relu}
    name: conv1
  - MaxPooling2D
  - Conv2D: {filters: 64, kernel_size: 3, padding: same, activation: relu}
    name: conv2
  - BatchNormalization
  - Flatten
  - Dropout: 0.5
  - Dense: {units: 10, activation: softmax}
"""


def report_of(source: str | bytes) -> Report:
    return layerexplain.explain(source if isinstance(source, bytes) else SAMPLES / source)


def tour(report: Report, width: int | None = None) -> list[str]:
    return explanation(report, report.layers, Look(width)).splitlines()


LARGE = ("resnet50.json", "transformer.json", "efficientnet_b0.json")


@cache
def large(name: str) -> Report:
    """Return the report of a large model, made once where a test asks for it."""
    return report_of(name)


@pytest.mark.parametrize("width", [80, 110, 200])
@pytest.mark.parametrize("name", AT_MOST)
def test_a_tour_is_short(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES)  # the heading has the path as it is typed
    lines = tour(large(name) if name in LARGE else layerexplain.explain(name), width)
    assert len(lines) <= AT_MOST[name] and max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [80, 110, 200])
def test_eight_layers_take_a_page(width: int) -> None:
    text = "\n".join(tour(report_of(EIGHT_LAYERS), width))
    assert text.count("\n") < 60
    for section in text.split("\n\n")[1:-2]:
        assert 2 <= section.count("\n") + 1 <= 9, section  # at 80 columns a long remark is wrapped


@pytest.mark.parametrize("name", LARGE)
def test_each_layer_stands_in_a_tour_or_in_a_block_that_is_like_one(name: str) -> None:
    report = large(name)
    lines = tour(report)
    named = {line.split()[0] for line in lines if re.match(r"\S+ · |  \S+ +like ", line)}
    named.update(*[_in_row(report, *row.groups()) for line in lines if (row := re.match(ROW, line))])
    folded = [line for line in lines if " · " in line and re.search(r"\d layers?, ", line)]
    for layer in report.layers:
        block = re.match(r"(conv|block)(\d+)(?:_block(\d+)|([a-z])_)?", layer.layer)
        in_block = block is not None and any(_holds(line, block) for line in folded)
        ends = re.search(r"\d+$", layer.layer)
        in_row = ends is not None and any(" … " in line and layer.layer[: ends.start()] in line for line in lines)
        assert layer.layer in named or in_block or in_row, layer.layer


ROW = r"  (\S+) … (\S+) +like "
"""A row of several layers: the first, and the last or how its name ends."""


def _in_row(report: Report, first: str, end: str) -> set[str]:
    """Return the names of the layers on the ways from the first to the last of a row."""
    layers = {layer.layer: layer for layer in report.layers}
    last = next(name for name in [end, *[first[:at] + end for at in range(len(first), 0, -1)]] if name in layers)
    found: set[str] = set()
    ways = [[last]]
    while ways:
        way = ways.pop()
        if way[-1] == first:
            found.update(way)
        elif len(way) < 30:
            ways += [[*way, source] for source in layers[way[-1]].sources]
    assert found, (first, end)
    return found


def _holds(line: str, block: re.Match[str]) -> bool:
    """Whether the names of a folded block, from the first to the last of its copies, hold this one."""
    ends = re.findall(rf"\b{block[1]}(\d+)(?:_block(\d+)|([a-z]))?\b", line.partition(" · ")[0])
    first, last = [_number(*end) for end in (ends[0], ends[-1])] if ends else ((), ())
    return first <= _number(*block.groups()[1:]) <= last


def _number(block: str, part: str | None, letter: str | None) -> tuple[int, int]:
    return int(block), int(part or 0) or (ord(letter) if letter else 0)


def test_the_parameters_that_a_tour_shows_are_products_that_add_up() -> None:
    for line in tour(large("resnet50.json")) + tour(large("transformer.json")) + tour(report_of(EIGHT_LAYERS)):
        if found := re.match(r"  parameters  ([\d,]+) = ([\d,×+() ]+?)(?:, [\d,]+ trainable)?$", line):
            count, product = (text.replace(",", "").replace("×", "*") for text in found.groups())
            assert eval(product) == int(count), line


@pytest.mark.keras
@pytest.mark.parametrize(("width", "most"), [(80, 265), (110, 195), (200, 185)])
def test_modules_of_branches_are_folded(width: int, most: int) -> None:
    report = layerexplain.explain(b"import keras\nmodel = keras.applications.InceptionV3(weights=None)")
    lines = tour(report, width)
    assert len(lines) <= most and max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    assert "conv2d_40 … mixed6 · 32 layers, 2 times, like conv2d_30 … mixed4 3,385,472 parameters" in words
    assert "conv2d_76 … mixed10 · 31 layers, 2 times, the first up to mixed9 11,127,936 parameters" in words


LLAMA = b"""{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 28, "intermediate_size": 34,
"num_hidden_layers": 7, "num_attention_heads": 2, "vocab_size": 131, "rms_norm_eps": 1e-05, "hidden_act": "silu"}"""


def test_the_block_of_a_language_model_is_part_of_its_tour() -> None:
    lines = tour(report_of(LLAMA), 110)
    assert sum(" 7 × Block " in line for line in lines) == 1 and len(lines) < 80
    assert [line.split()[0] for line in lines if "Attention" in line] == ["model.layers.0/self_attn"]
    assert not any("--nested" in line for line in lines)


def test_copies_of_a_block_that_share_a_layer_without_weights_are_one_block() -> None:
    rows = ["relu = layers.ReLU()", "x = i = Input((12, 12, 5))"]
    for _ in range(11):
        rows += [
            "y = layers.BatchNormalization()(relu(layers.Conv2D(5, 3, padding='same')(x)))",
            "x = layers.Add()([x, y])",
        ]
    code = "\n".join(["from keras import Input, Model, layers", *rows, "model = Model(i, x)"])
    lines = tour(report_of(code.encode()), 110)
    assert sum("like conv2d" in line for line in lines) == 0 and any(", 11 times" in line for line in lines), lines


def test_nested_layers_are_part_of_a_nested_tour() -> None:
    spec = b"input: [5]\nlayers:\n  - Sequential: [{Dense: 3}, {Dense: 2}]\n    name: head\n"
    report = layerexplain.explain(spec)
    assert "--nested explains them" in explanation(report, report.layers, Look())
    text = layerexplain.format_report(report, explain=True, nested=True)
    assert "head/dense_1 · Dense" in text and "--nested" not in text


@pytest.mark.parametrize("seed", range(12))
def test_layers_are_alike_only_with_equal_counts(seed: int) -> None:
    pick = random.Random(seed).choice
    sizes = [(pick((4, 9)), pick((4, 9))) for _ in range(6)]
    lines = [f"  (m{i}): Linear(in_features={a}, out_features={b}, bias=True)" for i, (a, b) in enumerate(sizes)]
    report = report_of("\n".join(["M(", *lines, ")"]).encode())
    text = explanation(report, report.layers, Look())
    for section in re.split(r"\n(?=m\d)", text)[1:]:
        first = int(section[1])
        others = [int(name) for name in re.findall(r"\bm(\d)", "".join(re.findall(r"alike: ([^\n]*)", section)))]
        assert {sizes[i] for i in others} <= {sizes[first]}, section
