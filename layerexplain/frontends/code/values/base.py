"""What every value of a program answers, and what is not known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol

from layerexplain.records import NamedTuple, Record

if TYPE_CHECKING:
    import ast

    from layerexplain.frontends.code.bounds import Budget


class Place(NamedTuple):
    """A place in a file; `file` is "" for the source itself. `column` is counted from 1, 0 where it is not known."""

    file: str
    line: int
    column: int = 0

    @property
    def told(self) -> dict[str, Any]:
        """The place as an error takes it."""
        return {"source": self.file or None, "line": self.line or None, "column": self.column or None}


class Evaluator(Protocol):
    """What a value asks of the interpreter of the program."""

    budget: Budget
    effects: Any
    keras: Any

    def unknown(self, reason: str, name: str = "") -> Unknown:
        """Return a value that is not known, here."""

    def place(self, node: ast.AST | None = None) -> Place:
        """Return where the reading is."""

    def loaded(self, frame: Any, name: str) -> Any:
        """Return what a module has under a name."""

    def module(self, name: str, frame: Any) -> Any:
        """Return a module of the program by its name; None where there is none."""

    def may_be_key(self, value: Any) -> bool:
        """Return whether a value may be a key of a dict."""

    def missing(self, items: dict[Any, Any], key: Any) -> Any:
        """Return what a dict gives for a key that it does not have. Raises KeyError."""

    def of_named_tuple(self, of: Any, name: str) -> Any:
        """Return what every named tuple, or its class, has under a name; None for anything else."""

    def attribute(self, of: Any, name: str) -> Any:
        """Return `of.name`."""

    def call(self, function: Any, args: list[Any], kwargs: dict[str, Any], *, whole: bool = False) -> Any:
        """Return what a call of a value gives."""

    def call_bound(self, bound: Any, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        """Return what a call of a method gives."""

    def make_instance(self, cls: Any, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        """Return an object of a class of the program."""

    def call_symbol(self, symbol: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Return what a call of a name of a library gives."""

    def call_function(self, function: Any, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        """Return what a call of a function of the program gives."""


class Value:
    """A value of a program that is none of Python's own numbers, texts, lists and dicts. A kind of value is a subclass;
    what it cannot do, or nobody knows of it, is the answer that stands here."""

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        """Return `value.name`."""
        return evaluator.unknown(f"the attribute {name} of a value that is not known")

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        """Return whether it has an attribute; None where that is not known."""
        return None

    def set_attribute(self, evaluator: Evaluator, name: str, value: Any) -> None:
        """Let `value.name` stand for another value; of a kind without attributes nothing is kept."""

    def get_item(self, evaluator: Evaluator, key: Any) -> Any:
        """Return `value[key]`."""
        return unknown_key(evaluator, key) or evaluator.unknown("an item of a value that is not known")

    def iterate(self) -> list[Any] | Unknown:
        """Return the items that a loop over it meets."""
        return Unknown("items of a value that is not known")

    def length(self) -> Any:
        """Return `len(value)`."""
        return Unknown("the length of a value that is not known")

    def truth(self) -> bool | None:
        """Return whether it counts as true in a test; None where that is not known."""
        return True

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        """Return what a call of it gives; `whole` says that the program gives all of its arguments."""
        return evaluator.unknown("a value is called")


class Unknown(Record, Value):
    """A value that only running the program would tell. `reason` is the first cause, `line` where it stands, `name` the
    name that `--set` can give a value to; "" where there is none. `file` is another file than the source."""

    reason: str
    line: int = 0
    name: str = ""
    file: str = ""
    column: int = 0
    lacks: Literal["", "name", "argument", "shape", "named shape"] = ""
    """What is missing, where the reader acts on it: a name that the code does not define, an argument that no call of
    the program gives, the shape of an input, or that of a name which must be an input."""
    option: str | None = None
    """The name for `--set`, if it is not `name`; "" where no value helps."""

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        return self

    def get_item(self, evaluator: Evaluator, key: Any) -> Any:
        return self

    def iterate(self) -> list[Any] | Unknown:
        return self

    def length(self) -> Any:
        return self

    def truth(self) -> bool | None:
        return None

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return self


class Size(Record, Value):
    """A size that is known at run time only, as the batch is: that of an axis of a tensor, where `tensor` is there."""

    words: str = ""
    tensor: Any = None
    axis: int = 0

    def truth(self) -> bool | None:
        return None


def unknown_key(evaluator: Evaluator, key: Any) -> Unknown | None:
    """Return why a key is not known; None for one that is."""
    if isinstance(key, Unknown):
        return key
    if isinstance(key, slice) and not all(isinstance(one, int | None) for one in (key.start, key.stop, key.step)):
        return evaluator.unknown("a slice to a size that is not known")
    return None


def unknown_at(place: Place, reason: str, *, lacks: Literal["", "shape"] = "") -> Unknown:
    """A value that is not known because of what stands at a place."""
    return Unknown(reason, place.line, "", place.file, lacks=lacks)


class ProgramError(Exception):
    """What the program itself raises: the name of the class, its text, and where. `certain` says that no data has a
    part in it: a call that does not fit its function."""

    def __init__(self, kind: str, text: str = "", place: Place | None = None, *, certain: bool = False) -> None:
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind = kind
        self.text = text
        self.place = place
        self.certain = certain


class UnknownValue(Exception):
    """A function is given what is not known: its result is the same unknown `value`."""

    def __init__(self, value: Unknown) -> None:
        super().__init__(value.reason)
        self.value = value


def unknown_value(given: Iterable[Any], words: str) -> UnknownValue:
    """The error of a function that cannot be computed: the first unknown value that it is given, else `words`."""
    return UnknownValue(next((one for one in given if isinstance(one, Unknown)), Unknown(words)))
