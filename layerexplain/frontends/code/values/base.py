"""What every value of a program answers, and what is not known (all of one protocol, hence the length)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol, TypeVar

from layerexplain.frontends.code.values.reading import Arguments as Arguments
from layerexplain.frontends.code.values.reading import Budget, Frame
from layerexplain.frontends.code.values.reading import Keywords as Keywords
from layerexplain.frontends.code.values.reading import Place as Place
from layerexplain.frontends.code.values.reading import ProgramValue as ProgramValue
from layerexplain.lang.axes import Batch
from layerexplain.records import Record

_Kept = TypeVar("_Kept")


class Journal(Protocol):
    """What values record of the reading of a program: effects.py has the whole of it."""

    statement: int

    def record_change(self) -> None:
        """Record that something happens to a name, a list or an object."""

    def record_attribute_change(self, owner: object, name: str, *, of_model: bool = False) -> None:
        """Record that an attribute is assigned."""

    def record_model_change(self, layer: ProgramValue) -> None:
        """Record that a layer or a model is changed after it was made."""

    def record_model_event(self) -> None:
        """Record that something happens to a layer or a model."""

    def depend_on(self, choice: ProgramValue) -> None:
        """Record that the statement that is read now depends on a choice."""


class Names(Protocol):
    """What values ask of the library that a name is of."""

    def symbol_attribute(self, symbol: Symbol, name: str) -> ProgramValue:
        """Return what a name behind a name is."""

    def class_has(self, cls: ProgramValue, name: str) -> bool | None:
        """Return whether the library gives the objects of a user-defined class an attribute; None where nobody
        knows."""

    def call_base(self, of: object, function: Symbol, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method of the library gives that a user-defined class calls."""

    def call_setting(self, setting: ProgramValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return the result of a loss, an activation or an initializer that is called."""

    def operation(self, name: str, args: Arguments, kwargs: Keywords, path: str = "") -> ProgramValue:
        """Return what a function of tensors gives, by the name that it has in NumPy; `path` is the function whose
        arguments these are, where it is another one."""

    def operator(self, name: str, left: object, right: object) -> ProgramValue:
        """Return the result of an operator of Python on tensors; `right` is None where it takes one."""

    def item_of_table(self, table: ProgramValue, key: object) -> ProgramValue:
        """Return a part of an array, as a tensor."""


class Evaluator(Protocol):
    """What a value asks of the interpreter of the program. Functions, classes and objects of the program, which are
    values too, are `ProgramValue` here."""

    budget: Budget
    effects: Journal
    settings: Mapping[str, ProgramValue]

    @property
    def call_framework(self) -> Names | None:
        """Return the library whose `call` is followed now; None outside of any."""

    def framework_of(self, path: str) -> Names:
        """Return the library that models are made with, by a name in it; of a name of another library the first one."""

    def module_has(self, path: str, name: str) -> bool | None:
        """Return whether a module of a library has a name; None where that is not known."""

    def kept(self, kind: type[_Kept]) -> _Kept:
        """Return what a library keeps while the program is read: its one object of a kind, which is made when it is
        first asked for."""

    def call_module(self, module: ProgramValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what `module(x)` gives of a library that computes as it goes."""

    def reshaped_data(self, sizes: Arguments) -> ProgramValue:
        """Return data with unknown values and the sizes that the program gives them; None where it gives none."""

    @property
    def line(self) -> int:
        """Return the line that is read now; 0 before the first one."""

    def unknown(self, reason: str, name: str = "") -> Unknown:
        """Return an unknown value, here."""

    def place(self, node: ast.AST | None = None) -> Place:
        """Return where the reading is."""

    def loaded(self, frame: Frame, name: str) -> ProgramValue:
        """Return what a module has under a name."""

    def module(self, name: str, frame: Frame) -> Value | None:
        """Return a module of the program by its name; None where there is none."""

    def may_be_key(self, value: object) -> bool:
        """Return whether a value may be a key of a dict."""

    def mutate(self, value: object) -> None:
        """Note that a list or a dict is changed."""

    def has_attribute(self, of: object, name: object) -> bool | Unknown:
        """Return whether a value has an attribute; Unknown where that is not known."""

    def record(self, cls: ProgramValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return an object of a dataclass or a named tuple."""

    def items(self, value: object) -> list[ProgramValue] | Unknown:
        """Return the items that a loop over a value meets."""

    def missing(self, items: dict[ProgramValue, ProgramValue], key: object) -> ProgramValue:
        """Return what a dict gives for a key that it does not have. Raises KeyError."""

    def of_named_tuple(self, of: ProgramValue, name: str) -> ProgramValue:
        """Return what every named tuple, or its class, has under a name; None for anything else."""

    def attribute(self, of: object, name: str) -> ProgramValue:
        """Return `of.name`."""

    def call(
        self,
        function: object,
        args: Arguments,
        kwargs: Mapping[str, ProgramValue] | None = None,
        *,
        whole: bool = False,
    ) -> ProgramValue:
        """Return what a call of a value gives."""

    def call_method(self, of: object, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a call of `of.name` gives."""

    def item(self, items: object, key: object) -> ProgramValue:
        """Return `items[key]`."""

    def operate(self, name: str, left: object, right: object) -> ProgramValue:
        """Return the result of an operator on two values."""

    def named_tuple_method(self, of: ProgramValue, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method of a named tuple, or of its class, gives."""

    def make_instance(self, cls: ProgramValue, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        """Return an instance of a class that the program defines."""

    def call_symbol(self, symbol: Symbol, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a call of a name of a library gives."""

    def call_function(self, function: ProgramValue, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        """Return what a call of a function of the program gives."""


Use = Literal["loop", "test", "unpacking", "number"]
"""What a program needs the numbers of a tensor for."""


class Value:
    """A value of a program other than Python's own numbers, texts, lists and dicts. Each kind of value is a subclass;
    the answers here are for what it cannot do, or what is unknown of it."""

    decorates = False
    """Whether it is known what it makes of a function that it stands above."""

    def __repr__(self) -> str:
        """Return what messages call it: by its name or its type where it has one, else by its kind."""
        name = getattr(self, "name", "") or getattr(self, "path", "")
        kind = type(self).__name__.lower()
        return f"{kind} {name}".strip() if isinstance(name, str) else kind

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        """Return `value.name`."""
        return evaluator.unknown(f"the attribute {name} of an unknown value")

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        """Return whether it has an attribute; None where that is not known."""
        return None

    def set_attribute(self, evaluator: Evaluator, name: str, value: object) -> None:
        """Let `value.name` stand for another value; of a kind without attributes nothing is kept."""

    def delete_attribute(self, evaluator: Evaluator, name: str) -> None:
        """Remove `value.name`; of a kind without attributes nothing is kept."""

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        """Return `value[key]`."""
        return unknown_key(evaluator, key) or evaluator.unknown("an item of an unknown value")

    def set_item(self, evaluator: Evaluator, key: object, value: object) -> None:
        """Let `value[key]` stand for another value; of a kind without items nothing is kept."""

    def delete_item(self, evaluator: Evaluator, key: object) -> None:
        """Remove `value[key]`; of a kind without items nothing is kept."""

    def as_tuple(self) -> ProgramValue:
        """Return the tuple that a named tuple is; anything else as it is."""
        return self

    def numbers(self) -> tuple[ProgramValue, ...]:
        """Return the collections that whoever goes through it goes through."""
        return ()

    def operand(self, evaluator: Evaluator) -> ProgramValue:
        """Return what an operator takes in its place."""
        return self.as_tuple()

    def operate(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        """Return the result of an operator with this value on one side; NotImplemented where the other side decides."""
        return NotImplemented

    def operate_alone(self, evaluator: Evaluator, name: str) -> ProgramValue:
        """Return the result of an operator on it alone; NotImplemented where it has none of its own."""
        return NotImplemented

    def contains(self, value: object) -> ProgramValue:
        """Return whether a value is in it."""
        return Unknown("whether a value is in an unknown collection")

    def copy_to(self, known: dict[int, ProgramValue], copy: Callable[[ProgramValue], ProgramValue]) -> None:
        """Put a deep copy into `known`, by the identity of the value; `copy` copies its parts. A value that
        cannot be copied puts none."""

    def become(self, evaluator: Evaluator, value: object) -> ProgramValue:
        """Return what a name of it stands for after `x += 1`, which gives `value`: itself if it changes in place."""
        return value

    def stated_arguments(self) -> Mapping[str, ProgramValue] | None:
        """Return the arguments of an object that consists of nothing else; None for any other."""
        return None

    def compare(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        """Return a tensor that compares each element; NotImplemented where the comparison is True or False."""
        return NotImplemented

    def equals(self, other: object) -> ProgramValue:
        """Return whether it equals another value; NotImplemented where the other one decides."""
        return NotImplemented

    def is_same(self, other: object) -> bool:
        """Return whether it is another value, as `is` asks."""
        return self is other

    def is_instance(self, kind: Symbol) -> bool | None:
        """Return whether it is of a class of a library; None where that is not known."""
        return None

    def check_use(self, use: Use, place: Place, words: str = "") -> None:
        """Raise ProgramError, its text beginning with `words`, where the program needs numbers that are not there."""

    def assigned_to(self, name: str) -> None:
        """Note a name that the program gives it."""

    def iterate(self) -> list[ProgramValue] | Unknown:
        """Return the items that a loop over it meets."""
        return Unknown("items of an unknown value")

    def length(self) -> ProgramValue:
        """Return `len(value)`."""
        return Unknown("the length of an unknown value")

    def result_words(self, results: Sequence[ProgramValue]) -> str:
        """Return what follows an error of too many or too few names for results, of which this is the first."""
        return ""

    def unpack(self, evaluator: Evaluator, parts: list[ast.expr]) -> list[ProgramValue] | Unknown:
        """Return the items that are assigned to the parts of a target."""
        return evaluator.items(self)

    def truth(self) -> bool | None:
        """Return whether it counts as true in a test; None where that is not known."""
        return True

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        """Return what a call of it gives; `whole` says that the program gives all of its arguments."""
        return evaluator.unknown("a value is called")

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what `value.name(…)` gives."""
        return evaluator.unknown(f"the method {name} of a value")

    def entered(self, evaluator: Evaluator) -> AbstractContextManager[None]:
        """Return what surrounds the statements of `with value:`."""
        return nullcontext()


class Attributed(Value):
    """A value that keeps the attributes that a program gives it."""

    attributes: dict[str, ProgramValue]

    def set_attribute(self, evaluator: Evaluator, name: str, value: object) -> None:
        evaluator.effects.record_attribute_change(self, name)
        self.attributes[name] = value


class Identity(Value):
    """A value that equals itself alone."""

    def equals(self, other: object) -> ProgramValue:
        return self == other if type(self) is type(other) else False


class Unknown(Record, Value):
    """A value that only running the program would tell. `reason` is the first cause, `line` where it stands, `name` the
    name that `--set` can give a value to; "" where there is none. `file` is another file than the source."""

    reason: str
    line: int = 0
    name: str = ""
    file: str = ""
    column: int = 0
    lacks: Literal["", "name", "argument", "shape", "named shape", "sizes"] = ""
    """What is missing, where the reader acts on it: a name that the code does not define, an argument that no call of
    the program gives, the shape of an input, that of a name which must be an input, or a value that is a shape."""
    option: str | None = None
    """The name for `--set`, if it is not `name`; "" where no value helps."""
    example: str = ""
    """A value that `--set` may give, where it is known what the value is used for."""
    cause: str = ""
    """What is missing first, if `reason` says what follows from it."""
    is_result: bool = False
    """Whether it is what a call gives of which nothing is known: it may be a module."""

    def __repr__(self) -> str:
        return "?"  # errors print what a layer is given

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        return evaluator.reshaped_data(args) or self

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        return self

    def iterate(self) -> list[ProgramValue] | Unknown:
        return self

    def length(self) -> ProgramValue:
        return self

    def truth(self) -> bool | None:
        return None

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return self


DTYPES = frozenset(
    """
    float16 float32 float64 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool string complex64
    """.split()  # noqa: SIM905
)
"""The names of the kinds of numbers, in NumPy, TensorFlow and Keras."""


READ_LIBRARIES = frozenset(
    {"keras", "tensorflow", "tf_keras", "torch", "einops", "numpy", "math", "os", "functools", "itertools", "builtins"}
)
"""Libraries whose names are known."""


class Symbol(Record, Identity):
    """A name of a library: `keras.layers.Dense`, `numpy.zeros`."""

    path: str

    @property
    def last(self) -> str:
        """Return the name itself."""
        return self.path.rpartition(".")[2]

    @property
    def may_be_anything(self) -> bool:
        """Return whether its library is not read: `settings.SIZE` may be a function, a class or a number."""
        return "." in self.path and self.path.partition(".")[0] not in READ_LIBRARIES

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name == "__name__" and self.last[:1].isupper():
            return self.last
        return evaluator.framework_of(self.path).symbol_attribute(self, name)

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return evaluator.module_has(self.path, name)

    def is_same(self, other: object) -> bool:
        return isinstance(other, Symbol) and self.path == other.path

    def equals(self, other: object) -> ProgramValue:
        if self.last in DTYPES and self.last == other:  # a dtype equals its name, a text that names it may not
            return Unknown(f"whether a dtype is {self.path}")
        return super().equals(other)

    def operand(self, evaluator: Evaluator) -> ProgramValue:
        if not self.may_be_anything:
            return self
        return evaluator.unknown(f"layerexplain does not read {self.path.partition('.')[0]}", self.path)

    def truth(self) -> bool | None:
        return None if self.may_be_anything else True

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return evaluator.call_symbol(self, args, kwargs)


class Alike(Unknown):
    """How many items a loop meets is not known; each is like `item`."""

    item: ProgramValue = None

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        return self.item


class UnknownMember(Unknown):
    """An attribute or a method of a value under a name that is not known."""


class OneOf(Unknown):
    """One of several objects, or some of them: which is not known."""

    among: tuple[Identity, ...] = ()

    def set_attribute(self, evaluator: Evaluator, name: str, value: object) -> None:
        for identity in self.among:
            identity.set_attribute(evaluator, name, self.plain())

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return self.plain()

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        return self.plain()

    def length(self) -> ProgramValue:
        return self.plain()

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return self.plain()

    def plain(self) -> Unknown:
        """Return what is not known, without the objects: what is computed from one of them is none of them."""
        return Unknown(*self._values()[: len(Unknown._fields)])


def one_of(why: Unknown, objects: Iterable[ProgramValue]) -> Unknown:
    """Return some of several values, `why` being why it is not known which; only objects are changed by what happens
    to it."""
    among = tuple([item for item in objects if isinstance(item, Identity)])
    if not among or isinstance(why, OneOf):
        return why
    return OneOf(**{field: getattr(why, field) for field in Unknown._fields}, among=among)


ROUNDS = "3"
"""An example of how often a loop runs."""


class UnknownChange(Unknown):
    """What a method gives that changes its list, dict or set in a way that is not known."""


class Size(Record, Value):
    """A size that is known at run time only, as the batch is: that of an axis of a tensor, where `tensor` is there, or
    `times / per` of it. `batch` is the size of that axis where it depends on the batch."""

    words: str = ""
    tensor: ProgramValue = None
    axis: int = 0
    times: int = 1
    per: int = 1
    batch: Batch | None = None

    @property
    def is_axis(self) -> bool:
        """Whether it is the size of an axis as it is."""
        return self.tensor is not None and self.times == self.per

    def truth(self) -> bool | None:
        return None


def unknown_key(evaluator: Evaluator, key: object) -> Unknown | None:
    """Return why a key is not known; None for one that is."""
    if isinstance(key, Unknown):
        return key
    if isinstance(key, slice) and not all(isinstance(item, int | None) for item in (key.start, key.stop, key.step)):
        return evaluator.unknown("a slice to an unknown size")
    return None


def item_of_list(value: ProgramValue) -> ProgramValue:
    """Return an item of a list as a loop gives it: a name that is not defined is one size, whatever the loop calls it,
    also in a tuple that the loop takes apart. Tuples inside of that one may share parts: they stay as they are.

    >>> item_of_list((Unknown("", name="U", lacks="name"), 3))[0].option
    'U'
    """
    if type(value) is tuple and len(value) < 9 and any(isinstance(part, Unknown) for part in value):
        return tuple([part if type(part) is tuple else item_of_list(part) for part in value])
    if isinstance(value, Unknown) and value.lacks == "name" and value.option is None:
        return value._replace(option=value.name)
    return value


def unknown_at(place: Place, reason: str, *, lacks: Literal["", "shape"] = "") -> Unknown:
    """Return a value that is unknown because of the code at a place."""
    return Unknown(reason, place.line, "", place.file, lacks=lacks)


class ProgramError(Exception):
    """What the program itself raises: the name of the class, its text, and where. `certain` says that no data has a
    part in it: a call that does not fit its function; `is_stated` that the program says `raise`."""

    def __init__(
        self, kind: str, text: str = "", place: Place | None = None, *, certain: bool = False, is_stated: bool = False
    ) -> None:
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind = kind
        self.text = text
        self.place = place
        self.certain = certain
        self.is_stated = is_stated


class UnknownValue(Exception):
    """A function is given what is not known: its result is the same unknown `value`."""

    def __init__(self, value: Unknown) -> None:
        super().__init__(value.reason)
        self.value = value


def unknown_value(given: Iterable[ProgramValue], words: str) -> UnknownValue:
    """Return the error of a function that cannot be computed: the first unknown value that it is given, else
    `words`."""
    return UnknownValue(next((item for item in given if isinstance(item, Unknown)), Unknown(words)))
