"""Language models against real transformers: both run the same tokens, and what each block gives is compared."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from layerexplain.errors import LayerExplainError, first_line
from layerexplain.frontends.code_source import place_of
from layerexplain.frontends.hugging_face import INPUT_NAMES
from layerexplain.model import Model
from layerexplain.oracle.tolerance import allowed_in_row, difference
from layerexplain.oracle.verify_report import Compared, LayerCheck, Status, ValuesCheck, VerifyReport
from layerexplain.report.data import InputReport
from layerexplain.sources import is_remote

if TYPE_CHECKING:
    from layerexplain.oracle.verify import VerifyOptions

_TOKENS = 11
"""The length of the text that both are given: longer than small windows."""


def verified_language_model(model: Model, asked: VerifyOptions) -> VerifyReport:
    """Compare a folder's formulas with transformers. Nothing is downloaded, and no code of the folder is run.

    Raises LayerExplainError where torch or transformers is not installed, or refuses the model.
    """
    folder = place_of(model)
    if folder is None or is_remote(folder) or not os.path.isdir(folder):
        raise LayerExplainError("verify needs a folder on this machine with config.json and the weights")
    inputs = _drawn(model, asked)
    theirs, outputs, count, versions = _run(folder, inputs)
    from layerexplain.run.trace import trace

    ours = trace(folder, inputs)
    # What caps or scales the scores stands outside of transformers' last module.
    outputs = {**outputs, model.outputs[0].layer: theirs}
    names = [layer.name for layer in model.layers if layer.type != "InputLayer"]
    checks = tuple([_check(model, name, ours, outputs, asked.tolerance) for name in names])
    apart, reason = difference(ours.outputs[0], theirs, "transformers")
    most = allowed_in_row(asked.tolerance, len(model.layers), str(model.arguments.get("dtype", "float32")))
    from layerexplain.report import build

    report = build(model)
    return VerifyReport(
        source=model.source,
        format=model.format,
        model_name=model.name,
        model_type=model.type,
        keras=versions,
        backend="torch",
        weights="of the model",
        seed=asked.seed,
        inputs=tuple([InputReport(name, value.shape, str(value.dtype)) for name, value in inputs.items()]),
        layers=checks,
        whole=ValuesCheck(_status(apart, most, reason), apart, most, reason),
        parameters=Compared(report.totals.trainable, count),
    )


def _status(apart: float, most: float, reason: str) -> Status:
    return "differs" if reason or not apart <= most else "agrees"


def _drawn(model: Model, asked: VerifyOptions) -> Mapping[str, Any]:
    """Return tokens, or the pixels of an image, drawn from the seed."""
    import numpy as np

    rng = np.random.default_rng(asked.seed)
    words = next((layer.config["vocabulary"] for layer in model.layers if layer.type == "TokenEmbedding"), 2)
    inputs: dict[str, Any] = {}
    for layer in model.layers:
        if layer.type == "InputLayer":
            shape = [_TOKENS if size is None else size for size in layer.config["batch_shape"][1:]]
            is_ids = layer.config["dtype"] == "int32"
            inputs[layer.name] = (
                rng.integers(min(3, words - 1), words, (2, *shape)).astype("int32")
                if is_ids
                else rng.standard_normal((2, *shape)).astype("float32")
            )
    return inputs


def _run(folder: str, inputs: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any], int, str]:
    """Return what transformers gives: the model's output, those of its modules by path, its parameters, its version."""
    try:
        torch, transformers = import_module("torch"), import_module("transformers")
    except ImportError as error:
        raise LayerExplainError(
            f"verify needs torch and transformers for a language model ({first_line(error)})"
        ) from None
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        config._experts_implementation = "eager"  # the fast one needs sizes that small models do not have
        named = (config.architectures or ["AutoModel"])[0]
        kind = getattr(transformers, named, None) or transformers.AutoModel
        real = kind.from_pretrained(folder, config=config, local_files_only=True, dtype=torch.float32).eval()
        outputs: dict[str, Any] = {}
        for path, module in real.named_modules():
            module.register_forward_hook(_keeper(outputs, path))
        texts = {name: value for name, value in inputs.items() if INPUT_NAMES[name].endswith("ids")}
        with torch.no_grad():  # of a model of both, the text alone: what it computes where there is no image
            given = {INPUT_NAMES[name]: torch.from_numpy(value) for name, value in (texts or inputs).items()}
            ids = {name: value.long() if name.endswith("ids") else value for name, value in given.items()}
            results = real(**ids)
    except Exception as error:  # whatever transformers raises
        raise LayerExplainError(f"transformers cannot run the model: {first_line(error)}") from None
    result = next(
        getattr(results, name) for name in ("logits", "pooler_output", "last_hidden_state") if hasattr(results, name)
    )
    arrays = {path: value.numpy() for path, output in outputs.items() if (value := _tensor(torch, output)) is not None}
    count = sum([parameter.numel() for parameter in real.parameters()])
    return result.numpy(), arrays, count, f"transformers {transformers.__version__}"


def _keeper(outputs: dict[str, Any], path: str) -> Any:
    """Return a hook that keeps what a module gives first. It returns nothing: what a hook returns replaces that."""

    def keep(_module: Any, _given: Any, result: Any) -> None:
        outputs.setdefault(path, result)

    return keep


def _tensor(torch: Any, value: Any) -> Any:
    """Return the first tensor of what a module gives; None for something else."""
    item = value[0] if isinstance(value, tuple | list) and value else value
    return item if isinstance(item, torch.Tensor) else None


_MORE = ("PositionEmbedding", "TypeEmbedding", "RelativeBias")
"""Layers that add what their module looks up, or lay it out."""


def _check(model: Model, name: str, ours: Any, outputs: Mapping[str, Any], tolerance: float) -> LayerCheck:
    """Return one row: a layer's output here and that of the module of its name."""
    value, layer = ours[name, 0, 0], model.layers_by_name[name]
    # Where there is a vision part, files do not name the text part as the modules are named.
    inside = name.removeprefix("language_model.").removeprefix("model.")
    theirs = outputs.get(name, outputs.get(f"model.language_model.{inside}"))
    shapes = Compared((value.shape,), None if theirs is None else (theirs.shape,))
    is_more = layer.type in _MORE or (layer.type == "Linear" and layer.config.get("activation", "linear") != "linear")
    status: Status = "not compared"
    apart, most = None, tolerance
    if is_more:
        reason = "the module of this name computes only a part of the formula"
    elif theirs is None:
        reason = "transformers has no module of this name that returns a tensor"
    else:
        apart, reason = difference(value, theirs, "transformers")
        most = allowed_in_row(tolerance, [*model.layers_by_name].index(name) + 1)
        status = _status(apart, most, reason)
    return LayerCheck(name, name, layer.type, 0, status, shapes, Compared(None, None), apart, most, reason)
