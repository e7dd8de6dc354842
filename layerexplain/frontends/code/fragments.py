"""Parts of a class that are pasted without its head → the class: methods with `self`, and assignments to `self.fc`."""

from __future__ import annotations

import ast

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
    """Return a class of PyTorch or Keras with a constructor that calls that of its base."""
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
