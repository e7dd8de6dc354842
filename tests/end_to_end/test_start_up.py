"""What is imported, and what is not: start-up stays quick, and reading a file needs no framework."""

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"
HEAVY = ("numpy", "h5py", "tensorflow", "keras", "tf_keras", "click", "yaml")


def loaded(code: str) -> set[str]:
    """Which of the heavy packages a new process has loaded after the code."""
    report = f"\nimport sys\nprint('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code + report],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        cwd=SAMPLES,
    )
    return set(result.stdout.splitlines()[-1].split()[1:])


def program(*arguments: str) -> str:
    """Code that runs the program in its process."""
    return "\n".join(
        [
            "import sys",
            "from layerexplain.cli.main import main",
            f"sys.argv = {['layerexplain', *arguments]!r}",
            "try:",
            "    main()",
            "except SystemExit as end:",
            "    assert not end.code, end.code",
        ]
    )


def test_importing_the_package_loads_nothing() -> None:
    assert loaded("import layerexplain") == set()
    assert loaded("import layerexplain\nlayerexplain.LayerExplainError") == set()


def test_the_library_explains_a_layer_without_numpy_or_a_command_line() -> None:
    call = "layerexplain.explain_layer('Conv2D', filters=4, kernel_size=3, input_shape=(None, 9, 9, 2))"
    assert loaded(f"import layerexplain\n{call}") == set()


@pytest.mark.parametrize(
    ("file", "allowed"),
    [
        ("digits.keras", {"click"}),
        ("resnet50.json", {"click"}),
        ("transformer.json", {"click"}),
        ("mnist_mlp.yaml", {"click", "yaml"}),
        ("digits.h5", {"click", "numpy", "h5py"}),
    ],
)
@pytest.mark.parametrize("command", ["summary", "explain", "check --fail-on never"])
def test_a_file_is_read_without_what_it_does_not_need(file: str, allowed: set[str], command: str) -> None:
    # Into a pipe nothing is coloured or fitted.
    assert loaded(program(*command.split(), file)) <= allowed


@pytest.mark.parametrize("file", ["digits.keras", "digits.h5", "mnist_mlp.yaml"])
@pytest.mark.parametrize("command", ["summary", "weights"])
def test_a_path_imports_nothing_that_urls_need(file: str, command: str) -> None:
    names = (
        "[name for name in sys.modules if name.startswith(('layerexplain.sources.', 'fsspec', 'aiohttp', 'asyncio'))"
        " and name != 'layerexplain.sources.regular_file']"
    )
    assert loaded(f"{program(command, file)}\nassert {names} == [], {names}")


@pytest.mark.parametrize("source", ["digits.keras::config.json", "*.keras"])
def test_archives_and_globs_of_this_machine_need_no_fsspec(source: str) -> None:
    names = "[name for name in sys.modules if name.partition('.')[0] in ('fsspec', 'aiohttp', 'asyncio')]"
    assert loaded(f"{program('summary', source)}\nassert {names} == [], {names}")


def test_no_layer_module_is_loaded_that_the_model_does_not_use() -> None:
    code = "import sys\nimport layerexplain\nlayerexplain.explain('mnist_mlp.yaml', detail=False)\n"
    for module in ("rnn", "attention", "pooling", "wrappers"):
        code += f"assert 'layerexplain.layers.keras.{module}' not in sys.modules\n"
    assert loaded(code) <= {"yaml"}


@pytest.mark.parametrize("file", ["digits.keras", "resnet50.json", "mnist_mlp.yaml"])
def test_a_file_that_is_no_program_needs_no_reader_of_programs(file: str) -> None:
    names = "[name for name in sys.modules if name.startswith('layerexplain.frontends.code.')]"
    assert loaded(f"{program('summary', file)}\nassert {names} == [], {names}")


def test_a_layer_is_listed_and_explained_without_numpy() -> None:
    assert loaded(program("layer")) <= {"click"}
    assert loaded(program("layer", "Dense", "units=512", "--input", "784")) <= {"click"}
