"""The libraries that are read; those of which few functions matter: tqdm, six, scikit-learn, timm, einops."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from layerexplain.frontends.code.library import builtins, numpy, python, torch_framework
from layerexplain.frontends.code.library import keras_datasets as datasets
from layerexplain.frontends.code.library.builtins import call_builtin
from layerexplain.frontends.code.library.keras_framework import Keras
from layerexplain.frontends.code.library.torch import make_module
from layerexplain.frontends.code.library.torch_framework import PyTorch
from layerexplain.frontends.code.library.torch_numbers import computed
from layerexplain.frontends.code.library.torch_program import Parameter, TensorRun, run_of
from layerexplain.frontends.code.library.torch_tensors import Tensor, stated
from layerexplain.frontends.code.library.torch_tensors import function as tensor_function
from layerexplain.frontends.code.machine.interpreter import FrameworkLibrary, Implementation, Libraries, Library
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import (
    Arguments,
    Keywords,
    ProgramError,
    ProgramValue,
    Unknown,
    UnknownValue,
)
from layerexplain.lang.axes import BATCH, Batch
from layerexplain.layers.registry import EINOPS, TIMM, find
from layerexplain.layers.torch.einops import steps_of
from layerexplain.ops.sizes import quotient

if TYPE_CHECKING:
    from layerexplain.frontends.code.machine.interpreter import Interpreter


# Small --------------------------------------------------------------------------------------------------------------
# Libraries with few functions that matter to a model: tqdm, six, scikit-learn, timm.

LIBRARY: Library = Library("tqdm", "six", "sklearn", "timm", "einops")


@LIBRARY.family("tqdm")
def _progress(name: str) -> Implementation:
    """`tqdm(rows)` gives the rows, `trange(n)` a range."""
    last = name.rpartition(".")[2]

    def rows(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        if not args or last not in ("tqdm", "trange"):
            return NotImplemented
        return args[0] if last == "tqdm" else call_builtin("range", args, {}, interpreter)

    return rows


@LIBRARY.family("six")
def _six(name: str) -> Implementation:
    """Evaluate `six.moves.range` and the like: builtins of Python 2."""

    def builtin(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        if not name.startswith("moves."):
            return NotImplemented
        of_python_3 = name.removeprefix("moves.").replace("xrange", "range")
        return call_builtin(of_python_3, args, kwargs, interpreter)

    return builtin


@LIBRARY.family("sklearn")
def _sklearn(name: str) -> Implementation:
    """Call data sets and preprocessing of scikit-learn."""
    return lambda args, kwargs, interpreter: datasets.of_sklearn(f"sklearn.{name}", args, kwargs)


_TUPLES = {f"to_{count}tuple": count for count in range(1, 5)}


@LIBRARY.family("timm")
def _timm(name: str) -> Implementation:
    """Call what public models of PyTorch import of timm: tuples of sizes, DropPath, and functions without effect on
    shapes."""
    last = name.rpartition(".")[2]

    def implementation(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        if last in _TUPLES and args:
            return tuple(args[0]) if type(args[0]) in (list, tuple) else (args[0],) * _TUPLES[last]
        if last == "DropPath":
            config = dict(zip(("drop_prob", "scale_by_keep"), args, strict=False)) | kwargs
            config = {key: 0.0 if value is None else value for key, value in config.items()}
            return make_module(f"{TIMM}{last}", config, interpreter)
        if last == "register_model" and args:
            return args[0]
        return None if last.endswith("normal_") else NotImplemented

    return implementation


# Einops -------------------------------------------------------------------------------------------------------------
# einops: `rearrange`, `reduce` and `repeat` as functions and as modules, `einsum`, `pack` and `unpack`.


@LIBRARY.family("einops")
def _einops(path: str) -> Implementation:
    """Everything that has a row by its name in einops: functions, and modules of einops.layers.torch."""
    name = path.removeprefix("layers.torch.")

    def implementation(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        declaration = find(f"{EINOPS}{name}")
        if declaration is None:
            return NotImplemented
        is_function = name.islower()
        x = (args[0] if args else kwargs.get("tensor")) if is_function else None
        given = args[1:] if is_function and args else args
        config = dict(zip([argument for argument in declaration.arguments if argument != "sizes"], given, strict=False))
        config |= {key: value for key, value in kwargs.items() if key in declaration.arguments}
        sizes = {key: value for key, value in kwargs.items() if key not in (*declaration.arguments, "tensor")}
        config["sizes"] = _plain_sizes(sizes)
        if not is_function:
            return make_module(f"{EINOPS}{name}", config, interpreter)
        unknown = next((item for item in (x, *config.values()) if isinstance(item, Unknown)), None)
        return unknown or _call(f"{EINOPS}{name}", x, config, interpreter)

    return implementation


def _plain_sizes(sizes: Keywords) -> ProgramValue:
    """Return sizes of axes with None for the batch; Unknown where one is not known."""
    unknown = next((size for size in sizes.values() if isinstance(size, Unknown)), None)
    return unknown or {key: stated(size) for key, size in sizes.items()}


def _call(type_: str, x: ProgramValue, config: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Return what a function gives: a row of a run, or the shape of an array outside of any."""
    run = run_of(interpreter)
    if run is not None:
        x = tensor_function(run, "stack", [list(x)], {}) if type(x) in (list, tuple) else x
        return run.operation(type_, [x], config)
    declaration = find(type_)
    if not isinstance(x, Array) or declaration is None:
        return interpreter.unknown(f"what {type_} moves is not known")
    sizes = tuple([size if isinstance(size, int) else None for size in x.shape])
    operation = type_.removeprefix(EINOPS)
    steps = steps_of(config.get("reduction", operation), config["pattern"], config["sizes"], sizes)
    if steps.folded or None in sizes:
        return x._replace(shape=steps.shape(steps.after), cells=None)
    y: ProgramValue = x.reshaped([steps.sizes[name] for name in steps.split])
    y = y.permuted([steps.split.index(name) for name in steps.joined if name in steps.split])
    if steps.added:
        y = y.reshaped([1 if name in steps.added else steps.sizes[name] for name in steps.joined])
        y = computed("expand", [y, [steps.sizes[name] for name in steps.joined]], {}, interpreter)
    return y.reshaped(steps.shape(steps.after))


# Products and packs -----------------------------------------------------------------------------------------------


def _run(interpreter: Interpreter, name: str) -> TensorRun:
    run = run_of(interpreter)
    if run is None:
        raise UnknownValue(interpreter.unknown(f"einops.{name}(…) of numbers that layerexplain does not compute"))
    return run


@LIBRARY.function("einops.einsum")
def _einsum(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `einsum(a, b, "n i c, n j c -> n i j")`: names in place of letters."""
    *tensors, pattern = args
    if not isinstance(pattern, str):
        return NotImplemented
    names = list(dict.fromkeys(re.findall(r"\w+", pattern)))
    if len(names) > len(string.ascii_letters):
        raise ProgramError("RuntimeError", "Too many axes in einsum", interpreter.place())
    letters = dict(zip(names, string.ascii_letters, strict=False))
    equation = re.sub(r"\w+", lambda match: letters[match[0]], pattern).replace(" ", "")
    return tensor_function(_run(interpreter, "einsum"), "einsum", [equation, *tensors], {})


def _ends(pattern: ProgramValue, place: ProgramValue) -> tuple[int, int]:
    """Return how many axes stand before and after the `*` of a pattern."""
    names = pattern.split() if isinstance(pattern, str) else []
    if names.count("*") != 1:
        raise ProgramError("EinopsError", f"a pattern of pack needs one *, got {pattern!r}", place)
    return names.index("*"), len(names) - names.index("*") - 1


@LIBRARY.function("einops.pack")
def _pack(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `pack([a, b], "n * c")`: the axes at the star become one each, along which the tensors are joined."""
    given: Keywords = dict(zip(("tensors", "pattern"), args, strict=False)) | kwargs
    tensors: ProgramValue = given.get("tensors")
    run = _run(interpreter, "pack")
    before, after = _ends(given.get("pattern"), interpreter.place())
    if type(tensors) not in (list, tuple):
        return tensors if isinstance(tensors, Unknown) else NotImplemented
    parts, shapes = [], []
    for tensor in tensors:
        if isinstance(tensor, Unknown):
            return tensor
        x = run.stored(tensor) if isinstance(tensor, Parameter | Array) else tensor
        sizes = x.sizes
        if len(sizes) < before + after:
            words = f"pack needs tensors with at least {before + after} axes, got one with {len(sizes)}"
            raise run.refused(words)
        end = len(sizes) - after
        shapes.append(sizes[before:end])
        parts.append(
            x if end - before == 1 else _reshaped(run, x, (*sizes[:before], _all(sizes[before:end]), *sizes[end:]))
        )
    joined = parts[0] if len(parts) == 1 else tensor_function(run, "cat", [parts, before], {})
    return joined, shapes


def _all(sizes: tuple[ProgramValue, ...]) -> ProgramValue:
    """Return the product of sizes; one of them may be the batch."""
    result = quotient(sizes, ()) if all(isinstance(size, int | Batch) for size in sizes) else None
    return Unknown("a product of sizes that are not known") if result is None else result


def _reshaped(run: TensorRun, x: Tensor, sizes: tuple[ProgramValue, ...]) -> ProgramValue:
    return tensor_function(run, "reshape", [x, sizes], {})


@LIBRARY.function("einops.unpack")
def _unpack(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `unpack(x, shapes, "n * c")`: what `pack` joined."""
    given: Keywords = dict(zip(("tensor", "packed_shapes", "pattern"), args, strict=False)) | kwargs
    x: ProgramValue = given.get("tensor")
    shapes: ProgramValue = given.get("packed_shapes")
    run = _run(interpreter, "unpack")
    before, after = _ends(given.get("pattern"), interpreter.place())
    if isinstance(x, Unknown) or type(shapes) not in (list, tuple):
        return x if isinstance(x, Unknown) else NotImplemented
    if len(x.sizes) != before + 1 + after:
        raise run.refused(f"unpack needs a tensor with {before + 1 + after} axes, got one with {len(x.sizes)}")
    shapes = [tuple(shape) for shape in shapes]
    counts = [_all(shape) if -1 not in shape else None for shape in shapes]
    if len(shapes) == 1:
        parts = (x,)
    elif x.spec.shape[before] is BATCH or any(type(count) is not int for count in counts if count is not None):
        return interpreter.unknown("what unpack cuts from an axis of unknown size")
    else:
        if None in counts:
            known = sum(count for count in counts if count is not None)
            counts[counts.index(None)] = x.spec.shape[before] - known
        parts = tensor_function(run, "split", [x, counts, before], {})
    sizes = x.sizes
    return [
        part if len(shape) == 1 else _reshaped(run, part, (*sizes[:before], *shape, *sizes[before + 1 :]))
        for part, shape in zip(parts, shapes, strict=True)
    ]


# Registry -----------------------------------------------------------------------------------------------------------
# The libraries that are read.

FRAMEWORKS = (Keras,)
"""The libraries that models are made with; the first one is meant where nothing says which."""
_LIBRARIES = (
    builtins.LIBRARY,
    python.LIBRARY,
    numpy.LIBRARY,
    LIBRARY,
    torch_framework.LIBRARY,
    *[FrameworkLibrary(*function.roots) for function in FRAMEWORKS],
)
LIBRARIES = {root: library for library in _LIBRARIES for root in library.roots}
"""The libraries by the first parts of their names."""


def libraries() -> Libraries:
    """Return the libraries as an interpreter takes them."""
    return Libraries(LIBRARIES, FRAMEWORKS, PyTorch)
