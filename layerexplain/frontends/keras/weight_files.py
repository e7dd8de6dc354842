"""The weights that a source stores, whatever it is: what there is, without a value read; values one by one on request.

Two layouts: `classes` (`.keras`, `.weights.h5`), where groups are named after the layers' classes and variables are
numbered, and `names` (legacy `.h5`), where both have the names that they had in the model.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import IO, Any

from layerexplain.errors import LayerExplainError, SourceError, first_line
from layerexplain.files.limits import MAX_CONFIG_BYTES
from layerexplain.files.zip_members import DAMAGE, members_by_name, read_member
from layerexplain.frontends.code_source import code_source, named_source, place_of
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.archive import config_bytes, member_target
from layerexplain.frontends.keras.h5_service import SERVICE, Answer, H5Target
from layerexplain.frontends.keras.weight_layouts import WeightListing, as_listing, joined
from layerexplain.frontends.keras.weight_tensors import Groups, Layout, Statistics, StoredTensor, statistics
from layerexplain.frontends.opened import HEAD, is_hdf5
from layerexplain.model import Model, Note
from layerexplain.records import NamedTuple, grouped
from layerexplain.sources import is_remote
from layerexplain.sources.regular_file import folder_of, in_folder, is_file_in, is_folder, names_in, open_regular

WEIGHTS = "model.weights.h5"
SHARD_INDEX = "model.weights.json"
_NPZ = "model.weights.npz"
_LEAST_SECONDS = 2
_LISTED_A_SECOND = 2_000_000
"""Lowest listing speed assumed, in bytes a second: that of a file with nothing but the smallest of layers."""
_READ_A_SECOND = 10_000_000
"""Lowest speed assumed for reading values, in bytes a second: by the slowest machine and the hardest compression."""
_MAX_SHARDS = 10_000
_SHARD_ENDING = ".weights.h5"
SAFETENSORS = (".safetensors", ".safetensors.index.json")
"""How the names of files end that hold weights in safetensors, or list those that do."""
_SAVED_MODEL = frozenset({"saved_model.pb", "keras_metadata.pb"})


class WeightFile:
    """The weights of one source.

    `format` says what kind of file it is, `has_model` whether an architecture is beside the weights, `backend` what
    Keras ran on, where a legacy file says it. `tensors` are in
    the file's order, `parameters` those that are not the state of an optimizer, a random generator or a metric,
    `direct` these by their group. `names` are the names of layers by their groups, where the file keeps them (class
    layout, Keras 3.6 and later). `groups` are all groups in the file's order, `objects` those of a layer or of what a
    layer holds, not of a list of them. `files` are the HDF5 files by name; of other formats, `raw` has the places of
    values by the tensors' paths.
    """

    def __init__(
        self,
        format: str,
        listing: WeightListing,
        files: Mapping[str, H5Target] | None = None,
        *,
        raw: Mapping[str, Any] | None = None,
        has_model: bool = False,
    ) -> None:
        self.format = format
        self.layout: Layout = listing.layout or "classes"
        self.has_model = has_model
        self.keras_version = listing.keras_version
        self.backend = listing.backend
        self.tensors = listing.tensors
        self.names = listing.names
        self.parameters = [tensor for tensor in listing.tensors if tensor.role == "parameter"]
        self.groups: Mapping[Groups, None] = dict.fromkeys(listing.groups)
        self.objects = listing.objects
        self.notes = listing.notes
        self.files = files or {}
        self.raw = raw or {}

    @cached_property
    def direct(self) -> Mapping[Groups, list[StoredTensor]]:
        return grouped((tensor.parts[:-1], tensor) for tensor in self.parameters)

    def read(self, tensor: StoredTensor) -> Any:
        """Return the values of a tensor as a NumPy array; bfloat16 comes as float32, which holds all of its values.

        Raises SourceError where they are damaged or absurdly larger than stored.
        """
        import numpy as np

        if tensor.path in self.raw:
            return self.raw[tensor.path].read(tensor.shape)
        answer = self._ask(tensor, "values", most=16 * tensor.size)
        dtype = np.dtype(str(answer.value["dtype"]))
        if dtype.kind not in "biufc" or len(answer.data) != tensor.size * dtype.itemsize:
            raise SourceError(f"{tensor.path} cannot be read (it changed after it was listed)")
        return np.frombuffer(answer.data, dtype=dtype).reshape(tensor.shape)

    def statistics(self, tensor: StoredTensor, hear: Callable[[int], None] | None = None) -> Statistics:
        """Return what the values of a tensor are like; memory does not follow their number. Raises as `read` does.

        `hear` is called now and then with the number of bytes that were read.
        """
        if tensor.path in self.raw:
            return statistics([self.read(tensor)])
        return Statistics(*self._ask(tensor, "statistics", hear=hear).value["statistics"])

    def _ask(self, tensor: StoredTensor, what: str, **details: Any) -> Answer:
        seconds = 10 + tensor.bytes / _READ_A_SECOND
        asked = {"path": tensor.path, "dtype": tensor.dtype, **details}
        return SERVICE.ask(self.files[tensor.file], what, seconds=seconds, **asked)


def content_of(source: Any) -> str | bytes | None:
    """Return what may store the weights of a source: a path, the bytes of a file, or the place of a model that was
    read; None for what is in no file."""
    if isinstance(source, Model):
        return place_of(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str):
        source = code_source(source)  # `train.py:build_model` is in a file, too
    content: bytes | None = getattr(source, "content", None)  # of code that was read from a pipe
    if content is not None:
        return content
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else None


@contextmanager
def open_weights(source: str | os.PathLike[str] | bytes, *, patience: float = 8) -> Iterator[WeightFile | None]:
    """Open the weights of a path or of a file's bytes, for as long as the `with`; None for a source that stores none.

    `patience` is how many seconds of the processor's time listing them may take at most. Raises SourceError, with the
    source's name, for what cannot be opened or is damaged. No value is read.
    """
    place = source if isinstance(source, bytes) else named_source(source)
    name = "<bytes>" if isinstance(place, bytes) else place
    try:
        file = _Opening(patience).weight_file(place)
    except LayerExplainError as error:
        raise error.with_place(source=name) from None
    except FileNotFoundError:
        raise SourceError("no such file", source=name) from None
    except DAMAGE as error:
        raise SourceError(f"cannot be read ({first_line(error)})", source=name) from None
    try:
        yield file
    except SourceError as error:
        raise error.with_place(source=name) from None


class _Opening(NamedTuple):
    """Finds the weights of one source."""

    patience: float

    def weight_file(self, source: str | bytes) -> WeightFile | None:
        if isinstance(source, bytes):
            return self._of_stream(io.BytesIO(source), None, source)
        path = source if is_remote(source) else os.path.abspath(source)
        if is_folder(path):
            names = {name for name in names_in(path) if is_remote(path) or is_file_in(path, name)}
            if names & _SAVED_MODEL:
                return self._of_saved_model(path)
            if any(name.endswith(SAFETENSORS) for name in names):
                from layerexplain.frontends.hugging_face.safetensors import safetensors_weights

                return safetensors_weights(path, names)
            return self._of_files(names, partial(config_bytes, path), partial(_shard, path))
        with open_regular(path) as file:
            return self._of_stream(file, path, None)

    def _of_stream(self, file: IO[bytes], path: str | None, data: bytes | None) -> WeightFile | None:
        head = file.read(HEAD)
        file.seek(0)
        if head.startswith(b"PK"):
            return self._of_archive(file, path)
        if is_hdf5(head):
            return self._legacy(H5Target(None, data=data) if path is None else H5Target.from_source(path))
        if path is None:
            return None  # what else has weights has them in files beside it
        folder, name = folder_of(path), os.path.basename(path)
        if head[8:9] == b"{":
            from layerexplain.frontends.hugging_face.safetensors import safetensors_weights

            return safetensors_weights(folder, {name})
        if name in _SAVED_MODEL:
            return self._of_saved_model(folder)
        if head.lstrip()[:1] == b"{" and b'"weight_map"' in head:
            names = shard_files(config_bytes(folder, name), name)
            files = {name: _shard(folder, name) for name in names}
            return self._classes(files, "weights-shards", has_model=False)
        if head.lstrip()[:1] == b"{" and b'"model_type"' in head + file.read(MAX_CONFIG_BYTES):
            return self.weight_file(folder) if any(item.endswith(SAFETENSORS) for item in names_in(folder)) else None
        file.seek(0)
        return self._of_tfjs(file, folder) if head.lstrip()[:1] == b"{" else None

    def _of_saved_model(self, folder: str) -> WeightFile | None:
        from layerexplain.frontends.keras.saved_values import saved_model_weights

        result = saved_model_weights(folder)
        return None if result is None else WeightFile("saved-model", result[0], raw=result[1], has_model=True)

    def _of_tfjs(self, file: IO[bytes], folder: str) -> WeightFile | None:
        data = file.read(MAX_CONFIG_BYTES + 1)
        if b'"weightsManifest"' not in data:
            return None
        from layerexplain.frontends.keras.weight_layouts import tfjs_weights

        result = tfjs_weights(parse_json(data, "model.json"), folder)
        return None if result is None else WeightFile("tfjs-layers", result[0], raw=result[1], has_model=True)

    def _of_archive(self, file: IO[bytes], path: str | None) -> WeightFile | None:
        with zipfile.ZipFile(file) as archive:
            members = members_by_name(archive)
            twice = [name for name, same in members.items() if len(same) > 1 and name.startswith("model.weights")]
            if twice:
                raise SourceError(f"holds {twice[0]} twice; a .keras file has one")

            def target(name: str) -> H5Target:
                if name not in members:
                    raise SourceError(f"{SHARD_INDEX} names {name!r}, which the archive does not hold")
                return member_target(archive, file, path, members[name][-1])

            return self._of_files(members, lambda name: read_member(archive, members, name) or b"", target)

    def _of_files(
        self, names: Container[str], read: Callable[[str], bytes], target: Callable[[str], H5Target]
    ) -> WeightFile | None:
        """Return the weights among the files of a .keras archive, or of the same unzipped."""
        has_model = "config.json" in names
        if WEIGHTS in names:
            return self._classes({"": target(WEIGHTS)}, has_model=has_model)
        if SHARD_INDEX in names:
            files = {name: target(name) for name in shard_files(read(SHARD_INDEX), SHARD_INDEX)}
            return self._classes(files, has_model=has_model)
        if _NPZ not in names:
            return None
        words = f"{_NPZ} stores its arrays as pickles, which are not unpickled: they are not read"
        listing = WeightListing("classes", notes=(Note("npz-weights", None, words),))
        return WeightFile("keras-archive", listing, has_model=has_model)

    # HDF5 -------------------------------------------------------------------------------------------------------

    def _classes(self, files: Mapping[str, H5Target], format: str = "keras-archive", *, has_model: bool) -> WeightFile:
        listings = {}
        left = self.patience
        for name, target in files.items():
            listings[name], taken = self._listing(target, classes=True, patience=left)
            left -= taken
        listing = joined(listings)
        return WeightFile(format, listing, files, has_model=has_model)

    def _legacy(self, target: H5Target) -> WeightFile | None:
        listing, _ = self._listing(target, classes=False, patience=self.patience)
        if listing.layout is None:
            return None
        if listing.layout == "classes":
            listing = joined({"": listing})
        return WeightFile(listing.format, listing, {"": target}, has_model=listing.format == "h5")

    @staticmethod
    def _listing(target: H5Target, *, classes: bool, patience: float) -> tuple[WeightListing, float]:
        """Return what is in a file, and how many seconds of the processor's time it took."""
        seconds = min(_LEAST_SECONDS + target.length / _LISTED_A_SECOND, patience)
        if seconds <= 0:
            raise SourceError("has weights in so many files that listing them takes too long")
        answer = SERVICE.ask(target, "weights", seconds=seconds, classes=classes)
        return as_listing(answer.value["listing"]), answer.value["seconds"]


def _shard(folder: str, name: str) -> H5Target:
    """Return a file of weights in a folder; a shard that is not a file of its own, such as a symbolic link, is
    refused."""
    path = in_folder(folder, name)
    if name != WEIGHTS and (not is_file_in(folder, name) or (not is_remote(path) and os.path.islink(path))):
        raise SourceError(f"the index names {name!r}, and that file is not in its directory")
    return H5Target.from_source(path)


def shard_files(data: bytes, what: str) -> list[str]:
    """Return the names of the files that an index `{"weight_map": {path: name or names}}` lists, each once.

    Raises SourceError where it is no such index, or where a name is not that of a file beside it.
    """
    document = parse_json(data, what)
    listed = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(listed, dict):
        raise SourceError(f"{what} has no weight_map; an index of weights lists its files there")
    names: dict[str, None] = {}
    for value in listed.values():
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str) or not _is_plain(name):
                beside = f"only files beside it that end in {_SHARD_ENDING} are read"
                raise SourceError(f"{what} names the file {str(name)[:80]!r}; {beside}")
            names[name] = None
    if len(names) > _MAX_SHARDS:
        raise SourceError(f"{what} lists {len(names):,} files; at most {_MAX_SHARDS:,} are read")
    return list(names)


def _is_plain(name: str) -> bool:
    """Return whether a name is that of a file, with no way out of its folder in it."""
    return name.endswith(_SHARD_ENDING) and not name.startswith(".") and not set(name) & set("/\\:\0")
