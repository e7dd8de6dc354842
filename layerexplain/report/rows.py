"""What all reports have in common: each is immutable, prints as the command line prints it, and is a sequence of rows.

    report[0], report[-1], report[2:5]      rows by position
    report["encoder/dense"]                 a row by name; KeyError with a suggestion for a misspelt one
    "conv2d" in report, len(report)
    for row in report: …
    repr(report), str(report)               one line; the table
    report.to_dict(), report.to_dataframe()

How a report is printed is not known here, since printers stand above reports: `api` supplies it with `print_with`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar, overload

from layerexplain.errors import LayerExplainError
from layerexplain.records import Record

Row = TypeVar("Row")

SCHEMA_VERSION = 1

_printers: dict[str, Callable[..., str]] = {}


def print_with(**printers: Callable[..., str]) -> None:
    """Supply what prints a report: as `text`, as `html`; of a model also its `explanation` and its `page`."""
    _printers.update(printers)


def print_as(how: str, *given: Any) -> str:
    """Print a report in one of the ways that `print_with` was given."""
    return _printers[how](*given)


def about(source: object, name: object, *facts: str) -> str:
    """Return what stands in the `repr` of a report, on one line.

    >>> about("net.yaml", "net", "2 layers", "1 parameter")
    "'net' (net.yaml): 2 layers, 1 parameter"
    """
    shown = repr(source)[1:-1]
    return f"{name!r} ({shown}): {', '.join(facts)}" if name is not None else f"{shown}: {', '.join(facts)}"


def count_of(number: int | None, what: str) -> str:
    """Return a count with its noun.

    >>> count_of(1, "layer"), count_of(7850, "parameter"), count_of(None, "parameter")
    ('1 layer', '7,850 parameters', 'unknown parameters')
    """
    return f"unknown {what}s" if number is None else f"{number:,} {what}{'' if number == 1 else 's'}"


class Reported(Record):
    """A report: an immutable record that says in its `repr` what it is of, and prints as the command line prints it."""

    def _about(self) -> str:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the form of the JSON contract."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._about()}>"

    def __str__(self) -> str:
        return _printers["text"](self).rstrip("\n") if "text" in _printers else repr(self)

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows."""
        return _printers["html"](self) if "html" in _printers else None

    def to_markdown(self) -> str:
        """Return the report as Markdown with typeset formulas: a fragment for a text or a slide."""
        return print_as("fragment", self, "markdown")

    def to_latex(self) -> str:
        """Return the report as LaTeX that needs amsmath and longtable: a fragment for a document of yours."""
        return print_as("fragment", self, "latex")


class Rows(Reported, Sequence[Row]):
    """A report that is a sequence of its rows, which are found by name as well.

    Where a name belongs to several rows, such as a layer that is called twice, looking it up gives all of them.
    """

    _row_noun = "layer"
    _names_one_row = True

    def _rows(self) -> Sequence[Row]:
        raise NotImplementedError

    def _named_rows(self) -> Iterator[tuple[str, Row]]:
        """Yield each row under each of its names."""
        raise NotImplementedError

    @overload
    def __getitem__(self, key: int) -> Row: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Row]: ...
    @overload
    def __getitem__(self, key: str) -> Any: ...
    def __getitem__(self, key: int | slice | str) -> Any:
        if not isinstance(key, str):
            return self._rows()[key]
        results = [row for name, row in self._named_rows() if name == key]
        if not results:
            raise KeyError(self._missing(key))
        return results[0] if self._names_one_row else tuple(results)

    def _missing(self, key: str) -> str:
        from layerexplain.errors import nearest

        names = list(dict.fromkeys([name for name, _ in self._named_rows()]))
        inside = {name.rpartition("/")[2]: name for name in reversed(names)}
        near = inside.get(key) or nearest(key, names) or inside.get(nearest(key, inside) or "")
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        hint = f"did you mean '{near}'?" if near else f"there are {shown or 'none'}"
        return f"no {self._row_noun} '{key}'; {hint}"

    def __contains__(self, key: object) -> bool:
        if isinstance(key, str):
            return any(name == key for name, _ in self._named_rows())
        return any(row == key for row in self._rows())

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows())

    def __len__(self) -> int:
        return len(self._rows())

    def to_dataframe(self) -> Any:
        """Return the rows as a pandas data frame: the fields of JSON Lines, without those that are tables themselves.

        Raises:
            LayerExplainError: if pandas is not installed.
        """
        return data_frame([to_jsonable(row) for row in self._rows()])


def to_jsonable(value: Any) -> Any:
    """Return a value as JSON has it: a record by its `to_dict`, or else its fields; NaN and infinity as None.

    >>> from layerexplain.model import Note
    >>> to_jsonable((Note("opaque", None, "unknown"), (3, float("inf"))))
    [{'code': 'opaque', 'layer': None, 'message': 'unknown'}, [3, None]]
    """
    if isinstance(value, tuple | list):
        if hasattr(value, "to_dict"):
            return value.to_dict()
        if hasattr(value, "_asdict"):
            return {name: to_jsonable(field) for name, field in value._asdict().items()}
        return [to_jsonable(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_jsonable(item) for key, item in value.items()}
    return None if isinstance(value, float) and not isfinite(value) else value


def json_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with their values as JSON has them."""
    return {name: to_jsonable(value) for name, value in fields.items()}


def origin_fields(report: Any) -> dict[str, Any]:
    """Return what every contract begins with: its version, the source, and the model that was read."""
    model = {"name": report.model_name, "type": report.model_type, "keras_version": report.keras_version}
    return {"schema": SCHEMA_VERSION, "source": report.source, "format": report.format, "model": model}


def data_frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a pandas data frame; lists become tuples, and columns that hold tables are left out."""
    try:
        import pandas
    except ImportError:
        raise LayerExplainError("a data frame needs pandas; install it with: pip install pandas") from None
    tables = {name for row in rows for name, value in row.items() if _is_table(value)}
    names = [name for name in dict.fromkeys([name for row in rows for name in row]) if name not in tables]
    return pandas.DataFrame([[_cell(row.get(name)) for name in names] for row in rows], columns=names)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(item, Mapping) for item in value))


def _cell(value: Any) -> Any:
    return tuple(map(_cell, value)) if isinstance(value, list) else value


def every_row(rows: Iterable[Any]) -> Iterator[Any]:
    """Yield rows of layers and, behind a nested model, those of its layers, however deep."""
    waiting = [iter(rows)]
    while waiting:
        for row in waiting[-1]:
            yield row
            if row.layers:
                waiting.append(iter(row.layers))
                break
        else:
            waiting.pop()
