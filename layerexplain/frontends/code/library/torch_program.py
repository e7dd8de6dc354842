"""What is kept of PyTorch while a program is read, and what a run of a model answers its tensors and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from layerexplain.frontends.code.values.base import Arguments, Evaluator, Keywords, ProgramValue, Unknown
from layerexplain.frontends.code.values.program import Instance
from layerexplain.model import Note, TensorRef


class TensorGradients(Protocol):
    """Where a run keeps gradients back."""

    are_on: bool

    def detached(self, tensor: ProgramValue, name: str = "detach") -> ProgramValue:
        """Return a tensor through which no gradient passes."""


class TensorRun(Protocol):
    """A run of a model, as tensors, weights and modules see it. Its tensors are `ProgramValue` here."""

    names: dict[int, str]
    """The names of its modules, by their identities."""
    parameters: dict[int, str]
    buffers: dict[int, str]
    opened: list[Unknown]
    """Why something is not known."""
    notes: list[Note]
    """What the reader of the code has to know of it."""
    targets: list[TensorRef]
    """The tensors that losses compare outputs with."""

    @property
    def gradients(self) -> TensorGradients:
        """Return where gradients are kept back."""

    @property
    def interpreter(self) -> Evaluator:
        """Return what reads the program."""

    @property
    def model(self) -> ProgramValue:
        """Return the module that runs."""

    @property
    def sources(self) -> Mapping[ProgramValue, tuple[str, list[ProgramValue]]]:
        """Return what made each call's results: the type, and its tensors."""

    def before(self, ref: TensorRef) -> Mapping[ProgramValue, tuple[str, list[ProgramValue]]]:
        """Return the calls that a tensor comes from, inputs included, by their keys."""

    def unknown(self, reason: str) -> Exception:
        """Note what is not known, and return what ends the run."""

    def refused(self, fact: str) -> Exception:
        """Keep the fault of a call that PyTorch refuses, and return what ends the run."""

    def stored(self, value: ProgramValue) -> ProgramValue:
        """Return a parameter, or numbers that the program makes, as a tensor of the run: a row of its own."""

    def function(self, name: str, args: Arguments, kwargs: Keywords, path: str = "") -> ProgramValue:
        """Return what `torch.name(x, …)` or `x.name(…)` gives; `path` is the function whose arguments these are."""

    def numbers(self, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return numbers that the program makes: those of the batch are a row."""

    def operation(
        self, name: str, tensors: Sequence[ProgramValue], config: Mapping[str, ProgramValue], *, row: str = ""
    ) -> ProgramValue:
        """Call a function of torch, which is a row of its own; `row` is another name for that."""

    def run(
        self, value: ProgramValue, args: Sequence[ProgramValue], kwargs: Mapping[str, ProgramValue]
    ) -> ProgramValue:
        """Call any module: the program's own by its `forward`."""

    def part(
        self, part: ProgramValue, args: Sequence[ProgramValue], kwargs: Mapping[str, ProgramValue]
    ) -> ProgramValue:
        """Call a part of a module that calls its parts itself."""

    def built_in(
        self,
        owner: Instance,
        module: ProgramValue,
        args: Sequence[ProgramValue],
        kwargs: Mapping[str, ProgramValue],
    ) -> ProgramValue:
        """Call the module of PyTorch that a user-defined class is made of."""


class TorchProgram:
    """What a program does with PyTorch."""

    def __init__(self) -> None:
        self.makes_modules = False
        """Whether the program makes modules."""
        self.runs: list[TensorRun] = []
        """The models that are run now, the innermost last."""
        self.begun: list[Instance] = []
        """The modules whose `__init__` has called that of PyTorch."""
        self.open_trainable: Unknown | None = None
        """What the program freezes, where that is not known: it may be any parameter."""
        self._in_parallel: list[ProgramValue] = []

    @property
    def run(self) -> TensorRun | None:
        """Return the run that is followed now; None outside of any `forward`."""
        return self.runs[-1] if self.runs else None

    def in_parallel(self, module: ProgramValue) -> ProgramValue:
        """Return what DataParallel gives of a module: it computes the same, so that it is that module itself."""
        self._in_parallel.append(module)
        return module

    def inside_parallel(self, module: ProgramValue, name: str) -> bool:
        """Return whether `name` asks DataParallel for the module in it."""
        return name == "module" and any(one is module for one in self._in_parallel)

    def has_begun(self, instance: Instance) -> bool:
        """Return whether the `__init__` of a module has called that of PyTorch."""
        return any(one is instance for one in self.begun)


def run_of(evaluator: Evaluator) -> TensorRun | None:
    """Return the run of a model that is followed now; None outside of any `forward`."""
    return evaluator.kept(TorchProgram).run
