"""Which name, through which import, is which class or function of Keras.

No class is listed here a second time: the layers are those of the registry and of `opaque_layers`, with the other names
that Keras exports them under.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal

from layerexplain.frontends.model_builder import known_types
from layerexplain.layers.registry import class_name, facts_of
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.frontends.code.values.program import Class

_ROOTS = (
    "tensorflow.compat.v1.keras", "tensorflow.compat.v2.keras", "tensorflow.python.keras", "tensorflow.contrib.keras",
    "tensorflow_core.python.keras", "tensorflow.keras", "keras_core", "tf_keras.src", "tf_keras", "keras.src",
    "keras.api._v2.keras", "keras.api", "keras",
)  # fmt: skip
"""Where Keras has been found, the longer ones first."""

Kind = Literal["layer", "model", "operation", "function", "setting", "backend", "data", "application", "other"]

_MODULES: dict[str, Kind] = {
    "activations": "function", "losses": "setting", "metrics": "setting", "optimizers": "setting",
    "optimizers_v1": "setting", "optimizer_v2": "setting", "regularizers": "setting", "initializers": "setting",
    "constraints": "setting", "datasets": "data", "applications": "application", "backend": "backend",
    "ops": "operation", "random": "operation", "utils": "other", "preprocessing": "other", "callbacks": "other",
    "mixed_precision": "other", "saving": "other", "config": "other", "distribution": "other", "schedules": "setting",
}  # fmt: skip
MODELS = frozenset({"Sequential", "Model", "Functional"})
_CONVENTIONS = {
    "nn": "torch.nn",
    "torch": "torch",
    "F": "torch.nn.functional",
    "tf": "tensorflow", "keras": "keras", "layers": "keras.layers", "models": "keras.models", "K": "keras.backend",
    "np": "numpy", "numpy": "numpy", "ops": "keras.ops", "tensorflow": "tensorflow", "math": "math",
    "optimizers": "keras.optimizers", "regularizers": "keras.regularizers", "initializers": "keras.initializers",
    "losses": "keras.losses", "metrics": "keras.metrics", "applications": "keras.applications", "mnist":
    "keras.datasets.mnist", "cifar10": "keras.datasets.cifar10", "fashion_mnist": "keras.datasets.fashion_mnist",
    "to_categorical": "keras.utils.to_categorical", "partial": "functools.partial",
    "preprocessing": "keras.preprocessing",
    "pad_sequences": "keras.preprocessing.sequence.pad_sequences", "imdb": "keras.datasets.imdb",
    "ImageDataGenerator": "keras.preprocessing.image.ImageDataGenerator", "reuters": "keras.datasets.reuters",
    "image_dataset_from_directory": "keras.utils.image_dataset_from_directory", "pd": "pandas",
    "train_test_split": "sklearn.model_selection.train_test_split", "cifar100": "keras.datasets.cifar100",
}  # fmt: skip
"""What people import under these names."""

_SETTINGS = {
    "optimizers": "Adam SGD RMSprop Adagrad Adadelta Adamax Nadam Ftrl AdamW",
    "callbacks": "EarlyStopping ModelCheckpoint ReduceLROnPlateau TensorBoard",
    "regularizers": "l1 l2 l1_l2 L1 L2",
}
"""Objects that snippets use without an import."""

MERGES = {
    "add": "Add", "concatenate": "Concatenate", "multiply": "Multiply", "average": "Average", "maximum": "Maximum",
    "minimum": "Minimum", "dot": "Dot", "subtract": "Subtract", "merge": "Merge",
}  # fmt: skip
"""The functions of keras.layers that make a layer and call it."""


class KerasName(NamedTuple):
    """What a name of Keras is. `path` is the rest behind Keras's root."""

    kind: Kind
    name: str
    path: str


@lru_cache(1000)
def inside_keras(path: str) -> str | None:
    """Return the rest of a path behind Keras's root; None outside of Keras.

    >>> inside_keras("tensorflow.keras.layers.Dense"), inside_keras("numpy.zeros")
    ('layers.Dense', None)
    """
    for root in _ROOTS:
        if path == root or path.startswith(f"{root}."):
            return path[len(root) + 1 :]
    return None


@cache
def layer_names() -> frozenset[str]:
    """Return the names of all layers, other names of them too."""
    from layerexplain.frontends.keras.old_names import OLD_CLASSES
    from layerexplain.layers.keras.opaque_layers import REASONS

    return frozenset({*known_types(), *REASONS, *OLD_CLASSES, "InputLayer"})


@lru_cache(1000)
def resolve_keras_name(path: str) -> KerasName | None:
    """Return what a dotted name is in Keras; None for a name of another library.

    >>> resolve_keras_name("tensorflow.keras.layers.MaxPool2D").name, resolve_keras_name("keras.activations.relu").kind
    ('MaxPooling2D', 'function')
    """
    rest = inside_keras(path)
    if rest is None:
        return None
    parts = rest.split(".")
    last = parts[-1]
    in_source = "layers" in parts[:-1] and last in layer_names()  # `layers.activations.softmax.Softmax`
    if "applications" in parts[:-1] and last in layer_names() and facts_of(last).home == parts[-2]:
        return KerasName("layer", last, rest)  # a layer that a module of keras.applications defines
    if rest.startswith("ops.operation_utils."):
        return KerasName("other", last, rest)  # helpers, no operations
    for part in parts[:-1]:
        if part in _MODULES and not in_source and not (part == "preprocessing" and last in layer_names()):
            return KerasName(_MODULES[part], last, rest)
    if last in MODELS:
        return KerasName("model", last, rest)
    if last in ("Input", "InputLayer"):
        return KerasName("layer", last, rest)
    if last in layer_names():
        return KerasName("layer", class_name(last), rest)
    if last in MERGES and "layers" in parts:
        return KerasName("layer", last, rest)
    return KerasName("other", last, rest)


def base_of(cls: Class) -> KerasName | None:
    """Return what the first base of a class that the program does not define is in Keras; None outside of Keras."""
    root = cls.root()
    return None if root is None else resolve_keras_name(root.path)


def by_convention(name: str) -> str | None:
    """Return the path that people mean by a name that a snippet does not import; None for any other name."""
    if name in _CONVENTIONS:
        return _CONVENTIONS[name]
    if name in MODELS or name == "Input":
        return f"keras.{name}"
    if name in MERGES or (name in layer_names() and name not in ("Function", "Operation")):
        return f"keras.layers.{name}"
    for module, names in _SETTINGS.items():
        if name in names.split():
            return f"keras.{module}.{name}"
    return None


_OTHER_NAMES = {
    "swish": "silu",
    "nn.swish": "nn.silu",
    "linalg.einsum": "einsum",
    "nn.l2_normalize": "math.l2_normalize",
}
"""Functions that Keras and TensorFlow have under two names."""


_OTHER_OPERATIONS = {
    "abs": "absolute", "conj": "conjugate", "hard_swish": "hard_silu", "layer_normalization": "layer_norm",
    "rms_normalization": "rms_norm",
}  # fmt: skip
"""Functions of keras.ops that make an operation of another name."""


@cache
def operation_types() -> dict[str, str]:
    """Return the classes of Keras's operations by the names of their functions, without underscores."""
    from layerexplain.layers.index import types
    from layerexplain.layers.keras.opaque_layers import OPERATIONS

    names = [name.removeprefix("ops.") for name in types("ops")]
    return {name.lower(): name for name in [*OPERATIONS, *names]}


def operation_type(function: str) -> str | None:
    """Return the class of an operation by the name of its function.

    >>> operation_type("expand_dims"), operation_type("nothing")
    ('ExpandDims', None)
    """
    name = _OTHER_OPERATIONS.get(function) or _OTHER_NAMES.get(function, function)
    return operation_types().get(name.replace("_", "").lower())


def tensorflow_function(path: str) -> str | None:
    """Return the name under which a function of TensorFlow has a formula: `math.reduce_mean` for `tf.reduce_mean`.

    >>> tensorflow_function("reduce_mean"), tensorflow_function("nn.relu")
    ('math.reduce_mean', 'nn.relu')
    """
    from layerexplain.layers.index import module_of

    path = path.removeprefix("compat.v1.").removeprefix("compat.v2.")
    path = _OTHER_NAMES.get(path, path)
    home, _, last = path.partition(".")
    other = {"math": f"nn.{last}", "nn": f"math.{last}"}.get(home, path)  # many stand in both
    for one in (path, other, f"math.{path}", f"linalg.{path}", f"nn.{path}", f"image.{path}", f"signal.{path}"):
        if module_of(f"tf.{one}"):
            return one
    return None
