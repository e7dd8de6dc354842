"""Writes small models in every format that the Keras at hand writes, with what that Keras itself says of them.

Run by hand: `python tests/data/make_old_files.py`, in an environment of its own for each of these (Python 3.6 reads it):

* Keras 0.3.3 or 1.2.2, with Theano 0.9 (`KERAS_BACKEND=theano`)
* Keras 2.1.6 or 2.2.4, with TensorFlow 1.15, whose own tf.keras is run with `--tensorflow`
* Keras 2.15, with TensorFlow 2.15
* Keras 3.0.5, with TensorFlow 2.16

The tests need none of them: they read `old/`, where each Keras has one zip of its files, and `old_truth.json`.
"""

import json
import os
import shutil
import sys
import zipfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "old")
TRUTH = os.path.join(HERE, "old_truth.json")

if "--tensorflow" in sys.argv:
    from tensorflow import keras
else:
    import keras

VERSION = keras.__version__
NAME = ("tf.keras_" if "--tensorflow" in sys.argv else "keras_") + VERSION
GENERATION = int(VERSION.split(".")[0])
if GENERATION == 0:
    import keras.models
layers = getattr(keras, "layers", None)


# Keras 0.3 --------------------------------------------------------------------------------------------------------


def keras_0_convnet():
    from keras.layers.convolutional import Convolution2D, MaxPooling2D
    from keras.layers.core import Activation, Dense, Dropout, Flatten, MaxoutDense
    from keras.layers.normalization import BatchNormalization

    model = keras.models.Sequential()
    model.add(Convolution2D(4, 3, 3, border_mode="same", input_shape=(2, 11, 9)))
    model.add(BatchNormalization())
    model.add(Activation("relu"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Convolution2D(5, 2, 3, subsample=(2, 1)))
    model.add(Dropout(0.25))
    model.add(Flatten())
    model.add(MaxoutDense(6, nb_feature=3))
    model.add(Dense(3, activation="softmax"))
    return model


def keras_0_recurrent():
    from keras.layers.core import Dense, TimeDistributedDense
    from keras.layers.embeddings import Embedding
    from keras.layers.recurrent import GRU, LSTM

    model = keras.models.Sequential()
    model.add(Embedding(17, 5, input_length=7))
    model.add(LSTM(4, return_sequences=True))
    model.add(TimeDistributedDense(6))
    model.add(GRU(3))
    model.add(Dense(1, activation="sigmoid"))
    return model


def keras_0_graph():
    from keras.layers.core import Dense

    model = keras.models.Graph()
    model.add_input(name="a", input_shape=(5,))
    model.add_input(name="b", input_shape=(7,))
    model.add_node(Dense(4), name="left", input="a")
    model.add_node(Dense(4), name="right", input="b")
    model.add_node(Dense(3), name="both", inputs=["left", "right"], merge_mode="concat")
    model.add_output(name="out", input="both")
    return model


# Keras 1 ----------------------------------------------------------------------------------------------------------


def keras_1_convnet():
    return keras.models.Sequential(
        [
            layers.Convolution2D(4, 3, 3, border_mode="same", input_shape=(2, 11, 9), dim_ordering="th"),
            layers.BatchNormalization(axis=1),
            layers.Activation("relu"),
            layers.MaxPooling2D(pool_size=(2, 2), dim_ordering="th"),
            layers.Convolution2D(5, 2, 3, subsample=(2, 1), dim_ordering="th"),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.MaxoutDense(6, nb_feature=3),
            layers.Highway(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def keras_1_recurrent():
    return keras.models.Sequential(
        [
            layers.Embedding(17, 5, input_length=7, mask_zero=True),
            layers.LSTM(4, return_sequences=True),
            layers.Bidirectional(layers.GRU(3, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(6)),
            layers.SimpleRNN(2),
        ]
    )


def keras_1_branches():
    left = keras.models.Sequential([layers.Dense(4, input_dim=5)])
    right = keras.models.Sequential([layers.Dense(4, input_dim=7, activation="tanh")])
    return keras.models.Sequential([layers.Merge([left, right], mode="concat"), layers.Dense(3)])


def keras_1_merges():
    a, b = layers.Input(shape=(5,), name="a"), layers.Input(shape=(5,), name="b")
    shared = layers.Dense(4, name="shared")
    x, y = shared(a), shared(b)
    both = [layers.merge([x, y], mode=mode) for mode in ("sum", "mul", "ave", "max", "concat", "dot")]
    return keras.models.Model(input=[a, b], output=layers.Dense(2)(layers.merge(both, mode="concat")))


# Keras 2 and 3 ----------------------------------------------------------------------------------------------------


def convnet():
    return keras.models.Sequential(
        [
            *([keras.Input((11, 9, 2))] if GENERATION > 2 else []),
            layers.Conv2D(4, 3, padding="same", use_bias=False, **given(input_shape=(11, 9, 2))),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling2D(2),
            layers.SeparableConv2D(5, 3, strides=2, activation="relu"),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", trainable=False),
        ]
    )


def recurrent():
    return keras.models.Sequential(
        [
            *([keras.Input((7,))] if GENERATION > 2 else []),
            layers.Embedding(17, 5, mask_zero=True, **given(input_length=7)),
            layers.LSTM(4, return_sequences=True),
            layers.Bidirectional(layers.GRU(3, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(6)),
            layers.SimpleRNN(2),
        ]
    )


def graph():
    """Shared and nested layers, several inputs and outputs."""
    inside = layers.Input(shape=(4,), name="inside")
    inner = keras.models.Model(inside, layers.Dense(4, name="in_block", activation="elu")(inside), name="block")
    a, b = layers.Input(shape=(5,), name="a"), layers.Input(shape=(5,), name="b")
    shared = layers.Dense(4, name="shared")
    x, y = inner(shared(a)), inner(shared(b))
    joined = layers.concatenate([layers.add([x, y]), layers.multiply([x, y]), layers.dot([x, y], axes=1)])
    out = [layers.Dense(2, name="out")(joined), layers.maximum([x, y])]
    return keras.models.Model([a, b], out, name="graph")


def cudnn():
    """Layers that Keras 3 has no more."""
    return keras.models.Sequential(
        [layers.CuDNNLSTM(4, return_sequences=True, input_shape=(7, 5)), layers.CuDNNGRU(3), layers.Dense(2)]
    )


def operations():
    """Operations of TensorFlow between layers (tf.keras), or Keras's own (Keras 3), and attention."""
    x = keras.Input((6, 8), name="x")
    y = layers.MultiHeadAttention(2, 3, name="attend")(x, x)
    y = layers.LayerNormalization(name="norm")(x + y * 0.5)
    if GENERATION > 2:
        y = keras.ops.relu(keras.ops.mean(y, axis=1) - 1.0)
    else:
        import tensorflow as tf

        y = tf.nn.relu(tf.reduce_mean(y, axis=1) - 1.0)
    return keras.Model(x, layers.Dense(3, name="out")(y), name="operations")


def given(**config):
    """What a first layer says of its input, before Keras 3."""
    return config if GENERATION < 3 else {}


MODELS = {
    0: [keras_0_convnet, keras_0_recurrent, keras_0_graph],
    1: [keras_1_convnet, keras_1_recurrent, keras_1_branches, keras_1_merges],
    2: [convnet, recurrent, graph],
    3: [convnet, recurrent, graph, operations],
}[GENERATION]
if VERSION.startswith("2.15"):
    MODELS.append(operations)
if GENERATION == 2 and hasattr(layers, "CuDNNLSTM"):
    MODELS.append(cudnn)


# Formats ----------------------------------------------------------------------------------------------------------


def write(model, name, path):
    """Every file that this Keras writes of a model; names that are taken are left out."""
    written = []

    def one(ending, save):
        where = path + ending
        try:
            save(where)
            if os.path.isdir(where):
                only_the_description(where)
            written.append(os.path.basename(where))
        except Exception as error:
            print("   ", name + ending, repr(error)[:150])
            if os.path.isdir(where):
                shutil.rmtree(where)
            elif os.path.exists(where):
                os.remove(where)

    def text(where):
        with open(where, "w") as file:
            file.write(model.to_json())

    one(".json", text)
    if model.made_by == "cudnn":  # only a GPU can give such layers values
        return written
    if GENERATION:
        one(".h5", model.save)
    if VERSION in ("0.3.3", "1.2.2", "2.15.0"):
        one(".legacy_weights.h5", lambda where: model.save_weights(where, overwrite=True))
    if VERSION.startswith(("2.15", "3.")):
        one(".keras", model.save)
        one(".weights.h5", model.save_weights)
    if VERSION.startswith("2.15") or "--tensorflow" in sys.argv:
        one("_saved_model", lambda where: model.save(where, save_format="tf"))
    if GENERATION == 3:
        one("_export", model.export)
    return written


def only_the_description(folder):
    """A SavedModel without its variables, and without its graph where that is large and not what tells of Keras."""
    graph, told = os.path.join(folder, "saved_model.pb"), os.path.join(folder, "keras_metadata.pb")
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif path not in (graph, told):
            os.remove(path)
    if os.path.getsize(graph) > 200000:
        os.remove(graph)
        if not os.path.exists(told):
            raise ValueError("is too large to be kept")


def trained(model):
    """A step, so that there is an optimizer with state; Keras 0.3 does not store one."""
    if GENERATION == 0:
        return
    model.compile("adam", ["mse"] * len(model.outputs) if len(model.outputs) > 1 else "mse")
    many = lambda shapes: [np.ones([2] + [int(s) for s in shape[1:]]) for shape in shapes]  # noqa: E731
    x, y = many(shapes_of(model.input_shape)), many(shapes_of(model.output_shape))
    model.train_on_batch(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0])


def shapes_of(shape):
    return list(shape) if isinstance(shape, list) else [shape]


def truth(model):
    """What this Keras says: totals, and each layer's count and output shape."""
    count = lambda weights: int(sum(np.prod(shape_of(w)) for w in weights))  # noqa: E731
    told = {"version": VERSION, "layers": []}
    if GENERATION == 0:
        told["params"] = int(sum(np.prod(w.shape) for w in model.get_weights()))
    else:
        told["params"] = int(model.count_params())
        told["trainable"] = count(model.trainable_weights)
    nodes = model.layers if hasattr(model, "layers") else list(model.nodes.values())
    for layer in nodes:
        own = {"name": getattr(layer, "name", ""), "class_name": type(layer).__name__}
        own["params"] = int(sum(np.prod(shape) for shape in weight_shapes(layer)))
        try:
            shape = layer.output_shape if GENERATION < 3 else layer.output.shape
            shape = shape[0] if isinstance(shape, list) else shape
            own["output_shape"] = [None if s is None else int(s) for s in shape]
        except (AttributeError, ValueError, TypeError, RuntimeError):
            own["output_shape"] = None
        told["layers"].append(own)
    told["weights"] = weight_shapes(model)
    return told


def weight_shapes(owner):
    if GENERATION == 0:
        return [list(w.shape) for w in owner.get_weights()]
    return [list(shape_of(w)) for w in owner.weights]


def shape_of(weight):
    if hasattr(weight, "get_value"):
        return weight.get_value().shape
    return [int(s) for s in weight.shape]


def packed(folder):
    """The folder as a zip of the same name: most of a small HDF5 file is empty space."""
    with zipfile.ZipFile(folder + ".zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                with open(os.path.join(path, name), "rb") as file:
                    member = zipfile.ZipInfo(os.path.relpath(os.path.join(path, name), folder), (2026, 1, 1, 0, 0, 0))
                    archive.writestr(member, file.read(), zipfile.ZIP_DEFLATED)
    shutil.rmtree(folder)


def main():
    folder = os.path.join(FOLDER, NAME)
    if os.path.isdir(folder):
        shutil.rmtree(folder)
    os.makedirs(folder)
    known = {}
    if os.path.exists(TRUTH):
        with open(TRUTH) as file:
            known = json.load(file)
    known[NAME] = {}
    for make in MODELS:
        np.random.seed(7)
        model = make()
        model.made_by = make.__name__
        if make.__name__ != "cudnn":
            trained(model)
        name = make.__name__.replace("keras_0_", "").replace("keras_1_", "")
        told = truth(model)
        told["files"] = write(model, name, os.path.join(folder, name))
        known[NAME][name] = told
        print(name, told["params"], told["files"])
    packed(folder)
    with open(TRUTH, "w") as file:
        json.dump(known, file, sort_keys=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
