"""Keras files of every generation → Model."""
