"""Convolutions: Conv1d to Conv3d, ConvTranspose1d to ConvTranspose3d, Unfold and Fold."""

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import Bool, Naturals, PositiveInt, Sizes, choice
from layerexplain.layers.torch.construction import LAYOUT, Amounts, modules_of_rank, need_channels, need_divisor, sizes
from layerexplain.ops.convolution import conv, conv_transpose
from layerexplain.ops.movement import laid, pad
from layerexplain.ops.spatial import SPATIAL

PADS_WITH = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""PyTorch's word for what is put around an image, and NumPy's, which the op `pad` takes."""

WINDOW_GIST = "stride {stride}, padding {padding}, dilation {dilation}"


@modules_of_rank("Conv{}d", gist=f"{{kernel_size}} conv, {{out_channels}} filters, {WINDOW_GIST}, {{groups}} groups")
def convolution(
    x: Expr,
    *,
    in_channels: PositiveInt,
    out_channels: PositiveInt,
    kernel_size: Sizes,
    stride: Sizes = 1,
    padding: Amounts = 0,
    dilation: Sizes = 1,
    groups: PositiveInt = 1,
    bias: Bool = True,
    padding_mode: choice("zeros", "reflect", "replicate", "circular") = "zeros",  # type: ignore[valid-type]
    rank: int,
) -> Expr:
    """Slides {out_channels} filters of {kernel_size} [steps along the sequence|pixels over the image|voxels through the
    volume]; each sums all {channels} channels{groups: of its group|}.

    Input shape: (batch, in_channels, spatial axes). Output shape: (batch, out_channels, new spatial axes).
    Reference: torch.nn.Conv2d.
    """
    type_ = f"Conv{rank}d"
    need_channels(type_, "in_channels", in_channels, x)
    need_divisor("groups", groups, "in_channels", in_channels)
    need_divisor("groups", groups, "out_channels", out_channels)
    window = sizes("kernel_size", kernel_size, rank)
    if padding == "same" and max(sizes("stride", stride, rank)) > 1:
        raise ArgumentError(f"{type_} needs stride=1 with padding='same', got stride={stride}; give padding a number")
    if padding not in ("same", "valid"):
        padding = sizes("padding", padding, rank)
    axes = [("filters", out_channels), ("channels", in_channels // groups), *zip(SPATIAL[rank], window, strict=True)]
    W = weight("weight", "W", axes)
    if padding_mode != "zeros":
        reach = [d * (k - 1) for k, d in zip(window, sizes("dilation", dilation, rank), strict=True)]
        around = [(n // 2, n - n // 2) for n in reach] if padding == "same" else [(0, 0)] * rank
        around = around if isinstance(padding, str) else [(n, n) for n in padding]
        x, padding = named("padded", pad(x, pads=((0, 0), (0, 0), *around), mode=PADS_WITH[padding_mode])), 0
    y = conv(x, W, strides=stride, padding=padding, dilation_rate=dilation, groups=groups, data_format=LAYOUT[rank])
    return y + laid(weight("bias", "b", axes[:1]), (1,), y.ndim) if bias else y


@modules_of_rank(
    "ConvTranspose{}d",
    gist=f"{{kernel_size}} transposed conv, {{out_channels}} filters, {WINDOW_GIST}, "
    "output_padding {output_padding}, {groups} groups",
)
def transposed_convolution(
    x: Expr,
    *,
    in_channels: PositiveInt,
    out_channels: PositiveInt,
    kernel_size: Sizes,
    stride: Sizes = 1,
    padding: Naturals = 0,
    output_padding: Naturals = 0,
    groups: PositiveInt = 1,
    bias: Bool = True,
    dilation: Sizes = 1,
    padding_mode: choice("zeros") = "zeros",  # type: ignore[valid-type]
    rank: int,
) -> Expr:
    """Spreads each [step|pixel|voxel] of the {channels} channels over a window of {kernel_size} [steps|pixels|voxels]
    of {out_channels} filters and adds up what overlaps.

    Input shape: (batch, in_channels, spatial axes). Output shape: (batch, out_channels, new spatial axes).
    Reference: torch.nn.ConvTranspose2d.
    """
    type_ = f"ConvTranspose{rank}d"
    need_channels(type_, "in_channels", in_channels, x)
    need_divisor("groups", groups, "in_channels", in_channels)
    need_divisor("groups", groups, "out_channels", out_channels)
    window, extra = sizes("kernel_size", kernel_size, rank), sizes("output_padding", output_padding, rank)
    steps, gaps = sizes("stride", stride, rank), sizes("dilation", dilation, rank)
    for more, step, gap in zip(extra, steps, gaps, strict=True):
        if more >= max(step, gap):
            raise ArgumentError(
                f"{type_} needs output_padding smaller than stride or dilation, got output_padding={more} "
                f"with stride={step} and dilation={gap}"
            )
    axes = [("channels", in_channels), ("filters", out_channels // groups), *zip(SPATIAL[rank], window, strict=True)]
    how = {"strides": steps, "dilation_rate": gaps, "padding": sizes("padding", padding, rank)}
    y = conv_transpose(
        x, weight("weight", "W", axes), **how, groups=groups, output_padding=extra, data_format=LAYOUT[rank]
    )
    return y + laid(weight("bias", "b", [("filters", out_channels)]), (1,), y.ndim) if bias else y
