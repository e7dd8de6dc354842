"""Operations between layers that are activation functions: `keras.ops.relu(x)`, `tf.nn.softmax(x)`.

Input shape: any. Output shape: the same. Reference: keras.ops, tf.nn.
"""

from layerexplain.ops import functions

USES = (functions,)
ROWS = """
ops.Sigmoid, tf.math.sigmoid, tf.nn.sigmoid, tf.raw_ops.Sigmoid(x): sigmoid(x) | Squeezes every element into 0 … 1.
ops.Tanh, tf.math.tanh, tf.nn.tanh, tf.raw_ops.Tanh(x): tanh(x) | Squeezes every element into -1 … 1.
ops.Relu, tf.nn.relu, tf.raw_ops.Relu(x): relu(x) | Keeps what is positive, makes the rest 0.
ops.Relu6, tf.nn.relu6, tf.raw_ops.Relu6(x): relu6(x) | Keeps what lies between 0 and 6, cuts off the rest.
ops.LeakyRelu(x, negative_slope: Number = 0.2): leaky_relu(x, negative_slope=negative_slope)
    | Keeps what is positive and multiplies the rest by {negative_slope}.
tf.nn.leaky_relu(x, alpha: Number = 0.2): leaky_relu(x, negative_slope=alpha)
    | Keeps what is positive and multiplies the rest by {alpha}.
ops.Elu, tf.nn.elu, tf.raw_ops.Elu(x, alpha: Number = 1.0): elu(x, alpha=alpha)
    | Keeps what is positive; the rest levels off at -{alpha}.
ops.Celu(x, alpha: Number = 1.0): celu(x, alpha=alpha)
    | Keeps what is positive; the rest levels off smoothly at -{alpha}.
ops.Selu, tf.nn.selu, tf.raw_ops.Selu(x): selu(x)
    | Keeps what is positive, times 1.0507; the rest levels off at -1.7581.
ops.Silu, tf.nn.silu(x): silu(x) | Multiplies every element by its sigmoid.
ops.Gelu(x, approximate: Bool = True): gelu(x, approximate=approximate)
    | Multiplies every element by the share of a normal distribution that lies below it.
tf.nn.gelu(x, approximate: Bool = False): gelu(x, approximate=approximate)
    | Multiplies every element by the share of a normal distribution that lies below it.
ops.Softplus, tf.math.softplus, tf.nn.softplus, tf.raw_ops.Softplus(x): softplus(x)
    | A smooth relu: the logarithm of 1 plus the exponential.
ops.Softsign, tf.nn.softsign, tf.math.softsign, tf.raw_ops.Softsign(x): softsign(x)
    | Divides every element by 1 plus its size.
ops.HardSigmoid(x): hard_sigmoid(x) | A sigmoid of three straight lines.
ops.HardSilu(x): hard_silu(x) | Multiplies every element by its hard sigmoid.
ops.HardTanh(x): hard_tanh(x) | Cuts every element off at -1 and 1.
ops.LogSigmoid, tf.math.log_sigmoid(x): log_sigmoid(x) | The logarithm of the sigmoid of every element.
ops.Glu(x, axis: Int = -1): glu(x, axis=axis)
    | Halves axis {axis} and multiplies the first half by the sigmoid of the second.
ops.HardShrink(x, threshold: Number = 0.5): hard_shrink(x, threshold=threshold)
    | Makes 0 what lies within {threshold} of 0, keeps the rest.
ops.SoftShrink(x, threshold: Number = 0.5): soft_shrink(x, threshold=threshold)
    | Moves every element {threshold} towards 0; what would cross it becomes 0.
ops.TanhShrink(x): tanh_shrink(x) | Takes its hyperbolic tangent away from every element.
ops.Threshold(x, threshold: Number, default_value: Number):
    threshold(x, threshold=threshold, default_value=default_value)
    | Keeps what is larger than {threshold}; the rest becomes {default_value}.
ops.Squareplus(x, b: Number = 4.0): squareplus(x, b=b) | A smooth relu made of a square root.
ops.SparsePlus(x): sparse_plus(x) | 0 up to -1, the element itself from 1 on, a parabola between.
ops.SparseSigmoid(x): sparse_sigmoid(x) | 0 up to -1, 1 from 1 on, a straight line between.
ops.Sparsemax(x, axis: Int = -1): sparsemax(x, axis=axis)
    | Turns scores into shares that sum to 1 {along}, small ones into exactly 0.
ops.Softmax, tf.raw_ops.Softmax(x, axis: AxisArgument = -1): softmax(x, axis=axis)
    | Turns scores into shares that sum to 1 {along}.
tf.nn.softmax, tf.compat.v1.nn.softmax, tf.compat.v1.math.softmax(x, axis: AxisArgument = None):
    softmax(x, axis=-1) if axis is None else softmax(x, axis=axis) | Turns scores into shares that sum to 1.
ops.LogSoftmax, tf.nn.log_softmax, tf.raw_ops.LogSoftmax(x, axis: AxisArgument = None):
    log_softmax(x, axis=-1) if axis is None else log_softmax(x, axis=axis)
    | Turns scores into the logarithms of shares that sum to 1.
"""
