"""`convert` of random models: what is written runs in Keras and gives the same outputs in the same structure as what
Keras loads of the source, or is refused for a reason that is listed here. `LAYEREXPLAIN_FUZZ` asks for more of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerexplain.converted import convert
from tests.support.conversion_models import drawn_model
from tests.support.conversion_runs import FORMS, faults, numbers_for, outcome, outcomes
from tests.support.frameworks import keras
from tests.support.paths import ROOT
from tests.support.tries import tries

pytestmark = pytest.mark.keras

REFUSED = {"yaml": ("which a spec cannot express", "a spec cannot express", "some of which have no name")}
"""Form → the reasons for which a model of Keras may be refused."""


def compare(model: Any, folder: Path) -> list[str]:
    """Convert a model of Keras to each form; return what is wrong."""
    return faults(outcomes(model, folder), REFUSED)


def _made(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Any:
    inputs = [keras.Input(shape) for shape in shapes]
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, function(keras, *inputs))


def _nested_mapping(k: Any, x: Any, y: Any) -> Any:
    a, b = k.Input((4,), name="zz"), k.Input((4,), name="aa")
    made = k.Model({"zz": a, "aa": b}, {"o": a - 2 * b, "p": [a + b]})({"zz": x, "aa": y})
    return [made["p"][0], made["o"] * 3]


CASES: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "the first of three parts": (lambda k, x: k.ops.split(x, 3, axis=1)[0], ((6,),)),
    "the only part": (lambda k, x: k.ops.split(x, 1, axis=1)[0], ((6,),)),
    "unstack": (lambda k, x: k.ops.unstack(x, axis=1)[1], ((3, 4),)),
    "moments": (lambda k, x: k.ops.moments(x, axes=[1])[0], ((3, 4),)),
    "top_k": (lambda k, x: k.ops.top_k(x, 2)[0], ((7,),)),
    "scores": (lambda k, x: k.layers.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True)[0], ((5, 4),)),
    "states": (lambda k, x: k.layers.Bidirectional(k.layers.LSTM(3, return_state=True))(x)[0], ((5, 4),)),
    "two directions": (lambda k, x: k.layers.Bidirectional(k.layers.LSTM(3), merge_mode=None)(x)[0], ((5, 4),)),
    "slices": (lambda k, x: x[:, 0, None] * x[..., 1:2, :] + x[:, -1:, ::2][:, :, :1], ((5, 4),)),
    "casts": (lambda k, x: k.ops.cast(k.ops.cast(x > 0, "int32") * 2, "float32"), ((5, 4),)),
    "einsum": (lambda k, x, y: k.ops.einsum("bij,bkj->bik", x, y), ((5, 4), (3, 4))),
    "an array": (lambda k, x: x + k.ops.arange(4.0), ((5, 4),)),
    "an array first": (lambda k, x: k.ops.matmul(k.ops.ones((3, 5)), x), ((5, 4),)),
    "resize": (lambda k, x: k.ops.image.resize(x, (3, 5)), ((6, 6, 2),)),
    "normalization": (lambda k, x: k.ops.layer_normalization(x, k.ops.ones((4,)), k.ops.zeros((4,))), ((5, 4),)),
    "a scale alone": (lambda k, x: k.ops.layer_normalization(x, None, k.ops.ones((4,))), ((5, 4),)),
    "an average": (lambda k, x: k.ops.average(x, axis=1), ((5, 4),)),
    "infinity": (lambda k, x: k.ops.max(x, axis=1, initial=-float("inf")), ((4,),)),
    "a mapping": (lambda k, x: {"b": k.layers.Dense(2)(x), "a": [x * 2, x + 1]}, ((4,),)),
    "a list of one": (lambda k, x: [k.layers.Dense(2)(x)], ((4,),)),
    "mappings inside": (_nested_mapping, ((4,), (4,))),
}  # fmt: skip


CODE = {
    "a mapping": "model = keras.Model(x, {'b': x * 2, 'a': [x + 1, layers.Dense(3)(x)]})",
    "a list of one": "model = keras.Model([x], [layers.Dense(3)(x)])",
    "a tuple in a list": "model = keras.Model(x, [(x * 2, x + 1), x - 1])",
    "two inputs by name": "model = keras.Model({'z': x, 'a': y}, {'z': x - y})",
    "mappings inside": (
        "inner = keras.Model({'z': x, 'a': y}, {'p': [x - 2 * y], 'o': x})\n"
        "u, v = keras.Input((4,)), keras.Input((4,))\n"
        "made = inner({'a': u, 'z': v})\n"
        "model = keras.Model([u, v], [made['p'][0], made['o'] * 3])"
    ),
    "names inside": (
        "inner = keras.Model([x, y], x - 2 * y)\n"
        "u, v = keras.Input((4,)), keras.Input((4,))\n"
        "model = keras.Model([u, v], inner({'y': u, 'x': v}))"
    ),
}


@pytest.mark.parametrize("name", CODE)
def test_what_code_nests_stays_nested(name: str, tmp_path: Path) -> None:
    """Python code in each text form gives the outputs of the code, which Keras runs, under the same structure."""
    keras.backend.clear_session(free_memory=False)
    start = "import keras\nfrom keras import layers\nx, y = keras.Input((4,), name='x'), keras.Input((4,), name='y')\n"
    source = tmp_path / "source.py"
    source.write_text(start + CODE[name] + "\n")
    space: dict[str, Any] = {}
    exec(compile(source.read_text(), "<code>", "exec"), space)  # our own program
    theirs = keras.models.model_from_json(space["model"].to_json())  # as Keras saves it: tuples are lists
    given = numbers_for(theirs)
    found = [outcome(source, form, tmp_path, given, theirs(given), theirs.get_weights()) for form in FORMS[:3]]
    assert faults(found, REFUSED) == []


@pytest.mark.parametrize("name", CASES)
def test_a_model_is_the_same_in_each_form(name: str, tmp_path: Path) -> None:
    keras.backend.clear_session(free_memory=False)
    function, shapes = CASES[name]
    assert compare(_made(function, *shapes), tmp_path) == []


SAMPLES = sorted(
    path.name for path in (ROOT / "sample_models").glob("*.*") if path.suffix in (".yaml", ".keras", ".h5")
)
"""Small ones that a processor runs: channels first, as in keras_1_convnet.json, it does not."""


@pytest.mark.parametrize("name", [*SAMPLES, "transformer.json"])
def test_a_sample_model_is_the_same_in_each_form(name: str, tmp_path: Path) -> None:
    """Keras loads what it can of the samples, and the others as `convert` writes them."""
    keras.backend.clear_session(free_memory=False)
    path = ROOT / "sample_models" / name
    if path.suffix in (".keras", ".h5") and not name.startswith("keras_1"):
        model = keras.models.load_model(path, compile=False)
    else:
        if name != "transformer.json":
            convert(path, tmp_path / "sample.json")
            path = tmp_path / "sample.json"
        model = keras.models.model_from_json(path.read_text())
    assert compare(model, tmp_path) == []


def test_a_long_crop_is_tried_at_a_size_that_it_takes(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((None, 2)), keras.layers.Cropping1D(10_000), keras.layers.Dense(3)])
    model.save(tmp_path / "source.keras")
    assert convert(tmp_path / "source.keras", tmp_path / "made.keras").form == "keras"


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_what_keras_does_not_save_of_a_loss_is_said(ending: str, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(loss=keras.losses.Huber(delta=0.5))
    model.save(tmp_path / f"source.{ending}")
    (note,) = convert(tmp_path / f"source.{ending}", "-", to="py").notes
    assert note == "Keras did not save delta of the loss Huber; the new model has its default, delta=1.0"


@pytest.mark.parametrize("seed", range(tries(12, 250)))
def test_a_random_model_is_the_same_in_each_form(seed: int, tmp_path: Path) -> None:
    keras.backend.clear_session(free_memory=False)
    assert compare(drawn_model(keras, seed), tmp_path) == []
