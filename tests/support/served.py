"""A real HTTP server on the loopback interface that serves files of a folder, and misbehaves where a path asks for it.

`/NAME` is a file, with ranges. `/HOW/NAME` is the same file from a server that behaves as `HOW` says: the methods of
`Handler` that begin with `as_`. Every request is counted, and every byte of a body.
"""

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote


class Asked(NamedTuple):
    """A request: its method, path and range."""

    method: str
    path: str
    range: str | None


class Server(ThreadingHTTPServer):
    """The server, and what it was asked and has sent."""

    daemon_threads = True

    def __init__(self, root: Path, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Handler)
        self.root = root
        self.host = host
        self.asked: list[Asked] = []
        self.sent = 0
        self.elsewhere = ""
        self.login = ""
        self.etag = '"1"'
        self.stopped = threading.Event()

    def url(self, path: str) -> str:
        """The URL of a path."""
        return f"http://{self.host}:{self.server_address[1]}/{path}"

    def count(self, path: str = "") -> int:
        """How many requests asked for a path."""
        return sum(path in one.path for one in self.asked)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is none of ours."""


@contextmanager
def serving(root: Path, host: str = "127.0.0.1") -> Iterator[Server]:
    """A server of a folder, for as long as the `with`."""
    server = Server(root, host)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(Asked(self.command, self.path, asked))
        self.answer_as(self.path.lstrip("/"))

    def answer_as(self, path: str) -> None:
        how, _, name = path.partition("/")
        named = getattr(self, f"as_{how}", None)
        if named is not None:
            named(name)
        else:
            self.as_usual(path)

    # Answers ----------------------------------------------------------------------------------------------------

    def as_usual(self, name: str, etag: str | None = None, ranges: bool = True) -> None:
        file = self.server.root / name
        if name.endswith("/") or file.is_dir():
            return self.as_index(name)
        if not file.is_file():
            return self.as_status("404")
        size = file.stat().st_size
        start, end = self.wanted(size) if ranges else (0, size)
        self.head(206 if ranges and self.headers.get("Range") else 200, end - start, {
            "ETag": etag or self.server.etag,
            **({"Accept-Ranges": "bytes", "Content-Range": f"bytes {start}-{end - 1}/{size}"} if ranges else {}),
        })  # fmt: skip
        self.body(file, start, end)

    def as_index(self, name: str) -> None:
        folder = self.server.root / name.rstrip("/")
        if not folder.is_dir():
            return self.as_status("404")
        names = [one.name + ("/" if one.is_dir() else "") for one in folder.iterdir()]
        strange = ["http://elsewhere.example/m.keras", "../up.keras", "/root.keras", "?C=N;O=D"]
        page = "".join(f'<a href="{one}">{one}</a>\n' for one in [*names, *strange]).encode()
        self.head(200, len(page), {"Content-Type": "text/html"})
        self.write(page)

    def as_unlisted(self, name: str) -> None:
        """Files alone: no page lists a folder."""
        self.as_status("404") if (self.server.root / name).is_dir() else self.as_usual(name)

    def as_whole(self, name: str) -> None:
        """No ranges: whoever asks for one gets everything."""
        self.as_usual(name, ranges=False)

    def as_unsized(self, name: str) -> None:
        """No ranges, and no word of how long the file is."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "GET":
            self.write((self.server.root / name).read_bytes())
        self.close_connection = True

    def as_broken(self, name: str) -> None:
        """Breaks off in the middle of each body."""
        file = self.server.root / name
        start, end = self.wanted(file.stat().st_size)
        self.head(206, end - start, {"Content-Range": f"bytes {start}-{end - 1}/{file.stat().st_size}"})
        self.body(file, start, start + (end - start) // 2)
        self.close_connection = True

    def as_twice(self, name: str) -> None:
        """Breaks off, or fails, but at every third try."""
        count = sum(one[1:] == (self.path, self.headers.get("Range")) for one in self.server.asked)
        if count % 3 == 0 or self.command == "HEAD":
            self.as_usual(name)
        elif count % 3 == 1:
            self.as_broken(name)
        else:
            self.as_status("503")

    def as_stalled(self, name: str) -> None:
        """Says nothing to whoever asks for bytes."""
        if self.command == "HEAD":
            return self.as_usual(name)
        self.server.stopped.wait()
        self.close_connection = True

    def as_longer(self, name: str) -> None:
        """States twice the length that the file has."""
        size = 2 * (self.server.root / name).stat().st_size
        if self.command == "HEAD":
            return self.head(200, size, {"Accept-Ranges": "bytes"})
        real = size // 2
        start, end = self.wanted(size)
        end = min(end, real)
        if start >= real:
            return self.as_status("416")
        self.head(206, end - start, {"Content-Range": f"bytes {start}-{end - 1}/{size}"})
        return self.body(self.server.root / name, start, end)

    def as_more(self, name: str) -> None:
        """Sends more than was asked for, without an end."""
        if self.command == "HEAD":
            return self.as_usual(name)
        size = (self.server.root / name).stat().st_size
        start, end = self.wanted(size)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        piece = b"10000\r\n" + bytes(65536) + b"\r\n"
        for _ in range(4000):
            self.write(piece)
        self.close_connection = True
        return None

    def as_other(self, name: str) -> None:
        """Sends another range than was asked for."""
        size = (self.server.root / name).stat().st_size
        start, end = self.wanted(size)
        if self.command == "HEAD":
            return self.as_usual(name)
        self.head(206, end - start, {"Content-Range": f"bytes {start + 1}-{end}/{size + 1}"})
        return self.write(bytes(end - start))

    def as_packed(self, name: str) -> None:
        """Compresses, though it was asked not to."""
        self.head(200, 5, {"Content-Encoding": "gzip"})
        self.write(b"12345")

    def as_changing(self, name: str) -> None:
        """Another file at each request."""
        self.as_usual(name, etag=f'"{len(self.server.asked)}"')

    def as_status(self, name: str) -> None:
        self.head(int(name.partition("/")[0]), 0, {"Retry-After": "0"})

    def as_to(self, name: str) -> None:
        """Redirects to `elsewhere`, or to the URL behind it."""
        self.head(302, 0, {"Location": self.server.elsewhere or f"/{name}"})

    def as_signed(self, name: str) -> None:
        """Lets in only whose query ends in the login."""
        path, _, query = name.partition("?")
        if unquote(query).endswith(f"={self.server.login}"):
            self.answer_as(path)
        else:
            self.as_status("403")

    def as_locked(self, name: str) -> None:
        """Only for who gives user and password."""
        sent = base64.b64encode(self.server.login.encode()).decode()
        if self.headers.get("Authorization") != f"Basic {sent}":
            return self.as_status("401")
        return self.answer_as(name)

    def as_circle(self, name: str) -> None:
        self.head(302, 0, {"Location": self.path})

    # Parts ------------------------------------------------------------------------------------------------------

    def wanted(self, size: int) -> tuple[int, int]:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        return (int(found[1]), min(int(found[2]) + 1, size)) if found is not None else (0, size)

    def head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def body(self, file: Path, start: int, end: int) -> None:
        if self.command == "HEAD":
            return
        with file.open("rb") as opened:
            opened.seek(start)
            while start < end and (piece := opened.read(min(end - start, 1 << 18))):
                self.write(piece)
                start += len(piece)

    def write(self, data: bytes) -> None:
        if self.command != "HEAD":
            self.wfile.write(data)
            self.server.sent += len(data)
