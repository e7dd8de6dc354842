"""Files that `page` takes beside a model: words, labels, numbers to lay over the picture. What they need, and what is
said of one that is not so."""

import json
import re
import zlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import invoke

SPEC = (
    "inputs: {ids: {shape: [5], dtype: int32}}\n"
    "layers:\n  - Embedding: {input_dim: 7, output_dim: 3}\n  - GlobalAveragePooling1D\n"
)


def _page(folder: Path, option: str, name: str, content: str | bytes, *more: str) -> tuple[int, str]:
    (folder / "model.yaml").write_text(SPEC)
    if name != "missing.txt":
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    command = ["page", str(folder / "model.yaml"), option, str(folder / name), *more]
    done = invoke(*command)
    return done.exit_code, " ".join(done.output.split())


def _data(html: str) -> dict[str, Any]:
    """Return what the scripts of a page read."""
    found = re.search('id="data">([^<]+)<', html)
    assert found is not None
    data: dict[str, Any] = json.loads(zlib.decompress(b64decode(found[1])))
    return data


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("words.txt", "pad\nthe\ncat\n", ["pad", "the", "cat"]),
        ("list.json", '["pad", "the", "cat"]', ["pad", "the", "cat"]),
        # An id without a word has an empty one.
        ("ids.json", '{"cat": 3, "the": 1}', ["", "the", "", "cat"]),
        ("first.json", '{"pad": 0}', ["pad"]),
    ],
)
def test_words_stand_in_the_order_of_their_ids(name: str, content: str, words: list[str], tmp_path: Path) -> None:
    code, text = _page(tmp_path, "--vocabulary", name, content, "--input", "zeros")
    assert code == 0
    assert _data(text)["program"]["vocabulary"] == words


@pytest.mark.parametrize("option", ["--vocabulary", "--labels"])
@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("missing.txt", "", "missing.txt cannot be read: [Errno 2]"),
        ("binary.txt", b"\xff\xfe\x00", "binary.txt cannot be read: 'utf-8' codec"),
        ("broken.json", '{"cat": ', "broken.json is not JSON: Expecting value"),
        ("negative.json", '{"cat": -1}', "needs a list of words, or an object from words to ids"),
        ("truth.json", '{"cat": true}', "needs a list of words, or an object from words to ids"),
        ("far.json", '{"cat": 1000000000000}', "needs a list of words, or an object from words to ids"),
        ("numbers.json", '["the", 2]', "needs a list of words, or an object from words to ids"),
        ("text.json", '"the cat"', "needs a list of words, or an object from words to ids"),
    ],
)
def test_files_without_words_are_refused(
    option: str, name: str, content: str | bytes, why: str, tmp_path: Path
) -> None:
    code, text = _page(tmp_path, option, name, content)
    assert (code, why in text) == (2, True), text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"embedding": 3}', ""),
        ('{"title": "ms", "values": {"embedding": 3}}', ""),
        ("[3]", "needs an object from layer names to numbers, got [3]"),
        ('{"embedding": ', "cannot be read as JSON: Expecting value"),
    ],
)
def test_numbers_to_lay_over_the_picture(content: str, why: str, tmp_path: Path) -> None:
    code, text = _page(tmp_path, "--overlay", "spent.json", content)
    assert (code, why in text) == (2 if why else 0, True), text[-300:]
    if not why:  # without a title, the file's name is the title
        data = _data(text)
        assert data["model"]["overlay"][0] == ("ms" if "title" in content else "spent")
        assert [one.get("overlay") for one in data["layers"]] == [None, 3, None]
