"""A client of the language server, which speaks the protocol over pipes and knows positions in UTF-16 alone.

The server runs on a thread of this process; tests/editor/test_lsp_command.py starts the program.
"""

import json
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

EVERYWHERE = {"start": {"line": 0, "character": 0}, "end": {"line": 10**6, "character": 0}}
WITH_REFRESH = {"workspace": {"inlayHint": {"refreshSupport": True}, "codeLens": {"refreshSupport": True}}}


def units(text: str) -> int:
    """How many units of UTF-16 a text has."""
    return len(text.encode("utf-16-le")) // 2


class Client:
    """An editor. `texts` are those that it has open, by their addresses."""

    def __init__(self, answers: IO[bytes], requests: IO[bytes]) -> None:
        self.answers, self.requests = answers, requests
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.asked: list[str] = []
        self.logged: list[str] = []
        self.diagnostics: dict[str, dict[str, Any]] = {}
        self.initialized: dict[str, Any] = {}
        self._number = 0
        self._came: queue.Queue[dict[str, Any]] = queue.Queue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        stream = self.answers
        while header := stream.readline():
            length = int(header.split(b":")[1]) if header.lower().startswith(b"content-length") else None
            while stream.readline().strip():
                pass
            assert length is not None
            self._came.put(json.loads(stream.read(length)))
        self._came.put({"method": "(end)"})

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.requests.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.requests.flush()

    def _next(self) -> dict[str, Any]:
        """The next message, kept by what it is; requests of the server are answered."""
        message = self._came.get(timeout=60)
        method, params = message.get("method"), message.get("params", {})
        assert method != "(end)", "the server has ended"
        if method == "textDocument/publishDiagnostics":
            self.diagnostics[params["uri"]] = params
        elif method == "window/logMessage":
            self.logged.append(params["message"])
        elif method is not None and "id" in message:
            self.asked.append(method)
            done = {"success": True} if method == "window/showDocument" else None
            self._send({"id": message["id"], "result": done})
        return message

    def notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, params: Any) -> Any:
        """What the server answers."""
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    # Texts ----------------------------------------------------------------------------------------------------------

    def open(self, uri: str, text: str, language: str = "python") -> None:
        self.texts[uri], self.versions[uri] = text, self.versions.get(uri, 0) + 1
        item = {"uri": uri, "languageId": language, "version": self.versions[uri], "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def close(self, uri: str) -> None:
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def position(self, uri: str, offset: int) -> dict[str, int]:
        before = self.texts[uri][:offset]
        line = before.count("\n")
        return {"line": line, "character": units(before.rpartition("\n")[2])}

    def edit(self, uri: str, old: str, new: str) -> None:
        """Replace a part of a text, which stands in it once, as an editor does: with an incremental change."""
        text = self.texts[uri]
        assert text.count(old) == 1, (old, text.count(old))
        at = text.index(old)
        span = {"start": self.position(uri, at), "end": self.position(uri, at + len(old))}
        self._change(uri, text.replace(old, new), [{"range": span, "text": new}])

    def replace(self, uri: str, text: str) -> None:
        """Send the whole text."""
        self._change(uri, text, [{"text": text}])

    def _change(self, uri: str, text: str, changes: list[dict[str, Any]]) -> None:
        self.texts[uri] = text
        self.versions[uri] += 1
        document = {"uri": uri, "version": self.versions[uri]}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})

    # What is shown --------------------------------------------------------------------------------------------------

    def of(self, method: str, uri: str, **more: Any) -> Any:
        return self.request(f"textDocument/{method}", {"textDocument": {"uri": uri}, **more})

    def hints(self, uri: str) -> dict[str, str]:
        """Line (without its indentation) → the hint at its end."""
        lines = self.texts[uri].split("\n")
        found = {}
        for one in self.of("inlayHint", uri, range=EVERYWHERE) or []:
            line = lines[one["position"]["line"]]
            assert one["position"]["character"] == units(line.rstrip()), one
            found[line.strip()] = one["label"]
        return found

    def problems(self, uri: str) -> list[tuple[int, str, str]]:
        """Severity, rule, and the underlined text of each problem, after the newest text is checked."""
        self.of("codeAction", uri, range=EVERYWHERE, context={"diagnostics": []})
        return [(d["severity"], d.get("code", ""), self.part(uri, d["range"])) for d in self.published(uri)]

    def published(self, uri: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.diagnostics.get(uri, {}).get("diagnostics", [])
        return found

    def part(self, uri: str, span: Mapping[str, Any]) -> str:
        return self.texts[uri][self._offset(uri, span["start"]) : self._offset(uri, span["end"])]

    def _offset(self, uri: str, position: Mapping[str, int]) -> int:
        lines = self.texts[uri].split("\n")
        line = lines[position["line"]].encode("utf-16-le")[: 2 * position["character"]].decode("utf-16-le")
        return sum(len(one) + 1 for one in lines[: position["line"]]) + len(line)

    def hover(self, uri: str, at: str, into: int = 0) -> str | None:
        """What is shown over a part of a text, so many characters into it."""
        offset = self.texts[uri].index(at) + into
        found = self.of("hover", uri, position=self.position(uri, offset))
        return None if found is None else found["contents"]["value"]

    def actions(self, uri: str, at: str) -> dict[str, str]:
        """Title → the text after the change, for each quick fix at a part of a text."""
        start = self.position(uri, self.texts[uri].index(at))
        found = {}
        for one in self.of("codeAction", uri, range={"start": start, "end": start}, context={"diagnostics": []}) or []:
            text = self.texts[uri]
            changes = one["edit"]["changes"][uri]
            for change in sorted(changes, key=lambda c: self._offset(uri, c["range"]["start"]), reverse=True):
                first, last = (self._offset(uri, change["range"][end]) for end in ("start", "end"))
                text = text[:first] + change["newText"] + text[last:]
            found[one["title"]] = text
        return found

    def lenses(self, uri: str) -> list[tuple[str, str]]:
        """The line above which each lens stands, and its words."""
        lines = self.texts[uri].split("\n")
        return [(lines[one["range"]["start"]["line"]], one["command"]["title"]) for one in self.of("codeLens", uri)]


@contextmanager
def language_server(capabilities: Mapping[str, Any] = WITH_REFRESH, options: Any = None) -> Iterator[Client]:
    """A server that was initialized; it ends as the protocol says."""
    from layerexplain.editor.server import make_server

    (server_reads, client_writes), (client_reads, server_writes) = os.pipe(), os.pipe()
    streams = os.fdopen(server_reads, "rb"), os.fdopen(server_writes, "wb")
    serving = threading.Thread(target=make_server().start_io, args=streams, daemon=True)
    serving.start()
    client = Client(os.fdopen(client_reads, "rb"), os.fdopen(client_writes, "wb"))
    try:
        params = {"processId": None, "rootUri": None, "capabilities": capabilities, "initializationOptions": options}
        client.initialized = client.request("initialize", params)
        client.notify("initialized", {})
        yield client
        assert client.request("shutdown", None) is None
        client.notify("exit", None)
        serving.join(timeout=60)
        assert not serving.is_alive()
    finally:
        client.requests.close()  # a server that still runs ends then
        serving.join(timeout=60)
        for stream in streams:
            stream.close()
        client.listener.join(timeout=60)
        client.answers.close()
