"""The sentence that describes a layer, with words that only some arguments call for."""

import re
from collections.abc import Callable

_CONDITION = r"\{(\w+):((?:[^{}|]|\{\w+\})*)\|((?:[^{}|]|\{\w+\})*)\}"


def with_conditions(text: str, is_set: Callable[[str], bool]) -> str:
    """Return a sentence with the words of each `{argument:words if it is set|words otherwise}`.

    >>> with_conditions("Multiplies by {scale}{offset: and adds {offset}|}.", lambda name: name == "scale")
    'Multiplies by {scale}.'
    """
    count = int("|" in text)
    while count:
        text, count = re.subn(_CONDITION, lambda found: found[2] if is_set(found[1]) else found[3], text)
    return text
