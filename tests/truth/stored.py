"""The recorded truth of `keras.applications`: what Keras itself says of each model, layer by layer.

`record_applications.py` writes it, with real Keras: per generation a folder with an index (model name to family)
and one xz-compressed JSON file per family, since the models of a family share most of their text.

    for name in applications("keras3"):
        record = load("keras3", name)

A record is a dict:

- "config": the text of `model.to_json()`, as Keras wrote it;
- "layers": a list of rows, one for each layer or operation of the file, in its order;
- "totals": {"params", "trainable", "non_trainable"} of the model, without optimizer and seed state;
- "writer": who wrote it, such as "keras 3.15.1".

A row is {"name", "type", "calls", "params", "trainable", "non_trainable"}: `calls` has for each call in the model's
graph the list of its output shapes (lists of int or None, the batch first), `type` is the class name, counts are
numbers of scalars. The row of a nested model has its own rows under "layers".
"""

import functools
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
GENERATIONS = ("keras3", "tf_keras")


def applications(generation: str) -> Iterator[str]:
    """The names of all recorded models of a generation ("keras3" or "tf_keras"), in alphabetical order."""
    yield from sorted(_index(generation))


def load(generation: str, name: str) -> dict[str, Any]:
    """The record of one model. Raises KeyError for a name that was not recorded."""
    family = _family(generation, _index(generation)[name])
    record: dict[str, Any] = family["models"][name]
    return {**record, "writer": family["writer"]}


@functools.cache
def _index(generation: str) -> dict[str, str]:
    index: dict[str, str] = json.loads((FOLDER / generation / "index.json").read_text("utf-8"))
    return index


# Tests walk the models family by family, so that two families are enough; the texts of all are 40 MB.
@functools.lru_cache(maxsize=2)
def _family(generation: str, family: str) -> dict[str, Any]:
    packed = (FOLDER / generation / f"{family}.json.xz").read_bytes()
    content: dict[str, Any] = json.loads(lzma.decompress(packed))
    return content


def save_family(generation: str, family: str, writer: str, models: dict[str, Any]) -> int:
    """Write the records of one family and enter its models in the index. Returns the file's size in bytes."""
    folder = FOLDER / generation
    folder.mkdir(exist_ok=True)
    text = json.dumps({"writer": writer, "models": models}, separators=(",", ":"))
    packed = lzma.compress(text.encode("utf-8"), preset=9 | lzma.PRESET_EXTREME)
    (folder / f"{family}.json.xz").write_bytes(packed)
    index_file = folder / "index.json"
    index = json.loads(index_file.read_text("utf-8")) if index_file.exists() else {}
    index.update(dict.fromkeys(models, family))
    index_file.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n", "utf-8")
    return len(packed)
