"""Rules of `check` at their bounds, and each name that their tables have: what is found is written out here by hand."""

from typing import NamedTuple

import pytest

import layerexplain
from tests.support.check_rows import LLAMA, UP_AND_DOWN, flat, head, of_torch


class Row(NamedTuple):
    """A rule, a model, and what the rule says of it: severities, or parts of the messages; nothing for none."""

    code: str
    text: str
    said: tuple[str, ...] = ()


def trained(optimizer: str, rate: float, name: str = "learning_rate", loss: str = "mse") -> str:
    return head("linear", 1, loss, f"optimizer: {{{optimizer}: {{{name}: {rate:.12f}}}}}\n")


def with_factor(factor: float) -> str:
    """16 weights of a variance of 1/8 or so: glorot_uniform has 2 / (8 + 2)."""
    penalty = f"kernel_regularizer: {{class_name: L2, config: {{l2: {factor}}}}}"
    return flat(f"Dense: {{units: 2, {penalty}}}", end="loss: mse\n")


RATES = [
    *[Row("learning-rate", trained("Adam", rate), ("hint",) * found)
      for rate, found in ((0.01, 0), (0.011, 1), (0.49, 1), (0.5, 0), (1e-7, 0), (0.99e-7, 1), (1e-9, 1), (0.9e-9, 0))],
    *[Row("absurd-learning-rate", trained("Adam", rate), ("wrong",) * found) for rate, found in ((0.49, 0), (0.5, 1), (1e-9, 0), (0.9e-9, 1), (0, 1))],
    # Their steps are as large as the gradients say, or their learning rate is 1 by default.
    *[Row(code, trained(name, rate), ("x",) * found)
      for name in ("SGD", "Adadelta", "Adagrad", "Ftrl", "Adafactor")
      for code, rate, found in (("learning-rate", 1, 0), ("learning-rate", 1.1, 1), ("learning-rate", 9.9, 1), ("learning-rate", 10, 0),
                                ("absurd-learning-rate", 9.9, 0), ("absurd-learning-rate", 10, 1))],
    *[Row("learning-rate", of_torch("MSELoss") + f"optimizer: {{torch.optim.{name}: {{lr: {rate}}}}}\n", ("x",) * found)
      for name, rate, found in (("SGD", 1, 0), ("SGD", 1.1, 1), ("Adam", 0.02, 1), ("Adam", 0.01, 0))],
    Row("decay-ignored", trained("SGD", 0.000001, "decay"), ("SGD has decay=1e-06",)),
    Row("decay-ignored", trained("SGD", 0, "decay")),
]  # fmt: skip

ACTIVATIONS = [
    *[Row("activation-before-cross-entropy", head(name, 3, "categorical_crossentropy"), (f"ends with {ends}, {why}; categorical_crossentropy needs",))
      for names, why in ((("relu", "relu6", "softplus", "exponential"), "which has no upper bound of 1"),
                         (("tanh", "hard_tanh", "softsign"), "from -1 to 1"),
                         (("leaky_relu", "elu", "selu", "gelu", "silu", "mish", "celu"), "which may be negative"))
      for name in names for ends in ["exp" if name == "exponential" else name]],
    *[Row("bounded-before-softmax", flat(f"Dense: {{units: 3, activation: {name}}}", "Softmax"), (f"{name}; of 3 classes none can get more than {most}",))
      # 1 / (1 + 2·exp(-1)) = 0.576, 1 / (1 + 2·exp(-2)) = 0.787
      for name, most in (("sigmoid", "0.58"), ("hard_sigmoid", "0.58"), ("tanh", "0.79"), ("hard_tanh", "0.79"), ("softsign", "0.79"))],
    Row("bounded-before-softmax", flat("Dense: {units: 2, activation: tanh}", "Softmax"), ("of 2 classes none can get more than 0.88",)),
    *[Row("bounded-before-softmax", flat(f"Dense: {{units: 3, activation: {name}}}", "Softmax")) for name in ("relu", "softplus", "gelu")],
    *[Row("relu-before-softmax", flat(f"Dense: {{units: 3, activation: {name}}}", "Softmax"), ("x",) * found)
      for name, found in (("relu", 1), ("elu", 0), ("tanh", 0))],
    *[Row("relu-twice", flat(*layers), ("x",) * found)
      for found, layers in ((1, ("ReLU: {max_value: 6}", "ReLU")), (0, ("ReLU: {negative_slope: 0.1}", "ReLU")), (0, ("ReLU", "ReLU: {threshold: 1}")),
                            (0, ("ReLU", "ReLU: {negative_slope: 0.1}")))],
    *[Row("tanhs-in-a-row", flat(*["Dense: {units: 4, activation: tanh}"] * count), ("x",) * found) for count, found in ((9, 0), (10, 1))],
    *[Row("sigmoids-in-a-row", flat(*["Dense: {units: 4, activation: sigmoid}"] * count), (part,) * bool(part))
      for count, part in ((2, ""), (3, "at most 1/64 of"), (12, "at most 1/16,777,216 of"), (13, "at most 1/4^13 of"))],
    *[Row("constant-kernel", flat(f"Dense: {{units: 3, kernel_initializer: {name}}}"), (f"kernel_initializer='{name.lower()}'",) * found)
      for name, found in (("zeros", 1), ("ones", 1), ("Zeros", 1), ("Constant", 1), ("he_normal", 0))],
    *[Row("bias-away-from-zero", flat(f"Dense: {{units: 4, bias_initializer: {given}}}", "Dense: 2"), (f"start at {at}",) * bool(at))
      for given, at in (("ones", "1"), ("Ones", "1"), ("{class_name: Constant, config: {value: 2}}", "2"), ("Constant", ""), ("glorot_normal", ""))],
    *[Row("selu-without-its-conditions", flat(f"Dense: {{units: 3, activation: selu, kernel_initializer: {name}}}"), ("x",) * found)
      for name, found in (("lecun_normal", 0), ("LecunNormal", 0), ("lecun_uniform", 1))],
    Row("selu-without-its-conditions", flat("Dense: {units: 3, activation: selu}")),
    Row("selu-without-its-conditions", flat("Dense: {units: 3, kernel_initializer: {class_name: HeNormal, config: {}}, activation: selu}"), ("kernel_initializer='HeNormal'",)),
]  # fmt: skip

KERAS_LOSSES = {
    "classes": ("categorical_crossentropy", "sparse_categorical_crossentropy"),
    "errors": ("mean_squared_error", "mean_absolute_error"),
    "distances": ("mean_squared_error", "mean_absolute_error", "huber"),
    "others": ("log_cosh", "cosine_similarity", "poisson"),
}
LOSSES = [
    *[Row("one-class", head("softmax", 1, name), (f"{name} gets (None, 1): one class",)) for name in KERAS_LOSSES["classes"]],
    *[Row("one-class", of_torch(name, units=1), (f"{name} gets (None, 1): one class",)) for name in ("CrossEntropyLoss", "NLLLoss")],
    *[Row("one-class", head("softmax", 1, name)) for name in ("binary_crossentropy", "kl_divergence")],
    *[Row("categorical-loss-on-sigmoid", head("sigmoid", 3, name), (f"{name} gets 3 sigmoids",)) for name in KERAS_LOSSES["classes"]],
    Row("categorical-loss-on-sigmoid", head("sigmoid", 1, "categorical_crossentropy")),
    *[Row("squared-error-on-softmax", head("softmax", 3, name), (f"{name} gets a softmax",)) for name in KERAS_LOSSES["errors"]],
    *[Row("squared-error-on-softmax", of_torch(name, "Softmax: {dim: 1}"), (f"{name} gets a softmax",)) for name in ("MSELoss", "L1Loss")],
    *[Row("squared-error-on-softmax", head("softmax", 3, name)) for name in ("huber", *KERAS_LOSSES["others"])],
    *[Row("tanh-output", head("tanh", 1, name), (f"{name} compares",)) for name in KERAS_LOSSES["distances"]],
    *[Row("tanh-output", of_torch(name, "Tanh"), (f"{name} compares",)) for name in ("MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss")],
    *[Row("tanh-output", head("tanh", 1, name)) for name in KERAS_LOSSES["others"]],
    *[Row("hinge-on-sigmoid", head("sigmoid", 1, name), ("x",) * found) for name, found in (("hinge", 1), ("squared_hinge", 1), ("categorical_hinge", 0))],
    *[Row("accuracy-of-numbers", head("linear", 1, "mse", f"metrics: [{name}]\n"), ("x",) * found)
      for name, found in (("accuracy", 1), ("acc", 1), ("Accuracy", 1), ("binary_accuracy", 0))],
    *[Row("accuracy-of-sigmoids", head("sigmoid", units, "binary_crossentropy", f"metrics: {{dense: [acc]{more}}}\n"), ("x",) * found)
      for units, more, found in ((1, "", 0), (2, "", 1))],
    Row("loss-of-no-output", head("linear", 1, "{dense: mse, b: mse}"), ("a loss is given for 'b'; the output is 'dense'",)),
    *[Row("binary-loss-on-softmax", head("softmax", units, "binary_crossentropy"), ("x",) * found) for units, found in ((1, 0), (2, 1))],
    *[Row("heavy-penalty", with_factor(factor), ("wrong" if found == 2 else "hint",) * bool(found))
      # 16 weights, each 2 / (8 + 2) squared on average: 3.2 in all; the loss begins at 1.
      for factor, found in ((0.31, 0), (0.32, 1), (3.12, 1), (3.13, 2))],
    Row("heavy-penalty", flat("Dense: {units: 2, kernel_regularizer: L2}", end="loss: mse\n", shape="[10000]")),
]  # fmt: skip

LINEAR = [
    *[Row("linear-twice", flat("Conv1D: {filters: 5, kernel_size: 2}", between, "Conv1D: {filters: 7, kernel_size: 2}", shape="[20, 3]"), (severity,) * bool(severity))
      for between, severity in (
          *[(one, "wrong") for one in ("Dropout: 0.1", "SpatialDropout1D: 0.1", "AlphaDropout: 0.1", "GaussianDropout: 0.1", "GaussianNoise: 0.1", "BatchNormalization",
                                       "AveragePooling1D: 2", "ZeroPadding1D: 1", "Cropping1D: 1", "Permute: [2, 1]")],
          ("MaxPooling1D: 2", "hint"), ("LayerNormalization", ""), ("UnitNormalization", ""), ("SeparableConv1D: {filters: 5, kernel_size: 2}", ""))],
    *[Row("linear-twice", flat(f"Conv{rank}D: {{filters: 5, kernel_size: 2}}", f"{between}{rank}D", "Dense: 3", shape=f"[{'9, ' * rank}3]"), (severity,))
      for rank in (1, 2, 3) for between, severity in (("GlobalAveragePooling", "wrong"),)],
    *[Row("linear-twice", flat(f"Conv{rank}D: {{filters: 5, kernel_size: 2}}", f"{between}{rank}D{value}", f"Conv{rank}D: {{filters: 7, kernel_size: 2}}", shape=f"[{'9, ' * rank}3]"), (severity,))
      for rank in (2, 3)
      for between, value, severity in (("SpatialDropout", ": 0.1", "wrong"), ("AveragePooling", ": 2", "wrong"), ("ZeroPadding", ": 1", "wrong"), ("Cropping", ": 1", "wrong"),
                                       ("MaxPooling", ": 2", "hint"))],
    *[Row("linear-twice", flat(f"Conv{rank}D: {{filters: 5, kernel_size: 2}}", f"GlobalMaxPooling{rank}D", "Dense: 3", shape=f"[{'9, ' * rank}3]"), ("hint",)) for rank in (1, 2)],
    # A middle that is as small as both ends is none, unless it is normalized; a smaller one is a bottleneck.
    *[Row("linear-twice", flat(f"Dense: {middle}", *between, "Dense: 6"), ("wrong",) * found)
      for middle, between, found in ((6, (), 1), (5, (), 0), (6, ("BatchNormalization",), 0), (7, ("BatchNormalization",), 1))],
    Row("linear-twice", flat("Conv1D: {filters: 6, kernel_size: 2, groups: 3}", "Conv1D: {filters: 7, kernel_size: 2}", shape="[20, 6]")),
]  # fmt: skip

DROPOUTS = [
    *[Row("dropout-of-all", flat(f"{type_}: {rate}", shape=shape), ("x",) * found)
      for type_, shape in (("Dropout", "[8]"), ("SpatialDropout1D", "[5, 3]"), ("SpatialDropout2D", "[5, 4, 3]"), ("SpatialDropout3D", "[5, 4, 3, 2]"))
      for rate, found in ((1, 1), (0.99, 0))],
    *[Row("high-dropout", flat(f"Dropout: {rate}"), (said,) * bool(said)) for rate, said in ((0.5, ""), (0.51, "drops 51% of"), (0.999, "drops 100% of"), (1, ""))],
    *[Row("high-dropout", flat(f"torch.nn.Dropout: {{{given}}}"), ("x",) * found) for given, found in (("p: 0.6", 1), ("p: 0.5", 0), ("", 0))],
    *[Row("dropout-before-pooling", flat("Dropout: 0.2", pooling, shape=shape), ("x",) * found)
      for pooling, shape, found in (("MaxPooling1D: 2", "[8, 2]", 1), ("GlobalMaxPooling2D", "[8, 8, 2]", 1), ("AveragePooling1D: 2", "[8, 2]", 0))],
    *[Row("normalization-after-softmax", flat("Softmax", f"{name}Normalization", shape="[32]"), (f"({name}Normalization) takes",) * found)
      for name, found in (("Batch", 1), ("Layer", 1), ("Group", 1), ("RMS", 1), ("Unit", 1))],
    *[Row("rescaled-twice", flat(f"Rescaling: {one}", f"Rescaling: {other}"), ("x",) * found)
      for one, other, found in ((1 / 64, 1 / 64, 1), (0.0157, 1 / 64, 0), (1 / 64, 0.0157, 0), (-1 / 255, 1 / 255, 1))],
    *[Row("vocabulary-too-large", flat(first, "Embedding: {input_dim: 5, output_dim: 2}", shape="[1]"), (said,) * bool(said))
      for first, said in (
          ("Discretization: {bin_boundaries: [0.0, 1.0, 2.0, 3.0]}", ""), ("Discretization: {bin_boundaries: [0.0, 1.0, 2.0, 3.0, 4.0]}", "ids from 0 to 5"),
          ("Hashing: 5", ""), ("Hashing: 6", "ids from 0 to 5"),
          ("IntegerLookup: {vocabulary: [3, 5, 7, 9]}", ""), ("IntegerLookup: {vocabulary: [3, 5, 7, 9, 11]}", "ids from 0 to 5"),
          ("IntegerLookup: {vocabulary: [3, 5, 7, 9], num_oov_indices: 2}", "ids from 0 to 5"),
          ("IntegerLookup: {vocabulary: [3, 5, 7, 9], mask_token: 0}", "ids from 0 to 5"),
          ("IntegerLookup: {max_tokens: 6}", "ids from 0 to 5"), ("IntegerLookup: {max_tokens: 5}", ""))],
]  # fmt: skip

WINDOWS = [
    *[Row("skipped-pixels", flat(f"MaxPooling1D: {{pool_size: {size}, strides: {stride}}}", shape="[20, 2]"), (said,) * bool(said))
      for size, stride, said in ((2, 2, ""), (2, 3, "so that 1 is skipped"), (2, 4, "so that 2 are skipped"))],
    Row("skipped-pixels", flat("Conv1D: {filters: 2, kernel_size: 2, strides: 3}", shape="[4, 2]")),  # one window alone
    *[Row("mostly-padding", flat(f"Conv1D: {{filters: 2, kernel_size: {size}, padding: same}}", shape=f"[{steps}, 2]"), (said,) * bool(said))
      for size, steps, said in ((5, 3, ""), (6, 3, "3 of them are always padding"), (2, 1, "1 of them"), (1, 1, ""))],
    *[Row("checkerboard", flat(f"Conv1DTranspose: {{filters: 2, kernel_size: {size}, strides: {stride}}}", shape="[4, 2]"), (said,) * bool(said))
      for size, stride, said in ((5, 2, "sums of 2 or 3 terms"), (6, 2, ""), (5, 1, ""), (7, 3, "sums of 2 or 3 terms"))],
    *[Row("small-receptive-field", flat(f"Conv2D: {{filters: 4, kernel_size: {size}, activation: relu}}", f"Global{kind}Pooling2D", "Dense: 2", shape="[9, 9, 3]"), (said,) * bool(said))
      for kind in ("Average", "Max") for size, said in ((8, "pools sees 8 of 9 rows"), (9, ""))],
    Row("small-receptive-field", flat(*["Conv2D: {filters: 4, kernel_size: 3, strides: 2, padding: same, activation: relu}"] * 3, "GlobalAveragePooling2D", shape="[15, 15, 3]")),
    Row("small-receptive-field", flat(*["Conv2D: {filters: 4, kernel_size: 3, strides: 2, padding: same, activation: relu}"] * 3, "GlobalAveragePooling2D", shape="[16, 16, 3]"), ("sees 15 of 16 rows",)),
    Row("small-receptive-field", flat("Conv2D: {filters: 4, kernel_size: 3, activation: relu}", "UpSampling2D: 2", "GlobalAveragePooling2D", shape="[9, 9, 3]"), ("sees 3 of 9 rows",)),
    Row("small-receptive-field", flat("Conv2D: {filters: 4, kernel_size: 3}", "GlobalAveragePooling2D", shape="[null, null, 3]")),
    Row("small-receptive-field", flat("Sequential: [{Conv2D: {filters: 4, kernel_size: 3, activation: relu}}]", "GlobalAveragePooling2D", shape="[9, 9, 3]"), ("sees 3 of 9 rows",)),
    Row("small-receptive-field", flat("Sequential: [{Conv2D: {filters: 4, kernel_size: 9, activation: relu}}]", "GlobalAveragePooling2D", shape="[9, 9, 3]")),
    # Each level of a U-Net halves: sizes have to be multiples of 2, 4, 8 and so on; a prime never is.
    *[Row("not-all-sizes", UP_AND_DOWN.replace("2D: 2", f"2D: {size}"), (f"with ({tried}, {tried}, 3) the tensors here are", f"do not fit; multiples of {size} fit"))
      for size, tried in ((2, 101), (4, 101), (8, 101), (16, 101), (32, 101), (64, 101), (128, 4099), (256, 4099), (512, 4099), (1024, 4099))],
    Row("not-all-sizes", UP_AND_DOWN.replace("2D: 2", "2D: 2048"), ("'input' takes any rows and columns",)),
    *[Row("channels-first-as-last", flat("Conv2D: {filters: 4, kernel_size: 3}", shape=shape), ("x",) * found)
      for shape, found in (("[3, 32, 32]", 1), ("[3, 32, 33]", 0), ("[4, 32, 32]", 0))],
]  # fmt: skip

RECURRENT = [
    *[Row("pixels-as-steps", flat("LSTM: 4", shape=shape), (severity,) * bool(severity))
      for shape, severity in (("[499, 1]", ""), ("[500, 1]", "hint"), ("[784, 1]", "wrong"), ("[3072, 1]", "wrong"), ("[784, 2]", ""), ("[785, 1]", "hint"))],
    *[Row("slow-recurrent", flat(f"{type_}: {{units: 3, {name}: {value}}}", shape="[5, 2]"), (f"{name}={shown}",) * bool(shown))
      for type_ in ("LSTM", "GRU")
      for name, value, shown in (("activation", "relu", "'relu'"), ("activation", "tanh", ""), ("recurrent_activation", "tanh", "'tanh'"), ("recurrent_activation", "sigmoid", ""),
                                 ("recurrent_dropout", "0.3", "0.3"), ("recurrent_dropout", "0", ""), ("unroll", "true", "True"), ("unroll", "false", ""),
                                 ("use_bias", "false", "False"), ("use_bias", "true", ""))],
    Row("slow-recurrent", flat("GRU: {units: 3, reset_after: false}", shape="[5, 2]"), ("reset_after=False",)),
    *[Row("relu-in-recurrence", flat(f"{type_}: {{units: 3, activation: relu}}", shape="[5, 2]"), (f"({type_}) has activation='relu'",)) for type_ in ("LSTM", "GRU")],
    *[Row("one-step", flat(f"{type_}: 4", shape="[1, 9]"), (f"({type_}) gets (None, 1, 9)",)) for type_ in ("LSTM", "GRU", "SimpleRNN")],
    Row("one-step", "inputs: {x: {shape: [1, 9], batch_size: 4}}\nlayers:\n  - LSTM: {units: 3, stateful: true}\n"),
    *[Row("one-step", flat(f"torch.nn.LSTM: {{input_size: 9, hidden_size: 4, batch_first: {first}}}", shape="[1, 9]"), ("x",) * found) for first, found in (("true", 1),)],
]  # fmt: skip

LANGUAGE = [
    *[Row("vocabulary-not-padded", LLAMA % (size, 128, "false"), (said,) * bool(said))
      for size, said in ((128, ""), (127, "the table has 127 rows; with 1 more there are 128"), (129, "with 63 more there are 192"))],
    *[Row("untied-head", LLAMA % (640, width, "false"), (said,) * bool(said))
      # Two blocks have 4·16² and three matrices of the width, two norms each, and one norm at the end: 96·width + 2,128.
      for width, said in ((24, "10,240 of 24,912 parameters (41 %)"), (297, "10,240 of 51,120 parameters (20 %)"), (298, ""))],
]  # fmt: skip


def ends(*operations: str) -> str:
    """A Dense that operations without a gradient read."""
    items = [
        f"ops.{name}: {{{'axis: -1' if name == 'Argmax' else ''}}}\n    name: {name.lower()}\n    from: dense"
        for name in operations
    ]
    return flat("Dense: 5", *items, end=f"outputs: [{', '.join(operations).lower()}]\nloss: mse\n")


GRADIENTS = [
    Row("no-gradient", ends("Argmax", "Floor", "Round"), ("ends at argmax in 'argmax'", " and at floor in 'floor'", " and at round in 'round', which has no gradient: constant between jumps")),
    Row("no-gradient", ends("Argmax", "Ceil", "Floor", "Round"), ("at argmax in 'argmax'", " and at ceil in 'ceil'", " and 1 more")),
    Row("no-gradient", ends("Argmax", "Ceil", "Floor", "Round", "Sign"), (" and 2 more",)),
]  # fmt: skip

ROWS = [*GRADIENTS, *RATES, *ACTIVATIONS, *LOSSES, *LINEAR, *DROPOUTS, *WINDOWS, *RECURRENT, *LANGUAGE]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_a_rule_at_its_bound(row: Row) -> None:
    found = layerexplain.check(row.text.encode(), select=[row.code]).findings
    said = [f"{one.severity}: {one.message}" for one in found]
    if not row.said:
        assert said == []
    elif row.said == ("x",):
        assert len(said) == 1
    else:
        (one,) = said
        assert all(words in one for words in row.said), one
