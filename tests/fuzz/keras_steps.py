"""Steps of a drawn Keras program: a layer or an operation on a tensor of a known shape, and the shape behind it."""

import random
from collections.abc import Callable
from typing import NamedTuple

Draw = random.Random
Shape = tuple[int, ...]
Sized = Callable[[int], str]
"""Writes a number: as it is, or as an expression of the program."""

SIZES = [2, 3, 5, 7, 11]


class Step(NamedTuple):
    """What is done with a tensor. `made` is the layer alone, "" for an operation; in `called`, `{x}` is the tensor."""

    made: str
    called: str
    shape: Shape


def layer(made: str, shape: Shape) -> Step:
    """A step that is a layer on one tensor."""
    return Step(made, made + "({x})", shape)


def step(draw: Draw, shape: Shape, sized: Sized, name: Callable[[str], str], alone: bool = False) -> Step:
    """A step for a tensor of a shape (without the batch). `name` writes how the program calls a layer of Keras, or
    `keras.ops`; `alone` asks for a layer that may stand in a Sequential model."""
    makers = [_any, _any, {1: _of_vector, 2: _of_sequence, 3: _of_image}[len(shape)]]
    while True:
        found = draw.choice([*makers, makers[-1], makers[-1]])(draw, shape, sized, name)
        if found is not None and (found.made or not alone):
            return found


def _any(draw: Draw, shape: Shape, sized: Sized, name: Callable[[str], str]) -> Step | None:
    ops = name("ops")
    return draw.choice(
        [
            layer(f"{name('Activation')}({draw.choice(['relu', 'tanh', 'gelu', 'sigmoid', 'softmax'])!r})", shape),
            layer(f"{name('BatchNormalization')}({draw.choice(['', 'scale=False', 'center=False'])})", shape),
            layer(f"{name('LayerNormalization')}()", shape),
            layer(f"{name('Dropout')}({draw.choice([0.1, 0.25, 0.5])})", shape),
            layer(f"{name('ReLU')}()", shape),
            layer(f"{name('PReLU')}()", shape),
            layer(f"{name('Dense')}({sized(units := draw.choice(SIZES))})", (*shape[:-1], units)),
            layer(f"{name('Lambda')}(lambda t: t * 2)", shape),
            layer(f"{name('Reshape')}(({', '.join(map(sized, shape))},))", shape),
            layer(f"{name('Identity')}()", shape),
            Step("", draw.choice(["{x} * 2", "1 - {x}", "{x} + {x}", "-{x}", "abs({x})", "{x} ** 2"]), shape),
            Step("", f"{ops}.{draw.choice(['relu', 'abs', 'exp', 'square', 'sigmoid', 'softmax', 'silu'])}({{x}})", shape),
            Step("", f"{name('Add')}()([{{x}}, {name('Dense')}({sized(shape[-1])})({{x}})])", shape),
            Step("", f"{name('concatenate')}([{{x}}, {{x}}])", (*shape[:-1], 2 * shape[-1])),
            Step("", f"{name('Multiply')}()([{{x}}, {{x}}])", shape),
            Step("", f"{ops}.concatenate([{{x}}, {{x}}], axis=-1)", (*shape[:-1], 2 * shape[-1])),
            Step("", f"{{x}}[..., :{sized(keep := draw.randint(1, shape[-1]))}]", (*shape[:-1], keep)),
            Step("", f"{ops}.split({{x}}, [{sized(cut := draw.randint(0, shape[-1] - 1))}], axis=-1)[1]",
                 (*shape[:-1], shape[-1] - cut)),
        ]
    )  # fmt: skip


def _of_vector(draw: Draw, shape: Shape, sized: Sized, name: Callable[[str], str]) -> Step | None:
    (width,) = shape
    return draw.choice(
        [
            layer(f"{name('Dense')}({sized(units := draw.choice(SIZES))}, activation='relu')", (units,)),
            layer(f"{name('Dense')}(units={sized(units)}, use_bias=False)", (units,)),
            layer(f"{name('RepeatVector')}({sized(count := draw.choice([2, 3]))})", (count, width)),
            layer(f"{name('Reshape')}((-1, 1))", (width, 1)),
            layer(f"{name('UnitNormalization')}()", shape),
            Step("", f"{name('ops')}.expand_dims({{x}}, axis=1)", (1, width)),
            Step("", f"{name('ops')}.stack([{{x}}, {{x}}], axis=1)", (2, width)),
        ]
    )


def _of_sequence(draw: Draw, shape: Shape, sized: Sized, name: Callable[[str], str]) -> Step | None:
    steps, width = shape
    units = draw.choice(SIZES)
    rnn = f"{name(draw.choice(['LSTM', 'GRU', 'SimpleRNN']))}({sized(units)}"
    if steps * width > 400:
        return layer(f"{name('GlobalAveragePooling1D')}()", (width,))
    return draw.choice(
        [
            layer(f"{name('Conv1D')}({sized(units)}, 3, padding='same')", (steps, units)),
            layer(f"{name('Conv1D')}({sized(units)}, 2, padding='causal', dilation_rate=2)", (steps, units)),
            layer(f"{rnn}, return_sequences=True)", (steps, units)),
            layer(f"{rnn})", (units,)),
            layer(f"{name('Bidirectional')}({rnn}))", (2 * units,)),
            layer(f"{name('TimeDistributed')}({name('Dense')}({sized(units)}))", (steps, units)),
            layer(f"{name('MaxPooling1D')}(2, padding='same')", (-(-steps // 2), width)),
            layer(f"{name('GlobalAveragePooling1D')}()", (width,)),
            layer(f"{name('GlobalMaxPool1D')}()", (width,)),
            layer(f"{name('Flatten')}()", (steps * width,)),
            layer(f"{name('Permute')}((2, 1))", (width, steps)),
            layer(f"{name('UpSampling1D')}(2)", (2 * steps, width)),
            Step("", f"{name('MultiHeadAttention')}(2, {sized(units)})({{x}}, {{x}})", shape),
            Step("", f"{name('Attention')}()([{{x}}, {{x}}])", shape),
            Step("", "{x}[:, -1]", (width,)),
            Step("", f"{name('ops')}.transpose({{x}}, (0, 2, 1))", (width, steps)),
            Step("", f"{name('ops')}.mean({{x}}, axis=1)", (width,)),
            Step("", f"{name('ops')}.matmul({{x}}, {name('ops')}.transpose({{x}}, (0, 2, 1)))", (steps, steps)),
        ]
    )


def _of_image(draw: Draw, shape: Shape, sized: Sized, name: Callable[[str], str]) -> Step | None:
    rows, columns, width = shape
    units = draw.choice(SIZES)
    half = (-(-rows // 2), -(-columns // 2))
    if rows * columns > 300 or width > 50:
        return layer(f"{name('GlobalAveragePooling2D')}()", (width,))
    return draw.choice(
        [
            layer(f"{name('Conv2D')}({sized(units)}, 3, padding='same', activation='relu')", (rows, columns, units)),
            layer(f"{name('Conv2D')}({sized(units)}, (3, 2), strides=2, padding='same')", (*half, units)),
            layer(f"{name('Conv2DTranspose')}({sized(units)}, 2, strides=2)", (2 * rows, 2 * columns, units)),
            layer(f"{name('SeparableConv2D')}({sized(units)}, 3, padding='same')", (rows, columns, units)),
            layer(f"{name('DepthwiseConv2D')}(3, padding='same')", shape),
            layer(f"{name('MaxPooling2D')}(padding='same')", (*half, width)),
            layer(f"{name('AveragePooling2D')}(2, padding='same')", (*half, width)),
            layer(f"{name('ZeroPadding2D')}(1)", (rows + 2, columns + 2, width)),
            layer(f"{name('UpSampling2D')}()", (2 * rows, 2 * columns, width)),
            layer(f"{name('GlobalAveragePooling2D')}()", (width,)),
            layer(f"{name('Flatten')}()", (rows * columns * width,)),
            layer(f"{name('SpatialDropout2D')}(0.2)", shape),
            layer(f"{name('Reshape')}((-1, {sized(width)}))", (rows * columns, width)),
            Step("", f"{name('add')}([{{x}}, {name('Conv2D')}({sized(width)}, 1)({{x}})])", shape),
            Step("", f"{name('ops')}.mean({{x}}, axis=(1, 2))", (width,)),
        ]
    )
