"""`layerexplain check`: mistakes that Keras does not tell of, each with its proof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from layerexplain import api
from layerexplain.api import CheckReport
from layerexplain.cli import library
from layerexplain.cli import sources as reading
from layerexplain.cli.amounts import amount
from layerexplain.cli.failures import note
from layerexplain.cli.options import (
    SOURCES_OR_NONE,
    Output,
    code_option,
    data_option,
    finding_output_options,
    input_option,
    renamed_option,
    seed_option,
)
from layerexplain.cli.output import emit, fetching
from layerexplain.cli.project_settings import use_project_settings
from layerexplain.cli.source_arguments import where_they_fit
from layerexplain.errors import ArgumentError
from layerexplain.model import InputShapesOf
from layerexplain.render.documents.findings import findings, note_lines, rules
from layerexplain.render.formats import ROWS_ALONE, printed


def _codes(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    codes = tuple([code.strip() for part in value for code in part.split(",") if code.strip()])
    _must_be(library.must_be_rules, codes, ctx, parameter)
    return codes


def _must_be(
    known: Callable[..., None], typed: tuple[str, ...], ctx: click.Context, parameter: click.Parameter
) -> None:
    try:
        known(*typed)
    except ArgumentError as error:
        raise click.BadParameter(error.fact, ctx, parameter) from None


def _levels(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """Read levels by commas; none for "never"."""
    levels = tuple([item.strip() for item in value.split(",")])
    if "never" in levels:
        if len(levels) > 1:
            raise click.BadParameter(f"never stands alone, got '{value}'", ctx, parameter)
        return ()
    _must_be(library.must_be_levels, levels, ctx, parameter)
    return levels


def _budgets(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, float]:
    result = {}
    for part in ",".join(value).split(","):
        name, equals, text = part.strip().partition("=")
        if not part.strip():
            continue
        most = amount(text)
        if not equals or most is None:
            raise click.BadParameter(f"'{part.strip()}'; a budget is NAME=NUMBER, like memory=50MB", ctx, parameter)
        result[name.strip()] = most
    return result


@click.command("check", short_help="Find mistakes that Keras does not report, each with the numbers that prove it.")
@SOURCES_OR_NONE
@finding_output_options
@input_option
@code_option
@click.option(
    "--select", multiple=True, metavar="CODES", callback=_codes, help="Only these rules, separated by commas."
)
@click.option("--ignore", multiple=True, metavar="CODES", callback=_codes, help="All rules except these.")
@click.option(
    "--max", "budgets", multiple=True, metavar="BUDGETS", callback=_budgets,
    help="Limits for the model: params=5e6,macs=300e6,memory=50MB,activations=10MB,weights=20MB.",
)  # fmt: skip
@click.option(
    "--fail-on", metavar="LEVELS", callback=_levels, default="wrong", show_default=True,
    help="Exit with 1 if a finding is at least this severe (breaks, wrong, wasteful, hint) or this sure (certain, "
    "likely, hint); wrong,certain needs both. never: always exit with 0.",
)  # fmt: skip
@click.option(
    "--no-settings", is_flag=True, is_eager=True, expose_value=False, callback=use_project_settings,
    help="Ignore the settings in pyproject.toml.",
)  # fmt: skip
@data_option
@click.option(
    "--run",
    is_flag=True,
    help="Run one training step on 32 examples (of --data, or random) and report dead and saturated layers, and "
    "vanishing and exploding gradients.",
)
@seed_option("With --run: the seed for weights that the source does not store.")
@renamed_option(
    "--weight-values", "weights", formerly=["--weights"], is_flag=True,
    help="Also read the values of the weights, for the rules that need them.",
)  # fmt: skip
@click.option("--list", "list_rules", is_flag=True, help="List the rules.")
def command(
    sources: tuple[str, ...],
    output: Output,
    inputs: InputShapesOf,
    code: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    budgets: dict[str, float],
    fail_on: tuple[str, ...],
    data: dict[str, Any],
    run: bool,
    seed: int,
    weights: bool,
    list_rules: bool,
) -> None:
    """Check the graph, the formulas and the training settings of SOURCE, and report what is wrong.

    A finding says what is wrong in the numbers of this model, why it matters, and what to do. The most severe come
    first: breaks (Keras refuses the model, when it is built or in fit), wrong (the model runs but cannot compute or
    learn what is meant), wasteful, hint. Each finding also says how sure it is: certain, likely or hint. Defaults of
    --select, --ignore, --max, --fail-on and --weight-values may stand in pyproject.toml, under [tool.layerexplain].

    Notes name the layers that no rule could examine, such as those of an unknown class; formats with one row per
    finding print the notes on stderr.

    The exit code is 1 if something is wrong or breaks (see --fail-on) or a source could not be read.

    \b
    Examples:
      layerexplain check model.keras
      layerexplain check spec.yaml --fail-on wasteful
      layerexplain check train.py --data X=100,9 --data y=labels.npy
      layerexplain check spec.yaml --run
      layerexplain check model.keras --max params=5e6,memory=50MB
      layerexplain check spec.yaml --format github
      layerexplain check models/*.keras --ignore bias-before-batchnorm --format json
      layerexplain check --recursive models/
      layerexplain check --list
    """
    if list_rules:
        emit(output, lambda look: printed([rules(library.all_rules())], output.format, look))
        return
    if not sources:
        raise click.UsageError("Missing argument 'SOURCE...'.")

    shapes = where_they_fit(inputs, sources)

    def ask(source: str) -> CheckReport:
        with fetching(source):
            return api.check(
                library.piped(source),
                inputs=shapes,
                code=code,
                select=select,
                ignore=ignore,
                budgets=budgets,
                weights=weights,
                data=data,
                run=run,
                seed=seed,
            )

    def sheet(report: CheckReport) -> Any:
        for line in note_lines(report) if output.format in ROWS_ALONE else ():
            note(line)
        return findings(report, len(sources) > 1)

    reading.print_each(output, sources, ask, sheet, is_fine=lambda report: not fail_on or not report.reaches(*fail_on))
