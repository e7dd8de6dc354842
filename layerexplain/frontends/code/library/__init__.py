"""What the names of libraries are, a module a library: each registers its functions with `@function("math.prod")`.

table.py          how a library is declared
python.py         Python's own library: math, functools, itertools, copy, collections, dataclasses
small.py          libraries of which few functions matter: tqdm, six, scikit-learn

Another library is one more module, and one more name in `LIBRARIES`.
"""

from layerexplain.frontends.code.library import python, small

LIBRARIES = {root: one for one in (python.LIBRARY, small.LIBRARY) for root in one.roots}
"""The libraries by the first parts of their names."""
