"""Shapes of data that a text states beside its code: in prose, in comments, and in what print() gave."""

import ast
import re

from layerexplain.frontends.code.values.trees import walk

_SHAPE = r"(?:torch\.Size\()?(?:TensorShape\()?[\[(](\d+(?:\s*,\s*\d+)+,?|\d+,)\s*[\])]"
_VERBS = r"(?:is|are|has|have|with|of|shape|dimensions?|size)"
_SAYS = (
    rf"{{0}}(?:['’]s)?(?:\.shape\b)?(?: (?:[\w ]{{{{0,40}}}} )?{_VERBS}\b[\w :=]{{{{0,30}}}}?|[ ]*(?:[:=→]|->)+[ ]*)",
    r"{0}\.shape\)?[ \t]*(?:#[^\n(\[]*|\n(?:>>> |Out\[\d+\]: |# *)?)",
    r"^[ \t]*{0} *= *[^#\n]*#[^\n(\[]*",
)
"""How a text gives a name a shape: in words, as what print() gave, in a comment behind an assignment."""
_MOST_NAMES = 200


def stated_shapes(text: str, tree: ast.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes that a text states for names of its code.

    >>> code = "model.fit(trainX, y)"
    >>> stated_shapes("My trainX is a [650,20,1] vector\\n" + code, ast.parse(code))
    {'trainX': (650, 20, 1)}
    """
    names = list(dict.fromkeys([one.id for one in walk(tree) if isinstance(one, ast.Name)]))[:_MOST_NAMES]
    found: dict[str, tuple[int, ...]] = {}
    for name in names:
        for says in _SAYS:
            expression = rf"(?<![\w.])(?:{says.format(re.escape(name))}){_SHAPE}"
            if match := re.search(expression, text, re.MULTILINE):
                found[name] = tuple([int(one) for one in re.findall(r"\d+", match[1])])
                break
    return found
