"""How often each layer is called, those inside nested models as often as the models around them are."""

from collections.abc import Iterable, Sequence

from layerexplain.derive.cost import Cost, Costs
from layerexplain.network.traced import Network, Use


def uses_of(networks: Iterable[tuple[Network, int]]) -> dict[str, list[Use]]:
    """The calls of each layer, by its name, in a model that is called like this: traced, and how often each is."""
    found: dict[str, list[Use]] = {}
    for network, times in networks:
        for made in network.calls:
            found.setdefault(made.call.layer, []).append(Use(made, times))
    for uses in found.values():
        if len(uses) > 1:
            uses.sort(key=lambda use: use.made.call.index)
    return found


def networks_of(uses: Sequence[Use]) -> list[tuple[Network, int]]:
    """The nested models that calls are of, each as often as it is called: alike ones together."""
    found: dict[int, tuple[Network, int]] = {}
    for made, times in uses:
        if made.network is not None:
            _, before = found.get(id(made.network), (None, 0))
            found[id(made.network)] = (made.network, before + times)
    return list(found.values())


def cost_of(uses: Sequence[Use], costs: Costs) -> Cost:
    """What all calls of a layer cost; None where one is not known."""
    macs: int | None = 0
    flops: int | None = 0
    for made, times in uses:
        # Without a call in the file, how often a layer is called is unknown.
        definition = None if made.built else made.definition
        one = Cost(None, None) if definition is None else costs.of(definition)
        if len(uses) == 1 and times == 1:
            return one
        macs = None if macs is None or one.macs is None else macs + times * one.macs
        flops = None if flops is None or one.flops is None else flops + times * one.flops
    return Cost(macs, flops) if uses else Cost(None, None)
