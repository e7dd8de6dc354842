"""What a file is that no reader reads: one plain sentence each, by content."""

from __future__ import annotations

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"version https://git-lfs", "is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"),
    (4, b"TFL3", "is a TensorFlow Lite model, which keeps no Keras layers; save the Keras model as .keras"),
    (0, b"\x93NUMPY", "is a NumPy array (.npy): values without an architecture; save the model as .keras"),
    (0, b"\x1f\x8b", "is gzip-compressed; unpack it first"),
    (0, b"BZh", "is bzip2-compressed; unpack it first"),
    (0, b"\xfd7zXZ\x00", "is xz-compressed; unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "is zstandard-compressed; unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"),
    (0, b"GGUF", "is a GGUF model, which keeps no Keras layers; save the Keras model as .keras"),
    (0, b"%PDF", "is a PDF document"),
    (0, b"\x89PNG", "is a PNG picture"),
    (0, b"\xff\xd8\xff", "is a JPEG picture"),
    (0, b"GIF8", "is a GIF picture"),
    (0, b"\x7fELF", "is a program"),
    (257, b"ustar", "is a tar archive; unpack it first"),
)


def describe_foreign(head: bytes) -> str | None:
    """What the first bytes (4,096 or more) say of a file that holds no model we read, or None when it may be one."""
    for offset, magic, words in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return words
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "is a Python pickle, which runs code when loaded and is never opened; save the model as .keras"
    if b"\x00" in head[:1024] and head[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        if head[8:9] == b"{" and b'"dtype"' in head:
            return "is a safetensors file: weights without an architecture; save the Keras model as .keras"
        # ONNX: field 1 (ir_version) then field 2 (producer_name), protobuf.
        if head[:1] == b"\x08" and head[2:3] == b"\x12":
            return "looks like an ONNX model, which keeps no Keras layers; save the Keras model as .keras"
        if b"saved_model_schema_version" in head or b"\x12\x0bPlaceholder" in head or b"Placeholder" in head[:256]:
            return "looks like a TensorFlow graph (.pb), which keeps no Keras layers; save the Keras model as .keras"
        return "is a binary file of an unknown kind; a .keras or .h5 file, a config JSON or a YAML spec is needed"
    if head.lstrip()[:1] == b"<":
        return "is an HTML or XML page, not a model; was a download answered with a web page?"
    return None


def describe_archive(names: list[str]) -> str:
    """What a zip archive without a config.json is, by the names of its members."""
    if not names:
        return "is an empty zip archive; a .keras file needs a config.json in it"
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return "is a PyTorch file, which keeps no Keras layers; a .keras file is needed"
    if all(name.endswith(".npy") for name in names):
        return "is a NumPy archive (.npz): weights without an architecture; save the model as .keras"
    if any(name.endswith("saved_model.pb") for name in names):
        return "is a zipped SavedModel; save the Keras model as .keras"
    if "[Content_Types].xml" in names:
        return "is an Office document"
    nested = next((name for name in names if name.endswith("/config.json")), None)
    if nested is not None:
        folder = nested.rsplit("/", 1)[0]
        return f"has its config.json in the folder {folder!r}; unpack it and give that folder"
    return f"is a zip archive without a config.json (it holds {_some(names)}); a .keras file has one"


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
