"""Input shapes as they are typed (`224,224,3`, `28x28x1`, `tokens=128`), and whose input each is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli.failures import note
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.model import InputShapes, InputShapesOf, Model, Shape
from layerexplain.records import NamedTuple


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
    shapes = {one.name: one.shape for one in typed if one.name is not None}
    for name in shapes:
        if name not in names:
            raise ArgumentError(f"{option} {name}=…: {library.no_input(name, names).fact}")
    free = [name for name in names if name not in shapes]
    rest = [one.shape for one in typed if one.name is None]
    if len(rest) > len(free):
        raise ArgumentError(f"{option} is given {len(typed)} times; the model's inputs: {listed}")
    shapes.update(zip(free, rest, strict=False))
    return {name: _without_batch(model, name, shape, option) for name, shape in shapes.items()}


def where_they_fit(inputs: InputShapesOf, sources: Sequence[str]) -> InputShapesOf:
    """Return a function that gives the shapes for a model, as `inputs` does. Of a program that makes several models a
    shape without a name is for those that it fits; for the others a line on stderr says why it does not."""
    typed = inputs.keywords["typed"] if isinstance(inputs, partial) else ()
    of_one_program = len({*sources}) < len(sources)
    nameless = bool(typed) and all(one.name is None for one in typed)
    return partial(_fitting, inputs=inputs, typed=typed) if of_one_program and nameless else inputs


def _fitting(model: Model, inputs: InputShapesOf, typed: Sequence[InputShape]) -> InputShapes:
    try:
        shapes = inputs(model)
        known, found = (api.explain(model, inputs=one, detail=False, partial=True).faults for one in ({}, shapes))
        before = {fault.fact for fault in known}
        misfit = next((fault.fact for fault in found if fault.fact not in before), "")
    except LayerExplainError as error:
        shapes, misfit = {}, error.fact
    if not misfit:
        return shapes
    given = " ".join([f"--input {','.join(map(str, one.shape))}" for one in typed])
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
    from layerexplain.suggest import batch_words

    note(batch_words(f"{option} {rest}", f"{option} None,None,{rest}"))
