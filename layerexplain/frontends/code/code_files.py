"""Python code beside a source (`--code`): what its classes of layers and models are for the configurations of a file.

A file, a folder of modules or an installed package is read as text, and of a folder only those modules whose classes
are asked for.
"""

from __future__ import annotations

import ast
import os
import re
import stat
from collections.abc import Iterator, Mapping

from layerexplain.errors import LayerExplainError, NotKnown, SourceError
from layerexplain.frontends.code.library.keras_framework import keras_of
from layerexplain.frontends.code.library.keras_names import base_of
from layerexplain.frontends.code.read_program import Program, imports_of
from layerexplain.frontends.code.reader import program
from layerexplain.frontends.code.recorder.own_layers import Code, OwnLayer, ready
from layerexplain.frontends.code.recorder.shapes import with_ready_layers
from layerexplain.frontends.code.recorder.tracing import FoundModel
from layerexplain.frontends.code.sources import Modules, Text, package_of, read_module
from layerexplain.frontends.code.values.base import Place, ProgramValue, Symbol, Unknown
from layerexplain.frontends.code.values.layers import ModelValue
from layerexplain.frontends.code.values.program import Class, Function, layer_of
from layerexplain.frontends.code.values.reading import MOST_SOURCE, Budget, File
from layerexplain.lang.definition import Definition
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import find
from layerexplain.model import Model, Note
from layerexplain.ops import load_all
from layerexplain.sources.regular_file import open_regular

_DEFINED = re.compile(rb"^(class|def)[ \t]+(\w+)", re.MULTILINE)
_MOST_FILES = 5_000
_MOST_BYTES = 64 * 1024 * 1024


class PythonCode(Mapping[str, Declaration]):
    """The layers that Python code defines, by class; `model` makes its models."""

    def __init__(self, reading: Program) -> None:
        load_all()
        self.reading = reading
        self.code = Code(keras_of(reading.interpreter).graphs, reading.where)
        self._known: dict[str, Declaration | None] = {}

    def cls(self, name: str) -> Class | None:
        """Return the class with a name; None where the code does not define it."""
        value = self.reading.frame.names.get(name)
        if value is None:
            result = self.reading.frame.names.values()
            value = next((item for item in result if isinstance(item, Class) and item.name == name), None)
        return value if isinstance(value, Class) else None

    def lend(self, name: str) -> File | None:
        """Return the file that defines a class or a function, for a program that lacks it; None where none does."""
        file = self.reading.file
        if isinstance(self.reading.frame.names.get(name), Unknown | Symbol | None):
            return None
        path = os.path.abspath(self.reading.path or "")
        return file._replace(name=os.path.basename(path), path=path)

    def notes(self) -> list[Note]:
        """Return what a report that uses the code must say of it."""
        return imports_of(self.reading)

    def names(self) -> list[str]:
        """Return the names of all classes that may be layers or models."""
        names = self.reading.frame.names
        classes = {key: name for key, name in names.items() if isinstance(name, Class) and is_keras(name)}
        return list(dict.fromkeys([*[item.name for item in classes.values()], *classes]))

    def __getitem__(self, name: str) -> Declaration:
        if name not in self._known:
            cls = self.cls(name)
            self._known[name] = None if cls is None else self._declared(cls)
        declaration = self._known[name]
        if declaration is None:
            raise KeyError(name)
        return declaration

    def _declared(self, cls: Class) -> Declaration | None:
        if is_layer(cls):
            return OwnLayer(cls, self.code, cls.name)
        what = base_of(cls)
        parent = find(what.name) if what is not None and what.kind == "layer" else None
        return None if parent is None else Derived(cls, self.code, parent)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self.names() if name in self])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def model(self, type_: str, arguments: Mapping[str, ProgramValue]) -> Model | None:
        """Return the model that a class builds from the arguments in a file; None where the code defines no such class.

        Raises LayerExplainError where the class cannot be followed.
        """
        cls = self.cls(type_)
        what = None if cls is None else base_of(cls)
        if cls is None or what is None or what.kind != "model":
            return None
        reading, keras = self.reading, keras_of(self.reading.interpreter)
        interpreter = reading.interpreter
        interpreter.budget = Budget()
        interpreter.effects.forget_answers()
        keras.counters.clear()
        layer = layer_of(self._object(cls, arguments))
        if not isinstance(layer, ModelValue):
            return None
        reading.follow([layer])
        return reading.model(FoundModel(layer.name, layer))

    def _object(self, cls: Class, arguments: Mapping[str, ProgramValue]) -> ProgramValue:
        """Return what a class makes of the arguments of a file."""
        interpreter = self.reading.interpreter
        given = {key: ready(keras_of(interpreter).graphs, value, self._object_of) for key, value in arguments.items()}
        if isinstance(cls.find("from_config"), Function):
            return interpreter.call(interpreter.attribute(cls, "from_config"), [given], {})
        return interpreter.call(cls, [], given)

    def _object_of(self, layer: ProgramValue) -> ProgramValue:
        """Return an object of the code's classes in the arguments of another one; None for one of Keras's."""
        cls = self.cls(layer.type) if getattr(layer, "kind", "custom") == "custom" else None
        return None if cls is None or not is_keras(cls) else self._object(cls, {"name": layer.name, **layer.config})


class Derived(Declaration):
    """The declaration of a class that changes nothing but the arguments of a layer of Keras's."""

    def __init__(self, cls: Class, code: Code, parent: Declaration) -> None:
        own = OwnLayer(cls, code, cls.name)
        signature = parent.signature._replace(arguments=own.arguments, groups={})
        super().__init__(cls.name, parent.formula, signature, description=own.description, mask=parent.mask,
                         facts=parent.facts)  # fmt: skip
        self.cls, self.code, self.parent = cls, code, parent

    def trace(
        self, specs: object, arguments: Mapping[str, ProgramValue], *args: ProgramValue, **keywords: ProgramValue
    ) -> Definition:
        """Return that of the parent, with the arguments that the class gives it."""
        keras = self.code.library
        given = {key: ready(keras, value) for key, value in arguments.items() if value is not None}
        layer = layer_of(keras.interpreter.call(self.cls, [], given))
        if layer is None or layer.reason is not None or layer.declaration is not self.parent:
            raise NotKnown(f"what {self.type} makes of its arguments is not known ({self.code.where(self.cls.place)})")
        bound = self.parent.bind(with_ready_layers(layer.config, keras.recorder.framework))
        result: Definition = self.parent.trace(specs, bound, *args, **keywords)
        return result


class PythonFolder(PythonCode):
    """That of a folder of modules, or of a package: a module is read when a class of it is asked for."""

    def __init__(self, folder: str) -> None:
        around = package_of(folder)
        start = os.path.dirname(os.path.abspath(around)) if around is not None else os.path.abspath(folder)
        empty = Text(ast.Module([], []), lambda line: Place("", line))
        reading = Program(empty, os.path.join(folder, "__init__.py"), {}, Modules(folder))
        reading.interpreter.lazy = True
        super().__init__(reading)
        self.start = start
        self.index, self.functions = _index(folder)
        if not self.index and not self.functions:
            raise SourceError("holds no Python file with a class or a function")

    def lend(self, name: str) -> File | None:
        path = self.index.get(name, self.functions.get(name))
        return None if path is None else read_module(path, os.path.relpath(path, self.start))

    def cls(self, name: str) -> Class | None:
        file = self.lend(name)
        if file is None:
            return None
        value = self.reading.interpreter.module_of(name, file).frame.names.get(name)
        return value if isinstance(value, Class) else None

    def names(self) -> list[str]:
        return list(self.index)

    def __iter__(self) -> Iterator[str]:
        return iter(self.index)

    def __len__(self) -> int:
        return len(self.index)


def _index(folder: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the file of each class below a folder, and of each function. Hidden folders, tests, links, pipes and
    devices are left out."""
    classes: dict[str, str] = {}
    functions: dict[str, str] = {}
    files = size = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(item for item in folders if not item.startswith((".", "__pycache__")))
        for name in sorted(names):
            path = os.path.join(place, name)
            if not name.endswith(".py") or name.endswith("_test.py") or not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            files += 1
            size += os.path.getsize(path)
            if files > _MOST_FILES or size > _MOST_BYTES:
                raise SourceError(f"holds more than {_MOST_FILES:,} Python files or {_MOST_BYTES >> 20} MiB of them")
            with open_regular(path) as opened:
                for kind, name_of in _DEFINED.findall(opened.read(MOST_SOURCE)):
                    (classes if kind == b"class" else functions).setdefault(name_of.decode(), path)
    return classes, functions


def read_python_layers(data: bytes, path: str) -> PythonCode:
    """Return the layers that a file of Python code defines, by class. Nothing of it is run."""
    code = PythonCode(program(data, path))
    if not code.names() and not any(isinstance(name, Function) for name in code.reading.frame.names.values()):
        raise SourceError("defines no layer: a class below keras.layers.Layer with a `call` is needed, or a function")
    return code


def read_python_folder(folder: str) -> PythonFolder:
    """Return the layers that the modules of a folder define, by class."""
    try:
        return PythonFolder(folder)
    except OSError as error:
        raise LayerExplainError(f"cannot be read: {error.strerror}") from None


def is_keras(cls: Class) -> bool:
    """Return whether a class is one of layers or models that says what it computes."""
    what = base_of(cls)
    return is_layer(cls) or (what is not None and what.kind == "model")


def is_layer(cls: Class) -> bool:
    """Return whether a class is one of layers that says what it computes."""
    root, what = cls.root(), base_of(cls)
    is_base = root is not None and root.last == "Layer"
    return isinstance(cls.find("call"), Function) and (is_base or (what is not None and what.kind == "layer"))
