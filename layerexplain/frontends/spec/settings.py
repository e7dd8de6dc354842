"""What a spec says beside its layers: settings, arguments of older Keras, layers used again, `sizes:`, and training."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping
from typing import Any

from layerexplain.attribute_path import Steps, step_text
from layerexplain.errors import ArgumentError, LayerExplainError, did_you_mean
from layerexplain.frontends.spec.yaml_nodes import SpecFaults, YamlNode, to_python
from layerexplain.frontends.training import KINDS, as_object, check_part, with_training
from layerexplain.model import Layer, Model, Shape, SharedObject

# Settings -----------------------------------------------------------------------------------------------------------
# Initializers, regularizers and constraints as a spec writes them: `he_normal`, `{L2: 0.01}`, `{L2: {l2: 0.01}}`.

_EXAMPLES = {"initializer": "{RandomNormal: {stddev: 0.02}}", "regularizer": "{L2: 0.01}", "constraint": "{MaxNorm: 2}"}
"""What the argument of a layer ends with → how it may be written."""


def setting_kind(argument: str) -> str:
    """Return what an argument of a layer holds: "initializer", "regularizer", "constraint"; "" for any other."""
    kind = argument.rpartition("_")[2]
    return kind if kind in _EXAMPLES else ""


def written_setting(type_: str, argument: str, kind: str, value: Any) -> Any:
    """Return a setting with the names of its arguments.

    Args:
        type_: The type of the layer.
        argument: The argument of the layer, such as `kernel_regularizer`.
        kind: What it holds, as `setting_kind` says.
        value: What the spec has.

    Raises:
        ArgumentError: It is a number or a list, or Keras has no such class, or the class takes fewer arguments.

    >>> written_setting("Dense", "kernel_regularizer", "regularizer", {"L2": 0.1})
    {'L2': {'l2': 0.1}}
    """
    written_as_in_files = isinstance(value, Mapping) and (len(value) != 1 or "class_name" in value)
    if value is None or isinstance(value, str) or written_as_in_files:
        return value
    article = "an" if kind == "initializer" else "a"
    wanted = f"{type_} needs {argument} to be {article} {kind} of Keras by its name, alone or with arguments"
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{wanted}, got {argument}={value!r}; for example {_EXAMPLES[kind]}")
    ((name, given),) = value.items()
    path = f"{kind}s.{name}"
    from layerexplain.frontends.code.library import keras_names  # most specs need no list of names

    if not keras_names.is_known(path):
        known = [item for item in keras_names.names_in(f"{kind}s") if item[:1].isupper()]
        hint = did_you_mean(str(name), known) or f"for example {_EXAMPLES[kind]}"
        raise ArgumentError(f"{wanted}, got {argument}={name}; {hint}")
    if given is None or isinstance(given, Mapping):
        return value
    listed = list(given) if isinstance(given, list | tuple) else [given]
    names = keras_names.arguments(path)
    if len(listed) > len(names):
        taken = ", ".join(names) or "no arguments"
        raise ArgumentError(f"{name} takes {taken}, got {len(listed)} values")
    return {name: dict(zip(names, listed, strict=False))}


# Old arguments ------------------------------------------------------------------------------------------------------
# Arguments of older Keras that a spec may have and Keras 3 refuses or ignores: they are read, and a note gives
# today's form.

_LEFT_OUT = "leave it out"
_FORMS = {
    "weights": "leave it out, and call set_weights() on the layer once it is built",
    "implementation": _LEFT_OUT,
    "time_major": "leave it out; the batch is the first axis",
    "fused": _LEFT_OUT,
    "causal": "`use_causal_mask: true`, an argument of the call in Keras",
    "virtual_batch_size": _LEFT_OUT,
}
_SHAPES = ("batch_input_shape", "batch_shape", "input_length", "batch_size")
STILL_TAKEN = {
    "implementation": ("LSTM", "GRU", "LSTMCell", "GRUCell"),
    "weights": ("Embedding", "ReversibleEmbedding"),
}
"""The layers of Keras 3 that have the argument."""
OLD_ARGUMENTS = frozenset({*_FORMS, *_SHAPES})
"""The arguments that `todays_form` knows."""


def todays_form(type_: str, argument: str, shape: Shape | None) -> str:
    """Return how a spec of today says what an argument of older Keras says; "" for an argument that Keras 3 takes.

    `shape` is that of the input, with the batch, where it is this layer that says it: the first layer of a model
    without `input:`.

    >>> todays_form("Dense", "batch_input_shape", (None, 5)), todays_form("Dense", "batch_input_shape", (8, 5))
    ('`input: [5]` before the layers', '`input: {shape: [5], batch_size: 8}` before the layers')
    >>> todays_form("Dense", "batch_input_shape", None)
    'leave it out; `input:` gives the shape'
    >>> todays_form("LSTM", "implementation", None)
    ''
    """
    if argument in _SHAPES:
        if not shape:
            return "leave it out; `input:` gives the shape"
        batch, *sizes = ["null" if size is None else str(size) for size in shape]
        given = f"[{', '.join(sizes)}]"
        given = given if batch == "null" else f"{{shape: {given}, batch_size: {batch}}}"
        return f"`input: {given}` before the layers"
    return "" if type_ in STILL_TAKEN.get(argument, ()) else _FORMS.get(argument, "")


# Objects ------------------------------------------------------------------------------------------------------------
# Layers of a spec that stand in several models or inside other layers: `reuse: /encoder/dense`.


class Objects:
    """All layers of a spec, nested ones included, by the paths that notes show (`encoder/td.layer`), and which of them
    another model or layer uses again."""

    def __init__(self) -> None:
        self._placed: list[tuple[Steps, Layer]] = []
        self._known: dict[str, tuple[Steps, Layer]] = {}
        self.shared: list[SharedObject] = []

    def add(self, path: Steps, layer: Layer) -> None:
        """Enter a layer."""
        self._placed.append((path, layer))

    def _by_path(self) -> dict[str, tuple[Steps, Layer]]:
        for path, layer in self._placed:
            self._known.setdefault(f"/{step_text(path)}", (path, layer))
        self._placed.clear()
        return self._known

    def find(self, node: YamlNode, faults: SpecFaults) -> Layer | None:
        """Return the layer that `reuse: /…` names; None, with a fault, where there is none."""
        known = self._by_path()
        result = known.get(str(node.value))
        if result is not None:
            return result[1]._replace(line=node.line)
        hint = did_you_mean(str(node.value), known) or "write a path from the top, like /encoder/dense"
        faults.add(f"`reuse: {node.value}` names no layer before it; {hint}", node.line)
        return None

    def share(self, node: YamlNode, path: Steps) -> None:
        """Note that what stands at a path is the layer that `reuse: /…` names."""
        self.shared.append(SharedObject(path, (self._known[str(node.value)][0],)))


def is_path(node: YamlNode) -> bool:
    """Return whether `reuse` names a layer of another model or inside a layer, by a path from the top."""
    return isinstance(node.value, str) and node.value.startswith("/")


# Named sizes --------------------------------------------------------------------------------------------------------
# `sizes: {T: 50, u: 64}` of a spec: names that stand for sizes in it, each with an example.

_OTHER_NAMES = frozenset({"name", "from", "reuse", "output", "outputs", "define", "mask"})
"""Keys whose values are names of layers and tensors."""


def with_named_sizes(
    root: YamlNode, values: Mapping[str, int], faults: SpecFaults
) -> tuple[YamlNode, Mapping[str, int]]:
    """Return a spec without `sizes:`, with numbers in place of the names that it declares there, and the examples of
    these names; `values` stand in place of the examples."""
    declared = (
        next((node for key, node in root.value if key.value == "sizes"), None) if root.kind == "mapping" else None
    )
    if declared is None:
        return root, {}
    examples: dict[str, int] = {}
    if declared.kind != "mapping":
        faults.add("sizes: needs names with examples, such as {T: 50, u: 64}", declared.line)
    for key, node in declared.value if declared.kind == "mapping" else ():
        if not _is_name(key.value):
            faults.add(f"sizes: '{key.value}' is no name that a size can have; write a letter or a word", key.line)
        elif type(node.value) is not int or node.value < 1:
            faults.add(f"sizes: {key.value} needs an example, an integer ≥ 1, got {node.value!r}", node.line)
        else:
            examples[key.value] = node.value
    rest = root._replace(value=[pair for pair in root.value if pair[0].value != "sizes"])
    return _filled(rest, {**examples, **values}), examples


def with_declarations(error: LayerExplainError, sizes: Collection[str]) -> LayerExplainError:
    """Return an error in which a word stands where a number is needed, with the declared name that was meant, or with
    the way to declare it."""
    needs, got, word = error.fact.partition(", got ")
    is_of_size = (got and "integer" in needs) or _IN_SHAPES in needs
    names = re.findall(r"'([^\W\d]\w*)'", word if got else needs)
    unknown = next((name for name in names if name not in sizes), None)
    if is_of_size and unknown is not None:
        hint = did_you_mean(unknown, sizes)
        fact = error.fact.partition("; ")[0] if hint else error.fact
        error.fact = f"{fact}; {hint or 'or declare a size: sizes: {' + unknown + ': 16}'}"
    return error


_IN_SHAPES = "has the size"


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)


def _filled(node: YamlNode, sizes: Mapping[str, int]) -> YamlNode:
    """Return a node with numbers in place of names."""
    if node.kind == "mapping":
        pairs = [(key, value if key.value in _OTHER_NAMES else _filled(value, sizes)) for key, value in node.value]
        return node._replace(value=pairs)
    if node.kind == "list":
        return node._replace(value=[_filled(item, sizes) for item in node.value])
    return node._replace(value=sizes[node.value]) if isinstance(node.value, str) and node.value in sizes else node


# Training -----------------------------------------------------------------------------------------------------------
# `loss:`, `optimizer:` and `metrics:` of a spec, in the forms in which layers are written.


def read_training(keys: Mapping[str, tuple[YamlNode, YamlNode]], model: Model, faults: SpecFaults) -> Model:
    """Return the model with what its spec says of training; a loss, an optimizer or an output that Keras or the model
    does not have is a fault."""
    outputs = {ref.layer for ref in model.outputs}
    given = {key: to_python(keys[key][1]) for key in ("loss_weights", "metrics") if key in keys}
    for key in KINDS:
        if key in keys:
            _, node = keys[key]
            given[key] = _read(key, to_python(node), outputs if key == "loss" else set(), node, faults)
    metrics = given.get("metrics")
    given["metrics"] = (
        {name: [as_object(item) for item in _listed(some)] for name, some in metrics.items()}
        if isinstance(metrics, dict) and set(metrics) & outputs
        else [as_object(item) for item in _listed(metrics)]
    )
    return with_training(model, given)


def _listed(value: Any) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [] if value is None else [value]


def _read(key: str, value: Any, outputs: set[str], node: YamlNode, faults: SpecFaults) -> Any:
    """Return what is written as a configuration has it: a name, an object, or either for each output."""
    if isinstance(value, dict) and set(value) & outputs:
        return {name: _read(key, item, set(), node, faults) for name, item in value.items()}
    if isinstance(value, list):
        return [_read(key, item, set(), node, faults) for item in value]
    setting = as_object(value)
    try:
        check_part(key, setting)
    except ArgumentError as error:
        faults.keep(error, node.line)
    return setting
