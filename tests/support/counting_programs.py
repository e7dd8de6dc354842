"""A number → a program that asks one call for a thousand million tensors, layers, weights or items.

Each whole number that a module, a layer or an operation takes is such a number once, over all signatures, and so is
each argument of a function of NumPy; the functions that make several of something stand below.
"""

from functools import cache

from layerexplain.frontends.code.library.keras_names import names_in, operation_type
from layerexplain.frontends.code.library.signatures import overloads, text_of
from layerexplain.layers.arguments import Argument
from layerexplain.layers.index import types
from layerexplain.layers.registry import find, layer_types, of_torch, torch_types
from tests.support.nested_programs import KERAS, TORCH

MANY = 10**9
OF_TENSORS = [
    "x.unbind(1)", "x.split(1, 1)", "x.chunk({n}, 1)", "torch.tensor_split(x, {n}, 1)", "[a for a in x.transpose(0, 1)]",
    "list(x.t())", "x.repeat({n}, 1)", "x.repeat_interleave({n}, 1)", "x.unfold(1, 1, 1)", "torch.roll(x, 1, 1)",
    "F.one_hot(x.long(), {n})", "x[:, :3] + torch.arange({n})[:3]", "torch.zeros({n}).unbind()", "torch.ones({n}).chunk({n})",
    "torch.ones({n}).split(1)", "torch.ones(3).repeat({n})", "torch.roll(torch.arange({n}), 3)", "torch.eye({n})",
    "torch.linspace(0, 1, {n})", "torch.randperm({n})", "torch.meshgrid(torch.arange({n}), torch.arange({n}))",
]  # fmt: skip
OF_KERAS = [
    "ops.split(x, {n}, axis=1)", "tf.split(x, {n}, axis=1)", "ops.unstack(x, axis=1)", "tf.unstack(x, axis=1)",
    "ops.array_split(x, {n}, axis=1)", "np.split(np.ones({n}), {n})", "np.array_split(np.ones({n}), {n})", "np.eye({n})",
    "np.linspace(0, 1, {n})", "np.tile([1], {n})", "np.repeat(3, {n})", "np.full({n}, 3)", "np.indices(({n}, {n}))",
    "np.random.permutation({n})", "keras.utils.to_categorical([1, 2], {n})", "ops.one_hot([1, 2], {n})",
]  # fmt: skip
FORWARD = (
    "class M(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.part = {}\n"
    "    def forward(self, x):\n        return {}\nm = M()\nm(torch.ones(5, {}))\n"
)
BLOCKS = [
    "nn.Transformer(8, 2, num_encoder_layers={n}, num_decoder_layers={n})",
    "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), {n})",
    "nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2), num_layers={n})",
]


def _calls(start: str, types: list[tuple[str, str]], many: int) -> list[str]:
    """Return calls of layers, `(name, type)`, with `many` for each of their whole numbers."""
    found = []
    for name, type_ in types:
        declaration = find(type_)
        arguments = {} if declaration is None else declaration.arguments
        examples = {key: one.check.example for key, one in arguments.items() if one.default is Argument.REQUIRED}
        tensors = ["x"] * len(declaration.tensors) if declaration is not None and "." in name else []
        for key, one in arguments.items():
            if one.check.words.startswith("an integer"):
                given = [f"{name}={value}" for name, value in {**examples, key: str(many)}.items()]
                found.append(f"{start}{name}({', '.join([*tensors, *given])})")
    return found


def _of_operations(many: int) -> list[str]:
    """Return programs that call each operation of keras.ops, TensorFlow and PyTorch with such a number."""
    keras = [(f"ops.{name}", f"ops.{operation_type(name)}") for name in names_in("ops") if operation_type(name)]
    keras += [(name, name) for name in types() if name.startswith("tf.")]
    torch = [(name, name) for name in types() if name.startswith("torch.") and name.count(".") == 1]
    own = "class L(layers.Layer):\n    def call(self, x):\n        return {}\nm = keras.Sequential([keras.Input((8, 8)), L()])\n"
    found = [KERAS + own.format(call) for call in _calls("", keras, many)]
    return found + [TORCH + FORWARD.format("nn.ReLU()", call, "4, 16") for call in _calls("", torch, many)]


def _of_numpy(many: int) -> list[str]:
    """Return a program for each function of NumPy that has each of its arguments once as such a number."""
    paths = [line.partition(" | ")[0] for line in text_of("signatures.txt").splitlines()]
    found = []
    for path in [path for path in paths if path.startswith("numpy.") and path.count(".") == 1]:
        signature = overloads(path)[0]
        names = dict.fromkeys([*signature.required, *signature.positional[:4]])
        calls = [
            ", ".join(
                f"{name}={many if name == key else '[1, 2]'}" for name in {**dict.fromkeys(signature.required), key: 0}
            )
            for key in names
        ]
        found.append(
            "import numpy as np\n" + "".join(f"a = np.{path[6:]}({given})\n" for given in calls) + "import keras\n"
        )
    return found


@cache
def programs(many: int = MANY) -> list[str]:
    """Return all programs, with that number."""
    torch = [(one, of_torch(one.removeprefix("nn."))) for rows in torch_types().values() for one, *_ in rows]
    keras = [(f"layers.{one}", one) for rows in layer_types().values() for one, *_ in rows]
    uses = "\nfor a in m.parameters():\n    a.requires_grad = False\nm(torch.ones(5, 4, 16))\n"
    found = [f"{TORCH}{call}{uses}" for call in _calls("m = ", torch, many)]
    behind = "\nm = keras.Sequential([keras.Input((8, 8, 16)), layer])\n"
    found += [f"{KERAS}{call}{behind}" for call in _calls("layer = ", keras, many)]
    found += [f"{TORCH}{FORWARD.format(block.format(n=many), 'self.part(x, x)', '4, 8')}" for block in BLOCKS]
    found += [f"{TORCH}{FORWARD.format('nn.ReLU()', one.format(n=many), many)}" for one in OF_TENSORS]
    found += [
        f"{KERAS}x = keras.Input(({many},))\na = {one.format(n=many)}\nm = keras.Model(x, a)\n" for one in OF_KERAS
    ]
    return found + _of_operations(many) + _of_numpy(many)


def counting_program(number: int) -> str:
    """Return a program."""
    return programs()[number % len(programs())]
