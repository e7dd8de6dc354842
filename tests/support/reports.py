"""Reports of small models that show what an output may have to print, each read from its source from end to end."""

import json
from functools import cache
from typing import Any

from layerexplain import api
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report
from tests.support.keras_configs import entry, graph, node, tensor

HOSTILE = "=cmd|'/c calc'!A1 \x1b[31m[red]<img src=x onerror=1>\r\n\u202egnp\x9b2J\ud800|*_`${x} https://a.b 名前é"

CNN = """\
# Alike layers, a layer of several inputs, weights that are not trained.
name: cnn
inputs: {input_1: [28, 28, 3]}
layers:
  - Conv2D: {filters: 16, kernel_size: 3, strides: 2, padding: same, activation: relu}
    name: conv2d
    from: input_1
  - Conv2D: {filters: 16, kernel_size: 3, strides: 2, padding: same, activation: relu}
    name: conv2d_1
    from: input_1
  - Conv2D: {filters: 16, kernel_size: 3, strides: 2, padding: same, activation: relu}
    name: conv2d_2
    from: input_1
  - Conv2D: {filters: 16, kernel_size: 3, strides: 2, padding: same, activation: relu}
    name: conv2d_3
    from: input_1
  - Add:
    from: [conv2d, conv2d_1, conv2d_2, conv2d_3]
  - BatchNormalization
  - Flatten
  - Dense: {units: 10, activation: softmax}
    name: classifier_head
"""

LSTM = """\
# A formula of several statements with a loop, and a mask.
name: lstm
inputs: {input_1: [9, 5]}
layers:
  - Masking
  - LSTM: 6
"""

ATTENTION = """\
# Several inputs in one call and named intermediates with their shapes.
name: attention
inputs: {query: [4, 16], value: [10, 16]}
layers:
  - MultiHeadAttention: {num_heads: 2, key_dim: 8}
    name: attend
    from: [query, value]
"""

NESTED = """\
# A nested model, called twice, that holds another.
name: siamese
inputs: {left: [8], right: [8]}
layers:
  - Sequential:
      - InputLayer: {shape: [8]}
        name: input_2
      - Sequential:
          - Dense: {units: 4, use_bias: false}
            name: projection
        name: tower
    name: encoder
    from: left
  - reuse: encoder
    from: right
"""


def custom(class_name: str, name: str, *inputs: dict[str, Any]) -> dict[str, Any]:
    """A layer of a class that is not Keras's, as Keras 3 writes it."""
    return {
        "class_name": class_name,
        "module": "quantization",
        "registered_name": class_name,
        "config": {"name": name},
        "name": name,
        "inbound_nodes": [node(*inputs)],
    }


def of_shape(shape: list[int | None], name: str, output: int = 0) -> dict[str, Any]:
    """A tensor, with the shape that the file records of it."""
    made = tensor(name, output=output)
    made["config"]["shape"] = shape
    return made


def unknown_config() -> dict[str, Any]:
    """What is not known: opaque layers, sizes at run time, a shape of unknown rank, counts of null, with notes."""
    recurrent = {
        "class_name": "GRU",
        "module": "keras.layers",
        "config": {"name": "gru", "units": 4, "return_state": True, "dtype": "float16"},
        "name": "gru",
        "inbound_nodes": [node(of_shape([None, None, 8], "quantized"))],
    }
    layers = [
        entry("tokens", [None, None], "batch_shape"),
        custom("QDense", "quantized", of_shape([None, None], "tokens")),
        recurrent,
        custom("QDense", "head", of_shape([None, 4], "gru")),
    ]
    config = graph(layers, [["tokens", 0, 0]], [["head", 0, 0]])
    config["config"]["name"] = "unknown"
    return config


def hostile_config() -> dict[str, Any]:
    """Names and classes that try every output format; half a character no reader lets in."""
    name = HOSTILE.replace("\ud800", "")
    layers = [
        entry("input_1", [None, 2], "batch_shape"),
        custom(name, name, of_shape([None, 2], "input_1"), of_shape([None, 2], "input_1")),
    ]
    config = graph(layers, [["input_1", 0, 0]], [[name, 0, 0]])
    config["config"]["name"] = name
    return config


SOURCES = {
    "cnn": CNN,
    "lstm": LSTM,
    "attention": ATTENTION,
    "nested": NESTED,
    "unknown": json.dumps(unknown_config()),
    "hostile": json.dumps(hostile_config()),
}


@cache
def read(name: str) -> Report:
    """The report of a source, called as its file would be called."""
    return api.explain(api.read(SOURCES[name].encode())._replace(source=name))


NODES = ("o", "n", "t", "s", "p", "f", "name", "row", "sub", "sup", "both", "under", "frac", "root", "fence", "cases")


def hostile_everywhere() -> Report:
    """A report in which each text is hostile, names of dtypes too.

    It is made by hand since no source can have it: readers refuse such dtypes, and what they do not know has neither
    formula nor weights. Printers must not rely on that.
    """

    def hostile(value: Any) -> Any:
        if isinstance(value, str):
            return HOSTILE if value else value
        if isinstance(value, dict):
            return {key: hostile(inner) for key, inner in value.items()}
        if isinstance(value, tuple):
            kept = 1 if value and value[0] in NODES else 0  # the kind of a node of a typeset formula is no text
            kept = 3 if kept and value[0] == "fence" else len(value) if kept and value[0] in ("o", "n") else kept
            parts = [*value[:kept], *[hostile(part) for part in value[kept:]]]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        return value

    report = read("lstm")
    return report._replace(**{name: hostile(value) for name, value in vars(report).items()})


def all_rows(layers: tuple[LayerReport, ...]) -> list[LayerReport]:
    return [row for layer in layers for row in (layer, *all_rows(layer.layers))]
