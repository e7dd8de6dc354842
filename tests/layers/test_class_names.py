"""A fact about a layer stands in its declaration: no other module asks for layers by their class names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import layerexplain
from layerexplain.frontends import read
from layerexplain.layers.registry import type_names
from tests.support.frameworks import keras

PACKAGE = Path(layerexplain.__file__).parent

ALLOWED = {
    "checks/of_activations.py": "rules on mistakes that are made with these layers",
    "checks/of_layers.py": "rules on mistakes that are made with these layers",
    "conversions/older_keras.py": "classes that Keras 3 does not have, as models of those that it has",
    "conversions/config.py": "classes of which Keras reads no configuration that leaves arguments out",
    "report/settings.py": "an initializer that is called like a layer",
    "report/normal_form.py": "operations of Keras that are called like layers",
    "conversions/today.py": "classes that Keras 3 no longer has, and those that compute the same",
    "checks/of_shapes.py": "rules on mistakes that are made with these layers",
    "checks/of_losses.py": "the layer that classifies each place of a map by itself",
    "frontends/code/recorder/emit.py": "the layer whose input has steps where code says no shape",
    "frontends/code/library/keras_functions.py": "functions of keras.backend that compute what a layer does",
    "frontends/code/library/keras_framework.py": "the function that has a class of its own",
    "frontends/code/library/keras_making.py": "arguments of Keras 1 that name the shape of an input, by class",
    "frontends/code/library/keras_names.py": "functions of Keras 1 and 2 that are called like a layer: add([a, b])",
    "frontends/code/library/torch.py": "modules of PyTorch that are called like layers",
    "frontends/code/library/torch_graph.py": "modules of PyTorch that are called like layers",
    "frontends/code/library/torch_models.py": "modules of PyTorch that are called like layers",
    "frontends/code/library/torch_emit.py": "which input the first module of PyTorch takes",
    "frontends/code/library/torch_tensors.py": "modules of PyTorch that are called like layers",
    "frontends/code/messages.py": "layers that messages speak of without their names",
    "frontends/code/library/keras_refused_calls.py": "the layer whose argument Keras ignores",
    "frontends/code/library/numpy.py": "operators of Python that are called like layers",
    "frontends/code/library/python.py": "operators of Python that are called like layers",
    "frontends/code/library/torch_data.py": "transforms of torchvision that are called like layers",
    "frontends/code/library/torch_training.py": "operators of Python that are called like layers",
    "frontends/code/library/keras_operations.py": "operations of Keras that are called like layers",
    "frontends/code/values/operators.py": "operations of Keras that are called like layers",
    "frontends/code/recorder/tracing.py": "the layers that give a tuple, and the layer whose function stands in the code",
    "frontends/input_shapes.py": "the wrapper that adds an axis to what it holds takes",
    "frontends/spec/settings.py": "which classes of Keras 3 still take an argument of older Keras",
    "report/argument_words.py": "the layer that is softmax without an argument, and an initializer that is called like a layer",
    "frontends/keras/config_values.py": "functions that files call by the name of a layer",
    "frontends/keras/layer_config.py": "what files say of a class: that it is Keras's, what it leads to, its input",
    "frontends/keras/old_containers.py": "the BatchNormalization of Keras 0.3 is another class today",
    "frontends/keras/old_names.py": "the class names of Keras 1, and those of today",
    "frontends/keras/weight_tree.py": "a file of weights alone tells classes by names and arrays",
    "frontends/spec/items.py": "the class that Keras makes of a list of cells",
    "run/initializers.py": "an initializer that is called like a layer",
    "checks/of_data.py": "layers that bring inputs to a range of their own, or ids to a table",
    "checks/of_recurrence.py": "what may stand between two linear maps, and rules on mistakes that are made with these layers",
    "checks/of_axes.py": "rules on mistakes that are made with these layers",
    "frontends/code/library/torch_cures.py": "modules of PyTorch that pass features on, behind which a flattened tensor is sought",
    "network/cures.py": "the layers that a cure says to put between two others",
    "frontends/hugging_face/reader.py": "the layer that adds a branch to what it began with",
    "network/without_formula.py": "operations of Keras that are called like layers",
    "oracle/keras_graph.py": "layers that Keras computes wrongly",
    "render/documents/language_model.py": "the layer that adds a branch to what it began with",
    "report/language_model.py": "parts of a language model by the layers that they are made of",
    "oracle/keras_files.py": "classes that run code, whatever is declared",
}
"""The modules that may name classes, each with the reason: a format's own names, or Keras's."""

NAMES = frozenset(type_names())


def class_names(path: Path) -> Iterator[tuple[int, str]]:
    """The class names of declared layers that stand as texts in a module, with their lines."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES:
            yield node.lineno, node.value


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if PACKAGE / "layers" not in path.parents)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_outside_of_layers_names_a_class(path: Path) -> None:
    found = list(class_names(path))
    if str(path.relative_to(PACKAGE)) in ALLOWED:
        assert found, "it names none: take it off the list"
    else:
        assert not found, "a fact about a layer belongs in its declaration (layers/signature.py)"


def test_the_list_of_exceptions_is_current() -> None:
    assert set(ALLOWED) <= {str(path.relative_to(PACKAGE)) for path in MODULES}
    assert all(ALLOWED.values())


@pytest.mark.keras
def test_names_behind_grouped_attention_are_those_of_keras(tmp_path: Path) -> None:
    text = """
import keras
x = keras.Input((5, 8))
y = keras.layers.GroupQueryAttention(4, 4, 2)(x, x)
y = keras.layers.Dropout(0.1)(keras.layers.Softmax()(y))
model = keras.Model(x, y)
"""
    keras.utils.clear_session(free_memory=False)
    names = {"keras": keras}
    exec(text, names)
    theirs = [layer.name for layer in names["model"].layers]
    file = tmp_path / "a.py"
    file.write_text(text)
    assert [layer.name for layer in read(str(file)).layers] == theirs
