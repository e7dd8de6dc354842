"""What a program of PyTorch trains its models with: the losses that it makes and calls, and its optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.frontends.code.library.torch_modules import (
    BuiltIn,
    ModuleParameters,
    is_module,
    named_modules,
)
from layerexplain.frontends.code.library.torch_parameters import Parameter
from layerexplain.frontends.code.library.torch_tensors import Tensor
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Evaluator, Identity, Place, Unknown
from layerexplain.layers.arguments import NOT_SAID
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import TORCH, TORCH_FUNCTIONS, find, part_of, positional_arguments
from layerexplain.model import DataArray, FitData, Model, Training, TrainingSetting


class FromModel(Unknown):
    """What a model gives for data that are not known; `of` is the model."""

    of: Any = None

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        return self


class _Use:
    """A loss or an optimizer, the model that it is for where the code says that, and the target that it is given."""

    def __init__(self, setting: TrainingSetting, model: Any = None, target: Any = None) -> None:
        self.setting = setting
        self.model = model
        self.target = target
        self.fault: LayerExplainError | None = None


class LossInForward(Identity):
    """The value of a loss that `forward` computes: the sum of losses, each with its factor, setting and output."""

    def __init__(self, terms: Sequence[tuple[float, TrainingSetting, Tensor]]) -> None:
        self.terms = terms

    def operate(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        other = right if left is self else left
        if name == "Add" and isinstance(other, LossInForward):
            return LossInForward([*left.terms, *right.terms])
        if name == "Add" and other == 0:
            return self
        if isinstance(other, int | float) and (name == "Mult" or (name == "Div" and left is self and other)):
            factor = other if name == "Mult" else 1 / other
            return LossInForward([(factor * weight, setting, tensor) for weight, setting, tensor in self.terms])
        return evaluator.unknown("what a loss in forward is computed into")

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        same = name in ("detach", "item", "backward", "float", "to")
        return self if same else evaluator.unknown(f"the method {name} of a loss")


def _in_forward(run: Any, setting: TrainingSetting, output: Any, target: Any) -> LossInForward:
    """Return a loss of a tensor and of targets that come into the model from outside."""
    loss = find(setting.name)
    if loss is None or not isinstance(output, Tensor) or not isinstance(target, Tensor):
        raise run.unknown(f"what {setting.name.removeprefix(TORCH)} compares in forward")
    if any(type_.startswith(TORCH) for type_, _ in run.before(target.ref).values()):
        raise run.unknown(f"{setting.name.removeprefix(TORCH)} compares two tensors that the model computes")
    known = {key: one for key, one in setting.config.items() if one is not NOT_SAID}
    try:
        loss.trace([Spec(target.spec.shape, "float"), Spec(output.spec.shape, "float"), None], loss.bind(known))
    except LayerExplainError as error:
        raise run.refused(error.fact) from None
    run.targets.append(target.ref)
    return LossInForward([(1.0, setting, output)])


class TorchTraining:
    """What a program trains its models with."""

    def __init__(self) -> None:
        self.results: dict[int, tuple[Any, Any]] = {}
        """What models give for data, each with the model, by its identity."""
        self.created: list[_Use] = []
        self.called: list[_Use] = []
        self.optimizers: list[_Use] = []

    def model_of(self, value: Any) -> Any:
        """Return the model whose result or parameters a value is; None for any other value."""
        for part in value if type(value) in (list, tuple) else [value]:
            if isinstance(part, FromModel):
                return part.of
            if isinstance(part, Parameter | ModuleParameters):
                return part.asked_of if isinstance(part, Parameter) else part.module
            if type(part) is dict and "params" in part:
                return self.model_of(part["params"])
            if id(part) in self.results:
                return self.results[id(part)][1]
        return None

    def result(self, value: Any, model: Any) -> Any:
        """Return what a model gives, from which the model can be told."""
        if isinstance(value, Unknown):
            return FromModel(value.reason, value.line, file=value.file, column=value.column, of=model)
        self.results[id(value)] = (value, model)
        return value

    def note_loss(self, interpreter: Any, type_: str, config: Mapping[str, Any]) -> None:
        """Note that a loss is made."""
        self.created.append(_Use(_setting(interpreter, f"{TORCH}{type_}", config)))

    def call_loss(
        self,
        interpreter: Any,
        type_: str,
        config: Mapping[str, Any],
        args: list[Any],
        kwargs: Mapping[str, Any],
        place: Place | None = None,
    ) -> Any:
        """Record what a loss compares, and return its value; `place` is where it was made, if not here."""
        given = [*args, *(kwargs[key] for key in ("input", "target") if key in kwargs)]
        output, target = given[:2] if len(given) > 1 else (None, None)
        use = _Use(_setting(interpreter, f"{TORCH}{type_}", config, place), self.model_of(output), target)
        if interpreter.torch.run is not None:
            self.created.clear()  # what forward compares is read there
            return _in_forward(interpreter.torch.run, use.setting, output, target)
        if isinstance(output, Array) and isinstance(target, Array):
            use.fault = _misfit(use.setting, output, target)
            if use.fault is not None:
                use.fault.fact += _output_padding(use.model, output.shape, target.shape)
                place = interpreter.locate(interpreter.place())
                use.fault = use.fault.with_place(**place.error_fields)
        if not any((one.setting, one.model) == (use.setting, use.model) for one in self.called):
            self.called.append(use)
        return interpreter.unknown("the value of a loss")

    def call_function(self, interpreter: Any, name: str, args: list[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return what a function gives that is a loss; NotImplemented for any other one."""
        loss = find(f"{TORCH_FUNCTIONS}{name}")
        if loss is None:
            return NotImplemented
        config = {key: one for key, one in kwargs.items() if key not in ("input", "target")}
        if len(args) > 2 and "weight" in loss.arguments:
            config["weight"] = args[2]
        if len(args) > 3 or (len(args) > 2 and "weight" not in loss.arguments):
            config["reduction"] = NOT_SAID  # such arguments are those of older programs
        return self.call_loss(interpreter, loss.name, config, args[:2], kwargs)

    def make_optimizer(self, interpreter: Any, name: str, args: list[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return an optimizer, once it is noted what it changes."""
        declaration = find(f"torch.optim.{name}")
        parameters = args[0] if args else kwargs.get("params")
        if name[:1].isupper():
            names = () if declaration is None else positional_arguments(declaration)
            config = dict(zip(names, args[1:], strict=False)) | {k: v for k, v in kwargs.items() if k != "params"}
            setting = _setting(interpreter, f"torch.optim.{name}", config)
            self.optimizers.append(_Use(setting, self.model_of(parameters)))
        return interpreter.unknown("an optimizer")


def is_loss(type_: str) -> bool:
    """Return whether a module of torch.nn is a loss whose formula is known."""
    return part_of("losses", f"{TORCH}{type_}") is not None


def plain_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as plain data, `NOT_SAID` for each whose value the code does not say."""
    return {key: _plain(one) for key, one in config.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Array):
        return NOT_SAID if value.values is None else _nested(value.values, value.shape)
    if isinstance(value, list | tuple):
        parts = tuple(map(_plain, value))
        return NOT_SAID if any(one is NOT_SAID for one in parts) else parts
    return value if value is None or isinstance(value, bool | int | float | str) else NOT_SAID


def _nested(values: tuple[Any, ...], shape: Sequence[Any]) -> Any:
    """Return the values of an array as nested tuples."""
    if not shape:
        return values[0]
    if len(shape) == 1:
        return values
    each = len(values) // (shape[0] or 1)
    return tuple([_nested(values[i : i + each], shape[1:]) for i in range(0, len(values), each)])


def _setting(interpreter: Any, name: str, config: Mapping[str, Any], place: Place | None = None) -> TrainingSetting:
    """Return a loss or an optimizer with its arguments."""
    return TrainingSetting(name, plain_arguments(config), interpreter.locate(place or interpreter.place()).line or None)


def _misfit(setting: TrainingSetting, output: Array, target: Array) -> LayerExplainError | None:
    """Return what PyTorch refuses of a target: its shape, or the kind of its numbers."""
    loss = find(setting.name)
    sizes = (*output.shape, *target.shape)
    if loss is None or not all(isinstance(size, int) for size in sizes):
        return None
    name, floats = setting.name.removeprefix(TORCH), str(target.dtype).startswith("float")
    kind = getattr(getattr(loss, "targets", None), "kind", "")
    if kind == "classes" and len(target.shape) < len(output.shape) and floats:
        return ArgumentError(
            f"{name} needs class numbers that are whole, got dtype={target.dtype}; write target.long()"
        )
    if kind == "bits" and not floats:
        return ArgumentError(f"{name} needs targets that are floats, got dtype={target.dtype}; write target.float()")
    known = {key: one for key, one in setting.config.items() if one is not NOT_SAID}
    try:
        loss.trace([Spec(tuple(target.shape), "float"), Spec(tuple(output.shape), "float"), None], loss.bind(known))
    except LayerExplainError as error:
        return error
    return None


def _output_padding(model: Any, got: Sequence[Any], wanted: Sequence[Any]) -> str:
    """Return the argument by which the last module, a ConvTranspose, gives the size of the target; "" for others."""
    every = [] if model is None else named_modules(model).items()
    convolutions = [(name, one) for name, one in every if isinstance(one, BuiltIn) and "Conv" in one.type]
    lacks = {b - a for a, b in zip(got[2:], wanted[2:], strict=False)}
    if (
        not convolutions
        or not convolutions[-1][1].type.startswith("ConvTranspose")
        or len(got) != len(wanted)
        or len(lacks) != 1
    ):
        return ""
    (name, module), less = convolutions[-1], lacks.pop()
    own, stride = module.config.get("output_padding", 0), module.config.get("stride", 1)
    if not isinstance(own, int) or not isinstance(stride, int) or not 0 < own + less < stride:
        return ""
    return (
        f"; write output_padding={own + less} in '{name}', {module.type}: it gives {wanted[-1]} in place of {got[-1]}"
    )


def with_torch_training(
    model: Model, found: Any, training: TorchTraining, inside: Sequence[LossInForward] = ()
) -> Model:
    """Return a model with the loss and the optimizer that the program trains it with, where there is one of each;
    `inside` are losses that its `forward` gives."""
    losses, optimizers = _uses(training.called or training.created, found), _uses(training.optimizers, found)
    faults = tuple([one.fault for one in losses if one.fault is not None])
    outputs = list(dict.fromkeys(ref.layer for ref in model.outputs))
    loss = losses[0] if len({repr(one.setting[:2]) for one in losses}) == 1 else None
    optimizer = optimizers[0].setting if len(optimizers) == 1 else None
    terms = [term for one in inside for term in one.terms]
    own = {tensor.ref.layer: setting for _, setting, tensor in terms}
    if terms and len(own) == len(terms):
        factors = {tensor.ref.layer: weight for weight, _, tensor in terms if weight != 1}
        return model._replace(training=Training(optimizer, own, factors))
    if loss is None and optimizer is None:
        return model._replace(faults=(*model.faults, *faults))
    by_output = {} if loss is None else {"" if len(outputs) == 1 else outputs[0] if outputs else "": loss.setting}
    data = None
    if loss is not None and isinstance(loss.target, Array) and loss.fault is None and loss.target.shape:
        known = loss.target.values or (() if loss.target.classes is None else (0, loss.target.classes - 1))
        low, high = (float(min(known)), float(max(known))) if known else (None, None)
        is_whole = str(loss.target.dtype).startswith("int")
        data = FitData((DataArray("y", tuple(loss.target.shape), low, high, is_whole),), None)
    return model._replace(
        training=Training(optimizer, by_output), faults=(*model.faults, *faults), fit_data=data or model.fit_data
    )


def _uses(uses: list[_Use], model: Any) -> list[_Use]:
    """Return what belongs to a model or a part of it: by the code, or else what the code does not assign to any
    model."""
    parts = [*named_modules(model).values()] if is_module(model) else [model]
    of_model = [one for one in uses if any(one.model is part for part in parts)]
    return of_model or [one for one in uses if one.model is None]
