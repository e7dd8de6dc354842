"""A text that takes too long costs that text alone, and whatever ends the server ends all that it has started."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.language_client import Client, language_server
from tests.support.paths import ROOT

pytest.importorskip("pygls", reason="pygls is not installed: layerexplain[editor]")

from layerexplain.editor import server as server_module

SPEC = "input: [3]\nlayers:\n  - Dense: 5\n"
WHOLE = {"processId": None, "rootUri": None, "capabilities": {}}


def test_a_text_that_takes_too_long_says_so_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    read, free = server_module.read_text, threading.Event()

    def slow(text: Any, settings: Any) -> Any:
        if "slow" in text.path:
            free.wait(60)
        return read(text, settings)

    monkeypatch.setattr(server_module, "read_text", slow)
    monkeypatch.setattr(server_module, "LONGEST", 0.5)
    try:
        with language_server() as client:
            client.open("file:///slow.yaml", SPEC, "yaml")
            client.open("file:///other.yaml", SPEC, "yaml")
            assert client.hints("file:///other.yaml")["- Dense: 5"] == "→ (None, 5) · 20"
            assert [one[0] for one in client.problems("file:///slow.yaml")] == [1]
            assert client.published("file:///slow.yaml")[0]["message"] == "not read: it takes more than 0.5 s"
            assert client.problems("file:///other.yaml") == []
            assert client.logged == ["/slow.yaml: not read: it takes more than 0.5 s"]
    finally:
        free.set()


def alive(mark: str) -> list[str]:
    """The processes that were started with a mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes() and b") Z " not in (process / "stat").read_bytes():
                found.append((process / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="needs /proc")
@pytest.mark.parametrize("end", ["shutdown", "closed input", "closed input while a page starts", "killed"])
def test_nothing_is_left(tmp_path: Path, end: str) -> None:
    mark = f"MARK={tmp_path}"
    spec, folder = tmp_path / "m.yaml", tmp_path / "temporary"
    spec.write_text(SPEC)
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), "MARK": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "layerexplain", "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    assert process.stdin is not None
    assert process.stdout is not None
    client, address = Client(process.stdout, process.stdin), ""
    client.request("initialize", WHOLE)
    shown = {"command": server_module.SHOW_PAGE, "arguments": [str(spec), ""]}
    if end == "closed input while a page starts":
        client._send({"id": 99, "method": "workspace/executeCommand", "params": shown})
    else:
        address = client.request("workspace/executeCommand", shown)
        assert len(alive(mark)) == 2 and os.listdir(folder)
    if end == "shutdown":
        client.request("shutdown", None)
        client.notify("exit", None)
    elif end == "killed":
        process.send_signal(signal.SIGKILL)
    process.stdin.close()
    assert process.wait(60) == {"shutdown": 0, "killed": -signal.SIGKILL}.get(end, 0)
    client.listener.join()
    process.stdout.close()
    until = time.monotonic() + 60
    while (left := alive(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == [] and os.listdir(folder) == []
    if address:
        with pytest.raises(urllib.error.URLError, match="refused"):
            urllib.request.urlopen(address, timeout=10)
