"""Gradients equal those of tf.GradientTape, in float64, for every row of tests/cases that Keras can differentiate."""

import functools
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate
from layerexplain.derive.gradient.backward import gradient
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive
from layerexplain.layers.declaration import Spec
from layerexplain.ops import load_all
from layerexplain.ops.sizes import FLOATS
from tests.cases import CASES, Case
from tests.support.frameworks import keras, tf
from tests.support.keras_oracle import BATCH_SIZE, UNKNOWN_SIZE, _call, _flat, keras_layer, trace_case
from tests.support.tracing import trace_layer

np = pytest.importorskip("numpy")
pytestmark = pytest.mark.keras

load_all()

TOLERANCE = 1e-9
"""Of the largest gradient of the case."""

IN_FLOAT32 = (
    "CenterCrop",
    "Resizing",
    "UpSampling2D",
    "LeakyReLU",
    "MultiHeadAttention",
    "GroupQueryAttention",
    "Rescaling",
    "ReversibleEmbedding",
)
"""Layers in which Keras keeps a number in float32 (a slope, 1 / sqrt(d)): compared within 1e-6. So are cases with weights
in float32: those of LoRA, and of quantized layers."""


@pytest.fixture(autouse=True, scope="module")
def _in_float64() -> Iterator[None]:
    before, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")  # Keras keeps the first policy that it made of floatx
    yield
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy(policy)


class NoKernel(Exception):
    """Raised where TensorFlow cannot compute the gradient on a CPU."""


class Tape:
    """A case run by Keras in float64, and the gradients of a weighted sum of its results."""

    def __init__(self, case: Case, shapes: list[tuple[int, ...]], training: bool) -> None:
        rng = np.random.default_rng(zlib.crc32(case.id.encode()))
        layer = keras_layer(case.type, case.config)
        self.inputs = [_drawn(rng, case, i) for i in range(len(case.shapes))]
        masks = [
            rng.random(x.shape[:2]) < 0.6 if i < len(case.masks) and case.masks[i] else None
            for i, x in enumerate(self.inputs)
        ]
        self.masks = [mask for mask in masks if mask is not None]
        tensors = [tf.convert_to_tensor(x) for x in self.inputs]
        given = [None if mask is None else tf.convert_to_tensor(mask) for mask in masks]
        _symbolic(layer, case, masks)
        if case.config.get("lora_alpha") is not None:
            layer.lora_alpha = case.config["lora_alpha"]
        for variable in layer.weights:
            if variable.dtype == "float64":
                value = rng.uniform(0.2, 0.9, variable.shape)
                variable.assign(value if "variance" in variable.name else value * rng.choice([-1, 1], variable.shape))
        self.weights = [np.asarray(w) for w in layer.weights]
        if hasattr(layer, "finalize_state"):  # Normalization copies its weights once they are there
            layer.finalize_state()
        self.seeds = [rng.normal(size=shape) for shape in shapes]
        if training:
            call = layer.call
            layer.call = functools.wraps(call)(lambda *args, **given: call(*args, **{**given, "training": True}))
        variables = [w.value for w in layer.weights]

        def run(*watched: Any) -> Any:
            with tf.GradientTape() as tape:
                for x in watched:
                    if x.dtype.is_floating:
                        tape.watch(x)
                floats = self._floats(_flat(_call(layer, list(watched), case, given)))
                loss = tf.add_n([tf.reduce_sum(y * dy) for y, dy in zip(floats, self.seeds, strict=True)])
            return tape.gradient(loss, [*watched, *variables], unconnected_gradients="zero")

        try:
            made = run(*tensors)
        except (tf.errors.OpError, LookupError):  # no kernel on the CPU; compiled by XLA there often is one
            try:
                made = tf.function(run, jit_compile=True, autograph=False)(*tensors)
            except (tf.errors.OpError, TypeError, LookupError) as refused:
                raise NoKernel("TensorFlow has no kernel for it on a CPU") from refused
        dense = [np.asarray(tf.convert_to_tensor(g)) for g in made]
        self.of_inputs, self.of_weights = dense[: len(tensors)], dense[len(tensors) :]

    @staticmethod
    def _floats(results: list[Any]) -> list[Any]:
        return [y for y in results if "float" in str(y.dtype)]


def _symbolic(layer: Any, case: Case, masks: list[Any]) -> list[Any]:
    """Build the layer, and return its results without values, for which no kernel is needed."""
    dtypes = case.dtypes or ("float32",) * len(case.shapes)
    given = [
        keras.Input(
            [UNKNOWN_SIZE if s is None else s for s in shape],
            batch_size=BATCH_SIZE,
            dtype={"int": "int32", "bool": "bool"}.get(d, "float64"),
        )
        for shape, d in zip(case.shapes, dtypes, strict=True)
    ]
    return _flat(_call(layer, given, case, [None] * len(given)))


def _drawn(rng: Any, case: Case, i: int) -> Any:
    full = (BATCH_SIZE, *[UNKNOWN_SIZE if s is None else s for s in case.shapes[i]])
    dtype = case.dtypes[i] if case.dtypes else "float32"
    if dtype == "int":
        ids = min(case.config.get(name, 10) for name in ("input_dim", "num_tokens"))
        return rng.integers(0, ids, full).astype("int32")
    if dtype == "bool":
        return rng.random(full) < 0.6
    return rng.normal(0, 1, full)


def differences(case: Case, *, training: bool = False) -> list[str] | str:
    """Which gradients differ from the tape's; why they cannot be compared."""
    try:
        definition = _traced(case, training)
    except LayerExplainError as refused:
        return str(refused)
    try:
        found = gradient(definition)
    except CannotDerive as why:
        return str(why)
    if not found.whole.results:
        return "nothing to differentiate"
    outputs = [e for e in definition.results.values() if e.dtype in FLOATS]
    if any(size is None for e in outputs for size in e.shape):
        return "a size is known at run time only"
    shapes = [tuple([size if isinstance(size, int) else BATCH_SIZE for size in e.shape]) for e in outputs]
    try:
        tape = Tape(case, shapes, training)
    except NoKernel as why:
        return str(why)
    if len(tape.weights) != len(definition.weights):
        return "Keras does not list the weights of its activation"
    given = [*tape.inputs, *tape.masks][: len(definition.params)]
    try:
        values = evaluate(found.whole, [*given, *tape.seeds], tape.weights, Evaluation(BATCH_SIZE, "float64"))
    except CannotEvaluate as why:
        return str(why)
    ours = dict(zip(found.whole.results, values, strict=True))
    pairs = [(p, g) for p, g in zip(definition.params, tape.of_inputs, strict=False) if p.dtype in FLOATS]
    pairs += [(w, g) for w, g in zip(definition.weights, tape.of_weights, strict=True) if w.attrs["trainable"]]
    coarse = case.type in IN_FLOAT32 or "LeakyReLU" in case.id or "lora" in case.id or "dtype=" in case.id
    tolerance = 1e-6 if coarse else TOLERANCE
    largest = max([float(np.max(np.abs(g), initial=0)) for _, g in pairs], default=0) + 1e-12
    wrong = []
    for leaf, theirs in pairs:
        made = ours.get(f"d{leaf.label}")
        if made is None:
            made = np.zeros_like(theirs)
        if made.shape != theirs.shape:
            wrong.append(f"{leaf.label}: shape {made.shape} is not {theirs.shape}")
        elif not np.max(np.abs(made - theirs), initial=0) <= tolerance * largest:
            wrong.append(f"{leaf.label}: off by {np.max(np.abs(made - theirs)) / largest:.2g}")
    return wrong


def _traced(case: Case, training: bool) -> Definition:
    if not training:
        return trace_case(case, fixed=True)
    masks = [
        Spec((BATCH, s[0]), "bool") if i < len(case.masks) and case.masks[i] else None
        for i, s in enumerate(case.shapes)
    ]
    return trace_layer(case.type, case.config, [Spec((BATCH, *s), "float") for s in case.shapes], masks, training=True)


TYPES = sorted({case.type for case in CASES})

NOT_COMPARED = {
    **dict.fromkeys(("CategoryEncoding", "Discretization", "IntegerLookup"), "its results are whole numbers"),
    "MelSpectrogram": "Keras cannot compute it in float64",
    **dict.fromkeys(("MaxPooling3D", "AdaptiveMaxPooling3D"), "TensorFlow has no kernel for its rows on a CPU"),
}
"""Types of which no row is compared, with the reason."""


@pytest.mark.parametrize("type_", TYPES)
def test_gradients_equal_the_tape(type_: str) -> None:
    results = [(case.id, differences(case)) for case in CASES if case.type == type_]
    wrong = [(name, found) for name, found in results if found and not isinstance(found, str)]
    assert not wrong
    assert (type_ not in NOT_COMPARED) == any(found == [] for _, found in results), results


IN_TRAINING = [
    Case("BatchNormalization", {}, ((7, 3),)),
    Case("BatchNormalization", {"axis": 1, "scale": False}, ((5, 4, 3),)),
    Case("BatchNormalization", {"epsilon": 0.1}, ((7, 3),), masks=(True,)),
]


@pytest.mark.parametrize("case", IN_TRAINING, ids=lambda case: case.id)
def test_gradients_in_training_equal_the_tape(case: Case) -> None:
    assert differences(case, training=True) == []
