"""Expressions: names, operators, attributes, items, comprehensions, f-strings (one dispatch, hence the length)."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Sequence

from layerexplain.frontends.code.machine.choices import CHANGES_MODEL, assigned_names
from layerexplain.frontends.code.machine.definitions import names_of
from layerexplain.frontends.code.machine.parts import InterpreterPart, handler_name, written
from layerexplain.frontends.code.values.array import Array, array_of
from layerexplain.frontends.code.values.array_data import count_of
from layerexplain.frontends.code.values.base import (
    OneOf,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
    Value,
    item_of_list,
    one_of,
)
from layerexplain.frontends.code.values.layers import creation_counter, unknown_in
from layerexplain.frontends.code.values.objects import Imported
from layerexplain.frontends.code.values.operators import (
    COMPARISONS,
    binary,
    compare,
    format_value,
    is_plain,
    truth,
    unary,
)
from layerexplain.frontends.code.values.program import Class
from layerexplain.frontends.code.values.python import BUILTINS, OF_MODULE, PYTHON_2, iterate
from layerexplain.frontends.code.values.reading import (
    MOST_ITEMS,
    MOST_TEXT,
    TOO_LARGE,
    Assumption,
    Frame,
    fits,
    walk,
    weight,
)

Rounds = Sequence[ProgramValue]
"""The items of all rounds of a loop."""
Comprehension = ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp


class Expressions(InterpreterPart):
    """The part of the interpreter that gives the values of expressions."""

    def value(self, node: ast.expr, frame: Frame) -> ProgramValue:
        """Return the value of an expression."""
        self.budget.step()
        handler = getattr(self, handler_name(type(node).__name__), None)
        if handler is None:
            return self.unknown(f"a {type(node).__name__.lower()}, which layerexplain does not read")
        value = handler(node, frame)
        if isinstance(value, Unknown) and not value.line:
            place = self.place(node)
            return value._replace(line=place.line, file=place.file, column=place.column)
        return value

    def on_constant(self, node: ast.Constant, frame: Frame) -> ProgramValue:
        value = node.value
        if (isinstance(value, str | bytes) and len(value) > MOST_TEXT) or (
            isinstance(value, int) and value.bit_length() > 1024
        ):
            return self.unknown(TOO_LARGE)
        return value

    def on_name(self, node: ast.Name, frame: Frame) -> ProgramValue:
        name = node.id
        holder = frame.holder(name)
        if holder is not frame and frame.body is not None and self._is_unbound(name, frame):
            raise ProgramError("UnboundLocalError", f"'{name}' has no value yet in this function", self.place(node))
        if holder is None:
            return self._undefined(node, frame)
        value = holder.names[name]
        if name in holder.maybe and not isinstance(value, Unknown):
            self.effects.depend_on(holder.maybe[name])
        if isinstance(value, Imported):
            return self.loaded(holder, name)
        if self.settings and isinstance(value, Symbol):
            return self.settings.get(name, self.settings.get(value.path, value))
        if not isinstance(value, Unknown) or isinstance(value, OneOf):
            return value
        if name in self.settings:
            return self.settings[name]
        if (shaped := self._of_given_shape(name)) is not None:
            return shaped
        option = value.option if value.option or value.lacks != "name" else None
        return value if (value.name, value.option) == (name, option) else value._replace(name=name, option=option)

    def _is_unbound(self, name: str, frame: Frame) -> bool:
        """Return whether a function uses a name of its own for sure before it gives it a value."""
        is_sure = self.effects.is_certain and not (self.choosing or self.effects.unknown_loops or name in self.settings)
        is_other = name in frame.globals or name in frame.nonlocals
        return is_sure and not is_other and name in assigned_names(frame.body or [])

    def _of_given_shape(self, name: str) -> Array | None:
        """Return data whose shape `--set NAME.shape=…` gives; None for a name that has none."""
        shape = self.settings.get(f"{name}.shape") if self.settings else None
        if type(shape) is not tuple:
            return None
        sizes = shape[1:] if shape[:1] == (None,) else shape
        if not sizes or not all(isinstance(size, int) and 0 <= size < 2**40 for size in sizes):
            return None
        self.shaped.add(name)
        return Array(shape)

    def _undefined(self, node: ast.Name, frame: Frame) -> ProgramValue:
        """Return a name that the program has not defined: a builtin, a setting, or a name of Keras by convention."""
        name = node.id
        options = [option for option in self.settings if re.search(rf"\b{name}\b", option)]
        if stands := [option for option in options if option in self.stand_ins]:
            self._name_of_size(node, stands[0])
        if name in self.settings:
            return self.settings[name]
        if (shaped := self._of_given_shape(name)) is not None:
            return shaped
        if name == "__name__":
            return "__main__" if not frame.file.name else frame.file.name
        if name == "__file__":
            return "code.py"
        if name == "Ellipsis":
            return ...
        if name in OF_MODULE:
            return Unknown("it is an attribute of the module", name=name)
        if self.catches_names and (name in PYTHON_2 or name not in BUILTINS):
            raise ProgramError("NameError", f"name '{name}' is not defined", self.place(node))
        if name in PYTHON_2:
            words = f"{name} is a name of Python 2, a NameError in Python 3"
            self.effects.record_undefined(Assumption(self.place(node).line, words, "python-2", name, words))
        if name in BUILTINS:
            return Symbol(f"builtins.{name}")
        result: ProgramValue = self._by_convention(node)
        if result is None:
            result = self.supplied_definition(name, constants=bool(self.star))
        if result is not None:
            return result
        if self.star:
            return Unknown(f"it comes from `from {self.star[-1]} import *` or is not defined", name=name)
        if not options:  # `--set config.units=16` gives it
            self._assume_defined(node, "it is assumed to be defined")
        return Unknown("it is not defined in this code", name=name, lacks="name")

    def _assume_defined(self, node: ast.Name, how: str, settled: str = "") -> None:
        """Record that a name is assumed to be defined elsewhere: Python stops there with a NameError."""
        bound = names_of(self.program.tree).bound if self.program is not None else frozenset()
        has_no = "has no value here" if node.id in bound else "is not defined or imported in this code"
        error = f"{node.id} {has_no}, a NameError in Python"
        assumption = Assumption(self.place(node).line, f"{error}; {how}", settled, node.id, error)
        self.effects.record_undefined(assumption)
        if not (self.file or self.choosing or self.effects.unknown_loops or node.id in bound):
            self.effects.name_errors[node.id] = None

    def set_value(self, node: ast.expr, option: str, frame: Frame) -> ProgramValue:
        """Return the value that `--set` gives an expression, or that stands in for it."""
        if option in self.stand_ins:
            for name in walk(node):
                if isinstance(name, ast.Name) and name.id not in BUILTINS and frame.holder(name.id) is None:
                    self._name_of_size(name, option)
        return self.settings[option]

    def _name_of_size(self, node: ast.Name, option: str) -> None:
        """Record that a whole program uses a name as a size which it does not define: the answer is complete in it."""
        names = names_of(self.program.tree) if self.program is not None else None
        foreign = [item for item in self.star if not self.framework_of(item).names_of_star(item)]
        if names is not None and names.is_whole and node.id not in names.shared and not (self.file or foreign):
            value = self.settings[option]
            example = ",".join(["1000" if size is None else "64" for size in value] if type(value) is tuple else ["64"])
            words = f"--set {shlex.quote(f'{option}={example}')} gives a number"
            self._assume_defined(node, words, "undefined-size")

    def _by_convention(self, node: ast.Name) -> Symbol | None:
        """Return what a name that is not defined stands for: where the program imports frameworks,
        only what is of one of them or of none. Such a program should import it too; other code is a part of one."""
        stands = [
            self.torch.by_convention(node.id),
            *[framework.by_convention(node.id, self.star) for framework in self.frameworks],
        ]
        result = next((symbol for symbol in stands if symbol is not None), None)
        known = [*[framework.roots for framework in self.frameworks], self.torch.roots]
        imported = [roots for roots in known if not roots.isdisjoint(self.import_roots)]
        if result is None or not imported:
            return result
        own = result.path.partition(".")[0]
        if any(own in roots for roots in known) and not any(own in roots for roots in imported):
            return None
        if not self.star:
            self._assume_defined(node, f"it is read as {result.path}")
        return result

    # Collections ------------------------------------------------------------------------------------------------

    def _items(self, parts: list[ast.expr], frame: Frame) -> ProgramValue:
        result: list[ProgramValue] = []
        for part in parts:
            if isinstance(part, ast.Starred):
                items = self.items(self.value(part.value, frame))
                if isinstance(items, Unknown):
                    return items
                result += items
            else:
                result.append(self.value(part, frame))
            if len(result) > MOST_ITEMS:
                return self.unknown(TOO_LARGE)
        self.budget.make(len(result))
        return result

    def on_list(self, node: ast.List, frame: Frame) -> ProgramValue:
        return self.new_container(self._items(node.elts, frame))

    def on_tuple(self, node: ast.Tuple, frame: Frame) -> ProgramValue:
        items = self._items(node.elts, frame)
        return items if isinstance(items, Unknown) else tuple(items)

    def on_set(self, node: ast.Set, frame: Frame) -> ProgramValue:
        items = self._items(node.elts, frame)
        if isinstance(items, Unknown) or not all(map(is_plain, items)):
            return items if isinstance(items, Unknown) else self.unknown("a set of unknown values")
        return set(items)

    def on_dict(self, node: ast.Dict, frame: Frame) -> ProgramValue:
        result: dict[ProgramValue, ProgramValue] = {}
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.value(item, frame)
            if key is None:
                if type(value) is not dict:
                    return value if isinstance(value, Unknown) else self.unknown("an unknown mapping")
                self.budget.make(len(value))
                result.update(value)
                if len(result) > MOST_ITEMS:
                    return self.unknown(TOO_LARGE)
                continue
            named = self.value(key, frame)
            if not self.may_be_key(named):
                return named if isinstance(named, Unknown) else self.unknown("an unknown key")
            try:
                result[named] = value
            except TypeError as error:
                raise ProgramError("TypeError", str(error), self.place()) from None
            if len(result) > MOST_ITEMS:
                return self.unknown(TOO_LARGE)
        self.budget.make(len(result))
        return self.new_container(result)

    def on_joinedstr(self, node: ast.JoinedStr, frame: Frame) -> ProgramValue:
        text = ""
        for part in node.values:
            value = self.value(part, frame)
            if isinstance(value, Unknown):
                return value
            self.budget.make(len(value) // 4)
            text += value
            if len(text) > MOST_TEXT:
                return self.unknown(TOO_LARGE)
        return text

    def on_formattedvalue(self, node: ast.FormattedValue, frame: Frame) -> ProgramValue:
        value = self.value(node.value, frame)
        spec = "" if node.format_spec is None else self.value(node.format_spec, frame)
        if isinstance(value, Unknown) or isinstance(spec, Unknown):
            return value if isinstance(value, Unknown) else spec
        self.budget.look_at(value)
        if node.conversion == 114 and is_plain(value):
            value = repr(value)
        return format_value(value, spec)

    # Operators --------------------------------------------------------------------------------------------------

    def on_binop(self, node: ast.BinOp, frame: Frame) -> ProgramValue:
        left, right = self.value(node.left, frame), self.value(node.right, frame)
        self.node = node
        return self.operate(type(node.op).__name__, left, right)

    def operate(self, name: str, left: object, right: object) -> ProgramValue:
        """Return the result of an operator on two values."""
        left, right = (item.operand(self) if isinstance(item, Value) else item for item in (left, right))
        unknown = next((item for item in (left, right) if isinstance(item, Unknown)), None)
        for value in (left, right):
            if unknown is not None and not isinstance(value, Unknown):
                continue
            if isinstance(value, Value) and (result := value.operate(self, name, left, right)) is not NotImplemented:
                return result
        return binary(name, left, right, self.budget) if unknown is None else unknown

    def on_unaryop(self, node: ast.UnaryOp, frame: Frame) -> ProgramValue:
        value = self.value(node.operand, frame)
        name = type(node.op).__name__
        if isinstance(value, Value):
            value = value.operand(self)
        result = value.operate_alone(self, name) if isinstance(value, Value) and name != "Not" else NotImplemented
        if result is NotImplemented and isinstance(value, Unknown):
            return value
        return unary(name, value) if result is NotImplemented else result

    def on_boolop(self, node: ast.BoolOp, frame: Frame) -> ProgramValue:
        decides = isinstance(node.op, ast.Or)
        unsure: Unknown | None = None
        first = len(node.values)
        for number, part in enumerate(node.values, 1):
            last = self.value(part, frame)
            known = truth(last)
            if known is None and unsure is None:
                unsure, first = last if isinstance(last, Unknown) else self.unknown("an unknown condition"), number
            elif known is decides:
                self.effects.record_change()  # a loop may come here with another outcome
                unsure = unsure if is_plain(last) and not isinstance(last, bool) else None
                break
        if first < len(node.values):
            self.leave_freezing_open(node.values[first:], frame, unsure or last)
        return unsure if unsure is not None else last

    def on_compare(self, node: ast.Compare, frame: Frame) -> ProgramValue:
        left = self.value(node.left, frame)
        result: ProgramValue = True
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self.value(part, frame)
            name = type(op).__name__
            result = NotImplemented
            for item in (left, right) if name in COMPARISONS else ():
                if isinstance(item, Value) and result is NotImplemented:
                    result = item.compare(self, name, left, right)
            if result is NotImplemented:
                result = self.compared(name, left, right)
            if result is False:
                return False
            left = right
        return result

    def compared(self, name: str, left: ProgramValue, right: ProgramValue) -> ProgramValue:
        """Return the result of a comparison of two values."""
        if name not in ("Is", "IsNot"):
            left, right = (item.as_tuple() if isinstance(item, Value) else item for item in (left, right))
            if not (isinstance(left, Symbol) and isinstance(right, Symbol)):  # a name of a module that is not read
                left, right = (item.operand(self) if isinstance(item, Symbol) else item for item in (left, right))
        by_hash = is_plain(left) and isinstance(right, range | dict | set | frozenset)
        if name in ("In", "NotIn") and not by_hash and type(right) in (list, tuple, dict, set, frozenset):
            self.budget.look(len(right) * weight(left))
        if not (is_plain(left) and is_plain(right)) and name not in ("Is", "IsNot"):
            self.budget.look_at(left, *([] if by_hash else [right]))
        result = compare(name, left, right)
        return result.plain() if isinstance(result, OneOf) else result

    def may_be_key(self, value: object) -> bool:
        """Return whether a value is known well enough, and small enough, to be a key."""
        if type(value) is tuple:
            self.budget.look_at(value)
            return fits(value)
        return is_plain(value) or isinstance(value, Symbol | Class)

    def items(self, value: object) -> list[ProgramValue] | Unknown:
        """Return the items that a loop over a value meets; Unknown where they are not known."""
        items = iterate(value)
        self.budget.look(0 if isinstance(items, Unknown) else len(items))
        return items

    def on_ifexp(self, node: ast.IfExp, frame: Frame) -> ProgramValue:
        test = self.value(node.test, frame)
        known = truth(test)
        if known is not None:
            self.effects.record_change()
            return self.value(node.body if known else node.orelse, frame)
        cause = test.reason if isinstance(test, Unknown) else "its value is unknown"
        words = f"`if {written(node.test)[:60]}` is assumed true ({cause})"
        mark, start = self.effects.mark(), next(creation_counter)
        value = self.value(node.body, frame)
        level = self.reaches([node.orelse], frame)
        froze = self.has_frozen(mark, start)
        if froze or level == CHANGES_MODEL or not (level or self.effects.since(mark).reached_model):
            hanging = [*([node.body] if froze else ()), node.orelse]
            self.leave_freezing_open(hanging, frame, Unknown(words, node.lineno))
        if level:
            self.effects.record_assumption(Assumption(node.lineno, words), everywhere=level == CHANGES_MODEL)
        elif not isinstance(value, Unknown):
            self.effects.depend_on(Assumption(node.lineno, words))
        return value

    def on_namedexpr(self, node: ast.NamedExpr, frame: Frame) -> ProgramValue:
        value = self.value(node.value, frame)
        while frame.outer is not None and frame.body is None and not frame.is_class:  # of a comprehension
            frame = frame.outer
        self.assign(node.target, value, frame)
        return value

    def on_lambda(self, node: ast.Lambda, frame: Frame) -> ProgramValue:
        return self.function(node, "<lambda>", frame)

    def on_starred(self, node: ast.Starred, frame: Frame) -> ProgramValue:
        return self.value(node.value, frame)

    def on_yield(self, node: ast.Yield, frame: Frame) -> ProgramValue:
        value = None if node.value is None else self.value(node.value, frame)
        if frame.within is not None:
            within, frame.within = frame.within, None
            within(value)
        elif frame.yields is not None:
            self.mutate(frame.yields)
            frame.yields.append(value)
            if len(frame.yields) > MOST_ITEMS:
                frame.yields = None
        return None

    def on_yieldfrom(self, node: ast.YieldFrom, frame: Frame) -> ProgramValue:
        items = self.items(self.value(node.value, frame))
        if isinstance(items, Unknown) or frame.yields is None or len(frame.yields) + len(items) > MOST_ITEMS:
            frame.yields = None
        else:
            self.mutate(frame.yields)
            frame.yields += items
        return None

    def on_await(self, node: ast.Await, frame: Frame) -> ProgramValue:
        return self.value(node.value, frame)

    # Comprehensions ---------------------------------------------------------------------------------------------

    def _rows(self, node: Comprehension, frame: Frame, make: Callable[[Frame, Rounds], ProgramValue]) -> ProgramValue:
        """Call `make` with the frame of each round of a comprehension, and with the items of all rounds if it is one
        loop without a test; ends where that gives something, and returns it, or what is not known of the loops."""

        def rounds(number: int, inner: Frame) -> ProgramValue:
            if number == len(node.generators):
                return make(inner, ())
            generator = node.generators[number]
            given = self.value(generator.iter, inner)
            items = self.items(given)
            is_alone = len(node.generators) == 1 and not generator.ifs
            if isinstance(items, Unknown):
                first: ProgramValue = None
                if is_alone and type(given) is range:
                    self.assign(generator.target, given[0], inner)
                    first = make(inner, given)
                self.leave_freezing_open([node], inner, items)
                return first or items
            for item in items:
                self.budget.step()
                self.assign(generator.target, item_of_list(item), inner)
                tests = [self.value(test, inner) for test in generator.ifs]
                known = [truth(test) for test in tests]
                if None in known:
                    test = tests[known.index(None)]
                    why = test if isinstance(test, Unknown) else self.unknown("an unknown condition")
                    self.leave_freezing_open([node], inner, why)
                    return one_of(why, items if isinstance(getattr(node, "elt", None), ast.Name) else ())
                if all(known):
                    why = make(inner, items) if is_alone else rounds(number + 1, inner)
                    if why is not None:
                        return why
            return None

        inner = Frame(frame.file, frame)
        inner.owner, inner.self = frame.owner, frame.self
        return rounds(0, inner)

    def _table(self, node: ast.expr, target: ast.expr, row: ProgramValue, rounds: Rounds, frame: Frame) -> Array | None:
        """Return an array of the shape of a table of numbers that is too large to be computed, by its first row and
        its last one; None for other values."""
        first = array_of(row)
        if not isinstance(first, Array) or not first.shape or count_of(first.shape) * len(rounds) <= MOST_ITEMS:
            return None
        if not all(isinstance(item, int | float) for item in first.values or ()):
            return None
        self.assign(target, rounds[-1], frame)
        last = array_of(self.value(node, frame))
        is_even = isinstance(last, Array) and last.shape == first.shape
        return Array((len(rounds), *first.shape), None, None, first.dtype) if is_even else None

    def on_listcomp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, frame: Frame) -> ProgramValue:
        results: list[ProgramValue] = []
        idle = 0

        def make(inner: Frame, rounds: Rounds) -> ProgramValue:
            nonlocal idle
            mark, steps = self.effects.mark(), self.budget.steps
            value = self.value(node.elt, inner)
            if not results and len(rounds) > 1 and not self.effects.since(mark).changed_values:
                table = self._table(node.elt, node.generators[0].target, value, rounds, inner)
                if table is not None:
                    return table
                self.assign(node.generators[0].target, rounds[0], inner)
            results.append(value)
            self.budget.make(1)
            self.budget.look_at(value)
            why = unknown_in(value)
            if why is None or self.effects.since(mark).reached_model:
                return None
            idle += isinstance(value, Unknown)
            return why if self.budget.is_idle(idle, steps - self.budget.steps) else None

        why = self._rows(node, frame, make)
        if why is not None:
            return why
        return self.new_container(results) if len(results) <= MOST_ITEMS else self.unknown(TOO_LARGE)

    on_generatorexp = on_listcomp

    def on_setcomp(self, node: ast.SetComp, frame: Frame) -> ProgramValue:
        result: ProgramValue = self.on_listcomp(node, frame)
        if isinstance(result, Unknown) or not all(map(is_plain, result)):
            return result if isinstance(result, Unknown) else self.unknown("a set of unknown values")
        return set(result)

    def on_dictcomp(self, node: ast.DictComp, frame: Frame) -> ProgramValue:
        results: dict[ProgramValue, ProgramValue] = {}
        unsure: list[Unknown] = []

        def make(inner: Frame, rounds: Rounds) -> None:
            key = self.value(node.key, inner)
            value = self.value(node.value, inner)
            if self.may_be_key(key):
                results[key] = value
            else:
                unsure.append(key if isinstance(key, Unknown) else self.unknown("an unknown key"))
            self.budget.make(1)

        why = self._rows(node, frame, make)
        return why or (unsure[0] if unsure else results)
