"""SavedModels with more objects, functions, axes or deeper paths than any model: refused at the bound, not behind it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import hostile
from tests.support.saved_models import Node, field, keras_metadata_pb, saved_model_pb, signature, tensor_info

LAYER = ("root", "_tf_keras_layer", {"class_name": "Dense", "config": {"name": "d", "units": 3}})
TINY = field(1, Node({"a": 1}).proto())


def with_objects(objects: bytes) -> bytes:
    """A saved_model.pb with an object graph that is written already."""
    meta = field(1, field(4, "serve")) + field(7, objects)
    return field(1, 1) + field(2, meta)


def chain(count: int) -> bytes:
    """Each object holds the next; Keras's metadata stands at the root alone."""
    first = Node({"a": 1}, LAYER[1], LAYER[2])
    return saved_model_pb([first, *[Node({"a": i + 2}) for i in range(count)]])


SERVED = signature("f", {"x": tensor_info("float32", (None, 4))}, {})


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("saved_model.pb", lambda: with_objects(TINY * 4_900_000), "has more than 100,000 objects"),
        ("saved_model.pb", lambda: chain(2000), "an object lies 1,002 characters deep"),
        ("saved_model.pb", lambda: saved_model_pb([], (SERVED,) * 2000), "has more than 1,000 functions that it serves"),
        ("saved_model.pb", lambda: saved_model_pb([Node(variable=("v", "float32", (1,) * 2000, True))]), "has more than 64 axes in a tensor"),
        ("saved_model.pb", lambda: saved_model_pb([], (signature("f", {f"{i}": tensor_info("bool", ()) for i in range(2000)}, {}),)),
         "has more than 1,000 tensors in a function"),
        ("keras_metadata.pb", lambda: keras_metadata_pb([LAYER, ("root" + "." * 200_000, *LAYER[1:])]), "characters deep"),
        ("keras_metadata.pb", lambda: keras_metadata_pb([LAYER]) * 150_000, "has more than 100,000 objects"),
    ],
)  # fmt: skip
def test_more_than_any_model(name: str, make: Callable[[], bytes], said: str, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / name).write_bytes(make())
    assert said in hostile.error(hostile.run("summary", folder, folder=tmp_path))
