"""The sources of a run's weights (a file, a live model, numbers drawn from a seed), and how two of them differ."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, Protocol

from layerexplain.attribute_path import path_names, weight_name
from layerexplain.errors import LayerExplainError, SourceError, in_a_row
from layerexplain.frontends import read
from layerexplain.frontends.code.live_module import is_live_module
from layerexplain.frontends.keras.live_model import is_live_model
from layerexplain.frontends.keras.weight_files import content_of, open_weights
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.layers.registry import TORCH
from layerexplain.model import Layer, Model, Note
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network
from layerexplain.records import grouped
from layerexplain.report.comparison import WeightChange, WeightChanges
from layerexplain.run.initializers import beginning_of, drawn_weight
from layerexplain.weights.assign import in_keras_order
from layerexplain.weights.match import match
from layerexplain.weights.matched import MatchedWeights
from layerexplain.weights.shared_weights import shared_weights
from layerexplain.weights.weighted_layers import LiveWeights, module_weights, weighted_layers

# Weight source ------------------------------------------------------------------------------------------------------

Origin = Literal["of the file", "of the model", "drawn"]

DRAWN = (
    "the source {why}: weights begin as their initializers say, drawn from seed {seed}; the values show how the model "
    "computes, not what it has learned{unknown}"
)
_UNKNOWN_BACKEND = (
    "Keras 1 did not store its backend; kernels of convolutions are read as TensorFlow's; Theano's are turned "
    "by 180 degrees"
)


class WeightSource(Protocol):
    """Returns the weights of a layer as arrays, on demand."""

    @property
    def origin(self) -> Origin:
        """The origin of the weights."""

    notes: tuple[Note, ...]

    def arrays_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        """Return arrays for the definition's weights, in its order. `path` has the names that lead to the layer. Raises
        LayerExplainError if there are none."""


@contextmanager
def weight_source(source: Any, network: Network, seed: int, *, backend: str | None = None) -> Iterator[WeightSource]:
    """Open the weights of the source of `network`, inside the `with`.

    `source` is whatever `read` accepts, or a Model, whose file is opened where it was read; a file of weights that the
    network's model names comes before it. If the source stores no weights, they are drawn. `backend` is what Keras ran
    on ("theano"), where the file does not say it.
    """
    given = network.model.weights_file
    content = given or content_of(source)
    if content is None and is_live_module(source):
        result = _Stored(match(network, module_weights(source)))
        result.origin = "of the model"
        yield result
        return
    if content is None and is_live_model(source):
        yield LiveWeights(source)
        return
    if content is None:
        yield _Drawn(seed, "stores no weights", network)
        return
    with open_weights(content) as stored:
        if given and (stored is None or not stored.tensors):
            read(given)  # says what the file is, where it is no model either
            raise SourceError("stores no weights that are read", source=given)
        if stored is None or not stored.tensors:
            why = "stores none that can be read" if stored is not None and stored.notes else "stores no weights"
            drawn = _Drawn(seed, why, network)
            drawn.notes = (*(stored.notes if stored is not None else ()), *drawn.notes)
            yield drawn
        else:
            stored.backend = stored.backend or backend
            yield _Stored(match(network, stored))


def with_stored_buffers(model: Model) -> Model:
    """Return a model of code whose buffers are read from the file of weights that is given with it, where that has
    them; the values of the code are those of a new model."""
    if not model.weights_file or not any(layer.type == f"{TORCH}Buffer" for layer in model.layers):
        return model
    with open_weights(model.weights_file) as stored:
        names = set() if stored is None else {tensor.path for tensor in stored.parameters}

    def read(layer: Layer) -> Layer:
        is_stored = layer.type == f"{TORCH}Buffer" and layer.name in names
        config = {key: value for key, value in layer.config.items() if key != "values"}
        return layer._replace(config=config) if is_stored else layer

    return model._replace(layers=tuple(map(read, model.layers)))


class _Stored:
    """Weights of a file: each array is read when its layer is run."""

    origin: Origin = "of the file"

    def __init__(self, matched: MatchedWeights) -> None:
        self.matched = matched
        self.notes = (*(matched.stored.notes if matched.stored is not None else ()), *matched.notes)
        if matched.lacks_backend:
            self.notes = (*self.notes, Note("unknown-backend", None, _UNKNOWN_BACKEND))
        self._weights = grouped((weight.owner.path, weight) for weight in matched.weights)

    def arrays_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        own = self._weights.get(path, [])
        values = self.matched._replace(weights=tuple(own)).values("/".join(path))
        if len(values) > len(definition.weights):
            values = _joined_gates(values, definition)
        if len(values) != len(definition.weights):
            raise LayerExplainError(
                f"the file holds {len(values)} weights for it, but its formula needs {len(definition.weights)}",
                layer="/".join(path),
            )
        odd = next((value.dtype for value in values if value.dtype.kind == "c"), None)
        if odd is not None:
            raise LayerExplainError(f"it has weights of {odd}; real numbers are needed", layer="/".join(path))
        return in_keras_order(values, definition)


_GATES_APART = {12: ((0, 6, 3, 9), (1, 7, 4, 10), (2, 8, 5, 11)), 9: ((0, 3, 6), (1, 4, 7), (2, 5, 8))}
"""How the W, U and b that Keras 1 stored for each gate (LSTM: i, c, f, o; GRU: z, r, h) form the current kernel,
recurrent kernel and bias. Source: preprocess_weights_for_loading in Keras 2."""


def _joined_gates(values: list[Any], definition: Definition) -> list[Any]:
    """Concatenate the arrays of the gates if that results in the shapes that the formula needs; else return them
    unchanged. A Bidirectional has two sets of them, the forward one first."""
    import numpy as np

    sets, over = divmod(len(definition.weights), 3)
    order = _GATES_APART.get(len(values) // sets) if sets and not over else None
    if order is None or len(values) % sets:
        return values
    each = len(values) // sets
    joined = []
    for i, weight in enumerate(definition.weights):
        parts = [values[i // 3 * each + number] for number in order[i % 3]]
        if any(part.ndim == 0 or part.shape[:-1] != parts[0].shape[:-1] for part in parts):
            return values
        joined.append(np.concatenate(parts, axis=-1))
        if joined[-1].shape != tuple(weight.shape):
            return values
    return joined


class _Drawn:
    """Drawn weights: each depends only on the seed, the path of its (first) layer and its own name."""

    origin: Origin = "drawn"

    def __init__(self, seed: int, why: str, network: Network) -> None:
        self.seed = seed
        shared = shared_weights(network)
        self.first = shared.first if shared is not None else {}
        self.layers = {layer.path: layer.layer for layer in weighted_layers(network)}
        names = list(dict.fromkeys(_unknown_initializers(network)))
        more = f". Of {in_a_row(names)} the values are not known: the layers' defaults replace them" if names else ""
        self.notes: tuple[Note, ...] = (Note("drawn-weights", None, DRAWN.format(seed=seed, why=why, unknown=more)),)
        computed = [layer for layer in weighted_layers(network) if layer.layer.type == f"{TORCH}Buffer"]
        rows = [layer.layer.name for layer in computed if layer.weights]
        if rows:
            words = (
                f"the program computes the values of {in_a_row(rows)}, which layerexplain does not: random "
                "numbers replace them"
            )
            self.notes = (*self.notes, Note("drawn-weights", None, words))

    def arrays_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        elsewhere = self.first.get(path, {})
        return [
            self._one(path, number, weight)
            if (first := elsewhere.get(number)) is None or first.weight is None
            else self._one(first.path, first.number, first.weight)
            for number, weight in enumerate(definition.weights)
        ]

    def _one(self, path: tuple[str, ...], number: int, weight: Expr) -> Any:
        import numpy as np

        attrs = weight.attrs
        inside = path_names(attrs["path"], self.layers[path])
        name = f"{'/'.join(path)}/{'/'.join(inside)}/{attrs['name']}"
        rng = np.random.default_rng([self.seed, zlib.crc32(f"{number} {name}".encode())])
        shape = tuple(weight.shape)
        if weight.dtype.startswith(("int", "uint")):
            return rng.integers(1, 100, shape).astype(weight.dtype)
        beginning = beginning_of(self.layers[path], weight)
        values = drawn_weight(name, shape, rng) if beginning is None else beginning.values(shape, rng)
        return (abs(values) if attrs["positive"] else values).astype(np.float32)


def _unknown_initializers(network: Network) -> Iterator[str]:
    for layer in weighted_layers(network):
        for weight in layer.weights:
            beginning = beginning_of(layer.layer, weight)
            if beginning is not None and beginning.unknown:
                yield beginning.unknown


def stored_values(weights: WeightSource, path: str) -> dict[str, Any]:
    """Return the arrays that a file stores for a layer, by their names, whether or not a formula takes them."""
    if not isinstance(weights, _Stored) or weights.matched.stored is None:
        return {}
    read = weights.matched.stored.read
    return {weight.name: read(weight.tensor) for weight in weights.matched.of_layer(path) if weight.tensor is not None}


# Weight changes -----------------------------------------------------------------------------------------------------
# How the stored values of the weights of two models differ.


@contextmanager
def weight_changes(sources: tuple[Any, Any], models: tuple[Model, Model]) -> Iterator[WeightChanges]:
    """Open the weights of two sources, files or live models. Raises LayerExplainError for one that has none.

    Values are compared as the formulas take them, so that kernels which versions of Keras store in several orders are
    equal where they compute the same.
    """
    with ExitStack() as opened:
        functions = [
            opened.enter_context(_side(source, model, trace_model(model)))
            for source, model in zip(sources, models, strict=True)
        ]

        def changes(path: str, other: str) -> Iterator[WeightChange]:
            entry, two = functions[0](path), functions[1](other)
            for name, values in entry.items():
                if name in two and values.shape == two[name].shape:
                    yield from _compared(name, values, two[name])

        yield changes


_Values = Callable[[str], dict[str, Any]]
"""Gives the arrays of a layer by the names of its weights."""


@contextmanager
def _side(source: Any, model: Model, network: Network) -> Iterator[_Values]:
    with weight_source(source, network, seed=0) as weights:
        if weights.origin == "drawn":
            raise LayerExplainError("stores no weights that can be compared", source=model.source or None)
        layers = {layer.where: layer for layer in weighted_layers(network)}

        def values(path: str) -> dict[str, Any]:
            layer = layers.get(path)
            if layer is None:
                return {}
            if layer.definition is not None:
                try:
                    arrays = weights.arrays_of(layer.path, layer.definition)
                except LayerExplainError:
                    pass  # a file that lacks a weight, or has it in another shape: what it does have is compared
                else:
                    names = [weight_name(weight.attrs, layer.layer) for weight in layer.weights]
                    return dict(zip(names, arrays, strict=False))
            return stored_values(weights, path)

        yield values


def _compared(name: str, before: Any, after: Any) -> Iterator[WeightChange]:
    import numpy as np

    if before.dtype.kind not in "fiu" or after.dtype.kind not in "fiu":
        return
    a, b = before.astype(np.float64), after.astype(np.float64)
    changed = int(((a != b) & ~(np.isnan(a) & np.isnan(b))).sum())
    if not changed:
        return
    apart = float(np.nanmax(np.abs(a - b))) if np.isfinite(a - b).any() else float("nan")
    norms = [f"norm {np.sqrt(np.square(values).sum()):.4g}" for values in (a, b)]
    share = f"{changed / a.size:.0%}" if changed / a.size >= 0.01 else f"{changed:,} of {a.size:,}"
    yield WeightChange(name, norms[0], f"{norms[1]}; {share} changed, by at most {apart:.3g}")
