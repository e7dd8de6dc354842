"""A number → a program: one of those in tests/data/code with some of its code changed, or bombs put into it."""

import ast
import copy
import functools
import random
import re
from pathlib import Path
from typing import Any

Draw = random.Random

CODE = Path(__file__).resolve().parents[1] / "data/code"

BOMBS = """
x = 'a'\\nfor _ in range(60):\\n    x = x + x
x = [0]\\nfor _ in range(60):\\n    x = x + x
x = 3\\nfor _ in range(60):\\n    x = x * x
x = '%1000000000d' % 1
x = '{:1000000000}'.format(1)
x = f'{1:1000000000}'
x = 'a'.ljust(10 ** 10) + 'b'.zfill(10 ** 10) + 'c'.center(10 ** 9)
x = 10 ** 10 ** 10
x = 1 << 10 ** 10
x = [0] * 10 ** 10
x = (1, 2) * 10 ** 9
x = list(range(10 ** 10))
x = [i for i in range(10 ** 5) for j in range(10 ** 5)]
x = {i: [i] * 10000 for i in range(10000)}
x = sum(range(10 ** 9))
x = sorted(range(10 ** 9))
x = ','.join(['a' * 1000] * 10000)
x = 'a' * 50000\\nx = x.replace('a', x)
x = []\\nx.append(x)\\ny = str(x)
x = {}\\nx['x'] = x\\ny = repr(x)
x = [[]]\\nfor _ in range(30):\\n    x = [x, x]\\ny = x == x
def f():\\n    return f()\\nx = f()
def f(n):\\n    return f(n - 1) + f(n - 2)\\nx = f(50)
f = lambda g: g(g)\\nx = f(f)
while True:\\n    pass
while True:\\n    x = [0]
for i in iter(int, 1):\\n    pass
class A:\\n    def __getattr__(self, n):\\n        return self.x\\nx = A().y
class A:\\n    @property\\n    def x(self):\\n        return self.x\\nx = A().x
import numpy as np\\nx = np.zeros((10 ** 5, 10 ** 5))
import numpy as np\\nx = np.arange(10 ** 10).reshape(-1)
import numpy as np\\nx = np.ones(1000)\\nfor _ in range(40):\\n    x = np.concatenate([x, x])
m = keras.Sequential([layers.Dense(10 ** 12) for _ in range(1000)])
x = keras.Input((3,))\\nfor _ in range(100000):\\n    x = x + x
x = keras.Input((3,))\\nfor _ in range(2000):\\n    x = layers.Dense(2)(x)
x = keras.Input((10 ** 18, 10 ** 18))\\nx = layers.Flatten()(x)
d = layers.Dense(2)\\nx = keras.Input((2,))\\nwhile True:\\n    x = d(x)
i = 0\nwhile True:\n    i += 1
f = lambda: 1\nfor i in range(10000):\n    f = (lambda g: lambda: g() + 1)(f)\nf()
m = Sequential()\nwhile True:\n    m.add(Dense(3))
import itertools\nx = list(itertools.product(*[range(1000)] * 100))
x = sorted([[1] * 9000] * 9000)
x = []\nfor i in range(9999):\n    x.append(x)\ny = '%s' % (x,)
x = []\nx.append(x)\nm = Sequential(x)
class A(A0):\n    pass\nA.x = A\nclass B(A, A, A):\n    pass\nB().y.z
x = Input((3,))\nfor i in range(60):\n    x = [x, x]\ny = Add()(x)\nz = Dense(x)
class N(Model):\n    def call(self, t):\n        for i in range(60):\n            t = [t, t]\n        return t\nN()(Input((3,)))
__import__('os').system('touch /tmp/never')
exec('x = 1' * 1000)
import os\\nos.system('touch /tmp/never')
open('/tmp/never', 'w').write('x')
""".strip().splitlines()
"""What may take a reader's time or memory, or run; each starts a program or stands in it."""

ODD: list[Any] = [0, -1, 1, 2, 7, 10**6, 2**31, 2**63, 10**18, 10**30, 0.5, -0.0, 1e308, float("inf"), float("nan"), True,
                  False, None, "", "a", "relu", "same", "x" * 300, "\u202e", "\x1b[2J", b"a", ..., 3j]  # fmt: skip
OPERATORS = [ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.LShift, ast.MatMult, ast.BitOr]
TOKENS = ["(", ")", "[", "]", ":", ",", "\n", "    ", "\t", "'", '"', "#", "\\", "lambda ", "*", "**", "=", "def f(", "@",
          "yield ", "await ", "async ", "\0", "\x0c", "\ufeff", "return ", "x", ";", "->", "%matplotlib\n", ">>> ",
          "... ", "print 'x'\n"]  # fmt: skip


@functools.cache
def programs() -> tuple[str, ...]:
    """The programs of the tests."""
    found: list[str] = []
    for path in sorted(CODE.glob("programs*.txt")):
        found += re.findall(r"^### [^|\n]+\|[^\n]*\n(.*?)(?=^### |\Z)", path.read_text(), re.M | re.S)
    return tuple(found)


def program(number: int) -> bytes:
    """A mutated program."""
    draw = random.Random(f"code {number}")
    source = draw.choice(programs())
    if draw.random() < 0.25:
        return _changed_text(draw, source).encode("utf-8", "surrogatepass")
    tree = ast.parse(source)
    for _ in range(draw.choice([1, 1, 2, 3, 6])):
        draw.choice([_constant, _constant, _name, _operator, _statement, _argument, _nested, _other])(draw, tree)
    if draw.random() < 0.3:
        bomb = ast.parse(draw.choice(BOMBS).replace("\\n", "\n")).body
        at = draw.randrange(len(tree.body) + 1)
        tree.body[at:at] = bomb
    try:
        return ast.unparse(ast.fix_missing_locations(tree)).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError, AttributeError, TypeError):
        return source.encode()


def _changed_text(draw: Draw, source: str) -> str:
    """The text with a piece cut, repeated, moved or replaced."""
    for _ in range(draw.choice([1, 1, 2, 5])):
        at = draw.randrange(len(source) or 1)
        size = draw.choice([1, 1, 2, 8, 40])
        way = draw.randrange(5)
        if way == 0:
            source = source[:at] + source[at + size :]
        elif way == 1:
            source = source[:at] + source[at : at + size] * draw.choice([2, 3, 50]) + source[at:]
        elif way == 2:
            source = source[:at] + draw.choice(TOKENS) * draw.choice([1, 1, 1, 300]) + source[at:]
        elif way == 3:
            other = draw.randrange(len(source) or 1)
            source = source[:at] + source[other : other + size] + source[at + size :]
        else:
            lines = source.splitlines(keepends=True)
            draw.shuffle(lines)
            source = "".join(lines)
    return source


def _of(tree: ast.AST, kind: Any) -> list[Any]:
    return [node for node in ast.walk(tree) if isinstance(node, kind)]


def _constant(draw: Draw, tree: ast.Module) -> None:
    if found := _of(tree, ast.Constant):
        draw.choice(found).value = draw.choice(ODD)


def _name(draw: Draw, tree: ast.Module) -> None:
    names = _of(tree, ast.Name)
    if names:
        draw.choice(names).id = draw.choice(names).id
    attributes = _of(tree, ast.Attribute)
    if attributes and draw.random() < 0.5:
        draw.choice(attributes).attr = draw.choice(attributes).attr


def _operator(draw: Draw, tree: ast.Module) -> None:
    if found := _of(tree, ast.BinOp | ast.AugAssign):
        draw.choice(found).op = draw.choice(OPERATORS)()


def _bodies(tree: ast.AST) -> list[list[ast.stmt]]:
    return [body for node in ast.walk(tree) if type(body := getattr(node, "body", None)) is list and body]


def _statement(draw: Draw, tree: ast.Module) -> None:
    """A statement is dropped, said twice, or put elsewhere."""
    body = draw.choice(_bodies(tree))
    at = draw.randrange(len(body))
    other = draw.choice(_bodies(tree))
    if draw.random() < 0.5 and len(body) > 1:
        other.insert(draw.randrange(len(other) + 1), body.pop(at))
    else:
        other.insert(draw.randrange(len(other) + 1), copy.deepcopy(body[at]))


def _argument(draw: Draw, tree: ast.Module) -> None:
    """A call loses, gets or repeats an argument, or a starred one."""
    calls = _of(tree, ast.Call)
    if not calls:
        return
    call, way = draw.choice(calls), draw.randrange(5)
    if way == 0 and call.args:
        call.args.pop(draw.randrange(len(call.args)))
    elif way == 1 and call.keywords:
        call.keywords.pop(draw.randrange(len(call.keywords)))
    elif way == 2:
        call.args.append(ast.Constant(draw.choice(ODD)))
    elif way == 3:
        call.args.append(ast.Starred(copy.deepcopy(draw.choice(_of(tree, ast.expr))), ast.Load()))
    else:
        call.keywords.append(ast.keyword(draw.choice(["x", "nonsense"]), ast.Constant(draw.choice(ODD))))


def _nested(draw: Draw, tree: ast.Module) -> None:
    """A statement inside of a loop, a function, a class, a `try`, an `if` of what is not known."""
    body = draw.choice(_bodies(tree))
    at = draw.randrange(len(body))
    frame = draw.choice([
        "for _ in range(3):\n    pass", "while unknown:\n    pass", "if unknown:\n    pass", "def f(x=1):\n    pass",
        "class A:\n    pass", "try:\n    pass\nexcept E:\n    pass", "with unknown as u:\n    pass", "for u in unknown:\n    pass",
        "class L(keras.layers.Layer):\n    pass", "async def f():\n    pass", "for k in range(10 ** 9):\n    pass",
    ])  # fmt: skip
    outer: Any = ast.parse(frame).body[0]
    outer.body = [body[at]]
    body[at] = outer


def _other(draw: Draw, tree: ast.Module) -> None:
    """An expression in the place of another one."""
    places = [
        (node, name) for node in ast.walk(tree) for name, value in ast.iter_fields(node)
        if isinstance(value, ast.expr) and name in ("value", "test", "iter", "left", "right", "func", "elt")
    ]  # fmt: skip
    expressions = [one for one in _of(tree, ast.expr) if isinstance(getattr(one, "ctx", ast.Load()), ast.Load)]
    if places and expressions:
        node, name = draw.choice(places)
        setattr(node, name, copy.deepcopy(draw.choice(expressions)))
