"""Choices that only running the program would confirm, what hangs on them, and loops (both ask, hence the length)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence

from layerexplain.frontends.code.machine.effects import Mark, Since
from layerexplain.frontends.code.machine.parts import InterpreterPart, Signal, dotted, written
from layerexplain.frontends.code.values.array import Array, memory_of
from layerexplain.frontends.code.values.array_data import ArrayMemory
from layerexplain.frontends.code.values.base import Alike, ProgramValue, Symbol, Unknown, Value, item_of_list
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Tensor, creation_counter
from layerexplain.frontends.code.values.objects import Imported, Module
from layerexplain.frontends.code.values.operators import each_in, is_plain, truth
from layerexplain.frontends.code.values.program import Bound, Class, Function, Instance, Partial, Super, layer_of
from layerexplain.frontends.code.values.reading import Assumption, Frame, children, fits, kept_with_tree, walk

# Choices ------------------------------------------------------------------------------------------------------------
# Choices that only running the program would confirm, and what hangs on them.

_ONLY_READ = frozenset([
    "evaluate", "get_weights", "load_weights", "loss", "losses", "metrics", "name", "optimizer", "predict",
    "predict_on_batch", "save", "save_weights", "set_weights", "summary", "test_on_batch", "to_json",
    "trainable_variables", "trainable_weights", "variables", "weights",
])  # fmt: skip
"""Attributes and methods of a model that change nothing of it."""
MAKES_MODEL, CHANGES_MODEL = 1, 2
"""What code may do: make layers or models, whose names count on; change those that are there."""
_Waiting = tuple[ast.AST, Frame, set[str]]
"""Code, the frame that it stands in, and the names that are local to it."""
_MOST_FOLLOWED = 30
"""Functions that a statement leads to, before it is taken to reach a model."""


class Choices(InterpreterPart):
    """The part of the interpreter that follows what hangs on a choice."""

    def followed(self, node: ast.stmt, frame: Frame, handler: Callable[..., Signal]) -> Signal:
        """Work through one statement, and hand on the choices that it hangs on."""
        effects = self.effects
        outer, effects.pending = effects.pending, {}
        mark = effects.mark()
        try:
            signal: Signal = handler(node, frame)
            if effects.pending:
                self._hand_on(node, frame, signal, mark)
        finally:
            if outer:
                effects.pending = {**outer, **effects.pending}
        return signal

    def _hand_on(self, node: ast.stmt, frame: Frame, signal: Signal, mark: Mark) -> None:
        """End a statement that hangs on choices: they go on to what it returns or assigns."""
        effects = self.effects
        if effects.since(mark).reached_model:
            effects.record_pending()
            return
        if isinstance(node, ast.Return) or _yields(node):
            return
        first = next(iter(effects.pending))
        level = self.reaches([node], frame) if _chooses(node) else 0
        if signal is not None:
            level = max(level, self._behind_signal(signal, frame))
        if level:
            effects.record_pending(everywhere=level == CHANGES_MODEL)
            return
        if signal is not None and signal[0] != "return":
            effects.skipped_tests += effects.pending
        names = assigned_names([node])
        if isinstance(node, ast.If | ast.Try | ast.Match | ast.While) and not names <= frame.names.keys():
            missing = names - frame.names.keys()
            frame.names.update({name: self.unknown("it is assigned in a branch that is not taken", name)
                                for name in missing})  # fmt: skip
        if not self._carry(names, frame, first, mark):
            effects.record_pending()
            return
        if signal is None or signal[0] != "return":
            effects.pending.clear()

    def _carry(self, names: Iterable[str], frame: Frame, choice: Assumption, mark: Mark) -> bool:
        """Let names, changed lists and attributes carry a choice; whether that holds all that has changed. Lists that
        were made since hang on what holds them."""
        since = self.effects.since(mark)
        for of, name in since.changed_attributes:
            if not isinstance(of, Instance) or self._holds_layers(of.attributes.get(name)):
                return False
            of.maybe[name] = choice
        lists = {id(container): container for container in since.changed_containers}
        numbers: set[int] = set()
        for at in frame.around() if lists else ():
            self.budget.look(len(at.names))
            for name, value in at.names.items():
                if (changed := id(memory_of(value))) in lists:
                    at.maybe[name] = choice
                    numbers.add(changed)
                elif isinstance(value, Instance):
                    self.budget.look(len(value.attributes))
                    for key, attribute in value.attributes.items():
                        if (changed := id(memory_of(attribute))) in lists:
                            value.maybe[key] = choice
                            numbers.add(changed)
        for name in names:
            holder = frame.holder(name)
            if holder is not None:
                holder.maybe[name] = choice
        missing = lists.keys() - numbers - since.created_containers
        for item in [lists[key] for key in missing if isinstance(lists[key], ArrayMemory)]:
            item.values = None  # an array that no name holds: its values hang on the choice
            missing.remove(id(item))
        return not missing

    def branch(self, taken: list[ast.stmt], other: list[ast.stmt], frame: Frame, assumption: Assumption) -> Signal:
        """Work through a branch that was chosen. What hangs on the choice is assumed where it reaches a model."""
        effects = self.effects
        effects.record_uncertainty()
        self.budget.look(len(frame.names))
        before, mark, start = dict(frame.names), effects.mark(), next(creation_counter)
        self.choosing.append(len(self.active))
        try:
            signal = self.block(taken, frame)
        finally:
            self.choosing.pop()
        missing = object()
        changed = {name for name, value in frame.names.items() if before.get(name, missing) is not value}
        known = {name for name in changed if not isinstance(frame.names[name], Unknown)}
        left = assigned_names(other)
        touched = self._lists_in(other, frame)
        level = max(self.reaches(other, frame), self._behind_signal(signal, frame) if signal is not None else 0)
        froze = self.has_frozen(mark, start)
        if froze or level == CHANGES_MODEL or not (level or effects.since(mark).reached_model):
            hanging = [*(taken if froze else ()), *other, *self._after(signal, frame)]
            self.leave_freezing_open(hanging, frame, Unknown(assumption.words, assumption.line))
        is_carried = self._carry(known | (left & frame.names.keys()) | touched, frame, assumption, mark)
        if effects.since(mark).reached_model or not is_carried or level:
            effects.record_assumption(assumption, everywhere=level == CHANGES_MODEL)
        elif signal is not None:
            if signal[0] == "return":
                effects.depend_on(assumption)
            else:
                effects.skipped_tests.append(assumption)
        for name in left - frame.names.keys():
            frame.names[name] = self.unknown(
                f"it is assigned only where the test in line {assumption.line} fails", name
            )
        return signal

    def _behind_signal(self, signal: tuple[str, ProgramValue], frame: Frame) -> int:
        """Return what the rest of a function, or of the rounds of a loop, would reach that is left early."""
        is_known = self.rounds if signal[0] != "return" else frame.body is not None
        return self.reaches(self._after(signal, frame), frame) if is_known else MAKES_MODEL

    def _after(self, signal: Signal, frame: Frame) -> Sequence[ast.AST]:
        """Return the function, or the rounds of a loop, that a signal leaves early."""
        if signal is None:
            return ()
        return (self.rounds[-1] if self.rounds else ()) if signal[0] != "return" else frame.body or ()

    def _lists_in(self, body: list[ast.stmt], frame: Frame) -> set[str]:
        """Return the names in statements that stand for lists and dicts, which they may change."""
        results = [(name, holder) for name in names_in(body) if (holder := frame.holder(name))]
        return {name for name, holder in results if type(holder.names[name]) in (list, dict)}

    def skip(self, body: list[ast.stmt], frame: Frame, assumption: Assumption) -> bool:
        """Pass over statements before a `break` or a `continue`, where they reach no model."""
        self.effects.record_uncertainty()
        if self.reaches(body, frame):
            return False
        names = (assigned_names(body) & frame.names.keys()) | self._lists_in(body, frame)
        self._carry(names, frame, assumption, self.effects.mark())
        self.effects.skipped_tests.append(assumption)
        return True

    # What statements reach ----------------------------------------------------------------------------------------

    def reaches(self, body: Sequence[ast.AST], frame: Frame) -> int:
        """Return what statements that are not read might do: change a layer or a model that is there, make one, or
        neither."""
        followed: set[int] = set()
        own = assigned_names(frame.body) - frame.names.keys() if frame.body is not None else set()
        waiting: list[_Waiting] = [(child, frame, own) for child in body]
        level = 0
        while waiting:
            node, at, local = waiting.pop()
            self.budget.step()
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and _is_read(node, node.value, at):
                continue
            if isinstance(node, ast.Attribute) and (path := _path_of(node, at)) is not None:
                level = max(level, self.framework_of(path).makes(path))
            elif isinstance(node, ast.Name):
                if node.id in local or (isinstance(node.ctx, ast.Store) and node.id not in at.globals):
                    continue
                holder = at.holder(node.id)
                if holder is None:
                    if any(framework.by_convention(node.id, []) for framework in self.frameworks) or self.star:
                        level = max(level, MAKES_MODEL)
                    continue
                more = self._behind(holder.names[node.id], followed)
                if more == CHANGES_MODEL or len(followed) > _MOST_FOLLOWED:
                    return CHANGES_MODEL
                if type(more) is int:
                    level = max(level, more)
                else:
                    waiting += more  # type: ignore[arg-type]
            else:
                waiting += [(child, at, local) for child in children(node)]
        return level

    def _behind(self, value: ProgramValue, followed: set[int]) -> list[_Waiting] | int:
        """Return the code that the use of a value may run, or what the value may do by itself."""
        if isinstance(value, Bound):
            if self._holds_layers(value.object):
                return CHANGES_MODEL
            value = value.function
        if isinstance(value, Partial):
            value = value.function
        if isinstance(value, Symbol):
            return self.framework_of(value.path).makes(value.path)
        if isinstance(value, Tensor):
            return MAKES_MODEL  # what is computed from it is something new
        if isinstance(value, LayerValue | Module | Super | Imported) or self._holds_layers(value):
            return CHANGES_MODEL
        if isinstance(value, Instance):
            value = value.cls
        if id(value) in followed:
            return []
        if isinstance(value, Function):
            followed.add(id(value))
            node = value.node
            body: Sequence[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else node.body
            spec = value.node.args
            own = assigned_names(body) | _arguments(spec)
            return [(child, value.frame, own) for child in body]
        if isinstance(value, Class):
            followed.add(id(value))
            root = value.root()
            if root is not None and self.framework_of(root.path).makes(root.path):
                return MAKES_MODEL
            self.budget.look(len(value.attributes))
            inner = [self._behind(attribute, followed) for attribute in value.attributes.values()]
            levels = [items for items in inner if type(items) is int]
            return max(levels) if any(levels) else [item for some in inner if type(some) is list for item in some]
        return []

    def _holds_layers(self, value: ProgramValue) -> bool:
        """Return whether a value is, or has in it, what models are made of."""
        if type(value) in (list, tuple, dict):
            self.budget.look_at(value)
            return not fits(value) or any(
                [self._is_of_model(item) for item in each_in(value) if isinstance(item, Value)]
            )
        return self._is_of_model(value)

    def _is_of_model(self, value: ProgramValue) -> bool:
        if isinstance(value, Instance) and value.layer is None:
            self.budget.look(len(value.attributes))
            return any([isinstance(attribute, LayerValue | Instance) and layer_of(attribute) is not None
                        for attribute in value.attributes.values()])  # fmt: skip
        return isinstance(value, Instance | LayerValue | Tensor | Module)


def _is_read(node: ast.Attribute, of: ast.Name, frame: Frame) -> bool:
    """Return whether what stands before the dot stays as it is: `model.summary`, `model.fit` of one that states its
    input."""
    if node.attr in _ONLY_READ or node.attr not in ("fit", "fit_generator", "train_on_batch"):
        return node.attr in _ONLY_READ
    holder = frame.holder(of.id)
    value = holder.names[of.id] if holder is not None else None
    return isinstance(value, ModelValue) and value.form == "functional"


@kept_with_tree
def _chooses(node: ast.stmt) -> bool:
    """Return whether a value that a statement hangs on may decide what it runs."""
    if isinstance(node, ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try | ast.Match):
        return True
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.With):
        return False
    return any(isinstance(child, ast.IfExp | ast.BoolOp | ast.comprehension) for child in walk(node))


def _path_of(node: ast.Attribute, frame: Frame) -> str | None:
    """Return the dotted path of a name of a library as it is written: `keras.layers.Dense`."""
    first, _, rest = dotted(node).partition(".")
    holder = frame.holder(first)
    root = None if holder is None else holder.names[first]
    return f"{root.path}.{rest}" if isinstance(root, Symbol) else None


def _arguments(spec: ast.arguments) -> set[str]:
    """Return the names of the parameters of a function."""
    several = [parameter for parameter in (spec.vararg, spec.kwarg) if parameter is not None]
    return {parameter.arg for parameter in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *several)}


def _yields(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield | ast.YieldFrom)


def assigned_names(body: Sequence[ast.AST]) -> set[str]:
    """Return the names that statements assign, functions inside them left out."""
    return set(_kept("_assigned", body, _assigned))


def names_in(body: Sequence[ast.AST]) -> set[str]:
    """Return all names in statements."""
    return _kept("_named", body, lambda body: {
        node.id for child in body for node in walk(child) if isinstance(node, ast.Name)
    })  # fmt: skip


def _kept(key: str, body: Sequence[ast.AST], find: Callable[[Sequence[ast.AST]], set[str]]) -> set[str]:
    """Return the names that are found in statements. They are kept: a loop asks in each round."""
    if not body:
        return set()
    known: dict[int, set[str]] = body[0].__dict__.setdefault(key, {})
    if len(body) not in known:
        known[len(body)] = find(body)
    return known[len(body)]


def _assigned(body: Sequence[ast.AST]) -> set[str]:
    results: set[str] = set()
    waiting: list[ProgramValue] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            results.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            results.add(node.id)
        elif isinstance(node, ast.alias):
            results.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.comprehension):  # its own name is not the function's
            waiting += [node.iter, *node.ifs]
        elif not isinstance(node, ast.Lambda):
            waiting += children(node)
    return results


# Loops --------------------------------------------------------------------------------------------------------------
# Loops. One over data in which nothing happens to a model is left before its end.

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class Loops(InterpreterPart):
    """The part of the interpreter that loops."""

    # Loops ------------------------------------------------------------------------------------------------------

    def on_for(self, node: ast.For | ast.While, frame: Frame) -> Signal:
        """Return a loop. The tests that were passed over in it count where something happened to a model."""
        mark, start = self.effects.mark(), next(creation_counter)
        self.rounds.append(node.body)
        try:
            signal = self._while(node, frame) if isinstance(node, ast.While) else self._for(node, frame)
        finally:
            self.rounds.pop()
        skipped = self.effects.take_skipped_tests(mark)
        if self.effects.since(mark).reached_model:
            for assumption in skipped:
                self.effects.record_assumption(assumption)
            if skipped and self.has_frozen(mark, start):
                self.leave_freezing_open(node.body, frame, Unknown(skipped[0].words, skipped[0].line))
        return signal

    on_while = on_asyncfor = on_for

    def _for(self, node: ast.For, frame: Frame) -> Signal:
        items = self.value(node.iter, frame)
        if isinstance(items, Value):
            items.check_use("loop", self.place(node))
        # Each round counts, so that a range may be of any length.
        rows = items if isinstance(items, range) else self.items(items)
        if isinstance(rows, Unknown):
            return self._unknown_loop(node, node.target, rows, frame)
        effects = self.effects
        first, idle, created_at = effects.mark(), 0, next(creation_counter)
        for item in rows:
            steps = self.budget.steps
            begin = effects.mark()
            self.assign(node.target, item_of_list(item), frame)
            mark = effects.mark()
            signal = self.block(node.body, frame)
            if signal is not None and signal[0] == "return":
                return signal
            if signal is not None and signal[0] == "break":
                return None
            inside = each_in(item)
            self.budget.look(len(inside))
            of_layer = any([layer_of(one) is not None for one in inside])  # there are as many rounds as layers
            if not of_layer and not effects.since(begin).reached_model:
                if not effects.since(mark).changed_state:
                    break  # nothing that reaches a model happens here: the other rounds are alike
                idle += 1
                if self.budget.is_idle(idle, steps - self.budget.steps):
                    return self._left(node, first, created_at, frame)
        return self.block(node.orelse, frame)

    def _while(self, node: ast.While, frame: Frame) -> Signal:
        effects = self.effects
        first, idle, created_at = effects.mark(), 0, next(creation_counter)
        while True:
            self.budget.step()
            known = truth(self.value(node.test, frame))
            if known is None:
                return self._unknown_loop(node, None, self.unknown("the test of the loop is not known"), frame)
            if not known:
                return self.block(node.orelse, frame)
            mark, steps = effects.mark(), self.budget.steps
            signal = self.block(node.body, frame)
            if signal is not None and signal[0] == "return":
                return signal
            if signal is not None and signal[0] == "break":
                return None
            since = effects.since(mark)
            if not since.reached_model:
                idle += 1
                if not since.changed_state or self.budget.is_idle(idle, steps - self.budget.steps):
                    return self._left(node, first, created_at, frame)

    def _counters(self) -> list[dict[str, int]]:
        """Return how many names of each kind are drawn."""
        return [dict(framework.counters) for framework in self.frameworks]

    def _forget_attributes(self, since: Since, created_at: int, why: Unknown) -> None:
        """Mark attributes of objects older than a loop that it changed, nobody knows how often, as not known."""
        for of, name in since.changed_attributes:
            if not isinstance(of, Instance) or of.created_at >= created_at:
                continue
            value = of.attributes.get(name)
            if is_plain(value) or isinstance(value, Tensor):
                of.attributes[name] = why

    def _left(self, node: ast.For | ast.While, first: Mark, created_at: int, frame: Frame) -> Signal:
        """Return a long loop over data is left before its end: what it changes is not known."""
        self.effects.record_uncertainty()
        why = Unknown(f"it changes in the loop in line {node.lineno}, which is not read to its end", node.lineno)
        frame.yields = None
        since = self.effects.since(first)
        self._forget(since.changed_containers, why, frame)
        self._forget_attributes(since, created_at, why._replace(file=self.file))
        assigned = assigned_names([node])
        if not self._assume_outcomes(node, assigned, frame) and any(self._changes_layers(node, frame)):
            words = f"the loop in line {node.lineno} is not read to its end; in the rest no layer is assumed to change"
            self.effects.record_assumption(Assumption(node.lineno, words), everywhere=True)
        for name in assigned & frame.names.keys():
            frame.names[name] = why._replace(name=name, file=self.file)
        return None

    def _changes_layers(self, node: ast.For | ast.While, frame: Frame) -> Iterator[bool]:
        """Return of each assignment to an attribute in a loop whether it may be one of a layer or a model."""
        for child in walk(*node.body, closed=_SCOPES):
            if isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store):
                yield self.reaches([child.value], frame) == CHANGES_MODEL

    def _assume_outcomes(self, node: ast.For | ast.While, changing: set[str], frame: Frame) -> bool:
        """Record the tests of names that change in a loop which had one outcome in the rounds that were read, where
        the other one changes a model: in later rounds they may have it. Returns whether there is one."""
        result = False
        for test in walk(*node.body, closed=_SCOPES) if changing else ():
            outcomes = self.outcomes.get(test, set()) if isinstance(test, ast.If) else ()
            if not isinstance(test, ast.If) or len(outcomes) != 1 or not changing & names_in([test.test]):
                continue
            (outcome,) = outcomes
            if self.reaches(test.orelse if outcome else test.body, frame) == CHANGES_MODEL:
                rounds = f"in all rounds of the loop in line {node.lineno}"
                words = f"`if {written(test.test)[:60]}` is assumed {str(outcome).lower()} {rounds}"
                self.effects.record_assumption(Assumption(test.lineno, words), everywhere=True)
                result = True
        return result

    def _forget(self, lists: Iterable[ProgramValue], why: Unknown, frame: Frame) -> None:
        """Mark lists and dicts that a loop changed, nobody knows how often, as not known."""
        gone = {id(item): item for item in lists}
        self.budget.look(len(gone))
        for item in gone.values() if gone else ():
            if type(item) is list:
                item[:] = [why]
            elif type(item) is dict:
                item.update(dict.fromkeys(item, why))
            elif isinstance(item, ArrayMemory):
                item.values = None
        for at in frame.around() if gone else ():
            for names in (at.names, *[item.attributes for item in at.names.values() if isinstance(item, Instance)]):
                self.budget.look(len(names))
                for name, value in names.items():
                    if id(value) in gone:
                        names[name] = why._replace(name=name, file=self.file)

    def _unknown_loop(self, node: ast.For | ast.While, target: ast.expr | None, why: Unknown, frame: Frame) -> Signal:
        """Return a loop that runs nobody knows how often is read for one round: what it makes may be one of several,
        what it changes is not known."""
        if target is not None:
            self.assign(target, why.item if isinstance(why, Alike) else why, frame)
        frame.yields = None
        self.effects.record_uncertainty()
        self.budget.look(len(frame.names))
        before = dict(frame.names)
        drawn = self._counters()
        effects = self.effects
        loop = effects.begin_unknown_loop()
        outermost = effects.unknown_loops[0]
        try:
            signal = self.block(node.body, frame)
        finally:
            effects.unknown_loops.pop()
        since = effects.since(loop.mark)
        line = node.lineno
        reason = f"the number of rounds of the loop in line {line} is unknown: {why.reason}"
        if self.has_frozen(loop.mark):
            self.leave_freezing_open([node], frame, why)
        if any(layer.created_at < outermost.created_at for layer in since.changed_layers):
            effects.mark_incomplete(why._replace(reason=reason, line=line, file=self.file, lacks="", cause=why.reason))
        elif self._counters() != drawn:
            words = (
                f"the loop in line {line} is read for one round; later rounds would number the names of layers "
                "differently"
            )
            effects.record_assumption(Assumption(line, f"{words} ({why.reason})"))
        if changed_containers := since.changed_containers:
            created = effects.since(outermost.mark).created_containers
            self._forget(
                [container for container in changed_containers if id(container) not in created],
                Unknown(reason, line),
                frame,
            )
        self._forget_attributes(since, loop.created_at, Unknown(reason, line, "", self.file))
        changed = {name for name, value in frame.names.items() if before.get(name, self) is not value}
        carried = _carried(node.body) & before.keys()
        assigned = assigned_names(node.body)
        self._assume_outcomes(node, assigned if assigned & carried else set(), frame)
        for name in changed:
            now, old = frame.names[name], before.get(name)
            if isinstance(now, Array) and isinstance(old, Array) and now.shape == old.shape:
                frame.names[name] = now._replace(cells=None)
            elif is_plain(now) or name in carried:
                words = f"it changes in the loop in line {line}, {why.reason}"
                option = why.name if why.option is None else why.option
                after = Unknown(words, line, name, option=option or None, example=why.example, cause=why.reason)
                frame.names[name] = after
        if signal is not None and signal[0] == "return":
            effects.record_assumption(Assumption(line, f"the loop in line {line} returns in its first round"))
            return signal
        return None


def _carried(body: list[ast.stmt]) -> set[str]:
    """Return the names that a round of a loop takes over from the round before it: read before they are assigned."""
    assigned: set[str] = set()
    results: set[str] = set()
    for node in _in_order(body):
        if isinstance(node.ctx, ast.Store):
            assigned.add(node.id)
        elif node.id not in assigned:
            results.add(node.id)
    return results


def _in_order(nodes: Iterable[ast.AST]) -> Iterator[ast.Name]:
    """Return the names in statements, in the order in which they are read and assigned."""
    waiting = [*nodes][::-1]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            yield node
        elif isinstance(node, ast.AugAssign):
            before = [ast.Name(node.target.id, ast.Load())] if isinstance(node.target, ast.Name) else [node.target]
            waiting += [node.target, node.value, *before]
        elif isinstance(node, ast.Assign):
            waiting += [*node.targets, node.value]
        else:
            waiting += children(node)[::-1]
