"""The public functions: read a source, explain a model, explain one layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.errors import raise_any
from layerexplain.model import Model
from layerexplain.report.data import Report

if TYPE_CHECKING:
    from layerexplain.oracle.verify_report import VerifyReport
    from layerexplain.run.trace import Trace


def read(source: Any) -> Model:
    """Read an architecture.

    `source` is the path of a Keras file (.keras, .h5, config JSON) or of a YAML spec, "-" for standard input, a
    config as a dict, or a live Keras model. Nothing in it is imported or executed. Raises `LayerExplainError`.
    """
    from layerexplain import frontends

    return frontends.read_faultless(source)


def explain(
    model: Model | Any,
    *,
    inputs: Mapping[str, Sequence[int | None]] | None = None,
    detail: bool = True,
    receptive_field: bool = False,
    batch: int | None = None,
    optimizer: str | None = None,
) -> Report:
    """Explain a model, or anything that `read` takes.

    `inputs` fixes the shapes of inputs by name, without the batch: `{"tokens": (128,)}`. Without `detail` the rows
    have what `summary` shows and no explanations, which is quicker; `receptive_field` adds those, which explanations
    have anyway. A `batch` (examples at a time) or an `optimizer` ("adam", "sgd", …) fills `Report.memory`.
    `Report.to_dict()` is the JSON contract.
    Raises `LayerExplainError`, for a spec also the faults of its layers; those of a file that a program wrote are in
    `Report.faults`.
    """
    from layerexplain.report import build

    source = model if isinstance(model, Model) else read(model)
    report = build(
        source,
        inputs=inputs,
        detail=detail,
        receptive_field=receptive_field,
        batch=batch,
        optimizer=optimizer,
    )
    if source.strict:
        raise_any(report.faults)
    return report


def explain_layer(
    type_: str, /, *, input_shape: Sequence[int | None] | Sequence[Sequence[int | None]], **arguments: Any
) -> Report:
    """Explain one layer with no model at hand; arguments have Keras's names.

    `input_shape` has the batch first, as in Keras: `(None, 784)`; a list of such shapes for several inputs.
    A layer inside a layer is given as `{"LSTM": {"units": 6}}`. The report has one row.
    Raises `LayerExplainError`.
    """
    from layerexplain.network.inner_layers import layers_in
    from layerexplain.report import build_layer

    shapes: list[Any] = list(input_shape)
    if not shapes or shapes[0] is None or isinstance(shapes[0], int):
        shapes = [input_shape]
    return build_layer(
        type_, {name: layers_in(value) for name, value in arguments.items()}, [tuple(s)[1:] for s in shapes]
    )


def verify(
    source: Any,
    *,
    inputs: Mapping[str, Sequence[int | None]] | None = None,
    tolerance: float = 1e-4,
    seed: int = 0,
    drawn: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> VerifyReport:
    """Run every formula of a model in NumPy and hold shapes, weights and values against real Keras, which must be
    installed.

    `source` is whatever `read` takes, or a Model. Its own weights are used, or drawn ones where it has none or `drawn`
    is set. `tolerance` is a share of the largest value of a layer's output; `progress(done, count, path)` is called
    before each call of a layer. The report's `agrees` says whether all that was compared agrees.
    Raises `LayerExplainError`, also for a source that would run code which is not Keras's own.
    """
    from layerexplain.oracle.verify import verify as run

    return run(source, inputs=inputs, tolerance=tolerance, seed=seed, drawn=drawn, progress=progress)


def trace(
    model: Model | Any,
    inputs: Any,
    *,
    seed: int = 0,
    partial: bool = False,
    keep: Callable[[str], bool] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Trace:
    """Run a whole model in NumPy, by the formulas that are printed, and give what every layer makes.

    `model` is whatever `read` takes, or a Model; `inputs` an array, batch first, or a mapping of the names of inputs
    to arrays. The result maps `(path, call, output)` to arrays, a bare path to the first output of a layer's first
    call; its `outputs` are the model's. Weights come from the file, a layer at a time; a spec or a configuration has
    none, so that they are drawn from `seed`, and a note says so. `keep(path)` says which layers' values to keep: all,
    if it is not given. `progress(done, count, path)` is called after each call of a layer.

    Raises `LayerExplainError`, also for a layer that has no formula or whose formula cannot be computed; with
    `partial` all that does not need it is computed nonetheless.
    """
    from layerexplain.run.trace import trace as run

    return run(model, inputs, seed=seed, partial=partial, keep=keep, progress=progress)
