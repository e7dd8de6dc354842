"""What an output depends on, found by force: each position of an input is changed, and who changes with it is seen.

All changes along an axis are computed at once, as examples of one batch; the formula's NumPy values are what decides,
not the element form from which receptive fields are read.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.receptive_field.fields import Dependence
from layerexplain.derive.receptive_field.spans import AxisSpan
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.scalar import Affine, Letter, Quotient


def drawn(definition: Definition, name: str, ids: int = 9) -> tuple[list[Any], list[Any]]:
    """One example for the params, and weights: none of them 0, masks without holes."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    inputs: list[Any] = []
    for param in definition.params:
        shape = [size if isinstance(size, int) else 1 for size in param.shape]
        if param.dtype == "bool":
            inputs.append(np.ones(shape, bool))
        elif "int" in param.dtype:
            inputs.append(rng.integers(0, ids, shape))
        else:
            inputs.append(rng.uniform(0.1, 1, shape))
    return inputs, [rng.uniform(0.05, 0.3, weight.shape) for weight in definition.weights]


def dependence(
    definition: Definition, inputs: Sequence[Any], weights: Sequence[Any], param: int, axis: int, ids: int = 9
) -> list[Any]:
    """For each result a table of bools (position, *index): whether that element changes with that position."""
    size = inputs[param].shape[axis]
    count = size + 1
    changed = np.repeat(inputs[param], count, axis=0)
    rng = np.random.default_rng(1)
    for position in range(size):
        place = (position + 1, *[position if i == axis else slice(None) for i in range(1, changed.ndim)])
        part = changed[place]
        changed[place] = (part + 1) % ids if changed.dtype.kind in "iu" else part + rng.uniform(0.5, 2, np.shape(part))
    examples = [
        changed if i == param else np.repeat(x, count, axis=0) if _has_batch(definition, i) else x
        for i, x in enumerate(inputs)
    ]
    results = evaluate(definition, examples, weights, Evaluation(count, "float64"))[: len(definition.results)]
    tables = []
    for result in results:
        scale = np.max(np.abs(result.astype("float64")), initial=0)
        # Filters are cut off where they come to 0, give or take the last bits of a float32.
        tables.append(np.abs(result[1:].astype("float64") - result[:1]) > 1e-7 * scale)
    return tables


def _has_batch(definition: Definition, param: int) -> bool:
    return definition.params[param].shape[:1] == (BATCH,)


def positions(view: Dependence, span: AxisSpan, index: Sequence[int], size: int) -> set[int]:
    """The positions of a span at an index of the output (without the batch), inside the axis."""
    env = dict(zip(view.letters, (0, *index), strict=True))
    high = size - 1 if span.high is None else _value(span.high, env)
    return set(range(_value(span.low, env), high + 1, span.step)) & set(range(size))


def _value(index: Affine, env: dict[Letter, int]) -> int:
    total = index.const
    for atom, factor in index.terms:
        if isinstance(atom, Letter):
            total += factor * env[atom]
        elif isinstance(atom, Quotient):
            of = _value(atom.of, env)
            total += factor * (of % atom.by if atom.rest else of // atom.by)
    return total


def compare(definition: Definition, views: Sequence[Dependence], name: str, *, exact: bool, ids: int = 9) -> int:
    """Assert that nothing is seen outside the spans; with `exact` also that all of a span is seen, unless it is "at
    most" or another axis is seen in the padding alone. Returns how many elements were compared."""
    inputs, weights = drawn(definition, name, ids)
    compared = 0
    for p, param in enumerate(definition.params):
        if param.dtype == "bool" or param.shape[:1] != (BATCH,):
            continue
        for axis in range(1, param.ndim):
            size = inputs[p].shape[axis]
            tables = dependence(definition, inputs, weights, p, axis, ids)
            for view, table in zip(views, tables, strict=False):
                seen = view.seen.get(param)
                if seen is None or isinstance(seen, str):
                    assert isinstance(seen, str) or not table.any(), (name, param.label)
                    continue
                for index in np.ndindex(*table.shape[1:]):
                    hit = set(np.nonzero(table[(slice(None), *index)])[0].tolist())
                    span = seen[axis]
                    told = positions(view, span, index, size)
                    at = (name, param.label, axis, index, sorted(hit), sorted(told), span)
                    assert hit <= told, at
                    parts = [positions(view, part, index, size) for part in span.parts]
                    assert not parts or hit <= set().union(*parts), at
                    nowhere = any(
                        other.at_most or not positions(view, other, index, inputs[p].shape[i])
                        for i, other in enumerate(seen)
                        if i not in (0, axis)
                    )
                    assert not exact or span.at_most or hit == told or (not hit and nowhere), at
                    compared += 1
    return compared
