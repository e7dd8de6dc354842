"""Writes what Keras 2.15 says of the files in `old/`: the outputs of each model that it loads, and its own models once
more with their values, as SavedModels and for TensorFlow.js.

Run by hand, in an environment with TensorFlow 2.15 and `pip install --no-deps tensorflowjs`:
`python tests/data/make_carried_files.py`; then, for the files of Keras 1, `… --keras-1 FOLDER`, where an unpacked wheel of
Keras 2.1.6 is, which reads them, beside PyYAML and scipy. The tests need none of these: they read `carried.zip`.
"""

import importlib
import io
import json
import os
import shutil
import sys
import sysconfig
import tempfile
import types
import zipfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(HERE, "carried.zip")


def inputs_of(shapes):
    """Numbers for inputs of these shapes, which the tests draw too: (name, shape, largest id or 0 for any number)."""
    drawn = []
    for place, (shape, most) in enumerate(shapes):
        count = int(np.prod(shape))
        if most:
            drawn.append(((np.arange(count) * 5 + place + 1) % most).reshape(shape).astype("float32"))
        else:
            drawn.append(np.cos(np.arange(count) * 0.7 + place).reshape(shape).astype("float32"))
    return drawn


def outputs(model):
    """The outputs of a model for three examples."""
    shapes = [(3, *[int(size) for size in tensor.shape[1:]]) for tensor in model.inputs]
    tables = [layer for layer in model.layers if type(layer).__name__ == "Embedding"]
    most = tables[0].input_dim if tables else 0
    given = inputs_of([(shape, most) for shape in shapes])
    made = model.predict(given if len(given) > 1 else given[0], verbose=0)
    made = made if isinstance(made, list) else [made]
    return {"most": most, "outputs": [[list(one.shape), [float(f"{x:.9g}") for x in one.ravel()]] for one in made]}


def javascript(h5, folder):
    """The converter of TensorFlow.js, without the packages that other formats need."""
    for name in ("tensorflowjs", "tensorflowjs.converters"):
        module = types.ModuleType(name)
        module.__path__ = [os.path.join(sysconfig.get_paths()["purelib"], *name.split("."))]
        sys.modules[name] = module
    sys.modules["tensorflowjs"].converters = sys.modules["tensorflowjs.converters"]
    for name in ("version", "quantization", "write_weights", "converters.common"):
        importlib.import_module(f"tensorflowjs.{name}")
    converter = importlib.import_module("tensorflowjs.converters.keras_h5_conversion")
    topology, groups = converter.h5_merged_saved_model_to_tfjs_format(h5, split_by_layer=False)
    os.makedirs(folder)
    converter.write_artifacts(topology, groups, folder, weight_shard_size_bytes=600)


def keras_2_1(folder):
    """Keras 2.1.6 on TensorFlow 2.15 and a Python of today, with the names put back that these have no more."""
    import collections.abc
    import inspect
    import re

    import tensorflow
    import tensorflow.python as inner
    from tensorflow.python.framework import ops
    from tensorflow.python.ops import control_flow_ops

    v1 = tensorflow.compat.v1
    v1.disable_v2_behavior()
    v1.python, v1.__version__ = inner, "1.15.0"
    control_flow_ops.while_loop = v1.while_loop
    ops._TensorLike = (v1.Tensor,)
    ops.is_dense_tensor_like = lambda x: isinstance(x, (v1.Tensor, v1.Variable))
    collections.Iterable, collections.Mapping = collections.abc.Iterable, collections.abc.Mapping
    inspect.getargspec = lambda function: inspect.getfullargspec(function)[:4]
    for path in ("models.py", "engine/topology.py", "layers/embeddings.py"):
        where = os.path.join(folder, "keras", path)
        with open(where) as file:
            text = file.read()
        text = re.sub(r"\.decode\('utf-?8'\)", "", text)  # h5py gives texts now
        text = text.replace("dtype=self.dtype", "dtype='float32'")  # Keras 1 called an embedding's ids its dtype
        with open(where, "w") as file:
            file.write(text)
    for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
        del sys.modules[name]
    sys.modules["tensorflow"] = v1
    sys.path.insert(0, folder)
    return importlib.import_module("keras")


def add_keras_1(folder):
    """Add the outputs of the files of Keras 1.2.2 to what is written."""
    import h5py

    keras = keras_2_1(folder)
    with zipfile.ZipFile(TARGET) as archive:
        members = {info: archive.read(info) for info in archive.infolist()}
    described = next(info for info in members if info.filename == "outputs.json")
    told = json.loads(members[described])
    old = tempfile.mkdtemp()
    with zipfile.ZipFile(os.path.join(HERE, "old", "keras_1.2.2.zip")) as archive:
        archive.extractall(old)
    for name in sorted(name for name in os.listdir(old) if name.endswith(".h5") and "weights" not in name):
        with open(os.path.join(old, name[: -len("h5")] + "json")) as file:
            model = keras.models.model_from_json(file.read())
        try:
            model.load_weights(os.path.join(old, name))
        except ValueError:  # it counts the layers of branches otherwise than Keras 1
            with h5py.File(os.path.join(old, name), "r") as file:
                stored = file["model_weights"]
                groups = [stored[layer] for layer in stored.attrs["layer_names"]]
                model.set_weights([group[one][()] for group in groups for one in group.attrs["weight_names"]])
        told["outputs"]["keras_1.2.2/" + name] = outputs(model)
    members[described] = json.dumps(told).encode()
    with zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for info, data in members.items():
            archive.writestr(info, data)


def main():
    if "--keras-1" in sys.argv:
        add_keras_1(sys.argv[-1])
        return
    import keras

    old = tempfile.mkdtemp()
    made = tempfile.mkdtemp()
    told = {"keras": keras.__version__, "outputs": {}}
    for name in sorted(os.listdir(os.path.join(HERE, "old"))):
        with zipfile.ZipFile(os.path.join(HERE, "old", name)) as archive:
            archive.extractall(os.path.join(old, name[: -len(".zip")]))
    for folder in sorted(os.listdir(old)):
        for name in sorted(os.listdir(os.path.join(old, folder))):
            path = os.path.join(old, folder, name)
            if not name.endswith((".h5", ".keras")) or "weights" in name:
                continue
            try:
                model = keras.models.load_model(path, compile=False)
                told["outputs"][f"{folder}/{name}"] = outputs(model)
            except Exception as error:
                print("   ", folder, name, repr(error)[:150])
                continue
            if folder == "keras_2.15.0" and name.endswith(".h5"):
                stem = name[: -len(".h5")]
                model.save(os.path.join(made, stem + "_saved_model"), save_format="tf")
                fingerprint = os.path.join(made, stem + "_saved_model", "fingerprint.pb")
                os.path.exists(fingerprint) and os.remove(fingerprint)
                assets = os.path.join(made, stem + "_saved_model", "assets")
                os.path.isdir(assets) and shutil.rmtree(assets)
                graph = os.path.join(made, stem + "_saved_model", "saved_model.pb")
                os.path.getsize(graph) > 200000 and os.remove(graph)  # the metadata tells of the layers
                javascript(path, os.path.join(made, stem + "_tfjs"))
    with open(os.path.join(made, "outputs.json"), "w") as file:
        json.dump(told, file)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for place, _, names in sorted(os.walk(made)):
            for name in sorted(names):
                where = os.path.relpath(os.path.join(place, name), made)
                info = zipfile.ZipInfo(where, (2026, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                with open(os.path.join(place, name), "rb") as file:
                    archive.writestr(info, file.read())
    with open(TARGET, "wb") as file:
        file.write(data.getvalue())
    print(len(told["outputs"]), "models,", len(data.getvalue()), "bytes")


if __name__ == "__main__":
    main()
