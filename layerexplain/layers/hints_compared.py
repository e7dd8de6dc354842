"""Hints that compare: what a number of parameters depends on, and what differs from PyTorch."""

from __future__ import annotations

from layerexplain.layers.hints import Place, hint


@hint("Conv{}D", "Conv{}DTranspose", "DepthwiseConv{}D", "SeparableConv{}D", "ConvLSTM{}D")
def same_at_every_position(at: Place) -> str | None:
    """Why the number of parameters does not depend on the image."""
    if not at.params:
        return None
    over_time = at.type.startswith("ConvLSTM")
    spatial = {3: "sequence", 4: "images", 5: "volumes"}[at.x.ndim - over_time]
    size = "length" if spatial == "sequence" else "size"
    steps = " and the number of steps" if over_time else ""
    return (
        f"The {at.params:,} parameters do not depend on the {size} of the {spatial}{steps}: the same kernel is used at "
        "every position."
    )


@hint("Dense")
def dense_of_flattened(at: Place) -> str | None:
    """Why the number of parameters depends on the image."""
    source = at.source()
    if source is None or source.name != "flatten":
        return None
    sizes = source.params[0].shape[1:]
    return (
        f"{at.x.shape[-1]:,} inputs = {' × '.join(map(str, sizes))}, all that Flatten joins: the number of parameters "
        "grows with them."
    )
