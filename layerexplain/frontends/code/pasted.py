"""Finds the Python in a text that people paste: what surrounds it is left out, and lines keep their numbers.

Marks before the lines of a program (prompts, numbers, the signs of a diff) come off first. Then each statement is
parsed alone: one that does not parse is mended, or left out where no model needs it.
"""

from __future__ import annotations

import ast
import html
import re
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterator
from keyword import kwlist

from layerexplain.errors import NO_FILE
from layerexplain.frontends.code.values.reading import MOST_NESTED, MOST_PARSED, walk
from layerexplain.records import NamedTuple

CODE = re.compile(
    r"^[ \t]*(>{1,3} |In \[\d*\]: |\+ ?|\d+[:.|)]?[ \t]+(?:\| )?)?("
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
BETWEEN_TICKS = re.compile(r"^([ \t]*)`([^`\n]+)`[ \t]*$", re.MULTILINE)
"""A line of code between backticks, as people paste it who know no fences."""
_PROMPT = re.compile(r"^\s*(>>>? ?|\.\.\.:? ?|In \[\d*\]: ?)")
_PRINT = re.compile(r"^(\s*(?:\S.*:\s+)?)print(?=[ \t])(?![ \t]*[(=.,])|^(\s*)print[ \t]+\((.*)\)[ \t]*%")
OF_IPYTHON = re.compile(r"^[ \t]*In \[\d*\]: ", re.MULTILINE)
"""A prompt that Python takes for an annotation: `In [1]: x = 3`."""
_STATEMENT = re.compile(
    r"(import |from [\w.]+ import |def |class |@|for .*:$|if .*:$|[\w.]+(\[[^\]]*\])?( *, *\w+)* *= *[^= ]"
    r"|[\w.]+\.(add|compile|fit|build)\()"
)
"""How a statement begins, where code and what it prints stand mixed."""
_PRINTED = re.compile(
    r"([┃│┏┡├└╞╘╒•]|\[+[-\d. ][-+\d.e ]*\]*$|[=_~*+|-]{4,}$|\d+/\d+ |Layer \(type\)|[\w.]+ \(\w+\) {2,})"
)
"""What programs print: rows of an array, lines of a table, progress."""
_IS_SHOWN = re.compile(r"\w+$|(?:array|tensor|torch\.Size|TensorShape)\(")
"""A statement that is what a shell or a notebook shows of a value, or a word alone."""
_QUOTED = re.compile(r"\"[^\"]*\"|`[^`]*`|(?<!\w)'[^']*'(?!\w)|\([^()]*\)|\[[^][]*\]")
"""What says nothing of a line as a whole: text in quotes, and what stands in brackets."""
_WORDS_IN_A_ROW = re.compile(r"(?<![\w.])[A-Za-z0-9][\w']*[,;:]? (?=[A-Za-z][\w']*)")
_BEFORE_CODE = re.compile(r"^[A-Z][\w', ]*: +(?=[\w.]+ *= *[\w.]+\(|[\w.]+\.add\()")
_BEHIND_CODE = re.compile(r"(?<=\))[ ,]+[a-z][\w', ]*[.?!]?$")
"""Words before and behind code in its line."""
_MAGIC = re.compile(r"^\s*(%|!|\?)|^\s*[\w.]+\?+\s*$")
_EXCEPT = re.compile(r"^(\s*except\s+[\w.()][\w.() ]*),\s*(\w+)\s*:")
_CAPITAL = re.compile(r"^\s*(?:Class (?=\w+\s*[(:])|Def (?=\w+\s*\()|Import (?=\w)|From (?=[\w.]+ import ))")
"""Keywords that a word processor begins with a capital."""
TRACEBACK = "Traceback (most recent call last)"
_BEGINS_ERROR = re.compile(rf'.*{re.escape(TRACEBACK)}|[ \t]*File "[^"]*", line \d+')
"""How Python begins to tell of an error, of which the first lines may be missing."""
ERROR = re.compile(r"^[A-Z][\w.]*(Error|Exception): ", re.MULTILINE)
"""The last line of what Python says of an error, or all that is pasted of it."""
_WARNING = re.compile(r"\S+:\d+: \w*Warning\b")
"""What Python says of a warning; the line of code behind it stands elsewhere."""
_EXAMPLE = re.compile(r"```\n(?:x = Input\(\.\.\.\)|class MyLayer\(Layer\)).{,99}?```", re.DOTALL)
"""Code that an error of Keras itself holds."""
_MOST_REPAIRS = 100
_PROMPTED = re.compile(r"^\s*(>>>? |In \[\d*\]: )")
_QUOTES = dict.fromkeys(map(ord, "\u201c\u201d\u201e\u2033"), '"') | dict.fromkeys(map(ord, "\u2018\u2019\u2032"), "'")
_QUOTATION = re.compile(r"^>{1,2} ?(?!>)")
_NUMBERED = re.compile(r"[ \t]*(\d{1,6})(?:[ \t]*[:|.)](?=[ \t]|$))?(?: |$)(?=[ \t]*([\w\"'#@)\]}(>]|\[|\.\.\.|$))")
_HUNK = re.compile(r"(@@ |diff --git |index [0-9a-f]+\.\.|--- \S|\+\+\+ \S)")
_SIGNS = re.compile(r"\"\"\"|\'\'\'|\\.|[\"'#()\[\]{}]")
_NOT_SHOWN = re.compile(r"(?<![*.\w])\.\.\.(?!\.)")
_KEYWORD = re.compile(r"(def|class|for|while|if|elif|else|try|except|finally|with|import|from|return|@|async)\b")
_HEADS = (
    (r"(async |def|class|for|while|if|with|@)", "{}\n pass"),
    (r"(match)\b", "{}\n case 0: pass"),
    (r"(case)\b", "match 0:\n {}\n  pass"),
    (r"(elif|else)\b", "if 1: pass\n{}\n pass"),
    (r"(except|finally|else)\b", "try: pass\n{}\n pass"),
    (r"(else)\b", "try: pass\nexcept E: pass\n{}\n pass"),
    (r"(try)\b", "{}\n pass\nfinally: pass"),
    (r"@", "{}\ndef f(): pass"),
)
"""How the head of a block begins, and what makes a whole statement of it."""


def line_of_error(text: str) -> int:
    """Return the line in which a text tells of its last error; 0 where it tells of none."""
    numbers = [match.start() for match in re.finditer(r"\b[A-Z]\w*(?:Error|Exception)\b:?", text)]
    return text.count("\n", 0, numbers[-1]) + 1 if numbers else 0


def without_magics(lines: list[str]) -> list[str]:
    """Return lines of a cell with magics and shell commands empty, also where a command goes on in the next line."""
    kept, goes_on = [], False
    for line in lines:
        is_magic = goes_on or _MAGIC.match(line) is not None
        goes_on = is_magic and line.rstrip().endswith("\\")
        kept.append("" if is_magic else line)
    return kept


def parsed(text: str) -> ast.Module:
    """Return the tree of a text. Raises SyntaxError, also for one that nests too deeply."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, NO_FILE)
    except (RecursionError, MemoryError):
        raise SyntaxError("it nests too deeply", ("", 1, 1, "")) from None
    except ValueError as error:
        raise SyntaxError(str(error), ("", 1, 1, "")) from None


class Repaired(NamedTuple):
    """A text as it is read: its tree; None where a line that a model needs is no Python, with its error."""

    tree: ast.Module | None
    text: str
    said: tuple[str, ...] = ()
    """What was left out and may matter, one line each."""
    error: SyntaxError | None = None


def repaired(text: str, *, prose: bool) -> Repaired:
    """Return a text that is no Python as it stands with what is no code left out. A script has no `prose`: what was
    Python once is mended, and nothing else."""
    lines = text.split("\n")
    if prose:
        plain = _EXAMPLE.sub(lambda match: "\n" * match[0].count("\n"), "\n".join(_plain(lines)))
        lines = unmarked(without_errors(plain.split("\n")))
        lines = _fenced(lines)
        if any(_PROMPTED.match(line) for line in lines):
            lines = _without_prompts(lines)
    lines = [_of_today("" if _MAGIC.match(line) else line) for line in lines]
    said: list[str] = []
    error: SyntaxError | None = None
    if prose:
        statements = _PastedStatements(lines)
        said, error = statements.said, statements.error
        lines = textwrap.dedent("\n".join(lines)).split("\n")
    for _ in range(min(_MOST_REPAIRS, 1 + MOST_PARSED // (len(text) + 1)) if error is None else 0):
        read = "\n".join(lines)
        try:
            return Repaired(parsed(read), read, tuple(said))
        except SyntaxError as fault:
            at = (fault.lineno or 1) - 1
            if not prose or not 0 <= at < len(lines) or not _indented(lines, at, fault):
                error = fault if prose else None
                break
    return Repaired(None, text, error=error)


def _without_prompts(lines: list[str]) -> list[str]:
    """Return the lines of a shell without prompts, those empty that it prints. Code may stand before and after them."""
    kept, inside = [], False
    for line in lines:
        prompt = _PROMPT.match(line)
        inside = prompt is None and (inside or _STATEMENT.match(line.lstrip()) is not None)
        kept.append(line[prompt.end() :] if prompt is not None else line if inside else "")
    return kept


def _plain(lines: list[str]) -> list[str]:
    """Return lines with the signs of Python for those that a word processor or a web page puts in their place."""
    return [html.unescape(line.translate(_QUOTES)).replace("\n", " ").replace("\xa0", " ") for line in lines]


def _of_today(line: str) -> str:
    """Return a line of Python 2 as Python 3 has it, keywords in small letters."""
    line = _CAPITAL.sub(lambda match: match[0].lower(), _EXCEPT.sub(r"\1 as \2:", line))
    match = _PRINT.match(line)
    return line if match is None else f"{match[1] or match[2] or ''}print()"


def unmarked(lines: list[str]) -> list[str]:
    """Return the lines without the numbers, the signs of a diff or the `>` of a quotation before them, and without
    backticks around them."""
    lines = _without_numbers([_QUOTATION.sub("", line) for line in lines])
    is_diff = any(_HUNK.match(line) or (line[:1] == "+" and stands(line[1:]) and not stands(line)) for line in lines)
    lines = _without_signs(lines) if is_diff else lines
    return BETWEEN_TICKS.sub(r"\1\2", "\n".join(lines)).split("\n")


def _without_signs(lines: list[str]) -> list[str]:
    """Return the new text of a diff. Where other lines have no space for the sign, it was put before single lines."""
    context = [line for line in lines if line.strip() and line[:1] not in "+-@"]
    is_spaced = all(line[:1] == " " or not CODE.match(line) for line in context)
    kept = []
    for line in lines:
        if _HUNK.match(line) or line[:1] == "-":
            line = ""
        elif line[:1] == "+" or (is_spaced and line[:1] == " "):
            line = line[1:]
            line = line[1:] if (len(line) - len(line.lstrip())) % 2 else line
        kept.append(line)
    return kept


def _without_numbers(lines: list[str]) -> list[str]:
    """Return the lines without their numbers, where they count up; those of one column come off with its width."""
    marks = [_NUMBERED.match(line) for line in lines]
    values = [int(mark[1]) if mark is not None else None for mark in marks]
    runs: list[list[int]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            if lines[number].strip():
                runs.append([])
            continue
        if runs[-1] and value != (values[runs[-1][-1]] or 0) + 1:
            runs.append([])
        runs[-1].append(number)
    kept = list(lines)
    for run in runs:
        if len(run) == 1 and (stands(lines[run[0]]) or not stands(lines[run[0]][marks[run[0]].end() :])):  # type: ignore[union-attr]
            continue
        ends = {number: mark.end() for number in run if (mark := marks[number]) is not None}
        texts = {number: len(lines[number]) - len(lines[number][end:].lstrip()) for number, end in ends.items()
                 if lines[number][end:].strip()}  # fmt: skip
        column = min(texts.values(), default=0)
        is_column = column > max([len(marks[number][0].rstrip()) for number in run], default=0)  # type: ignore[index]
        for number in run:
            kept[number] = lines[number][column if is_column else ends[number] :]
    return kept


class _PastedStatements:
    """Parses each statement of a text alone, and leaves out of `lines` what is none. `said` has what was left out of
    the code, `error` the first that does not parse and is needed."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.said: list[str] = []
        self.error: SyntaxError | None = None
        text = "\n".join(lines)
        self.looks = 20 * len(text) + 1_000
        self.words = Counter(re.findall(r"\w+", text))
        at = 0
        while at < len(lines) and self.error is None:
            at = self._read(at) if lines[at].strip() else at + 1

    def _read(self, at: int) -> int:
        """Read the statement that begins in a line; return the line behind it."""
        lines, end = self.lines, self._end(at)
        error = _fault(lines[at:end])
        if error is None:
            if _IS_SHOWN.match(lines[at].strip()) and lines[at].strip() not in kwlist:
                lines[at:end] = [""] * (end - at)  # it does nothing, and may stand in the middle of a class
            return end
        if _is_noise(lines[at].strip()):
            lines[at] = ""
            return at + 1
        for mended in _mended(lines[at:end]):
            if _fault(mended) is None:
                lines[at:end] = mended
                return end
        if end > at + 1 and _fault(lines[at : at + 1]) is None:
            return at + 1
        if self._is_needed(lines[at]):
            error.lineno = at + (error.lineno or 1)
            error.offset = (error.offset or 1) + len(lines[at]) - len(lines[at].lstrip())
            self.error = error
            return end
        shown = lines[at].strip()[:60]
        if re.search(r"[=(]", shown):
            self.said.append(f"line {at + 1} is not Python and is left out: `{shown}`")
        lines[at] = ""
        return at + 1

    def _end(self, at: int) -> int:
        """Return the line behind a statement: where its brackets and texts are closed. One that is never closed ends
        with its line."""
        depth, quote = 0, ""
        for number in range(at, len(self.lines)):
            self.looks -= len(self.lines[number]) + 1
            if self.looks < 0:
                break
            for sign in _SIGNS.findall(self.lines[number]):
                if quote:
                    quote = "" if sign == quote else quote
                elif sign == "#":
                    break
                elif sign[0] in "\"'":
                    quote = sign
                else:
                    depth += (sign in "([{") - (sign in ")]}")
            quote = quote if len(quote) == 3 else ""
            if depth <= 0 and not quote and not self.lines[number].endswith("\\"):
                return number + 1
        return at + 1

    def _is_needed(self, line: str) -> bool:
        """Return whether a model may need a line: it makes something, opens a block, or binds a name that is used."""
        match = _STATEMENT.match(line.lstrip())
        if re.search(r"\b[A-Z]\w*\(", line):
            return True
        name = re.match(r"\s*(\w+)", line)
        return match is not None and (name is None or name[1] in kwlist or self.words[name[1]] > 1)


def without_unshown(tree: ast.Module) -> tuple[str, ...]:
    """Take out each `...` that stands among other arguments, items or statements: the text does not show what is there.
    Return the line that says so."""
    lines: set[int] = set()
    for node in walk(tree):
        if isinstance(node, ast.Dict):
            entries = list(zip(node.keys, node.values, strict=True))
            lines |= {value.lineno for key, value in entries if key is None and _is_ellipsis(value)}
            entries = [(key, value) for key, value in entries if key is not None or not _is_ellipsis(value)]
            node.keys, node.values = [key for key, _ in entries], [value for _, value in entries]
            continue
        for field in ("args", "keywords", "elts", "body") if not isinstance(node, ast.Tuple | ast.Set) else ():
            parts = getattr(node, field, None)
            others = len(node.args) + len(node.keywords) if isinstance(node, ast.Call) else 0
            if isinstance(parts, list) and max(len(parts), others) > 1:
                shown = [part for part in parts if not _is_ellipsis(part)]
                if len(shown) < len(parts) and (shown or field in ("args", "keywords")):
                    lines |= {part.lineno for part in parts if _is_ellipsis(part)}
                    setattr(node, field, shown)
    if not lines:
        return ()
    places = ", ".join(map(str, sorted(lines)[:10]))
    return (f"line{'s' * (len(lines) > 1)} {places}: `...` stands for code that is not shown; it is left out",)


def _is_ellipsis(node: object) -> bool:
    value = node.value if isinstance(node, ast.Expr | ast.keyword) else node
    return isinstance(value, ast.Constant) and value.value is ...


def stands(line: str) -> bool:
    """Return whether a line is a statement, or begins one that other lines end."""
    fault = _fault([line])
    return bool(line.strip()) and (fault is None or "was never closed" in str(fault.msg))


def _fault(lines: list[str]) -> SyntaxError | None:
    """Return what Python says of a statement that is read alone, None where it parses. The head of a block is one."""
    text = textwrap.dedent("\n".join(lines)).lstrip()
    try:
        parsed(text)
    except SyntaxError as error:
        first = error
    else:
        return None
    for word, around in _HEADS:
        if re.match(word, text):
            try:
                parsed(around.format(text))
            except SyntaxError:
                continue
            return None
    return first


def _mended(lines: list[str]) -> Iterator[list[str]]:
    """Give a statement as it may have been meant: `...` stands among named arguments, a backtick is left of a fence, or
    words stand around code."""
    yield [_NOT_SHOWN.sub("**...", line) for line in lines]
    yield [line.replace("`", "") for line in lines]
    if len(lines) == 1:
        line = lines[0].rstrip()
        code = _BEHIND_CODE.sub("", _BEFORE_CODE.sub("", line.strip(), count=1))
        yield [line[: len(line) - len(line.lstrip())] + code]


def _is_noise(line: str) -> bool:
    """Return whether a line that is no Python says that it is not meant to be: it is printed, or prose."""
    line = line.lstrip("`") if line.count("`") == 1 else line  # opens code of several lines
    code = _BEHIND_CODE.sub("", _BEFORE_CODE.sub("", line, count=1))
    is_bare = not re.search(r"[=(\[{]", line) and not _KEYWORD.match(line)
    return is_bare or bool(_PRINTED.match(line)) or is_prose(code)


def without_errors(lines: list[str]) -> list[str]:
    """Return the lines with those empty in which Python tells of an error: they have lines of code that stand
    elsewhere."""
    kept, inside, is_warned = [], False, False
    for line in lines:
        is_quoted, is_warned = is_warned and line[:1] == " ", _WARNING.match(line) is not None
        inside = (inside or _BEGINS_ERROR.match(line) is not None) and not (line[:1].strip() and CODE.match(line))
        is_last = ERROR.match(line) is not None and TRACEBACK not in line
        kept.append("" if inside or is_last or is_quoted else line)
        inside = inside and not is_last
    return kept


def _indented(lines: list[str], at: int, error: SyntaxError) -> bool:
    """Take off stray indentation from a line on, as far as it goes, or add what a block has lost; return whether that
    changed a line."""
    line = lines[at]
    if not isinstance(error, IndentationError) or not line.strip():
        return False
    if "expected an indented block" in str(error.msg):
        return _with_block(lines, at, str(error.msg))
    indent = len(line) - len(line.lstrip())
    before = next((item for item in reversed(lines[:at]) if item.strip()), "")
    wanted = len(before) - len(before.lstrip())
    if "unindent" in str(error.msg):
        levels = {len(item) - len(item.lstrip()) for item in lines[:at] if item.strip()}
        wanted = max([level for level in levels if level <= indent], default=0)
    if wanted == indent:
        wanted = 0
    for number in range(at, len(lines)):
        own = len(lines[number]) - len(lines[number].lstrip())
        if lines[number].strip() and own < indent:
            break
        lines[number] = lines[number][indent - wanted :] if wanted <= indent else lines[number]
    return wanted != indent


def _with_block(lines: list[str], at: int, message: str) -> bool:
    """Indent the lines of a block that stand as far left as its head: those of a function up to the next one, of a
    class with all its functions, both up to a line behind a gap that has nothing of an object in it. Return whether
    there were any."""
    match = re.search(r"after (class|function) definition", message)
    head = next((number for number in range(at - 1, -1, -1) if lines[number].strip()), -1)
    if match is None or head < 0:
        return False
    level = len(lines[head]) - len(lines[head].lstrip())
    for number in range(at, len(lines)):
        text = lines[number].lstrip()
        own = len(lines[number]) - len(text)
        if text and number > at and own <= level:
            begins = re.match(r"(def|class|@|async def)\b", text)
            goes_on = re.search(r"\b(self|return|super)\b", text) or lines[number - 1].strip()
            if own < level or (begins and (match[1] == "function" or begins[1] == "class")) or not (begins or goes_on):
                break
        elif text and own < level:
            return False
        lines[number] = f"    {lines[number]}" if text else lines[number]
    return True


def is_prose(line: str) -> bool:
    """Return whether a line that Python does not read is prose: it ends as a sentence does, or has names in a row,
    which Python never has outside of brackets and quotes. Behind a keyword they may be a slip of the pen.

    >>> is_prose("I get 'shapes (3, 5)'. What is wrong?"), is_prose("model.add(Dense(units activation='relu'))")
    (True, False)
    """
    bare = line
    for _ in range(MOST_NESTED):
        bare, count = _QUOTED.subn("", bare)
        if not count:
            break
    if re.search(r"[A-Za-z)\]] ?[?!]$|[a-z]{2}\.$", bare):
        return True
    names = [match for match in _WORDS_IN_A_ROW.finditer(bare) if not _has_keyword(bare, match)]
    return len(names) > (bare.partition(" ")[0] in kwlist)


def _has_keyword(line: str, first: re.Match[str]) -> bool:
    """Return whether one of two words in a row is a keyword."""
    following = re.match(r"\w+", line[first.end() :])
    return first[0].rstrip(",;: ") in kwlist or (following is not None and following[0] in kwlist)


def _fenced(lines: list[str]) -> list[str]:
    """Return the lines inside of fences of Markdown, all others empty. Where the fences do not close, or no code stands
    inside, they alone are left out."""
    kept: list[str] = []
    block: list[str] = []
    inside = tag = ""
    for line in lines:
        match = _FENCE.match(line)
        if match is not None and (not inside or match[1].startswith(inside)):
            keep = tag in _PYTHON or (tag in _ANYTHING and _SURE.search("\n".join(block)) is not None)
            kept += textwrap.dedent("\n".join(block)).split("\n") if keep and block else [""] * len(block)
            rest = line[match.start(2) :]  # code may begin behind the fence, as chats have it
            is_code = match[2].lower() not in _PYTHON and (CODE.match(rest) or rest.rstrip().endswith(":"))
            tag, rest = ("", rest) if is_code else (match[2].lower(), "")
            kept += [] if rest else [""]
            is_open = not inside or bool(match[2])
            inside, block = (match[1], [rest] * bool(rest)) if is_open else ("", [])
        elif inside:
            block.append(line)
        else:
            kept.append("")
    if inside or not _SURE.search("\n".join(kept)):
        return ["" if _FENCE.match(line) else line for line in lines]
    return kept
