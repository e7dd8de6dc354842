"""What is proposed where shapes do not fit: the words, and that the proposal fits when it is followed."""

from typing import NamedTuple

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.frontends.spec.document import read_yaml_spec
from layerexplain.model import Call, TensorRef
from layerexplain.network.trace import trace_model

U_NET = """
input: [{size}, {size}, 3]
layers:
  - Conv2D: {{filters: 4, kernel_size: 3, padding: same}}
    name: wide
  - MaxPooling2D: 2
    name: first_pool
  - Conv2D: {{filters: 8, kernel_size: 3, padding: same}}
    name: middle
  - MaxPooling2D: 2
    name: second_pool
  - Conv2D: {{filters: 8, kernel_size: 3, padding: same}}
  - UpSampling2D: 2
    name: up
{between}
  - Concatenate:
    from: [{up}, {middle}]
    name: joined
"""


def u_net(size: int = 179, between: str = "", up: str = "up", middle: str = "middle") -> str:
    return U_NET.format(size=size, between=between, up=up, middle=middle)


def behind(first: str, item: str, source: str = "") -> str:
    """A model of a named layer and one that reads it, with a layer between them if there is one."""
    between = f"  - {source}\n" if source else ""
    return f"{first}{between}  - {item}\n"


class Row(NamedTuple):
    """A spec at fault, what is proposed at the end of its fault, and specs that follow each proposal."""

    text: str
    proposed: str
    mended: tuple[str, ...]


DENSE = "input: [10]\nlayers:\n  - Dense: 8\n"
LSTM = "input: [5, 10]\nlayers:\n  - LSTM: {units: 4, return_sequences: WHOLE}\n    name: first\n"
IMAGE = "input: [28, 28]\nlayers:\n"
TWO = "inputs: {a: [8, 3], b: [SIZES]}\nlayers:\n"
DEEP = """
input: [179, 179, 3]
layers:
  - Conv2D: {filters: 4, kernel_size: 3, padding: same}
    name: whole
  - MaxPooling2D: 2
    name: p
  - MaxPooling2D: 2
    name: q
  - UpSampling2D: 4
    name: up
  - Concatenate:
    from: [up, whole]
"""
CONV = "Conv2D: {filters: 4, kernel_size: 3}"

ROWS = {
    "steps left open": Row("input: [null, null, 8]\nlayers:\n  - Flatten\n  - Dense: 3\n",
        "axis of the input a fixed size; shape=(32, 8) in place of (None, 8) for 'input' fits; or "
        "GlobalAveragePooling1D in place of 'flatten' gives (None, 8)",
        ("input: [32, 8]\nlayers:\n  - Flatten\n  - Dense: 3\n",
        "input: [null, null, 8]\nlayers:\n  - GlobalAveragePooling1D\n  - Dense: 3\n")),
    "steps are missing": Row(behind(DENSE, "LSTM: 4"),
        "got (None, 8), without steps; Reshape to (8, 1) fits; or RepeatVector(n) repeats it as n equal steps",
        (behind(DENSE, "LSTM: 4", "Reshape: [8, 1]"), behind(DENSE, "LSTM: 4", "RepeatVector: 7"))),
    "the layer before is recurrent": Row(behind(LSTM.replace("WHOLE", "false"), "GRU: 4"),
        "got (None, 4), without steps; give 'first' return_sequences=True, so that it returns every step",
        (behind(LSTM.replace("WHOLE", "true"), "GRU: 4"),)),
    "rows of an image are steps": Row(
        "input: [28, 20, 3]\nlayers:\n  - LSTM: 4\n",
        "got (None, 28, 20, 3) with 4 axes; Reshape to (28, 60) fits; or TimeDistributed applies the layer to each of the "
        "28 steps; or if 28 is the batch, leave it out of the input's shape",
        (
            "input: [28, 20, 3]\nlayers:\n  - Reshape: [28, 60]\n  - LSTM: 4\n",
            "input: [28, 20, 3]\nlayers:\n  - TimeDistributed: {LSTM: 4}\n",
            "input: [20, 3]\nlayers:\n  - LSTM: 4\n",
        ),
    ),
    "channels are missing": Row(
        behind(IMAGE, CONV),
        "got (None, 28, 28) with 3; Reshape to (28, 28, 1) fits; or an input of this shape, with `X = X[:, :, :, None]`; or "
        "Conv1D accepts this shape",
        (behind(IMAGE, CONV, "Reshape: [28, 28, 1]"), behind(IMAGE, CONV.replace("2D", "1D"))),
    ),
    "a flat image": Row("input: [784]\nlayers:\n  - Conv2D: {filters: 4, kernel_size: 3}\n",
        "got (None, 784) with 2; Reshape to (28, 28, 1) fits; or an input of this shape, with "
        "`X = X.reshape(-1, 28, 28, 1)`", (f"input: [28, 28, 1]\nlayers:\n  - {CONV}\n",
        f"input: [784]\nlayers:\n  - Reshape: [28, 28, 1]\n  - {CONV}\n")),
    "a flat image of three channels": Row(f"input: [3072]\nlayers:\n  - {CONV}\n",
        "got (None, 3072) with 2; Reshape to (32, 32, 3) fits; or an input of this shape, with "
        "`X = X.reshape(-1, 32, 32, 3)`", (f"input: [32, 32, 3]\nlayers:\n  - {CONV}\n",
        f"input: [3072]\nlayers:\n  - Reshape: [32, 32, 3]\n  - {CONV}\n")),
    "a volume": Row(
        "input: [8, 8, 8]\nlayers:\n  - Dense: 4\n  - GlobalAveragePooling1D\n",
        "with 4; GlobalAveragePooling2D accepts this shape; or TimeDistributed applies the layer to each of the 8 steps",
        ("input: [8, 8, 8]\nlayers:\n  - Dense: 4\n  - GlobalAveragePooling2D\n",),
    ),
    "a target shape": Row("input: [10, 4]\nlayers:\n  - Reshape: [7, 5]\n", "with 40; target_shape (-1, 5) fits",
        ("input: [10, 4]\nlayers:\n  - Reshape: [-1, 5]\n",)),
    "a dropped row": Row(
        u_net(),
        "'second_pool' drops row 88 and column 88 of 89 × 89: ZeroPadding2D(((0, 1), (0, 1))) after 'up' makes them equal; "
        "or Cropping2D(((0, 1), (0, 1))) after 'middle'; or make the input's rows and columns multiples of 4",
        (
            u_net(between="  - ZeroPadding2D: {padding: [[0, 1], [0, 1]]}\n    name: padded", up="padded"),
            u_net(
                between="  - Cropping2D: {cropping: [[0, 1], [0, 1]]}\n    name: less\n    from: middle", middle="less"
            ),
            u_net(180),
        ),
    ),
    "two dropped rows": Row(
        DEEP,
        "'p' drops row 178 and column 178 of 179 × 179, 'q' drops row 88 and column 88 of 89 × 89: "
        "ZeroPadding2D(((0, 3), (0, 3))) after 'up' makes them equal; or Cropping2D(((0, 3), (0, 3))) after 'whole'; "
        "or make the input's rows and columns multiples of 4",
        (DEEP.replace("179", "180"),),
    ),
    "another axis": Row(TWO.replace("SIZES", "2, 3") + "  - Concatenate:\n    from: [a, b]\n",
        "got (None, 8, 3) and (None, 2, 3); axis=1 fits",
        (TWO.replace("SIZES", "2, 3") + "  - Concatenate: {axis: 1}\n    from: [a, b]\n",)),
    "a vector and a sequence": Row(
        TWO.replace("SIZES", "3") + "  - Concatenate:\n    from: [a, b]\n",
        "got (None, 8, 3) and (None, 3); RepeatVector(8) after 'b' repeats it as 8 equal steps; or Flatten after 'a' "
        "flattens it to (None, 24); or GlobalAveragePooling1D after 'a' averages it to (None, 3)",
        tuple(
            TWO.replace("SIZES", "3")
            + f"  - {item}\n    from: {source}\n    name: c\n  - Concatenate:\n    from: {wires}\n"
            for item, source, wires in [
                ("RepeatVector: 8", "b", "[a, c]"),
                ("Flatten:", "a", "[c, b]"),
                ("GlobalAveragePooling1D:", "a", "[c, b]"),
            ]
        ),
    ),
    "a vector for each channel": Row("inputs: {a: [8, 8, 3], b: [16]}\nlayers:\n  - Add:\n    from: [a, b]\n",
        "and (None, 1, 1, 16); Dense(3) after 'b' gives it one value for each channel of 'a'",
        ("inputs: {a: [8, 8, 3], b: [16]}\nlayers:\n  - Dense: 3\n    from: b\n    name: c\n"
        "  - Add:\n    from: [a, c]\n",)),
    "a shortcut": Row(
        "input: [56, 56, 64]\nlayers:\n  - Conv2D: {filters: 128, kernel_size: 3, strides: 2, padding: same}\n"
        "    name: half\n  - Add:\n    from: [half, input]\n",
        "Conv2D(128, 1, strides=2, padding='same') after 'input' gives it the shape of 'half'",
        (
            "input: [56, 56, 64]\nlayers:\n  - Conv2D: {filters: 128, kernel_size: 3, strides: 2, padding: same}\n"
            "    name: half\n  - Conv2D: {filters: 128, kernel_size: 1, strides: 2, padding: same}\n    from: input\n"
            "    name: c\n  - Add:\n    from: [half, c]\n",
        ),
    ),
    "other units": Row("inputs: {a: [8], b: [6]}\nlayers:\n  - Add:\n    from: [a, b]\n",
        "got (None, 8) and (None, 6); Dense(6) after 'a' gives it the shape of 'b'",
        ("inputs: {a: [8], b: [6]}\nlayers:\n  - Dense: 6\n    from: a\n  - Add:\n    from: [dense, b]\n",)),
}  # fmt: skip

NOTHING = {
    "unknown sizes": "input: [null, null]\nlayers:\n  - Conv2D: {filters: 4, kernel_size: 3}\n",
    "three of which none fits": "inputs: {a: [2, 3], b: [4, 5], c: [6, 7]}\nlayers:\n  - Concatenate:\n    from: [a, b, c]\n",
}


def faults(text: str) -> list[str]:
    try:
        report = layerexplain.explain(read_yaml_spec(text.encode()))
    except LayerExplainError as error:
        return [str(error)]
    return [str(fault) for fault in report.faults]


@pytest.mark.parametrize("name", ROWS)
def test_a_cure_is_proposed_and_works(name: str) -> None:
    row = ROWS[name]
    (fault,) = faults(row.text)
    assert fault.endswith(row.proposed)
    for text in row.mended:
        assert faults(text) == [], text


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_proposed_that_was_not_tried(name: str) -> None:
    (fault,) = faults(NOTHING[name])
    assert " fits" not in fault and "behind" not in fault


def test_a_layer_that_refuses_the_argument_of_a_call_says_so_alone() -> None:
    """What a `call` is given comes from no layer that could be mended."""
    model = read(b"input: [5]\nlayers:\n  - LSTM: 4\n    name: read\n")
    x = TensorRef("x", 0, 0)
    alone = model._replace(
        layers=model.layers[1:], calls=(Call("read", 0, (x,), {}),), inputs=(x,), recorded={x: ((None, 5), "float32")}
    )
    (note,) = trace_model(alone).notes
    assert note.message.startswith("LSTM needs an input of (batch, steps, features), got (None, 5), without steps")
    assert "fits" not in note.message and "RepeatVector" not in note.message


@pytest.mark.parametrize(
    ("spec", "first"),
    [
        ("inputs: {a: [8, 3], b: [7, 3]}\nlayers:\n  - Concatenate:\n    from: [a, b]\n", "axis=1 fits"),
        ("input: [9, 3]\nlayers:\n  - {MaxPooling1D: 2, name: pool}\n  - {UpSampling1D: 2, name: up}\n"
         "  - Concatenate:\n    from: [up, input]\n", "ZeroPadding1D"),
    ],
)  # fmt: skip
def test_what_helps_most_is_proposed_first(spec: str, first: str) -> None:
    # Where a layer is known to have dropped positions, they are missing; else the axis may be the wrong one.
    with pytest.raises(LayerExplainError) as found:
        layerexplain.explain(spec.encode())
    assert str(found.value).partition(", 3); ")[2].partition("; or")[0].count(first) == 1
