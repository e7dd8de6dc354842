"""How sure an answer is: complete, assumed or open; what is missing, where, and which option gives it."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterable, Sequence

from layerexplain.frontends.code.frames import Assumption
from layerexplain.frontends.code.one_value import is_one_value
from layerexplain.frontends.code.values.base import Unknown
from layerexplain.model import Note


def grade_of(assumed: Sequence[Assumption], gaps: Sequence[tuple[Unknown, str]]) -> str:
    """Return "open" where something is missing, "assumed" where something was chosen, else "complete"."""
    return "open" if gaps else "assumed" if any(not one.settled for one in assumed) else "complete"


def notes_of(assumed: Sequence[Assumption], gaps: Sequence[tuple[Unknown, str]]) -> list[Note]:
    """Return one note for each thing that is missing or was chosen."""
    notes: dict[str, Note] = {}
    for unknown, layer in gaps:
        note = Note("open", layer or None, words_of(unknown))
        notes.setdefault(note.message, note)
    missing = {unknown.name for unknown, _ in gaps}
    for one in assumed:
        if one.words.partition(" is not defined or imported")[0] in missing:
            continue  # the gap says so
        note = Note("tf-variable" if one.settled else "assumed", None, f"line {one.line}: {one.words}")
        notes.setdefault(note.message, note)
    return list(notes.values())[:50]


def missing_sizes(tree: ast.AST, gaps: Iterable[tuple[Unknown, str]]) -> tuple[str, ...]:
    """Return the names, as `--set` takes them, of missing values that are sizes: a whole number is their example. A
    name whose value may change between two places where it is used is not one size."""
    causes: dict[str, set[tuple[int, str]]] = {}
    for gap, _ in gaps:
        if gap.example.isdecimal():
            causes.setdefault(gap.option or gap.name, set()).add((gap.line, gap.reason))
    one_cause = [name for name, found in causes.items() if len({reason for _, reason in found}) == 1]
    return tuple([name for name in one_cause if is_one_value(tree, name)])


def words_of(unknown: Unknown) -> str:
    """Return what is missing, where, and the option that gives it.

    >>> words_of(Unknown("it comes from x_train.shape", 12, "input_shape"))
    'line 12: input_shape is not known: it comes from x_train.shape; give --set input_shape=VALUE'
    >>> words_of(Unknown("it is not defined in this code", 3, "n_hidden", example="128"))
    'line 3: n_hidden is not known: it is not defined in this code; give for example --set n_hidden=128'
    """
    where = f"{unknown.file}:{unknown.line}" if unknown.file else f"line {unknown.line}"
    place = f"{where}: " if unknown.line else ""
    name = unknown.name
    if unknown.lacks == "shape":
        return f"{place}{unknown.reason}; give it with --input"
    if unknown.lacks == "named shape":
        return f"{place}the shape of {name} is not known: {unknown.reason}; give --input {name}=SHAPE"
    option = name if unknown.option is None else unknown.option
    if not name or not option:
        return (
            f"{place}{name} is not known: {unknown.reason}" if unknown.lacks == "name" else f"{place}{unknown.reason}"
        )
    example = unknown.example or ("1000,32" if option.endswith(".shape") else "")
    option = shlex.quote(option.replace("'", '"'))  # as a shell takes it: 'len(words)'
    given = f"for example --set {option}={example}" if example else f"--set {option}=VALUE"
    return f"{place}{name} is not known: {unknown.reason}; give {given}"
