"""Names of layers that would do harm where they are printed unescaped."""

from typing import Any

from tests.support.keras_configs import dense, entry, graph, node, tensor

NAMES = {
    "escape": "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    "controls": "a\x00b\x08c\rd\x7fe\x85f\x9bg",
    "lines": "a\nlayerexplain: error: b c d",
    "bidi": "abc\u202edef\u2066ghi\u2069\u200f\u061c",
    "invisible": "de\u200bn\u2060s\ufeffe",
    "html": "<img src=x onerror=alert(1)><script>alert(1)</script>",
    "markdown": "[x](javascript:alert(1)) | `code` | **b** ![i](http://h/i.png)",
    "rich markup": "[bold red]x[/] [link=http://h]y[/link]",
    "formula": '=HYPERLINK("http://h","x")',
    "formula by plus": "+1+cmd|' /C calc'!A0",
    "formula by at": "@SUM(1+1)",
    "formula behind a tab": "\t=1+1",
    "formula behind spaces": "  =1+1",
    "TeX": r"\\input{secret} $x^2 #1 %&~{}_",
    "TeX by code": "^^5cinput{secret} ^^M ^^^^005cinput{secret}",
    "TeX by wide signs": "＾＾5cinput{secret}﹨input{secret}＄ x⁰⁰ᵀ 层√2",
    "one sign": "\\",
    "separators": 'a,b;"c"\td',
    "half of a pair": "\U0001f600",
    "long": "x" * 100_000,
    "a path": "../../etc/passwd",
    "a format": "{name!r:>{width}} %s %n $(touch done) `touch done`",
}


def document(name: str) -> dict[str, Any]:
    """A model in which everything that can have a name has this one."""
    custom = {
        "module": name,
        "class_name": name or "X",
        "registered_name": f"{name}>{name}",
        "name": f"{name}2",
        "config": {"name": f"{name}2", name: name, "trainable": True},
        "inbound_nodes": [node(tensor(f"{name}1"))],
    }
    act = {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}
    first = {**dense(f"{name}1"), "inbound_nodes": [node(tensor(f"{name}0"))]}
    first["config"]["activation"] = act
    layers = [entry(f"{name}0", [None, 5], "batch_shape"), first, custom]
    made = graph(layers, [[f"{name}0", 0, 0]], [[f"{name}2", 0, 0]])
    made["config"]["name"] = name
    return {**made, "keras_version": name}
