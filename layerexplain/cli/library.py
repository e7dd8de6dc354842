"""What the command line takes from inside the library beside its public functions. Each is loaded on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerexplain.checks.findings import must_be_levels as must_be_levels
    from layerexplain.checks.rules import all_rules as all_rules
    from layerexplain.checks.rules import must_be_rules as must_be_rules
    from layerexplain.frontends.code_source import code_settings as code_settings
    from layerexplain.frontends.code_source import code_source as code_source
    from layerexplain.frontends.code_source import each_model as each_model
    from layerexplain.frontends.code_source import main_model as main_model
    from layerexplain.frontends.code_source import pasted_text as pasted_text
    from layerexplain.frontends.code_source import piped as piped
    from layerexplain.frontends.input_shapes import begins_with_batch as begins_with_batch
    from layerexplain.frontends.input_shapes import input_names as input_names
    from layerexplain.frontends.input_shapes import no_input as no_input
    from layerexplain.frontends.input_shapes import parse_shape as parse_shape
    from layerexplain.frontends.not_a_model import holds_no_model as holds_no_model
    from layerexplain.frontends.own_layers import read_own_layers as read_own_layers
    from layerexplain.layers.keras.meant_types import CHAIN as CHAIN
    from layerexplain.layers.registry import find_named as find_named
    from layerexplain.layers.registry import torch_types as torch_types
    from layerexplain.layers.registry import training_types as training_types
    from layerexplain.report.asked_numbers import asked_numbers as asked_numbers
    from layerexplain.report.asked_numbers import asked_of_memory as asked_of_memory
    from layerexplain.report.asked_numbers import asked_of_model as asked_of_model
    from layerexplain.report.asked_numbers import asked_rules as asked_rules
    from layerexplain.report.one_layer import is_layer as is_layer
    from layerexplain.report.one_layer import positional_names as positional_names
    from layerexplain.report.one_layer import typed_layer as typed_layer
    from layerexplain.sources.regular_file import copy_standard_input as copy_standard_input

_HOMES = {
    "CHAIN": "layers.keras.meant_types",
    "all_rules": "checks.rules",
    "asked_numbers": "report.asked_numbers",
    "asked_of_memory": "report.asked_numbers",
    "asked_of_model": "report.asked_numbers",
    "asked_rules": "report.asked_numbers",
    "begins_with_batch": "frontends.input_shapes",
    "code_settings": "frontends.code_source",
    "code_source": "frontends.code_source",
    "copy_standard_input": "sources.regular_file",
    "each_model": "frontends.code_source",
    "find_named": "layers.registry",
    "holds_no_model": "frontends.not_a_model",
    "input_names": "frontends.input_shapes",
    "is_layer": "report.one_layer",
    "main_model": "frontends.code_source",
    "must_be_levels": "checks.findings",
    "must_be_rules": "checks.rules",
    "no_input": "frontends.input_shapes",
    "parse_shape": "frontends.input_shapes",
    "pasted_text": "frontends.code_source",
    "piped": "frontends.code_source",
    "positional_names": "report.one_layer",
    "read_own_layers": "frontends.own_layers",
    "torch_types": "layers.registry",
    "training_types": "layers.registry",
    "typed_layer": "report.one_layer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"layerexplain.{_HOMES[name]}"), name)
