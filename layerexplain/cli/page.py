"""`layerexplain page`: a model as a page to look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli import sources as reading
from layerexplain.cli.amounts import bytes_in
from layerexplain.cli.failures import note
from layerexplain.cli.options import SOURCE, code_option, fold_option, gradient_option, renamed_option, values_options
from layerexplain.cli.output import write_picture
from layerexplain.errors import LayerExplainError
from layerexplain.model import InputShapesOf

MOST_WORDS = 1_000_000
"""Numbers of words are smaller."""


def _words(ctx: click.Context, parameter: click.Parameter, path: str | None) -> tuple[str, ...]:
    """Return the words of a file, in the order of their numbers: one per line, or JSON (a list, or an object
    from words to ids)."""
    if path is None:
        return ()
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} cannot be read: {error}") from None
    if not path.endswith(".json"):
        return tuple(text.splitlines())
    try:
        result = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{path} is not JSON: {error}") from None
    if isinstance(result, dict) and all(
        [type(number) is int and 0 <= number < MOST_WORDS for number in result.values()]
    ):
        words = [""] * (1 + max(result.values(), default=-1))
        for word, number in result.items():
            words[number] = word
        return tuple(words)
    if not isinstance(result, list) or not all([isinstance(word, str) for word in result]):
        raise click.BadParameter(f"{path} needs a list of words, or an object from words to ids")
    return tuple(result)


def _overlay(ctx: click.Context, parameter: click.Parameter, path: str | None) -> dict[str, Any] | None:
    """Return the numbers of a file, with the name of the file as their title where they have none."""
    if path is None:
        return None
    try:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(result, dict):
        raise click.BadParameter(f"{path} needs an object from layer names to numbers, got {json.dumps(result)[:40]}")
    return result if isinstance(result.get("values"), dict) else {"title": Path(path).stem, "values": result}


@click.command("page", short_help="Write one HTML page about a model: its graph, and each layer explained.")
@SOURCE
@click.option(
    "-o", "--output", metavar="FILE", default="-", type=click.Path(allow_dash=True),
    help="Where to write the HTML. Default: standard output.",
)  # fmt: skip
@fold_option
@gradient_option
@values_options
@click.option(
    "--layers", metavar="LAYER", multiple=True,
    help="With values: a layer whose numbers the page stores, as a name or a pattern ('conv*'). Repeatable. "
    "Default: all that fit into --max-values.",
)  # fmt: skip
@click.option(
    "--max-values", metavar="SIZE", callback=bytes_in("mb", "megabytes (8), or a number with its unit: 500kB, 8MB"),
    help="With values: the most space that stored numbers may take: megabytes (8), or with a unit (500kB). What "
    "does not fit is left out, and the page says so. Default: 8.",
)  # fmt: skip
@renamed_option(
    "--precision", formerly=["--weights"], type=click.Choice(["half", "f32", "none"]), default="half",
    show_default=True,
    help="The precision of the stored weights, with which the page runs the model; none: the page does not run it.",
)  # fmt: skip
@click.option("--labels", metavar="FILE", callback=_words, help="Names of the output's classes: one per line, or JSON.")
@click.option(
    "--vocabulary", metavar="FILE", callback=_words,
    help="Words for the ids of the input: one per line from id 0 on, or JSON (a list, or an object from words to ids).",
)  # fmt: skip
@click.option(
    "--overlay", metavar="FILE", callback=_overlay,
    help="JSON with a number per layer that colours the graph (latency, sparsity, error): {\"conv1\": 1.25}, or with "
    'a title: {"title": "ms", "combine": "max", "values": {"conv1": 1.25}}.',
)  # fmt: skip
@click.option(
    "--vs", metavar="SOURCE",
    help="Compare with a second model: the page shows both side by side, how they differ (see diff), and runs both on "
    "one input.",
)  # fmt: skip
@code_option
def command(
    source: str,
    output: str,
    fold: bool,
    gradient: bool,
    inputs: InputShapesOf,
    values: list[str],
    layers: tuple[str, ...],
    max_values: int | None,
    precision: str,
    labels: tuple[str, ...],
    vocabulary: tuple[str, ...],
    overlay: dict[str, Any] | None,
    vs: str | None,
    code: tuple[str, ...],
) -> None:
    """Write a page about SOURCE for a browser: the graph, whose boxes open; for each layer its formula, what one
    element reads, how its shape is computed, its weights, cost, training and notes; and a search.

    The page of a model with weights (up to 5 million) runs the model: draw on its input, drop a picture or an array,
    move a slider, and the values of all layers follow. --values sets the first input, with --vs that of both. With
    --layers or --max-values, or if the page does not run the model, it stores the values of one run, as `trace`
    computes them.

    It is one file, which works offline: nothing is fetched, and no code of SOURCE is run.

    \b
    Examples:
      layerexplain page model.keras -o model.html
      layerexplain page train.py --gradient -o model.html
      layerexplain page model.keras --values image.png --layers 'conv1*' -o model.html
      layerexplain page old.keras --vs new.keras -o both.html
    """
    if not values and (layers or max_values is not None):
        raise click.UsageError("--layers and --max-values need the values of an input, as in --values random")
    if vs is not None and (layers or max_values is not None or overlay is not None):
        raise click.UsageError("--vs shows two models and cannot be used with --layers, --max-values or --overlay")
    content = library.piped(source)
    asked: dict[str, Any] = {"gradient": gradient, "inputs": inputs, "code": code}
    runs: dict[str, Any] = {"weights": precision, "labels": labels, "vocabulary": vocabulary, "overlay": overlay}
    if vs is not None:
        of_both = {name: value for name, value in runs.items() if name != "overlay"}
        if values:
            of_both["values"] = values_of_run(content, source, inputs, values, layers, code)["values"]
        return write_picture(output, api.page(content, vs=library.piped(vs), fold=fold, **asked, **of_both))
    failure = None
    if values:
        try:
            of_run = {**values_of_run(content, source, inputs, values, layers, code), "max_values": max_values}
            page = api.page(content, fold=fold, **asked, **of_run, **runs)
            return write_picture(output, page)
        except LayerExplainError as error:
            failure = error
    report = api.explain(content, **asked, partial=True)
    if failure is not None:
        if not report.faults:
            raise failure
        note("the page has no values, because a model with errors cannot be run")
    if report.faults:
        return write_picture(output, api.page(report, fold=fold, overlay=overlay), report.faults)
    write_picture(output, api.page(content, fold=fold, **asked, **runs, report=report, name=report.source))


def values_of_run(
    content: Any, source: str, shapes: InputShapesOf, given: list[str], patterns: tuple[str, ...], code: tuple[str, ...]
) -> dict[str, Any]:
    """Return what a page is asked for the values of a run: those of the inputs, and which layers have theirs."""
    model = api.read(content, code)._replace(source=reading.name_of(source))
    return {"values": api.make_inputs(model, given, sizes=shapes), "layers": patterns or None}
