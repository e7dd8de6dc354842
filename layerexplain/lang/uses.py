"""Which names a text of the formula language uses, and where: what can be said of it before shapes are known."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.settings import is_key
from layerexplain.lang.syntax import assigned_names, ast, parts_of
from layerexplain.records import NamedTuple


class Uses(NamedTuple):
    """The names of a text, each with the first line that has it.

    `called` are functions; `tensors` stand where a tensor or a number for all elements does; `values` in keyword
    arguments and slices; `conditions` decide between expressions; `assigned` are given a value, in their order;
    `defined` are the text's own functions. Names that are local to a `def` or a loop variable are left out.

    >>> from layerexplain.lang.syntax import checked_tree
    >>> uses(checked_tree("z = dot(x, W)\\ny = reshape(z, shape=(n, k))"))
    Uses(called={'dot': 1, 'reshape': 2}, tensors={'x': 1, 'W': 1, 'z': 2}, values={'n': 2, 'k': 2}, conditions={}, assigned={'z': 1, 'y': 2}, defined={})
    """  # noqa: E501

    called: dict[str, int]
    tensors: dict[str, int]
    values: dict[str, int]
    conditions: dict[str, int]
    assigned: dict[str, int]
    defined: dict[str, int]


def uses(tree: Any) -> Uses:
    """Return the names that a checked syntax tree uses (`lang.syntax.checked_tree`, `checked_expression`)."""
    found = Uses({}, {}, {}, {}, {}, {})
    pending: list[tuple[Any, dict[str, int], frozenset[str]]] = [(tree, found.tensors, frozenset())]
    while pending:
        node, kind, local = pending.pop()
        inside: list[tuple[Any, dict[str, int]]] = []
        if isinstance(node, ast.Name):
            where = found.assigned if isinstance(node.ctx, ast.Store) else kind
            if node.id not in local:
                where.setdefault(node.id, node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id not in local:
                found.called.setdefault(node.func.id, node.lineno)
            inside = [*[(a, kind) for a in node.args], *[(k.value, found.values) for k in node.keywords]]
        elif isinstance(node, ast.Subscript):
            base = found.assigned if isinstance(node.ctx, ast.Store) else kind
            if isinstance(node.ctx, ast.Store):
                base.setdefault(getattr(node.value, "id", ""), node.lineno)
            else:
                inside = [(node.value, kind)]
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            is_slice = isinstance(node.slice, ast.Tuple) or is_key(node.slice)
            inside += [(part, found.values if is_slice else kind) for part in parts]
        elif isinstance(node, ast.IfExp):
            inside = [(node.test, found.conditions), (node.body, kind), (node.orelse, kind)]
        elif isinstance(node, ast.For):
            local |= {getattr(node.target, "id", "")}
            inside = [(part, kind) for part in (*getattr(node.iter, "args", ()), *node.body)]
        elif isinstance(node, ast.FunctionDef):
            found.defined.setdefault(node.name, node.lineno)
            # It uses its parameters alone; of what it uses besides, only the functions are the text's.
            alone = Uses(found.called, {}, found.values, found.conditions, {}, {})
            names, collected = assigned_names(node.body)
            own = {*names, *collected, *[parameter.arg for parameter in node.args.args]}
            pending += [(part, alone.tensors, local | own) for part in node.body]
        elif isinstance(node, ast.Assign):
            inside = [(node.value, kind), *[(target, kind) for target in node.targets]]
        else:
            inside = [(child, kind) for child in parts_of(node)]
        pending += [(child, of, local) for child, of in reversed(inside)]
    return found
