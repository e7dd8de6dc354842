"""Walks over trees give the nodes that `ast` gives, in the same order."""

import ast
from pathlib import Path

import pytest

from layerexplain.frontends.code.values.reading import children, walk

FILES = [*sorted(Path(__file__).parent.glob("*.py")), *sorted(Path(ast.__file__).parent.glob("[a-d]*.py"))]
EVERYTHING = """
match point:
    case {"x": [1, *_], **rest} if rest: pass
    case None | Point(x=0): pass
async def f(a, /, b: int = 3, *c, d=..., **e):
    global g
    with open(a) as one, b: yield [x async for x in c if x]
    return {**e, 1: b"2", (h := 2j): not True}, f"{a!r:>{b}}", lambda: (yield)
try: del a[1:2, ::3], b.c
except* (KeyError, OSError) as error: raise error from None
"""


def is_node(node: ast.AST) -> bool:
    return not isinstance(node, ast.expr_context)


@pytest.mark.parametrize("text", [EVERYTHING, *[path.read_text(encoding="utf-8") for path in FILES]])
def test_all_nodes_but_contexts_in_the_order_of_ast(text: str) -> None:
    tree = ast.parse(text)
    expected = [one for one in ast.walk(tree) if is_node(one)]
    assert all(one is other for one, other in zip(walk(tree), expected, strict=True))
    for node in expected:
        assert children(node) == [one for one in ast.iter_child_nodes(node) if is_node(one)]


def test_what_is_inside_closed_nodes_is_left_out() -> None:
    tree = ast.parse("a = 1\ndef f(b):\n    return lambda: c\nd = lambda: e")
    names = [one.id for one in walk(tree, closed=(ast.FunctionDef, ast.Lambda)) if isinstance(one, ast.Name)]
    assert names == ["a", "d"]
    assert [one.id for one in walk(*tree.body[::2]) if isinstance(one, ast.Name)] == ["a", "d", "e"]
