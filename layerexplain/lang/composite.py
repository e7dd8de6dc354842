"""Functions defined as formulas of ops: softmax, gelu, relu. They print by name and expand to their body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.axes import needs_of_batch
from layerexplain.lang.definition import Definition, call
from layerexplain.lang.expr import CALL, Expr, constant, tensor

COMPOSITES: dict[str, Composite] = {}
"""All composite functions by name. With OPS, they are the vocabulary of the formula language."""


class Composite:
    """A named function of tensors whose body is a formula. Calling it makes a `call` node of its definition.

    Args:
        name: The name in formulas.
        body: What it computes.
        scalar: Whether it is element-wise and counts as one FLOP, like exp.
        stable: A numerically safer `function(np, *values, **attrs)`; a test compares it with the body.
        slope: Of an element-wise function, `slope(z, y, **attrs)`: its derivative, given the argument and the value;
            None derives the body. Required beside `stable`, since the derivative of such a body overflows too.
        gradient: Of another function, `gradient(y, dy, i, **attrs)`, else as in the record of an op; required likewise.
    """

    def __init__(
        self,
        name: str,
        body: Callable[..., Expr | Mapping[str, Expr]],
        *,
        scalar: bool = False,
        stable: Callable[..., Any] | None = None,
        slope: Callable[..., Expr | float | None] | None = None,
        gradient: Callable[..., Expr | None] | None = None,
    ) -> None:
        code = body.__code__
        self.name = name
        self.body = body
        self.scalar = scalar
        self.tensors = code.co_varnames[: code.co_argcount]
        self.defaults: Mapping[str, Any] = body.__kwdefaults__ or {}
        self.stable = stable
        self.slope = slope
        self.gradient = gradient
        self.description = (body.__doc__ or "").strip().partition("\n")[0]
        self._definitions: dict[Any, Definition] = {}
        self._dtypes: dict[Any, str] = {}
        if stable is not None and (slope if scalar else gradient) is None:
            raise TypeError(
                f"composite {name!r} has a stable evaluator, so it needs a {'slope' if scalar else 'gradient'}"
            )
        if name in COMPOSITES:
            raise ValueError(f"composite {name!r} is declared twice")
        COMPOSITES[name] = self

    def __call__(self, *args: Expr | float, **attrs: Any) -> Expr:
        exprs = tuple([a if isinstance(a, Expr) else constant(a) for a in args])
        if attrs:
            attrs = {k: v for k, v in attrs.items() if k not in self.defaults or v != self.defaults[k]}
        given = tuple(sorted(attrs.items())) if attrs else ()
        if self.scalar and len(exprs) == 1:
            return self._on_each_element(exprs, attrs, given)
        key = (tuple([(e.shape, e.dtype) for e in exprs]), given)
        definition = self._definitions.get(key)
        if definition is None:
            definition = self._definitions[key] = self.trace([(e.shape, e.dtype) for e in exprs], attrs)
        return call(definition, *exprs)

    def _on_each_element(self, exprs: tuple[Expr, ...], attrs: Mapping[str, Any], given: tuple[Any, ...]) -> Expr:
        """Call an element-wise function; its dtype, once traced, holds for all shapes."""
        (z,) = exprs
        key = (z.shape, z.dtype, given)
        definition = self._definitions.get(key)
        dtype = self._dtypes.get(key[1:])
        if dtype is None:
            definition = self._definitions[key] = self.trace([(z.shape, z.dtype)], attrs)
            (result,) = definition.results.values()
            dtype = self._dtypes[key[1:]] = result.dtype
        elif definition is None:
            definition = self._definitions[key] = _Deferred(self, (z.shape, z.dtype), attrs)
        return Expr(CALL, exprs, {"definition": definition}, z.shape, dtype)

    def facts(self) -> dict[str, Any]:
        """Return what is known of the function's definitions before their bodies are traced."""
        return {"kind": "composite", "scalar": self.scalar, "stable": self.stable, "description": self.description}

    def trace(self, specs: list[tuple[Any, Any]], attrs: Mapping[str, Any]) -> Definition:
        """Return the definition of the function at given shapes and dtypes."""
        if len(specs) != len(self.tensors):
            raise ArgumentError(f"{self.name} takes ({', '.join(self.tensors)}), got {len(specs)} tensors")
        params = tuple(tensor(n, shape, dtype) for n, (shape, dtype) in zip(self.tensors, specs, strict=True))
        with needs_of_batch() as needs:
            result = self.body(*params, **attrs)
        results = result if isinstance(result, Mapping) else {"y": result}
        return Definition(self.name, params, (), results, attrs=attrs, needs=tuple(needs), **self.facts())


class _Deferred(Definition):
    """An element-wise function at a further shape. Its body is traced on first access; costs and texts never
    need it."""

    def __init__(self, composite: Composite, spec: tuple[Any, Any], attrs: Mapping[str, Any]) -> None:
        super().__init__(composite.name, (), (), {}, attrs=attrs, **composite.facts())
        self._composite = composite
        self._spec = spec
        del self.params, self.results  # so that the first access calls __getattr__

    def __getattr__(self, name: str) -> Any:
        if name not in ("params", "results"):
            raise AttributeError(f"a definition has no attribute {name}")
        body = self._composite.trace([self._spec], self.attrs)
        self.params, self.results = body.params, body.results
        return getattr(self, name)


def composite(name: str, **rules: Any) -> Callable[[Callable[..., Expr | Mapping[str, Expr]]], Composite]:
    """Declare a composite function by its body; the rules are the further arguments of `Composite`."""
    return lambda body: Composite(name, body, **rules)
