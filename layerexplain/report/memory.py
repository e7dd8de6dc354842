"""How many bytes a model needs: weights, activations, the most that lives at once, training, and its optimizer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import prod
from typing import Any, Final

from layerexplain.derive.cost import is_view
from layerexplain.errors import ArgumentError, must_be_known
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import part_names
from layerexplain.model import Layer, TensorRef
from layerexplain.network.definitions import BYTES, dtype_of_result, float_of
from layerexplain.network.traced import Network, TracedCall, Use
from layerexplain.ops.sizes import product, total
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport
from layerexplain.report.explanation_data import DtypeBytes, LayerMemory, Memory
from layerexplain.report.totals import weight_bytes
from layerexplain.report.training_cost import step_cost

# Optimizers ---------------------------------------------------------------------------------------------------------

VARIANTS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "sgd-momentum": ("SGD", {"momentum": 0.9}),
    "adam-amsgrad": ("Adam", {"amsgrad": True}),
}
"""Optimizers that keep more than at their default arguments."""

_WRAPPERS = ("LossScaleOptimizer", "MultiOptimizer")
_FIRST = ("none", "sgd", "sgd-momentum", "adam", "adam-amsgrad")


@cache
def optimizers() -> tuple[str, ...]:
    """List the optimizers that `explain` knows the memory of.

    Returns:
        Their names, as `explain(optimizer=…)` takes them.

    >>> optimizers()[:4]
    ('none', 'sgd', 'sgd-momentum', 'adam')
    """
    others = [name.lower() for name in part_names("optimizers") if name not in _WRAPPERS]
    return (*_FIRST, *[name for name in others if name not in _FIRST])


def slot_bytes(optimizer: str, rows: Iterable[LayerReport]) -> tuple[int, int | None]:
    """Return the bytes that an optimizer keeps for the trainable weights of rows, in the dtype of each; and how many
    values for each parameter, None where that differs from weight to weight."""
    from layerexplain.layers.keras.optimizer_declaration import part
    from layerexplain.report.training_part import update_formulas

    name, arguments = VARIANTS.get(optimizer, (optimizer, {}))
    chosen = part("optimizers", {name: arguments})
    weights = [
        (f"{row.path}/{weight.name}", weight) for row in rows for weight in row.weights if weight.trainable is not False
    ]
    formulas = update_formulas(chosen, [(path, weight.shape) for path, weight in weights])
    total, each = 0, set()
    for (_, weight), formula in zip(weights, formulas, strict=True):
        kept = sum(prod(leaf.shape) for leaf in formula.weights if not leaf.attrs["shared"])
        total += kept * BYTES[weight.dtype]
        each.add(kept / weight.params if weight.params else 0)
    (item,) = each if len(each) == 1 else (None,)
    return total, int(item) if item is not None and item == int(item) else None


# Memory -------------------------------------------------------------------------------------------------------------
# How many bytes a model needs: weights, activations, the most that lives at once, and training.


def memory(
    network: Network,
    rows: Sequence[LayerReport],
    *,
    batch: int = 1,
    optimizer: str | None = None,
    complete: bool = True,
) -> Memory:
    """Return the memory of a model whose rows are known. `optimizer` None or "none" is a model that is not trained;
    `complete` says that the rows are all that there is. Raises `ArgumentError` for an optimizer that is not known."""
    if batch < 1:
        raise ArgumentError(f"batch needs to be at least 1, got batch={batch}")
    if optimizer is not None:
        must_be_known("optimizer", optimizer, optimizers())
    optimizer = None if optimizer == "none" else optimizer
    stored = weight_bytes(rows) if complete else None
    listed = [weight for row in rows for weight in row.weights] if stored is not None else []
    weights: Counter[str] = Counter()
    for weight in listed:
        weights[weight.dtype] += weight.params * BYTES[weight.dtype]
    use = _MemoryTracer(network, {}, {}, outermost=True).need() if complete else MemoryUse(None, {}, None, "", ())
    gradients = slots = each = kept = training = None
    if optimizer is not None:
        kept = step_cost(network).kept if complete else None
        if stored is not None:
            gradients = sum([weight.params * BYTES[weight.dtype] for weight in listed if weight.trainable is not False])
            slots, each = slot_bytes(optimizer, rows)
        per_example = use.activations if kept is None else kept
        training = total([stored, gradients, slots, product([per_example, batch])])
    return Memory(
        batch=batch,
        optimizer=optimizer,
        weights=stored,
        weights_by_dtype=_listed(weights),
        activations=use.activations,
        activations_by_dtype=_listed(use.by_dtype),
        peak=use.peak,
        peak_at=use.peak_at if use.peak is not None else None,
        inference=total([stored, product([use.peak, batch])]),
        gradients=gradients,
        slots_each=each,
        slots=slots,
        kept=kept,
        training=training,
    )


def _listed(by_dtype: Mapping[str, int]) -> tuple[DtypeBytes, ...]:
    return tuple([DtypeBytes(dtype, count) for dtype, count in sorted(by_dtype.items())])


# Activations ----------------------------------------------------------------------------------------------------


class MemoryUse(NamedTuple):
    """What the calls of a model need per example, without what a nested one is given: bytes of all activations, by
    dtype too, the most that live at once and where that is; `outputs` are the dtypes of the outputs."""

    activations: int | None
    by_dtype: dict[str, int]
    peak: int | None
    peak_at: str
    outputs: tuple[str, ...]


class ActivationMemory:
    """The bytes of what the calls of a model give, and of those in models inside of it, per example."""

    def __init__(self, network: Network) -> None:
        self._of_calls: dict[int, int | None] = {}
        _MemoryTracer(network, {}, self._of_calls, outermost=True).walk()

    def memory_of(self, uses: Sequence[Use]) -> LayerMemory:
        """Return the bytes of all these calls together; unknown where they are of another model, too.

        A view takes none; a nested model as much as what is in it.
        """
        numbers = [product([self._of_calls.get(id(traced)), times]) for traced, times in uses]
        return LayerMemory(total(numbers) if numbers else None)


class _Tensor(NamedTuple):
    """A tensor: what holds its bytes (itself, or the one that it is a view of), and its dtype."""

    holder: TensorRef
    dtype: str


class _MemoryTracer:
    """One walk through the calls of a model; `known` are the needs of those that were walked through, `of_calls` the
    bytes of what each call gives, by its identity."""

    def __init__(
        self, network: Network, known: dict[int, MemoryUse], of_calls: dict[int, int | None], *, outermost: bool
    ) -> None:
        self.network = network
        self.known = known
        self.of_calls = of_calls
        self.outermost = outermost
        self.tensors: dict[TensorRef, _Tensor] = {}
        self.size: dict[TensorRef, int | None] = {}
        self.by_dtype: Counter[str] = Counter()
        self.unknown = False

    def walk(self) -> list[tuple[list[TensorRef], MemoryUse | None]]:
        """Enter the outputs of all calls; what a nested model needs inside."""
        entered = []
        for call in self.network.calls:
            refs, inside = self._enter_results(call)
            if inside is not None:
                self.of_calls[id(call)] = inside.activations
            elif not call.built:
                self.of_calls[id(call)] = total([self.size[ref] for ref in refs if self.tensors[ref].holder == ref])
            entered.append((refs, inside))
        return entered

    def need(self) -> MemoryUse:
        entered = self.walk()
        last: dict[TensorRef, int] = {}
        for number, call in enumerate(self.network.calls):
            for ref in call.sources:
                if ref in self.tensors:
                    last[self.tensors[ref].holder] = number
        kept = {self.tensors[ref].holder for ref in self.network.model.outputs if ref in self.tensors}
        live = peak = 0
        peak_at = ""
        for number, (call, (refs, inside)) in enumerate(zip(self.network.calls, entered, strict=True)):
            new = [ref for ref in refs if self.tensors[ref].holder == ref]
            within = live + (inside.peak or 0) if inside is not None else 0
            live += sum(self.size[ref] or 0 for ref in new)
            if max(live, within) > peak:
                peak = max(live, within)
                peak_at = f"{call.name}/{inside.peak_at}" if inside is not None and within >= live else call.name
            holders = {self.tensors[ref].holder for ref in call.sources if ref in self.tensors}
            for ref in holders | set(new):
                if last.get(ref, -1) <= number and ref not in kept and ref in self.size:
                    live -= self.size.pop(ref) or 0
        outputs = tuple(self.tensors[ref].dtype for ref in self.network.model.outputs if ref in self.tensors)
        if self.unknown:
            return MemoryUse(None, {}, None, peak_at, outputs)
        return MemoryUse(sum(self.by_dtype.values()), dict(self.by_dtype), peak, peak_at, outputs)

    def _enter_results(self, call: TracedCall) -> tuple[list[TensorRef], MemoryUse | None]:
        """Enter the outputs of a call; what a nested model needs inside."""
        layer, refs = self.network.layer(call.name), call.results
        if call.built:
            self.unknown = True
            return [], None
        if call.network is not None:
            inside = self.known.get(id(call.network))
            if inside is None:
                inside = self.known[id(call.network)] = _MemoryTracer(
                    call.network, self.known, self.of_calls, outermost=False
                ).need()
            self.unknown = self.unknown or inside.activations is None
            self.by_dtype.update(inside.by_dtype)
            for ref, spec, dtype in zip(refs, call.outputs, inside.outputs, strict=False):
                self._enter(ref, spec, dtype, counted=True)
            return [ref for ref in refs if ref in self.tensors], inside
        source = self.tensors.get(call.sources[0]) if call.sources else None
        given = layer.type == "InputLayer" and not self.outermost
        for i, (ref, spec) in enumerate(zip(refs, call.outputs, strict=True)):
            if source is not None and call.definition is not None and is_view(call.definition, i):
                self.tensors[ref] = _Tensor(source.holder, source.dtype)
            else:
                self._enter(ref, spec, self._dtype(layer, spec, source), counted=given)
                if given:
                    self.size[ref] = 0
        return refs, None

    def _dtype(self, layer: Layer, spec: Spec | None, source: _Tensor | None) -> str:
        if spec is None or spec.dtype not in ("float", "weak float"):
            return "float32" if spec is None else dtype_of_result(layer, spec.dtype)
        # An operation has no dtype of its own: it computes in that of what it is given.
        if layer.kind == "operation" and source is not None and source.dtype in ("float16", "bfloat16", "float64"):
            return source.dtype
        return float_of(layer)

    def _enter(self, ref: TensorRef, spec: Spec | None, dtype: str, counted: bool) -> None:
        size = None if spec is None else product([*spec.shape, BYTES.get(dtype)])
        self.tensors[ref] = _Tensor(ref, dtype)
        self.size[ref] = size
        if size is None:
            self.unknown = self.unknown or not counted
        elif not counted:
            self.by_dtype[dtype] += size
