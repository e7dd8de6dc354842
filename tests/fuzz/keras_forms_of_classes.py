"""Classes of a program: custom layers and models, context managers, builders."""

from tests.fuzz.keras_steps import SIZES, layer
from tests.fuzz.keras_writer import Writer


class Classes(Writer):
    """Each method writes a class and steps with it."""

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

    def _inner_classes(self) -> None:
        """A custom layer that holds custom layers, and a mixin that gives them a size."""
        name, units = self.fresh("Outer").replace("_", ""), self.draw.choice(SIZES)
        dense, norm = self.name("Dense"), self.name("BatchNormalization")
        self.write(
            f"class Sized{name}:\n    width = {self.sized(units)}\n"
            f"class Inner{name}(Sized{name}, keras.layers.Layer):\n    def __init__(self):\n        super().__init__()\n"
            f"        self.dense = {dense}(self.width, use_bias=False)\n        self.norm = {norm}()\n"
            "    def call(self, x, training=False):\n        return self.norm(self.dense(x), training=training)\n"
            f"class {name}(keras.layers.Layer):\n    def __init__(self, times=2, **kw):\n        super().__init__(**kw)\n"
            f"        self.blocks = [Inner{name}() for _ in range(times)]\n        self.last = {dense}({units})\n"
            "    def call(self, x):\n        for block in self.blocks:\n            x = block(x)\n        return self.last(x) + x"
        )
        self.apply(layer(f"{name}(times={self.draw.choice([1, 2, 3])})", (*self.shape[:-1], units)))

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
