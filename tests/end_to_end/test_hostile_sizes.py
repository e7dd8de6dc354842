"""Small files that ask for much work: long sums, wide stacks, many inputs, many faults. Each is explained or refused in
one line, within the seconds and the memory that `tests.support.hostile.run` gives."""

import json
import re
from collections.abc import Callable
from glob import glob
from pathlib import Path
from typing import Any

import pytest

from layerexplain import api
from layerexplain.sources.listing import find_sources
from tests.support import hostile
from tests.support.browser import shown
from tests.support.keras_configs import dense, entry, graph, node, sequence, tensor


def layer(type_: str, name: str, call: Any = None, **config: Any) -> dict[str, Any]:
    item = {"module": "keras.layers", "class_name": type_, "name": name, "config": {"name": name, **config}}
    return item if call is None else {**item, "inbound_nodes": [call]}


def merged(type_: str, count: int) -> Any:
    """Many layers, all joined by one."""
    many = [layer("Dense", f"d{i}", node(tensor("x")), units=5) for i in range(count)]
    joined = layer(type_, "y", node([tensor(f"d{i}") for i in range(count)]))
    return graph([entry("x", [None, 5]), *many, joined], [["x", 0, 0]], [["y", 0, 0]])


def each_adds_all(count: int) -> Any:
    """Each layer adds all before it."""
    names = ["x", *[f"a{i}" for i in range(count)]]
    sums = [layer("Add", f"a{i}", node([tensor(name) for name in names[: i + 1]] + [tensor("x")] * (i == 0)))
            for i in range(count)]  # fmt: skip
    return graph([entry("x", [None, 5]), *sums], [["x", 0, 0]], [[names[-1], 0, 0]])


def many_inputs(count: int) -> Any:
    entries = [entry(f"x{i}", [None, 5]) for i in range(count)]
    each = [layer("Dense", f"d{i}", node(tensor(f"x{i}")), units=5) for i in range(count)]
    joined = layer("Concatenate", "y", node([tensor(f"d{i}") for i in range(count)]))
    return graph([*entries, *each, joined], [[f"x{i}", 0, 0] for i in range(count)], [["y", 0, 0]])


def backwards(count: int) -> Any:
    """A chain whose layers are listed from its end."""
    chain = [layer("Dense", f"d{i}", node(tensor(f"d{i - 1}" if i else "x")), units=5) for i in range(count)]
    return graph([entry("x", [None, 5]), *chain[::-1]], [["x", 0, 0]], [[f"d{count - 1}", 0, 0]])


def held(type_: str, key: str, inside: list[Any]) -> Any:
    """A layer that holds others."""
    return sequence(entry("x", [None, 7, 5]), layer(type_, "y", **{key: inside}))


CELLS = [layer("LSTMCell", f"c{i}", units=4) for i in range(300)]
SCALES = [layer("Rescaling", f"f{i}", scale=2) for i in range(1000)]
SPECTRAL = "input: [6, 7, 3]\nlayers:\n  - SpectralNormalization: {{layer: {{Dense: 4}}, power_iterations: {}}}\n"
ADDED = "".join(f"  - Add: {{}}\n    name: a{i}\n    from: [a{i - 1}, a{i - 2}, a1]\n" for i in range(2, 331))


def joined(count: int) -> str:
    """Layers of 2, 3 and 4 units, concatenated."""
    branches = "".join(f"  - Dense: {i % 3 + 2}\n    name: d{i}\n    from: input\n" for i in range(count))
    return (
        f"input: [3, 5]\nlayers:\n{branches}  - Concatenate:\n    from: [{', '.join(f'd{i}' for i in range(count))}]\n"
    )


SPECS = {
    "a million power iterations": SPECTRAL.format(10**6),
    "10^18 power iterations": SPECTRAL.format(10**18),
    "331 rows of unknown shape": "input: [4]\nlayers:\n  - Lambda: f\n    name: a0\n  - Dense: 3\n    name: a1\n" + ADDED,
    "16 million numbers": "input: [1000000, 16]\nlayers:\n  - ReLU\n  - Dense: 3\n",
    "40 branches": joined(40),
    "99 branches": joined(99),
    "5,000 layers that are alike": "input: [4]\nlayers:\n" + "  - Flatten\n" * 5000,
    "3,000 names that are near others": "input: [4]\nlayers:\n" + "".join(f"  - Dense: 4\n    name: layer{i}\n    from: layr{i}x\n" for i in range(3000)),
    "3,000 types that are near others": "input: [4]\nlayers:\n" + "".join(f"  - Dens{i}: 4\n" for i in range(3000)),
    "a name of 1 MB": "input: [4]\nlayers:\n  - Dense: 4\n    name: " + "a" * 10**6 + "\n  - Dense: 4\n    from: b" + "a" * 10**6 + "\n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: merged("Add", 3000), "takes 3,000 tensors"),
        (lambda: merged("Concatenate", 1000), "takes 1,000 tensors"),
        (lambda: each_adds_all(100), "a99"),
        (lambda: many_inputs(500), "takes 500 tensors"),
        (lambda: backwards(5000), "d4999"),
        (lambda: held("RNN", "cell", CELLS[:60]), "stacked cells are explained up to 32, got 60"),
        (lambda: held("RNN", "cell", CELLS), "RNN is explained with up to 200 layers inside, got 300"),
        (lambda: held("Pipeline", "layers", SCALES), "Pipeline is explained with up to 200 layers inside, got 1,000"),
        (lambda: held("Pipeline", "layers", SCALES[:150]), "rescaling_150(x)"),
        (lambda: sequence(entry("x", [None, 4]), layer("Reshape", "y", target_shape=[1] * 500 + [4])), "a tensor needs to have at most 64 axes, got 502"),
        (lambda: sequence(entry("x", [None, 4]), layer("Reshape", "y", target_shape=[1] * 60 + [4]), dense("d")), "Dense"),
        (lambda: sequence(entry("x", [None, 10**9]), layer("Reshape", "y", target_shape=[10**9])), "Reshape"),
    ],
)  # fmt: skip
def test_a_configuration(make: Callable[[], Any], said: str, tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    file.write_text(json.dumps(make()))
    done = hostile.run("explain", "--full", file, folder=tmp_path)
    assert said in done.out + done.err


@pytest.mark.parametrize("name", SPECS)
def test_a_spec(name: str, tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text(SPECS[name])
    done = hostile.run("explain", file, folder=tmp_path)
    if done.code:
        lines = done.err.splitlines()
        assert len(lines) <= 110 and all(line.startswith("layerexplain: error: ") for line in lines)


@pytest.mark.parametrize("name", ["10^18 power iterations", "16 million numbers", "40 branches", "99 branches"])
@pytest.mark.parametrize("command", [["explain", "--gradient"], ["summary", "--training"], ["page"]])
def test_a_spec_in_training_and_as_a_page(name: str, command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text(SPECS[name])
    done = hostile.run(*command, file, folder=tmp_path)
    assert done.code == 0 and len(done.out) < 2_000_000
    if "power" in name and command != ["page"]:
        assert "up to 100 power_iterations, got power_iterations=1,000,000,000,000,000,000" in done.out


def test_the_page_says_of_40_branches_what_the_text_says(tmp_path: Path) -> None:
    report = api.explain(joined(40).encode())
    with shown(api.page(report), tmp_path, anchor="concatenate") as page:
        assert page.locator(".readsgeneral").all_inner_texts() == list(report.layers[-1].explanation.element)
        (here,) = page.locator(".readshere").all_inner_texts()
        at = [int(size) for size in re.findall(r"\d+", here.partition(" = ")[0])]
        before, branch = 0, 0
        while before + branch % 3 + 2 <= at[2]:  # branch 0 has 2 units, branch 1 has 3
            before, branch = before + branch % 3 + 2, branch + 1
        assert here.partition(" = ")[2] == f"x{branch + 1}[{at[0]}, {at[1]}, {at[2] - before}]"


def test_a_glob_with_many_stars_walks_each_directory_once(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c" / "d" / "e" / "f"
    deep.mkdir(parents=True)
    for folder in (deep, deep.parent, tmp_path):
        (folder / "m.yaml").write_text("input: [4]\nlayers:\n  - Dense: 3\n")
    for pattern in ("**/" * 200, "**/*/" * 3 + "**/", "**/[a-f]/**/[a-f]/**/"):
        found = [one.source for one in find_sources([f"{tmp_path}/{pattern}m.yaml"])]
        # The oracle is Python's own glob, which finds a file once for each way that leads to it.
        assert sorted(found) == sorted(
            set(glob(f"{tmp_path}/{pattern.replace('**/' * 200, '**/')}m.yaml", recursive=True))
        )


def test_a_text_of_a_thousand_million_tokens(tmp_path: Path) -> None:
    """Each token keeps 2 layers × (K and V) × 2 heads × 16 features × 2 bytes = 256 bytes."""
    config = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
              "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100, "torch_dtype": "bfloat16"}  # fmt: skip
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    done = hostile.run("summary", file, "--input", f"tokens={10**9}", folder=tmp_path)
    assert "256.0 GB" in done.out
