"""Real PyTorch behind the interface of `reference`: modules and functions called as a model's calls say, and a step
of training.

They are made from what was read: only types that are declared are looked up, by their names in PyTorch, and no code of
the source runs.
"""

from __future__ import annotations

import inspect
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from operator import attrgetter
from typing import Any, Literal

from layerexplain.attribute_path import weight_name
from layerexplain.derive.gradient.backward import is_float
from layerexplain.errors import LayerExplainError, first_line
from layerexplain.frontends.model_builder import in_order
from layerexplain.lang.definition import Definition
from layerexplain.lang.settings import size_of_batch
from layerexplain.layers.keras.optimizer_declaration import InnerDeclaration
from layerexplain.layers.registry import EINOPS, TIMM, TORCH, find
from layerexplain.model import Layer, Model, Note, TensorRef, replaced
from layerexplain.network.traced import Network
from layerexplain.oracle.reference import (
    Key,
    Reference,
    ReferenceGradients,
    ReferenceGraph,
    ReferenceOperation,
    TrainingStep,
    Weights,
)
from layerexplain.report.objective import OutputLoss
from layerexplain.run.gradients import GradientStep
from layerexplain.weights.weighted_layers import weighted_layers

# Torch model --------------------------------------------------------------------------------------------------------

HOW_TO_GET_IT = "pip install '.[torch]' in a clone of layerexplain"


def load_torch() -> Any:
    """Return the module `torch`. Raises LayerExplainError, with how to install it, if it is missing."""
    try:
        return import_module("torch")
    except ImportError:
        raise LayerExplainError(
            f"PyTorch is required to verify PyTorch code and not installed; {HOW_TO_GET_IT}"
        ) from None


def must_be_torch_alone(model: Model) -> None:
    """Raise LayerExplainError if a call of a model is of a class that PyTorch does not have."""
    for call in model.calls:
        layer = model.layers_by_name[call.layer]
        is_foreign = layer.kind == "custom" or layer.type.startswith(TIMM)
        if is_foreign or (layer.type != "InputLayer" and find(layer.type) is None):
            raise LayerExplainError(f"layer '{layer.name}' is a {layer.type}, which is not part of PyTorch")


class TorchOperation(ReferenceOperation):
    """A module of torch.nn, or a function of torch."""

    is_layer = True
    compute_dtype = "float32"

    def __init__(self, layer: Layer, batch: int) -> None:
        self.layer, self.type = layer, layer.type
        self.config: Mapping[str, Any] = layer.config
        with_batch = ("torch.reshape", "torch.expand", "torch.zeros", "torch.ones")
        if layer.type in with_batch or layer.type.startswith(EINOPS):
            sized = replaced(layer.config, type(None), lambda _: batch)
            self.config = replaced(sized, str, lambda text: text if (n := size_of_batch(text)) is None else n.at(batch))
        declaration = find(layer.type)
        self.tensors = () if declaration is None else declaration.tensors
        self.module: Any = None
        if layer.type.startswith(TORCH):
            self.module = _module(layer.type.removeprefix(TORCH), self.config).eval()

    def __call__(self, *given: Any) -> list[Any]:
        """Return its results as a flat list."""
        if self.module is None:
            return _flat(_function(self.type.removeprefix("torch."), given, self.config))
        names = inspect.signature(self.module.forward).parameters
        if "hx" in names and len(given) > 2:  # both states of an LSTM are one argument
            given = (given[0], tuple(given[1:]))
        by_name = {name: item for name, item in zip(self.tensors[1:], given[1:], strict=False) if name in names}
        rest = [item for i, item in enumerate(given) if i == 0 or self.tensors[i] not in by_name]
        by_name |= {name: self.config[name] for name in names if name in self.config}
        return _flat(self.module(*rest, **by_name))

    def stored(self) -> dict[str, Any]:
        """Return its parameters and buffers by their names."""
        return {} if self.module is None else self.module.state_dict(keep_vars=True)

    def weights(self, definition: Definition | None = None) -> list[Any]:
        stored = self.stored()
        if definition is None:
            return list(stored.values())
        names = [weight_name(w.attrs, self.layer) for w in definition.weights]
        return [stored[name] for name in names if name in stored] + [v for k, v in stored.items() if k not in names]


def _module(name: str, config: Mapping[str, Any]) -> Any:
    """Return a module of torch.nn by its name and the arguments of its class; one that holds a tensor alone for a
    parameter or a buffer of the program."""
    torch = load_torch()
    if name in ("Parameter", "Buffer"):

        class TensorModule(torch.nn.Module):  # type: ignore[misc,name-defined]  # the module is imported when it is needed
            def forward(self) -> Any:
                return self.data

        alone = TensorModule()
        known = config.get("values") or [0] * math.prod(config["shape"])
        values = torch.tensor(known, dtype=getattr(torch, config.get("dtype", "float32"))).reshape(config["shape"])
        if name == "Parameter":
            alone.register_parameter("data", torch.nn.Parameter(values))
        elif config.get("values"):
            alone.data = values
        else:
            alone.register_buffer("data", values)
        return alone
    if name.startswith("utils."):
        base = _module(config["type"], dict(config["arguments"]))
        path = name.replace("utils.", "utils.parametrizations.") if config["is_new"] else name
        how = {key: value for key, value in config.items() if key not in ("type", "arguments", "is_new")}
        return attrgetter(path)(torch.nn)(base, **how)
    cls = getattr(torch.nn, name)
    taken = inspect.signature(cls.__init__).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values())
    return cls(**{key: value for key, value in config.items() if takes_any or key in taken})


def _scaling(xs: Sequence[Any]) -> dict[str, Any]:
    """Return the scale and the shift of a normalization, which a call may leave out."""
    return dict(zip(("weight", "bias"), xs[1:], strict=False))


_FUNCTIONS: Mapping[str, Callable[[Any, Sequence[Any], Mapping[str, Any]], Any]] = {
    "cat": lambda torch, xs, given: torch.cat(xs, **given),
    "dropout": lambda torch, xs, given: xs[0],
    "einsum": lambda torch, xs, given: torch.einsum(given["equation"], *xs),
    "expand": lambda torch, xs, given: xs[0].expand(given["shape"]),
    "getitem": lambda torch, xs, given: xs[0][(*given["key"], xs[1].long()) if len(xs) > 1 else given["key"]],
    "setitem": lambda torch, xs, given: _with_part(xs[0].clone(), given["key"], xs[1]),
    "zeros": lambda torch, xs, given: torch.zeros(given["shape"]),
    "ones": lambda torch, xs, given: torch.ones(given["shape"]),
    "flip": lambda torch, xs, given: torch.flip(
        xs[0], given["dims"] if type(given["dims"]) is tuple else (given["dims"],)
    ),
    "gather": lambda torch, xs, given: torch.gather(xs[0], given["dim"], xs[1].long()),
    "group_norm": lambda torch, xs, given: torch.nn.functional.group_norm(xs[0], **_scaling(xs), **given),
    "index_select": lambda torch, xs, given: torch.index_select(xs[0], given["dim"], xs[1].long()),
    "layer_norm": lambda torch, xs, given: torch.nn.functional.layer_norm(xs[0], **_scaling(xs), **given),
    "one_hot": lambda torch, xs, given: torch.nn.functional.one_hot(xs[0].long(), **given),
    "repeat": lambda torch, xs, given: xs[0].repeat(given["times"]),
    "split": lambda torch, xs, given: torch.split(xs[0], list(given["sizes"]), given.get("dim", 0)),
    "stack": lambda torch, xs, given: torch.stack(xs, **given),
    "take_along_dim": lambda torch, xs, given: xs[0].take_along_dim(xs[1].long(), given["dim"]),
    "to": lambda torch, xs, given: xs[0].to(getattr(torch, given["dtype"])),
    "windows": lambda torch, xs, given: xs[0].unfold(**given),
}
"""The functions whose rows have other arguments than PyTorch's."""


def _with_part(x: Any, key: Any, part: Any) -> Any:
    x[key] = part
    return x


def _function(name: str, given: Sequence[Any], config: Mapping[str, Any]) -> Any:
    """Return what a function of PyTorch gives, by the name of its row."""
    torch = load_torch()
    if name.startswith(EINOPS):
        return _moved(name.removeprefix(EINOPS).lower(), given[0], config)
    if name in _FUNCTIONS:
        return _FUNCTIONS[name](torch, given, config)
    function = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    return function(*given, **{key: value for key, value in config.items() if value is not None})


def _moved(name: str, x: Any, config: Mapping[str, Any]) -> Any:
    """Return what a function of einops gives. Raises LayerExplainError where einops is missing."""
    try:
        function = getattr(import_module("einops"), name)
    except ImportError:
        raise LayerExplainError(
            "einops is required to verify its calls and not installed; pip install einops"
        ) from None
    arguments = {key: value for key, value in config.items() if key != "sizes"}
    return function(x, **arguments, **dict(config.get("sizes") or {}))


def _flat(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [item for part in value for item in _flat(part)]
    return [] if value is None else [value]


class TorchGraph(ReferenceGraph):
    """The calls of a model on given inputs."""

    framework = "PyTorch"

    def __init__(self, model: Model, operations: Mapping[str, TorchOperation], arrays: Sequence[Any]) -> None:
        torch = load_torch()
        self.model = model
        self.input_names = [ref.layer for ref in model.inputs]
        self._by_key = {call.key: call for call in in_order(model) if call.layer in operations}
        self._calls = {key: operations[call.layer] for key, call in self._by_key.items()}
        self._tensors = {ref: torch.from_numpy(array) for ref, array in zip(model.inputs, arrays, strict=True)}

    def calls(self) -> Mapping[Key, TorchOperation]:
        return self._calls

    def arguments(self, key: Key) -> list[Any] | None:
        call = self._by_key[key]
        if any(ref not in self._tensors for ref in call.refs):
            return None
        return [self._tensors[argument] if isinstance(argument, TensorRef) else argument for argument in call.args]

    def run(self, key: Key, *, with_gradient: bool = False) -> list[Any]:
        with load_torch().set_grad_enabled(with_gradient):
            outputs = self._calls[key](*self.arguments(key) or ())
        self.keep(key, outputs)
        return outputs

    def run_all(self, *, with_gradient: bool = False) -> list[Any]:
        """Run all calls, so that gradients come back from the outputs if asked for; return the model's outputs."""
        for key in self._by_key:
            self.run(key, with_gradient=with_gradient)
        return self.outputs()

    def gradients(
        self, key: Key, given: Sequence[Any], definition: Definition, draw: Callable[..., Any], *, training: bool
    ) -> ReferenceGradients:
        torch, operation = load_torch(), self._calls[key]
        copies = {id(item): item.detach().clone().requires_grad_(item.is_floating_point()) for item in given}
        weights = operation.weights(definition)[: len(definition.weights)]
        kept = [(weight, weight.detach().clone()) for weight in operation.weights()]
        if operation.module is not None:
            operation.module.train(training)
        try:
            outputs = operation(*[copies.get(id(argument), argument) for argument in self.arguments(key) or ()])
        finally:
            if operation.module is not None:
                operation.module.eval()
        chosen = [y for y, e in zip(outputs, definition.results.values(), strict=True) if is_float(e)]
        seeds = [torch.as_tensor(draw(size=tuple(y.shape))).to(y.dtype) for y in chosen]
        total = sum([(y * dy).double().sum() for y, dy in zip(chosen, seeds, strict=True)])
        watched = [copy for copy in [*copies.values(), *weights] if copy.requires_grad]
        result = torch.autograd.grad(total, watched, allow_unused=True)
        by_id = {id(item): None if g is None else g.numpy() for item, g in zip(watched, result, strict=True)}
        with torch.no_grad():
            for item, value in kept:  # what BatchNorm moves in training
                item.copy_(value)
        return ReferenceGradients(
            [dy.numpy() for dy in seeds],
            [by_id.get(id(copies[id(item)])) for item in given],
            [by_id.get(id(weight)) for weight in weights],
        )

    def keep(self, key: Key, outputs: Sequence[Any]) -> None:
        self._tensors.update({TensorRef(*key, i): output for i, output in enumerate(outputs)})

    def tensor(self, layer: str, call: int, output: int) -> Any:
        return self._tensors.get(TensorRef(layer, call, output))

    def outputs(self) -> list[Any]:
        return [self._tensors.get(ref) for ref in self.model.outputs]

    def output_of(self, layer: str, call: int, output: int) -> int | None:
        ref = TensorRef(layer, call, output)
        return self.model.outputs.index(ref) if ref in self.model.outputs else None

    def value(self, tensor: Any) -> Any:
        return tensor.detach().numpy()

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype).removeprefix("torch.")


class TorchModel(Reference):
    """The modules of a model, with drawn weights, which is the source of these."""

    weights: Weights = "drawn"
    origin: Literal["of the model"] = "of the model"
    framework = "PyTorch"
    backend = "the CPU"

    def __init__(self, model: Model, seed: int, batch: int) -> None:
        must_be_torch_alone(model)
        self.model = model
        self.notes: tuple[Note, ...] = ()
        self.version = f"PyTorch {load_torch().__version__}"
        self.operations: dict[str, TorchOperation] = {}
        for call in model.calls:
            layer = model.layers_by_name[call.layer]
            if layer.type != "InputLayer" and layer.name not in self.operations:
                self.operations[layer.name] = _with_drawn_weights(layer, seed, batch)
        for shared in model.shared:
            here, first = (
                self.operations.get(str(getattr(steps[0], "name", ""))) for steps in (shared.steps, *shared.same_as)
            )
            if here is not None and first is not None:
                setattr(here.module, str(shared.steps[1]), getattr(first.module, str(shared.same_as[0][1])))

    def graph(self, network: Network, arrays: Sequence[Any]) -> TorchGraph:
        return TorchGraph(self.model, self.operations, arrays)

    def run(self, network: Network, arrays: Sequence[Any]) -> list[Any]:
        return [item.detach().numpy() for item in self.graph(network, arrays).run_all()]

    def step(self, gradient_step: GradientStep) -> TrainingStep:
        return torch_step(self, gradient_step)

    def weight_source(self) -> TorchModel:
        return self

    def arrays_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        """Return the weights of a layer, in its definition's order."""
        results = self.operations[".".join(path)].weights(definition)[: len(definition.weights)]
        return [item.detach().numpy() for item in results]

    def arrays(self, network: Network) -> list[Any]:
        return [item.detach().numpy() for _, _, item in self.tensors(network)]

    def modules(self) -> list[Any]:
        """Return the modules of PyTorch."""
        return [operation.module for operation in self.operations.values() if operation.module is not None]

    def tensors(self, network: Network) -> Iterator[tuple[tuple[str, ...], int, Any]]:
        """Yield the weights of layers, each with the path of its layer and its number there."""
        for layer in weighted_layers(network):
            if layer.definition is not None and layer.weights:
                own = self.operations[".".join(layer.path)].weights(layer.definition)
                yield from [(layer.path, i, item) for i, item in enumerate(own[: len(layer.definition.weights)])]

    def count_params(self) -> int | None:
        if any(layer.kind == "custom" for layer in self.model.layers):
            return None  # modules that the program never calls: of these the sizes alone were read
        kept = [self.operations[layer.name].module for layer in self.model.layers
                if layer.registered and layer.name in self.operations]  # fmt: skip
        each = {
            id(parameter): int(parameter.numel())
            for module in kept
            if module is not None
            for parameter in module.parameters()
        }
        return sum(each.values())


def _with_drawn_weights(layer: Layer, seed: int, batch: int) -> TorchOperation:
    """Return the operation of a layer with weights that are drawn: none is 0, variances are positive."""
    import numpy as np

    torch = load_torch()
    try:
        operation = TorchOperation(layer, batch)
    except Exception as error:  # PyTorch raises whatever its modules raise
        raise LayerExplainError(f"PyTorch refuses it: {first_line(error)}", layer=layer.name, line=layer.line) from None
    with torch.no_grad():
        for name, tensor in operation.stored().items():
            shape = tuple(tensor.shape)
            rng = np.random.default_rng([seed, zlib.crc32(f"{layer.name}.{name}".encode())])
            if not tensor.is_floating_point():
                tensor.copy_(torch.from_numpy(np.asarray(rng.integers(0, 2, shape))))
                continue
            values = rng.uniform(0.5, 1.5, shape)
            if not name.endswith("running_var"):
                values = values * rng.choice([-1.0, 1.0], shape) / math.sqrt(max(math.prod(shape[1:]), 1))
            tensor.copy_(torch.from_numpy(np.asarray(values)))
    return operation


# Torch step ---------------------------------------------------------------------------------------------------------
# A training step in real PyTorch: its loss, gradients by autograd, the update of its optimizer.


def torch_step(reference: TorchModel, step: GradientStep) -> TrainingStep:
    """Return a training step of a model in PyTorch, with an update if the optimizer is known; its weights are as
    before afterwards. Raises whatever PyTorch raises."""
    torch, modules = load_torch(), reference.modules()
    graph = reference.graph(step.network, step.running.arrays)
    places = list(reference.tensors(step.network))
    kept = [(item, item.detach().clone()) for module in modules for item in module.state_dict(keep_vars=True).values()]
    try:
        for module in modules:
            module.train(step.running.training)
        graph.run_all(with_gradient=True)
        terms = []
        for other, target in zip(step.losses, step.targets, strict=True):
            given = torch.from_numpy(target.array)
            loss = torch_loss(other)(graph.tensor(*other.ref), given.long() if other.loss.sparse else given)
            terms.append(other.weight * loss)
        total = sum(terms[1:], terms[0])
        trained = [item for item in dict.fromkeys(tensor for _, _, tensor in places) if item.requires_grad]
        result = torch.autograd.grad(total, trained, allow_unused=True) if trained else ()
        by_weight = dict(zip(trained, result, strict=True))
        gradients = {(path, number): by_weight.get(item) for path, number, item in places}
        new = None
        if step.optimizer is not None and trained:
            _apply(step.optimizer, by_weight)
            new = {(path, number): item.detach().clone().numpy() for path, number, item in places}
        arrays = {key: None if gradient is None else gradient.numpy() for key, gradient in gradients.items()}
        return TrainingStep(float(total), arrays, new)
    finally:
        with torch.no_grad():
            for other, value in kept:
                other.copy_(value)
        for module in modules:
            module.eval()


def torch_loss(loss: OutputLoss) -> Any:
    """Return PyTorch's loss for an output, with the arguments that the program gives; numbers are tensors there."""
    torch = load_torch()
    if not loss.loss.type.startswith(TORCH):
        raise LayerExplainError(f"{loss.type} is not a loss of PyTorch")
    given = {
        key: torch.tensor(value) if key.endswith("weight") and value is not None else value
        for key, value in loss.arguments.items()
    }
    return getattr(torch.nn, loss.type)(**given)


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
