"""A question in prose about a layer → a program that calls it: its arguments and its input as the words say them.

"Why has a Dense layer with 8 units on 32 inputs 264 parameters?" is read as `keras.layers.Dense(units=8)` on an input
of 32 features. What the words leave out and the layer needs is taken from its example, which is said.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache

from layerexplain.errors import LayerExplainError, in_a_row
from layerexplain.frontends.code.pasted import is_prose
from layerexplain.frontends.code.stated_inputs import SHAPE, sizes_in, stated_inputs
from layerexplain.frontends.code.values.reading import walk
from layerexplain.lang.axes import BATCH
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.index import types
from layerexplain.layers.keras.examples import example_of
from layerexplain.layers.registry import TORCH, find, part_of, positional_arguments, torch_part_of
from layerexplain.layers.torch.construction import asked_inputs
from layerexplain.records import NamedTuple

_PREFIX = r"(?P<prefix>(?:torch\.)?nn\.|(?:tf\.)?(?:keras\.)?layers\.)?"
_SPEC = re.compile(r"^\s*(- )?[\"']?(layers|inputs?|define|sizes|class_name|model_type)[\"']?:", re.MULTILINE)
_OF_TORCH = re.compile(
    r"\b(torch|pytorch|nn\.\w|hidden_size|input_size|h_?n|c_?n|h_?0|num_layers|batch_first|in_features|out_features"
    r"|in_channels|out_channels)\b",
    re.IGNORECASE,
)
_NUMBER = r"(?P<number>\d+(?:,\d{3})+|\d+)(?![.\d]*\d)"
_ONE = {"one": 1, "two": 2, "three": 3, "four": 4}
_WORDS: dict[str, str] = {
    "units": r"(?:hidden |output )?(?:units?|neurons?|nodes?|cells?)|outputs?",
    "filters": r"(?:filters?|feature maps?|output channels?)",
    "hidden_size": r"(?:hidden )?(?:units?|neurons?|nodes?|cells?)|hidden (?:size|dim\w*|state)",
    "num_layers": r"(?:stacked )?layers?",
    "in_features": r"inputs?(?: features?| neurons?| nodes?)?",
    "out_features": r"outputs?(?: features?| neurons?| nodes?)?|units?|neurons?",
    "in_channels": r"(?:input|in) channels?",
    "out_channels": r"(?:output|out) channels?|filters?",
    "num_heads": r"(?:attention )?heads?",
    "kernel_size": r"kernels?(?: size)?|filter size",
    "strides": r"strides?",
    "num_features": r"channels?|features?",
    "input_dim": r"words?|tokens?|vocabulary(?: size)?|vocab(?: size)?",
    "num_embeddings": r"words?|tokens?|vocabulary(?: size)?|vocab(?: size)?",
    "rate": r"dropout rate|rate",
}
"""How people name arguments, beside the name itself."""
_FEATURES = re.compile(
    rf"(?:{_NUMBER}|(?P<word>one|two|three|four)) (?:(?:input )?(?:features?|channels?)|inputs?|input \w+s)\b"
    rf"|(?:input|feature|embedding) dim(?:ension)?\w*(?: of| is| =|=)? ?(?P<behind>\d+)",
    re.IGNORECASE,
)
_ON = re.compile(rf"\b(?:on|onto|to|for|with) (?:an? |the )?({SHAPE})")
_LINK = re.compile(r"`?[\s,;>&+→⇒-]*(?:and|then|followed by|into|=>)?[\s,;]*(?:then )?(?:an? |the )?(?:\w+ ?= ?)?`?")
"""What stands between layers that are called one after the other."""
_STEPS = re.compile(
    r"(?:input_length|max_?len\w*|sequence length|length)(?: of| is)?[ =]*(\d+)|(\d+) (?:time ?)?steps", re.I
)
_ALIASES = {
    **dict.fromkeys(("fully connected", "fully-connected"), ("dense", "linear")),
    **dict.fromkeys(("convolutional", "conv"), ("conv2d", "conv2d")),
}
"""What people call a layer, beside its name, in Keras and in PyTorch."""
_ASKS = re.compile(
    r"\?|\b(?:how|why|what|where|which|explain|understand|calculate|compute|count|know|difference|wonder\w*)\b|\w\(",
    re.IGNORECASE,
)
_LONGEST_QUESTION = 8_000
"""Letters of a question."""
_LOSS = re.compile(r"\b([A-Z]\w*(?:Loss|Crossentropy|Error|Divergence))\b")
_LONGEST_CALL = 300
"""Letters of a call that are read."""
_MOST_READ = 20_000
"""Letters of a text that are read."""


class AskedLayer(NamedTuple):
    """A program that calls a layer, and what was taken from its example."""

    tree: ast.Module
    notes: tuple[str, ...]


class _Mention(NamedTuple):
    """A place where a text names a layer, the surer the lower its rank; `call` is how it calls it there."""

    rank: int
    at: int
    type: str
    call: ast.Call | None
    end: int


def may_ask(text: str, path: str | None) -> bool:
    """Return whether a text may be a question: it is typed, piped or a file of plain text, no longer than questions
    are, and asks something or calls a layer. Documents name layers too.

    >>> may_ask("Why has it 264 parameters?", None), may_ask("Why has it 264 parameters?", "README.md")
    (True, False)
    """
    is_plain = path is None or os.path.splitext(path)[1] in ("", ".txt")
    return is_plain and len(text) <= _LONGEST_QUESTION and _ASKS.search(text) is not None


def names_layer(text: str) -> bool:
    """Return whether a text is prose that names a layer, or a loss.

    >>> names_layer("Why has a Dense layer with 8 units 264 parameters?"), names_layer("layers:\\n - Dense: 3")
    (True, False)
    """
    return not _SPEC.search(text) and bool(_mentions(text[:_MOST_READ]) or named_loss(text))


def named_loss(text: str) -> str:
    """Return how the command line calls the loss that a text names; "" where it names none.

    >>> named_loss("What does nn.CrossEntropyLoss want?"), named_loss("A HuberError?")
    ('nn.CrossEntropyLoss', '')
    """
    for match in _LOSS.finditer(text[:_MOST_READ]):
        of_torch = torch_part_of("losses", match[1])
        if of_torch is not None and of_torch.endswith(f".{match[1]}"):
            return of_torch.removeprefix("torch.")
        if part_of("losses", match[1]) == f"losses.{match[1]}":
            return match[1]
    return ""


def asked_layer(text: str) -> AskedLayer | None:
    """Return a program that calls the layer that a text asks about; None where it names none that can be made.

    >>> asked = asked_layer("Why has a Dense layer with 8 units on 32 inputs 264 parameters?")
    >>> print(ast.unparse(asked.tree))
    model = keras.Sequential([keras.Input((32,)), keras.layers.Dense(units=8)])
    >>> print(ast.unparse(asked_layer("What gives nn.Conv2d(16, 33, 3) on 20×16×50×100?").tree))
    layer = nn.Conv2d(16, 33, 3)
    layer(torch.randn(20, 16, 50, 100))
    """
    text = text[:_MOST_READ]
    if _SPEC.search(text):
        return None
    mentions = _mentions(text)
    for mention in mentions:
        declaration = find(mention.type)
        if declaration is None:
            continue
        try:
            asked = _program(text, [mention, *_behind(text, mention, mentions)], declaration)
        except (LayerExplainError, SyntaxError, ValueError):
            continue
        return asked._replace(notes=(*asked.notes, *_second(mention, mentions, asked.tree)))
    return None


def _behind(text: str, first: _Mention, mentions: Sequence[_Mention]) -> list[_Mention]:
    """Return the layers that a text calls one after the other behind a first: `Conv2D(8, 3), Flatten(), Dense(2)`."""
    chain: list[_Mention] = []
    end = first.end if first.call is not None else len(text)
    for mention in sorted(mentions, key=lambda mention: mention.at):
        if mention.call is not None and mention.at >= end and _LINK.fullmatch(text[end : mention.at]):
            chain.append(mention)
            end = mention.end
    return chain


def _second(mention: _Mention, mentions: Sequence[_Mention], tree: ast.Module) -> list[str]:
    """Return the line on another layer that a text names, which the program does not have in it."""
    inside = {getattr(node, "attr", getattr(node, "id", "")) for node in walk(tree)}
    other = next((item.type for item in mentions if item.type.rpartition(".")[2] not in inside), None)
    if other is None:
        return []
    return [f"the text names {_shown(other)} too: layerexplain layer {_shown(mention.type)} --vs {_shown(other)}"]


def _shown(type_: str) -> str:
    return type_.removeprefix("torch.")


# Names of layers ----------------------------------------------------------------------------------------------------


@cache
def _names() -> tuple[re.Pattern[str], frozenset[str]]:
    """Return what finds the names of layers in a text, in any letters, and the names as they are written."""
    of_torch = [kind.removeprefix(TORCH) for kind in types(TORCH.rstrip("."))]
    names = frozenset([kind for kind in (*types(""), *of_torch) if "." not in kind]) - {"InputLayer", "Input"}
    words = "|".join(sorted(map(re.escape, {*_ALIASES, *[name.lower() for name in names]}), key=len, reverse=True))
    behind = r"(?P<behind>\(|\s+(?:layer|module|cell)s?\b)?"
    return re.compile(rf"(?<![\w.]){_PREFIX}(?P<name>{words})(?![\w.]\w){behind}", re.IGNORECASE), names


def _mentions(text: str) -> list[_Mention]:
    """Return the layers that the prose of a text names, the surest first: those that it calls, those with the name of
    their module, those with the word layer behind them, those whose name no other word has."""
    mentions: list[_Mention] = []
    pattern, names = _names()
    of_torch_text = _OF_TORCH.search(text) is not None
    of_prose: dict[int, bool] = {}
    for match in pattern.finditer(text):
        start = text.rfind("\n", 0, match.start()) + 1
        if start not in of_prose:
            line = text[start:].partition("\n")[0]
            of_prose[start] = is_prose(line.strip()) or "`" in line or "?" in line
        written, prefix, behind = match["name"], match["prefix"] or "", (match["behind"] or "").strip()
        is_exact = written in names
        has_sign = is_exact and re.search(r"[A-Z0-9].*[A-Z0-9]", written) is not None
        signs = (behind == "(" and is_exact, prefix != "", behind not in ("", "("), has_sign)
        type_ = _type(written, prefix, of_torch_text)
        if type_ is None or True not in signs or not of_prose[start]:
            continue
        call, after = _call(text, match.start("name")) if signs[0] else (None, match.end("name"))
        is_bare = call is not None and not (call.args or call.keywords)
        mentions.append(_Mention(1 if is_bare else signs.index(True), match.start(), type_, call, after))
    return sorted(mentions, key=lambda mention: mention[:2])


def _type(written: str, prefix: str, of_torch_text: bool) -> str | None:
    """Return the type of a name, of Keras or of PyTorch by its letters, its prefix and the words of the text."""
    small = _ALIASES.get(written.lower(), (written.lower(),) * 2)[of_torch_text]
    keras = next((kind for kind in types("") if kind.lower() == small), None)
    torch = next((kind for kind in types(TORCH.rstrip(".")) if kind.removeprefix(TORCH).lower() == small), None)
    if "nn." in prefix or (torch is not None and torch.removeprefix(TORCH) == written != keras):
        return torch or keras
    in_both = torch is not None and torch.removeprefix(TORCH) == written
    is_torch = of_torch_text and "layers." not in prefix and (in_both or written != keras)
    return (torch or keras) if is_torch else (keras or torch)


def _call(text: str, at: int) -> tuple[ast.Call | None, int]:
    """Return the call that begins in a place of a text, and its end."""
    depth = 0
    for end in range(at, min(at + _LONGEST_CALL, len(text))):
        depth += (text[end] in "([{") - (text[end] in ")]}")
        if depth == 0 and text[end] == ")":
            try:
                tree = ast.parse(text[at : end + 1].replace("\n", " "), mode="eval").body
            except (SyntaxError, ValueError):
                return None, end + 1
            return (tree if isinstance(tree, ast.Call) else None), end + 1
    return None, at


# Arguments and inputs -----------------------------------------------------------------------------------------------


def _program(text: str, chain: Sequence[_Mention], declaration: Declaration) -> AskedLayer:
    """Return the program of a layer, and of those behind it. Raises ValueError where its example is no literal."""
    mention, *others = chain
    call = mention.call or ast.Call(ast.Name("layer", ast.Load()), [], [])
    rest = f"{text[: mention.at]} {text[chain[-1].end :]}"
    said, taken = _values(rest, mention, call, declaration)
    values = {**said, **taken}
    is_torch = mention.type.startswith(TORCH)
    written = _written(mention.type, call, [ast.keyword(name, _tree(repr(value))) for name, value in values.items()])
    if others:
        written = ", ".join([written, *[_written(item.type, item.call) for item in others if item.call is not None]])
        written = f"nn.Sequential({written})" if is_torch else written
    shapes = [*stated_inputs(rest), *[sizes_in(item) for item in _ON.findall(rest)]]
    note = ""
    if is_torch:
        config = _config(positional_arguments(declaration), call, values)
        program, note = _torch_program(written, mention.type, config, shapes)
    else:
        shape = _keras_input(rest, declaration, call, shapes)
        if shape is None:
            shape = sizes_in(example_of(declaration)[1][0])
            note = _NO_INPUT.format(shape)
        source = f"keras.Input({shape!r}), " if shape else ""
        program = f"model = keras.Sequential([{source}{written}])"
        if tuple(declaration.tensors)[:2] == ("query", "value"):
            program = f"x = keras.Input({shape!r})\nmodel = keras.Model(x, {written}(x, x))"
    tree = ast.parse(program)
    for node in walk(tree):
        if hasattr(node, "lineno"):
            node.lineno = node.end_lineno = text.count("\n", 0, mention.at) + 1  # type: ignore[attr-defined]
    return AskedLayer(tree, tuple(filter(None, [_example_note(taken), note])))


def _values(
    text: str, mention: _Mention, call: ast.Call, declaration: Declaration
) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return the arguments that words give beside the call, and those that are taken from the example. Beside a call,
    which has what its asker sets, words count for arguments that it needs and where they are written as `units=3`."""
    arguments = declaration.arguments
    is_set = {*positional_arguments(declaration)[: len(call.args)], *[keyword.arg for keyword in call.keywords]}
    required = [name for name, item in arguments.items() if item.default is Argument.REQUIRED]
    said: dict[str, object] = {}
    for name in arguments.keys() - is_set:
        value, words = _said(name, text) or (None, "")
        if words and (mention.call is None or name in required or "=" in words):
            said[name] = value
    examples = {name: value for name, _, value in [item.partition("=") for item in example_of(declaration)[0]]}
    missing = [name for name in required if name not in is_set and name not in said]
    if mention.call is not None and not {*missing} <= examples.keys():
        raise ValueError("an argument has no example")
    return said, {name: ast.literal_eval(examples[name]) for name in missing if name in examples}


def _written(type_: str, call: ast.Call, more: Sequence[ast.keyword] = ()) -> str:
    function = f"nn.{type_.removeprefix(TORCH)}" if type_.startswith(TORCH) else f"keras.layers.{type_}"
    return ast.unparse(ast.Call(_tree(function), call.args, [*call.keywords, *more]))


def _tree(written: str) -> ast.expr:
    return ast.parse(written, mode="eval").body


def _said(name: str, text: str) -> tuple[int | str | bool | tuple[int, ...], str] | None:
    """Return the value that words give an argument, and the words; None where they give none."""
    if match := re.search(rf"(?<![\w.]){name} ?= ?(\([\d, ]+\)|\d+(?!\d|\.\d)|True|False|'\w+'|\"\w+\")", text):
        return ast.literal_eval(match[1]), match[0]
    words = _WORDS.get(name, "")
    plain = name.replace("_", " ")
    words = f"{words}|{plain}" if words else plain
    if name == "kernel_size" and (
        match := re.search(r"(\d+) ?[x×] ?(\d+)(?:-| )(?:kernels?|filters?|conv\w*|windows?)", text)
    ):
        return (int(match[1]), int(match[2])), match[0]
    if match := re.search(rf"(?<![\w.×]){_NUMBER}[ -](?:{words})\b", text):
        return int(match["number"].replace(",", "")), match[0]
    if match := re.search(
        rf"\b(?:{words})(?: size)?(?: (?:of|is|was|are|=))? ?(\([\d, ]+\)|\d+(?: ?[x×] ?\d+)?)(?![\w.]\d)", text
    ):
        sizes = sizes_in(match[1])
        known = tuple([size for size in sizes if size is not None])
        return (known[0] if len(known) == 1 else known), match[0]
    return None


def _config(order: Sequence[str], call: ast.Call, values: Mapping[str, object]) -> dict[str, object]:
    """Return the arguments of a call as values; those that are no literals are left out."""
    given = [*zip(order, call.args, strict=False), *[(keyword.arg or "", keyword.value) for keyword in call.keywords]]
    config = {**values}
    for name, node in given:
        try:
            config[name] = ast.literal_eval(node)
        except ValueError:
            config[name] = None
    return config


_NO_INPUT = "the text states no input: {} is an example"


def _example_note(taken: Mapping[str, object]) -> str:
    if not taken:
        return ""
    values = in_a_row([f"{name}={value}" for name, value in taken.items()])
    return f"{values} {'is an example' if len(taken) == 1 else 'are examples'}: the text does not say more"


def _torch_program(
    written: str, type_: str, config: Mapping[str, object], shapes: Sequence[tuple[int | None, ...]]
) -> tuple[str, str]:
    """Return the program of a module, called on data that the text states or on an example, which is said."""
    name = type_.removeprefix(TORCH)
    known = [shape for shape in shapes if None not in shape]
    specs = asked_inputs(name, config) or [Spec((BATCH, *known[0][1:]) if known else (BATCH, 784), "float")]
    wholes: list[tuple[int | None, ...]] = []
    note = ""
    for spec in specs:
        asked = tuple([size if isinstance(size, int) else None for size in spec.shape])
        if len(asked) == 3 and asked[1] == 1 and asked[2] is not None:  # a sequence: steps, batch, features
            asked = (None, None, asked[2])
        whole = next((fits for item in known if (fits := _whole(item, asked)) is not None), None)
        if whole is None and (spec.dtype != "float" or any(size is not None for size in asked)):
            return f"layer = {written}", ""  # its arguments say what it takes: other sizes are left open
        if whole is None:
            is_image = len(asked) > 3
            usual = (1 if is_image or config.get("batch_first") else 9, *[28 if is_image else 1] * (len(asked) - 1))
            whole = tuple([usual[at] if size is None else size for at, size in enumerate(asked)])
            note = _NO_INPUT.format(whole)
        wholes.append(whole)
    data = [
        f"torch.{'randn' if spec.dtype == 'float' else 'zeros'}{item!r}"
        for item, spec in zip(wholes, specs, strict=True)
    ]
    return f"layer = {written}\nlayer({', '.join(data)})", note


def _whole(shape: tuple[int | None, ...], asked: Sequence[object]) -> tuple[int | None, ...] | None:
    """Return a stated shape as a module takes it, with the batch; None where it does not fit."""
    for size in (
        shape,
        (1, *shape),
        (1, *shape[-1:], *shape[:-1]),
        (shape[0], shape[-1], *shape[1:-1]),
        (1, 1, *shape),
    ):
        free = (
            len(asked) == 2 and len(size) > 2 and size[-1] == asked[-1]
        )  # a Linear takes any axes before its features
        if free or (len(size) == len(asked) and all(a is None or a == b for a, b in zip(asked, size, strict=True))):
            return size
    return None


def _keras_input(
    text: str, declaration: Declaration, call: ast.Call, shapes: Sequence[tuple[int | None, ...]]
) -> tuple[int | None, ...] | None:
    """Return the input of a layer of Keras without the batch: () where the call states it, None where nothing does."""
    own = {keyword.arg for keyword in call.keywords}
    if own & {"input_shape", "batch_input_shape"} or ("input_dim" in own and "input_dim" not in declaration.arguments):
        return ()
    inner = next(
        (
            find(argument.func.id)
            for argument in call.args
            if isinstance(argument, ast.Call) and isinstance(argument.func, ast.Name)
        ),
        None,
    )
    rank = _rank(declaration) or (_rank(inner) if inner is not None else None)
    for shape in shapes:
        if rank is not None and len(shape) == rank - 1 and (shape[0] is not None or rank == 3):
            return shape
        if len(shape) == rank or (rank is None and shape[0] is None):
            return shape[1:]
        if rank is None and shape:
            return shape
        if len(shape) == 2 and rank == 4:
            return (*shape, 1)
    steps = _STEPS.search(text)
    length = None if steps is None else int(steps[1] or steps[2])
    if length is not None and declaration.facts.ids_below:
        return (length,)
    features = _FEATURES.search(text)
    if features is None:
        return None
    size = int(
        (features["number"] or features["behind"] or str(_ONE.get((features["word"] or "").lower(), 1))).replace(
            ",", ""
        )
    )
    return (length, size) if rank == 3 else (*(None,) * ((rank or 2) - 2), size)


def _rank(declaration: Declaration) -> int | None:
    """Return how many axes a layer of Keras takes, the batch included; None where it takes any."""
    axes = len(sizes_in(example_of(declaration)[1][0]))
    return declaration.ndim or (axes + 1 if axes > 1 else None)
