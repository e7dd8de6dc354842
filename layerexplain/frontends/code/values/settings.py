"""Objects of Keras that are no layers: optimizers, losses, regularizers."""

from __future__ import annotations

from collections.abc import Mapping

from layerexplain.frontends.code.values.base import Arguments, Evaluator, Identity, Keywords, ProgramValue, Symbol
from layerexplain.frontends.code.values.program import Bound
from layerexplain.records import Record

_FAMILIES = {
    "initializers": "Initializer", "regularizers": "Regularizer", "constraints": "Constraint", "losses": "Loss",
    "optimizers": "Optimizer",
}  # fmt: skip
"""The class that all settings of a module are of."""


class Setting(Record, Identity):
    """An object of Keras that is no layer: an optimizer, a loss, a regularizer; or a function of it by its name."""

    class_name: str
    config: Mapping[str, ProgramValue]
    path: str = ""

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name in self.config:
            return self.config[name]
        return self if name == "__class__" else Bound(self, name)

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return evaluator.framework_of("keras").call_setting(self, args, kwargs)

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if name == "get_config":
            return dict(self.config)
        if name == "from_config" and args and type(args[0]) is dict:
            return Setting(self.class_name, args[0], self.path)
        return evaluator.unknown(f"the method {name} of {self.class_name}")

    def stated_arguments(self) -> Mapping[str, ProgramValue] | None:
        return self.config

    def is_instance(self, kind: Symbol) -> bool | None:
        family = _FAMILIES.get(self.path.partition(".")[0])
        return kind.last in (family, self.class_name) if family is not None else None
