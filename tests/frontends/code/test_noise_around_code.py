"""A program that is pasted is the same program whatever stands around it.

The programs are those of other tests, which are read clean. The oracle is Python's own parser: what is read of the noisy
text must have the tree of the clean program. Of some, the whole model is compared as well.
"""

import ast
import contextlib
import html
import json
import random
import re
from collections.abc import Callable

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.code.sources import is_code, text_of
from tests.support.paths import TESTS
from tests.support.torch_programs import PROGRAMS as TORCH


def _programs() -> dict[str, str]:
    """Every program of Keras and PyTorch of the tables that stands alone, in an even mix."""
    found: dict[str, str] = {}
    for name in ("programs", "programs_snippets", "programs_networks", "programs_classes"):
        text = (TESTS / f"data/code/{name}.txt").read_text("utf-8")
        found |= {
            f"{name} {title}": code for title, code in re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", text, re.M | re.S)
        }
    keras = {name: code for name, code in found.items() if _is_clean(code)}
    torch = {f"torch {name}": code.lstrip("\n") for name, (code, _, _) in TORCH.items() if _is_clean(code)}
    torch = dict(list(torch.items())[:60])
    return dict(list(keras.items())[: 200 - len(torch)]) | torch


def _is_clean(code: str) -> bool:
    """Whether a program parses, and has no text over several lines, which noise would change."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return False
    texts = [one for one in ast.walk(tree) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return bool(tree.body) and all(one.lineno == one.end_lineno for one in texts)


PROGRAMS = _programs()


def _statements(code: str) -> list[list[str]]:
    """The lines of each statement at the top of a program."""
    lines = code.rstrip("\n").split("\n")
    starts = [
        min([one.lineno, *[d.lineno for d in getattr(one, "decorator_list", ())]]) for one in ast.parse(code).body
    ]
    starts = sorted({0, *[start - 1 for start in starts[1:]]})
    return [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _joined(parts: list[list[str]]) -> str:
    return "\n".join(line for part in parts for line in part) + "\n"


BETWEEN = (
    "and then I add this, which should work (3*2*(4) = 24):",
    "The next part is where I'm not sure.",
    "Isn't this right? (see the docs)",
    "3*2*(4) = 24",
    "Note: I have 3 classes, so y = 3 here.",
    "My input is 1x28x28 with a batch of 64, and the Dense(10) layer has 7,850 parameters.",
    "Why does nn.Conv2d(16, 33, 3) give (20, 33, 48, 98) for torch.Size([20, 16, 50, 100])?",
)


def prose(code: str, draw: random.Random) -> str:
    parts = _statements(code)
    mixed = [part for one in parts for part in (one, [draw.choice(BETWEEN)])]
    return (
        "I have this model and don't understand its shapes (yet):\n\n"
        + _joined(mixed)
        + "\nWhat am I doing wrong?\nThanks!\n"
    )


def backticks(code: str, draw: random.Random) -> str:
    if draw.random() < 0.4:
        return f"My model:\n\n`{code.strip()}`\n\nWhy?\n"
    return "My model:\n" + "".join(f"`{line}`\n" if line.strip() else "\n" for line in code.splitlines()) + "Why?\n"


def open_fence(code: str, draw: random.Random) -> str:
    before, behind = draw.choice([("```python\n", ""), ("```\n", ""), ("", "```\n"), ("", "~~~\nIt does not work.\n")])
    return f"Here is the code.\n{before}{code}{behind}"


def prompts(code: str, draw: random.Random) -> str:
    parts = _statements(code)
    marked = [[(">>> " if number == 0 else "... ") + line for number, line in enumerate(part)] for part in parts]
    return _joined(marked)


def ipython(code: str, draw: random.Random) -> str:
    parts = _statements(code)
    marked = [
        [
            (f"In [{at}]: " if number == 0 else "   ...: ".rjust(len(f"In [{at}]: "))) + line
            for number, line in enumerate(part)
        ]
        for at, part in enumerate(parts, 1)
    ]
    return _joined(marked)


def numbers(code: str, draw: random.Random) -> str:
    form = draw.choice(["{:3d}  {}", "{} {}", "{}: {}", "{:<4d}{}", "{:2d} | {}"])
    return "".join(form.format(number, line).rstrip() + "\n" for number, line in enumerate(code.splitlines(), 1))


def diff(code: str, draw: random.Random) -> str:
    lines = code.splitlines()
    signs = "+" if draw.random() < 0.5 else "+ "
    marked = [draw.choice(signs) + line for line in lines]
    marked[0] = "+" + lines[0]
    marked.insert(1, "-old = keras.Sequential([keras.layers.Dense(5)])")
    return f"@@ -1,4 +1,{len(lines)} @@\n" + "\n".join(marked) + "\n"


def entities(code: str, draw: random.Random) -> str:
    return "How does this work?\n" + html.escape(code).replace("&#x27;", "&#39;")


def curly(code: str, draw: random.Random) -> str:
    for sign, first, last in (('"', "\u201c", "\u201d"), ("'", "\u2018", "\u2019")):
        code = "".join(part + (first if at % 2 == 0 else last) for at, part in enumerate(code.split(sign)))[:-1]
    return code


def ellipsis(code: str, draw: random.Random) -> str:
    first = draw.choice(
        ["model.compile(loss='mse', ...)", "model.fit(x_train, y_train, epochs=3, ..., verbose=0)", "..."]
    )
    return code.rstrip("\n") + f"\n{first}\n"


WARNINGS = """2023-03-01 10:22:13.123456: I tensorflow/core/platform/cpu_feature_guard.cc:193] This TensorFlow binary is optimized
WARNING:tensorflow:From /usr/lib/python3.8/site-packages/tensorflow/python/ops/math_ops.py:25: calling l2 (from x) is deprecated.
Instructions for updating:
Use tf.where in 2.0, which has the same broadcast rule as np.where
/usr/lib/python3.10/site-packages/keras/src/layers/core/dense.py:87: UserWarning: Do not pass an `input_shape`
  super().__init__(activity_regularizer=activity_regularizer, **kwargs)
  warnings.warn(
Epoch 1/10
60000/60000 [==============================] - 9s 146us/step - loss: 0.2
"""
ERRORS = """Traceback (most recent call last):
  File "train.py", line 12, in <module>
    model.add(Dense(10, activation='softmax'))
  File "/usr/lib/python3/site-packages/keras/engine/sequential.py", line 221, in add
    output_tensor = layer(self.outputs[0])
InvalidArgumentError: Incompatible shapes: [32,7] vs. [32]
\t [[node gradients/sub_grad/BroadcastGradientArgs (defined at /usr/lib/x.py:3009) ]]
\t [[{{node loss/dense_1_loss/sub}}]]
"""


def warned(code: str, draw: random.Random) -> str:
    return WARNINGS + code if draw.random() < 0.5 else code + WARNINGS


def traceback(code: str, draw: random.Random) -> str:
    return ERRORS + "\n" + code if draw.random() < 0.5 else code + "\n" + ERRORS


SHOWN = ("array([[0.1, 0.2],\n       [0.3, 0.4]], dtype=float32)", "torch.Size([64, 1, 28, 28])", "(60000, 28, 28)",
         "1875/1875 ━━━━━━━━━━ 5s 2ms/step - accuracy: 0.92", "<keras.src.callbacks.history.History at 0x7f3>")  # fmt: skip


def cells(code: str, draw: random.Random) -> str:
    """A notebook as a page shows it: what the cells give stands between them."""
    parts = [line for part in _statements(code) for line in (*part, *draw.sample(SHOWN, draw.choice([0, 0, 1])))]
    return "\n".join(["In [3]:", *parts]) + "\n"


def mail(code: str, draw: random.Random) -> str:
    mark = draw.choice(["> ", ">> "])
    quoted = "".join([f"{mark}{line}".rstrip() + "\n" for line in code.splitlines()])
    return f"Hi Tom,\n\nOn Tue, 3 Mar 2020, Ann wrote:\n{mark}my model:\n{quoted}{mark}Why?\n\nThe loss (I think).\n"


def chat(code: str, draw: random.Random) -> str:
    return f"alice  10:22 AM\nhey, why does this fail?\n```{code}```\nbob  10:23 AM\ndid you try model.summary()?\n"


NOISES: list[Callable[[str, random.Random], str]] = [
    prose, backticks, open_fence, prompts, ipython, numbers, diff, entities, curly, ellipsis, warned, traceback, cells, mail, chat,
]  # fmt: skip
"""Marks of lines are put on before what surrounds them, as people paste."""
MARKS = (prompts, ipython, numbers, diff, backticks)


def mixed(code: str, draw: random.Random) -> str:
    around = draw.sample([prose, warned, traceback, ellipsis], draw.choice([1, 2]))
    marks = draw.choice([None, prompts, ipython, numbers, curly, entities])
    if marks in (numbers, curly, entities) or marks is None:
        text = marks(code, draw) if marks is not None else code
        return "".join([WARNINGS if warned in around else "", BETWEEN[draw.randrange(5)], "\n", text, "\n", ERRORS if traceback in around else "", "Any idea why?\n"])  # fmt: skip
    return (
        f"Does anybody know why this fails?\n\n{marks(code, draw)}\n{ERRORS if traceback in around else ''}Thank you!\n"
    )


def meaning(tree: ast.Module) -> list[str]:
    """The statements of a program without those that do nothing: names and numbers alone, also in a row, and what is called with `...`"""
    return [
        ast.dump(one)
        for one in tree.body
        if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Name | ast.Constant | ast.Tuple))
        and not re.match(
            r"Expr\(value=Call\(func=Attribute\(value=Name\(id='(model|warnings)'.*attr='(compile|fit)'", ast.dump(one)
        )
    ]


@pytest.mark.parametrize("noise", [*NOISES, mixed], ids=lambda one: one.__name__)
def test_the_program_in_the_noise_is_the_program(noise: Callable[[str, random.Random], str]) -> None:
    wrong = {}
    for number, (name, code) in enumerate(PROGRAMS.items()):
        noisy = noise(code, random.Random(number))
        try:
            read = meaning(text_of(noisy.encode(), None).tree)
        except SourceError as error:
            wrong[name] = f"{error}\n{noisy}"
            continue
        if read != meaning(ast.parse(code)) or not is_code(noisy.encode()[:4096], None):
            wrong[name] = noisy
    assert len(PROGRAMS) == 200
    assert not wrong, f"{len(wrong)} differ; the first, {next(iter(wrong))}:\n{next(iter(wrong.values()))}"


@pytest.mark.parametrize("number", [*range(0, 200, 5), *range(1, 200, 20), *range(2, 200, 20), *range(3, 200, 20)])
def test_the_model_in_the_noise_is_the_model(number: int) -> None:
    """The noises in turn, so that each has three programs or more."""
    code = list(PROGRAMS.values())[number]
    noise = [*NOISES[:12], mixed, *NOISES[12:]][number // 5 % 13 if number % 5 == 0 else 13 + number % 5 - 1]
    noisy = noise(code, random.Random(number))
    clean = noisy.replace(", ...", "") if noise is ellipsis else code
    assert _model(noisy) == _model(clean)


def _model(code: str) -> str:
    """What is said of the only model of a text, without the numbers of lines, which noise moves."""
    try:
        written = layerexplain.explain(code.encode()).to_dict()
    except LayerExplainError as error:
        return re.sub(r"line \d+", "line", error.fact)
    rows = [{key: value for key, value in row.items() if key != "place"} for row in written["layers"]]
    said = json.dumps([written["model"]["grade"], rows, written["totals"], written["outputs"]])
    return re.sub(r"[Ll]ine \d+", "line", said)


NET = "m = Sequential()\nm.add(Dense(3, input_dim=4))\n"
LEFT_OUT = {
    "a line of a plot": (NET + "plt.plot(x y)\n", "line 3 is not Python and is left out: `plt.plot(x y)`"),
    "a value that nothing uses": ("old = f(a b)\n" + NET, "line 1 is not Python and is left out: `old = f(a b)`"),
    "arguments that are not shown": (NET[:-2] + ", ...)\n", "line 2: `...` stands for code that is not shown"),
    "layers that are not shown": ("Sequential([Input((4,)), ..., Dense(3)])\n", "line 1: `...` stands for code"),
    "lines that are not shown": (NET + "...\nm.compile('sgd', 'mse', ...)\n", "lines 3, 4: `...` stands for code"),
    "named arguments that are not shown": (NET[:-3] + ", ..., name='a'))\n", "line 2: `...` stands for code"),
    "entries that are not shown": ("d = {'units': 3, ...}\n" + NET, "line 1: `...` stands for code"),
    "arguments before others": ("Dense(3, ..., use_bias=True)\n" + NET, "line 1: `...` stands for"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_of_code_is_said(name: str) -> None:
    noisy, words = LEFT_OUT[name]
    report = layerexplain.explain(noisy.encode())
    assert report.totals.params == 15
    assert any(words in note.message for note in report.notes), report.notes


WRONG = {
    "a bracket below prose with a bracket": (
        "I tried (for days\nm = Sequential()\nm.add(Dense(3)\nm.add(Dense(5))\n",
        3,
    ),
    "a comma below prompts": (">>> m = Sequential()\n>>> m.add(Dense(3 input_dim=4))\n", 2),
    "a class below a warning": ("/x.py:3: UserWarning: no\n  f(\nclass N(Model)\n    pass\n", 3),
    "a name that the model needs": ("What is wrong?\nn = 3 4 ]\nm = Sequential([Input((4,)), Dense(n)])\n", 2),
    "a row in a class": (
        "See:\nclass N(Model):\n    def f(self):\n        self.a = Dense(3))\n        return 1\nok?\n",
        4,
    ),
    "the second line of a call": ("Why this?\nm = Sequential([\n    Dense(3)\n    Dense(4)\n])\n", 3),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_error_names_the_line_that_is_wrong(name: str) -> None:
    noisy, line = WRONG[name]
    with pytest.raises(SourceError) as caught:
        text_of(noisy.encode(), None)
    assert caught.value.line == line


HOSTILE: dict[str, Callable[[int], str]] = {
    "brackets that never close": lambda n: "a b (\n" * n,
    "brackets that close at the end": lambda n: "a b (\n" * n + ")\n" * n,
    "texts that never close": lambda n: "x y '''\n(\n" * n,
    "brackets in a line": lambda n: "f(x y " + "(" * n + ")" * n + "\n",
    "prompts": lambda n: ">>> x = (\n" * n,
    "numbers": lambda n: "".join(f"{at} x y (\n" for at in range(n)),
    "signs of a diff": lambda n: "+x = 3\n" * n + "x y (\n",
    "fences": lambda n: "```python\nx y\n" * n,
    "deeper and deeper": lambda n: "".join(" " * (at % 90) + "x y = (\n" for at in range(n)),
    "heads of blocks": lambda n: "else x y:\n" * n,
    "points": lambda n: "f(a=1, " + "..., " * n + "\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_work_is_linear_in_the_text(name: str) -> None:
    """In calls of functions, Python's own included: a text ten times as long takes at most some ten times as many."""
    few, many = (_calls(HOSTILE[name](n)) for n in (100, 1_000))
    assert many < 15 * few + 2_000


def _calls(text: str) -> int:
    import sys

    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        with contextlib.suppress(SourceError):
            text_of(text.encode(), None)
    finally:
        sys.setprofile(None)
    return count
