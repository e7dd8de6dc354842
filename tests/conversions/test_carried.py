"""Old files become files of today: what Keras loads of them in safe mode computes what old Keras computed.

`tests/data/carried.zip` has what Keras 2.15 and 2.1.6 computed on the files of the corpus, and models of Keras 2.15 as
SavedModels with their values and for TensorFlow.js (tests/data/make_carried_files.py).
"""

import functools
import importlib.util
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain import api
from layerexplain.errors import LayerExplainError
from tests.support.frameworks import tf, tf_keras
from tests.support.h5_files import h5_bytes, legacy
from tests.support.paths import TESTS
from tests.support.tries import some

DATA = TESTS / "data"
MODELS = [
    *[f"keras_0.3.3/{name}.json" for name in ("convnet", "graph", "recurrent")],
    *[f"keras_1.2.2/{name}.h5" for name in ("branches", "convnet", "merges", "recurrent")],
    *[f"{keras}/{name}.h5" for keras in ("keras_2.1.6", "keras_2.2.4", "tf.keras_2.2.4-tf") for name in ("convnet", "graph", "recurrent")],
    *[f"keras_2.15.0/{name}.{end}" for name in ("convnet", "graph", "operations", "recurrent") for end in ("h5", "keras")],
    *[f"keras_3.0.5/{name}.keras" for name in ("convnet", "graph", "operations", "recurrent")],
    *[f"keras_3.0.5/{name}.h5" for name in ("convnet", "graph")],
    *[f"{name}{end}" for name in ("convnet", "graph", "operations", "recurrent") for end in ("_saved_model", "_tfjs/model.json")],
]  # fmt: skip
"""All files of the corpus with weights and an architecture; with those of Keras 0.3 the weights are files beside."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("corpus")
    for archive in sorted((DATA / "old").glob("*.zip")):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(place / archive.stem)
    with zipfile.ZipFile(DATA / "carried.zip") as opened:
        opened.extractall(place)
    return place


def recorder() -> Any:
    """The script that recorded the outputs, for the inputs that it drew."""
    spec = importlib.util.spec_from_file_location("make_carried_files", DATA / "make_carried_files.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ran(model: Any, most: int) -> list[Any]:
    """The outputs of a Keras 3 model for the inputs of the recorder."""
    shapes = [((3, *tensor.shape[1:]), most) for tensor in model.inputs]
    given = recorder().inputs_of(shapes)
    first = any(getattr(layer, "data_format", "") == "channels_first" for layer in model.layers)
    call = functools.partial(model, training=False)
    if first:  # TensorFlow itself has no such convolution on a CPU
        call = tf.function(call, jit_compile=True, autograph=False)
    made = call(given if len(given) > 1 else given[0])
    return [np.asarray(one) for one in (made if isinstance(made, list) else [made])]


def same(made: list[Any], recorded: list[Any]) -> None:
    assert len(made) == len(recorded)
    for one, other in zip(made, recorded, strict=True):
        assert one.shape == other.shape and abs(one - other).max() <= 1e-4 * max(abs(other).max(), 1e-30)


def test_all_files_with_weights_are_among_these(corpus: Path) -> None:
    found = {str(path.relative_to(corpus)) for path in corpus.glob("*/*") if path.suffix in (".h5", ".keras")}
    assert {name for name in found if "weights" not in name} <= {*MODELS}


@pytest.mark.keras
@pytest.mark.parametrize("name", some(MODELS))
def test_an_old_file_computes_today_what_it_did(name: str, corpus: Path, tmp_path: Path) -> None:
    import keras

    source, target = corpus / name, tmp_path / "today.keras"
    options: dict[str, Any] = {}
    if name in ("keras_0.3.3/convnet.json", "keras_1.2.2/convnet.h5"):
        options["backend"] = "tensorflow"
    if name.startswith("keras_0"):
        options["weights"] = source.with_name(source.name.replace(".json", ".legacy_weights.h5"))
    api.convert(source, target, **options)
    made = keras.models.load_model(target, safe_mode=True)
    told = api.explain(source, detail=False)
    assert made.count_params() == told.totals.params
    assert [one.name for one in made.layers if one.weights] == [
        row.layer for row in told.layers if row.weights or row.layers
    ]
    recorded = json.loads((corpus / "outputs.json").read_text())["outputs"]
    key = name if "keras" in name else f"keras_2.15.0/{name.partition('_')[0]}.h5"
    if key in recorded:
        outputs = [np.array(values, np.float32).reshape(shape) for shape, values in recorded[key]["outputs"]]
        same(ran(made, recorded[key]["most"]), outputs)
    elif name.startswith("keras_3"):
        most = 17 if "recurrent" in name else 0
        same(ran(made, most), ran(keras.models.load_model(source, compile=False), most))
    else:
        assert name.startswith("keras_0"), "no Keras of that time recorded what it computes"


@pytest.mark.keras
def test_what_keras_1_ran_on_is_asked_for_and_theano_turns_kernels(corpus: Path, tmp_path: Path) -> None:
    import h5py
    import keras

    source = corpus / "keras_1.2.2" / "convnet.h5"
    with pytest.raises(LayerExplainError, match="did not store its backend: give --backend tensorflow, or theano"):
        api.convert(source, tmp_path / "t.keras")
    api.convert(source, tmp_path / "theano.keras", backend="theano")
    turned = tmp_path / "turned.h5"
    turned.write_bytes(source.read_bytes())
    with h5py.File(turned, "r+") as file:
        for name in ("convolution2d_1", "convolution2d_2"):
            kernel = file[f"model_weights/{name}/{name}_W"]
            kernel[...] = kernel[()][:, :, ::-1, ::-1]  # filters, channels, rows, columns
    api.convert(turned, tmp_path / "turned.keras", backend="tensorflow")
    made = [ran(keras.models.load_model(tmp_path / f"{one}.keras"), 0) for one in ("theano", "turned")]
    same(*made)


@pytest.mark.keras
def test_layers_of_cudnn_become_those_of_today(corpus: Path, tmp_path: Path) -> None:
    """The oracle is tf_keras, which converts such weights when it loads them into LSTM and GRU."""
    import keras
    from tf_keras.src.saving.legacy.hdf5_format import preprocess_weights_for_loading

    rng = np.random.default_rng(3)
    stored = {
        "cu_dnnlstm_1": {"kernel": (5, 16), "recurrent_kernel": (4, 16), "bias": (32,)},
        "cu_dnngru_1": {"kernel": (4, 9), "recurrent_kernel": (3, 9), "bias": (18,)},
        "dense_3": {"kernel": (3, 2), "bias": (2,)},
    }
    arrays = {layer: {name: rng.uniform(-1, 1, shape).astype("float32") for name, shape in own.items()} for layer, own in stored.items()}  # fmt: skip
    config = (corpus / "keras_2.2.4" / "cudnn.json").read_text()

    def fill(root: Any) -> None:
        legacy(
            {layer: {f"{layer}/{key}:0": one for key, one in own.items()} for layer, own in arrays.items()},
            "model_weights",
            "2.2.4",
        )(root)
        root.attrs["model_config"] = config

    (tmp_path / "cudnn.h5").write_bytes(h5_bytes(fill))
    api.convert(tmp_path / "cudnn.h5", tmp_path / "today.keras")
    old = tf_keras.Sequential(
        [
            tf_keras.layers.LSTM(4, return_sequences=True, input_shape=(7, 5)),
            tf_keras.layers.GRU(3, reset_after=True),
            tf_keras.layers.Dense(2),
        ]
    )
    for layer, own in zip(old.layers, arrays.values(), strict=True):
        layer.set_weights(preprocess_weights_for_loading(layer, [*own.values()], original_keras_version="2.2.4"))
    x = rng.normal(size=(3, 7, 5)).astype("float32")
    made = keras.models.load_model(tmp_path / "today.keras", safe_mode=True)
    assert [type(one).__name__ for one in made.layers] == ["LSTM", "GRU", "Dense"]
    same([np.asarray(made(x, training=False))], [np.asarray(old(x, training=False))])
    # `trace` runs the formulas of the old layers on the old weights.
    same([api.trace(tmp_path / "cudnn.h5", inputs={"input_layer": x}).outputs[0]], [old.predict(x, verbose=0)])
