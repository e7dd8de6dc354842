"""What is asked of a language model: parameters in all and active per token, where they sit, products per token, and
what it keeps of each token while it writes (the KV cache). All follows from the formulas of its layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from layerexplain.derive.cost import is_causal, needless_products, used_share, window_of
from layerexplain.lang.axes import Size, smaller
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, walk
from layerexplain.model import Note
from layerexplain.network.traced import Network
from layerexplain.ops.sizes import total
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport, Totals
from layerexplain.weights.shared_weights import shared_weights
from layerexplain.weights.weighted_layers import WeightedLayer, weighted_layers

_PARTS = {
    "Embedding": "embedding", "Norm": "norms", "Attention": "attention", "RelativeBias": "attention",
    "FeedForward": "feed-forward", "Experts": "experts", "Head": "head", "Linear": "head",
}  # fmt: skip
"""How the types of blocks end, and in which part of a model they are."""

_VISION = "vision"
"""The part that sees images: no token of a text goes through it."""


class ParameterShare(NamedTuple):
    """A part of a model: its parameters, and those that one token uses."""

    name: str
    params: int
    active: int


class Cached(NamedTuple):
    """What alike layers keep of each token: the tensors with their sizes, the layers, and how many tokens at most."""

    tensors: Mapping[str, tuple[int, ...]]
    layers: int
    window: int | None
    of_input: str

    @property
    def elements(self) -> int:
        """The numbers that all these layers keep of a token."""
        return self.layers * sum([prod(sizes) for sizes in self.tensors.values()])

    @property
    def equation(self) -> str:
        """How these come about: `2 (k, v) × 8 × 128 × 32 layers`."""
        names = ", ".join(self.tensors)
        sizes = {*self.tensors.values()}
        each = " × ".join([f"{size:,}" for size in next(iter(self.tensors.values()))])
        if len(sizes) == 1:
            count = len(self.tensors)
            tensors = f"{count} ({names}) × {each}" if count > 1 else f"{each} ({names})"
        else:
            tensors = f"({' + '.join([f'{name} {prod(own):,}' for name, own in self.tensors.items()])})"
        return f"{tensors} × {self.layers:,} layer{'s' * (self.layers != 1)}"


class LanguageModel(NamedTuple):
    """What is known of a language model. `tokens` is the length that costs are for, None where it is not given;
    `macs` and `flops` are of a token at that length, `needed_macs` without what a causal mask makes needless.
    `element_bytes` are those of a number in the cache, whose dtype is `dtype`. `buffers` are not trained."""

    params: int
    active: int
    parts: tuple[ParameterShare, ...]
    tokens: int | None
    macs: int | None
    needed_macs: int | None
    flops: int | None
    cached: tuple[Cached, ...]
    dtype: str
    element_bytes: float
    buffers: int = 0

    @property
    def cache_elements(self) -> int:
        """The numbers that are kept of each token of the text that is written."""
        return sum([cache.elements for cache in self.cached if not cache.of_input])

    @property
    def cache_bytes(self) -> int:
        """The bytes that are kept of each token of the text that is written."""
        return bytes_of(self.cache_elements, self.element_bytes)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the bytes of a token do not say: windows, what is kept in place of keys and values, other caches."""
        notes = []
        if self.buffers:
            words = f"{self.buffers:,} of the numbers only choose experts: transformers has them as buffers, and counts"
            notes.append(Note("router-buffers", None, f"{words} {self.params - self.buffers:,} parameters"))
        for cache in self.cached:
            layers = f"{cache.layers:,} layer{'s' * (cache.layers != 1)}"
            if cache.window is not None:
                notes.append(Note("cache-window", None, f"{layers} keep the last {cache.window:,} tokens, no more"))
            if not {"k", "v"} & {*cache.tensors}:
                kept = " and ".join([f"{name} ({prod(sizes):,})" for name, sizes in cache.tensors.items()])
                words = f"{layers} keep {kept} of each token, from which keys and values are recomputed"
                notes.append(Note("compressed-cache", None, words))
            if cache.of_input:
                words = (
                    f"{layers} keep as much of each token of '{cache.of_input}', "
                    "which is not among the bytes of a token"
                )
                notes.append(Note("cache-of-input", None, words))
        return tuple(notes)

    def cache_at(self, tokens: int) -> int:
        """Return the bytes that are kept of a text of so many tokens: of layers with a window no more than that."""
        kept = [cache.elements * smaller(tokens, cache.window or tokens) for cache in self.cached if not cache.of_input]
        return bytes_of(sum(kept), self.element_bytes)

    def to_dict(self) -> dict[str, Any]:
        """Return what stands among the totals of the JSON contract."""
        return {
            "active_params": self.active,
            "parts": [part._asdict() for part in self.parts],
            "tokens": self.tokens,
            "macs_per_token": self.macs,
            "needed_macs_per_token": self.needed_macs,
            "flops_per_token": self.flops,
            "kv_cache_bytes_per_token": self.cache_bytes,
        }


def bytes_of(elements: int, element_bytes: float) -> int:
    """Return how many whole bytes numbers of so many bytes take; half a byte is one of 4 bits."""
    return elements * int(2 * element_bytes) // 2


def language_model(
    network: Network, totals: Totals, rows: Sequence[LayerReport], dtype: str, element_bytes: float
) -> LanguageModel | None:
    """Return what is known of a model some of whose layers keep tensors of each token; None for any other model.
    `rows` are those of its layers."""
    layers = [*weighted_layers(network)]
    keeps = any(layer.definition is not None and layer.definition.cache for layer in layers)
    if not keeps or totals.params is None or not _texts(network):
        return None
    cached = _cached(layers)
    images = _of_images(network)
    parts = _parts(network, layers, images)
    tokens = _tokens(network)
    needless = _needless(layers)
    macs, flops = [total([getattr(row, name) for row in rows if row.layer not in images]) for name in ("macs", "flops")]
    macs = macs // tokens if macs is not None and tokens else None
    return LanguageModel(
        params=totals.params,
        active=sum([part.active for part in parts]),
        parts=parts,
        tokens=tokens,
        macs=macs,
        needed_macs=None if macs is None or needless is None or not tokens else macs - needless // tokens,
        flops=flops // tokens if flops is not None and tokens else None,
        cached=cached,
        dtype=dtype,
        element_bytes=element_bytes,
        buffers=totals.non_trainable or 0,
    )


def _texts(network: Network) -> list[str]:
    """Return the inputs that are whole numbers, as tokens are."""
    layers = network.model.layers_by_name
    return [ref.layer for ref in network.model.inputs if str(layers[ref.layer].config.get("dtype")).startswith("int")]


def _of_images(network: Network) -> frozenset[str]:
    """Return the layers that no text reaches, of a model that reads one."""
    reached = set(_texts(network))
    for call in network.calls:
        if any(ref.layer in reached for ref in call.sources):
            reached.add(call.name)
    return frozenset([call.name for call in network.calls if call.name not in reached])


def _tokens(network: Network) -> int | None:
    """Return the length of the text that is read, of a model that reads one."""
    texts = _texts(network)
    calls = network.calls_of(texts[0]) if len(texts) == 1 else ()
    spec = calls[0].outputs[0] if calls else None
    size: Size = spec.shape[1] if spec is not None and len(spec.shape) > 1 else None
    return size if isinstance(size, int) else None


def _parts(network: Network, layers: list[WeightedLayer], images: frozenset[str]) -> tuple[ParameterShare, ...]:
    shared = shared_weights(network)
    params: Counter[str] = Counter()
    active: Counter[str] = Counter()
    for layer in layers:
        elsewhere = shared.first.get(layer.path, {}) if shared is not None else {}
        part = next((name for end, name in _PARTS.items() if layer.layer.type.endswith(end)), "other")
        part = _VISION if layer.path[0] in images else part
        for number, weight in enumerate(layer.weights):
            if number in elsewhere or layer.definition is None:
                continue
            used, of = used_share(layer.definition, weight)
            params[part] += prod(weight.shape)
            active[part] += 0 if part == _VISION else prod(weight.shape) * used // of
    return tuple(
        [
            ParameterShare(name, params[name], active[name])
            for name in dict.fromkeys([*_PARTS.values(), _VISION, "other"])
            if params[name]
        ]
    )


def _needless(layers: list[WeightedLayer]) -> int | None:
    counts: Counter[Definition] = Counter([layer.definition for layer in layers if layer.definition is not None])
    results = [(needless_products(definition), times) for definition, times in counts.items()]
    return (
        None
        if any(number is None for number, _ in results)
        else sum([(number or 0) * times for number, times in results])
    )


def _cached(layers: list[WeightedLayer]) -> tuple[Cached, ...]:
    kinds: Counter[tuple[tuple[tuple[str, tuple[int, ...]], ...], int | None, str]] = Counter()
    for layer in layers:
        if layer.definition is not None and layer.definition.cache:
            kept = _kept(layer.definition)
            # What each position may see of later ones is not known before: nothing can be kept.
            if kept[2] or is_causal(layer.definition):
                kinds[kept] += 1
    return tuple([Cached(dict(tensors), count, window, of) for (tensors, window, of), count in kinds.items()])


def _kept(definition: Definition) -> tuple[tuple[tuple[str, tuple[int, ...]], ...], int | None, str]:
    """Return the tensors that a layer keeps with their sizes, its window, and the input that they are made from if that
    is not the first."""
    tensors = tuple([(name, _sizes(e)) for name, e in definition.cache.items()])
    first, *others = definition.params
    reads = {node for e in definition.cache.values() for node in walk([e])}
    of = next((str(expression.label) for expression in others if expression in reads), "") if first not in reads else ""
    return tensors, window_of(definition), of


def _sizes(e: Expr) -> tuple[int, ...]:
    """Return the sizes of what is kept of one token: all but the batch and the tokens."""
    return tuple([size for size in e.shape[2:] if isinstance(size, int) and size != 1]) or (1,)
