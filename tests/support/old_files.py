"""Files that old versions of Keras wrote, and what those versions say of them."""

import json
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import TESTS

DATA = TESTS / "data"
OLD = sorted((DATA / "old").glob("*.zip"))
TRUTH = json.loads((DATA / "old_truth.json").read_text())
FILES = [(keras, model, file) for keras, models in TRUTH.items() for model in models for file in models[model]["files"]]
WITH_GRAPH = [case for case in FILES if not case[2].endswith(("weights.h5", "_export"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("old")
    for keras in TRUTH:
        with zipfile.ZipFile(DATA / "old" / f"{keras}.zip") as archive:
            archive.extractall(place / keras)
    return place
