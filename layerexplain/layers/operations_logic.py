"""Operations between layers that compare, choose and convert: `x > 0`, `keras.ops.where(…)`, `tf.cast(x, "int32")`.

Keras 3 writes masks with them (`NotEqual(ids, 0)`). Input shape: any; several tensors broadcast. Output shape: the
same. Reference: keras.ops, tf.math.
"""

ROWS = """
ops.Equal(x1, x2): x1 == x2 | Says for each pair of elements whether they are equal.
ops.NotEqual(x1, x2): x1 != x2 | Says for each pair of elements whether they differ.
ops.Less(x1, x2): x1 < x2 | Says for each pair of elements whether the first is smaller.
ops.LessEqual(x1, x2): x1 <= x2 | Says for each pair of elements whether the first is at most the second.
ops.Greater(x1, x2): x1 > x2 | Says for each pair of elements whether the first is larger.
ops.GreaterEqual(x1, x2): x1 >= x2 | Says for each pair of elements whether the first is at least the second.
ops.LogicalAnd(x1, x2): logical_and(x1, x2) | Says for each pair of elements whether both are true.
ops.LogicalOr(x1, x2): logical_or(x1, x2) | Says for each pair of elements whether one of them is true, or both.
ops.LogicalXor(x1, x2): logical_xor(x1, x2) | Says for each pair of elements whether just one of them is true.
ops.LogicalNot, tf.math.logical_not, tf.raw_ops.LogicalNot(x): logical_not(x)
    | Turns true into false and false into true.
ops.Isnan, tf.math.is_nan, tf.raw_ops.IsNan(x): isnan(x) | Says of each element whether it is not a number.
ops.Isinf, tf.math.is_inf(x): isinf(x) | Says of each element whether it is infinite.
ops.Isfinite, tf.math.is_finite(x): isfinite(x)
    | Says of each element whether it is an ordinary number: neither infinite nor undefined.
ops.Where(condition, x1, x2): where(condition, x1, x2)
    | Takes the element of the first tensor where the condition holds, else that of the second.
ops.Cast, ops.SaturateCast, tf.cast(x, dtype: Dtype): cast(x, to=dtype) | Turns every element into {dtype}.
ops.StopGradient, ops.Copy, ops.ConvertToTensor, tf.identity, tf.stop_gradient, tf.convert_to_tensor,
    tf.raw_ops.Identity, tf.raw_ops.StopGradient(x):
    x | Hands its input on unchanged.
tf.ensure_shape(x, shape: Anything = None): x
    | Hands its input on unchanged, once its shape is known to be the expected one.
"""
