"""What the names of Keras and TensorFlow are called with, in Keras 3 and in Keras 2: keras_signatures.txt, which
scripts/signatures.py writes from the installed ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from layerexplain.call_signature import Misfit
from layerexplain.frontends.code.library.signatures import entry, read_signature, text_of

_FILE = "keras_signatures.txt"
_MISSING = Misfit("is not in this Keras")


def _text() -> str:
    return text_of(_FILE)


def _entry(path: str) -> tuple[str, ...]:
    return entry(path, _FILE)


def is_known(path: str, *, only_today: bool = False) -> bool:
    """Return whether Keras 3 or Keras 2 has a name; with `only_today` whether Keras 3 has it.

    >>> is_known("losses.Huber"), is_known("losses.Hubert")
    (True, False)
    """
    return _entry(path)[:1] not in ((), ("-",)) if only_today else bool(_entry(path))


def is_module(path: str) -> bool:
    """Return whether a name is a module; "" is Keras itself.

    >>> is_module("layers"), is_module("layers.Dense"), is_module("")
    (True, False, True)
    """
    return not path or "module" in _entry(path)


def names_in(module: str, *, only_today: bool = False) -> list[str]:
    """Return the names in a module of Keras; "" is Keras itself. With `only_today` those of Keras 3 alone.

    >>> "Huber" in names_in("losses"), "layers" in names_in("")
    (True, True)
    """
    start = f"{module}." if module else ""
    lines = [line.split(" | ") for line in _text().splitlines() if line.startswith(start)]
    paths = [columns[0] for columns in lines if not only_today or columns[1:2] != ["-"]]
    return [name for path in paths if "." not in (name := path[len(start) :]) and name and " " not in name]


@lru_cache(1000)
def members(name: str) -> frozenset[str]:
    """Return the attributes that every Layer, Model or Tensor of Keras has, or those of one of its layers; none where
    they are not known.

    >>> "trainable_weights" in members("Layer"), "fit" in members("Layer")
    (True, False)
    >>> sorted(members("Dropout") - members("Layer"))
    ['noise_shape', 'rate', 'seed', 'seed_generator']
    """
    if entry := _entry(f"members of {name}"):
        return frozenset(entry[0].split())
    own = _entry(f"members of layers.{name}")
    return frozenset(own[0].split()) | members("Layer") if own else frozenset()


def misfit(
    path: str, count: int, given: Iterable[str], also: Collection[str] = (), *, whole: bool = True
) -> Misfit | None:
    """Return what does not fit of a call of a name of Keras; None where it fits, or where the name is not known. `also`
    are names that stand for `**`: where they are given, no others are taken. Of a call that is not `whole` nothing is
    missing.

    >>> misfit("losses.Huber", 0, ["logits"]).words
    "has no argument 'logits'; it takes delta, reduction, name, dtype"
    >>> misfit("ops.expand_dims", 1, []).words, misfit("ops.expand_dims", 2, [])
    ('is given no axis; it takes x, axis', None)
    """
    entry = _entry(path)
    if not entry:
        return None
    names = list(given)
    found: list[Misfit | None] = []
    for text in dict.fromkeys(entry):
        signature = read_signature(text)
        if signature is None:
            found.append(_MISSING if text == "-" else None)
            continue
        if also and signature.any_name:
            signature = signature._replace(common=tuple(also), any_name="")
        found.append((signature if whole else signature._replace(required=())).misfit(count, names))
    if all(found):
        return next((one for one in found if one is not _MISSING), None)
    return None if found[0] is None else found[0]._replace(only_today=True)


def arguments(path: str) -> tuple[str, ...]:
    """Return the arguments of a function that may be given without a name.

    >>> arguments("tf.concat")
    ('values', 'axis', 'name')
    """
    signature = read_signature(_entry(path)[0]) if _entry(path) else None
    return signature.positional if signature is not None else ()
