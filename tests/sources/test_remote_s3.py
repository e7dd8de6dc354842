"""Sources in a bucket: s3fs against moto's S3 server on the loopback interface, with what goes over the wire counted."""

import json
import mmap
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import invoke
from tests.support.paths import ROOT

pytest.importorskip("s3fs", reason="s3fs is not installed")
pytest.importorskip("moto.server", reason="moto with its S3 server is not installed")

import boto3
import s3fs
from moto.s3.models import FakeKey, s3_backends
from moto.server import ThreadedMotoServer

from layerexplain.sources.listing import describe, find_sources
from layerexplain.sources.names import Reach
from tests.support.faults import failure_of_url
from tests.support.served import serving
from tests.support.sparse_models import keras_archive, legacy_h5

SAMPLES = ROOT / "sample_models"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


class Wire:
    """A door to a server that counts what the server sends, and the requests."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sent = self.requests = 0
        self.door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.door.getsockname()[1]}"
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self) -> None:
        while True:
            try:
                client = self.door.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        from_server = source.getpeername()[1] == self.port
        while True:
            try:
                data = source.recv(1 << 16)
                target.sendall(data)
            except OSError:
                data = b""
            if not data:
                target.close()
                source.close()
                return
            if from_server:
                self.sent += len(data)
            else:
                self.requests += data.count(b" HTTP/1.1\r\n")


class LargeKey(FakeKey):
    """An object that moto does not hold in memory: its bytes are those of a file, of which ranges are taken."""

    value = property(lambda self: self.__dict__["mapped"])  # type: ignore[assignment]


def put_large(file: Path, key: str) -> None:
    """Put a file into the bucket of moto's server, which runs in this process, without copying it."""
    held = next(iter(s3_backends.values()))["aws"].get_bucket("zoo").keys[key]
    held._etag, held.contentsize = f"{file.stat().st_size:032x}", file.stat().st_size
    with file.open("rb") as opened:
        held.__dict__["mapped"] = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    held.__class__ = LargeKey


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server with the bucket `zoo`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys)
    client.create_bucket(Bucket="zoo")
    folder = tmp_path_factory.mktemp("zoo")
    large = [keras_archive(folder / "large.keras", 10, 9973), legacy_h5(folder / "large.h5", 53, 983)]
    assert 3.9e9 < large[0].stat().st_size < 4.3e9 and 2e8 < large[1].stat().st_size < 2.1e8
    for file in (SAMPLES / "digits.keras", SAMPLES / "digits.h5", *large):
        key = f"models/{'deep/' if file.suffix == '.h5' else ''}{file.name}"
        client.put_object(Bucket="zoo", Key=key, Body=b"" if file in large else file.read_bytes())
        if file in large:
            put_large(file, key)
    client.put_object(Bucket="zoo", Key="models/notes.txt", Body=b"these are notes: no model")
    yield port
    server.stop()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def wire(bucket: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    made = Wire(bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
    yield made
    made.door.close()


def run(*arguments: str) -> tuple[int, str, str]:
    result = invoke(*arguments)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("name", ["digits.keras", "deep/digits.h5"])
@pytest.mark.parametrize("command", [["summary"], ["weights", "--stats"]])
def test_a_bucket_says_what_the_file_says(wire: Wire, command: list[str], name: str) -> None:
    here, there = str(SAMPLES / Path(name).name), f"s3://zoo/models/{name}"
    code, said, faults = run(*command, there, "--format", "json")
    assert (code, faults) == (0, "")
    assert json.loads(said.replace(there, here)) == json.loads(run(*command, here, "--format", "json")[1])


@pytest.mark.parametrize(
    ("command", "name", "requests", "sent", "params"),
    [
        ("summary", "large.keras", 12, 1_000_000, 10 * (9973 * 9973 + 9973)),
        ("weights", "large.keras", 14, 1_000_000, 10 * (9973 * 9973 + 9973)),
        ("summary", "deep/large.h5", 12, 1_000_000, 53 * (983 * 983 + 983)),
        ("weights", "deep/large.h5", 250, 4_000_000, 53 * (983 * 983 + 983)),
    ],
)
def test_few_bytes_are_fetched(wire: Wire, command: str, name: str, requests: int, sent: int, params: int) -> None:
    code, said, _ = run(command, f"s3://zoo/models/{name}", "--format", "json")
    assert code == 0 and json.loads(said)["totals"]["params"] == params
    assert wire.requests <= requests and wire.sent <= sent, (wire.requests, wire.sent)


def test_buckets_are_listed(wire: Wire) -> None:
    found = list(find_sources(["s3://zoo/models"], recursive=True))
    assert [one.source for one in found] == [
        "s3://zoo/models/deep/digits.h5",
        "s3://zoo/models/deep/large.h5",
        "s3://zoo/models/digits.keras",
        "s3://zoo/models/large.keras",
        "s3://zoo/models/notes.txt",
    ]
    assert all(one.is_remote and one.size and one.mark.startswith('"') for one in found)
    assert [one.source for one in find_sources(["s3://zoo/**/d*.h5", "s3://zoo/*/*.keras"])] == [
        "s3://zoo/models/deep/digits.h5",
        "s3://zoo/models/digits.keras",
        "s3://zoo/models/large.keras",
    ]
    one = describe("s3://zoo/models/digits.keras")
    assert (one.size, one.mark) == (found[2].size, found[2].mark)


@pytest.mark.parametrize(
    ("url", "told"),
    [("s3://zoo/models/nothing.keras", "no such file"), ("s3://nowhere/models/m.keras", "no such file")],
)
def test_what_is_not_there(wire: Wire, url: str, told: str) -> None:
    code, _, said = run("summary", url)
    assert code == 1 and len(said.splitlines()) == 1 and said.startswith(f"layerexplain: error: {url}: {told}")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://status/403/m", "may not be read (403 Forbidden)"),
        ("s3://status/404/m", "no such file"),
        ("s3://status/503/m", "the server fails (503 Service Unavailable)"),
        ("s3://stalled/digits.keras", "the server did not answer within 0.3 s"),
        ("s3://broken/digits.keras", "the connection broke off before all was sent"),
    ],
)
def test_faults_of_a_server(url: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "digits.keras").symlink_to(SAMPLES / "digits.keras")
    monkeypatch.setattr(s3fs.core.S3FileSystem, "retries", 1)
    with serving(tmp_path) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url(""))
        timeout = 0.3 if "stalled" in url else 120
        assert failure_of_url(url, Reach(timeout=timeout, retries=1, wait=0)).startswith(told)


def test_without_credentials(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    said = failure_of_url("s3://zoo/models/digits.keras", Reach(wait=0))
    assert said == "needs credentials, and the environment has none; FSSPEC_S3_ANON=true reads public buckets"
