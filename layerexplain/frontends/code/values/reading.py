"""What reading a program stands on: walks over its tree, the frames of its names, and how much of it is read."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

from layerexplain.records import NamedTuple
from layerexplain.stopping import ask

# Trees --------------------------------------------------------------------------------------------------------------
# The tree of a program: walks over it as those of `ast`, in a sixth of their time, and docstrings, which are kept.
# An editor asks after each keystroke.

_Node = TypeVar("_Node", bound=ast.AST)
_Found = TypeVar("_Found")
_NO_NODES = frozenset([str, int, type(None), bool, float, bytes, complex, type(Ellipsis), ast.Load, ast.Store, ast.Del])
"""Kinds of fields that lead nowhere: values, and the contexts of names, which nobody asks for by themselves."""


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes right below a node, in order."""
    nodes: list[ast.AST] = []
    for name in node._fields:
        value: Any = getattr(node, name, None)
        kind = type(value)
        if kind is list:
            nodes += [item for item in value if type(item) not in _NO_NODES]
        elif kind not in _NO_NODES:
            nodes.append(value)
    return nodes


def walk(*roots: ast.AST, closed: tuple[type[ast.AST], ...] = ()) -> list[ast.AST]:
    """Return nodes and all that is below them, the outer ones first; not what is in nodes of the `closed` kinds.

    >>> [type(one).__name__ for one in walk(ast.parse("f(lambda: 1)"), closed=(ast.Lambda,))]
    ['Module', 'Expr', 'Call', 'Name', 'Lambda']
    """
    nodes = [*roots]
    for node in nodes:  # the list grows while it is read
        if type(node) not in closed:
            nodes += children(node)
    return nodes


def kept_with_tree(function: Callable[[_Node], _Found]) -> Callable[[_Node], _Found]:
    """Let a function of a tree keep its answer with the tree: a loop may ask in each round, each model of a file for
    the whole."""
    name = f"_{function.__name__}"

    @wraps(function)
    def answer(node: _Node) -> _Found:
        known = node.__dict__
        if name not in known:
            known[name] = function(node)
        answer: _Found = known[name]
        return answer

    return answer


@kept_with_tree
def docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    """Return the docstring of a function or a class, "" where it has none."""
    return ast.get_docstring(node) or ""


# Frames -------------------------------------------------------------------------------------------------------------
# Where the names of a program are kept, and which branches were chosen without knowing.

ProgramValue = Any
"""A value of the program: one of Python's own, or a `Value`. What it is, whoever meets it must ask."""
Arguments = list[ProgramValue]
"""What a call is given without a name."""
Keywords = dict[str, ProgramValue]
"""What a call is given by name."""


class Place(NamedTuple):
    """A place in a file; `file` is "" for the source itself. `column` is counted from 1, 0 where it is not known."""

    file: str
    line: int
    column: int = 0

    @property
    def error_fields(self) -> dict[str, ProgramValue]:
        """Return the place as an error takes it."""
        return {"source": self.file or None, "line": self.line or None, "column": self.column or None}

    @property
    def row_fields(self) -> dict[str, ProgramValue]:
        """Return the place as layers and calls have it."""
        return {"file": self.file, "line": self.line or None, "column": self.column or None}


class File(NamedTuple):
    """A parsed file: its name in places ("" for the source itself), its folder (None where there is none), its code,
    and its path, "" for the source itself."""

    name: str
    folder: str | None
    tree: ast.Module
    path: str = ""
    size: int = 0
    """Words, signs and lines of its code."""


class Assumption(NamedTuple):
    """A choice that only running the program would confirm."""

    line: int
    words: str
    settled: str = ""
    """The code of the note that it is, where the answer is complete all the same."""
    name: str = ""
    """The name that the program does not define, where the choice is what it stands for."""
    error: str = ""
    """What Python says of this name, as the beginning of `words`."""


class Frame:
    """The names of a module, a function, a class or a comprehension. `outer` is the one around it."""

    __slots__ = (
        "body", "file", "globals", "is_class", "maybe", "methods", "names", "nonlocals", "outer", "owner", "self",
        "within", "yields",
    )  # fmt: skip

    def __init__(self, file: File, outer: Frame | None = None, *, is_class: bool = False) -> None:
        self.file = file
        self.outer = outer
        self.is_class = is_class
        self.body: list[ast.stmt] | None = None
        """The statements of a function."""
        self.names: dict[str, ProgramValue] = {}
        self.methods: list[ProgramValue] = []
        """The functions of a class as it defines them, before their decorators."""
        self.maybe: dict[str, Assumption] = {}
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.owner: ProgramValue = None
        """The class that a method belongs to, for `super()`."""
        self.self: ProgramValue = None
        self.within: Callable[[ProgramValue], ProgramValue] | None = None
        """What a context manager runs where it yields: the statements of the `with`."""
        self.yields: list[ProgramValue] | None = None
        """What a generator has given so far; None for any other function, and where that is not known."""

    def around(self) -> Iterator[Frame]:
        """Return the frame and those around it, the module last."""
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.outer

    @property
    def module(self) -> Frame:
        """Return the frame of the module."""
        return [*self.around()][-1]

    def holder(self, name: str) -> Frame | None:
        """Return the frame that has a name, as Python looks it up."""
        start = self.module if name in self.globals else self
        for frame in start.around():
            if name in frame.names and (frame is start or not frame.is_class):
                return frame
        return None

    def assign(self, name: str, value: object) -> None:
        """Let a name stand for a value."""
        frame = self
        if name in self.globals:
            frame = self.module
        elif name in self.nonlocals and self.outer is not None:
            frame = self.outer.holder(name) or self
        frame.names[name] = value
        frame.maybe.pop(name, None)


# Bounds -------------------------------------------------------------------------------------------------------------
# How much of a program is read: steps, depth, and the size of every result before it is computed.

MOST_STEPS = 600_000
"""Statements and expressions that are read of one program."""

MOST_TRIED = 20
"""Functions and classes of a file that are tried where it makes no model by itself."""
MOST_DEPTH = 40
"""How deep calls of functions nest."""

MOST_ITEMS = 10_000
"""Items of a list, and of all lists inside it."""

MOST_NESTED = 50
"""How deep lists nest that are gone through."""

MOST_LAYERS = 20_000
"""Layers of a model and of all models inside it, as often as they occur."""

MOST_MODULES = 200
"""How deep modules of PyTorch nest: a few times as many, and Python itself gives up."""

MOST_TEXT = 100_000
"""Characters of a text."""

MOST_BITS = 1024
"""Bits of a whole number."""

MOST_CELLS = 3_000_000
"""Items and characters that a program makes, all in all."""

RESULT = 50
"""How many items one of several tensors that a call gives counts as, since its formula is made."""

MODULE = 300
"""How many items a module of PyTorch counts as that a program makes: its weights are looked up, and it may be a row."""

MOST_LOOKS = 4_000_000
"""Items and characters that Python's operators, functions and methods go through, all in all."""

MOST_IDLE_ROUNDS = 1_000
"""Rounds of a loop in which nothing happens to a model, before the rest of them is passed over."""

MOST_IDLE_STEPS = 20_000
"""Steps in such rounds of all loops of a program; after them each loop is passed over at once."""

MOST_CALLS = 5_000
"""Calls of layers."""

MOST_GIVEN = 50_000
"""Tensors that layers are given, all in all."""

MOST_BASES = 100
"""Classes above a class."""

MOST_SOURCE = 4 * 1024 * 1024
"""Bytes of a program."""

MOST_TOKENS = 300_000
"""Words, signs and lines of a program: its syntax tree takes up to 900 bytes for each."""

MOST_PARSED = 2 * 1024 * 1024
"""Bytes that are parsed again while a pasted text is mended."""


TOO_LARGE = "its value is too large to be computed here"


class Exhausted(Exception):
    """The program is too large to be read to its end."""


_STEPS_BETWEEN = 128
"""Steps between two questions whether the reading is still wanted."""


def numbered(count: int) -> range:
    """Return the numbers of what one call makes several of: tensors, layers, items. Whoever makes as many as a number
    of the program says goes through this. Raises Exhausted where there are too many.

    >>> [3 * number for number in numbered(2)]
    [0, 3]
    """
    if count > MOST_ITEMS:
        raise Exhausted(f"makes a list of more than {MOST_ITEMS:,} items")
    return range(count)


class Budget:
    """What is left of the bounds of one program."""

    def __init__(self) -> None:
        self.steps = MOST_STEPS
        self.next_question = MOST_STEPS
        self.cells = MOST_CELLS
        self.looks = MOST_LOOKS
        self.calls = MOST_CALLS
        self.given = MOST_GIVEN
        self.depth = 0
        self.idle_steps = 0

    def step(self) -> None:
        """Count a step. Raises Exhausted where none is left."""
        self.steps -= 1
        if self.steps < self.next_question:
            self._ask()

    def _ask(self) -> None:
        if self.steps < 0:
            raise Exhausted(f"has more than {MOST_STEPS:,} steps")
        ask()
        self.next_question = max(self.steps - _STEPS_BETWEEN, 0)

    def make(self, size: int) -> None:
        """Count the items of a result. Raises Exhausted where there were too many."""
        self.cells -= size
        if self.cells < 0:
            raise Exhausted(f"makes more than {MOST_CELLS:,} values")

    def grow(self, size: int, more: int) -> None:
        """Count what is put into a list or a container of modules. Raises Exhausted where it gets too long."""
        if size + more > MOST_ITEMS:
            raise Exhausted(f"makes a list of more than {MOST_ITEMS:,} items")
        self.make(more)

    def look(self, size: int) -> None:
        """Count items that are gone through. Raises Exhausted where there were too many."""
        self.looks -= size
        if self.looks < 0:
            raise Exhausted(f"goes through more than {MOST_LOOKS:,} values")

    def look_at(self, *values: object) -> None:
        """Count the items of values, with those inside them and the numbers of arrays, before they are gone through.
        Raises Exhausted where there were too many."""
        for value in values:
            self.look(weight(value, numbers=True))

    def is_idle(self, rounds: int, steps: int) -> bool:
        """Count the steps of a round of a loop in which nothing happens to a model. Returns whether the loop is passed
        over from here on, `rounds` being the number of such rounds."""
        self.idle_steps += steps
        return rounds > MOST_IDLE_ROUNDS or self.idle_steps > MOST_IDLE_STEPS

    def call(self, tensors: int = 0) -> None:
        """Count the call of a layer. Raises Exhausted where there were too many, or too many tensors in them."""
        ask()
        self.calls -= 1
        self.given -= tensors
        if self.calls < 0:
            raise Exhausted(f"calls layers more than {MOST_CALLS:,} times")
        if self.given < 0:
            raise Exhausted(f"gives layers more than {MOST_GIVEN:,} tensors")


def weight(value: object, most: int = MOST_ITEMS, *, numbers: bool = False) -> int:
    """Count the items of a value with all lists inside it, as often as they occur, and with `numbers` those of arrays;
    stops a little beyond `most`, and there at once for lists that nest too deep.

    >>> weight([1, [2, 3], "text"])
    9
    """
    count = 0
    level: list[Any] = [value]
    for _ in range(MOST_NESTED):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, str | bytes):
                count += len(item) // 4 + 1
            elif isinstance(item, list | tuple | set | frozenset):
                count += 1 + len(item)
                inner += item if len(item) <= most else ()
            elif isinstance(item, dict):
                count += 1 + 2 * len(item)
                if len(item) <= most:
                    inner += item.keys()
                    inner += item.values()
            elif isinstance(item, range):
                count += len(item[: most + 1])
            elif type(item) is int:
                count += item.bit_length() // 64
            elif numbers and (numbers_of := getattr(item, "numbers", None)) is not None:
                inner += numbers_of()
            if count > most:
                return count
        if not inner:
            return count
        level = inner
    return most + 1


def fits(value: object) -> bool:
    """Tell whether a value is small enough to be compared, hashed or printed."""
    return weight(value) <= MOST_ITEMS
