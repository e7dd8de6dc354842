"""Custom layers from files of their own, beside the source of a model: what `--code` names."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.layers.registry import find
from layerexplain.model import Call, Layer, Model, Note

if TYPE_CHECKING:
    from layerexplain.frontends.code.values.reading import File
    from layerexplain.layers.declaration import Declaration

Code: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Declaration]"
"""Files that say what custom layers compute, folders of them and installed packages; or what was read from them."""

_ENDINGS = frozenset({"py", "yaml", "yml", "ipynb", "txt", "md"})


def read_own_layers(code: Code) -> Mapping[str, Declaration]:
    """Return the declarations of custom layers, by class name.

    Args:
        code: The path of a file, or of several: YAML with `define:` (docs/spec.md), or Python code, which is read and
            never run.

    Raises:
        LayerExplainError: with the file, if one cannot be read or has faults, or if two define one class.
    """
    if isinstance(code, Mapping):
        return code
    results: list[Mapping[str, Declaration]] = []
    where: dict[str, str] = {}
    for item in [code] if isinstance(code, str | os.PathLike) else code:
        path = os.fspath(item)
        try:
            read = _read(path)
            for name in read:
                if name in where:
                    raise SourceError(f"defines '{name}', which {where[name]} defines too; give one of them")
                where[name] = path
        except LayerExplainError as error:
            raise error.with_place(source=path) from None
        results.append(read)
    return results[0] if len(results) == 1 else OwnCode(results)


class OwnCode(ChainMap[str, "Declaration"]):
    """What several files define together."""

    def __init__(self, files: Sequence[Mapping[str, Declaration]]) -> None:
        super().__init__(*files)  # type: ignore[arg-type]  # they are only read

    def model(self, type_: str, arguments: Mapping[str, Any]) -> Model | None:
        """Return the model that a class of one of them makes of arguments; None where none has the class."""
        models = (model_of(item, type_, arguments) for item in self.maps)
        return next((other for other in models if other is not None), None)

    def lend(self, name: str) -> File | None:
        """Return the file of one of them that defines a name, for a program that lacks it."""
        result = (item.lend(name) for item in self.maps if hasattr(item, "lend"))
        return next((item for item in result if item is not None), None)


def notes_of(own: Mapping[str, Declaration]) -> list[Note]:
    """Return what a report must say of own code: which files that nobody named it took values from."""
    notes = [note for item in (own.maps if isinstance(own, OwnCode) else [own]) for note in _notes(item)]
    return list(dict.fromkeys(notes))


def _notes(own: Mapping[str, Declaration]) -> list[Note]:
    give = getattr(own, "notes", None)
    return [] if give is None else give()


def model_of(own: Mapping[str, Declaration], type_: str, arguments: Mapping[str, Any]) -> Model | None:
    """Return the model that a class of own code makes of the arguments that a file has for it; None where the code has
    no such class."""
    make = getattr(own, "model", None)
    return None if make is None else make(type_, arguments)


def with_own_models(model: Model, own: Mapping[str, Declaration]) -> Model:
    """Return a model in which what own code says of subclassed models stands in place of a file's rows without a
    graph."""
    if not model.calls and model.arguments:
        own_model = model_of(own, model.type, model.arguments)
        if own_model is not None:
            kept = tuple([note for note in model.notes if note.code not in ("no-graph", "hyper-parameters")])
            return own_model._replace(
                name=model.name, trainable=model.trainable, source=model.source, format=model.format,
                keras_version=model.keras_version, training=model.training, notes=(*kept, *own_model.notes),
                faults=(*model.faults, *own_model.faults),
            )  # fmt: skip
    layers = tuple([_with_model(layer, own) for layer in model.layers])
    replaced = {layer.name for layer, before in zip(layers, model.layers, strict=True) if layer is not before}
    if not replaced:
        return model
    calls = tuple([_by_name(call) if call.layer in replaced else call for call in model.calls])
    return model._replace(layers=layers, calls=calls)


def _by_name(call: Call) -> Call:
    """Return the call of a model whose inputs are given by name: in the order of their names, as Keras lists them."""
    if len(call.args) != 1 or not isinstance(call.args[0], dict):
        return call
    given = call.args[0]
    return call._replace(args=([given[key] for key in sorted(given)],))


def _with_model(layer: Layer, own: Mapping[str, Declaration]) -> Layer:
    if layer.model is not None and layer.model.calls:
        inner = with_own_models(layer.model, own)
        return layer if inner is layer.model else layer._replace(model=inner)
    if layer.kind == "operation" or layer.type in own:
        return layer
    # A file before Keras 3 may not tell where a class comes from.
    if layer.kind == "layer" and find(layer.type) is not None:
        return layer
    own_model = model_of(own, layer.type, {"name": layer.name, **layer.config})
    if own_model is None:
        return layer
    kept = {key: layer.config[key] for key in ("trainable", "dtype") if key in layer.config}
    return layer._replace(kind="model", model=own_model._replace(name=layer.name), config=kept)


def _read(path: str) -> Mapping[str, Declaration]:
    from layerexplain.frontends.opened import as_source_errors, holds_code, is_text, opened_path

    with as_source_errors():
        folder = path if os.path.isdir(path) else None
        if folder is None and not os.path.exists(path) and os.path.splitext(path)[1][1:] not in _ENDINGS:
            from layerexplain.frontends.code.sources import package_folder

            folder = package_folder(path)
            if folder is None and os.sep not in path:
                raise SourceError("is not a file, a folder or an installed package")
        if folder is not None:
            from layerexplain.frontends.code.code_files import read_python_folder

            return read_python_folder(folder)
        with opened_path(path) as opened:
            if not is_text(opened.head):
                raise SourceError("is not text; custom layers are defined in YAML with `define:`")
            data = opened.text()
            if holds_code(opened.head, path):
                from layerexplain.frontends.code.code_files import read_python_layers

                return read_python_layers(data, path)
            from layerexplain.frontends.spec.define import read_definitions

            return read_definitions(data, path)
