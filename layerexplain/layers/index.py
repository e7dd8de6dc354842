"""Which module declares a layer type. scripts/layer_index.py writes the table; the functions below are its readers."""

from __future__ import annotations

from functools import cache

_TYPES = {
    "": """
keras.activation_layers: ELU LeakyReLU PReLU ReLU Softmax;
keras.applications: CustomScaleLayer LayerScale StochasticDepth;
keras.attention: AdditiveAttention Attention GroupQueryAttention GroupedQueryAttention MultiHeadAttention;
keras.augmentation: AugMix CutMix Equalization MixUp RandAugment RandomBrightness RandomColorDegeneration
RandomColorJitter RandomContrast RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale
RandomHeight RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation
RandomSharpness RandomShear RandomTranslation RandomWidth RandomZoom Solarization;
keras.convolutional: Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose Convolution1D
Convolution1DTranspose Convolution2D Convolution2DTranspose Convolution3D Convolution3DTranspose DepthwiseConv1D
DepthwiseConv2D SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D;
keras.convolutional_recurrent: ConvLSTM1D ConvLSTM2D ConvLSTM3D;
keras.core: Activation Dense EinsumDense Embedding Identity Lambda Masking;
keras.encoding: CategoryEncoding Discretization IntegerLookup;
keras.image_transforms: AutoContrast MaxNumBoundingBoxes RandomCrop;
keras.keras_1: BatchNormalization0 Highway MaxoutDense;
keras.merging: Add Average Concatenate Dot Maximum Minimum Multiply Subtract;
keras.normalization: BatchNormalization GroupNormalization LayerNormalization RMSNormalization SyncBatchNormalization
UnitNormalization;
keras.pipeline: Pipeline SpectralNormalization;
keras.pooling: AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D
AdaptiveMaxPooling2D AdaptiveMaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D
AvgPool3D GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D
GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D
GlobalMaxPooling3D MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D;
keras.preprocessing: CenterCrop Normalization Rescaling Resizing;
keras.regularization: ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise SpatialDropout1D
SpatialDropout2D SpatialDropout3D;
keras.reshaping: Cropping1D Cropping2D Cropping3D Flatten Permute RepeatVector Reshape UpSampling1D UpSampling2D
UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D;
keras.reversible_embedding: ReversibleEmbedding;
keras.rnn: CuDNNGRU CuDNNLSTM GRU LSTM SimpleRNN;
keras.rnn_cells: GRUCell LSTMCell RNN SimpleRNNCell StackedRNNCells;
keras.spectrogram: MelSpectrogram STFTSpectrogram;
keras.wrappers: Bidirectional TimeDistributed
""",
    "constraints": """
keras.regularizers: MaxNorm MinMaxNorm NonNeg UnitNorm
""",
    "einops": """
torch.einops: Rearrange Reduce Repeat rearrange reduce repeat
""",
    "losses": """
keras.losses_of_classes: BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy
CategoricalFocalCrossentropy CategoricalGeneralizedCrossEntropy Circle Dice KLDivergence SparseCategoricalCrossentropy
Tversky bce kld kullback_leibler_divergence;
keras.losses_of_numbers: CategoricalHinge CosineSimilarity Hinge Huber LogCosh MeanAbsoluteError
MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError Poisson SquaredHinge cosine cosine_proximity
huber_loss mae mape mse msle
""",
    "ops": """
keras.operations: Abs Absolute Add Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Cast Ceil Celu Clip
ConvertToTensor Copy Cos Cosh Deg2rad Divide DivideNoNan Elu Equal Erf Erfc Exp Exp2 Expm1 Fabs Floor FloorDivide Fmax
Fmin Gelu Glu Greater GreaterEqual HardShrink HardSigmoid HardSilu HardTanh Hypot Isfinite Isinf Isnan LeakyRelu Less
LessEqual Log Log10 Log1p Log2 LogSigmoid LogSoftmax Logaddexp LogicalAnd LogicalNot LogicalOr LogicalXor Maximum
Minimum Mod Multiply Negative NotEqual Power Rad2deg Reciprocal Relu Relu6 Round Rsqrt SaturateCast Selu Sigmoid Sign
Silu Sin Sinh SoftShrink Softmax Softplus Softsign SparsePlus SparseSigmoid Sparsemax Sqrt Square Squareplus
StopGradient Subtract Tan Tanh TanhShrink Threshold TrueDivide Trunc Where;
keras.operations_filter: AffineTransform ExtractPatches Fold GaussianBlur HSVToRGB MapCoordinates PerspectiveTransform
RGBToGrayscale RGBToHSV SSIM ScaleAndTranslate SobelEdges Unfold;
keras.operations_image: CropImages DepthToSpace PadImages Resize SpaceToDepth;
keras.operations_linalg: Array Cholesky CholeskyInverse Corrcoef Correlate Cross Det Diag Diagflat Diagonal Dsplit
Dstack Eigh Fliplr Flipud Full Geomspace Hsplit Inv Kron Linspace Logdet Logspace Lstsq LuFactor MatrixRank Meshgrid
Pinv Qr Rot90 SVD Select Size Slogdet Solve SolveTriangular Trace Trapezoid Vander Vdot Vsplit;
keras.operations_loss: BinaryCrossentropy CDist CTCDecode CTCLoss CategoricalCrossentropy PSNR
SparseCategoricalCrossentropy;
keras.operations_nan: Median NanToNum Nanargmax Nanargmin Nancumprod Nancumsum Nanmax Nanmean Nanmedian Nanmin
Nanpercentile Nanprod Nanquantile Nanstd Nansum Nanvar Percentile Quantile;
keras.operations_numbers: AllClose Angle BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr
BitwiseRightShift BitwiseXor Cbrt Conj Conjugate Digitize Erfinv Fmod Gcd Heaviside I0 Imag IsIn Isclose Isneginf
Isposinf Isreal Lcm Ldexp LeftShift Logaddexp2 Nextafter Polar Real RightShift SearchSorted Signbit Sinc View
ViewAsComplex ViewAsReal;
keras.operations_product: AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Conv ConvTranspose DepthwiseConv
Dot DotProductAttention Einsum Inner LayerNorm Matmul MaxPool Outer RMSNorm SeparableConv Tensordot;
keras.operations_reduce: All Amax Amin Any Argmax Argmin Argsort Average CountNonzero Cumprod Cumsum Logsumexp Max Mean
Min Moments MultiHot Norm Normalize OneHot Prod Ptp Sort Std Sum TopK Var;
keras.operations_repeat: BroadcastTo EmptyLike Flip FullLike OnesLike Pad Repeat Roll Tile Tril Triu ZerosLike;
keras.operations_scatter: Bincount Histogram InTopK Nonzero Scatter ScatterUpdate SegmentMax SegmentMin SegmentProd
SegmentSum Slice SliceUpdate Unique UnravelIndex;
keras.operations_shape: Append ArraySplit Concatenate Diff ExpandDims GetItem Hstack Moveaxis Ravel Rearrange Reshape
Split Squeeze Stack Swapaxes Take TakeAlongAxis Transpose Unstack Vstack;
keras.operations_signal: ExtractSequences FFT FFT2 IFFT2 IRFFT ISTFT RFFT STFT
""",
    "optimizers": """
keras.optimizers: Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer MultiOptimizer Muon
Nadam RMSprop SGD ScheduleFreeAdamW
""",
    "regularizers": """
keras.regularizers: L1 L1L2 L2 OrthogonalRegularizer
""",
    "schedules": """
keras.optimizer_declaration: CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay
PolynomialDecay
""",
    "tf": """
keras.operations: cast convert_to_tensor ensure_shape identity stop_gradient;
keras.operations_linalg: fill size;
keras.operations_numbers: bitcast searchsorted;
keras.operations_product: matmul tensordot;
keras.operations_reduce: argsort norm one_hot sort;
keras.operations_repeat: broadcast_to ones_like pad repeat reverse roll shape tile zeros_like;
keras.operations_scatter: gather_nd scatter_nd tensor_scatter_nd_add tensor_scatter_nd_update;
keras.operations_shape: concat expand_dims gather reshape split squeeze stack transpose unstack;
tensorflow.image_operations: boolean_mask clip_by_norm linspace slice strided_slice;
tensorflow.operations: add argmax argmin clip_by_value cumsum divide floor_div maximum minimum multiply pow realdiv
subtract where
""",
    "tf.__operators__": """
keras.operations_shape: getitem;
tensorflow.operations: add eq ne
""",
    "tf.bitwise": """
keras.operations_numbers: bitwise_and bitwise_or bitwise_xor invert left_shift right_shift
""",
    "tf.compat.v1": """
keras.operations_reduce: norm;
keras.operations_repeat: pad shape;
keras.operations_shape: gather squeeze transpose;
tensorflow.image_operations: boolean_mask linspace;
tensorflow.operations: div floor_div where where_v2
""",
    "tf.compat.v1.image": """
keras.operations_image: resize;
tensorflow.image_operations: resize_bilinear resize_nearest_neighbor
""",
    "tf.compat.v1.math": """
keras.operations: softmax;
tensorflow.image_operations: count_nonzero
""",
    "tf.compat.v1.nn": """
keras.operations: softmax;
tensorflow.image_operations: crelu depthwise_conv2d softmax_cross_entropy_with_logits_v2;
tensorflow.operations: avg_pool bias_add conv2d convolution max_pool
""",
    "tf.image": """
keras.operations_filter: extract_patches hsv_to_rgb rgb_to_hsv;
keras.operations_image: flip_left_right flip_up_down resize;
tensorflow.image_operations: adjust_brightness adjust_contrast central_crop crop_to_bounding_box
per_image_standardization resize_with_crop_or_pad rgb_to_grayscale
""",
    "tf.keras.backend": """
keras.operations_shape: batch_flatten
""",
    "tf.linalg": """
keras.operations_linalg: cholesky cross det diag diag_part eigh inv logdet lu matrix_rank pinv qr slogdet solve svd
trace;
keras.operations_product: matmul;
keras.operations_repeat: band_part;
tensorflow.image_operations: matvec
""",
    "tf.math": """
keras.operations: abs acos acosh asin asinh atan atanh ceil cos cosh erf erfc exp expm1 floor is_finite is_inf is_nan
log log1p log_sigmoid logical_not negative reciprocal round rsqrt sigmoid sign sin sinh softplus softsign sqrt square
tan tanh;
keras.operations_numbers: angle bessel_i0 conj erfinv imag nextafter real;
keras.operations_reduce: l2_normalize reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min
reduce_prod reduce_std reduce_sum reduce_variance top_k;
keras.operations_scatter: in_top_k unsorted_segment_max unsorted_segment_min unsorted_segment_prod unsorted_segment_sum;
tensorflow.image_operations: count_nonzero;
tensorflow.operations: add add_n argmax argmin cumprod cumsum divide divide_no_nan equal floordiv floormod greater
greater_equal less less_equal logical_and logical_or logical_xor maximum minimum mod multiply not_equal pow
squared_difference subtract truediv
""",
    "tf.nn": """
keras.operations: elu gelu leaky_relu log_softmax relu relu6 selu sigmoid silu softmax softplus softsign tanh;
keras.operations_image: depth_to_space space_to_depth;
tensorflow.image_operations: crelu depthwise_conv2d l2_loss softmax_cross_entropy_with_logits;
tensorflow.operations: avg_pool avg_pool1d avg_pool2d avg_pool3d bias_add conv1d conv2d conv3d convolution max_pool
max_pool1d max_pool2d max_pool3d
""",
    "tf.raw_ops": """
keras.operations: Abs Acos Asin Atan Ceil Cos Cosh Elu Erf Erfc Exp Expm1 Floor Identity Inv IsNan Log Log1p LogSoftmax
LogicalNot Neg Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Square
StopGradient Tan Tanh;
keras.operations_repeat: OnesLike Shape ZerosLike;
tensorflow.operations: Add AddN AddV2 Div DivNoNan Equal FloorDiv FloorMod Greater GreaterEqual Less LessEqual
LogicalAnd LogicalOr Maximum Minimum Mul NotEqual Pow RealDiv SelectV2 SquaredDifference Sub;
tensorflow.raw_operations: All Any ArgMax ArgMin AvgPool BatchMatMul BatchMatMulV2 BiasAdd Cast ConcatV2 Conv2D Cumsum
DepthToSpace ExpandDims GatherV2 LeakyRelu MatMul Max MaxPool Mean Min MirrorPad OneHot Pack Pad PadV2 Prod Reshape
ResizeBicubic ResizeBilinear ResizeNearestNeighbor ReverseV2 Slice SpaceToDepth Split SplitV Squeeze StridedSlice Sum
Tile TopKV2 Transpose Unpack
""",
    "tf.signal": """
tensorflow.image_operations: frame
""",
    "timm": """
keras.applications: DropPath
""",
    "torch": """
torch.operations: abs acos adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
adaptive_max_pool2d add addmm all amax amin any argmax argmin argsort asin atan atan2 avg_pool1d avg_pool2d avg_pool3d
baddbmm batch_norm bitwise_and bitwise_not bitwise_or bitwise_xor bmm cdist ceil celu clamp clamp_max clamp_min conv1d
conv2d conv3d cos cosh cosine_similarity cumprod cumsum detach div dropout einsum elu eq erf exp expm1 floor
floor_divide fold ge gelu glu group_norm gt hardshrink hardsigmoid hardswish hardtanh interpolate isfinite isinf isnan
layer_norm le leaky_relu lerp linear local_response_norm log log10 log1p log2 log_softmax logical_and logical_not
logical_or logical_xor logsigmoid logsumexp lt masked_fill matmul max max_pool1d max_pool2d max_pool3d maximum mean min
minimum mish mm mul ne neg norm normalize outer pixel_shuffle pow prelu prod rand_like randn_like reciprocal relu relu6
remainder renorm round rsqrt scaled_dot_product_attention selu sigmoid sign silu sin sinh softmax softmin softplus
softshrink softsign sort sqrt square std std_mean sub sum tan tanh tanhshrink threshold to topk trunc unfold var
var_mean where;
torch.operations_shape: broadcast_to cat diag diagonal embedding expand flatten flip full_like gather getitem
index_select max_unpool1d max_unpool2d max_unpool3d movedim one_hot ones ones_like pad permute repeat repeat_interleave
reshape roll setitem split squeeze stack take_along_dim transpose tril triu unflatten unsqueeze view_as_complex
view_as_real windows zeros zeros_like
""",
    "torch.nn": """
torch.activations: CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid LogSoftmax Mish
PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid Softmax Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink
Threshold;
torch.attention: MultiheadAttention TransformerDecoderLayer TransformerEncoderLayer;
torch.convolutional: Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d;
torch.core: AlphaDropout Bilinear Buffer CosineSimilarity Dropout Dropout1d Dropout2d Dropout3d Embedding EmbeddingBag
FeatureAlphaDropout Flatten Identity Linear PairwiseDistance Parameter Unflatten;
torch.losses: BCELoss BCEWithLogitsLoss CrossEntropyLoss HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss MSELoss
MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss PoissonNLLLoss SmoothL1Loss SoftMarginLoss;
torch.normalization: BatchNorm1d BatchNorm2d BatchNorm3d GroupNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d
LayerNorm LocalResponseNorm RMSNorm SyncBatchNorm;
torch.pooling: AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d
AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d LPPool1d LPPool2d LPPool3d MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d
MaxUnpool2d MaxUnpool3d;
torch.reshaping: ChannelShuffle CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d
Fold PixelShuffle PixelUnshuffle ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d
ReplicationPad3d Unfold Upsample UpsamplingBilinear2d UpsamplingNearest2d ZeroPad1d ZeroPad2d ZeroPad3d;
torch.rnn: GRU GRUCell LSTM LSTMCell RNN RNNCell
""",
    "torch.nn.functional": """
torch.losses: binary_cross_entropy binary_cross_entropy_with_logits cross_entropy hinge_embedding_loss huber_loss
kl_div l1_loss mse_loss multi_margin_loss multilabel_soft_margin_loss nll_loss poisson_nll_loss smooth_l1_loss
soft_margin_loss
""",
    "torch.nn.utils": """
torch.parametrizations: spectral_norm weight_norm
""",
    "torch.optim": """
torch.optimizers: Adagrad Adam AdamW RMSprop SGD
""",
}
"""The types of each module, by what their names begin with: nothing for layers, `tf.math` for `tf.math.abs`."""


@cache
def _modules(start: str) -> dict[str, str]:
    """Map each type with this prefix to its module. A prefix is parsed when it is first asked for: `summary` mostly
    needs layers alone."""
    modules: dict[str, str] = {}
    before = f"{start}." if start else ""
    for entry in _TYPES.get(start, "").split(";"):
        module, _, names = entry.strip().partition(":")
        modules.update(dict.fromkeys([before + name for name in names.split()], module))
    return modules


def module_of(type_: str) -> str | None:
    """Return the module of this package that declares a type, None for an unknown one.

    >>> module_of("Dense"), module_of("ops.Abs"), module_of("Dens")
    ('keras.core', 'keras.operations', None)
    """
    start = type_.rpartition(".")[0]
    return _modules(start).get(type_) if start in _TYPES else None


def family_of(type_: str) -> str:
    """Return the family of a type, the name of the file that declares it; "" for an unknown one.

    >>> family_of("Dense")
    'core'
    """
    return (module_of(type_) or "").rpartition(".")[2]


def types(start: str | None = None) -> list[str]:
    """Return the types with this prefix (`losses`): "" gives the layers, None all types.

    >>> types("regularizers")[0], "Dense" in types(""), "ops.Abs" in types()
    ('regularizers.L1', True, True)
    """
    return [name for item in (_TYPES if start is None else [start]) for name in _modules(item)]
