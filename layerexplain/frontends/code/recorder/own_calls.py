"""The `call` of a layer or a model of the program, followed at given arguments; and the masks that tensors carry in it.

Keras gives a `call` that has an argument `mask` the mask of its only tensor, one that has `query_mask` that of its
`query`; other layers look at what their tensors carry. Reference: `Layer.__call__` in keras/src/layers/layer.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.errors import SourceError, SpecError
from layerexplain.frontends.code.recorder.nodes import Recorder
from layerexplain.frontends.code.recorder.shapes import STATED_SHAPE, declaration_of, flat, flat_tensors
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramError, ProgramValue, Unknown, unknown_at
from layerexplain.frontends.code.values.layers import (
    CallTrace,
    LayerValue,
    ModelValue,
    Node,
    Tensor,
    creation_counter,
    tensors_in,
    unknown_in,
)
from layerexplain.frontends.code.values.operators import Rebuilding, mirrored, mirrored_call, rebuilt
from layerexplain.frontends.code.values.program import Bound, Class, Function, Instance
from layerexplain.frontends.code.values.reading import TOO_LARGE, fits
from layerexplain.layers.declaration import Spec


class OwnCalls:
    """Follows the `call`s of layers and models of the program."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.interpreter, self.shapes, self.fault = recorder.interpreter, recorder.shapes, recorder.fault
        self.call_name, self.masks = recorder.framework.call_name, recorder.masks
        self.building: list[Instance] = []
        self.inputs_for: dict[int, tuple[Array | Unknown, Tensor]] = {}
        """The inputs that stand for data, by the identities of these, which are kept."""
        self.results_on_arrays: Sequence[Tensor] = ()

    def trace(self, model: ModelValue, args: Arguments, kwargs: Keywords) -> CallTrace:
        """Follow the `call` of a layer or model of the program, with tensors in place of its inputs: once for the same
        arguments. Following it again draws no names."""
        training = self._training(model, args, kwargs)
        with_masks = self.recorder.in_call or model.is_own_layer
        named = [(name, value) for name, value in kwargs.items() if name != "training"]
        key = (training, self._key(args, with_masks), self._key(named, with_masks))
        known = model.traces.get(key)
        if known is not None:
            return known
        again, counters = model.traced, dict(self.recorder.counters)
        trace = model.traces[key] = CallTrace(training)
        began = next(creation_counter)
        names = self.parameter_names(model)

        def placeholder(tensor: object, name: str, part: bool) -> Tensor:
            like = tensor if isinstance(tensor, Tensor) else None
            config = {"like": like, "batch_shape": None if like else tensor, "dtype": "float32", "part": part}
            layer = self.recorder.layer("InputLayer", "layer", name, config, model.place)
            result: Tensor = self.recorder.bare_node(layer, in_call=True).result()
            mask = self.mask_of(like) if like is not None and with_masks else None
            if mask is not None:
                config = {"like": mask, "batch_shape": None, "dtype": "bool"}
                label = "mask" if len(names) - 20 == 1 else f"{name}_mask"
                carried = self.recorder.layer("InputLayer", "layer", label, config, model.place)
                trace.mask_inputs[result] = self.recorder.bare_node(carried, in_call=True).result()
                self.masks[result] = trace.mask_inputs[result]
            trace.inputs.append(result)
            return result

        def placed(value: object, name: str) -> ProgramValue:
            return mirrored(value, lambda t: placeholder(t, name, not isinstance(value, Tensor)), Tensor)

        inner_args = [placed(argument, name) for argument, name in zip(args, names, strict=False)]
        inner_kwargs = {key: placed(value, key) for key, value in kwargs.items()}
        interpreter = self.interpreter
        at, file, depth = interpreter.node, interpreter.file, interpreter.budget.depth
        before, self.recorder.training = self.recorder.training, training
        interpreter.followed_calls.append(self.recorder.framework)
        self.recorder.tracing.append((model, trace.inputs))
        interpreter.effects.followed_models.append(model)
        try:
            self._build(model, args, kwargs)
            outputs = self._stated_result(model, self._run(model, inner_args, inner_kwargs), inner_args, inner_kwargs)
            self._masks_of_results(model, trace, outputs, inner_args, inner_kwargs)
        except ProgramError as error:
            place = error.place or interpreter.place()
            outputs = unknown_at(place, f"its code raises {error}"[:160])
            if self._known([*args, *kwargs.values()]) and interpreter.is_sure(error):
                self.fault(SourceError(f"the call of {model.type} raises {error}"[:300]), place)
        finally:
            trace.span = began, next(creation_counter)
            interpreter.followed_calls.pop()
            self.recorder.training = before
            self.recorder.tracing.pop()
            interpreter.effects.followed_models.pop()
            interpreter.node, interpreter.file, interpreter.budget.depth = at, file, depth
            if again:
                self.recorder.counters.clear()
                self.recorder.counters.update(counters)
        if outputs is None and interpreter.effects.is_certain and self._known([*args, *kwargs.values()]):
            self.fault(SpecError(f"the call of {model.type} returns nothing; end it with `return` and its tensor"))
        unknown = unknown_in(outputs) if fits(outputs) else interpreter.unknown(TOO_LARGE)
        if unknown is None and not tensors_in(outputs):
            unknown = interpreter.unknown(f"`call` of {model.type} returns no tensor that is known")
        trace.reason, trace.outputs = unknown, None if unknown is not None else outputs
        if not again:
            model.reason = unknown or model.reason
        return trace

    def _training(self, model: ModelValue, args: Arguments, kwargs: Keywords) -> bool:
        """Return whether a call is one of training: it says so, or the call around it is."""
        stated = self._by_name(model, args, kwargs).get("training")
        return stated if isinstance(stated, bool) else bool(self.recorder.training)

    def _by_name(self, model: ModelValue, args: Arguments, kwargs: Keywords) -> dict[str, ProgramValue]:
        """Return the arguments of a `call` by their names."""
        return {**dict(zip(self.parameter_names(model), args, strict=False)), **kwargs}

    def _key(self, value: ProgramValue, with_masks: bool) -> ProgramValue:
        """Return a value as a key: what stands for a tensor is its shape, its dtype, and whether it carries a mask."""

        def part(value: ProgramValue, inside: Rebuilding) -> ProgramValue:
            if isinstance(value, Tensor):
                spec = self.shapes.spec_of(value)
                carries = with_masks and self.mask_of(value) is not None
                return ("unknown", value) if spec is None else ("tensor", tuple(spec.shape), spec.dtype, carries)
            is_known = isinstance(value, Array | bool | int | float | str | Unknown | type(None))
            return (type(value), value) if is_known else ("object", id(value))

        def join(kind: type, items: list[ProgramValue]) -> ProgramValue:
            return (kind, *items)

        return rebuilt(value, part, join)

    def parameter_names(self, model: ModelValue) -> list[str]:
        function = model.config.get("function") or (model.instance and model.instance.cls.find(self.call_name))
        if isinstance(function, Bound):
            function = function.function
        if not isinstance(function, Function):
            return [f"x{i}" if i else "x" for i in range(20)]
        return [*function.names[model.instance is not None :], *[f"x{i}" for i in range(20)]]

    # What is not read -------------------------------------------------------------------------------------------------

    def tell_shape(self, value: ProgramValue, shape: ProgramValue) -> None:
        """Note the shape of the result of a function that is not read, as the code or a layer that takes it states
        it."""
        if not isinstance(value, Tensor) or value.node.layer.reason is None or self.shapes.spec_of(value) is not None:
            return
        sizes = list(shape) if type(shape) in (list, tuple) else []
        are_sizes = all(size is None or (isinstance(size, int) and size >= 0) for size in sizes[1:])
        if sizes and value.node.layer.kind == "custom" and are_sizes:
            value.node.layer.config[STATED_SHAPE] = (None, *sizes[1:])
            value.node.specs = None

    def states_shape(self) -> bool:
        """Return whether the layer whose `call` is followed says what shape it has: Keras believes it."""
        model = self.recorder.tracing[-1][0] if self.recorder.tracing else None
        instance = None if model is None else model.instance
        method = None if instance is None else instance.cls.find("compute_output_shape")
        return method is not None or (model is not None and model.config.get("output_shape") is not None)

    def _stated_result(self, model: ModelValue, outputs: object, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return the result of a `call` that cannot be followed to its end, where the class tells its shape itself
        (`compute_output_shape`): a function that is not read, of all that goes in."""
        method = model.instance.cls.find("compute_output_shape") if model.instance is not None else None
        tensors = tensors_in([*args, *kwargs.values()])
        unknown = unknown_in(outputs)
        results = flat_tensors(outputs)
        is_known = unknown is None and results and all(self.shapes.spec_of(result) is not None for result in results)
        if is_known or not isinstance(method, Function) or not self._known(tensors) or len(results) > 1 or not tensors:
            return outputs
        first = args[0] if args else next(iter(kwargs.values()))
        try:
            shape = self.interpreter.call(
                Bound(model.instance, method), [mirrored(first, self.shape_tuple, Tensor)], {}
            )
        except ProgramError:
            return outputs
        if unknown is not None:
            outputs = self.recorder.opaque_call(model.type, tensors, {}, unknown)
        self.tell_shape(outputs, shape)
        return outputs

    # Building and running -------------------------------------------------------------------------------------------

    def _build(self, model: ModelValue, args: Arguments, kwargs: Keywords) -> None:
        """Run `build` of the program once, with the shapes of the inputs: again where they were not known before."""
        instance = model.instance
        method = instance.cls.find("build") if instance is not None else None
        if not isinstance(method, Function) or instance is None:
            return
        if "__built__" in instance.attributes and not (model.before_build and self._known([*args, *kwargs.values()])):
            return
        shapes, named = self._build_shapes(model, method, args, kwargs)
        self.build_by_hand(instance, method, shapes, named)

    def build_by_hand(self, instance: Instance, method: Function, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Evaluate `layer.build(shape)`: what is built already stays as it is, unless its shape was not known then."""
        attributes, model = instance.attributes, instance.layer
        if not isinstance(model, ModelValue) or instance in self.building:
            return self.interpreter.call(method, [instance, *args], kwargs)  # a method that calls that of its base
        if "__built__" in attributes:
            if model.before_build is None:
                return None
            attributes.clear()
            attributes.update(model.before_build)
            model.before_build = None
        if unknown_in([*args, *kwargs.values()]) is not None:
            model.before_build = {
                key: list(attribute) if type(attribute) is list else attribute for key, attribute in attributes.items()
            }
        attributes["__built__"] = True
        self.building.append(instance)
        try:
            return self.interpreter.call(method, [instance, *args], kwargs)
        finally:
            self.building.pop()

    def _known(self, values: list[ProgramValue]) -> bool:
        return all(self.shapes.spec_of(tensor) is not None for tensor in tensors_in(values))

    def _build_shapes(
        self, model: ModelValue, method: Function, args: Arguments, kwargs: Keywords
    ) -> tuple[Arguments, Keywords]:
        """Return what `build` is given: one shape, or one for each tensor by the name of its argument."""
        names = method.names[1:]
        by_name = self._by_name(model, args, kwargs)
        tensors = {name: value for name, value in by_name.items() if tensors_in(value)}
        named = {f"{name}_shape": value for name, value in tensors.items() if f"{name}_shape" in names}
        if len(tensors) > 1 and len(names) > 1 and named:
            return [], {name: mirrored(value, self.shape_tuple, Tensor) for name, value in named.items()}
        if not names and method.node.args.vararg is None:
            return [], {}
        shapes = [mirrored(tensor, self.shape_tuple, Tensor) for tensor in list(tensors.values())[: max(len(names), 1)]]
        return shapes or [self.interpreter.unknown("the shape of the input")], {}

    def shape_tuple(self, tensor: object) -> ProgramValue:
        """Return the shape of a tensor as code sees it: a tuple with None for sizes that are not known."""
        spec = self.shapes.spec_of(tensor) if isinstance(tensor, Tensor) else None
        if spec is None:
            return self.cause_of(tensor, "the shape of an unknown tensor")
        return tuple([size if isinstance(size, int) else None for size in spec.shape])

    def cause_of(self, tensor: object, words: str) -> Unknown:
        """Return why the shape of a tensor is not known: an input without one, a function that is not read, an
        argument; in other words where no cause is found."""
        waiting = [tensor] if isinstance(tensor, Tensor) else []
        seen: set[int] = set()
        while waiting and len(seen) < 1000:
            node = waiting.pop().node
            if id(node) in seen:
                continue
            seen.add(id(node))
            config, like = node.layer.config, node.layer.config.get("like")
            cause = node.layer.reason or unknown_in([*node.args, *node.kwargs.values(), *config.values()])
            if cause is None and node.trace is not None:
                cause = node.trace.reason
            if isinstance(cause, Unknown):
                return cause
            inner = [] if node.trace is None else flat_tensors(node.trace.outputs)
            feeds = [*node.tensors(), *([like] if isinstance(like, Tensor) else []), *inner]
            waiting += [feed for feed in feeds if self.shapes.spec_of(feed) is None]
        result: Unknown = self.interpreter.unknown(words)
        return result

    def shape_behind(self, layer: LayerValue, shape: ProgramValue) -> ProgramValue:
        """Evaluate `compute_output_shape` of a layer of Keras."""
        if type(shape) not in (list, tuple) or not all(isinstance(size, int | None) for size in shape):
            return self.interpreter.unknown(f"the shape behind '{layer.name}'")
        return self.shape_tuple(self.tried(layer, tuple(shape)).result())

    def tried(self, layer: LayerValue, shape: tuple[int | None, ...]) -> Node:
        """Call a Keras layer on an input of a shape, outside of any model."""
        before = list(layer.nodes)
        tensor = self.recorder.new_input("x", shape)
        layer.nodes[:] = before
        node: Node = self.recorder.bare_node(layer, (tensor,))
        return node

    def own_on_data(self, layer: ModelValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return a layer or model of the program called on data: it is built, as in Keras, and its layers get their
        names."""

        effects, is_built = self.interpreter.effects, layer.traced
        mark = effects.mark()
        listed, named = mirrored_call(args, kwargs, self._input_for, (Array, Unknown))
        trace = self.trace(layer, listed, named)
        effects.model_events = mark.model_events
        if not is_built:
            effects.record_model_event()
        shape = self.shape_tuple(trace.outputs) if isinstance(trace.outputs, Tensor) else trace.reason
        return self._data_of(shape, [*args, *kwargs.values()], "the result of a layer on data")

    def on_arrays(
        self, layer: LayerValue, args: Arguments, kwargs: Keywords, results: Callable[[LayerValue, Node], ProgramValue]
    ) -> ProgramValue:
        """Return what a layer of Keras gives that is called on arrays outside of any model, by the `results` of a call:
        arrays of their shapes; tensors where arrays stand for inputs, in a text whose only calls these are."""
        before = list(layer.nodes)
        listed, named = mirrored_call(args, kwargs, self._input_for, Array)
        if self.interpreter.arrays_are_inputs and not self.recorder.in_call:
            return self.noted(results(layer, self.recorder.node(layer, tuple(listed), named)))
        self.interpreter.calls_arrays = True
        node = self.recorder.bare_node(layer, tuple(listed), named)
        tensors = results(layer, node)
        shapes = [self.shape_tuple(tensor) for tensor in flat_tensors(tensors)]
        layer.nodes[:] = before
        arrays = [item for item in flat([args, [*kwargs.values()]]) if isinstance(item, Array)]
        if not self.recorder.in_call and len(arrays) == len(node.tensors()):
            refusal = self.shapes.refusal(node, [Spec(array.shape, "float") for array in arrays])
            if refusal is not None:
                self.fault(refusal.with_place(layer=layer.name))
        data = [self._data_of(shape, [*args, *kwargs.values()], "a number that a layer computes") for shape in shapes]
        return data[0] if isinstance(tensors, Tensor) else data

    def noted(self, results: ProgramValue) -> ProgramValue:
        """Return the results of a call; what a text calls last on arrays is the output of its model."""
        self.results_on_arrays = flat_tensors(results)
        return results

    def _input_for(self, data: Array | Unknown) -> Tensor:
        """Return an input in place of data, with any number of examples: always the same for the same data."""
        if id(data) not in self.inputs_for:
            shape = data if isinstance(data, Unknown) else (None, *data.shape[1:])
            self.inputs_for[id(data)] = data, self.recorder.new_input("x", shape)
        return self.inputs_for[id(data)][1]

    def _data_of(self, shape: object, arguments: list[ProgramValue], words: str) -> ProgramValue:
        """Return the result of a layer on data: an array with as many examples, or in `words` what is not known."""
        if type(shape) is not tuple or not shape:
            return shape if isinstance(shape, Unknown) else self.interpreter.unknown(words)
        first = next((item for item in flat(arguments) if isinstance(item, Array)), None)
        return Array((first.shape[0] if first is not None and shape[0] is None else shape[0], *shape[1:]))

    def _run(self, model: ModelValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        instance = model.instance
        if instance is None:
            extra = model.config.get("arguments")
            return self.interpreter.call(
                model.config["function"], args, {**(extra if type(extra) is dict else {}), **kwargs}
            )
        method = instance.cls.find(self.call_name)
        if not isinstance(method, Function):
            root = instance.cls.root()
            unread = any(isinstance(item, Unknown) for item in instance.cls.order())
            if not unread and model.config.get("base") == "Layer":
                raise ProgramError("NotImplementedError", f"{model.type} has no `call`; write what it computes there")
            return self.interpreter.unknown(f"{instance.cls.name} has no `call`; that of {root.path if root else '?'}")
        names = method.signature.names
        positional = set(names[1 : len(args) + 1])
        if "training" in names and "training" not in positional and not isinstance(kwargs.get("training"), bool):
            kwargs = {**kwargs, "training": self.recorder.training}
        kwargs = {**kwargs, **self._given_masks(names, positional, args, kwargs)}
        if method.node.args.kwarg is None:
            kwargs = {key: value for key, value in kwargs.items() if key in names or key not in ("training", "mask")}
        return self.interpreter.call(Bound(instance, method), args, kwargs)

    def has_no_call(self, model: ModelValue) -> bool:
        """Return whether a model of the program only holds layers, as one does that has its `train_step` alone."""
        cls = model.instance.cls if model.instance is not None and model.config.get("model") else None
        is_read = cls is not None and not any(isinstance(item, Unknown) for item in cls.order())
        return cls is not None and is_read and cls.find(self.call_name) is None

    def _given_masks(
        self, names: Sequence[str], positional: set[str], args: Arguments, kwargs: Keywords
    ) -> dict[str, ProgramValue]:
        """Return the masks that Keras gives to a `call` which asks for them by name and is not given them."""
        tensors = {name: argument for name, argument in zip(names[1:], args, strict=False) if tensors_in(argument)}
        tensors.update({name: value for name, value in kwargs.items() if tensors_in(value)})
        if len(tensors) == 1:
            wanted = {"mask": next(iter(tensors.values()))}
        else:
            wanted = {f"{name}_mask": tensor for name, tensor in tensors.items()}
        free = {name: value for name, value in wanted.items()
                if name in names and name not in positional and kwargs.get(name) is None}  # fmt: skip
        results = {name: mirrored(value, self.mask_of, Tensor) for name, value in free.items()}
        if "mask" in names and "mask" not in positional and "mask" not in results and "mask" not in kwargs:
            results["mask"] = None
        return results

    # Masks --------------------------------------------------------------------------------------------------------

    def mask_of(self, tensor: Tensor) -> Tensor | None:
        """Return the mask that a tensor carries inside of a `call`, as a tensor; None where it carries none."""
        waiting = [tensor]
        while waiting:  # a chain of layers may be long
            current = waiting[-1]
            if current in self.masks:
                waiting.pop()
                continue
            layer = current.node.layer
            first = next(iter(current.node.tensors()), None)
            declaration = None if isinstance(layer, ModelValue) else declaration_of(layer)
            if declaration is None or layer.kind == "operation" or current.index < 0 or first is None:
                self.masks[current] = self._mask_of_own(current)
            elif (
                unread := next((item for item in current.node.tensors() if item not in self.masks), None)
            ) is not None:
                waiting.append(unread)
                continue
            elif declaration.mask == "pass":
                explicit = current.node.kwargs.get("mask")
                self.masks[current] = explicit if isinstance(explicit, Tensor) else self.masks[first]
            else:
                result = self.shapes.result_masks(current.node)
                has = current.index < len(result) and result[current.index] is not None
                self.masks[current] = current.node.result(-1 - current.index) if has else None
            waiting.pop()
        found: Tensor | None = self.masks[tensor]
        return found

    def _mask_of_own(self, tensor: Tensor) -> Tensor | None:
        trace = tensor.node.trace
        if trace is None or tensor.index < 0 or tensor.index >= len(trace.masks):
            return None
        return None if trace.masks[tensor.index] is None else tensor.node.result(-1 - tensor.index)

    def _masks_of_results(
        self, model: ModelValue, trace: CallTrace, outputs: object, args: Arguments, kwargs: Keywords
    ) -> None:
        """Give the masks that the results of a `call` carry: those that they have, else what `compute_mask` makes."""
        results = flat_tensors(outputs)
        masks = [self.mask_of(item) for item in results]
        instance = model.instance
        if instance is not None and not all(mask is not None for mask in masks) and passes_masks(instance):
            first = args[0] if args else next(iter(kwargs.values()), None)
            stated = kwargs.get("mask")
            previous = stated if tensors_in(stated) else mirrored(first, self.mask_of, Tensor)
            result = previous
            method = instance.cls.find("compute_mask")
            if isinstance(method, Function):
                result = self.interpreter.call(Bound(instance, method), [first, previous], {})
            each: ProgramValue = result if type(result) in (list, tuple) else [result]
            for place, item in enumerate(each[: len(results)]):
                if masks[place] is None and isinstance(item, Unknown):
                    trace.reason = item
                elif masks[place] is None and isinstance(item, Tensor):
                    masks[place] = item
        trace.masks = masks

    def base_mask(self, of: object, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Evaluate `compute_mask` of a layer of Keras: what it makes of the mask of its input."""
        layer: Any = of.layer if isinstance(of, Instance) else of
        mask = args[1] if len(args) > 1 else kwargs.get("mask", kwargs.get("previous_mask"))
        if layer.config.get("mask_zero") is True and args:
            return self.recorder.framework.operator("NotEq", args[0], 0)
        declaration = None if isinstance(layer, ModelValue) else declaration_of(layer)
        return mask if declaration is None or declaration.mask == "pass" else None


def passes_masks(instance: Instance) -> bool:
    """Return whether an object of the program gives its results masks: it says so, or has a `compute_mask` of its
    own."""
    stated = instance.attributes.get("supports_masking")
    if stated is None:
        stated = instance.cls.find("supports_masking")
    computes = isinstance(instance.cls, Class) and isinstance(instance.cls.find("compute_mask"), Function)
    return stated is True or (computes and stated is not False)
