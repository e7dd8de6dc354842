"""List every sentence that the program can print, each with its place: `python scripts/sentences.py layerexplain/cli`.

A sentence is a text of the source with at least three words that is no docstring; of declarations of layers, losses and
rules it is the first paragraph of the docstring, which `explain` prints. `{…}` stands for what is put in when it is
printed. Read them as somebody who knows the field and not the code; tests/end_to_end/test_sentences.py refuses phrases
that do not read well.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_LEAST = 3
_WORD = re.compile(r"[A-Za-z][a-z']+(?=[\s,.;:)]|$)")
_PRINTED = frozenset({"layer", "torch_layer", "module", "modules_of_rank", "layers_of_rank", "rule", "loss",
                      "optimizer", "schedule", "constraint", "regularizer", "command", "group", "hint"})  # fmt: skip
"""Decorators of functions whose docstring is printed."""


class Sentence(NamedTuple):
    """A text that may be printed, and where it stands."""

    file: str
    line: int
    text: str


def sentences(path: Path) -> Iterator[Sentence]:
    """Yield the sentences of a file or of the files below a folder, in order."""
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        name = file.relative_to(ROOT).as_posix()
        for line, text in sorted(_texts(tree)):
            if len(_WORD.findall(text)) >= _LEAST:
                yield Sentence(name, line, " ".join(text.split()))


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join([_part(one) for one in node.values])
            waiting += [value for value in node.values if isinstance(value, ast.FormattedValue)]
            continue
        if isinstance(node, ast.Constant):
            if _is_text(node):
                yield node.lineno, node.value
            continue
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and any(
            _name(one) in _PRINTED for one in node.decorator_list
        ):
            yield node.body[0].lineno, (ast.get_docstring(node) or "").partition("\n\n")[0]
        children = [node.value] if isinstance(node, ast.Expr) else ast.iter_child_nodes(node)
        # A text that is a statement is not printed: a docstring.
        waiting += [one for one in children if not (isinstance(node, ast.Expr) and isinstance(one, ast.Constant))]


def _is_text(node: ast.Constant) -> bool:
    return isinstance(node.value, str)


def _part(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    words = ast.unparse(node.value) if isinstance(node, ast.FormattedValue) else "…"
    return f"{{{words if words.isidentifier() else '…'}}}"


def _name(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def main(paths: list[str]) -> None:
    """Print the sentences of files and folders, the whole package by default."""
    before = ""
    for one in (one for path in paths or ["layerexplain"] for one in sentences(ROOT / path)):
        if one.file != before:
            print(f"\n{one.file}")
            before = one.file
        print(f"  {one.line}: {one.text}")


if __name__ == "__main__":
    main(sys.argv[1:])
