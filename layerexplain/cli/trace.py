"""`layerexplain trace`: runs the formulas: what each layer outputs, or one element as a sum of products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli import sources as reading
from layerexplain.cli.amounts import bytes_in
from layerexplain.cli.arguments import WithTraining, given_training, training_options
from layerexplain.cli.options import (
    LAYERS,
    SOURCE,
    Output,
    code_option,
    number_option,
    output_options,
    seed_option,
    values_options,
)
from layerexplain.cli.output import progress
from layerexplain.errors import LayerExplainError
from layerexplain.layer_names import matching
from layerexplain.model import InputShapesOf
from layerexplain.records import NamedTuple
from layerexplain.render.formats import Sheet

if TYPE_CHECKING:
    from layerexplain.api import Model


_EXAMPLES = 32
"""Examples in a training step where nothing else is said: the batch of `fit()`. Of one example BatchNormalization
passes no gradient."""


class At(NamedTuple):
    """An element as typed: of the output, or of the gradient of the tensor `of`."""

    place: tuple[int, ...]
    of: str


def _index(ctx: click.Context, parameter: click.Parameter, value: str | None) -> At | None:
    if value is None:
        return None
    of, _, index_text = value.rpartition(":")
    parts = index_text.strip().strip("()[]").replace(",", " ").split()
    try:
        index = tuple(int(part) for part in parts)
    except ValueError:
        index = ()
    if not index or any(abs(i) >= 2**31 for i in index):
        raise click.BadParameter(
            f"'{value}' is not an index; write one number per axis, the batch first: 0,3,4,7", ctx, parameter
        )
    return At(index, of.strip())


@click.command(
    "trace",
    cls=WithTraining,
    short_help="Run the formulas: what each layer outputs, its gradients, or one element as a sum of products.",
)
@SOURCE
@LAYERS
@output_options
@values_options
@number_option(
    "--batch", 1, 100_000, help="The number of examples in generated inputs. Default: 1; with --gradient 32."
)
@click.option(
    "--at",
    metavar="[W:]I,J,...",
    callback=_index,
    help="Explain one element of LAYER's output by its index, batch first: its formula, and every number in it. With "
    "--gradient, an element of the gradient of a weight or an input, by letter or name: W:2,0,3,5.",
)
@number_option(
    "--call",
    0,
    default=0,
    help="With --at: which call of the layer, from 0; in a nested model, over all calls of that model.",
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
    default=False,
    help="With --at: also compute the element with real Keras, which takes seconds to start. Default: --no-keras.",
)
@click.option(
    "--save",
    metavar="OUT.npz",
    type=click.Path(dir_okay=False),
    help="Write the arrays to OUT.npz. Keys are the paths of layers; further calls and outputs are "
    "numbered from 0, after two slashes: encoder/dense//call/1/output/0.",
)
@click.option(
    "--gradient",
    is_flag=True,
    help="Also run the backward pass: the loss, and the size of the gradient at each layer and of each weight.",
)
@click.option(
    "--target",
    "targets",
    metavar="[OUTPUT=]WHAT",
    multiple=True,
    help="With --gradient: the targets of an output: a file FILE.npy or FILE.npz, or random[:SEED], drawn to suit "
    "the loss. Repeatable. Default: random.",
)
@training_options("With --gradient: the")
@click.option("--step", is_flag=True, help="With --gradient: update the weights once, by the optimizer's formula.")
@click.option(
    "--inference",
    is_flag=True,
    help="With --gradient: compute as at inference (no dropout, stored statistics), not as in training.",
)
@code_option
@click.option(
    "--weights", type=click.Path(), metavar="FILE",
    help="A file to read the weights from: .safetensors for PyTorch code, .weights.h5 or .h5 for Keras.",
)  # fmt: skip
@seed_option("The seed for weights that the source does not store.")
@click.option(
    "--max-memory",
    metavar="SIZE",
    callback=bytes_in("gb", "gigabytes (0.5), or a number with its unit: 500MB, 2GiB", least=1),
    help="Refuse layers with an array larger than SIZE: gigabytes (0.5), or with a unit (500MB, 2GiB). "
    "Default: the memory of the machine.",
)
@click.option(
    "--partial",
    is_flag=True,
    help="If a layer cannot be computed (no formula, custom code), run every layer that does not depend on it.",
)
def command(
    source: str,
    patterns: tuple[str, ...],
    output: Output,
    inputs: InputShapesOf,
    values: list[str],
    batch: int | None,
    at: At | None,
    call: int,
    result: int,
    terms: int,
    keras: bool,
    save: str | None,
    code: tuple[str, ...],
    weights: str | None,
    seed: int,
    max_memory: int | None,
    partial: bool,
    gradient: bool,
    targets: tuple[str, ...],
    step: bool,
    inference: bool,
) -> None:
    """Run the formulas of SOURCE in NumPy on its own weights, those of --weights, or random ones if it has none.

    Without --at, print the shape, the smallest, mean and largest value, and the fraction of zeros and NaNs of every
    layer's output, or of the named LAYERs (patterns: 'conv*', 'encoder/*'). With --at, work out one element of one
    LAYER: its formula, the formula with the indices filled in, every product of its sums, and with --keras Keras's
    result.

    With --gradient, also run the backward pass, by the formulas that explain --gradient prints. It prints the loss; how
    large each layer's output, the gradient that reaches it and its weights' gradients are (the norm as a bar, the
    largest value, the fraction of zeros); and whether the gradient vanishes or explodes. --step adds what one update
    of the optimizer changes. Loss and optimizer are those that the model was compiled with, or --loss and --optimizer.

    \b
    Examples:
      layerexplain trace model.keras --values image.npy
      layerexplain trace model.keras --values tokens=ids.npy --values zeros --save activations.npz
      layerexplain trace net.py --input 3,32,32 --weights net.safetensors
      layerexplain trace model.keras second --at 0,3,4,7
      layerexplain trace model.keras --gradient --values images.npy --target labels.npy
      layerexplain trace spec.yaml --gradient --target random --loss mse --step --optimizer SGD momentum=0.9
      layerexplain trace model.keras conv2d --gradient --at W:2,0,3,5
      layerexplain trace spec.yaml --input tokens=16 --format json | jq '.layers[] | select(.nans > 0)'
    """  # fmt: skip
    if at is not None and len(patterns) != 1:
        raise click.UsageError("--at needs one LAYER: layerexplain trace SOURCE LAYER --at 0,3,4,7")
    if at is not None and save is not None:
        raise click.UsageError("--save writes whole arrays and cannot be used with --at")
    trained = given_training(gradient, "--gradient")
    named = at is not None and at.of
    alone = {"--target": targets, "--step": step, "--inference": inference, "--at with a tensor's name": named}
    for option in [name for name, given in alone.items() if given and not gradient]:
        raise click.UsageError(f"{option} needs --gradient")
    if at is not None and step:
        raise click.UsageError("--step updates whole weights and cannot be used with --at")
    if gradient and result:
        raise click.UsageError("--result picks an output; with --gradient name a tensor, as in --at W:2,0,3,5")

    def run(item: str) -> Sheet:
        content = library.piped(item)
        model = api.read(content, code)._replace(source=reading.name_of(item), weights_file=weights or "")
        least = _EXAMPLES if gradient else 1
        given = api.make_inputs(model, values, sizes=inputs, batch=batch, least=least, max_memory=max_memory)
        model = model.on({entry.name: entry.array for entry in given})
        with progress(model.source, "calls run") as tell:
            how: dict[str, Any] = {"seed": seed, "max_memory": max_memory, "progress": tell}
            if gradient:
                how |= {"loss": trained.get("loss"), "optimizer": trained.get("optimizer"), "training": not inference}
            if at is not None:
                from layerexplain.render.documents.trace import worked_element

                place = (content, model, given, _one_matching(model, patterns[0]), at.place)
                how |= {"call": call, "keras": keras}
                if gradient:
                    return worked_element(api.gradient_element(*place, targets, of=at.of, **how), terms)
                return worked_element(api.trace_element(*place, output=result, **how), terms)
            how |= {"partial": partial, "layers": patterns or None, "save": save}
            if gradient:
                from layerexplain.render.documents.gradients import gradients

                return gradients(api.gradient_statistics(content, model, given, targets, step=step, **how))
            from layerexplain.render.documents.trace import trace

            return trace(api.trace_statistics(content, model, given, **how))

    reading.print_each(output, [source], run, lambda sheet: sheet)


def _one_matching(model: Model, pattern: str) -> str:
    """Return the path of the one layer that a pattern matches."""
    paths = matching(model, pattern)
    if len(paths) > 1:
        listed = ", ".join(paths[:6]) + (", …" if len(paths) > 6 else "")
        raise LayerExplainError(f"--at needs one layer, and '{pattern}' matches {len(paths)}: {listed}")
    return paths[0]
