"""What the pages of docs/ say is so. That generated pages are current, `make lint` asks."""

import doctest
import inspect
import re
from collections.abc import Collection

import pytest

import layerexplain
from layerexplain.cli.main import COMMANDS
from layerexplain.frontends.spec.document import read_yaml_spec
from layerexplain.frontends.spec.items import TYPE_KEYS, WISHES
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
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


@pytest.mark.parametrize(
    ("title", "count"), [("Where to look", range(20, 31)), ("Twenty questions of a newcomer", [20])]
)
def test_the_architecture_names_files_that_exist(title: str, count: Collection[int]) -> None:
    page = (DOCS / "internals" / "architecture.md").read_text("utf-8")
    table = page.partition(f"## {title}\n")[2].partition("##")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) in count
    for row in rows:
        names = re.findall(r"`([\w/.]+)`", row.split(" | ", 1)[1])
        files = [name for name in names if "/" in name or name.endswith(".py")]
        assert files, row
        for name in files:
            folder = DOCS.parent if name.startswith("scripts/") else DOCS.parent / "layerexplain"
            assert (folder / name).exists(), f"{name}: {row}"


# From Python -----------------------------------------------------------------------------------------------------

PYTHON_PAGE = (DOCS / "python.md").read_text("utf-8")
FUNCTIONS = [name for name in layerexplain.__all__ if inspect.isfunction(getattr(layerexplain, name))]


def run_examples(text: str) -> doctest.TestResults:
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(text, {}, "python.md", "docs/python.md", 0))
    return runner.summarize()


@pytest.mark.slow
def test_the_examples_of_the_page_on_python_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DOCS.parent)
    assert run_examples(PYTHON_PAGE).failed == 0


@pytest.mark.keras
def test_the_examples_of_the_page_on_python_that_need_keras_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DOCS.parent)
    with_keras = "\n".join(line for line in PYTHON_PAGE.splitlines() if "+SKIP" in line or "DIGITS = " in line)
    text = f">>> import layerexplain\n{with_keras.replace('  # doctest: +SKIP', '')}\nTrue\n"
    assert run_examples(text) == (0, 4)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_is_on_the_page_and_says_what_it_takes(name: str) -> None:
    assert len(FUNCTIONS) > 20 and re.search(rf"layerexplain\.{name}\(", PYTHON_PAGE)
    function = getattr(layerexplain, name)
    text = inspect.getdoc(function) or ""
    wanted = ["Returns:", "Raises:", ">>> "] if name != "optimizers" else ["Returns:", ">>> "]
    assert [part for part in wanted if part not in text] == []
    arguments = text.partition("Args:")[2].partition("Returns:")[0]
    for parameter in inspect.signature(function).parameters:
        assert re.search(rf"\b{parameter}\b", arguments), parameter
