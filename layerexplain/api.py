"""The public functions. The command line calls these alone, as another program would.

Each imports what it needs when it is called: explaining a file loads neither NumPy nor Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ErrorGroup, LayerExplainError, each_of, raise_any
from layerexplain.model import Model as Model
from layerexplain.report.data import LayerReport as LayerReport
from layerexplain.report.data import Report as Report

if TYPE_CHECKING:
    import os

    from layerexplain.oracle.verify_report import VerifyReport as VerifyReport
    from layerexplain.report.one_layer import LayerType as LayerType
    from layerexplain.report.weight_data import WeightTable as WeightTable
    from layerexplain.run.made_inputs import GivenInput
    from layerexplain.run.trace import Trace
    from layerexplain.run.trace_report import ElementReport as ElementReport
    from layerexplain.run.trace_report import TraceReport as TraceReport

Shapes = Mapping[str, Sequence[int | None]]
"""Shapes of a model's inputs by name, without the batch: `{"tokens": (128,)}`."""

ShapesOf = Callable[[Model], Shapes]
"""Gives the shapes of a model's inputs when the model is known."""

Progress = Callable[[int, int, str], None]
"""Called as `progress(done, count, path)` for each call of a layer."""


def read(source: Any) -> Model:
    """Read an architecture. Nothing in it is imported or executed.

    Args:
        source: The path of a Keras file (.keras, .h5, config JSON) or of a YAML spec, "-" for standard input, the bytes
            of a file, a config as a dict, or a live Keras model.

    Returns:
        The model; its `faults` are the errors of single layers.

    Raises:
        LayerExplainError: if the source cannot be opened or holds no model.

    >>> model = read(b"input: [784]\\nlayers:\\n  - Dense: 10\\n")
    >>> [layer.type for layer in model.layers]
    ['InputLayer', 'Dense']
    """
    from layerexplain import frontends

    return frontends.read(source)


def explain(
    model: Model | Any,
    *,
    inputs: Shapes | ShapesOf | None = None,
    detail: bool = True,
    only: Callable[[str], bool] | None = None,
    receptive_field: bool = False,
    batch: int | None = None,
    optimizer: str | None = None,
    partial: bool = False,
) -> Report:
    """Explain a model layer by layer.

    Args:
        model: A model, or anything that `read` takes.
        inputs: The shapes of inputs by name, without the batch, where the model leaves sizes open; or what gives them
            for a model.
        detail: Whether rows have explanations. Without them they have what `summary` shows, which is quicker.
        only: Which layers are explained, by their paths; all if it is not given.
        receptive_field: Whether rows have receptive fields without `detail`; with it they have them anyway.
        batch: How many examples at a time `Report.memory` is for.
        optimizer: The optimizer ("adam", "sgd", …) that `Report.memory` is for.
        partial: Return a spec with faults too. Faults of a file that a program wrote are never raised.

    Returns:
        The report. Its `to_dict()` is the JSON contract, its `faults` are the errors of single layers.

    Raises:
        LayerExplainError: if there is no such model, if its wires or `inputs` make no graph or, without `partial`, if
            a spec has faults.

    >>> report = explain(b"input: [784]\\nlayers:\\n  - Dense: 10\\n")
    >>> report.layers[1].operation, report.totals.params
    ('dot(x, W) + b', 7850)
    """
    from layerexplain.report import build

    source = model if isinstance(model, Model) else read(model)
    try:
        report = build(
            source,
            inputs=inputs(source) if callable(inputs) else inputs,
            detail=detail,
            only=only,
            receptive_field=receptive_field,
            batch=batch,
            optimizer=optimizer,
        )
    except LayerExplainError as error:
        every = ErrorGroup([*source.faults, *each_of(error)]) if source.faults else error
        raise every.with_place(source=source.source or None) from None
    for fault in report.faults:
        fault.with_place(source=source.source or None)
    if source.strict and not partial:
        raise_any(report.faults)
    return report


def begins_with_batch(model: Model, name: str, shape: Sequence[int | None]) -> bool:
    """Tell whether the None in front of a shape that was typed for an input of a model is the batch.

    >>> begins_with_batch(read(b"layers:\\n  - Dense: 10\\n"), "input", (None, 784))
    True
    """
    from layerexplain.frontends.leading_batch import begins_with_batch as begins

    return begins(model, name, tuple(shape))


def explain_layer(
    type_: str,
    arguments_: Mapping[str, Any] | None = None,
    /,
    *,
    input_shape: Sequence[int | None] | Sequence[Sequence[int | None]],
    **arguments: Any,
) -> Report:
    """Explain one layer without a model.

    Args:
        type_: The name of the layer's class.
        arguments_: Its arguments as a mapping, for those that this function uses itself.
        input_shape: The shape of its input, batch first as in Keras; a list of shapes for several inputs.
        **arguments: Its arguments, with Keras's names. A layer inside a layer is given as `{"LSTM": {"units": 6}}`.

    Returns:
        A report with one row.

    Raises:
        LayerExplainError: if there is no such layer, or if it does not take such arguments or inputs.

    >>> explain_layer("Dense", units=10, input_shape=(None, 784)).layers[0].params
    7850
    """
    from layerexplain.network.inner_layers import layers_in
    from layerexplain.report.one_layer import build_layer

    shapes: list[Any] = list(input_shape)
    if not shapes or shapes[0] is None or isinstance(shapes[0], int):
        shapes = [input_shape]
    given = {**(arguments_ or {}), **arguments}
    return build_layer(type_, {name: layers_in(value) for name, value in given.items()}, [tuple(s)[1:] for s in shapes])


def layer_types() -> Mapping[str, Sequence[tuple[str, str, str]]]:
    """List the layer types by family: of each its name, its arguments and what it does.

    >>> layer_types()["core"][0][0]
    'Activation'
    """
    from layerexplain.layers.registry import families

    return families()


def layer_type(type_: str) -> LayerType:
    """Tell what a layer type takes, with an example.

    Raises:
        ArgumentError: if there is no such type; the message names the one that may be meant.

    >>> layer_type("Dense").first, layer_type("Dense").example
    ('units', ('units=16',))
    """
    from layerexplain.report.one_layer import layer_type as told

    return told(type_)


def optimizers() -> tuple[str, ...]:
    """List the optimizers that `explain` knows the memory of.

    >>> optimizers()[:2]
    ('none', 'sgd')
    """
    from layerexplain.report.optimizers import SLOTS

    return tuple(SLOTS)


def list_weights(
    source: str | os.PathLike[str] | bytes,
    *,
    stats: bool = False,
    inputs: Shapes | ShapesOf | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WeightTable:
    """List every weight tensor of a source: where it is stored, its shape, and how to reach it in Keras.

    Args:
        source: A Keras file, a file of weights alone, or the bytes of one. A config or spec, which stores none, has the
            weights that its layers need.
        stats: Whether the values are read, one tensor at a time, for their statistics.
        inputs: The shapes of inputs by name, without the batch, or what gives them for a model.
        progress: Called as `progress(done, count)` when tensors have been read.

    Raises:
        LayerExplainError: if the source cannot be opened or has neither a model nor weights.

    >>> [(row.layer, row.name) for row in list_weights(b"input: [784]\\nlayers:\\n  - Dense: 10\\n").weights]
    [('dense', 'kernel'), ('dense', 'bias')]
    """
    from layerexplain.report.weight_table import weight_table

    shapes: Any = inputs if inputs is None or callable(inputs) else lambda _: inputs
    return weight_table(source, stats=stats, inputs=shapes, progress=progress)


def verify(
    source: Any,
    *,
    inputs: Shapes | ShapesOf | None = None,
    tolerance: float = 1e-4,
    seed: int = 0,
    drawn: bool = False,
    progress: Progress | None = None,
) -> VerifyReport:
    """Run every formula of a model in NumPy and compare shapes, weights and values with real Keras.

    Args:
        source: Whatever `read` takes, or a Model. Keras must be installed.
        inputs: The shapes of inputs by name, without the batch, or what gives them for a model.
        tolerance: How far a value may be off, as a share of the largest value of a layer's output.
        seed: What inputs, and weights where they are drawn, are drawn from.
        drawn: Whether weights are drawn although the source has its own.
        progress: Called before each call of a layer.

    Returns:
        The report. Its `agrees` says whether all that was compared agrees.

    Raises:
        LayerExplainError: if there is no such model, or if it would run code that is not Keras's own.
    """
    from layerexplain.oracle.verify import verify as run

    if callable(inputs):
        inputs = inputs(source if isinstance(source, Model) else read(source))
    return run(source, inputs=inputs, tolerance=tolerance, seed=seed, drawn=drawn, progress=progress)


def trace(
    model: Model | Any,
    inputs: Any,
    *,
    seed: int = 0,
    partial: bool = False,
    keep: Callable[[str], bool] | None = None,
    progress: Progress | None = None,
) -> Trace:
    """Run a whole model in NumPy, by the formulas that are printed, and return what every layer outputs.

    Args:
        model: A Model, or whatever `read` takes. Weights come from the file, a layer at a time; a spec or a
            configuration has none, so that they are drawn, and a note says so.
        inputs: An array, batch first, or a mapping of the names of inputs to arrays.
        seed: What weights are drawn from.
        partial: Whether all that does not need it is computed where a layer has no values.
        keep: Which layers' values are kept, by their paths; all if it is not given.
        progress: Called after each call of a layer.

    Returns:
        A mapping of `(path, call, output)` to arrays; a bare path is the first output of a layer's first call. Its
        `outputs` are the model's.

    Raises:
        LayerExplainError: if there is no such model or, without `partial`, if a layer's formula is not known or cannot
            be computed.
    """
    from layerexplain.run.trace import trace as run

    return run(model, inputs, seed=seed, partial=partial, keep=keep, progress=progress)


def make_inputs(
    model: Model, given: Sequence[str] = (), *, sizes: Mapping[str, Any] | None = None, batch: int = 1
) -> Sequence[GivenInput]:
    """Make the arrays for `trace_statistics` and `trace_element`.

    Args:
        model: The model that gets them.
        given: What inputs get, as `[NAME=]WHAT`: a file FILE.npy or FILE.npz, "zeros", "ones" or "random[:SEED]"; an
            input that is not given is random.
        sizes: The shapes of inputs by name, without the batch, where the model leaves them open.
        batch: The number of examples in generated inputs.

    Raises:
        LayerExplainError: if a file cannot be read, or if an array does not fit the model.
    """
    from layerexplain.run.made_inputs import made_inputs

    return made_inputs(model, given, dict(sizes or {}), batch)


def trace_statistics(
    source: Any,
    model: Model,
    inputs: Sequence[GivenInput],
    *,
    seed: int = 0,
    partial: bool = False,
    wanted: Callable[[str], bool] | None = None,
    save: str | None = None,
    progress: Progress | None = None,
) -> TraceReport:
    """Run a model as `trace` does, but keep only statistics of what each layer outputs.

    Args:
        source: What the weights are read from: whatever `read` takes.
        model: What `read` gave for it.
        inputs: What `make_inputs` gave.
        seed, partial, progress: As for `trace`.
        wanted: Which layers are listed, by their paths; all if it is not given.
        save: A file .npz for their arrays.
    """
    from layerexplain.run.trace_results import trace_report

    return trace_report(source, model, inputs, seed=seed, partial=partial, wanted=wanted, save=save, progress=progress)


def trace_element(
    source: Any,
    model: Model,
    inputs: Sequence[GivenInput],
    path: str,
    index: Sequence[int],
    *,
    call: int = 0,
    output: int = 0,
    seed: int = 0,
    keras: bool | None = None,
    progress: Progress | None = None,
) -> ElementReport:
    """Work out one element of a layer's output: its formula, and every number in it.

    Args:
        source, model, inputs, seed, progress: As for `trace_statistics`.
        path: The names that lead to the layer, with slashes between them.
        index: The element, batch first; negative numbers count from the end.
        call: Which call of the layer, from 0.
        output: Which output of the layer, from 0.
        keras: Whether real Keras computes it too; None if it is installed.

    Raises:
        LayerExplainError: if there is no such element, or if the layer is not written element by element.
    """
    from layerexplain.oracle.keras_value import keras_is_installed, keras_output
    from layerexplain.run.trace_results import element_report

    oracle = keras_output if keras or (keras is None and keras_is_installed()) else None
    return element_report(
        source, model, inputs, path, index, call=call, output=output, seed=seed, oracle=oracle, progress=progress
    )


def format_report(
    report: Report | WeightTable | VerifyReport | TraceReport | ElementReport,
    format: str = "table",
    *,
    explain: bool = False,
    nested: bool = False,
    columns: Sequence[str] | None = None,
    width: int | None = None,
    color: bool = False,
    ascii: bool = False,
) -> str:
    """Print any report as the command line does.

    Args:
        report: What a function of this module returned.
        format: "table", "json", "jsonl", "csv", "tsv" or "markdown".
        explain: Of a `Report`, print the explanations and not a row a layer.
        nested: Of a `Report`, also the layers inside nested models.
        columns: The columns of a table, in this order, where it can be chosen.
        width: How many columns text is to fit in; None wraps nothing.
        color: Whether text is coloured for a terminal.
        ascii: Whether signs that are not ASCII are spelt out.

    >>> report = explain(b"name: net\\ninput: [784]\\nlayers:\\n  - Dense: 10\\n", detail=False)
    >>> print(format_report(report, "csv", columns=["layer", "params"]))
    layer,params
    input,0
    dense,7850
    <BLANKLINE>
    """
    from layerexplain.render.formats import printed
    from layerexplain.render.layout import Look
    from layerexplain.render.sheets import sheet_of

    chosen = None if columns is None else tuple(columns)
    sheet = sheet_of(report, explain=explain, nested=nested, columns=chosen)
    return printed([sheet], format, Look(width, color, ascii))
