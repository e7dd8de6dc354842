"""`layerexplain lsp`: a language server for editors."""

from __future__ import annotations

import os
import sys

import click

_MISSING = "lsp needs pygls: pip install '.[editor]' in a clone"


@click.command("lsp", short_help="Run a language server: shapes and parameters beside the code, errors as you type.")
@click.option("--stdio", is_flag=True, help="Use standard input and output, as always; many editors pass this option.")
def command(stdio: bool) -> None:
    """Run a language server over standard input and output. An editor starts it; docs/editor.md says how.

    It reads Python files and notebooks with models of Keras or PyTorch, and YAML specs. It shows each layer's output
    shape and parameters beside its line, underlines errors with their fix, and shows a layer's formula on hover. No
    code of a file is executed.

    A comment supplies values that a file leaves unknown: `# layerexplain: n_hidden=128, input=28,28,1`.

    \b
    Examples:
      layerexplain lsp
      pip install '.[editor]'             (in a clone: what it needs)
    """
    try:
        from layerexplain.editor.server import make_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        raise click.UsageError(_MISSING) from None
    sys.stdout.flush()
    protocol = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else is printed goes to the editor's log
    server, code = make_server(), 0
    try:
        server.start_io(stdout=protocol)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        server.end()
    sys.stderr.flush()
    os._exit(code)  # a reading that cannot be stopped does not keep the process
