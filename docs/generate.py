"""Writes the pages of docs/ that are made from the code: `python docs/generate.py`, or `--check` to compare only.

A page is a function without arguments in `PAGES`; tests/test_docs.py holds each against what is on disk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent


def cli_reference() -> str:
    """docs/cli.md: what every command says of itself with --help."""
    import click

    from layerexplain.cli.main import COMMANDS, PROGRAM, program

    width = 100
    settings = {**program.context_settings, "terminal_width": width}
    root = click.Context(program, info_name=PROGRAM, **settings)
    parts = [
        "# The command line",
        "What `--help` says, as written by `python docs/generate.py`.",
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


def _fenced(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_reference,
}
"""File in docs/ → what it has to say."""


def main() -> None:
    """Writes all pages; with --check exits with 1 and names those that are not what they should be."""
    stale = []
    for name, page in PAGES.items():
        file = HERE / name
        text = page()
        if "--check" not in sys.argv[1:]:
            file.write_bytes(text.encode())
        elif not file.is_file() or file.read_bytes() != text.encode():
            stale.append(name)
    if stale:
        raise SystemExit(f"not current: {', '.join(stale)}; run python docs/generate.py")


if __name__ == "__main__":
    main()
