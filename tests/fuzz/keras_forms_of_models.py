"""Models inside a program: nested, shared, cloned, cut."""

from tests.fuzz.keras_steps import SIZES, Step
from tests.fuzz.keras_writer import Writer


class Models(Writer):
    """Each method writes a model and its call."""

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

    def _clone(self) -> None:
        """A copy of a model, called beside it."""
        before, tensor, name = self.shape, self._kept(), self.fresh("origin")
        if self.draw.random() < 0.5:
            self._sequence(name, True)
        else:
            first = self.start(before)
            self.apply(self.one())
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

    def _part_by_name(self) -> None:
        """A model up to a layer that is found by its name."""
        before, tensor, name = self.shape, self._kept(), self.fresh("long")
        first = self.start(before)
        units, label = self.draw.choice(SIZES), self.fresh("middle")
        self.write(
            f"z = {first} * 2\nz = {self.name('Dense')}({self.sized(units)}, name={label!r})(z)\n"
            f"z = {self.name('ops')}.relu(z)\nz = {self.name('Dense')}(2)(z)\n{name} = keras.Model({first}, z)\n"
            f"found = [one for one in {name}.layers if one.name == {label!r}][0]\n"
            f"x = keras.Model({name}.inputs, {name}.get_layer({label!r}).output)({tensor})\n"
            f"x = {self.name('Dense')}(found.units + {name}.layers.index(found))(x)\nx = {self.name('Dense')}({units})(x)"
        )
        self.models.append(name)
        self.tensor, self.shape = "x", (*self.shape[:-1], units)

    def _counted(self) -> None:
        """Sizes that follow from models and tensors of before."""
        known = self.models[-1] if self.models else ""
        size = self.draw.choice([f"len({known}.layers)" if known else "3", f"{self.tensor}.shape[-1]",
                                 f"len({self.tensor}.shape)", f"{self.tensor}.shape[-1] * 2 - 1"])  # fmt: skip
        self.write(f"count = {size}\nx = {self.name('Dense')}(count)({self.tensor})\nx = {self.name('Dense')}(5)(x)")
        self.tensor, self.shape = "x", (*self.shape[:-1], 5)
