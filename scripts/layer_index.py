"""Write the table in layerexplain/layers/index.py: which module declares each layer type.

The modules are imported, and each type is noted with the module that was being run when it was declared: how it is
declared, by `@layer`, for several ranks or as a row of a table, makes no difference.

python scripts/layer_index.py            write it
python scripts/layer_index.py --check    exit 1 if it is not current
"""

from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ROOT / "layerexplain" / "layers"
TARGET = LAYERS / "index.py"
START, END = "_TYPES = {\n", "\n}\n"
"""What stands around the table; the rest of the file is written by hand."""


class Noted(dict[str, Any]):
    """The declarations, each with the module at whose top level it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.modules: dict[str, str] = {}

    def __setitem__(self, name: str, declaration: Any) -> None:
        frame: FrameType | Any = sys._getframe(1)
        while frame.f_code.co_name != "<module>":
            frame = frame.f_back
        self.modules[name] = _dotted(Path(frame.f_code.co_filename))
        super().__setitem__(name, declaration)


def table() -> str:
    """The source of index.py. Raises ValueError for a type that is declared twice."""
    sys.path.insert(0, str(ROOT))
    from layerexplain.layers import registry
    from layerexplain.layers.operation_table import rows_by_name

    noted = registry.LAYERS = Noted()
    for path in sorted(LAYERS.rglob("*.py")):
        if path.stem not in ("index", "__init__"):
            module = importlib.import_module(f"layerexplain.layers.{_dotted(path)}")
            for name in rows_by_name(getattr(module, "ROWS", "")):
                if name in noted.modules:
                    raise ValueError(f"{name} is declared in {noted.modules[name]} and in {_dotted(path)}")
                noted.modules[name] = _dotted(path)
    types: dict[str, dict[str, list[str]]] = {}
    for name, stem in sorted(noted.modules.items()):
        start, _, last = name.rpartition(".")
        types.setdefault(start, {}).setdefault(stem, []).append(last)
    before, start, rest = TARGET.read_text("utf-8").partition(START)
    _, end, after = rest.partition(END)
    entries = "".join([_entry(prefix, modules) for prefix, modules in sorted(types.items())])
    return f"{before}{start}{entries.removesuffix(chr(10))}{end}{after}"


def _dotted(path: Path) -> str:
    """The name of a module below layerexplain.layers: `keras.core`."""
    return ".".join(path.relative_to(LAYERS).with_suffix("").parts)


def _entry(start: str, modules: dict[str, list[str]]) -> str:
    """The types that begin so, as they stand in the table."""
    texts = [f"{module}: {' '.join(names)}" for module, names in sorted(modules.items())]
    lines = [textwrap.fill(text, 119, break_long_words=False, break_on_hyphens=False) for text in texts]
    return f'    "{start}": """\n{f";{chr(10)}".join(lines)}\n""",\n'


def main() -> int:
    """Write or check the table."""
    if "--check" in sys.argv[1:]:
        return 0 if TARGET.read_text("utf-8") == table() else 1
    TARGET.write_text(table(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
