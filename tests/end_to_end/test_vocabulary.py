"""The names of the package: the field's words, and one meaning for each."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT

FORBIDDEN = frozenset({"told", "made", "held", "fed", "hot", "quiet", "births", "rely", "lent"})
"""Words that name nothing: each of them has stood for several things."""

MOST_USED_TWICE = 10
"""How many names of classes may stand for more than one of them."""

PACKAGE = ROOT / "layerexplain"
PACKAGES = sorted({path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")})


@cache
def names_of(path: Path) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the names that stand in a module, and those of its classes; a module is parsed once for both."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    return frozenset(names_in(nodes)), tuple(node.name for node in nodes if isinstance(node, ast.ClassDef))


def names_in(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield every name that nodes give or use, without underscores around it."""
    for node in nodes:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name.strip("_")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name.strip("_")
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name.strip("_")
            case ast.Global(names=several) | ast.Nonlocal(names=several):
                yield from (name.strip("_") for name in several)
            case ast.alias(name=name, asname=other):
                yield (other or name).rpartition(".")[2].strip("_")
            case _:
                pass


def modules_of(package: str) -> list[Path]:
    """Return the files of a package, or the one file, without those of the folders in it that are not clean yet."""
    if package.endswith(".py"):
        return [PACKAGE / package]
    return sorted((PACKAGE / package).rglob("*.py"))


def test_all_kinds_of_names_are_seen() -> None:
    text = (
        "import a.made\nfrom b import c as made\nclass made: pass\ndef made(made, *, _made): return made\nx.made\n"
        "f(made=1)\n[made for made in y]\ntry: pass\nexcept E as made: pass\ndef g():\n  nonlocal made\n"
        "match z:\n  case made: pass\n  case [*made]: pass\n"
    )
    assert [*names_in(ast.walk(ast.parse(text)))].count("made") == 15
    assert "made" not in names_in(ast.walk(ast.parse("'made'  # made\nremade = {'made': 1}")))


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_the_words_of_the_field(package: str) -> None:
    words = {path.relative_to(ROOT).as_posix(): FORBIDDEN & names_of(path)[0] for path in modules_of(package)}
    assert {path: sorted(found) for path, found in words.items() if found} == {}


def test_names_of_classes_stand_for_one_class() -> None:
    names = Counter(name for path in PACKAGE.rglob("*.py") for name in names_of(path)[1])
    assert len(twice := sorted(name for name, count in names.items() if count > 1)) <= MOST_USED_TWICE, twice
