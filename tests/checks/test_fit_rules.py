"""Rules on what a program gives fit(): a callback that watches nothing, states that are shuffled."""

from pathlib import Path

import pytest

import layerexplain

DENSE = """import keras, numpy as np, options
from keras import callbacks, layers
m = keras.Sequential([keras.Input((5,)), layers.Dense(1)])
m.compile('adam', 'mse', metrics=%s)
m.fit(np.zeros((64, 5)), np.zeros((64, 1)), %s)
"""
STATEFUL = """import keras, numpy as np
from keras import layers
m = keras.Sequential([keras.Input(batch_shape=(8, 7, 3)), layers.LSTM(4, stateful=%s), layers.Dense(1)])
m.compile('adam', 'mse')
m.fit(np.zeros((64, 7, 3)), np.zeros((64, 1)), batch_size=8%s)
"""
STOPS, BEST = "callbacks=[callbacks.EarlyStopping(%s)]", "callbacks=[callbacks.ModelCheckpoint('m.keras', %s)]"


def _unknown(program: str) -> str:
    """The same program on arrays that it does not make."""
    return program.replace("np.zeros((64, 7, 3)), np.zeros((64, 1))", "x, y").replace(
        "options", "options\nfrom data import x, y"
    )


def _own(program: str) -> str:
    """The same program with a model of its own class."""
    subclass = "class Net(keras.Model):\n    def __init__(self):\n        super().__init__()\n        self.d = layers.Dense(1)\n"
    subclass += "    def call(self, x):\n        return self.d(x)\nm = Net()\n"
    return program.replace("m = keras.Sequential([keras.Input((5,)), layers.Dense(1)])\n", subclass)


ROWS = [
    (DENSE % ("['mae']", STOPS % ""), "EarlyStopping watches 'val_loss', and fit() gets no validation data"),
    (DENSE % ("['mae']", STOPS % "monitor='val_mae', patience=3"), "EarlyStopping watches 'val_mae', and fit() gets no validation data"),
    (DENSE % ("['mae']", STOPS % "'val_acc'" + ", validation_split=0.2"), "EarlyStopping watches 'val_acc', and the metrics are mae"),
    (DENSE % ("None", BEST % "monitor='accuracy', save_best_only=True"), "ModelCheckpoint watches 'accuracy', and the model has no metrics"),
    (DENSE % ("['mae']", STOPS % "" + ", validation_split=0.2"), ""),
    (DENSE % ("['mae']", STOPS % "" + ", validation_data=(np.zeros((4, 5)), np.zeros((4, 1)))"), ""),
    (DENSE % ("['mae']", STOPS % "'mae'"), ""), (DENSE % ("['mae']", STOPS % "'loss'"), ""),
    (DENSE % ("['mae']", BEST % ""), ""), (DENSE % ("['mae']", STOPS % "" + ", **options.fit"), ""),
    (DENSE % ("[keras.metrics.AUC()]", STOPS % "'auc'"), ""),
    (STATEFUL % ("True", ""), "'lstm' is stateful, and fit() shuffles the examples (shuffle=True by default)"),
    (_unknown(STATEFUL % ("True", "")), "'lstm' is stateful, and fit() shuffles the examples (shuffle=True by default)"),
    (_unknown(STATEFUL % ("True", ", shuffle=False")), ""),
    (_unknown(STATEFUL % ("True", "")).replace("x, y", "data_set"), ""),  # which is not shuffled
    (_own(DENSE % ("['mae']", STOPS % "")), "EarlyStopping watches 'val_loss', and fit() gets no validation data"),
    (_own(DENSE % ("['mae']", STOPS % "" + ", validation_split=0.2")), ""),
    (STATEFUL % ("True", ", shuffle=False"), ""), (STATEFUL % ("False", ""), ""),
]  # fmt: skip


@pytest.mark.parametrize(("program", "message"), ROWS)
def test_what_fit_is_given(program: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(program)
    report = layerexplain.check(tmp_path / "m.py", select=["watches-nothing", "shuffled-states"])
    assert [one.message for one in report] == [message] * bool(message)
