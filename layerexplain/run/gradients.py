"""One training step in numbers: the loss, what reaches each layer, the gradient of each weight, the update."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from layerexplain.attribute_path import weight_name
from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.frontends.training import trained_with
from layerexplain.lang.expr import Expr
from layerexplain.lang.visit import is_random
from layerexplain.layers.arguments import RefusedValue
from layerexplain.layers.keras.optimizer_declaration import InnerDeclaration
from layerexplain.model import Layer, Model, Note, TensorRef, Training
from layerexplain.network.traced import Network
from layerexplain.report.explanation import said_of_training
from layerexplain.report.objective import OfWeight, OutputLoss, output_losses, setting_formula, settings_of, short_float
from layerexplain.report.training_part import update_formulas
from layerexplain.run.activations import Activation, Progress, counted
from layerexplain.run.arrays import computed_in
from layerexplain.run.backpropagation import SentBack, Tape
from layerexplain.run.given_inputs import GivenInput
from layerexplain.run.objective import NoGradient, Term, added, output_term
from layerexplain.run.target_option import make_targets
from layerexplain.run.trace import RunnableModel, must_have_run, ready
from layerexplain.run.updates import (
    Slots,
    StoredOptimizer,
    Update,
    optimizer_of,
    slots_of_weights,
    stored_optimizer,
    updates,
)
from layerexplain.run.values_inside import Moves, moves_of
from layerexplain.weights.shared_weights import shared_weights
from layerexplain.weights.weighted_layers import weighted_layers

WeightKey = tuple[tuple[str, ...], int]
"""A weight: the names that lead to the layer that it is counted with, and its number there."""


class WeightGradient:
    """A weight of a model and its gradient, the sum of what all calls of all layers that use it send.

    `path` are the names that lead to its layer, `name` is its own, below the layer. `gradient` is None where none comes
    back, and `NoGradient` where it is not known. `new` is its value after the step, if one was made.
    """

    def __init__(self, path: tuple[str, ...], layer: Layer, leaf: Expr, value: Any, trainable: bool) -> None:
        self.path = path
        self.layer = layer
        self.leaf = leaf
        self.name = weight_name(leaf.attrs, layer)
        self.value = value
        self.trainable = trainable
        self.gradient: Any = None
        self.new: Any = None

    @property
    def where(self) -> str:
        """Its path as in reports: `encoder/dense/kernel`."""
        return "/".join((*self.path, self.name))

    @property
    def has_gradient(self) -> bool:
        """Whether a gradient came back, and it is known."""
        return self.gradient is not None and not isinstance(self.gradient, NoGradient)

    def receive(self, sent: Any) -> None:
        """Add what is sent to it."""
        self.gradient = added(self.gradient, sent)


class GradientStep:
    """A training step of a model that is ready to run. `forward` runs it, then `backward`; then it has the `terms`
    of the loss, the `weights` with their gradients, and after `update` their new values."""

    def __init__(
        self,
        running: RunnableModel,
        targets: Any,
        *,
        partial: bool = False,
        sample_weight: Any = None,
        stored: StoredOptimizer | None = None,
    ) -> None:
        self.running = running
        self.network: Network = running.activations.network
        self.partial = partial
        self.batch = running.batch
        self.notes: list[str] = []
        training = running.model.training or Training()
        definition, count = self.network.definition, len(self.network.model.outputs)
        self.masks = (definition.masks if definition is not None else ()) or (None,) * count
        self.losses = _losses(self.network, self.masks)
        self.targets: list[GivenInput] = make_targets(self.losses, targets, self.batch)
        self.sample_weight = sample_weight
        self.optimizer: InnerDeclaration | None = (
            None if training.optimizer is None else optimizer_of(training.optimizer)
        )
        self.stored = stored
        """What the source stores of its optimizer: the step goes on from there."""
        self.slots: Slots | None = None
        self.terms: list[Term] = []
        self.weights: dict[WeightKey, WeightGradient] = {}
        self.layers = {layer.path: layer for layer in weighted_layers(self.network)}
        shared = shared_weights(self.network)
        self._elsewhere = {} if shared is None else shared.first
        self.tape = Tape(
            running.activations,
            wanted=self.masks,
            logits=[(item.path, item.call) for item in self.losses if item.activation],
            frozen=[path for path, layer in self.layers.items() if layer.frozen],
            home=self._key,
        )

    @property
    def loss(self) -> float:
        """The loss: the sum of all terms, each with its factor."""
        return sum(term.weight * term.value for term in self.terms)

    def all_notes(self) -> list[Note]:
        """Return notes on what is not as in training, or not as in Keras."""
        return [
            Note("training", None, words)
            for words in dict.fromkeys([*self.notes, *_notes_of_training(self.network, set())])
        ]

    def forward(self, tell: Callable[[Activation], None], progress: Progress | None = None) -> None:
        """Run the model; `tell` gets each call of a layer."""
        for step in counted(self.tape.run(self.running.arrays), progress, 2 * self.tape.total):
            if not self.partial:
                must_have_run(step)
            if self.running.training and step.definition is not None and is_random(step.definition):
                self.notes.append(f"'{step.name}' draws random numbers from seed {self.tape.seed}; Keras draws others.")
            tell(step)
        self.notes += self._unknown_moves(read=True)

    def backward(self, tell: Callable[[SentBack], None], progress: Progress | None = None) -> None:
        """Compute the loss, and run the model backwards; `tell` gets what is found at each call.

        Raises:
            LayerExplainError: The loss, or without `partial` the gradient of a layer on the way, is not known.
        """
        outputs, logits = self._seeds()
        total = self.tape.total
        for sent in counted(self.tape.back(outputs, logits), progress, 2 * total, total):
            if sent.refusal and not self.partial:
                raise LayerExplainError(sent.refusal, layer=sent.name)
            self._keep(sent)
            tell(sent)
        self._regularize()
        self.terms += self.tape.penalties.terms
        self.notes += self.tape.penalties.notes

    def _seeds(self) -> tuple[list[Any], dict[Any, Any]]:
        """Return what the losses send to the outputs of the model, and to what their last function is applied to."""
        refs = list(self.network.model.outputs)
        outputs: list[Any] = [None] * len(refs)
        logits: dict[Any, Any] = {}
        root = self.tape.root
        for loss, target in zip(self.losses, self.targets, strict=True):
            at, number = (loss.path, loss.call), refs.index(loss.ref)
            output = self.tape.before_last.get(at) if loss.activation else self.tape.outputs[number]
            if output is None:
                raise LayerExplainError(f"the output '{loss.ref.layer}' has no values, so there is no loss")
            mask, leaf = None, self.masks[number]
            if leaf is not None and root is not None:
                tensor = root.tensor(leaf)
                mask = None if tensor is None else tensor.array
            term, sent = output_term(loss, target.array, output, mask, self._sample_weight(loss))
            self.terms.append(term)
            if loss.activation:
                logits[at] = added(logits.get(at), sent)
            else:
                outputs[number] = added(outputs[number], sent)
        return outputs, logits

    def _sample_weight(self, loss: OutputLoss) -> Any:
        import numpy as np

        given = self.sample_weight
        value = given.get(loss.ref.layer) if hasattr(given, "get") else given
        if value is None:
            return None
        array = np.asarray(value, "float32")
        if array.ndim == 0 or array.shape[0] != self.batch:
            raise ArgumentError(f"sample_weight needs {self.batch} weights, one for each example, got {array.shape}")
        return array

    def _keep(self, sent: SentBack) -> None:
        if sent.definition is None:
            return
        other = self.layers.get(sent.path)
        for number, (leaf, value) in enumerate(zip(sent.definition.weights, sent.stored, strict=True)):
            key = self._key(sent.path, number)
            if key not in self.weights:
                frozen = other is not None and other.frozen
                home = self.layers.get(key[0], other)
                trainable = bool(leaf.attrs["trainable"]) and not frozen
                layer = sent.layer if home is None else home.layer
                own = leaf if home is None else home.weights[key[1]]
                self.weights[key] = WeightGradient(key[0], layer, own, value, trainable)
            if self.weights[key].trainable:
                self.weights[key].receive(sent.weights[number])

    def weight_of(self, path: tuple[str, ...], number: int) -> WeightGradient | None:
        """Return a weight of a layer, which may be counted with another layer."""
        return self.weights.get(self._key(path, number))

    def _key(self, path: tuple[str, ...], number: int) -> WeightKey:
        first = self._elsewhere.get(path, {}).get(number)
        return (path, number) if first is None or first.weight is None else (first.path, first.number)

    def _regularize(self) -> None:
        for key, weight in self.weights_in_order():
            for term in settings_of(self.layers[weight.path].layer, "regularizer"):
                if weight.trainable and term.of != "activity" and term.is_for(weight.leaf):
                    weight.receive(self.tape.penalties.of_tensor(term.value, self.before_step(key), weight.where))

    def update(self) -> dict[str, Update]:
        """Give the weights that have a gradient their values after one step of the optimizer, and the running
        statistics of layers theirs; return the steps by the paths of the weights.

        Raises:
            LayerExplainError: It is not known which optimizer trains the model, or what it does.
        """
        if self.optimizer is None:
            raise ArgumentError("the source does not say which optimizer trains the model; give --optimizer NAME")
        keys = {weight.where: key for key, weight in self.weights.items() if weight.trainable and weight.has_gradient}
        trained = {where: self.weights[key] for where, key in keys.items()}
        try:
            self._go_on()
            updated = updates(
                self.optimizer,
                {where: self.before_step(key) for where, key in keys.items()},
                {where: item.gradient for where, item in trained.items()},
                self.slots,
            )
        except CannotEvaluate as why:
            raise LayerExplainError(f"the step of {self.optimizer.type} cannot be computed: {why}") from None
        for where, item in trained.items():
            item.new = self.constrained(item, updated[where].new)
        for key, value in self.tape.moved.items():
            if key in self.weights and self.weights[key].where not in trained:
                self.weights[key].new = value
        self.notes += self._unknown_moves(read=False)
        return updated

    def before_step(self, key: WeightKey) -> Any:
        """Return the value of a weight that the optimizer starts from: a layer may have stored another one in its
        forward pass."""
        return self.tape.moved.get(key, self.weights[key].value)

    def in_order(self) -> list[WeightGradient]:
        """Return the weights in Keras's order."""
        return [gradient for _, gradient in self.weights_in_order()]

    def weights_in_order(self) -> list[tuple[WeightKey, WeightGradient]]:
        """Return the weights in Keras's order, each with its key."""
        order = {path: i for i, path in enumerate(self.layers)}
        return sorted(self.weights.items(), key=lambda each: (order.get(each[0][0], 0), each[0][1]))

    def _go_on(self) -> None:
        """Take the slots and the learning rate from the source, if it stores them."""
        if self.stored is None or self.optimizer is None:
            return
        try:
            trainable = {gradient.where: gradient.value.shape for gradient in self.in_order() if gradient.trainable}
            formulas = update_formulas(self.optimizer, trainable.items())
            self.slots = slots_of_weights(self.stored, self.optimizer, dict(zip(trainable, formulas, strict=True)))
        except LayerExplainError as error:
            self.notes.append(f"This is a first step of the optimizer: {error.fact}.")
            return
        if self.slots.rate is not None:
            self.optimizer = self.optimizer.with_rate(short_float(self.slots.rate))

    def left_out(self) -> list[str]:
        """Return notes on what Keras's loss or gradients have and these do not."""
        return [*self._unknown_moves(read=True), *self.tape.penalties.notes]

    def _unknown_moves(self, *, read: bool) -> Iterator[str]:
        """Yield notes on layers that store new weights which are not computed: those that they `read`, or others."""
        for layer in self.layers.values():
            moves = Moves({}) if layer.definition is None else moves_of(layer.definition)
            if not (self.running.training and moves.unknown and moves.read is read):
                continue
            if read:
                message = (
                    "stores new weights at each step, and Keras continues from them; here every step starts from "
                    "the stored ones"
                )
                yield f"A layer inside '{layer.where}' {message}, so loss and gradients differ."
            else:
                yield f"The running statistics inside '{layer.where}' also change; these numbers leave that out."

    def constrained(self, gradient: WeightGradient, new: Any) -> Any:
        """Return what the constraints of a weight make of its new value."""
        for constraint in settings_of(gradient.layer, "constraint"):
            if constraint.is_for(gradient.leaf):
                new = self._constrained(gradient, constraint, new)
        return new

    def _constrained(self, gradient: WeightGradient, constraint: OfWeight, new: Any) -> Any:
        try:
            part, formula = setting_formula("constraint", constraint.value, new.shape)
            self.notes.append(f"'{gradient.where}' has a constraint: {part.type} changes it after the update.")
            (new,) = evaluate(formula, [new], [], Evaluation(1, computed_in(str(new.dtype))))
        except (RefusedValue, CannotEvaluate, LayerExplainError) as error:
            self.notes.append(f"The {constraint.of}_constraint of '{gradient.where}' is left out: {error}.")
        return new


@contextmanager
def ready_to_train(
    source: Any,
    model: Model,
    inputs: Any,
    targets: Any,
    *,
    loss: Any,
    optimizer: Any,
    training: bool,
    seed: int,
    max_memory: int | None,
    partial: bool = False,
    sample_weight: Any = None,
) -> Iterator[GradientStep]:
    """Open a source for a training step; its weights are open inside the `with`.

    Raises:
        LayerExplainError: With the source's name, here and while it runs.
    """
    try:
        model = trained_with(model, {"loss": loss, "optimizer": optimizer})
        with ready(source, inputs, seed=seed, model=model, max_memory=max_memory, training=training) as running:
            stored = stored_optimizer(source, model) if optimizer is None else None
            yield GradientStep(running, targets, partial=partial, sample_weight=sample_weight, stored=stored)
    except LayerExplainError as error:
        raise error.with_place(source=model.source or None) from None


def _losses(network: Network, masks: Sequence[Expr | None]) -> list[OutputLoss]:
    if not (network.model.training or Training()).losses:
        raise ArgumentError("the source does not say with which loss the model is trained; give --loss NAME")

    def refused(ref: TensorRef, fact: str) -> None:
        raise LayerExplainError(f"the loss of '{ref.layer}': {fact}")

    losses = list(output_losses(network, refused, masks))
    if not losses:
        listed = ", ".join(f"'{ref.layer}'" for ref in network.model.outputs)
        raise ArgumentError(f"no output of the model has a loss; its outputs are {listed}")
    return losses


def _notes_of_training(network: Network, seen: set[str]) -> Iterator[str]:
    """Yield notes on layers that work as at inference here, because no formula says what they do in training."""
    for traced in network.calls:
        if traced.network is not None:
            yield from _notes_of_training(traced.network, seen)
        declaration, definition = traced.declaration, traced.definition
        if declaration is None or definition is None or declaration.training:
            continue
        message = next(said_of_training(declaration, definition, []), None)
        if message is not None and traced.call.layer not in seen:
            seen.add(traced.call.layer)
            yield f"'{traced.call.layer}' runs in inference mode here; in training it {message.partition(';')[0]}."
