"""`sizes: {T: 50, u: 64}` of a spec: names that stand for sizes in it, each with an example."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.spec.yaml_nodes import SpecFaults, YamlNode
from layerexplain.suggest import did_you_mean

_OTHER_NAMES = frozenset({"name", "from", "reuse", "output", "outputs", "define", "mask"})
"""Keys whose values are names of layers and tensors."""


def with_named_sizes(
    root: YamlNode, values: Mapping[str, int], faults: SpecFaults
) -> tuple[YamlNode, Mapping[str, int]]:
    """Return a spec without `sizes:`, with numbers in place of the names that it declares there, and the examples of
    these names; `values` stand in place of the examples."""
    declared = (
        next((node for key, node in root.value if key.value == "sizes"), None) if root.kind == "mapping" else None
    )
    if declared is None:
        return root, {}
    examples: dict[str, int] = {}
    if declared.kind != "mapping":
        faults.add("sizes: needs names with examples, such as {T: 50, u: 64}", declared.line)
    for key, node in declared.value if declared.kind == "mapping" else ():
        if not _is_name(key.value):
            faults.add(f"sizes: '{key.value}' is no name that a size can have; write a letter or a word", key.line)
        elif type(node.value) is not int or node.value < 1:
            faults.add(f"sizes: {key.value} needs an example, an integer ≥ 1, got {node.value!r}", node.line)
        else:
            examples[key.value] = node.value
    rest = root._replace(value=[pair for pair in root.value if pair[0].value != "sizes"])
    return _filled(rest, {**examples, **values}), examples


def with_declarations(error: LayerExplainError, sizes: Collection[str]) -> LayerExplainError:
    """Return an error in which a word stands where a number is needed, with the declared name that was meant, or with
    the way to declare it."""
    needs, got, word = error.fact.partition(", got ")
    is_of_size = (got and "integer" in needs) or _IN_SHAPES in needs
    names = re.findall(r"'([^\W\d]\w*)'", word if got else needs)
    unknown = next((name for name in names if name not in sizes), None)
    if is_of_size and unknown is not None:
        hint = did_you_mean(unknown, sizes)
        fact = error.fact.partition("; ")[0] if hint else error.fact
        error.fact = f"{fact}; {hint or 'or declare a size: sizes: {' + unknown + ': 16}'}"
    return error


_IN_SHAPES = "has the size"


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)


def _filled(node: YamlNode, sizes: Mapping[str, int]) -> YamlNode:
    """Return a node with numbers in place of names."""
    if node.kind == "mapping":
        pairs = [(key, value if key.value in _OTHER_NAMES else _filled(value, sizes)) for key, value in node.value]
        return node._replace(value=pairs)
    if node.kind == "list":
        return node._replace(value=[_filled(item, sizes) for item in node.value])
    return node._replace(value=sizes[node.value]) if isinstance(node.value, str) and node.value in sizes else node
