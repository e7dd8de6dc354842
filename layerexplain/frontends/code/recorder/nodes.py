"""The layers and calls that code makes, as they are made: their names, places, faults."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from layerexplain.errors import ArgumentError
from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.recorder.shapes import GraphSource, Shapes, as_recorded
from layerexplain.frontends.code.values.base import Arguments, Keywords, Place, ProgramValue, Unknown
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Node, Tensor, tensors_in
from layerexplain.frontends.code.values.objects import Framework
from layerexplain.frontends.code.values.operators import copied
from layerexplain.frontends.code.values.reading import Assumption
from layerexplain.frontends.model_builder import default_name
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import facts_of
from layerexplain.model import Note, Shape


class ModelLibrary(Framework, GraphSource, Protocol):
    """A library that models are made with, as the parts of the recorder ask it."""

    def check_states(self, layer: LayerValue, tensor: object) -> None:
        """Keep the fault of a layer that keeps its states between batches and does not know how many examples they are
        of."""

    def check_error(self, model: ModelValue, shapes: Mapping[str, Shape]) -> None:
        """Record the fault of a model whose code does not state its data, from a pasted error that does."""


class Recorder:
    """The layers and calls that one program makes with a library, as it makes them."""

    def __init__(self, framework: ModelLibrary, interpreter: Interpreter) -> None:
        self.framework = framework
        self.interpreter, self.fault = interpreter, interpreter.fault
        self.counters: dict[str, int] = {}
        self.models: list[ModelValue] = []
        self.number_of_nodes = 0
        self.nodes_inside: list[Node] = []
        """The calls that a `call` of the program makes, in order."""
        self.fixed_batches: set[int | None] = set()
        """How many examples a batch has, as the inputs that were made say; None for one that does not."""
        self.keras_2 = False
        self.has_custom_objects = False
        self.policy = ""
        self.data_format = ""
        """That of images, where the program sets it: "channels_first"."""
        self.first_shapes: dict[int, tuple[LayerValue, ProgramValue]] = {}
        self.tracing: list[tuple[ModelValue, list[Tensor]]] = []
        self.training = False
        self.masks: dict[Tensor, Tensor | None] = {}
        self.shapes = Shapes(framework, self.masks)

    @property
    def in_call(self) -> bool:
        """Return whether a `call` of the program is followed now."""
        return bool(self.interpreter.followed_calls)

    @property
    def is_older(self) -> bool:
        """Return whether something shows that a program is one of a Keras older than 3."""
        return self.keras_2 or any(note.code == "old-argument" for note in self.interpreter.notes)

    def older(self, words: str, *, than: int = 3) -> None:
        """Note that a program is one of a Keras older than 3, or than 2, unless it imports that older one."""
        if self.keras_2 and than == 3:
            return
        place = self.interpreter.where(self.interpreter.place())
        note = Note("old-argument", None, f"{place}: {words}")
        known = [item.message.partition(": ")[2] for item in self.interpreter.notes]
        if words not in known and len(known) < 6:
            self.interpreter.notes.append(note)

    def draw(self, type_: str, given: object = None, *, operation: bool = False) -> str:
        """Return the name that Keras gives a new object of a class, by one counter for each name. Operations inside of
        the `call` of a layer draw none."""
        if isinstance(given, str) and given:
            return given
        stem = default_name(type_)
        if self.keras_2:
            stem = {"input_layer": "input", "functional": "model"}.get(stem, stem)
        if self.in_call and operation:
            return stem
        number = self.counters.get(stem, 0)
        self.counters[stem] = number + 1
        if self.keras_2 and stem == "input":
            return f"{stem}_{number + 1}"
        return f"{stem}_{number}" if number else stem

    def take_name(self, type_: str, kwargs: Keywords) -> str:
        """Return the name of a new object; its argument `name` is taken out."""
        given = kwargs.pop("name", None)
        if isinstance(given, Unknown):
            words = f"the name of a {type_} is unknown, so it gets an automatic name: {given.reason}"
            self.interpreter.effects.depend_on(Assumption(self.interpreter.line, words))
        if isinstance(given, bool | int | float):
            words = f"{type_} needs a text as its name, got name={given}; write name='{given}'"
            self.fault(ArgumentError(words), "name")
        if isinstance(given, str) and "/" in given:
            self.older(f"the name '{given[:60]}' has a '/', which Keras 3 refuses")
        return self.draw(type_, given)

    def callers(self) -> tuple[str, ...]:
        """Return where the function was called that makes a layer or a call, in words; nothing of what a `call`
        makes."""
        return () if self.in_call else self.interpreter.called_from()

    def layer(
        self, type_: str, kind: str, name: str, config: dict[str, ProgramValue], place: Place | None = None
    ) -> LayerValue:
        """Return a new layer or operation, at the place that is read now or at another one."""
        return LayerValue(self.framework, type_, kind, name, config, place or self.interpreter.place())

    def model(self, form: str, type_: str, name: str, place: Place | None = None) -> ModelValue:
        """Return a new model, at the place that is read now or at another one."""
        return ModelValue(self.framework, form, type_, name, place or self.interpreter.place())

    def node(
        self, layer: LayerValue, args: tuple[ProgramValue, ...], kwargs: Keywords, *, in_call: bool | None = None
    ) -> Node:
        """Call a layer."""
        self.interpreter.budget.look_at(args, *kwargs.values())
        self.interpreter.budget.call(len(tensors_in([*args, *kwargs.values()])))
        if layer.nodes:
            self.interpreter.effects.record_change()
            if self.in_call:
                self.interpreter.effects.record_model_event()
        else:
            self.interpreter.effects.record_model_event()
            layer.mark_changed()
        if not layer.nodes and layer.kind == "layer":
            for inner in facts_of(layer.type).makes.split():
                self.draw(inner)
        given = tuple([copied(argument) for argument in args])
        named = {key: copied(value) for key, value in kwargs.items()}
        node = self.bare_node(layer, given, named, in_call=in_call)
        node.callers = self.callers()
        return node

    def bare_node(
        self,
        layer: LayerValue,
        args: tuple[ProgramValue, ...] = (),
        kwargs: Mapping[str, ProgramValue] = MappingProxyType({}),
        *,
        place: Place | None = None,
        in_call: bool | None = None,
    ) -> Node:
        """Call a layer without counting or recording anything."""
        self.number_of_nodes += 1
        is_inside = self.in_call if in_call is None else in_call
        node = Node(layer, args, kwargs, place or self.interpreter.place(), self.number_of_nodes, in_call=is_inside)
        if is_inside and layer.type != "InputLayer":
            self.nodes_inside.append(node)
        return node

    def new_input(self, name: str, shape: object, dtype: str = "float32") -> Tensor:
        """Return the tensor of an input of a shape (with the batch), which may be Unknown."""
        layer = self.layer("InputLayer", "layer", name, {"batch_shape": shape, "dtype": dtype})
        size = shape[0] if isinstance(shape, list | tuple) and shape else None
        self.fixed_batches.add(size if isinstance(size, int) else None)
        return self.node(layer, (), {}).result()

    @property
    def has_fixed_batches(self) -> bool:
        """Return whether all inputs that were made say how many examples a batch has."""
        return bool(self.fixed_batches) and None not in self.fixed_batches

    def input_like(self, name: str, spec: Spec) -> Tensor:
        """Return the tensor of an input of a shape and a dtype as formulas have them."""
        return self.new_input(name, *as_recorded(spec))

    def register(self, model: ModelValue) -> None:
        """Keep a model among those of the program."""
        model.is_inner = bool(self.tracing)
        self.models.append(model)
        if len(self.models) > 500:
            from layerexplain.frontends.code.values.reading import Exhausted

            raise Exhausted("makes more than 500 models")

    def opaque_call(self, path: str, args: Arguments, kwargs: Keywords, why: Unknown | None = None) -> Tensor:
        """Return the tensor, of unknown shape, that a function gives which is not read."""
        name = path.rpartition(".")[2] or "function"
        layer = self.layer(name, "custom", self.draw(name), {})
        layer.reason = why or self.interpreter.unknown(f"layerexplain cannot read {path}(…)")
        return self.node(layer, tuple(args), kwargs).result()

    def opaque_model(
        self, type_: str, reason: str, kwargs: Mapping[str, ProgramValue] = MappingProxyType({})
    ) -> LayerValue:
        """Return a model that is unknown except for its class."""
        given = dict(kwargs)
        self.interpreter.effects.record_model_event()
        layer = self.layer(type_, "custom", self.take_name(type_, given), {})
        layer.reason = self.interpreter.unknown(reason)
        return layer
