"""Wrappers: Bidirectional and TimeDistributed, layers that hold a layer and say how it is run."""

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.attribute_path import InnerName
from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Definition, call, loop
from layerexplain.lang.expr import ITEM, Expr, is_state, item, named
from layerexplain.layers.arguments import Inner, MergeMode
from layerexplain.layers.declaration import Spec, Stored
from layerexplain.layers.keras.rnn import zero_where_masked
from layerexplain.layers.known_definitions import InnerLayer, inner_definition
from layerexplain.layers.registry import inner_weights, layer
from layerexplain.layers.signature import Facts
from layerexplain.ops.joining import concatenate
from layerexplain.ops.movement import reverse, stop_gradient
from layerexplain.ops.sizes import shape_text

SAME_IN_BOTH = ("return_sequences", "return_state", "stateful")


def _recurrent(inner: InnerLayer, argument: str) -> Mapping[str, Any]:
    """The arguments of an inner layer that reads a sequence; refuses a layer that does not."""
    if inner.declaration is None or "go_backwards" not in inner.declaration.arguments:
        raise ArgumentError(
            f"Bidirectional needs {argument} to be a recurrent layer, got {argument}={inner.type}; "
            f"for example {argument}={{LSTM: 16}}"
        )
    return inner.config


def _flag(config: Mapping[str, Any], name: str) -> bool:
    return bool(config.get(name, False))


def _two_way_mask(tensors: list[Expr], masks: list[Expr | None], arguments: Mapping[str, Any]) -> Any:
    """Whole sequences keep the mask, both of them where they are not merged."""
    mask = masks[0] if masks and _flag(arguments["layer"].config, "return_sequences") else None
    return mask if arguments["merge_mode"] is not None or mask is None else (mask, mask)


_HELD = Facts(
    sets_in_inner=("zero_output_for_mask",),
    inner_copies={"backward_layer": ("layer", "go_backwards")},
    inner_outputs={"layer": ("*_fwd",), "backward_layer": ("*_bwd",)},
)


@layer("Bidirectional", mask=_two_way_mask, gist="{layer}, both ways, {merge_mode}", facts=_HELD)
def bidirectional(
    x: Expr,
    *initial_state: Expr,
    layer: Inner,
    merge_mode: MergeMode = "concat",
    backward_layer: Inner | None = None,
    mask: Expr | None = None,
    training: bool = False,
) -> Mapping[str, Expr]:
    """Reads the {steps} steps in both directions, first to last and last to first, with separate weights.

    Input shape: (batch, steps, features). Output shape: that of the inner layer, with twice the units for 'concat';
    two of them for merge_mode None; with return_state the states forwards, then backwards, follow.
    Reference: Schuster and Paliwal, 1997.
    """
    config = _recurrent(layer, "layer")
    backwards = _flag(config, "go_backwards")
    if backward_layer is None:
        # Keras 3 refuses go_backwards in the inner layer; before, the second copy ran the other way, as here.
        second: InnerLayer = layer
    else:
        second = backward_layer
        other = _recurrent(second, "backward_layer")
        if _flag(other, "go_backwards") == backwards:
            raise ArgumentError(
                f"Bidirectional needs layer and backward_layer with different go_backwards, got {backwards} in both"
            )
        for name in SAME_IN_BOTH:
            if _flag(config, name) != _flag(other, name):
                raise ArgumentError(
                    f"Bidirectional needs the same {name} in layer and backward_layer, "
                    f"got {_flag(config, name)} and {_flag(other, name)}"
                )
    half, odd = divmod(len(initial_state), 2)
    if odd:
        raise ShapeError(
            f"Bidirectional needs the initial states of both directions, an even number, got {len(initial_state)}"
        )
    forward = InnerName(("layer",), "forward_")
    backward = InnerName(("layer",), "backward_") if backward_layer is None else InnerName(("backward_layer",))
    ways = (
        ("fwd", "forward", layer, forward, initial_state[:half]),
        ("bwd", "backward", second, backward, initial_state[half:]),
    )
    sequences = _flag(config, "return_sequences")
    results_of_ways: dict[str, dict[str, Expr]] = {}
    definition: Definition | None = None
    for way, word, inner, holder, states in ways:
        if definition is None or not alike(layer, second):
            definition = _traced(inner, x, mask, states, sequences, training)
        weights = inner_weights(definition, (f"{word}_layer",), holder.around, f"_{way}", inner.trainable)
        parts = _parts(definition, x, mask, states, weights, backwards == (way == "fwd"))
        if sequences and mask is not None and _flag(inner.config, "unroll"):
            parts[0] = zero_where_masked(parts[0], mask)  # as Keras does it: by the mask in the order of the input
        if sequences and way == "bwd":
            parts[0] = reverse(named("y_rev", parts[0]) if parts[0].op is ITEM else parts[0])
        results_of_ways[way] = {
            f"{name}_{way}": named(f"{name}_{way}", part, f"{word}s")
            for name, part in zip(definition.results, parts, strict=True)
        }
    (y_fwd, *_), (y_bwd, *_) = (of_way.values() for of_way in results_of_ways.values())
    both = {"y": _merged(merge_mode, y_fwd, y_bwd)} if merge_mode else {"y_fwd": y_fwd, "y_bwd": y_bwd}
    for of_way in results_of_ways.values():
        both.update(list(of_way.items())[1:])
    return both


def alike(layer: InnerLayer, second: InnerLayer) -> bool:
    """Whether two layers compute the same, but for the direction."""
    if layer is second:
        return True
    apart = ("go_backwards", "name", "trainable")
    kept = [{k: v for k, v in inner.config.items() if k not in apart} for inner in (layer, second)]
    return layer.type == second.type and kept[0] == kept[1]


def _traced(
    inner: InnerLayer, x: Expr, mask: Expr | None, states: Sequence[Expr], sequences: bool, training: bool
) -> Definition:
    """The inner layer reading forwards: what runs the other way is given the steps in the opposite order."""
    specs = [Spec(t.shape, t.dtype) for t in (x, *states)]
    masks = [] if mask is None else [Spec(mask.shape, mask.dtype)]
    overrides: dict[str, Any] = {"go_backwards": False}
    if inner.declaration is not None and "zero_output_for_mask" in inner.declaration.arguments:
        # Keras forces this, whatever the inner layer says; of unrolled steps it follows behind them.
        overrides["zero_output_for_mask"] = sequences and not _flag(inner.config, "unroll")
    return inner.definition(specs, masks, training=training, **overrides)


def _parts(
    definition: Definition, x: Expr, mask: Expr | None, states: Sequence[Expr], weights: Sequence[Expr], turned: bool
) -> list[Expr]:
    """The results of one direction."""
    tensors = [reverse(x) if turned else x, *states]
    if len(definition.params) > len(tensors) and mask is not None:
        tensors.append(reverse(mask) if turned else mask)
    run = call(definition, *tensors, *weights)
    if type(run.shape) is not ResultShapes:
        return [run]
    return [item(run, i) for i in range(len(definition.results))]


def _merged(merge_mode: str, forward: Expr, backward: Expr) -> Expr:
    if merge_mode == "concat":
        return concatenate(forward, backward)
    if merge_mode == "mul":
        return forward * backward
    both = forward + backward
    return both / 2 if merge_mode == "ave" else both


@layer(
    "TimeDistributed",
    mask="pass",
    gist="{layer}, at each step",
    facts=Facts(tells_axes="steps", passes_ids=True, makes_floats=True, skips_activity=True),
)
def time_distributed(x: Expr, *, layer: Inner, mask: Expr | None = None, training: bool = False) -> Expr | Stored:
    """Applies one {layer}, with the same weights, to each of the {steps} steps separately.

    Input shape: (batch, steps, …), each step shaped as the inner layer takes it. Output shape: (batch, steps, …), with
    what the inner layer returns for a step.
    """
    if x.ndim < 3:
        raise ShapeError(
            f"TimeDistributed needs an input of (batch, steps, …) with at least 3 axes, got {shape_text(x.shape)}; "
            f"apply the layer itself where there are no steps"
        )
    step_masks = [] if mask is None else [Spec((mask.shape[0], *mask.shape[2:]), mask.dtype)]
    one_step = Spec((x.shape[0], *x.shape[2:]), x.dtype)
    definition, weights = inner_definition("TimeDistributed", layer, one_step, step_masks, training=training)
    over = [x] if mask is None or len(definition.params) == 1 else [x, mask]
    of_last_call = [leaf for leaf in weights if is_state(leaf)]
    weights = weights[: len(definition.weights)]

    def step(*values: Expr) -> tuple[Sequence[Expr], Mapping[str, Expr]]:
        tensors, states = values[: len(over)], values[len(over) :]
        y = call(definition, *tensors, *weights, *states)
        first = len(definition.outputs) - len(states)
        # Keras leaves a state in a variable and reads it again at the next step: no gradient passes through it.
        new = [stop_gradient(item(y, first + i)) for i in range(len(states))]
        return new, {"y": item(y, 0) if type(y.shape) is ResultShapes else y}

    run = loop(step, over, {str(leaf.label).replace("_last", ""): leaf for leaf in of_last_call})
    if not of_last_call:
        return run
    return Stored(item(run, len(of_last_call)), (), states={e: item(run, i) for i, e in enumerate(of_last_call)})
