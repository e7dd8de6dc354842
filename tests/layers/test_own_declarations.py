"""Declaring a layer is one function, or plain data: checked in a registry of the test's own."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from layerexplain.derive.evaluate import evaluate
from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.expr import Expr, weight
from layerexplain.lang.text import statements
from layerexplain.layers import registry
from layerexplain.layers.arguments import Argument, Bool, Number, PositiveInt, Sizes, argument_of
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.registry import facts_of, find, layer, layers_of_rank
from layerexplain.layers.signature import Facts, Signature, signature_of
from layerexplain.ops.contract import dot
from layerexplain.records import NamedTuple


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Callable[[], Declaration]]]:
    """A copy of the registry: what a test declares is gone after it."""
    copy = dict(registry.LAYERS)
    monkeypatch.setattr(registry, "LAYERS", copy)
    yield copy


def lines(declaration: Declaration, shape: tuple[Any, ...], **config: Any) -> list[str]:
    definition = declaration.trace([Spec((BATCH, *shape), "float32")], declaration.bind(config, strict=True))
    return [line.text for line in statements(definition)]


def test_a_layer_is_one_function() -> None:
    @layer("Scaled", mask="pass", also=("OldScaled",), facts=Facts(keeps_axes=True))
    def scaled(x: Expr, *, factor: Number = 2.0, training: bool = False) -> Expr:
        """Multiplies each number by {factor}; in training by twice as much."""
        return x * (2 * factor if training else factor)

    declared = find("Scaled")
    assert declared is not None and declared is find("OldScaled")
    assert (declared.name, declared.tensors, list(declared.arguments)) == ("scaled", ("x",), ["factor"])
    assert declared.description == "Multiplies each number by {factor}; in training by twice as much."
    assert declared.training and not declared.reads_mask and facts_of("OldScaled").keeps_axes
    assert lines(declared, (3,), factor=5) == ["y = x * 5.0"]
    with pytest.raises(ValueError, match="declared twice"):
        layer("Scaled")(scaled)


def test_one_formula_serves_all_ranks(own_registry: dict[str, Callable[[], Declaration]]) -> None:
    @layers_of_rank(
        "Spread{}D",
        (1, 3),
        also="Spreading{}D",
        differs={1: lambda common: common.without("deep").with_kinds(size=PositiveInt).default(size=7)},
    )
    def spread(x: Expr, *, rank: int, size: Sizes = 2, deep: Bool = False) -> Expr:
        """[Along {steps} steps|Through a volume]."""
        return x + rank + (size if isinstance(size, int) else 0)

    one, three = find("Spread1D"), find("Spreading3D")
    assert one is not None and three is not None and "Spread2D" not in own_registry
    assert (one.ndim, three.ndim) == (3, 5)
    assert (list(one.arguments), list(three.arguments)) == (["size"], ["size", "deep"])
    assert (one.description, three.description) == ("Along {steps} steps.", "Through a volume.")
    assert lines(one, (4, 5)) == ["y = x + 1 + 7"]
    assert lines(three, (2, 2, 2, 5)) == ["y = x + 3 + 2"]
    with pytest.raises(ArgumentError, match="size to be an integer ≥ 1, got"):
        one.bind({"size": (2, 3)})
    with pytest.raises(ShapeError, match="Spread1D needs an input with 3 axes"):
        lines(one, (4,))


def test_a_record_stands_for_several_arguments() -> None:
    class Window(NamedTuple):
        size: PositiveInt
        stride: PositiveInt = 1

    def formula(x: Expr, *, before: Bool = False, window: Window, after: Bool = True) -> Expr:
        return x * (10 * window.size + window.stride)

    signature = signature_of(formula)
    assert list(signature.arguments) == ["before", "size", "stride", "after"]
    assert signature.arguments["size"].default is Argument.REQUIRED
    declared = Declaration("Slid", formula)
    assert lines(declared, (3,), size=4) == ["y = x * 41"]
    assert lines(declared, (3,), size=4, stride=2) == ["y = x * 42"]
    with pytest.raises(ArgumentError, match="Slid needs 'size'"):
        declared.bind({})


def test_a_declaration_from_data_has_weights_and_values() -> None:
    def formula(x: Expr, units: int) -> Expr:
        return dot(x, weight("kernel", "W", [("inputs", x.shape[-1]), ("units", units)]))

    signature = Signature(("x",), {"units": argument_of(PositiveInt, Argument.REQUIRED)})
    declared = Declaration("Own", formula, signature, description="Mixes into {units}.")
    definition = declared.trace([Spec((BATCH, 3), "float32")], declared.bind({"units": 2}))
    assert [w.shape for w in definition.weights] == [(3, 2)]
    assert definition.description == "Mixes into {units}." and definition.arguments == {"units": 2}
    x, kernel = np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(3, 2) - 2
    (y,) = evaluate(definition, [x], [kernel])
    np.testing.assert_allclose(y, x @ kernel, rtol=1e-6)


def test_an_argument_moves() -> None:
    one, two, three = (argument_of(Number, value) for value in (1.0, 2.0, 3.0))
    signature = Signature(arguments={"one": one, "two": two, "three": three})
    assert list(signature.moved("three", before="two").arguments) == ["one", "three", "two"]
    assert list(signature.moved("one", before="three").arguments) == ["two", "one", "three"]
