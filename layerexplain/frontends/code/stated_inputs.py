"""Shapes of inputs that a text states without a name of its code: "my images are 1×28×28", `summary(net, (3, 32))`."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TIMES = r"\d+(?: ?[x×] ?\d+)+(?!\w|\.\d| ?[x×])|\d+(?: by \d+)+"
_TUPLE = r"[\[(](?:None, ?|\d+, ?)*(?:None|\d+),? ?[\])]"
SHAPE = rf"(?:{_TIMES}|{_TUPLE})"
"""A shape as text has it: `(3, 4)`, `[3, 4]`, `3×4`, `3 by 4`."""
_ANY_SHAPE = re.compile(
    rf"(?<![\w.×])(?:{_TIMES})|(?<![\w\]]){_TUPLE}|(?<=Size\(){_TUPLE}|(?<=size=){_TUPLE}", re.IGNORECASE
)
_INPUT = (
    r"inputs?|images?|pictures?|photos?|data|dataset|tensors?|batch(?:es)?|samples?|examples?|frames?|sequences?|videos?|"
    r"features?|spectrograms?|matri(?:x|ces)|arrays?|X(?:_\w+)?|x|imgs?|series"
)
_BEFORE = re.compile(rf"(?<![\w.])(?:{_INPUT})(?:['’]s)?(?:[._]\w+)?\b[^.!?;\n]{{,45}}$", re.IGNORECASE)
_BEHIND = re.compile(rf"[ -]*(?:pixels? )?(?:[\w-]+ )?(?:{_INPUT})\b", re.IGNORECASE)
_OTHER = re.compile(
    r"output|outcome|result|kernel|filter|stride|pool|pad|weight|dilation|becomes?|gives?|returns?|label|target|"
    r"window|patch|predict|resize|Linear|mean|std",
    re.IGNORECASE,
)
"""What the sizes of something else are said with."""
_SUMMARY = re.compile(rf"(?<!\.)summary\([^\n]*?,\s*(?:input_size\s*=\s*)?({_TUPLE})")
_MOST_SHAPES = 20


def stated_inputs(text: str) -> list[tuple[int | None, ...]]:
    """Return the shapes that a text states for inputs of a model without a name of the code, the surest first.

    >>> stated_inputs("I use a batch of 64 and my input is 1×28×28. The kernel is 5x5.")
    [(1, 28, 28)]
    >>> stated_inputs("summary(net, (3, 32, 32))"), stated_inputs("I have 28 by 28 images, in = torch.zeros((4, 3))")
    ([(3, 32, 32)], [(28, 28)])
    """
    found = [sizes_in(match[1]) for match in _SUMMARY.finditer(text)]
    for match in _ANY_SHAPE.finditer(text):
        before = text[max(0, match.start() - 80) : match.start()]
        said = _BEFORE.search(before)
        is_behind = _BEHIND.match(text, match.end())
        is_other = _OTHER.search(said[0] if said else before.rpartition("\n")[2][-25:])
        if (said or is_behind) and not is_other:
            found.append(sizes_in(match[0]))
    return list(dict.fromkeys(found))[:_MOST_SHAPES]


def sizes_in(written: str) -> tuple[int | None, ...]:
    """Return the sizes of a written shape.

    >>> sizes_in("(None, 28, 28)"), sizes_in("3×4")
    ((None, 28, 28), (3, 4))
    """
    sizes = re.findall(r"None|\d{1,9}", written)
    return tuple([None if one == "None" else int(one) for one in sizes])


def fitting_inputs(
    stated: Sequence[tuple[int | None, ...]], asked: Sequence[int | None], axis: int = 0
) -> list[tuple[int | None, ...]]:
    """Return the stated shapes as one example of an input of which some sizes are known: without the batch, which
    stands at an axis, with the channel in front, or added where there is one.

    >>> fitting_inputs([(64, 1, 28, 28), (28, 28), (32, 32, 3)], (1, None, None))
    [(1, 28, 28)]
    >>> fitting_inputs([(32, 32, 3)], (3, None, None)), fitting_inputs([(5, 3, 10)], (None, 10), 1)
    ([(3, 32, 32)], [(5, 10)])
    """
    found = []
    rank = len(asked)
    for shape in stated:
        one = (*shape[:axis], *shape[axis + 1 :]) if len(shape) == rank + 1 else shape
        one = (1, *one) if asked[:1] == (1,) and len(one) == rank - 1 > 1 else one
        if len(one) == rank > 2 and one[0] != asked[0] == one[-1]:
            one = (one[-1], *one[:-1])
        if rank == 1 and len(shape) > 2 and shape[-1] == asked[0]:
            found.append(shape[1:])
        if len(one) == rank and all(a is None or a == b for a, b in zip(asked, one, strict=True)):
            found.append(one)
    return list(dict.fromkeys(found))
