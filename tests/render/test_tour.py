"""The tour of a model: how many lines it takes, what each layer says, and how what repeats is folded."""

from __future__ import annotations

import re
from functools import cache

import pytest

import layerexplain
from layerexplain.render.layout import Look
from layerexplain.report.data import Report
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


def test_a_convolution_reads_as_in_the_issue() -> None:
    text = "\n".join(tour(report_of(EIGHT_LAYERS)))
    assert (
        "conv1 · Conv2D  (None, 28, 28, 1) → (None, 26, 26, 32)\n"
        "  Slides 32 filters of 3×3 pixels over the image; each sums the one channel.\n"
        "  computes    relu(conv(x, W) + b)\n"
        "  shape       28 - 3 + 1 = 26 rows and columns ('valid': no padding); 32 channels, one per filter\n"
        "  parameters  320 = 3 × 3 × 1 × 32 + 32\n"
    ) in text


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


def test_a_block_that_repeats_is_explained_once_with_its_places() -> None:
    lines = tour(large("resnet50.json"))
    like = "like conv2_block1_1_conv … _out"
    assert f"conv2_block2 … conv2_block3 · 10 layers, 2 times, {like}  143,104 parameters" in lines
    assert f"conv4_block2 … conv4_block6 · 10 layers, 5 times, {like}  5,608,960 parameters" in lines
    assert lines.count("  but         conv4_block2_add: inputs conv4_block1_out, conv4_block2_3_bn") == 1
    assert sum(line.startswith("  Slides") for line in lines) == 4  # 7×7, 1×1, 3×3, and 1×1 with a stride
    assert [line.split("  ")[1] for line in lines if "  like conv1_bn" in line] == [
        "conv2_block1_0_bn",
        "conv2_block1_2_bn … _relu",
        "conv3_block1_0_bn",
    ]


MODULE = """
def conv(x, filters, size):
    x = layers.Conv2D(filters, size, padding='same', use_bias=False)(x)
    return layers.Activation('relu')(layers.BatchNormalization(scale=False)(x))
def module(x, n):
    one = conv(x, n, 1)
    two = conv(conv(x, n + 1, 1), n + 2, 3)
    three = conv(layers.AveragePooling2D(3, 1, padding='same')(x), n + 3, 1)
    return layers.concatenate([one, two, three])
i = Input((24, 24, 3))
x = conv(i, 7, 3)
x = module(x, 5)
x = layers.MaxPooling2D()(x)
x = module(x, 11)
x = conv(x, 13, 1)
model = Model(i, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
"""


def test_layers_that_are_connected_as_earlier_ones_are_become_one_row() -> None:
    report = layerexplain.explain(f"from keras import Input, Model, layers\n{MODULE}".encode())
    rows = [re.split(r" {2,}", line.strip()) for line in tour(report, 110) if "  like " in line]
    assert 7 * 6 + 3 * 6 == 60 and 9 * 6 * 7 + 3 * 7 == 399 and 7 * 8 + 3 * 8 == 80
    assert 20 * 11 + 3 * 11 == 253 and (20 * 12 + 3 * 12) + (9 * 12 * 13 + 3 * 13) == 1719 and 20 * 14 + 3 * 14 == 322
    assert rows == [
        ["batch_normalization_1 … activation_1", "like batch_normalization … activation", "(None, 24, 24, 5)", "15"],
        ["conv2d_2 … activation_2", "like conv2d_1 … activation_1", "(None, 24, 24, 6)", "60"],
        ["conv2d_3 … activation_3", "like conv2d … activation", "(None, 24, 24, 7)", "399"],
        ["conv2d_4 … activation_4", "like conv2d_1 … activation_1", "(None, 24, 24, 8)", "80"],
        ["conv2d_5 … activation_5", "like conv2d_1 … activation_1", "(None, 12, 12, 11)", "253"],
        ["conv2d_6 … activation_7", "like conv2d_2 … activation_3", "(None, 12, 12, 13)", "1,719"],
        ["average_pooling2d_1", "like average_pooling2d", "(None, 12, 12, 20)"],
        ["conv2d_8 … concatenate_1", "like conv2d_4 … concatenate", "(None, 12, 12, 38)", "322"],
        ["conv2d_9 … activation_9", "like conv2d_1 … activation_1", "(None, 12, 12, 13)", "533"],
    ]


@pytest.mark.keras
@pytest.mark.parametrize(("width", "most"), [(80, 265), (110, 195), (200, 185)])
def test_modules_of_branches_are_folded(width: int, most: int) -> None:
    report = layerexplain.explain(b"import keras\nmodel = keras.applications.InceptionV3(weights=None)")
    lines = tour(report, width)
    assert len(lines) <= most and max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    assert "conv2d_40 … mixed6 · 32 layers, 2 times, like conv2d_30 … mixed4 3,385,472 parameters" in words
    assert "conv2d_76 … mixed10 · 31 layers, 2 times, the first up to mixed9 11,127,936 parameters" in words


BLOCKS = b"""
input: [32, 32, 3]
layers:
  - Conv2D: {filters: 7, kernel_size: 3, padding: same}
    name: stem
"""


def _block(name: str, filters: int, kernel: int, rate: float) -> str:
    layers = [
        f"Conv2D: {{filters: {filters}, kernel_size: {kernel}, padding: same, use_bias: false}}",
        "BatchNormalization:",
        "Activation: relu",
        f"Dropout: {rate}",
        f"Conv2D: {{filters: {filters}, kernel_size: 1, padding: same}}",
    ]
    return "".join([f"  - {one}\n    name: {name}_{part}\n" for one, part in zip(layers, "abcde", strict=True)])


def test_blocks_that_differ_in_sizes_are_one_block_with_what_changes() -> None:
    rows = [("block1", 7, 3, 0.1), ("block2", 11, 5, 0.3), ("block3", 13, 3, 0.1), ("block4", 13, 3, 0.2)]
    spec = BLOCKS.decode() + "".join([_block(*row) for row in rows]) + "  - Flatten\n  - Dense: 5\n"
    lines = tour(report_of(spec.encode()), 110)
    headings = [line for line in lines if re.match(r"block\d( ….*)? · \d", line)]
    assert [re.split(r" {2,}", line)[0] for line in headings] == [
        "block2 · 5 layers, like block1",
        "block3 … block4 · 5 layers, 2 times, like block1",
    ]
    after = {line.split(" · ")[0]: lines[lines.index(line) + 1 :] for line in headings}
    assert after["block2"][:2] == ["  but         block2_a: kernel_size=5", "              block2_d: rate=0.3"]
    assert after["block3 … block4"][0] == "  but         block3_d: the same, then rate=0.2"
    assert 11 * 5 * 5 * 7 + 4 * 11 + 11 * 11 + 11 == 2101 and "2,101 parameters" in headings[0]
    assert "rate" not in " ".join([line for line in lines if "block1_d" in line and "but" in line])


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


def test_a_remark_is_made_once() -> None:
    lines = tour(report_of(b"input: [9, 5]\nlayers:\n  - Dense: 3\n  - Dense: 4\n"))
    assert sum("the same matrix W is applied" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("source", "last"),
    [
        (str(SAMPLES / "mnist_mlp.yaml"), f"More: layerexplain explain {SAMPLES / 'mnist_mlp.yaml'} NAME, or --full"),
        (EIGHT_LAYERS, "More: layerexplain explain SOURCE NAME, or --full"),
    ],
)
def test_the_last_line_says_how_to_see_more(source: str | bytes, last: str) -> None:
    assert tour(layerexplain.explain(source))[-1] == last


def test_nested_layers_are_part_of_a_nested_tour() -> None:
    spec = b"input: [5]\nlayers:\n  - Sequential: [{Dense: 3}, {Dense: 2}]\n    name: head\n"
    report = layerexplain.explain(spec)
    assert "--nested explains them" in explanation(report, report.layers, Look())
    text = layerexplain.format_report(report, explain=True, nested=True)
    assert "head/dense_1 · Dense" in text and "--nested" not in text


def test_the_library_tells_what_the_command_line_does() -> None:
    report = report_of("mnist_mlp.yaml")
    assert report.explain() == explanation(report, report.layers, Look())
    assert "MACs per example =" in report.explain("dense", full=True) and "MACs" not in report.explain("dense")
