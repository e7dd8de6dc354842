"""Loops of training with tf.GradientTape: which loss they compute of which output, and what the optimizer changes.

The program is read once more for them. In that reading a model that is called on data gives tensors, which lead through
the recorded operations to the loss.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeGuard

from layerexplain.errors import LayerExplainError, in_a_row
from layerexplain.frontends.code.library import keras_names
from layerexplain.frontends.code.recorder.emit import settings
from layerexplain.frontends.code.recorder.shapes import DEEPEST, declaration_of
from layerexplain.frontends.code.recorder.tracing import graphs_of, parts_of
from layerexplain.frontends.code.values.base import Arguments, Evaluator, Identity, Keywords, ProgramValue, Unknown
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Node, Tensor, tensors_in
from layerexplain.frontends.code.values.objects import Setting
from layerexplain.frontends.code.values.operators import each_in
from layerexplain.frontends.code.values.program import Bound
from layerexplain.frontends.code.values.reading import Exhausted, walk
from layerexplain.frontends.training import with_training
from layerexplain.layers.registry import find, part_of
from layerexplain.model import NUMBERS, Model, Note, Training, TrainingSetting
from layerexplain.records import NamedTuple

OF_TENSORFLOW = {
    "sparse_softmax_cross_entropy_with_logits": "SparseCategoricalCrossentropy",
    "softmax_cross_entropy_with_logits": "CategoricalCrossentropy",
    "sigmoid_cross_entropy_with_logits": "BinaryCrossentropy",
}
"""Functions of tf.nn that are losses of logits, and Keras's names of them."""
_MOST_STEPS = 100
_SAME = frozenset({"cast", "Cast", "convert_to_tensor", "ConvertToTensor"})
"""Functions that give a tensor of floats itself."""


class ModelVariables(Unknown):
    """The variables of a layer or a model."""

    owner: LayerValue | None = None

    def belong_to(self, model: LayerValue) -> bool:
        """Return whether a layer or a model has some of them."""
        owner = self.owner
        return owner is model or id(owner) in parts_of(model) or (owner is not None and id(model) in parts_of(owner))


class LossOfOutput(NamedTuple):
    """A loss beside an output of a model: the number of the output, and what a loop applies to it before."""

    model: ModelValue
    number: int
    setting: TrainingSetting


_Term = tuple[LossOfOutput, list[LayerValue], list[ProgramValue]]
"""A loss, the layers that it is computed with, and the variables that the tape is asked for."""


class TapeLoops:
    """The loops of training of one reading of a program; `are_followed` says that it is the one for them."""

    ATTRIBUTES = ("trainable_variables", "trainable_weights", "variables", "weights", "losses", "optimizer")

    def __init__(self) -> None:
        self.are_followed = False
        self.has_tape = False
        """Whether the program makes a tape: what it calls its models on are numbers."""
        self.descended: list[tuple[ProgramValue, list[ProgramValue]]] = []
        """Losses whose gradients the program asks for, and the variables."""
        self.updated: list[tuple[Setting, list[ProgramValue]]] = []
        """What the optimizers change."""

    def attribute(self, layer: LayerValue, name: str) -> ProgramValue:
        """Return an attribute of a layer that loops use."""
        if name == "optimizer":
            return LoopSetting("", {}, "optimizers", loops=self)
        return [] if name == "losses" else [ModelVariables(f"the variables of '{layer.name}'", owner=layer)]

    def call_on_data(self, model: ModelValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return tensors that stand for what a model gives for data."""
        graphs = graphs_of(model)
        unknown = graphs.interpreter.unknown("data")
        data = [graphs.recorder.new_input("data", unknown) for _ in args[:1]]
        node = graphs.recorder.bare_node(model, (*data, *args[1:]), kwargs)
        graph = graphs.graph(model)
        node.specs = [graphs.shapes.spec_of(tensor) for tensor in graph.outputs] if graph is not None else []
        return graphs.results(model, node) if model.form != "own" else node.result()

    def has_loss(self, model: ModelValue) -> bool:
        """Return whether a loop trains an output of a model."""
        ends = [*_ends(model)]
        return any(term.model in ends for loss, _ in self.descended for term in self.losses_in(loss)[0])

    def losses_in(self, loss: ProgramValue) -> tuple[list[LossOfOutput], list[LayerValue]]:
        """Return the losses that a value is computed from, each with the output that it compares; and all layers."""
        losses: list[LossOfOutput] = []
        layers: list[LayerValue] = []
        seen: set[int] = set()
        waiting = tensors_in(loss)
        while waiting and len(losses) < _MOST_STEPS:
            node = waiting.pop().node
            if id(node) in seen:
                continue
            seen.add(id(node))
            waiting += node.tensors()
            layers.append(node.layer)
            if (setting := _loss_of(node)) is not None and (compared := _compared(node, setting)) is not None:
                losses.append(compared)
        return losses, layers


def _ends(model: ModelValue) -> Iterator[ModelValue]:
    """Yield a model, the model inside that gives its output, and so on."""
    for _ in range(DEEPEST):
        yield model
        graph = graphs_of(model).graph(model)
        inner = graph.outputs[0].node.layer if graph is not None and len(graph.outputs) == 1 else model
        if inner is model or not _is_model(inner):
            return
        model = inner


def _is_model(layer: LayerValue) -> TypeGuard[ModelValue]:
    return isinstance(layer, ModelValue) and not layer.is_own_layer


def _compared(node: Node, setting: Setting) -> LossOfOutput | None:
    """Return which output of a model a loss compares; None where that is not known."""
    tensor = node.kwargs.get("y_pred", node.kwargs.get("logits", node.args[1] if len(node.args) > 1 else None))
    applied: list[TrainingSetting] = []
    while isinstance(tensor, Tensor):
        layer = tensor.node.layer
        if _is_model(layer):
            if node.layer.type in OF_TENSORFLOW:  # which does not know what made the numbers, as Keras's losses do
                applied.append(TrainingSetting("tf.identity"))
            line = graphs_of(layer).interpreter.locate(node.place).line
            return LossOfOutput(layer, tensor.index, TrainingSetting("", settings(setting), line, tuple(applied)))
        tensors = tensor.node.tensors()
        if layer.config.get("function", layer.type) not in _SAME:
            applied.insert(0, _applied(tensor.node, len(tensors)))
        tensor = next(iter(tensors), None)
    return None


def _loss_of(node: Node) -> Setting | None:
    """Return the loss that a call computes: an object that is called, or a function; None for any other call."""
    name = OF_TENSORFLOW.get(node.layer.type, node.layer.type)
    if node.layer.kind != "custom" or node.layer.config or part_of("losses", name) is None:
        return node.layer.config.get("loss")
    arguments = {**dict(zip(keras_names.arguments(f"losses.{name}"), node.args, strict=False)), **node.kwargs}
    config = {
        key: value for key, value in arguments.items() if not tensors_in(value) and not isinstance(value, Unknown)
    }
    return Setting(name, config | ({"from_logits": True} if name != node.layer.type else {}), "losses")


def _applied(node: Node, count: int) -> TrainingSetting:
    """Return a function that a loop applies to an output, as compared.py reads it."""
    declaration, graphs = declaration_of(node.layer), graphs_of(node.layer)
    line = graphs.interpreter.locate(node.place).line
    if declaration is None or count != 1:
        return TrainingSetting("", {}, line)
    try:
        bound, _, _ = graphs.shapes.bound(node, declaration)
    except (LayerExplainError, TypeError, ValueError):
        return TrainingSetting("", {}, line)
    numbers = {NUMBERS: bound.constants} if bound.constants else {}
    config = dict(node.layer.config)
    function = config.pop("function", None)
    name = declaration.type if function is None else f"tf.{function}"
    return TrainingSetting(name, {**config, **bound.config, **numbers}, line)


class LoopSetting(Setting):
    """A loss or an optimizer in a reading for loops."""

    loops: Any = None

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        result = super().call(evaluator, args, kwargs, whole)
        if isinstance(result, Tensor) and self.path.startswith("losses"):
            result.node.layer.config["loss"] = self
        return result

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if name in ("apply_gradients", "apply", "minimize"):
            variables = [item for item in each_in([args, kwargs]) if isinstance(item, ModelVariables)]
            self.loops.updated.append((self, variables))
            if name == "minimize":
                self.loops.descended.append((args[0] if args else kwargs.get("loss"), variables))
        return super().call_method(evaluator, name, args, kwargs)


class GradientTape(Identity):
    """A tf.GradientTape."""

    def __init__(self, loops: TapeLoops) -> None:
        self.loops = loops

    @contextmanager
    def entered(self, evaluator: Any) -> Iterator[None]:
        events = evaluator.effects.model_events  # a round of training changes no model
        evaluator.followed_calls.append(evaluator.frameworks[0])
        try:
            yield
        finally:
            evaluator.followed_calls.pop()
            evaluator.effects.model_events = events

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if name != "gradient":
            return None
        loss, sources = [*args, *kwargs.values(), None, None][:2]
        self.loops.descended.append((loss, each_in(sources)))
        if len(self.loops.descended) > _MOST_STEPS:
            raise Exhausted(f"asks a tape for gradients more than {_MOST_STEPS} times")
        gradients = [evaluator.unknown("a gradient") for _ in each_in(sources)]
        return gradients if type(sources) in (list, tuple) else gradients[0] if gradients else None


_APPLY = frozenset({"apply_gradients", "apply", "minimize", "assign", "assign_sub", "assign_add", "set_weights"})


def has_tape(tree: ast.AST) -> bool:
    """Return whether a program makes a tf.GradientTape."""
    return any("GradientTape" in (getattr(node, "attr", ""), getattr(node, "id", "")) for node in walk(tree))


def with_loops(model: Model, value: ModelValue, loops: TapeLoops, tree: ast.AST) -> Model:
    """Return a model with the loss and the optimizer of the loops that train it, and notes on what they do not do. A
    step of its own may give other parts of it a loss, too."""
    ends = [*_ends(value)]
    own: list[_Term] = []
    for loss, variables in loops.descended:
        terms, layers = loops.losses_in(loss)
        own += [(term, layers, variables) for term in terms if term.model in ends]
    instance = value.instance
    if model.training is not None and instance is not None and instance.cls.find("train_step") is not None:
        model = model._replace(training=model.training._replace(are_all=False))
    if not own:
        return model
    optimizers = {repr(settings(setting)): setting for setting, changed in loops.updated if _has(changed, [value])}
    many = len({ref.layer for ref in model.outputs}) > 1
    by_output: dict[str, dict[str, TrainingSetting]] = {}
    for term, _, _ in own:
        if term.number < len(model.outputs):
            place = model.outputs[term.number].layer if many else ""
            same = repr((term.setting.config, [applied[:2] for applied in term.setting.applied]))
            by_output.setdefault(place, {})[same] = term.setting
    alone = {place: next(iter(each.values())) for place, each in by_output.items() if len(each) == 1}
    optimizer = settings(next(iter(optimizers.values()))) if len(optimizers) == 1 else None
    losses = {place: setting.config for place, setting in alone.items()}
    in_loops = with_training(model._replace(training=None), {"optimizer": optimizer, "loss": losses}).training
    stated = model.training or Training()
    if in_loops is not None:
        placed = {
            place: setting._replace(line=alone[place].line, applied=alone[place].applied)
            for place, setting in in_loops.losses.items()
        }
        training = stated._replace(optimizer=stated.optimizer or in_loops.optimizer, losses=stated.losses or placed)
        model = model._replace(training=training._replace(are_all=bool(stated.losses) and stated.are_all))
    notes = [Note(*note) for note in _faults(value, own, tree)]
    return model._replace(notes=(*model.notes, *notes))


def _faults(model: ModelValue, own: list[_Term], tree: ast.AST) -> Iterator[tuple[str, str | None, str]]:
    """Yield what a loop does not do for a model whose output it gives a loss."""
    code = "optimizer-of-another-model"
    if any(not _has(variables, layers) for _, layers, variables in own):
        yield code, None, "the tape is asked for variables that the loss does not depend on: each gradient is None"
    elif not any(getattr(node, "attr", "") in _APPLY for node in walk(tree)):
        yield code, None, "the loop computes the gradients of this model, and no optimizer applies them"
    layers = [layer for layer in parts_of(model).values() if _differs_in_training(layer)]
    says = [node for end in _ends(model) for node in end.nodes if "training" in node.kwargs or len(node.args) > 1]
    if layers and not says:
        names = in_a_row([f"'{layer.name}'" for layer in layers[:3]]) + " and others" * (len(layers) > 3)
        yield (
            "training-flag",
            layers[0].name,
            f"the model is called without training=True: {names} compute as in predict()",
        )


def _has(variables: list[ProgramValue], layers: Sequence[LayerValue]) -> bool:
    """Return whether some variables may be those of one of some layers and models."""
    known = [item for item in variables if isinstance(item, ModelVariables)]
    return len(known) < len(variables) or not known or any(item.belong_to(layer) for item in known for layer in layers)


def _differs_in_training(layer: LayerValue) -> bool:
    """Return whether a layer of Keras computes something else in training, unless it is frozen or told so."""
    declaration = find(layer.type) if layer.kind == "layer" else None
    if declaration is None or not declaration.training or not layer.trainable:
        return False
    return layer.config.get("rate", layer.config.get("dropout", 1)) != 0 and not any(
        "training" in node.kwargs for node in layer.nodes
    )
