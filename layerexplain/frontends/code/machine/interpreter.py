"""The interpreter of a program's `ast` by what its values are known to be
(one object, hence the length): calls, and how libraries are declared."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Generic, TypeVar

from layerexplain.frontends.code.machine.choices import Choices, Loops
from layerexplain.frontends.code.machine.definitions import DefinitionStatements, Records
from layerexplain.frontends.code.machine.expressions import Expressions
from layerexplain.frontends.code.machine.freezing import Freezing
from layerexplain.frontends.code.machine.parts import FunctionLibrary, InterpreterPart, Signal, dotted, setting_name
from layerexplain.frontends.code.machine.statements import Statements
from layerexplain.frontends.code.sources import Modules
from layerexplain.frontends.code.values import python
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import (
    Arguments,
    Keywords,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
    UnknownChange,
    UnknownValue,
)
from layerexplain.frontends.code.values.layers import tensors_in
from layerexplain.frontends.code.values.objects import Framework
from layerexplain.frontends.code.values.operators import is_plain
from layerexplain.frontends.code.values.program import Bound, Class, Context, Function, Instance, ModuleLibrary, Super
from layerexplain.frontends.code.values.reading import MOST_DEPTH, MOST_ITEMS, TOO_LARGE, Exhausted, File, Frame, weight
from layerexplain.records import NamedTuple

# Calls --------------------------------------------------------------------------------------------------------------

_COLLECTIONS = frozenset({list, tuple, dict})


class Calls(Records):
    """The part of the interpreter that calls."""

    def on_call(self, node: ast.Call, frame: Frame) -> ProgramValue:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and frame.holder("super") is None:
            return self._super(node, frame)
        if isinstance(node.func, ast.Name) and node.func.id in ("locals", "globals") and not node.args:
            names = (frame if node.func.id == "locals" else frame.module).names
            self.budget.make(len(names))
            return dict(names)
        if self.settings and (named := setting_name(node)) in self.settings:
            return self.set_value(node, named, frame)
        function = self.value(node.func, frame)
        args: Arguments = []
        unknown: Unknown | None = None
        for part in node.args:
            value = self.value(part.value if isinstance(part, ast.Starred) else part, frame)
            if not isinstance(part, ast.Starred):
                args.append(value)
            elif isinstance(results := self.items(value), list):
                args += results
            else:
                unknown = results if isinstance(results, Unknown) else self.unknown("unknown arguments")
        kwargs: Keywords = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, frame)
            if keyword.arg is not None:
                if keyword.arg in kwargs:
                    raise ProgramError(
                        "SyntaxError", f"the argument {keyword.arg} is given twice; give it once", self.place(keyword)
                    )
                kwargs[keyword.arg] = value
            elif type(value) is dict and all(isinstance(key, str) for key in value):
                self.budget.look(len(value))
                kwargs.update(value)
            else:
                unknown = value if isinstance(value, Unknown) else self.unknown("unknown arguments")
        self.node = node
        if isinstance(function, Unknown):
            self.leave_freezing_open([node], frame, function)
        self.leave_hidden_freezing_open(function, [*args, *kwargs.values()])
        if unknown is not None:
            kwargs["**"] = unknown
        if isinstance(function, Unknown) and self._fits(function, [*args, *kwargs.values()]):
            self.effects.unknown_calls += 1
            given = self.renamed(self.frameworks[0].call_unknown(function, node, args, kwargs, frame), node)
            return given._replace(is_result=True) if isinstance(given, Unknown) else given
        result = self.renamed(self.call(function, args, kwargs, whole=unknown is None), node)
        self.effects.unknown_calls += isinstance(result, Unknown)
        if isinstance(result, UnknownChange) and isinstance(function, Bound):
            self.replace(frame, function.object, result)
        return result

    def _fits(self, function: object, given: list[ProgramValue]) -> bool:
        """Count the arguments of a call to a function that the program does not define, which may walk through them.
        Return whether they are small enough for that."""
        if not _is_done_at_once(function):
            self.budget.look_at(*given)
        outer = [item.values() if type(item) is dict else item for item in given if type(item) in _COLLECTIONS]
        if all([_COLLECTIONS.isdisjoint(map(type, item)) for item in outer]):
            return True
        size = weight(given)
        self.budget.make(size)
        return size <= MOST_ITEMS

    def _super(self, node: ast.Call, frame: Frame) -> ProgramValue:
        if node.args:
            args = [self.value(argument, frame) for argument in node.args]
            if len(args) == 2 and isinstance(args[0], Class) and isinstance(args[1], Instance):
                return Super(args[1], args[0])
        method = next((at for at in frame.around() if at.owner is not None), None)
        if method is None or not isinstance(method.self, Instance):
            return self.unknown("super() outside of a class")
        return Super(method.self, method.owner)

    def call(
        self,
        function: object,
        args: Arguments,
        kwargs: Mapping[str, ProgramValue] | None = None,
        *,
        whole: bool = False,
    ) -> ProgramValue:
        """Return the result of a call; `whole` says that the program gives all of its arguments. Raises ProgramError
        for what the program raises."""
        keywords: dict[str, ProgramValue] = dict(kwargs or {})
        if not isinstance(function, Function) and not self._fits(function, [*args, *keywords.values()]):
            return self.unknown(TOO_LARGE)
        return python.call(function, self, args, keywords, whole)

    def call_symbol(self, symbol: Symbol, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a call of a name of a library gives."""
        framework = self.framework_of(symbol.path)
        if args and isinstance(args[0], Instance) and framework.is_method_of(symbol.path, args[0]):
            return framework.call_base(args[0], symbol, args[1:], kwargs)
        library = self.libraries.get(symbol.path.partition(".")[0])
        result = library.call(symbol.path, args, kwargs, self) if library else NotImplemented
        if result is NotImplemented and (tensors := tensors_in([*args, *kwargs.values()])):
            return tensors[0].framework.opaque_call(symbol.path, args, kwargs)
        if result is NotImplemented:
            return self.unknown(_from_library(symbol))._replace(is_result=_is_built(symbol))
        return self.placed(result)

    def placed(self, value: object) -> ProgramValue:
        """Return the value; one that is not known with the line that is read now."""
        return value._replace(**self.place()._asdict()) if isinstance(value, Unknown) and not value.line else value

    def make_instance(self, cls: Class, args: Arguments, kwargs: Keywords, whole: bool = False) -> ProgramValue:
        """Return an instance of a class that the program defines."""
        if cls.is_record and not isinstance(cls.find("__init__"), Function):
            return self.record(cls, args, kwargs)
        unread = next((base for base in cls.order() if isinstance(base, Unknown)), None)
        instance = Instance(cls)
        instance.statement = self.effects.statement
        root = cls.root()
        framework = self.framework_of("" if root is None else root.path)
        framework.begin_instance(instance)
        uncertain, pending = self.effects.uncertainties, len(self.effects.pending)
        method = cls.find("__init__")
        if isinstance(method, Function):
            instance.given = {**dict(zip(method.names[1:], args, strict=False)), **kwargs}
            self.unfinished += 1
            try:
                self.call_function(method, [instance, *args], kwargs, whole)
            finally:
                self.unfinished -= 1
        elif (objects := cls.objects) is not None:
            objects.method(instance, "__init__", args, kwargs)
        elif root is not None:
            framework.call_base(instance, Symbol(f"{root.path}.__init__"), args, kwargs)
        elif (args or kwargs) and whole and unread is None and cls.find("__new__") is None and not cls.is_decorated:
            words = f"{cls.name}() takes no arguments, got {len(args) + len(kwargs)}; it has no __init__"
            raise ProgramError("TypeError", words, self.place(), certain=True)
        if unread is not None and instance.layer is None:
            instance.attributes.setdefault("__unread__", unread)
        framework.finish_instance(instance)
        if cls.objects is not None:
            cls.objects.finish(instance)
        instance.is_uncertain = self.effects.uncertainties != uncertain or len(self.effects.pending) > pending
        return instance

    def run_context(self, context: Context, within: Callable[[ProgramValue], Signal]) -> None:
        """Run a function that is a context manager, and at its `yield` what the `with` holds."""
        file, callers = self.file, self.callers

        def inside(value: object) -> Signal:
            at, around = self.file, self.callers
            self.file, self.callers = file, callers[:depth]
            try:
                return within(value)
            finally:
                self.file, self.callers = at, around

        depth = len(callers)
        self.call_function(*context.given, within=inside)

    def call_function(
        self,
        function: Function,
        args: Arguments,
        kwargs: Keywords,
        whole: bool = False,
        within: Callable[[ProgramValue], Signal] | None = None,
    ) -> ProgramValue:
        """Return the result of a function of the program; `whole` says that the program gives all of its arguments.
        `within` is run where the function yields, with what it yields."""
        if function.kind == "context" and within is None:
            return Context(function, args, kwargs, whole)
        if self.budget.depth >= MOST_DEPTH:
            return self.unknown(f"calls nest more than {MOST_DEPTH} deep")
        deep = self.active.count(function.node) > 2
        # A test that is not known decides how deep.
        if deep and self.choosing and self.choosing[-1] > self.active.index(function.node):
            return self.unknown(f"how deep {function.name}() calls itself")
        frame = Frame(function.frame.file, function.frame)
        frame.yields = [] if function.has_yield else None
        frame.within = within
        frame.owner = function.owner or None
        if not isinstance(function.node, ast.Lambda):
            frame.body = function.node.body
        if function.owner is not None and args:
            frame.self = args[0]
        self._bind(function, frame, args, kwargs, whole and not function.is_decorated)
        node, file, place = self.node, self.file, self.place()
        self.file = frame.file.name
        self.budget.depth += 1
        self.callers.append(place)
        self.active.append(function.node)
        try:
            if isinstance(function.node, ast.Lambda):
                return self.value(function.node.body, frame)
            with function.context.entered(self) if function.context is not None else nullcontext():
                signal = self.block(function.node.body, frame)
            if function.has_yield:
                return self.unknown("it comes from a generator") if frame.yields is None else frame.yields
            return signal[1] if signal is not None and signal[0] == "return" else None
        except RecursionError:
            return self.unknown("the program nests too deeply")
        except ProgramError as error:
            error.place = error.place or self.place()
            raise
        finally:
            self.budget.depth -= 1
            self.callers.pop()
            self.active.pop()
            self.node, self.file = node, file

    def _bind(self, function: Function, frame: Frame, args: Arguments, kwargs: Keywords, whole: bool) -> None:
        """Bind the parameters of a call by name. Raises ProgramError where they do not fit: the missing ones too where
        the call is `whole`."""
        wrong = function.misfit(args, kwargs, self.settings if whole else None)
        if wrong is not None:
            raise ProgramError("TypeError", wrong.words, self.argument_place(wrong.argument), certain=whole)
        spec = function.node.args
        self.budget.look(len(args) + len(kwargs) + len(function.signature.names))
        given = function.signature.bind(args, kwargs)
        if "**" in kwargs:
            given.update(
                {parameter.arg: kwargs["**"] for parameter in (spec.vararg, spec.kwarg) if parameter is not None}
            )
        for name, default in function.default_values.items():
            if name not in given:
                is_set = is_plain(default) or type(default) in (tuple, list)
                given[name] = self.settings.get(name, default) if is_set else default
        for name in function.signature.names:
            if name not in given:
                words = f"{function.name}() is given no {name}"
                given[name] = self.unknown(words, name)._replace(lacks="argument", option=name)
        for name, value in given.items():
            frame.names[name] = self.settings.get(name, value) if isinstance(value, Unknown) else value


def _is_done_at_once(function: object) -> bool:
    """Return whether a function goes through none of its arguments."""
    if isinstance(function, Symbol):
        return function.path.startswith("builtins.") and function.last in python.BUILTINS_AT_ONCE
    return isinstance(function, Bound) and function.function in python.METHODS_AT_ONCE


def _from_library(symbol: Symbol) -> str:
    """Return why it is not known what a name of a library gives; of a model or a class, what would tell it."""
    words = f"it comes from {symbol.path}(…), which is known only when the code runs"
    package = symbol.path.partition(".")[0]
    is_readable = _is_built(symbol) and symbol.may_be_anything
    return words + f"; --code with the folder of {package} reads its source" * is_readable


def _is_built(symbol: Symbol) -> bool:
    """Return whether a name is of a class or of a function that makes a model."""
    return symbol.last[:1].isupper() or ".models." in symbol.path or ".hub." in symbol.path


# Attributes ---------------------------------------------------------------------------------------------------------
# Items and attributes of values: `x[0]`, `x.shape`.


_OLDER_ONLY = frozenset({"_build_from_signature"})
"""Attributes of layers by which code tells Keras 2 from Keras 3."""


class Attributes(InterpreterPart):
    """The part of the interpreter that gives items and attributes."""

    def on_slice(self, node: ast.Slice, frame: Frame) -> ProgramValue:
        bounds = (node.lower, node.upper, node.step)
        return python.slice_of([None if bound is None else self.value(bound, frame) for bound in bounds])

    def on_subscript(self, node: ast.Subscript, frame: Frame) -> ProgramValue:
        if self.settings and (named := setting_name(node)) in self.settings:
            return self.set_value(node, named, frame)
        items = self.no_function(self.value(node.value, frame))
        key = self.value(node.slice, frame)
        self.node = node
        return self.renamed(self.item(items, key), node)

    def item(self, items: object, key: object) -> ProgramValue:
        """Evaluate `items[key]`."""
        return python.get_item(items, self, key)

    def missing(self, items: dict[ProgramValue, ProgramValue], key: object) -> ProgramValue:
        """Return the value of a key that a dict does not have: that of a defaultdict is made now. Raises KeyError."""
        _, factory = self.factories.get(id(items), (None, None))
        if factory is None:
            raise KeyError(key)
        result = self.call(factory, [], {})
        self.mutate(items)
        items[key] = result
        return result

    def on_attribute(self, node: ast.Attribute, frame: Frame) -> ProgramValue:
        of = self.value(node.value, frame)
        self.node = node
        if self.settings and (named := setting_name(node)) in self.settings:
            # A shape that is given is the one that data have at first: a reshape of the program changes it.
            own = isinstance(of, Array) and named.removesuffix(".shape") in self.shaped
            return self.attribute(of, node.attr) if own else self.settings[named]
        if isinstance(of, Unknown):
            part = setting_name(node)
            data = of._replace(name=part or of.name, option=None if part and of.lacks == "argument" else of.option)
            return self.torch.method_of_data(data, node.attr) or data
        result = self.attribute(of, node.attr)
        if isinstance(result, Unknown) and not result.name:
            return result._replace(name=dotted(node))
        if isinstance(of, Array) and type(result) is tuple:
            part = setting_name(node)
            return tuple([size._replace(name=part) if isinstance(size, Unknown) else size for size in result])
        return result

    def attribute(self, of: object, name: str) -> ProgramValue:
        """Evaluate `of.name`."""
        return python.get_attribute(of, self, name)

    def call_method(self, of: object, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Evaluate `of.name(…)`."""
        return self.placed(python.call_method(of, self, name, args, kwargs))

    def has_attribute(self, of: object, name: object) -> bool | Unknown:
        """Return whether a value has an attribute; Unknown where that is not known."""
        if isinstance(of, Unknown) or not isinstance(name, str):
            return of if isinstance(of, Unknown) else self.unknown("the name of an attribute")
        if name in _OLDER_ONLY:
            return False
        result = python.has_attribute(of, self, name)
        return self.unknown(f"whether it has the attribute {name}") if result is None else result


# Interpreter --------------------------------------------------------------------------------------------------------
# The interpreter of a program's `ast` by what its values are known to be. Nothing of the program is run by Python.


class Libraries(NamedTuple):
    """What is read of libraries: their functions by the first parts of their names, what makes the frameworks that
    models are made with, the first of them being meant where nothing says which, and what makes the library whose
    modules compute as they go."""

    functions: Mapping[str, FunctionLibrary]
    frameworks: Sequence[Callable[[Interpreter], Framework]]
    modules: Callable[[Interpreter], ModuleLibrary]


class Interpreter(Statements, Choices, Loops, Freezing, DefinitionStatements, Expressions, Attributes, Calls):
    """One reading of one program.

    Args:
        settings: Values for names, given with `--set`.
        modules: Finds modules beside a file, and what is lent to it.
        libraries: The libraries that are read.
    """

    def __init__(self, settings: Mapping[str, ProgramValue], modules: Modules, libraries: Libraries) -> None:
        super().__init__(settings, modules)
        self.libraries = libraries.functions
        self.frameworks += [make(self) for make in libraries.frameworks]
        self.torch = libraries.modules(self)

    def run(self, file: File, frame: Frame | None = None) -> Frame:
        """Work through a file. Returns its names, as far as it was read."""
        frame = frame or Frame(file)
        outer, statement = self.file, self.effects.statement
        self.file = file.name
        try:
            self.block(file.tree.body, frame, module=True)
        except Exhausted as error:
            self.exhausted = self.unknown(f"the program {error}; it is read up to here")
            self.effects.mark_program_incomplete(self.exhausted)
        finally:
            self.file, self.effects.statement = outer, statement or self.effects.statement
        return frame

    def parse_setting(self, text: str) -> ProgramValue:
        """Return the value that `--set` gives: a number, a text, sizes with commas between them."""
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text


# Table --------------------------------------------------------------------------------------------------------------
# How a library is declared: its functions by their dotted names.

_Reader = TypeVar("_Reader")
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


class FunctionTable(Generic[_Reader]):
    """What calls of names give. A row takes the arguments without and with a name, and what reads the program; it gives
    NotImplemented for arguments that it does not read.

    >>> rows = FunctionTable()
    >>> @rows("first", "head")
    ... def first(args, kwargs, reader):
    ...     return args[0]
    >>> rows.call("head", [[3, 5]], {}, None), rows.call("tail", [], {}, None)
    ([3, 5], NotImplemented)
    """

    def __init__(self) -> None:
        self._rows: dict[str, Callable[[list[ProgramValue], dict[str, ProgramValue], _Reader], ProgramValue]] = {}

    def __call__(self, *names: str) -> Callable[[_Decorated], _Decorated]:
        """Register what a call of each of these names gives."""

        def register(row: _Decorated) -> _Decorated:
            self._rows.update(dict.fromkeys(names, row))
            return row

        return register

    def add(self, rows: Mapping[str, Callable[[list[Any], dict[str, Any], _Reader], Any]]) -> None:
        """Register short rows, each under one or several names."""
        self._rows.update({name: row for names, row in rows.items() for name in names.split()})

    def find(self, name: str) -> Callable[[list[ProgramValue], dict[str, ProgramValue], _Reader], ProgramValue] | None:
        """Return the row of a name; None for one that has none."""
        return self._rows.get(name)

    def call(self, name: str, args: Arguments, kwargs: Keywords, reader: _Reader) -> ProgramValue:
        """Return what a call of a name gives; NotImplemented for one that is not read here."""
        row = self.find(name)
        if row is None:
            return NotImplemented
        try:
            return row(args, kwargs, reader)
        except UnknownValue as why:
            return why.value


Implementation = Callable[[list[Any], dict[str, Any], "Interpreter"], Any]
"""What a call of a function of a library gives."""


class Library:
    """The functions of some packages, whose names are `roots`: rows by dotted names (`@library.function("math.prod")`),
    and for a whole package what makes its functions by their names (`@library.family("math")`)."""

    def __init__(self, *roots: str) -> None:
        self.roots = frozenset(roots)
        self.function: FunctionTable[Interpreter] = FunctionTable()
        self._families: dict[str, Callable[[str], Implementation]] = {}

    def family(self, package: str) -> Callable[[Callable[[str], Implementation]], Callable[[str], Implementation]]:
        """Register what makes the functions of a package, by their names in it, that are no rows."""

        def register(make: Callable[[str], Implementation]) -> Callable[[str], Implementation]:
            self._families[package] = make
            return make

        return register

    def call(self, path: str, args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        """Return what a call of a name gives; NotImplemented for one that is not read here."""
        package, _, name = path.partition(".")
        if self.function.find(path) is not None or package not in self._families:
            return self.function.call(path, args, kwargs, interpreter)
        try:
            return self._families[package](name)(args, kwargs, interpreter)
        except UnknownValue as why:
            return why.value


class FrameworkLibrary(Library):
    """A library of models, such as Keras: its framework object keeps the layers of the program and resolves names."""

    def call(self, path: str, args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        return interpreter.framework_of(path).call_symbol(Symbol(path), args, kwargs)
