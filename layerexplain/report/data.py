"""What a report has of each layer, input and output, as frozen plain data; `to_dict()` is the JSON contract.

Shapes are tuples with the batch first; None is a size that is known only at run time. Counts are numbers of
scalars, `bytes` are bytes, MACs and FLOPs are per example; None is unknown, never 0, and a note says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from layerexplain.lang.axes import Batch, Size
from layerexplain.model import Shape
from layerexplain.records import NamedTuple
from layerexplain.report.rows import count_of, print_as, to_jsonable

if TYPE_CHECKING:
    from layerexplain.derive.cost import Cost
    from layerexplain.report.element_forms import ElementOf
    from layerexplain.report.explanation_data import (
        BackwardReport,
        DescribedArguments,
        Explanation,
        LayerMemory,
        ReceptiveField,
    )

SAME_IN_TRAINING = "same as at inference"
NO_MASK = "no mask reaches this layer"
"""The words on training and on masks of a layer to which neither matters."""


def _shapes(shapes: Sequence[Shape | None]) -> list[list[int | None] | None]:
    return [None if shape is None else [*shape] for shape in shapes]


def _shown(shapes: Sequence[Shape | None]) -> str:
    return ", ".join(["?" if shape is None else str(shape) for shape in shapes])


class InputReport(NamedTuple):
    """An input of the model; `shape` is None where it is not known."""

    name: str
    shape: Shape | None
    dtype: str


class OutputReport(NamedTuple):
    """An output of the model: the layer that makes it."""

    layer: str
    shape: Shape | None
    dtype: str | None


class WeightReport(NamedTuple):
    """One weight tensor. `name` is the Keras path below the layer, `symbol` its letter in the formula; `trainable` is
    None where that is not known."""

    name: str
    symbol: str
    shape: Shape
    dtype: str
    trainable: bool | None
    params: int


class CallReport(NamedTuple):
    """One call of a layer. `sources` are the names of the layers that feed it; `mask` the layer that made the
    mask which reaches it, or None. `source_calls` are the numbers of the calls that feed it, from 0, and
    `source_results` which of their results it takes."""

    sources: tuple[str, ...]
    input_shapes: tuple[Shape | None, ...]
    output_shapes: tuple[Shape | None, ...]
    mask: str | None
    source_calls: tuple[int, ...] = ()
    source_results: tuple[int, ...] = ()

    @property
    def source_names(self) -> tuple[str, ...]:
        """The layers that feed it as a spec writes them, with the number of the result: `encoder[1]`."""
        if not any(self.source_results):
            return self.sources
        return tuple(f"{name}[{i}]" if i else name for name, i in zip(self.sources, self.source_results, strict=True))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The number of the call of each source."""
        return self.source_calls or (0,) * len(self.sources)

    @property
    def call_marks(self) -> tuple[str, ...]:
        """What stands behind the name of each source: ` (call 2)`, empty for layers that feed it by their first call
        alone."""
        calls = tuple(zip(self.sources, self.numbers, strict=True))
        again = {name for name, at in calls if at}
        return tuple([f" (call {at + 1})" if name in again else "" for name, at in calls])

    def to_dict(self) -> dict[str, Any]:
        """Return the call in the form of the JSON contract."""
        return {
            "from": [*self.sources],
            "from_results": [*self.source_results],
            "input_shapes": _shapes(self.input_shapes),
            "output_shapes": _shapes(self.output_shapes),
            "mask": self.mask,
        }


class LayerReport(NamedTuple):
    """One row. `group` is equal for layers that have the same definition (type, configuration and input shapes);
    `layers` are those of a nested model; `explanation`, `receptive_field` and `gradient` are there if asked for.
    Weights that are an earlier row's are count_of and listed there alone; `shared` says so in words, as a note does.
    `elements` are the element forms of the calls, made when asked for, and `arguments` those of the layer; there with
    the explanation.
    `memory` is there with the explanation, and if the memory was asked for; `backward`, what the gradients that
    training needs cost, if that was.
    `results` are the names of the outputs in the formula, empty where it is not known. `place` is the line of the
    code or of the spec that the layer stands in, `train.py:41`. `faults` say what is wrong with
    it, as notes do."""

    layer: str
    type: str
    path: str
    depth: int
    operation: str
    formula: tuple[str, ...]
    calls: tuple[CallReport, ...]
    weights: tuple[WeightReport, ...]
    params: int | None
    trainable: int | None
    non_trainable: int | None
    macs: int | None
    flops: int | None
    notes: tuple[str, ...]
    group: int
    layers: tuple[LayerReport, ...] = ()
    explanation: Explanation | None = None
    receptive_field: tuple[ReceptiveField, ...] | None = None
    gradient: BackwardReport | None = None
    shared: str = ""
    results: tuple[str, ...] = ()
    place: str | None = None
    backward: Cost | None = None
    elements: tuple[ElementOf, ...] = ()
    arguments: DescribedArguments | None = None
    memory: LayerMemory | None = None
    faults: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The layers that feed the first call."""
        return self.calls[0].sources if self.calls else ()

    @property
    def input_shapes(self) -> tuple[Shape | None, ...]:
        """The input shapes of the first call."""
        return self.calls[0].input_shapes if self.calls else ()

    @property
    def output_shapes(self) -> tuple[Shape | None, ...]:
        """The output shapes of the first call."""
        return self.calls[0].output_shapes if self.calls else ()

    def __repr__(self) -> str:
        facts = f"{_shown(self.input_shapes)} → {_shown(self.output_shapes)}", count_of(self.params, "parameter")
        return f"<{self.path} · {self.type}: {', '.join(facts)}>"

    def __str__(self) -> str:
        return print_as("text", self).rstrip("\n")

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the explanation."""
        return print_as("html", self)

    def to_markdown(self) -> str:
        """Return the explanation as Markdown with typeset formulas: a fragment for a text or a slide."""
        return print_as("fragment", self, "markdown")

    def to_latex(self) -> str:
        """Return the explanation as LaTeX that needs amsmath and longtable: a fragment for a document of yours."""
        return print_as("fragment", self, "latex")

    def to_dict(self, *, nested: bool = False) -> dict[str, Any]:
        """Return the row as the JSON contract has it; `nested` adds the layers of a nested model under `layers`."""
        # With what calls and weights consist of: `to_jsonable` takes twice as long, and models have many rows.
        row: dict[str, Any] = {
            "layer": self.layer,
            "type": self.type,
            "path": self.path,
            "depth": self.depth,
            "operation": self.operation,
            "formula": [*self.formula],
            "from": [*self.sources],
            "input_shapes": _shapes(self.input_shapes),
            "output_shapes": _shapes(self.output_shapes),
            "results": [*self.results],
            "calls": [call.to_dict() for call in self.calls],
            "weights": [{**weight._asdict(), "shape": [*weight.shape]} for weight in self.weights],
            "params": self.params,
            "trainable": self.trainable,
            "non_trainable": self.non_trainable,
            "macs": self.macs,
            "flops": self.flops,
            "notes": [*self.notes],
            "place": self.place,
        }
        for name in ("explanation", "receptive_field", "gradient", "backward", "memory"):
            if (asked := getattr(self, name)) is not None:
                row[name] = to_jsonable(asked)
        if nested and self.layers:
            row["layers"] = [layer.to_dict(nested=True) for layer in self.layers]
        return row


class Totals(NamedTuple):
    """Sums over the rows of depth 0, shared weights once. `bytes` are those of the weights."""

    params: int | None
    trainable: int | None
    non_trainable: int | None
    bytes: int | None
    macs: int | None
    flops: int | None


@lru_cache(1000)
def plain_shape(shape: tuple[Size, ...], batch: int | None = None) -> Shape:
    """Return a shape as data: the batch is None, or the size that the model fixes."""
    return tuple([s if isinstance(s, int) else s.at(batch) if batch and isinstance(s, Batch) else None for s in shape])
