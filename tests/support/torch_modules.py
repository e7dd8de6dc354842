"""Configurations of PyTorch's modules, as they are written in PyTorch, each with the shapes of its inputs.

An input's letters say what it holds: `3x5` numbers, `i7:3x5` integers below 7, `b:5x5` truth values.
"""

MODULES = """
Linear(5, 3): 2x5 | 2x7x5 | 5
Linear(5, 3, bias=False): 2x5
Bilinear(5, 3, 7): 2x5 2x3
Bilinear(5, 3, 2, bias=False): 2x7x5 2x7x3
Embedding(11, 5): i11:2x3 | i11:7
Embedding(11, 5, padding_idx=0): i11:2x3
EmbeddingBag(11, 5): i11:2x3
EmbeddingBag(11, 5, mode='sum'): i11:2x3
EmbeddingBag(11, 5, mode='max'): i11:2x3
Identity(): 2x3
Flatten(): 2x3x5 | 2x3x5x7
Flatten(0): 2x3x5
Flatten(1, 2): 2x3x5x7
Flatten(2): 2x3x5x7
Unflatten(1, (2, 3)): 2x6x5
Unflatten(-1, (5, -1)): 2x3x10
Dropout(0.3): 2x3
Dropout1d(0.3): 2x3x5
Dropout2d(): 2x3x5x5
Dropout3d(): 2x3x5x5x2
AlphaDropout(): 2x3
FeatureAlphaDropout(): 2x3x5
CosineSimilarity(): 2x5 2x5
CosineSimilarity(dim=-1, eps=0.1): 2x3x5 2x3x5
PairwiseDistance(): 2x5 2x5
PairwiseDistance(p=1, keepdim=True): 2x5 2x5
PairwiseDistance(p=3.0): 2x5 2x5
Conv1d(3, 5, 3): 2x3x11 | 3x11
Conv1d(3, 5, 4, stride=2, padding=1, dilation=2): 2x3x17
Conv1d(3, 5, 4, padding='same'): 2x3x11
Conv1d(3, 6, 3, groups=3, bias=False, padding=2, padding_mode='replicate'): 2x3x11
Conv2d(3, 5, 3): 2x3x11x13 | 3x11x13
Conv2d(3, 5, (3, 4), stride=(2, 3), padding=(1, 2)): 2x3x11x13
Conv2d(3, 5, 3, 2, 1): 2x3x11x13
Conv2d(4, 6, 3, padding='same', dilation=2, groups=2): 2x4x11x13
Conv2d(3, 5, 2, padding='same'): 2x3x5x7
Conv2d(3, 5, 3, padding='valid', bias=False): 2x3x5x7
Conv2d(4, 8, 3, groups=4, padding=1): 2x4x5x7
Conv2d(3, 5, 3, padding=1, padding_mode='reflect'): 2x3x5x7
Conv2d(3, 5, (3, 2), padding=(1, 2), padding_mode='circular'): 2x3x5x7
Conv2d(3, 5, (3, 2), padding='same', padding_mode='circular'): 2x3x5x7
Conv3d(2, 3, 3, padding=1): 2x2x5x7x5
Conv3d(2, 4, (1, 2, 3), stride=(1, 2, 1), groups=2): 2x2x5x7x5 | 2x5x7x5
ConvTranspose1d(3, 5, 4, stride=2, padding=1, output_padding=1): 2x3x7
ConvTranspose1d(3, 5, 2, stride=3): 2x3x7
ConvTranspose2d(3, 5, 3): 2x3x5x7 | 3x5x7
ConvTranspose2d(3, 5, 3, stride=2, padding=1, output_padding=1): 2x3x5x7
ConvTranspose2d(4, 6, (3, 4), stride=(2, 3), padding=(0, 2), output_padding=(1, 0), groups=2, bias=False): 2x4x5x7
ConvTranspose2d(3, 5, 3, dilation=2, padding=2): 2x3x5x7
ConvTranspose3d(2, 3, 2, stride=2): 2x2x3x2x3
MaxPool1d(3): 2x3x11
MaxPool1d(3, stride=2, padding=1, dilation=2, ceil_mode=True): 2x3x12
MaxPool2d(2): 2x3x11x13 | 3x11x13
MaxPool2d(3, 2, ceil_mode=True): 2x3x10x12 | 2x3x11x13
MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0)): 2x3x11x13
MaxPool2d(3, 3, 1, ceil_mode=True): 2x3x10x11 | 2x3x8x9
MaxPool3d(2): 2x3x5x7x5
AvgPool1d(3, 2, 1): 2x3x11
AvgPool1d(3, 2, 1, count_include_pad=False): 2x3x11
AvgPool2d(2): 2x3x11x13
AvgPool2d(3, 2, 1): 2x3x10x12
AvgPool2d(3, 2, 1, ceil_mode=True): 2x3x10x12 | 2x3x11x13
AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False): 2x3x10x12
AvgPool2d((2, 3), ceil_mode=True): 2x3x11x13
AvgPool2d(3, 1, padding=1, divisor_override=4): 2x3x5x7
AvgPool3d(2, padding=1): 2x3x5x7x5
LPPool1d(2, 3): 2x3x11
LPPool2d(2, 3, stride=2): 2x3x11x13
LPPool2d(4, (2, 3), ceil_mode=True): 2x3x11x13
LPPool3d(2, 2): 2x3x4x5x4
AdaptiveAvgPool1d(3): 2x3x11
AdaptiveAvgPool2d(1): 2x3x7x5
AdaptiveAvgPool2d((7, 3)): 2x3x11x13 | 3x5x5
AdaptiveAvgPool2d((None, 2)): 2x3x5x7
AdaptiveAvgPool3d((2, 3, 2)): 2x3x5x7x5
AdaptiveMaxPool1d(3): 2x3x11
AdaptiveMaxPool2d((5, 7)): 2x3x11x13
AdaptiveMaxPool2d((None, 2)): 2x3x5x7
AdaptiveMaxPool3d(2): 2x3x5x7x5
BatchNorm1d(5): 3x5 | 2x5x7
BatchNorm2d(3): 2x3x5x7
BatchNorm2d(3, eps=0.1, momentum=0.3, affine=False): 2x3x5x7
BatchNorm2d(3, track_running_stats=False): 2x3x5x7
BatchNorm3d(3): 2x3x5x2x3
SyncBatchNorm(3): 2x3x5x7
InstanceNorm1d(3): 2x3x7
InstanceNorm2d(3, affine=True, eps=0.01): 2x3x5x7
InstanceNorm2d(3, affine=True, track_running_stats=True): 2x3x5x7
InstanceNorm3d(3): 2x3x5x2x3 | 3x5x2x3
LayerNorm(5): 2x5 | 2x3x5
LayerNorm((3, 5), eps=0.1): 2x3x5
LayerNorm(5, bias=False): 2x5
LayerNorm([5], elementwise_affine=False): 2x5
GroupNorm(2, 6): 2x6x5x7 | 2x6
GroupNorm(3, 6, eps=0.1, affine=False): 2x6x5
RMSNorm(5): 2x3x5
RMSNorm((3, 5), eps=0.1, elementwise_affine=False): 2x3x5
LocalResponseNorm(3): 2x5x3x7
LocalResponseNorm(4, alpha=0.1, beta=0.5, k=2.0): 2x5x3x7
ReLU(): 2x5
ReLU(inplace=True): 2x5
ReLU6(): 2x5
LeakyReLU(): 2x5
LeakyReLU(0.3): 2x5
PReLU(): 2x5
PReLU(5): 2x5 | 2x5x3x2
RReLU(): 2x5
RReLU(0.1, 0.5): 2x5
ELU(alpha=0.7): 2x5
CELU(0.7): 2x5
SELU(): 2x5
GELU(): 2x5
GELU(approximate='tanh'): 2x5
SiLU(): 2x5
Mish(): 2x5
Hardswish(): 2x5
Hardsigmoid(): 2x5
Hardtanh(): 2x5
Hardtanh(-2.0, 0.5): 2x5
Sigmoid(): 2x5
Tanh(): 2x5
LogSigmoid(): 2x5
Softplus(): 2x5
Softplus(beta=3.0, threshold=2.0): 2x5
Softsign(): 2x5
Softshrink(0.3): 2x5
Hardshrink(0.3): 2x5
Tanhshrink(): 2x5
Threshold(0.1, 20.0): 2x5
Softmax(dim=-1): 2x5
Softmax(dim=1): 2x3x5
LogSoftmax(dim=1): 2x5
Softmin(dim=1): 2x5
Softmax2d(): 2x3x5x7
GLU(): 2x6
GLU(1): 2x6x5
ZeroPad1d(1): 2x3x5
ZeroPad2d((1, 2, 3, 4)): 2x3x5x7
ZeroPad2d((-1, 2, 3, -2)): 2x3x5x7
ZeroPad3d(1): 2x3x2x3x2
ConstantPad1d(2, 3.5): 2x3x5
ConstantPad2d((1, 0, 2, 3), -1.5): 2x3x5x7
ConstantPad3d(1, 2.0): 2x3x2x3x2
ReflectionPad1d((1, 2)): 2x3x5
ReflectionPad2d((1, 2, 3, 4)): 2x3x5x7
ReflectionPad3d(1): 2x3x2x3x2
ReplicationPad1d(2): 2x3x5
ReplicationPad2d((1, 2, 3, 4)): 2x3x5x7
ReplicationPad3d(1): 2x3x2x3x2
CircularPad1d(2): 2x3x5
CircularPad2d((1, 2, 3, 4)): 2x3x5x7
CircularPad3d(1): 2x3x2x3x2
PixelShuffle(2): 2x12x3x5
PixelUnshuffle(3): 2x2x6x9
ChannelShuffle(3): 2x6x3x5
Unfold(3): 2x3x5x7
Unfold((2, 3), dilation=2, padding=(1, 2), stride=(1, 2)): 2x3x7x11
Fold((5, 7), 2): 2x12x24
Fold((7, 5), (3, 2), padding=1, stride=(2, 1)): 2x18x24
Fold(7, 2, dilation=3, stride=2): 2x8x4
Upsample(scale_factor=2): 2x3x5x7
Upsample(scale_factor=3): 2x3x5
Upsample(size=(10, 21)): 2x3x5x7
Upsample(scale_factor=2, mode='bilinear'): 2x3x5x7
Upsample(size=(11, 9), mode='bilinear', align_corners=False): 2x3x5x7
Upsample(scale_factor=(2.0, 3.0)): 2x3x5x7
Upsample(scale_factor=2, mode='linear'): 2x3x5
Upsample(size=(11, 9), mode='bilinear', align_corners=True): 2x3x5x7
Upsample(size=(3, 17), mode='bicubic'): 2x3x5x7
Upsample(size=(11, 5), mode='bicubic', align_corners=True): 2x3x7x13
Upsample(size=(1, 13), mode='bicubic', align_corners=True): 2x3x5x7
Upsample(scale_factor=1.7, mode='bilinear'): 2x3x5x7
Upsample(scale_factor=(1.3, 0.6), mode='bicubic'): 2x3x7x11
Upsample(scale_factor=1.7, mode='bicubic', recompute_scale_factor=True): 2x3x5x7
Upsample(size=(7, 11)): 2x3x5x13
Upsample(scale_factor=1.6): 2x3x5x7
Upsample(size=(7, 11), mode='nearest-exact'): 2x3x5x13
Upsample(size=(3, 5), mode='area'): 2x3x7x13
Upsample(size=13): 2x3x5
Upsample(size=13, mode='linear', align_corners=True): 2x3x7
Upsample(scale_factor=1.3, mode='linear'): 2x3x7
Upsample(size=(3, 7, 5), mode='trilinear'): 2x3x2x5x3
Upsample(size=(3, 7, 5), mode='trilinear', align_corners=True): 2x3x2x5x7
Upsample(scale_factor=(1.5, 1.2, 0.8), mode='trilinear'): 2x3x3x5x7
Upsample(scale_factor=(1.5, 1.2, 0.8)): 2x3x3x5x7
UpsamplingBilinear2d(scale_factor=1.6): 2x3x5x7
UpsamplingBilinear2d(size=(3, 11)): 2x3x5x7
UpsamplingNearest2d(scale_factor=2): 2x3x5x7
RNN(5, 3): 7x2x5
RNN(5, 3, nonlinearity='relu', batch_first=True, bidirectional=True): 2x7x5
RNN(5, 3, 2, bias=False): 7x2x5 2x2x3
LSTM(5, 3): 7x2x5 | 7x5
LSTM(5, 3, batch_first=True): 2x7x5
LSTM(5, 3, num_layers=2, bidirectional=True, dropout=0.3): 7x2x5
LSTM(5, 3, 2, batch_first=True, bias=False): 2x7x5
LSTM(5, 7, proj_size=3): 7x2x5
LSTM(5, 7, 2, bidirectional=True, proj_size=2): 7x2x5
GRU(5, 3): 7x2x5
GRU(5, 3, 2, batch_first=True, bidirectional=True): 2x7x5
GRU(5, 3, batch_first=True): 2x7x5 1x2x3 | 7x5
RNNCell(5, 3): 2x5 | 2x5 2x3
RNNCell(5, 3, bias=False, nonlinearity='relu'): 2x5
LSTMCell(5, 3): 2x5
GRUCell(5, 3): 2x5 2x3 | 5
MultiheadAttention(6, 2): 7x2x6 5x2x6 5x2x6
MultiheadAttention(6, 3, batch_first=True, bias=False): 2x7x6 2x5x6 2x5x6
MultiheadAttention(6, 2, kdim=5, vdim=3): 7x2x6 5x2x5 5x2x3
MultiheadAttention(6, 2, add_bias_kv=True, add_zero_attn=True): 7x2x6 5x2x6 5x2x6
MultiheadAttention(6, 2, batch_first=True): 2x7x6 2x5x6 2x5x6 b:2x5
TransformerEncoderLayer(6, 2, 7): 5x2x6
TransformerEncoderLayer(6, 3, 7, batch_first=True, norm_first=True, activation='gelu'): 2x5x6
TransformerEncoderLayer(6, 2, 7, bias=False, layer_norm_eps=0.1, dropout=0.0): 5x2x6
TransformerDecoderLayer(6, 2, 7): 5x2x6 3x2x6
TransformerDecoderLayer(6, 2, 7, batch_first=True, norm_first=True): 2x5x6 2x3x6
"""


def configurations() -> list[tuple[str, list[str]]]:
    """Each configuration with one of its lists of inputs."""
    found = []
    for line in MODULES.strip().splitlines():
        text, _, inputs = line.rpartition("): ")
        found += [(f"{text})", group.split()) for group in inputs.split(" | ")]
    return found
