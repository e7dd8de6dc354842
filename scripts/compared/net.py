import keras
from keras import layers

def block(x, filters):
    y = layers.Conv1D(filters, 3, padding="same", activation="relu")(x)
    return layers.MaxPooling1D(2)(y)

x = inputs = keras.Input((16, 2))
for filters in (3, 5):
    x = block(x, filters)
model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
model.compile("sgd", "mse")
