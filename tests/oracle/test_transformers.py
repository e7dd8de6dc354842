"""`verify` of language models against real transformers, which few environments have; what is said without it."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from tests.support.safetensors_files import model_folder

ROWS = json.loads((Path(__file__).resolve().parents[1] / "data" / "language_models.json").read_text())["logits"]
HAS_TRANSFORMERS = all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))
needs_transformers = pytest.mark.skipif(not HAS_TRANSFORMERS, reason="torch and transformers are not installed")


def folder_of(name: str, path: Path, **change: Any) -> Path:
    row = next(row for row in ROWS if row["name"] == name)
    return model_folder(path, {**row["config"], **change}, row["tensors"])


@pytest.mark.torch
@needs_transformers
@pytest.mark.parametrize(
    "name", ["llama", "mixtral", "gemma2", "deepseek_v3", "bert", "t5", "vit", "llava", "mistral3", "qwen2_vl"]
)
def test_blocks_agree_with_transformers(name: str, tmp_path: Path) -> None:
    report = layerexplain.verify(str(folder_of(name, tmp_path)))
    assert report.agrees, str(report)
    assert report.whole.status == "agrees"
    assert len([row for row in report if row.status == "agrees"]) >= 3


@pytest.mark.torch
@needs_transformers
@pytest.mark.parametrize("name", [row["name"] for row in ROWS])
def test_python_reaches_every_weight_that_has_an_expression(name: str, tmp_path: Path) -> None:
    torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    config = transformers.AutoConfig.for_model(**next(row for row in ROWS if row["name"] == name)["config"])
    with torch.device("meta"):
        model = getattr(transformers, config.architectures[0])(config)
    parameters = {id(parameter) for parameter in model.parameters()}
    for row in layerexplain.list_weights(str(folder_of(name, tmp_path))):
        assert (row.reach is None) == ("experts.*" in str(row.path)), row
        if row.reach is not None:
            found = eval(row.reach, {"model": model})  # attributes and numbers of lists alone
            assert id(found) in parameters or "e_score" in row.reach
            assert tuple(found.shape) == row.shape


def test_without_transformers_the_need_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr("layerexplain.oracle.transformers_model.import_module", missing)
    with pytest.raises(layerexplain.LayerExplainError, match="needs torch and transformers for a language model"):
        layerexplain.verify(str(folder_of("llama", tmp_path)))


def test_a_configuration_alone_cannot_be_verified(tmp_path: Path) -> None:
    folder = folder_of("llama", tmp_path)
    with pytest.raises(layerexplain.LayerExplainError, match="needs a folder on this machine"):
        layerexplain.verify(str(folder / "config.json"))
