"""`layerexplain layer TYPE` alone: what the type takes, and an example that works, for every type that there is."""

import re
import shlex

import pytest

from layerexplain.layers.keras.examples import example_of
from layerexplain.layers.registry import find, layer_types
from tests.support.commands import invoke

TYPES = [type_ for entries in layer_types().values() for type_, _, _ in entries]


def printed(*arguments: str) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("type_", TYPES)
def test_the_example_is_a_command_that_explains_the_layer(type_: str) -> None:
    page = printed("layer", type_)
    (command,) = re.findall(r"^Example: `(.+)`$", page, re.MULTILINE)
    words = shlex.split(command)
    assert words[:3] == ["layerexplain", "layer", type_]
    explained = printed(*words[1:])
    assert page.startswith(explained.rstrip())
    assert "formula" in explained or type_ == "Lambda"
    assert all(name in page for name in example_arguments(type_))


def example_arguments(type_: str) -> list[str]:
    declaration = find(type_)
    assert declaration is not None
    return [one.partition("=")[0] for one in example_of(declaration)[0]]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["Denz"], "there is no layer type 'Denz'; did you mean 'Dense'?"),
        (["Denz", "units=3"], "there is no layer type 'Denz'; did you mean 'Dense'?"),
        (["TFSMLayer"], "it runs a SavedModel outside the file"),
        (["Dense", "units=3", "--format", "csv"], "Dense needs the shape of its input; add for example --input 784"),
        (["Reshape", "target_shape=7,11"], "Reshape needs the shape of its input; add for example"),
        (["LSTM", "--format", "json"], "LSTM needs the shape of its input; add for example --input 9,5"),
        (["MultiHeadAttention", "num_heads=2"], "MultiHeadAttention needs 'key_dim'"),
    ],
)
def test_what_is_refused(arguments: list[str], words: str) -> None:
    result = invoke("layer", *arguments)
    assert result.exit_code in (1, 2) and words in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (["layer", "dense", "5", "--input", "4"], "dense · Dense  (None, 4) → (None, 5)"),
        (["layer", "max_pooling2d", "--input", "8,6,3"], "max_pooling2d · MaxPooling2D  (None, 8, 6, 3) → (None, 4, 3, 3)"),
        (["layer", "softmax", "--input", "4"], "softmax · Softmax  (None, 4) → (None, 4)"),
        (["layer", "gelu", "--input", "4"], "activation · Activation  (None, 4) → (None, 4)"),
        (["layer", "adam", "--input", "3x2"], "adam · Adam  (3, 2) → (3, 2)"),
        (["layer", "dense(7)", "--input", "3"], "dense · Dense  (None, 3) → (None, 7)"),
        (["explain", "Dense(5)", "--input", "3"], "dense · Dense  (None, 3) → (None, 5)"),
        (["explain", "keras.layers.Dense(5)"], "dense · Dense  (None, 784) → (None, 5)"),
    ],
)  # fmt: skip
def test_a_layer_is_found_as_people_type_it(words: list[str], title: str) -> None:
    result = invoke(*words)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, title)
    assert ("--input is not given; this uses --input 784" in result.stderr) == ("--input" not in words)
