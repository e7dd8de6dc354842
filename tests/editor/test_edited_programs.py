"""Programs in an editor: after each edit, a fault that is typed in or mended, all hints and problems are right."""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from tests.support.edited_programs import PROGRAMS, Wrong
from tests.support.language_client import Client, language_server

pytest.importorskip("pygls", reason="pygls is not installed: layerexplain[editor]")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with language_server() as one:
        yield one
        assert one.logged == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_hints_and_problems_are_right_after_each_edit(client: Client, name: str) -> None:
    program = PROGRAMS[name]
    uri = f"file:///nowhere/{name}{program.ending}"
    client.open(uri, program.text, "yaml" if program.ending == ".yaml" else "python")
    hints = {**program.hints}
    _is_shown(client, uri, hints, program.wrong)
    for step in program.steps:
        client.edit(uri, step.old, step.new)
        hints |= step.hints
        _is_shown(client, uri, hints, step.wrong)
        fixes = {title: text for *_, part in step.wrong for title, text in client.actions(uri, part).items()}
        assert [*fixes] == list(step.fixes), step
        for text in fixes.values():
            _mends(client, uri, text, step.wrong)
    client.close(uri)


def _mends(client: Client, uri: str, text: str, wrong: Sequence[Wrong]) -> None:
    """A quick fix leaves less wrong than there was, and nothing that breaks."""
    before = client.texts[uri]
    client.replace(uri, text)
    left = client.problems(uri)
    assert len(left) < len(wrong) and all(severity > 1 for severity, *_ in left), (text, left)
    client.replace(uri, before)


def _is_shown(client: Client, uri: str, expected: Mapping[str, str], wrong: Sequence[Wrong]) -> None:
    """Hold all hints against the expected ones, by what their line begins with, and all problems."""
    found = client.hints(uri)
    wanted = {}
    for beginning, label in expected.items():
        lines = {line.strip() for line in client.texts[uri].split("\n") if line.strip().startswith(beginning)}
        assert len(lines) <= 1, (beginning, lines)
        wanted |= dict.fromkeys(lines if label else (), label)
    assert found == wanted
    assert sorted(client.problems(uri)) == sorted(wrong)
