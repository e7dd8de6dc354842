"""Drawn programs of PyTorch: what is read of each is what PyTorch makes of it, or is open; never complete and wrong."""

from functools import partial
from typing import Any

import pytest

import layerexplain
from tests.support.drawn_torch_programs import draw
from tests.support.tries import tries


def _read(seed: int) -> Any:
    drawn = draw(seed)
    return layerexplain.explain(drawn.code.encode(), inputs={"x": drawn.shape})


def test_programs_are_read_to_their_end_or_to_a_fault_with_its_line() -> None:
    seeds = range(tries(25, 30))
    reports = [_read(seed) for seed in seeds]
    complete = [report for report in reports if report.grade == "complete"]
    refused = [report for report in reports if report.faults]
    assert len(complete) + len(refused) >= 0.95 * len(seeds)
    assert refused and all(one.line for report in refused for one in report.faults)
    assert all(report.totals.params and report.outputs[0].shape for report in complete)


def _line(code: str, fault: Any, called: int) -> int:
    """Return where a fault belongs: at the call, or where a module is made that a Sequential calls."""
    name, _, place = str(fault.layer).partition(".")
    made = [number for number, line in enumerate(code.splitlines(), 1) if f"self.{name} = nn.Sequential(" in line]
    return made[0] if made and place else called


def _note(seen: dict[str, tuple[int, ...]], name: str, module: Any, given: Any, result: Any) -> None:
    """Note the shape of what a module gives, the first one of several."""
    seen[name] = tuple((result[0] if isinstance(result, tuple) else result).shape)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_they_are_what_pytorch_makes_of_them() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    complete = 0
    seeds = range(tries(40, 150))
    for seed in seeds:
        drawn = draw(seed)
        namespace: dict[str, Any] = {}
        exec(compile(drawn.code, "drawn", "exec"), namespace)
        report = _read(seed)
        words = f"seed {seed}\n{drawn.code}\n{report.faults} {report.notes}"
        batch = 5
        given = torch.zeros(batch, *drawn.shape, dtype=getattr(torch, drawn.dtype))
        seen: dict[str, tuple[int, ...]] = {}
        try:
            model = namespace["Net"]().eval()
            for name, module in model.named_modules():
                module.register_forward_hook(partial(_note, seen, name))
            with torch.no_grad():
                result = model(given)
        except (RuntimeError, ValueError, AssertionError) as error:
            place = error.__traceback__
            lines = []
            while place is not None:
                lines += [place.tb_lineno] if place.tb_frame.f_code.co_filename == "drawn" else []
                place = place.tb_next
            assert [one.line for one in report.faults] == [_line(drawn.code, report.faults[0], lines[-1])], (
                f"{error}\n{words}"
            )
            continue
        assert not report.faults, words
        complete += report.grade == "complete"
        if report.grade == "complete":
            assert report.totals.params == sum(one.numel() for one in model.parameters()), words
            shape = tuple(batch if size is None else size for size in report.outputs[0].shape or ())
            assert shape == tuple(result.shape), words
            for row in report:
                if row.layer in seen:
                    own = row.output_shapes[0] or ()
                    assert tuple(batch if size is None else size for size in own) == seen[row.layer], (
                        f"{row.layer} {words}"
                    )
    assert complete >= 0.6 * len(seeds)
