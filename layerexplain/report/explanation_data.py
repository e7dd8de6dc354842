"""What a row has where it is asked for: its explanation, receptive field and memory, as frozen plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerexplain.model import Shape
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.derive.shape_reasons import AxisReason
    from layerexplain.lang.latex import TypesetLine


BEHIND = "Not computed: the output shape of"
"""What the sentence on a layer begins with that is not computed since one before it is not."""


class Statement(NamedTuple):
    """A line of a formula. `indent` counts levels, `shape` is the value's (None where the line binds several or
    none), `note` a few words on it."""

    text: str
    indent: int
    shape: str
    note: str


class WeightReason(NamedTuple):
    """Where a weight's parameters come from: `factors` is 'rows 3 × columns 3 × channels 3 × filters 16',
    `reach` the expression that gives the variable, "" where there is none."""

    symbol: str
    name: str
    shape: Shape
    factors: str
    params: int
    trainable: bool | None
    reach: str


class ArgumentValue(NamedTuple):
    """An argument of a layer, its value as text, and whether that is not the default."""

    name: str
    text: str
    is_set: bool


class DescribedArguments(NamedTuple):
    """All arguments of a layer, those that were set first; `details` are in a few words those that tell it from others
    of its type: `3×3, /2, 64, relu`."""

    values: tuple[ArgumentValue, ...]
    details: str


class Explanation(NamedTuple):
    """What `explain` says of one layer, in reading order; `inputs` are the names that the formula has for several, and
    `framework` is the one in which its weights are reached.

    `computes`, `shape` and `parameters` say it in a line each. Of the hints, `watch` are those that a tour has,
    `conventions` those that compare with another framework, `counts` those that repeat the line of parameters, and
    `arguments` those on arguments that are set and that the formula does not show.
    """

    sentence: str
    hints: tuple[str, ...]
    statements: tuple[Statement, ...]
    where: tuple[str, ...]
    element: tuple[str, ...]
    element_notes: tuple[str, ...]
    axes: tuple[AxisReason, ...]
    shape_notes: tuple[str, ...]
    weights: tuple[WeightReason, ...]
    weights_note: str
    cost: tuple[str, ...]
    training: tuple[str, ...]
    mask: str
    latex: tuple[TypesetLine, ...]
    receptive_field: tuple[str, ...] = ()
    dtype: str = ""
    element_latex: tuple[TypesetLine, ...] = ()
    inputs: tuple[str, ...] = ()
    computes: str = ""
    shape: str = ""
    parameters: str = ""
    watch: tuple[str, ...] = ()
    conventions: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    framework: str = "keras"


class FieldAxis(NamedTuple):
    """What one output element depends on along an axis of a model's input: the positions `first` … `last`, as text in
    the output's index letters ("4i-5", "4i+5"), every `step`-th of them. `padded` says that some may lie outside the
    axis, in the padding.

    `size` is the number of positions from first to last and `least` the smallest where it varies; `whole` says that
    they hold all `of` the axis, `at_most` that not all that they hold need be seen; then `places` are those that are,
    where they can be told ("t", "s"). `stride` is how far apart those of neighbours begin, `start` where those of
    element 0 do; None where there is no one number.
    """

    role: str
    of: int | None
    size: int | None
    least: int | None
    whole: bool
    stride: float | None
    start: int | None
    first: str
    last: str
    step: int
    padded: bool
    at_most: bool
    places: tuple[str, ...]


class ReceptiveField(NamedTuple):
    """What one element of a layer's first output sees of an input of the model. With a reason in `unknown` there are
    no axes."""

    input: str
    axes: tuple[FieldAxis, ...]
    unknown: str


class LayerMemory(NamedTuple):
    """What a layer holds: `activations` are the bytes of what its calls give, per example; None is unknown."""

    activations: int | None


class DtypeBytes(NamedTuple):
    """Bytes of the tensors of one dtype."""

    dtype: str
    bytes: int


class Memory(NamedTuple):
    """What a model needs to run and to be trained, in bytes; None is unknown.

    `activations` and `peak` are per example: the outputs of all layers, and the most of them that live at once at
    inference, reached at the layer `peak_at`. `kept` is what the gradients read of the forward pass, per example, where
    that is known. `inference` is for the whole batch; `gradients`, `slots` (values that the
    optimizer keeps for each trainable parameter, `slots_each` of them) and `training` are there with an optimizer.
    """

    batch: int
    optimizer: str | None
    weights: int | None
    weights_by_dtype: tuple[DtypeBytes, ...]
    activations: int | None
    activations_by_dtype: tuple[DtypeBytes, ...]
    peak: int | None
    peak_at: str | None
    inference: int | None
    gradients: int | None
    slots_each: int | None
    slots: int | None
    kept: int | None
    training: int | None


class BackwardReport(NamedTuple):
    """How gradients pass a layer in training, given `dy`, that of its result.

    `statements` give the gradient of each tensor that it takes and of each trainable weight; `kept` are the lines that
    compute what they read of the forward pass. `element` is the formula of one element of each, with notes; `facts` are
    sentences on what is worth knowing. `unreached` names the leaves to which nothing comes back. `macs` and `flops` are
    those of the backward pass, per example. `latex` are the statements as they are typeset, `kept_latex`
    those of what is kept. With a reason in `unknown` there are no statements.
    """

    kept: tuple[Statement, ...]
    statements: tuple[Statement, ...]
    element: tuple[str, ...]
    element_notes: tuple[str, ...]
    facts: tuple[str, ...]
    unreached: tuple[str, ...]
    macs: int | None
    flops: int | None
    unknown: str = ""
    latex: tuple[TypesetLine, ...] = ()
    kept_latex: tuple[TypesetLine, ...] = ()
