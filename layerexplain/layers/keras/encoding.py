"""Numbers and ids as features: CategoryEncoding, Discretization and IntegerLookup."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import Shape
from layerexplain.lang.expr import Expr, constant, named
from layerexplain.lang.opaque import opaque
from layerexplain.layers.arguments import Anything, Bool, Int, NaturalInt, NonNegative, Numbers, PositiveInt, choice
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import Facts
from layerexplain.ops.elementwise import as_floats, cast, equal, greater_equal, mod, where
from layerexplain.ops.joining import one_hot
from layerexplain.ops.movement import reshape
from layerexplain.ops.reduce import amax, any_, sum_
from layerexplain.ops.sizes import FLOATS, shape_text

LONGEST = 1000
"""A longer vocabulary is not written out in a formula."""


def _encoded_shape(x: Expr, mode: str, depth: int | None) -> Shape:
    if mode == "one_hot":
        return (*(x.shape[:-1] if x.ndim > 1 and x.shape[-1] == 1 else x.shape), depth)
    return (x.shape[0], *x.shape[2:], depth)


def _whole(ids: Expr) -> Expr:
    """The ids as Keras reads them: floats cut to whole numbers."""
    return cast(ids, to="int64") if ids.dtype in FLOATS else ids


def _encode(type_: str, ids: Expr, mode: str, depth: int, count_weights: Expr | None = None) -> Expr:
    """Ids from 0 to depth - 1 as features, in one of the ways that Keras has."""
    ids = _whole(ids)
    if mode == "one_hot":
        shape = _encoded_shape(ids, mode, depth)
        return one_hot(ids if len(shape) == ids.ndim + 1 else reshape(ids, shape=shape[:-1]), n=depth)
    if ids.ndim < 2:
        raise ShapeError(
            f"{type_} with output_mode='{mode}' needs (batch, ids), got {shape_text(ids.shape)}; "
            f"Reshape to (1,) makes each id a list of one"
        )
    rows = one_hot(ids, n=depth)
    if mode == "multi_hot":
        return amax(rows, axis=1)
    if count_weights is not None:
        rows = rows * count_weights[..., None]
    return sum_(rows, axis=1)


@layer("CategoryEncoding", ignores="sparse", facts=Facts(ids_below="num_tokens"))
def category_encoding(
    x: Expr,
    count_weights: Expr | None = None,
    *,
    num_tokens: PositiveInt,
    output_mode: choice("multi_hot", "one_hot", "count", "binary") = "multi_hot",  # type: ignore[valid-type]
) -> Expr:
    """Encodes ids as {num_tokens} values, one per id: 1 where the id occurs (with 'count', how often it occurs).

    Input shape: (batch, ids), integers below num_tokens. Output shape: (batch, num_tokens); with 'one_hot'
    (batch, ids, num_tokens), the axis of ids gone where it is 1. `count_weights`, like the ids, is what each counts.
    """
    mode = "multi_hot" if output_mode == "binary" else output_mode
    if count_weights is not None and mode != "count":
        raise ArgumentError(f"count_weights need output_mode='count', got output_mode='{output_mode}'")
    if mode != "one_hot" and x.ndim > 2:
        raise ShapeError(
            f"CategoryEncoding with output_mode='{mode}' needs (batch, ids), got {shape_text(x.shape)}; "
            f"for more axes Keras's shape and Keras's result contradict each other"
        )
    return _encode("CategoryEncoding", x, mode, num_tokens, count_weights)


@layer("Discretization", ignores="sparse epsilon")
def discretization(
    x: Expr,
    *,
    bin_boundaries: Numbers | None = None,
    num_bins: NaturalInt | None = None,
    epsilon: NonNegative = 0.01,
    output_mode: choice("int", "one_hot", "multi_hot", "count") = "int",  # type: ignore[valid-type]
) -> Expr:
    """Replaces each number by the index of its bin: the number of boundaries that are at or below it.

    Input shape: any. Output shape: the same for 'int'; else a new last axis for the bins, in place of axis 1 for
    'multi_hot' and 'count'. Boundaries are given, or found by adapt(), whose num_bins alone give no formula.
    """
    if bin_boundaries is None:
        if num_bins is None:
            raise ArgumentError("Discretization needs bin_boundaries or num_bins, got neither")
        return _not_given("Discretization", x, output_mode, num_bins, "int32")
    edges = bin_boundaries if isinstance(bin_boundaries, tuple) else (bin_boundaries,)
    if list(edges) != sorted(edges):
        raise ArgumentError(f"Discretization needs bin_boundaries in rising order, got bin_boundaries={edges}")
    x = as_floats(x)
    passed = greater_equal(x[..., None], constant(edges))
    ids = named("bin", sum_(cast(passed, to="int32"), axis=-1), "boundaries at or below x")
    return ids if output_mode == "int" else _encode("Discretization", ids, output_mode, len(edges) + 1)


def _not_given(type_: str, x: Expr, mode: str, depth: int | None, whole: str) -> Expr:
    """The shape alone, where the table that is looked up in does not stand in the configuration."""
    if mode != "int" and depth is None:
        raise ArgumentError(f"{type_} needs its vocabulary for output_mode='{mode}', got none in the configuration")
    shape, dtype = (x.shape, whole) if mode == "int" else (_encoded_shape(x, mode, depth), "float")
    # The op itself would hand on the dtype of x.
    return Expr(opaque, (x,), {"name": type_, "shape": shape}, shape, dtype)


@layer(
    "IntegerLookup",
    ignores="sparse encoding vocabulary_dtype has_input_vocabulary",
    gist="place of x in the vocabulary, {output_mode}",
)
def integer_lookup(
    x: Expr,
    *,
    max_tokens: PositiveInt | None = None,
    num_oov_indices: NaturalInt = 1,
    mask_token: Int | None = None,
    oov_token: Int | None = -1,
    vocabulary: Anything | None = None,
    idf_weights: Anything | None = None,
    invert: Bool = False,
    output_mode: choice("int", "one_hot", "multi_hot", "binary", "count", "tf_idf", "tf-idf") = "int",  # type: ignore[valid-type]
    pad_to_max_tokens: Bool = False,
    oov_method: choice("floormod", "farmhash") = "floormod",  # type: ignore[valid-type]
    salt: Anything | None = None,
    vocabulary_size: PositiveInt | None = None,
) -> Expr:
    """Replaces each integer by its index in a vocabulary. Number of leading indices reserved for other values:
    {num_oov_indices}.

    Input shape: any, integers. Output shape: the same for 'int'; else a new last axis for the indices, in place of
    axis 1 for 'multi_hot' and 'count'. A vocabulary that adapt() found, a file of one, and 'tf_idf' give no formula.
    """
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
    tokens = _tokens(vocabulary, mask_token, oov_token, num_oov_indices, mode)
    masked = mask_token is not None and mode == "int"
    start = masked + num_oov_indices
    size = vocabulary_size if tokens is None else start + len(tokens)
    if max_tokens is not None and size is not None and size > max_tokens:
        raise ArgumentError(f"max_tokens needs to be at least the {size} places of the vocabulary, got {max_tokens}")
    if pad_to_max_tokens and max_tokens is None:
        raise ArgumentError("pad_to_max_tokens=True needs max_tokens, got max_tokens=None")
    depth = max_tokens if pad_to_max_tokens else size
    hashed = num_oov_indices > 1 and oov_method == "farmhash"
    if tokens is None or len(tokens) > LONGEST or invert or hashed or salt is not None or mode == "tf_idf":
        return _not_given("IntegerLookup", x, "count" if mode == "tf_idf" else mode, depth, "int64")
    x = _whole(x)
    is_token = named("is_token", equal(x[..., None], constant(tokens)))
    places = constant(tuple(range(start, start + len(tokens))))
    place = sum_(where(is_token, places, 0), axis=-1)
    other: Any = int(masked) if num_oov_indices else -1
    if num_oov_indices > 1:
        other = mod(cast(x, to="int32"), num_oov_indices) + int(masked)
    ids = where(any_(is_token, axis=-1), place, other)
    if mask_token is not None:
        # Number -1 is that of no place: where places become features, what is masked is none of them.
        ids = where(equal(x, mask_token), 0 if masked else -1, ids)
    ids = cast(named("place", ids), to="int64")
    if mode == "int":
        return ids
    assert depth is not None  # noqa: S101 (the vocabulary is there)
    return cast(_encode("IntegerLookup", ids, mode, depth), to="int64")


def _tokens(
    vocabulary: Any, mask_token: int | None, oov_token: int | None, num_oov_indices: int, mode: str
) -> tuple[int, ...] | None:
    """The vocabulary without the special tokens that may stand in front of it; None if it is not given as a list."""
    if not isinstance(vocabulary, list | tuple) or not all(isinstance(v, int) for v in vocabulary):
        return None
    front = [mask_token] * (mask_token is not None and mode == "int") + [oov_token] * num_oov_indices
    given = list(vocabulary)
    tokens = given[len(front) :] if given[: len(front)] == front else given
    if not tokens or len(set(tokens)) < len(tokens) or (mask_token is not None and mask_token in tokens):
        raise ArgumentError(
            f"IntegerLookup needs a vocabulary of different numbers, mask_token={mask_token} not among them, "
            f"got vocabulary={given[:8]}"
        )
    return tuple(tokens)
