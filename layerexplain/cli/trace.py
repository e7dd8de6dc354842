"""`layerexplain trace`: runs the formulas: what each layer outputs, or one element as a sum of products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from layerexplain import api
from layerexplain.cli import sources as reading
from layerexplain.cli.amounts import amount
from layerexplain.cli.input_shapes import InputShape, inputs_of
from layerexplain.cli.layer_names import Row, found, layers_in, no_match
from layerexplain.cli.options import (
    LAYERS,
    SOURCE,
    Output,
    WithNumbers,
    code_option,
    number_option,
    output_options,
    seed_option,
    shapes_option,
)
from layerexplain.cli.progress import progress
from layerexplain.errors import LayerExplainError
from layerexplain.render.formats import Sheet

if TYPE_CHECKING:
    from layerexplain.api import Model


def _index(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    parts = value.strip().strip("()[]").replace(",", " ").split()
    try:
        index = tuple(int(part) for part in parts)
    except ValueError:
        index = ()
    if not index or any(abs(i) >= 2**31 for i in index):
        raise click.BadParameter(
            f"'{value}' is not an index; write one number per axis, the batch first: 0,3,4,7", ctx, parameter
        )
    return index


def _bytes(ctx: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    size = amount(value, "gb")
    if not size:
        raise click.BadParameter(
            f"'{value.strip()}' is not a size; write gigabytes (0.5), or a number with its unit: 500MB, 2GiB",
            ctx,
            parameter,
        )
    return int(size)


@click.command(
    "trace",
    cls=WithNumbers,
    short_help="Run the formulas: print what each layer outputs, or one element as a sum of products.",
)
@SOURCE
@LAYERS
@output_options
@click.option(
    "--input",
    "inputs",
    metavar="[NAME=]WHAT",
    multiple=True,
    help="The values of an input: a file FILE.npy or FILE.npz (arrays by the names of inputs), zeros, ones or "
    "random[:SEED]. Repeatable. Default: random.",
)
@shapes_option(
    "--size",
    "sizes",
    "The unknown sizes of an input whose values are generated, without the batch: 128 or tokens=128.",
)
@number_option("--batch", 1, 100_000, default=1, help="The number of examples in generated inputs.")
@click.option(
    "--at",
    metavar="I,J,...",
    callback=_index,
    help="Explain one element of a LAYER's output, the batch first: its formula, and every number in it.",
)
@number_option(
    "--call",
    0,
    default=0,
    help="With --at: which call of the layer, from 0; in a nested model counted through all calls of the model.",
)
@number_option("--result", 0, default=0, help="With --at: which output of the layer, from 0.")
@number_option(
    "--terms",
    1,
    default=10,
    help="With --at: how many terms of a sum the text shows; json, jsonl, csv and tsv have them all.",
)
@click.option(
    "--keras/--no-keras",
    "keras",
    default=None,
    help="With --at: also compute it with real Keras. Default: if TensorFlow is installed; it takes seconds to start.",
)
@click.option(
    "--save",
    metavar="OUT.npz",
    type=click.Path(dir_okay=False),
    help="Write the arrays to OUT.npz. Keys are the paths of layers; further calls and outputs have their numbers, "
    "from 0, behind two slashes: encoder/dense//call/1/output/0.",
)
@code_option
@seed_option("The seed for weights that the source does not have.")
@click.option(
    "--max-memory",
    metavar="SIZE",
    callback=_bytes,
    help="Refuse a layer with an array larger than SIZE: gigabytes (0.5), or with a unit (500MB, 2GiB). "
    "Default: the memory of the machine.",
)
@click.option(
    "--partial",
    is_flag=True,
    help="Where a layer cannot be computed (no formula, custom code), run every layer that does not depend on it.",
)
def command(
    source: str,
    patterns: tuple[str, ...],
    output: Output,
    inputs: tuple[str, ...],
    sizes: tuple[InputShape, ...],
    batch: int,
    at: tuple[int, ...] | None,
    call: int,
    result: int,
    terms: int,
    keras: bool | None,
    save: str | None,
    code: tuple[str, ...],
    seed: int,
    max_memory: int | None,
    partial: bool,
) -> None:
    """Run the formulas of SOURCE in NumPy on its own weights, or on random weights if it has none.

    Without --at, print the shape, the smallest, mean and largest value, and the share of zeros and NaNs of every
    layer's output, or of the named LAYERs (patterns: 'conv*', 'encoder/*'). With --at, work out one element of one
    LAYER: its formula, the formula with the indices filled in, every product of its sums, and Keras's result.

    \b
    Examples:
      layerexplain trace model.keras --input image.npy
      layerexplain trace model.keras --input tokens=ids.npy --input zeros --save activations.npz
      layerexplain trace model.keras second --at 0,3,4,7
      layerexplain trace spec.yaml --size tokens=16 --format json | jq '.layers[] | select(.nans > 0)'
    """  # fmt: skip
    if at is not None and len(patterns) != 1:
        raise click.UsageError("--at needs one LAYER: layerexplain trace SOURCE LAYER --at 0,3,4,7")
    if at is not None and save is not None:
        raise click.UsageError("--save writes whole arrays and has no meaning with --at")

    def run(one: str) -> Sheet:
        content = reading.content_of(one)
        model = api.read(content, code)._replace(source=reading.name_of(one))
        given = api.make_inputs(
            model, inputs, sizes=inputs_of(model, sizes, "--size"), batch=batch, max_memory=max_memory
        )
        with progress(model.source, "calls run") as tell:
            if at is not None:
                from layerexplain.render.documents.worked_element import worked_element

                path = _one_matching(model, patterns[0])
                element = api.trace_element(
                    content,
                    model,
                    given,
                    path,
                    at,
                    call=call,
                    output=result,
                    seed=seed,
                    keras=keras,
                    max_memory=max_memory,
                    progress=tell,
                )
                return worked_element(element, terms)
            from layerexplain.render.documents.trace import trace

            paths = {path for pattern in patterns for path in _matching(model, pattern)}
            wanted = paths.__contains__ if patterns else None
            return trace(
                api.trace_statistics(
                    content,
                    model,
                    given,
                    seed=seed,
                    partial=partial,
                    wanted=wanted,
                    save=save,
                    max_memory=max_memory,
                    progress=tell,
                )
            )

    reading.print_each(output, [source], run, lambda sheet: sheet)


def _matching(model: Model, pattern: str) -> list[str]:
    """The paths of the layers that a pattern matches. Raises LayerExplainError where there is none."""
    rows = [Row(path, layer.name, layer.type) for path, layer in layers_in(model)]
    paths = [row.path for row in rows if row.path == pattern] or found(pattern.strip(), rows)
    if not paths:
        raise no_match(pattern, [name for row in rows for name in (row.name, row.path)])
    return paths


def _one_matching(model: Model, pattern: str) -> str:
    """The path of the one layer that a pattern matches."""
    paths = _matching(model, pattern)
    if len(paths) > 1:
        listed = ", ".join(paths[:6]) + (", …" if len(paths) > 6 else "")
        raise LayerExplainError(f"--at needs one layer, and '{pattern}' matches {len(paths)}: {listed}")
    return paths[0]
