"""What a pasted error says, alone or with its code, and shapes of data that a text states beside its code."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.code.messages import KINDS, MESSAGES, TORCH, Parts, Row, Words
from layerexplain.frontends.code.pasted import ERROR
from layerexplain.frontends.code.values.reading import walk
from layerexplain.model import Model, Note, Shape
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple

# Pasted errors ------------------------------------------------------------------------------------------------------
# What a pasted error says, alone or with its code: the row of the table, its parts, and its place in the code.

Configs = Mapping[str, tuple[str, Mapping[str, Any]]]
"""The layers of a model by their names: the type of each, and its arguments."""

_PART = re.compile(r"@(\w+):(\w+)")
_COLORS = re.compile(r"\x1b?\[\d+(?:;\d+)*m")
_QUOTED = re.compile(r"^-+> *\d+ (.*)$|^ *File \"[^\"]*\", line \d+.*\n(.*)$", re.MULTILINE)
"""A line of code that a traceback quotes."""


@cache
def _compiled(pattern: str) -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a wording as an expression, and the kinds of its parts."""
    kinds = dict(_PART.findall(pattern))
    result = _PART.sub(lambda part: KINDS[part[2]].replace("(", f"(?P<{part[1]}>", 1) if part[2] != "shape"
                      else KINDS["shape"].replace("((", f"(?P<{part[1]}>(", 1), pattern)  # fmt: skip
    return re.compile(result, re.DOTALL), kinds


class Message(NamedTuple):
    """A message of a framework that a text holds: its row, and its parts."""

    row: Row
    parts: Parts

    def is_of(self, type_: str, config: Mapping[str, Any]) -> bool:
        """Return whether a layer of a type, with such arguments, may raise it."""
        types = self.row.layers.replace("@type", re.escape(self.parts.type))
        wanted = {key: self.parts[part] for key, part in self.row.arguments.items()}
        return bool(re.match(types, type_)) and all(config.get(key) in (value, None) for key, value in wanted.items())

    def words(self, layer: tuple[str, Mapping[str, Any]] = ("", {}), call: ast.expr | None = None) -> str:
        """Return what it says, and what to write. `layer` is the one that raises it, its type and its arguments, `call`
        the function that does."""
        parts = Parts(self.parts, layer_type=layer[0], config=layer[1])
        if call is not None:
            from layerexplain.frontends.code.library.keras_names import is_known

            written = ast.unparse(call)
            own = written.rpartition(".")[2]
            today = next((name for name in (own, own.removeprefix("reduce_")) if is_known(f"ops.{name}")), "")
            parts.update(written=written, function=today, called=f": {written}")
        causes = [sentence for cause in self.row.causes if (sentence := _said(cause, parts))]
        return f"{_said(self.row.fact, parts)}; {'; or '.join(causes)}"


def _said(words: Words, parts: Parts) -> str:
    if not isinstance(words, str):
        return words(parts)
    shown = {key: shape_text(part) if type(part) is tuple else part for key, part in parts.items()}
    return words.format_map(Parts(shown))


_LONGEST_LINE = 2_000
"""Letters of a line in which a message is looked for."""


def messages(text: str) -> Iterator[Message]:
    """Yield the messages that a text holds, in the order of the table.

    >>> [one.parts for one in messages("mat1 and mat2 shapes cannot be multiplied (32x1568 and 784x10)")]
    [{'rows': 32, 'got': 1568, 'wanted': 784, 'units': 10}]
    """
    text = "\n".join([line[:_LONGEST_LINE] for line in _COLORS.sub("", text).split("\n")])
    for row in MESSAGES:
        for pattern in row.patterns:
            expression, kinds = _compiled(pattern)
            if match := expression.search(text):
                yield Message(row, Parts({key: _value(kinds.get(key, "text"), value or "")
                                          for key, value in match.groupdict().items()}))  # fmt: skip
                break


def _value(kind: str, text: str) -> Any:
    if kind == "int":
        return int(text)
    if kind in ("shape", "bare"):
        sizes = re.findall(r"None|\?|-?\d+", text)
        return tuple([None if size in ("None", "?") else int(size) for size in sizes])
    return text.strip()


def message_of(text: str) -> Message | None:
    """Return the message that a text holds, None where it has none that is known."""
    return next(messages(text), None)


def data_of_error(text: str) -> dict[str, Shape]:
    """Return the shapes of the data that an error of fit() names; `needs` is that of the input that refuses X.

    >>> data_of_error("ValueError: Shapes (None, 3) and (None, 1, 3) are incompatible")
    {'y': (None, 3)}
    """
    results: dict[str, Shape] = {}
    for message in messages(text):
        for name in ("X", "y", "needs"):
            if isinstance(message.parts.get(name), tuple) and ("X" in message.parts or name == "y"):
                results.setdefault(name, message.parts[name])
    return results


# Where code raises it -------------------------------------------------------------------------------------------------


def pasted_fault(text: str, tree: ast.Module, layers: Configs, *, of_shapes: bool) -> LayerExplainError | None:
    """Return the fault that an error says which was pasted with code, with its line; None for one that is not known.
    One of shapes counts where not all shapes are known (`of_shapes`): else reading would have found it."""
    message = next((item for item in messages(text) if of_shapes or not item.row.of_shapes), None)
    if message is None:
        return None
    layers = {name: (type_, _known(config)) for name, (type_, config) in layers.items()}
    name = _layer(message, layers)
    call = _call(message, tree, name)
    own = layers[name] if name else ("", {})
    words = message.words(own, call if message.row.calls == "foreign" else None)
    fault = LayerExplainError(f"the pasted error says that {words}" if layers else words)
    fault.layer = name or None
    if line := _quoted_line(text, tree):
        fault.line = line
    elif call is not None:
        fault.line, fault.column = call.lineno, call.col_offset + 1
    return fault


def _known(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a layer whose values are known; code that lacks a name leaves the others open."""
    return {key: value for key, value in config.items() if isinstance(value, int | float | str | tuple | list)}


def _layer(message: Message, layers: Configs) -> str:
    """Return the name of the layer that a message is about: that it names, or the only one of such a type and with such
    arguments, the last one where it does not say which; "" for none."""
    row, parts = message
    if (named := parts.layer) in layers:
        return str(named)
    base = re.sub(r"(_input)?(_\d+)?$", "", named)
    alike = [name for name in layers if base and re.sub(r"_\d+$", "", name) == base]
    if row.layers:
        fits = [name for name, layer in layers.items() if message.is_of(*layer)]
        alike = fits if len(fits) == 1 or row.layers.endswith("$") else []
        alike = alike[-1:]
    return alike[0] if len(alike) == 1 else ""


def _call(message: Message, tree: ast.Module, layer: str) -> Any:
    """Return the node of the code that raises a message: the call of its layer, or of its function."""
    pattern, parts = message.row.calls, message.parts
    nodes = walk(tree)
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    if pattern == "import":
        wanted = re.escape(parts.name or parts.module)
        imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        return next((item for item in imports if re.search(rf"\b{wanted}\b", ast.unparse(item))), None)
    if pattern == "foreign":
        return next((call.func for call in _foreign(calls, nodes)), None)
    if pattern:
        parts = Parts(parts, first=next(iter(re.findall(r"'(\w+)'", parts.given)), ""))
        pattern = re.sub(r"@(\w+)", lambda part: re.escape(str(parts[part[1]])), pattern)
        expression = re.compile(pattern if "\\(" in pattern else rf"(?:{pattern})(?:\(|$)")
        texts: list[tuple[Any, str]] = [
            (call, f"{ast.unparse(call.func)}({','.join([f'{key.arg}=' for key in call.keywords])}") for call in calls
        ]
        texts += [(node, ast.unparse(node)) for node in nodes if isinstance(node, ast.Attribute)]
        if raising := [item for item, written in texts if expression.match(written)]:
            return max(raising, key=lambda item: (isinstance(item, ast.Call), item.lineno))
    base = re.sub(r"(_\d+)?$", "", parts.layer).replace("_", "")
    of_type = [call for call in calls if ast.unparse(call.func).rpartition(".")[2].lower() == base]
    if base and len(of_type) == 1:
        return of_type[0]
    leaf = layer.rpartition(".")[2]
    of_layer = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == leaf]
    if leaf and not leaf.isdecimal() and of_layer:
        return of_layer[-1]
    wanted = {parts[part] for part in message.row.arguments.values()}
    matching = [
        call
        for call in calls
        if wanted and message.is_of(ast.unparse(call.func).rpartition(".")[2], {})
        and wanted <= {each.value for each in walk(call) if isinstance(each, ast.Constant)}
    ]  # fmt: skip
    return matching[0] if len(matching) == 1 else None


_FOREIGN = frozenset(
    ["tensorflow", "numpy", "keras.backend", "tensorflow.keras.backend", "tensorflow.python.keras.backend"]
)


def _foreign(calls: Sequence[ast.Call], nodes: Sequence[ast.AST]) -> Iterator[ast.Call]:
    """Yield the calls of functions of TensorFlow, NumPy and the backend on what has a name, and of functions that the
    code neither defines nor imports."""
    modules, known = {"tf": "tensorflow", "K": "keras.backend", "np": "numpy"}, set(dir(builtins))
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            base = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            modules |= {name.asname or name.name: f"{base}{name.name}" for name in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            known.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            known.add(node.id)
    ends = [call.lineno for call in calls if re.fullmatch(r"(\w+\.)*Model", ast.unparse(call.func))]
    for other in sorted(calls, key=lambda call: call.lineno):
        root, _, rest = ast.unparse(other.func).partition(".")
        path = f"{modules.get(root, root)}.{rest}".rstrip(".")
        owner, _, function = path.rpartition(".")
        is_free = not rest and root not in known and root not in modules and function.islower()
        on_names = any(isinstance(each, ast.Name) for arg in other.args for each in walk(arg))
        is_foreign = is_free or any(owner == each or owner.startswith(f"{each}.") for each in _FOREIGN)
        is_layer = ".keras." in f".{owner}.".replace(".keras.backend", "")
        if (
            on_names
            and function.islower()
            and is_foreign
            and not is_layer
            and other.lineno <= max(ends, default=other.lineno)
        ):
            yield other


def _quoted_line(text: str, tree: ast.Module) -> int:
    """Return the line of the code that a traceback quotes last; 0 where it quotes none."""
    lines = text.split("\n")
    code: dict[str, int] = {}
    for node in walk(tree):
        if isinstance(node, ast.stmt) and 0 < node.lineno <= len(lines):
            code[lines[node.lineno - 1].strip()] = node.lineno
    quoted = [code.get((match[1] or match[2] or "").strip(), 0) for match in _QUOTED.finditer(text)]
    return next((line for line in reversed(quoted) if line), 0)


def model_of_error(text: str, tree: ast.Module | None, error: LayerExplainError) -> Model | None:
    """Return a model without layers whose fault is what a pasted error says that stands without the code of a model;
    None for one that is not known. `tree` is the code beside it, None for what is no code; `error` is why there is no
    model."""
    message = message_of(text)
    if tree is None:
        tree = ast.Module([ast.Pass()] if message is None else [], [])
    if message is None and not tree.body and ERROR.search(text):
        raise SourceError("is an error whose words are not known here; paste it with the code that makes the model")
    if message is None:
        return None
    fault = pasted_fault(text, tree, {}, of_shapes=True) or error
    framework = "torch" if message.row in TORCH else "keras"
    notes = (Note("no-model", None, str(error)),) if tree.body else ()
    return Model(
        "error",
        "Functional",
        (),
        (),
        (),
        (),
        format="code",
        framework=framework,
        faults=(fault,),
        notes=notes,
        grade="open",
    )


# Stated shapes ------------------------------------------------------------------------------------------------------
# Shapes of data that a text states beside its code: in prose, comments, what print() gave, and columns by name.

_SHAPE = r"(?:torch\.Size\()?(?:TensorShape\()?[\[(](\d+(?:\s*,\s*\d+)+,?|\d+,)\s*[\])]"
_VERBS = r"(?:is|are|was|gives|returns|prints|has|have|with|of|shape|dimensions?|size)"
_SAYS = (
    rf"{{0}}(?:['’]s)?(?:\.shape\b)?(?: (?:[\w ]{{{{0,40}}}} )?{_VERBS}\b[\w :=]{{{{0,30}}}}?|[ ]*(?:[:→]|->)+[ ]*)",
    r"{0}\.shape[ ]*==?[ ]*",
    r"{0}\.shape\)?[ \t]*(?:#[^\n(\[]*|\n(?:>>> |Out\[\d+\]: |# *)?)",
    r"^[ \t]*{0} *= *[^#\n]*#[^\n(\[]*",
)
"""How a text gives a name a shape: in words, as what print() gave, in a comment behind an assignment."""
_MOST_NAMES = 200


def column_counts(tree: ast.Module) -> dict[str, tuple[int | None, ...]]:
    """Return the shapes of what a program takes out of a table by its columns.

    >>> column_counts(ast.parse("X, y = 1, 2; X = df[['a', 'b']].values; y = data[:, 8]; Z = data[:, 0:8]"))
    {'X': (None, 2), 'y': (None,), 'Z': (None, 8)}
    """
    counts: dict[str, tuple[int | None, ...]] = {}
    for node in walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value: ast.AST = node.value
            while isinstance(value, ast.Attribute | ast.Call):  # .values, .to_numpy(), .astype(float)
                value = value.func if isinstance(value, ast.Call) else value.value
            if isinstance(value, ast.Subscript) and (columns := _columns(value.slice)) is not None:
                counts[node.targets[0].id] = columns
    return counts


def _columns(key: ast.expr) -> tuple[int | None, ...] | None:
    """Return the shape of the columns that a key takes; None where it does not say how many."""
    match key:
        case ast.List(elts=names) if names and all(isinstance(name, ast.Constant) for name in names):
            return None, len(names)
        case ast.Tuple(elts=[ast.Slice(lower=None, upper=None), ast.Constant(value=int())]):
            return (None,)
        case ast.Tuple(
            elts=[ast.Slice(lower=None, upper=None), ast.Slice(upper=ast.Constant(value=int(end)), step=None) as at]
        ):
            start = 0 if at.lower is None else at.lower.value if isinstance(at.lower, ast.Constant) else None
            return (None, end - start) if isinstance(start, int) and 0 <= start < end else None
    return None


def _with_values(node: ast.AST) -> list[str]:
    """Return the names that a node gives a value which stands in the code: a literal, or the default of a parameter."""
    if isinstance(node, ast.arguments):
        own = [*node.posonlyargs, *node.args]
        return [parameter.arg for parameter in (*own[len(own) - len(node.defaults) :], *node.kwonlyargs)]
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Tuple | ast.List):
        return [child.id for child in walk(*node.targets) if isinstance(child, ast.Name)]
    return []


def stated_shapes(text: str, tree: ast.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes that a text states for names of its code.

    >>> code = "model.fit(trainX, y)"
    >>> stated_shapes("My trainX is a [650,20,1] vector\\n" + code, ast.parse(code))
    {'trainX': (650, 20, 1)}
    """
    nodes = walk(tree)
    known = {name for node in nodes for name in _with_values(node)}
    names = [
        name for name in dict.fromkeys([node.id for node in nodes if isinstance(node, ast.Name)]) if name not in known
    ]
    shapes: dict[str, tuple[int, ...]] = {}
    for name in names[:_MOST_NAMES]:
        for says in _SAYS:
            expression = rf"(?<![\w.])(?:{says.format(re.escape(name))}){_SHAPE}"
            if match := re.search(expression, text, re.MULTILINE):
                shapes[name] = tuple([int(item) for item in re.findall(r"\d+", match[1])])
                break
    return shapes
