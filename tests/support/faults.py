"""Why a source cannot be read: the message of its error, on one line."""

from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.sources.names import Reach, Remote


def failure(source: Any) -> str:
    """Return the message of the error that reading a source raises."""
    with pytest.raises(LayerExplainError) as caught:
        read(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def failure_of_url(url: str, reach: Reach) -> str:
    """Return the message of the error that reading a URL raises, without the URL that it begins with."""
    said = failure(Remote(url, reach))
    assert said.startswith(f"{url}: "), said
    return said.removeprefix(f"{url}: ")
