"""Which argument of a call is which parameter of the declaration: tensors, masks, numbers and configuration."""

from __future__ import annotations

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
    names, keywords = list(declaration.tensors), list(declaration.arguments)
    positional, named = list(call.args), dict(call.kwargs)
    if len(positional) == len(names) == 1 and isinstance(positional[0], TensorRef) and named in ({}, _NO_MASK):
        return BoundCall([positional[0]], {}, {}, {})
    tensors: list[Any] = []
    config: dict[str, Any] = {}
    masks: dict[int, TensorRef | None] = {}
    is_layer = "." not in declaration.type.removeprefix("torch.nn.")
    if not positional:
        first_name = next((n for n in FIRST_TENSOR if n in named and n not in (*names, *keywords)), None)
        positional += [] if first_name is None else [named.pop(first_name)]
    spread: list[Any] = []
    if positional and _is_tensor_list(positional[0]):
        spread = list(positional.pop(0))
        if declaration.facts.takes_list and positional:
            masks.update(given_masks(positional.pop(0), len(names)))
    if None in spread and not names:
        raise NotKnown(f"a tensor that {declaration.type} is given is not known")
    if "attention_mask" in names:  # in Keras's call the masks of query, value and key stand before it
        before = names[: names.index("attention_mask")]
        order = [*before, *[f"{name}_mask" for name in before], "attention_mask"]
        named |= dict(zip(order, [*spread, *positional], strict=False))
        spread, positional = [], []
    positional = [*spread, *positional]
    for place, value in enumerate(positional):
        is_tensor = isinstance(value, TensorRef | ConstantArray) or (place < len(spread) and _is_number(value))
        if (len(tensors) < len(names) and not isinstance(value, str | slice)) or (
            declaration.variadic is not None and is_tensor
        ):
            tensors.append(value)
        elif declaration.variadic is not None and _is_tensor_list(value):
            tensors += _tensors(value)
        elif isinstance(value, TensorRef) and declaration.reads_mask and not masks:
            masks[0] = value  # `softmax(scores, mask)`
            positional[place] = None
        elif keywords and not is_layer:  # the configuration of a layer is that of its object
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
    required = names[: len(names) - declaration.optional]
    missing = next((name for name, value in zip(required, tensors, strict=False) if value is None), None)
    if missing is not None:
        hint = "; give the same tensor twice for self-attention" if names[0] == "query" else ""
        raise ShapeError(f"{declaration.type} needs {_listed(required)}, got no {missing}{hint}")
    count = sum(isinstance(value, TensorRef) for value in positional)
    if declaration.variadic is None and count > len(names):
        hint = "; join them first" if len(names) == 1 and is_layer else ""
        raise ShapeError(f"{declaration.type} takes {_listed(names)}, got {count}{hint}")
    if declaration.variadic is not None and not names and not any(value is not None for value in tensors):
        raise ShapeError(f"{declaration.type} needs at least one tensor, got none")
    constants = {i: value for i, value in enumerate(tensors) if _is_number(value)}
    refs = [value if isinstance(value, TensorRef) else None for value in tensors]
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
    listed = [*value, *[None] * (count - len(value))]
    return {i: ref if isinstance(ref, TensorRef) else None for i, ref in enumerate(listed)}


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
