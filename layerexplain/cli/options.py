"""The options that commands share, as decorators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce, wraps
from types import MappingProxyType
from typing import Any, TypeVar

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli.complete import layer_names, names_of, optimizers
from layerexplain.cli.source_arguments import (
    REACH_OPTIONS,
    each_located,
    inputs_of,
    located,
    parse_input,
    recursive_option,
)
from layerexplain.errors import ArgumentError, LayerExplainError, must_be_known
from layerexplain.model import InputShapesOf
from layerexplain.records import NamedTuple
from layerexplain.render.documents.layer_columns import COLUMNS
from layerexplain.render.formats import FINDING_FORMATS, FORM_ENDINGS, FORMATS, GRAPH_FORMATS, must_be_format
from layerexplain.render.layout import LEAST_WIDTH

_Function = TypeVar("_Function", bound=Callable[..., Any])


def together(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return one decorator for several options and arguments, which help lists in this order."""
    return lambda command: reduce(lambda decorated, decorate: decorate(decorated), reversed(decorators), command)


reach_options = together(*REACH_OPTIONS)
"""--timeout, --retries and --max-download, which sources have with them."""


def _settings(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    try:
        ctx.meta[_SETTINGS] = library.code_settings(value)
    except LayerExplainError as error:
        raise click.BadParameter(str(error), ctx, parameter) from None


_SETTINGS, _EVERY = "layerexplain.settings", "layerexplain.every"


def _every(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta[_EVERY] = value


def _source(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    return library.code_source(located(ctx, value), ctx.meta.get(_SETTINGS, {}))  # type: ignore[no-any-return]


def _sources(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    given = ctx.meta.get(_SETTINGS, {})
    return tuple([item for source in each_located(ctx, value) for item in models_of(ctx, source, given)])


def models_of(ctx: click.Context, source: Any, given: Mapping[str, str] = MappingProxyType({})) -> list[Any]:
    """Return a source for the main model of a source of code, with --all-models one for each of its models."""
    return library.each_model(source, given) if ctx.meta.get(_EVERY) else [library.main_model(source, given)]


def source_argument(
    name: str, *, several: bool = False, required: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return an argument that is a source, or with `several` any number of them: code that makes several models is one
    source for each. Before it stands --set, which it reads."""
    return click.argument(
        name, metavar=f"{name.upper().removesuffix('S')}{'...' if several else ''}", nargs=-1 if several else 1,
        required=required, type=click.Path(allow_dash=True), callback=_sources if several else _source,
    )  # fmt: skip


set_option = click.option(
    "--set", "settings", metavar="NAME=VALUE", multiple=True, is_eager=True, expose_value=False, callback=_settings,
    help="For Python code: the value of a name that the code leaves unknown, or of a constant to replace. What has no "
    "name is given as it is written: 'len(words)=5000'. Repeatable.",
)  # fmt: skip


every_option = click.option(
    "--all-models", is_flag=True, is_eager=True, expose_value=False, callback=_every,
    help="For Python code that makes several models: all of them, not the main one alone.",
)  # fmt: skip


SOURCE = together(set_option, source_argument("source"), reach_options)
SOURCES = together(set_option, source_argument("sources", several=True), every_option, recursive_option, reach_options)
SOURCES_OR_NONE = together(
    set_option, source_argument("sources", several=True, required=False), every_option, recursive_option, reach_options
)
LAYERS = click.argument("patterns", metavar="[LAYER]...", nargs=-1, shell_complete=layer_names)


class WithNumbers(click.Command):
    """A command whose arguments may be negative numbers, which click would take for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(
            ctx,
            [
                f" {argument}" if argument[:1] == "-" and argument[1:].replace(".", "", 1).isdigit() else argument
                for argument in args
            ],
        )


VERSUS = "--vs"


def without_versus(ctx: click.Context, args: list[str]) -> list[str]:
    """Return the words of a command line without `--vs` and what follows it up to the next option, which `versus`
    gives."""
    if VERSUS not in args:
        return args
    at = args.index(VERSUS)
    end = next((i for i in range(at + 1, len(args)) if args[i].startswith("-")), len(args))
    ctx.meta[VERSUS] = args[at + 1 : end]
    return args[:at] + args[end:]


def versus() -> list[str] | None:
    """Return the words behind `--vs`, None where it is not given."""
    results: list[str] | None = click.get_current_context().meta.get(VERSUS)
    return results


def other_source(value: str) -> str:
    """Return a source that is not the argument of a command, as its option `value` names it."""
    ctx = click.get_current_context()
    return str(_source(ctx, ctx.command.params[0], value))


class Renamed(click.Option):
    """An option whose names of the past still work; help and completion have today's."""

    def __init__(self, names: Sequence[str], formerly: Sequence[str] = (), **options: Any) -> None:
        super().__init__(names, **options)
        self.formerly = formerly

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        today, self.opts = self.opts, [*self.opts, *self.formerly]
        super().add_to_parser(parser, ctx)
        self.opts = today


def renamed_option(*names: str, formerly: Sequence[str], **options: Any) -> Callable[[_Function], _Function]:
    """Return an option that was called otherwise before."""
    return lambda command: click.option(*names, cls=Renamed, formerly=formerly, **options)(command)


class Output(NamedTuple):
    """Where the result goes and how it is to look, as asked for. `file` None is standard output; `width` None is
    that of the terminal."""

    format: str
    file: str | None
    color: str
    width: int | None
    ascii: bool


class FormChoice(click.Choice[str]):
    """Forms by their names, or by the endings of their files: `md`, `tex`."""

    def convert(self, value: Any, parameter: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert(FORM_ENDINGS.get(value, value), parameter, ctx)


def output_options(command: Callable[..., Any], formats: Sequence[str] = FORMATS) -> Callable[..., Any]:
    """Add --format, --output, --color, --width and --ascii, which the command gets as one `output`."""

    @wraps(command)
    def with_output(
        *args: Any, format: str, output_file: str | None, color: str, width: int | None, ascii: bool, **options: Any
    ) -> Any:
        file = None if output_file == "-" else output_file
        return command(*args, output=Output(format, file, color, width, ascii), **options)

    decorated: Callable[..., Any] = together(
        click.option(
            "-f", "--format", type=FormChoice(formats), default="table", show_default=True,
            help="The output format.",
        ),
        click.option(
            "-o", "--output", "output_file", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True),
            help="Write to FILE, in UTF-8; nothing is written if the command fails.",
        ),
        click.option(
            "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
            help="Colour the output. auto: only on a terminal, unless NO_COLOR or FORCE_COLOR is set.",
        ),
        number_option(
            "--width", LEAST_WIDTH, 10_000,
            help="Wrap text at N columns. Default: the terminal's width (or COLUMNS); lines in a pipe stay whole.",
        ),
        click.option("--ascii", is_flag=True, help="Replace characters that are not ASCII (an arrow becomes ->)."),
    )(with_output)  # fmt: skip
    return decorated


model_output_options = partial(output_options, formats=GRAPH_FORMATS)
"""The same for a command whose report has a graph."""

finding_output_options = partial(output_options, formats=FINDING_FORMATS)
"""The same for a command whose report is on places in files."""


def columns_option(known: Iterable[str] = COLUMNS) -> Callable[[_Function], _Function]:
    """Add --columns, which the command gets as `columns`: a tuple of `known` names, or None."""
    names = list(known)

    def read(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        chosen = tuple(name.strip().lower().replace("-", "_") for name in value.split(","))
        wrong = []
        for name in chosen:
            try:
                must_be_known("column", name, names)
            except ArgumentError as error:
                wrong.append(error.fact)
        if wrong:
            raise click.BadParameter("; ".join(sorted(wrong, key=len)), ctx, parameter)
        return chosen

    return click.option(
        "--columns", metavar="A,B,...", callback=read, shell_complete=names_of(names),
        help=f"The columns of table, csv, tsv and markdown: {', '.join(names)}.",
    )  # fmt: skip


def _parts(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    from layerexplain.render.documents.explanation import PARTS

    names = tuple([name.strip().lower() for name in value.split(",")]) if value else ()
    try:
        for name in names:
            must_be_known("section", name, PARTS)
    except ArgumentError as error:
        raise click.BadParameter(error.fact, ctx, parameter) from None
    return names


def parts_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--full and --only, which the command gets as `parts`: which parts of an explanation it prints, None for those
    that it prints by default."""

    @wraps(command)
    def with_parts(*args: Any, full: bool, only: tuple[str, ...], **options: Any) -> Any:
        from layerexplain.render.documents.explanation import FULL, ShownParts

        if full and only:
            raise click.UsageError("--full shows all sections and --only some of them; give one of the two")
        return command(*args, parts=ShownParts(FULL, only) if full or only else None, **options)

    decorated: Callable[..., Any] = together(
        click.option("--full", is_flag=True, help="Add cost, reach, mask, and the conventions of Keras and PyTorch."),
        click.option(
            "--only", metavar="A,B,...", callback=_parts,
            help="Only these sections: sentence, inputs, computes, formula, shape, parameters, remarks, where, "
            "element, weights, training, dtype, cost, reach, mask, keras, pytorch, in-keras.",
        ),
    )(with_parts)  # fmt: skip
    return decorated


def number_option(
    name: str, least: int, most: int | None = None, *, help: str, default: int | None = None, short: str = ""
) -> Callable[[_Function], _Function]:
    """Return an option for a whole number from `least` to `most`."""
    names = [short, name] if short else [name]
    limits = click.IntRange(least, most)
    return click.option(*names, metavar="N", type=limits, default=default, show_default=default is not None, help=help)


_INPUT = "The shape of an input, without the batch: 224,224,3 or 28x28x1 or tokens=128. Repeatable."


def _shapes(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> InputShapesOf:
    return partial(inputs_of, typed=tuple(map(parse_input, value)))


def _shapes_and_values(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> InputShapesOf:
    """Return the shapes; `random` and names of files, which --values is for, are kept for it."""
    shapes, values = [], []
    for text in value:
        try:
            if text.rpartition("=")[2] in ("zeros", "ones", "random"):  # which are names of no sizes
                raise click.BadParameter(text)
            shapes.append(parse_input(text))
        except click.BadParameter:
            values.append(text)
    ctx.meta[_VALUES] = values
    return partial(inputs_of, typed=shapes)


_VALUES = "layerexplain.values"


def _values(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> list[str]:
    return [*ctx.meta.get(_VALUES, ()), *value]


input_option = click.option("--input", "inputs", metavar="[NAME=]SHAPE", multiple=True, callback=_shapes, help=_INPUT)
"""--input, which the command gets as `inputs`: a function that gives the shapes for a model, by the names of its
inputs."""

typed_input_option = click.option(
    "--input", "inputs", metavar="[NAME=]SHAPE", multiple=True, help=_INPUT,
    callback=lambda ctx, parameter, value: tuple(map(parse_input, value)),
)  # fmt: skip
"""The same as a tuple of `InputShape`, as typed."""

values_options = together(
    renamed_option(
        "--input", "inputs", formerly=["--size"], metavar="[NAME=]SHAPE", multiple=True, is_eager=True,
        callback=_shapes_and_values, help=_INPUT,
    ),
    click.option(
        "--values", metavar="[NAME=]WHAT", multiple=True, callback=_values,
        help="The values of an input: a file FILE.npy, FILE.npz (arrays by the names of inputs) or FILE.png, zeros, "
        "ones or random[:SEED]. Repeatable.",
    ),
)  # fmt: skip
"""--input and --values, which the command gets as `inputs` and as `values`, a list of what was typed."""


def _data(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for text in value:
        name, equals, what = text.partition("=")
        if not equals or not name.strip() or not what.strip():
            wrong = f"'{text}' is not of the form NAME=SHAPE or NAME=FILE; write X=100,9"
            raise click.BadParameter(wrong, ctx, parameter)
        results[name.strip()] = library.parse_shape(what) or what.strip()
    return results


data_option = click.option(
    "--data", metavar="NAME=WHAT", multiple=True, callback=_data,
    help="What fit() gets: X, y, or an input or output by name; then its shape, examples first (X=100,9), or a .npy, "
    ".npz or .csv file. Repeatable.",
)  # fmt: skip
"""--data, which the command gets as `data`: shapes, and paths as text, by names."""


def _readable(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    if value and not ctx.resilient_parsing:
        library.read_own_layers(value)
    return value


code_option = click.option(
    "--code", metavar="FILE", multiple=True, type=click.Path(), callback=_readable,
    help="A file that defines custom layers: YAML with `define:`, or their Python code, which is read and never run. "
    "Repeatable.",
)  # fmt: skip
"""One that is at fault ends the command, whatever its sources are."""


def seed_option(help: str) -> Callable[[_Function], _Function]:
    """Add --seed, which the command gets as `seed`."""
    return click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help=help)


def _optimizer(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    return (
        None if value is None else click.Choice(api.optimizers(), case_sensitive=False).convert(value, parameter, ctx)
    )


class _OptimizerOption(click.Option):
    """Its help lists the optimizers, which are looked up where help is asked for."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        names = ", ".join(api.optimizers())
        self.help = f"Include the memory needed for training with an optimizer: {names}."
        return super().get_help_record(ctx)


memory_options = together(
    number_option("--batch", 1, 10**9, help="Include the memory needed for a batch of N examples."),
    click.option("--optimizer", metavar="NAME", callback=_optimizer, cls=_OptimizerOption, shell_complete=optimizers),
)

serving_options = together(
    click.option(
        "--dtype", metavar="NAME",
        help="For a language model: the dtype of the cache and the activations, such as bf16.",
    ),
    click.option(
        "--weights-dtype", metavar="NAME",
        help="For a language model: the dtype of the weights, such as int4. Default: --dtype.",
    ),
    click.option(
        "--hardware", metavar="TEXT",
        help='For a language model: whether it fits and how fast it can be on: H100, "2x24GB, 1.0TB/s, 330TFLOP/s".',
    ),
)  # fmt: skip


def columns_must_fit(columns: tuple[str, ...] | None, output: Output) -> None:
    """Refuses --columns with a format that always has everything."""
    try:
        must_be_format(output.format, columns)
    except ArgumentError as error:
        raise click.UsageError(f"--{error.fact}") from None


def memory_must_fit(batch: int | None, optimizer: str | None, output: Output) -> None:
    """Refuses --batch and --optimizer with a format that has rows alone."""
    if (batch is not None or optimizer is not None) and output.format in ("jsonl", "csv", "tsv"):
        option = "--batch" if batch is not None else "--optimizer"
        raise click.UsageError(
            f"{option} cannot be used with {output.format}, which has one row per layer and no totals"
        )


nested_option = click.option("--nested", is_flag=True, help="Include the layers inside nested models.")

jobs_option = number_option(
    "--jobs", 1, 256, short="-j",
    help="Read N sources in parallel. Default: 1 for fewer than 32 sources, otherwise one per processor.",
)  # fmt: skip

gradient_option = click.option(
    "--gradient",
    is_flag=True,
    help="Also explain the backward pass: the gradients of each layer's inputs and weights, as formulas.",
)

fold_option = click.option(
    "--fold/--no-fold",
    default=True,
    show_default=True,
    help="Draw repeated blocks once, and layers whose names share a prefix as one box.",
)
