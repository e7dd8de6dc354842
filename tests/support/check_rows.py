"""Specs that a rule of `check` finds something in, and those in which it finds nothing."""

from typing import NamedTuple

import layerexplain


class Row(NamedTuple):
    """Specs with the layers that the rule names in each, and specs near them in which it finds nothing."""

    found: dict[str, list[str | None]]
    sound: tuple[str, ...]


def flat(*items: str, end: str = "", shape: str = "[8]") -> str:
    return f"input: {shape}\nlayers:\n" + "".join(f"  - {item}\n" for item in items) + end


def head(activation: str, units: int, loss: str, more: str = "") -> str:
    """A model of one Dense with a loss."""
    return flat(f"Dense: {{units: {units}, activation: {activation}}}", end=f"loss: {loss}\n{more}")


def of_torch(loss: str, *more: str, units: int = 3) -> str:
    """A model of one Linear of PyTorch, and what stands behind it, with a loss."""
    linear = f"torch.nn.Linear: {{in_features: 5, out_features: {units}}}"
    return flat(linear, *[f"torch.nn.{one}" for one in more], end=f"loss: torch.nn.{loss}\n", shape="[5]")


TORCH = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 4)
        self.b = nn.Linear(4, 5)
        %s
    def forward(self, x):
        return %s
Net()(torch.zeros(2, 3))
"""
"""A program of PyTorch with two modules, more of them, and what it returns."""

LLAMA = (
    '{"model_type": "llama", "vocab_size": %d, "hidden_size": 16, "num_attention_heads": 4, "num_hidden_layers": 2, '
    '"intermediate_size": %d, "tie_word_embeddings": %s}'
)
"""The configuration of a language model."""

TWO_HEADS = """
input: [8]
layers:
  - Dense: 4
    name: base
  - Dense: 3
    name: a
    from: base
  - Dense: 2
    name: b
    from: base
outputs: [a, b]
"""


UP_AND_DOWN = """
input: [null, null, 3]
layers:
  - MaxPooling2D: 2
  - UpSampling2D: 2
    name: up
  - Concatenate: {}
    name: joined
    from: [up, input]
"""


EMBEDDED = "input: {shape: [9], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 9, output_dim: 4, mask_zero: true}\n"
ARGMAX = "\n".join([
    "inputs: {a: [6], b: [8]}", "layers:",
    "  - Dense: 5", "    name: one", "    from: a",
    "  - Dense: {units: 5%s}", "    name: two", "    from: b",
    "  - ops.Argmax: {axis: -1}", "    from: two",
    "  - Embedding: {input_dim: 5, output_dim: 5}",
    "  - Add:", "    from: [one, embedding]", "%s",
])  # fmt: skip


ROUNDED = "\n".join([
    "input: [6]", "layers:", "  - Dense: 5", "  - ops.Round: {}", "    name: whole", "%s", "  - Dense: {units: 2, name: last}",
    "loss: mse", "",
])  # fmt: skip


SHORTCUT = "\n".join([
    "input: [8, 8, 3]", "layers:", "  - Conv2D: {filters: 5, kernel_size: 3, strides: 2, padding: same}", "    name: body",
    "  - Conv2D: {filters: 5, kernel_size: 1, strides: 2}", "    name: shortcut", "    from: input",
    "  - Add:", "    from: [body, shortcut]", "",
])  # fmt: skip
"""A residual block that halves its map."""


SEGMENTS = "\n".join([
    "input: [8, 8, 3]", "layers:", "  - Conv2D: {filters: 4, kernel_size: 3, padding: same}", "    name: fine",
    "  - MaxPooling2D: 2", "  - Conv2D: {filters: 7, kernel_size: 3, padding: same}", "  - UpSampling2D: 2", "    name: up",
    "  - Concatenate:", "    from: [fine, up]", "  - Conv2D: {filters: 5, kernel_size: 1, activation: softmax}",
    "loss: sparse_categorical_crossentropy", "",
])  # fmt: skip
"""A small U-Net: a class for each pixel."""


JOINED = "\n".join([
    "input: [7, 3]", "layers:", "  - LSTM: {units: 4, return_sequences: true}", "    name: f",
    "  - LSTM: {units: 4, return_sequences: true, go_backwards: true}", "    name: b", "    from: input",
    "  - ops.Flip: {axis: 1}", "    name: flip", "  - Concatenate:", "    name: join", "    from: [f, %s]", "",
])  # fmt: skip
"""A sequence read both ways."""

ATTENTION = "\n".join([
    "input: [7, 3]", "layers:", "  - LSTM: {units: 4, return_sequences: true}", "    name: h",
    "  - Dense: {units: 1, activation: tanh}", "  - Flatten", "  - Activation: softmax", "  - RepeatVector: 4",
    "  - Permute: {dims: [2, 1]}", "    name: a", "  - Multiply:", "    from: [h, a]", "  - GlobalAveragePooling1D", "  - Dense: 2", "",
])  # fmt: skip
"""Attention that weighs steps."""

IRNN = flat(
    "SimpleRNN: {units: 9, activation: relu, recurrent_initializer: {class_name: Identity, config: {gain: 1.0}}}",
    "Dense: 10",
    shape="[784, 1]",
)
"""The recurrent network of Le et al. (2015), which reads an image pixel by pixel."""


ROWS = {
    "opposite-order": Row(
        {JOINED % "b": ["join"]}, (JOINED % "flip", JOINED.replace(", go_backwards: true", "") % "b",
         flat("Bidirectional: {LSTM: {units: 4, return_sequences: true}}", "Add:\n    from: [bidirectional, bidirectional]", shape="[7, 3]")),
    ),
    "channels-elsewhere": Row(
        {flat("Conv2D: {filters: 5, kernel_size: 3, activation: relu}", "GlobalAveragePooling2D: {data_format: channels_first}", "Dense: 2", shape="[12, 12, 3]"): ["global_average_pooling2d"],
         flat("Conv1D: {filters: 5, kernel_size: 3}", "LayerNormalization", "ReLU", "MaxPooling1D: {pool_size: 2, data_format: channels_first}", shape="[13, 3]"): ["max_pooling1d"],
         flat("Conv2D: {filters: 5, kernel_size: 3, padding: same}", "Conv2D: {filters: 7, kernel_size: 3, data_format: channels_first}", shape="[12, 11, 3]"): ["conv2d_1"]},
        (flat("Conv2D: {filters: 5, kernel_size: 3}", "GlobalAveragePooling2D", shape="[12, 12, 3]"),
         flat("Conv2D: {filters: 5, kernel_size: 3, data_format: channels_first}", "MaxPooling2D: {pool_size: 2, data_format: channels_first}", shape="[3, 12, 12]"),
         flat("Conv2D: {filters: 5, kernel_size: 3, data_format: channels_first}", "Flatten", shape="[3, 12, 12]"),
         flat("Conv2D: {filters: 5, kernel_size: 3}", "Permute: {dims: [3, 1, 2]}", "GlobalAveragePooling2D: {data_format: channels_first}", shape="[12, 12, 3]")),
    ),
    "normalization-over-one": Row(
        {flat("Dense: 1", "LayerNormalization", "Dense: 3"): ["layer_normalization"],
         flat("Dense: 1", "UnitNormalization"): ["unit_normalization"], flat("Dense: 1", "RMSNormalization"): ["rms_normalization"],
         head("linear", 1, "cosine_similarity"): ["dense"]},
        (flat("Dense: 2", "LayerNormalization"), flat("Dense: 1", "BatchNormalization"), head("linear", 2, "cosine_similarity"),
         flat("LayerNormalization: {axis: [1, 2]}", shape="[7, 1]"), flat("GlobalAveragePooling2D", shape="[1, 1, 5]"), head("linear", 1, "mse")),
    ),
    "relu-around-batchnorm": Row(
        {flat("Dense: {units: 5, activation: relu}", "BatchNormalization", "ReLU", "Dense: 2"): ["batch_normalization"]},
        (flat("Dense: 5", "BatchNormalization", "ReLU"), flat("Dense: {units: 5, activation: relu}", "BatchNormalization", "Dense: {units: 2, activation: relu}")),
    ),
    "no-gradient": Row(
        {ARGMAX % ("", ""): ["two"], ARGMAX % ("", "loss: mse\n"): ["two"], ROUNDED % "": ["dense"],
         flat("Dense: 3", "ops.Argmax: {axis: -1}", end="loss: mse\n"): ["dense"]},
        (ARGMAX % (", trainable: false", ""), ARGMAX % (", kernel_regularizer: l2, use_bias: false", ""),
         flat("Dense: 3", "ops.Argmax: {axis: -1}"),  # for inference: it has no loss
         flat("Dense: 3", "Dropout: 0.5", "Masking", "Dense: 2", end="loss: mse\n")),
    ),
    "no-sequence": Row({flat("LSTM: 4", "GRU: 3", shape="[5, 2]"): ["gru"]}, (flat("LSTM: {units: 4, return_sequences: true}", "GRU: 3", shape="[5, 2]"),)),
    "map-used-up": Row(
        {flat("MaxPooling2D: 4", "Conv2D: {filters: 4, kernel_size: 3}", shape="[8, 8, 3]"): ["conv2d"]},
        (flat("MaxPooling2D: 4", "Conv2D: {filters: 4, kernel_size: 3, padding: same}", shape="[8, 8, 3]"),
         flat("MaxPooling2D: 2", "Conv2D: {filters: 4, kernel_size: 4}", shape="[8, 8, 3]")),
    ),
    "strides-with-dilation": Row(
        {flat("Conv2D: {filters: 4, kernel_size: 3, strides: 2, dilation_rate: 2}", shape="[8, 8, 3]"): ["conv2d"]},
        (flat("Conv2D: {filters: 4, kernel_size: 3, strides: 2, dilation_rate: 1}", shape="[8, 8, 3]"),),
    ),
    "groups-do-not-divide": Row(
        {flat("Conv2D: {filters: 4, kernel_size: 3, groups: 2}", shape="[8, 8, 3]"): ["conv2d"]},
        (flat("Conv2D: {filters: 6, kernel_size: 3, groups: 3}", shape="[8, 8, 3]"),),
    ),
    "layer-at-fault": Row({"inputs: {a: [3], b: [4]}\nlayers:\n  - Add:\n    from: [a, b]\n": ["add"]},
        ("inputs: {a: [4], b: [4]}\nlayers:\n  - Add:\n    from: [a, b]\n",)),
    "unknown-axis": Row({flat("Flatten", "Dense: 3", shape="[7, null]"): ["dense"]},
        (flat("Dense: 3", shape="[7, 3]"), flat("LSTM: 2", "Dense: 3", shape="[null, 7, 3]"))),
    "whole-image-at-inference": Row({flat("RandomCrop: {height: 3, width: 5}", "Flatten", "Dense: 2",
        shape="[7, 11, 3]"): ["random_crop"], flat("RandomCrop: {height: 3, width: 11}",
        shape="[3, 13, 2]"): ["random_crop"]}, (flat("RandomCrop: {height: 7, width: 11}", "Flatten", "Dense: 2",
        shape="[7, 11, 3]"), flat("CenterCrop: {height: 3, width: 5}", "Flatten", "Dense: 2", shape="[7, 11, 3]"))),
    "softmax-over-one": Row({head("softmax", 1, "mse"): ["dense"], flat("Dense: 1", "Softmax"): ["softmax"],
        flat("Dense: {units: 1, activation: softmax}", shape="[4, 8]"): ["dense"]},
        (head("softmax", 2, "mse"), head("sigmoid", 1, "mse"), flat("Softmax: {axis: 1}", shape="[4, 1]"))),
    "logits-of-probabilities": Row(
        {head("softmax", 3, "{CategoricalCrossentropy: {from_logits: true}}"): ["dense"],
         head("sigmoid", 1, "{BinaryCrossentropy: {from_logits: true}}"): ["dense"],
         flat("Dense: 3", "Softmax", "Reshape: [3, 1]", end="loss: {CategoricalCrossentropy: {from_logits: true}}\n"): ["reshape"],
         of_torch("CrossEntropyLoss", "Softmax: {dim: 1}"): ["softmax"], of_torch("BCEWithLogitsLoss", "Sigmoid"): ["sigmoid"]},
        (head("linear", 3, "{CategoricalCrossentropy: {from_logits: true}}"), head("softmax", 3, "categorical_crossentropy"),
         of_torch("CrossEntropyLoss"), of_torch("BCELoss", "Sigmoid"), of_torch("CrossEntropyLoss", "LogSoftmax: {dim: 1}")),
    ),
    "examples-mixed": Row(
        {flat("torch.nn.Conv2d: {in_channels: 2, out_channels: 4, kernel_size: 3}", "torch.reshape: {shape: [-1, 6]}", shape="[2, 5, 5]"): ["reshape"]},
        (flat("torch.nn.Conv2d: {in_channels: 2, out_channels: 4, kernel_size: 3}", "torch.reshape: {shape: [-1, 36]}", shape="[2, 5, 5]"),
         flat("torch.nn.Linear: {in_features: 5, out_features: 3}", "torch.reshape: {shape: [-1, 3]}", shape="[7, 5]")),
    ),
    "log-softmax-twice": Row({of_torch("CrossEntropyLoss", "LogSoftmax: {dim: 1}"): ["log_softmax"]},
        (of_torch("NLLLoss", "LogSoftmax: {dim: 1}"), of_torch("CrossEntropyLoss"),
        of_torch("MSELoss", "LogSoftmax: {dim: 1}"), of_torch("KLDivLoss", "LogSoftmax: {dim: 1}"))),
    "no-logarithms": Row(
        {of_torch("NLLLoss"): ["linear"], of_torch("NLLLoss", "Softmax: {dim: 1}"): ["softmax"],
         of_torch("KLDivLoss", "ReLU"): ["re_lu"]},
        (of_torch("NLLLoss", "LogSoftmax: {dim: 1}"), of_torch("CrossEntropyLoss"), of_torch("KLDivLoss", "LogSoftmax: {dim: 1}")),
    ),
    "no-probabilities": Row(
        {head("linear", 3, "sparse_categorical_crossentropy"): ["dense"], head("linear", 1, "binary_crossentropy"): ["dense"],
         of_torch("BCELoss", units=1): ["linear"]},
        (of_torch("BCELoss", "Sigmoid"), of_torch("BCEWithLogitsLoss"), head("softmax", 3, "sparse_categorical_crossentropy"), head("linear", 3, "mse"),
         head("linear", 3, "{SparseCategoricalCrossentropy: {from_logits: true}}")),
    ),
    "one-class": Row(
        {head("sigmoid", 1, "categorical_crossentropy"): ["dense"], head("softmax", 1, "sparse_categorical_crossentropy"): ["dense"]},
        (head("sigmoid", 1, "binary_crossentropy"), head("softmax", 2, "categorical_crossentropy")),
    ),
    "binary-loss-on-softmax": Row({head("softmax", 3, "binary_crossentropy"): ["dense"]},
        (head("sigmoid", 3, "binary_crossentropy"), head("softmax", 3, "categorical_crossentropy"))),
    "categorical-loss-on-sigmoid": Row({head("sigmoid", 3, "categorical_crossentropy"): ["dense"]},
        (head("softmax", 3, "categorical_crossentropy"), head("sigmoid", 3, "binary_crossentropy"))),
    "squared-error-on-softmax": Row({head("softmax", 3, "mse"): ["dense"]}, (head("sigmoid", 3, "mse"), head("softmax", 3, "categorical_crossentropy"))),
    "relu-output": Row({head("relu", 1, "mse"): ["dense"], flat("Dense: 2", "ReLU", end="loss: mae\n"): ["re_lu"]},
        (head("linear", 1, "mse"), head("softplus", 1, "mse"), head("relu", 1, "binary_crossentropy"))),
    "tanh-output": Row({head("tanh", 1, "mse"): ["dense"]}, (head("linear", 1, "mse"), head("tanh", 1, "hinge"))),
    "accuracy-of-numbers": Row({head("linear", 1, "mse", "metrics: [accuracy]\n"): ["dense"]},
        (head("linear", 1, "mse", "metrics: [mae]\n"), head("softmax", 3, "mse", "metrics: [accuracy]\n"))),
    "hinge-on-sigmoid": Row({head("sigmoid", 1, "hinge"): ["dense"]}, (head("tanh", 1, "hinge"), head("sigmoid", 1, "binary_crossentropy"))),
    "negative-into-logarithm": Row(
        {head("linear", 1, "poisson"): ["dense"], head("linear", 3, "kl_divergence"): ["dense"]},
        (head("exponential", 1, "poisson"), head("softmax", 3, "kl_divergence")),
    ),
    "untrained-weights": Row({TWO_HEADS + "loss: {a: mse}\n": ["b"]},
        (TWO_HEADS + "loss: {a: mse, b: mse}\n", TWO_HEADS + "loss: mse\n",
        TWO_HEADS.replace("Dense: 2", "Dense: {units: 2, trainable: false}") + "loss: {a: mse}\n")),
    "learning-rate": Row(
        {head("linear", 1, "mse", "optimizer: {Adam: {learning_rate: 0.1}}\n"): [None],
         head("linear", 1, "mse", "optimizer: {Adam: {learning_rate: 1.0e-9}}\n"): [None]},
        (head("linear", 1, "mse", "optimizer: {SGD: {learning_rate: 0.1}}\n"), head("linear", 1, "mse", "optimizer: adam\n"),
         head("linear", 1, "mse", "optimizer: {Adam: {learning_rate: 0.01}}\n"),
         head("linear", 1, "mse", "optimizer: {Adam: {learning_rate: {ExponentialDecay: {initial_learning_rate: 0.1, decay_steps: 100, decay_rate: 0.9}}}}\n")),
    ),
    "decay-ignored": Row(
        {head("linear", 1, "mse", "optimizer: {SGD: {learning_rate: 0.1, decay: 1.0e-6}}\n"): [None]},
        (head("linear", 1, "mse", "optimizer: {SGD: {learning_rate: 0.1, decay: 0.0}}\n"),),
    ),
    "softmax-twice": Row(
        {flat("Dense: {units: 3, activation: softmax}", "Softmax"): ["softmax"], flat("Softmax", "Activation: softmax"): ["activation"],
         flat("Dense: {units: 3, activation: sigmoid}", "Flatten", "Activation: sigmoid"): ["activation"]},
        (flat("Dense: 3", "Softmax"), flat("Dense: {units: 3, activation: sigmoid}", "Dense: {units: 1, activation: sigmoid}"),
         flat("Dense: {units: 3, activation: sigmoid}", "Activation: sigmoid", "Dense: 1"), flat("Dense: {units: 3, activation: softmax}", "Dense: {units: 3, activation: softmax}")),
    ),
    "relu-before-softmax": Row(
        {flat("Dense: {units: 3, activation: relu}", "Softmax"): ["softmax"]},
        (flat("Dense: 3", "Softmax"), flat("Dense: {units: 3, activation: relu}", "Dense: {units: 3, activation: softmax}")),
    ),
    "linear-twice": Row(
        {flat("Dense: 16", "Dense: 4"): ["dense"], flat("Sequential: [{Dense: 16}, {Dense: 4}]"): ["sequential/dense"],
         flat("Dense: 16", "Dropout: 0.1", "Dense: 4"): ["dense"],
         flat("Conv2D: {filters: 7, kernel_size: 3}", "BatchNormalization", "Conv2D: {filters: 9, kernel_size: 3, activation: relu}", shape="[8, 8, 1]"): ["conv2d"],
         flat("Conv2D: {filters: 7, kernel_size: 3}", "AveragePooling2D: 2", "Flatten", "Dense: 5", shape="[8, 8, 1]"): ["conv2d"],
         flat("Conv2D: {filters: 7, kernel_size: 3}", "MaxPooling2D: 2", "Conv2D: {filters: 9, kernel_size: 3, activation: relu}", shape="[8, 8, 1]"): ["conv2d"]},
        (flat("Dense: {units: 16, activation: relu}", "Dense: 4"), flat("Dense: 2", "Dense: 4"),
         # A bottleneck of channels, a separable convolution, and a map of scores that is enlarged are meant.
         flat("Conv2D: {filters: 16, kernel_size: 1}", "BatchNormalization", "Conv2D: {filters: 96, kernel_size: 1, activation: relu}", shape="[8, 8, 96]"),
         flat("DepthwiseConv2D: {kernel_size: 3}", "Conv2D: {filters: 9, kernel_size: 1, activation: relu}", shape="[8, 8, 5]"),
         flat("Conv2D: {filters: 7, kernel_size: 1}", "Conv2DTranspose: {filters: 7, kernel_size: 4, strides: 2}", shape="[8, 8, 96]"),
         flat("Dense: 16", "LayerNormalization", "Dense: 4"), flat("Conv2D: {filters: 7, kernel_size: 3, activation: relu}", "MaxPooling2D: 2", "Flatten", "Dense: 4", shape="[8, 8, 5]"),
         TWO_HEADS),
    ),
    "activation-before-cross-entropy": Row(
        {head("relu", 3, "sparse_categorical_crossentropy"): ["dense"], head("tanh", 1, "binary_crossentropy"): ["dense"],
         flat("Dense: 3", "LeakyReLU", end="loss: categorical_crossentropy\n"): ["leaky_re_lu"],
         head("relu", 3, "{SparseCategoricalCrossentropy: {from_logits: true}}"): ["dense"]},
        (head("softmax", 3, "sparse_categorical_crossentropy"), head("tanh", 1, "hinge"), head("hard_sigmoid", 1, "binary_crossentropy"),
         head("gelu", 3, "{CategoricalCrossentropy: {from_logits: true}}"), flat("Dense: {units: 3, activation: relu}")),
    ),
    "loss-of-no-output": Row(
        {TWO_HEADS + "loss: {a: mse, old_head: mse}\n": [None], TWO_HEADS + "loss: mse\nmetrics: {a: [mae], c: [mae]}\n": [None]},
        (TWO_HEADS + "loss: {a: mse, b: mae}\nmetrics: {b: [mae]}\n", TWO_HEADS + "loss: mse\nmetrics: [mae]\n"),
    ),
    "absurd-learning-rate": Row(
        {head("linear", 1, "mse", "optimizer: {Adam: {learning_rate: 1}}\n"): [None], head("linear", 1, "mse", "optimizer: {SGD: {learning_rate: 100.0}}\n"): [None],
         head("linear", 1, "mse", "optimizer: {Adam: {learning_rate: -0.001}}\n"): [None], head("linear", 1, "mse", "optimizer: {SGD: {learning_rate: 0.0}}\n"): [None],
         head("linear", 1, "mse", "optimizer: {Adam: {learning_rate: {ExponentialDecay: {initial_learning_rate: 10.0, decay_steps: 100, decay_rate: 0.9}}}}\n"): [None]},
        (head("linear", 1, "mse", "optimizer: {Adam: {learning_rate: 0.1}}\n"), head("linear", 1, "mse", "optimizer: adam\n"),
         head("linear", 1, "mse", "optimizer: {Adadelta: {learning_rate: 1.0}}\n"), head("linear", 1, "mse", "optimizer: {SGD: {learning_rate: 0.1}}\n")),
    ),
    "all-frozen": Row(
        {flat("Dense: {units: 3, trainable: false}", end="loss: mse\n"): [None], flat("Dense: 3", end="trainable: false\nloss: mse\n"): [None],
         flat("Sequential: [{Dense: {units: 3, trainable: false}}]", "BatchNormalization: {trainable: false}", end="loss: mse\n"): [None]},
        (flat("Dense: {units: 3, trainable: false}", "Dense: 2", end="loss: mse\n"), flat("Dense: {units: 3, trainable: false}"),
         flat("Flatten", end="loss: mse\n"), flat("Sequential: [{Dense: 3}]", end="loss: mse\n")),
    ),
    "heavy-penalty": Row(
        {flat("Dense: {units: 64, kernel_regularizer: {class_name: L2, config: {l2: 1.0}}}", "Dense: {units: 10, activation: softmax}", end="loss: categorical_crossentropy\n", shape="[784]"): ["dense"],
         flat("LSTM: {units: 32, recurrent_regularizer: {class_name: L2, config: {l2: 5.0}}}", "Dense: 1", end="loss: mse\n", shape="[7, 3]"): ["lstm"]},
        (flat("Dense: {units: 64, kernel_regularizer: {class_name: L2, config: {l2: 1.0e-4}}}", "Dense: {units: 10, activation: softmax}", end="loss: categorical_crossentropy\n", shape="[784]"),
         flat("Dense: {units: 64, kernel_regularizer: {class_name: L2, config: {l2: 1.0}}}", shape="[784]"), flat("Dense: {units: 64, bias_regularizer: {class_name: L2, config: {l2: 1.0}}}", end="loss: mse\n", shape="[784]")),
    ),
    "bounded-before-softmax": Row(
        {flat("Dense: {units: 3, activation: sigmoid}", "Softmax"): ["softmax"], flat("Dense: {units: 3, activation: tanh}", "Activation: softmax"): ["activation"]},
        (flat("Dense: 3", "Softmax"), flat("Dense: {units: 3, activation: sigmoid}", "Dense: {units: 3, activation: softmax}"), ATTENTION),
    ),
    "softmax-axis": Row(
        {flat("Softmax: {axis: 0}"): ["softmax"], flat("Dense: 3", "Softmax: {axis: 1}", shape="[7, 5]"): ["softmax"]},
        (flat("Dense: 3", "Softmax"), flat("Dense: 3", "Softmax: {axis: 1}"),
         # Weights of steps, by which they are then averaged.
         flat("Dense: 3", "Softmax: {axis: 1}", "Permute: [2, 1]", "Dense: 2", shape="[7, 5]")),
    ),
    "relu-twice": Row(
        {flat("Dense: {units: 3, activation: relu}", "ReLU"): ["re_lu"], flat("Dense: {units: 3, activation: relu}", "Reshape: [3, 1]", "Activation: relu"): ["activation"]},
        (flat("Dense: {units: 3, activation: relu}", "Dense: {units: 3, activation: relu}"), flat("Dense: {units: 3, activation: relu}", "ReLU: {max_value: 6}"),
         flat("Dense: 3", "ReLU"), flat("Dense: {units: 3, activation: relu}", "BatchNormalization", "ReLU")),
    ),
    "tanhs-in-a-row": Row(
        {flat(*["Dense: {units: 4, activation: tanh}"] * 20): ["dense_19"], flat(*["Dense: 4", "Dropout: 0.1", "Activation: tanh"] * 10): ["activation_9"]},
        (flat(*["Dense: {units: 4, activation: tanh}"] * 5), flat(*["Dense: {units: 4, activation: tanh}"] * 6, "BatchNormalization", *["Dense: {units: 4, activation: tanh}"] * 6),
         flat(*["Dense: {units: 4, activation: relu}"] * 20), flat(*["LSTM: {units: 2, return_sequences: true}"] * 12, shape="[5, 2]")),
    ),
    "one-step": Row(
        {flat("LSTM: 4", shape="[1, 9]"): ["lstm"], flat("Bidirectional: {GRU: {units: 4}}", shape="[1, 9]"): ["bidirectional"]},
        (flat("LSTM: 4", shape="[2, 9]"), flat("LSTM: 4", shape="[null, 9]"), flat("Dense: 4", shape="[1, 9]"),
         "inputs: {x: [1, 9], h: [4]}\nlayers:\n  - GRU: 4\n    from: [x, h]\n"),
    ),
    "pixels-as-steps": Row(
        {flat("LSTM: 4", shape="[16000, 1]"): ["lstm"], flat("Reshape: [784, 1]", "LSTM: 4", shape="[28, 28]"): ["lstm"]},
        (flat("LSTM: 4", shape="[28, 28]"), flat("LSTM: 4", shape="[100, 1]"), flat("LSTM: 4", shape="[784, 13]"), flat("Dense: 4", shape="[784, 1]"), IRNN),
    ),
    "normalization-after-softmax": Row(
        {flat("Softmax", "BatchNormalization"): ["batch_normalization"], flat("Dense: {units: 3, activation: softmax}", "LayerNormalization"): ["layer_normalization"]},
        (flat("Dense: 3", "BatchNormalization", "Softmax"), flat("Dense: {units: 3, activation: sigmoid}", "BatchNormalization")),
    ),
    "unread-input": Row(
        {"inputs: {a: [3], b: [4]}\nlayers:\n  - Dense: 2\n    from: a\n": ["b"]},
        ("inputs: {a: [3], b: [4]}\nlayers:\n  - Concatenate:\n    from: [a, b]\n", "inputs: {a: [3], b: [4]}\nlayers:\n  - Dense: 2\n    from: a\noutputs: [dense, b]\n"),
    ),
    "uncalled-module": Row(
        {TORCH % ("", "self.a(x)"): ["b"], TORCH % ("self.p = nn.Parameter(torch.zeros(4))", "self.b(self.a(x))"): ["p"]},
        (TORCH % ("", "self.b(self.a(x))"), TORCH % ("self.r = nn.ReLU()", "self.b(self.a(x))"),
         TORCH % ("", "(self.a(x), self.b(x)) if self.training else self.a(x)")),
    ),
    "selu-without-its-conditions": Row(
        {flat("Dense: {units: 3, activation: selu, kernel_initializer: he_normal}"): ["dense"],
         flat("Dense: {units: 3, activation: selu, kernel_initializer: lecun_normal}", "Dropout: 0.1"): ["dropout"]},
        (flat("Dense: {units: 3, activation: selu, kernel_initializer: lecun_normal}", "AlphaDropout: 0.1"),
         flat("Dense: {units: 3, activation: relu, kernel_initializer: he_normal}", "Dropout: 0.1")),
    ),
    "slow-recurrent": Row(
        {flat("LSTM: {units: 3, recurrent_dropout: 0.1}", shape="[5, 2]"): ["lstm"],
         flat("Bidirectional: {GRU: {units: 3, reset_after: false}}", shape="[5, 2]"): ["bidirectional"]},
        (flat("LSTM: {units: 3, dropout: 0.1}", shape="[5, 2]"), flat("SimpleRNN: {units: 3, activation: relu}", shape="[5, 2]")),
    ),
    "relu-in-recurrence": Row(
        {flat("LSTM: {units: 3, activation: relu}", shape="[5, 2]"): ["lstm"], flat("GRU: {units: 3, recurrent_activation: relu}", shape="[5, 2]"): ["gru"]},
        (flat("LSTM: 3", shape="[5, 2]"), flat("SimpleRNN: {units: 3, activation: relu}", shape="[5, 2]")),
    ),
    "constant-kernel": Row({flat("Dense: {units: 3, kernel_initializer: zeros}"): ["dense"]},
        (flat("Dense: {units: 1, kernel_initializer: zeros}"), flat("Dense: 3"),
        flat("Dense: {units: 8, kernel_initializer: zeros}") + "  - Add:\n    from: [dense, input]\n")),
    "bias-before-batchnorm": Row(
        {flat("Conv2D: {filters: 4, kernel_size: 3}", "BatchNormalization", shape="[8, 8, 3]"): ["conv2d"],
         flat("Dense: 4", "BatchNormalization"): ["dense"]},
        (flat("Conv2D: {filters: 4, kernel_size: 3, use_bias: false}", "BatchNormalization", shape="[8, 8, 3]"),
         flat("Conv2D: {filters: 4, kernel_size: 3, activation: relu}", "BatchNormalization", shape="[8, 8, 3]"),
         flat("Dense: 4", "BatchNormalization") + "  - Add:\n    from: [dense, batch_normalization]\n",
         flat("Dense: 4", "LayerNormalization"), flat("Dense: 4", "BatchNormalization: {center: false}"), flat("Dense: 4", "ReLU", "BatchNormalization")),
    ),
    "dropout-before-batchnorm": Row({flat("Dense: 4", "Dropout: 0.5", "BatchNormalization"): ["dropout"]},
        (flat("Dense: 4", "BatchNormalization", "Dropout: 0.5"), flat("Dropout: 0", "BatchNormalization"))),
    "dropout-last": Row(
        {flat("Dense: {units: 3, activation: softmax}", "Dropout: 0.5"): ["dropout"], flat("Dense: 3", "Dropout: 0.5", end="loss: mse\n"): ["dropout"]},
        (flat("Dropout: 0.5", "Dense: {units: 3, activation: softmax}"), flat("Dense: 3", "Dropout: 0.5")),
    ),
    "dropout-of-all": Row({flat("Dropout: 1"): ["dropout"]}, (flat("Dropout: 0.5"), flat("Dropout: 0"))),
    "high-dropout": Row({flat("Dropout: 0.8"): ["dropout"]}, (flat("Dropout: 0.5"), flat("Dropout: 1"))),
    "batchnorm-axis": Row(
        {flat("Conv2D: {filters: 4, kernel_size: 3}", "BatchNormalization: {axis: 1}", shape="[8, 8, 3]"): ["batch_normalization"]},
        (flat("Conv2D: {filters: 4, kernel_size: 3}", "BatchNormalization", shape="[8, 8, 3]"),
         flat("Conv2D: {filters: 4, kernel_size: 3, data_format: channels_first}", "BatchNormalization: {axis: 1}", shape="[3, 8, 8]")),
    ),
    "mask-lost": Row(
        {EMBEDDED + "  - Conv1D: {filters: 4, kernel_size: 3}\n  - LSTM: 3\n": ["conv1d"], EMBEDDED + "  - Flatten\n  - Dense: 3\n": ["flatten"]},
        (EMBEDDED + "  - LSTM: 3\n", EMBEDDED + "  - GlobalMaxPooling1D\n"),
    ),
    "floats-into-embedding": Row({flat("Dense: 4", "Embedding: {input_dim: 9, output_dim: 2}"): ["embedding"],
        flat("Rescaling: 0.00392", "Embedding: {input_dim: 9, output_dim: 2}"): ["embedding"]},
        ("input: {shape: [4], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 9, output_dim: 2}\n",
        flat("Embedding: {input_dim: 9, output_dim: 2}"))),
    "half-precision-softmax": Row(
        {flat("Dense: {units: 3, activation: softmax, dtype: float16}"): ["dense"]},
        (flat("Dense: {units: 3, activation: softmax}"), flat("Dense: {units: 3, dtype: float16}", "Dense: {units: 3, activation: softmax, dtype: float32}")),
    ),
    "rescaled-twice": Row(
        {flat("Rescaling: 0.00392156862745098", "Rescaling: 0.00392156862745098", shape="[8, 8, 3]"): ["rescaling_1"],
         flat("Rescaling: 0.00392156862745098", "Sequential: [{Rescaling: 0.00784}, Flatten]", shape="[8, 8, 3]"): ["sequential"]},
        (flat("Rescaling: 0.00392156862745098", "Rescaling: {scale: 2.0, offset: -1.0}", shape="[8, 8, 3]"),
         flat("Rescaling: 0.00392156862745098", "Sequential: [{Rescaling: {scale: 2.0, offset: -1.0}}]", shape="[8, 8, 3]"),
         flat("Rescaling: 255", "Sequential: [{Rescaling: 0.00392156862745098}]", shape="[8, 8, 3]"),
         flat("Rescaling: 0.00392156862745098", shape="[8, 8, 3]")),
    ),
    "skipped-pixels": Row(
        {flat("Conv1D: {filters: 2, kernel_size: 2, strides: 3}", shape="[20, 2]"): ["conv1d"]},
        (SHORTCUT, flat("Conv1D: {filters: 2, kernel_size: 1, strides: 2}", shape="[20, 2]"), flat("MaxPooling1D: 3", shape="[20, 2]"),
         flat("Conv1D: {filters: 2, kernel_size: 2, strides: 3, dilation_rate: 1}", shape="[2, 2]")),
    ),
    "mostly-padding": Row({flat("Conv2D: {filters: 2, kernel_size: 7, padding: same}",
        shape="[3, 3, 2]"): ["conv2d"]}, (flat("Conv2D: {filters: 2, kernel_size: 3, padding: same}",
        shape="[3, 3, 2]"), flat("Conv2D: {filters: 2, kernel_size: 7, padding: same}", shape="[9, 9, 2]"))),
    "unread-edge": Row(
        {flat("MaxPooling2D: 2", shape="[9, 8, 2]"): ["max_pooling2d"],
         flat("MaxPooling2D: 2", shape="[9, 9, 2]"): ["max_pooling2d"]},  # once, also where both axes have an edge
        (flat("MaxPooling2D: 2", shape="[8, 8, 2]"), flat("MaxPooling2D: {pool_size: 2, padding: same}", shape="[9, 8, 2]"),
         flat("ZeroPadding2D: {padding: [[0, 1], [0, 0]]}", "MaxPooling2D: 2", shape="[8, 8, 2]"),
         flat("Conv2D: {filters: 2, kernel_size: 1, strides: 2}", shape="[8, 8, 2]")),
    ),
    "not-all-sizes": Row(
        {UP_AND_DOWN: ["joined"], UP_AND_DOWN.replace("[null, null, 3]", "[null, 5, 3]").replace("2D: 2", "2D: [2, 1]"): ["joined"]},
        (UP_AND_DOWN.replace("null", "12"), UP_AND_DOWN.replace("MaxPooling2D: 2", "MaxPooling2D: 1").replace("UpSampling2D: 2", "UpSampling2D: 1"),
         # Both branches round up.
         flat("MaxPooling2D: {pool_size: 2, padding: same}\n    name: a\n    from: input", "Conv2D: {filters: 3, kernel_size: 3, strides: 2, padding: same}\n    name: b\n    from: input",
              "Add: {}\n    from: [a, b]", shape="[null, null, 3]"),
         # Sizes of two inputs, and of sequences that are put one behind the other.
         "inputs:\n  a: [null, 3]\n  b: [null, 3]\nlayers:\n  - Add: {}\n    from: [a, b]\n",
         "inputs:\n  a: [null, 3]\n  b: [null, 3]\nlayers:\n  - Concatenate: {axis: 1}\n    from: [a, b]\n"),
    ),
    "checkerboard": Row(
        {flat("Conv2DTranspose: {filters: 2, kernel_size: 3, strides: 2}", shape="[4, 4, 2]"): ["conv2d_transpose"]},
        (flat("Conv2DTranspose: {filters: 2, kernel_size: 4, strides: 2}", shape="[4, 4, 2]"),
         flat("Conv2DTranspose: {filters: 2, kernel_size: 3}", shape="[4, 4, 2]"),
         flat("Conv2DTranspose: {filters: 2, kernel_size: 2, strides: 2}", shape="[4, 4, 2]")),
    ),
    "accuracy-of-sigmoids": Row(
        {head("sigmoid", 3, "binary_crossentropy", "metrics: [accuracy]\n"): ["dense"]},
        (head("sigmoid", 1, "binary_crossentropy", "metrics: [accuracy]\n"), head("sigmoid", 3, "binary_crossentropy", "metrics: [binary_accuracy]\n"),
         head("softmax", 3, "categorical_crossentropy", "metrics: [accuracy]\n")),
    ),
    "metric-of-other-targets": Row(
        {head("softmax", 3, "sparse_categorical_crossentropy", "metrics: [categorical_accuracy]\n"): ["dense"],
         head("softmax", 3, "categorical_crossentropy", "metrics: [SparseCategoricalAccuracy]\n"): ["dense"],
         head("sigmoid", 1, "binary_crossentropy", "metrics: [categorical_accuracy]\n"): ["dense"]},
        (head("softmax", 3, "sparse_categorical_crossentropy", "metrics: [sparse_categorical_accuracy]\n"),
         head("softmax", 3, "categorical_crossentropy", "metrics: [CategoricalAccuracy]\n"),
         head("sigmoid", 1, "binary_crossentropy", "metrics: [binary_accuracy, AUC]\n")),
    ),
    "class-loss-on-map": Row(
        {flat("Conv2D: {filters: 4, kernel_size: 3}", "Dense: {units: 5, activation: softmax}", shape="[8, 8, 3]", end="loss: categorical_crossentropy\n"): ["dense"],
         flat("MaxPooling1D: 2", "Dense: {units: 5, activation: softmax}", shape="[8, 3]", end="loss: sparse_categorical_crossentropy\n"): ["dense"]},
        (SEGMENTS, EMBEDDED + "  - Bidirectional: {LSTM: {units: 3, return_sequences: true}}\n"
         "  - Dense: {units: 5, activation: softmax}\nloss: sparse_categorical_crossentropy\n",
         flat("Resizing: {height: 4, width: 4}", "UpSampling2D: {size: 2, interpolation: bilinear}", "Dense: {units: 5, activation: softmax}", shape="[9, 9, 3]", end="loss: categorical_crossentropy\n"),
         flat("Conv2D: {filters: 4, kernel_size: 3}", "Flatten", "Dense: {units: 5, activation: softmax}", shape="[8, 8, 3]", end="loss: categorical_crossentropy\n"),
         flat("Conv2D: {filters: 4, kernel_size: 3, padding: same}", "Dense: {units: 5, activation: softmax}", shape="[8, 8, 3]", end="loss: categorical_crossentropy\n"),
         flat("LSTM: {units: 3, return_sequences: true}", "Dense: {units: 5, activation: softmax}", shape="[8, 3]", end="loss: categorical_crossentropy\n"),
         flat("MaxPooling2D: 2", "Conv2DTranspose: {filters: 4, kernel_size: 2, strides: 4}", "Dense: {units: 5, activation: softmax}", shape="[8, 8, 3]", end="loss: categorical_crossentropy\n")),
    ),
    "sigmoids-in-a-row": Row(
        {flat(*["Dense: {units: 4, activation: sigmoid}"] * 3): ["dense_2"], flat(*["Dense: 4", "Dropout: 0.1", "Activation: sigmoid"] * 3): ["activation_2"]},
        (flat(*["Dense: {units: 4, activation: sigmoid}"] * 2), flat(*["Dense: {units: 4, activation: sigmoid}", "Dense: {units: 4, activation: relu}"] * 3)),
    ),
    "bias-away-from-zero": Row(
        {flat("Dense: {units: 4, bias_initializer: ones}", "Dense: 2"): ["dense"],
         flat("Dense: {units: 4, bias_initializer: {class_name: Constant, config: {value: 0.5}}}", "Dense: 2"): ["dense"]},
        (flat("Dense: {units: 4, bias_initializer: zeros}", "Dense: 2"), flat("Dense: 4", "Dense: {units: 2, bias_initializer: ones}"),
         flat("LSTM: 4", "Dense: 2", shape="[5, 2]"), flat("Dense: {units: 4, bias_initializer: {class_name: Constant, config: {value: 0.0}}}", "Dense: 2")),
    ),
    "dropout-before-pooling": Row(
        {flat("Dropout: 0.2", "MaxPooling2D: 2", shape="[8, 8, 2]"): ["dropout"]},
        (flat("MaxPooling2D: 2", "Dropout: 0.2", shape="[8, 8, 2]"), flat("SpatialDropout2D: 0.2", "MaxPooling2D: 2", shape="[8, 8, 2]"),
         flat("Dropout: 0.2", "GlobalAveragePooling2D", shape="[8, 8, 2]")),
    ),
    "partly-frozen-batchnorm": Row(
        {flat("Dense: {units: 4, trainable: false}", "BatchNormalization"): ["batch_normalization"]},
        (flat("Dense: {units: 4, trainable: false}", "BatchNormalization: {trainable: false}"), flat("Dense: 4", "BatchNormalization"),
         flat("Dense: {units: 4, trainable: false}", "BatchNormalization", end="trainable: false\n")),
    ),
    "vocabulary-too-large": Row(
        {flat("Discretization: {bin_boundaries: [0.0, 1.0, 2.0]}", "Embedding: {input_dim: 3, output_dim: 2}"): ["embedding"]},
        (flat("Discretization: {bin_boundaries: [0.0, 1.0, 2.0]}", "Embedding: {input_dim: 4, output_dim: 2}"), EMBEDDED),
    ),
    "reshape-for-permute": Row(
        {flat("Reshape: [3, 28]", shape="[28, 3]"): ["reshape"], flat("Reshape: [3, 8, 9]", shape="[8, 9, 3]"): ["reshape"]},
        (flat("Permute: [2, 1]", shape="[28, 3]"), flat("Reshape: [28, 1, 3]", shape="[28, 3]"), flat("Reshape: [84]", shape="[28, 3]"),
         flat("Reshape: [12, 7]", shape="[28, 3]")),
    ),
    "channels-first-as-last": Row(
        {flat("Conv2D: {filters: 4, kernel_size: 3}", shape="[3, 32, 32]"): ["conv2d"],
         flat("Conv2D: {filters: 4, kernel_size: 3, padding: same}", shape="[1, 16, 16]"): ["conv2d"],
         flat("Conv1D: {filters: 4, kernel_size: 3, padding: same}", shape="[1, 97]"): ["conv1d"]},
        (flat("Conv1D: {filters: 4, kernel_size: 1}", shape="[1, 97]"), flat("LSTM: 4", shape="[1, 97]"),
         flat("Conv1D: {filters: 4, kernel_size: 3, data_format: channels_first}", shape="[1, 97]"), flat("Conv1D: {filters: 4, kernel_size: 3}", shape="[97, 1]"),
         flat("Conv2D: {filters: 4, kernel_size: 3, padding: same}", shape="[1, 15, 15]"),
         flat("Conv2D: {filters: 4, kernel_size: 3}", shape="[32, 32, 3]"), flat("Conv2D: {filters: 4, kernel_size: 3, data_format: channels_first}", shape="[3, 32, 32]"),
         flat("Conv2D: {filters: 4, kernel_size: 3, padding: same}", shape="[3, 8, 8]"), flat("Permute: [2, 3, 1]", "Conv2D: {filters: 4, kernel_size: 3}", shape="[3, 32, 32]")),
    ),
    "small-receptive-field": Row(
        {flat("Conv2D: {filters: 4, kernel_size: 3}", "GlobalAveragePooling2D", "Dense: 2", shape="[9, 9, 3]"): ["global_average_pooling2d"]},
        (flat("Conv2D: {filters: 4, kernel_size: 9}", "GlobalAveragePooling2D", "Dense: 2", shape="[9, 9, 3]"),
         flat("Conv2D: {filters: 4, kernel_size: 3}", "Flatten", "Dense: 2", shape="[9, 9, 3]"),
         flat("Conv2D: {filters: 4, kernel_size: 3}", "GlobalAveragePooling2D: {keepdims: true}", "Multiply: {}\n    from: [conv2d, global_average_pooling2d]", shape="[9, 9, 3]")),
    ),
    "vocabulary-not-padded": Row(
        {LLAMA % (101, 128, "false"): ["model.embed_tokens"]},
        (LLAMA % (128, 128, "false"), "input: {shape: [9], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 101, output_dim: 4}\n"),
    ),
    "untied-head": Row({LLAMA % (640, 24, "false"): ["lm_head"]}, (LLAMA % (640, 24, "true"), LLAMA % (64, 512, "false"))),
}  # fmt: skip


def found(text: str, code: str) -> list[str | None]:
    report = layerexplain.check(text.encode(), select=[code])
    assert {finding.code for finding in report.findings} <= {code}
    return [finding.layer for finding in report.findings]
