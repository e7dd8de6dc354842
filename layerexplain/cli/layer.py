"""`layerexplain layer`: explains a single layer without a model; without a type, lists the types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from layerexplain import api
from layerexplain.cli.arguments import parse_arguments
from layerexplain.cli.complete import layer_arguments, layer_types
from layerexplain.cli.failures import clean
from layerexplain.cli.input_shapes import InputShape, parse_input, tell_batch
from layerexplain.cli.options import Output, input_option, output_options
from layerexplain.cli.output import emit
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.model import Shape
from layerexplain.render.document import Block, Document
from layerexplain.render.formats import printed

if TYPE_CHECKING:
    from layerexplain.api import LayerType, Report


def _in_call_order(type: str, inputs: tuple[InputShape, ...]) -> list[Shape]:
    """The shapes in the order of the layer's call; those typed with the names of its tensors are sorted by these."""
    tensors = api.layer_type(type).tensors
    named = {one.name: one.shape for one in inputs if one.name is not None}
    if not named or not tensors:
        return [one.shape for one in inputs]
    wanted = list(tensors[: len(inputs)])
    if sorted(named) != sorted(wanted) or len(named) != len(inputs):
        raise click.UsageError(
            f"--input: {type} takes {', '.join(tensors)}, in this order and without gaps; "
            f"for {len(inputs)} inputs name {' and '.join(wanted)}, or none of them"
        )
    return [named[name] for name in wanted]


@click.command("layer", short_help="Explain a single layer without a model. Without TYPE, list all layer types.")
@click.argument("type", metavar="[TYPE]", required=False, shell_complete=layer_types)
@click.argument("arguments", metavar="[ARG=VALUE]...", nargs=-1, shell_complete=layer_arguments)
@output_options
@input_option
def command(type: str | None, arguments: tuple[str, ...], output: Output, inputs: tuple[InputShape, ...]) -> None:
    """Explain a single layer of this TYPE, with these arguments, on inputs of these shapes.

    Arguments have Keras's names; a value without a name is the first argument. With only a TYPE, print its arguments
    and an example. Without TYPE, list all types by family.

    \b
    Examples:
      layerexplain layer
      layerexplain layer Dense
      layerexplain layer Dense units=512 activation=relu --input 784
      layerexplain layer Dense 512 --input 784
      layerexplain layer Conv2D filters=16 kernel_size=3 strides=2 padding=same --input 28x28x3
      layerexplain layer MultiHeadAttention num_heads=2 key_dim=8 --input query=4,16 --input value=10,16
      layerexplain layer Bidirectional layer='{LSTM: {units: 16}}' --input 9,5
    """
    if type is None:
        from layerexplain.render.documents.catalogue import catalogue

        if inputs:
            raise click.UsageError("--input needs the TYPE of a layer: layerexplain layer Dense units=10 --input 784")
        emit(output, lambda look: printed([catalogue(api.layer_types())], output.format, look))
        return
    try:
        _explain(type, arguments, output, inputs)
    except ArgumentError as error:
        # What was typed is all that there is: a layer that cannot be made of it is wrong usage, wherever it is found.
        raise click.UsageError(clean(error.fact)) from None


def _explain(type: str, arguments: tuple[str, ...], output: Output, inputs: tuple[InputShape, ...]) -> None:
    """Raises ArgumentError for what is no layer, ShapeError for one that does not take such inputs."""
    from layerexplain.render.documents.catalogue import layer_type_page
    from layerexplain.render.documents.explanation import explanation

    told = api.layer_type(type)
    page: tuple[Block, ...] = ()
    parsed = parse_arguments(arguments, told.first)
    if not inputs:
        if arguments or output.format != "table":
            example = " ".join(f"--input {shape}" for shape in told.example_inputs)
            raise click.UsageError(f"{type} needs the shape of its input; add for example {example}")
        parsed = parse_arguments(told.example)
        inputs = tuple(map(parse_input, told.example_inputs))
        page = layer_type_page(told, _command(told))
    sheet = explanation(_report(type, parsed, _in_call_order(type, inputs)), whole=False)
    if page:
        document = Document((*page, *sheet.document().blocks))
        sheet = sheet._replace(document=lambda: document)
    emit(output, lambda look: printed([sheet], output.format, look))


def _report(type: str, arguments: dict[str, Any], shapes: list[Shape]) -> Report:
    """The report of the layer. A None in front of a shape is the batch where the layer takes the rest alone."""
    typed = [shape for shape in shapes if len(shape) > 1 and shape[0] is None]
    if typed:
        try:
            found = api.explain_layer(
                type, arguments, input_shape=[shape if shape in typed else (None, *shape) for shape in shapes]
            )
        except LayerExplainError:
            pass  # then it is an axis of unknown size
        else:
            tell_batch(typed[0])
            return found
    return api.explain_layer(type, arguments, input_shape=[(None, *shape) for shape in shapes])


def _command(told: LayerType) -> list[str]:
    """The words of the command that explains the example of a type."""
    from shlex import quote

    shapes = [word for shape in told.example_inputs for word in ("--input", shape)]
    return ["layerexplain", "layer", told.type, *map(quote, told.example), *shapes]
