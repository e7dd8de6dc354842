"""Modules of PyTorch in a program: those of torch.nn, user-defined classes, their children and parameters
(modules answer for each other, hence the length)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from layerexplain.frontends.code.library.torch_program import (
    REGISTER,
    STATISTICS,
    HookHandle,
    OfModule,
    Parameter,
    PartOfModule,
    TorchProgram,
    Weights,
    has_unknown_weights,
    is_recurrent,
    kept_as,
    may_have_weight,
    own_weights,
    run_of,
    statistics,
    weight_shapes,
)
from layerexplain.frontends.code.values import python
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Identity,
    Keywords,
    Place,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
)
from layerexplain.frontends.code.values.layers import creation_counter
from layerexplain.frontends.code.values.program import Bound, Class, Function, Instance
from layerexplain.frontends.code.values.reading import MOST_MODULES, Exhausted, walk
from layerexplain.layers.registry import find, of_torch
from layerexplain.layers.torch.construction import has_parameters

CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})


class BuiltIn(Identity):
    """A module of torch.nn. `children` are those of a container, None for a module that computes."""

    def __init__(
        self, type_: str, config: dict[str, Any], place: Place, children: dict[str, Any] | None = None
    ) -> None:
        self.type = type_
        self.config = config
        self.place = place
        self.children = children
        self.attributes: dict[str, Any] = {}
        self.known_weights: tuple[tuple[str, dict[str, Any]], Weights | None] | None = None
        """The weights that it has by its arguments, None where these do not say them, and these."""
        self.statement = 0
        """The number of the statement that makes it."""
        self.created_at = next(creation_counter)
        self.is_in_place = False
        """Whether it changes its input, as `nn.ReLU(inplace=True)` does."""
        self.computed: tuple[str, dict[str, Any]] | None = None
        """What computes one of its weights from others, `torch.nn.utils.weight_norm`, and the arguments of that."""

    def copy_to(self, known: dict[int, ProgramValue], copy: Callable[[ProgramValue], ProgramValue]) -> None:
        module = known[id(self)] = BuiltIn(self.type, dict(self.config), self.place)
        module.is_in_place, module.computed = self.is_in_place, self.computed
        module.attributes = {name: copy(attribute) for name, attribute in self.attributes.items()}
        module.children = (
            None if self.children is None else {name: copy(value) for name, value in self.children.items()}
        )

    @property
    def declared(self) -> tuple[str, dict[str, Any]]:
        """The type that declares what it computes, and the arguments of that."""
        if self.computed is None:
            return self.type, self.config
        type_, how = self.computed
        return type_, {"type": self.type, "arguments": tuple(self.config.items()), **how}

    @property
    def replaced(self) -> dict[str, Parameter]:
        """The parameters that the program puts in the place of its own, by their names here."""
        results = {name: attribute for name, attribute in self.attributes.items() if isinstance(attribute, Parameter)}
        return {n: p for n, p in results.items() if not isinstance(p, OfModule) or (p.owner, p.name) != (self, n)}

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        if name in self.attributes:
            return self.attributes[name]
        if self.children is not None and name in self.children:
            return self.children[name]
        if self.children is None:
            shapes = weight_shapes(self)
            if name in shapes:
                return self.weight(name)
            if any(shape.startswith(f"{name}.") for shape in shapes):
                return PartOfModule(self, name, [shape for shape in shapes if shape.startswith(f"{name}.")])
            if name in ("weight", "bias") and not is_recurrent(shapes):
                is_open = self.computed is not None or may_have_weight(self, name) is None
                return self.weight(name) if is_open else None
        declaration = find(of_torch(self.type))
        config = {**(declaration.default_values if declaration is not None else {}), **self.config}
        if name in config:
            return kept_as(self.type, config, name)
        if name == "head_dim" and {"embed_dim", "num_heads"} <= self.config.keys():
            return evaluator.operate("FloorDiv", self.config["embed_dim"], self.config["num_heads"])
        if name == "training":
            return False
        if evaluator.kept(TorchProgram).inside_parallel(self, name):
            return self
        if name == "__class__":
            return Symbol(f"torch.nn.{self.type}")
        if name == "generate_square_subsequent_mask":
            return Symbol(f"torch.nn.Transformer.{name}")
        return self._statistics(evaluator, name) if name in STATISTICS else Bound(self, name)

    def _statistics(self, evaluator: Evaluator, name: str) -> Any:
        """Return a buffer of a normalization, which a program computes with; None for one that it does not keep."""
        shape = next((shape for item, shape, _ in own_weights(self) if item == name), None)
        if shape is None:
            return None
        first, run = statistics(name, shape), run_of(evaluator)
        self.attributes[name] = first
        self.attributes["_buffers"] = (*self.attributes.get("_buffers", ()), name)
        if run is not None:
            run.buffers[id(first)] = f"{run.names.get(id(self), '')}.{name}".lstrip(".")
        return first

    def weight(self, name: str) -> OfModule:
        """Return a weight of a module, for programs that freeze it, initialize it, or compute with it."""
        shapes = weight_shapes(self)
        weight = self.attributes[name] = OfModule(shapes.get(name, (None,)), self, name)
        return weight

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        if name in self.attributes or name in self.config or name == "training":
            return True
        return may_have_weight(self, name) if name in ("weight", "bias") and self.children is None else None

    def set_attribute(self, evaluator: Evaluator, name: str, value: Any) -> None:
        evaluator.effects.record_attribute_change(self, name)
        evaluator.effects.record_model_event()
        if name in ("weight", "bias") and isinstance(value, Parameter):
            self.attributes[name] = value
        elif self.children is not None and (is_module(value) or name in self.children):
            self.children[name] = value
        elif name == "bias" and value is None and self.children is None:
            self.config["bias"] = False
        elif name in self.config or ((known := find(of_torch(self.type))) is not None and name in known.arguments):
            before, old = own_weights(self), dict(self.config)
            self.config[name] = tuple(value) if type(value) is list else value
            if own_weights(self) != before:  # `fc.out_features = 10` changes no weight that is there
                self.config, self.attributes[name] = old, value
        else:
            self.attributes[name] = value

    def delete_attribute(self, evaluator: Evaluator, name: str) -> None:
        evaluator.effects.record_attribute_change(self, name)
        (self.children or {}).pop(name, None)
        self.attributes.pop(name, None)

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        if self.children is None:
            raise ProgramError("TypeError", f"'{self.type}' object is not subscriptable", evaluator.place())
        names = self._names(evaluator, key)
        if isinstance(key, slice):
            return BuiltIn(self.type, {}, self.place, {str(i): self.children[name] for i, name in enumerate(names)})
        return self.children[names[0]] if names else evaluator.unknown("an item under an unknown key")

    def _names(self, evaluator: Evaluator, key: object) -> list[str]:
        """Return the names of the children that a key stands for; none for an unknown key."""
        names = list(self.children or ())
        if isinstance(key, slice):
            return names[key]
        if isinstance(key, str) and key in names:
            return [key]
        if isinstance(key, int) and -len(names) <= key < len(names):
            return [names[key]]
        if isinstance(key, int | str):
            raise ProgramError("IndexError", f"index {key!r} is out of range", evaluator.place())
        return []

    def set_item(self, evaluator: Evaluator, key: object, value: object) -> None:
        """Put a module in the place of another one, or under a new name."""
        names = [key] if isinstance(key, str) else self._names(evaluator, key)
        if len(names) == 1:
            self._change({**(self.children or {}), names[0]: value}, evaluator)
        else:
            self._change(None, evaluator)

    def delete_item(self, evaluator: Evaluator, key: object) -> None:
        """Remove modules; those behind them move up."""
        removed = self._names(evaluator, key)
        left = {name: value for name, value in (self.children or {}).items() if name not in removed}
        if self.type in ("Sequential", "ModuleList"):
            left = {str(i): item for i, item in enumerate(left.values())}
        self._change(left if removed else None, evaluator)

    def _change(self, children: dict[str, ProgramValue] | None, evaluator: Evaluator) -> None:
        """Let a container hold other modules; None says that it is not known which."""
        if self.children is not None:
            evaluator.budget.look(len(self.children))
            evaluator.effects.record_attribute_change(self, "children")
            unknown = evaluator.unknown("which modules a container holds")
            names = [*self.children, *(["[unknown]"] if self.type == "ModuleDict" else [])]
            changed = dict.fromkeys(names, unknown) if children is None else children
            self.children.clear()
            self.children.update(changed)

    def iterate(self) -> list[Any] | Unknown:
        if self.children is None:
            return Unknown("items of a module")
        return list(self.children) if self.type in ("ModuleDict", "ParameterDict") else list(self.children.values())

    def length(self) -> Any:
        return len(self.children or ())

    def contains(self, value: object) -> ProgramValue:
        is_known = self.children is not None and type(value) in (str, int)
        return value in (self.children or {}) if is_known else super().contains(value)

    def is_instance(self, kind: Symbol) -> bool | None:
        if kind.last == "_ConvNd":
            return self.type.startswith("Conv")
        if kind.last == "_BatchNorm":
            return self.type.startswith("BatchNorm")
        return kind.last in (self.type, "Module")

    def operate(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        """Evaluate `modules + others` of lists of modules."""
        others: Any = right.iterate() if isinstance(right, BuiltIn) else right
        if name != ast.Add.__name__ or left is not self or self.children is None or type(others) not in (list, tuple):
            return NotImplemented
        evaluator.budget.grow(len(self.children), len(others))
        both = [*self.children.values(), *others]
        return BuiltIn(self.type, {}, evaluator.place(), {str(i): item for i, item in enumerate(both)})

    def become(self, evaluator: Evaluator, value: Any) -> Any:
        if not isinstance(value, BuiltIn) or value.children is None:
            return value
        self._change(dict(value.children), evaluator)
        return self

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        return evaluator.call_module(self, args, kwargs)

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if self.children is not None:
            if name in ("append", "extend"):
                more: Any = [args[0]] if name == "append" else args[0]
                more = more.iterate() if isinstance(more, BuiltIn) else list(more)
                evaluator.budget.grow(len(self.children), len(more))
                evaluator.effects.record_attribute_change(self, "children")
                self.children.update({str(i): item for i, item in enumerate(more, len(self.children))})
                return self
            if name == "insert":
                now = list(self.children.values())
                now.insert(args[0], args[1])
                evaluator.budget.grow(len(now), 1)
                self._change({str(i): item for i, item in enumerate(now)}, evaluator)
                return self
            if name == "pop" and args:
                result = self.get_item(evaluator, args[0])
                self.delete_item(evaluator, args[0])
                return result
            if name in ("items", "keys", "values"):
                return list(getattr(self.children, name)())
            if name == "update" and args and type(args[0]) is dict:
                evaluator.budget.grow(len(self.children), len(args[0]))
                self._change({**self.children, **args[0]}, evaluator)
                return None
        return module_method(evaluator, self, name, args, kwargs)


class ModuleParameters(Identity):
    """What `module.parameters()` gives, or `named_parameters()`: the parameters of all modules in it."""

    def __init__(self, module: ProgramValue, *, is_named: bool) -> None:
        self.module = module
        self.is_named = is_named

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        return Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        return evaluator.unknown("the parameters of a module")

    def iterate(self) -> list[Any] | Unknown:
        results = all_parameters(self.module)
        if results is None:
            return Unknown("the parameters of a module")
        for parameter in results.values():
            parameter.asked_of = self.module
        return list(results.items()) if self.is_named else list(results.values())


def all_parameters(module: ProgramValue) -> dict[str, Parameter] | None:
    """Return all parameters of a module by their names, a shared one once; None where they are not all known."""
    results: dict[str, Parameter] = {}
    for prefix, item in named_modules(module).items():
        own = computing(item)
        if unknown_parts(item) or (own is not None and has_unknown_weights(own)):
            return None
        members = item.attributes if isinstance(item, Instance) else item.children or {}
        values: dict[str, Any] = {name: value for name, value in members.items() if isinstance(value, Parameter)}
        if own is not None:
            for name in weight_shapes(own):
                values.setdefault(name, own.attributes.get(name) or own.weight(name))
        results |= {f"{prefix}.{name}".lstrip("."): value for name, value in values.items()}
    names = {id(value): name for name, value in reversed(results.items())}
    return {name: value for name, value in results.items() if names[id(value)] == name}


BUILT_IN = "built-in module"
"""The attribute of an object whose class is made of a module that computes, which holds that."""


_MAY_HOLD_MODULES = (ast.For, ast.comprehension, ast.Starred, ast.Subscript, ast.Call)
"""What stands around the name of an attribute that is modules: a loop over them, `self.layers[0]`, an argument."""


def unknown_parts(module: Any) -> dict[str, Unknown]:
    """Return what a module holds that is not known and may be a module, by its name there: the parts of a container,
    attributes that a method of the class calls, what a call of an unknown name gives, unless it is read as numbers or
    settings are, and objects of a class whose base is not known."""
    members = module.children or {} if isinstance(module, BuiltIn) else module.attributes
    of_unread = {
        name: member.attributes.get("__unread__") for name, member in members.items() if isinstance(member, Instance)
    }
    unread = {name: value for name, value in of_unread.items() if isinstance(value, Unknown)}
    if isinstance(module, BuiltIn):
        return {name: member for name, member in members.items() if isinstance(member, Unknown)} | unread
    unknown = {name: attribute for name, attribute in module.attributes.items() if isinstance(attribute, Unknown)}
    if not unknown:
        return unread
    called: set[str] = set()
    around: dict[str, set[type[ast.AST]]] = {}
    methods = [
        attribute for cls in module.cls.order() if isinstance(cls, Class) for attribute in cls.attributes.values()
    ]
    for method in methods:
        for node in walk(method.node) if isinstance(method, Function) else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called.add(node.func.attr)
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Load):
                    around.setdefault(part.attr, set()).add(type(node))
    return {
        name: value
        for name, value in unknown.items()
        if name in called or (value.is_result and around.get(name, {ast.Call}) & {*_MAY_HOLD_MODULES})
    } | unread


def first_modules(module: Any) -> Iterator[BuiltIn]:
    """Yield the modules of torch.nn that a module consists of, in order, up to the first one that is not known."""
    for other in named_modules(module).values():
        if unknown_parts(other):
            return
        if (own := computing(other)) is not None:
            if has_parameters(own.type) and find(of_torch(own.type)) is None:
                return
            yield own


def module_type(value: Any) -> str:
    """Return the name in torch.nn of a module, or of what a user-defined class is made of; "" for others."""
    if isinstance(value, BuiltIn):
        return value.type
    root = value.cls.root() if isinstance(value, Instance) else None
    return root.last if root is not None and root.path.startswith("torch.nn.") else ""


def is_module(value: Any) -> bool:
    """Return whether a value is a module."""
    return bool(module_type(value))


def computing(module: Any) -> BuiltIn | None:
    """Return the module of torch.nn that a module is, or that its class is made of; None for one that consists of
    others."""
    own = module.attributes.get(BUILT_IN) if isinstance(module, Instance) else module
    return own if isinstance(own, BuiltIn) and own.children is None else None


def children_of(module: Any) -> dict[str, Any]:
    """Return the modules that a module holds, by their names in it."""
    members = module.children or {} if isinstance(module, BuiltIn) else module.attributes
    return {name: member for name, member in members.items() if is_module(member) and name != BUILT_IN}


def named_modules(module: Any) -> dict[str, Any]:
    """Return all modules by the names that `named_modules` gives: a shared one once, under its first name.
    Raises Exhausted where they nest too deep."""
    results: dict[int, tuple[str, Any]] = {}
    waiting = [("", module, 0)]
    while waiting:
        name, item, deep = waiting.pop()
        if id(item) not in results:
            results[id(item)] = name, item
            if deep > MOST_MODULES:
                raise Exhausted(f"nests modules more than {MOST_MODULES} deep")
            inner = [(f"{name}.{key}".lstrip("."), child, deep + 1) for key, child in children_of(item).items()]
            waiting += reversed(inner)
    return dict(results.values())


def named_parameters(module: Any) -> dict[str, Parameter]:
    """Return the parameters that user-defined classes make themselves, by their names."""
    parameters: dict[str, Parameter] = {}
    seen: set[int] = set()
    for prefix, item in named_modules(module).items():
        members = item.attributes if isinstance(item, Instance) else item.children or {}
        for name, value in members.items():
            if isinstance(value, Parameter) and not isinstance(value, OfModule) and id(value) not in seen:
                seen.add(id(value))
                parameters[f"{prefix}.{name}".lstrip(".")] = value
    return parameters


def trainable_since(module: Any) -> set[int]:
    """Return the statements of the program that say which parameters of a module are trained."""
    asked = [*named_parameters(module).values()]
    for other in named_modules(module).values():
        own = other.attributes.get(BUILT_IN) if isinstance(other, Instance) else other
        asked += [value for value in getattr(own, "attributes", {}).values() if isinstance(value, Parameter)]
    return {statement for parameter in asked for statement in parameter.changed_in}


def named_buffers(module: Any) -> dict[str, Array]:
    """Return the arrays that classes of the program register and that `state_dict()` has, by their names."""
    buffers: dict[str, Array] = {}
    for prefix, item in named_modules(module).items():
        for name in item.attributes.get("_buffers", ()):
            value = item.attributes.get(name)
            if isinstance(value, Array):
                buffers.setdefault(f"{prefix}.{name}".lstrip("."), value)
    return buffers


_SELF = frozenset(
    """
    train eval to cuda cpu half float double type apply zero_grad share_memory compile bfloat16
    """.split()  # noqa: SIM905
)
"""Methods that give the module itself, as it is."""
_NOTHING = frozenset(
    """
    load_state_dict register_full_backward_hook extra_repr
    reset_parameters _initialize_weights init_weights _log_api_usage_once
    """.split()  # noqa: SIM905
)


_PUTS = {
    "add_module": "module", "register_module": "module", "register_parameter": "param", "register_buffer": "tensor",
}  # fmt: skip
"""Methods that put something under a name, and what they call that."""


OF_MODULE = _SELF | frozenset(
    """
    T_destination add_module apply buffers call_super_init children dump_patches extra_repr forward get_buffer
    get_extra_state get_parameter get_submodule ipu load_state_dict modules mtia named_buffers named_children
    named_modules named_parameters parameters register_backward_hook register_buffer register_forward_hook
    register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule state_dict
    to_empty
    training xpu
    """.split()  # noqa: SIM905
)
"""What every module has."""


def module_method(
    evaluator: Evaluator, module: ProgramValue, name: str, args: Arguments, kwargs: Keywords
) -> ProgramValue:
    """Return what a method that every module has gives."""
    if name == "forward" or name == "__call__":
        return evaluator.call_module(module, args, kwargs)
    if name == "apply" and args and isinstance(args[0], Function) and _changes_modules(args[0]):
        for other in reversed(named_modules(module).values()):
            evaluator.call(args[0], [other])
    if name in _SELF:
        return module
    if name in _NOTHING:
        return None
    if name in REGISTER and isinstance(module, BuiltIn | Instance):
        hooks: Any = module.attributes.setdefault(REGISTER[name], [])
        evaluator.mutate(hooks)
        hook = (args[0] if args else kwargs.get("hook"), bool(kwargs.get("with_kwargs")))
        hooks.insert(0 if kwargs.get("prepend") is True else len(hooks), hook)
        return HookHandle(hooks, hook)
    if name == "__getattr__" and len(args) == 1 and isinstance(args[0], str):
        return python.get_attribute(module, evaluator, args[0])
    if name == "__setattr__" and len(args) == 2 and isinstance(args[0], str):
        return module.set_attribute(evaluator, args[0], args[1])
    if name in _PUTS:
        given = {**dict(zip(("name", _PUTS[name], "persistent"), args, strict=False)), **kwargs}
        _put(evaluator, module, given.get("name"), given.get(_PUTS[name]))
        if name == "register_buffer" and given.get("persistent", True) is True and isinstance(module, Instance):
            names = module.attributes.get("_buffers", ())
            module.attributes["_buffers"] = (*(names if type(names) is tuple else ()), given.get("name"))
        return None
    if name in ("children", "named_children"):
        first = {id(item): (key, item) for key, item in reversed(children_of(module).items())}
        members = dict(reversed(first.values()))  # a shared one once, under its first name
        return list(members.items()) if name == "named_children" else list(members.values())
    if name in ("modules", "named_modules"):
        every = named_modules(module)
        return list(every.items()) if name == "named_modules" else list(every.values())
    if name in ("parameters", "named_parameters"):
        return ModuleParameters(module, is_named=name == "named_parameters")
    if name == "requires_grad_":
        for parameter in (all_parameters(module) or {}).values():
            parameter.call_method(evaluator, name, args, kwargs)
        return module
    if name == "get_submodule" and args and isinstance(args[0], str):
        return named_modules(module).get(args[0], evaluator.unknown(f"the module {args[0]}"))
    if name in OF_MODULE:
        return evaluator.unknown(f"the method {name} of a module")
    owner = module.cls.name if isinstance(module, Instance) else "the module"
    return evaluator.unknown(f"{owner} has no attribute '{name}'")


def _changes_modules(function: Function) -> bool:
    """Return whether a function that is applied to modules freezes weights or assigns attributes; what draws weights
    changes nothing that is read here."""
    nodes = walk(function.node)
    frozen = any(isinstance(node, ast.Attribute) and node.attr.startswith("requires_grad") for node in nodes)
    targets = [target for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
    return frozen or any(isinstance(target, ast.Attribute) and target.attr != "data" for target in targets)


def _put(evaluator: Evaluator, module: Any, name: Any, value: Any) -> None:
    name = name.operand(evaluator) if isinstance(name, Symbol) else name
    if isinstance(name, Unknown) and (is_module(value) or isinstance(value, Unknown | Parameter)):
        name, value = f"[{name.name or 'unknown'}]", name._replace(is_result=True)
    if isinstance(name, str):
        evaluator.effects.record_attribute_change(module, name)
        if isinstance(module, BuiltIn) and module.children is None:
            module.set_attribute(evaluator, name, value)
        else:
            members: Any = module.children if isinstance(module, BuiltIn) else module.attributes
            members[name] = value
