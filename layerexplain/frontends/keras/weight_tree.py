"""The layers of files of weights alone: by a tree of groups, by lists of variables, and by the older HDF5.

The items of a list or mapping of layers are in groups named after their classes (`layers/dense_1`); a layer in an
attribute has the attribute's name (`cell`), and since Keras 3.6 its own name beside it. What classes these are is told
as far as such names tell it, and only where the shapes of the arrays agree.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from layerexplain.attribute_path import LayerNamed, Step, Steps
from layerexplain.errors import NotAModel, SourceError
from layerexplain.files.limits import MAX_CONFIG_BYTES
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config import read_config
from layerexplain.frontends.keras.h5_service import SERVICE, H5Target
from layerexplain.frontends.keras.weight_files import WeightFile, open_weights
from layerexplain.frontends.keras.weight_layouts import LAYERS
from layerexplain.frontends.keras.weight_tensors import Groups, StoredTensor, role_of, stem, variable_rows
from layerexplain.frontends.model_builder import FreeNames, types_by_default_name
from layerexplain.model import GROUP, Layer, Model, Note, StoredGroup, StoredVariable
from layerexplain.records import grouped

# Weight tree --------------------------------------------------------------------------------------------------------

UNTOLD = "Layer"
"""The type of a row whose class is unknown."""
LOOSE = "Variables"
"""The type of a row for what an object holds beside its layers."""

_DEEPEST = 90
"""Objects that nest deeper are shown as one row; models nest at most 100 deep."""

_ANY = -1
_KERNEL_AND_BIAS = {
    "Dense": 2,
    "EinsumDense": _ANY,
    **{f"Conv{n}D{transposed}": n + 2 for n in (1, 2, 3) for transposed in ("", "Transpose")},
    "DepthwiseConv1D": 3,
    "DepthwiseConv2D": 4,
}
_CELL = (("kernel", 2), ("recurrent_kernel", 2), ("bias", _ANY))
_NAMED: dict[str, tuple[tuple[tuple[str, int], ...], int]] = {
    **{type_: ((("kernel", rank), ("bias", _ANY)), 1) for type_, rank in _KERNEL_AND_BIAS.items()},
    "SeparableConv1D": ((("depthwise_kernel", 3), ("pointwise_kernel", 3), ("bias", 1)), 2),
    "SeparableConv2D": ((("depthwise_kernel", 4), ("pointwise_kernel", 4), ("bias", 1)), 2),
    "Embedding": ((("embeddings", 2),), 1),
    "ReversibleEmbedding": ((("embeddings", 2), ("reverse_embeddings", 2)), 1),
    "BatchNormalization": ((("gamma", 1), ("beta", 1), ("moving_mean", 1), ("moving_variance", 1)), 4),
    "LayerNormalization": ((("gamma", _ANY), ("beta", _ANY)), 2),
    "GroupNormalization": ((("gamma", 1), ("beta", 1)), 2),
    "RMSNormalization": ((("scale", _ANY),), 1),
    "PReLU": ((("alpha", _ANY),), 1),
    **{f"{kind}Cell": (_CELL, 2) for kind in ("LSTM", "GRU", "SimpleRNN")},
}
"""The variables of a type in the order of their numbers, with their axes, and how many it has at least: fewer than all
have these names only where the first are the ones that are never left out."""

_HOLDERS = frozenset({
    "Bidirectional", "TimeDistributed", "SpectralNormalization", "MultiHeadAttention", "GroupedQueryAttention",
    "RNN", "LSTM", "GRU", "SimpleRNN", "StackedRNNCells", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Pipeline",
})  # fmt: skip
"""Layers of Keras that keep their weights in other layers."""

_LATER = frozenset({
    *_NAMED, *_HOLDERS,
}) - {"TimeDistributed", "RNN", "StackedRNNCells", "Pipeline", "LayerNormalization", "GroupNormalization"}  # fmt: skip
"""Layers of Keras that have weights whenever they are built, by themselves and with any arguments."""

_PERHAPS_LATER = frozenset({"LayerNormalization", "GroupNormalization", "Normalization", "AdditiveAttention"})
"""Layers of Keras that have weights, once they are built, with most arguments."""

_HELD = {
    **{(kind, "cell"): f"{kind}Cell" for kind in ("LSTM", "GRU", "SimpleRNN")},
    **{("MultiHeadAttention", f"{part}_dense"): "EinsumDense" for part in ("query", "key", "value", "output")},
}
"""What a layer of Keras keeps in an attribute."""

_ATTENTION = ("query_dense", "key_dense", "value_dense", "output_dense")


class WeightTree:
    """What one file in class layout says of its layers. `is_nested` says whether a group has objects with weights."""

    def __init__(self, stored: WeightFile) -> None:
        self.stored = stored
        self._types = types_by_default_name()
        self._models = {"sequential": "Sequential", "functional": "Functional"}
        self._type: Callable[[Groups], str] = cache(self._type_by_names)
        self.is_nested: Callable[[Groups], bool] = cache(
            lambda group: any(inner in self._weighty for inner in self._objects(group))
        )
        self._names: Callable[[Groups], Counter[str | None]] = cache(
            lambda group: Counter([stored.names.get(item) for item in self._objects(group)])
        )
        self._direct = stored.direct
        self._weighty: set[Groups] = set()
        for group in stored.direct:
            while group not in self._weighty:
                self._weighty.add(group)
                group = group[:-1]
        self._members: dict[Groups, list[Groups]] = grouped(
            (group[:-1], group) for group in stored.groups if group and role_of(group, "") == "parameter"
        )
        # What stands in a list bears its class: the same name elsewhere is one that Keras gave for that class.
        self._classes = {stem(group[-1]) for group in stored.groups if group and self._in_list(group)}
        self._unbuilt = self._without_weights()
        self._weighty |= {group[:n] for group in self._unbuilt for n in range(len(group) + 1)}

    def layers(self, root: Groups = (), depth: int = 0) -> tuple[Layer, ...]:
        """Return the layers in a group, in the order in which they lie in the file, which is the model's for its list
        of layers; with a row for the variables of the group itself, where it has some. `depth` is how deep it is in
        other groups of layers."""
        names = FreeNames()
        layers = []
        own = self._direct.get(root, [])
        if own:
            layers.append(self._row(names.take("weights"), LOOSE, root, own))
        layers += [self._layer(group, names, depth) for group in self._objects(root)]
        return tuple(layers)

    def _objects(self, group: Groups) -> Iterator[Groups]:
        """Yield the objects in a group, those of its lists in their places."""
        for member in self._members.get(group, []):
            if self._is_object(member):
                yield member
            else:
                yield from self._objects(member)

    def _is_object(self, group: Groups) -> bool:
        # Keras marks every object; of a file by another hand, what a list of layers holds, and what holds no other.
        if group in self.stored.objects or group in self._direct or group[-2:-1] == (LAYERS,):
            return True
        return not self._members.get(group)

    def _in_list(self, group: Groups) -> bool:
        return bool(group[:-1]) and not self._is_object(group[:-1])

    def _layer(self, group: Groups, names: FreeNames, depth: int) -> Layer:
        own, place = self.stored.names.get(group), f"{GROUP}{group[-1]}"
        if own in names.taken:
            own = f"{own} ({place})"
        # In a list the group is called after the class and its number, which the layer need not be; else it is an
        # attribute.
        name = names.take(own or (place if self._in_list(group) else group[-1]))
        type_ = self._type(group)
        below = self._below(group)
        if not self.is_nested(group) or type_ in _HOLDERS or depth >= _DEEPEST:
            return self._row(name, type_, group, below)
        layers = self.layers(group, depth + 1)
        return Layer(name, type_, "custom", {"group": StoredGroup(group)}, Model(name, type_, layers, (), (), ()))

    def _row(self, name: str, type_: str, group: Groups, tensors: Sequence[StoredTensor]) -> Layer:
        variables = [StoredVariable(self.name(t, group), t.shape, t.dtype, None) for t in tensors]
        place = StoredGroup(group, bool(tensors) or group not in self._unbuilt)
        return Layer(name, type_, "custom", {"variables": tuple(variables), "group": place})

    def name(self, tensor: StoredTensor, group: Groups) -> str:
        """Return what an array is called below the object that a group stands for: `kernel`, `cell/bias`, or its
        number."""
        inside = tensor.parts[len(group) : -1]
        return "/".join((*inside, self._variable(tensor, self._type_of_holder(group, inside))))

    def holder(self, tensor: StoredTensor, start: Groups) -> Steps | None:
        """Return the steps to the object that holds an array, from the object in the group `start` (the model for no
        group); None where a list is on the way, whose items have no names."""
        groups, done = tensor.parts[:-1], len(start)
        steps: list[Step] = []
        while done < len(groups):
            here, inner = groups[:done], groups[: done + 1]
            if self._is_object(inner):
                if not groups[done].isidentifier():
                    return None
                steps.append(groups[done])
                done += 1
                continue
            done += 2
            name = self.stored.names.get(groups[:done])
            if name is None or self._names(here)[name] != 1 or not self._is_model(here, groups[done - 2]):
                return None
            steps.append(LayerNamed(name))
        return tuple(steps)

    def _is_model(self, group: Groups, container: str) -> bool:
        """Return whether what a container of an object holds are layers of a model, which finds them by their names."""
        if not group or self._type(group) in self._models.values():
            return True
        inside = self._members.get((*group, LAYERS), [])
        return container == LAYERS and any(stem(member[-1]) == "input_layer" for member in inside)

    def tensors(self, layer: Layer, group: Groups) -> list[StoredTensor]:
        """Return the arrays of a row that `layers` made."""
        return self._direct.get(group, []) if layer.type == LOOSE else self._below(group)

    def _below(self, group: Groups) -> list[StoredTensor]:
        inside = [self._below(member) for member in self._members.get(group, []) if member in self._weighty]
        return [*self._direct.get(group, []), *chain.from_iterable(inside)]

    # Classes ----------------------------------------------------------------------------------------------------

    def _without_weights(self) -> set[Groups]:
        """Return the objects that were never built: the file has nothing for them, and they are of a class that has
        weights. Where it has nothing at all, these are also the objects of unknown classes."""
        nothing = not self._weighty
        result = set()
        for group in self.stored.groups:
            if not group or group in self._weighty or role_of(group, "") != "parameter" or not self._is_object(group):
                continue
            name = stem(group[-1] if self._in_list(group) else self.stored.names.get(group, ""))
            type_ = self._types.get(name)
            known = type_ is not None or name in self._models
            if type_ in _LATER or (nothing and (type_ in _PERHAPS_LATER or not known)):
                result.add(group)
        return result

    def _type_by_names(self, group: Groups) -> str:
        """Return the class of an object, as far as names and arrays show it."""
        if self._in_list(group):
            name = stem(group[-1])
        else:
            name = stem(self.stored.names.get(group, ""))
            if name not in self._types and name not in self._models and name not in self._classes:
                return "MultiHeadAttention" if self._is_attention(group) else UNTOLD
        if name in self._models:
            return self._models[name]
        type_ = self._types.get(name)
        if type_ is not None and self._fits(group, type_):
            return type_
        if self._is_attention(group):
            return "MultiHeadAttention"
        return UNTOLD if type_ is not None else "".join([part[:1].upper() + part[1:] for part in name.split("_")])

    def _fits(self, group: Groups, type_: str) -> bool:
        own = self._direct.get(group, [])
        if self.is_nested(group) and type_ not in _HOLDERS:
            return False
        known = _NAMED.get(type_)
        return known is None or not own or known[0][0][1] in (_ANY, len(own[0].shape))

    def _is_attention(self, group: Groups) -> bool:
        """Return the four projections in which Keras's attention, and classes derived from it, keep their weights."""
        kernels = [self._direct.get((*group, part)) for part in _ATTENTION]
        return all(kernel is not None and len(kernel[0].shape) == 3 for kernel in kernels)

    def _type_of_holder(self, group: Groups, inside: Groups) -> str:
        """Return the class that holds an array: that of an object, or of one in its attributes."""
        type_ = self._type(group) if group else UNTOLD
        for depth in range(1, len(inside) + 1):
            own = self._type((*group, *inside[:depth]))
            type_ = own if own != UNTOLD else _HELD.get((type_, inside[depth - 1].lstrip("_")), UNTOLD)
        return type_

    def _variable(self, tensor: StoredTensor, type_: str) -> str:
        """Return a variable's name, if its layer's class and all arrays beside it show it; else its number."""
        known = _NAMED.get(type_)
        beside = self._direct.get(tensor.parts[:-1], [])
        if known is None or not known[1] <= len(beside) <= len(known[0]):
            return tensor.parts[-1]
        for number, (other, (_, rank)) in enumerate(zip(beside, known[0], strict=False)):
            # Quantized and adapted layers keep other arrays in other orders.
            if other.parts[-1] != str(number) or rank not in (_ANY, len(other.shape)) or "float" not in other.dtype:
                return tensor.parts[-1]
        return known[0][int(tensor.parts[-1])][0]


# Weights only -------------------------------------------------------------------------------------------------------
# Files of weights without an architecture → `Model`: a row for each layer that the file shows, and no calls.

# Weights only -------------------------------------------------------------------------------------------------------

_LISTED = "the layers are those that the weights show, in the order in which the file lists them"
_LAYERS_SHOWN = (
    "the layers are those that the weights show, in the order in which the file stores them; their types follow from "
    "the names of groups, and 'Layer' stands for an unknown class; 'group dense' is the group of a layer whose own "
    "name the file does not store, or stores twice"
)


def read_weights_only(source: str | bytes, otherwise: str) -> Model:
    """Read the layers that a file of weights shows. Raises SourceError with `otherwise` if it contains none."""
    with open_weights(source) as stored:
        if stored is None:
            raise NotAModel(otherwise)
        if not stored.parameters and not stored.groups:
            raise SourceError("is a file of weights that contains no weights")
        name = "" if isinstance(source, bytes) else os.path.basename(source).partition(".")[0]
        note = Note("weights-only", None, f"the file contains only weights, no architecture: {_words(stored)}")
        model = Model(name or "weights", "Weights", _rows(stored), (), (), (), format=stored.format)
        return model._replace(keras_version=stored.keras_version, notes=(note, *stored.notes))


def with_stored_layers(model: Model, source: str | bytes) -> Model:
    """Add the layers that the weights show to a model without a graph; configured layers stay as they are."""
    try:
        with open_weights(source) as stored:
            # A model that was never built has a group for each of its layers, with nothing in it.
            if stored is None or not (stored.parameters or (stored.layout == "classes" and not model.layers)):
                return model
            if model.layers and not (stored.layout == "classes" and stored.names):
                return model
            rows = tuple([model.layers_by_name.get(row.name, row) for row in _rows(stored)])
            if not rows:
                return model
            note = Note("layers-from-weights", None, _LAYERS_SHOWN if stored.layout == "classes" else _LISTED)
            return model._replace(layers=rows, notes=(*model.notes, note, *stored.notes))
    except SourceError as error:
        return model._replace(notes=(*model.notes, Note("weights-unread", None, f"its weights: {error.clause}")))


def _rows(stored: WeightFile) -> tuple[Layer, ...]:
    if stored.layout == "classes":
        return WeightTree(stored).layers()
    variables = [
        (tensor.layer or "weights", StoredVariable(_below_layer(tensor), tensor.shape, tensor.dtype, None))
        for tensor in stored.parameters
    ]
    return tuple(variable_rows(grouped(variables), set()))


def _below_layer(tensor: StoredTensor) -> str:
    """Return a variable's name below its layer: `kernel`, `cell/kernel`."""
    own = [part for part in tensor.parts[1:] if part != tensor.layer.rpartition("/")[2]]
    return "/".join(own) or tensor.parts[-1]


def _words(stored: WeightFile) -> str:
    is_legacy = stored.format == "h5-weights"
    layers_shown, files = (
        ("layers are shown as it lists them", ".keras, .h5") if is_legacy else (_LAYERS_SHOWN, ".keras")
    )
    return f"{layers_shown}; give the model's {files} or config JSON to see what they compute"


# Legacy h5 ----------------------------------------------------------------------------------------------------------
# Legacy `.h5` files (Keras 0.3 to 3): the root's attributes alone, never a weight; files of weights alone.

_SECONDS = 3


def read_legacy_h5(source: str | bytes) -> Model:
    """Return the model of a legacy .h5 file, by its path or its bytes; for a file of weights alone, the layers that
    they show.

    Raises SourceError where it is damaged or no file of Keras.
    """
    answer = SERVICE.ask(H5Target.from_source(source), "configuration", seconds=_SECONDS, most=MAX_CONFIG_BYTES)
    if not answer.value["found"]:
        otherwise = "is an HDF5 file, but neither a Keras model (it has no attribute model_config) nor Keras weights"
        return read_weights_only(source, otherwise)
    document = parse_json(bytes(answer.data), "the attribute model_config")
    training = _training(answer.value.get("training"))
    return read_config(document, keras_version=answer.value["version"], training=training)._replace(format="h5")


def _training(text: str | None) -> Any:
    """Return what the file says of the loss and the optimizer; None where that is damaged, since no layer rests on
    it."""
    try:
        return None if text is None else parse_json(text.encode(), "the attribute training_config")
    except SourceError:
        return None
