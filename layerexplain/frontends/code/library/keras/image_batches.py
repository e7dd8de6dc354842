"""Batches of images that Keras reads from directories: their shapes, and those of their labels by `class_mode`."""

from __future__ import annotations

from layerexplain.frontends.code.values.array import Array, array_of
from layerexplain.frontends.code.values.base import Arguments, Evaluator, Keywords, ProgramValue, Unknown, Value
from layerexplain.frontends.code.values.program import Bound

FUNCTIONS = frozenset({"ImageDataGenerator", "image_dataset_from_directory"})

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


def call(name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Return what `ImageDataGenerator(…)` or `image_dataset_from_directory(…)` gives."""
    if name == "ImageDataGenerator":
        return ImageGenerator()
    size = kwargs.get("image_size", (256, 256))
    return _batches(size, kwargs.get("color_mode", "rgb"), kwargs, "label_mode", "int")


def _batches(size: ProgramValue, colors: ProgramValue, kwargs: Keywords, argument: str, default: str) -> ProgramValue:
    channels = _CHANNELS.get(colors) if isinstance(colors, str) else None
    known = type(size) in (tuple, list) and len(size) == 2 and all(type(one) is int for one in size)
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
