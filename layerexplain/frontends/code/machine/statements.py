"""Statements: assignments, branches, loops, definitions, imports."""

from __future__ import annotations

import ast
from contextlib import nullcontext

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.code.machine.choices import assigned_names
from layerexplain.frontends.code.machine.definitions import catches, note_field
from layerexplain.frontends.code.machine.freezing import FLAGS
from layerexplain.frontends.code.machine.parts import InterpreterPart, Signal, handler_name, written
from layerexplain.frontends.code.values.base import ProgramError, ProgramValue, Symbol, Unknown, Value, unknown_key
from layerexplain.frontends.code.values.objects import Namespace
from layerexplain.frontends.code.values.operators import is_plain, truth
from layerexplain.frontends.code.values.program import Context, Function, Instance
from layerexplain.frontends.code.values.reading import MOST_ITEMS, Assumption, Frame

_HARMLESS = frozenset(
    """
    print exit quit logging logger log warnings plt matplotlib os sys shutil time wandb tf.print pprint display
    input tqdm parser argparse json pickle random seed gc subprocess glob
    """.split()  # noqa: SIM905
)
"""Calls of these change no model."""


class Statements(InterpreterPart):
    """The part of the interpreter that works through statements."""

    def block(self, body: list[ast.stmt], frame: Frame, *, module: bool = False) -> Signal:
        """Work through statements; returns how they end early."""
        for node in body:
            if not module:
                signal = self.statement(node, frame)
                if signal is not None:
                    return signal
                continue
            self.effects.begin_statement()
            try:
                signal = self.statement(node, frame)
                if signal is not None:
                    return signal
            except ProgramError as error:
                if self._keep(node, error):
                    return None
                self._failed(
                    node, frame, self.unknown(f"line {(error.place or self.place()).line} raises {error}"[:160])
                )
            except RecursionError:
                self._failed(node, frame, self.unknown("the program nests too deeply"))
            except LayerExplainError:
                raise
            except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                # A use of Python that is not thought of here: the statement is not known, and the answer is open.
                why = self.unknown(f"this statement could not be read ({type(error).__name__})")
                self.effects.mark_incomplete(why)
                self._failed(node, frame, why)
        return None

    def _keep(self, node: ast.stmt, error: ProgramError) -> bool:
        """Keep what a statement of the program raises: in its own line, or in another that it leads to. Returns whether
        the program ends here for sure."""
        if self.file:
            return False
        place = error.place or self.place()
        inside = not place.file and node.lineno <= place.line <= (node.end_lineno or node.lineno)
        where = "" if inside else f"{place.file}:{place.line} " if place.file else f"line {place.line} "
        fault = SourceError(f"{where}raises {error}"[:300], **(place if inside else self.place(node)).error_fields)
        ends = self.is_sure(error) and not self.is_notebook
        if ends:
            self.effects.record_fault(fault)
        else:
            self.effects.possible_faults.append(fault)
        return ends

    def is_sure(self, error: ProgramError) -> bool:
        """Return whether the program raises this for sure: nothing before it was passed over or chosen without
        knowing."""
        return error.certain or self.effects.is_certain

    def _failed(self, node: ast.stmt, frame: Frame, why: Unknown) -> None:
        """Go on after a statement of the module that raises: what it would have assigned is not known."""
        self.budget.depth = 0
        for name in assigned_names([node]):
            if name not in frame.names:
                frame.names[name] = why._replace(name=name)

    def statement(self, node: ast.stmt, frame: Frame) -> Signal:
        """Work through one statement."""
        self.budget.step()
        self.node = node
        handler = getattr(self, handler_name(type(node).__name__), None)
        return None if handler is None else self.followed(node, frame, handler)

    def on_expr(self, node: ast.Expr, frame: Frame) -> Signal:
        words = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        if (
            self.is_excerpt
            and frame.outer is None
            and not self.catches_names
            and all(isinstance(word, ast.Name) and frame.holder(word.id) is None for word in words)
        ):
            return None  # a greeting does nothing
        self.value(node.value, frame)
        return None

    def on_return(self, node: ast.Return, frame: Frame) -> Signal:
        return "return", None if node.value is None else self.value(node.value, frame)

    def on_break(self, node: ast.Break, frame: Frame) -> Signal:
        return "break", None

    def on_continue(self, node: ast.Continue, frame: Frame) -> Signal:
        return "continue", None

    def on_global(self, node: ast.Global, frame: Frame) -> Signal:
        frame.globals.update(node.names)
        return None

    def on_nonlocal(self, node: ast.Nonlocal, frame: Frame) -> Signal:
        frame.nonlocals.update(node.names)
        return None

    def on_delete(self, node: ast.Delete, frame: Frame) -> Signal:
        for target in node.targets:
            if isinstance(target, ast.Name):
                frame.names.pop(target.id, None)
            elif isinstance(target, ast.Attribute):
                owner = self.value(target.value, frame)
                if isinstance(owner, Value):
                    owner.delete_attribute(self, target.attr)
            elif isinstance(target, ast.Subscript):
                items, key = self.value(target.value, frame), self.value(target.slice, frame)
                if isinstance(items, Value):
                    items.delete_item(self, key)
                elif type(items) in (list, dict):
                    self.mutate(items)
                    if (unknown := self._unknown_place(items, key)) is not None:
                        self.replace(frame, items, unknown)
                        continue
                    self.budget.look_at(key)
                    try:
                        del items[key]
                    except (KeyError, IndexError, TypeError) as error:
                        raise ProgramError(type(error).__name__, str(error)[:100], self.place()) from None
        return None

    # Assignments ------------------------------------------------------------------------------------------------

    def on_assign(self, node: ast.Assign, frame: Frame) -> Signal:
        value = self.value(node.value, frame)
        constant = isinstance(node.value, ast.Constant | ast.Tuple | ast.List | ast.UnaryOp)
        for target in node.targets:
            self.assign(target, value, frame, constant=constant)
        return None

    def on_annassign(self, node: ast.AnnAssign, frame: Frame) -> Signal:
        if node.value is not None:
            value = self.value(node.value, frame)
            self.assign(node.target, value, frame, constant=isinstance(node.value, ast.Constant))
        if frame.is_class:
            note_field(frame.names, node)
        return None

    def on_augassign(self, node: ast.AugAssign, frame: Frame) -> Signal:
        before = self.value(_loaded(node.target), frame)
        value = self.value(node.value, frame)
        if type(before) is list and isinstance(node.op, ast.Add):
            items = self.items(value)
            if not isinstance(items, Unknown):
                self.budget.grow(len(before), len(items))
                self.mutate(before)
                before += items
                return None
        changed = self.operate(type(node.op).__name__, before, value)
        if type(before) is list and type(changed) is list:  # it stays the same list, also under its other names
            self.mutate(before)
            before[:] = changed
            return None
        self.assign(node.target, before.become(self, changed) if isinstance(before, Value) else changed, frame)
        return None

    def assign(self, target: ast.expr, value: object, frame: Frame, *, constant: bool = False) -> None:
        """Let a target of an assignment stand for a value."""
        match target:
            case ast.Name(id=name):
                if constant or isinstance(value, Unknown):
                    value = self.settings.get(name, value)
                if not isinstance(value, Unknown) and frame.names.get(name, self) is not value:
                    self.effects.record_change()
                if isinstance(value, Value):
                    value.assigned_to(name)
                frame.assign(name, value)
            case ast.Starred(value=inner):
                self.assign(inner, value, frame)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                self._unpack(parts, value, frame)
            case ast.Attribute(value=of, attr=name):
                if isinstance(of, ast.Name) and of.id == "self" and frame.holder("self") is None:
                    frame.assign("self", Namespace({}))  # a part of a class that is pasted without it
                owner = self.value(of, frame)
                if isinstance(owner, Unknown) and name in FLAGS and value is not True:
                    self.leave_trainable_open(owner)
                if isinstance(owner, Value):
                    owner.set_attribute(self, name, value)
            case ast.Subscript(value=of, slice=key):
                items = self.value(of, frame)
                if isinstance(items, Value):
                    items.set_item(self, self.value(key, frame), value)
                else:
                    self._set_item(items, key, value, frame)

    def _unpack(self, parts: list[ast.expr], value: object, frame: Frame) -> None:
        star = next((i for i, part in enumerate(parts) if isinstance(part, ast.Starred)), None)
        items: ProgramValue
        if isinstance(value, Value):
            value.check_use("unpacking", self.place(), f"one tensor for {len(parts)} names: ")
        items = value.unpack(self, parts) if isinstance(value, Value) else self.items(value)
        if isinstance(items, Unknown):
            for part in parts:
                self.assign(part, items, frame)
            return
        if star is not None and len(items) >= len(parts) - 1:
            after = len(parts) - star - 1
            middle = items[star : len(items) - after]
            items = [*items[:star], middle, *items[len(items) - after :]]
        if len(items) != len(parts):
            words = items[0].result_words(items) if items and isinstance(items[0], Value) else ""
            raise ProgramError("ValueError", f"{len(items)} values for {len(parts)} names{words}", self.place())
        for part, item in zip(parts, items, strict=True):
            self.assign(part, item, frame)

    def _unknown_place(
        self, items: list[ProgramValue] | dict[ProgramValue, ProgramValue], key: object
    ) -> Unknown | None:
        """Return why it is not known where in a list or a dict an item is; None where that is known."""
        if (unknown := unknown_key(self, key)) is None and type(items) is list and isinstance(key, Value | Symbol):
            return self.unknown("an item at an unknown position")
        return unknown

    def _set_item(self, items: ProgramValue, at: ast.expr, value: ProgramValue, frame: Frame) -> None:
        key = self.value(at, frame)
        if type(items) not in (list, dict):
            return
        self.mutate(items)
        if (unknown := self._unknown_place(items, key)) is not None:
            self.budget.look(len(items))
            for place in range(len(items)) if type(items) is list else list(items):
                items[place] = unknown
            if type(items) is dict or isinstance(at, ast.Slice):  # how many there are is not known either
                self.replace(frame, items, unknown)
            return
        if isinstance(key, slice) and isinstance(value, Unknown):
            self.replace(frame, items, value)
            return
        try:
            if type(items) is list and isinstance(key, slice) and type(value) is list:
                self.budget.grow(len(items), len(value))
                items[key] = value
            elif (type(items) is list and isinstance(key, int)) or (
                type(items) is dict and self.may_be_key(key) and len(items) < MOST_ITEMS
            ):
                items[key] = value
        except (IndexError, TypeError, ValueError) as error:
            raise ProgramError(type(error).__name__, str(error)[:100], self.place()) from None

    # Branches ---------------------------------------------------------------------------------------------------

    def on_if(self, node: ast.If, frame: Frame) -> Signal:
        test = self.value(node.test, frame)
        known = truth(test)
        if known is not None:
            self.effects.record_change()  # a loop may come here with another outcome
            if self.rounds:
                self.outcomes.setdefault(node, set()).add(known)
            return self.block(node.body if known else node.orelse, frame)
        if isinstance(test, Value):
            test.check_use("test", self.place(node))
        if _only_raises(node.body):
            return self.block(node.orelse, frame)
        if node.orelse and _only_raises(node.orelse):
            return self.block(node.body, frame)
        self.effects.record_uncertainty()
        if isinstance(node.body[-1], ast.Break | ast.Continue) and not node.orelse:
            words = f"`if {written(node.test)[:60]}` is assumed false"
            if self.skip(node.body[:-1], frame, Assumption(node.lineno, words)):
                return None
        shown = written(node.test)[:60]
        cause = test.reason if isinstance(test, Unknown) else "its value is unknown"
        words = f"`if {shown}` is assumed true ({cause})"
        try:
            return self.branch(node.body, node.orelse, frame, Assumption(node.lineno, words))
        except ProgramError as error:
            if not error.is_stated:
                raise
            words = f"`if {shown}` is assumed false ({cause}); where it is true, the program raises {error.kind}"
            self.effects.record_assumption(Assumption(node.lineno, words))
            return self.branch(node.orelse, node.body, frame, Assumption(node.lineno, words))

    def on_assert(self, node: ast.Assert, frame: Frame) -> Signal:
        if truth(self.value(node.test, frame)) is False:
            raise ProgramError("AssertionError", self._untrue(node.test, frame), self.place(node))
        return None

    def _untrue(self, test: ast.expr, frame: Frame) -> str:
        """Return a test that fails, with the value that it compares."""
        words = written(test)[:80]
        if not isinstance(test, ast.Compare) or isinstance(test.left, ast.Constant):
            return f"{words} is not true"
        left = self.value(test.left, frame)
        is_shown = is_plain(left) or (type(left) in (tuple, list) and all(map(is_plain, left)))
        shown = f": {written(test.left)[:40]} is {repr(left)[:60]}" if is_shown else ""
        return f"{words} is not true{shown}"

    def on_raise(self, node: ast.Raise, frame: Frame) -> Signal:
        what = self.value(node.exc, frame) if node.exc is not None else None
        kind = "Exception"
        if isinstance(node.exc, ast.Call | ast.Name):
            kind = written(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
        text = what.reason.partition(": ")[2] if isinstance(what, Unknown) else ""
        raise ProgramError(kind, text, self.place(node), is_stated=True)

    def on_try(self, node: ast.Try, frame: Frame) -> Signal:
        foreign = self.foreign_import(node, frame)
        if foreign:
            taken, other = [*node.body, *node.orelse], node.handlers[0].body
            words = f"the import of {foreign} is assumed to succeed"
            signal = self.branch(taken, other, frame, Assumption(node.lineno, words))
            return self.block(node.finalbody, frame) or signal
        if (lacking := self.lacking_import(node.body, frame)) is not None:
            catching = [item for item in node.handlers if item.type is None or catches(written(item.type), lacking[1])]
            if catching:
                signal = self.block(node.body[: lacking[0]], frame) or self.block(catching[0].body, frame)
                return self.block(node.finalbody, frame) or signal
        calls, around = self.effects.unknown_calls, self.catches_names
        self.catches_names |= any("NameError" in written(item.type) for item in node.handlers if item.type is not None)
        try:
            signal = self.block(node.body, frame)
            self.catches_names = around
            if self.effects.unknown_calls != calls:
                self.leave_freezing_open(
                    [*node.body, *node.handlers], frame, self.unknown("what a `try` calls may fail")
                )
        except ProgramError as error:
            self.catches_names = around
            self.effects.record_change()  # a loop may come here with another outcome
            for handler in node.handlers:
                if handler.type is None or catches(written(handler.type), error.kind):
                    if handler.name:
                        frame.assign(handler.name, self.unknown(str(error)))
                    signal = self.block(handler.body, frame)
                    frame.names.pop(handler.name or "", None)
                    break
            else:
                self.block(node.finalbody, frame)
                raise
        else:
            if signal is None:
                signal = self.block(node.orelse, frame)
        return self.block(node.finalbody, frame) or signal

    on_trystar = on_try

    def on_match(self, node: ast.Match, frame: Frame) -> Signal:
        subject = self.value(node.subject, frame)
        self.effects.record_change()
        for case in node.cases:
            result = self._matches(case.pattern, subject, frame)
            if result is True and case.guard is not None:
                result = truth(self.value(case.guard, frame))
            if result is True:
                return self.block(case.body, frame)
            if result is not False:
                rest = [item for other in node.cases if other is not case for item in other.body]
                words = "this case of `match` is assumed to match"
                return self.branch(case.body, rest, frame, Assumption(case.body[0].lineno, words))
        return None

    def _matches(self, pattern: ast.pattern, subject: ProgramValue, frame: Frame) -> bool | None:
        """Return whether a value matches a pattern, whose names it is given; None where that is not known."""
        match pattern:
            case ast.MatchAs(pattern=inner, name=name):
                result = True if inner is None else self._matches(inner, subject, frame)
                if name is not None and result is not False:
                    frame.assign(name, subject)
                return result
            case ast.MatchValue(value=value):
                return truth(self.compared("Eq", subject, self.value(value, frame)))
            case ast.MatchSingleton(value=value):
                return truth(self.compared("Is", subject, value))
            case ast.MatchOr(patterns=several):
                tests = [self._matches(node, subject, frame) for node in several]
                return True if True in tests else None if None in tests else False
            case ast.MatchClass(cls=kind, patterns=[], kwd_patterns=[]):
                return truth(self.call(Symbol("builtins.isinstance"), [subject, self.value(kind, frame)], {}))
            case ast.MatchSequence(patterns=parts) if is_plain(subject) or type(subject) in (list, tuple, dict):
                if any(isinstance(part, ast.MatchStar) for part in parts):
                    return None if type(subject) in (list, tuple) else False
                if type(subject) not in (list, tuple) or len(subject) != len(parts):
                    return False
                tests = [self._matches(part, item, frame) for part, item in zip(parts, subject, strict=True)]
                return False if False in tests else None if None in tests else True
        return None

    def on_with(self, node: ast.With, frame: Frame) -> Signal:
        return self._within(node.items, node.body, frame)

    on_asyncwith = on_with

    def _within(self, items: list[ast.withitem], body: list[ast.stmt], frame: Frame) -> Signal:
        """Enter the context managers of a `with`, work through its statements, and leave them."""
        if not items:
            return self.block(body, frame)
        signals: list[Signal] = []

        def inside(value: object) -> Signal:
            if items[0].optional_vars is not None:
                self.assign(items[0].optional_vars, value, frame)
            signals.append(self._within(items[1:], body, frame))
            return signals[0]

        manager = self.value(items[0].context_expr, frame)
        if isinstance(manager, Context):
            self.run_context(manager, inside)
            return signals[0] if signals else inside(self.unknown(f"what {manager.function.name}() yields"))
        if not isinstance(manager, Instance) or manager.cls.find("__enter__") is None:
            with manager.entered(self) if isinstance(manager, Value) else nullcontext():
                return inside(manager)
        inside(self.call(self.attribute(manager, "__enter__"), [], {}))
        if isinstance(method := manager.cls.find("__exit__"), Function):
            self.call(method, [manager, None, None, None], {})
        return signals[0]


def _loaded(target: ast.expr) -> ast.expr:
    """Return the target of `+=` as it is read."""
    match target:
        case ast.Name(id=name):
            return ast.copy_location(ast.Name(name, ast.Load()), target)
        case ast.Attribute(value=value, attr=name):
            return ast.copy_location(ast.Attribute(value, name, ast.Load()), target)
        case ast.Subscript(value=value, slice=key):
            return ast.copy_location(ast.Subscript(value, key, ast.Load()), target)
    return target


def _called(node: ast.expr) -> str:
    """Return what a call names first: `os` of `os.makedirs(…)`, `print` of `print(…)`."""
    func = node.func if isinstance(node, ast.Call) else node
    while isinstance(func, ast.Attribute | ast.Call):
        func = func.value if isinstance(func, ast.Attribute) else func.func
    return func.id if isinstance(func, ast.Name) else ""


def _tame(body: list[ast.stmt]) -> bool:
    """Return whether statements can change no model and no list: they assign names, print, raise."""
    for node in body:
        match node:
            case ast.Pass() | ast.Import() | ast.ImportFrom() | ast.Raise() | ast.Global():
                continue
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.Expr(value=ast.Call() as call) if _called(call) in _HARMLESS:
                continue
            case ast.Assign(targets=targets) if all(isinstance(target, ast.Name | ast.Tuple) for target in targets):
                continue
            case ast.AnnAssign() | ast.AugAssign(target=ast.Name()) | ast.FunctionDef():
                continue
            case ast.If(body=one, orelse=other) if _tame(one) and _tame(other):
                continue
            case _:
                return False
    return True


def _only_raises(body: list[ast.stmt]) -> bool:
    """Return whether a branch does nothing but end the program."""
    last = body[-1] if body else None
    if isinstance(last, ast.Expr) and written(last.value).startswith(("sys.exit", "exit(", "quit(", "parser.error")):
        return _tame(body[:-1])
    return isinstance(last, ast.Raise) and _tame(body)
