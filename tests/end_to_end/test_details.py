"""Facts of single functions on which the tables of the other tests do not depend: defaults, edges, rare branches."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain import __main__, api
from layerexplain.catalogues.run import CatalogueProgress
from layerexplain.cli.catalogue import Shown
from layerexplain.cli.failures import spell_out
from layerexplain.cli.output import _wants_color
from layerexplain.derive.element.scalars import choose
from layerexplain.derive.receptive_field.reads import _resized
from layerexplain.derive.same_sizes import SameSizes, Unknown, fresh
from layerexplain.derive.window_reads import _aside
from layerexplain.errors import LayerExplainError
from layerexplain.files.replacing import replacing
from layerexplain.frontends import read
from layerexplain.keras_code import read_call
from layerexplain.lang import scalar as sc
from layerexplain.lang.definition import loop
from layerexplain.lang.expr import Expr, tensor
from layerexplain.lang.names import made_of
from layerexplain.lang.notation import value_text
from layerexplain.network.trace import trace_model
from layerexplain.ops.contract import _matmul_axes
from layerexplain.ops.ctc import ctc_loss
from layerexplain.ops.elementwise import maximum
from layerexplain.ops.functions import sigmoid_cross_entropy
from layerexplain.ops.image import resize
from layerexplain.ops.sizes import shape_text
from layerexplain.ops.warp import _placed_inside
from layerexplain.render.documents.weights import BARE_COLUMNS, TABLE_COLUMNS, _table_columns
from layerexplain.report.gradient import derived, gradient_roles
from layerexplain.report.weight_table import list_weights
from layerexplain.report.what_if import what_if
from tests.support.paths import ROOT

SPEC = b"input: [4]\nlayers:\n  - Dense: 3\n"
DIGITS = ROOT / "sample_models" / "digits.keras"


def letter(role: str, size: int | None = 5) -> sc.Letter:
    return sc.Letter(role, size)


@pytest.mark.parametrize(
    ("roles", "names"),
    [
        (["units"], "k"), (["filters"], "k"), (["channels"], "k"), (["features"], "k"), (["features", "units"], "ke"),
        (["heads", "per head"], "ad"), (["inputs"], "m"), (["unheard of", "features"], "ke"),
    ],
)  # fmt: skip
def test_letters_of_roles(roles: list[str], names: str) -> None:
    letters = [letter(role) for role in roles]
    assert [*choose(letters, {}, ()).values()] == [*names]


def test_an_axis_of_size_1_has_no_letter() -> None:
    one, other = letter("units", 1), letter("units")
    assert choose([one, other], {}, "k") == {one: "", other: "e"}


@pytest.mark.parametrize(
    ("low", "high"),
    [((0, 4), (0, 4)), ((0, None), (0, None)), ((None, 0), (None, None))],
)
def test_bounds_of_indices_and_of_their_halves(low: tuple[int | None, ...], high: tuple[int | None, ...]) -> None:
    index = letter("steps", 5 if low == (0, 4) else None).index
    index = index if low[0] == 0 else sc.scale(index, -1)
    assert sc.bounds(index) == low
    half = tuple(None if end is None else end // 2 for end in high)
    assert sc.bounds(sc.floor_divide(index, 2)) == half


@pytest.mark.parametrize(
    ("value", "text"),
    [((), "()"), ((3,), "(3,)"), ((1, 2), "(1, 2)"), (tuple(range(1000)), "constant(1000,)"),
     (((1, 2),), "((1, 2),)"), (tuple([(1.0,) * 50] * 40), "constant(40, 50)")],
)  # fmt: skip
def test_values_in_notation(value: object, text: str) -> None:
    assert value_text(value) == text


def test_what_a_value_is_called_by_what_it_is_made_of() -> None:
    x, y = tensor("x", (2, 3)), tensor("y", (2, 3))
    names = {x: "x", y: "y"}
    assert made_of(maximum(x, y), names.get) is None  # of two there is no short name
    assert made_of(x * y, names.get) == "xy"


def test_a_loop_begins_at_the_first_step() -> None:
    x = tensor("x", (2, 5, 3))

    def step(x_t: Expr, s: Expr) -> tuple[list[Expr], dict[str, Expr]]:
        return [s + x_t], {"y": s}

    node = loop(step, [x], {"s": tensor("s", (2, 3))})
    assert not node.attrs.get("backwards")


@pytest.mark.parametrize(
    ("outside", "words"),
    [
        ((range(0), range(0)), ""),
        ((range(-4, 0), range(0)), " (-4 to -1 are padding)"),
        ((range(-9, 0, 2), range(20, 30, 2)), " (-9 to -1 and 20 to 28 are padding)"),
        ((range(-2, -1), range(20, 40, 2)), " (-2 and 20 to 38 are padding)"),
    ],
)
def test_which_positions_are_outside(outside: tuple[range, range], words: str) -> None:
    assert _aside(outside, "padding") == words


def test_where_axes_of_a_product_of_stacks_come_from() -> None:
    a, b = tensor("a", (2, 3)), tensor("b", (5, 3, 4))
    assert [axis.source for axis in _matmul_axes(a, b)][:3] == [(1, 0), (0, 0), (1, 2)]
    c = tensor("c", (7, 1, 2, 3))
    assert [axis.source for axis in _matmul_axes(c, b)][:4] == [(0, 0), (0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize(("count", "text"), [(64, ", 63)"), (65, ", … 57 more)")])
def test_long_shapes_are_shortened(count: int, text: str) -> None:
    assert shape_text(range(count)).endswith(text)


@pytest.mark.parametrize(
    ("fill", "at"),
    [("constant", [-3, -1, 0, 4, 5, 9]), ("nearest", [0, 0, 0, 4, 4, 4]), ("reflect", [2, 0, 0, 4, 4, 0]),
     ("wrap", [2, 4, 0, 4, 0, 0])],
)  # fmt: skip
def test_places_beside_an_image(fill: str, at: list[int]) -> None:
    # What MapCoordinate of TensorFlow's image_ops.h computes.
    found = _placed_inside(np, np.array([-3.0, -1.0, 0.0, 4.0, 5.0, 9.0]), 5, fill)
    np.testing.assert_array_equal(found, at)


def test_cross_entropy_of_large_logits_is_finite() -> None:
    found = sigmoid_cross_entropy.stable(np, np.array([0.0, 1.0, 1.0]), np.array([1000.0, -1000.0, 0.0]))
    np.testing.assert_allclose(found, [1000, 1000, np.log(2)])


@pytest.mark.parametrize(("dtype", "of_loss"), [("float16", "float"), ("float32", "float")])
def test_a_loss_over_labels_has_at_least_the_usual_precision(dtype: str, of_loss: str) -> None:
    target, output = tensor("t", (2, 3), dtype="int32"), tensor("p", (2, 7, 5), dtype=dtype)
    lengths = [tensor(name, (2,), dtype="int32") for name in "ab"]
    assert ctc_loss(target, output, *lengths).dtype == of_loss


def test_roles_of_gradients() -> None:
    spec = "input: [8, 8, 3]\nlayers:\n  - Conv2D: {filters: 4, kernel_size: 3}\n  - BatchNormalization: {}\n"
    found = {}
    for made in trace_model(read(spec.encode())).calls[1:]:
        assert made.definition is not None
        found |= gradient_roles(made.definition, derived(made.definition, False, None, None))
    assert found["dW"] == ("window", "window", "inputs", "filters")
    assert found["db"] == ("filters",)
    assert found["dγ"] == found["dβ"] == ("features",)


def test_what_attention_reads_is_its_inputs_in_all_gradients() -> None:
    spec = "input: [5, 6]\nlayers:\n  - MultiHeadAttention: {num_heads: 2, key_dim: 3}\n    from: [input, input]\n"
    made = trace_model(read(spec.encode())).calls[1]
    assert made.definition is not None
    found = gradient_roles(made.definition, derived(made.definition, False, None, None))
    for letter in "qkv":  # each sums over the inputs of x, which its gradient has
        assert found[f"dW_{letter}"] == ("inputs", "heads", "per head")
    assert found["dquery"][-1] == found["dvalue"][-1] == "inputs"
    assert found["dW_o"] == ("heads", "per head", "features")


def test_statistics_and_gradients_are_told_where_they_are_asked_for() -> None:
    row = list_weights(DIGITS).weights[0]
    assert "stats" not in row.to_dict() and "stats" in row.to_dict(stats=True)
    for asked in (False, True):
        [first, *_] = what_if("Dense", {"units": 3}, [[4]], **({"gradient": True} if asked else {})).rows
        assert not isinstance(first, str) and (first.gradient is not None) == asked


def test_what_a_formula_makes_of_the_same_unknown_sizes_is_the_same() -> None:
    spec = b"input: [null, null, 3]\nlayers:\n  - Conv2D: {filters: 4, kernel_size: 3}\n"
    made = trace_model(read(spec)).calls[1].definition
    assert made is not None
    sizes, given = SameSizes(), fresh(made.params[0].shape)
    [once], [again] = sizes.of_call(made, [given]), sizes.of_call(made, [given])
    [other] = sizes.of_call(made, [fresh(made.params[0].shape)])
    assert once == again and once[1] != once[2] and other[1] != once[1]
    assert [type(size) for size in once[1:3]] == [Unknown, Unknown]


@pytest.mark.parametrize(("before", "after"), [(8, 4), (6, 4), (5, 7), (9, 2)])
def test_the_mean_over_an_area_reads_the_pixels_that_it_overlaps(before: int, after: int) -> None:
    node = resize(tensor("x", (2, before, 6, 3)), size=(after, 6), method="area")
    row = letter("rows", after)
    [(_, place)] = (
        _resized(node, (letter("batch").index, row.index, letter("columns", 6).index, letter("channels", 3).index))
        or []
    )
    span = place[1]
    for i in range(after):
        overlapped = [p for p in range(before) if p * after < (i + 1) * before and (p + 1) * after > i * before]
        at = {row: i}
        assert (value_at(span.low, at), value_at(span.high, at)) == (overlapped[0], overlapped[-1])


def value_at(index: sc.Affine, at: dict[sc.Letter, int]) -> int:
    """An index for numbers in place of letters."""
    total = index.const
    for atom, factor in index.terms:
        if isinstance(atom, sc.Quotient):
            inner = value_at(atom.of, at)
            total += factor * (inner % atom.by if atom.rest else inner // atom.by)
        else:
            assert isinstance(atom, sc.Letter)
            total += factor * at[atom]
    return total


# The programs' own modules -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({*api._HOMES, *layerexplain.__all__}))
def test_every_name_of_the_library_is_there(name: str) -> None:
    found = getattr(layerexplain, name) if name in layerexplain.__all__ else getattr(api, name)
    assert getattr(found, "__name__", name) == name


@pytest.mark.parametrize("name", ["describe", "find_sources", "Comparison"])
def test_names_that_the_program_takes_of_the_library(name: str) -> None:
    assert getattr(api, name).__module__ == f"layerexplain.{api._HOMES[name]}"


def test_the_program_ends_as_python_does_where_it_has_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        raise SystemExit("words")

    monkeypatch.setattr("layerexplain.cli.main.main", run)
    with pytest.raises(SystemExit, match="words"):
        __main__.main()


def test_standard_output_spells_what_its_encoding_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "latin-1"))
    spell_out()
    print("é 日 \udcff →", flush=True)
    assert written.getvalue() == b"\xe9 \\u65e5 \\udcff ->\n"


@pytest.mark.parametrize(
    ("choice", "environment", "wanted"),
    [
        ("auto", {}, True),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, True),
        ("auto", {"TERM": "dumb"}, False),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_on_a_terminal(
    choice: str, environment: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {"NO_COLOR": "", "FORCE_COLOR": "", "TERM": "xterm", **environment}.items():
        monkeypatch.setenv(variable, value)
    assert _wants_color(choice, terminal=True) is wanted


def test_what_cannot_be_decoded_is_not_spelt() -> None:
    spell_out()
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", "layerexplain")


def test_progress_is_shown_as_soon_as_it_is_time(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 7.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    shown = Shown("zoo", quiet=False)
    shown.tell(CatalogueProgress(3, 2, 3, 0, 1.0))
    assert "2 of 3 sources" in capsys.readouterr().err


def test_weights_without_an_architecture_are_shown_by_their_paths() -> None:
    table = list_weights(DIGITS)
    assert _table_columns(table, False) == TABLE_COLUMNS
    assert _table_columns(table._replace(model_name=None), False) == BARE_COLUMNS
    figures = ("min", "mean", "max", "std", "zeros", "nans", "infinities")  # they take the room of longer columns
    assert _table_columns(table._replace(stats=True), False) == ("layer", "name", "shape", "dtype", "count", *figures)
    bare = tuple([row._replace(layer="") for row in table.weights])
    assert _table_columns(table._replace(weights=bare), False) == BARE_COLUMNS


def test_a_report_has_no_weights_to_run_with() -> None:
    with pytest.raises(LayerExplainError, match="values has no meaning for a report"):
        api.page(api.explain(SPEC), values=0)


def test_pictures_go_downwards_unless_told_otherwise() -> None:
    assert api.draw(SPEC) == api.draw(SPEC, horizontal=False) != api.draw(SPEC, horizontal=True)


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_new_file_has_the_usual_mode_and_a_replaced_one_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "new"
    before = os.umask(0o027)
    try:
        for mode in (0o640, 0o604):
            with replacing(str(path)) as file:
                file.write(b"text")
            assert path.stat().st_mode & 0o7777 == mode
            path.chmod(0o604)
            assert os.umask(0o027) == 0o027  # it was looked at, and is what it was
    finally:
        os.umask(before)


def test_values_of_code_may_be_mappings() -> None:
    assert read_call("Layer(a={'b': -1, 'c': [True, (2, 'd')]})", lambda type_: []) == (
        "Layer", {"a": {"b": -1, "c": [True, (2, "d")]}},
    )  # fmt: skip
