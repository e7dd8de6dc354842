"""How documents look: one of each kind, as it is printed.

These files are for the eye: they prove nothing. `scripts/compare_outputs.py` shows what a change does to many more.
`pytest --update-snapshots tests/render/test_looks.py` writes them again; look at each.
"""

import json
from collections.abc import Callable

import pytest

import layerexplain
from layerexplain.render.page.data import page_data
from tests.support.commands import invoke
from tests.support.paths import ROOT

FILES = ROOT / "scripts" / "compared"
LOOKS = {
    "summary.txt": "summary residual.yaml --width 100",
    "summary_narrow.txt": "summary siamese.yaml --nested --width 50",
    "summary_color.txt": "summary smaller.yaml --color always --width 80",
    "summary.md": "summary smaller.yaml --format markdown",
    "summary.csv": "summary smaller.yaml --format csv",
    "summary.json": "summary smaller.yaml --format json",
    "summary.jsonl": "summary smaller.yaml --format jsonl",
    "summary.tex": "summary smaller.yaml --format latex",
    "language_model.txt": "summary language_models/llama --input 16 --batch 3 --width 100",
    "program.txt": "summary torch_residual.py --width 100",
    "explanation.txt": "explain words.yaml bidirectional --full --gradient --width 100",
    "explanation_ascii.txt": "explain residual.yaml stem --full --ascii --width 60",
    "explanation.md": "explain attention.yaml attend --full --format markdown",
    "explanation.tex": "explain attention.yaml attend --format latex",
    "training.txt": "explain wasteful.yaml --training --width 100",
    "layer.txt": "layer Dense --width 80",
    "layer_compared.txt": "layer LSTM units=3 --vs GRU units=3 --input 7,2 --width 100",
    "findings.txt": "check wasteful.yaml faulty.yaml --width 100",
    "findings.sarif": "check wasteful.yaml --format sarif",
    "differences.txt": "diff residual.yaml smaller.yaml --width 100",
    "weights.txt": "weights siamese.yaml --width 100",
    "code.py.txt": "convert siamese.yaml - --to py",
    "spec.yaml": "convert net.py - --to yaml",
    "picture.svg": "draw residual.yaml -o - --to svg",
    "picture.dot": "draw residual.yaml -o - --to dot",
    "picture.mmd": "draw residual.yaml -o - --to mmd",
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_document_as_it_is_printed(
    name: str, snapshot: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FILES)
    result = invoke(*LOOKS[name].split())
    assert "Traceback" not in result.output
    snapshot(name, result.stdout)


def test_the_data_of_a_page(snapshot: Callable[[str, str], None]) -> None:
    report = layerexplain.explain((FILES / "smaller.yaml").read_bytes(), detail=True, gradient=True)
    parts = [f'"{name}": {json.dumps(part, ensure_ascii=False)}' for name, part in page_data(report, True).items()]
    snapshot("page.json", "{" + ",\n".join(parts) + "}\n")
