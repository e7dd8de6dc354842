"""Names of libraries."""

from __future__ import annotations

from typing import Any

from layerexplain.frontends.code.values.base import Evaluator, Identity
from layerexplain.records import Record

DTYPES = frozenset(
    """
    float16 float32 float64 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool string complex64
    """.split()  # noqa: SIM905
)
"""The names of the kinds of numbers, in NumPy, TensorFlow and Keras."""


_READ_LIBRARIES = frozenset(
    {"keras", "tensorflow", "tf_keras", "torch", "numpy", "math", "os", "functools", "itertools", "builtins"}
)


class Symbol(Record, Identity):
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

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return evaluator.keras.module_has(self.path, name)

    def is_same(self, other: Any) -> bool:
        return isinstance(other, Symbol) and self.path == other.path

    def operand(self, evaluator: Evaluator) -> Any:
        if not self.may_be_anything:
            return self
        return evaluator.unknown(f"{self.path.partition('.')[0]} is not read here", self.path)

    def truth(self) -> bool | None:
        return None if self.may_be_anything else True

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return evaluator.call_symbol(self, args, kwargs)
