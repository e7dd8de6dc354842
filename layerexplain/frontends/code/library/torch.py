"""PyTorch: modules of torch.nn, functions on tensors, and what surrounds a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from layerexplain.frontends.code.library.signatures import in_order, overloads
from layerexplain.frontends.code.library.torch_modules import (
    CONTAINERS,
    BuiltIn,
    is_module,
    named_modules,
    named_parameters,
)
from layerexplain.frontends.code.library.torch_numbers import Numbers, computed, numbers
from layerexplain.frontends.code.library.torch_program import Parameter, TensorRun, TorchProgram, run_of
from layerexplain.frontends.code.library.torch_results import after, plain_arguments
from layerexplain.frontends.code.library.torch_tensors import Tensor, is_tensor
from layerexplain.frontends.code.library.torch_tensors import function as tensor_function
from layerexplain.frontends.code.library.torch_training import TorchTraining, is_loss
from layerexplain.frontends.code.machine.interpreter import Implementation, Library
from layerexplain.frontends.code.recorder.shapes import flat
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Identity,
    Keywords,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
)
from layerexplain.frontends.code.values.layers import unknown_in
from layerexplain.frontends.code.values.objects import Namespace
from layerexplain.frontends.code.values.program import Function, Instance
from layerexplain.frontends.code.values.reading import MODULE, numbered
from layerexplain.layers.arguments import NOT_SAID
from layerexplain.layers.registry import TORCH, find, of_torch, positional_arguments
from layerexplain.model import TensorRef
from layerexplain.ops.sizes import FLOATS

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_tensors import Tensor
    from layerexplain.frontends.code.machine.interpreter import Interpreter


# Torch gradients ----------------------------------------------------------------------------------------------------
# Where a run keeps gradients back: `with torch.no_grad():`, `@torch.no_grad()` and `x.detach()`.

MODES = {"no_grad": False, "inference_mode": False, "enable_grad": True}
"""Context managers by their names, and whether gradients pass what is computed in them."""


class GradientMode(Identity):
    """`torch.no_grad()` and the like. Outside of a run it changes nothing: a program that runs a model without
    gradients may train it elsewhere."""

    decorates = True

    def __init__(self, is_on: bool) -> None:
        self.is_on = is_on

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        if args and isinstance(args[0], Function):
            args[0].context = self
        return args[0] if args else self

    @contextmanager
    def entered(self, evaluator: Evaluator) -> Iterator[None]:
        run = run_of(evaluator)
        if run is None:
            yield
            return
        before, run.gradients.are_on = run.gradients.are_on, self.is_on
        try:
            yield
        finally:
            run.gradients.are_on = before


class Gradients:
    """Which tensors of a run a gradient has to pass to reach a weight, and which of them it cannot pass."""

    def __init__(self, run: TensorRun) -> None:
        self.run = run
        self.are_on = True
        self._behind_weights: set[Any] = set()
        """The calls that compute with a weight or with what was computed from one, by their keys."""
        self._stopped: set[Any] = set()
        """Those that ran without gradients."""
        self._detached: dict[TensorRef, Tensor] = {}

    def note_weights(self, tensors: Sequence[Tensor]) -> None:
        """Note that tensors are computed from weights of their own call, or are weights."""
        self._behind_weights |= {tensor.ref.key for tensor in tensors}

    def note_call(self, key: Any, tensors: Sequence[Tensor]) -> None:
        """Note a call with the tensors that it was given."""
        if any(tensor.ref.key in self._behind_weights for tensor in tensors):
            self._behind_weights.add(key)
        if not self.are_on:
            self._stopped.add(key)

    def seen(self, tensor: Tensor) -> Tensor:
        """Return a tensor as what computes with gradients sees it: detached if it was computed without them."""
        is_stopped = self.are_on and tensor.ref.key in self._stopped
        return self.detached(tensor, "no_grad") if is_stopped else tensor

    def detached(self, tensor: Tensor, name: str = "detach") -> Tensor:
        """Return a tensor through which no gradient passes: a row, if a weight would get one."""
        if tensor.ref.key not in self._behind_weights or tensor.spec.dtype not in FLOATS:
            return tensor
        if tensor.ref not in self._detached:
            before, self.are_on = self.are_on, False  # what is given to it needs no other row
            try:
                result = self.run.operation("detach", [tensor], {}, row=name)
            finally:
                self.are_on = before
            self._behind_weights.discard(result.ref.key)
            self._stopped.discard(result.ref.key)
            self._detached[tensor.ref] = result
        return self._detached[tensor.ref]


# Torch state --------------------------------------------------------------------------------------------------------
# What runs leave in the attributes of modules: `self.hidden = h` in forward. The next run begins without it, since
# its tensors are others.

_Attributes = dict[str, ProgramValue]


class ModuleState:
    """The attributes of modules that stand for tensors of runs, and what they were before."""

    def __init__(self) -> None:
        self._before: list[tuple[_Attributes, _Attributes]] = []

    @contextmanager
    def of_run(self, run: TensorRun) -> Iterator[None]:
        """Let a run begin as the program left the modules, and note which attributes it gives tensors."""
        for now, before in reversed(self._before):
            for name in [name for name, value in now.items() if _has_tensor(value)]:
                del now[name]
            now.update({name: value for name, value in before.items() if name not in now})
        self._before = []
        modules: list[Any] = [module for module in named_modules(run.model).values() if hasattr(module, "attributes")]
        kept = [(module.attributes, dict(module.attributes)) for module in modules]
        parameters = named_parameters(run.model).values()
        for parameter in parameters:
            parameter.run = run
        try:
            yield
        finally:
            for parameter in parameters:
                parameter.run = None
            self._before = [(now, before) for now, before in kept if any(map(_has_tensor, now.values()))]


def _has_tensor(value: ProgramValue) -> bool:
    return any(isinstance(item, Tensor) for item in flat(value))


# Torch --------------------------------------------------------------------------------------------------------------

LIBRARY: Library = Library("torch", "torchsummary", "torchinfo", "torchvision")


_WITHOUT_EFFECT = ("nn.init", "optim", "utils", "cuda", "backends", "manual_seed", "accelerator", "distributed", "amp")
"""Packages whose functions change no shape; none of their devices is there."""


_OF_CHECKPOINTS = ("use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug")


@LIBRARY.family("torch")
def _torch(name: str) -> Implementation:
    """Everything of torch by its dotted name."""
    last = name.rpartition(".")[2]

    def implementation(args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
        package = name.rpartition(".")[0]
        is_method = package.startswith("nn.") and package.rpartition(".")[2][:1].isupper()
        if is_method and args and isinstance(args[0], Instance) and is_module(args[0]):
            return interpreter.torch.method(args[0], last, args[1:], kwargs)
        if last == "generate_square_subsequent_mask":
            size = args[0] if args else kwargs.get("sz")
            whole = compute("full", [(size, size), -math.inf], {}, interpreter)
            return compute("triu", [whole], {"diagonal": 1}, interpreter)
        if last == "from_pretrained" and package in ("nn.Embedding", "nn.EmbeddingBag"):
            return _from_pretrained(package.rpartition(".")[2], args, kwargs, interpreter)
        if last in ("DataParallel", "DistributedDataParallel") and package in ("nn", "nn.parallel"):
            return interpreter.kept(TorchProgram).in_parallel(args[0] if args else kwargs.get("module"))
        if package == "nn" or package.startswith(("nn.parameter", "nn.modules")):
            return make(last, args, kwargs, interpreter)
        if package == "optim":
            return interpreter.kept(TorchTraining).make_optimizer(interpreter, last, args, kwargs)
        if package == "nn.init" and args and isinstance(args[0], Numbers):
            interpreter.mutate(args[0])
            args[0].shared.write(None)
        if package == "autograd" and last == "Variable" and args:
            return args[0]
        if name == "utils.checkpoint.checkpoint" and args:
            return interpreter.call(args[0], args[1:], {k: v for k, v in kwargs.items() if k not in _OF_CHECKPOINTS})
        if (computed := _computed_weight(name, args, kwargs, interpreter)) is not None:
            return computed
        if package.startswith(_WITHOUT_EFFECT):
            if run_of(interpreter) is not None and any(isinstance(argument, Tensor) for argument in args):
                return interpreter.unknown(f"layerexplain cannot read torch.{name}(…)")
            return None if last[:1].islower() else interpreter.unknown(f"an object of torch.{name}")
        if package == "jit":
            return args[0] if last in ("script", "export", "ignore", "unused") and args else False
        if package in ("", "nn.functional", "Tensor", "special", "_C._nn", "ops.misc"):
            return compute(last, args, kwargs, interpreter, f"torch.{name}")
        return NotImplemented

    return implementation


def _computed_weight(name: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return the module that weight_norm or spectral_norm of torch.nn.utils is given, one of whose weights is computed
    from then on; None for other functions."""
    *package, last = name.removeprefix("nn.utils.").split(".")
    declaration = find(f"torch.nn.utils.{last}") if name.startswith("nn.utils.") else None
    module = args[0] if args else kwargs.get("module")
    if not name.startswith("nn.utils.") or not isinstance(module, BuiltIn) or module.children is not None:
        return None
    interpreter.effects.record_attribute_change(module, "computed")
    if last in ("remove_weight_norm", "remove_spectral_norm", "remove_parametrizations"):
        module.computed = None
        return module
    if declaration is None:
        return None
    names = [
        argument for argument in positional_arguments(declaration) if argument not in ("type", "arguments", "is_new")
    ]
    how = dict(zip(names, args[1:], strict=False)) | {key: value for key, value in kwargs.items() if key in names}
    module.computed = (f"torch.nn.utils.{last}", {**how, "is_new": package == ["parametrizations"]})
    return module


def make(type_: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return a module of torch.nn, or a parameter."""
    module = _make(type_, args, kwargs, interpreter)
    if isinstance(module, BuiltIn):
        module.statement = interpreter.effects.statement
    return module


def _make(type_: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    interpreter.effects.record_model_event()
    interpreter.budget.make(MODULE)
    interpreter.kept(TorchProgram).makes_modules = True
    place = interpreter.place()
    if type_ == "Parameter":
        given = args[0] if args else kwargs.get("data")
        unknown = given if isinstance(given, Unknown) else interpreter.unknown("the numbers of a parameter")
        shape = tuple(given.shape) if isinstance(given, Parameter | Array) else (unknown,)
        return Parameter(shape, [*args[1:2], kwargs.get("requires_grad", True)][0])
    if type_ in CONTAINERS:
        container = BuiltIn(type_, {}, place, fill(type_, args or list(kwargs.values())))
        if not interpreter.unfinished:
            interpreter.kept(TorchProgram).finished.append(container)
        return container
    if type_ in BLOCKS:
        return make_block(type_, args, kwargs, interpreter)
    declaration, is_lazy = find(of_torch(type_.removeprefix("Lazy"))), type_.startswith("Lazy")
    if declaration is None:
        return BuiltIn(type_, {}, place) if type_[:1].isupper() else interpreter.unknown(f"torch.nn.{type_}")
    config = dict(zip(positional_arguments(declaration)[is_lazy:], args, strict=False))
    config |= {key: value for key, value in kwargs.items() if key not in ("device", "dtype", "inplace")}
    config = {key: tuple(value) if type(value) is list else value for key, value in config.items()}
    if type_ == "Identity":
        config = {}
    config = {key: _named(interpreter.no_function(value)) for key, value in config.items()}
    if is_loss(type_):
        config = plain_arguments(config)
        interpreter.kept(TorchTraining).note_loss(interpreter, type_, config)
    module = BuiltIn(type_, config, place) if is_lazy else make_module(type_, config, interpreter)
    module.is_in_place = kwargs.get("inplace") is True
    return module


def make_module(type_: str, config: dict[str, Any], interpreter: Interpreter) -> BuiltIn:
    """Return a module that has a declaration; what this refuses of its arguments is a fault of the program."""
    interpreter.effects.record_model_event()
    interpreter.kept(TorchProgram).makes_modules = True
    declaration = find(of_torch(type_))
    if declaration is not None and unknown_in(config) is None and NOT_SAID not in config.values():
        for _, error in declaration.faults(config):
            interpreter.fault(error)
    return BuiltIn(type_, config, interpreter.place())


def _from_pretrained(type_: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return an embedding with the rows of a table, which it does not train unless `freeze` is False."""
    given = dict(zip(("embeddings", "freeze"), args, strict=False)) | kwargs
    table, freeze = given.pop("embeddings", None), given.pop("freeze", True)
    sizes = list(table.shape) if isinstance(table, Parameter | Array) else []
    unknown = table if isinstance(table, Unknown) else interpreter.unknown("the table of an embedding")
    module = make(type_, [*(sizes if len(sizes) == 2 else [unknown, unknown]), *args[2:]], given, interpreter)
    weight = module.get_attribute(interpreter, "weight") if isinstance(module, BuiltIn) else None
    if isinstance(weight, Parameter):
        weight.requires_grad = not freeze if isinstance(freeze, bool) else freeze
    return module


def _named(value: Any) -> Any:
    """Return the name of a function that is an argument: `activation=F.gelu`."""
    return value.last if isinstance(value, Symbol) else value


def compute(name: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter, path: str = "") -> Any:
    """Return what a function of torch or torch.nn.functional gives; `path` is its whole name."""
    args, kwargs = in_order(path or f"torch.{name}", args, kwargs, is_tensor)
    of_loss = interpreter.kept(TorchTraining).call_function(interpreter, name, args, kwargs)
    if of_loss is not NotImplemented:
        return of_loss
    return after(interpreter, _compute(name, args, kwargs, interpreter, path), name, args, kwargs, path)


def _compute(name: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter, path: str) -> Any:
    run = run_of(interpreter)
    if name == "is_tensor" and args and not isinstance(args[0], Unknown):
        return isinstance(args[0], Tensor | Parameter | Array)
    given = [*args, *kwargs.values()]
    tensors = [item for item in given if isinstance(item, Tensor | Parameter)]
    nested = [
        item for each in given if type(each) in (list, tuple) for item in each if isinstance(item, Tensor | Parameter)
    ]
    if run is not None and (tensors or nested):
        return tensor_function(run, name, args, kwargs, path)
    result = numbers(name, args, kwargs, interpreter) if run is None else run.numbers(name, args, kwargs)
    if result is not NotImplemented:
        return result
    if (unknown := next((item for item in given if isinstance(item, Unknown)), None)) is not None:
        return unknown
    if name in ("set_grad_enabled", "manual_seed", "device", "save", "compile", "set_default_dtype"):
        return args[0] if name == "compile" and args else None
    if name in MODES:
        return GradientMode(MODES[name])
    if name in ("is_tracing", "is_scripting"):
        return False
    if name == "load":
        words = f"it comes from {path or 'torch.load'}(…), which reads a file that is not opened"
        return interpreter.unknown(words)._replace(is_result=True)
    if given:
        return computed(name, args, kwargs, interpreter, path)
    return interpreter.unknown(f"it comes from torch.{name}(…), which layerexplain does not compute")


_FLOATS = {"float32": (127, 23), "float16": (15, 10), "bfloat16": (127, 7), "float64": (1023, 52)}
"""Of dtypes the largest exponent of 2, and how many bits the fraction has."""


@LIBRARY.function("torch.finfo")
def _ends_of_floats(args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return the largest, smallest and finest numbers of a dtype."""
    name = getattr(args[0], "last", "") if args else "float32"
    if name not in _FLOATS:
        return interpreter.unknown("the ends of a dtype")
    exponent, bits = _FLOATS[name]
    largest = (2 - 2.0**-bits) * 2.0**exponent
    return Namespace({"max": largest, "min": -largest, "eps": 2.0**-bits, "tiny": 2.0 ** (1 - exponent)})


@LIBRARY.family("torchsummary")
@LIBRARY.family("torchinfo")
def _summary(name: str) -> Implementation:
    """Read the shape of the input from `summary(model, (3, 32, 32))`."""

    def implementation(args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
        size = kwargs.get("input_size", args[1] if len(args) > 1 else None)
        data = kwargs.get("input_data")
        if args and is_module(args[0]):
            if isinstance(data, Array):
                interpreter.call_module(args[0], [data], {})
            elif isinstance(size, list | tuple) and all(isinstance(item, int) for item in size):
                with_batch = tuple(size) if len(size) == 4 else (1, *size)
                interpreter.call_module(args[0], [Numbers(with_batch)], {})
        return None

    return implementation


# Torch blocks -------------------------------------------------------------------------------------------------------
# Modules of torch.nn that consist of modules: the encoder and the decoder of a transformer, and both together.

_ENCODER, _DECODER, _BOTH = BLOCKS = ("TransformerEncoder", "TransformerDecoder", "Transformer")
_OF_LAYERS = "d_model nhead dim_feedforward dropout activation layer_norm_eps batch_first norm_first bias".split()  # noqa: SIM905
_ARGUMENTS = {
    _ENCODER: "encoder_layer num_layers norm enable_nested_tensor mask_check",
    _DECODER: "decoder_layer num_layers norm",
    _BOTH: "d_model nhead num_encoder_layers num_decoder_layers dim_feedforward dropout activation custom_encoder "
    "custom_decoder layer_norm_eps batch_first norm_first bias",
}


def make_block(type_: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """Return a module that consists of others, by its arguments."""
    given = {**dict(zip(_ARGUMENTS[type_].split(), args, strict=False)), **kwargs}
    if type_ != _BOTH:
        layer = given.get("encoder_layer" if type_ == _ENCODER else "decoder_layer")
        return _in_layers(type_, layer, given.get("num_layers"), given.get("norm"), interpreter)
    options = {"d_model": 512, "nhead": 8, **{key: given[key] for key in _OF_LAYERS if key in given}}
    norm = {"eps": given.get("layer_norm_eps", 1e-5), "bias": given.get("bias", True)}

    def module(name: str, *values: Any, **named: Any) -> Any:
        return interpreter.call_symbol(Symbol(f"torch.nn.{name}"), [*values], named)

    parts = {}
    for side in (_ENCODER, _DECODER):
        word = side.removeprefix(_BOTH).lower()
        custom, count = given.get(f"custom_{word}"), given.get(f"num_{word}_layers", 6)
        last = module("LayerNorm", options["d_model"], **norm)
        parts[word] = custom or _in_layers(side, module(f"{side}Layer", **options), count, last, interpreter)
    return BuiltIn(type_, {}, interpreter.place(), parts)


def _in_layers(type_: str, layer: Any, count: Any, norm: Any, interpreter: Interpreter) -> Any:
    """Return an encoder or a decoder: copies of its layer, then its norm."""
    if not isinstance(count, int) or not is_module(layer):
        return interpreter.unknown(f"how many layers a {type_} has")._replace(is_result=True)
    interpreter.budget.make(len(numbered(count)) * len(named_modules(layer)) * MODULE)
    copies = {str(i): interpreter.call_symbol(Symbol("copy.deepcopy"), [layer], {}) for i in range(count)}
    parts: dict[str, Any] = {"layers": BuiltIn("ModuleList", {}, interpreter.place(), copies)}
    return BuiltIn(type_, {}, interpreter.place(), parts | ({"norm": norm} if is_module(norm) else {}))


def call_block(run: TensorRun, block: BuiltIn, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a module that consists of others."""
    signature = overloads(f"{TORCH}{block.type}.forward")[0]
    names, given = signature.positional, signature.bind(args, kwargs)
    parts, first = block.children or {}, names[: 1 if block.type == _ENCODER else 2]
    if missing := [name for name in first if name not in given]:
        raise ProgramError("TypeError", f"forward() missing the argument '{missing[0]}'", run.interpreter.place())
    tensors = [given.pop(name) for name in first]
    masks = {name: value for name, value in given.items() if value is not None}
    if block.type == _BOTH:
        own = {"src_mask": "mask", "src_key_padding_mask": "src_key_padding_mask", "src_is_causal": "is_causal"}
        memory = run.run(
            parts["encoder"], tensors[:1], {own[name]: mask for name, mask in masks.items() if name in own}
        )
        others = {name: mask for name, mask in masks.items() if name not in own}
        return run.run(parts["decoder"], [tensors[1], memory], others)
    x, *memories = tensors
    masks = {"src_mask" if name == "mask" else name: mask for name, mask in masks.items()}
    for layer in parts["layers"].iterate():
        x = run.part(layer, [x, *memories], masks)
    return run.part(parts["norm"], [x], {}) if "norm" in parts else x


def fill(container: Mapping[str, Any] | Any, args: list[Any]) -> dict[str, Any]:
    """Return the children of a container by what it is made with: modules, a list of them, or a mapping."""
    items: Any = args
    if len(args) == 1 and type(args[0]) in (list, tuple, dict):
        items = args[0]
    elif len(args) == 1 and isinstance(args[0], BuiltIn) and args[0].children is not None and container == "ModuleList":
        items = args[0].iterate()
    if type(items) is dict or (container in ("ModuleDict", "ParameterDict") and type(items) in (list, tuple)):
        return dict(items)  # pairs of a name and a module do as well
    return {str(i): item for i, item in enumerate(items)}
