"""What the names of libraries are, a module a library: each registers its functions with `@function("math.prod")`.

table.py          how a library is declared; signatures.py: the order of the arguments of functions
builtins.py       what a program has without an import
python.py         Python's own library: math, functools, itertools, copy, collections, dataclasses, argparse
numpy.py          NumPy
keras/            Keras, which builds models (framework.py lists its files); tensorflow.py: TensorFlow's functions
small.py          libraries of which few functions matter: tqdm, six, scikit-learn, timm
torch.py          PyTorch: modules by their names; torch_framework.py: what a program does with it
                  torch_program.py: what is kept of it, and what a run answers; torch_state.py: what surrounds a run
                  torch_modules.py: modules and their names; torch_parameters.py: their weights
                  torch_tensors.py: tensors; torch_functions.py: functions of them; torch_numbers.py: known numbers
                  torch_graph.py: the calls of a run; torch_emit.py: the `Model` of a run; torch_found.py: which models
                  a program has; torch_runs.py: on which inputs they run
                  torch_training.py: losses and optimizers; torch_data.py: the batches that they are given
einops.py         einops, which moves axes in programs of PyTorch
registry.py       all of them

Another library is one more module, and one more name in `registry.py`. One that models are made with says
what its names give (`call_symbol`) and what its layers and tensors answer (values/framework.py); it has a `Recorder`
and its `Graphs`, which follow the method `call_name` of the program's own classes.
tests/frontends/code/test_libraries.py shows a small one of each kind.
"""
