"""One configuration → `Model`: the layers of its architecture with their arguments, block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.attribute_path import LayerNamed
from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.hugging_face import FORMAT, is_configuration
from layerexplain.frontends.hugging_face.architecture import Architecture, Stack, architecture, declarations
from layerexplain.frontends.hugging_face.rotary import rotary_of
from layerexplain.frontends.hugging_face.values import configured, value_of
from layerexplain.frontends.hugging_face.wiring import Wiring
from layerexplain.model import Layer, Model, Note, SharedObject

_HEADS = ("CausalLM", "LMHeadModel", "MaskedLM", "ConditionalGeneration", "ImageClassification")
"""How the names of models end that have the head of their kind; those that end in Model have none."""


def read_configuration(document: Mapping[str, Any], name: str = "") -> Model:
    """Return the model that a configuration of transformers describes; `name` is what it is called.

    Raises SourceError for a `model_type` that is not known, and for a configuration that lacks a field or has a value
    that cannot be.
    """
    model_type = document["model_type"]
    if not isinstance(model_type, str):
        raise SourceError(f"needs model_type to be a text, got {model_type!r:.40}")
    return _Reading(architecture(model_type), document).model(name or model_type)


def read_folder(folder: str) -> Model | None:
    """Return the model that a folder's config.json describes; None where that is no configuration of transformers."""
    from layerexplain.frontends.json_text import parse_json
    from layerexplain.frontends.keras.archive import config_bytes
    from layerexplain.sources.regular_file import name_of_folder

    document = parse_json(config_bytes(folder, "config.json"), "config.json")
    return read_configuration(document, name_of_folder(folder)) if is_configuration(document) else None


def _dtype(document: Mapping[str, Any]) -> str:
    """The dtype of the weights, "" where the configuration does not say it."""
    named = document.get("dtype", document.get("torch_dtype"))
    return str(named) if named in ("bfloat16", "float16", "float32", "float64") else ""


class _Reading:
    """The reading of one configuration."""

    def __init__(self, row: Architecture, document: Mapping[str, Any]) -> None:
        self.row = row
        self.notes: list[Note] = []
        self.values = configured(row, document)
        labels = document.get("id2label")
        self.values["classes"] = len(labels) if isinstance(labels, Mapping) else document.get("num_labels", 2)
        self.values["has_head"] = self._has_head(document.get("architectures"))
        self.dtype = _dtype(document)
        self.base = row.names.get("base", "")
        self.prefix = f"{self.base}." if self.base and (self.values["has_head"] or "." in self.base) else ""
        if self.prefix and not self.values["has_head"]:
            self.prefix = self.base.partition(".")[2] + "."

    def _has_head(self, named: Any) -> bool:
        first = named[0] if isinstance(named, list | tuple) and named else None
        if not isinstance(first, str) or first.endswith(_HEADS):
            return True
        if not first.endswith("Model"):
            words = f"the head of {first[:60]} is not known: these are the layers below it"
            self.notes.append(Note("unknown-head", None, words))
        return False

    def model(self, name: str) -> Model:
        chains = {role: (lambda stack=stack: self._blocks(stack)) for role, stack in self.row.stacks.items()}
        wiring = Wiring(lambda role: self._layer(role, self.values, self.prefix), chains, self.values)
        for one, axes in self.row.inputs.items():
            sizes = tuple([value_of(size, self.values) for size in axes])
            wiring.input(one, sizes, "int32" if one.endswith("tokens") else "float32")
        model = wiring.model(name, self.row.model)
        return model._replace(
            format=FORMAT,
            framework="torch",
            notes=tuple(self.notes),
            shared=tuple(self._shared(model)),
            declarations=declarations(self.row.type, "float" if self.dtype in ("", "float32") else self.dtype),
            arguments={"dtype": self.dtype} if self.dtype else {},
        )

    def _shared(self, model: Model) -> list[SharedObject]:
        """The table that a tied head shares with the embedding."""
        layers = {layer.type: layer.name for layer in model.layers}
        if "TiedHead" not in layers:
            return []
        first = (LayerNamed(layers["TokenEmbedding"]),)
        return [SharedObject((LayerNamed(layers["TiedHead"]), "embedding"), (first,))]

    # Layers -----------------------------------------------------------------------------------------------------

    def _layer(self, role: str, values: Mapping[str, Any], prefix: str) -> Layer:
        ((type_, arguments),) = self.row.blocks[role].items()
        try:
            config = {name: value_of(text, values) for name, text in arguments.items()}
        except LayerExplainError as error:
            raise SourceError(f"{self.row.type} has {role} whose arguments cannot be: {error.fact}") from None
        name = self.row.names.get(role, role)
        full = name[1:] if name.startswith("/") else f"{prefix}{name}"
        return Layer(full, type_, "custom", {key: value for key, value in config.items() if value is not None})

    def _blocks(self, stack: Stack) -> list[Layer]:
        return [self._block(stack, number) for number in range(value_of(stack.number, self.values))]

    def _block(self, stack: Stack, number: int) -> Layer:
        values = {**self.values, "layer": number, "layer_type": self._type_of(number)}
        dense = self.values.get("mlp_only_layers")
        values["is_dense"] = isinstance(dense, list | tuple) and number in dense
        values |= rotary_of(values, self.values["rotary_width"], values["layer_type"])._asdict()
        wiring = Wiring(lambda role: self._layer(role, values, ""), {}, values)
        for one in ("x", *stack.inputs):
            of_pairs = (self.values["heads"], None, None)
            wiring.input(one, of_pairs if one == "distances" else (None, self.values["width"]))
        name = f"{self.prefix}{stack.name}.{number}"
        return Layer(name, "Functional", "model", {}, wiring.model(name, stack.formula))

    def _type_of(self, number: int) -> Any:
        """What kind of attention a block has: as the configuration lists it, else as the architecture has it."""
        types = self.values.get("layer_types")
        if isinstance(types, list | tuple) and number < len(types):
            return types[number]
        return value_of(self.row.layer_type, {**self.values, "layer": number}) if self.row.layer_type else None
