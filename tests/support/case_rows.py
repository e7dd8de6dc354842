"""Rows of the table of cases as layers of models, and as rows of reports."""

from layerexplain.layers.declaration import snake_case
from layerexplain.layers.registry import find
from layerexplain.model import Call, Layer, Model, TensorRef
from layerexplain.report import build
from layerexplain.report.data import LayerReport
from tests.cases import Case, Wrapped


def as_layer(name: str, value: object) -> object:
    """A wrapped layer of a case as a reader gives it."""
    if isinstance(value, Wrapped):
        config = {k: as_layer(k, v) for k, v in value.config.items() if k != "name"}
        return Layer(str(value.config.get("name", snake_case(value.type))), value.type, "layer", config)
    return [as_layer(name, v) for v in value] if isinstance(value, list) else value


def row_of(case: Case) -> LayerReport:
    """The row of a case as a layer of a model."""
    return build(model_of(case), detail=True, layers=lambda path: path == "it").layers[-1]


def model_of(case: Case) -> Model:
    """The case as the layer `it` of a model. Masks are made by Masking layers in front; one of steps that have more
    than one axis comes from outside."""
    dtypes = case.dtypes or ("float32",) * len(case.shapes)
    layers, calls, inputs, refs = [], [], [], []
    keywords: dict[str, object] = dict(case.call)
    for i, (shape, dtype) in enumerate(zip(case.shapes, dtypes, strict=True)):
        kind = "int32" if dtype == "int" else dtype
        layers.append(Layer(f"in{i}", "InputLayer", "layer", {"batch_shape": (None, *shape), "dtype": kind}))
        calls.append(Call(f"in{i}", 0, (), {}))
        inputs.append(TensorRef(f"in{i}"))
        refs.append(inputs[-1])
        if not (i < len(case.masks) and case.masks[i] and len(shape) > 1):
            continue
        if len(shape) > 2:
            layers.append(Layer("keep", "InputLayer", "layer", {"batch_shape": (None, shape[0]), "dtype": "bool"}))
            calls.append(Call("keep", 0, (), {}))
            inputs.append(TensorRef("keep"))
            keywords["mask"] = TensorRef("keep")
        else:
            layers.append(Layer(f"masking{i}", "Masking", "layer", {}))
            calls.append(Call(f"masking{i}", 0, (refs[-1],), {}))
            refs[-1] = TensorRef(f"masking{i}")
    config = {name: as_layer(name, value) for name, value in case.config.items()}
    layers.append(Layer("it", case.type, "layer", config))
    listed = case.type in LISTED
    if case.type.endswith("Attention") and len(refs) > 3:
        # By position Keras takes the mask of the query here.
        keywords["attention_mask"] = refs.pop()
    declaration = find(case.type)
    recurrent = declaration is not None and declaration.takes_states
    if recurrent and len(refs) > 1:  # behind the first tensor Keras takes a list of states, and then the mask
        keywords["initial_state"], refs = refs[1:], refs[:1]
    calls.append(Call("it", 0, (list(refs),) if listed else tuple(refs), keywords))
    # As in Keras 2, where a mask reaches a recurrent layer with an initial state too.
    version = "2.15.0" if recurrent else None
    ends = (tuple(inputs), (TensorRef("it"),))
    return Model("m", "Functional", tuple(layers), tuple(calls), *ends, keras_version=version)


LISTED = {
    "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot", "Attention",
    "AdditiveAttention",
}  # fmt: skip
"""These take their tensors as one list."""
