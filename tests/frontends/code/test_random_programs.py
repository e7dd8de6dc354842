"""Random Keras programs: Keras runs them, and the reader says the same of each: its layers, their shapes, what they count.

No program that Keras takes is refused, and no answer is complete and wrong. Some by default, 2,000 where much is tried
(`LAYEREXPLAIN_FUZZ`, tests/tries.py).
"""

from pathlib import Path

import pytest

from layerexplain import api
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.reader import read_code
from tests.fuzz.keras_programs import keras_program
from tests.support.programs_in_keras import differences, run_programs
from tests.support.tries import tries

pytestmark = pytest.mark.keras

PROGRAMS = tries(24, 2000)

WRONG_ONCE = (706,)
"""Programs beyond those few that were read wrongly once."""


def fault_of(source: str, truth: dict[str, object]) -> str:
    """What is wrong with what the reader says of a program that Keras takes; "" where nothing is."""
    try:
        model = read_code(source.encode(), None, "model")
        report = api.explain(model)
    except LayerExplainError as error:
        return f"refused: {error}"
    if model.grade != "complete" or any(note.code != "built-without-call" for note in model.notes):
        return f"{model.grade}: {[note.message for note in model.notes]} {[str(fault) for fault in model.faults]}"
    return "; ".join(differences(model, report, truth))


def test_random_programs_are_what_keras_makes_of_them(tmp_path: Path) -> None:
    programs = {str(number): keras_program(number) for number in {*range(PROGRAMS), *WRONG_ONCE}}
    truths, _ = run_programs(tmp_path, programs, {})
    taken = {name: truth for name, truth in truths.items() if "error" not in truth}
    assert len(taken) > 0.9 * PROGRAMS, next(truth for truth in truths.values() if "error" in truth)
    faults = {name: why for name, truth in taken.items() if (why := fault_of(programs[name], truth))}
    assert faults == {}
