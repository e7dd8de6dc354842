"""Parts of a class that are pasted without its head → the class: methods with `self`, assignments to `self.fc`; and
modules that a text calls one after the other, without any class; and which statements of a text are one program."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence

from layerexplain.frontends.code.values.reading import walk

_BASES = {"forward": "nn.Module", "call": "keras.Model"}
"""The method that computes, and the class whose method it is."""
_OF_TORCH = frozenset({"nn", "torch", "F"})


def with_classes(tree: ast.Module) -> tuple[str, ...]:
    """Put methods and assignments that stand outside of any class into one: the class before them that lacks them, or a
    new one. Return the line that says so.

    >>> tree = ast.parse("self.fc = nn.Linear(4, 3)\\ndef forward(self, x): return self.fc(x)")
    >>> with_classes(tree)
    ('the head of the class is not shown: its parts are read as class Net(nn.Module)',)
    >>> print(ast.unparse(tree.body[0]).partition(chr(10))[0])
    class Net(nn.Module):
    """
    read = {node.id for node in walk(tree) if isinstance(node, ast.Name)}
    loose = [one for one in tree.body if _is_attribute(one) or (_is_method(one) and _name(one) not in read)]
    if not any(_is_attribute(one) or _name(one) in (*_BASES, "__init__") for one in loose):
        return ()
    kept: list[ast.stmt] = []
    owner: ast.ClassDef | None = None
    head = ""
    for statement in tree.body:
        if statement not in loose:
            owner = statement if isinstance(statement, ast.ClassDef) and statement.bases else owner
            kept.append(statement)
            continue
        if owner is None or not _lacks(owner, statement):
            owner = _new_class(loose, statement)
            head = head or ast.unparse(owner).partition(":")[0]
            kept.append(owner)
        _add(owner, statement)
    tree.body = kept
    if not head:
        return ("methods that stand behind a class are read as its own",)
    return (f"the head of the class is not shown: its parts are read as {head}",)


def _name(statement: ast.stmt) -> str:
    return str(getattr(statement, "name", ""))


def _is_method(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef) and [one.arg for one in statement.args.args[:1]] == ["self"]


def _is_attribute(statement: ast.stmt) -> bool:
    """Return whether a statement makes an attribute of `self`, or calls the constructor of its base."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return isinstance(statement.value.func, ast.Attribute) and statement.value.func.attr == "__init__"
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return bool(targets) and all(_is_of_self(one) for one in targets)


def _is_of_self(target: ast.expr) -> bool:
    """Return whether a target is `self.fc`, `self.fc.weight` or `self.parts[0]`, or several of them."""
    if isinstance(target, ast.Tuple):
        return all(map(_is_of_self, target.elts))
    outer = target
    while isinstance(outer, ast.Attribute | ast.Subscript):
        outer = outer.value
    return outer is not target and isinstance(outer, ast.Name) and outer.id == "self"


def _init(cls: ast.ClassDef) -> ast.FunctionDef | None:
    return next((one for one in cls.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)


def _lacks(cls: ast.ClassDef, statement: ast.stmt) -> bool:
    """Return whether a statement may be a part of a class: a method that it lacks, or a line of its constructor where
    what computes does not stand there yet."""
    if isinstance(statement, ast.FunctionDef):
        return all(_name(one) != statement.name or _is_bare(one) for one in cls.body)
    init = _init(cls)
    if init is None or (isinstance(statement, ast.Expr) and not (_is_bare(init) and len(init.body) == 1)):
        return False
    return _is_bare(init) or not any(_name(one) in _BASES for one in cls.body)


def _is_bare(method: ast.stmt) -> bool:
    """Return whether a method is the constructor of a new class that only calls that of its base."""
    return isinstance(method, ast.FunctionDef) and method.lineno == method.body[0].lineno


def _new_class(loose: list[ast.stmt], first: ast.stmt) -> ast.ClassDef:
    """Return a new class of PyTorch or Keras, whose constructor calls `super().__init__()`."""
    nodes = walk(*loose)
    names = [
        node.args[0].id
        for node in nodes
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Name)
        if isinstance(node.func, ast.Name) and node.func.id == "super"
    ]
    is_torch = any(isinstance(node, ast.Name) and node.id in _OF_TORCH for node in nodes)
    is_torch = is_torch or "call" not in map(_name, loose)
    base = _BASES["forward" if is_torch else "call"]
    name = names[0] if names else "Net"
    cls = ast.parse(f"class {name}({base}):\n def __init__(self):\n  super().__init__()").body[0]
    for node in walk(cls):
        if hasattr(node, "lineno"):
            ast.copy_location(node, first)
    return cls  # type: ignore[return-value]


def _add(cls: ast.ClassDef, statement: ast.stmt) -> None:
    """Put a statement into a class: an assignment to `self` at the end of its constructor."""
    init = _init(cls)
    if isinstance(statement, ast.FunctionDef):
        if statement.name == "__init__" and init is not None:
            calls = [node for node in walk(*statement.body) if isinstance(node, ast.Attribute)]
            missing = [] if any(node.attr == "__init__" for node in calls) else init.body[:1]
            statement.body = [*missing, *statement.body, *init.body[1:]]
            cls.body.remove(init)
        cls.body.append(statement)
    elif init is not None and not (isinstance(statement, ast.Expr) and len(init.body) == 1):
        init.body.append(statement)


# Calls --------------------------------------------------------------------------------------------------------------
# Modules of PyTorch that a text calls one after the other, without a class around them.


def as_module(tree: ast.Module, modules: Collection[str], data: Collection[str]) -> ast.Module | None:
    """Return a program in which a class calls the modules that a program calls itself, on the data of these names; None
    where it calls fewer than two, has a class, calls modules apart from each other, or uses a name for two of them.

    >>> tree = ast.parse("a, b = nn.Linear(4, 3), nn.Linear(3, 2); x = torch.ones(5, 4); print(b(a(x)).shape)")
    >>> print(ast.unparse(as_module(tree, {"a", "b"}, {"x"}).body[2]).partition("forward")[2])
    (self, x):
            return b(a(x))
    >>> as_module(ast.parse("y = a(x)"), {"a"}, {"x"}) is None
    True
    """
    calls = [[node for node in walk(one) if _is_call_of(node, modules)] for one in tree.body]
    places = [at for at, found in enumerate(calls) if found]
    called = dict.fromkeys([node.func.id for found in calls for node in found])  # type: ignore[attr-defined]
    if len(called) < 2 or any(isinstance(one, ast.ClassDef | ast.FunctionDef) for one in tree.body):
        return None
    end = max([at for at, one in enumerate(tree.body) if at <= places[-1] or _goes_on(one)]) + 1
    before, inner = tree.body[: places[0]], tree.body[places[0] : end]
    data = {*data, *[name for one in before if _is_of_torch(one) for name in _names(one, ast.Store)]}
    last = inner[-1]
    result = _result(last)
    body = [one for one in inner if isinstance(one, ast.Assign)]
    if result is None or len(body) < len([one for one in inner if not isinstance(one, ast.Expr)]):
        return None
    if len({*(stored := [name for one in tree.body for name in _names(one, ast.Store) if name in modules])}) < len(
        stored
    ):
        return None
    inputs: dict[str, None] = {}
    bound: set[str] = set()
    unread: set[str] = set()
    kept: list[ast.stmt] = []
    for one in (*body, ast.Expr(result)):
        read = _names(one, ast.Load)
        if not bound.union(data).intersection(read):  # it makes modules or data
            before = [*before, one]
            continue
        inputs |= dict.fromkeys([name for name in read if name in data and name not in bound])
        if unread and unread.isdisjoint(read):
            return None
        unread = {*_names(one, ast.Store)}
        bound |= unread
        kept.append(one)
    if not inputs or not kept:
        return None
    parts = "".join(f"  self.{name} = {name}\n" for name in called)
    names = ", ".join(inputs)
    head = (
        f"class Calls(nn.Module):\n def __init__(self):\n  super().__init__()\n{parts} def forward(self, {names}): pass"
    )
    added = ast.parse(f"{head}\ncalls = Calls()\ncalls({names})").body
    for node in walk(*added):
        if hasattr(node, "lineno"):
            ast.copy_location(node, last)
    forward = next(node for node in walk(*added) if _name(node) == "forward")  # type: ignore[arg-type]
    forward.body = [*kept[:-1], ast.copy_location(ast.Return(result), last)]  # type: ignore[attr-defined]
    return ast.Module([*before, *added], [])


def _names(node: ast.AST, context: type[ast.expr_context]) -> list[str]:
    return [one.id for one in walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, context)]


def _is_of_torch(statement: ast.stmt) -> bool:
    """Return whether a statement assigns what a function of PyTorch gives: `x = torch.randn(2, 3)`."""
    value = statement.value if isinstance(statement, ast.Assign) else None
    function = value.func if isinstance(value, ast.Call) else None
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "torch"


def _goes_on(statement: ast.stmt) -> bool:
    """Return whether a statement computes with a tensor by a method or a function of PyTorch: `x = x.flatten(1)`."""
    value = statement.value if isinstance(statement, ast.Assign) else None
    function = value.func if isinstance(value, ast.Call) else None
    is_loss = isinstance(function, ast.Attribute) and re.search("loss|entropy|backward|item|step", function.attr)
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and not is_loss


def _is_call_of(node: ast.AST, names: Collection[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _result(last: ast.stmt) -> ast.expr | None:
    """Return what the last statement gives: the first name that it assigns, or what it prints the shape of."""
    if isinstance(last, ast.Assign):
        target = last.targets[0]
        target = target.elts[0] if isinstance(target, ast.Tuple | ast.List) and target.elts else target
        return ast.copy_location(ast.Name(target.id, ast.Load()), last) if isinstance(target, ast.Name) else None
    value: ast.expr | None = last.value if isinstance(last, ast.Expr) else None
    while value is not None:
        if isinstance(value, ast.Call) and _is_call_of(value, {"print"}) and value.args:
            value = value.args[0]
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "size":
            value = value.func.value
        elif isinstance(value, ast.Attribute) and value.attr == "shape":
            value = value.value
        else:
            return value
    return None


# Several programs ---------------------------------------------------------------------------------------------------
# A text that shows one attempt, and then another: names that both give a value are those of two programs.

_MAKES_OTHERS = re.compile(r"Loss|Entropy|Adam|SGD|RMS|Ada|Data|Token|Scal|Stopping|Checkpoint")
"""Which constructors make what is no part of a model: a second one of these may stand in the same program."""
_INPUT_SHAPES = frozenset(["input_shape", "input_dim", "batch_input_shape", "shape"])


def lines_of_others(tree: ast.Module, kept: str, written: str, error: int) -> tuple[set[int], list[int]]:
    """Return the lines of a text that are no part of the program which is meant, and where its other programs begin.

    `kept` is the text that the tree was parsed from, `written` the same with prose and the fences of Markdown. The
    program that is meant is that before the line of an `error`, else the last one that is fitted or compiled, or the
    last. A fence that repeats statements quotes them.

    >>> text = "```\\na = Input(3)\\nb = Dense(2)(a)\\n```\\nor\\n```\\na = Input(4)\\n```"
    >>> kept = text.replace("```", "").replace("or", "")
    >>> lines_of_others(ast.parse(kept), kept, text, 0), lines_of_others(ast.parse(kept), kept, text, 5)
    (({2, 3}, [2]), ({7}, [7]))
    """
    programs: list[list[ast.stmt]] = [[]]
    starts: list[int] = []
    for fenced, block in _blocks(tree, kept.split("\n"), written.split("\n")):
        before = programs[-1]
        if fenced and before and _repeats(block, before):
            continue
        again = _made_again(before, block)
        if again:
            programs.append([*_independent(before, again), *block])
        else:
            before += block
        if again or not starts:
            starts.append(_first_line(block[0]))
    at = len(starts) - 1
    if error:
        at = max([number for number, line in enumerate(starts) if line < error], default=0)
    else:
        for method in ("compile", "fit"):
            calls = [number for number, one in enumerate(programs) if _calls_method(one, method)]
            at = calls[-1] if calls else at
    inside = {line for one in programs[at] for line in _lines(one)}
    dropped = {line for one in tree.body for line in _lines(one)} - inside
    return dropped, [line for number, line in enumerate(starts) if number != at]


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *[one.lineno for one in decorators]])


def _lines(statement: ast.stmt) -> range:
    return range(_first_line(statement), (statement.end_lineno or statement.lineno) + 1)


def _blocks(tree: ast.Module, kept: Sequence[str], written: Sequence[str]) -> Iterator[tuple[bool, list[ast.stmt]]]:
    """Yield the statements that no prose stands between, and whether the fence of one of Markdown does."""
    end, block, fenced = 0, list[ast.stmt](), False
    for statement in tree.body:
        between = range(end, min(_first_line(statement) - 1, len(kept), len(written)))
        left_out = [written[at].strip() for at in between if written[at].strip() and not kept[at].strip()]
        if left_out and block:
            yield fenced, block
            block, fenced = [], any(line.startswith(("```", "~~~")) for line in left_out)
        block.append(statement)
        end = statement.end_lineno or statement.lineno
    if block:
        yield fenced, block


def _repeats(block: Sequence[ast.stmt], before: Sequence[ast.stmt]) -> bool:
    known = {ast.dump(one) for one in walk(*before) if isinstance(one, ast.stmt)}
    return all(ast.dump(one) in known for one in block)


def _stored(statement: ast.stmt) -> list[str]:
    """Return what a statement gives a value: names, `self.fc`, and the name of a class or a function."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    each = [part for one in targets for part in (one.elts if isinstance(one, ast.Tuple | ast.List) else [one])]
    return [ast.unparse(one) for one in each if isinstance(one, ast.Name) or _is_of_self(one)]


def _new_names(statements: Sequence[ast.stmt]) -> set[str]:
    """Return the names of classes and functions, and of what constructors make."""
    found = set[str]()
    for one in statements:
        function = one.value.func if isinstance(one, ast.Assign) and isinstance(one.value, ast.Call) else None
        name = ast.unparse(function).rpartition(".")[2] if isinstance(function, ast.Name | ast.Attribute) else ""
        if isinstance(one, ast.ClassDef | ast.FunctionDef) or (name[:1].isupper() and not _MAKES_OTHERS.search(name)):
            found.update(_stored(one))
    return found


def _made_again(before: Sequence[ast.stmt], block: Sequence[ast.stmt]) -> set[str]:
    """Return the names of what a block makes that the program before it has made already, and of Sequential models
    that it begins anew, with a layer that says the shape of their input."""
    added = [_added(one) for one in before]
    begun = [(name, layer) for one in block for name, layer in [_added(one)] if name]
    first = dict(reversed(begun))
    again = {name for name, layer in first.items() if layer and any(name == known for known, _ in added)}
    return again | (_new_names(before) & _new_names(block))


def _added(statement: ast.stmt) -> tuple[str, bool]:
    """Return the name of a model that a statement adds a layer to, and whether that says the shape of its input."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "add":
        return "", False
    layer = call.args[0] if call.args else None
    names = {one.arg for one in layer.keywords} if isinstance(layer, ast.Call) else set()
    return ast.unparse(call.func.value), not _INPUT_SHAPES.isdisjoint(names)


def _independent(statements: Sequence[ast.stmt], names: Collection[str]) -> list[ast.stmt]:
    """Return the statements that do not use these names, and what makes those of them that are used on."""
    gone, found = {*names}, list[ast.stmt]()
    for one in statements:
        stored = _stored(one)
        if isinstance(one, ast.Import | ast.ImportFrom):
            found.append(one)
        elif stored and gone.issuperset(stored):
            value = one.value if isinstance(one, ast.Assign) else None
            if isinstance(value, ast.Call) and not (value.args or value.keywords):
                found.append(one)  # `model = Sequential()`, to which both programs may add
        elif isinstance(one, ast.ClassDef | ast.FunctionDef) or gone.isdisjoint(
            [ast.unparse(each) for each in walk(one) if isinstance(each, ast.Name | ast.Attribute)]
        ):
            found.append(one)
        else:
            gone.update(stored)
    return found


def _calls_method(statements: Sequence[ast.stmt], name: str) -> bool:
    calls = [one.func for one in walk(*statements) if isinstance(one, ast.Call)]
    return any(isinstance(one, ast.Attribute) and one.attr == name for one in calls)
