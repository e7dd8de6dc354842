"""The Python expression that gives a variable in real Keras: `model.get_layer("embedding").embeddings`."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.attribute_path import Steps, expression, layer_steps
from layerexplain.lang.expr import Expr
from layerexplain.layers.keras.dtype_policies import policy_of
from layerexplain.layers.registry import TORCH, facts_of
from layerexplain.model import Layer, is_before_keras_3


def layer_expression(path: Sequence[str]) -> str:
    """Return the expression that gives a layer by the names that lead to it."""
    return expression(layer_steps(path))


def variable_expression(
    path: Sequence[str], layer: Layer, weight: Expr, keras_version: str | None = None, at: Steps | None = None
) -> str:
    """Return the expression that gives a weight of the layer to which the names in `path` lead.

    `at` leads from the layer to what holds the variable, where the file has other attributes than the formula says.
    """
    at = weight.attrs["at"] if at is None else at
    if layer.type.startswith(TORCH) or (layer.kind == "custom" and any("." in one for one in path)):
        return module_expression(path, at, str(weight.attrs["name"]))
    wrapped = layer.config.get("layer") if at == ("layer",) else None
    owner = wrapped if isinstance(wrapped, Layer) else layer
    name = str(weight.attrs["name"])
    facts = facts_of(owner.type)
    if is_before_keras_3(keras_version):
        if len(at) == 1:
            at = (facts.attributes_keras_2.get(str(at[0]), at[0]),)
        name = facts.attributes_keras_2.get(name, name)
    name = facts.attributes.get(name, name)
    if name in ("kernel", "embeddings") and _is_computed(owner):
        name = f"_{name}"
    return expression((*layer_steps(path), *at, name))


def module_expression(path: Sequence[str], at: Steps, name: str) -> str:
    """Return the expression that gives a parameter of a module of PyTorch, by the names that lead to it.

    >>> module_expression(("model.layers.0", "mlp"), ("up_proj",), "weight")
    'model.model.layers[0].mlp.up_proj.weight'
    """
    within = [str(step) for step in at]
    names = path[:-1] if within and within[0].startswith("/") else path
    steps = ".".join([*names, *within, name]).replace("/", "").split(".")
    return "model" + "".join([f"[{one}]" if one.isdecimal() else "[i]" if one == "*" else f".{one}" for one in steps])


def _is_computed(layer: Layer) -> bool:
    """Return whether the public attribute of a layer's kernel or table computes a tensor: the sum with LoRA's update,
    or the values that int4 packs. The variable then has an underscore before its name."""
    policy = policy_of(layer.config.get("dtype"))
    return layer.config.get("lora_rank") is not None or (policy is not None and policy.mode == "int4")
