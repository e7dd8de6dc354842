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
    methods = [item for item in tree.body if isinstance(item, ast.FunctionDef) and _name(item) not in read]
    own = [item for item in methods if [argument.arg for argument in item.args.args[:1]] == ["self"]]
    loose = [item for item in tree.body if _is_attribute(item) or item in own]
    if not any(_is_attribute(item) or _name(item) in (*_BASES, "__init__") for item in loose):
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


def _is_attribute(statement: ast.stmt) -> bool:
    """Return whether a statement makes an attribute of `self`, or calls the constructor of its base."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return isinstance(statement.value.func, ast.Attribute) and statement.value.func.attr == "__init__"
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return bool(targets) and all(_is_of_self(target) for target in targets)


def _is_of_self(target: ast.expr) -> bool:
    """Return whether a target is `self.fc`, `self.fc.weight` or `self.parts[0]`, or several of them."""
    if isinstance(target, ast.Tuple):
        return all(map(_is_of_self, target.elts))
    outer = target
    while isinstance(outer, ast.Attribute | ast.Subscript):
        outer = outer.value
    return outer is not target and isinstance(outer, ast.Name) and outer.id == "self"


def _init(cls: ast.ClassDef) -> ast.FunctionDef | None:
    methods = [statement for statement in cls.body if isinstance(statement, ast.FunctionDef)]
    return next((method for method in methods if method.name == "__init__"), None)


def _lacks(cls: ast.ClassDef, statement: ast.stmt) -> bool:
    """Return whether a statement may be a part of a class: a method that it lacks, or a line of its constructor where
    what computes does not stand there yet."""
    if isinstance(statement, ast.FunctionDef):
        return all(_name(other) != statement.name or _is_bare(other) for other in cls.body)
    init = _init(cls)
    if init is None or (isinstance(statement, ast.Expr) and not (_is_bare(init) and len(init.body) == 1)):
        return False
    return _is_bare(init) or not any(_name(item) in _BASES for item in cls.body)


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
    calls = [[node for node in walk(statement) if _is_call_of(node, modules)] for statement in tree.body]
    places = [at for at, call in enumerate(calls) if call]
    called = dict.fromkeys([node.func.id for call in calls for node in call])  # type: ignore[attr-defined]
    if len(called) < 2 or any(isinstance(statement, ast.ClassDef | ast.FunctionDef) for statement in tree.body):
        return None
    end = max([at for at, statement in enumerate(tree.body) if at <= places[-1] or _goes_on(statement)]) + 1
    before, inner = tree.body[: places[0]], tree.body[places[0] : end]
    data = {*data, *[name for statement in before if _is_of_torch(statement) for name in _names(statement, ast.Store)]}
    last = inner[-1]
    result = _result(last)
    body = [statement for statement in inner if isinstance(statement, ast.Assign)]
    if result is None or len(body) < len([statement for statement in inner if not isinstance(statement, ast.Expr)]):
        return None
    if len(
        {*(stored := [name for statement in tree.body for name in _names(statement, ast.Store) if name in modules])}
    ) < len(stored):
        return None
    inputs: dict[str, None] = {}
    bound: set[str] = set()
    unread: set[str] = set()
    kept: list[ast.stmt] = []
    for statement in (*body, ast.Expr(result)):
        read = _names(statement, ast.Load)
        if not bound.union(data).intersection(read):  # it makes modules or data
            before = [*before, statement]
            continue
        inputs |= dict.fromkeys([name for name in read if name in data and name not in bound])
        if unread and unread.isdisjoint(read):
            return None
        unread = {*_names(statement, ast.Store)}
        bound |= unread
        kept.append(statement)
    if not inputs or not kept or statement is not kept[-1]:  # the result is not computed from the data
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
    return [child.id for child in walk(node) if isinstance(child, ast.Name) and isinstance(child.ctx, context)]


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
            calls = [number for number, program in enumerate(programs) if _calls_method(program, method)]
            at = calls[-1] if calls else at
    inside = {line for statement in programs[at] for line in _lines(statement)}
    dropped = {line for statement in tree.body for line in _lines(statement)} - inside
    return dropped, [line for number, line in enumerate(starts) if number != at]


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *[decorator.lineno for decorator in decorators]])


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
    known = {ast.dump(node) for node in walk(*before) if isinstance(node, ast.stmt)}
    return all(ast.dump(statement) in known for statement in block)


def _stored(statement: ast.stmt) -> list[str]:
    """Return what a statement gives a value: names, `self.fc`, and the name of a class or a function."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    each = [
        part for target in targets for part in (target.elts if isinstance(target, ast.Tuple | ast.List) else [target])
    ]
    return [ast.unparse(node) for node in each if isinstance(node, ast.Name) or _is_of_self(node)]


def _new_names(statements: Sequence[ast.stmt]) -> set[str]:
    """Return the names of classes and functions, and of what constructors make."""
    new_names = set[str]()
    for statement in statements:
        function = (
            statement.value.func
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
            else None
        )
        name = ast.unparse(function).rpartition(".")[2] if isinstance(function, ast.Name | ast.Attribute) else ""
        if isinstance(statement, ast.ClassDef | ast.FunctionDef) or (
            name[:1].isupper() and not _MAKES_OTHERS.search(name)
        ):
            new_names.update(_stored(statement))
    return new_names


def _made_again(before: Sequence[ast.stmt], block: Sequence[ast.stmt]) -> set[str]:
    """Return the names of what a block makes that the program before it has made already, and of Sequential models
    that it begins anew, with a layer that says the shape of their input."""
    added = [_added(statement) for statement in before]
    begun = [(name, layer) for statement in block for name, layer in [_added(statement)] if name]
    first = dict(reversed(begun))
    again = {name for name, layer in first.items() if layer and any(name == known for known, _ in added)}
    return again | (_new_names(before) & _new_names(block))


def _added(statement: ast.stmt) -> tuple[str, bool]:
    """Return the name of a model that a statement adds a layer to, and whether that says the shape of its input."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "add":
        return "", False
    layer = call.args[0] if call.args else None
    names = {keyword.arg for keyword in layer.keywords} if isinstance(layer, ast.Call) else set()
    return ast.unparse(call.func.value), not _INPUT_SHAPES.isdisjoint(names)


def _independent(statements: Sequence[ast.stmt], names: Collection[str]) -> list[ast.stmt]:
    """Return the statements that do not use these names, and what makes those of them that are used on."""
    gone, result = {*names}, list[ast.stmt]()
    for statement in statements:
        stored = _stored(statement)
        if isinstance(statement, ast.Import | ast.ImportFrom):
            result.append(statement)
        elif stored and gone.issuperset(stored):
            value = statement.value if isinstance(statement, ast.Assign) else None
            if isinstance(value, ast.Call) and not (value.args or value.keywords):
                result.append(statement)  # `model = Sequential()`, to which both programs may add
        elif isinstance(statement, ast.ClassDef | ast.FunctionDef) or gone.isdisjoint(
            [ast.unparse(each) for each in walk(statement) if isinstance(each, ast.Name | ast.Attribute)]
        ):
            result.append(statement)
        else:
            gone.update(stored)
    return result


def _calls_method(statements: Sequence[ast.stmt], name: str) -> bool:
    calls = [node.func for node in walk(*statements) if isinstance(node, ast.Call)]
    return any(isinstance(call, ast.Attribute) and call.attr == name for call in calls)
