"""A password in a URL is used and printed nowhere, whatever the command and whatever goes wrong.

The server lets in only who sends user and password, so that each failure comes after they were used.
"""

import io
import json
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.commands import invoke
from tests.support.paths import ROOT

pytest.importorskip("fsspec", reason="fsspec is not installed: layerexplain[remote]")
pytest.importorskip("aiohttp", reason="aiohttp is not installed: layerexplain[remote]")

from layerexplain.errors import without_passwords
from layerexplain.sources.names import Remote
from tests.support.served import Server, serving
from tests.support.tries import tries

SAMPLES = ROOT / "sample_models"
USER, FIRST, LAST = "me@example.org", "wombat", "quokka"
"""A password of two parts with an @ between them."""

URLS = {
    "sftp://me@a.example:pass@word@host:22/m.h5": ("sftp://me@a.example:***@host:22/m.h5"),
    "https://token@host/m.h5": "https://***@host/m.h5",
    "https://me:pa/ss@host/m": "https://me:***@host/m",
    "https://me:p?s#s@host/m": "https://me:***@host/m",
    "https://me:p a s@host/m": "https://me:***@host/m",
    "https://:pass@host/": "https://:***@host/",
    "zip://x@y::https://me:pass@host/a.zip": "zip://x@y::https://me:***@host/a.zip",
    "https://me:pass@host/a.zip::in/x@y/z": "https://me:***@host/a.zip::in/x@y/z",
    "simplecache::https://me:pass@host/m.h5": "simplecache::https://me:***@host/m.h5",
    "https://me:pass@host/m and https://other:word@host/m": "https://me:***@host/m and https://other:***@host/m",
    "https:/me:pass@host/m": "https:/me:***@host/m",
    "//me:pass@host/m": "//me:***@host/m",
    "https:me:pass@host/m": "https:me:***@host/m",
    "hf://owner/me:pass@host/m": "hf://owner/me:***@host/m",
    "me:pass@host:80/m.h5": "me:***@host:80/m.h5",
    "no file 'me:pa@ss@host:80'": "no file 'me:***@host:80'",
    "https://host/m?a=1&Token=pass#x": "https://host/m?a=1&Token=***#x",
    "https://me:pass@host/m?sv=1&sig=pa%2Fss&se=2": "https://me:***@host/m?sv=1&sig=***&se=2",
    "https://host/m?X-Amz-Signature=0f&X-Amz-Expires=60": "https://host/m?X-Amz-Signature=***&X-Amz-Expires=60",
    "https://host/m?X-Goog-Credential=a&api_key=b": "https://host/m?X-Goog-Credential=***&api_key=***",
}
NOT_SECRET = [
    "http://host:8080/x@y", "http://[::1]:80/x@y", "s3://bucket/key@2", "hf://user/repo@main/m.keras",
    "https://host/m?mail=a@b.example", "models.zip::a@b", "user@host: no URL", "sftp://me@host/m.h5",
    "s3://b/a.zip::in/x@y/z", "/data/run:1@2/m.h5", "x[a:b@c]", "train.py:41:7: x @ y",
    "https://host/m?download=true&design=3", "conv(x, W)[a:b@c:2]", "is it so? key=3",
]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_made_printable_and_can_still_be_opened(url: str) -> None:
    assert without_passwords(url) == URLS[url] == str(Remote(url)) == f"{Remote(url)}"
    assert Remote(url).address == url


@pytest.mark.parametrize("text", NOT_SECRET)
def test_what_holds_no_password_stays(text: str) -> None:
    assert without_passwords(text) == text


# Commands × failures ------------------------------------------------------------------------------------------------


COMMANDS = {
    "summary": ["summary", "{url}"],
    "summary as JSON": ["summary", "--format", "json", "{url}"],
    "summary of several": ["summary", "{url}", "{url}"],
    "explain": ["explain", "{url}"],
    "weights": ["weights", "--stats", "{url}"],
    "check": ["check", "--weights", "{url}"],
    "check as JSON": ["check", "--weights", "--format", "json", "{url}"],
    "diff": ["diff", "--weights", "{url}", "{good}"],
    "diff of another": ["diff", "--weights", "{good}", "{url}"],
    "convert": ["convert", "{url}", "{folder}/out.keras", "--force"],
    "convert to code": ["convert", "{url}", "{folder}/out.py", "--force"],
    "draw": ["draw", "{url}", "--output", "{folder}/out.svg"],
    "page": ["page", "{url}", "--output", "{folder}/out.html"],
    "trace": ["trace", "{url}"],
    "trace of a gradient": ["trace", "{url}", "--gradient"],
    "catalogue": ["catalogue", "{url}", "--to", "{folder}/zoo.jsonl", "--overwrite", "--jobs", "1"],
    "layer": ["layer", "{url}"],
    "code": ["summary", "{good}", "--code", "{url}"],
    "no command": ["{url}"],
    "an option": ["{option}"],
    "an option of a command": ["summary", "{option}"],
    "too many arguments": ["page", "{url}", "{url}"],
    "no number": ["summary", "{good}", "--width", "{url}"],
    "no columns": ["summary", "{good}", "--columns", "{url}"],
    "an output": ["summary", "{good}", "--output", "{url}"],
    "an input": ["summary", "{good}", "--input", "{url}"],
    "completion": ["completion", "{url}"],
    "verify": ["verify", "{url}"],
}  # fmt: skip

FAILURES = {
    "nothing is wrong": "good.keras",
    "not there": "none.keras",
    "401": "status/401/m.keras",
    "403": "status/403/m.keras",
    "429": "status/429/m.keras",
    "503": "status/503/m.keras",
    "418": "status/418/m.keras",
    "silent": "stalled/good.keras",
    "broken off": "broken/good.keras",
    "longer": "longer/good.keras",
    "compressed": "packed/good.keras",
    "changing": "changing/good.keras",
    "no ranges": "whole/good.keras",
    "a circle": "circle/m.keras",
    "redirected": "to/m.keras",
    "empty": "empty.keras",
    "no archive": "damaged.keras",
    "damaged weights": "weights.keras",
    "weights of other shapes": "shapes.keras",
    "no model": "notes.txt",
    "a wrong spec": "wrong.yaml",
    "wrong code": "wrong.py",
    "code with a request": "wrong.py:nothing(3)",
    "a spec that is no YAML": "no.yaml",
    "an unknown class": "own.json",
    "a directory": "folder/",
    "no match": "folder/**/none*.h5",
    "not in the archive": "good.keras::none.keras",
    "a folder of the archive": "good.keras::",
    "in no archive": "notes.txt::m.keras",
}

ELSEWHERE = {
    "no such host": "http://{login}@nowhere.invalid/m.keras",
    "nobody listens": "http://{login}@127.0.0.1:{free}/m.keras",
    "no TLS": "https://{login}@127.0.0.1:{port}/m.keras",
    "no port": "http://{login}@127.0.0.1:port/m.keras",
    "no host": "http://{login}@/m.keras",
    "an address": "http://{login}@[::1]:{free}/m.keras",
    "an unknown protocol": "nope://{login}@127.0.0.1/m.keras",
    "a missing package": "abfs://{login}@127.0.0.1/m.keras",
    "a refused protocol": "reference://{login}@127.0.0.1/m.keras",
    "a path": "file://{login}@127.0.0.1/m.keras",
    "a signed URL": "http://127.0.0.1:{port}/signed/good.keras?X-Amz-Expires=60&X-Amz-Signature={login}",
    "a signed URL of nothing": "http://127.0.0.1:{port}/signed/none.keras?token={login}",
    "no scheme": "{login}@127.0.0.1:{port}/m.keras",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("served")
    good = (SAMPLES / "digits.keras").read_bytes()
    (root / "good.keras").write_bytes(good)
    (root / "empty.keras").write_bytes(b"")
    (root / "damaged.keras").write_bytes(good[: len(good) // 2])
    (root / "weights.keras").write_bytes(with_member(good, "model.weights.h5", lambda data: data[:3000]))
    (root / "shapes.keras").write_bytes(
        with_member(good, "config.json", lambda data: data.replace(b'"units": 10', b'"units": 11'))
    )
    (root / "notes.txt").write_text("Nothing but words.\n")
    (root / "wrong.yaml").write_text("input: [4]\nlayers:\n  - Dense: {units: -3}\n  - Dense: {unit: 3}\n")
    (root / "no.yaml").write_text("input: [4\nlayers: - }")
    (root / "wrong.py").write_text("import keras\nmodel = keras.Sequential([keras.layers.Dense(4, act='relu')])\n")
    own = {"class_name": "Mine", "module": "mine", "registered_name": "Mine", "config": {"name": "mine"}}
    model = {"class_name": "Sequential", "module": "keras", "config": {"name": "s", "layers": [own]}}
    (root / "own.json").write_text(json.dumps(model))
    (root / "folder").mkdir()
    (root / "folder" / "wrong.yaml").write_text("layers:\n  - Dnse: 3\n")
    with serving(root) as found:
        found.login = f"{USER}:{FIRST}@{LAST}"
        found.elsewhere = f"https://{quote(USER)}:{FIRST}@{LAST}@127.0.0.2/m.keras"
        yield found


def with_member(archive: bytes, name: str, change: object) -> bytes:
    """An archive in which one member is another."""
    assert callable(change)
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
        for member in old.namelist():
            new.writestr(member, change(old.read(member)) if member == name else old.read(member))
    return made.getvalue()


def secret(server: Server, path: str) -> str:
    return server.url(f"locked/{path}").replace("//", f"//{quote(USER)}:{FIRST}@{LAST}@")


def is_hidden(text: str) -> bool:
    return FIRST not in text and LAST not in text


def said_of(url: str, good: str, folder: Path, command: str) -> str:
    """What a command says of a URL, and all that it writes."""
    given = {"url": url, "good": good, "folder": folder, "option": f"--{url}"}
    arguments = [one.format(**given) for one in COMMANDS[command]]
    if not command.startswith("a") and command not in ("layer", "completion"):
        arguments += ["--timeout", "0.3", "--retries", "0"]
    result = invoke(*arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (0, 1, 2) and "Traceback" not in result.output and "a bug" not in result.output
    written = [file for file in folder.rglob("*") if file.is_file()]
    return result.output + "".join(file.read_bytes().decode("latin-1") for file in written)


@pytest.mark.parametrize(
    ("command", "failure"),
    [
        pytest.param(command, failure, marks=[pytest.mark.keras] * (command in ("verify", "convert")))
        for turn, failure in enumerate([*FAILURES, *ELSEWHERE])
        for command in [*COMMANDS][turn % tries(3, 1) :: tries(3, 1)]
    ],
)
def test_no_command_prints_a_password(server: Server, tmp_path: Path, command: str, failure: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        places = {"login": f"{USER}:{FIRST}@{LAST}", "port": server.server_address[1], "free": unused.getsockname()[1]}
        url = secret(server, FAILURES[failure]) if failure in FAILURES else ELSEWHERE[failure].format(**places)
        said = said_of(url, str(SAMPLES / "digits.keras"), tmp_path, command)
    assert is_hidden(said), said[max(said.find(FIRST), said.find(LAST), 200) - 200 :][:400]
    if failure in ("nothing is wrong", "a signed URL") and command in ("summary", "trace", "convert"):
        assert "***" in said or command != "summary"
        assert "(401" not in said and "(403" not in said


def test_view_prints_no_password(server: Server) -> None:
    for path in ("good.keras", "weights.keras", "none.keras"):
        command = [sys.executable, "-m", "layerexplain", "view", "--no-browser", secret(server, path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            address = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=600)
        assert address.startswith("http://127.0.0.1:") and is_hidden("".join(said)), said


# Schemes × positions ------------------------------------------------------------------------------------------------

SCHEMES = [
    "http://", "https://", "HTTPS://", "hf://", "s3://", "gs://", "sftp://", "ftp://", "abfs://", "memory://", "github://",
    "file://", "local://", "zip://", "nope://", "http:/", "https:/", "hf:/", "https:///", "//", "https:",
    "simplecache::https://", "filecache::hf://", "zip://x::https://",
]  # fmt: skip
POSITIONS = [
    "u:wombat@h.invalid/m.keras", "u:wom%62at@h.invalid/m.keras", ":wombat@h.invalid", "u:wombat@/m.keras",
    "u:wombat@h.invalid:x/m", "u:wombat@[::1/m.keras", "u:wombat@h.invalid/*.keras", "u:wombat@h.invalid/a.zip::m.keras",
    "u:wom/wombat@h.invalid/m", "owner/u:wombat@h/m.keras", "u:wombat@h", "u:wombat@h.invalid/train.py:build",
]  # fmt: skip


def mistyped() -> Iterator[tuple[str, str]]:
    """A command and a URL with a login: each scheme in each position, each command with each scheme."""
    commands = [one for one in COMMANDS if one not in ("verify", "convert")]
    yield from (("summary", scheme + position) for scheme in SCHEMES for position in POSITIONS)
    for row, command in enumerate(commands):
        for column, scheme in enumerate(SCHEMES):
            yield command, scheme + POSITIONS[(row + column) % len(POSITIONS)]


def test_no_scheme_and_no_position_gives_a_password_away(tmp_path: Path) -> None:
    good = str(SAMPLES / "digits.keras")
    # `https:` and a folder is a path of this machine.
    cases = [(command, url) for command, url in mistyped() if not url.startswith("https:owner")]
    for number, (command, url) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        said = said_of(url, good, folder, command)
        assert "wombat" not in said and "wom%62at" not in said, (command, url, said[:400])


def test_what_an_error_quotes_of_a_file_has_no_password(tmp_path: Path) -> None:
    for scheme in SCHEMES:
        spec = tmp_path / "m.yaml"
        spec.write_text(f"input: [3]\nlayers:\n  - Dense: {{units: 4, activation: '{scheme}u:wombat@h/x'}}\n")
        for arguments in (["summary"], ["summary", "--format", "csv"], ["check"], ["check", "--format", "json"]):
            result = invoke(*arguments, spec)
            assert "activation" in result.output or "csv" in arguments
            assert "wombat" not in result.output, (scheme, result.output)
