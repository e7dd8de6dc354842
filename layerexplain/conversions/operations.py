"""Operations between layers: in which module Keras 3 has their classes, and how they are written in code."""

from __future__ import annotations

from layerexplain.layers.declaration import snake_case

_HOMES = {
    "core": "Cast ConvertToTensor SaturateCast StopGradient Scatter ScatterUpdate Slice SliceUpdate Unstack",
    "nn": (
        "Celu Elu Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid LogSoftmax Relu Relu6 Selu"
        " Sigmoid Silu SoftShrink Softmax Softplus Softsign SparsePlus SparseSigmoid Sparsemax Squareplus TanhShrink"
        " Threshold Fold Unfold DepthToSpace SpaceToDepth BinaryCrossentropy CTCDecode CTCLoss CategoricalCrossentropy"
        " PSNR SparseCategoricalCrossentropy Polar AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Conv"
        " ConvTranspose DepthwiseConv DotProductAttention LayerNorm MaxPool RMSNorm SeparableConv Moments MultiHot"
        " Normalize OneHot"
    ),
    "math": (
        "Erf Erfc Rsqrt Logdet CDist Erfinv ViewAsComplex ViewAsReal Logsumexp TopK InTopK SegmentMax SegmentMin"
        " SegmentProd SegmentSum ExtractSequences FFT FFT2 IFFT2 IRFFT ISTFT RFFT STFT"
    ),
    "image": (
        "AffineTransform ExtractPatches GaussianBlur HSVToRGB MapCoordinates PerspectiveTransform RGBToGrayscale"
        " RGBToHSV SSIM ScaleAndTranslate SobelEdges CropImages PadImages Resize"
    ),
    "linalg": (
        "Cholesky CholeskyInverse Det Eigh Inv Lstsq LuFactor MatrixRank Pinv Qr SVD Solve SolveTriangular Norm"
    ),
}
_HOME = {type_: home for home, types in _HOMES.items() for type_ in types.split()}

INFIX = {
    "Add": "+", "Subtract": "-", "Multiply": "*", "TrueDivide": "/", "FloorDivide": "//", "Mod": "%", "Power": "**",
    "Matmul": "@", "Less": "<", "LessEqual": "<=", "Greater": ">", "GreaterEqual": ">=",
}  # fmt: skip
"""Class → the operator of Python that makes it of two tensors, or of a tensor and a number."""

_FUNCTIONS = {
    "CDist": "cdist", "AllClose": "allclose", "IsIn": "isin", "SearchSorted": "searchsorted",
    "BatchNorm": "batch_normalization", "LayerNorm": "layer_normalization", "RMSNorm": "rms_normalization",
    "HSVToRGB": "hsv_to_rgb", "RGBToHSV": "rgb_to_hsv", "RGBToGrayscale": "rgb_to_grayscale",
}  # fmt: skip


def home_of(type_: str) -> str:
    """Return the module of keras.src.ops that has the class of an operation.

    >>> home_of("Softmax"), home_of("Mean")
    ('nn', 'numpy')
    """
    return _HOME.get(type_, "numpy")


def function_of(type_: str) -> str:
    """Return how the function of an operation is called behind `ops.`.

    >>> function_of("LogSoftmax"), function_of("PadImages")
    ('log_softmax', 'image.pad_images')
    """
    function = _FUNCTIONS.get(type_) or snake_case(type_)
    return f"image.{function}" if home_of(type_) == "image" else function
