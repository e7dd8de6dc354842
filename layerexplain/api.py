"""The functions that users call, one for each command (hence the length). The command line calls them too, as another
program would.

What is one part's work is that part's own function, loaded on first use (`_HOMES`); here are those that join several
parts. Explaining a file loads neither NumPy nor Keras.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from layerexplain.errors import ArgumentError, ErrorGroup, LayerExplainError, ShapeError, each_of, names_in, raise_any
from layerexplain.model import InputShapes, InputShapesOf
from layerexplain.model import Model as Model
from layerexplain.report.data import LayerReport as LayerReport
from layerexplain.report.report import Report as Report
from layerexplain.report.rows import print_with

if TYPE_CHECKING:
    from layerexplain.catalogues.run import Catalogued as Catalogued
    from layerexplain.catalogues.run import CatalogueProgress as CatalogueProgress
    from layerexplain.catalogues.run import catalogue as catalogue
    from layerexplain.checks.findings import CheckReport as CheckReport
    from layerexplain.converted import Converted as Converted
    from layerexplain.converted import convert as convert
    from layerexplain.frontends import read as read
    from layerexplain.frontends.own_layers import Code
    from layerexplain.layer_names import Layers
    from layerexplain.oracle.one_element import gradient_element as gradient_element
    from layerexplain.oracle.one_element import trace_element as trace_element
    from layerexplain.oracle.verify import verify as verify
    from layerexplain.oracle.verify_report import VerifyReport as VerifyReport
    from layerexplain.render.page.shell import Page as Page
    from layerexplain.render.printing import format_report as format_report
    from layerexplain.report.comparison import Comparison as Comparison
    from layerexplain.report.memory import optimizers as optimizers
    from layerexplain.report.one_layer import LayerType as LayerType
    from layerexplain.report.one_layer import layer_type as layer_type
    from layerexplain.report.one_layer import layer_types as layer_types
    from layerexplain.report.weight_table import Progress
    from layerexplain.report.weight_table import WeightTable as WeightTable
    from layerexplain.report.weight_table import list_weights as list_weights
    from layerexplain.run.checking import check as check
    from layerexplain.run.gradient_report import GradientTrace as GradientTrace
    from layerexplain.run.gradient_results import gradient_statistics as gradient_statistics
    from layerexplain.run.input_option import make_inputs as make_inputs
    from layerexplain.run.page_program import PageProgram
    from layerexplain.run.trace import trace as trace
    from layerexplain.run.trace import trace_statistics as trace_statistics
    from layerexplain.run.trace_report import ElementReport as ElementReport
    from layerexplain.run.trace_report import TraceReport as TraceReport

_HOMES = {
    "catalogue": "catalogues.run",
    "Catalogued": "catalogues.run",
    "check": "run.checking",
    "CheckReport": "checks.findings",
    "Comparison": "report.comparison",
    "convert": "converted",
    "Converted": "converted",
    "format_report": "render.printing",
    "gradient_element": "oracle.one_element",
    "gradient_statistics": "run.gradient_results",
    "layer_type": "report.one_layer",
    "layer_types": "report.one_layer",
    "list_weights": "report.weight_table",
    "make_inputs": "run.input_option",
    "optimizers": "report.memory",
    "read": "frontends",
    "trace": "run.trace",
    "trace_element": "oracle.one_element",
    "trace_statistics": "run.trace",
    "verify": "oracle.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"layerexplain.{_HOMES[name]}"), name)


def _shapes(model: Model, inputs: InputShapes | InputShapesOf | None) -> InputShapes:
    """Return the shapes that are given for a model's inputs; few runs are given any, and read how they are written."""
    given = inputs(model) if callable(inputs) else inputs
    if not given:
        return {}
    from layerexplain.frontends.input_shapes import shapes_for

    return shapes_for(model, (lambda _: given) if callable(inputs) else given)


def explain(
    source: Model | Any,
    *,
    layers: Layers | None = None,
    inputs: InputShapes | InputShapesOf | None = None,
    detail: bool = True,
    gradient: bool = False,
    receptive_field: bool = False,
    batch: int | None = None,
    optimizer: str | None = None,
    training: bool | Mapping[str, Any] = False,
    backward: bool = False,
    code: Code = (),
    partial: bool = False,
    dtype: str | None = None,
    weights_dtype: str | None = None,
    hardware: str | None = None,
) -> Report:
    """Explain a model layer by layer.

    Args:
        source: A model, or anything that `read` takes.
        layers: Which layers are explained: a name or pattern ("conv*"), several, or a function of the path of a layer.
            All if it is not given. The others have a row without an explanation.
        inputs: The shapes of inputs by name, where the model leaves sizes open: `{"tokens": (128,)}`. A leading None is
            the batch; a shape without one has no batch. A text names a size: of `{"image": ("H", "W", 3)}` shapes,
            counts and costs are expressions of H and W. Or a function that gives the shapes for a model.
        detail: Whether rows have explanations. Without them they have what `summary` shows, which is quicker.
        gradient: Whether explained rows have the gradients of the layer as well.
        receptive_field: Whether rows have receptive fields without `detail`; with it they have them anyway.
        batch: How many examples at a time `Report.memory` is for.
        optimizer: The optimizer ("adam", "sgd", …) that `Report.memory` is for; `optimizers` lists them.
        training: Whether `Report.training` has the formulas of a training step; or what the model is trained with,
            in place of what its source says: `{"loss": "mse", "optimizer": {"Adam": {"learning_rate": 0.01}}}`.
        backward: Whether rows and `Report.step_cost` have what a training step costs.
        code: Files that say what custom layers of the source compute: YAML with `define:`, or Python, which is only
            read.
        partial: Return a spec with faults too. Faults of a file that a program wrote are never raised.
        dtype: The dtype of the cache and the activations of a language model when it runs, such as "bf16".
            `Report.serving` then has what that takes.
        weights_dtype: The dtype of its weights, such as "int4".
        hardware: The machine that it runs on: "80GB, 2.0TB/s, 990TFLOP/s".

    Returns:
        The report, a sequence of its layers. Its `faults` are the errors of single layers. Shapes have the batch first;
        None is a size that is known only at run time.

    Raises:
        LayerExplainError: if there is no such model, layer or input, if the inputs do not fit or, without `partial`, if
            a spec has faults.

    >>> report = explain(b"name: net\\ninput: [784]\\nlayers:\\n  - Dense: 10\\n")
    >>> report
    <Report of 'net' (<bytes>): 2 layers, 7,850 parameters>
    >>> report["dense"].operation, report["dense"].output_shapes
    ('dot(x, W) + b', ((None, 10),))
    """
    from layerexplain.frontends import model_of
    from layerexplain.report import build

    if not detail and (gradient or layers is not None):
        raise ArgumentError("gradient and layers need explanations and cannot be used with detail=False")
    serve = None
    if (dtype, weights_dtype, hardware) != (None, None, None):
        from layerexplain.report.serving import asked_of

        serve = asked_of(dtype, weights_dtype, hardware)
    model = model_of(source, code)
    chosen = None
    if layers is not None:
        from layerexplain.layer_names import chosen_layers

        chosen = chosen_layers(model, layers)
    make = functools.partial(
        build,
        detail=detail,
        gradient=gradient,
        layers=chosen,
        receptive_field=receptive_field,
        batch=batch,
        optimizer=optimizer,
        training=bool(training) or isinstance(training, Mapping),
        backward=backward,
        serve=serve,
    )

    def trained(model: Model) -> Model:
        if not isinstance(training, Mapping):
            return model
        from layerexplain.frontends.training import trained_with

        return trained_with(model, training)

    def at(model: Model, shapes: InputShapes) -> Report:
        return make(trained(model), inputs=shapes)

    try:
        shapes = _shapes(model, inputs)
        report = _named(model, shapes, at) or at(model, shapes)
    except LayerExplainError as error:
        every = ErrorGroup([*model.faults, *each_of(error)]) if model.faults else error
        raise every.with_place(source=model.source or None) from None
    for fault in report.faults:
        fault.with_place(source=model.source or None)
    if model.strict and not partial:
        raise_any(report.faults)
    return report


def _named(
    model: Model, shapes: Mapping[str, Sequence[Any]], make: Callable[[Model, InputShapes], Report]
) -> Report | None:
    """Return the report of a model with sizes that have names; None where there are none."""
    has_names = any(isinstance(size, str) for shape in shapes.values() for size in shape)
    if not has_names and (model.source_code is None or not model.source_code.missing):
        return None
    from layerexplain.report.missing_sizes import report_with_names

    return report_with_names(model, shapes, make)


def explain_layer(
    type_: str,
    /,
    *arguments_: Any,
    input_shape: Sequence[int | None] | Sequence[Sequence[int | None]] | None = None,
    gradient: bool = False,
    code: Code = (),
    **arguments: Any,
) -> Report:
    """Explain one layer without a model.

    Args:
        type_: The name of the layer's class, or a call of it: `Conv2D(16, 3)`.
        arguments_: Its first arguments, as its class takes them. Or all as one mapping, for those that this function
            uses itself.
        input_shape: The shape of its input, that of the type's example if it is not given; a list of shapes for several
            inputs. A leading None is the batch, and a
            shape without one has no batch: (784,) and (None, 784) are the same. Of a part of training it is the shape
            of an output (a loss) or of a weight (an optimizer, a regularizer, a constraint). A text names a size, here
            and in arguments that are sizes: `explain_layer("Dense", units="u", input_shape=("m",))`.
        gradient: Whether to derive its gradients as well.
        code: Files that define custom layers, of which it may be one.
        **arguments: Its arguments, with Keras's names. A layer inside a layer is given as `{"LSTM": {"units": 6}}`.

    Returns:
        A report with one row.

    Raises:
        LayerExplainError: if there is no such layer, or if it does not take such arguments or inputs.

    >>> explain_layer("Dense", units=10, input_shape=(784,)).layers[0].params
    7850
    >>> explain_layer("Conv2D", 16, 3, input_shape=(28, 28, 3))[0].output_shapes
    ((None, 26, 26, 16),)
    >>> explain_layer("Dense", units=3, input_shape=(32, 784)).layers[0].output_shapes
    ((None, 32, 3),)
    """
    from layerexplain.frontends.own_layers import read_own_layers
    from layerexplain.report.one_layer import as_asked, as_called, build_layer, declared
    from layerexplain.report.size_names import (
        named_report,
        names_in_arguments,
        names_in_shapes,
        with_named_arguments,
        with_sizes,
    )

    type_, typed = as_called(type_, arguments_, arguments, code)
    given, shapes = as_asked(type_, typed, input_shape, code)
    declaration = declared(type_, read_own_layers(code))
    named = names_in_arguments(declaration, given)
    names = tuple(dict.fromkeys([*named, *names_in_shapes(shapes)]))
    if not names:
        try:
            return build_layer(type_, given, shapes, code=code, gradient=gradient)
        except ShapeError:
            if input_shape is not None:
                raise
        raise ArgumentError(
            f"{type_} needs the shape of its input with these arguments; give input_shape, without batch"
        )

    def make(sizes: Mapping[str, int], detail: bool = True) -> Report:
        inputs = [with_sizes(shape, sizes) for shape in shapes]
        known = with_named_arguments(given, {name: sizes[name] for name in named})
        return build_layer(type_, known, inputs, code=code, gradient=gradient and detail, detail=detail)

    return named_report(make, functools.partial(make, detail=False), names, named)


_LARGEST_LAYER_PAGE = 1_000_000


def layer_page(
    type_: str,
    /,
    *arguments_: Any,
    input_shape: Sequence[int | None] | Sequence[Sequence[int | None]] | None = None,
    gradient: bool = False,
    code: Code = (),
    progress: Progress | None = None,
    **arguments: Any,
) -> Page:
    """Make the page of one layer, on which its arguments are changed: what it computes, reads and costs follows.

    Every size is a slider, those of the input too. What the page says of a layer is derived for all sizes that go the
    same way through its rules: at most 80 such cases, and fewer where the page would have more than a megabyte. For
    three times as many it has the numbers alone. Of sizes that the layer refuses it says why, and of others that it
    does not hold that it does not. It works offline.

    Args:
        type_, arguments_, input_shape, gradient, code, **arguments: As `explain_layer` takes them.
        progress: Called after each case.

    Returns:
        The page as text, which a notebook shows.

    Raises:
        LayerExplainError: as `explain_layer` does.

    >>> layer_page("Dense", units=10, input_shape=(784,))[:15]
    '<!doctype html>'
    """
    from layerexplain.render.page.layer_data import shown_layer, what_if_data
    from layerexplain.render.page.shell import shell
    from layerexplain.report.one_layer import as_asked, as_called, layer_type
    from layerexplain.report.what_if import MOST_CASES, what_if

    type_, typed = as_called(type_, arguments_, arguments, code)
    given, shapes = as_asked(type_, typed, input_shape, code)
    entry = layer_type(type_, code)
    most = MOST_CASES
    while True:
        result = what_if(
            type_, given, shapes, gradient=gradient, code=code, most=most, show=shown_layer, progress=progress
        )
        data = what_if_data(entry, result, typed)
        html = shell(data, data["model"]["title"], "what_if", ("one_layer",))
        if len(html) <= _LARGEST_LAYER_PAGE or most == 1:
            return html
        most //= 2


def diff(
    before: Model | Any,
    after: Model | Any,
    *,
    inputs: InputShapes | InputShapesOf | None = None,
    code: Code = (),
    weights: bool = False,
) -> Comparison:
    """Compare two models, of any formats and Keras versions.

    Args:
        before: What `read` takes, or a model that it returned; "/dev/null" for no model, so that all layers are added.
        after: The same of the other model.
        inputs: Shapes of inputs by name, without the batch, for those that the models leave open.
        code: Files that say what custom layers of the two compute.
        weights: Whether the values of the weights are compared too; the sources must be files that store them, or live
            models.

    Returns:
        The layers that differ, and what follows from it.

    Raises:
        LayerExplainError: One of them cannot be read, or a layer of a spec is at fault.

    >>> one, other = (b"input: [4]\\nlayers:\\n  - Dense: %d\\n" % units for units in (3, 5))
    >>> changed = diff(one, other)["dense"].differences[0]
    >>> changed.what, changed.before, changed.after
    ('units', '3', '5')
    """
    from layerexplain.frontends import model_of
    from layerexplain.report.comparison import NO_MODEL, compare, is_no_model

    item, other = (NO_MODEL if is_no_model(model) else model_of(model, code) for model in (before, after))
    first, second = (
        (model, explain(model, inputs=inputs if model is not NO_MODEL else None, detail=False))
        for model in (item, other)
    )
    if not weights or NO_MODEL in (item, other):
        return compare(first, second)
    from layerexplain.run.weight_source import weight_changes

    with weight_changes((before, after), (item, other)) as values:
        return compare(first, second, values)


def draw(
    source: Model | Report | Any,
    form: str | os.PathLike[str] = "svg",
    *,
    fold: bool = True,
    depth: int = 0,
    show: str | Sequence[str] = ("type", "shapes", "params"),
    theme: str = "light",
    horizontal: bool = False,
    inputs: InputShapes | InputShapesOf | None = None,
    code: Code = (),
) -> str | bytes:
    """Draw the graph of a model.

    Args:
        source: A model, its report, or anything that `read` takes.
        form: "svg", "dot" or "mmd" (Mermaid), which are text; "png" or "pdf", which are bytes and need the extra
            `draw`. Or the file to write, whose ending says which: "model.svg".
        fold: Whether what repeats is drawn once, and layers that a name holds together are one box.
        depth: How deep boxes that hold others (blocks, nested models) are open; 0 opens none.
        show: What a box shows besides the name of its layer: "type", "shapes", "params", "formulas".
        theme: The colours of SVG, PNG and PDF: "light" or "dark".
        horizontal: Whether the graph runs from left to right.
        inputs, code: As `explain` takes them; a report has them already.

    Returns:
        The picture, which a notebook shows: text, or bytes of "png" and "pdf".

    Raises:
        LayerExplainError: as `explain` does, for an unknown form, theme or name in `show`, and where the extra is
            missing.

    >>> picture = draw(b"input: [784]\\nlayers:\\n  - Dense: 10\\n", "dot")
    >>> print(picture.splitlines()[-2])
      n0 -> n1 [label="(None, 784)"];
    """
    from layerexplain.render.graph.forms import drawn, must_be_drawn

    _refuse_with_report(source, inputs=inputs, code=code)
    shown = names_in(show)
    path = os.fspath(form)
    form = path.rpartition(".")[2].lower()
    must_be_drawn(form, depth, shown, theme)
    report = source if isinstance(source, Report) else explain(source, inputs=inputs, detail=False, code=code)
    picture = drawn(report.layers, form, fold, depth, shown, theme, horizontal)
    return _written(picture, path) if path != form else picture


_Text = TypeVar("_Text", bound=str | bytes)


def _written(content: _Text, path: str | os.PathLike[str] | None) -> _Text:
    """Write what a function returns to a file, if there is to be one."""
    if path is not None:
        from layerexplain.files.replacing import replacing, writing

        with replacing(os.fspath(path)) as file, writing(os.fspath(path)):
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
    return content


def _refuse_with_report(source: Any, **given: Any) -> None:
    """Raise ArgumentError for arguments that only the making of a report could follow."""
    for name, value in given.items() if isinstance(source, Report) else ():
        if value:
            raise ArgumentError(f"{name} cannot be used with a report; give the model itself")


def page(
    source: Model | Report | Any,
    path: str | os.PathLike[str] | None = None,
    *,
    fold: bool = True,
    gradient: bool = False,
    inputs: InputShapes | InputShapesOf | None = None,
    code: Code = (),
    values: Any = None,
    layers: Layers | None = None,
    max_values: int | None = None,
    name: str | None = None,
    weights: Literal["half", "f32", "none"] = "half",
    labels: Sequence[str] = (),
    vocabulary: Sequence[str] = (),
    overlay: Mapping[str, Any] | None = None,
    vs: Model | Any = None,
    report: Report | None = None,
) -> Page:
    """Make the page of a model: its graph, and each layer explained, in one HTML file that works offline.

    Args:
        source: A model, its report, or anything that `read` takes.
        path: The file to write, if one is to be written.
        fold: Whether what repeats is drawn once, and layers that a name holds together are one box.
        gradient: Whether layers have their gradients as well.
        inputs, code: As `explain` takes them; a report has them already.
        values: What the inputs get, as `trace` takes it, or as `make_inputs` gives it: what the page begins with. A
            page that does not run the model has the values of its layers. A report has no weights to run.
        layers: With `values`, which layers have them, as `explain` takes it. With it, or with `max_values`, the page
            has these values and does not run the model.
        max_values: How many bytes the arrays of numbers in the page may have; what does not fit is left out, and the
            page says so.
        name: What the page calls the file that the model is from; its path if it is not given.
        weights: The precision of the weights in the page, with which it runs the model; with "none" it does not run it.
        labels: Words for the numbers of the output, in their order.
        vocabulary: Words for the ids of the input, in their order.
        overlay: Numbers of one's own by the paths of layers, which colour the graph: {"conv1": 1.25}; or with a title
            and how those of a box are combined: {"title": "latency (ms)", "combine": "max", "values": {"conv1": 1.25}}.
        vs: Another model, as `source` is given: the page then shows the two side by side, and what differs. It runs
            both on one input where it can run each; `values` are then what that begins with.
        report: The report of the model, if it is there already.

    Returns:
        The page as text, which a notebook shows.

    Raises:
        LayerExplainError: as `explain` does.

    >>> page(b"input: [784]\\nlayers:\\n  - Dense: 10\\n")[:15]
    '<!doctype html>'
    """
    from layerexplain.frontends import read_for_weights
    from layerexplain.frontends.input_shapes import shapes_for
    from layerexplain.render.page.data import page_of
    from layerexplain.render.page.layer_data import comparison_page
    from layerexplain.run.page_program import NoProgram, PageProgram, page_program
    from layerexplain.run.page_values import MOST_BYTES, page_values, shapes_of, shared_values

    _refuse_with_report(source, gradient=gradient, inputs=inputs, code=code, values=values is not None)
    if values is None and (layers is not None or max_values is not None):
        raise ArgumentError("layers and max_values choose among the values of a run; give values too")
    if vs is not None:
        if layers is not None or max_values is not None or overlay is not None:
            raise ArgumentError("layers, max_values and overlay are for the page of one model; vs makes one of two")
        stores, models = zip(*[read_for_weights(item, code) for item in (source, vs)], strict=True)
        given = [None, None] if values is None else shared_values(models, values)
        shapes = [
            inputs if entry is None else shapes_of(model, entry) for model, entry in zip(models, given, strict=True)
        ]
        reports = [
            explain(other, gradient=gradient, inputs=of, code=code) for other, of in zip(models, shapes, strict=True)
        ]
        changes = diff(models[0], models[1], inputs=shapes[0] if shapes[0] == shapes[1] else inputs, code=code)
        programs = [
            NoProgram("--precision is none")
            if weights == "none"
            else page_program(stored, model, shapes_for(model, of), item.totals.params, precision=weights, inputs=begin)
            for stored, model, of, item, begin in zip(stores, models, shapes, reports, given, strict=True)
        ]
        runs = [_with_words(item, labels, vocabulary) for item in programs if isinstance(item, PageProgram)]
        reasons = [item.reason if isinstance(item, NoProgram) else "" for item in programs]
        return _written(comparison_page(reports, changes, fold, runs, reasons), path)
    if isinstance(source, Report):
        named = source if name is None else source._replace(source=name)
        return _written(page_of(named, fold, overlay=overlay), path)
    from layerexplain.layer_names import chosen_layers

    stored, model = read_for_weights(source, code)
    chosen = chosen_layers(model, layers)
    result = program = None
    why = ""
    if values is not None:
        inputs = shapes_of(model, values)
    report = report or explain(model, gradient=gradient, inputs=inputs, code=code)
    if weights != "none" and layers is None and max_values is None:
        sizes = shapes_for(model, inputs)
        of_page = page_program(stored, model, sizes, report.totals.params, precision=weights, inputs=values)
        if isinstance(of_page, NoProgram):
            why = of_page.reason
        elif values is None or of_page.program.is_whole:
            program = _with_words(of_page, labels, vocabulary)
    if values is not None and program is None:
        budget = MOST_BYTES if max_values is None else max_values
        result = page_values(stored, model, values, wanted=chosen, budget=budget)
    named = report if name is None else report._replace(source=name)
    return _written(page_of(named, fold, result, program, why, overlay), path)


def _with_words(program: PageProgram, labels: Sequence[str], vocabulary: Sequence[str]) -> PageProgram:
    return program._replace(labels=tuple(labels), vocabulary=tuple(vocabulary))


def _print(name: str) -> Callable[..., str]:
    """Return a printer of reports, loaded when one is printed."""
    return lambda *args, **options: getattr(import_module("layerexplain.render.printing"), name)(*args, **options)


print_with(
    text=_print("format_report"),
    html=_print("notebook_text"),
    explanation=_print("explanation_text"),
    fragment=_print("fragment"),
    page=lambda report, fold: page(report, fold=fold),
)
