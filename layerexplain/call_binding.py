"""Which argument of a call is which parameter of the declaration: tensors, masks, numbers and configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import ArgumentError, NotKnown, ShapeError
from layerexplain.lang.tables import ConstantArray
from layerexplain.layers.declaration import Declaration
from layerexplain.model import Call, TensorRef, tensor_refs
from layerexplain.records import NamedTuple


class BoundCall(NamedTuple):
    """A call in the declaration's terms: `tensors` in the order of its parameters (None: not given, or a number),
    `constants` the numbers given in place of tensors, `masks` those that the call names, by tensor (None: it says that
    there is none, whatever the tensor carries), and `config` its arguments that are configuration
    (`use_causal_mask=True`, a slice's key)."""

    tensors: list[TensorRef | None]
    constants: dict[int, Any]
    masks: dict[int, TensorRef | None]
    config: dict[str, Any]


NOTHING_BOUND = BoundCall([], {}, {}, {})
"""For a layer without a call: it is traced at specs that are given."""


FIRST_TENSOR = ("inputs", "sequences", "sequence", "data", "x")
"""What Keras's calls name their first tensor, where the formula's own name for it is another."""


def _is_tensor_list(value: Any) -> bool:
    return (
        isinstance(value, list | tuple) and not isinstance(value, TensorRef | ConstantArray) and bool(_tensors(value))
    )


def _tensors(value: Any) -> list[TensorRef | ConstantArray]:
    """Return the tensors of an argument, and the arrays that stand in place of tensors."""
    if type(value) is ConstantArray:
        return [value]
    if isinstance(value, list | tuple) and not isinstance(value, TensorRef):
        return [t for v in value for t in _tensors(v)]
    return list(tensor_refs(value))


_NO_MASK = {"mask": None}
"""What Keras writes for each call of a layer that takes a mask."""


def bind_call(declaration: Declaration, call: Call) -> BoundCall:
    """Bind a call's arguments. Raises `ShapeError` for more or fewer tensors than the layer takes."""
    if declaration.binds is not None:
        bound: BoundCall = declaration.binds(call)
        return bound
    bare = len(call.args) == len(declaration.tensors) == 1 and isinstance(call.args[0], TensorRef)
    if bare and (not call.kwargs or call.kwargs == _NO_MASK):
        return BoundCall([call.args[0]], {}, {}, {})
    tensors: list[Any] = []
    config: dict[str, Any] = {}
    masks: dict[int, TensorRef | None] = {}
    names = list(declaration.tensors)
    keywords = list(declaration.arguments)
    is_layer = "." not in declaration.type.removeprefix("torch.nn.")
    positional, named = list(call.args), dict(call.kwargs)
    if not positional:
        first_name = next((n for n in FIRST_TENSOR if n in named and n not in (*names, *keywords)), None)
        positional += [] if first_name is None else [named.pop(first_name)]
    if positional and _is_tensor_list(positional[0]):
        first = positional.pop(0)
        spread = list(first.values()) if isinstance(first, Mapping) else list(first)
        if declaration.facts.takes_list and positional:
            masks.update(given_masks(positional.pop(0), len(names)))
        positional = [*spread, *positional]
    else:
        spread = []
    if None in spread and not names:
        raise NotKnown(f"a tensor that {declaration.type} is given is not known")
    # In Keras's call of attention the masks of query, value and key stand between the tensors and attention_mask.
    before_masks = names.index("attention_mask") if "attention_mask" in names else None
    for place, value in enumerate(positional):
        if before_masks is not None and place >= before_masks:
            of = place - before_masks
            if of < before_masks and isinstance(value, TensorRef):
                positional[place] = None  # a mask is none of the tensors that are counted
                if f"{names[of]}_mask" not in declaration.ignores:
                    masks[of] = value
            elif place == 2 * before_masks:
                tensors.append(value)
        elif (
            (len(tensors) < len(names) and not isinstance(value, str | slice))
            or (declaration.variadic is not None and isinstance(value, TensorRef | ConstantArray))
            or (declaration.variadic is not None and place < len(spread) and _is_number(value))
        ):
            tensors.append(value)
        elif declaration.variadic is not None and _is_tensor_list(value):
            tensors += _tensors(value)
        elif isinstance(value, TensorRef) and declaration.reads_mask and not masks:
            masks[0] = value  # `softmax(scores, mask)`
            positional[place] = None
        elif keywords and not (is_layer and isinstance(value, TensorRef)):
            config[keywords.pop(0)] = value
    named_tensors: dict[str, Any] = {}
    for name, value in named.items():
        if name in names:
            named_tensors[name] = value
        elif name == "mask":
            masks.update(given_masks(value, len(names)))
        elif name.endswith("_mask") and name[:-5] in names and isinstance(value, TensorRef):
            if name not in declaration.ignores:  # Keras's MultiHeadAttention reads only the mask that the query carries
                masks[names.index(name[:-5])] = value
        elif declaration.variadic is not None and _tensors(value):
            tensors += [None] * (len(names) - len(tensors))
            tensors += _tensors(value)
        elif name in declaration.arguments:
            config[name] = value
        elif "axes_lengths" in declaration.arguments:  # rearrange takes keywords of any name
            config.setdefault("axes_lengths", {})[name] = value
        elif _tensors(value) and name not in declaration.ignores:
            raise ArgumentError(f"{declaration.type} takes no tensor as {name}; it takes {_listed(names)}")
    for name, value in config.items():
        if type(value) is ConstantArray:
            config[name] = value.value
        if isinstance(value, TensorRef):
            raise ArgumentError(f"{declaration.type} needs {name} as a number, got the tensor '{value.layer}'")
    tensors += [None] * (len(names) - len(tensors))
    for name, value in named_tensors.items():
        tensors[names.index(name)] = value
    constants = {i: value for i, value in enumerate(tensors) if _is_number(value)}
    required = names[: len(names) - declaration.optional]
    missing = next((name for name, value in zip(required, tensors, strict=False) if value is None), None)
    if missing is not None:
        hint = "; give the same tensor twice for self-attention" if names[0] == "query" else ""
        raise ShapeError(f"{declaration.type} needs {_listed(required)}, got no {missing}{hint}")
    given = sum(isinstance(t, TensorRef) for t in positional)
    if declaration.variadic is None and given > len(names):
        hint = "; join them first" if len(names) == 1 and is_layer else ""
        raise ShapeError(f"{declaration.type} takes {_listed(names)}, got {given}{hint}")
    if declaration.variadic is not None and not names and not any(t is not None for t in tensors):
        raise ShapeError(f"{declaration.type} needs at least one tensor, got none")
    refs = [t if isinstance(t, TensorRef) else None for t in tensors]
    while len(refs) > len(names) and refs[-1] is None and len(refs) - 1 not in constants:
        refs.pop()
    return BoundCall(refs, constants, masks, config)


def given_masks(value: Any, count: int) -> dict[int, TensorRef | None]:
    """Return the masks of the first `count` tensors: a list is taken as it stands, None in it and what it lacks
    included."""
    if isinstance(value, TensorRef):
        return {0: value}
    if type(value) is ConstantArray:
        raise ArgumentError("a mask is known as a tensor, got an array of numbers")
    if not isinstance(value, list | tuple):
        return {}
    given = [*value, *[None] * (count - len(value))]
    return {i: ref if isinstance(ref, TensorRef) else None for i, ref in enumerate(given)}


def _is_number(value: Any) -> bool:
    waiting = [value]
    for item in waiting:
        if type(item) is ConstantArray:
            continue
        if isinstance(item, list | tuple):
            waiting.extend(item)
        elif not isinstance(item, int | float):
            return False
    return True


def _listed(names: list[str]) -> str:
    return f"{len(names)} tensor{'s' * (len(names) != 1)} ({', '.join(names)})"
