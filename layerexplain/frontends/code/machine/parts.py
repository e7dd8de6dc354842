"""What the parts of the interpreter, which stand in several files, know of the whole."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.machine.effects import Effects, Mark
from layerexplain.frontends.code.sources import Modules
from layerexplain.frontends.code.values.array import memory_of
from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Keywords,
    OneOf,
    Place,
    ProgramValue,
    Symbol,
    Unknown,
)
from layerexplain.frontends.code.values.objects import Framework
from layerexplain.frontends.code.values.program import Instance, ModuleLibrary
from layerexplain.frontends.code.values.reading import Assumption, Budget, File, Frame, kept_with_tree
from layerexplain.model import Note

if TYPE_CHECKING:
    from layerexplain.frontends.code.values.layers import ModelValue
    from layerexplain.frontends.code.values.program import Context, Function, FunctionNode

_Kept = TypeVar("_Kept")

Signal = tuple[str, Any] | None
"""How a block ends early: ("return", value), ("break", None), ("continue", None)."""


def position(node: ast.AST | None) -> tuple[int, int]:
    """Return the line and the column of a node, both counted from 1: of `layers.Dense` those of the name behind the
    dot."""
    if isinstance(node, ast.Attribute):
        return node.end_lineno or node.lineno, (node.end_col_offset or 0) - len(node.attr) + 1
    return getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1


def dotted(node: ast.expr) -> str:
    """Return `x_train.shape` of such an expression; "" for one that is no chain of names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < 10:
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


@kept_with_tree
def written(node: ast.expr) -> str:
    """Return an expression as a line of code."""
    return ast.unparse(node)


_NUMBERS = frozenset({"len", "max", "min", "sum"})
"""Functions that make one number of many values."""

_MOST_WRITTEN = 60
"""Letters of an expression that `--set` names."""


def setting_name(node: ast.expr) -> str:
    """Return how `--set` names an expression whose value no name has: a count or an extreme, what a method or a
    function without arguments gives, an entry of a dict, an attribute. "" for any other.

    >>> texts = ("len(t.words)", "y.max()", "c['n']", "f(3)", "y[0]")
    >>> [setting_name(ast.parse(text, mode="eval").body) for text in texts]
    ['len(t.words)', 'y.max()', "c['n']", '', '']
    """
    is_one = isinstance(node, ast.Subscript | ast.Attribute) and _is_path(node)
    if isinstance(node, ast.Call) and not node.keywords:
        counts = isinstance(node.func, ast.Name) and node.func.id in _NUMBERS and len(node.args) == 1
        is_one = counts or (not node.args and _is_path(node.func))
    text = written(node) if is_one else ""
    return text if len(text) <= _MOST_WRITTEN and "=" not in text else ""


def _is_path(node: ast.expr) -> bool:
    """Return whether an expression is a name with attributes and keys that are texts: `config["model"].sizes`."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Subscript):
            if not (isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)):
                return False
        elif not isinstance(node, ast.Attribute):
            return False
        node = node.value
    return True


@cache
def handler_name(kind: str) -> str:
    """Return the method that reads a kind of node: `on_binop` for `ast.BinOp`."""
    return f"on_{kind.lower()}"


class FunctionLibrary(Protocol):
    """A library of functions, by their dotted names."""

    def call(self, path: str, args: Arguments, kwargs: Keywords, interpreter: Any, /) -> ProgramValue:
        """Return what a call of a name gives; NotImplemented for one that is not read here."""


class InterpreterPart(Evaluator):
    """A part of the interpreter, and what all of them know. `node` of the tree of `file` is where the reading is."""

    effects: Effects
    torch: ModuleLibrary
    libraries: Mapping[str, FunctionLibrary]
    """The libraries by the first parts of their names."""

    def __init__(self, settings: Mapping[str, ProgramValue], modules: Modules) -> None:
        self.settings = settings
        self.stand_ins: Collection[str] = ()
        """The settings that nobody has given: numbers in place of sizes that the program leaves open."""
        self.catches_names = False
        """Whether a NameError is caught where the reading is."""
        self.shaped: set[str] = set()
        """The names of data whose shape is a setting."""
        self.load, self.lend = modules.load, modules.lend
        self.budget = Budget()
        self.node: ast.AST | None = None
        self.file = ""
        self.effects = Effects()
        self.active: list[ast.AST] = []
        """The functions of the program that are called now."""
        self.choosing: list[int] = []
        """How many of them were called when each choice was taken whose branch is read now."""
        self.rounds: list[list[ast.stmt]] = []
        """The bodies of the loops that are read now."""
        self.outcomes: dict[ast.If, set[bool]] = {}
        """What each test in a loop gave, in the rounds that are read, where that was known."""
        self.exhausted: Unknown | None = None
        """Why the program is not read to its end."""
        self.factories: dict[int, tuple[ProgramValue, ProgramValue]] = {}
        """The dicts that are defaultdicts, with what makes their missing values, by their identities."""
        self.notes: list[Note] = []
        self.is_notebook = False
        """Whether the cells after one that raises are run all the same."""
        self.is_excerpt = False
        """Whether more of the program may stand elsewhere, as it is with what people paste."""
        self.calls_arrays = self.arrays_are_inputs = False
        """Whether the program calls layers of Keras on arrays, and whether these stand for inputs of a model."""
        self.callers: list[Place] = []
        """The calls of functions of the program that are read now."""
        self.unfinished = 0
        """How many objects of the program's classes are being made now."""
        self.lazy = False
        """Whether modules of a package are read when a name of theirs is used, not when they are imported."""
        self.star: list[str] = []
        """Modules all of whose names are imported."""
        self.import_roots: set[str] = set()
        """The first parts of the names of all modules that the program imports."""
        self.modules: dict[str, ProgramValue] = {}
        self.imported: dict[str, str] = {}
        """The files that the program imports: the names under which they are shown, by their paths."""
        self.program: File | None = None
        """The file of the program, beside which modules are."""
        self.where: Callable[[Place], str] = lambda place: (
            f"{place.file or 'line '}{':' * bool(place.file)}{place.line}"
        )
        """Tells a place in the code: `train.py:41`."""
        self.locate: Callable[[Place], Place] = lambda place: place
        """Where a place in the text that is read stands in the source: in which cell of a notebook."""
        self.followed_calls: list[Framework] = []
        """The libraries whose layers' `call`s are followed now, the innermost last."""
        self._kept: dict[type, Any] = {}
        """What libraries keep, by its kind."""
        self.frameworks: list[Framework] = []
        """The libraries that models are made with."""

    @property
    def line(self) -> int:
        """Return the line that is read now; 0 before the first one."""
        return position(self.node)[0]

    def place(self, node: ast.AST | None = None) -> Place:
        """Return where a node of the file that is read now stands; without one, where the reading is."""
        return Place(self.file, *position(node or self.node))

    def argument_place(self, which: str | int | None, order: Sequence[str] = ()) -> Place:
        """Return where the call that is read now gives an argument: one with a name, or the one of a number, `order`
        being the names of those that are given without one; the call itself where it does not say."""
        call = self.node
        if not isinstance(call, ast.Call):
            return self.place()
        named = next((keyword for keyword in call.keywords if keyword.arg == which), None)
        if named is not None:
            return self.place(named)
        at = order.index(which) if isinstance(which, str) and which in order else which
        nodes = call.args[: at + 1] if isinstance(at, int) else []
        stands = len(nodes) - 1 == at and not any(isinstance(node, ast.Starred) for node in nodes)
        return self.place(nodes[-1]) if stands else self.place()

    def item_place(self, which: str, number: int) -> Place:
        """Return where an item stands in the list that is the first argument of the call that is read now, or its
        argument `which`; the call itself where the list is not written there."""
        call = self.node
        if isinstance(call, ast.Call):
            values = [*call.args[:1], *[keyword.value for keyword in call.keywords if keyword.arg == which]]
            listed = values[0].elts if values and isinstance(values[0], ast.List | ast.Tuple) else []
            if number < len(listed) and not any(isinstance(node, ast.Starred) for node in listed[: number + 1]):
                return self.place(listed[number])
        return self.place()

    def module_has(self, path: str, name: str) -> bool | None:
        """Return whether a module of a library has a name; None where that is not known."""
        is_torch = path.partition(".")[0] in self.torch.roots
        return self.torch.module_has(path, name) if is_torch else self.framework_of(path).module_has(path, name)

    def kept(self, kind: type[_Kept]) -> _Kept:
        """Return what a library keeps while the program is read: its one object of a kind, which is made when it is
        first asked for."""
        if kind not in self._kept:
            self._kept[kind] = kind()
        state: _Kept = self._kept[kind]
        return state

    def leave_trainable_open(self, unknown: Unknown) -> None:
        """Record that the program freezes what nobody knows: it may be any of what it has made."""
        self.torch.leave_trainable_open(unknown)
        for framework in self.frameworks:
            framework.leave_trainable_open(unknown)

    def call_module(self, module: ProgramValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what `module(x)` gives of a library that computes as it goes."""
        return self.torch.call(module, args, kwargs)

    def reshaped_data(self, sizes: Arguments) -> ProgramValue:
        """Return data with unknown values and the sizes that the program gives them; None where it gives none."""
        return self.torch.reshaped_data(sizes)

    @property
    def models(self) -> list[ModelValue]:
        """Return the models that the program makes."""
        return [model for framework in self.frameworks for model in framework.models]

    @property
    def call_framework(self) -> Framework | None:
        """Return the library whose `call` is followed now; None outside of any."""
        return self.followed_calls[-1] if self.followed_calls else None

    def framework_of(self, path: str) -> Framework:
        """Return the library that models are made with, by a name in it; of a name of another library the first one."""
        root = path.partition(".")[0]
        return next((framework for framework in self.frameworks if root in framework.roots), self.frameworks[0])

    def called_from(self) -> tuple[str, ...]:
        """Return where the function was called that is read now, in words, the next place first."""
        return tuple([self.where(caller) for caller in self.callers[:-4:-1]])

    def fault(
        self, error: LayerExplainError, place: Place | str | int | None = None, order: Sequence[str] = ()
    ) -> None:
        """Keep an error of the program, with its place: that of the call that is read now, or of an argument of it by
        its name or number, unless it is given."""
        at = place if isinstance(place, Place) else self.argument_place(place, order)
        if len(self.effects.faults) < 50:
            if not self.followed_calls and (callers := self.called_from()):
                error.fact += f"; called from {', '.join(callers)}"
            self.effects.record_fault(error.with_place(**at.error_fields), at)

    def unknown(self, reason: str, name: str = "") -> Unknown:
        """Return an unknown value, here."""
        place = self.place()
        return Unknown(reason, place.line, name, place.file, place.column)

    def renamed(self, value: ProgramValue, node: ast.expr) -> ProgramValue:
        """Return the value of an expression; one that hangs on a missing name is called as `--set` names the whole
        expression, so that the option gives a number and not an object."""
        if isinstance(value, OneOf):
            return value
        is_part = isinstance(value, Unknown) and value.name and (not value.option or value.lacks == "argument")
        if is_part and (name := setting_name(node)):
            return value._replace(name=name, option=None)
        if isinstance(value, Unknown) and value.lacks == "name" and isinstance(node, ast.Call):
            return value._replace(option="")  # no number stands for what is called
        return value

    def replace(self, frame: Frame, value: ProgramValue, other: ProgramValue) -> None:
        """Put another value in the place of one: in names, in attributes of objects and in lists and dicts that have
        a name. Raises Exhausted where there are too many."""
        for at in frame.around():
            waiting: list[ProgramValue] = [at.names]
            for name in list(at.names.values()):
                waiting += (
                    [name.attributes] if isinstance(name, Instance) else [name] if type(name) in (list, dict) else []
                )
            for names in waiting:
                self.budget.look(len(names))
                for place, item in list(names.items() if type(names) is dict else enumerate(names)):
                    if item is value:
                        names[place] = other

    def no_function(self, value: object) -> ProgramValue:
        """Return a value where no function fits: a name of a library that is not read is an unknown value, and in an
        excerpt the name of a function of Python is a variable that is defined elsewhere."""
        if isinstance(value, Symbol) and value.path.startswith("builtins.") and self.is_excerpt:
            return Unknown("it is not defined in this code", name=value.last, lacks="name")
        if not isinstance(value, Symbol) or not value.may_be_anything:
            return value
        return self.unknown(f"layerexplain does not read {value.path.partition('.')[0]}", value.path)

    def new_container(self, value: object) -> ProgramValue:
        """Return a new list or dict."""
        if self.effects.unknown_loops or self.choosing:
            self.effects.record_container(value)
        return value

    def mutate(self, value: object) -> None:
        """Note that a list, a dict or the memory of an array is changed."""
        self.budget.make(1)
        self.effects.record_container_change(memory_of(value))

    if TYPE_CHECKING:  # what the parts ask of each other

        def value(self, node: ast.expr, frame: Frame) -> ProgramValue: ...
        def compared(self, name: str, left: object, right: object) -> ProgramValue: ...
        def assign(self, target: ast.expr, value: object, frame: Frame, *, constant: bool = False) -> None: ...
        def block(self, body: list[ast.stmt], frame: Frame, *, module: bool = False) -> Signal: ...
        def set_value(self, node: ast.expr, option: str, frame: Frame) -> ProgramValue: ...
        def branch(
            self, taken: list[ast.stmt], other: list[ast.stmt], frame: Frame, assumption: Assumption
        ) -> Signal: ...
        def followed(self, node: ast.stmt, frame: Frame, handler: Callable[..., Signal]) -> Signal: ...
        def skip(self, body: list[ast.stmt], frame: Frame, assumption: Assumption) -> bool: ...
        def reaches(self, body: Sequence[ast.AST], frame: Frame) -> int: ...
        def has_frozen(self, mark: Mark, before: int | None = None) -> bool: ...
        def leave_hidden_freezing_open(self, function: ProgramValue, given: Arguments) -> None: ...
        def leave_freezing_open(self, code: Sequence[ast.AST], frame: Frame, why: ProgramValue) -> None: ...
        def run(self, file: File, frame: Frame | None = None) -> Frame: ...
        def function(self, node: FunctionNode, name: str, frame: Frame) -> Function: ...
        def lacking_import(self, body: list[ast.stmt], frame: Frame) -> tuple[int, str] | None: ...
        def foreign_import(self, node: ast.Try, frame: Frame) -> str: ...
        def supplied_definition(self, path: str, *, constants: bool = False) -> ProgramValue: ...
        def run_context(self, context: Context, within: Callable[[ProgramValue], Signal]) -> None: ...
        def placed(self, value: object) -> ProgramValue: ...
