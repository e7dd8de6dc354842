from keras import Input, Model, layers

a = Input((32,), name="a")
x = layers.Dense(10)(a)
x = layers.LSTM(5)(x)
y = layers.Dense(3)(a)
z = layers.Add()([x, y])
model = Model(a, layers.Dense(4, activation="relu", activaton="tanh")(z))
