"""The arguments of a layer as it is shown: all of them, those that were set first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from layerexplain.report.argument_words import Placed
from layerexplain.report.explanation_data import ArgumentValue, DescribedArguments
from layerexplain.report.normal_form import default_arguments, normal_form
from layerexplain.report.normal_values import Normal

if TYPE_CHECKING:
    from layerexplain.report.data import LayerReport

_UNSHOWN = frozenset({"lora_rank", "lora_alpha", "quantization_config", "dtype"})
"""Arguments that most files write and few set; they are shown where they are set."""

_WIDTHS = frozenset({"filters", "units", "output_dim", "target_shape", "normalized_shape", "groups",
                     *[f"{way}_{of}" for way in ("in", "out", "num") for of in ("channels", "features")]})  # fmt: skip
"""Arguments that the shapes of a layer show."""
_LONG_NUMBER = re.compile(r"\d*\.\d{7,}")


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.6g}"


def changed_arguments(layer: LayerReport, other: LayerReport) -> str:
    """Return the arguments in which a layer differs from another of its type, but for those that its shapes show."""
    both = (layer, other)
    values = [{} if item.arguments is None else {v.name: v.text for v in item.arguments.values} for item in both]
    widths = [str(item.output_shapes[0][-1]) if item.output_shapes and item.output_shapes[0] else "" for item in both]
    changed = [
        name
        for name, text in values[0].items()
        if name not in _WIDTHS and text != values[1].get(name) and [of.get(name) for of in values] != widths
    ]
    return ", ".join([f"{name}={_LONG_NUMBER.sub(_rounded, values[0][name])}" for name in changed])


def layer_arguments(at: Placed) -> DescribedArguments:
    """Return all arguments of a layer in their normal form, those that differ from their defaults first, and in a few
    words those that tell it from others of its type."""
    layer, call = at.layer, at.calls[0] if at.calls else None
    if layer.model is not None or layer.type == "InputLayer":
        return DescribedArguments((), "")
    form = normal_form(layer, (), 0, at.around.network.model.declarations)
    settings = tuple(form.settings())
    cache = None if call is None or call.definition is None else call.definition.answers
    question = f"shown arguments of {layer.kind} {layer.type} {settings}"
    if cache is not None and question in cache:
        arguments: DescribedArguments = cache[question]
        return arguments
    spec = call.inputs[0] if call is not None and call.inputs else None
    rank = 0 if spec is None else len(spec.shape)
    calls = () if call is None else (call.call,)
    values = normal_form(layer, calls, rank, at.around.network.model.declarations).arguments
    declaration = None if call is None else call.declaration
    defaults = {} if declaration is None else default_arguments(declaration, rank)
    shown = [
        ArgumentValue(name, argument_text(value), name not in defaults or value != defaults[name])
        for name, value in values.items()
    ]
    shown += [ArgumentValue(name, text, True) for name, text in settings if name not in values]
    shown = [argument for argument in shown if argument.is_set or argument.name not in _UNSHOWN]
    described = DescribedArguments(
        tuple(sorted(shown, key=lambda argument: not argument.is_set)), layer_details(values, rank - 2)
    )
    if cache is not None:
        cache[question] = described
    return described


def argument_text(value: Any) -> str:
    """Return a value of the normal form as it is written: `(3, 5)`, `'same'`, `LSTM(units=8)`."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_LONGEST = 200


def layer_details(arguments: Mapping[str, Any], spatial: int) -> str:
    """Return what tells a layer from others of its type, as short as it stands in a box of a picture.

    >>> layer_details({"filters": 64, "kernel_size": 3, "strides": 2, "activation": "relu"}, spatial=2)
    '3×3, /2, 64, relu'
    >>> layer_details({"filters": 64, "kernel_size": 2, "strides": 2, "output_padding": None}, spatial=2)
    '2×2, up 2, 64'
    >>> layer_details({"out_channels": 64, "kernel_size": 7, "stride": 2, "padding": 3}, spatial=2)
    '7×7, /2, 64'
    >>> layer_details({"num_heads": 8, "key_dim": 64}, spatial=1)
    '8 heads'
    """
    result = []
    for name, write in _DETAILS.items():
        value = arguments.get(name)
        if value is None or _is_own_window(name, value, arguments):
            continue
        if name == "activation" and value == "tanh" and "recurrent_activation" in arguments:
            continue  # as of nearly all recurrent layers
        if text := write(value, spatial):
            # A transposed convolution has outputs between its inputs where others leave inputs out.
            result.append(f"up {text[1:]}" if name in ("strides", "stride") and "output_padding" in arguments else text)
    return ", ".join(result)


def _is_own_window(name: str, value: Any, arguments: Mapping[str, Any]) -> bool:
    """Return whether an argument is the stride of a pooling layer whose window moves by its own size."""
    if name == "strides":
        return bool(value == arguments.get("pool_size"))
    return name == "stride" and "out_channels" not in arguments and value == arguments.get("kernel_size")


def _sizes(value: Any, spatial: int) -> str:
    each = value if isinstance(value, tuple) else (value,) * max(spatial, 1)
    return "×".join(map(str, each))


def _unless_1(before: str) -> Callable[[Any, int], str]:
    return lambda value, spatial: "" if value == 1 else before + "×".join(map(str, _each(value)))


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _number(value: Any, spatial: int) -> str:
    return str(value)


def _share(value: Any, spatial: int) -> str:
    return f"{value:g}" if isinstance(value, float | int) else ""


def _counted(noun: str) -> Callable[[Any, int], str]:
    return lambda value, spatial: f"{value} {noun}{'s' * (value != 1)}"


def _inner(value: Any, spatial: int) -> str:
    is_layer = isinstance(value, Normal)
    return f"{value.type} {layer_details(value.arguments, spatial)}".rstrip() if is_layer else ""


def _name(value: Any, spatial: int) -> str:
    return value if isinstance(value, str) and value != "linear" else ""


_DETAILS: Mapping[str, Callable[[Any, int], str]] = {
    "layer": _inner,
    "cell": _inner,
    "kernel_size": _sizes,
    "pool_size": _sizes,
    "size": lambda value, spatial: f"up {_sizes(value, 1)}",
    "strides": _unless_1("/"),
    "stride": _unless_1("/"),
    "dilation_rate": _unless_1("dilation "),
    "dilation": _unless_1("dilation "),
    "filters": _number,
    "out_channels": _number,
    "units": _number,
    "output_dim": _number,
    "out_features": _number,
    "hidden_size": _number,
    "embedding_dim": _number,
    "num_layers": lambda value, spatial: "" if value == 1 else f"{value} layers",
    "bidirectional": lambda value, spatial: "bidirectional" if value is True else "",
    "num_heads": _counted("head"),
    "groups": lambda value, spatial: "" if value == 1 else f"{value} groups",
    "nhead": _counted("head"),
    "rate": _share,
    "p": _share,
    "activation": _name,
}
"""What boxes say of arguments, in this order, by their names; `spatial` is the number of axes that a window has."""
