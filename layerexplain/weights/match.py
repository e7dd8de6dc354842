"""Which stored array is which weight of which layer, by what the formats say, and what is stored beside formulas.

A file of class layout numbers the variables of each object in the order in which Keras made them; a legacy file lists
a layer's weights, trainable ones first. Where neither an order nor names fit, nothing is claimed: the layer then has
the file's arrays as they are, with a note.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice, takewhile

from layerexplain.attribute_path import Steps, expression, layer_steps, path_names
from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.keras.weight_files import WeightFile
from layerexplain.frontends.keras.weight_tensors import Groups, StoredTensor
from layerexplain.frontends.keras.weight_tree import LOOSE, WeightTree
from layerexplain.lang.axes import BATCH
from layerexplain.lang.expr import Expr
from layerexplain.layers.declaration import Spec
from layerexplain.model import Layer, Model, Note, StoredVariable
from layerexplain.network.scope import declaration_of
from layerexplain.network.trace import trace_layer
from layerexplain.network.traced import Network
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple, grouped
from layerexplain.weights.assign import FormulaWeight, assign_by_number, assign_listed
from layerexplain.weights.matched import MatchedWeight, MatchedWeights, missing_note
from layerexplain.weights.weighted_layers import GroupFinder, WeightedLayer, weighted_layers

# Match --------------------------------------------------------------------------------------------------------------


def match(network: Network, stored: WeightFile | None) -> MatchedWeights:
    """Return the weights of a traced model and what a file stores of them; without a file, what the formulas say
    alone."""
    matched = _match(network, stored)
    if not network.model.shared:
        return matched
    from layerexplain.weights.shared_weights import with_shared_arrays

    return with_shared_arrays(matched, network)


def _match(network: Network, stored: WeightFile | None) -> MatchedWeights:
    if stored is None:
        weights = [
            MatchedWeight(other, w, None, _holder(other, w))
            for other in weighted_layers(network)
            for w in other.weights
        ]
        return MatchedWeights(None, tuple(weights), (), frozenset(), ())
    if stored.layout == "paths":
        from layerexplain.weights.module_paths import match_by_path

        return match_by_path(weighted_layers(network), stored)
    matcher = _Matcher(stored)
    if stored.layout == "classes":
        for layer in weighted_layers(network, matcher.finder):
            matcher.by_class(layer)
    elif stored.parameters and all(tensor.parts[-1].startswith("param_") for tensor in stored.parameters):
        matcher.in_one_row(weighted_layers(network))
    else:
        for name, group in groupby(weighted_layers(network), key=lambda layer: layer.path[0]):
            inside = list(group)
            if name not in matcher.layers and any(layer.path[-1] in matcher.layers for layer in inside):
                # Keras 1 listed the layers of a Sequential inside another as those of the model.
                for layer in inside:
                    matcher.by_name(layer.path[-1], [layer])
            else:
                matcher.by_name(name, inside)
    return matcher.matched()


class _Matcher:
    """Gives the arrays of one file to the weights of one model."""

    def __init__(self, stored: WeightFile) -> None:
        self.stored = stored
        self.finder = GroupFinder(stored)
        self.weights: list[MatchedWeight] = []
        self.notes: list[Note] = []
        self.taken: set[str] = set()
        self.beside: set[str] = set()
        self.opaque: list[WeightedLayer] = []
        self.parameters = stored.parameters
        self.layers = grouped((tensor.layer, tensor) for tensor in self.parameters)
        self.tree: WeightTree | None = None
        self.order = sorted([(tensor.parts, number) for number, tensor in enumerate(self.parameters)])

    def matched(self) -> MatchedWeights:
        rest = tuple([tensor for tensor in self.parameters if tensor.path not in self.taken])
        beside = frozenset(self.beside)
        return MatchedWeights(self.stored, tuple(self.weights), rest, beside, tuple(self.notes), tuple(self.opaque))

    def _below(self, group: Groups) -> list[StoredTensor]:
        places = islice(self.order, bisect_left(self.order, (group,)), None)
        numbers = [number for _, number in takewhile(lambda place: place[0][: len(group)] == group, places)]
        # `order` is that of texts; the file's own has 10 behind 9.
        return [self.parameters[number] for number in sorted(numbers)]

    # Class layout -----------------------------------------------------------------------------------------------

    def by_class(self, layer: WeightedLayer) -> None:
        """Match the weights of a layer, from its group."""
        below = self._below(layer.group) if layer.group is not None else []
        if not layer.is_known:
            if layer.group is not None:
                self.opaque.append(layer)
            self._by_tree(layer, below)
            return
        by_holder: dict[Steps, list[tuple[int, FormulaWeight]]] = grouped(
            (weight.attrs["at"], (number, _wanted(weight, layer.layer))) for number, weight in enumerate(layer.weights)
        )
        numbered: dict[int, MatchedWeight] = {}
        for at, own in by_holder.items():
            weights = self._of_attribute(layer, at, [wanted for _, wanted in own])
            if weights is None:
                self._as_stored(layer, below)
                return
            numbered.update(zip([number for number, _ in own], weights, strict=True))
        self._keep(layer, [numbered[number] for number in sorted(numbered)], below)

    def _by_tree(self, layer: WeightedLayer, below: list[StoredTensor]) -> None:
        """Match what a layer without a formula stores, by the layers that its groups show inside it."""
        if layer.group is None:
            return
        self.tree = self.tree or WeightTree(self.stored)
        own = layer.layer.is_stored
        if not own and not self.tree.is_nested(layer.group):
            self._as_stored(layer, below)
            return
        start, holder = ((), ()) if own else (layer.group, layer_steps(layer.path))
        for current in self._innermost(layer) if own else self._inside(layer, self.tree.layers(layer.group)):
            if current.layer.is_unbuilt and current is not layer:
                self.opaque.append(current)
            group = current.group or ()
            if current.layer.type == LOOSE and len(current.path) > 1:
                # What an object holds beside its layers is its own.
                current = current._replace(path=current.path[:-1])
            for tensor in self.tree.tensors(current.layer, group):
                self.taken.add(tensor.path)
                name, steps = self.tree.name(tensor, group), self.tree.holder(tensor, start)
                at = None if steps is None else (*holder, *steps)
                self.weights.append(MatchedWeight(current, None, tensor, at, stored_name=name))

    def _inside(self, holder: WeightedLayer, layers: Iterable[Layer]) -> Iterator[WeightedLayer]:
        """Yield the layers in another one, those of models in their places."""
        for layer in layers:
            group = self.finder.of_layer(layer, (), None)
            yield from self._innermost(WeightedLayer((*holder.path, layer.name), layer, None, holder.frozen, group))

    def _innermost(self, layer: WeightedLayer) -> Iterator[WeightedLayer]:
        model = layer.layer.model
        return iter([layer]) if model is None else self._inside(layer, model.layers)

    def _of_attribute(self, layer: WeightedLayer, at: Steps, wanted: list[FormulaWeight]) -> list[MatchedWeight] | None:
        """Return the weights that one attribute of a layer holds; None where the arrays there do not fit."""
        where = None
        if layer.group is not None:
            where = self.finder.inside(layer.layer, layer.group, at) if at else (layer.group, ())
        stored = self.stored.direct.get(where[0], []) if where is not None else []
        at = where[1] if where is not None else at
        holder = (*layer_steps(layer.path), *at)
        chosen = assign_by_number(wanted, [tensor.shape for tensor in stored])
        if chosen is None or not self._may_stay([t for i, t in enumerate(stored) if i not in chosen], layer):
            self._note_count(layer, expression(at, "").lstrip("."), wanted, stored)
            return None
        return [_given(layer, w, i, stored, holder) for w, i in zip(wanted, chosen, strict=True)]

    def _may_stay(self, left: Sequence[StoredTensor], layer: WeightedLayer) -> bool:
        """Return whether what an object stores in addition is not a weight: a copy of another object's, or not a
        variable."""
        shapes = {tuple(weight.shape) for weight in layer.weights}
        return all(tensor.shape in shapes or not tensor.parts[-1].isdecimal() for tensor in left)

    # Legacy layout ----------------------------------------------------------------------------------------------

    def by_name(self, name: str, inside: Sequence[WeightedLayer]) -> None:
        """Match the weights of a layer of the model, with all layers in it, from the list that bears its name."""
        stored = self.layers.get(name, [])
        known = [layer for layer in inside if layer.is_known]
        wanted = [
            _wanted(weight, layer.layer, layer.path[1:], layer.frozen) for layer in known for weight in layer.weights
        ]
        strict = len(known) == len(inside)
        chosen = assign_listed(wanted, stored, strict=strict) if stored else [None] * len(wanted)
        if chosen is None:
            self._note_count(inside[0], "", wanted, stored)
            self._as_stored(inside[0]._replace(path=(name,)), stored)
            return
        given = iter(zip(wanted, chosen, strict=True))
        used = set(chosen)
        left = {tensor.path: tensor for i, tensor in enumerate(stored) if i not in used}
        for layer in inside:
            if layer.is_known:
                own = [next(given) for _ in layer.weights]
                self._keep(layer, [_given(layer, w, i, stored, _holder(layer, w.weight)) for w, i in own], [])
                continue
            alone = len(inside) - len(known) == 1 or len(layer.path) == 1
            kept = [tensor for tensor in left.values() if alone or layer.path[-1] in tensor.parts[1:]]
            for tensor in kept:
                del left[tensor.path]
            if alone or kept:
                self.opaque.append(layer)
            self._as_stored(layer, kept)
        self.beside |= set(left)

    def in_one_row(self, layers: Iterable[WeightedLayer]) -> None:
        """Match the weights as Keras 0.3 numbered them, without names: each layer takes as many numbers as it needs."""
        row = [*reversed(self.parameters)]
        for layer in layers:
            if not layer.is_known:
                return  # where those of the next one begin is not known
            needed, taken = _size(weight.shape for weight in layer.weights), []
            while row and needed > 0:
                taken.append(row.pop())
                needed -= taken[-1].size
            self.layers[layer.where] = taken
            self.by_name(layer.where, [layer])

    # What is kept -----------------------------------------------------------------------------------------------

    def _keep(self, layer: WeightedLayer, weights: Sequence[MatchedWeight], below: Iterable[StoredTensor]) -> None:
        self.weights += weights
        self.taken |= {weight.tensor.path for weight in weights if weight.tensor is not None}
        for weight in weights:
            if weight.weight is not None and weight.tensor is not None and not weight.fits:
                ours, theirs = tuple(weight.weight.shape), weight.tensor.shape
                words = f"{weight.name} is stored as {shape_text(theirs)}{_theano_order(ours, theirs)}; "
                self.notes.append(Note("weight-shape", layer.where, f"{words}by its formula it is {shape_text(ours)}"))
        missing = [weight.name for weight in weights if weight.tensor is None and not weight.merged]
        if missing:
            self.notes.append(missing_note(layer.where, missing))
        self.beside |= {tensor.path for tensor in below if tensor.path not in self.taken}

    def _as_stored(self, layer: WeightedLayer, stored: Iterable[StoredTensor]) -> None:
        """Give a layer whose formula is not known, or does not fit, what the file stores."""
        for tensor in stored:
            self.taken.add(tensor.path)
            self.weights.append(MatchedWeight(layer, None, tensor, _stored_holder(layer, tensor, self.stored)))

    def _note_count(
        self, layer: WeightedLayer, at: str, wanted: Sequence[FormulaWeight], stored: Sequence[StoredTensor]
    ) -> None:
        same_size = _size(w.shape for w in wanted) == _size(tensor.shape for tensor in stored)
        if same_size and wanted and len(stored) >= 3 * len(wanted):
            words = "as Keras 1 did, the file keeps the arrays of each gate apart: "
            self.notes.append(Note("gates-apart", layer.where, f"{words}{len(stored)} for {len(wanted)} weights"))
            return
        sentence = ", ".join(shape_text(tensor.shape) for tensor in stored[:6]) or "none"
        ours = ", ".join(shape_text(w.shape) for w in wanted[:6]) or "none"
        inside = f" in {at}" if at else ""
        words = (
            f"the file stores {len(stored)} arrays{inside} ({sentence}), which do not fit the {len(wanted)} weights "
        )
        self.notes.append(Note("weight-count", layer.where, f"{words}of its formula ({ours})"))


def _given(
    layer: WeightedLayer, wanted: FormulaWeight, number: int | None, stored: Sequence[StoredTensor], holder: Steps
) -> MatchedWeight:
    tensor = None if number is None else stored[number]
    return MatchedWeight(layer, wanted.weight, tensor, holder, wanted.merged)


def _wanted(weight: Expr, layer: Layer, path: tuple[str, ...] = (), frozen: bool = False) -> FormulaWeight:
    attrs = weight.attrs
    names = (*path, *path_names(attrs["path"], layer), str(attrs["name"]))
    shape = tuple([size if isinstance(size, int) else -1 for size in weight.shape])
    return FormulaWeight(weight, names, shape, bool(attrs["trainable"]) and not frozen)


def _size(shapes: Iterable[Sequence[int]]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _theano_order(ours: Sequence[int], theirs: Sequence[int]) -> str:
    """Return words on a kernel that Theano's Keras wrote: filters and channels first."""
    return ", in Theano's order of axes" if len(ours) > 2 and theirs == (*ours[:-3:-1], *ours[:-2]) else ""


def _holder(layer: WeightedLayer, weight: Expr) -> Steps:
    """Return the steps from the model to what holds a weight, by the formula."""
    return (*layer_steps(layer.path), *weight.attrs["at"])


def _stored_holder(layer: WeightedLayer, tensor: StoredTensor, stored: WeightFile) -> Steps | None:
    """Return the steps from the model to what holds an array; None where a group on the way is no attribute."""
    if layer.group is None or stored.layout != "classes":
        return None
    groups, start = tensor.parts[:-1], len(layer.group)
    paths = [groups[: depth + 1] for depth in range(start, len(groups))]
    are_attributes = all(path in stored.objects and path[-1].isidentifier() for path in paths)
    return (*layer_steps(layer.path), *groups[start:]) if are_attributes else None


# Stored weights -----------------------------------------------------------------------------------------------------
# What the file of a model stores for the layers without a formula: their variables, and the layers inside them.

_WITH_WEIGHTS = frozenset({"keras-archive", "h5", "hugging-face"})

_TRIED_SIZE = 64
"""A size that windows fit into and that groups and heads divide."""

_PATIENCE = 6
"""Seconds: a summary takes no longer than ten, whatever is in the file."""


_COUNTED = "its weights are counted as the file stores them"


class StoredWeights(NamedTuple):
    """`variables` are those of each layer without a formula, `inside` the layers that the weights tell of inside one,
    as a model without a graph; both by the names that lead to the layer (`encoder/block`). `notes` are also those on
    layers with a formula, whose weights were compared with what is stored."""

    variables: Mapping[str, tuple[StoredVariable, ...]] = {}
    inside: Mapping[str, Model] = {}
    notes: tuple[Note, ...] = ()


def stored_weights(network: Network) -> StoredWeights:
    """Open the file of a traced model and list what it stores; nothing for a source without weights."""
    model = network.model
    if model.source.startswith("<"):
        return StoredWeights()
    try:
        if model.format == "saved-model":
            return _of_saved_model(network)
        return _read(network) if model.format in _WITH_WEIGHTS else StoredWeights()
    except SourceError as error:
        note = Note("weights-unreadable", None, f"its stored weights are not known: {error.clause}")
        return StoredWeights(notes=(note,))


def _of_saved_model(network: Network) -> StoredWeights:
    """Return the variables that hang in the object graph below the layers whose own are not known."""
    from layerexplain.frontends.keras.saved_values import variables_of_layers
    from layerexplain.weights.weighted_layers import weighted_layers

    known = variables_of_layers(network.model.source)
    results = {
        layer.where: known[layer.where]
        for layer in weighted_layers(network)
        if not layer.is_known and layer.where in known
    }
    return StoredWeights(
        results, {}, tuple([Note("stored-weights", where, _COUNTED) for where in results if results[where]])
    )


def _read(network: Network) -> StoredWeights:
    from layerexplain.frontends.keras.weight_files import open_weights
    from layerexplain.frontends.keras.weight_tree import WeightTree

    with open_weights(network.model.source, patience=_PATIENCE) as stored:
        if stored is None:
            return StoredWeights()
        if stored.notes and not stored.tensors:
            return StoredWeights(notes=tuple(stored.notes))
        matched = match(network, stored)
        tree = WeightTree(stored) if stored.layout == "classes" else None
    opaque = {layer.path for layer in matched.opaque}
    results: dict[str, list[StoredVariable]] = {layer.where: [] for layer in matched.opaque}
    inside = {
        layer.where: Model(layer.layer.name, layer.layer.type, tree.layers(layer.group), (), (), ())
        for layer in matched.opaque
        if tree is not None and layer.group is not None and tree.is_nested(layer.group)
    }
    for weight in matched.weights:
        if weight.weight is None and weight.tensor is not None:
            trainable = False if weight.owner.frozen else None
            variable = StoredVariable(weight.name, weight.tensor.shape, weight.tensor.dtype, trainable)
            # Layers known from weights alone count as part of the layer around them.
            path = weight.owner.path
            owner = next((path[:n] for n in range(1, len(path)) if path[:n] in opaque), path)
            results.setdefault("/".join(owner), []).append(variable)
    unbuilt = unbuilt_layers(matched)
    # Rows made from weights alone need no such note, or bear it already.
    plain = {layer.where for layer in matched.opaque if layer.layer.is_stored}
    counted = [path for path, variables in results.items() if variables and path not in plain]
    notes = (
        *stored.notes,
        # In a file saved without any weights, none are missing.
        *(matched.notes if stored.tensors else ()),
        *[unbuilt_note(path, layer) for path, layer in unbuilt.items() if path not in plain],
        *[Note("stored-weights", path, _COUNTED) for path in counted],
    )
    return StoredWeights({p: tuple(own) for p, own in results.items() if p not in unbuilt}, inside, notes)


# Layers that Keras never built ------------------------------------------------------------------------------------


def unbuilt_layers(matched: MatchedWeights) -> dict[str, Layer]:
    """Return the layers, by their paths, that have weights by their class and none in the file."""
    with_weights = {weight.owner.path[:n] for weight in matched.weights for n in range(len(weight.owner.path) + 1)}
    without = [layer for layer in matched.opaque if layer.path not in with_weights]
    return {layer.where: layer.layer for layer in without if layer.layer.is_unbuilt or _has_weights(layer.layer)}


def unbuilt_note(path: str, layer: Layer) -> Note:
    """Return the note for an unbuilt layer, or for one of an unknown class in a model that was never built."""
    words = "never built: the file stores no weights, and their number depends on the shape of the input"
    if layer.is_stored and declaration_of(layer._replace(kind="layer")) is None:
        words = "the model was never built, so the file does not show whether this layer has weights"
    return Note("unbuilt", path, words)


def _has_weights(layer: Layer) -> bool:
    """Return whether a layer of Keras's own has weights, tried at an input of each number of axes; so, too, where it
    takes none of these: then it is not known to have no weights."""
    declaration = declaration_of(layer) if layer.kind == "layer" else None
    if declaration is None:
        return False
    # As many as it needs; of any number two, which is what those that join tensors need.
    count = max(len(declaration.tensors) - declaration.optional, 1) if declaration.tensors else 2
    for axes in (declaration.ndim,) if declaration.ndim is not None else (2, 3, 4, 5):
        try:
            return bool(trace_layer(layer, [Spec((BATCH, *(_TRIED_SIZE,) * (axes - 1)), "float")] * count).weights)
        except LayerExplainError:
            continue
    return True
