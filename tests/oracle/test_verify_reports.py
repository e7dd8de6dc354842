"""When a verification agrees: all that was compared does, and something was; how that is printed."""

from collections.abc import Callable

import layerexplain
from layerexplain.model import Note
from layerexplain.oracle.verify_report import Compared, LayerCheck, StepCheck, ValuesCheck, VerifyReport
from layerexplain.report.data import InputReport

SHAPES = Compared(((None, 5),), ((None, 5),))
WEIGHTS = Compared(((3, 5), (5,)), ((3, 5), (5,)))
AGREES = LayerCheck("dense", "dense", "Dense", 0, "agrees", SHAPES, WEIGHTS, 2.5e-7, 1e-4, "")
FINE = ValuesCheck("agrees", 3e-8, 1e-5, "")
REPORT = VerifyReport(
    "m.keras", "keras-archive", "net", "Functional", "3.15.1", "tensorflow 2.21", "of the model", 7, (InputReport("x", (None, 3), "float32"),), (AGREES,), FINE,
    keras_version="3.10.0", parameters=Compared(20, 20),
)  # fmt: skip
STEP = StepCheck("training", "agrees", 2e-5, "mse", Compared(0.123456789, 0.123456780), 1e-8, 4e-7, "Adam", 5e-7)
LAYERS = (
    AGREES, AGREES._replace(call=1, difference=0.0, gradient=FINE), AGREES._replace(layer="bad", path="box/bad", status="differs", difference=0.25, reason="values differ", rounding=1e-6),
    AGREES._replace(layer="shape", path="shape", status="differs", output_shapes=Compared(((None, 5),), ((None, 7),)), weight_shapes=Compared(None, ((3, 7),)), difference=float("inf"), reason="its shape"),
    AGREES._replace(layer="other", path="other", type="Own", status="not compared", output_shapes=Compared(None, None), weight_shapes=Compared(None, None), difference=None, reason="no formula"),
    AGREES._replace(layer="near", path="near", rounding=3e-5, difference=2e-4, gradient=ValuesCheck("differs", 0.5, 1e-5, "dW")),
    AGREES._replace(layer="norm", path="norm", type="BatchNorm1d", buffers=5, gradient=ValuesCheck("agrees", 1e-4, 1e-5, "", 2e-4)),
    AGREES._replace(layer="half", path="half", gradient=ValuesCheck("not compared", None, 1e-5, "no gradient")),
)  # fmt: skip
REPORTS = {
    "all agree": REPORT,
    "mixed": REPORT._replace(
        layers=LAYERS, whole=ValuesCheck("differs", 0.01, 1e-4, "output 'y'", 1e-6), parameters=Compared(20, 25), weights="drawn",
        notes=(Note("a", "other", "has no formula"), Note("a", "half", "has no formula"), Note("b", None, "a note on all")),
        steps=(STEP, STEP._replace(mode="inference", status="differs", reason="dense/kernel", rounding=3e-4, gradient_difference=0.5, optimizer="", step_difference=None), StepCheck("training", "not compared", 1e-5, reason="no loss")),
    ),
    "nothing compared": REPORT._replace(layers=(LAYERS[4],), whole=ValuesCheck("not compared", None, 1e-4, "a layer has no formula"), parameters=Compared(None, 20), keras_version=None),
    "PyTorch": REPORT._replace(format="code", keras="PyTorch 2.9", backend="cpu", weights="drawn", keras_version=None, steps=(STEP._replace(step_difference=0.0, gradient_difference=0.0),)),
}  # fmt: skip


def test_a_verification_as_it_is_printed(snapshot: Callable[[str, str], None]) -> None:
    snapshot("verification.txt", layerexplain.format_report(REPORTS["mixed"], format="table", width=100))
