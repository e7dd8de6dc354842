"""Loops of training with tf.GradientTape: findings beside the numbers of real Keras.

Each program is one activation at the end of a model, one function in the loop, and one loss. Keras computes the same
lines on scores from far below 0 to far above.
"""

import itertools
from typing import Any

import pytest

import layerexplain

pytestmark = pytest.mark.keras
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

PROGRAM = """
import keras
import tensorflow as tf
from keras import layers, ops
model = keras.Sequential([keras.Input((3,)), layers.Dense(3), layers.Activation("{end}")])
optimizer = keras.optimizers.SGD(0.01)
for x, y in batches:
    with tf.GradientTape() as tape:
        out = model(x, training=True)
        out = {applied}
        loss = tf.reduce_mean({loss})
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
"""
ENDS = ("linear", "softmax", "sigmoid", "log_softmax", "tanh", "relu")
APPLIED = {
    "": ("out", "tf.identity(out)", "tf.cast(out, tf.float32)"),
    "softmax": ("tf.nn.softmax(out)", "tf.nn.softmax(out, axis=-1)", "tf.math.softmax(out)"),
    "sigmoid": ("tf.nn.sigmoid(out)", "tf.sigmoid(out)", "tf.math.sigmoid(out)"),
    "log_softmax": ("tf.nn.log_softmax(out)", "tf.math.log_softmax(out)", "tf.nn.log_softmax(logits=out)"),
    "relu": ("tf.nn.relu(out)", "ops.relu(out)", "tf.nn.relu(features=out)"),
    "tanh": ("tf.tanh(out)", "ops.tanh(out)", "tf.nn.tanh(out)"),
    "scaled": ("out / 2.0", "0.5 * out", "tf.multiply(out, 0.5)"),
    "moved": ("tf.reshape(out, (-1, 3))", "ops.reshape(out, (-1, 3))", "out[:, :]"),
    "stopped": ("tf.stop_gradient(out)", "ops.stop_gradient(out)", "tf.one_hot(tf.argmax(out, -1), 3)"),
}
JUDGED = ("", "softmax", "sigmoid", "log_softmax", "moved", "stopped")
OF_MEANING = ("categorical-loss-on-sigmoid", "binary-loss-on-softmax")
"""Rules on what the outputs mean: such a loss has its gradients all the same."""
CLASSES, ONE_HOT, BITS = [0], [[1.0, 0.0, 0.0]], [[1.0, 1.0, 0.0]]
LOSSES: dict[str, list[Any]] = {
    "keras.losses.SparseCategoricalCrossentropy()(y, out)": CLASSES,
    "keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, out)": CLASSES,
    "keras.losses.sparse_categorical_crossentropy(y, out)": CLASSES,
    "keras.losses.sparse_categorical_crossentropy(y, y_pred=out, from_logits=True)": CLASSES,
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=out)": CLASSES,
    "keras.losses.CategoricalCrossentropy()(y, out)": ONE_HOT,
    "tf.nn.softmax_cross_entropy_with_logits(y, out)": ONE_HOT,
    "keras.losses.BinaryCrossentropy()(y, out)": BITS,
    "keras.losses.BinaryCrossentropy(from_logits=True)(y_true=y, y_pred=out)": BITS,
    "tf.keras.losses.binary_crossentropy(y, out, True)": BITS,
    "tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=out)": BITS,
}


def in_keras(end: str, applied: str, loss: str) -> str:
    """Return what is wrong with the numbers of a loss on all kinds of scores; "" for nothing."""
    target = LOSSES[loss]
    y = tf.constant(target)
    positive = tf.constant([1.0, -1.0, -1.0] if target is not BITS else [1.0, 1.0, -1.0])
    scores = [size * (positive + shift)[None] for size in (0.5, 3.0, 12.0, 40.0) for shift in (-1.0, 0.0, 1.0)]
    scores += [tf.fill((1, 3), 50.0)]
    space = {"tf": tf, "keras": keras, "ops": keras.ops, "y": y}
    found = []
    for x in scores:
        with tf.GradientTape() as tape:
            tape.watch(x)
            out = keras.activations.get(end)(x)
            out = eval(applied, {**space, "out": out})
            value = tf.reduce_mean(eval(loss, {**space, "out": out}))
        gradient = tape.gradient(value, x)
        if gradient is None:
            return "no gradient at all"
        most = float(tf.reduce_max(tf.abs(gradient)))
        largest = float(tf.reduce_max(tf.abs(x)))
        if largest < 4 and not (value == value and most == most):
            return "NaN"
        if value < -1e-3:
            return "below 0"
        if most == 0 and value > 0.05 and largest < 6:
            return "no gradient"
        if target is not BITS and float(tf.reduce_max(x) - tf.reduce_min(x)) == 0 and value < 0.5:
            return "near 0 for equal scores"
        found.append(float(value))
    return f"never below {min(found):.2f}" if min(found) > 0.02 else ""


@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_loop_applies_is_judged_with_the_loss(loss: str) -> None:
    wrong = []
    for number, (end, name) in enumerate(itertools.product(ENDS, APPLIED)):
        applied = APPLIED[name][(number + number // len(APPLIED)) % 3]
        findings = layerexplain.check(PROGRAM.format(end=end, applied=applied, loss=loss).encode())
        if any(finding.code in OF_MEANING for finding in findings):
            continue
        said = [finding.message for finding in findings if finding.severity in ("breaks", "wrong")]
        truth = in_keras(end, applied, loss)
        if bool(said) != bool(truth) and (said or name in JUDGED):
            wrong.append(f"{end} | {applied}: Keras {truth!r}, check {said}")
    assert not wrong, "\n".join(wrong)


PARTS = """
import keras
import numpy as np
import tensorflow as tf
from keras import layers
loader = [(np.ones((6, 3), "float32"), np.ones((6, 1), "float32"))]
def net():
    return keras.Sequential([keras.Input((3,)), {layer}, layers.Dense(1)])
model, other = net(), net()
loss_fn, optimizer = keras.losses.MeanSquaredError(), keras.optimizers.SGD(0.1)
"""
LOOP = """
for x, y in loader:
    with tf.GradientTape() as tape:
        out = model(x{flag})
        loss = loss_fn(y, out)
    gradients = tape.gradient(loss, {asked}.trainable_variables)
    {applies}
"""
APPLIES = "optimizer.apply_gradients(zip(gradients, {}.trainable_variables))"
FUNCTION = """
@tf.function
def step(net, x, y):
    with tf.GradientTape() as tape:
        out = net(x{flag})
        loss = tf.reduce_mean(loss_fn(y, out)) + sum(net.losses)
    gradients = tape.gradient(loss, {asked}.trainable_weights)
    {applies}
    return out
for x, y in loader:
    out = step(model, tf.constant(x), tf.constant(y))
"""
TRAIN_STEP = """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = net()
    def call(self, x, training=None):
        return self.inner(x, training=training)
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            out = self.inner(x{flag})
            loss = loss_fn(y, out)
        gradients = tape.gradient(loss, {asked}.trainable_variables)
        {applies}
        return {{"loss": loss}}
"""
LOOPS = {
    "loop": (LOOP, "model", APPLIES.format("model")),
    "apply": (LOOP, "model", "optimizer.apply(gradients, model.trainable_variables)"),
    "by hand": (LOOP, "model", "[v.assign_sub(0.1 * g) for v, g in zip(model.trainable_variables, gradients)]"),
    "another model": (LOOP, "other", APPLIES.format("other")),
    "never applied": (LOOP, "model", "print(len(gradients))"),
    "function": (FUNCTION, "net", APPLIES.format("net")),
    "function for another model": (FUNCTION, "other", APPLIES.format("other")),
    "a layer alone": (LOOP, "model.layers[-1]", APPLIES.format("model.layers[-1]")),
}
LAYERS = ("layers.Dense(4)", "layers.Dropout(0.5)", "layers.BatchNormalization()", "layers.Dropout(0.0)")
FLAGS = ("", ", training=True", ", training=False")


@pytest.mark.parametrize("name", LOOPS)
def test_what_a_loop_does_not_do_is_found(name: str) -> None:
    loop, asked, applies = LOOPS[name]
    for layer, flag in itertools.product(LAYERS, FLAGS):
        text = (PARTS + loop).format(layer=layer, flag=flag, asked=asked, applies=applies)
        space: dict[str, Any] = {}
        parts, _, rest = text.partition("loss_fn, optimizer")
        exec(parts, space)
        weights = space["model"].trainable_variables
        before, predicted = [w.numpy() for w in weights], space["model"].predict(space["loader"][0][0], verbose=0)
        try:
            exec("loss_fn, optimizer" + rest, space)
        except ValueError as error:
            assert "No gradients provided" in str(error)
        changes = any((a != b.numpy()).any() for a, b in zip(before, weights, strict=True))
        codes = [finding.code for finding in layerexplain.check(text.encode())]
        assert ("optimizer-of-another-model" in codes) == (not changes), text
        if "out" not in space:  # the function raised
            continue
        is_same = abs(predicted - space["out"].numpy()).max() < 1e-6
        could_differ = layer in LAYERS[1:3]
        assert ("training-flag" in codes) == (is_same and could_differ and not flag), text


@pytest.mark.parametrize("asked", ["self", "self.inner", "other"])
def test_a_step_of_a_model_is_followed(asked: str) -> None:
    applies = f"self.optimizer.apply_gradients(zip(gradients, {asked}.trainable_variables))"
    text = (PARTS + TRAIN_STEP).format(layer=LAYERS[1], flag="", asked=asked, applies=applies)
    text += "model = Net()\nmodel.compile(optimizer='sgd')\n"
    codes = [finding.code for finding in layerexplain.check(text.encode())]
    space: dict[str, Any] = {}
    try:
        exec(text + "model.fit(loader[0][0], loader[0][1], verbose=0)\n", space)
    except ValueError as error:
        assert "No gradients provided" in str(error) and "optimizer-of-another-model" in codes
    else:
        assert "optimizer-of-another-model" not in codes
