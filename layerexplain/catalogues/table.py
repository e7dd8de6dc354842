"""Where a catalogue is on disk: its two tables, their parts, and the SQLite file that says which source is where.

Each source stands there with its place in the listing, its size and mark, and the part that holds its rows; a URL
without its password. Memory does not follow the number of sources.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from layerexplain.catalogues.rows import (
    TABLES,
    VERSION,
    ParquetWriter,
    Range,
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

# Manifest -----------------------------------------------------------------------------------------------------------

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS sources (
  source TEXT PRIMARY KEY, place INTEGER, run INTEGER, size INTEGER, mark TEXT, named INTEGER,
  fault TEXT, no_model INTEGER, changed INTEGER DEFAULT 0, deaths INTEGER DEFAULT 0,
  part TEXT, models_from INTEGER, models_to INTEGER, layers_from INTEGER, layers_to INTEGER,
  models INTEGER DEFAULT 0, errors INTEGER DEFAULT 0, passed INTEGER DEFAULT 0, again INTEGER DEFAULT 0
);
CREATE INDEX IF NOT EXISTS in_order ON sources (place);
CREATE INDEX IF NOT EXISTS in_parts ON sources (part);
CREATE INDEX IF NOT EXISTS waiting ON sources (place) WHERE part IS NULL;
"""

_LIST = """
INSERT INTO sources (source, place, run, size, mark, named, fault, no_model) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (source) DO UPDATE SET
  changed = part IS NOT NULL AND (size IS NOT excluded.size OR mark IS NOT excluded.mark OR again),
  place = excluded.place, run = excluded.run, size = excluded.size, mark = excluded.mark, named = excluded.named,
  fault = excluded.fault, no_model = excluded.no_model
WHERE run < excluded.run
"""

_DONE = """
UPDATE sources SET part = ?, size = ?, mark = ?, models_from = ?, models_to = ?, layers_from = ?, layers_to = ?,
  models = ?, errors = ?, passed = ?, again = ? WHERE source = ?
"""


class Listed(NamedTuple):
    """A source that is to be read. `named` says that it was given by its name, and not found; `fault` why there is
    nothing to read, and `no_model` that it holds no model; `deaths` how often a process has died over it."""

    source: str
    size: int | None
    mark: str
    named: bool
    fault: str | None = None
    no_model: bool = False
    deaths: int = 0


class Done(NamedTuple):
    """A source whose rows are in a part: their ranges in it, how many models it has and how many of them with an error.
    `passed` says that it holds no model, and was not named; `again`, that the next run reads it again in any case."""

    source: str
    size: int | None
    mark: str
    models_range: Range
    layers_range: Range
    models: int
    errors: int
    passed: bool = False
    again: bool = False


class Counts(NamedTuple):
    """Numbers of sources, and of models in those that are done."""

    sources: int
    done: int
    models: int
    errors: int
    passed: int


def _as_text(words: str | None) -> str | None:
    """Return words as SQLite takes them: bytes of a name or of a header that are no UTF-8 are spelt out."""
    return words and words.encode("utf-8", "backslashreplace").decode()


def _as_name(source: str) -> str | bytes:
    """Return a source as SQLite takes it, and `os.fsdecode` gives it back: a name that is no UTF-8 as its bytes."""
    try:
        source.encode()
    except UnicodeEncodeError:
        return os.fsencode(source)
    return source


def has_no_model(path: str) -> bool:
    """Return whether a run that has ended could read no model of all that it was given."""
    query = "SELECT COUNT(*) = COUNT(part) AND SUM(models) = SUM(errors) FROM sources"
    try:
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as base:
            return bool(base.execute(query).fetchone()[0])
    except sqlite3.Error:  # whoever opens it says why
        return False


class Manifest:
    """The manifest of one table, for one run: no other can have it at the same time."""

    def __init__(self, path: str, facts: dict[str, str]) -> None:
        self._base = sqlite3.connect(path, timeout=1, isolation_level=None)
        try:
            self._begin(facts)
        except BaseException:
            self.close()
            raise

    def _begin(self, facts: dict[str, str]) -> None:
        with self._errors():
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            with self._together():
                for statement in filter(str.strip, _TABLES.split(";")):
                    self._base.execute(statement)
                known = dict(self._base.execute("SELECT name, value FROM facts"))
                self.run = int(known.get("run", 0)) + 1
                for name, value in facts.items():
                    if known.get(name, value) not in (value, _as_text(value)):
                        raise LayerExplainError(
                            f"was written with {name} {known[name]}, not {value}; --overwrite replaces it"
                        )
                texts = {**{name: _as_text(value) for name, value in facts.items()}, "run": str(self.run)}
                self._base.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", texts.items())

    def close(self) -> None:
        """Let go of it."""
        self._base.close()

    # Listing -----------------------------------------------------------------------------------------------------

    def enter_listed(self, result: Iterable[Listed]) -> Iterator[int]:
        """Enter the sources of this run, in their order; yields how many there are so far."""
        with self._errors(), self._together():
            rows = []
            for place, listed in enumerate(result):
                mark, fault = _as_text(listed.mark), _as_text(listed.fault)
                rows.append(
                    (_as_name(listed.source), place, self.run, listed.size, mark, listed.named, fault, listed.no_model)
                )
                if len(rows) >= 1000:
                    self._base.executemany(_LIST, rows)
                    rows.clear()
                    yield place + 1
            self._base.executemany(_LIST, rows)

    def knows_mark(self, source: str) -> bool:
        """Return whether a source was read that had a mark, so that its mark of today says whether it has changed."""
        query = "SELECT 1 FROM sources WHERE source = ? AND part NOTNULL AND mark != '' AND NOT again"
        return bool(self._all(query, _as_name(source)))

    def stale_parts(self) -> list[str]:
        """Return the parts with rows of sources that have changed or are no longer there."""
        query = "SELECT DISTINCT part FROM sources WHERE part NOTNULL AND (changed OR run < ?)"
        return [part for (part,) in self._all(query, self.run)]

    def kept(self, part: str) -> list[Done]:
        """Return the sources of a part whose rows are still true, in the order of these."""
        query = (
            "SELECT source, size, mark, models_from, models_to, layers_from, layers_to, models, errors, passed, again "
            "FROM sources WHERE part = ? AND NOT changed AND run = ? ORDER BY models_from, layers_from, place"
        )
        return [
            Done(os.fsdecode(source), size, mark, (a, b), (c, d), models, errors, bool(passed), bool(again))
            for source, size, mark, a, b, c, d, models, errors, passed, again in self._all(query, part, self.run)
        ]

    def replace(self, part: str, other: str | None, kept: Sequence[Done]) -> None:
        """Enter that a part was written anew as another, with what is `kept` of it; None if that is nothing."""
        with self._errors(), self._together():
            self._base.execute("UPDATE sources SET part = NULL, changed = 0, deaths = 0 WHERE part = ?", (part,))
            if other is not None:
                self._enter(other, kept)

    def forget(self) -> None:
        """Forget the sources that are no longer listed, and what changed in them."""
        with self._errors():
            self._base.execute("DELETE FROM sources WHERE run < ?", (self.run,))

    # Reading -----------------------------------------------------------------------------------------------------

    def waiting(self, most: int) -> Iterator[list[Listed]]:
        """Yield the sources that are to be read, so many at a time, in order. What is entered meanwhile is not met
        again."""
        query = (
            "SELECT place, source, size, mark, named, fault, no_model, deaths FROM sources "
            "WHERE part IS NULL AND place > ? ORDER BY place LIMIT ?"
        )
        place = -1
        while rows := self._all(query, place, most):
            place = rows[-1][0]
            yield [
                Listed(os.fsdecode(source), size, mark, bool(named), fault, bool(no_model), deaths)
                for _, source, size, mark, named, fault, no_model, deaths in rows
            ]

    def enter(self, part: str, done: Sequence[Done]) -> None:
        """Enter that a part is written."""
        with self._errors(), self._together():
            self._enter(part, done)

    def _enter(self, part: str, done: Sequence[Done]) -> None:
        rows = [
            (part, item.size, _as_text(item.mark), *item.models_range, *item.layers_range, item.models, item.errors,
             item.passed, item.again, _as_name(item.source)) for item in done
        ]  # fmt: skip
        self._base.executemany(_DONE, rows)

    def died(self, source: str) -> None:
        """Enter that a process died over a source."""
        with self._errors():
            self._base.execute("UPDATE sources SET deaths = deaths + 1 WHERE source = ?", (_as_name(source),))

    def is_empty(self) -> bool:
        """Return whether no source is known."""
        return not self._all("SELECT 1 FROM sources LIMIT 1")

    # What there is -----------------------------------------------------------------------------------------------

    def parts(self) -> set[str]:
        """Return the names of all parts."""
        return {part for (part,) in self._all("SELECT DISTINCT part FROM sources WHERE part NOTNULL")}

    def ranges(self, table: str) -> Iterator[tuple[str, int, int]]:
        """Yield where the rows of a table are, in the order of the listing: part, from, to. Neighbours are one."""
        query = f"SELECT part, {table}_from, {table}_to FROM sources WHERE part NOTNULL ORDER BY place"  # noqa: S608
        last: tuple[str, int, int] | None = None
        with self._errors():
            for part, begin, end in self._base.execute(query):
                if last is not None and last[0] == part and last[2] == begin:
                    last = (part, last[1], end)
                    continue
                if last is not None:
                    yield last
                last = (part, begin, end)
        if last is not None:
            yield last

    def counts(self) -> Counts:
        """Return how much is listed and done."""
        query = "SELECT COUNT(*), COUNT(part), SUM(models), SUM(errors), SUM(passed) FROM sources WHERE run = ?"
        (row,) = self._all(query, self.run)
        return Counts(*[value or 0 for value in row])

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._errors():
            return self._base.execute(query, values).fetchall()

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Enter all of it, or nothing."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise LayerExplainError("is being written by another run; wait for it, or give another name") from None
            raise LayerExplainError(f"its manifest cannot be written: {error}") from None
        except sqlite3.DatabaseError as error:
            raise LayerExplainError(f"its manifest is damaged ({error}); --overwrite replaces all of it") from None


# Table --------------------------------------------------------------------------------------------------------------
# Where a catalogue is on disk: its two tables, their parts, and what the runs need beside them.

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
    result = list(kept)
    if not table.is_parts:  # of a text only the ranges of the manifest are used
        return result
    import pyarrow.parquet as pq

    moved: dict[str, list[Range]] = {}
    for name in TABLES:
        ranges = [range(*(done.models_range if name == "models" else done.layers_range)) for done in result]
        ends = list(accumulate(map(len, ranges), initial=0))
        moved[name] = list(pairwise(ends))
        path = table.file(name, other)
        rows = pq.read_table(table.file(name, part)).take([row for some in ranges for row in some])
        pq.write_table(rows, unfinished(path), compression="zstd")
        os.replace(unfinished(path), path)
    both = zip(result, moved["models"], moved["layers"], strict=True)
    return [done._replace(models_range=models, layers_range=layers) for done, models, layers in both]
