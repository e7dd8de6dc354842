"""What layers take: kinds of arguments, each with what it accepts and the one form in which that is kept.

A declaration annotates its keyword arguments with kinds (`units: PositiveInt`); a wrong value is refused with the
layer's type, the argument and what would be right.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from operator import pos
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ArgumentError
from layerexplain.ops.sizes import INTS
from layerexplain.records import NamedTuple


class RefusedValue(Exception):
    """A value that a check does not accept."""


class NotSaid(str):
    """In place of an argument that a program gives, and whose value its code does not say."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


NOT_SAID = NotSaid("?")


class Check(NamedTuple):
    """A kind of argument: `words` say what is accepted, `example` is one, `normal` gives the one normal form.

    `tries` are a few values that show what such an argument does beside the value that it has, or a function of that;
    those come first that show most, and none where one looks like another. `plain` says that normal forms are words,
    truth values, numbers of one kind or tuples of these: equal ones are the same, so that they serve as keys as they
    are. `of_layers` says that they are layers. `optional` says that None is accepted too, as in `PositiveInt | None`.
    """

    words: str
    example: str
    normal: Callable[[Any], Any]
    tries: Any = ()
    plain: bool = True
    of_layers: bool = False
    optional: bool = False

    @property
    def example_value(self) -> Any:
        """The example as a value; `true` stands for itself on the command line, as a layer does."""
        try:
            return True if self.example == "true" else ast.literal_eval(self.example)
        except (ValueError, SyntaxError):
            return self.example

    def __or__(self, none: None) -> Check:
        return self._replace(optional=True)

    @property
    def takes_none(self) -> bool:
        """Whether None is a value of its own, as where it keeps the size of an axis."""
        try:
            return type(self.normal(None)) is not bool
        except RefusedValue:
            return False

    def takes(self, value: Any) -> bool:
        """Return whether it accepts a value, as `padding` of PyTorch takes 'same' beside numbers."""
        try:
            self.normal(value)
        except RefusedValue:
            return False
        return True

    def takes_sizes(self, value: Any = 2) -> bool:
        """Return whether an argument of this value is a size: it is tried with whole numbers, and takes none below
        0."""
        tries = self.tried(value)
        return bool(tries) and all([is_int(item) for item in tries]) and not self.takes(-1)

    def tried(self, value: Any) -> tuple[Any, ...]:
        """Return what to try in place of a value."""
        return self.tries(value) if callable(self.tries) else self.tries  # type: ignore[no-any-return]


if TYPE_CHECKING:
    from typing import Annotated as Annotated
else:

    class Annotated:
        """What `typing` calls so, for kinds of arguments: `Annotated[int, check]` is the check. Type checkers see
        `typing.Annotated` itself, which took a hundredth of the time of a `summary`."""

        def __class_getitem__(cls, kind):
            return kind[1]


_INT = frozenset({int})
_MOST_KNOWN = 1000
"""Limit of remembered values per argument, so that a file cannot fill the memory."""


class Argument:
    """An argument of a declaration: its check, its default, and whether None is a value of it.

    `known` are the normal forms of values that came up before, by kind of value: 'same', true and (3, 3) stand in
    a file again and again, and each is checked once.
    """

    __slots__ = ("_known_sizes", "check", "default", "known", "optional")

    REQUIRED = object()

    def __init__(self, check: Check, default: Any, optional: bool = False) -> None:
        self.check = check
        self.default = default
        self.optional = optional or default is None
        self.known: dict[type, dict[Any, Any]] = {str: {}, int: {}, bool: {}}
        self._known_sizes: dict[Any, Any] = {}

    def normal(self, type_: str, name: str, value: Any) -> Any:
        """Return the value in its normal form; raises `ArgumentError` with what would be right."""
        if value is None and self.optional:
            return None
        if type(value) is NotSaid:
            raise ArgumentError(f"{type_} needs a known {name}, got {name}={value}: the code does not say its value")
        known = self.known.get(type(value))
        if type(value) is tuple and len(value) <= 3 and _INT.issuperset(map(type, value)):
            known = self._known_sizes
        if known is not None and value in known:
            return known[value]
        try:
            normal = self.check.normal(value)
            if known is not None and len(known) < _MOST_KNOWN:
                known[value] = normal
            return normal
        except RefusedValue as refused:
            more = f" ({refused})" if str(refused) else ""
            raise ArgumentError(
                f"{type_} needs {name} to be {self.check.words}, got {name}={short(value)}{more}; "
                f"for example {name}={self.check.example}"
            ) from None


def argument_of(annotation: Any, default: Any) -> Argument:
    """Return the argument that an annotation such as `PositiveInt` or `PositiveInt | None` describes."""
    if not isinstance(annotation, Check):
        raise TypeError(f"argument annotation {annotation!r} is no kind of argument")
    return Argument(annotation, default, annotation.optional)


def short(value: Any) -> str:
    """Return a value in an error message, not too long."""
    text = repr(value)
    if hasattr(value, "type") and hasattr(value, "config"):  # a layer in the place of a number
        text = f"{value.type}(…)"
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_int(value: Any) -> bool:
    """Return whether a value is an integer, not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether a value serves as a number; true is 1, as in Python."""
    return isinstance(value, int | float)


def _that(accepts: Callable[[Any], Any], normal: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a check that refuses what is not accepted."""

    def checked(value: Any) -> Any:
        if not accepts(value):
            raise RefusedValue
        return normal(value)

    return checked


def _is_list(value: Any, accepts: Callable[[Any], Any]) -> bool:
    return isinstance(value, list | tuple) and all(map(accepts, value))


def _as_it_is(value: Any) -> Any:
    return value


def _from(least: float) -> Callable[[Any], bool]:
    # True is 1 in Python, and so for Keras.
    return lambda value: isinstance(value, int) and value >= least


def _one_or_list(
    accepts: Callable[[Any], Any], normal: Callable[[Any], Any], *, empty: bool = False
) -> Callable[[Any], Any]:
    """One value that is accepted, or a list of them, which becomes a tuple."""
    return _that(
        lambda value: accepts(value) or (_is_list(value, accepts) and (empty or value)),
        lambda value: tuple(map(normal, value)) if isinstance(value, list | tuple) else normal(value),
    )


def _or(default: Any, normal: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a kind of argument for which None stands for a default."""
    return lambda value: default if value is None else normal(value)


_number = _that(is_number, float)


_FALSE = frozenset({"false", "no", "off", "f", "n", "0", "none", "null"})


def _truth(value: Any) -> bool:
    """Whether Keras takes a value for true: as Python does, unchecked. The text `false` is true for it, which nobody
    means."""
    if isinstance(value, str) and value.strip().lower() in _FALSE:
        raise RefusedValue("Keras takes any text for true, also this one")
    return bool(value)


def _numbers(value: Any) -> Any:
    """Return a number as a float, a list of them as a tuple."""
    if isinstance(value, list | tuple) and value:
        return tuple(_numbers(v) for v in value)
    return _number(value)


def _shape(value: Any) -> Any:
    sizes = (value,) if is_int(value) else value
    return _that(lambda given: _is_list(given, lambda size: size is None or is_int(size)), tuple)(sizes)


def _one_of(*choices: str) -> Callable[[Any], str]:
    def normal(value: Any) -> str:
        folded = value.lower() if isinstance(value, str) else value
        if folded not in choices:
            from layerexplain.errors import did_you_mean

            raise RefusedValue(did_you_mean(str(value), choices))
        return str(folded)

    return normal


def _activation(value: Any) -> Any:
    """Return a name, None (linear), or what a reader made of a function or layer object."""
    if value is None:
        return "linear"
    if isinstance(value, str):
        from layerexplain.layers.keras.activations import NAMES

        if value not in NAMES:
            from layerexplain.errors import did_you_mean

            raise RefusedValue(did_you_mean(value, sorted(NAMES)))
    elif not (hasattr(value, "name") and not isinstance(value, type)):
        raise RefusedValue  # what readers make of a function or a layer has a name
    return value


_amount = _one_or_list(_from(0), pos)


def _is_amount(value: Any) -> bool:
    return _from(0)(value) or (_is_list(value, _from(0)) and len(value) == 2)


def _is_layer(value: Any) -> bool:
    return hasattr(value, "definition") or (hasattr(value, "type") and hasattr(value, "config"))


_layer = _that(_is_layer, _as_it_is)
_layers = _that(lambda value: value and _is_list(value, _is_layer), tuple)


def _cell(value: Any) -> Any:
    # A reader's Layer is a tuple too.
    return _layers(value) if isinstance(value, list | tuple) and not hasattr(value, "type") else _layer(value)


def _half_and_double(value: Any) -> tuple[int, ...]:
    return () if value is None else (2 * value, max(value // 2, 1))


def _small(value: Any) -> tuple[int, ...]:
    """Small sizes: the next larger one, then smaller ones, then the others."""
    now = max(value) if isinstance(value, tuple) else value or 1
    larger = [size for size in _SMALL if size > now]
    return (*larger[:1], *[size for size in _SMALL if size < now], *larger[1:], *([now] if value != now else []))


_SMALL = (1, 2, 3, 5)


def _other_numbers(value: Any) -> tuple[float, ...]:
    """Half and double of a number, two others for 0, and none for what is no number."""
    if not isinstance(value, int | float):
        return ()
    return (value / 2, 2 * value) if value else (0.1, 0.5)


def _other_shares(value: Any) -> tuple[float, ...]:
    """Shares that are half and double of one, or of what is left of one above a half."""
    if not isinstance(value, int | float):
        return ()
    if not 0 < value < 1:
        return (0.1, 0.5)
    rest = min(value, 1 - value)
    results = [round(item, 6) for item in (rest / 2, 2 * rest)]
    return tuple(results if value <= 0.5 else [round(1 - item, 6) for item in results])


def choice(*choices: str, example: str = "") -> Any:
    """Return a kind of argument that takes one of a few words."""
    listed = ", ".join(repr(c) for c in choices[:-1])
    words = f"{listed} or {choices[-1]!r}" if listed else repr(choices[0])
    return Annotated[str, Check(words, repr(example or choices[0]), _one_of(*choices), choices)]


# Unlike int, `pos` leaves a size that is open (lang/open_sizes.py) what it is.
PositiveInt = Annotated[int, Check("an integer ≥ 1", "16", _that(_from(1), pos), _half_and_double)]
Int = Annotated[int, Check("an integer", "1", _that(_from(-(2**63)), pos))]
NaturalInt = Annotated[int, Check("an integer ≥ 0", "0", _that(_from(0), pos), (0, 1, 2))]
Number = Annotated[float, Check("a number", "0.5", _number, _other_numbers)]
Numeral = Annotated[
    float, Check("a number", "0.5", _that(is_number, lambda value: int(value) if isinstance(value, bool) else value))
]
Epsilon = Annotated[float, Check("a number, or None for 1e-07", "0.001", _or(1e-7, _number), _other_numbers)]
Strength = Annotated[float, Check("a number, or None for 0", "0.01", _or(0.0, _number), _other_numbers)]
NonNegative = Annotated[
    float, Check("a number ≥ 0", "0.1", _that(lambda value: is_number(value) and not value < 0, float), _other_numbers)
]
Numbers = Annotated[Any, Check("a number, or a list of numbers", "0.5", _numbers)]
PER_AXIS = "one per axis"
"""What the words of a kind of argument say that takes one number for all axes, or one for each."""
SHARE_WORDS = "a number from 0 to 1"
Share = Annotated[
    float, Check(SHARE_WORDS, "0.5", _that(lambda value: is_number(value) and 0 <= value <= 1, float), _other_shares)
]
Bool = Annotated[bool, Check("true or false", "true", _truth, (False, True))]
Sizes = Annotated[Any, Check("an integer ≥ 1, or one per axis", "3", _one_or_list(_from(1), pos), _small)]
Naturals = Annotated[Any, Check("an integer ≥ 0, or one per axis", "1", _one_or_list(_from(0), pos), (0, 1, 2))]
AxisArgument = Annotated[
    Any, Check("an axis, or a list of axes", "-1", _one_or_list(_from(float("-inf")), pos, empty=True), (-1, 1, 2))
]
ShapeArgument = Annotated[Any, Check("a shape: integers, None for unknown sizes", "[28, 28]", _shape)]
Padding = choice("valid", "same", example="same")
CausalPadding = choice("valid", "same", "causal", example="same")
METHODS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area", "gaussian", "mitchellcubic")
"""Ways to resize an image; the last two exist only in Keras 2."""
Interpolation = choice(*METHODS)
_FORMATS = ("channels_last", "channels_first")
# None is Keras's own setting, which is channels_last unless someone changed it.
DataFormat = Annotated[
    str, Check("'channels_last' or 'channels_first'", "'channels_last'", _or(_FORMATS[0], _one_of(*_FORMATS)))
]
Activation = Annotated[
    Any,
    Check(
        "the name of a Keras activation",
        "'relu'",
        _activation,
        ("relu", "softmax", "tanh", "sigmoid", "linear"),
        plain=False,
    ),
]
_NO_SIZES: tuple[Any, ...] = (Number, Numeral, Epsilon, Strength, NonNegative, Share, Activation)
WITHOUT_SIZES = frozenset([item.words for item in _NO_SIZES])
"""The words of kinds of arguments on which no shape depends."""
PaddingAmounts = Annotated[
    Any,
    Check(
        "an integer ≥ 0, one per axis, or a pair (before, after) per axis",
        "1",
        _one_or_list(_is_amount, _amount),
        (1, 2, 0),
    ),
]
_MODES = ("concat", "sum", "mul", "ave")
MergeMode = Annotated[
    str | None, Check("'concat', 'sum', 'mul', 'ave' or None", "'concat'", _or(None, _one_of(*_MODES)), (*_MODES, None))
]
BatchFirst = Annotated[
    bool,
    Check(
        "false (Keras 3 expects the batch first; transpose the input)",
        "false",
        _that(lambda value: value in (False, None), bool),
    ),
]
Text = Annotated[str, Check("a string", "'...'", _that(lambda value: isinstance(value, str), _as_it_is))]
Anything = Annotated[Any, Check("any value", "1", _as_it_is, plain=False)]
AnyFunction = Annotated[Any, Check("a function, which is not executed", "my_function", _as_it_is, plain=False)]
WholeDtype = Annotated[str, Check("any value", "1", lambda value: value if value in INTS else "", plain=False)]
Dtype = Annotated[str, Check("any value", "1", str, plain=False)]
Truth = Annotated[bool, Check("any value", "1", bool, plain=False)]
Inner = Annotated[Any, Check("a layer", "{Dense: 10}", _layer, plain=False, of_layers=True)]
Inners = Annotated[Any, Check("a list of layers", "[{Dense: 10}]", _layers, plain=False, of_layers=True)]
Cell = Annotated[Any, Check("a cell, or a list of cells", "{LSTMCell: 10}", _cell, plain=False, of_layers=True)]


GIVEN = ("mask", "masks", "training", "keras_2")
"""Keywords that a formula asks for and that no one configures: the caller supplies them."""


def per_axis(name: str, value: Any, rank: int) -> tuple[int, ...]:
    """One value for each spatial axis."""
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        wanted = "one integer" if rank == 1 else f"one integer or {rank}"
        raise ArgumentError(f"{name} needs {wanted}, got {name}={short(value)}")
    return tuple(value)
