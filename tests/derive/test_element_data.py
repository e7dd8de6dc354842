"""The element form as data: what the page's evaluator finds in it is what Python's element form reads and computes."""

import json
import random
from typing import Any, NamedTuple

import pytest

from layerexplain.derive.element.data import element_data
from layerexplain.derive.element.form import ElementForm, ElementLine, element_form
from layerexplain.derive.element.text import inline_calls
from layerexplain.derive.element.value import ElementFrame, Index
from layerexplain.derive.element.worked import _factors
from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate
from layerexplain.lang import scalar as sc
from layerexplain.ops import load_all
from layerexplain.ops.elementwise import multiply
from layerexplain.render.page.shell import script
from tests.cases import Case, Wrapped
from tests.support.browser import shown
from tests.support.drawn_values import TYPES, definitions, values_for
from tests.support.keras_oracle import BATCH_SIZE, trace_case

np = pytest.importorskip("numpy")

load_all()

ELEMENTS = 20
"""So many elements of each type are drawn, over its rows and lines."""

ROWS = 3
"""So many rows of each type."""

NO_VALUE_IN_A_BROWSER = {"rounded", "complex", "real", "imag", "gcd", "lcm", "nextafter", "i0", "i1", "erfinv"}
"""Elementwise ops that js/element.js does not compute: numbers that need them are shown as not known."""


class Recorder(ElementFrame):
    """Evaluates the scalar of one element and records which elements it asks for."""

    def __init__(self, form: ElementForm, arrays: Any) -> None:
        super().__init__(
            form, {leaf: array.__getitem__ for leaf, array in arrays.items()}, Evaluation(BATCH_SIZE, "float64")
        )
        self.plain = ElementFrame(form, self.leaves, self.run)
        self.asked: set[tuple[Any, Index]] = set()

    def _element(self, e: sc.Element, index: Index, env: Any) -> Any:
        self.asked.add((e.of, index))
        return self.plain._element(e, index, env)

    def scalar(self, e: sc.Scalar, env: Any) -> Any:
        """A product with a factor that is 0 and reads nothing reads nothing."""
        if isinstance(e, sc.Apply) and e.op is multiply:
            for factor in _factors(e):
                if (
                    not any(isinstance(part, sc.Element) for part in sc.parts(factor))
                    and self.plain.scalar(factor, env) == 0
                ):
                    return 0.0
        return super().scalar(e, env)

    def read(self, line: ElementLine, index: Index) -> tuple[set[tuple[Any, Index]], Any]:
        """What an element of a line reads, and its value."""
        self.asked = set()
        with np.errstate(all="ignore"):
            value = self.scalar(line.formula(index), dict(zip(line.letters, index, strict=True)))
        return self.asked, value


class Row(NamedTuple):
    """A row of a type: what the page gets of it, and what Python says of its elements."""

    case: Case
    data: dict[str, Any]
    form: ElementForm
    numbers: dict[Any, int]
    recorder: Recorder

    def cells(self, line: int, index: Index) -> tuple[list[list[int]], Any]:
        """The cells that an element of a line reads, by the numbers of their tensors, and its value."""
        read, value = self.recorder.read(self.form.lines[line], index)
        return sorted([[self.numbers[of], *at] for of, at in read if of in self.numbers]), value


def rows_of(type_: str) -> list[Row]:
    """Rows of a type with a form as data, with values, and with elements that are asked for."""
    rows = []
    traced = list(definitions(type_, fixed=True))
    rng = random.Random(type_)
    for case, definition in rng.sample(traced, min(ROWS, len(traced))):
        form = inline_calls(element_form(definition))
        inputs, weights = values_for(case, definition)
        leaves = (*definition.params, *definition.weights)
        arrays = dict(zip(leaves, (np.asarray(a) for a in (*inputs, *weights)), strict=True))
        data = element_data(form, numbers=True)
        numbers = {leaf: i for i, leaf in enumerate(leaves)}
        numbers.update({line: len(data["tensors"]) + i for i, line in enumerate(form.lines)})
        lines = [i for i, line in enumerate(form.lines) if line.value is not None]
        asked: list[dict[str, Any]] = []
        row = Row(case, {"id": case.id, "form": data, "asked": asked}, form, numbers, Recorder(form, arrays))
        for draw in range(-(-ELEMENTS // ROWS) if lines else 0):
            # Every line comes once; the last ones, which are the results, come first.
            line = lines[-1 - draw % len(lines)]
            sizes = [BATCH_SIZE if one.size is None else one.size for one in form.lines[line].letters]
            if 0 in sizes:
                continue
            index = tuple(rng.randrange(size) for size in sizes)
            try:
                cells, value = row.cells(line, index)
            except sc.CannotIndex:  # it needs another line, which has no element form
                continue
            asked.append({"line": line, "index": index, "cells": cells, "value": told(value)})
        row.data["shapes"] = [list(array.shape) for array in arrays.values()]
        row.data["arrays"] = [[told(value) for value in array.reshape(-1).tolist()] for array in arrays.values()]
        rows.append(row)
    hovered = next((row for row in rows if row.data["asked"]), None)
    if hovered is not None:
        lines = sorted({asked["line"] for asked in hovered.data["asked"]})
        draws = [lines[draw * len(lines) // ELEMENTS] for draw in range(ELEMENTS)]
        hovered.data["hovered"] = [[line, rng.random()] for line in draws]
    return rows


def told(value: Any) -> float | None:
    """A number as JSON has it: None for one that is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


SCRIPT = """
text => {
  const BATCH = %d;
  %s
  const size = ElementReader.prototype.size;
  ElementReader.prototype.size = function (letter) {
    return letter[1] ?? (letter[2] === "batch" ? BATCH : size.call(this, letter));
  };
  const valuesOf = row => ({ known: false, has: of => of < row.shapes.length, get: (of, at) => {
    const shape = row.shapes[of];
    if (!shape || at.some((one, axis) => one < 0 || one >= shape[axis])) return undefined;
    return row.arrays[of][at.reduce((flat, one, axis) => flat * shape[axis] + one, 0)] ?? NaN;
  } });
  const found = row => {
    const constants = of => of >= row.shapes.length && of < row.form.tensors.length;
    return row.asked.map(({line, index}) => {
      const reader = new ElementReader(row.form, valuesOf(row).get);
      const reads = reader.reads(line, index).filter(one => one.how !== "padding" && !constants(one.of));
      const value = reader.element(row.form.tensors.length + line, index);
      return {
        cells: reads.map(one => [one.of, ...one.index]),
        unsure: reads.some(one => one.how === "maybe"),
        value: value === undefined ? "none" : Number.isFinite(+value) ? +value : null,
      };
    });
  };
  const lit = row => {
    if (!row.hovered) return [];
    const box = document.createElement("div");
    document.body.append(box);
    const view = new ReadsView(row.form, valuesOf(row), box);
    const answers = row.hovered.map(([line, part]) => {
      if (view.line !== line) view.chooseLine(line);
      const cells = box.querySelectorAll('[data-of="out"] [data-at]');
      const cell = cells[Math.floor(part * cells.length)];
      cell.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
      const grids = [...box.querySelectorAll("[data-of]")].filter(svg => svg.dataset.of !== "out");
      const at = rect => rect.dataset.at === "" ? [] : rect.dataset.at.split(",").map(Number);
      return {line, index: at(cell), grids: grids.map(svg => ({
        of: +svg.dataset.of,
        shown: [...svg.querySelectorAll("[data-at]")].map(at),
        lit: [...svg.querySelectorAll(".read, .maybe")].map(at),
      }))};
    });
    box.remove();
    return answers;
  };
  return JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text)).map(
    ([type, rows]) => [type, rows.map(row => [found(row), lit(row)])])));
}
"""


def panel_script() -> str:
    """The modules of the panel without the function around them."""
    return script("panel_reads").removeprefix("(() => {").strip().removesuffix("})();")


Answers = dict[str, list[tuple[Row, Any]]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """For each type its rows and what JavaScript says of them: one page answers for all."""
    rows = {type_: rows_of(type_) for type_ in TYPES}
    empty = "<!doctype html><title>reads</title><body class=ready>Nothing but a script.</body>"
    asked = json.dumps({type_: [row.data for row in own] for type_, own in rows.items()})
    with shown(empty, tmp_path_factory.mktemp("reads")) as page:
        found = json.loads(page.evaluate(SCRIPT % (BATCH_SIZE, panel_script()), asked))
    return {type_: list(zip(rows[type_], found[type_], strict=True)) for type_ in TYPES}


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.slow
def test_a_browser_finds_what_python_reads(type_: str, answers: Answers) -> None:
    compared = 0
    for row, (found, _) in answers[type_]:
        for asked, answer in zip(row.data["asked"], found, strict=True):
            where = (row.case.id, row.form.lines[asked["line"]].name, asked["index"])
            assert sorted(answer["cells"]) == asked["cells"], where
            assert not answer["unsure"], where
            if answer["value"] == "none":
                assert any(f'"{op}"' in json.dumps(row.data["form"]) for op in NO_VALUE_IN_A_BROWSER), where
            elif answer["value"] is not None:  # a softmax of masked scores alone divides 0 by 0 there
                assert answer["value"] == pytest.approx(asked["value"], rel=1e-6, abs=1e-9), where
            compared += 1
    assert compared or type_ in ("MelSpectrogram", "STFTSpectrogram"), type_


@pytest.mark.parametrize("type_", TYPES)
def test_hovering_lights_exactly_what_python_reads(type_: str, answers: Answers) -> None:
    hovered = [(row, answer) for row, (_, lit) in answers[type_] for answer in lit]
    assert len(hovered) == ELEMENTS or type_ in ("MelSpectrogram", "STFTSpectrogram"), type_
    for row, answer in hovered:
        cells, _ = row.cells(answer["line"], tuple(answer["index"]))
        where = (row.case.id, row.form.lines[answer["line"]].name, answer["index"])
        grids = {grid["of"]: grid for grid in answer["grids"]}
        assert {of for of, *_ in cells} <= grids.keys(), where
        for of, grid in grids.items():
            if of in row.numbers.values():
                read = [at for number, *at in cells if number == of]
                assert sorted(grid["lit"]) == sorted(at for at in read if at in grid["shown"]), (where, of)
                assert grid["lit"] or not read, (where, of)


# The oracle that knows no element form: a cell is read if the result changes with it -----------------------------------

WINDOWS = (
    Case("Conv2D", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, ((7, 5, 3),)),
    Case("Conv1D", {"filters": 2, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, ((7, 3),)),
    Case("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, ((4, 3, 2),)),
    Case("DepthwiseConv2D", {"kernel_size": 2, "strides": 3}, ((7, 5, 3),)),
    Case("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, ((7, 5, 2),)),
    Case("AdaptiveAveragePooling2D", {"output_size": (3, 2)}, ((7, 5, 2),)),
    Case("Dense", {"units": 4}, ((7, 3),)),
    Case("UpSampling2D", {"size": (2, 3)}, ((3, 5, 2),)),
    Case("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, ((3, 5, 2),)),
    Case("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, ((3, 5, 2),)),
    Case("Permute", {"dims": (2, 1)}, ((5, 3),)),
    Case("TimeDistributed", {"layer": Wrapped("Dense", {"units": 2})}, ((5, 3),)),
)


@pytest.mark.parametrize("case", WINDOWS, ids=lambda case: case.type)
def test_what_is_read_is_what_changes_the_element(case: Case) -> None:
    definition = trace_case(case)
    form = inline_calls(element_form(definition))
    inputs, weights = values_for(case, definition)
    leaves = (*definition.params, *definition.weights)
    arrays = dict(zip(leaves, (np.asarray(a, "float64") for a in (*inputs, *weights)), strict=True))
    recorder = Recorder(form, arrays)
    (result,) = form.results.values()
    before = evaluate(definition, inputs, weights, Evaluation(BATCH_SIZE, "float64"))[0]
    changed: dict[Any, set[Any]] = {index: set() for index in np.ndindex(*before.shape)}
    for leaf in leaves:
        for at in np.ndindex(*arrays[leaf].shape):
            given = {**arrays, leaf: arrays[leaf].copy()}
            given[leaf][at] += 1.5
            values = list(given.values())
            count = len(inputs)
            after = evaluate(definition, values[:count], values[count:], Evaluation(BATCH_SIZE, "float64"))[0]
            for index in zip(*np.nonzero(after != before), strict=True):
                changed[tuple(map(int, index))].add((leaf, at))
    for index in changed:
        lines = [(result, index)]
        leaf_reads = set()
        while lines:
            read, _ = recorder.read(*lines.pop())
            for of, at in read:
                lines.append((of, at)) if isinstance(of, ElementLine) else leaf_reads.add((of, at))
        assert leaf_reads == changed[index], (case.id, index)


# Forms without calls --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", TYPES)
def test_a_form_without_calls_has_the_same_values(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        form = element_form(definition)
        if not form.inner or any(line.refusal for each in (form, *form.inner.values()) for line in each.lines):
            continue
        inputs, weights = values_for(case, definition)
        try:
            arrays = evaluate(definition, inputs, weights, Evaluation(BATCH_SIZE, "float64"))
        except CannotEvaluate:
            continue
        leaves = dict(zip((*definition.params, *definition.weights), (*inputs, *weights), strict=True))
        flat = inline_calls(form)
        assert not flat.inner
        frame = ElementFrame(
            flat, {leaf: value.__getitem__ for leaf, value in leaves.items()}, Evaluation(BATCH_SIZE, "float64")
        )
        for line, array in zip(flat.outputs, arrays, strict=True):
            scale = float(np.max(np.abs(array.astype("float64")), initial=0))
            for index in random.Random(case.id).sample(list(np.ndindex(*array.shape)), min(3, array.size)):
                with np.errstate(all="ignore"):
                    value = float(frame.line(line, index))
                assert value == pytest.approx(float(array[index]), abs=1e-5 * scale), (case.id, line.name, index)
