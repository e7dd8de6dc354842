"""What is wrong with a model, though Keras runs it: rules over the traced network and what it is trained with."""
