"""Layers of a spec that stand in several models or inside other layers: `reuse: /encoder/dense`."""

from __future__ import annotations

from layerexplain.attribute_path import Steps, step_text
from layerexplain.frontends.spec.yaml_nodes import SpecFaults, YamlNode
from layerexplain.model import Layer, SharedObject
from layerexplain.suggest import did_you_mean


class Objects:
    """The layers of a spec as they are made, at any depth, by the paths that notes show (`encoder/td.layer`), and which
    of them are used again in another model or inside another layer."""

    def __init__(self) -> None:
        self._placed: list[tuple[Steps, Layer]] = []
        self._known: dict[str, tuple[Steps, Layer]] = {}
        self.shared: list[SharedObject] = []

    def add(self, path: Steps, layer: Layer) -> None:
        """Enter a layer."""
        self._placed.append((path, layer))

    def _by_path(self) -> dict[str, tuple[Steps, Layer]]:
        for path, layer in self._placed:
            self._known.setdefault(f"/{step_text(path)}", (path, layer))
        self._placed.clear()
        return self._known

    def find(self, node: YamlNode, faults: SpecFaults) -> Layer | None:
        """Return the layer that `reuse: /…` names; None, with a fault, where there is none."""
        known = self._by_path()
        found = known.get(str(node.value))
        if found is not None:
            return found[1]._replace(line=node.line)
        hint = did_you_mean(str(node.value), known) or "write a path from the top, like /encoder/dense"
        faults.add(f"`reuse: {node.value}` names no layer before it; {hint}", node.line)
        return None

    def share(self, node: YamlNode, path: Steps) -> None:
        """Note that what stands at a path is the layer that `reuse: /…` names."""
        self.shared.append(SharedObject(path, (self._known[str(node.value)][0],)))


def is_path(node: YamlNode) -> bool:
    """Return whether `reuse` names a layer of another model or inside a layer, by a path from the top."""
    return isinstance(node.value, str) and node.value.startswith("/")
