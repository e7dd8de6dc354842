"""Runs the program in this process, as the command line would."""

import io
from typing import Any

from click.testing import CliRunner, Result

from layerexplain.cli.main import program


def invoke(*arguments: object, input: str | bytes | None = None, **environment: str) -> Result:
    """Run the program; its input is a pipe, as that of a process is: what looks at bytes before it reads them can."""
    data = input.encode() if isinstance(input, str) else input
    pipe: Any = None if data is None else io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type]
    words = [str(word) for word in arguments]
    return CliRunner().invoke(program, words, pipe, environment, catch_exceptions=False, prog_name="layerexplain")
