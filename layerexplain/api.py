"""The public functions: read a source, explain a model, explain one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.model import Model
from layerexplain.report.data import Report


def read(source: Any) -> Model:
    """Read an architecture.

    `source` is the path of a Keras file (.keras, .h5, config JSON) or of a YAML spec, "-" for standard input, a
    config as a dict, or a live Keras model. Nothing in it is imported or executed. Raises `LayerExplainError`.
    """
    from layerexplain import readers

    return readers.read(source)


def explain(
    model: Model | Any, *, inputs: Mapping[str, Sequence[int | None]] | None = None, detail: bool = True
) -> Report:
    """Explain a model, or anything that `read` takes.

    `inputs` fixes the shapes of inputs by name, without the batch: `{"tokens": (128,)}`. Without `detail` the rows
    have what `summary` shows and no explanations, which is quicker. `Report.to_dict()` is the JSON contract.
    Raises `LayerExplainError`.
    """
    from layerexplain.report import build

    return build(model if isinstance(model, Model) else read(model), inputs=inputs, detail=detail)


def explain_layer(
    type_: str, /, *, input_shape: Sequence[int | None] | Sequence[Sequence[int | None]], **arguments: Any
) -> Report:
    """Explain one layer with no model at hand; arguments have Keras's names.

    `input_shape` has the batch first, as in Keras: `(None, 784)`; a list of such shapes for several inputs.
    A layer inside a layer is given as `{"LSTM": {"units": 6}}`. The report has one row.
    Raises `LayerExplainError`.
    """
    from layerexplain.report import build_layer
    from layerexplain.report.nesting import layers_in

    shapes: list[Any] = list(input_shape)
    if not shapes or shapes[0] is None or isinstance(shapes[0], int):
        shapes = [input_shape]
    return build_layer(
        type_, {name: layers_in(value) for name, value in arguments.items()}, [tuple(s)[1:] for s in shapes]
    )
