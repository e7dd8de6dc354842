"""The document of `summary`: heading, a row a layer, totals, memory, notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.lang.axes import is_open
from layerexplain.model import Note
from layerexplain.records import grouped
from layerexplain.render import document as doc
from layerexplain.render.documents.layer_columns import (
    COLUMNS,
    COMPACT,
    STACKED,
    data_columns,
    layers_of,
    table_columns,
)
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import bytes_text, count_text, plural, shape_text, size_text, split_text, written_by
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report

if TYPE_CHECKING:
    from layerexplain.render.graph.diagram import Diagram
    from layerexplain.report.explanation_data import DtypeBytes, Memory
    from layerexplain.report.training_data import LossReport


def summary(
    report: Report, columns: tuple[str, ...] | None = None, nested: bool = False, several: bool = False
) -> Sheet:
    """Return what `summary` prints. `columns` None are those that a format has by default; `several` says that several
    sources were asked for."""
    return report_sheet(report, columns, nested, several)._replace(document=lambda: _document(report, columns, nested))


def report_sheet(report: Report, columns: tuple[str, ...] | None, nested: bool, several: bool) -> Sheet:
    """Return what the formats for programs print of a report."""
    data: Callable[[dict[str, Any]], dict[str, Any]] = dict
    if report.sizes:
        from layerexplain.lang.named_sizes import as_python as data
    return Sheet(
        document=lambda: doc.Document(()),
        data=lambda: report.to_dict(nested=nested),
        records=lambda: (
            {"source": report.source, "model": report.model_name, **data(row.layer.to_dict())}
            for row in layers_of(report, nested)
        ),
        columns=data_columns(columns, nested, several),
        rows=lambda: layers_of(report, nested),
        graph=lambda: _graph(report, nested),
    )


def _graph(report: Report, nested: bool) -> Diagram:
    from layerexplain.render.graph.diagram import graph_of

    return graph_of(report.layers, nested)


def _document(report: Report, columns: tuple[str, ...] | None, nested: bool) -> doc.Document:
    shown_report, language, first = report, tuple[doc.FactBlock, ...](), tuple[doc.Prose, ...]()
    if report.language is not None:
        from layerexplain.render.documents.language_model import first_line, folded, language_facts

        shown_report, language, first = folded(report), language_facts(report), first_line(report)
    rows = list(layers_of(shown_report, nested))
    narrow = (COMPACT, STACKED) if columns is None else ((), ())
    costs = () if columns is not None or report.step_cost is None else (COLUMNS["macs"], COLUMNS["backward_macs"])
    each = (*table_columns(columns), *costs)
    shown = doc.filled(each, rows)
    table = doc.Table(shown, rows, compact=narrow[0], stacked=narrow[1])
    parts = (
        heading(report),
        *first,
        table,
        *totals(report),
        *named_sizes(report),
        *language,
        *step_facts(report),
        *_memory(report),
        *training(report),
        *data_lines(report),
    )
    return doc.Document((*parts, doc.notes_block(all_notes(report)), *missing_values(report.notes)))


def named_sizes(report: Report) -> tuple[doc.Prose, ...]:
    """Return one line that says which sizes the model takes; names that take the same share a part of it."""
    if not report.sizes:
        return ()
    takes = grouped((size.takes, size.name) for size in report.sizes)
    return (doc.Prose(("Sizes  " + " · ".join([f"{', '.join(names)}: {words}" for words, names in takes.items()]),)),)


def missing_values(notes: Iterable[Note]) -> tuple[doc.Prose, ...]:
    """Return one line that gives all the values that code leaves open, where there are several."""
    import re

    said = [re.search(r"; give (?:for example )?--set ([\w.]+|'[^']+')=(.+)$", note.message) for note in notes]
    matches = [match for match in said if match is not None]
    values = {match[1]: match[2] for match in reversed(matches)}
    if len(values) < 2:
        return ()
    given = " ".join([f"--set {name}={values[name]}" for name in dict.fromkeys([match[1] for match in matches])])
    words = f"{len(values)} values are missing. Give them all, with your values in place of these: {given}"
    return (doc.Prose((words,)),)


def training(report: Report) -> tuple[doc.Prose, ...]:
    """Return what the model was trained with."""
    trained = report.training
    if trained is None:
        return ()
    optimizer = (
        ""
        if trained.optimizer is None
        else f"{trained.optimizer.removeprefix(_TORCH)}{_arguments(trained.optimizer_config, _OF_OPTIMIZERS)}"
    )
    losses = [
        loss.loss.removeprefix(_TORCH)
        + _arguments(loss.config, _OF_LOSSES)
        + (f" for {loss.output!r}" if loss.output else "")
        for loss in trained.losses
    ]
    metrics = dict.fromkeys(metric.metric for metric in trained.metrics)
    parts = [", ".join(losses), optimizer, f"metrics {', '.join(metrics)}" if metrics else ""]
    what = "; ".join(filter(None, parts))
    said = f"Trained with {what}" if trained.has_step else f"Loss: {what}; layerexplain finds no training step"
    lines = [said, *layers_of_losses(trained.losses)]
    return (doc.Prose(tuple(lines)),)


def layers_of_losses(losses: Sequence[LossReport]) -> Iterator[str]:
    """Yield which of several losses trains which layers: those of one loss, and those that several share.

    `'cls' trains dense, cls; 'box' trains dense_1, box; both train conv2d`
    """
    of_layers: dict[str, list[str]] = {}
    for loss in losses:
        for layer in loss.trains:
            of_layers.setdefault(layer, []).append(repr(loss.output))
    groups: dict[tuple[str, ...], list[str]] = {}
    for layer, outputs in of_layers.items():
        groups.setdefault(tuple(outputs), []).append(layer)
    parts = []
    for names, layers in sorted(groups.items(), key=lambda group: len(group[0])):
        who = f"{names[0]} trains" if len(names) == 1 else f"{_together(names, len(losses))} train"
        if len(layers) > _LAYERS_SHOWN:
            layers = [f"{len(layers)} layers from {layers[0]} to {layers[-1]}"]
        parts.append(f"{who} {', '.join(layers)}")
    if parts:
        yield "; ".join(parts)


def _together(names: Sequence[str], count: int) -> str:
    if len(names) < count:
        return f"{', '.join(names[:-1])} and {names[-1]} together"
    return "both" if count == 2 else f"all {count} losses"


_LAYERS_SHOWN = 6


def data_lines(report: Report) -> tuple[doc.Prose, ...]:
    """Return what fit() takes and what predict() returns: a line each."""
    shapes = [*[model_input.shape for model_input in report.inputs], *[output.shape for output in report.outputs]]
    if not report.inputs or not report.outputs or None in shapes or report.framework != "keras":
        return ()
    inputs = ", ".join(
        [f"{model_input.name} {shape_text(model_input.shape)} {model_input.dtype}" for model_input in report.inputs]
    )
    outputs = ", ".join(
        [f"{output.layer} {shape_text(output.shape)} {output.dtype or ''}".strip() for output in report.outputs]
    )
    losses = () if report.training is None else report.training.losses
    needed = dict.fromkeys(
        [f"{loss.targets}{f' for {loss.output!r}' if loss.output else ''}" for loss in losses if loss.targets]
    )
    targets = "; ".join(needed) or (
        "what the loss takes" if losses else "what the loss takes; the model is not compiled"
    )
    return (doc.Prose((f"fit() takes x: {inputs}; y: {targets}", f"predict() returns {outputs}")),)


_TORCH = "torch."
_OF_OPTIMIZERS = ("learning_rate", "lr", "momentum", "nesterov", "weight_decay", "amsgrad", "clipnorm", "clipvalue")
_OF_LOSSES = ("from_logits", "label_smoothing", "delta", "gamma", "alpha")
"""Arguments that are said where they are not 0 or off."""


def _arguments(config: Mapping[str, Any], names: Sequence[str]) -> str:
    said = [f"{name}={_value(config[name])}" for name in names if config.get(name)]
    return f" ({', '.join(said)})" if said else ""


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name", "…"))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def heading(report: Report) -> doc.Heading:
    """Return the model, and where it is from."""
    written = written_by(report.format, report.keras_version)
    source = (doc.Span(report.source, "code"), doc.Span(f" ({written})" if written else ""))
    return doc.Heading(
        1,
        (doc.Span(report.model_name, "name"), doc.Span(report.model_type, "type")),
        (
            (doc.Span(plural(len(report.layers), "layer"), only=doc.TEXT),),
            source if report.source else source[1:],
            *([(doc.Span(report.grade),)] if report.format == "code" else []),
        ),
    )


def totals(report: Report, cost: bool = True) -> tuple[doc.Block, ...]:
    """Return the sums below a table: parameters, bytes of the weights and, with `cost`, MACs and FLOPs per example."""
    sums = report.totals
    dtypes = sorted({weight.dtype for row in layers_of(report, nested=True) for weight in row.layer.weights})
    text: tuple[doc.Fact, ...] = (
        doc.Fact("Parameters", count_text(sums.params), split_text(sums) if sums.params else ()),
        doc.Fact("Weights", bytes_text(sums.bytes), (size_text(sums.bytes), ", ".join(dtypes))),
        doc.Fact("MACs", count_text(sums.macs), ("per example: multiply-accumulates",)),
        doc.Fact("FLOPs", count_text(sums.flops), ("per example: 2 × MACs + element-wise operations",)),
    )
    markdown: tuple[doc.Fact, ...] = (
        doc.Fact("Parameters", count_text(sums.params)),
        doc.Fact("Trainable", count_text(sums.trainable)),
        doc.Fact("Non-trainable", count_text(sums.non_trainable)),
        doc.Fact("Weights", bytes_text(sums.bytes)),
        doc.Fact("MACs per example", count_text(sums.macs)),
        doc.Fact("FLOPs per example", count_text(sums.flops)),
    )
    if not cost:
        text, markdown = text[:-2], markdown[:-2]
    return doc.FactBlock(text, only=doc.TEXT), doc.FactBlock(markdown, only=doc.MARKDOWN)


def step_facts(report: Report) -> tuple[doc.FactBlock, ...]:
    """Return what a training step costs, per example."""
    cost = report.step_cost
    if cost is None:
        return ()

    def both(macs: int | None, flops: int | None) -> str:
        return f"{count_text(macs)} MACs, {count_text(flops)} FLOPs"

    ratio = ""
    if cost.forward_macs and cost.backward_macs and not is_open(cost.forward_macs):
        ratio = f"{cost.backward_macs / cost.forward_macs:.2f} times the MACs of the forward pass"
    facts = [
        doc.Fact("forward", both(cost.forward_macs, cost.forward_flops), ("as in training",)),
        doc.Fact("backward", both(cost.backward_macs, cost.backward_flops), (ratio,) if ratio else ()),
        doc.Fact("step", both(cost.macs, cost.flops), ("without the loss and the update of the weights",)),
    ]
    if cost.saved_macs is not None:
        facts.append(
            doc.Fact("frozen", f"{count_text(cost.saved_macs)} MACs", ("saved by layers that are not trained",))
        )
    facts.append(doc.Fact("kept", bytes_text(cost.kept), ("saved for the backward pass",)))
    facts += [doc.Fact("not known", "", (why,)) for why in cost.unknown[:_MOST_UNKNOWN]]
    return (doc.FactBlock(tuple(facts), "A training step, per example"),)


_MOST_UNKNOWN = 5


def all_notes(report: Report) -> Mapping[str, Iterable[str]]:
    """Return each message and the layers that it holds for (none: it is about the model)."""
    holds_for = doc.noted(report.notes)
    for row in layers_of(report, nested=True):
        for message in row.layer.notes:
            # A note of a row that the report's notes have too, in the same words, is not told twice.
            names = holds_for.setdefault(message, {})
            if row.layer.path not in names and row.layer.layer not in names:
                names[row.layer.path] = None
    return holds_for


def title_of(layer: LayerReport) -> str:
    """Return the name that a layer is known by: inside a nested model its path."""
    return layer.path if layer.depth else layer.layer


# Memory -------------------------------------------------------------------------------------------------------------


def _memory(report: Report) -> tuple[doc.FactBlock, ...]:
    """Return `Memory for a batch of 32, trained with adam`: bytes, and by what formula they come about."""
    memory = report.memory
    if memory is None or (report.serving is not None and memory.optimizer is None):
        return ()
    trained = "" if memory.optimizer is None else f", trained with {memory.optimizer}"
    return (doc.FactBlock(memory_facts(memory), f"Memory for a batch of {memory.batch:,}{trained}"),)


def memory_facts(memory: Memory) -> tuple[doc.Fact, ...]:
    """Return the lines, in the order in which they add up."""
    at = f", at '{memory.peak_at}'" if memory.peak_at else ""
    remarks = ["per example: the outputs of all layers and the inputs", _dtypes(memory.activations_by_dtype)]
    facts = [
        ("weights", memory.weights, _dtypes(memory.weights_by_dtype)),
        ("activations", memory.activations, "; ".join(filter(None, remarks))),
        ("peak", memory.peak, f"per example: largest memory in use at once at inference{at}"),
        ("inference", memory.inference, f"= weights + {memory.batch:,} × peak"),
    ]
    if memory.optimizer is not None:
        name, each = memory.optimizer, memory.slots_each
        kept = f"what {name} keeps" if each is None else f"{plural(each, 'value')} that {name} keeps"
        kept = f"{name} stores nothing" if each == 0 else kept
        known = memory.kept is not None
        of = "kept" if known else "activations"
        facts += [
            ("gradients", memory.gradients, "one for each trainable parameter"),
            ("optimizer", memory.slots, f"{kept} for each trainable parameter"),
            *([("kept", memory.kept, "per example: saved for the backward pass")] if known else []),
            ("training", memory.training, f"= weights + gradients + optimizer + {memory.batch:,} × {of}"),
        ]
    return tuple([doc.Fact(label, bytes_text(size), (words,)) for label, size, words in facts])


def _dtypes(by_dtype: Sequence[DtypeBytes]) -> str:
    """Return `float32`, or `float16 5.1 MB, float32 2.0 MB` where there are several."""
    if len(by_dtype) == 1:
        return by_dtype[0].dtype
    return ", ".join(f"{dtype_bytes.dtype} {bytes_text(dtype_bytes.bytes)}" for dtype_bytes in by_dtype)
