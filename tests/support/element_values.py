"""Elements of a definition's results by their element form, computed one at a time."""

from collections.abc import Sequence
from typing import Any

from layerexplain.derive.element.form import ElementForm
from layerexplain.derive.element.value import ElementFrame, Index
from layerexplain.derive.evaluate import Evaluation


class ElementValues:
    """Elements of a form's results, given arrays for its params and weights.

    `values` are arrays for the params (its masks included), `weights` for the weights, in order.
    """

    def __init__(self, form: ElementForm, values: Sequence[Any], weights: Sequence[Any], batch: int = 1) -> None:
        definition = form.definition
        self.form = form
        leaves = (*definition.params, *definition.weights)
        run = Evaluation(batch, "float64")
        arrays = dict(zip(leaves, (*values, *weights), strict=True))
        self._frame = ElementFrame(form, {leaf: arrays[leaf].__getitem__ for leaf in leaves}, run)

    def element(self, result: int, index: Index) -> Any:
        """The element of result number `result` (the masks stand behind the results) at an index.

        Raises `CannotIndex` where a line that it needs could not be written.
        """
        # Textbook formulas divide 0 by 0, or overflow, where a condition then takes another value.
        with self._frame.run.np.errstate(all="ignore"):
            return self._frame.line(self.form.outputs[result], index)
