"""Which module declares a layer type. scripts/layer_index.py writes the table; the functions below are its readers."""

from __future__ import annotations

from functools import cache

_TYPES = {
    "": """
activation_layers: ELU LeakyReLU PReLU ReLU Softmax;
applications: CustomScaleLayer LayerScale StochasticDepth;
attention: AdditiveAttention Attention GroupQueryAttention GroupedQueryAttention MultiHeadAttention;
augmentation: AugMix CutMix Equalization MixUp RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
RandomContrast RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight
RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
RandomShear RandomTranslation RandomWidth RandomZoom Solarization;
convolutional: Conv1D Conv2D Conv3D Convolution1D Convolution2D Convolution3D;
convolutional_recurrent: ConvLSTM1D ConvLSTM2D ConvLSTM3D;
convolutional_transpose: Conv1DTranspose Conv2DTranspose Conv3DTranspose Convolution1DTranspose Convolution2DTranspose
Convolution3DTranspose;
core: Activation Dense EinsumDense Embedding Identity Lambda Masking;
depthwise_separable: DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D SeparableConvolution1D
SeparableConvolution2D;
encoding: CategoryEncoding Discretization IntegerLookup;
image_transforms: AutoContrast MaxNumBoundingBoxes RandomCrop;
keras_1: BatchNormalization0 Highway MaxoutDense;
merging: Add Average Concatenate Dot Maximum Minimum Multiply Subtract;
normalization: BatchNormalization GroupNormalization LayerNormalization RMSNormalization SyncBatchNormalization
UnitNormalization;
pipeline: Pipeline SpectralNormalization;
pooling: AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D
AdaptiveMaxPooling2D AdaptiveMaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D
AvgPool3D GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D
GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D
GlobalMaxPooling3D MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D;
preprocessing: CenterCrop Normalization Rescaling Resizing;
regularization: ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise SpatialDropout1D
SpatialDropout2D SpatialDropout3D;
reshaping: Cropping1D Cropping2D Cropping3D Flatten Permute RepeatVector Reshape UpSampling1D UpSampling2D UpSampling3D
ZeroPadding1D ZeroPadding2D ZeroPadding3D;
reversible_embedding: ReversibleEmbedding;
rnn: CuDNNGRU CuDNNLSTM GRU LSTM SimpleRNN;
rnn_cells: GRUCell LSTMCell RNN SimpleRNNCell StackedRNNCells;
spectrogram: MelSpectrogram STFTSpectrogram;
wrappers: Bidirectional TimeDistributed
""",
    "constraints": """
constraints: MaxNorm MinMaxNorm NonNeg UnitNorm
""",
    "losses": """
losses_of_classes: BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy CategoricalFocalCrossentropy
CategoricalGeneralizedCrossEntropy Circle Dice KLDivergence SparseCategoricalCrossentropy Tversky bce kld
kullback_leibler_divergence;
losses_of_numbers: CategoricalHinge CosineSimilarity Hinge Huber LogCosh MeanAbsoluteError MeanAbsolutePercentageError
MeanSquaredError MeanSquaredLogarithmicError Poisson SquaredHinge cosine cosine_proximity huber_loss mae mape mse msle
""",
    "ops": """
operations: Abs Absolute Add Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Cast Ceil Celu Clip ConvertToTensor
Copy Cos Cosh Deg2rad Divide DivideNoNan Elu Equal Erf Erfc Exp Exp2 Expm1 Fabs Floor FloorDivide Fmax Fmin Gelu Glu
Greater GreaterEqual HardShrink HardSigmoid HardSilu HardTanh Hypot Isfinite Isinf Isnan LeakyRelu Less LessEqual Log
Log10 Log1p Log2 LogSigmoid LogSoftmax Logaddexp LogicalAnd LogicalNot LogicalOr LogicalXor Maximum Minimum Mod
Multiply Negative NotEqual Power Rad2deg Reciprocal Relu Relu6 Round Rsqrt SaturateCast Selu Sigmoid Sign Silu Sin Sinh
SoftShrink Softmax Softplus Softsign SparsePlus SparseSigmoid Sparsemax Sqrt Square Squareplus StopGradient Subtract
Tan Tanh TanhShrink Threshold TrueDivide Trunc Where;
operations_filter: AffineTransform ExtractPatches Fold GaussianBlur HSVToRGB MapCoordinates PerspectiveTransform
RGBToGrayscale RGBToHSV SSIM ScaleAndTranslate SobelEdges Unfold;
operations_image: CropImages DepthToSpace PadImages Resize SpaceToDepth;
operations_linalg: Array Cholesky CholeskyInverse Corrcoef Correlate Cross Det Diag Diagflat Diagonal Dsplit Dstack
Eigh Fliplr Flipud Full Geomspace Hsplit Inv Kron Linspace Logdet Logspace Lstsq LuFactor MatrixRank Meshgrid Pinv Qr
Rot90 SVD Select Size Slogdet Solve SolveTriangular Trace Trapezoid Vander Vdot Vsplit;
operations_loss: BinaryCrossentropy CDist CTCDecode CTCLoss CategoricalCrossentropy PSNR SparseCategoricalCrossentropy;
operations_nan: Median NanToNum Nanargmax Nanargmin Nancumprod Nancumsum Nanmax Nanmean Nanmedian Nanmin Nanpercentile
Nanprod Nanquantile Nanstd Nansum Nanvar Percentile Quantile;
operations_numbers: AllClose Angle BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift
BitwiseXor Cbrt Conj Conjugate Digitize Erfinv Fmod Gcd Heaviside I0 Imag IsIn Isclose Isneginf Isposinf Isreal Lcm
Ldexp LeftShift Logaddexp2 Nextafter Polar Real RightShift SearchSorted Signbit Sinc View ViewAsComplex ViewAsReal;
operations_product: AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Conv ConvTranspose DepthwiseConv Dot
DotProductAttention Einsum Inner LayerNorm Matmul MaxPool Outer RMSNorm SeparableConv Tensordot;
operations_reduce: All Amax Amin Any Argmax Argmin Argsort Average CountNonzero Cumprod Cumsum Logsumexp Max Mean Min
Moments MultiHot Norm Normalize OneHot Prod Ptp Sort Std Sum TopK Var;
operations_repeat: BroadcastTo EmptyLike Flip FullLike OnesLike Pad Repeat Roll Tile Tril Triu ZerosLike;
operations_scatter: Bincount Histogram InTopK Nonzero Scatter ScatterUpdate SegmentMax SegmentMin SegmentProd
SegmentSum Slice SliceUpdate Unique UnravelIndex;
operations_shape: Append ArraySplit Concatenate Diff ExpandDims GetItem Hstack Moveaxis Ravel Rearrange Reshape Split
Squeeze Stack Swapaxes Take TakeAlongAxis Transpose Unstack Vstack;
operations_signal: ExtractSequences FFT FFT2 IFFT2 IRFFT ISTFT RFFT STFT
""",
    "optimizers": """
optimizer_steps: Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer MultiOptimizer Muon
Nadam RMSprop SGD ScheduleFreeAdamW
""",
    "regularizers": """
regularizers: L1 L1L2 L2 OrthogonalRegularizer
""",
    "schedules": """
schedules: CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay PolynomialDecay
""",
    "tf": """
operations: cast convert_to_tensor ensure_shape identity stop_gradient;
operations_linalg: fill size;
operations_numbers: bitcast searchsorted;
operations_product: matmul tensordot;
operations_reduce: argsort norm one_hot sort;
operations_repeat: broadcast_to ones_like pad repeat reverse roll shape tile zeros_like;
operations_scatter: gather_nd scatter_nd tensor_scatter_nd_add tensor_scatter_nd_update;
operations_shape: concat expand_dims gather reshape split squeeze stack transpose unstack;
tf_image_operations: boolean_mask clip_by_norm linspace slice strided_slice;
tf_operations: add argmax argmin clip_by_value cumsum divide floor_div maximum minimum multiply pow realdiv subtract
where
""",
    "tf.__operators__": """
operations_shape: getitem;
tf_operations: add eq ne
""",
    "tf.bitwise": """
operations_numbers: bitwise_and bitwise_or bitwise_xor invert left_shift right_shift
""",
    "tf.compat.v1": """
operations_reduce: norm;
operations_repeat: pad shape;
operations_shape: gather squeeze transpose;
tf_image_operations: boolean_mask linspace;
tf_operations: div floor_div where where_v2
""",
    "tf.compat.v1.image": """
operations_image: resize;
tf_image_operations: resize_bilinear resize_nearest_neighbor
""",
    "tf.compat.v1.math": """
operations: softmax;
tf_image_operations: count_nonzero
""",
    "tf.compat.v1.nn": """
operations: softmax;
tf_image_operations: crelu depthwise_conv2d softmax_cross_entropy_with_logits_v2;
tf_operations: avg_pool bias_add conv2d convolution max_pool
""",
    "tf.image": """
operations_filter: extract_patches hsv_to_rgb rgb_to_hsv;
operations_image: flip_left_right flip_up_down resize;
tf_image_operations: adjust_brightness adjust_contrast central_crop crop_to_bounding_box per_image_standardization
resize_with_crop_or_pad rgb_to_grayscale
""",
    "tf.keras.backend": """
operations_shape: batch_flatten
""",
    "tf.linalg": """
operations_linalg: cholesky cross det diag diag_part eigh inv logdet lu matrix_rank pinv qr slogdet solve svd trace;
operations_product: matmul;
operations_repeat: band_part;
tf_image_operations: matvec
""",
    "tf.math": """
operations: abs acos acosh asin asinh atan atanh ceil cos cosh erf erfc exp expm1 floor is_finite is_inf is_nan log
log1p log_sigmoid logical_not negative reciprocal round rsqrt sigmoid sign sin sinh softplus softsign sqrt square tan
tanh;
operations_numbers: angle bessel_i0 conj erfinv imag nextafter real;
operations_reduce: l2_normalize reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod
reduce_std reduce_sum reduce_variance top_k;
operations_scatter: in_top_k unsorted_segment_max unsorted_segment_min unsorted_segment_prod unsorted_segment_sum;
tf_image_operations: count_nonzero;
tf_operations: add add_n argmax argmin cumprod cumsum divide divide_no_nan equal floordiv floormod greater
greater_equal less less_equal logical_and logical_or logical_xor maximum minimum mod multiply not_equal pow
squared_difference subtract truediv
""",
    "tf.nn": """
operations: elu gelu leaky_relu log_softmax relu relu6 selu sigmoid silu softmax softplus softsign tanh;
operations_image: depth_to_space space_to_depth;
tf_image_operations: crelu depthwise_conv2d l2_loss softmax_cross_entropy_with_logits;
tf_operations: avg_pool avg_pool1d avg_pool2d avg_pool3d bias_add conv1d conv2d conv3d convolution max_pool max_pool1d
max_pool2d max_pool3d
""",
    "tf.raw_ops": """
operations: Abs Acos Asin Atan Ceil Cos Cosh Elu Erf Erfc Exp Expm1 Floor Identity Inv IsNan Log Log1p LogSoftmax
LogicalNot Neg Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Square
StopGradient Tan Tanh;
operations_repeat: OnesLike Shape ZerosLike;
tf_operations: Add AddN AddV2 Div DivNoNan Equal FloorDiv FloorMod Greater GreaterEqual Less LessEqual LogicalAnd
LogicalOr Maximum Minimum Mul NotEqual Pow RealDiv SelectV2 SquaredDifference Sub;
tf_raw_operations: All Any ArgMax ArgMin AvgPool BatchMatMul BatchMatMulV2 BiasAdd Cast ConcatV2 Conv2D Cumsum
DepthToSpace ExpandDims GatherV2 LeakyRelu MatMul Max MaxPool Mean Min MirrorPad OneHot Pack Pad PadV2 Prod Reshape
ResizeBicubic ResizeBilinear ResizeNearestNeighbor ReverseV2 Slice SpaceToDepth Split SplitV Squeeze StridedSlice Sum
Tile TopKV2 Transpose Unpack
""",
    "tf.signal": """
tf_image_operations: frame
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
    ('core', 'operations', None)
    """
    start = type_.rpartition(".")[0]
    return _modules(start).get(type_) if start in _TYPES else None


def types(start: str | None = None) -> list[str]:
    """Return the types with this prefix (`losses`): "" gives the layers, None all types.

    >>> types("regularizers")[0], "Dense" in types(""), "ops.Abs" in types()
    ('regularizers.L1', True, True)
    """
    return [name for one in (_TYPES if start is None else [start]) for name in _modules(one)]
