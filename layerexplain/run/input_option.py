"""Inputs given on the command line: .npy, .npz and picture files, zeros, ones or random numbers."""

from __future__ import annotations

import math
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from tokenize import TokenError
from typing import IO, Any

from layerexplain.errors import ArgumentError, LayerExplainError, SourceError, names_in
from layerexplain.files.limits import MAX_DATASET_BYTES, MAX_DATASET_RATIO, MAX_MEMBERS
from layerexplain.files.zip_members import refuse_coding
from layerexplain.frontends.input_shapes import no_input, shapes_for
from layerexplain.lang.axes import BATCH, examples_from
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.examples import USUAL_SIZES
from layerexplain.model import InputShapes, InputShapesOf, Model
from layerexplain.network.recorded_shapes import input_specs, with_input_layers
from layerexplain.network.trace import trace_at, trace_model
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple
from layerexplain.run.arrays import must_fit
from layerexplain.run.given_inputs import GivenInput, ModelInput, inputs_of, meet
from layerexplain.run.initializers import draw_inputs
from layerexplain.sources.regular_file import open_regular

# Pictures -----------------------------------------------------------------------------------------------------------

MOST_PIXELS = 100_000_000
"""A larger picture is not opened."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def picture(file: IO[bytes], wanted: ModelInput) -> Any:
    """Return a PNG as one example of an input of rows, columns and 1, 3 or 4 channels, with values from 0 to 255. It is
    brought to the input's size where that is fixed. Raises SourceError."""
    try:
        from PIL import Image
    except ImportError:
        raise SourceError("is a picture, which needs Pillow; `pip install pillow`") from None
    import numpy as np

    shape = wanted.shape
    first = shape is not None and len(shape) == 4 and shape[3] not in _MODES and shape[1] in _MODES
    if shape is None or len(shape) != 4 or (shape[1] if first else shape[3]) not in _MODES:
        needs = f"{wanted.who} needs {wanted.shape_words}"
        raise SourceError(f"is a picture: (1, rows, columns, 1, 3 or 4 channels), and {needs}")
    channels, rows, columns = (shape[1], *shape[2:]) if first else (shape[3], *shape[1:3])
    try:
        with Image.open(file, formats=["PNG"]) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise SourceError(f"is a picture of {width} × {height} pixels, which is too large")
            image = opened.convert(_MODES[channels or 1])
    except SourceError:
        raise
    except Exception as error:  # a damaged picture raises what its decoder happens to meet
        raise SourceError(f"is damaged ({str(error).splitlines()[0][:160]})") from None
    size = (columns or width, rows or height)
    if size != image.size:
        image = image.resize(size)
    array = np.asarray(image).reshape(size[1], size[0], -1)
    return (array.transpose(2, 0, 1) if first else array)[None]


# Input option -------------------------------------------------------------------------------------------------------
# Inputs given on the command line: .npy, .npz and .png files, zeros, ones or random numbers.

_FLAT = ("zeros", "ones")
_PIECE = 1 << 20


class TypedInput(NamedTuple):
    """An input as typed: `what` is a file, "zeros", "ones" or "random[:SEED]"; `name` is None if not typed."""

    name: str | None
    what: str


def split_names(
    names: Iterable[str], texts: Sequence[str], option: str = "--values", what: str = "input"
) -> list[TypedInput]:
    """Split each `[NAME=]WHAT`. Raises ArgumentError if NAME is none of the names, those of the model's inputs or of
    `what` else."""
    names = sorted(names, key=len, reverse=True)
    results = []
    for text in texts:
        name = next((n for n in names if text.startswith(f"{n}=")), None)
        value = text if name is None else text[len(name) + 1 :]
        head, equals, _ = value.partition("=")
        if name is None and equals and not os.path.exists(value):
            raise ArgumentError(f"{option} {text}: {no_input(head, names[::-1], what).fact}")
        results.append(TypedInput(name, value))
    return results


def make_inputs(
    model: Model,
    given: str | Sequence[str] = (),
    *,
    sizes: InputShapes | InputShapesOf | None = None,
    batch: int | None = None,
    least: int = 1,
    max_memory: int | None = None,
) -> list[GivenInput]:
    """Make the arrays for `trace_statistics` and `trace_element`.

    Args:
        model: The model that gets them.
        given: What inputs get, as `[NAME=]WHAT`: a file FILE.npy or FILE.npz, "zeros", "ones" or "random[:SEED]". All
            are random where none is given, and what meets no given one in the model is random, too.
        sizes: The shapes of inputs by name, where the model leaves them open, as `explain` takes `inputs`.
        batch: The number of examples in generated inputs, unless the model fixes it.
        least: Where that is not given, as many as the model takes, but not fewer.
        max_memory: How many bytes one array may have; by default as many as the machine has.

    Returns:
        An array for each input of the model, in its order, with its name and origin.

    Raises:
        LayerExplainError: if a file cannot be read, or if an array does not fit the model.

    >>> from layerexplain.frontends import read
    >>> model = read(b"input: [null, 5]\\nlayers:\\n  - LSTM: 3\\n")
    >>> given = make_inputs(model, ["random:7"], sizes={"input": (4, 5)}, batch=2)
    >>> given[0].array.shape, given[0].origin
    ((2, 4, 5), 'random, from seed 7')
    """
    known = shapes_for(model, sizes)
    model = model.at(known)
    inputs = inputs_of(model)
    if batch is not None and batch < 1:
        raise ArgumentError(f"batch needs to be at least 1, got batch={batch}")
    own_names = {name: model_input.name for model_input in inputs for name in (model_input.name, model_input.alias)}
    named = [item._replace(name=own_names.get(item.name or "")) for item in split_names(own_names, names_in(given))]
    arrays: dict[str, GivenInput] = {}
    names = [typed.name for typed in named if typed.name is not None]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ArgumentError(f"--values {twice}=… is given twice")
    files = [typed for typed in named if not is_generated(typed.what)]
    for file in sorted(files, key=lambda typed: typed.name is None):
        free = [i for i in inputs if (i.name == file.name if file.name else i.name not in {*arrays, *names})]
        if not free:
            raise ArgumentError(f"--values {file.what}: all inputs of the model already have an array")
        for name, array in read_for(file.what, free).items():
            arrays[name] = GivenInput(name, array, file.what)
    left = [i for i in inputs if i.name not in arrays]
    if left:
        given_now = [
            (model_input, arrays[model_input.name].array) for model_input in inputs if model_input.name in arrays
        ]
        lengths = [array.shape[model_input.batch_axis] for model_input, array in given_now if array.ndim]
        fixed = [model_input.batch for model_input in inputs if model_input.batch is not None]
        batch = next(iter([*lengths, *fixed]), batch)
        if batch is None:
            batch = least
            with suppress(LayerExplainError):  # what is wrong with the inputs is said below
                batch = examples_from(trace_model(model, known).needs_of_batch, least)
        others = [*arrays, *names]
        alone = [model_input for model_input in left if others and not meet(model, model_input.name, others)]
        sizes_alone = {
            model_input.name: model_input.without_batch(model_input.shape) for model_input in alone if model_input.shape
        }
        known = {**{name: tuple([8 if s is None else s for s in own]) for name, own in sizes_alone.items()}, **known}
        for generated in _generated(model, left, _whats(left, named, alone), known, batch, max_memory):
            arrays[generated.name] = generated
    return [arrays[model_input.name] for model_input in inputs]


def is_generated(what: str) -> bool:
    """Return whether values are made, and not read from a file."""
    return what in _FLAT or what == "random" or (what.startswith("random:") and not os.path.exists(what))


def _whats(left: Sequence[ModelInput], named: Sequence[TypedInput], alone: Sequence[ModelInput]) -> dict[str, str]:
    """Return how to generate each input without a file: random numbers if nothing was given at all, or nothing that
    meets it."""
    unnamed = [n.what for n in named if n.name is None and is_generated(n.what)]
    if len(unnamed) > 1:
        raise ArgumentError(
            f"--values is given twice without a name, as {unnamed[0]} and {unnamed[1]}; write NAME=… for each"
        )
    result = {}
    for model_input in left:
        own = next((n.what for n in named if n.name == model_input.name), None)
        what = own or (unnamed[0] if unnamed else "random" if model_input in alone or not named else None)
        if what is None:
            hint = f"--values {model_input.name}=FILE.npy, zeros, ones or random"
            raise ArgumentError(f"no array is given for the input '{model_input.name}'; {hint}")
        result[model_input.name] = what
    return result


# Made arrays --------------------------------------------------------------------------------------------------------


def _generated(
    model: Model,
    left: Sequence[ModelInput],
    whats: Mapping[str, str],
    sizes: InputShapes,
    batch: int,
    max_memory: int | None,
) -> Iterator[GivenInput]:
    import numpy as np

    shapes = {model_input.name: _shape(model, model_input, sizes.get(model_input.name), batch) for model_input in left}
    for name, shape in shapes.items():
        must_fit([shape], f"the input '{name}'", batch, max_memory)
    drawn: dict[int, dict[str, Any]] = {}
    for model_input in left:
        what = whats[model_input.name]
        if what in _FLAT:
            if model_input.dtype == "string":
                raise ArgumentError(f"the input '{model_input.name}' is text; give a file, or random")
            dtype = "float32" if model_input.dtype == "bfloat16" else model_input.dtype
            array = (
                np.zeros(shapes[model_input.name], dtype)
                if what == "zeros"
                else np.ones(shapes[model_input.name], dtype)
            )
            yield GivenInput(model_input.name, array, what)
            continue
        seed = seed_of(what)
        if seed not in drawn:
            drawn[seed] = _drawn(model, shapes, seed, batch)
        yield GivenInput(model_input.name, drawn[seed][model_input.name], f"random, from seed {seed}")


def seed_of(what: str, option: str = "--values") -> int:
    """Return the seed of "random" or "random:SEED"."""
    _, colon, seed = what.partition(":")
    if not colon:
        return 0
    if not (seed.isdecimal() and seed.isascii() and len(seed) <= 10):
        raise ArgumentError(f"{option} {what}: a seed is an integer, as in random:7")
    return int(seed)


def _shape(model: Model, model_input: ModelInput, typed: Sequence[int | None] | None, batch: int) -> tuple[int, ...]:
    """Return the shape of a generated array, with the batch."""
    if model_input.shape is None and typed is None:
        raise ArgumentError(
            f"the shape of the input '{model_input.name}' is unknown; give it with --input {model_input.name}=SHAPE"
        )
    own: Sequence[int | None] = (
        model_input.without_batch(model_input.shape) if model_input.shape is not None else (typed or ())
    )
    numbers: Sequence[int | None] = own if typed is None else typed
    fits = len(numbers) == len(own) and all(b is None or a in (b, None) for a, b in zip(numbers, own, strict=True))
    if not fits:
        listed = shape_text(tuple(numbers)) if numbers else "()"
        raise ArgumentError(
            f"--input {model_input.name}: the input needs sizes that fit {shape_text(tuple(own))}, got {listed}"
        )
    merged = [b if a is None else a for a, b in zip(numbers, own, strict=True)]
    known = [size for size in merged if size is not None]
    if len(known) != len(merged):
        shape = shape_text(model_input.with_batch(own, model_input.batch))
        raise ArgumentError(
            f"the input '{model_input.name}' has the shape {shape}; give the unknown "
            f"sizes with --input {model_input.name}={_proposed(model, model_input.name, merged)}"
        )
    return model_input.with_batch(known, model_input.batch or batch)


def _proposed(model: Model, name: str, shape: Sequence[int | None]) -> str:
    """Return a shape with sizes for those that are not known, of which the model takes the first; with their names
    where it takes none of the usual ones."""
    for size in (8, *USUAL_SIZES):
        filled = tuple([size if other is None else other for other in shape])
        with suppress(LayerExplainError):
            network = trace_model(model, {name: filled})
            if not network.faults and all(None not in call.outputs for call in network.calls):
                return ",".join(map(str, filled))
    return ",".join([f"SIZE_{i}" if length is None else str(length) for i, length in enumerate(shape)])


def _drawn(model: Model, shapes: Mapping[str, tuple[int, ...]], seed: int, batch: int) -> dict[str, Any]:
    """Draw arrays that fit the model: ids below the size of their table, some steps masked where masks are created."""
    import numpy as np

    model = with_input_layers(model)
    specs: list[Spec | None] = []
    for model_input, known in zip(inputs_of(model), input_specs(model), strict=True):
        dtype = known.dtype if known is not None else "float"
        own = model_input.without_batch(known.shape) if known is not None else ()
        # An input that has an array is drawn too, at any size, and ignored.
        sizes = (
            model_input.without_batch(shapes[model_input.name])
            if model_input.name in shapes
            else [8 if s is None else s for s in own]
        )
        examples = known.shape[model_input.batch_axis] if known is not None and known.shape else BATCH
        specs.append(Spec(model_input.with_batch(sizes, examples), dtype))
    network = trace_at(model._replace(strict=False), specs)
    try:
        arrays = draw_inputs(network, np.random.default_rng(seed), batch)
    except LayerExplainError:
        raise
    except ValueError as error:
        raise LayerExplainError(f"cannot draw a random input: {error}") from None
    return {ref.layer: array for ref, array in zip(model.inputs, arrays, strict=True)}


# Files --------------------------------------------------------------------------------------------------------------


def read_for(path: str, wanted: Sequence[ModelInput], most: int = MAX_DATASET_BYTES) -> dict[str, Any]:
    """Return the arrays of a file by the names of what is wanted. At most `most` bytes of each are unpacked.

    Raises SourceError.
    """
    try:
        with open_regular(path) as file:
            head = file.read(6)
            file.seek(0)
            if head.startswith(b"PK"):
                return _read_npz(file, wanted, most)
            if head == b"\x89PNG\r\n":
                seeing = next((model_input for model_input in wanted if len(model_input.shape or ()) == 4), wanted[0])
                return {seeing.name: picture(file, seeing)}
            if head == b"\x93NUMPY":
                size = os.fstat(file.fileno()).st_size
                return dict([_array(file, size, size, wanted)])
    except SourceError as error:
        raise error.with_place(source=path) from None
    except FileNotFoundError:
        hint = "give an .npy, .npz or .png file, zeros, ones or random"
        if re.fullmatch(r"[0-9x×, ]+", path):
            hint += f"; give the unknown sizes of an input with --input {path}"
        raise SourceError(f"no such file; {hint}", source=path) from None
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", source=path) from None
    hint = "write one with numpy.save or numpy.savez"
    raise SourceError(f"is not an .npy, .npz or .png file; {hint}", source=path)


def _read_npz(file: IO[bytes], wanted: Sequence[ModelInput], most: int) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise SourceError(f"holds {len(members):,} members, too many for an .npz file of inputs")
            names = {member.filename.removesuffix(".npy"): member for member in members}
            if len(wanted) == 1 and wanted[0].name not in names and len(names) == 1:
                names = {wanted[0].name: next(iter(names.values()))}
            results: dict[str, Any] = {}
            for model_input in wanted:
                member = names.get(model_input.name, names.get(model_input.alias))
                if member is None:
                    continue
                refuse_coding(member)
                with archive.open(member) as data:
                    results |= [_array(data, member.file_size, member.compress_size, [model_input], most)]
            if not results:
                listed = ", ".join(f"'{name}'" for name in list(names)[:8]) or "nothing"
                missing = " or ".join(f"'{model_input.name}'" for model_input in wanted[:4])
                raise SourceError(f"has no array {missing}; it has {listed}")
            return results
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zipfile.LargeZipFile) as error:
        raise SourceError(f"is damaged ({error})") from None


def _header(np: Any, data: IO[bytes], version: tuple[int, int]) -> tuple[tuple[int, ...], bool, Any]:
    """Read the header of an array, which NumPy parses as a literal of Python. Raises ValueError for other bytes."""
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the file is of Python 2
            shape, fortran, dtype = read(data)
    except (TypeError, SyntaxError, RecursionError, MemoryError, TokenError) as error:
        raise ValueError(f"its header cannot be read: {error}") from None
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"its header states the shape {shape}")
    return shape, fortran, dtype


def _array(
    data: IO[bytes], size: int, stored: int, wanted: Sequence[ModelInput], most: int = MAX_DATASET_BYTES
) -> tuple[str, Any]:
    """Read an array in NumPy's format, for the first input that it fits; its header is checked before its data is
    read. At most `most` bytes are unpacked."""
    import numpy as np

    try:
        version = np.lib.format.read_magic(data)
        if version not in ((1, 0), (2, 0)):
            raise SourceError(f"has version {version} of NumPy's format; arrays of numbers have 1.0 or 2.0")
        shape, fortran, dtype = _header(np, data, version)
        if dtype.hasobject:
            raise SourceError("holds Python objects, which are never unpickled; save numbers or text")
        nbytes = math.prod(map(int, shape)) * dtype.itemsize
        if nbytes > size or nbytes > max(MAX_DATASET_BYTES, stored * MAX_DATASET_RATIO):
            raise SourceError(f"declares {nbytes:,} bytes of data but stores {stored:,}")
        if nbytes > max(stored, most):
            words = f"unpacks to {nbytes:,} bytes, more than {most:,}; save it with numpy.save or numpy.savez"
            raise SourceError(words)
        model_input = next((model_input for model_input in wanted if model_input.misfit(shape) is None), wanted[0])
        hint = model_input.misfit(shape)
        if hint is not None:
            stored_shape = shape_text(shape) if shape else "()"
            needs = " and ".join(
                [
                    f"{model_input.who} needs {model_input.shape_words}{model_input.misfit(shape)}"
                    for model_input in wanted
                ]
            )
            raise SourceError(f"holds an array of {stored_shape}; {needs}")
        content = np.empty(nbytes, "uint8")
        view, done = content.data, 0
        while done < nbytes:  # piece by piece: a whole read would need the memory twice
            count = data.readinto(view[done : done + _PIECE])  # type: ignore[attr-defined]
            if not count:
                raise SourceError(f"ends after {done:,} of {nbytes:,} bytes of data")
            done += count
        array = np.frombuffer(content, dtype=dtype)
        return model_input.name, array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
    except SourceError:
        raise
    except (ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise SourceError(f"is not an array in NumPy's format ({str(error).splitlines()[0][:160]})") from None
    except MemoryError:
        raise SourceError("does not fit into memory") from None
