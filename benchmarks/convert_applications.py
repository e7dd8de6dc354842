"""`convert` on all models of keras.applications, of Keras 3 and tf_keras: JSON to code, to YAML, and back.

    python benchmarks/convert_applications.py [keras3|tf_keras] [NAME …]

For each recorded configuration: the code that `convert` writes is run by Keras 3, which must make the configuration
that it was written from (of tf_keras the one that Keras 3 makes of the configuration that `convert` writes, and as many
weights as tf_keras has); the code, read back without running it, and the spec must be the same model.
Slow (an hour on an idle machine), so it is no test.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import layerexplain
from layerexplain.conversions.config import to_config
from layerexplain.conversions.older_keras import in_todays_names
from layerexplain.network.trace import trace_model
from layerexplain.oracle.reference import load_keras
from layerexplain.report.architecture import architecture
from tests.support.converted import configuration
from tests.truth import applications, load
from tests.truth.record_applications import MODULES


def faults(generation: str, name: str, folder: Path) -> list[str]:
    """Return what is not the same after one of the conversions, in words, of the configuration that is recorded."""
    keras = load_keras()
    stored = load(generation, name)
    source, code, spec = (folder / f"{generation}_{name}.{ending}" for ending in ("json", "py", "yaml"))
    source.write_text(stored["config"], "utf-8")
    layerexplain.convert(source, code)
    layerexplain.convert(source, spec)
    model, _ = in_todays_names(layerexplain.read(source))
    found = []
    own = architecture(trace_model(model))
    for written in (code, spec):
        if architecture(trace_model(layerexplain.read(written))) != own:
            found.append(f"{written.suffix} read back differs")
    keras.utils.clear_session()
    if generation == "keras3":
        theirs = configuration(stored["config"], names=False)
    else:
        made = keras.models.model_from_json(json.dumps(to_config(model)))
        theirs = configuration(made, names=False)
        del made
    keras.utils.clear_session()
    space: dict[str, Any] = {}
    exec(compile(code.read_text("utf-8"), str(code), "exec"), space)  # our own output
    run = space["model"]
    if configuration(run, names=False) != theirs:
        found.append("the code makes another configuration")
    params = stored["totals"]["params"]
    if run.count_params() != params:
        found.append(f"{run.count_params():,} parameters, not {params:,}")
    return found


def main() -> None:
    """Print a row for each model; exit with 1 if one of them is not the same."""
    arguments = sys.argv[1:]
    generations = [one for one in MODULES if one in arguments] or [*MODULES]
    names = [one for one in arguments if one not in MODULES]
    wrong = count = 0
    with tempfile.TemporaryDirectory(prefix="layerexplain-") as folder:
        for generation in generations:
            for name in names or applications(generation):
                begin = time.perf_counter()
                found = faults(generation, name, Path(folder))
                gc.collect()
                said = "; ".join(found) or "the same"
                print(f"| {generation} | {name} | {said} | {time.perf_counter() - begin:.0f} s |", flush=True)
                wrong, count = wrong + bool(found), count + 1
    print(f"\n{count - wrong} of {count} models are the same")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
