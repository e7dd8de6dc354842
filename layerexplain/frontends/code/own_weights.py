"""The weights that code makes itself, as layers without an input: each is a row with its count."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from layerexplain.errors import NotKnown
from layerexplain.frontends.code.shapes import CONSTANT_TYPE, WEIGHT_TYPE, constant_shape
from layerexplain.frontends.code.values.base import ProgramValue
from layerexplain.lang.expr import Expr, weight
from layerexplain.lang.opaque import opaque
from layerexplain.layers.arguments import Anything, argument_of
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.signature import Signature
from layerexplain.model import Model


def declarations(model: Model) -> Mapping[str, Declaration]:
    """Return the declaration of the weights that a model has outside of its layers, where there are any.

    >>> sorted(declarations(Model("m", "Sequential", (), (), (), ())))
    []
    """
    waiting = [model]
    while waiting:
        one = waiting.pop()
        for layer in one.layers:
            if layer.type in (WEIGHT_TYPE, CONSTANT_TYPE) and layer.kind == "custom" and layer.declaration is None:
                weight = {"shape": None, "dtype": "float32", "trainable": True}
                return {
                    WEIGHT_TYPE: _declared(WEIGHT_TYPE, _formula, weight, "A weight that the code creates itself."),
                    CONSTANT_TYPE: _declared(
                        CONSTANT_TYPE, _drawn, {"shape": (), "words": "constant"}, "Numbers that depend on no input."
                    ),
                }
            if layer.model is not None:
                waiting.append(layer.model)
    return {}


def _declared(
    type_: str, formula: Callable[..., Expr], defaults: Mapping[str, ProgramValue], description: str
) -> Declaration:
    arguments = {name: argument_of(Anything, default) for name, default in defaults.items()}
    return Declaration(type_, formula, Signature((), arguments), description=description)


def _drawn(*, shape: object, words: str) -> Expr:
    sizes = constant_shape(shape)
    return Expr(opaque, (), {"name": words, "shape": sizes}, sizes, "float")


def _formula(*, shape: ProgramValue, dtype: str, trainable: bool) -> Expr:
    if shape is None:
        raise NotKnown("the shape of this weight is not known")
    axes = [(f"axis {i}", size) for i, size in enumerate(shape)]
    return weight("value", "W", axes, trainable=bool(trainable))
