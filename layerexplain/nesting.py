"""How inputs and outputs nest in lists and mappings: in Keras's order, in calls of a model, in what it returns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layerexplain.model import replaced


def formed(form: Any, values: Sequence[Any]) -> Any:
    """Return what stands for inputs or outputs in the form of all: one alone, several as a list, or as the form says.

    >>> formed(None, ["x"]), formed([0], ["x"]), formed({"a": 1, "b": 0}, ["x", "y"])
    ('x', ['x'], {'a': 'y', 'b': 'x'})
    """
    if form is None:
        return values[0] if len(values) == 1 else [*values]
    return replaced(form, int, lambda number: values[number])


def form_of(value: Any, is_tensor: Callable[[Any], bool], *, keras3: bool) -> Any:
    """Return how lists and mappings nest tensors, as `Model.output_form` says it: the numbers follow Keras's order,
    that of sorted keys. Before Keras 3 a list of one tensor is that tensor.

    >>> form_of({"b": "y", "a": ["x"]}, lambda one: isinstance(one, str), keras3=True)
    {'b': 1, 'a': [0]}
    >>> print(form_of(["x"], lambda one: isinstance(one, str), keras3=False))
    None
    """
    count = itertools.count()

    def numbered(value: Any) -> Any:
        if is_tensor(value):
            return next(count)
        if isinstance(value, dict):
            numbers = {name: numbered(value[name]) for name in sorted(value)}
            return {name: numbers[name] for name in value}
        return [numbered(item) for item in value]

    form = numbered(value)
    is_usual = isinstance(form, int) or (form == [*range(len(form))] and (len(form) != 1 or not keras3))
    return None if is_usual else form


def in_model_order(given: Any, form: Any, names: Sequence[str]) -> Any:
    """Return what a nested model is called with in the order of its inputs, as a list where it is given by name.

    Args:
        given: The first argument of the call.
        form: How the model nests its inputs.
        names: The names of its inputs.

    >>> in_model_order({"b": 1, "a": 2}, None, ["b", "a"]), in_model_order({"b": 1, "a": 2}, {}, ["x", "y"])
    ([1, 2], [2, 1])
    """
    if not isinstance(given, Mapping):
        return given
    if not isinstance(form, Mapping) and set(names) <= given.keys():
        return [given[name] for name in names]
    results: list[Any] = []
    waiting: list[Any] = [given]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting += [item[key] for key in sorted(item, reverse=True)]
        elif type(item) in (list, tuple):
            waiting += item[::-1]
        else:
            results.append(item)
    return results


def path_in(form: Any, number: int) -> tuple[int | str, ...] | None:
    """Return the keys that lead to an input or an output in the form of all; None where it is not in there.

    >>> path_in({"mean": 0, "rest": [1, 2]}, 2), path_in([0], 0), path_in(0, 0)
    (('rest', 1), (0,), ())
    """
    if isinstance(form, int):
        return () if form == number else None
    entries = form.items() if isinstance(form, Mapping) else enumerate(form)
    result = ((key, path_in(item, number)) for key, item in entries)
    return next(((key, *rest) for key, rest in result if rest is not None), None)
