"""The gradient of a formula, which is a formula too: reverse mode over the expressions."""
