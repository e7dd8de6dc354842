"""What a model takes in memory, as plain data."""

from __future__ import annotations

from layerexplain.records import NamedTuple


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
