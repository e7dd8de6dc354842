"""The rows of a Report: for each layer its calls, operation, weights, counts and cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from layerexplain.derive.cost import Cost, Costs
from layerexplain.derive.gist import gist
from layerexplain.errors import ShapeError, within
from layerexplain.frontends.model_builder import layers_in_config
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition, form
from layerexplain.lang.names import identifier
from layerexplain.lang.text import statements
from layerexplain.model import GROUP, Layer, Model, Note, StoredVariable, Training, input_batches
from layerexplain.network.definitions import dtype_of_result
from layerexplain.network.recorded_shapes import recorded_spec
from layerexplain.network.scope import has_no_weights, operation_type
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network, TracedCall, Use, cost_of, networks_of, uses_of
from layerexplain.records import NamedTuple, grouped
from layerexplain.report.data import CallReport, InputReport, LayerReport, OutputReport, plain_shape
from layerexplain.report.report import Report
from layerexplain.report.totals import (
    UNKNOWN_TOTALS,
    counts_of,
    is_complete,
    partial_totals,
    totals,
    weights_of,
    weights_within,
    whatever_is_missing,
)
from layerexplain.stopping import ask

if TYPE_CHECKING:
    from layerexplain.report.argument_words import Neighbours
    from layerexplain.report.gradient import Gradients
    from layerexplain.report.memory import ActivationMemory
    from layerexplain.report.serving import ServingOptions
    from layerexplain.report.size_names import SizeReport
    from layerexplain.report.training_data import TrainingReport
    from layerexplain.weights.match import StoredWeights
    from layerexplain.weights.shared_weights import SharedWeights

UNTOLD_TYPES = ("Layer", "Variables")
"""Types of rows whose class a file of weights does not tell: they are called by their names."""


def build(
    model: Model,
    *,
    inputs: Mapping[str, Sequence[int | None]] | None = None,
    detail: bool = False,
    gradient: bool = False,
    layers: Callable[[str], bool] | None = None,
    receptive_field: bool = False,
    batch: int | None = None,
    optimizer: str | None = None,
    training: bool = False,
    backward: bool = False,
    network: Network | None = None,
    serve: ServingOptions | None = None,
) -> Report:
    """Return the report of a model; `network` is the model traced, where that was done before.

    `inputs` fixes the shapes of inputs by name, without the batch. With `detail` each layer whose path satisfies
    `layers` (all if not given) has its explanation, and with `gradient` its gradients; with `detail` or
    `receptive_field` each row has its receptive field. A `batch` or an `optimizer` (a name in report/memory.py)
    asks for the memory, `training` for the formulas of a training step, `backward` for what that costs, `serve` for
    what running a language model takes. Raises
    `LayerExplainError` for wires or inputs that make no graph; the report has the `faults` of layers, and what depends
    on them is unknown.
    """
    network = trace_model(model, inputs) if network is None else network
    model = network.model
    asks_memory = batch is not None or optimizer is not None
    builder = Builder(detail, layers, network, gradient, memory=detail or asks_memory)
    rows = builder.rows(network, (), _batch_of(model))
    if detail or model.format == "hugging-face":  # whose headers cost little
        builder.stored()
    if detail or receptive_field:
        from layerexplain.report.receptive_field import with_receptive_fields

        rows = with_receptive_fields(rows, network)
    memory = step_cost = None
    if backward:
        from layerexplain.report.training_cost import with_step_cost

        step_cost, rows = with_step_cost(network, rows)
    if asks_memory:
        from layerexplain.report.memory import memory as memory_of

        complete = is_complete(model)
        memory = memory_of(network, rows, batch=1 if batch is None else batch, optimizer=optimizer, complete=complete)
    notes = (*builder.notes, *(builder.opened.notes if builder.opened is not None else ()))
    if any(note.code in ("opaque", "not-derived", "unbuilt", "open", "no-forward") for note in notes):
        notes = (*notes, *partial_totals(rows))
    outputs = _outputs(network, _batch_of(model))
    are_called = all(note.code != "no-forward" for note in model.notes)
    sums = totals(rows, are_called=are_called) if is_complete(model) else UNKNOWN_TOTALS
    language = served = None
    if model.declarations or serve is not None:
        from layerexplain.report.serving import language_model_of

        language, served = language_model_of(network, sums, rows, serve, memory)
        notes = (*notes, *(language.notes if language is not None else ()))
    return Report(
        source=model.source,
        format=model.format,
        model_name=model.name,
        model_type=model.type,
        keras_version=model.keras_version,
        framework=model.framework,
        inputs=_inputs(network, _batch_of(model)),
        outputs=outputs,
        layers=rows,
        totals=sums,
        notes=notes,
        memory=memory,
        grade=_grade(network),
        faults=network.faults,
        training=_training(network, outputs, rows if training else None),
        step_cost=step_cost,
        language=language,
        serving=served,
        sizes=_sizes(network),
    )


def _sizes(network: Network) -> tuple[SizeReport, ...]:
    """Return the size of the batch where not each number of examples is taken."""
    needs = network.needs_of_batch
    if not needs:
        return ()
    from layerexplain.report.size_names import batch_size

    with suppress(ShapeError):  # which is a fault of the network
        return (batch_size(needs),)
    return ()


def _grade(network: Network) -> str:
    """Return how sure a model of code is: what the formulas leave unknown is open too. "" for one of a file."""
    grade = network.model.grade
    called = [call for call in network.calls if not network.layer(call.name).config.get("uncalled")]
    unknown = network.faults or any(spec is None for call in called for spec in call.outputs)
    unknown = unknown or any(note.code == "not-derived" for note in network.notes)
    return "open" if grade and unknown else grade


def _training(
    network: Network, outputs: Sequence[OutputReport], rows: Sequence[LayerReport] | None
) -> TrainingReport | None:
    """Return what the model was compiled with; with rows also the training step."""
    compiled = network.model.training
    if compiled is None and rows is None:
        return None
    from layerexplain.network.gradient_paths import layers_of_losses
    from layerexplain.report.training_data import training_report

    several = compiled is not None and len(compiled.losses) > 1
    described = training_report(compiled or Training(), outputs, layers_of_losses(network) if several else {})
    if rows is None:
        return described
    from layerexplain.report.training_part import training_step

    return described._replace(step=training_step(network, rows))


def _batch_of(model: Model) -> int | None:
    """Return the batch size that all inputs fix, or None."""
    sizes = set(input_batches(model))
    return sizes.pop() if len(sizes) == 1 else None


def _inputs(network: Network, batch: int | None) -> tuple[InputReport, ...]:
    model = network.model
    model_inputs = []
    for ref in model.inputs:
        layer = model.layers_by_name.get(ref.layer)
        calls = network.calls_of(ref.layer)
        spec = recorded_spec(model, ref) if layer is None else calls[0].outputs[0] if calls else None
        dtype = layer.config.get("dtype") if layer is not None else spec and spec.dtype
        shape = plain_shape(spec.shape, batch) if spec is not None else None
        model_inputs.append(InputReport(ref.layer, shape, dtype if isinstance(dtype, str) else "float32"))
    return tuple(model_inputs)


def _outputs(network: Network, batch: int | None) -> tuple[OutputReport, ...]:
    outputs = []
    for ref in network.model.outputs:
        call = network.call(ref)
        spec = call.outputs[ref.output] if call is not None and ref.output < len(call.outputs) else None
        if spec is None:
            outputs.append(OutputReport(ref.layer, None, None))
        else:
            dtype = dtype_of_result(network.layer(ref.layer), spec.dtype)
            outputs.append(OutputReport(ref.layer, plain_shape(spec.shape, batch), dtype))
    return tuple(outputs)


class _Place(NamedTuple):
    """Where a row stands: in which model, the names that lead to that, its batch, whether it or one around it is
    frozen, and what its notes say of each layer."""

    network: Network
    path: tuple[str, ...]
    batch: int | None
    frozen: bool
    noted: Mapping[str | None, list[str]]


class Builder:
    """Makes the rows of one report; what is asked of a definition is asked once."""

    def __init__(
        self,
        detail: bool,
        only: Callable[[str], bool] | None,
        network: Network,
        gradient: bool = False,
        memory: bool = False,
    ) -> None:
        self.detail = detail
        self.gradient = gradient
        self.only = only
        self.opened: StoredWeights | None = None
        self.network = network
        self.costs = Costs()
        self.shared = _shared_weights(network)
        self.notes: list[Note] = [] if self.shared is None else [*self.shared.notes]
        self._texts: dict[Any, tuple[str, ...]] = {}
        self._groups: dict[Any, int] = {}
        self._networks: set[int] = set()
        self._around: dict[int, Neighbours] = {}
        self._fixing: str | None = None
        self._gradients: Gradients | None = None
        self._faults = network.faults_of_layers() if network.faults else {}
        self._activations: ActivationMemory | None = None
        if memory:
            from layerexplain.report.memory import ActivationMemory

            self._activations = ActivationMemory(network)

    def stored(self) -> StoredWeights:
        """Return what the file stores for layers without a formula: it is opened when the first one is met."""
        if self.opened is None:
            from layerexplain.weights.match import stored_weights

            self.opened = stored_weights(self.network)
        return self.opened

    def rows(
        self,
        network: Network,
        path: tuple[str, ...],
        batch: int | None,
        frozen: bool = False,
        called: Sequence[tuple[Network, int]] = (),
    ) -> tuple[LayerReport, ...]:
        """Return a row for each layer, in the model's order; those of nested models below theirs. `frozen` says that a
        model around this one is not trainable. `called` are a nested model's calls, `network` the first, with how often
        each is made: they all cost."""
        if id(network) not in self._networks:
            self._networks.add(id(network))
            self.notes += network.notes
        uses = uses_of([(network, 1)])
        calls = {name: [use.call for use in own] for name, own in uses.items()}
        if called and called != [(network, 1)]:
            uses = uses_of(called)
        noted = grouped((note.layer, note.message) for note in network.notes)
        place = _Place(network, path, batch, frozen or not network.model.trainable, noted)
        layers = network.model.layers
        return tuple([self._row(place, layer, calls.get(layer.name, []), uses.get(layer.name, [])) for layer in layers])

    def _row(self, at: _Place, layer: Layer, calls: list[TracedCall], uses: list[Use]) -> LayerReport:
        if not at.frozen and not layer.config.get("trainable", True):
            at = at._replace(frozen=True)
        ask()
        path = (*at.path, layer.name)
        where = "/".join(path)
        definition = calls[0].definition if calls else None
        layers, complete = self._inside(at, path, layer, definition, uses)
        known = layers if complete else ()
        variables = None if known else self._variables(layer, definition, where)
        counted = whatever_is_missing(layer, calls[0]) if calls else definition
        used = weights = weights_within(known) if known else weights_of(layer, definition, variables, at.frozen)
        if counted is not definition and counted is not None:
            weights = weights_of(layer, counted, variables, at.frozen)
        notes, shared = tuple(at.noted.get(where, ())), ""
        if layer.is_unbuilt:
            from layerexplain.weights.match import unbuilt_note

            self.notes.append(unbuilt_note(where, layer))
            notes += (self.notes[-1].message,)
        if self.shared is not None:
            elsewhere = self.shared.first.get(path, {})
            weights = tuple([w for number, w in enumerate(used) if number not in elsewhere]) if elsewhere else used
            shared = self.shared.words.get(path, "")
            notes += tuple([note.message for note in self.shared.notes if note.layer == where])
        weights = weights if layer.registered else ()
        params, trainable = counts_of(layer, counted, weights, known, variables)
        if at.frozen and params is not None:
            trainable = 0
        is_free = layer.type == "InputLayer" or layer.config.get("uncalled") is True
        cost = Cost(0, 0) if is_free else cost_of(uses, self.costs)
        text, formula = self._text(layer, definition, calls)
        row = LayerReport(
            layer=layer.name,
            type=operation_type(layer),
            path=where,
            depth=len(at.path),
            operation=text,
            formula=formula,
            calls=tuple([_call_report(c, at.batch) for c in calls]),
            weights=weights,
            params=params,
            trainable=trainable,
            non_trainable=None if params is None or trainable is None else params - trainable,
            macs=cost.macs,
            flops=cost.flops,
            notes=notes,
            group=self._group(layer, definition, calls, layers) if not shared else self._apart(layer),
            layers=layers,
            shared=shared,
            results=tuple(definition.results) if definition is not None and definition.kind == "layer" else (),
            place=self._line_of(layer),
            faults=self._faults.get(where, ()),
            memory=None if self._activations is None else self._activations.memory_of(uses),
        )
        if self.detail and (self.only is None or self.only(where)):
            from layerexplain.report.argument_words import Neighbours, Placed
            from layerexplain.report.element_forms import ElementOf
            from layerexplain.report.explanation import explain_row
            from layerexplain.report.layer_arguments import layer_arguments
            from layerexplain.report.short_lines import cost_lines, fixing

            if self._fixing is None:
                self._fixing = fixing(self.network)
            if id(at.network) not in self._around:
                self._around[id(at.network)] = Neighbours(at.network)
            place = Placed(row._replace(weights=used), layer, calls, self._around[id(at.network)], at.frozen)
            row = row._replace(
                explanation=explain_row(place, at.path, cost_lines(uses, self.costs, self._fixing), self.network.model),
                elements=tuple([ElementOf(call.definition) for call in calls]),
                arguments=layer_arguments(place),
            )
            if self.gradient and calls:
                from layerexplain.report.gradient import Gradients

                self._gradients = self._gradients or Gradients(self.network)
                described, is_special = self._gradients.backward_report(place._replace(row=row))
                row = row._replace(gradient=described, group=self._apart(layer) if is_special else row.group)
        return row

    def _line_of(self, layer: Layer) -> str | None:
        """Return the line of the source that a layer stands in; None where it stands in none."""
        if layer.line is None:
            return None
        source = os.path.basename(self.network.model.source)
        where = within(source, layer.file) if layer.file else source
        return f"{where}:{layer.line}"

    def _inside(
        self, at: _Place, path: tuple[str, ...], layer: Layer, definition: Definition | None, uses: list[Use]
    ) -> tuple[tuple[LayerReport, ...], bool]:
        """Return the rows of what a layer holds, and whether they are all that it has: those of a nested model; of a
        layer without a formula those that the file's weights tell of, and those that its configuration holds."""
        if layer.model is not None:
            called = networks_of(uses)
            return self.rows(called[0][0], path, at.batch, at.frozen, called) if called else (), True
        if (definition is not None and definition.kind != "opaque") or layer.is_stored or has_no_weights(layer):
            return (), True
        configured: tuple[LayerReport, ...] = ()
        if layer.kind == "custom" and (inside := layers_in_config(layer.config)):
            model = Model(layer.name, layer.type, inside, (), (), ())
            configured = self.rows(trace_model(model), path, at.batch, at.frozen)
        described = self.stored().inside.get("/".join(path))
        if described is None:
            return configured, not configured
        by_name = {row.layer: row for row in configured}
        rows = self.rows(trace_model(described), path, at.batch, at.frozen)
        return tuple([self._same(row, by_name.get(row.layer.removeprefix(GROUP))) for row in rows]), True

    def _same(self, stored: LayerReport, configured: LayerReport | None) -> LayerReport:
        """Return a layer that is both in the weights and in a configuration: as the latter says, where the counts
        agree."""
        if configured is None or configured.params is None:
            return stored._replace(type=configured.type) if configured is not None else stored
        if configured.params == stored.params:
            return configured
        words = f"by its configuration it has {configured.params:,} parameters; the file stores {stored.params:,}"
        self.notes.append(Note("weight-count", stored.path, words))
        return stored._replace(type=configured.type)

    def _text(
        self, layer: Layer, definition: Definition | None, calls: list[TracedCall]
    ) -> tuple[str, tuple[str, ...]]:
        if layer.type == "InputLayer":
            spec = calls[0].outputs[0] if calls else None
            own = () if spec is None else spec.shape[spec.shape[:1] == (BATCH,) :]
            sizes = "?" if spec is None else ", ".join(str(s) if isinstance(s, int) else "None" for s in own)
            text = f"input({sizes})"
            return text, (f"y = {text}",)
        is_opaque = definition is None or definition.kind == "opaque"
        if is_opaque and calls and self.network.model.grade == "open":
            from layerexplain.report.short_lines import general_formula

            described = general_formula(layer, calls[0].declaration)
            if described is not None:
                return described
        if definition is None or definition.kind in ("model", "opaque"):
            count = len(calls[0].sources) if calls else 1
            names = "x" if count <= 1 else ", ".join(f"x{i + 1}" for i in range(count))
            untold = layer.model is not None or (layer.is_stored and layer.type in UNTOLD_TYPES)
            called = layer.name.removeprefix(GROUP) if untold else operation_type(layer)
            text = f"{identifier(called)}({names})"
            inner = (
                sum(inner_layer.type != "InputLayer" for inner_layer in layer.model.layers)
                if layer.model is not None
                else 0
            )
            inside = f", {inner:,} layer{'s' * (inner != 1)}" if inner else ""
            return text + inside, (f"y = {text}",)
        known: tuple[str, tuple[str, ...]] | None = definition.answers.get("text")
        if known is None:
            key = form(definition) or definition
            lines = self._texts.get(key)
            if lines is None:
                lines = tuple(["    " * line.indent + line.text for line in statements(definition)])
                self._texts[key] = lines
            known = definition.answers["text"] = (gist(definition, lines), lines)
        return known

    def _variables(self, layer: Layer, definition: Definition | None, where: str) -> tuple[StoredVariable, ...] | None:
        """Return what a file stores for a layer without a formula; None where it has one, or nothing tells."""
        if (definition is not None and definition.kind != "opaque") or has_no_weights(layer):
            return None
        if layer.is_stored:
            return None if layer.is_unbuilt else layer.stored_variables
        return self.stored().variables.get(where)

    def _group(
        self, layer: Layer, definition: Definition | None, calls: list[TracedCall], inside: Sequence[LayerReport] = ()
    ) -> int:
        if inside and self.network.model.format == "hugging-face":  # blocks, which are alike where what is in them is
            alike = tuple([(row.layer, row.formula, row.params) for row in inside])
            return self._groups.setdefault(alike, len(self._groups))
        if definition is None or definition.kind in ("model", "opaque") or len(calls) > 1:
            return self._apart(layer)
        trainable = bool(layer.config.get("trainable", True))
        key = (id(definition), trainable, calls[0].mask is None, layer.config.get("dtype").__repr__())
        return self._groups.setdefault(key, len(self._groups))

    def _apart(self, layer: Layer) -> int:
        """Return a group of its own."""
        return self._groups.setdefault((layer.name, len(self._groups)), len(self._groups))


def _shared_weights(network: Network) -> SharedWeights | None:
    if not network.model.shared:
        return None
    from layerexplain.weights.shared_weights import shared_weights

    return shared_weights(network)


def _call_report(call: TracedCall, batch: int | None) -> CallReport:
    return CallReport(
        tuple([ref.layer for ref in call.sources]),
        tuple([None if s is None else plain_shape(s.shape, batch) for s in call.inputs]),
        tuple([None if s is None else plain_shape(s.shape, batch) for s in call.outputs]),
        call.mask,
        tuple([ref.call for ref in call.sources]),
        tuple([ref.output for ref in call.sources]),
    )
