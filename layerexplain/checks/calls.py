"""What rules ask of the calls of a network: which is before or behind one, what it ends with, which loss it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from layerexplain.derive.gradient.flows import flow
from layerexplain.lang.axes import Shape
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CONSTANT, INPUT, Expr
from layerexplain.lang.visit import nodes
from layerexplain.layers.keras.fit_data import loss_at
from layerexplain.layers.keras.losses import Loss
from layerexplain.layers.torch.compared import keras_type
from layerexplain.model import CallKey, Training, TrainingSetting
from layerexplain.network.traced import Network, TracedCall
from layerexplain.records import NamedTuple, grouped
from layerexplain.report.compared import MOVES, Applied, applied_to, last_function, moved
from layerexplain.report.training_data import setting_of_output

_Found = TypeVar("_Found")

_LINEAR = frozenset({"conv", "depthwise_conv", "conv_transpose", "dot", "linear", "einsum", "matmul"})


# Neighbours -----------------------------------------------------------------------------------------------------


def once(find: Callable[[Network], _Found]) -> Callable[[Network], _Found]:
    """Keep with a network what a function finds of it, since many rules ask the same."""

    def found(network: Network) -> _Found:
        known = network.answers
        if find not in known:
            known[find] = find(network)
        answer: _Found = known[find]
        return answer

    return found


@once
def derived(network: Network) -> list[TracedCall]:
    """Return the first calls of layers that have a formula, inputs left out."""
    return [
        call
        for call in network.calls
        if call.definition is not None and call.network is None and call.sources and call.call.index == 0
    ]


def source_of(network: Network, call: TracedCall) -> TracedCall | None:
    """Return the call that makes the only tensor of this one; None where there are several."""
    return network.call(call.sources[0]) if len(call.sources) == 1 else None


def readers_of(network: Network, call: TracedCall) -> Sequence[TracedCall]:
    """Return the calls that read what the layer of this one makes, at any of its calls."""
    return [reader for own in network.calls_of(call.name) for reader in network.readers(own)]


@once
def with_source(network: Network) -> list[tuple[TracedCall, TracedCall]]:
    """Return the calls of `derived` that take one tensor, each behind the call that makes it."""
    pairs = [(source_of(network, call), call) for call in derived(network)]
    return [(source, call) for source, call in pairs if source is not None]


@once
def only_readers(network: Network) -> list[tuple[TracedCall, TracedCall]]:
    """Return the calls of `derived` that one other call alone reads, which takes nothing else, each with that one."""
    pairs = [(call, readers_of(network, call)) for call in derived(network) if not is_output(network, call)]
    return [(call, every[0]) for call, every in pairs if len(every) == 1 and len(every[0].sources) == 1]


def chained(network: Network, *types: str) -> Iterator[tuple[TracedCall, TracedCall]]:
    """Yield the calls of `derived` that only a layer of these types of Keras reads, or a module of PyTorch in their
    place, which takes nothing else, each with the call of that layer; those that the model gives out are left out."""
    for call, reader in only_readers(network):
        if keras_type_of(network, reader) in types:
            yield call, reader


@once
def _output_layers(network: Network) -> frozenset[str]:
    return frozenset([ref.layer for ref in network.model.outputs])


def is_output(network: Network, call: TracedCall) -> bool:
    """Return whether the model gives out what a layer makes."""
    return call.name in _output_layers(network)


def type_of(network: Network, call: TracedCall) -> str:
    """Return the class name of the layer."""
    return network.layer(call.name).type


def keras_type_of(network: Network, call: TracedCall) -> str:
    """Return the class name of the layer, or of the layer of Keras that does what a module of PyTorch does."""
    return keras_type(type_of(network, call))


def config_of(network: Network, call: TracedCall) -> Mapping[str, Any]:
    """Return the configuration of the layer."""
    return network.layer(call.name).config


def weights_of(call: TracedCall) -> Sequence[Expr]:
    """Return the weights of the layer; none where the formula is not known."""
    return () if call.definition is None else call.definition.weights


def argument_of(call: TracedCall, name: str, default: Any = None) -> Any:
    """Return an argument of the formula; the default where it has none of that name."""
    return default if call.definition is None else call.definition.arguments.get(name, default)


# What a call computes -------------------------------------------------------------------------------------------


def ends_with(call: TracedCall) -> str:
    """Return the function that makes the values of a call's first output: "softmax", "relu", "add", …; "" where the
    values are those of its input, "?" where the formula is not known."""
    definition = call.definition
    if definition is None:
        return "?"
    if "ends with" not in definition.answers:
        definition.answers["ends with"] = last_function(definition)
    return str(definition.answers["ends with"])


@once
def _by_ending(network: Network) -> dict[str, list[TracedCall]]:
    return grouped((ends_with(call), call) for call in derived(network))


def ending_with(network: Network, function: str) -> Sequence[TracedCall]:
    """Return the calls of `derived` that end with a function."""
    return _by_ending(network).get(function, ())


def functions_alone(network: Network, function: str) -> Iterator[tuple[TracedCall, TracedCall]]:
    """Yield the calls of `derived` that end with a function and have no weights, each behind the call that makes the
    only tensor that it takes."""
    for call in ending_with(network, function):
        before = None if weights_of(call) else source_of(network, call)
        if before is not None:
            yield before, call


_PRODUCTS = frozenset({"matmul", "einsum"})


def are_products(network: Network, call: TracedCall, between: int = 6) -> bool:
    """Return whether a call takes products of two tensors, with at most so many calls between them: the scores of
    queries and keys, scaled and masked."""
    before = [item for item in map(network.call, call.sources) if item is not None and not weights_of(item)]
    return between > 0 and any(
        (len(item.sources) > 1 and ends_with(item) in _PRODUCTS) or are_products(network, item, between - 1)
        for item in before
    )


def activation_of(network: Network, call: TracedCall) -> str:
    """Return the activation of a call, also where it is a layer before one that only moves values: "linear" for a
    weighted sum, "" for what is none of these."""
    made_by = maker_of(network, call)
    if made_by is None:
        return ""
    last = ends_with(made_by)
    if made_by.definition is None:
        return _stated_activation(network, made_by)
    return "linear" if (last == "add" and is_linear(made_by)) or last in _LINEAR else last


def _stated_activation(network: Network, call: TracedCall) -> str:
    """Return the activation that a layer of unknown shape has; "?" where it has none, or gates."""
    declaration = call.declaration
    if (
        declaration is None
        or "activation" not in declaration.arguments
        or "recurrent_activation" in declaration.arguments
    ):
        return "?"
    stated = config_of(network, call).get("activation", declaration.default_values.get("activation"))
    name = getattr(stated, "name", stated)
    return "linear" if name is None else name if isinstance(name, str) else "?"


def maker_of(network: Network, call: TracedCall) -> TracedCall | None:
    """Return the call that makes the values that a call gives: itself, or the one before it if it only moves values,
    and so on; None where these are an input's."""
    # Each of a long chain of moves asks for the same one: it is looked for once.
    known: dict[CallKey, TracedCall | None] = network.answers.setdefault("makers", {})
    passed: list[CallKey] = []
    current: TracedCall | None = call
    while current is not None and current.call.key not in known and not ends_with(current):
        passed.append(current.call.key)
        current = source_of(network, current)
    result = None if current is None else known.get(current.call.key, current)
    known.update(dict.fromkeys(passed, result))
    return result


def is_linear(call: TracedCall) -> bool:
    """Return whether a call is a weighted sum of its input, with or without a bias, and nothing else."""
    definition = call.definition
    if definition is None or not definition.weights or ends_with(call) not in {*_LINEAR, "add"}:
        return False
    if "is linear" not in definition.answers:
        definition.answers["is linear"] = _is_weighted_sum(definition)
    return bool(definition.answers["is linear"])


def _is_weighted_sum(definition: Definition) -> bool:
    inner = [node for node in nodes(definition) if node.op not in (INPUT, CONSTANT) and node.args]
    others = [node for node in inner if node.op.name not in _LINEAR and node.op.name not in MOVES]
    return all(node.op.name == "add" and any(moved(arg).op.name == "weight" for arg in node.args) for node in others)


# Training -------------------------------------------------------------------------------------------------------


class CompiledLoss(NamedTuple):
    """An output with a known loss: the call that makes it, what the loss compares with the targets (its shape, None if
    unknown), the loss and its setting. `functions` are the last function of the model and those that a loop applies to
    the output, each with its line, as far as they are not `within` the loss: NLLLoss of a log_softmax takes logits, as
    CrossEntropyLoss does. `takes` is what the loss expects: "logits", "probabilities", "logarithms" or "".
    """

    call: TracedCall
    shape: Shape | None
    loss: Loss
    setting: TrainingSetting
    takes: str
    functions: tuple[tuple[str, int | None], ...]
    within: tuple[tuple[str, int | None], ...]
    ends: tuple[tuple[str, int | None], ...]
    """The functions without a gradient that a loop applies to the output, each with its line."""

    @property
    def ends_with(self) -> str:
        """Return the function that makes the values which the loss takes, as `activation_of` names them."""
        return self.functions[-1][0]

    @property
    def words(self) -> str:
        """Return what these values are, as the beginning of a sentence."""
        function, line = self.functions[-1]
        if len(self.functions) > 1:
            return f"{at_line(function, line)} is applied to the output"
        return "the output is linear" if function == "linear" else f"the output ends with {function}"

    @property
    def loss_words(self) -> str:
        """Return what the loss takes, and the lines of the code where it is made."""
        name = at_line(self.loss.name, self.setting.line)
        if self.within:
            return f"{name} gets its {' of its '.join([at_line(*item) for item in self.within[::-1]])}"
        return f"{name} {self.loss.taken(self.setting.config)}"


def at_line(name: str, line: int | None) -> str:
    return name if line is None else f"{name} (line {line})"


@once
def losses_of(network: Network) -> list[CompiledLoss]:
    """Return the outputs of a model that have a known loss."""
    training = network.model.training
    losses = []
    for ref in () if training is None else network.model.outputs:
        setting = setting_of_output(training or Training(), ref.layer)
        call = network.call(ref)
        if setting is None or call is None or ref.output >= len(call.outputs):
            continue
        spec = call.outputs[ref.output]
        shape = None if spec is None else spec.shape
        applied = [*applied_to(shape, setting)]
        shape = applied[-1].shape if applied else shape
        loss = loss_at(setting.name, shape)
        if loss is not None:
            functions = _functions(activation_of(network, call), applied)
            takes, within = loss.output_kind(setting.config), functions[:0]
            while len(functions) > 1 and (before := _computed_from(takes, loss, functions)):
                takes, within = before, [functions.pop(), *within]
            ends = [
                (name, item.setting.line)
                for item in applied
                if item.definition is not None and not flow(item.definition).reaches(0)
                for name in flow(item.definition).ends
            ]
            losses.append(CompiledLoss(call, shape, loss, setting, takes, tuple(functions), tuple(within), tuple(ends)))
    return losses


def _functions(last: str, applied: Sequence[Applied]) -> list[tuple[str, int | None]]:
    """Return the functions that make the values which a loss gets, the model's last one first."""
    functions: list[tuple[str, int | None]] = [(last, None)]
    for other in applied:
        function, before = other.function, functions[-1][0]
        if function in _SCALES:
            function = "" if before == "linear" else "?"
        elif before not in ("linear", "") and function not in _OF_LOSSES:
            function = "?"  # relu of a sigmoid cuts nothing off, tanh of a softplus lies between 0 and 1
        if function:
            functions.append((function, other.setting.line))
    return functions


_SCALES = frozenset({"add", "subtract", "multiply", "divide", "negative"})
_OF_LOSSES = frozenset({"", "softmax", "sigmoid", "log_softmax", "log_sigmoid", "log"})
"""Functions that make what losses take, of any values."""


def _computed_from(takes: str, loss: Loss, functions: Sequence[tuple[str, int | None]]) -> str:
    """Return what a loss takes together with the last function before it; "" where both are no loss together."""
    last, before = functions[-1][0], functions[-2][0]
    if (takes, last) == ("logarithms", "log"):
        return "probabilities"
    if (takes, last) in (("logarithms", "log_softmax"), ("probabilities", "softmax")):
        return "logits" if loss.of == "classes" else ""
    if (takes, last) == ("logits", "log_softmax") and loss.of == "classes":
        return "logits" if before not in ("linear", "", "?") else ""
    return "logits" if (takes, last, loss.of) == ("probabilities", "sigmoid", "probabilities") else ""


def noted(network: Network, code: str) -> Iterator[tuple[str | None, str]]:
    """Yield what the reader of programs noted of a model: the layer, if it is of one, and the words."""
    return ((note.layer, note.message) for note in network.model.notes if note.code == code)
