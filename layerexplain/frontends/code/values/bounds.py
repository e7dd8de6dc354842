"""How much of a program is read: steps, depth, and the size of every result before it is computed."""

from __future__ import annotations

from typing import Any

from layerexplain.stopping import ask

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

    def look(self, size: int) -> None:
        """Count items that are gone through. Raises Exhausted where there were too many."""
        self.looks -= size
        if self.looks < 0:
            raise Exhausted(f"goes through more than {MOST_LOOKS:,} values")

    def look_at(self, *values: object) -> None:
        """Count the items of values, with those inside them and the numbers of arrays, before they are gone through.
        Raises Exhausted where there were too many."""
        for one in values:
            self.look(weight(one, numbers=True))

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
        for one in level:
            if isinstance(one, str | bytes):
                count += len(one) // 4 + 1
            elif isinstance(one, list | tuple | set | frozenset):
                count += 1 + len(one)
                inner += one if len(one) <= most else ()
            elif isinstance(one, dict):
                count += 1 + 2 * len(one)
                if len(one) <= most:
                    inner += one.keys()
                    inner += one.values()
            elif isinstance(one, range):
                count += len(one[: most + 1])
            elif type(one) is int:
                count += one.bit_length() // 64
            elif numbers and (numbers_of := getattr(one, "numbers", None)) is not None:
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
