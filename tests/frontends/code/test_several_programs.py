"""A text with two attempts is two programs: what is read is the model of the one that is meant, as if it stood alone."""

import random
import re
from itertools import product

import pytest

import layerexplain
from layerexplain.frontends.code_source import CodeSource

SEQUENTIAL = """model = Sequential()
model.add(Conv2D({a}, 3, input_shape=(23, 23, 3)))
model.add(Flatten())
model.add(Dense({b}))
"""
LISTED = """model = Sequential([
    Dense({a}, input_shape=(7,)),
    Dense({b}),
])
"""
FUNCTIONAL = """inputs = Input((11, 5))
x = LSTM({a})(inputs)
x = Dense({b})(x)
model = Model(inputs, x)
"""
CLASS = """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(13, {a})
        self.last = nn.Linear({a}, {b})
    def forward(self, x):
        return self.last(torch.relu(self.first(x)))
model = Net()
out = model(torch.randn(17, 13))
"""
PARTS = """self.first = nn.Linear(13, {a})
self.last = nn.Linear({a}, {b})
def forward(self, x):
    return self.last(torch.relu(self.first(x)))
"""
MODULES = """model = nn.Sequential(nn.Linear(13, {a}), nn.ReLU(), nn.Linear({a}, {b}))
out = model(torch.randn(17, 13))
"""
KERAS, TORCH = (SEQUENTIAL, LISTED, FUNCTIONAL), (CLASS, PARTS, MODULES)
PAIRS = [(one, other) for family in (KERAS, TORCH) for one, other in product(family, family)
         if {one, other} != {PARTS, CLASS} and {one, other} != {PARTS, MODULES}]  # fmt: skip
ERROR = "ValueError: it does not work"


def _layers(text: str) -> list[tuple[str, str, int | None]]:
    """The types, operations and parameters of a text's layers."""
    report = layerexplain.explain(CodeSource("<stdin>", content=text.encode()))
    return [(one.type, one.operation, one.params) for one in report.layers]


def _text(one: str, other: str, fenced: bool, error: int) -> str:
    fence = "```" if fenced else ""
    parts = ["I have this model, and it is not what I want.", fence, one, fence, ERROR if error == 1 else "It is odd."]
    parts += ["I also tried this, without any luck.", fence, other, fence, ERROR if error == 2 else "What is the best?"]
    return "\n".join(parts)


@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_the_program_that_is_meant_is_read_as_if_it_stood_alone(number: int) -> None:
    draw = random.Random(number)
    a, b, c, d = draw.sample([2, 3, 5, 7, 11, 19], 4)
    one, other = PAIRS[number][0].format(a=a, b=b), PAIRS[number][1].format(a=c, b=d)
    for fenced, error in product((True, False), (0, 1, 2)):
        meant = one if error == 1 else other
        assert _layers(_text(one, other, fenced, error)) == _layers(meant), (fenced, error)


def test_a_second_input_begins_a_sequential_model_anew() -> None:
    first = SEQUENTIAL.format(a=5, b=2)
    second = "model.add(LSTM(7, input_shape=(3, 2)))\nmodel.add(Dense(11))\n"
    assert _layers(_text(first, second, True, 0)) == _layers(f"model = Sequential()\n{second}")


def test_what_the_programs_share_is_read_for_both() -> None:
    start = "import keras\nclasses = 13\ndef head(n):\n    return Dense(n)\n"
    both = [f"model = Sequential([Input((3,)), head({n}), head(classes)])\n" for n in (5, 7)]
    assert _layers(_text(start + both[0], both[1], True, 0)) == _layers(start + both[1])


@pytest.mark.parametrize("form", (SEQUENTIAL, FUNCTIONAL, CLASS))
def test_a_fence_that_repeats_lines_quotes_them(form: str) -> None:
    program = form.format(a=5, b=2)
    for line in re.findall(r"^ *(\w[^\n]*\))$", program, re.MULTILINE):
        text = f"My model:\n```\n{program}```\nWhat does this line do?\n```\n{line}\n```\nThanks."
        assert _layers(text) == _layers(program), line


@pytest.mark.parametrize("form", (SEQUENTIAL, FUNCTIONAL, CLASS))
def test_fences_that_go_on_are_one_program(form: str) -> None:
    program = form.format(a=5, b=2)
    lines = program.splitlines()
    for at in range(1, len(lines)):
        if lines[at][:1] != " ":
            text = "\n".join(["First:", "```", *lines[:at], "```", "Then:", "```", *lines[at:], "```"])
            assert _layers(text) == _layers(program), at
