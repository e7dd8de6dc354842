"""A number → a mutated file: bytes of real files changed, configurations changed in their structure, layers with
absurd arguments, whole models drawn from a grammar, programs, and models that are wired anyhow. The same number gives
the same mutation."""

import copy
import random
from typing import Any

from tests.fuzz.grammar import random_model
from tests.fuzz.programs import program
from tests.fuzz.seeds import containers, documents
from tests.fuzz.wires import Wires

KINDS = ("bytes", "structure", "arguments", "grammar", "code", "wires")

TOKENS = [
    b"\x00", b"\xff", b"\x7f", b"\x80", b"\n", b"\t", b"{", b"}", b"[", b"]", b":", b"-", b"&a ", b"*a", b"!!python/x ",
    b"<<: ", b"'", b'"', b"\\u0000", b"null", b"-1", b"1e999", b"NaN", b"9" * 25, b"\xe2\x80\xae", b"\x1b[31m",
    b"PK\x03\x04",
    b"\xff" * 8, b"\x00" * 8, (1 << 31).to_bytes(4, "little"), (1 << 63).to_bytes(8, "little"),
]  # fmt: skip

NAMES = ["", "a", "d", "in", "name", "x/y", "\x1b[2J", "<b>", "=1+1", "[red]", "\u202eabc", "a" * 300, "a.b",
         "\ud83d\ude00"]  # fmt: skip
SIZES = [None, 0, 1, 2, 3, 7, -1, -5, 10**6, 2**31, 2**63, 10**17, 10**18, 2**70]
SCALARS = [
    *SIZES, True, False, 0.5, -0.5, 1e308, float("inf"), float("-inf"), float("nan"), *NAMES, "relu", "same", "valid",
    "channels_first", "float32", "mixed_float16", "int32",
]  # fmt: skip


def mutated_bytes(number: int) -> bytes:
    """A file with some of its bytes changed, cut, repeated or replaced."""
    draw = random.Random(f"bytes {number}")
    name = draw.choice(sorted(containers()))
    data = bytearray(containers()[name])
    for _ in range(draw.choice([1, 1, 1, 2, 3, 8])):
        if not data:
            break
        # What says how a file is made stands at its ends.
        span = draw.choice([len(data), len(data), min(len(data), 2048)])
        at = draw.randrange(span) if draw.random() < 0.8 else len(data) - 1 - draw.randrange(span)
        way = draw.randrange(8)
        if way <= 1:
            data[at] = draw.randrange(256)
        elif way == 2:
            data[at] ^= 1 << draw.randrange(8)
        elif way == 3:
            del data[at : at + draw.choice([1, 2, 4, 8, 64, len(data)])]
        elif way == 4:
            data[at:at] = draw.choice(TOKENS)
        elif way == 5:
            token = draw.choice(TOKENS)
            data[at : at + len(token)] = token
        elif way == 6:
            piece = data[at : at + draw.choice([1, 8, 64, 512])]
            data[at:at] = piece * draw.choice([1, 2, 20])
        else:
            other = draw.randrange(len(data))
            size = draw.choice([1, 4, 8, 64])
            data[at : at + size] = data[other : other + size]
    return bytes(data)


def mutated_document(number: int) -> Any:
    """A configuration in which values were replaced, moved, repeated or taken out."""
    draw = random.Random(f"structure {number}")
    document = copy.deepcopy(draw.choice(documents()))
    for _ in range(draw.choice([1, 1, 2, 3, 6])):
        places = _places(document)
        if not places:
            break
        owner, key = draw.choice(places)
        way = draw.randrange(7)
        if way <= 2:
            owner[key] = value(draw)
        elif way == 3:
            other, name = draw.choice(places)
            if key in owner if isinstance(owner, dict) else key < len(owner):
                owner[key] = copy.deepcopy(other[name])
        elif way == 4:
            del owner[key]
        elif isinstance(owner, list):
            owner.insert(draw.randrange(len(owner) + 1), copy.deepcopy(owner[key]))
        elif way == 5:
            owner[draw.choice(NAMES)] = owner.pop(key)
        else:
            owner[draw.choice(KEYS)] = value(draw)
    return document


def _places(document: Any) -> list[tuple[Any, Any]]:
    """(owner, key) of every value in a document."""
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        owner = waiting.pop()
        items = owner.items() if isinstance(owner, dict) else enumerate(owner) if isinstance(owner, list) else ()
        for key, item in items:
            found.append((owner, key))
            waiting.append(item)
    return found


KEYS = ["name", "class_name", "config", "module", "registered_name", "build_config", "inbound_nodes", "layers",
        "input_layers", "output_layers", "batch_shape", "dtype", "trainable", "units", "axis", "layer", "cell",
        "node_config", "kwargs", "args", "function"]  # fmt: skip


def value(draw: random.Random, depth: int = 0) -> Any:
    """A value of any kind that JSON has, sizes of all sorts among them."""
    way = draw.randrange(12)
    if way <= 5 or depth > 3:
        return draw.choice(SCALARS)
    if way == 6:
        return [draw.choice(SIZES) for _ in range(draw.randrange(6))]
    if way == 7:
        return [value(draw, depth + 1) for _ in range(draw.choice([0, 1, 2, 3, 40]))]
    if way == 8:
        return {draw.choice(KEYS): value(draw, depth + 1) for _ in range(draw.randrange(4))}
    if way == 9:
        return [draw.choice(["a", "d", "add", "in"]), draw.choice([0, 1, -1, 10**9]), draw.choice([0, 0, 1, 10**9])]
    if way == 10:
        return {"class_name": draw.choice(_types()), "config": {"name": draw.choice(NAMES), "trainable": True}}
    return {
        "class_name": draw.choice(
            ["__keras_tensor__", "__tuple__", "__numpy__", "function", "__lambda__", "DTypePolicy"]
        ),
        "config": value(draw, depth + 1),
        "items": value(draw, depth + 1),
    }


def absurd_layer(number: int) -> Any:
    """A model of one layer or operation, of any declared type, with arguments drawn from anywhere."""
    from layerexplain.layers.registry import find

    draw = random.Random(f"arguments {number}")
    name = draw.choice(_types())
    declaration = find(name)
    assert declaration is not None
    config: dict[str, Any] = {"name": "y"}
    for key in declaration.arguments:
        if draw.random() < 0.7:
            config[key] = _argument(draw, key)
    if name.startswith("ops."):
        item = {"module": "keras.src.ops.numpy", "class_name": name[4:], "config": config}
    elif name.startswith("tf."):
        item = {"class_name": "TFOpLambda", "config": {"name": "y", "function": name[3:]}}
    else:
        item = {"module": "keras.layers", "class_name": name, "config": {**config, "trainable": True}}
    shapes = [[None, *_shape(draw)] for _ in range(draw.choice([1, 1, 1, 2, 3]))]
    layers: list[dict[str, Any]] = [
        {
            "module": "keras.layers",
            "class_name": "InputLayer",
            "name": f"x{i}",
            "config": {"batch_shape": shape, "dtype": draw.choice(["float32", "int32", "bool"]), "name": f"x{i}"},
            "inbound_nodes": [],
        }
        for i, shape in enumerate(shapes)
    ]
    tensors: list[Any] = [_tensor(f"x{i}", shape) for i, shape in enumerate(shapes)]
    if draw.random() < 0.2:
        tensors.insert(draw.randrange(len(tensors) + 1), draw.choice([0, 1, 2.0, -1, None, "a", [1, 2], 10**18]))
    kwargs = {key: _argument(draw, key) for key in list(config)[1:] if name.startswith("tf.")}
    args = [tensors] if draw.random() < 0.3 else tensors
    layers.append({**item, "name": "y", "inbound_nodes": [{"args": args, "kwargs": kwargs}]})
    ends = {"input_layers": [[f"x{i}", 0, 0] for i in range(len(shapes))], "output_layers": [["y", 0, 0]]}
    return {"module": "keras.src.models.functional", "class_name": "Functional",
            "config": {"name": "m", "layers": layers, **ends}}  # fmt: skip


def _tensor(name: str, shape: list[int | None]) -> dict[str, Any]:
    config = {"shape": shape, "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def _shape(draw: random.Random) -> list[int | None]:
    """A shape as models have it mostly, at times an absurd one."""
    usual = [None, 1, 2, 3, 5, 8]
    return [draw.choice(usual if draw.random() < 0.9 else [0, 10**6, 10**12, 10**18]) for _ in range(draw.randrange(5))]


def _argument(draw: random.Random, key: str) -> Any:
    if key in ("layer", "cell", "backward_layer") or (key == "activation" and draw.random() < 0.1):
        inner = draw.choice(["Dense", "LSTM", "GRU", "LSTMCell", "Conv2D", "Flatten", "ReLU", "Nothing"])
        return {"module": "keras.layers", "class_name": inner, "config": {"name": "i", "units": 3, "trainable": True}}
    if draw.random() < 0.4:
        return draw.choice([0, 1, 2, 3, -1, 4, True, False, None, "same", "valid", "relu", "channels_first"])
    return value(draw)


def _types() -> list[str]:
    from layerexplain.layers.index import types

    return sorted(types())


def mutation(kind: str, number: int) -> Any:
    """What `read` is given: bytes, or a document."""
    if kind == "bytes":
        return mutated_bytes(number)
    if kind == "grammar":
        return random_model(number)
    if kind == "code":
        return program(number)
    if kind == "wires":
        return Wires(random.Random(f"wires {number}"), value).document()
    return mutated_document(number) if kind == "structure" else absurd_layer(number)
