"""Statements that bind names: functions, classes, decorators, imports, fields of dataclasses (hence the length)."""

from __future__ import annotations

import ast
import builtins
import os
import sys
from collections.abc import Mapping

from layerexplain.frontends.code.machine.parts import InterpreterPart, Signal, written
from layerexplain.frontends.code.sources import PRESENT, Refused
from layerexplain.frontends.code.values.base import (
    READ_LIBRARIES,
    Arguments,
    Keywords,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
    Value,
)
from layerexplain.frontends.code.values.objects import Imported, Module, known_base
from layerexplain.frontends.code.values.program import (
    NAMED_TUPLE,
    Bound,
    Class,
    Function,
    FunctionNode,
    Instance,
    Partial,
)
from layerexplain.frontends.code.values.reading import (
    MOST_BASES,
    File,
    Frame,
    children,
    docstring,
    kept_with_tree,
    walk,
)
from layerexplain.records import NamedTuple, Record

# Definitions --------------------------------------------------------------------------------------------------------

_KEEPING = frozenset({"function", "register_keras_serializable", "keras_export", "tf_export", "wraps", "lru_cache"})
"""Decorators that leave the arguments of what they stand above as they are."""


class DefinitionStatements(InterpreterPart):
    """The part of the interpreter that defines and imports."""

    # Definitions ------------------------------------------------------------------------------------------------

    def on_functiondef(self, node: ast.FunctionDef, frame: Frame) -> Signal:
        result: ProgramValue = self.function(node, node.name, frame)
        if frame.is_class:
            frame.methods.append(result)
        for decorator in reversed(node.decorator_list):
            result = self._decorated(result, decorator, frame, node.name)
        name = node.name
        if isinstance(result, Function) and result.kind == "setter":
            result.kind, name = "", f"{name}.setter"
        self.effects.record_change()
        frame.assign(name, result)
        return None

    on_asyncfunctiondef = on_functiondef

    def _decorated(self, created: object, decorator: ast.expr, frame: Frame, name: str) -> ProgramValue:
        text = written(decorator.func if isinstance(decorator, ast.Call) else decorator)[:80]
        if isinstance(created, Function):
            last = text.rpartition(".")[2]
            if last in ("property", "cached_property"):
                created.kind = "property"
                return created
            if text in ("staticmethod", "classmethod"):
                created.kind = text
                return created
            if last == "contextmanager" and created.has_yield:
                created.kind = "context"
                return created
            if text.endswith(".setter") and text.startswith(name):
                created.kind = "setter"
                return created
        what = self.value(decorator, frame)
        if _is_read(what):
            result = self.call(what, [created], {})
            if not isinstance(result, Unknown):  # one that ends in a library leaves what it is put on
                return result
        if isinstance(created, Class) and text.rpartition(".")[2] == "dataclass":
            make_dataclass(created)
        # a decorator of a library: tf.function and register_keras_serializable change nothing that counts here
        if isinstance(created, Function | Class) and text.rpartition(".")[2] not in _KEEPING:
            created.is_decorated = True
        return created

    def function(self, node: FunctionNode, name: str, frame: Frame) -> Function:
        """Return a function of the program, with its defaults as they are where it is defined."""
        function = Function(node, frame.outer if frame.is_class and frame.outer is not None else frame, name)
        function.defaults = [self.value(default, frame) for default in node.args.defaults]
        function.keyword_defaults = [
            None if default is None else self.value(default, frame) for default in node.args.kw_defaults
        ]
        return function

    def on_classdef(self, node: ast.ClassDef, frame: Frame) -> Signal:
        bases = [known_base(self.value(base, frame)) for base in node.bases]
        above = sum(len(base.order()) if isinstance(base, Class) else 1 for base in bases)
        if above > MOST_BASES:
            bases = [self.unknown(f"more than {MOST_BASES} classes stand above {node.name}")]
        self.budget.make(above)
        inner = Frame(frame.file, frame, is_class=True)
        cls = Class(node.name, bases, frame, node.lineno)
        self.block(node.body, inner)
        cls.attributes = inner.names
        cls.docstring = docstring(node)
        for framework in self.frameworks:
            framework.with_source(cls)
        try:
            cls.order()
        except ValueError as error:
            raise ProgramError("TypeError", f"{node.name}: {error}", self.place(node)) from None
        root = cls.root()
        if root is not None and root.path.partition(".")[0] in self.torch.roots:
            cls.objects = self.torch
        for value in (*inner.methods, *inner.names.values()):
            if isinstance(value, Function) and value.owner is None:
                value.owner = cls
        result: ProgramValue = cls
        for decorator in reversed(node.decorator_list):
            result = self._decorated(result, decorator, frame, node.name)
        self.effects.record_change()
        frame.assign(node.name, result)
        return None

    # Imports ----------------------------------------------------------------------------------------------------

    def on_import(self, node: ast.Import, frame: Frame) -> Signal:
        for alias in node.names:
            self.import_roots.add(alias.name.partition(".")[0])
            module = self.module(alias.name, frame)
            if module is None:
                self.node = alias
                self.framework_of(alias.name).check_import(alias.name, "")
            if alias.asname:
                frame.assign(alias.asname, module or Symbol(alias.name))
            else:
                first = alias.name.partition(".")[0]
                frame.assign(first, (module if first == alias.name else None) or Symbol(first))
        return None

    def on_importfrom(self, node: ast.ImportFrom, frame: Frame) -> Signal:
        if node.module == "__future__":
            return None
        name = node.module or ""
        self.import_roots.add(name.partition(".")[0])
        if self.lazy and (node.level or name.partition(".")[0] == frame.file.name.partition(os.sep)[0]):
            for alias in node.names:
                if alias.name != "*":
                    frame.assign(alias.asname or alias.name, Imported(node, alias, frame))
            if not any(alias.name == "*" for alias in node.names):
                return None
        return self.import_names(node, list(node.names), frame)

    def loaded(self, frame: Frame, name: str) -> ProgramValue:
        """Return the value of a name of a module; what is imported there is read now."""
        value = frame.names.get(name)
        if isinstance(value, Imported):
            frame.names[name] = self.unknown(f"{name} is imported circularly", name)
            self.import_names(value.node, [value.alias], value.frame)
            value = frame.names[name] = value.frame.names.get(value.alias.asname or value.alias.name)
        return value

    def import_names(self, node: ast.ImportFrom, names: list[ast.alias], frame: Frame) -> Signal:
        """Import some names of a `from … import …`."""
        name = node.module or ""
        try:
            module = self.module(name, frame, node.level) if name or node.level else None
        except Refused as why:
            self._not_imported(node, names, frame, why)
            return None
        if module is None and not node.level:
            self.framework_of(name).check_import(name, "", [alias.name for alias in names if alias.name != "*"])
        for alias in names:
            if alias.name == "*":
                if isinstance(module, Module):
                    self.budget.look(len(module.frame.names))
                    public = {key: item for key, item in module.frame.names.items() if not key.startswith("_")}
                    frame.names.update(public)
                else:
                    self.star.append(name)
                    for path in self.framework_of(name).names_of_star(name):
                        frame.assign(path.rpartition(".")[2], Symbol(path))
                continue
            inner = None
            if isinstance(module, Module) and alias.name in module.frame.names:
                inner = self.loaded(module.frame, alias.name)
            elif node.level or isinstance(module, Module) or not _is_installed(name):  # a folder needs no __init__.py
                inner = self.module(f"{name}.{alias.name}".lstrip("."), frame, node.level)
                if inner is None and isinstance(module, Module):
                    inner = self.unknown(f"{name}.py has no {alias.name}", alias.name)
            if inner is None:
                inner = self.supplied_definition(f"{name}.{alias.name}", constants=True)
            self.node = alias
            self.framework_of(name).check_import(name, alias.name)
            frame.assign(alias.asname or alias.name, Symbol(f"{name}.{alias.name}") if inner is None else inner)
        return None

    def _not_imported(self, node: ast.ImportFrom, names: list[ast.alias], frame: Frame, why: Refused) -> None:
        """Let the names of an import that is refused stand for what is not known. Raises ProgramError where Python
        refuses it too."""
        if why.by_python:
            raise ProgramError("ImportError", str(why), self.place(node))
        for alias in names:
            shown = alias.asname or alias.name
            frame.assign(
                shown, self.supplied_definition(f"{node.module}.{alias.name}") or self.unknown(str(why), shown)
            )

    def foreign_import(self, node: ast.Try, frame: Frame) -> str:
        """Return the module that a `try` may fail to import, where nobody knows whether it is installed; "" for
        none."""
        caught = node.handlers[0].type if node.handlers else None
        if not node.handlers or (caught is not None and not catches(written(caught), "ImportError")):
            return ""
        for statement in node.body:
            if isinstance(statement, ast.ImportFrom) and all(
                self.torch.module_has(statement.module or "", alias.name) for alias in statement.names
            ):
                continue
            for name in _imported(statement):
                if not _is_installed(name) and self.module(name, frame) is None:
                    return name
        return ""

    def lacking_import(self, body: list[ast.stmt], frame: Frame) -> tuple[int, str] | None:
        """Return which statement of a `try` imports what today's library does not have, and what that raises; None for
        none."""
        for number, node in enumerate(body):
            of_module = isinstance(node, ast.ImportFrom) and node.module and not node.level
            modules = _imported(node) if isinstance(node, ast.Import) or of_module else []
            if any(self.framework_of(name).lacks(name) and self.module(name, frame) is None for name in modules):
                return number, "ModuleNotFoundError"
            if isinstance(node, ast.ImportFrom) and of_module and self.module(node.module or "", frame) is None:
                names = [f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*"]
                if any(self.framework_of(name).lacks(name) for name in names):
                    return number, "ImportError"
        return None

    def module(self, name: str, frame: Frame, level: int = 0) -> Module | None:
        """Return a module beside the file or of its package, read as text once; None where there is none."""
        key = f"{frame.file.folder}/{'.' * level}{name}"
        if key not in self.modules:
            file = self.load("." * level + name, frame.file, self.program or frame.file)
            if file is not None:
                self.imported.setdefault(file.path, file.name)
            self.modules[key] = None if file is None else self.module_of(name, file)
        module: Module | None = self.modules[key]
        return module

    def module_of(self, name: str, file: File) -> Module:
        """Return the module that a file is. One that is imported while it is read has the names that it has so far."""
        if file.path not in self.modules:
            self.budget.make(4 * file.size)
            module = self.modules[file.path] = Module(name, Frame(file))
            at = self.node
            self.run(file, module.frame)
            self.node = at
        result: Module = self.modules[file.path]
        return result

    def supplied_definition(self, path: str, *, constants: bool = False) -> ProgramValue:
        """Return the class or function that a file beside the program (`--code`) has under the last name of a path
        which the program lacks, or what it imports: with `constants` numbers and texts too. None where no file has
        it."""
        if path.partition(".")[0] in READ_LIBRARIES or any(framework.owns(path) for framework in self.frameworks):
            return None
        name = path.rpartition(".")[2]
        file = self.lend(name)
        value = None if file is None else self.module_of(name, file).frame.names.get(name)
        is_supplied = isinstance(value, Class | Function) or (constants and not isinstance(value, Unknown | Symbol))
        return value if is_supplied else None


def _is_read(decorator: object) -> bool:
    """Return whether what a decorator does is known: it is of the program, or of `functools`."""
    if isinstance(decorator, Partial):
        return decorator.function == Symbol("functools.update_wrapper") or _is_read(decorator.function)
    if isinstance(decorator, Instance):
        return isinstance(decorator.cls.find("__call__"), Function)
    if isinstance(decorator, Value) and decorator.decorates:
        return True
    return isinstance(decorator.function if isinstance(decorator, Bound) else decorator, Function)


def _is_installed(name: str) -> bool:
    """Return whether a module is of a library that is there wherever a program runs."""
    root = name.partition(".")[0]
    return root in sys.stdlib_module_names or root in PRESENT


@kept_with_tree
def imported_libraries(tree: ast.Module) -> set[str]:
    """Return the libraries that a program imports, anywhere in it."""
    libraries: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        libraries.update(name.partition(".")[0] for name in _imported(node))
        # Expressions hold no import, and are most of a program.
        waiting += [
            inner for inner in children(node) if isinstance(inner, ast.stmt | ast.ExceptHandler | ast.match_case)
        ]
    return libraries


class ProgramNames(NamedTuple):
    """What a program says of its own names: all that it binds, in whichever scope; those that it calls or
    whose methods it calls, and that a function declares `global`; and whether no other text defines names for it."""

    bound: frozenset[str]
    called: frozenset[str]
    shared: frozenset[str]
    is_whole: bool


_DEFINING = frozenset({"exec", "globals", "locals", "vars", "builtins", "__builtins__", "get_ipython"})
"""With these a program may define names that its text does not show."""


@kept_with_tree
def names_of(tree: ast.Module) -> ProgramNames:
    """Return what a program says of its own names. It is whole where it imports the library of its models, runs nothing
    that may define names out of sight, and has no `...` in the place of more statements.

    >>> names = names_of(ast.parse("import keras\\ndef f(n):\\n    global k\\n    return n"))
    >>> sorted(names.bound), sorted(names.shared), names.is_whole
    (['f', 'k', 'keras', 'n'], ['k'], True)
    """
    bound: set[str] = set()
    called: set[str] = set()
    shared: set[str] = set()
    is_whole = not imported_libraries(tree).isdisjoint({"keras", "tensorflow", "tf_keras", "torch"})
    for node in walk(tree):
        match node:
            case ast.Name(id=name, ctx=context):
                bound |= {name} if isinstance(context, ast.Store) else set()
                is_whole &= name not in _DEFINING
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.arg(arg=name):
                bound.add(name)
            case ast.alias(name=module, asname=name):
                bound.add(name or module.partition(".")[0])
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound.add(name)
            case ast.MatchMapping(rest=str(name)):
                bound.add(name)
            case ast.Call(func=function):
                while isinstance(function, ast.Attribute):
                    function = function.value
                called |= {function.id} if isinstance(function, ast.Name) else set()
            case ast.Global(names=names):
                shared.update(names)
            case ast.Expr(value=ast.Constant(value=value)):
                is_whole &= value is not ...
    return ProgramNames(frozenset(bound | shared), frozenset(called), frozenset(shared), is_whole)


def _imported(node: ast.AST) -> list[str]:
    """Return the modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def catches(names: str, kind: str) -> bool:
    """Return whether `except names` catches an error.

    >>> catches("(TypeError, LookupError)", "KeyError"), catches("ValueError", "KeyError"), catches("Exception", "Own")
    (True, False, True)
    """
    caught = [item.strip(" ()").rpartition(".")[2] for item in names.split(",")]
    known = getattr(builtins, kind, Exception)
    kinds = known.__mro__ if isinstance(known, type) else Exception.__mro__
    return kind in caught or any(item.__name__ in caught for item in kinds)


# Dataclass fields ---------------------------------------------------------------------------------------------------
# Classes whose `__init__` Python writes: dataclasses, and named tuples that are classes.

_METHODS = frozenset({"_replace", "_asdict", "_make", "index", "count"})
"""Methods of named tuples."""


class DataclassField(Record, Value):
    """What `dataclasses.field(…)` states of a field."""

    facts: Mapping[str, ProgramValue]


def named_tuple(name: str, fields: ProgramValue, defaults: ProgramValue = ()) -> Class | None:
    """Return the class that `collections.namedtuple` makes; None where its fields are not known."""
    if isinstance(fields, str):
        fields = fields.replace(",", " ").split()
    if type(fields) not in (list, tuple):
        return None
    names = [
        field[0] if type(field) is tuple and field else field for field in fields
    ]  # typing.NamedTuple gives types too
    if not all(isinstance(item, str) for item in names) or type(defaults) not in (list, tuple):
        return None
    cls = Class(name, [], None, 0)
    behind = dict(zip(reversed(names), reversed(defaults), strict=False))
    cls.attributes.update({"__dataclass__": True, NAMED_TUPLE: True, "__fields__": names, **behind})
    return cls


def note_field(names: dict[str, ProgramValue], node: ast.AnnAssign) -> None:
    """Note an annotated name of a class body as a field; one that `__post_init__` alone is given is marked."""
    if not isinstance(node.target, ast.Name):
        return
    kind = ast.unparse(node.annotation).strip("'\"").partition("[")[0].rpartition(".")[2]
    if kind != "ClassVar":
        names.setdefault("__fields__", []).append(node.target.id)
    if kind == "InitVar":
        names.setdefault("__only_given__", []).append(node.target.id)


def make_dataclass(cls: Class) -> None:
    """Turn a class into a dataclass: a default that a `field(…)` states is one of the class."""
    cls.attributes["__dataclass__"] = True
    stated = cls.attributes["__stated__"] = {}
    for name in cls.attributes.get("__fields__", []):
        value = cls.attributes.get(name)
        if isinstance(value, DataclassField):
            stated[name] = value.facts
            del cls.attributes[name]
            if "default" in value.facts:
                cls.attributes[name] = value.facts["default"]


class Records(InterpreterPart):
    """The part of the interpreter that makes objects of such classes."""

    def of_named_tuple(self, of: Instance | Class, name: str) -> ProgramValue:
        """Return what every named tuple or dataclass, or its class, has under a name; None for anything else."""
        cls = of.cls if isinstance(of, Instance) else of
        if name == "__dataclass_fields__" and cls.is_record:
            return dict.fromkeys(cls.noted("__fields__"))
        if not cls.is_named_tuple:
            return None
        if name == "_fields":
            return tuple(cls.noted("__fields__"))
        return Bound(of, name) if name in _METHODS else None

    def named_tuple_method(self, of: Instance | Class, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method of a named tuple, or of its class, gives."""
        if isinstance(of, Class):
            items = self.items(args[0]) if name == "_make" and args else self.unknown(f"{name} of {of.name}")
            return items if isinstance(items, Unknown) else self.record(of, items, {})
        if name == "_asdict":
            return self.new_container(of.fields())
        if name == "_replace":
            values = of.fields()
            unexpected = [item for item in kwargs if item not in values]
            if unexpected:
                raise ProgramError("ValueError", f"Got unexpected field names: {unexpected!r}", self.place())
            return self.record(of.cls, [], {**values, **kwargs})
        method = getattr(of.as_tuple(), name)
        try:
            return method(*args)
        except (TypeError, ValueError) as error:
            raise ProgramError(type(error).__name__, str(error), self.place()) from None

    def record(self, cls: Class, args: Arguments, kwargs: Keywords) -> Instance:
        """Return an object of a class whose `__init__` Python writes."""
        stated, only = cls.noted("__stated__"), cls.noted("__only_given__")
        fields = [*cls.noted("__fields__")]
        taken = [name for name in fields if stated.get(name, {}).get("init") is not False]
        if len(args) > len(taken):
            words = f"{cls.name}() takes {len(taken)} arguments ({', '.join(taken)}), got {len(args)}"
            raise ProgramError("TypeError", words, self.place())
        given = {**dict(zip(taken, args, strict=False)), **kwargs}
        instance = Instance(cls)
        for name in fields:
            self.budget.step()
            if name in given:
                value = given[name]
            elif "default_factory" in stated.get(name, {}):
                value = self.call(stated[name]["default_factory"], [], {})
            elif cls.has(name):
                value = cls.find(name)
            elif name not in taken:
                continue
            else:
                missing: Unknown = self.unknown(f"{cls.name}() is given no {name}", name)
                value = missing._replace(lacks="argument", option=name)
            instance.attributes[name] = value
        method = cls.find("__post_init__")
        if isinstance(method, Function):
            self.call(method, [instance, *[instance.attributes.pop(name, None) for name in only]], {})
        return instance
