"""What `import layerexplain` offers: each name where it is declared, and nothing else."""

from __future__ import annotations

import pytest

import layerexplain
from layerexplain import api, errors, model

HOMES = {"LayerExplainError": errors, "Model": model, "Report": api}
FUNCTIONS = [
    "explain",
    "explain_layer",
    "format_report",
    "layer_page",
    "layer_type",
    "layer_types",
    "list_weights",
    "make_inputs",
    "optimizers",
    "read",
    "trace",
    "trace_element",
    "trace_statistics",
    "verify",
    "check",
    "convert",
    "diff",
    "catalogue",
    "draw",
    "page",
    "gradient_element",
    "gradient_statistics",
]


def test_names_are_all_that_there_are() -> None:
    assert set(layerexplain.__all__) == {"__version__", *HOMES, *FUNCTIONS}
    with pytest.raises(AttributeError, match="module 'layerexplain' has no attribute 'explian'"):
        layerexplain.explian  # noqa: B018 (to look it up is what is tried)
    with pytest.raises(AttributeError, match=r"module 'layerexplain\.api' has no attribute 'explian'"):
        api.explian  # noqa: B018 (likewise)


@pytest.mark.parametrize("name", [*HOMES, *FUNCTIONS])
def test_each_name_is_what_its_module_declares(name: str) -> None:
    assert getattr(layerexplain, name) is getattr(HOMES.get(name, api), name)
    assert name in dir(layerexplain)
    assert getattr(getattr(layerexplain, name), "__name__", name).rpartition(".")[2] == name


@pytest.mark.parametrize("name", ["Catalogued", "CheckReport", "Comparison", "Converted"])
def test_each_class_of_a_report_is_found_in_the_interface(name: str) -> None:
    assert getattr(api, name).__name__ == name


def test_an_error_of_a_user_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no such file") as caught:
        layerexplain.read("nothing.keras")
    assert type(caught.value) is not ValueError and isinstance(caught.value, layerexplain.LayerExplainError)
