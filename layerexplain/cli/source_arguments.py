"""What is typed as SOURCE (names, URLs, globs, directories), and input shapes as they are typed (`224,224,3`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli.failures import note
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.model import InputShapes, InputShapesOf, Model, Shape
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.sources.names import Reach


# Source arguments ---------------------------------------------------------------------------------------------------

_META = "layerexplain.reach"
_RECURSIVE = "layerexplain.recursive"


class Located(str):
    """A source that was found and not named (`listed`), or that has nothing to read (`fault`); as text its path."""

    listed: bool
    fault: LayerExplainError | None

    def __new__(cls, path: str, listed: bool = True, fault: LayerExplainError | None = None) -> Located:
        """Make one of a path."""
        located = super().__new__(cls, path)
        located.listed, located.fault = listed, fault
        return located

    def __reduce__(self) -> tuple[Any, ...]:
        return Located, (str(self), self.listed, self.fault)


def is_listed(source: str) -> bool:
    """Return whether a source was found in a directory or by a glob: one that holds no model is passed over then."""
    return bool(getattr(source, "listed", False))


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is None:
        return
    if parameter.name == "max_download":
        from layerexplain.cli.amounts import bytes_in

        value = bytes_in("", "500MB or 2GiB")(ctx, parameter, value)
    ctx.meta.setdefault(_META, {})[parameter.name] = value


def _option(name: str, metavar: str, help: str, type: Any = None) -> Callable[[Any], Any]:
    return click.option(
        name, metavar=metavar, is_eager=True, expose_value=False, callback=_remember, type=type, help=help
    )  # fmt: skip


REACH_OPTIONS = (
    _option("--timeout", "SECONDS", "For URLs: how long a server may be silent. Default: 30.", click.FloatRange(0.01)),
    _option(
        "--retries",
        "N",
        "For URLs: how often to retry after a failure that may be temporary. Default: 3.",
        click.IntRange(0, 20),
    ),
    _option(
        "--max-download",
        "SIZE",
        "For URLs: the most to download of a file whose server sends no ranges. Default: 64MiB.",
    ),
)


def reach_of(ctx: click.Context) -> Reach:
    """Return how URLs are reached, as the command's options say."""
    from layerexplain.sources.names import Reach

    return Reach()._replace(**ctx.meta.get(_META, {}))


def _walk(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta[_RECURSIVE] = value


recursive_option = click.option(
    "--recursive", "-r", is_flag=True, is_eager=True, expose_value=False, callback=_walk,
    help="Read all models below a SOURCE that is a directory; files that are not models are skipped and counted.",
)  # fmt: skip


def located(ctx: click.Context, source: str) -> str:
    """Return a source as it was typed, a URL with how it is reached."""
    if "://" not in source and "::" not in source:
        return source
    from layerexplain.sources.names import source_reference

    return source_reference(source, reach_of(ctx))


def each_located(ctx: click.Context, sources: Sequence[str]) -> Iterator[str]:
    """Yield the sources that were typed; for a glob and, with --recursive, a directory what they hold."""
    recursive = ctx.meta.get(_RECURSIVE, False)
    for source in sources:
        place = located(ctx, source)
        if not recursive and not set("*?[") & set(source):
            yield place
            continue
        from layerexplain.cli import library
        from layerexplain.sources.listing import find_sources, has_magic

        # A request for a model of code may have brackets among its arguments: `train.py:build(sizes=[3])`.
        if not recursive and (not has_magic(place) or getattr(library.code_source(place), "request", "") != ""):
            yield place
            continue
        for result in find_sources([place], recursive=recursive):
            if result.fault is not None:
                is_named = result.source == place
                yield Located(result.source, not is_named, result.fault)
            elif result.is_remote:
                result.source.listed = result.source != place  # type: ignore[attr-defined]
                yield result.source
            else:
                yield result.source if result.source == place else Located(result.source)


# Input shapes -------------------------------------------------------------------------------------------------------
# Input shapes as they are typed (`224,224,3`, `28x28x1`, `tokens=128`), and whose input each is.


class InputShape(NamedTuple):
    """A shape that was typed, without the batch; `name` is None where none was."""

    name: str | None
    shape: Shape


def parse_input(text: str) -> InputShape:
    """Parse `[NAME=]SHAPE`; the last `=` counts, since a name may have one. Raises click.BadParameter."""
    name, equals, sizes = text.rpartition("=")
    shape = library.parse_shape(sizes)
    if shape is None or (equals and not name):
        raise click.BadParameter(f"'{text}' is not of the form [NAME=]SHAPE; write 224,224,3 or 28x28x1 or tokens=128")
    return InputShape(name or None, shape)


def inputs_of(model: Model, typed: Sequence[InputShape], option: str = "--input") -> dict[str, Shape]:
    """Input layer → the shape typed for it, without the batch: by its name, or else in the order of the model's inputs.
    `option` is what it was typed with.

    A None in front that is the batch is taken off, and a line on stderr says so. Raises ArgumentError if the model has
    no such input, or fewer inputs than shapes.
    """
    if not typed:
        return {}
    names = library.input_names(model)
    listed = ", ".join(names) or "none"
    shapes = {shape.name: shape.shape for shape in typed if shape.name is not None}
    for name in shapes:
        if name not in names:
            raise ArgumentError(f"{option} {name}=…: {library.no_input(name, names).fact}")
    free = [name for name in names if name not in shapes]
    rest = [shape.shape for shape in typed if shape.name is None]
    if len(rest) > len(free):
        raise ArgumentError(f"{option} is given {len(typed)} times; the model's inputs: {listed}")
    shapes.update(zip(free, rest, strict=False))
    return {name: _without_batch(model, name, shape, option) for name, shape in shapes.items()}


def where_they_fit(inputs: InputShapesOf, sources: Sequence[str]) -> InputShapesOf:
    """Return a function that gives the shapes for a model, as `inputs` does. Of a program that makes several models a
    shape without a name is for those that it fits; for the others a line on stderr says why it does not."""
    typed = inputs.keywords["typed"] if isinstance(inputs, partial) else ()
    of_one_program = len({*sources}) < len(sources)
    nameless = bool(typed) and all(item.name is None for item in typed)
    return partial(_fitting, inputs=inputs, typed=typed) if of_one_program and nameless else inputs


def _fitting(model: Model, inputs: InputShapesOf, typed: Sequence[InputShape]) -> InputShapes:
    try:
        shapes = inputs(model)
        known, results = (api.explain(model, inputs=item, detail=False, partial=True).faults for item in ({}, shapes))
        before = {fault.fact for fault in known}
        misfit = next((fault.fact for fault in results if fault.fact not in before), "")
    except LayerExplainError as error:
        shapes, misfit = {}, error.fact
    if not misfit:
        return shapes
    given = " ".join([f"--input {','.join(map(str, shape.shape))}" for shape in typed])
    note(f"{given} is left out for the model '{model.name}': {misfit.partition('; ')[0]}")
    return {}


def _without_batch(model: Model, name: str, shape: Shape, option: str) -> Shape:
    if shape[:1] != (None,) or not library.begins_with_batch(model, name, shape):
        return shape
    tell_batch(shape, option)
    return shape[1:]


def tell_batch(shape: Shape, option: str = "--input") -> None:
    """Say on stderr that the None in front of a shape that was typed was read as the batch. With two of them the second
    is an axis of unknown size, as Keras writes it; then it says nothing."""
    if shape[1] is None:
        return
    rest = ",".join(map(str, shape[1:]))
    from layerexplain.errors import batch_words

    note(batch_words(f"{option} {rest}", f"{option} None,None,{rest}"))
