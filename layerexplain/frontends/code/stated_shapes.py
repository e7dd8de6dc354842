"""Shapes of data that a text states beside its code: in prose, comments, what print() gave, and columns by name."""

import ast
import re

from layerexplain.frontends.code.values.reading import walk

_SHAPE = r"(?:torch\.Size\()?(?:TensorShape\()?[\[(](\d+(?:\s*,\s*\d+)+,?|\d+,)\s*[\])]"
_VERBS = r"(?:is|are|has|have|with|of|shape|dimensions?|size)"
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
    found: dict[str, tuple[int | None, ...]] = {}
    for node in walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value: ast.AST = node.value
            while isinstance(value, ast.Attribute | ast.Call):  # .values, .to_numpy(), .astype(float)
                value = value.func if isinstance(value, ast.Call) else value.value
            if isinstance(value, ast.Subscript) and (columns := _columns(value.slice)) is not None:
                found[node.targets[0].id] = columns
    return found


def _columns(key: ast.expr) -> tuple[int | None, ...] | None:
    """Return the shape of the columns that a key takes; None where it does not say how many."""
    match key:
        case ast.List(elts=names) if names and all(isinstance(one, ast.Constant) for one in names):
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
        return [one.arg for one in (*own[len(own) - len(node.defaults) :], *node.kwonlyargs)]
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Tuple | ast.List):
        return [one.id for one in walk(*node.targets) if isinstance(one, ast.Name)]
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
        name for name in dict.fromkeys([one.id for one in nodes if isinstance(one, ast.Name)]) if name not in known
    ]
    found: dict[str, tuple[int, ...]] = {}
    for name in names[:_MOST_NAMES]:
        for says in _SAYS:
            expression = rf"(?<![\w.])(?:{says.format(re.escape(name))}){_SHAPE}"
            if match := re.search(expression, text, re.MULTILINE):
                found[name] = tuple([int(one) for one in re.findall(r"\d+", match[1])])
                break
    return found
