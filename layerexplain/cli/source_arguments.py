"""What is typed as SOURCE: names, URLs, globs and directories, and how files behind URLs are reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from layerexplain.errors import LayerExplainError

if TYPE_CHECKING:
    from layerexplain.sources.names import Reach

_META = "layerexplain.reach"
_RECURSIVE = "layerexplain.recursive"


class Located(str):
    """A source that was found and not named (`listed`), or that has nothing to read (`fault`); as text its path."""

    listed: bool
    fault: LayerExplainError | None

    def __new__(cls, path: str, listed: bool = True, fault: LayerExplainError | None = None) -> Located:
        """Make one of a path."""
        located = super().__new__(cls, path)
        located.listed, located.fault = listed, fault
        return located

    def __reduce__(self) -> tuple[Any, ...]:
        return Located, (str(self), self.listed, self.fault)


def is_listed(source: str) -> bool:
    """Return whether a source was found in a directory or by a glob: one that holds no model is passed over then."""
    return bool(getattr(source, "listed", False))


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is None:
        return
    if parameter.name == "max_download":
        from layerexplain.cli.amounts import bytes_in

        value = bytes_in("", "500MB or 2GiB")(ctx, parameter, value)
    ctx.meta.setdefault(_META, {})[parameter.name] = value


def _option(name: str, metavar: str, help: str, type: Any = None) -> Callable[[Any], Any]:
    return click.option(
        name, metavar=metavar, is_eager=True, expose_value=False, callback=_remember, type=type, help=help
    )  # fmt: skip


REACH_OPTIONS = (
    _option("--timeout", "SECONDS", "For URLs: how long a server may be silent. Default: 30.", click.FloatRange(0.01)),
    _option(
        "--retries",
        "N",
        "For URLs: how often to retry after a failure that may be temporary. Default: 3.",
        click.IntRange(0, 20),
    ),
    _option(
        "--max-download",
        "SIZE",
        "For URLs: the most to download of a file whose server sends no ranges. Default: 64MiB.",
    ),
)


def reach_of(ctx: click.Context) -> Reach:
    """Return how URLs are reached, as the command's options say."""
    from layerexplain.sources.names import Reach

    return Reach()._replace(**ctx.meta.get(_META, {}))


def _walk(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta[_RECURSIVE] = value


recursive_option = click.option(
    "--recursive", "-r", is_flag=True, is_eager=True, expose_value=False, callback=_walk,
    help="Read all models below a SOURCE that is a directory; files that are not models are skipped and counted.",
)  # fmt: skip


def located(ctx: click.Context, source: str) -> str:
    """Return a source as it was typed, a URL with how it is reached."""
    if "://" not in source and "::" not in source:
        return source
    from layerexplain.sources.names import source_reference

    return source_reference(source, reach_of(ctx))


def each_located(ctx: click.Context, sources: Sequence[str]) -> Iterator[str]:
    """Yield the sources that were typed; for a glob and, with --recursive, a directory what they hold."""
    recursive = ctx.meta.get(_RECURSIVE, False)
    for source in sources:
        place = located(ctx, source)
        if not recursive and not set("*?[") & set(source):
            yield place
            continue
        from layerexplain.cli import library
        from layerexplain.sources.listing import find_sources, has_magic

        # A request for a model of code may have brackets among its arguments: `train.py:build(sizes=[3])`.
        if not recursive and (not has_magic(place) or getattr(library.code_source(place), "request", "") != ""):
            yield place
            continue
        for found in find_sources([place], recursive=recursive):
            if found.fault is not None:
                is_named = found.source == place
                yield Located(found.source, not is_named, found.fault)
            elif found.is_remote:
                found.source.listed = found.source != place  # type: ignore[attr-defined]
                yield found.source
            else:
                yield found.source if found.source == place else Located(found.source)
