"""What is known of each layer class of Keras: declared or opaque, evaluated at inference or not, and why."""

import random
from typing import NamedTuple

from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Marker
from layerexplain.lang.visit import inner_definitions, nodes
from layerexplain.layers.index import family_of
from layerexplain.layers.keras.opaque_layers import OPERATIONS, REASONS
from layerexplain.layers.registry import find
from tests.cases import CASES, DRAWS, Case
from tests.support.keras_oracle import trace_case
from tests.support.paths import TESTS

KERAS_VERSION = "3.15.1"

BY_THE_WALK = {"InputLayer": "the model's own input, which no layer computes"}
"""Classes that the walk through a model knows without a declaration."""

REMARKS = {
    "Lambda": "its code is never read",
    "RandomCrop": "as Keras says in words and shapes; Keras 3.15 itself hands the whole image on",
    "IntegerLookup": "where the vocabulary stands in the configuration and is not inverted or hashed",
    "Discretization": "where the boundaries stand in the configuration",
    "MaxNumBoundingBoxes": "images; boxes come beside them in a mapping",
}
"""What there is to say of a declared class."""

APART = [Case("RandomCrop", {"height": 4, "width": 3}, ((7, 5, 3),))]
"""Rows that are not in the table of cases, since Keras contradicts itself on them."""

TRIED = 6
"""Draws that decide whether a class passes its input on."""


class Coverage(NamedTuple):
    """A row of docs/internals/coverage.md."""

    name: str
    module: str
    declared: bool
    evaluated: bool
    identity: bool
    why: str


def keras_layers() -> list[str]:
    """The names of all layer classes that `keras.layers` exports, each once."""
    return (TESTS / "truth" / "keras_layers.txt").read_text("utf-8").split()


def definitions_of(type_: str) -> list[Definition]:
    """The rows and some draws of a type, traced; configurations that are refused are left out."""
    cases = [case for case in (*CASES, *APART) if case.type == type_]
    if type_ in DRAWS:
        cases += [DRAWS[type_](random.Random(f"{type_}{seed} covered")) for seed in range(TRIED)]
    found = []
    for case in cases:
        try:
            found.append(trace_case(case, fixed=True))
        except LayerExplainError:
            continue
    return found


def is_evaluated(definition: Definition) -> bool:
    """Whether every op of the formula has a value."""
    bodies = [definition, *inner_definitions(definition)]
    structural = {"call", "loop", "item", "input", "weight", "constant"}
    return not any(
        isinstance(node.op.evaluate, Marker) and node.op.name not in structural
        for body in bodies
        for node in nodes(body)
    )


def is_identity(definition: Definition) -> bool:
    """Whether the only result is the first parameter, at most with its numbers as floats."""
    results = list(definition.results.values())
    if len(results) != 1 or not definition.params:
        return False
    y = results[0]
    return y is definition.params[0] or (y.op.name == "cast" and y.args[0] is definition.params[0])


def coverage_rows() -> list[Coverage]:
    """A row for each layer class of Keras, in alphabetical order."""
    rows = []
    for name in keras_layers():
        if name in BY_THE_WALK:
            rows.append(Coverage(name, "", True, True, True, BY_THE_WALK[name]))
            continue
        if find(name) is None:
            rows.append(Coverage(name, "", False, False, False, REASONS.get(name, "")))
            continue
        definitions = definitions_of(name)
        evaluated = bool(definitions) and all(map(is_evaluated, definitions))
        identity = evaluated and all(map(is_identity, definitions))
        why = REMARKS.get(name, "acts in training only" if identity else "")
        rows.append(Coverage(name, family_of(name), True, evaluated, identity, why))
    return rows


def keras_operations() -> list[str]:
    """The names of all classes of operations in `keras.src.ops`, in alphabetical order."""
    return (TESTS / "truth" / "keras_operations.txt").read_text("utf-8").split()


def operation_rows() -> list[Coverage]:
    """A row for each class of operation of Keras."""
    rows = []
    for name in keras_operations():
        declaration = find(f"ops.{name}")
        why = OPERATIONS.get(name, "")
        module = family_of(f"ops.{name}")
        rows.append(Coverage(name, module, declaration is not None, declaration is not None, False, why))
    return rows
