"""What can go wrong, as one family of errors with one message form, and the words that messages share.

Code raises the bare fact where it finds it: *what* needs *condition*, got *name = value*; then what to do.
The layer, the file and the line are added once, at the boundary that knows them (`with_place`).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Self

# Errors -------------------------------------------------------------------------------------------------------------

DEBUG_VARIABLE = "LAYEREXPLAIN_DEBUG"

NO_FILE = ""
"""The name of a text whose syntax is read: Python opens the file of that name, to quote its line in a syntax error."""

CREDENTIALS = (  # compiled where it is first needed, as the patterns of render/escape.py
    r"(?i)((?::/+|//|\b(?:https?|s?ftp|s3|gs|hf):)[^/:\s\[]*)"
    r":(?!:[\w+.-]+://)(?:[^/\n]*|(?!\d*(?:[/?#\s]|::|$))\S*)(@[^/@\s]*)"
    r"|(?:(?<=http)|(?<=https))(:/+)[^/:\s]+(@[^/@\s]*)"
    r"|((?::/+|//)[^:\s\[]*/[^/:\s]*):[^/:\s@]+(@[^/@\s]*)"
    r"|(?<![^\s'\"(,=])([\w.+%@-]{1,200}):(?!/)\S{1,400}(@[\w.-]*:\d+|@[\w.-]+\.[a-z]+/)"
    r"|([?&;#][\w.%-]*(?:token|secret|sig(?![a-z])|signature|key|passw|pwd|auth|credential|jwt)[\w.%-]*=)[^&;#\s'\"]+"
)
"""User, password and host of a URL. The host begins behind the last @ in front of the path, since a user may be an
address of mail and a password may hold an @. A password with a slash would end the host; what stands there is no port
then. The user alone is a token over HTTP. Mistyped URLs count (`https:/`, `//`, the login behind a folder, no scheme
before a host with a port), since libraries quote and shorten them so. Of a query, values count that sign or grant."""

_ENDLESS = r"(\S{50})\S{140,}(\S{8})"


class Edit:
    """A change of a program that an error proposes, in `words`: an `argument` of a layer gets a `value`, as it is
    written in Python; or, where no argument is named, what `value` calls comes after a layer. `layer` is its name; ""
    is the layer at fault, before which the call then comes."""

    def __init__(self, words: str, argument: str, value: str, layer: str = "") -> None:
        self.words = words
        self.argument = argument
        self.value = value
        self.layer = layer


class LayerExplainError(ValueError):
    """Report that something about the input is wrong.

    `str()` is one line: `file:line: layer 'x': fact; what would be right`. Where `column` is known too, it is
    `file:line:column`, both counted from 1, as compilers and editors count. Every error that a user can cause is one.
    `edits` are the changes that its advice consists of, as far as a program could make them.

    >>> import layerexplain
    >>> try:
    ...     layerexplain.layer_type("Dens")
    ... except layerexplain.LayerExplainError as error:
    ...     print(error)
    there is no layer type 'Dens'; did you mean 'Dense'?
    """

    def __init__(
        self,
        fact: str,
        *,
        source: str | None = None,
        line: int | None = None,
        column: int | None = None,
        layer: str | None = None,
        edits: Sequence[Edit] = (),
    ) -> None:
        super().__init__(fact)
        self.fact = fact
        self.source = source
        self.line = line
        self.column = column
        self.layer = layer
        self.edits = tuple(edits)

    @property
    def fact(self) -> str:
        """What is wrong, without the place and without passwords: notes, findings and the editor quote it."""
        return self._fact

    @fact.setter
    def fact(self, fact: str) -> None:
        self._fact = without_passwords(fact)

    def with_place(
        self, *, source: str | None = None, line: int | None = None, column: int | None = None, layer: str | None = None
    ) -> LayerExplainError:
        """Add what the caller knows of the place; what is known already stays. Returns self, to raise again."""
        self.source = source if self.source is None else within(source, self.source)
        if self.line is None:
            self.line, self.column = line, column
        self.layer = self.layer if self.layer is not None else layer
        return self

    def as_data(self) -> Self:
        """Drop the frames that the error passed, and return it: one that is kept would keep all that they know."""
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self

    @property
    def clause(self) -> str:
        """The fact as a clause of its own: many speak of the file, which the place in front of them names."""
        return f"the file {self.fact}" if self.fact.startswith(("is ", "has ", "holds ")) else self.fact

    def __str__(self) -> str:
        place = ""
        column = f":{self.column}" if self.column else ""
        if self.source is not None:
            place = self.source if self.line is None else f"{self.source}:{self.line}{column}"
        elif self.line is not None:
            place = f"line {self.line}{column}"
        parts = [place] if place else []
        if self.layer is not None:
            parts.append(f"layer '{_shortened(self.layer)}'")
        return without_passwords(": ".join([*parts, _shortened(self.fact)]))


class SourceError(LayerExplainError):
    """A file cannot be opened, or is not what a reader reads."""


class NotAModel(SourceError):
    """A file is something else than a model."""


class SpecError(LayerExplainError):
    """A spec or config says something that no layer or model can be made from."""


class ArgumentError(SpecError):
    """A layer's argument is unknown, misspelt or out of range."""


class UnknownType(ArgumentError):
    """There is no layer type of this name."""


class ShapeError(LayerExplainError):
    """Tensors of these shapes cannot go into this operation."""


class AxesError(ShapeError):
    """Tensors with so many axes cannot go into this operation, whatever their sizes."""


class WindowError(ShapeError):
    """A window does not fit into its input. The `advice` ends its fact, unless a likelier cause is found."""

    def __init__(self, fact: str, advice: str = "", edits: Sequence[Edit] = ()) -> None:
        super().__init__(f"{fact}; {advice}" if advice else fact, edits=edits)
        self._without_advice = fact

    def because(self, cause: str) -> None:
        """Say the likeliest cause in place of the advice, or nothing."""
        self.fact = self._without_advice + f"; {cause}" * bool(cause)
        self.edits = ()


class NotKnown(LayerExplainError):
    """The result depends on an unknown value; its cause is reported separately."""


class FormulaError(LayerExplainError):
    """A text is not a formula of the formula language."""


class ErrorGroup(LayerExplainError):
    """Several independent errors of one source, each a line of its own."""

    def __init__(self, errors: list[LayerExplainError]) -> None:
        super().__init__("; ".join(error.fact for error in errors))
        self.errors = errors

    def with_place(self, **place: Any) -> LayerExplainError:
        for error in self.errors:
            error.with_place(**place)
        return self

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def place_order(error: LayerExplainError) -> tuple[Any, ...]:
    """Return the sort key of an error among those of its source: the cell of a notebook, line and column."""
    cell = re.search(r"cell (\d+)$", error.source or "")
    return int(cell[1]) if cell else 0, error.line or 0, error.column or 0


def within(source: str | None, file: str) -> str:
    """Return what a place calls a file of a source: the cell of a notebook together with the notebook, another file
    alone.

    >>> within("train.ipynb", "cell 3"), within("train.py", "layers.py")
    ('train.ipynb:cell 3', 'layers.py')
    """
    return f"{source}:{file}" if source and file.startswith("cell ") else file


def without_passwords(text: str) -> str:
    """Return a text in which no URL has a password or a token.

    >>> without_passwords("sftp://me@a.example:pass@word@host/m.h5, https://token@host/m.h5, http://host:80/a@b")
    'sftp://me@a.example:***@host/m.h5, https://***@host/m.h5, http://host:80/a@b'
    >>> without_passwords("me:secret@host:80/m.h5, https://host/m.h5?X-Amz-Expires=60&X-Amz-Signature=0f3a")
    'me:***@host:80/m.h5, https://host/m.h5?X-Amz-Expires=60&X-Amz-Signature=***'
    """
    if "@" not in text and ("=" not in text or re.search("[?&;#]", text) is None):
        return text
    return re.sub(CREDENTIALS, hidden_login, text)


def hidden_login(match: re.Match[str]) -> str:
    """Return what `CREDENTIALS` has found without the password or token."""
    groups = match.groups(default="")
    before, after = "".join(groups[::2]), "".join(groups[1::2])
    return f"{before}***{after}" if match[3] or match[9] else f"{before}:***{after}"


def _shortened(text: str) -> str:
    """Return a text with its endless words cut: a name or number from a file may have millions of characters."""
    return re.sub(_ENDLESS, r"\1…\2", text) if len(text) > 200 else text


def each_of(error: LayerExplainError) -> list[LayerExplainError]:
    """Return the errors of a group, or the one error itself."""
    return error.errors if isinstance(error, ErrorGroup) else [error]


def raise_any(faults: Sequence[LayerExplainError]) -> None:
    """Raise the one fault as it is, several as an `ErrorGroup`; return where there is none."""
    if faults:
        raise faults[0] if len(faults) == 1 else ErrorGroup(list(faults))


def first_line(error: BaseException, most: int = 160) -> str:
    """Return the first line of any error's text, or its type where it has none."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return without_passwords(text)[:most]


_NAME_OF_HUB = r"(?!.*\.[A-Za-z]\w*\Z)[\w-][\w.-]*/[\w.-]+\Z"
"""How models are called on the hub, `owner/model`; a name that ends as that of a file is not one."""


def why_unread(error: BaseException) -> str:
    """Return what the system says of a file that cannot be read, as the fact of a SourceError."""
    if isinstance(error, FileNotFoundError):
        name = str(error.filename or "")
        of_hub = re.match(_NAME_OF_HUB, name) is not None and not os.path.exists(os.path.dirname(name))
        hint = f"; hf://{name} reads a model of that name from Hugging Face's hub" if of_hub else ""
        return f"no such file{'; in Python, a text is given as bytes: source.encode()' if chr(10) in name else hint}"
    if isinstance(error, PermissionError):
        return "may not be read (permission denied)"
    return f"cannot be read: {getattr(error, 'strerror', None) or first_line(error)}"


def lines_of(error: Exception, source: str | None = None) -> list[str]:
    """Return what there is to say of an error: `file:line: …`, a line for each error of a group.

    `source` is named where the error does not name one. An error that is not of the user's making is called a bug,
    with its type and message; its traceback is printed on stderr too if LAYEREXPLAIN_DEBUG is set.
    """
    if isinstance(error, LayerExplainError):
        if source is not None:
            error.with_place(source=source)
        return [str(item) for item in each_of(error)]
    place = source
    if isinstance(error, RecursionError):
        words = "values are nested too deeply to be explained"
    elif isinstance(error, MemoryError):
        words = "needs more memory than there is"
    elif isinstance(error, OSError):
        place = source if error.filename is None else str(error.filename)
        words = error.strerror or str(error)
    else:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        words = f"this is a bug in layerexplain ({text}); set {DEBUG_VARIABLE}=1 to see where it comes from"
        if os.environ.get(DEBUG_VARIABLE, "") not in ("", "0"):
            import traceback

            traceback.print_exception(error, file=sys.stderr)
    return [without_passwords(f"{place}: {words}" if place else words)]


# Suggest ------------------------------------------------------------------------------------------------------------
# Words that messages share: the end that offers what was probably meant, names in a row, the batch.

MOST_CANDIDATES = 1000
"""Only so many names are compared, the last ones: comparing takes long, and a file may have any number of names."""

LONGEST = 100
"""A longer name was not misspelt."""


def did_you_mean(name: str, candidates: Iterable[str], before: str = "") -> str:
    """Return `"did you mean 'Dense'?"` for the candidate that is spelt most like `name`, with `before` in front of it;
    `""` when none is near.

    >>> did_you_mean("Dens", ["Dense", "Conv2D"], before=", ")
    ", did you mean 'Dense'?"
    """
    near = nearest(name, candidates)
    return "" if near is None else f"{before}did you mean '{near}'?"


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is spelt most like a name, or the shortest that begins so; None when none is near.

    >>> nearest("adma", ["adamax", "adam"]), nearest("MaxP", ["MixUp", "MaxPooling2D", "MaxPool2D"])
    ('adam', 'MaxPool2D')
    """
    known = list(candidates)[-MOST_CANDIDATES:]
    same = [candidate for candidate in known if _bare(candidate) == _bare(name)]
    same = same or [candidate for candidate in known if _has_swapped_letters(candidate, name)]
    same = same or sorted([candidate for candidate in known if _is_beginning(name, candidate)], key=len)
    if not same and len(name) <= LONGEST:
        from difflib import get_close_matches

        lowered = {candidate.lower(): candidate for candidate in known if len(candidate) <= 2 * LONGEST}
        same = [lowered[match] for match in get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)]
    return same[0] if same else None


def must_be_known(what: str, name: object, known: Collection[str], hint: str = "") -> None:
    """Raise ArgumentError for a name that is not one of those known: the nearest is suggested, else `hint` is given,
    else all are listed.

    >>> must_be_known("theme", "drak", ("light", "dark"))
    Traceback (most recent call last):
    layerexplain.errors.ArgumentError: no theme 'drak'; did you mean 'dark'?
    """
    if name not in known:
        near = did_you_mean(str(name), known)
        raise ArgumentError(f"no {what} '{name}'; {near or hint or f'the {what}s are ' + ', '.join(known)}")


def names_in(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names of a list, or the one that is given alone.

    >>> names_in("type"), names_in(["type", "shapes"])
    (('type',), ('type', 'shapes'))
    """
    return (names,) if isinstance(names, str) else tuple(names)


def in_a_row(parts: Iterable[object]) -> str:
    """Return `a, b and c`."""
    *before, last = map(str, parts)
    return f"{', '.join(before)} and {last}" if before else last


def batch_words(without: str, with_axis: str) -> str:
    """Return the note on a batch that was typed: how the shape is written without it, and how with an axis of unknown
    size."""
    return (
        f"None in front is read as the batch, which is left out here: write {without}; or {with_axis} if it is an axis"
    )


def _bare(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _is_beginning(name: str, candidate: str) -> bool:
    """Return whether a name is the beginning of another, of three letters at least: `MaxP` of `MaxPool2D`."""
    return len(_bare(name)) >= 3 and _bare(candidate).startswith(_bare(name))


def _has_swapped_letters(one: str, other: str) -> bool:
    """Return whether two names differ in nothing but two neighbouring letters that changed places: `adma` and
    `adam`."""
    one, other = one.lower(), other.lower()
    apart = [i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b] if len(one) == len(other) else []
    if len(apart) != 2:
        return False
    i, j = apart
    return j == i + 1 and (one[i], one[j]) == (other[j], other[i])
