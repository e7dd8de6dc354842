"""The table of cases: fixed rows and drawn configurations of every layer type, a module a family.

A row is what every derivation and every law is tried on; `DRAWS` makes as many more as a test wants, from a seeded
generator. Adding a layer to the project means adding rows here.
"""

import importlib
import pkgutil
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Case(NamedTuple):
    """A layer with its arguments, and the tensors that it is called with.

    `shapes` are without the batch, None where a size is unknown; `dtypes` default to float32 ("int" draws ids below
    the layer's input_dim). `masks` tells which tensors carry a mask with holes. `call` holds the constant arguments
    of the call. `layer` is a wrapped layer as (type, config), put under the argument named `wraps`.
    """

    type: str
    config: Mapping[str, Any]
    shapes: tuple[tuple[int | None, ...], ...]
    dtypes: tuple[str, ...] = ()
    masks: tuple[bool, ...] = ()
    call: Mapping[str, Any] = {}

    @property
    def id(self) -> str:
        """A readable name for test reports."""
        arguments = ",".join(f"{k}={v}" for k, v in self.config.items())
        shapes = ";".join("x".join(map(str, s)) for s in self.shapes)
        return f"{self.type}({arguments})[{shapes}]"


class Wrapped(NamedTuple):
    """A layer in the configuration of another: `Case("Bidirectional", {"layer": Wrapped("LSTM", {...})}, …)`."""

    type: str
    config: Mapping[str, Any]


Draw = Callable[[random.Random], Case]

CASES: list[Case] = []
DRAWS: dict[str, Draw] = {}

for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    _family = importlib.import_module(f"{__name__}.{_module}")
    CASES += _family.CASES
    for _type, _draw in _family.DRAWS.items():
        if _type in DRAWS:
            raise ValueError(f"draws of {_type} stand in two modules")
        DRAWS[_type] = _draw
