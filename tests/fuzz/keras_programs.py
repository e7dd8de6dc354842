"""A number → a Keras program as people write them, which Keras runs: functional, Sequential or of classes, with what Python
has for it: loops, helper functions, dataclasses, named tuples, context managers, own layers, clones, frozen parts."""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.keras_steps import SIZES, Draw, Shape, Step, layer, step

HEADERS: list[tuple[str, Callable[[str], str]]] = [
    ("import keras\nfrom keras import layers, ops", lambda name: name if name == "ops" else f"layers.{name}"),
    ("import keras", lambda name: "keras.ops" if name == "ops" else f"keras.layers.{name}"),
    ("import keras\nfrom keras import ops\nfrom keras.layers import *", lambda name: name),
    ("import keras\nfrom keras import ops\nfrom keras.layers import *\nfrom keras.regularizers import *\n"
     "from keras.optimizers import *", lambda name: name),
    ("import keras\nfrom keras import ops, layers as L", lambda name: name if name == "ops" else f"L.{name}"),
    ("import tensorflow as tf\nfrom tensorflow import keras",
     lambda name: "keras.ops" if name == "ops" else f"tf.keras.layers.{name}"),
]  # fmt: skip
INPUTS: list[Shape] = [(5,), (7,), (11,), (5, 3), (7, 2), (6, 5, 3), (7, 8, 2)]


class Program:
    """A program that is drawn line by line. `tensor` is the name that stands for the last tensor, of a `shape`."""

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

    # Numbers ----------------------------------------------------------------------------------------------------

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

    # Tensors ----------------------------------------------------------------------------------------------------

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

    def go_on(self) -> None:
        """Write a few steps in one of the forms that programs have."""
        self.draw.choice([
            self._plain, self._plain, self._loop, self._function, self._branches, self._nested, self._twice, self._own_layer,
            self._own_layer, self._context, self._list_of_layers, self._own_model, self._generator, self._builder, self._case,
            self._recursive, self._clone, self._cut,
        ])()  # fmt: skip

    def _plain(self) -> None:
        for _ in range(self.draw.randint(1, 3)):
            self.apply(self.one())

    def _loop(self) -> None:
        """Layers that keep the number of axes, in a loop."""
        draw, sizes = self.draw, [self.draw.choice(SIZES) for _ in range(self.draw.randint(1, 3))]
        shown = f"[{', '.join(map(self.sized, sizes))}]"
        dense, start = self.name("Dense"), self.tensor
        head, size, label = draw.choice([
            (f"for n in {shown}:", "n", ""),
            (f"for i, n in enumerate({shown}):", "n", f", name=f'{self.fresh('loop')}_{{i}}'"),
            (f"for i in range({len(sizes)}):", f"{shown}[i]", ""),
            (f"for n, act in zip({shown}, {['relu', 'tanh', 'elu'][:len(sizes)]}):", "n", ", activation=act"),
            (f"left = {shown}\nwhile left:", "left.pop(0)", ""),
            (f"for n in reversed({shown}[::-1]):", "n", ", use_bias=n % 2 == 0"),
            (f"for key, n in dict(zip('abc', {shown})).items():", "n", f", name='{self.fresh('key')}_' + key"),
        ])  # fmt: skip
        self.write(f"x = {start}\n{head}")
        self.write(f"x = {dense}({size}{label})(x)", 1)
        self.tensor, self.shape = "x", (*self.shape[:-1], sizes[-1])
        if draw.random() < 0.5:
            kind = draw.choice(["BatchNormalization()", "Activation('relu')", "Dropout(0.1)"])
            condition = draw.choice(["", "if True:", "if len(x.shape) > 1:", "if not x.shape[-1] < 0:"])
            if condition:
                self.write(condition, 1)
            self.write(f"x = {self.name(kind)}(x)", 1 + bool(condition))

    def _function(self) -> None:
        """A helper function that is called twice."""
        draw, name, dense = self.draw, self.fresh("block"), self.name("Dense")
        norm = self.name(draw.choice(["BatchNormalization", "LayerNormalization"]))
        size, rate = draw.choice(SIZES), draw.choice(["0.1", "0.5"])
        self.write(
            f"def {name}(x, units={self.sized(size)}, *, rate={rate}, norm=True, **options):\n"
            f"    skip = x\n    x = {dense}(units, **options)(x)\n    if norm:\n        x = {norm}()(x)\n"
            f"    if rate:\n        x = {self.name('Dropout')}(rate)(x)\n"
            f"    if skip.shape[-1] != units:\n        skip = {dense}(units)(skip)\n"
            f"    return {self.name('add')}([x, skip])"
        )
        other = draw.choice(SIZES)
        self.write(f"x = {name}({self.tensor})")
        call = draw.choice([f"x, {self.sized(other)}, activation='relu'", f"x, rate=None, units={other}",
                            f"units={other}, x=x, norm=False", f"*[x, {other}], **{{'use_bias': False}}"])  # fmt: skip
        self.write(f"x = {name}({call})")
        self.tensor, self.shape = "x", (*self.shape[:-1], other)

    def _branches(self) -> None:
        """Two ways from one tensor, brought together."""
        draw, dense = self.draw, self.name("Dense")
        units = draw.choice(SIZES)
        merge = draw.choice([
            f"{self.name('Concatenate')}()", f"{self.name('Add')}()", f"{self.name('Maximum')}()", f"{self.name('average')}",
        ])  # fmt: skip
        self.write(f"ways = [{dense}({self.sized(units)}, activation=act)({self.tensor}) for act in ('relu', 'tanh')]")
        if draw.random() < 0.3:
            self.write(f"ways.append({dense}({self.sized(units)})({self.tensor}))")
        merged = f"{merge}(ways)"
        self.write(f"x = {merged}")
        if "Concatenate" in merge:
            units = units * (3 if "ways.append" in self.lines[-2] else 2)
        self.tensor, self.shape = "x", (*self.shape[:-1], units)

    def _sequence(self, name: str, states: bool) -> None:
        """Define a Sequential model from the shape that is reached."""
        draw, form = self.draw, self.draw.randrange(4)
        sizes = ", ".join(map(str, self.shape))
        head = [f"keras.Input(({sizes},))"] if states else []
        steps: list[Step] = []
        for _ in range(draw.randint(1, 3)):
            steps.append(self.one(alone=True))
            self.shape = steps[-1].shape
        made = [*head, *[one.made for one in steps]]
        label = f", name={self.fresh('part')!r}" if draw.random() < 0.3 else ""
        if form == 0:
            self.write(f"{name} = keras.Sequential([{', '.join(made)}]{label})")
        elif form == 1:
            self.write(f"{name} = keras.Sequential({label[2:]})")
            for one in made:
                self.write(f"{name}.add({one})")
        elif form == 2:
            self.write(
                f"parts = [{', '.join(made[:-1])}]\nparts.append({made[-1]})\n{name} = keras.Sequential(parts{label})"
            )
        else:
            self.write(f"{name} = keras.models.Sequential()\nfor one in ({', '.join(made)},):\n    {name}.add(one)")
            if draw.random() < 0.3:
                self.write(f"{name}.add({self.name('Dense')}(3))\n{name}.pop()")
        self.models.append(name)

    def _kept(self) -> str:
        """A name for the tensor that is reached, while another model is made."""
        name = self.fresh("kept")
        self.write(f"{name} = {self.tensor}")
        return name

    def _nested(self) -> None:
        """A model inside, which is called once."""
        name, before, tensor = self.fresh("inner"), self.shape, self._kept()
        if self.draw.random() < 0.5:
            self._sequence(name, self.draw.random() < 0.6)
        else:
            first = self.start(before)
            for _ in range(self.draw.randint(1, 2)):
                self.apply(self.one(), into="z")
            self.write(f"{name} = keras.Model({first}, {self.tensor})")
            self.models.append(name)
        self.write(f"x = {name}({tensor})")
        self.tensor = "x"

    def _twice(self) -> None:
        """A layer or a model that is called twice, with the same weights."""
        draw, tensor, name = self.draw, self.tensor, self.fresh("shared")
        if draw.random() < 0.5:
            units = draw.choice(SIZES)
            self.write(f"{name} = {self.name('Dense')}({self.sized(units)})")
            self.shape = (*self.shape[:-1], units)
        else:
            self._sequence(name, draw.random() < 0.6)
        self.write(f"a = {name}({tensor})\nb = {name}({self.name('Activation')}('tanh')({tensor}))")
        self.write(
            draw.choice([f"x = {self.name('Add')}()([a, b])", "x = a + b", f"x = {self.name('subtract')}([a, b])"])
        )
        self.tensor = "x"

    # Classes ----------------------------------------------------------------------------------------------------

    def _own_layer(self) -> None:
        """A layer of the program's own."""
        draw, name, dense = self.draw, self.fresh("Own").replace("_", ""), self.name("Dense")
        units, way = draw.choice(SIZES), draw.randrange(5)
        base = "keras.layers.Layer" if draw.random() < 0.7 else "keras.Layer"
        head = (
            f"class {name}({base}):\n    def __init__(self, units, **options):\n        super().__init__(**options)\n"
        )
        config = "\n    def get_config(self):\n        return {**super().get_config(), 'units': self.units}"
        if way == 0:
            body = (
                f"        self.units = units\n        self.inner = {dense}(units)\n"
                f"        self.norm = {self.name('LayerNormalization')}()\n"
                "    def call(self, x):\n        return self.norm(self.inner(x))"
            )
        elif way == 1:
            body = (
                "        self.units = units\n    def build(self, shape):\n"
                "        self.w = self.add_weight(shape=(shape[-1], self.units), name='w')\n"
                "        self.b = self.add_weight(shape=(self.units,), initializer='zeros', trainable=False)\n"
                f"        super().build(shape)\n    def call(self, x):\n        return {self.name('ops')}.matmul(x, self.w) + self.b"
            )
        elif way == 2:
            body = (
                f"        self.units = units\n        self.parts = [{dense}(units) for _ in range(2)]\n"
                f"        self.by_name = {{'last': {dense}(units, use_bias=False)}}\n"
                "    def call(self, x):\n        for one in self.parts:\n            x = one(x)\n"
                "        return self.by_name['last'](x)"
            )
        elif way == 3:
            body = (
                f"        self.units = units\n        self.seq = keras.Sequential([{dense}(units), {dense}(units)])\n"
                f"        self.rate = {self.name('Dropout')}(0.2)\n"
                "    def call(self, x, training=None):\n        return self.rate(self.seq(x), training=training)"
            )
        else:
            body = (
                f"        self.units = units\n    def build(self, shape):\n        self.inner = {dense}(self.units)\n"
                "        self.inner.build(shape)\n    def call(self, x):\n        y = self.inner(x)\n        return y * 2"
            )
        self.write(head + body + config)
        shape = (*self.shape[:-1], units)
        self.apply(layer(f"{name}({self.sized(units)})", shape))
        if draw.random() < 0.4:
            self.apply(layer(f"{name}(units={self.sized(units)})", shape))

    def _own_model(self) -> None:
        """A model of the program's own, which is called."""
        draw, name, dense = self.draw, self.fresh("Net").replace("_", ""), self.name("Dense")
        units, way = draw.choice(SIZES), draw.randrange(3)
        if way == 0:
            self.write(
                f"class {name}(keras.Model):\n    def __init__(self, units=3):\n        super().__init__()\n"
                f"        self.first = {dense}(units)\n        self.more = [{dense}(units, activation='relu')]\n"
                f"        self.more.append({self.name('BatchNormalization')}())\n"
                "    def call(self, inputs):\n        x = self.first(inputs)\n        for one in self.more:\n"
                "            x = one(x)\n        return x"
            )
        elif way == 1:
            self.write(
                f"class Base{name}(keras.Model):\n    def __init__(self, units, **options):\n"
                "        super().__init__(**options)\n"
                f"        self.first = self.make(units)\n    def make(self, units):\n        return {dense}(units)\n"
                f"    def call(self, inputs):\n        return self.first(inputs)\nclass {name}(Base{name}):\n"
                f"    def make(self, units):\n        return keras.Sequential([{dense}(units + 1), {dense}(units)])"
            )
        else:
            self.write(
                f"class {name}(keras.Model):\n    def __init__(self, units):\n"
                f"        i = keras.Input(({', '.join(map(str, self.shape))},))\n"
                f"        super().__init__(i, {dense}(units)({dense}(units + 1)(i)))"
            )
        kept = self.fresh("net")
        self.write(f"{kept} = {name}({self.sized(units)})\nx = {kept}({self.tensor})")
        self.tensor, self.shape = "x", (*self.shape[:-1], units)
        if draw.random() < 0.3:
            self.write(f"{kept}.first.trainable = False" if way < 2 else f"{kept}.layers[-1].trainable = False")

    # Other forms of Python --------------------------------------------------------------------------------------

    def _context(self) -> None:
        """Layers that are made within a context manager of the program."""
        draw, name, units = self.draw, self.fresh("scope"), self.draw.choice(SIZES)
        if draw.random() < 0.5:
            self.write(
                "from contextlib import contextmanager\n"
                f"{name}_sizes = [{self.sized(units)}]\n@contextmanager\ndef {name}(more):\n"
                f"    {name}_sizes.append(more)\n    try:\n        yield {name}_sizes[-1] + 1\n"
                f"    finally:\n        {name}_sizes.pop()"
            )
        else:
            self.write(
                f"class {name}:\n    def __init__(self, more):\n        self.more = more\n"
                f"    def __enter__(self):\n        {name}_sizes.append(self.more)\n        return self.more + 1\n"
                f"    def __exit__(self, *error):\n        {name}_sizes.pop()\n{name}_sizes = [{self.sized(units)}]"
            )
        other = draw.choice(SIZES)
        self.write(
            f"with {name}({self.sized(other)}) as size:\n"
            f"    x = {self.name('Dense')}(size)({self.tensor})\n    x = {self.name('Dense')}({name}_sizes[-1])(x)\n"
            f"x = {self.name('Dense')}({name}_sizes[-1])(x)"
        )
        self.tensor, self.shape = "x", (*self.shape[:-1], units)

    def _list_of_layers(self) -> None:
        """Layers in a list or a dict, which are called in a loop or folded."""
        draw, made = self.draw, []
        tensor = self.tensor
        for _ in range(draw.randint(1, 3)):
            one = self.one(alone=True)
            made.append(one.made)
            self.shape = one.shape
        way = draw.randrange(3)
        if way == 0:
            self.write(f"many = [{', '.join(made)}]\nx = {tensor}\nfor one in many:\n    x = one(x)")
        elif way == 1:
            self.write("from functools import reduce")
            self.write(f"x = reduce(lambda t, one: one(t), ({', '.join(made)},), {tensor})")
        else:
            pairs = ", ".join(f"'k{i}': {one}" for i, one in enumerate(made))
            self.write(f"table = {{{pairs}}}\nx = {tensor}\nfor key in sorted(table):\n    x = table[key](x)")
        self.tensor = "x"

    def _generator(self) -> None:
        """Sizes that a generator gives."""
        name, units = self.fresh("sizes"), self.draw.choice(SIZES)
        self.write(
            f"def {name}(n):\n    while n < 40:\n        yield n\n        n = n * 3\n"
            f"x = {self.tensor}\nfor n in {name}({self.sized(units)}):\n    x = {self.name('Dense')}(n)(x)"
        )
        while units * 3 < 40:
            units *= 3
        self.tensor, self.shape = "x", (*self.shape[:-1], units)

    def _builder(self) -> None:
        """An object that makes layers, and counts them."""
        name, units = self.fresh("Builder").replace("_", ""), self.draw.choice(SIZES)
        stem = self.fresh("built")
        self.write(
            f"class {name}:\n    made = 0\n    def __init__(self, x):\n        self.x, self.kinds = x, {{}}\n"
            f"    def dense(self, n, **options):\n        {name}.made += 1\n"
            f"        self.x = {self.name('Dense')}(n, name='{stem}_%d' % {name}.made, **options)(self.x)\n"
            "        self.kinds.setdefault('dense', []).append(n)\n        return self\n"
            f"    def __call__(self, rate=0.1):\n        self.x = {self.name('Dropout')}(rate)(self.x)\n        return self\n"
            f"x = {name}({self.tensor}).dense({self.sized(units)}).dense({units}, use_bias=False)().x"
        )
        self.tensor, self.shape = "x", (*self.shape[:-1], units)

    def _case(self) -> None:
        """A layer that is chosen by a word."""
        draw, name, units = self.draw, self.fresh("chosen"), self.draw.choice(SIZES)
        words = draw.choice([("dense", "drop"), ("drop", "norm"), ("norm", "other")])
        dense, drop = self.name("Dense"), self.name("Dropout")
        norm = self.name("LayerNormalization")
        if draw.random() < 0.5:
            self.write(
                f"def {name}(kind, x):\n    match kind:\n        case 'dense':\n            return {dense}({units})(x)\n"
                f"        case 'drop' | 'dropout':\n            return {drop}(0.3)(x)\n"
                f"        case 'norm':\n            return {norm}()(x)\n        case _:\n            return x"
            )
        else:
            self.write(
                f"def {name}(kind, x):\n    makers = {{'dense': lambda: {dense}({units}), 'drop': lambda: {drop}(0.3)}}\n"
                f"    try:\n        return makers[kind]()(x)\n    except KeyError:\n"
                f"        return {norm}()(x) if kind == 'norm' else x"
            )
        self.write(f"x = {name}({words[0]!r}, {self.tensor})\nx = {name}({words[1]!r}, x)")
        self.tensor = "x"
        if "dense" in words:
            self.shape = (*self.shape[:-1], units)

    def _recursive(self) -> None:
        """A function that calls itself, and one that returns another."""
        name, units = self.fresh("deep"), self.draw.choice(SIZES)
        self.write(
            f"def {name}(x, n):\n    if n == 0:\n        return x\n    return {name}({self.name('Dense')}({self.sized(units)})(x), "
            f"n - 1)\ndef make_{name}(k):\n    count = 0\n    def inner(x):\n        nonlocal count\n        count += k\n"
            f"        return {name}(x, count)\n    return inner\nx = make_{name}({self.draw.choice([1, 2])})({self.tensor})"
        )
        self.tensor, self.shape = "x", (*self.shape[:-1], units)

    def _clone(self) -> None:
        """A copy of a model, called beside it."""
        before, tensor, name = self.shape, self._kept(), self.fresh("origin")
        if self.draw.random() < 0.5:
            self._sequence(name, True)
        else:
            first = self.start(before)
            self.go_on() if self.draw.random() < 0.4 else self._plain()
            self.write(f"{name} = keras.Model({first}, {self.tensor}, name={self.fresh('origin')!r})")
        copy = self.fresh("copy")
        self.write(f"{copy} = keras.models.clone_model({name})\n{copy}.name = {copy!r}")
        self.write(f"x = {self.name('Concatenate')}()([{name}({tensor}), {copy}({tensor})])")
        self.models += [name, copy]
        self.tensor, self.shape = "x", (*self.shape[:-1], 2 * self.shape[-1])

    def _cut(self) -> None:
        """A model of a part of another one."""
        before, tensor, name = self.shape, self._kept(), self.fresh("whole")
        first = self.start(before)
        steps = []
        for _ in range(self.draw.randint(1, 2)):
            steps.append(self.one(alone=True))
            self.apply(steps[-1], into="z")
        shape = self.shape
        self.write(f"z = {self.name('Dense')}(3)(z)\n{name} = keras.Model({first}, z)")
        part = self.fresh("part")
        way = self.draw.choice(["layers[-2]", "get_layer(index=-2)", f"layers[{len(steps)}]", "layers[:-1][-1]"])
        self.write(f"{part} = keras.Model({name}.{self.draw.choice(['input', 'inputs'])}, {name}.{way}.output)")
        self.write(f"x = {part}({tensor})")
        self.models += [name, part]
        self.tensor, self.shape = "x", shape

    # The end ----------------------------------------------------------------------------------------------------

    def freeze(self, model: str) -> None:
        """Set what is trained of a model."""
        draw, dense = self.draw, self.name("Dense")
        start, stop = draw.choice(["", "1", "2", "-2"]), draw.choice(["", "3", "-1", "4"])
        for _ in range(draw.choice([0, 1, 1, 2])):
            self.write(draw.choice([
                f"for one in {model}.layers[{start}:{stop}]:\n    one.trainable = False",
                f"for one in {model}.layers:\n    if isinstance(one, {dense}):\n        one.trainable = False",
                f"for i, one in enumerate({model}.layers):\n    one.trainable = i % 2 == 0",
                f"{model}.trainable = False\nfor one in {model}.layers[{start}:]:\n    one.trainable = True",
                f"{model}.get_layer(index={draw.choice([1, -1])}).trainable = False",
                f"{model}.trainable = True",
                f"{model}.get_layer({model}.layers[-1].name).trainable = False",
                f"for one in {model}.layers:\n    if one.name.startswith('dense'):\n        one.trainable = False",
                f"if len({model}.layers) > {draw.choice([3, 4, 5])}:\n    {model}.layers[1].trainable = False",
                f"for one in {model}.layers:\n    if isinstance(one, {dense}) and one.units > 4:\n        one.trainable = False",
                f"[setattr(one, 'trainable', False) for one in {model}.layers if 'norm' in one.name]",
            ]))  # fmt: skip

    def text(self) -> str:
        """The program, whose model is `model`."""
        draw = self.draw
        self.give_numbers()
        way = draw.randrange(8)
        if way == 0:
            self.shape = draw.choice(INPUTS)
            self._sequence("model", True)
        else:
            first = self.start()
            for _ in range(draw.randint(1, 4)):
                self.go_on()
            outputs = self.tensor
            if draw.random() < 0.2:
                self.write(f"other = {self.name('Dense')}(2)({self.tensor})")
                outputs = (
                    draw.choice(["[x, other]", "{'a': x, 'b': other}", "(other, x)"]).replace("x", self.tensor, 1)
                    if self.tensor != "x"
                    else draw.choice(["[x, other]", "{'a': x, 'b': other}", "(other, x)"])
                )
            made = draw.choice(
                ["keras.Model({}, {})", "keras.Model(inputs={}, outputs={})", "keras.models.Model([{}], {})"]
            )
            if way == 1:
                self.write(
                    f"def build(inputs, outputs):\n    return keras.Model(inputs, outputs)\nmodel = build({first}, {outputs})"
                )
            else:
                self.write(f"model = {made.format(first, outputs)}")
        for one in self.models[:2]:
            if draw.random() < 0.3 and one != "model":
                self.freeze(one)
        self.freeze("model")
        if draw.random() < 0.1:
            self.write("model = keras.models.clone_model(model)")
        return "\n".join(self.lines) + "\n"


def keras_program(number: int) -> str:
    """The program of a number."""
    return Program(number).text()
