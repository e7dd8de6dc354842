"""Writes small models of keras-hub, and subclassed ones, as .keras files with what Keras itself says of their weights;
and the outputs of those of keras-hub on drawn inputs (`--outputs`).

Run by hand, in an environment with keras-hub and TensorFlow: `python tests/data/make_hub_files.py [NAME…]`. The tests
need neither: they read the files and `hub_truth.json`.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
from keras import layers

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "hub"
TRUTH = HERE / "hub_truth.json"


def bert() -> Any:
    return keras_hub.models.BertBackbone(
        vocabulary_size=101,
        num_layers=2,
        num_heads=2,
        hidden_dim=6,
        intermediate_dim=11,
        max_sequence_length=13,
        num_segments=3,
    )


def gpt2() -> Any:
    return keras_hub.models.GPT2Backbone(
        vocabulary_size=103, num_layers=2, num_heads=2, hidden_dim=6, intermediate_dim=11, max_sequence_length=13
    )


def llama() -> Any:
    return keras_hub.models.LlamaBackbone(
        vocabulary_size=107, num_layers=2, num_query_heads=4, hidden_dim=8, intermediate_dim=11, num_key_value_heads=2
    )


def vit() -> Any:
    return keras_hub.models.ViTBackbone(
        image_shape=(12, 12, 3), patch_size=4, num_layers=2, num_heads=2, hidden_dim=6, mlp_dim=11
    )


def t5() -> Any:
    return keras_hub.models.T5Backbone(
        vocabulary_size=109, num_layers=2, num_heads=2, hidden_dim=6, intermediate_dim=11, key_value_dim=5
    )


def whisper() -> Any:
    return keras_hub.models.WhisperBackbone(
        vocabulary_size=113,
        num_layers=2,
        num_heads=2,
        hidden_dim=6,
        intermediate_dim=11,
        num_mels=7,
        max_encoder_sequence_length=26,
        max_decoder_sequence_length=17,
    )


def bert_trained() -> Any:
    """A task of keras-hub after a step: the state of its optimizer, and of the generators of its dropouts."""
    model = keras_hub.models.BertTextClassifier(backbone=bert(), num_classes=3, preprocessor=None, dropout=0.1)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    ids = np.ones((2, 13), dtype="int32")
    x = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids}
    model.train_on_batch(x, np.array([0, 2]))
    return model


def bert_in_functional() -> Any:
    """A frozen backbone called in a Functional model, with a head of the user's own, trained a step."""
    backbone = bert()
    backbone.trainable = False
    inputs = {
        name: keras.Input((13,), dtype="int32", name=name) for name in ("token_ids", "segment_ids", "padding_mask")
    }
    pooled = backbone(inputs)["pooled_output"]
    hidden = layers.Dense(5, activation="tanh", name="hidden")(pooled)
    model = keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="sentiment")
    model.compile("adam", "mse")
    ids = np.ones((2, 13), dtype="int32")
    model.train_on_batch({"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids}, np.ones((2, 2)))
    return model


@keras.saving.register_keras_serializable(package="Example")
class Block(layers.Layer):
    """A layer of the user's own, with a weight of its own beside those of its layers."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.attend = layers.MultiHeadAttention(2, 3, name="attend")
        self.norm = layers.LayerNormalization(name="norm")
        self.feed = [layers.Dense(11, activation="gelu"), layers.Dropout(0.1), layers.Dense(width)]

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(self.width,), name="scale", trainable=False)
        self.attend.build(shape, shape)
        self.norm.build(shape)
        for layer in self.feed:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, x: Any) -> Any:
        y = x = self.norm(x + self.scale * self.attend(x, x))
        for layer in self.feed:
            y = layer(y)
        return x + y

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="Example")
class Subclassed(keras.Model):
    """A model that its code calls: layers in attributes, in lists, in a dictionary, one in two places."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embed = layers.Embedding(17, 6)
        self.blocks = [Block(6, name="first"), Block(6, name="second")]
        self.same_block = self.blocks[0]
        self.reader = layers.Bidirectional(layers.LSTM(3, return_sequences=True))
        self.memory = layers.GRU(5)
        self.norm = layers.BatchNormalization()
        self.heads = {"a": layers.Dense(2), "b": layers.Dense(3, use_bias=False)}
        self.encoder = keras.Sequential([layers.Dense(4, activation="relu"), layers.Dense(5)], name="encoder")

    def call(self, ids: Any, training: bool = False) -> Any:
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        x = self.encoder(self.norm(self.memory(self.reader(x)), training=training))
        return self.heads["a"](x), self.heads["b"](x)


def subclassed() -> Any:
    model = Subclassed(name="mine")
    model(np.ones((2, 7), dtype="int32"))
    return model


def subclassed_trained() -> Any:
    model = Subclassed(name="mine")
    model.compile("adam", ["mse", "mse"])
    model.train_on_batch(np.ones((2, 7), dtype="int32"), [np.ones((2, 2)), np.ones((2, 3))])
    return model


MODELS: tuple[Callable[[], Any], ...] = (
    bert,
    gpt2,
    llama,
    vit,
    t5,
    whisper,
    bert_trained,
    bert_in_functional,
    subclassed,
    subclassed_trained,
)


AS_WRITTEN = ("bert", "subclassed_trained")
"""The files that stay as Keras writes them; the others are zipped anew, as who shares a file may do."""


def compressed(path: Path) -> None:
    """The same members, deflated."""
    with zipfile.ZipFile(path) as archive:
        members = [(member.filename, archive.read(member)) for member in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)


def classes(model: Any) -> dict[str, list[str]]:
    """The classes of each layer, however deep, by its name: its own and those that it is derived from."""
    found: dict[str, list[str]] = {}
    for layer in model._flatten_layers(include_self=False):
        own = [c.__name__ for c in type(layer).__mro__ if issubclass(c, layers.Layer)]
        known = found.setdefault(layer.name, own)
        found[layer.name] = [name for name in known if name in own]
    return found


def truth(model: Any) -> dict[str, Any]:
    """What Keras counts, and every weight of the model once, with its path."""
    frozen = {id(w) for w in model.non_trainable_weights}
    return {
        "class_name": type(model).__name__,
        "params": model.count_params(),
        "trainable": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "layers": [
            {"name": layer.name, "class_name": type(layer).__name__, "params": layer.count_params()}
            for layer in model.layers
        ],
        "classes": classes(model),
        "weights": [[w.path, list(w.shape), str(w.dtype), id(w) not in frozen] for w in model.weights],
        "versions": {"keras": keras.__version__, "keras_hub": keras_hub.__version__},
    }


def drawn(model: Any) -> dict[str, Any]:
    """Inputs of a model by name: two examples of seven steps, padded behind the fifth."""
    random = np.random.default_rng(5)
    inputs = model.input if isinstance(model.input, dict) else {model.input.name: model.input}
    given: dict[str, Any] = {}
    for name, tensor in inputs.items():
        shape = (2, *[7 if size is None else size for size in tensor.shape[1:]])
        if name == "encoder_features":
            shape = (2, 26, 7)
        if "padding_mask" in name:
            given[name] = np.ones(shape, "int32")
            given[name][0, 5:] = 0
        elif "int" in str(tensor.dtype):
            given[name] = random.integers(0 if "segment" in name else 1, 2 if "segment" in name else 50, shape).astype(
                "int32"
            )
        else:
            given[name] = random.normal(size=shape).astype("float32")
    return given


def outputs() -> None:
    """Record what keras-hub computes with the files that are there."""
    found: dict[str, Any] = {}
    for make in MODELS[:8]:
        name = make.__name__
        model = keras.saving.load_model(FOLDER / f"{name}.keras", compile=False)
        given = drawn(model)
        made = model(given if isinstance(model.input, dict) else next(iter(given.values())))
        named = made if isinstance(made, dict) else {"y": made}
        found.update({f"{name}/in_{key}": value for key, value in given.items()})
        found.update({f"{name}/out_{key}": np.asarray(value) for key, value in named.items()})
    np.savez_compressed(HERE / "hub_outputs.npz", **found)


def main(names: list[str]) -> None:
    if names == ["--outputs"]:
        outputs()
        return
    FOLDER.mkdir(exist_ok=True)
    known = json.loads(TRUTH.read_text()) if TRUTH.exists() else {}
    for make in MODELS:
        name = make.__name__
        if names and name not in names:
            continue
        keras.backend.clear_session()
        keras.utils.set_random_seed(7)
        model = make()
        path = FOLDER / f"{name}.keras"
        model.save(path)
        if name not in AS_WRITTEN:
            compressed(path)
        known[name] = truth(model)
        print(name, known[name]["params"], path.stat().st_size)
    TRUTH.write_text(json.dumps(known, separators=(",", ":")).replace('"weights":', '\n"weights":') + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
