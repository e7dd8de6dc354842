"""A model as a picture.

`diagram` makes the graph of a report, `fold` draws once what repeats, `lanes`, `sifting` and `layout` place boxes and
lines, `svg` and `dot` write them; `mermaid`, one house further up, writes a graph that its own program lays out.
"""
