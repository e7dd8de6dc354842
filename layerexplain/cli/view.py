"""`layerexplain view`: a page in the browser that follows its source."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress

import click

from layerexplain import api
from layerexplain.cli.failures import clean
from layerexplain.cli.options import code_option, fold_option, gradient_option, input_option
from layerexplain.cli.page import values_of_run
from layerexplain.cli.sources import collect_for_many
from layerexplain.model import InputShapesOf


@click.command("view", short_help="Show the page of a model in the browser, and update it when the file changes.")
@click.argument("source", required=False)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the address in a browser.")
@click.option("--until-input-ends", is_flag=True, hidden=True, help="End when standard input does, as an editor's.")
@fold_option
@gradient_option
@input_option
@code_option
def command(
    source: str | None,
    browser: bool,
    until_input_ends: bool,
    fold: bool,
    gradient: bool,
    inputs: InputShapesOf,
    code: tuple[str, ...],
) -> None:
    """Show the page of SOURCE, a local file or folder, in the browser until Ctrl-C. The page updates when the file
    changes; if the file then has errors, they are shown above the last model that could be read.

    Drop another model on the page to show it instead; drop an array or an image to run the model on it. Without SOURCE
    the page waits for a model to be dropped.

    The server answers only this machine, at an address that cannot be guessed.

    \b
    Examples:
      layerexplain view model.keras
      layerexplain view spec.yaml --gradient
      layerexplain view train.py:build_model --no-browser
    """
    from layerexplain.viewer.server import Shown, Viewer

    if source == "-":
        raise click.UsageError("view needs a file to watch; for standard input use layerexplain page -")

    collect_for_many()  # a model after the other, as long as the server runs

    def make(path: str, values: str | None) -> str:
        of_run = {} if values is None else values_of_run(path, path, inputs, [values], (), code)
        # What was dropped lies in a folder that says nothing to its reader.
        name = None if path == source else os.path.basename(path)
        return api.page(path, fold=fold, gradient=gradient, inputs=inputs, code=code, name=name, **of_run)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the folder of dropped files is removed
    if until_input_ends:
        threading.Thread(target=_end_with_input, daemon=True).start()
    with suppress(KeyboardInterrupt), Viewer(Shown(make, source, beside=code)) as viewer:
        for line in viewer.shown.state.faults:
            click.echo(f"layerexplain: {clean(line)}", err=True)
        click.echo(viewer.address)
        click.echo("layerexplain: serving the page until Ctrl-C", err=True)
        if browser and _has_screen():
            import webbrowser

            webbrowser.open(viewer.address)
        viewer.over.wait()


def _end_with_input() -> None:
    with suppress(OSError):
        while os.read(0, 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _has_screen() -> bool:
    """Return whether a browser can be seen: a terminal on another machine has none."""
    return os.name != "posix" or sys.platform == "darwin" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
