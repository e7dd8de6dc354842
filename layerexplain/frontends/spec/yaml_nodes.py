"""YAML text → nodes with line numbers, with the scalars of YAML 1.2 and none of YAML's ways to run code or explode.

PyYAML's events are read (those of its C parser where there is one), never its constructors. Tags are refused,
aliases counted, duplicate keys refused, depth and size capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from layerexplain.errors import LayerExplainError, SpecError
from layerexplain.files.limits import MAX_DIGITS, MAX_SPEC_DEPTH, MAX_SPEC_FAULTS, MAX_SPEC_NODES
from layerexplain.frontends.json_text import decode_utf8
from layerexplain.records import NamedTuple

# (Patterns are compiled where they are first needed: at start-up each would cost a quarter of a millisecond.)
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z"
_SPECIAL_FLOAT = r"([-+]?)\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z"
_TUPLE = r"\(\s*((?:[-+]?[0-9]+|None)(?:\s*,\s*(?:[-+]?[0-9]+|None))*)\s*,?\s*\)\Z"
_BEGINS_NUMBER = frozenset("+-.0123456789")
# `None` is Python's, and what people who know Keras write for an unknown size.
_NULLS = frozenset({"", "~", "null", "Null", "NULL", "None"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


OF_ITEMS = ("name", "from", "repeat", "reuse", "training", "ignore")
"""Keys that stand beside a layer's type."""


class YamlNode(NamedTuple):
    """A value of the text and the line (from 1) that it starts in.

    `value` is a scalar, a list of nodes, or a list of (key node, value node). `size` counts the values in it. A block
    of text (`|`) is `below` its line.
    """

    kind: Literal["scalar", "list", "mapping"]
    value: Any
    line: int
    size: int = 1
    below: bool = False


class SpecFaults:
    """The faults found so far in one text, so that one run reports them all."""

    def __init__(self) -> None:
        self._errors: list[LayerExplainError] = []

    def add(self, fact: str, line: int | None, layer: str | None = None) -> None:
        self._errors.append(SpecError(fact, line=line, layer=layer))

    def keep(self, error: LayerExplainError, line: int | None) -> None:
        self._errors.append(error.with_place(line=line).as_data())

    @property
    def many(self) -> bool:
        """Whether there are so many that the rest of the text need not be read."""
        return len(self._errors) >= MAX_SPEC_FAULTS

    def found(self) -> tuple[LayerExplainError, ...]:
        """Return the faults in the order of their lines, each once: the body of a `repeat` is read anew each time."""
        once = {(error.fact, error.line, error.layer): error for error in self._errors}
        return tuple(sorted(once.values(), key=lambda error: error.line or 0))


def parse_yaml(data: bytes, faults: SpecFaults) -> YamlNode:
    """Return the root node of a text. Faults that leave a tree (a tag, a key that comes twice) are added to `faults`.

    Raises SpecError with the line where there is no tree: not UTF-8, not YAML, empty, too deep, too large.
    """
    import yaml

    text = decode_utf8(data, "the file")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _TreeBuilder(faults)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.reader.ReaderError as error:
        raise _unprintable(text, error) from None
    except yaml.MarkedYAMLError as error:
        raise _syntax(text, error) from None
    except yaml.YAMLError as error:
        raise SpecError(f"is not YAML: {str(error).splitlines()[0]}") from None
    if builder.root is None:
        words = "is empty" if not text.strip() else "holds nothing but comments"
        raise SpecError(f"{words}; a spec needs `input:` and `layers:`", line=1)
    return builder.root


def to_python(node: YamlNode, sequence: type[list[Any]] | type[tuple[Any, ...]] = tuple) -> Any:
    """Return the node's value as plain dicts, scalars and tuples or lists."""
    if node.kind == "list":
        return sequence([to_python(item, sequence) for item in node.value])
    if node.kind == "mapping":
        return {str(key.value): to_python(value, sequence) for key, value in node.value}
    return node.value


class _Open(NamedTuple):
    """A list or mapping that has begun and not ended."""

    kind: Literal["list", "mapping"]
    line: int
    anchor: str | None
    items: list[YamlNode]


class _TreeBuilder:
    """Makes the tree from the events, without recursion."""

    def __init__(self, faults: SpecFaults) -> None:
        self.root: YamlNode | None = None
        self._faults = faults
        self._open: list[_Open] = []
        self._anchors: dict[str, YamlNode | None] = {}
        self._count = 0

    def take(self, event: Any) -> None:
        name = type(event).__name__
        line = event.start_mark.line + 1
        if name == "ScalarEvent":
            self._refuse_tag(event, line)
            # A refused tag is ignored otherwise, so that it gives no second fault.
            plain = event.implicit[0] or (event.tag is not None and event.style in (None, ""))
            value = _scalar(event.value, line, self._faults) if plain else event.value
            self._add(YamlNode("scalar", value, line, below=event.style in ("|", ">")), event.anchor)
        elif name in ("SequenceStartEvent", "MappingStartEvent"):
            self._refuse_tag(event, line)
            if len(self._open) >= MAX_SPEC_DEPTH:
                raise SpecError(f"values nest more than {MAX_SPEC_DEPTH} deep; no spec needs that", line=line)
            if event.anchor is not None:
                self._anchors[event.anchor] = None
            kind: Literal["list", "mapping"] = "list" if name == "SequenceStartEvent" else "mapping"
            self._open.append(_Open(kind, line, event.anchor, []))
        elif name in ("SequenceEndEvent", "MappingEndEvent"):
            done = self._open.pop()
            size = 1 + sum(item.size for item in done.items)
            value = done.items if done.kind == "list" else self._pairs(done)
            self._add(YamlNode(done.kind, value, done.line, size), done.anchor)
        elif name == "AliasEvent":
            self._alias(event.anchor, line)
        elif name == "DocumentStartEvent" and self.root is not None:
            raise SpecError("a second document begins (`---`); a spec has one", line=line)

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            raise SpecError(f"*{anchor} refers to nothing; `&{anchor}` must come before it", line=line)
        node = self._anchors[anchor]
        if node is None:
            raise SpecError(f"*{anchor} refers to a value that contains it, which never ends", line=line)
        self._add(node._replace(line=line), None)

    def _add(self, node: YamlNode, anchor: str | None) -> None:
        # An alias counts all that it stands for, so a bomb of aliases is refused before anything walks it.
        self._count += 1
        if max(self._count, node.size) > MAX_SPEC_NODES:
            raise SpecError(
                f"more than {MAX_SPEC_NODES:,} values, aliases expanded; no spec needs that many", line=node.line
            )
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].items.append(node)
        else:
            self.root = node

    def _pairs(self, done: _Open) -> list[tuple[YamlNode, YamlNode]]:
        """Keys and values; a key that comes twice is a fault, `<<` merges what the mapping does not say itself."""
        pairs: dict[Any, tuple[YamlNode, YamlNode]] = {}
        merged: list[YamlNode] = []
        for key, value in _with_tuples(done.items):
            if key.kind != "scalar":
                self._faults.add("a key is a list or a mapping; keys are names", key.line)
            elif key.value == "<<":
                merged += value.value if value.kind == "list" else [value]
            elif key.value in pairs:
                first = pairs[key.value][0].line
                self._faults.add(f"'{key.value}' comes twice (first in line {first}); a key comes once", key.line)
            else:
                pairs[key.value] = (key, value)
        for node in merged:
            if node.kind != "mapping":
                self._faults.add("<< merges a mapping; its value must be one", node.line)
                continue
            for key, value in node.value:
                pairs.setdefault(key.value, (key, value))
        return list(pairs.values())

    def _refuse_tag(self, event: Any, line: int) -> None:
        # An unquoted scalar's own tag is "!" or None; quoted ones of the C parser likewise.
        if event.tag is not None and event.tag != "!":
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            hint = "write the plain list [a, b]" if tag.endswith("tuple") else "write the plain value"
            self._faults.add(f"the tag {tag} is refused, since tags can run code; {hint}", line)


def _with_tuples(items: list[YamlNode]) -> Iterator[tuple[YamlNode, YamlNode]]:
    """Yield the pairs of a mapping. `{kernel_size: (3, 3)}`, which YAML reads as the pairs `kernel_size: (3` and `3)`,
    is put together again, since Python's tuples are what people type."""
    pairs = list(zip(items[::2], items[1::2], strict=True))
    at = 0
    while at < len(pairs):
        key, value = pairs[at]
        at += 1
        if value.kind == "scalar" and isinstance(value.value, str) and value.value.startswith("("):
            text, end = value.value, at
            while end < len(pairs) and not text.endswith(")") and pairs[end][1].value is None:
                text += f", {pairs[end][0].value}"
                end += 1
            sizes = _tuple(text)
            if sizes is not None:
                value, at = value._replace(value=sizes), end
        yield key, value


def _tuple(text: str) -> tuple[int | None, ...] | None:
    """Return sizes in Python's way, `(3, 3)`; None for any other text."""
    if text[0] != "(" or len(text) > 200 or not re.match(_TUPLE, text):
        return None
    return tuple(None if item.strip() == "None" else int(item) for item in text.strip("() ,").split(","))


def _scalar(text: str, line: int, faults: SpecFaults) -> Any:
    """Return an unquoted scalar by the rules of YAML 1.2: `010` is 10, `off` and `3:30` are texts, `1e-3` a number."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if text[0] in _BEGINS_NUMBER:
        digits = text[1:] if text[0] in "+-" else text
        if digits.isascii() and digits.isdigit():
            if len(text) > MAX_DIGITS + 1:
                faults.add(f"an integer has {len(text)} digits; sizes need at most {MAX_DIGITS}", line)
                return 1
            return int(text)
        if re.match(_FLOAT, text):
            return float(text)
        if special := re.match(_SPECIAL_FLOAT, text):
            return float(f"{special[1] or ''}inf") if special[2] else float("nan")
    sizes = _tuple(text)
    return text if sizes is None else sizes


def _syntax(text: str, error: Any) -> SpecError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    lines = text.splitlines()
    content = lines[line - 1] if line <= len(lines) else ""
    indent = content[: len(content) - len(content.lstrip())]
    problem = error.problem or str(error)
    if "\t" in indent or ("\\t" in problem and "\t" in content):
        return SpecError("the indentation contains a tab; indent with spaces", line=line)
    before = lines[line - 2].strip() if 1 < line <= len(lines) else ""
    context = f" {error.context}" if error.context else ""
    fact = f"is not YAML:{context} {problem}".rstrip() + "; check the indentation, colons and brackets"
    if before.startswith("- ") and before[2:].isidentifier() and problem.startswith("mapping values"):
        fact = f"is below `{before}`, which has no colon; write `{before}:` where keys like `from:` follow"
    elif ": " in before and problem.startswith("mapping values") and ":" in content:
        key = content.strip().partition(":")[0]
        above = lines[line - 2]
        if key in OF_ITEMS:  # which stand beside the type, not among its arguments
            above = next((item for item in reversed(lines[: line - 1]) if item.lstrip().startswith("- ")), above)
        named = above.strip().removeprefix("- ")
        fact = f"`{key}:` is indented deeper than `{before}`, which already has a value; "
        fact += f"begin it in column {above.index(named) + 1}, below `{named.partition(':')[0]}`"
    return SpecError(fact, line=line)


def _unprintable(text: str, error: Any) -> SpecError:
    bad = next((i for i, char in enumerate(text) if ord(char) < 32 and char not in "\t\n\r"), None)
    position = bad if bad is not None else getattr(error, "position", 0)
    line = text.count("\n", 0, position) + 1
    character = ord(text[position]) if position < len(text) else 0
    return SpecError(f"holds the control character U+{character:04X}; a spec is plain text", line=line)
