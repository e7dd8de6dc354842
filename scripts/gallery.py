"""Makes a page of all layer types, each with the example that `layerexplain layer TYPE` shows, explained:
`python scripts/gallery.py [FILE]`, by default build/gallery.html. The page works offline; it is not committed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerexplain import Report

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]


def examples(gradient: bool = False) -> Iterator[tuple[str, Report]]:
    """All layer types by their families, each with the report of its example."""
    from layerexplain import api
    from layerexplain.cli.arguments import parse_arguments
    from layerexplain.cli.source_arguments import parse_input

    for entries in api.layer_types().values():
        for name, _, _ in entries:
            told = api.layer_type(name)
            shapes = [(None, *parse_input(shape).shape) for shape in told.example_inputs]
            yield name, api.explain_layer(name, parse_arguments(told.example), input_shape=shapes, gradient=gradient)


def gallery() -> str:
    """The page as HTML."""
    from generate import FAMILIES

    from layerexplain import api
    from layerexplain.render.page.layer_data import gallery_data
    from layerexplain.render.page.shell import shell

    reports = dict(examples())
    families = {}
    for family, entries in api.layer_types().items():
        title = FAMILIES.get(family, family.replace("_", " ").capitalize())
        families[title] = [(api.layer_type(name), reports[name].layers[0]) for name, _, _ in entries]
    return shell(gallery_data("Layer types", families), "Layer types", "gallery", ("one_layer",))


def main() -> None:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "build" / "gallery.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    page = gallery()
    file.write_text(page, encoding="ascii")
    print(f"{file}: {len(page) // 1000} kB")


if __name__ == "__main__":
    main()
