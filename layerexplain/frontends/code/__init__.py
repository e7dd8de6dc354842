"""Python code that builds models of Keras or PyTorch → `Model`. The code is read, never imported, compiled or run.

values/      what a name may stand for, and what each kind of value answers when it is asked for an attribute, an item,
             a call; reading.py: how many steps, and how large results, before the reader gives up
machine/     the interpreter of `ast` over values; it knows no library
recorder/    calls of layers → the graph behind each model, the `Model` of it, and declarations of custom layers
library/     what names of libraries give: Python's own, NumPy, Keras, TensorFlow, PyTorch
sources.py   which text: scripts, notebooks, Markdown, what `train.py:build(classes=10)` asks for, modules beside it;
             pasted.py: what stands around pasted code; printed.py: what frameworks print of a model;
             pasted_errors.py, messages.py: pasted errors; repairs.py: changes that are tried
reader.py    a source → its models; code_files.py: the custom layers and functions of a file (`--code`);
             live_module.py: the code of a live model

Each layer imports only those above it in this list, for annotations too (pyproject.toml, import-linter).
"""
