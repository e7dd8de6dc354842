"""How sure an answer is: complete, assumed or open; what is missing, where, and which option gives it."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.frontends.code.expressions import GIVEN_NO, IMPLIED, WITHOUT_CODE
from layerexplain.frontends.code.frames import Assumption
from layerexplain.frontends.code.values import Unknown
from layerexplain.model import Note


def grade_of(assumed: Sequence[Assumption], opened: Sequence[tuple[Unknown, str]]) -> str:
    """Return "open" where something is missing, "assumed" where something was chosen, else "complete"."""
    return "open" if opened else "assumed" if any(not one.settled for one in assumed) else "complete"


def notes_of(assumed: Sequence[Assumption], opened: Sequence[tuple[Unknown, str]]) -> list[Note]:
    """Return one note for each thing that is missing or was chosen."""
    notes: dict[str, Note] = {}
    for unknown, layer in opened:
        note = Note("open", layer or None, words_of(unknown))
        notes.setdefault(note.message, note)
    for one in assumed:
        note = Note("tf-variable" if one.settled else "assumed", None, f"line {one.line}: {one.words}")
        notes.setdefault(note.message, note)
    return list(notes.values())[:50]


def lacks_input(unknown: Unknown) -> bool:
    """Whether it is the shape of an input that is not known, and all else follows from that."""
    return unknown.reason.startswith("the input of") and "has no shape" in unknown.reason


def words_of(unknown: Unknown) -> str:
    """What is missing, where, and the option that gives it.

    >>> words_of(Unknown("it comes from x_train.shape", 12, "input_shape"))
    'line 12: input_shape is not known: it comes from x_train.shape; give --set input_shape=VALUE'
    """
    where = f"{unknown.file}:{unknown.line}" if unknown.file else f"line {unknown.line}"
    place = f"{where}: " if unknown.line else ""
    if lacks_input(unknown):
        return f"{place}{unknown.reason}; give it with --input"
    if unknown.reason == IMPLIED:
        return f"{place}the shape of {unknown.name} is not known: {IMPLIED}; give --input {unknown.name}=SHAPE"
    if not unknown.name or unknown.reason.endswith(WITHOUT_CODE):
        return f"{place}{unknown.reason}"
    given = GIVEN_NO.search(unknown.reason.rpartition(", ")[2])
    option = unknown.name if given is None else given[1]
    return f"{place}{unknown.name} is not known: {unknown.reason}; give --set {option}=VALUE"
