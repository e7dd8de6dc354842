import tensorflow as tf
from tensorflow.keras import Model, layers, regularizers
from tensorflow.keras.optimizers.schedules import ExponentialDecay

FILTERS = {"small": [4, 6], "large": [8, 12, 16]}


def unit(x, filters, stride=1):
    shortcut = x
    y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = tf.nn.relu(y)
    y = layers.Conv2D(filters, 3, padding="same", kernel_regularizer=regularizers.l2(1e-4))(y)
    if shortcut.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, strides=stride)(shortcut)
    return layers.ReLU()(layers.add([y, shortcut]))


def build(size="small"):
    image = tf.keras.Input((24, 24, 3), name="image")
    number = tf.keras.Input((5,), name="number")
    x = layers.Rescaling(1 / 255.0)(image)
    for index, filters in enumerate(FILTERS[size]):
        x = unit(x, filters, stride=2 if index else 1)
    x = tf.reduce_mean(x, axis=[1, 2])
    both = tf.concat([x, layers.Dense(3)(number)], axis=-1)
    label = layers.Dense(10, activation="softmax", name="label")(both)
    value = layers.Dense(1, name="value")(both)
    return Model([image, number], [label, value])


model = build()
model.compile(
    tf.keras.optimizers.SGD(ExponentialDecay(0.1, 1000, 0.9), momentum=0.9),
    loss={"label": "categorical_crossentropy", "value": "mse"},
    loss_weights={"label": 1.0, "value": 0.3},
)
