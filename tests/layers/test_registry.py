"""Every layer class that the installed Keras exports has a declaration, or is opaque for a reason that is given."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.layers.keras.examples import _OWN as EXAMPLES
from layerexplain.layers.keras.meant_types import SYNONYMS
from layerexplain.layers.keras.opaque_layers import FIRST_ARGUMENTS, REASONS, WITHOUT_WEIGHTS
from layerexplain.layers.registry import find
from tests.support.frameworks import keras
from tests.support.registry import BY_THE_WALK, KERAS_VERSION, coverage_rows, keras_layers


def test_no_class_is_both_declared_and_opaque() -> None:
    assert not [name for name in REASONS if find(name) is not None]
    assert all(reason and not reason.endswith(".") for reason in REASONS.values())


def test_each_listed_class_has_a_formula_or_a_reason() -> None:
    known = {name for name in keras_layers() if find(name) is not None}
    assert set(keras_layers()) - known == {*REASONS, *BY_THE_WALK}


def test_most_are_evaluated_at_inference() -> None:
    rows = coverage_rows()
    evaluated = [row.name for row in rows if row.evaluated]
    assert len(evaluated) >= 110
    identity = {row.name for row in rows if row.identity}
    assert {"Dropout", "GaussianNoise", "Identity", "RandomFlip", "MixUp", "Equalization"} <= identity
    assert not identity & {"AutoContrast", "RandomCrop", "Masking", "UnitNormalization", "Pipeline"}
    assert all(row.why for row in rows if not row.evaluated)


@pytest.mark.keras
def test_the_installed_keras_has_no_other_class() -> None:
    exported: dict[type, list[str]] = {}
    for name in dir(keras.layers):
        found = getattr(keras.layers, name)
        if inspect.isclass(found) and issubclass(found, keras.Layer):
            exported.setdefault(found, []).append(name)
    for names in exported.values():
        assert all(find(name) is not None or name in REASONS or name in BY_THE_WALK for name in names), names
    # A file holds the name of the class, which may be another one than that of its export.
    for found in exported:
        name = found.__name__
        assert find(name) is not None or name in REASONS or name in BY_THE_WALK, name
    if keras.__version__ == KERAS_VERSION:
        assert len(exported) == len(keras_layers()) == 143
        assert {name for names in exported.values() for name in names} >= set(keras_layers())


@pytest.mark.parametrize("type_", sorted(REASONS))
def test_a_type_without_a_formula_says_why(type_: str, tmp_path: Path) -> None:
    spec = tmp_path / "opaque.yaml"
    spec.write_text(f"input: [7]\nlayers:\n  - {type_}\n", "utf-8")
    if type_ in WITHOUT_WEIGHTS:
        (note,) = layerexplain.explain(layerexplain.read(spec)).notes
        assert note.message.startswith(f"{type_} has no formula: ")
    else:
        with pytest.raises(LayerExplainError, match=f"{type_} has no formula: "):
            layerexplain.explain(layerexplain.read(spec))
    with pytest.raises(LayerExplainError, match=f"{type_} has no formula: "):
        layerexplain.explain_layer(type_, input_shape=(None, 7))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [("Hashing: 16", (None, 3)), ("Hashing: {num_bins: 16, output_mode: one_hot}", (None, 3, 16)),
     ("TextVectorization: {output_sequence_length: 7}", (None, 7)), ("StringLookup: 100", (None, 3))],
)  # fmt: skip
def test_the_shape_of_a_layer_without_a_formula_is_told(layer: str, shape: tuple[int | None, ...]) -> None:
    report = layerexplain.explain(f"input: {{shape: [3], dtype: string}}\nlayers:\n  - {layer}\n".encode())
    assert report.layers[1].output_shapes == (shape,)


@pytest.mark.keras
def test_the_first_arguments_of_layers_without_a_formula_are_those_of_keras() -> None:
    import inspect

    for name, argument in FIRST_ARGUMENTS.items():
        assert list(inspect.signature(getattr(keras.layers, name).__init__).parameters)[1] == argument


@pytest.mark.keras
def test_a_file_with_a_layer_without_a_formula_has_a_row_and_a_note(tmp_path: Path) -> None:
    ids = keras.Input((3,), dtype="int32")
    hashed = keras.layers.Hashing(5, name="bins")(ids)
    model = keras.Model(ids, keras.layers.Dense(2, name="out")(keras.layers.Embedding(5, 4)(hashed)))
    path = tmp_path / "hashed.keras"
    model.save(path)
    report = layerexplain.explain(layerexplain.read(path))
    assert [note.message.partition(":")[0] for note in report.notes if note.layer == "bins"] == [
        "Hashing has no formula"
    ]
    assert report.totals.params == model.count_params()


@pytest.mark.parametrize(
    ("first", "listed"),
    [
        ("layerexplain.checks.of_shapes", "print([rule.code for rule in layerexplain.checks.rules.all_rules()])"),
        (
            "layerexplain.layers.keras.hints_compared",
            "report = layerexplain.explain_layer('Conv2D', filters=4, kernel_size=3, input_shape=(None, 8, 8, 3))\n"
            "print(layerexplain.format_report(report, 'markdown', explain=True))",
        ),
    ],
)
def test_what_is_listed_does_not_depend_on_the_order_of_imports(first: str, listed: str) -> None:
    listed = f"import layerexplain, layerexplain.checks.rules\n{listed}"
    outputs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for code in (listed, f"import {first}\n{listed}")
    ]
    assert outputs[0] == outputs[1] and len(outputs[0]) > 100


@pytest.mark.parametrize("type_", [*SYNONYMS.values(), *EXAMPLES])
def test_a_table_of_layers_names_declared_types(type_: str) -> None:
    assert find(type_) is not None
