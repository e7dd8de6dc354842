"""The configuration of layers in one form, whatever version of Keras or format they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from layerexplain.call_binding import bind_call
from layerexplain.errors import LayerExplainError, SpecError
from layerexplain.frontends.model_builder import automatic
from layerexplain.lang.tables import ConstantArray
from layerexplain.layers.arguments import PER_AXIS, Activation
from layerexplain.layers.declaration import COMMON, Declaration
from layerexplain.layers.keras.activations import usual_name
from layerexplain.layers.registry import PARTS_OF_TRAINING, class_name, find, part_of
from layerexplain.layers.signature import Facts
from layerexplain.model import Call, ForeignFunction, Layer, Model, TrainingSetting, tensor_refs
from layerexplain.network.scope import declaration_of
from layerexplain.records import NamedTuple, grouped, sources_first
from layerexplain.report.data import LayerReport
from layerexplain.report.normal_values import Normal, is_same, says_nothing, usual_value
from layerexplain.report.settings import is_setting, setting_of

# Tensorflow functions -----------------------------------------------------------------------------------------------

_SAME = (
    "add:Add subtract:Subtract multiply:Multiply truediv:TrueDivide divide_no_nan:DivideNoNan floordiv:FloorDivide"
    " floormod:Mod pow:Power maximum:Maximum minimum:Minimum equal:Equal not_equal:NotEqual less:Less"
    " less_equal:LessEqual greater:Greater greater_equal:GreaterEqual logical_and:LogicalAnd logical_or:LogicalOr"
    " reduce_mean:Mean reduce_sum:Sum reduce_max:Max reduce_min:Min reduce_prod:Prod"
)
_TWINS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    **{f"tf.math.{name}": (twin, {}) for name, _, twin in (pair.partition(":") for pair in _SAME.split())},
    "tf.reshape": ("Reshape", {"shape": "newshape"}),
    "tf.transpose": ("Transpose", {"perm": "axes"}),
    "tf.tile": ("Tile", {"multiples": "repeats"}),
    "tf.clip_by_value": ("Clip", {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "tf.linalg.matmul": ("Matmul", {}),
    **dict.fromkeys(
        ("tf.pad", *(f"tf.raw_ops.{pad}" for pad in ("Pad", "PadV2", "MirrorPad"))), ("Pad", {"paddings": "pad_width"})
    ),
}
"""Function → the class of the operation that is the same, and what its arguments are called there."""


def todays_operation(layer: Layer, call: Call) -> tuple[Layer, Call]:
    """Return a function of TensorFlow and its call as an operation of Keras 3.

    Raises SpecError for a function that has no twin there, or none for these arguments.
    """
    function = f"tf.{layer.config['function']}"
    declaration = find(function)
    if declaration is None:
        raise SpecError(f"{function} is not known, so no operation of Keras 3 can stand for it")
    twin, renamed = _TWINS.get(declaration.type, (declaration.type.removeprefix("ops."), {}))
    tensors = list(call.args)
    kwargs = dict(call.kwargs)
    key = kwargs.get("slice_spec")
    cut = tuple(key) if isinstance(key, list | tuple) and not any(True for _ in tensor_refs(key)) else None
    if declaration.type == "tf.__operators__.getitem" and cut is not None:
        return _operation(layer, "GetItem", {}), call._replace(args=(*tensors[:1], cut), kwargs={})
    if twin.startswith("tf."):
        raise SpecError(f"no operation of Keras 3 is known here that computes what {function} does")
    for name in declaration.tensors[len(tensors) :]:
        if name not in kwargs:
            break
        tensors.append(kwargs.pop(name))
    count = max(len(declaration.tensors), 1)
    config = {
        name: value for name, value in layer.config.items() if name in declaration.arguments
    }  # of a raw operation
    if declaration.variadic is None:
        config.update(zip(declaration.arguments, tensors[count:], strict=False))
    config.update(kwargs)
    if any(True for _ in tensor_refs(config)) or not config.keys() <= declaration.arguments.keys():
        raise SpecError(f"{function} is called with arguments for which Keras 3 has no operation")
    if twin == "Matmul" and any(config.values()):
        raise SpecError(f"{function} is called with {', '.join(config)}, which Keras 3's matmul does not have")
    kept = {renamed.get(name, name): value for name, value in config.items() if twin != "Matmul"}
    if twin == "Pad":
        # A raw operation takes its amounts, and what it pads with, as tensors.
        kept.update(zip(("pad_width", "constant_values"), tensors[1:], strict=False))
        kept = {name: value.value if isinstance(value, ConstantArray) else value for name, value in kept.items()}
        kept["mode"] = str(kept.get("mode", "constant")).lower()
        if kept["mode"] != "constant":  # Keras refuses a value that no mirror reads
            kept.pop("constant_values", None)
        tensors, count = tensors[:1], 1
    args = tuple(tensors if declaration.variadic is not None else tensors[:count])
    return _operation(layer, twin, kept), call._replace(args=args, kwargs={})


def _operation(layer: Layer, type_: str, config: Mapping[str, Any]) -> Layer:
    return layer._replace(type=type_, config=config)


def is_tensorflow(layer: Layer) -> bool:
    """Return whether a layer is a function of TensorFlow."""
    return layer.kind == "operation" and isinstance(layer.config.get("function"), str)


# Normal form --------------------------------------------------------------------------------------------------------
# The configuration of layers in one form, whatever version of Keras or format they come from.

_NO_ARGUMENTS = frozenset({"name", "trainable", "dtype", "batch_shape", "batch_input_shape"})
_ELSEWHERE = COMMON - {"activity_regularizer", "autocast"}
"""Arguments of all layers that are compared otherwise, or say where a layer stands."""

Declarations = Mapping[str, Declaration]
_NONE: Declarations = MappingProxyType({})


class NormalLayer(NamedTuple):
    """A layer in its normal form, with its row of the report; `masks` are the paths of the layers whose results its
    calls are given as masks."""

    layer: Layer
    path: str
    form: Normal
    row: LayerReport | None
    in_sequential: bool
    masks: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What the layer is: a class of Keras, an operation, a nested model, an own class."""
        return self.layer.kind

    @property
    def type(self) -> str:
        """The name of its class."""
        return self.form.type

    @property
    def is_implied_input(self) -> bool:
        """Whether it is the input of a Sequential, whose name a reader or a version of Keras makes up."""
        return self.in_sequential and self.type == "InputLayer"

    @property
    def is_named(self) -> bool:
        """Whether somebody gave it its name: those that Keras gives count the layers of a session."""
        return not (automatic(self.layer) or self.layer.name.startswith("tf."))

    @property
    def sources(self) -> tuple[str, ...]:
        """The paths of the layers that feed its calls."""
        prefix = self.path.removesuffix(self.layer.name)
        return tuple([prefix + name for call in (self.row.calls if self.row else ()) for name in call.sources])

    @property
    def signature(self) -> str:
        """What the layer is, without its name and its place, and without what no formula shows."""
        return repr((self.kind, self.form._replace(others={}), is_trained(self.layer)))


def normal_layers(
    model: Model, rows: Sequence[LayerReport], prefix: str = "", outer: Declarations = _NONE
) -> Iterator[NormalLayer]:
    """Yield the layers of a model, given with the rows of its report; those of nested models follow theirs."""
    declarations = {**outer, **model.declarations} if model.declarations else outer
    by_name = {row.layer: row for row in rows}
    calls = grouped((call.layer, call) for call in model.calls)
    for layer in model.layers:
        row = by_name.get(layer.name)
        own = sorted(calls.get(layer.name, ()), key=lambda call: call.index)
        if is_tensorflow(layer) and len(own) == 1:
            with suppress(LayerExplainError):  # what Keras 3 has no operation for stays what it is
                layer, own[0] = todays_operation(layer, own[0])
        rank = len(row.input_shapes[0] or ()) if row is not None and row.input_shapes else 0
        form = normal_form(layer, own, rank, declarations)
        masks = tuple([prefix + ref.layer for call in own for ref in tensor_refs(call.kwargs.get("mask"))])
        yield NormalLayer(layer, prefix + layer.name, form, row, model.type == "Sequential", masks)
        if layer.model is not None:
            inner = row.layers if row is not None else ()
            yield from normal_layers(layer.model, inner, f"{prefix}{layer.name}/", declarations)


def is_trained(layer: Layer) -> bool:
    """Return whether nothing freezes the layer itself."""
    return layer.config.get("trainable") is not False


def normal_form(layer: Layer, calls: Sequence[Call] = (), rank: int = 0, declarations: Declarations = _NONE) -> Normal:
    """Return a layer in its normal form; the other arguments are those of `arguments_of`.

    >>> normal_form(Layer("d", "Dense", "layer", {"units": 3, "kernel_initializer": "he_normal", "name": "d"}))
    Dense(units=3, kernel_initializer=HeNormal)
    """
    arguments: dict[str, Any] = {}
    for number, call in enumerate(calls or (None,), start=1):
        for name, value in arguments_of(layer, call, rank, declarations).items():
            if not is_same(arguments.setdefault(name, value), value):
                arguments[f"{name} (call {number})"] = value
    return Normal(_type(layer), arguments, dict(_others(layer, declarations)))


def _type(layer: Layer) -> str:
    """Return the name of a layer's class; Keras 1 and 2 called a Functional model Model."""
    if layer.model is not None:
        return "Functional" if layer.type == "Model" else layer.type
    return class_name(layer.type) if layer.kind == "layer" else layer.type


def _others(layer: Layer, declarations: Declarations) -> Iterator[tuple[str, Any]]:
    """Yield the arguments that no formula takes and that do not have their usual value; of a layer also its dtype,
    which some formulas take in another form."""
    if not (is_trained(layer) and (layer.model is None or layer.model.trainable)):
        yield "trainable", False
    if layer.frozen:
        yield "frozen", tuple(sorted(layer.frozen))
    if layer.model is not None or layer.kind == "operation":
        return
    yield "dtype", Normal(dtype_text(layer.config.get("dtype")))
    if layer.type == "InputLayer":
        batch = layer.config.get("batch_shape")
        if isinstance(batch, tuple) and batch and batch[0] is not None:
            yield "batch_size", batch[0]
        yield from [(name, True) for name in ("sparse", "ragged", "optional") if layer.config.get(name) is True]
    declaration = declaration_of(layer, declarations)
    for given, value in layer.config.items():
        name = given if declaration is None else declaration.renamed.get(given, given)
        if name in _ELSEWHERE or (declaration is not None and name in declaration.arguments):
            continue
        if is_setting(name):
            setting = normal_setting(value)
            if not is_same(setting, usual_value(name)) and not (declaration and is_unused_setting(declaration, name)):
                yield name, setting
        elif _is_compared(declaration, name) and not says_nothing(name, value):
            yield name, plain(value)


def _is_compared(declaration: Declaration | None, name: str) -> bool:
    """Return whether an argument that no formula takes is one of the class; files of other versions hold more."""
    if declaration is None or declaration.type.startswith("torch."):
        return False
    return name in declaration.ignores or name == "autocast" or not declaration.is_built_in


def normal_setting(value: Any) -> Any:
    """Return an initializer, a regularizer or a constraint in its normal form.

    >>> normal_setting("he_normal"), normal_setting({"class_name": "L2", "config": {"l2": 0.1}}), normal_setting({})
    (HeNormal, L2(l2=0.1), None)
    """
    if isinstance(value, ForeignFunction):
        return Normal(value.name)
    setting = setting_of(value)
    if setting is not None:
        return Normal(setting.name, {name: plain(item) for name, item in setting.config.items()})
    return None if value is None or isinstance(value, Mapping) else plain(value)


def normal_part(kind: str, value: Any) -> Any:
    """Return a loss, an optimizer, a schedule or a metric in its normal form, with its defaults.

    >>> normal_part("losses", "huber")
    Huber
    """
    if not isinstance(value, TrainingSetting | str):
        return value
    setting = value if isinstance(value, TrainingSetting) else TrainingSetting(value)
    known = part_of(kind, setting.name)
    declaration = None if known is None else find(known)
    usual = {} if declaration is None else {name: plain(item) for name, item in declaration.default_values.items()}
    stated = {name: _plain_part(argument) for name, argument in setting.config.items()}
    return Normal(setting.name if declaration is None else declaration.type, {**usual, **stated})


def _plain_part(value: Any) -> Any:
    """Return an argument of a part of training: a schedule or an optimizer in it has its defaults too."""
    if not isinstance(value, TrainingSetting):
        return plain(value)
    kind = next((kind for kind in PARTS_OF_TRAINING if part_of(kind, value.name)), "")
    return normal_part(kind, value) if kind else plain(value)


def is_unused_setting(declaration: Declaration, name: str) -> bool:
    """Return whether a setting is for the kernel of a layer that has depthwise kernels in its place: Keras 2 wrote
    both."""
    weight, _, rest = name.partition("_")
    return weight == "kernel" and name not in declaration.ignores and f"depthwise_{rest}" in declaration.ignores


def dtype_text(value: Any) -> str:
    """Return a dtype or a policy in words.

    >>> dtype_text(None), dtype_text({"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}})
    ('float32', 'mixed_float16')
    """
    config = value.get("config", value) if isinstance(value, Mapping) else {}
    if isinstance(config, Mapping) and config:
        named = [str(config[key]) for key in ("name", "mode", "source_name") if config.get(key)]
        return " of ".join(named) or "float32"
    is_default = value in (None, "float") or isinstance(value, Mapping)
    return "float32" if is_default else str(value).replace("_from_", " of ")


def arguments_of(
    layer: Layer, call: Call | None = None, rank: int = 0, declarations: Declarations = _NONE
) -> dict[str, Any]:
    """Return the arguments of a layer, and of one of its calls, in their normal form.

    Args:
        layer: The layer.
        call: One of its calls; arguments that Keras takes there (`use_causal_mask`), and numbers that stand in place of
            tensors, count as well.
        rank: The number of axes of its input, from which axes are counted; 0 where it is not known.
        declarations: Those of the model's own classes.
    """
    declaration = declaration_of(layer, declarations)
    arguments = _arguments(layer, call, declarations)
    return {name: _one_form(declaration, name, value, rank) for name, value in arguments.items()}


def default_arguments(declaration: Declaration, rank: int = 0) -> dict[str, Any]:
    """Return the defaults of a declaration's arguments in the same normal form."""
    arguments = {}
    for name, value in declaration.default_values.items():
        is_activation = name in declaration.arguments and declaration.arguments[name].check is Activation
        arguments[name] = _one_form(declaration, name, plain(usual_name(value) if is_activation else value), rank)
    return arguments


def _arguments(layer: Layer, call: Call | None, declarations: Declarations) -> dict[str, Any]:
    if layer.model is not None:
        return {}
    if layer.type == "InputLayer":
        shape = layer.config.get("batch_shape")
        return {"shape": shape[1:] if isinstance(shape, tuple) else None}
    declaration = declaration_of(layer, declarations)
    if declaration is not None:
        try:
            # The dtype of a layer that holds a TensorFlow call is not an argument of the call.
            config = {k: v for k, v in layer.config.items() if k != "dtype" or "function" not in layer.config}
            numbers: dict[str, Any] = {}
            if call is not None and (call.kwargs or len(call.args) != 1):
                bound_call = bind_call(declaration, call)
                config.update({name: value for name, value in bound_call.config.items() if value is not None})
                names = declaration.names(len(bound_call.tensors))
                numbers = {names[place]: value for place, value in bound_call.constants.items()}
            bound = declaration.bind({**declaration.default_values, **config})
            if "pool_size" in bound and bound.get("strides") is None:
                bound["strides"] = bound["pool_size"]
            for name, value in bound.items():
                if name in declaration.arguments and declaration.arguments[name].check is Activation:
                    bound[name] = usual_name(value)
            if declaration.training and call is not None and call.kwargs.get("training") is True:
                numbers["training"] = True  # files say False where the code says nothing
            stated = {name: plain(value) for name, value in {**bound, **numbers}.items()}
            return _without_copies(declaration.facts, stated) if declaration.holds else stated
        except LayerExplainError:
            pass
    return {name: plain(value) for name, value in layer.config.items() if name not in _NO_ARGUMENTS}


def _one_form(declaration: Declaration | None, name: str, value: Any, rank: int) -> Any:
    """Return what versions write in several forms: an axis (3, [3], -1) counted from the end, and a size that is the
    same for all spatial axes ([3, 3], 3), or before and after an axis, as one number."""
    parts = value if isinstance(value, tuple) else (value,)
    if name == "axis" and parts and all(type(axis) is int for axis in parts):
        parts = tuple([axis % rank - rank for axis in parts]) if rank else parts
        return parts[0] if len(parts) == 1 else parts
    argument = None if declaration is None else declaration.arguments.get(name)
    if argument is not None and PER_AXIS in argument.check.words and isinstance(value, tuple) and value:
        pairs = [isinstance(part, tuple) and len(part) == 2 and is_same(*part) for part in value]
        sizes = tuple([part[0] if is_pair else part for is_pair, part in zip(pairs, value, strict=True)])
        is_one = len(sizes) == 1 or not isinstance(sizes[0], tuple)
        return sizes[0] if is_one and all(is_same(size, sizes[0]) for size in sizes) else sizes
    return value


def plain(value: Any) -> Any:
    """Return a value of a configuration in its normal form: lists as tuples, layers and models as `Normal`."""
    if isinstance(value, Layer):
        if value.model is not None:
            return _inner_model(value, value.model)
        declaration = declaration_of(value, _NONE)
        rank = 0 if declaration is None else declaration.ndim or 0
        form = normal_form(value, (), rank)
        is_list = value.type == "StackedRNNCells" and is_same(form.others, {"dtype": Normal("float32")})
        return form.arguments.get("cells") if is_list else form  # which RNN makes of a list of cells
    if isinstance(value, ConstantArray):
        return plain(value.value)
    if isinstance(value, ForeignFunction):
        return value if value.code else value.name
    if isinstance(value, TrainingSetting):
        return Normal(value.name, {name: plain(item) for name, item in value.config.items()})
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return tuple([plain(item) for item in value]) if isinstance(value, list | tuple) else value


def _inner_model(layer: Layer, model: Model) -> Normal:
    """Return a model that another layer holds: its layers in the order of a walk from its outputs, so that names do not
    count; its hash and, of what no formula shows, how they are connected."""
    from layerexplain.network.trace import trace_model
    from layerexplain.report.architecture import architecture

    by_key = {call.key: call for call in model.calls}
    keys = sources_first(
        [ref.key for ref in model.outputs if ref.key in by_key],
        lambda key: [ref.key for ref in by_key[key].refs if ref.key in by_key],
    )
    names = dict.fromkeys([*[name for name, _ in keys], *[inner.name for inner in model.layers]])
    forms = {row.layer.name: row.form for row in normal_layers(model, ()) if "/" not in row.path}
    hashes = architecture(trace_model(model), {})
    others = {"layers": tuple([forms[name] for name in names]), "architecture": hashes.family}
    return Normal(_type(layer), {"architecture": hashes.hash}, {**others, **dict(_others(layer, _NONE))})


def _without_copies(facts: Facts, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a layer that holds others, without what it sets in those itself, and without a layer that
    it would make of another were it not given."""
    inner_layers = {
        name: value._replace(arguments=_without(value.arguments, *facts.sets_in_inner))
        for name, value in arguments.items()
        if isinstance(value, Normal)
    }
    for name, (original, flag) in facts.inner_copies.items():
        if name in inner_layers and original in inner_layers:
            copy, source = inner_layers[name], inner_layers[original]
            bare = [normal._replace(arguments=_without(normal.arguments, flag)) for normal in (copy, source)]
            if is_same(*bare) and copy.arguments.get(flag) != source.arguments.get(flag):
                arguments = {**arguments, name: None}
                del inner_layers[name]
    return {**arguments, **inner_layers}


def _without(arguments: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in names}
