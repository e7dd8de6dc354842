"""Weights that a file names by the paths of modules, and those that it stores packed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from layerexplain.attribute_path import Steps, layer_steps
from layerexplain.frontends.keras.weight_files import WeightFile
from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.lang.expr import Expr
from layerexplain.layers.registry import TORCH
from layerexplain.model import Note
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple
from layerexplain.weights.matched import MatchedWeight, MatchedWeights, missing_note
from layerexplain.weights.weighted_layers import WeightedLayer

# Packed weights -----------------------------------------------------------------------------------------------------

_WORD = 32
"""Bits of the whole numbers that hold several numbers each."""


class Packed(NamedTuple):
    """What stands for a weight: the tensors' paths, and in words how many bits a number has."""

    paths: tuple[str, ...]
    words: str


def packed(path: str, weight: Expr, tensors: Mapping[str, StoredTensor]) -> Packed | None:
    """Return what stands for a weight that a file does not store as it is; None where nothing does."""
    stem = path.removesuffix(".weight")
    beside = tuple([f"{stem}.{name}" for name in _BESIDE if f"{stem}.{name}" in tensors])
    for form in (_in_words, _in_halves, _scaled):
        words = form(stem, weight, tensors)
        if words:
            return Packed(beside, words)
    if not any(name.endswith(_VALUES) for name in beside):
        return None
    return Packed(beside, "their encoding is not known")


_VALUES = ("qweight", "weight_packed", "weight")
_BESIDE = (
    "weight", "qweight", "qzeros", "scales", "g_idx", "weight_packed", "weight_scale", "weight_scale_inv",
    "weight_shape", "weight_zero_point", "weight_g_idx", "input_scale", "SCB", "weight_format", "weight.absmax",
    "weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map", "weight.quant_state.bitsandbytes__nf4",
    "weight.quant_state.bitsandbytes__fp4",
)  # fmt: skip


def _in_words(stem: str, weight: Expr, tensors: Mapping[str, StoredTensor]) -> str:
    """Return several numbers in each int32: GPTQ packs the inputs, AWQ the outputs, compressed-tensors the inputs of
    rows."""
    outputs, inputs = (*weight.shape, 0, 0)[:2]
    for bits in (2, 3, 4, 8):
        for name, shape, form in (
            ("qweight", (inputs * bits // _WORD, outputs), "GPTQ"),
            ("qweight", (inputs, outputs * bits // _WORD), "AWQ"),
            ("weight_packed", (outputs, inputs * bits // _WORD), "compressed-tensors"),
        ):
            tensor = tensors.get(f"{stem}.{name}")
            if tensor is not None and tensor.shape == shape and tensor.dtype == "int32":
                scales = tensors.get(f"{stem}.{'scales' if name == 'qweight' else 'weight_scale'}")
                groups = 0 if scales is None else scales.shape[0 if name == "qweight" else -1]
                each = f", one scale per {inputs // groups:,} inputs" if groups else ""
                return f"{bits} bits per number, {_WORD // bits} in each int32 of {name} ({form}){each}"
    return ""


def _in_halves(stem: str, weight: Expr, tensors: Mapping[str, StoredTensor]) -> str:
    """Return two numbers in each byte, with a scale for each block: bitsandbytes."""
    tensor, scales = tensors.get(f"{stem}.weight"), tensors.get(f"{stem}.weight.absmax")
    count = 1
    for size in weight.shape:
        count *= int(size)
    if tensor is None or scales is None or tensor.dtype != "uint8" or 2 * tensor.size != count:
        return ""
    return f"4 bits per number, 2 in each byte (bitsandbytes), one scale per {count // max(scales.size, 1):,} numbers"


def _scaled(stem: str, weight: Expr, tensors: Mapping[str, StoredTensor]) -> str:
    """Return a number in each byte, with scales beside it."""
    tensor = tensors.get(f"{stem}.weight")
    scales = next((name for name in ("SCB", "weight_scale_inv", "weight_scale") if f"{stem}.{name}" in tensors), "")
    if tensor is None or not scales or tensor.shape != tuple(weight.shape) or tensor.itemsize != 1:
        return ""
    return f"8 bits per number ({tensor.dtype}), scaled by {scales}"


# Module paths -------------------------------------------------------------------------------------------------------
# Weights that a file names by the paths of modules (`model.layers.0.mlp.up_proj.weight`): each derived weight has
# its tensor, and what the file stores otherwise is said.

STACKED = ".*."
"""Stands in a path for the number of an object: the weight is a stack of the tensors of all of them."""

_BUFFERS = re.compile(
    r"\.(attn\.(bias|masked_bias)|rotary_emb\.inv_freq|self_attn\.(slope_rate|(query|key|diagonal)_decay)|attention\.(bias|masked_bias)|position_ids)\Z"
)
"""What older versions of transformers stored beside weights: masks, frequencies and the numbers of positions."""


_OLDER_PATH = ("vision_tower.vision_model.", "vision_tower.")
"""What older versions of transformers called the part that sees images, and what today's calls it."""


def module_path(layer: WeightedLayer, weight: Expr) -> str:
    """Return the path of a weight. An object whose name begins with a slash hangs in the layer's own place; a parameter
    of the program's own classes is its own layer."""
    if layer.layer.type in (f"{TORCH}Parameter", f"{TORCH}Buffer"):
        return ".".join(layer.path)
    at = ".".join([str(step) for step in weight.attrs["at"]])
    names = layer.path[:-1] if at.startswith("/") else layer.path
    return ".".join(filter(None, [*names, at.lstrip("/"), str(weight.attrs["name"])]))


def match_by_path(layers: Iterable[WeightedLayer], stored: WeightFile) -> MatchedWeights:
    """Match the weights of layers with the tensors of a file by their paths."""
    return _Matching(stored).matched(layers)


class _Found(NamedTuple):
    """A tensor that stands for a weight, with the paths of those that it consists of."""

    tensor: StoredTensor
    paths: Sequence[str]


class _Matching:
    def __init__(self, stored: WeightFile) -> None:
        self.stored = stored
        self.tensors = {tensor.path.replace(*_OLDER_PATH): tensor for tensor in stored.parameters}
        self.taken: set[str] = set()
        self.notes: list[Note] = []
        self.packed: dict[str, list[str]] = {}
        self.base = ""

    def matched(self, layers: Iterable[WeightedLayer]) -> MatchedWeights:
        weights = []
        known = [*layers]
        wanted = {module_path(layer, weight).partition(".")[0] for layer in known for weight in layer.weights}
        if not wanted & {path.partition(".")[0] for path in self.tensors} - {"lm_head"}:
            self.base = max(wanted, key=lambda name: name != "lm_head", default="")
        for layer in known:
            missing = []
            for weight in layer.weights:
                path = module_path(layer, weight)
                stands = self._packed(path, weight)
                result = None if stands else self._find(path, weight)
                holder: Steps = (*layer_steps(layer.path), *weight.attrs["at"])
                tensor = None if result is None else result.tensor
                weights.append(MatchedWeight(layer, weight, tensor, holder, packed=stands))
                if stands:
                    continue
                if result is None:
                    missing.append(path)
                    continue
                self.taken.update(result.paths)
                if tuple(weight.shape) != result.tensor.shape:
                    words = f"{path} is stored as {shape_text(result.tensor.shape)}; by its formula it is "
                    self.notes.append(Note("weight-shape", layer.where, words + shape_text(weight.shape)))
            if missing:
                self.notes.append(missing_note(layer.where, missing))
        self.notes += [
            Note("packed-weights", None, f"{', '.join(paths[:3])}{', …' * (len(paths) > 3)} ({len(paths):,}): {words}")
            for words, paths in self.packed.items()
        ]
        if self.packed:
            size = sum([piece.size for item in self.stored.raw.values() for piece in item.pieces])
            self.notes.append(Note("stored-bytes", None, f"all tensors of the file together take {size:,} bytes"))
        rest = tuple([tensor for path, tensor in self.tensors.items() if path not in self.taken])
        beside = frozenset([tensor.path for tensor in rest if _BUFFERS.search(f".{tensor.path}")])
        odd = [tensor.path for tensor in rest if tensor.path not in beside]
        if odd:
            listed = ", ".join(odd[:6]) + (", …" if len(odd) > 6 else "")
            self.notes.append(Note("weight-unused", None, f"the file stores tensors that no formula reads: {listed}"))
        return MatchedWeights(self.stored, tuple(weights), rest, beside, tuple(self.notes))

    def _packed(self, path: str, weight: Expr) -> str:
        """Return what stands for a weight in packed tensors, which a note then says; "" where none do."""
        path = path.removeprefix(f"{self.base}.") if self.base else path
        tensor = self.tensors.get(path)
        if STACKED in path or (tensor is not None and tensor.shape == tuple(weight.shape) and tensor.itemsize > 1):
            return ""
        result = packed(path, weight, self.tensors)
        if result is None or result.paths in ((), (path,)):
            return ""
        self.taken.update(result.paths)
        self.packed.setdefault(result.words, []).append(path)
        return result.words

    def _find(self, path: str, weight: Expr) -> _Found | None:
        path = path.removeprefix(f"{self.base}.") if self.base else path
        if STACKED in path:
            return self._stack(path, weight)
        tensor = self.tensors.get(path)
        return None if tensor is None else _Found(tensor, (path,))

    def _stack(self, path: str, weight: Expr) -> _Found | None:
        """Return the tensors of all numbers, as one."""
        paths = [path.replace(STACKED, f".{number}.") for number in range(int(weight.shape[0]))]
        parts = [self.tensors.get(item) for item in paths]
        first = parts[0]
        if first is None or any(part is None or part[2:4] != first[2:4] for part in parts):
            return None
        values = [self.stored.raw[item] for item in paths]
        whole = values[0]._replace(pieces=tuple([piece for value in values for piece in value.pieces]))
        self.stored.raw[path] = whole  # type: ignore[index]  # a dict
        return _Found(first._replace(path=path, shape=(len(paths), *first.shape)), paths)
