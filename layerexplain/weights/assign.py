"""Which of the stored arrays, in the file's order, is which of the wanted weights, in Keras's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.lang.expr import Expr
from layerexplain.records import NamedTuple, grouped

Sizes = tuple[int, ...]

_OLD_NAMES = {
    "W": "kernel", "U": "recurrent_kernel", "b": "bias", "depthwise_kernel": "kernel",
    "running_mean": "moving_mean", "running_std": "moving_variance", "gammas": "gamma", "betas": "beta",
}  # fmt: skip
_OLD_NAME = re.compile(r"_(W|U|b|gamma|beta|running_mean|running_std|alphas?|embeddings)$")


class FormulaWeight(NamedTuple):
    """A weight that a formula has: the names that lead to it, its shape, and whether it is trained."""

    weight: Expr
    names: tuple[str, ...]
    shape: Sizes
    trainable: bool

    @property
    def merged(self) -> bool:
        """Whether Keras merges its values into the kernel when it saves: LoRA's two factors."""
        return self.names[-1].startswith("lora_")


def assign_by_number(wanted: Sequence[FormulaWeight], stored: Sequence[Sizes]) -> list[int | None] | None:
    """Return for each weight of one object the number of its array (None: it has none); None if the arrays do not fit.

    Keras numbers the trained variables of an object first, and those of quantized layers by a list of its own. An
    object may hold more, such as a variable of another one (SpectralNormalization the kernel that it normalises), or
    lack one.
    """
    order = stored_order(wanted)
    shapes = [wanted[i].shape for i in order]
    # Where the count fits and a shape does not, that is a disagreement to report, not a reason to look elsewhere.
    if len(shapes) <= len(stored):
        places = list(range(len(stored))) if len(shapes) == len(stored) else only_embedding(shapes, stored)
        found = None if places is None else dict(zip(order, places, strict=True))
    else:
        back = only_embedding(stored, shapes)
        found = None if back is None else {order[i]: number for number, i in enumerate(back)}
    return None if found is None else [found.get(i) for i in range(len(wanted))]


def stored_order(wanted: Sequence[FormulaWeight]) -> list[int]:
    """Return the numbers of an object's weights in the order in which it stores them; merged ones are left out."""
    numbers = [i for i, w in enumerate(wanted) if not w.merged]
    names = {wanted[i].names[-1] for i in numbers}
    # A kernel that LoRA has frozen keeps its place, too.
    compressed = any(name.endswith("_scale") for name in names) or len(numbers) < len(wanted)
    if compressed and names & {"kernel", "embeddings"}:
        first = {"kernel": 0, "embeddings": 0, "bias": 1}
        return sorted(numbers, key=lambda i: first.get(wanted[i].names[-1], 2))
    return sorted(numbers, key=lambda i: not wanted[i].weight.attrs["trainable"])


def only_embedding(few: Sequence[Sizes], many: Sequence[Sizes]) -> list[int] | None:
    """Return the only way to find `few` in `many`, in order; None if there is no way or several."""
    first, last = _greedy(few, many), _greedy(few[::-1], many[::-1])
    return first if first == [len(many) - 1 - i for i in reversed(last)] else None


def _greedy(few: Sequence[Sizes], many: Sequence[Sizes]) -> list[int]:
    """Return the first place of each in turn; -1, which is no place from the other end, where there is none."""
    places = enumerate(many)
    return [next((i for i, other in places if other == shape), -1) for shape in few]


def assign_listed(
    wanted: Sequence[FormulaWeight], stored: Sequence[StoredTensor], *, strict: bool = True
) -> list[int | None] | None:
    """Return the same for a legacy list, which has trained weights first and names; `strict` without other arrays in
    it.

    Order and names together decide, then names, then the order alone; None if none of them fits.
    """
    own = [i for i, w in enumerate(wanted) if not w.merged]
    order = sorted(own, key=lambda i: not wanted[i].trainable)
    in_order = {i: number for number, i in enumerate(order)} if len(order) == len(stored) else None
    chosen = in_order
    if in_order is None or not all(_alike(wanted[i], stored[number]) for i, number in in_order.items()):
        by_name = _by_names(wanted, own, stored)
        if by_name is not None and (len(by_name) == len(stored) or not strict):
            chosen = by_name
    return None if chosen is None else [chosen.get(i) for i in range(len(wanted))]


def _alike(wanted: FormulaWeight, stored: StoredTensor) -> bool:
    return wanted.shape == stored.shape and _canon(wanted.names[-1]) == _canon(stored.parts[-1])


def _by_names(
    wanted: Sequence[FormulaWeight], own: Sequence[int], stored: Sequence[StoredTensor]
) -> dict[int, int] | None:
    """Return each weight's array by name and shape, the longest agreement of names first; None if one has none."""
    free = grouped(((_canon(tensor.parts[-1]), tensor.shape), number) for number, tensor in enumerate(stored))
    found: dict[int, int] = {}
    for i in own:
        fitting = free.get((_canon(wanted[i].names[-1]), wanted[i].shape))
        if not fitting:
            return None
        best = max(fitting, key=lambda number: (_agreement(wanted[i].names, stored[number].parts), -number))
        found[i] = best
        fitting.remove(best)
    return found


def _agreement(names: Sequence[str], parts: Sequence[str]) -> int:
    """Return how many of the names that lead to a weight lead to the array, from the last on."""
    pairs = zip(reversed(names[:-1]), reversed(parts[:-1]), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _canon(name: str) -> str:
    """Return a variable's name as Keras 3 has it: `convolution2d_1_W` → `kernel`."""
    old = _OLD_NAME.search(name)
    short = old[1] if old is not None else name
    return _OLD_NAMES.get(short, short)
