"""Sources behind URLs, from a real HTTP server on the loopback interface: what is fetched of them, and each fault in
one line."""

import ipaddress
import json
import socket
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from tests.support.commands import invoke
from tests.support.paths import ROOT

pytest.importorskip("fsspec", reason="fsspec is not installed: layerexplain[remote]")
pytest.importorskip("aiohttp", reason="aiohttp is not installed: layerexplain[remote]")

from layerexplain import api
from layerexplain.sources.names import Reach, Remote
from tests.support.faults import failure_of_url
from tests.support.served import Server, serving
from tests.support.sparse_models import keras_archive, legacy_h5

SAMPLES = ROOT / "sample_models"
QUICK = Reach(timeout=120, retries=2, wait=0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    for name in ("digits.keras", "digits.h5", "mnist_mlp.yaml", "resnet50.json"):
        (tmp_path / name).symlink_to(SAMPLES / name)
    with serving(tmp_path) as found:
        yield found


def run(*arguments: str) -> tuple[int, str, str]:
    """The exit code, what is printed, and what is told of faults."""
    result = invoke(*arguments)
    return result.exit_code, result.stdout, result.stderr


def fault(url: str, reach: Reach = QUICK) -> str:
    """Why a URL cannot be read; one line."""
    return failure_of_url(url, reach)


# What is the same ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits.keras", "digits.h5", "mnist_mlp.yaml", "resnet50.json"])
@pytest.mark.parametrize("command", [["summary", "--nested"], ["explain", "--full"], ["weights"], ["check"]])
def test_a_url_says_what_the_file_says(server: Server, command: list[str], name: str) -> None:
    here, there = str(server.root / name), server.url(name)
    format = ["--format", "json"]
    code, said, faults = run(*command, there, *format)
    assert (code, faults) == (run(*command, here, *format)[0], "")
    assert json.loads(said.replace(there, here)) == json.loads(run(*command, here, *format)[1])


@pytest.mark.parametrize("name", ["digits.keras", "digits.h5"])
@pytest.mark.parametrize("command", [["weights", "--stats"], ["trace"], ["check", "--weights"], ["weights", "--state"]])
def test_values_are_the_same(server: Server, command: list[str], name: str) -> None:
    here, there = str(server.root / name), server.url(name)
    said = run(*command, there, "--format", "json")[1]
    assert json.loads(said.replace(there, here)) == json.loads(run(*command, here, "--format", "json")[1])


def test_models_of_two_servers_are_compared(server: Server, tmp_path: Path) -> None:
    code, said, _ = run("diff", server.url("digits.h5"), server.url("digits.keras"), "--weights")
    assert code == 0 and "differ" in said
    code, said, faults = run("convert", server.url("digits.keras"), str(tmp_path / "made.yaml"))
    assert code == 0 and "Conv2D" in (tmp_path / "made.yaml").read_text()
    assert faults.startswith(f"layerexplain: wrote {tmp_path / 'made.yaml'} (") and faults.count("\n") == 1


@pytest.mark.keras
@pytest.mark.parametrize("name", ["digits.keras", "digits.h5"])
def test_keras_takes_what_is_behind_a_url(server: Server, name: str, tmp_path: Path) -> None:
    url, made = server.url(name), str(tmp_path / "made.keras")
    code, said, faults = run("verify", url, "--format", "json")
    assert (code, faults) == (0, "") and json.loads(said)["agrees"] and json.loads(said)["source"] == url
    code, said, _ = run("trace", url, "digit", "--at", "0,3")
    assert code == 0 and said.replace(url, name) == run("trace", str(SAMPLES / name), "digit", "--at", "0,3")[
        1
    ].replace(str(SAMPLES / name), name)
    code, _, _ = run("convert", url, made)
    assert code == 0 and run("diff", made, url, "--weights")[0] == 0


def test_a_model_that_was_read_from_a_url_has_its_weights(server: Server) -> None:
    image = np.linspace(0, 16, 64, dtype=np.float32).reshape(1, 8, 8, 1)
    there, here = (
        api.trace(source, image).outputs[0]
        for source in (api.read(server.url("digits.keras")), SAMPLES / "digits.keras")
    )
    assert np.array_equal(there, here)


def test_saved_models_and_unzipped_archives_are_read_by_their_folders(server: Server) -> None:
    folder = Path(server.root) / "unzipped"
    folder.mkdir()
    with zipfile.ZipFile(SAMPLES / "digits.keras") as archive:
        for name in archive.namelist():
            (folder / name).write_bytes(archive.read(name))
    for source in ("unzipped/", "unzipped/config.json", "unlisted/unzipped/"):
        source = server.url(source)
        assert len(api.read(source).layers) == 10
    rows = api.list_weights(server.url("unzipped/"), stats=True).weights
    assert [row.statistics for row in rows] == [
        row.statistics for row in api.list_weights(str(SAMPLES / "digits.keras"), stats=True).weights
    ]


def test_code_behind_a_url_is_asked_for_a_model(server: Server) -> None:
    (Path(server.root) / "train.py").write_text(
        "import keras\n\ndef build(units):\n    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(units)])\n"
    )
    code, said, _ = run("summary", f"{server.url('train.py')}:build(7)", "--format", "csv", "--columns", "layer,params")
    assert code == 0 and said.splitlines()[-1].endswith(",42")


# What it costs ------------------------------------------------------------------------------------------------------


def test_a_summary_of_4_gb_fetches_less_than_a_megabyte(server: Server) -> None:
    file = keras_archive(Path(server.root) / "large.keras", 10, 9973)
    assert 3.9e9 < file.stat().st_size < 4.3e9
    code, said, _ = run("summary", server.url("large.keras"), "--format", "json")
    assert code == 0 and json.loads(said)["totals"]["params"] == 10 * (9973 * 9973 + 9973)
    assert len(server.asked) <= 12 and server.sent <= 1_000_000
    assert len(server.asked) <= 4 and server.sent <= 150_000, (server.asked, server.sent)


def test_the_weights_of_4_gb_are_listed_from_less_than_a_megabyte(server: Server) -> None:
    keras_archive(Path(server.root) / "large.keras", 10, 9973)
    code, said, _ = run("weights", server.url("large.keras"), "--format", "json")
    assert code == 0 and len(json.loads(said)["weights"]) == 20
    # Each layer's metadata is 400 MB from that of the next one.
    assert len(server.asked) <= 13 and server.sent <= 1_000_000, (server.asked, server.sent)


@pytest.mark.parametrize("command", ["summary", "weights"])
def test_an_h5_of_200_mb_costs_less_than_4_mb(server: Server, command: str) -> None:
    file = legacy_h5(Path(server.root) / "large.h5", 53, 983)
    assert 2e8 < file.stat().st_size < 2.1e8
    code, said, _ = run(command, server.url("large.h5"), "--format", "json")
    assert code == 0 and json.loads(said)["totals"]["params"] == 53 * (983 * 983 + 983)
    assert server.sent <= 4_000_000, (len(server.asked), server.sent)


def test_a_file_cannot_ask_its_server_without_an_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    legacy_h5(Path(server.root) / "large.h5", 53, 983)
    monkeypatch.setattr("layerexplain.frontends.keras.h5_service._MOST_REQUESTS", 20)
    url = server.url("large.h5")
    code, _, said = run("weights", url)
    words = "needs more than 20 requests to its server; download the file"
    assert (code, said) == (1, f"layerexplain: error: {url}: {words}\n")
    assert len(server.asked) < 30


def test_nothing_is_fetched_twice(server: Server) -> None:
    run("weights", server.url("digits.h5"), "--stats")
    ranges = [one.range for one in server.asked if one.range is not None]
    assert len(set(ranges)) == len(ranges) and len(server.asked) - len(ranges) == 1


# Servers that send no ranges ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["whole", "unsized"])
@pytest.mark.parametrize("name", ["digits.keras", "digits.h5"])
def test_without_ranges_a_file_is_read_whole_and_said_so(server: Server, how: str, name: str) -> None:
    report = api.explain(server.url(f"{how}/{name}"), detail=False)
    size = (Path(server.root) / name).stat().st_size
    assert [note.message for note in report.notes if note.code == "no-ranges"] == [
        f"the server sends no ranges, so that all {size:,} bytes were read"
    ]
    assert report.totals.params == 3742


@pytest.mark.parametrize(
    ("how", "told"),
    [("whole", "the file has 86,980 bytes"), ("unsized", "the server does not say how long the file is")],
)
def test_without_ranges_no_more_than_the_limit_is_read(server: Server, how: str, told: str) -> None:
    url = server.url(f"{how}/digits.keras")
    code, _, said = run("summary", url, "--max-download", "50kB")
    words = f"the server sends no ranges, and {told}; without ranges at most 50,000 are downloaded (--max-download)"
    assert (code, said) == (1, f"layerexplain: error: {url}: {words}\n")


# Faults -------------------------------------------------------------------------------------------------------------

FAULTS = {
    "nothing.keras": "no such file (404 Not Found)",
    "status/401/m": "needs credentials (401 Unauthorized); fsspec takes them from the environment (docs/formats.md)",
    "status/403/m": "may not be read (403 Forbidden); are the credentials in the environment those for this file?",
    "status/410/m": "the file was removed (410 Gone)",
    "status/418/m": "the server refuses (418 I'm a Teapot)",
    "status/429/m": "too many requests (429 Too Many Requests); try again later (tried 3 times)",
    "status/503/m": "the server fails (503 Service Unavailable) (tried 3 times)",
    "status/501/m": "the server fails (501 Not Implemented)",
    "broken/digits.keras": "the connection broke off before all was sent (tried 3 times)",
    "longer/digits.keras": "ends after 98,304 of the 173,960 bytes that the server states",
    "more/digits.keras": "the server sends more than ",
    "other/digits.keras": "the server sent another range than was requested: bytes 1-65536/86981 instead of 0-65535",
    "packed/digits.keras": "the server sends it compressed (gzip), although uncompressed bytes were requested",
    "changing/digits.keras": "changed while it was read; read it again",
    "circle/digits.keras": "the server redirects in a circle",
}


@pytest.mark.parametrize("path", FAULTS)
def test_every_fault_is_one_line(server: Server, path: str) -> None:
    assert fault(server.url(path)).startswith(FAULTS[path])


@pytest.mark.parametrize("command", ["summary", "explain", "weights", "trace", "check"])
@pytest.mark.parametrize("path", ["nothing.keras", "status/403/m", "broken/digits.h5"])
def test_every_command_ends_with_1(server: Server, command: str, path: str) -> None:
    url = server.url(path)
    code, _, said = run(command, url, "--retries", "0")
    assert code == 1 and said.startswith(f"layerexplain: error: {url}: ") and len(said.splitlines()) == 1


def test_a_server_that_is_silent_is_left(server: Server) -> None:
    said = fault(server.url("stalled/digits.keras"), Reach(timeout=0.2, retries=1, wait=0))
    assert said == "the server did not answer within 0.2 s; wait longer with --timeout SECONDS (tried 2 times)"


def test_what_may_pass_is_tried_again(server: Server) -> None:
    assert api.explain(Remote(server.url("twice/digits.keras"), QUICK), detail=False).totals.params == 3742
    assert server.count("twice") > 3


def test_waits_grow_and_heed_the_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("layerexplain.sources.fsspec_files.time.sleep", waits.append)
    fault(server.url("status/503/m"), Reach(timeout=10, retries=3, wait=0.5))
    assert waits == [0.5, 1.0, 2.0]


def test_a_host_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert fault("http://nowhere.example/m.keras") == "the host nowhere.example is not known (DNS)"


def test_a_host_that_does_not_listen() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = fault(f"http://127.0.0.1:{port}/m.keras")  # meanwhile nobody else takes the port
    assert said == "the host does not answer (connection refused) (tried 3 times)"


def test_tls_that_is_none(server: Server) -> None:
    said = fault(server.url("digits.keras").replace("http:", "https:"))
    assert said.startswith("its TLS certificate cannot be trusted (")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("reference://x::http://127.0.0.1/r.json", "the protocol reference is which reads"),
        ("nothing://host/m.keras", "is not a URL that fsspec can open: Protocol not known: nothing"),
        ("http:///m.keras", "is not a URL that can be opened"),
        ("http://[::1]:9/m.keras", "has an address in brackets"),
    ],
)
def test_what_is_no_url(url: str, told: str) -> None:
    assert told in fault(url)


@pytest.mark.parametrize(
    ("protocol", "package"),
    [("abfs", "adlfs"), ("sftp", "paramiko"), ("dropbox", "dropboxdrivefs"), ("https", "aiohttp")],
)
def test_a_package_that_is_missing_is_named(protocol: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "layerexplain.sources.http_client", raising=False)
    said = fault(f"{protocol}://some/m.keras")
    assert said == f"is a URL, which needs {package} besides fsspec; `pip install {package}`"


# Redirects ----------------------------------------------------------------------------------------------------------


def test_a_redirect_within_the_server_is_followed(server: Server) -> None:
    assert len(api.read(server.url("to/digits.keras")).layers) == 10


@pytest.mark.parametrize(
    "to", ["file:///etc/hostname", "https://127.0.0.1/m.keras", "ftp://127.0.0.1/m.keras", "s3://b/m"]
)
def test_a_redirect_to_another_scheme_is_refused(server: Server, to: str) -> None:
    server.elsewhere = to
    assert fault(server.url("to/m.keras")) == (
        f"is redirected from http to {to.partition(':')[0]}; give {to} itself if you trust it"
    )


def test_a_redirect_from_a_public_to_a_private_address_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.2 plays an address of the Internet."""

    def is_private(address: str) -> bool:
        return str(ipaddress.ip_address(address)) != "127.0.0.2"

    monkeypatch.setattr("layerexplain.sources.http_client.is_private", is_private)
    resolve = socket.getaddrinfo
    names = {"public.example": "127.0.0.2", "private.example": "127.0.0.1"}
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: resolve(names.get(host, host), *rest, **more)
    )
    with serving(tmp_path, "127.0.0.2") as public:
        port, own = server.server_address[1], public.server_address[1]
        for there, named in ((f"127.0.0.1:{port}", "127.0.0.1"), (f"private.example:{port}", "private.example")):
            public.elsewhere = f"http://{there}/digits.keras"
            for host in ("127.0.0.2", "public.example"):
                said = fault(f"http://{host}:{own}/to/digits.keras")
                words = f"is redirected from a public address to the private one of {named}; give that URL itself if you trust it"
                assert said == words
        # Who names a private address means it, and a private one may lead to another.
        public.elsewhere = ""
        assert len(api.read(f"http://public.example:{own}/to/digits.keras").layers) == 10
        server.elsewhere = f"http://127.0.0.2:{own}/digits.keras"
        assert len(api.read(server.url("to/m")).layers) == 10


@pytest.mark.parametrize("answer", [b"HELLO\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00\xff" * 40 + b"\r\n\r\n"])
def test_an_answer_that_is_no_http_is_called_so(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    with client:
                        client.recv(65536)
                        client.sendall(answer)

        Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/m.keras"
        assert fault(url) == "the server's answer is not HTTP"
        listening.shutdown(socket.SHUT_RDWR)


def test_a_url_in_a_file_is_not_followed(server: Server) -> None:
    (Path(server.root) / "spec.yaml").write_text(
        f"input: [4]\nlayers:\n  - StringLookup: {{vocabulary: '{server.url('words.txt')}'}}\n  - Dense: 3\n"
    )
    run("summary", server.url("spec.yaml"))
    assert server.count("words.txt") == 0 and server.count("spec.yaml") > 0
