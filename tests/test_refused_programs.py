"""Programs that Keras refuses: each gets one line, with the line of its code, what is wrong there and what would be right.
tests/data/code/refused.txt has them; Keras itself refuses each of them, in the same line. Those of sound.txt look like
them, and Keras runs them."""

import contextlib
import io
import re
import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program

PRELUDE = "import keras\nimport tensorflow as tf\nfrom keras import layers, ops\nimport numpy as np\n"
TEXT = (Path(__file__).parent / "data/code/refused.txt").read_text()
PROGRAMS = {
    name: (int(line) + PRELUDE.count("\n"), words, PRELUDE + code)
    for name, line, words, code in re.findall(r"^### (.*?) \| (\d+) \| (.*?)\n(.*?)(?=^### |\Z)", TEXT, re.M | re.S)
}
SOUND = dict(
    re.findall(
        r"^### (.*?)\n(.*?)(?=^### |\Z)", (Path(__file__).parent / "data/code/sound.txt").read_text(), re.M | re.S
    )
)


def error_of(code: str, folder: Path) -> tuple[str, list[str]]:
    path = folder / "refused.py"
    path.write_text(code)
    result = CliRunner().invoke(program, ["summary", str(path)], prog_name="layerexplain", catch_exceptions=False)
    return str(path), result.stderr.splitlines()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_keras_refuses_gets_one_line(name: str, tmp_path: Path) -> None:
    line, words, code = PROGRAMS[name]
    path, errors = error_of(code, tmp_path)
    assert len(errors) == 1
    assert re.match(rf"layerexplain: error: {path}:{line}:\d+: ", errors[0])
    assert words in errors[0]


@pytest.mark.parametrize("name", SOUND)
def test_a_program_that_keras_runs_gets_none(name: str, tmp_path: Path) -> None:
    assert error_of(PRELUDE + SOUND[name], tmp_path)[1] == []


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")  # what Keras and NumPy warn of, they run
def test_keras_runs_the_sound_ones() -> None:
    for name, code in SOUND.items():
        exec(compile(PRELUDE + code, name, "exec"), {"__name__": "__main__"})


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")  # what Keras and NumPy warn of, they run
def test_keras_refuses_each_in_the_same_line() -> None:
    import keras

    lines = {}
    for name, (_, _, code) in PROGRAMS.items():
        keras.backend.clear_session()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                exec(compile(code, "refused.py", "exec"), {"__name__": "__main__"})
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines[name] = next(frame.lineno for frame in reversed(frames) if frame.filename == "refused.py")
    assert lines == {name: line for name, (line, _, _) in PROGRAMS.items()}
