"""The data of pages of single layers, each without a model, and of a page that compares two models.

Both have `model`, of which the `title` counts, and `layers`, `definitions` and `forms` as data.py says. Beside them:

- of one layer whose arguments are changed: `type`, `about`; `choices`: `[name, values, number of the given one,
  words]`, where a value is `[text, word of the command or ""]`; `sliders`: `[label, lowest, highest, given, words,
  arguments]`; `nodes`: how sizes are computed (lang/open_sizes.py): a number, the label of a slider, or `[sign, node,
  node]`; `cases`: for each combination of choices, the last changing fastest, `[conditions, layer]`: of the first
  whose conditions hold the `layers`, `definitions` and `forms` are true, with sizes in place of marks; a text says why
  the layer takes no such arguments. `command`: what stands in front, `[argument, whether it was typed, word, numbers of
  its sliders]`, and what stands behind; `given`: texts of the arguments that have no control.
- of a gallery: `families`: `[title, [number of a type, …]]`; `types`: `{type, about, command, arguments}` in the order
  of `layers`.
- of both: `arguments` of a type: `[name, words, default]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any

from layerexplain.keras_code import flow_text
from layerexplain.lang.axes import is_open
from layerexplain.render.escape import clean
from layerexplain.render.graph.fold import LARGE
from layerexplain.render.page.data import layer_data, page_data, used_nodes
from layerexplain.render.page.shell import Page, shell
from layerexplain.render.quantities import excerpts
from layerexplain.report.comparison import Comparison
from layerexplain.report.data import LayerReport
from layerexplain.report.one_layer import LayerType
from layerexplain.report.report import Report
from layerexplain.report.what_if import A_NUMBER, Choice, WhatIf

if TYPE_CHECKING:
    from layerexplain.run.page_program import PageProgram


# Layer data ---------------------------------------------------------------------------------------------------------


def gallery_data(title: str, families: Mapping[str, Iterable[tuple[LayerType, LayerReport]]]) -> dict[str, Any]:
    """Return the structure of a page of many independent layers, by family: of each its type and its example,
    explained."""
    types: list[dict[str, Any]] = []
    layers: list[LayerReport] = []
    listed: list[tuple[str, list[int]]] = []
    for family, examples in families.items():
        listed.append((clean(family), []))
        for known, layer in examples:
            listed[-1][1].append(len(layers))
            layers.append(layer)
            shapes = [word for shape in known.example_inputs for word in ("--input", shape)]
            command = ["layerexplain", "layer", known.type, *known.example, *shapes]
            types.append({
                "type": known.type,
                "about": clean(known.description),
                "command": clean(" ".join(map(_quoted, command))),
                "arguments": _arguments(known),
            })  # fmt: skip
    return {"model": {"title": clean(title)}, **layer_data(layers), "families": listed, "types": types}


def shown_layer(row: LayerReport) -> dict[str, Any]:
    """Return what the page shows of a layer, which `what_if` is to derive with open sizes."""
    return layer_data((row,))


def what_if_data(known: LayerType, what_if: WhatIf, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the structure of the page of one layer; `found` has `shown_layer`, `typed` are its arguments as they
    were given."""
    fixed = {name: value for name, value in typed.items() if name in what_if.fixed}
    places = [[place[0] for place in slider.places] for slider in what_if.sliders]
    words = [
        [name, name in typed, _word(name, value), [i for i, names in enumerate(places) if name in names]]
        for name, value in what_if.arguments.items()
    ]
    words += [[choice.name, False, "", []] for choice in what_if.choices if choice.name not in what_if.arguments]
    inputs = [" ".join(["--input", ",".join(map(str, shape)) or quote("()")]) for shape in what_if.shapes]
    return {
        "model": {"title": f"{known.type}: what if"},
        "type": known.type,
        "about": clean(known.description),
        "choices": [
            [
                choice.name,
                [[_text(value), _chosen(choice, number, typed)] for number, value in enumerate(choice.values)],
                choice.given,
                clean(choice.words),
            ]
            for choice in what_if.choices
        ],
        "sliders": [
            [
                slider.label,
                slider.low,
                slider.high,
                slider.given,
                clean(slider.words),
                [str(name) for name in places[i]],
            ]
            for i, slider in enumerate(what_if.sliders)
        ],
        "given": [clean(f"{name}={flow_text(value)}") for name, value in fixed.items()],
        "command": [
            clean(f"layerexplain layer {quote(known.type)}"),
            words,
            " ".join([*[_word(*item) for item in fixed.items()], *inputs]),
        ],
        "arguments": _arguments(known),
        **_cases(what_if, words, inputs),
    }


def _cases(what_if: WhatIf, *others: Any) -> dict[str, Any]:
    """Return the `nodes` that are named, and the cases."""
    cases = [
        [[case.conditions, clean(case.shown) if isinstance(case.shown, str) else case.shown] for case in of]
        for of in what_if.cases
    ]
    conditions = [condition for of in what_if.cases for case in of for condition in case.conditions]
    return {"nodes": used_nodes(what_if.nodes, conditions, [cases, others]), "cases": cases}


def _chosen(choice: Choice, number: int, typed: Mapping[str, Any]) -> str:
    """Return the word of the command for a value; none where it is what the command has without one, or where it is
    that of a slider."""
    value = choice.values[number]
    is_default = (number == choice.given and choice.name not in typed) or value == A_NUMBER
    return "" if is_default else _word(choice.name, value)


def _arguments(known: LayerType) -> list[list[str]]:
    return [
        [argument.name, clean(argument.words), "required" if argument.is_required else _text(argument.default)]
        for argument in known.arguments
    ]


def _text(value: Any) -> str:
    return clean("None" if value is None else value if isinstance(value, str) and value else flow_text(value))


def _word(name: str, value: Any) -> str:
    word = f"{name}={flow_text(value)}"
    return clean(word if is_open(value) else _quoted(word))


def _quoted(word: str) -> str:
    """Return a word for a shell, between double quotes where it has single ones."""
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else quote(word)


# Comparison data ----------------------------------------------------------------------------------------------------
# The data of a page that shows two models side by side: js/compare.js draws it.


def comparison_page(
    reports: Sequence[Report],
    comparison: Comparison,
    fold: bool,
    programs: Sequence[PageProgram] = (),
    reasons: Sequence[str] = (),
) -> Page:
    """Return the page of two models whose differences were found. `programs` are what runs them; if there are not two,
    `reasons` says for each why it does not run, or ""."""
    if len(programs) < 2:
        data = comparison_data(reports, comparison, fold)
        for side, why in zip((data["before"], data["after"]), reasons, strict=False):
            side["model"]["still"] = clean(why)
        return shell(data, data["title"], "compare", ("compare",))
    data = comparison_data(reports, comparison, fold, programs)
    return shell(data, data["title"], "comparing", ("play", "compare"), *[program.weights for program in programs])


def comparison_data(
    reports: Sequence[Report],
    comparison: Comparison,
    fold: bool = True,
    programs: Sequence[PageProgram | None] = (None, None),
) -> dict[str, Any]:
    """Return the structure of the page of two models."""
    large = any(len(report.layers) > LARGE for report in reports)  # both at the same level of detail
    sides = [page_data(report, fold, program=run, large=large) for report, run in zip(reports, programs, strict=True)]
    first, second = ({layer["path"]: at for at, layer in enumerate(side["layers"])} for side in sides)
    partners = {clean(change.layer): clean(change.layer_after) for change in comparison.changes if change.layer}
    partners.update({clean(path): clean(other) for path, other in comparison.renumbered.items()})
    titles = [side["model"]["source"] or side["model"]["title"] for side in sides]
    return {
        "title": f"{titles[0]} → {titles[1]}",
        "names": titles,
        "before": sides[0],
        "after": sides[1],
        "changes": [
            [
                change.kind,
                first.get(clean(change.layer)),
                second.get(clean(change.layer_after)),
                clean(change.layer or change.layer_after or "the model"),
                clean(change.type),
                [
                    [clean(part.what), *map(clean, excerpts(part.before, part.after))]
                    for part in change.differences
                ],
            ]
            for change in comparison.changes
        ],
        "pairs": [second.get(partners.get(path, path)) for path in first],
    }  # fmt: skip
