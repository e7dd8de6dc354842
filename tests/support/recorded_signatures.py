"""What each declared type takes, as tests/data/signatures.txt has it: its tensors, its arguments with their defaults, their
older names, those that change nothing, whether it hands a mask on, the facts about it, and its example.

The tests with Keras and PyTorch compare the defaults with those of the real classes; what they found right is recorded, so
that tests that need neither notice when it changes. After a change that those tests agree with, `python -m
tests.support.recorded_signatures` writes the file again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.facts import NO_FACTS, Facts
from layerexplain.layers.index import types
from layerexplain.layers.keras.examples import example_of
from layerexplain.layers.registry import find
from layerexplain.records import grouped

NO_EXAMPLES = ("ops", "tf", "torch", "einops", "timm", "regularizers", "constraints")
"""Prefixes of types that have no example: operations, functions and parts of training."""

FILE = Path(__file__).parents[1] / "data" / "signatures.txt"


def rows() -> list[str]:
    """Return the rows of the file: types, a colon, and what they take."""
    return FILE.read_text("utf-8").splitlines()


def taken(declaration: Declaration) -> str:
    """Return what a type takes, as one line."""
    required = len(declaration.tensors) - declaration.optional
    tensors = [name + "=None" * (i >= required) for i, name in enumerate(declaration.tensors)]
    star = [f"*{declaration.variadic or ''}"] if declaration.variadic or declaration.arguments else []
    arguments = [
        name if one.default is Argument.REQUIRED else f"{name}={one.default!r}"
        for name, one in declaration.arguments.items()
    ]
    mask = declaration.mask if isinstance(declaration.mask, str) else declaration.mask.__name__
    words = [f"({', '.join([*tensors, *star, *arguments])})", f"mask: {mask}"]
    if declaration.renamed:
        words.append("older: " + ", ".join(f"{old} = {name}" for old, name in sorted(declaration.renamed.items())))
    if declaration.ignores:
        words.append("ignores: " + ", ".join(sorted(declaration.ignores)))
    facts = [
        f"{name}={_said(value)}"
        for name, value, usual in zip(Facts._fields, declaration.facts, NO_FACTS, strict=True)
        if value != usual and name != "example"
    ]
    if facts:
        words.append(f"facts: {', '.join(facts)}")
    if declaration.type.startswith("torch.nn.") or declaration.type.partition(".")[0] not in NO_EXAMPLES:
        words.append(f"example: {' '.join(' '.join(part) for part in example_of(declaration))}".rstrip())
    return "; ".join(words)


def _said(value: object) -> str:
    return getattr(value, "__name__", None) or repr(dict(value) if isinstance(value, Mapping) else value)


def written() -> str:
    """Return the file as it should be."""
    known = [(type_, found) for type_ in types() if (found := find(type_)) is not None]
    by_words = grouped((taken(declaration), type_) for type_, declaration in known)
    return "".join(sorted(f"{' '.join(sorted(names))}: {words}\n" for words, names in by_words.items()))


if __name__ == "__main__":
    FILE.write_text(written(), "utf-8")
