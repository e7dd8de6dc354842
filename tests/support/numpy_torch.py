"""A small stand-in for PyTorch over NumPy: as much as is asked of PyTorch by the code that compares with it. It has no
autograd: a test says which gradients come back, by the tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np


class Tensor:
    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        self.array = np.asarray(array)
        self.requires_grad = requires_grad
        self.grad: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> str:
        return f"torch.{self.array.dtype}"

    def numpy(self) -> Any:
        assert not self.requires_grad, "a tensor with a gradient has no array"
        return self.array

    def detach(self) -> Tensor:
        return Tensor(self.array)

    def clone(self) -> Tensor:
        return Tensor(self.array.copy(), self.requires_grad)

    def requires_grad_(self, flag: bool) -> Tensor:
        self.requires_grad = flag
        return self

    def is_floating_point(self) -> bool:
        return self.array.dtype.kind == "f"

    def copy_(self, other: Tensor) -> None:
        self.array[...] = other.array

    def numel(self) -> int:
        return self.array.size

    def to(self, dtype: str) -> Tensor:
        return Tensor(self.array.astype(dtype.removeprefix("torch.")))

    def double(self) -> Tensor:
        return self.to("float64")

    def long(self) -> Tensor:
        return self.to("int64")

    def sum(self) -> Tensor:
        return Tensor(self.array.sum())

    def reshape(self, shape: Sequence[int]) -> Tensor:
        return Tensor(self.array.reshape(shape))

    def __mul__(self, other: Any) -> Tensor:
        return Tensor(self.array * getattr(other, "array", other))

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Tensor:
        return Tensor(self.array + getattr(other, "array", other))

    __radd__ = __add__

    def __float__(self) -> float:
        return float(self.array)


class Parameter(Tensor):
    def __init__(self, array: Any) -> None:
        super().__init__(getattr(array, "array", array), True)


class Module:
    """Its tensors are its attributes; `training` and `modes` are how it was set last, and each time."""

    def __init__(self) -> None:
        self.training = True
        self.modes: list[bool] = []

    def train(self, mode: bool = True) -> Module:
        self.training = mode
        self.modes.append(mode)
        return self

    def eval(self) -> Module:
        return self.train(False)

    def register_parameter(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    register_buffer = register_parameter

    def state_dict(self, keep_vars: bool = False) -> dict[str, Tensor]:
        assert keep_vars
        return {name: one for name, one in vars(self).items() if isinstance(one, Tensor)}

    def parameters(self) -> list[Tensor]:
        return [one for one in self.state_dict(True).values() if isinstance(one, Parameter)]

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self.forward(*given, **named)

    def forward(self, *given: Any, **named: Any) -> Any:
        raise NotImplementedError


class Linear(Module):
    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = Parameter(np.zeros((out_features, in_features), "f4"))
        self.bias = Parameter(np.zeros(out_features, "f4")) if bias else None

    def forward(self, input: Tensor) -> Tensor:
        bias = 0 if self.bias is None else self.bias.array
        return Tensor(input.array @ self.weight.array.T + bias)


class BatchNorm1d(Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight, self.bias = Parameter(np.zeros(num_features, "f4")), Parameter(np.zeros(num_features, "f4"))
        self.running_mean = Tensor(np.zeros(num_features, "f4"))
        self.running_var = Tensor(np.ones(num_features, "f4"))
        self.num_batches_tracked = Tensor(np.zeros((), "i8"))

    def forward(self, input: Tensor) -> Tensor:
        if self.training:
            self.running_mean.array += 5
        scaled = (input.array - self.running_mean.array) / np.sqrt(self.running_var.array + 1e-5)
        return Tensor((scaled * self.weight.array + self.bias.array).astype("f4"))


class MSELoss:
    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def __call__(self, input: Tensor, target: Tensor) -> Tensor:
        squares = (input.array - target.array) ** 2
        return Tensor(squares.mean() if self.reduction == "mean" else squares.sum())


class CrossEntropyLoss:
    def __init__(self, weight: Any = None, label_smoothing: float = 0.0) -> None:
        self.weight, self.label_smoothing = weight, label_smoothing

    def __call__(self, input: Tensor, target: Tensor) -> Tensor:
        assert target.dtype == "torch.int64"
        return Tensor(np.float32(target.array.sum()))


class SGD:
    def __init__(self, weights: Sequence[Tensor], lr: float) -> None:
        self.weights, self.lr = weights, lr

    def step(self) -> None:
        for one in self.weights:
            one.array -= np.float32(self.lr) * one.grad.array


class Torch:
    """The module `torch`. `comes_back` gives the gradient of a tensor, or None."""

    __version__ = "2.99"
    float32, int64 = "float32", "int64"

    def __init__(self) -> None:
        self.nn = SimpleNamespace(
            Module=Module, Parameter=Parameter, Linear=Linear, BatchNorm1d=BatchNorm1d, MSELoss=MSELoss,
            CrossEntropyLoss=CrossEntropyLoss, functional=SimpleNamespace(relu=lambda x: Tensor(np.maximum(x.array, 0))),
        )  # fmt: skip
        self.optim = SimpleNamespace(SGD=SGD)
        self.autograd = SimpleNamespace(grad=self._grad)
        self.totals: list[float] = []
        self.watched: list[Sequence[Tensor]] = []
        self.comes_back: Any = lambda tensor: np.ones(tensor.shape, "f4")

    def _grad(self, total: Tensor, watched: Sequence[Tensor], *, allow_unused: bool) -> list[Tensor | None]:
        assert allow_unused and all(one.requires_grad for one in watched)
        self.totals.append(float(total))
        self.watched.append(watched)
        found = [self.comes_back(one) for one in watched]
        return [None if one is None else Tensor(one) for one in found]

    @staticmethod
    @contextmanager
    def no_grad() -> Iterator[None]:
        yield

    @staticmethod
    def from_numpy(array: Any) -> Tensor:
        return Tensor(array)

    as_tensor = from_numpy

    @staticmethod
    def tensor(value: Any, dtype: str = "float32") -> Tensor:
        return Tensor(np.asarray(value, dtype))

    @staticmethod
    def exp(x: Tensor) -> Tensor:
        return Tensor(np.exp(x.array))
