"""The weights of layers without a formula, as the file stores them: opened when a first such layer is met."""

from __future__ import annotations

from layerexplain.errors import SourceError
from layerexplain.model import Model, Note, StoredVariable
from layerexplain.network.traced import Network
from layerexplain.weights.variables import is_stored

_WITH_WEIGHTS = frozenset({"keras-archive", "h5"})

_PATIENCE = 6
"""Seconds: a summary takes no longer than ten, whatever is in the file."""


class OpaqueWeights:
    """What the file of a model stores for its layers. `notes` is filled when it was opened."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.notes: tuple[Note, ...] = ()
        self._found: dict[str, tuple[StoredVariable, ...]] | None = None
        self._inside: dict[str, Model] = {}

    def of_layer(self, path: str) -> tuple[StoredVariable, ...] | None:
        """The stored weights of a layer by the names that lead to it (`encoder/block`); None where nothing tells."""
        if self._found is None:
            self._found = self._read()
        return self._found.get(path)

    def open(self) -> None:
        """Holds what is stored against what is derived, whether or not a layer has no formula."""
        if self._found is None:
            self._found = self._read()

    def inside(self, path: str) -> Model | None:
        """The layers that the file's weights tell of inside a layer, as a model without a graph; None where they tell
        of none."""
        if self._found is None:
            self._found = self._read()
        return self._inside.get(path)

    def _read(self) -> dict[str, tuple[StoredVariable, ...]]:
        model = self.network.model
        if model.format not in _WITH_WEIGHTS or model.source.startswith("<"):
            return {}
        from layerexplain.frontends.keras.weight_files import open_weights
        from layerexplain.frontends.keras.weight_tree import WeightTree
        from layerexplain.network.unbuilt import unbuilt_layers, unbuilt_note
        from layerexplain.weights.match import match, weight_name

        found: dict[str, list[StoredVariable]] = {}
        try:
            with open_weights(model.source, patience=_PATIENCE) as stored:
                if stored is None:
                    return {}
                if stored.notes and not stored.tensors:
                    self.notes = tuple(stored.notes)
                    return {}
                matched = match(self.network, stored)
                tree = WeightTree(stored) if stored.layout == "classes" else None
                # A file that was saved without any weights is not one of which some are missing.
                self.notes = (*stored.notes, *(matched.notes if stored.tensors else ()))
                opaque = {place.path for place in matched.opaque}
                for place in matched.opaque:
                    where = "/".join(place.path)
                    found[where] = []
                    if tree is not None and place.group is not None and tree.is_nested(place.group):
                        name, type_ = place.layer.name, place.layer.type
                        self._inside[where] = Model(name, type_, tree.layers(place.group), (), (), ())
                for slot in matched.slots:
                    if slot.weight is None and slot.tensor is not None:
                        trainable = False if slot.place.frozen else None
                        variable = StoredVariable(weight_name(slot), slot.tensor.shape, slot.tensor.dtype, trainable)
                        # The layers that its weights tell of count as the layer that they are in.
                        above = [slot.place.path[:n] for n in range(1, len(slot.place.path))]
                        owner = next((names for names in above if names in opaque), slot.place.path)
                        found.setdefault("/".join(owner), []).append(variable)
                stored_rows = {"/".join(place.path) for place in matched.opaque if is_stored(place.layer)}
                for path in unbuilt_layers(matched):
                    del found[path]
                    self.notes += (unbuilt_note(path),)
                told = [path for path, variables in found.items() if variables and path not in stored_rows]
                words = "its weights are counted as the file stores them"
                self.notes += tuple([Note("stored-weights", path, words) for path in told])
        except SourceError as error:
            self.notes = (Note("weights-unreadable", None, f"its stored weights are not told: it {error.fact}"),)
            return {}
        return {path: tuple(variables) for path, variables in found.items()}
