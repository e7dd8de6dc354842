"""What would mend a call of PyTorch that its tensors do not fit, in words, from what came before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.frontends.code.library.torch_modules import BuiltIn
from layerexplain.frontends.code.library.torch_tensors import Tensor
from layerexplain.frontends.code.values.array import Array
from layerexplain.ops.sizes import product, shape_text

_EVEN = (
    "; halving rounds odd sizes down: give sizes that halve evenly, or write "
    "F.interpolate(x, size=skip.shape[2:]) before it"
)
_SAME = "; write F.interpolate(x, size=other.shape[2:]) before it, or padding that keeps the size"
_ELEMENTWISE = ("torch.add", "torch.sub", "torch.mul")


def cure(run: Any, type_: str, given: Sequence[Any]) -> str:
    """Return what to write, with the mark before it; "" where nothing is known."""
    tensors = [item for item in given if isinstance(item, Tensor)]
    if type_ == "torch.cat":
        images = len({len(tensor.spec.shape) for tensor in tensors}) == 1 and len(tensors[0].spec.shape) > 3
        differ = len({tensor.spec.shape[2:] for tensor in tensors}) > 1
        return _EVEN if _halves(run, tensors) else _SAME if images and differ else ""
    if type_ in _ELEMENTWISE and len(tensors) == 2:
        return _projection(run, *tensors) or (_EVEN if _halves(run, tensors) else "")
    return _origin(run, tensors)


def _halves(run: Any, tensors: Sequence[Tensor]) -> bool:
    """Return whether a pooling or a stride stands before tensors of images that differ by what an odd size loses."""
    keys = {key for tensor in tensors for key in (*run.before(tensor.ref), tensor.ref.key)}
    types = [run.sources.get(key, ("", []))[0] for key in keys]
    strided = [layer for layer in run.placed.values() if layer.config.get("stride", 1) not in (1, (1, 1))]
    sizes = [tensor.spec.shape[2:] for tensor in tensors if len(tensor.spec.shape) > 2]
    pairs = [(a, b) for size in sizes[1:] for a, b in zip(sizes[0], size, strict=False) if a != b]
    near = all(isinstance(a, int) and isinstance(b, int) and abs(a - b) <= max(a, b) // 8 + 1 for a, b in pairs)
    return bool(pairs) and near and (any("pool" in type_.lower() for type_ in types) or bool(strided))


def _origin(run: Any, tensors: Sequence[Tensor]) -> str:
    """Return where the features of a flattened tensor come from: `2048 = 32 × 8 × 8, what 'pool' gives`."""
    for tensor in tensors:
        type_, before = run.sources.get(tensor.ref.key, ("", []))
        while type_.endswith(("Dropout", ".dropout", "ReLU", ".relu")) and before:
            tensor = before[0]
            type_, before = run.sources.get(tensor.ref.key, ("", []))
        if type_.rpartition(".")[2].lower() in ("flatten", "reshape") and before:
            sizes = before[0].spec.shape[1:]
            if tensor.spec.shape[-1] == product(sizes) and len(sizes) > 1:
                text = " × ".join(map(str, sizes))
                return f"; {tensor.spec.shape[-1]} = {text}, what '{before[0].ref.layer}' gives of each example"
    return ""


def _projection(run: Any, tensor: Tensor, other: Tensor) -> str:
    """Return the layer that gives a shortcut the shape of what it is added to: a 1 × 1 convolution, or a Linear."""
    is_first = tensor.ref.key in run.before(other.ref)
    short, long = (tensor, other) if is_first else (other, tensor)
    own, wanted = short.spec.shape, long.spec.shape
    if len(own) != len(wanted) or (short.ref.key not in run.before(long.ref)) or own[:1] != wanted[:1]:
        return ""
    axis = 1 if len(own) in (3, 4, 5) and own[1] != wanted[1] else -1
    width, units = own[axis], wanted[axis]
    if not isinstance(width, int) or not isinstance(units, int):
        return ""
    if axis == -1 and own[:-1] == wanted[:-1]:
        call = f"nn.Linear({width}, {units})"
    else:
        steps = [s for s in (1, 2, 4) if [-(-n // s) if isinstance(n, int) else n for n in own[2:]] == [*wanted[2:]]]
        if axis != 1 or not steps:
            return ""
        call = f"nn.Conv{len(own) - 2}d({width}, {units}, 1{f', stride={steps[0]}' if steps[0] > 1 else ''})"
    name = f"'{short.ref.layer}'"
    return f"; the shortcut from {name} has to have the other shape: self.shortcut = {call}, and add self.shortcut(x)"


def misfit(module: BuiltIn, tensors: Sequence[Any]) -> str:
    """Return what PyTorch refuses of ids that the program makes, and of a Linear whose weight the program replaced by
    another one; "" where they fit."""
    ids = tensors[0].values if tensors and isinstance(tensors[0], Array) else None
    rows = module.config.get("num_embeddings")
    if (
        ids
        and isinstance(rows, int)
        and all(type(item) is int for item in ids)
        and not 0 <= min(ids) <= max(ids) < rows
    ):
        wrong = max(ids) if max(ids) >= rows else min(ids)
        larger = f"; write num_embeddings={wrong + 1} or more, or shorter sequences" if wrong > 0 else ""
        return f"{module.type} needs ids from 0 to {rows - 1}, one for each of its {rows} rows, got {wrong}{larger}"
    weight = module.replaced.get("weight") if module.type == "Linear" else None
    spec = tensors[0].spec if tensors and isinstance(tensors[0], Tensor) else None
    if weight is None or spec is None or len(weight.shape) != 2 or spec.shape[-1:] == tuple(weight.shape[1:]):
        return ""
    (rows, wanted), got = weight.shape, spec.shape[-1] if spec.shape else None
    if not all(isinstance(row, int) for row in (rows, wanted, got)):
        return ""
    fact = (
        f"the weight that Linear is given has the shape ({rows}, {wanted}) and needs {wanted} features along the last"
    )
    return f"{fact} axis, got {got} in {shape_text(spec.shape)}; put a Linear({got}, {wanted}) before it"
