"""Reports made by hand, for the tests of rendering: what a renderer may meet, without any reader or layer."""

from __future__ import annotations

from layerexplain.model import Note, Shape
from layerexplain.report.data import (
    AxisReason,
    CallReport,
    Explanation,
    InputReport,
    LayerReport,
    OutputReport,
    Report,
    Statement,
    Totals,
    WeightReason,
    WeightReport,
)

NOTHING = Explanation("", (), (), (), (), (), (), (), (), "", (), (), "", ())


def layer(
    name: str,
    type: str,
    operation: str,
    inputs: tuple[Shape | None, ...],
    outputs: tuple[Shape | None, ...],
    *,
    sources: tuple[str, ...] = (),
    formula: tuple[str, ...] = (),
    weights: tuple[WeightReport, ...] = (),
    mask: str | None = None,
    macs: int | None = 0,
    flops: int | None = 0,
    notes: tuple[str, ...] = (),
    group: int = 0,
    path: str = "",
    depth: int = 0,
    layers: tuple[LayerReport, ...] = (),
    calls: tuple[CallReport, ...] = (),
    params: int | None = -1,
    explanation: Explanation | None = None,
) -> LayerReport:
    """A row whose counts follow from its weights, unless `params` (None is unknown) says otherwise."""
    total = sum(weight.params for weight in weights) if params == -1 else params
    frozen = sum(weight.params for weight in weights if not weight.trainable)
    return LayerReport(
        layer=name,
        type=type,
        path=path or name,
        depth=depth,
        operation=operation,
        formula=formula or (f"y = {operation}",),
        calls=calls or (CallReport(sources, inputs, outputs, mask),),
        weights=weights,
        params=total,
        trainable=None if total is None else total - frozen,
        non_trainable=None if total is None else frozen,
        macs=macs,
        flops=flops,
        notes=notes,
        group=group,
        layers=layers,
        explanation=explanation,
    )


def report(name: str, *layers: LayerReport, notes: tuple[Note, ...] = (), source: str = "") -> Report:
    """A report whose totals are the sums of its rows, unknown where one of them is."""

    def total(values: list[int | None]) -> int | None:
        known = [value for value in values if value is not None]
        return sum(known) if len(known) == len(values) else None

    params = total([row.params for row in layers])
    return Report(
        source=source or f"{name}.keras",
        format="keras-archive",
        model_name=name,
        model_type="Functional",
        keras_version="3.15.1",
        inputs=(InputReport(layers[0].layer, (None, 28, 28, 3), "float32"),),
        outputs=(OutputReport(layers[-1].layer, layers[-1].output_shapes[0], "float32"),),
        layers=layers,
        totals=Totals(
            params,
            total([row.trainable for row in layers]),
            total([row.non_trainable for row in layers]),
            None if params is None else 4 * params,
            total([row.macs for row in layers]),
            total([row.flops for row in layers]),
        ),
        notes=notes,
    )


CONV_WEIGHTS = (
    WeightReport("kernel", "W", (3, 3, 3, 16), "float32", True, 432),
    WeightReport("bias", "b", (16,), "float32", True, 16),
)
CONV_EXPLAINED = Explanation(
    sentence="Slides 16 learned 3×3 windows over the image; each sums over all 3 input channels.",
    hints=("Each output channel sums over all input channels: it is not one kernel per channel.",),
    statements=(Statement("y = relu(conv(x, W, strides=2, padding='same') + b)", 0, "", ""),),
    where=("relu(z) = max(z, 0)",),
    element=("y[n, i, j, k] = relu(Σ u<3, v<3, m<3  x[n, 2i+u, 2j+v, m] · W[u, v, m, k] + b[k])",),
    element_notes=("rows and columns from 28 on are padding and count as 0",),
    axes=(
        AxisReason("rows", "28", "14", "ceil(28 / 2) = 14; 'same' pads 1: 0 before, 1 after"),
        AxisReason("columns", "28", "14", "ceil(28 / 2) = 14; 'same' pads 1: 0 before, 1 after"),
        AxisReason("channels", "3", "16", "filters = 16"),
    ),
    shape_notes=("output row 0 reads rows 0 to 2, row 1 rows 2 to 4, row 13 rows 26 to 28 (28 is padding)",),
    weights=(
        WeightReason(
            "W", "kernel", (3, 3, 3, 16), "rows 3 × columns 3 × channels 3 × filters 16", 432, True,
            'model.get_layer("conv2d").kernel',
        ),
        WeightReason("b", "bias", (16,), "filters 16", 16, True, 'model.get_layer("conv2d").bias'),
    ),
    weights_note="448 parameters, all trainable, whatever the image's size",
    cost=("84,672 MACs per example = 14 × 14 positions × 16 filters × 27 products",),
    training=(),
    mask="",
    latex=(r"y_{nijk} = \mathrm{relu}\left(\sum_{u,v,m} x_{n,2i+u,2j+v,m} W_{uvmk} + b_k\right)",),
)  # fmt: skip


def cnn() -> Report:
    """A small convolutional network: four alike convolutions, a frozen batch normalisation, a dense layer."""
    image, half = (None, 28, 28, 3), (None, 14, 14, 16)
    operation = "relu(conv(x, W, strides=2, padding='same') + b)"
    norm = tuple(
        WeightReport(name, symbol, (16,), "float32", trainable, 16)
        for name, symbol, trainable in (
            ("gamma", "γ", True), ("beta", "β", True), ("moving_mean", "μ", False), ("moving_variance", "v", False),
        )
    )  # fmt: skip
    convs = tuple(
        layer(
            name, "Conv2D", operation, (image,), (half,), sources=("input_1",), weights=CONV_WEIGHTS,
            macs=84_672, flops=175_616, group=1, explanation=CONV_EXPLAINED,
        )
        for name in ("conv2d", "conv2d_1", "conv2d_2", "conv2d_3")
    )  # fmt: skip
    return report(
        "cnn",
        layer("input_1", "InputLayer", "input", (), (image,), group=0),
        *convs,
        layer(
            "add", "Add", "a + b + c + d", (half,) * 4, (half,),
            sources=("conv2d", "conv2d_1", "conv2d_2", "conv2d_3"), flops=9_408, group=2,
            formula=("y = a + b + c + d",), explanation=NOTHING._replace(
                sentence="Adds 4 tensors of one shape.",
                statements=(Statement("y = a + b + c + d", 0, "", ""),),
            ),
        ),
        layer(
            "batch_normalization", "BatchNormalization", "γ * (x - μ) / sqrt(v + 0.001) + β", (half,), (half,),
            sources=("add",), weights=norm, flops=12_544, group=3,
            explanation=NOTHING._replace(
                sentence="Shifts and scales each of the 16 channels.",
                statements=(Statement("y = γ * (x - μ) / sqrt(v + 0.001) + β", 0, "", ""),),
                weights=tuple(
                    WeightReason(w.symbol, w.name, w.shape, "channels 16", 16, w.trainable, f"layer.{w.name}")
                    for w in norm
                ),
                weights_note="64 parameters, 32 trainable",
                training=("μ and v are the batch's own; moving averages follow with momentum 0.99",),
            ),
        ),
        layer("flatten", "Flatten", "flatten(x)", (half,), ((None, 3136),), sources=("batch_normalization",), group=4),
        layer(
            "classifier_head", "Dense", "softmax(dot(x, W) + b)", ((None, 3136),), ((None, 10),),
            sources=("flatten",), macs=31_360, flops=62_770, group=5,
            weights=(
                WeightReport("kernel", "W", (3136, 10), "float32", True, 31_360),
                WeightReport("bias", "b", (10,), "float32", True, 10),
            ),
        ),
    )  # fmt: skip


def lstm() -> Report:
    """A recurrent layer: a formula of several statements with a loop, a mask, and a dense layer over its result."""
    gate = "sigmoid(dot(x[t], W_{0}) + dot(h, U_{0}) + b_{0})"
    lines = (
        ("W_i, W_f, W_g, W_o = split(W, n=4)", 0, "", "Keras's order i f c o; its c is our g"),
        ("U_i, U_f, U_g, U_o = split(U, n=4)", 0, "", ""),
        ("b_i, b_f, b_g, b_o = split(b, n=4)", 0, "", ""),
        ("h = zeros(n, 6)", 0, "", "no initial_state is given"),
        ("c = zeros(n, 6)", 0, "", ""),
        ("for t in steps(x):", 0, "", "9 steps"),
        (f"i = {gate.format('i')}", 1, "(None, 6)", "input gate"),
        (f"f = {gate.format('f')}", 1, "(None, 6)", "forget gate"),
        ("g = tanh(dot(x[t], W_g) + dot(h, U_g) + b_g)", 1, "(None, 6)", "candidate"),
        (f"o = {gate.format('o')}", 1, "(None, 6)", "output gate"),
        ("c = f * c + i * g", 1, "", ""),
        ("h = o * tanh(c)", 1, "", ""),
        ("y = h", 0, "", "return_sequences=False: last step only"),
    )
    weights = (
        WeightReport("cell.kernel", "W", (5, 24), "float32", True, 120),
        WeightReport("cell.recurrent_kernel", "U", (6, 24), "float32", True, 144),
        WeightReport("cell.bias", "b", (24,), "float32", True, 24),
    )
    factors = ("inputs 5 × (gates 4 × units 6)", "units 6 × (gates 4 × units 6)", "gates 4 × units 6")
    explained = NOTHING._replace(
        sentence="Reads 9 steps in order. Cell c is the memory; gates decide what to keep (f), write (i), show (o).",
        statements=tuple(Statement(*line) for line in lines),
        where=("sigmoid(z) = 1 / (1 + exp(-z))",),
        element=(
            "f[t, k] = sigmoid(Σ m<5  x[n, t, m]·W[m, k+6] + Σ m<6  h[t-1, m]·U[m, k+6] + b[k+6])",
            "c[t, k] = f[t, k]·c[t-1, k] + i[t, k]·g[t, k]",
            "h[t, k] = o[t, k]·tanh(c[t, k])",
        ),
        axes=(
            AxisReason(
                "steps", "9", "removed", "only the last step is returned; return_sequences=True returns (None, 9, 6)"
            ),
            AxisReason("width", "5", "6", "units = 6, whatever the number of steps"),
        ),
        weights=tuple(
            WeightReason(w.symbol, w.name, w.shape, f, w.params, True, f'model.get_layer("lstm").{w.name}')
            for w, f in zip(weights, factors, strict=True)
        ),
        weights_note="288 parameters, all trainable, used at every step",
        cost=(
            "2,376 MACs per example = 9 steps × 4 gates × 6 units × (5 + 6) products",
            "5,670 FLOPs per example = 2 × 2,376 + 9 steps × 17 elementwise × 6 units",
        ),
        training=("same as at inference (dropout 0, recurrent_dropout 0)",),
        mask="from embedding (x != 0): masked steps keep h",
    )
    return report(
        "lstm",
        layer("input_1", "InputLayer", "input", (), ((None, 9, 5),)),
        layer(
            "lstm", "LSTM", "lstm(x, W, U, b)", ((None, 9, 5),), ((None, 6),), sources=("input_1",),
            formula=tuple("    " * indent + text for text, indent, _, _ in lines), weights=weights, mask="embedding",
            macs=2_376, flops=5_670, group=1, explanation=explained,
        ),
    )  # fmt: skip


def attention() -> Report:
    """Several inputs in one call and named intermediates with their shapes."""
    lines = (
        ("Q = dot(query, W_q) + b_q", "(None, 4, 2, 8)", ""),
        ("K = dot(value, W_k) + b_k", "(None, 10, 2, 8)", "key=value"),
        ("scores = einsum(Q, K, eq='nqad,nkad->naqk') / sqrt(8.0)", "(None, 2, 4, 10)", ""),
        ("A = softmax(scores)", "", "rows sum to 1 over 10 values"),
        ("y = einsum(einsum(A, V, eq='naqk,nkad->nqad'), W_o, eq='nqad,ado->nqo') + b_o", "(None, 4, 16)", ""),
    )
    weights = tuple(
        WeightReport(f"{name}.kernel", symbol, shape, "float32", True, 256)
        for name, symbol, shape in (
            ("query", "W_q", (16, 2, 8)), ("key", "W_k", (16, 2, 8)), ("value", "W_v", (16, 2, 8)),
            ("attention_output", "W_o", (2, 8, 16)),
        )
    )  # fmt: skip
    query, value = (None, 4, 16), (None, 10, 16)
    return report(
        "attention",
        layer("query", "InputLayer", "input", (), (query,)),
        layer("value", "InputLayer", "input", (), (value,), group=1),
        layer(
            "attend", "MultiHeadAttention", "multi_head_attention(query, value)", (query, value), (query,),
            sources=("query", "value"), weights=weights, macs=8_448, flops=17_640, group=2,
            formula=tuple(text for text, _, _ in lines),
            explanation=NOTHING._replace(
                sentence="Each of 4 query positions looks at 10 value positions, in 2 heads of width 8.",
                statements=tuple(Statement(text, 0, shape, note) for text, shape, note in lines),
                where=("softmax(z)[k] = exp(z[k]) / Σ j<10  exp(z[j])",),
                element=("scores[n, a, q, k] = (Σ d<8  Q[n, q, a, d]·K[n, k, a, d]) / √8       a: head",),
                weights=tuple(
                    WeightReason(
                        w.symbol, w.name, w.shape, "features 16 × heads 2 × per head 8", 256, True,
                        f'model.get_layer("attend").{w.name}',
                    )
                    for w in weights
                ),
                cost=("8,448 MACs per example = Q 1,024 + K 2,560 + V 2,560 + scores 640 + context 640 + out 1,024",),
                mask="no mask reaches this layer",
            ),
        ),
    )  # fmt: skip


def nested() -> Report:
    """A nested model, called twice, that holds another; one row with its total."""
    deep = layer(
        "projection", "Dense", "dot(x, W)", ((None, 8),), ((None, 4),), sources=("input_3",), depth=2, group=4,
        path="encoder/tower/projection", macs=32, flops=64,
        weights=(WeightReport("kernel", "W", (8, 4), "float32", True, 32),),
    )  # fmt: skip
    tower = layer(
        "tower", "Sequential", "tower(x)", ((None, 8),), ((None, 4),), sources=("input_2",), depth=1, group=3,
        path="encoder/tower", layers=(deep,), macs=32, flops=64, params=32,
    )  # fmt: skip
    inner_input = layer("input_2", "InputLayer", "input", (), ((None, 8),), depth=1, path="encoder/input_2", group=2)
    encoder = layer(
        "encoder", "Functional", "encoder(x)", ((None, 8),), ((None, 4),), group=1, layers=(inner_input, tower),
        macs=64, flops=128, params=32,
        calls=(
            CallReport(("left",), ((None, 8),), ((None, 4),), None),
            CallReport(("right",), ((None, 8),), ((None, 4),), None),
        ),
    )  # fmt: skip
    return report(
        "siamese",
        layer("left", "InputLayer", "input", (), ((None, 8),)),
        layer("right", "InputLayer", "input", (), ((None, 8),)),
        encoder,
    )


def unknown() -> Report:
    """What is not known: an opaque layer, sizes at run time, a shape of unknown rank, counts of null, with notes."""
    words = "QDense is no layer of Keras: shape and count are those that the file recorded"
    return report(
        "unknown",
        layer("tokens", "InputLayer", "input", (), ((None, None),)),
        layer(
            "quantized", "QDense", "QDense(x)", ((None, None),), (None,), sources=("tokens",), params=None,
            macs=None, flops=None, notes=(words,), group=1, explanation=NOTHING._replace(sentence="Not known."),
        ),
        layer(
            "gru", "GRU", "gru(x, W, U, b)", ((None, None, 8),), ((None, 4), (None, 4)), sources=("quantized",),
            macs=None, flops=None, group=2, notes=("264 MACs a step × steps (unknown; fix with --input)",),
            weights=(WeightReport("cell.kernel", "W", (8, 12), "float16", True, 96),),
        ),
        notes=(
            Note("opaque-layer", "quantized", words),
            Note("no-graph", None, "the file has no graph: the order of the layers is that of the file"),
        ),
    )  # fmt: skip


HOSTILE = "=cmd|'/c calc'!A1 \x1b[31m[red]<img src=x onerror=1>\r\n\u202egnp\x9b2J\ud800|*_`${x} https://a.b 名前é"


def hostile() -> Report:
    """Names, types, formulas and notes that try every output format."""
    explained = Explanation(
        HOSTILE, (HOSTILE,), (Statement(HOSTILE, 0, HOSTILE, HOSTILE),), (HOSTILE,), (HOSTILE,), (HOSTILE,),
        (AxisReason(HOSTILE, "1", "2", HOSTILE),), (HOSTILE,),
        (WeightReason(HOSTILE, HOSTILE, (2,), HOSTILE, 2, True, HOSTILE),), HOSTILE, (HOSTILE,), (HOSTILE,), HOSTILE,
        (HOSTILE,),
    )  # fmt: skip
    row = layer(
        HOSTILE, HOSTILE, HOSTILE, ((None, 2),), ((None, 2),), sources=(HOSTILE, HOSTILE), mask=HOSTILE,
        formula=(HOSTILE,), weights=(WeightReport(HOSTILE, HOSTILE, (2,), HOSTILE, True, 2),), notes=(HOSTILE,),
        group=1, explanation=explained, path=HOSTILE,
    )  # fmt: skip
    return report(
        HOSTILE,
        layer("input_1", "InputLayer", "input", (), ((None, 2),)),
        row,
        notes=(Note(HOSTILE, HOSTILE, HOSTILE),),
        source=HOSTILE,
    )._replace(format=HOSTILE, keras_version=HOSTILE, model_type=HOSTILE)


ALL = {
    "cnn": cnn,
    "lstm": lstm,
    "attention": attention,
    "nested": nested,
    "unknown": unknown,
    "hostile": hostile,
}
