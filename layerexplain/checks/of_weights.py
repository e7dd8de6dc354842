"""Rules on the values of the weights, which are read with --weight-values alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.checks.weight_values import StoredWeight


@rule(
    "weights-not-finite",
    "NaN or infinity in the weights",
    "wrong",
    "certain",
    why="Every result computed with such a number is NaN or infinite, and training cannot repair it.",
    fix="Go back to earlier weights; a smaller learning rate or clipnorm keeps them finite.",
    source="keras/src/callbacks/terminate_on_nan.py",
    of="weights",
    torch=Torch(fix="Go back to earlier weights; a smaller learning rate or clip_grad_norm_ keeps them finite."),
)
def weights_not_finite(stored: Sequence[StoredWeight]) -> Iterator[Found]:
    for one in stored:
        if one.not_finite:
            yield one.layer, f"{one.not_finite:,} of the {one.size:,} numbers in {one.name} are NaN or infinite"


@rule(
    "dead-units",
    "Units whose weights are all 0",
    "wasteful",
    "hint",
    why="They return the same number for every input: the model computes the same without them.",
    fix="Remove the units, or find out why they died (a high learning rate with relu, strong regularization).",
    source="Lu et al.: Dying ReLU and Initialization (2019)",
    of="weights",
)
def dead_units(stored: Sequence[StoredWeight]) -> Iterator[Found]:
    for one in stored:
        if one.dead:
            yield one.layer, f"{one.dead} of {one.units} units have only zeros in {one.name}"


@rule(
    "equal-layers",
    "Layers with equal weights",
    "hint",
    "hint",
    why="Layers that were trained differ; equal ones were copied, or never trained.",
    fix="Share one layer if they are meant to be equal; otherwise check whether the weights were loaded twice.",
    source="keras/src/saving/saving_lib.py",
    of="weights",
)
def equal_layers(stored: Sequence[StoredWeight]) -> Iterator[Found]:
    first: dict[str, str] = {}
    for one in stored:
        if one.digest and first.setdefault(one.digest, one.layer) != one.layer:
            yield one.layer, f"{one.name} is the same {one.size:,} numbers as in '{first[one.digest]}'"
