"""The columns of a catalogue: the contract of its two tables, in every format."""

from __future__ import annotations

from typing import Any, Literal

from layerexplain.records import NamedTuple

VERSION = 1
"""The version of the columns; it grows when one is renamed, removed or changes its meaning, not when one is added."""

Kind = Literal["text", "count", "time", "texts", "counts", "shapes", "tensors"]
"""What a cell holds: a text; a whole number; a time in UTC (in JSON and CSV as 2026-11-26T15:00:00Z); a list of texts;
whole numbers by name; shapes, lists of sizes, a list each; tensors, each with its name, shape and dtype. A size that is
not known is null."""


class Field(NamedTuple):
    """A column. `always` says that it is never null."""

    name: str
    kind: Kind
    meaning: str
    always: bool = False


MODEL_COLUMNS = (
    Field("schema", "count", "The version of these columns.", always=True),
    Field("source", "text", "Its path or URL; for code with several models `train.py:encoder`.", always=True),
    Field("size", "count", "Bytes of the file; null for a directory."),
    Field("modified", "time", "When the file was last changed, if known."),
    Field("format", "text", "The format: `keras-archive`, `h5`, `config-json`, `yaml-spec`, `code`, …"),
    Field("keras_version", "text", "The version of Keras that wrote it, if the file says so."),
    Field("name", "text", "The name of the model."),
    Field("type", "text", "`Functional`, `Sequential` or the class of the model."),
    Field("grade", "text", "How certain the reading of code is: `complete`, `assumed` or `open`."),
    Field("inputs", "tensors", "The inputs: names, shapes with the batch first, dtypes."),
    Field("outputs", "tensors", "The outputs, by the names of their layers."),
    Field("layers", "count", "Number of layers, including those in nested models."),
    Field("params", "count", "Parameters."),
    Field("trainable", "count", "Trainable parameters."),
    Field("non_trainable", "count", "Non-trainable parameters."),
    Field("macs", "count", "Multiply-accumulates per example."),
    Field("flops", "count", "Floating-point operations per example: 2 × MACs plus element-wise operations."),
    Field("weight_bytes", "count", "Bytes of the weights."),
    Field("activation_bytes", "count", "Bytes per example of the outputs of all layers, which training saves."),
    Field("peak_bytes", "count", "Largest memory in use at once at inference, in bytes per example."),
    Field("inference_bytes", "count", "`weight_bytes` + `peak_bytes`."),
    Field("dtypes", "texts", "The dtypes of inputs, weights, activations and outputs."),
    Field("layer_types", "counts", "Number of layers of each type, including those in nested models."),
    Field("opaque", "texts", "Types of layers whose formula is not known."),
    Field("notes", "texts", "The codes of its notes."),
    Field("optimizer", "text", "The optimizer that it was compiled with."),
    Field("losses", "texts", "The losses that it was compiled with."),
    Field("architecture", "text", "A hash of the graph, independent of names, file format and version."),
    Field("family", "text", "A hash of layer types and connections alone, independent of sizes."),
    Field("error", "text", "Why the model, or a part of it, could not be read; null if it could."),
)  # fmt: skip

LAYER_COLUMNS = (
    Field("source", "text", "The `source` of its model.", always=True),
    Field("model", "text", "The name of its model."),
    Field("number", "count", "The number of the row in its model, from 0.", always=True),
    Field("layer", "text", "The name of the layer.", always=True),
    Field("type", "text", "Its class, or the operation.", always=True),
    Field("path", "text", "Its path: `encoder/dense` is the layer `dense` in the nested model `encoder`.", always=True),
    Field("depth", "count", "0 for the model's own layers, 1 in a nested model, …", always=True),
    Field("operation", "text", "What it computes, in one line.", always=True),
    Field("inbound", "texts", "The paths of the layers that feed its first call.", always=True),
    Field("input_shapes", "shapes", "The input shapes of its first call, batch first."),
    Field("output_shapes", "shapes", "Its output shapes."),
    Field("weights", "tensors", "Its weights: names below the layer, shapes, dtypes.", always=True),
    Field("params", "count", "Parameters; a nested model's are counted in its row and in the rows of its layers."),
    Field("trainable", "count", "Trainable parameters."),
    Field("non_trainable", "count", "Non-trainable parameters."),
    Field("macs", "count", "Multiply-accumulates per example, of all its calls."),
    Field("flops", "count", "Floating-point operations per example, of all its calls."),
    Field("notes", "texts", "The codes of its notes.", always=True),
    Field("place", "text", "Its line in the code or the spec: `train.py:41`."),
)  # fmt: skip

_SHAPE = {"type": ["array", "null"], "items": {"type": ["integer", "null"], "minimum": 0}}
_TENSOR = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "shape": _SHAPE, "dtype": {"type": ["string", "null"]}},
    "required": ["name", "shape", "dtype"],
    "additionalProperties": False,
}
_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "count": {"type": "integer", "minimum": 0},
    "time": {"type": "string", "format": "date-time"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "counts": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},
    "shapes": {"type": "array", "items": _SHAPE},
    "tensors": {"type": "array", "items": _TENSOR},
}


def json_schema() -> dict[str, Any]:
    """Return the contract as a JSON Schema, docs/catalogue.schema.json: a row of either table."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A row of a catalogue: a model or a layer",
        "anyOf": [{"$ref": "#/$defs/model"}, {"$ref": "#/$defs/layer"}],
        "$defs": {"model": _object(MODEL_COLUMNS), "layer": _object(LAYER_COLUMNS)},
    }


def _object(columns: tuple[Field, ...]) -> dict[str, Any]:
    properties = {}
    for column in columns:
        type_ = _TYPES[column.kind]
        kind = type_ if column.always else {**type_, "type": [type_["type"], "null"]}
        properties[column.name] = {**kind, "description": column.meaning}
    properties.get("schema", {}).update({"const": VERSION})
    return {
        "type": "object",
        "properties": properties,
        "required": [column.name for column in columns],
        "additionalProperties": False,
    }
