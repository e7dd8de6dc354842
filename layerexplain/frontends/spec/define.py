"""`define:` in a spec or in a file of its own → declarations of custom layers, each a formula (docs/spec.md).

    define:
      Gate:
        arguments: {units: required, scale: 1.0}
        weights:
          W: [inputs, units]
          b: [units]
        formula: |
          z = dot(x, W) + b
          y = x * sigmoid(scale * z)

All that can be said before shapes are known is checked here: names, axes, what is not used, circles.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.errors import ArgumentError, FormulaError, did_you_mean, raise_any
from layerexplain.frontends.spec.define_checks import faults_of_names, refuse_circles
from layerexplain.frontends.spec.items import MODEL_TYPES, Maker, computed_names, inner_layer, words_for
from layerexplain.frontends.spec.yaml_nodes import OF_ITEMS, SpecFaults, YamlNode, parse_yaml, to_python
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.names import Uses, uses
from layerexplain.lang.parse import callable_op
from layerexplain.lang.syntax import checked_expression, checked_tree
from layerexplain.layers import arguments as kinds
from layerexplain.layers.arguments import GIVEN, Argument, argument_of
from layerexplain.layers.declaration import COMMON, Declaration, snake_case
from layerexplain.layers.formula_layer import REST, Computed, FormulaLayer, OwnWeight
from layerexplain.layers.registry import find
from layerexplain.layers.signature import Signature
from layerexplain.model import Layer
from layerexplain.ops import load_all

MOST_DEFINED = 1_000
"""How many custom layers a file defines."""

_KEYS = ("about", "gist", "arguments", "inputs", "sizes", "weights", "layers", "formula", "results", "mask", "cache")
_WEIGHT_KEYS = ("axes", "name", "trainable", "dtype", "at", "when", "positive")
_RESERVED = frozenset({"n", "steps", *GIVEN, *COMMON, *OF_ITEMS})
_LISTED = {"results": "the results", "cache": "tensors"}
_NAMED = {"results": "result", "cache": "name in `cache`"}
_CLASS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\Z")
_FIELD = re.compile(r"\{(\w+)\}")


def read_definitions(data: bytes, source: str) -> dict[str, Declaration]:
    """Return the custom layers that a file defines. Raises SpecError for one fault, an ErrorGroup for several."""
    faults = SpecFaults()
    root = parse_yaml(data, faults)
    keys = {str(key.value): value for key, value in root.value} if root.kind == "mapping" else {}
    if "define" not in keys:
        faults.add("has no `define:`, which lists custom layers", root.line)
    else:
        results = read_define(keys["define"], faults, {}, source)
    raise_any(faults.found())
    return results


def read_define(
    node: YamlNode, faults: SpecFaults, known: Mapping[str, Declaration], source: str
) -> dict[str, Declaration]:
    """Return the custom layers below `define:`; those with faults are among them, so that the rest can be read.

    `known` are custom layers that come from elsewhere; `source` is the file, "" where messages name it anyway.
    """
    load_all()
    own: ChainMap[str, Declaration] = ChainMap({}, known)  # type: ignore[arg-type]  # only the first is written
    layers: dict[str, FormulaLayer] = {}
    lines: dict[str, int] = {}
    for key, _ in _mapping(node, "`define`", faults):
        name = str(key.value)
        if not _CLASS.match(name) or "__" in name or name in MODEL_TYPES or name == "InputLayer":
            faults.add(f"'{name}' cannot be the name of a custom layer; a class name is needed, like Gate", key.line)
        elif len(layers) >= MOST_DEFINED:
            faults.add(f"more than {MOST_DEFINED:,} custom layers; a file has at most as many", key.line)
            break
        else:
            own[name] = Declaration(name, lambda *_: None, Signature())  # until all are known
            lines[name] = key.line
            layers[name] = FormulaLayer(name, "")
    for key, value in node.value if node.kind == "mapping" else ():
        name = str(key.value)
        if name in layers and not faults.many:
            reader = _Reader(name, value, faults, own, source)
            layers[name] = reader.layer()
            own[name] = layers[name].declaration()
    refuse_circles(layers, lines, faults)
    return {name: own[name] for name in layers}


class _Reader:
    """Reads one own layer."""

    def __init__(
        self, name: str, node: YamlNode, faults: SpecFaults, own: Mapping[str, Declaration], source: str
    ) -> None:
        self.name = name
        self.faults = faults
        self.own = own
        self.source = source
        if node.kind == "scalar" and isinstance(node.value, str):
            node = YamlNode("mapping", [(YamlNode("scalar", "formula", node.line), node)], node.line)
        self.node = node
        self.parts = {str(key.value): value for key, value in _mapping(node, name, faults)}
        for key, _ in node.value if node.kind == "mapping" else ():
            if key.value not in _KEYS:
                hint = did_you_mean(str(key.value), _KEYS) or f"a custom layer has {', '.join(_KEYS)}"
                self.fault(f"unknown key '{key.value}'; {hint}", key.line)
        self.lines: dict[str, int] = {}
        """The names of the layer, each with its line."""
        self.sized: dict[str, int] = {}
        """The names that sizes use."""
        self.passed: dict[str, Argument] = {}
        """The names that are handed on as they are, each with the argument of a held layer that it becomes."""

    def fault(self, fact: str, line: int) -> None:
        self.faults.add(f"{self.name}: {fact}", line)

    def layer(self) -> FormulaLayer:
        """Return the custom layer; what is at fault is left out."""
        text, used = self._formula()
        given = dict(self._named("arguments"))
        tensors, optional = self._tensors()
        axes = [axis for each in tensors.values() for axis in each or () if axis != REST and not axis.isdecimal()]
        for axis in axes:
            self.lines.setdefault(axis, self.node.line)
        self.lines.setdefault("inputs", self.node.line)
        sizes: dict[str, str] = {}
        for name, value in self._named("sizes"):
            sizes[name] = self._size(value, f"the size '{name}'")
        weights = tuple(filter(None, [self._weight(name, value) for name, value in self._named("weights")]))
        nodes = dict(self._named("layers"))
        layers = {name: layer for name, value in nodes.items() if (layer := self._inner_layer(name, value)) is not None}
        arguments = {name: self._argument(name, value, used) for name, value in given.items()}
        names = {*arguments, *tensors, *[w.symbol for w in weights], *layers, *sizes, *axes, "inputs"}
        if used is not None:
            node = self.parts["formula"]
            first = node.line - (not node.below)
            for fact, line in faults_of_names(used, first, names, self.lines, layers, tensors, weights, self.sized):
                self.fault(fact, line)
        results = self._results(used)
        cache = self._assigned("cache", used) if "cache" in self.parts else ()
        reads = frozenset({"training"} if layers else ())
        if used is not None:
            reads |= {name for name in ("mask", "training") if name in {*used.tensors, *used.values, *used.conditions}}
        return FormulaLayer(
            self.name,
            text,
            arguments,
            tensors,
            optional,
            sizes,
            weights,
            layers,
            results,
            self._passes_mask(),
            reads,
            self._about(names),
            self._place,
            lambda type_: self.own.get(type_) or find(type_),
            _example(arguments, tensors),
            cache,
            self._gist(given),
        )

    def _place(self, line: int | None) -> str:
        """Return what a message calls a line of the formula."""
        node = self.parts.get("formula", self.node)
        number = node.line + (line or 1) - (not node.below)
        return f"{self.source}:{number}" if self.source else f"line {number}"

    # Parts --------------------------------------------------------------------------------------------------------

    def _formula(self) -> tuple[str, Uses | None]:
        node = self.parts.get("formula")
        if node is None or not isinstance(node.value, str) or not node.value.strip():
            got = "no `formula:`" if node is None else f"a `formula` that is {words_for(node)}"
            self.fault(f"{got}; a custom layer needs one, like `formula: y = relu(x)`", (node or self.node).line)
            return "", None
        try:
            return node.value, uses(checked_tree(node.value, choices=True))
        except FormulaError as error:
            self.fault(error.fact, node.line + (error.line or 1) - (not node.below))
            return "", None

    def _named(self, part: str) -> Iterator[tuple[str, YamlNode]]:
        """Yield the entries of a mapping of names. Each name is the layer's only thing of that name."""
        node = self.parts.get(part)
        if node is None or (node.kind == "scalar" and node.value is None):
            return
        for key, value in _mapping(node, f"{self.name}: `{part}`", self.faults):
            name = str(key.value)
            if not name.isidentifier() or "__" in name:
                self.fault(f"'{name}' in `{part}` is not a name; a name has letters, digits and _", key.line)
            elif name in _RESERVED or callable_op(name) or name in COMPOSITES:
                self.lines.setdefault(name, key.line)
                self.fault(f"'{name}' in `{part}` is a reserved name; use another", key.line)
            elif name in self.lines:
                self.fault(f"'{name}' in `{part}` is a name already (line {self.lines[name]}); use another", key.line)
            else:
                self.lines[name] = key.line
                yield name, value

    def _tensors(self) -> tuple[dict[str, tuple[str, ...] | None], int]:
        """Return the tensors of the call with their axes, and how many may be left out."""
        node = self.parts.get("inputs")
        if node is None:
            self.lines.setdefault("x", self.node.line)
            return {"x": None}, 0
        if node.kind == "list":
            pairs = [(item, YamlNode("scalar", None, item.line)) for item in node.value]
            self.parts["inputs"] = YamlNode("mapping", pairs, node.line)
        tensors: dict[str, tuple[str, ...] | None] = {}
        optional = 0
        for name, value in self._named("inputs"):
            may_lack = value.kind == "mapping"
            if may_lack:
                keys = {str(key.value): item for key, item in value.value}
                if keys.keys() - {"axes", "optional"} or keys.get("optional", value).value is not True:
                    self.fault(f"the input '{name}' is a mapping; write {{axes: […], optional: true}}", value.line)
                value = keys.get("axes", YamlNode("scalar", None, value.line))
            if optional and not may_lack:
                self.fault(f"the input '{name}' comes after an optional one; write it first", value.line)
            optional += may_lack
            tensors[name] = self._axes(name, value)
        if not tensors:
            self.fault("`inputs` names no tensor; leave it out for one tensor x", node.line)
        return tensors or {"x": None}, optional

    def _axes(self, name: str, node: YamlNode) -> tuple[str, ...] | None:
        if node.kind == "scalar" and node.value is None:
            return None
        parts = node.value if node.kind == "list" else [node]
        axes: list[str] = []
        for part in parts:
            text = str(part.value)
            is_name = text.isidentifier() and text not in _RESERVED - {"steps"}
            if part.kind != "scalar" or not (is_name or text == REST or (text.isdecimal() and text != "0")):
                hint = "an axis is a name, a size, or ... for any others, without the batch"
                self.fault(
                    f"the input '{name}' has the axis {text if part.kind == 'scalar' else 'list'}; {hint}", part.line
                )
            elif text == REST and REST in axes:
                self.fault(f"the input '{name}' has ... twice; it can stand for all axes once", part.line)
            else:
                axes.append(text)
        return tuple(axes)

    def _size(self, node: YamlNode, of: str) -> str:
        """Return a size as text: a number, a name, or an expression of these; "1" in place of one that is at fault."""
        if type(node.value) is int or isinstance(node.value, str):
            try:
                used = uses(checked_expression(str(node.value)))
            except FormulaError as error:
                self.fault(f"{of} is '{str(node.value)[:60]}': {error.fact}", node.line)
                return "1"
            unknown = [name for name in used.tensors if name not in self.lines and name != "steps"]
            for name in unknown:
                known = sorted(self.lines)
                hint = did_you_mean(name, known) or f"known are {', '.join(known)}"
                fixed = f"{of} is '{node.value}', and nothing defines '{name}' (no argument, size or axis)"
                self.fault(f"{fixed}; {hint}", node.line)
            if used.called or used.values:
                self.fault(f"{of} is '{node.value}'; a size is made of numbers, names and + - * // %", node.line)
            self.sized.update(used.tensors)
            return "1" if unknown or used.called else str(node.value)
        self.fault(f"{of} is {words_for(node)}; a number, a name, or an expression like 4 * units is needed", node.line)
        return "1"

    def _weight(self, symbol: str, node: YamlNode) -> OwnWeight | None:
        given: dict[str, YamlNode] = {"axes": node}
        if node.kind == "mapping":
            given = {str(key.value): value for key, value in node.value}
            for key, _ in node.value:
                if key.value not in _WEIGHT_KEYS:
                    hint = did_you_mean(str(key.value), _WEIGHT_KEYS) or f"a weight has {', '.join(_WEIGHT_KEYS)}"
                    self.fault(f"unknown key '{key.value}' of the weight {symbol}; {hint}", key.line)
        axes = given.get("axes")
        if axes is None or (axes.kind == "scalar" and axes.value is None) or axes.kind == "mapping":
            self.fault(f"the weight {symbol} has no axes; write them, like {symbol}: [inputs, units]", node.line)
            return None
        listed = axes.value if axes.kind == "list" else [axes]
        sizes = tuple([self._size(item, f"axis {i} of the weight {symbol}") for i, item in enumerate(listed)])
        values = {key: item.value for key, item in given.items() if key in _WEIGHT_KEYS[1:]}
        for key, value in values.items():
            wanted = bool if key in ("trainable", "positive") else str
            if not isinstance(value, wanted) or given[key].kind != "scalar":
                words = "true or false" if wanted is bool else "a text"
                self.fault(
                    f"`{key}` of the weight {symbol} is {words_for(given[key])}; {words} is needed", given[key].line
                )
        values = {key: value for key, value in values.items() if type(value) in (bool, str)}
        when = values.get("when")
        if when is not None:
            values["when"] = self._condition(str(when), symbol, given["when"].line)
        return OwnWeight(symbol, sizes, **{"name": symbol, **values})

    def _condition(self, text: str, symbol: str, line: int) -> str:
        try:
            used = uses(checked_expression(text, choices=True))
        except FormulaError as error:
            self.fault(f"`when` of the weight {symbol}: {error.fact}", line)
            return ""
        for name in used.tensors:
            if name not in self.lines:
                hint = did_you_mean(name, sorted(self.lines), before="; ")
                self.fault(f"`when` of the weight {symbol} uses '{name}', which is not an argument{hint}", line)
                return ""
        return text

    def _inner_layer(self, attribute: str, node: YamlNode) -> Layer | None:
        """Return a layer that the custom layer holds in an attribute, with values that are computed in its
        configuration."""
        maker = Maker(self.faults, lambda *_: None, snake_case, [], own=self.own, names=frozenset(self.lines))
        layer = inner_layer(node, maker)
        if not isinstance(layer, Layer):
            return None
        if layer.kind == "model" or layer.type in MODEL_TYPES:
            self.fault(f"'{attribute}' is a model; a custom layer may contain layers, but no models", node.line)
            return None
        return self._computed(layer)._replace(name=attribute)

    def _computed(self, layer: Layer) -> Layer:
        """Return the layer with the values in its configuration that are computed from names."""
        declaration = self.own.get(layer.type) or find(layer.type)
        taken = declaration.arguments if declaration is not None else {}
        return layer._replace(config={key: self._value(value, taken.get(key)) for key, value in layer.config.items()})

    def _value(self, value: Any, argument: Argument | None) -> Any:
        if isinstance(value, Layer):
            return self._computed(value)
        if isinstance(value, list | tuple):
            return tuple([self._value(item, None) for item in value])
        used = computed_names(value, self.lines)
        if not used:
            return value
        if argument is not None and used == [value]:
            self.passed.setdefault(value, argument)
        else:
            self.sized.update(dict.fromkeys(used, 0))
        return Computed(value)

    def _argument(self, name: str, node: YamlNode, used: Uses | None) -> Argument:
        """Return an argument with the kind of value that its use and its default tell."""
        default = to_python(node)
        kind: Any = kinds.Anything
        is_number = default == "required" and used is not None and name in used.tensors
        if used is not None and name in used.called:
            kind, default = kinds.Activation, "linear" if default is None else default
        elif name in self.sized:
            kind = kinds.PositiveInt
        elif name not in self.passed and isinstance(default, bool):
            kind = kinds.Bool
        elif name not in self.passed and (isinstance(default, int | float) or is_number):
            kind = kinds.Numeral
        given = Argument.REQUIRED if default == "required" else default
        passed = self.passed.get(name) if kind is kinds.Anything else None
        argument = argument_of(kind, given) if passed is None else Argument(passed.check, given, passed.optional)
        if default != "required" and default is not None:
            try:
                value = argument.normal(self.name, name, default)
            except ArgumentError as error:
                self.faults.keep(error, node.line)
            else:
                argument = Argument(argument.check, value, argument.optional)
        return argument

    def _results(self, used: Uses | None) -> tuple[str, ...]:
        node = self.parts.get("results")
        if used is None:
            return ("y",)
        if node is None:
            return ("y",) if "y" in used.assigned or not used.assigned else (next(reversed(used.assigned)),)
        return self._assigned("results", used)

    def _assigned(self, part: str, used: Uses | None) -> tuple[str, ...]:
        """Return the names that a part lists, which the formula assigns."""
        node = self.parts[part]
        listed = node.value if node.kind == "list" else [node]
        names = [str(item.value) for item in listed]
        for name, item in zip(names, listed, strict=True):
            if used is not None and name not in used.assigned:
                hint = did_you_mean(name, [*used.assigned]) or f"it assigns {', '.join(used.assigned)}"
                self.fault(f"the {_NAMED[part]} '{name}' is not assigned by the formula; {hint}", item.line)
        if not names or len(set(names)) < len(names):
            self.fault(
                f"`{part}` needs the names of {'the results' if part == 'results' else 'tensors'}, each once", node.line
            )
        return tuple(names)

    def _passes_mask(self) -> bool:
        node = self.parts.get("mask")
        if node is not None and node.value not in ("pass", "stop"):
            self.fault(f"`mask` is {words_for(node)}; `pass` passes the mask on, `stop` ends it", node.line)
        return node is not None and node.value == "pass"

    def _gist(self, arguments: Mapping[str, YamlNode]) -> str:
        node = self.parts.get("gist")
        if node is None:
            return ""
        if not isinstance(node.value, str):
            self.fault(f"`gist` is {words_for(node)}; a line on what the layer computes is needed", node.line)
            return ""
        for field in _FIELD.findall(node.value):
            if field not in arguments:
                hint = did_you_mean(field, sorted(arguments)) or f"its arguments are {', '.join(sorted(arguments))}"
                self.fault(f"`gist` has the field {{{field}}}, which is not an argument; {hint}", node.line)
                return ""
        return node.value

    def _about(self, names: set[str]) -> str:
        node = self.parts.get("about")
        if node is None:
            return "A user-defined layer, given by its formula."
        if not isinstance(node.value, str):
            self.fault(f"`about` is {words_for(node)}; a sentence is needed", node.line)
            return ""
        for field in _FIELD.findall(node.value):
            if field not in names and field not in ("steps", "features", "channels"):
                hint = did_you_mean(field, sorted(names)) or f"known are {', '.join(sorted(names))}"
                self.fault(f"`about` has the field {{{field}}}, which is not defined; {hint}", node.line)
        return " ".join(node.value.split())


def _mapping(node: YamlNode, what: str, faults: SpecFaults) -> list[tuple[YamlNode, YamlNode]]:
    """Return the pairs of a mapping; none, with a fault, of anything else."""
    if node.kind == "mapping":
        return list(node.value)
    faults.add(f"{what} is {words_for(node)}; names are needed, each followed by a colon", node.line)
    return []


_EXAMPLE_SIZES = (16, 9, 12, 5)


def _example(
    arguments: Mapping[str, Argument], tensors: Mapping[str, tuple[str, ...] | None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return how the layer is shown with no model: what it needs, and shapes in which an axis has one size
    everywhere."""
    given = [f"{name}={value.check.example}" for name, value in arguments.items() if value.default is Argument.REQUIRED]
    sizes: dict[str, str] = {}
    shapes = []
    for axes in tensors.values():
        named = [axis for axis in reversed(axes or (REST, "inputs")) if axis != REST]
        for axis in named:
            known = arguments[axis].check.example if axis in arguments else str(_EXAMPLE_SIZES[len(sizes) % 4])
            sizes.setdefault(axis, axis if axis.isdecimal() else known)
        shapes.append(",".join([sizes[axis] for axis in reversed(named)]) or "1")
    return tuple(given), tuple(shapes)
