"""The roles of the axes of gradients."""

from __future__ import annotations

from layerexplain.frontends import read
from layerexplain.network.trace import trace_model
from layerexplain.report.gradient import derived, gradient_roles


def test_roles_of_gradients() -> None:
    spec = "input: [8, 8, 3]\nlayers:\n  - Conv2D: {filters: 4, kernel_size: 3}\n  - BatchNormalization: {}\n"
    found = {}
    for made in trace_model(read(spec.encode())).calls[1:]:
        assert made.definition is not None
        found |= gradient_roles(made.definition, derived(made.definition, False, None, None))
    assert found["dW"] == ("window", "window", "inputs", "filters")
    assert found["db"] == ("filters",)
    assert found["dγ"] == found["dβ"] == ("features",)


def test_what_attention_reads_is_its_inputs_in_all_gradients() -> None:
    spec = "input: [5, 6]\nlayers:\n  - MultiHeadAttention: {num_heads: 2, key_dim: 3}\n    from: [input, input]\n"
    made = trace_model(read(spec.encode())).calls[1]
    assert made.definition is not None
    found = gradient_roles(made.definition, derived(made.definition, False, None, None))
    for letter in "qkv":  # each sums over the inputs of x, which its gradient has
        assert found[f"dW_{letter}"] == ("inputs", "heads", "per head")
    assert found["dquery"][-1] == found["dvalue"][-1] == "inputs"
    assert found["dW_o"] == ("heads", "per head", "features")
