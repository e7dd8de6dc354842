"""A number → a program that asks its reader for much: large values, what is done with them, and how often.

Values, uses and repetitions are drawn apart and put together, so that what is counted for one use of a value must be
counted for each. `python -m tests.support.large_programs large FIRST COUNT` reads some of them within bounds of calls and
memory, `nested` or `counting` in place of `large` those of `nested_programs` and `counting_programs`.
"""

import json
import random
import resource
import sys

from tests.support.counting_programs import counting_program
from tests.support.nested_programs import KERAS, TORCH, nested_program
from tests.support.steps import at_most

MOST_CALLS = 1_500_000
"""Calls of Python functions for one program, whose budget is a twentieth of that of users."""
MEMORY = 400 << 20
"""Bytes beyond those that are taken before a program is read."""
PROCESSOR = 60
"""Seconds of the processor after which a program is killed that does not come back from C, where nothing counts."""

NUMBERS = ["3", "40", "997", "9_999", "10**5", "10**7", "10**9", "10**15", "10**18", "10**40", "5.5", "-1", "-(10**9)", "1e300"]  # fmt: skip
SMALL = ["2", "5", "40", "300", "2_000"]

VALUES = [
    "{v} = range({n})",
    "{v} = list(range({n}))",
    "{v} = [0] * {n}",
    "{v} = (1.5,) * {n}",
    "{v} = 'ab' * {n}",
    "{v} = ' ' * {n}",
    "{v} = b'ab' * {n}",
    "{v} = {n}",
    "{v} = {n} ** {s}",
    "{v} = 7\nfor i in range({s}):\n    {v} = {v} * {v}",
    "{v} = (1, 'a')\nfor i in range({s}):\n    {v} = ({v}, {v})",
    "{v} = [1, 'a']\nfor i in range({s}):\n    {v} = [{v}, {v}]",
    "{v} = {{'a': 1}}\nfor i in range({s}):\n    {v} = {{'a': {v}, 'b': {v}}}",
    "{v} = [[i] * {s} for i in range({s})]",
    "{v} = {{i: i for i in range({n})}}",
    "{v} = {{(i, j): i for i in range({s}) for j in range({s})}}",
    "{v} = set(range({s}))",
    "{v} = [str(i) * {s} for i in range({s})]",
    "{v} = np.zeros({n})",
    "{v} = np.zeros(({n}, 0))",
    "{v} = np.ones(({s}, {s}))",
    "{v} = np.arange({n})",
    "{v} = np.linspace(0, 1, {n})",
    "{v} = [np.arange({s})] * {s}",
    "{v} = (i for i in range({n}))",
    "def {v}_f(a):\n    for i in range({n}):\n        yield i\n{v} = {v}_f(1)",
    "{v} = [keras.Input((3,)) for i in range({s})]",
    "{v} = keras.Input((3,))\nfor i in range({s}):\n    {v} = layers.Dense(3)({v})",
    "{v} = [keras.Input((3,))]\nfor i in range({s}):\n    {v}.append(layers.Add()([{v}[0], *{v}]))",
    "{v} = keras.Input((3,))\nfor i in range({s}):\n    {v} = {v} + {v}",
    "{v} = keras.Sequential([keras.Input((3,))] + [layers.Dense(3) for i in range({s})])",
    "{v} = keras.Sequential([keras.Input((3,)), layers.Dense(3)])\nfor i in range({s}):\n    {v}_i = keras.Input((3,))\n"
    "    {v} = keras.Model({v}_i, {v}({v}({v}_i)))",
    "class {v}_0: pass\n{v} = {v}_o = {v}_0\nfor i in range({s}):\n    class {v}_a({v}, {v}_o): pass\n"
    "    class {v}_b({v}, {v}_o): pass\n    {v}, {v}_o = {v}_a, {v}_b",
    "class {v}(layers.Layer):\n    def call(self, x):\n        for i in range({n}):\n            x = x * 2\n        return x\n"
    "{v} = {v}()(keras.Input((3,)))",
    "{v} = lambda a: a\nfor i in range({s}):\n    {v} = (lambda f: lambda a: f(f(a)))({v})",
    "def {v}(a):\n    return {v}(a)",
    "{v} = collections.namedtuple('{v}', ['a' + str(i) for i in range({s})])",
    "{v} = collections.defaultdict(list)\nfor i in range({s}):\n    {v}[i].append(i)",
]

USES = [
    "{n} in {v}", "{w} in {v}", "{v} == {w}", "{v} < {w}", "{v} + {w}", "{v} * {n}", "{n} * {v}", "{v} % {w}", "{v} ** {n}",
    "{v} << {n}", "{v} // {n}", "-{v}", "not {v}", "{v}[{n}:]", "{v}[::{n}]", "{v}[{n}]", "{v}[{w}]", "len({v})", "list({v})",
    "tuple({v})", "set({v})", "dict({v})", "str({v})", "repr({v})", "sum({v})", "max({v})", "min({v}, key=str)",
    "sorted({v})", "sorted({v}, key=lambda a: -a)", "any({v})", "all(a in {w} for a in {v})", "list(reversed({v}))",
    "list(zip({v}, {w}))", "list(zip(*[{v}] * {s}))", "list(map(str, {v}))", "list(map(lambda a: a in {w}, {v}))",
    "list(filter(None, {v}))", "list(enumerate({v}))", "[a for a in {v} for b in {w}]", "{{a: b for a in {v} for b in {w}}}",
    "[*{v}, *{w}]", "{{**{v}, **{w}}}", "{{{v}: 1}}", "f'{{{v}}}'", "'%s %s' % ({v}, {w})", "'%900d' * {s} % tuple({v})",
    "'{{}}{{}}'.format({v}, {w})", "('{{:900}}' * {s}).format(*{v})", "','.join({v})", "','.join(map(str, {v}))",
    "{v}.replace('a', {w})", "{v}.split('a')", "{v}.index({n})", "{v}.count({w})", "{v}.copy()", "{v}.get({w})",
    "{v}.items()", "{v}.update({w})", "{v}.extend({w})", "{v}.append({w})", "{v}.sort()", "{v}.append({v})",
    "{v}.setdefault({w}, {w})", "round({v}, {n})", "round(3, -({n}))", "pow({v}, {n})", "pow(3, {v}, {n})",
    "divmod({n}, {v})", "int({v})", "float({v})", "isinstance({w}, {v})", "isinstance({v}, (int,) * {s})", "hasattr({v}, 'a')",
    "print(*{v})", "(lambda *a: len(a))(*{v})", "(lambda **a: len(a))(**{v})", "(lambda a, *b: b)({v}, *{w})",
    "{v}({w})", "{v}()", "{v}(keras.Input((3,)))", "{v}.shape", "{v}.a", "{v}.layers", "len({v}.layers)", "{v}.get_layer(index={n})",
    "functools.reduce(lambda a, b: a, {v})", "functools.partial({v}, *{w})", "copy.deepcopy({v})", "copy.copy({v})",
    "list(itertools.chain({v}, {w}))", "list(itertools.chain(*[{v}] * {s}))", "list(itertools.chain.from_iterable([{v}] * {s}))",
    "list(itertools.product({v}, {w}))", "list(itertools.product(*[{v}] * {s}))", "list(itertools.product([1], *[[2]] * {s}, {v}))",
    "list(itertools.accumulate({v}))", "list(itertools.pairwise({v}))", "list(itertools.islice({v}, {n}))",
    "list(itertools.repeat({v}, {n}))", "list(itertools.combinations({v}, 2))", "math.prod({v})", "math.factorial({n})",
    "math.comb({n}, {s})", "math.gcd({v}, {n})", "np.array({v})", "np.prod({v})", "np.sum({v})", "np.concatenate([{v}, {w}])",
    "np.concatenate([{v}] * {s})", "np.stack([{v}] * {s})", "np.reshape({v}, (-1, {s}))", "np.arange({v})", "np.unique({v})",
    "np.delete({v}, {w})", "np.append({v}, {w})", "np.expand_dims({v}, 0)", "np.zeros({v})", "np.zeros(({n}, {n}))",
    "np.zeros({n}).reshape(0, {n})", "np.zeros((0, {n}))[:, 0]", "np.zeros(({n}, 0)).tolist()", "np.array({v}) + np.array({w})",
    "np.array({v}).tolist()", "np.array({v})[{w}]", "np.sqrt({v})", "layers.Dense({v})", "layers.Dense({n})(keras.Input((3,)))",
    "layers.Add()({v})", "layers.Concatenate()([{v}] * {s})", "layers.Add()([{v}, {w}])", "layers.Dense(3)({v})",
    "layers.Reshape({v})(keras.Input((3,)))", "layers.Reshape(({n}, {n}))(keras.Input((3,)))", "layers.Conv2D(3, {v})",
    "layers.RepeatVector({n})(keras.Input((3,)))", "layers.Embedding({n}, {n})(keras.Input((3,)))",
    "ops.split(keras.Input(({n},)), {n}, axis=1)", "ops.split(keras.Input(({s},)), {s}, axis=1)", "ops.unstack(keras.Input(({s},)), axis=1)",
    "ops.split(keras.Input((3,)), {v}, axis=1)", "ops.stack({v})", "ops.concatenate({v})", "ops.transpose({v}, {w})",
    "ops.einsum('ab,bc->ac', {v}, {w})", "ops.reshape({v}, {w})", "ops.tile({v}, {w})", "ops.repeat({v}, {n})", "ops.arange({n})",
    "keras.Model({v}, {w})", "keras.Sequential({v})", "keras.Sequential([layers.Dense(3)] * {s})", "keras.Input({v})",
    "keras.Input(({n}, {n}))", "keras.models.clone_model({v})", "keras.utils.get_source_inputs({v})", "layers.StackedRNNCells([layers.GRUCell(3)] * {s})",
    "layers.RNN([layers.GRUCell(3)] * {s})(keras.Input((5, 3)))", "layers.TimeDistributed({v})", "layers.Lambda(lambda x: x * {n})(keras.Input((3,)))",
    "layers.Lambda({v})(keras.Input((3,)))", "tf.split(keras.Input(({s},)), {s}, axis=1)", "tf.data.Dataset.range({n}).batch({s})",
    "keras.utils.to_categorical({v})", "keras.utils.to_categorical({v}, {n})", "collections.namedtuple('T', {v})", "collections.OrderedDict({v})",
    "collections.Counter({v})", "collections.deque({v})", "type('T', (), {{}})", "getattr({v}, {w}, {n})", "next(iter({v}))", "slice({v}, {w})",
    "setattr({v}, 'trainable', False)", "locals()", "dict(globals())", "dict.fromkeys({v}, {w})", "''.join(['%s' % a for a in {v}])",
]  # fmt: skip

STATEMENTS = [
    "for a in {v}:\n    m.add(layers.Dense(3))",
    "for a in {v}:\n    for b in {w}:\n        c = a",
    "for a in {v}:\n    x0 = layers.Dense(3)(x0)\n    {u}",
    "while {v}:\n    {u}",
    "i = 0\nwhile i < {n}:\n    i += 1\n    m.add(layers.Dense(3))",
    "i = 0\nwhile True:\n    i += 1\n    {u}",
    "a, *b = {v}",
    "{v} += {w}",
    "{v} *= {n}",
    "{v}[{n}] = {w}",
    "{v}[{n}:] = {w}",
    "{v}[{w}] = {v}",
    "del {v}[{n}:]",
    "def f(a):\n    return f(a) + f(a)\nf({v})",
    "def f(a):\n    if a:\n        return f(a - 1) + f(a - 1)\n    return {u}\nf({n})",
    "def f(*a):\n    return f(*a, *{v})\nf()",
    "if u:\n    a = {u}\nelse:\n    a = {v}",
    "for a in u:\n    {v} = {u}",
    "try:\n    {u}\nexcept Exception:\n    a = {v}",
    "assert {v} == {w}",
    "assert {n} in {v}",
    "match {v}:\n    case 3 | 4:\n        {u}\n    case _:\n        {u}",
    "class A(layers.Layer):\n    def __init__(self):\n        super().__init__()\n        self.a = {u}\n"
    "    def call(self, x):\n        {u}\n        return x\nA()(keras.Input((3,)))",
    "class B(keras.Model):\n    def call(self, x):\n        return [x, {u}]\nB()(keras.Input((3,)))",
    "with u:\n    {u}",
    "{u}",
    "{u}",
    "{u}",
    "{u}",
]

REPEATED = [
    "{s}",
    "for k in range({n}):\n    m.add(layers.Dense(3))\n    {i}",
    "for k in range({n}):\n    {i}",
    "m2 = [layers.Dense(k + 1) for k in range({small})]\nfor k in m2:\n    {i}",
    "def g(k):\n    {i}\n    return g(k + 1)\ng(0)",
    "if u:\n    {i}",
]

START = """import collections, copy, functools, itertools, math
import numpy as np
import tensorflow as tf
import keras
from keras import layers, ops
m = keras.Sequential([keras.Input((3,))])
x0 = keras.Input((3,))
"""


def large_program(number: int) -> str:
    """Return a program."""
    draw = random.Random(f"large {number}")
    names = ["v0", "v1", "v2"]

    def filled(template: str, name: str = "") -> str:
        blanks = {
            "v": name or draw.choice(names),
            "w": draw.choice(names),
            "n": draw.choice(NUMBERS),
            "s": draw.choice(SMALL),
        }
        return template.format(u=filled(draw.choice(USES)) if "{u}" in template else "", **blanks)

    parts = [START, *[filled(draw.choice(VALUES), name) for name in names]]
    for _ in range(draw.choice([1, 3, 6])):
        statement = filled(draw.choice(STATEMENTS))
        template = draw.choice(REPEATED)
        inner = statement.replace("\n", "\n    ")
        parts.append(template.format(s=statement, i=inner, n=draw.choice(NUMBERS), small=draw.choice(SMALL)))
    if draw.random() < 0.2:
        parts.append("\n".join([filled(draw.choice(USES))] * draw.choice([50, 3_000])))
    return "\n".join([*parts, "m.add(layers.Dense(5))", ""])


def a_twentieth() -> dict[str, int]:
    """Return a twentieth of each bound of the reader."""
    from layerexplain.frontends.code.values import reading

    names = ("MOST_STEPS", "MOST_CELLS", "MOST_CALLS", "MOST_LOOKS", "MOST_GIVEN")
    return {name: getattr(reading, name) // 20 for name in names}


def read_within_bounds(text: str) -> str:
    """Read a program with a twentieth of the budget. Returns what is wrong; "" where it ends within the bounds."""
    from layerexplain.errors import LayerExplainError
    from layerexplain.frontends.code.reader import read_code
    from layerexplain.report.build import build

    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + PROCESSOR, resource.RLIM_INFINITY))
    try:
        with at_most(MOST_CALLS):
            build(read_code(text.encode(), None, "m"))
    except LayerExplainError:
        return ""
    except (
        ArithmeticError,
        AssertionError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
        IndexError,
    ) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def within_memory() -> None:
    """Refuse this process more memory than it may take beyond what it has."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main(kind: str, first: int, count: int) -> None:
    """Read programs; print the number of each before, and what is wrong with it after."""
    from layerexplain.frontends.code.values import reading

    for name, most in a_twentieth().items():
        setattr(reading, name, most)
    for start in (START, KERAS):  # what loads on first use
        read_within_bounds(start + "m.add(layers.Dense(5))\n")
    read_within_bounds(TORCH + "m = nn.Sequential(nn.Linear(3, 5))\nm(torch.ones(2, 3))\n")
    program = {"large": large_program, "nested": nested_program, "counting": counting_program}[kind]
    within_memory()
    for number in range(first, first + count):
        print(json.dumps([number, None]), flush=True)
        print(json.dumps([number, read_within_bounds(program(number))]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
