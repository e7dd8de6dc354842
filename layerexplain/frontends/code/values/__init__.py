"""What a name of a program may stand for. Numbers, texts, lists and dicts are Python's own (python.py).

reading.py    walks over the tree of a program, where its names are kept, and how much of it is read
base.py       what every value answers when it is asked for an attribute, an item, a call; names of libraries; what is
              not known; `Evaluator`: what a value asks of the machine
operators.py  Python's operators on plain values; the one walk through lists and dicts inside each other
layers.py     layers, models, their calls, weights, tensors; program.py: functions, classes and objects of the program
objects.py    namespaces, modules, settings of Keras; the questions that values ask the library of a model
array.py      arrays of NumPy, and what is computed of them; array_data.py: their memory
"""
