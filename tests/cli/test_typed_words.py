"""Words of a command line, each as it is read: indices, losses and optimizers, lists of names, what a shell is offered."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import click
import pytest

from layerexplain.cli import catalogue, complete, layer, page, trace, training_options
from layerexplain.cli.input_shapes import InputShape
from layerexplain.cli.options import WithNumbers, without_versus
from layerexplain.cli.source_arguments import Located, is_listed
from layerexplain.errors import SourceError

INDICES = [
    ("0,3,4", (0, 3, 4), ""), ("7", (7,), ""), ("W:2,0", (2, 0), "W"), (" dense/kernel : 1", (1,), "dense/kernel"), ("a:b:1", (1,), "a:b"), ("[1, 2]", (1, 2), ""), ("(1,)", (1,), ""),
    ("-1,0", (-1, 0), ""), ("1 2", (1, 2), ""), ("2147483647", (2147483647,), ""), ("-2147483647", (-2147483647,), ""),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "place", "of"), INDICES)
def test_an_index_is_read(typed: str, place: tuple[int, ...], of: str) -> None:
    assert trace._index(None, None, typed) == trace.At(place, of)  # type: ignore[arg-type]


@pytest.mark.parametrize("typed", ["", "W:", "W", "1,x", "1.5", "2147483648", "-2147483648"])
def test_what_is_no_index_is_refused(typed: str) -> None:
    with pytest.raises(
        click.BadParameter, match="is not an index; write one number per axis, the batch first: 0,3,4,7"
    ):
        trace._index(None, None, typed)  # type: ignore[arg-type]


TRAINED: list[tuple[str, str, dict[str, list[list[str]]], dict[str, Any]]] = [
    # What is typed; what is left for click; the words of each option; what they say.
    ("m --loss mse", "m", {"--loss": [["mse"]]}, {"loss": {"mse": {}}}),
    ("--loss Huber delta=2 m", "m", {"--loss": [["Huber", "delta=2"]]}, {"loss": {"Huber": {"delta": 2}}}),
    ("m --loss a=mse --loss b=Huber delta=2", "m", {"--loss": [["a=mse"], ["b=Huber", "delta=2"]]}, {"loss": {"a": {"mse": {}}, "b": {"Huber": {"delta": 2}}}}),
    ("m --optimizer SGD momentum=0.9 nesterov=true --full", "m --full", {"--optimizer": [["SGD", "momentum=0.9", "nesterov=true"]]}, {"optimizer": {"SGD": {"momentum": 0.9, "nesterov": True}}}),
    ("m --loss mse 3=4 x", "m 3=4 x", {"--loss": [["mse"]]}, {"loss": {"mse": {}}}), ("m --loss", "m --loss", {}, {}), ("m -a --loss mse -x=1", "m -a -x=1", {"--loss": [["mse"]]}, {"loss": {"mse": {}}}),
    ("m --optimizer a=b", "m", {"--optimizer": [["a=b"]]}, {"optimizer": {"a=b": {}}}),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "left", "words", "said"), TRAINED)
def test_a_loss_and_an_optimizer_take_the_arguments_behind_them(
    typed: str, left: str, words: dict[str, list[list[str]]], said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(WithNumbers, "parse_args", lambda self, ctx, args: given.append(args) or args)
    context: Any = SimpleNamespace(meta={})
    training_options.WithTraining("c").parse_args(context, typed.split())
    assert given == [left.split()] and context.meta == {"layerexplain.training": words}
    assert training_options._trained_with(words) == said


NUMBERS = [
    ("-3 a -1.5 -a -x3 - -.5 3", [" -3", "a", " -1.5", "-a", "-x3", "-", " -.5", "3"]),
    ("-1.2.3 --1", ["-1.2.3", "--1"]),
]


@pytest.mark.parametrize(("typed", "given"), NUMBERS)
def test_negative_numbers_are_no_options(typed: str, given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Command, "parse_args", lambda self, ctx, args: args)
    assert WithNumbers("c").parse_args(None, typed.split()) == given  # type: ignore[arg-type]


VERSUS: list[tuple[str, str, list[str] | None]] = [
    ("a b", "a b", None), ("a --vs b c", "a", ["b", "c"]), ("a --vs b --full c", "a --full c", ["b"]), ("a --vs", "a", []), ("--vs --x", "--x", []), ("a --vs b -x --vs c", "a -x --vs c", ["b"]),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "left", "second"), VERSUS)
def test_a_second_layer_ends_at_the_next_option(typed: str, left: str, second: list[str] | None) -> None:
    context: Any = SimpleNamespace(meta={})
    assert without_versus(context, typed.split()) == left.split()
    assert context.meta.get("--vs") == second


FRAMEWORKS = [("torch", ("LSTM", "5"), "nn.LSTM", ("5",)), ("PyTorch", ("Linear",), "nn.Linear", ()), ("keras", ("Dense", "3"), "Dense", ("3",)), ("torch", (), "torch", ()), ("Dense", ("3",), "Dense", ("3",))]  # fmt: skip


@pytest.mark.parametrize(("type_", "words", "found", "left"), FRAMEWORKS)
def test_a_framework_may_stand_in_front(type_: str, words: tuple[str, ...], found: str, left: tuple[str, ...]) -> None:
    assert layer._with_framework(type_, words) == (found, left)


ASKED = layer._Asked("Dense", {"units": 3}, (), ())
TITLES = [
    (ASKED, ASKED, ("Dense", "Dense")), (ASKED, ASKED._replace(type="LSTM"), ("Dense", "LSTM")), (ASKED, ASKED._replace(arguments={"units": 5}), ("Dense(units=3)", "Dense(units=5)")),
    (ASKED, ASKED._replace(arguments={"units": 3, "activation": "relu"}), ("Dense(activation=linear)", "Dense(activation=relu)")),
    (ASKED._replace(type="torch.nn.ReLU", arguments={}), ASKED, ("nn.ReLU", "Dense")),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "titles"), TITLES)
def test_two_layers_of_one_type_are_called_by_what_they_differ_in(
    left: Any, right: Any, titles: tuple[str, str]
) -> None:
    assert layer._titles(left, right) == titles
    chain = tuple([layer._chain([one, ASKED]) for one in (left, right)])
    if left.type == right.type:
        assert layer._titles(*chain) == tuple([f"{title} → Dense" for title in titles])


OFFERED = [
    ("", ["a", "ab", "b"]),
    ("a", ["a", "ab"]),
    ("b,", ["b,a", "b,ab"]),
    ("a,b", ["a,b"]),
    ("a,a", ["a,ab"]),
    ("x", []),
]


@pytest.mark.parametrize(("typed", "words"), OFFERED)
def test_names_with_commas_are_completed(typed: str, words: list[str]) -> None:
    assert [one.value for one in complete.names_of(["a", "ab", "b"])(None, None, typed)] == words  # type: ignore[arg-type]


LISTED = [
    (b"a\nb\r\n\nc", ["a", "b", "c"]), (b"a\0b\nc\0", ["a", "b\nc"]), (b"", []), (b"\n\n", []), (b"a\xff\n", ["a\udcff"]), (b"x" * 70_000 + b"\ny", ["x" * 70_000, "y"]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "names"), LISTED, ids=lambda one: str(one)[:12])
def test_a_list_of_sources_has_a_name_in_each_line_or_nul_between(content: bytes, names: list[str]) -> None:
    assert list(catalogue._names(io.BytesIO(content))) == names


@pytest.mark.parametrize(("count", "is_list"), [(1 << 20, True), ((1 << 20) + 1, False)])
def test_a_megabyte_without_a_name_is_no_list(count: int, is_list: bool) -> None:
    if is_list:
        assert list(catalogue._names(io.BytesIO(b"x" * count)))
    else:
        with pytest.raises(SourceError, match=f"is not a list of sources: {1_048_577:,} bytes without a name"):
            list(catalogue._names(io.BytesIO(b"x" * count)))


SUMMARIES: list[tuple[dict[str, Any], str]] = [
    ({"models": 1, "read": 1}, "1 model in a.csv, their layers in b.csv"), ({"models": 2, "read": 2, "errors": 1}, "2 models in a.csv, their layers in b.csv; 1 error: see the column 'error'"),
    ({"models": 5, "read": 2, "passed": 3}, "5 models in a.csv, their layers in b.csv; skipped 3 files that are not models; 2 sources read now"), ({}, "0 models in a.csv, their layers in b.csv; 0 sources read now"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "line"), SUMMARIES)
def test_the_last_line_of_a_catalogue(given: dict[str, Any], line: str) -> None:
    found: Any = SimpleNamespace(
        **{"paths": ("a.csv", "b.csv"), "models": 0, "errors": 0, "passed": 0, "read": 0, **given}
    )
    assert catalogue._summary_line(found) == line


PROGRESS: list[tuple[tuple[int, int, int | None, int, float], str]] = [
    ((5000, 0, None, 0, 1.0), "5,000 sources listed"), ((3, 0, 3, 0, 0.0), "0 of 3 sources"), ((3, 1, 1, 0, 1.0), "1 of 1 source, 1.0 a second"), ((9, 5, 9, 1, 1.0), "5 of 9 sources, 5.0 a second, 1 error"),
    ((99, 10, 99, 0, 1.0), "10 of 99 sources, 10 a second"), ((99, 20, 99, 0, 2.0), "20 of 99 sources, 10 a second, 0:08 left"), ((99, 20, 99, 0, 1.99), "20 of 99 sources, 10 a second"),
    ((99, 99, 99, 2, 9.0), "99 of 99 sources, 11 a second, 2 errors"), ((9**5, 10, 40_000, 0, 10.0), "10 of 40,000 sources, 1.0 a second, 11:06:30 left"), ((700, 10, 610, 0, 10.0), "10 of 610 sources, 1.0 a second, 10:00 left"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "words"), PROGRESS)
def test_how_far_a_catalogue_is(given: Any, words: str) -> None:
    from layerexplain.catalogues.run import CatalogueProgress

    assert catalogue.progress_words(CatalogueProgress(*given)) == words


def test_a_located_source_is_its_path_with_how_it_was_found() -> None:
    import pickle

    fault = SourceError("x")
    for one in (Located("a"), Located("a", False), Located("a", True, fault)):
        again = pickle.loads(pickle.dumps(one))
        assert (again, again.listed, str(again.fault)) == ("a", one.listed, str(one.fault)) and is_listed(
            one
        ) is one.listed
    assert Located("a").listed and Located("a").fault is None and not is_listed("a")


INPUTS: list[tuple[tuple[str, ...], list[InputShape], list[str]]] = [
    (("28,28,1", "image.npy"), [InputShape(None, (28, 28, 1))], ["image.npy"]), (("tokens=128", "random", "x=zeros"), [InputShape("tokens", (128,))], ["random", "x=zeros"]), ((), [], []),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "shapes", "values"), INPUTS)
def test_shapes_and_values_of_a_page_are_told_apart(
    typed: tuple[str, ...], shapes: list[InputShape], values: list[str]
) -> None:
    asked, given = page._inputs(None, None, typed)  # type: ignore[arg-type]
    function: Any = asked
    assert given == values and function.keywords == {"typed": shapes}


SCREENS = [("nt", "win32", {}, True), ("posix", "darwin", {}, True), ("posix", "linux", {}, False), ("posix", "linux", {"DISPLAY": ":0"}, True), ("posix", "linux", {"WAYLAND_DISPLAY": "w"}, True)]  # fmt: skip


@pytest.mark.parametrize(("system", "platform", "environment", "expected"), SCREENS)
def test_a_browser_needs_a_screen(
    system: str, platform: str, environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from layerexplain.cli import view

    found: Callable[[], bool] = view._has_screen
    fake = SimpleNamespace(name=system, environ=environment)
    monkeypatch.setattr(view, "os", fake)
    monkeypatch.setattr(view, "sys", SimpleNamespace(platform=platform))
    assert found() is expected
