"""What leads from a model or a layer to an object inside it, as a value: attributes, items of lists, layers of a model.

A variable of `Bidirectional(LSTM(4))` is found by `("forward_layer", "cell")`, one of a model inside another by
`(LayerNamed("encoder"), LayerNamed("dense"))`. The Python expression is made from these steps when it is printed.

A weight has a path of names, too, as Keras writes it: `forward_lstm/lstm_cell/kernel`. The names of layers that a layer
holds are put in when a path is read: layers that are alike but for these names have one formula, and its weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from layerexplain.records import NamedTuple


class LayerNamed(NamedTuple):
    """The step from a model to one of its layers."""

    name: str


class ItemNamed(str):
    """The step to item `number` of a list, or to that of a key; the text is what a file calls it, where only code says
    what it is.

    >>> expression(("blocks", ItemNamed.numbered("dense_1", 1)), "layer")
    'layer.blocks[1]'
    """

    number: int | str

    @classmethod
    def numbered(cls, group: str, number: int | str) -> ItemNamed:
        """Return the step to an item."""
        path = cls(group)
        path.number = number
        return path


Step: TypeAlias = str | int | LayerNamed
"""The name of an attribute, the number of an item in a list, or a layer of a model."""

Steps: TypeAlias = tuple[Step, ...]


def layer_steps(names: Sequence[str]) -> Steps:
    """Return the steps to a layer of a nested model, by the names that lead to it."""
    return tuple([LayerNamed(name) for name in names])


def _quoted(value: int | str) -> str:
    import json  # few runs print a path

    return json.dumps(value, ensure_ascii=False)


def expression(steps: Steps, start: str = "model") -> str:
    """Return the Python expression for what steps lead to in real Keras.

    >>> expression((LayerNamed("rnn"), "cell", "cells", 1))
    'model.get_layer("rnn").cell.cells[1]'
    """
    parts = [start]
    for step in steps:
        if isinstance(step, ItemNamed):
            parts.append(f"[{_quoted(step.number)}]")
        elif isinstance(step, LayerNamed):
            parts.append(f".get_layer({_quoted(step.name)})")
        else:
            parts.append(f"[{step}]" if str(step).isdecimal() else f".{step}")
    return "".join(parts)


def step_text(steps: Steps) -> str:
    """Return the steps as notes show them: `encoder/td.layer`."""
    marks = [f"/{s.name}" if isinstance(s, LayerNamed) else f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps]
    return "".join(marks).removeprefix("/")


def list_steps(at: Steps) -> Steps:
    """Return the steps to the list of layers in an argument: of a list of cells Keras makes StackedRNNCells."""
    return (*at, "cells") if at[-1] == "cell" else at


def reached(start: Any, steps: Steps) -> Any:
    """Return the object that steps lead to from a real Keras model or layer. Raises what Keras raises where there is
    none."""
    for step in steps:
        if isinstance(step, ItemNamed):
            start = start[step.number]
        elif isinstance(step, LayerNamed):
            start = start.get_layer(step.name)
        else:
            start = start[step] if isinstance(step, int) else getattr(start, step)
    return start


# Names of weights ---------------------------------------------------------------------------------------------------


class InnerName(NamedTuple):
    """Stands for the name of a layer that another one holds; `steps` lead to it through arguments and lists.

    `prefix` is what Keras puts in front of the name, where it does not begin with it: `forward_`.
    """

    steps: tuple[str | int, ...]
    prefix: str = ""

    def around(self, path: WeightPath) -> WeightPath:
        """Return the path, in the outer layer's terms, of a weight of the inner layer."""
        inside = [part if isinstance(part, str) else part._replace(steps=(*self.steps, *part.steps)) for part in path]
        return (self, *inside)

    def name_in(self, layer: Any) -> str:
        """Return the name, for an outer layer."""
        inner = layer
        for step in self.steps:
            if isinstance(step, int):
                inner = inner[step]
            elif not isinstance(inner, list | tuple) or hasattr(inner, "config"):
                inner = inner.config.get(step)
            # RNN puts a list of cells into a StackedRNNCells, which has no other name.
        name = getattr(inner, "name", None) or "stacked_rnn_cells"
        return self.prefix + str(name).removeprefix(self.prefix)


WeightPath: TypeAlias = tuple[str | InnerName, ...]
"""What leads from a layer to a weight in Keras's paths, without the weight's own name."""


def path_names(path: WeightPath, layer: Any) -> tuple[str, ...]:
    """Return the names on a path, for the layer that has the weight: a Layer of a Model."""
    return tuple([part if isinstance(part, str) else part.name_in(layer) for part in path])


def weight_name(attrs: Mapping[str, Any], layer: Any) -> str:
    """Return the name of a weight below its layer, `lstm_cell/kernel`, in PyTorch `out_proj.weight`. `attrs` are those
    of its leaf."""
    return ("." if layer.type.startswith("torch.") else "/").join((*path_names(attrs["path"], layer), attrs["name"]))
