"""An HDF5 file's groups and arrays, listed without reading a value or following a link out of what is listed.

Only hard links are followed, each group once; external links, soft links, virtual datasets and values kept in other
files are passed over with a note. Whatever h5py raises for damaged bytes is in `DAMAGE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.files.limits import MAX_ATTRIBUTE_BYTES, MAX_H5_DEPTH, MAX_H5_OBJECTS
from layerexplain.model import Note
from layerexplain.records import NamedTuple, grouped

DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, NotImplementedError)

_NUMBERS = "biufc"
_HARD, _SOFT = 0, 1
"""Kinds of links, as h5py.h5l numbers them."""
_MAX_CHUNKS = 10_000


class Dataset(NamedTuple):
    """An array: the names of the groups that lead to it and its own, its shape, dtype and bytes of one value."""

    parts: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    itemsize: int


class H5Tree(NamedTuple):
    """What is in a file, datasets in the order of names. `groups` are the paths of all groups, those of one group in
    the order in which they lie in the file, which is that in which they were written; `names` what the attribute
    `name` of a group says, by path."""

    datasets: tuple[Dataset, ...]
    groups: tuple[tuple[str, ...], ...]
    names: dict[tuple[str, ...], str]
    notes: tuple[Note, ...]


def list_tree(root: Any) -> H5Tree:
    """Return the tree below an open h5py group. Raises SourceError for one that is too large or nested too deeply."""
    import h5py

    results: list[list[Dataset | Note]] = []
    addresses: dict[tuple[str, ...], int] = {(): 0}
    names: dict[tuple[str, ...], str] = {}
    # A group is known by its address in the file; asking for all of `h5o.get_info` would take most of the time.
    seen = {h5py.h5o.get_info(root.id).addr}
    visited = 0
    dtypes: dict[Any, str | None] = {}

    # Depth first: only the groups on the way down are open, and each is opened once, since opening is what takes the
    # time. The objects of a group are still listed before those of the groups in it.
    def walk(parts: tuple[str, ...], group: Any) -> None:
        nonlocal visited
        visited += group.get_num_objs()
        if visited > MAX_H5_OBJECTS:
            raise SourceError(f"is an HDF5 file of more than {MAX_H5_OBJECTS:,} objects; no model has that many")
        name = text_attribute(group, "name")
        if name:
            names[parts] = name
        own: list[Dataset | Note] = []
        results.append(own)
        for raw, kind, address in _links(group):
            path = (*parts, raw.decode("utf-8", "backslashreplace"))
            refused = _refused(raw, kind, path)
            if refused is not None:
                own.append(refused)
                continue
            member = h5py.h5o.open(group, raw)
            if isinstance(member, h5py.h5d.DatasetID):
                own.append(_dataset(member, path, dtypes))
            elif isinstance(member, h5py.h5g.GroupID):
                if address in seen:
                    own.append(_note("hard-link", path, "is a group that was read before, under another name"))
                    continue
                if len(path) > MAX_H5_DEPTH:
                    raise SourceError(f"is an HDF5 file nested more than {MAX_H5_DEPTH} groups deep; no model is")
                seen.add(address)
                addresses[path] = address
                walk(path, member)

    walk((), root.id)
    rows = [note for group in results for note in group]
    datasets = tuple([row for row in rows if isinstance(row, Dataset)])
    notes = tuple([row for row in rows if isinstance(row, Note)])
    return H5Tree(datasets, tuple(_in_file_order(addresses)), names, notes)


def _in_file_order(addresses: dict[tuple[str, ...], int]) -> Iterator[tuple[str, ...]]:
    """Return groups, each before what is in it, the members of each in the order in which they were written.

    What is written later lies behind, but for what fits into room that became free. So the last address of all that is
    in a group counts.
    """
    last = dict(addresses)
    for path in sorted(addresses, key=len, reverse=True):
        if path:
            last[path[:-1]] = max(last[path[:-1]], last[path])
    members = grouped((path[:-1], path) for path in sorted(last, key=last.__getitem__) if path)

    def below(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for member in members.get(path, ()):
            yield from below(member)

    return below(())


def _links(group: Any) -> list[tuple[bytes, int, Any]]:
    """Return the name, the kind and the address of each link of a group, told by one walk: to ask for each again takes
    as long as all else. They come in the order of names, or in that in which they were made where the file keeps
    that."""
    import h5py

    links: list[tuple[bytes, int, Any]] = []
    kept = group.get_create_plist().get_link_creation_order() & h5py.h5p.CRT_ORDER_TRACKED
    order = h5py.h5.INDEX_CRT_ORDER if kept else h5py.h5.INDEX_NAME
    group.links.iterate(lambda name, link: links.append((name, link.type, link.u)), info=True, idx_type=order)
    return links


def _refused(raw: bytes, kind: int, path: tuple[str, ...]) -> Note | None:
    """Return why a link is not followed; None for one that names an object of the same file."""
    # No writer makes such a name; opening it would walk along it, through whatever link it names.
    if b"/" in raw or raw in (b"", b".", b".."):
        return _note("bad-name", path, "is a name with a '/' in it, which HDF5 does not allow")
    if kind == _HARD:
        return None
    if kind == _SOFT:
        return _note("soft-link", path, "is a soft link, which is not followed")
    return _note("external-link", path, "is a link to another file, which is not followed")


def _dataset(dataset: Any, path: tuple[str, ...], dtypes: dict[Any, str | None]) -> Dataset | Note:
    """Return an array's shape and dtype, or why it is passed over; `dtypes` are the names of dtypes that were met
    before."""
    from h5py import h5d, h5s

    plan = dataset.get_create_plist()
    layout = plan.get_layout()
    if layout == h5d.VIRTUAL:
        return _note("virtual-dataset", path, "is a virtual dataset, whose parts are stored elsewhere and are not read")
    if layout == h5d.CONTIGUOUS and plan.get_external_count() > 0:
        return _note("external-link", path, "stores its values in another file, which is not read")
    space = dataset.get_space()
    if space.get_simple_extent_type() not in (h5s.SIMPLE, h5s.SCALAR):
        return _note("not-an-array", path, "has no values")
    kind = dataset.dtype
    if kind not in dtypes:
        is_plain = kind.names is None and kind.subdtype is None
        dtypes[kind] = (
            str(kind.name) if is_plain and kind.kind in _NUMBERS else "" if is_plain and kind.kind == "V" else None
        )
    # NumPy has no bfloat16 of its own: HDF5 keeps opaque bytes, and Keras says in an attribute what they are.
    dtype = dtypes[kind]
    if dtype == "":
        dtype = text_attribute(dataset, "dtype") or ("bfloat16" if kind.itemsize == 2 else None)
    if dtype is None:
        return _note("not-an-array", path, f"holds values of type {str(kind)[:60]}; numbers are needed")
    return Dataset(path, tuple(map(int, space.get_simple_extent_dims())), dtype, int(kind.itemsize))


def _note(code: str, path: tuple[str, ...], what: str) -> Note:
    return Note(code, None, f"/{'/'.join(path)} {what}")


# Attributes -----------------------------------------------------------------------------------------------------


def configuration(root: Any, most: int) -> tuple[bytes | None, str | None, str | None]:
    """Return what an open file says of its model: the configuration of at most `most` bytes, the version of Keras, and
    what it was compiled with."""
    texts = _joined(root.id, "model_config", most)
    if texts is not None:
        return b"".join(texts), text_attribute(root.id, "keras_version"), text_attribute(root.id, "training_config")
    if has_attribute(root.id, "model_config"):
        raise SourceError("the attribute model_config is an array or a number; one text is needed")
    return None, None, None


def text_attribute(owner: Any, name: str) -> str | None:
    """Return a text attribute of an open group or dataset; None where there is none, or where it is not a text."""
    results = _texts(owner, name, MAX_ATTRIBUTE_BYTES)
    return _decoded(results[0]) if results is not None and len(results) == 1 else None


def names_attribute(owner: Any, name: str) -> list[str] | None:
    """Return a list of names; None where there is none."""
    results = _joined(owner, name, MAX_ATTRIBUTE_BYTES)
    return None if results is None else [_decoded(item) for item in results]


def has_attribute(owner: Any, name: str) -> bool:
    """Return whether an open group or dataset has an attribute, whatever it is."""
    import h5py

    return bool(h5py.h5a.exists(owner, name.encode()))


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")


def _joined(owner: Any, name: str, most: int) -> list[bytes] | None:
    """Return the texts of an attribute, or of name0, name1, … where they were too long for one; None where there is
    none."""
    results = _texts(owner, name, most)
    if results is not None:
        return results
    joined: list[bytes] = []
    for number in range(_MAX_CHUNKS):
        part = _texts(owner, f"{name}{number}", most)
        if part is None:
            return joined if number else None
        joined += part
        if len(joined) > MAX_H5_OBJECTS:
            break
    raise SourceError(f"the attribute {name} has more than {MAX_H5_OBJECTS:,} names; no model has that many")


def _texts(owner: Any, name: str, most: int) -> list[bytes] | None:
    """Return the texts of an attribute, one or an array of them; its stated type and size are checked before it is
    read."""
    import h5py
    import numpy as np

    if not has_attribute(owner, name):
        return None
    attribute = h5py.h5a.open(owner, name.encode())
    shape = attribute.shape
    if 0 in shape:
        return []
    if h5py.check_string_dtype(attribute.dtype) is None or len(shape) > 1:
        return None
    _check_size(attribute.get_storage_size(), name, most)
    values = np.empty(shape, dtype=attribute.dtype)
    attribute.read(values)
    texts = [v if isinstance(v, bytes) else str(v).encode("utf-8", "surrogateescape") for v in values.reshape(-1)]
    _check_size(sum(map(len, texts)), name, most)
    return texts


def _check_size(size: int, name: str, most: int) -> None:
    if size > most:
        raise SourceError(f"the attribute {name} has {size:,} bytes; Keras writes at most {most:,}")
