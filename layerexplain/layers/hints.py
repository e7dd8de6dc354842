"""Hints: sentences that answer what people ask about a layer where it stands, beside the formulas that they speak of.

`@hint("Dense")` declares a function that says something surprising about these shapes, or None. Nothing of this is
loaded before a layer is explained.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.layers.index import module_of
from layerexplain.layers.registry import find
from layerexplain.records import NamedTuple


class Reader(Protocol):
    """A layer that reads the output of another one."""

    @property
    def name(self) -> str: ...

    @property
    def type(self) -> str: ...


class LayerInModel(NamedTuple):
    """A layer in a model, as hints see it: its name, class and arguments as given, and what its first call computes.

    `params` is how many parameters it has, `expression` the Python expression that reaches it in Keras, and `trained`
    are the names of its weights that are trained. `source` is what the layer computes whose output it takes first, None
    for an input or where that is not known, and `readers` are the layers that read its output. `gradients` are the
    names of those that are printed for it (`dx`, `db`), none without --gradient.
    """

    name: str
    type: str
    config: Mapping[str, Any]
    definition: Definition
    params: int | None
    expression: str
    trained: frozenset[str]
    source: Definition | None
    readers: Sequence[Reader]
    gradients: Sequence[str]

    @property
    def x(self) -> Expr:
        """The first tensor that it takes."""
        return self.definition.params[0]

    @property
    def y(self) -> Expr:
        """Its first result."""
        return next(iter(self.definition.results.values()))

    def argument(self, name: str) -> Any:
        """Return an argument, its default where it is not given."""
        return self.definition.arguments.get(name)

    def gives(self, gradient: str) -> bool:
        """Whether this gradient is among those that are printed: `dx`, `db`."""
        return gradient in self.gradients


_FILES = ("keras.hints_of_layers", "keras.hints_compared")

Hint = Callable[[LayerInModel], str | None]

WATCH, CONVENTION, COUNT = "watch", "convention", "count"
"""Kinds of hints: what a tour says too, what compares with another framework, and what the line of parameters says."""

KINDS: dict[Hint, str] = {}
"""The kind of a hint that has one."""


class Hints(NamedTuple):
    """All hints for a layer, and those of each kind among them."""

    all: tuple[str, ...]
    watch: tuple[str, ...]
    conventions: tuple[str, ...]
    counts: tuple[str, ...]


NO_HINTS = Hints((), (), (), ())

HINTS: dict[str, list[Hint]] = {}
"""The hints of each layer type; they are said in the order of the files, and of the lines in each."""


EVERYWHERE: list[Hint] = []
"""The hints for layers of any type, which are said last."""

FACTS: dict[str, list[Hint]] = {}
"""What is worth knowing of the gradients of each layer type."""


def hint(*types: str, kind: str = "", among: dict[str, list[Hint]] = HINTS) -> Callable[[Hint], Hint]:
    """Declare a hint for layer types; `{}` stands for each rank of a layer that is declared for several. `kind` is
    WATCH or CONVENTION.

    Raises ValueError for a type that is not declared.
    """

    def declare(function: Hint) -> Hint:
        for pattern in types:
            names = [name for name in dict.fromkeys(pattern.format(rank) for rank in (1, 2, 3)) if module_of(name)]
            if not names:
                raise ValueError(f"a hint speaks of {pattern!r}, which is not declared")
            for name in names:
                among.setdefault(name, []).append(function)
        KINDS[function] = kind
        return function

    return declare


LONGEST_REMARK = 160
"""The most characters of a remark, where its sentences allow it."""


def remarks(texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts as remarks that say one thing each: one that is too long is split between its sentences.

    >>> remarks(["Ids are integers.", f"One is {'x' * 140}. It has shape (None, 5). The last one."])[2]
    'It has shape (None, 5). The last one.'
    """
    results: list[str] = []
    for text in texts:
        start = len(results)
        for sentence in _SENTENCES.split(text):
            if len(results) > start and len(results[-1]) + 1 + len(sentence) <= LONGEST_REMARK:
                results[-1] += f" {sentence}"
            else:
                results.append(sentence)
    return tuple(results)


_SENTENCES = re.compile(r"(?<=\.) (?=\S)")


def gradient_facts(place: LayerInModel) -> tuple[str, ...]:
    """Return what is worth knowing of the gradients of a layer."""
    importlib.import_module("layerexplain.layers.keras.hints_compared")
    return tuple([text for text in (function(place) for function in FACTS.get(place.type, ())) if text])


def hints(place: LayerInModel, *, is_own: bool = False) -> Hints:
    """Return the hints for a layer at its place in a model; one of someone's `own` has those for layers of any type.
    There are none for a layer whose parameters are not known: an argument that decides how many stands for another."""
    if not place.definition.params or place.params is None:
        return NO_HINTS
    _load()
    said = [
        (KINDS.get(function, ""), text)
        for function in (EVERYWHERE if is_own else _hints_for(place.type))
        if (text := function(place))
    ]
    kinds = [tuple([text for kind, text in said if kind == wanted]) for wanted in (WATCH, CONVENTION, COUNT)]
    return Hints(tuple([text for _, text in said]), *kinds)


def _load() -> list[str]:
    """Load the files of hints, and return their names."""
    return [importlib.import_module(f"layerexplain.layers.{name}").__name__ for name in _FILES]


@lru_cache(1000)
def _hints_for(type_: str) -> tuple[Hint, ...]:
    """Return the hints for a type of layers, in the order of the files; the order of imports does not matter."""
    declaration = find(type_)
    type_ = type_ if declaration is None else declaration.type
    files = _load()
    ordered = sorted(HINTS.get(type_, ()), key=lambda function: files.index(function.__module__))
    return (*ordered, *EVERYWHERE)
