"""The statements of a Functional model in Keras code, with a function for each block of calls that repeats exactly."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.conversions.python_text import (
    WIDTH,
    CodeText,
    call_code,
    index_code,
    keyword_code,
    text_code,
    value_code,
)
from layerexplain.conversions.today import call_arguments, has_several_results, own_calls
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.model_builder import beginning
from layerexplain.layers.declaration import snake_case
from layerexplain.model import Call, Layer, Model, TensorRef, replaced
from layerexplain.nesting import formed, path_in
from layerexplain.network.without_formula import INFIX, function_arguments, operation
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.conversions.code import CodeModule


# Blocks -------------------------------------------------------------------------------------------------------------

_LONGEST = 48
_LEAST_SAVED = 3
"""So many statements a block must save: those that its function and its calls do not take."""


class ComparedCall(NamedTuple):
    """One call as it is compared: what it does with its sources as distances, which calls before it these are, how far
    behind it it is last used, and the name that it was given, None for one that Keras gave."""

    token: Hashable
    sources: tuple[int, ...]
    last_use: int
    name: str | None
    alone: bool
    """Whether it can stand in no block, as what is called several times."""


class Block(NamedTuple):
    """A block of `length` calls, where it begins (each time), and what stands behind the names of its layers; the
    beginnings of the names, one for each time ("" where Keras gave all names)."""

    length: int
    starts: tuple[int, ...]
    suffixes: tuple[str | None, ...]
    prefixes: tuple[str, ...]


def repeated_blocks(steps: Sequence[ComparedCall]) -> list[Block]:
    """Return the blocks that are worth a function, those that save most first; they do not overlap.

    >>> chain = [ComparedCall(kind, (1,), 1, None, False) for kind in "abcabcabcd"]
    >>> repeated_blocks(chain)[0].starts
    (0, 3, 6)
    """
    numbers: dict[Hashable, int] = {}
    tokens = [numbers.setdefault((step.token, step.sources, step.name is None), len(numbers)) for step in steps]
    seen: dict[Hashable, list[int]] = {}
    windows: dict[tuple[int, int], tuple[Hashable, tuple[str | None, ...], str]] = {}
    for start in range(len(steps)):
        used_to = start  # the last step that reads what the block makes before its own last step
        for length in range(1, min(_LONGEST, len(steps) - start) + 1):
            step = steps[start + length - 1]
            if step.alone or any(distance > length for distance in step.sources):
                break  # it reads what stands before the block, and is not its one input
            is_closed = used_to < start + length
            used_to = max(used_to, start + length - 1 + step.last_use)
            if not is_closed:
                continue
            suffixes, prefix = _names(steps, start, length)
            key = (tuple(tokens[start : start + length]), suffixes)
            windows[start, length] = (key, suffixes, prefix)
            seen.setdefault(key, []).append(start)
    return _chosen(seen, windows, len(steps))


def _chosen(
    seen: dict[Hashable, list[int]],
    windows: dict[tuple[int, int], tuple[Hashable, tuple[str | None, ...], str]],
    count: int,
) -> list[Block]:
    groups = [(starts, len(windows_key[0])) for windows_key, starts in seen.items() if len(starts) > 1]  # type: ignore[index]
    taken = [False] * count
    blocks: list[Block] = []
    while True:
        best: tuple[int, int, list[int]] = (0, 0, [])
        for starts, length in groups:
            if _saved(len(starts), length) < 1:
                continue
            free: list[int] = []
            for start in starts:
                if (not free or start >= free[-1] + length) and not any(taken[start : start + length]):
                    free.append(start)
            saved = _saved(len(free), length)
            if length == 1 and (len(free) < 3 or free[-1] - free[0] > len(free) - 1):  # not in a row
                continue
            if saved >= (1 if length == 1 else _LEAST_SAVED) and (saved, -length) > (best[0], -best[1]):
                best = (saved, length, free)
        if not best[2]:
            return blocks
        _, length, free = best
        suffixes = windows[free[0], length][1]
        blocks.append(Block(length, tuple(free), suffixes, tuple([windows[start, length][2] for start in free])))
        for start in free:
            taken[start : start + length] = [True] * length


def _saved(count: int, length: int) -> int:
    return count - 2 if length == 1 else count * length - count - length


def _names(steps: Sequence[ComparedCall], start: int, length: int) -> tuple[tuple[str | None, ...], str]:
    names = [step.name for step in steps[start : start + length]]
    prefix = beginning([name for name in names if name is not None])
    # A number is not cut into two: conv1 and conv12 begin with conv.
    if any(name is not None and name[len(prefix) : len(prefix) + 1].isdigit() for name in names):
        prefix = prefix.rstrip("0123456789")
    prefix = prefix.rstrip("_/.-")
    # Nor is a word: a_conv and a_concat begin with a.
    if "_" in prefix and any(name is not None and name[len(prefix) : len(prefix) + 1].isalnum() for name in names):
        prefix = prefix.rpartition("_")[0]
    return tuple([None if name is None else name[len(prefix) :] for name in names]), prefix


# Code body ----------------------------------------------------------------------------------------------------------
# The statements of one Functional model in Keras code: calls, functions of blocks that repeat, and loops over them.


class FunctionalBody:
    """The statements of one Functional model."""

    def __init__(self, module: CodeModule, model: Model) -> None:
        self.module = module
        self.model = model
        self.layers = model.layers_by_name
        calls = {(call.layer, call.index): call for call in model.calls}
        self.calls = list(own_calls(model, [calls[ref.layer, ref.call] for ref in model.outputs]))
        self.places = {TensorRef(call.layer, call.index): i for i, call in enumerate(self.calls)}
        if len(model.inputs) == 1:
            self.places[model.inputs[0]] = -1
        self.uses: dict[int, int] = {}
        for i, call in enumerate(self.calls):
            for ref in call.refs:
                self.uses[self.places.get(ref._replace(output=0), -2)] = i
        self.ends = {self.places.get(ref._replace(output=0), -2) for ref in model.outputs}
        self.often = {call.layer for call in self.calls if call.index > 0}
        self.variables: dict[TensorRef, str] = {}
        self.names = module.variables_of_body()
        self.objects: dict[str, str] = {}
        self.reach: dict[int, int] = {}
        every = [ref for call in self.calls for ref in call.refs]
        self.several = {ref.layer for ref in (*every, *model.outputs) if ref.output}

    def lines(self) -> list[str]:
        """Return the statements; the last is the expression that makes the model."""
        result = []
        inputs = self.model.inputs
        for ref in inputs:
            layer = self.layers[ref.layer]
            name = "inputs" if len(inputs) == 1 else self.names.take(ref.layer)
            self.variables[ref] = name
            result.append(f"{name} = {self.module.input(layer)}")
        result += self._statements()
        ends = [self.variables[ref] for ref in inputs], [self._tensor(ref) for ref in self.model.outputs]
        forms = self.model.input_form, self.model.output_form
        arguments = [value_code(formed(form, [*map(CodeText, names)])) for form, names in zip(forms, ends, strict=True)]
        name = self.module.model_name(self.model)
        return [*result, call_code("keras.Model", [*arguments, *([f"name={name}"] if name else [])], 0, 12)]

    def _statements(self) -> Iterator[str]:
        blocks = repeated_blocks([self._step(i) for i in range(len(self.calls))])
        self.reach = {start: start + block.length - 1 for block in blocks for start in block.starts}
        at = {start: (block, number) for block in blocks for number, start in enumerate(block.starts)}
        functions: dict[Block, str] = {}
        i = 0
        while i < len(self.calls):
            if i not in at:
                yield from self._statement(i, self._variable(i))
                i += 1
                continue
            block, number = at[i]
            run = [i]
            while block.starts[number + len(run) : number + len(run) + 1] == (run[-1] + block.length,):
                last, end = run[-1] + block.length - 1, run[-1] + 2 * block.length
                if last in self.ends or self.uses.get(last, last) >= end:  # which is seen later
                    break
                run.append(run[-1] + block.length)
            if block.length > 1 and block not in functions:
                functions[block] = self._function(block)
            yield from self._run(block, number, run, functions.get(block))
            i = run[-1] + block.length

    def _step(self, i: int) -> ComparedCall:
        call = self.calls[i]
        layer = self.layers[call.layer]
        refs = [ref._replace(output=0) for ref in call.refs]
        places = [self.places.get(ref, -2) for ref in refs]
        name = self.module.name_of(layer)
        distances = {ref: i - at for ref, at in zip(refs, places, strict=True)}
        shape = replaced(
            (call.args, call.kwargs),
            TensorRef,
            lambda ref: ref._replace(layer="", call=distances[ref._replace(output=0)]),
        )
        flag = layer.model is None or (layer.type == "Sequential" and is_plain(layer.model))
        flag = flag and self.module.objects.first_place(layer) is None
        code = self.module.object(layer, "" if layer.model is not None else None, 0) if flag else ""
        token = (layer.kind, layer.type, code, repr(shape))
        last = len(self.calls) + 1 if i in self.ends else self.uses.get(i, i) - i
        alone = not flag or call.layer in self.often or -2 in places
        return ComparedCall(token, tuple([i - at for at in places]), last, name, alone)

    def _variable(self, i: int) -> str:
        """Return the variable that takes the result of a call: x where only the next statement uses it."""
        call = self.calls[i]
        if i in self.ends and len(self.model.outputs) == 1 and self.uses.get(i, i) == i:
            return "outputs"
        if self.uses.get(i, i + 1) <= self.reach.get(i + 1, i + 1) and i not in self.ends:
            return "x"
        layer = self.layers[call.layer]
        return self.names.take(layer.name if call.index == 0 else f"{layer.name}_{call.index + 1}")

    def _statement(self, i: int, variable: str, name: str | None = None) -> Iterator[str]:
        """Yield the statement of a call; `name` is the code of the layer's name where it is another than its own."""
        call = self.calls[i]
        layer = self.layers[call.layer]
        own = self.module.name_of(layer)
        name = name if name is not None else text_code(own) if own is not None else None
        if layer.kind == "operation":
            yield f"{variable} = {self._operation(layer, call, len(variable) + 3)}"
        else:
            what = self.objects.get(layer.name)
            if what is None and self.module.objects.first_place(layer) is not None:
                what = self.module.object(layer, name, 0)
            if what is None and layer.name in self.often:
                what = self.objects[layer.name] = self.names.take(f"{layer.name}_layer")
                yield f"{what} = {self.module.object(layer, name, 0)}"
            given = f"({', '.join(self._arguments(call))})"
            what = what or self.module.object(layer, name, 0)
            is_long = len(f"{variable} = {what}{given}") > WIDTH - 4 and "\n" not in what
            if is_long and layer.model is None and "(" in what:
                what = self.module.construction(layer, name, 0, broken=True)
            yield f"{variable} = {what}{given}"
        self.variables[TensorRef(call.layer, call.index)] = variable

    def _arguments(self, call: Call) -> list[str]:
        args, kwargs = call_arguments(self.layers[call.layer], call)
        return [self._value(argument) for argument in args] + [
            keyword_code(key, self._value(value)) for key, value in kwargs.items()
        ]

    def _operation(self, layer: Layer, call: Call, before: int) -> str:
        sign = INFIX.get(layer.type)
        plain = all(isinstance(argument, TensorRef | int | float) for argument in call.args)
        if sign and plain and len(call.args) == 2 and not layer.config and not call.kwargs:
            return f" {sign} ".join(self._value(argument) for argument in call.args)
        if layer.type == "GetItem" and len(call.args) == 2 and isinstance(call.args[0], TensorRef):
            key = tuple(call.args[1]) if type(call.args[1]) is list else call.args[1]  # as Keras does
            return f"{self._value(call.args[0])}[{index_code(key, self._value)}]"
        front, named = function_arguments(layer.type, layer.config, call)
        arguments = [self._value(item) for item in front]
        arguments += [keyword_code(key, self._value(value)) for key, value in named.items()]
        return call_code(f"ops.{operation(layer.type).function}", arguments, 0, before)

    def _value(self, value: Any) -> str:
        """Return an argument of a call as code, with variables in place of tensors."""
        return value_code(replaced(value, TensorRef, lambda ref: CodeText(self._tensor(ref))))

    def _tensor(self, ref: TensorRef) -> str:
        name = self.variables.get(ref._replace(output=0))
        if name is None:
            raise LayerExplainError(f"the model uses output {ref.output} of {ref.layer!r}, which no call computes")
        return name + "".join([f"[{value_code(key)}]" for key in self._path(ref)])

    def _path(self, ref: TensorRef) -> Sequence[int | str]:
        """Return the keys that pick a tensor from the result of a call that returns several, or a list or mapping of
        one."""
        layer = self.layers[ref.layer]
        if layer.model is not None:
            path = None if layer.model.output_form is None else path_in(layer.model.output_form, ref.output)
            return path if path is not None else (ref.output,) * (len(layer.model.outputs) > 1)
        several = has_several_results(layer, [call for call in self.model.calls if call.layer == layer.name])
        return (ref.output,) if several or ref.layer in self.several else ()

    # Blocks ---------------------------------------------------------------------------------------------------------

    def _function(self, block: Block) -> str:
        """Write the function of a block; return its name."""
        start, last = block.starts[0], block.starts[0] + block.length - 1
        named = any(suffix is not None for suffix in block.suffixes)
        entry = self._entry(start)
        name = self.module.function_name(word_for(block))
        outer, names = dict(self.variables), self.names
        self.names = self.module.variables_of_body()
        # The tensor that comes in is x where only the first statement reads it.
        taken = "inputs" if self.uses.get(start - 1, start) > start and self._reads_later(start, last) else "x"
        self.variables[entry] = taken
        body: list[str] = []
        for i in range(start, last + 1):
            suffix = block.suffixes[i - start]
            code = None if suffix is None else joined_name(suffix)
            own = self._inner_variable(i, suffix) if i < last else "x"
            body += self._statement(i, own, code)
        body[-1] = f"return {body[-1].removeprefix('x = ')}"
        lines = "\n".join(body).split("\n")
        head = f"def {name}({taken}{', name' if named else ''}):"
        self.module.functions.append("\n".join([head, *[f"    {line}" if line else "" for line in lines]]))
        self.variables, self.names = outer, names
        return name

    def _reads_later(self, start: int, last: int) -> bool:
        entry = self._entry(start)
        return any(ref._replace(output=0) == entry for i in range(start + 1, last + 1) for ref in self.calls[i].refs)

    def _inner_variable(self, i: int, suffix: str | None) -> str:
        if self.uses.get(i, i + 1) <= i + 1:
            return "x"
        layer = self.layers[self.calls[i].layer]
        return self.names.take((suffix or "").strip("_") or snake_case(layer.type))

    def _entry(self, start: int) -> TensorRef:
        if start == 0:
            return self.model.inputs[0]
        return TensorRef(self.calls[start - 1].layer, self.calls[start - 1].index)

    def _run(self, block: Block, number: int, run: Sequence[int], function: str | None) -> Iterator[str]:
        """Yield the statements of a block that stands several times behind one another, or once."""
        last = run[-1] + block.length - 1
        variable = self._variable(last)
        prefixes = block.prefixes[number : number + len(run)]
        named = any(suffix is not None for suffix in block.suffixes)
        given = self.variables[self._entry(run[0])]
        ref = TensorRef(self.calls[last].layer, self.calls[last].index)
        if len(run) == 1 and function:
            yield f"{variable} = {function}({given}{', ' + text_code(prefixes[0]) if named else ''})"
            self.variables[ref] = variable
            return
        if given != "x":
            yield f"x = {given}"
        loop, name = loop_over_names(prefixes) if named else (f"for _ in range({len(run)}):", "")
        yield loop
        if function:
            yield f"    x = {function}(x{f', {name}' if named else ''})"
        else:
            self.variables[self._entry(run[0])] = "x"
            for line in self._statement(run[0], "x", name or None):
                yield "    " + line.replace("\n", "\n    ")
            self.variables[self._entry(run[0])] = given
        if variable == "outputs":
            variable = "x"
        elif variable != "x":
            yield f"{variable} = x"
        self.variables[ref] = variable


def is_plain(model: Model) -> bool:
    """Return whether a nested model is written as one expression, in a place of its own."""
    return model.trainable and all(layer.model is None for layer in model.layers)


def joined_name(suffix: str) -> str:
    """Return the code of a name with something behind it."""
    if not suffix:
        return "name"
    return f'f"{{name}}{_inner(suffix)}"'


def _inner(text: str) -> str:
    """Return what stands between the quotes of an f-string."""
    return ascii(text)[1:-1].replace("{", "{{").replace("}", "}}").replace('"', '\\"')


def loop_over_names(prefixes: Sequence[str]) -> tuple[str, str]:
    """Return the head of a loop over names, and the code of one of them: over numbers where they count up."""
    stem = beginning(prefixes).rstrip("0123456789")
    tail = beginning([prefix[len(stem) :][::-1] for prefix in prefixes])[::-1].lstrip("0123456789")
    numbers = [prefix[len(stem) : len(prefix) - len(tail)] for prefix in prefixes]
    if all(number.isdecimal() and number == str(int(number)) for number in numbers):
        first = int(numbers[0])
        if [int(number) for number in numbers] == list(range(first, first + len(numbers))):
            begin = f"{first}, " if first else ""
            return f"for i in range({begin}{first + len(numbers)}):", f'f"{_inner(stem)}{{i}}{_inner(tail)}"'
    head = f"for name in ({', '.join(map(text_code, prefixes))}):"
    if len(head) > WIDTH:
        head = "for name in (\n" + "".join(f"    {text_code(prefix)},\n" for prefix in prefixes) + "):"
    return head, "name"


def word_for(block: Block) -> str:
    """Return what a block is called: what its names have in common."""
    stem = beginning(block.prefixes).rstrip("0123456789_./-")
    return stem if stem and len(block.prefixes) > 1 else "block"
