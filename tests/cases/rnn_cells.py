"""Cases of the cells of recurrent layers, and of RNN, which runs them."""

import random
from typing import Any

from tests.cases import Case, Draw, Wrapped
from tests.cases.rnn import ACTIVATIONS, BOUNDED

STATES = {"SimpleRNNCell": 1, "GRUCell": 1, "LSTMCell": 2}

LSTM = Wrapped("LSTMCell", {"units": 5, "name": "lstm"})
GRU = Wrapped("GRUCell", {"units": 4, "name": "gru"})
STACK = Wrapped("StackedRNNCells", {"cells": [LSTM, GRU], "name": "stack"})

CASES = [
    Case("SimpleRNNCell", {"units": 5}, ((3,), (5,))),
    Case("GRUCell", {"units": 5, "reset_after": False}, ((3,), (5,))),
    Case("LSTMCell", {"units": 5, "use_bias": False}, ((3,), (5,), (5,))),
    Case("StackedRNNCells", {"cells": [LSTM, GRU]}, ((3,), (5,), (5,), (4,))),
    Case("StackedRNNCells", {"cells": [GRU]}, ((3,), (4,))),
    Case("RNN", {"cell": LSTM}, ((7, 3),)),
    Case("RNN", {"cell": GRU, "return_sequences": True, "go_backwards": True}, ((None, 3),), masks=(True,)),
    Case("RNN", {"cell": STACK, "return_state": True}, ((7, 3),), masks=(True,)),
    Case("RNN", {"cell": STACK, "return_sequences": True, "zero_output_for_mask": True}, ((7, 3),), masks=(True,)),
    Case("Bidirectional", {"layer": Wrapped("RNN", {"cell": LSTM, "name": "rnn"})}, ((7, 3),), masks=(True,)),
    Case("TimeDistributed", {"layer": Wrapped("RNN", {"cell": GRU, "name": "rnn"})}, ((2, 7, 3),)),
]


def cell_config(rng: random.Random, type_: str) -> dict[str, Any]:
    """All arguments of a cell that change shape, count or formula."""
    config: dict[str, Any] = {"units": rng.choice([1, 2, 5, 7]), "use_bias": rng.random() < 0.7}
    if rng.random() < 0.5:
        config["activation"] = rng.choice(ACTIVATIONS)
    if type_ != "SimpleRNNCell" and rng.random() < 0.5:
        config["recurrent_activation"] = rng.choice(BOUNDED)
    if type_ == "GRUCell":
        config["reset_after"] = rng.random() < 0.6
    if rng.random() < 0.2:
        config |= {"dropout": 0.3, "recurrent_dropout": rng.choice([0.0, 0.2])}
    return config


def _cell(type_: str) -> Draw:
    def draw(rng: random.Random) -> Case:
        config = cell_config(rng, type_)
        size = config["units"] if rng.random() < 0.9 else config["units"] + 1
        return Case(type_, config, ((rng.choice([1, 3, 5]),), *[(size,)] * STATES[type_]))

    return draw


def _cells(rng: random.Random) -> list[Wrapped]:
    types = [rng.choice(list(STATES)) for _ in range(rng.randint(1, 3))]
    return [Wrapped(t, cell_config(rng, t) | {"name": f"cell{i}"}) for i, t in enumerate(types)]


def _sizes(cells: list[Wrapped]) -> list[tuple[int, ...]]:
    return [(cell.config["units"],) for cell in cells for _ in range(STATES[cell.type])]


def _stacked(rng: random.Random) -> Case:
    cells = _cells(rng)
    return Case("StackedRNNCells", {"cells": cells}, ((rng.choice([1, 3, 5]),), *_sizes(cells)))


def _rnn(rng: random.Random) -> Case:
    cells = _cells(rng)
    stacked = rng.random() < 0.5
    config: dict[str, Any] = {
        "cell": Wrapped("StackedRNNCells", {"cells": cells, "name": "stack"}) if stacked else cells[0],
        "return_sequences": rng.random() < 0.5,
        "return_state": rng.random() < 0.5,
        "go_backwards": rng.random() < 0.4,
    }
    if rng.random() < 0.3:
        config["zero_output_for_mask"] = True
    x: tuple[int | None, ...] = (rng.choice([1, 4, 7, None]), rng.choice([1, 3, 5]))
    initial = _sizes(cells[:1]) if not stacked and rng.random() < 0.3 else []
    # Keras cannot run a stack of one cell with a mask: it loses the nesting of its states on the way.
    masked = rng.random() < 0.5 and not (stacked and len(cells) == 1)
    return Case("RNN", config, (x, *initial), masks=(masked,))


DRAWS: dict[str, Draw] = {
    "SimpleRNNCell": _cell("SimpleRNNCell"),
    "GRUCell": _cell("GRUCell"),
    "LSTMCell": _cell("LSTMCell"),
    "StackedRNNCells": _stacked,
    "RNN": _rnn,
}
