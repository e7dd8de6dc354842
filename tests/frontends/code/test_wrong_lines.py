"""Single lines that Keras, NumPy or Python refuse, behind the same program: each gets one error, with its column and its
words, which tests/data/code/wrong_lines.txt has. Keras confirms that each is refused."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program
from tests.support.paths import TESTS

HEAD, LINES = re.findall(
    r"^### \w+\n(.*?)(?=^### |\Z)", (TESTS / "data/code/wrong_lines.txt").read_text("utf-8"), re.M | re.S
)
ROWS = dict(zip(LINES.splitlines()[::2], LINES.splitlines()[1::2], strict=True))
AT_FIT = ("m.compile('adam', 'msee')", "m.compile('adam', 'mse', metrics=['accuracyy'])")
"""What Keras refuses when the model is trained."""


@pytest.mark.parametrize("line", ROWS)
def test_a_wrong_line_has_its_column_and_its_words(line: str) -> None:
    model = line[0] if line[:2] in ("f.", "f(", "c.") else "m"
    result = CliRunner().invoke(
        program,
        ["summary", "--", f"-:{model}"],
        input=f"{HEAD}{line}\n",
        prog_name="layerexplain",
        catch_exceptions=False,
    )
    place = f"{HEAD.count(chr(10)) + 1}:"
    errors = [one.partition("<stdin>")[2] for one in result.stderr.splitlines()]
    assert [re.sub(rf"^:(?:[mfc]:)?{place}", "  ", one) for one in errors] == [ROWS[line]]
    assert result.exit_code == 1


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
def test_keras_refuses_each_of_them() -> None:
    head = re.sub(r"(compile\(.*)\)", r"\1, run_eagerly=True)", HEAD)
    taken = []
    for line in ROWS:
        names: dict[str, Any] = {}
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(head, names)
            try:
                exec(line, names)
                taken.append(line)
            except Exception:  # whatever it is, it is refused
                pass
    assert taken == [*AT_FIT]
