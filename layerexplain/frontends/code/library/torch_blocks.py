"""Modules of torch.nn that consist of modules: the encoder and the decoder of a transformer, and both together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.frontends.code.library.torch_modules import BuiltIn, is_module, named_modules
from layerexplain.frontends.code.library.torch_program import TensorRun
from layerexplain.frontends.code.values.base import ProgramError, Symbol
from layerexplain.frontends.code.values.bounds import MODULE, numbered

if TYPE_CHECKING:
    from layerexplain.frontends.code.machine.interpreter import Interpreter

_ENCODER, _DECODER, _BOTH = BLOCKS = ("TransformerEncoder", "TransformerDecoder", "Transformer")
_OF_LAYERS = "d_model nhead dim_feedforward dropout activation layer_norm_eps batch_first norm_first bias".split()  # noqa: SIM905
_ARGUMENTS = {
    _ENCODER: "encoder_layer num_layers norm enable_nested_tensor mask_check",
    _DECODER: "decoder_layer num_layers norm",
    _BOTH: "d_model nhead num_encoder_layers num_decoder_layers dim_feedforward dropout activation custom_encoder "
    "custom_decoder layer_norm_eps batch_first norm_first bias",
}
_INPUTS = {
    _ENCODER: "src mask src_key_padding_mask",
    _DECODER: "tgt memory tgt_mask memory_mask tgt_key_padding_mask memory_key_padding_mask",
    _BOTH: "src tgt src_mask tgt_mask memory_mask src_key_padding_mask tgt_key_padding_mask memory_key_padding_mask",
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
    names = _INPUTS[block.type].split()
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    parts, first = block.children or {}, names[: 1 if block.type == _ENCODER else 2]
    if missing := [name for name in first if name not in given]:
        raise ProgramError("TypeError", f"forward() missing the argument '{missing[0]}'", run.interpreter.place())
    tensors = [given.pop(name) for name in first]
    masks = {name: one for name, one in given.items() if one is not None and not name.endswith("is_causal")}
    if block.type == _BOTH:
        own = {"src_mask": "mask", "src_key_padding_mask": "src_key_padding_mask"}
        memory = run.run(parts["encoder"], tensors[:1], {own[name]: one for name, one in masks.items() if name in own})
        others = {name: one for name, one in masks.items() if name not in own}
        return run.run(parts["decoder"], [tensors[1], memory], others)
    x, *memories = tensors
    masks = {"src_mask" if name == "mask" else name: one for name, one in masks.items()}
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
    return {str(i): one for i, one in enumerate(items)}
