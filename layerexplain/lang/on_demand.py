"""`scalar` for modules that speak of it only where somebody asks for one element: it is loaded when first asked.

A `summary` declares some hundred ops and asks none of them how one element is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerexplain.lang import scalar as scalar
else:

    class _OnDemand:
        """A module that is loaded when something of it is first asked for, and then has all that the module has."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            from importlib import import_module

            module = import_module(self._name)
            vars(self).update(vars(module))
            return getattr(module, name)

    scalar = _OnDemand("layerexplain.lang.scalar")
