"""Where a catalogue is on disk: its two tables, their parts, and what the runs need beside them.

| models | layers | parts and manifest |
| --- | --- | --- |
| `zoo.parquet/*.parquet` | `zoo.layers.parquet/*.parquet` | the tables are the parts; `zoo.parquet/_manifest/` |
| `zoo.jsonl` | `zoo.layers.jsonl` | `zoo.jsonl.parts/` |
| `zoo.csv` | `zoo.layers.csv` | `zoo.csv.parts/` |

Readers of Parquet pass over names that begin with an underscore.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from importlib.util import find_spec

from layerexplain.catalogues.manifest import Done, Manifest, has_no_model
from layerexplain.catalogues.rows import VERSION
from layerexplain.catalogues.writers import (
    TABLES,
    ParquetWriter,
    TextWriter,
    Writer,
    csv_header,
    csv_line,
    json_line,
    unfinished,
)
from layerexplain.errors import LayerExplainError
from layerexplain.files.replacing import replacing, writing
from layerexplain.records import NamedTuple

FORMATS = ("parquet", "jsonl", "csv")


class CatalogueTable(NamedTuple):
    """A catalogue's place and format."""

    path: str
    format: str

    @property
    def is_parts(self) -> bool:
        """Whether its parts are the tables themselves."""
        return self.format == "parquet"

    @property
    def work(self) -> str:
        """The directory with the manifest."""
        return os.path.join(self.path, "_manifest") if self.is_parts else f"{self.path}.parts"

    @property
    def journals(self) -> str:
        """The directory in which those who are at work tell how far they are."""
        return os.path.join(self.work, "at-work")

    @property
    def stop(self) -> str:
        """The file whose being there says that all are to stop."""
        return os.path.join(self.work, "stop")

    def path_of(self, table: str) -> str:
        """Return the path of one of the two tables."""
        stem = self.path.removesuffix(f".{self.format}")
        return self.path if table == "models" else f"{stem}.{table}.{self.format}"

    def folder(self, table: str) -> str:
        """Return the directory with a table's parts."""
        return self.path_of(table) if self.is_parts else os.path.join(self.work, table)

    def file(self, table: str, part: str) -> str:
        """Return the file of a table in a part."""
        return os.path.join(self.folder(table), f"{part}.{self.format}")

    def journal(self, part: str) -> str:
        """Return what tells how far a part is."""
        return os.path.join(self.journals, part)

    def writer(self, table: str, part: str) -> Writer:
        """Return what writes a table's rows of a part."""
        path, columns = self.file(table, part), TABLES[table]
        if self.format == "parquet":
            return ParquetWriter(path, columns)
        return TextWriter(path, json_line if self.format == "jsonl" else csv_line(columns))


def table_at(path: str) -> CatalogueTable:
    """Return the catalogue at a path, whose ending says its format. Raises LayerExplainError for another ending, or if
    pyarrow is needed and not there."""
    format = path.rpartition(".")[2].lower() if "." in os.path.basename(path) else ""
    if format not in FORMATS:
        raise LayerExplainError("needs to end with .parquet, .jsonl or .csv", source=path)
    if format == "parquet" and find_spec("pyarrow") is None:
        hint = "`pip install '.[catalogue]'` in a clone, or write .jsonl or .csv"
        raise LayerExplainError(f"Parquet needs pyarrow, which is not installed; {hint}", source=path)
    return CatalogueTable(os.path.abspath(path), format)


def open_manifest(
    table: CatalogueTable, shown: str, *, resume: bool, overwrite: bool, facts: dict[str, str]
) -> Manifest:
    """Return the manifest of a table: of a new one, or of one that is there and is resumed or written anew.

    One for which no model could be read is written anew. Raises LayerExplainError if the table exists and neither
    `resume` nor `overwrite` is set, or if it cannot be written.
    """
    stored = os.path.join(table.work, "manifest.sqlite")
    there = [path for path in (*map(table.path_of, TABLES), table.work) if os.path.lexists(path)]
    if there and not resume and os.path.exists(stored) and has_no_model(stored):
        overwrite = True
    if there and not (resume or overwrite):
        raise LayerExplainError("already exists; use --resume or --overwrite", source=shown)
    with writing(shown):
        if there and overwrite and not resume:
            for path in there:
                _remove(path)
        elif there and not os.path.exists(stored):
            words = "was not written by `catalogue`, or its manifest is missing; --overwrite replaces it"
            raise LayerExplainError(words, source=shown)
        for name in TABLES:
            os.makedirs(table.folder(name), exist_ok=True)
        os.makedirs(table.journals, exist_ok=True)
    try:
        manifest = Manifest(stored, {**facts, "columns": str(VERSION), "format": table.format})
    except LayerExplainError as error:
        raise error.with_place(source=shown) from None
    try:
        with writing(shown):
            tidy(table, manifest)
    except BaseException:
        manifest.close()
        raise
    return manifest


def removed(table: CatalogueTable) -> None:
    """Remove a table in which nothing was entered, so that the next run finds a free place."""
    for path in (*map(table.folder, TABLES), table.work):
        _remove(path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):  # a directory before may have held it
        os.unlink(path)


def tidy(table: CatalogueTable, manifest: Manifest) -> None:
    """Remove what runs and processes that were killed left: files that the manifest does not know."""
    if os.path.exists(table.stop):
        os.unlink(table.stop)
    for name in os.listdir(table.journals):
        os.unlink(table.journal(name))
    parts = manifest.parts()
    for folder in map(table.folder, TABLES):
        for name in os.listdir(folder):
            if name.partition(".")[0] not in parts and name != os.path.basename(table.work):
                os.unlink(os.path.join(folder, name))


def assemble(table: CatalogueTable, manifest: Manifest) -> None:
    """Write the tables of texts from their parts, in the order of the sources; each is there whole or not at all."""
    if table.is_parts:
        return
    for name, columns in TABLES.items():
        with replacing(table.path_of(name)) as file, writing(table.path_of(name)), ExitStack() as stack:
            if table.format == "csv":
                file.write(csv_header(columns).encode())
            part, opened = "", None
            for other, begin, end in manifest.ranges(name):
                if other != part or opened is None:
                    stack.close()
                    part, opened = other, stack.enter_context(open(table.file(name, other), "rb"))
                opened.seek(begin)
                while begin < end:
                    piece = opened.read(min(end - begin, 1 << 20))
                    if not piece:
                        raise LayerExplainError("a part is shorter than its manifest says; --overwrite replaces it")
                    file.write(piece)
                    begin += len(piece)


def without_stale_rows(table: CatalogueTable, part: str, other: str, kept: Iterable[Done]) -> list[Done]:
    """Write a part anew as `other` with the rows that are kept of it; returns where these are in it."""
    found = list(kept)
    if not table.is_parts:  # of a text only the ranges of the manifest are used
        return found
    import pyarrow as pa
    import pyarrow.parquet as pq

    moved: dict[str, list[tuple[int, int]]] = {}
    for name in TABLES:
        whole = pq.read_table(table.file(name, part))
        at, slices = 0, []
        moved[name] = []
        for one in found:
            begin, end = one.models_range if name == "models" else one.layers_range
            slices.append(whole.slice(begin, end - begin))
            moved[name].append((at, at + end - begin))
            at += end - begin
        path = table.file(name, other)
        pq.write_table(pa.concat_tables([whole.slice(0, 0), *slices]), unfinished(path), compression="zstd")
        os.replace(unfinished(path), path)
    ranges = zip(found, moved["models"], moved["layers"], strict=True)
    return [one._replace(models_range=models, layers_range=layers) for one, models, layers in ranges]
