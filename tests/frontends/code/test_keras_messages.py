"""Errors of Keras that are pasted with code and without: Keras's own words are what is read, and what is said."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import layerexplain
from layerexplain.frontends.code.pasted_errors import message_of
from tests.support.commands import invoke


class Row(NamedTuple):
    """A message, code that raises or prints it in Keras, "" where no version that is installed does, and what is said
    of it."""

    message: str
    code: str
    said: tuple[str, ...]


ROWS = [
    Row("ValueError: Unrecognized keyword arguments passed to LSTM: {'batch_input_shape': (1, 1, 7)}",
        "keras.layers.LSTM(4, batch_input_shape=(1, 1, 7))", ("put Input(batch_shape=(1, 1, 7)) first",)),
    Row("ValueError: Unrecognized keyword arguments passed to Dense: {'weights': [1], 'batch_size': 8}",
        "keras.layers.Dense(3, weights=[1], batch_size=8)", ("set_weights()", "Input(…, batch_size=8)")),
    Row("ValueError: Unrecognized keyword arguments passed to Embedding: {'input_length': 100}", "",
        ("no argument input_length of Embedding; leave it out", "Input(shape=(100,))")),
    Row("TypeError: ('Keyword argument not understood:', 'input_length')", "", ("leave it out",)),
    Row("ValueError: Argument(s) not recognized: {'lr': 0.1}", "keras.optimizers.SGD(lr=0.1)", ("write learning_rate",)),
    Row("ValueError: A KerasTensor cannot be used as input to a TensorFlow function. A KerasTensor is a symbolic",
        "tf.exp(keras.Input((3,)))", ("keras.ops in place of tf", "the call() of a layer")),
    Row("TypeError: You are passing KerasTensor(…), an intermediate Keras symbolic input/output, to a TF API that does "
        "not allow registering custom dispatchers, such as `tf.cond`",
        "", ("keras.ops in place of tf",)),
    Row("TypeError: Could not locate class 'Mine'. Make sure custom classes and functions are decorated",
        "keras.layers.deserialize({'class_name': 'Mine', 'config': {}, 'module': None, 'registered_name': 'Mine'})",
        ("custom_objects={'Mine': Mine}", "register_keras_serializable")),
    Row("│ dense (Dense)   │ ?            │   0 (unbuilt) │", "keras.Sequential([keras.layers.Dense(3)]).summary()",
        ("no layer says the shape of the input", "Input(shape=…) first")),
    Row("ValueError: This model has not yet been built. Build the model first by calling `build()`",
        "tf_keras.Sequential([tf_keras.layers.Dense(3)]).summary()", ("model.build((None, …))",)),
    Row("ValueError: Layer 'a' expected 2 variables, but received 1 variables during loading. Expected: ['kernel', 'bias']",
        "one, other = (keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name='a', use_bias=bias)])\n"
        "              for bias in (False, True))\n"
        "one.save_weights(PATH)\nother.load_weights(PATH)\n", ("'a' has 2 variables and 1 in the file",)),
    Row("ValueError: Output with path `` is not connected to `inputs`",
        "keras.Model(keras.Input((3,)), keras.layers.Dense(2)(keras.Input((3,))))", ("the very Input(…)",)),
    Row('ValueError: Layer "dense_5" expects 1 input(s), but it received 2 input tensors. Inputs received: [<',
        "keras.layers.Dense(3)([keras.Input((3,)), keras.Input((3,))])",
        ("takes one tensor and gets 2; join them first",)),
    Row("ValueError: An `initial_state` was passed that is not compatible with `cell.state_size`. Received "
        "`state_spec`=ListWrapper([InputSpec(shape=(None, 7, 8), ndim=3)]); however `cell.state_size` is [8, 8]",
        "tf_keras.layers.LSTM(8)(tf_keras.Input((5, 3)), initial_state=[tf_keras.Input((7, 8))])",
        ("needs (batch, 8) and (batch, 8), got (None, 7, 8)", "return_state=True")),
    Row("ValueError: Inputs have incompatible shapes. Received shapes (3,) and (4,)",
        "keras.layers.Add()([keras.Input((3,)), keras.Input((4,))])", ("gets (3,) and (4,)",)),
    Row("InvalidArgumentError: indices[0,1] = 7 is not in [0, 5) [Op:ResourceGather]",
        "tf.raw_ops.GatherV2(params=tf.ones((5, 2)), indices=[[0, 7]], axis=0)",
        ("input_dim=5 gets the id 7; write input_dim=8 or more",)),
    Row("InvalidArgumentError: Received a label value of 3 which is outside the valid range of [0, 3).  Label values: 3",
        "tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=tf.ones((1, 3)), labels=[3])",
        ("a class 3 and 3 units", "4 units or more", "y - 1")),
    Row("logits and labels must have the same first dimension, got logits shape [2,5] and labels shape [10]",
        "tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=tf.ones((2, 5)), labels=[1] * 10)",
        ("one-hot rows, which categorical_crossentropy takes",)),
    Row("Can not squeeze dim[1], expected a dimension of 1, got 10", "tf.squeeze(tf.ones((2, 10)), [1])", ("rows of 10", "without sparse")),
    Row("ValueError: Data cardinality is ambiguous. Make sure all arrays contain the same number of samples.\n"
        "'x' sizes: 3\n'y' sizes: 4\n",
        "m = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])\nm.compile('sgd', 'mse')\n"
        "m.fit(np.ones((3, 2)), np.ones((4, 1)))", ("3 examples in X and 4 in y",)),
    Row("ValueError: No gradients provided for any variable.",
        "keras.optimizers.SGD().apply_gradients([(None, keras.Variable(1.0))])", ("depends on no trainable weight",)),
    Row("ValueError: Computed output size would be negative. Received `inputs shape=(None, 3, 3, 1)`",
        "keras.layers.Conv2D(3, 5)(keras.Input((3, 3, 1)))", ("padding='same'",)),
    Row("ValueError: The last dimension of the inputs to a Dense layer should be defined. Found None.",
        "tf_keras.layers.Dense(3)(tf_keras.Input((None,)))", ("global pooling in place of Flatten",)),
    Row("ValueError: A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis. Received: "
        "input_shape=[(None, 8, 3), (None, 9, 3)]",
        "keras.layers.Concatenate()([keras.Input((8, 3)), keras.Input((9, 3))])",
        ("(None, 8, 3) and (None, 9, 3)", "halve evenly")),
    Row("ValueError: Exception encountered when calling Reshape.call().\n\nThe total size of the tensor must be unchanged. "
        "Received: input_shape=(13, 8), target_shape=(7, 3)",
        "keras.layers.Reshape((7, 3))(keras.Input((13, 8)))", ("needs 21 elements per example and gets 104",)),
    Row("AttributeError: 'Sequential' object has no attribute 'predict_classes'", "keras.Sequential().predict_classes", ("argmax(axis=-1)",)),
    Row("AttributeError: 'Sequential' object has no attribute 'reset_states'", "keras.Sequential().reset_states", ("layer.reset_state()",)),
    Row("AttributeError: 'Functional' object has no attribute 'fit_generator'",
        "i = keras.Input((2,))\nkeras.Model(i, keras.layers.Dense(2)(i)).fit_generator", ("write fit, which",)),
    Row("ModuleNotFoundError: No module named 'keras.layers.convolutional'", "from keras.layers.convolutional import Conv2D", ("from keras.layers import",)),
    Row("AttributeError: module 'keras.backend' has no attribute 'squeeze_excite'", "keras.backend.squeeze_excite", ("write keras.ops.squeeze_excite",)),
    Row("TypeError: Error when deserializing class 'InputLayer'. Exception encountered: Unrecognized keyword arguments: "
        "['batch_shape']", "tf_keras.layers.InputLayer(batch_shape=(None, 3))", ("as Keras 3 writes it",)),
    Row("ValueError: File format not supported: filepath=folder. Keras 3 only supports V3 `.keras` files", "",
        ("TFSMLayer('folder'",)),
    Row("ValueError: The filepath provided must end in `.keras` (Keras model format). Received: filepath=best.h5",
        "keras.callbacks.ModelCheckpoint('best.ckpt')", ("end in .keras",)),
    Row("AttributeError: The layer sequential has never been called and thus has no defined output.",
        "keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).output", ("model.outputs[0]",)),
    Row("ValueError: You must call `compile()` before calling `fit()`.",
        "keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).fit(np.ones((2, 3)), np.ones((2, 2)))",
        ("model.compile(optimizer, loss)",)),
    Row("ValueError: Arguments `target` and `output` must have the same rank (ndim). Received: target.shape=(4,), "
        "output.shape=(4, 10)", "keras.ops.categorical_crossentropy(np.zeros((4,)), np.zeros((4, 10)))",
        ("an output of (4, 10) with targets of (4,)", "sparse_categorical_crossentropy")),
    Row("ResourceExhaustedError: OOM when allocating tensor with shape[64,512,512,64] and type float on /job:localhost", "",
        ("(64, 512, 512, 64) takes 4.29 GB", "smaller batch")),
    Row("ValueError: Failed to convert a NumPy array to a Tensor (Unsupported object type list).",
        "tf.constant(np.array([[1], [1, 2]], dtype=object))", ("rows of different lengths",)),
    Row("ValueError: Weights for model 'sequential_3' have not yet been created. Weights are created when", "", ("no layer says the shape",)),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.message[:60])
def test_an_error_alone_says_what_to_write(row: Row) -> None:
    advice = message_of(row.message)
    assert advice is not None
    assert [words for words in row.said if words not in advice.words()] == []


@pytest.mark.keras
@pytest.mark.parametrize("row", [row for row in ROWS if row.code], ids=lambda row: row.message[:60])
def test_the_messages_are_those_of_keras(row: Row, tmp_path: Path) -> None:
    keras, tf, tf_keras = (pytest.importorskip(name) for name in ("keras", "tensorflow", "tf_keras"))
    printed = io.StringIO()
    names = {"keras": keras, "tf": tf, "tf_keras": tf_keras, "np": np, "PATH": str(tmp_path / "a.weights.h5")}
    try:
        with contextlib.redirect_stdout(printed):
            exec(row.code, names)
    except Exception as error:  # each library has its own
        printed.write(str(error))
    advice = message_of(printed.getvalue())
    assert advice is not None, printed.getvalue()
    assert [words for words in row.said if words not in advice.words()] == []


CODE = "model = Sequential()\nmodel.add(Embedding(50, 3))\nmodel.add(LSTM(4))\nmodel.add(Dense(2))\n"


@pytest.mark.parametrize(("message", "place"), [
    ("ValueError: Unrecognized keyword arguments passed to Embedding: {'input_length': 100}", ("embedding", 6)),
    ("InvalidArgumentError: indices[0,1] = 70 is not in [0, 50)", ("embedding", 6)),
    ("Received a label value of 2 which is outside the valid range of [0, 2)", ("dense", 8)),
    ("┃ embedding (Embedding)  │ ?  │  0 (unbuilt) │", (None, None)),
])  # fmt: skip
def test_an_error_beside_its_code_is_a_finding_with_its_line(
    message: str, place: tuple[str | None, int | None]
) -> None:
    text = f"I get this error:\n\n{message}\n\n{CODE}"
    text = (
        text
        if message.startswith(("Value", "Invalid"))
        else f"I get this:\n```\n{message}\n```\n```python\n{CODE}```\n"
    )
    (finding,) = layerexplain.check(text.encode()).findings
    assert finding.message.startswith("the pasted error says that ")
    assert finding.layer == place[0] and (place[1] is None or finding.line is not None)
    shown = invoke("explain", "-", input=text)
    assert "the pasted error says" in shown.stderr


def test_an_error_is_one_of_the_last_model_that_the_code_makes() -> None:
    code = "x = Input((8,))\ny = Dense(2)(x)\nfirst = Model(x, y)\nz = Input((2,))\nlast = Model(z, {})\n"
    error = "ValueError: Graph disconnected: cannot obtain value for tensor"
    for output, said in {"y": "the outputs depend on", "Dense(3)(z)": "the pasted error says"}.items():
        text = f"{error}\n\n{code.format(output)}"
        first, last = (invoke("check", "--", f"-:{name}", input=text).stdout for name in ("first", "last"))
        assert "nothing found" in first and said in last


HEAD = "import numpy as np\nimport KERAS as keras\nW = [np.ones((3, 4)), np.ones(4)]\nmodel = keras.Sequential()\n"


ASKED = {
    "size = model.output_shape": "",
    "end = model.output": "a Sequential model that is not called has no output in Keras 3",
    "same = keras.Sequential()(keras.Input((3,)))": "Keras 3 refuses to call a Sequential model without layers",
}


@pytest.mark.parametrize("line", ASKED)
def test_what_keras_3_refuses_to_give_is_a_hint(line: str) -> None:
    text = f"import keras\nmodel = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n{line}\n"
    found = [one.message for one in layerexplain.check(text.encode(), select=["older-keras"]).findings]
    assert [ASKED[line] in one for one in found] == ([True] if ASKED[line] else [])


@pytest.mark.keras
@pytest.mark.parametrize("line", ASKED)
def test_keras_3_refuses_to_give_it(line: str) -> None:
    pytest.importorskip("keras")
    text = f"import keras\nmodel = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n{line}\n"
    with pytest.raises((ValueError, AttributeError)) if ASKED[line] else contextlib.nullcontext():
        exec(text, {})


@pytest.mark.parametrize("needs", [2, 3, 4, 5])
@pytest.mark.parametrize("layer", ["dense", "lstm", "conv1d", "conv2d", "conv3d", "max_pooling1d", "attention"])
def test_flatten_is_proposed_where_two_axes_are_needed_alone(layer: str, needs: int) -> None:
    for got in {2, 3, 4, 5, 6} - {needs}:
        shape = ", ".join(["None", *map(str, range(7, 6 + got))])
        text = (
            f'Input 0 of layer "{layer}" is incompatible with the layer: expected ndim={needs}, found ndim={got}. '
            f"Full shape received: ({shape})"
        )
        message = message_of(text)
        assert message is not None and ("Flatten" in message.words()) == (needs == 2 < got)
