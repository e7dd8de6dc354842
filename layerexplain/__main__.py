"""The console script `layerexplain`, which `python -m layerexplain` is too."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the program in a process of its own."""
    # What a run makes stays until its end, and there are no cycles to speak of: Python's own pace of collecting,
    # each 700 objects, walks over the same ones again and again, which was a seventh of the time of a `summary`.
    gc.set_threshold(100_000, 20, 50)
    from layerexplain.cli.main import main as run

    try:
        run()
    finally:
        gc.freeze()  # so that the interpreter, when it ends, does not walk over them once more


if __name__ == "__main__":
    main()
