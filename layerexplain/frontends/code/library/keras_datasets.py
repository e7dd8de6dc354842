"""The shapes of data sets of Keras and scikit-learn, of what preprocessing gives, and of images read from
directories."""

from __future__ import annotations

import math

from layerexplain.frontends.code.values.array import Array, array_of
from layerexplain.frontends.code.values.base import Arguments, Evaluator, Keywords, ProgramValue, Unknown, Value
from layerexplain.frontends.code.values.layers import Tensor
from layerexplain.frontends.code.values.objects import Namespace
from layerexplain.frontends.code.values.program import Bound

# Datasets -----------------------------------------------------------------------------------------------------------

IMAGES = {
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


def load(path: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Return what `keras.datasets.….load_data()` gives."""
    parts = path.split(".")
    name = parts[-2] if len(parts) > 1 else ""
    if parts[-1] != "load_data" or name not in IMAGES:
        return Unknown(f"it comes from keras.{path}(…)")
    example, label, train, test, classes = IMAGES[name]
    counts: tuple[int | None, int | None] = (train, test)
    if name in ("boston_housing", "reuters", "imdb") and ({"test_split", "maxlen"} & kwargs.keys() or len(args) > 1):
        counts = (None, None)
    labels = "int64" if name != "boston_housing" else "float64"

    def part(count: int | None) -> tuple[Array, Array]:
        return Array((count, *example), None, None, "uint8"), Array((count, *label), None, classes, labels)

    return part(counts[0]), part(counts[1])


def call(name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Evaluate `to_categorical`, `pad_sequences` and `normalize` on data."""
    data = array_of(args[0]) if args else Unknown("data")
    if isinstance(data, Unknown | Tensor):
        data = None
    if name == "to_categorical":
        classes = args[1] if len(args) > 1 else kwargs.get("num_classes", kwargs.get("nb_classes"))
        if classes is None:
            classes = data.classes if data is not None else None
            ends = data.range() if data is not None and classes is None and "int" in data.dtype else None
            classes = classes if ends is None else int(ends[1]) + 1
        if not isinstance(classes, int):
            return classes if isinstance(classes, Unknown) else Unknown("how many classes the data have")
        shape = data.shape if data is not None else (None,)
        shape = shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape
        return Array((*shape, classes))
    if name == "pad_sequences":
        length = args[1] if len(args) > 1 else kwargs.get("maxlen")
        if not isinstance(length, int):
            return length if isinstance(length, Unknown) else Unknown("how long the longest sequence of the data is")
        return Array((_count(args[0] if args else None), length), None, None, "int32")
    return data if data is not None else Unknown("data")


def _count(data: ProgramValue) -> int | None:
    """Return how many examples data have: an array, or a list of lists of any length."""
    array = array_of(data)
    if isinstance(array, Array):
        return array.shape[0] if array.shape else None
    return len(data) if type(data) in (list, tuple) else None


# scikit-learn ---------------------------------------------------------------------------------------------------------

_TABLES = {
    "load_iris": (150, 4, 3),
    "load_wine": (178, 13, 3),
    "load_breast_cancer": (569, 30, 2),
    "load_digits": (1797, 64, 10),
    "load_diabetes": (442, 10, None),
    "load_boston": (506, 13, None),
    "fetch_california_housing": (20_640, 8, None),
}
"""Examples, columns and classes of the tables that ship with scikit-learn."""
_DRAWN = {"make_regression": 100, "make_classification": 20, "make_blobs": 2, "make_moons": 2, "make_circles": 2}
"""Functions that draw a data set, and how many columns it has where nothing else is said."""
_CLASSES = {"make_classification": 2, "make_blobs": 3, "make_moons": 2, "make_circles": 2}
_SCALERS = frozenset({"StandardScaler", "MinMaxScaler", "RobustScaler", "MaxAbsScaler", "Normalizer"})


def of_sklearn(path: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Return what a function of scikit-learn gives, as far as shapes of models hang on it; NotImplemented for any
    other."""
    name = path.rpartition(".")[2]
    if name in _TABLES:
        rows, columns, classes = _TABLES[name]
        labels = "float64" if classes is None else "int64"
        data, target = Array((rows, columns), None, None, "float64"), Array((rows,), None, classes, labels)
        return (data, target) if kwargs.get("return_X_y") is True else Namespace({"data": data, "target": target})
    if name in _DRAWN:
        examples: ProgramValue = kwargs.get("n_samples", args[0] if args else 100)
        width: ProgramValue = kwargs.get("n_features", _DRAWN[name])
        width = args[1] if len(args) > 1 and name != "make_moons" else width
        if isinstance(examples, int) and isinstance(width, int):
            return Array((examples, width), None, None, "float64"), _drawn_targets(name, examples, kwargs)
    if name == "train_test_split" and args:
        return [part for argument in args for part in _split(argument, kwargs)]
    if name in _SCALERS:
        return Scaler(name)
    if name == "MultiLabelBinarizer":
        return LabelBinarizer(kwargs.get("classes"))
    return NotImplemented


def _drawn_targets(name: str, rows: int, kwargs: Keywords) -> Array:
    if name == "make_regression":
        targets = kwargs.get("n_targets", 1)
        return Array((rows, targets) if isinstance(targets, int) and targets > 1 else (rows,), None, None, "float64")
    classes = kwargs.get("n_classes", kwargs.get("centers", _CLASSES[name]))
    return Array((rows,), None, classes if isinstance(classes, int) else None, "int64")


def _split(data: object, kwargs: Keywords) -> tuple[ProgramValue, ProgramValue]:
    """Return the rows to train on and those to test with, which nobody knows how many they are."""
    array = array_of(data)
    if isinstance(array, Unknown) or not array.shape:
        why = array if isinstance(array, Unknown) else Unknown("a part of what is not an array")
        return why, why
    rows, test = array.shape[0], kwargs.get("test_size", 0.25 if kwargs.get("train_size") is None else None)
    counts: tuple[int | None, int | None] = (None, None)
    known = rows is not None and kwargs.get("train_size") is None
    if known and isinstance(test, int | float) and abs(test) < math.inf:
        tested = math.ceil(test * rows) if isinstance(test, float) else test
        counts = (rows - tested, tested) if 0 < tested < rows else counts
    first, second = (array._replace(shape=(count, *array.shape[1:]), cells=None) for count in counts)
    return first, second


class Scaler(Value):
    """A scaler of scikit-learn."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if name in ("fit_transform", "transform", "inverse_transform") and args:
            data = array_of(args[0])
            if isinstance(data, Unknown):
                return data
            return data._replace(cells=None, dtype=data.dtype if data.dtype.startswith("float") else "float64")
        return self if name == "fit" else Unknown(f"the method {name} of {self.name}")


class LabelBinarizer(Value):
    """A MultiLabelBinarizer of scikit-learn: a row of zeros and ones for each list of labels, a one for each label."""

    def __init__(self, classes: ProgramValue) -> None:
        self.classes = classes

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name == "classes_":
            return (
                self.classes
                if isinstance(self.classes, list | tuple)
                else Unknown(Array((None, None), several=True).unknown_width)
            )
        return Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if name in ("fit_transform", "transform") and args:
            rows = _count(args[0])
            count = len(self.classes) if isinstance(self.classes, list | tuple) else None
            return Array((rows, count), dtype="int64", several=True)
        return self if name == "fit" else Unknown(f"the method {name} of MultiLabelBinarizer")


# Image batches ------------------------------------------------------------------------------------------------------
# Batches of images that Keras reads from directories: their shapes, and those of their labels by `class_mode`.

IMAGE_FUNCTIONS = frozenset({"ImageDataGenerator", "image_dataset_from_directory"})

_SAME = frozenset({"prefetch", "cache", "shuffle", "repeat", "take", "skip"})
_CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}


class Batches(Value):
    """Batches of images `x` with labels `y`, None for those that have none. `argument` says which labels: `class_mode`
    or `label_mode`."""

    def __init__(self, x: Array, y: Array | None, argument: str) -> None:
        self.x = x
        self.y = y
        self.argument = argument

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return Bound(self, name) if name in _SAME or name == "map" else Unknown(f"{name} of batches of images")

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        return self if name in _SAME else Unknown(f"{name}() of batches of images")


class ImageGenerator(Value):
    """An `ImageDataGenerator`."""

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if name == "flow_from_directory":
            size = args[1] if len(args) > 1 else kwargs.get("target_size", (256, 256))
            return _batches(size, kwargs.get("color_mode", "rgb"), kwargs, "class_mode", "categorical")
        if name == "flow" and args:
            x, y = array_of(args[0]), array_of(args[1] if len(args) > 1 else kwargs.get("y"))
            if isinstance(x, Array):
                return Batches(x, y if isinstance(y, Array) else None, "class_mode")
        return None if name == "fit" else Unknown(f"{name}() of an ImageDataGenerator")


def batches_of_images(name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Return what `ImageDataGenerator(…)` or `image_dataset_from_directory(…)` gives."""
    if name == "ImageDataGenerator":
        return ImageGenerator()
    size = kwargs.get("image_size", (256, 256))
    return _batches(size, kwargs.get("color_mode", "rgb"), kwargs, "label_mode", "int")


def _batches(size: ProgramValue, colors: ProgramValue, kwargs: Keywords, argument: str, default: str) -> ProgramValue:
    channels = _CHANNELS.get(colors) if isinstance(colors, str) else None
    known = type(size) in (tuple, list) and len(size) == 2 and all(type(item) is int for item in size)
    if channels is None or not known:
        return Unknown("batches of images of an unknown size")
    x = Array((None, *size, channels))
    mode: ProgramValue = kwargs.get(argument, default)
    names: ProgramValue = kwargs.get("classes", kwargs.get("class_names"))
    count = len(names) if type(names) in (tuple, list) else None
    labels = {
        "binary": Array((None,), None, 2),
        "sparse": Array((None,), None, count),
        "int": Array((None,), None, count, "int32"),
        "categorical": Array((None, count)),
        "input": x,
    }
    return Batches(x, labels.get(mode) if isinstance(mode, str) else None, argument)
