"""Names of libraries."""

from __future__ import annotations

from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Identity,
    Keywords,
    ProgramValue,
    Unknown,
    Value,
)
from layerexplain.records import Record

DTYPES = frozenset(
    """
    float16 float32 float64 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool string complex64
    """.split()  # noqa: SIM905
)
"""The names of the kinds of numbers, in NumPy, TensorFlow and Keras."""


READ_LIBRARIES = frozenset(
    {"keras", "tensorflow", "tf_keras", "torch", "einops", "numpy", "math", "os", "functools", "itertools", "builtins"}
)
"""Libraries whose names are known."""


class Symbol(Record, Identity):
    """A name of a library: `keras.layers.Dense`, `numpy.zeros`."""

    path: str

    @property
    def last(self) -> str:
        """Return the name itself."""
        return self.path.rpartition(".")[2]

    @property
    def may_be_anything(self) -> bool:
        """Return whether its library is not read: `settings.SIZE` may be a function, a class or a number."""
        return "." in self.path and self.path.partition(".")[0] not in READ_LIBRARIES

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name == "__name__" and self.last[:1].isupper():
            return self.last
        return evaluator.framework_of(self.path).symbol_attribute(self, name)

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        if self.path.partition(".")[0] in evaluator.torch.roots:
            return evaluator.torch.module_has(self.path, name)
        return evaluator.framework_of(self.path).module_has(self.path, name)

    def is_same(self, other: object) -> bool:
        return isinstance(other, Symbol) and self.path == other.path

    def equals(self, other: object) -> ProgramValue:
        if self.last in DTYPES and self.last == other:  # a dtype equals its name, a text that names it may not
            return Unknown(f"whether a dtype is {self.path}")
        return super().equals(other)

    def operand(self, evaluator: Evaluator) -> ProgramValue:
        if not self.may_be_anything:
            return self
        return evaluator.unknown(f"layerexplain does not read {self.path.partition('.')[0]}", self.path)

    def truth(self) -> bool | None:
        return None if self.may_be_anything else True

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return evaluator.call_symbol(self, args, kwargs)


_BASES = dict.fromkeys(("LightningModule", "ScriptModule"), Symbol("torch.nn.Module"))
"""Classes of libraries by their last names, and the class that theirs are like: Lightning's modules are those of
PyTorch, with methods for training."""


def known_base(base: ProgramValue) -> ProgramValue:
    """Return the class of PyTorch that a class of another library derives from: nn.Module for LightningModule."""
    return _BASES.get(base.last, base) if isinstance(base, Symbol) else base


class NamesOf(Record, Value):
    """The names of a module of a library, which `dir` gives."""

    of: Symbol
    evaluator: Evaluator

    def contains(self, value: object) -> ProgramValue:
        found = self.of.has_attribute(self.evaluator, value) if isinstance(value, str) else False
        return Unknown(f"whether {self.of.path} has a name") if found is None else found
