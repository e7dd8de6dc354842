"""The registry of layers: what `@layer` declares, and how a declaration is found.

Layer modules load on first use: `index.py` is the generated table from type to module.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from layerexplain.attribute_path import Steps, WeightPath
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import WEIGHT, Expr
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.signature import NO_FACTS, RANK, Facts, Signature, signature_of, with_conditions
from layerexplain.records import grouped

if TYPE_CHECKING:
    from typing import Unpack

    from layerexplain.layers.declaration import Declared

TORCH = "torch.nn."
"""What the types of PyTorch's modules begin with; plain names are Keras's."""

EINOPS = "einops."
"""What the names of einops begin with, functions and modules."""

TIMM = "timm."
"""What the names of modules of timm begin with."""

OF_TORCH_PROGRAMS = ("torch.", EINOPS, TIMM)
"""What types in programs of PyTorch begin with."""

TORCH_FUNCTIONS = f"{TORCH}functional."
"""What the names of those functions begin with that are losses; other functions are rows `torch.relu`."""

IN_FILES_ONLY = frozenset({"dtype", "quantization_config", "time_major"})
"""Arguments that occur in files and are not offered to users."""

KERNEL_AND_BIAS = (
    "kernel_initializer bias_initializer kernel_regularizer bias_regularizer kernel_constraint bias_constraint "
    "lora_rank lora_alpha quantization_config"
)
"""Training arguments, which change no shape, count, cost or formula."""

LAYERS: dict[str, Callable[[], Declaration]] = {}
"""What makes each declaration, by type, in the modules that have been loaded; a duplicate raises. Most models use a few
of the layers that a module declares: a declaration is made when it is first asked for."""


def layer(
    type_: str, *, also: Sequence[str] = (), **declared: Unpack[Declared]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a layer type by its formula.

    What a docstring calls its reference comes on top of Keras's own class, that of keras.layers with the type's name.

    Args:
        type_: The class name.
        also: Further names of the same layer.
        declared: As `Declaration` has them.
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        register(
            (type_, *also), lambda: Declaration(type_, function, description=first_paragraph(function), **declared)
        )
        return function

    return declare


def layers_of_rank(
    pattern: str,
    ranks: Sequence[int] = (1, 2, 3),
    *,
    also: str = "",
    differs: Mapping[int, Callable[[Signature], Signature]] = MappingProxyType({}),
    facts_of_rank: Mapping[int, Facts] = MappingProxyType({}),
    **declared: Unpack[Declared],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare one layer for several ranks by one formula: Conv1D, Conv2D and Conv3D by "Conv{}D".

    A function with a keyword `rank` receives it. The first tensor has a batch and a channel axis beside the spatial
    ones, which is checked unless `ndim=None` says that the formula does. In the sentence of the docstring
    and in the gist `[step|pixel|voxel]` is a choice by rank; the last choice serves all further ranks.

    Args:
        pattern: The class name, with `{}` for the rank.
        ranks: The numbers of spatial axes.
        also: A further name, with `{}` for the rank.
        differs: What the signature of a rank is, from that of the function.
        facts_of_rank: The facts of the layer of a rank, where these differ.
        declared: As `Declaration` has them.
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        def of_rank(rank: int, place: int) -> Declaration:
            common = signature_of(function)
            given: Declared = {"ndim": rank + 2, **declared}
            if "gist" in declared:
                given["gist"] = with_choice(declared["gist"], place)
            if rank in facts_of_rank:
                given["facts"] = facts_of_rank[rank]
            return Declaration(
                pattern.format(rank),
                partial(function, rank=rank) if RANK in function.__annotations__ else function,
                differs[rank](common) if rank in differs else common,
                description=with_choice(first_paragraph(function), place),
                **given,
            )

        for place, rank in enumerate(ranks):
            names = [name.format(rank) for name in (pattern, also) if name]
            register(names, partial(of_rank, rank, place))
        return function

    return declare


def training_part(
    type_: str, *, home: str, kind: str, result: str = "y"
) -> Callable[[Callable[..., Expr]], Callable[..., Expr]]:
    """Declare a part of training by its formula, a function of one tensor.

    Args:
        type_: The class name.
        home: The module in Keras.
        kind: That of its definitions.
        result: What the formula gives.
    """

    def declare(function: Callable[..., Expr]) -> Callable[..., Expr]:
        name, paragraph = f"{home}.{type_}", first_paragraph(function)

        def formula(tensor: Expr, **arguments: Any) -> dict[str, Expr]:
            return {result: function(tensor, **arguments)}

        register([name], lambda: Declaration(name, formula, signature_of(function), description=paragraph, kind=kind))
        return function

    return declare


def with_choice(text: str, place: int) -> str:
    """Return a text with the choice at this place of each `[a|b|c]`, the last one where there are fewer.

    >>> [with_choice("tf.[argmax|argmin](x) is largest[|, negated]", place) for place in (0, 1)]
    ['tf.argmax(x) is largest', 'tf.argmin(x) is largest, negated']
    """
    sentence, *rest = text.split("[")
    for part in rest:
        choices, _, after = part.partition("]")
        sentence += choices.split("|")[: place + 1][-1] + after if "|" in choices else f"[{part}"
    return sentence


def register(names: Iterable[str], make: Callable[[], Declaration]) -> None:
    """Make known by its names what makes a declaration. Raises ValueError for a name that is taken."""
    for name in names:
        if name in LAYERS:
            raise ValueError(f"layer {name!r} is declared twice")
        LAYERS[name] = make


def first_paragraph(function: Callable[..., Any]) -> str:
    """Return the first paragraph of a docstring, as one line."""
    return " ".join((function.__doc__ or "").partition("\n\n")[0].split())


def of_torch(name: str) -> str:
    """Return the type of a module by its name in torch.nn; a module of another library has its whole name.

    >>> of_torch("Linear"), of_torch("einops.Rearrange")
    ('torch.nn.Linear', 'einops.Rearrange')
    """
    return name if "." in name else TORCH + name


def find(type_: str) -> Declaration | None:
    """Return the declaration of a type, loading its module if needed; None for an unknown type."""
    declared = LAYERS.get(type_)
    if declared is None:
        from layerexplain.layers.index import module_of

        module = module_of(type_)
        if module is None:
            return None
        loaded = importlib.import_module(f"layerexplain.layers.{module}")
        if type_ not in LAYERS:
            _register_row(type_, loaded)
        declared = LAYERS[type_]
    return declare_once(declared)


@cache
def declare_once(make: Callable[[], Declaration]) -> Declaration:
    """Return the declaration that `LAYERS` makes so, always the same."""
    declaration = make()
    declaration.is_built_in = True
    return declaration


@lru_cache(1000)
def part_of(kind: str, name: str) -> str | None:
    """Return how a part of training is declared; its `kind` is one of PARTS_OF_TRAINING.

    Any of its names will do: Keras has `mse`, `mean_squared_error` and `MeanSquaredError` for one loss. Those of
    PyTorch have their whole names: `torch.nn.MSELoss`, `torch.optim.SGD`.

    >>> part_of("losses", "mean_squared_error"), part_of("optimizers", "adam"), part_of("optimizers", "Adams")
    ('losses.MeanSquaredError', 'optimizers.Adam', None)
    """
    from layerexplain.layers.index import module_of, types

    if name.startswith("torch."):
        return name if module_of(name) == _OF_TORCH.get(kind) else None
    wanted = f"{kind}.{name.replace('_', '').lower()}"
    return next((known for known in types(kind) if known.replace("_", "").lower() == wanted), None)


def torch_part_of(kind: str, name: str) -> str | None:
    """Return how a loss or an optimizer of PyTorch is declared, as `part_of` does; with or without `Loss` at its end.

    >>> torch_part_of("losses", "mse"), torch_part_of("losses", "cross_entropy"), torch_part_of("optimizers", "sgd")
    ('torch.nn.MSELoss', 'torch.nn.CrossEntropyLoss', 'torch.optim.SGD')
    """
    last = name.rpartition(".")[2].lower()
    known = next((part for part in torch_parts(kind) if part.rpartition(".")[2].lower() in (last, f"{last}loss")), None)
    declaration = None if known is None else find(known)
    return None if declaration is None else declaration.type


def torch_parts(kind: str) -> list[str]:
    """Return the whole names of the losses or optimizers of PyTorch, functions that are losses among them."""
    from layerexplain.layers.index import module_of, types

    starts = ("torch.optim", TORCH.rstrip("."), TORCH_FUNCTIONS.rstrip("."))
    return [name for start in starts for name in types(start) if module_of(name) == _OF_TORCH.get(kind)]


_OF_TORCH = {"losses": "torch.losses", "optimizers": "torch.optimizers"}
"""Which modules of this package have the parts of training of PyTorch."""

PARTS_OF_TRAINING = ("losses", "optimizers", "schedules", "regularizers", "constraints")
"""The kinds of what is declared as layers are, and takes part in training alone."""


def find_named(name: str) -> Declaration | None:
    """Return the declaration of a layer type, or of a loss, an optimizer or another part of training by any name."""
    if "." in name:
        return find(name) if name.startswith((TORCH, "torch.optim.", EINOPS)) else None
    known = next(filter(None, [part_of(kind, name) for kind in PARTS_OF_TRAINING]), None)
    return find(name) or (None if known is None else find(known))


def training_types() -> dict[str, list[tuple[str, str, str]]]:
    """List the parts of training by their kinds: of each its name, its arguments and what it does.

    >>> [entry[0] for entry in training_types()["regularizers"]]
    ['L1', 'L1L2', 'L2', 'OrthogonalRegularizer']
    """
    return _listed((kind, f"{kind}.{name}") for kind in PARTS_OF_TRAINING for name in sorted(part_names(kind)))


def _listed(types: Iterable[tuple[str, str]]) -> dict[str, list[tuple[str, str, str]]]:
    """Return the name, the arguments and the description of types by their groups; further names are left out."""
    declared = [(group, type_, find(type_)) for group, type_ in types]
    return grouped(
        (group, (type_.rpartition(".")[2], signature(declaration), description_of(declaration)))
        for group, type_, declaration in declared
        if declaration is not None and declaration.type == type_
    )


def part_names(kind: str, *, aliases: bool = False) -> list[str]:
    """Return the class names of the losses, optimizers, schedules or regularizers of Keras; with `aliases` also `mse`.

    >>> part_names("regularizers")
    ['L1', 'L1L2', 'L2', 'OrthogonalRegularizer']
    """
    from layerexplain.layers.index import types

    names = [name.partition(".")[2] for name in types(kind)]
    return names if aliases else [name for name in names if name[0].isupper()]


def _register_row(type_: str, module: Any) -> None:
    """Make an operation known that is a row of its module's table."""
    from layerexplain.layers.operation_table import declaration_of, read_row, rows_by_name

    row = read_row(rows_by_name(module.ROWS)[type_])
    register(row.names, lambda: declaration_of(row, vars(module)))


def facts_of(type_: str) -> Facts:
    """Return the facts of a layer type, the defaults for one that is not declared."""
    declaration = find(type_)
    return declaration.facts if declaration is not None else NO_FACTS


def class_name(type_: str) -> str:
    """Return the name of the class that a name of a layer type stands for.

    >>> class_name("MaxPool2D"), class_name("GroupQueryAttention"), class_name("SyncBatchNormalization")
    ('MaxPooling2D', 'GroupedQueryAttention', 'SyncBatchNormalization')
    """
    declaration = find(type_) if "." not in type_ else None
    if declaration is None or type_ in declaration.facts.own_classes:
        return type_
    return declaration.facts.class_name or declaration.type


def type_names() -> list[str]:
    """All layer types of Keras that have a declaration, in alphabetical order; operations between layers are left
    out."""
    from layerexplain.layers.index import types

    return sorted(types(""))


def torch_type(name: str) -> str | None:
    """Return the type of a module of PyTorch by its name, alone or as code has it; None where there is none.

    >>> torch_type("Linear"), torch_type("nn.Conv2d"), torch_type("optim.SGD"), torch_type("Dense")
    ('torch.nn.Linear', 'torch.nn.Conv2d', 'torch.optim.SGD', None)
    """
    from layerexplain.layers.index import module_of

    short = name.removeprefix("torch.")
    type_ = f"torch.{short}" if short.startswith("optim.") else of_torch(short.removeprefix("nn."))
    return type_ if module_of(type_) is not None else None


def first_argument(type_: str) -> str | None:
    """Return the first argument of a layer type (`units` of Dense), None if it has none or the type is unknown."""
    declaration = find(type_)
    return next(iter(declaration.arguments), None) if declaration else None


IN_ORDER = {
    **dict.fromkeys(("Embedding", "Lambda", "AdditiveAttention", "RandomCrop", "Bidirectional"), 2),
    **dict.fromkeys(("Dense", "Attention", "SimpleRNN", "SimpleRNNCell", "RandomRotation", "ReversibleEmbedding"), 3),
    "PReLU": 1,
}
"""How many arguments of a type stand in the order of its call in Keras, where these are fewer than four."""


def positional_arguments(declaration: Declaration) -> tuple[str, ...]:
    """Return the arguments that may be given without a name, in the framework's order; of Keras at most four, as nobody
    gives more."""
    names = [name for name in declaration.arguments if name not in IN_FILES_ONLY]
    if declaration.type.startswith("torch."):
        return tuple(names)
    return tuple(names[: IN_ORDER.get(declaration.type, 4)])


def layer_types() -> dict[str, list[tuple[str, str, str]]]:
    """List the layer types by family: of each its name, its arguments and what it does.

    >>> layer_types()["core"][0][0]
    'Activation'
    """
    from layerexplain.layers.index import family_of

    return _listed((family_of(type_), type_) for type_ in type_names())


def torch_types() -> dict[str, list[tuple[str, str, str]]]:
    """List the modules of PyTorch by family, as `layer_types` does.

    >>> torch_types()["torch.nn: core"][0][0]
    'nn.AlphaDropout'
    """
    from layerexplain.layers.index import family_of, types

    results = _listed((f"torch.nn: {family_of(type_)}", type_) for type_ in sorted(types(TORCH.rstrip("."))))
    return {family: [(f"nn.{name}", takes, does) for name, takes, does in own] for family, own in results.items()}


def signature(declaration: Declaration) -> str:
    """Return the arguments as they are written: `units, activation='linear', use_bias=True`."""
    parts = [
        name if argument.default is Argument.REQUIRED else f"{name}={argument.default!r}"
        for name, argument in declaration.arguments.items()
        if name not in IN_FILES_ONLY
    ]
    return ", ".join(parts)


def description_of(declaration: Declaration) -> str:
    """Return the description with `{units}` shown as the argument's name, in backquotes, and without sizes, which only
    an input has."""
    import re

    def fill(match: re.Match[str]) -> str:
        if match[1] in IN_GENERAL:
            return IN_GENERAL[match[1]] + match[2]
        return f"`{match[1]}`{match[2]}" if match[1] in declaration.arguments else ""

    sentence = with_conditions(declaration.description, lambda name: True)
    return re.sub(r"`(\w+)` \1\b", r"`\1`", re.sub(r"\{(\w+)\}( ?)", fill, sentence))


IN_GENERAL = {
    "along": "along one axis",
    "last": " along the last axis",
    "order": "in order",
    "then": ", then scales by γ and shifts by β",
    "scaled": ", then scales by γ",
    "broadcast": "; axes of size 1 are broadcast",
    "overlaps": "; overlaps are summed",
}
"""Fields of a description that stand for more than a number, for a layer without arguments."""


def inner_weights(
    definition: Definition,
    at: Steps,
    around: Callable[[WeightPath], WeightPath],
    suffix: str = "",
    trainable: bool = True,
) -> list[Expr]:
    """Return new leaves for the weights and states of a wrapped layer: `at` leads to it, `around` makes a weight's
    Keras path one of the outer layer's, `suffix` is added to the symbols."""
    leaves = []
    for old in definition.variables:
        attrs = dict(old.attrs)
        attrs["at"] = (*at, *attrs["at"])
        attrs["path"] = around(attrs["path"])
        attrs["trainable"] = attrs["trainable"] and trainable
        leaves.append(Expr(WEIGHT, (), attrs, old.shape, old.dtype, f"{old.label}{suffix}"))
    return leaves
