import keras
from keras import layers

a = keras.Sequential([keras.Input((3,)), layers.Dense(4)], name="a")
b = keras.Sequential([keras.Input((5,)), layers.Dense(4)], name="b")
