"""Modules that import each other, at their top or in their functions: which circles there are, and why each is left."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "layerexplain"

LARGEST = 3
"""How many files may be in a circle."""

REASONS: dict[str, str] = {
    "checks.of_faults, checks.rules": "the rules of faults are rules, and what `check` leaves to them it asks by their codes",
    "frontends.hugging_face.safetensors, frontends.keras.weight_files": "a safetensors file is a file of weights, found with the others",
    "lang.expr, lang.opaque": "a constant of too many numbers is an op, loaded where there is one",
    "layers.operation_table, layers.registry": "a row is registered by its name alone, and its formula is made when it is found",
    "ops.movement, ops.reduce": "a sum goes back by a new axis, and mirrored padding and copies by a sum",
    "oracle.comparison, oracle.gradients": "gradients are compared for calls that agree, and are a comparison of such a call",
    "render.documents.explanation, render.documents.tour": "a tour is the short form of an explanation, made of its sections",
    "report.architecture, report.normal_form": "an architecture is compared in a normal form, in which a nested model is its architecture",
    "run.gradients, run.trace, run.traced_step": "`trace` with gradients is a training step, which is a trace of a model that runs",
    "sources.regular_file, sources.remote": "an archive lies where any file does, behind a URL too, and is a place of files itself",
}
"""The circles that are left → why. A row for what is no circle any more is a fault, too."""


_FOR_TYPES = re.compile(r"^( *)if TYPE_CHECKING:\n(?:\1 +.*\n|\n)+", re.M)
_IMPORT = re.compile(r"^ *((?:from [\w.]+ import (?:\([^)]*\)|[^(\n]+))|import .+)$", re.M)


def imports_in(text: str, *, types: bool = False) -> Iterator[str]:
    """Yield what the imports of a module may load when it runs, with `types` those for its annotations too: `from a
    import b` names `a.b`, which is a module or a name in `a`. Only the statements that import are parsed: the package has more than 100,000 lines."""
    statements = map(str.strip, _IMPORT.findall(text if types else _FOR_TYPES.sub("", text)))
    for node in ast.parse("\n".join(statements)).body:
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def imports_of_package(*, types: bool = False) -> dict[str, set[str]]:
    """Return the modules of the package that each of them imports, with `types` those for annotations too."""
    modules = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        modules[name] = path.read_text(encoding="utf-8")
    return {
        name: {one if one in modules else one.rpartition(".")[0] for one in imports_in(text, types=types)}
        & modules.keys() - {name}
        for name, text in modules.items()
    }


def circles(graph: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return the modules that reach each other."""
    left = {name: set(others) for name, others in graph.items()}
    while ends := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others - ends for name, others in left.items() if name not in ends}
    reached = {name: _reached(name, left) for name in left}
    found = {name: [other for other in reached[name] if name in reached[other]] for name in left}
    return [sorted(circle) for name, circle in sorted(found.items()) if len(circle) > 1 and name == min(circle)]


def _reached(name: str, graph: Mapping[str, Collection[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = [other for other in graph[waiting.pop()] if other in graph and other not in found]
        found.update(new)
        waiting += new
    return found


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": "b", "b": "c", "c": ""}, []),
        ({"a": "b", "b": "c", "c": "a", "d": "a"}, [["a", "b", "c"]]),
        ({"a": "b", "b": "ac", "c": "d", "d": "c"}, [["a", "b"], ["c", "d"]]),
        ({"z": "a", "a": "b", "b": "ay", "y": ""}, [["a", "b"]]),
        ({"a": "bc", "b": "d", "c": "d", "d": "a"}, [["a", "b", "c", "d"]]),
    ],
)
def test_circles_are_found(graph: dict[str, str], expected: list[list[str]]) -> None:
    assert circles(graph) == expected


def test_imports_are_found_wherever_they_stand() -> None:
    text = (
        "import a.b\nfrom c import d as e, f  # g\nif TYPE_CHECKING:\n  from g import (\n    h,\n  )\n\nfrom i import (\n"
        "  j,\n  k,\n)\ndef l():\n  if m:\n    from n import o\nclass P:\n  import q\n'from r import s'\n"
    )
    assert sorted(imports_in(text)) == ["a.b", "c.d", "c.f", "i.j", "i.k", "n.o", "q"]
    assert sorted({*imports_in(text, types=True)} - {*imports_in(text)}) == ["g.h"]


def test_circles_of_imports_are_small_and_have_their_reasons() -> None:
    graph = imports_of_package()
    assert "layerexplain.ops.movement" in graph["layerexplain.ops.reduce"] and len(graph) > 400
    found = [[name.removeprefix("layerexplain.") for name in circle] for circle in circles(graph)]
    assert not [circle for circle in found if len(circle) > LARGEST]
    left = set(map(", ".join, found))
    assert not left - REASONS.keys(), "move what both need below both, or say in REASONS why the circle is left"
    assert not REASONS.keys() - left, "these are no circles any more"


def test_circles_are_as_small_with_annotations_counted_and_the_reader_of_code_has_none() -> None:
    graph = imports_of_package(types=True)
    assert not [circle for circle in circles(graph) if len(circle) > LARGEST]
    within = {name: others for name, others in graph.items() if name.startswith("layerexplain.frontends.code")}
    assert len(within) > 40 and "layerexplain.frontends.code.values.base" in graph["layerexplain.frontends.code.reader"]
    assert not circles({name: others & within.keys() for name, others in within.items()})
