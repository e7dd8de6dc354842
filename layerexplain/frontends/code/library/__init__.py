"""What the names of libraries are, a module a library: each registers its functions with `@function("math.prod")`.

table.py          how a library is declared
python.py         Python's own library: math, functools, itertools, copy, collections, dataclasses
small.py          libraries of which few functions matter: tqdm, six, scikit-learn
torch.py          PyTorch; torch_modules.py: modules and their names; torch_tensors.py: tensors and what is computed of
                  them; torch_graph.py: the calls of a run; torch_runs.py: the models of a program

Another library is one more module, and one more name in `LIBRARIES`.
"""

from layerexplain.frontends.code.library import python, small, torch

LIBRARIES = {root: one for one in (python.LIBRARY, small.LIBRARY, torch.LIBRARY) for root in one.roots}
"""The libraries by the first parts of their names."""
