"""The forms in which people write layers in a program: loops, functions, lists, generators, words that choose."""

from tests.fuzz.keras_steps import SIZES
from tests.fuzz.keras_writer import Writer


class Forms(Writer):
    """Each method writes a few steps from the tensor that is reached."""

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

    def _pairs(self) -> None:
        """A function that gives several tensors, unpacked with a star; a table of settings by name."""
        name, units = self.fresh("pair"), self.draw.choice(SIZES)
        dense = self.name("Dense")
        self.write(
            f"options = {{'activation': 'relu', **{{'units': {self.sized(units)}}}}}\n"
            f"def {name}(x, *sizes, last=None):\n    made = [{dense}(n)(x) for n in sizes if n > 0]\n"
            f"    made += [{dense}(**options)(x)] if last is None else []\n    return tuple(made)\n"
            f"first, *others = {name}({self.tensor}, 0, {units}, {self.sized(units)})\n"
            f"x = first\nfor one in others:\n    x = x + one\n_, x = ({self.name('Dropout')}(0.1)(x), x)"
        )
        self.tensor, self.shape = "x", (*self.shape[:-1], units)
