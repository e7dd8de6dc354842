"""The element form on whole arrays: what a line reads of other lines is looked up, not computed again by index.

The lines of a form are nodes of a formula, so that one evaluation of the formula gives them all, whatever the number
of steps and of elements. Then one element is as quick as the sums of its own line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.derive.element import Called, ElementForm, Line, Part
from layerexplain.derive.element_value import Frame, Index
from layerexplain.derive.evaluate import CannotEvaluate, Run, evaluate_nodes
from layerexplain.lang.expr import CONSTANT, Expr
from layerexplain.lang.scalar import Letter


class ArrayFrame(Frame):
    """A form with the arrays that it is called with: `arrays` has one for each of its params and weights. Whole lines
    are computed in `dtype`, as the layer is; what is computed by index, in the float of `run`."""

    def __init__(self, form: ElementForm, arrays: Mapping[Expr, Any], run: Run, dtype: str) -> None:
        super().__init__(form, {leaf: _elements(array) for leaf, array in arrays.items()}, run)
        self.arrays = arrays
        self.dtype = dtype
        self.plain = Frame(form, self.leaves, run)
        """The same without a look at whole lines: textbook formulas overflow, or divide 0 by 0, where it does not."""
        self._lines: dict[Line, Any] | None = None
        self._trusted: bool | None = None

    def line(self, line: Line, index: Index) -> Any:
        """An element of a line: of its array where that has one, else by index."""
        array = self.whole(line)
        if array is None or any(i < 0 for i in index):
            return super().line(line, index)
        value = _number(array[index])
        return value if self.trusts(value) else self.plain.line(line, index)

    def worked(self, line: Line, index: Index) -> Any:
        """An element of a line by its own formula; the lines that it reads are looked up."""
        return super().line(line, index)

    def trusts(self, value: Any) -> bool:
        """Whether a value may be what it is: it is finite, or the tensors that all comes from are not."""
        if not isinstance(value, float) or math.isfinite(value):
            return True
        if self._trusted is None:
            isfinite = self.run.np.isfinite
            self._trusted = any(a.dtype.kind == "f" and not isfinite(a).all() for a in self.arrays.values())
        return self._trusted

    def whole(self, line: Line) -> Any:
        """The array of a line, the axes of its loops' steps where its letters have them; None if there is none."""
        if self._lines is None:
            self._lines = self._evaluated()
        return self._lines.get(line)

    def _evaluated(self) -> dict[Line, Any]:
        np = self.run.np
        nodes = self.form.nodes
        run = Run(self.run.batch, self.dtype)
        run.recorded = {node: [] for line, node in nodes.items() if node.args}
        roots = [node for line, node in nodes.items() if not line.loops]
        try:
            with np.errstate(all="ignore"):
                evaluate_nodes(roots, self.arrays, run)
        except CannotEvaluate:
            return {}
        found: dict[Line, Any] = {}
        for line, node in nodes.items():
            values = [self.arrays[node]] if node in self.arrays else run.recorded.get(node, [])
            lengths = tuple(loop.args[0].shape[1] for loop in line.loops)
            if None in lengths or len(values) != math.prod(lengths):
                continue
            array = np.stack(values).reshape(*lengths, *np.shape(values[0])) if lengths else np.asarray(values[0])
            steps = tuple(range(len(lengths)))
            found[line] = np.moveaxis(array, steps, tuple(line.at + i for i in steps))
        return found

    def called(self, called: Called, env: Mapping[Letter, int]) -> Frame:
        """The frame of a called layer, on arrays as well where what it is called with is known as a whole."""
        parts = [(part, tuple([self.index(t, env) for t in part.times])) for part in called.args]
        key = (called.form, tuple((part.of, times) for part, times in parts))
        known = self.frames.get(key)
        if known is None:
            arrays = [self._part_array(part, times) for part, times in parts]
            if any(array is None for array in arrays):
                return super().called(called, env)
            definition = called.form.definition
            leaves = (*definition.params, *definition.weights)
            known = self.frames[key] = ArrayFrame(
                called.form, dict(zip(leaves, arrays, strict=True)), self.run, self.dtype
            )
        return known

    def _part_array(self, part: Part, times: Sequence[int]) -> Any:
        if any(t < 0 for t in times):
            return None
        if isinstance(part.of, Line):
            array = self.whole(part.of)
        elif part.of.op is CONSTANT:
            array = self.run.np.asarray(part.of.attrs["value"])
        else:
            array = self.arrays.get(part.of)
        return None if array is None else array[(slice(None),) * part.at + tuple(times)]


def _elements(array: Any) -> Any:
    return lambda index: _number(array[index])


def _number(value: Any) -> Any:
    """An element as a number of Python, so that what is computed with it is not rounded to its dtype."""
    return value.item() if hasattr(value, "item") else value
