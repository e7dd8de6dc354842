"""`check`: the rules over a model, over the arrays that it is to be trained on, and over a training step."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from layerexplain.checks.calls import activation_of
from layerexplain.checks.data import layer_of
from layerexplain.checks.findings import CheckReport
from layerexplain.checks.of_data import RunFact
from layerexplain.checks.rules import follow_rules
from layerexplain.errors import LayerExplainError, SourceError, in_a_row
from layerexplain.files.limits import MAX_INFLATED_BYTES
from layerexplain.frontends import model_of
from layerexplain.frontends.input_shapes import shapes_for
from layerexplain.frontends.own_layers import Code
from layerexplain.layers.keras.fit_data import suited_losses
from layerexplain.model import DataArray, InputShapes, InputShapesOf, Layer, Model, Note
from layerexplain.network.recorded_shapes import input_specs
from layerexplain.network.trace import trace_model
from layerexplain.ops.sizes import shape_text
from layerexplain.sources.regular_file import open_regular

_EXAMPLES = 32
"""The batch of `fit()` where nothing else is said."""

_STEPS, _PIXELS = 16, 64
"""Sizes for open axes: of sequences and of images."""

_PIECE = 1 << 20
_MOST_TEXT = 1 << 30
"""A .csv of more bytes is not read."""
_MOST_LINE, _MOST_NUMBERS = 1 << 22, 48 << 20
"""Neither is one with a line of more bytes, nor one with more numbers, which take 8 bytes each."""


def check(
    source: Model | Any,
    *,
    inputs: InputShapes | InputShapesOf | None = None,
    code: Code = (),
    select: str | Collection[str] = (),
    ignore: str | Collection[str] = (),
    budgets: Mapping[str, float] | None = None,
    weights: bool = False,
    data: Mapping[str, Any] | None = None,
    run: bool = False,
    seed: int = 0,
) -> CheckReport:
    """Look for mistakes in a model that Keras does not tell of, and in how its data fit.

    Args:
        source: What `read` takes, or a model that it returned.
        inputs: Shapes of inputs by name, without the batch, for those that the model leaves open.
        select: Codes of the rules to follow; all of them by default.
        ignore: Codes of rules to leave out.
        code: Files that say what custom layers of the source compute.
        budgets: The most that the model may have, by what is counted: `{"params": 5e6, "memory": 50e6}`, in bytes.
        weights: Whether the values of the weights are read, of a file or a live model, for the rules on them.
        data: The arrays that the model is to be trained on, as `{"X": …, "y": …}`, by the names of inputs and outputs
            where there are several: each an array, its shape as a tuple, or a file .npy, .npz or .csv.
        run: Whether one training step is run, on the first 32 examples of the data, or on random ones: which layers
            are dead or saturated, and whether gradients vanish or explode.
        seed: For weights that the source does not have.

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
    given = {name: _values(name, value) for name, value in (data or {}).items()}
    arrays = [value if isinstance(value, DataArray) else _array_of(name, value) for name, value in given.items()]
    model = model_of(source, code)
    facts, said = _step(source, model, inputs, given, seed) if run else ((), None)
    how: dict[str, Any] = {"inputs": inputs, "select": select, "ignore": ignore, "budgets": budgets}
    report = follow_rules(source, model, weights=weights, data=arrays, run=facts, **how)
    return report if said is None else report._replace(notes=(*report.notes, said))


def _step(
    source: Any, model: Model, inputs: InputShapes | InputShapesOf | None, given: Mapping[str, Any], seed: int
) -> tuple[Sequence[RunFact], Note]:
    """Run one training step, and return what it shows, and a note on what was run, or why nothing was."""
    from layerexplain.run.given_inputs import GivenInput
    from layerexplain.run.gradient_results import gradient_statistics
    from layerexplain.run.input_option import make_inputs

    loss = None if model.training is not None and model.training.losses else _usual_loss(model, inputs)
    try:
        names = [[ref.layer for ref in refs] for refs in (model.inputs, model.outputs)]
        every = {layer_of(name, *names): value for name, value in given.items()}
        own = {name: value for name, value in every.items() if not isinstance(value, DataArray)}
        drawn = make_inputs(model, sizes=_sizes(model, shapes_for(model, inputs), every), batch=_EXAMPLES)
        taken = [
            entry._replace(array=_examples(own[entry.name], entry.array.ndim)) if entry.name in own else entry
            for entry in drawn
        ]
        targets = {ref.layer: own[ref.layer][:_EXAMPLES] for ref in model.outputs if ref.layer in own}
        counts = {len(entry.array) for entry in taken}
        if len(counts) > 1 or any(len(target) not in counts for target in targets.values()):
            taken, targets = [GivenInput(entry.name, entry.array[: min(counts)], entry.origin) for entry in taken], {}
        trace = gradient_statistics(source, model, taken, targets or (), loss=loss, seed=seed)
    except LayerExplainError as error:
        return (), Note("not-run", None, f"no training step was run: {error.fact}")
    shown = [
        f"{entry.name} {shape_text(entry.shape)} ({entry.values})" for entry in (*trace.run.inputs, *trace.targets)
    ]
    losses = in_a_row(dict.fromkeys(term.type for term in trace.terms))
    return trace.facts, Note("run", None, f"one training step was run: {'; '.join(shown)}; {losses} {trace.loss:.4g}")


def _sizes(model: Model, given: InputShapes, data: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the sizes of inputs that are open: as they are given, or as the data have them, or usual ones."""
    results: dict[str, tuple[int, ...]] = {}
    for ref, spec in zip(model.inputs, input_specs(model, given), strict=True):
        if spec is None or None not in spec.shape[1:]:
            continue
        usual = _STEPS if len(spec.shape) < 4 else _PIXELS
        own = data.get(ref.layer)
        sizes = spec.shape[1:] if own is None or len(own.shape) != len(spec.shape) else own.shape[1:]
        pairs = zip(spec.shape[1:], sizes, strict=True)
        filled = [
            known if isinstance(known, int) else size if isinstance(size, int) else usual for known, size in pairs
        ]
        results[ref.layer] = tuple(filled)
    return {**{name: tuple(s for s in shape if isinstance(s, int)) for name, shape in given.items()}, **results}


def _examples(array: Any, rank: int) -> Any:
    """Return the first examples of an array, with the axis of size 1 that Keras adds at the end."""
    return (array[..., None] if array.ndim == rank - 1 else array)[:_EXAMPLES]


def _usual_loss(model: Model, inputs: InputShapes | InputShapesOf | None) -> Any:
    """Return the loss that fits the outputs of a model that is not compiled."""
    network = trace_model(model, shapes_for(model, inputs))
    result = {}
    for ref in model.outputs:
        call = network.call(ref)
        function = "" if call is None else activation_of(network, call)
        result[ref.layer] = suited_losses(function)[0]
    return next(iter(result.values())) if len(result) == 1 else result


def _values(name: str, given: Any) -> Any:
    """Return an array, that of a file, or a shape alone. Raises LayerExplainError for a file that cannot be read."""
    if isinstance(given, str | os.PathLike):
        return _read(os.fspath(given), name)
    if isinstance(given, tuple | list) and given and all(item is None or type(item) is int for item in given):
        return DataArray(name, tuple(given))
    import numpy as np

    return np.asarray(given)


def _array_of(name: str, array: Any) -> DataArray:
    """Return what rules look at in an array."""
    import numpy as np

    if array.dtype.kind not in "biuf" or not array.size:
        return DataArray(name, array.shape)
    odd, whole, is_binary, low, high = 0, True, True, float("inf"), float("-inf")
    flat = array.ravel("K")
    for start in range(0, flat.size, _PIECE):  # so that the memory is that of the array and little more
        part = flat[start : start + _PIECE]
        finite = part[np.isfinite(part)] if array.dtype.kind == "f" else part
        odd += int(part.size - finite.size)
        whole = whole and (array.dtype.kind != "f" or bool((finite == np.floor(finite)).all()))
        is_binary = is_binary and bool(((part == 0) | (part == 1)).all())
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if odd == array.size:
        return DataArray(name, array.shape, not_finite=odd)
    ones = None
    if array.ndim > 1 and not odd and is_binary:
        counts = array.sum(axis=-1)
        ones = float(counts.min()), float(counts.max())
    return DataArray(name, array.shape, low, high, whole, odd, ones)


def _read(path: str, name: str) -> Any:
    """Read an array of a file: .npy or .npz by its content, else a table of numbers by its ending."""
    if path.lower().endswith((".csv", ".tsv", ".txt")):
        return _table(path)
    from layerexplain.run.given_inputs import ModelInput
    from layerexplain.run.input_option import read_for

    if not os.path.exists(path):
        raise SourceError(f"no such file; or give the shape: --data {name}=100,9", source=path)
    if not path.lower().endswith((".npy", ".npz")):
        raise SourceError(f"is not an .npy, .npz or .csv file; or give the shape: --data {name}=100,9", source=path)
    return read_for(path, [ModelInput(Layer(name, "InputLayer", "layer", {}))], MAX_INFLATED_BYTES)[name]


def _table(path: str) -> Any:
    """Read numbers in rows, with or without a line of names above. `numpy.genfromtxt` takes 600 bytes for each."""
    from array import array

    import numpy as np

    numbers, width, mark, count = array("d"), 0, "", 0
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > _MOST_TEXT:
                raise SourceError("is too large for a text file; save it with numpy.save", source=path)
            while line := file.readline(_MOST_LINE + 1):
                text, count = line.decode("utf-8", "replace").partition("#")[0].strip("\r\n "), count + 1
                mark = mark or ("\t" if "\t" in text else ";" if ";" in text and "," not in text else ",")
                if not text:
                    continue
                cells = text.split(mark)
                if len(line) > _MOST_LINE or len(numbers) + len(cells) > _MOST_NUMBERS:
                    raise SourceError("has too many numbers for a text file; save it with numpy.save", source=path)
                width = width or len(cells)
                if len(cells) != width:
                    message = f"line {count:,} has {len(cells):,}, the first one {width:,}"
                    raise SourceError(f"is not a table with equally many numbers in each row: {message}", source=path)
                numbers.extend(map(_number, cells))
    except SourceError as error:
        raise error.with_place(source=path) from None
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", source=path) from None
    rows = np.frombuffer(numbers) if numbers else np.zeros(0)
    rows = rows.reshape(-1, width) if width > 1 and len(rows) > width else rows
    has_names = rows.ndim and len(rows) > 1 and np.isnan(rows[0]).all()
    return rows[1:] if has_names else rows


def _number(cell: str) -> float:
    """Return the number in a cell, NaN for a text."""
    try:
        return float(cell)
    except ValueError:
        return float("nan")
