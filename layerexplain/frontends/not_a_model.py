"""What a file is that no reader reads: one plain sentence each, by content, with what would be right."""

from __future__ import annotations

import re

from layerexplain.errors import LayerExplainError, NotAModel, SourceError, each_of

_SAVE = "save the Keras model as .keras"

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"version https://git-lfs", "is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"),
    (4, b"TFL3", f"is a TensorFlow Lite model, which stores no Keras layers; {_SAVE}"),
    (0, b"\x93NUMPY", f"is a NumPy array (.npy): values without an architecture; {_SAVE}"),
    (0, b"\x1f\x8b", "is gzip-compressed; unpack it first"),
    (0, b"BZh", "is bzip2-compressed; unpack it first"),
    (0, b"\xfd7zXZ\x00", "is xz-compressed; unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "is zstandard-compressed; unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"),
    (0, b"Rar!\x1a\x07", "is a RAR archive; unpack it first"),
    (0, b"GGUF", f"is a GGUF model, which stores no Keras layers; {_SAVE}"),
    (0, b"%PDF", "is a PDF document, not a model"),
    (0, b"\x89PNG", "is a PNG picture, not a model"),
    (0, b"\xff\xd8\xff", "is a JPEG picture, not a model"),
    (0, b"GIF8", "is a GIF picture, not a model"),
    (0, b"RIFF", "is a sound, film or WebP picture, not a model"),
    (0, b"PAR1", "is a Parquet table, not a model"),
    (0, b"SQLite format 3", "is a SQLite database, not a model"),
    (0, b"\x7fELF", "is a program, not a model"),
    (0, b"MZ", "is a program, not a model"),
    (257, b"ustar", "is a tar archive; unpack it first"),
)
_PYTORCH = (
    "is a PyTorch file, a pickle, which would run code when loaded and is not opened; give the code of the model, and "
    "its weights as safetensors: safetensors.torch.save_file(model.state_dict(), 'net.safetensors')"
)
_PYTORCH_PICKLE = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_CAFFE = (b"layer {", b"layers {")
# The fields of ONNX's ModelProto behind the version; a producer is a text, where Core ML has a message.
_ONNX_NEXT = b"\x12\x1a\x22\x28\x32\x3a\x42"


def describe_foreign(head: bytes) -> str | None:
    """Return what the first bytes (4,096 or more) say of a file that holds no model we read, or None when it may be
    one."""
    for offset, magic, words in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return words
    if head.startswith(_PYTORCH_PICKLE):
        return _PYTORCH
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return f"is a Python pickle, which would run code when loaded and is not opened; {_SAVE}"
    return _protobuf(head) or _binary(head) or _text(head)


def _protobuf(head: bytes) -> str | None:
    if head[:1] == b"\x08" and head[2:3] in _ONNX_NEXT and head[2:3]:
        if head[2:3] == b"\x12" and b"\n" in head[4:6]:
            return f"is a Core ML model, which stores no Keras layers; {_SAVE}"
        return f"is an ONNX model, which stores no Keras layers; {_SAVE}"
    if _is_graph(head):
        return f"is a frozen TensorFlow graph (.pb), which stores operations and no Keras layers; {_SAVE}"
    if b"_CHECKPOINTABLE_OBJECT_GRAPH" in head:
        return f"is the index of a TensorFlow checkpoint: weights without an architecture; {_SAVE}"
    return None


def _is_graph(head: bytes) -> bool:
    """Return whether bytes begin as a GraphDef does: with a node that has a name and an operation, `Placeholder`
    mostly."""
    if head[:1] != b"\n" or len(head) < 8:
        return False
    from layerexplain.frontends.keras.tensor_bundle import fields, text

    try:
        number, value = next(fields(head))
        if number != 1 or not isinstance(value, memoryview):
            return False
        results = dict(fields(value))
    except (SourceError, StopIteration):
        # The first node may be a constant that is longer than these bytes.
        return re.match(rb"\n[\x80-\xff]*[\x00-\x7f]\n.[\w./:-]{1,127}\x12.[A-Z]\w+", head, re.DOTALL) is not None
    return text(results.get(1)).isprintable() and text(results.get(2)).isalnum() and text(results.get(2))[:1].isupper()


def _binary(head: bytes) -> str | None:
    if b"\x00" not in head[:1024] or head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None
    if head[8:9] == b"{" and b'"' in head[9:12]:
        return f"is a safetensors file: weights without an architecture; {_SAVE}"
    return "is a binary file of an unknown kind; a .keras or .h5 file, a config JSON or a YAML spec is needed"


def _text(head: bytes) -> str | None:
    start = head.lstrip()
    if start[:1] in (b"{", b"["):  # JSON
        return None
    if start[:1] == b"<":
        if b"<net name=" in head:
            return f"is an OpenVINO model, which stores no Keras layers; {_SAVE}"
        return "is an HTML or XML page, not a model; was a download answered with a web page?"
    if start.startswith(b"model_checkpoint_path:"):
        return f"is the list of TensorFlow checkpoints in its folder: weights without an architecture; {_SAVE}"
    if start.startswith((b"node {", b"library {", b"versions {")):
        return f"is a TensorFlow graph written as text (.pbtxt), which stores no Keras layers; {_SAVE}"
    if head.startswith(_CAFFE) or any(b"\n" + item in head for item in _CAFFE):
        return f"is a Caffe network, which stores no Keras layers; {_SAVE}"
    return None


def describe_archive(names: list[str]) -> SourceError:
    """Return what a zip archive without a config.json is, by the names of its members."""
    if not names:
        return NotAModel("is an empty zip archive; a .keras file contains a config.json")
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return NotAModel(_PYTORCH)
    if all(name.endswith(".npy") for name in names):
        return NotAModel(f"is a NumPy archive (.npz): weights without an architecture; {_SAVE}")
    saved = next((name for name in names if name.endswith("saved_model.pb")), None)
    if saved is not None:
        return SourceError(f"is a zipped SavedModel; give its folder in it as FILE::{_folder(saved)}, or unpack it")
    if "[Content_Types].xml" in names:
        return NotAModel("is an Office document, not a model")
    nested = next((name for name in names if name.endswith("/config.json")), None)
    if nested is not None:
        folder = _folder(nested)
        return SourceError(f"has its config.json in the folder {folder!r}; give it as FILE::{folder}, or unpack it")
    model = next((name for name in names if name.endswith((".keras", ".h5"))), None)
    if model is not None:
        return SourceError(f"is a zip archive with models in it; give one as FILE::{model}")
    return NotAModel(f"is a zip archive without a config.json (it holds {_some(names)}); a .keras file has one")


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


_TELLING = re.compile(
    rb"class_name|model_config|weight_map|modelTopology|^(layers|define) *:|\"layers\" *:", re.MULTILINE
)
"""What texts have that are meant to be a model, be they whole or not."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_LOOKED_AT = 256 * 1024


def holds_no_model(source: str, error: LayerExplainError) -> bool:
    """Tell whether a file that could not be read is something else than a model, and not a model at fault."""
    if all(isinstance(item, NotAModel) for item in each_of(error)):
        return True
    from layerexplain.frontends.code_source import OTHER_ENDINGS, named_source
    from layerexplain.frontends.opened import is_text
    from layerexplain.sources.regular_file import ARCHIVES, open_regular

    try:
        with open_regular(named_source(source)) as file:
            head = file.read(_LOOKED_AT)
    except (LayerExplainError, OSError):
        return False
    if not is_text(head) and (head.startswith((*ARCHIVES, *_UTF_16)) or source.endswith(OTHER_ENDINGS)):
        return False
    return not source.endswith(".py") and _TELLING.search(head) is None
