"""Operations on tensors: operators, `keras.ops`, functions of TensorFlow, `keras.backend`."""

from __future__ import annotations

import math

from layerexplain.errors import ArgumentError
from layerexplain.frontends.code.library import keras_names
from layerexplain.frontends.code.library import numpy as numpy_functions
from layerexplain.frontends.code.library.keras_names import operation_type
from layerexplain.frontends.code.library.keras_run_time_sizes import RunTimeSizes, holds_size
from layerexplain.frontends.code.library.signatures import declared, fitting, in_order
from layerexplain.frontends.code.recorder.shapes import CONSTANT_TYPE, is_shape
from layerexplain.frontends.code.values import array as arrays
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.array_data import plain
from layerexplain.frontends.code.values.base import DTYPES, Arguments, Keywords, ProgramValue, Size, Unknown
from layerexplain.frontends.code.values.layers import Tensor, Variable, tensors_in
from layerexplain.frontends.code.values.operators import each_in, mirrored
from layerexplain.frontends.code.values.reading import Assumption
from layerexplain.lang.axes import Batch
from layerexplain.layers.registry import find
from layerexplain.ops.sizes import product

_OPERATORS = {
    "Add": "Add", "Sub": "Subtract", "Mult": "Multiply", "Div": "TrueDivide", "FloorDiv": "FloorDivide", "Mod": "Mod",
    "Pow": "Power", "MatMult": "Matmul", "Lt": "Less", "LtE": "LessEqual", "Gt": "Greater", "GtE": "GreaterEqual",
    "Eq": "Equal", "NotEq": "NotEqual", "USub": "Negative", "Abs": "Absolute", "Invert": "LogicalNot", "BitAnd":
    "LogicalAnd", "BitOr": "LogicalOr",
}  # fmt: skip

_GIVEN_SHAPE = frozenset({"normal", "uniform", "truncated_normal", "randint", "zeros", "ones", "random_normal"})
_OF_DRAWS = {"mean": "mean", "stddev": "stddev", "minval": "low", "maxval": "high"}
"""What random numbers are drawn by, and its name in the formula language."""

_OF_TENSORS = frozenset(
    {"Einsum", "Concatenate", "Stack", "Where", "Matmul", "Tensordot", "Dot", "Hstack", "Vstack", "Meshgrid"}
)
"""Operations all of whose positional arguments are tensors; arrays may stand among them."""

_BY_OPERATOR = {
    "add": "Add", "subtract": "Sub", "multiply": "Mult", "divide": "Div", "true_divide": "Div",
    "floor_divide": "FloorDiv", "power": "Pow", "pow": "Pow", "mod": "Mod",
}  # fmt: skip
"""Functions of numbers that are operators of Python."""


def _is_number(value: ProgramValue) -> bool:
    """Return whether a value is a number, or lists of them."""
    return all(isinstance(item, bool | int | float | str | type(None)) for item in each_in(value))


def is_large(value: ProgramValue) -> bool:
    """Return whether a value is an array whose numbers are not known, or too many to stand among arguments."""
    return isinstance(value, Array) and plain(value) is value


def _lost(result: ProgramValue, args: Arguments) -> bool:
    """Return whether a function of arrays whose values are known gave one whose values are not, as log of 0 does: a
    formula computes them."""
    given = [argument for argument in args if isinstance(argument, Array)]
    is_open = isinstance(result, Array) and result.values is None
    return is_open and bool(given) and all(array.values is not None for array in given)


SIZES = frozenset({"shape", "int_shape", "size", "rank", "ndim"})


def _variable_dtype(value: ProgramValue, given: ProgramValue) -> str:
    """Return the dtype of a variable: the one that it states, else that of its value; "" where the code does not
    say."""
    if given is not None:
        name = arrays.name_of_dtype(given)
        return name if name in DTYPES else ""
    if isinstance(value, Array):
        return "float32" if value.dtype == "float32" else ""
    first = value
    while type(first) in (list, tuple) and first:
        first = first[0]
    return {bool: "bool", int: "int32", float: "float32"}.get(type(first), "")


class Operations:
    """Operations of Keras on tensors, and on numbers."""

    def __init__(self, sizes: RunTimeSizes) -> None:
        self.sizes, self.graphs, self.own_calls, self.recorder = sizes, sizes.graphs, sizes.own_calls, sizes.recorder
        self.interpreter, self.shapes, self.fault = sizes.interpreter, sizes.shapes, sizes.recorder.fault

    def operator(self, name: str, left: object, right: object) -> ProgramValue:
        """Return what an operator of Python on tensors gives."""
        type_ = _OPERATORS.get(name)
        if type_ is None:
            return self.interpreter.unknown("an operator that tensors do not have")
        given = [self._operand(item) for item in ((left,) if right is None else (left, right))]
        unknown = next((item for item in given if isinstance(item, Unknown)), None)
        return unknown if unknown is not None else self.graphs.make_operation(type_, given, {})

    def item_of_table(self, table: Array, key: object) -> ProgramValue:
        """Return a part of an array that the reader does not compute."""
        return self.tensor_item(self._table(table), key)

    def _operand(self, value: object) -> ProgramValue:
        if isinstance(value, Variable):
            value = self.with_weights(value)
        if isinstance(value, Array):
            return self._table(value) if is_large(value) else plain(value)
        return self.sizes.size_tensor(value) if isinstance(value, Size) else value

    def tensor_item(self, tensor: Tensor, key: object) -> ProgramValue:
        """Evaluate `x[:, 0]`."""
        keys = key if type(key) is tuple else (key,)
        parts = [
            part
            for item in keys
            for part in ((item.start, item.stop, item.step) if isinstance(item, slice) else (item,))
        ]
        bad = next((part for part in parts if isinstance(part, Unknown)), None)
        if bad is not None:
            return bad
        if any(isinstance(part, Size) for part in parts):
            if not any(isinstance(item, Size) for item in keys):
                return self.sizes.cut_to_sizes(tensor, keys)
            return self.interpreter.unknown("a part of a tensor up to a size that is known at run time only")
        if any(not isinstance(part, int | str | type(None) | type(Ellipsis)) for part in parts):
            return self.interpreter.unknown("a part of a tensor at unknown positions")
        if isinstance(key, str):  # the inputs of a model by name
            return self.own_calls.cause_of(tensor, f"the part {key!r} of an input, whose parts are not known")
        return self.graphs.make_operation("GetItem", [tensor, key], {})

    def operation(self, name: str, args: Arguments, kwargs: Keywords, path: str = "") -> ProgramValue:
        """Return what a function of keras.ops gives; `path` is the function whose arguments these are, where it is
        another one."""
        args = [self.with_weights(argument) for argument in args]
        kwargs = {key: self.with_weights(value) for key, value in kwargs.items()}
        args, kwargs = in_order(path or f"ops.{name}", args, kwargs)
        if name in SIZES:
            return self.size(name, args, kwargs)
        result = self.sizes.with_run_time_sizes(name, args, kwargs)
        if result is not NotImplemented:
            return result
        given = [*args, *kwargs.values()]
        if not tensors_in(given):
            return self.numbers(name, args, kwargs)
        unknown = next((item for item in given if isinstance(item, Unknown)), None)
        if unknown is not None:
            return self.recorder.opaque_call(name, args, kwargs, unknown)
        type_ = operation_type(name)
        shown = path if path.startswith("numpy.") else f"keras.{path or f'ops.{name}'}"
        declaration = find(f"ops.{type_}") if type_ is not None else None
        if type_ is None:
            return self.recorder.opaque_call(shown, args, kwargs)
        if path.startswith("ops.") and not self.check_axis(path, shown, args, kwargs):
            return self.interpreter.unknown(f"the call of {name}, which does not fit")
        if declaration is not None and args and (self.recorder.in_call or self.recorder.keras_2):
            if len(declaration.tensors) == 1 and type(args[0]) in (list, tuple):
                args = [self.stacked(args[0]), *args[1:]]
            if not declaration.tensors and isinstance(args[0], Tensor) and kwargs.keys() <= {"axis"}:
                why = self.interpreter.unknown(f"{name} of the parts of one tensor")
                return self.recorder.opaque_call(shown, args, kwargs, why)
        args, kwargs = self.with_sizes(type_, args, kwargs)
        if holds_size([*args, *kwargs.values()]):
            why = self.interpreter.unknown(f"{name}: a size that is computed from the batch")
            return self.recorder.opaque_call(shown, args, kwargs, why)
        signature = fitting(path or f"ops.{name}", args, kwargs)
        if declaration is not None and signature is not None and not signature.any_count:
            args, kwargs, unread = declared(declaration, signature, args, kwargs)
            if (
                unread
                or sum(len(tensors_in(item)) or item is not None for item in args)
                < len(declaration.tensors) - declaration.optional
            ):
                why = self.interpreter.unknown(f"{unread[0] if unread else 'fewer tensors'} of {shown}")
                return self.recorder.opaque_call(shown, args, kwargs, why)
        args = [self._table(argument) if type_ in _OF_TENSORS or is_large(argument) else argument for argument in args]
        unknown = next((argument for argument in args if isinstance(argument, Unknown)), None)
        return self.graphs.make_operation(type_, args, kwargs) if unknown is None else unknown

    def _table(self, value: ProgramValue) -> ProgramValue:
        """Return the arrays among the tensors of an operation as tensors."""

        def table(array: Array) -> ProgramValue:
            if array.values is None or not self.recorder.in_call:
                return self.constant_tensor(array.shape)
            result = self.constant_tensor(array.shape, "table")
            if isinstance(result, Tensor):
                result.node.layer.config["values"] = plain(array)
            return result

        return mirrored(value, table, Array) if self.recorder.in_call or is_large(value) else value

    def stacked(self, tensors: ProgramValue) -> ProgramValue:
        """Return a list in place of a tensor as one tensor with an axis more, as TensorFlow reads it."""
        return self.graphs.make_operation("Stack", [list(tensors)], {}) if tensors_in(tensors) else tensors

    def with_weights(self, value: ProgramValue) -> ProgramValue:
        return mirrored(value, self.graphs.weight_value, Variable)

    def with_sizes(self, type_: str, args: Arguments, kwargs: Keywords) -> tuple[Arguments, Keywords]:
        """Return the new shape of a reshape with -1 for its only size that is known at run time only, and None for a
        batch in front that stands as None. Others stay, as which numbers they are decides what -1 is: also those that
        fix the batch, or that hold an unknown size which is not the batch."""
        if "eshape" not in type_ and type_ != "TFOpLambda":
            return args, kwargs
        x = args[0] if args else kwargs.get("x", kwargs.get("tensor"))
        spec = self.shapes.spec_of(x) if isinstance(x, Tensor) else None
        is_known = spec is not None and None not in spec.shape

        def sized(value: ProgramValue) -> ProgramValue:
            if type(value) not in (list, tuple) or not value:
                return value
            if isinstance(value[0], Unknown) and spec is not None and is_shape(value[1:]):
                is_batch = product(spec.shape) in (None, product(value[1:]))
                return value if is_batch else (Size(), *value[1:])
            if type(value[0]) is int and self.recorder.fixed_batches == {value[0]} and -1 in value:
                value = (None, *value[1:])
            if not any(isinstance(item, Size) or item is None for item in value):
                return value
            is_open = [isinstance(item, Size) or item in (None, -1) for item in value]
            is_counted = is_known and any(
                isinstance(item, Size) and item.tensor is None for item in value
            )  # as b + 1 is
            if sum(is_open) == 1 and not is_counted:
                return tuple([-1 if each else item for each, item in zip(is_open, value, strict=True)])
            first = value[0] is None and is_open.count(True) == 2 and -1 in value
            return tuple([Size() if item is None and (i or not first) else item for i, item in enumerate(value)])

        return [args[0], *map(sized, args[1:])] if args else args, {key: sized(value) for key, value in kwargs.items()}

    def size(self, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Evaluate `shape(x)`: the sizes that are known, and run-time sizes."""
        value = args[0] if args else next(iter(kwargs.values()), None)
        if isinstance(value, Array):
            return arrays.attribute(value, "shape") if "shape" in name else self.interpreter.unknown("a size of data")
        if not isinstance(value, Tensor):
            return (
                value
                if isinstance(value, Unknown)
                else self.interpreter.unknown(f"{name}(…) of a value that is not a tensor")
            )
        shape = self.own_calls.shape_tuple(value)
        if isinstance(shape, Unknown):
            return shape
        if name in ("rank", "ndim"):
            return len(shape)
        if name == "size":
            return Size() if None in shape else math.prod(shape)
        if name == "int_shape" and not self.recorder.has_fixed_batches:
            return shape
        spec = self.shapes.spec_of(value)
        known = shape if spec is None else spec.shape
        return tuple([
            Size("", value, axis, batch=own if isinstance(own, Batch) else None) if item is None else item
            for axis, (item, own) in enumerate(zip(shape, known, strict=True))
        ])  # fmt: skip

    def numbers(self, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a function of keras.ops gives on numbers alone."""
        drawn = {today: kwargs[key] for key, today in _OF_DRAWS.items() if isinstance(kwargs.get(key), int | float)}
        kwargs = {key: value for key, value in kwargs.items() if key not in ("dtype", "seed", "name", *_OF_DRAWS)}
        unknown = next((argument for argument in [*args, *kwargs.values()] if isinstance(argument, Unknown)), None)
        if unknown is not None:
            return unknown
        if name in ("convert_to_tensor", "constant", "array", "cast", "identity") and args:
            first = args[0]
            return first if isinstance(first, int | float | Array) else arrays.array_of(first)
        if name in _GIVEN_SHAPE:
            shape: ProgramValue = args[0] if args else kwargs.get("shape")
            is_drawn = type(shape) in (tuple, list) and not (name in ("zeros", "ones") and is_shape(shape))
            if self.recorder.in_call and is_drawn and all(isinstance(length, int | Size) for length in shape):
                return self.constant_tensor(self.sizes.filled_at_run_time(shape), name, drawn)
            result = name if name in ("zeros", "ones") else "empty"
            return numpy_functions.call_numpy(result, args[:1], kwargs, self.interpreter)
        operator = _BY_OPERATOR.get(name)
        if operator is not None and len(args) == 2 and not kwargs:
            return self.interpreter.operate(operator, *args)
        result = numpy_functions.call_numpy(name, args, kwargs, self.interpreter)
        type_ = operation_type(name)
        if not self.recorder.in_call or type_ is None or not (isinstance(result, Unknown) or _lost(result, args)):
            return result
        if type_ in _OF_TENSORS:
            given = [
                argument if isinstance(argument, str) else self._table(arrays.array_of(argument)) for argument in args
            ]
            return self.graphs.make_operation(type_, given, kwargs) if tensors_in(given) else result
        given = [self._operand(argument) for argument in args]
        if any(isinstance(item, Unknown) for item in given) or not all(map(_is_number, given)):
            return result
        return self.graphs.make_operation(type_, given, kwargs)

    def constant_tensor(self, shape: ProgramValue, name: str = "constant", drawn: ProgramValue = None) -> ProgramValue:
        """Return a tensor whose values no input changes: random numbers, or an array."""
        if not self.recorder.in_call and not is_shape(shape):
            return self.interpreter.unknown("an array whose values are not known")
        config = {"shape": tuple(shape), "words": name, "drawn": drawn or {}}
        layer = self.recorder.layer(CONSTANT_TYPE, "custom", name, config)
        return self.recorder.node(layer, (), {}).result()

    def check_axis(self, path: str, shown: str, args: Arguments, kwargs: Keywords) -> bool:
        """Return whether no tensor stands where a function takes an axis."""
        order = keras_names.arguments(path)
        given = {**dict(zip(order, args, strict=False)), **kwargs}
        axis = given.get("axis", given.get("perm", given.get("axes")))
        if tensors_in(axis) and "einsum" not in path and not ("kron" in path or "dot" in path):
            words = f"{shown} takes {', '.join(order)} in this order, got a tensor as its axis"
            several = order[:1] in (("xs",), ("values",), ("x",)) and len(args) == 2 and all(map(tensors_in, args))
            self.fault(ArgumentError(words + "; give the tensors as one list" * several))
            return False
        return True

    def variable(self, args: Arguments, kwargs: Keywords, of_keras: bool = False) -> ProgramValue:
        """Evaluate `tf.Variable(initial_value)`, or `keras.Variable(initializer, shape)`."""
        value = args[0] if args else kwargs.get("initial_value", kwargs.get("initializer"))
        given = args[1] if len(args) > 1 else kwargs.get("shape")
        if of_keras and given is not None:
            value = numpy_functions.call_numpy("empty", [given], {}, self.interpreter)
        name = kwargs.get("name")
        name = name if isinstance(name, str) else "variable"
        dtype = _variable_dtype(value, args[2] if of_keras and len(args) > 2 else kwargs.get("dtype"))
        value = arrays.array_of(value) if value is not None and not isinstance(value, Tensor) else value
        trainable = kwargs.get("trainable", True)
        shape: ProgramValue = value
        if value is not None and not isinstance(value, Unknown):
            shape = value.shape if isinstance(value, Array) else self.own_calls.shape_tuple(value)
        if not is_shape(shape) and not isinstance(shape, Unknown):
            shape = self.interpreter.unknown("the shape of a variable")
        variable = Variable(
            self.recorder.framework, name, shape, dtype or "float32", trainable is not False, self.interpreter.place()
        )
        if not self.recorder.keras_2 and not of_keras:
            words = "a tf.Variable counts as a weight, as in Keras 2; Keras 3 counts what add_weight makes"
            variable.choice = Assumption(variable.place.line, words, "tf-variable" * (is_shape(shape) and bool(dtype)))
        return variable
