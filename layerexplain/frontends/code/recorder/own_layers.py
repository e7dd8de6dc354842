"""Custom layers of Python → declarations: a formula for the configuration and the shapes of each call.

A layer is an object that a program made, or a class of a file (`--code`) of which an object is made with the arguments
that a source has for it. Its `build` and `call` are followed with tensors of the shapes that arrive (own_calls.py), and
the graph behind the result becomes one formula (graph_formula.py): operations in line, layers as calls.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from layerexplain.call_binding import BoundCall as BoundCall
from layerexplain.errors import NotKnown, ShapeError
from layerexplain.frontends.code.recorder.graph_formula import Formula, not_known
from layerexplain.frontends.code.recorder.nodes import Recorder
from layerexplain.frontends.code.recorder.own_calls import passes_masks
from layerexplain.frontends.code.recorder.shapes import CONSTANT_TYPE, WEIGHT_TYPE, constant_shape
from layerexplain.frontends.code.recorder.tracing import Graphs
from layerexplain.frontends.code.values import reading
from layerexplain.frontends.code.values.base import Arguments, Keywords, Place, ProgramError, ProgramValue, Unknown
from layerexplain.frontends.code.values.layers import CallTrace, ModelValue, Tensor, unknown_in
from layerexplain.frontends.code.values.operators import mirrored_call
from layerexplain.frontends.code.values.program import Class, Function, layer_of
from layerexplain.frontends.code.values.reading import Budget, Exhausted
from layerexplain.lang.axes import needs_of_batch
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, weight
from layerexplain.lang.opaque import opaque
from layerexplain.layers.arguments import Anything, Argument, argument_of
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.signature import Facts, Signature
from layerexplain.model import Call, Layer, Model, TensorRef
from layerexplain.ops import load_all
from layerexplain.records import NamedTuple

# Own layers ---------------------------------------------------------------------------------------------------------

_CALL = "(call)"
"""The argument of a declaration that says how the tensors stand in a call: in lists, in dicts, by name."""

_GIVEN = ("training", "mask")


class Slot(NamedTuple):
    """Stands for a tensor in the arguments of a call."""

    number: int


class Code(NamedTuple):
    """How the code of a custom layer was read. `where` writes a place in it: `layers.py:41`."""

    library: Graphs
    where: ProgramValue


class OwnLayer(Declaration):
    """The declaration of a custom layer: of one object of the program, `layer`, or of its class for any
    configuration."""

    def __init__(self, cls: Class | None, code: Code, name: str, model: ModelValue | None = None) -> None:
        self.cls = cls
        self.code = code
        self.layer = model
        find: Callable[[str], ProgramValue] = cls.find if cls is not None else lambda _: None
        function = model.config.get("function") if model is not None and cls is None else None
        method = find(code.library.own_calls.call_name) or getattr(function, "function", function)
        names, optional = parameters(method)
        self.call_names = names[1:] if cls is not None else names
        tensors = tuple([item for item in self.call_names if item not in _GIVEN]) or ("x",)
        taken, _ = parameters(find("__init__"))
        defaults = _defaults(find("__init__")) if model is None else dict.fromkeys(taken)
        arguments = {item: argument_of(Anything, defaults.get(item, Argument.REQUIRED)) for item in taken[1:]}
        given = tuple([f"{item}=4" for item, is_given in arguments.items() if is_given.default is Argument.REQUIRED])
        required = [tensor for tensor in tensors if tensor not in optional]
        passes = passes_masks(model.instance) if model is not None and model.instance is not None else _passes(cls)
        computes = isinstance(find("compute_mask"), Function)
        reads = {"training"} | ({"masks"} if computes or _uses_masks(cls, self.call_names) else set())
        node = getattr(method, "node", None)
        documented = ast.get_docstring(node) or "" if isinstance(node, ast.FunctionDef) else ""
        about = _sentence(documented or (cls.docstring if cls is not None else ""))
        if not about:
            own = "A user-defined function" if cls is None else "A user-defined layer"
            place = code.where(cls.place if cls is not None else model.place if model is not None else Place("", 0))
            about = f"{own}, defined in {place}."
        super().__init__(
            name,
            lambda *tensors, **keywords: None,
            Signature(tensors, arguments, len(tensors) - len(required), None, frozenset(reads)),
            description=about,
            mask=_computed_mask if computes else "pass" if passes else "stop",
            facts=Facts(example=(given, ("9,16",) * max(len(required), 1))),
        )
        self.loose = (*self.loose, _CALL)
        self.is_cell = cls is not None and _has_states(cls)

    def bind(self, config: Mapping[str, ProgramValue], *, strict: bool = False) -> dict[str, ProgramValue]:
        """Return the arguments of a configuration, and how the tensors stand in the call."""
        bound = super().bind({key: value for key, value in config.items() if key != _CALL}, strict=strict)
        return bound if config.get(_CALL) is None else {**bound, _CALL: config[_CALL]}

    def binds(self, call: Call) -> BoundCall:
        """Return a call's tensors in the order in which they stand in its arguments, and how they stand there."""
        tensors: list[TensorRef | None] = []

        def slot(ref: TensorRef) -> Slot:
            tensors.append(ref)
            return Slot(len(tensors) - 1)

        given = {key: value for key, value in call.kwargs.items() if key != "training" and value is not None}
        listed, named = mirrored_call(call.args, given, slot, TensorRef)
        args = tuple(listed)
        plain = not named and args == tuple([Slot(i) for i in range(len(args))]) and len(args) <= len(self.tensors)
        return BoundCall(tensors, {}, {}, {} if plain else {_CALL: (args, named)})

    def trace(
        self,
        specs: Sequence[Spec | None],
        arguments: Mapping[str, ProgramValue],
        masks: Sequence[Spec | None] = (),
        *,
        training: bool = False,
        constants: Mapping[int, Expr] | None = None,
        whole: str = "",
        keras_2: bool = False,
    ) -> Definition:
        """Return the layer at given shapes. Raises `LayerExplainError` with the line of what cannot be followed."""
        load_all()
        keras = self.code.library
        with _FormulaReading(keras.recorder, training):
            try:
                layer, trace = self._followed(keras, specs, arguments, masks)
            except Exhausted as error:
                raise NotKnown(f"the code of {self.type} {error}") from None
            except ProgramError as error:
                raise ShapeError(f"in {self._at(error.place)}, {self.type} raises {error}"[:300]) from None
            if trace.outputs is None:
                why = trace.reason or layer.reason
                raise not_known(self.type, None if why is None else self.code.where(Place(why.file, why.line)), why)
            with needs_of_batch() as needs:
                result = Formula(keras, self.code.where).results(layer, trace)
            shown = {key: value for key, value in {**self.default_values, **arguments}.items() if key != _CALL}
            facts = {"description": self.description, "arguments": shown, "needs": tuple(needs)}
            return result.definition(self.name, passes_mask=self.mask == "pass", **facts)

    def _at(self, place: Place | None = None) -> str:
        """Return a place in the code in words: where it is not known, the class."""
        shown: str = self.code.where(place or (self.cls.place if self.cls is not None else Place("", 0)))
        return f"{shown}:{place.column}" if place is not None and place.column else shown

    def _followed(
        self,
        keras: Graphs,
        specs: Sequence[Spec | None],
        arguments: Mapping[str, ProgramValue],
        masks: Sequence[Spec | None],
    ) -> tuple[ModelValue, CallTrace]:
        """Return the object that is called, and what its `call` does with tensors of these shapes."""
        interpreter = keras.interpreter
        interpreter.budget = Budget()
        effects = interpreter.effects
        mark = effects.mark()
        layer = self.layer if self.layer is not None else self._object(keras, arguments)
        given = [None if spec is None else keras.recorder.input_like(f"x{i}", spec) for i, spec in enumerate(specs)]
        for tensor, mask in zip(given, masks, strict=False):
            if tensor is not None and mask is not None:
                keras.recorder.masks[tensor] = keras.recorder.input_like("mask", mask)
        args, kwargs = self._arguments(arguments.get(_CALL), given)
        trace = keras.own_calls.trace(layer, args, kwargs)
        effects.record_pending()
        assumptions, faults = effects.withdraw(mark)
        if faults:
            fault = faults[0]
            at = self._at(Place(str(fault.source or ""), fault.line or 0, fault.column or 0))
            raise type(fault)(f"in {at}: {fault.fact}")
        choice = next((assumption for assumption in assumptions if not assumption.settled), None)
        if choice is not None:
            at = self._at(Place(self.cls.place.file if self.cls is not None else "", choice.line))
            raise NotKnown(f"{self.type} depends on an unknown condition ({at}: {choice.words})")
        return layer, trace

    def _object(self, keras: Graphs, arguments: Mapping[str, ProgramValue]) -> ModelValue:
        """Return an object of the class, made with the arguments of a configuration."""
        config = {key: ready(keras, value) for key, value in arguments.items() if key != _CALL}
        layer = layer_of(
            keras.interpreter.call(self.cls, [], {k: value for k, value in config.items() if value is not None})
        )
        if not isinstance(layer, ModelValue):
            raise NotKnown(f"{self.type} is not a layer that is read ({self._at()})")
        return layer

    def state_sizes(self, config: Mapping[str, ProgramValue]) -> tuple[int, ...] | None:
        """Return what its `state_size` says; None for a layer without one."""
        if self.cls is None or not self.is_cell:
            return None
        keras = self.code.library
        with _FormulaReading(keras.recorder, False):
            try:
                layer = self.layer if self.layer is not None else self._object(keras, self.bind(config))
                result = keras.interpreter.attribute(layer.instance, "state_size")
            except (Exhausted, ProgramError):
                return None
        sizes = result if type(result) in (list, tuple) else [result]
        sizes = [size[0] if type(size) in (list, tuple) and len(size) == 1 else size for size in sizes]
        return tuple(sizes) if sizes and all(type(size) is int and size > 0 for size in sizes) else None

    def _arguments(self, pattern: ProgramValue, tensors: list[Tensor | None]) -> tuple[Arguments, Keywords]:
        """Return the arguments of a call with its tensors in their places."""
        if pattern is None:
            while tensors and tensors[-1] is None:
                tensors.pop()
            method = self.cls.find(self.code.library.own_calls.call_name) if self.cls is not None else None
            if self.is_cell and len(self.tensors) == 2 and len(tensors) > 1:
                return [tensors[0], tensors[1:]], {}
            alone = len(self.tensors) == 1 and len(tensors) > 1
            listed = alone or (len(self.tensors) == 1 and _takes_list(method, self.tensors[0]))
            return [tensors] if listed else list(tensors), {}

        args, kwargs = pattern
        return mirrored_call(args, kwargs, lambda slot: tensors[slot.number], Slot)


class _FormulaReading:
    """The reading of a `call` for a formula: nothing that is made in it belongs to the program."""

    def __init__(self, recorder: Recorder, training: bool) -> None:
        self.recorder = recorder
        self.training = training

    def __enter__(self) -> None:
        recorder = self.recorder
        self.before = recorder.training, dict(recorder.counters), len(recorder.models), len(recorder.nodes_inside)
        recorder.interpreter.followed_calls.append(recorder.framework)
        recorder.training = self.training

    def __exit__(self, *_: ProgramValue) -> None:
        recorder = self.recorder
        recorder.interpreter.followed_calls.pop()
        recorder.training, counters, models, nodes = self.before
        recorder.counters.clear()
        recorder.counters.update(counters)
        del recorder.models[models:]
        del recorder.nodes_inside[nodes:]


def _computed_mask(tensors: object, masks: object, arguments: object) -> None:
    """Give the results of a class that computes its own masks with these (`OwnLayer.trace`)."""


def parameters(function: ProgramValue) -> tuple[list[str], list[str]]:
    """Return the names of a function's parameters, and those that have a default."""
    if not isinstance(function, Function):
        return [], []
    names = function.signature.names
    return [*names], [name for name in names if name not in function.signature.required]


def _defaults(function: object) -> dict[str, ProgramValue]:
    """Return the defaults of a function's parameters; None for what is no plain value."""
    if not isinstance(function, Function):
        return {}
    plain = (bool, int, float, str, tuple)
    return {
        name: value if isinstance(value, plain) and unknown_in(value) is None else None
        for name, value in function.default_values.items()
    }


def _sentence(text: str) -> str:
    first = " ".join(text.partition("\n\n")[0].split())
    return first.replace("{", "").replace("}", "")[:300]


def _passes(cls: Class | None) -> bool:
    """Return whether the `__init__` of a class, or the class itself, says that it supports masks."""
    function = cls.find("__init__") if cls is not None else None
    if cls is not None and cls.find("supports_masking") is True:
        return True
    return isinstance(function, Function) and any(
        isinstance(assignment, ast.Assign)
        and isinstance(assignment.targets[0], ast.Attribute)
        and assignment.targets[0].attr == "supports_masking"
        and getattr(assignment.value, "value", None) is True
        for assignment in reading.walk(function.node)
    )


def _has_states(cls: Class) -> bool:
    """Return whether a class is one of recurrent cells: it has a `state_size`."""
    init = cls.find("__init__")
    nodes = reading.walk(init.node) if isinstance(init, Function) else ()
    stored = any(isinstance(node, ast.Attribute) and node.attr == "state_size" and isinstance(node.ctx, ast.Store)
                 for node in nodes)  # fmt: skip
    return stored or cls.find("state_size") is not None


def _uses_masks(cls: Class | None, names: Sequence[str], deep: int = 0) -> bool:
    """Return whether a `call` may read the masks of its tensors: it asks for one, or has layers that do."""
    from layerexplain.frontends.model_builder import known_types
    from layerexplain.layers.registry import find

    if any("mask" in name for name in names):
        return True
    results: set[str] = set()
    for item in cls.order() if cls is not None else ():
        for value in item.attributes.values() if isinstance(item, Class) else ():
            if isinstance(value, Function):
                nodes = reading.walk(value.node)
                results |= {n.attr if isinstance(n, ast.Attribute) else n.id for n in nodes
                          if isinstance(n, ast.Attribute | ast.Name)}  # fmt: skip
    for name in results & known_types():
        declaration = find(name)
        if declaration is not None and (declaration.reads_mask or declaration.reads_masks):
            return True
    inner = cls.frame.module.names if cls is not None and cls.frame is not None else {}
    own = [item for name in sorted(results) if isinstance(item := inner.get(name), Class) and item is not cls]
    return deep < 4 and any(_uses_masks(item, parameters(item.find("call"))[0], deep + 1) for item in own[:20])


def _takes_list(function: ProgramValue, name: str) -> bool:
    """Return whether a `call` takes its tensors as one list: it unpacks its argument, `x, z = inputs`."""
    return isinstance(function, Function) and any(
        isinstance(assignment, ast.Assign)
        and isinstance(assignment.targets[0], ast.Tuple | ast.List)
        and isinstance(assignment.value, ast.Name)
        and assignment.value.id == name
        for assignment in reading.walk(function.node)
    )


def ready(
    keras: Graphs, value: ProgramValue, make: Callable[[ProgramValue], ProgramValue] | None = None
) -> ProgramValue:
    """Return a value of a configuration as code has it: layers as layers, tuples as lists of them. `make` makes an
    object of a class of the code."""
    if (hasattr(value, "definition") and hasattr(value, "config")) or isinstance(value, Layer):
        result = None if make is None else make(value)
        if result is not None:
            return result
        if isinstance(value, Layer) and value.kind != "layer":
            raise NotKnown(f"{value.type} in its configuration is not known")
        inner = {key: ready(keras, item, make) for key, item in value.config.items()}
        return keras.recorder.framework.make_layer(value.type, [], inner)
    if type(value) in (list, tuple):
        return type(value)([ready(keras, item, make) for item in value])
    if isinstance(value, str | int | float | bool | dict | type(None)):
        return value
    return Unknown(f"{str(value)[:60]} of the configuration")


# Own weights --------------------------------------------------------------------------------------------------------
# The weights that code makes itself, as layers without an input: each is a row with its count.


def declarations(model: Model) -> Mapping[str, Declaration]:
    """Return the declaration of the weights that a model has outside of its layers, where there are any.

    >>> sorted(declarations(Model("m", "Sequential", (), (), (), ())))
    []
    """
    waiting = [model]
    while waiting:
        other = waiting.pop()
        for layer in other.layers:
            if layer.type in (WEIGHT_TYPE, CONSTANT_TYPE) and layer.kind == "custom" and layer.declaration is None:
                weight = {"shape": None, "dtype": "float32", "trainable": True}
                return {
                    WEIGHT_TYPE: _declared(WEIGHT_TYPE, _formula, weight, "A weight that the code creates itself."),
                    CONSTANT_TYPE: _declared(
                        CONSTANT_TYPE, _drawn, {"shape": (), "words": "constant"}, "Numbers that depend on no input."
                    ),
                }
            if layer.model is not None:
                waiting.append(layer.model)
    return {}


def _declared(
    type_: str, formula: Callable[..., Expr], defaults: Mapping[str, ProgramValue], description: str
) -> Declaration:
    arguments = {name: argument_of(Anything, default) for name, default in defaults.items()}
    return Declaration(type_, formula, Signature((), arguments), description=description)


def _drawn(*, shape: object, words: str) -> Expr:
    sizes = constant_shape(shape)
    return Expr(opaque, (), {"name": words, "shape": sizes}, sizes, "float")


def _formula(*, shape: ProgramValue, dtype: str, trainable: bool) -> Expr:
    if shape is None:
        raise NotKnown("the shape of this weight is not known")
    axes = [(f"axis {i}", size) for i, size in enumerate(shape)]
    return weight("value", "W", axes, trainable=bool(trainable))
