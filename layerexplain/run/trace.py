"""`layerexplain.trace`: the outputs of every layer of a model for given inputs, computed by its formulas."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ArgumentError, LayerExplainError, did_you_mean
from layerexplain.frontends import read_for_weights
from layerexplain.frontends.code_source import source_name
from layerexplain.frontends.keras.weight_tensors import statistics
from layerexplain.frontends.own_layers import Code
from layerexplain.layer_names import chosen_layers
from layerexplain.model import Model, Note
from layerexplain.records import NamedTuple
from layerexplain.report.rows import about, count_of
from layerexplain.run.activations import Activation, ModelRun, Progress, batch_of, counted, dtype_name
from layerexplain.run.arrays import Add, npz_writer
from layerexplain.run.given_inputs import GivenInput, given_inputs, model_on, traced_at
from layerexplain.run.trace_report import OutputRow, Run, TracedInput, TraceReport
from layerexplain.run.weight_source import weight_source, with_stored_buffers

if TYPE_CHECKING:
    from layerexplain.layer_names import Layers

_EXAMPLES = 32
"""Examples that are drawn for a training step, the batch of `fit()`: of one BatchNormalization passes no gradient."""

Key = tuple[str, int, int]
"""(path, call, output): the names that lead to a layer joined by `/`, the number of its call, that of the output."""


class Trace(Mapping[Key, Any]):
    """The outputs of a model's layers, by `(path, call, output)`, in the order of computation.

    A path alone selects the first output of the first call: `trace["encoder/dense"]`. `outputs` are the model's
    outputs, in its order; with `partial=True`, those that could not be computed are None, and `refused` maps each
    layer without values to the reason. `weights` is the origin of the weights: "of the file", "of the model" or
    "drawn". Values of bfloat16 are float32 arrays. `statistics()` has the rows of the table that `str` prints.

    >>> import numpy as np
    >>> made = trace(b"name: net\\ninput: [2]\\nlayers:\\n  - ReLU\\n", np.array([[-3.0, 5.0]]))
    >>> made["re_lu"].tolist(), made.statistics()["re_lu"][0].statistics.max
    ([[0.0, 5.0]], 5.0)
    """

    def __init__(self, running: RunnableModel) -> None:
        self._arrays: dict[Key, Any] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self.outputs: list[Any] = []
        self.weights = running.activations.weights.origin
        self.notes = running.notes
        self.refused: dict[str, str] = {}
        self._run = running.facts()
        self._calls: list[Activation] = []

    def _add(self, step: Activation, keep: Callable[[str], bool] | None) -> None:
        """Keep what a call of a layer gives, or why that is nothing."""
        if step.refusal:
            self.refused.setdefault(step.name, step.refusal)
        if keep is None or keep(step.name):
            self._calls.append(step._replace(values=(), weights=(), definition=None))
            self._names.setdefault(step.name, step.path)
            for i, value in enumerate(step.outputs):
                self._arrays[step.name, step.call, i] = value

    def __getitem__(self, key: Key | str) -> Any:
        full = (key, 0, 0) if isinstance(key, str) else key
        try:
            return self._arrays[full]
        except KeyError:
            raise KeyError(self._missing(full)) from None

    def _missing(self, key: Any) -> str:
        paths = list(dict.fromkeys(path for path, _, _ in self._arrays))
        path = key[0] if isinstance(key, tuple) and key else key
        if path in self.refused:
            return f"{path!r} has no values: {self.refused[path]}"
        if path in paths:
            return f"{path!r} has no output {key[1:]} (call, output)"
        return f"no layer {path!r}; " + (did_you_mean(str(path), paths) or "the keys are paths of layers")

    def __iter__(self) -> Iterator[Key]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        layers = count_of(len({path for path, _, _ in self._arrays}), "layer")
        return f"<Trace of {about(self._run.source, self._run.model_name, layers, f'weights {self.weights}')}>"

    def statistics(self) -> TraceReport:
        """Return the statistics of all outputs that were kept, as a report: a sequence of rows."""
        return TraceReport(self._run, tuple([row for step in self._calls for row in _rows(step)]), None)

    def __str__(self) -> str:
        return str(self.statistics())

    def _repr_html_(self) -> str | None:
        return self.statistics()._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """Return the statistics in the form of the JSON contract."""
        return self.statistics().to_dict()

    def to_dataframe(self) -> Any:
        """Return the statistics as a pandas data frame. Raises LayerExplainError if pandas is not installed."""
        return self.statistics().to_dataframe()

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write all arrays to an .npz file; `layerexplain.run.arrays` describes its keys."""
        with npz_writer(file) as add:
            self._save(add)

    def _save(self, add: Add) -> None:
        for (path, call, output), array in self._arrays.items():
            add(self._names[path], call, output, array)


class RunnableModel(NamedTuple):
    """A model ready to run on arrays."""

    model: Model
    inputs: list[GivenInput]
    activations: ModelRun
    notes: tuple[Note, ...]
    training: bool = False

    @property
    def arrays(self) -> list[Any]:
        """The arrays of the inputs."""
        return [entry.array for entry in self.inputs]

    @property
    def batch(self) -> int:
        """The number of examples."""
        return batch_of(self.model, self.arrays)

    def facts(self) -> Run:
        """Return the facts of the run."""
        model, ran = self.model, self.activations
        given = tuple(
            [
                TracedInput(entry.name, tuple(entry.array.shape), dtype_name(entry.array), entry.origin)
                for entry in self.inputs
            ]
        )
        origin = (model.source, model.format, model.name, model.type)
        return Run(*origin, ran.weights.origin, ran.seed, given, self.notes, model.keras_version)

    def steps(self, progress: Progress | None = None) -> Iterator[Activation]:
        """Run it; yield each call of a layer."""
        return counted(self.activations.run(self.arrays), progress, self.activations.total)


@contextmanager
def ready(
    source: Any,
    inputs: Any,
    *,
    seed: int = 0,
    model: Model | None = None,
    code: Code = (),
    max_memory: int | None = None,
    training: bool = False,
) -> Iterator[RunnableModel]:
    """Open a source with inputs; its weights are open inside the `with`. `model` is the source already read, if any;
    otherwise it is read with `code`. With `training` it computes as in training.

    Raises:
        LayerExplainError: with the source's name, here and while it runs.
    """
    if model is None:
        source, model = read_for_weights(source, code)
    try:
        model = with_stored_buffers(model_on(model, inputs))
        given = given_inputs(model, inputs)
        network = traced_at(model, [entry.array for entry in given], training=training)
        with weight_source(source, network, seed) as weights:
            notes = tuple(dict.fromkeys([*network.notes, *weights.notes]))
            yield RunnableModel(model, given, ModelRun(network, weights, seed, max_memory), notes, training)
    except LayerExplainError as error:
        raise error.with_place(source=model.source or source_name(source)) from None


def must_have_run(step: Activation) -> None:
    """Raise LayerExplainError if a call has no values."""
    if step.refusal:
        raise LayerExplainError(f"has no values: {step.refusal}", layer=step.name)


def trace(
    source: Any,
    inputs: Any = None,
    *,
    seed: int = 0,
    partial: bool = False,
    layers: Layers | None = None,
    code: Code = (),
    max_memory: int | None = None,
    progress: Progress | None = None,
    gradient: bool = False,
    target: Any = None,
    loss: Any = None,
    optimizer: Any = None,
    training: bool = True,
    sample_weight: Any = None,
    weights: str | os.PathLike[str] | None = None,
) -> Trace:
    """Run a whole model in NumPy, by the formulas that are printed, and return what every layer outputs.

    Args:
        source: A model, or whatever `read` takes. Weights come from the file, a layer at a time; a spec or a
            configuration has none, so that they are drawn, and a note says so.
        inputs: An array, batch first; a mapping of the names of inputs to arrays; or what `make_inputs` gave, which
            draws them where none are given.
        seed: What weights are drawn from.
        partial: Whether all that does not need it is computed where a layer has no values.
        layers: Which layers' values are kept, as `explain` takes it; all if it is not given.
        code: Files that say what custom layers of the source compute.
        max_memory: How many bytes one array may have; by default as many as the machine has.
        progress: Called after each call of a layer.
        gradient: Whether the model runs backwards as well, by its derived gradients.
        target: With `gradient`, what the outputs are compared with: an array, or a mapping of the names of outputs to
            arrays; random ones that fit the loss if it is not given.
        loss, optimizer: With `gradient`, in place of what the source says: `"mse"`, `{"Huber": {"delta": 2}}`; losses
            also by output.
        training: With `gradient`, whether layers compute as in training; else as at inference.
        sample_weight: With `gradient`, a weight of the loss for each example; a mapping for several outputs.
        weights: A file that the weights are read from, such as the .safetensors file of PyTorch code.

    Returns:
        A mapping of `(path, call, output)` to arrays; a bare path is the first output of a layer's first call. Its
        `outputs` are the model's. With `gradient` a `TracedStep`, which has the `loss`, the `gradients` of outputs, the
        `weight_gradients`, and with an optimizer the `new_weights`.

    Raises:
        LayerExplainError: if there is no such model or, without `partial`, if a layer's formula is not known or cannot
            be computed; with `gradient`, also if the loss or a gradient is not known.

    >>> import numpy as np
    >>> spec = b"input: [2]\\nlayers:\\n  - Dense: {units: 1, use_bias: false}\\n"
    >>> step = trace(spec, np.ones((1, 2), "float32"), gradient=True, target=np.zeros((1, 1)), loss="mse")
    >>> y = float(step.outputs[0][0, 0])
    >>> bool(abs(step.loss - y**2) < 1e-6)
    True
    >>> np.allclose(step.weight_gradients["dense/kernel"], 2 * y)
    True
    """
    given = {"target": target, "loss": loss, "optimizer": optimizer, "sample_weight": sample_weight}
    for name, value in given.items():
        if value is not None and not gradient:
            raise ArgumentError(f"{name} needs gradient=True")
    source, model = read_for_weights(source, code)
    if inputs is None:
        from layerexplain.run.input_option import make_inputs

        inputs = make_inputs(model, least=_EXAMPLES if gradient else 1)
    model = model_on(model, inputs)._replace(weights_file="" if weights is None else os.fspath(weights))
    keep = chosen_layers(model, layers)
    if gradient:
        from layerexplain.run.gradients import ready_to_train
        from layerexplain.run.traced_step import traced_step

        how = {"loss": loss, "optimizer": optimizer, "training": training, "sample_weight": sample_weight}
        with ready_to_train(
            source, model, inputs, target, seed=seed, partial=partial, max_memory=max_memory, **how
        ) as training_step:
            return traced_step(training_step, keep, progress)
    with ready(source, inputs, seed=seed, model=model, max_memory=max_memory) as running:
        trace = Trace(running)
        for step in running.steps(progress):
            if not partial:
                must_have_run(step)
            trace._add(step, keep)
        trace.outputs = running.activations.outputs
        return trace


def trace_statistics(
    source: Any,
    model: Model,
    inputs: Any,
    *,
    seed: int = 0,
    partial: bool = False,
    layers: Layers | None = None,
    save: str | None = None,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> TraceReport:
    """Run a model as `trace` does, but keep only statistics of what each layer outputs.

    Args:
        source: What the weights are read from: whatever `read` takes.
        model: What `read` gave for it.
        inputs, seed, partial, max_memory, progress: As for `trace`.
        layers: Which layers are listed, as `explain` takes it; all if it is not given.
        save: A file .npz for their arrays.

    Returns:
        The report, a sequence of outputs with shapes that include the batch.

    Raises:
        LayerExplainError: with the source's name.

    >>> from layerexplain.frontends import read
    >>> from layerexplain.run.input_option import make_inputs
    >>> spec = b"input: [2]\\nlayers:\\n  - ReLU\\n"
    >>> model = read(spec)
    >>> report = trace_statistics(spec, model, make_inputs(model, ["ones"], batch=3))
    >>> report["re_lu"][0].shape, report["re_lu"][0].statistics.mean
    ((3, 2), 1.0)
    """
    rows: list[OutputRow] = []
    model = model_on(model, inputs)
    wanted = chosen_layers(model, layers)
    with (
        ready(source, inputs, seed=seed, model=model, max_memory=max_memory) as running,
        nullcontext() if save is None else npz_writer(save) as add,
    ):
        for step in running.steps(progress):
            if not partial:
                must_have_run(step)
            if wanted is not None and not wanted(step.name):
                continue
            rows += _rows(step)
            if add is not None:
                for i, array in enumerate(step.outputs):
                    add(step.path, step.call, i, array)
        return TraceReport(running.facts(), tuple(rows), save)


def _rows(step: Activation) -> Iterator[OutputRow]:
    start = (step.layer.name, step.name, step.type, step.call)
    if step.refusal:
        yield OutputRow(*start, 0, None, None, None, step.refusal)
    for i, (array, dtype) in enumerate(zip(step.outputs, step.dtypes, strict=True)):
        known = statistics([array]) if array.dtype.kind in "biuf" else None
        yield OutputRow(*start, i, tuple(array.shape), dtype, known)
