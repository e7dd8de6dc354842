"""The pages of docs/ that are made from the code say what the code says now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from layerexplain.cli.main import COMMANDS

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


def test_the_cli_reference_has_every_command() -> None:
    text = (DOCS / "cli.md").read_text("utf-8")
    for command in COMMANDS:
        assert f"## layerexplain {command}\n" in text
