"""What a text states beside its code: shapes of inputs without a name ("my images are 1×28×28", `summary(net, (3,))`),
and numbers for names of the code that have no value there ("a vocab_size of 5000", "I have 7 classes")."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from layerexplain.frontends.code.values.reading import walk

_TIMES = r"\d{1,9}(?: ?[x×] ?\d{1,9}){1,7}(?!\w|\.\d| ?[x×])|\d{1,9}(?: by \d{1,9}){1,7}"
_TUPLE = r"[\[(](?:(?:None|\d{1,9}), ?){0,7}(?:None, ?\d{1,9}|\d{1,9}, ?\d{1,9}|\d{1,9},) ?[\])]"
SHAPE = rf"(?:{_TIMES}|{_TUPLE})"
"""A shape as text has it: `(3, 4)`, `[3, 4]`, `3×4`, `3 by 4`."""
_ANY_SHAPE = re.compile(
    rf"(?<![\w.×])(?:{_TIMES})|(?<![\w\]]){_TUPLE}|(?<=Size\(){_TUPLE}|(?<=size=){_TUPLE}", re.IGNORECASE
)
_INPUT = (
    r"inputs?|images?|pictures?|photos?|data|dataset|tensors?|batch(?:es)?|samples?|examples?|frames?|sequences?|videos?|"
    r"features?|spectrograms?|matri(?:x|ces)|arrays?|X(?:_\w+)?|x|imgs?|series|"
    r"noise|latents?"
)
_BEFORE = re.compile(rf"(?<![\w.])(?:{_INPUT})(?:['’]s)?(?:[._]\w+)?\b[^.!?;\n]{{,45}}$", re.IGNORECASE)
_INPUT_OF_KERAS = re.compile(r"\bInput\((?:shape ?= ?)?$")
_BEHIND = re.compile(rf"[ -]*(?:pixels? )?(?:[\w-]+ )?(?:{_INPUT})\b", re.IGNORECASE)
_OTHER = re.compile(
    r"output|outcome|result|kernel|filter|stride|pool|pad|weight|dilation|becomes?|gives?|returns?|label|target|"
    r"window|patch|predict|resize|Linear|mean|std",
    re.IGNORECASE,
)
"""What the sizes of something else are said with."""
_SUMMARY = re.compile(rf"(?<!\.)summary\([^\n]{{0,100}}?,\s*(?:input_size\s*=\s*)?({_TUPLE})")
_SUMMARY_OF_SEVERAL = re.compile(
    rf"(?<!\.)summary\([^\n]{{0,100}}?,\s*(?:input_size\s*=\s*)?[\[(]({_TUPLE}(?:,\s*{_TUPLE}){{1,9}}),?\s*[\])]"
)
_DATASETS: dict[str, tuple[int | None, ...]] = {r"(?:\w*[- ])?mnist": (28, 28), r"cifar[- ]?100?": (32, 32, 3)}
"""What a text need not say of the images of a known data set."""
_MOST_SHAPES = 20
_LONGEST = 100_000
"""Letters of a text that are read."""


def stated_of_several(text: str) -> list[tuple[int | None, ...]]:
    """Return the shapes that a call of `summary` gives several inputs; none where there is no such call.

    >>> stated_of_several("summary(net, [(1, 88, 88), (4,)])")
    [(1, 88, 88), (4,)]
    """
    match = _SUMMARY_OF_SEVERAL.search(text[:_LONGEST])
    return [] if match is None else [sizes_in(item) for item in re.findall(_TUPLE, match[1])]


def prose_beside(text: str, tree: ast.Module) -> str:
    """Return a text without the statements of its tree: what stands between them, and their comments.

    >>> prose_beside("x = f(3)  # (4, 5)", ast.parse("x = f(3)")), prose_beside("It is 3.", ast.parse(""))
    ('# (4, 5)', 'It is 3.')
    """
    lines = text.split("\n")
    for statement in tree.body:
        for at in range(statement.lineno - 1, min(statement.end_lineno or statement.lineno, len(lines))):
            lines[at] = "".join(lines[at].partition("#")[1:])
    return "\n".join(lines)


def stated_inputs(text: str, tree: ast.Module | None = None) -> list[tuple[int | None, ...]]:
    """Return the shapes that a text states for inputs of a model without a name of the code, which has this tree; the
    surest first.

    >>> stated_inputs("I use a batch of 64 and my input is 1×28×28. The kernel is 5x5.")
    [(1, 28, 28)]
    >>> stated_inputs("Error when checking target: expected d to have shape (3,) but got array with shape (613, 4)")
    []
    >>> stated_inputs("summary(net, (3, 32, 32))"), stated_inputs("I have 28 by 28 images, in = torch.zeros((4, 3))")
    ([(3, 32, 32)], [(28, 28)])
    >>> stated_inputs("I train on Fashion-MNIST."), stated_inputs("My CIFAR10 images are (16, 16, 3) now.")
    ([(28, 28)], [(16, 16, 3), (32, 32, 3)])
    """
    text = text[:_LONGEST]
    results = [sizes_in(match[1]) for match in _SUMMARY.finditer(text)]
    if tree is not None:
        text = prose_beside(text, tree)
    for match in _ANY_SHAPE.finditer(text):
        before = text[max(0, match.start() - 80) : match.start()]
        said = _BEFORE.search(before) or _INPUT_OF_KERAS.search(before)
        is_behind = _BEHIND.match(text, match.end())
        is_other = _OTHER.search(said[0] if said else before.rpartition("\n")[2][-25:])
        is_message = "Error" in text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if (said or is_behind) and not is_other and not is_message:
            results.append(sizes_in(match[0]))
    results += [shape for name, shape in _DATASETS.items() if re.search(rf"\b{name}\b", text, re.IGNORECASE)]
    return list(dict.fromkeys(results))[:_MOST_SHAPES]


_DATA = re.compile(r"(?:x|data|inputs?|features|images|train_?x|x_?train(?:ing)?|train_data|trainx)$", re.IGNORECASE)
"""Names that programs give their inputs."""


def stated_data(text: str, tree: ast.Module) -> dict[str, tuple[int, ...]]:
    r"""Return the shape that a text states for its data without their name, for names of the code that stand for inputs
    and whose shape it reads.

    >>> code = "Dense(3, input_shape=(X.shape[1],))"
    >>> stated_data(f"{code}\nMy input data shape is (85880, 32).", ast.parse(code))
    {'X': (85880, 32)}
    """
    nodes = walk(tree)
    read = [node.value.id for node in nodes if isinstance(node, ast.Attribute) and node.attr == "shape"
            if isinstance(node.value, ast.Name) and _DATA.match(node.value.id)]  # fmt: skip
    local = {node.arg for node in nodes if isinstance(node, ast.arg)}
    read = [name for name in read if name not in local]
    for shape in stated_inputs(text, tree) if read else ():
        sizes = tuple([size for size in shape if size is not None])
        if len(sizes) == len(shape) > 1:
            return dict.fromkeys(read, sizes)
    return {}


def sizes_in(written: str) -> tuple[int | None, ...]:
    """Return the sizes of a written shape.

    >>> sizes_in("(None, 28, 28)"), sizes_in("3×4")
    ((None, 28, 28), (3, 4))
    """
    sizes = re.findall(r"None|\d{1,9}", written)
    return tuple([None if size == "None" else int(size) for size in sizes])


def fitting_inputs(
    stated: Sequence[tuple[int | None, ...]], asked: Sequence[int | None], axis: int = 0
) -> list[tuple[int | None, ...]]:
    """Return the stated shapes as one example of an input of which some sizes are known: without the batch, which
    stands at an axis, with the channel in front, or added where there is one.

    >>> fitting_inputs([(64, 1, 28, 28), (28, 28), (32, 32, 3)], (1, None, None))
    [(1, 28, 28)]
    >>> fitting_inputs([(32, 32, 3), (64, 64)], (3, None, None)), fitting_inputs([(5, 3, 10)], (None, 10), 1)
    ([(3, 32, 32), (3, 64, 64)], [(5, 10)])
    """
    result = []
    rank = len(asked)
    for shape in stated:
        item = (*shape[:axis], *shape[axis + 1 :]) if len(shape) == rank + 1 else shape
        item = (asked[0], *item) if asked[:1] in ((1,), (3,)) and len(item) == rank - 1 > 1 else item
        if len(item) == rank > 2 and item[0] != asked[0] == item[-1]:
            item = (item[-1], *item[:-1])
        if rank == 1 and len(shape) > 2 and shape[-1] == asked[0]:
            result.append(shape[1:])
        if len(item) == rank and all(a is None or a == b for a, b in zip(asked, item, strict=True)):
            result.append(item)
    return list(dict.fromkeys(result))


# Numbers ------------------------------------------------------------------------------------------------------------

_COUNT = r"(\d{1,3}(?:,\d{3})+|\d{1,9})(?!\w|\.\d|,\d| ?[x×*])"
_SAYS = r"(?: ?[=:]+ ?| (?:is|are|was|of|equals|being) )(?:about |around )?"
_MOST_NAMES = 200


def stated_numbers(text: str, tree: ast.Module) -> dict[str, int]:
    r"""Return the numbers that a text states for names of its code that get no value there.

    >>> code = "Embedding(vocab_size, 8, input_length=max_length); Dense(num_classes)"
    >>> text = f"{code}\nA vocab_size of 5,000, a max length of 40. I have 7 classes."
    >>> stated_numbers(text, ast.parse(code))
    {'vocab_size': 5000, 'num_classes': 7, 'max_length': 40}
    >>> code = "LSTM(8, input_shape=(timesteps, features)); model(images)"
    >>> stated_numbers(f"{code}\nI have 90 images of 30 time steps with 4 features.", ast.parse(code))
    {'timesteps': 30, 'features': 4}
    """
    nodes = walk(tree)
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    values = {name.id for node in nodes if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
              for name in walk(*node.targets) if isinstance(name, ast.Name)}  # fmt: skip
    arguments = [node for node in nodes if isinstance(node, ast.arguments)]
    values |= {argument.arg for node in arguments for argument in node.args[len(node.args) - len(node.defaults) :]}
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    names += [argument.arg for node in arguments for argument in node.args]
    keys = [
        node.value for node in nodes if isinstance(node, ast.keyword) and re.search("shape|dim|len", node.arg or "")
    ]
    items = [item for value in keys for item in (value.elts if isinstance(value, ast.Tuple | ast.List) else [value])]
    sizes = {item.id for item in items if isinstance(item, ast.Name)}
    text = text[:_LONGEST]
    prose = prose_beside(text, tree)
    numbers: dict[str, int] = {}
    for name in [item for item in dict.fromkeys(names) if len(item) > 2 and item not in called | values][:_MOST_NAMES]:
        for expression in _expressions(name, is_size=name in sizes):
            if match := re.search(expression, text if expression.startswith("^") else prose, re.MULTILINE):
                numbers[name] = int(match[1].replace(",", ""))
                break
    return numbers


def _expressions(name: str, *, is_size: bool) -> list[str]:
    """Return what finds the number of a name: by the name itself, by its words, and by what it counts; the name of a
    size is that of what it counts."""
    words = name.lower().split("_")
    expressions = [
        rf"(?<![\w.]){re.escape(name)}{_SAYS}{_COUNT}".replace("|of", "" if name.endswith("s") else "|of"),
        rf"^[ \t]*{re.escape(name)} *= *[^#\n]*\)[ \t]*# *{_COUNT}[ \t]*$",
    ]
    if len(words) > 1:
        expressions.append(rf"(?i:\b{'[ -]'.join(map(re.escape, words))}(?:{_SAYS}| )){_COUNT}")
    counted = words[-1] if len(words) > 1 and words[0] in ("num", "n", "nb", "number") else "".join(words)
    if counted != "".join(words) or (is_size and counted.endswith("s")):
        counted = re.escape(counted).replace("timesteps", "time[ -]?steps")
        expressions.append(rf"(?<![\w.]){_COUNT} (?:different |output )?{counted}\b")
    if "vocab" in name.lower():
        expressions.append(rf"(?i:\bvocab(?:ulary)?(?: size)?(?: (?:is|of|has|with|contains))*) {_COUNT}")
    return expressions
