"""How much a reader believes and reads before it refuses: every size that a file states is checked against these.

A real configuration of the largest models of keras.applications is under 2 MiB.
"""

from __future__ import annotations

MAX_CONFIG_BYTES = 64 * 1024 * 1024
"""A configuration or spec, unpacked, in bytes."""

MAX_JSON_VALUES = 8_000_000
"""How many values a configuration in JSON has, about; a model of 100,000 layers has five million."""

MAX_RATIO = 200
"""How many times larger than stored an archive's member may unpack; JSON of many alike layers reaches 50."""

RATIO_FREE_BYTES = 1024 * 1024
"""A member up to this size, in bytes, may have any ratio."""

MAX_MEMBERS = 200_000
"""Members of an archive."""

MAX_AXES = 64
"""Axes of a tensor, as in NumPy."""

MAX_DIGITS = 18
"""Digits of an integer: sizes above 10**18 mean a damaged or hostile file."""

MAX_SPEC_DEPTH = 60
"""How deep a spec's values nest."""

MAX_SPEC_NODES = 500_000
"""How many values a spec has, aliases expanded."""

MAX_SPEC_LAYERS = 100_000
"""How many layers a spec makes with its `repeat`s."""

MAX_SPEC_FAULTS = 100
"""How many faults of a spec are told, about."""

MAX_INFLATED_BYTES = 256 * 1024 * 1024
"""A compressed file of weights, unpacked in memory, in bytes. Keras stores them uncompressed; no limit holds then."""

MAX_SAVED_OBJECTS = 100_000
"""Objects of a SavedModel, and four times as many edges between them; large models have some 30,000."""

MAX_SERVED = 1_000
"""Functions that a SavedModel serves, and tensors of each."""

MAX_SAVED_PATH = 1_000
"""The way to an object of a SavedModel, in characters."""

MAX_PIPED_BYTES = 4 * 1024 * 1024 * 1024
"""An archive that comes through a pipe, in bytes: it is kept in a file or in memory while it is read."""

MAX_H5_OBJECTS = 70_000
"""Groups and datasets of an HDF5 file; those of the largest models in keras.applications have some 5,000."""

MAX_H5_DEPTH = 200
"""How deep groups nest in an HDF5 file."""

MAX_ATTRIBUTE_BYTES = 128 * 1024
"""A list of names in an attribute, in bytes; HDF5 keeps up to 64 KiB with an object, and Keras splits longer lists."""

MAX_DATASET_BYTES = 4 * 1024 * 1024 * 1024
"""A dataset up to this size may be stored with any compression; beyond it `MAX_DATASET_RATIO` holds."""

MAX_DATASET_RATIO = 1000
"""How many times larger than stored a large dataset may be, as in Keras's own loader."""

MAX_WORKER_BYTES = 768 * 1024 * 1024
"""Memory that the process which reads HDF5 may take beyond what it starts with."""
