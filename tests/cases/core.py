"""Cases of the core layers."""

import random
from typing import Any

from tests.cases import Case, Draw, Wrapped
from tests.cases.shapes import some_shape

CASES = [
    Case("Dense", {"units": 3, "use_bias": 2}, ((5,),)),
    Case("Dense", {"units": 5}, ((7,),)),
    Case("Dense", {"units": 5, "activation": "relu", "use_bias": False}, ((3, 7),)),
    Case("Dense", {"units": 5, "use_bias": None}, ((3, 7),)),
    Case("Dense", {"units": 5, "activation": Wrapped("LeakyReLU", {"negative_slope": 0.1})}, ((3, 7),)),
    Case("Dense", {"units": 5, "activation": Wrapped("PReLU", {"name": "p_re_lu"})}, ((7,),)),
    Case("Dense", {"units": 5}, ((None,),)),
    Case("Dense", {"units": 5, "activation": "reluu"}, ((7,),)),
    Case("Embedding", {"input_dim": 11, "output_dim": 3, "mask_zero": True}, ((5,),), ("int",)),
    Case("Embedding", {"input_dim": 11, "output_dim": 3}, ((5, 2),), ("int",)),
    Case("Activation", {"activation": "softmax"}, ((3, 5),)),
    Case("Activation", {"activation": Wrapped("ReLU", {"max_value": 1.0})}, ((3, 5),)),
    Case("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 5, "bias_axes": "c"}, ((7,),)),
    Case("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 5, "bias_axes": "y"}, ((3, 7),)),
    Case("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 5}, ((None, 7),)),
    Case("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}, ((None, 7),)),
    Case("EinsumDense", {"equation": "abde,dec->abc", "output_shape": (3, 5), "bias_axes": "c"}, ((3, 2, 7),)),
    Case("EinsumDense", {"equation": "abc,bde->ade", "output_shape": (2, 3), "activation": "relu"}, ((5, 7),)),
    Case("EinsumDense", {"equation": "ab...,bc->ac...", "output_shape": (3,), "bias_axes": "c"}, ((5, 7, 2),)),
    Case("EinsumDense", {"equation": "abc,bcd->abd", "output_shape": (5, 2), "bias_axes": "bd"}, ((5, 7),)),
    Case("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (5, 2), "bias_axes": "b"}, ((5, 7),)),
    Case("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (4, 2)}, ((5, 7),)),
    Case("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (5, None)}, ((5, 7),)),
    Case("EinsumDense", {"equation": "abc,cd->abe", "output_shape": (5, 2)}, ((5, 7),)),
    Case("EinsumDense", {"equation": "ab,cd->ad", "output_shape": 2}, ((5,),)),
    Case("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 2, "bias_axes": "b"}, ((5,),)),
    Case("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 2}, ((5, 7),)),
    Case("EinsumDense", {"equation": "no equation", "output_shape": 2}, ((5, 7),)),
    Case("Identity", {}, ((5, 7),)),
    Case("Masking", {"mask_value": -1.0}, ((5, 7),)),
    Case("Masking", {}, ((5, 1),), ("int",)),
]


def _dense(rng: random.Random) -> Case:
    lead = rng.choice([(), (3,), (None,), (2, 3)])
    config: dict[str, Any] = {"units": rng.randint(1, 7), "use_bias": rng.random() < 0.7}
    if rng.random() < 0.5:
        layer = Wrapped("LeakyReLU", {"negative_slope": 0.1})
        config["activation"] = rng.choice(["relu", "tanh", "softmax", "sigmoid", None, layer])
    return Case("Dense", config, ((*lead, rng.choice([1, 5, 7])),), masks=(len(lead) == 1 and rng.random() < 0.5,))


def _embedding(rng: random.Random) -> Case:
    config = {"input_dim": rng.randint(1, 13), "output_dim": rng.randint(1, 7), "mask_zero": rng.random() < 0.5}
    return Case("Embedding", config, (rng.choice([(5,), (None,), (2, 3), ()]),), ("int",))


def _einsum(rng: random.Random) -> Case:
    """An equation put together from letters that stay, are summed and are new.

    All sizes differ: keras.ops.add on TensorFlow adds a bias of shape (3, 1) along the last axis where that has 3 too.
    An ellipsis in front stands for the batch and at most one more: Keras states the sizes of several in reverse.
    """
    primes = rng.sample((2, 3, 5, 7, 11, 13, 17, 19), 8)
    summed, new = "pq"[: rng.randint(1, 2)], "yz"[: rng.randint(1, 2)]
    stay = "bc"[: rng.randint(0, 2)]
    sizes: dict[str, int | None] = {c: primes.pop() for c in summed + new + stay}
    if stay and rng.random() < 0.3:
        sizes[stay[0]] = None
    shared = "".join(c for c in stay if sizes[c] is not None and rng.random() < 0.3)
    kernel = list(summed + new + shared)
    rng.shuffle(kernel)
    ellipsis = rng.choice(["", "", "front", "end"])
    extra = tuple(primes.pop() for _ in range(rng.randint(0, 1 if ellipsis == "front" else 2)))
    if ellipsis == "front":
        behind, result = stay + summed, stay + new
        equation = f"...{behind},{''.join(kernel)}->...{result}"
        shape = (*extra, *[sizes[c] for c in behind])
    else:
        inside = list(stay + summed)
        rng.shuffle(inside)
        given, result = "a" + "".join(inside), "a" + stay + new
        tail = "..." if ellipsis == "end" else ""
        equation = f"{given}{tail},{''.join(kernel)}->{result}{tail}"
        shape = (*[sizes[c] for c in inside], *(extra if tail else ()))
    wanted = [sizes[c] for c in result if c != "a"]
    config: dict[str, Any] = {"equation": equation, "output_shape": wanted}
    if len(wanted) == 1 and rng.random() < 0.5:
        config["output_shape"] = wanted[0]
    if rng.random() < 0.6:
        config["bias_axes"] = "".join(rng.sample(new + shared, rng.randint(1, len(new + shared))))
    if rng.random() < 0.4:
        config["activation"] = rng.choice(["relu", "tanh"])
    if rng.random() < 0.08:
        config["output_shape"] = [*wanted[:-1], None]
    return Case("EinsumDense", config, (tuple(shape),))


def _masking(rng: random.Random) -> Case:
    value = rng.choice([0.0, 0, -1.0, 2.5])
    return Case("Masking", {"mask_value": value} if rng.random() < 0.7 else {}, (some_shape(rng),))


DRAWS: dict[str, Draw] = {
    "Dense": _dense,
    "EinsumDense": _einsum,
    "Embedding": _embedding,
    "Identity": lambda rng: Case("Identity", {}, (some_shape(rng),)),
    "Masking": _masking,
}
