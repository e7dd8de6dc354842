"""A number → a program with a structure that holds itself, or holds one thing over and over, in a place that takes one.

The structures are lists, dicts, tuples, objects, records and modules; each stands in each place of Keras and of PyTorch.
"""

import random
from functools import cache

KERAS = """import collections, copy, dataclasses, functools, json
import numpy as np
import tensorflow as tf
import keras
from keras import layers, ops
x = keras.Input((3,))
m = keras.Sequential([keras.Input((3,))])
"""
TORCH = """import collections, copy, dataclasses
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
"""
RECORD = "@dataclasses.dataclass\nclass R:\n    a: object\n    b: object\ns = R({l}, {l})\n"
TIMES = "for i in range(60):\n    "

STRUCTURES = [
    "s = [{l}]\ns.append(s)",
    "s = []\ns.append(s)",
    "s = [{l}]\n" + TIMES + "s = [s, s]",
    "s = [{l}] * 9\nfor i in range(6):\n    s = [s] * 9",
    "s = ({l},)\n" + TIMES + "s = (s, s)",
    "s = {{'a': {l}}}\n" + TIMES + "s = {{'a': s, 'b': s}}",
    "s = {{'a': {l}}}\ns['b'] = s",
    "t = [{l}]\ns = ({l}, t)\nt.append(s)",
    "s = [{l}]\nfor i in range(3000):\n    s = [s]",
    "class O:\n    pass\ns = O()\ns.a = {l}\ns.b = s",
    "class O:\n    pass\no = O()\ns = [{l}, o]\no.a = s",
    RECORD + TIMES + "s = R(s, s)",
    RECORD + "s.b = s",
    "R = collections.namedtuple('R', 'a b')\ns = R({l}, {l})\n" + TIMES + "s = R(s, s)",
]
"""Structures; `l` is what is in them."""
OF_KERAS = [
    "s = {l}\ns.a = s",
    "s = keras.Sequential([{l}])\ns.add(s)",
    "s = keras.Sequential([{l}])\n" + TIMES + "s = keras.Sequential([s, s])",
    "s = keras.Sequential([{l}])\nfor i in range(3000):\n    s = keras.Sequential([s])",
]
OF_TORCH = [
    "s = nn.ModuleList([{l}])\ns.append(s)",
    "s = nn.Sequential({l})\ns.append(s)",
    "s = nn.Sequential({l})\n" + TIMES + "s = nn.Sequential(s, s)",
    "s = nn.Sequential({l})\nfor i in range(3000):\n    s = nn.Sequential(s)",
    "s = nn.ModuleDict({{'a': {l}}})\ns['b'] = s",
    "class Q(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.f = {l}\n    def forward(self, x):\n"
    "        return self.f(x)\ns = Q()\ns.b = s",
]

PLACES_OF_KERAS = [
    "m = keras.Model(x, s)",
    "m = keras.Model(s, x)",
    "m = keras.Model(inputs=s, outputs=s)",
    "m.add(layers.Add()(s))",
    "y = layers.Add()(s)\nm = keras.Model(x, y)",
    "y = layers.Dense(3)(s)\nm = keras.Model(x, y)",
    "m.add(layers.Dense(s))",
    "m.add(layers.Dense(3, name=s))",
    "m.add(layers.Dense(3, activation=s))",
    "m.add(layers.Dense(3, kernel_initializer=s))",
    "m = keras.Sequential(s)",
    "m = keras.Sequential([s])",
    "m.add(s)",
    "m = keras.Sequential([keras.Input((3,)), *s])",
    "class A(layers.Layer):\n    pass\n    def call(self, x):\n        return s\nm.add(A())",
    "class A(layers.Layer):\n    pass\n    def call(self, x):\n        return [x, s]\ny = A()(x)\nm = keras.Model(x, y)",
    "class A(layers.Layer):\n    pass\n    def call(self, x, t=None):\n        return x\ny = A()(x, t=s)\nm = keras.Model(x, y)",
    "class A(layers.Layer):\n    pass\n    def call(self, x):\n        return x\ny = A()(s)\nm = keras.Model(x, y)",
    "class A(layers.Layer):\n    def __init__(self):\n        super().__init__()\n        self.s = s\n    def call(self, x):\n        return self.s\nm.add(A())",
    "class A(layers.Layer):\n    def __init__(self):\n        super().__init__()\n        self.s = s\n    def call(self, x):\n        return x\nm.add(A())",
    "class A(layers.Layer):\n    def get_config(self):\n        return s\n    def call(self, x):\n        return x\nm.add(A())\nm = keras.models.clone_model(m)",
    "class A(layers.Layer):\n    def compute_output_shape(self, shape):\n        return s\n    def call(self, x):\n        return u(x)\nm.add(A())",
    "class A(layers.Layer):\n    def build(self, shape):\n        self.w = self.add_weight(shape=s)\n    def call(self, x):\n        return x * self.w\nm.add(A())",
    "class A(layers.Layer):\n    def compute_mask(self, x, mask=None):\n        return s\n    def call(self, x):\n        return x\nm.add(A())\nm.add(layers.Dense(3))",
    "class B(keras.Model):\n    def call(self, x):\n        return s\nm = B()\nm(x)",
    "class B(keras.Model):\n    def call(self, x):\n        t = [x]\n        t.append(t)\n        return t\nm = B()\nm(x)",
    "class B(keras.Model):\n    def call(self, x):\n        t = [x]\n        for i in range(60):\n            t = [t, t]\n        return t\nm = B()\nm(x)",
    "class B(keras.Model):\n    def call(self, x):\n        t = {'a': x}\n        for i in range(60):\n            t = {'a': t, 'b': t}\n        return t\nm = B()\nm(x)",
    "class B(keras.Model):\n    def call(self, x):\n        t = {'a': x}\n        t['b'] = t\n        return t\nm = keras.Model(x, B()(x))",
    "class B(keras.Model):\n    def __init__(self):\n        super().__init__()\n        self.d = layers.Dense(3)\n        self.s = s\n    def call(self, x):\n        return self.d(x)\nm = B()\nm(x)",
    "class B(keras.Model):\n    def call(self, x):\n        return layers.Dense(3)(x[0])\nm = B()\nm(s)",
    "m.add(layers.Lambda(lambda x: s))",
    "m.add(layers.Lambda(lambda x: x, arguments={'a': s}))",
    "m.add(layers.Lambda(lambda x: x, output_shape=s))",
    "m = keras.Model(x, ops.concatenate(s))",
    "m = keras.Model(x, ops.stack(s))",
    "m = keras.Model(x, tf.concat(s, 1))",
    "m = keras.Model(x, ops.reshape(x, s))",
    "m = keras.Model(x, layers.Reshape(s)(x))",
    "m = keras.Model(x, ops.add(x, s))",
    "m = keras.Model(x, x + s)",
    "m = keras.Model(x, x[s])",
    "m = keras.Model(x, ops.where(s, x, s))",
    "m = keras.Model(x, ops.sum(x, axis=s))",
    "m = keras.Sequential([keras.Input(s), layers.Dense(3)])",
    "m = keras.Sequential([layers.Dense(3, input_shape=s)])",
    "m = keras.Sequential([keras.Input((5, 3)), layers.RNN(s)])",
    "m = keras.Sequential([keras.Input((5, 3)), layers.RNN(layers.StackedRNNCells(s))])",
    "m = keras.Sequential([keras.Input((5, 3)), layers.TimeDistributed(s)])",
    "m = keras.Sequential([keras.Input((5, 3)), layers.LSTM(3)])\ny = layers.LSTM(3)(keras.Input((5, 3)), initial_state=s)",
    "a = copy.deepcopy(s)\nm.add(a)",
    "a = keras.tree.map_structure(layers.Dense(3), s)\nm = keras.Model(x, a)",
    "def f(s):\n    for a in s:\n        f(a)\nf(s)\nm.add(layers.Dense(3))",
    "def f(s):\n    if isinstance(s, (list, tuple)):\n        return [f(a) for a in s]\n    return s\nm = keras.Model(x, f(s))",
    "for a in s:\n    m.add(layers.Dense(3))",
    "if u:\n    m.add(layers.Dense(3))\nelse:\n    b = s",
    "for a in u:\n    s = [s]\nm.add(layers.Dense(3))",
    "a, b = s\nm.add(layers.Dense(3))",
    "d = {}\nd[s] = 1\nm.add(layers.Dense(3))",
    "if u:\n    s.append(3)\nm.add(layers.Dense(3))",
    "m = keras.Model(x, keras.layers.TFSMLayer(s)(x))",
    "m = keras.Model(x, u(s))",
    "m = keras.Model(x, u.f(x, s))",
    "m = keras.Model(x, tf.u(x, s))",
    "a = layers.Dense.from_config(s)\nm.add(a)",
    "a = keras.layers.deserialize(s)\nm.add(a)",
    "m = keras.models.model_from_json(s)",
    "m = keras.models.clone_model(s)",
    "m = keras.Model(x, layers.MultiHeadAttention(2, 3)(s, s))",
    "m.add(layers.Normalization(mean=s, variance=s))",
    "m.add(layers.TextVectorization(vocabulary=s))",
    "m = keras.Model(x, tf.while_loop(lambda t: s, lambda t: s, s))",
    "m = keras.Model(x, ops.scan(lambda a, b: (s, s), s, s))",
    "m = keras.Model(x, keras.ops.vectorized_map(lambda t: s, x))",
]
"""Statements that give the structure to Keras."""

AFTER_A_LAYER = [
    "m.compile(loss=s)",
    "m.compile(optimizer=s, loss='mse')",
    "m.compile(loss='mse', metrics=s)",
    "m.compile(loss='mse', loss_weights=s)",
    "m.compile(optimizer=keras.optimizers.Adam(s), loss='mse')",
    "m.compile(loss='mse')\nm.fit(s, s)",
    "m.compile(loss='mse')\nm.fit(np.ones((5, 3)), np.ones((5, 3)), callbacks=s)",
    "m.predict(s)",
    "m.set_weights(s)",
    "m.layers[0].set_weights(s)",
    "a = str(s)",
    "a = s == s",
    "a = s in s",
    "a = json.dumps(s)",
    "a = copy.deepcopy(s)",
    "a = np.array(s)",
    "a = tf.nest.flatten(s)",
    "a = tf.nest.map_structure(lambda t: t, s)",
    "a = keras.tree.flatten(s)",
    "a = sorted(s)\nb = sum(s, [])\nc = max(s)",
    "a = dataclasses.asdict(s)",
    "a = dataclasses.astuple(s)",
    "a = isinstance(x, s)",
    "a = f'{s}' + '%s' % s + '{}'.format(s)",
    "print(s)\nassert s, s",
    "m.layers[0].a = s\nm.a = s",
    "m.layers[0].trainable = s",
    "a = functools.reduce(lambda a, b: a, s)",
]
"""The same, where the model has a layer."""

IN_A_MODULE = [
    ("", "return s"),
    ("", "s = [self.f(x)]\n        s.append(s)\n        return s"),
    ("", "s = [self.f(x)]\n        for i in range(60):\n            s = [s, s]\n        return s"),
    ("", "s = {'a': self.f(x)}\n        for i in range(60):\n            s = {'a': s, 'b': s}\n        return s"),
    ("", "s = {'a': self.f(x)}\n        s['b'] = s\n        return s"),
    ("", "s = (self.f(x),)\n        for i in range(60):\n            s = (s, s)\n        return s"),
    ("", "s = {'a': self.f(x)}\n        s['b'] = s\n        return self.f(s)"),
    ("", "return self.f(s)"),
    ("", "return torch.cat(s)"),
    ("", "return torch.stack(s)"),
    ("", "return x.view(s)"),
    ("", "return x[s]"),
    ("", "return self.f(x) + s"),
    ("", "return F.pad(x, s)"),
    ("", "return torch.sum(x, s)"),
    ("", "return F.linear(x, s)"),
    ("", "return torch.where(s, x, s)"),
    ("", "return x.permute(*s)"),
    ("", "return torch.einsum('ab,bc->ac', s)"),
    ("self.s = s", "return self.f(x)"),
    ("self.s = s", "return self.s"),
    ("self.s = nn.ModuleList(s)", "return self.f(x)"),
    ("self.s = nn.ParameterList(s)", "return self.f(x)"),
    ("self.s = nn.Parameter(s)", "return self.f(x)"),
    ("self.register_buffer('s', s)", "return self.f(x)"),
    ("self.register_buffer('s', torch.tensor(s))", "return self.f(x)"),
    ("self.s = nn.Linear(s, 3)", "return self.s(x)"),
    ("self.f.weight = s", "return self.f(x)"),
    ("self.add_module('s', s)", "return self.s(x)"),
    ("self.s = nn.Conv2d(3, 3, s)", "return self.s(x)"),
    ("self.s = nn.LayerNorm(s)", "return self.s(x)"),
    ("self.s = nn.LSTM(3, 3)", "return self.s(x, s)"),
    ("self.s = nn.TransformerEncoder(s, 3)", "return self.s(x)"),
    ("self.f.register_forward_hook(lambda *a: s)", "return self.f(x)"),
    ("self.f.register_forward_pre_hook(lambda *a: s)", "return self.f(x)"),
    ("self.register_forward_hook(lambda *a: s)", "return self.f(x)"),
    ("self.f.register_forward_hook(lambda a, b, c: [c, s])", "return self.f(x)"),
    ("self.s = copy.deepcopy(s)", "return self.s(x)"),
    ("", "def f(a):\n            return [f(b) for b in a] if isinstance(a, (list, tuple)) else a\n        return f(s)"),
    ("", "return self.f(x) if x in s else s"),
    ("", "a, b = s\n        return b"),
    ("", "return u(x, s)"),
    ("", "return torch.u(x, s)"),
    ("", "return torch.utils.checkpoint.checkpoint(self.f, s)"),
    ("", "return x.split(s)"),
    ("", "return torch.full(s, 3) + torch.zeros(s) + x.new_zeros(s)"),
    ("", "return F.interpolate(x, s)"),
]
"""Statements of the `__init__` and of the `forward` of a module."""

WITH_A_MODULE = [
    "o = torch.optim.Adam(s)\no.step()",
    "o = torch.optim.Adam([{'params': s}])\no.step()",
    "m.load_state_dict(s)",
    "m.apply(s)",
    "m.s = s\nprint(m)\nfor a in m.modules():\n    pass\nfor a in m.parameters():\n    a.requires_grad = False",
    "d = torch.utils.data.DataLoader(s)\nfor a in d:\n    m(a)",
    "loss = nn.CrossEntropyLoss()(m(torch.ones(5, 3)), s)\nloss.backward()",
    "a = copy.deepcopy(s)",
    "nn.utils.clip_grad_norm_(s, 3)",
    "a = torch.tensor(s)\nb = np.array(s)\nm(a)",
]
"""Statements behind a module and its call."""

PLACES_OF_TORCH = [
    "pass",
    "m = nn.Sequential(*s)\nm(torch.ones(5, 3))",
    "m = nn.Sequential(s)\nm(torch.ones(5, 3))",
    "m = nn.Sequential(nn.Linear(3, 3), nn.ModuleList(s))",
    "m = nn.ModuleList(s)",
    "m = nn.ModuleDict(s)",
    "m = nn.Sequential(collections.OrderedDict(s))",
    "m = nn.Sequential(nn.Linear(3, 3))\nm.extend(s)\nm(torch.ones(5, 3))",
    "m = nn.Sequential(nn.Linear(3, 3))\nm.append(s)\nm(torch.ones(5, 3))",
]

MODULE = """class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(3, 3)
        {}
    def forward(self, x):
        {}
m = M()
m({})
"""


@cache
def programs() -> list[str]:
    """Return all programs, in an order that is drawn once."""
    keras_places = [*PLACES_OF_KERAS, *[f"m.add(layers.Dense(3))\n{place}" for place in AFTER_A_LAYER]]
    usual = ("", "return self.f(x)")
    torch_places = [MODULE.format(*parts, "torch.ones(5, 3)") for parts in IN_A_MODULE]
    torch_places += [MODULE.format(*usual, "torch.ones(5, 3)") + place for place in WITH_A_MODULE]
    torch_places += [MODULE.format(*usual, "s"), MODULE.format(*usual, "torch.ones(5, 3), s"), *PLACES_OF_TORCH]
    found = []
    for start, leaves, own, places in (
        (KERAS, ("layers.Dense(3)", "x", "3"), OF_KERAS, keras_places),
        (TORCH, ("nn.Linear(3, 3)", "torch.ones(5, 3)", "3"), OF_TORCH, torch_places),
    ):
        made = [structure.format(l=leaf) for structure in STRUCTURES for leaf in leaves]
        made += [structure.format(l=leaves[0]) for structure in own]
        found += [f"{start}{structure}\n{place}\n" for structure in made for place in places]
    random.Random("nested").shuffle(found)
    return found


def nested_program(number: int) -> str:
    """Return a program."""
    return programs()[number % len(programs())]
