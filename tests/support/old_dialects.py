"""Models as Keras 0.3 and 1 wrote them, by hand to the letter of their get_config; tests/data/old has files of these."""

from typing import Any

REGULARIZED = {"W_regularizer": None, "b_regularizer": None, "activity_regularizer": None}
CONSTRAINED = {"W_constraint": None, "b_constraint": None}
WEIGHTED = {"init": "glorot_uniform", **REGULARIZED, **CONSTRAINED, "bias": True}
RECURRENT_1 = {
    "return_sequences": False,
    "go_backwards": False,
    "stateful": False,
    "unroll": False,
    "consume_less": "cpu",
    "input_dim": None,
    "input_length": None,
    "init": "glorot_uniform",
    "inner_init": "orthogonal",
    "activation": "tanh",
    "W_regularizer": None,
    "U_regularizer": None,
    "b_regularizer": None,
    "dropout_W": 0.2,
    "dropout_U": 0.2,
}


def one(class_name: str, name: str, *before: Any, **config: Any) -> dict[str, Any]:
    """A layer of Keras 1; with `before`, one of a functional model that is called on these once each."""
    item: dict[str, Any] = {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}
    if before:
        item |= {"name": name, "inbound_nodes": [[[*(b if isinstance(b, list) else [b, 0]), 0]] for b in before]}
    return item


def merged(name: str, *before: str, **config: Any) -> dict[str, Any]:
    """A Merge of Keras 1 in a functional model."""
    merge = {
        "mode_type": "raw",
        "concat_axis": -1,
        "dot_axes": -1,
        "output_shape": None,
        "output_shape_type": "raw",
        "output_mask": None,
        "output_mask_type": "raw",
        "arguments": {},
    }
    item = {"class_name": "Merge", "config": {"name": name, **merge, **config}, "name": name}
    return {**item, "inbound_nodes": [[[b, 0, 0] for b in before]]}


def entry(name: str, shape: list[int | None], dtype: str = "float32") -> dict[str, Any]:
    config = {"batch_input_shape": shape, "input_dtype": dtype, "sparse": False, "name": name}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def model(layers: list[dict[str, Any]], inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    ends = {"input_layers": [[name, 0, 0] for name in inputs], "output_layers": [[name, 0, 0] for name in outputs]}
    return {"class_name": "Model", "config": {"name": "model_1", "layers": layers, **ends}, "keras_version": "1.2.2"}


def dense(name: str, units: int, *before: Any, **more: Any) -> dict[str, Any]:
    return one(
        "Dense", name, *before, output_dim=units, **{"activation": "linear", "input_dim": None, **WEIGHTED, **more}
    )


KERAS_1_BRANCHES = {
    "class_name": "Sequential",
    "config": [{"class_name": "Merge", "config": {"name": "merge_1", "mode": "concat", "mode_type": "raw",
        "concat_axis": -1, "dot_axes": -1, "layers": [{"class_name": "Sequential",
        "config": [dense("left", 3, batch_input_shape=[None, 4], input_dtype="float32", input_dim=4)]},
        {"class_name": "Sequential", "config": [dense("right", 5, batch_input_shape=[None, 6], input_dtype="float32",
        input_dim=6)]}]}}, dense("head", 2)],
}  # fmt: skip


def zero(class_name: str, custom_name: str, **config: Any) -> dict[str, Any]:
    """A layer of Keras 0.3."""
    return {"name": class_name, "custom_name": custom_name, "cache_enabled": True, "trainable": True, **config}


WEIGHTED_0 = {"init": "glorot_uniform", **REGULARIZED, **CONSTRAINED}
DENSE_0 = {"activation": "linear", "input_dim": None, **WEIGHTED_0}


def wired(name: str, **more: Any) -> dict[str, Any]:
    """A node of a Graph."""
    return {"name": name, "input": None, "inputs": [], "merge_mode": "concat", "concat_axis": -1, "dot_axes": -1,
            "create_output": False, **more}  # fmt: skip


KERAS_0_GRAPH = {
    "name": "Graph",
    "input_config": [{"name": "words", "input_shape": [7], "dtype": "int"}, {"name": "more", "input_shape": [4], "dtype": "float"}],
    "node_config": [wired("embedded", input="words"), wired("read", input="embedded"),
        wired("wide", inputs=["read", "more"]), wired("twin", inputs=["more", "more"], merge_mode="sum"),
        wired("both", inputs=["wide", "twin"], merge_mode="mul")],
    "output_config": [wired("out", input="both"), wired("joined", inputs=["wide", "twin"], merge_mode="ave")],
    "nodes": {"embedded": zero("Embedding", "embedding", input_shape=[7], input_dim=50, output_dim=8, init="uniform",
        input_length=None, mask_zero=False, activity_regularizer=None, W_regularizer=None, W_constraint=None),
        "read": zero("LSTM", "lstm", output_dim=6, inner_activation="hard_sigmoid", forget_bias_init="one",
        **RECURRENT_1), "wide": zero("Dense", "dense", output_dim=5, **DENSE_0),
        "twin": zero("Siamese", "siamese", merge_mode="sum", concat_axis=-1, dot_axes=-1, is_graph=True, inputs=[],
        layer=zero("Dense", "dense", output_dim=5, **DENSE_0)),
        "both": zero("Dense", "dense", output_dim=2, **DENSE_0)},
    "input_order": ["words", "more"],
    "output_order": ["out", "joined"],
    "loss": {"out": "mse", "joined": "mse"},
}  # fmt: skip
