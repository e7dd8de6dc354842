"""Many models as a table: a row a model and a row a layer, written in parts, on one machine or on a cluster.

`columns` is the contract, `rows` makes the rows of one source, `writers` writes them, `part` is what a process does
with its share, `manifest` remembers what is written, `run` leads it all.
"""
