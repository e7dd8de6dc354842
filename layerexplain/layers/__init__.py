"""The declarations of layers, the heart: files bear Keras's own folder names. registry.py finds and traces them."""
