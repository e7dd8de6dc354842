"""Layers, models, their calls and weights."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Identity,
    Keywords,
    Names,
    Place,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
    Use,
    Value,
)
from layerexplain.frontends.code.values.operators import each_in
from layerexplain.layers.registry import facts_of
from layerexplain.model import FitData
from layerexplain.records import sources_first

if TYPE_CHECKING:
    from layerexplain.layers.declaration import Spec


creation_counter = itertools.count()
"""Numbers objects and layers in the order in which they are made."""


class LayerFramework(Names, Protocol):
    """What layers, tensors and weights ask of the library that makes them."""

    @property
    def in_call(self) -> bool:
        """Return whether a `call` of the program is followed now."""

    def is_of_layers(self, name: str) -> bool:
        """Return whether every layer of the library has an attribute."""

    def check_attribute(
        self, layer: LayerValue, name: str, cls: ProgramValue = None, shown: str = ""
    ) -> Unknown | None:
        """Raise ProgramError for an attribute that neither the library nor the program gives a layer. Returns why that
        is not known, where a base of its class is not read."""

    def attribute_of_own_layer(self, layer: LayerValue, name: str, value: object) -> None:
        """Record that the program sets an attribute of a custom layer."""

    def build_by_hand(
        self, instance: ProgramValue, method: ProgramValue, args: Arguments, kwargs: Keywords
    ) -> ProgramValue:
        """Return what `layer.build(shape)` of a user-defined class gives."""

    def attribute(self, layer: LayerValue, name: str) -> ProgramValue:
        """Return an attribute of a layer."""

    def layer_has(self, layer: LayerValue, name: str) -> bool | None:
        """Return whether the class of a layer gives it an attribute; None where that is not known."""

    def change_argument(self, layer: LayerValue, name: str, value: object) -> bool:
        """Change an argument of a layer that is made already. Returns whether it is one."""

    def set_trainable(self, layer: LayerValue, value: object) -> None:
        """Let a layer, and what is inside, be trained or not."""

    def call_method(self, layer: LayerValue, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method of a layer gives."""

    def call_layer(self, layer: LayerValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return the result of `layer(x)`."""

    def tensor_attribute(self, tensor: Tensor, name: str) -> ProgramValue:
        """Return an attribute of a tensor."""

    def tensor_has(self, name: str) -> bool | None:
        """Return whether every tensor has an attribute; None where that differs from version to version."""

    def tensor_item(self, tensor: Tensor, key: object) -> ProgramValue:
        """Return `tensor[key]`."""

    def tensor_method(self, tensor: Tensor, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method of a tensor gives."""

    def variable_attribute(self, variable: Variable, name: str) -> ProgramValue:
        """Return an attribute of a weight."""

    def data_of(self, variable: Variable) -> ProgramValue:
        """Return the numbers of a weight, where code computes with them outside of layers."""

    def weight_value(self, variable: Variable) -> ProgramValue:
        """Return what a weight is where code computes with it: a tensor in a `call`, numbers outside."""

    def split_input(self, tensor: Tensor, parts: list[ast.expr]) -> list[ProgramValue] | Unknown:
        """Return the parts that a tensor is unpacked into."""

    def opaque_call(self, path: str, args: Arguments, kwargs: Keywords, why: Unknown | None = None) -> Tensor:
        """Return the tensor, of unknown shape, that a function gives which is not read."""


class Node:
    """One call of a layer. `args` and `kwargs` hold tensors where the call has them. `specs` are the results' shapes,
    None as long as nobody asked. `in_call` says that a `call` of the program makes it."""

    def __init__(
        self,
        layer: LayerValue,
        args: tuple[ProgramValue, ...],
        kwargs: Mapping[str, ProgramValue],
        place: Place,
        number: int,
        *,
        in_call: bool = False,
    ) -> None:
        self.layer = layer
        self.args = args
        self.kwargs = kwargs
        self.place = place
        self.number = number
        self.specs: Sequence[Spec | None] | None = None
        self._tensors: list[Tensor] | None = None
        self._kind = CallTensor if in_call else GraphTensor
        self._results: dict[int, Tensor] = {}
        self.names: dict[int, str] = {}
        """What the author calls the results, by number."""
        self.callers: tuple[str, ...] = ()
        """Where the function was called that makes the call, in words."""
        self.trace: CallTrace | None = None
        """What the `call` of a layer or model of the program did with these arguments."""
        layer.nodes.append(self)

    def result(self, index: int = 0) -> Tensor:
        """Return a result by its number, or the mask of result i by -1 - i."""
        if index not in self._results:
            self._results[index] = self._kind(self, index)
        return self._results[index]

    def tensors(self) -> list[Tensor]:
        """Return the tensors that go in."""
        if self._tensors is None:
            self._tensors = tensors_in([*self.args, *self.kwargs.values()])
        return list(self._tensors)


class CallTrace:
    """The `call` of a custom layer or model, followed at given arguments, in training or not: the graph between
    `inputs` and `outputs` (tensors in lists and dicts; None where `reason` says why they are not known). `masks` are
    those of the results in order, `mask_inputs` stand for those that the inputs carry."""

    def __init__(self, training: bool) -> None:
        self.training = training
        self.span = (0, 0)
        """When it was followed, as `creation_counter` counts."""
        self.inputs: list[Tensor] = []
        self.outputs: ProgramValue = None
        self.reason: Unknown | None = None
        self.mask_inputs: dict[Tensor, Tensor] = {}
        self.masks: list[Tensor | None] = []


class Tensor(Value):
    """The result number `index` of a call; the mask of result i has the number -1 - i. `Node.result` makes it, once."""

    def __repr__(self) -> str:
        return "a tensor"

    def __init__(self, node: Node, index: int) -> None:
        self.node = node
        self.index = index

    @property
    def framework(self) -> LayerFramework:
        """Return the library that makes it."""
        return self.node.layer.framework

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.framework.tensor_attribute(self, name)

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        return self.framework.tensor_item(self, key)

    def set_item(self, evaluator: Evaluator, key: object, value: object) -> None:
        words = "a tensor cannot be changed in place; use keras.ops.slice_update"
        raise ProgramError("TypeError", words, evaluator.place())

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        return self.framework.tensor_method(self, name, args, kwargs)

    def operate(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        return self.framework.operator(name, left, right)

    def operate_alone(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.framework.operator(name, self, None)

    def compare(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        return self.framework.operator(name, left, right)

    def is_instance(self, kind: Symbol) -> bool | None:
        return True if "ensor" in kind.last else False if kind.path.startswith("numpy.") else None

    def result_words(self, results: Sequence[ProgramValue]) -> str:
        type_ = self.node.layer.type
        both = "backward_layer" in facts_of(type_).inner_copies
        states = ["h", "c"][: (len(results) - 1) // (2 if both else 1)]
        names = [
            "output",
            *[f"{way}{state}" for way in (("forward_", "backward_") if both else ("",)) for state in states],
        ]
        if len(names) != len(results) or not all(
            isinstance(result, Tensor) and result.node is self.node for result in results
        ):
            return ""
        joined = "; Concatenate()([forward_h, backward_h]) joins them, for twice the units" if both else ""
        return f"; {type_} gives {', '.join(names)}{joined}"

    def unpack(self, evaluator: Evaluator, parts: list[ast.expr]) -> list[ProgramValue] | Unknown:
        return self.framework.split_input(self, parts)

    def truth(self) -> bool | None:
        return None

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        if self.node.layer.reason is not None:
            return self.node.layer.reason  # what is not read may give a layer too
        raise ProgramError("TypeError", "a tensor is called", evaluator.place())


_REFUSED: dict[Use, str] = {
    "loop": "a tensor of Keras cannot be iterated over: it has no values yet",
    "test": "a tensor of Keras is neither true nor false: it has no values yet; use keras.ops.where",
    "unpacking": "a tensor of Keras cannot be unpacked",
    "number": "got a tensor of Keras: it has no values yet",
}


class GraphTensor(Tensor):
    """A tensor outside of any `call`. It has no numbers, and Keras refuses what needs them."""

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        result = self.framework.tensor_has(name)
        return None if name.startswith("_") and not result else result

    def check_use(self, use: Use, place: Place, words: str = "") -> None:
        if use in ("test", "number") or self.node.layer.kind == "layer":
            raise ProgramError("TypeError", words + _REFUSED[use], place)


class CallTensor(Tensor):
    """A tensor inside of the `call` of a layer or a model of the program."""

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return self.framework.tensor_has(name) or None

    def assigned_to(self, name: str) -> None:
        self.node.names.setdefault(self.index, name)


class Variable(Value):
    """A weight that code makes itself with `add_weight` or `tf.Variable`."""

    def __init__(
        self, framework: LayerFramework, name: str, shape: ProgramValue, dtype: str, trainable: bool, place: Place
    ) -> None:
        self.framework = framework
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.trainable = trainable
        self.place = place
        self.choice: ProgramValue = None
        """What is assumed where it counts as a weight of a layer."""

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.framework.variable_attribute(self, name)

    def operand(self, evaluator: Evaluator) -> ProgramValue:
        return self if self.framework.in_call else self.framework.data_of(self)

    def operate(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        return self.framework.operator(name, left, right)

    def operate_alone(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.framework.operator(name, self, None)

    def compare(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        return self.framework.operator(name, left, right) if self.framework.in_call else NotImplemented

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        return evaluator.item(self.framework.weight_value(self), key)

    def truth(self) -> bool | None:
        return None


class LayerValue(Identity):
    """A layer, an operation or a model. `type` is the name of its class, `kind` as in `model.Layer`."""

    def __repr__(self) -> str:
        return f"{self.type}(…)"

    def __init__(
        self, framework: LayerFramework, type_: str, kind: str, name: str, config: dict[str, ProgramValue], place: Place
    ) -> None:
        self.framework = framework
        """The library that makes it."""
        self.type = type_
        self.kind = kind
        self.name = name
        self.config = config
        self.place = place
        self.trainable = True
        self.trains_unknown = False
        """Whether the program does not say if it is trained: `layer.trainable = UNKNOWN`."""
        self.parts_trained = False
        """Whether it is made as not trainable, and Keras makes layers inside of it that are trained all the same."""
        self.nodes: list[Node] = []
        self.instance: ProgramValue = None
        self.attributes: dict[str, ProgramValue] = {}
        """What the program gave it as attributes, `layer.size = 3`."""
        self.reason: Unknown | None = None
        """Why nothing is known of what it computes."""
        self.missing: list[Unknown] = []
        """Values that are missing in arguments which its formula does not read: the strength of a regularizer."""
        self.callers: tuple[str, ...] = ()
        """Where the function was called that makes it, in words."""
        self.declaration: ProgramValue = None
        """That of an operation which Keras does not have under a name."""
        self.created_at = self.changed_at = next(creation_counter)
        """Later ones have larger numbers. `changed_at` is that of the last change of what it is."""

    def mark_changed(self) -> None:
        """Note that what it is changes now."""
        self.changed_at = next(creation_counter)

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.framework.attribute(self, name)

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return name in self.attributes or name in self.config or self.framework.layer_has(self, name)

    def set_attribute(self, evaluator: Evaluator, name: str, value: object) -> None:
        evaluator.effects.record_change()
        if name == "trainable":
            self.framework.set_trainable(self, value)
        elif name in ("_name", "name") and isinstance(value, str):
            evaluator.effects.record_model_change(self)
            self.name = value
        elif not self.framework.change_argument(self, name, value):
            self.attributes[name] = value

    def is_instance(self, kind: Symbol) -> bool | None:
        if kind.last in ("Layer", "Operation", "Module"):
            return True
        if kind.last in ("Model", "Functional"):
            return self.kind == "model" and (kind.last == "Model" or self.type == "Functional")
        return self.type == kind.last

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        return self.framework.call_method(self, name, args, kwargs)

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return self.framework.call_layer(self, args, kwargs)


class ModelValue(LayerValue):
    """A model: "sequential" with `layers`, "functional" with `inputs` and `outputs` (tensors in lists and dicts), or
    "own", with the graph of its `call` as `inputs` and `outputs`."""

    def __init__(self, framework: LayerFramework, form: str, type_: str, name: str, place: Place) -> None:
        super().__init__(framework, type_, "model", name, {}, place)
        self.form = form
        self.layers: list[LayerValue] = []
        self.inputs: ProgramValue = None
        self.outputs: ProgramValue = None
        self.input_shape: ProgramValue = None
        self.compiled: dict[str, ProgramValue] | None = None
        self.fitted: FitData | None = None
        self.trained: dict[LayerValue, bool] | None = None
        """Which of its layers train, in the training function that Keras made for its last `compile`."""
        self.changed_in_training: tuple[LayerValue, str] | None = None
        """A layer that trains in this function against its `trainable` in a call of `fit`, and where that is."""
        self.open: list[Unknown] = []
        self.traces: dict[ProgramValue, CallTrace] = {}
        """What its `call` does, by the arguments; the first one is that of the program."""
        self.added_input = ""
        """The name of the InputLayer that Keras itself put before the layers of a Sequential model; "" for none."""
        self.built_alone = False
        """Whether the program only calls Keras's own `build` of a class, which in Keras 3 makes no weights."""
        self.is_built = False
        """Whether Keras has made a functional model of the layers of a Sequential one."""
        self.is_inner = False
        """Whether the `build` or the `call` of a user-defined class made it: it is a part of that."""
        self.weights_note = ""
        """The note on stored weights that the program loads into it; "" for none."""
        self.depends_on: set[ProgramValue] = set()
        """Choices and unknown values that its `call` met while it was followed."""
        self.before_build: dict[str, ProgramValue] | None = None
        """The attributes of an object whose `build` ran at a shape that was not known, as they were before."""

    @property
    def traced(self) -> bool:
        """Return whether its `call` was followed."""
        return bool(self.traces)

    @property
    def is_own_layer(self) -> bool:
        """Return whether it is an object of a class of layers of the program, or a Lambda whose function is in the
        code: what it computes is a formula, not a graph of layers."""
        return self.form == "own" and not self.config.get("model")


def tensors_in(value: object) -> list[Tensor]:
    """Return the tensors in a value, at any depth."""
    return [item for item in each_in(value) if isinstance(item, Tensor)]


def calls_before(value: object) -> list[Node]:
    """Return the calls that the tensors in a value come from, those of inputs included."""
    ends = [tensor.node for tensor in tensors_in(value)]
    return sources_first(ends, lambda node: [tensor.node for tensor in node.tensors()])


def unknown_in(value: object) -> Unknown | None:
    """Return the first unknown value in a value, at any depth."""
    unknowns = [item for item in each_in(value, settings=True) if isinstance(item, Unknown)]
    return unknowns[0] if unknowns else None
