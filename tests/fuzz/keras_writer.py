"""A Keras program that is drawn line by line: its imports, the sizes that it keeps, its inputs and single steps."""

from collections.abc import Callable

from tests.fuzz.keras_steps import SIZES, Draw, Shape, Step, step

HEADERS: list[tuple[str, Callable[[str], str]]] = [
    ("import keras\nfrom keras import layers, ops", lambda name: name if name == "ops" else f"layers.{name}"),
    ("import keras", lambda name: "keras.ops" if name == "ops" else f"keras.layers.{name}"),
    ("import keras\nfrom keras import ops\nfrom keras.layers import *", lambda name: name),
    ("import keras\nfrom keras import ops\nfrom keras.layers import *\nfrom keras.regularizers import *\n"
     "from keras.optimizers import *", lambda name: name),
    ("import keras\nfrom keras import ops, layers as L", lambda name: name if name == "ops" else f"L.{name}"),
    ("import tensorflow as tf\nfrom tensorflow import keras", lambda name: "keras.ops" if name == "ops" else f"tf.keras.layers.{name}"),
]  # fmt: skip
INPUTS: list[Shape] = [(5,), (7,), (11,), (5, 3), (7, 2), (6, 5, 3), (7, 8, 2)]


class Writer:
    """A program so far. `tensor` is the name that stands for the last tensor, of a `shape`; `models` are names of models."""

    def __init__(self, number: int) -> None:
        self.draw = Draw(f"keras program {number}")
        header, self.name = self.draw.choice(HEADERS)
        self.lines = [header]
        self.numbers: list[tuple[str, int]] = []
        self.count = 0
        self.shape: Shape = ()
        self.tensor = "x"
        self.models: list[str] = []

    def fresh(self, stem: str) -> str:
        """A name that the program does not have yet."""
        self.count += 1
        return f"{stem}_{self.count}"

    def write(self, text: str, deep: int = 0) -> None:
        """Write lines, indented."""
        self.lines += ["    " * deep + line for line in text.split("\n")]

    def sized(self, number: int) -> str:
        """A number as it is, or an expression of the program that has its value."""
        known = [text for text, value in self.numbers if value == number]
        draw = self.draw
        if known and draw.random() < 0.6:
            return draw.choice(known)
        if draw.random() < 0.6:
            return str(number)
        other = draw.choice(SIZES)
        return draw.choice(
            [
                f"{number - other} + {other}", f"{number * other} // {other}", f"len({'a' * number!r})",
                f"int('{number}')", f"max({number}, {number - other})", f"sum([{other}, {number - other}])",
                f"[{other}, {number}][1]", f"({number} if {other} > 1 else {other})", f"min([{number}, {number + other}])",
                f"dict(a={number}, b={other})['a']", f"(lambda k: k + {number - other})({other})", f"abs(-{number})",
                f"round({number - 0.2})", f"[*range({number + 1})][-1]", f"divmod({number * other}, {other})[0]",
                f"int({number}.7)", f"next(iter([{number}]))", f"int('{other}-{number}'.split('-')[-1])", f"int(f'{{{number}:d}}')",
            ]
        )  # fmt: skip

    def give_numbers(self) -> None:
        """Define where the program keeps some of its sizes."""
        draw = self.draw
        a, b, c = (draw.choice(SIZES) for _ in range(3))
        way = draw.randrange(9)
        if way == 0:
            self.write(f"A, B = {a}, {b}\nC: int = A + {c}")
            self.numbers += [("A", a), ("B", b), ("C", a + c)]
        elif way == 1:
            self.write(
                f"config = {{'a': {a}, 'b': [{b}, {c}], 'c': {{'d': {c}}}}}\nconfig.update(e={b})\nconfig['f'] = {a}"
            )
            self.numbers += [("config['a']", a), ("config['b'][1]", c), ("config['c']['d']", c)]
            self.numbers += [("config.get('e', 1)", b), ("config['f']", a)]
        elif way == 2:
            self.write(
                "from dataclasses import dataclass, field\n@dataclass\nclass Config:\n"
                f"    a: int = {a}\n    b: int = field(default={b})\n    many: list = field(default_factory=lambda: [{c}])\n"
                "    both: int = field(init=False)\n    def __post_init__(self):\n        self.both = self.a + self.b\n"
                "    @property\n    def twice(self):\n        return 2 * self.a\n"
                f"cfg = Config({a + 1}, b={b})"
            )
            self.numbers += [("cfg.a", a + 1), ("cfg.b", b), ("cfg.both", a + 1 + b), ("cfg.many[0]", c)]
            self.numbers += [("cfg.twice", 2 * a + 2), ("Config.a", a)]
        elif way == 3:
            self.write(
                "from collections import namedtuple\nSizes = namedtuple('Sizes', ['a', 'b'])\n"
                f"sizes = Sizes({a}, b={b})\nfirst, second = sizes"
            )
            self.numbers += [("sizes.a", a), ("sizes[1]", b), ("second", b), ("len(sizes)", 2)]
        elif way == 4:
            self.write(
                "from typing import NamedTuple\nclass Sizes(NamedTuple):\n"
                f"    a: int\n    b: int = {b}\nsizes = Sizes({a})"
            )
            self.numbers += [("sizes.a", a), ("sizes.b", b)]
        elif way == 5:
            self.write(
                f"class Settings:\n    a = {a}\n    def __init__(self, **given):\n        self.b = {b}\n"
                "        for key, value in given.items():\n            setattr(self, key, value)\n"
                "    @staticmethod\n    def of(n):\n        return n + 1\n    @classmethod\n    def own(cls):\n"
                f"        return cls.a\nsettings = Settings(c={c})"
            )
            self.numbers += [("settings.a", a), ("settings.b", b), ("settings.c", c), ("Settings.own()", a)]
            self.numbers += [(f"Settings.of({a - 1})", a)]
        elif way == 6:
            self.write(f"import enum\nclass Size(enum.Enum):\n    SMALL = {a}\n    LARGE = {a + b}")
            self.numbers += [("Size.SMALL.value", a), ("Size.LARGE.value", a + b)]
        elif way == 7:
            self.write(
                f"import functools\ndef scaled(n, factor=1, *more, **options):\n    return n * factor + sum(more)\n"
                f"twice = functools.partial(scaled, factor=2)\nwide = functools.reduce(lambda s, n: s + n, [{a}, {b}, {c}])"
            )
            self.numbers += [(f"scaled({a})", a), (f"twice({b})", 2 * b), (f"scaled({a}, 2, {b})", 2 * a + b)]
            self.numbers += [("wide", a + b + c)]

    def start(self, shape: Shape | None = None) -> str:
        """An input; returns its name."""
        self.shape = shape or self.draw.choice(INPUTS)
        name = self.fresh("inputs")
        sizes = ", ".join(map(self.sized, self.shape))
        form = self.draw.choice(
            [f"keras.Input(({sizes},))", f"keras.Input(shape=({sizes},))", f"keras.Input([{sizes}])"]
        )
        self.write(f"{name} = {form}" if shape or self.draw.random() < 0.5 else f"x = {name} = {form}")
        self.tensor = name
        return name

    def one(self, alone: bool = False) -> Step:
        """A step from the shape that the program has reached."""
        return step(self.draw, self.shape, self.sized, self.name, alone)

    def apply(self, one: Step, deep: int = 0, into: str = "x") -> None:
        """Write a step."""
        draw = self.draw
        called = one.called
        if one.made and draw.random() < 0.15:
            kept = self.fresh("layer")
            self.write(f"{kept} = {one.made}", deep)
            called = f"{kept}({{x}})"
        elif one.made and one.made.endswith(")") and draw.random() < 0.15:
            made = one.made[:-1] + ("" if one.made.endswith("()") else ", ")
            called = f"{made}name={self.fresh('named')!r})({{x}})"
        self.write(f"{into} = " + called.replace("{x}", self.tensor), deep)
        self.tensor, self.shape = into, one.shape
