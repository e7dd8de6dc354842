"""No child imports what lies in the current folder, and one module starts them all."""

import ast
import os
import re
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest

from layerexplain import child_processes
from tests.support.language_client import Client
from tests.support.paths import ROOT
from tests.support.served import serving

pytestmark = pytest.mark.slow

SAMPLES = ROOT / "sample_models"
START = (
    "import sys; from layerexplain import processes; processes.START_METHOD = sys.argv.pop(1)\n"
    "from layerexplain.__main__ import main; main()\n"
)
PACKAGES = [
    "click",
    "yaml",
    "numpy",
    "h5py",
    "fsspec",
    "aiohttp",
    "pygls",
    "lsprotocol",
    "distributed",
    "dask",
    "pyarrow",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module for each name that may be imported; each says by whom it was."""
    folder = tmp_path_factory.mktemp("hostile")
    text = f"import os; open({str(folder / 'imported')!r}, 'a').write(__name__ + ' ')\nraise ImportError('harm')\n"
    for name in {*sys.stdlib_module_names, *PACKAGES, "sitecustomize", "usercustomize"}:
        (folder / f"{name}.py").write_text(text)
    (folder / "layerexplain").mkdir()
    (folder / "layerexplain" / "__init__.py").write_text(text)
    for name in ("digits.h5", "digits.keras", "mnist_mlp.yaml"):
        (folder / name).write_bytes((SAMPLES / name).read_bytes())
    return folder


@pytest.fixture(scope="module", params=["source", "installed"])
def program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[str], dict[str, str]]:
    """The command and the environment: a checkout on PYTHONPATH, or a script of an environment that has the package."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if request.param == "source":
        return [sys.executable, "-P", "-c", START], {**clean, "PYTHONPATH": str(ROOT)}
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    packages = next(folder.rglob("site-packages"))
    here = [place for place in sys.path if place.endswith("-packages")]
    (packages / "all.pth").write_text("\n".join([str(ROOT), *here]))
    script = folder / "bin" / "layerexplain"
    script.write_text(f"if __name__ == '__main__':\n{textwrap.indent(START, '    ')}")
    return [str(folder / "bin" / "python"), str(script)], clean


def outcome(program: tuple[list[str], dict[str, str]], folder: Path, *words: str) -> None:
    """Run the program in the folder; whatever was imported there fails the test."""
    command, environment = program
    done = subprocess.run(
        [*command, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    seen = folder / "imported"
    assert not seen.exists(), seen.read_text()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("spawn", "summary digits.h5"),
        ("spawn", "summary digits.keras mnist_mlp.yaml digits.h5 --jobs 2"),
        ("forkserver", "summary digits.keras mnist_mlp.yaml digits.h5 --jobs 2"),
        ("spawn", "catalogue digits.h5 mnist_mlp.yaml --jobs 2 --to TO"),
        ("spawn", "catalogue digits.h5 mnist_mlp.yaml --dask local --jobs 1 --to TO"),
    ],
)
def test_children_import_nothing_of_the_current_folder(
    program: tuple[list[str], dict[str, str]], hostile: Path, tmp_path: Path, words: str, method: str
) -> None:
    if "--dask" in words:
        pytest.importorskip("distributed")
    table = str(tmp_path / "table.jsonl")
    outcome(program, hostile, method, *[table if one == "TO" else one for one in words.split()])


@pytest.mark.parametrize("command", ["summary", "catalogue"])
def test_nor_do_those_that_are_spawned_beside_threads(
    program: tuple[list[str], dict[str, str]], hostile: Path, tmp_path: Path, command: str
) -> None:
    pytest.importorskip("fsspec")
    with serving(SAMPLES) as server:
        to = ["--to", str(tmp_path / "table.jsonl")] if command == "catalogue" else []
        urls = [server.url("mnist_*.yaml"), server.url("digits.keras")]
        outcome(program, hostile, "fork", command, *urls, "--jobs", "2", *to)


def test_nor_does_a_page_that_an_editor_shows(program: tuple[list[str], dict[str, str]], hostile: Path) -> None:
    pytest.importorskip("pygls")
    command, environment = program
    with subprocess.Popen(
        [*command, "spawn", "lsp"], cwd=hostile, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        client = Client(process.stdout, process.stdin)
        client.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        shown = {"command": "layerexplain.showPage", "arguments": [str(hostile / "mnist_mlp.yaml"), ""]}
        address = client.request("workspace/executeCommand", shown)
        client.request("shutdown", None)
        client.notify("exit", None)
    seen = hostile / "imported"
    assert not seen.exists(), seen.read_text()
    assert address.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("places", "safe"),
    [
        (["", "/a"], ["/a"]), ([".", "/a"], ["/a"]), (["HERE", "/a", "HERE/"], ["/a"]), (["LINK", "/a"], ["/a"]),
        (["lib", "/a"], ["HERE/lib", "/a"]), (["HERE/..", "HERE"], ["ABOVE"]), ([], []),
    ],
)  # fmt: skip
def test_a_safe_path_has_no_current_folder(
    places: list[str], safe: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, link = tmp_path / "here", tmp_path / "link"
    here.mkdir()
    link.symlink_to(here)
    monkeypatch.chdir(here)

    def real(place: str) -> str:
        return place.replace("HERE", str(here)).replace("LINK", str(link)).replace("ABOVE", str(tmp_path))

    monkeypatch.setattr(sys, "path", [*map(real, places), str(ROOT)])
    assert child_processes.safe_path() == [*map(real, safe), str(ROOT)]
    monkeypatch.setattr(sys, "path", [*map(real, places)])
    assert child_processes.safe_path() == [str(ROOT), *map(real, safe)]
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", ["", str(ROOT), "/a"])
    assert child_processes.safe_path() == [str(ROOT), "/a"]


def test_spawning_leaves_the_path_and_the_environment_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/a")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    before = list(sys.path), dict(os.environ)
    with child_processes.SafeSpawning():
        with child_processes.SafeSpawning():
            pass
        assert os.environ["PYTHONSAFEPATH"] == "1" and "" not in sys.path
    assert (list(sys.path), dict(os.environ)) == before


STARTERS = {
    "Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput", "system", "popen", "startfile",
    "Process", "Pool", "ProcessPoolExecutor", "Manager", "LocalCluster", "Nanny", "SpecCluster", "SSHCluster",
    "create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell", "executable",
    *[name for name in dir(os) if name.startswith(("exec", "spawn", "posix_spawn", "fork"))],
}  # fmt: skip
MODULES = {
    "os", "subprocess", "multiprocessing", "concurrent.futures", "asyncio", "distributed", "pty", "runpy", "code", "sys",
    "self._context", "context", "loop", "dask.distributed",
}  # fmt: skip


def started(module: Path) -> set[str]:
    """What of a module's text starts a process, outside annotations and imports for types."""
    tree = ast.parse(module.read_text())
    annotations = {
        inner for node in ast.walk(tree) for field in ("annotation", "returns")
        if (note := getattr(node, field, None)) is not None for inner in ast.walk(note)
    }  # fmt: skip
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node not in annotations and node.attr in STARTERS:
            if ast.unparse(node.value) in MODULES:
                found.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            found |= {one.name for one in node.names} & STARTERS
    return found


def test_one_module_starts_interpreters() -> None:
    package = ROOT / "layerexplain"
    used = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(MODULES)))})(?:\.| import\b)")
    paths = [path for path in package.rglob("*.py") if used.search(path.read_text())]
    found = {str(path.relative_to(package)): names for path in paths if (names := started(path))}
    assert found == {
        "child_processes.py": {"Popen", "executable"}, "processes.py": {"Process"}, "catalogues/part.py": {"LocalCluster"},
    }  # fmt: skip
    # The last two leave it to a library, within `SafeSpawning`.
    for name, call in (("processes.py", "start"), ("catalogues/part.py", "LocalCluster")):
        text = (package / name).read_text()
        assert text.index("SafeSpawning()") < text.index(f".{call}(")
