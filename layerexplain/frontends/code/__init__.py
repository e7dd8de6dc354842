"""Python code that builds Keras models → `Model`. The code is read, never imported, compiled or run.

sources.py        which text: scripts, notebooks, pasted snippets, Markdown; what `train.py:build(classes=10)` asks for
bounds.py         how many steps, and how large results, before the reader gives up
values/           what a name may stand for, and what each kind of value answers when it is asked for an attribute, an
                  item, a call: base.py (also what is not known), python.py (Python's own values), array.py
interpreter.py    the interpreter of `ast`: statements, loops, definitions, expressions, attributes, calls;
                  command_line.py: argparse; dataclass_fields.py: dataclasses;
                  choices.py: what hangs on a branch that was chosen
effects.py        one journal of what was changed, assumed, left open and raised
operators.py, builtin_functions.py, methods.py, numpy_functions.py    what Python and NumPy compute
library/          what the functions of other libraries give, a module a library
keras_names.py    which name, through which import, is which class or function of Keras
keras_calls.py    what calls of these names make: making.py (layers, inputs, models), operations.py, datasets.py
checking.py       what Keras refuses of a program; keras_api.py: what its names are called with (keras_api.txt, which
                  scripts/keras_api.py writes); fitting.py: of the tensors and data that a model is given
cloning.py        copies of models
applications.py   the models of keras.applications, from the source of an installed Keras, read as text
tracing.py        calls of layers, and the graph behind a model; graphs.py: in the order in which Keras lists its layers
own_calls.py      the `call` of an own layer or model at given arguments, and the masks that tensors carry in it
layer_attributes.py    attributes and methods of layers, models, tensors and weights
run_time_sizes.py    operations on sizes that are known at run time only
keras_source.py   the classes of an installed Keras's layers, from its source; modules.py: modules beside a program
shapes.py         the shape of a tensor while code is read, from the layers' declarations
emit.py           layers and calls → the `Model` that a file would have given; grade.py: how sure it is;
                  uncalled.py: models without a `call`
reader.py         a source → its models; reach.py: which choices and errors of the program reach a model
own_layers.py     own layers → declarations, of objects of a program and of classes of a file (`--code`, code_files.py);
                  graph_formula.py: the graph of a `call` → a formula
"""
