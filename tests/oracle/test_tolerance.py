"""How far two arrays are apart, and how far they may be: in half precision as far as its roundings add up."""

import math

import pytest

from layerexplain.oracle.tolerance import allowed, allowed_in_row, difference, verdict
from layerexplain.run.arrays import rounded_to

np = pytest.importorskip("numpy")


@pytest.mark.parametrize(
    ("tolerance", "dtypes", "expected"),
    [
        (1e-4, (), 1e-4),
        (1e-4, ("float32",), 1e-4),
        (1e-4, ("float64", "int32", "bool"), 1e-4),
        (1e-4, ("float16",), 10 * 2.0**-10),
        (1e-4, ("bfloat16",), 10 * 2.0**-7),
        (1e-4, ("float32", "float16"), 10 * 2.0**-10),
        (1e-4, ("float16", "bfloat16"), 10 * 2.0**-7),
        (0.5, ("bfloat16",), 0.5),
    ],
)
def test_half_precision_may_be_off_by_ten_roundings(tolerance: float, dtypes: tuple[str, ...], expected: float) -> None:
    assert allowed(tolerance, *dtypes) == expected


def test_a_rounding_is_what_the_dtype_cannot_tell_apart() -> None:
    for dtype, bits in (("float16", 10), ("bfloat16", 7)):
        pytest.importorskip("ml_dtypes")
        # Half a step is lost (to the even neighbour), a bit more is a step.
        step = 2.0**-bits
        values = np.array([1 + step / 2, 1 + step * 0.51, 1 + step], "float32")
        assert rounded_to(values, dtype).tolist() == [1, 1 + step, 1 + step]
        assert rounded_to(values, dtype).dtype == ("float16" if dtype == "float16" else "float32")
    assert rounded_to(np.array([1 / 3]), "float32").dtype == np.float32
    assert rounded_to(np.array([1 / 3], "float32"), "float64").dtype == np.float64
    assert rounded_to(np.array([5]), "float16").dtype.kind == "i"
    assert rounded_to(np.array([1 / 3]), "complex64").tolist() == [1 / 3]


@pytest.mark.parametrize(
    ("ours", "theirs", "apart", "words"),
    [
        ([1.0, -4.0], [1.0, -4.0], 0, ""),
        ([1.0, -3.0], [1.0, -4.0], 0.25, ""),
        ([2.0, 4.0], [1.0, 4.0], 0.25, ""),
        ([0.0, 0.0], [0.0, 0.0], 0, ""),
        ([0.0, 0.25], [0.0, 0.0], math.inf, "Keras returns 0 everywhere, the formula up to 0.25"),
        ([math.nan, 1.0], [math.nan, 2.0], 0.5, ""),
        ([math.nan, 1.0], [3.0, 2.0], math.inf, "NaN or infinity on one side only"),
        ([math.inf, 1.0], [math.inf, 1.0], 0, ""),
        ([math.inf, 1.0], [-math.inf, 1.0], math.inf, "NaN or infinity on one side only"),
        ([1.0], [1.0, 2.0], math.inf, "the values have shape (1,) in the formula and (2,) in Keras"),
        ([1], [1.0], math.inf, "the values are int64 in the formula and float64 in Keras"),
        ([], [], 0, ""),
        ([1 + 1j], [1 + 2j], 1 / 5**0.5, ""),
        (["a", "b"], [b"a", b"b"], 0, ""),
        (["a", "b"], ["a", "c"], math.inf, "the strings differ"),
        ([True, False], [True, True], 1, ""),
    ],
)
def test_how_far_apart(ours: list[object], theirs: list[object], apart: float, words: str) -> None:
    made = [np.asarray(x, dtype=object if x and isinstance(x[0], str | bytes) else None) for x in (ours, theirs)]
    assert difference(*made) == (pytest.approx(apart), words)


# The tolerance is 1e-4 and what rounding does 3: eight times as much may be rounding.
JUDGED = [
    # ours, theirs, tolerance; how far apart, how far it may be, what is wrong, what rounding does
    ([8.0, 40.0], [8.0, 40.0], 1e-4, (0.0, 1e-4, "", None)),
    ([8.0, 40.002], [8.0, 40.0], 1e-4, (0.002 / 40, 1e-4, "", None)),
    ([8.0, 44.0], [8.0, 40.0], 1e-4, (0.1, 8 * 3 / 40, "", 3 / 40)),
    ([8.0, 80.0], [8.0, 40.0], 1e-4, (1.0, 8 * 3 / 40, "", 3 / 40)),
    ([8.0, 44.0], [8.0, 40.0], 0.9e-4, (0.1, 0.9e-4, "", None)),  # less than is usual was asked for
    ([0.0, 24.0], [0.0, 0.0], 1e-4, (24.0, 24.0, "", 3.0)),
    ([0.0, 24.5], [0.0, 0.0], 1e-4, (24.5, 24.0, "Keras returns 0 everywhere, the formula up to 24.5", 3.0)),
    ([math.inf, 1.0], [2.0, 1.0], 1e-4, (math.inf, 1e-4, "NaN or infinity on one side only", None)),
    ([math.inf, 44.0], [math.inf, 40.0], 1e-4, (0.1, 8 * 3 / 40, "", 3 / 40)),
    ([0.0, 0.0], [math.nan, math.nan], 1e-4, (math.inf, 1e-4, "NaN or infinity on one side only", None)),
    ([0.0, 0.0], [math.inf, 0.0], 1e-4, (math.inf, 1e-4, "NaN or infinity on one side only", None)),
    ([math.nan, 24.0], [math.nan, 0.0], 1e-4, (24.0, 24.0, "", 3.0)),
    ([1, 7], [1, 2], 1e-4, (2.5, 1e-4, "", None)),  # whole numbers are not rounded
    ([1.0], [1.0, 2.0], 1e-4, (math.inf, 1e-4, "the values have shape (1,) in the formula and (2,) in Keras", None)),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs", "tolerance", "expected"), JUDGED)
def test_a_verdict_where_rounding_may_be_the_judge(
    ours: list[float], theirs: list[float], tolerance: float, expected: tuple[float, float, str, float | None]
) -> None:
    found = verdict(np.asarray(ours), np.asarray(theirs), tolerance, lambda: 3.0)
    assert found == (*map(pytest.approx, expected[:2]), expected[2], pytest.approx(expected[3]))
    assert found.agrees is (expected[0] <= expected[1])


@pytest.mark.parametrize(("layers", "dtype", "expected"), [(0, "float32", 1e-4), (1, "float32", 1e-4), (49, "float32", 7e-4), (9, "float16", 3 * 10 * 2.0**-10)])  # fmt: skip
def test_roundings_add_up_with_the_root_of_the_layers(layers: int, dtype: str, expected: float) -> None:
    assert allowed_in_row(1e-4, layers, dtype) == pytest.approx(expected)
