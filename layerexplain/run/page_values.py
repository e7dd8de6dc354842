"""The values of a run that a page shows: whole arrays as far as a budget goes, pictures, and the spread of weights.

Everything is of the first example. Arrays are written as little-endian float32, int32 or bytes in base64.
"""

from __future__ import annotations

import math
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from layerexplain.derive.cost import Costs
from layerexplain.derive.element.form import ElementForm, ElementLine
from layerexplain.derive.element.value import ArrayFrame
from layerexplain.derive.evaluate import Evaluation
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.frontends.keras.weight_tensors import statistics
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.scalar import Letter
from layerexplain.model import Model
from layerexplain.network.traced import Network
from layerexplain.records import NamedTuple
from layerexplain.report.element_forms import ElementForms, calls_in, element_forms
from layerexplain.run.activations import Activation, ModelRun
from layerexplain.run.arrays import computed_in
from layerexplain.run.given_inputs import given_inputs, inputs_of
from layerexplain.run.initializers import draw_inputs
from layerexplain.run.trace import ready
from layerexplain.run.trace_report import Run
from layerexplain.run.weight_source import Origin, WeightSource

# Page values --------------------------------------------------------------------------------------------------------

MOST_BYTES = 8_000_000
"""The budget, unless told otherwise: bytes of all arrays together, before they are written in base64."""

_MOST_TILES = 12
_TILE = 28
"""A picture has so many tiles, and each so many cells along an axis at most."""

_BINS = 24


class LayerValues(NamedTuple):
    """The values of a layer. `numbers` has, for each call, by the number of a tensor or line in its form, the number of
    its array; empty for a call without them. `pictures` are tiles of the first call's results, `spreads` the
    distribution of each weight. `left` says what is left out."""

    numbers: tuple[Mapping[int, int], ...]
    pictures: tuple[dict[str, Any], ...]
    spreads: tuple[dict[str, Any], ...]
    left: str


class PageValues(NamedTuple):
    """The values of a run for a page: its facts, the element forms at the shapes of its inputs, the arrays, and what
    layers have of them, by their paths. `left` are the paths of layers that are wanted and have no numbers."""

    run: Run
    forms: ElementForms
    arrays: tuple[dict[str, Any], ...]
    layers: Mapping[str, LayerValues]
    left: tuple[str, ...]
    budget: int


def page_values(
    source: Any, model: Model, inputs: Any, *, wanted: Callable[[str], bool] | None = None, budget: int = MOST_BYTES
) -> PageValues:
    """Run a model as `trace` does, and keep what a page shows.

    Args:
        source: What the weights are read from: whatever `read` takes.
        model: What `read` gave for it.
        inputs: What the inputs get: as `trace` takes it.
        wanted: Which layers have values, by their paths; all if it is not given.
        budget: How many bytes the arrays may have. Layers that need little come first.

    Raises:
        LayerExplainError: with the source's name.
    """
    with ready(source, inputs, model=model) as running:
        forms = element_forms(running.activations.network)
        chosen = _chosen(running.activations.network, forms, wanted, budget)
        kept = _PageArrays()
        layers: dict[str, LayerValues] = {}
        left: list[str] = []
        room = budget // 2
        for step in running.steps():
            if wanted is not None and not wanted(step.name):
                continue
            numbers, why = _numbers(step, forms, chosen, kept)
            known = layers.get(step.name)
            if known is not None:
                layers[step.name] = known._replace(numbers=(*known.numbers, numbers))
                continue
            form = _form(forms, step.name, step.call)
            pictures = tuple(_pictures(step, form) if not numbers and not step.refusal and room > 0 else ())
            spreads = tuple(_spreads(step) if room > 0 else ())
            room -= sum([len(picture["data"]) for picture in (*pictures, *spreads)])
            layers[step.name] = LayerValues((numbers,), pictures, spreads, why)
            if why:
                left.append(step.name)
        facts = running.facts()
    return PageValues(facts, forms, tuple(kept.arrays), layers, tuple(left), budget)


def shared_values(models: Sequence[Model], inputs: Any) -> list[dict[str, Any]]:
    """Return what each of several models gets where the first one gets `inputs`: the same arrays, in the order of the
    inputs. Raises ArgumentError if a model does not take them."""
    arrays = [entry.array for entry in given_inputs(models[0], inputs)]
    values = []
    for model in models:
        names = [model_input.name for model_input in inputs_of(model)]
        if len(names) != len(arrays):
            raise ArgumentError(f"both models need as many inputs as have values: {len(arrays)}, got {len(names)}")
        values.append(dict(zip(names, arrays, strict=True)))
    return values


def shapes_of(model: Model, inputs: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of inputs, by name and without the batch, from what `page_values` takes."""
    return {entry.name: tuple(entry.array.shape[1:]) for entry in given_inputs(model, inputs)}


# Which calls have their numbers -------------------------------------------------------------------------------------


def _chosen(
    network: Any, forms: ElementForms, wanted: Callable[[str], bool] | None, budget: int
) -> set[tuple[str, int]]:
    """Return the calls whose arrays fit the budget together, those that need least first."""
    needs: list[tuple[int, int, tuple[str, int]]] = []
    for path, traced in calls_in(network, ()):
        name = "/".join(path)
        form = _form(forms, name, traced.call.index)
        if form is not None and (wanted is None or wanted(name)):
            needs.append((_bytes(form), len(needs), (name, traced.call.index)))
    chosen = set()
    for need, _, key in sorted(needs):
        if need <= budget:
            budget -= need
            chosen.add(key)
    return chosen


def _form(forms: ElementForms, name: str, call: int) -> ElementForm | None:
    numbers = forms.calls.get(name, ())
    number = numbers[call] if call < len(numbers) else None
    return None if number is None else forms.forms[number]


def _bytes(form: ElementForm) -> int:
    shapes = [leaf.shape for leaf in form.definition.leaves]
    sizes = [math.prod([size if isinstance(size, int) else 1 for size in shape]) for shape in shapes]
    lines = [math.prod([letter.size or 1 for letter in line.letters]) for line in _own_lines(form)]
    return 4 * sum([*sizes, *lines])


def _own_lines(form: ElementForm) -> list[ElementLine]:
    return [line for line in form.lines if line in form.nodes and line.value is not None]


# Their arrays -------------------------------------------------------------------------------------------------------


class _PageArrays:
    """The arrays of a page, each once."""

    def __init__(self) -> None:
        self.arrays: list[dict[str, Any]] = []
        self._numbers: dict[int, int] = {}
        self._alive: list[Any] = []

    def number(self, array: Any, batched: bool) -> int:
        """Return the number of an array; of one that is `batched` the first example is kept."""
        if id(array) not in self._numbers:
            self._alive.append(array)  # as long as it is, no other array has its id
            self._numbers[id(array)] = len(self.arrays)
            self.arrays.append(packed(array[:1] if batched else array))
        return self._numbers[id(array)]


def packed(array: Any) -> dict[str, Any]:
    """Return an array as data: its shape, the kind of its numbers (f, i or b) and its bytes in base64.

    >>> import numpy as np
    >>> packed(np.array([[1.0, 2.0]]))
    {'shape': [1, 2], 'kind': 'f', 'data': 'AACAPwAAAEA='}
    """
    import numpy as np

    kind = {"b": "b", "i": "i", "u": "i"}.get(array.dtype.kind, "f")
    with np.errstate(over="ignore", invalid="ignore"):
        values = array.astype({"b": "u1", "i": "<i4", "f": "<f4"}[kind])
    data = b64encode(np.ascontiguousarray(values).tobytes()).decode()
    return {"shape": list(array.shape), "kind": kind, "data": data}


def _numbers(
    step: Activation, forms: ElementForms, chosen: set[tuple[str, int]], kept: _PageArrays
) -> tuple[dict[int, int], str]:
    """Return the arrays of a call by their numbers in its form, and why there are none."""
    if step.refusal:
        return {}, step.refusal
    form = _form(forms, step.name, step.call)
    if form is None or step.definition is None:
        return {}, ""
    if (step.name, step.call) not in chosen:
        return {}, f"its numbers ({_bytes(form) / 1e6:,.1f} MB) do not fit into this file"
    if any([value.dtype.kind not in "biuf" for value in (*step.values, *step.weights, *step.outputs)]):
        return {}, "text is not shown"
    definition = step.definition
    leaves = zip(definition.leaves, (*step.values, *step.weights), strict=True)
    numbers = {i: kept.number(value, leaf.shape[:1] == (BATCH,)) for i, (leaf, value) in enumerate(leaves)}
    first = len(forms.data[forms.calls[step.name][step.call] or 0]["tensors"])
    at = {line: first + number for number, line in enumerate(form.lines)}
    results = list(form.results.values())
    for line, value in zip(results, step.outputs, strict=False):
        numbers[at[line]] = kept.number(value, _is_batch(line.letters))
    if len(_own_lines(form)) > len(results) and form.definition.params == definition.params:
        numbers.update(_inner_lines(step, form, at, kept, set(results)))
    return numbers, ""


def _inner_lines(
    step: Activation, form: ElementForm, at: Mapping[ElementLine, int], kept: _PageArrays, done: set[ElementLine]
) -> dict[int, int]:
    """Return the arrays of the lines between the arguments and the results."""
    frame = _frame(step, form)
    inner_lines = {}
    for line in _own_lines(form):
        whole = frame.whole(line) if line not in done else None
        if whole is not None and whole.dtype.kind in "biuf" and len(whole.shape) == len(line.letters):
            inner_lines[at[line]] = kept.number(whole, _is_batch(line.letters))
    return inner_lines


def _frame(step: Activation, form: ElementForm) -> ArrayFrame:
    """Return the form on the values of a call."""
    definition = form.definition
    arrays = dict(zip(definition.leaves, (*step.values, *step.weights), strict=True))
    examples = [v.shape[0] for p, v in zip(definition.params, step.values, strict=True) if p.shape[:1] == (BATCH,)]
    batch = int(examples[0]) if examples else 1
    return ArrayFrame(form, arrays, Evaluation(batch, "float64"), computed_in(step.dtypes[0]))


def _is_batch(letters: Sequence[Letter]) -> bool:
    return bool(letters) and letters[0].role == "batch"


# Pictures -----------------------------------------------------------------------------------------------------------


def _pictures(step: Activation, form: ElementForm | None) -> Iterator[dict[str, Any]]:
    """Yield the first result as tiles, and the lines that relate each step to each, as attention does."""
    import numpy as np

    if not step.outputs or step.outputs[0].dtype.kind not in "biuf" or step.outputs[0].size == 0:
        return
    yield tiles(step.outputs[0][0] if step.outputs[0].ndim > 1 else step.outputs[0])
    # A line that has heads, and a row and a column for each step.
    steps = ["batch", "heads", "steps", "steps"]
    lines = [] if form is None else _own_lines(form)
    related = [line for line in lines if [letter.role for letter in line.letters] == steps]
    if form is not None and related and step.definition is not None:
        frame = _frame(step, form)
        for line in related:
            whole = frame.whole(line)
            if whole is not None and whole.dtype.kind in "biuf" and whole.size:
                yield {"name": line.name, **tiles(np.moveaxis(whole[0], 0, -1))}


def tiles(array: Any) -> dict[str, Any]:
    """Return an array as a small picture: of each of its first channels some rows and columns, a byte for a value.

    `shape` is that of the array, `tiles` how many `rows` and `columns` of how many channels there are, `low` and
    `high` the values of the bytes 0 and 254; 255 is no number.

    >>> import numpy as np
    >>> made = tiles(np.arange(6.0).reshape(2, 3))
    >>> made["tiles"], made["rows"], made["columns"], made["low"], made["high"], made["data"]
    (1, 2, 3, 0.0, 5.0, 'ADNmmMv+')
    """
    import numpy as np

    values = np.asarray(array, dtype=np.float64)
    pages = values.reshape((1,) * (3 - values.ndim) + values.shape) if values.ndim < 3 else np.moveaxis(values, -1, 0)
    while pages.ndim > 3:
        pages = pages[:, pages.shape[1] // 2]
    rows, columns = [max(1, -(-size // _TILE)) for size in pages.shape[1:]]
    pages = pages[:_MOST_TILES, ::rows, ::columns][:, :_TILE, :_TILE]
    finite = pages[np.isfinite(pages)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    with np.errstate(invalid="ignore"):
        scaled = np.round((pages - low) * (254 / (high - low) if high > low else 0))
        coded = np.where(np.isfinite(pages), scaled, 255).astype(np.uint8)
    count, height, width = coded.shape
    return {
        "shape": list(values.shape),
        "tiles": count,
        "rows": height,
        "columns": width,
        "every": [rows, columns],
        "low": low,
        "high": high,
        "data": b64encode(coded.tobytes()).decode(),
    }


def _spreads(step: Activation) -> Iterator[dict[str, Any]]:
    """Yield how the values of each weight are spread, and a small picture of it."""
    import numpy as np

    for leaf, value in zip(step.definition.weights if step.definition is not None else (), step.weights, strict=False):
        if value.dtype.kind not in "biuf" or value.size == 0:
            continue
        summary = statistics([value])
        if summary.min is None or summary.max is None:
            continue
        finite = value[np.isfinite(value)].astype(np.float64)
        counts, _ = np.histogram(
            finite, bins=_BINS, range=(summary.min, summary.max) if summary.max > summary.min else None
        )
        square = value.reshape(-1, value.shape[-1]) if value.ndim > 1 else value.reshape(1, -1)
        yield {
            "name": str(leaf.label),
            "low": summary.min,
            "high": summary.max,
            "mean": summary.mean,
            "std": summary.std,
            "counts": counts.tolist(),
            **{f"picture_{key}" if key in ("low", "high") else key: item for key, item in tiles(square).items()},
        }


# Half precision -----------------------------------------------------------------------------------------------------
# Weights as a page has them: in half precision where that changes what the model gives by too little to be seen.

MOST_CHANGE = 2e-3
"""By so much of its largest value may rounded weights change an output, as docs/page.md promises."""

EXAMPLES = 4
TRIED_MACS = 100_000_000
"""So many examples are tried, fewer of a model that costs more."""

MOST_MACS = 1_000_000_000
"""More would take long to try: the weights of such a model stay as they are."""

_MACS_OF_NUMBER = 60
"""Each number that is computed and compared takes as long as so many products."""

_LARGEST_HALF = 60_000.0


def packed_weights(arrays: Sequence[Any], precision: str) -> tuple[list[Any], str]:
    """Return arrays as one text: a table with the shape of each and whether it is in half precision, and all numbers in
    base64 after zlib.

    In front stand all float32 numbers, then those in half precision; of each kind first all lowest bytes, then the
    next, as alike bytes beside each other compress better. With the precision "half" an array is in float32 only where
    half precision would change a number by more than its rounding: a large one, or one near 0 among few.
    """
    import numpy as np

    table: list[Any] = []
    parts: dict[str, list[Any]] = {"<f4": [], "<f2": []}
    for array in arrays:
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(array, dtype=np.float32)
        half = precision == "half" and _fits_half(values)
        table.append([list(values.shape), int(half)])
        parts["<f2" if half else "<f4"].append(values.ravel())
    planes = []
    for dtype, own in parts.items():
        joined = np.concatenate([np.zeros(0, np.float32), *own]).astype(dtype)
        planes.append(joined.view(np.uint8).reshape(-1, joined.itemsize).T.tobytes())
    return table, b64encode(zlib.compress(b"".join(planes), 9)).decode()


def _fits_half(values: Any) -> bool:
    import numpy as np

    if not values.size or not np.isfinite(values).all() or np.abs(values).max() > _LARGEST_HALF:
        return False
    if values.ndim > 1:
        return True
    errors = np.abs(values - values.astype(np.float16).astype(np.float32))
    return bool((errors <= 2.0**-11 * np.abs(values)).all())


def keeps_outputs(network: Network, weights: WeightSource, given: Sequence[Any]) -> bool:
    """Return whether a model with weights in half precision gives what it gives with whole ones: measured on the first
    examples of the `given` inputs, or on drawn ones where these are none or all 0, at all outputs that are floats."""
    import numpy as np

    costs = Costs()
    definitions = [call.definition for call in network.calls if call.definition is not None]
    macs = sum([costs.cost_of(definition).macs or 0 for definition in definitions])
    shapes = [spec.shape[1:] for call in network.calls for spec in call.outputs if spec is not None]
    numbers = sum([math.prod([size for size in shape if isinstance(size, int)]) for shape in shapes])
    work = macs + _MACS_OF_NUMBER * numbers
    if work > MOST_MACS:
        return False
    count = max(1, min(EXAMPLES, TRIED_MACS // max(work, 1)))
    try:
        inputs = [item[:count] for item in given]
        if not any([tensor.any() for tensor in inputs]):
            inputs = draw_inputs(network, np.random.default_rng(0), count)
        whole, rounded = (_outputs(network, source, inputs) for source in (weights, _Rounded(weights)))
    except (LayerExplainError, ValueError):
        return False
    changes = [_change(*pair) for pair in zip(whole, rounded, strict=True) if pair[0] is not None]
    return bool(changes) and max(changes) <= MOST_CHANGE


class _Rounded:
    """Weights as a page has them in half precision."""

    def __init__(self, source: WeightSource) -> None:
        self.source = source
        self.origin: Origin = source.origin
        self.notes = source.notes

    def arrays_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        arrays = self.source.arrays_of(path, definition)
        return [array.astype("float16").astype(array.dtype) if _fits_half(array) else array for array in arrays]


def _outputs(network: Network, weights: WeightSource, inputs: Sequence[Any]) -> list[Any]:
    run = ModelRun(network, weights, 0)
    for _ in run.run(inputs):
        pass
    return run.outputs


def _change(whole: Any, rounded: Any) -> float:
    """Return by how much an output changes, as a part of its largest value in each example; of whole numbers nothing is
    said."""
    import numpy as np

    if whole.dtype.kind != "f" or not whole.size:
        return 0.0
    a, b = (
        np.nan_to_num(item.reshape(len(item), -1).astype("float64"), posinf=0, neginf=0) for item in (whole, rounded)
    )
    largest = np.abs(a).max(1)
    changes = np.abs(a - b).max(1)
    return float((changes / np.where(largest > 0, largest, 1)).max())
