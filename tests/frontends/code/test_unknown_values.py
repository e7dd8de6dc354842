"""What only running a program would tell is not known: how many items a list has that is changed in such a way, what is
compared with an unknown item, and of which class a value is whose bases are not read."""

import pytest

import layerexplain

START = """from tensorflow import keras
from tensorflow.keras import layers
import mylib
x = {start}
{change}
keras.Sequential([keras.Input((3,)), layers.Dense({asked})])
"""

CHANGES = {
    "extend": ("[5]", "x.extend(mylib.names())", "len(x)"),
    "extend by a generator": ("[5]", "x.extend(a for a in mylib.names())", "len(x)"),
    "+=": ("[5]", "x += mylib.names()", "len(x)"),
    "a slice": ("[5, 7]", "x[1:] = mylib.names()", "len(x)"),
    "items of an unknown slice": ("[5, 7]", "x[mylib.a():] = [2]", "len(x)"),
    "update of a dict": ("{5: 7}", "x.update(mylib.names())", "len(x)"),
    "add": ("{5}", "x.add(mylib.a())", "len(x)"),
    "a key": ("{5: 7}", "x[mylib.a()] = 3", "len(x)"),
    "setdefault": ("{5: 7}", "x.setdefault(mylib.a(), 3)", "len(x)"),
    "insert": ("[5, 7]", "x.insert(mylib.a, 4)", "x[0]"),
    "pop": ("[5, 7]", "x.pop(mylib.a)", "x[0]"),
    "pop of a key": ("{5: 7}", "x.pop(mylib.a(), 0)", "len(x)"),
    "remove": ("[5, 7]", "x.remove(mylib.a())", "x[0]"),
    "del": ("[5, 7]", "del x[mylib.a]", "x[0]"),
    "del of a key": ("{5: 7}", "del x[mylib.a()]", "len(x)"),
    "too many items": ("list(range(9_000))", "x.extend(range(9_000))", "len(x)"),
    "one too many": ("[5] * 10_000", "x.append(5)", "len(x)"),
    "in a function": ("[5]", "def grow(of):\n    of.extend(mylib.names())\ngrow(x)", "len(x)"),
    "of an object": ("3", "class A:\n    def __init__(self):\n        self.x = [5]\n        self.x.extend(mylib.a())\nx = A()", "len(x.x)"),
    "in a dict": ("{1: [5]}", "x[1].extend(mylib.a())", "len(x[1])"),
    "get": ("{5: 7}", "", "x.get(mylib.a(), 2)"),
    "index": ("[mylib.a(), 7]", "", "x.index(7)"),
    "count": ("[7, mylib.a()]", "", "x.count(7)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_in_an_unknown_way_is_not_known(name: str) -> None:
    start, change, asked = CHANGES[name]
    report = layerexplain.explain(START.format(start=start, change=change, asked=asked).encode())
    # It is open, or a formula of the value at the line that asks: never a number.
    assert type(report["dense"].params) is not int and type(report.totals.params) is not int
    assert report.grade == ("complete" if report.sizes else "open")


KNOWN = {
    "extend": ("[5]", "x.extend([mylib.a(), 7])", "len(x)", 3),
    "append": ("[5]", "x.append(mylib.a())", "len(x)", 2),
    "a slice": ("[5, 7]", "x[1:] = [mylib.a(), 2, 3]", "len(x)", 4),
    "an item": ("[5, 7]", "x[mylib.a()] = 3", "len(x)", 2),
    "a value under a key": ("{5: 7}", "x[6] = mylib.a()", "len(x)", 2),
    "insert": ("[5, 7]", "x.insert(1, mylib.a())", "x[2]", 7),
    "del": ("[5, 7]", "del x[0]", "x[0]", 7),
    "del in a branch": ("{5: 7, 6: 2}", "if mylib.a():\n    pass\nelse:\n    del x[6]", "len(x)", 2),
    "pop": ("[5, mylib.a()]", "x.pop()", "len(x)", 1),
    "to its bound": ("[5] * 9_999", "x.append(5)", "len(x)", 10_000),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known_all_the_same_stays_known(name: str) -> None:
    """The units of the Dense are what Python computes, whatever `mylib.a()` is."""
    start, change, asked, units = KNOWN[name]
    report = layerexplain.explain(START.format(start=start, change=change, asked=asked).encode())
    assert report["dense"].params == 3 * units + units


CLASSES = {
    "issubclass(B, A)": 7,
    "issubclass(A, B)": 5,
    "issubclass(B, (int, A))": 7,
    "issubclass(keras.layers.Dense, A)": 5,
    "issubclass(A, keras.Model)": 5,
    "issubclass(B, mylib.Base)": 5,
    "issubclass(C, A)": None,
    "issubclass(C, C)": 7,
    "issubclass(keras.layers.Dense, mylib.Base)": None,
    "isinstance(B(), A)": 7,
    "isinstance(A(), B)": 5,
    "isinstance(C(), A)": None,
    "isinstance(C(), C)": 7,
}
"""What a program asks of classes → the units of its Dense: 7 where it holds, 5 where not, None where that depends on a
class that is not read: it is then assumed to hold, and said so."""


@pytest.mark.parametrize("asked", CLASSES)
def test_classes_are_those_of_python(asked: str) -> None:
    classes = "class A: pass\nclass B(A): pass\nclass C(mylib.load('base')): pass"
    report = layerexplain.explain(START.format(start="3", change=classes, asked=f"7 if {asked} else 5").encode())
    units = CLASSES[asked]
    assert report["dense"].params == 3 * (units or 7) + (units or 7)
    assert report.grade == ("complete" if units else "assumed")


def test_an_error_prints_an_unknown_size_as_a_question_mark() -> None:
    code = "import keras, mylib\nx = mylib.a()\nm = keras.Sequential([keras.Input((32, x, -1)), keras.layers.Dense(3)])"
    (fault,) = layerexplain.explain(code.encode()).faults
    assert "got shape=(32, ?, -1); " in str(fault)


HEAD = "from tensorflow import keras\nfrom tensorflow.keras import layers\n"
REVIEWS = "(x, y), _ = keras.datasets.imdb.load_data(maxlen=80)\n"


@pytest.mark.parametrize(
    ("model", "note"),
    [
        ("keras.Input((3,)), layers.Dense(x.shape[0])", "units is a size that is known only when the code runs"),
        ("keras.Input((len(x),)), layers.Dense(5)", "line 5: a size of the input is known only when the code runs"),
        ("keras.Input((4, x.shape[0])), layers.LSTM(5)", "line 5: a size of the input is known only when the code runs"),
    ],
)  # fmt: skip
def test_a_size_of_the_data_is_no_open_size_that_the_program_writes(model: str, note: str) -> None:
    code = f"from tensorflow import keras\nfrom tensorflow.keras import layers\nimport numpy as np\n{REVIEWS}"
    report = layerexplain.explain(f"{code}keras.Sequential([{model}])\n".encode())
    assert (report.grade, [one.message for one in report.notes if one.code == "open"]) == ("open", [note])
    assert report.layers[-1].params is None


@pytest.mark.parametrize(
    ("layers", "shapes", "params"),
    [
        ("layers.Embedding(11, 3), layers.LSTM(5)", [(None, None, 3), (None, 5)], [33, 180]),
        ("layers.Embedding(11, 3, input_length=length), layers.Flatten(), layers.Dense(5)", [(None, None, 3), (None, None), (None, 5)], [33, 0, None]),
        ("keras.Input((length, 3)), layers.Conv1D(5, 2), layers.GlobalMaxPooling1D()", ["(None, length, 3)", "(None, length - 1, 5)", (None, 5)], [0, 35, 0]),
        ("keras.Input((7, length)), layers.Flatten(), layers.Dense(5)", ["(None, 7, length)", "(None, 7·length)", (None, 5)], [0, 0, "35·length + 5"]),
    ],
)  # fmt: skip
def test_an_unknown_length_leaves_the_other_sizes_and_is_no_fault(
    layers: str, shapes: list[tuple[int | None, ...] | str], params: list[int | str | None]
) -> None:
    """Keras builds each of them once the length is a number, or once it sees data."""
    code = f"{HEAD}m = keras.Sequential([{layers}])\n"
    report = layerexplain.explain(code.encode())
    rows = report.layers[-len(shapes) :]
    shown = [row.output_shapes[0] if row.output_shapes else None for row in rows]
    assert [str(shape) for shape in shown] == [str(shape) for shape in shapes]
    assert [str(row.params) for row in rows] == [str(count) for count in params]
    assert report.grade == ("open" if None in params else "complete")
    assert [one.code for one in layerexplain.check(code.encode()).findings if one.severity != "hint"] == []


def test_an_unknown_length_is_converted_to_no_open_size() -> None:
    code = f"{HEAD}x = keras.Input((length, 3))\nm = keras.Model(x, layers.LSTM(5)(x))\n".encode()
    with pytest.raises(layerexplain.LayerExplainError, match="length is not known"):
        layerexplain.convert(code, "-", to="json")
    assert "shape" not in layerexplain.convert(code, "-", to="yaml").text


def test_a_tensor_that_is_not_known_is_said_to_be_so() -> None:
    code = f"{HEAD}x = keras.Input((4, 3))\nm = keras.Model(x, layers.Concatenate(axis=1)([x, unread(3)]))\n"
    notes = [one.message for one in layerexplain.explain(code.encode()).notes if one.layer == "concatenate"]
    assert any("a tensor that Concatenate is given is not known" in one for one in notes)
    assert not any("axis=None" in one for one in notes)
