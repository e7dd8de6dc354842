"""Rules on what a program gives fit() beside the data: callbacks, and the order of examples."""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.checks.rules import Found, rule
from layerexplain.model import keeps_state
from layerexplain.network.traced import Network


@rule(
    "watches-nothing",
    "A callback that watches what fit() never computes",
    "wrong",
    "certain",
    why="The callback finds no such number after an epoch and does nothing but warn: training never stops early, no "
    "rate is lowered, no best model is saved.",
    fix="Give fit() validation_data or validation_split, or watch a number that it computes, such as 'loss'.",
    source="keras/src/callbacks/early_stopping.py, get_monitor_value",
    keras="warns in fit(), after each epoch",
)
def watches_nothing(network: Network) -> Iterator[Found]:
    for callback, monitor, why in network.model.fit_data.watched if network.model.fit_data is not None else ():
        yield None, f"{callback} watches '{monitor}', and {why}"


@rule(
    "shuffled-states",
    "A stateful model whose batches are shuffled",
    "wrong",
    "certain",
    why="The state of each example goes on in the next batch: in random order that is another sequence.",
    fix="Use fit(…, shuffle=False).",
    source="keras/src/layers/rnn/rnn.py, stateful",
)
def shuffled_states(network: Network) -> Iterator[Found]:
    model = network.model
    if model.fit_data is None or not model.fit_data.is_shuffled:
        return
    stateful = [layer.name for layer in model.layers if keeps_state(layer)]
    if stateful:
        yield stateful[0], f"'{stateful[0]}' is stateful, and fit() shuffles the examples (shuffle=True by default)"
