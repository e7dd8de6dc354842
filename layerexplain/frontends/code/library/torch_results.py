"""What models of PyTorch give for data outside of any run: which model it is from, and what the program applies to it
before a loss compares it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.frontends.code.library.torch_modules import BuiltIn
from layerexplain.frontends.code.library.torch_numbers import Numbers
from layerexplain.frontends.code.library.torch_program import TorchProgram, run_of
from layerexplain.frontends.code.library.torch_tensors import ALIASES, DTYPES, OPERATORS, SAME, VIEWS, bound_row
from layerexplain.frontends.code.values.array import Array, in_a_tuple
from layerexplain.frontends.code.values.array_data import plain
from layerexplain.frontends.code.values.base import Evaluator, Unknown
from layerexplain.frontends.code.values.operators import each_in, mirrored
from layerexplain.layers.arguments import NOT_SAID
from layerexplain.layers.registry import of_torch
from layerexplain.model import MOVED, NUMBERS, TrainingSetting
from layerexplain.records import NamedTuple

_FLOATS = frozenset([name for name, dtype in DTYPES.items() if dtype == "float"])
_NO_VALUE_CHANGES = SAME | _FLOATS | {"to", "type", "type_as", "retain_grad"}
"""Methods that give the same values, perhaps as other floats or elsewhere."""


class Origin(NamedTuple):
    """Where a value comes from: the model, the place among its results, and the functions that the program applies to
    that, the first one first."""

    model: Any
    part: int | str | None = None
    applied: tuple[TrainingSetting, ...] = ()


class FromModel(Unknown):
    """What a model gives for data that are not known, or what is computed from that."""

    origin: Origin = Origin(None)

    def get_item(self, evaluator: Evaluator, key: object) -> Any:
        if isinstance(key, int | str) and self.origin.part is None and not self.origin.applied:
            return self._replace(origin=self.origin._replace(part=key))
        return self if isinstance(key, str) else after(evaluator, self, "getitem", [self], {"key": key})

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        return after(evaluator, self, name.rstrip("_"), [self, *args], kwargs, f"torch.Tensor.{name.rstrip('_')}")

    def operate(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        other = right if left is self else left
        if isinstance(other, Unknown) and not isinstance(other, FromModel):
            return NotImplemented
        return after(evaluator, self, OPERATORS.get(name, name), [left, right], {})

    def operate_alone(self, evaluator: Evaluator, name: str) -> Any:
        return after(evaluator, self, "neg" if name == "USub" else "logical_not", [self], {})

    def compare(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        return after(evaluator, self, OPERATORS.get(name, name), [left, right], {})

    def unpack(self, evaluator: Evaluator, parts: list[ast.expr]) -> list[Any] | Unknown:
        if self.origin.part is not None or any(isinstance(part, ast.Starred) for part in parts):
            return self
        return [self._replace(origin=self.origin._replace(part=i)) for i in range(len(parts))]


class ModelResult(Numbers):
    """A tensor of known shape that a model gives for data, or what is computed from that."""

    origin: Origin | None = None

    def get_item(self, evaluator: Evaluator, key: Any) -> Any:
        return after(evaluator, super().get_item(evaluator, key), "getitem", [self], {"key": key})

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        return marked(super().get_attribute(evaluator, name), self.origin)

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        result = super().call_method(evaluator, name, args, kwargs)
        result = after(evaluator, result, name.rstrip("_"), [self, *args], kwargs, f"torch.Tensor.{name.rstrip('_')}")
        if name.endswith("_") and isinstance(result, ModelResult):
            self.__dict__["origin"] = result.origin
            return self
        return result

    def operate(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        result = super().operate(evaluator, name, left, right)
        return after(evaluator, result, OPERATORS.get(name, name), [left, right], {})

    def compare(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        result = super().compare(evaluator, name, left, right)
        return after(evaluator, result, OPERATORS.get(name, name), [left, right], {})


def origin_of(value: Any) -> Origin | None:
    """Return where a value comes from; None for one that is from no model."""
    return value.origin if isinstance(value, FromModel | ModelResult) else None


def marked(value: Any, origin: Origin | None) -> Any:
    """Return a value as one that comes from a model, and each tensor in it."""

    if origin is None:
        return value

    def mark(array: Any) -> Any:
        if isinstance(array, Array):
            return ModelResult(
                array.shape, array.cells, array.classes, array.dtype, array.bounds, array.several, origin
            )
        return FromModel(**{field: getattr(array, field) for field in Unknown._fields}, origin=origin)

    return mirrored(value, mark, (Array, Unknown))


def after(
    evaluator: Any, result: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], path: str = ""
) -> Any:
    """Return what a function of torch gives as what it is of a model, if one of its arguments is from one."""
    if name == "backward":
        evaluator.kept(TorchProgram).descends = True
    given = [item for item in each_in([*args, *kwargs.values()]) if origin_of(item) is not None]
    if not given or result is NotImplemented or run_of(evaluator) is not None:
        return result
    origin = origin_of(given[0]) or Origin(None)
    if name in _NO_VALUE_CHANGES and origin_of(args[0]) is not None:
        return marked(result, origin)
    name = ALIASES.get(name, name)
    if (config := _config(name, args, kwargs, path)) is not None:
        type_ = f"torch.{'reshape' if name == 'view' else 'to' if name in DTYPES else name}"
    else:
        type_ = MOVED if name in VIEWS and len(given) == 1 else ""
    applied = TrainingSetting(type_, config or {}, evaluator.locate(evaluator.place()).line or None)
    return marked(result, origin._replace(applied=(*origin.applied, applied)))


def applied_module(evaluator: Any, module: BuiltIn, origin: Origin) -> Origin:
    """Return where the result of a module without weights comes from that is called on the result of a model."""
    line = evaluator.locate(evaluator.place()).line or None
    applied = TrainingSetting(of_torch(module.type), plain_arguments(module.config), line)
    return origin._replace(applied=(*origin.applied, applied))


def _config(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """Return the arguments of a function that is applied to the result of a model, and to no other tensor: NUMBERS are
    what it takes in place of one. None where they cannot be read."""
    if name == "getitem":
        return {"key": key if type(key := kwargs["key"]) is tuple else (key,)}
    if name in DTYPES:
        return {"dtype": DTYPES[name]}
    if name in ("view", "reshape"):
        sizes = in_a_tuple(args[1:])
        return {"shape": tuple(sizes)} if sizes and all(type(size) is int for size in sizes) else None
    row = bound_row(name, [*args], {**kwargs}, path or f"torch.{name}")
    tensors = {} if row is None else {i: tensor for i, tensor in enumerate(row.tensors) if tensor is not None}
    numbers = {i: tensor for i, tensor in tensors.items() if type(tensor) in (int, float)}
    others = [tensor for i, tensor in tensors.items() if i not in numbers]
    if row is None or row.unread or len(others) != 1 or origin_of(others[0]) is None:
        return None
    return {**plain_arguments(row.config), **({NUMBERS: numbers} if numbers else {})}


def plain_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as plain data, `NOT_SAID` for each whose value the code does not say."""
    return {key: _plain(value) for key, value in config.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Array):
        return NOT_SAID if (known := plain(value)) is value else known
    if isinstance(value, list | tuple):
        parts = tuple(map(_plain, value))
        return NOT_SAID if any(part is NOT_SAID for part in parts) else parts
    return value if value is None or isinstance(value, bool | int | float | str) else NOT_SAID
