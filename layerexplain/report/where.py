"""Where each function that a formula names is defined: `relu(z) = max(z, 0)`."""

from __future__ import annotations

from layerexplain.lang.definition import Definition
from layerexplain.lang.notation import value_text
from layerexplain.lang.text import statements
from layerexplain.lang.visit import inner_definitions


def where(definition: Definition) -> tuple[str, ...]:
    """A line for each composite function in the formula, with what it does in words."""
    lines = []
    for inner in inner_definitions(definition):
        if inner.kind != "composite":
            continue
        names = ", ".join(str(p.label) for p in inner.params)
        extra = "".join(f", {k}={value_text(v)}" for k, v in inner.attrs.items())
        body = [line.text for line in statements(inner)]
        last = body[-1].removeprefix("y = ")
        before = "".join(f"{text}; " for text in body[:-1])
        text = f"{inner.name}({names}{extra}) = {last}" + (f"  where {before.rstrip('; ')}" if before else "")
        lines.append(text)
    return tuple(dict.fromkeys(lines))
