"""Every cure that is printed was tried on the whole model. Models are drawn; Keras refuses each, and builds each that is
changed as proposed."""

import contextlib
import io
import random
from collections.abc import Iterator
from typing import Any

import pytest

from layerexplain.conversions.code import to_code
from layerexplain.frontends.spec.document import read_yaml_spec
from layerexplain.model import Model
from layerexplain.network.trace import trace_model
from layerexplain.network.trials import Trials, _changed

INPUTS = ("[12]", "[9, 5]", "[11, 10, 3]", "[4, 8, 8, 3]", "[64]", "[3, 32, 32]", "[7, 6]")
LAYERS = (
    "Dense: 6", "Dense: 16", "LSTM: 4", "LSTM: {units: 5, return_sequences: true}", "GRU: 3", "Bidirectional: {LSTM: {units: 4}}",
    "Conv1D: {filters: 4, kernel_size: 3}", "Conv2D: {filters: 4, kernel_size: 3}", "Conv2D: {filters: 6, kernel_size: 5}",
    "MaxPooling1D: 2", "MaxPooling2D: 3", "GlobalAveragePooling1D", "GlobalMaxPooling2D", "Flatten", "Flatten", "Dropout: 0.2",
    "RepeatVector: 5", "TimeDistributed: {Dense: 4}", "TimeDistributed: {Conv2D: {filters: 3, kernel_size: 3}}",
    "BatchNormalization", "UpSampling2D: 2", "Reshape: [4, 3]", "ZeroPadding2D: 1", "ConvLSTM2D: {filters: 2, kernel_size: 3}",
)  # fmt: skip
MERGES = ("Add", "Concatenate", "Multiply", "Concatenate: {axis: 1}", "Dot: {axes: 1}")


def stack(draw: random.Random) -> str:
    items = [draw.choice(LAYERS) for _ in range(draw.randrange(2, 5))]
    text = "".join(f"  - {item}\n" for item in items)
    return f"input: {draw.choice(INPUTS)}\nlayers:\n{text}"


def with_colon(item: str) -> str:
    return item if ":" in item else f"{item}:"


def merge(draw: random.Random) -> str:
    rows = [
        f"  - {with_colon(draw.choice(LAYERS))}\n    from: {source}\n    name: {name}\n"
        for source, name in [("input", "a"), ("a", "b"), ("input", "c"), (draw.choice(["c", "a"]), "d")]
    ]
    join = f"  - {with_colon(draw.choice(MERGES))}\n    from: [b, {draw.choice(['d', 'c', 'input'])}]\n"
    return f"input: {draw.choice(INPUTS)}\nlayers:\n{''.join(rows)}{join}"


def drawn() -> Iterator[Model]:
    for number in range(400):
        draw = random.Random(number)
        yield read_yaml_spec(draw.choice([stack, merge])(draw).encode())


def runs_in_keras(model: Model) -> bool:
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            exec(to_code(model._replace(strict=False, type="Functional")), names)
        except (ValueError, TypeError, IndexError):
            return False
    return True


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
def test_keras_builds_each_model_that_is_changed_as_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("keras", reason="Keras is not installed")
    changed: dict[str, Model] = {}
    tried = Trials.tried

    def kept(self: Trials, scope: Any, call: Any, cure: Any) -> Any:
        result = tried(self, scope, call, cure)
        if result is not None and not self._mended and result.words == cure.words:
            changed[cure.words] = self._whole(scope, _changed(scope.model, call, cure))
        return result

    monkeypatch.setattr(Trials, "tried", kept)
    count, wrong = 0, []
    for model in drawn():
        changed.clear()
        faults = trace_model(model).faults
        if len(faults) == 1:
            _, _, words = faults[0].fact.partition("; ")
            proposed = [changed[cure] for cure in words.split("; or ") if cure and cure in changed]
            count += len(proposed)
            wrong += [(str(faults[0]), to_code(other)) for other in proposed if not runs_in_keras(other)]
    assert not wrong, wrong[0]
    assert count > 100
