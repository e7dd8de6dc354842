"""Numbers of one's own on a page: in which form they come, what is refused, and what they colour."""

import json
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.errors import ArgumentError
from tests.support.browser import shown
from tests.support.commands import invoke

SPEC = b"input: [7]\nlayers:\n" + b"".join([b"  - Dense: {units: 7}\n    name: dense%d\n" % at for at in range(1, 5)])


@pytest.mark.parametrize(
    ("overlay", "says"),
    [
        ({"dense5": 1}, "the overlay has a number for 'dense5', but there is no such layer; did you mean 'dense"),
        ({"dense1": "fast"}, "the overlay needs a finite number for 'dense1', got 'fast'"),
        ({"dense1": float("nan")}, "the overlay needs a finite number for 'dense1', got nan"),
        ({"dense1": True}, "the overlay needs a finite number for 'dense1', got True"),
        ({"values": {"dense1": 1}, "combine": "all"}, "combine of an overlay needs to be one of sum, max, mean, got 'all'"),
        ([1, 2], 'an overlay needs the form {"title": "latency (ms)"'),
    ],
)  # fmt: skip
def test_what_is_no_overlay_is_refused(overlay: Any, says: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        layerexplain.page(SPEC, overlay=overlay)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(("combine", "of_box"), [("sum", 17), ("max", 11), ("mean", 17 / 3)])
def test_a_page_is_coloured_by_the_numbers(combine: str, of_box: float, tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_bytes(SPEC)
    overlay = {"title": "latency (ms)", "combine": combine, "values": {"dense1": 2, "dense2": 11, "dense4": 4}}
    (tmp_path / "times.json").write_text(json.dumps(overlay))
    words = [
        "page",
        str(tmp_path / "model.yaml"),
        "--overlay",
        str(tmp_path / "times.json"),
        "-o",
        str(tmp_path / "m.html"),
    ]
    done = invoke(*words)
    assert (done.exit_code, done.stdout) == (0, "")
    with shown((tmp_path / "m.html").read_text("utf-8"), tmp_path) as page:
        assert page.input_value("#measure") == "overlay"
        assert page.inner_text("#measure option[value=overlay]") == "by latency (ms)"
        amounts = page.evaluate("""() => {
            const {picture, look} = layerexplain.view;
            picture.measure(look.measure);
            return [...picture.amounts].map(([item, value]) => [item.calls.length, value]);
        }""")
        assert amounts == [[1, None], [4, pytest.approx(of_box)]]
        rows = page.locator("#pane table").nth(1).locator("tbody tr").all_inner_texts()
        assert [row.split("\t")[0::2] for row in rows] == [["dense2", "11"], ["dense4", "4"], ["dense1", "2"]]
        page.fill("#search", "overlay>=4")
        assert page.inner_text(".said-found").startswith("2 of 5")


def test_a_plain_mapping_has_the_name_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_bytes(SPEC)
    (tmp_path / "sparsity.json").write_text('{"dense1": 0.5}')
    words = [
        "page",
        str(tmp_path / "model.yaml"),
        "--overlay",
        str(tmp_path / "sparsity.json"),
        "-o",
        str(tmp_path / "m.html"),
    ]
    assert invoke(*words).exit_code == 0
    with shown((tmp_path / "m.html").read_text("utf-8"), tmp_path) as page:
        assert page.inner_text("#measure option[value=overlay]") == "by sparsity"
    (tmp_path / "sparsity.json").write_text("[1]")
    done = invoke(*words)
    assert done.exit_code == 2 and "needs an object from layer names to numbers, got [1]" in done.output
