"""The server of a viewer, for browsers of this machine that know its address, and the last page that it could make."""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from layerexplain.errors import lines_of
from layerexplain.records import NamedTuple
from layerexplain.render.escape import clean
from layerexplain.render.page.shell import policy_of, viewer

# Last page ----------------------------------------------------------------------------------------------------------

Make = Callable[[str, "str | None"], str]
"""A page of a source; with a second path, or "random", also what the model computes for that input."""

_MOST_FILES = 2_000
"""Beside code, modules of its folder count: so many are looked at."""


class State(NamedTuple):
    """What a browser needs to know: `version` grows with each change; `faults` are the lines of what is at fault. Where
    `of_values` says that the values are at fault, the model is shown without them."""

    version: int
    name: str
    has_page: bool
    faults: tuple[str, ...]
    of_values: bool = False


class Shown:
    """A page and its source.

    Args:
        make: Makes the page.
        source: The path of the source; None until one is given.
        values: The input whose values the page shows: a path, "random", or None.
        beside: Files and folders that say what custom layers compute; a change of them counts, too.
    """

    def __init__(self, make: Make, source: str | None, values: str | None = None, beside: Sequence[str] = ()) -> None:
        self._make = make
        self._source = source
        self._values = values
        self._beside = tuple(beside)
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._marks: object = None
        self._sent: set[str] = set()
        self.page = ""
        self.state = State(0, "" if source is None else os.path.basename(source), False, ())
        self.again()

    def show(self, source: str) -> None:
        """Show another source. Its input is forgotten."""
        with self._lock:
            self._source, self._values, self._marks = source, None, None
            self._sent.add(source)
            self.page = ""
        self.again()

    def compute(self, values: str | None) -> None:
        """Show what the model computes for an input: a path, "random", or None for no values."""
        with self._lock:
            self._values, self._marks = values, None
            if values is not None:
                self._sent.add(values)
        self.again()

    def again(self) -> bool:
        """Make the page anew if a file has changed; a page that cannot be made leaves the last one. Returns whether it
        did anything."""
        with self._lock:
            source, values = self._source, self._values
            if source is None:
                return False
            marks = (source, values, *_marks([source, *([] if values in (None, "random") else [str(values)])]))
            marks += tuple(_marks(self._beside))
            if marks == self._marks:
                return False
            self._marks = marks
            faults = self._faults(source, values)
            of_values = bool(faults) and values is not None
            if of_values:
                without = self._faults(source, None)
                faults, of_values = without or faults, not without
            name = os.path.basename(os.path.abspath(source))
            state = State(self.state.version + 1, name, bool(self.page), faults, of_values)
        with self._changed:
            self.state = state
            self._changed.notify_all()
        return True

    def _faults(self, source: str, values: str | None) -> tuple[str, ...]:
        """Make the page; what is at fault if it cannot be made. Files that were sent are called by their names."""
        try:
            self.page = self._make(source, values)
        # The boundary of one state of a file, which somebody may be in the middle of writing.
        except Exception as error:
            lines = lines_of(error, source)
            for path in self._sent:
                lines = [line.replace(path, os.path.basename(path)) for line in lines]
            return tuple(lines)
        return ()

    def newer(self, version: int, seconds: float) -> State | None:
        """Wait for a state after `version`; None if none comes within so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.state.version > version, seconds)
            return self.state if self.state.version > version else None


def _marks(paths: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield what tells that a file has changed: its time and size, also those of the code beside it that it may
    import."""
    for path in paths:
        given = Path(path.partition(":")[0] if ".py:" in path else path)
        results = [given]
        if given.suffix == ".py":
            results = sorted(given.parent.glob("*.py"))[:_MOST_FILES]
        elif given.is_dir():
            results = sorted(given.rglob("*"))[:_MOST_FILES]
        for item in results:
            try:
                is_at = item.stat()
            except OSError:
                continue
            yield str(item), is_at.st_mtime_ns, is_at.st_size


# Server -------------------------------------------------------------------------------------------------------------
# The server of a viewer: for browsers of this machine that know its address, and for nobody else.

MOST_BYTES = 1 << 29
"""So large a file may be dropped on the page; a larger one is given by its path."""

_QUIET = 10.0
"""Seconds without news after which a browser is told that the server is still there."""

_LOOKS = 0.2
"""Seconds between two looks at the files."""

_PIECE = 1 << 20


class Viewer:
    """A server that shows a page until it is closed.

    >>> with Viewer(Shown(lambda source, values: "", None)) as made:
    ...     made.address.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.token = secrets.token_urlsafe(18)
        self.folder = tempfile.TemporaryDirectory(prefix="layerexplain-")
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.viewer = self
        port = self._server.server_address[1]
        self.hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self.address = f"http://{self.hosts[0]}/{self.token}/"
        self._threads = [
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True),
            threading.Thread(target=self._look, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _look(self) -> None:
        while not self.over.wait(_LOOKS):
            self.shown.again()

    def close(self) -> None:
        """End the server, and remove the files that were dropped on its page."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()
        self.folder.cleanup()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    viewer: Viewer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that goes away, and one line of anything else."""
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, OSError):
            sys.stderr.writelines([f"layerexplain: error: {clean(line)}\n" for line in lines_of(error)])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "layerexplain"
    sys_version = ""
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        what = self._asked()
        viewer_, shown = self._viewer, self._viewer.shown
        if what is None:
            return
        if what == "":
            page = viewer()
            self._send(page, "text/html; charset=utf-8", policy_of(page) + "; frame-ancestors 'none'")
        elif what == "page" and shown.page:
            self._send(shown.page, "text/html; charset=utf-8", "frame-ancestors 'self'")
        elif what == "events":
            self._tell_news(viewer_)
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        what = self._asked()
        if what is None:
            return
        if self.headers.get("Origin") not in [f"http://{host}" for host in self._viewer.hosts]:
            self._refuse(HTTPStatus.FORBIDDEN)
        elif what == "random":
            self._viewer.shown.compute("random")
            self._send("", "text/plain", "")
        elif what in ("model", "values"):
            path = self._taken()
            if path is not None:
                (self._viewer.shown.show if what == "model" else self._viewer.shown.compute)(path)
                self._send("", "text/plain", "")
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    @property
    def _viewer(self) -> Viewer:
        return self.server.viewer

    def _asked(self) -> str | None:
        """Return what is asked for, below the token; None where the request was refused."""
        if self.headers.get("Host") not in self._viewer.hosts:
            self._refuse(HTTPStatus.FORBIDDEN)
            return None
        token, slash, what = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(token.encode(), self._viewer.token.encode()):
            self._refuse(HTTPStatus.NOT_FOUND)
            return None
        return what

    def _taken(self) -> str | None:
        """Return the file that was sent, in a folder of the server's own; None where it was refused."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return None
        sent = parse_qs(self.path.partition("?")[2]).get("name", [""])[0]
        path = os.path.join(tempfile.mkdtemp(dir=self._viewer.folder.name), harmless(sent))
        left = int(length)
        with open(path, "wb") as file:
            while left:
                piece = self.rfile.read(min(left, _PIECE))
                if not piece:
                    self.close_connection = True
                    return None
                file.write(piece)
                left -= len(piece)
        return path

    def _tell_news(self, viewer_: Viewer) -> None:
        """Send the states as they come, as server-sent events, until the browser goes away."""
        self.send_response(HTTPStatus.OK)
        self._head({"Content-Type": "text/event-stream", "Connection": "close"})
        self.close_connection = True
        version = -1
        try:
            while not viewer_.over.is_set():
                state = viewer_.shown.newer(version, 0.5 if version < 0 else _QUIET)
                if state is None:
                    self.wfile.write(b": still here\n\n")
                else:
                    version = state.version
                    self.wfile.write(f"data: {json.dumps(state._asdict())}\n\n".encode())
                self.wfile.flush()
        except OSError:
            return

    def _send(self, text: str, kind: str, policy: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(HTTPStatus.OK)
        headers = {"Content-Type": kind, "Content-Length": str(len(body))}
        self._head({**headers, "Content-Security-Policy": policy} if policy else headers)
        self.wfile.write(body)

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self._head({"Content-Length": "0", "Connection": "close"})
        self.close_connection = True

    def _head(self, fields: Mapping[str, str]) -> None:
        common = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
        for name, value in {**common, **fields}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is the user's."""


def harmless(name: str) -> str:
    """Return the name of a file without what could lead elsewhere; its ending stays.

    >>> harmless("../../etc/pass wd.keras")
    'pass_wd.keras'
    """
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^\w.-]", "_", last).lstrip(".")[-100:] or "model"
