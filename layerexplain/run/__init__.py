"""Running formulas: a whole model on arrays, and the formulas held against real Keras."""
