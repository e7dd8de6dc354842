"""SVG: a graph as a picture of boxes and lines, for papers and READMEs, that any viewer or editor opens.

Colours are written at each element, since editors and converters read style sheets in part or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from layerexplain.records import NamedTuple
from layerexplain.render.escape import clean, escaped
from layerexplain.render.graph.diagram import Diagram, GraphNode
from layerexplain.render.graph.layout import Box, BoxSize, PlacedDiagram, layout

_MARGIN = 16.0
_TITLE, _TEXT, _SHAPE = 13.0, 12.0, 12.0
_LEADING = 1.35
_PADDING = 9.0
_WIDEST = 290.0
_NARROWEST = 76.0
_BOLD = 1.12
"""So much wider than others bold letters are; js/canvas.js knows it too."""
_WIDER = 1.08
"""By so much the fonts of some systems are wider than those that are named first."""
_FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"


class Theme(NamedTuple):
    """Colours: of the paper, of text and quiet text, of lines, and of boxes by family, in full and from afar."""

    paper: str
    text: str
    muted: str
    line: str
    frame: str
    plain: str
    fault: str
    families: Mapping[str, str]
    strong: Mapping[str, str]


_LIGHT = {
    "weights": "#cfe0f8", "windows": "#ddd6f6", "shape": "#e7e7e4", "normal": "#d0ebd0", "activation": "#fbe3b8",
    "sequence": "#f6d0d9", "attention": "#fdd6bd", "join": "#e5dcc4", "random": "#d8e8ec",
}  # fmt: skip
_DARK = {
    "weights": "#243b5a", "windows": "#37315f", "shape": "#37383a", "normal": "#244428", "activation": "#54401c",
    "sequence": "#54293a", "attention": "#5a3a20", "join": "#45402f", "random": "#2b3d42",
}  # fmt: skip
_STRONG = {
    "weights": "#8fb0dd", "windows": "#ac9fdc", "shape": "#b3b3ad", "normal": "#93bd96", "activation": "#dfbd78",
    "sequence": "#d79aab", "attention": "#e3a881", "join": "#c0b08a", "random": "#9cbcc4",
}  # fmt: skip
"""The colours of boxes from afar, where there are no texts to be read on them."""

THEMES = {
    "light": Theme("#ffffff", "#1a1c1e", "#51585f", "#7b838b", "#b9c0c7", "#f1f3f5", "#b3261e", _LIGHT, _STRONG),
    "dark": Theme("#15171a", "#e9ecef", "#b3bac1", "#7f8890", "#4a5158", "#25292d", "#ff8a80", _DARK, _STRONG),
}


def svg(graph: Diagram, theme: str = "light", horizontal: bool = False) -> str:
    """Return the graph as an SVG file. `theme` is one of `THEMES`; `horizontal` draws from left to right."""
    look = THEMES[theme]
    placed = layout(graph, size_of, lambda text: width_of(text, _SHAPE), horizontal)
    width, height = placed.width + 2 * _MARGIN, placed.height + 2 * _MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="{_n(-_MARGIN)} {_n(-_MARGIN)} {_n(width)} {_n(height)}" font-family="{_FONT}">'
    )
    paper = (
        f'<rect x="{_n(-_MARGIN)}" y="{_n(-_MARGIN)}" width="{_n(width)}" height="{_n(height)}" fill="{look.paper}"/>'
    )
    return "\n".join([head, paper, *_drawn(placed, look), "</svg>"]) + "\n"


def size_of(node: GraphNode) -> BoxSize:
    """Return what a box takes for its texts; an open one for its title."""
    if node.port:
        return BoxSize(8, 8)
    widths = [
        width_of(line, _TITLE if not at else _TEXT) * (_BOLD if not at else 1) for at, line in enumerate(_lines(node))
    ]
    width = min(max(widths, default=0) + 2 * _PADDING, _WIDEST)
    text = _TITLE * _LEADING + _TEXT * _LEADING * (len(_lines(node)) - 1) - 2
    title = 2 * _PADDING + text
    return BoxSize(max(width, _NARROWEST), title - 4, title - 2)


def _lines(node: GraphNode) -> tuple[str, ...]:
    return tuple([clean(line) for line in (node.name, *node.about) if line])


def _drawn(placed: PlacedDiagram, look: Theme) -> Iterator[str]:
    """Frames first, then lines, and boxes on top of them."""
    for box in placed.boxes:
        if box.inner is not None:
            dashes = ' stroke-dasharray="5 3"' if box.node.copies else ""
            yield _rectangle(box, look.paper, _stroke(box.node, look), 8, dashes)
            yield from _texts(box, look, box.x + 12)
            yield from _drawn(box.inner, look)
        elif len(box.node.copies) > 1:  # a pile: what is behind shows at two edges
            yield _rectangle(box._replace(x=box.x + 4, y=box.y + 4), look.paper, look.frame, 5)
    for line in placed.lines:
        points = " ".join([f"{_n(x)},{_n(y)}" for x, y in line.points])
        stroke = f'stroke="{look.line}" stroke-width="1.2" stroke-linejoin="round"'
        yield f'<polyline points="{points}" fill="none" {stroke}/>'
        yield _head(line.points, look)
    for box in placed.boxes:
        if box.node.port:
            x, y = box.x + box.width / 2, box.y + box.height / 2
            yield f'<circle cx="{_n(x)}" cy="{_n(y)}" r="3" fill="{look.line}"/>'
        elif box.inner is None:
            fill = look.families.get(box.node.family, look.plain)
            yield _rectangle(box, fill, _stroke(box.node, look), 12 if box.node.is_input else 5)
            yield from _texts(box, look, box.x + box.width / 2, middle=True)
    for text, (x, y) in placed.labels:
        yield f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(_SHAPE)}" fill="{look.muted}">{_escaped(text)}</text>'


def _rectangle(box: Box, fill: str, stroke: str, corner: float, more: str = "") -> str:
    return (
        f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="{_n(corner)}" '
        f'fill="{fill}" stroke="{stroke}"{more}/>'
    )


def _texts(box: Box, look: Theme, x: float, middle: bool = False) -> Iterator[str]:
    """Yield the lines of a box; the whole text of one that is cut is its title."""
    anchor = ' text-anchor="middle"' if middle else ""
    lines = _lines(box.node)
    room = (box.width if middle else max(box.width - 12, _WIDEST)) - 2 * _PADDING + 4
    cut = [fitted(line, _TITLE * _BOLD if not at else _TEXT, room) for at, line in enumerate(lines)]
    if cut != [*lines]:
        yield f"<g><title>{_escaped('; '.join(lines))}</title>"
    y = box.y + _PADDING + _TITLE - 2 + (0 if not middle else (box.height - size_of(box.node).along) / 2)
    for at, line in enumerate(cut):
        style = f'font-size="{_n(_TITLE)}" font-weight="bold" fill="{look.text}"'
        style = style if not at else f'font-size="{_n(_TEXT)}" fill="{look.muted}"'
        yield f'<text x="{_n(x)}" y="{_n(y)}"{anchor} {style}>{_escaped(line)}</text>'
        y += (_TITLE if not at else _TEXT) * _LEADING
    if cut != [*lines]:
        yield "</g>"


def _head(points: tuple[tuple[float, float], ...], look: Theme) -> str:
    """Return the head of an arrow, as a triangle: markers are not drawn by all programs."""
    (a, b), (x, y) = points[-2:]
    dx, dy = (x > a) - (x < a), (y > b) - (y < b)
    corners = [(x, y), (x - 7 * dx - 3.2 * dy, y - 7 * dy - 3.2 * dx), (x - 7 * dx + 3.2 * dy, y - 7 * dy + 3.2 * dx)]
    return f'<polygon points="{" ".join([f"{_n(p)},{_n(q)}" for p, q in corners])}" fill="{look.line}"/>'


def _stroke(node: GraphNode, look: Theme) -> str:
    return f'{look.fault}" stroke-width="2' if node.is_faulty else look.frame


def _escaped(text: str) -> str:
    return escaped(clean(text))


def _n(number: float) -> str:
    """Return a number with one decimal, if it needs one."""
    return f"{round(number, 1):g}"


def width_of(text: str, size: float) -> float:
    """Estimate how wide a text is in a sans-serif font of this size: a little more rather than less.

    >>> width_of("iiii", 10) < width_of("mmmm", 10)
    True
    """
    return sum([_WIDTHS.get(character, 0.56 if character < "\u0300" else 0.95) for character in text]) * _WIDER * size


_WIDTHS = {
    **dict.fromkeys("iljI.,:;'|!", 0.27), **dict.fromkeys("ftr()[]/ -·", 0.34), **dict.fromkeys("cksvxyzJ", 0.51),
    **dict.fromkeys("ABEKPSVXYZ&", 0.68), **dict.fromkeys("CDHNRUGOQw", 0.75), **dict.fromkeys("mM", 0.85),
    **dict.fromkeys("W@%", 0.96), **dict.fromkeys("+=×<>", 0.6),
}  # fmt: skip


def fitted(text: str, size: float, room: float) -> str:
    """Return the text with its middle left out if it is too wide; the end of a name tells it from the others."""
    if width_of(text, size) <= room:
        return text
    parts = text.split(", ")
    while len(parts) > 2:  # of a list, what fits
        parts.pop()
        if width_of(listed := f"{', '.join(parts)}, …", size) <= room:
            return listed
    keep = max(int(len(text) * room / width_of(text, size)) - 1, 4)
    while keep > 4 and width_of(text[: keep - keep // 3] + "…" + text[-(keep // 3) :], size) > room:
        keep -= 1
    return text[: keep - keep // 3] + "…" + text[-(keep // 3) :]
