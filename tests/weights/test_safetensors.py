"""Weights in safetensors: what a folder stores against what the formulas need, packed weights, and what is refused."""

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from tests.support.safetensors_files import safetensors_bytes, weight_values

CONFIG: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "vocab_size": 31,
    "num_attention_heads": 4,
}  # fmt: skip
BLOCK = "model.layers.0."
SHAPES = {
    "model.embed_tokens.weight": (31, 64),
    **{f"{BLOCK}self_attn.{one}_proj.weight": (64, 64) for one in "qkvo"},
    **{f"{BLOCK}mlp.{one}_proj.weight": (128, 64) for one in ("gate", "up")},
    f"{BLOCK}mlp.down_proj.weight": (64, 128),
    f"{BLOCK}input_layernorm.weight": (64,),
    f"{BLOCK}post_attention_layernorm.weight": (64,),
    "model.norm.weight": (64,),
    "lm_head.weight": (31, 64),
}


def arrays(**changed: Any) -> dict[str, Any]:
    made = {name: weight_values(name, shape) for name, shape in SHAPES.items()}
    return {**made, **{name.replace("__", "."): value for name, value in changed.items()}}


def folder_of(path: Path, files: dict[str, dict[str, Any]], index: dict[str, str] | None = None) -> Path:
    (path / "config.json").write_text(json.dumps(CONFIG))
    for name, held in files.items():
        (path / name).write_bytes(safetensors_bytes(held))
    if index is not None:
        (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return path


def notes(folder: Path) -> list[tuple[str, str]]:
    report = layerexplain.explain(str(folder), detail=False)
    return [(note.code, note.message) for note in report.notes]


IDS = np.array([[3, 1, 4, 1, 5]], dtype=np.int32)


def test_a_file_that_fits_has_no_notes_and_shards_are_one_model(tmp_path: Path) -> None:
    whole = folder_of(tmp_path, {"model.safetensors": arrays()})
    assert notes(whole) == []
    expected = layerexplain.trace(str(whole), IDS).outputs[0]
    (tmp_path / "shards").mkdir()
    names = [*SHAPES]
    shards = {"a.safetensors": names[:5], "b.safetensors": names[5:]}
    held = {file: {name: arrays()[name] for name in own} for file, own in shards.items()}
    index = {name: file for file, own in shards.items() for name in own}
    made = folder_of(tmp_path / "shards", held, index)
    assert notes(made) == []
    np.testing.assert_array_equal(layerexplain.trace(str(made), IDS).outputs[0], expected)
    assert layerexplain.explain(str(made / "config.json"), detail=False).notes == ()


def test_each_difference_is_told(tmp_path: Path) -> None:
    held = arrays(extra=np.zeros((2, 3), np.float32))
    del held[f"{BLOCK}mlp.up_proj.weight"]
    held["model.norm.weight"] = np.ones(63, np.float32)
    assert notes(folder_of(tmp_path, {"model.safetensors": held})) == [
        ("weight-missing", f"the file does not store {BLOCK}mlp.up_proj.weight"),
        ("weight-shape", "model.norm.weight is stored as (63,); by its formula it is (64,)"),
        ("weight-unused", "the file stores tensors that no formula reads: extra"),
    ]


def test_names_without_the_name_of_the_base_model_are_found(tmp_path: Path) -> None:
    held = {name.removeprefix("model."): value for name, value in arrays().items()}
    made = folder_of(tmp_path, {"model.safetensors": held})
    assert notes(made) == []


def packed(name: str, tensors: dict[str, Any]) -> dict[str, Any]:
    """The arrays with one weight replaced by others."""
    held = arrays()
    del held[f"{name}.weight"]
    return {**held, **{f"{name}.{part}": value for part, value in tensors.items()}}


UP = f"{BLOCK}mlp.up_proj"
FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "GPTQ": ({"qweight": np.zeros((8, 128), np.int32), "scales": np.zeros((2, 128), np.float16),
        "qzeros": np.zeros((2, 16), np.int32), "g_idx": np.zeros(64, np.int32)},
        "4 bits per number, 8 in each int32 of qweight (GPTQ), one scale per 32 inputs"),
    "AWQ": ({"qweight": np.zeros((64, 16), np.int32), "scales": np.zeros((1, 128), np.float16),
        "qzeros": np.zeros((1, 16), np.int32)},
        "4 bits per number, 8 in each int32 of qweight (AWQ), one scale per 64 inputs"),
    "bitsandbytes": ({"weight": np.zeros((4096, 1), np.uint8), "weight.absmax": np.zeros(128, np.float32),
        "weight.quant_map": np.zeros(16, np.float32)},
        "4 bits per number, 2 in each byte (bitsandbytes), one scale per 64 numbers"),
    "a byte": ({"weight": np.zeros((128, 64), np.uint8), "SCB": np.zeros(128, np.float32)}, "8 bits per number (uint8), scaled by SCB"),
    "unknown": ({"qweight": np.zeros((5, 7), np.int32), "scales": np.zeros((1, 128), np.float16)}, "their encoding is not known"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_packed_weights_say_what_they_stand_for(form: str, tmp_path: Path) -> None:
    tensors, words = FORMS[form]
    stored = packed(UP, tensors)
    made = folder_of(tmp_path, {"model.safetensors": stored})
    size = sum(array.nbytes for array in stored.values())
    assert notes(made) == [
        ("packed-weights", f"{UP}.weight (1): {words}"),
        ("stored-bytes", f"all tensors of the file together take {size:,} bytes"),
    ]
    reason = f"the weight 'up_proj/weight' of the layer 'model.layers.0/mlp' packed, and layerexplain does not unpack values: {words}"
    with pytest.raises(layerexplain.LayerExplainError, match=re.escape(reason)):
        layerexplain.trace(str(made), IDS)
    for ending in ("keras", "py", "yaml", "json"):
        with pytest.raises(
            layerexplain.LayerExplainError, match="is a model of transformers, which no other format can express"
        ):
            layerexplain.convert(str(made), str(tmp_path / f"new.{ending}"))


def header(length: int, text: bytes) -> bytes:
    return struct.pack("<Q", length) + text


def entry(**changed: Any) -> bytes:
    said = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24], **changed}
    text = json.dumps({"a": said}).encode()
    return header(len(text), text) + b"\0" * 24


DAMAGED = {
    "no header": (b"\x01\x02", "is not a safetensors file"),
    "a header beyond the file": (header(10**15, b"{}"), "its header would have 1,000,000,000,000,000 of 10 bytes"),
    "no JSON": (header(3, b"{,}"), "is not valid JSON"),
    "no mapping": (header(2, b"[]"), "is not a mapping of tensors"),
    "an unknown dtype": (entry(dtype="F7"), "of the dtype 'F7', which is not read"),
    "a negative size": (entry(shape=[-2, 3]), "says of 'a' no shape or no place"),
    "no place": (entry(data_offsets=[0]), "says of 'a' no shape or no place"),
    "a place beyond the file": (entry(data_offsets=[24, 48]), "'a' is cut off in"),
    "a place of another size": (entry(data_offsets=[0, 20]), "'a' is cut off in"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    data, words = DAMAGED[name]
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "model.safetensors").write_bytes(data)
    ((code, message),) = notes(tmp_path)
    assert code == "weights-unreadable"
    assert words in message
    assert "\n" not in message
    with pytest.raises(layerexplain.LayerExplainError, match=r"model\.safetensors|'a'"):
        layerexplain.trace(str(tmp_path), IDS)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    index = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    folder_of(tmp_path, {"model-00001-of-00002.safetensors": {"a": np.zeros(3, np.float32)}}, index)
    ((code, message),) = notes(tmp_path)
    assert code == "weights-unreadable"
    assert "lists 2 files, and 'model-00002-of-00002.safetensors' is not there; download all of them" in message


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors"])
def test_an_index_leads_to_no_other_folder(name: str, tmp_path: Path) -> None:
    folder_of(tmp_path, {}, {"a": name})
    ((code, message),) = notes(tmp_path)
    assert code == "weights-unreadable"
    assert "is not there" in message


def test_a_remote_model_costs_its_headers(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.pipe("/hub/config.json", json.dumps({**CONFIG, "vocab_size": 60_000}).encode())
    held = arrays()
    held["model.embed_tokens.weight"] = held["lm_head.weight"] = np.zeros((60_000, 64), np.float32)
    files.pipe("/hub/model.safetensors", safetensors_bytes(held))
    from layerexplain.sources.names import source_reference

    place = source_reference("memory://hub")
    fetched: list[int] = []
    place.tell = fetched.append  # type: ignore[union-attr]
    report = layerexplain.explain(place, detail=False)
    assert (report.notes, report.totals.params) == ((), 2 * 60_000 * 64 + 4 * 64 * 64 + 3 * 64 * 128 + 3 * 64)
    assert sum(fetched) < 300_000  # of 30 MB
