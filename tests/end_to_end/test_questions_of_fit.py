"""Questions as they are asked, about data that do not fit and models that do not learn: what an answer must contain."""

from typing import NamedTuple

import pytest

from tests.support.commands import invoke

IMPORTS = "import numpy as np\nimport tensorflow as tf\nfrom keras.models import Model, Sequential\nfrom keras.utils import to_categorical\nfrom keras.layers import *\n"


class Question(NamedTuple):
    """The code of a question, the arguments of `check`, and what its answer contains, in this order."""

    code: str
    answer: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    status: int = 1


QUESTIONS = {
    "expected lstm_input to have 3 dimensions, but got array with shape (100, 9)": Question(
        "X = np.random.rand(100, 9)\ny = np.random.rand(100, 1)\nmodel = Sequential()\nmodel.add(LSTM(32, input_dim=9))\n"
        "model.add(Dense(1))\nmodel.compile(loss='mse', optimizer='adam')\nmodel.fit(X, y)\n",
        ("1 breaking", "fit() needs X of shape (examples, steps, 9)", "yours is (100, 9)",
         "`X = X[:, None, :]` makes each example one step"),
    ),
    "the same, with the shapes alone": Question(
        "model = Sequential()\nmodel.add(LSTM(32, input_dim=9))\nmodel.add(Dense(1))\n",
        ("fit() needs X of shape (examples, steps, 9)", "yours is (100, 9)", "`X = X[:, None, :]`"),
        ("--data", "X=100,9"),
    ),
    "Negative dimension size with input_shape=(1, 28, 28)": Question(
        "model = Sequential()\nmodel.add(Conv2D(32, (3, 3), activation='relu', input_shape=(1, 28, 28)))\n"
        "model.add(MaxPooling2D((2, 2)))\nmodel.add(Flatten())\nmodel.add(Dense(10, activation='softmax'))\n",
        # What breaks comes first, with the way out; the cause is the other finding.
        ("map-used-up", "give it as (28, 28, 1)", "channels-first-as-last", "read as 1 row with 28 channels"),
    ),
    "(60000, 1, 28, 28) into a convolution": Question(
        "model = Sequential()\nmodel.add(Conv2D(32, (3, 3), activation='relu', input_shape=(28, 28, 1)))\nmodel.add(Flatten())\n"
        "model.add(Dense(10, activation='softmax'))\n",
        ("fit() needs X of shape (examples, 28, 28, 1)", "yours is (60000, 1, 28, 28)", "`X = np.moveaxis(X, 1, -1)`"),
        ("--data", "X=60000,1,28,28"),
    ),
    "expected min_ndim=4, found ndim=3, from images without a channel": Question(
        "(x_train, y_train), (x_test, y_test) = tf.keras.datasets.mnist.load_data()\nmodel = tf.keras.models.Sequential([\n"
        "  tf.keras.layers.Conv2D(32, (3,3), activation='relu'),\n  tf.keras.layers.Flatten(),\n  tf.keras.layers.Dense(10)\n])\n"
        "model.compile('adam', tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))\nmodel.fit(x_train, y_train)\n",
        ("1 breaking", "got (None, 28, 28) with 3", "`X = X[:, :, :, None]`"),
    ),
    "An autoencoder that does not come back to 28 rows: Dimensions must be equal, but are 28 and 32": Question(
        "input_img = Input(shape=(28, 28, 1))\nx = input_img\nfor filters in (16, 8, 8):\n"
        "    x = Conv2D(filters, 3, activation='relu', padding='same')(x)\n    x = MaxPooling2D((2, 2), padding='same')(x)\n"
        "for filters in (8, 8, 16):\n    x = Conv2D(filters, 3, activation='relu', padding='same')(x)\n    x = UpSampling2D((2, 2))(x)\n"
        "decoded = Conv2D(1, 3, activation='sigmoid', padding='same')(x)\nautoencoder = Model(input_img, decoded)\n"
        "autoencoder.compile('adam', 'binary_crossentropy')\nautoencoder.fit(train, train, epochs=50)\n",
        ("1 breaking", "needs y of shape (examples, 32, 32, 1)", "yours is (examples, 28, 28, 1)", "`Cropping2D(2)`"),
    ),
    "A sequence of images into an LSTM: expected ndim=3, found ndim=2": Question(
        "cnn = Sequential()\ncnn.add(Conv2D(16, 3, activation='relu', input_shape=(64, 64, 3)))\ncnn.add(MaxPooling2D())\n"
        "cnn.add(Flatten())\ncnn.add(LSTM(32))\ncnn.add(Dense(5, activation='softmax'))\n",
        ("no-sequence", "got (None, 15376), without steps", "wrap the layers before it in TimeDistributed"),
    ),
    "A frozen base whose model is trained on labels: the base itself has nothing wrong": Question(
        "(x, y), _ = tf.keras.datasets.cifar10.load_data()\ni = Input((32, 32, 3))\n"
        "base = Model(i, GlobalAveragePooling2D()(Conv2D(4, 3)(i)), name='base')\n"
        "model = Model(base.input, Dense(10, activation='softmax')(base.output))\n"
        "model.compile('adam', 'categorical_crossentropy')\nmodel.fit(x, y)\n",
        ("model · <stdin> (code) · 1 breaking", "yours is (50000, 1)", "`y = keras.utils.to_categorical(y, 10)`"),
    ),
    "One target for each example, and an output for each step: expected dense_1 to have 3 dimensions": Question(
        "Why three?\n\nmodel = Sequential()\nmodel.add(LSTM(50, return_sequences=True, input_shape=(60, 1)))\n"
        "model.add(LSTM(50, return_sequences=True))\nmodel.add(Dense(1))\nmodel.compile('adam', 'mean_squared_error')\n"
        "model.fit(X_train, y_train)\n"
        "# ValueError: Error when checking target: expected dense_1 to have 3 dimensions, but got array with shape (1198, 1)\n",
        ("1 wrong", "compares the one number of an example with each of its 60 steps", "give 'lstm_1' return_sequences=False"),
    ),
    "X and y that are parts of one array": Question(
        "model = Sequential([Dense(8, activation='relu', input_dim=4), Dense(1)])\nmodel.compile('adam', 'mse')\n"
        "model.fit(table[:, :4], table[:, 4])\n",
        ("nothing found",),
        status=0,
    ),
    "Why does my network with four sigmoid layers not learn?": Question(
        "model = Sequential([Dense(16, activation='sigmoid', input_shape=(8,))] + [Dense(16, activation='sigmoid') for _ in range(3)]"
        " + [Dense(3, activation='softmax')])\nmodel.compile('sgd', 'categorical_crossentropy')\n",
        ("4 sigmoids follow each other: their slopes pass at most 1/256 of a gradient", "Use relu inside the model",
         "the kernel of 'dense_4' gets", "that of 'dense'", "times less"),
        ("--run",),
    ),
    "expected dense_2 to have shape (3,) but got array with shape (1,)": Question(
        "X = np.random.rand(150, 4)\ny = np.random.randint(0, 3, (150, 1))\n"
        "model = Sequential([Dense(8, activation='relu', input_dim=4), Dense(3, activation='softmax')])\n"
        "model.compile(loss='categorical_crossentropy', optimizer='adam')\nmodel.fit(X, y)\n",
        ("fit() needs y of shape (examples, 3), one-hot", "yours is (150, 1)", "`y = keras.utils.to_categorical(y, 3)`",
         "sparse_categorical_crossentropy, which takes class numbers"),
    ),
    "The last batch of a stateful model": Question(
        "X, y = np.zeros((100, 10, 1)), np.zeros((100, 1))\nmodel = Sequential()\n"
        "model.add(LSTM(4, stateful=True, batch_input_shape=(32, 10, 1)))\nmodel.add(Dense(1))\n"
        "model.compile('adam', 'mse')\nmodel.fit(X, y, batch_size=32, shuffle=False)\n",
        ("100 examples make 3 batches of 32, and 4 more", "`X = X[:96]`", "batch_size=32"),
    ),
    "A series of 75 numbers into a convolution: negative dimension": Question(
        "net = Sequential()\nnet.add(Conv1D(24, 9, activation='relu', input_shape=(1, 75)))\nnet.add(MaxPooling1D(2))\n"
        "net.add(Flatten())\nnet.add(Dense(4, activation='softmax'))\n",
        ("map-used-up", "give it as (75, 1)", "channels-first-as-last", "(None, 1, 75) is read as 1 step with 75 channels"),
    ),
    "Why does it need Flatten before Dense? expected 4 dimensions, but got array with shape (80, 6)": Question(
        "X = np.random.random((80, 32, 32, 3))\ny = to_categorical(np.random.randint(6, size=(80, 1)), num_classes=6)\n"
        "i = Input((32, 32, 3))\nh = Conv2D(16, 3, activation='relu')(i)\no = Dense(6, activation='softmax')(h)\n"
        "model = Model(i, o)\nmodel.compile('adam', 'categorical_crossentropy')\nmodel.fit(X, y)\n",
        ("data-shape", "Put Flatten or GlobalAveragePooling2D before the last Dense, if there is one target for each example",
         "class-loss-on-map", "30 × 30 places with 6 classes each"),
    ),
    "Three classes, and only Dense(4) works": Question(
        "I have 3 classes (1, 2 and 3). Why do I need 4 units?\n\nmodel = Sequential()\nmodel.add(Embedding(900, 16, input_length=20))\n"
        "model.add(LSTM(12))\nmodel.add(Dense(3, activation='softmax'))\nmodel.compile('adam', 'categorical_crossentropy')\n"
        "model.fit(train_x, train_y)\n\n"
        "ValueError: Error when checking target: expected dense_1 to have shape (None, 3) but got array with shape (5000, 4)\n",
        ("yours is (5000, 4)", "the last layer 4 units", "to_categorical gives an empty column for 0", "`y = y[:, 1:]`"),
    ),
    "An Embedding without a length, and 4 columns of labels": Question(
        "Why 4?\n\nError when checking target: expected dense_1 to have shape (None, 3) but got array with shape (613, 4)\n\n"
        "model = Sequential()\nmodel.add(Embedding(900, 16))\nmodel.add(LSTM(12))\nmodel.add(Dense(3, activation='softmax'))\n"
        "model.compile('adam', 'categorical_crossentropy')\nmodel.fit(train_x, train_y)\n",
        ("yours is (613, 4)", "the last layer 4 units", "to_categorical gives an empty column for 0"),
    ),
    "Code that is indented between prompts of >>": Question(
        ">> print(X[0])\n[[0.1 0.2]\n [0.3 0.4]]\n>>> print(y[0])\n[1]\n\nThis is the model:\n\n        model = Sequential()\n"
        "        model.add(Dense(8, activation='relu',\n                        input_dim=5))\n"
        "        model.add(Dense(1))\n        model.add(Activation('softmax'))\n\n>> print(confusion(y, p))\n[[0 3]\n [0 5]]\n",
        ("softmax-over-one", "softmax runs over the last axis of (None, 1)"),
    ),
    "An input of an unknown size, and the error that tells it": Question(
        "Input 0 of layer conv1d is incompatible with the layer: : expected min_ndim=3, found ndim=2. Full shape received: (None, 30)\n\n"
        "What is wrong with it?\n\ni = Input(shape=(frame.shape[1],))\nx = Conv1D(8, 5)(i)\nmodel = Model(i, Dense(1)(x))\n",
        ("1 breaking", "'conv1d' needs 3 axes and got (None, 30)", "`X = X[..., None]` makes each value a step of 1 feature"),
    ),
    "input_shape with the number of examples: expected ndim=4, found ndim=5": Question(
        "ValueError: Input 0 is incompatible with layer conv2d_1: expected ndim=4, found ndim=5\n\nWhat does it want?\n\n"
        "model = Sequential()\nmodel.add(Conv2D(8, 3, input_shape=images.shape))\nmodel.add(Flatten())\n",
        ("1 breaking", "'conv2d_1' needs 4 axes and got 5", "input_shape is that of one example, without their number, as X.shape[1:]"),
    ),
    "Concatenate of two layers in a Sequential model": Question(
        "result = Sequential()\nresult.add(Concatenate([Dense(2), Dense(3)]))\n",
        ("Concatenate gets models or layers as an argument", "y = Concatenate()([one.output, other.output])",
         "keras.Model([one.input, other.input], y)"),
    ),
    "input_dim is the number of steps": Question(
        "X = np.random.rand(613, 7, 1)\nmodel = Sequential([LSTM(5, input_dim=7), Dense(1)])\nmodel.compile('adam', 'mse')\n"
        "model.fit(X, np.zeros((613, 1)))\n",
        ("fit() needs X of shape (examples, steps, 7)", "yours is (613, 7, 1)", "input_shape=(7, 1) builds the model for this X"),
    ),
    "Decoder of a Bidirectional encoder: initial_state is not compatible": Question(
        "What do I pass on = 4 states or 2?\n\ne = Input((None, 20))\n_, fh, fc, bh, bc = Bidirectional(LSTM(32, return_state=True))(e)\n"
        "d = Input((None, 30))\ny, _, _ = LSTM(32, return_sequences=True, return_state=True)(d, initial_state=[fh, fc, bh, bc])\n"
        "model = Model([e, d], Dense(30, activation='softmax')(y))\n",
        ("1 breaking", "LSTM needs 2 initial states (h, c), got 4", "Concatenate()([h, h_backward])", "give LSTM 64 units"),
    ),
    "merge: matching shapes except for the concat axis": Question(
        'I get "[(None, 12, 12, 24), (None, 12, 12, 8)] do not match". Where is the mistake?\n\n'
        "i = Input((24, 24, 3))\nx = MaxPooling2D(2)(Conv2D(24, 5, padding='same', activation='relu')(i))\n"
        "x = concatenate([x, Conv2D(8, 3, padding='same', activation='relu')(x)], axis=1)\nmodel = Model(i, x)\n",
        ("1 breaking", "equal except along axis 1", "axis=3 fits"),
    ),
    "x ** 2 works and x ** 4 does not": Question(
        "y = x**2 works, y = x**4 does not. Why?\n\nx = np.random.uniform(-50, 50, size=(3000, 1))\ny = x ** 4\nmodel = Sequential()\n"
        "model.add(Dense(40, activation='sigmoid', input_dim=1))\nmodel.add(Dense(1))\nmodel.compile('adam', 'mse')\nmodel.fit(x, y)\n",
        ("X goes from -50 to 50, and no layer scales it", "y goes from 0 to 6.25e+06", "`y = (y - y.mean()) / y.std()`"), (), 0,
    ),
    "class_mode='binary' beside two units": Question(
        "loss stays at 7.97 and accuracy at 0.5. What is wrong?\n\nimages = ImageDataGenerator(rescale=1./255)\n"
        "train = images.flow_from_directory('data/train', target_size=(50, 50), batch_size=20, class_mode='binary')\n"
        "model = Sequential()\nmodel.add(Conv2D(8, 3, activation='relu', input_shape=(50, 50, 3)))\nmodel.add(Flatten())\n"
        "model.add(Dense(2, activation='softmax'))\nmodel.compile('adam', 'categorical_crossentropy')\n"
        "model.fit_generator(train, epochs=10)\n",
        ("1 breaking", "needs y of shape (examples, 2), one-hot", "Give the images with class_mode='categorical'"),
    ),
    "expects 2 inputs, but it received 1 input tensors": Question(
        "a, b = Input((10,), name='num'), Input((5,), name='cat')\nmodel = Model([a, b], Dense(1)(concatenate([a, b])))\n"
        "model.compile('adam', 'mse')\nmodel.fit(np.random.rand(70, 15), np.zeros((70, 1)))\n",
        ("1 breaking", "needs data for 2 inputs, got one array: `X = [X[:, :10], X[:, 10:]]` takes its columns apart, for num and cat"),
    ),
    "One array for a model with two inputs, of another width": Question(
        "a, b = Input((10,), name='num'), Input((5,), name='cat')\nmodel = Model([a, b], Dense(1)(concatenate([a, b])))\n"
        "model.compile('adam', 'mse')\nmodel.fit(np.random.rand(70, 14), np.zeros((70, 1)))\n",
        ("1 breaking", "got one array: give a list, `[X_num, X_cat]`, with an array for each"),
    ),
    "Targets of two outputs in one array": Question(
        "i = Input((20,))\nage, sex = Dense(1, name='age')(i), Dense(1, activation='sigmoid', name='sex')(i)\n"
        "model = Model(i, [age, sex])\nmodel.compile('adam', ['mse', 'binary_crossentropy'])\n"
        "model.fit(np.zeros((70, 20)), np.zeros((70, 2)))\n",
        ("1 breaking", "needs targets for 2 outputs, got one array: give a list, `[y_age, y_sex]`, with an array for each"),
    ),
    "predict() of one image: expected shape=(None, 28, 28, 1), found shape=(None, 28)": Question(
        "model = Sequential([Conv2D(8, 3, input_shape=(28, 28, 1)), Flatten(), Dense(10, activation='softmax')])\n"
        "model.predict(np.zeros((28, 28)))\n",
        ("1 breaking", "yours is (28, 28). `X = X[None, ..., None]` makes it one example with one channel"),
    ),
    "A class for each step beside a model that returns one": Question(
        "X = np.random.rand(70, 30, 8)\ny = np.random.randint(0, 4, size=(70, 30))\nmodel = Sequential()\n"
        "model.add(LSTM(64, input_shape=(30, 8)))\nmodel.add(Dense(4, activation='softmax'))\n"
        "model.compile('adam', 'sparse_categorical_crossentropy')\nmodel.fit(X, y)\n",
        ("1 breaking", "yours is (70, 30). Give 'lstm' return_sequences=True"),
    ),
    "Data of a table that is not shown": Question(
        "df = pd.read_csv('data.csv')\nX = df.values[:, :-1]\nmodel = Sequential()\nmodel.add(GRU(50, input_shape=(X.shape[1], 1)))\n"
        "model.add(Dense(1))\n",
        ("it comes from pandas.read_csv(…)", "give for example --set X.shape=1000,32"), (), 0,
    ),
    "Shapes (None, 4) and (None, 1, 4) are incompatible": Question(
        "I choose one of 4 offers with 3 numbers each, which one fits?\n\ni = Input((4, 3))\n"
        "parts = Lambda(lambda t: tf.split(t, num_or_size_splits=4, axis=1))(i)\nscore = Dense(1, activation='sigmoid')\n"
        "joined = Concatenate()([score(parts[0]), score(parts[1]), score(parts[2]), score(parts[3])])\n"
        "model = Model(i, Dense(4, activation='softmax')(joined))\nmodel.compile('adam', 'categorical_crossentropy')\n"
        "model.fit(offers, chosen)\n\n  File \"/lib/keras/losses.py\", line 9, in f\nreturn backend.loss(\n"
        "ValueError: Shapes (None, 4) and (None, 1, 4) are incompatible\n",
        ("Put Flatten or GlobalAveragePooling1D before the last Dense", "1 place with 4 classes each"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_contains_what_was_asked_for(name: str) -> None:
    question = QUESTIONS[name]
    result = invoke("check", "-", *question.arguments, input=IMPORTS + question.code)
    assert result.exit_code == question.status, result.output
    at = 0
    for part in question.answer:
        assert part in result.stdout[at:], f"{part!r} is not there, or not in its place:\n{result.stdout}"
        at = result.stdout.index(part, at)
