"""`layerexplain layer`: explains a single layer without a model; without a type, lists the types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli.arguments import parse_arguments
from layerexplain.cli.complete import layer_arguments, layer_types
from layerexplain.cli.failures import clean, note
from layerexplain.cli.options import (
    VERSUS,
    Output,
    WithNumbers,
    code_option,
    gradient_option,
    model_output_options,
    parts_option,
    typed_input_option,
    versus,
    without_versus,
)
from layerexplain.cli.output import emit
from layerexplain.cli.source_arguments import InputShape, parse_input, tell_batch
from layerexplain.errors import ArgumentError, LayerExplainError, ShapeError, UnknownType
from layerexplain.keras_code import INPUT_SHAPE, chain_parts, flow_text, is_code, read_call
from layerexplain.model import Shape
from layerexplain.records import NamedTuple
from layerexplain.render.document import Block, Document
from layerexplain.render.formats import printed
from layerexplain.render.quantities import plural

if TYPE_CHECKING:
    from layerexplain.api import LayerType, Report
    from layerexplain.render.documents.catalogue import Families
    from layerexplain.render.documents.explanation import ShownParts


_Answer = TypeVar("_Answer")
INPUT = "--input"
_FRAMEWORKS = {"keras": "", "torch": "nn.", "pytorch": "nn."}
"""What may stand in front of a type, and what its name then begins with."""


class _Asked(NamedTuple):
    """A layer that was asked for: its type, its arguments, and the shapes of its inputs. A chain of layers is
    one that calls its `parts`."""

    type: str
    arguments: dict[str, Any]
    inputs: tuple[InputShape, ...]
    code: tuple[str, ...]
    parts: tuple[_Asked, ...] = ()

    @property
    def layers(self) -> tuple[_Asked, ...]:
        """The layers that were named: itself, or those of a chain."""
        return self.parts or (self,)

    @property
    def title(self) -> str:
        return " → ".join([layer.type.removeprefix("torch.") for layer in self.layers])


class _Versus(WithNumbers):
    """A command in which `--vs` begins a second layer, up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, without_versus(ctx, args))
        except click.NoSuchOption as error:
            if error.possibilities:
                raise
            name = error.option_name.lstrip("-").replace("-", "_")
            hint = f"write an argument of the layer without dashes: {name}=…"
            raise click.UsageError(f"no option '{clean(error.option_name)}'; {clean(hint)}", ctx) from None


def _with_framework(type: str, words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return a type and its arguments where the framework may stand in front: `torch LSTM 5 3`."""
    if type.lower() in _FRAMEWORKS and words:
        return f"{_FRAMEWORKS[type.lower()]}{words[0]}", words[1:]
    return type, words


def _asked(type: str, words: Sequence[str], inputs: tuple[InputShape, ...], code: tuple[str, ...]) -> _Asked:
    """Return a layer as typed: `Dense units=3`, `Dense 3` or `"Dense(3)"`; or a chain: `"UpSampling2D, Conv2D 3 3"`.
    Raises ArgumentError for other words."""
    is_pattern = type.startswith("einops.") and bool(words)  # which has arrows of its own
    parts = [type] if is_pattern else chain_parts(" ".join((type, *words)))
    if len(parts) > 1:
        typed = [(part,) if is_code(part) else tuple(part.split()) for part in parts]
        return _chain(_asked(*_with_framework(item[0], item[1:]), (), code) for item in typed)._replace(inputs=inputs)
    if not words and not is_code(type):
        type, *words = type.split() or [type]
    arguments: dict[str, Any] = {}
    shape = inputs[0].shape if inputs else None
    if is_code(type):
        type, arguments = read_call(type, lambda name: library.positional_names(name, code, shape))
    positional = () if arguments else library.positional_names(type, code, shape)
    type, implied = library.typed_layer(type, code, shape)
    arguments |= implied
    entry = api.layer_type(type, code)
    arguments |= parse_arguments(words, positional)
    if type.startswith("einops."):  # the sizes of axes are given by the names of these
        known = [argument.name for argument in entry.arguments]
        sizes = {key: arguments.pop(key) for key in [*arguments] if key not in known}
        arguments |= {"sizes": sizes} if sizes else {}
    own_shape = arguments.pop(INPUT_SHAPE, None)
    if own_shape is not None and not inputs:
        inputs = (parse_input(str(own_shape)),)
    if len(inputs) == 1 and entry.tensors[:2] == ("query", "value"):
        note(f"query and value are the same tensor, as in self-attention; for two tensors give {INPUT} twice")
        inputs = (inputs[0]._replace(name=None),) * 2
    if len(inputs) == 1 and not entry.tensors and len(entry.example_inputs) == 2:
        example = " ".join(f"{INPUT} {shape}" for shape in entry.example_inputs)
        raise click.UsageError(f"{type} needs several tensors; give {INPUT} for each, for example {example}")
    return _Asked(type, arguments, inputs, code)


def _chain(parts: Iterable[_Asked]) -> _Asked:
    """Return the layers one after the other as one, which reads what the first does."""
    first, *others = parts
    every = (first, *others)
    layers = [{asked.type: asked.arguments} for asked in every]
    return _Asked(library.CHAIN, {"layers": layers}, first.inputs, first.code, every)


def _in_call_order(asked: _Asked) -> list[Shape]:
    """Return the shapes in the order of the layer's call; those typed with the names of its tensors are sorted by
    these."""
    inputs = asked.inputs
    tensors = api.layer_type(asked.type, asked.code).tensors
    named = {shape.name: shape.shape for shape in inputs if shape.name is not None}
    if not named or not tensors:
        return [shape.shape for shape in inputs]
    wanted = list(tensors[: len(inputs)])
    if sorted(named) != sorted(wanted) or len(named) != len(inputs):
        raise click.UsageError(
            f"--input: {asked.type} takes {', '.join(tensors)}, in this order; "
            f"for {plural(len(inputs), 'input')} name {' and '.join(wanted)}, or give no names"
        )
    return [named[name] for name in wanted]


@click.command(
    "layer", cls=_Versus, short_help="Explain a single layer without a model. Without TYPE, list all layer types."
)
@click.argument("type", metavar="[TYPE]", required=False, shell_complete=layer_types)
@click.argument("arguments", metavar="[ARG=VALUE]...", nargs=-1, shell_complete=layer_arguments)
@model_output_options
@typed_input_option
@gradient_option
@parts_option
@code_option
@click.option(
    VERSUS, metavar="[TYPE] [ARG=VALUE]...", expose_value=False, help="Compare with a second layer, side by side."
)
def command(
    type: str | None,
    arguments: tuple[str, ...],
    output: Output,
    inputs: tuple[InputShape, ...],
    gradient: bool,
    parts: ShownParts | None,
    code: tuple[str, ...],
) -> None:
    """Explain a single layer of this TYPE, with these arguments, on inputs of these shapes.

    Arguments have Keras's names and order; a layer may also be written as in Keras's code, and so may a chain of them.
    With only a TYPE, explain an example and list the arguments. With a part of a name (conv), list the types that have
    it; without TYPE, all by family. --vs is followed by a
    second layer, or by other arguments of the same one; both are shown side by side. TYPE may also be a loss (--input
    is the shape of the output), an optimizer, a regularizer or a constraint (--input is the shape of a weight), or a
    schedule of learning rates.

    --format html writes a page on which you can change the layer's arguments and see formula, picture, shapes, weights
    and cost change.

    \b
    Examples:
      layerexplain layer
      layerexplain layer conv
      layerexplain layer dense
      layerexplain layer Dense units=512 activation=relu --input 784
      layerexplain layer Dense 512 --input 784
      layerexplain layer "Conv2D(16, 3, activation='relu')" --input 28x28x3
      layerexplain layer Dense 10 --input 784 --gradient
      layerexplain layer LSTM units=8 --vs GRU units=8 --input 10,4
      layerexplain layer "UpSampling2D, Conv2D 16 3" --vs Conv2DTranspose 16 3 strides=2 --input 28x28x3
      layerexplain layer Conv2D filters=16 kernel_size=3 strides=2 padding=same --input 28x28x3
      layerexplain layer MultiHeadAttention num_heads=2 key_dim=8 --input query=4,16 --input value=10,16
      layerexplain layer "Bidirectional(LSTM(16))" --input 9,5
      layerexplain layer Conv2D 16 3 --input 28x28x3 --format html -o conv2d.html
      layerexplain layer CategoricalCrossentropy from_logits=true --input 10
      layerexplain layer Adam learning_rate=0.01 --input 784x10
    """
    if type is None:
        if inputs:
            raise click.UsageError("--input needs the TYPE of a layer: layerexplain layer Dense units=10 --input 784")
        return _list(_families(code), output, described=False)
    typed, (type, arguments) = type, _with_framework(type, arguments)
    if not (arguments or inputs) and (results := _named_like(type, code)):
        return _list(results, output, described=True)
    second = versus()
    try:
        if second is None:
            asked = _asked(type, arguments, inputs, code)
            _explain(asked, arguments, output, gradient, parts)
            if typed == type and output.format == "table" and not code and _is_in_both(asked.type):
                note(f"PyTorch has nn.{asked.type} too: layerexplain layer nn.{asked.type}")
        else:
            _compare(_asked(type, arguments, inputs, code), second, output, inputs)
    except ArgumentError as error:
        # What was typed is all that there is: a layer that cannot be made of it is wrong usage, wherever it is found.
        raise click.UsageError(clean(error.fact)) from None


def _is_in_both(type: str) -> bool:
    """Return whether a layer of Keras has the name of a module of PyTorch."""
    named = type.isidentifier() and library.typed_layer(f"nn.{type}")[0] == f"torch.nn.{type}"
    return named and library.is_layer(type)


def _families(code: tuple[str, ...]) -> Families:
    return api.layer_types(code) | library.training_types() | library.torch_types()


def _named_like(word: str, code: tuple[str, ...]) -> Families:
    """Return the types that have a word in their name, in small letters, where it is not the name of one: `conv`."""
    if not word.isidentifier() or not word.islower():
        return {}
    try:
        api.layer_type(library.typed_layer(word, code)[0], code)
    except UnknownType:
        pass
    except ArgumentError:  # it is known, and why it is not explained
        return {}
    else:
        return {}
    results = {
        family: [entry for entry in entries if word.lower() in entry[0].lower() or word.lower() == family]
        for family, entries in _families(code).items()
    }
    return {family: entries for family, entries in results.items() if entries}


def _list(families: Families, output: Output, described: bool) -> None:
    from layerexplain.render.documents.catalogue import catalogue

    emit(output, lambda look: printed([catalogue(families, described)], output.format, look))


def _explain(
    asked: _Asked, arguments: tuple[str, ...], output: Output, gradient: bool, parts: ShownParts | None
) -> None:
    """Explain it. Raises ArgumentError for an unknown layer or argument, ShapeError for inputs that do not fit."""
    from layerexplain.render.documents.catalogue import layer_type_page
    from layerexplain.render.documents.explanation import explanation

    entry = api.layer_type(asked.type, asked.code)
    page: tuple[Block, ...] = ()
    if not asked.inputs and (entry.example_inputs or not (arguments or asked.arguments)):
        if arguments or asked.arguments or output.format not in ("table", "html"):
            return _explain_on_example(asked, entry, output, gradient, parts)
        asked = _Asked(
            asked.type, parse_arguments(entry.example), tuple(map(parse_input, entry.example_inputs)), asked.code
        )
        page = layer_type_page(entry, _command(entry, asked.code))
    if output.format == "html":
        from layerexplain.cli.output import progress

        with progress(asked.type, "cases derived") as tell:
            page_of_layer = _call_with_batch(asked, partial(api.layer_page, gradient=gradient, progress=tell))
        return emit(output, lambda look: page_of_layer)
    sheet = explanation(_report(asked, gradient), whole=False, asked=parts)
    if page:
        document = Document((*sheet.document().blocks, *page))
        sheet = sheet._replace(document=lambda: document)
    emit(output, lambda look: printed([sheet], output.format, look))


def _explain_on_example(
    asked: _Asked, entry: LayerType, output: Output, gradient: bool, parts: ShownParts | None
) -> None:
    """Explain a layer that was typed without an input on the example's. Raises the error that an input is missing
    where the layer does not take that one, and for formats that programs read."""
    if output.format != "table" or not entry.example_inputs:
        raise _no_shape(entry)
    example = " ".join(f"{INPUT} {shape}" for shape in entry.example_inputs)
    try:
        _report(asked._replace(inputs=tuple(map(parse_input, entry.example_inputs))), gradient)
    except ShapeError:
        raise _no_shape(entry) from None
    note(f"{INPUT} is not given; this uses {example}")
    _explain(asked._replace(inputs=tuple(map(parse_input, entry.example_inputs))), (), output, gradient, parts)


def _compare(left: _Asked, second: Sequence[str], output: Output, inputs: tuple[InputShape, ...]) -> None:
    """Put two layers side by side. Raises as `_explain` does."""
    from layerexplain.render.documents.side_by_side import side_by_side

    if not second:
        raise click.UsageError(f"{VERSUS} needs a second layer: layerexplain layer LSTM 8 {VERSUS} GRU 8 {INPUT} 10,4")
    word = second[0].partition("(")[0].partition(" ")[0]
    named = "=" not in word and not word[:1].isdecimal()
    if named:
        type, words = _with_framework(second[0], tuple(second[1:]))
        right = _asked(type, words, inputs or left.inputs, left.code)
    else:
        changed = parse_arguments(second, library.positional_names(left.type, left.code))
        right = left._replace(arguments={**left.arguments, **changed})
    left, right = _completed(left, right), _completed(right, left)
    if not left.inputs or not right.inputs:
        left, right = _on_example(left, right, output)
    sheets = side_by_side(_report(left), _report(right), _titles(left, right))
    emit(output, lambda look: printed(sheets(output.format), output.format, look, several=True))


def _completed(asked: _Asked, other: _Asked) -> _Asked:
    """Return a layer with the required arguments that were not typed: those of the other layer, else of the example."""
    if asked.parts:
        return _chain(_completed(part, other) for part in asked.parts)._replace(inputs=asked.inputs)
    entry = api.layer_type(asked.type, asked.code)
    example = parse_arguments(entry.example)
    lacking = [
        argument.name for argument in entry.arguments if argument.is_required and argument.name not in asked.arguments
    ]
    known = {**example}
    for side in other.layers:
        theirs = {argument.name: argument.default for argument in api.layer_type(side.type, side.code).arguments}
        known |= {name: value for name, value in theirs.items() if value is not None} | side.arguments
    added = {name: known[name] for name in lacking if name in example}
    if added:
        settings = ", ".join([f"{name}={flow_text(value)}" for name, value in added.items()])
        note(f"{asked.type} is compared with {settings}")
    return asked._replace(arguments={**asked.arguments, **added})


def _on_example(left: _Asked, right: _Asked, output: Output) -> tuple[_Asked, _Asked]:
    """Return two layers that were typed without an input on that of the example of one which both take. Raises the
    error that an input is missing where there is none, and for formats that programs read."""
    for asked in (left.layers[0], right.layers[0]) if output.format == "table" else ():
        entry = api.layer_type(asked.type, asked.code)
        shapes = tuple(map(parse_input, entry.example_inputs))
        both = left._replace(inputs=left.inputs or shapes), right._replace(inputs=right.inputs or shapes)
        try:
            for side in both:
                _report(side)
        except ShapeError:
            continue
        note(f"{INPUT} is not given; this uses {' '.join(f'{INPUT} {shape}' for shape in entry.example_inputs)}")
        return both
    lacking = (right if left.inputs else left).layers[0]
    raise _no_shape(api.layer_type(lacking.type, left.code))


def _titles(left: _Asked, right: _Asked) -> tuple[str, str]:
    """Return `LSTM` and `GRU`, or what two of one type differ in: `Dense(units=3)` and `Dense(units=5)`."""
    if left.title != right.title:
        return left.title, right.title
    if left.parts and right.parts:
        pairs = [_titles(*pair) for pair in zip(left.parts, right.parts, strict=True)]
        return " → ".join([ours for ours, _ in pairs]), " → ".join([theirs for _, theirs in pairs])
    defaults = {argument.name: argument.default for argument in api.layer_type(left.type, left.code).arguments}
    sides = [{**defaults, **asked.arguments} for asked in (left, right)]
    names = [name for name in sides[0] | sides[1] if sides[0].get(name) != sides[1].get(name)]
    if not names:
        return left.title, right.title
    ours, theirs = [", ".join([f"{name}={flow_text(side.get(name))}" for name in names]) for side in sides]
    return f"{left.title}({ours})", f"{left.title}({theirs})"


def _no_shape(entry: LayerType) -> click.UsageError:
    example = " ".join(f"{INPUT} {shape}" for shape in entry.example_inputs)
    return click.UsageError(f"{entry.type} needs the shape of its input; add for example {example}")


def _report(asked: _Asked, gradient: bool = False) -> Report:
    """Return the report of the layer."""
    return _call_with_batch(asked, partial(api.explain_layer, gradient=gradient))


def _call_with_batch(asked: _Asked, make: Callable[..., _Answer]) -> _Answer:
    """Return what `make` makes of the layer. A None in front of a shape is the batch where the layer takes the rest
    alone."""
    shapes = _in_call_order(asked)
    typed = [shape for shape in shapes if len(shape) > 1 and shape[0] is None]
    if typed:
        try:
            batched = [shape if shape in typed else (None, *shape) for shape in shapes]
            result = make(asked.type, asked.arguments, input_shape=batched, code=asked.code)
        except LayerExplainError:
            pass  # then it is an axis of unknown size
        else:
            tell_batch(typed[0])
            return result
    return make(asked.type, asked.arguments, input_shape=[(None, *shape) for shape in shapes], code=asked.code)


def _command(entry: LayerType, code: tuple[str, ...]) -> list[str]:
    """Return the words of the command that explains the example of a type."""
    from shlex import quote

    shapes = [word for shape in entry.example_inputs for word in ("--input", shape)]
    own = [word for path in code for word in ("--code", quote(path))]
    return ["layerexplain", "layer", entry.type, *map(quote, entry.example), *shapes, *own]
