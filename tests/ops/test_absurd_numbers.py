"""Numbers that no machine can hold as an index, and values that are no numbers: explained or refused, never a crash."""

import json
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.lang.expr import constant
from layerexplain.ops.image import REACH, _weighed
from tests.support import hostile, keras_configs

HUGE = [9 * 10**18, 10**19, 10**30]


@pytest.mark.parametrize("size", HUGE)
@pytest.mark.parametrize(
    ("layer", "arguments", "name"),
    [
        ("Conv1D", {"filters": 2, "padding": "same"}, "kernel_size"),
        ("Conv1D", {"filters": 2, "padding": "causal"}, "kernel_size"),
        ("Conv1D", {"filters": 2, "padding": "causal", "kernel_size": 3}, "dilation_rate"),
        ("Conv1DTranspose", {"filters": 2, "padding": "same"}, "kernel_size"),
        ("MaxPooling1D", {"padding": "same"}, "pool_size"),
    ],
)
def test_a_huge_window_that_is_padded(layer: str, arguments: dict[str, Any], name: str, size: int) -> None:
    # With padding the window stands mostly outside of the 8 steps, so that positions beyond both ends are counted.
    report = layerexplain.explain_layer(layer, input_shape=(None, 8, 3), **arguments, **{name: size})
    row = report.layers[0]
    assert row.output_shapes[0][0] is None
    assert row.explanation is not None
    if layer == "Conv1D" and name == "kernel_size":
        assert row.output_shapes[0] == (None, 8, 2)
        assert row.params == size * 3 * 2 + 2


@pytest.mark.parametrize("value", [({},), (1, (2.0, None)), [object()], object(), None])
def test_what_is_no_number_is_no_constant(value: Any) -> None:
    with pytest.raises(TypeError, match="a formula takes tensors and numbers"):
        constant(value)


def test_pixels_that_a_resizing_weighs_are_counted_without_a_loop() -> None:
    for n, out in [(1, 1), (1, 7), (7, 1), (5, 5), (8, 3), (3, 8), (13, 5), (29, 31)]:
        covered = {(i, p) for i in range(out) for p in range(n) if i * n < (p + 1) * out and (i + 1) * n > p * out}
        assert _weighed(n, out, "area") == len(covered)
        for method, reach in REACH.items():
            # In units of half an output pixel's width: the centres of both, and how wide the kernel is.
            wide = 2 * reach * max(n, out)
            within = [(2 * i + 1) * n - (2 * p + 1) * out for i in range(out) for p in range(n)]
            assert _weighed(n, out, method) == sum(abs(distance) < wide for distance in within), (n, out, method)
    assert _weighed(10**17, 10**17, "area") == 10**17
    assert {_weighed(n, out, method) for method in ("area", *REACH) for n, out in [(0, 3), (3, 0), (0, 0)]} == {0}


B = 10**18 - 1
FLATTEN = {"class_name": "Flatten", "config": {"name": "f"}, "module": "keras.layers"}


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        # More parameters than a float can hold.
        ([keras_configs.entry("x", [None] + [B] * 25), {"class_name": "LayerNormalization", "module": "keras.layers",
          "config": {"name": "n", "axis": list(range(1, 25))}}], " PB"),
        ([keras_configs.entry("x", [None] + [B] * 60), keras_configs.dense("d", B)], " PB"),
        ([keras_configs.entry("x", [None, B, B]), FLATTEN], "an integer from 0 to 10**18"),
        # Each layer multiplies what it is given, up to more digits than Python prints.
        ([keras_configs.entry("x", [None, B]), *[{"class_name": type_, "module": "keras.layers", "config": {"name": f"{type_}{i}", "n": B}}
          for i in range(300) for type_ in ("RepeatVector", "Flatten")]], "an integer from 0 to 10**18"),
        ([keras_configs.entry("x", [None, B, B, 3]), {"class_name": "UpSampling2D", "module": "keras.layers",
          "config": {"name": "u", "size": [B, B]}}], "the size of an axis needs to be an integer from 0 to 10**18"),
        ([keras_configs.entry("x", [None, B // 7, B // 9, 3]), {"class_name": "Resizing", "module": "keras.layers",
          "config": {"name": "r", "height": B, "width": B, "interpolation": "area"}}], "Resizing"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["summary", "explain"])
def test_products_of_sizes(command: str, layers: list[Any], said: str, tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    file.write_text(json.dumps(keras_configs.sequence(*layers)))
    done = hostile.run(command, file, folder=tmp_path)
    assert said in done.out + done.err


@pytest.mark.parametrize("size", ["0x" + "f" * 5000, "9" * 5000, "0o" + "7" * 9000, "1e400", ".inf", "-9" + "9" * 30])
def test_a_size_in_yaml(size: str, tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    behind = f"input: [3]\nlayers:\n  - Dense: 3\n    from: '{size}'\n"
    for text in (f"input: [{size}]\nlayers:\n  - Dense: 3\n", behind):
        file.write_text(text)
        said = hostile.error(hostile.run("summary", file, folder=tmp_path))
        assert len(said) < 300 + len(str(file))


_MANY = {
    "empty lists": ('{"class_name": "Sequential", "config": {"name": "s", "layers": [', "[],", "1]}}"),
    "empty mappings": ('{"class_name": "Sequential", "config": {"name": "s", "layers": [', "{},", "1]}}"),
    "numbers": ('{"class_name": "Sequential", "config": {"name": "s", "layers": [', "1,", "1]}}"),
    "a list alone": ("[", "[],", "1]"),
    "a spec": ('{"input": [3], "layers": [', "1,", "1]}"),
}
"""What JSON begins with, what it repeats, and how it ends."""


@pytest.mark.parametrize("name", _MANY)
def test_json_of_millions_of_values(name: str, tmp_path: Path) -> None:
    begin, value, end = _MANY[name]
    file = tmp_path / "many.json"
    file.write_text(begin + value * 9_000_000 + end)
    said = hostile.error(hostile.run("summary", file, folder=tmp_path))
    assert "is JSON with about" in said and "spec" not in said


@pytest.mark.parametrize("depth", [60, 400, 700, 950])
def test_a_constant_of_many_levels(depth: int, tmp_path: Path) -> None:
    item = {"module": "keras.src.ops.numpy", "class_name": "Add", "config": {"name": "y"}, "name": "y",
            "inbound_nodes": [keras_configs.node(keras_configs.tensor("x"), "DEEP")]}  # fmt: skip
    text = json.dumps(keras_configs.graph([keras_configs.entry("x", [None, 4]), item], [["x", 0, 0]], [["y", 0, 0]]))
    file = tmp_path / "deep.json"
    file.write_text(text.replace('"DEEP"', "[" * depth + "1" + "]" * depth))
    hostile.run("explain", file, folder=tmp_path)
