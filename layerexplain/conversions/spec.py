"""A model as a YAML spec of ours; read back, it is the same model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layerexplain.attribute_path import Steps, step_text
from layerexplain.conversions.today import OLD_HARD_SIGMOID, OneObject, as_one, in_todays_words, inner_model, own_calls
from layerexplain.errors import ArgumentError, SpecError, in_a_row
from layerexplain.frontends.model_builder import FreeNames, automatic, default_name, layers_among
from layerexplain.lang.tables import ConstantArray
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import find, first_argument
from layerexplain.model import Call, Layer, Model, TensorRef, TrainingSetting, fixed_batch, keeps_state
from layerexplain.network.without_formula import is_tensor, operation
from layerexplain.records import NamedTuple
from layerexplain.report.objective import todays_training
from layerexplain.report.settings import by_name

# Spec ---------------------------------------------------------------------------------------------------------------

_WIDTH = 100


def to_spec(model: Model) -> str:
    """Return the text of a spec for a model.

    Raises:
        LayerExplainError: for what today's Keras does not have, and for what a spec cannot express.

    >>> from layerexplain.frontends import read
    >>> print(to_spec(read(b"name: net\\ninput: [4]\\nlayers: [{Dense: 8}, {Dense: 8}, {Dense: 2}]\\n")), end="")
    name: net
    input: [4]
    layers:
      - Dense: 8
        repeat: 2
      - Dense: 2
    """
    today = in_todays_words(model)
    if fixed_batch(today) is None and (stateful := next(filter(keeps_state, today.layers), None)) is not None:
        fact = f"{stateful.type} with stateful=True needs a fixed batch size, got None"
        raise SpecError(fact, layer=stateful.name)
    trained = todays_training(today)
    written = {
        "name": today.name,
        **_SpecWriter(today, FirstWritten(today)).keys(),
        **(trained.given() if trained else {}),
    }
    return "".join(f"{line}\n" for line in _block(written, 0))


class _Item(NamedTuple):
    """A call as an item: the layer, or the name of one that is called again, and where its tensors come from."""

    layer: Layer
    wired: Any
    known_as: str
    reuse: bool
    call: Call


class FirstWritten:
    """Which layers of a model are one object with one that a spec writes before, and the path that names that."""

    def __init__(self, model: Model) -> None:
        self.objects = OneObject(model)
        self._first: dict[Steps, Layer] = {}
        if model.shared:
            self._walk(model)

    def path(self, layer: Layer) -> str | None:
        """Return the path of the same object; None for a layer that is written where it stands."""
        key = self.objects.first_place(layer)
        first = None if key is None else self._first.get(key)
        return None if first is None or first is layer else f"/{step_text(self.objects.place(first))}"

    def _walk(self, model: Model) -> None:
        for call in own_calls(model):
            if call.index == 0:
                self._visit(model.layers_by_name[call.layer])

    def _visit(self, layer: Layer) -> None:
        key = self.objects.first_place(layer)
        if key is not None and self._first.setdefault(key, layer) is not layer:
            return
        if layer.model is not None:
            self._walk(layer.model)
        for other in layers_among(layer.config):
            self._visit(other)


class _SpecWriter:
    """Writes one model: which names are said, and what each item takes."""

    def __init__(self, model: Model, objects: FirstWritten, path: str = "") -> None:
        self.model = model
        self.objects = objects
        self.path = path
        self.layers = model.layers_by_name
        self.calls = list(own_calls(model))
        names = FreeNames({*self.layers})
        self.known = {TensorRef(layer.name): layer.name for layer in model.layers if layer.type == "InputLayer"}
        for call in self.calls:
            name = call.layer if call.index == 0 else names.take(f"{call.layer}_again")
            self.known[TensorRef(call.layer, call.index)] = name

    def keys(self) -> dict[str, Any]:
        """Return the inputs, the layers and the outputs, as YAML is to have them."""
        keys: dict[str, Any] = {}
        inputs = [self.layers[ref.layer] for ref in self.model.inputs]
        if not inputs:
            words = "it has no inputs (input_layers is empty), and a spec needs one"
            raise SpecError(words, layer=self.path.rstrip("/") or None)
        if len(inputs) == 1 and inputs[0].config.get("batch_shape") is None:
            pass  # a spec that does not say its input
        elif [layer.name for layer in inputs] == ["input"]:
            keys["input"] = self._input(inputs[0])
        else:
            keys["inputs"] = {layer.name: self._input(layer) for layer in inputs}
        items = list(self._items())
        said = self._said(items)
        keys["layers"] = list(self._written(items, said))
        if self.model.output_form not in (None, [0]):  # of a list of one `convert` says that it is the tensor itself
            words = "gives its outputs as a mapping or nested lists, which a spec cannot express"
            raise SpecError(words, layer=self.path.rstrip("/") or None)
        if self.model.type != "Sequential" or any(call.index for call in self.calls):
            keys["outputs"] = [self._name(ref) for ref in self.model.outputs]
        if not self.model.trainable:
            keys["trainable"] = False
        return keys

    def _input(self, layer: Layer) -> Any:
        shape, dtype = layer.config.get("batch_shape"), layer.config.get("dtype") or "float32"
        if shape is None:
            raise SpecError("its shape is unknown; give it with --input", layer=self.path + layer.name)
        plain = shape[:1] == (None,) and shape[1:2] != (None,)
        stated = {"shape" if plain else "batch_shape": list(shape[1:] if plain else shape)}
        return stated["shape"] if plain and dtype == "float32" else {**stated, "dtype": dtype}

    def _name(self, ref: TensorRef) -> str:
        name = self.known[ref._replace(output=0)]
        return f"{name}[{ref.output}]" if ref.output else name

    def _items(self) -> Iterator[_Item]:
        ref = last = self.model.inputs[-1]._replace(output=0)
        several = len(set(self.model.inputs)) > 1
        for call in self.calls:
            layer = self.layers[call.layer]
            wired = self._wired(layer, call)
            if wired == self._name(last) and not (several and last == ref):
                wired = None
            last = TensorRef(call.layer, call.index)
            yield _Item(layer, wired, self.known[last], call.index > 0, call)

    def _wired(self, layer: Layer, call: Call) -> Any:
        """Return what `from:` says for a call."""
        declaration = _declaration(layer)
        kwargs = {key: value for key, value in call.kwargs.items() if _is_tensors(value)}
        listed = call.args[: len(call.args) - len(_by_name(layer, call))]
        args = [item if type(item) in (int, float) else self._names(item, layer) for item in listed]
        if kwargs.keys() == {"initial_state"} and declaration is not None and declaration.takes_states:
            states = self._names(kwargs["initial_state"], layer)
            return [*args, *(states if isinstance(states, list) else [states])]
        if layer.kind == "operation" and sum(isinstance(argument, list) for argument in args) > 1:
            words = "takes several lists of tensors, which a spec cannot express"
            raise SpecError(words, layer=self.path + layer.name)
        while args and args[-1] is None:
            args.pop()
        if kwargs or None in args:
            takes_list = declaration is not None and declaration.facts.takes_list
            if takes_list and len(args) == 1 and isinstance(args[0], list):
                (args,) = args
            names = declaration.names(len(args)) if declaration is not None else ["inputs"] if layer.model else []
            if len(names) != len(args):
                words = f"takes {len(args)} tensors, some of which have no name"
                raise SpecError(words, layer=self.path + layer.name)
            by_name = {key: self._names(value, layer) for key, value in kwargs.items()}
            return {
                name: argument for name, argument in zip(names, args, strict=True) if argument is not None
            } | by_name
        if len(args) != 1:
            return args
        takes_list = layer.model is not None or (declaration is not None and declaration.takes_list)
        if not isinstance(args[0], list):
            return args[0]
        return args[0] if takes_list else args

    def _names(self, value: Any, layer: Layer) -> Any:
        if isinstance(value, TensorRef):
            return self._name(value)
        if value is None:
            return None
        if isinstance(value, ConstantArray) or not _is_tensors(value):
            shown = "an array" if isinstance(value, ConstantArray) else repr(value)
            words = f"is called with {shown}, which a spec cannot express"
            raise SpecError(words[:200], layer=self.path + layer.name)
        return [self._names(item, layer) for item in value]

    def _arguments(self, item: _Item) -> dict[str, Any]:
        layer = item.layer
        if layer.frozen:
            words = f"freezes {in_a_row(layer.frozen)} alone, and a spec freezes all weights of a layer or none"
            raise SpecError(words, layer=self.path + layer.name)
        arguments = dict(layer.config)
        declaration = _declaration(layer)
        for key, other in {**item.call.kwargs, **_by_name(layer, item.call)}.items():
            if _is_tensors(other) or (key == "training" and isinstance(other, bool)):
                continue
            if declaration is None or key not in declaration.arguments:
                place = self.path + layer.name
                raise SpecError(f"is called with {key}={other!r}, which a spec cannot express", layer=place)
            arguments[key] = other
        if layer.model is not None:
            return self._nested(layer)
        if layer.kind == "operation" and declaration is not None:
            try:
                declaration.bind(arguments)
            except ArgumentError as error:  # a file may hold it; a spec with it is refused
                raise error.with_place(layer=self.path + layer.name) from None
        return {key: self._inside(value) for key, value in per_axis(arguments).items()}

    def _nested(self, layer: Layer) -> dict[str, Any]:
        return _SpecWriter(inner_model(layer), self.objects, f"{self.path}{layer.name}/").keys()

    def _inside(self, value: Any) -> Any:
        """Return an argument with what stands for models in it, and for layers that are written elsewhere."""
        if isinstance(value, list) and any(isinstance(item, Layer) for item in value):
            return [self._inside(item) for item in value]
        if not isinstance(value, Layer) or value is OLD_HARD_SIGMOID:
            return value
        again = self.objects.path(value)
        if again is not None:
            return {"reuse": again}
        if value.model is not None:
            return {_type(value): self._nested(value), "name": value.name}
        return value._replace(config={key: self._inside(item) for key, item in value.config.items()})

    def _said(self, items: Sequence[_Item]) -> set[str]:
        """Return the names that must be said, as reading would give others."""
        inputs = {ref.layer for ref in self.model.inputs}
        said = {item.known_as for item in items if item.reuse and self._is_named(item)}
        elsewhere = {item.layer.name for item in items if not item.reuse and self.objects.path(item.layer) is not None}
        while True:
            names = FreeNames(said | inputs)
            more = set()
            for item in items:
                if item.reuse:
                    continue
                if item.layer.name in elsewhere:
                    names.taken.add(item.layer.name)
                    continue
                name = item.layer.name if item.layer.name in said else names.take(default_name(item.layer.type))
                names.taken.add(name)
                for inner in _inner(item.layer.config):
                    if automatic(inner):
                        names.take(default_name(inner.type))
                if name != item.layer.name:
                    more.add(item.layer.name)
            if not more:
                return said
            said |= more

    def _is_named(self, item: _Item) -> bool:
        """Return whether what a layer gives that is called again is asked for by its name."""
        ref = TensorRef(item.call.layer, item.call.index)
        used = [one for call in self.calls for one in call.refs]
        return any(other._replace(output=0) == ref for other in (*used, *self.model.outputs))

    def _written(self, items: Sequence[_Item], said: set[str]) -> Iterator[Any]:
        at = 0
        while at < len(items):
            item = items[at]
            again = item.call.layer if item.reuse else self.objects.path(item.layer)
            if again is not None:
                named = {"name": item.known_as} if item.reuse and item.known_as in said else {}
                yield {"reuse": again, **named, **self._beside(item)}
                at += 1
                continue
            arguments = self._arguments(item)
            count, name = 1, item.layer.name if item.layer.name in said else None
            base = name.removesuffix("_1") if name is not None and name.endswith("_1") else None
            while at + count < len(items) and self._repeats(item, arguments, items[at + count], base, count, said):
                count += 1
            wishes: dict[str, Any] = {} if name is None else {"name": base if count > 1 else name}
            wishes |= self._beside(item)
            if count > 1:
                wishes["repeat"] = count
            yield {_type(item.layer): _short(_type(item.layer), arguments), **wishes}
            at += count

    def _beside(self, item: _Item) -> dict[str, Any]:
        """Return what stands beside the type: where the tensors come from, and whether it is called as in training."""
        results = {} if item.wired is None else {"from": item.wired}
        training = item.call.kwargs.get("training")
        return {**results, "training": training} if isinstance(training, bool) else results

    def _repeats(
        self, item: _Item, arguments: dict[str, Any], other: _Item, base: str | None, count: int, said: set[str]
    ) -> bool:
        """Return whether an item is one more of those before it."""
        if other.reuse or self._beside(other) != {k: v for k, v in self._beside(item).items() if k != "from"}:
            return False
        if _type(other.layer) != _type(item.layer) or self.objects.path(other.layer) is not None:
            return False
        named = item.layer.name in said
        if named != (other.layer.name in said) or (named and other.layer.name != f"{base}_{count + 1}"):
            return False
        return base not in {layer.name for layer in self.model.layers} and self._arguments(other) == arguments


_PER_AXIS = frozenset(
    {"kernel_size", "strides", "pool_size", "dilation_rate", "size", "padding", "cropping", "output_padding"}
)
"""Arguments of which one number stands for all axes."""


def per_axis(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with one number in place of one for each axis, where they are the same."""
    return {key: as_one(value) if key in _PER_AXIS else value for key, value in config.items()}


def _declaration(layer: Layer) -> Declaration | None:
    return find(_type(layer)) if layer.model is None else None


def _type(layer: Layer) -> str:
    return f"ops.{layer.type}" if layer.kind == "operation" else layer.type


def _by_name(layer: Layer, call: Call) -> dict[str, Any]:
    """Return the last arguments of a call of an operation that are no tensors, by name: the key of a slice."""
    declaration = _declaration(layer) if layer.kind == "operation" else None
    if declaration is None or declaration.variadic is not None:
        return {}
    names = operation(layer.type).called[: len(call.args)]
    pairs = zip(names, call.args, strict=False)
    results = {name: item for name, item in pairs if name in declaration.arguments and not is_tensor(item)}
    parts = [part for item in results.values() for part in (item if isinstance(item, list | tuple) else [item])]
    if any(isinstance(part, slice) or part is Ellipsis for part in parts):  # the key that Keras takes is no text
        raise SpecError("a spec cannot express a value of the type slice")
    return results


def _is_tensors(value: Any) -> bool:
    """Return whether a value holds tensors, and nothing but them."""
    if isinstance(value, list | tuple) and not isinstance(value, TensorRef):
        return any(map(_is_tensors, value)) and all(item is None or _is_tensors(item) for item in value)
    return isinstance(value, TensorRef)


def _inner(config: Mapping[str, Any]) -> Iterator[Layer]:
    """Yield the layers among arguments, and those that these hold."""
    for layer in layers_among(config):
        yield layer
        yield from _inner(layer.config)


def _short(type_: str, arguments: dict[str, Any]) -> Any:
    """Return arguments as they are mostly written: the first one alone, or none."""
    if type_ == "Sequential" and arguments.keys() == {"layers"}:
        return arguments["layers"]
    first = first_argument(type_) if type_ != "Functional" else None
    if [*arguments] == [first]:
        value = arguments[first or ""]
        # A layer with a name of its own is a mapping with several keys, and where no layer is expected any mapping is
        # one of arguments.
        long = (
            isinstance(value, Layer)
            and value is not OLD_HARD_SIGMOID
            and not (automatic(value) and _takes_layers(type_, first or ""))
        )
        if not long and not isinstance(value, Mapping | TrainingSetting | None):
            return value
    return arguments or None


def _takes_layers(type_: str, name: str) -> bool:
    declaration = find(type_)
    return declaration is not None and declaration.arguments[name].check.of_layers


# As YAML --------------------------------------------------------------------------------------------------------


def _block(value: Any, deep: int) -> Iterator[str]:
    """Yield the lines of a mapping or a list, each of its entries in one line where that is short enough."""
    pad = "  " * deep
    if isinstance(value, list | tuple):
        for entry in value:
            if isinstance(entry, dict) and entry:
                lines = [line for key in entry for line in _entry(key, entry[key], deep + 1)]
                if len(entry) == 1 and next(iter(entry.values())) is None:
                    lines = [f"{pad}  {next(iter(entry))}"]
                yield f"{pad}- {lines[0].strip()}"
                yield from lines[1:]
            else:
                yield f"{pad}- {_flow(entry)}"
        return
    for key, item in value.items():
        yield from _entry(key, item, deep)


def _entry(key: str, value: Any, deep: int) -> Iterator[str]:
    pad = "  " * deep
    if value is None:
        yield f"{pad}{_flow(key)}:"
        return
    if isinstance(value, Layer):
        value = _of_layer(value)
    line = f"{pad}{_flow(key)}: {_flow(value)}"
    listed = key in ("layers", "Sequential") and isinstance(value, list | tuple)
    is_short = "layers" not in value and len(line) <= _WIDTH if isinstance(value, dict) else not listed
    if is_short:
        yield line
        return
    yield f"{pad}{_flow(key)}:"
    yield from _block(value, deep + 1)


def _of_layer(layer: Layer) -> Any:
    if layer is OLD_HARD_SIGMOID:
        return layer.name
    arguments = per_axis(layer.config)
    if not automatic(layer):
        return {"type": layer.type, "name": layer.name, **arguments}
    return {layer.type: _short(layer.type, arguments)}


def _flow(value: Any) -> str:
    """Return a value in one line."""
    if isinstance(value, TrainingSetting):
        name = by_name(value)
        return _flow(name) if name is not None else _flow({value.name: dict(value.config)})
    if isinstance(value, Layer):
        return _flow(_of_layer(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    return scalar(value)


# Yaml text ----------------------------------------------------------------------------------------------------------
# Numbers and texts as YAML.

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_NOT_TEXT = re.compile(r"(?i)(null|none|true|false|~|\.?nan|[-+]?\.?inf|[-+.0-9].*)\Z")


def scalar(value: Any) -> str:
    """Return a number or a text as YAML reads it back; a text is quoted where it would be read as something else.

    >>> scalar(True), scalar("relu"), scalar("no: 1"), scalar(float("inf")), scalar(slice(1, None))
    ('true', 'relu', '"no: 1"', '.inf', '"1:"')
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, str):
        plain = _WORD.match(value) and not _NOT_TEXT.match(value)
        return value if plain else quoted(value)
    if isinstance(value, float) and value - value != 0:
        return ".nan" if value != value else ".inf" if value > 0 else "-.inf"
    if isinstance(value, int | float):
        return repr(value)
    if value is Ellipsis:
        return quoted("...")
    if isinstance(value, slice):
        ends = [value.start, value.stop, *([] if value.step is None else [value.step])]
        return quoted(":".join(["" if end is None else str(end) for end in ends]))
    raise SpecError(f"a spec cannot express a value of the type {type(value).__name__}")


def quoted(text: str) -> str:
    """Return a text in double quotes, with what cannot be printed by its number.

    >>> quoted('a "b"'), quoted("\\x85")
    ('"a \\\\"b\\\\""', '"\\\\u0085"')
    """
    signs = {'"': '\\"', "\\": "\\\\"}
    return f'"{"".join([signs.get(c, c if c.isprintable() else _number(c)) for c in text])}"'


def _number(sign: str) -> str:
    code = ord(sign)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
