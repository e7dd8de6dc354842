"""Rules on windows: what they skip, what they never read, and what they only pad."""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.checks.rules import Found, rule
from layerexplain.checks.view import CheckedNetwork
from layerexplain.lang.visit import nodes
from layerexplain.ops.window import first_windows


@rule(
    "skipped-pixels",
    "A stride longer than the window",
    "likely",
    why="What lies between two windows is never read.",
    fix="Use a stride of at most the window's size, or a pooling that reads all of it.",
    source="Dumoulin, Visin: A guide to convolution arithmetic for deep learning (2016)",
    inside=True,
)
def skipped_pixels(view: CheckedNetwork) -> Iterator[Found]:
    for made in view.derived():
        for w in first_windows(made.definition):
            # A window of 1 with a stride is the shortcut of a residual block.
            if w.k > 1 and w.stride > w.reach and w.number not in (None, 1):
                yield (
                    made.call.layer,
                    f"windows of {w.reach} {w.role} start {w.stride} apart, so that {w.stride - w.reach} are skipped",
                )
                break


@rule(
    "mostly-padding",
    "A window larger than its map",
    "likely",
    why="With padding='same' such a window always reads more padding than data.",
    fix="Use a smaller kernel_size here, or fewer poolings before.",
    source="Dumoulin, Visin: A guide to convolution arithmetic for deep learning (2016)",
    inside=True,
)
def mostly_padding(view: CheckedNetwork) -> Iterator[Found]:
    for made in view.derived():
        for w in first_windows(made.definition):
            if w.padding == "same" and w.dilation == 1 and isinstance(w.n, int) and w.k > 2 * w.n - 1 > 0 and w.k > 1:
                yield (
                    made.call.layer,
                    f"a window of {w.k} {w.role} slides over {w.n}: {w.k - w.n} of them are always padding",
                )
                break


@rule(
    "unread-edge",
    "Rows that no window reads",
    "hint",
    why="The last rows or columns of the input have no influence at all.",
    fix="Use padding='same', or an input size that the windows cover.",
    source="Dumoulin, Visin: A guide to convolution arithmetic for deep learning (2016)",
    inside=True,
)
def unread_edge(view: CheckedNetwork) -> Iterator[Found]:
    for made in view.derived():
        before = view.before(made)
        source = None if before is None else before.definition
        if source is not None and any(node.op.name == "pad" for node in nodes(source)):
            continue
        for w in first_windows(made.definition):
            if w.unread and w.k > 1:
                yield made.call.layer, f"no window reaches {w.last(w.unread)}, of {w.n} {w.role}"
                break


@rule(
    "checkerboard",
    "A transposed convolution that paints checkerboards",
    "likely",
    why="Its window is no multiple of its stride, so that neighbouring outputs are sums of different numbers of terms.",
    fix="Use a kernel_size that is a multiple of the stride, or UpSampling2D before a Conv2D.",
    source="Odena, Dumoulin, Olah: Deconvolution and Checkerboard Artifacts (2016)",
    inside=True,
)
def checkerboard(view: CheckedNetwork) -> Iterator[Found]:
    for made in view.derived():
        for w in first_windows(made.definition, ("conv_transpose",)):
            if w.stride > 1 and w.k % w.stride:
                terms = f"{w.k // w.stride} or {-(-w.k // w.stride)} terms"
                yield made.call.layer, f"with a window of {w.k} and a stride of {w.stride}, outputs are sums of {terms}"
                break
