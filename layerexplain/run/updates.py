"""What a source stores of its optimizer, and one step of an optimizer in numbers: each weight after the update that its
formula gives, from fresh slots or from those that are stored.

Keras 3 stores the state as a list without names: the number of steps, the learning rate if that is a number, then the
slots in the order in which the optimizer made them. Reference: keras/src/optimizers/base_optimizer.py and the `build`
of each optimizer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.keras.live_model import is_live_model
from layerexplain.frontends.keras.weight_files import content_of, open_weights
from layerexplain.lang.definition import Definition
from layerexplain.layers.arguments import RefusedValue
from layerexplain.layers.keras.optimizer_declaration import InnerDeclaration, part
from layerexplain.model import Model, TrainingSetting, is_before_keras_3
from layerexplain.records import NamedTuple
from layerexplain.report.objective import shortest
from layerexplain.report.training_part import update_formulas
from layerexplain.run.arrays import computed_in
from layerexplain.weights.weighted_layers import plain_floats

_COMMON = (("average",), ("gradient_accumulator",))
"""What every optimizer may keep, before its own."""

_OWN = {
    "Adadelta": (("accumulated_grad", "accumulated_delta_var"),),
    "Adafactor": (("r", "c", "velocity"),),
    "RMSprop": (("velocity",), ("momentum",), ("average_gradient",)),
}
_PLAIN = (("momentum", "velocity", "norm", "accumulator", "linear"), ("velocity_hat",), ("u_product",))
"""Lists of slots in the order in which they are made; those of one list are made for one weight after the other."""

_PLACEHOLDERS = {"Adafactor": ("r", "c")}
"""Slots for which Keras stores a single 0 where a weight has none."""

_OTHERWISE = ("MultiOptimizer",)

_COUNTERS = ("iteration", "learning_rate")


class StoredOptimizer(NamedTuple):
    """The numbers of an optimizer as stored: in Keras's order, or by their names, such as "dense_kernel_momentum"."""

    arrays: tuple[Any, ...] = ()
    named: Mapping[str, Any] = MappingProxyType({})


class Slots(NamedTuple):
    """How an optimizer goes on from what is stored: `step` is the number of the next step, `rate` the learning rate,
    None where a schedule says it; `of` has the slots of each weight by their names."""

    step: int
    rate: float | None
    of: Mapping[str, Mapping[str, Any]]


def stored_optimizer(source: Any, model: Model) -> StoredOptimizer | None:
    """Return what a source stores of its optimizer; None where that is nothing."""
    content = content_of(source)
    if content is None:
        optimizer = getattr(source, "optimizer", None) if is_live_model(source) else None
        results = [plain_floats(item) for item in getattr(optimizer, "variables", None) or ()]
        return StoredOptimizer(tuple(results)) if results else None
    with open_weights(content) as stored:
        tensors = [] if stored is None else [tensor for tensor in stored.tensors if tensor.role == "optimizer"]
        if stored is None or not tensors:
            return None
        if is_before_keras_3(model.keras_version):
            return StoredOptimizer()
        if all(tensor.parts[-1].isdecimal() for tensor in tensors):
            depth = min(
                len(tensor.parts) for tensor in tensors
            )  # deeper: an optimizer inside, whose numbers are here too
            listed = sorted(
                [tensor for tensor in tensors if len(tensor.parts) == depth], key=lambda tensor: int(tensor.parts[-1])
            )
            return StoredOptimizer(tuple([stored.read(tensor) for tensor in listed]))
        wrappers = {tensor.parts[:-1] for tensor in tensors if tensor.parts[-1] == "step_counter"}
        own = [tensor for tensor in tensors if tensor.parts[-1] not in _COUNTERS or tensor.parts[:-1] not in wrappers]
        return StoredOptimizer(named={tensor.parts[-1]: stored.read(tensor) for tensor in own})


def slots_of_weights(
    stored: StoredOptimizer, optimizer: InnerDeclaration, definitions: Mapping[str, Definition]
) -> Slots:
    """Return what is stored for each trainable weight, in Keras's order of them; `definitions` are the formulas of
    their steps by their paths.

    Raises LayerExplainError where the stored state does not fit this optimizer and these weights.
    """
    if optimizer.type in _OTHERWISE:
        raise LayerExplainError(f"the order in which {optimizer.type} stores its state is not known")
    if not stored.arrays and not stored.named:
        raise LayerExplainError("optimizer state that Keras 1 and 2 stored is not read")
    inner = optimizer.inner
    fixed = not isinstance(inner.arguments.get("learning_rate"), InnerDeclaration)
    places: list[Place] = [([], name, ()) for name in _COUNTERS[: 2 if fixed else 1]]
    start = len(places)
    places += _places(inner.type, definitions)
    names = [name for _, name, _ in places[:start]]
    names += [f"{paths[0].replace('/', '_') if paths else ''}_{name}" for paths, name, _ in places[start:]]
    arrays = list(stored.arrays)
    if inner is not optimizer:
        of_wrapper = ["step_counter", "dynamic_scale"]
        places = [*[(list(definitions), name, ()) for name in of_wrapper], *places]
        names, arrays, start = of_wrapper + names, arrays[len(_COUNTERS) :], start + len(of_wrapper)
    if stored.named:
        rest = [name for name in stored.named if name not in names]  # what all weights share has a name of its own
        names = [name if name in stored.named else rest.pop() if rest else name for name in names]
        arrays = [stored.named[name] for name in names if name in stored.named]
    if [tuple(item.shape) for item in arrays] != [shape for _, _, shape in places]:
        raise LayerExplainError("the stored state does not fit this optimizer and these weights")
    results: dict[str, dict[str, Any]] = {path: {} for path in definitions}
    for (paths, name, _), array in zip(places, arrays, strict=True):
        for path in paths:
            results[path][name] = array
    counters = dict(zip(names[:start], arrays, strict=False))
    return Slots(int(counters["iteration"]) + 1, float(counters["learning_rate"]) if fixed else None, results)


Place = tuple[Sequence[str], str, tuple[int, ...]]
"""A stored slot: the paths of the weights that it is for, its name and its shape."""


def _places(type_: str, definitions: Mapping[str, Definition]) -> Iterator[Place]:
    """Yield the stored slots of an optimizer, in Keras's order."""
    kept = {
        path: {str(leaf.attrs["name"]): leaf for leaf in definition.weights} for path, definition in definitions.items()
    }
    for together in (*_COMMON, *_OWN.get(type_, _PLAIN)):
        shared = next((slots[name] for slots in kept.values() for name in together if name in slots), None)
        if shared is not None and shared.attrs["shared"]:
            yield list(kept), str(shared.attrs["name"]), ()
            continue
        for path, slots in kept.items():
            for name in together:
                if name in slots:
                    yield [path], name, tuple(slots[name].shape)
                elif name in _PLACEHOLDERS.get(type_, ()):
                    yield [], name, ()


class Update(NamedTuple):
    """The step of one weight: its formula, and its new value."""

    definition: Definition
    new: Any


def optimizer_of(setting: TrainingSetting) -> InnerDeclaration:
    """Return an optimizer with its arguments. Raises LayerExplainError for one that Keras does not have."""
    try:
        return part("optimizers", setting._replace(config=shortest(setting.config)))
    except RefusedValue as refused:
        raise LayerExplainError(f"the optimizer: {refused}") from None


def updates(
    optimizer: InnerDeclaration, weights: Mapping[str, Any], gradients: Mapping[str, Any], stored: Slots | None = None
) -> dict[str, Update]:
    """Return the step of each weight that has a gradient, by its path: the first one, or that from `stored` slots.

    Raises LayerExplainError for an optimizer whose formula is not known.
    """
    import numpy as np

    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in (gradient.astype("float64") for gradient in gradients.values())))
    formulas = update_formulas(optimizer, [(path, weights[path].shape) for path in gradients])
    result = {}
    for (path, g), definition in zip(gradients.items(), formulas, strict=True):
        weight = weights[path]
        float_ = computed_in(str(weight.dtype))
        kept = {} if stored is None else stored.of[path]
        scale = kept.get("dynamic_scale", optimizer.loss_scale)
        slots = []
        for leaf in definition.weights:
            initial = leaf.attrs["initial"]
            slot = kept[leaf.attrs["name"]] if kept else weight if initial == "W" else np.full(leaf.shape, initial)
            slots.append(slot.astype(float_))
        step = 1 if stored is None else stored.step
        given = {"W": weight, "g": g * np.asarray(scale, g.dtype), "step": np.asarray(step, float_)}
        given["global_norm"] = np.asarray(norm, float_)
        params = [given[str(param.label)] for param in definition.params]
        results = evaluate(definition, params, slots, Evaluation(1, float_))
        result[path] = Update(definition, results[list(definition.results).index("W")])
    return result
