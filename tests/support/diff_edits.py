"""A spec, edits of it with what `diff` reports of each, and files of all versions of Keras."""

BASE = """
input: [8, 8, 3]
layers:
  - Conv2D: {filters: 4, kernel_size: 3}
    name: conv
  - ReLU:
    name: act
  - MaxPooling2D: 2
    name: pool
  - Sequential: [{Flatten: {}, name: flat}, {Dense: 6, name: inner}]
    name: body
  - Dense: 10
    name: head
"""


EDITS: dict[str, tuple[tuple[str, str], list[tuple[str, str, str]], list[tuple[str, str, str, str]]]] = {
    # Name: (text replaced), changes (kind, layer, layer after), differences that are no consequences (layer, what, …).
    "nothing": (("", ""), [], []),
    "a default written out": (("kernel_size: 3", "kernel_size: [3, 3], strides: 1, padding: valid"), [], []),
    "a renamed layer": (("name: head", "name: top"), [("renamed", "head", "top")], []),
    "a changed stride": (
        ("kernel_size: 3", "kernel_size: 3, strides: 2"),
        [("changed", "conv", "conv"), ("changed", "act", "act"), ("changed", "pool", "pool"),
         ("changed", "body", "body"), ("changed", "body/input", "body/input"), ("changed", "body/flat", "body/flat"), ("changed", "body/inner", "body/inner")],
        [("conv", "strides", "1", "2")],
    ),
    "a removed layer": (("  - ReLU:\n    name: act\n", ""), [("removed", "act", "")], []),
    "another activation": (("  - ReLU:\n    name: act\n", "  - LeakyReLU:\n    name: act\n"), [("removed", "act", ""), ("added", "", "act")], []),
    "a frozen layer": (("Dense: 10", "Dense: {units: 10, trainable: false}"), [("changed", "head", "head")], [("head", "trainable", "True", "False")]),
    "a nested change": (
        ("Dense: 6", "Dense: {units: 6, activation: relu}"), [("changed", "body/inner", "body/inner")],
        [("body/inner", "activation", "'linear'", "'relu'")],
    ),
    "an added layer": (("    name: act\n", "    name: act\n  - Dropout: 0.5\n    name: drop\n"), [("added", "", "drop")], []),
    "a swapped order": (
        ("  - ReLU:\n    name: act\n  - MaxPooling2D: 2\n    name: pool\n", "  - MaxPooling2D: 2\n    name: pool\n  - ReLU:\n    name: act\n"),
        [("changed", "act", "act"), ("changed", "pool", "pool"), ("changed", "body", "body")],
        [("act", "inputs", "conv", "pool"), ("pool", "inputs", "act", "conv"), ("body", "inputs", "pool", "act")],
    ),
    "renamed and changed": (("- Dense: 10\n    name: head", "- Dense: 11\n    name: top"), [("changed", "head", "top")], [("head", "units", "10", "11")]),
}  # fmt: skip
