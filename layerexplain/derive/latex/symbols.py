"""Names, numbers and indices as LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from layerexplain.derive.element.text import number_text
from layerexplain.lang.scalar import Affine, Letter, Lookup
from layerexplain.lang.text import key_text, value_text

GREEK: Final = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon", "λ": r"\lambda",
    "μ": r"\mu", "ν": r"\nu", "σ": r"\sigma", "τ": r"\tau", "ω": r"\omega",
}  # fmt: skip


def escaped(text: str) -> str:
    """Text for `\\text{…}`."""
    special = {"\\": r"\textbackslash ", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "{": r"\{", "}": r"\}"}
    return "".join(special.get(c, c) for c in text)


def upright(name: str) -> str:
    """The name of a function."""
    return rf"\mathrm{{{escaped(name)}}}"


def symbol(name: str, index: Sequence[str] = ()) -> str:
    """A tensor's name with an index: `W_q` is `W_{q}`, with an index `W^{(q)}_{m,k}`."""
    head, *rest = name.split("_")
    base = _letters(head) if head else upright(name)
    suffix = ",".join(_letters(part) for part in rest if part) if head else ""
    if not index:
        return f"{base}_{{{suffix}}}" if suffix else base
    above = f"^{{({suffix})}}" if suffix else ""
    return f"{base}{above}_{{{','.join(index)}}}"


def _letters(name: str) -> str:
    if name in GREEK:
        return GREEK[name]
    return name if len(name) == 1 and name.isascii() else rf"\mathrm{{{escaped(name)}}}"


def number(value: Any) -> str:
    """A constant."""
    if isinstance(value, bool):
        return rf"\mathrm{{{str(value).lower()}}}"
    if isinstance(value, tuple):
        return rf"\left({', '.join(number(v) for v in value)}\right)"
    text = number_text(value)
    if isinstance(value, str):
        return rf"\mathrm{{{escaped(text)}}}"
    if "e" in text:
        digits, _, exponent = text.partition("e")
        return rf"{digits} \cdot 10^{{{int(exponent)}}}"
    return text.replace("∞", r"\infty")


def attribute_note(name: str, attrs: Mapping[str, Any]) -> str:
    """What a function's LaTeX leaves out: `conv: strides = 2`."""
    said = ", ".join(f"{key} = {value_text(value)}" for key, value in attrs.items())
    return f"{name}: {said}"


def slice_text(key: Sequence[Any]) -> str:
    """The key of a slice, as a subscript."""
    return f"[{key_text(key).replace('...', chr(92) + 'ldots')}]"


def index(a: Affine, names: Mapping[Letter, str], value: Any) -> str:
    """An index: `2i+u-1`, `\\lfloor k/20 \\rfloor`. `value(scalar)` writes a looked-up one."""
    parts: list[str] = []
    for atom, factor in sorted(a.terms, key=lambda term: term[1] < 0):
        if isinstance(atom, Letter):
            if names.get(atom) == "":
                continue
            text = "T" if atom.role == "last step" else names[atom]
        elif isinstance(atom, Lookup):
            text = value(atom.value)
        else:
            of = index(atom.of, names, value)
            divided = of if of.isalnum() else f"({of})"
            text = rf"({of} \bmod {atom.by})" if atom.rest else rf"\lfloor {divided}/{atom.by} \rfloor"
        parts.append(("-" if factor < 0 else "+") + (text if abs(factor) == 1 else f"{abs(factor)}{text}"))
    if a.const or not parts:
        constant = f"{a.const:+d}"
        parts = [constant, *parts] if parts and parts[0].startswith("-") else [*parts, constant]
    return "".join(parts).removeprefix("+")
