"""The weights of a model side by side with stored arrays, and the Python expression that gives each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.attribute_path import Steps, expression, layer_steps, weight_name
from layerexplain.errors import SourceError
from layerexplain.frontends.keras.weight_files import WeightFile
from layerexplain.frontends.keras.weight_tensors import Groups, StoredTensor
from layerexplain.lang.expr import Expr
from layerexplain.layers.keras.quantization import policy_of
from layerexplain.layers.registry import TORCH, facts_of
from layerexplain.model import Layer, Model, Note, is_before_keras_3
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple
from layerexplain.weights.assign import axes_of_keras_1, convolution_of, in_order, is_from_keras_1, turned
from layerexplain.weights.weighted_layers import WeightedLayer

# Matched ------------------------------------------------------------------------------------------------------------

_SEVERAL = "several earlier layers have its name and configuration"


class FirstUse(NamedTuple):
    """Where a weight is counted: the names that lead to the layer, the weight's number there and itself; 0 and None
    where the layer has no formula. `is_certain` is False where the file does not say which of several it is."""

    path: tuple[str, ...]
    number: int
    weight: Expr | None
    is_certain: bool


class MatchedWeight(NamedTuple):
    """A weight of a layer: what the layer's formula says (`weight`) and what the file stores (`tensor`); one of them
    may be None.

    `holder` leads from the model to the object that holds the variable, in the file's own attribute names; None where
    the file does not say. `merged` says that Keras adds the values to another weight when it saves (LoRA): the file
    stores none, and it reads zeros. A weight that only the file knows may have a `name` of its groups. A weight that is
    an earlier layer's says so in `shared`: the array is that one's. `packed` says what stands for the values in the
    file, where nothing unpacks it.
    """

    owner: WeightedLayer
    weight: Expr | None
    tensor: StoredTensor | None
    holder: Steps | None
    merged: bool = False
    stored_name: str = ""
    shared: FirstUse | None = None
    packed: str = ""

    @property
    def number(self) -> int | None:
        """Its number in the definition of its layer; None for an array that only the file knows."""
        return next((number for number, weight in enumerate(self.owner.weights) if weight is self.weight), None)

    @property
    def fits(self) -> bool:
        """Whether the file stores it in the shape of its formula, as far as both are known."""
        return self.weight is None or self.tensor is None or tuple(self.weight.shape) == self.tensor.shape

    @property
    def name(self) -> str:
        """Its name below its layer: the Keras path where the formula is known, else what the file says."""
        if self.weight is not None:
            return weight_name(self.weight.attrs, self.owner.layer)
        if self.stored_name or self.tensor is None:
            return self.stored_name
        return stored_name(self.tensor, self.owner.group, self.owner.path[-1])


class MatchedWeights(NamedTuple):
    """All weights of a model in Keras's order. `rest` are stored arrays that belong to no layer of the model, or that
    a layer stores beside its weights (`beside` has their paths). `opaque` are the layers without a formula of which
    the file tells, also those that have no weights."""

    stored: WeightFile | None
    weights: tuple[MatchedWeight, ...]
    rest: tuple[StoredTensor, ...]
    beside: frozenset[str]
    notes: tuple[Note, ...]
    opaque: tuple[WeightedLayer, ...] = ()

    def of_layer(self, path: str) -> tuple[MatchedWeight, ...]:
        """Return the weights of a layer (`encoder/dense`), or of all layers in a nested model, in their definition's
        order."""
        return tuple([weight for weight in self.weights if f"{weight.owner.where}/".startswith(f"{path}/")])

    def values(self, path: str) -> list[Any]:
        """Return the values of a layer's weights as NumPy arrays, in the order of its definition's `weights`.

        Raises SourceError where the file does not have them all, or not in the shapes that the formula needs.
        """
        return [self._value(weight) for weight in self.of_layer(path)]

    @property
    def lacks_backend(self) -> bool:
        """Whether a file does not say what Keras ran on, and has kernels that depend on it."""
        stored = self.stored
        if stored is None or stored.backend or not is_from_keras_1(stored.format, stored.keras_version):
            return False
        kernels = [
            weight for weight in self.weights if weight.weight is not None and set(weight.weight.shape[:-2]) - {1}
        ]
        return any(
            kernel.owner.definition is not None and convolution_of(kernel.owner.definition, number)
            for kernel in kernels
            if (number := kernel.number) is not None
        )

    def _order(self, weight: MatchedWeight) -> tuple[tuple[int, ...] | None, bool]:
        """Return how the axes of a stored kernel are in another order, and whether it is turned."""
        number, definition, stored = weight.number, weight.owner.definition, self.stored
        if number is None or definition is None or stored is None or weight.tensor is None:
            return None, False
        old = is_from_keras_1(stored.format, stored.keras_version)
        axes = axes_of_keras_1(definition, number, weight.tensor.shape) if old else None
        is_turned = stored.backend == "theano" and convolution_of(definition, number) is not None
        return axes, is_turned and (weight.fits or axes is not None)

    def _value(self, weight: MatchedWeight) -> Any:
        if weight.merged and weight.weight is not None:
            import numpy as np

            return np.zeros(tuple(weight.weight.shape), dtype=np.float32)
        which = f"the weight '{weight.name}' of the layer '{weight.owner.where}'"
        if weight.tensor is None and weight.shared is not None and not weight.shared.is_certain:
            raise SourceError(f"does not say which object stores {which}: {_SEVERAL}")
        if weight.packed:
            raise SourceError(f"stores {which} packed, and layerexplain does not unpack values: {weight.packed}")
        if self.stored is None or weight.tensor is None:
            raise SourceError(f"does not contain {which}")
        axes, is_turned = self._order(weight)
        if axes is not None or is_turned:
            values = self.stored.read(weight.tensor)
            values = in_order(values, axes) if axes is not None else values
            return turned(values) if is_turned else values
        if weight.weight is not None and not weight.fits:
            needed = f"its formula needs {shape_text(weight.weight.shape)}"
            raise SourceError(f"stores {which} as {shape_text(weight.tensor.shape)}; {needed}")
        return self.stored.read(weight.tensor)


def missing_note(where: str, names: Sequence[str]) -> Note:
    """Return a note that a file lacks weights of a layer."""
    words = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
    return Note("weight-missing", where, f"the file does not store {words}")


def stored_name(tensor: StoredTensor, group: Groups | None, layer: str) -> str:
    """Return an array's name below its layer as the file has it: `d1/0`, or `dense/kernel` in a legacy file."""
    parts = tensor.parts
    if group is not None and parts[: len(group)] == group:
        return "/".join(parts[len(group) :])
    # A legacy path begins with the model's and the layer's name, as the path of the variable in Keras does.
    inside = parts[1:]
    return "/".join(inside[inside.index(layer) + 1 :] if layer in inside[:-1] else inside)


# Keras expression ---------------------------------------------------------------------------------------------------
# The Python expression that gives a variable: in Keras `model.get_layer("embedding").embeddings`, or in PyTorch.


def layer_expression(path: Sequence[str]) -> str:
    """Return the expression that gives a layer by the names that lead to it."""
    return expression(layer_steps(path))


def variable_expression(
    path: Sequence[str],
    layer: Layer,
    weight: Expr,
    model: Model | None = None,
    at: Steps | None = None,
    keras_version: str | None = None,
) -> str | None:
    """Return the expression that gives a weight of the layer to which the names in `path` lead; None where a larger
    one contains it.

    `model` is the whole one, and `keras_version` that of a file without a model. `at` leads from the layer to what
    holds the variable, where the file has other attributes than the formula says.
    """
    at = weight.attrs["at"] if at is None else at
    is_language_model = model is not None and model.format == "hugging-face"
    if layer.type.startswith(TORCH) or is_language_model:
        return module_expression(path, at, str(weight.attrs["name"]), model.modules if model is not None else {})
    keras_version = model.keras_version if model is not None and model.keras_version else keras_version
    wrapped = layer.config.get("layer") if at == ("layer",) else None
    owner = wrapped if isinstance(wrapped, Layer) else layer
    name = str(weight.attrs["name"])
    facts = facts_of(owner.type)
    if is_before_keras_3(keras_version):
        if len(at) == 1:
            at = (facts.attributes_keras_2.get(str(at[0]), at[0]),)
        name = facts.attributes_keras_2.get(name, name)
    name = facts.attributes.get(name, name)
    if name in ("kernel", "embeddings") and _is_computed(owner):
        name = f"_{name}"
    return expression((*layer_steps(path), *at, name))


def module_expression(path: Sequence[str], at: Steps, name: str, modules: Mapping[str, str]) -> str | None:
    """Return the expression that gives a parameter of a module of PyTorch, by the names that lead to it in its file and
    by what `modules` calls them; None where it is no parameter of its own.

    >>> module_expression(("model.layers.0", "mlp"), ("up_proj",), "weight", {"model.layers": "model.text.layers"})
    'model.model.text.layers[0].mlp.up_proj.weight'
    """
    within = [str(step) for step in at]
    names = path[:-1] if within and within[0].startswith("/") else path
    steps = ".".join([*names, *within, name]).replace("/", "")
    for old, new in modules.items():
        result = re.sub(rf"(?<![^.]){re.escape(old)}(?![^.])", new, steps)
        if result != steps and not new:
            return None
        steps = result
    return "model" + "".join([f"[{item}]" if item.isdecimal() else f".{item}" for item in steps.split(".")])


def _is_computed(layer: Layer) -> bool:
    """Return whether the public attribute of a layer's kernel or table computes a tensor: the sum with LoRA's update,
    or the values that int4 packs. The variable then has an underscore before its name."""
    policy = policy_of(layer.config.get("dtype"))
    return layer.config.get("lora_rank") is not None or (policy is not None and policy.mode == "int4")
