"""The block on memory below the totals: bytes, and by what formula they come about."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.records import NamedTuple
from layerexplain.render.escape import clean
from layerexplain.render.layout import Look, pad, paint, wrap
from layerexplain.render.quantities import bytes_text, plural
from layerexplain.report.data import DtypeBytes, Memory


class Fact(NamedTuple):
    """A line: what, its bytes, how it comes about."""

    label: str
    size: int | None
    words: str


def memory_heading(memory: Memory) -> str:
    """`Memory for a batch of 32, trained with adam`."""
    trained = "" if memory.optimizer is None else f", trained with {memory.optimizer}"
    return f"Memory for a batch of {memory.batch:,}{trained}"


def memory_facts(memory: Memory) -> list[Fact]:
    """The lines, in the order in which they add up."""
    at = f", at '{memory.peak_at}'" if memory.peak_at else ""
    facts = [
        Fact("weights", memory.weights, _dtypes(memory.weights_by_dtype)),
        Fact(
            "activations",
            memory.activations,
            _joined("per example: the outputs of all layers and the inputs", _dtypes(memory.activations_by_dtype)),
        ),
        Fact("peak", memory.peak, f"per example: the most of them that live at once at inference{at}"),
        Fact("inference", memory.inference, f"= weights + {memory.batch:,} × peak"),
    ]
    if memory.optimizer is not None:
        each = memory.slots_each or 0
        kept = f"{plural(each, 'value')} that {memory.optimizer} keeps" if each else f"{memory.optimizer} keeps nothing"
        facts += [
            Fact("gradients", memory.gradients, "one for each trainable parameter"),
            Fact("optimizer", memory.slots, f"{kept} for each trainable parameter"),
            Fact("training", memory.training, f"= weights + gradients + optimizer + {memory.batch:,} × activations"),
        ]
    return facts


def memory_lines(memory: Memory, look: Look) -> list[str]:
    """The block, a line a fact."""
    facts = memory_facts(memory)
    texts = [bytes_text(fact.size) for fact in facts]
    width = max(map(len, texts))
    lines = [paint(line, "bold", look) for line in wrap(memory_heading(memory), look.width)]
    for fact, text in zip(facts, texts, strict=True):
        head = f"  {fact.label:<12}{pad(text, width, right=True)}"
        first, *others = wrap(f"{head}  {clean(fact.words, look.ascii)}".rstrip(), look.width, hang=len(head))
        lines.append(head + paint(first[len(head) :], "dim", look))
        lines += [paint(line, "dim", look) for line in others]
    return lines


def _dtypes(by_dtype: Sequence[DtypeBytes]) -> str:
    """`float32`, or `float16 5.1 MB, float32 2.0 MB` where there are several."""
    if len(by_dtype) == 1:
        return by_dtype[0].dtype
    return ", ".join(f"{one.dtype} {bytes_text(one.bytes)}" for one in by_dtype)


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
