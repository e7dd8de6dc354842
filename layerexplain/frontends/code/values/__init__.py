"""What a name of a program may stand for. Numbers, texts, lists and dicts are Python's own (python.py).

frames.py     where the names of a program are kept; bounds.py: how much of it is read
base.py       what every value answers when it is asked for an attribute, an item, a call; names of libraries; what is
              not known; `Evaluator`: what a value asks of the machine
operators.py  Python's operators on plain values
layers.py     layers, models, their calls, weights, tensors; framework.py: what is asked of the library that makes them
program.py    functions, classes, objects and methods of the program
objects.py    namespaces, modules, settings of Keras
nested.py     lists and dicts inside each other: the one walk through them, and the one that makes them anew
array.py      arrays of NumPy; array_data.py: their memory, array_arithmetic.py: what is computed of them
"""
