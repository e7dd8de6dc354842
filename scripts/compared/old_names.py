import keras.backend as K
from keras.layers import Convolution2D, Dense, Flatten, Lambda, MaxPooling2D, merge
from keras.models import Sequential

model = Sequential()
model.add(Convolution2D(8, 3, 3, border_mode="same", input_shape=(12, 12, 1), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Lambda(lambda t: K.l2_normalize(t, axis=-1)))
model.add(Flatten())
model.add(Dense(output_dim=4, init="uniform"))
model.compile(loss="mse", optimizer="sgd")
