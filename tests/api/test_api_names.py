"""What `import layerexplain` offers: each name where it is declared, and nothing else."""

from __future__ import annotations

import pytest

import layerexplain
from layerexplain import api, errors, model


def test_each_name_is_what_its_module_declares() -> None:
    homes = {"LayerExplainError": errors, "Model": model, "Report": api}
    functions = {
        *(
            "explain",
            "explain_layer",
            "format_report",
            "layer_page",
            "layer_type",
            "layer_types",
            "list_weights",
            "make_inputs",
        ),
        *(
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
        ),
        *("gradient_element", "gradient_statistics"),
    }
    assert set(layerexplain.__all__) == {"__version__", *homes, *functions}
    for name, home in {**homes, **dict.fromkeys(functions, api)}.items():
        assert getattr(layerexplain, name) is getattr(home, name)
        assert name in dir(layerexplain)
        assert getattr(getattr(layerexplain, name), "__name__", name).rpartition(".")[2] == name
    with pytest.raises(AttributeError, match="module 'layerexplain' has no attribute 'explian'"):
        layerexplain.explian  # noqa: B018 (to look it up is what is tried)


def test_an_error_of_a_user_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no such file") as caught:
        layerexplain.read("nothing.keras")
    assert type(caught.value) is not ValueError and isinstance(caught.value, layerexplain.LayerExplainError)
