"""A model as Keras 3 code, as a person would write it: running it gives the same configuration.

A Sequential stays one; of any other model the calls are statements, blocks that repeat exactly are functions, and runs
of them loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layerexplain.conversions.block_names import joined_name, loop_over_names, word_for
from layerexplain.conversions.blocks import Block, Step, repeated_blocks
from layerexplain.conversions.one_object import OneObject
from layerexplain.conversions.operations import INFIX, function_of
from layerexplain.conversions.python_text import (
    WIDTH,
    Code,
    Identifiers,
    call_code,
    index_code,
    keyword_code,
    layer_code,
    text_code,
    value_code,
)
from layerexplain.conversions.today import OLD_HARD_SIGMOID, automatic, in_todays_words
from layerexplain.conversions.training import todays_training
from layerexplain.errors import LayerExplainError, SpecError
from layerexplain.frontends.model_builder import in_order
from layerexplain.layers.declaration import snake_case
from layerexplain.layers.registry import facts_of
from layerexplain.model import Call, Layer, Model, TensorRef, tensor_refs


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
    module = _Module(today)
    body = module.model(today, "model", 0)
    body += _compiled(today)
    functions = "".join(f"\n\n{one}\n" for one in module.functions)
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


class _Module:
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
        first = self.objects.of(layer)
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
        return self.made(layer, name, indent)

    def _coded(self, value: Any, indent: int) -> Any:
        """Return an argument with code for the models in it, and for layers that stand elsewhere as well."""
        if isinstance(value, Layer):
            if value is OLD_HARD_SIGMOID:
                return value
            if value.model is not None or self.objects.of(value) is not None:
                return Code(self.object(value, None, indent))
            return value._replace(config={key: self._coded(one, indent) for key, one in value.config.items()})
        if isinstance(value, list | tuple) and any(isinstance(one, Layer) for one in value):
            return [self._coded(one, indent) for one in value]
        return value

    def name_of(self, layer: Layer) -> str | None:
        """Return the name that a layer was given; None for one that Keras gives."""
        if automatic(layer) and layer.name not in self.kept and "*" not in self.kept:
            return None
        if layer.kind == "operation":
            return None  # the functions of keras.ops take no names
        return layer.name

    def made(self, layer: Layer, name: str | None, indent: int, *, broken: bool = False) -> str:
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
        body = _Body(self, model).lines()
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
        assert layer.model is not None  # noqa: S101 (for the type checker)
        trainable = layer.model.trainable and layer.config.get("trainable", True)
        inner = layer.model._replace(name=layer.name, trainable=trainable)
        if inner.type == "Sequential" and trainable:
            return self.sequential(inner, indent, name)
        if id(layer) in self._nested:
            return self._nested[id(layer)]
        function = self.function_name(f"make_{layer.name}")
        body = self.model(inner, "model", 4)
        made = "    model = "
        last = next(i for i in reversed(range(len(body))) if body[i].startswith(made))
        if last == len(body) - 1:
            body[last] = f"    return {body[last].removeprefix(made)}"
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


class _Body:
    """The statements of one Functional model."""

    def __init__(self, module: _Module, model: Model) -> None:
        self.module = module
        self.model = model
        self.layers = {layer.name: layer for layer in model.layers}
        made = {(call.layer, call.index): call for call in model.calls}
        wanted = [made[ref.layer, ref.call] for ref in model.outputs]
        inputs = {layer.name for layer in model.layers if layer.type == "InputLayer"}
        self.calls = [call for call in in_order(model, wanted) if call.layer not in inputs]
        self.places = {TensorRef(call.layer, call.index): i for i, call in enumerate(self.calls)}
        if len(model.inputs) == 1:
            self.places[model.inputs[0]] = -1
        self.uses: dict[int, int] = {}
        for i, call in enumerate(self.calls):
            for ref in tensor_refs((call.args, call.kwargs)):
                self.uses[self.places.get(ref._replace(output=0), -2)] = i
        self.ends = {self.places.get(ref._replace(output=0), -2) for ref in model.outputs}
        self.often = {call.layer for call in self.calls if call.index > 0}
        self.variables: dict[TensorRef, str] = {}
        self.names = module.variables_of_body()
        self.objects: dict[str, str] = {}
        self.reach: dict[int, int] = {}
        every = [ref for call in self.calls for ref in tensor_refs((call.args, call.kwargs))]
        self.several = {ref.layer for ref in (*every, *model.outputs) if ref.output}

    def lines(self) -> list[str]:
        """Return the statements; the last is the expression that makes the model."""
        found = []
        inputs = self.model.inputs
        for ref in inputs:
            layer = self.layers[ref.layer]
            name = "inputs" if len(inputs) == 1 else self.names.take(ref.layer)
            self.variables[ref] = name
            found.append(f"{name} = {self.module.input(layer)}")
        found += self._statements()
        outputs = [self._tensor(ref) for ref in self.model.outputs]
        arguments = [
            *[", ".join(names) if len(names) == 1 else f"[{', '.join(names)}]"
              for names in ([self.variables[ref] for ref in inputs], outputs)],
        ]  # fmt: skip
        name = self.module.model_name(self.model)
        return [*found, call_code("keras.Model", [*arguments, *([f"name={name}"] if name else [])], 0, 12)]

    def _statements(self) -> Iterator[str]:
        blocks = repeated_blocks([self._step(i) for i in range(len(self.calls))])
        self.reach = {start: start + block.length - 1 for block in blocks for start in block.starts}
        at = {start: (block, number) for block in blocks for number, start in enumerate(block.starts)}
        functions: dict[Block, str] = {}
        i = 0
        while i < len(self.calls):
            if i not in at:
                yield from self._statement(i, self._variable(i))
                i += 1
                continue
            block, number = at[i]
            run = [i]
            while block.starts[number + len(run) : number + len(run) + 1] == (run[-1] + block.length,) and not (
                self._is_seen_later(run[-1] + block.length - 1, run[-1] + 2 * block.length)
            ):
                run.append(run[-1] + block.length)
            if block.length > 1 and block not in functions:
                functions[block] = self._function(block)
            yield from self._run(block, number, run, functions.get(block))
            i = run[-1] + block.length

    def _is_seen_later(self, place: int, end: int) -> bool:
        return place in self.ends or self.uses.get(place, place) >= end

    def _step(self, i: int) -> Step:
        call = self.calls[i]
        layer = self.layers[call.layer]
        refs = [ref._replace(output=0) for ref in tensor_refs((call.args, call.kwargs))]
        places = [self.places.get(ref, -2) for ref in refs]
        name = self.module.name_of(layer)
        shape = _shape_of_call(
            (call.args, dict(call.kwargs)), {ref: i - at for ref, at in zip(refs, places, strict=True)}
        )
        one = layer.model is None or (layer.type == "Sequential" and is_plain(layer.model))
        one = one and self.module.objects.of(layer) is None
        made = self.module.object(layer, "" if layer.model is not None else None, 0) if one else ""
        token = (layer.kind, layer.type, made, shape)
        last = len(self.calls) + 1 if i in self.ends else self.uses.get(i, i) - i
        alone = not one or call.layer in self.often or -2 in places
        return Step(token, tuple([i - at for at in places]), last, name, alone)

    def _variable(self, i: int) -> str:
        """Return the variable that takes the result of a call: x where only the next statement uses it."""
        call = self.calls[i]
        if i in self.ends and len(self.model.outputs) == 1 and self.uses.get(i, i) == i:
            return "outputs"
        if self.uses.get(i, i + 1) <= self.reach.get(i + 1, i + 1) and i not in self.ends:
            return "x"
        layer = self.layers[call.layer]
        return self.names.take(layer.name if call.index == 0 else f"{layer.name}_{call.index + 1}")

    def _statement(self, i: int, variable: str, name: str | None = None) -> Iterator[str]:
        """Yield the statement of a call; `name` is the code of the layer's name where it is another than its own."""
        call = self.calls[i]
        layer = self.layers[call.layer]
        own = self.module.name_of(layer)
        name = name if name is not None else text_code(own) if own is not None else None
        if layer.kind == "operation":
            yield f"{variable} = {self._operation(layer, call, len(variable) + 3)}"
        else:
            what = self.objects.get(layer.name)
            if what is None and self.module.objects.of(layer) is not None:
                what = self.module.object(layer, name, 0)
            if what is None and layer.name in self.often:
                what = self.objects[layer.name] = self.names.take(f"{layer.name}_layer")
                yield f"{what} = {self.module.object(layer, name, 0)}"
            arguments = self._arguments(call)
            what = what or self.module.object(layer, name, 0)
            line = f"{variable} = {what}({', '.join(arguments)})"
            if len(line) > WIDTH - 4 and "\n" not in what:
                if layer.model is None and "(" in what:
                    what = self.module.made(layer, name, 0, broken=True)
                line = f"{variable} = {what}({', '.join(arguments)})"
            yield line
        self.variables[TensorRef(call.layer, call.index)] = variable

    def _arguments(self, call: Call) -> list[str]:
        args = [self._value(one) for one in call.args]
        return args + [keyword_code(key, self._value(one)) for key, one in call.kwargs.items()]

    def _operation(self, layer: Layer, call: Call, before: int) -> str:
        sign = INFIX.get(layer.type)
        plain = all(isinstance(one, TensorRef | int | float) for one in call.args)
        if sign and plain and len(call.args) == 2 and not layer.config and not call.kwargs:
            return f" {sign} ".join(self._value(one) for one in call.args)
        if layer.type == "GetItem" and len(call.args) == 2:
            return f"{self._value(call.args[0])}[{index_code(call.args[1])}]"
        config = [keyword_code(key, value_code(one)) for key, one in layer.config.items()]
        return call_code(f"ops.{function_of(layer.type)}", [*self._arguments(call), *config], 0, before)

    def _value(self, value: Any) -> str:
        if isinstance(value, TensorRef):
            return self._tensor(value)
        if isinstance(value, list):
            return f"[{', '.join(map(self._value, value))}]"
        if isinstance(value, tuple):
            return f"({', '.join(map(self._value, value))}{',' if len(value) == 1 else ''})"
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{value_code(key)}: {self._value(one)}" for key, one in value.items()) + "}"
        return value_code(value)

    def _tensor(self, ref: TensorRef) -> str:
        name = self.variables.get(ref._replace(output=0))
        if name is None:
            raise LayerExplainError(f"no call gives the tensor {ref.output} of {ref.layer!r} that the model uses")
        return f"{name}[{ref.output}]" if self._has_several(ref) else name

    def _has_several(self, ref: TensorRef) -> bool:
        """Whether a call gives several tensors: then each is asked for by its number."""
        layer = self.layers[ref.layer]
        if layer.model is not None:
            return len(layer.model.outputs) > 1
        if layer.config.get("return_state") is True or layer.config.get("return_attention_scores") is True:
            return True
        return ref.layer in self.several

    # Blocks ---------------------------------------------------------------------------------------------------------

    def _function(self, block: Block) -> str:
        """Write the function of a block; return its name."""
        start, last = block.starts[0], block.starts[0] + block.length - 1
        named = any(suffix is not None for suffix in block.suffixes)
        entry = self._entry(start)
        name = self.module.function_name(word_for(block))
        outer, names = dict(self.variables), self.names
        self.names = self.module.variables_of_body()
        # The tensor that comes in is x where only the first statement reads it.
        taken = "inputs" if self.uses.get(start - 1, start) > start and self._reads_later(start, last) else "x"
        self.variables[entry] = taken
        body: list[str] = []
        for i in range(start, last + 1):
            suffix = block.suffixes[i - start]
            code = None if suffix is None else joined_name(suffix)
            own = self._inner_variable(i, suffix) if i < last else "x"
            body += self._statement(i, own, code)
        body[-1] = f"return {body[-1].removeprefix('x = ')}"
        lines = "\n".join(body).split("\n")
        head = f"def {name}({taken}{', name' if named else ''}):"
        self.module.functions.append("\n".join([head, *[f"    {line}" if line else "" for line in lines]]))
        self.variables, self.names = outer, names
        return name

    def _reads_later(self, start: int, last: int) -> bool:
        entry = self._entry(start)
        return any(
            ref._replace(output=0) == entry
            for i in range(start + 1, last + 1)
            for ref in tensor_refs((self.calls[i].args, self.calls[i].kwargs))
        )

    def _inner_variable(self, i: int, suffix: str | None) -> str:
        if self.uses.get(i, i + 1) <= i + 1:
            return "x"
        layer = self.layers[self.calls[i].layer]
        return self.names.take((suffix or "").strip("_") or snake_case(layer.type))

    def _entry(self, start: int) -> TensorRef:
        if start == 0:
            return self.model.inputs[0]
        return TensorRef(self.calls[start - 1].layer, self.calls[start - 1].index)

    def _run(self, block: Block, number: int, run: Sequence[int], function: str | None) -> Iterator[str]:
        """Yield the statements of a block that stands several times behind one another, or once."""
        last = run[-1] + block.length - 1
        variable = self._variable(last)
        prefixes = block.prefixes[number : number + len(run)]
        named = any(suffix is not None for suffix in block.suffixes)
        given = self.variables[self._entry(run[0])]
        ref = TensorRef(self.calls[last].layer, self.calls[last].index)
        if len(run) == 1 and function:
            yield f"{variable} = {function}({given}{', ' + text_code(prefixes[0]) if named else ''})"
            self.variables[ref] = variable
            return
        if given != "x":
            yield f"x = {given}"
        loop, name = loop_over_names(prefixes) if named else (f"for _ in range({len(run)}):", "")
        yield loop
        if function:
            yield f"    x = {function}(x{f', {name}' if named else ''})"
        else:
            self.variables[self._entry(run[0])] = "x"
            for line in self._statement(run[0], "x", name or None):
                yield "    " + line.replace("\n", "\n    ")
            self.variables[self._entry(run[0])] = given
        if variable == "outputs":
            variable = "x"
        elif variable != "x":
            yield f"{variable} = x"
        self.variables[ref] = variable


def is_plain(model: Model) -> bool:
    """Whether a nested model is written as one expression, in a place of its own."""
    return model.trainable and all(layer.model is None for layer in model.layers)


def _shape_of_call(value: Any, distances: Mapping[TensorRef, int]) -> Any:
    """Return the arguments of a call with distances in place of tensors."""
    if isinstance(value, TensorRef):
        return ("tensor", distances[value._replace(output=0)], value.output)
    if isinstance(value, Mapping):
        return tuple([(key, _shape_of_call(one, distances)) for key, one in value.items()])
    if isinstance(value, list | tuple):
        return (type(value).__name__, *[_shape_of_call(one, distances) for one in value])
    return repr(value)


def _compiled(model: Model) -> list[str]:
    found = todays_training(model)
    given = {} if found is None else found.given()
    arguments = [keyword_code(key, value_code(value)) for key, value in given.items()]
    return ["", call_code("model.compile", arguments, 0)] if arguments else []
