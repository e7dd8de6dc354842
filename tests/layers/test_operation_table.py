"""Bare operations as rows of a table: how a row reads, what it refuses, and that a table costs nothing until used."""

import ast
import re
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

from layerexplain.derive.evaluate import evaluate
from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang import text
from layerexplain.lang.axes import BATCH
from layerexplain.lang.expr import Expr, constant
from layerexplain.lang.syntax import checked_expression
from layerexplain.layers import index, registry
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.operation_table import declaration_of, read_row, rows_by_name
from tests.support.paths import ROOT
from tests.support.tracing import trace_layer

LAYERS = ROOT / "layerexplain" / "layers"
WITH_ROWS = sorted(
    ".".join(path.relative_to(LAYERS).with_suffix("").parts)
    for path in LAYERS.rglob("*.py")
    if any(
        isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ROWS"
        for node in ast.parse(path.read_text("utf-8")).body
    )
)


def declared(row: str, **functions: object) -> Declaration:
    return declaration_of(read_row(row), functions)


def formula(declaration: Declaration, *shapes: tuple[int, ...], **config: object) -> list[str]:
    specs = [Spec((BATCH, *shape), "float") for shape in shapes]
    return text.program(declaration.trace(specs, declaration.bind(config))).splitlines()


def test_a_row_is_a_declaration() -> None:
    cap = declared("ops.Softcap, tf.softcap(x, cap: Number = 30.0): cap * tanh(x / cap) | Keeps within -{cap} … {cap}.")
    assert (cap.type, cap.name, cap.tensors, list(cap.arguments)) == ("ops.Softcap", "softcap", ("x",), ["cap"])
    assert cap.description == "Keeps within -{cap} … {cap}."
    assert formula(cap, (3,), cap=5) == ["y = 5.0 * tanh(x / 5.0)"]
    assert formula(cap, (3,)) == ["y = 30.0 * tanh(x / 30.0)"]
    with pytest.raises(ArgumentError, match=r"ops.Softcap needs cap to be a number, got cap='a'"):
        cap.bind({"cap": "a"})


def test_a_row_may_wrap_and_names_its_results() -> None:
    row = "ops.Ends(x, axis: Int = -1, sorted: Ignored):\n    low, high = halves(x, axis=axis)\n    | Gives both ends."

    def halves(x: Expr, axis: int) -> dict[str, Expr]:
        return {"a": x + axis, "b": x - axis}

    ends = declared(row, halves=halves)
    assert formula(ends, (3,), axis=2) == ["low = x + 2", "high = x - 2"]
    assert ends.ignores == {"sorted"}
    assert formula(declared("ops.Best(x): values, ids = top_k(x, k=2) | Gives two."), (3,)) == [
        "values, ids = top_k(x, k=2)"
    ]


def test_a_row_has_statements_and_conditions() -> None:
    row = "ops.Off(x, axis: Int = None, upper: Bool = False): m := mean(x, axis=1); s = m * 2; {} | Says."
    shown = {
        "s + x if axis is None else s * x": ["m = mean(x, axis=1)", "y = m * 2 + x"],
        "s if upper else m if axis is None else x": ["y = mean(x, axis=1)"],
        "x - 1 if is_whole or is_complex else x - 2": ["y = x - 2"],
    }
    for written, printed in shown.items():
        assert formula(declared(row.format(written)), (1,)) == printed
    kinds = declared("ops.Kind(x): x - 1 if is_whole else x + 1 if is_complex else x | Says.")
    made = [text.program(kinds.trace([Spec((3,), dtype)], {})) for dtype in ("int8", "complex64", "bool", "float16")]
    assert made == ["y = x - 1", "y = x + 1", "y = x", "y = x"]
    cap = declared(row.format("s if upper else m if axis is None else x * axis"))
    assert formula(cap, (3,), axis=4) == ["y = x * 4"]
    assert formula(cap, (3,), axis=4, upper=True)[-1] == "y = m * 2"


def test_a_row_takes_any_number_of_tensors_or_leaves_some_out() -> None:
    assert formula(declared("ops.Join(*xs, axis: Int): concatenate(*xs, axis=axis) | Joins."), (3,), (4,), axis=1) == [
        "y = concatenate(x1, x2, axis=1)"
    ]

    def scaled(x: Expr, by: Expr | None, plus: float) -> Expr:
        return x + plus if by is None else x * by + plus

    maybe = declared("ops.Scaled(x, by = None, plus: Number = 1.5): scaled(...) | Scales.", scaled=scaled)
    assert formula(maybe, (3,)) == ["y = x + 1.5"]
    assert formula(maybe, (3,), (3,)) == ["y = x * by + 1.5"]


def test_a_row_passes_all_its_arguments_by_name() -> None:
    spread = declared("ops.Spread(x, axis: Int, keepdims: Bool = False): amax(x, ...) - amin(x, ...) | Spreads.")
    assert formula(spread, (3, 4), axis=1, keepdims=True) == [
        "y = amax(x, axis=1, keepdims=True) - amin(x, axis=1, keepdims=True)"
    ]


def test_a_row_that_calls_an_operation_has_its_sentence_and_other_names() -> None:
    add = declared("tf.plus(a, b): c = Add(a, b)")
    assert add.description == "Adds two tensors element-wise."
    assert formula(add, (3,), (3,)) == ["c = a + b"]


def test_a_key_takes_a_tensor_that_is_a_constant_and_no_other() -> None:
    mean = declared("tf.raw_ops.Mean2(x, axis): mean(x, axis=axis) | Averages.")
    specs = [Spec((BATCH, 3), "float"), None]
    made = mean.trace(specs, {}, constants={1: constant((1,))})
    assert text.program(made) == "y = mean(x, axis=1)"
    with pytest.raises(ArgumentError, match="an axis needs to be a constant, got a tensor"):
        formula(mean, (3,), ())


def test_what_an_op_refuses_is_told_without_a_line_of_the_row() -> None:
    with pytest.raises(ShapeError) as refusal:
        formula(declared("ops.Sum2(x1, x2): x1 + x2 | Adds."), (3,), (4,))
    assert refusal.value.line is None
    with pytest.raises(
        ArgumentError, match=r"ops\.Cut needs arguments that are compatible with each other and with its input, got k=5"
    ):
        formula(declared("ops.Cut(x, k: Anything): transpose(x, axes=k) | Cuts."), (3,), k=5)


def test_a_single_number_has_no_batch_to_ask_for() -> None:
    made = trace_layer("ops.Exp", {}, [Spec((), "float")])
    assert text.program(made) == "y = exp(x)"
    with pytest.raises(ShapeError, match="Conv2D needs an input with 4 axes"):
        trace_layer("Conv2D", {"filters": 2, "kernel_size": 3}, [Spec((), "float")])


def test_an_operation_with_two_rows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'ops\.A' has two rows"):
        rows_by_name("ops.A(x): x | Hands on.\nops.B, ops.A(x): -x | Turns the sign.")
    with pytest.raises(ValueError, match=r"'ops\.Add' is declared twice"):
        assert registry.find("ops.Add")
        registry.register(["ops.Add"], lambda: declared("ops.Add(x): x | Hands on."))


def test_a_row_with_choices_stands_for_one_with_each() -> None:
    rows = rows_by_name("ops.[Top|End], tf.[top|end](x, n: Int = [1|2]): x[..., n] [+|-] 1 | Takes [the first|it].")
    assert rows["ops.Top"] == rows["tf.top"] == "ops.Top, tf.top(x, n: Int = 1): x[..., n] + 1 | Takes the first."
    assert rows["tf.end"] == "ops.End, tf.end(x, n: Int = 2): x[..., n] - 1 | Takes it."
    three = rows_by_name("ops.[A|B|C](x): x [*|/] 2 | Is [one|two|three].")
    assert [read_row(three[f"ops.{name}"]).formula for name in "ABC"] == ["x * 2", "x / 2", "x / 2"]


def test_an_operation_is_added_with_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("layerexplain.layers.operations_extra")
    vars(module)["ROWS"] = "ops.Softcap(x, cap: Number = 30.0): cap * tanh(x / cap) | Keeps within -{cap} … {cap}."
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(registry, "LAYERS", dict(registry.LAYERS))
    monkeypatch.setitem(index._modules("ops"), "ops.Softcap", "operations_extra")
    made = trace_layer("ops.Softcap", {"cap": 2.0}, [Spec((BATCH, 3), "float")])
    values = np.array([[-9.0, 0.5, 1.25]], "float32")
    (result,) = evaluate(made, [values], [])
    np.testing.assert_allclose(result, 2 * np.tanh(values / 2), rtol=1e-6)


@pytest.mark.parametrize("module", WITH_ROWS)
def test_a_module_loads_what_its_rows_call(module: str) -> None:
    code = f"""
import layerexplain.layers.{module} as module
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.expr import OPS
from layerexplain.layers.index import module_of
from layerexplain.layers.operation_table import read_row, rows_by_name
import ast
for text in rows_by_name(module.ROWS).values():
    row = read_row(text)
    last = row.formula.replace("(...)", "()").replace(", ...", "")
    formulas = [*[statement.replace(":=", "=") for statement in row.statements], last]
    for node in ast.walk(ast.parse("\\n".join(formulas))):
        if isinstance(node, ast.Call) and node.func.id not in [*OPS, *COMPOSITES]:
            assert callable(vars(module).get(node.func.id)) or module_of(f"ops.{{node.func.id}}"), node.func.id
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("module", WITH_ROWS)
def test_each_row_is_a_formula_with_a_sentence(module: str) -> None:
    __import__(f"layerexplain.layers.{module}")
    table = rows_by_name(vars(sys.modules[f"layerexplain.layers.{module}"])["ROWS"])
    for name, row in table.items():
        assert index.module_of(name) == module
        parts = read_row(row)
        sources = [re.split(" :?= ", statement)[1] for statement in parts.statements] + [parts.formula]
        for formula in [part for source in sources for part in re.split(" if .*? else ", source)]:
            if not formula.endswith("(...)"):
                checked_expression(formula.replace("*xs", "xs").replace(", ...", ""))
        found = registry.find(name)
        assert found is not None
        assert found.type == parts.names[0]
        assert found.description.endswith("."), name


def test_only_the_rows_that_a_model_uses_are_declared() -> None:
    code = """
from layerexplain.layers.registry import LAYERS, find
assert find("ops.Sqrt") is find("tf.math.sqrt")
print(*LAYERS)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    known = set(done.stdout.split())
    assert {"ops.Sqrt", "tf.math.sqrt", "tf.raw_ops.Sqrt"} <= known
    assert "ops.Exp" not in known
