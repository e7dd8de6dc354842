import keras
import numpy as np
from keras import layers

x = np.random.rand(1000, 20, 3)
y = keras.utils.to_categorical(np.random.randint(0, 5, 1000), 5)
model = keras.Sequential(
    [keras.Input((20, 3)), layers.GRU(11, dropout=0.2), layers.Dense(4, activation="softmax", kernel_regularizer="l2")]
)
model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=5, batch_size=32, validation_split=0.2)
