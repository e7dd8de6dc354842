"""Rows of operations between layers that few models use: grids, losses, windows, images."""

from typing import Any

from tests.support.operation_rows import BATCH, IMAGE, TWO, Row, _array, _kernel, _Lazy, ops

nn: Any = _Lazy("keras.ops.nn")
image: Any = _Lazy("keras.ops.image")

INT = ("int32",)
PHOTO = ((7, 6, 3),)


_TURN: Any = _array([[0.9, 0.3, -0.7, -0.2, 1.1, 0.4, 0.0, 0.0]])
_SIDE: Any = _array([[0.9, 0.3, -0.7, -0.2, 1.1, 0.4, 0.03, -0.02]])
_CORNERS: Any = _array([[[0, 0], [5, 0], [0, 6], [5, 6]]])
_MOVED: Any = _array([[[0.3, 0.2], [4.6, -0.4], [-0.5, 5.7], [5.2, 6.6]]])
_PLACES: Any = _array([[0.2, 1.6, -0.7, 3.3, 9.2, -4.4], [0.4, 5.3, 2.2, -1.6, 3.1, 7.7]])
_SCALE: Any = _array([1.3, 0.8])
_SHIFT: Any = _array([-0.4, 0.6])


IMAGE_ROWS = [
    # Grids
    Row("linspace", lambda x, y: [ops.linspace(x, y, 5), ops.linspace(x, y, 4, endpoint=False, axis=-1),
        ops.linspace(x, 2.0, 3), ops.logspace(x, y, 4), ops.logspace(x, y, 3, base=2.0, axis=1),
        ops.geomspace(x, y, 5)], TWO, positive=True),
    Row("vander", lambda i: [ops.vander(i, 4), ops.vander(ops.cast(i, "float32"), 3, increasing=True)], ((),), INT),
    Row("meshgrid", lambda x: [*ops.meshgrid(x[0, 0], x[0, :, 1]), *ops.meshgrid(x[0, 0], x[0, :, 1], indexing="ij")]),
    Row("filled", lambda x: [ops.full((2, 3), x[0, 0, 0]), ops.array(x), ops.array(x, "int32")]),
    Row("kron", lambda x, y: [ops.kron(x[0], y[0]), ops.kron(x, y[0])], TWO, recorded=False),
    Row("vdot", lambda x, y: [ops.vdot(x, y), ops.inner(x, y[0]), ops.outer(x[0, 0], y[0, 0])], TWO),
    Row("cross", lambda x, y: [ops.cross(x, y), ops.cross(x[..., :2], y), ops.cross(x, y[..., :2]),
        ops.cross(x[..., :2], y[..., :2]), ops.cross(x, y, axis=2)], ((5, 3), (5, 3))),
    Row("corrcoef", lambda x: ops.corrcoef(x[0]), recorded=False),
    Row("correlate", lambda x, y: ([ops.correlate(x[0, 0], y[0, 0, :3], mode) for mode in ("valid", "same",
        "full")] + [ops.correlate(x[0, 0], y[0, 0, :4], "same")]), TWO),
    Row("trapezoid", lambda x: [ops.trapezoid(x), ops.trapezoid(x, dx=0.5, axis=1), ops.trapezoid(x, x=[0.0, 1, 3, 4, 8, 9, 9.5])]),
    Row("select", lambda x: [ops.select([x > 1, x > 0], [x, x * 2], 0.5), ops.select([x > 0], [x])]),
    Row("splits", lambda x: [*ops.hsplit(x, 2), *ops.vsplit(ops.reshape(x, (6, -1)), 3), *ops.dsplit(x, [1, 2])], ((6, 4),)),
    Row("dstack", lambda x, y: [ops.dstack([x, y]), ops.dstack([x[0, 0], y[0, 0]]), ops.dstack([x[0], y[0]])], TWO),
    Row("flips", lambda x: [ops.fliplr(x), ops.flipud(x)]),
    Row("rot90", lambda x: [ops.rot90(x, k, (1, 2)) for k in (1, 3, 4, -1)] + [ops.rot90(x, 1, (2, 1))], IMAGE, recorded=False),
    Row("size", lambda x: [ops.size(x)]),
    Row("empty_like", lambda x: ops.empty_like(x)),
    Row("rearrange", lambda x: [ops.rearrange(x, "b h w c -> b c h w"), ops.rearrange(x, "b h w c -> b (h w) c"),
        ops.rearrange(x, "b (h i) (w j) c -> b h w (i j c)", i=2, j=2), ops.rearrange(x, "b h w c -> (b h) w c")],
        ((6, 8, 4),), batched=False),
    # Losses
    Row("crossentropies", lambda x, y: [nn.binary_crossentropy(ops.sigmoid(x), ops.sigmoid(y)),
        nn.binary_crossentropy(ops.sigmoid(x), y, from_logits=True),
        nn.categorical_crossentropy(ops.softmax(x), ops.softmax(y)),
        nn.categorical_crossentropy(ops.softmax(x), y, from_logits=True)], TWO),
    Row("crossentropy along 1", lambda x, y: nn.categorical_crossentropy(ops.softmax(x, 1), abs(y) + 0.1, axis=1), TWO, recorded=False),
    Row("sparse crossentropy", lambda i, y: [nn.sparse_categorical_crossentropy(i, ops.softmax(y)),
        nn.sparse_categorical_crossentropy(i, y, from_logits=True),
        nn.sparse_categorical_crossentropy(i[..., None], abs(y) + 0.1)], ((5,), (5, 7)), ("int32", "float32")),
    Row("ctc_loss", lambda i, y, n: ops.ctc_loss(i + 1, y, n * 0 + 2, n * 0 + 8), ((3,), (9, 7), ()), ("int32", "float32", "int32")),
    Row("ctc_decode", lambda y, n: [*ops.ctc_decode(y, n * 0 + 8),
        *ops.ctc_decode(y, n * 0 + 9, merge_repeated=False, mask_index=2)], ((9, 4), ()), ("float32", "int32"),
        recorded=False),
    Row("distances", lambda x, y: [nn.psnr(x, y, 2.0), ops.cdist(x, y[:, :3])], TWO),
    # Windows
    Row("conv_transpose", lambda x: [ops.conv_transpose(x, _kernel(3, 3, 5, 4), 2, "same"),
        ops.conv_transpose(x, _kernel(3, 2, 5, 4), 2, output_padding=1), ops.conv_transpose(x, _kernel(2, 3, 5, 4))],
        IMAGE, eager=True),
    Row("adaptive_pool", lambda x: [ops.adaptive_max_pool(x, (3, 3)), ops.adaptive_average_pool(x, (2, 5))], IMAGE, recorded=False),
    Row("unfold", lambda x: [nn.unfold(x, 2), nn.unfold(x, (3, 2), padding=1, stride=2), nn.unfold(x, 2, dilation=2),
        nn.fold(nn.unfold(x, (3, 2), padding=1, stride=2), (6, 8), (3, 2), padding=1, stride=2),
        nn.fold(nn.unfold(x, 2, dilation=2), (6, 8), 2, dilation=2)], ((2, 6, 8),), batched=False),
    Row("attention 2", lambda q, k: [ops.dot_product_attention(q, k, k, is_causal=True),
        ops.dot_product_attention(q, k[:, :, :2], k[:, :, :2], scale=0.3),
        ops.dot_product_attention(q, k, k, mask=_kernel(1, 1, 5, 6) > 0.1),
        ops.dot_product_attention(q, k, k, mask=_kernel(1, 1, 5, 6) > -0.9, is_causal=True),
        ops.dot_product_attention(q, k, k, bias=_kernel(1, 1, 5, 6))], ((5, 4, 3), (6, 4, 3))),
    Row("pad 2", lambda x: ops.pad(x, ((0, 0), (1, 2), (2, 1)), "symmetric")),
    # Images
    Row("colours", lambda x: [image.rgb_to_grayscale(x), image.rgb_to_hsv(x), image.hsv_to_rgb(ops.sigmoid(x)),
        image.rgb_to_grayscale(ops.transpose(x, (0, 3, 1, 2)), data_format="channels_first"),
        image.rgb_to_hsv(ops.transpose(x, (0, 3, 1, 2)), data_format="channels_first"),
        image.rgb_to_grayscale(x[..., :1]), image.rgb_to_hsv(x[0])], PHOTO, positive=True),
    Row("grayscale int", lambda x: image.rgb_to_grayscale(x * 40), PHOTO, INT),
    Row("filters", lambda x: [image.sobel_edges(x), image.gaussian_blur(x),
        image.gaussian_blur(x, (5, 3), (0.7, 1.5)), image.gaussian_blur(x[0], (3, 3), (0.5, 0.5)),
        image.sobel_edges(ops.transpose(x, (0, 3, 1, 2)), data_format="channels_first")], PHOTO),
    Row("ssim", lambda x, y: [image.ssim(x, y), image.ssim(x, x * 0.9, max_val=2.0, filter_size=5, filter_sigma=1.0),
        image.ssim(x[0], y[0])], ((13, 12, 2), (13, 12, 2))),
    Row("patches", lambda x: [image.extract_patches(x, 2),
        image.extract_patches(x, (3, 2), strides=2, padding="same"),
        image.extract_patches(x, 2, strides=1, dilation_rate=2), image.extract_patches(x[0], (2, 3))], PHOTO),
    Row("patches 3d", lambda x: image.extract_patches(x, (2, 2, 3)), ((4, 5, 6, 2),)),
    Row("affine_transform", lambda x: ([image.affine_transform(x, _TURN, mode, fill) for mode in ("bilinear",
        "nearest") for fill in ("constant", "nearest", "reflect", "wrap")] + [image.affine_transform(x, _SIDE,
        fill_value=0.7), image.affine_transform(x[0], _TURN)]), PHOTO),
    Row("perspective_transform", lambda x: [image.perspective_transform(x, _CORNERS, _MOVED),
        image.perspective_transform(x, _CORNERS, _MOVED, "nearest", fill_value=0.5)], PHOTO),
    Row("map_coordinates", lambda x: [image.map_coordinates(x[0, ..., 0], _PLACES, order, fill) for order in (0,
        1) for fill in ("constant", "nearest", "wrap", "reflect")], PHOTO),
    Row("scale_and_translate", lambda x: ([image.scale_and_translate(x, (BATCH, 9, 5, 3), _SCALE, _SHIFT, (1, 2),
        method) for method in ("linear", "cubic", "lanczos3", "lanczos5")] + [image.scale_and_translate(x,
        (BATCH, 4, 5, 3), _SCALE, _SHIFT, (1, 2), "linear", antialias=False)]), PHOTO),
]  # fmt: skip
