"""What a name of a program may stand for. Numbers, texts, lists and dicts are Python's own."""

from __future__ import annotations

import ast
import itertools
import types
from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.frontends.code.values.base import Evaluator, Place, ProgramError, Unknown, Value, unknown_key
from layerexplain.records import NamedTuple, Record

DTYPES = frozenset(
    """
    float16 float32 float64 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool string complex64
    """.split()  # noqa: SIM905
)
"""The names of the kinds of numbers, in NumPy, TensorFlow and Keras."""


_READ_LIBRARIES = frozenset(
    {"keras", "tensorflow", "tf_keras", "numpy", "math", "os", "functools", "itertools", "builtins"}
)


class Symbol(Record, Value):
    """A name of a library: `keras.layers.Dense`, `numpy.zeros`."""

    path: str

    @property
    def last(self) -> str:
        """The name itself."""
        return self.path.rpartition(".")[2]

    @property
    def may_be_anything(self) -> bool:
        """Whether its library is not read: `settings.SIZE` may be a function, a class or a number."""
        return "." in self.path and self.path.partition(".")[0] not in _READ_LIBRARIES

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        return evaluator.keras.symbol_attribute(self, name)

    def truth(self) -> bool | None:
        return None if self.may_be_anything else True

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return evaluator.call_symbol(self, args, kwargs)


class Setting(Record, Value):
    """An object of Keras that is no layer: an optimizer, a loss, a regularizer; or a function of it by its name."""

    class_name: str
    config: Mapping[str, Any]
    path: str = ""

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        return evaluator.keras.attribute(self, name)

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return evaluator.keras.call_setting(self, args, kwargs)


class Function(Value):
    """A function of the program. `names` are those of its parameters without the ones that are given by name alone,
    which are `keywords`."""

    def __init__(self, node: Any, frame: Any, name: str, owner: Class | None = None) -> None:
        self.node = node
        self.frame = frame
        self.name = name
        self.owner = owner
        self.kind = ""
        """"property", "classmethod", "staticmethod", "context" for a context manager, or "" """
        self.defaults: list[Any] = []
        self.keyword_defaults: list[Any] = []
        if "_yields" not in node.__dict__:  # a loop may define a function in each round
            node._yields = any(isinstance(one, ast.Yield | ast.YieldFrom) for one in _own_nodes(node))
        self.has_yield: bool = node._yields
        self.attributes: dict[str, Any] = {}
        self.is_decorated = False
        """Whether a decorator of a library may have changed what it takes."""
        self.names: list[str] = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
        self.keywords: list[str] = [one.arg for one in node.args.kwonlyargs]

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        if name in self.attributes:
            return self.attributes[name]
        if name == "__name__":
            return self.name
        if name == "__doc__":
            return None if isinstance(self.node, ast.Lambda) else docstring(self.node) or None
        return evaluator.unknown(f"the attribute {name} of a value")

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return name in self.attributes or hasattr(types.FunctionType, name)

    def set_attribute(self, evaluator: Evaluator, name: str, value: Any) -> None:
        evaluator.effects.record_attribute_change(self, name)
        self.attributes[name] = value

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return evaluator.call_function(self, args, kwargs, whole)


def docstring(node: Any) -> str:
    """Return the docstring of a function or a class, "" where it has none. It is kept: a loop may ask in each round."""
    if "_docstring" not in node.__dict__:
        node._docstring = ast.get_docstring(node) or ""
    text: str = node._docstring
    return text


def _own_nodes(node: Any) -> Any:
    """The nodes of a function, those of functions inside it left out."""
    waiting = list(ast.iter_child_nodes(node))
    while waiting:
        one = waiting.pop()
        yield one
        if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(one)


class Class(Value):
    """A class of the program. `bases` are classes, symbols and unknown values."""

    def __init__(self, name: str, bases: list[Any], frame: Any, line: int) -> None:
        self.name = name
        self.bases = bases
        self.frame = frame
        self.place = Place("" if frame is None else frame.file.name, line)
        self.docstring = ""
        self.is_decorated = False
        self.attributes: dict[str, Any] = {}
        self.members: dict[str, Namespace] = {}
        """Those of an Enum that were asked for."""
        self._order: list[Any] | None = None

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        found, root = self.find(name), self.root()
        if isinstance(found, Function):
            return Bound(self, found) if found.kind == "classmethod" else found
        is_enum = root is not None and root.path.startswith("enum.")
        if found is not None:
            return self.members.setdefault(name, Namespace({"value": found, "name": name})) if is_enum else found
        if self.has(name):
            return None
        if (of_tuples := evaluator.of_named_tuple(self, name)) is not None:
            return of_tuples
        if name == "__name__":
            return self.name
        if root is None or is_enum or name == "__members__":
            return evaluator.unknown(f"{self.name} has no {name}")
        return Symbol(f"{root.path}.{name}")

    def set_attribute(self, evaluator: Evaluator, name: str, value: Any) -> None:
        evaluator.effects.record_attribute_change(self, name)
        self.attributes[name] = value

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return evaluator.make_instance(self, args, kwargs, whole)

    def order(self) -> list[Any]:
        """Return the class and its bases in the order in which Python looks attributes up, symbols included.

        Raises ValueError where the bases have no consistent order.
        """
        if self._order is None:
            above = [list(one.order()) if isinstance(one, Class) else [one] for one in self.bases]
            self._order = [self, *_merged([*above, list(self.bases)])]
        return self._order

    def find(self, name: str, after: Class | None = None) -> Any:
        """An attribute of the class or its bases; None where there is none. With `after` of the bases behind that."""
        order = self.order()
        if after is not None:
            order = order[order.index(after) + 1 :] if after in order else []
        for one in order:
            if isinstance(one, Class) and name in one.attributes:
                return one.attributes[name]
        return None

    def has(self, name: str) -> bool:
        """Whether the class or one of its bases has an attribute, which may be None."""
        return any(name in one.attributes for one in self.order() if isinstance(one, Class))

    def root(self) -> Symbol | None:
        """The first base that is no class of the program."""
        return next((one for one in self.order() if isinstance(one, Symbol)), None)


def _merged(orders: list[list[Any]]) -> list[Any]:
    """Merge the method orders of bases as Python does: the first class that no other order has behind another one."""
    found: list[Any] = []
    while orders := [one for one in orders if one]:
        behind = [other for one in orders for other in one[1:]]
        first = next((one[0] for one in orders if one[0] not in behind), None)
        if first is None:
            raise ValueError("the bases have no consistent method resolution order")
        found.append(first)
        orders = [one[1:] if one[0] == first else one for one in orders]
    return found


_SETTERS = frozenset({"setattr", "__setattr__", "__dict__", "vars"})


def may_set(cls: Class, name: str) -> bool:
    """Whether the code of a class may give its objects an attribute: it says so somewhere, or it sets attributes by
    names that it computes."""
    for one in cls.attributes.values():
        for node in ast.walk(one.node) if isinstance(one, Function) else ():
            word = getattr(node, "attr", None) or getattr(node, "id", None)
            if word in _SETTERS or (word == name and isinstance(getattr(node, "ctx", None), ast.Store)):
                return True
    return cls.is_decorated or "__getattr__" in cls.attributes or "__getattribute__" in cls.attributes


creation_counter = itertools.count()
"""Numbers objects and layers in the order in which they are made."""


class Instance(Value):
    """An object of a class of the program. `layer` is there where the class is a layer or a model."""

    def __init__(self, cls: Class) -> None:
        self.cls = cls
        self.attributes: dict[str, Any] = {}
        self.maybe: dict[str, Any] = {}
        """The choices that attributes hang on."""
        self.layer: LayerValue | None = None
        self.given: dict[str, Any] = {}
        """The arguments that it was made with, by name."""
        self.created_at = next(creation_counter)

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        if name in self.attributes:
            if name in self.maybe and not isinstance(self.attributes[name], Unknown):
                evaluator.effects.depend_on(self.maybe[name])
            return self.attributes[name]
        found = self.cls.find(name)
        if isinstance(found, Function):
            return self._method(evaluator, found)
        if found is not None or self.cls.has(name):
            return found
        if (of_tuples := evaluator.of_named_tuple(self, name)) is not None:
            return of_tuples
        if name in ("__class__", "__dict__"):
            return self.cls if name == "__class__" else self.attributes
        computed = self.cls.find("__getattr__")
        if isinstance(computed, Function) and not (self.layer is not None and evaluator.keras.is_of_layers(name)):
            return evaluator.call(computed, [self, name], {})
        if self.layer is not None:
            return self.layer.get_attribute(evaluator, name)
        root = self.cls.root()
        if root is None and not any(isinstance(base, Unknown) for base in self.cls.order()):
            raise ProgramError("AttributeError", f"{self.cls.name} has no attribute {name}", evaluator.place())
        return evaluator.unknown(f"the attribute {name} of {root.path if root else self.cls.name}")

    def _method(self, evaluator: Evaluator, method: Function) -> Any:
        """A function of the class as an attribute of the object."""
        if method.kind == "property":
            return evaluator.call(method, [self], {})
        if method.kind == "staticmethod":
            return method
        return Bound(self.cls if method.kind == "classmethod" else self, method)

    def get_item(self, evaluator: Evaluator, key: Any) -> Any:
        if self.cls.find("__getitem__") is None or unknown_key(evaluator, key) is not None:
            return super().get_item(evaluator, key)
        return evaluator.call(evaluator.attribute(self, "__getitem__"), [key], {})

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        method = self.cls.find("__call__")
        if isinstance(method, Function):
            return evaluator.call(method, [self, *args], kwargs)
        return evaluator.keras.call_layer(self, args, kwargs)

    def truth(self) -> bool | None:
        return None if self.cls.has("__bool__") or self.cls.has("__len__") else True


class Bound(Record, Value):
    """A method, with the object that it belongs to: an instance, a layer, a list, a text."""

    object: Any
    function: Any

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return evaluator.call_bound(self, args, kwargs, whole)


class Super(Record, Value):
    """What `super()` gives: an instance, and the class behind which attributes are looked up."""

    instance: Instance
    after: Class

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        found, cls = self.instance.cls.find(name, self.after), self.instance.cls
        if isinstance(found, Function):
            return Bound(self.instance, found)
        evaluator.keras.check_attribute(self.instance.layer, name, cls, "super()")
        root = cls.root()
        return Bound(self.instance, Symbol(f"{root.path if root else 'builtins.object'}.{name}"))


class Partial(Record, Value):
    """A `functools.partial`."""

    function: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return evaluator.call(self.function, [*self.args, *args], {**self.kwargs, **kwargs}, whole=whole)


class Context(Record, Value):
    """The call of a function that is a context manager, before a `with` enters it."""

    function: Function
    args: list[Any]
    kwargs: dict[str, Any]
    whole: bool

    @property
    def given(self) -> tuple[Function, list[Any], dict[str, Any], bool]:
        """The function and what it is called with."""
        return self.function, self.args, self.kwargs, self.whole


class Module(Value):
    """Another file of the same folder, as text."""

    def __init__(self, name: str, frame: Any) -> None:
        self.name = name
        self.frame = frame

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        if name in self.frame.names:
            return evaluator.loaded(self.frame, name)
        inner = evaluator.module(f"{self.name}.{name}", self.frame)
        return inner or evaluator.unknown(f"{self.name}.py has no {name}", name)

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return name in self.frame.names or evaluator.module(f"{self.name}.{name}", self.frame) is not None

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return evaluator.unknown(f"the module {self.name} is called")


class Imported(Record, Value):
    """A name that a module of a package imports from another one, which is read when the name is used."""

    node: ast.ImportFrom
    alias: ast.alias
    frame: Any

    def truth(self) -> bool | None:
        return None


class Namespace(Value):
    """An object that has nothing but attributes: `SimpleNamespace`, a named tuple, a data class."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.attributes = attributes

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        return self.attributes.get(name, evaluator.unknown(f"the attribute {name} of a value"))

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return name in self.attributes or hasattr(types.SimpleNamespace, name)

    def set_attribute(self, evaluator: Evaluator, name: str, value: Any) -> None:
        evaluator.effects.record_attribute_change(self, name)
        self.attributes[name] = value


class Node:
    """One call of a layer. `args` and `kwargs` hold tensors where the call has them; `count` is the number of its
    results as far as is known. `specs` are the results' shapes, None as long as nobody asked."""

    def __init__(
        self, layer: LayerValue, args: tuple[Any, ...], kwargs: Mapping[str, Any], place: Place, number: int
    ) -> None:
        self.layer = layer
        self.args = args
        self.kwargs = kwargs
        self.place = place
        self.number = number
        self.specs: Any = None
        self._tensors: list[Tensor] | None = None
        self.names: dict[int, str] = {}
        """What the author calls the results, by number."""
        self.callers: tuple[str, ...] = ()
        """Where the function was called that makes the call, in words."""
        self.trace: Trace | None = None
        """What the `call` of a layer or model of the program did with these arguments."""
        layer.nodes.append(self)

    def tensors(self) -> list[Tensor]:
        """The tensors that go in."""
        if self._tensors is None:
            self._tensors = tensors_in([*self.args, *self.kwargs.values()])
        return list(self._tensors)


class Tensor(NamedTuple):
    """A symbolic tensor: the result number `index` of a call."""

    node: Node
    index: int = 0  # type: ignore[assignment]  # hides tuple.index, which nobody asks of a tensor


class Trace:
    """The `call` of an own layer or model, followed at given arguments, in training or not: the graph between `inputs`
    and `outputs` (tensors in lists and dicts; None where `reason` says why they are not known). `masks` are those of
    the results in order, `mask_inputs` stand for those that the inputs carry."""

    def __init__(self, training: bool) -> None:
        self.training = training
        self.span = (0, 0)
        """When it was followed, as `creation_counter` counts."""
        self.inputs: list[Tensor] = []
        self.outputs: Any = None
        self.reason: Unknown | None = None
        self.mask_inputs: dict[Tensor, Tensor] = {}
        self.masks: list[Tensor | None] = []


class Variable(Value):
    """A weight that code makes itself with `add_weight` or `tf.Variable`."""

    def __init__(self, name: str, shape: Any, dtype: str, trainable: bool, place: Place) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.trainable = trainable
        self.place = place
        self.choice: Any = None
        """What is assumed where it counts as a weight of a layer."""

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        return evaluator.keras.variable_attribute(self, name)

    def truth(self) -> bool | None:
        return None


class LayerValue(Value):
    """A layer, an operation or a model. `type` is the name of its class, `kind` as in `model.Layer`."""

    def __init__(self, type_: str, kind: str, name: str, config: dict[str, Any], place: Place) -> None:
        self.type = type_
        self.kind = kind
        self.name = name
        self.config = config
        self.place = place
        self.trainable = True
        self.parts_trained = False
        """Whether it is made as not trainable, and Keras makes layers inside of it that are trained all the same."""
        self.nodes: list[Node] = []
        self.instance: Instance | None = None
        self.attributes: dict[str, Any] = {}
        """What the program gave it as attributes, `layer.size = 3`."""
        self.reason: Unknown | None = None
        """Why nothing is known of what it computes."""
        self.callers: tuple[str, ...] = ()
        """Where the function was called that makes it, in words."""
        self.declaration: Any = None
        """That of an operation which Keras does not have under a name."""
        self.created_at = self.changed_at = next(creation_counter)
        """Later ones have larger numbers. `changed_at` is that of the last change of what it is."""

    def mark_changed(self) -> None:
        """Note that what it is changes now."""
        self.changed_at = next(creation_counter)

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        return evaluator.keras.attribute(self, name)

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return evaluator.keras.call_layer(self, args, kwargs)


class ModelValue(LayerValue):
    """A model: "sequential" with `layers`, "functional" with `inputs` and `outputs` (tensors in lists and dicts), or
    "own", with the graph of its `call` as `inputs` and `outputs`."""

    def __init__(self, form: str, type_: str, name: str, place: Place) -> None:
        super().__init__(type_, "model", name, {}, place)
        self.form = form
        self.layers: list[LayerValue] = []
        self.inputs: Any = None
        self.outputs: Any = None
        self.input_shape: Any = None
        self.compiled: dict[str, Any] | None = None
        self.open: list[Unknown] = []
        self.traces: dict[Any, Trace] = {}
        """What its `call` does, by the arguments; the first one is that of the program."""
        self.made_input = ""
        """The name of the InputLayer that Keras itself put before the layers of a Sequential model; "" for none."""
        self.built_alone = False
        """Whether the program only calls Keras's own `build` of a class, which in Keras 3 makes no weights."""
        self.is_built = False
        """Whether Keras has made a functional model of the layers of a Sequential one."""
        self.is_inner = False
        """Whether the `build` or the `call` of a class of the program made it: it is a part of that."""
        self.depends_on: set[Any] = set()
        """Choices and unknown values that its `call` met while it was followed."""
        self.before_build: dict[str, Any] | None = None
        """The attributes of an object whose `build` ran at a shape that was not known, as they were before."""

    @property
    def traced(self) -> bool:
        """Whether its `call` was followed."""
        return bool(self.traces)

    @property
    def is_own_layer(self) -> bool:
        """Whether it is an object of a class of layers of the program, or a Lambda whose function is in the code: what
        it computes is a formula, not a graph of layers."""
        return self.form == "own" and not self.config.get("model")


def each_in(value: Any, *, settings: bool = False) -> Iterator[Any]:
    """What stands in a value, in order; of lists and dicts inside each other too, and of what `settings` are given."""
    waiting, most = [value], 10_000
    while waiting and most:
        most -= 1
        one = waiting.pop()
        if type(one) is list or type(one) is tuple:
            waiting += one[::-1]
        elif type(one) is dict:
            waiting += reversed(list(one.values()))
        elif settings and isinstance(one, Setting):
            waiting += reversed(list(one.config.values()))
        else:
            yield one


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in a value, at any depth."""
    return [one for one in each_in(value) if isinstance(one, Tensor)]


def unknown_in(value: Any) -> Unknown | None:
    """The first unknown value in a value, at any depth."""
    return next((one for one in each_in(value, settings=True) if isinstance(one, Unknown)), None)


def layer_of(value: Any) -> LayerValue | None:
    """The layer that a value is, or is an object of."""
    if isinstance(value, LayerValue):
        return value
    return value.layer if isinstance(value, Instance) else None


CALLED = (Function, Bound, Symbol, Partial)
"""What a Lambda may apply: functions of the program and of libraries."""
