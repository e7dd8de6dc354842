"""Values and calls as Python code: layers of Keras, their arguments, the losses and optimizers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from keyword import iskeyword
from typing import Any

from layerexplain.conversions.spec import per_axis
from layerexplain.errors import SpecError
from layerexplain.frontends.model_builder import automatic
from layerexplain.lang.tables import ConstantArray, Shaped
from layerexplain.layers.arguments import Argument
from layerexplain.layers.registry import find, positional_arguments
from layerexplain.model import Layer, TrainingSetting
from layerexplain.records import NamedTuple
from layerexplain.report.settings import by_name, home_of

WIDTH = 100

_WITHOUT_NAME = frozenset({"pool_size", "size", "padding", "cropping", "rate", "stddev"})
"""Arguments that have a default and are mostly written without their name where they come first."""


def layer_code(layer: Layer, name: str | None, indent: int = 0, more: int = 0) -> str:
    """Return the call that makes a layer; `name` is the code of its name, None for one that Keras gives, and `more` is
    how much stands behind the call.

    >>> layer_code(Layer("a", "Conv2D", "layer", {"filters": 16, "kernel_size": (3, 3)}), '"a"')
    'layers.Conv2D(16, 3, name="a")'
    """
    declaration = find(layer.type)
    config = per_axis(layer.config)
    front: list[str] = []
    for key in positional_arguments(declaration) if declaration is not None else ():
        required = declaration is not None and declaration.arguments[key].default is Argument.REQUIRED
        if key not in config or not (required or (not front and key in _WITHOUT_NAME)):
            break
        front.append(value_code(config.pop(key), indent + 4))
    named = [keyword_code(key, value_code(value, indent + 4)) for key, value in config.items()]
    if name is not None:
        named.append(f"name={name}")
    home = "" if declaration is None else declaration.facts.home
    return call_code(f"{home or 'layers'}.{layer.type}", [*front, *named], indent, more)


def call_code(head: str, arguments: Sequence[str], indent: int, more: int = 0) -> str:
    """Return a call, in one line where it fits; `more` is how much stands behind it.

    >>> print(call_code("f", ["a" * 60, "b" * 60], 0)[:8])
    f(
        a
    """
    line = f"{head}({', '.join(arguments)})"
    if indent + len(line) + more <= WIDTH and "\n" not in line:
        return line
    pad = " " * (indent + 4)
    return f"{head}(\n" + "".join(f"{pad}{argument},\n" for argument in arguments) + f"{' ' * indent})"


def keyword_code(key: str, text: str) -> str:
    """Return an argument by its name. Raises SpecError for a name that would be other code: a file may hold any.

    >>> keyword_code("units", "4")
    'units=4'
    """
    if not key.isidentifier() or iskeyword(key):
        raise SpecError(f"the argument name {key!r} is not a name in Python")
    return f"{key}={text}"


def value_code(value: Any, indent: int = 0) -> str:
    """Return a value in today's words as code.

    >>> value_code({"a": (1, 2), "b": TrainingSetting("L2", {"l2": 0.1})})
    '{"a": (1, 2), "b": keras.regularizers.L2(l2=0.1)}'
    """
    if isinstance(value, CodeText):
        return value.text
    if isinstance(value, Layer):
        if value.model is not None:  # the hard_sigmoid of Keras 2; any other model is `CodeText`
            inner = [layer_code(layer, None, indent) for layer in value.model.layers if layer.type != "InputLayer"]
            return f"keras.Sequential([{', '.join(inner)}])"
        return layer_code(value, None if automatic(value) else text_code(value.name), indent)
    if isinstance(value, TrainingSetting):
        name = by_name(value)
        if name is not None:
            return text_code(name)
        arguments = [keyword_code(key, value_code(item)) for key, item in value.config.items()]
        return call_code(f"keras.{home_of(value.name)}.{value.name}", arguments, indent)
    if isinstance(value, str):
        return text_code(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{value_code(key)}: {value_code(item)}" for key, item in value.items()) + "}"
    if isinstance(value, slice):
        return f"slice({value_code(value.start)}, {value_code(value.stop)}, {value_code(value.step)})"
    if isinstance(value, ConstantArray):
        if isinstance(value.value, Shaped):
            raise SpecError(f"an array of the shape {value.value.shape} is too large to write")
        dtype = keyword_code("dtype", text_code(value.dtype)) if value.dtype else ""
        numbers = value_code(value.value)
        return f"ops.convert_to_tensor({numbers}{', ' + dtype if dtype else ''})"
    if isinstance(value, tuple):
        return f"({', '.join(map(value_code, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        parts = [value_code(item, indent + 4) for item in value]
        line = f"[{', '.join(parts)}]"
        is_long = indent + len(line) >= WIDTH and any(isinstance(item, Layer) for item in value)
        if "\n" not in line and not is_long:
            return line
        pad = " " * (indent + 4)
        return "[\n" + "".join([f"{pad}{part},\n" for part in parts]) + f"{' ' * indent}]"
    if isinstance(value, float) and value - value != 0:
        return f'float("{value}")'
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if value is ...:
        return "..."
    raise SpecError(f"code cannot express {value!r}"[:200])


def text_code(text: str) -> str:
    """Return a text in double quotes.

    >>> text_code("it's"), text_code('a "b"')
    ('"it\\'s"', '\\'a "b"\\'')
    """
    code = ascii(text)
    return f'"{code[1:-1]}"' if code[0] == "'" and '"' not in code else code


def index_code(value: Any, one_code: Callable[[Any], str] | None = None) -> str:
    """Return what stands in the brackets behind a tensor; `one_code` writes what is no slice.

    >>> index_code((slice(None), 0, slice(1, None), ...)), index_code(([0, 2],))
    (':, 0, 1:, ...', '[0, 2],')
    """
    write = one_code or value_code
    if type(value) is tuple and value:  # a record, such as a tensor, is a value
        return ", ".join([index_code(item, write) for item in value]) + ("," if len(value) == 1 else "")
    if isinstance(value, slice):
        ends = ["" if item is None else write(item) for item in (value.start, value.stop, value.step)]
        return ":".join(ends[: 2 if not ends[2] else 3])
    return write(value)


class CodeText(NamedTuple):
    """A value that is code already: a variable, or a call of a function."""

    text: str


class Identifiers:
    """Names of variables: each is given once. With `seen`, the names are put there as well."""

    def __init__(self, taken: Iterable[str] = (), seen: set[str] | None = None) -> None:
        self.seen = seen if seen is not None else set()
        self.taken = {"keras", "layers", "ops", "x", "model", "inputs", "outputs", "name", "i", "range", *taken}

    def take(self, wish: str) -> str:
        """Return a name like the one that is wished for, which no one else has.

        >>> names = Identifiers()
        >>> names.take("conv-1"), names.take("conv-1"), names.take("7th"), names.take("class")
        ('conv_1', 'conv_1_2', '_7th', 'class_')
        """
        stem = re.sub(r"\W", "_", wish, flags=re.ASCII) or "_"
        stem = f"_{stem}" if stem[0].isdigit() else stem
        stem = f"{stem}_" if iskeyword(stem) or stem in ("print", "float", "slice") else stem
        name, number = stem, 2
        while name in self.taken:
            name, number = f"{stem}_{number}", number + 1
        self.taken.add(name)
        self.seen.add(name)
        return name
