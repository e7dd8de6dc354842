"""The step of each optimizer of keras.optimizers. Reference: keras/src/optimizers, one file each."""

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import Anything, Bool, Int, NonNegative, Number, PositiveInt, Share
from layerexplain.layers.declaration import Stored
from layerexplain.layers.keras.optimizer_declaration import Inner, only_if, optimizer, register_optimizer, slot
from layerexplain.ops import elementwise as e
from layerexplain.ops import reduce
from layerexplain.ops.elementwise import average, complement
from layerexplain.ops.linalg import orthogonalized
from layerexplain.records import NamedTuple

Step = Mapping[str, Expr]


class Betas(NamedTuple):
    """The arguments that Adam and its kin share: what is kept of the averages, and what is added to their root."""

    beta_1: Share = 0.9
    beta_2: Share = 0.999
    epsilon: NonNegative = 1e-7

    def averages(self, W: Expr, g: Expr) -> tuple[Expr, Expr]:
        """The running means of the gradient and of its square."""
        return average(slot("momentum", "m", W), g, self.beta_1), average(slot("velocity", "v", W), g**2, self.beta_2)


@optimizer("SGD", learning_rate=0.01)
def sgd(W: Expr, g: Expr, lr: Any, step: Expr, *, momentum: Share = 0.0, nesterov: Bool = False) -> Step:
    """Gradient descent: moves the weight against its gradient, with momentum if there is one."""
    if not momentum:
        return {"W": W - lr * g}
    moved = momentum * slot("momentum", "m", W) - lr * g
    return {"m": moved, "W": W + momentum * moved - lr * g if nesterov else W + moved}


@optimizer("RMSprop")
def rmsprop(
    W: Expr,
    g: Expr,
    lr: Any,
    step: Expr,
    *,
    rho: Share = 0.9,
    momentum: Share = 0.0,
    epsilon: NonNegative = 1e-7,
    centered: Bool = False,
) -> Step:
    """Divides the gradient by the root of its running mean square, so that all weights move at a similar rate.

    With `centered` by its running deviation. Reference: Hinton, 2012; Graves, 2013.
    """
    square = average(slot("velocity", "v", W), g**2, rho)
    new, spread = {"v": square}, square
    if centered:
        mean = average(slot("average_gradient", "a", W), g, rho)
        new, spread = {"v": square, "a": mean}, square - mean**2
    change = lr * g / e.sqrt(spread + epsilon)
    if momentum:
        change = momentum * slot("momentum", "m", W) + change
        new["m"] = change
    return {**new, "W": W - change}


@optimizer("Adam")
def adam(W: Expr, g: Expr, lr: Any, step: Expr, *, betas: Betas, amsgrad: Bool = False) -> Step:
    """Moves the weight along the running mean of its gradient, divided by the root of its running mean square.

    α makes up for averages that begin at 0. Reference: Kingma and Ba, 2014; amsgrad: Reddi et al., 2018.
    """
    beta_1, beta_2, epsilon = betas
    rate = named("α", lr * e.sqrt(1 - e.power(beta_2, step)) / (1 - e.power(beta_1, step)))
    mean, square = betas.averages(W, g)
    new = {"m": mean, "v": square}
    if amsgrad:
        square = new["v_hat"] = e.maximum(slot("velocity_hat", "v_hat", W), square)
    return {**new, "W": W - rate * mean / (e.sqrt(square) + epsilon)}


@optimizer("AdamW", weight_decay=0.004)
def adamw(W: Expr, g: Expr, lr: Any, step: Expr, *, betas: Betas, amsgrad: Bool = False) -> Step:
    """Adam, with weight decay: each weight is first reduced by a share of itself.

    Reference: Loshchilov and Hutter, 2019.
    """
    return adam(W, g, lr, step, betas=betas, amsgrad=amsgrad)


@optimizer("Adadelta")
def adadelta(W: Expr, g: Expr, lr: Any, step: Expr, *, rho: Share = 0.95, epsilon: NonNegative = 1e-7) -> Step:
    """Divides the gradient by its running root mean square, and multiplies it by that of the previous updates.

    Reference: Zeiler, 2012.
    """
    changes = slot("accumulated_delta_var", "d", W)
    square = average(slot("accumulated_grad", "a", W), g**2, rho)
    change = named("change", -e.sqrt(changes + epsilon) * g / e.sqrt(square + epsilon))
    return {"a": square, "d": average(changes, change**2, rho), "W": W + lr * change}


@optimizer("Adagrad")
def adagrad(
    W: Expr, g: Expr, lr: Any, step: Expr, *, initial_accumulator_value: NonNegative = 0.1, epsilon: NonNegative = 1e-7
) -> Step:
    """Divides the gradient by the root of the sum of all its squares so far: large gradients make later steps smaller.

    Reference: Duchi et al., 2011.
    """
    total = slot("accumulator", "a", W, initial_accumulator_value) + g**2
    return {"a": total, "W": W - lr * g / e.sqrt(total + epsilon)}


@optimizer("Adamax")
def adamax(W: Expr, g: Expr, lr: Any, step: Expr, *, betas: Betas) -> Step:
    """Adam that divides by the decayed maximum of the gradients in place of the root of their mean square.

    Reference: Kingma and Ba, 2014.
    """
    beta_1, beta_2, epsilon = betas
    mean = average(slot("momentum", "m", W), g, beta_1)
    largest = e.maximum(beta_2 * slot("norm", "u", W), e.absolute(g))
    return {"m": mean, "u": largest, "W": W - lr * mean / ((1 - e.power(beta_1, step)) * (largest + epsilon))}


@optimizer("Nadam")
def nadam(W: Expr, g: Expr, lr: Any, step: Expr, *, betas: Betas) -> Step:
    """Adam with Nesterov's momentum, which looks one step ahead.

    `p` is one number for all weights: the product of the momenta so far. Reference: Dozat, 2016.
    """
    beta_1, beta_2, epsilon = betas
    now = named("now", beta_1 * (1 - 0.5 * e.power(0.96, step)))
    then = named("next", beta_1 * (1 - 0.5 * e.power(0.96, step + 1)))
    product = slot("u_product", "p", W, 1.0, shape=()) * now
    mean, square = betas.averages(W, g)
    ahead = named("m_hat", then * mean / (1 - product * then) + (1 - now) * g / (1 - product))
    spread = named("v_hat", square / (1 - e.power(beta_2, step)))
    return {"p": product, "m": mean, "v": square, "W": W - lr * ahead / (e.sqrt(spread) + epsilon)}


@optimizer("Ftrl")
def ftrl(
    W: Expr,
    g: Expr,
    lr: Any,
    step: Expr,
    *,
    learning_rate_power: Number = -0.5,
    initial_accumulator_value: NonNegative = 0.1,
    l1_regularization_strength: NonNegative = 0.0,
    l2_regularization_strength: NonNegative = 0.0,
    l2_shrinkage_regularization_strength: NonNegative = 0.0,
    beta: NonNegative = 0.0,
) -> Step:
    """Follows the regularized leader: recomputes the weight from the sums of gradients; it is often exactly 0.

    Reference: McMahan et al., 2013.
    """
    l1, power = l1_regularization_strength, -learning_rate_power
    shrunk = g if not l2_shrinkage_regularization_strength else g + 2 * l2_shrinkage_regularization_strength * W
    old = slot("accumulator", "a", W, initial_accumulator_value)
    before = named("before", old**power)
    total = old + g**2
    after = named("after", total**power)
    linear = slot("linear", "z", W) + shrunk - (after - before) / lr * W
    scale = after / lr
    if beta or l2_regularization_strength:
        scale = scale + 2 * l2_regularization_strength + beta / lr
    return {"a": total, "z": linear, "W": (e.minimum(e.maximum(linear, -l1), l1) - linear if l1 else -linear) / scale}


@optimizer("Lion")
def lion(W: Expr, g: Expr, lr: Any, step: Expr, *, beta_1: Share = 0.9, beta_2: Share = 0.99) -> Step:
    """Moves each weight by the learning rate, up or down: only the sign of the averaged gradient counts.

    Reference: Chen et al., 2023.
    """
    mean = slot("momentum", "m", W)
    moved = W - lr * e.sign(average(mean, g, beta_1))
    return {"W": moved, "m": average(mean, g, beta_2)}


@optimizer("Lamb")
def lamb(W: Expr, g: Expr, lr: Any, step: Expr, *, betas: Betas) -> Step:
    """Adam with steps in proportion to the norm of each weight, for large batches.

    Reference: You et al., 2019.
    """
    beta_1, beta_2, epsilon = betas
    mean, square = betas.averages(W, g)
    spread = e.sqrt(square / (1 - e.power(beta_2, step))) + epsilon
    change = named("change", mean / (1 - e.power(beta_1, step)) / spread)
    own, of_change = (named(name, e.sqrt(reduce.sum_(x**2, axis=None))) for name, x in (("w", W), ("u", change)))
    both = e.logical_and(e.greater(own, 0), e.greater(of_change, 0))
    ratio = named("ratio", e.where(both, own / of_change, 1.0))
    return {"m": mean, "v": square, "W": W - lr * ratio * change}


@optimizer("Adafactor")
def adafactor(
    W: Expr,
    g: Expr,
    lr: Any,
    step: Expr,
    *,
    beta_2_decay: Number = -0.8,
    epsilon_1: NonNegative = 1e-30,
    epsilon_2: NonNegative = 1e-3,
    clip_threshold: NonNegative = 1.0,
    relative_step: Bool = True,
) -> Stored:
    """Adam without momentum that stores mean squares of a matrix by row and by column only.

    `relative_step` changes nothing: Keras bounds the learning rate by 1/√step either way. Reference: Shazeer and Stern,
    2018.
    """
    beta = named("β", 1 - e.power(step, beta_2_decay))
    rate = named("α", e.maximum(epsilon_2, _rms(W)) * e.minimum(lr, 1 / e.sqrt(step)))
    square = g**2 + epsilon_1
    new: dict[str, Expr] = {}
    unread: tuple[Expr, ...] = ()
    if W.ndim >= 2:
        sizes: Any = W.shape
        square = named("g2", square)
        r = slot("r", "r", W, shape=sizes[:-1])
        c = slot("c", "c", W, shape=(*sizes[:-2], sizes[-1]))
        new["r"] = r = beta * r + (1 - beta) * reduce.mean(square, axis=-1)
        new["c"] = c = beta * c + (1 - beta) * reduce.mean(square, axis=-2)
        share = r / reduce.mean(r, axis=-1, keepdims=True)
        columns = c[..., None, :]
        new["v"] = spread = share[..., None] * columns
        unread = (slot("velocity", "v", W),)  # Keras keeps it, and makes it anew in each step
    else:
        new["v"] = spread = beta * slot("velocity", "v", W) + (1 - beta) * square
    change = named("change", g / e.sqrt(spread))
    size = _rms(change) if clip_threshold == 1 else _rms(change) / clip_threshold
    return Stored({**new, "W": W - rate * change / e.maximum(1, size)}, unread)


def _rms(x: Expr) -> Expr:
    return e.sqrt(reduce.mean(x**2, axis=None))


def _as_adam(W: Expr, arguments: Mapping[str, Any]) -> bool:
    """Whether Muon treats a weight as AdamW does: what is no matrix, and what is excluded by its name."""
    return W.ndim != 2 or bool(arguments.get("excluded"))


@optimizer(
    "Muon",
    lambda W, common, given: given["adam_weight_decay"] if _as_adam(W, given) else common.weight_decay,
    weight_decay=0.004,
)
def muon(
    W: Expr,
    g: Expr,
    lr: Any,
    step: Expr,
    *,
    adam_beta_1: Share = 0.9,
    adam_beta_2: Share = 0.999,
    adam_weight_decay: NonNegative | None = 0.004,
    epsilon: NonNegative = 1e-7,
    exclude_layers: Anything | None = None,
    exclude_embeddings: Bool = True,
    muon_a: Number = 3.4445,
    muon_b: Number = -4.775,
    muon_c: Number = 2.0315,
    adam_lr_ratio: NonNegative = 1.0,
    momentum: Share = 0.95,
    ns_steps: PositiveInt = 5,
    nesterov: Bool = True,
    rms_rate: NonNegative | None = 0.2,
    **exclusions: Any,
) -> Step:
    """Moves a matrix along its averaged gradient, orthogonalized; other weights are updated as by AdamW.

    Embeddings, and the layers that are excluded by name, are updated as by AdamW too. Reference: Jordan, 2024.
    """
    if _as_adam(W, exclusions):
        rate = lr if adam_lr_ratio == 1 else lr * adam_lr_ratio
        return adam(W, g, rate, step, betas=Betas(adam_beta_1, adam_beta_2, epsilon))
    gathered = momentum * slot("momentum", "m", W) + g
    ahead = g + momentum * gathered if nesterov else gathered
    change = orthogonalized(ahead, a=muon_a, b=muon_b, c=muon_c, rounds=ns_steps)
    rows, columns = (int(size) for size in W.shape if isinstance(size, int))
    scale = 1.0 if rms_rate is None else max(rows, columns) ** 0.5 * rms_rate
    return {"m": gathered, "W": W - lr * scale * named("change", change)}


@optimizer("ScheduleFreeAdamW", learning_rate=0.0025, epsilon=1e-8)
def schedule_free_adamw(W: Expr, g: Expr, lr: Any, step: Expr, *, betas: Betas, warmup_steps: Int = 0) -> Step:
    """AdamW without a schedule: the weight lies between the newest iterate and the mean of all iterates so far.

    The mean so far is worked out from the newest point, as Keras does on TensorFlow; the paper has the point before.
    Reference: Defazio et al., 2024.
    """
    beta_1, beta_2, epsilon = betas
    if warmup_steps > 0:
        lr = named("lr", lr * e.minimum(step / warmup_steps, 1.0))
    point = slot("momentum", "z", W, "W")
    square = average(slot("velocity", "v", W), g**2, beta_2)
    moved = point - lr * g / (e.sqrt(square / (1 - e.power(beta_2, step))) + epsilon)
    before = named("x", (W - complement(beta_1) * moved) / beta_1)
    mean = (1 - 1 / step) * before + moved / step
    return {"v": square, "z": moved, "W": complement(beta_1) * moved + beta_1 * mean}


def loss_scale(
    W: Expr,
    g: Expr,
    step: Expr,
    global_norm: Expr | None = None,
    *,
    inner_optimizer: Inner,
    initial_scale: NonNegative = 2.0**15,
    dynamic_growth_steps: PositiveInt = 2000,
) -> Stored:
    """Wraps an optimizer: it gets the gradient divided by the scale of the loss, and no step where one overflows.

    The loss is multiplied by the scale first, so that small gradients do not vanish in float16. The scale doubles after
    as many steps without an overflow as `dynamic_growth_steps` says, and halves with each overflow in any weight.
    """
    scale, count = slot("dynamic_scale", "S", W, initial_scale, shape=()), slot("step_counter", "c", W, shape=())
    finite = named("finite", reduce.all_(e.isfinite(g), axis=None))
    inner_step = inner_optimizer.formula(W, named("g_true", g / scale), step, global_norm)
    grows = named("grows", e.equal(count, dynamic_growth_steps - 1))
    new = {
        **only_if(finite, inner_step.result, W, inner_step.weights),
        "S": e.where(finite, e.where(grows, 2 * scale, scale), 0.5 * scale),
        "c": e.where(e.logical_and(finite, e.logical_not(grows)), count + 1, 0.0),
    }
    return Stored(new, inner_step.weights)


def multi_optimizer(
    W: Expr, g: Expr, step: Expr, global_norm: Expr | None = None, *, optimizer_map: Anything
) -> Stored:
    """Hands each weight to one of several optimizers, by the path of its variable."""
    chosen = _chosen(optimizer_map)
    by = f": {', '.join([f'{name} {which}' for name, which in chosen])}" if chosen else ""
    item = chosen[0][0] if chosen else "Adam"
    raise ArgumentError(
        f"MultiOptimizer gives each weight to one of its optimizers, by the path of its variable{by}; each has a "
        f"formula of its own: layerexplain layer {item} --input 784x10"
    )


def _chosen(optimizer_map: Any) -> list[tuple[str, str]]:
    """The optimizers of a map as Keras writes it, each with the weights that get it; none of anything else."""
    config = getattr(optimizer_map, "config", {})
    patterns = config.get("optimizer_map")
    written = patterns if isinstance(patterns, Mapping) else {}
    pairs = [(value, f"for '{pattern}'") for pattern, value in written.items()]
    pairs.append((config.get("default_optimizer"), "for all others"))
    return [(item.name, which) for item, which in pairs if hasattr(item, "name")]


register_optimizer("LossScaleOptimizer", loss_scale)
register_optimizer("MultiOptimizer", multi_optimizer)
