"""A number → a Keras program as people write them, which Keras runs: functional, Sequential or of classes, with what
Python has for it: loops, helper functions, dataclasses, context managers, custom layers, clones, frozen parts."""

from tests.fuzz.keras_forms import Forms
from tests.fuzz.keras_forms_of_classes import Classes
from tests.fuzz.keras_forms_of_models import Models
from tests.fuzz.keras_steps import SIZES
from tests.fuzz.keras_writer import INPUTS


class Program(Forms, Classes, Models):
    """A whole program."""

    def go_on(self) -> None:
        """Write a few steps in one of the forms that programs have."""
        self.draw.choice([
            self._plain, self._plain, self._loop, self._function, self._branches, self._nested, self._twice, self._own_layer,
            self._own_layer, self._context, self._list_of_layers, self._own_model, self._generator, self._builder, self._case,
            self._recursive, self._clone, self._cut,
            self._counted, self._inner_classes, self._part_by_name, self._pairs,
        ])()  # fmt: skip

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
            shape, states = self.shape, draw.random() < 0.6
            self._sequence("model", states)
            sizes = ", ".join(map(str, shape))
            self.write("" if states else f"model.build((None, {sizes}))")
        elif way == 2:
            self.shape = draw.choice(INPUTS)
            self.write(self._class_model())
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
        if draw.random() < 0.2:
            self.write("model.compile(optimizer='adam', loss='mse')\nmodel.summary()")
        self.freeze("model")
        if draw.random() < 0.1:
            self.write("model = keras.models.clone_model(model)")
        return "\n".join(self.lines) + "\n"

    def _class_model(self) -> str:
        """A class of models, which is the whole; returns the statement that builds it."""
        name, dense = self.fresh("Whole").replace("_", ""), self.name("Dense")
        units = self.draw.choice(SIZES)
        together = self.draw.choice([f"{self.name('ops')}.concatenate", "keras.layers.concatenate"])
        self.write(
            f"class {name}(keras.Model):\n    def __init__(self, classes, **options):\n        super().__init__(**options)\n"
            f"        self.backbone = keras.Sequential([{dense}({self.sized(units)}), {self.name('ReLU')}()])\n"
            f"        self.heads = {{'a': {dense}(classes), 'b': {dense}(classes + 1)}}\n"
            "        self.unused = None\n"
            "    def call(self, inputs, training=False):\n        x = self.backbone(inputs, training=training)\n"
            f"        return {together}([head(x) for head in self.heads.values()], axis=-1)\nmodel = {name}({units})"
        )
        sizes = ", ".join(map(str, self.shape))
        return self.draw.choice([f"model(keras.Input(({sizes},)))", f"model.build((None, {sizes}))"])


def keras_program(number: int) -> str:
    """The program of a number."""
    return Program(number).text()
