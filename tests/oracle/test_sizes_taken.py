"""Which sizes a model takes, as the report says, is what real Keras takes: each of 1 to 66 rows is tried, to 130 at night."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import layerexplain
from tests.support.frameworks import keras
from tests.support.tries import tries

pytestmark = pytest.mark.keras

LARGEST = tries(66, 130)
SIDE = 192


def conv(x: Any, **arguments: Any) -> Any:
    from keras import layers

    return layers.Conv2D(1, **{"kernel_size": 3, "padding": "same", **arguments})(x)


def u_net(depth: int, up: str = "transpose", down: str = "pool", join: str = "Concatenate") -> Callable[[Any], Any]:
    """A U-Net with as many levels; `down` halves by pooling or by a stride, which rounds up."""

    def build(x: Any) -> Any:
        from keras import layers

        skips = []
        for _ in range(depth):
            x = conv(x)
            skips.append(x)
            x = layers.MaxPooling2D()(x) if down == "pool" else conv(x, strides=2)
        for skip in reversed(skips):
            x = layers.Conv2DTranspose(1, 2, strides=2)(x) if up == "transpose" else layers.UpSampling2D()(x)
            x = getattr(layers, join)()([x, skip])
        return conv(x)

    return build


def original_u_net(x: Any) -> Any:
    """Convolutions without padding; skips are cropped."""
    from keras import layers

    skip = conv(x, padding="valid")
    x = conv(layers.MaxPooling2D()(skip), padding="valid")
    x = layers.UpSampling2D()(x)
    return layers.Concatenate()([x, layers.Cropping2D(2)(skip)])


def chain(*parts: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def build(x: Any) -> Any:
        for part in parts:
            x = part(x)
        return x

    return build


def layer(type_: str, *args: Any, **arguments: Any) -> Callable[[Any], Any]:
    def build(x: Any) -> Any:
        from keras import layers

        return getattr(layers, type_)(*args, **arguments)(x)

    return build


def residual(x: Any) -> Any:
    """A block that halves, beside a projection that halves as well."""
    from keras import layers

    return layers.Add()([conv(conv(x, strides=2)), conv(x, kernel_size=1, strides=2)])


def mismatched(x: Any) -> Any:
    """Two ways down, of which one rounds up."""
    from keras import layers

    return layers.Add()([conv(x, strides=2), layers.MaxPooling2D()(x)])


def subtracted(x: Any) -> Any:
    """An autoencoder whose output is compared with its input."""
    from keras import layers

    y = layers.UpSampling2D(3)(layers.AveragePooling2D(3)(x))
    return layers.Subtract()([x, y])


MODELS: dict[str, Callable[[Any], Any]] = {
    "a U-Net of depth 2": u_net(2),
    "a U-Net of depth 3": u_net(3),
    "a U-Net of depth 4": u_net(4),
    "a U-Net of depth 5": u_net(5),
    "a U-Net with UpSampling": u_net(3, up="repeat"),
    "a U-Net that adds": u_net(2, join="Add"),
    "a U-Net with strides": u_net(3, down="stride"),
    "the original U-Net": original_u_net,
    "strides": chain(layer("Conv2D", 1, 3, strides=2), layer("Conv2D", 1, 3, strides=2)),
    "strides of three, padded": chain(*[layer("Conv2D", 1, 3, strides=3, padding="same")] * 3),
    "windows": chain(*[layer("Conv2D", 1, 5)] * 3),
    "pools": chain(*[layer("MaxPooling2D", 2)] * 4),
    "pools of three": chain(*[layer("AveragePooling2D", 3, strides=2)] * 2),
    "dilation": layer("Conv2D", 1, 3, dilation_rate=7),
    "croppings": chain(layer("Cropping2D", ((3, 4), (0, 0))), layer("Cropping2D", 1)),
    "padding and cropping": chain(layer("ZeroPadding2D", 2), layer("Cropping2D", 3)),
    "a residual block": residual,
    "two ways down": mismatched,
    "an autoencoder": subtracted,
    "a mean": chain(layer("Conv2D", 1, 3, strides=2, padding="same"), layer("GlobalAveragePooling2D")),
}


def said(words: str) -> set[int]:
    """The sizes that words stand for."""
    words, _, others = words.partition("; also ")
    if others:
        return said(words) | {int(size) for size in others.split(", ")}
    if only := re.fullmatch(r"only (\d+)", words):
        return {int(only[1])}
    sizes = set(range(1, LARGEST + 1))
    for part in words.split(", "):
        if number := re.fullmatch(r"multiples of (\d+)", part):
            sizes &= {size for size in sizes if size % int(number[1]) == 0}
        elif number := re.fullmatch(r"(\d+) more than a multiple of (\d+)", part):
            sizes &= {size for size in sizes if size % int(number[2]) == int(number[1])}
        elif number := re.fullmatch(r"from (\d+)", part):
            sizes &= {size for size in sizes if size >= int(number[1])}
        else:
            assert part == "any", words
    return sizes


@pytest.mark.parametrize("name", MODELS)
def test_the_sizes_that_a_report_says_are_those_that_keras_takes(name: str) -> None:
    inputs = keras.Input((None, SIDE, 1), name="image")
    model = keras.Model(inputs, MODELS[name](inputs))
    report = layerexplain.explain(model, inputs={"image": ("H", SIDE, 1)}, detail=False)
    taken = set()
    for rows in range(1, LARGEST + 1):
        try:
            shape = model(np.zeros((1, rows, SIDE, 1), "float32")).shape
        except Exception:
            continue
        if 0 in shape:
            continue
        taken.add(rows)
        assert report.at(H=rows).outputs[0].shape[1:] == tuple(shape[1:])
    assert said(report.sizes[0].takes) == taken, report.sizes[0]
