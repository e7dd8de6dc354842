"""What a page needs to run a model by itself: how its calls are connected, and its weights.

The formulas are the element forms that a page shows; nothing else about a layer is known in the page. Tensors have
numbers: the inputs of the model first, then the results of each call, in the order of the calls. Nested models are
taken apart: each of their calls stands for itself, and what the model gives are tensors of its layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

from layerexplain.derive.element.data import element_data
from layerexplain.derive.element.form import ElementForm
from layerexplain.errors import LayerExplainError, raise_any
from layerexplain.frontends.keras.live_model import is_live_model
from layerexplain.frontends.keras.weight_files import content_of, open_weights
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, picked
from layerexplain.layers.declaration import Spec
from layerexplain.model import Model
from layerexplain.network.recorded_shapes import input_specs, with_input_layers
from layerexplain.network.trace import trace_at
from layerexplain.network.traced import Network, TracedCall
from layerexplain.records import NamedTuple
from layerexplain.report.element_forms import ElementForms, FormTable, element_forms, form_of
from layerexplain.run.activations import tensors_of
from layerexplain.run.arrays import is_float
from layerexplain.run.given_inputs import GivenInput, given_inputs, inputs_of
from layerexplain.run.page_values import keeps_outputs, packed, packed_weights
from layerexplain.run.weight_source import Origin, WeightSource, weight_source

MOST_WEIGHTS = 5_000_000
MOST_CALLS = 5_000
"""A page does not run a larger model."""

MOST_EXAMPLES = 100
MOST_EXAMPLE_NUMBERS = 200_000
"""So many of the given examples are in a page, and so many numbers in them."""


class ProgramCall(NamedTuple):
    """One call of a layer: `path` and the number of the `call` among the calls of the layer; the number of its `form`,
    or the reason why it cannot run; the numbers of the tensors that it `reads` (None for one that nothing computes) and
    of its `weights`; how many tensors it `gives`, of which the first `results` are no masks."""

    path: str
    call: int
    form: int | str
    reads: tuple[int | None, ...]
    weights: tuple[int, ...]
    gives: int
    results: int


class CompiledProgram(NamedTuple):
    """What a page runs. `same` has calls that only give tensors that are there: inputs and nested models. `outputs` are
    the names of the model's outputs with their tensors, `weights` the arrays, `precision` that of them in a page."""

    inputs: tuple[tuple[str, tuple[int, ...], str], ...]
    calls: tuple[ProgramCall, ...]
    same: tuple[tuple[str, int, tuple[int | None, ...]], ...]
    outputs: tuple[tuple[str, int | None], ...]
    weights: tuple[Any, ...]
    origin: Origin
    forms: ElementForms
    notes: tuple[str, ...]
    precision: str

    @property
    def is_whole(self) -> bool:
        """Whether all calls have a form."""
        return all([isinstance(call.form, int) for call in self.calls])

    def shown_forms(self) -> dict[str, list[int | None]]:
        """Return the numbers of the forms of each layer's calls, by its path: of a call that runs, the form that runs,
        as the numbers of a run are by its tensors and lines, of which a mask that others read is one."""
        results = {path: list(numbers) for path, numbers in self.forms.calls.items()}
        for call in self.calls:
            numbers = results.get(call.path, [])
            if isinstance(call.form, int) and call.call < len(numbers):
                numbers[call.call] = call.form
        return results


class PageProgram(NamedTuple):
    """A program as a page has it: the `table` and the text of its weights, `examples` of its inputs as packed arrays by
    name, words for the numbers of its output and for ids."""

    program: CompiledProgram
    table: list[Any]
    weights: str
    examples: Mapping[str, Any] = MappingProxyType({})
    labels: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()


class NoProgram(NamedTuple):
    """Why a page does not run its model."""

    reason: str


def page_program(
    source: Any,
    model: Model,
    sizes: Mapping[str, Sequence[int | None]],
    params: int | None,
    *,
    precision: str = "half",
    inputs: Any = None,
) -> PageProgram | NoProgram:
    """Make what a page needs to run a model, or say why it does not run it.

    Args:
        source: What the weights are read from: whatever `read` takes.
        model: What `read` gave for it.
        sizes: The shapes of inputs by name, without the batch, where the model leaves them open.
        params: How many parameters it has.
        precision: "half" or "f32": of the weights in the page; "half" becomes "f32" where rounding would be seen.
        inputs: What the inputs get at first: as `trace` takes it. With it, a source without weights has drawn ones.

    Raises:
        LayerExplainError: if the inputs do not fit the model.
    """
    given = [] if inputs is None else given_inputs(model, inputs)
    if params is None or params > MOST_WEIGHTS:
        count = "an unknown number of" if params is None else f"{params:,}"
        return NoProgram(f"it has {count} weights; pages run models of up to {MOST_WEIGHTS:,}")
    if params and not given and not _stores_weights(source):
        return NoProgram("its source stores no weights")
    try:
        program = _program(
            source, model, {**sizes, **{entry.name: entry.array.shape[1:] for entry in given}}, given, precision
        )
    except LayerExplainError as error:
        return NoProgram(error.fact)
    if isinstance(program, NoProgram):
        return program
    table, text = packed_weights(program.weights, program.precision)
    return PageProgram(program, table, text, {entry.name: packed(entry.array[: _examples(given)]) for entry in given})


def _examples(given: Sequence[GivenInput]) -> int:
    """Return how many examples of given inputs a page has."""
    numbers = sum([int(entry.array[:1].size) for entry in given])
    return max(1, min(MOST_EXAMPLES, MOST_EXAMPLE_NUMBERS // max(1, numbers)))


def _stores_weights(source: Any) -> bool:
    content = content_of(source)
    if content is None:
        return is_live_model(source)
    with open_weights(content) as stored:
        return stored is not None and bool(stored.tensors)


def _program(
    source: Any, model: Model, sizes: Mapping[str, Sequence[int | None]], given: Sequence[GivenInput], precision: str
) -> CompiledProgram | NoProgram:
    wanted = inputs_of(model)
    model = with_input_layers(model)
    specs = input_specs(model, {name: tuple(shape) for name, shape in sizes.items()})
    inputs: list[tuple[str, tuple[int, ...], str]] = []
    for model_input, spec in zip(wanted, specs, strict=True):
        shape = None if spec is None else spec.shape[1:]
        if shape is None or any([not isinstance(size, int) for size in shape]):
            return NoProgram(
                f"the shape of the input '{model_input.name}' is unknown; give --input {model_input.name}=SHAPE"
            )
        if model_input.dtype == "string":
            return NoProgram(f"the input '{model_input.name}' is text")
        kind = "f" if is_float(model_input.dtype) else "b" if model_input.dtype == "bool" else "i"
        inputs.append((model_input.name, (1, *[size for size in shape if isinstance(size, int)]), kind))
    network = trace_at(model, specs, linked=True)
    raise_any(network.faults)
    with weight_source(source, network, 0) as weights:
        wiring = _CallWiring(network, model, specs, weights)
        outputs = wiring.run()
        forms = wiring.forms._replace(data=tuple(wiring.table.data))
        notes = tuple([note.message for note in weights.notes]) if wiring.arrays else ()
        if (
            precision == "half"
            and wiring.arrays
            and not keeps_outputs(network, weights, [entry.array for entry in given])
        ):
            precision = "f32"
        parts = (tuple(inputs), tuple(wiring.calls), tuple(wiring.same), outputs, tuple(wiring.arrays))
        return CompiledProgram(*parts, weights.origin, forms, notes, precision)


Tensors = dict[Expr, list[int | None]]
"""The numbers of the tensors that a call or a leaf stands for."""


class _CallWiring:
    """The calls of a model one after the other, those of nested models at each of their calls."""

    def __init__(self, network: Network, model: Model, specs: Sequence[Spec | None], weights: WeightSource) -> None:
        self.network = network
        self.model = model
        self.specs = specs
        self.source = weights
        self.table = FormTable()
        self.forms = element_forms(network, self.table)
        self.calls: list[ProgramCall] = []
        self.same: list[tuple[str, int, tuple[int | None, ...]]] = []
        self.arrays: list[Any] = []
        self.tensors = 0
        self._weights: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._counts: Counter[str] = Counter()
        self._forms: dict[Definition, int | str] = {}

    def run(self) -> tuple[tuple[str, int | None], ...]:
        """Add all calls; return the model's outputs with their tensors."""
        tensors: Tensors = {}
        for ref in self.model.inputs:
            node = self.network.node(ref)
            if node is not None:
                tensors[node] = [self.tensors]
            self.tensors += 1
        outputs = [(ref, self.network.node(ref)) for ref in self.model.outputs]
        self.walk(self.network, (), (), tensors, {(node, ref.output) for ref, node in outputs if node is not None})
        return tuple([
            (ref.layer if ref.output == 0 else f"{ref.layer}[{ref.output}]", _at(tensors, node, ref.output))
            for ref, node in outputs
        ])  # fmt: skip

    @cached_property
    def concrete(self) -> Network | None:
        """The model at a batch of exactly 1, for formulas whose sizes are not known for any batch."""
        specs = [None if spec is None else spec._replace(shape=(1, *spec.shape[1:])) for spec in self.specs]
        network = trace_at(self.model, specs, linked=True)
        return None if network.faults else network

    def walk(
        self,
        network: Network,
        path: tuple[str, ...],
        place: tuple[int, ...],
        tensors: Tensors,
        read: set[tuple[Expr, int]],
    ) -> None:
        """Add the calls of a network. `made` has the tensors that are there, and gets those of its calls; `read` are
        the results that are read outside, `place` the numbers of the calls that lead to it."""
        read = read | {picked(e) for call in network.calls if not call.built for e in tensors_of(call)}
        for number, call in enumerate(network.calls):
            if call.built or call.node is None:
                continue
            here = (*path, call.call.layer)
            name = "/".join(here)
            count = self._counts[name]
            self._counts[name] += 1
            if call.definition is None:
                self.same.append((name, count, (_at(tensors, call.node, 0),)))
                continue
            reads = [_at(tensors, *picked(e)) for e in tensors_of(call)]
            if call.network is not None:
                inner: Tensors = {param: [tensor] for param, tensor in zip(call.definition.params, reads, strict=True)}
                results = [picked(e) for e in call.definition.outputs]
                self.walk(call.network, here, (*place, number), inner, set(results))
                tensors[call.node] = [_at(inner, *result) for result in results]
                self.same.append((name, count, tuple(tensors[call.node][: len(call.definition.results)])))
                continue
            masks = any(
                [(call.node, at) in read for at in range(len(call.definition.results), len(call.definition.outputs))]
            )
            tensors[call.node] = list(self._added(network, here, count, call, reads, masks, (*place, number)))

    def _added(
        self,
        network: Network,
        path: tuple[str, ...],
        count: int,
        call: TracedCall,
        reads: Sequence[int | None],
        masks: bool,
        place: tuple[int, ...],
    ) -> range:
        """Add a call of a layer; return the numbers of its tensors."""
        definition = call.definition
        assert definition is not None  # noqa: S101 (asked by the caller)
        definition = definition if masks else definition.without_masks()
        gives = len(definition.outputs)
        form = self._form(definition, place)
        if definition.kind == "opaque":
            form = network.why_unknown(path)
        weights = self._weights_of(path, definition) if isinstance(form, int) else ()
        if len(self.calls) >= MOST_CALLS:
            raise LayerExplainError(f"its layers run more than {MOST_CALLS:,} times")
        self.calls.append(
            ProgramCall("/".join(path), count, form, tuple(reads), weights, gives, len(definition.results))
        )
        self.tensors += gives
        return range(self.tensors - gives, self.tensors)

    def _form(self, definition: Definition, place: tuple[int, ...]) -> int | str:
        """Return the number of the form that is run for a call, or why there is none."""
        if definition not in self._forms:
            self._forms[definition] = self._new_form(definition, place)
        return self._forms[definition]

    def _new_form(self, definition: Definition, place: tuple[int, ...]) -> int | str:
        form = form_of(definition)
        if form is None:
            return "its formula of one element is too long for a page"
        data = element_data(form, numbers=True)
        if is_open(form, data):
            other = self._at_batch_1(place)
            if other is not None:
                other = other.without_masks() if len(definition.outputs) == len(definition.results) else other
                result = form_of(other)
                data = data if result is None else element_data(result)
        number = self.table.number(data)
        assert number is not None  # noqa: S101 (it is given data)
        return number

    def _at_batch_1(self, place: tuple[int, ...]) -> Definition | None:
        """Return the definition of a call in the model at a batch of 1."""
        network = self.concrete
        for number in place[:-1]:
            network = None if network is None else network.calls[number].network
        return None if network is None else network.calls[place[-1]].definition

    def _weights_of(self, path: tuple[str, ...], definition: Definition) -> tuple[int, ...]:
        """Return the numbers of a layer's weights, read once for all of its calls."""
        if path not in self._weights:
            values = self.source.arrays_of(path, definition) if definition.weights else []
            self._weights[path] = tuple(range(len(self.arrays), len(self.arrays) + len(values)))
            self.arrays += values
        return self._weights[path]


def _at(tensors_of: Tensors, node: Expr | None, number: int) -> int | None:
    """Return the number of a tensor; None if nothing computes it."""
    tensors = tensors_of.get(node, []) if node is not None else []
    return tensors[number] if number < len(tensors) else None


def is_open(form: ElementForm, data: Any) -> bool:
    """Return whether a form cannot be computed for one example as it is: it has refused lines, or sizes that are not
    known beside the batch."""
    shapes = [leaf.shape for leaf in form.definition.leaves]
    if any([None in shape for shape in shapes]) or any(["refusal" in line for line in data["lines"]]):
        return True
    pending: list[Any] = [[line["letters"], line.get("value"), line.get("start")] for line in data["lines"]]
    while pending:
        part = pending.pop()
        if len(part) == 3 and isinstance(part[0], str) and part[1] is None and part[2] != "batch":
            return True  # a letter without a size
        if len(part) == 5 and part[0] == "in" and part[3] is None:
            return True  # a condition on an unknown size
        pending += [item for item in part if isinstance(item, list)]
    return False
