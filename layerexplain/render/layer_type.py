"""The page of a layer type: what it does, its arguments, and the command that explains an example of it."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.layers.arguments import Argument
from layerexplain.layers.registry import IN_FILES_ONLY, Declaration, description_of
from layerexplain.render.escape import clean
from layerexplain.render.layout import Look, pad, paint, width_of, wrap

_LABEL = "  arguments "


def layer_type(declaration: Declaration, example: Sequence[str], look: Look) -> str:
    """The page as text. `example` are the words of the command that shows the layer at work."""
    lines = [paint(declaration.type, "bold", look)]
    lines += wrap(f"  {clean(description_of(declaration), look.ascii)}", look.width, hang=0)
    arguments = [(n, a) for n, a in declaration.arguments.items() if n not in IN_FILES_ONLY]
    width = max([width_of(name) for name, _ in arguments], default=0)
    for number, (name, argument) in enumerate(arguments):
        head = (" " * len(_LABEL) if number else _LABEL) + pad(name, width) + "  "
        first, *others = wrap(clean(head + _words(argument), look.ascii), look.width, hang=len(head.lstrip()))
        shown = paint(first[: len(_LABEL)], "dim", look) + paint(first[len(_LABEL) : len(head)], "cyan", look)
        lines += [shown + first[len(head) :], *others]
    if not arguments:
        lines.append(paint(_LABEL, "dim", look) + "none")
    lines += ["", *wrap(f"An example, as `{clean(' '.join(example), look.ascii)}` explains it:", look.width)]
    return "\n".join(lines) + "\n"


def _words(argument: Argument) -> str:
    if argument.default is Argument.REQUIRED:
        return f"{argument.words}; needed"
    default = argument.default
    shown = str(default).lower() if isinstance(default, bool) else "none" if default is None else repr(default)
    return f"{argument.words}; {shown} if not given"
