"""Which text of a source is code, and the modules that a program imports: read as text, nothing is imported."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.code import asked_layers
from layerexplain.frontends.code.fragments import lines_of_others, with_classes
from layerexplain.frontends.code.pasted import (
    BETWEEN_TICKS,
    CODE,
    ERROR,
    OF_IPYTHON,
    TRACEBACK,
    line_of_error,
    parsed,
    repaired,
    without_magics,
    without_unshown,
)
from layerexplain.frontends.code.printed import PrintedModule, holds_summary, is_printed, printed_module
from layerexplain.frontends.code.values.base import Place
from layerexplain.frontends.code.values.reading import MOST_SOURCE, MOST_TOKENS, File, walk
from layerexplain.frontends.hugging_face.entries import names_configuration
from layerexplain.records import NamedTuple
from layerexplain.sources.regular_file import open_regular

# Sources ------------------------------------------------------------------------------------------------------------
# Which text of a source is code: scripts, notebooks, Markdown, and what people paste from a question.

_MOST_LINES = 200_000
_TOKEN = re.compile(r"\w+|[^\w\s]|\n")


class Text(NamedTuple):
    """The code of a source. `locate` tells where a line of it stands: the cell of a notebook, or the line itself."""

    tree: ast.Module
    locate: Callable[[int], Place]
    repaired: tuple[str, ...] = ()
    is_notebook: bool = False
    size: int = 0
    """Words, signs and lines."""
    pasted: str = ""
    """The whole text where it may hold more than code: an error, prose."""
    is_changed: bool = False
    """Whether it is a changed program that is tried: what an error says was raised by another one."""
    alone: Text | None = None
    """The program that is meant, of a text with several."""
    printed: PrintedModule | None = None
    """The module of PyTorch that the text has printed: it stands for the model of code that makes none."""

    def with_printed(self) -> Text:
        """Return the same with the program that makes the printed module in front of the code, which may change it."""
        if self.printed is None:
            return self
        name = self.printed.name
        later = [
            statement
            for statement in self.tree.body
            if not (isinstance(statement, ast.Assign) and _names(statement) == [name])
        ]
        tree = ast.Module([*self.printed.statements, *later], [])
        return self._replace(tree=tree, repaired=(*self.printed.notes, *self.repaired), printed=None)


def _names(assign: ast.Assign) -> list[str]:
    return [target.id if isinstance(target, ast.Name) else "" for target in assign.targets]


def count_tokens(text: str, before: int = 0) -> int:
    """Return how many words, signs and lines a text has, `before` added. Raises SourceError where there are too many:
    the tree of a text takes memory for each."""
    count = before + _TOKEN.subn("", text, MOST_TOKENS + 1)[1]
    if count > MOST_TOKENS:
        raise SourceError(f"is a program of more than {MOST_TOKENS:,} words and signs")
    return count


def is_code(head: bytes, path: str | None) -> bool:
    """Return whether the first bytes of a text are Python, or Markdown with code in it."""
    if path is not None and path.endswith(".py"):
        return True
    text = BETWEEN_TICKS.sub(r"\1\2", head.decode("utf-8", "replace"))
    if re.match(r"\s*(---|%YAML)", text):
        return False
    if TRACEBACK in text or ERROR.search(text) or is_printed(text) or holds_summary(text) or _holds_message(text):
        return True
    yaml = len(re.findall(r"^[ \t]*(- )?(?!\d+:)[\w\"']+:( |$)|^[ \t]*- \w+[ \t]*$", text, re.MULTILINE))
    code = len(CODE.findall(text)) + 3 * len(re.findall(r"^[ \t]*```", text, re.MULTILINE))
    may_ask = code <= yaml and asked_layers.may_ask(text, path)
    return code > yaml or (may_ask and (asked_layers.names_layer(text) or names_configuration(text)))


def _holds_message(text: str) -> bool:
    """Return whether a text that is no spec holds a message of a framework."""
    if re.search(r"^[ \t]*[\"']?(layers|inputs?|class_name)[\"']?:|^\s*[\[{]", text, re.MULTILINE):
        return False
    from layerexplain.frontends.code.pasted_errors import message_of

    return message_of(text) is not None


def read_text(data: bytes, path: str | None) -> Text:
    """Return the code of a script, or of what was pasted. Raises SourceError with line and column for other text."""
    if len(data) > MOST_SOURCE:
        raise SourceError(f"is a program of more than {MOST_SOURCE:,} bytes")
    written = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    text = written.replace("\t", "    ").replace("\0", " ").replace("\xa0", " ").replace("\u200b", "")
    tokens = count_tokens(text)

    def here(line: int) -> Place:
        return Place("", line)

    is_script = path is not None and path.endswith(".py")
    if not is_script and (printed := printed_module(text)) is not None:
        rest = printed.others.encode()
        empty = Text(ast.Module([], []), here, size=tokens)
        try:
            code = read_text(rest, path) if is_code(rest, path) else empty
        except SourceError:
            code = empty
        return code._replace(pasted=text, printed=printed, size=tokens)
    try:
        if not is_script and OF_IPYTHON.search(text):
            raise SyntaxError("it has the prompts of a shell", ("", 1, 1, ""))
        tree = parsed(text)
        said = () if is_script else (*without_unshown(tree), *with_classes(tree))
        pasted = "" if is_script else text
        return Text(_with_columns(tree, text, written), here, said, pasted=pasted, size=tokens)
    except SyntaxError as error:
        first = error
    result = repaired(text, prose=not is_script)
    if result.tree is None:
        raise _syntax(result.error or first, text, written)
    if is_script:
        return Text(_with_columns(result.tree, result.text, written), here, result.said, size=tokens)

    def question(read: str, pasted: str, said: Sequence[str], alone: Text | None = None) -> Text:
        tree = parsed(read)
        said = (*said, *without_unshown(tree), *with_classes(tree))
        return Text(_with_columns(tree, read, written), here, said, pasted=pasted, size=tokens, alone=alone)

    dropped, others = lines_of_others(result.tree, result.text, text, line_of_error(text))
    alone = None
    if dropped:
        places = ", ".join([f"line {line}" for line in others])
        note = f"the text has {len(others) + 1} programs; not read: that of {places}; paste it alone" if others else ""
        read, pasted = _without(result.text, dropped), _without(text, dropped)
        alone = question(read, pasted, (*result.said, *([note] if note else [])))
    return question(result.text, text, result.said, alone)


def _without(text: str, numbers: set[int]) -> str:
    return "\n".join(["" if at in numbers else line for at, line in enumerate(text.split("\n"), 1)])


def text_of_question(data: bytes) -> Text | None:
    """Return the program that calls the layer which prose asks about; None for a text that names none."""
    if len(data) > MOST_SOURCE:
        return None
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    asked = asked_layers.asked_layer(text)
    if asked is None:
        return None
    return Text(asked.tree, lambda line: Place("", line), asked.notes, size=count_tokens(text), pasted=text)


def text_of(data: bytes, path: str | None) -> Text:
    """Return the code of a file or of a notebook."""
    if data.lstrip()[:1] != b"{":
        return read_text(data, path)
    from layerexplain.frontends.json_text import parse_json

    return notebook_text(parse_json(data, "the notebook"))


def notebook_text(document: Any) -> Text:
    """Return the code of a notebook's cells in order; a cell that is no code is left out, and said."""
    cells = document.get("cells")
    if not isinstance(cells, list):
        sheets = document.get("worksheets")
        cells = sheets[0].get("cells") if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict) else []
    lines: list[tuple[int, int]] = [(0, 0)]
    body: list[ast.stmt] = []
    left_out: list[str] = []
    tokens = 0
    for number, cell in enumerate(cells if isinstance(cells, list) else [], 1):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        source = "".join(map(str, source)) if isinstance(source, list) else str(source)
        start, length = len(lines) - 1, source.count("\n") + 1
        if start + length > _MOST_LINES:
            left_out.append(f"cell {number} is left out: the notebook has more than {_MOST_LINES:,} lines of code")
            continue
        lines += [(number, line) for line in range(1, length + 1)]
        if source.startswith("%%") and not source.startswith(("%%time", "%%capture")):
            continue
        clean = "\n".join(without_magics(source.split("\n")))
        tokens = count_tokens(clean, tokens)
        try:
            tree: ast.Module | None = parsed(clean)
        except SyntaxError:
            result = repaired(clean, prose=False)
            tree, clean = result.tree, result.text
        if tree is None:
            left_out.append(f"cell {number} is not Python and is left out")
            continue
        _with_columns(tree, clean, source)
        ast.increment_lineno(tree, start)
        body += tree.body

    def locate(line: int) -> Place:
        if not 0 < line < len(lines):
            return Place("", line)
        return Place(f"cell {lines[line][0]}", lines[line][1])

    return Text(ast.Module(body, []), locate, tuple(left_out), True, tokens)


def _with_columns(tree: ast.Module, read: str, written: str) -> ast.Module:
    """Return the tree with the columns that its nodes have in the text as it is written, in characters: Python counts
    bytes, and a tab, a prompt or an indentation may be gone from what is read."""
    if read == written and read.isascii():
        return tree
    lines = list(zip(read.split("\n"), written.split("\n"), strict=False))
    changed = {number for number, (item, other) in enumerate(lines, 1) if item != other or not item.isascii()}
    tables = {number: _columns(*lines[number - 1]) for number in changed}
    for node in walk(tree) if changed else ():
        if getattr(node, "lineno", 0) in changed:
            node.col_offset = _column(tables[node.lineno], node.col_offset)  # type: ignore[attr-defined]
        if getattr(node, "end_lineno", 0) in changed:
            end = _column(tables[node.end_lineno], node.end_col_offset)  # type: ignore[attr-defined]
            node.end_col_offset = end  # type: ignore[attr-defined]
    return tree


def _columns(read: str, written: str) -> list[int]:
    """Return, for each byte of a line that is read and its end, the column of the line as it is written."""
    start, rest = written.replace("\t", "    "), read.strip()
    begins = start.find(rest)
    shift = (begins if begins >= 0 else len(start) - len(start.lstrip())) - read.find(rest) if rest else 0
    places: list[int] = []
    for number in range(len(written)):
        places += [number] * (1 if number == 0 or written[number - 1] != "\t" else 4)
    table: list[int] = []
    for number, letter in enumerate([*read, ""]):
        column = max(number + shift, 0)
        shown = places[column] if column < len(places) else column
        table += [shown] * max(len(letter.encode("utf-8", "replace")), 1)
    return table


def _column(table: list[int], offset: int) -> int:
    """Return the column of a byte by the table of its line."""
    return table[min(offset, len(table) - 1)]


def _syntax(error: SyntaxError, text: str, written: str) -> SourceError:
    line, column = error.lineno or 1, error.offset or 1
    lines = text.split("\n")
    if line <= len(lines):
        before = len(lines[line - 1][: column - 1].encode("utf-8", "replace"))
        column = _column(_columns(lines[line - 1], written.split("\n")[line - 1]), before) + 1
    shown = lines[line - 1].strip()[:60] if line <= len(lines) else ""
    message = (error.msg or "invalid syntax").replace("Perhaps you forgot a comma?", "is a comma missing?")
    return SourceError(f"is not Python: {message}; the line reads `{shown}`", line=line, column=column)


# Modules ------------------------------------------------------------------------------------------------------------
# The modules that a program imports: files beside it, of its package, and below the folders that were named. They
# are read as text; nothing is imported.

PRESENT = frozenset({"keras", "tensorflow", "tf_keras", "numpy"})
"""Libraries that are there where a program of Keras runs. What they do is known, so that their files are not read,
though they lie beside an installed package."""

_MOST_LEVELS = 20
"""How many folders lead up to that of a package."""


Lender = Callable[[str], "File | None"]
"""Gives the file beside a program (`--code`) that defines a class or a function; None where none does."""


class Refused(Exception):
    """A relative import from above the package. `by_python` says whether Python refuses it for sure: in a folder
    without an `__init__.py` the way in which the program is started decides."""

    def __init__(self, *, by_python: bool) -> None:
        super().__init__("the relative import leads out of the package; nothing above it is read")
        self.by_python = by_python


class Modules:
    """Finds the modules of a program. `folder` is the one that the user named: outside of packages, imports by a whole
    name are looked for there too. `lend` gives the files of names that no other place has."""

    def __init__(self, folder: str | None = None, lend: Lender = lambda name: None) -> None:
        self.folder = folder
        self.lend = lend

    def load(self, name: str, file: File, program: File) -> File | None:
        """Return the module of a name as a file of a program imports it (`.layers`, `models.unet`); None where there is
        none. Raises Refused for an import from above the package."""
        if file.folder is None:
            return None
        level = len(name) - len(name.lstrip("."))
        parts = [part for part in name.lstrip(".").split(".") if part]
        if not all(part.isidentifier() for part in parts):
            return None
        if level:
            return self._below(_above(file.folder, level - 1, self._top(file.folder)), parts, program)
        for base in self._places(parts[0] if parts else "", file, program):
            result = self._below(base, parts, program)
            if result is not None:
                return result
        return None

    def is_named(self, path: str) -> bool:
        """Return whether a file lies in the folder that the user named."""
        return self.folder is not None and _is_inside(path, self.folder)

    def _places(self, first: str, file: File, program: File) -> list[str]:
        """Return the folders in which an import by a whole name is looked for: that of the program, whoever imports;
        the one that holds the package of that name which the file is part of, or the file's own folder if that has the
        name; the one that was named."""
        places = [] if program.folder is None else [program.folder]
        # A folder may be a package without an `__init__.py`; only files beside the importing one are found in it.
        package = package_of(file.folder or "") or os.path.abspath(file.folder or ".")
        if os.path.basename(package) == first:
            places.append(os.path.dirname(package))
        is_named = self.folder is not None and package_of(self.folder) is None and first not in PRESENT
        return [*places, self.folder] if is_named and self.folder is not None else places

    def _top(self, folder: str) -> str:
        """Return the highest folder that a relative import in `folder` may reach: the top of its package, the named
        folder around it, or itself."""
        return package_of(folder) or self._named_around(folder) or folder

    def _named_around(self, path: str) -> str | None:
        return self.folder if self.is_named(path) else None

    def _below(self, base: str, parts: Sequence[str], program: File) -> File | None:
        place = os.path.normpath(os.path.join(base, *parts))
        for path in (*([f"{place}.py"] if parts else []), os.path.join(place, "__init__.py")):
            if os.path.isfile(path) and not _has_link(path, len(parts) + 1):
                package = package_of(os.path.dirname(path))
                start = os.path.dirname(package) if package is not None else self._named_around(path) or program.folder
                return read_module(path, os.path.relpath(path, start or "."))
        return None


def _above(folder: str, levels: int, top: str) -> str:
    """Return the folder so many levels above one. Raises Refused beyond `top`."""
    for _ in range(levels):
        if os.path.abspath(folder) == os.path.abspath(top):
            raise Refused(by_python=package_of(folder) is not None)
        folder = os.path.dirname(os.path.abspath(folder))
    return folder


def _has_link(path: str, count: int) -> bool:
    """Return whether one of the last parts of a path is a link."""
    for _ in range(count):
        if os.path.islink(path):
            return True
        path = os.path.dirname(path)
    return False


def _is_inside(path: str, folder: str) -> bool:
    inner, outer = os.path.abspath(path), os.path.abspath(folder)
    return inner == outer or inner.startswith(outer.rstrip(os.sep) + os.sep)


@lru_cache(maxsize=4096)
def package_of(folder: str) -> str | None:
    """Return the folder of the whole package that a folder belongs to; None outside of packages."""
    result = None
    for _ in range(_MOST_LEVELS):
        marker = os.path.join(folder, "__init__.py")
        if not os.path.isfile(marker) or os.path.islink(marker):
            break
        result = folder
        folder = os.path.dirname(os.path.abspath(folder))
    return result


@lru_cache(maxsize=256)
def read_module(path: str, shown: str) -> File | None:
    """Return a file of Python code, as text; None where it cannot be read."""
    try:
        with open_regular(path) as opened:
            data = opened.read(MOST_SOURCE + 1)
        text = read_text(data, path)
        return File(shown, os.path.dirname(path), text.tree, os.path.abspath(path), text.size)
    except (OSError, LayerExplainError):
        return None


def package_folder(name: str) -> str | None:
    """Return the folder of an installed package, or of one inside it (`keras_hub.models`), found without importing it;
    None where there is none."""
    top, *rest = name.split(".")
    if not all(part.isidentifier() for part in (top, *rest)):
        return None
    try:
        spec = find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    folder = next((path for place in places if os.path.isdir(path := os.path.join(place, *rest))), None)
    return folder
