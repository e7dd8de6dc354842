"""What a shell is offered for a word that is being typed: layer types, their arguments, layers of a file, columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]
_Found = Iterable[tuple[str, str | None]]


def _completes(find: Callable[[click.Context, str], _Found]) -> _Complete:
    """Turn a function that finds words, each with its help, into the one that click calls."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(word, help=help) for word, help in find(ctx, incomplete)]

    return complete


def _code(ctx: click.Context) -> tuple[str, ...]:
    """Return the files that --code names, if it stands before the word."""
    return tuple(ctx.params.get("code") or ())


@_completes
def layer_types(ctx: click.Context, incomplete: str) -> _Found:
    """Yield the layer types that begin with what is typed, in upper or lower case, with what each does."""
    from layerexplain import api

    for entries in api.layer_types(_code(ctx)).values():
        yield from [(type, words) for type, _, words in entries if type.lower().startswith(incomplete.lower())]


@_completes
def layer_arguments(ctx: click.Context, incomplete: str) -> _Found:
    """Yield the arguments of the layer type that was typed, each with its default or an example, and what it takes."""
    from layerexplain import api
    from layerexplain.errors import ArgumentError

    try:
        entry = api.layer_type(str(ctx.params.get("type")), _code(ctx))
    except ArgumentError:
        return
    for argument in entry.arguments:
        if argument.name.startswith(incomplete):
            plain = not argument.is_required and isinstance(argument.default, str | int | float)
            value = str(argument.default).lower() if plain else argument.example.strip("'")
            # A shell has uses of its own for all other signs.
            is_harmless = value.replace("_", "").replace(".", "").isalnum()
            yield f"{argument.name}={value if is_harmless else ''}", argument.words


@_completes
def layer_names(ctx: click.Context, incomplete: str) -> _Found:
    """List the layers of the source that was typed, those in nested models by their paths.

    A shell puts what it is offered on the command line as it stands, so a name with a sign that a shell obeys is left
    out. Nothing is offered for a source that cannot be read.
    """
    from layerexplain import api
    from layerexplain.layer_names import layers_in

    source = ctx.params.get("source")
    if not isinstance(source, str) or source == "-":
        return
    try:
        model = api.read(source, _code(ctx))
    # A shell that completes a word has no use for any message, a bug's neither.
    except Exception:
        return
    for path, layer in layers_in(model):
        if path.startswith(incomplete) and _is_harmless(path):
            yield path, layer.type if _is_harmless(layer.type) else None


def _is_harmless(name: str) -> bool:
    """Return whether no shell has a use of its own for any sign of a name.

    >>> _is_harmless("encoder/conv2d_1"), _is_harmless("dense;touch${IFS}x"), _is_harmless("-rf")
    (True, False, False)
    """
    return name.isprintable() and not name.startswith("-") and all(c.isalnum() or c in "_-./" for c in name)


def names_of(known: Iterable[str]) -> _Complete:
    """Completes a list with commas between, by one of the `known` names that is not in it."""

    @_completes
    def complete(ctx: click.Context, incomplete: str) -> _Found:
        before, comma, last = incomplete.rpartition(",")
        taken = before.split(",")
        return [(before + comma + name, None) for name in known if name.startswith(last) and name not in taken]

    return complete


@_completes
def optimizers(ctx: click.Context, incomplete: str) -> _Found:
    """Return the optimizers that begin with what is typed."""
    from layerexplain import api

    return [(name, None) for name in api.optimizers() if name.startswith(incomplete)]
