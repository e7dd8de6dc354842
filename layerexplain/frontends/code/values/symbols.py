"""Names of libraries."""

from __future__ import annotations

from layerexplain.frontends.code.values.base import Evaluator, ProgramValue, Symbol, Unknown, Value
from layerexplain.records import Record

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
