"""Completion in real shells: what Tab puts on the command line, and what Enter would then run."""

import json
import os
import pty
import select
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # what the child does is only to exec


SHELLS = {
    "bash": (["bash", "--noprofile", "--norc", "-i"], 'PS1="%"; eval "$(layerexplain completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'PS1="%%"; autoload -U compinit; compinit -D -u; eval "$(layerexplain completion zsh)"'),
    "fish": (["fish", "--no-config", "-i"], "layerexplain completion fish | source"),
}  # fmt: skip
"""How each shell is started, and what it is told first."""

HOSTILE = [
    "dense;touch${IFS}pwned",
    "dense$(touch pwned)",
    "dense`touch pwned`",
    "dense|touch pwned",
    "dense\ntouch pwned",
]


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.shown = b""

    def type(self, text: str) -> None:
        os.write(self.file, text.encode())

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """Return what was shown up to a text, which must appear."""
        while text.encode() not in self.shown:
            assert select.select([self.file], [], [], seconds)[0], (text, self.shown)
            try:
                part = os.read(self.file, 65536)
            except OSError as error:
                raise AssertionError(self.shown) from error
            self.shown += part
            if b"\x1b[c" in part or b"\x1b[0c" in part:  # a shell asks what terminal this is
                self.type("\x1b[?62c")
        before, _, self.shown = self.shown.partition(text.encode())
        return before.decode(errors="replace")


@contextmanager
def shell(name: str, folder: Path) -> Iterator[Terminal]:
    """The shell in a folder, with completion loaded."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    program = folder / "bin" / "layerexplain"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m layerexplain "$@"\n')
    program.chmod(0o755)
    command, setup = SHELLS[name]
    kept = {key: value for key, value in os.environ.items() if key in ("LANG", "LC_ALL", "VIRTUAL_ENV")}
    environment = {
        **kept, "HOME": str(folder), "TERM": "xterm", "PYTHONPATH": str(ROOT),
        "PATH": os.pathsep.join([str(program.parent), os.environ["PATH"]]),
    }  # fmt: skip
    process, file = pty.fork()  # fish wants a controlling terminal
    if not process:
        os.chdir(folder)
        os.execvpe(command[0], command, environment)
    terminal = Terminal(file)
    try:
        terminal.type(f"{setup}\n")
        # The sum is not in what was typed, so only its result ends the wait.
        terminal.type("echo ready-$((40 + 2))\n" if name != "fish" else "echo ready-(math 40 + 2)\n")
        terminal.wait_for("ready-42")
        yield terminal
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(file)


def model(folder: Path, names: list[str]) -> None:
    layers = [{"class_name": "Dense", "config": {"units": 3, "name": name}} for name in names]
    layers.insert(0, {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "name": "input"}})
    (folder / "m.json").write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))


@pytest.mark.parametrize("name", SHELLS)
def test_tab_completes_a_command_and_a_layer(name: str, tmp_path: Path) -> None:
    model(tmp_path, ["wide_layer"])
    with shell(name, tmp_path) as terminal:
        terminal.type("layerexplain expl\t")
        terminal.wait_for("ain")
        terminal.type(" m.json wid\t")
        terminal.wait_for("e_layer")
        terminal.type("\n")
        assert "Each of the 3 outputs" in terminal.wait_for("parameters, all trainable")


@pytest.mark.parametrize("name", SHELLS)
def test_a_name_that_a_shell_obeys_is_not_offered(name: str, tmp_path: Path) -> None:
    model(tmp_path, [*HOSTILE, "dense_safe"])
    with shell(name, tmp_path) as terminal:
        terminal.type("layerexplain explain m.json den\t")
        # It is the only name that is offered, so Tab completes it at once.
        terminal.wait_for("se_safe")
        terminal.type("\n")
        terminal.wait_for("parameters, all trainable")
    assert not (tmp_path / "pwned").exists()
