"""A configuration of Hugging Face's transformers (`config.json`) → `Model`.

What an architecture consists of is data: `blocks.yaml` has the layers as formulas, `architectures.yaml` a row for each
`model_type`. `architecture.py` reads the rows, `keys.py` the values of a configuration, `values.py` computes what a row
says of one, `wiring.py` reads the formulas of blocks and models, `rotary.py` the many spellings of rotary embeddings,
`safetensors.py` the stored weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMAT = "hugging-face"

INPUT_NAMES = {"tokens": "input_ids", "decoder_tokens": "decoder_input_ids", "pixel_values": "pixel_values"}
"""What transformers calls the inputs."""


def is_configuration(document: Any) -> bool:
    """Return whether a JSON document is a configuration of transformers.

    >>> is_configuration({"model_type": "llama"}), is_configuration({"class_name": "Sequential", "config": {}})
    (True, False)
    """
    return isinstance(document, Mapping) and "model_type" in document and "class_name" not in document
