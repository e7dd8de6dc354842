"""A picture as the array of an input. It is read by Pillow, which the extra `layerexplain[images]` brings."""

from __future__ import annotations

from typing import IO, Any

from layerexplain.errors import SourceError
from layerexplain.run.given_inputs import ModelInput

MOST_PIXELS = 100_000_000
"""A larger picture is not opened."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def picture(file: IO[bytes], wanted: ModelInput) -> Any:
    """Return a PNG as one example of an input of rows, columns and 1, 3 or 4 channels, with values from 0 to 255. It is
    brought to the input's size where that is fixed. Raises SourceError."""
    try:
        from PIL import Image
    except ImportError:
        raise SourceError("is a picture, which needs Pillow; `pip install pillow`") from None
    import numpy as np

    shape = wanted.shape
    first = shape is not None and len(shape) == 4 and shape[3] not in _MODES and shape[1] in _MODES
    if shape is None or len(shape) != 4 or (shape[1] if first else shape[3]) not in _MODES:
        needs = f"{wanted.who} needs {wanted.shape_words}"
        raise SourceError(f"is a picture: (1, rows, columns, 1, 3 or 4 channels), and {needs}")
    channels, rows, columns = (shape[1], *shape[2:]) if first else (shape[3], *shape[1:3])
    try:
        with Image.open(file, formats=["PNG"]) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise SourceError(f"is a picture of {width} × {height} pixels, which is too large")
            image = opened.convert(_MODES[channels or 1])
    except SourceError:
        raise
    except Exception as error:  # a damaged picture raises what its decoder happens to meet
        raise SourceError(f"is damaged ({str(error).splitlines()[0][:160]})") from None
    size = (columns or width, rows or height)
    if size != image.size:
        image = image.resize(size)
    array = np.asarray(image).reshape(size[1], size[0], -1)
    return (array.transpose(2, 0, 1) if first else array)[None]
