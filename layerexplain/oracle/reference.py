"""What a comparison asks of the framework that it holds the formulas against. `keras_graph` answers with real Keras.

Tensors and weights are the framework's own; `value` makes arrays of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from layerexplain.lang.definition import Definition

Key = tuple[str, int]
"""A call: the name of its layer, and its number among the calls of this layer."""


class Operation(Protocol):
    """A layer, or an operation between layers."""

    @property
    def type(self) -> str:
        """The name of its class."""
        ...

    @property
    def is_layer(self) -> bool:
        """Whether it is a layer."""
        ...

    @property
    def compute_dtype(self) -> str:
        """The dtype that it computes in."""
        ...

    def weights(self, definition: Definition | None = None) -> list[Any]:
        """All of its weights, or those of a definition, in the definition's order."""
        ...

    def fault(self, config: Mapping[str, Any], values: Sequence[Any]) -> str | None:
        """The known fault of the framework that strikes it, in words; None if none does."""
        ...


class Graph(Protocol):
    """A model of the framework that was given its inputs, and is run call by call."""

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, in the model's order."""
        ...

    def calls(self) -> Mapping[Key, Operation]:
        """All calls but inputs, with what is called."""
        ...

    def make_when_needed(self, keys: Iterable[Key]) -> None:
        """These calls are made when what they make is needed."""
        ...

    def arguments(self, key: Key) -> list[Any] | None:
        """The tensors that a call takes; None if one of them was not made."""
        ...

    def enter(self, key: Key, arguments: Sequence[Any]) -> Graph | None:
        """The model that a call runs, given its inputs; None for what is no model, or cannot be entered."""
        ...

    def run(self, key: Key) -> list[Any]:
        """Make a call and keep what it makes. Raises whatever the framework raises."""
        ...

    def keep(self, key: Key, outputs: Sequence[Any]) -> None:
        """Keep what a call made."""
        ...

    def tensor(self, layer: str, call: int, output: int) -> Any:
        """A tensor that was made, or None."""
        ...

    def outputs(self) -> list[Any]:
        """The model's outputs, in its order; None for one that was not made."""
        ...

    def value(self, tensor: Any) -> Any:
        """A tensor or a weight as an array."""
        ...

    def mask(self, tensor: Any) -> Any:
        """The mask that a tensor carries, or None."""
        ...

    def dtype(self, tensor: Any) -> str:
        """The name of a tensor's dtype."""
        ...
