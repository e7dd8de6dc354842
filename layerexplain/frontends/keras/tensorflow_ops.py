"""TensorFlowOpLayer, in which tf.keras up to TensorFlow 2.3 kept a bare operation: a NodeDef and constants.

The NodeDef is an object as protobuf's JSON form has it, the same as a text, or the wire format read as UTF-8
(TensorFlow 2.0 to 2.2). It becomes {"function": "raw_ops.<op>", "constants": {place: value}, attribute: value, …}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.errors import SourceError, SpecError

_NAMES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16"}
_LONGEST = 100_000
_MOST_CONSTANTS = 100


def raw_operation(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what the configuration of a TensorFlowOpLayer says. Raises SpecError where it holds no operation."""
    node = config.get("node_def")
    if isinstance(node, str) and len(node) <= _LONGEST:
        node = _from_json(node) if node.lstrip().startswith("{") else _from_wire(node, name)
    op = node.get("op") if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping) or not isinstance(op, str) or not op.isidentifier():
        fact = "node_def does not name a TensorFlow operation; an object with op and attr is needed"
        raise SpecError(fact, layer=name)
    attributes = node.get("attr")
    given = attributes.items() if isinstance(attributes, Mapping) else ()
    settings = {str(key): _attribute(value) for key, value in given if not str(key).startswith("_")}
    settings["function"] = f"raw_ops.{op}"
    settings["constants"] = dict(_constants(config.get("constants"), name))
    return settings


def with_constants(tensors: list[Any], constants: Mapping[int, Any]) -> list[Any]:
    """Return the arguments of an operation: its tensors, and the constants in their places."""
    arguments = list(tensors)
    for place in sorted(constants):
        arguments.insert(place, constants[place])
    return arguments


def _constants(given: Any, name: str) -> Iterator[tuple[int, Any]]:
    if given is None:
        return
    if not isinstance(given, Mapping) or len(given) > _MOST_CONSTANTS:
        raise SpecError("constants is not an object of places and values", layer=name)
    for place, value in given.items():
        if not str(place).isdecimal() or len(str(place)) > 3:
            raise SpecError(f"constants has the place {str(place)[:20]!r}; a whole number is needed", layer=name)
        if isinstance(value, Mapping):  # an array as Keras writes it: {"class_name": "__numpy__", "config": {"value"}}
            inner = value.get("config")
            value = inner.get("value") if isinstance(inner, Mapping) else value.get("value")
        yield int(place), value


def _from_json(node: str) -> Any:
    import json

    try:
        return json.loads(node)
    except (ValueError, RecursionError):
        return None


def _from_wire(node: str, name: str) -> Any:
    """Return a NodeDef (node_def.proto): 2 is the op, 5 the attributes as pairs of key and AttrValue."""
    from layerexplain.frontends.keras.tensor_bundle import fields, messages, text

    data = node.encode("utf-8", "surrogatepass")
    try:
        pairs = [dict(fields(pair)) for pair in messages(data, 5)]
        attributes = {
            text(pair.get(1)): _of_wire(content) for pair in pairs if isinstance(content := pair.get(2), memoryview)
        }
        return {"op": text(dict(fields(data)).get(2)), "attr": attributes}
    except SourceError as error:
        raise SpecError(f"node_def cannot be read: {error.fact}", layer=name) from None


def _of_wire(value: memoryview) -> Any:
    """Return an AttrValue (attr_value.proto) as JSON has it."""
    import struct

    from layerexplain.frontends.keras.tensor_bundle import DTYPES, fields, signed, text

    for number, part in fields(value):
        if number == 2:
            return {"text": text(part)}
        if number == 3:
            return {"i": str(signed(part))}
        if number == 5:
            return {"b": bool(part)}
        if number == 6 and isinstance(part, int):
            return {"type": DTYPES.get(part, "")}
        if number == 4 and isinstance(part, memoryview):
            return {"f": float(struct.unpack("<f", part)[0]) if len(part) == 4 else 0.0}
        if number == 1 and isinstance(part, memoryview):
            return {"list": {"i": _packed(part)}}
    return {}


def _packed(part: memoryview) -> list[str]:
    """Return the whole numbers of a ListValue, which stand packed in its field 3."""
    from layerexplain.frontends.keras.tensor_bundle import fields, numbers, signed

    results = [[value] if isinstance(value, int) else numbers(value) for number, value in fields(part) if number == 3]
    return [str(signed(number)) for several in results for number in several]


def _attribute(value: Any) -> Any:
    """Return an AttrValue as a plain value: {"b": true}, {"i": "3"}, {"s": base64}, {"type": "DT_INT32"}, {"list":
    {…}}."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    ((kind, content),) = value.items()
    if kind == "list" and isinstance(content, Mapping) and len(content) == 1:
        ((kind, items),) = content.items()
        return [_attribute({kind: item}) for item in items] if isinstance(items, list) else []
    if kind == "i" and str(content).lstrip("-").isdecimal() and len(str(content)) < 20:
        return int(content)
    if kind == "text" and isinstance(content, str):
        return content
    if kind == "s" and isinstance(content, str):
        import base64
        import binascii

        try:
            return base64.b64decode(content, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return None
    if kind == "type" and isinstance(content, str):
        return _NAMES.get(content, content.removeprefix("DT_").lower())
    if kind in ("b", "f") and isinstance(content, int | float):
        return content
    return None
