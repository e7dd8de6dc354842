"""Data of PyTorch programs: the shapes of the batches that a DataLoader gives, from the data set and its transforms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from layerexplain.frontends.code.library.keras_datasets import IMAGES
from layerexplain.frontends.code.library.torch import LIBRARY as LIBRARY
from layerexplain.frontends.code.library.torch_numbers import Numbers
from layerexplain.frontends.code.values.array import Array, in_a_tuple
from layerexplain.frontends.code.values.base import Alike, Arguments, Evaluator, Keywords, ProgramValue, Unknown, Value
from layerexplain.frontends.code.values.operators import rebuilt
from layerexplain.frontends.code.values.program import Bound, Instance
from layerexplain.frontends.code.values.reading import numbered
from layerexplain.model import Shape

if TYPE_CHECKING:
    from layerexplain.frontends.code.machine.interpreter import Interpreter


class Picture(Value):
    """An image before a transform turns it into a tensor: channels, rows and columns, None for sizes of files."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


# Transforms -----------------------------------------------------------------------------------------------------------


def _pair(value: ProgramValue) -> tuple[int | None, int | None]:
    """Return rows and columns of a size that is one number or two; None for what is not known."""
    parts = tuple(value) if type(value) in (list, tuple) else (value,)
    sizes = [part if type(part) is int else None for part in parts]
    return (sizes[0], sizes[-1]) if 0 < len(sizes) < 3 else (None, None)


def _cropped(shape: Shape, size: ProgramValue) -> Shape:
    return shape[0], *_pair(size)


def _resized(shape: Shape, size: ProgramValue) -> Shape:
    """Return the shape after Resize: one number is that of the shorter side, the other one keeps the proportions."""
    rows, columns = shape[1:]
    parts = [size] if type(size) is int else size
    if type(parts) in (list, tuple) and len(parts) == 1 and type(parts[0]) is int:
        if rows is None or columns is None:
            return shape[0], None, None
        short, long = parts[0], int(parts[0] * max(rows, columns) / min(rows, columns))
        return (shape[0], short, long) if rows <= columns else (shape[0], long, short)
    return shape[0], *_pair(size)


def _padded(shape: Shape, padding: ProgramValue) -> Shape:
    """Return the sizes with padding: `left, top, right, bottom`, or one number for all, or one for each direction."""
    parts = [padding] if type(padding) is int else list(padding) if type(padding) in (list, tuple) else []
    if len(parts) not in (1, 2, 4) or not all(type(part) is int for part in parts):
        return shape[0], None, None
    left, top, right, bottom = parts * (4 // len(parts))
    rows, columns = shape[1:]
    rows = None if rows is None else rows + top + bottom
    return shape[0], rows, None if columns is None else columns + left + right


_SHAPES: dict[str, tuple[Callable[[Shape, ProgramValue], Shape], str, ProgramValue]] = {
    **dict.fromkeys(("CenterCrop", "RandomCrop", "RandomResizedCrop"), (_cropped, "size", None)),
    "Resize": (_resized, "size", None),
    "Pad": (_padded, "padding", None),
    "Grayscale": (
        lambda shape, channels: (channels if type(channels) is int else None, *shape[1:]),
        "num_output_channels",
        1,
    ),
}
"""Transforms that change the shape of an image: how, and the argument that says it, with its default."""
_TO_TENSOR = frozenset({"ToTensor", "PILToTensor", "ToImage"})
_KEEPS = frozenset(
    """
    Normalize RandomHorizontalFlip RandomVerticalFlip RandomRotation ColorJitter RandomErasing RandomAffine AutoAugment
    RandAugment TrivialAugmentWide AugMix GaussianBlur RandomGrayscale RandomPerspective RandomInvert RandomPosterize
    RandomSolarize RandomAdjustSharpness RandomAutocontrast RandomEqualize ElasticTransform ConvertImageDtype ToDtype
    """.split()  # noqa: SIM905
)
"""Transforms that keep the shape of an image."""


class Transform(Value):
    """A transform of torchvision, by its name there."""

    def __init__(self, name: str, args: Arguments, kwargs: Keywords) -> None:
        self.name = name
        self.args = args
        self.kwargs = kwargs

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        x = args[0] if args else None
        if self.name == "Compose" or (self.name == "Sequential" and self.args):
            for item in self.args[0] if self.args and type(self.args[0]) in (list, tuple) else ():
                x = evaluator.call(item, [x])
            return x
        if self.name == "Lambda" and self.args:
            return evaluator.call(self.args[0], [x])
        if self.name in _TO_TENSOR and isinstance(x, Picture | Array):
            return Numbers(x.shape)
        if self.name == "ToPILImage" and isinstance(x, Array):
            return Picture(x.shape)
        if not isinstance(x, Picture | Array) or len(x.shape) != 3:
            return x if isinstance(x, Unknown) else evaluator.unknown(f"what transforms.{self.name} is given")
        if self.name in _KEEPS:
            return x
        if self.name not in _SHAPES:
            return evaluator.unknown(f"layerexplain does not read transforms.{self.name}")
        change, argument, default = _SHAPES[self.name]
        shape = change(x.shape, self.kwargs.get(argument, self.args[0] if self.args else default))
        return Picture(shape) if isinstance(x, Picture) else Numbers(shape)


@LIBRARY.family("torchvision")
def _torchvision(path: str) -> Callable[[Arguments, Keywords, Interpreter], ProgramValue]:
    """Call transforms and data sets."""
    package, _, name = path.rpartition(".")

    def implementation(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        if package in ("transforms", "transforms.v2", "transforms.transforms") and name[:1].isupper():
            return Transform(name, args or list(kwargs.values())[:1] if name == "Compose" else args, kwargs)
        if package.startswith("datasets") and name == "FakeData":
            given: Keywords = {"size": 1_000, "image_size": (3, 224, 224), "num_classes": 10}
            given |= dict(zip((*given, "transform"), args, strict=False)) | kwargs
            return _of_pictures(tuple(given["image_size"]), given["size"], given["num_classes"], given.get("transform"))
        if package.startswith("datasets") and name in _PICTURES:
            return _of_torchvision(name, args, kwargs)
        return NotImplemented

    return implementation


# Data sets ------------------------------------------------------------------------------------------------------------

_PARTS = {"MNIST": "mnist", "FashionMNIST": "fashion_mnist", "CIFAR10": "cifar10", "CIFAR100": "cifar100"}
"""Data sets that Keras has too, and their names there."""
_PICTURES: dict[str, tuple[Shape, int | None, int | None, int | None]] = {
    **{
        name: ((*(size[2:] or (1,)), *size[:2]), train, test, classes)
        for name, (size, _, train, test, classes) in [(item, IMAGES[key]) for item, key in _PARTS.items()]
    },
    "KMNIST": ((1, 28, 28), 60_000, 10_000, 10),
    "QMNIST": ((1, 28, 28), 60_000, 60_000, 10),
    "EMNIST": ((1, 28, 28), None, None, None),
    "USPS": ((1, 16, 16), 7_291, 2_007, 10),
    "SVHN": ((3, 32, 32), 73_257, 26_032, 10),
    "STL10": ((3, 96, 96), 5_000, 8_000, 10),
    "EuroSAT": ((3, 64, 64), 27_000, 27_000, 10),
    "Flowers102": ((3, None, None), 1_020, 6_149, 102),
    "Food101": ((3, None, None), 75_750, 25_250, 101),
    "GTSRB": ((3, None, None), 26_640, 12_630, 43),
    "OxfordIIITPet": ((3, None, None), None, None, 37),
    "StanfordCars": ((3, None, None), None, None, 196),
    "ImageNet": ((3, None, None), None, None, 1_000),
    "ImageFolder": ((3, None, None), None, None, None),
}
"""Of data sets of torchvision the shape of an image, how many there are to train on and to test with, and classes."""


class DataSet(Value):
    """A data set: `example(evaluator)` is one of its examples, `count` how many there are."""

    def __init__(
        self, example: Callable[[Evaluator], ProgramValue], count: int | None, classes: int | None = None
    ) -> None:
        self.example = example
        self.count = count
        self.classes = classes

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name == "classes" and self.classes is not None:
            return [evaluator.unknown("the name of a class") for _ in numbered(self.classes)]
        return evaluator.unknown(f"the attribute {name} of a data set")

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        return self.example(evaluator)

    def iterate(self) -> list[ProgramValue] | Unknown:
        return Unknown("the examples of a data set")

    def length(self) -> ProgramValue:
        return Unknown("how many examples a data set has") if self.count is None else self.count


def _of_torchvision(name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Return a data set of images with labels, as far as its transform says what it gives."""
    shape, train, test, classes = _PICTURES[name]
    part = kwargs.get("train", kwargs.get("split", args[1] if len(args) > 1 and type(args[1]) in (bool, str) else True))
    transform = kwargs.get(
        "transform", next((argument for argument in args[1:] if isinstance(argument, Transform)), None)
    )

    count = train if part in (True, "train") else test if part in (False, "test") else None
    return _of_pictures(shape, count, classes, transform, kwargs.get("target_transform"))


def _of_pictures(
    shape: Shape, count: int | None, classes: int | None, transform: ProgramValue, of_labels: ProgramValue = None
) -> DataSet:
    """Return a data set of images with class numbers; a transform is None where these stay as they are."""

    def example(evaluator: Evaluator) -> ProgramValue:
        pairs = (Picture(shape), transform), (Numbers((), None, classes, "int64"), of_labels)
        return tuple([item if change is None else evaluator.call(change, [item]) for item, change in pairs])

    return DataSet(example, count, classes)


@LIBRARY.function("torch.utils.data.TensorDataset")
def _of_tensors(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Tensors whose rows are the examples."""

    def example(evaluator: Evaluator) -> ProgramValue:
        return tuple([_row(argument) for argument in args])

    rows = [argument.shape[0] for argument in args if isinstance(argument, Array) and argument.shape]
    return DataSet(example, rows[0] if rows else None)


@LIBRARY.function("torch.utils.data.random_split", "torch.utils.data.dataset.random_split")
def _split(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    whole = args[0]
    lengths: ProgramValue = args[1] if len(args) > 1 else kwargs.get("lengths")
    if type(lengths) not in (list, tuple):
        return interpreter.unknown("into which parts a data set is split")
    counts = [length if type(length) is int else None for length in lengths]
    return [DataSet(partial(_example, whole), count, getattr(whole, "classes", None)) for count in counts]


@LIBRARY.function("torch.utils.data.Subset")
def _subset(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    rows: ProgramValue = args[1] if len(args) > 1 else kwargs.get("indices")
    return DataSet(partial(_example, args[0]), len(rows) if type(rows) in (list, range) else None)


def _example(of: ProgramValue, evaluator: Evaluator) -> ProgramValue:
    """Return an example of a data set, or of an object of a user-defined class."""
    if isinstance(of, DataSet):
        return of.example(evaluator)
    if isinstance(of, Instance) and of.cls.find("__getitem__") is not None:
        return evaluator.call(evaluator.attribute(of, "__getitem__"), [0])
    if type(of) is list and of:
        return of[0]
    has_rows = isinstance(of, Array) and bool(of.shape)
    return _row(of) if has_rows else evaluator.unknown("the examples of a data set")


def _row(data: ProgramValue) -> ProgramValue:
    """Return an example of an array of examples; anything else as it is."""
    return data._replace(shape=data.shape[1:], cells=None) if isinstance(data, Array) and data.shape else data


# Batches --------------------------------------------------------------------------------------------------------------


class Loader(Value):
    """A DataLoader."""

    def __init__(
        self, data: ProgramValue, size: ProgramValue, drop_last: bool, evaluator: Evaluator, changes: bool
    ) -> None:
        self.data = data
        self.size = size
        self.drop_last = drop_last
        self.evaluator = evaluator
        self.changes = changes
        """Whether a function of the program makes the batches of the examples."""

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name == "dataset":
            return self.data
        return self.size if name == "batch_size" else Bound(self, name)

    def iterate(self) -> list[ProgramValue] | Unknown:
        evaluator = self.evaluator
        if self.changes:
            return evaluator.unknown("batches that collate_fn makes")
        size = self.size if type(self.size) is int else None
        batch = rebuilt(
            _example(self.data, evaluator),
            lambda item, inside: _batch(item, size, evaluator),
            lambda kind, items: dict(items) if kind is dict else items,
        )
        if isinstance(batch, Unknown):
            return batch
        return Alike("how many batches a DataLoader gives", evaluator.line, item=batch)

    def length(self) -> ProgramValue:
        count = evaluator_length(self.evaluator, self.data)
        if type(count) is not int or type(self.size) is not int or self.size < 1:
            return Unknown("how many batches a DataLoader gives")
        return count // self.size if self.drop_last else math.ceil(count / self.size)


def evaluator_length(evaluator: Evaluator, data: ProgramValue) -> ProgramValue:
    """Return how many examples a data set has."""
    if isinstance(data, Instance) and data.cls.find("__len__") is not None:
        return evaluator.call(evaluator.attribute(data, "__len__"), [])
    return data.length() if isinstance(data, Value) else len(data) if type(data) is list else None


@LIBRARY.function("torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader")
def _loader(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    given: Keywords = (
        dict(zip(("dataset", "batch_size", "shuffle", "sampler", "batch_sampler"), args, strict=False)) | kwargs
    )
    size = given.get("batch_size", 1) if given.get("batch_sampler") is None else None
    return Loader(
        given.get("dataset"), size, given.get("drop_last") is True, interpreter, given.get("collate_fn") is not None
    )


def _batch(example: ProgramValue, size: int | None, evaluator: Evaluator) -> ProgramValue:
    """Return a batch of arrays or numbers that are alike, as PyTorch's default_collate makes it."""
    if isinstance(example, Array):
        return Numbers((size, *example.shape), None, example.classes, example.dtype, example.bounds)
    if isinstance(example, Picture):
        return evaluator.unknown("images that no transform turns into tensors; add transforms.ToTensor()")
    if type(example) in (bool, int, float):
        return Numbers((size,), None, None, "float64" if type(example) is float else "int64")
    return example if isinstance(example, Unknown) else evaluator.unknown("a batch of examples")


def sizes_said(sizes: Sequence[ProgramValue]) -> Numbers | None:
    """Return data with unknown values and the sizes that `reshape(-1, 784)` gives each example; None for other
    sizes."""
    given = in_a_tuple(sizes)
    said = given[1:]
    is_said = (
        len(given) > 1 and all(type(item) is int and item > 0 for item in said) and not isinstance(given[0], Array)
    )
    return Numbers((given[0] if type(given[0]) is int and given[0] > 0 else None, *said)) if is_said else None
