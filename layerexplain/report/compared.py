"""What a loss compares with the targets: the output of a model, or what a loop of training applies to it before."""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH, Shape
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, INPUT, Expr
from layerexplain.layers.arguments import NOT_SAID
from layerexplain.layers.declaration import Spec
from layerexplain.layers.known_definitions import definition_at
from layerexplain.layers.registry import find
from layerexplain.model import MOVED, NUMBERS, TrainingSetting
from layerexplain.ops.sizes import product
from layerexplain.records import NamedTuple

_STAND_INS: tuple[Shape, ...] = ((BATCH, 2), (BATCH, 2, 2, 2), (BATCH, 2, 2), (BATCH, 2, 1), (BATCH,))
"""Shapes at which a function is traced whose input has no known shape."""


class Applied(NamedTuple):
    """A function that a loop applies to an output: its formula, None where that is not known, and the shape of what it
    gives, None where that is not known."""

    setting: TrainingSetting
    definition: Definition | None
    shape: Shape | None

    @property
    def function(self) -> str:
        """The function that makes its values, as `last_function`: "" where they are those that it takes, "?" where
        that is not known."""
        if self.definition is None:
            return "" if self.setting.name in (MOVED, "torch.getitem") else "?"
        function = last_function(self.definition)
        return "" if function in ("slice", "stop_gradient") else function


def applied_to(output: Shape | None, loss: TrainingSetting) -> Iterator[Applied]:
    """Yield the functions that a loop of training applies to an output of a shape before a loss, in order.

    >>> loss = TrainingSetting("torch.nn.BCELoss", applied=(TrainingSetting("torch.sigmoid"), TrainingSetting("")))
    >>> [(one.definition is None, one.shape) for one in applied_to((None, 3), loss)]
    [(False, (None, 3)), (True, None)]
    """
    shape = output
    for setting in loss.applied:
        known = NOT_SAID not in setting.config.values()
        result = None if shape is None or not known else _traced(setting, shape)
        if result is None:
            result = next(filter(None, (_traced(setting, item) for item in _STAND_INS)), None)
            sizes = setting.config.get("shape", ()) if setting.name == "torch.reshape" else ()
            # The examples and whatever else is not known are one axis then: the steps of all texts.
            shape = (None, *sizes[1:]) if sizes[:1] == (-1,) else None
        else:
            shape = next(iter(result.results.values())).shape
        yield Applied(setting, result, shape)


def _traced(setting: TrainingSetting, shape: Shape) -> Definition | None:
    declaration = find(setting.name) if setting.name not in ("", MOVED) else None
    if declaration is None:
        return None
    config = {key: value for key, value in setting.config.items() if key != NUMBERS and value is not NOT_SAID}
    if setting.name == "torch.reshape" and config.get("shape", ())[:1] == (-1,):
        rest, total = product(config["shape"][1:]), product(shape[1:])
        if rest != total:
            return None
        config["shape"] = (None, *config["shape"][1:])
    numbers = setting.config.get(NUMBERS, {})
    count = 1 + len(numbers)
    specs = [None if i in numbers else Spec(shape, "float") for i in range(count)]
    try:
        return definition_at(declaration, specs, declaration.bind(config), constants=numbers)
    except LayerExplainError:
        return None


def compared_shape(output: Shape | None, loss: TrainingSetting) -> Shape | None:
    """Return the shape of what a loss compares with its targets, for an output of a shape."""
    return [output, *[applied.shape for applied in applied_to(output, loss)]][-1]


# The last function of a formula -------------------------------------------------------------------------------------

MOVES = frozenset({"cast", "reshape", "transpose", "item"})
"""Operations that leave the values as they are."""


def last_function(definition: Definition) -> str:
    """Return the function that makes the values of a definition's first result, as `ends_with`."""
    node = last_node(definition)
    return str(node.attrs["definition"].name) if node.op is CALL else "" if node.op is INPUT else node.op.name


def last_node(definition: Definition) -> Expr:
    """Return the node that makes the values of a definition's first result."""
    node = moved(next(iter(definition.results.values())))
    if node.op.name == "where":  # softplus of PyTorch is a line where its curve is one in floating point
        condition, first, second = node.args
        if condition.op.name == "greater" and condition.args[0] is first and second.op is CALL:
            return second
    return node


def moved(node: Expr) -> Expr:
    """Return the node whose values a node is, behind operations that only move values."""
    while node.op.name in MOVES:
        node = node.args[0]
    return node
