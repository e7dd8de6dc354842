"""What is known of a model of PyTorch whose input the code does not say: what its first module takes, and modules that
PyTorch does not find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.frontends.code.library.torch_modules import BuiltIn, first_modules, is_module, named_modules
from layerexplain.frontends.code.library.torch_weights import weight_shapes
from layerexplain.frontends.code.values.program import Instance

_TAKES = frozenset({"in_channels", "in_features", "input_size", "num_embeddings"})
"""Arguments by which a module says what it takes."""


def _first(module: Any) -> BuiltIn | None:
    """Return the first module that says what it takes: a Flatten or a Dropout before it leaves that to it."""
    return next((one for one in first_modules(module) if _TAKES & one.config.keys()), None)


def asked_shapes(module: Any, names: Sequence[str]) -> dict[str, tuple[Sequence[int | None], str]]:
    """Return the shape that the first module needs, by the only argument of `forward`; none where it does not say."""
    first = _first(module)
    if len(names) != 1 or first is None:
        return {}
    type_, config = first.type, first.config
    shape: tuple[int | None, ...]
    if type_ == "Linear":
        shape = (config.get("in_features"),)
    elif type_.startswith("Conv") and type_[-2:-1].isdecimal():
        shape = (config.get("in_channels"), *(None,) * int(type_[-2]))
    elif type_ in ("LSTM", "GRU", "RNN"):
        shape = (None, config.get("input_size"))
    elif type_ == "Embedding":
        return {names[0]: ((None,), "int64")}
    else:
        return {}
    known = any(isinstance(size, int) for size in shape)
    return {names[0]: (shape, "float32")} if known else {}


_SHAPES = {
    **dict.fromkeys(("Linear", "LSTMCell", "GRUCell", "RNNCell"), "{}"),
    "Conv1d": "{},28", "Conv2d": "{},28,28", "Conv3d": "{},8,28,28",
}  # fmt: skip
"""An input for a first module, by its type: the size that it takes, and others as examples."""


_SIZES = (28, 32, 48, 64, 84, 96, 100, 128, 150, 224, 227, 256, 299)
"""Sizes of images that people have; the first is an example of any."""


def example_shape(module: Any, reads: Callable[[Sequence[int]], bool | None]) -> Sequence[int] | None:
    """Return an input for a module that begins with a convolution: of the first size that it takes, or of any where
    that is not known (then it is empty); None where it takes none of the usual sizes."""
    first = _first(module)
    channels = None if first is None else first.config.get("in_channels")
    if first is None or not isinstance(channels, int) or first.type not in ("Conv1d", "Conv2d"):
        return ()
    shapes = [(channels, *(size,) * int(first.type[-2])) for size in _SIZES]
    for shape in shapes:
        answer = reads(shape)
        if answer is not False:
            return shape if answer else ()
    return None


def first_asked(module: Any, example: Sequence[int] | None = ()) -> str:
    """Return the shape that the first module needs, in words, with an example that the model takes: the one that is
    given, or a usual one where that is empty."""
    for one in first_modules(module):
        if one.type.startswith("Embedding"):
            return f"its first module, {one.type}, takes token ids, as in --input 9"
        for key, words in (("in_channels", "channel"), ("in_features", "feature"), ("input_size", "feature")):
            size = one.config.get(key)
            if isinstance(size, int):
                shape = _SHAPES.get(one.type, "9,{}" if key == "input_size" else "").format(size)
                shape = ",".join(map(str, example)) if example else shape if example is not None else ""
                said = f", as in --input {shape}" if shape else ""
                return f"its first module, {one.type}, takes {size} {words}{'s' * (size != 1)}{said}"
            if size is not None:
                return ""
    return ""


def modules_in_lists(module: Any) -> list[str]:
    """Return the attributes that are plain lists or dicts of modules with parameters, which PyTorch does not find."""
    every = named_modules(module)
    known = {id(one) for one in every.values()}
    found = []
    for prefix, owner in every.items():
        for name, value in owner.attributes.items() if isinstance(owner, Instance) else ():
            parts = value.values() if type(value) is dict else value if type(value) in (list, tuple) else ()
            leaves = [
                one
                for part in parts
                if is_module(part) and id(part) not in known
                for one in named_modules(part).values()
            ]
            if any(isinstance(one, BuiltIn) and weight_shapes(one) for one in leaves):
                found.append(f"{prefix}.{name}".lstrip("."))
    return found
