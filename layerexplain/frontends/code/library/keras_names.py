"""Which name, through which import, is which class or function of Keras, and what Keras 3 and 2 call it with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal

from layerexplain.call_signature import Misfit
from layerexplain.frontends.code.library.signatures import entry, read_signature, shared_names, text_of
from layerexplain.frontends.model_builder import known_types
from layerexplain.layers.registry import class_name, facts_of
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.frontends.code.values.program import Class


# Keras names --------------------------------------------------------------------------------------------------------
# Which name, through which import, is which class or function of Keras.

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
    for item in (path, other, f"math.{path}", f"linalg.{path}", f"nn.{path}", f"image.{path}", f"signal.{path}"):
        if module_of(f"tf.{item}"):
            return item
    return None


# Keras api ----------------------------------------------------------------------------------------------------------
# What the names of Keras and TensorFlow are called with, in Keras 3 and in Keras 2: keras_signatures.txt, which
# scripts/signatures.py writes from the installed ones.

_FILE = "keras_signatures.txt"
_MISSING = Misfit("is not in this Keras")


def _text() -> str:
    return text_of(_FILE)


def _entry(path: str) -> tuple[str, ...]:
    return entry(path, _FILE)


def is_known(path: str, *, only_today: bool = False) -> bool:
    """Return whether Keras 3 or Keras 2 has a name; with `only_today` whether Keras 3 has it.

    >>> is_known("losses.Huber"), is_known("losses.Hubert")
    (True, False)
    """
    return _entry(path)[:1] not in ((), ("-",)) if only_today else bool(_entry(path))


def is_module(path: str) -> bool:
    """Return whether a name is a module; "" is Keras itself.

    >>> is_module("layers"), is_module("layers.Dense"), is_module("")
    (True, False, True)
    """
    return not path or "module" in _entry(path)


def names_in(module: str, *, only_today: bool = False) -> list[str]:
    """Return the names in a module of Keras; "" is Keras itself. With `only_today` those of Keras 3 alone.

    >>> "Huber" in names_in("losses"), "layers" in names_in("")
    (True, True)
    """
    start = f"{module}." if module else ""
    lines = [line.split(" | ") for line in _text().splitlines() if line.startswith(start)]
    paths = [columns[0] for columns in lines if not only_today or columns[1:2] != ["-"]]
    names = [name for path in paths if "." not in (name := path[len(start) :]) and name and " " not in name]
    shared = shared_names(module, _FILE) if module else []
    return names + [name for name in shared if is_known(f"{module}.{name}", only_today=only_today)]


@lru_cache(1000)
def members(name: str) -> frozenset[str]:
    """Return the attributes that every Layer, Model or Tensor of Keras has, or those of one of its layers; none where
    they are not known.

    >>> "trainable_weights" in members("Layer"), "fit" in members("Layer")
    (True, False)
    >>> sorted(members("Dropout") - members("Layer"))
    ['noise_shape', 'rate', 'seed', 'seed_generator']
    """
    if entry := _entry(f"members of {name}"):
        return frozenset(entry[0].split())
    own = _entry(f"members of layers.{name}")
    return frozenset(own[0].split()) | members("Layer") if own else frozenset()


def misfit(
    path: str, count: int, given: Iterable[str], also: Collection[str] = (), *, whole: bool = True
) -> Misfit | None:
    """Return what does not fit of a call of a name of Keras; None where it fits, or where the name is not known. `also`
    are names that stand for `**`: where they are given, no others are taken. Of a call that is not `whole` nothing is
    missing.

    >>> misfit("losses.Huber", 0, ["logits"]).words
    "has no argument 'logits'; it takes delta, reduction, name, dtype"
    >>> misfit("ops.expand_dims", 1, []).words, misfit("ops.expand_dims", 2, [])
    ('is given no axis; it takes x, axis', None)
    """
    entry = _entry(path)
    if not entry:
        return None
    names = list(given)
    misfits: list[Misfit | None] = []
    for text in dict.fromkeys(entry):
        signature = read_signature(text)
        if signature is None:
            misfits.append(_MISSING if text == "-" else None)
            continue
        if also and signature.any_name:
            signature = signature._replace(common=tuple(also), any_name="")
        misfits.append((signature if whole else signature._replace(required=())).misfit(count, names))
    if all(misfits):
        return next((misfit for misfit in misfits if misfit is not _MISSING), None)
    return None if misfits[0] is None else misfits[0]._replace(only_today=True)


def arguments(path: str) -> tuple[str, ...]:
    """Return the arguments of a function that may be given without a name.

    >>> arguments("tf.concat")
    ('values', 'axis', 'name')
    """
    signature = read_signature(_entry(path)[0]) if _entry(path) else None
    return signature.positional if signature is not None else ()
