"""PyTorch: modules of torch.nn, functions on tensors, and the numbers that programs make with them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from layerexplain.frontends.code.library.numpy import call_numpy
from layerexplain.frontends.code.library.table import Implementation, Library
from layerexplain.frontends.code.library.torch_modules import (
    CONTAINERS,
    BuiltIn,
    Parameter,
    fill,
    is_module,
)
from layerexplain.frontends.code.library.torch_tensors import Tensor
from layerexplain.frontends.code.library.torch_tensors import function as tensor_function
from layerexplain.frontends.code.library.torch_training import is_loss, plain_arguments
from layerexplain.frontends.code.values.array import Array, array_of
from layerexplain.frontends.code.values.base import Unknown
from layerexplain.frontends.code.values.program import Bound, Instance
from layerexplain.frontends.code.values.symbols import Symbol
from layerexplain.layers.arguments import NOT_SAID
from layerexplain.layers.registry import find, of_torch, positional_arguments
from layerexplain.ops.sizes import product

if TYPE_CHECKING:
    from layerexplain.frontends.code.interpreter import Interpreter

LIBRARY = Library("torch", "torchsummary", "torchinfo", "torchvision")

_NUMBERS = frozenset(
    """
    randn rand zeros ones empty full randint arange tensor linspace zeros_like ones_like rand_like randn_like eye
    FloatTensor LongTensor from_numpy as_tensor Tensor
    """.split()  # noqa: SIM905
)


@LIBRARY.family("torch")
def _torch(name: str) -> Implementation:
    """Everything of torch by its dotted name."""
    last = name.rpartition(".")[2]

    def implementation(args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
        package = name.rpartition(".")[0]
        if (
            args
            and isinstance(args[0], Instance)
            and package.startswith("nn")
            and is_module(args[0])
            and _is_base(name)
        ):
            return interpreter.torch.method(args[0], last, args[1:], kwargs)
        if package == "nn":
            return make(last, args, kwargs, interpreter)
        if package == "optim":
            return interpreter.torch.training.make_optimizer(interpreter, last, args, kwargs)
        if package == "nn.init" and args and isinstance(args[0], Numbers):
            args[0].forget()
        if package.startswith(("nn.init", "optim", "utils", "cuda", "backends", "manual_seed")):
            return None
        if package == "jit":
            return args[0] if last in ("script", "export", "ignore", "unused") and args else False
        if package in ("", "nn.functional", "Tensor", "special", "_C._nn", "ops.misc"):
            return compute(last, args, kwargs, interpreter)
        return NotImplemented

    return implementation


def _is_base(name: str) -> bool:
    """Return whether a name is a method of a class of modules: `nn.Module.__init__`."""
    parts = name.split(".")
    return len(parts) >= 3 and parts[-2][:1].isupper()


def make(type_: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return a module of torch.nn."""
    interpreter.effects.record_model_event()
    interpreter.torch.makes_modules = True
    place = interpreter.place()
    if type_ == "Parameter":
        given = args[0] if args else kwargs.get("data")
        if isinstance(given, Parameter | Array):
            return Parameter(tuple(given.shape))
        return given if isinstance(given, Unknown) else interpreter.unknown("the numbers of a parameter")
    if type_ in CONTAINERS:
        return BuiltIn(type_, {}, place, fill(type_, args or list(kwargs.values())))
    if type_ == "TransformerEncoder" and args and is_module(args[0]):
        return _copies(args, kwargs, interpreter)
    declaration = find(of_torch(type_))
    if declaration is None:
        return BuiltIn(type_, {}, place) if type_[:1].isupper() else interpreter.unknown(f"torch.nn.{type_}")
    config = dict(zip(positional_arguments(declaration), args, strict=False))
    config |= {key: one for key, one in kwargs.items() if key not in ("device", "dtype", "inplace")}
    config = {key: tuple(one) if type(one) is list else one for key, one in config.items()}
    if type_ == "Identity":
        config = {}
    config = {key: _named(one) for key, one in config.items()}
    if is_loss(type_):
        config = plain_arguments(config)
        interpreter.torch.training.note_loss(interpreter, type_, config)
    return make_module(type_, config, interpreter)


def make_module(type_: str, config: dict[str, Any], interpreter: Interpreter) -> BuiltIn:
    """Return a module that has a declaration; what this refuses of its arguments is a fault of the program."""
    interpreter.effects.record_model_event()
    interpreter.torch.makes_modules = True
    declaration = find(of_torch(type_))
    if declaration is not None and not any(isinstance(one, Unknown) or one is NOT_SAID for one in config.values()):
        for _, error in declaration.faults(config):
            interpreter.keras.fault(error)
    return BuiltIn(type_, config, interpreter.place())


def _named(value: Any) -> Any:
    """Return the name of a function that is an argument: `activation=F.gelu`."""
    return value.last if isinstance(value, Symbol) else value


def _copies(args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return a TransformerEncoder: `num_layers` copies of its layer, then its norm."""
    count = args[1] if len(args) > 1 else kwargs.get("num_layers")
    norm = args[2] if len(args) > 2 else kwargs.get("norm")
    if not isinstance(count, int) or not isinstance(args[0], BuiltIn):
        return interpreter.unknown("how many layers a TransformerEncoder has")
    first = args[0]
    layers = {str(i): BuiltIn(first.type, dict(first.config), first.place) for i in range(count)}
    members: dict[str, Any] = {"layers": BuiltIn("Sequential", {}, first.place, layers)}
    if is_module(norm):
        members["norm"] = norm
    return BuiltIn("Sequential", {}, interpreter.place(), members)


def compute(name: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return what a function of torch or torch.nn.functional gives."""
    run = interpreter.torch.run
    given = [*args, *kwargs.values()]
    tensors = [one for one in given if isinstance(one, Tensor | Parameter)]
    nested = [
        one for each in given if type(each) in (list, tuple) for one in each if isinstance(one, Tensor | Parameter)
    ]
    of_loss = interpreter.torch.training.call_function(interpreter, name, args, kwargs)
    if of_loss is not NotImplemented:
        return of_loss
    if run is not None and (tensors or nested):
        return tensor_function(run, name, args, kwargs)
    if name in _NUMBERS:
        found, dtype = numbers(name, args, kwargs, interpreter), kwargs.get("dtype")
        if isinstance(found, Numbers) and isinstance(dtype, Symbol):
            return found._replace(dtype=_DTYPES.get(dtype.last, dtype.last))
        return found
    if name in (
        "no_grad",
        "inference_mode",
        "set_grad_enabled",
        "manual_seed",
        "device",
        "save",
        "compile",
        "set_default_dtype",
    ):
        return args[0] if name == "compile" and args else None
    if name == "is_tensor":
        return bool(args) and isinstance(args[0], Tensor | Parameter | Array)
    if name in ("is_tracing", "is_scripting"):
        return False
    if name == "load":
        return interpreter.unknown("it comes from torch.load(…), which reads a file that is not opened")
    if given and all(isinstance(one, int | float | tuple | list | str) or _is_known(one) for one in given):
        return computed(name, args, kwargs, interpreter)
    return interpreter.unknown(f"it comes from torch.{name}(…), which layerexplain does not compute")


def _numbers_of(found: Array) -> Numbers:
    return Numbers(found.shape, found.values, None, found.dtype)


def _is_known(value: Any) -> bool:
    return isinstance(value, Array) and value.values is not None


_OPERATORS = {
    "add": "Add", "sub": "Sub", "subtract": "Sub", "mul": "Mult", "multiply": "Mult", "div": "Div", "divide": "Div",
    "true_divide": "Div", "pow": "Pow", "floor_divide": "FloorDiv", "remainder": "Mod",
}  # fmt: skip
"""Functions that are operators of Python."""


def computed(name: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return what a function of torch gives for numbers that are known, which NumPy has too."""
    named = {"axis" if key == "dim" else key: one for key, one in kwargs.items() if key not in ("dtype", "device")}
    if name in _OPERATORS and len(args) == 2:
        return interpreter.operate(_OPERATORS[name], *args)
    if name == "diff" and isinstance(args[0], Array) and args[0].values is not None and len(args[0].shape) == 1:
        steps = [b - a for a, b in pairwise(args[0].values)]
        return Numbers((len(steps),), tuple(steps), None, args[0].dtype)
    found = call_numpy(name, args, named, interpreter)
    return _numbers_of(found) if isinstance(found, Array) else found


class Numbers(Array):
    """A tensor of numbers that a program makes outside of any run: its shape."""

    def get_attribute(self, evaluator: Any, name: str) -> Any:
        if name in ("data", "grad"):
            return self
        if name in ("device", "requires_grad"):
            return Symbol("torch.device") if name == "device" else False
        if name == "shape":
            return tuple(self.shape)
        return Bound(self, name)

    def forget(self) -> None:
        """Take the values as not known: the program changes them in place, wherever the tensor is held."""
        object.__setattr__(self, "values", None)

    def call_method(self, evaluator: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        run = evaluator.torch.run
        if name in ("int", "long"):
            values = None if self.values is None else tuple([int(one) for one in self.values])
            return Numbers(self.shape, values, None, "int64")
        if name.endswith("_"):
            self.forget()
            return self
        if name in _SAME_NUMBERS:
            return self
        if name in ("size", "dim", "numel"):
            if name == "size":
                return tuple(self.shape)[args[0]] if args else tuple(self.shape)
            return len(self.shape) if name == "dim" else product([s for s in self.shape if s is not None])
        if name in ("view", "reshape") and all(isinstance(one, int) and one > 0 for one in args):
            return Numbers(tuple(args), None, None, self.dtype)
        if name == "unsqueeze" and args and isinstance(args[0], int):
            at = args[0] % (len(self.shape) + 1)
            return Numbers((*self.shape[:at], 1, *self.shape[at:]), None, None, self.dtype)
        if run is not None:
            return run.stored(self).call_method(evaluator, name, args, kwargs)
        if self.values is not None and name in ("tolist", "item"):
            found = [int(one) if self.dtype.startswith("int") else one for one in self.values]
            return found[0] if name == "item" else found
        return evaluator.unknown(f"the method {name} of numbers that layerexplain does not compute")

    def get_item(self, evaluator: Any, key: Any) -> Any:
        run = evaluator.torch.run
        if run is not None:
            return run.stored(self).get_item(evaluator, key)
        return evaluator.unknown("a part of numbers that layerexplain does not compute")

    def operate(self, evaluator: Any, name: str, left: Any, right: Any) -> Any:
        other = right if left is self else left
        if isinstance(other, Tensor | Parameter):
            return NotImplemented
        if self.values is not None and (_is_known(other) or isinstance(other, int | float)):
            found = super().operate(evaluator, name, left, right)
            return _numbers_of(found) if isinstance(found, Array) else found
        same = isinstance(other, int | float) or (isinstance(other, Array) and other.shape == self.shape)
        return self if same else evaluator.unknown("numbers that layerexplain does not compute")


_DTYPES = {"float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32", "bool": "bool"}
"""PyTorch's short names of dtypes."""

_SAME_NUMBERS = frozenset(
    "to cuda cpu float half double clone detach contiguous type bfloat16".split()  # noqa: SIM905
)


def numbers(name: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return numbers that a program makes: their shape."""
    unknown = next((one for one in args if isinstance(one, Unknown)), None)
    if unknown is not None:
        return unknown
    dtype = "int64" if name in ("randint", "arange", "LongTensor") else "float32"
    if name.endswith("_like") and args and isinstance(args[0], Array | Parameter):
        return Numbers(tuple(args[0].shape), None, None, dtype)
    if name in ("arange", "linspace") and all(isinstance(one, int | float) for one in args):
        found = computed(name, args, kwargs, interpreter)
        if isinstance(found, Array):
            return Numbers(found.shape, found.values, None, dtype if name == "arange" else "float32")
    if name in ("arange", "linspace"):
        ends = [one for one in args if isinstance(one, int | float)]
        if name == "linspace":
            return Numbers((args[2] if len(args) > 2 else kwargs.get("steps", 100),), None, None, "float32")
        steps = range(*map(int, ends[:3])) if ends else range(0)
        return Numbers((len(steps),), None, None, dtype)
    if name in ("tensor", "from_numpy", "as_tensor", "FloatTensor", "LongTensor") and args:
        value = args[0]
        if isinstance(value, Array):
            return Numbers(tuple(value.shape), None, None, value.dtype)
        known = array_of(value)
        if isinstance(known, Array) and known.values:
            kinds = {type(one) for one in known.values}
            return Numbers(
                known.shape,
                known.values,
                None,
                _DTYPES["float" if float in kinds else "bool" if kinds == {bool} else "long"],
            )
        sizes = []
        while type(value) in (list, tuple):
            sizes.append(len(value))
            value = value[0] if value else None
        return Numbers(tuple(sizes), None, None, "int64" if isinstance(value, int) else dtype)
    given = kwargs.get("size", args[-1] if name == "randint" and args else None)
    if name == "full" and args:
        given = args[0]
    if given is None:
        given = args[0] if len(args) == 1 and type(args[0]) in (list, tuple) else args
    if name == "eye" and args:
        given = (args[0], args[1] if len(args) > 1 else args[0])
    shape = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not all(isinstance(one, int) for one in shape):
        return interpreter.unknown("the size of a tensor")
    if name == "randint":
        return Numbers(shape, None, _classes_of(args, kwargs), dtype)
    return Numbers(shape, None, None, dtype)


def _classes_of(args: list[Any], kwargs: dict[str, Any]) -> int | None:
    """How many class numbers `randint` draws from, where it begins with 0."""
    first = [*args[:-1], kwargs.get("high")]
    low, high = first[:2] if len(first) > 2 else (kwargs.get("low", 0), first[0])
    return high if low == 0 and isinstance(high, int) else None


@LIBRARY.family("torchsummary")
@LIBRARY.family("torchinfo")
def _summary(name: str) -> Implementation:
    """`summary(model, (3, 32, 32))` says the shape of the input."""

    def implementation(args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
        size = kwargs.get("input_size", args[1] if len(args) > 1 else None)
        data = kwargs.get("input_data")
        if args and is_module(args[0]):
            if isinstance(data, Array):
                interpreter.torch.call(args[0], [data], {})
            elif isinstance(size, list | tuple) and all(isinstance(one, int) for one in size):
                with_batch = tuple(size) if len(size) == 4 else (1, *size)
                interpreter.torch.call(args[0], [Numbers(with_batch)], {})
        return None

    return implementation
