"""`check`: the rules over a model, over the arrays that it is to be trained on, and over a step of training."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from layerexplain.checks import rules
from layerexplain.checks.data import DataArray
from layerexplain.checks.findings import CheckReport
from layerexplain.errors import SourceError
from layerexplain.frontends.own_layers import Code
from layerexplain.model import InputShapes, InputShapesOf, Layer, Model

_MOST_TEXT = 1 << 30
"""A .csv of more bytes is not read."""


def check(
    source: Model | Any,
    *,
    inputs: InputShapes | InputShapesOf | None = None,
    code: Code = (),
    select: str | Collection[str] = (),
    ignore: str | Collection[str] = (),
    budgets: Mapping[str, float] | None = None,
    weights: bool = False,
    data: Mapping[str, Any] | Sequence[DataArray] = (),
) -> CheckReport:
    """Look for mistakes in a model that Keras does not tell of, and in how its data fit.

    Args:
        source: What `read` takes, or a model that it returned.
        inputs: Shapes of inputs by name, without the batch, for those that the model leaves open.
        select: Codes of the rules to follow; all of them by default.
        ignore: Codes of rules to leave out.
        code: Files that say what own layers of the source compute.
        budgets: The most that the model may have, by what is counted: `{"params": 5e6, "memory": 50e6}`, in bytes.
        weights: Whether the values of the weights are read, of a file or a live model, for the rules on them.
        data: The arrays that the model is to be trained on, as `{"X": …, "y": …}`, by the names of inputs and outputs
            where there are several: each an array, its shape as a tuple, or a file .npy, .npz or .csv.

    Returns:
        The findings, the most severe first and then in the order of the layers, and notes on the layers that no rule
        could look at.

    Raises:
        LayerExplainError: The source or a file of data cannot be read, or a code or a name of data is unknown.

    >>> spec = b"input: [null, 9]\\nlayers:\\n  - LSTM: 4\\n  - Dense: 3\\nloss: mse\\n"
    >>> print(check(spec, data={"X": (100, 9)})[0].message)
    fit() needs X of shape (examples, steps, 9); yours is (100, 9). `X = X[:, None, :]` makes each example one step; \
`X = X[None]` makes all of it one example of 100 steps
    """
    arrays = [given_array(name, one) for name, one in data.items()] if isinstance(data, Mapping) else data
    how: dict[str, Any] = {"inputs": inputs, "code": code, "select": select, "ignore": ignore}
    return rules.check(source, budgets=budgets, weights=weights, data=arrays, **how)


def given_array(name: str, given: Any) -> DataArray:
    """Return what rules look at in an array, a shape, or a file. Raises LayerExplainError for what cannot be read."""
    if isinstance(given, str | os.PathLike):
        return _array_of(name, _read(os.fspath(given), name))
    if isinstance(given, tuple | list) and given and all(one is None or type(one) is int for one in given):
        return DataArray(name, tuple(given))
    return _array_of(name, given)


def _array_of(name: str, given: Any) -> DataArray:
    import numpy as np

    array = np.asarray(given)
    if array.dtype.kind not in "biuf" or not array.size:
        return DataArray(name, array.shape)
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    odd = int(array.size - finite.size)
    if not finite.size:
        return DataArray(name, array.shape, not_finite=odd)
    whole = array.dtype.kind != "f" or bool((finite == np.floor(finite)).all())
    return DataArray(name, array.shape, float(finite.min()), float(finite.max()), whole, odd)


def _read(path: str, name: str) -> Any:
    if path.lower().endswith((".csv", ".tsv", ".txt")):
        return _table(path)
    from layerexplain.run.given_inputs import ModelInput
    from layerexplain.run.input_option import read_for

    try:
        return read_for(path, [ModelInput(Layer(name, "InputLayer", "layer", {}))])[name]
    except SourceError as error:
        if "is not an .npy" in error.fact or "no such file" in error.fact:
            fact = f"{error.fact.partition(';')[0].partition(',')[0].removesuffix(' is not an .npy')}"
            raise SourceError(
                f"{'no such file' if 'no such' in fact else 'is not an .npy, .npz or .csv file'}; "
                f"or give the shape: --data {name}=100,9",
                source=path,
            ) from None
        raise


def _table(path: str) -> Any:
    """Read numbers in rows, with or without a line of names above."""
    import numpy as np

    try:
        if os.path.getsize(path) > _MOST_TEXT:
            raise SourceError("is too large a table; save it with numpy.save", source=path)
        with open(path, encoding="utf-8", errors="replace") as file:
            first = file.readline()
            mark = "\t" if "\t" in first else ";" if ";" in first and "," not in first else ","
            rows = np.genfromtxt([first, *file], delimiter=mark, dtype="float64", autostrip=True)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", source=path) from None
    except ValueError as error:
        raise SourceError(f"is not a table of numbers: {str(error).strip().splitlines()[0]}", source=path) from None
    if rows.ndim and len(rows) > 1 and np.isnan(rows[0]).all():
        rows = rows[1:]
    return rows
