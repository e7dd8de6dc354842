"""Which text of a source is code: scripts, notebooks, Markdown, and what people paste from a question.

What is pasted is forgiven much: prompts, magics, stray indentation, the print statement of Python 2, and lines of prose
around it. A script is parsed as it stands.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Callable
from keyword import kwlist
from typing import Any

from layerexplain.errors import NO_FILE, SourceError
from layerexplain.frontends.code.bounds import MOST_PARSED, MOST_SOURCE, MOST_TOKENS
from layerexplain.frontends.code.error_advice import error_advice
from layerexplain.frontends.code.trees import walk
from layerexplain.frontends.code.values.base import Place
from layerexplain.records import NamedTuple

_CODE = re.compile(
    r"^[ \t]*(>>> |In \[\d*\]: )?("
    r"import [\w.]+|from [\w.]+ import |(async )?def \w+\s*\(|class \w+\s*[(:]|@[\w.]+|#!.*python"
    r"|[\w.]+(\[\w+\])?(,\s*\w+)*\s*=\s*\(*[\w.]+\(|[\w.]+\.(add|compile|fit|build|summary)\s*\(|for \w+ in .*:\s*$"
    r"|[A-Z]\w+\(.*\)|[\w.]+\([^:]*\)\s*(\(|$))",
    re.MULTILINE,
)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*(\w*)")
_PYTHON = frozenset(["", "python", "py", "python3", "python2", "pycon", "ipython", "keras", "ipython3"])
_ANYTHING = frozenset(["shell", "sh", "bash", "console", "text", "txt", "plaintext", "code"])
"""What stands behind a fence of Python, and behind one of any text: forms of trackers fence code as "shell"."""
_SURE = re.compile(
    r"^[ \t]*(>>> )?(import [\w.]+|from [\w.]+ import |def \w+\(|class \w+[(:]|\w+ *= *[\w.]+\(|\w+\.(add|compile)\()",
    re.MULTILINE,
)
_TICKED = re.compile(r"^([ \t]*)`([^`\n]+)`[ \t]*$", re.MULTILINE)
"""A line of code between backticks, as people paste it who know no fences."""
_PROMPT = re.compile(r"^\s*(>>>? ?|\.\.\. ?|In \[\d*\]: ?|   \.\.\.: ?)")
_PRINT = re.compile(r"^(\s*(?:\S.*:\s+)?)print(?=[ \t])(?![ \t]*[(=.,])|^(\s*)print[ \t]+\((.*)\)[ \t]*%")
_OF_IPYTHON = re.compile(r"^[ \t]*In \[\d*\]: ", re.MULTILINE)
"""A prompt that Python takes for an annotation: `In [1]: x = 3`."""
_STATEMENT = re.compile(
    r"(import |from [\w.]+ import |def |class |@|for .*:$|if .*:$|[\w.]+(\[[^\]]*\])?( *, *\w+)* *= *[^= ]"
    r"|[\w.]+\.(add|compile|fit|build)\()"
)
"""How a statement begins, where code and what it prints stand mixed."""
_PRINTED = re.compile(
    r"([┃│┏┡├└╞╘╒]|\[+[-\d. ][-+\d.e ]*\]*$|[=_~*+|-]{4,}$|\d+/\d+ |Layer \(type\)|[\w.]+ \(\w+\) {2,})"
)
"""What programs print: rows of an array, lines of a table, progress."""
_QUOTED = re.compile(r"\"[^\"]*\"|`[^`]*`|(?<!\w)'[^']*'(?!\w)|\([^()]*\)|\[[^][]*\]")
"""What says nothing of a line as a whole: text in quotes, and what stands in brackets."""
_WORDS_IN_A_ROW = re.compile(r"(?<![\w.])[A-Za-z0-9][\w']*[,;:]? (?=[A-Za-z][\w']*)")
_BEFORE_CODE = re.compile(r"^[A-Z][\w', ]*: +(?=[\w.]+ *= *[\w.]+\(|[\w.]+\.add\()")
_BEHIND_CODE = re.compile(r"(?<=\))[ ,]+[a-z][\w', ]*[.?!]?$")
"""Words before and behind code in its line."""
_MAGIC = re.compile(r"^\s*(%|!|\?)|^\s*[\w.]+\?+\s*$")
_EXCEPT = re.compile(r"^(\s*except\s+[\w.()][\w.() ]*),\s*(\w+)\s*:")
_TRACEBACK = "Traceback (most recent call last)"
_BEGINS_ERROR = re.compile(rf'.*{re.escape(_TRACEBACK)}|[ \t]*File "[^"]*", line \d+')
"""How Python begins to tell of an error, of which the first lines may be missing."""
_ERROR = re.compile(r"^[A-Z][\w.]*(Error|Exception): ", re.MULTILINE)
"""The last line of what Python says of an error, or all that is pasted of it."""
_MOST_REPAIRS = 100
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
    text = _TICKED.sub(r"\1\2", head.decode("utf-8", "replace"))
    if re.match(r"\s*(---|%YAML)", text):
        return False
    if _TRACEBACK in text or _ERROR.search(text):
        return True
    yaml = len(re.findall(r"^[ \t]*(- )?[\w\"']+:( |$)|^[ \t]*- \w+[ \t]*$", text, re.MULTILINE))
    code = len(_CODE.findall(text)) + 3 * len(re.findall(r"^[ \t]*```", text, re.MULTILINE))
    return code > yaml


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
    try:
        if not is_script and _OF_IPYTHON.search(text):
            raise SyntaxError("it has the prompts of a shell", ("", 1, 1, ""))
        return Text(_with_columns(_parsed(text), text, written), here, size=tokens)
    except SyntaxError as error:
        first = error
    repaired, tree, read = _repaired(text, prose=not is_script)
    pasted = "" if is_script else text
    if tree is None:
        raise _syntax(first, text, written)
    if not tree.body and not is_script and (_TRACEBACK in text or _ERROR.search(text)):
        advice = error_advice(text)
        said = "is what Python says of an error, without the code; paste the code that makes the model"
        raise SourceError(f"{said}. {advice}" if advice else said)
    return Text(_with_columns(tree, read, written), here, tuple(repaired), pasted=pasted)


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
    repaired: list[str] = []
    tokens = 0
    for number, cell in enumerate(cells if isinstance(cells, list) else [], 1):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        source = "".join(map(str, source)) if isinstance(source, list) else str(source)
        start, length = len(lines) - 1, source.count("\n") + 1
        if start + length > _MOST_LINES:
            repaired.append(f"cell {number} is left out: the notebook has more than {_MOST_LINES:,} lines of code")
            continue
        lines += [(number, line) for line in range(1, length + 1)]
        if source.startswith("%%") and not source.startswith(("%%time", "%%capture")):
            continue
        clean = "\n".join(_without_magics(source.split("\n")))
        tokens = count_tokens(clean, tokens)
        try:
            tree: ast.Module | None = _parsed(clean)
        except SyntaxError:
            _, tree, clean = _repaired(clean, prose=False)
        if tree is None:
            repaired.append(f"cell {number} is not Python and is left out")
            continue
        _with_columns(tree, clean, source)
        ast.increment_lineno(tree, start)
        body += tree.body

    def locate(line: int) -> Place:
        if not 0 < line < len(lines):
            return Place("", line)
        return Place(f"cell {lines[line][0]}", lines[line][1])

    return Text(ast.Module(body, []), locate, tuple(repaired), True, tokens)


def _without_magics(lines: list[str]) -> list[str]:
    """Return lines of a cell with magics and shell commands empty, also where a command goes on in the next line."""
    kept, goes_on = [], False
    for line in lines:
        is_magic = goes_on or _MAGIC.match(line) is not None
        goes_on = is_magic and line.rstrip().endswith("\\")
        kept.append("" if is_magic else line)
    return kept


def _parsed(text: str) -> ast.Module:
    """Return the tree of a text. Raises SyntaxError, also for one that nests too deeply."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, NO_FILE)
    except (RecursionError, MemoryError):
        raise SyntaxError("it nests too deeply", ("", 1, 1, "")) from None
    except ValueError as error:
        raise SyntaxError(str(error), ("", 1, 1, "")) from None


def _with_columns(tree: ast.Module, read: str, written: str) -> ast.Module:
    """Return the tree with the columns that its nodes have in the text as it is written, in characters: Python counts
    bytes, and a tab, a prompt or an indentation may be gone from what is read."""
    if read == written and read.isascii():
        return tree
    lines = list(zip(read.split("\n"), written.split("\n"), strict=False))
    changed = {number for number, (one, other) in enumerate(lines, 1) if one != other or not one.isascii()}
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
    shift = max(start.find(rest), 0) - read.find(rest) if rest else 0
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


def _repaired(text: str, *, prose: bool) -> tuple[list[str], ast.Module | None, str]:
    """Return what was mended in a text that is no Python as it stands, its tree, None where nothing helps, and the text
    that is read."""
    lines = text.split("\n")
    said: list[str] = []
    if prose:
        lines = _without_errors(_TICKED.sub(r"\1\2", text).split("\n"))
        fenced = _fenced(lines)
        if fenced is not None:
            lines = fenced
        if any(re.match(r"^\s*(>>>? |In \[\d*\]: )", line) for line in lines):
            lines = _without_prompts(lines)
        lines = textwrap.dedent("\n".join(lines)).split("\n")
    for number, line in enumerate(lines):
        if _MAGIC.match(line):
            line = ""
        line = _EXCEPT.sub(r"\1 as \2:", line)
        if (match := _PRINT.match(line)) is not None:
            line = f"{match[1] or match[2] or ''}print()"
        lines[number] = line
    for _ in range(min(_MOST_REPAIRS, 1 + MOST_PARSED // (len(text) + 1))):
        try:
            read = "\n".join(lines)
            return said, _parsed(read), read
        except SyntaxError as error:
            at = (error.lineno or 1) - 1
            if not prose or not 0 <= at < len(lines) or not _mend(lines, at, error):
                return said, None, text
            said.append(f"line {at + 1}")
    return said, None, text


def _without_prompts(lines: list[str]) -> list[str]:
    """Return the lines of a shell without prompts, those empty that it prints. Code may stand before and after them."""
    kept, inside = [], False
    for line in lines:
        prompt = _PROMPT.match(line)
        inside = prompt is None and (inside or _STATEMENT.match(line.lstrip()) is not None)
        kept.append(line[prompt.end() :] if prompt is not None else line if inside else "")
    return kept


def _without_errors(lines: list[str]) -> list[str]:
    """Return the lines with those empty in which Python tells of an error: they have lines of code that stand
    elsewhere."""
    kept, inside = [], False
    for line in lines:
        inside = (inside or _BEGINS_ERROR.match(line) is not None) and not (line[:1].strip() and _CODE.match(line))
        is_last = _ERROR.match(line) is not None and _TRACEBACK not in line
        kept.append("" if inside or is_last else line)
        inside = inside and not is_last
    return kept


def _mend(lines: list[str], at: int, error: SyntaxError) -> bool:
    """Mend one line that is no code: take off stray indentation, or leave out a line of prose."""
    line = lines[at]
    indent = len(line) - len(line.lstrip())
    if isinstance(error, IndentationError) and "expected an indented block" not in str(error.msg) and line.strip():
        before = next((one for one in reversed(lines[:at]) if one.strip()), "")
        wanted = len(before) - len(before.lstrip())
        if "unindent" in str(error.msg):
            levels = {len(one) - len(one.lstrip()) for one in lines[:at] if one.strip()}
            wanted = max([one for one in levels if one <= indent], default=0)
        if wanted == indent:
            wanted = 0
        for number in range(at, len(lines)):
            own = len(lines[number]) - len(lines[number].lstrip())
            if lines[number].strip() and own < indent:
                break
            lines[number] = lines[number][indent - wanted :] if wanted <= indent else lines[number]
        return wanted != indent
    words = line.strip()
    code = _BEHIND_CODE.sub("", _BEFORE_CODE.sub("", words, count=1))
    if words and (not re.search(r"[=(\[{]", line) or _PRINTED.match(words) or _is_prose(code)):
        lines[at] = ""
        return True
    lines[at] = " " * indent + code
    return code != words


def _is_prose(line: str) -> bool:
    """Return whether a line that Python does not read is prose: it ends as a sentence does, or has names in a row,
    which Python never has outside of brackets and quotes. Behind a keyword they may be a slip of the pen.

    >>> _is_prose("I get 'shapes (3, 5)'. What is wrong?"), _is_prose("model.add(Dense(units activation='relu'))")
    (True, False)
    """
    bare, count = line, 1
    while count:
        bare, count = _QUOTED.subn("", bare)
    if re.search(r"[A-Za-z)\]][?!]$|[a-z]{2}\.$", bare):
        return True
    names = [one for one in _WORDS_IN_A_ROW.finditer(bare) if not _has_keyword(bare, one)]
    return len(names) > (bare.partition(" ")[0] in kwlist)


def _has_keyword(line: str, first: re.Match[str]) -> bool:
    """Return whether one of two words in a row is a keyword."""
    following = re.match(r"\w+", line[first.end() :])
    return first[0].rstrip(",;: ") in kwlist or (following is not None and following[0] in kwlist)


def _fenced(lines: list[str]) -> list[str] | None:
    """Return the lines inside of fences of Markdown, all others empty; None where there are no fences."""
    kept: list[str] = []
    inside, found, tag = "", False, ""
    block: list[str] = []
    for line in lines:
        match = _FENCE.match(line)
        if match is not None and not inside:
            inside, found, block = match[1], True, []
            tag = match[2].lower()
            kept.append("")
        elif match is not None and match[1].startswith(inside):
            keep = tag in _PYTHON or (tag in _ANYTHING and _SURE.search("\n".join(block)) is not None)
            kept += textwrap.dedent("\n".join(block)).split("\n") if keep and block else [""] * len(block)
            kept.append("")
            inside = ""
        elif inside:
            block.append(line)
        else:
            kept.append("")
    if inside:
        kept += textwrap.dedent("\n".join(block)).split("\n") if tag in _PYTHON else [""] * len(block)
    return kept if found else None
