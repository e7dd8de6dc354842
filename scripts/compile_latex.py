"""Compiles what `--format latex` prints: each layer type with its gradient, its formulas as the page copies them, and
sample models. It needs `pdflatex` (Debian: texlive-latex-base, texlive-latex-recommended).

    python scripts/compile_latex.py [--keep FOLDER] [TYPE …]

Each document is compiled as it is printed, with the packages that it names itself. The exit code is 1 where TeX finds
an error, a sign that its font lacks, or something that runs past the margin; each is printed with the layer type that
it stands in.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

import layerexplain  # noqa: E402
from layerexplain.render.latex import AFTER, BEFORE, fitted  # noqa: E402

SAMPLES = ("transformer.json", "autoencoder_with_embedding.yaml", "digits.keras")
_ERROR = re.compile(r"^! (.+?)$(?:.*?)^l\.(\d+) ?(.*?)$", re.MULTILINE | re.DOTALL)


def main() -> None:
    arguments = sys.argv[1:]
    folder = None
    if "--keep" in arguments:
        at = arguments.index("--keep")
        folder = Path(arguments[at + 1])
        del arguments[at : at + 2]
    with tempfile.TemporaryDirectory() as temporary:
        into = folder or Path(temporary)
        into.mkdir(parents=True, exist_ok=True)
        faults = compiled("types", list(types(arguments)), into)
        for name in SAMPLES if not arguments else ():
            report = layerexplain.explain(ROOT / "sample_models" / name)
            faults += compiled(Path(name).stem, [(name, printed(report))], into)
    print("\n".join(faults) or "everything compiles")
    raise SystemExit(bool(faults))


def types(wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each layer type with what is printed of its example, and the formulas that the page copies."""
    from gallery import examples

    for name, report in examples(gradient=True):
        if wanted and name not in wanted:
            continue
        layer = report.layers[0]
        copied = [] if layer.explanation is None else [line.latex for line in layer.explanation.element_latex]
        copied += [] if layer.gradient is None else [line.latex for line in layer.gradient.latex]
        yield name, printed(report) + "".join([f"\n\\[ {fitted(line)} \\]\n" for line in copied])


def printed(report: Any) -> str:
    """What stands between the beginning and the end of the document of a report."""
    text = layerexplain.format_report(report, "latex", explain=True)
    if not (text.startswith(BEFORE) and text.endswith(AFTER)):
        raise SystemExit("a document has another beginning or end than render/latex.py says")
    return text[len(BEFORE) : -len(AFTER)]


def compiled(name: str, parts: Sequence[tuple[str, str]], folder: Path) -> list[str]:
    """What TeX says of one document of these parts, each with its name."""
    starts: list[tuple[int, str]] = []
    text = BEFORE
    for part, body in parts:
        starts.append((text.count("\n") + 1, part))
        text += body + "\n"
    (folder / f"{name}.tex").write_text(text + AFTER, encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", f"{name}.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = (folder / f"{name}.log").read_text(encoding="latin-1")
    faults = []
    for message, line, near in _ERROR.findall(log):
        part = [part for start, part in starts if start <= int(line)][-1:]
        faults.append(f"{name}.tex:{line}: {''.join(part)}: {message} near {near[-60:]}")
    wrong = ("Missing character", "Overfull \\hbox")
    faults += [f"{name}.tex: {line}" for line in log.splitlines() if line.startswith(wrong)]
    if not faults and (done.returncode or "Output written on" not in log):
        faults.append(f"{name}.tex: pdflatex ends with {done.returncode}: {log[-300:]}")
    print(f"{name}.tex: {len(parts)} parts, {text.count(chr(10)):,} lines")
    return faults


if __name__ == "__main__":
    main()
