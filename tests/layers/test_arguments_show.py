"""Every argument that is set shows up in what `explain` says of a layer: a walk over all types and their signatures.

What does not show stands in EXCEPTIONS, each with its reason.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import layerexplain
from layerexplain.api import layer_types
from layerexplain.errors import LayerExplainError
from layerexplain.lang.text import statements
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import find
from layerexplain.render.layout import Look
from layerexplain.report.one_layer import build_layer
from tests.cases import CASES, Case
from tests.support.case_rows import row_of
from tests.support.keras_oracle import is_traceable, trace_case
from tests.support.printing import explanation

COMMON = ("trainable", "activity_regularizer", "dtype")
"""Arguments that all layers take."""

VALUES: dict[str, tuple[Any, ...]] = {
    "trainable": (False,),
    "dtype": ("float16",),
    "activity_regularizer": ("l2",),
    "adjustment": ("a function",),
    "axis": (1, 2),
    "bins": (128,),
    "backend_format": (),
    "bias_axes": ("d", "c", "e", "f"),
    "bin_boundaries": ((0.5, 2.5),),
    "bounding_box_format": ("rel_xyxy",),
    "data_format": ("channels_first", "channels_last"),
    "dims": ((2, 1), (1, 3, 2), (3, 1, 2), (2, 1, 3)),
    "dropout": (0.3,),
    "encoding": ("utf-16",),
    "epsilon": (0.25,),
    "factor": ((0.1, 0.3), 0.3, 0.7, 3),
    "fft_length": (32, 64),
    "fill_mode": ("constant", "nearest"),
    "fill_value": (0.25,),
    "flash_attention": (True,),
    "fused": (True,),
    "groups": (1, 3),
    "input_length": (3, 7),
    "kernel_size": (3, 5),
    "l1": (0.3,),
    "l2": (0.3,),
    "logit_soft_cap": (3.0,),
    "lora_alpha": (3.0,),
    "lora_rank": (2,),
    "has_input_vocabulary": (False,),
    "mask_token": (2,),
    "mask_value": (2.5,),
    "max_tokens": (7,),
    "oov_token": (-7,),
    "salt": (7,),
    "vocabulary": ((2, 4, 6, 8),),
    "vocabulary_dtype": ("int32",),
    "max_value": (5.0,),
    "mean": (2.5,),
    "momentum": (0.75,),
    "negative_slope": (0.3,),
    "noise_shape": ((None, 1), (None, 1, 3), (None, 1, 1, 3), (1, 1, 1), (1, 1)),
    "offset": (0.3,),
    "periodic": (True,),
    "rate": (0.45, 3),
    "recurrent_dropout": (0.3,),
    "scale": (0.3, (0.1, 0.3), False),
    "scaling": ("spectrum",),
    "seed": (3,),
    "sigma": ((0.5, 1.5), 2.0),
    "sliding_window": (2,),
    "sparse": (True,),
    "stddev": (0.45,),
    "synchronized": (True,),
    "threshold": (0.3,),
    "unit_forget_bias": (False,),
    "unroll": (True,),
    "implementation": (1,),
    "use_cudnn": (True,),
    "value_range": ((0, 1), (0, 255), (-1, 1)),
    "variance": (2.5,),
    "virtual_batch_size": (4,),
    "weights": ([[1.0]],),
    "window": ("hamming",),
    "mag_exp": (1.5,),
    "max_freq": (7000.0,),
    "min_freq": (5.0,),
    "min_power": (1e-6,),
    "ref_power": (2.0,),
    "sampling_rate": (8000,),
    "top_db": (60.0,),
    "renorm_momentum": (0.5,),
    **dict.fromkeys(("alpha", "addition_factor", "threshold_factor", "x_factor", "y_factor"), (0.3, (0.1, 0.3))),
    **dict.fromkeys(("brightness_factor", "contrast_factor", "hue_factor", "saturation_factor"), (0.3, (0.1, 0.3))),
    **dict.fromkeys(("height_factor", "width_factor"), (0.3, (0.1, 0.3))),
}
"""Values that are tried of an argument; else those that its kind has to try."""

NOT_VALUES = "cell cells layer layers backward_layer"
FROM_FILES = "idf_weights vocabulary_size constants gptq_unpacked_column_size key_shape query_shape value_shape query_mask quantization_config time_major"
OF_THE_SHAPE = "equation output_shape target_shape"
EXCEPTIONS = {
    **dict.fromkeys(NOT_VALUES.split(), "a layer, whose own arguments show"),
    **dict.fromkeys(FROM_FILES.split(), "only files have it, with what a layer was built with or how it was quantized"),
    **dict.fromkeys(OF_THE_SHAPE.split(), "shapes or names axes, which the shape shows; no other value fits a case"),
    "renorm_clipping": "a mapping; its case has one",
}
"""Arguments that the walk leaves out, each with the reason."""

EXCEPTIONS_OF = {
    "AdditiveAttention.score_mode": "Keras inherits it and does not read it",
    "Discretization.epsilon": "adapt() alone reads it",
    "Discretization.num_bins": "adapt() alone reads it",
    "IntegerLookup.max_tokens": "it limits the vocabulary of adapt(), and pads with pad_to_max_tokens",
    "IntegerLookup.pad_to_max_tokens": "refused without max_tokens",
    "IntegerLookup.oov_token": "the token of index 0 of a vocabulary that begins with it",
    "ReversibleEmbedding.mask_zero": "the mask goes to later layers; of the layer alone nothing changes",
    "ReversibleEmbedding.reverse_dtype": "its projection of the vocabulary; no case has it",
    "ReversibleEmbedding.reverse": "which way it is called; the shape of the input says it",
    "Cropping3D.data_format": "no case can be cropped the other way",
    "Resizing.fill_mode": "Keras takes one value",
    "MaxNumBoundingBoxes.fill_value": "it fills bounding boxes, and passes images on",
    "SimpleRNN.zero_output_for_mask": "no case has a mask and all steps",
    **dict.fromkeys(["Conv3DTranspose.dilation_rate", "ConvLSTM3D.dilation_rate"], "no case is large enough"),
    **dict.fromkeys([f"{name}Cell.units" for name in ("LSTM", "GRU", "SimpleRNN")], "the states of its cases fix it"),
    **dict.fromkeys(
        [
            f"{name}.factor"
            for name in (
                "RandomColorJitter",
                "MaxNumBoundingBoxes",
                "RandomCrop",
                "Resizing",
                "CenterCrop",
                "MixUp",
                "Equalization",
            )
        ],
        "Keras inherits it and does not read it",
    ),
}


def _values(name: str, declaration: Declaration, base: Any) -> tuple[Any, ...]:
    if name in VALUES:
        return VALUES[name]
    for ending, value in (("_initializer", "he_normal"), ("_regularizer", "l2"), ("_constraint", "non_neg")):
        if name.endswith(ending):
            return (value,)
    argument = declaration.arguments.get(name)
    return () if argument is None else tuple(argument.check.tried(tuple(base) if isinstance(base, list) else base))


def _text(case: Case, **changes: Any) -> str:
    row = row_of(case._replace(config={**case.config, **changes}))
    if row.explanation is None or row.explanation.sentence.endswith("see the notes."):
        raise LayerExplainError("refused")
    return explanation(BARE._replace(layers=(row,)), [row], Look(None), whole=False)


BARE = build_layer("Dense", {"units": 2}, [(3,)])


CASE_OF: dict[str, list[Case]] = {}
for one in CASES:
    CASE_OF.setdefault(one.type, []).append(one)
TYPES = [name for rows in layer_types().values() for name, _, _ in rows if name in CASE_OF and find(name) is not None]


def _shows(case: Case, name: str, values: Iterable[Any], base: list[str]) -> bool | None:
    """Whether one of the values changes the text of a case; None if none is taken."""
    taken = False
    for value in values:
        changed = case._replace(config={**case.config, name: value})
        try:
            if _lines(changed) != _lines(case):
                return True
            base = base or [_text(case)]
            if _text(case, **{name: value}) != base[0]:
                return True
        except (LayerExplainError, TypeError, ValueError):
            continue
        taken = True
    return False if taken else None


def _shown_together(case: Case, declaration: Declaration, names: Iterable[str]) -> set[str]:
    """Those of the names that the formula does not have and that are named in the text if all of them are set."""
    values = {name: _values(name, declaration, None) for name in names if name not in declaration.arguments}
    try:
        text = _text(case, **{name: tried[0] for name, tried in values.items() if tried})
    except LayerExplainError:
        return set()
    return {name for name in values if f"{name}=" in text or (name == "dtype" and "dtype  " in text)}


def _lines(case: Case) -> Any:
    """What the formula says, which takes a tenth of the time of all."""
    made = trace_case(case)
    shapes = [result.shape for result in made.results.values()]
    return [(line.text, line.indent) for line in statements(made)], shapes, [str(w.shape) for w in made.weights]


def _silent(type_: str) -> Iterator[str]:
    declaration = find(type_)
    assert declaration is not None
    names = {*declaration.arguments, *declaration.ignores, *COMMON} - EXCEPTIONS.keys()
    left = {name for name in names if f"{type_}.{name}" not in EXCEPTIONS_OF}
    taken: set[str] = set()
    for case in CASE_OF[type_]:
        if not left or not is_traceable(case):
            continue
        base: list[str] = []
        left -= _shown_together(case, declaration, left)
        for name in sorted(left):
            default = declaration.arguments[name].default if name in declaration.arguments else None
            value = case.config.get(name, None if default is Argument.REQUIRED else default)
            values = [other for other in _values(name, declaration, value) if other != value]
            shows = _shows(case, name, values, base)
            if shows is not None:
                taken.add(name)
            if shows:
                left.discard(name)
    for name in sorted(left):
        yield f"{name}: {'changes nothing' if name in taken else 'no value was tried'}"


@pytest.mark.parametrize("type_", TYPES)
def test_every_argument_shows(type_: str) -> None:
    assert list(_silent(type_)) == []


def test_the_arguments_of_a_layer_inside_show_too() -> None:
    spec = b"input: [7, 3]\nlayers:\n  - Bidirectional: {LSTM: {units: 5, unroll: true}}\n"
    assert "LSTM: unroll=True changes no value" in layerexplain.explain(spec).explain("bid*")


def test_defaults_that_a_file_writes_are_no_news() -> None:
    config = {"units": 5, "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
              "bias_initializer": "zeros", "kernel_regularizer": None, "trainable": True}  # fmt: skip
    layer = build_layer("Dense", config, [(7,)]).layers[-1]
    assert layer.explanation is not None and layer.explanation.arguments == ()
