"""What a command prints in a terminal, as SVG: a picture for the README that needs no terminal."""

from __future__ import annotations

import html
import re

SIZE, WIDE, LEADING, MARGIN = 13, 7.83, 19, 18
COLOURS = {
    "1": 'font-weight="bold" fill="#f2f4f6"',
    "2": 'fill="#98a1ab"',
    "36": 'fill="#7fd1dd"',
    "": 'fill="#d6dbe0"',
}


def terminal_picture(command: str, printed: str) -> str:
    """The command behind a prompt and what it printed, with its colours (SGR sequences), in a dark frame."""
    lines = [f"\x1b[2m$ \x1b[0m\x1b[1m{command}\x1b[0m", *printed.rstrip("\n").split("\n")]
    columns = max(len(re.sub(r"\x1b\[\d*m", "", line)) for line in lines)
    width, height = round(columns * WIDE + 2 * MARGIN), len(lines) * LEADING + 2 * MARGIN - 6
    texts = [
        f'<text x="{MARGIN}" y="{MARGIN + 10 + at * LEADING}">{_spans(line)}</text>' for at, line in enumerate(lines)
    ]
    font = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{font}" font-size="{SIZE}" xml:space="preserve">\n'
        f'<rect width="{width}" height="{height}" rx="9" fill="#1b1f24"/>\n' + "\n".join(texts) + "\n</svg>\n"
    )


def _spans(line: str) -> str:
    style = ""
    spans = []
    for piece in re.split(r"(\x1b\[\d*m)", line):
        if found := re.fullmatch(r"\x1b\[(\d*)m", piece):
            style = found[1] if found[1] in COLOURS else ""
        elif piece:
            spans.append(f"<tspan {COLOURS[style]}>{html.escape(piece, quote=False)}</tspan>")
    return "".join(spans)
