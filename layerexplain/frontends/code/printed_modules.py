"""What `print(model)` of PyTorch prints → statements of a program that makes the same modules.

The text names each module with its arguments, and says nothing of `forward`. Statements stand in the lines of the text.
"""

from __future__ import annotations

import ast
import re

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.code.pasted import unmarked
from layerexplain.frontends.code.values.reading import MOST_NESTED
from layerexplain.lang.axes import Shape
from layerexplain.layers.index import types
from layerexplain.layers.registry import TORCH, find, of_torch, positional_arguments
from layerexplain.layers.torch.construction import traced_alone
from layerexplain.records import NamedTuple
from layerexplain.suggest import in_a_row

_MOST_MODULES = 20_000
_PART = r"\(([\w.\-]+)\):\s*(?:(\d+) x )?([A-Za-z_][\w.]*)\("
PRINTED = re.compile(
    rf"(?<![\w.])([A-Za-z_][\w.]*)\(\s*(?=(?:[^()\n]*\n\s*)?{_PART})|^[ \t]*(?={_PART}(?:.*[)(])?[ ]*$)", re.M
)
"""How a printed module begins: with its class and its first part, or with a part where its first line is missing."""
_LINE = re.compile(rf"{_PART}|\([\w.\-]+\): Parameter containing: \[")
_PARAMETER = r"\(([\w.\-]+)\):\s*Parameter containing: \[[\w.]+ of size (\d+(?:x\d+)*)[^\]]*\]"
_TOKEN = re.compile(
    rf"(?P<weight>{_PARAMETER})|(?P<part>{_PART})|'[^'\n]*'|[(\[{{]|[)\]}}]|\.\.\.|[^'()\[\]{{}}.]+|.", re.S
)
_ROWS = ("ModuleList", "ParameterList")
_OF_NAMES = ("ModuleDict", "ParameterDict")
_SHOWN = re.compile(r"(?<![\w.])print\(\s*(\w+)\s*\)")


class _Printed:
    """A module of a printed text: its class, its arguments as they stand there, and its parts."""

    def __init__(self, name: str, count: int, type_: str, line: int) -> None:
        self.name, self.count, self.type, self.line = name, count, type_, line
        self.arguments: list[str] = []
        self.parts: list[_Printed] = []
        self.shape: tuple[int, ...] | None = None
        """That of a parameter."""

    @property
    def class_name(self) -> str:
        return self.type.rpartition(".")[2]


class PrintedModule(NamedTuple):
    """A program that makes a printed module under a name, what it leaves open, and the text without the print."""

    name: str
    statements: list[ast.stmt]
    notes: tuple[str, ...]
    others: str


def is_printed(text: str) -> bool:
    """Return whether a text has a line of a printed module: a name in brackets, a colon and a class."""
    return _LINE.search(text) is not None


def printed_module(text: str) -> PrintedModule | None:
    """Return the last module that a text has printed; None where it has none. Raises SourceError for too many parts.

    >>> found = printed_module("Net(\\n  (fc): Linear(in_features=4, out_features=3, bias=True)\\n)\\nWhy?")
    >>> print(found.name, "|", ast.unparse(found.statements[-1]), "|", found.others.split())
    net | net = Net({'fc': torch.nn.Linear(in_features=4, out_features=3, bias=True)}) | ['Why?']
    """
    if not is_printed(text):
        return None
    read, others = "\n".join(unmarked(text.split("\n"))), text.split("\n")
    begin, root, is_whole = PRINTED.search(read), None, True
    while begin is not None:
        root, end, is_whole = _read(read, begin)
        first, last = read.count("\n", 0, begin.start()), read.count("\n", 0, end)
        others[first : last + 1] = [""] * (last + 1 - first)
        begin = PRINTED.search(read, end)
    if root is None:
        return None
    writer = _PrintedModel()
    shown = _SHOWN.findall(read)
    name = shown[-1] if shown else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", root.class_name).lower()
    module = writer.module(root)
    assign = ast.Assign([ast.Name(name, ast.Store())], module)
    if not is_whole:
        writer.notes["the printed module does not end: modules behind its last line are not counted"] = 1
    return PrintedModule(name, writer.program(assign, root.line), tuple(writer.said()), "\n".join(others))


def _read(text: str, begin: re.Match[str]) -> tuple[_Printed, int, bool]:
    """Read the module that begins in a place; return it, its end, and whether its last bracket closes."""
    line, at = text.count("\n", 0, begin.start()) + 1, begin.end()
    root = _Printed("", 1, begin[1] or "Net", line)
    open_modules, depth, count = [root], [0], 1
    end = at
    for token in _TOKEN.finditer(text, at):
        module, sign = open_modules[-1], token[0]
        place = line + text.count("\n", begin.start(), token.start())
        if begin[1] is None and len(open_modules) == 1 and not token["part"] and not token["weight"] and sign.strip():
            return root, end, True
        if token["weight"] and not depth[-1]:
            weight = _Printed(token[2], 1, "Parameter", place)
            weight.shape = tuple(map(int, token[3].split("x")))
            module.parts.append(weight)
        elif token["part"] and not depth[-1]:
            part = _Printed(token[5], int(token[6] or 1), token[7], place)
            module.parts.append(part)
            open_modules.append(part)
            depth.append(0)
            count += 1
            if len(open_modules) > MOST_NESTED or count > _MOST_MODULES:
                raise SourceError(f"prints more than {_MOST_MODULES:,} modules, or nests them too deeply")
        elif sign in ")]}" and not depth[-1]:
            open_modules.pop()
            depth.pop()
            end = token.end()
            if not open_modules:
                return root, end, True
        else:
            depth[-1] += (sign in "([{") - (sign in ")]}")
            module.arguments.append(sign)
    return root, len(text) if begin[1] else end, begin[1] is None


class _PrintedModel:
    """Writes modules as calls of their classes, and the classes that are not PyTorch's."""

    def __init__(self) -> None:
        self.notes: dict[str, int] = {}
        self.classes: dict[str, None] = {}
        self.leaves: dict[str, None] = {}
        self.tables: dict[Shape, list[bool]] = {}
        """The modules with a matrix of a shape: whether each looks up ids in it."""
        self.matrices: dict[str, tuple[Shape, bool] | None] = {}
        """The matrix of a module, by its call."""
        self.modules = 0

    def program(self, assign: ast.stmt, line: int) -> list[ast.stmt]:
        classes = "".join(
            f"class {name}(torch.nn.Module):\n def __init__(self, parts):\n  super().__init__()\n"
            "  for name, part in parts.items():\n   self.add_module(name, part)\n"
            for name in self.classes
        )
        tree = ast.parse(f"import collections\nimport torch\n{classes}").body
        for node in [each for statement in tree for each in ast.walk(statement)]:
            if hasattr(node, "lineno"):
                node.lineno = node.end_lineno = line  # type: ignore[attr-defined]
        assign.lineno, assign.col_offset = line, 0
        return [*tree, ast.fix_missing_locations(assign)]

    def said(self) -> list[str]:
        """Return what the printed text leaves open, one line each."""
        names = [*self.leaves, *[name for name in self.classes if name not in self.leaves]]
        many = len(names) > 4
        shown = (
            f"{', '.join(names[:3])} and {len(names) - 3} other classes" if many else in_a_row(names) if names else ""
        )
        words = f"parameters that {shown} may hold themselves are not printed and not counted"
        tied = [
            f"{len(of)} modules have a table of {size[0]} × {size[1]}; each counts: whether they are tied is unknown"
            for size, of in self.tables.items()
            if len(of) > 1 and any(of)
        ]
        return [*self.notes, *tied[:2], *([words] if names else [])]

    def module(self, module: _Printed) -> ast.expr:
        """Return the call that makes a module."""
        self.modules += 1
        if self.modules > _MOST_MODULES:
            raise SourceError(f"prints more than {_MOST_MODULES:,} modules")
        name, written = module.class_name, "".join(module.arguments).strip()
        if module.shape is not None:
            return _placed(f"torch.nn.Parameter(torch.zeros({module.shape}))", module.line)
        if name == "Sequential" or name in _ROWS or name in _OF_NAMES:
            return self._container(module)
        if name == "MultiheadAttention" and len(module.parts) == 1:
            return self._attention(module.parts[0], module.line)
        if module.parts:
            return self._own(module)
        type_ = name if find(of_torch(name)) is not None else self._torch_type(name, written)
        call = None if type_ is None else _call(f"torch.nn.{type_}", written, module.line)
        if call is None and "=" in written:
            call = _call(name, written, module.line)  # a class that nothing defines: its parameters are not known
        if call is None:
            return self._own(module)
        self._note_ties(type_, call)
        return call

    def _note_ties(self, type_: str | None, call: ast.Call) -> None:
        """Note matrices that may be one, as a table of tokens and the projection to the same tokens: of one shape."""
        written = ast.unparse(call)
        if type_ is not None and written not in self.matrices:
            self.matrices[written] = _matrix(type_, call)
        shape, takes_ids = self.matrices.get(written) or (None, False)
        if shape is not None:
            self.tables.setdefault(shape, []).append(takes_ids)

    def _container(self, module: _Printed) -> ast.expr:
        parts = self._parts(module)
        inner: ast.expr = ast.List(parts.values, ast.Load()) if module.class_name in _ROWS else parts
        if "..." in module.arguments:
            self.notes["`...` stands for modules that are not printed: they are not counted"] = 1
        if module.class_name == "Sequential":
            inner = ast.Call(_expression("collections.OrderedDict"), [inner], [])
        return ast.Call(
            _expression(f"torch.nn.{module.class_name}"), [inner] if module.parts else [], [], **_at(module.line)
        )

    def _parts(self, module: _Printed) -> ast.Dict:
        keys: list[ast.expr | None] = []
        values: list[ast.expr] = []
        for part in module.parts:
            first = re.match(r"\d+", part.name)
            names = (
                [part.name] if part.count == 1 or first is None else [str(int(first[0]) + i) for i in range(part.count)]
            )
            if part.count > _MOST_MODULES:
                raise SourceError(f"prints more than {_MOST_MODULES:,} modules")
            for each in names:
                keys.append(ast.Constant(each))
                values.append(self.module(part))
        return ast.Dict(keys, values)

    def _attention(self, projection: _Printed, line: int) -> ast.expr:
        """Return an attention, whose number of heads is not printed; its weights do not depend on that."""
        sizes = dict(re.findall(r"(\w+)=(\w+)", "".join(projection.arguments)))
        words = "MultiheadAttention does not print num_heads, kdim and vdim: keys and values count as embed_dim wide"
        self.notes[words] = 1
        written = f"{sizes.get('out_features', 1)}, num_heads_is_not_printed, bias={sizes.get('bias', 'True')}"
        return _placed(f"torch.nn.MultiheadAttention({written})", line)

    def _torch_type(self, name: str, written: str) -> str | None:
        """Return the longest type of PyTorch that a class has in its name, and whose arguments it prints."""
        names = [of.removeprefix(TORCH) for of in types(TORCH.rstrip("."))]
        type_ = max([one for one in names if one.lower() in name.lower()], key=len, default=None)
        call = None if type_ is None or not written else _call(f"torch.nn.{type_}", written, 1)
        declaration = None if type_ is None else find(of_torch(type_))
        if call is None or declaration is None or any(word.arg not in declaration.arguments for word in call.keywords):
            return None
        self.notes[f"{name} is read as nn.{type_}, whose arguments it prints"] = 1
        return type_

    def _own(self, module: _Printed) -> ast.expr:
        name = module.class_name
        self.classes.setdefault(name)
        if not module.parts:
            self.leaves.setdefault(name)
        return ast.Call(ast.Name(name, ast.Load()), [self._parts(module)], [], **_at(module.line))


def _call(function: str, written: str, line: int) -> ast.Call | None:
    """Return a call with printed arguments, of which texts stand without quotes: `padding=same`."""
    try:
        call = _placed(f"{function}({' '.join(written.split())})", line)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(call, ast.Call):
        return None
    call.args = [_text(one) for one in call.args]
    call.keywords = [ast.keyword(one.arg, _text(one.value)) for one in call.keywords if one.arg is not None]
    return call


def _matrix(type_: str, call: ast.Call) -> tuple[Shape, bool] | None:
    """Return the shape of the matrix that is a module's first weight, and whether it looks up ids; None for others."""
    declaration = find(of_torch(type_))
    if declaration is None:
        return None
    try:
        config = dict(zip(positional_arguments(declaration), map(ast.literal_eval, call.args), strict=False))
        config |= {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg is not None}
        definition = traced_alone(type_, config)
    except (LayerExplainError, ValueError):  # a size or an argument that is not printed
        return None
    if definition is None or not definition.weights or len(definition.weights[0].shape) != 2:
        return None
    return definition.weights[0].shape, definition.params[0].dtype.startswith("int")


def _text(value: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Constant(value.id), value) if isinstance(value, ast.Name) else value


def _placed(written: str, line: int) -> ast.expr:
    tree = ast.parse(written, mode="eval").body
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            node.lineno = node.end_lineno = line  # type: ignore[attr-defined]
    return tree


def _expression(written: str) -> ast.expr:
    return ast.parse(written, mode="eval").body


def _at(line: int) -> dict[str, int]:
    return {"lineno": line, "end_lineno": line, "col_offset": 0, "end_col_offset": 0}
