"""Which terms of a sum are listed where there are many: the largest, with what the others come to, at any width."""

import re
from pathlib import Path

import pytest

from tests.support.commands import invoke

np = pytest.importorskip("numpy")

SUM = ("input: [30]\nlayers:\n  - Dense: 2\n", "dense", (1, 30))
LARGEST = ("input: [30, 2]\nlayers:\n  - GlobalMaxPooling1D\n", "global_max_pooling1d", (1, 30, 2))
NUMBER = r"(-?\d[\d.e+-]*)"


def told(folder: Path, model: tuple[str, str, tuple[int, ...]], *options: str) -> str:
    text, layer, shape = model
    (folder / "model.yaml").write_text(text)
    np.save(folder / "input.npy", np.random.default_rng(4).normal(0, 1, shape).astype("f4"))
    arguments = ["--input", str(folder / "input.npy"), "--at", "0,1", "--no-keras", *options]
    return invoke("trace", folder / "model.yaml", layer, *arguments).stdout


def test_of_a_sum_those_of_the_largest_size(tmp_path: Path) -> None:
    every = told(tmp_path, SUM, "--terms", "28")
    rows = re.findall(rf"^ +(\d+) +{NUMBER} +{NUMBER} +{NUMBER}$", every, re.MULTILINE)
    assert [int(row[0]) for row in rows] == list(range(30)) and "others" not in every
    products = {int(m): float(product) for m, *_, product in rows}
    for m, x, w, product in rows:
        assert float(x) * float(w) == pytest.approx(float(product), rel=1e-4), m
    some = told(tmp_path, SUM, "--terms", "27")
    assert "30 terms; the largest in size first" in some
    found = re.findall(rf"^ +(\d+) +{NUMBER} +{NUMBER} +{NUMBER}$", some, re.MULTILINE)
    largest = sorted(products, key=lambda m: -abs(products[m]))[:27]
    assert [int(row[0]) for row in found] == largest
    rest = sum(product for m, product in products.items() if m not in largest)
    assert float(re.findall(rf"the other 3 together {NUMBER}", some)[0]) == pytest.approx(rest, rel=1e-3)


def test_of_a_maximum_the_largest(tmp_path: Path) -> None:
    text = told(tmp_path, LARGEST, "--terms", "4")
    found = [(int(p), float(x)) for p, x in re.findall(rf"^ +(\d+) +{NUMBER}$", text, re.MULTILINE)]
    column = np.load(tmp_path / "input.npy")[0, :, 1]
    order = np.argsort(-column)[:4]
    assert [p for p, _ in found] == order.tolist()
    assert [x for _, x in found] == pytest.approx(column[order].tolist(), rel=1e-5)
    assert "30 terms; the largest first" in text and "and 26 more" in text


def test_where_a_line_has_no_room_each_number_has_its_name(tmp_path: Path) -> None:
    wide = re.findall(rf"^ +(\d+) +{NUMBER} +{NUMBER} +{NUMBER}$", told(tmp_path, SUM, "--terms", "3"), re.MULTILINE)
    narrow = " ".join(told(tmp_path, SUM, "--terms", "3", "--width", "40").split())
    for m, x, w, product in wide:
        assert f"m = {m}, x[0, m] = {x}, W[m, 1] = {w}, product = {product}" in narrow
