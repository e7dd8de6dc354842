"""Every further interpreter is started here, with a path on which the current folder is not.

For `python -c` and `python -m` Python puts the current folder first on the search path, before its own library. So a
`pickle.py` beside the models would run in any process that multiprocessing spawns.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in layerexplain/__init__.py: what is imported before the path is safe should be little
if TYPE_CHECKING:
    import subprocess
    from typing import Any, ClassVar

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder from which this package was imported."""


def safe_path() -> list[str]:
    """Return `sys.path` without the current folder. It stays only where this package or Python itself lies there."""
    try:
        here = os.path.realpath(os.getcwd())
        places = [os.path.abspath(place) for place in sys.path if place]
    except OSError:  # the current folder was deleted
        here, places = "", [place for place in sys.path if os.path.isabs(place)]
    if here in map(os.path.realpath, places) and here != os.path.realpath(_HOME):
        import sysconfig

        if here not in map(os.path.realpath, sysconfig.get_paths().values()):
            places = [place for place in places if os.path.realpath(place) != here]
    return places if _HOME in places else [_HOME, *places]


def start(module: str, *arguments: str, **streams: Any) -> subprocess.Popen[Any]:
    """Start a process that calls `main` of a module of this package.

    Args:
        module: Its name.
        arguments: What stands in `sys.argv[1:]`.
        streams: stdin, stdout and stderr as `subprocess.Popen` takes them, and its `text`.

    Raises:
        OSError: The process cannot be started.
    """
    import subprocess

    asked = [("-P", True), ("-s", sys.flags.no_user_site), ("-B", sys.dont_write_bytecode)]
    flags = [flag for flag, applies in asked if applies]
    code = f"import sys; sys.argv[0] = 'layerexplain'; from {module} import main; main()"
    ignored = "PYTHON" if sys.flags.ignore_environment else "\0"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ignored)}
    command = [sys.executable, *flags, "-c", code, *arguments]
    return subprocess.Popen(command, env=environment | _variables(), **streams)  # noqa: S603 (our own code)


def may_spawn() -> bool:
    """Return whether `SafeSpawning` reaches the processes of multiprocessing. Under `python -E` they ignore the
    environment."""
    return bool(sys.flags.safe_path or not sys.flags.ignore_environment)


class SafeSpawning:
    """While it is entered, interpreters that multiprocessing and Dask start have a safe path.

    They build command lines of their own, inherit the environment, and take over `sys.path`. It may be entered many
    times at once; the last exit restores what was before.
    """

    _lock: ClassVar[Any] = None
    _entered: ClassVar[int] = 0
    _before: ClassVar[tuple[list[str], dict[str, str | None]]]

    def __enter__(self) -> None:
        import threading

        cls = SafeSpawning
        cls._lock = cls._lock or threading.Lock()
        with cls._lock:
            cls._entered += 1
            if cls._entered == 1:
                variables = _variables()
                cls._before = list(sys.path), {name: os.environ.get(name) for name in variables}
                sys.path[:] = safe_path()
                os.environ.update(variables)

    def __exit__(self, *_: object) -> None:
        cls = SafeSpawning
        with cls._lock:
            cls._entered -= 1
            if cls._entered == 0:
                path, variables = cls._before
                sys.path[:] = path
                for name, value in variables.items():
                    if value is None:
                        os.environ.pop(name, None)
                    else:
                        os.environ[name] = value


def _variables() -> dict[str, str]:
    """Return the variables of the environment by which a child has a safe path, and its children too."""
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(safe_path())}
