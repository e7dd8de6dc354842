"""What the names of libraries are: each module registers its functions with `@function("math.prod")`.

builtins.py       what a program has without an import; python.py: Python's own library; numpy.py: NumPy
signatures.py     the order of the arguments of functions, from signatures.txt and keras_signatures.txt
keras_*.py        Keras, which builds models, in parts each of which knows those before it (`KerasParts`)
                  framework: what a call of a name makes; names: which name is which class; making: layers, models
                  operations: keras.ops and operators; functions: keras.backend, keras.utils, TensorFlow's; attributes
                  datasets; cloning; loops: loops of training with a tape
                  refused_calls, refused_data: what Keras does not take
torch_*.py        PyTorch: torch.py: modules by their names; framework: what a program does with it, and its data
                  program: what is kept of it, and weights; modules: modules and their names
                  tensors: tensors and functions of them; numbers: known numbers; graph: the calls of a run
                  emit: the `Model` of a run; found: which models a program has; runs: on which inputs they run
                  training: losses and optimizers; cures: what would mend a call
registry.py       all of them, and those of which few functions matter

Another library is one more module, and one more name in `registry.py`. One that models are made with says
what its names give (`call_symbol`) and what its layers and tensors answer (values/objects.py); it has a `Recorder`
and its `Graphs`, which follow the method `call_name` of the program's own classes.
tests/frontends/code/test_libraries.py shows a small one of each kind.
"""
