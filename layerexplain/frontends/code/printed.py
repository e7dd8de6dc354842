"""What `print(model)` prints → a program; what `model.summary()` prints → a model (both prints, hence the length)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product, zip_longest
from typing import Any

from layerexplain.errors import LayerExplainError, SourceError, in_a_row
from layerexplain.frontends.code.pasted import unmarked
from layerexplain.frontends.code.values.reading import MOST_NESTED
from layerexplain.lang.axes import BATCH
from layerexplain.layers.arguments import NOT_SAID, Argument
from layerexplain.layers.declaration import Spec, snake_case
from layerexplain.layers.index import types
from layerexplain.layers.registry import TORCH, find, of_torch, positional_arguments
from layerexplain.layers.torch.construction import traced_alone
from layerexplain.model import Call, Layer, Model, Note, Shape, StoredGroup, StoredVariable, TensorRef
from layerexplain.ops.sizes import product as product_of
from layerexplain.ops.sizes import total
from layerexplain.records import NamedTuple

# Printed modules ----------------------------------------------------------------------------------------------------
# What `print(model)` of PyTorch prints → statements of a program that makes the same modules.

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
        type_ = max([other for other in names if other.lower() in name.lower()], key=len, default=None)
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
    call.args = [_text(argument) for argument in call.args]
    call.keywords = [
        ast.keyword(keyword.arg, _text(keyword.value)) for keyword in call.keywords if keyword.arg is not None
    ]
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


# Printed summary ----------------------------------------------------------------------------------------------------
# What `model.summary()` of Keras prints → a model.

_HEADER = re.compile(r"^.*Layer \(type\).*Output Shape.*Param #.*$", re.M)
_TOP = re.compile(r"^[> ]*Model: \"\w+\"\s*\n[> ]*(?:_{9}|┏━)", re.M)
_TITLE = re.compile(r"Model: \"(\w+)\"")
_NAMED = re.compile(r"([\w./…-]+)(?:\s*\((\w*)(\)?)|\s*$)")
_TOTAL = re.compile(r"^[ >]*Total params: (\d[\d,]{0,18})", re.M)
_ENDS = re.compile(r"^[ >]*Total params|^[└╰]")
_CONNECTION = re.compile(r"(?<![\w\[\]…])([\w./-]+)(?:\[\d*\]?(?:\[\d*)?\]?…?|…)(?=[\s,]|$)")
_PLAIN = re.compile(r"\s*(\S+ ?\(\w*\)?)\s+(\[?\(.*?\)\]?|\?|multiple)\s+([\d,]+)\s*(.*)")
_SMALL = (3, 2, 1, 5, 4, 7, 8, 16, 32, 64)
_LEFT = ("dtype", "data_format", "quantization_config", "return_state", "stateful", "dilation_rate", "groups")
"""Arguments that are taken to have their defaults."""
_IGNORED = ("linear-twice",)
"""Rules about activations, which are not printed."""
_MOST_ROWS = 2_000
_MOST_TRIED = 250
_MOST_TRIED_IN_ALL = 4_000


class _PrintedRow(NamedTuple):
    """A row of the table as it is printed. The shape is None where it is not one of a tensor alone."""

    name: str
    type: str
    shape: Shape | None
    params: int | None
    before: tuple[str, ...]
    line: int


def holds_summary(text: str) -> bool:
    """Return whether a text has the head of such a table, or begins it."""
    return _HEADER.search(text) is not None or _TOP.search(text) is not None


def model_of_summary(text: str) -> Model | None:
    """Return the model of the first table of a text; None where it has no rows."""
    text = "\n".join(unmarked(text.split("\n")))
    header = _HEADER.search(text)
    rows = [] if header is None else _rows(text, header)
    if header is None or not rows:
        return None
    titles = _TITLE.findall(text[: header.start()])
    return _TableReader(rows, titles[-1] if titles else "model", "Connected to" in header[0], text).model()


def _rows(text: str, header: re.Match[str]) -> list[_PrintedRow]:
    first = text.count("\n", 0, header.start())
    lines = text.split("\n")
    titles = ("Layer (type)", "Output Shape", "Param #", "Connected to")
    starts = [at for title in titles if (at := header[0].find(title)) >= 0]
    is_boxed = "┃" in header[0]
    rows: list[_PrintedRow | None] = []
    cells: list[str] = []
    begins = first
    for number, line in enumerate(lines[first + 1 : first + 4 * _MOST_ROWS], first + 2):
        if _ENDS.match(line):
            break
        parts = _cells(line, starts, is_boxed)
        if parts is None:
            continue
        if parts[2].strip() and parts[0].strip():
            rows.append(_row(cells, begins))
            cells, begins = parts, number
        elif cells:
            join = " " if is_boxed else ""
            cells = [(cell + join + more).strip() for cell, more in zip(cells, parts, strict=False)]
    return [row for row in (*rows, _row(cells, begins)) if row is not None]


def _cells(line: str, starts: Sequence[int], is_boxed: bool) -> list[str] | None:
    if is_boxed:
        parts = [item.strip() for item in re.split("[│┃|]", line)[1:-1]]
        return parts if len(parts) == len(starts) else None
    if not line.strip() or not re.search(r"\w", line):
        return None
    parts = [line[at:end].strip() for at, end in zip(starts, [*starts[1:], None], strict=True)]
    is_aligned = all(at == 0 or line[at - 1 : at] in (" ", "") for at in starts[1:])
    if is_aligned and (not parts[2] or re.fullmatch(r"[\d,]+( \(\w+\))?", parts[2])):
        return parts
    match = _PLAIN.match(line)  # the columns are no longer aligned
    return [*match.groups()] if match is not None else None


def _row(cells: Sequence[str], line: int) -> _PrintedRow | None:
    named = _NAMED.match(cells[0]) if cells else None
    if named is None:
        return None
    sizes = re.fullmatch(r"\[?\((None|\d{1,12})?((?:,\s*(?:None|\d{1,12})){0,8}),?\s*\)\]?", cells[1])
    shape = None
    if sizes is not None:
        shape = tuple([None if size == "None" else int(size) for size in re.findall(r"None|\d+", cells[1])])
    is_known = re.fullmatch(r"\d[\d,]{0,18}", cells[2])
    params = int(cells[2].replace(",", "")) if is_known else None
    before = tuple([match[1] for match in _CONNECTION.finditer(cells[3])]) if len(cells) > 3 else ()
    type_ = named[2] if named[3] else _whole_type(named[2] or "", named[1])
    return _PrintedRow(named[1], type_, shape, params, before, line) if type_ else None


def _whole_type(start: str, name: str) -> str:
    """Return the type whose end an older Keras cut off at the end of its column: the one of which the layer has its
    name, else the only one that begins so; else what is left of it, with "…".

    >>> _whole_type("RepeatVecto", "repeat_vector_1"), _whole_type("", "max_pooling1d_2"), _whole_type("Con", "a")
    ('RepeatVector', 'MaxPooling1D', 'Con…')
    """
    of_start = [kind for kind in types("") if kind.startswith(start)]
    named = re.sub(r"_\d*$", "", name)
    suited = [item for item in of_start if snake_case(item) == named] or (of_start if len(of_start) == 1 else [])
    return suited[0] if suited else start and f"{start}…"


class _TableReader:
    def __init__(self, rows: list[_PrintedRow], title: str, is_connected: bool, text: str) -> None:
        self.rows, self.title, self.is_connected, self.text = rows[:_MOST_ROWS], title, is_connected, text
        self.notes: list[Note] = []
        self.known: dict[Any, dict[str, Any] | None] = {}
        self.left = _MOST_TRIED_IN_ALL

    def model(self) -> Model:
        rows = self.rows
        shapes = {row.name: row.shape for row in rows}
        inputs = [row.name for row in rows if row.type == "InputLayer"]
        recorded = {TensorRef(row.name): (row.shape, "float32") for row in rows if row.shape is not None}
        layers: list[Layer] = []
        calls: list[Call] = []
        used: set[str] = set()
        for at, row in enumerate(rows):
            before = (
                [self._whole_name(name) for name in row.before] if self.is_connected else [rows[at - 1].name] * (at > 0)
            )
            used.update(before)
            given = [shapes.get(item) for item in before]
            layers.append(self._layer(row, given))
            calls.append(Call(row.name, 0, _arguments([TensorRef(item) for item in before]), {}))
        start: tuple[TensorRef, ...] = tuple(map(TensorRef, inputs))
        if not inputs:
            first = self._first_input(rows[0])
            name = "input"
            layers.insert(0, Layer(name, "InputLayer", "layer", {"batch_shape": first, "dtype": "float32"}))
            calls[0] = calls[0]._replace(args=(TensorRef(name),))
            calls.insert(0, Call(name, 0, (), {}))
            layers[1] = self._layer(rows[0], [first])
            start = (TensorRef(name),)
        ends = tuple([TensorRef(row.name) for row in rows if row.name not in used])
        words = (
            "read from a printed summary: it states types, shapes and numbers; arguments are the ones nearest to the "
            "defaults that give these; activations and rates are not in it"
        )
        notes = [Note("assumed", None, words), *self.notes, *self._total()]
        type_ = "Functional" if self.is_connected or inputs else "Sequential"
        return Model(
            self.title, type_, tuple(layers), tuple(calls), start, ends, recorded=recorded, format="code",
            notes=tuple(notes), grade="assumed",
        )  # fmt: skip

    def _whole_name(self, written: str) -> str:
        """Return the layer of a name that may be cut."""
        names = [row.name for row in self.rows]
        if written in names:
            return written
        fitting = [
            name for name in names if name.rstrip("…").startswith(written) or written.startswith(name.rstrip("…"))
        ]
        return fitting[0] if len(fitting) == 1 else written

    def _total(self) -> list[Note]:
        """Return the note on a total that is not the sum of its rows."""
        stated = _TOTAL.search(self.text)
        counts = [row.params for row in self.rows]
        if stated is None or None in counts:
            return []
        total, added = int(stated[1].replace(",", "")), sum(count or 0 for count in counts)
        optimizer = re.search(r"Optimizer params: (\d[\d,]{0,18})", self.text)
        added += int(optimizer[1].replace(",", "")) if optimizer is not None else 0
        words = f"the table states {total:,} parameters in all; its rows add up to {added:,}"
        return [] if total == added else [Note("printed-total", None, words)]

    def _layer(self, row: _PrintedRow, inputs: Sequence[Shape | None]) -> Layer:
        if row.type == "InputLayer":
            return Layer(row.name, row.type, "layer", {"batch_shape": row.shape, "dtype": "float32"}, line=row.line)
        key = row.type, tuple(inputs), row.shape, row.params
        if key not in self.known:
            self.known[key] = self._config(row, inputs)
        config = self.known[key]
        if config is not None:
            missing = _unprinted(row, config, inputs)
            config = config | dict.fromkeys(missing, NOT_SAID)
            return Layer(row.name, row.type, "layer", config, line=row.line, missing=missing, ignore=_IGNORED)
        stated = {"group": StoredGroup((), row.params is not None), "uncalled": False} if not row.params else {
            "variables": (StoredVariable("parameters", (row.params,), "float32", None),)
        }  # fmt: skip
        return Layer(row.name, row.type, "custom", stated, line=row.line)

    def _first_input(self, row: _PrintedRow) -> Shape | None:
        """Return the input of a first layer, which a Sequential does not print, where its own numbers say which."""
        if row.shape is None or not row.params:
            return None
        *before, last = row.shape
        candidates: list[Shape] = [tuple(before)]  # a table of tokens adds an axis
        if last and len(row.shape) < 4:
            candidates += [(*before, size) for size in (row.params // last - 1, row.params // last) if size > 0]
        each = row.params // last if last else 0
        for kernel, channels in product((3, 5, 7, 2, 4, 1, 9, 11), (1, 3, 4, 2)):
            fits = kernel ** (len(row.shape) - 2) * channels in (each, each - 1)
            for more in (kernel - 1, 0) if fits else ():
                sizes = [None if number is None else number + more for number in before[1:]]
                candidates.append((*before[:1], *sizes, channels))
        fitting = [candidate for candidate in dict.fromkeys(candidates) if self._config(row, [candidate]) is not None]
        fitting = [item for item in fitting if item[-1] == fitting[0][-1]]
        fitting.sort(key=lambda shape: any((size or 0) % 4 for size in shape[1:-1]))
        if len(fitting) > 1:
            words = (
                f"the input is not printed: {fitting[0]} is assumed; {fitting[1]} gives the same row with other padding"
            )
            self.notes.append(Note("assumed", "input", words))
        return fitting[0] if fitting else None

    def _config(self, row: _PrintedRow, inputs: Sequence[Shape | None]) -> dict[str, Any] | None:
        """Return the arguments nearest to the defaults that give the shape and the parameters of a row."""
        declaration = find(row.type)
        if declaration is None or row.shape is None or row.params is None or None in inputs or not inputs:
            return None
        for config in islice(_candidates(declaration.arguments, row), _MOST_TRIED):
            self.left -= 1
            if self.left < 0:
                return None
            if _outcome(row.type, config, inputs) == (row.shape, row.params):
                return config
        return None


def _unprinted(row: _PrintedRow, config: Mapping[str, Any], inputs: Sequence[Shape | None]) -> tuple[str, ...]:
    """Return the required arguments of which the table says nothing: other values give the same row."""
    arguments = getattr(find(row.type), "arguments", {})
    required = [name for name in config if arguments[name].default is Argument.REQUIRED]
    printed = row.shape, row.params
    others = [(name, {**config, name: value}) for name in required for value in (0.5, 0.25) if config[name] != value]
    return tuple(dict.fromkeys([name for name, other in others if _outcome(row.type, other, inputs) == printed]))


def _candidates(arguments: Any, row: _PrintedRow) -> Iterator[dict[str, Any]]:
    """Yield arguments of a layer, those first that are nearest to its defaults."""
    shape = (row.shape or ())[1:]
    sizes = [size for size in reversed(shape) if size]
    counts = [(row.params or 0) // size for size in sizes if row.params]
    pool: list[Any] = list(dict.fromkeys([*sizes, *_SMALL, *counts, tuple(shape), 0.5]))
    required = [name for name, argument in arguments.items() if argument.default is Argument.REQUIRED]
    optional = [
        {name: value}
        for name, argument in arguments.items()
        for value in _others(argument.default)
        if name not in _LEFT
    ]
    few = len(required) < 4
    starts = [dict(zip(required, values, strict=True)) for values in product(pool, repeat=len(required)) if few]
    first = [start for start in starts if not required or any(value in sizes for value in start.values())] or starts
    yield from first
    yield from starts[:24] if first is not starts else ()
    for change in optional:
        yield from ({**start, **change} for start in first[:24])
    for at, change in enumerate(optional):
        for other in optional[at + 1 :]:
            yield from ({**start, **change, **other} for start in first[:6])


def _others(default: Any) -> tuple[Any, ...]:
    """Return other values of an argument than its default."""
    if isinstance(default, bool):
        return (not default,)
    if default == "valid":
        return ("same",)
    if isinstance(default, int) or default is None:
        return tuple([item for item in (2, 3, 4) if item != default]) if default is not None else ()
    return (2, 3) if isinstance(default, tuple) and set(map(type, default)) == {int} else ()


def _arguments(refs: Sequence[TensorRef]) -> tuple[Any, ...]:
    return (list(refs),) if len(refs) > 1 else tuple(refs)


def _outcome(type_: str, config: Mapping[str, Any], inputs: Sequence[Shape | None]) -> tuple[Shape, int] | None:
    """Return the output shape and the number of parameters of a layer on inputs; None where they are not known."""
    declaration = find(type_)
    shapes = [shape for shape in inputs if shape is not None]
    if declaration is None or len(shapes) < len(inputs):
        return None
    try:
        specs = [Spec((BATCH, *shape[1:]), "float") for shape in shapes]
        definition = declaration.trace(specs, declaration.default_values | declaration.bind(config))
    except LayerExplainError:
        return None
    params = total([product_of(weight.shape) for weight in definition.weights])
    if definition.kind == "opaque" or not definition.outputs or params is None:
        return None
    return tuple([size if isinstance(size, int) else None for size in definition.outputs[0].shape]), params


def compared(model: Model, text: str) -> Model:
    """Return a model of code with notes on what differs in a table that is printed beside it: of several tables in the
    one that has the layers of the model. Each row is judged on the shapes that the table states before it."""
    tables = [_rows(text, header) for header in _HEADER.finditer(text)]
    rows_of = [[row for row in rows if row.type != "InputLayer"] for rows in tables if rows]
    layers = [layer for layer in model.layers if layer.type != "InputLayer"]
    types = [layer.type for layer in layers]
    if not rows_of or model.framework != "keras":
        return model
    rows = next((rows for rows in rows_of if _are_of(rows, types)), None)
    if rows is None:
        notes = [Note("printed-other", None, _other_layers(rows_of, types))]
        return model._replace(notes=(*model.notes, *notes))
    shapes: dict[str, Shape | None] = {layer.name: layer.config.get("batch_shape") for layer in model.layers}
    shapes |= {layer.name: row.shape for layer, row in zip(layers, rows, strict=True)}
    inputs = {call.layer: [shapes.get(ref.layer) for ref in call.refs] for call in model.calls}
    notes = []
    for row, layer in zip(rows, layers, strict=True):
        result = _outcome(layer.type, layer.config, inputs.get(layer.name) or [None]) if layer.kind == "layer" else None
        shape, params = result or (row.shape, row.params)
        for what, printed, derived in (("output", row.shape, shape), ("number of parameters", row.params, params)):
            if printed is not None and printed != derived:
                words = f"the table in line {row.line} states the {what} {printed}; this code gives {derived}"
                notes.append(Note("printed-other", layer.name, words))
    return model._replace(notes=(*model.notes, *notes[:5]))


def _are_of(rows: Sequence[_PrintedRow], types: Sequence[str]) -> bool:
    """Return whether rows have these types, as far as they are printed."""
    return len(rows) == len(types) and all([_is_type(row.type, type_) for row, type_ in zip(rows, types, strict=True)])


def _is_type(printed: str, type_: str) -> bool:
    return printed == type_ or (printed.endswith("…") and type_.startswith(printed[:-1]))


def _other_layers(tables: Sequence[Sequence[_PrintedRow]], types: Sequence[str]) -> str:
    """Return how tables differ from the layers of a model: the only one in the first row that does."""
    if len(tables) > 1:
        return f"none of the {len(tables)} printed tables has the layers of the code as it is read here"
    pairs = zip_longest([row.type for row in tables[0]], types, fillvalue="no layer")
    at, (printed, read) = next((at, pair) for at, pair in enumerate(pairs, 1) if not _is_type(*pair))
    where = f"layer {at} is {printed} there, {read} here"
    return f"the printed table has other layers than the code as it is read here: {where}"
