"""Weights of files: matched with layers, counted once, listed."""
