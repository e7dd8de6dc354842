"""The console script `layerexplain`, which `python -m layerexplain` is too."""

from __future__ import annotations

import gc
import sys

from layerexplain.child_processes import safe_path


def main() -> None:
    """Run the program in a process of its own, and end that process."""
    # What a run makes of one source stays until its end. Python's own pace of collecting, each 700 objects, walks over
    # the same ones again and again, which was a seventh of the time of a `summary`; each 100,000 was still a tenth for
    # models of a thousand layers. Commands that read many sources collect more often (`workers.collect_for_many`).
    gc.set_threshold(1_000_000, 20, 50)
    sys.path[:] = safe_path()  # `python -m` put the current folder there, where a `click.py` may lie
    try:
        from layerexplain.cli.main import main as run

        run()
    except KeyboardInterrupt:  # before there is a command that could tell of it
        raise SystemExit(130) from None
    except SystemExit as end:
        _leave(end)
        raise


def _leave(end: SystemExit) -> None:
    """End the process as Python would, but for the freeing of each object, which takes a twentieth of the time of a
    `summary`. Returns where only Python's own way will do."""
    import atexit
    import os
    import threading

    if not isinstance(end.code, int | None) or threading.active_count() > 1:
        return
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # a pipe that nobody reads any more: Python has its own way to say so
        return
    os._exit(end.code or 0)


if __name__ == "__main__":
    main()
