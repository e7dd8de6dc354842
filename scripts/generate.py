"""Writes the pages of docs/ that are made from the code: `python scripts/generate.py`, or `--check` to compare only.

A page is a function without arguments in `PAGES`; tests/end_to_end/test_docs.py holds each against what is on disk.
"""

from __future__ import annotations

import functools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def cli_reference() -> str:
    """docs/cli.md: what every command says of itself with --help."""
    import click

    from layerexplain.cli.main import COMMANDS, PROGRAM, program

    width = 100
    settings = {**program.context_settings, "terminal_width": width}
    root = click.Context(program, info_name=PROGRAM, **settings)
    parts = [
        "# The command line",
        "What `--help` says, as written by `python scripts/generate.py`.",
        _EXIT_CODES,
        f"## {PROGRAM}",
        _fenced(program.get_help(root)),
    ]
    for name in COMMANDS:
        command = program.get_command(root, name)
        if command is None:
            raise SystemExit(f"no command {name}")
        context = click.Context(command, info_name=name, parent=root, **{**settings, **command.context_settings})
        parts += [f"## {PROGRAM} {name}", _fenced(command.get_help(context))]
    return "\n\n".join(parts) + "\n"


_EXIT_CODES = """## Results, errors, exit codes

Results go to standard output, everything else to standard error, one line per fault. The exit code is 0 for success, 1
if a source could not be read or explained completely (the others still are), and 2 for wrong usage, which includes
every argument of `layer`.

All faults of a spec are reported in one run. `summary` and `explain` continue after a faulty layer: that layer, and
whatever depends on it, is unknown (`?`, in JSON null, with a note of the code `not-derived`). If the connections
themselves are faulty (a name that no layer has), only the faults are printed. In a file that a program wrote, a Keras
layer that refuses its input is reported in the same way, with exit code 1. A layer of an unknown class is not a fault,
nor is an argument that is not understood, since a newer Keras may know it: the layer is unknown, with a note.

With several sources, `--format json` prints an array of those that could be read; a source that could not be read has
no entry, and its fault is printed on standard error."""


def _fenced(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


FAMILIES = {
    "activation_layers": "Activations as layers",
    "attention": "Attention",
    "applications": "Custom layers of keras.applications",
    "augmentation": "Augmentation",
    "convolutional": "Convolution",
    "convolutional_recurrent": "Convolutional recurrent",
    "core": "Core",
    "encoding": "Encoding of numbers and ids",
    "image_transforms": "Images: crops, contrast, boxes",
    "keras_1": "Keras 0.3 and 1",
    "merging": "Merging",
    "normalization": "Normalization",
    "pipeline": "Pipelines and spectral normalization",
    "pooling": "Pooling",
    "preprocessing": "Preprocessing",
    "regularization": "Regularization and noise",
    "reshaping": "Reshaping",
    "reversible_embedding": "Reversible embedding",
    "rnn": "Recurrent",
    "rnn_cells": "Cells of recurrent layers",
    "spectrogram": "Spectrograms",
    "wrappers": "Wrappers",
}


def layer_list() -> str:
    """docs/internals/layers.md: every layer type that has a declaration, with its arguments and its sentence."""
    from layerexplain.layers.index import types
    from layerexplain.layers.registry import find, layer_types

    parts = [
        "# Layers",
        "All layer types that have a formula, from the registry (`python scripts/generate.py`). Arguments have Keras's "
        "names and defaults. Any other class is shown as an opaque row with a note.",
    ]
    for family, entries in layer_types().items():
        parts.append(f"## {FAMILIES.get(family, family.replace('_', ' ').capitalize())}")
        parts.append("\n".join(f"- **{name}**`({arguments})`  \n  {words}" for name, arguments, words in entries))
    also: dict[str, list[str]] = {}
    for name in sorted(types()):
        declaration = find(name)
        if declaration is not None and declaration.type != name and "." not in name:
            also.setdefault(declaration.type, []).append(name)
    parts.append("## Other names")
    parts.append("\n".join(f"- {', '.join(names)}: {type_}" for type_, names in sorted(also.items())))
    parts.append("## Operations between layers")
    keras = sorted(name.removeprefix("ops.") for name in types("ops"))
    tf = sorted(name[3:] for name in types() if name.startswith("tf."))
    parts.append(f"Of `keras.ops`, as nodes of a Functional model: {', '.join(keras)}.")
    parts.append(f"Of tf.keras, as `TFOpLambda` and `SlicingOpLambda`: {', '.join(f'`{name}`' for name in tf)}.")
    return "\n\n".join(parts) + "\n"


def training_list() -> str:
    """docs/internals/training.md: losses, optimizers, schedules, regularizers, constraints, each with its formula."""
    from layerexplain.cli.arguments import parse_arguments
    from layerexplain.cli.source_arguments import parse_input
    from layerexplain.errors import ArgumentError
    from layerexplain.layers.registry import training_types
    from layerexplain.report.one_layer import build_layer, layer_type

    parts = [
        "# Losses, optimizers, schedules, regularizers, constraints",
        "What takes part in training alone, from the registry (`python scripts/generate.py`). Arguments have Keras's "
        "names and defaults; the formulas are those of the defaults. "
        "`layerexplain layer NAME ARG=VALUE… --input SHAPE` explains one.",
        "`y_true` are the targets, `y_pred` is the output, `L` the loss. `W` is a weight, `g` the gradient of the loss "
        "by it, `step` the number of the update from 1 on (of a schedule from 0 on). An optimizer's statements assign "
        "in place: from there on a name stands for the new value. A constraint replaces the weight after each update.",
        "`sample_weight` multiplies the loss of each example. `fit(class_weight=…)`, which no file keeps, does so "
        "with the weight of each example's class: `losses * w[y_true]`.",
    ]
    for kind, entries in training_types().items():
        parts.append(f"## {kind.capitalize()}")
        for name, arguments, words in entries:
            told = layer_type(name)
            shapes = [(None, *parse_input(shape).shape)[1:] for shape in told.example_inputs]
            parts.append(f"**{name}**`({arguments})`  \n{words}")
            try:
                row = build_layer(name, parse_arguments(told.example), shapes).layers[0]
                parts.append(_fenced("\n".join(row.formula)))
            except ArgumentError as error:
                parts.append(f"No formula: {error.fact}.")
    return "\n\n".join(parts) + "\n"


def gradient_list() -> str:
    """docs/internals/gradients.md: how gradients pass each layer, derived from its formula."""
    from layerexplain.api import explain_layer
    from layerexplain.cli.arguments import parse_arguments
    from layerexplain.cli.source_arguments import parse_input
    from layerexplain.layers.registry import layer_types
    from layerexplain.report.one_layer import layer_type

    parts = [
        "# Gradients",
        "How gradients pass each layer in training, derived from its formula (`python scripts/generate.py`): "
        "`layerexplain layer NAME ARG=VALUE… --input SHAPE --gradient`. `dy` is the gradient of the result. Lines "
        "above the empty one belong to the forward pass: the backward pass reads their values. Of layers that are "
        "declared for one, two and three dimensions only that for two is listed.",
    ]
    nothing = []
    for types in layer_types().values():
        for name, *_ in types:
            told = layer_type(name)
            shapes = [(None, *parse_input(shape).shape) for shape in told.example_inputs]
            if name[-2:] in ("1D", "3D") and name[:-2] + "2D" in {other for other, *_ in types}:
                continue
            arguments = parse_arguments(told.example)
            found = explain_layer(name, arguments, input_shape=shapes, gradient=True).layers[0].gradient
            if found is None or found.unknown or not found.statements:
                reason = "whole numbers" if found is None or not found.unknown else found.unknown
                nothing.append(f"- {name}: {reason.partition(';')[0]}")
                continue
            lines = [["    " * line.indent + line.text for line in part] for part in (found.kept, found.statements)]
            text = "\n".join([*lines[0], *[""][: len(lines[0])], *lines[1]])
            call = ", ".join(told.example)
            parts.append("\n\n".join([f"## {name}", f"`{name}({call})`", *found.facts, _fenced(text)]))
    return "\n\n".join([*parts, "## Layers without", "\n".join(nothing)]) + "\n"


def op_list() -> str:
    """docs/internals/ops.md: the vocabulary of formulas, from the registries."""
    from layerexplain.errors import ShapeError
    from layerexplain.lang.axes import BATCH
    from layerexplain.lang.composite import COMPOSITES
    from layerexplain.lang.expr import LEAVES, OPS, STRUCTURAL, UNKNOWN_GRADIENT, Marker
    from layerexplain.lang.notation import value_text
    from layerexplain.lang.text import statements
    from layerexplain.ops import load_all

    load_all()
    structural = {op.name for op in LEAVES} | {"item", "call", "loop"}
    rows = ["| op | defaults (omitted in text) | FLOPs | element form | gradient |", "| --- | --- | --- | --- | --- |"]
    for name in sorted(set(OPS) - structural):
        op = OPS[name]
        defaults = ", ".join(f"`{k}={value_text(v)}`" for k, v in op.defaults.items())
        flops = str(op.flops) if isinstance(op.flops, Marker) else "own rule"
        element = f"no: {op.element}" if isinstance(op.element, Marker) else "yes"
        unknown = isinstance(op.gradient, UNKNOWN_GRADIENT)
        gradient = "yes"
        if isinstance(op.gradient, Marker) and op.gradient is not STRUCTURAL:
            gradient = f"{'unknown' if unknown else 'none'}: {op.gradient}"
        rows.append(f"| `{name}` | {defaults} | {flops} | {element} | {gradient} |")
    functions = []
    for name in sorted(COMPOSITES):
        composite = COMPOSITES[name]
        try:
            definition = composite.trace(
                [((BATCH,), "int32") if one == "ids" else ((BATCH, 4), "float") for one in composite.tensors], {}
            )
            body = "; ".join(line.text for line in statements(definition)).replace("y = ", "", 1)
        except (TypeError, ShapeError):  # of other arguments, or of tensors with more axes
            body = ""
        arguments = ", ".join([*composite.tensors, *[f"{k}={value_text(v)}" for k, v in composite.defaults.items()]])
        formula = f" = `{body}`" if body else ""
        functions.append(f"- `{name}({arguments})`{formula}  \n  {composite.description}")
    return (
        "\n\n".join(
            [
                "# Ops and functions",
                "The vocabulary of formulas, generated from the registries (`python scripts/generate.py`). Syntax: "
                "[formula-language.md](formula-language.md).",
                "## Ops",
                "\n".join(rows),
                "## Functions defined by formulas",
                "\n".join(functions),
            ]
        )
        + "\n"
    )


def coverage() -> str:
    """docs/internals/coverage.md: every class of keras.layers, whether it has a formula and runs at inference."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tests.support.named_cases import fixed_sizes
    from tests.support.registry import KERAS_VERSION, coverage_rows, operation_rows

    rows = coverage_rows()
    tried, sizes, fixed = fixed_sizes()
    of_sizes = ["| class | sizes | why |", "| --- | --- | --- |", *[f"| {' | '.join(row)} |" for row in fixed]]
    operations = operation_rows()
    of_ops = ["| class | formula | why not |", "| --- | --- | --- |"]
    for row in operations:
        of_ops.append(f"| {row.name} | {f'`layers/{row.module}.py`' if row.module else 'opaque'} | {row.why} |")
    declared = [row for row in rows if row.declared]
    evaluated = [row for row in declared if row.evaluated]
    identity = [row for row in evaluated if row.identity]
    lines = ["| class | formula | at inference | why |", "| --- | --- | --- | --- |"]
    for row in rows:
        formula = f"`layers/{row.module}.py`" if row.module else "declared" if row.declared else "opaque"
        runs = ("passes its input on" if row.identity else "evaluated") if row.evaluated else "not evaluated"
        lines.append(f"| {row.name} | {formula} | {runs} | {row.why} |")
    return (
        "\n\n".join(
            [
                "# Coverage of keras.layers",
                f"All {len(rows)} layer classes of Keras {KERAS_VERSION} (`python scripts/generate.py`). "
                f"{len(declared)} have a declaration, "
                f"{len(rows) - len(declared)} are opaque. {len(evaluated)} are evaluated at inference "
                f"and held against real Keras over drawn configurations; {len(identity)} of these pass their input on "
                f"unchanged then and act in training only.",
                "\n".join(lines),
                "## Operations of keras.ops",
                f"All {len(operations)} classes of operations of Keras {KERAS_VERSION}, as nodes of a Functional "
                f"model. {sum(row.declared for row in operations)} have a formula, which is evaluated and held against "
                f"real Keras; {sum(not row.declared for row in operations)} are opaque.",
                "\n".join(of_ops),
                "## Sizes with names",
                f"One case of each of {tried} layers, with a name in place of each size of its arguments and inputs "
                f"(`x1_0` is the first axis of the first input). Of {sizes} sizes, "
                f"{sum(len(names.split(', ')) for _, names, _ in fixed)} are one number only:",
                "\n".join(of_sizes),
            ]
        )
        + "\n"
    )


BLOCK = re.compile(r"(<!-- output of: (.+?) -->\n```text\n)(.*?)(```)", re.DOTALL)


def with_outputs(page: str) -> str:
    """A page written by hand, with what its commands print put beneath them."""

    def printed(match: re.Match[str]) -> str:
        command = shlex.split(match[2])
        cut = command.index("|") if "|" in command else len(command)
        run = [sys.executable, "-m", *command[:cut]]
        result = subprocess.run(run, cwd=ROOT, capture_output=True, check=True, text=True, encoding="utf-8")
        lines = result.stdout.splitlines()
        if cut < len(command):
            lines = lines[: int(command[-1])]
        shown = [f"$ {match[2]}", *[line.rstrip() for line in lines]]
        return match[1] + "\n".join(shown) + "\n" + match[4]

    return BLOCK.sub(printed, (DOCS / page).read_text("utf-8"))


def checks() -> str:
    """docs/checks.md: the page written by hand, then all rules of `check`."""
    from layerexplain.api import check
    from layerexplain.checks.rules import all_rules

    sys.path.insert(0, str(ROOT))
    from tests.support.check_rows import ROWS

    written, heading, _ = (DOCS / "checks.md").read_text("utf-8").partition("\n## All rules\n")
    parts = [
        written + heading,
        "As written by `python scripts/generate.py`. For each rule the tests have models that it must report and "
        "models near them that it must not; models of keras.applications have no findings but hints and true ones.",
    ]
    for rule in all_rules():
        parts += [
            f"### {rule.code}",
            f"**{rule.name}** ({', '.join(dict.fromkeys([rule.severity, rule.confidence]))}). {rule.why} *{rule.fix}*",
        ]
        if rule.torch is not None:
            said = [rule.torch.why, f"*{rule.torch.fix}*" if rule.torch.fix else ""]
            parts.append(f"In PyTorch: {' '.join(filter(None, said))}")
        parts.append(f"Source: {rule.source}")
        for spec in [*ROWS[rule.code].found][:1] if rule.code in ROWS else ():
            (finding, *_) = check(spec.encode(), select=[rule.code]).findings
            place = f"'{finding.layer}': " if finding.layer else ""
            parts += [f"```yaml\n{spec.strip()}\n```", f"> {place}{finding.message}"]
    return "\n\n".join(parts) + "\n"


def catalogue() -> str:
    """docs/catalogue.md: what is there, with the tables of columns."""
    from layerexplain.catalogues.rows import LAYER_COLUMNS, MODEL_COLUMNS

    tables = []
    for title, columns in (("A row of a model", MODEL_COLUMNS), ("A row of a layer", LAYER_COLUMNS)):
        lines = [f"| {title} | holds | |", "| --- | --- | --- |"]
        lines += [f"| `{one.name}` | {_KINDS[one.kind]} | {one.meaning} |" for one in columns]
        tables.append("\n".join(lines))
    begin, end = "<!-- columns -->\n", "<!-- end of columns -->"
    page = (DOCS / "catalogue.md").read_text("utf-8")
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n" + "\n\n".join(tables) + f"\n\n{end}{rest.partition(end)[2]}"


_KINDS = {
    "text": "text",
    "count": "whole number",
    "time": "time (UTC)",
    "texts": "texts",
    "counts": "number by name",
    "shapes": "shapes",
    "tensors": "tensors (`name`, `shape`, `dtype`)",
}


def catalogue_schema() -> str:
    """docs/catalogue.schema.json."""
    return json.dumps(catalogue_row_schema(), indent=2, ensure_ascii=False) + "\n"


_SHAPE = {"type": ["array", "null"], "items": {"type": ["integer", "null"], "minimum": 0}}
_TENSOR_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "shape": _SHAPE, "dtype": {"type": ["string", "null"]}},
    "required": ["name", "shape", "dtype"],
    "additionalProperties": False,
}
_CELLS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "count": {"type": "integer", "minimum": 0},
    "time": {"type": "string", "format": "date-time"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "counts": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},
    "shapes": {"type": "array", "items": _SHAPE},
    "tensors": {"type": "array", "items": _TENSOR_SCHEMA},
}


def catalogue_row_schema() -> dict[str, Any]:
    """The columns of a catalogue as a JSON Schema: a row of either table."""
    from layerexplain.catalogues.rows import LAYER_COLUMNS, MODEL_COLUMNS

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A row of a catalogue: a model or a layer",
        "anyOf": [{"$ref": "#/$defs/model"}, {"$ref": "#/$defs/layer"}],
        "$defs": {"model": _row_schema(MODEL_COLUMNS), "layer": _row_schema(LAYER_COLUMNS)},
    }


def _row_schema(columns: tuple[Any, ...]) -> dict[str, Any]:
    from layerexplain.catalogues.rows import VERSION

    properties = {}
    for column in columns:
        type_ = _CELLS[column.kind]
        kind = type_ if column.always else {**type_, "type": [type_["type"], "null"]}
        properties[column.name] = {**kind, "description": column.meaning}
    properties.get("schema", {}).update({"const": VERSION})
    return {
        "type": "object",
        "properties": properties,
        "required": [column.name for column in columns],
        "additionalProperties": False,
    }


def picture(source: str, depth: int, shown: tuple[str, ...], horizontal: bool) -> str:
    """docs/pictures/: a sample model as `draw` draws it."""
    from layerexplain.api import draw

    drawn = draw(str(ROOT / "sample_models" / source), depth=depth, show=shown, horizontal=horizontal)
    assert isinstance(drawn, str)  # SVG is text
    return drawn


def terminal(command: str) -> str:
    """docs/pictures/: what a command prints, as a terminal shows it."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from terminal_picture import terminal_picture

    run = [sys.executable, "-m", *shlex.split(command), "--color", "always"]
    printed = subprocess.run(run, cwd=ROOT, capture_output=True, check=True, text=True, encoding="utf-8").stdout
    return terminal_picture(command, printed)


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_reference,
    "internals/layers.md": layer_list,
    "internals/training.md": training_list,
    "internals/ops.md": op_list,
    "internals/gradients.md": gradient_list,
    "internals/coverage.md": coverage,
    "checks.md": checks,
    "catalogue.md": catalogue,
    "catalogue.schema.json": catalogue_schema,
    "pictures/resnet50.svg": functools.partial(picture, "resnet50.json", 0, ("type", "shapes", "params"), False),
    "pictures/transformer.svg": functools.partial(picture, "transformer.json", 1, ("type", "shapes"), True),
    "pictures/terminal.svg": functools.partial(
        terminal, "layerexplain explain sample_models/resnet50.json conv1_conv --width 112"
    ),
    **{page: functools.partial(with_outputs, page) for page in ("../README.md", "formats.md", "tutorial.md")},
}
"""File in docs/ → what it has to say."""


def main() -> None:
    """Writes all pages; with --check exits with 1 and names those that are not what they should be."""
    stale = []
    for name, page in PAGES.items():
        file = DOCS / name
        text = page()
        if "--check" not in sys.argv[1:]:
            file.write_bytes(text.encode())
        elif not file.is_file() or file.read_bytes() != text.encode():
            stale.append(name)
    if stale:
        raise SystemExit(f"not current: {', '.join(stale)}; run python scripts/generate.py")


if __name__ == "__main__":
    main()
