"""What the names of libraries are, a module a library: each registers its functions with `@function("math.prod")`.

table.py          how a library is declared
builtins.py       what a program has without an import
python.py         Python's own library: math, functools, itertools, copy, collections, dataclasses;
                  command_line.py: argparse
numpy.py          NumPy
keras/            Keras, which builds models (framework.py lists its files); tensorflow.py: TensorFlow's functions
small.py          libraries of which few functions matter: tqdm, six, scikit-learn, timm
torch.py          PyTorch; torch_framework.py: what a program does with it; torch_modules.py: modules and their names;
                  torch_blocks.py: modules that consist of others;
                  torch_tensors.py: tensors and what is computed of them; torch_changes.py: what is changed in place;
                  torch_numbers.py: tensors of known numbers; torch_graph.py: the calls of a run;
                  torch_emit.py: the `Model` of a run; torch_runs.py: the models of a program;
                  torch_training.py: their losses and optimizers; torch_data.py: the batches that they
                  are given
einops.py         einops, which moves axes in programs of PyTorch
registry.py       all of them

Another library is one more module, and one more name in `registry.py`. One that models are made with is a class on
`tracing.Graphs`, which follows the method `call_name` of the program's own classes: it says what its names give
(`call_symbol`) and what its layers and tensors answer (values/framework.py). tests/frontends/code/test_libraries.py
shows a small one of each kind.
"""
