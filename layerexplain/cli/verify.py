"""`layerexplain verify`: runs every formula on real weights and compares it with real Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli import sources as reading
from layerexplain.cli.arguments import WithTraining, given_training, training_options
from layerexplain.cli.options import SOURCES, Output, code_option, input_option, output_options, seed_option
from layerexplain.cli.output import fetching, progress
from layerexplain.cli.source_arguments import where_they_fit
from layerexplain.model import InputShapesOf

if TYPE_CHECKING:
    from layerexplain.api import VerifyReport


def _positive(ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    if not 0 < value < 1:
        raise click.BadParameter(f"{value} is not a fraction; give a number between 0 and 1", ctx, parameter)
    return value


@click.command(
    "verify",
    cls=WithTraining,
    short_help="Run every formula and compare it with real Keras or PyTorch, layer by layer.",
)
@SOURCES
@output_options
@input_option
@code_option
@click.option(
    "--tolerance",
    type=float,
    default=1e-4,
    show_default=True,
    callback=_positive,
    help="The largest allowed difference, as a fraction of the largest value of the layer's output. "
    "Below the default, rounding errors are reported too.",
)
@seed_option("The seed for inputs and for generated weights.")
@click.option(
    "--drawn-weights",
    "drawn",
    is_flag=True,
    help="Use random weights instead of the file's own (none zero, variances positive), so that no zero hides an "
    "error.",
)
@click.option(
    "--gradient",
    is_flag=True,
    help="Also compare gradients: those of every call, and a training step of the whole model.",
)
@click.option(
    "--run-code",
    is_flag=True,
    help="Execute the code of SOURCE (if it is a program) and the Python files of --code in a separate process, to "
    "compare custom layers with their real classes. Only for code that you trust.",
)
@training_options("With --gradient: the")
def command(
    sources: tuple[str, ...],
    output: Output,
    inputs: InputShapesOf,
    code: tuple[str, ...],
    tolerance: float,
    seed: int,
    drawn: bool,
    gradient: bool,
    run_code: bool,
) -> None:
    """Run every formula of SOURCE in NumPy and compare shapes, parameters and values with real Keras.

    Keras loads the file in safe mode; a file with code or with classes that are not Keras's own is refused. A spec or a
    config, which stores no weights, gets random ones. Each layer's formula gets the input that Keras gives the layer;
    then the model is compared end to end. The exit code is 0 only if something was compared and everything agrees.
    Needs TensorFlow: pip install '.[tensorflow]' in a clone.

    PyTorch code is compared with the modules of PyTorch that it names, built with the arguments that were read, on
    random weights. Needs PyTorch: pip install '.[torch]'.

    With --gradient, the derived gradients of every call whose values agree are compared with tf.GradientTape, in
    training too where the layer differs then; and for the whole model the loss, the gradients of all weights and one
    step of the optimizer. Without a loss in the source or in --loss, the mean squared error is taken.

    No code of SOURCE is executed, unless --run-code is given: then Python runs the whole program, or the files of
    --code.

    \b
    Examples:
      layerexplain verify model.keras
      layerexplain verify spec.yaml --seed 7
      layerexplain verify net.py --input 3,32,32
      layerexplain verify model.keras --gradient
      layerexplain verify spec.yaml --gradient --loss mse --optimizer Adam learning_rate=0.01
      layerexplain verify net.py --input 3,32,32 --gradient --loss CrossEntropyLoss --optimizer SGD lr=0.1
      layerexplain verify model.keras --code layers.py --run-code
      layerexplain verify model.json --input 64,64,3 --format json | jq '.layers[] | select(.status != "agrees")'
    """  # fmt: skip
    from layerexplain.render.documents.verification import verification

    trained = given_training(gradient, "--gradient")

    shapes = where_they_fit(inputs, sources)

    def ask(source: str) -> VerifyReport:
        name = reading.name_of(source)
        with progress(name, "calls compared") as tell, fetching(source):
            report = api.verify(
                library.piped(source),
                inputs=shapes,
                tolerance=tolerance,
                seed=seed,
                drawn=drawn,
                code=code,
                gradient=gradient,
                training=trained or None,
                progress=tell,
                run_code=run_code,
            )
        return report._replace(source=name)

    reading.print_each(
        output,
        sources,
        ask,
        lambda report: verification(report, len(sources) > 1),
        is_fine=lambda report: report.agrees,
    )
