"""Answers of the viewer's server, whole, from a request in memory: status, headers and policy of each."""

from __future__ import annotations

import io
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.viewer import server

HOST, TOKEN = "127.0.0.1:7", "secret"


class Socket:
    """A connection: what was sent, and what is answered."""

    def __init__(self, sent: bytes) -> None:
        self.sent, self.answered = sent, b""

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.sent)

    def sendall(self, data: bytes) -> None:
        self.answered += bytes(data)

    def settimeout(self, seconds: float) -> None:
        assert seconds == 60


class Page:
    """In place of what is shown."""

    page = "<p>→</p>"

    def __init__(self) -> None:
        self.done: list[Any] = []

    def show(self, path: str) -> None:
        self.done.append(("show", Path(path).name, Path(path).read_bytes()))

    def compute(self, path: str) -> None:
        self.done.append(("compute", path if path == "random" else Path(path).name))


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(server._Handler, "date_time_string", lambda self: "now")
    monkeypatch.setattr(server, "viewer", lambda: "<frame>")
    monkeypatch.setattr(server, "policy_of", lambda page: f"for {page}")
    with tempfile.TemporaryDirectory() as folder:
        yield SimpleNamespace(
            shown=Page(), hosts=(HOST, "localhost:7"), token=TOKEN, folder=SimpleNamespace(name=folder),
            over=threading.Event(),
        )  # fmt: skip


def asked(viewer: Any, line: str, body: bytes = b"", **headers: str) -> tuple[list[str], str]:
    """The head and the body of an answer."""
    named = {"Host": HOST, "Content-Length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    socket: Any = Socket(f"{line} HTTP/1.1\r\n{head}\r\n".encode() + body)
    server._Handler(socket, ("127.0.0.1", 9), SimpleNamespace(viewer=viewer))  # type: ignore[arg-type]
    first, _, rest = socket.answered.decode().partition("\r\n\r\n")
    return first.split("\r\n"), rest


def head(status: str, *fields: str) -> list[str]:
    common = ["Cache-Control: no-store", "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer"]
    return [f"HTTP/1.1 {status}", "Server: layerexplain ", "Date: now", *common, *fields]


HTML = "Content-Type: text/html; charset=utf-8"
DONE = (head("200 OK", "Content-Type: text/plain", "Content-Length: 0"), "")


def refused(status: str) -> tuple[list[str], str]:
    return head(status, "Content-Length: 0", "Connection: close"), ""


FRAME = (
    head("200 OK", HTML, "Content-Length: 7", "Content-Security-Policy: for <frame>; frame-ancestors 'none'"),
    "<frame>",
)
PAGE = (head("200 OK", HTML, "Content-Length: 10", "Content-Security-Policy: frame-ancestors 'self'"), "<p>→</p>")
ROWS: list[tuple[str, dict[str, str], tuple[list[str], str], list[Any]]] = [
    ("GET /secret/", {}, FRAME, []),
    ("GET /secret/?a=b", {"Host": "localhost:7"}, FRAME, []),
    ("GET /secret/page", {}, PAGE, []),
    ("GET /secret/page", {"Host": "example.org"}, refused("403 Forbidden"), []),
    ("GET /secret", {}, refused("404 Not Found"), []),
    ("GET /other/page", {}, refused("404 Not Found"), []),
    ("GET /secret/other", {}, refused("404 Not Found"), []),
    ("POST /secret/random", {"Origin": f"http://{HOST}"}, DONE, [("compute", "random")]),
    ("POST /secret/random", {"Origin": "http://localhost:7"}, DONE, [("compute", "random")]),
    ("POST /secret/random", {}, refused("403 Forbidden"), []),
    ("POST /secret/random", {"Origin": f"https://{HOST}"}, refused("403 Forbidden"), []),
    ("POST /secret/other", {"Origin": f"http://{HOST}"}, refused("404 Not Found"), []),
    ("POST /secret/model?name=a/m.h5", {"Origin": f"http://{HOST}"}, DONE, [("show", "m.h5", b"12345")]),
    ("POST /secret/model", {"Origin": f"http://{HOST}"}, DONE, [("show", "model", b"12345")]),
    ("POST /secret/values?name=a.npy", {"Origin": f"http://{HOST}"}, DONE, [("compute", "a.npy")]),
    ("POST /secret/model", {"Origin": f"http://{HOST}", "Content_Length": "x"}, refused("413 Request Entity Too Large"), []),
    ("POST /secret/model", {"Origin": f"http://{HOST}", "Content_Length": "10"}, refused("413 Request Entity Too Large"), []),
    ("POST /secret/model", {"Origin": f"http://{HOST}", "Content_Length": "9"}, ([""], ""), []),  # it went away
]  # fmt: skip
NAMES = [
    ("", "model"), ("...", "model"), ("..h5", "h5"), (r"C:\\a b\\m.keras", "m.keras"), ("a/b c/é:d.py", "é_d.py"),
    ("x" * 100, "x" * 100), ("y" + "x" * 100, "x" * 100),
]  # fmt: skip


@pytest.mark.parametrize(("line", "headers", "answer", "done"), ROWS)
def test_a_whole_answer_has_its_status_headers_type_length_and_policy(
    viewer: Any, line: str, headers: dict[str, str], answer: tuple[list[str], str], done: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(server, "MOST_BYTES", 9)
    monkeypatch.setattr(server, "_PIECE", 2)
    status, body = asked(viewer, line, b"12345" if line.startswith("POST") and "random" not in line else b"", **headers)
    expected = answer[0] if "413" not in answer[0][0] else [status[0], *answer[0][1:]]
    assert (status, body) == (expected, answer[1]) and (status[0][:12] == answer[0][0][:12])
    assert viewer.shown.done == done


@pytest.mark.parametrize(("sent", "kept"), NAMES)
def test_a_file_that_is_sent_has_a_harmless_name(sent: str, kept: str) -> None:
    assert server.harmless(sent) == kept


@pytest.mark.parametrize(("size", "status"), [(536_870_912, ""), (536_870_913, "HTTP/1.1 413")])
def test_a_file_may_have_half_a_gigabyte(viewer: Any, size: int, status: str) -> None:
    answer, _ = asked(viewer, "POST /secret/model", b"12345", Origin=f"http://{HOST}", Content_Length=str(size))
    assert answer[0][:12] == status and viewer.shown.done == []


# The server ---------------------------------------------------------------------------------------------------------


SAID = [
    (LayerExplainError("\x1bno such thing"), "layerexplain: error: \\x1bno such thing\n"),
    (ConnectionResetError("gone"), ""),
    (KeyboardInterrupt(), ""),
]


@pytest.mark.parametrize(("error", "said"), SAID, ids=lambda one: type(one).__name__)
def test_of_a_client_that_goes_away_nothing_is_said(error: BaseException, said: str, capsys: Any) -> None:
    try:
        raise error
    except BaseException:
        server._Server.handle_error(None, None, None)  # type: ignore[arg-type]
    assert capsys.readouterr().err == said


# What is shown ------------------------------------------------------------------------------------------------------
