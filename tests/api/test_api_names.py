"""What `import layerexplain` offers: each name where it is declared, and nothing else."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

import layerexplain
from layerexplain import api, errors, model
from layerexplain.cli import library

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


LOADED = {
    api: {
        "catalogue": "catalogues.run", "Catalogued": "catalogues.run", "check": "run.checking", "CheckReport": "checks.findings",
        "Comparison": "report.comparison", "convert": "conversions.forms", "Converted": "conversions.forms",
        "format_report": "render.printing", "gradient_element": "oracle.one_element", "gradient_statistics": "run.gradient_results",
        "layer_type": "report.one_layer", "layer_types": "report.one_layer", "list_weights": "report.weight_table",
        "make_inputs": "run.input_option", "optimizers": "report.optimizers", "read": "frontends", "trace": "run.trace",
        "trace_element": "oracle.one_element", "trace_statistics": "run.trace", "verify": "oracle.verify",
    },
    library: {
        "CHAIN": "layers.keras.meant_types", "all_rules": "checks.rules", "begins_with_batch": "frontends.input_shapes",
        "code_settings": "frontends.code_source", "code_source": "frontends.code_source", "copy_standard_input": "sources.regular_file",
        "each_model": "frontends.code_source", "holds_no_model": "frontends.not_a_model", "input_names": "frontends.input_shapes",
        "must_be_levels": "checks.findings", "must_be_rules": "checks.rules", "no_input": "frontends.input_shapes",
        "parse_shape": "frontends.input_shapes", "piped": "frontends.code_source", "read_own_layers": "frontends.own_layers",
        "torch_types": "layers.registry", "training_types": "layers.registry", "typed_layer": "report.one_layer",
    },
}  # fmt: skip
"""Modules that load a name when it is asked for, and the modules that these are from."""
EACH = [(module, name, home) for module, homes in LOADED.items() for name, home in homes.items()]


@pytest.mark.parametrize(
    ("module", "name", "home"), EACH, ids=[f"{m.__name__} {name} {home}" for m, name, home in EACH]
)
def test_a_name_is_loaded_from_its_home_when_it_is_asked_for(module: Any, name: str, home: str) -> None:
    assert module.__getattr__(name) is getattr(import_module(f"layerexplain.{home}"), name)


@pytest.mark.parametrize("module", LOADED, ids=lambda one: one.__name__)
def test_a_module_loads_no_other_names(module: Any) -> None:
    assert set(module._HOMES) == set(LOADED[module])
    with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'nothing'"):
        module.__getattr__("nothing")


def test_an_error_of_a_user_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no such file") as caught:
        layerexplain.read("nothing.keras")
    assert type(caught.value) is not ValueError and isinstance(caught.value, layerexplain.LayerExplainError)
