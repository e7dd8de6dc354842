"""The weights of layers without a formula, as the file stores them: opened when a first such layer is met."""

from __future__ import annotations

from layerexplain.errors import SourceError
from layerexplain.model import Note, StoredVariable
from layerexplain.report.traced import Network

_WITH_WEIGHTS = frozenset({"keras-archive", "h5"})

_PATIENCE = 6
"""Seconds: a summary takes no longer than ten, whatever is in the file."""


class OpaqueWeights:
    """What the file of a model stores for its layers. `notes` is filled when it was opened."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.notes: tuple[Note, ...] = ()
        self._found: dict[str, tuple[StoredVariable, ...]] | None = None

    def of_layer(self, path: str) -> tuple[StoredVariable, ...] | None:
        """The stored weights of a layer by the names that lead to it (`encoder/block`); None where nothing tells."""
        if self._found is None:
            self._found = self._read()
        return self._found.get(path)

    def _read(self) -> dict[str, tuple[StoredVariable, ...]]:
        model = self.network.model
        if model.format not in _WITH_WEIGHTS or model.source.startswith("<"):
            return {}
        from layerexplain.readers.weight_files import open_weights
        from layerexplain.report.weight_match import match, weight_name

        found: dict[str, list[StoredVariable]] = {}
        try:
            with open_weights(model.source, patience=_PATIENCE) as stored:
                if stored is None or (stored.notes and not stored.tensors):
                    return {}
                matched = match(self.network, stored)
                self.notes = (*stored.notes, *matched.notes)
                for place in matched.opaque:
                    found["/".join(place.path)] = []
                for slot in matched.slots:
                    if slot.weight is None and slot.tensor is not None:
                        trainable = False if slot.place.frozen else None
                        variable = StoredVariable(weight_name(slot), slot.tensor.shape, slot.tensor.dtype, trainable)
                        found.setdefault("/".join(slot.place.path), []).append(variable)
                told = [path for path, variables in found.items() if variables]
                words = "its weights are counted as the file stores them"
                self.notes += tuple([Note("stored-weights", path, words) for path in told])
        except SourceError as error:
            self.notes = (Note("weights-unreadable", None, f"its stored weights are not told: it {error.fact}"),)
            return {}
        return {path: tuple(variables) for path, variables in found.items()}
