"""The forms of a model that are text."""

from __future__ import annotations

import json

from layerexplain.model import Model
from layerexplain.network.recorded_shapes import with_input_layers

TEXT_FORMS = ("py", "yaml", "json")


def with_all_input_layers(model: Model) -> Model:
    """Return the model, and all inside it, with an InputLayer for each input, as a file has them."""
    layers = tuple(
        [
            layer if layer.model is None else layer._replace(model=with_all_input_layers(layer.model))
            for layer in model.layers
        ]
    )
    return with_input_layers(model._replace(layers=layers))


def text_of(model: Model, form: str) -> str:
    """Return a model `with_all_input_layers` as text, in one of the `TEXT_FORMS`."""
    if form == "py":
        from layerexplain.conversions.code import to_code

        return to_code(model)
    if form == "yaml":
        from layerexplain.conversions.spec import to_spec

        return to_spec(model)
    from layerexplain.conversions.config import to_config

    return json.dumps(to_config(model), indent=2) + "\n"
