"""`layerexplain completion`: the script that makes a shell complete our commands."""

from __future__ import annotations

import click

from layerexplain.cli.main import PROGRAM, SHELLS


@click.command("completion", short_help="Print the completion script for bash, zsh or fish.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that lets SHELL complete commands, options, files, columns, the layers of a file, and the
    types of layers and their arguments.

    \b
    bash: eval "$(layerexplain completion bash)"          (in ~/.bashrc)
    zsh:  eval "$(layerexplain completion zsh)"           (in ~/.zshrc)
    fish: layerexplain completion fish > ~/.config/fish/completions/layerexplain.fish
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"no completion for {shell}")
    script = complete(ctx.find_root().command, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source()
    click.echo(script)
