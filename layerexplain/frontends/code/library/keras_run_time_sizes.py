"""Operations of a `call` that take sizes which are known at run time only: `range(shape(x)[1])`, `table[:length]`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from layerexplain.errors import ShapeError
from layerexplain.frontends.code.recorder.shapes import is_shape
from layerexplain.frontends.code.recorder.tracing import Graphs
from layerexplain.frontends.code.values.array_data import plain
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue, Size, Unknown
from layerexplain.frontends.code.values.layers import Tensor
from layerexplain.lang.axes import BATCH, Batch, has_batch
from layerexplain.lang.axes import Size as LangSize
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything, argument_of
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.signature import Signature
from layerexplain.ops import arrange, movement
from layerexplain.ops.sizes import quotient

_VECTORS = frozenset({"concat", "concatenate", "convert_to_tensor", "expand_dims", "stack"})


def _sizes(likes: Sequence[Expr], shape: ProgramValue) -> tuple[ProgramValue, ...]:
    """Return a shape in which ("axis", tensor, axis, times, per) stands for `times / per` of a size that a tensor
    has."""
    return tuple(
        [size if isinstance(size, int) else _part_of(likes[size[1]].shape[size[2]], *size[3:]) for size in shape]
    )


def _part_of(size: LangSize, times: int = 1, per: int = 1) -> LangSize:
    """Return `times / per` of a size; None where that is not known."""
    if isinstance(size, Batch):
        part: Batch = size // per * times
        return part
    return None if size is None or size * times % per else size * times // per


def _first(x: Expr, like: Expr, *, axis: int, of: int) -> Expr:
    size = like.shape[of]
    if isinstance(size, int):
        return movement.take_slice(x, key=(*[slice(None)] * axis, slice(0, size)))
    return arrange.first_as_many(x, like, axis=axis, of=of)


def _broadcast(x: Expr, *likes: Expr, shape: object) -> Expr:
    return movement.broadcast_to(x, shape=_sizes(likes, shape))


def _reshape(x: Expr, *likes: Expr, shape: object) -> Expr:
    return movement.reshape(x, shape=_sizes(likes, shape))


def _tile(x: Expr, *likes: Expr, times: object) -> Expr:
    counts = _sizes(likes, times)
    lead = len(counts) - x.ndim
    if lead < 0:
        raise ShapeError(f"tile needs one count for each axis, got {len(counts)} for {x.ndim} axes")
    if lead:
        x = movement.reshape(x, shape=(*[1] * lead, *x.shape))
    if all(count == 1 or size == 1 for count, size in zip(counts, x.shape, strict=True)):
        whole = [count if size == 1 else size for count, size in zip(counts, x.shape, strict=True)]
        return movement.broadcast_to(x, shape=tuple(whole))
    return arrange.tile(x, times=tuple([count if isinstance(count, int) else None for count in counts]))


def _declared(
    name: str, formula: Callable[..., Expr], tensors: tuple[str, ...], variadic: str | None, *arguments: str
) -> Declaration:
    taken = {argument: argument_of(Anything, None) for argument in arguments}
    return Declaration(name, formula, Signature(tensors, taken, 0, variadic), description="A size of a tensor is used.")


POSITIONS = _declared("Positions", movement.positions, ("x",), None, "axis")
FIRST = _declared("FirstAsMany", _first, ("x", "like"), None, "axis", "of")
BROADCAST = _declared("BroadcastTo", _broadcast, ("x",), "likes", "shape")
RESHAPE = _declared("ReshapeTo", _reshape, ("x",), "likes", "shape")
BATCH_FLATTEN = _declared("BatchFlatten", lambda x: movement.reshape(x, shape=(x.shape[0], None)), ("x",), None)
TILE = _declared("Tile", _tile, ("x",), "likes", "times")
SIZE = _declared("SizeOf", lambda x, *, axis: movement.size_of(x, axis=(axis,)), ("x",), None, "axis")


def holds_size(value: ProgramValue) -> bool:
    """Return whether a value, or one of its items, is a size that is known at run time only."""
    return any(map(holds_size, value)) if type(value) in (list, tuple) else isinstance(value, Size)


class RunTimeSizes:
    """Operations on sizes that are known at run time only."""

    def __init__(self, graphs: Graphs) -> None:
        self.graphs, self.own_calls, self.recorder = graphs, graphs.own_calls, graphs.recorder
        self.interpreter, self.shapes = graphs.interpreter, graphs.shapes

    def with_run_time_sizes(self, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return the result of a function that is given such a size; NotImplemented where nothing is known of it."""
        if not holds_size([*args, *kwargs.values()]):
            return NotImplemented
        if name in ("arange", "range"):
            return self._range(args, kwargs)
        if name in _VECTORS:
            return self._vector(name, args)
        x = next(iter(args), None)
        if not isinstance(x, Tensor):
            return NotImplemented
        if name == "broadcast_to":
            return self._shaped(BROADCAST, x, args[1] if len(args) > 1 else kwargs.get("shape"), "shape")
        if name == "reshape":
            given = args[1] if len(args) > 1 else kwargs.get("newshape", kwargs.get("shape"))
            sizes = given if isinstance(given, list | tuple) else ()
            several = len([size for size in sizes if isinstance(size, Size) or size == -1]) > 1
            return (
                self._shaped(RESHAPE, x, given, "shape") if several or self._changes_count(x, sizes) else NotImplemented
            )
        if name == "tile":
            given = args[1] if len(args) > 1 else kwargs.get("repeats", kwargs.get("multiples"))
            return self._shaped(TILE, x, given, "times")
        if name == "slice":
            starts = args[1] if len(args) > 1 else kwargs.get("start_indices", kwargs.get("begin"))
            lengths = args[2] if len(args) > 2 else kwargs.get("shape", kwargs.get("size"))
            return self._cut(x, starts, lengths)
        return NotImplemented

    def _changes_count(self, x: Tensor, sizes: Sequence[ProgramValue]) -> bool:
        """Return whether a shape with one run-time size, that of the batch, has other numbers of elements than `x`."""
        spec = self.shapes.spec_of(x)
        if spec is None or not has_batch(spec.shape):
            return False
        at = next(size for size in sizes if isinstance(size, Size))
        wanted = [at.batch // at.per * at.times if size is at and at.batch is not None else size for size in sizes]
        return at.per > 1 or (at.batch is not None and None not in spec.shape and quotient(spec.shape, wanted) != 1)

    def _vector(self, name: str, args: Arguments) -> ProgramValue:
        """Return a list of sizes as code puts it together: `concat([[shape(x)[0]], [1, 1]], 0)`."""
        given = args[0] if args else None
        if name == "expand_dims" and isinstance(given, Size):
            return [given]
        items: ProgramValue = given if type(given) in (list, tuple) else ()
        parts = [plain(item) for item in items]
        flat = [item for part in parts for item in (part if isinstance(part, list | tuple) else [part])]
        nests = [type(part) in (list, tuple) for part in parts]
        if not parts or not all(isinstance(item, Size | int) for item in flat):
            return NotImplemented
        return flat if (all(nests) if name.startswith("concat") else not any(nests)) else NotImplemented

    def run_time_operation(
        self, declaration: Declaration, args: Arguments, config: dict[str, ProgramValue]
    ) -> ProgramValue:
        """Call one of the operations of this file."""
        name = self.recorder.draw(declaration.type, operation=True)
        layer = self.recorder.layer(declaration.type, "operation", name, config)
        layer.declaration = declaration
        return self.recorder.node(layer, tuple(args), {}).result()

    def _range(self, args: Arguments, kwargs: Keywords) -> ProgramValue:
        given = {**dict(zip(("start", "stop", "step"), args, strict=False)), **kwargs}
        start, stop, step = given.get("start", 0), given.get("stop", given.get("limit")), given.get("step", 1)
        step = given.get("delta", step)
        if stop is None:
            start, stop = 0, start
        if not isinstance(stop, Size) or not stop.is_axis or start != 0 or step != 1:
            return NotImplemented
        result = self.run_time_operation(POSITIONS, [stop.tensor], {"axis": stop.axis})
        dtype = given.get("dtype")
        if not isinstance(dtype, str) or "float" not in dtype:
            return result
        return self.recorder.framework.operation("cast", [result, dtype], {})

    def _shaped(self, declaration: Declaration, x: Tensor, shape: ProgramValue, name: str) -> ProgramValue:
        """Return an operation that takes a list of sizes."""
        if type(shape) not in (list, tuple):
            return NotImplemented
        likes: list[ProgramValue] = []
        sizes: list[ProgramValue] = []
        for size in shape:
            if isinstance(size, Size) and size.tensor is not None:
                sizes.append(("axis", len(likes), size.axis, size.times, size.per))
                likes.append(size.tensor)
            elif isinstance(size, int) and (size >= 0 or declaration is RESHAPE):
                sizes.append(size)
            else:
                return NotImplemented
        return self.run_time_operation(declaration, [x, *likes], {name: tuple(sizes)})

    def _cut(self, x: Tensor, starts: ProgramValue, lengths: ProgramValue) -> ProgramValue:
        """Evaluate `slice(x, (0, 0), (length, 6))`."""
        shape = self.own_calls.shape_tuple(x)
        if isinstance(shape, Unknown) or type(starts) not in (list, tuple) or type(lengths) not in (list, tuple):
            return NotImplemented
        key = [
            slice(start, None) if isinstance(length, Size) or length == -1 else slice(start, start + length)
            for start, length in zip(starts, lengths, strict=False)
            if isinstance(start, int) and isinstance(length, int | Size)
        ]
        if len(key) != len(shape) or len(starts) != len(lengths):
            return NotImplemented
        return self.cut_to_sizes(x, tuple([
            slice(item.start, length) if isinstance(length, Size) else item
            for item, length in zip(key, lengths, strict=True)
        ]), from_start=True)  # fmt: skip

    def cut_to_sizes(self, x: Tensor, key: tuple[ProgramValue, ...], *, from_start: bool = False) -> ProgramValue:
        """Evaluate `x[:, :length]`: a part up to sizes of other tensors. With `from_start` a size counts from where the
        part begins."""
        plain: list[ProgramValue] = []
        later: list[tuple[int, Size]] = []
        axis = 0
        for item in key:
            if item is Ellipsis:
                shape = self.own_calls.shape_tuple(x)
                if isinstance(shape, Unknown):
                    return shape
                axis += len(shape) - len([part for part in key if part is not Ellipsis and part is not None])
            stop = item.stop if isinstance(item, slice) else None
            if isinstance(stop, Size):
                start_is_zero = item.start in (None, 0)
                if not stop.is_axis or item.step is not None or not (start_is_zero or from_start):
                    return self.interpreter.unknown("a part of a tensor up to a size that is known at run time only")
                later.append((axis, stop))
                item = slice(item.start, None) if from_start and not start_is_zero else slice(None)
            plain.append(item)
            axis += item is not Ellipsis and not isinstance(item, int)
        if any(not (isinstance(item, slice) and item == slice(None)) for item in plain):
            x = self.graphs.make_operation("GetItem", [x, tuple(plain)], {})
        for at, size in later:
            x = self.run_time_operation(FIRST, [x, size.tensor], {"axis": at, "of": size.axis})
        return x

    def size_tensor(self, size: Size) -> ProgramValue:
        """Return a run-time size where a number is needed: `x / shape(x)[1]`."""
        if not size.is_axis:
            return Unknown("a size that is known at run time only")
        return self.run_time_operation(SIZE, [size.tensor], {"axis": size.axis})

    def filled_at_run_time(self, shape: ProgramValue) -> ProgramValue:
        """Return the sizes of numbers that are drawn or constant: None for what is known at run time only, and
        "batch"."""
        if is_shape(shape):
            return tuple(shape)
        results: list[ProgramValue] = []
        for size in shape:
            like = size.tensor if isinstance(size, Size) and size.is_axis else None
            spec = None if like is None else self.shapes.spec_of(like)
            if isinstance(size, int):
                results.append(size)
            else:
                results.append("batch" if spec is not None and spec.shape[size.axis] is BATCH else None)
        return tuple(results)
