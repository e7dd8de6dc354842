"""A run of a PyTorch model → its `Model`; of a model without `forward` its modules, each on the input it asks for."""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from layerexplain.attribute_path import LayerNamed
from layerexplain.errors import ArgumentError, LayerExplainError, SourceError
from layerexplain.frontends.code.library.torch import ModuleState
from layerexplain.frontends.code.library.torch_graph import Run, Stopped
from layerexplain.frontends.code.library.torch_modules import (
    BuiltIn,
    children_of,
    computing,
    first_modules,
    is_module,
    module_type,
    named_modules,
    named_parameters,
    unknown_parts,
)
from layerexplain.frontends.code.library.torch_program import (
    ModuleOfTorch,
    OfModule,
    Parameter,
    TorchProgram,
    has_unknown_weights,
    own_weights,
    weight_shapes,
)
from layerexplain.frontends.code.recorder.grade import without_unknowns
from layerexplain.frontends.code.recorder.shapes import as_recorded
from layerexplain.frontends.code.values.base import Place, Unknown
from layerexplain.frontends.code.values.layers import unknown_in
from layerexplain.frontends.code.values.program import Function, Instance
from layerexplain.frontends.code.values.reading import walk
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.examples import USUAL_SIZES
from layerexplain.layers.registry import find, of_torch
from layerexplain.layers.torch.construction import asked_inputs, traced_alone
from layerexplain.model import Layer, Model, Note, SharedObject, StoredGroup, StoredVariable, TensorRef

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_graph import Run


# Torch emit ---------------------------------------------------------------------------------------------------------

_Home = tuple[str, int]
"""What tells a parameter from all others: its name in its module and the module, or "" and the parameter itself."""

_UNKNOWN = (StoredVariable("weight", (None,), "float32", True),)
"""The variables of a module of which nobody knows how many parameters it has."""


class RunEmitter:
    """Writes the `Model` of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def model(self, name: str) -> Model:
        """Return the model, with the modules that were not called as rows that only count; a run finishes once."""
        run = self.run
        run.is_finished = True
        for place, error in self._refused_when_made():
            where = run.interpreter.locate(place)
            # A call of such a module is refused for the same reason.
            run.faults = [fault for fault in run.faults if error.layer is None or fault.layer != error.layer]
            run.faults.append(error.with_place(**where.error_fields))
        shared, first = self._shared()
        # What a run that came to its end does not call costs nothing.
        mark = {"uncalled": bool(run.outputs and not run.faults and not run.opened)}
        parameters = named_parameters(run.model)
        for module_name, module in named_modules(run.model).items():
            if (own := computing(module)) is not None:
                self._add_uncalled(module_name, own, first, mark, replaced={*parameters} if own is not module else ())
            for part, unknown in unknown_parts(module).items():
                self._add_row(f"{module_name}.{part}".lstrip("."), "Module", _UNKNOWN)
                run.opened.append(unknown._replace(name=""))  # no value that can be typed stands for a module
        for parameter_name, parameter in parameters.items():
            if id(parameter) not in run.placed and ("", id(parameter)) not in first:
                shape = tuple([size if isinstance(size, int) else None for size in parameter.shape])
                if None in shape:
                    why = run.interpreter.unknown(f"the size of the parameter {parameter_name}")
                    run.opened.append(unknown_in(parameter.shape) or why)
                variables = (StoredVariable("data", shape, "float32", self._is_trained(parameter)),)
                run.builder.layers.append(
                    Layer(parameter_name, "Parameter", "custom", {"variables": variables, **mark})
                )
        self._freeze()
        type_ = run.model.cls.name if isinstance(run.model, Instance) else run.model.type
        model = run.builder.model(name, run.outputs, type_=type_)
        return model._replace(framework="torch", faults=tuple(run.faults), shared=shared)

    def _add_uncalled(
        self,
        name: str,
        module: BuiltIn,
        first: dict[_Home, tuple[str, str]],
        mark: dict[str, Any],
        *,
        replaced: Container[str],
    ) -> None:
        """Add a row for a module that the run did not call, if it has parameters: those whose first row it is. A class
        that is made of the module may have `replaced` some of them by its own."""
        if id(module) in self.run.placed:
            return
        if find(of_torch(module.type)) is None:
            words = f"layerexplain has no formula for nn.{module.type}"
            if module.type.startswith("Lazy"):
                words = f"nn.{module.type} takes its size from its first call"
            self.run.opened.append(self.run.interpreter.unknown(words))
        if has_unknown_weights(module):
            type_, config = module.declared
            missing = without_unknowns(of_torch(type_), config)[1]
            self.run.gaps += [(unknown, name) for unknown in missing]
            self._add_row(name or module.type.lower(), module.type, _UNKNOWN, module.place)
        else:
            variables = [
                StoredVariable(weight, shape, "float32", self._is_trained(module.attributes.get(weight)))
                for weight, shape, buffer in own_weights(module)
                if not (buffer or f"{name}.{weight}".lstrip(".") in replaced)
                and first.setdefault(self._home(module, weight), (name, weight))[0] == name
            ]
            if variables:
                self._add_row(name, module.type, variables, module.place, mark)
            if variables and any(f"{name}.".startswith(f"{path}.") for path in self._called_in_training):
                words = f"'{name}' is called in training alone, where self.training is true"
                self.run.notes.append(Note("called-in-training", name, words))

    @cached_property
    def _called_in_training(self) -> set[str]:
        """Return the attributes that modules use where their code asks for `self.training`, by their paths."""
        paths: set[str] = set()
        for path, module in named_modules(self.run.model).items():
            methods = module.cls.attributes.values() if isinstance(module, Instance) else ()
            for node in [node for method in methods if isinstance(method, Function) for node in walk(method.node)]:
                if isinstance(node, ast.If | ast.IfExp) and "self.training" in ast.unparse(node.test):
                    names = [part.attr for part in walk(node) if isinstance(part, ast.Attribute)]
                    paths |= {f"{path}.{name}".lstrip(".") for name in names}
        return paths

    def _add_row(
        self,
        name: str,
        type_: str,
        variables: Sequence[StoredVariable],
        place: Place | None = None,
        mark: dict[str, Any] | None = None,
    ) -> None:
        row = self.run.layer(name, type_, {"variables": tuple(variables), **(mark or {})}, place)
        self.run.builder.layers.append(row._replace(kind="custom"))

    # Parameters that are not trained --------------------------------------------------------------------------------

    def _is_trained(self, parameter: Any) -> bool | None:
        """Return whether training changes a parameter, None where that is not known; what is no parameter is one that
        the program never asks for."""
        requires_grad = parameter.requires_grad if isinstance(parameter, Parameter) else True
        if not isinstance(requires_grad, Unknown):
            requires_grad = self.run.interpreter.kept(TorchProgram).open_trainable or requires_grad
        if isinstance(requires_grad, Unknown):
            if requires_grad not in self.run.opened:
                self.run.opened.append(requires_grad)
            return None
        return requires_grad is not False

    def _freeze(self) -> None:
        """Mark the rows of modules and parameters that are not trained, or the weights of a module that are not."""
        frozen: set[str] = set()
        open_for_all = self._is_trained(None) is None
        unknown = {inner_layer.name for inner_layer in self.run.builder.layers if open_for_all}
        partly: dict[str, tuple[str, ...]] = {}
        for module in named_modules(self.run.model).values():
            own = computing(module)
            layer = self.run.placed.get(id(own))
            if own is not None and layer is not None:
                of_module = {
                    name: attribute for name, attribute in own.attributes.items() if isinstance(attribute, Parameter)
                }
                trained = {name: self._is_trained(item) for name, item in of_module.items()}
                if None in trained.values():
                    unknown.add(layer.name)
                names = tuple([name for name, known in trained.items() if known is False])
                if names and {*weight_shapes(own)} <= {*names}:
                    frozen.add(layer.name)
                elif names:
                    partly[layer.name] = names
        for value in self.run.kept:
            if isinstance(value, Parameter) and (trains := self._is_trained(value)) is not True:
                (unknown if trains is None else frozen).add(self.run.placed[id(value)].name)
        layers = self.run.builder.layers
        for i, other in enumerate(layers):
            if other.name in unknown:
                layers[i] = other = other._replace(missing=(*other.missing, "trainable"))
            if other.name in frozen:
                layers[i] = other._replace(config={**other.config, "trainable": False})
            elif other.name in partly:
                layers[i] = other._replace(frozen=partly[other.name])

    # Parameters that stand in several places ------------------------------------------------------------------------

    def _home(self, module: ModuleOfTorch, name: str) -> _Home:
        """Return what tells a weight of a module from all others: its name and the module that it comes from, or the
        parameter of the program."""
        seen: set[int] = set()
        while (result := module.replaced.get(name)) is not None and id(module) not in seen:
            seen.add(id(module))
            if not isinstance(result, OfModule):
                return "", id(result)
            module, name = result.owner, result.name
        return name, id(module)

    def _places(self) -> Iterator[tuple[tuple[str, str], _Home]]:
        """Yield each parameter of the rows that compute: the row and its name there, and what it is."""
        for module in named_modules(self.run.model).values():
            own = computing(module)
            layer = self.run.placed.get(id(own))
            if own is not None and layer is not None:
                shapes = weight_shapes(own)
                for name, item in own.replaced.items():
                    if tuple(item.shape) != shapes.get(name):
                        words = f"{layer.name}.{name} is replaced by a parameter of another shape, {tuple(item.shape)}"
                        self.run.opened.append(self.run.interpreter.unknown(words))
                yield from [((layer.name, name), self._home(own, name)) for name in shapes]
        for value in self.run.kept:
            if isinstance(value, OfModule):
                yield (self.run.placed[id(value)].name, "data"), self._home(value.owner, value.name)
            elif isinstance(value, Parameter):
                yield (self.run.placed[id(value)].name, "data"), ("", id(value))

    def _shared(self) -> tuple[tuple[SharedObject, ...], dict[_Home, tuple[str, str]]]:
        """Return the parameters that stand in several rows, and the first row of each."""
        modules = [module for module in named_modules(self.run.model).values() if isinstance(module, BuiltIn)]
        first: dict[_Home, tuple[str, str]] = {}
        if not any(module.replaced for module in modules) and not any(
            isinstance(item, OfModule) for item in self.run.kept
        ):
            return (), first
        shared = []
        for place, home in self._places():
            (row, name), (other, again) = place, first.setdefault(home, place)
            if (row, name) != (other, again):
                shared.append(SharedObject((LayerNamed(row), name), ((LayerNamed(other), again),)))
        return tuple(shared), first

    def _refused_when_made(self) -> Iterator[tuple[Place, LayerExplainError]]:
        """Yield what PyTorch refuses before any call: arguments that do not fit each other, and a class without
        `super().__init__()`, each with its place."""
        for name, module in named_modules(self.run.model).items():
            if isinstance(module, Instance):
                init = module.cls.find("__init__")
                has_begun = self.run.interpreter.kept(TorchProgram).has_begun(module)
                if isinstance(init, Function) and not has_begun and not _calls_base(init):
                    fact = f"{(init.owner or module.cls).name}.__init__ needs to call super().__init__()"
                    place = Place(init.frame.file.name, init.node.lineno)
                    yield place, SourceError(f"{fact} before it assigns a module; make it the first line")
            elif module.children is None and id(module) not in self.run.placed:
                error = construction_error(module)
                if error is not None:
                    yield module.place, error.with_place(layer=name or None)


def _calls_base(init: Function) -> bool:
    """Return whether an `__init__` calls that of its base, or is of a class that need not."""
    return any(
        (isinstance(node, ast.Name) and node.id == "super")
        or (isinstance(node, ast.Attribute) and node.attr == "__init__")
        for node in walk(init.node)
    )


def construction_error(module: BuiltIn) -> LayerExplainError | None:
    """Return what PyTorch refuses of the arguments of a module: one that it does not have or that is missing, or two
    that do not fit each other, by its formula; None where they do."""
    type_, config = module.declared
    declaration = find(of_torch(type_))
    if unknown_in(module.config) is not None or declaration is None:
        return None
    if faults := declaration.faults(config):
        return faults[0][1]
    try:
        traced_alone(type_, config)
    except ArgumentError as error:
        return error
    except LayerExplainError:
        return None  # for the input that stands for any
    return None


# Torch inputs -------------------------------------------------------------------------------------------------------
# What is known of a model of PyTorch whose input the code does not say: what its first module takes, and modules
# that PyTorch does not find.

_TAKES = frozenset({"in_channels", "in_features", "input_size", "num_embeddings"})
"""Arguments by which a module says what it takes."""


def _first(module: Any) -> BuiltIn | None:
    """Return the first module that says what it takes: a Flatten or a Dropout before it leaves that to it."""
    return next((item for item in first_modules(module) if _TAKES & item.config.keys()), None)


def asked_shapes(module: Any, names: Sequence[str]) -> dict[str, tuple[Sequence[int | None], str]]:
    """Return the shape that the first module needs, by the only argument of `forward`; none where it does not say."""
    first = _first(module)
    if len(names) != 1 or first is None:
        return {}
    type_, config = first.type, first.config
    shape: tuple[int | None, ...]
    if type_ == "Linear":
        shape = (config.get("in_features"),)
    elif type_.startswith("Conv") and type_[-2:-1].isdecimal():
        shape = (config.get("in_channels"), *(None,) * int(type_[-2]))
    elif type_ in ("LSTM", "GRU", "RNN"):
        shape = (None, config.get("input_size"))
    elif type_ == "Embedding":
        return {names[0]: ((None,), "int64")}
    else:
        return {}
    known = any(isinstance(size, int) for size in shape)
    return {names[0]: (shape, "float32")} if known else {}


_SHAPES = {
    **dict.fromkeys(("Linear", "LSTMCell", "GRUCell", "RNNCell"), "{}"),
    "Conv1d": "{},28", "Conv2d": "{},28,28", "Conv3d": "{},8,28,28",
}  # fmt: skip
"""An input for a first module, by its type: the size that it takes, and others as examples."""


def example_shape(module: Any, reads: Callable[[Sequence[int]], bool | None]) -> Sequence[int] | None:
    """Return an input for a module that begins with a convolution: of the first size that it takes, or of any where
    that is not known (then it is empty); None where it takes none of the usual sizes."""
    first = _first(module)
    channels = None if first is None else first.config.get("in_channels")
    if first is None or not isinstance(channels, int) or first.type not in ("Conv1d", "Conv2d"):
        return ()
    shapes = [(channels, *(size,) * int(first.type[-2])) for size in USUAL_SIZES]
    for shape in shapes:
        answer = reads(shape)
        if answer is not False:
            return shape if answer else ()
    return None


def first_asked(module: Any, example: Sequence[int] | None = ()) -> str:
    """Return the shape that the first module needs, in words, with an example that the model takes: the one that is
    given, or a usual one where that is empty."""
    for other in first_modules(module):
        if other.type.startswith("Embedding"):
            return f"its first module, {other.type}, takes token ids, as in --input 9"
        for key, words in (("in_channels", "channel"), ("in_features", "feature"), ("input_size", "feature")):
            size = other.config.get(key)
            if isinstance(size, int):
                shape = _SHAPES.get(other.type, "9,{}" if key == "input_size" else "").format(size)
                shape = ",".join(map(str, example)) if example else shape if example is not None else ""
                option = f", as in --input {shape}" if shape else ""
                return f"its first module, {other.type}, takes {size} {words}{'s' * (size != 1)}{option}"
            if size is not None:
                return ""
    return ""


def modules_in_lists(module: Any) -> list[str]:
    """Return the attributes that are plain lists or dicts of modules with parameters, which PyTorch does not find."""
    every = named_modules(module)
    known = {id(item) for item in every.values()}
    result = []
    for prefix, owner in every.items():
        for name, value in owner.attributes.items() if isinstance(owner, Instance) else ():
            parts = value.values() if type(value) is dict else value if type(value) in (list, tuple) else ()
            leaves = [
                item
                for part in parts
                if is_module(part) and id(part) not in known
                for item in named_modules(part).values()
            ]
            if any(isinstance(leaf, BuiltIn) and weight_shapes(leaf) for leaf in leaves):
                result.append(f"{prefix}.{name}".lstrip("."))
    return result


# Torch listed -------------------------------------------------------------------------------------------------------
# A PyTorch model whose `forward` is not shown: its modules, each on the input that its own arguments ask for.

_LISTS = ("ModuleList", "ModuleDict")
"""Containers that hold modules and call none of them."""


def has_no_forward(module: Any) -> bool:
    """Return whether nothing shows on what a module calls its parts: a class without `forward`, a list of modules."""
    if isinstance(module, BuiltIn):
        return module.children is not None and module.type in _LISTS
    is_bare = isinstance(module, Instance) and module_type(module) in ("Module", *_LISTS)
    return is_bare and not isinstance(module.cls.find("forward"), Function)


def list_parts(run: Run) -> None:
    """Put the modules of the model of a run, which has no `forward`, into its rows: shapes as their arguments say."""
    run.interpreter.kept(TorchProgram).runs.append(run)
    try:
        with run.interpreter.kept(ModuleState).of_run(run):
            for part in _runnable(run.model):
                _call(run, part)
            for leaf in _leaves(run.model):
                if id(leaf) not in run.placed:
                    _call(run, leaf)
                if id(leaf) not in run.placed and has_unknown_weights(leaf):
                    run.opened += [item for item in leaf.declared[1].values() if isinstance(item, Unknown)]
                elif id(leaf) not in run.placed and not own_weights(leaf):
                    _list(run, leaf)
    finally:
        run.interpreter.kept(TorchProgram).runs.pop()
    _keep_rows(run)


def _runnable(module: Any) -> Iterator[Any]:
    """Yield the outermost parts of a module that say what they compute, in order, each once: a list may hold itself."""
    waiting, known = [module], set()
    while waiting:
        part = waiting.pop()
        if id(part) in known:
            continue
        known.add(id(part))
        if has_no_forward(part):
            waiting += reversed(children_of(part).values())
        else:
            yield part


def _leaves(module: Any) -> Iterator[BuiltIn]:
    yield from [own for part in named_modules(module).values() if (own := computing(part)) is not None]


def _call(run: Run, part: Any) -> None:
    """Call a part on the input that its first module asks for, if that says which."""
    first = next(first_modules(part), None)
    specs = () if first is None else _asked(first)
    if not specs or (part is not first and len(specs) > 1):
        return
    opened, faults = [*run.opened], [*run.faults]
    try:
        run.run(part, [run.input("x", as_recorded(spec)[0][1:], str(spec.dtype)) for spec in specs], {})
    except Stopped:
        run.opened = opened  # sizes that the arguments do not say
        if part is not first and any(
            None in as_recorded(spec)[0] for *_, specs in run.refused_calls[-1:] for spec in specs if spec is not None
        ):
            run.faults = faults


def _list(run: Run, leaf: BuiltIn) -> None:
    """Add a row for a module without weights that takes tensors of any shape."""
    row = run.layer(run.names.get(id(leaf), ""), leaf.type, {"group": StoredGroup(()), "uncalled": False}, leaf.place)
    run.placed[id(leaf)] = row._replace(kind="custom")
    run.builder.layers.append(run.placed[id(leaf)])


def _asked(module: BuiltIn) -> Sequence[Spec]:
    type_, config = module.declared
    if any(isinstance(item, Unknown) for item in config.values()):
        return ()
    try:
        return asked_inputs(type_, config)
    except LayerExplainError:
        return ()


def _keep_rows(run: Run) -> None:
    """Keep the modules of a run with the shapes of their first calls, in the order of the model: no call, no operation
    between modules, and no parameter, which gets the row of one that nothing calls."""
    builder = run.builder
    order = {name: at for at, name in enumerate(named_modules(run.model))}
    layers: list[Layer] = []
    for layer in sorted(
        [inner_layer for inner_layer in builder.layers if inner_layer.name in order],
        key=lambda other: order[other.name],
    ):
        _, tensors = run.sources.get(TensorRef(layer.name).key, ("", []))
        shapes = tuple([as_recorded(tensor.spec)[0] for tensor in tensors])
        layers.append(layer._replace(build_shape=shapes or None))
    run.placed = {key: layer for key, layer in run.placed.items() if layer.name in order}
    run.kept = []
    builder.layers, builder.calls, builder.inputs = layers, [], []
    run.outputs = []
