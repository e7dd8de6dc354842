"""What a pasted error of PyTorch says, with its code or without: the module, what it got, and what to write."""

from __future__ import annotations

import re
from math import prod

from layerexplain.frontends.code.messages import Advice, Configs, Messages, last_layer, only_layer
from layerexplain.layers.torch.arguments import channels_last
from layerexplain.ops.sizes import shape_text

_MESSAGES = Messages(r"(?:torch\.Size\()?\[([\d, ]+)\]\)?")


def torch_advice(text: str, modules: Configs | None = None) -> Advice | None:
    """Return what the first known message of a text means; None where it has none.

    >>> torch_advice("RuntimeError: mat1 and mat2 shapes cannot be multiplied (32x1568 and 784x10)").fact
    'Linear(784, 10) needs 784 features, got 1568; write nn.Linear(1568, 10), or change what comes before'
    """
    return _MESSAGES.advice(text, modules)


def _shape(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))


# Shapes ---------------------------------------------------------------------------------------------------------------


@_MESSAGES.row(r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)")
@_MESSAGES.row(r"size mismatch, m1: \[(\d+) x (\d+)\], m2: \[(\d+) x (\d+)\]")
def _linear(groups: list[str], modules: Configs) -> Advice:
    rows, got, wanted, units = map(int, groups)
    said = f"Linear({wanted}, {units}) needs {wanted} features, got {got}"
    cure = f"write nn.Linear({got}, {units}), or change what comes before"
    if rows * got == wanted:
        cure = (
            f"{wanted} = {rows} × {got}: the {rows} channels are in the place of the batch; give the model a batch, "
            "x.unsqueeze(0) for one example"
        )
    elif rows == wanted:
        cure = f"the axis of {rows} is in the place of the batch; write x.T, or x.unsqueeze(0) for one example"
    return Advice(f"{said}; {cure}", only_layer(modules, "Linear", in_features=wanted, out_features=units))


@_MESSAGES.row(r"weight of size SHAPE, expected input\s?SHAPE to have (\d+) channels, but got (\d+) channels")
def _channels(groups: list[str], modules: Configs) -> Advice:
    weight, got, wanted, given = _shape(groups[0]), _shape(groups[1]), int(groups[2]), int(groups[3])
    rank = len(weight) - 2
    cure = channels_last(got, wanted) or f"write in_channels={given}, or change what comes before"
    if given == 1 and got[-1] != wanted:
        ones = ", 1" * rank
        cure = f"the images are grey: write in_channels=1, or x.repeat(1, {wanted}{ones})"
    elif given == 4 and wanted == 3:
        cure = "the images have an alpha channel: write Image.open(path).convert('RGB')"
    fact = f"Conv{rank}d needs {wanted} channels, in_channels={wanted}, got {given} in {shape_text(got)}; {cure}"
    return Advice(fact, only_layer(modules, f"Conv{rank}d", in_channels=wanted, out_channels=weight[0]))


@_MESSAGES.row(
    r"Sizes of tensors must match except in dimension (\d+)\. (?:Expected size|Got) (\d+) (?:but got size|and) (\d+)"
)
def _concatenated(groups: list[str], modules: Configs) -> Advice:
    axis, one, other = groups
    fact = (
        f"torch.cat along axis {axis} gets sizes {one} and {other} along another axis. A network that halves and "
        "doubles sizes rounds odd ones down: give it sizes that halve evenly, or write "
        "F.interpolate(x, size=skip.shape[2:]) before torch.cat"
    )
    return Advice(fact)


@_MESSAGES.row(r"shape '\[([-\d, ]+)\]' is invalid for input of size (\d+)")
def _viewed(groups: list[str], modules: Configs) -> Advice:
    shape, size = [int(one) for one in groups[0].split(",")], int(groups[1])
    known = prod(one for one in shape if one > 0)
    cure = "torch.flatten(x, 1) takes whatever size an example has"
    needed = f"a multiple of {known}" if -1 in shape else f"exactly {known}"
    return Advice(f"view{shape_text(tuple(shape))} needs {needed} numbers, got {size}; {cure}")


@_MESSAGES.row(r"input\.size\(-1\) must be equal to input_size\. Expected (\d+), got (\d+)")
def _recurrent(groups: list[str], modules: Configs) -> Advice:
    wanted, got = groups
    name = next(
        (one for kind in ("LSTM", "GRU", "RNN") if (one := only_layer(modules, kind, input_size=int(wanted)))), ""
    )
    type_ = modules[name][0] if name else "the recurrent module"
    cure = f"write input_size={got}, or put the features last: x.transpose(1, 2)"
    return Advice(f"{type_} needs {wanted} features along the last axis, got {got}; {cure}", name)


@_MESSAGES.row(r"Expected hidden(?:\[\d\])? size \(([\d, ]+)\), got \[([\d, ]+)\]")
def _hidden(groups: list[str], modules: Configs) -> Advice:
    wanted, got = map(_shape, groups)
    fact = (
        f"the state needs the shape {shape_text(wanted)} = (layers · directions, batch, hidden), got {shape_text(got)}"
    )
    recurrent = [config for type_, config in modules.values() if type_ in ("LSTM", "GRU", "RNN")]
    if wanted[:1] != got[:1]:
        cure = f"its first size is num_layers, or twice that with bidirectional=True: write {wanted[0]}"
    elif wanted[-1:] != got[-1:]:
        cure = f"its last size is hidden_size: write {wanted[-1]}"
    elif recurrent and not any(one.get("batch_first") for one in recurrent):
        cure = (
            "without batch_first=True the input is (steps, batch, features): write batch_first=True where the data are "
            "(batch, steps, features), or else take the batch of the state from x.size(1)"
        )
    else:
        cure = "take the batch from the input, as in torch.zeros(layers, x.size(0), hidden), or leave the state out"
        cure += ". With batch_first=True states still have the batch second"
    return Advice(f"{fact}; {cure}")


@_MESSAGES.row(r"element 0 of tensors does not require grad and does not have a grad_fn()")
def _without_gradient(groups: list[str], modules: Configs) -> Advice:
    ends = "torch.no_grad(), .detach(), .data, .item(), .numpy(), argmax or a new torch.tensor(…)"
    fact = f"the loss depends on no parameter that is trained; look before it for {ends}, which end the gradient"
    return Advice(f"{fact}, and for requires_grad=False")


@_MESSAGES.row(r"Trying to backward through the graph a second time()")
def _second_backward(groups: list[str], modules: Configs) -> Advice:
    fact = "backward() goes into a step before this one, whose values are freed: a state or an output is kept from it"
    return Advice(f"{fact}; write h = h.detach() before each step, and .item() for the losses that you add up")


@_MESSAGES.row(r"has been modified by an inplace operation()")
def _changed_in_place(groups: list[str], modules: Configs) -> Advice:
    fact = "the code changes in place what a gradient is computed from"
    return Advice(f"{fact}; write x = x + y in place of x += y, relu in place of relu_, or change x.clone()")


@_MESSAGES.row(r"the batch number of src and tgt must be equal()")
def _unlike_batches(groups: list[str], modules: Configs) -> Advice:
    fact = "Transformer reads (steps, batch, features), and axis 1 of src and tgt, the batch, has two sizes"
    return Advice(f"{fact}; write batch_first=True where the data are (batch, steps, features)")


@_MESSAGES.row(r"optimizer got an empty parameter list()")
def _no_parameters(groups: list[str], modules: Configs) -> Advice:
    cure = "put modules into nn.ModuleList or nn.Sequential in place of a list, and call super().__init__() first"
    return Advice(f"the model has no parameters when the optimizer is made; {cure}")


@_MESSAGES.row(r"shape of the 2D attn_mask is SHAPE, but should be \(([\d, ]+)\)")
def _mask(groups: list[str], modules: Configs) -> Advice:
    got, wanted = _shape(groups[0]), _shape(groups[1])
    fact = f"the mask is {shape_text(got)} for {wanted[-1]} steps, which stand first without batch_first"
    cure = f"make the mask of x.size(0), or write batch_first=True and give the model (batch, {wanted[-1]}, features)"
    return Advice(f"{fact}; {cure}", only_layer(modules, "TransformerEncoder") or only_layer(modules, "Multihead"))


# Values and training --------------------------------------------------------------------------------------------------


@_MESSAGES.row(r"Expected more than 1 value per channel when training, got input size SHAPE")
def _one_value(groups: list[str], modules: Configs) -> Advice:
    shape = _shape(groups[0])
    name = only_layer(modules, "BatchNorm", num_features=shape[1])
    fact = (
        f"batch normalization gets {shape_text(shape)}, one value for each of {shape[1]} channels, which has no "
        "variance; train on batches of 2 or more, DataLoader(…, drop_last=True), and call model.eval() to predict"
    )
    return Advice(fact, name)


@_MESSAGES.row(r"Target (-?\d+) is out of bounds")
def _class(groups: list[str], modules: Configs) -> Advice:
    label = int(groups[0])
    name = last_layer(modules, "Linear")
    if not name:
        return Advice(f"the class {label} has no unit: the last layer needs {label + 1} units, one per class from 0")
    config = modules[name][1]
    units, inputs = config.get("out_features"), config.get("in_features")
    cure = f"write nn.Linear({inputs}, {label + 1}), or number the classes from 0: target - 1"
    if label < 0:
        cure = "number the classes from 0, or exclude those that do not count: CrossEntropyLoss(ignore_index=…)"
    fact = f"the target {label} is out of range: {units} units are for classes 0 to "
    return Advice(f"{fact}{units - 1 if isinstance(units, int) else '…'}; {cure}", name)


@_MESSAGES.row(r"index out of range in self")
def _ids(groups: list[str], modules: Configs) -> Advice:
    name = only_layer(modules, "Embedding")
    rows = modules[name][1].get("num_embeddings") if name else None
    if not isinstance(rows, int):
        return Advice("an Embedding gets an id that it has no row for; num_embeddings needs to be the largest id + 1")
    fact = f"an id is not among 0 to {rows - 1}, the {rows} rows of the Embedding"
    return Advice(f"{fact}; num_embeddings needs to be the largest id + 1, padding ids included", name)


@_MESSAGES.row(r"Using a target size \(SHAPE\) that is different to the input size \(SHAPE\)")
def _target_size(groups: list[str], modules: Configs) -> Advice:
    target, output = _shape(groups[0]), _shape(groups[1])
    cure = "give both one shape"
    if (*target, 1) == output:
        cure = "write output.squeeze(1), or target.unsqueeze(1)"
    elif (*output, 1) == target:
        cure = "write target.squeeze(1), or output.unsqueeze(1)"
    fact = f"the loss compares an output of {shape_text(output)} with a target of {shape_text(target)}"
    return Advice(f"{fact}; {cure}", last_layer(modules, "Linear"))


@_MESSAGES.row(r"Expected input batch_size \((\d+)\) to match target batch_size \((\d+)\)")
def _batches(groups: list[str], modules: Configs) -> Advice:
    got, wanted = groups
    fact = (
        f"the output has {got} rows for {wanted} examples: a view(-1, features) whose features are not those of one "
        f"example"
    )
    return Advice(f"{fact} mixes examples; write torch.flatten(x, 1), and fit the in_features of the Linear after it")


@_MESSAGES.row(r"expected target dtype to be Long or Byte, but got (\w+)")
@_MESSAGES.row(r"expected scalar type Long but found (Float|Int|Double)")
def _whole(groups: list[str], modules: Configs) -> Advice:
    kind = groups[0].lower()
    return Advice(f"class numbers or ids are of type {kind} and need to be long; write target.long(), or ids.long()")


@_MESSAGES.row(r"Found dtype Long but expected Float|result type Float can't be cast to the desired output type Long")
def _floats(groups: list[str], modules: Configs) -> Advice:
    return Advice("the targets are whole numbers, and this loss compares floats; write target.float()")


@_MESSAGES.row(r"(?:0D or 1D|1D) target tensor expected, (?:multi-target not supported|got 2D)")
def _one_hot(groups: list[str], modules: Configs) -> Advice:
    fact = "CrossEntropyLoss and NLLLoss take one class number for each example"
    return Advice(f"{fact}; write target.squeeze(1) for a column, or target.argmax(1) for one-hot rows")


# Modules and weights --------------------------------------------------------------------------------------------------


@_MESSAGES.row(
    r"size mismatch for ([\w.]+): copying a param with shape SHAPE from checkpoint, the shape in current model is SHAPE"
)
def _checkpoint(groups: list[str], modules: Configs) -> Advice:
    weight, saved, own = groups[0], _shape(groups[1]), _shape(groups[2])
    name = weight.rpartition(".")[0]
    fact = f"{weight} is {shape_text(saved)} in the file and {shape_text(own)} in the model"
    units = f"{saved[0]} units" if saved[:1] != own[:1] else f"{saved[1:2]} inputs"
    cure = (
        f"make the model with {units}, load, then put a new '{name}' in its place; or leave {name}.* out of the "
        "file's dict and load it with strict=False"
    )
    return Advice(f"{fact}; {cure}", name if name in modules else "")


@_MESSAGES.row(r"cannot assign module before Module\.__init__\(\) call")
def _no_init(groups: list[str], modules: Configs) -> Advice:
    return Advice("the class calls no super().__init__(); write it as the first line of __init__")


@_MESSAGES.row(r"argument 'input' \(position 1\) must be Tensor, not ([A-Z]\w+)")
@_MESSAGES.row(r"'([A-Z]\w+)' object has no attribute '(?:dim|size|shape)'")
def _module_as_tensor(groups: list[str], modules: Configs) -> Advice:
    type_ = groups[0]
    return Advice(f"nn.{type_}(x) creates a module with x as an argument; write nn.{type_}()(x)")


@_MESSAGES.row(r"Unexpected key\(s\) in state_dict: .*?module\.|Missing key\(s\) in state_dict")
def _keys(groups: list[str], modules: Configs) -> Advice:
    fact = "the names of the file are not those of the model; nn.DataParallel puts module. before each"
    return Advice(f"{fact}: load {{key.removeprefix('module.'): one for key, one in state.items()}}")
