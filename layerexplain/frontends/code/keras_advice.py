"""What a pasted error of Keras says that is no error of shapes, with its code or without, and what to write."""

from __future__ import annotations

import re
from math import prod

from layerexplain.frontends.code.messages import Advice, Configs, Messages, last_layer, only_layer
from layerexplain.frontends.keras.old_names import todays_argument
from layerexplain.ops.sizes import shape_text

_MESSAGES = Messages(r"[(\[]([\d, None]*)[)\]]")
_OF_INPUT = {"batch_input_shape": "put Input(batch_shape={}) first", "batch_size": "put Input(…, batch_size={}) first"}
_NOT_NEEDED = ("implementation", "dynamic", "input_dtype", "autocast", "fused", "virtual_batch_size")


def keras_advice(text: str, layers: Configs | None = None) -> Advice | None:
    """Return what the first known message of a text means; None where it has none.

    >>> keras_advice("Unrecognized keyword arguments passed to Dense: {'batch_size': 8}").fact
    'Keras 3 has no argument batch_size of Dense: put Input(…, batch_size=8) first'
    """
    return _MESSAGES.advice(text, layers)


# Arguments and versions -----------------------------------------------------------------------------------------------


@_MESSAGES.row(r"Unrecognized keyword arguments passed to (\w+): \{(.*?)\}")
@_MESSAGES.row(r"()Keyword argument not understood:', ('\w+')")
@_MESSAGES.row(r"()Argument\(s\) not recognized: \{(.*?)\}")
def _argument(groups: list[str], layers: Configs) -> Advice:
    type_ = groups[0]
    given = dict(re.findall(r"'(\w+)'(?:: (\([^)]*\)|[^,]*))?", groups[1]))
    cures = [cure for name, value in given.items() if (cure := todays_code(type_, name, value.strip()))]
    names = ", ".join(given)
    fact = f"Keras 3 has no argument {names}{f' of {type_}' if type_ else ''}"
    cure = "; ".join(cures) or "look up its name today, or leave it out"
    return Advice(f"{fact}: {cure}", only_layer(layers, type_) if type_ else "")


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


@_MESSAGES.row(r"A KerasTensor cannot be used as input to a TensorFlow function()")
@_MESSAGES.row(r"to a TF API that does not allow registering custom dispatchers()")
def _tensorflow(groups: list[str], layers: Configs) -> Advice:
    fact = "functions of TensorFlow take no tensors of a model that is being made"
    return Advice(f"{fact}; write keras.ops in place of tf, or put the lines into the call() of a layer")


@_MESSAGES.row(r"(?:Unknown layer|Unknown (?:loss|metric|activation) function): '?(\w+)")
@_MESSAGES.row(r"Could not locate (?:class|function) '(\w+)'")
def _own_class(groups: list[str], layers: Configs) -> Advice:
    name = groups[0]
    fact = f"the file has {name}, which Keras does not know: load it with custom_objects={{'{name}': {name}}}"
    return Advice(f"{fact}, or write @keras.saving.register_keras_serializable() above it before saving")


@_MESSAGES.row(r"has no attribute '(predict_classes|predict_proba|reset_states|(?:fit|evaluate|predict)_generator)'")
def _method(groups: list[str], layers: Configs) -> Advice:
    cure = {
        "predict_classes": "write model.predict(X).argmax(axis=-1), or model.predict(X) > 0.5 for one sigmoid",
        "predict_proba": "write model.predict(X)",
        "reset_states": "call layer.reset_state() of each recurrent layer in model.layers",
    }.get(groups[0], f"write {groups[0].partition('_')[0]}, which takes generators")
    return Advice(f"models of today's Keras have no {groups[0]}(); {cure}")


@_MESSAGES.row(r"No module named 'keras\.layers\.(\w+)'()")
def _module(groups: list[str], layers: Configs) -> Advice:
    return Advice(f"keras.layers.{groups[0]} is a module of older Keras; write `from keras.layers import …`")


@_MESSAGES.row(r"module '[\w.]*keras[\w.]*backend' has no attribute '(\w+)'")
def _backend(groups: list[str], layers: Configs) -> Advice:
    return Advice(f"Keras 3 has no K.{groups[0]}; write keras.ops.{groups[0]}, or what keras.ops calls it")


@_MESSAGES.row(r"Unrecognized keyword arguments: \['(batch_shape|optional)'")
def _newer_file(groups: list[str], layers: Configs) -> Advice:
    fact = f"the file has an InputLayer with {groups[0]}, as Keras 3 writes it, and an older Keras reads it"
    return Advice(f"{fact}; load it with keras 3, or with the version that saved it")


@_MESSAGES.row(r"File format not supported: filepath=(\S*?)\. ")
def _format(groups: list[str], layers: Configs) -> Advice:
    fact = "Keras 3 loads .keras and .h5 files, and no folder of a SavedModel"
    return Advice(f"{fact}; write keras.layers.TFSMLayer('{groups[0]}', call_endpoint='serving_default') to call it")


@_MESSAGES.row(r"filepath provided must end in `(\.\S+)`")
def _ending(groups: list[str], layers: Configs) -> Advice:
    return Advice(f"the name of the file needs to end in {groups[0]}; a checkpoint of weights alone in .weights.h5")


# What is built --------------------------------------------------------------------------------------------------------


@_MESSAGES.row(r"[│|] *\? *[│|] *0 \(unbuilt\)()")
@_MESSAGES.row(r"model has (?:not yet been built|never been called)()")
@_MESSAGES.row(r"[Ww]eights for model \S+ have not yet been created()")
def _unbuilt(groups: list[str], layers: Configs) -> Advice:
    fact = "the model has no weights yet: no layer says the shape of the input"
    return Advice(f"{fact}; put Input(shape=…) first, or call model.build((None, …)) before")


@_MESSAGES.row(r"Layer '?\"?(\w+)'?\"? expected (\d+) variables, but received (\d+) variables during loading")
def _loaded(groups: list[str], layers: Configs) -> Advice:
    name, own, stored = groups
    if own == "0":
        return Advice(f"'{name}' is not built when its weights are loaded; build the model or call it on data before")
    fact = f"'{name}' has {own} variables and {stored} in the file"
    return Advice(f"{fact}: the file is of another model, or of layers in another order", name)


@_MESSAGES.row(r"has never been called and thus has no defined (input|output)")
def _no_graph(groups: list[str], layers: Configs) -> Advice:
    end = groups[0]
    return Advice(
        f"a Sequential model that is not called has no {end} in Keras 3; write model.{end}s[0], after Input(…)"
    )


@_MESSAGES.row(r"must (?:call `)?compile(?:\(\)`| your model) before()")
def _not_compiled(groups: list[str], layers: Configs) -> Advice:
    return Advice("fit() and evaluate() need a model that is compiled; call model.compile(optimizer, loss) before")


@_MESSAGES.row(r"(?:Graph disconnected|Output with path `.*?` is not connected to `inputs`)()")
def _disconnected(groups: list[str], layers: Configs) -> Advice:
    fact = "an output does not depend on the inputs that Model(…) is given"
    return Advice(f"{fact}: give it the very Input(…) that the layers were called on, and all of them")


# Calls ----------------------------------------------------------------------------------------------------------------


@_MESSAGES.row(r'Layer "?(\w+)"? expects (\d+) input\(s\),? but it received (\d+) input tensors')
def _inputs(groups: list[str], layers: Configs) -> Advice:
    name, wanted, given = groups
    if int(given) > int(wanted) == 1:
        return Advice(f"'{name}' takes one tensor and gets {given}; join them first, as with Concatenate()", name)
    return Advice(f"'{name}' takes {wanted} tensors and gets {given}; give them as one list: layer([a, b])", name)


@_MESSAGES.row(
    r"An `?initial_state`? was passed that is not compatible with `?cell\.state_size`?\..*?"
    r"`?state_spec`?=(.*?); however `?cell\.state_size`? is (.*?)(?:\n|$)"
)
def _states(groups: list[str], layers: Configs) -> Advice:
    given = [f"({one})" for one in re.findall(r"shape=\(([^)]*)\)", groups[0])]
    sizes = re.findall(r"\d+", groups[1])
    wanted = " and ".join([f"(batch, {size})" for size in sizes])
    fact = f"initial_state needs {wanted}, got {' and '.join(given) or 'others'}"
    cure = "return_state=True gives the states behind the output"
    return Advice(f"{fact}; {cure}, and those of a Bidirectional are joined with Concatenate()")


@_MESSAGES.row(r"`Concatenate` layer requires inputs with matching shapes.*?shapes?[=:] ?\[SHAPE, SHAPE")
def _joined(groups: list[str], layers: Configs) -> Advice:
    one, other = (_shape(text) for text in groups)
    fact = f"Concatenate gets {one} and {other}, which differ along an axis that is not joined"
    cure = "a pooling drops the last row of an odd size: give the model sizes that halve evenly, or crop or pad one"
    return Advice(f"{fact}; {cure}")


@_MESSAGES.row(r"total size of the (?:tensor|new array) must be unchanged.*?input_shape ?= ?SHAPE, \w+_shape ?= ?SHAPE")
def _reshaped(groups: list[str], layers: Configs) -> Advice:
    got, wanted = (prod([int(one) for one in re.findall(r"-?\d+", text)]) for text in groups)
    fact = f"Reshape to {_shape(groups[1])} needs {abs(wanted)} elements per example and gets {got}"
    return Advice(f"{fact}; one size may be -1, and takes what is left", only_layer(layers, "Reshape"))


@_MESSAGES.row(r"Inputs have incompatible shapes\. Received shapes SHAPE and SHAPE()")
def _merged(groups: list[str], layers: Configs) -> Advice:
    one, other = (_shape(text) for text in groups[:2])
    fact = f"a merging layer gets {one} and {other}, without the batch"
    return Advice(
        f"{fact}: they need to be equal, or 1; a convolution or Dense with as many filters or units makes them so"
    )


# Values and training --------------------------------------------------------------------------------------------------


@_MESSAGES.row(r"indices\[[\d, ]*\] = (-?\d+) is not in \[0, (\d+)\)")
def _ids(groups: list[str], layers: Configs) -> Advice:
    got, rows = map(int, groups)
    name = only_layer(layers, "Embedding", input_dim=rows) or only_layer(layers, "Embedding")
    if got < 0:
        return Advice(f"an Embedding gets the id {got}; ids count from 0", name)
    fact = f"an Embedding with input_dim={rows} gets the id {got}"
    return Advice(
        f"{fact}; write input_dim={got + 1} or more: the largest id + 1, as len(tokenizer.word_index) + 1", name
    )


@_MESSAGES.row(r"Received a label value of (-?\d+) which is outside the valid range of \[0, (\d+)\)")
def _label(groups: list[str], layers: Configs) -> Advice:
    got, units = map(int, groups)
    cure = f"the last layer needs {got + 1} units or more" if got >= 0 else "number the classes from 0"
    shift = ", or number the classes from 0: y - 1" if got == units else ""
    return Advice(
        f"there is a class {got} and {units} units, for classes 0 to {units - 1}; {cure}{shift}",
        last_layer(layers, "Dense"),
    )


@_MESSAGES.row(r"logits and labels must have the same first dimension, got logits shape SHAPE and labels shape SHAPE")
def _sparse(groups: list[str], layers: Configs) -> Advice:
    logits, labels = ([int(one) for one in re.findall(r"\d+", text)] for text in groups[:2])
    fact = (
        f"sparse_categorical_crossentropy takes one class number for each row of {shape_text(logits)}, got {labels[0]}"
    )
    if len(logits) == 2 and labels[0] == logits[0] * logits[1]:
        return Advice(f"{fact}: the targets are one-hot rows, which categorical_crossentropy takes")
    if labels[0] and logits[0] % labels[0] == 0:
        return Advice(f"{fact}: the output has an axis too many; put Flatten or a global pooling before the last Dense")
    return Advice(f"{fact}; return_sequences=True in the last recurrent layer gives an output for each step")


@_MESSAGES.row(r"Can not squeeze dim\[1\], expected a dimension of 1, got (\d+)")
def _squeezed(groups: list[str], layers: Configs) -> Advice:
    fact = f"the targets are rows of {groups[0]} and the loss or metric takes class numbers"
    return Advice(f"{fact}; write categorical_crossentropy and 'accuracy', without sparse")


@_MESSAGES.row(r"`target` and `output` must have the same rank.*?target\.shape=SHAPE, output\.shape=SHAPE")
def _rank(groups: list[str], layers: Configs) -> Advice:
    target, output = (_shape(text) for text in groups)
    fact = f"the loss compares an output of {output} with a target of {target}"
    return Advice(f"{fact}; class numbers go with sparse_categorical_crossentropy, one number with Dense(1)")


@_MESSAGES.row(r"OOM when allocating tensor with shape ?\[([\d,]+)\] and type (\w+)")
def _memory(groups: list[str], layers: Configs) -> Advice:
    sizes = [int(one) for one in groups[0].split(",") if one]
    size = prod(sizes) * {"half": 2, "bfloat16": 2, "double": 8, "int64": 8}.get(groups[1], 4)
    fact = f"one tensor of {shape_text(sizes)} takes {size / 1e9:,.2f} GB, and the memory has no place for it"
    return Advice(f"{fact}; use a smaller batch, smaller images, or fewer filters where they are large")


@_MESSAGES.row(r"(?:Unsupported object type|Invalid dtype: object)()")
def _objects(groups: list[str], layers: Configs) -> Advice:
    fact = "the data are an array of objects: texts, or rows of different lengths"
    return Advice(f"{fact}; write np.asarray(X).astype('float32'), and pad_sequences for rows of different lengths")


@_MESSAGES.row(r"Data cardinality is ambiguous.*?x'? sizes: ([\d, ]+).*?y'? sizes: ([\d, ]+)")
def _examples(groups: list[str], layers: Configs) -> Advice:
    x, y = (re.findall(r"\d+", text) for text in groups)
    fact = f"there are {', '.join(dict.fromkeys(x))} examples in X and {', '.join(dict.fromkeys(y))} in y"
    return Advice(f"{fact}: the first axis of each array counts examples; several inputs are given as a list of arrays")


@_MESSAGES.row(r"No gradients provided for any variable()")
def _no_gradients(groups: list[str], layers: Configs) -> Advice:
    fact = "the loss depends on no trainable weight"
    cure = "give fit() the targets and compile() a loss; argmax, round, casts to int and .numpy() end the gradient"
    return Advice(f"{fact}: {cure}")


@_MESSAGES.row(
    r"(?:Negative dimension size caused by subtracting|Computed output size would be (?:zero or )?negative)()"
)
def _negative(groups: list[str], layers: Configs) -> Advice:
    fact = "a window is larger than what is left of the image or sequence"
    return Advice(
        f"{fact}: use larger inputs, fewer poolings or strides, or padding='same'; check the order of the axes"
    )


@_MESSAGES.row(r"last dimension of the inputs to (?:a )?\W?Dense\W?(?: layer)? should be defined()")
def _open_features(groups: list[str], layers: Configs) -> Advice:
    fact = (
        "Dense needs the number of its features, which is None: the Input has a None that Flatten or Reshape multiplies"
    )
    return Advice(f"{fact}; give the Input its sizes, or put a global pooling in place of Flatten")


def _shape(text: str) -> str:
    sizes = re.findall(r"None|\d+", text)
    return shape_text([None if one == "None" else int(one) for one in sizes])
