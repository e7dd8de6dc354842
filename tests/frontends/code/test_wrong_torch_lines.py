"""Single lines of a `forward` that PyTorch refuses: each is a fault with its place and its words, which
tests/data/code/torch_wrong_lines.txt has. PyTorch confirms that each is refused. Arguments that no function takes end the
reading, and no program ends in a traceback."""

import ast
import inspect
import re
from itertools import product
from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.reader import read_code
from scripts.wrong_programs import raised
from tests.support.paths import TESTS
from tests.support.torch_modules import configurations

HEAD, LINES = re.findall(
    r"^### \w+\n(.*?)(?=^### |\Z)", (TESTS / "data/code/torch_wrong_lines.txt").read_text("utf-8"), re.M | re.S
)
ROWS = dict(zip(LINES.splitlines()[::2], LINES.splitlines()[1::2], strict=True))


def report_of(line: str) -> Any:
    return layerexplain.explain(HEAD.replace("{line}", line).encode(), inputs={"x": (4, 6)})


@pytest.mark.parametrize("line", ROWS)
def test_a_wrong_line_is_a_fault_with_its_words(line: str) -> None:
    report = report_of(line)
    assert [f"  {str(one).partition(' ')[0].removeprefix('<bytes>:')}" for one in report.faults] == [
        ROWS[line].partition(": ")[0] + ":"
    ]
    assert [str(one).partition(": ")[2] for one in report.faults] == [ROWS[line].partition(": ")[2]]
    assert report.grade == "open"


UNREAD = """
x.unbind() | x.permute() | x.expand() | x.repeat() | x.chunk() | x.split() | x.narrow(1) | x.select() | x['a'] | x[1.5]
x.flatten(1, 2, 3) | x[:, 1:2:0] | torch.cat([]) | torch.stack([]) | F.layer_norm(x) | F.group_norm(x) | torch.einsum()
x.view('a') | x.view(None, 3, 'b') | x.max(1, 2, 3) | x.sum('a') | x.masked_fill() | x.where() | x.unfold() | F.pad(x)
x.unsqueeze() | torch.full() | torch.randint() | torch.tensor() | x.new_zeros() | x.new_full() | torch.linspace(1)
torch.einsum('ij') | x.gather(1) | torch.bmm(x) | x.size('a') | x.permute(0, 'a', 1) | torch.split(x, [1, 'a'], 1)
x.chunk('a', 1) | x[..., ..., 0] | x.stride() | range(len(x)) | self.fc(None) | nn.Linear(3)(x) | nn.Sequential(3)(x)
"""


@pytest.mark.parametrize("line", [one.strip() for one in UNREAD.replace("\n", "|").split("|") if one.strip()])
def test_arguments_that_are_not_read_end_the_reading(line: str) -> None:
    report = report_of(line)
    assert report.grade == "open" and (report.notes or report.faults)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pytorch_refuses_each_of_them() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    taken = []
    for line in ROWS:
        names: dict[str, Any] = {}
        exec(HEAD.replace("{line}", line), names)
        try:
            names["model"].eval()(torch.ones(2, 4, 6))
            taken.append(line)
        except Exception:  # whatever it is, it is refused
            pass
    assert taken == []


ENCODER, DECODER = [f"nn.Transformer{side}Layer(8, 2, batch_first=True)" for side in ("Encoder", "Decoder")]
ATTENTIONS = [
    ("nn.MultiheadAttention(8, 2, batch_first=True)", "x, x, x", "attn_mask key_padding_mask is_causal",
        "need_weights=True"),
    ("nn.MultiheadAttention(8, 2, batch_first=True)", "x, x, x", "attn_mask key_padding_mask is_causal",
        "need_weights=False"),
    (ENCODER, "x", "src_mask src_key_padding_mask is_causal", ""),
    (f"nn.TransformerEncoder({ENCODER}, 2)", "x", "mask src_key_padding_mask is_causal", ""),
    (DECODER, "x, x", "tgt_mask tgt_key_padding_mask tgt_is_causal", ""),
    (DECODER, "x, x", "memory_mask memory_key_padding_mask memory_is_causal", ""),
    (f"nn.TransformerDecoder({DECODER}, 2)", "x, x", "tgt_mask tgt_key_padding_mask tgt_is_causal", ""),
    ("nn.Transformer(8, 2, 1, 1, batch_first=True)", "x, x", "src_mask src_key_padding_mask src_is_causal", ""),
    ("nn.Transformer(8, 2, 1, 1, batch_first=True)", "x, x", "tgt_mask tgt_key_padding_mask tgt_is_causal", ""),
]  # fmt: skip
"""Modules with attention, what they are called on, and the names of a mask, of that of keys and of the hint."""


def calls_with_masks() -> list[str]:
    """Each of them without a mask, with one that fits and one that does not, with keys that are masked, with the hint."""
    programs = []
    for (module, tensors, names, more), size, *given in product(ATTENTIONS, (0, 4, 5), (False, True), (False, True)):
        mask, of_keys, hint = names.split()
        words = [f"{mask}=torch.zeros({size}, {size})", f"{of_keys}=torch.zeros(3, 5)", f"{hint}=True", more]
        shown = [word for word, is_given in zip(words, (size, *given, more), strict=True) if is_given]
        programs.append(f"model = {module}\nx = torch.randn(3, 5, 8)\nmodel({', '.join([tensors, *shown])})\n")
    return programs


@pytest.mark.torch
@pytest.mark.parametrize("program", calls_with_masks())
def test_a_mask_is_checked_where_pytorch_reads_it(program: str) -> None:
    program = f"import torch\nimport torch.nn as nn\n{program}"
    found = [one for one in layerexplain.check(program.encode()).findings if one.severity == "breaks"]
    assert bool(found) == (raised(program, {}) is not None), [one.message for one in found]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
def test_a_wrong_name_for_an_argument_is_said_where_pytorch_refuses_it_with_the_right_one() -> None:
    import torch

    tried = 0
    for written in {text.partition("(")[0]: text for text, _ in configurations()}.values():
        call = ast.parse(written, mode="eval").body
        assert isinstance(call, ast.Call)
        type_ = ast.unparse(call.func)
        args = [ast.literal_eval(one) for one in call.args]
        kwargs = {one.arg: ast.literal_eval(one.value) for one in call.keywords if one.arg is not None}
        given = inspect.signature(getattr(torch.nn, type_)).bind(*args, **kwargs)
        named = {key: one for key, one in given.arguments.items() if given.signature.parameters[key].kind == 1}
        for name in [one for one in named if given.signature.parameters[one].default is inspect.Parameter.empty]:
            wrong = f"z{name[::-1]}"
            arguments = [f"{wrong if key == name else key}={value!r}" for key, value in named.items()]
            code = f"import torch\nmodel = torch.nn.{type_}({', '.join(arguments)})\n"
            with pytest.raises(TypeError, match=f"unexpected keyword argument '{wrong}'"):
                exec(code, {})
            fault = str(read_code(code.encode(), None).faults[0])
            assert f"has no argument '{wrong}'; write {name}." in fault, (code, fault)
            tried += 1
    assert tried > 60
