"""Real Keras, with which the formulas are compared."""
