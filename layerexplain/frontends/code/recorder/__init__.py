"""The recorder: calls of layers, as they are read → the graph behind each model, and the `Model` of it.

nodes.py           layers and calls as they are made; own_calls.py: the `call` of a custom layer or model, followed
tracing.py         the graph behind each model
shapes.py          the order of Keras's layers in a graph, and the shapes of its tensors
graph_formula.py   the graph of a `call` → a formula; own_layers.py: a custom layer → its declaration
emit.py            layers and calls → the `Model` that a file would have given
grade.py           how sure that is, and which option closes what is open
"""
