"""What errors of Keras, TensorFlow and PyTorch mean, in the wordings of all versions: one table (hence its length).

A row is a pattern, in which `@got:shape` stands for a part with its kind; the fact, a text with these parts; the usual
causes, each with the line to write; and what raises it, to find that in code. Which row speaks of which call is decided
by data alone: the types of its layers, and the arguments that its parts equal. frontends/code/pasted_errors.py reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from layerexplain.frontends.keras.old_names import todays_argument
from layerexplain.layers.torch.construction import channels_cure
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple

KINDS = {
    "shape": r"(?:torch\.Size\()?[\[(]((?:[-\d\s,?*]|None)*)[\])]\)?",
    "bare": r"((?:\d+ )+\d+)",
    "int": r"(-?\d+)",
    "word": r"[\"'`]?([\w./]+)[\"'`]?",
    "text": r"(.*?)",
}
"""How a part is written, by its kind. A shape has None where a size is open."""


class Parts(dict[str, Any]):
    """The parts of a message by their names: shapes are tuples, numbers int. A name that it lacks is ""."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name, "")

    def __missing__(self, name: str) -> str:
        return ""


Words = str | Callable[[Parts], str]
"""A text with parts in braces, or what makes one; "" where it does not apply."""


class Row(NamedTuple):
    """A message: its wordings, what it says, and the usual causes with what to write."""

    patterns: tuple[str, ...]
    fact: Words
    causes: tuple[Words, ...]
    layers: str = ""
    """The types of the layers whose rule raises it, as a pattern."""
    arguments: Mapping[str, str] = {}
    """Arguments of that layer, each with the part that is its value."""
    calls: str = ""
    """What else raises it: a pattern of functions and methods as code writes them."""
    of_shapes: bool = False
    """Whether it is about shapes: a program whose shapes are known shows it without its message."""


def _s(shape: Any) -> str:
    return shape_text(shape)


def _joined_shapes(text: str) -> str:
    return " and ".join([f"({item})" for item in re.findall(r"shape=\(([^)]*)\)", text)]) or "others"


FIT, LOSS = r".*\.fit\w*", r"(\w+\.)*(criterion|loss\w*|cross_entropy|nll_loss|BCE\w*|\w+_loss)"
"""Which calls raise errors of data, and of targets."""

_OF_INPUT = {"batch_input_shape": "put Input(batch_shape={}) first", "batch_size": "put Input(…, batch_size={}) first"}
_NOT_NEEDED = ("implementation", "dynamic", "input_dtype", "autocast", "fused", "virtual_batch_size", "consume_less")


def todays_code(type_: str, name: str, value: str = "") -> str:
    """Return what to write in Keras 3 in place of an argument of a layer or an optimizer; "" where that is not known.

    >>> todays_code("LSTM", "batch_input_shape", "(1, 10, 3)"), todays_code("Dense", "output_dim")
    ('put Input(batch_shape=(1, 10, 3)) first', 'write units')
    """
    if name == "input_length":
        features = "," if "Embedding" in type_ else ", features"
        return f"leave it out; Input(shape=({value or 'steps'}{features})) as the first layer builds the model"
    if name in _OF_INPUT:
        return _OF_INPUT[name].format(value or "…")
    if name in _NOT_NEEDED:
        return "leave it out"
    if name == "weights":
        return "call set_weights() on the layer once it is built"
    if name in ("lr", "decay"):
        return "write learning_rate" if name == "lr" else "leave it out, or give a schedule as the learning_rate"
    return f"write {today}" if (today := todays_argument(type_, name)) else ""


def _old_arguments(p: Parts) -> str:
    given = re.findall(r"'(\w+)'(?:: (\([^)]*\)|[^,]*))?", p.given)
    cures = [cure for name, value in given if (cure := todays_code(p.type, name, value.strip()))]
    return "; ".join(cures) or "look up its name today, or leave it out"


def _names(text: str) -> str:
    names = re.findall(r"'(\w+)'(?=:)", text) or re.findall(r"'(\w+)'", text)
    return ", ".join(names) or text.strip("'\"")


def _axes_cure(p: Parts) -> str:
    """Return what gives a layer of Keras the axes that it lacks, or takes those off that are too many."""
    base = p.layer.rpartition("/")[2].lower()
    recurrent = any(kind in base for kind in ("lstm", "gru", "rnn", "bidirectional")) and "conv" not in base
    if p.needs < p.found:
        other = "put Flatten before it" if p.needs == 2 else "reshape each step to one vector" if p.needs == 3 else ""
        other = other or "take one axis off, or use the layer of that many axes"
        return f"input_shape is that of one example, without their number, as X.shape[1:]; else {other}"
    if recurrent:
        return (
            "`X = X[:, None, :]` makes each example one step; a recurrent layer before it needs return_sequences=True"
        )
    if "conv1d" in base or "pooling1d" in base:
        return "`X = X[..., None]` makes each value a step of 1 feature, with Input(shape=(steps, 1))"
    if "conv" in base or "pool" in base:
        return "`X = X[..., None]` adds a channel to grey images; `X = X[None]` makes a batch of one image"
    if (p.needs, p.found) == (4, 3):
        return "`X = X[..., None]` adds a channel to grey images; `X = X[None]` makes a batch of one image"
    lacking = p.needs - p.found
    return f"add {lacking} {'axis' if lacking == 1 else 'axes'} to the input"


def _odd_cure(a: Any, b: Any) -> str:
    """Return a cure for two shapes of which an axis differs by a row that halving drops."""
    axes = [(m, n) for m, n in zip(a[:-1], b[:-1], strict=False) if None not in (m, n) and m != n]
    if len(a) == len(b) and axes and all(abs(m - n) <= max(m, n) // 8 + 1 for m, n in axes):
        return "where poolings or strides halve an odd size they round it: give sizes that halve evenly, or crop one"
    if len(a) != len(b):
        return "they have different numbers of axes: Flatten or a global pooling makes each one vector"
    return "join along the axis that differs, axis=…, or bring the others to one size"


_SHAPE = "@got:shape"
KERAS: tuple[Row, ...] = (
    # Axes and sizes of an input
    Row((r'Input \d+ (?:with name \S+ )?of layer @layer:word is incompatible with the layer: .*?ndim=@needs:int, '
         r"found ndim=@found:int(?:\. Full shape received: @got:shape)?",
         r"Input \d+ is incompatible with layer @layer:word: .*?ndim=@needs:int, found ndim=@found:int"),
        lambda p: f"'{p.layer}' needs {p.needs} axes and got {_s(p.got) if p.got else p.found}", (_axes_cure,), of_shapes=True),
    Row((r"Kernel shape must have the same length as input, but received kernel of shape @kernel:shape and input of shape @got:shape",),
        lambda p: f"a convolution with {len(p.kernel) - 2} axes of space needs {len(p.kernel)} axes and got {_s(p.got)}",
        (lambda p: "input_shape is that of one example, as X.shape[1:]; TimeDistributed(…) applies it to each step"
         if len(p.got) > len(p.kernel) else "`X = X[..., None]` adds a channel to grey images",), of_shapes=True),
    Row((r"layer @layer:word is incompatible with the layer: expected axis -1 of input shape to have (?:a )?value "
         r"@needs:int,? but received input with shape @got:shape",),
        "'{layer}' needs {needs} values along the last axis and got {got}",
        (lambda p: f"`X = X.reshape(-1, {p.needs})`, or Flatten before it"
         if prod(filter(None, p.got)) == p.needs else f"give it {p.needs} features",), of_shapes=True),
    # What the data are (X, y)
    Row((r"Error when checking (?:model )?input: expected @layer:word to have @needs:text,? but got array with shape @X:shape",),
        lambda p: f"X has the shape {_s(p.X)}, and '{p.layer.removesuffix('_input')}' needs {_needed(p.needs)}",
        (lambda p: _data_cure(p, "X"),), of_shapes=True),
    Row((r"Error when checking (?:model )?target: expected @layer:word to have @needs:text,? but got array with shape @y:shape",),
        lambda p: f"y has the shape {_s(p.y)}, and the output '{p.layer}' needs {_needed(p.needs)}",
        (lambda p: _data_cure(p, "y"),), of_shapes=True),
    Row((r"layer @layer:word is incompatible with the layer: expected shape=@needs:shape, found shape=@X:shape",
         r"Invalid input shape for input Tensor\(.*?Expected shape @needs:shape, but input has incompatible shape @X:shape"),
        "X has the shape {X}, and the model's Input needs {needs}",
        (lambda p: _data_cure(p, "X"),), of_shapes=True),
    Row((r"Shapes @y:shape and @output:shape are incompatible",
         r"[`']?logits[`']? and [`']?labels[`']? must have the same shape.*?\(@output:shape vs\.? @y:shape\)",
         r"`?target`? and `?output`? must have the same (?:shape|rank).*?Received: target\.shape=@y:shape, output\.shape=@output:shape"),
        "the loss compares an output of {output} with targets of {y}",
        (lambda p: _target_cure(p.y, p.output),), of_shapes=True),
    Row((r"Argument `output` must have rank \(ndim\) `target\.ndim - 1`\. Received: target\.shape=@y:shape, output\.shape=@output:shape",),
        "sparse_categorical_crossentropy takes one class number for each example; the targets are {y} for an output of {output}",
        (lambda p: "the targets are one-hot rows: compile with categorical_crossentropy"
         if p.y == p.output else _target_cure(p.y, p.output),), of_shapes=True),
    Row((r"logits and labels must have the same first dimension, got logits shape @output:shape and labels shape @labels:shape",),
        lambda p: f"sparse_categorical_crossentropy takes one class number for each row of {_s(p.output)}, got {p.labels[0]}",
        (lambda p: "the targets are one-hot rows, which categorical_crossentropy takes"
         if len(p.output) == 2 and p.labels[0] == p.output[0] * p.output[1] else
         "the output has an axis too many; put Flatten or a global pooling before the last Dense, or set return_sequences=False"
         if p.labels[0] and p.output[0] % p.labels[0] == 0 else
         "return_sequences=True in the last recurrent layer gives an output for each step",), calls=FIT),
    Row((r"Can not squeeze dim\[@axis:int\], expected a dimension of 1, got @got:int",),
        lambda p: f"the targets are rows of {p.got} and the loss or metric takes class numbers" if p.axis == 1 else f"squeeze takes axes of size 1 off, and axis {p.axis} has {p.got}",
        (lambda p: "write categorical_crossentropy and 'accuracy', without sparse" if p.axis == 1 else "leave it out, or squeeze another axis",), calls=r".*\.(fit\w*|squeeze)"),
    Row((r"Data cardinality is ambiguous.*?x'? sizes: @x:text\s+'?y'? sizes: @y_count:text(?:\n|$| Make)",),
        lambda p: f"there are {_counts(p.x)} examples in X and {_counts(p.y_count)} in y",
        ("the first axis of each array counts examples; several inputs are given as a list of arrays",), calls=FIT),
    Row((r"indices\[[\d, ]*\] = @got:int is not in \[0, @rows:int\)",),
        lambda p: f"an Embedding with input_dim={p.rows} gets the id {p.got}" if p.got >= 0 else f"an Embedding gets the id {p.got}",
        (lambda p: f"write input_dim={p.got + 1} or more: the largest id + 1, as len(tokenizer.word_index) + 1"
         if p.got >= 0 else "ids count from 0",), "Embedding", {"input_dim": "rows"}, calls=FIT),
    Row((r"Received a label value of @got:int which is outside the valid range of \[0, @units:int\)",),
        lambda p: f"there is a class {p.got} and {p.units} units, for classes 0 to {p.units - 1}",
        (lambda p: f"the last layer needs {p.got + 1} units or more" if p.got >= 0 else "number the classes from 0",
         lambda p: "number the classes from 0: y - 1" if p.got == p.units else ""), "Dense$", calls=FIT),
    # Merging, reshaping, windows
    Row((r"`Concatenate` layer requires inputs with matching shapes.*?shapes?[=:] ?\[@a:shape, @b:shape",
         r"\"concat\" mode can only merge layers with matching output shapes.*?shapes: \[@a:shape, @b:shape"),
        "Concatenate gets {a} and {b}, which differ along an axis that is not joined",
        (lambda p: _odd_cure(p.a, p.b),), of_shapes=True),
    Row((r"total size of (?:the )?(?:tensor|new array) must be unchanged.*?input_shape ?= ?@got:shape, \w+_shape ?= ?@target:shape",),
        lambda p: f"Reshape to {_s(p.target)} needs {abs(prod(filter(None, p.target)))} elements per example and gets {prod(filter(None, p.got))}",
        ("one size may be -1, and takes what is left",), "Reshape", {"target_shape": "target"}, of_shapes=True),
    Row((r"Inputs have incompatible shapes\. Received shapes @a:shape and @b:shape",
         r"Operands could not be broadcast together with shapes @a:shape @b:shape"),
        "a merging layer gets {a} and {b}, without the batch",
        ("they need to be equal, or 1; a convolution or Dense with as many filters or units makes them so",), of_shapes=True),
    Row((r"`?Concatenate`? layer should be called on a list of (?:at least \d+ )?inputs?.*?input_shape=@got:shape",
         r"A merge layer should be called on a list of (?:at least \d+ )?inputs?.*?(?:input_shape=@got:shape|$)"),
        "a merging layer takes a list of tensors, got one", ("write layer([a, b])",), of_shapes=True),
    Row((r"Incompatible input shapes: axis values @a:int \(at axis \d+\) != @b:int",),
        "Dot multiplies along axes of {a} and {b} values", ("choose axes=(i, j) of one size, or bring both to it with Dense",), of_shapes=True),
    Row((r"Negative dimension size caused by subtracting @window:int from @left:int",
         r"Computed output size would be (?:zero or )?negative.*?(?:inputs?[ .]shape=@got:shape|$)",
         r"One of the dimensions in the output is <= 0 due to downsampling in @layer:word"),
        "a window is larger than what is left of the image or sequence",
        ("use larger inputs, fewer poolings or strides, or padding='same'; check the order of the axes",), of_shapes=True),
    Row((r"input channels must be evenly divisible by the number of groups. Received groups=@groups:int, but the input has @channels:int",),
        "groups={groups} does not divide the {channels} input channels", ("choose groups that divide it",), of_shapes=True),
    Row((r"last dimension of the inputs to (?:a )?\W?Dense\W?(?: layer)? should be defined",
         r"Shapes used to initialize variables must be fully-defined \(no `None` dimensions\)"),
        "a layer with weights needs the number of its features, which is None: the Input has a None that Flatten or Reshape multiplies",
        ("give the Input its sizes, or put a global pooling in place of Flatten",), of_shapes=True),
    Row((r"Dimensions must be equal, but are @a:int and @b:int for",
         r"Incompatible shapes: @a:shape vs\. @b:shape"),
        "an operation combines {a} with {b}: sizes need to be equal, or 1",
        ("print the shapes before it; a target needs the shape of the output",), of_shapes=True),
    Row((r"input depth must be evenly divisible by filter depth: @got:int vs @needs:int", r"[Dd]epth of input \(@got:int\) is not a multiple of input depth of filter \(@needs:int\)",
         r"number of input channels does not match corresponding dimension of filter, @got:int != @needs:int"),
        "a convolution made for {needs} channels gets {got}", (lambda p: f"give Input(shape=(…, {p.got})), or images with {p.needs} channels" + (", X = np.repeat(X, 3, axis=-1)" if (p.got, p.needs) == (1, 3) else ""),), of_shapes=True),
    Row((r"channel dimension of the inputs should be defined()",), "a convolution needs the number of channels, which is None", ("give Input its last size: Input(shape=(None, None, 3))",), of_shapes=True),
    Row((r"logits and labels must be broadcastable: logits_size=@output:shape labels_size=@y:shape",),
        "the loss compares an output of {output} with targets of {y}", (lambda p: _target_cure(p.y, p.output),), calls=FIT),
    Row((r"[Mm]odel was constructed with shape @needs:shape for input .*?but it was called on an input with incompatible shape @X:shape",),
        "X has the shape {X}, and the model's Input needs {needs}", (lambda p: _data_cure(p, "X"),), of_shapes=True),
    Row((r"list of Numpy arrays that you are passing to your model is not the size the model expected.*?Expected to see @needs:int array.*?list of @got:int array",),
        "the model has {needs} inputs or outputs and gets {got} arrays", ("give a list with one array for each: fit([a, b], y); np.array(X) makes one array of a list",), calls=FIT),
    Row((r"trying to load a weight file containing @stored:int layers into a model with @own:int layers",),
        "the file has weights of {stored} layers and the model has {own}", (lambda p: "give the first layer input_shape, or call model.build(…) before" if not p.own else "build the model as it was when its weights were saved",), calls=r".*\.load_weights"),
    Row((r"module 'tensorflow' has no attribute '@name:word'",), "TensorFlow 2 has no tf.{name}", ("write tf.compat.v1.{name}, or what replaces it in TensorFlow 2",), calls=r"tf\.@name"),
    Row((r"[Cc]annot convert a symbolic (?:Keras input/output|[Tt]ensor|tf\.Tensor).{0,80}? to a numpy array()", r"using a `?(?:tf\.Tensor|symbolic `?tf\.Tensor)`? as a Python `?bool`? is not allowed()"),
        "a tensor of a model that is being made has no values yet", ("put the lines into the call() of a layer, or use keras.ops; an old NumPy beside TensorFlow says so too",), calls="foreign"),
    Row((r"Your input ran out of data(?:; interrupting training)?()", r"Expect x to be a non-empty array or dataset()"), "fit() gets fewer batches than it is to take", ("leave steps_per_epoch out, or repeat the data: dataset.repeat()",), calls=FIT),
    Row((r"KeyError: '(?P<name>(?:val_)?acc(?:uracy)?)'",), "the history has no '{name}'", (lambda p: f"write '{p.name.replace('accuracy', 'acc') if 'accuracy' in p.name else p.name.replace('acc', 'accuracy')}', as metrics= of compile() names it",), calls=r".*history.*"),
    Row((r"'str' object has no attribute 'decode'()",), "an old Keras reads the file with a new h5py", ("install h5py<3, or a newer Keras",), calls=r".*load_(model|weights)"),
    # Calls
    Row((r'Layer @layer:word expects @needs:int (?:named )?input\(s\).*?but it received @got:int input tensors',),
        lambda p: f"'{p.layer}' takes one tensor and gets {p.got}" if p.got > p.needs == 1 else f"'{p.layer}' takes {p.needs} tensors and gets {p.got}",
        (lambda p: "join them first, as with Concatenate()" if p.got > p.needs == 1 else "give them as one list: layer([a, b])",), calls=r"(model|\w+\.(predict|fit|call))"),
    Row((r"An `?initial_state`? was passed that is not compatible with `?cell\.state_size`?\..*?`?state_spec`?=@given:text; however `?cell\.state_size`? is @sizes:text(?:\n|$)",),
        lambda p: f"initial_state needs {' and '.join([f'(batch, {n})' for n in re.findall(r'[0-9]+', p.sizes)])}, got {_joined_shapes(p.given)}",
        (lambda p: "give a layer the states of one with as many units: return_state=True gives them behind the output",), calls=r".*\(.*\binitial_state="),
    Row((r"too many positional arguments()", r"@type:word\.call\(\) takes \d+ positional arguments but @got:int were given"),
        "a layer takes its tensors as one argument, and more follow", ("give several as one list: layer([a, b])",), calls=r".*\)"),
    Row((r"(?:too many|not enough) values to unpack \(expected (?:at least )?@needs:int",), "a line has {needs} names for the results of a call, which gives another number of them",
        ("with return_state=True a recurrent layer of Keras gives its output and each state: an LSTM three results, a GRU two, a Bidirectional twice as many states", "nn.LSTM gives two: output, (h, c)"), calls=r"(\w+\.)*(LSTM|GRU|SimpleRNN|RNN|Bidirectional)\(.*|(self\.)?\w*(lstm|gru|rnn)\w*"),
    Row((r"Cannot convert '@got:int' to a shape",), "a shape is a tuple, got {got}", ("write ({got},)",), calls=r".*shape="),
    Row((r"stateful=True`? in a RNN, the batch size must be static()", r"If a RNN is stateful, it needs to know its batch size()"), "a stateful layer needs a fixed number of examples",
        ("put Input(batch_shape=(32, …)) first, with the number of examples in place of 32",), "LSTM|GRU|SimpleRNN|RNN|Bidirectional", calls=r".*stateful="),
    # Arguments and versions
    Row((r"Unrecognized keyword arguments passed to @type:word: \{@given:text\}",
         r"Keyword argument not understood:', @given:text\)",
         r"Argument\(s\) not recognized: \{@given:text\}"),
        lambda p: f"Keras 3 has no argument {_names(p.given)}{f' of {p.type}' if p.type else ''}", (_old_arguments,), r"@type", calls=r"(\w+\.)*@type\w*\(.*\b@first="),
    Row((r"(?:fit|evaluate|predict)(?:_generator)?\(\) got an unexpected keyword argument '@name:word'",),
        "fit() of today's Keras has no argument {name}",
        (lambda p: {"nb_epoch": "write epochs", "samples_per_epoch": "write steps_per_epoch", "nb_val_samples": "write validation_steps"}.get(p.name, "leave it out"),), calls=r".*\.(fit|evaluate|predict)"),
    Row((r"Could not interpret (?:@kind:word )?(?:function )?identifier: @name:word", r"Unknown (?P<kind>loss|metric|activation) function:? @name:word"),
        "Keras has no {kind} '{name}'", ("check the spelling, or give the function itself in place of its name",), calls=r".*\.(compile|fit)|(\w+\.)*[A-Z]\w*\(.*\b@kind="),
    Row((r"A KerasTensor cannot be used as input to a TensorFlow function()",
         r"to a TF API that does not allow registering custom dispatchers()",
         r"A KerasTensor is symbolic: it's a placeholder()",
         r"'NoneType' object has no attribute '_inbound_nodes'()", r"object has no attribute '_keras_(?:history|shape)'()",
         r"Output tensors (?:to|of) a (?:Model|Functional model) must be the output of a (?:Keras|TensorFlow) `Layer`()",
         r"Layer \S+ was called with an input that isn't a symbolic tensor()", r"has no attribute '_uses_learning_phase'()"),
        "a function that is no layer is called on a tensor of the model{called}",
        (lambda p: f"write {f'keras.ops.{p.function}' if p.function else 'keras.ops in place of tf or K'}, or with Keras 2 Lambda(lambda t: {p.written or 'function'}(t, …))(x)",
         "put the lines into the call() of a layer"), calls="foreign"),
    Row((r"Keras symbolic inputs/outputs do not implement `@method:text`", r"object of type 'KerasTensor' has no len()", r"not 'KerasTensor'()"),
        "len(), float() and `if` need numbers, and a tensor of a model that is being made has none", ("x.shape[1] is a size; put the rest into the call() of a layer",), calls=r"(len|float|int|bool)"),
    Row((r"Received an invalid value for `@name:word`, expected @needs:text\. Received: \w+=@got:text(?:\n|$)", r"Invalid value received for argument `@name:word`\. Expected @needs:text\. Received: \w+=@got:text(?:\n|$)",
         r"Invalid value @got:word received for `@name:word`, expected @needs:text\.", r"The `@name:word` argument must be @needs:text\. Received: @got:word"),
        "{name} needs to be {needs}, got {got}", ("write such a value",), calls=r"(\w+\.)*[A-Z]\w*\(.*\b@name=|(\w+\.)*(Dense|Dropout)\("),
    Row((r"missing (?:a|1) required (?:positional )?argument: 'value'()",), "MultiHeadAttention is called on query and value", ("write layer(x, x) for self-attention",), calls=r"(\w+\.)*MultiHeadAttention\(.*|\w*att\w*"),
    Row((r"decay is deprecated in the new()",), "optimizers have no argument decay", ("leave it out, or give a schedule as the learning_rate",), calls=r"(\w+\.)*[A-Z]\w*\(.*\bdecay="),
    Row((r"'KerasTensor' object has no attribute '@name:word'",),
        "a tensor of a model that is being made has no {name}", (lambda p: f"write keras.ops.{p.name}(x, …)" if p.name == "reshape" else
         "only a model has it, or an array: call model.predict(X) for numbers",), calls=r"\w+\.@name"),
    Row((r"(?:Unknown layer): '?@name:word", r"Could not locate (?:class|function) '@name:word'"),
        "the file has {name}, which Keras does not know",
        ("load it with custom_objects={{'{name}': {name}}}", "write @keras.saving.register_keras_serializable() above it before saving"), calls=r"load_model|\w*from_json|\w*from_config"),
    Row((r"has no attribute '(?P<name>predict_classes|predict_proba|reset_states|(?:fit|evaluate|predict)_generator)'",),
        "models of today's Keras have no {name}()",
        (lambda p: {"predict_classes": "write model.predict(X).argmax(axis=-1), or model.predict(X) > 0.5 for one sigmoid",
                    "predict_proba": "write model.predict(X)",
                    "reset_states": "call layer.reset_state() of each recurrent layer in model.layers"}.get(
            p.name, f"write {p.name.partition('_')[0]}, which takes generators"),), calls=r"\w+\.@name"),
    Row((r"No module named 'keras\.@module:word'",), "keras.{module} is a module of older Keras",
        (lambda p: f"write `from keras.{p.module.partition('.')[0]} import …`",), calls="import"),
    Row((r"cannot import name '@name:word' from '@module:word'",), "{module} has no {name} in this version",
        (lambda p: "write `from keras.utils import to_categorical`" if p.name == "np_utils" else
         "write `import keras` and look it up there; tf.keras and keras must not be mixed",), calls="import"),
    Row((r"module '[\w.]*keras[\w.]*backend' has no attribute '@name:word'",),
        "Keras 3 has no K.{name}", ("write keras.ops.{name}, or what keras.ops calls it",), calls=r"\w+(\.backend)?\.@name"),
    Row((r"module '[\w.]*keras\.layers' has no attribute '@name:word'",), "Keras has no layer {name}",
        (lambda p: f"write {p.name.removeprefix('CuDNN')}, which uses cuDNN by itself" if p.name.startswith("CuDNN") else "check its spelling",), calls=r"\w+\.@name"),
    Row((r"Unrecognized keyword arguments: \['@name:word'",),
        "the file has an InputLayer with {name}, as Keras 3 writes it, and an older Keras reads it",
        ("load it with keras 3, or with the version that saved it",), calls="load_model"),
    Row((r"File format not supported: filepath=(?P<path>\S*?)\. ",),
        "Keras 3 loads .keras and .h5 files, and no folder of a SavedModel",
        ("write keras.layers.TFSMLayer('{path}', call_endpoint='serving_default') to call it",), calls="load_model"),
    Row((r"filepath provided must end in `(?P<ending>\.\S+)`",),
        "the name of the file needs to end in {ending}; a checkpoint of weights alone in .weights.h5",
        ("rename it",), calls=r"ModelCheckpoint|\w+\.save\w*"),
    # What is built
    Row((r"[│|] *\? *[│|] *0 \(unbuilt\)()", r"model has (?:not yet been built|never been called)()",
         r"[Ww]eights for model \S+ have not yet been created()", r"the layer isn't built()", r"a model that has not yet been built()"),
        "the model has no weights yet: no layer says the shape of the input",
        ("put Input(shape=…) first, or call model.build((None, …)) before",), calls=r"\w+\.(summary|count_params|save\w*|get_weights|weights)"),
    Row((r"Layer '?\"?@layer:word'?\"? expected @own:int variables, but received @stored:int variables during loading",),
        lambda p: f"'{p.layer}' is not built when its weights are loaded" if not p.own else f"'{p.layer}' has {p.own} variables and {p.stored} in the file",
        (lambda p: "build the model or call it on data before" if not p.own else "the file is of another model, or of layers in another order",), calls="load_weights"),
    Row((r"Layer @layer:word weight shape @own:shape is not compatible with provided weight shape @got:shape",),
        "'{layer}' has a weight of {own} and is given one of {got}", ("give arrays of the shapes of layer.get_weights()",), calls=r"\w+.*\.set_weights"),
    Row((r"`?set_weights\(weights\)`? on layer @layer:word with a weight list of length @got:int, but the layer was expecting @needs:int",),
        "'{layer}' has {needs} weights and is given {got}", ("give all of layer.get_weights(), kernel and bias",), calls=r"\w+.*\.set_weights"),
    Row((r"has never been called and thus has no defined (?P<end>input|output)", r"has no attribute '_nested_(?P<ends>inputs|outputs)'"),
        lambda p: f"a Sequential model that is not called has no {p.end or p.ends.rstrip('s')} in Keras 3",
        (lambda p: f"write model.{p.ends or p.end + 's'}[0], after Input(…)",), calls=r"\w+\.(input|output)"),
    Row((r"must (?:call `)?compile(?:\(\)`| your model) before()",), "fit() and evaluate() need a model that is compiled",
        ("call model.compile(optimizer, loss) before",), calls=r"\w+\.(fit|evaluate)\w*"),
    Row((r"(?:Graph disconnected|Output with path `.*?` is not connected to `inputs`)()",),
        "an output does not depend on the inputs that Model(…) is given",
        ("give it the very Input(…) that the layers were called on, and all of them",), calls=r"(\w+\.)*Model"),
    Row((r"(?:Only instances of `?keras\.Layer`? can be|The) added (?:to a Sequential model|layer must be an instance of class Layer)\. Received: (?:layer=)?@given:text ",
         r"All `outputs` values must be KerasTensors\. Received: @given:text including"),
        "a layer and a tensor are mixed up", ("Sequential takes layers, as Dense(3); Model takes tensors, as Dense(3)(x)",)),
    Row((r"layers added to a Sequential model should have unique names\. Name ['\"]@name:word['\"]",),
        "two layers are called '{name}'", ("give each a name of its own, or leave name out",)),
    Row((r"must be a string and cannot contain character `/`. Received: name=(?P<name>.*?) \(", r"'(?P<name>[^']*)/' is not a valid root scope name"),
        "the name '{name}' has a sign that Keras does not take in names", ("write letters, digits, _ and -",), calls=r"(\w+\.)*[A-Z]\w*"),
    # Values and training
    Row((r"OOM when allocating tensor with shape ?@got:shape and type (?P<dtype>\w+)",),
        lambda p: f"one tensor of {_s(p.got)} takes {_gigabytes(p):,.2f} GB, and the memory has no place for it",
        ("use a smaller batch, smaller images, or fewer filters where they are large",), calls=FIT),
    Row((r"(?:Unsupported object type|Invalid dtype: object)()", r"Cast string to float is not supported()", r"(?:Unrecognized data type|Failed to find data adapter)()"),
        "the data are no array of numbers: texts, lists, or rows of different lengths",
        ("write np.asarray(X).astype('float32'), and pad_sequences for rows of different lengths",), calls=FIT),
    Row((r"No gradients provided for any variable()",), "the loss depends on no trainable weight",
        ("give fit() the targets and compile() a loss", "argmax, round, casts to int and .numpy() end the gradient"), calls=r".*\.apply_gradients|\w+\.fit"),
)  # fmt: skip


def _counts(text: str) -> str:
    return ", ".join(dict.fromkeys(re.findall(r"\d+", text)))


def _gigabytes(p: Parts) -> float:
    return float(prod(p.got)) * {"half": 2, "bfloat16": 2, "double": 8, "int64": 8}.get(p.dtype, 4) / 1e9


def _needed(text: str) -> str:
    """`shape (3,)` or `3 dimensions` as a sentence has it.

    >>> _needed("shape (None, 3)"), _needed("4 dimensions")
    ('(None, 3)', '4 axes')
    """
    return re.sub(r"shape (?=[\[(])|,$", "", text).replace("dimensions", "axes")


def _data_cure(p: Parts, name: str) -> str:
    """Return what gives data the shape that an error asks for, which may be a number of axes alone."""
    got, text = p[name], p.needs
    count = re.match(r"(\d+) dim", text) if isinstance(text, str) else None
    sizes = (
        None
        if count
        else [n if n == "None" else int(n) for n in re.findall(r"None|\d+", text)]
        if isinstance(text, str)
        else text
    )
    if name == "y":
        units = sizes[-1] if sizes else None
        if count:
            return (
                "return_sequences=False in the last recurrent layer, or Flatten before the last Dense, gives one row for each example"
                if int(count[1]) > len(got)
                else "give the last layer one row for each example"
            )
        one_hot = f"`y = keras.utils.to_categorical(y, {units})`, or loss='sparse_categorical_crossentropy'"
        if got[-1:] == (1,) or len(got) == 1:
            return one_hot
        last = f"write Dense({got[-1]}) as the last layer"
        # A sparse loss asks for one class number of each example, whatever the last layer is.
        return (
            f"one-hot y goes with loss='categorical_crossentropy'; without a sparse loss, {last}"
            if units == 1
            else last
        )
    axes = int(count[1]) if count else len(sizes or ())
    of_one = got[1:] if len(got) > 1 else got
    if axes == len(got) + 1:
        return (
            "`X = X[:, None, :]` makes each example one step"
            if any(k in p.layer for k in ("lstm", "gru", "rnn"))
            else f"`X = X[..., None]`, with input_shape={_s((*of_one, 1))}"
        )
    if isinstance(text, tuple) and None not in of_one and prod(of_one) == prod(filter(None, text[1:])):
        return f"`X = X.reshape(-1, {', '.join(map(str, text[1:]))})`"
    return f"write Input(shape={_s(of_one)}), the shape of one example"


def _target_cure(y: Any, output: Any) -> str:
    """Return what makes targets and an output alike, by their shapes."""
    units, own = (output[-1:] or (1,))[0], (y[-1:] or (1,))[0]
    if len(output) > 2 and len(y) < len(output):
        return "the output has an axis too many: return_sequences=False in the last recurrent layer, or Flatten before the last Dense"
    if units == 1:
        return f"give the last layer {own} units, Dense({own})" if own not in (1, None) else "give both one shape"
    if own in (1, None) or len(y) < len(output):
        return f"class numbers go with sparse_categorical_crossentropy; `y = keras.utils.to_categorical(y, {units})` makes them one-hot; one number goes with Dense(1)"
    return f"give the last layer {own} units, Dense({own})"


# PyTorch --------------------------------------------------------------------------------------------------------------


def _linear_cure(p: Parts) -> str:
    if p.rows * p.got == p.wanted:
        return (
            f"{p.wanted} = {p.rows} × {p.got}: the tensor holds one example, in {p.rows} rows; it needs to be one row, "
            "x = torch.flatten(x, 1), with a batch axis before it: of a single example x.unsqueeze(0)"
        )
    if p.rows == p.wanted:
        return f"the axis of {p.rows} is in the place of the batch; write x.T, or x.unsqueeze(0) for one example"
    if p.rows >= 16 * p.got:
        return (
            f"it gets {p.rows} rows: where an image comes in, write torch.flatten(x, 1) before it, and fit in_features"
        )
    return f"write nn.Linear({p.got}, {p.units}), or change what comes before"


def _channels_cure(p: Parts) -> str:
    return channels_cure(p.input, p.needs) or f"write in_channels={p.got}, or change what comes before"


def _view_cure(p: Parts) -> str:
    return "torch.flatten(x, 1) takes whatever size an example has; fit the in_features of the Linear after it"


def _hidden_cure(p: Parts) -> str:
    from layerexplain.layers.torch.rnn import state_cure

    return state_cure(p.needs, p.state, bool(p.config.get("batch_first")) if p.config else None)


def _class_cure(p: Parts) -> str:
    if p.got < 0:
        return "number the classes from 0, or exclude those that do not count: CrossEntropyLoss(ignore_index=…)"
    inputs = (p.config or {}).get("in_features", "…")
    return f"write nn.Linear({inputs}, {p.got + 1}), or number the classes from 0: target - 1"


def _same_size_cure(p: Parts) -> str:
    from layerexplain.layers.torch.losses import same_size_cure

    return same_size_cure(p.target, p.output)


def _saved_cure(p: Parts) -> str:
    units = f"{p.saved[0]} units" if p.saved[:1] != p.own[:1] else f"{p.saved[1:2]} inputs"
    name = p.weight.rpartition(".")[0]
    return (
        f"make the model with {units}, load, then put a new '{name}' in its place; or leave {name}.* out of the file's "
        "dict and load it with strict=False"
    )


_ENDS = "torch.no_grad(), .detach(), .data, .item(), .numpy(), argmax or a new torch.tensor(…)"
TORCH: tuple[Row, ...] = (
    Row((r"mat1 and mat2 shapes cannot be multiplied \(@rows:int[x×]@got:int and @wanted:int[x×]@units:int\)",
         r"size mismatch, m1: \[@rows:int x @got:int\], m2: \[@wanted:int x @units:int\]"),
        "Linear({wanted}, {units}) needs {wanted} features, got {got}", (_linear_cure,),
        "Linear", {"in_features": "wanted", "out_features": "units"}, of_shapes=True),
    Row((r"weight of size @weight:bare, expected input\s?@input:shape to have @needs:int channels, but got @got:int channels", r"weight(?: of size )?@weight:shape,(?: so)? expected input\s?@input:shape to have @needs:int channels, but got @got:int channels",),
        lambda p: f"Conv{len(p.weight) - 2}d needs {p.needs} channels, in_channels={p.needs}, got {p.got} in {_s(p.input)}", (_channels_cure,),
        r"Conv(Transpose)?\dd", {"in_channels": "needs"}, of_shapes=True),
    Row((r"Expected @needs:text input to conv(?P<rank>\d)d, but got input of size: @got:shape",
         r"Expected @axes:int-dimensional input for \d-dimensional weight @weight:shape,? but got \d-dimensional input of size @got:shape"),
        lambda p: f"Conv{p.rank or len(p.weight) - 2}d needs {int(p.rank or len(p.weight) - 2) + 2} axes (batch, channels, …), got {_s(p.got)}",
        (lambda p: "write x.unsqueeze(0) for one example, x.unsqueeze(1) for grey images without a channel axis"
         if len(p.got) < int(p.rank or len(p.weight) - 2) + 2 else "an axis is too many: merge it with the batch, x.flatten(0, 1)",), r"Conv(Transpose)?\dd", of_shapes=True),
    Row((r"expected @needs:text input \(got @axes:int-?D input\)",),
        "batch normalization needs {needs} input, got {axes} axes", ("BatchNorm1d takes (batch, features) or (batch, channels, steps), BatchNorm2d images",), "BatchNorm|InstanceNorm", of_shapes=True),
    Row((r"running_mean should contain @got:int elements not @needs:int",),
        "BatchNorm needs {needs} channels, num_features={needs}, got {got}", ("write num_features={got}",), "BatchNorm|InstanceNorm", {"num_features": "needs"}, of_shapes=True),
    Row((r"Given normalized_shape=@needs:shape, expected input with shape \S+ \S+, but got input of size\s?@got:shape",),
        "LayerNorm({needs}) needs the last axes to be {needs}, got {got}", (lambda p: f"write nn.LayerNorm({p.got[-1]})",), "LayerNorm", of_shapes=True),
    Row((r"Expected weight to be a vector of size equal to the number of channels in input, but got weight of shape @needs:shape and input of shape @got:shape",),
        "GroupNorm needs {needs} channels and got {got}", (lambda p: f"write num_channels={p.got[1]}",), "GroupNorm", of_shapes=True),
    Row((r"Sizes of tensors must match except in dimension @axis:int\. (?:Expected size|Got) @a:int (?:but got size|and) @b:int",),
        "torch.cat along axis {axis} gets sizes {a} and {b} along another axis",
        ("where poolings or strides halve an odd size they round it: give sizes that halve evenly, or write F.interpolate(x, size=skip.shape[2:]) before torch.cat",), calls=r"torch\.(cat|concat)", of_shapes=True),
    Row((r"The size of tensor a \(@a:int\) must match the size of tensor b \(@b:int\) at non-singleton dimension @axis:int",),
        "the two tensors have {a} and {b} values along axis {axis}: sizes need to be equal, or 1",
        (lambda p: f"beside a shortcut, give it the other shape: self.shortcut = nn.Conv2d({min(p.a, p.b)}, {max(p.a, p.b)}, 1), and add self.shortcut(x)" if p.axis == 1 else
         "where poolings or strides halve an odd size they round it: write F.interpolate(x, size=skip.shape[2:]) before",), calls="[+*-]=?", of_shapes=True),
    Row((r"shape '\[(?P<target>[-\d, ]+)\]' is invalid for input of size @size:int",),
        lambda p: f"view({p.target}) needs {'a multiple of' if '-1' in p.target else 'exactly'} {abs(prod([int(n) for n in p.target.split(',') if int(n) > 0]))} numbers, got {p.size}", (_view_cure,), calls=r".*\.(view|reshape)", of_shapes=True),
    Row((r"input\.size\(-1\) must be equal to input_size\. Expected @needs:int, got @got:int",),
        lambda p: f"{p.layer_type or 'the recurrent module'} needs {p.needs} features along the last axis, got {p.got}",
        ("write input_size={got}, or put the features last: x.transpose(1, 2)",), "LSTM|GRU|RNN", {"input_size": "needs"}, of_shapes=True),
    Row((r"(?:LSTM|GRU|RNN): Expected input to be 2D or 3D, got @axes:int", r"input must have 3 dimensions, got @axes:int"),
        "a recurrent module needs (batch, steps, features) with batch_first=True, got {axes} axes",
        (lambda p: "write x.flatten(2), which makes one vector of each step" if p.axes > 3 else "write x.unsqueeze(1), which makes each example one step",), "LSTM|GRU|RNN", of_shapes=True),
    Row((r"Expected hidden(?:\[\d\])? size @needs:shape, got @state:shape",),
        "the state needs the shape {needs} = (layers · directions, batch, hidden), got {state}", (_hidden_cure,), "LSTM|GRU|RNN", of_shapes=True),
    Row((r"the batch number of src and tgt must be equal()",),
        "Transformer reads (steps, batch, features), and axis 1 of src and tgt, the batch, has two sizes",
        ("write batch_first=True where the data are (batch, steps, features)",), "Transformer"),
    Row((r"the feature number of src and tgt must be equal to d_model()",), "the last axis of src and tgt is not d_model", ("embed both to d_model features",), "Transformer", of_shapes=True),
    Row((r"was expecting embedding dimension of @needs:int, but got @got:int",), "MultiheadAttention needs embed_dim={needs} features along the last axis, got {got}",
        ("write embed_dim={got}, or put nn.Linear({got}, {needs}) before it",), "MultiheadAttention", {"embed_dim": "needs"}, of_shapes=True),
    Row((r"embed_dim must be divisible by num_heads()",), "num_heads needs to divide embed_dim", ("choose one of its divisors",), "MultiheadAttention|Transformer"),
    Row((r"shape of the 2D attn_mask is @got:shape, but should be @needs:shape",),
        lambda p: f"the mask is {_s(p.got)} for {p.needs[-1]} steps, which stand first without batch_first",
        (lambda p: f"make the mask of x.size(0), or write batch_first=True and give the model (batch, {p.needs[-1]}, features)",), "TransformerEncoder|Multihead"),
    Row((r"Expected key_padded_mask\.shape\[0\] to be @needs:int, but got @got:int",),
        "key_padding_mask needs the shape (batch, steps) with a batch of {needs}, got {got} first", ("write mask.T, or batch_first=True",), "TransformerEncoder|Multihead"),
    Row((r"Calculated padded input size per channel: \(@given:text\)\. Kernel size: \(@kernel:text\)\. Kernel size can't be greater",
         r"Given input size: \(?(?P<given>[\dx]+)\)?\. Calculated output size: \(?[-\dx]+\)?\. Output size is too small"),
        "a window is larger than what is left of the image or sequence", ("use larger inputs, fewer poolings or strides, or padding",), "Conv|.*Pool", of_shapes=True),
    Row((r"Expected size for first two dimensions of batch2 tensor to be: @needs:shape but got: @got:shape",),
        "the product of matrices needs the second to be {needs}, …, got {got}", ("transpose one of them, x.transpose(1, 2)",), calls=r"torch\.(bmm|matmul)|@", of_shapes=True),
    Row((r"Dimension out of range \(expected to be in range of @range:text, but got @got:int\)",
         r"number of dimensions in the tensor input does not match the length of the desired ordering of dimensions i\.e\. input\.dim\(\) = @axes:int is not equal to len\(dims\) = @got:int",
         r"Tensors must have same number of dimensions: got @axes:int and @got:int"),
        "a tensor has another number of axes than the code expects", ("print x.shape before it; x.unsqueeze(…) adds an axis, x.squeeze(…) takes one of size 1 off",), of_shapes=True),
    Row((r"view size is not compatible with input tensor's size and stride()",), "view needs a tensor whose values stand in order, and transpose or permute changed it", ("write .reshape(…) in place of .view(…)",), calls=r".*\.view"),
    Row((r"stack expects each tensor to be equal size, but got @a:shape at entry 0 and @b:shape at entry",), "tensors of {a} and {b} cannot be stacked", ("bring all examples to one size, as transforms.Resize or pad_sequence do",), calls=r"torch\.stack|DataLoader"),
    Row((r"Size mismatch between tensors()",), "TensorDataset needs tensors with as many examples each", ("compare x.size(0) and y.size(0)",), calls=r".*TensorDataset"),
    # Values and training
    Row((r"Expected more than 1 value per channel when training, got input size @got:shape",),
        lambda p: f"batch normalization gets {_s(p.got)}, one value for each of {p.got[1]} channels, which has no variance",
        ("train on batches of 2 or more, DataLoader(…, drop_last=True), and call model.eval() to predict",), "BatchNorm|InstanceNorm"),
    Row((r"Target @got:int is out of bounds",),
        lambda p: f"the target {p.got} is out of range: {p.config['out_features']} units are for classes 0 to {p.config['out_features'] - 1}" if "out_features" in p.config else
        f"the class {p.got} has no unit: the last layer needs {p.got + 1} units, one per class from 0", (_class_cure,), "Linear$", calls=LOSS),
    Row((r"index out of range in self",),
        lambda p: f"an id is not among 0 to {p.config['num_embeddings'] - 1}, the {p.config['num_embeddings']} rows of the Embedding" if "num_embeddings" in p.config else "an Embedding gets an id that it has no row for",
        ("num_embeddings needs to be the largest id + 1, padding ids included",), "Embedding"),
    Row((r"Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got @got:word",),
        "an Embedding takes whole numbers, got {got}", ("write ids.long()",), "Embedding"),
    Row((r"Using a target size \(@target:shape\) that is different to the input size \(@output:shape\)",
         r"Target size \(@target:shape\) must be the same as input size \(@output:shape\)"),
        "the loss compares an output of {output} with a target of {target}", (_same_size_cure,), "Linear$", calls=LOSS, of_shapes=True),
    Row((r"Expected input batch_size \(@got:int\) to match target batch_size \(@needs:int\)",),
        "the output has {got} rows for {needs} examples: a view(-1, features) whose features are not those of one example mixes examples",
        ("write torch.flatten(x, 1), and fit the in_features of the Linear after it",), calls=LOSS, of_shapes=True),
    Row((r"expected target dtype to be Long or Byte, but got @kind:word", r"expected (?:object of )?scalar type Long but (?:found|got scalar type) @kind:word"),
        lambda p: f"class numbers or ids are of type {p.kind.lower()} and need to be long", ("write target.long(), or ids.long()",), calls=LOSS),
    Row((r"Expected floating point type for target with class probabilities, got Long()",), "targets of the shape of the output are taken as probabilities, which are floats", ("write target.float(), or target.argmax(1) for one-hot rows",), calls=LOSS),
    Row((r"Found dtype Long but expected Float|result type Float can't be cast to the desired output type Long",),
        "the targets are whole numbers, and this loss compares floats", ("write target.float()",), calls=LOSS),
    Row((r"(?:0D or 1D|1D) target tensor expected, (?:multi-target not supported|got 2D)",), "CrossEntropyLoss and NLLLoss take one class number for each example",
        ("write target.squeeze(1) for a column, or target.argmax(1) for one-hot rows",), calls=LOSS),
    Row((r"mat1 and mat2 must have the same dtype, but got @got:word and @needs:word", r"Input type \(@got:text\) and (?:bias|weight) type \(@needs:text\) should be the same",
         r"[Ee]xpected (?:object of )?scalar type @needs:word but (?:found|got scalar type) @got:word", r"expected m1 and m2 to have the same dtype, but got: @got:word != @needs:word"),
        lambda p: f"the input is of type {p.got} and the weights are {p.needs}" if "cuda" not in (p.got + p.needs).lower() else f"the input is {p.got}, the weights are {p.needs}: they are on different devices",
        (lambda p: "write x = x.float()" if "cuda" not in (p.got + p.needs).lower() else "write model.to(device) and x = x.to(device)",), r"Linear|Conv(Transpose)?\dd"),
    Row((r"Expected all tensors to be on the same device()", r"Input and (?:hidden|parameter) tensors are not at the same device()"), "the model and its input are on different devices",
        ("write model.to(device) and x = x.to(device); tensors that forward makes need device=x.device",)),
    Row((r"must be Tensor, not numpy\.ndarray()", r"received an invalid combination of arguments - got \(numpy\.ndarray()"), "a module gets an array of NumPy", ("write torch.from_numpy(x).float()",), r"Linear|Conv(Transpose)?\dd|LSTM|GRU"),
    Row((r"CUDA out of memory\. Tried to allocate @size:text (?:\.|\(|GPU)", r"CUDA error: out of memory()",
         r"you tried to allocate @bytes:int bytes"),
        lambda p: f"the memory has no place for {p.size or (f'{p.bytes / 1e9:,.1f} GB' if p.bytes else 'the tensors')} more",
        ("use a smaller batch or smaller images; with torch.no_grad() around what is only predicted; .item() for losses that are added up",)),
    Row((r"element 0 of tensors does not require grad and does not have a grad_fn()",),
        f"the loss depends on no parameter that is trained; look before it for {_ENDS}, which end the gradient", ("and for requires_grad=False",), calls=r".*\.backward"),
    Row((r"Trying to backward through the graph a second time()",),
        "backward() goes into a step before this one, whose values are freed: a state or an output is kept from it",
        ("write h = h.detach() before each step, and .item() for the losses that you add up",), calls=r".*\.backward"),
    Row((r"has been modified by an inplace operation()",), "the code changes in place what a gradient is computed from",
        ("write x = x + y in place of x += y, relu in place of relu_, or change x.clone()",), calls=r".*\.backward"),
    Row((r"grad can be implicitly created only for scalar outputs()",), "backward() starts at one number, and is called on more", ("write loss.mean().backward()",), calls=r".*\.backward"),
    Row((r"Can't call numpy\(\) on Tensor that requires grad()",), "a tensor with a gradient becomes no array", ("write x.detach().cpu().numpy()",), calls=r".*\.numpy"),
    Row((r"can't convert cuda:?\d* device type tensor to numpy()",), "a tensor on the GPU becomes no array", ("write x.detach().cpu().numpy()",), calls=r".*\.numpy"),
    Row((r"'NoneType' object has no attribute '(?P<name>norm|data|zero_|mean|max|abs|clone|item)'",), "a gradient is None before backward(), and for parameters that the loss does not use", ("call loss.backward() first, and check `if p.grad is not None`",), calls=r".*\.grad\.@name"),
    Row((r"'@type:word' object is not iterable",), lambda p: f"something of type {p.type} is given where a list or a tuple is needed",
        (lambda p: "a shape is a tuple, as input_shape=(10,)" if p.type == "int" else "an optimizer takes the parameters of a model: write model.parameters()",), calls=r"(\w+\.)*(SGD|Adam\w*|RMSprop|Adagrad)|.*\(.*_shape="),
    Row((r"optimizer got an empty parameter list()",), "the model has no parameters when the optimizer is made",
        ("in __init__, behind super().__init__(), make each module an attribute of self; a list of them is an nn.ModuleList",), calls=r"(\w+\.)*(SGD|Adam\w*|RMSprop|Adagrad)"),
    Row((r"mat1 dim 1 must match mat2 dim 0()",), "Linear gets another number of features than in_features", ("print x.shape before it, and write this number as in_features",), "Linear", of_shapes=True),
    Row((r"Expected target size [\[(]?@needs:shape, got @got:shape", r"Expected target size @needs:shape, got @got:shape"),
        "CrossEntropyLoss reads an output as (batch, classes, …), so that it needs targets of {needs}, got {got}", ("put the classes second: output.transpose(1, 2); or merge the steps: output.view(-1, classes) and target.view(-1)",), calls=LOSS),
    Row((r"only batches of spatial targets supported \(3D tensors\) but got targets of (?:dimension|size):? ?:?@got:text(?:\n|$)",),
        "an output of images needs targets (batch, rows, columns) of class numbers", ("write target.squeeze(1).long() for (batch, 1, rows, columns); target.argmax(1) for one-hot masks",), calls=LOSS),
    Row((r"multi-target not supported()",), "CrossEntropyLoss and NLLLoss take one class number for each example", ("write target.squeeze(1) for a column, or target.argmax(1) for one-hot rows",), calls=LOSS),
    Row((r"[Bb]oolean value of Tensor with more than one value is ambiguous()", r"bool value of Tensor with more than one value is ambiguous()"),
        "a loss is made from tensors as if they were its options, or `if` gets a tensor", ("write criterion = nn.CrossEntropyLoss() first, then criterion(output, target)",), calls=LOSS + r"|(\w+\.)*\w+Loss"),
    Row((r"only one element tensors can be converted to Python scalars()", r"a Tensor with @got:int elements cannot be converted to Scalar"), ".item() needs one number, and the tensor has more", ("take its mean() or sum() first, or .tolist()",), calls=r".*\.item|float|int"),
    Row((r"device-side assert triggered()", r"Assertion `(?:t >= 0 && t < n_classes|srcIndex < srcSelectDimSize)"), "a class number or an id is out of range, which a GPU does not name",
        ("run it on the CPU to see which: model.cpu(); classes count from 0 to the units of the last layer - 1, ids to num_embeddings - 1",), calls=LOSS),
    Row((r"all elements of (?:input|target) should be between 0 and 1()",), "BCELoss takes probabilities, and gets numbers outside 0 and 1", ("use nn.BCEWithLogitsLoss, or torch.sigmoid(output); number the classes 0 and 1",), calls=LOSS),
    Row((r"batch must contain tensors, numpy arrays, numbers, dicts or lists; found @got:text(?:\n|$)",), "a DataLoader cannot put {got} into a batch", ("give the dataset transforms.ToTensor()",), calls="DataLoader|.*DataLoader"),
    Row((r"can't convert np\.ndarray of type numpy\.object_()",), "the array has objects: texts, or rows of different lengths", ("write X.astype('float32'), or fill the rows up to one length",), calls=r"torch\.(tensor|from_numpy|Tensor|FloatTensor)"),
    Row((r"expected sequence of length @needs:int at dim @axis:int \(got @got:int\)",), "rows of {needs} and {got} values make no tensor", ("fill them up to one length: nn.utils.rnn.pad_sequence",), calls=r"torch\.(tensor|Tensor|FloatTensor)"),
    Row((r"a leaf Variable that requires grad is being used in an in-place operation()",), "a parameter is changed in place where its gradient is recorded", ("put it under with torch.no_grad():, or change .data",)),
    Row((r"Only Tensors of floating point (?:and complex )?dtype can require gradients()",), "whole numbers have no gradient", ("write torch.tensor(…, dtype=torch.float32)",)),
    Row((r"'(?:collections\.)?OrderedDict' object has no attribute '@name:word'",), "the file holds a state_dict, and no model", ("make the model, then model.load_state_dict(torch.load(path))",), calls=r".*\.@name"),
    Row((r"Module \[@type:word\] is missing the required \"forward\" function",), "{type} has no forward: it is missing, misspelt, or indented into __init__", ("write def forward(self, x): at the depth of __init__",)),
    Row((r"Torch not compiled with CUDA enabled()", r"Found no NVIDIA driver on your system()"), "there is no GPU that PyTorch can use", ("write device = 'cuda' if torch.cuda.is_available() else 'cpu'",), calls=r".*\.cuda"),
    Row((r"Attempting to deserialize object on a CUDA device but torch\.cuda\.is_available\(\) is False()",), "the file was saved on a GPU", ("write torch.load(path, map_location='cpu')",), calls=r"torch\.load"),
    Row((r"one_hot is only applicable to index tensor()",), "one_hot takes whole numbers", ("write F.one_hot(x.long(), classes)",), calls=r".*one_hot"),
    Row((r"'Tensor' object is not callable()",), "a tensor is called: a name stands for a module and for its result", ("give the result another name",)),
    # Modules and weights
    Row((r"size mismatch for @weight:word: copying a param with shape @saved:shape from checkpoint, the shape in current model is @own:shape",),
        "{weight} is {saved} in the file and {own} in the model", (_saved_cure,), calls=r".*\.load_state_dict"),
    Row((r"cannot assign module before Module\.__init__\(\) call",), "a module becomes an attribute before super().__init__() is called", ("write super().__init__() as the first line of __init__",), calls=r"(\w+\.)*[A-Z]\w*"),
    Row((r"argument 'input' \(position 1\) must be Tensor, not (?P<type>tuple)", r"'(?P<type>tuple)' object has no attribute '(?:dim|size|shape|view)'"),
        "a recurrent module gives (output, states), and the pair is given on", ("write x, _ = self.lstm(x)",)),
    Row((r"argument 'input' \(position 1\) must be Tensor, not NoneType()", r"'NoneType' object has no attribute '(?:dim|size|shape|view|flatten|permute)'()"),
        "None is given where a tensor is needed", ("a forward without `return` gives None: end it with return x",)),
    Row((r"argument 'input' \(position 1\) must be Tensor, not @type:word", r"'(?P<type>[A-Z]\w+)' object has no attribute '(?:dim|size|view|flatten|permute)'"),
        "nn.{type}(x) creates a module with x as an argument", ("write nn.{type}()(x)",), calls=r"(\w+\.)*@type"),
    Row((r"Unexpected key\(s\) in state_dict: .*?module\.|Missing key\(s\) in state_dict",), "the names of the file are not those of the model",
        ("nn.DataParallel puts module. before each: load {{key.removeprefix('module.'): one for key, one in state.items()}}",), calls=r".*\.load_state_dict"),
    Row((r"'@type:word' object has no attribute '@name:word'",), "{type} has no attribute {name}",
        (lambda p: "PyTorch has no fit(): write a loop with backward() and optimizer.step()" if p.name in ("fit", "compile", "predict", "summary") else f"write its name as __init__ assigns it, self.{p.name} = …",), calls=r".*\.@name"),
    Row((r"@type:word\.__init__\(\) got an unexpected keyword argument '@name:word'",), "{type} has no argument {name}", ("check the spelling",), calls=r"(\w+\.)*[A-Z]\w*\(.*\b@name="),
    Row((r"@type:word\.__init__\(\) missing \d+ required positional arguments?: @given:text(?:\n|$)",), lambda p: f"{p.type} needs {_names(p.given)}", ("give it",), calls=r"(\w+\.)*@type"),
    Row((r"forward\(\) missing \d+ required positional arguments?: @given:text(?:\n|$)", r"forward\(\) takes @needs:int positional arguments but @got:int were given"),
        lambda p: f"forward takes {p.needs - 1} tensor{'s' * (p.needs > 2)}, got {p.got - 1}" if p.needs else f"forward needs {_names(p.given)}", ("give the model what forward takes",), calls=r"model|net|\w+"),
)  # fmt: skip

MESSAGES = (*KERAS, *TORCH)
