"""A live `nn.Module` → a program that makes the same one, for the reader of code.

Modules of PyTorch become calls of their classes, with the arguments that they remember. Of other classes the methods
that `forward` needs are written down as their source has them (`inspect.getsource` reads it), without `__init__`: the
object has what that would make. Nothing of the object is called.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import sys
import textwrap
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.layers.registry import TORCH, find
from layerexplain.model import TORCH_MODULE, Model, Note, SourceCode

_LIBRARIES = ("torch", "math", "numpy", "einops", "typing", "functools", "collections", "operator", "itertools", "copy")
"""Packages whose names a program may import; those of others are written down."""
_PLAIN = (bool, int, float, str, type(None))
_OWN = frozenset(
    {"training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "_is_full_backward_hook"}
)
_MOST_ITEMS = 10_000
_MOST_OBJECTS = 50_000
_CONTAINERS = {"Sequential", "ModuleList", "ModuleDict", "ParameterList"}
_MADE_OF = {
    "d_model": "self_attn.embed_dim", "nhead": "self_attn.num_heads", "dim_feedforward": "linear1.out_features",
    "layer_norm_eps": "norm1.eps", "batch_first": "self_attn.batch_first", "dropout": "dropout.p",
    "bias": "in_proj_bias", "add_bias_kv": "bias_k",
}  # fmt: skip
"""Arguments that a module keeps in one of its parts → the way there."""


def is_live_module(source: Any) -> bool:
    """Return whether an object is a module of PyTorch, which is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)


def read_live_module(module: Any) -> Model:
    """Return the architecture of a module. Raises SourceError for a class whose source is not there."""
    from layerexplain.frontends.code.reader import read_code

    return _of_an_object(read_code(_Writer().program(module).encode(), None, "model"))


def _of_an_object(model: Model) -> Model:
    """Return what was read of the program as the model of an object, which has no lines."""
    code = model.source_code

    def again(read: Model | None) -> Model | None:
        return None if read is None else _of_an_object(read)

    if code is not None:
        at, with_values = code.at, code.with_values
        code = SourceCode(
            tuple, lambda shapes: again(at(shapes)), code.missing, lambda values: again(with_values(values))
        )
    notes = [note._replace(message=_in_python(note.message)) for note in model.notes]
    if model.faults:
        words = f"forward could not be followed, so its modules are listed: {_in_python(model.faults[0].fact)}"
        notes = [Note("open", None, words), *[note for note in notes if note.message != model.faults[0].fact]]
    return model._replace(format=TORCH_MODULE, source_code=code, notes=tuple(notes), faults=())


def _in_python(message: str) -> str:
    """Return a note in which options of the command line are arguments of functions.

    >>> _in_python("the input has no shape; Conv2d takes 3 channels, as in --input 3,28,28; give it with --input")
    'the input has no shape; Conv2d takes 3 channels, as in inputs=(1, 3, 28, 28)'
    """
    message = re.sub(r"\bline \d+: ", "", message)
    message = re.sub(r"--input ([\d,]+\d)", lambda match: f"inputs=(1, {match[1].replace(',', ', ')})", message)
    return message.removesuffix("; give it with --input").replace("--input", "inputs=…")


class _Writer:
    """Writes a program: what it needs in front, then the objects, each once."""

    def __init__(self) -> None:
        self.needed: dict[str, str] = {}
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.kept: list[Any] = []
        self.taken: dict[str, int] = {"model": 1}
        self.tensors: dict[int, str] = {}

    def program(self, module: Any) -> str:
        name = self.module(module)
        front = ["import torch", "from torch import nn", "from collections import OrderedDict"]
        return "\n".join([*front, *self.needed.values(), *self.lines, f"model = {name}", ""])

    def _name(self, thing: Any, wish: str) -> str:
        """Return a name for something that nothing else has."""
        wish = wish if wish.isidentifier() else "thing"
        count = self.taken[wish] = self.taken.get(wish, 0) + 1
        name = wish if count == 1 else f"{wish}_{count}"
        self.names[id(thing)] = name
        self.kept.append(thing)  # so that no other object gets its id
        if len(self.kept) > _MOST_OBJECTS:
            raise SourceError(f"has more than {_MOST_OBJECTS:,} modules")
        return name

    # Modules --------------------------------------------------------------------------------------------------------

    def module(self, module: Any) -> str:
        """Write a module and all that is in it; return its name."""
        if id(module) in self.names:
            return self.names[id(module)]
        kind = _torch_class(type(module))
        arguments = None if kind is None or kind in _CONTAINERS else self._arguments(module, kind)
        if kind in _CONTAINERS:
            text = self._container(module, kind)
        elif arguments is not None:
            text = f"nn.{kind}({arguments})"
        else:
            return self._own(module)
        name = self._name(module, f"m{len(self.kept)}")
        self.lines.append(f"{name} = {text}")
        if kind not in _CONTAINERS:
            self._tensors(module, name)
        return name

    def _container(self, module: Any, kind: str) -> str:
        if kind == "ParameterList":
            return f"nn.ParameterList([{', '.join([self._parameter(item) for item in module])}])"
        items = [(name, self.module(item)) for name, item in module._modules.items() if item is not None]
        if kind == "ModuleList":
            return f"nn.ModuleList([{', '.join([item for _, item in items])}])"
        pairs = ", ".join([f"({name!r}, {item})" for name, item in items])
        return f"nn.{kind}(OrderedDict([{pairs}]))"

    def _arguments(self, module: Any, kind: str) -> str | None:
        """Return the arguments of a module of PyTorch; None where it does not remember one that it needs."""
        from layerexplain.layers.arguments import Argument

        declaration = find(f"{TORCH}{kind}")
        if declaration is None:
            return None
        result = []
        for name, argument in declaration.arguments.items():
            value = _remembered(module, name)
            if value is _FORGOTTEN or inspect.ismethod(value):
                if argument.default is Argument.REQUIRED:
                    return None
                continue
            if name in ("bias", "add_bias_kv") and not isinstance(value, bool):
                value = value is not None
            if (text := self.value(value)) is not None:
                result.append(f"{name}={text}")
        return ", ".join(result)

    def _own(self, module: Any) -> str:
        """Write a module of a class of somebody's own: an empty one, and what it has."""
        parts = {name: self.module(item) for name, item in module._modules.items() if item is not None}
        cls = self._class(type(module), "forward")
        name = self._name(module, f"m{len(self.kept)}")
        self.lines.append(f"{name} = {cls}()")
        self.lines += [
            f"{name}.{key} = {part}" if key.isidentifier() else f"{name}.add_module({key!r}, {part})"
            for key, part in parts.items()
        ]
        for key, other in module._modules.items():
            if other is None and key.isidentifier():
                self.lines.append(f"{name}.{key} = None")
        for key, tensor in module._parameters.items():
            text = "None" if tensor is None else self._parameter(tensor)
            self.lines.append(f"{name}.{key} = {text}")
            if tensor is not None:
                self.tensors.setdefault(id(tensor), f"{name}.{key}")
        for key, tensor in module._buffers.items():
            text = "None" if tensor is None else f"torch.empty({tuple(tensor.shape)}, dtype={tensor.dtype})"
            kept = ", persistent=False" if key in module._non_persistent_buffers_set else ""
            self.lines.append(f"{name}.register_buffer({key!r}, {text}{kept})")
        self._attributes(module, name)
        return name

    def _attributes(self, thing: Any, name: str) -> None:
        for key, value in vars(thing).items():
            if key in _OWN or not key.isidentifier() or "_hooks" in key:
                continue
            if (text := self.value(value)) is not None:
                self.lines.append(f"{name}.{key} = {text}")

    def _parameter(self, tensor: Any) -> str:
        if id(tensor) in self.tensors:
            return self.tensors[id(tensor)]
        self.kept.append(tensor)
        frozen = "" if tensor.requires_grad else ", requires_grad=False"
        return f"nn.Parameter(torch.empty({tuple(tensor.shape)}){frozen})"

    def _tensors(self, module: Any, name: str) -> None:
        """Write which parameters of a module of PyTorch are frozen, and which are another module's."""
        for key, tensor in module.named_parameters():
            place = f"{name}.{key}"
            if (first := self.tensors.setdefault(id(tensor), place)) != place:
                self.lines.append(f"{place} = {first}")
            elif not tensor.requires_grad:
                self.lines.append(f"{place}.requires_grad = False")
            self.kept.append(tensor)

    # Values ---------------------------------------------------------------------------------------------------------

    def value(self, value: Any, depth: int = 0) -> str | None:
        """Return what a value is in a program; None for one that is not written."""
        if type(value) in _PLAIN:
            return (
                f"float({str(value)!r})"
                if (isinstance(value, float) and value != value) or value in (float("inf"), float("-inf"))
                else repr(value)
            )
        if id(value) in self.names:
            return self.names[id(value)]
        torch = sys.modules["torch"]
        if isinstance(value, torch.nn.Module):
            return self.module(value)
        if isinstance(value, torch.dtype):
            return str(value)
        if isinstance(value, torch.Size):
            return repr(tuple(value))
        if depth > 6:
            return None
        if isinstance(value, list | tuple | set | frozenset) and len(value) <= _MOST_ITEMS:
            parts = [self.value(item, depth + 1) for item in value]
            if None in parts:
                return None
            inside = ", ".join([str(part) for part in parts])
            if isinstance(value, list):
                return f"[{inside}]"
            return (
                f"({inside}{',' * (len(parts) == 1)})"
                if isinstance(value, tuple)
                else f"{{{inside}}}"
                if parts
                else "set()"
            )
        if isinstance(value, Mapping) and len(value) <= _MOST_ITEMS:
            pairs = [(self.value(key, depth + 1), self.value(item, depth + 1)) for key, item in value.items()]
            return "{" + ", ".join([f"{key}: {item}" for key, item in pairs if key and item]) + "}"
        if isinstance(value, FunctionType | type) or inspect.isbuiltin(value) or isinstance(value, ModuleType):
            return self._named(value, getattr(value, "__name__", "thing").rpartition(".")[2])
        if isinstance(value, torch.Tensor):
            return f"torch.empty({tuple(value.shape)}, dtype={value.dtype})"
        return self._object(value)

    def _object(self, value: Any) -> str | None:
        """Write an object that has attributes, such as a configuration."""
        cls = type(value)
        if not hasattr(value, "__dict__") or cls.__module__.partition(".")[0] in (*_LIBRARIES, "builtins"):
            return None
        name = self._name(value, f"o{len(self.kept)}")
        computed = [key for item in cls.__mro__ for key, kept in vars(item).items() if isinstance(kept, property)]
        self.lines.append(f"{name} = {self._class(cls, *computed)}()")
        for key, item in vars(value).items():
            if key.isidentifier() and not key.startswith("__") and (text := self.value(item, 3)) is not None:
                self.lines.append(f"{name}.{key} = {text}")
        return name

    # What stands in front -------------------------------------------------------------------------------------------

    def _named(self, thing: Any, wish: str) -> str | None:
        """Return the name of a function, a class or a module, which is imported or written down."""
        if id(thing) in self.names:
            return self.names[id(thing)]
        if isinstance(thing, ModuleType):
            if thing.__name__.partition(".")[0] not in _LIBRARIES:
                return None
            name = self._name(thing, wish)
            self.needed[name] = f"import {thing.__name__} as {name}"
            return name
        home, own = getattr(thing, "__module__", None) or "", getattr(thing, "__name__", "")
        if home == "builtins":
            return own if hasattr(builtins, own) else None
        if home.partition(".")[0] in _LIBRARIES or not home:
            return self._imported(thing, wish)
        if isinstance(thing, type):
            return self._class(thing, "forward", "__init__", "__call__")
        function = inspect.unwrap(thing)
        if not isinstance(function, FunctionType):
            return None
        name = self._name(thing, own)
        self.needed[name] = ""
        tree = _tree(function)
        if not isinstance(tree, ast.FunctionDef):
            del self.needed[name]
            return None
        tree.name = name
        text = self._function(tree, function)
        del self.needed[name]  # what it needs stands in front of it
        self.needed[name] = text
        return name

    def _imported(self, thing: Any, wish: str) -> str | None:
        """Return the name of a thing of a library, by a way on which it is found."""
        own = getattr(thing, "__name__", wish)
        homes = (getattr(thing, "__module__", "") or "", "torch.nn", "torch", "torch.nn.functional")
        for home in ("torch.nn", "torch.nn.functional", "torch", *homes):
            if home in sys.modules and getattr(sys.modules[home], own, None) is thing:
                name = self._name(thing, wish)
                self.needed[name] = f"from {home} import {own} as {name}"
                return name
        return None

    def _class(self, cls: type, *methods: str) -> str:
        """Write the methods of a class that the named ones reach, of its bases too; return its name."""
        if id(cls) in self.names:
            return self.names[id(cls)]
        name = self._name(cls, cls.__name__)
        torch = sys.modules["torch"]
        is_module = issubclass(cls, torch.nn.Module)
        own = [item for item in cls.__mro__ if item is not object and item.__module__.partition(".")[0] != "builtins"]
        own = own[: own.index(torch.nn.Module)] if is_module else own
        waiting, seen = [*methods], set[str]()
        bodies: list[str] = []
        while waiting:
            method = waiting.pop()
            if method in seen or (is_module and method in ("__init__", "__call__")):
                continue
            seen.add(method)
            home = next((item for item in own if method in vars(item)), None)
            if home is None:
                continue
            result = vars(home)[method]
            function = inspect.unwrap(getattr(result, "fget", None) or getattr(result, "__func__", result))
            tree = _tree(function) if isinstance(function, FunctionType) else None
            if not isinstance(tree, ast.FunctionDef):
                if (text := self.value(result)) is not None:
                    bodies.append(f"{method} = {text}")
                continue
            tree.name = method
            marks = {"property": property, "staticmethod": staticmethod, "classmethod": classmethod}
            mark = next((word for word, kind in marks.items() if isinstance(result, kind)), "")
            bodies.append((f"@{mark}\n" if mark else "") + self._function(tree, function))
            waiting += [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        if is_module and "forward" in methods and not any("def forward" in body for body in bodies):
            raise SourceError(f"the source of {cls.__name__}.forward is not there to be read")
        bases = "(nn.Module)" if is_module else ""
        body = textwrap.indent("\n".join(bodies) or "pass", "    ")
        self.needed[name] = f"class {name}{bases}:\n{body}"
        return name

    def _function(self, tree: ast.FunctionDef, function: FunctionType) -> str:
        """Return the text of a function in which the names of others are those that the program has for them."""
        tree.decorator_list, tree.returns = [], None
        if ast.get_docstring(tree, clean=False) is not None:
            tree.body = tree.body[1:] or [ast.Pass()]
        for node in ast.walk(tree):
            if isinstance(node, ast.arg):
                node.annotation = None
        closure = dict(
            zip(function.__code__.co_freevars, [_content(item) for item in function.__closure__ or ()], strict=False)
        )
        local = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        local |= {
            node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name) or node.id in local:
                continue
            thing = closure.get(node.id, function.__globals__.get(node.id, _FORGOTTEN))
            if thing is _FORGOTTEN or thing is function:
                continue
            text = (
                self._named(thing, node.id) if callable(thing) or isinstance(thing, ModuleType) else self.value(thing)
            )
            if text is not None and text.isidentifier():
                node.id = text
            elif text is not None and node.id not in self.taken:
                self.needed[self._name(object(), node.id)] = f"{node.id} = {text}"
        return ast.unparse(ast.fix_missing_locations(tree))


_FORGOTTEN = object()


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _FORGOTTEN


def _remembered(module: Any, name: str) -> Any:
    """Return the argument of a module, from where it keeps it."""
    for way in (_MADE_OF.get(name, name), name):
        result = module
        for step in way.split("."):
            result = getattr(result, step, _FORGOTTEN)
        if result is not _FORGOTTEN:
            return result
    return _FORGOTTEN


def _torch_class(cls: type) -> str | None:
    """Return the name of the class of PyTorch whose `forward` a class has."""
    for other in cls.__mro__:
        if other.__module__.startswith("torch.nn.modules"):
            return other.__name__ if other.__name__ != "Module" else None
        if "forward" in vars(other) or other.__module__.startswith("torch.nn"):
            return None
    return None


def _tree(function: FunctionType) -> ast.AST | None:
    """Return the source of a function, read; None where there is none."""
    try:
        text = textwrap.dedent(inspect.getsource(function))
        return ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
