"""The interface to the framework that formulas are compared with, and how Keras is imported for it.

Tensors and weights are the framework's own; `value` converts them to arrays. What a method does here is right for a
framework without masks, states between calls and nested models.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Protocol

from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import Shape
from layerexplain.lang.definition import Definition
from layerexplain.model import Note
from layerexplain.network.traced import Network
from layerexplain.records import NamedTuple
from layerexplain.run.gradients import GradientStep
from layerexplain.run.weight_source import WeightSource

# Reference ----------------------------------------------------------------------------------------------------------

Weights = Literal["of the model", "drawn"]
"""The origin of a model's weights."""

Key = tuple[str, int]
"""A call: the name of its layer, and its number among the calls of this layer."""


class ReferenceOperation(Protocol):
    """A layer, or an operation between layers."""

    type: str
    """The name of its class."""
    is_layer: bool
    """Whether it is a layer."""
    compute_dtype: str
    """The dtype that it computes in."""

    def weights(self, definition: Definition | None = None) -> list[Any]:
        """Return all of its weights, or those of a definition in the definition's order."""

    def states(self, definition: Definition) -> list[Any]:
        """Return the values of the states that it keeps between calls, in the definition's order, as arrays."""
        return []

    def fault(self, config: Mapping[str, Any], values: Sequence[Any], *, shapes_agree: bool) -> str | None:
        """Return the known fault of the framework that affects it, as text; None if there is none."""
        return None


class ReferenceGradients(NamedTuple):
    """The gradients of a call: of its tensors and of a formula's weights (None where none comes back), given `seeds`
    for its results."""

    seeds: list[Any]
    of_inputs: list[Any]
    of_weights: list[Any]


class TrainingStep(NamedTuple):
    """A training step: the loss, and by the path and the number of each weight its gradient (None where none comes
    back) and its value after the step (None where no optimizer was given)."""

    loss: float
    gradients: Mapping[tuple[tuple[str, ...], int], Any]
    new: Mapping[tuple[tuple[str, ...], int], Any] | None


class ReferenceGraph(Protocol):
    """A model of the framework, fed with inputs and run call by call."""

    framework: str
    """The framework's name, as people write it."""
    input_names: list[str]
    """The names of the inputs, in the model's order."""

    def calls(self) -> Mapping[Key, ReferenceOperation]:
        """Return all calls except inputs, with the operation of each."""

    def make_when_needed(self, keys: Iterable[Key]) -> None:
        """Run these calls only when their results are needed."""
        return

    def arguments(self, key: Key) -> list[Any] | None:
        """Return the input tensors of a call; None if one was not computed."""

    def enter(self, key: Key, arguments: Sequence[Any]) -> ReferenceGraph | None:
        """Return the nested model of a call, fed with its inputs; None if it is not a model or cannot be entered."""
        return None

    def run(self, key: Key) -> list[Any]:
        """Run a call and keep its results. Raises whatever the framework raises."""

    def gradients(
        self, key: Key, given: Sequence[Any], definition: Definition, draw: Callable[..., Any], *, training: bool
    ) -> ReferenceGradients:
        """Return the gradients of a call by the tensors that it was `given` and by a definition's weights. Those of its
        results that are floats are drawn: `draw(size=shape)`. Raises whatever the framework raises."""

    def keep(self, key: Key, outputs: Sequence[Any]) -> None:
        """Keep the results of a call."""

    def tensor(self, layer: str, call: int, output: int) -> Any:
        """Return a tensor, or None if it was not computed."""

    def outputs(self) -> list[Any]:
        """Return the model's outputs, in its order; None for each that was not computed."""

    def output_of(self, layer: str, call: int, output: int) -> int | None:
        """Return the index of the model output that a tensor is, or None."""

    def value(self, tensor: Any) -> Any:
        """Return a tensor or a weight as an array."""

    def mask(self, tensor: Any) -> Any:
        """Return the mask that a tensor carries, or None."""
        return None

    def given_mask(self, key: Key) -> Any:
        """Return the mask that a call was given when the model was built, or None."""
        return None

    def dtype(self, tensor: Any) -> str:
        """Return the name of a tensor's dtype."""


class Reference(Protocol):
    """A model of the framework, ready to run. Arrays are in the order of a network's inputs and outputs."""

    framework: str
    weights: Weights
    notes: tuple[Note, ...]
    version: str
    backend: str
    """What the framework computes with, and its version."""

    def build(self, input_shape: Callable[[], Shape | None]) -> None:
        """Give the model a graph if it has none before its input is known."""
        return

    def graph(self, network: Network, arrays: Sequence[Any]) -> ReferenceGraph:
        """Return its graph, fed with inputs."""

    def run(self, network: Network, arrays: Sequence[Any]) -> list[Any]:
        """Return the outputs of the whole model at once. Raises whatever the framework raises."""

    def set_states(self, seed: int | None) -> None:
        """Set the states that layers keep between calls to values that are drawn from a seed, without one to 0."""
        return

    def states(self, network: Network) -> list[Any]:
        """Return the values of these states, in the order of the network's own definition."""
        return []

    def step(self, gradient_step: GradientStep) -> TrainingStep:
        """Return the same training step as was made by the formulas; the weights are as before afterwards. Raises
        whatever the framework raises."""

    def weight_source(self) -> WeightSource:
        """Return its weights for a run of the formulas."""

    def arrays(self, network: Network) -> list[Any]:
        """Return the values of the weights of all layers, in the order of the network's own definition."""

    def count_params(self) -> int | None:
        """Return the framework's own count of parameters; None if it has none."""


# Keras import -------------------------------------------------------------------------------------------------------
# Import real Keras when needed, without its log output.

HOW_TO_GET_IT = "pip install tensorflow"


def load_keras() -> Any:
    """Return the module `keras` of Keras 3. Raises LayerExplainError, with how to install it, if it is missing."""
    keras = sys.modules.get("keras")
    if keras is None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # TensorFlow's plain kernels. On some processors those of oneDNN (TensorFlow 2.21) refuse transposed
        # convolutions with an output_padding, run windows that do not fit, and crash in an adaptive pooling.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
        with silence():
            keras = _imported()
            # The backend detects its devices, and logs it, at the first tensor.
            keras.ops.zeros((1,))
    if not str(getattr(keras, "__version__", "")).startswith("3."):
        version = getattr(keras, "__version__", "of an unknown version")
        raise LayerExplainError(f"Keras 3 is required, found version {version}: {HOW_TO_GET_IT}")
    return keras


def _imported() -> Any:
    try:
        import keras
    except ImportError as error:
        what = f" ({error.name} is missing)" if error.name not in (None, "keras") else ""
        raise LayerExplainError(f"Keras is required and not installed{what}; {HOW_TO_GET_IT}") from None
    return keras


@contextmanager
def without_warnings() -> Iterator[None]:
    """Suppress warnings of Keras and TensorFlow, such as lost masks and retraced graphs, while models are tried."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def silence() -> Iterator[None]:
    """Discard standard error, where TensorFlow's libraries write before logging can be configured.

    Exceptions still propagate. With LAYEREXPLAIN_DEBUG set, everything is shown.
    """
    if os.environ.get("LAYEREXPLAIN_DEBUG", "") not in ("", "0"):
        yield
        return
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def first_line(error: BaseException) -> str:
    """Return an error of Keras as one line: the first that says what is wrong."""
    # If Keras cannot create an object, the cause follows its whole configuration.
    message = str(error).rpartition("Exception encountered: ")[2]
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in message.splitlines()]
    # TensorFlow prepends the node of its graph.
    lines = [re.sub(r"^\{\{\w+ .*?\}\}(?: in wrapper)?\s*", "", line) for line in lines]
    said = [line for line in lines if line and not line.startswith("Exception encountered when calling")]
    text = said[0] if said else type(error).__name__
    if text.endswith((",", ":")) and len(said) > 1:  # the sentence continues
        text = f"{text} {said[1]}"
    return text if len(text) <= 300 else text[:299] + "…"
