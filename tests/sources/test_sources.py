"""Directories, globs and archives as sources, on this machine and behind a URL."""

import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from layerexplain import api
from layerexplain.errors import LayerExplainError
from layerexplain.sources.listing import describe, find_sources
from tests.support.commands import invoke
from tests.support.paths import ROOT, TESTS
from tests.support.served import Server, serving

SAMPLES = ROOT / "sample_models"
OLD = TESTS / "data" / "old" / "tf.keras_2.2.4-tf.zip"
ASK = ("summary", "--format", "csv", "--columns", "layer")


class Zoo(NamedTuple):
    """A directory of models: where it is for layerexplain, where it lies, and who serves it."""

    base: str
    folder: Path
    server: Server | None


@pytest.fixture(params=["path", "url"])
def zoo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Zoo]:
    root = tmp_path / "zoo"
    (root / "deep" / "deeper").mkdir(parents=True)
    for place, name in (
        ("a.keras", "digits.keras"),
        ("deep/b.h5", "digits.h5"),
        ("deep/deeper/c.yaml", "mnist_mlp.yaml"),
    ):
        (root / place).symlink_to(SAMPLES / name)
    (root / "notes.txt").write_text("nothing to see here: these are notes")
    (root / "train.py").write_text("import keras\n")
    (root / ".hidden.keras").write_bytes(b"hidden")
    with zipfile.ZipFile(root / "models.zip", "w") as archive:
        archive.write(SAMPLES / "digits.keras", "inside/m.keras")
        archive.write(SAMPLES / "digits.h5", "inside/m.h5", zipfile.ZIP_DEFLATED)
        archive.writestr("inside/readme.txt", "no model")
    if request.param == "path":
        yield Zoo(str(root), root, None)
        return
    pytest.importorskip("fsspec", reason="fsspec is not installed: layerexplain[remote]")
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: layerexplain[remote]")
    with serving(tmp_path) as server:
        yield Zoo(server.url("zoo"), root, server)


def run(*arguments: str) -> tuple[int, str, str]:
    result = invoke(*arguments)
    return result.exit_code, result.stdout, result.stderr


def names(listed: str) -> list[str]:
    """The sources of a table, each once."""
    return list(dict.fromkeys(line.split(",")[0] for line in listed.splitlines()[1:]))


def test_a_directory_is_walked(zoo: Zoo) -> None:
    found = [f"{zoo.base}/a.keras", f"{zoo.base}/deep/b.h5", f"{zoo.base}/deep/deeper/c.yaml"]
    code, said, told = run(*ASK, "--recursive", zoo.base)
    assert code == 1 and names(said) == found
    assert told == (
        f"layerexplain: error: {zoo.base}/models.zip: is a zip archive with models in it; give one as "
        "FILE::inside/m.keras\nlayerexplain: note: skipped 2 files that are not models\n"
    )


def test_globs(zoo: Zoo) -> None:
    found = [f"{zoo.base}/a.keras", f"{zoo.base}/deep/b.h5", f"{zoo.base}/deep/deeper/c.yaml"]
    assert names(run(*ASK, f"{zoo.base}/**/*.[hky]*")[1]) == found
    assert names(run(*ASK, f"{zoo.base}/*/*.h5", f"{zoo.base}/*.keras")[1]) == [found[1], found[0]]
    code, said, told = run(*ASK, f"{zoo.base}/*.nothing", f"{zoo.base}/a.keras")
    assert (code, names(said)) == (1, found[:1])
    assert told == f"layerexplain: error: {zoo.base}/*.nothing: matches no file\n"


def test_what_is_meant_to_be_a_model_is_told_of(zoo: Zoo) -> None:
    (zoo.folder / "cut.keras").write_bytes((SAMPLES / "digits.keras").read_bytes()[:5000])
    (zoo.folder / "cut.h5").write_bytes((SAMPLES / "digits.h5").read_bytes()[:5000])
    (zoo.folder / "wrong.yaml").write_text("input: [4]\nlayers:\n  - Dens: 3\n")
    (zoo.folder / "other.json").write_text('{"name": "no model"}')
    (zoo.folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (zoo.folder / "models.zip").unlink()
    code, said, told = run(*ASK, "-r", zoo.base)
    assert code == 1 and len(names(said)) == 4  # of the wrong spec what can be told
    faults = [line.split(": ")[2] for line in told.splitlines()[:-1]]
    assert faults == [f"{zoo.base}/{name}" for name in ("cut.h5", "cut.keras", "wrong.yaml:3")]
    assert told.splitlines()[-1] == "layerexplain: note: skipped 4 files that are not models"


def test_a_directory_without_a_model(zoo: Zoo) -> None:
    (zoo.folder / "empty").mkdir()
    (zoo.folder / "empty" / "notes.md").write_text("# Notes\n")
    code, said, told = run(*ASK, "-r", f"{zoo.base}/empty/")
    assert (code, said) == (1, "")
    assert told == ("layerexplain: note: skipped 1 file that is not a model\nlayerexplain: error: no model was found\n")


def test_a_directory_that_is_a_model_is_one_source(zoo: Zoo) -> None:
    with zipfile.ZipFile(SAMPLES / "digits.keras") as archive:
        archive.extractall(zoo.folder / "deep" / "unzipped")
    (zoo.folder / "models.zip").unlink()
    listed = [name.rstrip("/") for name in names(run(*ASK, "-r", zoo.base)[1])]
    assert listed[2:] == [f"{zoo.base}/deep/deeper/c.yaml", f"{zoo.base}/deep/unzipped"]
    one = next(one for one in find_sources([zoo.base], recursive=True) if "unzipped" in one.source)
    assert one.size is None and one.fault is None


def test_places_in_archives(zoo: Zoo) -> None:
    base = f"{zoo.base}/models.zip"
    for place in ("inside/m.keras", "inside/m.h5"):
        rows = api.list_weights(f"{base}::{place}", stats=True).weights
        assert rows == api.list_weights(str(SAMPLES / f"digits{Path(place).suffix}"), stats=True).weights
    inside = [f"{base}::inside/m.h5", f"{base}::inside/m.keras"]
    assert names(run(*ASK, f"{base}::inside/m.*")[1]) == inside
    code, said, told = run(*ASK, "-r", f"{base}::")
    assert code == 0 and names(said) == inside and told.endswith("skipped 1 file that is not a model\n")
    assert api.read(f"zip://inside/m.keras::{base}").source == inside[1]
    with pytest.raises(LayerExplainError, match="no such file in the archive"):
        api.read(f"{base}::inside/nothing.keras")


def test_archives_that_mean_harm(zoo: Zoo) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("../up.json", "{}")
        archive.writestr("packed.json", "{}", zipfile.ZIP_BZIP2)
    (zoo.folder / "harm.zip").write_bytes(data.getvalue())
    base = f"{zoo.base}/harm.zip"
    assert [one.source for one in find_sources([f"{base}::"], recursive=True)] == [f"{base}::packed.json"]
    with pytest.raises(LayerExplainError, match="is compressed with bzip2; store or deflate it"):
        api.read(f"{base}::packed.json")
    with pytest.raises(LayerExplainError, match="is not a zip archive that can be read"):
        api.read(f"{zoo.base}/notes.txt::m.keras")


def test_many_sources_are_read_side_by_side(zoo: Zoo) -> None:
    sources = [f"{zoo.base}/{name}" for name in ("a.keras", "deep/b.h5", "nothing.keras", "deep/deeper/c.yaml")]
    one, several = (run("summary", *sources, "--format", "csv", "--jobs", jobs) for jobs in ("1", "3"))
    assert one == several and one[0] == 1


def test_no_link_leads_elsewhere(zoo: Zoo) -> None:
    (zoo.folder / "deep" / "circle").symlink_to(zoo.folder)
    found = [one.source for one in find_sources([zoo.base], recursive=True)]
    assert all(one.startswith(f"{zoo.base}/") for one in found)
    if zoo.server is None:
        assert len(found) == 6


@pytest.mark.parametrize("shown", ["a.keras", "models.zip::inside/m.keras", "deep/b.h5"])
def test_what_tells_of_a_change(zoo: Zoo, shown: str) -> None:
    found = describe(f"{zoo.base}/{shown}")
    assert found.size and found.mark and found.fault is None
    assert found.is_remote == (zoo.server is not None or "::" in shown)


def test_saved_models_by_their_two_files(zoo: Zoo) -> None:
    with zipfile.ZipFile(OLD) as archive:
        name = next(name for name in archive.namelist() if name.endswith("saved_model.pb"))
        folder = name.rpartition("/")[0]
        archive.extractall(zoo.folder, [one for one in archive.namelist() if one.startswith(f"{folder}/")])
    report = api.explain(f"{zoo.base}/{folder}/", detail=False)
    assert report.to_dict()["totals"] == api.explain(str(zoo.folder / folder), detail=False).to_dict()["totals"]
    if zoo.server is not None:
        assert not [one for one in zoo.server.asked if "variables.data" in one.path]


def test_without_fsspec_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    code, _, said = run("summary", "https://host.example/m.keras")
    words = "is a URL, which needs fsspec; `pip install fsspec aiohttp`"
    assert (code, said) == (1, f"layerexplain: error: https://host.example/m.keras: {words}\n")
