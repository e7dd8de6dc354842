"""Answers of the viewer's server, whole, from a request in memory; and when a new page wakes those who wait for it."""

from __future__ import annotations

import io
import json
import socketserver
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.viewer import last_page, server
from layerexplain.viewer.last_page import Shown, State

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


def test_a_file_is_read_in_pieces_of_a_megabyte(viewer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Sent(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sizes.append(size or 0)
            return super().read(size)

    monkeypatch.setattr(Socket, "makefile", lambda self, *_: Sent(self.sent))
    assert asked(viewer, "POST /secret/values?name=a.npy", bytes((1 << 20) + 3), Origin=f"http://{HOST}") == DONE
    assert sizes == [1 << 20, 3]


def test_nothing_is_shown_before_there_is_a_page(viewer: Any) -> None:
    viewer.shown.page = ""
    assert asked(viewer, "GET /secret/page") == refused("404 Not Found")


def test_states_are_events_and_silence_is_a_comment(viewer: Any) -> None:
    states = [State(3, "m", True, ()), None, State(7, "n", False, ("a",), True)]
    waited: list[tuple[int, float]] = []

    def newer(version: int, seconds: float) -> State | None:
        waited.append((version, seconds))
        if len(waited) == 3:
            viewer.over.set()
        return states[len(waited) - 1]

    viewer.shown.newer = newer
    status, body = asked(viewer, "GET /secret/events")
    assert status == head("200 OK", "Content-Type: text/event-stream", "Connection: close")
    first, silent, last, end = body.split("\n\n")
    assert (silent, end) == (": still here", "")
    assert json.loads(first.removeprefix("data: ")) == {"version": 3, "name": "m", "has_page": True, "faults": [], "of_values": False}  # fmt: skip
    assert json.loads(last.removeprefix("data: "))["version"] == 7
    assert waited == [(-1, 0.5), (3, 10.0), (3, 10.0)]


# The server ---------------------------------------------------------------------------------------------------------


class Threads:
    """In place of threads, which never run: what was asked of them."""

    def __init__(self, done: list[Any]) -> None:
        self.done = done

    def __call__(self, target: Any, kwargs: Any = None, daemon: bool = False) -> Any:
        name = target.__name__
        self.done.append((name, kwargs, daemon))
        return SimpleNamespace(
            start=lambda: self.done.append(f"start {name}"), join=lambda: self.done.append(f"join {name}")
        )


def test_the_server_answers_and_looks_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.setattr(server.threading, "Thread", Threads(done))
    for name in ("shutdown", "server_close"):
        monkeypatch.setattr(server._Server, name, lambda self, name=name: done.append(name))
    folder = SimpleNamespace(name="", cleanup=lambda: done.append("cleanup"))
    monkeypatch.setattr(server.tempfile, "TemporaryDirectory", lambda prefix: done.append(prefix) or folder)  # type: ignore[func-returns-value]
    shown: Any = SimpleNamespace(again=lambda: done.append("again"))
    with server.Viewer(shown) as viewer:
        # Threads that serve do not keep a process alive that ends without closing; a close takes a tenth of a second.
        assert done == [
            "layerexplain-",
            ("serve_forever", {"poll_interval": 0.1}, True),
            ("_look", None, True),
            "start serve_forever",
            "start _look",
        ]
        assert viewer._server.daemon_threads and viewer._server.viewer is viewer and viewer.shown is shown
        done.clear()
        waits = iter([False, False, True])
        looked: list[float] = []
        real, viewer.over = viewer.over, SimpleNamespace(wait=lambda seconds: looked.append(seconds) or next(waits))  # type: ignore[assignment,func-returns-value]
        viewer._look()
        assert done == ["again", "again"] and looked == [0.2] * 3
        viewer.over = real
        done.clear()
    assert done == ["shutdown", "server_close", "join serve_forever", "join _look", "cleanup"] and real.is_set()
    socketserver.TCPServer.server_close(viewer._server)


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


def test_a_new_page_wakes_those_who_wait(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("a")
    shown = Shown(lambda source, values: Path(source).read_text(), str(tmp_path / "m.yaml"))
    assert shown.state == State(1, "m.yaml", True, ()) and shown.page == "a"
    assert not shown.again() and shown.newer(1, 0) is None and shown.newer(0, 0) == shown.state
    found: list[State | None] = []
    waiting = threading.Thread(target=lambda: found.append(shown.newer(1, 60)))
    waiting.start()
    (tmp_path / "m.yaml").write_text("bc")
    assert shown.again()
    waiting.join(timeout=10)
    assert found == [State(2, "m.yaml", True, ())] and shown.page == "bc"


FAULTS = [
    # What is wrong with the source, and with the values; what is said, and whether the values are at fault.
    ("", "", (), False),
    ("bad", "", ("m.yaml: bad",), False),
    ("", "odd", ("v.npy: odd",), True),
    ("bad", "odd", ("m.yaml: bad",), False),
]


@pytest.mark.parametrize(("wrong", "odd", "faults", "of_values"), FAULTS)
def test_values_at_fault_leave_the_page_without_them(
    wrong: str, odd: str, faults: tuple[str, ...], of_values: bool, tmp_path: Path
) -> None:
    source, values = str(tmp_path / "m.yaml"), str(tmp_path / "v.npy")

    def make(source: str, values: str | None) -> str:
        if values is not None and odd:
            raise fault_of(values, odd)
        if wrong:
            raise fault_of(source, wrong)
        return f"page of {Path(source).name} with {values and Path(values).name}"

    shown = Shown(make, None)
    assert shown.state == State(0, "", False, ()) and not shown.again()
    shown.show(source)
    shown.compute(values)
    assert shown.state == State(2, "m.yaml", not wrong, faults, of_values)
    assert shown.page == ("" if wrong else f"page of m.yaml with {None if odd else 'v.npy'}")
    shown.compute(None)
    assert shown.state[3:] == (("m.yaml: bad",) if wrong else (), False)


def fault_of(path: str, words: str) -> Exception:
    return LayerExplainError(words, source=path)


def test_code_beside_and_folders_count_up_to_a_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.py", "b.py", "c.txt", "in/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    def names(*paths: str) -> list[str]:
        return [Path(path).name for path, _, size in last_page._marks([str(tmp_path / one) for one in paths]) if size]

    assert names("a.py") == ["a.py", "b.py"] == names("b.py:build(3)")
    assert names("c.txt", "nowhere") == ["c.txt"]
    assert set(names("in")) == {"d.txt"}
    monkeypatch.setattr(last_page, "_MOST_FILES", 1)
    assert names("a.py") == ["a.py"]


def test_two_thousand_files_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = [tmp_path / f"{number}.py" for number in range(2_001)]
    every[0].write_text("x")
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [every[0]] * 2_001)
    assert len([*last_page._marks([str(every[0])])]) == 2_000


def test_a_file_named_random_is_no_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the input "random" no file is looked at; one that is given is."""
    monkeypatch.chdir(tmp_path)
    for name in ("m.yaml", "random", "x.npy"):
        Path(name).write_text("a")
    for values, is_looked_at in (("random", False), ("x.npy", True)):
        shown = Shown(lambda source, values: f"{source} {values}", "m.yaml", values)
        assert shown.page == f"m.yaml {values}" and shown.again() is False
        Path(values).write_text("abc")
        assert shown.again() is is_looked_at
