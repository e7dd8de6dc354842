"""Targets given on the command line: .npy and .npz files, or random ones that fit the loss of the output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import ArgumentError, did_you_mean
from layerexplain.lang.axes import Batch
from layerexplain.model import Layer
from layerexplain.ops.sizes import shape_text
from layerexplain.report.objective import OutputLoss
from layerexplain.run.given_inputs import GivenInput, ModelInput, checked_array
from layerexplain.run.input_option import is_generated, read_for, seed_of, split_names

OPTION = "--target"
WHOLE = ("classes", "letters")
"""The kinds of targets that are whole numbers."""


def make_targets(losses: Sequence[OutputLoss], given: Sequence[str] | Any, batch: int) -> list[GivenInput]:
    """Return the targets of outputs, an array for each loss.

    Args:
        losses: The losses of the outputs.
        given: As texts `[OUTPUT=]WHAT`: a file FILE.npy or FILE.npz, or "random[:SEED]", which is taken for an output
            without any. Or arrays: one for a model with one output, or a mapping of the names of outputs.
        batch: How many examples the inputs have.

    Raises:
        LayerExplainError: A file cannot be read, or an array does not fit its output and the loss.
    """
    wanted = [_Target(loss) for loss in losses]
    if isinstance(given, str) or not (isinstance(given, Sequence) and all(isinstance(item, str) for item in given)):
        return _of_arrays(wanted, given, batch)
    named = split_names([target.name for target in wanted], given, OPTION, "output")
    arrays: dict[str, GivenInput] = {}
    for typed in sorted(named, key=lambda typed: typed.name is None):
        free = [w for w in wanted if (w.name == typed.name if typed.name else w.name not in arrays)]
        if not free or (typed.name in arrays):
            raise ArgumentError(f"{OPTION} {typed.what}: all outputs of the model already have targets")
        if is_generated(typed.what):
            if not typed.what.startswith("random"):
                raise ArgumentError(f"{OPTION} takes a file FILE.npy or FILE.npz, or random[:SEED], got {typed.what}")
            seed = seed_of(typed.what, OPTION)
            sources = {w.name: (w.drawn(seed, batch), f"random, from seed {seed}") for w in free}
        else:
            sources = {name: (array, typed.what) for name, array in read_for(typed.what, free).items()}
        for w in free:
            if w.name in sources:
                arrays[w.name] = GivenInput(w.name, w.checked(sources[w.name][0], batch), sources[w.name][1])
    for w in wanted:
        if w.name not in arrays:
            if named:
                raise ArgumentError(
                    f"no targets are given for the output '{w.name}'; write {OPTION} {w.name}=FILE.npy or random"
                )
            arrays[w.name] = GivenInput(w.name, w.drawn(0, batch), "random, from seed 0")
    return [arrays[w.name] for w in wanted]


def _of_arrays(wanted: Sequence[_Target], given: Any, batch: int) -> list[GivenInput]:
    names = [w.name for w in wanted]
    if given is None or isinstance(given, str):
        return make_targets([w.loss for w in wanted], [] if given is None else [given], batch)
    if not isinstance(given, Mapping):
        if len(wanted) != 1:
            raise ArgumentError(f"the model has {len(wanted)} losses; give targets for each of {', '.join(names)}")
        given = {names[0]: given}
    for name in given:
        if name not in names:
            hint = did_you_mean(str(name), names) or f"its outputs with a loss are {', '.join(names)}"
            raise ArgumentError(f"the model has no output '{name}' with a loss; {hint}")
    missing = next((name for name in names if name not in given), None)
    if missing is not None:
        raise ArgumentError(f"no targets are given for the output '{missing}'")
    return [GivenInput(w.name, w.checked(given[w.name], batch), "as given") for w in wanted]


class _Target(ModelInput):
    """What the targets of an output need to be."""

    def __init__(self, loss: OutputLoss) -> None:
        super().__init__(Layer(loss.ref.layer, "InputLayer", "layer", {}))
        self.loss = loss
        self.what = "target of"
        self.kind = loss.loss.targets.kind
        shape = loss.loss.targets_shape(loss.shape)
        self.shape = tuple([None if isinstance(size, Batch) or size is None else size for size in shape])
        self.dtype = "int32" if self.kind in WHOLE else "float32"

    @property
    def shape_words(self) -> str:
        return f"{self.loss.loss.targets(self.loss.shape)}"

    def misfit(self, shape: Sequence[int]) -> str | None:
        own = self.shape
        if own is None or self.kind == "letters":
            return None
        # As Keras does, one axis of size 1 at the end more or less makes no difference.
        for fits in (own, (*own, 1), own[:-1] if own[-1:] == (1,) else own):
            if len(fits) == len(shape) and all(s in (None, n) for s, n in zip(fits, shape, strict=True)):
                return None
        return super().misfit(shape) or ""

    def checked(self, value: Any, batch: int) -> Any:
        """Return targets, cast to their dtype. Raises ArgumentError for those that do not fit."""
        import numpy as np

        array = checked_array(self, value)
        if array.shape[0] != batch:
            raise ArgumentError(
                f"the targets of '{self.name}' need to be for {batch} example{'s' * (batch != 1)}, as the inputs are, "
                f"got {shape_text(array.shape)}"
            )
        classes = self.loss.loss.classes(self.loss.shape)
        ignored = self.loss.arguments.get("ignore_class", self.loss.arguments.get("ignore_index"))
        if self.kind == "classes" and isinstance(classes, int) and self.loss.loss.of == "classes":
            odd = array[(array < 0) | (array >= classes)]
            odd = odd if ignored is None else odd[odd != ignored]
            if odd.size:
                wrong = int(np.ravel(odd)[0])
                raise ArgumentError(f"the targets of '{self.name}' need to be from 0 to {classes - 1}, got {wrong}")
        return array

    def drawn(self, seed: int, batch: int) -> Any:
        """Return random targets that fit the loss."""
        import numpy as np

        shape = tuple([batch if size is None else size for size in self.shape or ()])
        classes = self.loss.loss.classes(self.loss.shape)
        counted = self.loss.loss.of == "classes" or self.kind == "letters"
        most = classes if isinstance(classes, int) and counted else 2
        return drawn_targets(self.kind, shape, most, np.random.default_rng(seed))


def drawn_targets(kind: str, shape: tuple[int, ...], classes: int, rng: Any) -> Any:
    """Return random targets of a kind, as `Targets` has them.

    >>> import numpy as np
    >>> drawn_targets("one-hot", (2, 3), 3, np.random.default_rng(0)).sum(axis=-1).tolist()
    [1.0, 1.0]
    """
    import numpy as np

    last = shape[-1] if shape else 1
    if kind == "classes":
        return rng.integers(0, classes, shape).astype("int32")
    if kind == "letters":
        return rng.integers(1, max(classes, 2), shape).astype("int32")
    if kind == "one-hot":
        return np.eye(last, dtype="float32")[rng.integers(0, last, shape[:-1])]
    if kind == "shares":
        values = rng.uniform(0.1, 1, shape)
        values = values / values.sum(axis=-1, keepdims=True)
    elif kind in ("bits", "signs"):
        values = rng.integers(0, 2, shape)
        values = values if kind == "bits" else 2 * values - 1
    elif kind == "counts":
        values = rng.poisson(2, shape)
    elif kind == "positive":
        values = rng.uniform(0.1, 3, shape)
    else:
        values = rng.normal(0, 1, shape)
    return np.asarray(values).astype("float32")
