"""A layer type as it is declared: formula, signature, facts, and how it is traced (one object, hence the length)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ArgumentError, AxesError, LayerExplainError, ShapeError
from layerexplain.lang.axes import BATCH, Shape, unknown_where
from layerexplain.lang.definition import Definition, Gist, states_after
from layerexplain.lang.expr import WEIGHT, Expr, formula_made, is_state, tensor, walk
from layerexplain.layers.arguments import GIVEN, SHARE_WORDS, Argument, short
from layerexplain.layers.signature import NO_FACTS, Facts, Signature, signature_of, with_conditions
from layerexplain.ops.sizes import FLOATS, channels_at, default_roles, shape_text
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from typing import TypedDict

    class Declared(TypedDict, total=False):
        """What a declaration may say of a layer beside its type and formula."""

        mask: Any
        ignores: str
        ndim: int | None
        renamed: Mapping[str, str]
        alone: str
        called: Sequence[str]
        facts: Facts
        gist: str


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
    """The shape and dtype of a tensor that a layer is traced with; `roles` are the names of its axes, None for
    the defaults (`default_roles`)."""

    shape: Shape
    dtype: str
    roles: tuple[str, ...] | None = None


class Stored(NamedTuple):
    """A declaration's result, with weights that the layer owns and its formula does not use; new values, by symbol,
    that its weights get from it in training; the new values of the states that it keeps between calls; the tensors, by
    name, of which a model keeps each position while it writes a text; and its sentence at these shapes, where that of
    the declaration says it in general only."""

    result: Any
    weights: tuple[Expr, ...]
    updates: Mapping[str, Expr] = MappingProxyType({})
    states: Mapping[Expr, Expr] = MappingProxyType({})
    cache: Mapping[str, Expr] = MappingProxyType({})
    words: str = ""


class Declaration:
    """A layer type: its formula, what the formula takes, how it treats masks, and facts about it.

    It is made from a function by `@layer`, or from data by whoever reads a layer's definition: `formula` is then any
    callable that takes what `signature` lists and returns an `Expr`, or results by name.

    Args:
        type_: The class name.
        formula: Called with the tensors (None for one that is left out) and all arguments by name.
        signature: The tensors and arguments that the formula takes; read off the function if it is not given.
        description: One sentence, with `{fields}` for arguments and sizes.
        mask: "pass" hands the mask on, "stop" ends it; a function(tensors, masks, arguments) makes the results' masks.
        ignores: Arguments, separated by spaces, that change nothing here.
        ndim: The number of axes that the first tensor must have.
        renamed: Maps an argument's older name to today's.
        alone: What is wrong with one bare tensor in place of a list, with `{shape}` for its shape.
        called: Names the tensors of a `*xs` parameter.
        facts: What else there is to know of the layer.
        gist: What it computes in one line, as a template (`lang.definition.Gist`), where its formula does not say so.
        kind: That of its definitions: "layer", "loss", "update", "regularizer" or "schedule".

    `tensors`, `optional` and `variadic` are those of the signature; `reads_mask`, `reads_masks` and `training` say
    whether the formula uses the mask of its input, those of all its tensors, or computes something else in training.

    >>> from layerexplain.layers.arguments import Argument, Number, argument_of
    >>> scaled = Declaration(
    ...     "Scaled",
    ...     lambda x, factor: x * factor,
    ...     Signature(("x",), {"factor": argument_of(Number, 2.0)}),
    ...     description="Multiplies each number by {factor}.",
    ... )
    >>> scaled.trace([Spec((3,), "float32")], scaled.bind({"factor": 5})).arguments
    {'factor': 5.0}
    """

    is_built_in = False
    """Whether the package declares it, so that it is always the same."""
    binds: Any = None
    """Binds a call's arguments, `binds(call)`, where the rules for Keras's layers (call_binding.py) do not hold."""

    def __init__(
        self,
        type_: str,
        formula: Callable[..., Any],
        signature: Signature | None = None,
        *,
        description: str = "",
        mask: Any = "stop",
        ignores: str = "",
        ndim: int | None = None,
        renamed: Mapping[str, str] = MappingProxyType({}),
        alone: str = "",
        called: Sequence[str] = (),
        facts: Facts = NO_FACTS,
        gist: str = "",
        kind: str = "layer",
    ) -> None:
        self.type = type_
        self.kind = kind
        self.formula = formula
        self.signature = signature or signature_of(formula)
        self.description = description
        self.mask = mask
        self.ignores = frozenset(ignores.split())
        self.ndim = ndim
        self.renamed = renamed
        self.alone = alone
        self.called = tuple(called)
        self.facts = facts
        self.tensors, self.arguments, self.optional, self.variadic, reads, _ = self.signature
        self.reads_mask, self.reads_masks, self.training, self.keras_2 = (name in reads for name in GIVEN)
        self.loose = tuple([name for name, argument in self.arguments.items() if not argument.check.plain])
        self.default_values = {n: a.default for n, a in self.arguments.items() if a.default is not Argument.REQUIRED}
        self.gist = Gist(gist, self.default_values) if gist else None

    @property
    def name(self) -> str:
        """What Keras calls a layer that is given no name."""
        return snake_case(self.type)

    def _idle(self, arguments: Mapping[str, Any]) -> str:
        """Return the share of 0 for which a layer that acts in training alone does nothing, by its name; else ""."""
        in_training = self.training and self.description.startswith("In training")
        shares = [name for name, value in self.arguments.items() if in_training and value.check.words == SHARE_WORDS]
        return "" if any(arguments[name] for name in shares) else next(iter(shares), "")

    def _described(self, arguments: Mapping[str, Any]) -> str:
        """Return the sentence for these arguments, with fields that remain to be filled."""
        if zero := self._idle(arguments):
            return f"Passes its input through unchanged, in training too, since {zero}=0."
        return with_conditions(self.description, lambda name: arguments[name] != self.default_values.get(name))

    def state_sizes(self, config: Mapping[str, Any]) -> tuple[int, ...] | None:
        """Return the sizes of the states of a recurrent cell that is no cell of Keras; None for any other layer."""
        return None

    def batch_axis(self, tensor: str, arguments: Mapping[str, Any]) -> int:
        """Return the axis along which examples lie in one of its tensors: the second one of some of PyTorch's."""
        if tensor in self.facts.batch_second:
            return 1
        required = self.tensors[: len(self.tensors) - self.optional]
        batch_first = arguments.get("batch_first", self.default_values.get("batch_first", True))
        return int(tensor in required and not batch_first)

    def trains(self, trainable: bool) -> bool:
        """Whether it is traced as in training where the model is: not if it is frozen and then works as at
        inference."""
        return self.training and (trainable or not self.facts.frozen_as_inference)

    @property
    def takes_states(self) -> bool:
        """Whether it runs over the steps of a sequence and may be given the states that it begins with."""
        return self.signature.variadic == "initial_state"

    @property
    def takes_list(self) -> bool:
        """Whether its call in Keras takes its tensors as one list."""
        only_variadic = not self.tensors and self.variadic is not None
        return self.facts.takes_list or (only_variadic and not self.facts.runs_code)

    @property
    def holds(self) -> str:
        """The argument that is the layer, the cell or the layers that it wraps; "" where it wraps none."""
        return next((name for name, argument in self.arguments.items() if argument.check.of_layers), "")

    def bind(self, config: Mapping[str, Any], *, strict: bool = False) -> dict[str, Any]:
        """Return the declaration's arguments from a layer's configuration, checked and in their one normal form.

        With `strict` an argument that the layer does not have raises `ArgumentError`; without it is passed over:
        files of other Keras versions hold arguments that change nothing here.
        """
        if strict and (results := self.faults(config)):
            raise results.pop(0)[1]  # out of what this frame keeps, which the error keeps
        if self.renamed:
            config = {self.renamed.get(given, given): value for given, value in config.items()}
        bound: dict[str, Any] = {}
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

    def faults(self, config: Mapping[str, Any]) -> list[tuple[str | None, ArgumentError]]:
        """All that a strict `bind` refuses, each with the argument as it was given (None where one is missing)."""
        faults: list[tuple[str | None, ArgumentError]] = []
        given = {self.renamed.get(key, key) for key in config}
        unknown = [key for key in config if self._is_unknown(self.renamed.get(key, key))]
        required = [name for name, argument in self.arguments.items() if argument.default is Argument.REQUIRED]
        # One that has another name is not missing too.
        if unknown:
            from layerexplain.errors import did_you_mean

            given |= {known for known in required for key in unknown if did_you_mean(key, [known])}
        missing = [name for name in required if name not in given]
        meant = missing[0] if len(unknown) == len(missing) == 1 else ""
        for key, value in config.items():
            name = self.renamed.get(key, key)
            argument = self.arguments.get(name)
            if argument is not None:
                try:
                    argument.normal(self.type, name, value)
                except ArgumentError as error:
                    faults.append((key, error.as_data()))
            elif key in unknown:
                faults.append((key, self._unknown(name, meant)))
        faults += [(None, self._missing(name, self.arguments[name])) for name in missing[len(unknown) :]]
        return faults

    def _is_unknown(self, name: str) -> bool:
        return name not in self.arguments and name not in self._common and name not in self.ignores

    @property
    def _common(self) -> frozenset[str]:
        """Return the arguments that all layers of its framework take: modules of PyTorch have none."""
        return frozenset() if self.type.startswith("torch.") else COMMON

    def _wrong(self, tensors: Sequence[Expr | None], arguments: Mapping[str, Any]) -> str:
        """Return what is said where arguments that each are of their kind make no sense together or with the
        tensors."""
        given = ", ".join(f"{name}={short(value)}" for name, value in arguments.items()) or "none"
        shapes = ", ".join(shape_text(t.shape) for t in tensors if t is not None) or "no tensor"
        needs = "needs arguments that are compatible with each other and with its input"
        return f"{self.type} {needs}, got {given} for {shapes}"

    def _unknown(self, name: str, meant: str = "") -> ArgumentError:
        known = [*self.arguments, *self.ignores, *self._common]
        from layerexplain.errors import did_you_mean

        hint = f"; write {meant}." if meant else did_you_mean(name, known, before=", ")
        takes = f"takes {', '.join(self.arguments) or 'no arguments of its own'}"
        return ArgumentError(f"{self.type} has no argument '{name}'{f'{hint} It' if hint else '; it'} {takes}")

    def _missing(self, name: str, argument: Argument) -> ArgumentError:
        first, *others = self.arguments
        is_second = others[:1] == [name] and first.startswith(("in_", "input_size"))
        after = f", after {first}, the size of the input" if is_second else ""
        example = f"{name}={argument.check.example}{after}"
        return ArgumentError(f"{self.type} needs '{name}': {argument.check.words}; give {example}")

    def trace(
        self,
        specs: Sequence[Spec | None],
        arguments: Mapping[str, Any],
        masks: Sequence[Spec | None] = (),
        *,
        training: bool = False,
        constants: Mapping[int, Expr] | None = None,
        whole: str = "",
        keras_2: bool = False,
    ) -> Definition:
        """Return the layer at given shapes: its formula, weights and results. `arguments` come from `bind`.

        `specs` are those of its tensors in call order, None for an optional one that is not given (or none at the
        end); `masks` those of the masks that the tensors carry. `constants` are numbers given in place of a tensor.
        `whole` is the dtype of a policy of whole numbers, to which Keras casts the floats that come in and go out.
        `keras_2` says that it is a layer of Keras 2.
        """
        if len(specs) < len(self.tensors):
            specs = [*specs, *[None] * (len(self.tensors) - len(specs))]
        complete = arguments if len(arguments) == len(self.arguments) else {**self.default_values, **arguments}
        if self.facts.sizes_keras_3 is not None and not keras_2:
            specs, masks = self._as_merged(specs, masks, complete)
        names = self.names(len(specs))
        given = constants or {}
        tensors: list[Expr | None] = [
            given[i] if i in given else None if spec is None else tensor(names[i], *self._with_roles(i, spec))
            for i, spec in enumerate(specs)
        ]
        required = len(self.tensors) - self.optional
        if None in tensors[:required]:
            missing = names[tensors.index(None)]
            needed = ", ".join(names[:required])
            raise ShapeError(f"{self.type.removeprefix('torch.nn.')} needs tensors for {needed}, got no {missing}")
        x = tensors[0] if tensors else None
        is_alone = (
            x is not None and 0 < x.ndim == self.facts.alone_ndim and x.shape[0] is not BATCH and self.ndim is not None
        )
        if self.ndim is not None and x is not None and x.ndim != self.ndim and not is_alone:
            wanted = ", ".join(channels_at(self.ndim, 1) if self.facts.channels_first else default_roles(self.ndim))
            is_one = self.type.startswith("torch.") and x.ndim == self.facts.alone_ndim
            words = "; x.unsqueeze(0) makes a batch of one example" if is_one else ""
            if is_one and x.shape[0] is BATCH and arguments.get("in_channels") == 1:
                words = "; x.unsqueeze(1) adds the axis of the one channel"
            raise AxesError(
                f"{self.type.removeprefix('torch.nn.')} needs an input with {self.ndim} axes ({wanted}), got "
                f"{shape_text(x.shape)} with {x.ndim}{words}"
            )
        used = self._masks(names, masks)
        used_tensors = [_whole(t, whole) for t in tensors] if whole and not self.facts.takes_floats else tensors
        if is_alone:
            used_tensors = [_slice(used_tensors[0], None, Ellipsis), *used_tensors[1:]]
        try:
            with formula_made() as needs:
                result = self.formula(*used_tensors, **self.keywords(complete, used, training, keras_2))
        except LayerExplainError:
            raise
        except _WRONG_KIND as error:
            raise ArgumentError(self._wrong(tensors, arguments)) from error
        stored: tuple[Expr, ...] = ()
        updates: Mapping[str, Expr] = {}
        states: Mapping[Expr, Expr] = {}
        cache: Mapping[str, Expr] = {}
        words = ""
        if type(result) is Stored:
            result, stored, updates, states, cache, words = result
        results = {"y": result} if type(result) is Expr else result
        if is_alone:
            results = {name: _slice(e, 0) for name, e in results.items()}
        if whole and not self.facts.makes_floats:
            results = {name: _whole(e, whole) for name, e in results.items()}
        out_masks = self._out_masks(tensors, used, complete, list(results.values()), keras_2)
        outputs = [*results.values(), *[m for m in out_masks if m is not None]]
        order = walk(outputs)
        weights = [node for node in order if node.op is WEIGHT]
        if stored:
            weights = sorted({*weights, *stored}, key=lambda node: node.serial)
        if states or any(map(is_state, weights)):
            states = {**states, **states_after(order)}
            weights = [weight for weight in weights if not is_state(weight)]
            order = walk([*outputs, *states.values()])
        params = [t for i, t in enumerate(tensors) if t is not None and i not in given]
        return Definition(
            self.name,
            (*params, *[m for m in used if m is not None]),
            tuple(weights),
            results,
            kind=self.kind,
            masks=out_masks,
            description=words or self._described(complete),
            gist=None if self._idle(complete) else self.gist,
            arguments=complete,
            order=order,
            updates=updates,
            states=states,
            cache=cache,
            needs=tuple(needs),
        )

    def _as_merged(
        self, specs: Sequence[Spec | None], masks: Sequence[Spec | None], arguments: Mapping[str, Any]
    ) -> tuple[Sequence[Spec | None], Sequence[Spec | None]]:
        """Return the tensors and their masks with the sizes that Keras 3 reads of them where it merges shapes."""
        merged = self.facts.sizes_keras_3
        known = [spec.shape for spec in specs if spec is not None]
        shapes = iter(merged(known, arguments) if merged is not None and known else ())
        results = [spec and spec._replace(shape=next(shapes)) for spec in specs]
        pairs = zip(masks, results, strict=False)
        return results, [
            mask and spec and mask._replace(shape=unknown_where(mask.shape, spec.shape)) for mask, spec in pairs
        ]

    def _with_roles(self, i: int, spec: Spec) -> Spec:
        """Return a tensor with the names of its axes, where these are not the usual ones."""
        if i == 0 and spec.roles is None and len(spec.shape) == 3 and spec.shape[1] is BATCH is not spec.shape[0]:
            return spec._replace(roles=("steps", "batch", "features"))
        if i or spec.roles is not None or not self.facts.channels_first or len(spec.shape) < 3:
            return spec
        alone = len(spec.shape) == self.facts.alone_ndim and spec.shape[0] is not BATCH
        roles = channels_at(len(spec.shape) + alone, 1)[alone:]
        return spec._replace(roles=roles)

    def inline(self, tensors: Sequence[Expr | None], arguments: Mapping[str, Any]) -> Mapping[str, Expr]:
        """Return the layer's results as a part of another formula, on tensors of that. `arguments` come from `bind`."""
        expressions = [*tensors, *[None] * (len(self.tensors) - len(tensors))]
        try:
            returned = self.formula(*expressions, **self.keywords({**self.default_values, **arguments}))
        except LayerExplainError:
            raise
        except _WRONG_KIND as error:
            raise ArgumentError(self._wrong(expressions, arguments)) from error
        result = returned.result if type(returned) is Stored else returned
        return {"y": result} if type(result) is Expr else result

    def keywords(
        self,
        arguments: Mapping[str, Any],
        masks: Sequence[Expr | None] = (),
        training: bool = False,
        keras_2: bool = False,
    ) -> dict[str, Any]:
        """Return what the formula is called with beside its tensors, from all arguments."""
        keywords = dict(arguments)
        for name, record in self.signature.groups.items():
            keywords[name] = record(**{field: keywords.pop(field) for field in record._fields})
        if self.reads_mask:
            keywords["mask"] = next(iter(masks), None)
        if self.reads_masks:
            keywords["masks"] = masks
        if self.training:
            keywords["training"] = training
        if self.keras_2:
            keywords["keras_2"] = keras_2
        return keywords

    def names(self, count: int) -> list[str]:
        """Return what the formula calls the first `count` tensors of a call: `x1`, `x2` for the tensors of an Add."""
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
        specs = [m for m in masks if m is not None]
        result: list[Expr | None] = []
        for name, spec in zip(names, masks, strict=False):
            label = "mask" if len(specs) == 1 and len(names) == 1 else f"{name}_mask"
            result.append(None if spec is None else tensor(label, spec.shape, spec.dtype))
        return result

    def _out_masks(
        self,
        tensors: Sequence[Expr | None],
        masks: list[Expr | None],
        arguments: Mapping[str, Any],
        results: list[Expr],
        keras_2: bool,
    ) -> tuple[Expr | None, ...]:
        """Return the masks of the results, where the declaration makes them."""
        make: Any = self.facts.mask_keras_2 if keras_2 and self.facts.mask_keras_2 is not None else self.mask
        if not callable(make):
            return ()
        out_masks = make([t for t in tensors if t is not None], masks, arguments)
        if out_masks is None:
            return ()
        return out_masks if isinstance(out_masks, tuple) else (out_masks,) + (None,) * (len(results) - 1)


def _slice(x: Any, *key: Any) -> Any:
    from layerexplain.ops.movement import take_slice

    return take_slice(x, key=key)


def _whole(x: Any, dtype: str) -> Any:
    """Return a tensor of floats as whole numbers; others as they are."""
    if x is None or x.dtype not in FLOATS:
        return x
    from layerexplain.ops.elementwise import cast

    return cast(x, to=dtype)


@lru_cache(1000)
def snake_case(type_: str) -> str:
    """Apply Keras's own rule from class name to default layer name.

    Written without `re`, whose patterns would have to be compiled at each start.

    >>> snake_case("Conv2DTranspose"), snake_case("keras_hub>GPT2Backbone"), snake_case("my.RNNCell")
    ('conv2d_transpose', 'keras_hub_gpt2_backbone', 'rnn_cell')
    """
    name = "".join([c for c in type_.rpartition(".")[2] if c.isalnum() or c == "_"])
    words = []
    for i, c in enumerate(name):
        before, after = name[i - 1 : i], name[i + 1 : i + 2]
        if "A" <= c <= "Z" and before and ("a" <= before <= "z" or "a" <= after <= "z"):
            words.append("_")
        words.append(c)
    return "".join(words).lower()


_COMMON = (
    "name dtype trainable batch_input_shape batch_shape batch_size input_shape input_dim autocast "
    "activity_regularizer weights"
)
COMMON = frozenset(_COMMON.split())
"""Arguments that every Keras layer takes and that are handled outside of the declarations."""
