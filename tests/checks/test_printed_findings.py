"""What all rules say of the specs that a rule is tested with, whole: the place, how severe and how sure, and the words.

`pytest --update-snapshots` writes what is said now to tests/snapshots/findings; read the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import layerexplain
from tests.support.check_rows import ROWS


def said_of(text: str) -> Iterator[str]:
    report = layerexplain.check(text.encode())
    for one in report:
        loss = f" [{one.loss}]" if one.loss else ""
        yield f"  {one.code} ({one.severity}, {one.confidence}) {one.layer}:{one.line}: {one.message}{loss}"
    for note in report.notes:
        yield f"  note {note.code} {note.layer}: {note.message}"


@pytest.mark.parametrize("code", ROWS)
def test_findings_are_printed_as_before(code: str, snapshot: Callable[[str, str], None]) -> None:
    lines: list[str] = []
    for number, text in enumerate([*ROWS[code].found, *ROWS[code].sound], 1):
        lines += [f"{'found in' if number <= len(ROWS[code].found) else 'near'} {number}", *said_of(text)]
    snapshot(f"findings/{code}.txt", "\n".join([*lines, ""]))
