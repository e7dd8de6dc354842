"""What real Keras says, recorded, so that tests can hold the project against it without building large models."""

from tests.truth.stored import applications, load

__all__ = ["applications", "load"]
