"""Keras: what its names make, what its layers, models and tensors answer, and what it refuses of a program.

framework.py        what a call of a name makes, and user-defined classes that stand on Keras's
parts.py            the parts of Keras in one program, each of which knows those before it
names.py            which name, through which import, is which class or function
making.py           layers, inputs, models
operations.py       keras.ops and operators; run_time_sizes.py: on sizes that are known at run time only
functions.py         keras.backend, keras.utils and the rest
datasets.py         keras.datasets, and images of directories
attributes.py       attributes and methods of layers, models, tensors and weights
cloning.py          copies of models
source.py           the source of an installed Keras: the classes of its layers, and keras.applications
refused_calls.py    names and arguments that Keras does not take; refused_data.py: tensors and data
api.py              what its names are called with (api.txt, which scripts/keras_api.py writes)
"""
