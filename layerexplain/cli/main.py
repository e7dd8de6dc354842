"""The program: its commands, loaded when they are called, and what becomes of their errors."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

import click

from layerexplain import __version__
from layerexplain.cli import failures
from layerexplain.errors import LayerExplainError

SECTIONS = {
    "Commands": ("summary", "explain", "layer", "check", "diff", "page"),
    "Pictures and files": ("draw", "convert", "catalogue", "view"),
    "Numbers": ("weights", "trace", "verify"),
    "Set-up": ("lsp", "completion"),
}
"""The commands as help lists them. Each has a module of its name, of which only the one that is called is imported."""

COMMANDS = tuple([name for names in SECTIONS.values() for name in names])

_HELP_ENDS_WITH = (
    *("inputs", "code", "settings", "all_models", "recursive", "jobs"),
    *("format", "output_file", "color", "width", "ascii", "timeout", "retries", "max_download"),
)
"""Options that most commands have, which help lists behind a command's own."""

PROGRAM = "layerexplain"

SHELLS = ("bash", "zsh", "fish")
"""Those that commands are completed in."""


class CommandGroup(click.Group):
    """The group of all commands. Whatever goes wrong in one ends in a line on stderr and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"layerexplain.cli.{cmd_name}").command
        last = {name: place for place, name in enumerate(_HELP_ENDS_WITH, 1)}
        command.params.sort(key=lambda parameter: last.get(parameter.name or "", 0))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS.items():
            with formatter.section(title):
                commands = [(name, self.get_command(ctx, name)) for name in names]
                formatter.write_dl([(name, command.get_short_help_str(100)) for name, command in commands if command])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        words = args[1:] if name == "explain" else [] if name in COMMANDS else args
        if words and not ctx.resilient_parsing and _is_layer(words[0]):
            return super().resolve_command(ctx, ["layer", *words])
        if name not in COMMANDS and _is_source(name):
            return super().resolve_command(ctx, ["summary", *args])
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from layerexplain.errors import did_you_mean

            hint = did_you_mean(name, COMMANDS) or f"the commands are {', '.join(COMMANDS)}"
            ctx.fail(f"no command '{failures.clean(name)}'; {hint}")
        return super().resolve_command(ctx, args)

    def _main_shell_completion(
        self, ctx_args: MutableMapping[str, Any], prog_name: str, complete_var: str | None = None
    ) -> None:
        """Do what click does where a shell asks for completions by the environment; it has no word for one that asks
        for something else."""
        import os

        variable = complete_var or f"_{prog_name.upper()}_COMPLETE"
        asked = os.environ.get(variable)
        if not asked:
            return
        shell, _, what = asked.partition("_")
        if shell not in SHELLS or what not in ("source", "complete"):
            wanted = ", ".join(f"{shell}_complete" for shell in SHELLS)
            failures.tell_lines(
                [f"{variable} is '{asked}'; it needs to be {wanted}, which a shell sets; unset it to use {prog_name}"]
            )
            raise SystemExit(1)
        try:
            super()._main_shell_completion(ctx_args, prog_name, complete_var)
        except LayerExplainError:
            raise
        except (KeyError, ValueError):
            words = "COMP_WORDS and COMP_CWORD do not say which word is being typed"
            failures.tell_lines([f"{variable} is '{asked}', but {words}; unset it to use {prog_name}"])
            raise SystemExit(1) from None

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with failures.clean_usage(), failures.as_exit_codes():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with failures.clean_usage(), failures.as_exit_codes():
            return super().invoke(ctx)


def _is_layer(word: str) -> bool:
    """Return whether a word is a type of layers, or one layer in Keras's code, and no file.

    >>> [_is_layer(word) for word in ("layers.Dense(5)", "lstm", "train.py:build(5)", "model")]
    [True, True, False, False]
    """
    import os

    name, bracket, _ = word.partition("(")
    if not name.replace(".", "").isidentifier() or os.path.exists(word):
        return False
    if bracket:
        return True
    from layerexplain.cli import library

    return library.find_named(library.typed_layer(name)[0]) is not None


def _is_source(word: str) -> bool:
    """Return whether a word is a file rather than a misspelt command: one that is there, or that is named as one.

    >>> _is_source("model.keras"), _is_source("sumary")
    (True, False)
    """
    import os

    return word == "-" or "." in word or os.sep in word or os.path.exists(word)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def program() -> None:
    """Explain a neural network layer by layer: what each layer computes, how its shape is computed, and where each
    parameter comes from. Reads model files of Keras, code of Keras and PyTorch, configurations of language models and
    YAML specs, without importing a framework or executing the file.

    \b
    Examples:
      layerexplain model.keras                       (is short for: layerexplain summary model.keras)
      layerexplain explain model.keras 'conv2d*'
      layerexplain layer Dense units=512 activation=relu --input 784
    """


def main() -> None:
    """Run the console script."""
    failures.open_streams()
    failures.spell_out()
    try:
        program(prog_name=PROGRAM)
    except OSError:  # standard error does not take what is to be said
        raise SystemExit(1) from None
    finally:
        failures.end_streams()
