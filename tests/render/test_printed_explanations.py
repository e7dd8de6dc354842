"""What is printed of single layers, losses and optimizers, whole: formula, reasons of shapes, counts, remarks, gradients.

`pytest --update-snapshots` writes what is printed now to tests/snapshots/explained; read the difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program

WHOLE = "--full --gradient"
COMMANDS = [
    # Weights and one axis
    f"Dense 5 activation=relu --input 7,3 {WHOLE}",
    "Dense 5 use_bias=false kernel_regularizer=l2 --input 7 --full",
    "Embedding 11 5 mask_zero=true --input 7 --full",
    f"EinsumDense abc,cd->abd output_shape=null,5 bias_axes=d --input 7,3 {WHOLE}",
    f"PReLU shared_axes=1 --input 7,3 {WHOLE}",
    f"Softmax --input 5,7 {WHOLE}",
    f"LeakyReLU 0.3 --input 7 {WHOLE}",
    "Dropout 0.3 --input 7,5 --full",
    "SpatialDropout2D 0.3 --input 7,5,3 --full",
    "GaussianNoise 0.3 --input 7 --full",
    "Discretization bin_boundaries=0.5,1.5 output_mode=one_hot --input 1 --full",
    "CategoryEncoding 5 --input 3 --full",
    # Windows
    f"Conv1D 5 3 padding=causal dilation_rate=2 --input 11,2 {WHOLE}",
    f"Conv2D 6 3 strides=2 padding=same groups=3 --input 11,7,9 {WHOLE}",
    "Conv2D 5 3,2 data_format=channels_first --input 3,11,7 --full",
    "Conv3D 2 2 --input 5,7,3,2 --full",
    f"Conv1DTranspose 5 3 strides=2 --input 7,2 {WHOLE}",
    "Conv2DTranspose 5 3 strides=2 padding=same output_padding=1 --input 5,7,2 --full",
    f"DepthwiseConv2D 3 depth_multiplier=2 --input 7,5,3 {WHOLE}",
    "SeparableConv2D 5 3 --input 7,11,2 --full",
    f"MaxPooling1D 3 strides=2 --input 11,2 {WHOLE}",
    f"AveragePooling2D 2 padding=same --input 5,7,3 {WHOLE}",
    f"GlobalAveragePooling1D keepdims=true --input 7,3 {WHOLE}",
    "GlobalMaxPooling2D --input 7,5,3 --full",
    "AdaptiveAveragePooling1D 3 --input 7,2 --full",
    "UpSampling2D 2 interpolation=bilinear --input 3,5,2 --full",
    "Resizing 5 7 --input 11,13,3 --full",
    "CenterCrop 5 7 --input 11,13,3 --full",
    f"ZeroPadding2D 1,2 --input 5,7,3 {WHOLE}",
    f"Cropping1D 1,2 --input 7,3 {WHOLE}",
    # Shapes and merges
    f"Reshape 3,-1 --input 7,6 {WHOLE}",
    f"Permute 2,1 --input 7,3 {WHOLE}",
    f"RepeatVector 5 --input 7 {WHOLE}",
    "Flatten --input 7,5,3 --full",
    f"Concatenate axis=1 --input a=3,5 --input b=7,5 {WHOLE}",
    f"Add --input a=7,5 --input b=1,5 {WHOLE}",
    f"Multiply --input a=7 --input b=7 {WHOLE}",
    f"Maximum --input a=7 --input b=7 {WHOLE}",
    f"Dot axes=1 normalize=true --input a=7 --input b=7 {WHOLE}",
    # Normalization
    f"BatchNormalization --input 7,3 {WHOLE}",
    f"LayerNormalization --input 7,5 {WHOLE}",
    "GroupNormalization 3 --input 7,6 --full",
    f"RMSNormalization --input 7 {WHOLE}",
    "UnitNormalization --input 7 --full",
    "SpectralNormalization(Dense(5)) --input 7 --full",
    "Normalization mean=3 variance=4 --input 7 --full",
    "Rescaling 0.5 offset=1 --input 7 --full",
    # Sequences
    f"SimpleRNN 5 --input 7,3 {WHOLE}",
    "LSTM 5 return_sequences=true return_state=true --input 7,3 --full",
    "GRU 5 reset_after=false go_backwards=true --input 7,3 --full",
    "'Bidirectional(LSTM(5), merge_mode=\"sum\")' --input 7,3 --full",
    "TimeDistributed(Dense(5)) --input 7,3 --full",
    "ConvLSTM1D 3 2 --input 5,7,2 --full",
    "Masking 0.5 --input 7,3 --full",
    # Attention
    "MultiHeadAttention 2 3 --input query=5,6 --input value=7,6 --full",
    "GroupQueryAttention 3 4 2 --input query=5,12 --input value=7,12 --full",
    f"Attention use_scale=true --input query=5,3 --input value=7,3 {WHOLE}",
    "AdditiveAttention --input query=5,3 --input value=7,3 --full",
    # Images and sound
    "RandomFlip horizontal --input 7,5,3 --full",
    "STFTSpectrogram frame_length=16 frame_step=8 fft_length=16 --input 64,1 --full",
    # PyTorch
    "torch.nn.Linear 7 5 --input 7 --full --gradient",
    "torch.nn.Conv2d 2 5 3 stride=2 padding=1 --input 2,11,7 --full",
    "torch.nn.BatchNorm1d 5 --input 5,7 --full",
    "torch.nn.LSTM 3 5 batch_first=true --input 7,3 --full",
    "torch.nn.MultiheadAttention 6 2 batch_first=true --input query=5,6 --input key=7,6 --input value=7,6 --full",
    "torch.nn.AvgPool2d 3 stride=2 padding=1 --input 2,11,7 --full",
    "torch.nn.Embedding 11 5 --input 7 --full",
    "torch.nn.GELU --input 7 --full",
    'einops.Rearrange "b (h p) d -> b h (p d)" p=2 --input 6,5 --full',
    # What takes part in training
    f"MeanSquaredError --input 5 {WHOLE}",
    f"CategoricalCrossentropy from_logits=true label_smoothing=0.1 --input 5 {WHOLE}",
    "BinaryFocalCrossentropy gamma=3 --input 5 --full",
    "SGD momentum=0.9 nesterov=true --input 7x5 --full",
    "Adam amsgrad=true weight_decay=0.01 --input 7x5 --full",
    "RMSprop centered=true --input 7x5 --full",
    "L1L2 l1=0.1 l2=0.2 --input 7x5 --full",
    "MaxNorm 2 --input 7x5 --full",
    "ExponentialDecay 0.1 100 0.5 staircase=true",
    # Several, and other forms
    "LSTM units=3 --vs GRU units=3 --input 7,2",
    '"UpSampling2D, Conv2D 5 3" --vs Conv2DTranspose 5 3 strides=2 --input 7,11,2',
    "Dense 5 --vs Dense 7 use_bias=false --input 3",
    "Conv2D 5 3 --input 7,11,2 --format json",
    "Conv2D 5 3 --input 7,11,2 --full --format markdown",
    "GRU 3 --input 5,2 --full --format latex",
    "Dense 5 --input 3 --format mermaid",
    "Dense 5 --input 3 --format csv",
    "MultiHeadAttention 2 3 --input query=5,6 --input value=7,6 --only formula,where,element",
    "Dense 5 activation=gelu --input 7 --full --ascii",
]


def file_of(command: str) -> str:
    """A name that is the command's own: its words, without what all have."""
    return re.sub(r"\W+", "_", command.replace(WHOLE, "gradient").replace(" --full", "")).strip("_").lower()[:70]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_explanation_is_printed_as_before(command: str, snapshot: Callable[[str, str], None]) -> None:
    result = CliRunner().invoke(program, f"layer {command} --width 100")
    assert (result.exit_code, result.stderr) == (0, "")
    snapshot(f"explained/{file_of(command)}.txt", result.stdout)


def test_each_command_has_a_file_of_its_own() -> None:
    assert len({file_of(command) for command in COMMANDS}) == len(COMMANDS)
