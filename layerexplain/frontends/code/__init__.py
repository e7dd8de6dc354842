"""Python code that builds Keras models → `Model`. The code is read, never imported, compiled or run.

sources.py        which text: scripts, notebooks, pasted snippets, Markdown; what `train.py:build(classes=10)` asks for
bounds.py         how many steps, and how large results, before the reader gives up
values/           what a name may stand for, and what each kind of value answers when it is asked for an attribute, an
                  item, a call: base.py (also what is not known), python.py (Python's own values), array.py
interpreter.py    the interpreter of `ast`: statements, loops, definitions, expressions, attributes, calls; it knows no
                  library; dataclass_fields.py: dataclasses; choices.py: what hangs on a branch that was chosen
effects.py        one journal of what was changed, assumed, left open and raised
operators.py, methods.py    what Python computes; misfits.py: arguments that do not fit
library/          what names of libraries give, a module a library: Python's own, NumPy, Keras and TensorFlow
tracing.py        calls of layers, and the graph behind a model; graphs.py: in the order in which Keras lists its layers
own_calls.py      the `call` of a custom layer or model at given arguments, and the masks that tensors carry in it
modules.py        modules beside a program
shapes.py         the shape of a tensor while code is read, from the layers' declarations
emit.py           layers and calls → the `Model` that a file would have given; grade.py: how sure it is;
                  uncalled.py: models without a `call`
live_module.py    a live module of PyTorch → a program that makes the same one
reader.py         a source → its models; reach.py: which choices and errors of the program reach a model own_layers.py
custom layers → declarations, of objects of a program and of classes of a file (`--code`, code_files.py);
                  graph_formula.py: the graph of a `call` → a formula
"""
