"""How Keras code names the layers of repeated blocks: `f"{name}_conv"` in a function, a loop over its names."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.conversions.blocks import Block
from layerexplain.conversions.python_text import WIDTH, text_code
from layerexplain.frontends.model_builder import beginning


def joined_name(suffix: str) -> str:
    """Return the code of a name with something behind it."""
    if not suffix:
        return "name"
    return f'f"{{name}}{_inner(suffix)}"'


def _inner(text: str) -> str:
    """Return what stands between the quotes of an f-string."""
    return ascii(text)[1:-1].replace("{", "{{").replace("}", "}}").replace('"', '\\"')


def loop_over_names(prefixes: Sequence[str]) -> tuple[str, str]:
    """Return the head of a loop over names, and the code of one of them: over numbers where they count up."""
    stem = beginning(prefixes).rstrip("0123456789")
    tail = beginning([prefix[len(stem) :][::-1] for prefix in prefixes])[::-1].lstrip("0123456789")
    numbers = [prefix[len(stem) : len(prefix) - len(tail)] for prefix in prefixes]
    if all(number.isdecimal() and number == str(int(number)) for number in numbers):
        first = int(numbers[0])
        if [int(number) for number in numbers] == list(range(first, first + len(numbers))):
            begin = f"{first}, " if first else ""
            return f"for i in range({begin}{first + len(numbers)}):", f'f"{_inner(stem)}{{i}}{_inner(tail)}"'
    head = f"for name in ({', '.join(map(text_code, prefixes))}):"
    if len(head) > WIDTH:
        head = "for name in (\n" + "".join(f"    {text_code(prefix)},\n" for prefix in prefixes) + "):"
    return head, "name"


def word_for(block: Block) -> str:
    """Return what a block is called: what its names have in common."""
    stem = beginning(block.prefixes).rstrip("0123456789_./-")
    return stem if stem and len(block.prefixes) > 1 else "block"
