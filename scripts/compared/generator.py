import keras
from keras import layers


class GAN(keras.Model):
    def __init__(self, discriminator, generator, size):
        super().__init__()
        self.discriminator, self.generator, self.size = discriminator, generator, size

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def train_step(self, real):
        noise = keras.random.normal((32, self.size))
        fake = self.generator(noise)
        return {"loss": self.loss_fn(self.discriminator(fake), self.discriminator(real))}


discriminator = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Conv2D(8, 3, strides=2), layers.LeakyReLU(0.2), layers.Flatten(), layers.Dense(1)],
    name="discriminator",
)
generator = keras.Sequential(
    [
        keras.Input((16,)),
        layers.Dense(7 * 7 * 8),
        layers.Reshape((7, 7, 8)),
        layers.Conv2DTranspose(8, 4, strides=2, padding="same"),
        layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
    ],
    name="generator",
)
gan = GAN(discriminator, generator, size=16)
