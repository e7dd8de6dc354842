"""Imports of a program find what Python finds, and what they find is named. Each program is run by Python too."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from tests.support.commands import invoke

LAYOUTS: dict[str, tuple[dict[str, str], str, str]] = {
    "a module beside it": ({"config.py": "UNITS = 7\n"}, "train.py", "from config import UNITS"),
    "a package": ({"own/__init__.py": "", "own/sizes.py": "UNITS = 7\n"}, "train.py", "from own.sizes import UNITS"),
    "a folder without __init__.py": ({"own/sizes.py": "UNITS = 7\n"}, "train.py", "from own.sizes import UNITS"),
    "a module of such a folder": ({"own/sizes.py": "UNITS = 7\n"}, "train.py", "from own import sizes\nUNITS = sizes.UNITS"),
    "a module of the package": ({"own/__init__.py": "", "own/sizes.py": "UNITS = 7\n"}, "own/train.py", "from .sizes import UNITS"),
    "a name of the package itself": ({"own/__init__.py": "UNITS = 7\n"}, "own/train.py", "from . import UNITS"),
    "a package above": ({"own/__init__.py": "", "own/deep/__init__.py": "", "own/sizes.py": "UNITS = 7\n"}, "own/deep/train.py", "from ..sizes import UNITS"),
    "a module that imports by a whole name": ({"own/__init__.py": "", "own/sizes.py": "from config import UNITS\n",
        "own/config.py": "UNITS = 3\n", "config.py": "UNITS = 7\n"}, "train.py", "from own.sizes import UNITS"),
    "a fallback": ({"own/__init__.py": "UNITS = 7\n", "secret.py": "UNITS = 13\n"}, "own/train.py",
        "try:\n    from ..secret import UNITS\nexcept ImportError:\n    from . import UNITS"),
    "above the package": ({"own/__init__.py": "", "secret.py": "UNITS = 13\n"}, "own/train.py", "from ..secret import UNITS"),
    "far above the package": ({"own/__init__.py": "", "own/deep/__init__.py": "", "secret.py": "UNITS = 13\n"},
        "own/deep/train.py", "from ....secret import UNITS"),
}  # fmt: skip
"""Files, the program and its import."""

MODEL = "\nimport keras\nmodel = keras.Sequential([keras.Input((5,)), keras.layers.Dense(UNITS)])\n"


def made(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def summary(path: Path, *options: str) -> Result:
    return invoke("summary", path, "--format", "json", *options)


def as_python(folder: Path, path: str, statement: str) -> str:
    """The value that Python imports; "" where it refuses."""
    (folder / path).write_text(f"{statement}\nprint(UNITS)\n")
    parts = Path(path).with_suffix("").parts
    command = [sys.executable, "-m", ".".join(parts)] if len(parts) > 1 else [sys.executable, path]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "ImportError" in done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_import_finds_what_python_finds(name: str, tmp_path: Path) -> None:
    files, path, statement = LAYOUTS[name]
    made(tmp_path, files)
    truth = as_python(tmp_path, path, statement)
    (tmp_path / path).write_text(statement + MODEL)
    result = summary(tmp_path / path)
    if not truth:
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"layerexplain: error: {tmp_path / path}:1:1: raises ImportError: ")
        return
    report = json.loads(result.stdout)
    assert report["totals"]["params"] == int(truth) * (5 + 1)
    assert report["model"]["grade"] == "complete"


def test_above_a_folder_that_is_no_package_nothing_is_read(tmp_path: Path) -> None:
    """How the program is started decides there whether Python finds it, so that its value is not known."""
    made(tmp_path, {"secret.py": "UNITS = 13\n", "own/train.py": "from ..secret import UNITS" + MODEL})
    report = json.loads(summary(tmp_path / "own/train.py").stdout)
    assert isinstance(report["totals"]["params"], str) and "UNITS" in report["totals"]["params"]  # not its value
    given = json.loads(summary(tmp_path / "own/train.py", "--set", "UNITS=7").stdout)
    assert given["totals"]["params"] == 42


@pytest.mark.parametrize("linked", ["config.py", "own", "own/sizes.py", "own/__init__.py"])
def test_links_are_not_followed(linked: str, tmp_path: Path) -> None:
    elsewhere = {"config.py": "UNITS = 13\n", "own/__init__.py": "UNITS = 13\n", "own/sizes.py": "UNITS = 13\n"}
    made(tmp_path / "elsewhere", elsewhere)
    (tmp_path / "here").mkdir()
    if linked.startswith("own/"):
        (tmp_path / "here/own").mkdir()
    os.symlink(tmp_path / "elsewhere" / linked, tmp_path / "here" / linked)
    module = linked.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    for one in {module, "own.sizes" if linked == "own" else module}:
        (tmp_path / "here/train.py").write_text(f"from {one} import UNITS" + MODEL)
        report = json.loads(summary(tmp_path / "here/train.py").stdout)
        assert isinstance(report["totals"]["params"], str) and "UNITS" in report["totals"]["params"]  # not its value
        assert "13" not in json.dumps(report["layers"])


def test_files_that_the_code_imports_are_named(tmp_path: Path) -> None:
    made(tmp_path, {"config.py": "from own.names import NAME\n", "own/names.py": "NAME = 'password'\n",
                    "unused.py": "X = 1\n", "train.py": "import keras\nfrom config import NAME\n"
                    "model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name=NAME)])\n"})  # fmt: skip
    words = "the code imports config.py, own/names.py; this report may use values from there"
    report = json.loads(summary(tmp_path / "train.py").stdout)
    assert [note["message"] for note in report["notes"] if note["code"] == "imports"] == [words]
    shown = invoke("explain", tmp_path / "train.py", "--width", "200").stdout
    assert "password" in shown and words in shown


def test_files_that_code_beside_a_source_imports_are_named(tmp_path: Path) -> None:
    scale = "import keras\n{}\nclass Scale(keras.layers.Layer):\n    def call(self, x):\n        return x * RATE\n"
    made(tmp_path, {"lib.py": scale.format("from rates import RATE"), "rates.py": "RATE = 0.375\n",
                    "m.yaml": "input: [5]\nlayers:\n  - Scale\n", "folder/scale.py": scale.format("from .rates import *"),
                    "folder/rates.py": "RATE = 0.375\n"})  # fmt: skip
    words = "the code imports rates.py; this report may use values from there"
    for code, named in ((tmp_path / "lib.py", [words]), (tmp_path / "folder", [])):
        result = summary(tmp_path / "m.yaml", "--code", str(code))
        report = json.loads(result.stdout)
        assert "0.375" in report["layers"][1]["operation"]
        assert [note["message"] for note in report["notes"] if note["code"] == "imports"] == named
