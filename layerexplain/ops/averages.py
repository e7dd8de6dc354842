"""Running averages: of gradients in optimizers, of the statistics of batches in normalization."""

from layerexplain.lang.expr import Expr


def complement(share: float) -> float:
    """What is left of 1, without the digits that floats add: 0.1 of 0.9."""
    return round(1 - share, 12)


def average(old: Expr, new: Expr, share: float) -> Expr:
    """The running average of a value, of which the old one keeps a share."""
    return share * old + complement(share) * new
