"""Functions that are written as formulas of ops: softmax, gelu, relu. They print by name and expand to their body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.expr import Definition, Expr, call, constant, tensor

COMPOSITES: dict[str, Composite] = {}
"""All composite functions by name; with OPS the vocabulary of the formula language. A duplicate raises."""


class Composite:
    """A named function of tensors whose body is a formula. Calling it makes a `call` node of its definition."""

    def __init__(
        self,
        name: str,
        body: Callable[..., Expr | Mapping[str, Expr]],
        *,
        scalar: bool,
        stable: Callable[..., Any] | None,
    ) -> None:
        code = body.__code__
        self.name = name
        self.body = body
        self.scalar = scalar
        self.stable = stable
        self.tensors = code.co_varnames[: code.co_argcount]
        self.defaults: Mapping[str, Any] = body.__kwdefaults__ or {}
        self.description = (body.__doc__ or "").strip().partition("\n")[0]
        self._definitions: dict[Any, Definition] = {}
        if name in COMPOSITES:
            raise ValueError(f"composite {name!r} is declared twice")
        COMPOSITES[name] = self

    def __call__(self, *args: Expr | float, **attrs: Any) -> Expr:
        exprs = tuple([a if isinstance(a, Expr) else constant(a) for a in args])
        attrs = {k: v for k, v in attrs.items() if k not in self.defaults or v != self.defaults[k]}
        key = (tuple([(e.shape, e.dtype) for e in exprs]), tuple(sorted(attrs.items())))
        definition = self._definitions.get(key)
        if definition is None:
            definition = self._definitions[key] = self.trace([(e.shape, e.dtype) for e in exprs], attrs)
        return call(definition, *exprs)

    def trace(self, specs: list[tuple[Any, Any]], attrs: Mapping[str, Any]) -> Definition:
        """The body at given shapes and dtypes."""
        params = tuple(tensor(n, shape, dtype) for n, (shape, dtype) in zip(self.tensors, specs, strict=True))
        result = self.body(*params, **attrs)
        results = result if isinstance(result, Mapping) else {"y": result}
        return Definition(
            self.name,
            params,
            (),
            results,
            kind="composite",
            attrs=attrs,
            scalar=self.scalar,
            stable=self.stable,
            description=self.description,
        )


def composite(
    name: str, *, scalar: bool = False, stable: Callable[..., Any] | None = None
) -> Callable[[Callable[..., Expr | Mapping[str, Expr]]], Composite]:
    """Declare a composite. `scalar`: it works on each element and counts as one FLOP, as exp does. `stable`: a
    function(np, *values, **attrs) that computes the same more safely; a test holds the two against each other."""

    def declare(body: Callable[..., Expr | Mapping[str, Expr]]) -> Composite:
        return Composite(name, body, scalar=scalar, stable=stable)

    return declare
