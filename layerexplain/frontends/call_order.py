"""The order of computation of a model's calls; calls that feed each other in a circle have none."""

from layerexplain.errors import SpecError
from layerexplain.model import Call, Model, TensorRef, tensor_refs


def in_order(model: Model) -> list[Call]:
    """Sort the calls so that each stands behind those that feed it, in the file's order where that is possible.

    Iterative, since a chain may be long. Raises `SpecError` for a cycle and for a call that is not made.
    """
    made: dict[tuple[str, int], Call] = {}
    names = {layer.name for layer in model.layers}
    # What no layer makes is there from the beginning.
    done = {(ref.layer, ref.call) for ref in model.inputs if ref.layer not in names}
    done.update([(one.name, 0) for one in model.weights])
    order: list[Call] = []
    for start in model.calls:
        first = (start.layer, start.index)
        if first in done:
            continue
        needs = _needs(start)
        while needs and (needs[-1].layer, needs[-1].call) in done:
            needs.pop()
        if not needs:  # nearly always: files list the calls in such an order
            done.add(first)
            order.append(start)
            continue
        made = made or {(c.layer, c.index): c for c in model.calls}
        stack = [(start, needs)]
        open_calls = {first}
        while stack:
            current, needs = stack[-1]
            key = (current.layer, current.index)
            while needs and (needs[-1].layer, needs[-1].call) in done:
                needs.pop()
            if not needs:
                stack.pop()
                open_calls.discard(key)
                if key not in done:
                    done.add(key)
                    order.append(current)
                continue
            ref = needs[-1]
            wanted = (ref.layer, ref.call)
            if wanted not in made:
                raise SpecError(
                    f"takes call {ref.call} of '{ref.layer}', which is not called that often", layer=current.layer
                )
            if wanted in open_calls:
                raise SpecError(
                    "waits for its own output: the calls form a circle, which has no order", layer=current.layer
                )
            open_calls.add(wanted)
            stack.append((made[wanted], _needs(made[wanted])))
    return order


def _needs(made: Call) -> list[TensorRef]:
    args = made.args
    if len(args) == 1 and type(args[0]) is TensorRef and not made.kwargs:
        return [args[0]]
    return list(reversed(list(tensor_refs((args, made.kwargs)))))
