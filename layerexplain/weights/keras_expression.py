"""The Python expression that gives a variable: in Keras `model.get_layer("embedding").embeddings`, or in PyTorch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from layerexplain.attribute_path import Steps, expression, layer_steps
from layerexplain.lang.expr import Expr
from layerexplain.layers.keras.dtype_policies import policy_of
from layerexplain.layers.registry import TORCH, facts_of
from layerexplain.model import Layer, Model, is_before_keras_3


def layer_expression(path: Sequence[str]) -> str:
    """Return the expression that gives a layer by the names that lead to it."""
    return expression(layer_steps(path))


def variable_expression(
    path: Sequence[str],
    layer: Layer,
    weight: Expr,
    model: Model | None = None,
    at: Steps | None = None,
    keras_version: str | None = None,
) -> str | None:
    """Return the expression that gives a weight of the layer to which the names in `path` lead; None where a larger
    one contains it.

    `model` is the whole one, and `keras_version` that of a file without a model. `at` leads from the layer to what
    holds the variable, where the file has other attributes than the formula says.
    """
    at = weight.attrs["at"] if at is None else at
    is_language_model = model is not None and model.format == "hugging-face"
    if layer.type.startswith(TORCH) or is_language_model:
        return module_expression(path, at, str(weight.attrs["name"]), model.modules if model is not None else {})
    keras_version = model.keras_version if model is not None and model.keras_version else keras_version
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


def module_expression(path: Sequence[str], at: Steps, name: str, modules: Mapping[str, str]) -> str | None:
    """Return the expression that gives a parameter of a module of PyTorch, by the names that lead to it in its file and
    by what `modules` calls them; None where it is no parameter of its own.

    >>> module_expression(("model.layers.0", "mlp"), ("up_proj",), "weight", {"model.layers": "model.text.layers"})
    'model.model.text.layers[0].mlp.up_proj.weight'
    """
    within = [str(step) for step in at]
    names = path[:-1] if within and within[0].startswith("/") else path
    steps = ".".join([*names, *within, name]).replace("/", "")
    for old, new in modules.items():
        found = re.sub(rf"(?<![^.]){re.escape(old)}(?![^.])", new, steps)
        if found != steps and not new:
            return None
        steps = found
    return "model" + "".join([f"[{one}]" if one.isdecimal() else f".{one}" for one in steps.split(".")])


def _is_computed(layer: Layer) -> bool:
    """Return whether the public attribute of a layer's kernel or table computes a tensor: the sum with LoRA's update,
    or the values that int4 packs. The variable then has an underscore before its name."""
    policy = policy_of(layer.config.get("dtype"))
    return layer.config.get("lora_rank") is not None or (policy is not None and policy.mode == "int4")
