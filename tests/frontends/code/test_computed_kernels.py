"""A custom layer whose kernel, or table, is computed: reshaped, transposed, cut, repeated, drawn from another weight. Each
product with each of them has a shape, reasons, a formula, an element and gradients; its values are NumPy's longhand in
tests/frontends/code/test_code_truth.py (`transposed_kernel`)."""

import pytest

from layerexplain import api
from layerexplain.frontends.code.reader import read_code

KERNELS = """
self.k
ops.transpose(self.t, (2, 3, 1, 0))
ops.reshape(self.k, (3, 3, 2, 5))
self.k + self.k
self.k / ops.sqrt(ops.sum(self.k * self.k))
ops.concatenate([self.k, self.k], axis=-1)
self.k[..., :3]
ops.stack([self.k[..., 0], self.k[..., 1]], axis=-1)
ops.tile(self.k, (1, 1, 1, 2))
ops.repeat(self.k, 2, axis=-1)
ops.flip(self.k, axis=0)
ops.swapaxes(ops.swapaxes(self.k, 0, 1), 0, 1)
ops.einsum('hwio,op->hwip', self.k, self.p)
ops.matmul(self.k, self.p)
ops.split(self.k, [2], axis=-1)[0]
ops.unstack(ops.stack([self.k, self.k]))[0]
ops.expand_dims(self.k[..., 0], -1)
ops.softmax(self.k, axis=0)
ops.where(self.k > 0, self.k, 0.0)
ops.take(self.k, [2, 0], axis=-1)
ops.pad(self.k, [[0, 0], [0, 0], [0, 0], [1, 0]])
ops.broadcast_to(self.k[..., :1], (3, 3, 2, 7))
ops.ones((3, 3, 2, 5))
ops.top_k(self.k, 2)[0]
ops.moments(ops.stack([self.k, self.k]), axes=[0])[0]
ops.mean(ops.stack([self.k, self.k]), axis=0)
ops.sort(self.k, axis=-1)
ops.cast(self.k > 0.0, 'float32')
""".strip().splitlines()

PRODUCTS = {
    "conv": "ops.conv(x, {})",
    "conv_transpose": "ops.conv_transpose(x, ops.transpose({}, (0, 1, 3, 2)))",
    "depthwise_conv": "ops.depthwise_conv(x, {})",
    "matmul": "ops.matmul(x, {}[0, 0])",
    "einsum": "ops.einsum('bijc,cd->bijd', x, {}[0, 1])",
    "tensordot": "ops.tensordot(x, {}[0], axes=[[3], [1]])",
    "take": "ops.take({}[0, 0], ops.cast(x[..., 0] > 0, 'int32'), axis=0)",
}

PROGRAM = """
import keras
from keras import ops
class Own(keras.layers.Layer):
    def build(self, shape):
        self.k = self.add_weight(shape=(3, 3, 2, 5), name='k')
        self.t = self.add_weight(shape=(5, 2, 3, 3), name='t')
        self.p = self.add_weight(shape=(5, 5), name='p')
    def call(self, x):
        return RESULT
image = keras.Input((11, 13, 2))
model = keras.Model(image, Own()(image))
"""


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_computed_kernel_is_explained_with_every_product(kernel: str) -> None:
    for product, form in PRODUCTS.items():
        source = PROGRAM.replace("RESULT", form.format(f"({kernel})"))
        model = read_code(source.encode(), None, "model")
        assert model.grade == "complete", (product, [note.message for note in model.notes])
        report = api.explain(model, gradient=True)
        assert None not in report.layers[1].to_dict()["output_shapes"][0][1:], product
        assert "Own" in api.format_report(report, "markdown"), product


def test_the_filters_of_a_transposed_kernel_are_the_last_axis() -> None:
    source = PROGRAM.replace("RESULT", "ops.conv(x, ops.transpose(self.t, (2, 3, 1, 0)))")
    report = api.explain(read_code(source.encode(), None, "model"))
    assert report.layers[1].to_dict()["output_shapes"] == [[None, 9, 11, 5]]
