"""The element forms of layers as data, made once for each definition: what a page draws of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

from layerexplain.derive.element.data import element_data
from layerexplain.derive.element.form import ElementForm, element_form
from layerexplain.derive.element.text import TooManyLines, inline_calls
from layerexplain.lang.definition import Definition
from layerexplain.network.traced import Network, TracedCall
from layerexplain.records import NamedTuple

MOST_TENSORS = 100
"""A layer that takes more tensors is explained in short: nobody reads a sum of a thousand terms."""


class ElementOf:
    """The element form of a call as data, made when it is asked for. It takes no part in comparisons of reports, and a
    copy for another process has the data alone."""

    __slots__ = ("_data", "_definition")

    def __init__(self, definition: Definition | None) -> None:
        self._definition = definition
        self._data: dict[str, Any] | None = None

    def data(self) -> dict[str, Any] | None:
        """Return the form as derive/element/data.py says; None for a call without one."""
        if self._definition is not None:
            return form_data(self._definition)
        return self._data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ElementOf)

    def __hash__(self) -> int:
        return 0

    def __getstate__(self) -> Any:
        return self.data()

    def __setstate__(self, data: Any) -> None:
        self._definition, self._data = None, data


class FormTable:
    """Different forms, each once, with a number."""

    def __init__(self) -> None:
        self.data: list[dict[str, Any]] = []
        self._numbers: dict[str, int] = {}
        self._known: dict[int, int] = {}

    def number(self, form: dict[str, Any] | None) -> int | None:
        """Return the number of a form, which is added if it is new; None for None."""
        if form is None:
            return None
        if id(form) in self._known and self.data[self._known[id(form)]] is form:
            return self._known[id(form)]
        text = json.dumps(form, separators=(",", ":"), default=str)  # a size that is open is its mark
        if text not in self._numbers:
            self._numbers[text] = self._known[id(form)] = len(self.data)
            self.data.append(form)
        return self._numbers[text]


class ElementForms(NamedTuple):
    """The forms of a network: `data` has different ones; `calls` has, by the path of a layer, the number of the form of
    each of its calls, None for a call without one. `forms` are those that `data` was made of."""

    data: tuple[dict[str, Any], ...]
    calls: Mapping[str, tuple[int | None, ...]]
    forms: tuple[ElementForm, ...]


def element_forms(network: Network, table: FormTable | None = None) -> ElementForms:
    """Return the element forms of all calls in a network, with templates of numbers; nested models are taken at their
    first call. They are added to `table`, if it is given."""
    table = FormTable() if table is None else table
    forms: list[ElementForm] = []
    known: dict[Definition, int | None] = {}
    calls: dict[str, list[tuple[int, int | None]]] = {}
    for path, traced in calls_in(network, ()):
        definition = traced.definition
        if definition is None or definition.kind != "layer" or traced.built:
            continue
        if definition not in known:
            form = form_of(definition.without_masks())
            known[definition] = table.number(None if form is None else element_data(form, numbers=True))
            if form is not None and len(table.data) > len(forms):
                forms.append(form)
        calls.setdefault("/".join(path), []).append((traced.call.index, known[definition]))
    ordered = {path: tuple([number for _, number in sorted(own, key=itemgetter(0))]) for path, own in calls.items()}
    return ElementForms(tuple(table.data), ordered, tuple(forms))


@lru_cache(maxsize=256)
def form_data(definition: Definition) -> dict[str, Any] | None:
    """Return the element form of a layer as data; None where it has none that anybody would read."""
    form = form_of(definition.without_masks())
    return None if form is None else element_data(form)


def form_of(definition: Definition) -> ElementForm | None:
    """Return the element form of a layer without calls; None for one with very many tensors or lines."""
    if definition.kind != "layer" or len(definition.params) > MOST_TENSORS:
        return None
    try:
        return inline_calls(element_form(definition))
    except TooManyLines:
        return None


def calls_in(network: Network, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], TracedCall]]:
    """Yield the calls of a network and of the nested models in it, each of them at its first call."""
    entered: set[str] = set()
    for traced in network.calls:
        here = (*path, traced.call.layer)
        yield here, traced
        if traced.network is not None and traced.call.layer not in entered:
            entered.add(traced.call.layer)
            yield from calls_in(traced.network, here)
