"""The registry of layers: what `@layer` declares, how a declaration is found, and how it is traced.

Layer modules load on first use: `index.py` is the generated table from type to module.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import WEIGHT, Expr, Shape, tensor
from layerexplain.layers.arguments import Argument, argument_of, did_you_mean, short
from layerexplain.ops.sizes import default_roles, shape_text
from layerexplain.records import NamedTuple

MaskRule = Callable[..., Any]


# What a formula's code raises for an argument that is no number where it counts, has too few parts, or is 0 where it
# divides: files may hold anything, and not every argument of every operation has a kind of its own.
_WRONG_KIND = (
    TypeError,
    ValueError,
    ZeroDivisionError,
    OverflowError,
    IndexError,
    KeyError,
    AttributeError,
    StopIteration,
    RuntimeError,
)


class Spec(NamedTuple):
    """The shape and dtype of a tensor that a layer is traced with; `roles` are what its axes are called, None where
    their number tells (`default_roles`)."""

    shape: Shape
    dtype: str
    roles: tuple[str, ...] | None = None


class Stored(NamedTuple):
    """A declaration's result, with weights that the layer owns and its formula does not use."""

    result: Any
    weights: tuple[Expr, ...]


class Declaration:
    """A layer type: its formula as a function, its tensors and arguments, and how it treats masks.

    `tensors` are the positional parameters in the order of the Keras call, the last `optional` of which may be
    left out; `variadic` is the name of a `*xs` parameter, `called` the names of its tensors where each has its own.
    `arguments` are the keyword-only ones, `loose` the names of those whose values may be more than plain ones.
    """

    __slots__ = (
        "alone",
        "arguments",
        "called",
        "default_values",
        "description",
        "doc",
        "function",
        "ignores",
        "loose",
        "mask",
        "name",
        "ndim",
        "optional",
        "reads_mask",
        "reads_masks",
        "renamed",
        "tensors",
        "training",
        "type",
        "variadic",
    )

    def __init__(
        self,
        type_: str,
        function: Callable[..., Any],
        mask: Any,
        training: bool,
        ignores: tuple[str, ...],
        ndim: int | None,
        renamed: Mapping[str, str],
        alone: str,
        called: tuple[str, ...] = (),
    ) -> None:
        code = function.__code__
        keyword_only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        defaults = function.__kwdefaults__ or {}
        annotations = function.__annotations__
        self.type = type_
        self.function = function
        self.tensors = code.co_varnames[: code.co_argcount]
        self.optional = len(function.__defaults__ or ())
        self.variadic = code.co_varnames[code.co_argcount + code.co_kwonlyargcount] if code.co_flags & 0x04 else None
        self.reads_mask = "mask" in keyword_only
        self.reads_masks = "masks" in keyword_only
        self.training = training
        self.mask = mask
        self.ndim = ndim
        self.ignores = frozenset(ignores)
        self.renamed = renamed
        self.alone = alone
        self.called = called
        self.arguments: dict[str, Argument] = {
            name: argument_of(annotations[name], defaults.get(name, Argument.REQUIRED))
            for name in keyword_only
            if name not in ("mask", "masks", "training")
        }
        self.loose = tuple([name for name, argument in self.arguments.items() if not argument.check.plain])
        self.default_values = {n: a.default for n, a in self.arguments.items() if a.default is not Argument.REQUIRED}
        self.name = snake_case(type_)
        self.doc = function.__doc__ or ""
        self.description = self.doc.strip().partition("\n")[0]

    def bind(self, config: Mapping[str, Any], *, strict: bool = False) -> dict[str, Any]:
        """The declaration's arguments from a layer's configuration, checked and in their one normal form.

        With `strict` an argument that the layer does not have raises `ArgumentError`; without it is passed over:
        files of other Keras versions hold arguments that change nothing here.
        """
        bound: dict[str, Any] = {}
        if not strict and not self.renamed:
            for name, argument in self.arguments.items():
                if name in config:
                    value = config[name]
                    known = argument.known.get(type(value))
                    if known is not None and value in known:
                        bound[name] = known[value]
                    else:
                        bound[name] = argument.normal(self.type, name, value)
                elif argument.default is Argument.REQUIRED:
                    raise self._missing(name, argument)
            return bound
        for given, value in config.items():
            name = self.renamed.get(given, given)
            taken = self.arguments.get(name)
            if taken is not None:
                bound[name] = taken.normal(self.type, name, value)
            elif strict and name not in COMMON and name not in self.ignores:
                raise self._unknown(name)
        for name, argument in self.arguments.items():
            if name not in bound and argument.default is Argument.REQUIRED:
                raise self._missing(name, argument)
        return bound

    def faults(self, config: Mapping[str, Any]) -> list[tuple[str | None, ArgumentError]]:
        """All that a strict `bind` refuses, each with the argument as it was given (None where one is missing)."""
        found: list[tuple[str | None, ArgumentError]] = []
        given = set()
        for key, value in config.items():
            name = self.renamed.get(key, key)
            given.add(name)
            argument = self.arguments.get(name)
            if argument is not None:
                try:
                    argument.normal(self.type, name, value)
                except ArgumentError as error:
                    found.append((key, error))
            elif name not in COMMON and name not in self.ignores:
                found.append((key, self._unknown(name)))
                # One that is misspelt is not missing too.
                given |= {known for known in self.arguments if did_you_mean(name, [known])}
        for name, argument in self.arguments.items():
            if name not in given and argument.default is Argument.REQUIRED:
                found.append((None, self._missing(name, argument)))
        return found

    def _wrong(self, tensors: Sequence[Expr | None], arguments: Mapping[str, Any]) -> str:
        """What is said where arguments that each are of their kind make no sense together or with the tensors."""
        given = ", ".join(f"{name}={short(value)}" for name, value in arguments.items()) or "none"
        shapes = ", ".join(shape_text(t.shape) for t in tensors if t is not None) or "no tensor"
        return f"{self.type} needs arguments that fit each other and its input, got {given} for {shapes}"

    def _unknown(self, name: str) -> ArgumentError:
        known = [*self.arguments, *self.ignores, *COMMON]
        hint = did_you_mean(name, known)
        takes = f"takes {', '.join(self.arguments) or 'none of its own'}"
        return ArgumentError(f"{self.type} has no argument '{name}'{f'{hint} It' if hint else '; it'} {takes}")

    def _missing(self, name: str, argument: Argument) -> ArgumentError:
        return ArgumentError(f"{self.type} needs '{name}': {argument.words}; give {name}={argument.example}")

    def trace(
        self,
        specs: Sequence[Spec | None],
        arguments: Mapping[str, Any],
        masks: Sequence[Spec | None] = (),
        *,
        training: bool = False,
        constants: Mapping[int, Expr] | None = None,
    ) -> Definition:
        """The layer at given shapes: its formula, weights and results. `arguments` come from `bind`.

        `specs` are those of its tensors in call order, None for an optional one that is not given (or none at the
        end); `masks` those of the masks that the tensors carry. `constants` are numbers given in place of a tensor.
        """
        if len(specs) < len(self.tensors):
            specs = [*specs, *[None] * (len(self.tensors) - len(specs))]
        names = self.names(len(specs))
        given = constants or {}
        tensors: list[Expr | None] = [
            given[i] if i in given else None if spec is None else tensor(names[i], *spec)
            for i, spec in enumerate(specs)
        ]
        required = len(self.tensors) - self.optional
        if None in tensors[:required]:
            missing = names[tensors.index(None)]
            raise ShapeError(f"{self.type} needs tensors for {', '.join(names[:required])}, got no {missing}")
        if self.ndim is not None and tensors[0] is not None and tensors[0].ndim != self.ndim:
            wanted = ", ".join(default_roles(self.ndim))
            raise ShapeError(
                f"{self.type} needs an input with {self.ndim} axes ({wanted}), "
                f"got {shape_text(tensors[0].shape)} with {tensors[0].ndim}{_other_rank(tensors[0].shape, self.ndim)}"
            )
        used = self._masks(names, masks)
        keywords = arguments
        if self.reads_mask:
            keywords = {**keywords, "mask": next(iter(used), None)}
        if self.reads_masks:
            keywords = {**keywords, "masks": used}
        if self.training:
            keywords = {**keywords, "training": training}
        try:
            result = self.function(*tensors, **keywords)
        except _WRONG_KIND as error:
            raise ArgumentError(self._wrong(tensors, arguments)) from error
        stored: tuple[Expr, ...] = ()
        if type(result) is Stored:
            result, stored = result
        results = {"y": result} if type(result) is Expr else result
        out_masks: tuple[Expr | None, ...] = ()
        if callable(self.mask):
            out_masks = self._out_masks(tensors, used, arguments, len(results), list(results.values()))
        params = [t for i, t in enumerate(tensors) if t is not None and i not in given]
        params += [m for m in used if m is not None]
        definition = Definition(
            self.name,
            tuple(params),
            (),
            results,
            masks=out_masks,
            description=self.description,
            arguments=arguments if len(arguments) == len(self.arguments) else {**self.default_values, **arguments},
        )
        weights = [node for node in definition.order if node.op is WEIGHT]
        if stored:
            weights = sorted({*weights, *stored}, key=lambda node: node.serial)
        definition.weights = tuple(weights)
        return definition

    def names(self, count: int) -> list[str]:
        """What the formula calls the first `count` tensors of a call: `x1`, `x2` for the tensors of an Add."""
        extra = count - len(self.tensors)
        if extra == 0:
            return list(self.tensors)
        if self.variadic is None:
            return [*self.tensors[:count], *[f"tensor{len(self.tensors) + i + 1}" for i in range(extra)]]
        if 0 < extra <= len(self.called):
            return [*self.tensors[:count], *self.called[:extra]]
        stem = self.variadic[:-1] if self.variadic.endswith("s") else self.variadic
        return [*self.tensors[:count], *[f"{stem}{i + 1}" if extra > 1 else stem for i in range(extra)]]

    def _masks(self, names: list[str], masks: Sequence[Spec | None]) -> list[Expr | None]:
        if not (self.reads_mask or self.reads_masks or callable(self.mask)):
            return []
        given = [m for m in masks if m is not None]
        result: list[Expr | None] = []
        for name, spec in zip(names, masks, strict=False):
            label = "mask" if len(given) == 1 and len(names) == 1 else f"{name}_mask"
            result.append(None if spec is None else tensor(label, spec.shape, spec.dtype))
        return result

    def _out_masks(
        self,
        tensors: list[Expr | None],
        masks: list[Expr | None],
        arguments: Mapping[str, Any],
        count: int,
        results: list[Expr],
    ) -> tuple[Expr | None, ...]:
        if not callable(self.mask):
            return ()
        made = self.mask([t for t in tensors if t is not None], masks, {**self.default_values, **arguments})
        if made is None:
            return ()
        return made if isinstance(made, tuple) else (made,) + (None,) * (count - 1)


def _other_rank(shape: Shape, wanted: int) -> str:
    """What to do about a wrong number of axes."""
    sizes = shape[1:]
    if len(shape) == wanted - 1 and all(isinstance(s, int) for s in sizes):
        return f"; where the channels are missing, Reshape to ({', '.join(map(str, sizes))}, 1) adds them"
    if len(shape) == 2:
        return "; Reshape gives it more"
    return "; TimeDistributed applies the layer to each step" if len(shape) > wanted else ""


_COMMON = (
    "name dtype trainable batch_input_shape batch_shape batch_size input_shape input_dim autocast "
    "activity_regularizer weights"
)
COMMON = frozenset(_COMMON.split())
"""Arguments that every Keras layer takes and that are handled outside of the declarations."""

IN_FILES_ONLY = frozenset({"dtype", "quantization_config", "time_major"})
"""Arguments that files hold and that no one is offered."""

KERNEL_AND_BIAS = (
    "kernel_initializer bias_initializer kernel_regularizer bias_regularizer kernel_constraint bias_constraint "
    "lora_rank lora_alpha quantization_config"
)
"""Arguments of training that change no shape, count, cost or formula."""

LAYERS: dict[str, Declaration] = {}
"""All declarations that have been loaded, by type; a duplicate raises."""


def layer(
    type_: str,
    *,
    mask: Any = "stop",
    training: bool = False,
    ignores: str = "",
    also: Sequence[str] = (),
    ndim: int | None = None,
    renamed: Mapping[str, str] = MappingProxyType({}),
    alone: str = "",
    called: Sequence[str] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a layer type by its formula.

    `mask`: "pass" hands the mask on, "stop" ends it, a function(tensors, masks, arguments) makes the masks of the
    results. `training`: the declaration reads `training` and differs in it. `ignores` are the arguments, separated
    by spaces, that change nothing here. `also` are further names of the same layer. `ndim` is the number of axes that
    the first tensor must have. `renamed` maps an argument's older name to today's. `alone` is what is wrong with one
    bare tensor in place of a list, with `{shape}` for its shape. `called` names the tensors of a `*xs` parameter.
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in (type_, *also):
            if name in LAYERS:
                raise ValueError(f"layer {name!r} is declared twice")
            LAYERS[name] = Declaration(
                type_, function, mask, training, tuple(ignores.split()), ndim, renamed, alone, tuple(called)
            )
        return function

    return declare


def find(type_: str) -> Declaration | None:
    """The declaration of a type, loaded if need be; None if there is none."""
    declaration = LAYERS.get(type_)
    if declaration is None:
        from layerexplain.layers.index import MODULES

        module = MODULES.get(type_)
        if module is None:
            return None
        importlib.import_module(f"layerexplain.layers.{module}")
        declaration = LAYERS[type_]
    return declaration


def type_names() -> list[str]:
    """All layer types that have a declaration, in alphabetical order; operations between layers are left out."""
    from layerexplain.layers.index import MODULES

    return sorted(name for name in MODULES if "." not in name)


def first_argument(type_: str) -> str | None:
    """The first argument of a layer type (`units` of Dense), None if it has none or the type is unknown."""
    declaration = find(type_)
    return next(iter(declaration.arguments), None) if declaration else None


def families() -> dict[str, list[tuple[str, str, str]]]:
    """The layer types by family: for each its name, its arguments as a signature, and what it does in a line."""
    from layerexplain.layers.index import MODULES

    result: dict[str, list[tuple[str, str, str]]] = {}
    for type_ in type_names():
        declaration = find(type_)
        if declaration is not None and declaration.type == type_:
            words = description_of(declaration)
            result.setdefault(MODULES[type_], []).append((type_, signature(declaration), words))
    return result


def signature(declaration: Declaration) -> str:
    """The arguments as they are written: `units, activation='linear', use_bias=True`."""
    parts = [
        name if argument.default is Argument.REQUIRED else f"{name}={argument.default!r}"
        for name, argument in declaration.arguments.items()
        if name not in IN_FILES_ONLY
    ]
    return ", ".join(parts)


def description_of(declaration: Declaration) -> str:
    """The description with `{units}` shown as the argument's name, in backquotes, and without sizes, which only an
    input has."""
    import re

    def fill(match: re.Match[str]) -> str:
        if match[1] in IN_GENERAL:
            return IN_GENERAL[match[1]] + match[2]
        return f"`{match[1]}`{match[2]}" if match[1] in declaration.arguments else ""

    return re.sub(r"`(\w+)` \1\b", r"`\1`", re.sub(r"\{(\w+)\}( ?)", fill, declaration.description))


IN_GENERAL = {
    "along": "along one axis",
    "then": ", then scales by γ and shifts by β",
    "mixing": "with 'nearest' each pixel is repeated, else values in between are mixed",
}
"""Fields of a description that stand for more than a number, where nothing is known of the layer."""


def snake_case(type_: str) -> str:
    """Keras's own rule from class name to default layer name: `Conv2DTranspose` → `conv2d_transpose`."""
    import re

    name = re.sub(r"\W+", "", type_.rpartition(".")[2])
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def inner_weights(definition: Definition, at: str, prefix: str, suffix: str = "", trainable: bool = True) -> list[Expr]:
    """New leaves for the weights of a wrapped layer: `at` is its attribute, `prefix` its Keras path, `suffix` is
    added to the symbols."""
    leaves = []
    for old in definition.weights:
        attrs = dict(old.attrs)
        attrs["at"] = f"{at}.{attrs['at']}" if attrs["at"] else at
        attrs["path"] = f"{prefix}/{attrs['path']}".strip("/")
        attrs["trainable"] = attrs["trainable"] and trainable
        leaves.append(Expr(WEIGHT, (), attrs, old.shape, old.dtype, f"{old.label}{suffix}"))
    return leaves
