"""What Keras is given to load, and why it does not run a model."""

from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.oracle import keras_files


def keras_object(name: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def keras_function(name: Any, module: str | None) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


@pytest.mark.parametrize(
    ("held", "reason"),
    [(keras_object("Dense", units=3), ""),
     (keras_object("Zeros", "keras.initializers"), ""),
     (keras_object("Zeros", "keras.src.initializers.constant_initializers"), ""),
     (keras_object("Dense", None), ""),
     (keras_function("relu", "builtins"), ""),
     (keras_function("relu", "keras.activations"), ""),
     (keras_object("Lambda"), "holds a Lambda, which runs code that is not part of Keras"),
     (keras_object("TFSMLayer"), "holds a TFSMLayer, which runs code that is not part of Keras"),
     ({"class_name": "__lambda__", "config": {"value": "4wEA"}}, "holds a __lambda__, which runs code that is not part of Keras"),
     (keras_object("StringLookup", vocabulary="/etc/passwd"), "names a file to read ('/etc/passwd')"),
     (keras_function("system", "os"), "names the function 'system' of os"),
     (keras_function("get_file", "keras.utils"), "names the function 'get_file' of keras.utils"),
     (keras_function("load_model", "keras.saving"), "names the function 'load_model' of keras.saving"),
     (keras_object("Popen", "subprocess"), "names the class Popen of subprocess, which is not a module of Keras model parts"),
     (keras_object("Backup", "keras.callbacks"),
      "names the class Backup of keras.callbacks, which is not a module of Keras model parts")],
)  # fmt: skip
@pytest.mark.parametrize("deep", [False, True])
def test_what_keras_is_not_given_to_load(held: dict[str, Any], reason: str, deep: bool) -> None:
    """Attacks on Keras's loader name functions and classes of other modules, at any depth of a configuration."""
    document = (
        {"class_name": "Sequential", "config": {"layers": [keras_object("Dense", activation=[held])]}} if deep else held
    )
    if not reason:
        keras_files.must_be_keras(document)
        return
    with pytest.raises(LayerExplainError) as found:
        keras_files.must_be_keras(document)
    assert str(found.value.fact) == f"the configuration {reason}; nothing was loaded"


@pytest.mark.keras
def test_keras_goes_on_numbering_after_a_file_is_loaded() -> None:
    from keras.src.utils.naming import auto_name  # what Keras itself numbers layers with

    from layerexplain.oracle.keras_files import _names_from_the_first

    before = [auto_name("of_this_test"), auto_name("of_this_test")]
    with _names_from_the_first():
        assert auto_name("of_this_test") == "of_this_test"
    assert [*before, auto_name("of_this_test")] == ["of_this_test", "of_this_test_1", "of_this_test_2"]
