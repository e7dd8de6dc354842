"""When the viewer makes its page anew: also for what lies beside its source."""

from pathlib import Path

from layerexplain.viewer.server import Shown


def test_a_page_is_made_anew_for_what_lies_beside_it(tmp_path: Path) -> None:
    source, beside = tmp_path / "m.yaml", tmp_path / "own.yaml"
    source.write_text("a")
    beside.write_text("b")
    assert Shown(lambda one, values: "page", None).page == ""
    shown = Shown(lambda one, values: f"page of {beside.read_text()}", str(source), beside=[str(beside)])
    assert (shown.page, shown.again()) == ("page of b", False)
    beside.write_text("longer")
    assert (shown.again(), shown.page) == (True, "page of longer")
