"""A number → a whole model drawn from a grammar: wired as files wire them, of every declared layer and operation, with
arguments that their declarations take, nearly take, or do not take at all."""

import ast
import functools
import random
import re
from collections.abc import Callable
from typing import Any

import yaml

from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration
from tests.support import keras_configs

Draw = random.Random

USUAL = [1, 1, 2, 2, 3, 4, 5, 7, 8]
ODD = [0, -1, -2, -7, 10, 33, 100, 1000, 10**6, 2**31, 2**63 - 1, 10**17, 10**18 - 1, 2.0, 2.5, -0.0, 1e-300, 1e308,
       float("inf"), float("-inf"), float("nan"), True, False, None, "", "a", "None", "3", "relu", "auto", "x y", [], {},
       [[]], [None], [[1, 2], [3]], {"a": 1}, [1, "a"], ["a"], {"class_name": "Zeros", "config": {}}]  # fmt: skip
WORDS = ["relu", "softmax", "same", "valid", "constant", "nearest", "bilinear", "add", "mean", "float16", "int32", "bool",
         "float32", "channels_first", "magnitude", "int", "sum", "ortho", "reflect", "hann", "tf_idf"]  # fmt: skip
EQUATIONS = ["ab,bc->ac", "abc,cd->abd", "abc,bc->ab", "...x,xy->...y", "ab->ba", "aa->a", "ab,ab->", "abc", ",->",
             "a...,b->ab", "abcd,de->abce", "ab,bc", "a b -> (a b)", "b (h w) -> b h w", "->", "a->aa", "ii,i"]  # fmt: skip
NAMES = [("axis", [-1, 0, 1, 2, 3, -2, -5, [1, 2], [0, -1], None]), ("dtype", [*WORDS, "int8", "complex64", "string"]),
         ("equation", EQUATIONS), ("pattern", EQUATIONS), ("subscripts", EQUATIONS)]  # fmt: skip
RECURRENT = ["LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "RNN"]
CELLS = ["LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells"]


@functools.cache
def types() -> tuple[tuple[str, ...], dict[int | None, list[str]]]:
    """All names that are declared; and of layers those that take so many axes, under None those that take any."""
    from layerexplain.layers import index

    names = sorted(index.types())
    by_rank: dict[int | None, list[str]] = {}
    for name in names:
        by_rank.setdefault(declaration(name).ndim, []).append(name)
    return tuple(names), by_rank


def declaration(name: str) -> Declaration:
    """The declaration of a name of the index."""
    from layerexplain.layers.registry import find

    found = find(name)
    assert found is not None
    return found


def usual(draw: Draw, argument: Argument, depth: int) -> Any:
    """A value that the argument's check names in its words, most of the time."""
    words = argument.check.words
    if argument.check.of_layers:
        many = "list" in words and (words.startswith("a list") or draw.random() < 0.3)
        cells = "cell" in words
        made = [inner(draw, depth + 1, CELLS if cells else None) for _ in range(draw.randrange(1, 4) if many else 1)]
        return made if many else made[0]
    if words == "true or false":
        return draw.random() < 0.5
    if "'" in words and (choices := re.findall(r"'(\w+)'", words)):
        return draw.choice(choices)
    if "activation" in words:
        return draw.choice(
            ["relu", "softmax", "gelu", "tanh", "linear", "sigmoid", "elu", "glu", "sparsemax", "leaky_relu"]
        )
    if "integer" in words or "shape" in words or "axis" in words:
        low = draw.choice([[-1], [-1, 0, 1], USUAL]) if "axis" in words else USUAL
        several = any(word in words for word in ("per axis", "list", "pair", "shape")) and draw.random() < 0.6
        return [draw.choice(low) for _ in range(draw.randrange(1, 5))] if several else draw.choice(low)
    if "number" in words:
        pair = ("pair" in words or "list" in words) and draw.random() < 0.4
        return [draw.random(), draw.random() + 1] if pair else draw.choice([0, 1, 0.5, 0.1, -0.3, 1.0, 3])
    try:
        example = ast.literal_eval(argument.check.example)
    except (ValueError, SyntaxError):
        example = None
    return draw.choice([example, *USUAL, *WORDS, [draw.choice(USUAL) for _ in range(draw.randrange(5))]])


def argument_value(draw: Draw, name: str, argument: Argument, depth: int) -> Any:
    """A value for an argument of that name: in range, out of range, or of another kind."""
    way = draw.random()
    for key, values in NAMES:
        if key in name and way < 0.8:
            return draw.choice(values)
    if way < 0.88:
        return usual(draw, argument, depth)
    if way < 0.94:
        return draw.choice([[draw.choice([*USUAL, *ODD]) for _ in range(draw.randrange(4))], draw.choice(WORDS)])
    return draw.choice(ODD)


def arguments(draw: Draw, name: str, depth: int) -> dict[str, Any]:
    """Arguments of a declared layer or operation: those that it must have nearly always."""
    made: dict[str, Any] = {}
    for key, argument in declaration(name).arguments.items():
        needed = argument.default is Argument.REQUIRED
        if draw.random() < (0.97 if needed else 0.35):
            made[key] = argument_value(draw, key, argument, depth)
    if draw.random() < 0.03:
        made[draw.choice(["nonsense", "dtype", "trainable", "batch_shape", "mask", "training", "input_dim"])] = (
            draw.choice(ODD)
        )
    return made


def inner(draw: Draw, depth: int, among: list[str] | None = None) -> Any:
    """A layer in the configuration of another: of any type, a wrapper or a model at times."""
    way = draw.random()
    if depth > 3 or way < 0.06:
        return draw.choice([keras_configs.dense("i"), None, "Dense", {"class_name": "Own", "config": {"a": 1}}, 3])
    if way < 0.14:
        return model(draw, depth)
    if among is None:
        among = draw.choice(
            [RECURRENT, RECURRENT, CELLS, ["Dense", "Conv2D", "Embedding", "Bidirectional", "TimeDistributed"], None]
        )
    name = draw.choice([n for n in types()[0] if "." not in n]) if among is None or way > 0.9 else draw.choice(among)
    return item(draw, name, f"i{draw.randrange(9)}", depth)


def item(draw: Draw, name: str, called: str, depth: int) -> dict[str, Any]:
    """A layer or operation as a file states it, without its calls."""
    if name.startswith("tf."):
        return {"class_name": "TFOpLambda", "config": {"name": called, "function": name[3:]}, "name": called}
    config = {"name": called, **arguments(draw, name, depth)}
    if name.startswith("ops."):
        return {"module": "keras.src.ops.numpy", "class_name": name[4:], "config": config, "name": called}
    more: dict[str, Any] = {"shared_object_id": draw.randrange(4)} if draw.random() < 0.1 else {}
    if draw.random() < 0.2:
        config["trainable"] = draw.random() < 0.5
    if draw.random() < 0.1:
        config["dtype"] = draw.choice(
            [
                "float16",
                "mixed_bfloat16",
                "int8",
                "float64",
                {"class_name": "DTypePolicy", "config": {"name": "float16"}},
            ]
        )
    if draw.random() < 0.05:
        more["build_config"] = {"input_shape": [None, *draw.choices(USUAL, k=draw.randrange(4))]}
    return {"module": "keras.layers", "class_name": name, "config": config, "name": called, **more}


CONSTANTS: list[Callable[[Draw], Any]] = [
    lambda draw: draw.choice([0, 1, -1, 2.5, True, 7]),
    lambda draw: [draw.choice([*USUAL, 0.5]) for _ in range(draw.randrange(4))],
    lambda draw: [[draw.choice(USUAL)] * draw.randrange(3) for _ in range(draw.randrange(3))],
    lambda draw: draw.choice(ODD),
    lambda draw: {"class_name": "__numpy__", "config": {"value": draw.choice([[1.0, 2.0], 3, []]), "dtype": "float32"}},
    lambda draw: {"class_name": "__tuple__", "items": [draw.choice(USUAL), draw.choice(ODD)]},
    lambda draw: {"class_name": "slice", "config": [None, draw.choice(USUAL), draw.choice(ODD)]},
]


def model(draw: Draw, depth: int = 0) -> dict[str, Any]:
    """A Functional or Sequential model of up to eight layers."""
    ranks: dict[str, int] = {}
    layers: list[dict[str, Any]] = []
    for i in range(draw.choice([1, 1, 1, 2, 2, 3])):
        sizes = [
            draw.choice([*USUAL, 12, 16, None]) if draw.random() < 0.96 else draw.choice([0, 10**6, 10**12, 10**17])
            for _ in range(draw.choice([0, 1, 1, 2, 2, 3, 3, 4]))
        ]
        batch = None if draw.random() < 0.9 else draw.choice([0, 1, 8])
        dtype = draw.choice(["float32"] * 4 + ["int32", "bool", "float16", "complex64", "string"])
        layers.append(keras_configs.entry(f"x{i}", [batch, *sizes], "batch_shape") | {"module": "keras.layers"})
        layers[-1]["config"]["dtype"] = dtype
        ranks[f"x{i}"] = len(sizes) + 1
    if draw.random() < 0.15:
        given = [item(draw, name_for(draw, 3), f"y{i}", depth) for i in range(draw.randrange(1, 5))]
        entries = layers[:1] if draw.random() < 0.9 else []
        return {
            "module": "keras",
            "class_name": "Sequential",
            "config": {"name": f"s{depth}", "layers": [*entries, *given]},
        }
    for i in range(draw.choice([1, 1, 2, 2, 3, 4, 6, 8])):
        called = f"y{i}"
        source = draw.choice(list(ranks)[-3:])
        rank = ranks[source]
        way = draw.random()
        if way < 0.06 and depth < 3:
            made = {**model(draw, depth + 1), "name": called}
            made["config"]["name"] = called
            name = "Functional"
        elif way < 0.09:
            name = "Own"
            made = {
                "module": "own",
                "registered_name": "own>Own",
                "class_name": name,
                "config": {"name": called, "a": draw.choice(ODD), "layer": keras_configs.dense("z")},
                "name": called,
            }
        else:
            name = name_for(draw, rank)
            made = item(draw, name, called, depth)
        calls = [call(draw, name, list(ranks), rank, ranks) for _ in range(draw.choice([1, 1, 1, 1, 1, 2, 3]))]
        layers.append({**made, "inbound_nodes": calls})
        ranks[called] = max(rank + draw.choice([0, 0, 0, 0, 0, 0, -1, 1]), 1)
    tensors = list(ranks)
    if draw.random() < 0.1:
        draw.shuffle(layers)
    ends = {
        "input_layers": [[name, 0, 0] for name in tensors if name[0] == "x"],
        "output_layers": [
            [draw.choice(tensors), 0, draw.choice([0] * 9 + [1])] for _ in range(draw.choice([0, 1, 1, 1, 2]))
        ]
        + [[tensors[-1], 0, 0]],
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {"name": "m", "layers": layers, **ends},
    }


def name_for(draw: Draw, rank: int) -> str:
    """A type for an input with so many axes, mostly."""
    every, by_rank = types()
    if draw.random() < 0.1:
        return draw.choice(every)
    fitting = by_rank.get(rank, [])
    return draw.choice(fitting if fitting and draw.random() < 0.4 else by_rank[None])


def call(draw: Draw, name: str, tensors: list[str], rank: int, ranks: dict[str, int]) -> dict[str, Any]:
    """One call of a layer, in Keras 3's form: tensors that exist, constants among them, in lists or by name."""
    fitting = [t for t in tensors if ranks[t] == rank]

    def one() -> Any:
        if draw.random() < 0.07:
            return draw.choice(CONSTANTS)(draw)
        source = draw.choice(fitting if draw.random() < 0.9 else tensors)
        made = keras_configs.tensor(source, 0, draw.choice([0] * 19 + [1]))
        made["config"]["shape"] = draw.choice([None, [None, *[draw.choice(USUAL) for _ in range(ranks[source] - 1)]]])
        return made

    count, variadic, keywords = 1, False, {}
    if name not in ("Own", "Functional"):
        declared = declaration(name)
        variadic = declared.variadic is not None
        count = len(declared.tensors) - draw.choice([0, declared.optional])
        if variadic:
            count += draw.randrange(1, 4)
        if name.startswith("tf."):
            keywords = arguments(draw, name, 2)
    if draw.random() < 0.04:
        count += draw.choice([-1, 1])
    args = [one() for _ in range(count)]
    if draw.random() < 0.05:
        keywords["mask"] = one()
    if draw.random() < 0.03:
        keywords[
            draw.choice(["training", "use_causal_mask", "attention_mask", "initial_state", "return_attention_scores"])
        ] = draw.choice([True, one(), [one(), one()]])
    listed = draw.random() < (0.9 if variadic else 0.05)
    return {"args": [args] if listed else args, "kwargs": keywords}


def spec(draw: Draw) -> bytes:
    """A spec in YAML, which is read strictly: an argument that a layer does not have is a fault, and so on behind it."""
    names = [f"x{i}" for i in range(draw.choice([1, 1, 2]))]
    inputs = {name: [draw.choice([*USUAL, None]) for _ in range(draw.choice([1, 2, 2, 3, 3, 4]))] for name in names}
    layers = []
    for i in range(draw.choice([1, 2, 3, 5])):
        name = name_for(draw, len(inputs[names[0]]) + 1)
        while "." in name:
            name = name_for(draw, len(inputs[names[0]]) + 1)
        given = written(arguments(draw, name, 1))
        form = draw.random()
        made: dict[str, Any] = {"type": name, **given} if form < 0.2 else {name: given or None}
        if form > 0.7 and "type" not in made:
            made["from"] = draw.choice([draw.choice(names), names[-2:], names, {"query": names[0], "value": names[-1]}])
        if form > 0.8 and "type" not in made:
            made[draw.choice(["repeat", "reuse"])] = draw.choice([2, 3, names[-1], 0])
        if form > 0.95:
            made = {"Sequential": [made, {"Dense": draw.choice(USUAL)}]}
        if "type" not in made:
            made["name"] = f"y{i}"
            names.append(f"y{i}")
        layers.append(made)
    return yaml.safe_dump({"name": "net", "inputs": inputs, "layers": layers}, sort_keys=False).encode()


def written(value: Any) -> Any:
    """Layers of a configuration as a spec writes them: `{LSTM: {units: 3}}`."""
    if isinstance(value, dict) and isinstance(value.get("config"), dict) and "layers" not in value["config"]:
        return {value["class_name"]: {k: written(v) for k, v in value["config"].items() if k != "name"} or None}
    if isinstance(value, dict):
        return {k: written(v) for k, v in value.items()}
    return [written(v) for v in value] if isinstance(value, list) else value


def random_model(number: int) -> Any:
    """The model of a number: every fifth is a spec."""
    draw = Draw(f"grammar {number}")
    return spec(draw) if number % 5 == 4 else model(draw)
