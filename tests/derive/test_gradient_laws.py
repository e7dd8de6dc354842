"""Laws of derived gradients: elements equal arrays, and contractions cost twice the forward."""

import itertools
import re
from typing import Any

import pytest

from layerexplain.derive.cost import Costs
from layerexplain.derive.element.form import element_form
from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate, evaluate_nodes
from layerexplain.derive.gradient.backward import Gradient, gradient
from layerexplain.lang.axes import BATCH
from layerexplain.lang.composite import COMPOSITES, composite
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, tensor
from layerexplain.ops import load_all
from tests.cases import Case
from tests.support.drawn_values import TYPES, definitions, values_for
from tests.support.element_values import ElementValues
from tests.support.gradient_differences import Doubled, derived
from tests.support.gradient_formulas import LEAVES, definition_of_text, leaf_value
from tests.support.keras_oracle import BATCH_SIZE
from tests.support.tries import tries

np = pytest.importorskip("numpy")

load_all()

AT_MOST = tries(few=5, many=10)
"""Elements that are compared of each gradient."""

REFUSED = r"the positions depend on the values|which element of a window is the largest|the number of .* depends on"
REFUSED += "|between bin edges on a logarithmic scale|the signal is reflected at both ends"
"""Why the elements of some gradients have no formula by index."""


def kept_values(case: Case, definition: Definition, found: Gradient) -> tuple[list[Any], list[Any]]:
    """Arrays for the parameters and the weights of the backward formula, computed by the forward pass."""
    inputs, weights = values_for(case, definition)
    rng = np.random.default_rng(3)
    run = Doubled(BATCH_SIZE, "float64")
    seeds = found.whole.params[len(definition.params) :]
    drawn = [rng.normal(size=[s if isinstance(s, int) else BATCH_SIZE for s in dy.shape]) for dy in seeds]
    env = dict(zip([*found.whole.params, *definition.weights], [*inputs, *drawn, *weights], strict=True))
    kept = evaluate_nodes(list(found.kept.values()), env, run) if found.kept else []
    env |= dict(zip(found.kept, kept, strict=True))
    backward = found.backward
    return [env[p] for p in backward.params], [env[w] for w in backward.weights]


@pytest.mark.parametrize("type_", TYPES)
def test_elements_of_gradients_equal_the_arrays(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        found = derived(definition)
        if isinstance(found, str) or not found.backward.results or None in case.config.get("target_shape", ()):
            continue
        form = element_form(found.backward)
        refused = [line.refusal for line in form.lines if line.refusal]
        if refused:
            assert all(re.search(REFUSED, why) for why in refused), (case.id, refused)
            continue
        try:
            values, weights = kept_values(case, definition, found)
            arrays = evaluate(found.backward, values, weights, Doubled(BATCH_SIZE, "float64"))
        except CannotEvaluate:
            continue
        elements = ElementValues(form, values, weights, BATCH_SIZE)
        for result, array in enumerate(arrays):
            scale = float(np.max(np.abs(array), initial=0))
            indices = list(itertools.product(*[range(size) for size in array.shape]))
            if len(indices) > AT_MOST:
                indices = [indices[i] for i in np.random.default_rng(0).choice(len(indices), AT_MOST, replace=False)]
            for index in indices:
                value = float(elements.element(result, index))
                assert value == pytest.approx(float(array[index]), abs=1e-6 * scale + 1e-12), (case.id, result, index)


PRODUCTS = (
    "Dense",
    "EinsumDense",
    "Conv2D",
    "Conv1DTranspose",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "Dot",
    "Attention",
)
PRODUCTS += ("AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention", "SimpleRNN", "LSTM", "GRU", "ConvLSTM2D")
PRODUCTS += ("RNN", "LSTMCell", "GRUCell", "Bidirectional", "TimeDistributed")
"""Types of which the law holds for a row at least."""


def _wanted(definition: Definition) -> bool:
    """Whether a gradient is wanted of all tensors and weights, and comes back to all."""
    leaves = (*definition.params, *definition.weights)
    floats = [leaf for leaf in leaves if leaf.dtype != "bool" and "int" not in leaf.dtype]
    return all(leaf.attrs.get("trainable", True) for leaf in floats)


def _sums_alone(case: Case) -> bool:
    """Whether a letter of one factor is summed that the other one and the result lack: its gradient is one for all."""
    into, _, out = str(case.config.get("equation", "")).partition("->")
    of_x, _, of_w = into.partition(",")
    return bool({*of_x} - {*of_w, *out} or {*of_w} - {*of_x, *out})


@pytest.mark.parametrize("type_", TYPES)
def test_contractions_cost_twice_the_forward(type_: str) -> None:
    """One for the gradient of each factor; what is kept of the forward pass costs nothing."""
    held = 0
    for case, definition in definitions(type_, fixed=True):
        found = derived(definition)
        forward = Costs().cost_of(definition).macs
        if isinstance(found, str) or found.unreached or not forward or not _wanted(definition) or _sums_alone(case):
            continue
        factors = 1 if type_ == "MelSpectrogram" else 2  # its filters are fixed
        assert Costs().cost_of(found.backward).macs == factors * forward, case.id
        held += 1
    assert held or type_ not in PRODUCTS


LINEAR = """
-a; 3 * a; a - column; sum(a, axis=1); sum(a); mean(a, axis=(1, 2)); dot(a, M); dot(a[:, 0], M); matmul(a, S)
einsum(a, b, eq='nij,nkj->nik'); einsum(a, eq='nij->nj'); einsum(S, eq='nii->ni'); reshape(a, shape=(n, 12))
transpose(a, axes=(0, 2, 1)); concatenate(a, a * 2); stack(a, b, axis=1); a[:, 1:3]; a[:, ::2]; a[:, None, 2, -2:]
reverse(a); pad(a, pads=((0, 0), (1, 2), (0, 1))); repeat(a, times=2, axis=1); tile(a, times=(1, 2, 3)); roll(a, by=2, axis=1)
broadcast_to(column, shape=(n, 4, 3)); band(S, below=0); diagonal(S, offset=1); diag(a, offset=-1); table[places]
gather(a, parts, axis=1); take_along(a, order, axis=1); gather_nd(table, pairs); cumsum(a, axis=1); where(mask, a, 0)
conv(line, K_line, strides=2, padding='same'); conv(image, K, dilation_rate=2); conv(image, K_grouped, groups=2)
depthwise_conv(image, K_each, padding='same'); conv_transpose(image, K_back, strides=2); patches(image, size=2)
average_pool(image, size=3, strides=2, padding='same'); adaptive_average_pool(image, size=(3, 5)); resize(image, times=2)
resize(image, times=2, method='nearest'); average_pool_back(grads, to=(7, 8), size=2)
"""


@pytest.mark.parametrize("text", [row.strip() for row in LINEAR.replace("\n", ";").split(";") if row.strip()])
def test_the_rule_of_a_linear_op_is_its_element_form_inverted(text: str) -> None:
    """What an output takes of an input by the formula of one element, the input gets of the output's gradient."""
    definition = definition_of_text(f"y = {text}")
    rng = np.random.default_rng(13)
    values = [leaf_value(rng, *LEAVES[str(p.label)]) for p in definition.params]
    form, found = element_form(definition), gradient(definition).whole
    assert not [line.refusal for line in form.lines if line.refusal]
    x = values[0]
    zero = ElementValues(form, [np.zeros(x.shape), *values[1:]], [], 2)
    run = Evaluation(2, "float64")
    (y,) = evaluate(definition, values, [], run)
    for place in rng.choice(y.size, min(y.size, 6), replace=False):
        dy = np.zeros(y.shape)
        index = tuple(map(int, np.unravel_index(place, y.shape)))
        dy[index] = 1
        (dx, *_) = evaluate(found, [*values, dy], [], run)
        from_it = [*rng.permutation(np.flatnonzero(dx))[:5], *rng.permutation(np.flatnonzero(dx == 0))[:3]]
        for at in from_it:
            one = np.zeros(x.shape)
            one.flat[at] = 1
            taken = ElementValues(form, [one, *values[1:]], [], 2).element(0, index) - zero.element(0, index)
            assert float(dx.flat[at]) == pytest.approx(float(taken), abs=1e-12), (text, index, at)


def _of_function(name: str, attrs: dict[str, Any]) -> Definition:
    z = tensor("z", (BATCH, 4, 6))
    y: Expr = COMPOSITES[name](z, **attrs)
    return Definition("case", (z,), (), {"y": y})


@pytest.mark.parametrize("name", sorted(name for name, one in COMPOSITES.items() if one.stable and one.scalar))
def test_the_slope_of_a_stable_function_does_not_overflow(name: str) -> None:
    z = np.resize(np.array([-800.0, -90.0, 90.0, 800.0]), (1, 4, 6))
    with np.errstate(over="raise", invalid="raise"):
        (found,) = evaluate(gradient(_of_function(name, {})).whole, [z, z * 0 + 1], [], Evaluation(1, "float64"))
    assert np.all(np.isfinite(found))
    assert np.all(np.abs(found) < 2)


def test_a_stable_function_needs_a_slope() -> None:
    with pytest.raises(TypeError, match="composite 'odd' has a stable evaluator, so it needs a slope"):
        composite("odd", scalar=True, stable=lambda np, z: z)(lambda z: z)
