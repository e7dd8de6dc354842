"""What is said of a layer where it stands: its arguments, its targets, and the view of it that hints get."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from layerexplain.errors import LayerExplainError, in_a_row
from layerexplain.lang.axes import Shape
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import RefusedValue
from layerexplain.layers.hints import NO_HINTS, WATCH, Hints, LayerInModel
from layerexplain.layers.keras.fit_data import loss_at, loss_name, suited_losses
from layerexplain.layers.keras.losses import loss_of
from layerexplain.model import CallKey, Layer, Training
from layerexplain.network.scope import declaration_of
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple
from layerexplain.report.compared import compared_shape
from layerexplain.report.data import LayerReport
from layerexplain.report.objective import OfWeight, holders, setting_formula, settings_of
from layerexplain.report.settings import setting_of, setting_text, usual_initializer
from layerexplain.report.training_data import setting_of_output
from layerexplain.weights.matched import layer_expression

# Hints --------------------------------------------------------------------------------------------------------------


class Neighbours:
    """A network with the layers that read each layer, and which layer loses the mask that one misses. It is made once
    for all the layers of a network, so that a hint takes no longer in a longer one."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.outputs = {ref.layer for ref in network.model.outputs}
        self.readers: dict[str, dict[str, None]] = {}
        for call in network.calls:
            for ref in call.sources:
                self.readers.setdefault(ref.layer, {})[call.name] = None
        self.lost = network.lost
        self.missed = {name: loser for loser, lost in reversed([*network.lost.items()]) for name in lost.readers}
        self._unknown: dict[CallKey, str | None] = {}
        for call in network.calls:
            if None in call.outputs:
                here = call.name if call.sources else None
                self._unknown[call.call.key] = self.first_unknown([call], here)

    def first_unknown(self, calls: Sequence[TracedCall], here: str | None = None) -> str | None:
        """Return the layer before these calls that is the first of unknown shape; None for an input of the model, and
        `here` where there is none."""
        sources = (ref.key for call in calls for ref in call.sources)
        return next((self._unknown[source] for source in sources if source in self._unknown), here)


class Placed(NamedTuple):
    """A layer with its row and its calls, the network around it, and whether it or a model around it is frozen."""

    row: LayerReport
    layer: Layer
    calls: Sequence[TracedCall]
    around: Neighbours
    frozen: bool

    @property
    def path(self) -> str:
        """The names that lead to it."""
        return self.row.path

    @property
    def definition(self) -> Definition | None:
        """What it computes at its first call."""
        return self.calls[0].definition if self.calls else None

    def seen(self, definition: Definition, gradients: Sequence[str] = ()) -> LayerInModel:
        """Return the layer as hints ask for it, with the gradients that are printed for it."""
        name, around = self.layer.name, self.around
        own = around.network.calls_of(name)
        before = around.network.calls_of(own[0].sources[0].layer) if own and own[0].sources else ()
        return LayerInModel(
            name,
            self.layer.type,
            self.layer.config,
            definition,
            params=self.row.params,
            expression=layer_expression([name]),
            trained=frozenset([weight.name for weight in self.row.weights if weight.trainable is not False]),
            source=before[0].definition if before else None,
            readers=[around.network.layer(reader) for reader in around.readers.get(name, ())],
            gradients=gradients,
        )


# Argument words -----------------------------------------------------------------------------------------------------
# What an argument that is set does where the formula does not show it, a sentence for each name of an argument.


class _Set(NamedTuple):
    """An argument that is set: its name and value, the layer that it is of, and whether that has weights."""

    name: str
    value: Any
    layer: Layer
    weights: tuple[Expr, ...]

    @property
    def text(self) -> str:
        """`unroll=True`."""
        value = tuple(self.value) if isinstance(self.value, list) else self.value
        return f"{self.name}={value!r}"


_Words = Callable[[_Set], str]


def _fixed(words: str) -> _Words:
    return lambda item: f"{item.text} {words}"


_ONLY_SPEED = _fixed("changes no value, only speed and memory.")
_STARTS_OTHERWISE = _fixed("shapes the values with which the weights start.")
_ONLY_FILES = _fixed("changes no value: a file keeps it for loading the layer.")

_WORDS: Mapping[str, tuple[Any, _Words]] = {
    "unroll": (False, _fixed("changes no value without a mask: the steps are written out, which is faster and takes "
                             "more memory.")),
    "implementation": (2, _fixed("changes no value, only how the products are grouped.")),
    "use_cudnn": ("auto", _ONLY_SPEED),
    "flash_attention": (None, _ONLY_SPEED),
    "fused": (None, _ONLY_SPEED),
    "seed": (None, _fixed("makes the random numbers the same in each run, and changes nothing else.")),
    "unit_forget_bias": (True, _fixed("lets the biases of the forget gate start at 0 (default 1): a new cell keeps "
                                      "half of its memory at each step.")),
    "noise_shape": (None, _fixed("draws one random number for all of an axis of size 1: these are dropped together.")),
    "synchronized": (False, _fixed("in training on several devices, takes mean and variance over all their batches.")),
    "virtual_batch_size": (None, _fixed("normalizes the batch in parts of this size, in training.")),
    "adjustment": (None, _fixed("is a function that scales and shifts the values in training; it is not read.")),
    "renorm_momentum": (0.99, _fixed("is the share of its statistics that batch renormalization keeps at an update.")),
    "bounding_box_format": ("xyxy", _fixed("changes no image: it says how bounding boxes are written.")),
    "input_length": (None, _fixed("is the number of ids of an example; the parameters do not depend on it.")),
    "sparse": (False, _fixed("returns the same values as a sparse tensor.")),
    "encoding": ("utf-8", _fixed("changes no value: it says how a vocabulary is read.")),
    "vocabulary_dtype": ("int64", _ONLY_FILES),
    "has_input_vocabulary": (None, _ONLY_FILES),
    "autocast": (True, _fixed("does not cast floating-point inputs; by default they are cast to the dtype.")),
    "window": ("hann", _STARTS_OTHERWISE),
    "periodic": (False, _STARTS_OTHERWISE),
    "scaling": ("density", _STARTS_OTHERWISE),
    "data_format": ("channels_last", _fixed("changes no formula at inference, only where random images are drawn.")),
    "lora_rank": (None, _fixed("adds nothing here: Keras has no LoRA for this layer.")),
    "lora_alpha": (
        None,
        lambda item: "" if item.layer.config.get("lora_rank") else f"{item.text} changes nothing without lora_rank.",
    ),
    "dropout": (0, lambda item: _dropped(item, "values of each step's input", "attention weights")),
    "recurrent_dropout": (0, lambda item: _dropped(item, "values of the state")),
    "weights": (None, lambda one: "weights=… are the values with which the weights start."),
}  # fmt: skip
"""For each argument its default, and what is said of another value."""

_BESIDES_THE_FORMULA = frozenset({"noise_shape", "lora_alpha", "dropout", "recurrent_dropout", "unroll"})
"""Arguments that are explained although the formula has them."""

_IN_A_TOUR = frozenset({"dropout", "recurrent_dropout"})
"""Arguments of which a tour speaks too."""


def _dropped(item: _Set, of_steps: str, otherwise: str = "") -> str:
    """Say which values a layer sets to 0 in training; of PyTorch's layers their own sentences say it."""
    declaration = declaration_of(item.layer)
    if declaration is None or item.layer.type.startswith("torch."):
        return ""
    recurrent = "recurrent_dropout" in declaration.arguments
    what = of_steps if recurrent else otherwise
    same = ", the same ones at all steps" if recurrent else ""
    return f"{item.text}: in training, sets {what} to 0 with probability {item.value:g}{same}."


_START = {
    "Zeros": "at 0",
    "Ones": "at 1",
    "Constant": "at one constant",
    "Identity": "as the identity matrix",
    "GlorotUniform": "from a uniform distribution within ±sqrt(6 / (fan_in + fan_out))",
    "GlorotNormal": "from a normal distribution of deviation sqrt(2 / (fan_in + fan_out))",
    "HeUniform": "from a uniform distribution within ±sqrt(6 / fan_in), which keeps the variance through relu",
    "HeNormal": "from a normal distribution of deviation sqrt(2 / fan_in), which keeps the variance through relu",
    "LecunUniform": "from a uniform distribution within ±sqrt(3 / fan_in)",
    "LecunNormal": "from a normal distribution of deviation sqrt(1 / fan_in)",
    "Orthogonal": "as a random orthogonal matrix, which keeps lengths",
    "RandomUniform": "from a uniform distribution",
    "RandomNormal": "from a normal distribution",
    "TruncatedNormal": "from a normal distribution cut off at two deviations",
    "VarianceScaling": "with a variance scaled to the number of inputs or outputs",
}
"""Where the values of an initializer start."""


def argument_words(at: Placed, definition: Definition) -> Hints:
    """Return the sentences on what is set of a layer, and of the layers that it holds."""
    said = [(kind, text) for kind, text in dict.fromkeys(_said(at, definition)) if text]
    watch = tuple([text for kind, text in said if kind == WATCH])
    return NO_HINTS._replace(all=tuple([text for _, text in said]), watch=watch)


def _said(at: Placed, definition: Definition) -> Iterator[tuple[str, str]]:
    if at.frozen or at.layer.frozen or not at.layer.config.get("trainable", True):
        yield WATCH, _frozen(at, definition)
    for _, layer in holders(at.layer):
        for name, value in layer.config.items() if layer.kind != "custom" else ():  # whose arguments may mean anything
            default, words = _WORDS.get(name, (None, None))
            declaration = declaration_of(layer)
            shown = declaration is not None and name in declaration.arguments and name not in _BESIDES_THE_FORMULA
            if words is not None and not shown and value is not None and value != default:
                prefix = "" if layer is at.layer else f"{layer.type}: "
                yield WATCH if name in _IN_A_TOUR else "", prefix + words(_Set(name, value, layer, definition.weights))
    for term in settings_of(at.layer, "initializer"):
        yield "", _start(term, definition)
    for term in settings_of(at.layer, "regularizer"):
        yield WATCH, _penalty(term, definition)
    for term in settings_of(at.layer, "constraint"):
        yield "", _constraint(term, definition)


def _frozen(at: Placed, definition: Definition) -> str:
    if at.layer.type.startswith("torch."):
        which = in_a_row(at.layer.frozen) if at.layer.frozen else "the weights"
        return (
            f"Frozen (requires_grad=False): training does not change {which}; gradients still pass to earlier layers."
        )
    if not definition.weights:
        return "trainable=False changes nothing: the layer has no weights."
    declaration = declaration_of(at.layer)
    if declaration is not None and declaration.facts.frozen_as_inference:
        return (
            "Frozen (trainable=False): training uses the stored statistics, as inference does, and updates neither "
            "them nor the other weights."
        )
    return "Frozen (trainable=False): training does not change the weights; gradients still pass to earlier layers."


def _weights_of(term: OfWeight, definition: Definition) -> list[Expr]:
    return [weight for weight in definition.weights if term.is_for(weight)]


def _start(term: OfWeight, definition: Definition) -> str:
    setting, weights = setting_of(term.value), _weights_of(term, definition)
    usual = usual_initializer(term.holder.type, str(weights[0].attrs["name"]) if weights else term.of)
    if setting is None or (usual is not None and usual.name == setting.name and not setting.config):
        return ""
    if not weights:
        return _without_weight(term, "initializer")
    how = _START.get(setting.name, "from a function that is not read")
    starts = "starts" if len(weights) == 1 else "start"
    return f"{term.of}_initializer={setting_text(setting)}: {_symbols(weights)} {starts} {how}."


def _symbols(weights: Sequence[Expr]) -> str:
    return in_a_row(weight.label for weight in weights)


def _penalty(other: OfWeight, definition: Definition) -> str:
    weights = _weights_of(other, definition)
    on_output = other.of == "activity"
    setting = setting_of(other.value)
    if setting is None:
        return ""
    if not on_output and not weights:
        return _without_weight(other, "regularizer")
    term = "a term of the loss" if on_output or len(weights) == 1 else "terms of the loss"
    what = "the output, divided by the number of examples" if on_output else _symbols(weights)
    shape = next(iter(definition.results.values())).shape if on_output else weights[0].shape
    does = _described("regularizer", other.value, shape)
    does = does.replace("weights", "values") if on_output else does
    return f"{other.of}_regularizer={setting_text(setting)}, {term} for {what}: {does}."


def _constraint(term: OfWeight, definition: Definition) -> str:
    setting, weights = setting_of(term.value), _weights_of(term, definition)
    if setting is None:
        return ""
    if not weights:
        return _without_weight(term, "constraint")
    does = _described("constraint", term.value, weights[0].shape)
    return f"{term.of}_constraint={setting_text(setting)}, on {_symbols(weights)} after each update: {does}."


def _without_weight(term: OfWeight, kind: str) -> str:
    return f"{term.of}_{kind}={setting_text(setting_of(term.value))} changes nothing: there is no such weight."


def _described(kind: Any, value: Any, shape: Any) -> str:
    """Return what a regularizer or a constraint does, as its declaration says it."""
    from layerexplain.derive.gist import sentence

    try:
        _, definition = setting_formula(kind, value, shape)
    except (LayerExplainError, RefusedValue):
        return "applies a function that is not read"
    does = sentence(definition).removesuffix(".")
    return does[:1].lower() + does[1:]


# Targets ------------------------------------------------------------------------------------------------------------
# What comes out of a model, and which targets fit it: the hint on its last layers.


def targets(at: Placed, definition: Definition) -> tuple[str, ...]:
    """Return the hint on a layer whose result is an output of the whole model; none for a layer on its own."""
    calls = at.around.network.calls_of(at.layer.name)
    if at.row.depth or not calls or at.layer.name not in at.around.outputs:
        return ()
    if at.around.network.model.format == "layer":
        return ()
    shape = next(iter(definition.results.values())).shape
    if at.around.network.model.framework == "torch":
        return (f"An output of the model{_in_torch(at, shape, has_weights=bool(definition.weights))}.",)
    given = definition.arguments.get("activation")
    function = "softmax" if at.layer.type == "Softmax" else getattr(given, "name", given)
    training = at.around.network.model.training or Training()
    return (f"{_in_keras(training, at.layer.name, function, shape)}.{_per_step(calls[0], at.around.network)}",)


def _in_keras(training: Training, name: str, function: object, shape: Shape) -> str:
    """Say with which targets the compiled loss compares an output; where none is stated, which losses suit it."""
    setting = setting_of_output(training, name)
    loss = None if setting is None else loss_at(setting.name, shape)
    if loss is not None:
        return f"An output of the model; {loss_name(loss)} compares it with {loss.targets(shape)}"
    if setting is not None:
        return f"An output of the model; which targets its loss {setting.name} takes is not known"
    if training.losses and training.are_all:
        return "An output of the model, which has no loss: fit() takes no targets for it"
    suited = [loss for other in suited_losses(str(function)) if (loss := loss_of(other))]
    each = [f"{loss_name(loss)} takes {loss.targets(shape)}" for loss in suited]
    return ". ".join(["An output of the model; no loss stated", *each])


def _in_torch(at: Placed, shape: Shape, *, has_weights: bool) -> str:
    """Say with which targets PyTorch's losses compare an output: the loss of the program, else those that take it,
    where the program trains nothing; of a language model, what its scores are."""
    network = at.around.network
    tables = [call.definition for call in network.calls if network.layer(call.name).type == "TokenEmbedding"]
    tokens = [table.weights[0].shape[0] for table in tables if table is not None and table.weights]
    if tokens:
        scores = f": at each position a score for each of the {shape[-1]:,} tokens that may come next"
        return scores if shape[-1] == tokens[0] else ""
    training = at.around.network.model.training
    setting = None if training is None else setting_of_output(training, at.layer.name)
    loss = None if setting is None else loss_of(setting.name)
    compared = shape if setting is None else compared_shape(shape, setting)
    if loss is not None and compared is not None:
        return f"; {loss.name} compares it with {loss.targets(compared)}"
    if training is not None and (training.losses or training.optimizer is not None):
        return ""  # it is trained with a loss that is not known
    last = at.layer.type.rpartition(".")[2].lower().replace("_", "")
    classes = f"class numbers of shape {shape_text(shape[:1])}"
    if last == "softmax":
        return (
            "; to train on classes, CrossEntropyLoss takes the scores before the softmax, NLLLoss what log_softmax "
            "gives in its place"
        )
    if last == "logsoftmax" and len(shape) == 2:
        return f"; NLLLoss takes it, with {classes}"
    if last == "sigmoid":
        return f"; BCELoss compares it with 0.0 or 1.0, of shape {shape_text(shape)}"
    if len(shape) != 2 or not has_weights:
        return ""
    numbers = f"MSELoss with numbers of shape {shape_text(shape)}"
    if shape[1] == 1:
        return f"; {numbers}, BCEWithLogitsLoss with 0.0 or 1.0 of that shape"
    return f"; if it is scores of classes, CrossEntropyLoss takes it with {classes}; if it is numbers, {numbers}"


def _per_step(call: TracedCall, network: Network) -> str:
    """Say whether there is a target for each step or for each example, as the recurrent layer before it has it.

    Between the two stand only layers that take both.
    """
    current: TracedCall | None = call
    while current is not None:
        arguments = _recurrent(current)
        if arguments is not None:
            now, other = "example", "step"
            if arguments.get("return_sequences"):
                now, other = other, now
            change = f"return_sequences={now == 'example'} in '{current.name}' gives one for each {other}"
            return f" One target for each {now}; {change}."
        if current.declaration is None or current.declaration.mask != "pass" or current.declaration.holds:
            return ""
        current = network.call(current.sources[0]) if current.sources else None
    return ""


def _recurrent(call: TracedCall) -> Mapping[str, Any] | None:
    """Return the arguments of a recurrent layer, also in Bidirectional; None for other layers."""
    declaration, definition = call.declaration, call.definition
    if declaration is None or definition is None or not declaration.takes_states:
        return None
    inner = definition.arguments.get("layer")
    return definition.arguments if inner is None else inner.config
