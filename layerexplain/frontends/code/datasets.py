"""The shapes of the data sets that ship with Keras, and of what its preprocessing gives."""

from __future__ import annotations

from typing import Any

from layerexplain.frontends.code.arrays import array_of
from layerexplain.frontends.code.values import Array, Tensor, Unknown

_IMAGES = {
    "mnist": ((28, 28), (), 60_000, 10_000, 10),
    "fashion_mnist": ((28, 28), (), 60_000, 10_000, 10),
    "cifar10": ((32, 32, 3), (1,), 50_000, 10_000, 10),
    "cifar100": ((32, 32, 3), (1,), 50_000, 10_000, 100),
    "imdb": ((), (), 25_000, 25_000, 2),
    "reuters": ((), (), 8_982, 2_246, 46),
    "boston_housing": ((13,), (), 404, 102, None),
}
"""Of each example and its label the shape, how many examples, and the classes."""

FUNCTIONS = frozenset({"to_categorical", "pad_sequences", "normalize", "expand_dims"})


def load(path: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """What `keras.datasets.….load_data()` gives."""
    parts = path.split(".")
    name = parts[-2] if len(parts) > 1 else ""
    if parts[-1] != "load_data" or name not in _IMAGES:
        return Unknown(f"it comes from keras.{path}(…)")
    example, label, train, test, classes = _IMAGES[name]
    if name in ("boston_housing", "reuters") and ("test_split" in kwargs or "maxlen" in kwargs):
        return Unknown(f"how keras.datasets.{name} is split")
    labels = "int64" if name != "boston_housing" else "float64"

    def part(count: int) -> tuple[Array, Array]:
        return Array((count, *example), None, None, "uint8"), Array((count, *label), None, classes, labels)

    return part(train), part(test)


def call(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`to_categorical`, `pad_sequences` and `normalize` on data."""
    data = array_of(args[0]) if args else Unknown("data")
    if isinstance(data, Unknown | Tensor):
        data = None
    if name == "to_categorical":
        classes = args[1] if len(args) > 1 else kwargs.get("num_classes", kwargs.get("nb_classes"))
        if classes is None:
            classes = data.classes if data is not None else None
        if not isinstance(classes, int):
            return classes if isinstance(classes, Unknown) else Unknown("how many classes the data have")
        shape = data.shape if data is not None else (None,)
        shape = shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape
        return Array((*shape, classes))
    if name == "pad_sequences":
        length = args[1] if len(args) > 1 else kwargs.get("maxlen")
        if not isinstance(length, int):
            return length if isinstance(length, Unknown) else Unknown("how long the longest sequence of the data is")
        return Array((data.shape[0] if data is not None and data.shape else None, length), None, None, "int32")
    return data if data is not None else Unknown("data")
