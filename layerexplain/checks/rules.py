"""Rules: what each looks for, how sure it is, why it matters and what to do. A rule is a record beside its function."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import accumulate
from typing import Any, TypeVar

from layerexplain.checks.data import data_for, data_of_program, unknown_fits
from layerexplain.checks.findings import SEVERITIES, CheckReport, Finding
from layerexplain.checks.weight_values import stored_weights
from layerexplain.errors import LayerExplainError, must_be_known, names_in, raise_any
from layerexplain.frontends.input_shapes import shapes_for
from layerexplain.model import TORCH_MODULE, DataArray, InputShapes, InputShapesOf, Model, Note
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network, TracedCall
from layerexplain.records import NamedTuple

_FILES = (
    "of_faults",
    "of_losses",
    "of_training",
    "of_optimizers",
    "of_activations",
    "of_recurrence",
    "of_layers",
    "of_axes",
    "of_shapes",
    "of_weights",
    "of_data",
)

_REASONS = frozenset({"opaque", "not-derived", "unknown-input"})
"""The codes of the notes of a network that say why something is not known."""

Place = TracedCall | LayerExplainError | str | None
"""A call of a layer, the layer's name or an error; None for the model as a whole."""

Found = tuple[Place, str] | tuple[Place, str, str]
"""A place, what is wrong there with the numbers of this model, and how severe that is where it is not as the rule
says."""

Look = Callable[[Any], Iterator[Found]]
"""What looks for a mistake: in a network, or in the stored weights where the rule is one on these."""

_Look = TypeVar("_Look", bound=Look)


class Torch(NamedTuple):
    """Why a mistake matters in PyTorch, and what to do there; "" where the rule's own words hold there too."""

    why: str = ""
    fix: str = ""


class Rule(NamedTuple):
    """A rule: its stable code, what it is called, how severe a finding is and how sure, why it matters, what to do,
    where the rule is from, what Keras itself says of it, and the loss that fits instead ("" for nothing). `torch` has
    the words for a model of PyTorch where they are others.

    `inside` says that it looks into nested models too, `of` what it looks at: the "network", its stored "weights", the
    "data", or a "run" of one step. `causes` are the rules whose findings this one explains: of one severity it
    comes first.
    """

    code: str
    name: str
    severity: str
    confidence: str
    why: str
    fix: str
    source: str
    keras: str
    loss: str
    inside: bool
    of: str
    causes: tuple[str, ...]
    look: Look
    torch: Torch | None = None


RULES: dict[str, Rule] = {}
"""The rules by their codes; they are listed in the order of the files, and of the lines in each."""


def rule(
    code: str,
    name: str,
    severity: str,
    confidence: str,
    *,
    why: str,
    fix: str,
    source: str,
    keras: str = "",
    loss: str = "",
    inside: bool = False,
    of: str = "network",
    causes: tuple[str, ...] = (),
    torch: Torch | None = None,
) -> Callable[[_Look], _Look]:
    """Declare a function as a rule."""

    def declare(look: _Look) -> _Look:
        given = (code, name, severity, confidence, why, fix, source, keras, loss, inside, of, causes)
        RULES[code] = Rule(*given, look, torch)
        return look

    return declare


def all_rules() -> tuple[Rule, ...]:
    """Return all rules, loading them.

    >>> "softmax-over-one" in [rule.code for rule in all_rules()]
    True
    """
    files = [import_module(f"layerexplain.checks.{name}").__name__ for name in _FILES]
    return tuple(sorted(RULES.values(), key=lambda rule: files.index(rule.look.__module__)))  # in any order of imports


def follow_rules(
    source: Any,
    model: Model,
    *,
    inputs: InputShapes | InputShapesOf | None = None,
    select: str | Collection[str] = (),
    ignore: str | Collection[str] = (),
    budgets: Mapping[str, float] | None = None,
    weights: bool = False,
    data: Sequence[DataArray] = (),
    run: Sequence[Any] = (),
) -> CheckReport:
    """Report what the rules find in a model, in its data and in a training step (`run`), as `layerexplain.check`
    does; the values of weights are read from `source`."""
    rules = _chosen(all_rules(), names_in(select), names_in(ignore))
    network = trace_model(model, shapes_for(model, inputs))
    faults = written_faults(network)
    if faults:
        from layerexplain.checks.of_faults import code_of

        codes = [rule.code for rule in rules]
        left = [fault for fault in faults if code_of(fault.fact) not in codes]
        raise_any([fault.with_place(source=model.source) for fault in left])
    looked_at: dict[str, Any] = {
        "weights": stored_weights(source, network) if weights else None,
        "data": data_for(network, data),
    }
    if model.fit_data is not None and not data:
        looked_at["data"] = data_of_program(network, model.fit_data)
    looked_at["run"] = run
    refused: list[Note] = []
    findings = [*_findings(network, rules, "", looked_at, refused)]
    seen_behind = _behind_faults(network, rules, findings) if network.faults else frozenset()
    ignored = dict(_ignored(model, ""))
    findings = [finding for finding in findings if not _is_ignored(finding, ignored)]
    if budgets:
        from layerexplain.checks.findings import over_budget

        findings += over_budget(model, shapes_for(model, inputs), budgets)
    in_order = _in_order(findings, model)
    said = tuple([fault.fact for fault in faults])
    notes = [n for n in _unchecked(network) if not n.message.startswith(said) and n.layer not in seen_behind]
    notes += [
        Note(n.code, None, n.message) for n in network.model.notes if n.code in ("others", "open", "open-setting")
    ]
    notes += [*dict.fromkeys(refused), *(unknown_fits(looked_at["data"]) if data else ())]
    return CheckReport(model.source, model.format, model.name, model.type, model.keras_version, in_order, tuple(notes))


def _behind_faults(network: Network, rules: Sequence[Rule], found: list[Finding]) -> frozenset[str]:
    """Add the findings on layers behind layers at fault. Return the names of the layers that were checked there."""
    from layerexplain.checks.of_faults import networks_behind, unseen_layers

    unseen = unseen_layers(network) - {fault.layer for fault in network.faults}
    others = [rule for rule in rules if rule.of == "network" and not rule.look.__module__.endswith("of_faults")]
    behind = [*networks_behind(network)] if unseen else []
    known = {(finding.code, finding.layer) for finding in found}
    each = [[finding for finding in _findings(item, others) if finding.layer in unseen] for item in behind]
    found += (
        [
            finding
            for finding in each[0]
            if all(finding in more for more in each[1:]) and (finding.code, finding.layer) not in known
        ]
        if each
        else []
    )
    return unseen.difference(*map(unseen_layers, behind)) if behind else frozenset()


def _in_order(findings: Sequence[Finding], model: Model) -> tuple[Finding, ...]:
    """Return findings with the most severe first; of one severity causes first, then in the order of the layers."""
    order = {layer.name: number for number, layer in enumerate(model.layers)}
    codes = {finding.code for finding in findings}

    def rank(finding: Finding) -> tuple[int, bool, int]:
        known = RULES.get(finding.code)
        causes = known is not None and not codes.isdisjoint(known.causes)
        return (SEVERITIES.index(finding.severity), not causes, order.get((finding.layer or "").partition("/")[0], -1))

    return tuple(sorted(findings, key=rank))


def messages(network: Network, *codes: str) -> list[str]:
    """Return what some rules find in a traced network, for other reports that judge the same."""
    rules = [rule for rule in all_rules() if rule.code in codes]
    return [finding.message for finding in _findings(network, rules)]


def written_faults(network: Network) -> tuple[LayerExplainError, ...]:
    """Return the errors of a model that a person wrote; those of a file that Keras wrote are notes."""
    model = network.model
    return network.faults if model.strict or model.format in ("code", TORCH_MODULE) else ()


def _findings(
    network: Network,
    rules: Sequence[Rule],
    path: str = "",
    more: Mapping[str, Any] | None = None,
    refused: list[Note] | None = None,
) -> Iterator[Finding]:
    """Yield what rules find in a network and in what else there is of a model, by what the rules look at. A rule that
    needs something that this model does not state ends there: `refused` gets a note of it."""
    is_torch = network.model.framework == "torch"
    for rule in rules:
        words = (is_torch and rule.torch) or Torch()
        looked_at = network if rule.of == "network" else (more or {}).get(rule.of)
        if (path and not rule.inside) or looked_at is None:
            continue
        for place, message, *graded in _looked(rule, looked_at, path, refused):
            if isinstance(place, LayerExplainError):
                name, line, column = place.layer, place.line, place.column
                file = "" if place.source in (None, network.model.source) else str(place.source)
            else:
                layer = place.name if isinstance(place, TracedCall) else place
                name = None if layer is None else path + layer
                own = network.model.layers_by_name.get(layer or "")
                line, column, file = (None, None, "") if own is None else (own.line, own.column, own.file)
            if line is None and (said := _PLACE.search(message)) is not None:
                line, file = int(said["line"]), said["file"] or ""
                file = "" if file == os.path.basename(network.model.source or "") else file
            yield Finding(
                rule.code,
                graded[0] if graded else rule.severity,
                rule.confidence,
                name,
                line,
                message,
                words.why or rule.why,
                words.fix or rule.fix,
                rule.source,
                "" if is_torch else rule.keras,
                column,
                file,
                "" if is_torch else rule.loss,
            )
    for call in network.calls:
        if call.network is not None and call.number == 0:
            yield from _findings(call.network, rules, f"{path}{call.name}/", refused=refused)


_PLACE = re.compile(r"(?:\bline |(?P<file>[\w./-]+\.(?:py|ipynb)):)(?P<line>\d+)")
"""A line that a message names."""


def _looked(rule: Rule, looked_at: Any, path: str, refused: list[Note] | None) -> Iterator[Found]:
    try:
        yield from rule.look(looked_at)
    except LayerExplainError as error:
        if refused is not None:
            layer = error.layer or path.rstrip("/") or None
            refused.append(Note("not-checked", layer, f"the rule {rule.code} could not be applied: {error.fact}"))


def _unchecked(network: Network, path: str = "") -> Iterator[Note]:
    """Yield a note for each layer of a network that no rule could look at, also inside its nested models.

    A spec with a layer at fault has none: the fault is a finding, which says that no other rule is asked.
    """
    if network.model.strict and network.faults:
        return
    noted = {note.layer for note in network.notes if note.code in _REASONS}
    yield from (note for note in network.notes if note.code in _REASONS)
    for call in network.calls:
        where = path + call.name
        if call.network is not None:
            if call.number == 0:
                yield from _unchecked(call.network, f"{where}/")
        elif call.definition is None and None in call.inputs and where not in noted:
            noted.add(where)
            yield Note("not-derived", where, "the shape of its input is not known")


def _ignored(model: Model, path: str) -> Iterator[tuple[str, Collection[str]]]:
    """Yield the codes that a spec ignores for each layer, by its path such as `encoder/dense`."""
    for layer in reversed(model.layers):  # the first of a name counts
        yield path + layer.name, layer.ignore
        if layer.model is not None:
            yield from _ignored(layer.model, f"{path}{layer.name}/")


def _is_ignored(finding: Finding, ignored: Mapping[str, Collection[str]]) -> bool:
    """Return whether a spec ignores what was found for its layer, or for a model that it is in."""
    paths = accumulate((finding.layer or "").split("/"), "{}/{}".format)
    return any(finding.code in ignored.get(path, ()) for path in paths)


def must_be_rules(*codes: str) -> None:
    """Raise ArgumentError for a code that no rule has.

    >>> must_be_rules("softmax-over-one", "softmax-over-on")
    Traceback (most recent call last):
    layerexplain.errors.ArgumentError: no rule 'softmax-over-on'; did you mean 'softmax-over-one'?
    """
    known = [rule.code for rule in all_rules()] if codes else []
    for code in codes:
        must_be_known("rule", code, known, "check --list has all rules")


def _chosen(rules: Sequence[Rule], select: Collection[str], ignore: Collection[str]) -> list[Rule]:
    must_be_rules(*select, *ignore)
    return [rule for rule in rules if rule.code not in ignore and (not select or rule.code in select)]
