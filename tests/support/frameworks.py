"""Keras and TensorFlow, looked up when something of them is first asked for: collecting tests loads neither."""

import importlib
from typing import Any


class _OnDemand:
    """A module that is imported with the first look at what is in it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


keras: Any = _OnDemand("keras")
tf: Any = _OnDemand("tensorflow")
tf_keras: Any = _OnDemand("tf_keras")
