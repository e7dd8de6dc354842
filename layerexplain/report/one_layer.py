"""One layer without a model: its report, and what its type takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from layerexplain.call_signature import CallSignature
from layerexplain.errors import ArgumentError, UnknownType, raise_any
from layerexplain.frontends.model_builder import ModelBuilder, layers_among
from layerexplain.frontends.own_layers import Code, read_own_layers
from layerexplain.keras_code import is_code, read_call
from layerexplain.layers import registry
from layerexplain.layers.declaration import Declaration, snake_case
from layerexplain.layers.registry import (
    EINOPS,
    IN_FILES_ONLY,
    PARTS_OF_TRAINING,
    TORCH,
    class_name,
    description_of,
    find_named,
    of_torch,
    part_names,
    positional_arguments,
    signature,
    torch_type,
    type_names,
)
from layerexplain.layers.torch.construction import at_first_call
from layerexplain.model import Kind, Layer
from layerexplain.records import NamedTuple
from layerexplain.report.build import build
from layerexplain.report.report import Report
from layerexplain.report.totals import totals

_A_MODEL = "{} is a model, whose layers do the computing: `layerexplain explain FILE` explains one"
NOT_ALONE = {
    "Input": "Input creates an InputLayer, which computes nothing; --input gives the shape to the layer that reads it",
    "InputLayer": "InputLayer computes nothing: it stands for an input, whose shape --input gives",
    **{type_: _A_MODEL.format(type_) for type_ in ("Functional", "Model", "Sequential")},
}
"""Types listed in summaries that have no explanation of their own."""


class LayerArgument(NamedTuple):
    """An argument of a layer type: what it takes in `words`, its default unless it is required, an example as typed."""

    name: str
    words: str
    is_required: bool
    default: Any
    example: str


class LayerType(NamedTuple):
    """What is known of a type of layers, or of a part of training. `tensors` are its inputs in the order of its call,
    `positional` are the arguments that may be given without a name, in order. The example has arguments as NAME=VALUE
    and shapes of inputs without the batch."""

    type: str
    description: str
    arguments: tuple[LayerArgument, ...]
    tensors: tuple[str, ...]
    positional: tuple[str, ...]
    example: tuple[str, ...]
    example_inputs: tuple[str, ...]


def layer_type(type_: str, code: Code = ()) -> LayerType:
    """Return what a layer type takes, with an example.

    Args:
        type_: The name of its class, or of a loss, an optimizer or another part of training.
        code: Files that define custom layers, of which it may be one.

    Returns:
        Its description, arguments, input tensors and an example; shapes in it have no batch.

    Raises:
        ArgumentError: if there is no such type; the message names the one that may be meant.

    >>> layer_type("Dense").positional, layer_type("Dense").example
    (('units', 'activation', 'use_bias'), ('units=16',))
    """
    from layerexplain.layers.arguments import Argument
    from layerexplain.layers.keras.examples import example_of

    declaration = declared(type_, read_own_layers(code))
    arguments = []
    for name, argument in declaration.arguments.items():
        if name not in IN_FILES_ONLY:
            required = argument.default is Argument.REQUIRED
            default = None if required else argument.default
            arguments.append(LayerArgument(name, argument.check.words, required, default, argument.check.example))
    positional = positional_arguments(declaration)
    description = description_of(declaration)
    tensors = tuple(declaration.tensors)
    if declaration.kind != "layer":
        from layerexplain.report.training_part import SHAPES_OF

        tensors = SHAPES_OF[declaration.kind]
    return LayerType(
        declaration.type if declaration.type.startswith((TORCH, EINOPS)) else declaration.type.rpartition(".")[2],
        description,
        tuple(arguments),
        tensors,
        positional,
        *example_of(declaration),
    )


def layer_types(code: Code = ()) -> dict[str, list[tuple[str, str, str]]]:
    """List the layer types by family, custom layers first.

    Args:
        code: Files that define custom layers.

    Returns:
        For each family its types: the name, the arguments and what it does.

    Raises:
        LayerExplainError: if a file of `code` cannot be read.

    >>> [arguments for name, arguments, _ in layer_types()["core"] if name == "Activation"]
    ['activation']
    """
    own = read_own_layers(code)
    rows = [(name, signature(value), description_of(value)) for name, value in own.items()]
    return {**({"own": rows} if rows else {}), **registry.layer_types()}


def declared(type_: str, own: Mapping[str, Declaration]) -> Declaration:
    """Return the declaration of a type, of custom layers or of Keras. Raises ArgumentError for one that has none."""
    declaration = own.get(type_) or find_named(type_)
    if declaration is None:
        raise unknown_type(type_, own)
    return declaration


def typed_layer(name: str, code: Code = (), shape: Sequence[int | None] | None = None) -> tuple[str, dict[str, Any]]:
    """Return the layer type that a typed name stands for, and the arguments that the name implies.

    Capitals do not matter (`dense`, `maxpooling2d`); the name of an activation is that of an Activation layer. Modules
    of PyTorch are found by `nn.Conv2d`, and plainly where no layer of Keras has the name (`Linear`). A name that stands
    for no type is returned as it is.

    >>> typed_layer("dense"), typed_layer("gelu"), typed_layer("nn.LSTM"), typed_layer("LSTM")
    (('Dense', {}), ('Activation', {'activation': 'gelu'}), ('torch.nn.LSTM', {}), ('LSTM', {}))
    """
    from layerexplain.layers.keras.meant_types import as_typed

    own = read_own_layers(code)
    if name in own or find_named(name) is not None:
        return name, {}
    name = name.replace("einops.layers.torch.", EINOPS)
    if name.startswith(EINOPS) and registry.find(name) is not None:
        return name, {}
    module = torch_type(name)
    if module is not None:
        return module, {}
    path, _, last = name.rpartition(".")
    if last.startswith("Lazy") and path in ("", "nn", "torch.nn") and torch_type(last.removeprefix("Lazy")) is not None:
        if shape is None:
            raise ArgumentError(f"{last} takes a size from its first input; give the shape of that with --input")
        lazy, size = at_first_call(last, (None, *shape))
        return of_torch(lazy), size
    types = [*own, *type_names(), *(part for kind in PARTS_OF_TRAINING for part in part_names(kind))]
    return as_typed(name, types)


def positional_names(type_: str, code: Code = (), shape: Sequence[int | None] | None = None) -> tuple[str, ...]:
    """Return the arguments of a layer as typed that may be given without a name."""
    known, implied = typed_layer(type_, code, shape)
    return tuple([name for name in layer_type(known, code).positional if name not in implied])


def is_layer(type_: str, code: Code = ()) -> bool:
    """Return whether a type is one of layers, and not a loss, an optimizer or another part of training."""
    return declared(type_, read_own_layers(code)).kind == "layer"


def unknown_type(type_: str, own: Collection[str] = ()) -> ArgumentError:
    """Return the error for a layer type that has no declaration: why it has none, or which one may be meant."""
    from layerexplain.layers.keras.meant_types import what_is_meant
    from layerexplain.layers.keras.opaque_layers import REASONS, why_not

    words = NOT_ALONE.get(type_) or why_not(type_)
    names = [*type_names(), *REASONS, *own, *[name for kind in PARTS_OF_TRAINING for name in part_names(kind)]]
    if words:
        return ArgumentError(words)
    return UnknownType(f"there is no layer type '{type_}'; {what_is_meant(type_, names)}")


def build_layer(
    type_: str,
    arguments: Mapping[str, Any],
    input_shapes: Sequence[Sequence[int | None]],
    *,
    gradient: bool = False,
    code: Code = (),
    detail: bool = True,
) -> Report:
    """Explain one layer without a model. Shapes are without the batch; arguments have Keras's names. Without `detail`
    the row has what a summary has.

    Raises `ArgumentError` or `ShapeError`, placed at the layer.
    """
    own = read_own_layers(code)
    declaration = declared(type_, own)
    if declaration.kind != "layer":
        from layerexplain.report.training_part import part_report

        return part_report(declaration, arguments, input_shapes, gradient)
    kind: Kind = "custom" if type_ in own else "layer"
    if kind == "custom":
        declaration.bind(arguments, strict=True)
    type_ = type_ if type_ in own else class_name(type_)
    name = str(arguments.get("name") or snake_case(type_))
    builder = ModelBuilder()
    for label, shape in zip(declaration.names(len(input_shapes)), input_shapes, strict=True):
        axis = min(declaration.batch_axis(label, arguments), len(shape))
        sizes = {"batch_shape": (*shape[:axis], None, *shape[axis:]), **({"batch_axis": axis} if axis else {})}
        dtype = "int32" if label == "ids" else "bool" if label.endswith("padding_mask") else "float32"
        builder.add_input(Layer(label, "InputLayer", "layer", {**sizes, "dtype": dtype}))
    refs = builder.inputs
    bare = declaration.variadic is None or (declaration.alone and len(refs) == 1)
    # Keras's calls of attention have masks before attention_mask, which is given by name therefore.
    by_name = {ref.layer: ref for ref in refs if bare and ref.layer == "attention_mask"}
    spread = tuple(ref for ref in refs if ref.layer not in by_name) if bare else (list(refs),)
    result = builder.add_layer(Layer(name, type_, kind, dict(arguments)), spread, by_name)
    model = builder.model(name, [result])._replace(format="layer", strict=True, declarations=own)
    inside = [layer.type for layer in layers_among(list(arguments.values()))]
    if any(item.startswith(TORCH) for item in (declaration.type, *inside)):
        model = model._replace(framework="torch")
    report = build(model, detail=detail, gradient=gradient, layers=lambda path: path == name)
    raise_any(report.faults)
    row = report.layers[-1]
    return report._replace(layers=(row,), totals=totals((row,)))


def as_called(
    type_: str, positional: Sequence[Any], named: Mapping[str, Any], code: Code
) -> tuple[str, Mapping[str, Any]]:
    """Return the type that a name stands for, and its arguments by name; a mapping in front has some of them, as has a
    call in place of a name, `Dense(10)`. Raises ArgumentError for too many, and for one that is there twice."""
    written: Mapping[str, Any] = {}
    if is_code(type_):
        type_, written = read_call(type_, lambda name: positional_names(name, code))
    known, implied = typed_layer(type_, code)
    first = positional[0] if positional and isinstance(positional[0], Mapping) else {}
    values = positional[bool(first or positional[:1] == ({},)) :]
    names = positional_names(type_, code)
    if wrong := CallSignature(tuple(names), any_name="**").misfit(len(values), {**written, **first, **named}):
        raise ArgumentError(f"{type_} {wrong.words}")
    return known, {**implied, **written, **first, **dict(zip(names, values, strict=False)), **named}


def as_asked(
    type_: str,
    arguments: Mapping[str, Any],
    input_shape: Sequence[int | None] | Sequence[Sequence[int | None]] | None,
    code: Code,
) -> tuple[Mapping[str, Any], list[tuple[int | None, ...]]]:
    """Return the arguments of a layer, those inside it as layers, and the shapes of its inputs without the batch; those
    of the example where no shape is given."""
    if input_shape is None:
        from layerexplain.frontends.input_shapes import parse_shape

        examples = layer_type(type_, code).example_inputs
        input_shape = [parse_shape(text.rpartition("=")[2]) or () for text in examples] if examples else ()
    from layerexplain.frontends.input_shapes import one_shape
    from layerexplain.network.scope import as_layers

    single = one_shape(input_shape)
    shapes = [single] if single is not None else [one_shape(shape) for shape in _listed(input_shape)]
    for shape in shapes:
        if shape is None:
            words = "a tuple of sizes such as (28, 28, 1), or a list of such"
            raise ArgumentError(f"{type_}: input_shape needs to be {words}, got {input_shape!r}")
    if is_layer(type_, code):
        arguments = {name: as_layers(value) for name, value in arguments.items()}
    elif single == ():
        shapes = []
    return arguments, [shape[1:] if shape[:1] == (None,) else shape for shape in shapes if shape is not None]


def _listed(shapes: Any) -> Sequence[Any]:
    return shapes if isinstance(shapes, Sequence) and not isinstance(shapes, str) else [shapes]
