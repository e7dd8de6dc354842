"""What a program of PyTorch trains its models with: the losses that it makes and calls, and its optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.frontends.code.library.signatures import fitting
from layerexplain.frontends.code.library.torch_modules import BuiltIn, ModuleParameters, is_module, named_modules
from layerexplain.frontends.code.library.torch_program import Parameter, run_of
from layerexplain.frontends.code.library.torch_results import Origin, marked, origin_of, plain_arguments
from layerexplain.frontends.code.library.torch_tensors import Tensor
from layerexplain.frontends.code.recorder.shapes import flat
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Evaluator, Place, Unknown
from layerexplain.lang.axes import Shape
from layerexplain.layers.arguments import NOT_SAID
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.registry import TORCH, TORCH_FUNCTIONS, find, part_of, positional_arguments
from layerexplain.model import DataArray, FitData, Model, Note, Training, TrainingSetting


class _Use:
    """A loss or an optimizer, the model that it is for where the code says that and which of its results, and the
    target that it is given."""

    def __init__(
        self, setting: TrainingSetting, model: Any = None, target: Any = None, part: int | str | None = None
    ) -> None:
        self.setting = setting
        self.model = model
        self.target = target
        self.part = part
        self.fault: LayerExplainError | None = None


def _same(setting: TrainingSetting) -> str:
    """Return what two uses of one loss have in common, wherever they stand."""
    return repr([item[:2] for item in (setting, *setting.applied)])


class LossSum(Unknown):
    """The value of losses: each with its factor, its setting, and the tensor in `forward` or, in a loop of training,
    the use that it is of; `has_more` says that it adds what is no loss of torch.nn."""

    terms: tuple[tuple[float, TrainingSetting, Any], ...] = ()
    has_more: bool = False

    def operate(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        other = right if left is self else left
        if name == "Add" and isinstance(other, LossSum):
            return self._with(evaluator, [*left.terms, *right.terms], has_more=left.has_more or right.has_more)
        if name == "Add" and other == 0:
            return self
        if isinstance(other, int | float) and (name == "Mult" or (name == "Div" and left is self and other)):
            factor = other if name == "Mult" else 1 / other
            terms = [(factor * weight, setting, of) for weight, setting, of in self.terms]
            return self._with(evaluator, terms, has_more=self.has_more)
        if run_of(evaluator) is None and (name == "Add" or (name == "Sub" and left is self)):
            return self._with(evaluator, self.terms, has_more=True)
        return evaluator.unknown("what a loss in forward is computed into")

    def _with(
        self, evaluator: Evaluator, terms: Sequence[tuple[float, TrainingSetting, Any]], *, has_more: bool
    ) -> Any:
        """Return a sum of losses; those of one output that are alike are one."""
        results: dict[Any, tuple[float, TrainingSetting, Any]] = {}
        for weight, setting, of in terms:
            key = (_same(setting), id(of.model), of.part) if isinstance(of, _Use) else len(results)
            results[key] = (weight + results[key][0] if key in results else weight, setting, of)
        result = self._replace(terms=tuple(results.values()), has_more=has_more)
        evaluator.kept(TorchTraining).sums.append(result)
        return result

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if name == "backward" and run_of(evaluator) is None:
            evaluator.kept(TorchTraining).descended.append(self)
        same = name in ("backward", "float", "to", "mean", "sum")
        same = same or (name in ("detach", "item") and run_of(evaluator) is not None)
        return self if same else evaluator.unknown(f"the method {name} of a loss")


def _in_forward(run: Any, setting: TrainingSetting, output: Any, target: Any) -> LossSum:
    """Return a loss of a tensor and of targets that come into the model from outside."""
    loss = find(setting.name)
    if loss is None or not isinstance(output, Tensor) or not isinstance(target, Tensor):
        raise run.unknown(f"what {setting.name.removeprefix(TORCH)} compares in forward")
    if any(type_.startswith(TORCH) for type_, _ in run.before(target.ref).values()):
        raise run.unknown(f"{setting.name.removeprefix(TORCH)} compares two tensors that the model computes")
    if (error := _refusal(loss, setting, target.spec.shape, output.spec.shape)) is not None:
        raise run.refused(error.fact)
    run.targets.append(target.ref)
    return LossSum("the value of a loss", terms=((1.0, setting, output),))


class TorchTraining:
    """What a program trains its models with."""

    def __init__(self) -> None:
        self.created: list[_Use] = []
        self.called: list[_Use] = []
        self.optimizers: list[_Use] = []
        self.updated: list[Any] = []
        """The models whose parameters the optimizers change; None for parameters of a model that is not known."""
        self.behind_models: list[Any] = []
        """The models that compute with what another model gives."""
        self.sums: list[LossSum] = []
        self.descended: list[LossSum] = []
        """The losses whose gradients the program asks for."""

    def origin_of(self, value: Any) -> Origin:
        """Return the model whose result or parameters a value is, and which; one of no model for others."""
        for item in value if type(value) in (list, tuple) else [value]:
            if (origin := origin_of(item)) is not None:
                return origin
            if isinstance(item, Parameter | ModuleParameters):
                return Origin(item.asked_of if isinstance(item, Parameter) else item.module)
            if type(item) is dict and "params" in item:
                return self.origin_of(item["params"])
        return Origin(None)

    def models_of(self, parameters: Any) -> list[Any]:
        """Return the models that parameters belong to, with None for what belongs to none that is known."""
        parts = parameters["params"] if type(parameters) is dict and "params" in parameters else parameters
        if type(parts) in (list, tuple) and parts:
            return [model for part in parts for model in self.models_of(part)]
        return [self.origin_of(parts).model]

    def result(self, value: Any, model: Any) -> Any:
        """Return what a model gives, from which the model can be told."""
        if type(value) is dict:
            return {key: marked(item, Origin(model, key)) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)([marked(item, Origin(model, i)) for i, item in enumerate(value)])
        return marked(value, Origin(model))

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
        model, part, applied = self.origin_of(output)
        if model is None and isinstance(output, Unknown):  # it may be computed from what the model gives
            applied = (TrainingSetting(""),)
        setting = _setting(interpreter, f"{TORCH}{type_}", config, place)._replace(applied=applied)
        use = _Use(setting, model, target, part)
        if run_of(interpreter) is not None:
            self.created.clear()  # what forward compares is read there
            return _in_forward(run_of(interpreter), use.setting, output, target)
        if isinstance(output, Array) and isinstance(target, Array):
            use.fault = _misfit(use.setting, output, target)
            if use.fault is not None:
                use.fault.fact += _output_padding(use.model, output.shape, target.shape)
                place = interpreter.locate(interpreter.place())
                use.fault = use.fault.with_place(**place.error_fields)
        if not any((other.setting, other.model, other.part) == (use.setting, model, part) for other in self.called):
            self.called.append(use)
        where = interpreter.unknown("the value of a loss")
        self.sums.append(LossSum(where.reason, where.line, file=where.file, terms=((1.0, use.setting, use),)))
        return self.sums[-1]

    def call_function(self, interpreter: Any, name: str, args: list[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return what a function gives that is a loss; NotImplemented for any other one."""
        loss = find(f"{TORCH_FUNCTIONS}{name}")
        if loss is None:
            return NotImplemented
        signature = fitting(f"{TORCH_FUNCTIONS}{name}", args, kwargs)
        names = () if signature is None else signature.positional
        given = {**dict(list(zip(names, args, strict=False))[2:]), **kwargs}
        config = {key: value for key, value in given.items() if value is not None}
        if any([config.pop(old, None) is not None for old in ("size_average", "reduce")]):  # of older programs
            config["reduction"] = NOT_SAID
        return self.call_loss(interpreter, loss.name, config, args[:2], kwargs)

    def make_optimizer(self, interpreter: Any, name: str, args: list[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return an optimizer, once it is noted what it changes."""
        declaration = find(f"torch.optim.{name}")
        parameters = args[0] if args else kwargs.get("params")
        if name[:1].isupper():
            names = () if declaration is None else positional_arguments(declaration)
            config = dict(zip(names, args[1:], strict=False)) | {k: v for k, v in kwargs.items() if k != "params"}
            setting = _setting(interpreter, f"torch.optim.{name}", config)
            self.optimizers.append(_Use(setting, self.origin_of(parameters).model))
            self.updated += self.models_of(parameters)
        return interpreter.unknown("an optimizer")


def is_loss(type_: str) -> bool:
    """Return whether a module of torch.nn is a loss whose formula is known."""
    return part_of("losses", f"{TORCH}{type_}") is not None


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
    return _refusal(loss, setting, tuple(target.shape), tuple(output.shape))


def _refusal(loss: Declaration, setting: TrainingSetting, target: Shape, output: Shape) -> LayerExplainError | None:
    """Return the error of a loss on a target and an output of these shapes; None where it takes them."""
    known = {key: value for key, value in setting.config.items() if value is not NOT_SAID}
    try:
        loss.trace([Spec(target, "float"), Spec(output, "float"), None], loss.bind(known))
    except LayerExplainError as error:
        return error
    return None


def _output_padding(model: Any, got: Sequence[Any], wanted: Sequence[Any]) -> str:
    """Return the argument by which the last module, a ConvTranspose, gives the size of the target; "" for others."""
    every = [] if model is None else named_modules(model).items()
    convolutions = [(name, item) for name, item in every if isinstance(item, BuiltIn) and "Conv" in item.type]
    lacks = {b - a for a, b in zip(got[2:], wanted[2:], strict=False)}
    is_last = bool(convolutions) and convolutions[-1][1].type.startswith("ConvTranspose")
    if not is_last or len(got) != len(wanted) or len(lacks) != 1:
        return ""
    (name, module), less = convolutions[-1], lacks.pop()
    own, stride = module.config.get("output_padding", 0), module.config.get("stride", 1)
    if not isinstance(own, int) or not isinstance(stride, int) or not 0 < own + less < stride:
        return ""
    return (
        f"; write output_padding={own + less} in '{name}', {module.type}: it gives {wanted[-1]} in place of {got[-1]}"
    )


def with_torch_training(
    model: Model,
    found: Any,
    training: TorchTraining,
    result: Any,
    inside: Sequence[LossSum] = (),
    *,
    has_step: bool = True,
) -> Model:
    """Return a model with the loss and the optimizer that the program trains it with, where there is one of each;
    `result` is what its `forward` gives, `inside` the losses in that, and `has_step` whether the program names a step
    of training: without one, an optimizer or a gradient shows that it trains."""
    losses, optimizers = _uses(training.called or training.created, found), _uses(training.optimizers, found)
    faults = tuple([item.fault for item in losses if item.fault is not None])
    if _is_never_updated(training, found):
        model = model._replace(notes=(*model.notes, Note("optimizer-of-another-model", None, _NEVER_UPDATED)))
    optimizer = optimizers[0].setting if len(optimizers) == 1 else None
    has_step = has_step or bool(optimizers or training.descended)
    terms = [term for item in inside for term in item.terms]
    own = {tensor.ref.layer: setting for _, setting, tensor in terms}
    if terms and len(own) == len(terms):
        factors = {tensor.ref.layer: weight for weight, _, tensor in terms if weight != 1}
        return model._replace(training=Training(optimizer, own, factors, has_step=has_step))
    by_output, factors, words, are_all = _by_output(model, found, training, output_numbers(result))
    loss = losses[0] if len({_same(item.setting) for item in losses}) == 1 else None
    outputs = list(dict.fromkeys(ref.layer for ref in model.outputs))
    # Of several outputs the first one, if it is known that the loss is of this model.
    if not by_output and loss is not None and (len(outputs) == 1 or loss.model is not None):
        by_output = {"" if len(outputs) == 1 else outputs[0] if outputs else "": loss.setting}
        are_all = False
    if not training.descended:  # a loss that is only printed may well be of a detached output
        kept = {place: [item for item in s.applied if item.name != "torch.detach"] for place, s in by_output.items()}
        by_output = {place: s._replace(applied=tuple(kept[place])) for place, s in by_output.items()}
    if not by_output and optimizer is None:
        return model._replace(faults=(*model.faults, *faults))
    data = None
    if loss is not None and isinstance(loss.target, Array) and loss.fault is None and loss.target.shape:
        known = loss.target.values or (() if loss.target.classes is None else (0, loss.target.classes - 1))
        low, high = (float(min(known)), float(max(known))) if known else (None, None)
        is_whole = str(loss.target.dtype).startswith("int")
        data = FitData((DataArray("y", tuple(loss.target.shape), low, high, is_whole),), None)
    return model._replace(
        training=Training(optimizer, by_output, factors, are_all=are_all, has_step=has_step),
        faults=(*model.faults, *faults),
        fit_data=data or model.fit_data,
        notes=(*model.notes, *[Note("open-setting", None, word) for word in words]),
    )


_NEVER_UPDATED = "backward() gives this model its gradients, and every optimizer has the parameters of another model"


def _is_never_updated(training: TorchTraining, model: Any) -> bool:
    """Return whether a model is trained, and all optimizers are known to change other models alone. A model that
    computes with what another one gives may be there to train that one, as a network of features in a loss is."""
    if not is_module(model) or any(other is model for other in training.behind_models):
        return False
    descends = any(
        use.model is model for loss in training.descended for _, _, use in loss.terms if isinstance(use, _Use)
    )
    changed = [
        part for item in training.updated for part in (named_modules(item).values() if is_module(item) else [item])
    ]
    own = [*named_modules(model).values()]
    is_changed = any(item is None or any(item is part for part in own) for item in changed)
    return descends and bool(changed) and not is_changed


def output_numbers(result: Any) -> dict[int | str, int]:
    """Return, for each part of what a model gives that is one tensor, its number among the outputs."""
    parts: Any = enumerate(result) if type(result) in (list, tuple) else ()
    numbers: dict[int | str, int] = {}
    count = 0
    for key, part in result.items() if type(result) is dict else parts:
        tensors = [item for item in flat(part) if isinstance(item, Tensor)]
        if isinstance(part, Tensor):
            numbers[key] = count
        count += len(tensors)
    return numbers


def _by_output(
    model: Model, result: Any, training: TorchTraining, numbers: Mapping[int | str, int]
) -> tuple[dict[str, TrainingSetting], dict[str, float], list[str], bool]:
    """Return the losses that a loop of training adds, by the outputs of a model; their factors, where there are several
    outputs; the notes on an output with several losses, whose first one is followed; and whether they are all.
    `numbers` has the number of an output for each part of what the model gives."""
    sums = _own_sums(training.descended, result) or _own_sums(training.sums, result)
    if not training.descended and sums:
        sums = [max(reversed(sums), key=lambda loss: len(loss.terms))]
    places: dict[str, dict[str, tuple[float, TrainingSetting]]] = {}
    are_all = not any(loss.has_more for loss in sums)
    for weight, setting, use in [term for loss in sums for term in loss.terms]:
        many = len({ref.layer for ref in model.outputs}) > 1
        part = len(numbers) + use.part if isinstance(use.part, int) and use.part < 0 else use.part
        if many and numbers.get(part, len(model.outputs)) >= len(model.outputs):
            are_all = False
            continue
        place = model.outputs[numbers[part]].layer if many else ""
        places.setdefault(place, {}).setdefault(_same(setting), (weight, setting))
    words = []
    for loss in sums:
        own = [*places[next(iter(places))].values()] if len(places) == 1 else []
        if loss.has_more or len(own) > 1:
            names = [f"nn.{setting.name.removeprefix(TORCH)}" for _, setting, _ in loss.terms]
            parts = [
                f"{term[0]:g} × {name}" if term[0] != 1 else name for term, name in zip(loss.terms, names, strict=True)
            ]
            written = " + ".join([*parts, *["numbers that are no loss of torch.nn"] * loss.has_more])
            words.append(f"line {loss.line}: the loss is {written}; layerexplain follows {names[0]} alone")
    by_output = {place: next(iter(own.values()))[1] for place, own in places.items()}
    factors = {place: next(iter(own.values()))[0] for place, own in places.items() if len(places) > 1}
    factors = {place: factor for place, factor in factors.items() if factor != 1}
    return by_output, factors, [*dict.fromkeys(words)], are_all


def _own_sums(sums: Sequence[LossSum], model: Any) -> list[LossSum]:
    """Return what of sums of losses belongs to a model."""
    uses = _uses([of for loss in sums for _, _, of in loss.terms if isinstance(of, _Use)], model)
    each = [
        loss._replace(terms=tuple([term for term in loss.terms if any(term[2] is use for use in uses)]))
        for loss in sums
    ]
    return [loss for loss in each if loss.terms]


def _uses(uses: list[_Use], model: Any) -> list[_Use]:
    """Return what belongs to a model or a part of it: by the code, or else what the code does not assign to any
    model."""
    parts = [*named_modules(model).values()] if is_module(model) else [model]
    of_model = [use for use in uses if any(use.model is part for part in parts)]
    return of_model or [use for use in uses if use.model is None]
