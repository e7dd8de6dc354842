import keras
keras.Sequential([keras.Input((3,)), keras.layers.Dense("x")])
