"""Libraries with few functions that matter to a model: tqdm, six, scikit-learn, timm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerexplain.frontends.code.library.builtins import call_builtin
from layerexplain.frontends.code.library import keras_datasets as datasets
from layerexplain.frontends.code.library.table import Implementation, Library
from layerexplain.frontends.code.library.torch import make_module
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue
from layerexplain.layers.registry import TIMM

if TYPE_CHECKING:
    from layerexplain.frontends.code.machine.interpreter import Interpreter

LIBRARY: Library = Library("tqdm", "six", "sklearn", "timm")


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
            config = {key: 0.0 if one is None else one for key, one in config.items()}
            return make_module(f"{TIMM}{last}", config, interpreter)
        if last == "register_model" and args:
            return args[0]
        return None if last.endswith("normal_") else NotImplemented

    return implementation
