"""`verify --run-code`: custom layers against their real classes, which are run only then."""

from pathlib import Path

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.oracle.verify import VerifyOptions, verified_here
from layerexplain.oracle.verify_report import VerifyReport
from tests.support.commands import invoke
from tests.support.frameworks import keras

pytestmark = pytest.mark.keras

GATE = """import keras
from keras import layers, ops

class Gate(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True
        self.drop = layers.Dropout(0.0)

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), name="w")
        self.inner = layers.Dense(self.units)

    def call(self, x, training=None, mask=None):
        y = ops.sigmoid(ops.matmul(x, self.w)) * self.inner(x)
        if mask is not None:
            y = y * ops.cast(mask, y.dtype)[:, :, None]
        return self.drop(y, training=training)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
"""
MODEL = """
i = keras.Input((7,), dtype="int32")
x = layers.Embedding(11, 5, mask_zero=True)(i)
model = keras.Model(i, layers.GlobalAveragePooling1D()(Gate(3, name="gate")(x)))
"""
OPTIONS = {"inputs": None, "tolerance": 1e-4, "seed": 0, "drawn": False, "gradient": False, "training": None}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "gate.py"
    path.write_text(GATE + MODEL)
    return path


def checks(report: VerifyReport) -> dict[str, str]:
    return {one.layer: one.status for one in report.layers}


def test_a_program_is_run_in_a_process_of_its_own(script: Path) -> None:
    script.write_text(script.read_text() + f"\nopen({str(script.with_suffix('.ran'))!r}, 'w').write('x')\n")
    result = invoke("verify", str(script))
    assert result.exit_code == 1
    assert "is a Gate, which is not part of Keras; nothing was loaded" in result.stderr
    assert not script.with_suffix(".ran").exists()
    result = invoke("verify", str(script), "--run-code")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "3 of 3 calls agree" in result.stdout
    assert script.with_suffix(".ran").exists()


def test_a_file_is_loaded_with_the_classes_of_its_code(script: Path, tmp_path: Path) -> None:
    names: dict = {"__name__": "gate"}
    exec(GATE, names)
    keras.utils.clear_session(free_memory=False)  # which numbers the names of operations
    x = keras.layers.Embedding(11, 5, mask_zero=True)(i := keras.Input((7,), dtype="int32"))
    path = tmp_path / "gate.keras"
    keras.Model(i, names["Gate"](3, name="gate")(x)).save(path)
    report = verified_here(str(path), VerifyOptions(**OPTIONS, code=str(script)), run_code=True)
    assert (checks(report), report.whole.status) == (
        dict.fromkeys(["embedding", "not_equal", "gate"], "agrees"),
        "agrees",
    )


def test_a_class_that_computes_something_else_is_found(script: Path) -> None:
    other = "\nexec('Gate.call = lambda self, x, mask=None: x[..., :3]')\n"  # not to be read, only to be run
    script.write_text(GATE + other + MODEL)
    report = verified_here(str(script), VerifyOptions(**OPTIONS, code=()), run_code=True)
    assert checks(report)["gate"] == "differs"


def test_values_in_training_are_compared_with_those_of_the_class(script: Path) -> None:
    report = verified_here(str(script), VerifyOptions(**{**OPTIONS, "gradient": True}, code=()), run_code=True)
    assert [one.gradient.status for one in report.layers if one.layer == "gate"] == ["agrees"]
    assert [step.status for step in report.steps] == ["agrees"] * len(report.steps)


FAULTS = {
    "an error of the program": (GATE + MODEL + "\nopen('/nowhere/at/all')\n", "", "ends with FileNotFoundError"),
    "an exit": (GATE + MODEL + "\nexec('raise SystemExit(3)')\n", "", "running the code ends with SystemExit: 3"),
    "a subclassed model": (
        GATE
        + "\nclass Net(keras.Model):\n    def __init__(self):\n        super().__init__()\n        self.g = Gate(3)\n"
        "\n    def call(self, x):\n        return self.g(x)\n\nmodel = Net()\nmodel(keras.Input((4, 5)))\n",
        "",
        "call it on keras.Input(…) in a functional model",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_the_code_does_wrong_is_one_line(name: str, tmp_path: Path) -> None:
    code, request, words = FAULTS[name]
    path = tmp_path / "wrong.py"
    path.write_text(code)
    with pytest.raises(LayerExplainError) as caught:
        verified_here(str(path) + request, VerifyOptions(**OPTIONS, code=()), run_code=True)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_that_are_given_are_refused(script: Path) -> None:
    result = invoke("verify", str(script), "--run-code", "--set", "units=9")
    assert result.exit_code != 0
