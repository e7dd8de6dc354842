"""A branch whose test is not known counts where it reaches a layer or a model, and nowhere else.

Each program chooses by `t`, which only running it would tell; `n` is 3 before. Where the choice reaches the model, the
other side of the branch would have given another one: so the answer is never complete.
"""

import pytest

from layerexplain import explain
from layerexplain.frontends.code.reader import read_code

BEFORE = "import os\nt, n, names = os.environ.get('T'), 3, [3]\nclass Options:\n    pass\nhp = Options()\n"
MODEL = "m = Sequential([Input((4,)), Dense({}, name='d')])\n"

OWN = (
    "class Own(Model):\n    def __init__(self, n):\n        super().__init__()\n        self.d = Dense(n)\n"
    "    def call(self, x):\n        y = self.d(x)\n        return y * 2\n"
)

ASSUMED = {
    "a name": "if t:\n    n = 5\n" + MODEL.format("n"),
    "through another name": "if t:\n    n = 5\nk = n * 2\n" + MODEL.format("k"),
    "through two names at once": "if t:\n    n = 5\nk, j = n, 7\n" + MODEL.format("k"),
    "through the test of a known branch": "if t:\n    n = 5\nif n > 4:\n    k = 2\nelse:\n    k = 7\n" + MODEL.format("k"),
    "through a function": "def f(x):\n    return x + 1\nif t:\n    n = 5\n" + MODEL.format("f(n)"),
    "a return": "def f():\n    if t:\n        return 5\n    return 3\n" + MODEL.format("f()"),
    "a return through a name": "def f():\n    if t:\n        return 5\n    return 3\nk = f()\n" + MODEL.format("k"),
    "a return before the layers": "def f(m):\n    if t:\n        return m\n    m.add(Dense(2))\n    return m\n"
    "m = f(Sequential([Input((4,)), Dense(3)]))\n",
    "a list": "if t:\n    names.append(5)\n" + MODEL.format("names[-1]"),
    "a list with what hangs on it": "if t:\n    n = 5\nnames.append(n)\n" + MODEL.format("names[-1]"),
    "a list that the other side changes": "if t:\n    pass\nelse:\n    names.append(5)\n" + MODEL.format("names[-1]"),
    "an attribute": "hp.n = 3\nif t:\n    hp.n = 5\n" + MODEL.format("hp.n"),
    "an attribute through a name": "if t:\n    n = 5\nhp.n = n\n" + MODEL.format("hp.n"),
    "an expression": "k = 5 if t else 3\n" + MODEL.format("k"),
    "a closure": "def f():\n    return n\nif t:\n    n = 5\n" + MODEL.format("f()"),
    "a generator": "def f():\n    if t:\n        yield 5\n    yield 3\n" + MODEL.format("next(iter(f()))"),
    "a default": "if t:\n    n = 5\ndef f(k=n):\n    return Dense(k)\nm = Sequential([Input((4,)), f()])\n",
    "a model": MODEL.format("3") + "if t:\n    m.add(Dense(2))\n",
    "a model on the other side": MODEL.format("3") + "if t:\n    pass\nelse:\n    m.add(Dense(2))\n",
    "a model by a function on the other side": MODEL.format("3") + "def grow():\n    m.add(Dense(2))\nif t:\n    pass\nelse:\n    grow()\n",
    "what is trained": MODEL.format("3") + "if t:\n    m.trainable = False\n",
    "names that are drawn": "if t:\n    Dense(2)\nm = Sequential([Input((4,)), Dense(3)])\n",
    "names that are drawn on the other side": "if t:\n    pass\nelse:\n    Dense(2)\n"
    "m = Sequential([Input((4,)), Dense(3)])\n",
    "a round that is left": "m = Sequential([Input((4,))])\nfor k in (3, 5):\n    if t:\n        continue\n    m.add(Dense(k))\n",
    "a round that is left by a known test": "m = Sequential([Input((4,))])\nif t:\n    n = 5\nfor k in (3, 5):\n"
    "    if n > 4:\n        continue\n    m.add(Dense(k))\n",
    "the other side of a known test": MODEL.format("3") + "if t:\n    n = 5\nif n > 4:\n    k = 1\nelse:\n    m.add(Dense(2))\n",
    "the other side of a known expression": MODEL.format("3") + "if t:\n    n = 5\nk = 1 if n > 4 else m.add(Dense(2))\n",
    "the rest of a known test": MODEL.format("3") + "if t:\n    n = 5\nn > 4 or m.add(Dense(2))\n",
    "how many rounds there are": "if t:\n    n = 0\nm = Sequential([Input((4,))])\nfor k in range(n):\n    m.add(Dense(k + 1))\n",
    "the command line": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--n', type=int, default=3)\n"
    "a = p.parse_args()\n" + MODEL.format("a.n"),
    "an argument of an own model": "if t:\n    n = 5\n" + OWN + "m = Own(n)\nm.build((None, 4))\n",
    "what the call of an own model reads": "k = 3\nif t:\n    k = 5\n" + OWN.replace("y * 2", "y * k") + "m = Own(n)\nm.build((None, 4))\n",
    "a test in the call of an own model": OWN.replace("y * 2", "y if t else y * 2") + "m = Own(n)\nm.build((None, 4))\n",
    "a layer that an own model gets later": OWN + "m = Own(n)\nif t:\n    m.d = Dense(7)\nm.build((None, 4))\n",
    "an array that is changed": "import numpy as np\na = np.ones(3, int)\nif t:\n    a[0] = 5\n" + MODEL.format("int(a[0])"),
    "a layer at an unknown place": MODEL.format("3") + "m.layers[t].trainable = False\n",
    "a layer by an unknown name": MODEL.format("3") + "m.get_layer(t).trainable = False\n",
    "layers up to an unknown place": MODEL.format("3") + "for k in m.layers[:t]:\n    k.trainable = False\n",
    "layers up to an unknown place, counted": MODEL.format("3") + "for k in range(len(m.layers) - int(t)):\n    m.layers[k].trainable = False\n",
    "layers of an attribute that is not read": MODEL.format("3") + "for k in m._layers:\n    k.trainable = False\n",
    "layers with unknown names": MODEL.format("3") + "for k in [k for k in m.layers if k.name in t]:\n    k.trainable = False\n",
    "a later round of a loop over unknown data": MODEL.format("3") + "k = 0\nfor row in t:\n    k += 1\n    if k == 3:\n        m.trainable = False\n",
    "a later round of a long loop": MODEL.format("3")
    + "m.compile('adam', 'mse')\nfor k in range(9999):\n    m.train_on_batch(names, names)\n"
    "    if k == 5000:\n        m.trainable = False\n",
    "a loop over changes that is long": MODEL.format("3")
    + "for k in range(99999):\n    if k % 7 == 3:\n        n = 5\n    else:\n        m.trainable = True\n",
    "a later round with a flag": MODEL.format("3") + "k = False\nfor row in t:\n    if k:\n        m.trainable = False\n    k = True\n",
    "a model that is changed before and after": MODEL.format("3") + "if t:\n    n = 5\nm.add(Dense(n))\n",
}  # fmt: skip

COMPLETE = {
    "a name that no layer has": "if t:\n    k = 5\nelse:\n    k = 7\nprint(k)\n" + MODEL.format("n"),
    "a function on data": "def f(x):\n    if t:\n        return x[:5]\n    y = x.mean()\n    return y\n"
    "rows = [f(1) for _ in range(3)]\n" + MODEL.format("n"),
    "a list of data": "rows = []\nfor k in os.listdir('.'):\n    if k.endswith('.txt'):\n        rows.append(k)\n    else:\n"
    "        rows.clear()\n" + MODEL.format("n"),
    "a round that is left": "for k in os.listdir('.'):\n    if k in names:\n        print(k)\n        continue\n    print(k)\n" + MODEL.format("n"),
    "a model that was made before": MODEL.format("n") + "if t:\n    n = 5\nother = Dense(n)\n",
    "a model that is only asked": MODEL.format("n") + "def play():\n    if t:\n        return 1\n    return m.predict(names)\nfor _ in range(3):\n    play()\n",
    "a local name like a layer outside": "d = Dense(2)\ndef f():\n    if t:\n        return 1\n    d = 4\n    return d\nf()\n" + MODEL.format("n"),
    "a loss of tensors, and a training": "x = Input((4,))\ny = Dense(n)(x)\nm = Model(x, y)\nif t:\n    loss = mse(x, y)\n"
    "else:\n    loss = mae(x, y)\nm.add_loss(loss)\nm.compile()\nif t:\n    m.load_weights('w')\nelse:\n    m.fit(names)\n",
    "an own model that was made before": OWN + "m = Own(n)\nm.build((None, 4))\nif t:\n    n = 5\nother = Dense(n)\n",
    "a text that is compared with what is not known": "k = 'small'.startswith(t)\nj = 'a-b'.replace('-', t)\n" + MODEL.format("n"),
    "a later round that only asks the model": MODEL.format("n")
    + "m.compile('adam', 'mse')\nfor k in range(9999):\n    m.train_on_batch(names, names)\n"
    "    if k == 5000:\n        print(m.predict(names))\n",
    "a layer at an unknown place that is only asked": MODEL.format("n") + "print(m.layers[t].name, m.get_layer(t))\n",
    "the command line": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=3)\n"
    "a = p.parse_args()\n" + MODEL.format("n") + "m.compile(loss='mse')\n",
}  # fmt: skip


def grade(code: str) -> str:
    return read_code((BEFORE + code).encode(), None, "m").grade


@pytest.mark.parametrize("name", ASSUMED)
def test_a_choice_that_reaches_the_model_is_told(name: str) -> None:
    assert grade(ASSUMED[name]) != "complete"


@pytest.mark.parametrize("name", COMPLETE)
def test_a_choice_that_reaches_no_model_is_none(name: str) -> None:
    assert grade(COMPLETE[name]) == "complete"


@pytest.mark.parametrize(
    "test",
    [
        "for k in m.layers:\n    if isinstance(k, BatchNormalization):\n        k.trainable = False\n",
        "for k in range(len(m.layers)):\n    m.layers[k].trainable = not m.layers[k].name.startswith('batch')\n",
        "for k, one in enumerate(m.layers):\n    if k == 149:\n        one.trainable = False\n",
        "for k in m.layers:\n    try:\n        k.trainable = k.epsilon == 7\n    except AttributeError:\n        pass\n",
        "for k in m.layers:\n    k.name.startswith('batch') and setattr(k, 'trainable', False)\n",
        "for k in range(150):\n    k == 149 and setattr(m.layers[k], 'trainable', False)\n",
        "for k in range(150):\n    match k:\n        case 149:\n            m.layers[k].trainable = False\n",
    ],
)
def test_all_layers_of_a_long_model_are_met(test: str) -> None:
    layers = "[Dense(4) for _ in range(149)] + [BatchNormalization()]"
    model = explain(f"m = Sequential([Input((4,))] + {layers})\n{test}".encode())
    assert (model.grade, model.totals.trainable) == ("complete", 149 * 20)


def test_a_name_that_is_not_known_is_told() -> None:
    assert grade("m = Sequential([Input((4,)), Dense(3, name=t)])\n") == "assumed"


def test_names_are_computed_from_characters() -> None:
    model = read_code(b"m = Sequential([Input((4,)), Dense(3, name=f'b{chr(ord(\"a\") + 2)}')])\n", None, "m")
    assert [layer.name for layer in model.layers][1:] == ["bc"]
