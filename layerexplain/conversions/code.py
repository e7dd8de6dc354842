"""A model as Keras 3 code, as a person would write it: running it gives the same configuration.

A Sequential stays one; of any other model the calls are statements, blocks that repeat exactly are functions, and runs
of them loops.
"""

from __future__ import annotations

from typing import Any

from layerexplain.conversions.code_body import FunctionalBody
from layerexplain.conversions.python_text import (
    WIDTH,
    CodeText,
    Identifiers,
    call_code,
    keyword_code,
    layer_code,
    text_code,
    value_code,
)
from layerexplain.conversions.today import OLD_HARD_SIGMOID, OneObject, in_todays_words, inner_model
from layerexplain.errors import SpecError
from layerexplain.frontends.model_builder import automatic
from layerexplain.layers.declaration import snake_case
from layerexplain.layers.registry import facts_of
from layerexplain.model import Layer, Model
from layerexplain.report.objective import todays_training


def to_code(model: Model) -> str:
    """Return Python code that builds a model with Keras 3; its variable `model` is the model.

    Raises:
        LayerExplainError: for what today's Keras does not have.

    >>> from layerexplain.frontends import read
    >>> print(to_code(read(b"name: net\\ninput: [4]\\nlayers: [{Dense: 8}, {Dense: 2}]\\n")), end="")
    import keras
    from keras import layers
    <BLANKLINE>
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8),
            layers.Dense(2),
        ],
        name="net",
    )
    """
    today = in_todays_words(model)
    module = CodeModule(today)
    body = module.model(today, "model", 0)
    body += _compiled(today)
    functions = "".join(f"\n\n{function}\n" for function in module.functions)
    text = functions + ("\n\n" if functions else "\n") + "\n".join(body) + "\n"
    imports = ["import keras"]
    used = [name for name in ("layers", "ops") if f"{name}." in text.replace("keras.", "")]
    imports += [f"from keras import {', '.join(used)}"] if used else []
    imports += [f"from keras.src.applications import {home}" for home in sorted(module.homes)]
    return "\n".join(imports) + "\n" + text


def _kept_names(model: Model) -> set[str]:
    """Return the automatic names that must be written, as others are chosen by them."""
    training = model.training
    named = {*training.losses, *training.loss_weights, *training.metrics} if training is not None else set()
    given: set[str] = set()
    types: set[str] = set()
    waiting = [model]
    while waiting:
        for layer in waiting.pop().layers:
            waiting += [layer.model] if layer.model is not None else []
            types.add(snake_case(layer.type))
            given |= {layer.name} if not automatic(layer) else set()
    # A name that another type would get by itself: then no name is left to chance.
    if any(name.rstrip("0123456789").rstrip("_") in types for name in given):
        return {"*"}
    return named


class CodeModule:
    """The functions of a module, the layers that several places in it share, and the names that must be kept."""

    def __init__(self, today: Model) -> None:
        self.kept = _kept_names(today)
        self.objects = OneObject(today)
        self.functions: list[str] = []
        self.names = Identifiers()
        """Those of functions and shared layers."""
        self.local_names: set[str] = set()
        """Those of all variables, which a function must not have: one would hide the other."""
        self.variables = {first: self.names.take(name) for first, name in self.objects.names.items()}
        self.homes: set[str] = set()
        self._defined: set[str] = set()
        self._nested: dict[int, str] = {}

    def variables_of_body(self) -> Identifiers:
        """Return names for the variables of a function, or of the model itself."""
        return Identifiers(self.names.taken, self.local_names)

    def function_name(self, wish: str) -> str:
        """Return a name for a function."""
        while (name := self.names.take(wish)) in self.local_names:
            pass
        return name

    def object(self, layer: Layer, name: str | None, indent: int) -> str:
        """Return an expression for a layer or a nested model: the variable of one that stands in several places, else
        what makes it. `name` is the code of its name, None for one that Keras gives."""
        first = self.objects.first_place(layer)
        if first is None:
            return self._new(layer, name, indent)
        variable = self.variables[first]
        if variable not in self._defined:
            self._defined.add(variable)
            own = self.name_of(layer)
            self.functions.append(f"{variable} = {self._new(layer, None if own is None else text_code(own), 0)}")
        return variable

    def _new(self, layer: Layer, name: str | None, indent: int) -> str:
        if layer.model is not None:
            return self.nested(layer, indent, name)
        return self.construction(layer, name, indent)

    def _coded(self, value: Any, indent: int) -> Any:
        """Return an argument with code for the models in it, and for layers that stand elsewhere as well."""
        if isinstance(value, Layer):
            if value is OLD_HARD_SIGMOID:
                return value
            if value.model is not None or self.objects.first_place(value) is not None:
                return CodeText(self.object(value, None, indent))
            return value._replace(config={key: self._coded(item, indent) for key, item in value.config.items()})
        if isinstance(value, list | tuple) and any(isinstance(item, Layer) for item in value):
            return [self._coded(item, indent) for item in value]
        return value

    def name_of(self, layer: Layer) -> str | None:
        """Return the name that a layer was given; None for one that Keras gives."""
        if automatic(layer) and layer.name not in self.kept and "*" not in self.kept:
            return None
        if layer.kind == "operation":
            return None  # the functions of keras.ops take no names
        return layer.name

    def construction(self, layer: Layer, name: str | None, indent: int, *, broken: bool = False) -> str:
        """Return the call that makes a layer; `broken` gives each argument a line of its own."""
        if home := facts_of(layer.type).home:
            self.homes.add(home)
        config = {key: self._coded(value, indent + 4) for key, value in layer.config.items()}
        return layer_code(layer._replace(config=config), name, indent, WIDTH if broken else 0)

    def model(self, model: Model, variable: str, indent: int) -> list[str]:
        """Return the statements that make a model and give it to a variable."""
        pad = " " * indent
        if model.type == "Sequential":
            return [f"{pad}{variable} = {self.sequential(model, indent)}", *self._frozen(model, variable, pad)]
        body = FunctionalBody(self, model).lines()
        lines = "\n".join([*body[:-1], f"{variable} = {body[-1]}"]).split("\n")
        return [*[f"{pad}{line}" if line else "" for line in lines], *self._frozen(model, variable, pad)]

    def _frozen(self, model: Model, variable: str, pad: str) -> list[str]:
        return [] if model.trainable else [f"{pad}{variable}.trainable = False"]

    def sequential(self, model: Model, indent: int, name: str | None = None) -> str:
        """Return a Sequential as an expression; `name` is the code of its name where it is another than its own."""
        lines: list[str] = []
        pad = " " * (indent + 8)
        for layer in model.layers:
            if layer.type == "InputLayer":
                if layer.config.get("batch_shape") is not None:
                    lines.append(f"{pad}{self.input(layer)},")
            else:
                own = self.name_of(layer) if layer.model is None else None
                lines.append(f"{pad}{self.object(layer, own and text_code(own), indent + 8)},")
        end = f"{' ' * (indent + 4)}],\n"
        name = name if name is not None else self.model_name(model)
        end += f"{' ' * (indent + 4)}name={name},\n" if name else ""
        return f"keras.Sequential(\n{' ' * (indent + 4)}[\n" + "\n".join(lines) + f"\n{end}{' ' * indent})"

    def model_name(self, model: Model) -> str:
        """Return the code of a model's name; "" for one that Keras gives."""
        own = Layer(model.name, "Sequential" if model.type == "Sequential" else "Functional", "model", {}, model)
        return "" if automatic(own) and "*" not in self.kept else text_code(model.name)

    def nested(self, layer: Layer, indent: int, name: str | None = None) -> str:
        """Return an expression that makes a nested model; `name` is as for `sequential`."""
        inner = inner_model(layer)
        if inner.type == "Sequential" and inner.trainable:
            return self.sequential(inner, indent, name)
        if id(layer) in self._nested:
            return self._nested[id(layer)]
        function = self.function_name(f"make_{layer.name}")
        body = self.model(inner, "model", 4)
        assignment = "    model = "
        if inner.trainable:
            last = max(i for i, line in enumerate(body) if line.startswith(assignment))
            body[last] = f"    return {body[last].removeprefix(assignment)}"
        else:
            body.append("    return model")
        self.functions.append("\n".join([f"def {function}():", *body]))
        self._nested[id(layer)] = f"{function}()"
        return f"{function}()"

    def input(self, layer: Layer) -> str:
        """Return the call that makes an input."""
        shape, dtype = layer.config.get("batch_shape"), layer.config.get("dtype") or "float32"
        if shape is None:
            raise SpecError("its shape is unknown; give it with --input", layer=layer.name)
        arguments = [value_code(shape[1:])] if shape[:1] == (None,) else [f"batch_shape={value_code(shape)}"]
        if dtype != "float32":
            arguments.append(f"dtype={text_code(dtype)}")
        name = self.name_of(layer)
        return call_code("keras.Input", [*arguments, *([f"name={text_code(name)}"] if name else [])], 0)


def _compiled(model: Model) -> list[str]:
    setting = todays_training(model)
    given = {} if setting is None else setting.given()
    arguments = [keyword_code(key, value_code(value)) for key, value in given.items()]
    return ["", call_code("model.compile", arguments, 0)] if arguments else []
