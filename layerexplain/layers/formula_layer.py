"""Layers that are declared as data: a formula in the formula language, its weights, and the layers that it calls.

`FormulaLayer.declaration` makes the `Declaration` of one, from which everything else follows as for Keras's layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from layerexplain.errors import ArgumentError, LayerExplainError, ShapeError
from layerexplain.lang.axes import Batch, Shape, Size
from layerexplain.lang.definition import Definition, call
from layerexplain.lang.expr import Expr, weight
from layerexplain.lang.parse import parse
from layerexplain.lang.settings import NotGiven, attribute, holds
from layerexplain.lang.syntax import checked_expression
from layerexplain.layers.arguments import Activation, Argument, argument_of
from layerexplain.layers.declaration import Declaration, Spec, Stored
from layerexplain.layers.keras.activations import activate
from layerexplain.layers.known_definitions import DeclaredLayer
from layerexplain.layers.registry import inner_weights
from layerexplain.layers.signature import Facts, Signature
from layerexplain.ops import load_all
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple

REST = "..."
"""Stands for any number of axes in what a custom layer says of a tensor."""

ACTIVATION = argument_of(Activation, None).check
"""The kind of an argument that the formula calls."""


class OwnWeight(NamedTuple):
    """A weight of a custom layer. Each of its `axes` is a size, as text; `when` is a condition on arguments without
    which the layer does not have it; the others are as for `lang.expr.weight`."""

    symbol: str
    axes: tuple[str, ...]
    name: str
    trainable: bool = True
    dtype: str = "float"
    at: str = ""
    when: str = ""
    positive: bool = False


class Computed(NamedTuple):
    """An argument of a held layer that is computed from the arguments and sizes of the layer that holds it."""

    text: str


class FormulaLayer(NamedTuple):
    """A custom layer.

    Attributes:
        type: Its class name.
        formula: What it computes, in the formula language.
        arguments: Those of its configuration.
        tensors: The tensors of its call, each with the names of its axes without the batch (`REST` for any); None for
            one of any shape. The last `optional` may be left out.
        sizes: Names for sizes that are computed from arguments and axes, in order.
        weights: In the order in which Keras creates them.
        layers: Those that it holds, by attribute: objects with a `type` and a `config`, in which values may be
            `Computed` and layers again.
        results: The names of its results; none for the one that is assigned last.
        passes_mask: Whether it hands the mask of its first tensor on.
        reads: Which of `arguments.GIVEN` the formula uses.
        about: Its sentence, with `{fields}`.
        place: What a message calls a line of the formula.
        find: Gives the declaration of a type that it holds.
        example: How it is shown with no model: arguments as NAME=VALUE, and shapes of inputs.
        cache: The names of what a model keeps of each position while it writes a text.
        gist: What it computes in one line, with `{fields}` for arguments; "" for its last statement.
    """

    type: str
    formula: str
    arguments: Mapping[str, Argument] = MappingProxyType({})
    tensors: Mapping[str, tuple[str, ...] | None] = MappingProxyType({"x": None})
    optional: int = 0
    sizes: Mapping[str, str] = MappingProxyType({})
    weights: tuple[OwnWeight, ...] = ()
    layers: Mapping[str, Any] = MappingProxyType({})
    results: tuple[str, ...] = ()
    passes_mask: bool = False
    reads: frozenset[str] = frozenset()
    about: str = ""
    place: Callable[[int | None], str] = lambda line: f"line {line}"
    find: Callable[[str], Declaration | None] = lambda _: None
    example: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    cache: tuple[str, ...] = ()
    gist: str = ""

    def declaration(self) -> Declaration:
        """Return the declaration of the layer.

        >>> from layerexplain.lang.axes import BATCH
        >>> from layerexplain.layers.arguments import PositiveInt
        >>> power = {"power": argument_of(PositiveInt, 2)}
        >>> squares = FormulaLayer("Squares", "y = x ** power", power).declaration()
        >>> squares.trace([Spec((BATCH, 3), "float")], squares.bind({})).results["y"].shape
        (n, 3)
        """
        return Declaration(
            self.type,
            self._trace,
            Signature(tuple(self.tensors), self.arguments, self.optional, None, self.reads),
            description=self.about,
            gist=self.gist,
            mask="pass" if self.passes_mask else "stop",
            facts=Facts(example=self.example),
        )

    def _trace(self, *tensors: Expr | None, **keywords: Any) -> Any:
        """Return the results at given tensors. Raises `LayerExplainError` with the place in the formula."""
        load_all()
        try:
            return _FormulaTracing(self, tensors, keywords).results()
        except LayerExplainError as error:
            if error.line is None:
                raise
            raise type(error)(f"in {self.place(error.line)}: {error.fact}") from None


class _FormulaTracing:
    """One tracing of a custom layer."""

    def __init__(self, own: FormulaLayer, tensors: Sequence[Expr | None], keywords: Mapping[str, Any]) -> None:
        self.own = own
        self.settings: dict[str, Any] = {**keywords}
        self.leaves: dict[str, Expr] = {}
        self.inner: dict[Any, Definition] = {}
        self.inner_leaves: dict[str, tuple[Definition, list[Expr]]] = {}
        for name, tensor in zip(own.tensors, tensors, strict=True):
            self._take(name, tensor)
        if "mask" in own.reads:
            self._take("mask", self.settings.pop("mask"))
        self._bind_axes(tensors)
        for name, text in own.sizes.items():
            self.settings[name] = self._size(text)
        # Keras lists what an object trains before what it does not.
        for item in sorted(own.weights, key=lambda item: not item.trainable):
            self._add(item)

    def _take(self, name: str, expression: Expr | None) -> None:
        if expression is not None:
            self.leaves[name] = expression
            return
        reason = f"the formula uses {name}, which this call does not have; choose by it: a if {name} else b"
        self.settings[name] = NotGiven(reason)

    def _bind_axes(self, tensors: Sequence[Expr | None]) -> None:
        """Let the names of axes stand for their sizes. Raises `ShapeError` where a name has two sizes."""
        own = self.own
        for (name, axes), tensor in zip(own.tensors.items(), tensors, strict=True):
            if tensor is None or axes is None:
                continue
            for axis, size in zip(axes, _sizes(own.type, name, axes, tensor.shape), strict=True):
                if axis == REST:
                    continue
                known = int(axis) if axis.isdecimal() else self.settings.get(axis, NotGiven(""))
                if isinstance(known, NotGiven) or known is None:
                    self.settings[axis] = _known(axis, size)
                elif size is not None and known != size:
                    called = f"axis {axes.index(axis) + 1 - len(axes) or -1}" if axis.isdecimal() else axis
                    raise ShapeError(f"{own.type} needs {called} to be {known}, got {size} in {name}")
        first = next((t for t in tensors if t is not None), None)
        if first is not None and first.ndim:
            self.settings.setdefault("inputs", _known("inputs", first.shape[-1]))

    def _size(self, text: str) -> Any:
        """Return the value of a text of sizes and arguments, which is no line of the formula."""
        try:
            return attribute(checked_expression(text), self.settings)
        except LayerExplainError as error:
            error.line = None
            raise

    def _add(self, item: OwnWeight) -> None:
        """Create a weight. Raises `ShapeError` for a size that is no size."""
        there = {**dict.fromkeys(self.leaves, True), **self.settings}
        if item.when and not holds(checked_expression(item.when, choices=True), there):
            self.settings[item.symbol] = NotGiven(f"the layer has no {item.symbol} unless {item.when}")
            return
        axes = []
        for text in item.axes:
            try:
                size = self._size(text)
            except LayerExplainError as error:
                raise ShapeError(f"{self.own.type} needs the size of {item.symbol}: {error.fact}") from None
            if type(size) is not int or not 1 <= size <= _LARGEST:
                wanted = f"{self.own.type} needs axis '{text}' of {item.symbol} to be an integer from 1 to 10**18"
                raise ShapeError(f"{wanted}, got {str(size)[:40]}")
            axes.append((text, size))
        self.leaves[item.symbol] = weight(
            item.name, item.symbol, axes, at=item.at, trainable=item.trainable, dtype=item.dtype, positive=item.positive
        )

    def results(self) -> Any:
        """Read the formula: twice where it calls several layers, whose weights stand in the order of the layers."""
        computed = self._parsed()
        called = self.inner_leaves
        in_order = [name for name in self.own.layers if name in called]
        if [*called] != in_order:
            self.inner_leaves = {name: _leaves(name, called[name][0]) for name in in_order}
            computed = self._parsed()
        names = self.own.results or (next(reversed(computed)),)
        results = {name: computed[name] for name in names if name in computed}
        own = [leaf for item in self.own.weights if (leaf := self.leaves.get(item.symbol)) is not None]
        cache = {name: computed[name] for name in self.own.cache}
        return Stored(results["y"] if [*results] == ["y"] else results, tuple(own), cache=cache)

    def _parsed(self) -> dict[str, Expr]:
        own = self.own
        functions: dict[str, Callable[..., Expr]] = {name: partial(self._call, name) for name in own.layers}
        for name, argument in own.arguments.items():
            if argument.check is ACTIVATION:
                functions[name] = partial(activate, self.settings[name])
        return parse(own.formula, self.leaves, functions, self.settings, choices=True)

    def _call(self, name: str, *tensors: Expr, **overrides: Any) -> Expr:
        """Return a call of a layer that this one holds."""
        specs = tuple([Spec(t.shape, t.dtype) for t in tensors])
        key = (name, specs, tuple(sorted(overrides.items())))
        if key not in self.inner:
            inner = self._inner_layer(self.own.layers[name])
            training = bool(self.settings.get("training"))
            # A formula calls a layer for its results alone.
            self.inner[key] = inner.definition(specs, training=training, **overrides).without_masks()
        definition = self.inner[key]
        first, leaves = self.inner_leaves.setdefault(name, _leaves(name, definition))
        if [w.shape for w in first.weights] != [w.shape for w in definition.weights]:
            raise ShapeError(f"every call of {name} needs tensors that fit the same weights")
        return call(definition, *tensors, *leaves)

    def _inner_layer(self, layer: Any) -> DeclaredLayer:
        declaration = self.own.find(layer.type)
        if declaration is None:
            raise ArgumentError(f"{layer.type} has no formula, so that {self.own.type} cannot call it")
        config = {key: self._value(value) for key, value in layer.config.items()}
        bound = declaration.bind(config)
        replaced = {key: bound[key] for key in config if key in bound}
        return DeclaredLayer(declaration, {**config, **replaced}, layer.name, layer.type)

    def _value(self, value: Any) -> Any:
        if isinstance(value, Computed):
            return self._size(value.text)
        if hasattr(value, "type") and hasattr(value, "config"):
            return self._inner_layer(value)
        return tuple(map(self._value, value)) if type(value) in (list, tuple) else value


_LARGEST = 10**18


def _sizes(type_: str, name: str, axes: tuple[str, ...], shape: Shape) -> list[Size]:
    """Return the size of each named axis of a tensor, None for `REST`. Raises `ShapeError` for another number of
    axes."""
    given = list(shape[1:])
    more = len(given) - len(axes)
    if more < -1 if REST in axes else more:
        listed = ", ".join(axes) or "no axis but the batch"
        raise ShapeError(f"{type_} needs {name} with the axes (batch, {listed}), got {shape_text(shape)}")
    if REST not in axes:
        return given
    before = axes.index(REST)
    return [*given[:before], None, *given[before + more + 1 :]]


def _known(axis: str, size: Size) -> Any:
    if type(size) is int:
        return size
    known = "the size of the batch" if isinstance(size, Batch) else "only known at run time"
    return NotGiven(f"the size of the axis '{axis}' is {known}; give that axis of the input a fixed size")


def _leaves(name: str, definition: Definition) -> tuple[Definition, list[Expr]]:
    """Return the weights of an inner layer as those of this one: under the attribute that the inner layer is."""
    return definition, inner_weights(definition, (name,), lambda path: (name, *path), f"_{name}")
