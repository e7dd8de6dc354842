"""What real Keras makes of programs: a child process runs many and says of each what its `model` is and computes.

`python code_truth.py FOLDER PART PARTS` reads `programs.json` (name → source) and `inputs.npz` (`name/0`, `name/1`, …) in
FOLDER, runs its part of the programs and writes `truthPART.json` and `valuesPART.npz`: there, `name|path of layers|number` is a weight and `name|=|number` an output.
"""

import contextlib
import gc
import io
import json
import re
import sys
import traceback
from pathlib import Path

import numpy as np


def truth(source, inputs, keep):
    """Run a program and describe its `model`; `keep` is given each weight and output under its key."""
    import keras

    keras.backend.clear_session(free_memory=False)
    keras.config.set_dtype_policy("float32")
    for data_set, (example, label, classes) in DATA.items():
        getattr(keras.datasets, data_set).load_data = _loader(example, label, classes)
    names = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        exec(compile(source, "program.py", "exec"), names)
    model = names["model"]
    found = {}
    if inputs is not None:  # first: the call of a class makes the weights of its layers
        found.update(values(model, inputs, keep, draws="random" in source))
    return {**found, **described(model)}


DATA = {
    "mnist": ((28, 28), (), 10),
    "fashion_mnist": ((28, 28), (), 10),
    "cifar10": ((32, 32, 3), (1,), 10),
    "imdb": (None, (), 2),
}
"""Data sets, which no test loads from the network: the shapes of an example and of its label, and the classes."""


def _loader(example, label, classes):
    def part(count):
        rows = np.array([[1, 2, 3]] * count, dtype=object) if example is None else np.zeros((count, *example), "uint8")
        return rows, (np.arange(count) % classes).reshape(count, *label)

    return lambda **_: (part(50), part(20))


def described(model):
    """The rows and counts of a model."""
    rows = []
    listed = getattr(model, "_operations", None) or model.layers
    for layer in {id(one): one for one in listed}.values():  # a Sequential lists twice what stands twice in it
        # What masks are computed with is no layer, and no line of the program.
        if type(layer).__name__ in ("InputLayer", "NotEqual", "Any"):
            continue
        try:
            shape = [list(tensor.shape) for tensor in _flat(layer.output)]
        except (AttributeError, ValueError):
            shape = None
        weights = getattr(layer, "weights", [])
        rows.append({"name": layer.name, "type": type(layer).__name__, "params": _count(weights), "shapes": shape})
    return {"layers": rows, "params": _count(model.weights), "trainable": _count(model.trainable_weights)}


def values(model, inputs, keep, draws):
    """Draw the model's weights and run it; one that draws numbers itself has no outputs to compare."""
    import keras

    from layerexplain.oracle.keras_model import draw_weights

    draw_weights(model, np.random.default_rng(7))
    structure = getattr(model, "_inputs_struct", None)
    packed = inputs[0] if len(inputs) == 1 else inputs
    if structure is not None:
        packed = keras.tree.pack_sequence_as(structure, inputs)
    first = _run(model, packed)
    if draws and not all(np.array_equal(a, b) for a, b in zip(first, _run(model, packed), strict=True)):
        return {"random": True}
    for number, array in enumerate(first):
        keep(f"=|{number}", array)
    _keep_weights(model, "", keep, set())
    return {}


def _run(model, inputs):
    import keras

    return [np.asarray(one) for one in keras.tree.flatten(model(inputs, training=False))]


def _keep_weights(layer, path, keep, known):
    """Keep the weights of a layer, and of all layers in it, under the names that lead there."""
    for number, weight in enumerate([one for one in layer.weights if "seed_generator" not in one.path]):
        keep(f"{path}|{number}", np.asarray(weight.value))
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        name = f"{path}/{inner.name}".lstrip("/")
        if name not in known:
            known.add(name)
            _keep_weights(inner, name, keep, known)
    used = {}
    for weight in [*layer._trainable_variables, *layer._non_trainable_variables]:
        name = re.sub(r"^variable_\d+$", "variable", weight.name)  # Keras counts those without a name through a program
        used[name] = used.get(name, -1) + 1
        keep(f"{path}/{name}".lstrip("/") + (f"_{used[name]}|0" if used[name] else "|0"), np.asarray(weight.value))


def _count(weights):
    total = 0
    for weight in weights:
        if "seed_generator_state" in weight.path:
            continue
        size = 1
        for axis in weight.shape:
            size *= axis
        total += size
    return total


def _flat(value):
    if isinstance(value, dict):
        return [one for key in sorted(value) for one in _flat(value[key])]
    if isinstance(value, (list, tuple)):
        return [one for item in value for one in _flat(item)]
    return [value]


def main(folder, part, parts):
    import keras  # noqa: F401 (all that it loads stays)

    gc.freeze()  # what Keras collects whenever its session is cleared
    programs = json.loads((folder / "programs.json").read_text())
    given = np.load(folder / "inputs.npz")
    arrays, found = {}, {}
    for name in list(programs)[part::parts]:
        count = sum(key.startswith(f"{name}/") for key in given)
        inputs = [given[f"{name}/{number}"] for number in range(count)] or None
        try:
            keep = lambda key, array, name=name: arrays.update({f"{name}|{key}": array})  # noqa: E731
            found[name] = truth(programs[name], inputs, keep)
        except Exception:
            found[name] = {"error": traceback.format_exc(limit=-2)}
    np.savez(folder / f"values{part}.npz", **arrays)
    (folder / f"truth{part}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
