"""A configuration → its model: the formulas of blocks and of whole models become layers and calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from layerexplain.attribute_path import LayerNamed
from layerexplain.errors import ArgumentError, LayerExplainError, SourceError
from layerexplain.frontends.hugging_face import FORMAT, is_configuration
from layerexplain.frontends.hugging_face.architecture import Architecture, Stack, declarations, model_types
from layerexplain.frontends.hugging_face.keys import (
    MOST_LAYERS,
    configured,
    keys_not_read,
    resembling,
    row_of,
    tree_of,
    typed,
    value_of,
)
from layerexplain.frontends.hugging_face.rotary import rotary_of
from layerexplain.frontends.model_builder import ModelBuilder
from layerexplain.lang.settings import holds
from layerexplain.lang.syntax import ast
from layerexplain.layers.declaration import Declaration
from layerexplain.model import Layer, Model, Note, SharedObject, TensorRef

# Wiring -------------------------------------------------------------------------------------------------------------

LayerOf = Callable[[str], Layer]
"""Gives the layer of a role."""


class Wiring:
    """One formula on its way to a model. `layer_of` gives the layer of a role; the layers of `chains` follow one
    another; `values` decide what is chosen."""

    def __init__(self, layer_of: LayerOf, chains: Mapping[str, Callable[[], list[Layer]]], values: Mapping[str, Any]):
        self.layer_of = layer_of
        self.chains = chains
        self.values = values
        self.builder = ModelBuilder()
        self.tensors: dict[str, TensorRef] = {}
        self.layer_names: dict[str, str] = {}

    def input(self, name: str, shape: tuple[int | None, ...], dtype: str = "float32") -> None:
        """Add an input; `shape` has no batch."""
        layer = Layer(name, "InputLayer", "layer", {"batch_shape": (None, *shape), "dtype": dtype})
        self.builder.names.taken.add(name)
        self.tensors[name] = self.builder.add_input(layer)

    def model(self, name: str, *formulas: str) -> Model:
        """Return the model of formulas; the last name of each is an output."""
        outputs = []
        for formula in formulas:
            last = ""
            for statement in tree_of(formula).body:
                if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                    raise ArgumentError("the formula of a block consists of assignments")
                last = statement.targets[0].id
                self.tensors[last] = self._tensor(statement.value)
            outputs.append(self.tensors[last])
        return self.builder.model(name, outputs)._replace(framework="torch")

    def _tensor(self, node: ast.expr) -> TensorRef:
        if isinstance(node, ast.Name):
            return self.tensors[node.id]
        if isinstance(node, ast.IfExp):
            return self._tensor(node.body if holds(node.test, self.values) else node.orelse)
        if isinstance(node, ast.BinOp):
            both = [self._tensor(node.left), self._tensor(node.right)]
            return self.builder.add_layer(Layer(self.builder.names.take("add"), "Add", "layer", {}), (both,))
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise ArgumentError("the formula of a block consists of sums and of calls of layers")
        role = node.func.id
        tensors = [self._tensor(argument) for argument in node.args]
        if role in self.chains:
            first, *rest = tensors
            for layer in self.chains[role]():
                self.builder.names.taken.add(layer.name)
                first = self.builder.add_layer(layer, ([first, *rest],) if rest else (first,))
            return first
        if role in self.layer_names:  # the same layer once more, with the same weights
            return self.builder.call(self.layer_names[role], tuple(tensors))
        layer = self.layer_of(role)
        self.layer_names[role] = layer.name
        self.builder.names.taken.add(layer.name)
        return self.builder.add_layer(layer, tuple(tensors))


# Reader -------------------------------------------------------------------------------------------------------------
# One configuration → `Model`: the layers of its architecture with their arguments, block by block.

_HEADS = ("CausalLM", "LMHeadModel", "MaskedLM", "ConditionalGeneration", "ImageClassification")
"""How the names of models end that have the head of their kind; those that end in Model have none."""


def read_configuration(document: Mapping[str, Any], name: str = "") -> Model:
    """Return the model that a configuration of transformers describes; `name` is what it is called. One of a type that
    is not known is read as the type whose keys it resembles, which is said.

    Raises SourceError where it resembles none, and for a configuration that lacks a field or has a value that cannot
    be.
    """
    type_ = document.get("model_type")
    like = resembling(document) if isinstance(type_, str) and type_ not in model_types() else None
    if like is None:
        return _reading(document).model(name or document["model_type"])
    model = _reading({**document, "model_type": like[0]}).model(name or str(type_))
    words = (
        f"the formulas of {str(type_)[:60]!r} are not known; {like[1]}. What is shown holds if it computes as {like[0]}"
    )
    return model._replace(notes=(Note("assumed", None, words), *model.notes), grade="assumed")


def _reading(document: Mapping[str, Any], of_whole: Mapping[str, Any] = MappingProxyType({})) -> _Reading:
    """Return the reading of a configuration; of one with parts its text part with what the whole says; `of_whole` is
    what the configuration around a part says."""
    model_type = document.get("model_type")
    if not isinstance(model_type, str):
        raise SourceError(f"needs model_type to be a text, got {model_type!r:.40}")
    row = row_of(model_type, document)
    if of_whole:
        return _Reading(row, {**row.inside, **of_whole, **document})
    if not row.text:
        return _Reading(row, document)
    text, vision = _part(row, row.text, document), _part(row, row.vision, document)
    row = row_of(model_type, text, text["model_type"])
    whole = {key: value for key, value in document.items() if key not in (row.text, row.vision)}
    key = "tie_word_embeddings"
    usual = {key: row.defaults.get(key)} | whole
    tied = [typed(model_type, key, part[key]) for part in (usual, text) if part.get(key) is not None]
    of_all: dict[str, Any] = {key: whole[key] for key in ("architectures", "dtype", "torch_dtype") if key in whole}
    own: dict[str, Any] = {"tie_word_embeddings": any(tied)} if tied else {}
    reading = _Reading(row, {**row.inside, **whole, **text, **of_all, **own})
    reading.read_vision(vision)
    return reading


def _part(row: Architecture, key: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration of a part; where there is none, what the whole takes, of the text with what stands
    beside it, as in older files."""
    part, usual = document.get(key), row.parts[key]
    if part is None:
        beside = {name: value for name, value in document.items() if key == row.text and name != row.vision}
        part = {**usual, **beside}
    own = typed(row.type, key, part).get("model_type")
    if own is not None:
        typed(key, "model_type", own)
    return {**part, "model_type": usual["model_type"] if own in (None, row.type) else own}


def read_folder(folder: str) -> Model | None:
    """Return the model that a folder's config.json describes; None where that is no configuration of transformers."""
    from layerexplain.frontends.json_text import parse_json
    from layerexplain.frontends.keras.archive import config_bytes
    from layerexplain.sources.regular_file import name_of_folder

    document = parse_json(config_bytes(folder, "config.json"), "config.json")
    return read_configuration(document, name_of_folder(folder)) if is_configuration(document) else None


def _dtype(document: Mapping[str, Any]) -> str:
    """Return the dtype of the weights, "" where the configuration does not say it."""
    named = str(document.get("dtype") or document.get("torch_dtype"))
    return named if named in ("bfloat16", "float16", "float32", "float64") else ""


class _Reading:
    """The reading of one configuration."""

    def __init__(self, row: Architecture, document: Mapping[str, Any]) -> None:
        self.row = row
        self.notes: list[Note] = []
        self.values = configured(row, document)
        labels, named = self.values.get("id2label"), self.values.get("architectures")
        self.values["classes"] = len(labels) if labels else self.values.get("num_labels") or 2
        named_class = named[0] if named else ""
        self.class_name = named_class or row.type
        self.values["has_head"] = self._has_head(named_class)
        self.dtype = _dtype(self.values)
        unread = keys_not_read(row, document)
        if unread:
            listed = ", ".join([repr(key[:40]) for key in unread[:8]]) + (", …" if len(unread) > 8 else "")
            self.notes.append(Note("keys-not-read", None, f"no part of this model reads {listed}"))
        self.vision: _Reading | None = None
        base = row.names.get("base", "")
        self.prefix = f"{base}." if base and (self.values["has_head"] or "." in base) else ""
        if self.prefix and not self.values["has_head"]:
            self.prefix = base.partition(".")[2] + "."
        self.prefix = row.prefix + self.prefix

    def _has_head(self, named_class: str) -> bool:
        if not named_class or named_class.endswith(_HEADS):
            return True
        if not named_class.endswith("Model"):
            words = f"the head of {named_class[:60]} is not known: these are the layers below it"
            self.notes.append(Note("unknown-head", None, words))
        return False

    def read_vision(self, document: Mapping[str, Any]) -> None:
        """Read the part that sees images. What cannot be read is named, and is in no number."""
        of_whole = {name: value for name, value in self.values.items() if name.startswith("vision_")}
        fault = "the layers between the image vectors and the text are not known" if not self.row.images else ""
        try:
            self.vision = None if fault else _reading(document, {"vision_feature_layer": None, **of_whole})
        except SourceError as error:
            fault = error.fact
        if self.vision is None:
            words = f"the vision part ({document['model_type'] or 'of no known type'}) is not read and not counted"
            self.notes.append(Note("vision-not-read", None, f"{words}; only the language part is shown: {fault}"))
        else:
            self.values |= {f"vision_{name}": value for name, value in self.vision.values.items()}
            self.notes += [Note("image-tokens", None, self.row.image_note), *self.vision.notes]

    def model(self, name: str) -> Model:
        """Return the model; what sees images gives a second output."""
        chains = {role: (lambda stack=stack: self._blocks(stack)) for role, stack in self.row.stacks.items()}
        wiring = Wiring(lambda role: self._layer(role, self.values, self.prefix), chains, self.values)
        formulas = [self.row.model]
        for reading in filter(None, (self, self.vision)):
            for tensor, axes in reading.row.inputs.items():
                sizes = tuple([value_of(size, reading.values) for size in axes])
                wiring.input(tensor, sizes, "int32" if tensor.endswith("tokens") else "float32")
        if self.vision is not None:
            formulas.append(self.row.images)
        elif self.row.text:
            name = f"{name} (language part)"
        model = wiring.model(name, *formulas)
        return model._replace(
            format=FORMAT,
            type=self.class_name,
            modules=self.row.modules,
            notes=tuple(self.notes),
            shared=tuple(self._shared(model)),
            declarations=self._declarations(self.dtype),
            arguments={"dtype": self.dtype} if self.dtype else {},
        )

    def _declarations(self, dtype: str) -> Mapping[str, Declaration]:
        own = "float" if dtype in ("", "float32") else dtype
        return declarations(self.row.type, self.row.text_type, own)

    def _tower(self, vision: _Reading, name: str) -> Layer:
        """Return the part that sees images, as one layer."""
        model = vision.model(name)._replace(declarations=vision._declarations(self.dtype))
        return Layer(name, vision.class_name, "model", {}, model)

    def _shared(self, model: Model) -> list[SharedObject]:
        """Return the table that a tied head shares with the embedding."""
        layers = {layer.type: layer.name for layer in model.layers}
        if "TiedHead" not in layers:
            return []
        first = (LayerNamed(layers["TokenEmbedding"]),)
        return [SharedObject((LayerNamed(layers["TiedHead"]), "embedding"), (first,))]

    # Layers -----------------------------------------------------------------------------------------------------

    def _layer(self, role: str, values: Mapping[str, Any], prefix: str) -> Layer:
        if role == "vision" and self.vision is not None:
            return self._tower(self.vision, self.row.names[role])
        ((type_, arguments),) = self.row.blocks[role].items()
        try:
            config = {name: value_of(text, values) for name, text in arguments.items()}
        except LayerExplainError as error:
            raise SourceError(f"{self.row.type} has {role} whose arguments cannot be: {error.fact}") from None
        name = self.row.names.get(role, role)
        full = f"{self.row.prefix}{name[1:]}" if name.startswith("/") else f"{prefix}{name}"
        full = name[2:] if name.startswith("//") else full
        return Layer(full, type_, "custom", {key: value for key, value in config.items() if value is not None})

    def _blocks(self, stack: Stack) -> list[Layer]:
        return [
            self._block(stack, number)
            for number in range(*[value_of(item, self.values) for item in (stack.first, stack.number)])
        ]

    def _block(self, stack: Stack, number: int) -> Layer:
        dense = self.values.get("mlp_only_layers") or ()
        values = {**self.values, "layer": number, "is_dense": number in dense}
        for name, (key, default) in self.row.of_layer.items():
            listed = _spread(self.values.get(key) or ())
            values[name] = listed[number] if number < len(listed) else value_of(default, values)
        values |= rotary_of(values, self.values["rotary_width"], values.get("layer_type"))._asdict()
        wiring = Wiring(lambda role: self._layer(role, values, ""), {}, values)
        for item in ("x", *stack.inputs):
            of_pairs = (self.values["heads"], None, None)
            wiring.input(item, of_pairs if item == "distances" else (None, self.values["width"]))
        name = f"{self.prefix}{stack.name}.{number}"
        return Layer(name, "Block", "model", {}, wiring.model(name, stack.formula))


def _spread(listed: Sequence[Any]) -> Sequence[Any]:
    """Return a list with a value for each layer; GPT-Neo's has runs, `[[["global", "local"], 12]]`."""
    if not any([isinstance(item, list | tuple) for item in listed]):
        return listed
    return [name for names, times in listed for _ in range(min(times, MOST_LAYERS)) for name in names][:MOST_LAYERS]
