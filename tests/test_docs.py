"""The pages of docs/ that are made from the code say what the code says now."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import layerexplain
from layerexplain.cli.main import COMMANDS
from layerexplain.frontends.spec.document import read_yaml_spec
from layerexplain.frontends.spec.items import TYPE_KEYS, WISHES

DOCS = Path(__file__).parent.parent / "docs"


def generator() -> ModuleType:
    """docs/generate.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = generator()


@pytest.mark.parametrize("name", GENERATOR.PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    expected = GENERATOR.PAGES[name]()
    assert (DOCS / name).read_bytes().decode() == expected, "run python docs/generate.py"


SPEC_PAGE = (DOCS / "spec.md").read_text("utf-8")


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", SPEC_PAGE, re.DOTALL))
def test_every_spec_of_the_page_on_specs_is_explained(text: str) -> None:
    report = layerexplain.explain(read_yaml_spec(text.encode()))
    assert report.faults == () and {note.code for note in report.notes} <= {"shared-weights"}
    assert all(layer.params is not None and layer.output_shapes for layer in report.layers)


def test_the_page_on_specs_has_every_key() -> None:
    for key in (*WISHES, *TYPE_KEYS, "input", "inputs", "layers", "outputs", "trainable", "dtype"):
        assert re.search(rf"\b{key}\b", SPEC_PAGE), key


def test_mistakes_are_reported_as_the_page_on_specs_says() -> None:
    rows = re.findall(r"^\| `(- .*?)` \| `(.*?)` \|$", SPEC_PAGE, re.MULTILINE)
    assert len(rows) >= 3
    for item, reported in rows:
        try:
            faults = read_yaml_spec(f"input: [4]\nlayers:\n  {item}\n".encode()).faults
        except layerexplain.LayerExplainError as error:
            faults = (error,)
        assert [str(fault).removeprefix("line 3: ") for fault in faults] == [reported]


def test_the_cli_reference_has_every_command() -> None:
    text = (DOCS / "cli.md").read_text("utf-8")
    for command in COMMANDS:
        assert f"## layerexplain {command}\n" in text


def test_the_architecture_names_files_that_exist() -> None:
    page = (DOCS / "architecture.md").read_text("utf-8")
    table = page.partition("## Where to look")[2].partition("##")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 20
    for row in rows:
        names = re.findall(r"`([\w/.]+)`", row.split(" | ", 1)[1])
        files = [name for name in names if "/" in name or name.endswith(".py")]
        assert files, row
        for name in files:
            assert (DOCS.parent / "layerexplain" / name).exists(), f"{name}: {row}"
