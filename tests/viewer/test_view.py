"""`layerexplain view`: whom its server answers, what follows a file, and the frame around the page in a real browser."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import layerexplain
from layerexplain.errors import SpecError
from layerexplain.viewer.server import MOST_BYTES, Shown, State, Viewer
from tests.support import browser
from tests.support.browser import MOST_WAIT
from tests.support.commands import invoke

SPEC = "input: [5]\nlayers:\n  - Dense: {units: 3, name: first}\n  - Dense: {units: 2, name: second}\n"
BROKEN = SPEC.replace("Dense", "Dens", 1)


def made(source: str, values: str | None) -> str:
    """Stands for a page: what it was made of."""
    text = Path(source).read_text("utf-8")
    if "Dens:" in text:
        raise SpecError("unknown layer type 'Dens'", line=3)
    return f"{text}|{values}"


class Unserved:
    """Stands for the server: it ends as soon as it is waited for."""

    address = "http://127.0.0.1:1/"

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.over = self

    def __enter__(self) -> Unserved:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def wait(self) -> None:
        raise KeyboardInterrupt


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC, "utf-8")
    return path


@pytest.fixture
def viewer(spec: Path) -> Iterator[Viewer]:
    with Viewer(Shown(made, str(spec))) as opened:
        yield opened


def ask(viewer: Viewer, method: str, what: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    """Send a request as the viewer's own page does, but for the headers given."""
    host = viewer.hosts[0]
    connection = http.client.HTTPConnection(host, timeout=120)
    try:
        sent = {"Host": host, "Origin": f"http://{host}", **headers}
        connection.request(method, what, body=body, headers=sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/{token}/", {}, 200),
        ("GET", "/{token}/page", {}, 200),
        ("GET", "/{token}/page", {"Host": "localhost:{port}"}, 200),
        ("GET", "/{token}/page", {"Host": "layerexplain.example:{port}"}, 403),
        ("GET", "/{token}/page", {"Host": "127.0.0.1"}, 403),
        ("GET", "/", {}, 404),
        ("GET", "/{token}", {}, 404),
        ("GET", "/{token}x/page", {}, 404),
        ("GET", "/guessed/page", {}, 404),
        ("GET", "/{token}/../../etc/passwd", {}, 404),
        ("GET", "/{token}/spec.yaml", {}, 404),
        ("POST", "/{token}/random", {"Origin": "http://127.0.0.1:1"}, 403),
        ("POST", "/{token}/random", {"Origin": "null"}, 403),
        ("POST", "/guessed/random", {}, 404),
        ("POST", "/{token}/page", {}, 404),
        ("POST", "/{token}/model", {"Content-Length": str(MOST_BYTES + 1)}, 413),
        ("POST", "/{token}/model", {"Content-Length": "-1"}, 413),
    ],
)  # fmt: skip
def test_whom_it_answers(viewer: Viewer, method: str, path: str, headers: dict[str, str], status: int) -> None:
    port = viewer.hosts[0].partition(":")[2]
    told = {name: value.format(port=port) for name, value in headers.items()}
    found, text = ask(viewer, method, path.format(token=viewer.token), **told)
    assert found == status
    assert bool(text) == (status == 200)


def test_a_client_that_goes_away_is_not_told_of(viewer: Viewer, capfd: pytest.CaptureFixture[str]) -> None:
    address = (viewer.hosts[0].partition(":")[0], viewer._server.server_address[1])
    heads = [
        f"GET /{viewer.token}/page HTTP/1.1",
        f"GET /{viewer.token}/events HTTP/1.1",
        f"POST /{viewer.token}/model?name=m.yaml HTTP/1.1",
        "GET //[ HTTP/1.1",
        "GET /",
    ]
    for head in heads:
        for _ in range(3):
            with socket.create_connection(address, timeout=120) as client:
                # The kernel answers what still comes with a reset.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                lines = [
                    head,
                    f"Host: {viewer.hosts[0]}",
                    f"Origin: http://{viewer.hosts[0]}",
                    "Content-Length: 9999999",
                ]
                client.sendall("\r\n".join([*lines, "", ""]).encode() if " HTTP" in head else head.encode())
    assert ask(viewer, "GET", f"/{viewer.token}/page")[0] == 200
    assert ask(viewer, "GET", "//[")[0] == 404
    viewer.close()
    assert capfd.readouterr().err == ""


def test_it_listens_on_this_machine_alone_under_a_new_address_each_time(spec: Path) -> None:
    with Viewer(Shown(made, None)) as one, Viewer(Shown(made, None)) as other:
        assert one.token != other.token
        assert one.address == f"http://{one.hosts[0]}/{one.token}/"
        assert one.hosts[0].startswith("127.0.0.1:")
        assert len(one.token) == 24  # 18 bytes
        assert ask(one, "GET", f"/{one.token}/page")[0] == 404  # nothing is shown yet


def test_a_page_follows_its_file_and_the_last_good_one_stays(spec: Path) -> None:
    shown = Shown(made, str(spec))
    assert shown.state == State(1, "spec.yaml", True, ())
    assert not shown.again()
    spec.write_text(BROKEN, "utf-8")
    os.utime(spec, ns=(1, 1))
    assert shown.again()
    assert shown.state.faults == (f"{spec}:3: unknown layer type 'Dens'",)
    assert shown.page == f"{SPEC}|None"
    assert shown.state.has_page
    spec.write_text(SPEC.replace("3", "7"), "utf-8")
    assert shown.again()
    assert shown.state.faults == ()
    assert "units: 7" in shown.page
    assert shown.newer(shown.state.version, 0.01) is None
    assert shown.newer(0, 0.01) == shown.state


def test_values_that_do_not_fit_are_not_the_fault_of_the_source(spec: Path, tmp_path: Path) -> None:
    def picky(source: str, values: str | None) -> str:
        if values is not None:
            raise SpecError("holds an array of (3,)", source=values)
        return made(source, values)

    sent = tmp_path / "x.npy"
    shown = Shown(picky, str(spec))
    shown.compute(str(sent))
    assert shown.state[2:] == (True, ("x.npy: holds an array of (3,)",), True)
    assert shown.page == f"{SPEC}|None"
    spec.write_text(BROKEN, "utf-8")
    assert shown.again()
    assert shown.state.faults == (f"{spec}:3: unknown layer type 'Dens'",) and not shown.state.of_values


def test_code_beside_a_program_counts(tmp_path: Path) -> None:
    program, beside, own = tmp_path / "train.py", tmp_path / "blocks.py", tmp_path / "gates.yaml"
    for path in (program, beside, own):
        path.write_text("x = 1\n", "utf-8")
    shown = Shown(lambda source, values: source, f"{program}:build", beside=[str(own)])
    for path in (beside, own, program):
        path.write_text("x = 12\n", "utf-8")
        assert shown.again(), path
        assert not shown.again(), path


def test_files_that_are_sent_are_shown(viewer: Viewer) -> None:
    sent = ask(viewer, "POST", f"/{viewer.token}/model?name=..%2F..%2Fother+one.yaml", SPEC.replace("3", "9").encode())
    assert sent == (200, "")
    assert viewer.shown.state.name == "other_one.yaml"
    assert "units: 9" in ask(viewer, "GET", f"/{viewer.token}/page")[1]
    assert ask(viewer, "POST", f"/{viewer.token}/random")[0] == 200
    assert viewer.shown.page.endswith("|random")
    assert ask(viewer, "POST", f"/{viewer.token}/values?name=x.npy", b"123")[0] == 200
    kept = Path(viewer.shown.page.partition("|")[2])
    assert kept.read_bytes() == b"123"
    assert kept.parent.parent == Path(viewer.folder.name)
    assert ask(viewer, "POST", f"/{viewer.token}/model?name=x.yaml", BROKEN.encode())[0] == 200
    assert viewer.shown.state.faults
    assert not viewer.shown.state.has_page
    viewer.close()
    assert not kept.exists()


def test_states_are_told_as_they_come(viewer: Viewer, spec: Path) -> None:
    connection = http.client.HTTPConnection(viewer.hosts[0], timeout=120)
    connection.request("GET", f"/{viewer.token}/events", headers={"Host": viewer.hosts[0]})
    answer = connection.getresponse()
    assert answer.getheader("Content-Type") == "text/event-stream"
    first = json.loads(answer.readline().removeprefix(b"data: "))
    assert (first["version"], first["faults"]) == (1, [])
    answer.readline()
    spec.write_text(BROKEN + "#", "utf-8")
    second = json.loads(answer.readline().removeprefix(b"data: "))
    assert (second["version"], second["has_page"]) == (2, True)
    assert second["faults"] == [f"{spec}:3: unknown layer type 'Dens'"]
    connection.close()


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_the_command_says_its_address_and_ends_with_ctrl_c(spec: Path) -> None:
    command = [sys.executable, "-m", "layerexplain", "view", "--no-browser", str(spec)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = urlsplit(process.stdout.readline().strip())
            assert (address.scheme, address.hostname) == ("http", "127.0.0.1")
            origin = f"http://{address.netloc}"
            connection = http.client.HTTPConnection(address.netloc, timeout=120)
            connection.request("GET", f"{address.path}page")
            assert source_of(connection.getresponse().read().decode()) == spec.name
            connection.request("POST", f"{address.path}model?name=mine.yaml", SPEC, {"Origin": origin})
            connection.getresponse().read()
            connection.request("GET", f"{address.path}page")
            assert source_of(connection.getresponse().read().decode()) == "mine.yaml"
            connection.close()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=600)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in said


def source_of(page: str) -> str:
    """Which file a page says that its model is from: a dropped one is called by its name alone."""
    data = page.partition('id="data">')[2].partition("<")[0]
    return str(json.loads(zlib.decompress(base64.b64decode(data)))["model"]["source"])


def real(source: str, values: str | None) -> str:
    model = layerexplain.read(source)
    given = {} if values is None else {"values": layerexplain.api.make_inputs(model, [values])}
    return layerexplain.page(source, **given)


@pytest.mark.parametrize(
    ("options", "opened"), [(["--gradient"], [Unserved.address]), (["--no-browser"], [])], ids=lambda one: str(one)
)
def test_what_the_command_makes_and_opens(
    options: list[str], opened: list[str], spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    addresses: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("layerexplain.viewer.server.Viewer", Unserved)
    monkeypatch.setattr("webbrowser.open", addresses.append)

    def page(source: str, **given: Any) -> str:
        asked.append(given)
        return ""

    monkeypatch.setattr("layerexplain.api.page", page)
    result = invoke("view", spec, "--no-fold", *options)
    assert result.exit_code == 0, result.output
    assert [(one["gradient"], one["fold"]) for one in asked] == [("--gradient" in options, False)]
    assert addresses == opened


@pytest.fixture
def looked_at(spec: Path) -> Iterator[tuple[Any, list[str]]]:
    chromium = browser.browser()  # looked up here, since --quick replaces it
    with Viewer(Shown(real, str(spec))) as viewer:
        context = chromium.new_context()
        context.set_default_timeout(MOST_WAIT)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{viewer.address}#first")
        page.frame_locator("iframe").locator("body.ready").wait_for()
        yield page, said
        context.close()


def test_the_frame_in_a_browser(looked_at: tuple[Any, list[str]], spec: Path) -> None:
    page, said = looked_at
    inner: Callable[[str], Any] = page.frame_locator("iframe").locator
    assert inner("#pane h2").first.inner_text() == "first"
    inner("#pane").evaluate("() => layerexplain.view.chooseCall(2)")
    assert inner("#pane h2").first.inner_text() == "second"
    spec.write_text(BROKEN + "# <img src=x onerror=alert(1)>\n", "utf-8")
    page.locator(".told >> text=unknown layer type").wait_for()
    assert "3:" in page.inner_text(".told")
    assert inner("#pane h2").first.inner_text() == "second"
    spec.write_text(SPEC.replace("units: 2", "units: 11"), "utf-8")
    inner("#pane >> text=(None, 11)").first.wait_for()
    assert inner("#pane h2").first.inner_text() == "second"
    assert page.locator(".told:visible").count() == 0
    page.click("text=Random input")
    page.wait_for_function("() => document.querySelector('iframe').src.includes('page?4')")
    inner("body.ready").wait_for()
    page.set_input_files("input[type=file]", files=[{"name": "no.npy", "mimeType": "", "buffer": b"no array"}])
    page.locator(".told >> text=These values do not fit").wait_for()
    assert page.inner_text(".told p").startswith("no.npy: ")
    page.set_input_files("input[type=file]", files=[{"name": "<b>.yaml", "mimeType": "", "buffer": SPEC.encode()}])
    page.wait_for_function("() => document.title === '_b_.yaml'")
    page.set_input_files("input[type=file]", files=[{"name": "x.yaml", "mimeType": "", "buffer": b"input: [5"}])
    page.locator(".told >> text=is not YAML").wait_for()
    assert page.inner_text(".told strong") == "The source cannot be read. Its model is shown here as soon as it can be."
    assert page.locator("iframe:visible").count() == 0
    assert said == []
