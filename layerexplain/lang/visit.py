"""Which definitions a definition calls, directly, through loops and through other definitions."""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, LOOP, Expr, walk


def roots(definition: Definition) -> list[Expr]:
    """The nodes that a definition gives out: its results and their masks."""
    return [*definition.results.values(), *[m for m in definition.masks if m is not None]]


def nodes(definition: Definition) -> Iterator[Expr]:
    """All nodes of the definition's body, those of loop bodies included, called definitions not."""
    pending: list[list[Expr]] = [definition.order]
    while pending:
        for node in pending.pop():
            yield node
            if node.op is LOOP:
                body = node.attrs["body"]
                pending.append(walk(body.outputs, {*body.captured, *body.steps, *body.states}))


def inner_definitions(definition: Definition) -> list[Definition]:
    """All definitions that are called from this one, composites included, each once, callers before the called."""
    if not any(node.op is CALL or node.op is LOOP for node in definition.order):
        return []
    found: dict[Definition, None] = {}
    calls: dict[Definition, list[Definition]] = {}
    stack = [definition]
    while stack:
        current = stack.pop()
        if current in calls:
            continue
        called = [node for node in nodes(current) if node.op is CALL]
        called.sort(key=lambda node: node.serial)
        calls[current] = list(dict.fromkeys(node.attrs["definition"] for node in called))
        stack += calls[current]
    # Callers before the called: reversed post-order of the call graph.
    done: set[Definition] = set()
    order: list[Definition] = []
    work: list[tuple[Definition, int]] = [(definition, 0)]
    done.add(definition)
    while work:
        current, i = work.pop()
        if i < len(calls[current]):
            work.append((current, i + 1))
            inner = calls[current][i]
            if inner not in done:
                done.add(inner)
                work.append((inner, 0))
        else:
            order.append(current)
    for inner in reversed(order):
        if inner is not definition:
            found[inner] = None
    return list(found)
