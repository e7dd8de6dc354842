"""What a name of a program may stand for. Numbers, texts, lists and dicts are Python's own (python.py).

base.py       what every value answers when it is asked for an attribute, an item, a call; what is not known
program.py    functions, classes, objects, methods and modules of the program
symbols.py    names of libraries; settings.py: objects of Keras that are no layers
layers.py     layers, models, their calls and weights
tensors.py    symbolic tensors of a program and of a `call`
nested.py     lists and dicts inside each other: the one walk through them, and the one that makes them anew
array.py      arrays of NumPy
"""
