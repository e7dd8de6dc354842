"""Hooks that a program registers with modules of PyTorch, and what removes them."""

from __future__ import annotations

from typing import Any

from layerexplain.frontends.code.values.base import Evaluator, Identity
from layerexplain.frontends.code.values.program import Bound

HOOKS, PRE_HOOKS = "_forward_hooks", "_forward_pre_hooks"
"""The attributes of modules that hold their hooks."""
REGISTER = {"register_forward_hook": HOOKS, "register_forward_pre_hook": PRE_HOOKS}


class HookHandle(Identity):
    """What registering a hook gives, by which it is removed."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self.hooks = hooks
        self.hook = hook

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        return Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if name == "remove" and self.hook in self.hooks:
            evaluator.mutate(self.hooks)
            self.hooks.remove(self.hook)
        return None
