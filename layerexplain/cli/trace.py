"""`layerexplain trace`: the numbers, by the formulas: what each layer makes, or one element as a sum of products."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from layerexplain.cli import sources as reading
from layerexplain.cli.complete import layer_names
from layerexplain.cli.input_shapes import InputShape, inputs_of, parse_input
from layerexplain.cli.options import Output, output_options
from layerexplain.cli.output import emit
from layerexplain.errors import LayerExplainError

if TYPE_CHECKING:
    from layerexplain.model import Model
    from layerexplain.run.made_inputs import GivenInput

_STANDARD_INPUT = "<stdin>"


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
            f"'{value}' is no index; write a number an axis, the batch first: 0,3,4,7", ctx, parameter
        )
    return index


def _sizes(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[InputShape, ...]:
    return tuple(map(parse_input, value))


@click.command("trace", short_help="Run the formulas: what each layer makes, or one element as a sum of products.")
@click.argument("source", metavar="SOURCE", type=click.Path(allow_dash=True))
@click.argument("patterns", metavar="[LAYER]...", nargs=-1, shell_complete=layer_names)
@output_options
@click.option(
    "--input",
    "inputs",
    metavar="[NAME=]WHAT",
    multiple=True,
    help="What an input gets: a file FILE.npy or FILE.npz (arrays by the names of inputs), zeros, ones or "
    "random[:SEED]. Repeatable. Default: random.",
)
@click.option(
    "--size",
    "sizes",
    metavar="[NAME=]SHAPE",
    multiple=True,
    callback=_sizes,
    help="The sizes that an input leaves open, for arrays that are made; without the batch: 128 or tokens=128.",
)
@click.option(
    "--batch",
    metavar="N",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    help="How many examples the arrays have that are made.",
)
@click.option(
    "--at",
    metavar="I,J,...",
    callback=_index,
    help="One element of a LAYER's output, the batch first: its formula, and all numbers in it.",
)
@click.option(
    "--call",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="With --at: which call of the layer, from 0; in a nested model counted through all calls of the model.",
)
@click.option(
    "--result",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="With --at: which output of the layer, from 0.",
)
@click.option(
    "--terms",
    metavar="N",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="With --at: how many terms of a sum the text shows; json, jsonl, csv and tsv have them all.",
)
@click.option(
    "--keras/--no-keras",
    "keras",
    default=None,
    help="With --at: also what real Keras computes. Default: if TensorFlow is installed; it takes seconds to start.",
)
@click.option(
    "--save",
    metavar="OUT.npz",
    type=click.Path(dir_okay=False),
    help="Write the arrays to OUT.npz. Keys are the paths of layers; further calls and outputs have their numbers, "
    "from 0, behind two slashes: encoder/dense//call/1/output/0.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="What weights are drawn from where the source has none.",
)
@click.option(
    "--partial",
    is_flag=True,
    help="Where a layer has no values (no formula, code of its own), run whatever does not need them.",
)
@click.pass_context
def command(
    ctx: click.Context,
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
    seed: int,
    partial: bool,
) -> None:
    """Run the formulas of SOURCE in NumPy on its own weights, or on drawn ones where it has none.

    Without --at: shape, smallest, mean and largest value, share of zeros and NaNs of every layer's output, or of the
    LAYERs that are named (patterns: 'conv*', 'encoder/*'). With --at: one element of one LAYER, worked out: the
    formula, the same with the indices put in, every product of its sums, and what Keras computes.

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

    def run(one: str) -> bool:
        from layerexplain.run.made_inputs import made_inputs

        content, model = _read(one)
        given = made_inputs(model, inputs, inputs_of(model, sizes, "--size"), batch)
        tell = _progress(model.source)
        try:
            if at is not None:
                show = _element(content, model, given, patterns[0], at, call, result, seed, keras, output, terms, tell)
            else:
                show = _table(content, model, given, patterns, seed, partial, save, output, tell)
        finally:
            if tell is not None:
                _wipe()
        show()
        return True

    _, fine = reading.of_each([source], run)
    if not fine:
        ctx.exit(1)


def _read(source: str) -> tuple[Any, Model]:
    """What weights are read of, and the model; standard input is kept in memory, since it is read more than once."""
    from layerexplain.frontends import read_faultless

    if source != "-":
        return source, read_faultless(source)
    content = sys.stdin.buffer.read()
    return content, read_faultless(content)._replace(source=_STANDARD_INPUT)


def _table(
    content: Any,
    model: Model,
    given: Sequence[GivenInput],
    patterns: Sequence[str],
    seed: int,
    partial: bool,
    save: str | None,
    output: Output,
    tell: Callable[[int, int, str], None] | None,
) -> Callable[[], None]:
    from layerexplain.render.documents.trace import trace
    from layerexplain.render.formats import printed
    from layerexplain.run.trace_results import trace_report

    for pattern in patterns:
        _matching(model, pattern)
    wanted = None if not patterns else lambda path: any(_matches(path, pattern) for pattern in patterns)
    report = trace_report(content, model, given, seed=seed, partial=partial, wanted=wanted, save=save, progress=tell)
    return lambda: emit(output, lambda look: printed([trace(report)], output.format, look))


def _element(
    content: Any,
    model: Model,
    given: Sequence[GivenInput],
    pattern: str,
    at: tuple[int, ...],
    call: int,
    result: int,
    seed: int,
    keras: bool | None,
    output: Output,
    terms: int,
    tell: Callable[[int, int, str], None] | None,
) -> Callable[[], None]:
    from layerexplain.oracle.keras_value import keras_is_installed, keras_output
    from layerexplain.render.documents.worked_element import worked_element
    from layerexplain.render.formats import printed
    from layerexplain.run.trace_results import element_report

    paths = _matching(model, pattern)
    if len(paths) > 1:
        listed = ", ".join(paths[:6]) + (", …" if len(paths) > 6 else "")
        raise LayerExplainError(f"--at needs one layer, and '{pattern}' matches {len(paths)}: {listed}")
    oracle = keras_output if keras or (keras is None and keras_is_installed()) else None
    report = element_report(
        content, model, given, paths[0], at, call=call, output=result, seed=seed, oracle=oracle, progress=tell
    )
    return lambda: emit(output, lambda look: printed([worked_element(report, terms)], output.format, look))


# Layers by name -----------------------------------------------------------------------------------------------------


def _matching(model: Model, pattern: str) -> list[str]:
    """The paths of the layers that a pattern matches. Raises LayerExplainError where there is none."""
    from layerexplain.suggest import did_you_mean, or_else

    paths = _paths(model, "")
    exact = [path for path in paths if path == pattern]
    found = exact or [path for path in paths if _matches(path, pattern)]
    if not found:
        names = [name for path in paths for name in (path, path.rpartition("/")[2])]
        hint = or_else(did_you_mean(pattern, names), "`layerexplain summary --nested` lists the names")
        raise LayerExplainError(f"no layer matches '{pattern}'; {hint}")
    return found


def _paths(model: Model, above: str) -> list[str]:
    found = []
    for layer in model.layers:
        path = f"{above}{layer.name}"
        found.append(path)
        if layer.model is not None:
            found += _paths(layer.model, f"{path}/")
    return found


def _matches(path: str, pattern: str) -> bool:
    """By the whole path or the name behind its last slash, as it stands or as a pattern."""
    from fnmatch import fnmatchcase

    return any(name == pattern or fnmatchcase(name, pattern) for name in (path, path.rpartition("/")[2]))


# Progress -----------------------------------------------------------------------------------------------------------


def _progress(source: str) -> Callable[[int, int, str], None] | None:
    """Tells on a terminal how far the run is; no one else wants to know."""
    if not sys.stderr.isatty():
        return None
    from layerexplain.cli.failures import clean

    name = clean(source)[-30:]

    def tell(done: int, count: int, path: str) -> None:
        # The line is written over by the next.
        sys.stderr.write(f"\r\x1b[K{name}: {done:,} of {count:,} calls run, {clean(path)[:40]}")
        sys.stderr.flush()

    return tell


def _wipe() -> None:
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()
