"""What to do about an error of Keras or PyTorch that was pasted without its code: what to write."""

from __future__ import annotations

import re

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.keras_advice import keras_advice
from layerexplain.frontends.code.torch_advice import torch_advice
from layerexplain.model import Model, Shape
from layerexplain.ops.sizes import shape_text

_AXES = re.compile(
    r'Input \d+ (?:of layer "?([\w/.]+)"? is incompatible with the layer|is incompatible with layer ([\w/.]+)): '
    r".*?ndim=(\d+), found ndim=(\d+)(?:\. Full shape received: [(\[]([^)\]]*)[)\]])?",
    re.DOTALL,
)
_RECURRENT = ("lstm", "gru", "rnn")
_SIZE = re.compile(
    r'Input \d+ of layer "?([\w/.]+)"? is incompatible with the layer: expected axis -1 of input shape to have '
    r"(?:a )?value (\d+),? but received input with shape [(\[]([^)\]]*)[)\]]",
    re.DOTALL,
)

_SHAPE = r"[(\[]([\d, None]*)[)\]]"
_DATA = (
    ("X", rf"Error when checking (?:model )?input: expected \S+ to have .*? but got array with shape {_SHAPE}"),
    ("y", rf"Error when checking (?:model )?target: expected \S+ to have .*? but got array with shape {_SHAPE}"),
    ("y", rf"Shapes {_SHAPE} and {_SHAPE} are incompatible"),
    ("y", rf"[`']?logits[`']? and [`']?labels[`']? must have the same shape.*?\({_SHAPE} vs\.? (?P<got>{_SHAPE})\)"),
    ("y", rf"`?target`? and `?output`? must have the same shape\. Received: target\.shape={_SHAPE}"),
    ("X", rf'layer "?(?:sequential|model|functional)\w*"? is incompatible with the layer: expected shape={_SHAPE}, '
          rf"found shape=(?P<got>{_SHAPE})"),
)  # fmt: skip
"""What an error of fit() says of the shape of data, X or y: the first shape that it names, or `got`."""


def data_of_error(text: str) -> dict[str, Shape]:
    """Return the shapes of the data that an error of fit() names.

    >>> data_of_error("ValueError: Shapes (None, 3) and (None, 1, 3) are incompatible")
    {'y': (None, 3)}
    """
    found: dict[str, Shape] = {}
    for name, pattern in _DATA:
        if match := re.search(pattern, text, re.DOTALL):
            sizes = match.groupdict().get("got") or match[1]
            shape = tuple([None if one == "None" else int(one) for one in re.findall(r"None|\d+", sizes)])
            found.setdefault(name, shape)
    return found


def error_advice(text: str) -> str:
    """Return what to do about an error of shapes, "" for any other.

    >>> error_advice("Input 0 is incompatible with layer conv2d_1: expected ndim=4, found ndim=5")
    "'conv2d_1' needs 4 axes and got 5: input_shape is that of one example, without their number, as X.shape[1:]; else \
put Flatten before it"

    >>> error_advice('Input 0 of layer "lstm" is incompatible with the layer: expected ndim=3, found ndim=2. '
    ...              'Full shape received: (None, 64)')
    "'lstm' needs 3 axes and got (None, 64): `X = X[:, None, :]` makes each example one step; \
a recurrent layer before it needs return_sequences=True"
    """
    if said := layer_advice(text):
        return said
    advice = keras_advice(text) or torch_advice(text)
    if advice is not None:
        return advice.fact
    given = [f"{name} has the shape {shape_text(shape)}" for name, shape in data_of_error(text).items()]
    return " and ".join(given)


def pasted_fault(text: str, model: Model, *, is_open: bool) -> list[LayerExplainError]:
    """Return the fault that an error says which was pasted with the code of a model, where reading finds none. One of
    shapes counts where something of the model is not known: else reading would have found it."""
    if is_open and (said := layer_advice(text)):
        return [LayerExplainError(f"the pasted error says that {said}")]
    advice = keras_advice(text, {layer.name: (layer.type, layer.config) for layer in model.layers})
    if advice is None:
        return []
    fault = LayerExplainError(f"the pasted error says that {advice.fact}")
    layer = model.layers_by_name.get(advice.layer)
    if layer is not None:
        fault = fault.with_place(layer=layer.name, source=layer.file or None, line=layer.line, column=layer.column)
    return [fault]


def layer_advice(text: str) -> str:
    """Return what to do about an error in which Keras names a layer and its input, "" for any other."""
    if found := _AXES.search(text):
        name, needed, given, shape = found[1] or found[2], int(found[3]), int(found[4]), found[5]
        got = f"({shape})" if shape else str(given)
        return f"'{name}' needs {needed} axes and got {got}: {_axes_fix(name, needed - given)}"
    if found := _SIZE.search(text):
        name, size, shape = found.groups()
        sizes = [int(one) for one in re.findall(r"\d+", shape)]
        product = 1
        for one in sizes:
            product *= one
        fix = (
            f"`X = X.reshape(-1, {size})`, or Flatten before it" if product == int(size) else f"give it {size} features"
        )
        return f"'{name}' needs {size} values along the last axis and got ({shape}): {fix}"
    return ""


def _axes_fix(name: str, lacking: int) -> str:
    base = name.rpartition("/")[2].lower()
    if lacking < 0:
        other = (
            "reshape each step to one vector" if any(kind in base for kind in _RECURRENT) else "put Flatten before it"
        )
        return f"input_shape is that of one example, without their number, as X.shape[1:]; else {other}"
    if any(kind in base for kind in _RECURRENT):
        return (
            "`X = X[:, None, :]` makes each example one step; a recurrent layer before it needs return_sequences=True"
        )
    if "conv1d" in base or "pooling1d" in base:
        return "`X = X[..., None]` makes each value a step of 1 feature, with Input(shape=(steps, 1))"
    if "conv" in base or "pool" in base:
        return "`X = X[..., None]` adds a channel to grey images; `X = X[None]` makes a batch of one image"
    return f"add {lacking} {'axis' if lacking == 1 else 'axes'} to the input"
