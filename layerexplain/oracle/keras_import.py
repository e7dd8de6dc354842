"""Import real Keras when needed, without its log output."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from layerexplain.errors import LayerExplainError

HOW_TO_GET_IT = "pip install tensorflow"


def load_keras() -> Any:
    """Return the module `keras` of Keras 3. Raises LayerExplainError, with how to install it, if it is missing."""
    keras = sys.modules.get("keras")
    if keras is None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # TensorFlow's plain kernels. On some processors those of oneDNN (TensorFlow 2.21) refuse transposed
        # convolutions with an output_padding, run windows that do not fit, and crash in an adaptive pooling.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
        with silence():
            keras = _imported()
            # The backend detects its devices, and logs it, at the first tensor.
            keras.ops.zeros((1,))
    if not str(getattr(keras, "__version__", "")).startswith("3."):
        version = getattr(keras, "__version__", "of an unknown version")
        raise LayerExplainError(f"Keras 3 is required, found version {version}: {HOW_TO_GET_IT}")
    return keras


def _imported() -> Any:
    try:
        import keras
    except ImportError as error:
        what = f" ({error.name} is missing)" if error.name not in (None, "keras") else ""
        raise LayerExplainError(f"Keras is required and not installed{what}; {HOW_TO_GET_IT}") from None
    return keras


@contextmanager
def without_warnings() -> Iterator[None]:
    """Suppress warnings of Keras and TensorFlow, such as lost masks and retraced graphs, while models are tried."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def silence() -> Iterator[None]:
    """Discard standard error, where TensorFlow's libraries write before logging can be configured.

    Exceptions still propagate. With LAYEREXPLAIN_DEBUG set, everything is shown.
    """
    if os.environ.get("LAYEREXPLAIN_DEBUG", "") not in ("", "0"):
        yield
        return
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def first_line(error: BaseException) -> str:
    """Return an error of Keras as one line: the first that says what is wrong."""
    # If Keras cannot create an object, the cause follows its whole configuration.
    message = str(error).rpartition("Exception encountered: ")[2]
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in message.splitlines()]
    # TensorFlow prepends the node of its graph.
    lines = [re.sub(r"^\{\{\w+ .*?\}\}(?: in wrapper)?\s*", "", line) for line in lines]
    said = [line for line in lines if line and not line.startswith("Exception encountered when calling")]
    text = said[0] if said else type(error).__name__
    if text.endswith((",", ":")) and len(said) > 1:  # the sentence continues
        text = f"{text} {said[1]}"
    return text if len(text) <= 300 else text[:299] + "…"
