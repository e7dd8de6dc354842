"""The Report: everything that is shown of a model, as frozen plain data. `to_dict()` is the JSON contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.model import Note
from layerexplain.report.data import InputReport, LayerReport, OutputReport, Totals
from layerexplain.report.rows import Rows, about, count_of, every_row, json_fields, origin_fields, print_as, to_jsonable

if TYPE_CHECKING:
    from layerexplain.layer_names import Layers
    from layerexplain.report.explanation_data import Memory
    from layerexplain.report.language_model import LanguageModel
    from layerexplain.report.serving import Serving
    from layerexplain.report.size_names import Again, SizeReport
    from layerexplain.report.training_data import StepCost, TrainingReport


class Report(Rows[LayerReport]):
    """A model, explained: a sequence of the rows of its layers.

    A layer inside a nested model is found by its path, `report["encoder/dense"]`. `inputs`, `outputs`, `layers`,
    `totals` and `notes` are data; `memory`, `training` and `step_cost` are there if they were asked for. `faults` are
    the errors of single layers. `grade` says how sure a model is that was read from code: "complete", "assumed" or
    "open"; notes say why. `sizes` are the sizes that have names, which shapes, counts and costs are expressions of.

    >>> import layerexplain
    >>> report = layerexplain.explain(b"name: net\\ninput: [784]\\nlayers:\\n  - Dense: 10\\n")
    >>> report, len(report), "dense" in report
    (<Report of 'net' (<bytes>): 2 layers, 7,850 parameters>, 2, True)
    >>> [row.layer for row in report], report["dense"].params, report[-1].type
    (['input', 'dense'], 7850, 'Dense')
    """

    source: str
    format: str
    model_name: str
    model_type: str
    keras_version: str | None
    inputs: tuple[InputReport, ...]
    outputs: tuple[OutputReport, ...]
    layers: tuple[LayerReport, ...]
    totals: Totals
    notes: tuple[Note, ...]
    memory: Memory | None = None
    faults: tuple[LayerExplainError, ...] = ()
    training: TrainingReport | None = None
    grade: str = "complete"
    framework: str = "keras"
    step_cost: StepCost | None = None
    language: LanguageModel | None = None
    serving: Serving | None = None
    sizes: tuple[SizeReport, ...] = ()
    again: Again | None = None

    def at(self, **sizes: int) -> Report:
        """Return the report with numbers in place of its named sizes: `report.at(H=224, W=224)`.

        Raises:
            LayerExplainError: for a name that the report does not have or lacks, and for sizes that the model does not
                take.

        >>> import layerexplain
        >>> report = layerexplain.explain(b"input: [null]\\nlayers:\\n  - Flatten\\n", inputs={"input": ("T",)})
        >>> report["flatten"].output_shapes, report.at(T=5)["flatten"].output_shapes
        (((None, T),), ((None, 5),))
        """
        if self.again is None:
            raise ArgumentError(
                "the report has no named sizes; explain(source, inputs={'image': ('H', 'W', 3)}) names some"
            )
        return self.again.at(sizes)

    def _rows(self) -> Sequence[LayerReport]:
        return self.layers

    def _named_rows(self) -> Iterator[tuple[str, LayerReport]]:
        return ((row.path, row) for row in every_row(self.layers))

    def _about(self) -> str:
        facts = count_of(len(self.layers), "layer"), count_of(self.totals.params, "parameter")
        return about(self.source, self.model_name, *facts)

    def explain(self, layers: Layers | None = None, *, full: bool = False) -> str:
        """Return the explanations as text, as `layerexplain explain` prints them: of all layers a tour, of chosen ones
        more.

        Args:
            layers: Which layers: a name or pattern ("conv*"), several, or a function of the path. All that are
                explained if it is not given.
            full: Whether to return all there is, as with `--full`.

        Raises:
            LayerExplainError: if a pattern matches no layer, or if the report was made with `detail=False`.

        >>> import layerexplain
        >>> report = layerexplain.explain(b"input: [784]\\nlayers:\\n  - Dense: 10\\n")
        >>> print(report.explain("dens*").splitlines()[0])
        dense · Dense  (None, 784) → (None, 10)
        """
        return print_as("explanation", self, layers, full)

    def page(self, fold: bool = True) -> str:
        """Return the page of the model, which a notebook shows; `layerexplain.page` says what is on it."""
        return print_as("page", self, fold)

    def to_dict(self, *, nested: bool = False) -> dict[str, Any]:
        """Return the report in the form of the JSON contract (docs/report.schema.json)."""
        origin = origin_fields(self)
        origin["model"] |= {"grade": self.grade, "framework": self.framework}
        if self.sizes:
            from layerexplain.lang.named_sizes import as_python

            numbers: dict[str, Any] = as_python(self._replace(sizes=()).to_dict(nested=nested))
            return {**numbers, "sizes": to_jsonable(self.sizes)}
        return {
            **origin,
            **json_fields({"inputs": self.inputs, "outputs": self.outputs, "training": self.training}),
            "layers": [layer.to_dict(nested=nested) for layer in self.layers],
            "totals": {**to_jsonable(self.totals), **({} if self.language is None else self.language.to_dict())},
            **({} if self.step_cost is None else {"step_cost": to_jsonable(self.step_cost)}),
            **({} if self.memory is None else {"memory": to_jsonable(self.memory)}),
            **({} if self.serving is None else {"serving": to_jsonable(self.serving)}),
            "notes": to_jsonable(self.notes),
        }
