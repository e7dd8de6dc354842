"""What fit() takes of arrays, and the line of Python that gives them the shape that a model is made for.

Shapes have the examples first, None where a size is open. The lines are tested: they are run on arrays, which Keras
then takes. Reference: keras/src/models/functional.py (`_adjust_input_rank`), keras/src/losses/loss.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod

from layerexplain.errors import in_a_row
from layerexplain.lang.axes import Shape, Size
from layerexplain.layers.keras.losses import Loss, loss_of
from layerexplain.layers.registry import find
from layerexplain.ops.sizes import default_roles, shape_text

# Fit data -----------------------------------------------------------------------------------------------------------

_OTHER_LOSS = {
    "categorical_crossentropy": "sparse_categorical_crossentropy",
    "sparse_categorical_crossentropy": "categorical_crossentropy",
}


def shape_words(shape: Shape) -> str:
    """Return a shape with the names of its open axes.

    >>> shape_words((None, None, 9)), shape_words((None, 28, 28, 1)), shape_words((None,))
    ('(examples, steps, 9)', '(examples, 28, 28, 1)', '(examples,)')
    """
    names = ("examples", *default_roles(len(shape))[1:])
    sizes = [str(size) if isinstance(size, int) else name for size, name in zip(shape, names, strict=True)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def takes_examples(wanted: Shape, got: Shape) -> bool:
    """Return whether Keras takes data of a shape for an input: it adds an axis of size 1 at the end, or takes one off.

    >>> takes_examples((None, 28, 28, 1), (100, 28, 28)), takes_examples((None, None, 9), (100, 9))
    (True, False)
    """
    if len(got) == len(wanted) - 1 and wanted[-1] in (1, None):
        wanted = wanted[:-1]
    elif len(got) == len(wanted) + 1 and got[-1] in (1, None):
        got = got[:-1]
    return _fit(wanted[1:], got[1:])


def _fit(wanted: Sequence[Size], got: Sequence[Size]) -> bool:
    """Return whether there are as many axes, and no known size differs."""
    return len(wanted) == len(got) and all(
        a == b for a, b in zip(wanted, got, strict=True) if isinstance(a, int) and isinstance(b, int)
    )


def examples_words(wanted: Shape, got: Shape, name: str = "X", of: str = "fit") -> str:
    """Return what fit(), or another method, needs of an array of examples that it does not take, and how to give it.

    >>> examples_words((None, None, 9), (100, 9))
    'fit() needs X of shape (examples, steps, 9); yours is (100, 9). `X = X[:, None, :]` makes each example one step; \
`X = X[None]` makes all of it one example of 100 steps'
    """
    advice = [f"`{name} = {line.replace('X', name)}` {makes}" for line, makes in _lines(wanted, got)][:2]
    if advice and len(got) == len(wanted) > 1 and None not in got[1:]:
        advice.append(f"input_shape={shape_text(tuple(got[1:]))} builds the model for this {name}")
    if not advice:
        # Keras takes one number of each example for an axis of size 1.
        builds = f"`Input(shape={shape_text(tuple(got[1:]) or (1,))})` makes the model for such data"
        advice = ["It has no examples" if got[:1] == (0,) else builds]
    return f"{of}() needs {name} of shape {shape_words(wanted)}; yours is {_own(got)}. {'; '.join(advice)}"


def line_to_give(wanted: Shape, got: Shape) -> str:
    """Return the expression of `X` that gives data of one shape another; "" where there is none.

    >>> line_to_give((None, 28, 28, 1), (None, 28, 28)), line_to_give((None, 28, 28, 1), (None, 784))
    ('X[:, :, :, None]', 'X.reshape(-1, 28, 28, 1)')
    """
    return next((line for line, _ in _lines(wanted, got)), "")


def _own(shape: Shape) -> str:
    return shape_text(shape) if isinstance(shape[0], int) else shape_words(shape)


def _lines(wanted: Shape, got: Shape) -> Iterator[tuple[str, str]]:
    """Yield expressions of `X` that fit, the likeliest first, each with what it makes."""
    w, g = wanted[1:], got[1:]
    for axis in range(len(w)):
        if len(g) == len(w) - 1 and w[axis] in (1, None) and _fit((*w[:axis], *w[axis + 1 :]), g):
            index = ", ".join([":"] * (axis + 1) + ["None"] + [":"] * (len(g) - axis))
            role = default_roles(len(wanted))[axis + 1].removesuffix("s")
            yield f"X[{index}]", f"makes each example one {role}" if role == "step" else "adds the axis"
            break
    if len(w) > 1 and w[-1] in (1, None) and _fit(w[:-1], got):
        yield "X[None, ..., None]", "makes it one example with one channel" if len(w) > 2 else "makes it one example"
    if _fit(w, got):
        steps = f" of {got[0]} steps" if len(w) == 2 and w[0] is None and isinstance(got[0], int) else ""
        yield "X[None]", f"makes all of it one example{steps}"
    if len(w) > 2 and w[-1] == 3 and _fit(w[:-1], g[:-1] if g[-1:] == (1,) else g):
        gray = "X" if g[-1:] == (1,) and len(g) == len(w) else "X[..., None]"
        yield f"np.repeat({gray}, 3, axis=-1)", "copies the gray values into 3 channels"
    if len(g) == len(w) and not _fit(w, g):
        if len(w) > 1 and _fit(w, (*g[1:], g[0])):
            yield "np.moveaxis(X, 1, -1)", "puts the channels last" if len(w) > 2 else "puts the steps first"
        elif len(w) > 2 and _fit(w, (g[-1], *g[:-1])):
            yield "np.moveaxis(X, -1, 1)", "puts the channels first"
        elif len(w) == 3 and w[-1] == g[-1] and None not in w:
            yield f"keras.ops.image.resize(X, ({w[0]}, {w[1]}))", "resizes the images"
    if line := _reshape(w, g):
        yield line, "reshapes each example, keeping the order of its numbers"


def _reshape(wanted: Sequence[Size], got: Sequence[Size]) -> str:
    """Return the reshape that keeps the numbers of each example, "" where they are not as many."""
    known = [size for size in wanted if isinstance(size, int)]
    sizes = [size for size in got if isinstance(size, int)]
    if len(sizes) < len(got) or len(wanted) - len(known) > 1 or not got or not known:
        return ""
    if len(known) == len(wanted):
        return f"X.reshape(-1, {', '.join(map(str, known))})" if prod(known) == prod(sizes) else ""
    if prod(sizes) % max(prod(known), 1) or prod(known) <= 1:
        return ""
    return f"X.reshape(len(X), {', '.join(str(size) if isinstance(size, int) else '-1' for size in wanted)})"


# Targets ------------------------------------------------------------------------------------------------------------


def loss_name(loss: Loss) -> str:
    """Return a loss as compile() takes it: `mean_squared_error`."""
    return loss.name.rpartition(".")[2]


def refuses_targets(loss: Loss, got: Shape, output: Shape) -> bool:
    """Return whether Keras refuses targets of a shape for an output, both with the number of examples open.

    >>> refuses_targets(loss_of("mse"), (None,), (None, 3)), refuses_targets(loss_of("mse"), (None, 1), (None, 3))
    (True, False)
    """
    if (
        loss.class_axis == 1
        or loss.refuses(got, output)
        or loss.sparse
        or loss.targets.kind == "letters"
        or len(got) == len(output)
    ):
        return loss.refuses(got, output)
    shorter, longer = sorted((got, output), key=len)
    return len(longer) != len(shorter) + 1 or longer[-1] not in (1, None)  # an axis of size 1 is added or taken off


def spreads(loss: Loss, got: Shape, output: Shape) -> bool:
    """Return whether Keras takes targets of another shape than the output's and compares each number with several.

    >>> spreads(loss_of("mse"), (None, 1), (None, 3)), spreads(loss_of("mse"), (None,), (None, 1))
    (True, False)
    """
    if loss.sparse or loss.targets.kind == "letters" or refuses_targets(loss, got, output):
        return False
    got = got[:-1] if len(got) == len(output) + 1 and got[-1] == 1 else got
    output = output[:-1] if len(output) == len(got) + 1 and output[-1] == 1 and len(got) > 1 else output
    pairs = zip(got[1:], output[1:], strict=False)
    return len(got) == len(output) and any(
        isinstance(a, int) and isinstance(b, int) and a != b and 1 in (a, b) for a, b in pairs
    )


def last_recurrent(layers: Iterable[tuple[str, str]]) -> str:
    """Return the name of the last recurrent layer of those with these names and types, "" where there is none.

    >>> last_recurrent([("conv1d", "Conv1D"), ("gru", "GRU"), ("dense", "Dense")]), last_recurrent([("dense", "Dense")])
    ('gru', '')
    """
    results = [name for name, type_ in layers if (declaration := find(type_)) is not None and declaration.takes_states]
    return results[-1] if results else ""


def targets_words(
    loss: Loss, output: Shape, got: Shape, name: str = "y", of: str = "fit", right: str = "", recurrent: str = ""
) -> str:
    """Return what fit() needs of targets that do not fit an output, and how to give them: `right`, if that is known.
    `recurrent` is the last recurrent layer of the model, if it has one.

    >>> print(targets_words(loss_of("categorical_crossentropy"), (None, 3), (100, 1)))
    fit() needs y of shape (examples, 3), one-hot, for categorical_crossentropy; yours is (100, 1). \
`y = keras.utils.to_categorical(y, 3)`; or compile with sparse_categorical_crossentropy, which takes class numbers
    """
    wanted = loss.targets_shape(output)
    kind = {"one-hot": ", one-hot,", "classes": ", class numbers,"}.get(loss.targets.kind, "")
    sentence = f"{of}() needs {name} of shape {shape_words(wanted)}{kind} for {loss_name(loss)}; yours is {_own(got)}"
    advice = "; or ".join(
        [right, *_of_targets(loss, output, got, name, recurrent)[1:]]
        if right
        else _of_targets(loss, output, got, name, recurrent)
    )
    return f"{sentence}. {advice[0].upper()}{advice[1:]}"


def _cut_or_padded(output: Shape, got: Shape) -> str:
    """Return the layer that brings the places of an output to those of targets with as many channels; "" for none.

    >>> _cut_or_padded((None, 32, 32, 1), (None, 28, 28, 1))
    '`Cropping2D(2)` behind the last layer cuts (32, 32) to (28, 28)'
    >>> _cut_or_padded((None, 24, 27, 3), (None, 28, 28, 3))
    '`ZeroPadding2D(((2, 2), (0, 1)))` behind the last layer pads (24, 27) to (28, 28)'
    """
    places, wanted = output[1:-1], got[1:-1]
    if len(got) != len(output) or got[-1] != output[-1] or not 1 <= len(places) <= 3:
        return ""
    more = [a - b for a, b in zip(places, wanted, strict=True) if isinstance(a, int) and isinstance(b, int)]
    if len(more) < len(places) or not any(more) or min(more) < 0 < max(more):
        return ""
    sides = [(abs(number) // 2, abs(number) - abs(number) // 2) for number in more]
    same = len({*sides}) == 1 and sides[0][0] == sides[0][1]
    amount = sides[0][0] if same else sides[0] if len(sides) == 1 else tuple(sides)
    layer, cuts = ("Cropping", "cuts") if max(more) > 0 else ("ZeroPadding", "pads")
    sizes = f"{shape_text(places)} to {shape_text(wanted)}"
    return f"`{layer}{len(places)}D({amount})` behind the last layer {cuts} {sizes}"


def one_for_all_places(output: Shape, recurrent: str) -> str:
    """Return what makes one output of those for each step or place of an example; `recurrent` is the last recurrent
    layer of the model, "" for none.

    >>> one_for_all_places((None, 60, 1), "lstm"), one_for_all_places((None, 60, 1), "")
    ("give 'lstm' return_sequences=False", 'put Flatten or GlobalAveragePooling1D before the last Dense')
    """
    axes = len(output) - 2
    if axes == 1 and recurrent:
        return f"give '{recurrent}' return_sequences=False"
    pooling = f"GlobalAveragePooling{axes}D" if 1 <= axes <= 3 else "a global pooling"
    return f"put Flatten or {pooling} before the last Dense"


def _of_targets(loss: Loss, output: Shape, got: Shape, name: str, recurrent: str) -> list[str]:
    """Return what gives targets that fit, or a model that fits them, the likeliest first."""
    units, own = output[-1], got[-1] if len(got) > 1 else None
    wanted = loss.targets_shape(output)
    joined = one_for_all_places(output, recurrent)
    by_example = "if there is one target for each example"
    results: list[str] = []
    if line := _cut_or_padded(output, got):
        results.append(line)
    elif len(got) < len(wanted) and (own == units or len(got) < len(output) - 1 or (loss.sparse and own != 1)):
        results.append(f"{joined}, {by_example}")
    elif loss.targets.kind == "one-hot" and own != units and (own == 1 or len(got) == len(output) - 1):
        results.append(f"`{name} = keras.utils.to_categorical({name}, {units})`")
        if len(output) == 3 and len(got) == 2 and own is not None:
            results.append(f"{joined}, {by_example}")
    elif loss.sparse and len(got) == len(output) and own == units:
        results.append(f"`{name} = {name}.argmax(axis=-1)`")
    elif (needed := len(got) + (loss.sparse and own != 1)) > len(output):
        steps = f"give '{recurrent}' return_sequences=True, or " if needed == 3 and recurrent else ""
        each = "step" if needed == 3 else "place"
        results.append(f"{steps}leave out Flatten and global pooling, if there is a target for each {each}")
    elif len(got) in (len(output), len(output) - 1) and not loss.sparse:
        count = own if len(got) == len(output) else 1
        if loss.of == "probabilities" and (units, count) == (1, 2):
            results.append(f"`{name} = {name}[:, 1:]`, if these are two classes, one-hot")
        if isinstance(count, int) and count != units:
            results.append(f"give the last layer {count} unit{'s' * (count != 1)}, such as Dense({count})")
        if loss.targets.kind == "one-hot" and isinstance(units, int) and count == units + 1:
            sentence = f"if the classes are numbered 1 to {units}, to_categorical gives an empty column for 0"
            results.append(f"{sentence}: `{name} = {name}[:, 1:]`")
    other = loss_of(_OTHER_LOSS.get(loss_name(loss), ""))
    if other is not None and not other.refuses(got, output):
        takes = "class numbers" if other.sparse else "one-hot rows"
        results.append(f"compile with {loss_name(other)}, which takes {takes}")
    return results or [f"its targets are {in_a_row([loss.targets(output)])}"]


# Compiled -----------------------------------------------------------------------------------------------------------
# What compile() makes of a loss and a metric: the class that a name stands for at given shapes, and which losses
# are computed from the values before the last activation.

_ACCURACIES = frozenset({"accuracy", "acc"})
_CROSSENTROPIES = frozenset({"crossentropy", "ce"})

ACCURACY_COUNTS = {
    "BinaryAccuracy": "outputs above 0.5 as 1, all others as 0, and counts those that equal their target",
    "CategoricalAccuracy": "the largest of the {units} outputs, and counts examples where the target is largest too",
    "SparseCategoricalAccuracy": "the number of the largest of the {units} outputs, and counts those that equal it",
}
"""Metric that "accuracy" stands for → what it takes, in words."""
METRIC_TARGETS = {
    "binary_accuracy": "bits",
    **dict.fromkeys(("categorical_accuracy", "top_k_categorical_accuracy"), "one-hot"),
    **dict.fromkeys(("sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy"), "classes"),
}
"""Metric → the kind of targets that it takes, as losses have them."""

_REMEMBERED = ("softmax", "sigmoid")
_OF_LOGITS = ("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy")

_FOCAL_OF_LOGITS = ("binary_focal_crossentropy", "sigmoid")


def is_of_logits(loss: Loss, activation: str) -> bool:
    """Return whether Keras computes a loss from what the last activation is applied to: on TensorFlow it remembers that
    of softmax and sigmoid (`_keras_logits`), whichever of the two the loss is made for.

    >>> mse, sparse = loss_of("mse"), loss_of("sparse_categorical_crossentropy")
    >>> is_of_logits(sparse, "sigmoid"), is_of_logits(sparse, "tanh"), is_of_logits(mse, "softmax")
    (True, False, False)
    """
    return (loss.name in _OF_LOGITS and activation in _REMEMBERED) or (loss.name, activation) == _FOCAL_OF_LOGITS


def is_of_both(loss: Loss, activation: str) -> bool:
    """Return whether Keras computes one factor of a loss from the output, and one from what was before it."""
    return (loss.name, activation) == ("binary_focal_crossentropy", "softmax")


def suited_losses(activation: str) -> tuple[str, ...]:
    """Return the losses that are made for outputs of a last activation.

    >>> suited_losses("sigmoid"), suited_losses("linear")
    (('binary_crossentropy',), ('mean_squared_error',))
    """
    if activation == "softmax":
        return ("categorical_crossentropy", "sparse_categorical_crossentropy")
    return ("binary_crossentropy",) if activation == "sigmoid" else ("mean_squared_error",)


def is_accuracy(metric: str) -> bool:
    """Return whether a metric is the one that Keras chooses by shapes."""
    return metric.lower() in _ACCURACIES


def accuracy_at(targets: Shape | None, output: Shape | None) -> str:
    """Return the class that "accuracy" stands for; "" where the shapes do not decide it.

    >>> accuracy_at(None, (None, 1)), accuracy_at((None, 3), (None, 3)), accuracy_at((None, 1), (None, 3))
    ('BinaryAccuracy', 'CategoricalAccuracy', 'SparseCategoricalAccuracy')
    >>> accuracy_at(None, (None, 3))
    ''
    """
    kind = _kind_at(targets, output)
    return f"{''.join(word.capitalize() for word in kind.split('_'))}Accuracy" if kind else ""


def loss_at(name: str, output: Shape | None = None, targets: Shape | None = None) -> Loss | None:
    """Return the loss of a name; None for one that Keras does not have, and where it would choose it by shapes that are
    not known.

    >>> loss_at("ce", (None, 1)).name, loss_at("crossentropy", (None, 3), (None,)).name, loss_at("ce", (None, 3))
    ('binary_crossentropy', 'sparse_categorical_crossentropy', None)
    """
    if name.lower() not in _CROSSENTROPIES:
        return loss_of(name)
    kind = _kind_at(targets, output)
    return loss_of(f"{kind}_crossentropy") if kind else None


def _kind_at(targets: Shape | None, output: Shape | None) -> str:
    """Return whether targets and output are of two classes, of one-hot rows or of class numbers; "" if unknown."""
    if not output:
        return ""
    if output[-1] == 1:
        return "binary"
    if targets is None or not isinstance(output[-1], int):
        return ""
    return "sparse_categorical" if len(targets) < len(output) or targets[-1:] == (1,) else "categorical"
