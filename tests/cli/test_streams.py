"""Standard output and standard error that are closed or full, and outputs that would replace what is read."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

DIGITS = ROOT / "sample_models" / "digits.keras"

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")

COMMANDS = [
    "--help", "--version", "summary m.keras", "layer", "page spec.yaml", "draw m.keras --to svg",
]  # fmt: skip


def run(arguments: str, folder: Path, redirected: str) -> subprocess.CompletedProcess[str]:
    """Run the program with its streams as a shell redirects them, buffered as Python has them unasked."""
    command = f'"{sys.executable}" -m layerexplain {arguments} {redirected}'
    return subprocess.run(
        command,
        cwd=folder,
        shell=True,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=os.environ | {"PYTHONUNBUFFERED": ""},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(DIGITS, tmp_path / "m.keras")
    (tmp_path / "link.keras").symlink_to("m.keras")
    (tmp_path / "spec.yaml").write_text("input: [4]\nlayers:\n  - Dense: 3\n")
    return tmp_path


@pytest.mark.parametrize("arguments", COMMANDS)
def test_what_cannot_be_printed_is_one_line(arguments: str, folder: Path) -> None:
    for redirected, said in ((">/dev/full", "No space left on device"), (">&-", "standard output is closed")):
        done = run(arguments, folder, redirected)
        assert (done.returncode, done.stderr) == (1, f"layerexplain: error: {said}\n")
    for redirected in (">/dev/null 2>&-", ">/dev/null 2>/dev/full"):
        assert run(arguments, folder, redirected).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "redirected", "code"),
    [
        ("summary m.keras -o out.txt", ">&-", 0),
        ("summary nothing.keras", "2>&-", 1),
        ("summary nothing.keras", "2>/dev/full", 1),
        ("summary", "2>&-", 2),
        ("summary -", "<&-", 1),
        ("summary m.keras", ">&- 2>&- <&-", 1),
    ],
)
def test_exit_codes_with_closed_streams(arguments: str, redirected: str, code: int, folder: Path) -> None:
    done = run(arguments, folder, redirected)
    assert done.returncode == code and "Traceback" not in done.stderr
    assert not code or not (folder / "out.txt").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        "convert m.keras m.keras --to json --force",
        "convert m.keras link.keras --to yaml --force",
        "convert link.keras ./m.keras --force",
        "convert spec.yaml spec.yaml --force",
        "summary m.keras --output m.keras",
        "summary spec.yaml m.keras --output link.keras",
        "diff spec.yaml m.keras --output m.keras",
        "page m.keras --output m.keras",
        "draw m.keras --to svg --output link.keras",
    ],
)
def test_no_output_replaces_what_is_read(arguments: str, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = run(arguments, folder, "")
    assert done.returncode == 1 and "is read itself, and would be replaced; give another name" in done.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
