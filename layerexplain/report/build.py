"""The rows of a Report: for each layer its calls, operation, weights, counts and cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from layerexplain.derive.cost import Cost, Costs
from layerexplain.derive.text import form, operation, statements
from layerexplain.errors import ArgumentError
from layerexplain.expr import BATCH, Definition, Size
from layerexplain.layers.arguments import did_you_mean
from layerexplain.layers.registry import find, snake_case, type_names
from layerexplain.model import Call, Layer, Model, Note, Shape, StoredVariable, TensorRef
from layerexplain.report.data import (
    CallReport,
    InputReport,
    LayerReport,
    OutputReport,
    Report,
    Totals,
    WeightReport,
)
from layerexplain.report.network import trace_model
from layerexplain.report.opaque_weights import OpaqueWeights
from layerexplain.report.traced import Network, TracedCall, identifier
from layerexplain.report.variables import is_stored, stored_variables, variable_counts, variable_reports

BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
}  # fmt: skip
"""Bytes of one element, by dtype."""

NO_WEIGHTS = ("InputLayer", "Lambda")
"""Layers that never have weights, whatever they do."""

UNTOLD_TYPES = ("Layer", "Variables")
"""Types of rows whose class a file of weights does not tell: they are called by their names."""

VARIABLE_DTYPES = {"mixed_float16": "float32", "mixed_bfloat16": "float32"}
COMPUTE_DTYPES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


def build(
    model: Model,
    *,
    inputs: Mapping[str, Sequence[int | None]] | None = None,
    detail: bool = False,
    only: Callable[[str], bool] | None = None,
    receptive_field: bool = False,
    batch: int | None = None,
    optimizer: str | None = None,
) -> Report:
    """The report of a model.

    `inputs` fixes the shapes of inputs by name, without the batch. With `detail` each layer whose path satisfies
    `only` (all if not given) has its explanation; with that or `receptive_field` each row has its receptive field.
    A `batch` or an `optimizer` (a name in report/optimizers.py) asks for the memory. Raises `LayerExplainError`.
    """
    network = trace_model(model, inputs)
    builder = Builder(detail, only, OpaqueWeights(network))
    rows = builder.rows(network, (), _batch_of(model))
    if detail or receptive_field:
        from layerexplain.report.receptive_field import with_receptive_fields

        rows = with_receptive_fields(rows, network)
    memory = None
    if batch is not None or optimizer is not None:
        from layerexplain.report.memory import memory as memory_of

        complete = is_complete(model)
        memory = memory_of(network, rows, batch=1 if batch is None else batch, optimizer=optimizer, complete=complete)
    notes = (*builder.notes, *builder.opaque.notes)
    return Report(
        source=model.source,
        format=model.format,
        model_name=model.name,
        model_type=model.type,
        keras_version=model.keras_version,
        inputs=_inputs(network, _batch_of(model)),
        outputs=_outputs(network, _batch_of(model)),
        layers=rows,
        totals=totals(rows) if is_complete(model) else UNKNOWN_TOTALS,
        notes=notes,
        memory=memory,
    )


def unknown_type(type_: str) -> ArgumentError:
    """The error for a layer type that has no declaration: why it has none, or which one may be meant."""
    from layerexplain.layers.opaque_layers import why_not

    return ArgumentError(why_not(type_) or f"there is no layer type '{type_}'{did_you_mean(type_, type_names())}")


def build_layer(
    type_: str,
    arguments: Mapping[str, Any],
    input_shapes: Sequence[Sequence[int | None]],
    dtypes: Sequence[str] = (),
) -> Report:
    """One layer with no model at hand, explained. Shapes are without the batch; arguments have Keras's names.

    Raises `ArgumentError` or `ShapeError`, placed at the layer.
    """
    declaration = find(type_)
    if declaration is None or "." in type_:
        raise unknown_type(type_)
    name = str(arguments.get("name") or snake_case(type_))
    refs, layers, calls = [], [], []
    for i, (label, shape) in enumerate(zip(declaration.names(len(input_shapes)), input_shapes, strict=True)):
        dtype = dtypes[i] if i < len(dtypes) else "int32" if label == "ids" else "float32"
        layers.append(Layer(label, "InputLayer", "layer", {"batch_shape": (None, *shape), "dtype": dtype}))
        calls.append(Call(label, 0, (), {}))
        refs.append(TensorRef(label))
    layers.append(Layer(name, type_, "layer", dict(arguments)))
    bare = declaration.variadic is None or (declaration.alone and len(refs) == 1)
    # Keras's calls of attention have masks before attention_mask, which is given by name therefore.
    by_name = {ref.layer: ref for ref in refs if bare and ref.layer == "attention_mask"}
    spread = tuple(ref for ref in refs if ref.layer not in by_name) if bare else (list(refs),)
    calls.append(Call(name, 0, spread, by_name))
    model = Model(
        name, "Functional", tuple(layers), tuple(calls), tuple(refs), (TensorRef(name),), format="layer", strict=True
    )
    report = build(model, detail=True, only=lambda path: path == name)
    row = report.layers[-1]
    return report._replace(layers=(row,), totals=totals((row,)))


def _batch_of(model: Model) -> int | None:
    """The batch size that all inputs fix, or None."""
    sizes = {
        layer.config["batch_shape"][0]
        for layer in model.layers
        if layer.type == "InputLayer"
        and isinstance(layer.config.get("batch_shape"), tuple)
        and layer.config["batch_shape"]
    }
    return sizes.pop() if len(sizes) == 1 else None


def plain_shape(shape: Sequence[Size], batch: int | None = None) -> Shape:
    """A shape as data: the batch is None, or the size that the model fixes."""
    return tuple([s if isinstance(s, int) else batch if s is BATCH else None for s in shape])


def _inputs(network: Network, batch: int | None) -> tuple[InputReport, ...]:
    layers = {layer.name: layer for layer in network.model.layers}
    specs = {c.call.layer: c.outputs[0] for c in network.calls if c.call.index == 0}
    found = []
    for ref in network.model.inputs:
        spec = specs.get(ref.layer)
        dtype = layers[ref.layer].config.get("dtype")
        shape = plain_shape(spec.shape, batch) if spec is not None else ()
        found.append(InputReport(ref.layer, shape, dtype if isinstance(dtype, str) else "float32"))
    return tuple(found)


def _outputs(network: Network, batch: int | None) -> tuple[OutputReport, ...]:
    layers = {layer.name: layer for layer in network.model.layers}
    calls = {(c.call.layer, c.call.index): c for c in network.calls}
    found = []
    for ref in network.model.outputs:
        made = calls.get((ref.layer, ref.call))
        spec = made.outputs[ref.output] if made is not None and ref.output < len(made.outputs) else None
        if spec is None:
            found.append(OutputReport(ref.layer, None, None))
        else:
            dtype = dtypes_of(layers[ref.layer])[1] if spec.dtype == "float" else spec.dtype
            found.append(OutputReport(ref.layer, plain_shape(spec.shape, batch), dtype))
    return tuple(found)


def dtypes_of(layer: Layer) -> tuple[str, str]:
    """The dtypes of a layer's variables and of its computation, from its policy."""
    policy = layer.config.get("dtype")
    if isinstance(policy, Mapping):
        config = policy.get("config")
        policy = config.get("name") or config.get("source_name") if isinstance(config, Mapping) else None
    if not isinstance(policy, str):
        return "float32", "float32"
    return VARIABLE_DTYPES.get(policy, policy), COMPUTE_DTYPES.get(policy, policy)


UNKNOWN_TOTALS = Totals(None, None, None, None, None, None)


def is_complete(model: Model) -> bool:
    """Whether a model lists all that it has: one that is made by code may have more than the file tells of, unless
    what the file tells is all that it stores."""
    if model.layers and all(is_stored(layer) for layer in model.layers):
        return True
    if any(note.code == "layers-from-weights" for note in model.notes):
        return True
    return model.type in ("Functional", "Sequential", "SavedModel", "Weights")


def totals(rows: Sequence[LayerReport]) -> Totals:
    """Sums over rows of one depth; None if a row's number is unknown."""

    def add(values: Sequence[int | None]) -> int | None:
        return None if None in values else sum(values)  # type: ignore[arg-type]

    weights = [w for row in rows for w in row.weights]
    size = add([w.params * BYTES[w.dtype] if w.dtype in BYTES else None for w in weights])
    params = add([row.params for row in rows])
    return Totals(
        params=params,
        trainable=add([row.trainable for row in rows]),
        non_trainable=add([row.non_trainable for row in rows]),
        bytes=size if params is not None else None,
        macs=add([row.macs for row in rows]),
        flops=add([row.flops for row in rows]),
    )


class Builder:
    """Makes the rows of one report; what is asked of a definition is asked once."""

    def __init__(self, detail: bool, only: Callable[[str], bool] | None, opaque: OpaqueWeights) -> None:
        self.detail = detail
        self.only = only
        self.opaque = opaque
        self.costs = Costs()
        self.notes: list[Note] = []
        self._texts: dict[Any, tuple[str, tuple[str, ...]]] = {}
        self._groups: dict[Any, int] = {}
        self._networks: set[int] = set()

    def rows(
        self, network: Network, path: tuple[str, ...], batch: int | None, frozen: bool = False
    ) -> tuple[LayerReport, ...]:
        """A row for each layer, in the model's order; those of nested models below theirs. `frozen` says that a
        model around this one is not trainable."""
        frozen = frozen or not network.model.trainable
        if id(network) not in self._networks:
            self._networks.add(id(network))
            self.notes += network.notes
        by_layer: dict[str, list[TracedCall]] = {}
        for traced in network.calls:
            by_layer.setdefault(traced.call.layer, []).append(traced)
        noted: dict[str | None, list[str]] = {}
        for note in network.notes:
            noted.setdefault(note.layer, []).append(note.message)
        return tuple(
            [
                self._row(network, layer, by_layer.get(layer.name, []), path, batch, noted, frozen)
                for layer in network.model.layers
            ]
        )

    def _row(
        self,
        network: Network,
        layer: Layer,
        calls: list[TracedCall],
        path: tuple[str, ...],
        batch: int | None,
        noted: Mapping[str | None, list[str]],
        frozen: bool,
    ) -> LayerReport:
        frozen = frozen or not layer.config.get("trainable", True)
        calls = sorted(calls, key=lambda c: c.call.index) if len(calls) > 1 else calls
        definition = calls[0].definition if calls else None
        where = "/".join((*path, layer.name)) if path else layer.name
        inner = self._inner(layer, definition, calls, where)
        layers = self.rows(inner, (*path, layer.name), batch, frozen) if inner is not None else ()
        variables = None if layers else self._variables(layer, definition, where)
        weights = _nested_weights(layers) if layers else self._weights(layer, definition, variables, frozen)
        params, trainable = _counts(layer, definition, weights, layers, variables)
        if frozen and params is not None:
            trainable = 0
        cost = self._cost(layer, calls)
        text, formula = self._text(layer, definition, calls)
        row = LayerReport(
            layer=layer.name,
            type=layer.type if layer.kind != "operation" else operation_type(layer),
            path=where,
            depth=len(path),
            operation=text,
            formula=formula,
            calls=tuple([_call_report(c, batch) for c in calls]),
            weights=weights,
            params=params,
            trainable=trainable,
            non_trainable=None if params is None or trainable is None else params - trainable,
            macs=cost.macs,
            flops=cost.flops,
            notes=tuple(noted.get(where, ())),
            group=self._group(layer, definition, calls),
            layers=layers,
        )
        if self.detail and (self.only is None or self.only(where)):
            from layerexplain.report.explanation import explain_row

            row = row._replace(explanation=explain_row(row, layer, calls, network, path, self.costs))
        return row

    def _inner(
        self, layer: Layer, definition: Definition | None, calls: list[TracedCall], where: str
    ) -> Network | None:
        """The model that a layer is, or the layers that the file's weights tell of inside one without a formula."""
        if layer.model is not None:
            return next((c.network for c in calls if c.network is not None), None)
        if (definition is not None and definition.kind != "opaque") or is_stored(layer):
            return None
        if layer.type in NO_WEIGHTS or layer.kind == "operation":
            return None
        told = self.opaque.inside(where)
        return None if told is None else trace_model(told)

    def _text(
        self, layer: Layer, definition: Definition | None, calls: list[TracedCall]
    ) -> tuple[str, tuple[str, ...]]:
        if layer.type == "InputLayer":
            spec = calls[0].outputs[0] if calls else None
            sizes = "?" if spec is None else ", ".join("None" if s is None else str(s) for s in spec.shape[1:])
            text = f"input({sizes})"
            return text, (f"y = {text}",)
        if definition is None or definition.kind in ("model", "opaque"):
            count = len(calls[0].sources) if calls else 1
            names = "x" if count <= 1 else ", ".join(f"x{i + 1}" for i in range(count))
            untold = layer.model is not None or (is_stored(layer) and layer.type in UNTOLD_TYPES)
            called = layer.name if untold else operation_type(layer)
            text = f"{identifier(called)}({names})"
            return text, (f"y = {text}",)
        known = self._texts.get(definition)
        if known is None:
            key = form(definition) or definition
            known = self._texts.get(key)
            if known is None:
                lines = tuple(["    " * line.indent + line.text for line in statements(definition)])
                known = self._texts[key] = (operation(definition, lines), lines)
            self._texts[definition] = known
        return known

    def _variables(self, layer: Layer, definition: Definition | None, where: str) -> tuple[StoredVariable, ...] | None:
        """What a file stores for a layer without a formula; None where it has one, or nothing tells."""
        if definition is not None and definition.kind != "opaque":
            return None
        if layer.type in NO_WEIGHTS or layer.kind == "operation":
            return None
        return stored_variables(layer) if is_stored(layer) else self.opaque.of_layer(where)

    def _weights(
        self,
        layer: Layer,
        definition: Definition | None,
        variables: tuple[StoredVariable, ...] | None,
        frozen: bool,
    ) -> tuple[WeightReport, ...]:
        if variables:
            return variable_reports(variables, frozen)
        if definition is None or not definition.weights:
            return ()
        variable = dtypes_of(layer)[0]
        found = []
        for own in definition.weights:
            attrs = own.attrs
            found.append(
                WeightReport(
                    f"{attrs['path']}/{attrs['name']}" if attrs["path"] else attrs["name"],
                    str(own.label),
                    own.shape,
                    variable if own.dtype == "float" else own.dtype,
                    bool(attrs["trainable"]) and not frozen,
                    prod(own.shape),
                )
            )
        return tuple(found)

    def _cost(self, layer: Layer, calls: list[TracedCall]) -> Cost:
        if layer.type == "InputLayer":
            return Cost(0, 0)
        macs: int | None = 0
        flops: int | None = 0
        for made in calls:
            # How often a layer is called that the file tells no call of is not known.
            definition = None if made.built else made.definition
            one = Cost(None, None) if definition is None else self.costs.of(definition)
            if len(calls) == 1:
                return one
            macs = None if macs is None or one.macs is None else macs + one.macs
            flops = None if flops is None or one.flops is None else flops + one.flops
        return Cost(macs, flops) if calls else Cost(None, None)

    def _group(self, layer: Layer, definition: Definition | None, calls: list[TracedCall]) -> int:
        if definition is None or definition.kind in ("model", "opaque") or len(calls) > 1:
            key: Any = (layer.name, len(self._groups))
        else:
            trainable = bool(layer.config.get("trainable", True))
            key = (id(definition), trainable, calls[0].mask is None, layer.config.get("dtype").__repr__())
        return self._groups.setdefault(key, len(self._groups))


def operation_type(layer: Layer) -> str:
    """What a row is called: the class, or the function that an operation of tf.keras applies."""
    function = layer.config.get("function") if layer.kind == "operation" else None
    return f"tf.{function}" if isinstance(function, str) else layer.type


def _counts(
    layer: Layer,
    definition: Definition | None,
    weights: Sequence[WeightReport],
    layers: Sequence[LayerReport],
    variables: tuple[StoredVariable, ...] | None,
) -> tuple[int | None, int | None]:
    if layer.model is not None and not is_complete(layer.model):
        return None, None
    if layers:
        inner = totals(layers)
        return inner.params, inner.trainable
    if layer.type in NO_WEIGHTS or layer.kind == "operation":
        return 0, 0
    if definition is None or definition.kind == "opaque":
        return variable_counts(variables)
    return sum([w.params for w in weights]), sum([w.params for w in weights if w.trainable])


def _nested_weights(layers: Sequence[LayerReport]) -> tuple[WeightReport, ...]:
    return tuple([w._replace(name=f"{row.layer}/{w.name}") for row in layers for w in row.weights])


def _call_report(made: TracedCall, batch: int | None) -> CallReport:
    return CallReport(
        tuple([ref.layer for ref in made.sources]),
        tuple([None if s is None else plain_shape(s.shape, batch) for s in made.inputs]),
        tuple([None if s is None else plain_shape(s.shape, batch) for s in made.outputs]),
        made.mask,
    )
