"""A training step in real PyTorch: its loss, gradients by autograd, the update of its optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.layers.keras.optimizer_declaration import InnerDeclaration
from layerexplain.layers.registry import TORCH
from layerexplain.oracle.reference import TrainingStep
from layerexplain.oracle.torch_model import TorchModel, load_torch
from layerexplain.report.objective import OutputLoss
from layerexplain.run.gradients import GradientStep


def torch_step(reference: TorchModel, step: GradientStep) -> TrainingStep:
    """Return a training step of a model in PyTorch, with an update if the optimizer is known; its weights are as
    before afterwards. Raises whatever PyTorch raises."""
    torch, modules = load_torch(), reference.modules()
    graph = reference.graph(step.network, step.running.arrays)
    places = list(reference.tensors(step.network))
    kept = [(one, one.detach().clone()) for module in modules for one in module.state_dict(keep_vars=True).values()]
    try:
        for module in modules:
            module.train(step.running.training)
        graph.run_with_gradient()
        terms = []
        for one, target in zip(step.losses, step.targets, strict=True):
            given = torch.from_numpy(target.array)
            loss = torch_loss(one)(graph.tensor(*one.ref), given.long() if one.loss.sparse else given)
            terms.append(one.weight * loss)
        total = sum(terms[1:], terms[0])
        trained = [one for one in dict.fromkeys(tensor for _, _, tensor in places) if one.requires_grad]
        found = torch.autograd.grad(total, trained, allow_unused=True) if trained else ()
        by_weight = dict(zip(trained, found, strict=True))
        gradients = {(path, number): by_weight.get(one) for path, number, one in places}
        new = None
        if step.optimizer is not None and trained:
            _apply(step.optimizer, by_weight)
            new = {(path, number): one.detach().clone().numpy() for path, number, one in places}
        arrays = {key: None if one is None else one.numpy() for key, one in gradients.items()}
        return TrainingStep(float(total), arrays, new)
    finally:
        with torch.no_grad():
            for one, value in kept:
                one.copy_(value)
        for module in modules:
            module.eval()


def torch_loss(one: OutputLoss) -> Any:
    """Return PyTorch's loss for an output, with the arguments that the program gives; numbers are tensors there."""
    torch = load_torch()
    if not one.loss.type.startswith(TORCH):
        raise LayerExplainError(f"{one.type} is not a loss of PyTorch")
    given = {
        key: torch.tensor(value) if key.endswith("weight") and value is not None else value
        for key, value in one.arguments.items()
    }
    return getattr(torch.nn, one.type)(**given)


def _apply(optimizer: InnerDeclaration, gradients: Mapping[Any, Any]) -> None:
    """Change the weights that have a gradient by one step of an optimizer of PyTorch."""
    if not optimizer.declaration.type.startswith("torch."):
        raise LayerExplainError(f"{optimizer.type} is not an optimizer of PyTorch")
    trained = {weight: gradient for weight, gradient in gradients.items() if gradient is not None}
    for weight, gradient in trained.items():
        weight.grad = gradient
    try:
        getattr(load_torch().optim, optimizer.type)(list(trained), **optimizer.config).step()
    finally:
        for weight in trained:
            weight.grad = None
