"""What a layer's declaration says beside its formula: the sentence that describes it, facts, and arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from layerexplain.lang.axes import Shape
from layerexplain.layers.arguments import GIVEN, Argument, Check, argument_of
from layerexplain.records import NamedTuple

# Descriptions -------------------------------------------------------------------------------------------------------

_CONDITION = r"\{(\w+):((?:[^{}|]|\{\w+\})*)\|((?:[^{}|]|\{\w+\})*)\}"


def with_conditions(text: str, is_set: Callable[[str], bool]) -> str:
    """Return a sentence with the words of each `{argument:words if it is set|words otherwise}`.

    >>> with_conditions("Multiplies by {scale}{offset: and adds {offset}|}.", lambda name: name == "scale")
    'Multiplies by {scale}.'
    """
    count = int("|" in text)
    while count:
        text, count = re.subn(_CONDITION, lambda match: match[2] if is_set(match[1]) else match[3], text)
    return text


# Facts --------------------------------------------------------------------------------------------------------------
# Facts about a layer besides its formula, for code that walks, reads or checks models.


class Facts(NamedTuple):
    """Facts about a layer besides its formula.

    - `keeps_axes`: it keeps each axis and does not depend on which one holds the channels.
    - `tells_axes`: what determines the axes of its input: "image" or "sequence" by its data_format, if it has
      one; "steps" by taking a sequence of what its inner layer takes; "channels" by its axis; "ids" by looking
      up an id per step; "" by nothing.
    - `passes_ids`: ids pass through it unchanged.
    - `ids_below`: the argument that bounds the ids that it takes: `input_dim` of an Embedding.
    - `channels_first`: its first tensor has the channels behind the batch.
    - `batch_second`: tensors in which the batch is the second axis, whatever its argument `batch_first` says.
    - `takes_list`: its call in Keras takes its tensors as one list.
    - `takes_masks_off`: when it runs, Keras removes the masks of its query, value and key.
    - `sizes_keras_3`: the shapes of its tensors as Keras 3 merges them, from these shapes and its arguments: where one
      size is open (None), it does not read the size of another tensor.
    - `loses_mask_keras_2`: in Keras 2 a mask ends there; `mask_keras_2` makes the mask of its results in Keras 2, where
      Keras 3 makes another one.
    - `attributes`: the attribute in which Keras keeps a variable, where that has another name; `attributes_keras_2`
      likewise in Keras 2, for variables and for attributes that hold layers.
    - `copies_weights`: in Keras it computes with copies of its weights, which `finalize_state` makes anew.
    - `frozen_as_inference`: where it is not trainable, it computes the same in training as at inference.
    - `trains_inside`: the layers that it makes inside are trained in Keras 3 though its configuration has
      `trainable=False`. The flag freezes them only if it is set afterwards.
    - `makes_floats`: what it gives is not cast to its dtype where that is one of whole numbers.
    - `takes_floats`: Keras does not cast its input to its dtype where that is one of whole numbers.
    - `casts_keras_2`: in Keras 2 it casts its input to its dtype also where that is one of whole numbers.
    - `alone_ndim`: the axes of one image or signal without a batch, where it takes that too; 0 where it does not.
    - `makes`: the classes of the layers that it makes inside when it is built, which draw names of their own.
    - `class_name`: the name of its class, where Keras exports that under another one; `own_classes`: its further names
      that are classes of their own. All other names are further names of its class.
    - `home`: the module of keras.applications that defines it; "" for the layers of keras.layers.
    - `sets_in_inner`: arguments of the layers that it holds, which it sets itself, whatever they say.
    - `inner_copies`: an argument which, if it is left out, is a copy of another with the opposite of a flag.
    - `regularizes`: the regularizer that in training adds a function of what it computes to the loss; its arguments are
      those of the layer. "" for none.
    - `inner_outputs`: the values in its formula that layers inside of it output, to which an activity regularizer
      applies, by the argument that holds it ("" for the layer's own): labels, or the ends of labels ("*_fwd").
    - `skips_activity`: it runs the `call` of the layer that it holds, past that layer's own activity regularizer.
    - `initializers`: how weights begin, by their names, where that is not as in other layers and no argument says it.
    - `states`: how many tensors it hands from step to step, and gives with `return_state`.
    - `results`: how many tensors it gives; 0 where that hangs on its arguments.
    - `runs_code`: it runs code written by the author of the model.
    - `example`: how it is shown with no model, where that cannot be told from its declaration: arguments as NAME=VALUE,
      and shapes of inputs as they are typed.
    """

    keeps_axes: bool = False
    tells_axes: str = "image"
    passes_ids: bool = False
    ids_below: str = ""
    channels_first: bool = False
    batch_second: tuple[str, ...] = ()
    takes_list: bool = False
    takes_masks_off: bool = False
    sizes_keras_3: Callable[[Sequence[Shape], Mapping[str, object]], Sequence[Shape]] | None = None
    loses_mask_keras_2: bool = False
    mask_keras_2: Callable[..., object] | None = None
    attributes: Mapping[str, str] = MappingProxyType({})
    attributes_keras_2: Mapping[str, str] = MappingProxyType({})
    copies_weights: bool = False
    frozen_as_inference: bool = False
    trains_inside: bool = False
    makes_floats: bool = False
    takes_floats: bool = False
    casts_keras_2: bool = False
    alone_ndim: int = 0
    makes: str = ""
    class_name: str = ""
    own_classes: tuple[str, ...] = ()
    home: str = ""
    sets_in_inner: tuple[str, ...] = ()
    inner_copies: Mapping[str, tuple[str, str]] = MappingProxyType({})
    regularizes: str = ""
    inner_outputs: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    skips_activity: bool = False
    initializers: Mapping[str, str] = MappingProxyType({})
    states: int = 0
    results: int = 1
    runs_code: bool = False
    example: tuple[tuple[str, ...], tuple[str, ...]] | None = None


NO_FACTS = Facts()
KEEPS_AXES = Facts(keeps_axes=True)
CARRIES_IDS = Facts(keeps_axes=True, passes_ids=True)


# Signature ----------------------------------------------------------------------------------------------------------
# The tensors and arguments of a formula together, read from a function or given as data.

RANK = "rank"
"""The keyword by which a function that is declared for several ranks learns for which one it is called."""


class Signature(NamedTuple):
    """The tensors and arguments of a formula.

    `tensors` are the positional ones in the order of the Keras call, the last `optional` of which may be left out;
    `variadic` is the name of a `*xs` parameter. `arguments` are those of the configuration, in order. `reads` holds
    which of `GIVEN` the formula asks for. `groups` are keywords that take several arguments as one record.

    >>> from layerexplain.layers.arguments import PositiveInt, Sizes
    >>> taken = Signature(("x",), {"size": argument_of(PositiveInt, 2)})
    >>> taken.with_kinds(size=Sizes).default(size=(2, 3)).arguments["size"].default
    (2, 3)
    """

    tensors: tuple[str, ...] = ("x",)
    arguments: Mapping[str, Argument] = MappingProxyType({})
    optional: int = 0
    variadic: str | None = None
    reads: frozenset[str] = frozenset()
    groups: Mapping[str, Any] = MappingProxyType({})

    def with_kinds(self, **annotations: Any) -> Signature:
        """Return the same with other kinds for some arguments: `with_kinds(padding=CausalPadding)`. Defaults stay."""
        changed = {name: argument_of(kind, self.arguments[name].default) for name, kind in annotations.items()}
        return self._replace(arguments={**self.arguments, **changed})

    def default(self, **values: Any) -> Signature:
        """Return the same with other defaults for some arguments."""
        changed = {
            name: Argument(self.arguments[name].check, value, self.arguments[name].optional)
            for name, value in values.items()
        }
        return self._replace(arguments={**self.arguments, **changed})

    def without(self, *names: str) -> Signature:
        """Return the same without some arguments, or without a keyword of `GIVEN`."""
        left = {name: argument for name, argument in self.arguments.items() if name not in names}
        return self._replace(arguments=left, reads=self.reads.difference(names))

    def moved(self, name: str, *, before: str) -> Signature:
        """Return the same with one argument in another place."""
        rest = {key: value for key, value in self.arguments.items() if key != name}
        arguments: dict[str, Argument] = {}
        for key, value in rest.items():
            if key == before:
                arguments[name] = self.arguments[name]
            arguments[key] = value
        return self._replace(arguments=arguments)


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return the signature of a function whose keyword-only parameters are annotated with kinds of arguments.

    A parameter whose annotation is a record stands for the record's fields: the configuration has them one by one.
    """
    function = getattr(function, "__wrapped__", function)
    code = function.__code__
    names = code.co_varnames
    count, total = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    defaults: Mapping[str, Any] = function.__kwdefaults__ or {}
    annotations = function.__annotations__
    arguments: dict[str, Argument] = {}
    groups: dict[str, Any] = {}
    for name in names[count:total]:
        if name in GIVEN or name == RANK:
            continue
        kind = annotations[name]
        if not isinstance(kind, Check) and hasattr(kind, "_fields"):
            groups[name] = kind
            for field, of_field in kind.__annotations__.items():
                arguments[field] = argument_of(of_field, kind._field_defaults.get(field, Argument.REQUIRED))
        else:
            arguments[name] = argument_of(kind, defaults.get(name, Argument.REQUIRED))
    return Signature(
        names[:count],
        arguments,
        len(function.__defaults__ or ()),
        names[total] if code.co_flags & 0x04 else None,
        frozenset(name for name in names[count:total] if name in GIVEN),
        groups,
    )
